/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The supervisor's side of the leader (names/lead.h): what a connection turned out to mean is
 * decided on once more, and recorded, before anything of it leaves.
 */
#include <inttypes.h>
#include <stdio.h>
#include <sys/socket.h>

#include "base/clock.h"

#include "supervise/desk.h"

#define ASKED_SIZE (HTTP_METHOD_SIZE + DNS_NAME_SIZE + HTTP_PATH_SIZE + 16)

struct looks_desk {
	struct desk base;
	struct strbuf domains;
	/* Limits on what is sent, each in its slot; domains are malloc'd. */
	struct engine_limit limits[LEAD_LIMITS_MAX];
	size_t n_limits;
};

/* What was looked at, and whose it is; everything points into the request or here. */
struct looked {
	struct lead_ticket ticket;
	struct policy_address address;
	struct action_look look;
	char object[POLICY_HOST_SIZE];
	char asked[ASKED_SIZE];
};

/* What the leader hands over is not trusted to be what it should. */
static bool check_request(const struct lead_request *q)
{
	return q->look > POLICY_LOOK_AHEAD && q->look <= POLICY_LOOK_REQUEST &&
	       memchr(q->name, '\0', sizeof(q->name)) &&
	       memchr(q->method, '\0', sizeof(q->method)) && memchr(q->path, '\0', sizeof(q->path));
}

/* As the agent wrote it, as far as it was understood. */
static void write_asked(const struct lead_request *q, char out[static ASKED_SIZE])
{
	if (q->look == POLICY_LOOK_REQUEST)
		(void)snprintf(out, ASKED_SIZE, "%s http://%s%s", q->method, q->name,
			       q->has_path ? q->path : "");
	else
		(void)snprintf(out, ASKED_SIZE, "%s", q->has_name ? q->name : "");
}

static struct policy_address write_end(const struct lead_end *end,
				       char out[static POLICY_HOST_SIZE])
{
	struct policy_address a = {.protocol = POLICY_PROTO_TCP,
				   .has_ip = true,
				   .is_v4 = end->is_v4,
				   .port = end->port};

	memcpy(a.ip, end->ip, sizeof(a.ip));
	policy_address_normalise(&a, OP_CONNECT);
	policy_address_format(out, &a);
	return a;
}

static bool look_up(struct supervise *s, const struct lead_request *q, struct looked *ret)
{
	struct policy_address *a = &ret->address;

	*ret = (struct looked){};
	if (!check_request(q) ||
	    !lead_tickets_find(s->config.names->tickets, &q->from, &q->to, &ret->ticket))
		return false;
	/* On loopback the agent could have used its port once more, for another. */
	if (!lead_end_equal(&q->dest, &ret->ticket.dest))
		return false;
	*a = write_end(&q->dest, ret->object);
	write_asked(q, ret->asked);
	ret->look = (struct action_look){
		.kind = (enum policy_look)q->look,
		.name = q->has_name ? bytes_of(q->name) : BYTES_NULL,
		.method = bytes_of(q->method),
		.path = q->has_path ? bytes_of(q->path) : BYTES_NULL,
		.is_approved = ret->ticket.is_approved,
	};
	return true;
}

static void make_action(const struct looked *l, struct action *ret)
{
	const struct lead_ticket *t = &l->ticket;
	struct bytes object = bytes_of(l->object);
	struct action_step *s = &ret->steps[0];

	*ret = (struct action){.kind = KIND_NETWORK,
			       .op = OP_CONNECT,
			       .pid = t->pid,
			       .tid = t->tid,
			       .ppid = t->ppid,
			       .exe = t->exe[0] ? bytes_of(t->exe) : BYTES_NULL,
			       .object = object,
			       .asked = l->asked[0] ? bytes_of(l->asked) : object,
			       .exists = true,
			       .look = &l->look,
			       .n_steps = 1};
	*s = (struct action_step){.kind = KIND_NETWORK,
				  .op = OP_CONNECT,
				  .object = object,
				  .args = object,
				  .address = &l->address};
	s->n_names = policy_names_init(s->names, OP_CONNECT);
}

static const char *layer_of(enum policy_look look)
{
	static const char *const layers[] = {
		[POLICY_LOOK_NONE] = "look",
		[POLICY_LOOK_NAME] = "sni",
		[POLICY_LOOK_OUTER] = "ech",
		[POLICY_LOOK_REQUEST] = "http",
	};

	return layers[look];
}

static bool counts_with(const struct engine_limit *a, const struct engine_limit *b)
{
	return a->policy == b->policy && a->rule == b->rule && bytes_eq(a->domain, b->domain);
}

/* Return: its slot, LEAD_LIMITS_MAX when there is none left. */
static uint32_t slot_of(struct looks_desk *desk, const struct engine_limit *limit)
{
	struct engine_limit *added;
	char *domain;
	uint32_t i = 0;

	while (i < desk->n_limits && !counts_with(&desk->limits[i], limit))
		i++;
	if (i < desk->n_limits || i == LEAD_LIMITS_MAX)
		return i;
	domain = limit->domain.p ? strndup(limit->domain.p, limit->domain.len) : NULL;
	if (limit->domain.p && !domain)
		return LEAD_LIMITS_MAX;
	added = &desk->limits[desk->n_limits++];
	*added = *limit;
	added->domain.p = domain;
	return i;
}

