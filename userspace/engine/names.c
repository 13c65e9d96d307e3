/* SPDX-License-Identifier: Apache-2.0 */
#include "action/steps.h"

#include "engine/names.h"

void engine_add_domains(struct names_table *names, const struct action *a, size_t i,
			uint64_t now_ns, struct names_found *found, struct policy_query *q)
{
	const struct action_step *s = &a->steps[i];

	found->n = found->n_asked = 0;
	q->domains = NULL;
	q->n_domains = q->n_aliases = 0;
	q->is_inner = false;
	q->record = 0;
	if (s->op == OP_RESOLVE) {
		if (!policy_record_parse(a->asked, &q->record))
			q->record = 0;
		q->domains = &s->object;
		q->n_domains = 1;
	}
	if (!s->address || (s->op != OP_CONNECT && s->op != OP_SEND))
		return;
	if (i == 0 && a->n_domains) {
		q->domains = a->domains;
		q->n_domains = a->n_domains;
		q->n_aliases = a->n_aliases;
		q->is_inner = names_is_inner(s->address);
	}
	if (!names)
		return;
	names_table_find(names, s->address, now_ns, found);
	q->domains = found->names;
	q->n_domains = found->n;
	q->n_aliases = found->n - found->n_asked;
	q->is_inner = names_is_inner(s->address);
}

bool engine_is_other_resolver(const struct action_step *s)
{
	static const char *const sockets[] = {
		"/run/nscd/socket",
		"/var/run/nscd/socket",
		"/run/avahi-daemon/socket",
		"/var/run/avahi-daemon/socket",
		"/run/systemd/resolve/io.systemd.Resolve",
		"/run/systemd/resolve/io.systemd.Resolve.Monitor",
	};
	struct bytes path = action_unix_name(s->object);

	if (s->kind != KIND_NETWORK || !(OP_BIT(s->op) & (OP_BIT(OP_CONNECT) | OP_BIT(OP_SEND))))
		return false;
	for (size_t i = 0; path.p && i < ARRAY_SIZE(sockets); i++)
		if (bytes_eq_str(path, sockets[i]))
			return true;
	return false;
}
