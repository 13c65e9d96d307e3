/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The order in which a verdict is found:
 *
 *   1. what could not be decoded is denied (fail closed);
 *   2. the built-in protection of Holdfast itself, which no policy can loosen;
 *   3. refused syscalls: granted by every policy, or denied;
 *   4. the policy stack, once for each step of the action; the strictest step counts.
 *
 * Audit mode turns 1, 3 and 4 into advice. It does not turn off 2: an agent under audit must not be
 * able to stop its auditor or to edit what the auditor wrote.
 */
#include "engine/engine.h"

#define BUILTIN_POLICY "builtin"

struct engine {
	struct engine_config config;
	struct policy_scratch *scratch;
	char supervisor_proc[32]; /* "/proc/PID" */
	char launcher_proc[32];
};

/* Files below /proc/PID of the supervisor or launcher that anybody may read, as ps(1) does. */
static const char *const harmless_proc_files[] = {
	"stat",   "status",    "statm",    "cmdline",   "comm",
	"cgroup", "oom_score", "loginuid", "sessionid", "wchan",
};

static void format_proc(char out[static 32], pid_t pid)
{
	size_t i = sizeof("/proc/") - 1, n = 0;
	char digits[16];

	memcpy(out, "/proc/", i);
	do {
		digits[n++] = (char)('0' + pid % 10);
		pid /= 10;
	} while (pid);
	while (n)
		out[i++] = digits[--n];
	out[i] = '\0';
}

int engine_new(const struct engine_config *config, struct engine **ret)
{
	struct engine *e = calloc(1, sizeof(*e));

	if (!e)
		return -ENOMEM;
	e->config = *config;
	format_proc(e->supervisor_proc, config->supervisor);
	format_proc(e->launcher_proc, config->launcher);
	e->scratch = policy_scratch_new(config->stack);
	if (!e->scratch) {
		engine_free(e);
		return -ENOMEM;
	}
	*ret = e;
	return 0;
}

struct engine *engine_free(struct engine *e)
{
	if (e) {
		policy_scratch_free(e->scratch);
		free(e);
	}
	return NULL;
}

static void decide_builtin(struct decision *d, const char *rule, const char *reason, int deny_errno)
{
	d->verdict = VERDICT_DENY;
	d->would_have = VERDICT_DENY;
	d->is_audit = false;
	d->deny_errno = deny_errno;
	d->source =
		(struct policy_source){.policy = BUILTIN_POLICY, .rule = rule, .reason = reason};
}

/* What cannot be understood is denied; under audit, which refuses nothing, it is advised against.
 */
static void decide_undecodable(const struct engine *e, const struct action *a, struct decision *d)
{
	decide_builtin(d, "fail-closed",
		       a->error != ACTION_OK ? action_error_name(a->error) : "nothing-to-decide",
		       EACCES);
	if (policy_stack_is_audit(e->config.stack)) {
		d->verdict = VERDICT_ALLOW;
		d->is_audit = true;
	}
}

/* @path is @tree or lies below it; whole components only. */
static bool path_is_within(struct bytes path, struct bytes tree)
{
	return bytes_has_prefix(path, tree) && (path.len == tree.len || path.p[tree.len] == '/');
}

static bool is_harmless_proc_read(const struct action_step *s, struct bytes tree)
{
	struct bytes rest;

	if (s->op != OP_READ)
		return false;
	if (s->object.len == tree.len)
		return true; /* listing the directory */
	rest = (struct bytes){.p = s->object.p + tree.len + 1, .len = s->object.len - tree.len - 1};
	for (size_t i = 0; i < ARRAY_SIZE(harmless_proc_files); i++)
		if (bytes_eq_str(rest, harmless_proc_files[i]))
			return true;
	return false;
}

/* Memory, descriptors and settings of the processes that guard the agent. */
static bool touches_guard_process(const struct engine *e, const struct action_step *s)
{
	const char *const procs[] = {e->supervisor_proc, e->launcher_proc};

	for (size_t i = 0; i < ARRAY_SIZE(procs); i++) {
		struct bytes tree = bytes_of(procs[i]);

		if (path_is_within(s->object, tree) && !is_harmless_proc_read(s, tree))
			return true;
	}
	return false;
}

static struct bytes unix_socket_path(struct bytes object)
{
	const struct bytes prefix = BYTES_LIT("unix:");

	if (!bytes_has_prefix(object, prefix))
		return BYTES_NULL;
	return (struct bytes){.p = object.p + prefix.len, .len = object.len - prefix.len};
}

/* The log, the control sockets, the policies in use, the binary: nothing of it may be changed or
 * talked to. */
