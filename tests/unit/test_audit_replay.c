/* SPDX-License-Identifier: Apache-2.0 */
/* A record gives back the action that it was made of, however the action came about. */
#include <stdio.h>

#include "action/steps.h"
#include "audit/chain.h"
#include "audit/codec.h"
#include "audit/reader.h"
#include "audit/replay.h"
#include "audit/replay_action.h"

#include "tests/unit/unit.h"

#define ROUNDS   20000
#define TEXT_MAX ((size_t)1 << 20)

struct maker {
	uint64_t state;
	struct arena mem;
	struct bytes argv[8];
};

static size_t pick(struct maker *m, size_t n)
{
	return (size_t)(unit_random(&m->state) % n);
}

/* Texts that are hard to join, to cut and to escape. */
static struct bytes text(struct maker *m)
{
	static const char *const parts[] = {" ",  "",     "a",        "/",  "\\",  "\\x41",
					    "\"", "\xff", "\xc3\xa9", "\n", "b c", ",",
					    "]",  "sh",   "-e",       "{",  ":"};
	struct strbuf out = STRBUF_INIT(TEXT_MAX);
	struct bytes copy;

	for (size_t i = pick(m, 4); i; i--)
		strbuf_add_str(&out, parts[pick(m, ARRAY_SIZE(parts))]);
	copy = arena_copy(&m->mem, strbuf_str(&out), out.len);
	strbuf_fini(&out);
	return copy;
}

static struct bytes path(struct maker *m)
{
	static const char *const dirs[] = {"/bin/", "/usr/bin/", "/tmp/", "/bin/../", "./", ""};
	struct bytes name = text(m);

	return policy_join_words(&m->mem, bytes_of(dirs[pick(m, ARRAY_SIZE(dirs))]), &name, 1, 0);
}

static struct action_step *add(struct action *a, enum action_kind kind, enum action_op op,
			       struct bytes object)
{
	struct action_step *s = &a->steps[a->n_steps++];

	*s = (struct action_step){.kind = kind, .op = op, .object = object, .args = object};
	s->n_names = policy_names_init(s->names, op);
	return s;
}

static void make_tool(struct maker *m, struct action *a)
{
	a->kind = KIND_TOOL;
	a->op = OP_EXEC;
	a->argc = a->argc_total = pick(m, 5);
	a->argv = m->argv;
	for (size_t i = 0; i < a->argc; i++)
		m->argv[i] = text(m);
	for (size_t i = 0; i <= pick(m, 3); i++) {
		struct bytes object = i ? path(m) : a->object;
		struct action_step *s = add(a, KIND_TOOL, OP_EXEC, object);
		bool is_derived = i == 0 && pick(m, 2);

		s->args = policy_join_words(&m->mem,
					    i         ? text(m)
					    : a->argc ? BYTES_NULL
						      : a->asked,
					    a->argv, a->argc, i ? pick(m, a->argc + 1) : 0);
		policy_names_add_exec(s->names, &s->n_names, object, i ? path(m) : a->asked,
				      is_derived ? policy_is_trusted_alias(a->asked, a->cwd)
						 : pick(m, 2));
	}
}

static void make_path(struct maker *m, struct action *a)
{
	const enum action_op main_ops[] = {OP_READ, OP_WRITE, OP_CREATE, OP_RENAME,
					   OP_LINK, OP_CHMOD, OP_DELETE, OP_SYMLINK};

	a->kind = KIND_PATH;
	a->op = main_ops[pick(m, ARRAY_SIZE(main_ops))];
	a->object2 = path(m);
	if (pick(m, 2)) {
		struct action_plain_step plain[ACTION_PLAIN_STEPS];

		for (size_t i = 0, n = action_plain_steps(a, plain); i < n; i++)
			(void)add(a, KIND_PATH, plain[i].op, plain[i].object);
		return;
	}
	for (size_t i = 0; i <= pick(m, 4); i++)
		(void)add(a, KIND_PATH, i ? main_ops[pick(m, ARRAY_SIZE(main_ops))] : a->op,
			  pick(m, 2) ? a->object : a->object2);
}

static void make_network(struct maker *m, struct action *a, struct policy_address *address)
{
	const enum action_op ops[] = {OP_CONNECT, OP_SEND, OP_BIND, OP_LISTEN};
	char host[POLICY_HOST_SIZE];

	a->kind = KIND_NETWORK;
	a->op = ops[pick(m, ARRAY_SIZE(ops))];
	for (size_t i = 0; i <= pick(m, 3); i++) {
		struct policy_address *p = &address[i];

		*p = (struct policy_address){.protocol = (enum policy_protocol)pick(m, 2),
					     .has_ip = true,
					     .is_v4 = pick(m, 2),
					     .port = (uint16_t)pick(m, 65536)};
		for (size_t k = 0; k < (p->is_v4 ? 4 : 16); k++)
			p->ip[k] = (uint8_t)pick(m, 256);
		policy_address_format(host, p);
		struct bytes object = arena_copy(&m->mem, host, strlen(host));

		if (i == 0)
			a->object = object;
		add(a, KIND_NETWORK, i ? ops[pick(m, 4)] : a->op, object)->address = p;
	}
}

