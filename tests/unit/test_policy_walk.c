/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Random policies and queries on the older keys: what the index finds must be what a walk over the
 * rules in order finds. The walk below works from what the rules were made of and shares no code
 * with the core.
 */
#include "base/strbuf.h"

#include "tests/unit/policy_harness.h"

#define MAX_RULES  40
#define MAX_VALUES 3
#define N_POLICIES 400
#define N_QUERIES  250

static const char *const paths[] = {
	"/a",      "/a/b",     "/a/b/c",    "/a/**",   "/a/b/**", "**/c",
	"**/c/**", "**/*.x",   "**/c.x",    "/a/*/c",  "/**",     "**",
	"/a/*.x",  "**/b/c",   "/a/**/c",   "/**/b/*", "/a*",     "**/.e",
	"**/.e.*", "/a/b/*.y", "**/b/**/c", "/a/b**",  "/?/b",    "/a/**/*.x",
	"**/*c",   "/a/b/?.x", "/*/*/c.x",  "**/.*/c", "/a/.e",   "**/a/*/*",
};
static const char *const subjects[] = {
	"/",      "/a",      "/a/b",   "/a/b/c",   "/a/b/c.x", "/a/c",   "/b/c",    "/b/c/d",
	"/c",     "/a/q.x",  "/q.x",   "/a/b/d.y", "/.e",      "/a/.e",  "/a/.e.y", "/a/.e/c",
	"/b/b/b", "/a/b/bc", "/abc/b", "/a/b/c/c", "/a/a/b/c", "/c.x/c", "@a/b",    "/a/x/c.x",
};
static const char *const tools[] = {"git", "ls", "sh", "file_read", "edit", "*", "g*", "?s"};
static const char *const names[] = {"git", "ls", "sh", "file_read", "edit", "cc", "ps"};
static const char *const images[] = {"/bin/**", "/bin/git", "**/git", "/usr/*/git"};
static const char *const image_subjects[] = {"/bin/git", "/bin/x", "/usr/bin/git", "/q"};
static const char *const words[] = {"push", "pull", "a b"};
static const char *const ranges[] = {"10.0.0.0/8", "10.1.0.0/16", "10.1.2.3",
				     "0.0.0.0/0",  "fd00::/8",    "::1"};
static const char *const addresses[] = {"10.1.2.3", "10.2.0.1", "11.0.0.1",
					"fd00::1",  "::1",      "10.1.9.9"};
static const enum action_op ops[] = {OP_EXEC,  OP_READ,    OP_WRITE, OP_CREATE, OP_DELETE,
				     OP_CHMOD, OP_CONNECT, OP_SEND,  OP_BIND};

/* A rule as it was drawn: indexes into the tables above. */
struct drawn {
	size_t n_paths, n_tools, n_ranges, n_ports;
	const char *paths[MAX_VALUES], *tools[MAX_VALUES], *ranges[MAX_VALUES];
	const char *args;
	unsigned ports[MAX_VALUES][2];
	uint32_t ops; /* 0: no key */
	uint32_t protocols;
	enum verdict action;
	int priority;
};

static uint64_t seed = UNIT_SEED;

static size_t below(size_t n)
{
	return (size_t)(unit_random(&seed) % n);
}

#define PICK(table) ((table)[below(ARRAY_SIZE(table))])

static void draw_keys(struct drawn *d)
{
	*d = (struct drawn){.action = (enum verdict)below(_VERDICT_MAX),
			    .priority = 99 + (int)below(3)};
	switch (below(6)) {
	case 0:
	case 1:
		for (d->n_paths = 0; d->n_paths <= below(MAX_VALUES);)
			d->paths[d->n_paths++] = PICK(paths);
		break;
	case 2:
		d->n_ranges = 1 + below(2);
		for (size_t i = 0; i < d->n_ranges; i++)
			d->ranges[i] = PICK(ranges);
		break;
	case 3:
		d->n_ports = 1 + below(2);
		break;
	case 4:
		d->n_tools = 1 + below(MAX_VALUES);
		break;
	default:
		d->ops = OP_BIT(PICK(ops)) | OP_BIT(PICK(ops));
		break;
	}
	if (below(3) == 0 && !d->n_ports)
		d->n_tools = 1;
	for (size_t i = 0; i < d->n_tools; i++)
		d->tools[i] =
			!d->n_paths && !d->n_ranges && below(5) == 0 ? PICK(images) : PICK(tools);
	if (below(4) == 0 && (d->n_tools || !(d->n_paths || d->n_ranges || d->n_ports)))
		d->args = PICK(words);
	for (size_t i = 0; i < d->n_ports; i++) {
		d->ports[i][0] = (unsigned int)below(4);
		d->ports[i][1] = d->ports[i][0] + (unsigned int)below(2);
	}
	if (below(3) == 0)
		d->ops |= OP_BIT(PICK(ops)) | OP_BIT(PICK(ops)) | OP_BIT(PICK(ops));
	if (below(6) == 0 && !d->n_paths && !d->args)
		d->protocols = UINT32_C(1) << below(2);
}

