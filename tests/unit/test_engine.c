/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "engine/engine.h"

#define SUPERVISOR 4242
#define LAUNCHER   4241

static const struct policy_vars vars = {.home = "/home/u", .project = "/home/u/p", .tmp = "/tmp"};

static const char allow_all[] = "version: 1\nname: all\ndefault: allow\n";
static const char audit_deny[] = "version: 1\nname: watch\nmode: audit\ndefault: deny\n";
static const char ask_writes[] =
	"version: 1\nname: asks\ndefault: {tool: allow, read: allow, write: ask, network: deny}\n"
	"grant: [ptrace]\n";

static struct policy_stack *stack_of(const char *const *texts, size_t n)
{
	struct policy *policies[POLICY_MAX_STACK];
	struct policy_stack *stack = NULL;
	struct diag d = {};

	for (size_t i = 0; i < n; i++)
		if (policy_parse("test", bytes_of(texts[i]), &vars, &policies[i], &d) != 0)
			fail_msg("line %u: %s", d.line, d.message);
	assert_int_equal(policy_stack_new(policies, n, false, &stack, &d), 0);
	return stack;
}

struct fixture {
	struct policy_stack *stack;
	struct budget *budget;
	struct engine *engine;
};

static const struct engine_time now = {.monotonic_ns = 100 * NS_PER_SEC};

static struct fixture fixture_new(const char *const *texts, size_t n, enum ask_mode ask)
{
	struct fixture f = {.stack = stack_of(texts, n)};
	struct engine_config config = {
		.stack = f.stack,
		.ask = ask,
		.supervisor = SUPERVISOR,
		.launcher = LAUNCHER,
		.protected_paths = {"/var/log/holdfast/s.jsonl", "/run/holdfast"},
		.n_protected = 2,
		.log_path = "/var/log/holdfast/s.jsonl",
		.secret_paths = {"/var/lib/holdfast/broker.key"},
		.n_secrets = 1,
		.spend_socket = "/run/holdfast/s.spend",
	};

	assert_int_equal(budget_new(f.stack, now.monotonic_ns, &f.budget), 0);
	config.budget = f.budget;
	assert_int_equal(engine_new(&config, &f.engine), 0);
	return f;
}

static void fixture_fini(struct fixture *f)
{
	engine_free(f->engine);
	budget_free(f->budget);
	policy_stack_free(f->stack);
}

static struct action path_action(enum action_op op, const char *path)
{
	struct action a = {.kind = KIND_PATH, .op = op, .object = bytes_of(path), .n_steps = 1};

	a.steps[0] = (struct action_step){
		.kind = KIND_PATH, .op = op, .object = a.object, .args = a.object};
	return a;
}

static struct action system_action(enum grant grant)
{
	struct action a = {.kind = KIND_SYSTEM, .op = OP_SYSCALL, .grant = grant, .n_steps = 1};

	a.object = BYTES_LIT("call");
	a.steps[0] =
		(struct action_step){.kind = KIND_SYSTEM, .op = OP_SYSCALL, .object = a.object};
	return a;
}

static struct decision decide(const char *text, enum ask_mode ask, const struct action *a)
{
	struct fixture f = fixture_new(&text, 1, ask);
	struct decision d;

	engine_decide(f.engine, a, &now, &d);
	/* Strings of the source belong to the stack: keep what tests look at. */
	if (d.source.policy)
		d.source.policy = streq(d.source.policy, "builtin") ? "builtin" : "policy";
	fixture_fini(&f);
	return d;
}

static void test_a_key_in_a_file_cannot_be_read_or_changed(void **state)
{
	(void)state;
	for (enum action_op op = OP_READ; op < _OP_MAX; op++) {
		struct action a = path_action(op, "/var/lib/holdfast/broker.key");
		struct decision d;

		if (!(OP_BIT(op) & (OPS_CHANGE | OP_BIT(OP_READ))))
			continue;
		d = decide(allow_all, ASK_QUEUE, &a);
		assert_int_equal(d.verdict, VERDICT_DENY);
		assert_string_equal(d.source.rule, "own-key");
		a = path_action(op, "/var/lib/holdfast/broker.keys");
		assert_int_equal(decide(allow_all, ASK_QUEUE, &a).verdict, VERDICT_ALLOW);
	}
}

