/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random policies over all keys, random queries: the compiled tables must answer what the naive
 * evaluator answers, which asks every rule in order. CASES=N runs so many instead of 100,000,
 * SEED=N others; 'make differential CASES=10000000' is the long run.
 */
#include "base/io.h"
#include "base/strbuf.h"

#include "policy/apiaction.h"

#include "tests/unit/policy_harness.h"

#define DEFAULT_CASES 100000
#define QUERIES       250 /* of one stack */
#define MAX_RULES     30
#define MAX_POLICIES  3
#define MAX_VALUES    3

static const char *const tools[] = {"git",  "ls",     "file_read", "fetch",   "edit",     "*",
				    "g*",   "?s",     "~^g",       "~t$",     "~a+$",     "/bin/**",
				    "bash", "**/git", "~s|bash",   "{ls,cc}", "/u*/*/git"};
static const char *const args[] = {"push", "^git", "a b", "(?i)PULL$", "x*$"};
static const char *const programs[] = {"git", "ls",     "[git, ls]",  "'~^g'", "bash",
				       "'*'", "/bin/*", "[cc, 'g*']", "python"};
static const char *const arguments[] = {"push", "[push, pull]",    "-c",      "'~^-'", "'*'",
					"'p*'", "'${project}/**'", "origin/x"};
static const char *const paths[] = {
	"/a",     "/a/b",      "/a/**",    "**/c",          "**/c/**",    "**/*.x",  "**/c.x",
	"/a/*/c", "**",        "/a/*.x",   "/a/**/c",       "/**/b/*",    "**/.e",   "/a/b**",
	"/?/b",   "/a/**/*.x", "/*/*/c.x", "${project}/**", "**/[a-c]/?", "/{a,b}/c"};
static const char *const op_words[] = {"exec",   "read",    "write", "create", "delete",
				       "change", "connect", "send",  "bind"};
static const char *const domains[] = {"x.org",     "*.x.org",   "*.org", "*",
				      "a.x.org",   "*.a.x.org", "y.net", "Y.NET",
				      "localhost", "b.x.org.",  "*.g"};
static const char *const ranges[] = {"10.0.0.0/8", "10.1.0.0/16", "10.1.2.3",
				     "0.0.0.0/0",  "fd00::/8",    "::1"};
static const char *const ports[] = {"1", "2", "443", "1-2", "400-500"};
static const char *const protocols[] = {"tcp", "udp", "unix", "other"};
static const char *const agents[] = {"claude", "c*", "*", "{a,b}*"};
static const char *const cwds[] = {"/a", "/a/**", "${project}", "**/b"};
static const char *const parents[] = {"sh", "s*", "~h$", "/bin/**", "{make,sh}"};
static const char *const times[] = {"09:00-17:00", "mon-fri 08:00-18:00", "sat,sun",
				    "fri-mon 22:00-06:00", "wed 00:00-24:00"};

static const char *const verify[] = {"sni", "outer-sni"};
static const char *const methods[] = {"GET", "POST"};
static const char *const users[] = {"root", "self", "107"};

struct key {
	const char *name;
	const char *const *values;
	size_t n;
	unsigned weight; /* of a hundred rules */
};

#define KEY_DOMAIN   5  /* in keys; without it nothing is looked at */
#define KEY_LOOK     13 /* and this one and the next two are no rule */
#define KEY_LISTENER 16

#define KEY(name, table, weight)                                                                   \
	{                                                                                          \
		name, table, ARRAY_SIZE(table), weight                                             \
	}

static const struct key keys[] = {
	KEY("tool", tools, 30),      KEY("args_pattern", args, 15), KEY("argv", programs, 15),
	KEY("path", paths, 25),      KEY("op", op_words, 25),       KEY("domain", domains, 20),
	KEY("address", ranges, 10),  KEY("port", ports, 12),        KEY("protocol", protocols, 10),
	KEY("agent", agents, 10),    KEY("cwd", cwds, 10),          KEY("parent", parents, 10),
	KEY("time", times, 10),      KEY("verify", verify, 12),     KEY("http_method", methods, 12),
	KEY("http_path", paths, 12), KEY("listener", parents, 8),   KEY("listener_user", users, 8),
};

