/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The supervisor's side of the resolver (names/helper.h): each question is an action that is
 * decided on and recorded, and each answer is learned from before the agent has it.
 *
 * A question that a person is asked about is in the table of held actions like any other, and one
 * name is one question there, whatever types of records are asked for and however often: resolvers
 * ask for A and AAAA at once, and again when nothing comes. Whoever asked by TCP waits. A program
 * that gave up meanwhile, or cannot wait, asks again when it is run again: so the answer holds for
 * the name a little longer (ANSWER_HOLDS_NS).
 */
#include <sys/socket.h>

#include "base/clock.h"

#include "supervise/desk.h"

#define LAYER "dns"
/* Names that are held, or were answered a moment ago. */
#define QUESTIONS_MAX   64
#define WAITERS_MAX     32 /* requests that wait for the answer to one */
#define ANSWER_HOLDS_NS (60 * NS_PER_SEC)

/* A name that a person is asked about. */
struct question {
	uint64_t number; /* 0: the place is free */
	bool is_answered, is_allowed;
	uint64_t until_ns; /* is_answered: for so long */
	char name[DNS_NAME_SIZE];
	size_t n_waiters;
	uint64_t waiters[WAITERS_MAX]; /* names_request.seq */
};

struct names_desk {
	struct desk base;
	unsigned n_resolvers; /* that have started */
	atomic_bool is_stopping;
	pthread_mutex_t lock; /* of what is below; the main thread gives answers */
	uint64_t last_number;
	struct question questions[QUESTIONS_MAX];
};

/* What the resolver hands over is not trusted to be what it should. */
static bool check_request(struct names_request *q)
{
	struct dns_facts *f = &q->facts;

	if (f->n_names == 0 || f->n_names > DNS_CHAIN_MAX || f->n_addresses > DNS_ADDRESS_MAX ||
	    (q->protocol != POLICY_PROTO_UDP && q->protocol != POLICY_PROTO_TCP))
		return false;
	for (size_t i = 0; i < f->n_names; i++)
		if (!memchr(f->names[i], '\0', sizeof(f->names[i])))
			return false;
	return true;
}

/* @record: the type's word, which @ret keeps. */
static void make_action(const struct names_request *q, const struct names_asker *asker,
			const char *record, struct action *ret)
{
	struct bytes name = bytes_of(q->facts.names[0]);
	struct action_step *s = &ret->steps[0];

	*ret = (struct action){.kind = KIND_NETWORK,
			       .op = OP_RESOLVE,
			       .pid = asker->pid,
			       .tid = asker->tid,
			       .ppid = asker->ppid,
			       .exe = asker->exe[0] ? bytes_of(asker->exe) : BYTES_NULL,
			       .object = name,
			       .asked = bytes_of(record),
			       .exists = true,
			       .n_steps = 1};
	*s = (struct action_step){.kind = KIND_NETWORK,
				  .op = OP_RESOLVE,
				  .object = name,
				  .args = name,
				  .address = &asker->server};
	s->n_names = policy_names_init(s->names, OP_RESOLVE);
}

/*
 * What is denied is not there, and no other error, which makes some ask again and again: no such
 * name, or none of these records, which says nothing of others. What may be asked later is only
 * refused.
 */
static enum dns_rcode rcode_of(const struct names_request *q, const struct decision *d)
{
	if (d->verdict != VERDICT_DENY || (d->source.rule && streq(d->source.rule, BUDGET_RULE)))
		return DNS_REFUSED;
	return q->type == DNS_A || q->type == DNS_AAAA ? DNS_NXDOMAIN : DNS_NOERROR;
}

/* ---- questions that are held */

