/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How holds end. The supervisor's main thread ends them all; what was approved is posted to a
 * receiver thread, which looks at the action again and carries it out: both may block.
 */
#include <fcntl.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>

#include "base/clock.h"
#include "base/io.h"

#include "action/rights.h"

#include "supervise/supervise_private.h"

/*
 * The kernel's own "restart this call" (include/linux/errno.h, not exported): with a signal to
 * deliver, the call fails with EINTR or is made again, as its handler's SA_RESTART says, exactly as
 * a call that waits in the kernel would.
 */
#define KERNEL_ERESTARTSYS 512

#define HOLD_BATCH         64                  /* taken note of with the table locked */
#define HOLD_SCAN_SHARE_NS (HOLD_SCAN_NS / 20) /* what a scan may take of the main thread */
#define STATUS_MAX_BYTES   8192
#define SIGNAL_BIT(sig)    (UINT64_C(1) << ((sig)-1))

/*
 * Signals that are meant to interrupt. Others (SIGCHLD, SIGURG, SIGWINCH, timers of a runtime)
 * arrive often and would turn one question into many, because an interrupted call that restarts is
 * held anew.
 */
#define INTERRUPTING_SIGNALS                                                                       \
	(SIGNAL_BIT(SIGHUP) | SIGNAL_BIT(SIGINT) | SIGNAL_BIT(SIGQUIT) | SIGNAL_BIT(SIGTERM) |     \
	 SIGNAL_BIT(SIGALRM) | SIGNAL_BIT(SIGTSTP) | SIGNAL_BIT(SIGSTOP))

/* What each end of a hold means for the record and the call. */
static const struct {
	enum verdict verdict;
	enum audit_result result;
	int error;
	const char *approver;
	const char *reason;
} hold_ends[] = {
	[HOLD_APPROVED] = {VERDICT_ALLOW, AUDIT_RESULT_NONE, 0, NULL, NULL},
	[HOLD_DENIED] = {VERDICT_DENY, AUDIT_RESULT_REFUSED, EACCES, NULL, NULL},
	[HOLD_TIMED_OUT] = {VERDICT_DENY, AUDIT_RESULT_REFUSED, EACCES, "timeout",
			    "Nobody answered in time."},
	[HOLD_INTERRUPTED] = {VERDICT_DENY, AUDIT_RESULT_REFUSED, EINTR, "signal",
			      "Interrupted while held."},
	[HOLD_GONE] = {VERDICT_DENY, AUDIT_RESULT_GONE, 0, "exit", "The process ended while held."},
	[HOLD_SHUTDOWN] = {VERDICT_DENY, AUDIT_RESULT_REFUSED, EACCES, "shutdown",
			   "The session ended."},
};

/* How often an action is looked at again that changes between the look and the performance. */
#define ROUNDS_MAX 4

static bool id_is_valid(int listener, uint64_t id)
{
	return ioctl(listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &id) == 0;
}

struct signal_state {
	uint64_t thread_pending;
	uint64_t process_pending;
	uint64_t blocked;
	uint64_t ignored;
	uint64_t threads;
};

/* The hexadecimal mask of a "SigPnd:\t0000000000000002" line; 0 if there is none. */
static uint64_t status_mask(const char *text, const char *name)
{
	const char *line = strstr(text, name);
	uint64_t mask = 0;

	if (!line)
		return 0;
	for (const char *p = line + strlen(name) + strspn(line + strlen(name), ":\t "); *p; p++) {
		if (*p >= '0' && *p <= '9')
			mask = mask << 4 | (uint64_t)(*p - '0');
		else if (*p >= 'a' && *p <= 'f')
			mask = mask << 4 | (uint64_t)(*p - 'a' + 10);
		else
			break;
	}
	return mask;
}

static bool read_signal_state(pid_t tid, struct signal_state *ret)
{
	struct strbuf text = STRBUF_INIT(STATUS_MAX_BYTES);
	char path[32];
	bool ok;

	(void)snprintf(path, sizeof(path), "/proc/%d/status", tid);
	ok = io_read_file_at(AT_FDCWD, path, &text) == 0;
	if (ok) {
		*ret = (struct signal_state){
			.thread_pending = status_mask(text.p, "\nSigPnd"),
			.process_pending = status_mask(text.p, "\nShdPnd"),
			.blocked = status_mask(text.p, "\nSigBlk"),
			.ignored = status_mask(text.p, "\nSigIgn"),
		};
		if (parse_status_field(text.p, "Threads", &ret->threads) < 0)
			ret->threads = 2;
	}
	strbuf_fini(&text);
	return ok;
}

