/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Within one class of addresses (those that have the same longest prefix of all that the rules
 * name) and one class of ports no rule can tell one from another, so that one address and one port
 * of each pair answer for all.
 */
#include "policy/dialect.h"
#include "policy/document.h"
#include "policy/naming.h"
#include "policy/netmap.h"

/* By their place in the table of verdicts. */
static const enum policy_protocol protocols[] = {POLICY_PROTO_TCP, POLICY_PROTO_UDP,
						 POLICY_PROTO_OTHER};

#define N_PROTOCOLS ARRAY_SIZE(protocols)

static const enum action_op ops[_NETMAP_OP_MAX] = {
	[NETMAP_CONNECT] = OP_CONNECT,
	[NETMAP_SEND] = OP_SEND,
	[NETMAP_BIND] = OP_BIND,
};

#define OPS_MAPPED (OP_BIT(OP_CONNECT) | OP_BIT(OP_SEND) | OP_BIT(OP_BIND))
#define OPS_UNIX   (OP_BIT(OP_CONNECT) | OP_BIT(OP_SEND))

static bool names_protocol(const struct matcher *m, enum policy_protocol protocol)
{
	return !m->has_protocols || (m->protocols >> protocol & 1);
}

/* Paths are those of unix sockets. */
static bool concerns_ip(const struct matcher *m)
{
	return (m->ops & OPS_MAPPED) && !m->paths &&
	       (names_protocol(m, POLICY_PROTO_TCP) || names_protocol(m, POLICY_PROTO_UDP) ||
		names_protocol(m, POLICY_PROTO_OTHER));
}