static uint64_t seed = UNIT_SEED;

static size_t below(size_t n)
{
	return (size_t)(unit_random(&seed) % n);
}

#define PICK(table) ((table)[below(ARRAY_SIZE(table))])

/* ---- policies */

static void write_argv(struct strbuf *b)
{
	size_t n = below(3);

	strbuf_add_fmt(b, "argv: [%s", PICK(programs));
	for (size_t i = 0; i < n; i++)
		strbuf_add_fmt(b, ", %s", PICK(arguments));
	strbuf_add_str(b, "], ");
}

/* Return: bits of the keys. */
static uint32_t write_matcher(struct strbuf *b)
{
	uint32_t given = 0;

	while (!given)
		for (size_t k = 0; k < ARRAY_SIZE(keys); k++)
			if (below(100) < keys[k].weight)
				given |= UINT32_C(1) << k | (k >= KEY_LOOK && k < KEY_LISTENER)
								    << KEY_DOMAIN;
	strbuf_add_str(b, "{");
	for (size_t k = 0; k < ARRAY_SIZE(keys); k++) {
		size_t n = 1 + below(MAX_VALUES);

		if (!(given >> k & 1))
			continue;
		if (streq(keys[k].name, "argv")) {
			write_argv(b);
			continue;
		}
		if (streq(keys[k].name, "verify")) {
			strbuf_add_fmt(b, "verify: %s, ", PICK(verify));
			continue;
		}
		strbuf_add_fmt(b, "%s: [", keys[k].name);
		for (size_t i = 0; i < n; i++)
			strbuf_add_fmt(b, "'%s', ", keys[k].values[below(keys[k].n)]);
		strbuf_add_str(b, "], ");
	}
	strbuf_add_str(b, "}");
	return given;
}

/* Return: bits of the keys of match; the one past the last says that there is an unless. */
static uint32_t write_rule(struct strbuf *b, size_t number)
{
	size_t n_unless = below(4) ? 0 : 1 + below(2);
	uint32_t given;

	strbuf_add_fmt(b, "- {name: r%zu, action: %s, priority: %zu, suggest: s%zu, ", number,
		       verdict_name((enum verdict)below(_VERDICT_MAX)), 99 + below(3), number);
	strbuf_add_str(b, "match: ");
	given = write_matcher(b);
	if (n_unless) {
		given |= UINT32_C(1) << ARRAY_SIZE(keys);
		strbuf_add_str(b, ", unless: [");
		for (size_t i = 0; i < n_unless; i++) {
			(void)write_matcher(b);
			strbuf_add_str(b, ", ");
		}
		strbuf_add_str(b, "]");
	}
	strbuf_add_str(b, "}\n");
	return given;
}

/* A rule that the parser refuses as impossible is drawn again. */
static uint32_t draw_rule(struct strbuf *ret, size_t number)
{
	for (;;) {
		_cleanup_(strbuf_fini) struct strbuf b = STRBUF_INIT(1 << 16);
		_cleanup_(strbuf_fini) struct strbuf rule = STRBUF_INIT(1 << 16);
		uint32_t given = write_rule(&rule, number);
		struct policy *p = NULL;
		struct diag diag = {};

		strbuf_add_fmt(&b, "version: 1\nname: t\nrules:\n%s", strbuf_str(&rule));
		if (policy_parse("t", strbuf_bytes(&b), &harness_vars, &p, &diag) == 0) {
			policy_free(p);
			strbuf_add_str(ret, strbuf_str(&rule));
			return given;
		}
		/* Nothing else may be wrong with it. */
		if (!strstr(diag.message, "never match") &&
		    !strstr(diag.message, "something else") &&
		    !strstr(diag.message, "what is none") &&
		    !strstr(diag.message, "need 'domain'") &&
		    !strstr(diag.message, "this 'protocol' leaves none"))
			fail_msg("%s: %s", strbuf_str(&b), diag.message);
	}
}