static void write_list(struct strbuf *b, const char *key, const char *const *values, size_t n)
{
	if (!n)
		return;
	strbuf_add_fmt(b, "%s: [", key);
	for (size_t i = 0; i < n; i++)
		strbuf_add_fmt(b, "%s'%s'", i ? ", " : "", values[i]);
	strbuf_add_str(b, "], ");
}

static void write_rule(struct strbuf *b, const struct drawn *d, size_t number)
{
	strbuf_add_fmt(b, "- {name: r%zu, action: %s, priority: %d, match: {", number,
		       verdict_name(d->action), d->priority);
	write_list(b, "path", d->paths, d->n_paths);
	write_list(b, "tool", d->tools, d->n_tools);
	write_list(b, "address", d->ranges, d->n_ranges);
	if (d->args)
		write_list(b, "args_pattern", &d->args, 1);
	if (d->n_ports) {
		strbuf_add_str(b, "port: [");
		for (size_t i = 0; i < d->n_ports; i++)
			strbuf_add_fmt(b, "%u-%u, ", d->ports[i][0], d->ports[i][1]);
		strbuf_add_str(b, "], ");
	}
	if (d->ops) {
		strbuf_add_str(b, "op: [");
		for (unsigned int op = 0; op < OP_SYSCALL; op++)
			if (d->ops & OP_BIT(op))
				strbuf_add_fmt(b, "%s, ", op_name((enum action_op)op));
		strbuf_add_str(b, "], ");
	}
	if (d->protocols)
		strbuf_add_fmt(b, "protocol: %s, ", d->protocols & 1 ? "tcp" : "udp");
	strbuf_add_str(b, "}}\n");
}

/* A rule that the parser refuses as impossible is drawn again. */
static void draw_rule(struct drawn *d)
{
	for (;;) {
		_cleanup_(strbuf_fini) struct strbuf b = STRBUF_INIT(1 << 16);
		struct policy *p = NULL;
		struct diag diag = {};

		draw_keys(d);
		strbuf_add_str(&b, "version: 1\nname: t\nrules:\n");
		write_rule(&b, d, 0);
		if (policy_parse("t", strbuf_bytes(&b), &harness_vars, &p, &diag) == 0) {
			policy_free(p);
			return;
		}
		/* Nothing else may be wrong with it. */
		if (!strstr(diag.message, "never match"))
			fail_msg("%s: %s", strbuf_str(&b), diag.message);
	}
}

/* ---- the walk */

static bool walk_tool(const struct drawn *d, const char *pattern, const struct policy_query *q)
{
	if (strchr(pattern, '/'))
		return q->kind == KIND_TOOL && harness_naive_glob(pattern, q->path.p);
	for (size_t i = 0; i < q->n_names; i++)
		if (!(q->names[i].is_untrusted && d->action <= VERDICT_FLAG) &&
		    harness_naive_glob(pattern, q->names[i].name.p))
			return true;
	return false;
}

static bool walk_range(const char *text, const struct policy_address *a)
{
	char host[64];
	uint8_t ip[16];
	size_t host_len = strcspn(text, "/");
	unsigned int bits = strchr(text, ':') ? 128 : 32;

	if (!a || !a->has_ip || a->is_v4 != !strchr(text, ':'))
		return false;
	(void)snprintf(host, sizeof(host), "%.*s", (int)host_len, text);
	(void)inet_pton(a->is_v4 ? AF_INET : AF_INET6, host, ip);
	if (text[host_len] && sscanf(text + host_len + 1, "%u", &bits) != 1)
		return false;
	for (unsigned int i = 0; i < bits; i++)
		if (((ip[i / 8] ^ a->ip[i / 8]) >> (7 - i % 8)) & 1)
			return false;
	return true;
}

static bool walk_glob(const char *pattern, const char *subject)
{
	/* The definition knows no leading double star: it stands for any directory. */
	char absolute[64];

	if (pattern[0] != '*' || streq(pattern, "**"))
		return harness_naive_glob(pattern, subject);
	(void)snprintf(absolute, sizeof(absolute), "/%s", pattern);
	return harness_naive_glob(absolute, subject);
}