static const char *find_obstacle(const struct matcher *m)
{
	const struct {
		bool is_there;
		const char *why;
	} obstacles[] = {
		{m->n_domains, "a rule names hosts"},
		{m->n_args || m->n_argv, "a rule searches the text of connections (args_pattern)"},
		{m->cwds, "a rule on connections has `cwd`"},
		{m->n_parents, "a rule on connections has `parent`"},
		{matcher_is_on_listener(m), "a rule on connections has `listener`"},
		{m->n_times, "a rule on connections has `time`"},
		{m->verify != VERIFY_NONE || m->n_methods || m->http_paths,
		 "a rule looks at what connections say first"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(obstacles); i++)
		if (obstacles[i].is_there)
			return obstacles[i].why;
	return NULL;
}

static const char *find_rule_obstacle(const struct rule *rule)
{
	const char *why = find_obstacle(&rule->match);

	if (!why && rule->cost != 0)
		why = "a rule on connections has a cost";
	for (size_t i = 0; !why && i < rule->n_unless; i++)
		if (concerns_ip(&rule->unless[i]))
			why = find_obstacle(&rule->unless[i]);
	return why;
}

static const char *find_policy_obstacle(const struct policy *p)
{
	if (policy_get_budget(p))
		return "a policy has a budget, which counts connections";
	if (p->dialect)
		return p->dialect->decided_ops(p->doc) & OPS_NETWORK
			       ? "a policy of another language decides on connections"
			       : NULL;
	if (policy_names_domains(p))
		return "a rule names hosts";
	if (p->has_looks)
		return "a rule looks at what connections say first";
	for (size_t i = 0; i < p->n_rules; i++) {
		const char *why =
			concerns_ip(&p->rules[i].match) ? find_rule_obstacle(&p->rules[i]) : NULL;

		if (why)
			return why;
	}
	return NULL;
}

/* ---- what the rules name */

struct collected {
	struct netmap_prefix *prefixes;
	size_t n_prefixes;
	bool is_begin[NETMAP_PORTS + 1]; /* of a class of ports */
	bool is_too_many;
};

static void add_prefix(struct collected *c, const struct address_range *range)
{
	struct netmap_prefix p = {.bits = range->bits, .is_v4 = range->is_v4};

	memcpy(p.ip, range->ip, range->is_v4 ? 4 : 16);
	for (size_t i = 0; i < c->n_prefixes; i++)
		if (memcmp(&c->prefixes[i], &p, sizeof(p)) == 0)
			return;
	if (c->n_prefixes == NETMAP_MAX_PREFIXES)
		c->is_too_many = true;
	else
		c->prefixes[c->n_prefixes++] = p;
}

static void collect_matcher(struct collected *c, const struct matcher *m)
{
	for (size_t i = 0; i < m->n_addresses && !c->is_too_many; i++)
		add_prefix(c, &m->addresses[i]);
	for (size_t i = 0; i < m->n_ports; i++) {
		c->is_begin[m->ports[i].low] = true;
		c->is_begin[m->ports[i].high + 1U] = true;
	}
}

static void collect(struct collected *c, const struct policy_stack *s)
{
	for (size_t i = 0; i < policy_stack_size(s); i++) {
		const struct policy *p = policy_stack_get(s, i);

		for (size_t k = 0; k < p->n_rules; k++) {
			const struct rule *rule = &p->rules[k];

			if (!concerns_ip(&rule->match))
				continue;
			collect_matcher(c, &rule->match);
			for (size_t n = 0; n < rule->n_unless; n++)
				collect_matcher(c, &rule->unless[n]);
		}
	}
}

static bool is_within(const uint8_t *ip, bool is_v4, const struct netmap_prefix *p)
{
	uint8_t masked[16] = {};
	const size_t size = is_v4 ? 4 : 16;

	if (is_v4 != p->is_v4)
		return false;
	memcpy(masked, ip, size);
	address_mask(masked, size, p->bits);
	return memcmp(masked, p->ip, size) == 0;
}

/* The address after the last of @p. Return: false when there is none. */
static bool step_over(const struct netmap_prefix *p, uint8_t *ip)
{
	const size_t size = p->is_v4 ? 4 : 16;

	memcpy(ip, p->ip, size);
	for (size_t bit = p->bits; bit-- > 0;) {
		uint8_t mask = (uint8_t)(0x80 >> bit % 8);

		ip[bit / 8] ^= mask;
		if (ip[bit / 8] & mask)
			return true;
	}
	return false;
}

/* An address whose longest prefix is @p. Return: false when longer ones cover all of it. */
static bool find_member(const struct netmap *m, const struct netmap_prefix *p, uint8_t ip[16])
{
	bool has_moved = true;

	memset(ip, 0, 16);
	memcpy(ip, p->ip, p->is_v4 ? 4 : 16);
	while (has_moved) {
		has_moved = false;
		for (size_t i = 0; i < m->n_prefixes && !has_moved; i++) {
			const struct netmap_prefix *q = &m->prefixes[i];

			if (q->bits <= p->bits || !is_within(ip, p->is_v4, q))
				continue;
			if (!step_over(q, ip) || !is_within(ip, p->is_v4, p))
				return false;
			has_moved = true;
		}
	}
	return true;
}

/* ---- the cells */

static enum verdict eval(const struct policy_stack *s, struct policy_scratch *scratch,
			 const char *agent, enum action_op op, const struct policy_address *a)
{
	struct policy_name names[POLICY_MAX_NAMES];
	char text[POLICY_HOST_SIZE];
	struct policy_query q = {.kind = KIND_NETWORK,
				 .op = op,
				 .names = names,
				 .address = a,
				 .agent = bytes_of(agent),
				 .minute_of_week = POLICY_TIME_UNKNOWN};
	struct policy_result r;

	policy_address_format(text, a);
	q.args = bytes_of(text);
	q.n_names = policy_names_init(names, op);
	policy_stack_eval(s, scratch, &q, &r);
	return r.verdict;
}

size_t netmap_cell(const struct netmap *m, enum netmap_op op, enum policy_protocol protocol,
		   size_t prefix, size_t port_class)
{
	const size_t place = MIN((size_t)protocol, N_PROTOCOLS - 1);

	return (((size_t)op * N_PROTOCOLS + place) * m->n_prefixes + prefix) * m->n_port_classes +
	       port_class;
}

static void fill_prefix(struct netmap *m, const struct policy_stack *s,
			struct policy_scratch *scratch, const char *agent, size_t prefix)
{
	struct policy_address a = {.has_ip = true, .is_v4 = m->prefixes[prefix].is_v4};
	bool is_met = find_member(m, &m->prefixes[prefix], a.ip);

	for (unsigned port = 0, class = 0; class < m->n_port_classes; port++) {
		if (m->ports[port] != class)
			continue;
		a.port = (uint16_t)port;
		for (unsigned i = 0; i < _NETMAP_OP_MAX * N_PROTOCOLS; i++) {
			enum netmap_op op = (enum netmap_op)(i / N_PROTOCOLS);
			enum verdict v = VERDICT_DENY; /* nobody ever asks */

			a.protocol = protocols[i % N_PROTOCOLS];
			if (is_met)
				v = eval(s, scratch, agent, ops[op], &a);
			m->verdicts[netmap_cell(m, op, a.protocol, prefix, class)] = (uint8_t)v;
			/* Others are only let through under audit, where nobody is asked. */
			m->can_ask |= v == VERDICT_ASK && a.protocol != POLICY_PROTO_OTHER;
		}
		class ++;
	}
}

/* Return: 0, -EOPNOTSUPP. */
static int number_ports(struct netmap *m, const struct collected *c)
{
	size_t class = 0;

	for (size_t port = 0; port < NETMAP_PORTS; port++) {
		if (port && c->is_begin[port] && ++class >= NETMAP_MAX_PORT_CLASSES)
			return -EOPNOTSUPP;
		m->ports[port] = (uint8_t) class;
	}
	m->n_port_classes = class + 1;
	return 0;
}

static int build(struct netmap *m, const struct policy_stack *s, const char *agent,
		 const char **ret_why)
{
	_cleanup_(freep) struct collected *c = calloc(1, sizeof(*c));
	struct policy_scratch *scratch;
	int r;

	m->prefixes = calloc(NETMAP_MAX_PREFIXES, sizeof(*m->prefixes));
	if (!c || !m->prefixes)
		return -ENOMEM;
	c->prefixes = m->prefixes;
	add_prefix(c, &(struct address_range){.is_v4 = true});
	add_prefix(c, &(struct address_range){.is_v4 = false});
	collect(c, s);
	m->n_prefixes = c->n_prefixes;
	r = number_ports(m, c);
	m->n_verdicts = (size_t)_NETMAP_OP_MAX * N_PROTOCOLS * m->n_prefixes * m->n_port_classes;
	if (r < 0 || c->is_too_many || m->n_verdicts > NETMAP_MAX_CELLS) {
		*ret_why = "the rules name more addresses and ports than the kernel's tables hold";
		return -EOPNOTSUPP;
	}
	m->verdicts = malloc(m->n_verdicts);
	scratch = policy_scratch_new(s);
	for (size_t i = 0; m->verdicts && scratch && i < m->n_prefixes; i++)
		fill_prefix(m, s, scratch, agent, i);
	r = m->verdicts && scratch ? 0 : -ENOMEM;
	policy_scratch_free(scratch);
	return r;
}

int netmap_new(const struct policy_stack *s, const char *agent, struct netmap **ret,
	       const char **ret_why)
{
	struct netmap *m;
	int r;

	for (size_t i = 0; i < policy_stack_size(s); i++) {
		*ret_why = find_policy_obstacle(policy_stack_get(s, i));
		if (*ret_why)
			return -EOPNOTSUPP;
	}
	m = calloc(1, sizeof(*m));
	if (!m)
		return -ENOMEM;
	r = build(m, s, agent, ret_why);
	if (r < 0)
		netmap_free(m);
	else
		*ret = m;
	return r;
}

struct netmap *netmap_free(struct netmap *m)
{
	if (m) {
		free(m->prefixes);
		free(m->verdicts);
		free(m);
	}
	return NULL;
}

/* ---- unix sockets */

static bool concerns_unix(const struct matcher *m)
{
	return (m->ops & OPS_UNIX) && names_protocol(m, POLICY_PROTO_UNIX) && !m->n_addresses &&
	       !m->n_ports && !m->n_domains;
}

static const char *find_unix_obstacle(const struct policy *p)
{
	if (policy_get_budget(p))
		return "a policy has a budget";
	if (p->dialect)
		return p->dialect->decided_ops(p->doc) & OPS_UNIX
			       ? "a policy of another language decides on unix sockets"
			       : NULL;
	if (p->unix_default != VERDICT_ALLOW)
		return "unix sockets are not allowed by default";
	for (size_t i = 0; i < p->n_rules; i++)
		if (p->rules[i].action != VERDICT_ALLOW && concerns_unix(&p->rules[i].match))
			return "a rule decides on unix sockets";
	return NULL;
}

bool netmap_unix_is_open(const struct policy_stack *s, const char **ret_why)
{
	for (size_t i = 0; i < policy_stack_size(s); i++) {
		*ret_why = find_unix_obstacle(policy_stack_get(s, i));
		if (*ret_why)
			return false;
	}
	return true;
}
