/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Calls that do something to a process: signals, limits, priorities, tracing. Those within the
 * session are the agent's own business, and no action; the others are refused unless granted, and
 * what guards the session is out of reach for everybody (action.hits_guard).
 *
 * WHY-CONTINUE-IS-SAFE: the process is named by a number in a register. Another process could take
 * the number between our look and the call only after its owner was reaped and the numbers went all
 * the way round; a guard, whose number is taken for as long as there are answers, never can.
 */
#include <dirent.h>
#include <fcntl.h>
#include <linux/ioprio.h>
#include <stdio.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "action/decode.h"
#include "base/io.h"

#define NS_LINK_MAX 64 /* "pid:[4026531836]" */

/* What a call is aimed at. */
struct aim {
	bool is_outside; /* somebody outside of the session is meant, too */
	bool hits_guard;
};

static bool is_guard(const struct decode *c, pid_t pid)
{
	const struct action_decoder_config *config = &c->d->config;

	if (pid == config->supervisor)
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(config->guards); i++)
		if (config->guards[i] && config->guards[i] == pid)
			return true;
	return false;
}

/*
 * Whether the numbers that the target gives are those of a PID namespace that was made in the
 * session: then it cannot name anybody outside.
 */
static bool has_own_numbers(struct decode *c)
{
	char own[NS_LINK_MAX];
	struct bytes theirs;
	ssize_t n;

	if (!c->d->has_foreign_roots) /* set with the first namespace that was let through */
		return false;
	n = readlink("/proc/self/ns/pid", own, sizeof(own));
	return n > 0 && target_readlink(c, "ns/pid", &theirs) == 0 &&
	       !bytes_eq(theirs, (struct bytes){.p = own, .len = (size_t)n});
}

/* Return: 0, ESRCH. */
static int aim_at_process(struct decode *c, pid_t pid, struct aim *aim)
{
	int r;

	if (pid == c->t->tgid || pid == c->t->tid)
		return 0;
	if (pid <= 0)
		return ESRCH;
	if (is_guard(c, pid)) {
		aim->hits_guard = true;
		aim->is_outside = true;
		return 0;
	}
	r = action_pid_descends_from(pid, c->d->config.supervisor);
	if (r == -ESRCH)
		return ESRCH; /* answered here: nobody can take the number meanwhile */
	aim->is_outside = aim->is_outside || r != 1;
	return 0;
}

/*
 * Every member of the group. That the launcher is in the command's own group, where the shell put
 * both, takes nothing from the command: what it does to its group it could do to itself. Return: 0,
 * ESRCH.
 */
static int aim_at_group(struct decode *c, pid_t group, struct aim *aim)
{
	_cleanup_(io_closedirp) DIR *dir = opendir("/proc");
	const struct dirent *de;
	bool is_own = false;
	pid_t own;
	int r = ESRCH;

	if (action_pid_group(c->t->tgid, &own) == 0)
		is_own = own == group;

	if (!dir) {
		aim->is_outside = aim->hits_guard = true;
		return 0;
	}
	while ((de = readdir(dir))) {
		pid_t of;
		uint64_t pid;

		if (parse_u64(bytes_of(de->d_name), INT32_MAX, &pid) < 0 ||
		    action_pid_group((pid_t)pid, &of) < 0 || of != group)
			continue;
		if (is_own && (pid_t)pid != c->d->config.supervisor && is_guard(c, (pid_t)pid)) {
			r = 0;
			continue;
		}
		if (aim_at_process(c, (pid_t)pid, aim) == 0)
			r = 0;
	}
	return r;
}

static void aim_at_all(struct aim *aim)
{
	aim->is_outside = aim->hits_guard = true;
}

static int finish(struct decode *c, const struct aim *aim, const char *what, int number)
{
	struct action_step *s;
	int r;

	c->a->object = c->a->asked = bytes_of(c->row->name);
	if (!aim->is_outside)
		return 0;
	c->a->hits_guard = aim->hits_guard;
	r = decode_format(c, &c->a->asked, "%s(%s %d)", c->row->name, what, number);
	if (r == 0)
		r = step_add(c, KIND_SYSTEM, OP_SYSCALL, c->a->object, c->a->object, &s);
	if (r)
		return r;
	policy_names_add(s->names, &s->n_names, bytes_of(c->a->syscall), false);
	return 0;
}

/*
 * PTRACE_TRACEME names nobody: the tracer is the caller's parent, and that of the command and of
 * orphans is the supervisor. It would be told of each signal, and never let the process go on.
 * Should the parent die between our look and the call, execs_traced.c refuses the exec that nobody
 * could watch.
 */
