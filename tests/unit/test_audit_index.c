/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random questions over random logs: what the index answers is what a look at every line answers.
 */
#include "audit/index.h"

#include "tests/unit/audit_harness.h"

#define LOGS      3
#define QUESTIONS 120

struct world {
	struct audit_dir *dir;
	char logs[LOGS][96], index[96];
	uint64_t random;
};

static uint64_t pick(struct world *w, uint64_t n)
{
	return unit_random(&w->random) % n;
}

static const char *const objects[] = {"/etc/passwd",  "/home/u/.ssh/id_rsa",   "/home/u/a b.txt",
				      "/usr/bin/git", "10.0.0.7:443",          "[::1]:80",
				      "1.2.3.4:53",   "/x/\\u00e9\\\\xff.pem", "/usr/bin/cc"};

static void write_line(struct world *w, FILE *f, uint64_t i)
{
	const char *object = objects[pick(w, ARRAY_SIZE(objects))];
	unsigned int kind = (unsigned int)pick(w, 4);

	if (pick(w, 97) == 0) {
		(void)fprintf(f, "damaged %d\n", (int)i);
		return;
	}
	(void)fprintf(f,
		      "{\"v\":1,\"seq\":%d,\"time\":\"2026-11-21T05:%02d:%02d.%09dZ\",\"event\":"
		      "\"action\",\"session\":\"s%d\",\"agent\":\"a%d\",\"pid\":%d,\"ppid\":%d,"
		      "\"kind\":\"%s\",\"op\":\"%s\",\"object\":\"%s\",\"argv\":[\"git\",\"p%d\"],"
		      "\"verdict\":\"%s\",\"policy\":\"p\",\"rule\":%s",
		      (int)i + 1, (int)(i / 600 % 60), (int)(i / 10 % 60), (int)i, (int)pick(w, 3),
		      (int)pick(w, 3), (int)pick(w, 40) + 1, (int)pick(w, 40) + 1,
		      kind_name((enum action_kind)kind), op_name((enum action_op)pick(w, _OP_MAX)),
		      object, (int)pick(w, 50), verdict_name((enum verdict)pick(w, _VERDICT_MAX)),
		      pick(w, 5) ? "null" : "\"no-[x\"");
	/* Keys that the scanner does not know, and lines that it leaves to the library. */
	if (pick(w, 11) == 0)
		(void)fprintf(f, ",\"extra\":{\"deep\":[\"needle %d\",\"two\"]}", (int)pick(w, 9));
	if (pick(w, 13) == 0)
		(void)fprintf(f, " ");
	(void)fprintf(f, "}\n");
}

static void append(struct world *w, size_t log, uint64_t n)
{
	FILE *f = fopen(w->logs[log], "ae");

	assert_non_null(f);
	for (uint64_t i = 0; i < n; i++)
		write_line(w, f, i);
	assert_int_equal(fclose(f), 0);
}

static void add_random_clause(struct world *w, struct query *q)
{
	static const struct {
		enum query_clause clause;
		const char *value;
	} clauses[] = {
		{QUERY_SESSION, "s1"},
		{QUERY_AGENT, "a[01]"},
		{QUERY_RULE, "no-[x"},
		{QUERY_POLICY, "q"},
		{QUERY_POLICY, "{p,q}"},
		{QUERY_TOOL, "git"},
		{QUERY_TOOL, "c*"},
		{QUERY_PATH, "/etc/*"},
		{QUERY_PATH, "**/*.pem"},
		{QUERY_PATH, "/home/u/**"},
		{QUERY_ADDRESS, "10.0.0.0/8"},
		{QUERY_ADDRESS, "::1"},
		{QUERY_ADDRESS, "1.2.3.4:53"},
		{QUERY_TEXT, "needle 3"},
		{QUERY_TEXT, "git p7"},
		{QUERY_TEXT, "id_rsa"},
		{QUERY_TEXT, "\xff.pem"},
		{QUERY_TEXT, "needle 1 two"},
	};
	size_t i = pick(w, ARRAY_SIZE(clauses));

	assert_int_equal(query_add(q, clauses[i].clause, clauses[i].value, NULL, NULL), 0);
}