static void make_unix(struct maker *m, struct action *a, struct policy_address *address)
{
	struct bytes name = pick(m, 2) ? BYTES_LIT("/run/x y") : BYTES_LIT("@a\0b\0");
	struct bytes head = BYTES_LIT("unix:");
	char object[64];

	memcpy(mempcpy(object, head.p, head.len), name.p, name.len);
	a->kind = KIND_NETWORK;
	a->op = pick(m, 2) ? OP_BIND : OP_CONNECT;
	a->object = arena_copy(&m->mem, object, head.len + name.len);
	*address = (struct policy_address){.protocol = POLICY_PROTO_UNIX};
	add(a, KIND_NETWORK, a->op, a->object)->address = address;
	a->steps[0].args = name;
	if (a->op == OP_BIND && name.p[0] == '/')
		(void)add(a, KIND_PATH, OP_CREATE, name);
}

/* The line that supervise/ and the log would make of @a. */
static void write_line(const struct action *a, struct strbuf *out)
{
	struct strbuf steps = STRBUF_INIT(2 * ACTION_STEPS_BYTES);
	struct audit_record r = {
		.event = AUDIT_ACTION,
		.kind = a->kind,
		.op = a->op,
		.syscall = a->syscall,
		.exe = a->exe,
		.object = a->object,
		.object2 = a->object2,
		.asked = a->asked,
		.cwd = a->cwd,
		.argv = a->argv,
		.argc = a->argc,
		.argc_total = a->argc_total,
	};
	struct codec_plan plan;
	struct codec_view view;
	char *packed;

	action_steps_add(a, &steps);
	if (steps.len)
		r.steps = strbuf_bytes(&steps);
	codec_plan_record(&r, &plan);
	packed = malloc(plan.size);
	assert_non_null(packed);
	codec_pack_record(&r, &plan, 1, packed);
	assert_int_equal(codec_view((struct bytes){packed, plan.size}, &view), plan.size);
	codec_add_line(&view, BYTES_LIT("s"), BYTES_LIT("a"), &chain_first, out);
	assert_int_equal(strbuf_error(out), 0);
	strbuf_truncate(out, out->len - 1);
	free(packed);
	strbuf_fini(&steps);
}

static void assert_bytes(struct bytes a, struct bytes b)
{
	assert_int_equal(a.len, b.len);
	if (a.len)
		assert_memory_equal(a.p, b.p, a.len);
}

static void assert_same_step(const struct action_step *a, const struct action_step *b)
{
	assert_int_equal(a->kind, b->kind);
	assert_int_equal(a->op, b->op);
	assert_bytes(a->object, b->object);
	assert_bytes(a->args, b->args);
	assert_int_equal(a->n_names, b->n_names);
	for (size_t i = 0; i < a->n_names; i++) {
		assert_bytes(a->names[i].name, b->names[i].name);
		assert_int_equal(a->names[i].is_untrusted, b->names[i].is_untrusted);
	}
	assert_int_equal(!a->address, !b->address);
	if (a->address)
		assert_memory_equal(a->address, b->address, sizeof(*a->address));
}

static void assert_comes_back(const struct action *a)
{
	static struct action back;
	struct strbuf line = STRBUF_INIT(TEXT_MAX);
	struct arena mem = ARENA_INIT(TEXT_MAX);
	bool has_lost_steps;
	struct line l;

	write_line(a, &line);
	assert_true(line_split(strbuf_bytes(&line), &l));
	assert_int_equal(replay_action(&l, &mem, &back, &has_lost_steps), 0);
	assert_false(has_lost_steps);
	assert_bytes(a->exe, back.exe);
	assert_bytes(a->cwd, back.cwd);
	assert_bytes(a->object, back.object);
	assert_int_equal(a->argc, back.argc);
	assert_int_equal(a->grant, back.grant);
	assert_int_equal(a->n_steps, back.n_steps);
	for (size_t i = 0; i < a->n_steps; i++)
		assert_same_step(&a->steps[i], &back.steps[i]);
	arena_fini(&mem);
	strbuf_fini(&line);
}

static void test_any_action_comes_back_from_its_record(void **state)
{
	static struct action a;
	static struct policy_address addresses[4];
	struct maker m = {.state = UNIT_SEED, .mem = ARENA_INIT(TEXT_MAX)};

	(void)state;
	for (int i = 0; i < ROUNDS; i++) {
		arena_reset(&m.mem);
		memset(addresses, 0, sizeof(addresses));
		a = (struct action){.grant = _GRANT_MAX, .syscall = "x", .error = ACTION_OK};
		a.exe = path(&m);
		a.cwd = pick(&m, 2) ? path(&m) : BYTES_NULL;
		a.object = path(&m);
		a.asked = path(&m);
		switch (pick(&m, 4)) {
		case 0:
			make_tool(&m, &a);
			break;
		case 1:
			make_path(&m, &a);
			break;
		case 2:
			make_network(&m, &a, addresses);
			break;
		default:
			make_unix(&m, &a, addresses);
			break;
		}
		assert_comes_back(&a);
	}
	arena_fini(&m.mem);
}

