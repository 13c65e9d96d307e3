/* SPDX-License-Identifier: Apache-2.0 */
#include "action/steps.h"

#include "engine/names.h"

static bool is_asked(const struct names_found *found, struct bytes name, size_t *ret)
{
	for (size_t i = 0; i < found->n_asked; i++)
		if (bytes_eq(found->names[i], name)) {
			*ret = i;
			return true;
		}
	return false;
}

/* The name that was seen, with what the names are aliases of: which of them nobody knows. */
static void keep_seen(struct names_found *found, size_t seen)
{
	size_t n_aliases = found->n - found->n_asked;

	found->names[0] = found->names[seen];
	memmove(&found->names[1], &found->names[found->n_asked],
		n_aliases * sizeof(found->names[0]));
	found->n_asked = 1;
	found->n = n_aliases + 1;
}

static void add_facts(const struct action_look *look, struct policy_query *q)
{
	q->look = look->kind;
	q->http_method = look->method;
	q->http_path = look->path;
}

/*
 * A name that was not resolved to this address is one more that stands for it, and verifies
 * nothing: whoever chose the address could have been told by another name to choose it.
 */
static void add_seen(const struct action_look *look, struct names_found *found,
		     struct policy_query *q)
{
	size_t seen;

	add_facts(look, q);
	if (look->name.p && is_asked(found, look->name, &seen)) {
		if (look->kind != POLICY_LOOK_NONE)
			keep_seen(found, seen);
		return;
	}
	q->look = POLICY_LOOK_NONE;
	if (!look->name.p)
		return;
	/* One name less of so many that the address has makes no difference. */
	if (found->n == NAMES_AT_ADDRESS && found->n-- == found->n_asked)
		found->n_asked--;
	memmove(&found->names[1], &found->names[0], found->n * sizeof(found->names[0]));
	found->names[0] = look->name;
	found->n++;
	found->n_asked++;
}

void engine_add_domains(struct names_table *names, const struct action *a, size_t i,
			uint64_t now_ns, struct names_found *found, struct policy_query *q)
{
	const struct action_step *s = &a->steps[i];

	found->n = found->n_asked = 0;
	q->domains = NULL;
	q->n_domains = q->n_aliases = 0;
	q->is_inner = false;
	q->record = 0;
	q->look = s->address && s->address->protocol == POLICY_PROTO_TCP ? POLICY_LOOK_AHEAD
									 : POLICY_LOOK_NONE;
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
		if (a->look)
			add_facts(a->look, q);
	}
	if (!names)
		return;
	names_table_find(names, s->address, now_ns, found);
	if (a->look)
		add_seen(a->look, found, q);
	q->domains = found->names;
	q->n_domains = found->n;
	q->n_aliases = found->n - found->n_asked;
	q->is_inner = names_is_inner(s->address);
}

bool engine_eval_led(const struct policy_stack *stack, struct policy_scratch *scratch,
		     const struct policy_query *q, struct policy_result *ret)
{
	size_t n_asked = q->n_domains - q->n_aliases;
	struct bytes names[NAMES_AT_ADDRESS + 1];
	struct policy_query one = *q;

	if (q->look != POLICY_LOOK_AHEAD || n_asked == 0 || q->n_aliases > NAMES_AT_ADDRESS ||
	    !policy_stack_wants_look(stack, q))
		return false;
	memcpy(names + 1, q->domains + n_asked, q->n_aliases * sizeof(*names));
	one.domains = names;
	one.n_domains = q->n_aliases + 1;
	for (size_t i = 0; i < n_asked && (i == 0 || ret->verdict > VERDICT_ALLOW); i++) {
		struct policy_result r;

		names[0] = q->domains[i];
		policy_stack_eval(stack, scratch, &one, &r);
		if (i == 0 || r.verdict < ret->verdict)
			*ret = r;
	}
	return true;
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
