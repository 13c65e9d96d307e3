/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The records of what a program in the kernel decided. The policies are asked again, so that a
 * record says the same as one of a call that was notified: which rule, and why. The two cannot
 * differ, for the kernel's tables were filled with the policies' answers; if they do, the record
 * says so, and what was carried out is the verdict.
 */
#include <limits.h>

#include "action/steps.h"
#include "base/clock.h"

#include "supervise/supervise_private.h"

#define LAYERS_DISAGREE "layers-disagree"

int supervise_kernel_init(struct supervise *s)
{
	s->kernel = supervise_context_new(s);
	s->images = images_new();
	return s->kernel && s->images ? 0 : -ENOMEM;
}

void supervise_kernel_fini(struct supervise *s)
{
	supervise_context_free(s->kernel);
	s->kernel = NULL;
	s->images = images_free(s->images);
}

struct carried_out {
	const char *layer;
	uint64_t time_ns;
	uint64_t exe_inode;
	enum verdict verdict;
};

static void set_verdict(const struct carried_out *o, const struct decision *d,
			struct audit_record *r)
{
	const bool is_refused = o->verdict >= VERDICT_ASK;

	if (r->verdict != o->verdict)
		r->reason = BYTES_LIT(LAYERS_DISAGREE);
	r->verdict = is_refused ? VERDICT_DENY : o->verdict;
	r->result = is_refused ? AUDIT_RESULT_REFUSED : AUDIT_RESULT_CONTINUED;
	r->error = !is_refused ? 0 : d->verdict >= VERDICT_ASK ? d->deny_errno : EACCES;
}

/* @a: the action of the context's decoder. */
static void record(struct supervise *s, struct action *a, const struct carried_out *o)
{
	struct context *c = s->kernel;
	const struct engine_time now = {.monotonic_ns = o->time_ns,
					.realtime_ns = o->time_ns + clock_realtime_ns() -
						       clock_monotonic_ns()};
	struct audit_record r = {.event = AUDIT_ACTION, .time_ns = now.realtime_ns};
	struct decision d;
	char exe[PATH_MAX];
	size_t n;

	n = images_find(s->images, o->exe_inode, exe, sizeof(exe));
	if (n)
		a->exe = (struct bytes){.p = exe, .len = n};
	engine_decide(c->engine, a, &now, &d);
	d.layer = o->layer;
	supervise_fill_record(&r, a, &d);
	set_verdict(o, &d, &r);
	strbuf_reset(&c->steps);
	action_steps_add(a, &c->steps);
	if (c->steps.len)
		r.steps = strbuf_bytes(&c->steps);
	if (c->scratch)
		redact_record(s->config.redact, c->scratch, &r);
	if (r.verdict == VERDICT_DENY)
		supervise_note_denial(s, &r);
	else
		(void)supervise_record(s, &r);
}

void supervise_record_kernel(struct supervise *s, const struct supervise_connection *k)
{
	const struct carried_out out = {layer_name(LAYER_BPF_NET), k->time_ns, k->exe_inode,
					k->verdict};
	struct action a _uninitialized_; /* action_from_connection() sets all that it gives */

	action_from_connection(s->kernel->decoder, &k->connection, &a);
	record(s, &a, &out);
}

void supervise_record_of_kernel(struct supervise *s, const struct supervise_of_kernel *k)
{
	const struct carried_out out = {layer_name(LAYER_BPF_LSM), k->time_ns, k->exe_inode,
					k->verdict};
	struct action a _uninitialized_; /* action_from_kernel() sets all that it gives */

	action_from_kernel(s->kernel->decoder, &k->action, &a);
	record(s, &a, &out);
}
