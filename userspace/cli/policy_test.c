/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `holdfast policy test`: the examples in policies and the tests beside them. TAP on standard
 * output, or one JSON object.
 */
#include <dirent.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/dirs.h"
#include "base/escape.h"
#include "base/io.h"
#include "base/json.h"
#include "base/say.h"

#include "cli/options.h"
#include "cli/policy_commands.h"
#include "cli/policy_testfile.h"

#define ARENA_BYTES ((size_t)1 << 30)
#define OUTPUT_MAX  ((size_t)1 << 30)
#define MAX_NAME    200 /* bytes of an action that name its test */

static const char usage[] =
	"usage: holdfast policy test [--json] [FILE...]\n"
	"\n"
	"Loads each policy, which runs the examples of its rules, and then the tests beside it: those of\n"
	"NAME.yaml are in NAME.test.yaml. FILE is a policy, a name, a directory or a file of tests.\n"
	"Without FILE: every policy in ./policies, or here when there is no such directory.\n"
	"\n"
	"  --json  {\"summary\": {total, passed, failed}, \"results\": [..]} instead of TAP\n"
	"\n"
	"Exit status: 0 all passed, 1 one failed, 2 wrong usage, or a file of tests that is none.\n";

enum {
	STATUS_FAILED = 1,
	STATUS_ERROR = 2,
};

/* What is to be run: a policy, with its tests if there are any; or tests that name theirs. */
struct target {
	char *policy; /* NULL: the tests name it */
	char *tests;  /* NULL: there are none */
};

struct run {
	struct target *targets;
	size_t n_targets;
	bool is_json;
	bool has_error;
	size_t n, n_failed;
	struct strbuf out;
	struct json json;
};

struct outcome {
	const char *file, *name;
	unsigned int line;                      /* of the test; 0: none */
	const char *expected;                   /* NULL: nothing special */
	const char *problem;                    /* NULL: passed */
	const struct policy_use_answer *answer; /* NULL: it did not come to that */
};

/* ---- output */

static void add_tap_line(struct strbuf *out, const char *key, const char *text)
{
	strbuf_add_fmt(out, "  %s: '", key);
	for (const char *p = text; *p; p++) {
		if (*p == '\'')
			strbuf_add_char(out, '\'');
		if ((unsigned char)*p >= ' ' && *p != 0x7f)
			strbuf_add_char(out, *p);
		else
			strbuf_add_char(out, ' ');
	}
	strbuf_add_str(out, "'\n");
}

static const char *decision_of(const struct outcome *o)
{
	if (!o->answer)
		return NULL;
	return o->answer->error ? "error" : verdict_name(o->answer->result.verdict);
}

static void add_got(struct strbuf *out, const struct outcome *o)
{
	const struct policy_source *s = &o->answer->result.source;
	_cleanup_(freep) char *where = NULL;

	add_tap_line(out, "got", decision_of(o));
	if (o->answer->error)
		add_tap_line(out, "error", o->answer->error);
	add_tap_line(out, "policy", s->policy ? s->policy : "");
	add_tap_line(out, "rule", s->rule ? s->rule : "(default)");
	if (s->reason)
		add_tap_line(out, "reason", s->reason);
	if (s->line)
		where = str_format("%s:%u", s->file, s->line);
	if (where)
		add_tap_line(out, "decided_at", where);
}

static void report_tap(struct run *run, const struct outcome *o)
{
	strbuf_add_fmt(&run->out, "%s %zu - ", o->problem ? "not ok" : "ok", run->n);
	escape_terminal(&run->out, bytes_of(o->file));
	strbuf_add_str(&run->out, ": ");
	/* A '#' would begin a directive. */
	for (const char *p = o->name; *p; p++) {
		if (*p == '#')
			strbuf_add_char(&run->out, '\\');
		escape_terminal(&run->out, (struct bytes){.p = p, .len = 1});
	}
	strbuf_add_char(&run->out, '\n');
	if (!o->problem)
		return;
	strbuf_add_str(&run->out, "  ---\n");
	add_tap_line(&run->out, "problem", o->problem);
	if (o->line)
		strbuf_add_fmt(&run->out, "  line: %u\n", o->line);
	if (o->expected)
		add_tap_line(&run->out, "expected", o->expected);
	if (o->answer)
		add_got(&run->out, o);
	strbuf_add_str(&run->out, "  ...\n");
}