static void test_what_the_log_was_before_cannot_be_changed(void **state)
{
	static const struct {
		const char *path;
		enum action_op op;
		enum verdict verdict;
	} cases[] = {
		{"/var/log/holdfast/s.jsonl.1", OP_DELETE, VERDICT_DENY},
		{"/var/log/holdfast/s.jsonl.12.zst", OP_WRITE, VERDICT_DENY},
		{"/var/log/holdfast/s.jsonl.2", OP_CREATE, VERDICT_DENY},
		{"/var/log/holdfast/s.jsonl.1", OP_READ, VERDICT_ALLOW},
		{"/var/log/holdfast/s.jsonlx", OP_WRITE, VERDICT_ALLOW},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct action a = path_action(cases[i].op, cases[i].path);

		assert_int_equal(decide(allow_all, ASK_QUEUE, &a).verdict, cases[i].verdict);
	}
}

static void test_what_cannot_be_decoded_is_denied(void **state)
{
	(void)state;
	for (enum action_error e = ACTION_UNREADABLE; e < _ACTION_ERROR_MAX; e++) {
		struct action a = path_action(OP_READ, "/x");
		struct decision d;

		a.error = e;
		d = decide(allow_all, ASK_QUEUE, &a);
		assert_int_equal(d.verdict, VERDICT_DENY);
		assert_string_equal(d.source.reason, action_error_name(e));
		assert_int_equal(d.deny_errno, EACCES);
	}
}

static void test_an_action_without_steps_is_denied(void **state)
{
	struct action a = path_action(OP_READ, "/x");

	(void)state;
	a.n_steps = 0;
	assert_int_equal(decide(allow_all, ASK_QUEUE, &a).verdict, VERDICT_DENY);
}

static void test_holdfasts_own_files_cannot_be_changed(void **state)
{
	static const struct {
		enum action_op op;
		const char *path;
		enum verdict want;
	} rows[] = {
		{OP_WRITE, "/var/log/holdfast/s.jsonl", VERDICT_DENY},
		{OP_DELETE, "/var/log/holdfast/s.jsonl", VERDICT_DENY},
		{OP_READ, "/var/log/holdfast/s.jsonl", VERDICT_ALLOW},
		{OP_WRITE, "/var/log/holdfast/s.jsonl2", VERDICT_ALLOW},
		{OP_CREATE, "/run/holdfast/x", VERDICT_DENY},
		{OP_CREATE, "/run/holdfastly", VERDICT_ALLOW},
		{OP_RENAME, "/run", VERDICT_DENY},
		{OP_RENAME, "/var/log/holdfast", VERDICT_DENY},
		{OP_CHMOD, "/run", VERDICT_ALLOW},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct action a = path_action(rows[i].op, rows[i].path);

		if (decide(allow_all, ASK_QUEUE, &a).verdict != rows[i].want)
			fail_msg("%s %s", op_name(rows[i].op), rows[i].path);
		/* Audit mode, too, does not let the agent edit what the auditor wrote. */
		if (rows[i].want == VERDICT_DENY)
			assert_int_equal(decide(audit_deny, ASK_QUEUE, &a).verdict, VERDICT_DENY);
	}
}

static void test_the_guards_memory_cannot_be_opened(void **state)
{
	static const struct {
		enum action_op op;
		const char *path;
		enum verdict want;
	} rows[] = {
		{OP_READ, "/proc/4242/mem", VERDICT_DENY},
		{OP_WRITE, "/proc/4242/mem", VERDICT_DENY},
		{OP_READ, "/proc/4241/fd/3", VERDICT_DENY},
		{OP_READ, "/proc/4242/environ", VERDICT_DENY},
		{OP_READ, "/proc/4242/stat", VERDICT_ALLOW},
		{OP_READ, "/proc/4242/cmdline", VERDICT_ALLOW},
		{OP_WRITE, "/proc/4242/comm", VERDICT_DENY},
		{OP_READ, "/proc/4242", VERDICT_ALLOW},
		{OP_READ, "/proc/42421/mem", VERDICT_ALLOW},
		{OP_WRITE, "/proc/4242/oom_score_adj", VERDICT_DENY},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct action a = path_action(rows[i].op, rows[i].path);

		if (decide(allow_all, ASK_QUEUE, &a).verdict != rows[i].want)
			fail_msg("%s %s", op_name(rows[i].op), rows[i].path);
	}
}