static bool add_limits(struct looks_desk *desk, const struct decision *d, struct lead_reply *reply)
{
	for (size_t i = 0; i < d->n_limits; i++) {
		uint32_t slot = slot_of(desk, &d->limits[i]);

		if (slot == LEAD_LIMITS_MAX)
			return false;
		reply->limits[reply->n_limits++] =
			(struct lead_limit){.slot = slot, .max = d->limits[i].max_bytes_sent};
	}
	return true;
}

static void note_limit(struct looks_desk *desk, const struct lead_request *q)
{
	const struct engine_limit *limit = q->slot < desk->n_limits ? &desk->limits[q->slot] : NULL;
	struct audit_record r = {.event = AUDIT_NOTICE, .time_ns = clock_realtime_ns()};
	char to[POLICY_HOST_SIZE];
	char note[512];

	if (!limit)
		return;
	(void)write_end(&q->dest, to);
	(void)snprintf(note, sizeof(note),
		       "The connections of rule '%s' of policy '%s'%s%.*s have sent the %" PRIu64
		       " bytes that they may (max_bytes_sent): one to %s was ended.",
		       limit->rule, limit->policy, limit->domain.p ? " to " : "",
		       (int)limit->domain.len, limit->domain.p ? limit->domain.p : "",
		       limit->max_bytes_sent, to);
	r.note = bytes_of(note);
	(void)supervise_record(desk->base.supervise, &r);
}

static void decide(struct looks_desk *desk, const struct looked *l, struct lead_reply *reply)
{
	struct supervise *s = desk->base.supervise;
	const struct engine_time now = {.monotonic_ns = clock_monotonic_ns(),
					.realtime_ns = clock_realtime_ns()};
	struct audit_record r = {.event = AUDIT_ACTION, .time_ns = now.realtime_ns};
	struct decision d;
	struct action a;
	bool is_allowed;

	make_action(l, &a);
	engine_decide(desk->base.engine, &a, &now, &d);
	is_allowed = d.verdict < VERDICT_ASK && add_limits(desk, &d, reply);
	supervise_fill_record(&r, &a, &d);
	supervise_add_domains(&desk->domains, &d, &r);
	r.layer = layer_of(l->look.kind);
	r.result = is_allowed ? AUDIT_RESULT_PERFORMED : AUDIT_RESULT_REFUSED;
	r.error = is_allowed ? 0 : ECONNRESET;
	if (desk->base.scratch)
		redact_record(s->config.redact, desk->base.scratch, &r);
	r.latency_ns = clock_monotonic_ns() - now.monotonic_ns;
	if (supervise_record(s, &r) < 0 && !r.is_audit)
		is_allowed = false; /* what cannot be recorded does not happen */
	reply->is_allowed = is_allowed;
}

static void answer(struct looks_desk *desk, const struct lead_request *q)
{
	struct lead_tickets *tickets = desk->base.supervise->config.names->tickets;
	struct lead_reply reply = {.seq = q->seq};
	struct lead_ticket ticket;
	struct looked looked;

	switch (q->kind) {
	case LEAD_BEGIN:
		lead_tickets_age(tickets);
		return;
	case LEAD_OVER:
		lead_tickets_drop(tickets, &q->from, &q->to);
		return;
	case LEAD_WHO:
		reply.is_allowed = lead_tickets_find(tickets, &q->from, &q->to, &ticket);
		if (reply.is_allowed)
			reply.dest = ticket.dest;
		break;
	case LEAD_LOOK:
		if (look_up(desk->base.supervise, q, &looked))
			decide(desk, &looked, &reply);
		break;
	case LEAD_LIMIT:
		note_limit(desk, q);
		break;
	default:
		break; /* nothing that it could be: no */
	}
	(void)send(desk->base.supervise->config.names->helper.looks, &reply, sizeof(reply),
		   MSG_NOSIGNAL | MSG_DONTWAIT);
}

static void *desk_main(void *arg)
{
	struct looks_desk *desk = arg;
	const struct names_config *names = desk->base.supervise->config.names;
	struct lead_request q;

	for (;;) {
		ssize_t n = recv(names->helper.looks, &q, sizeof(q), 0);

		if (n == 0 || (n < 0 && errno != EINTR))
			return NULL;
		if (n == sizeof(q))
			answer(desk, &q);
	}
}

static void desk_free(struct looks_desk *desk)
{
	for (size_t i = 0; i < desk->n_limits; i++)
		free((void *)(uintptr_t)desk->limits[i].domain.p);
	strbuf_fini(&desk->domains);
	free(desk);
}

int supervise_looks_start(struct supervise *s)
{
	struct looks_desk *desk;
	int r;

	if (!s->config.names)
		return 0;
	desk = calloc(1, sizeof(*desk));
	if (!desk)
		return -ENOMEM;
	desk->domains = STRBUF_INIT(SUPERVISE_DOMAINS_BYTES);
	r = desk_start(&desk->base, s, s->config.names->helper.looks, desk_main, desk);
	if (r < 0) {
		desk_free(desk);
		return r;
	}
	s->looks = desk;
	return 0;
}

void supervise_looks_stop(struct supervise *s)
{
	if (!s || !s->looks)
		return;
	desk_stop(&s->looks->base);
	desk_free(s->looks);
	s->looks = NULL;
}