static void report_json(struct run *run, const struct outcome *o)
{
	const struct policy_source *s = o->answer ? &o->answer->result.source : NULL;
	struct json *j = &run->json;

	json_begin_object(j);
	json_key_cstr(j, "file", o->file);
	json_key_cstr(j, "name", o->name);
	json_key(j, "line");
	if (o->line)
		json_u64(j, o->line);
	else
		json_none(j);
	json_key_bool(j, "passed", !o->problem);
	json_key_cstr(j, "decision", decision_of(o));
	json_key_cstr(j, "expected", o->expected);
	json_key_cstr(j, "policy", s ? s->policy : NULL);
	json_key_cstr(j, "rule", s ? s->rule : NULL);
	json_key_cstr(j, "reason", s ? s->reason : NULL);
	json_key_cstr(j, "problem", o->problem);
	json_end_object(j);
}

static void report(struct run *run, const struct outcome *o)
{
	run->n++;
	if (o->problem)
		run->n_failed++;
	if (run->is_json)
		report_json(run, o);
	else
		report_tap(run, o);
}

static int print(struct run *run)
{
	struct json *j = &run->json;

	if (run->is_json) {
		json_end_array(j);
		json_key(j, "summary");
		json_begin_object(j);
		json_key_u64(j, "total", run->n);
		json_key_u64(j, "passed", run->n - run->n_failed);
		json_key_u64(j, "failed", run->n_failed);
		json_end_object(j);
		json_end_object(j);
		strbuf_add_char(&run->out, '\n');
	} else {
		strbuf_add_fmt(&run->out, "1..%zu\n# %zu passed, %zu failed\n", run->n,
			       run->n - run->n_failed, run->n_failed);
	}
	if (strbuf_error(&run->out))
		return strbuf_error(&run->out);
	return io_write_all(STDOUT_FILENO, run->out.p, run->out.len);
}

/* ---- running */

static void report_load(struct run *run, const char *file, int r, const struct diag *d)
{
	char text[1280];

	diag_format(d, text, sizeof(text));
	report(run, &(struct outcome){
			    .file = strncmp(file, "./", 2) == 0 ? file + 2 : file,
			    .name = "loads, and the examples of its rules hold",
			    .problem = r == 0         ? NULL
				       : r == -ENOMEM ? "out of memory"
						      : text,
		    });
}

/* Why @answer is not what was expected. NULL: it is. */
static const char *compare(const struct policy_test *t, const struct policy_use_answer *answer)
{
	const struct policy_source *s = &answer->result.source;
	const char *rule = s->rule ? s->rule : "";

	if (t->expects_error)
		return answer->error ? NULL : "the original raises no error";
	if (answer->error)
		return "the original raises an error";
	if (answer->result.verdict != t->expect)
		return "another verdict";
	if (t->rule &&
	    !bytes_eq_str(t->rule->type == VALUE_NULL ? BYTES_LIT("") : t->rule->text, rule))
		return "another rule";
	if (t->reason && (!s->reason || !strstr(s->reason, t->reason->text.p)))
		return "another reason";
	return NULL;
}

static char *expectation(const struct policy_test *t)
{
	return str_format("%s%s%s%s%s", t->expect_word, t->rule ? ", rule " : "",
			  !t->rule                      ? ""
			  : t->rule->type == VALUE_NULL ? "(default)"
							: t->rule->text.p,
			  t->reason ? ", reason: " : "", t->reason ? t->reason->text.p : "");
}