static void test_the_control_socket_cannot_be_reached(void **state)
{
	struct action a = {.kind = KIND_NETWORK, .op = OP_CONNECT, .n_steps = 1};
	struct policy_address address = {.protocol = POLICY_PROTO_UNIX};

	(void)state;
	a.object = BYTES_LIT("unix:/run/holdfast/20261121.sock");
	a.steps[0] = (struct action_step){
		.kind = KIND_NETWORK, .op = OP_CONNECT, .object = a.object, .address = &address};
	assert_int_equal(decide(allow_all, ASK_QUEUE, &a).verdict, VERDICT_DENY);
	a.steps[0].object = BYTES_LIT("unix:/run/other.sock");
	assert_int_equal(decide(allow_all, ASK_QUEUE, &a).verdict, VERDICT_ALLOW);
}

static void test_refused_syscalls_need_a_grant(void **state)
{
	struct action uring = system_action(GRANT_IO_URING), trace = system_action(GRANT_PTRACE);
	struct decision d;

	(void)state;
	d = decide(allow_all, ASK_QUEUE, &uring);
	assert_int_equal(d.verdict, VERDICT_DENY);
	assert_int_equal(d.deny_errno, ENOSYS);
	d = decide(allow_all, ASK_QUEUE, &trace);
	assert_int_equal(d.verdict, VERDICT_DENY);
	assert_int_equal(d.deny_errno, EPERM);
	assert_int_equal(decide(ask_writes, ASK_QUEUE, &trace).verdict, VERDICT_ALLOW);
	assert_int_equal(decide(ask_writes, ASK_QUEUE, &uring).verdict, VERDICT_DENY);
}

static void test_audit_refuses_nothing_and_says_what_would_have_been(void **state)
{
	struct action read = path_action(OP_READ, "/x"), uring = system_action(GRANT_IO_URING);
	struct action broken = path_action(OP_READ, "/x");
	struct decision d;

	(void)state;
	broken.error = ACTION_UNREADABLE;
	d = decide(audit_deny, ASK_QUEUE, &read);
	assert_int_equal(d.verdict, VERDICT_ALLOW);
	assert_int_equal(d.would_have, VERDICT_DENY);
	assert_true(d.is_audit);
	d = decide(audit_deny, ASK_QUEUE, &uring);
	assert_int_equal(d.verdict, VERDICT_ALLOW);
	assert_int_equal(d.would_have, VERDICT_DENY);
	d = decide(audit_deny, ASK_QUEUE, &broken);
	assert_int_equal(d.verdict, VERDICT_ALLOW);
	assert_int_equal(d.would_have, VERDICT_DENY);
}

static void test_ask_follows_the_mode(void **state)
{
	struct action a = path_action(OP_WRITE, "/x");
	struct decision d;

	(void)state;
	assert_int_equal(decide(ask_writes, ASK_QUEUE, &a).verdict, VERDICT_ASK);
	assert_int_equal(decide(ask_writes, ASK_TERMINAL, &a).verdict, VERDICT_ASK);
	d = decide(ask_writes, ASK_DENY, &a);
	assert_int_equal(d.verdict, VERDICT_DENY);
	assert_string_equal(d.approver, "--ask deny");
	d = decide(ask_writes, ASK_ALLOW, &a);
	assert_int_equal(d.verdict, VERDICT_ALLOW);
	assert_int_equal(d.would_have, VERDICT_ASK);
	assert_string_equal(d.approver, "--ask allow");
}

static void test_the_strictest_step_counts(void **state)
{
	static const char rules[] =
		"version: 1\nname: two\ndefault: allow\nrules:\n"
		"  - {name: keep, match: {path: /keep, op: rename}, action: deny, reason: stays}\n"
		"  - {name: mark, match: {path: /mark, op: rename}, action: flag}\n";
	struct action a = path_action(OP_RENAME, "/mark");

	(void)state;
	assert_int_equal(decide(rules, ASK_QUEUE, &a).verdict, VERDICT_FLAG);
	a.steps[1] = a.steps[0];
	a.steps[1].object = BYTES_LIT("/keep");
	a.n_steps = 2;
	assert_int_equal(decide(rules, ASK_QUEUE, &a).verdict, VERDICT_DENY);
}

static void test_the_strictest_policy_of_the_stack_counts(void **state)
{
	const char *const texts[] = {allow_all, ask_writes, audit_deny};
	struct fixture f = fixture_new(texts, ARRAY_SIZE(texts), ASK_QUEUE);
	struct action a = path_action(OP_WRITE, "/x");
	struct decision d;

	(void)state;
	engine_decide(f.engine, &a, &now, &d);
	assert_int_equal(d.verdict, VERDICT_ASK);
	assert_int_equal(d.would_have, VERDICT_DENY); /* the audit policy advises only */
	assert_false(d.is_audit);
	fixture_fini(&f);
}

