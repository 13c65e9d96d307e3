/* SPDX-License-Identifier: Apache-2.0 */
/* How a denied call is answered, and what follows when it is made again and again. */
#include <stdio.h>

#include "base/clock.h"
#include "base/escape.h"

#include "supervise/supervise_private.h"

#define LOOP_SHOW_BYTES 200
#define END_NS          (2 * NS_PER_SEC) /* far more than the end of a tree takes */

static void describe(const struct audit_record *r, struct strbuf *out)
{
	strbuf_add_fmt(out, "%s ", op_name(r->op));
	escape_terminal_max(out, r->object, LOOP_SHOW_BYTES);
}

static void tell(struct supervise *s, const struct audit_record *r, unsigned n)
{
	_cleanup_(strbuf_fini) struct strbuf words = STRBUF_INIT((size_t)2048);

	strbuf_add_str(&words, "the agent repeats what is denied: ");
	describe(r, &words);
	strbuf_add_fmt(&words, ", %u times; rule ", n);
	escape_terminal_max(&words, r->rule.p ? r->rule : BYTES_LIT("default"), LOOP_SHOW_BYTES);
	s->config.looping(s->config.arg, strbuf_bytes(&words));
}

static void stop(struct supervise *s, const struct audit_record *r, unsigned n)
{
	_cleanup_(strbuf_fini) struct strbuf words = STRBUF_INIT((size_t)1024);

	strbuf_add_fmt(&words, "denied %u times, and tried again: ", n);
	describe(r, &words);
	supervise_stop(s, strbuf_str(&words));
}

void supervise_stop(struct supervise *s, const char *reason)
{
	if (!s->config.stop)
		return;
	atomic_store(&s->is_ending, true);
	s->config.stop(s->config.arg, reason);
}

uint64_t supervise_note_denial(struct supervise *s, const struct audit_record *r)
{
	struct denial denial;

	denials_note(s->denials, r, &denial);
	(void)supervise_record(s, r); /* refused whether or not it can be recorded */
	if (denial.tells && s->config.looping)
		tell(s, r, denial.n);
	if (denial.stops)
		stop(s, r, denial.n);
	return denial.delay_ns;
}

void supervise_answer_denied(struct supervise *s, uint64_t id, int error, uint64_t delay_ns)
{
	/* A shell would begin its next command in the milliseconds that the end of the tree takes.
	 */
	if (atomic_load(&s->is_ending))
		delay_ns = MAX(delay_ns, END_NS);
	if (delay_ns && denials_delay(s->denials, id, error, clock_monotonic_ns() + delay_ns))
		return;
	(void)supervise_answer_errno(s->config.listener, id, error);
}

void supervise_deny(struct supervise *s, uint64_t id, const struct audit_record *r, int error)
{
	supervise_answer_denied(s, id, error, supervise_note_denial(s, r));
}

int supervise_delayed_fd(const struct supervise *s)
{
	return denials_fd(s->denials);
}

uint64_t supervise_delayed_next(struct supervise *s)
{
	return denials_next(s->denials);
}

void supervise_answer_delayed(struct supervise *s)
{
	uint64_t now_ns = clock_monotonic_ns(), id;
	int error;

	denials_ack(s->denials);
	while (denials_take(s->denials, now_ns, &id, &error))
		(void)supervise_answer_errno(s->config.listener, id, error);
}

void supervise_why(struct supervise *s, const char *id, struct json *j)
{
	denials_why(s->denials, id, j);
}
