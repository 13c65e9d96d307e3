/* SPDX-License-Identifier: Apache-2.0 */
/* The tables for the kernel say what the stack says, of every path. */
#include <fcntl.h>

#include "base/io.h"
#include "policy/naming.h"
#include "policy/pathmap.h"

#include "tests/unit/policy_harness.h"

#define ROUNDS 20000

static enum verdict ask_stack(const struct harness *h, enum action_op op, struct bytes path)
{
	struct policy_name names[POLICY_MAX_NAMES];
	struct policy_query q = {.kind = KIND_PATH,
				 .op = op,
				 .names = names,
				 .path = path,
				 .args = path,
				 .agent = BYTES_LIT("agent"),
				 .minute_of_week = 77};
	struct policy_result r;

	q.n_names = policy_names_init(names, op);
	policy_stack_eval(h->stack, h->scratch, &q, &r);
	return r.verdict;
}

static const struct pathmap_kept nothing;

static struct pathmap *make(const struct harness *h, const struct pathmap_kept *kept)
{
	struct pathmap *m = NULL;
	const char *why;

	assert_int_equal(pathmap_new(h->stack, kept, &m, &why), 0);
	return m;
}

/* Made of what the rules name, cut and glued anywhere, where a mistake would be. */
static size_t choose(char *path, size_t size, const char *const *words, size_t n_words,
		     unsigned *seed)
{
	size_t n = 0, n_parts = 1 + (size_t)rand_r(seed) % 6;

	for (size_t i = 0; i < n_parts; i++) {
		const char *word = words[(size_t)rand_r(seed) % n_words];

		if (n + strlen(word) + 3 > size)
			break;
		if (i == 0 || rand_r(seed) % 4)
			path[n++] = '/';
		for (const char *p = word; *p; p++)
			if (rand_r(seed) % 40)
				path[n++] = *p;
		if (rand_r(seed) % 16 == 0)
			path[n++] = (char)(1 + rand_r(seed) % 255);
	}
	/* No path of the kernel's has these. */
	for (size_t i = 1; i < n;)
		if (path[i] == '/' && path[i - 1] == '/')
			memmove(path + i, path + i + 1, --n - i);
		else
			i++;
	while (n > 1 && path[n - 1] == '/')
		n--;
	return n;
}

static void compare(const struct harness *h, const struct pathmap *m, const char *const *words,
		    size_t n_words, unsigned rounds)
{
	size_t n_verdicts[4] = {};
	unsigned seed = 1;
	char path[512];

	for (unsigned i = 0; i < rounds; i++) {
		struct bytes b = {.p = path};
		const enum action_op op = (enum action_op)(OP_READ + i % (OP_TIMES - OP_READ + 1));
		enum verdict v;

		b.len = choose(path, sizeof(path), words, n_words, &seed);
		if (!(m->ops & OP_BIT(op)))
			continue;
		v = ask_stack(h, op, b);
		if (v != pathmap_verdict(m, op, b))
			fail_msg("%s of %.*s: %d, the table says %d", op_name(op), (int)b.len, b.p,
				 v, pathmap_verdict(m, op, b));
		n_verdicts[v]++;
	}
	assert_true(n_verdicts[VERDICT_ALLOW] > 0 && n_verdicts[VERDICT_DENY] > 0);
}

static void test_equals_stack(void **state _unused_)
{
	static const char *const texts[] = {
		"version: 1\n"
		"name: a\n"
		"default: {tool: allow, read: allow, write: ask, network: ask}\n"
		"rules:\n"
		"  - {name: one, match: {path: '/a/b'}, action: deny}\n"
		"  - {name: tree, match: {path: '/a/c/**', op: [write, delete]}, action: allow}\n"
		"  - {name: base, match: {path: ['**/id_{rsa,dsa}', '**/.env.*'], op: read}, action: deny}\n"
		"  - {name: ext, match: {path: '**/*.pem'}, action: deny, unless: {path: '**/certs/**'}}\n"
		"  - {name: mid, match: {path: '/home/*/x?[a-c]/**/y'}, action: flag, priority: 5}\n"
		"  - {name: dot, match: {path: '/a/**/b.d/**'}, action: ask}\n"
		"  - {name: root, match: {path: '/'}, action: deny, priority: 1}\n",
		"version: 1\n"
		"name: b\n"
		"default: {tool: allow, path: allow, network: deny}\n"
		"rules:\n"
		"  - {name: hidden, match: {path: '**/.*', op: [rename, link, chmod]}, action: deny}\n"
		"  - {name: star, match: {path: '/tmp/*/z*z'}, action: flag}\n",
	};
	static const char *const words[] = {"a",      "b",     "c",     "a/b",   "a/c",    "id_rsa",
					    "id_dsa", "x1a",   "x1a/y", "home",  "home/u", ".env.x",
					    ".env",   "k.pem", "y",     "certs", "b.d",    "tmp",
					    "z1z",    "zz",    "."};
	struct harness h = harness_stack(texts, 2, false);
	struct pathmap *m = make(&h, &nothing);

	assert_int_equal(m->ops, OPS_PATH);
	compare(&h, m, words, ARRAY_SIZE(words), ROUNDS);
	assert_int_equal(pathmap_verdict(m, OP_READ, BYTES_LIT("/")), VERDICT_DENY);
	pathmap_free(m);
	harness_fini(&h);
}