static void test_control_groups_are_left_alone_unless_granted(void **state)
{
	static const char *const policies[] = {
		"version: 1\nname: a\ndefault: allow\n",
		"version: 1\nname: a\ndefault: allow\ngrant: [admin]\n",
		"version: 1\nname: a\ndefault: allow\nmode: audit\n",
	};
	static const struct {
		const char *path;
		enum action_op op;
		bool is_refused;
	} rows[] = {
		{"/sys/fs/cgroup/cgroup.procs", OP_WRITE, true},
		{"/sys/fs/cgroup/user.slice/a/cgroup.freeze", OP_WRITE, true},
		{"/sys/fs/cgroup/freezer/x/tasks", OP_WRITE, true},
		{"/sys/fs/cgroup/a/cgroup.kill", OP_CHMOD, true},
		{"/sys/fs/cgroup/cgroup.procs", OP_READ, false},
		{"/sys/fs/cgroup/a/memory.max", OP_WRITE, true},
		{"/sys/fs/cgroup/a/cpu.max", OP_TRUNCATE, true},
		{"/sys/fs/cgroup/a/io.weight", OP_WRITE, true},
		{"/sys/fs/cgroup/cpu/a/cpu.shares", OP_WRITE, true},
		{"/sys/fs/cgroup/a/memory.max", OP_READ, false},
		{"/sys/fs/cgroup/a/own", OP_MKDIR, false},
		{"/home/u/cgroup.procs", OP_WRITE, false},
	};

	(void)state;
	for (size_t p = 0; p < ARRAY_SIZE(policies); p++) {
		struct fixture f = fixture_new(&policies[p], 1, ASK_DENY);

		for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
			struct action a = path_action(rows[i].op, rows[i].path);
			struct decision d;

			engine_decide(f.engine, &a, &now, &d);
			if ((d.verdict == VERDICT_DENY) != (p == 0 && rows[i].is_refused))
				fail_msg("policy %zu, %s: %s", p, rows[i].path,
					 verdict_name(d.verdict));
		}
		fixture_fini(&f);
	}
}

static void test_guards_are_out_of_reach_in_every_mode(void **state)
{
	static const char *const policies[] = {
		"version: 1\nname: a\ndefault: allow\ngrant: all\n",
		"version: 1\nname: a\ndefault: allow\ngrant: all\nmode: audit\n",
	};

	(void)state;
	for (size_t p = 0; p < ARRAY_SIZE(policies); p++) {
		struct fixture f = fixture_new(&policies[p], 1, ASK_ALLOW);
		struct action a = {.kind = KIND_SYSTEM,
				   .op = OP_SYSCALL,
				   .grant = GRANT_PROCESSES,
				   .hits_guard = true,
				   .n_steps = 1};
		struct decision d;

		a.steps[0] = (struct action_step){.kind = KIND_SYSTEM, .op = OP_SYSCALL};
		engine_decide(f.engine, &a, &now, &d);
		assert_int_equal(d.verdict, VERDICT_DENY);
		assert_int_equal(d.deny_errno, EPERM);
		assert_string_equal(d.source.rule, "guard-process");
		a.hits_guard = false;
		engine_decide(f.engine, &a, &now, &d);
		assert_int_equal(d.verdict, VERDICT_ALLOW);
		fixture_fini(&f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_key_in_a_file_cannot_be_read_or_changed),
		cmocka_unit_test(test_what_the_log_was_before_cannot_be_changed),
		cmocka_unit_test(test_what_cannot_be_decoded_is_denied),
		cmocka_unit_test(test_an_action_without_steps_is_denied),
		cmocka_unit_test(test_holdfasts_own_files_cannot_be_changed),
		cmocka_unit_test(test_the_guards_memory_cannot_be_opened),
		cmocka_unit_test(test_the_control_socket_cannot_be_reached),
		cmocka_unit_test(test_refused_syscalls_need_a_grant),
		cmocka_unit_test(test_audit_refuses_nothing_and_says_what_would_have_been),
		cmocka_unit_test(test_ask_follows_the_mode),
		cmocka_unit_test(test_the_strictest_step_counts),
		cmocka_unit_test(test_the_strictest_policy_of_the_stack_counts),
		cmocka_unit_test(test_control_groups_are_left_alone_unless_granted),
		cmocka_unit_test(test_guards_are_out_of_reach_in_every_mode),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