static bool walk_any(const struct drawn *d, const struct policy_query *q)
{
	const struct policy_address *a = q->address;
	bool found;

	if (d->ops && !(d->ops & OP_BIT(q->op)))
		return false;
	if (d->n_paths) {
		found = false;
		for (size_t i = 0; i < d->n_paths; i++)
			found |= q->kind != KIND_TOOL && q->path.p &&
				 walk_glob(d->paths[i], q->path.p);
		if (!found)
			return false;
	}
	if (d->n_tools) {
		found = false;
		for (size_t i = 0; i < d->n_tools; i++)
			found |= strchr(d->tools[i], '/')
					 ? q->kind == KIND_TOOL && walk_glob(d->tools[i], q->path.p)
					 : walk_tool(d, d->tools[i], q);
		if (!found)
			return false;
	}
	if (d->n_ranges) {
		found = false;
		for (size_t i = 0; i < d->n_ranges; i++)
			found |= walk_range(d->ranges[i], a);
		if (!found)
			return false;
	}
	if (d->n_ports) {
		found = false;
		for (size_t i = 0; i < d->n_ports; i++)
			found |= a && a->has_ip && a->port >= d->ports[i][0] &&
				 a->port <= d->ports[i][1];
		if (!found)
			return false;
	}
	if (d->protocols && !(a && d->protocols >> a->protocol & 1))
		return false;
	if (d->args && !d->n_tools && q->kind != KIND_TOOL)
		return false;
	return !d->args || strstr(q->args.p, d->args);
}

static int walk(const struct drawn *rules, size_t n, const struct policy_query *q)
{
	int best = -1;

	for (size_t i = 0; i < n; i++)
		if (walk_any(&rules[i], q) &&
		    (best < 0 || rules[i].priority < rules[best].priority))
			best = (int)i;
	return best;
}

/* ---- queries */

struct drawn_query {
	struct policy_query q;
	struct policy_name names[2];
	struct policy_address address;
};

static void draw_query(struct drawn_query *d)
{
	enum action_op op = PICK(ops);

	*d = (struct drawn_query){.q = {.op = op, .n_names = 2}};
	d->names[0].name = bytes_of(PICK(names));
	d->names[1] = (struct policy_name){.name = bytes_of(PICK(names)), .is_untrusted = below(2)};
	d->q.names = d->names;
	d->q.args = bytes_of(below(2) ? "git push a b" : "pull");
	if (op == OP_EXEC) {
		d->q.kind = KIND_TOOL;
		d->q.path = bytes_of(PICK(image_subjects));
		return;
	}
	/* A file answers to what a file operation is called, and to nothing else. */
	d->q.n_names = 1;
	d->names[0].name = op == OP_READ ? BYTES_LIT("file_read") : BYTES_LIT("edit");
	if (OP_BIT(op) & OPS_PATH) {
		d->q.kind = KIND_PATH;
		d->q.path = bytes_of(PICK(subjects));
		return;
	}
	d->names[0].name = BYTES_LIT("fetch");
	d->q.kind = KIND_NETWORK;
	d->q.address = &d->address;
	if (below(3) == 0) {
		d->address.protocol = POLICY_PROTO_UNIX;
		d->q.path = bytes_of(PICK(subjects));
		return;
	}
	d->address = harness_address(PICK(addresses), (uint16_t)below(5),
				     below(2) ? POLICY_PROTO_TCP : POLICY_PROTO_UDP);
}

static unsigned int compare(struct harness *h, const struct drawn *rules, size_t n,
			    const char *text)
{
	unsigned int found = 0;

	for (unsigned int i = 0; i < N_QUERIES; i++) {
		struct drawn_query d;
		struct policy_result r;
		char expected[16] = "";
		int best;

		draw_query(&d);
		best = walk(rules, n, &d.q);
		if (best >= 0)
			(void)snprintf(expected, sizeof(expected), "r%d", best);
		policy_stack_eval(h->stack, h->scratch, &d.q, &r);
		if (!streq(expected, r.source.rule ? r.source.rule : ""))
			fail_msg("%s: %s %s %s should be '%s', is '%s'", text, op_name(d.q.op),
				 d.q.path.p ? d.q.path.p : "", d.names[0].name.p, expected,
				 r.source.rule ? r.source.rule : "");
		assert_int_equal(r.verdict, best < 0 ? VERDICT_DENY : rules[best].action);
		/* What nothing decides must not be said to be decided, and the other way round. */
		if (r.verdict != VERDICT_ALLOW)
			assert_true(policy_stack_decided_ops(h->stack) & OP_BIT(d.q.op));
		found += best >= 0;
	}
	return found;
}

static void test_the_index_finds_what_a_walk_finds(void **state)
{
	unsigned int found = 0;

	(void)state;
	for (unsigned int i = 0; i < N_POLICIES; i++) {
		_cleanup_(strbuf_fini) struct strbuf b = STRBUF_INIT(1 << 20);
		struct drawn rules[MAX_RULES];
		size_t n = 1 + below(MAX_RULES);
		struct harness h;

		strbuf_add_str(&b, "version: 1\nname: t\nrules:\n");
		for (size_t j = 0; j < n; j++) {
			draw_rule(&rules[j]);
			write_rule(&b, &rules[j], j);
		}
		assert_int_equal(strbuf_error(&b), 0);
		h = harness_one(strbuf_str(&b));
		found += compare(&h, rules, n, strbuf_str(&b));
		harness_fini(&h);
	}
	/* The test would say nothing if hardly a rule matched. */
	assert_true(found > N_POLICIES * N_QUERIES / 4);
	assert_true(found < N_POLICIES * N_QUERIES * 99 / 100);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_index_finds_what_a_walk_finds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