struct drawn_stack {
	struct harness h;
	struct strbuf texts[MAX_POLICIES];
	uint32_t given[MAX_POLICIES][MAX_RULES]; /* keys, by the rule's number */
};

static void draw_stack(struct drawn_stack *s)
{
	const char *texts[MAX_POLICIES];
	size_t n = below(3) ? 1 : 2 + below(MAX_POLICIES - 1);

	*s = (struct drawn_stack){};
	for (size_t i = 0; i < n; i++) {
		struct strbuf *b = &s->texts[i];
		size_t n_rules = 1 + below(MAX_RULES);

		*b = STRBUF_INIT(1 << 20);
		strbuf_add_fmt(b, "version: 1\nname: p%zu\nmode: %s\ndefault: %s\nrules:\n", i,
			       below(4) ? "enforce" : "audit",
			       verdict_name((enum verdict)below(_VERDICT_MAX)));
		for (size_t j = 0; j < n_rules; j++)
			s->given[i][j] = draw_rule(b, j);
		assert_int_equal(strbuf_error(b), 0);
		texts[i] = strbuf_str(b);
	}
	s->h = harness_stack(texts, n, false);
}

static void drawn_stack_fini(struct drawn_stack *s)
{
	harness_fini(&s->h);
	for (size_t i = 0; i < MAX_POLICIES; i++)
		strbuf_fini(&s->texts[i]);
}

/* ---- queries */

struct drawn_query {
	struct policy_query q;
	struct policy_name names[3];
	struct policy_address address;
	struct bytes argv[3];
	struct bytes domains[3];
	struct policy_listener listener;
};

/* Longer than any subject of a regular expression may be: a limit that costs no time. */
static char huge[256 * 1024 + 2];

static struct bytes draw_text(const char *const *table, size_t n)
{
	size_t i = below(n * 50);

	return i == 0 ? bytes_of(huge) : bytes_of(table[i % n]);
}

#define DRAW(...)                                                                                  \
	draw_text((const char *const[]){__VA_ARGS__},                                              \
		  ARRAY_SIZE(((const char *const[]){__VA_ARGS__})))

static void draw_names(struct drawn_query *d)
{
	size_t n = below(ARRAY_SIZE(d->names) + 1);

	for (size_t i = 0; i < n; i++)
		d->names[i] = (struct policy_name){
			.name = DRAW("git", "ls", "cc", "bash", "g", "memfd:g"),
			.is_untrusted = below(2)};
	d->q.names = d->names;
	d->q.n_names = n;
}

static void draw_exec(struct drawn_query *d)
{
	static const struct policy_api api;

	draw_names(d);
	if (below(8))
		d->q.path = DRAW("/bin/git", "/usr/bin/git", "/bin/ls", "/x", "/memfd:a/git");
	if (below(8) == 0)
		d->q.api = &api;
	d->q.is_argv_cut = below(4) == 0;
	if (below(6) == 0)
		return;
	d->q.argv = d->argv;
	d->q.argc = below(ARRAY_SIZE(d->argv) + 1);
	if (d->q.argc)
		d->argv[0] = DRAW("git", "ls", "/bin/git", "/tmp/ls", "python", "-bash");
	for (size_t i = 1; i < d->q.argc; i++)
		d->argv[i] = DRAW("push", "pull", "-c", "", "/home/u/proj/x", "origin/x");
}

static void draw_path(struct drawn_query *d, enum action_op op)
{
	d->q.kind = KIND_PATH;
	d->q.n_names = 1;
	d->q.names = d->names;
	d->names[0].name = op == OP_READ ? BYTES_LIT("file_read") : BYTES_LIT("edit");
	d->q.path = DRAW("/", "/a", "/a/b", "/a/b/c", "/a/b/c.x", "/a/c", "/b/c", "/c", "/q.x",
			 "/a/.e", "/.e/c", "/abc/b", "/c.x/c", "/home/u/proj/z", "pipe:[1]");
}

