/* SPDX-License-Identifier: Apache-2.0 */
/* Actions of which it has to be known who listens before they can be decided on. */
#include "supervise/receivers_private.h"
#include "supervise/supervise_private.h"

/*
 * Where there is nobody, the call fails with what the kernel said, whatever is decided; so that is
 * the most that is left to be decided.
 */
static void settle(struct action *a, struct behalf_met *met)
{
	struct act_network *net = &a->act.network;

	met->who.is_ahead = met->error;
	a->has_met = true;
	a->listener = met->error || met->is_known ? &met->who : NULL;
	net->has_met = met->error || met->fd >= 0;
	net->met = met->fd;
	net->met_error = met->error;
}

int supervise_meet(struct context *c, const struct seccomp_notif *n, struct action *a)
{
	int listener = c->supervise->config.listener;
	int r;

	c->met.fd = fd_close(c->met.fd);
	r = behalf_meet(c->behalf, a, &c->met);
	if (r == 0) {
		settle(a, &c->met);
		return 0;
	}
	if (r == BEHALF_INTERRUPTED)
		(void)supervise_answer_errno(listener, n->id, supervise_interrupt_errno(a->tid));
	else if (r != -ENOENT)
		(void)supervise_answer_errno(listener, n->id, EACCES); /* cannot be done: denied */
	return -ECANCELED;
}

void supervise_add_listener(struct context *c, const struct action *a, struct audit_record *r)
{
	if (a->listener && !a->listener->is_ahead)
		r->listener = bytes_of(policy_listener_format(a->listener, c->listener));
}
