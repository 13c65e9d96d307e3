/* SPDX-License-Identifier: Apache-2.0 */
/* Rules on who listens on a unix socket: `listener`, `listener_user`. */
#include <stdio.h>

#include "base/io.h"
#include "policy/document.h"
#include "policy/keys.h"

#define OWN_MARK " (self)"

int match_parse_listeners(const struct loader *l, const struct node *n, void *target)
{
	struct matcher *m = target;

	return match_parse_programs(l, n, "listener", &m->listeners, &m->n_listeners);
}

static int parse_user(const struct loader *l, const struct node *n, int64_t *ret)
{
	struct bytes s = {};
	uint64_t uid = 0;
	int r = schema_string(l, n, "listener_user", &s);

	if (r < 0)
		return r;
	if (bytes_eq_str(s, "self")) {
		*ret = LISTENER_SELF;
		return 0;
	}
	/* Which name is whose number is the machine's, and policies are read without it. */
	if (!bytes_eq_str(s, "root") && parse_u64(s, UINT32_MAX - 1, &uid) < 0)
		return loader_fail(l, n,
				   "'listener_user' is a user's number, root, or self (the user of "
				   "the session); found '%.60s'",
				   s.p);
	*ret = (int64_t)uid;
	return 0;
}

int match_parse_listener_users(const struct loader *l, const struct node *n, void *target)
{
	const struct node *item = NULL;
	struct matcher *m = target;
	int64_t *users;
	int r = schema_list(l, n, "listener_user", &m->n_listener_users, &item);

	if (r < 0)
		return r;
	m->listener_users = users = match_alloc(l, m->n_listener_users, sizeof(*users));
	if (!users)
		return -ENOMEM;
	for (size_t i = 0; r == 0 && i < m->n_listener_users; i++, item = item->next)
		r = parse_user(l, item, &users[i]);
	return r;
}

/* Without regard to the order of rules, and to keys that are no cheaper than to meet somebody. */
static bool wants_listener(const struct policy *p, const struct policy_query *q)
{
	for (size_t i = 0; i < p->n_rules; i++) {
		const struct rule *rule = &p->rules[i];
		const struct key_context c = {.q = q};

		if (rule->meets && key_ops(&c, &rule->match) &&
		    (!rule->match.paths || key_paths(&c, &rule->match)))
			return true;
	}
	return false;
}

bool policy_stack_wants_listener(const struct policy_stack *s, const struct policy_query *q)
{
	if (q->op != OP_CONNECT || !key_query_is_unix(q))
		return false;
	for (size_t i = 0; i < policy_stack_size(s); i++) {
		const struct policy *p = policy_stack_enforcing(s, i);

		if (p && p->has_meets && wants_listener(p, q))
			return true;
	}
	return false;
}

const char *policy_listener_format(const struct policy_listener *who,
				   char out[static POLICY_LISTENER_SIZE])
{
	(void)snprintf(out, POLICY_LISTENER_SIZE, "uid %u%s%s%.*s", who->uid,
		       who->is_own ? OWN_MARK : "", who->exe.len ? " " : "", (int)who->exe.len,
		       who->exe.len ? who->exe.p : "");
	return out;
}

static bool take(struct bytes *text, struct bytes prefix)
{
	if (!bytes_has_prefix(*text, prefix))
		return false;
	text->p += prefix.len;
	text->len -= prefix.len;
	return true;
}

int policy_listener_parse(struct bytes text, struct policy_listener *ret)
{
	struct policy_listener who = {};
	uint64_t uid = 0;
	size_t n = 0;

	if (!take(&text, BYTES_LIT("uid ")))
		return -EINVAL;
	for (; n < text.len && text.p[n] >= '0' && text.p[n] <= '9' && uid <= UINT32_MAX; n++)
		uid = uid * 10 + (uint64_t)(text.p[n] - '0');
	if (n == 0 || uid >= UINT32_MAX)
		return -EINVAL;
	text.p += n;
	text.len -= n;
	who.uid = (uint32_t)uid;
	who.is_own = take(&text, BYTES_LIT(OWN_MARK));
	if (text.len && (!take(&text, BYTES_LIT(" ")) || text.len == 0 || text.p[0] != '/'))
		return -EINVAL;
	who.exe = text.len ? text : BYTES_NULL;
	*ret = who;
	return 0;
}