/* Of a test without a name: what is done, or where it stands. */
static char *name_of(const struct policy_test *t, const struct apiaction *a)
{
	const struct policy_query *q = a ? &a->queries[0] : NULL;
	struct bytes object = !q ? BYTES_NULL : q->path.p ? q->path : q->args;

	if (!q || object.len > MAX_NAME)
		return str_format("line %u", t->map->line);
	return str_format("%s %.*s", op_name(q->op), (int)object.len, object.p);
}

static void run_test(struct run *run, struct policy_testfile *file, const struct policy_test *t)
{
	_cleanup_(arena_fini) struct arena mem = ARENA_INIT(ARENA_BYTES);
	_cleanup_(freep) char *expected = expectation(t), *name = NULL;
	struct policy_use_answer answer;
	struct apiaction action;
	struct diag d = {};
	char text[1280];
	struct outcome o = {.file = file->file, .line = t->map->line, .expected = expected};
	int r = policy_test_action(file, t, &mem, &action, &d);

	name = t->name ? NULL : name_of(t, r == 0 ? &action : NULL);
	o.name = t->name ? t->name : name ? name : "";
	if (r == 0) {
		policy_use_decide(&file->use, &action, t->spent, &answer);
		o.answer = &answer;
		o.problem = compare(t, &answer);
	} else {
		diag_format(&d, text, sizeof(text));
		o.problem = r == -ENOMEM ? "out of memory" : text;
		run->has_error = true;
	}
	report(run, &o);
}

static void run_testfile(struct run *run, const char *path)
{
	_cleanup_(policy_testfile_fini) struct policy_testfile file = {};
	struct diag d = {};
	int r = policy_testfile_read(path, &file, &d);

	if (r < 0) {
		run->has_error = true;
		report_load(run, path, r, &d);
		return;
	}
	r = policy_use_read(&file.use, &d);
	report_load(run, file.policies[0], r, &d);
	for (size_t i = 0; r == 0 && i < file.n_tests; i++)
		run_test(run, &file, &file.tests[i]);
}

static void run_target(struct run *run, const struct target *t)
{
	_cleanup_(policy_use_fini) struct policy_use use = {.policies = {t->policy},
							    .n_policies = 1};
	struct diag d = {};
	int r;

	if (t->tests) {
		run_testfile(run, t->tests);
		return;
	}
	r = policy_use_read(&use, &d);
	report_load(run, t->policy, r, &d);
}

/* ---- what to run */

static bool is_policy_name(const char *name)
{
	struct bytes s = bytes_of(name);

	return (bytes_has_suffix(s, BYTES_LIT(".yaml")) ||
		bytes_has_suffix(s, BYTES_LIT(".yml"))) &&
	       !bytes_has_suffix(s, BYTES_LIT(POLICYSET_TEST_SUFFIX)) && name[0] != '.';
}

static bool is_test_name(const char *name)
{
	return bytes_has_suffix(bytes_of(name), BYTES_LIT(POLICYSET_TEST_SUFFIX));
}

static bool exists(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0;
}

static int add_target(struct run *run, char *policy, char *tests)
{
	struct target *more = reallocarray(run->targets, run->n_targets + 1, sizeof(*more));

	if (!more || (!policy && !tests)) {
		free(policy);
		free(tests);
		if (more)
			run->targets = more;
		return -ENOMEM;
	}
	run->targets = more;
	more[run->n_targets++] = (struct target){.policy = policy, .tests = tests};
	return 0;
}

/* A policy's file, with its tests if they stand beside it. */
static int add_policy_file(struct run *run, const char *path)
{
	const char *dot = strrchr(path, '.');
	_cleanup_(freep) char *tests =
		str_format("%.*s" POLICYSET_TEST_SUFFIX, (int)(dot - path), path);

	if (!tests)
		return -ENOMEM;
	return add_target(run, strdup(path), exists(tests) ? TAKE_PTR(tests) : NULL);
}

