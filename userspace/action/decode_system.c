/* SPDX-License-Identifier: Apache-2.0 */
/* Calls that are refused unless granted: what they name is in registers or not looked at. */
#include <linux/audit.h>

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
