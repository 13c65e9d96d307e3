/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The supervisor's side of the resolver (names/helper.h): each question is an action that is
 * decided on and recorded, and each answer is learned from before the agent has it.
 */
#include <pthread.h>
#include <sys/socket.h>

#include "base/clock.h"

#include "supervise/supervise_private.h"

#define LAYER "dns"

struct names_desk {
	struct supervise *supervise;
	struct engine *engine;
	struct redact_scratch *scratch; /* NULL: nothing is redacted */
	pthread_t thread;
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

static bool decide(struct names_desk *desk, const struct names_request *q)
{
	struct supervise *s = desk->supervise;
	const struct engine_time now = {.monotonic_ns = clock_monotonic_ns(),
					.realtime_ns = clock_realtime_ns()};
	struct audit_record r = {.event = AUDIT_ACTION, .time_ns = now.realtime_ns};
	enum policy_protocol protocol = (enum policy_protocol)q->protocol;
	struct names_asker asker = {.server = {.protocol = protocol, .port = 53}};
	char record[POLICY_RECORD_SIZE];
	struct action a;
	struct decision d;
	bool is_allowed;

	(void)names_table_get_asker(s->config.names->table, protocol, q->port, &asker);
	make_action(q, &asker, policy_record_format(q->type, record), &a);
	engine_decide(desk->engine, &a, &now, &d);
	is_allowed = d.verdict < VERDICT_ASK;
	supervise_fill_record(&r, &a, &d);
	r.layer = LAYER;
	r.result = is_allowed ? AUDIT_RESULT_PERFORMED : AUDIT_RESULT_REFUSED;
	r.error = is_allowed ? 0 : EACCES;
	if (desk->scratch)
		redact_record(s->config.redact, desk->scratch, &r);
	r.latency_ns = clock_monotonic_ns() - now.monotonic_ns;
	if (supervise_record(s, &r) < 0 && !r.is_audit)
		is_allowed = false; /* what cannot be recorded does not happen */
	if (d.is_stop && s->config.stop)
		s->config.stop(s->config.arg, d.source.reason);
	return is_allowed;
}

static void *desk_main(void *arg)
{
	struct names_desk *desk = arg;
	const struct names_config *names = desk->supervise->config.names;
	struct names_request q;

	for (;;) {
		ssize_t n = recv(names->helper.questions, &q, sizeof(q), 0);
		struct names_reply reply = {.seq = q.seq};

		if (n == 0 || (n < 0 && errno != EINTR))
			return NULL;
		if (n != sizeof(q))
			continue;
		if (!check_request(&q))
			reply.is_allowed = false;
		else if (q.kind == NAMES_LEARN)
			reply.is_allowed = names_table_learn(names->table, &q.facts,
							     clock_monotonic_ns()) == 0;
		else
			reply.is_allowed = q.kind == NAMES_ASK && decide(desk, &q);
		(void)send(names->helper.questions, &reply, sizeof(reply),
			   MSG_NOSIGNAL | MSG_DONTWAIT);
	}
}

static void desk_free(struct names_desk *desk)
{
	engine_free(desk->engine);
	redact_scratch_free(desk->scratch);
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
	desk->supervise = s;
	r = engine_new(&s->config.engine, &desk->engine);
	if (r == 0 && s->config.redact) {
		desk->scratch = redact_scratch_new();
		r = desk->scratch ? 0 : -ENOMEM;
	}
	if (r == 0)
		r = -pthread_create(&desk->thread, NULL, desk_main, desk);
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
	(void)shutdown(s->config.names->helper.questions, SHUT_RDWR);
	(void)pthread_join(s->names->thread, NULL);
	desk_free(s->names);
	s->names = NULL;
}