static uint64_t deliverable_signals(const struct signal_state *s)
{
	return (s->thread_pending | s->process_pending) & ~s->blocked & ~s->ignored;
}

static bool has_interrupting_signal(const struct signal_state *s)
{
	return (deliverable_signals(s) & INTERRUPTING_SIGNALS) != 0;
}

bool supervise_is_interrupted(void *supervise, uint32_t task)
{
	struct signal_state s;

	(void)supervise;
	return read_signal_state((pid_t)task, &s) && deliverable_signals(&s) != 0;
}

/*
 * KERNEL_ERESTARTSYS must never reach a thread that then has no signal to deliver: it would see
 * errno 512. A signal sent to a process with several threads may be taken by another one, so there
 * plain EINTR is the answer.
 */
int supervise_interrupt_errno(pid_t tid)
{
	struct signal_state s;

	(void)rights_settle();
	if (!read_signal_state(tid, &s))
		return EINTR;
	if (deliverable_signals(&s) &&
	    (s.threads == 1 || (deliverable_signals(&s) & s.thread_pending)))
		return KERNEL_ERESTARTSYS;
	return EINTR;
}

/*
 * An approved action is counted like any other, and what its budget refuses meanwhile is refused:
 * an approval is a yes to the action, not more money. Return: whether it may go on.
 */
static bool charge_approved(struct supervise *s, const struct held *h, struct audit_record *r,
			    struct budget_answer *answer)
{
	struct budget *b = s->config.engine.budget;

	budget_charge(b, &h->charge, true, clock_monotonic_ns(), answer);
	if (answer->verdict < VERDICT_ASK) {
		r->cost = h->charge.is_exec || h->charge.is_connect ? h->charge.cost : 0;
		r->spent = r->cost != 0 ? budget_spent(b) : 0;
	}
	if (answer->verdict == VERDICT_ALLOW)
		return true;
	r->policy = bytes_of(policy_name(answer->policy));
	r->rule = BYTES_LIT(BUDGET_RULE);
	r->reason = bytes_of(answer->reason);
	r->verdict = answer->verdict;
	return answer->verdict < VERDICT_ASK;
}

/* What a person wrote; the rest of the record has been looked at before it was held. */
static struct bytes redact_reason(struct supervise *s, struct bytes reason, uint32_t *count)
{
	struct audit_record r = {.reason = reason};

	if (!s->scratch)
		return reason;
	redact_record(s->config.redact, s->scratch, &r);
	*count += r.redacted;
	return r.reason;
}

/* Records how the hold of a question to the DNS ended, and answers it. Consumes @h. */
static void end_question(struct supervise *s, struct held *h, enum hold_end end)
{
	struct audit_record *r = &h->record;
	struct budget_answer answer = {.verdict = VERDICT_ALLOW};
	bool is_allowed = end == HOLD_APPROVED && charge_approved(s, h, r, &answer);

	if (end == HOLD_APPROVED) {
		r->result = is_allowed ? AUDIT_RESULT_PERFORMED : AUDIT_RESULT_REFUSED;
		r->error = is_allowed ? 0 : EACCES;
	}
	r->latency_ns = clock_monotonic_ns() - h->since_ns;
	if (supervise_record(s, r) < 0)
		is_allowed = false; /* what cannot be recorded does not happen */
	if (answer.is_stop)
		supervise_stop(s, answer.reason);
	supervise_answer_question(s, h->question, is_allowed);
	held_free(h);
}

/* An approved action on its way to a receiver. */
struct approval {
	struct receivers_job job; /* first: it is what comes back */
	struct supervise *supervise;
	struct held *held;
	char text[]; /* what was said with it: the record points here */
};

