/* SPDX-License-Identifier: Apache-2.0 */
/* Calls that are refused unless granted: what they name is in registers or not looked at. */
#include <linux/audit.h>
#include <sched.h>
#include <sys/prctl.h>

#include "action/decode.h"

static int add_step(struct decode *c)
{
	struct action_step *s;
	int r;

	r = step_add(c, KIND_SYSTEM, OP_SYSCALL, c->a->object, c->a->object, &s);
	if (r)
		return r;
	policy_names_add(s->names, &s->n_names, bytes_of(c->a->syscall), false);
	return 0;
}

int decode_none(struct decode *c)
{
	c->a->object = c->a->asked = bytes_of(c->row->name);
	/* In a user namespace of its own a task has no capabilities outside. */
	if (c->row->grant == GRANT_NAMESPACES)
		target_note_creds(c);
	return add_step(c);
}

static int note_lineage(struct decode *c, enum lineage what)
{
	c->a->object = c->a->asked = bytes_of(c->row->name);
	c->a->act.kind = ACT_LINEAGE;
	c->a->act.lineage = (struct act_lineage){.what = what, .ruleset = -1};
	return 0;
}

/* No step: nobody is asked whether a task may be bound by more. */
int decode_restrict(struct decode *c)
{
	struct act_lineage *lineage = &c->a->act.lineage;
	int fd = decode_arg_int(c, c->row->dirfd);

	(void)note_lineage(c, LINEAGE_RESTRICT);
	lineage->flags = (uint32_t)decode_arg(c, c->row->flags);
	if (fd < 0)
		return 0;
	fd = target_take_fd(c, fd);
	if (fd < 0)
		return fd == -EBADF ? EBADF : decode_fail(ACTION_UNREADABLE);
	lineage->ruleset = act_own(c, fd);
	return 0;
}

/*
 * No step: a program may always ask not to be looked into. The kernel goes on with what it refuses,
 * and where nobody could remember the program. WHY-CONTINUE-IS-SAFE: all in registers; after it the
 * supervisor cannot read the caller either, whose further calls are denied.
 */
static int decode_hide(struct decode *c)
{
	c->a->object = c->a->asked = bytes_of(c->row->name);
	if (decode_arg(c, 1) == 0 && hidden_add(c) == 0)
		c->a->act.kind = ACT_HIDE;
	return 0;
}

/* All in registers. */
int decode_prctl(struct decode *c)
{
	if (decode_arg_int(c, 0) == PR_SET_DUMPABLE)
		return decode_hide(c);
	if (decode_arg_int(c, 0) == PR_SET_CHILD_SUBREAPER)
		return note_lineage(c, LINEAGE_REAPER);
	return decode_none(c);
}

int decode_clone(struct decode *c)
{
	uint64_t flags = decode_arg(c, c->row->flags);
	int r = 0;

	if (flags & CLONE_PARENT)
		r = note_lineage(c, LINEAGE_SIBLING);
	if (flags & (CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER |
		     CLONE_NEWPID | CLONE_NEWNET))
		r = decode_none(c);
	return r;
}

/*
 * No step: there is nothing to decide, and the kernel goes on with it. It judges the arguments,
 * which are in registers but for capset's and setgroups', against rights that the caller has
 * anyway.
 */
int decode_creds(struct decode *c)
{
	c->a->object = c->a->asked = bytes_of(c->row->name);
	target_note_creds(c);
	return 0;
}

int decode_ioctl(struct decode *c)
{
	uint32_t request = (uint32_t)decode_arg(c, c->row->path);
	const struct trap_ioctl *known = NULL;
	int r;

	for (size_t i = 0; i < trap_ioctls_size && !known; i++)
		if (trap_ioctls[i].request == request)
			known = &trap_ioctls[i];
	if (!known)
		return decode_fail(ACTION_UNKNOWN);
	c->a->grant = known->grant;
	c->a->object = bytes_of(c->row->name);
	r = decode_format(c, &c->a->asked, "ioctl(%s)", known->name);
	return r ? r : add_step(c);
}

/* All in registers. */
int decode_sockopt(struct decode *c)
{
	uint32_t level = (uint32_t)decode_arg(c, c->row->path);
	uint32_t option = (uint32_t)decode_arg(c, c->row->flags);

	for (size_t i = 0; i < trap_sockopts_size; i++) {
		int r;

		if (trap_sockopts[i].level != level || trap_sockopts[i].option != option)
			continue;
		c->a->object = bytes_of(c->row->name);
		r = decode_format(c, &c->a->asked, "setsockopt(%s)", trap_sockopts[i].name);
		return r ? r : add_step(c);
	}
	return decode_fail(ACTION_UNKNOWN);
}

int decode_foreign(struct decode *c)
{
	const struct seccomp_data *data = &c->n->data;
	const char *abi = "foreign";
	unsigned nr = (unsigned)data->nr;
	int r;

	switch (data->arch) {
	case AUDIT_ARCH_X86_64: /* with the x32 bit */
		abi = "x32";
		nr &= ~0x40000000u;
		break;
	case AUDIT_ARCH_I386:
		abi = "i386";
		break;
	case AUDIT_ARCH_ARM:
		abi = "arm";
		break;
	default:
		break;
	}
	r = decode_format(c, &c->a->object, "%s syscall %u", abi, nr);
	if (r)
		return r;
	c->a->asked = c->a->object;
	return add_step(c);
}
