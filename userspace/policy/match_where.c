/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Keys of `match` that name where and when: address, cidr, port, protocol, domain,
 * verify, http_method, time.
 */
#include "policy/document.h"

static const char *const protocol_names[_POLICY_PROTO_MAX] = {
	[POLICY_PROTO_TCP] = "tcp",
	[POLICY_PROTO_UDP] = "udp",
	[POLICY_PROTO_UNIX] = "unix",
	[POLICY_PROTO_OTHER] = "other",
};

const char *policy_protocol_name(enum policy_protocol p)
{
	return (unsigned int)p < _POLICY_PROTO_MAX ? protocol_names[p] : "unknown";
}

static int parse_ranges(const struct loader *l, const struct node *n, const char *key,
			struct matcher *m)
{
	const struct node *item = NULL;
	struct address_range *ranges;
	int r;

	if (m->n_addresses)
		return loader_fail(l, n, "'address' and 'cidr' are the same key; make one list");
	r = schema_list(l, n, key, &m->n_addresses, &item);
	if (r < 0)
		return r;
	m->addresses = ranges = match_alloc(l, m->n_addresses, sizeof(*ranges));
	if (!ranges)
		return -ENOMEM;
	for (size_t i = 0; r == 0 && i < m->n_addresses; i++, item = item->next) {
		char why[ADDRESS_WHY_SIZE];
		struct bytes s = {};

		r = schema_string(l, item, key, &s);
		if (r == 0 && address_range_parse(s, &ranges[i], why) < 0)
			r = loader_fail(l, item, "%s", why);
	}
	return r;
}

int match_parse_address(const struct loader *l, const struct node *n, void *target)
{
	return parse_ranges(l, n, "address", target);
}

int match_parse_cidr(const struct loader *l, const struct node *n, void *target)
{
	return parse_ranges(l, n, "cidr", target);
}

int match_parse_ports(const struct loader *l, const struct node *n, void *target)
{
	const struct node *item = NULL;
	struct matcher *m = target;
	struct port_range *ports;
	int r = schema_list(l, n, "port", &m->n_ports, &item);

	if (r < 0)
		return r;
	m->ports = ports = match_alloc(l, m->n_ports, sizeof(*ports));
	if (!ports)
		return -ENOMEM;
	for (size_t i = 0; r == 0 && i < m->n_ports; i++, item = item->next) {
		char why[ADDRESS_WHY_SIZE];
		struct bytes s = {};

		r = schema_string(l, item, "port", &s);
		if (r == 0 && port_range_parse(s, &ports[i], why) < 0)
			r = loader_fail(l, item, "%s", why);
	}
	return r;
}

int match_parse_protocols(const struct loader *l, const struct node *n, void *target)
{
	const struct node *item = NULL;
	struct matcher *m = target;
	size_t count = 0;
	int r = schema_list(l, n, "protocol", &count, &item);

	m->has_protocols = true;
	for (; r == 0 && count; count--, item = item->next) {
		uint32_t bit = 0;
		struct bytes s = {};

		r = schema_string(l, item, "protocol", &s);
		for (unsigned int i = 0; r == 0 && i < _POLICY_PROTO_MAX; i++)
			if (bytes_eq_str(s, protocol_names[i]))
				bit = UINT32_C(1) << i;
		if (r == 0 && !bit)
			r = loader_fail(l, item,
					"there is no protocol '%.60s'; there are tcp, udp, "
					"unix and other",
					s.p);
		m->protocols |= bit;
	}
	return r;
}

int match_parse_domains(const struct loader *l, const struct node *n, void *target)
{
	const struct node *item = NULL;
	struct matcher *m = target;
	struct domain_pattern *domains;
	int r = schema_list(l, n, "domain", &m->n_domains, &item);

	if (r < 0)
		return r;
	m->domains = domains = match_alloc(l, m->n_domains, sizeof(*domains));
	if (!domains)
		return -ENOMEM;
	for (size_t i = 0; r == 0 && i < m->n_domains; i++, item = item->next) {
		char why[DOMAIN_WHY_SIZE];
		struct bytes s = {};

		r = schema_string(l, item, "domain", &s);
		if (r < 0)
			return r;
		r = domain_pattern_parse(&l->policy->mem, s, &domains[i], why);
		if (r == -EINVAL)
			r = loader_fail(l, item, "%s", why);
	}
	return r;
}

int match_parse_verify(const struct loader *l, const struct node *n, void *target)
{
	struct matcher *m = target;
	struct bytes s = {};
	int r = schema_string(l, n, "verify", &s);

	if (r < 0)
		return r;
	if (bytes_eq_str(s, "sni"))
		m->verify = VERIFY_SNI;
	else if (bytes_eq_str(s, "outer-sni"))
		m->verify = VERIFY_OUTER_SNI;
	else
		return loader_fail(l, n,
				   "'verify' must be sni or outer-sni: by which name in its first "
				   "bytes a connection is known");
	return 0;
}

int match_parse_methods(const struct loader *l, const struct node *n, void *target)
{
	const struct node *item = NULL;
	struct matcher *m = target;
	struct bytes *methods;
	int r = schema_list(l, n, "http_method", &m->n_methods, &item);

	if (r < 0)
		return r;
	m->methods = methods = match_alloc(l, m->n_methods, sizeof(*methods));
	if (!methods)
		return -ENOMEM;
	for (size_t i = 0; r == 0 && i < m->n_methods; i++, item = item->next) {
		struct bytes s = {};

		r = schema_string(l, item, "http_method", &s);
		for (size_t k = 0; r == 0 && k < s.len; k++)
			if ((s.p[k] < 'A' || s.p[k] > 'Z') && s.p[k] != '-' && s.p[k] != '_')
				r = loader_fail(l, item,
						"a method of HTTP is written in capitals, such as "
						"GET or POST; found '%.60s'",
						s.p);
		if (r < 0)
			return r;
		methods[i] = arena_copy(&l->policy->mem, s.p, s.len);
		if (!methods[i].p)
			return -ENOMEM;
	}
	return r;
}

int match_parse_times(const struct loader *l, const struct node *n, void *target)
{
	const struct node *item = NULL;
	struct matcher *m = target;
	struct week_range *times;
	int r = schema_list(l, n, "time", &m->n_times, &item);

	if (r < 0)
		return r;
	m->times = times = match_alloc(l, m->n_times, sizeof(*times));
	if (!times)
		return -ENOMEM;
	for (size_t i = 0; r == 0 && i < m->n_times; i++, item = item->next) {
		char why[WEEK_WHY_SIZE];
		struct bytes s = {};

		r = schema_string(l, item, "time", &s);
		if (r == 0 && week_range_parse(s, &times[i], why) < 0)
			r = loader_fail(l, item, "%s", why);
	}
	return r;
}