static int by_name(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static int add_entry(struct run *run, const char *dir, const char *name)
{
	_cleanup_(freep) char *path = str_format("%s/%s", dir, name), *policy = NULL;

	if (!path)
		return -ENOMEM;
	if (is_policy_name(name))
		return add_policy_file(run, path);
	if (!is_test_name(name))
		return 0;
	policy = str_format("%.*s.yaml", (int)(strlen(path) - strlen(POLICYSET_TEST_SUFFIX)), path);
	if (!policy)
		return -ENOMEM;
	return exists(policy) ? 0 : add_target(run, NULL, TAKE_PTR(path));
}

static int add_dir(struct run *run, const char *dir)
{
	struct dirent **entries;
	int n = scandir(dir, &entries, NULL, by_name), r = 0;

	if (n < 0)
		return -errno;
	for (int i = 0; i < n; i++) {
		if (r == 0)
			r = add_entry(run, dir, entries[i]->d_name);
		free(entries[i]);
	}
	free(entries);
	return r;
}

/* A name as -p takes it. */
static int add_name(struct run *run, const char *name)
{
	_cleanup_(policy_dirs_fini) struct policy_dirs dirs = {};
	int r = policy_dirs_init(&dirs);

	for (size_t i = 0; r == 0 && i < dirs.n; i++) {
		_cleanup_(freep) char *path = str_format("%s/%s.yaml", dirs.dirs[i], name);

		if (!path)
			return -ENOMEM;
		if (exists(path))
			return add_policy_file(run, path);
	}
	/* Loading it will say that there is none, and which there are. */
	return r < 0 ? r : add_target(run, strdup(name), NULL);
}

static int add_word(struct run *run, const char *word)
{
	struct stat st;

	if (stat(word, &st) == 0 && S_ISDIR(st.st_mode))
		return add_dir(run, word);
	if (is_test_name(word))
		return add_target(run, NULL, strdup(word));
	if (is_policy_name(bytes_base_name(bytes_of(word)).p))
		return add_policy_file(run, word);
	return strchr(word, '/') ? add_target(run, strdup(word), NULL) : add_name(run, word);
}

static int find_targets(struct run *run, char **words)
{
	int r = 0;

	if (!*words) {
		bool has_dir = exists("policies");

		r = add_dir(run, has_dir ? "policies" : ".");
		if (r == 0 && has_dir && exists("policies/templates"))
			r = add_dir(run, "policies/templates");
	}
	for (; r == 0 && *words; words++)
		r = add_word(run, *words);
	if (r == 0 && run->n_targets == 0) {
		say("policy test: there is no policy here; name one, or go where ./policies is");
		return -EINVAL;
	}
	if (r < 0)
		say("policy test: %s", strerror(-r));
	return r;
}

static void run_fini(struct run *run)
{
	for (size_t i = 0; i < run->n_targets; i++) {
		free(run->targets[i].policy);
		free(run->targets[i].tests);
	}
	free(run->targets);
	strbuf_fini(&run->out);
}

static int parse_options(int argc, char **argv, struct run *run)
{
	const struct option_row rows[] = {{"json", .flag = &run->is_json}, {}};
	const struct options options = {.command = "policy test", .usage = usage, .rows = rows};
	int r = options_read(&options, argc, argv);

	if (r)
		return r;
	return find_targets(run, argv + optind);
}

int policy_test(int argc, char **argv)
{
	_cleanup_(run_fini) struct run run = {.out = STRBUF_INIT(OUTPUT_MAX)};
	int r = parse_options(argc, argv, &run);

	if (r != 0)
		return r == OPTIONS_HELPED ? 0 : STATUS_ERROR;
	run.json = JSON_INIT(&run.out);
	if (run.is_json) {
		json_begin_object(&run.json);
		json_key(&run.json, "results");
		json_begin_array(&run.json);
	} else {
		strbuf_add_str(&run.out, "TAP version 13\n");
	}
	for (size_t i = 0; i < run.n_targets; i++)
		run_target(&run, &run.targets[i]);
	r = print(&run);
	if (r < 0) {
		say("policy test: %s", strerror(-r));
		return STATUS_ERROR;
	}
	if (run.has_error)
		return STATUS_ERROR;
	return run.n_failed ? STATUS_FAILED : 0;
}