static void refuse_approved(struct supervise *s, struct held *h, const char *reason)
{
	struct audit_record *r = &h->record;

	r->verdict = VERDICT_DENY;
	r->result = AUDIT_RESULT_REFUSED;
	r->error = EACCES;
	r->reason = bytes_of(reason);
	r->latency_ns = clock_monotonic_ns() - h->since_ns;
	supervise_deny(s, h->notif.id, r, EACCES);
}

static void record_gone(struct supervise *s, struct held *h)
{
	struct audit_record *r = &h->record;

	r->verdict = hold_ends[HOLD_GONE].verdict;
	r->result = hold_ends[HOLD_GONE].result;
	r->approver = bytes_of(hold_ends[HOLD_GONE].approver);
	r->reason = bytes_of(hold_ends[HOLD_GONE].reason);
	r->latency_ns = clock_monotonic_ns() - h->since_ns;
	(void)supervise_record(s, r);
}

/* Charges and records what is about to be carried out. Return: whether it may be. */
static bool begin_approved(struct supervise *s, struct held *h, const struct action *a)
{
	struct audit_record *r = &h->record;
	struct budget_answer answer = {.verdict = VERDICT_ALLOW};
	bool is_allowed = charge_approved(s, h, r, &answer);

	r->result = is_allowed ? supervise_result_of(a) : AUDIT_RESULT_REFUSED;
	r->error = is_allowed ? 0 : EACCES;
	r->latency_ns = clock_monotonic_ns() - h->since_ns;
	if (supervise_record(s, r) < 0)
		is_allowed = false; /* what cannot be recorded does not happen */
	if (answer.is_stop)
		supervise_stop(s, answer.reason);
	if (!is_allowed)
		supervise_answer_denied(s, h->notif.id, EACCES, 0);
	return is_allowed;
}

/*
 * A yes was given to one action; the call decides again what it is about, and anything else than
 * that action is denied. It is recorded once: what changes after that, while it is being performed,
 * makes another record.
 */
static void carry_out_approved(struct context *c, struct held *h)
{
	struct supervise *s = c->supervise;
	bool has_begun = false;
	int r = -ESTALE;

	for (int i = 0; i < ROUNDS_MAX && r == -ESTALE; i++) {
		struct action a _uninitialized_; /* action_decode() sets all that it gives */
		struct action_identity identity;

		supervise_decode(c, &h->notif, &a);
		if (a.error == ACTION_GONE) {
			if (!has_begun)
				record_gone(s, h);
			return;
		}
		if (h->has_met && supervise_meet(c, &h->notif, &a) < 0) {
			if (!has_begun)
				record_gone(s, h);
			return;
		}
		action_identify(c->decoder, &a, &identity);
		if (!action_identity_eq(&identity, &h->identity)) {
			refuse_approved(s, h, "changed-while-held");
			return;
		}
		if (!has_begun && !begin_approved(s, h, &a))
			return;
		has_begun = true;
		supervise_settle_lead(&a, h->is_led, true);
		r = supervise_carry_out(c, &h->notif, &a);
	}
	if (r == -ESTALE)
		refuse_approved(s, h, "changed-while-held");
}

static void run_approval(void *context, struct receivers_job *job, bool is_refused)
{
	struct approval *approval = (struct approval *)job;
	struct context *c = context;

	if (is_refused) {
		refuse_approved(approval->supervise, approval->held,
				action_error_name(ACTION_OVERLOAD));
	} else {
		carry_out_approved(c, approval->held);
		c->met.fd = fd_close(c->met.fd);
		action_decoder_release(c->decoder);
	}
	held_free(approval->held);
	free(approval);
}

/* Moves what @s points to into @storage. */
static void keep(struct bytes *s, char **storage)
{
	if (!s->p)
		return;
	memcpy(*storage, s->p, s->len);
	s->p = *storage;
	*storage += s->len;
}

/* Consumes @h, whose record still points to the approver's words. */
static void post_approved(struct supervise *s, struct held *h)
{
	struct audit_record *r = &h->record;
	struct approval *approval = malloc(sizeof(*approval) + r->reason.len + r->approver.len);
	char *storage;

	if (!approval) {
		refuse_approved(s, h, action_error_name(ACTION_NO_MEMORY));
		held_free(h);
		return;
	}
	*approval = (struct approval){
		.job = {.id = h->notif.id, .task = h->notif.pid, .run = run_approval},
		.supervise = s,
		.held = h,
	};
	storage = approval->text;
	keep(&r->reason, &storage);
	keep(&r->approver, &storage);
	s->config.post(s->config.arg, &approval->job);
}