static struct query *random_question(struct world *w)
{
	struct query *q = NULL;

	assert_int_equal(query_new(&q), 0);
	for (uint64_t n = pick(w, 3); n > 0; n--)
		add_random_clause(w, q);
	if (pick(w, 3) == 0)
		query_add_kind(q, (enum action_kind)pick(w, _KIND_MAX));
	if (pick(w, 4) == 0)
		query_add_verdict(q, (enum verdict)pick(w, _VERDICT_MAX));
	if (pick(w, 5) == 0)
		query_add_op(q, (enum action_op)pick(w, _OP_MAX));
	if (pick(w, 5) == 0)
		assert_int_equal(query_add_pid(q, (uint32_t)pick(w, 40) + 1), 0);
	if (pick(w, 8) == 0)
		query_set_tree(q);
	if (pick(w, 4) == 0)
		query_set_since(q, UINT64_C(1795237260) * NS_PER_SEC + pick(w, 600) * NS_PER_SEC);
	if (pick(w, 4) == 0)
		query_set_until(q, UINT64_C(1795237260) * NS_PER_SEC + pick(w, 600) * NS_PER_SEC);
	return q;
}

static void ask_both(struct world *w, const struct index_config *config)
{
	struct index_file files[LOGS] = {};
	struct hits fast = {.max = pick(w, 2) ? pick(w, 30) + 1 : 0}, slow;
	struct query *q = random_question(w);
	struct diag d = {};
	int r;

	for (size_t i = 0; i < LOGS; i++)
		files[i].path = w->logs[i];
	fast.is_newest = fast.max || pick(w, 2);
	fast.is_backwards = fast.is_newest && pick(w, 2);
	slow = fast;
	/* Without a limit, what is found from the end has to be shown from there. */
	if (fast.is_newest && !fast.max)
		fast.is_backwards = slow.is_backwards = true;
	r = logindex_ask(config, files, LOGS, q, &fast, &d);
	if (r)
		fail_msg("logindex_ask: %d: %s", r, d.message);
	assert_int_equal(logindex_scan(files, LOGS, q, &slow, &d), 0);
	assert_int_equal(fast.n_meant, slow.n_meant);
	for (size_t i = 0, j = 0;; i++, j++) {
		/* Damaged lines of before the limit are told by both, wherever they stand. */
		while (i < fast.n && fast.list[i].is_damaged)
			i++;
		while (j < slow.n && slow.list[j].is_damaged)
			j++;
		if (i >= fast.n || j >= slow.n) {
			assert_true(i >= fast.n && j >= slow.n);
			break;
		}
		assert_int_equal(fast.list[i].file, slow.list[j].file);
		assert_int_equal(fast.list[i].number, slow.list[j].number);
		assert_int_equal(fast.list[i].offset, slow.list[j].offset);
		assert_int_equal(fast.list[i].length, slow.list[j].length);
	}
	assert_int_equal(fast.n, slow.n);
	query_free(q);
	hits_fini(&fast);
	hits_fini(&slow);
}

static void test_the_index_answers_as_the_logs_do(void **state)
{
	struct world w = {.dir = *state, .random = UNIT_SEED};
	struct index_config config = {.dir = w.index, .wait_s = 1};
	static const char *const names[] = {"index.sqlite", "index.sqlite-journal", "index.lock"};

	(void)snprintf(w.index, sizeof(w.index), "%s/index", w.dir->path);
	for (size_t i = 0; i < LOGS; i++) {
		(void)snprintf(w.logs[i], sizeof(w.logs[i]), "%s/%d.jsonl", w.dir->path, (int)i);
		append(&w, i, 2500);
	}
	for (int i = 0; i < QUESTIONS; i++) {
		ask_both(&w, &config);
		if (i % 20 == 0)
			append(&w, pick(&w, LOGS), pick(&w, 900));
	}
	for (size_t i = 0; i < LOGS; i++)
		assert_int_equal(unlink(w.logs[i]), 0);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		char path[128];

		(void)snprintf(path, sizeof(path), "%s/%s", w.index, names[i]);
		assert_int_equal(unlink(path), 0);
	}
	assert_int_equal(rmdir(w.index), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {audit_test(test_the_index_answers_as_the_logs_do)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