static int decode_traceme(struct decode *c)
{
	struct aim aim = {};
	pid_t parent;

	if (action_pid_parent(c->t->tgid, &parent) < 0)
		return decode_fail(ACTION_UNREADABLE);
	/* 0: it is outside of our own PID namespace, as is nobody of the session. */
	if (parent == 0 || aim_at_process(c, parent, &aim) != 0)
		aim_at_all(&aim);
	return finish(c, &aim, "by parent", parent);
}

/* Whether the call looks into a program that asked not to be. */
static bool is_hidden_from(struct decode *c)
{
	return c->row->grant == GRANT_PTRACE &&
	       (hidden_is(c, decode_arg_int(c, c->row->dirfd)) ||
		(c->row->dirfd2 != TRAP_NO_ARG && hidden_is(c, decode_arg_int(c, c->row->dirfd2))));
}

int decode_pid(struct decode *c)
{
	pid_t pid = decode_arg_int(c, c->row->dirfd);
	struct aim aim = {};
	int r;

	if (c->row->class == TRAP_PTRACE && decode_arg_int(c, 0) == PTRACE_TRACEME)
		return decode_traceme(c);
	if ((pid == 0 && c->row->class != TRAP_REFUSED) || has_own_numbers(c))
		return finish(c, &aim, "pid", pid);
	if (is_hidden_from(c))
		return EPERM;
	r = aim_at_process(c, pid, &aim);
	if (r == 0 && c->row->dirfd2 != TRAP_NO_ARG)
		r = aim_at_process(c, decode_arg_int(c, c->row->dirfd2), &aim);
	return r ? r : finish(c, &aim, "pid", pid);
}

/* Negative numbers are groups; of kill(2), -1 is everybody. */
static int decode_target_or_group(struct decode *c, bool has_all)
{
	pid_t pid = decode_arg_int(c, c->row->dirfd);
	struct aim aim = {};
	int r = 0;

	if (pid == 0 || has_own_numbers(c))
		return finish(c, &aim, "pid", pid);
	if (pid == INT32_MIN)
		return ESRCH; /* as kill(2) says */
	if (has_all && pid == -1)
		aim_at_all(&aim);
	else
		r = pid > 0 ? aim_at_process(c, pid, &aim) : aim_at_group(c, -pid, &aim);
	return r ? r : finish(c, &aim, "pid", pid);
}

int decode_kill(struct decode *c)
{
	int r = decode_target_or_group(c, true);

	/* Nothing is sent: it asks whether there is anybody, as some test suites do. */
	if (decode_arg_int(c, c->row->dirfd) == -1 && decode_arg_int(c, 1) == 0)
		c->a->hits_guard = false;
	return r;
}

/* Whatever it is on: the number of a descriptor may be another file's a moment later. */
static int decode_lease(struct decode *c, const char *command)
{
	struct aim aim = {.is_outside = true};

	c->a->grant = GRANT_ADMIN;
	return finish(c, &aim, command, decode_arg_int(c, 0));
}

int decode_fcntl(struct decode *c)
{
	int command = decode_arg_int(c, c->row->path);

	if (command == F_SETLEASE)
		return decode_lease(c, "F_SETLEASE");
	if (command == TRAP_F_SETDELEG)
		return decode_lease(c, "F_SETDELEG");
	return decode_target_or_group(c, false);
}

int decode_priority(struct decode *c)
{
	const bool is_io = c->row->nr == __NR_ioprio_set;
	const int process = is_io ? IOPRIO_WHO_PROCESS : PRIO_PROCESS;
	const int group = is_io ? IOPRIO_WHO_PGRP : PRIO_PGRP;
	const int user = is_io ? IOPRIO_WHO_USER : PRIO_USER;
	int which = decode_arg_int(c, c->row->path);
	pid_t who = decode_arg_int(c, c->row->dirfd);
	struct aim aim = {};
	const char *what = "pid";
	int r = 0;

	if (which != process && which != group && which != user)
		return EINVAL;
	if (which == user) {
		/* All processes of a user: the agent's is ours as well. */
		aim_at_all(&aim);
		return finish(c, &aim, "user", who);
	}
	if (has_own_numbers(c))
		return finish(c, &aim, what, who);
	if (which == process) {
		r = who ? aim_at_process(c, who, &aim) : 0;
	} else {
		what = "group";
		if (who == 0 && action_pid_group(c->t->tgid, &who) < 0)
			return ESRCH;
		r = aim_at_group(c, who, &aim);
	}
	return r ? r : finish(c, &aim, what, who);
}