void supervise_end_hold(struct supervise *s, struct held *h, enum hold_end end, struct bytes reason,
			struct bytes approver)
{
	int listener = s->config.listener;
	struct audit_record *r = &h->record;

	if (!h->question && !id_is_valid(listener, h->notif.id))
		end = HOLD_GONE;
	r->event = AUDIT_ACTION;
	r->verdict = hold_ends[end].verdict;
	r->result = hold_ends[end].result;
	r->error = hold_ends[end].error;
	r->held = bytes_of(h->id);
	r->approver = hold_ends[end].approver ? bytes_of(hold_ends[end].approver) : approver;
	if (reason.p && reason.len)
		r->reason = redact_reason(s, reason, &r->redacted);
	else if (hold_ends[end].reason)
		r->reason = bytes_of(hold_ends[end].reason);
	if (s->config.hold_ended)
		s->config.hold_ended(s->config.arg, h, end);
	if (h->question) {
		end_question(s, h, end);
		return;
	}
	if (end == HOLD_APPROVED) {
		post_approved(s, h);
		return;
	}
	r->latency_ns = clock_monotonic_ns() - h->since_ns;
	if (end == HOLD_DENIED || end == HOLD_TIMED_OUT) {
		supervise_deny(s, h->notif.id, r, EACCES);
	} else {
		(void)supervise_record(s, r); /* refused whether or not it can be recorded */
		if (end == HOLD_INTERRUPTED)
			(void)supervise_answer_errno(listener, h->notif.id,
						     supervise_interrupt_errno(h->tid));
		else if (end != HOLD_GONE)
			(void)supervise_answer_errno(listener, h->notif.id, EACCES);
	}
	held_free(h);
}

/* What is looked at of a held action, copied so that the table need not stay locked. */
struct hold_look {
	bool is_question;
	uint64_t seq;
	uint64_t notif;
	pid_t tid;
	char id[HELD_ID_SIZE];
};

struct hold_batch {
	size_t n;
	struct hold_look looks[HOLD_BATCH];
};

static bool add_look(const struct held *h, void *arg)
{
	struct hold_batch *b = arg;
	struct hold_look *look = &b->looks[b->n++];

	*look = (struct hold_look){.is_question = h->question != 0,
				   .seq = h->seq,
				   .notif = h->notif.id,
				   .tid = h->tid};
	memcpy(look->id, h->id, HELD_ID_SIZE);
	return b->n < HOLD_BATCH;
}

static void look_at_hold(struct supervise *s, const struct hold_look *look)
{
	struct signal_state signals;
	bool is_valid;
	struct held *h;

	/* Who asked may be a child that was started to ask. */
	if (look->is_question)
		return;
	is_valid = id_is_valid(s->config.listener, look->notif);
	if (is_valid &&
	    (!read_signal_state(look->tid, &signals) || !has_interrupting_signal(&signals)))
		return;
	h = held_table_take(s->config.held, look->id);
	if (h) /* it was not answered meanwhile */
		supervise_end_hold(s, h, is_valid ? HOLD_INTERRUPTED : HOLD_GONE, BYTES_NULL,
				   BYTES_NULL);
}

/*
 * Goes round, as far as it comes in HOLD_SCAN_SHARE_NS: the kernel looks for a notification among
 * all that wait, so thousands of them cost seconds. The table is not locked meanwhile: receivers
 * that wait for it would be taken for blocked, and each be given a thread in its place.
 */
void supervise_scan_holds(struct supervise *s)
{
	uint64_t until_ns = clock_monotonic_ns() + HOLD_SCAN_SHARE_NS;
	struct hold_batch batch;

	do {
		batch.n = 0;
		held_table_each_after(s->config.held, s->scan_cursor, add_look, &batch);
		for (size_t i = 0; i < batch.n; i++) {
			look_at_hold(s, &batch.looks[i]);
			s->scan_cursor = batch.looks[i].seq;
			if (clock_monotonic_ns() >= until_ns)
				return;
		}
	} while (batch.n == HOLD_BATCH);
	s->scan_cursor = 0;
}