static void test_a_system_call_comes_back_with_its_group(void **state)
{
	static const struct {
		const char *syscall, *object;
		enum grant grant;
	} cases[] = {
		{"ptrace", "ptrace", GRANT_PTRACE},
		{"mount", "mount", GRANT_MOUNT},
		{"socket", "socket(vsock,stream)", GRANT_RAW_SOCKET},
		{"unknown", "i386 syscall 5", GRANT_FOREIGN_ABI},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		static struct action a;

		a = (struct action){.kind = KIND_SYSTEM,
				    .op = OP_SYSCALL,
				    .syscall = cases[i].syscall,
				    .grant = cases[i].grant,
				    .object = bytes_of(cases[i].object)};
		(void)add(&a, KIND_SYSTEM, OP_SYSCALL, a.object);
		assert_comes_back(&a);
	}
}

/* ---- lines */

static void test_strings_are_decoded_as_the_library_does(void **state)
{
	struct maker m = {.state = UNIT_SEED, .mem = ARENA_INIT(TEXT_MAX)};

	(void)state;
	for (int i = 0; i < ROUNDS; i++) {
		struct strbuf line = STRBUF_INIT(TEXT_MAX), decoded = STRBUF_INIT(TEXT_MAX);
		struct json j = JSON_INIT(&line);
		struct bytes object = text(&m), got;
		struct reader_line parsed = {};
		char why[LINE_WHY_SIZE];
		struct line l;

		json_begin_object(&j);
		json_key_u64(&j, "v", 1);
		json_key_cstr(&j, "time", "2026-11-21T05:12:34.000000001Z");
		json_key_cstr(&j, "event", "action");
		json_key_str(&j, "object", object);
		json_end_object(&j);
		assert_int_equal(line_take(strbuf_bytes(&line), &m.mem, &l, why), 0);
		assert_int_equal(line_string(&l, LINE_OBJECT, &m.mem, &got), 0);
		assert_bytes(got, object);
		assert_int_equal(reader_parse(strbuf_bytes(&line), &parsed), READER_LINE);
		assert_true(reader_string(parsed.root, "object", &decoded));
		assert_bytes(got, strbuf_bytes(&decoded));
		json_decref(parsed.root);
		strbuf_fini(&line);
		strbuf_fini(&decoded);
		arena_reset(&m.mem);
	}
	arena_fini(&m.mem);
}

static void test_half_of_a_line_is_damaged(void **state)
{
	static const char whole[] =
		"{\"v\":1,\"time\":\"2026-11-21T05:12:34Z\",\"event\":\"action\",\"argv\":[\"a\",\"]\\\"\"],\"x\":{\"y\":[1]}}";
	struct arena mem = ARENA_INIT(TEXT_MAX);
	char why[LINE_WHY_SIZE];
	struct line l;

	(void)state;
	assert_int_equal(line_take(bytes_of(whole), &mem, &l, why), 0);
	for (size_t len = 0; len + 1 < sizeof(whole); len++) {
		/* Memory of its own, so that reading past the end shows. */
		char *half = malloc(len ? len : 1);

		assert_non_null(half);
		memcpy(half, whole, len);
		assert_int_equal(line_take((struct bytes){half, len}, &mem, &l, why), 1);
		free(half);
	}
	arena_fini(&mem);
}

static void test_lines_of_others_are_told(void **state)
{
	static const struct {
		const char *text, *why;
	} cases[] = {
		{"", "is not JSON"},
		{"{}", "is not a record of Holdfast"},
		{"[1]", "is not a record of Holdfast"},
		{"{\"v\":3,\"time\":\"2026-11-21T05:12:34Z\",\"event\":\"action\"}",
		 "is of version 3"},
		{"{\"v\":1,\"time\":\"never\",\"event\":\"action\"}", "has no valid time"},
	};
	static const char policy_text[] = "version: 1\nname: p\ndefault: allow\n";
	const struct policy_vars vars = {.home = "/h", .project = "/h/p", .tmp = "/tmp"};
	struct policy_stack *stack = NULL;
	struct replay *replay = NULL;
	struct policy *p = NULL;
	struct diag d = {};

	(void)state;
	assert_int_equal(policy_parse("t", bytes_of(policy_text), &vars, &p, &d), 0);
	assert_int_equal(policy_stack_new(&p, 1, false, &stack, &d), 0);
	assert_int_equal(replay_new(stack, &replay), 0);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct replay_answer answer;

		assert_int_equal(replay_line(replay, bytes_of(cases[i].text), &answer),
				 REPLAY_DAMAGED);
		assert_non_null(strstr(answer.why, cases[i].why));
	}
	replay_free(replay);
	policy_stack_free(stack);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_any_action_comes_back_from_its_record),
		cmocka_unit_test(test_a_system_call_comes_back_with_its_group),
		cmocka_unit_test(test_strings_are_decoded_as_the_library_does),
		cmocka_unit_test(test_half_of_a_line_is_damaged),
		cmocka_unit_test(test_lines_of_others_are_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