static void send_reply(struct names_desk *desk, const struct names_reply *reply)
{
	(void)send(desk->base.supervise->config.names->helper.questions, reply, sizeof(*reply),
		   MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* With the lock. Return: NULL, it is not there, or its answer holds no more. */
static struct question *find_question(struct names_desk *desk, const char *name, uint64_t now_ns)
{
	for (size_t i = 0; i < QUESTIONS_MAX; i++) {
		struct question *k = &desk->questions[i];

		if (k->is_answered && k->until_ns <= now_ns)
			*k = (struct question){};
		if (k->number && streq(k->name, name))
			return k;
	}
	return NULL;
}

static struct question *add_question(struct names_desk *desk, const char *name)
{
	for (size_t i = 0; i < QUESTIONS_MAX; i++) {
		struct question *k = &desk->questions[i];

		if (k->number)
			continue;
		*k = (struct question){.number = ++desk->last_number};
		memcpy(k->name, name, strnlen(name, sizeof(k->name) - 1));
		return k;
	}
	return NULL;
}

/* With the lock. Whoever comes by TCP waits. Return: whether it can. */
static bool add_waiter(struct question *k, const struct names_request *q)
{
	if (q->protocol != POLICY_PROTO_TCP)
		return true;
	if (k->n_waiters == WAITERS_MAX)
		return false;
	k->waiters[k->n_waiters++] = q->seq;
	return true;
}

/* Return: whether the same name is held already, or was answered a moment ago: *ret is what there
 * is to say. */
static bool join_question(struct names_desk *desk, const struct names_request *q,
			  enum names_verdict *ret)
{
	struct question *k;

	(void)pthread_mutex_lock(&desk->lock);
	k = find_question(desk, q->facts.names[0], clock_monotonic_ns());
	if (k && k->is_answered)
		*ret = k->is_allowed ? NAMES_YES : NAMES_NO;
	else if (k)
		*ret = add_waiter(k, q) ? NAMES_HELD : NAMES_NO;
	(void)pthread_mutex_unlock(&desk->lock);
	return k;
}

static enum names_verdict hold(struct names_desk *desk, const struct names_request *q,
			       const struct decision *d, struct audit_record *r)
{
	struct held_request request = {
		.ask = d->source.ask, .charge = d->charge, .subject = d->subject};
	struct question *k;
	int e = -ENOSPC;

	/* An answer could come before the waiter is noted, so nobody answers until it is. */
	(void)pthread_mutex_lock(&desk->lock);
	k = add_question(desk, q->facts.names[0]);
	if (k) {
		request.question = k->number;
		e = add_waiter(k, q) ? supervise_hold(desk->base.supervise, &request, r) : -ENOSPC;
		if (e < 0)
			*k = (struct question){};
	}
	(void)pthread_mutex_unlock(&desk->lock);
	return e < 0 ? NAMES_NO : NAMES_HELD;
}

void supervise_answer_question(struct supervise *s, uint64_t question, bool is_allowed)
{
	struct names_desk *desk = s->names;

	if (!desk) /* the session ends */
		return;
	(void)pthread_mutex_lock(&desk->lock);
	for (size_t i = 0; i < QUESTIONS_MAX; i++) {
		struct question *k = &desk->questions[i];

		if (k->number != question)
			continue;
		for (size_t j = 0; j < k->n_waiters; j++) {
			const struct names_reply reply = {.seq = k->waiters[j],
							  .verdict =
								  is_allowed ? NAMES_YES : NAMES_NO,
							  .rcode = DNS_REFUSED};

			send_reply(desk, &reply);
		}
		k->n_waiters = 0;
		k->is_answered = true;
		k->is_allowed = is_allowed;
		k->until_ns = clock_monotonic_ns() + ANSWER_HOLDS_NS;
	}
	(void)pthread_mutex_unlock(&desk->lock);
}

/* ---- decisions */

/* Says in @r what becomes of it, and records that. Return: what to reply. */
static enum names_verdict carry_out(struct names_desk *desk, const struct names_request *q,
				    const struct decision *d, struct audit_record *r)
{
	enum names_verdict v = d->verdict < VERDICT_ASK ? NAMES_YES : NAMES_NO;

	if (d->verdict == VERDICT_ASK && join_question(desk, q, &v)) {
		if (v == NAMES_HELD)
			return v;
		r->verdict = v == NAMES_YES ? VERDICT_ALLOW : VERDICT_DENY;
		r->approver = BYTES_LIT("answered before");
	} else if (d->verdict == VERDICT_ASK) {
		v = hold(desk, q, d, r);
		if (v == NAMES_HELD)
			return v;
	}
	r->result = v == NAMES_YES ? AUDIT_RESULT_PERFORMED : AUDIT_RESULT_REFUSED;
	r->error = v == NAMES_YES ? 0 : EACCES;
	if (supervise_record(desk->base.supervise, r) < 0 && !r->is_audit)
		v = NAMES_NO; /* what cannot be recorded does not happen */
	return v;
}

static void decide(struct names_desk *desk, const struct names_request *q, struct names_reply *ret)
{
	struct supervise *s = desk->base.supervise;
	const struct engine_time now = {.monotonic_ns = clock_monotonic_ns(),
					.realtime_ns = clock_realtime_ns()};
	struct audit_record r = {.event = AUDIT_ACTION, .time_ns = now.realtime_ns};
	enum policy_protocol protocol = (enum policy_protocol)q->protocol;
	struct names_asker asker = {.server = {.protocol = protocol, .port = 53}};
	char record[POLICY_RECORD_SIZE];
	struct action a;
	struct decision d;

	(void)names_table_get_asker(s->config.names->table, protocol, q->port, &asker);
	make_action(q, &asker, policy_record_format(q->type, record), &a);
	engine_decide(desk->base.engine, &a, &now, &d);
	supervise_fill_record(&r, &a, &d);
	r.layer = LAYER;
	if (desk->base.scratch)
		redact_record(s->config.redact, desk->base.scratch, &r);
	r.latency_ns = clock_monotonic_ns() - now.monotonic_ns;
	ret->verdict = carry_out(desk, q, &d, &r);
	ret->rcode = rcode_of(q, &d);
	if (d.is_stop)
		supervise_stop(s, d.source.reason);
}

/* ---- the desk */

static void tell(struct names_desk *desk, struct bytes note)
{
	const struct audit_record r = {
		.event = AUDIT_NOTICE, .time_ns = clock_realtime_ns(), .note = note};

	(void)supervise_record(desk->base.supervise, &r);
}

static void note_resolver(struct names_desk *desk)
{
	if (desk->n_resolvers++)
		tell(desk, BYTES_LIT("The process that answers questions to the DNS ended. It was "
				     "started again; those that it had were lost."));
}

static void *desk_main(void *arg)
{
	struct names_desk *desk = arg;
	const struct names_config *names = desk->base.supervise->config.names;
	struct names_request q;

	for (;;) {
		ssize_t n = recv(names->helper.questions, &q, sizeof(q), 0);
		struct names_reply reply = {.verdict = NAMES_NO, .rcode = DNS_SERVFAIL};

		if (n == 0 || (n < 0 && errno != EINTR))
			break;
		if (n != sizeof(q))
			continue;
		if (q.kind == NAMES_BEGIN) {
			note_resolver(desk);
			continue;
		}
		reply.seq = q.seq;
		if (!check_request(&q))
			reply.verdict = NAMES_NO;
		else if (q.kind == NAMES_ASK)
			decide(desk, &q, &reply);
		else if (q.kind == NAMES_LEARN &&
			 names_table_learn(names->table, &q.facts, clock_monotonic_ns()) == 0)
			reply.verdict = NAMES_YES;
		send_reply(desk, &reply);
	}
	if (!atomic_load(&desk->is_stopping))
		tell(desk,
		     BYTES_LIT("The processes that answer questions to the DNS ended. From now "
			       "on there is no answer to any."));
	return NULL;
}

static void desk_free(struct names_desk *desk)
{
	(void)pthread_mutex_destroy(&desk->lock);
	free(desk);
}

int supervise_names_start(struct supervise *s)
{
	struct names_desk *desk;
	int r;

	if (!s->config.names)
		return 0;
	desk = calloc(1, sizeof(*desk));
	if (!desk)
		return -ENOMEM;
	(void)pthread_mutex_init(&desk->lock, NULL);
	r = desk_start(&desk->base, s, s->config.names->helper.questions, desk_main, desk);
	if (r < 0) {
		desk_free(desk);
		return r;
	}
	s->names = desk;
	return 0;
}

void supervise_names_stop(struct supervise *s)
{
	if (!s || !s->names)
		return;
	atomic_store(&s->names->is_stopping, true);
	desk_stop(&s->names->base);
	desk_free(s->names);
	s->names = NULL;
}
