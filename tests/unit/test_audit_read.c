/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `log` and `report` against fixed logs: tests/unit/data/audit/. Their --json output is a contract;
 * a change of these files is a change of docs/audit.md.
 */
#include <sys/mman.h>
#include <sys/wait.h>

#include "audit/report.h"
#include "cli/commands.h"

#include "tests/unit/audit_harness.h"

#define DATA     "tests/unit/data/audit/"
#define TEXT_MAX ((size_t)64 << 20)
#define ARGS(...)                                                                                  \
	(const char *[])                                                                           \
	{                                                                                          \
		__VA_ARGS__, NULL                                                                  \
	}

struct run {
	int status;
	struct strbuf out, err;
};

static void read_back(int fd, struct strbuf *out)
{
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	assert_int_equal(io_read_all(fd, out), 0);
	(void)close(fd);
}

/* Runs a command in a process of its own, as main() would. */
static struct run run(int (*command)(int, char **), const char *const *args)
{
	struct run r = {.out = STRBUF_INIT(TEXT_MAX), .err = STRBUF_INIT(TEXT_MAX)};
	int out = memfd_create("out", MFD_CLOEXEC), err = memfd_create("err", MFD_CLOEXEC);
	int argc = 0, status;
	pid_t child;

	while (args[argc])
		argc++;
	(void)fflush(NULL);
	child = fork();
	assert_int_not_equal(child, -1);
	if (child == 0) {
		char *copy[16] = {};

		for (int i = 0; i < argc; i++)
			copy[i] = strdup(args[i]);
		(void)dup2(out, STDOUT_FILENO);
		(void)dup2(err, STDERR_FILENO);
		status = command(argc, copy);
		(void)fflush(stdout);
		_exit(status);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	r.status = WEXITSTATUS(status);
	read_back(out, &r.out);
	read_back(err, &r.err);
	return r;
}

static void run_fini(struct run *r)
{
	strbuf_fini(&r->out);
	strbuf_fini(&r->err);
}

static void assert_golden(const struct strbuf *got, const char *file)
{
	struct strbuf expected = STRBUF_INIT(TEXT_MAX);

	if (io_read_file_at(AT_FDCWD, file, &expected) < 0)
		fail_msg("cannot read '%s'; run this in the root of the tree", file);
	assert_string_equal(strbuf_str(got), strbuf_str(&expected));
	strbuf_fini(&expected);
}

static void assert_run(int (*command)(int, char **), const char *const *args, int status,
		       const char *golden)
{
	struct run r = run(command, args);

	assert_int_equal(r.status, status);
	assert_golden(&r.out, golden);
	run_fini(&r);
}

static void test_log_text_is_golden(void **state)
{
	(void)state;
	assert_run(cmd_log, ARGS("log", DATA "session.jsonl"), 0, DATA "session.log.txt");
}

static void test_log_json_is_the_file_itself(void **state)
{
	(void)state;
	assert_run(cmd_log, ARGS("log", "--json", DATA "session.jsonl"), 0, DATA "session.jsonl");
}

static void test_report_text_is_golden(void **state)
{
	(void)state;
	assert_run(cmd_report, ARGS("report", DATA "session.jsonl"), 0, DATA "session.report.txt");
}

static void test_report_json_is_golden(void **state)
{
	(void)state;
	assert_run(cmd_report, ARGS("report", "--json", DATA "session.jsonl"), 0,
		   DATA "session.report.json");
}

static void test_report_html_is_golden(void **state)
{
	(void)state;
	assert_run(cmd_report, ARGS("report", "--html", DATA "session.jsonl"), 0,
		   DATA "session.report.html");
}

static void test_tree_is_golden(void **state)
{
	(void)state;
	(void)setenv("LC_ALL", "C", 1);
	assert_run(cmd_tree, ARGS("tree", DATA "session.jsonl"), 0, DATA "session.tree.txt");
	assert_run(cmd_tree, ARGS("tree", "--json", DATA "session.jsonl"), 0,
		   DATA "session.tree.json");
}

static void test_damaged_lines_are_told_and_the_rest_is_shown(void **state)
{
	struct run r = run(cmd_log, ARGS("log", DATA "damaged.jsonl"));

	(void)state;
	assert_int_equal(r.status, 1);
	assert_golden(&r.out, DATA "damaged.log.txt");
	assert_golden(&r.err, DATA "damaged.log.stderr");
	run_fini(&r);
	assert_run(cmd_report, ARGS("report", DATA "damaged.jsonl"), 1, DATA "damaged.report.txt");
}

/* Counts the lines of `log --json` with these options. */
static size_t matching(const char *const *args)
{
	struct run r = run(cmd_log, args);
	size_t n = 0;

	assert_int_equal(r.status, 0);
	for (size_t i = 0; i < r.out.len; i++)
		n += r.out.p[i] == '\n';
	run_fini(&r);
	return n;
}

#define FILTER(...) matching(ARGS("log", "--json", __VA_ARGS__, DATA "session.jsonl"))

static void test_filters_select(void **state)
{
	(void)state;
	assert_int_equal(FILTER("--verdict", "deny"), 7);
	assert_int_equal(FILTER("--verdict", "deny", "--verdict", "flag"), 8);
	assert_int_equal(FILTER("--verdict=ask"), 4);
	assert_int_equal(FILTER("--kind", "network"), 1);
	assert_int_equal(FILTER("--kind", "network", "--kind", "system"), 2);
	assert_int_equal(FILTER("--kind", "tool", "--verdict", "deny"), 1);
	assert_int_equal(FILTER("--since", "2026-11-21T05:12:43.3Z"), 3);
	assert_int_equal(FILTER("--since", "2026-11-21T06:12:43.3+01:00"), 3);
	assert_int_equal(FILTER("--since", "9999-01-01T00:00:00Z"), 0);
	assert_int_equal(FILTER("--since", "99999d"), 20);
	assert_int_equal(FILTER("--verdict", "deny", "--follow"), 7);
}

static void test_since_counts_back(void **state)
{
	const uint64_t now = UINT64_C(1000000) * NS_PER_SEC;
	static const struct {
		const char *text;
		uint64_t seconds;
	} good[] = {{"10s", 10}, {"5m", 300}, {"2h", 7200}, {"1d", 86400}, {"0s", 0}};
	static const char *const bad[] = {"",
					  "s",
					  "10",
					  "10x",
					  "-5m",
					  "10 s",
					  "5m ago",
					  "1.5h",
					  "99999999999999999999d",
					  "yesterday",
					  "18446744073709551615d"};
	uint64_t t;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		assert_int_equal(reader_parse_since(good[i].text, now, &t), 0);
		assert_int_equal(t, now - good[i].seconds * NS_PER_SEC);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		assert_int_equal(reader_parse_since(bad[i], now, &t), -EINVAL);
}

static void test_wrong_usage_is_told(void **state)
{
	static const struct {
		int (*command)(int, char **);
		const char *args[4];
		int status;
		const char *err;
	} cases[] = {
		{cmd_log, {"log", "--verdict", "maybe"}, 2, "expected allow, flag, ask or deny"},
		{cmd_log,
		 {"log", "--kind", "money"},
		 2,
		 "expected tool, path, network, system or spend"},
		{cmd_log, {"log", "--since", "lately"}, 2, "expected 10s, 5m, 2h or 1d"},
		{cmd_log, {"log", "--nonsense"}, 2, "unrecognized option"},
		{cmd_log, {"log", "a", "b"}, 2, "expected one FILE or SESSION, got 2"},
		{cmd_report, {"report", "a", "b"}, 2, "expected one FILE or SESSION, got 2"},
		{cmd_log, {"log", "/nonexistent/log"}, 1, "cannot read the log"},
		{cmd_log, {"log", "tests"}, 1, "is a directory"},
		{cmd_report, {"report", "no-such-session"}, 1, "no-such-session"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct run r = run(cases[i].command, cases[i].args);

		assert_int_equal(r.status, cases[i].status);
		assert_int_equal(r.out.len, 0);
		assert_non_null(strstr(strbuf_str(&r.err), cases[i].err));
		run_fini(&r);
	}
}

static void test_help_goes_to_standard_output(void **state)
{
	struct run r = run(cmd_log, ARGS("log", "--help"));

	(void)state;
	assert_int_equal(r.status, 0);
	assert_int_equal(r.err.len, 0);
	assert_memory_equal(strbuf_str(&r.out), "usage: holdfast log", 19);
	run_fini(&r);
}

static void write_log(const struct audit_dir *d, const char *text)
{
	int fd = open(d->log, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_int_equal(io_write_all(fd, text, strlen(text)), 0);
	(void)close(fd);
}

/* A line of about @len bytes. */
static void add_long_line(struct strbuf *out, uint64_t seq, size_t len)
{
	strbuf_add_fmt(
		out,
		"{\"v\":1,\"seq\":%d,\"time\":\"2026-11-21T05:12:34Z\",\"event\":\"x\",\"y\":\"",
		(int)seq);
	for (size_t i = 0; i < len; i++)
		strbuf_add_char(out, 'y');
	strbuf_add_str(out, "\"}\n");
}

static void test_long_lines_are_read_up_to_the_limit(void **state)
{
	struct audit_dir *d = *state;
	struct strbuf text = STRBUF_INIT(TEXT_MAX);
	static const size_t lengths[] = {
		1, 65536, 65450, 3, READER_LINE_MAX, 200000, 0, READER_LINE_MAX * 2, 70000};
	struct reader *r = NULL;
	struct reader_line line;

	for (size_t i = 0; i < ARRAY_SIZE(lengths); i++)
		add_long_line(&text, i + 1, lengths[i]);
	write_log(d, strbuf_str(&text));
	assert_int_equal(reader_open(d->log, &r, NULL), 0);
	for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
		bool is_long = lengths[i] >= READER_LINE_MAX;

		assert_int_equal(reader_next(r, &line), is_long ? READER_DAMAGED : READER_LINE);
		assert_int_equal(line.number, i + 1);
		if (is_long) {
			assert_string_equal(line.why, "is too long");
			continue;
		}
		assert_int_equal(reader_u64(line.root, "seq"), i + 1);
		assert_int_equal(json_string_length(json_object_get(line.root, "y")), lengths[i]);
	}
	assert_int_equal(reader_next(r, &line), READER_END);
	assert_false(reader_has_half_line(r, &line));
	reader_close(r);
	strbuf_fini(&text);
}

/* A reader that has met the end goes on in the middle of a line when the rest arrives. */
static void test_a_growing_file_is_followed(void **state)
{
	static const char text[] =
		"{\"v\":1,\"seq\":1,\"time\":\"2026-11-21T05:12:34Z\",\"event\":\"x\"}\n";
	struct audit_dir *d = *state;
	struct reader *r = NULL;
	struct reader_line line;
	int fd;

	write_log(d, "");
	fd = open(d->log, O_WRONLY | O_APPEND | O_CLOEXEC);
	assert_int_equal(reader_open(d->log, &r, NULL), 0);
	for (size_t i = 0; i < sizeof(text) - 1; i++) {
		assert_int_equal(reader_next(r, &line), READER_END);
		assert_int_equal(reader_has_half_line(r, &line), i > 0);
		assert_int_equal(io_write_all(fd, text + i, 1), 0);
	}
	assert_int_equal(reader_next(r, &line), READER_LINE);
	assert_int_equal(reader_u64(line.root, "seq"), 1);
	assert_int_equal(reader_next(r, &line), READER_END);
	(void)close(fd);
	reader_close(r);
}

/* An agent that touches many names must not make the report grow without bound. */
static void test_a_report_of_many_names_is_bounded(void **state)
{
	enum {
		NAMES = REPORT_MAX_ITEMS + 500
	};
	struct report *report = NULL;
	json_t *o, *denied;

	(void)state;
	assert_int_equal(report_new(NULL, &report), 0);
	for (int i = 0; i < NAMES; i++) {
		json_t *root =
			json_pack("{s:i, s:s, s:s, s:s, s:s, s:s, s:o}", "seq", i + 1, "event",
				  "action", "verdict", "deny", "would_have", "deny", "kind", "path",
				  "op", "read", "object", json_sprintf("/n/%d", i));
		struct reader_line line = {.root = root, .time_ns = 1};

		assert_int_equal(report_add(report, &line), 0);
		assert_int_equal(report_add(report, &line), 0);
		json_decref(root);
	}
	o = report_finish(report, "x", false);
	denied = json_object_get(o, "denied");
	assert_int_equal(json_array_size(json_object_get(denied, "list")), REPORT_MAX_ITEMS);
	assert_int_equal(reader_u64(denied, "unlisted"), 2 * (NAMES - REPORT_MAX_ITEMS));
	assert_int_equal(reader_u64(json_object_get(o, "actions"), "total"), 2 * NAMES);
	json_decref(o);
	report_free(report);
}

static json_t *report_of(const struct audit_dir *d)
{
	struct run r = run(cmd_report, ARGS("report", "--json", d->log));
	json_t *o = json_loads(strbuf_str(&r.out), 0, NULL);

	assert_int_equal(r.status, 0);
	assert_non_null(o);
	run_fini(&r);
	return o;
}

static void assert_state(const struct audit_dir *d, const char *expected, uint64_t total)
{
	json_t *o = report_of(d);

	assert_string_equal(reader_word(o, "state"), expected);
	assert_int_equal(reader_u64(json_object_get(o, "actions"), "total"), total);
	json_decref(o);
}

static void test_report_tells_running_killed_and_ended(void **state)
{
	struct audit_dir *d = *state;
	struct audit_record r = audit_test_record();
	struct audit *a = audit_test_open(d, 0);

	assert_int_equal(audit_append(a, &r), 0);
	assert_int_equal(audit_flush(a), 0);
	assert_state(d, "running", 1);
	assert_int_equal(audit_append(a, &r), 0);
	audit_release(a); /* as if killed: the second record is in the ring alone */
	assert_state(d, "killed", 2);
	assert_false(audit_test_exists(d->ring));
	a = audit_test_open(d, 0);
	assert_int_equal(audit_append_event(a, "session_start", NULL, NULL), 0);
	assert_int_equal(audit_append_event(a, "session_end", NULL, NULL), 0);
	audit_close(a);
	assert_state(d, "ended", 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_log_text_is_golden),
		cmocka_unit_test(test_log_json_is_the_file_itself),
		cmocka_unit_test(test_report_text_is_golden),
		cmocka_unit_test(test_report_json_is_golden),
		cmocka_unit_test(test_report_html_is_golden),
		cmocka_unit_test(test_tree_is_golden),
		cmocka_unit_test(test_damaged_lines_are_told_and_the_rest_is_shown),
		cmocka_unit_test(test_filters_select),
		cmocka_unit_test(test_since_counts_back),
		cmocka_unit_test(test_wrong_usage_is_told),
		cmocka_unit_test(test_help_goes_to_standard_output),
		audit_test(test_long_lines_are_read_up_to_the_limit),
		audit_test(test_a_growing_file_is_followed),
		cmocka_unit_test(test_a_report_of_many_names_is_bounded),
		audit_test(test_report_tells_running_killed_and_ended),
	};

	/* Times are shown in the reader's zone; the default place must be nobody's. */
	if (setenv("TZ", "UTC", 1) < 0 ||
	    setenv("XDG_STATE_HOME", "/proc/nonexistent/state", 1) < 0)
		return 1;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