static void test_shipped(void **state _unused_)
{
	static const char *const names[] = {"coding-agent", "read-only", "no-network"};
	static const char *const words[] = {
		"home/u",       "proj",         ".ssh",         "config",
		".ssh/id_rsa",  ".env",         ".env.example", ".git/hooks",
		".git/config",  "etc",          "shadow",       "usr/lib",
		"x.pem",        "node_modules", "cacert.pem",   "proc/1",
		"mem",          "environ",      "dev",          "sda1",
		"null",         ".bashrc",      ".config",      ".config/autostart",
		".local/share", "keyrings",     "tmp/session",  "var/tmp",
		".aws",         "credentials",  ".npmrc",       "q"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		_cleanup_(strbuf_fini) struct strbuf text = STRBUF_INIT(POLICY_MAX_BYTES);
		const char *dir = getenv("HOLDFAST_TEST_POLICIES");
		char path[512];
		struct harness h;
		struct pathmap *m;

		(void)snprintf(path, sizeof(path), "%s/%s.yaml", dir ? dir : "policies", names[i]);
		if (io_read_file_at(AT_FDCWD, path, &text) < 0)
			fail_msg("cannot read %s; run in the root of the tree", path);
		h = harness_one(strbuf_str(&text));
		m = make(&h, &nothing);
		printf("# %s: %zu states of %zu classes, %zu verdicts\n", names[i], m->n_states,
		       m->n_classes, m->n_verdicts);
		assert_int_equal(m->ops, OPS_PATH);
		compare(&h, m, words, ARRAY_SIZE(words), ROUNDS);
		pathmap_free(m);
		harness_fini(&h);
	}
}

static void test_obstacles(void **state _unused_)
{
	struct harness h = harness_one(
		"version: 1\n"
		"name: a\n"
		"default: {tool: allow, path: deny, network: ask}\n"
		"rules:\n"
		"  - {name: cwd, match: {path: '/a/**', op: delete, cwd: '/a/**'}, action: deny}\n"
		"  - {name: who, match: {path: '/a/**', op: read}, unless: {parent: cat}, action: allow}\n"
		"  - {name: when, match: {tool: git, time: 'mon-fri 09:00-17:00'}, action: deny}\n");
	struct pathmap *m = make(&h, &nothing);

	assert_int_equal(m->ops, OPS_PATH & ~(OP_BIT(OP_READ) | OP_BIT(OP_DELETE)));
	assert_string_equal(m->why_not[OP_DELETE - OP_READ], "a rule on files has `cwd`");
	assert_string_equal(m->why_not[0], "a rule on files has `parent`");
	pathmap_free(m);
	harness_fini(&h);
}

/* What Holdfast keeps from everybody is denied, and changes nothing of the rest. */
static void test_kept(void **state _unused_)
{
	static const char *const paths[] = {"/etc/holdfast/broker.yaml", "/a/b/key[1]*"};
	static const struct {
		const char *path;
		enum verdict verdict;
	} rows[] = {
		{"/etc/holdfast/broker.yaml", VERDICT_DENY},
		{"/etc/holdfast/broker.yaml/x", VERDICT_DENY},
		{"/etc/holdfast/broker.yaml2", VERDICT_ALLOW},
		{"/etc/holdfast", VERDICT_ALLOW},
		{"/a/b/key[1]*", VERDICT_DENY},
		{"/a/b/key1", VERDICT_FLAG},
		{"/a/b", VERDICT_FLAG},
	};
	const struct pathmap_kept kept = {.paths = paths, .n = ARRAY_SIZE(paths)};
	struct harness h = harness_one("version: 1\n"
				       "name: a\n"
				       "default: allow\n"
				       "rules:\n"
				       "  - {name: b, match: {path: '/a/b/**'}, action: flag}\n");
	struct pathmap *m = make(&h, &kept);

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		for (unsigned op = OP_READ; op <= OP_TIMES; op++)
			assert_int_equal(
				pathmap_verdict(m, (enum action_op)op, bytes_of(rows[i].path)),
				rows[i].verdict);
	pathmap_free(m);
	harness_fini(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_equals_stack),
		cmocka_unit_test(test_shipped),
		cmocka_unit_test(test_obstacles),
		cmocka_unit_test(test_kept),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