static bool touches_own_files(const struct engine *e, const struct action_step *s)
{
	struct bytes path = BYTES_NULL;

	if (s->kind == KIND_PATH && (OP_BIT(s->op) & OPS_CHANGE))
		path = s->object;
	else if (s->kind == KIND_NETWORK)
		path = unix_socket_path(s->object);
	if (!path.p)
		return false;
	for (size_t i = 0; i < e->config.n_protected; i++) {
		struct bytes tree = bytes_of(e->config.protected_paths[i]);

		/* Renaming or removing a directory above moves what is below away as well. */
		if (path_is_within(path, tree) ||
		    (s->op == OP_RENAME && path_is_within(tree, path)))
			return true;
	}
	return false;
}

/* Return: whether the built-in protection refused @a. */
static bool decide_self_protection(const struct engine *e, const struct action *a,
				   struct decision *d)
{
	for (size_t i = 0; i < a->n_steps; i++) {
		const struct action_step *s = &a->steps[i];

		if (s->kind == KIND_PATH && touches_guard_process(e, s)) {
			decide_builtin(d, "guard-process",
				       "Holdfast's own processes cannot be opened.", EACCES);
			return true;
		}
		if (touches_own_files(e, s)) {
			decide_builtin(
				d, "own-files",
				"Holdfast's log, sockets and policies cannot be changed or reached from inside.",
				EACCES);
			return true;
		}
	}
	return false;
}

/* What the call fails with when it is refused. io_uring and foreign ABIs look absent, so that
 * programs fall back. */
static int refusal_errno(const struct action *a)
{
	if (a->kind != KIND_SYSTEM)
		return EACCES;
	if (a->grant == GRANT_IO_URING || a->grant == GRANT_FOREIGN_ABI)
		return ENOSYS;
	return EPERM;
}

static void decide_system(const struct engine *e, const struct action *a, struct decision *d)
{
	const struct policy_stack *stack = e->config.stack;
	struct policy_source advised;
	bool granted = policy_stack_grants(stack, a->grant, &d->source);
	bool advises = policy_stack_advises_grant(stack, a->grant, &advised);

	d->verdict = granted ? VERDICT_ALLOW : VERDICT_DENY;
	d->would_have = advises ? VERDICT_ALLOW : VERDICT_DENY;
	if (granted && !advises)
		d->source = advised;
	d->deny_errno = refusal_errno(a);
}

/* Keeps the strictest of the steps; the first of equals, so that the record names the action's main
 * object. */
static void decide_steps(struct engine *e, const struct action *a, struct decision *d)
{
	struct policy_source advised_source = {};

	for (size_t i = 0; i < a->n_steps; i++) {
		const struct action_step *s = &a->steps[i];
		const struct policy_query q = {
			.kind = s->kind,
			.op = s->op,
			.names = s->names,
			.n_names = s->n_names,
			.args = s->args,
			.path = s->kind == KIND_NETWORK ? unix_socket_path(s->object) : s->object,
			.address = s->address,
		};
		struct policy_result r;

		policy_stack_eval(e->config.stack, e->scratch, &q, &r);
		if (i == 0 || r.verdict > d->verdict) {
			d->verdict = r.verdict;
			d->source = r.source;
		}
		if (i == 0 || r.advised > d->would_have) {
			d->would_have = r.advised;
			advised_source = r.advised_source;
		}
	}
	/* The record names the rule that speaks, also when it only advises. */
	if (d->would_have > d->verdict)
		d->source = advised_source;
	d->deny_errno = refusal_errno(a);
}

static void decide_ask(const struct engine *e, struct decision *d)
{
	if (d->verdict != VERDICT_ASK)
		return;
	switch (e->config.ask) {
	case ASK_TERMINAL:
	case ASK_QUEUE:
		return;
	case ASK_DENY:
		d->verdict = VERDICT_DENY;
		d->approver = "--ask deny";
		return;
	case ASK_ALLOW:
		d->verdict = VERDICT_ALLOW;
		d->approver = "--ask allow";
		return;
	}
}

void engine_decide(struct engine *e, const struct action *a, struct decision *ret)
{
	*ret = (struct decision){.verdict = VERDICT_DENY,
				 .would_have = VERDICT_DENY,
				 .deny_errno = EACCES,
				 .layer = "seccomp-notify",
				 .is_audit = policy_stack_is_audit(e->config.stack)};
	if (a->error != ACTION_OK || a->n_steps == 0) {
		decide_undecodable(e, a, ret);
		return;
	}
	if (decide_self_protection(e, a, ret))
		return;
	if (a->kind == KIND_SYSTEM)
		decide_system(e, a, ret);
	else
		decide_steps(e, a, ret);
	decide_ask(e, ret);
}