static void draw_network(struct drawn_query *d)
{
	static const char *const addresses[] = {"10.1.2.3", "10.2.0.1", "11.0.0.1",
						"fd00::1",  "::1",      "10.1.9.9"};

	d->q.kind = KIND_NETWORK;
	d->q.n_names = 1;
	d->q.names = d->names;
	d->names[0].name = BYTES_LIT("fetch");
	if (below(3) == 0) {
		d->q.path = DRAW("/a", "/a/b", "@x/c");
		d->address.protocol = POLICY_PROTO_UNIX;
		d->q.address = below(2) ? &d->address : NULL;
		d->listener = (struct policy_listener){
			.is_ahead = below(4) == 0, .is_own = below(2), .uid = below(2) ? 107 : 0};
		if (below(4))
			d->listener.exe = DRAW("/bin/sh", "/usr/bin/make", "/bin/ls");
		if (below(4))
			d->q.listener = &d->listener;
		return;
	}
	d->q.domains = d->domains;
	d->q.n_domains = below(ARRAY_SIZE(d->domains) + 1);
	for (size_t i = 0; i < d->q.n_domains; i++)
		d->domains[i] =
			DRAW("x.org", "X.Org.", "a.x.org", "b.a.x.org", "y.net", "org", ".x.org",
			     "x.org..", "", ".", "axx.org", "localhost", "..org", "x.g", ".g");
	d->q.look = (enum policy_look)below(POLICY_LOOK_REQUEST + 1);
	d->q.http_method = DRAW("GET", "POST", "PUT");
	if (below(4))
		d->q.http_path = DRAW("/", "/a/b", "/c.x");
	if (below(8) == 0)
		return;
	if (below(6))
		d->address = harness_address(PICK(addresses), 0, POLICY_PROTO_TCP);
	d->address.protocol = (enum policy_protocol)below(_POLICY_PROTO_MAX);
	d->address.port = (uint16_t)(below(3) ? below(4) : 443);
	d->q.address = &d->address;
}

static void draw_query(struct drawn_query *d)
{
	static const enum action_op ops[] = {OP_EXEC,    OP_EXEC,    OP_EXEC,  OP_READ,
					     OP_WRITE,   OP_CREATE,  OP_CHMOD, OP_DELETE,
					     OP_CONNECT, OP_CONNECT, OP_SEND,  OP_BIND};
	enum action_op op = PICK(ops);

	*d = (struct drawn_query){
		.q = {.op = op, .minute_of_week = POLICY_TIME_UNKNOWN, .cost = 0.5}};
	d->q.args = DRAW("git push a b", "pull", "x", "", "\xff pull");
	if (below(30) == 0)
		d->q.args = bytes_of(huge);
	if (below(4))
		d->q.agent = DRAW("claude", "codex", "b1");
	if (below(4))
		d->q.cwd = DRAW("/a", "/a/b", "/home/u/proj", "/");
	if (below(4))
		d->q.parent = DRAW("/bin/sh", "/usr/bin/make", "/bin/ls", "/memfd:x/sh");
	if (below(4))
		d->q.minute_of_week = (int)below(POLICY_MINUTES_PER_WEEK);
	if (op == OP_EXEC)
		draw_exec(d);
	else if (OP_BIT(op) & OPS_PATH)
		draw_path(d, op);
	else
		draw_network(d);
}

/* ---- comparing */

struct expected {
	const struct policy_stack *stack;
	struct policy_result r;
	bool has_any, is_enforced;
	size_t n_told;
	size_t policy; /* whose rule decides */
};

static void on_match(void *ctx, const struct policy_match *m)
{
	struct expected *e = ctx;
	const struct policy *p = policy_stack_get(e->stack, m->policy);

	e->n_told++;
	if (!m->is_deciding)
		return;
	if (!e->has_any || m->verdict > e->r.advised) {
		e->r.advised = m->verdict;
		e->r.advised_source = m->source;
		e->policy = m->policy;
	}
	e->has_any = true;
	if (policy_get_mode(p) == POLICY_MODE_ENFORCE &&
	    (!e->is_enforced || m->verdict > e->r.verdict)) {
		e->r.verdict = m->verdict;
		e->r.source = m->source;
		e->is_enforced = true;
	}
}

