/* SPDX-License-Identifier: Apache-2.0 */
/* Calls that are refused unless granted: only the number, or a pid, is looked at. */
#include <linux/audit.h>
#include <sys/syscall.h>

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
	return add_step(c);
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

/* Return: 1 when @pid is the caller's own or in its session, 0 when not, ESRCH or a decoder error.
 */
static int is_inside(struct decode *c, pid_t pid, bool *ret)
{
	int r;

	*ret = pid == c->t->tgid || pid == c->t->tid;
	if (*ret)
		return 0;
	if (pid <= 0)
		return ESRCH;
	r = action_pid_descends_from(pid, c->d->config.supervisor);
	if (r == -ESRCH)
		return ESRCH; /* answered here: nobody can take the number meanwhile */
	*ret = r == 1 && pid != c->d->config.supervisor;
	return 0;
}

int decode_pid(struct decode *c)
{
	pid_t pid = decode_arg_int(c, c->row->dirfd);
	bool inside;
	int r;

	c->a->object = c->a->asked = bytes_of(c->row->name);
	r = is_inside(c, pid, &inside);
	if (r)
		return r;
	if (inside && c->row->nr == __NR_kcmp) {
		pid = decode_arg_int(c, c->row->dirfd + 1);
		r = is_inside(c, pid, &inside);
		if (r)
			return r;
	}
	if (inside)
		return 0;
	r = decode_format(c, &c->a->asked, "%s(pid %d)", c->row->name, (int)pid);
	return r ? r : add_step(c);
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
