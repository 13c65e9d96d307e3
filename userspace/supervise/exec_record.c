/* SPDX-License-Identifier: Apache-2.0 */
/* The record of an exec that came to something else than was judged. */
#include <stdio.h>

#include "base/clock.h"

#include "supervise/supervise_private.h"

int supervise_command_stop(struct supervise *s)
{
	return execs_command_stop(s->execs);
}

/* @ran: NULL: nothing, the call was refused. */
static void record_change(struct context *c, const struct action *a, const struct exec_ran *ran)
{
	const struct supervise_config *config = &c->supervise->config;
	bool is_audit = policy_stack_is_audit(config->engine.stack);
	bool is_exec =
		a->kind == KIND_TOOL; /* else any call of the process, by which it was seen */
	struct audit_record r = {
		.event = AUDIT_ACTION,
		.time_ns = clock_realtime_ns(),
		.pid = a->pid,
		.tid = a->tid,
		.ppid = a->ppid,
		.kind = KIND_TOOL,
		.op = OP_EXEC,
		.verdict = is_audit ? VERDICT_ALLOW : VERDICT_DENY,
		.would_have = VERDICT_DENY,
		.is_audit = is_audit,
		.syscall = is_exec ? a->syscall : "execve",
		.layer = "ptrace",
		.exe = a->exe,
		.object = ran ? ran->exe : a->object,
		.asked = is_exec ? a->asked : BYTES_NULL,
		.cwd = is_exec ? a->cwd : BYTES_NULL,
		.argv = ran ? ran->argv : a->argv,
		.argc = ran ? ran->argc : a->argc,
		.argc_total = ran ? ran->argc_total : a->argc_total,
		.argv_truncated = ran ? ran->is_cut : a->argv_truncated,
		.policy = BYTES_LIT("builtin"),
		.rule = BYTES_LIT("exec-changed"),
		.reason = ran ? BYTES_LIT("exec-changed") : BYTES_LIT("exec-unchecked"),
		.result = AUDIT_RESULT_KILLED,
	};

	if (is_audit) {
		r.result = AUDIT_RESULT_CONTINUED;
	} else if (!ran) {
		r.result = AUDIT_RESULT_REFUSED;
		r.error = EACCES;
	}
	if (c->scratch)
		redact_record(config->redact, c->scratch, &r);
	(void)supervise_record(c->supervise,
			       &r); /* what was done is done whether or not it can be recorded */
}

/* So that a session that cannot start says why. */
static void note_command_unchecked(struct supervise *s, const struct action *a)
{
	if (a->pid == s->config.command)
		(void)snprintf(
			s->command_denial, sizeof(s->command_denial),
			"ptrace(2) is not permitted here (a container, or "
			"kernel.yama.ptrace_scope), so what runs cannot be compared with what "
			"was judged");
}

void supervise_carry_out_exec(struct context *c, const struct seccomp_notif *n,
			      const struct action *a)
{
	struct exec_ran ran _uninitialized_; /* set where something else ran */

	if (c->supervise->images)
		images_note(c->supervise->images, a->act.exec.image_ino,
			    a->interpreter.p ? a->interpreter : a->object);
	switch (execs_continue(c->supervise->execs, a, n->id, &ran)) {
	case EXECS_FINE:
		return;
	case EXECS_CHANGED:
		record_change(c, a, &ran);
		return;
	case EXECS_UNCHECKED:
		record_change(c, a, NULL);
		note_command_unchecked(c->supervise, a);
		(void)supervise_answer_errno(c->supervise->config.listener, n->id, EACCES);
		return;
	}
}

bool supervise_check_exec(struct context *c, const struct action *a)
{
	struct exec_ran ran _uninitialized_;

	if (!execs_check(c->supervise->execs, a, &ran))
		return true;
	record_change(c, a, &ran);
	return policy_stack_is_audit(c->supervise->config.engine.stack);
}