static bool same_text(const char *a, const char *b)
{
	return a == b || (a && b && streq(a, b));
}

static bool same_source(const struct policy_source *a, const struct policy_source *b)
{
	return same_text(a->policy, b->policy) && same_text(a->rule, b->rule) &&
	       same_text(a->reason, b->reason) && same_text(a->file, b->file) &&
	       same_text(a->suggest, b->suggest) && same_text(a->word, b->word) &&
	       a->line == b->line && a->ask == b->ask && a->language == b->language;
}

struct tally {
	uint64_t by_rule, by_limit;
	uint64_t by_key[ARRAY_SIZE(keys) + 1];
};

static void compare_one(const struct drawn_stack *s, const struct drawn_query *d, struct tally *t)
{
	struct expected e = {.stack = s->h.stack};
	const struct policy_source *source = &e.r.advised_source;
	uint64_t number = 0;
	struct policy_result r;

	policy_stack_each(s->h.stack, s->h.scratch, &d->q, on_match, &e);
	policy_stack_eval(s->h.stack, s->h.scratch, &d->q, &r);
	if (r.advised != e.r.advised || !same_source(&r.advised_source, source) ||
	    (e.is_enforced && (r.verdict != e.r.verdict || !same_source(&r.source, &e.r.source))) ||
	    (!e.is_enforced && r.verdict != VERDICT_ALLOW))
		fail_msg("%s on %.100s: the tables say %s (%s), the walk %s (%s)\n%s\n%s\n%s",
			 op_name(d->q.op), d->q.path.p ? d->q.path.p : d->q.args.p,
			 verdict_name(r.advised), r.advised_source.rule, verdict_name(e.r.advised),
			 source->rule, strbuf_str(&s->texts[0]), strbuf_str(&s->texts[1]),
			 strbuf_str(&s->texts[2]));
	if (!source->rule)
		return;
	t->by_rule++;
	t->by_limit += same_text(source->reason, "regex-limit");
	assert_int_equal(parse_u64(bytes_of(source->rule + 1), MAX_RULES, &number), 0);
	for (size_t k = 0; k <= ARRAY_SIZE(keys); k++)
		t->by_key[k] += s->given[e.policy][number] >> k & 1;
}

static uint64_t from_environment(const char *name, uint64_t fallback)
{
	const char *text = getenv(name);
	uint64_t value;

	if (!text || !*text)
		return fallback;
	assert_int_equal(parse_u64(bytes_of(text), UINT64_MAX, &value), 0);
	return value;
}

static void test_the_tables_say_what_the_rules_in_order_say(void **state)
{
	uint64_t cases = from_environment("CASES", DEFAULT_CASES), done = 0;
	struct tally t = {};

	(void)state;
	seed = from_environment("SEED", UNIT_SEED) | 1;
	memset(huge, 'a', sizeof(huge) - 1);
	while (done < cases) {
		struct drawn_stack s;

		draw_stack(&s);
		for (size_t i = 0; i < QUERIES && done < cases; i++, done++) {
			struct drawn_query d;

			draw_query(&d);
			compare_one(&s, &d, &t);
		}
		drawn_stack_fini(&s);
	}
	print_message("%llu cases: %llu decided by a rule, %llu by a limit\n",
		      (unsigned long long)done, (unsigned long long)t.by_rule,
		      (unsigned long long)t.by_limit);
	/* The test would say nothing if hardly a rule matched, or hardly one with some key. */
	assert_true(t.by_rule > done / 4 && t.by_rule < done * 99 / 100);
	assert_true(t.by_limit > done / 10000);
	for (size_t k = 0; k <= ARRAY_SIZE(keys); k++)
		if (t.by_key[k] < done / 200)
			fail_msg("only %llu cases were decided by a rule with %s",
				 (unsigned long long)t.by_key[k],
				 k < ARRAY_SIZE(keys) ? keys[k].name : "unless");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_tables_say_what_the_rules_in_order_say),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
