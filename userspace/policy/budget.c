/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The value of `budget`. What is counted, and what reaching a limit does, is the engine's.
 */
#include "policy/document.h"

#define SECONDS_MAX     (UINT64_C(366) * 24 * 3600)
#define LOOP_WINDOW_MAX 86400 /* seconds */
#define LOOP_WINDOW_NS  (60 * NS_PER_SEC)
#define LOOP_MAX        1000 /* the guard remembers some thousands of actions */

static int parse_max_spend(const struct loader *l, const struct node *n, void *target)
{
	struct policy_budget *b = target;

	b->has_spend = true;
	return schema_money(l, n, "max_spend", &b->max_spend);
}

static int parse_soft_limit(const struct loader *l, const struct node *n, void *target)
{
	return schema_fraction(l, n, "soft_limit", &((struct policy_budget *)target)->soft_limit);
}

static int parse_max_execs(const struct loader *l, const struct node *n, void *target)
{
	return schema_count(l, n, "max_execs", INT64_MAX,
			    &((struct policy_budget *)target)->max_execs);
}

static int parse_max_connects(const struct loader *l, const struct node *n, void *target)
{
	return schema_count(l, n, "max_connects", INT64_MAX,
			    &((struct policy_budget *)target)->max_connects);
}

static int parse_max_bytes(const struct loader *l, const struct node *n, void *target)
{
	return schema_size(l, n, "max_bytes_written",
			   &((struct policy_budget *)target)->max_bytes_written);
}

static int parse_max_seconds(const struct loader *l, const struct node *n, void *target)
{
	return schema_count(l, n, "max_seconds", SECONDS_MAX,
			    &((struct policy_budget *)target)->max_seconds);
}

static int parse_account(const struct loader *l, const struct node *n, void *target)
{
	struct policy_budget *b = target;
	int r = schema_word(l, n, "account", &b->account);

	if (r == 0 && (n->text.len > POLICY_ACCOUNT_MAX_BYTES || b->account[0] == '.'))
		return loader_fail(l, n,
				   "'account' has at most %d bytes and does not begin with '.': it "
				   "becomes the name of a file",
				   POLICY_ACCOUNT_MAX_BYTES);
	return r;
}

static const char *const limit_actions[] = {
	[POLICY_LIMIT_DENY] = "deny",
	[POLICY_LIMIT_ASK] = "ask",
	[POLICY_LIMIT_STOP] = "stop",
};

static int parse_on_limit(const struct loader *l, const struct node *n, void *target)
{
	struct policy_budget *b = target;

	for (unsigned int i = 0; i < ARRAY_SIZE(limit_actions); i++)
		if (n->type == NODE_SCALAR && bytes_eq_str(n->text, limit_actions[i])) {
			b->on_limit = (enum policy_limit_action)i;
			return 0;
		}
	return loader_fail(l, n, "'on_limit' must be deny, ask or stop (which ends the session)");
}

/* ---- rate */

/* One map of `rate`: what is counted, each with its own number, in one window. */
struct rate_map {
	uint64_t per_ns;
	uint64_t execs, connects, writes; /* 0: not counted */
};

static int parse_per(const struct loader *l, const struct node *n, void *target)
{
	static const struct {
		const char *word;
		uint64_t seconds;
	} units[] = {{"second", 1}, {"minute", 60}, {"hour", 3600}};
	struct rate_map *map = target;

	for (size_t i = 0; i < ARRAY_SIZE(units); i++)
		if (n->type == NODE_SCALAR && bytes_eq_str(n->text, units[i].word)) {
			map->per_ns = units[i].seconds * NS_PER_SEC;
			return 0;
		}
	return loader_fail(l, n, "'per' must be second, minute or hour");
}

static int parse_rate_execs(const struct loader *l, const struct node *n, void *target)
{
	return schema_count(l, n, "execs", UINT32_MAX, &((struct rate_map *)target)->execs);
}

static int parse_rate_connects(const struct loader *l, const struct node *n, void *target)
{
	return schema_count(l, n, "connects", UINT32_MAX, &((struct rate_map *)target)->connects);
}

static int parse_rate_writes(const struct loader *l, const struct node *n, void *target)
{
	return schema_count(l, n, "writes", UINT32_MAX, &((struct rate_map *)target)->writes);
}

static const struct field rate_fields[] = {
	{"per", true, parse_per},
	{"execs", false, parse_rate_execs},
	{"connects", false, parse_rate_connects},
	{"writes", false, parse_rate_writes},
};

static int add_rate(const struct loader *l, const struct node *n, struct policy_budget *b)
{
	struct rate_map map = {};
	int r = schema_map(l, n, "'rate'", rate_fields, ARRAY_SIZE(rate_fields), &map);
	const struct policy_rate rates[] = {
		{.ops = OP_BIT(OP_EXEC), .n = map.execs, .word = "execs"},
		{.ops = OP_BIT(OP_CONNECT), .n = map.connects, .word = "connects"},
		{.ops = OPS_CHANGE, .n = map.writes, .word = "writes"},
	};

	if (r < 0)
		return r;
	if (!map.execs && !map.connects && !map.writes)
		return loader_fail(l, n,
				   "'rate' limits nothing; say how many execs, connects or writes");
	for (size_t i = 0; i < ARRAY_SIZE(rates); i++) {
		if (!rates[i].n)
			continue;
		if (b->n_rates == POLICY_MAX_RATES)
			return loader_fail(l, n, "more than %d rates", POLICY_MAX_RATES);
		b->rates[b->n_rates] = rates[i];
		b->rates[b->n_rates++].per_ns = map.per_ns;
	}
	return 0;
}

static int parse_rate(const struct loader *l, const struct node *n, void *target)
{
	int r = 0;

	if (n->type != NODE_LIST)
		return add_rate(l, n, target);
	if (n->n == 0)
		return loader_fail(l, n, "'rate' is an empty list; remove it, or list a rate");
	for (const struct node *item = n->first; r == 0 && item; item = item->next)
		r = add_rate(l, item, target);
	return r;
}

/* ---- loop */

static int parse_repeats(const struct loader *l, const struct node *n, void *target)
{
	uint64_t repeats;
	int r = schema_count(l, n, "repeats", LOOP_MAX, &repeats);

	if (r < 0)
		return r;
	if (repeats < 2)
		return loader_fail(l, n, "'repeats' must be at least 2: one is no repetition");
	((struct policy_budget *)target)->loop_repeats = (unsigned int)repeats;
	return 0;
}

static int parse_window(const struct loader *l, const struct node *n, void *target)
{
	return schema_duration(l, n, "window", LOOP_WINDOW_MAX,
			       &((struct policy_budget *)target)->loop_window_ns);
}

static const struct field loop_fields[] = {
	{"repeats", true, parse_repeats},
	{"window", false, parse_window},
};

static int parse_loop(const struct loader *l, const struct node *n, void *target)
{
	((struct policy_budget *)target)->loop_window_ns = LOOP_WINDOW_NS;
	return schema_map(l, n, "'loop'", loop_fields, ARRAY_SIZE(loop_fields), target);
}

/* ---- budget */

static const struct field budget_fields[] = {
	{"max_spend", false, parse_max_spend},
	{"soft_limit", false, parse_soft_limit},
	{"max_execs", false, parse_max_execs},
	{"max_connects", false, parse_max_connects},
	{"max_bytes_written", false, parse_max_bytes},
	{"max_seconds", false, parse_max_seconds},
	{"rate", false, parse_rate},
	{"loop", false, parse_loop},
	{"on_limit", false, parse_on_limit},
	{"account", false, parse_account},
};

static bool has_limit(const struct policy_budget *b)
{
	return b->has_spend || b->max_execs || b->max_connects || b->max_bytes_written ||
	       b->max_seconds || b->n_rates || b->loop_repeats;
}

int budget_parse(const struct loader *l, const struct node *n, void *policy)
{
	struct policy *p = policy;
	struct policy_budget *b = arena_alloc(&l->policy->mem, sizeof(*b));
	int r;

	if (!b)
		return -ENOMEM;
	*b = (struct policy_budget){.on_limit = POLICY_LIMIT_DENY};
	r = schema_map(l, n, "'budget'", budget_fields, ARRAY_SIZE(budget_fields), b);
	if (r < 0)
		return r;
	if (b->soft_limit > 0 && !b->has_spend)
		return loader_fail(l, n, "'soft_limit' is a part of 'max_spend', which is missing");
	if (b->account && !b->has_spend)
		return loader_fail(l, n, "'account' shares what is spent, and needs a 'max_spend'");
	if (!has_limit(b))
		return loader_fail(l, n, "'budget' limits nothing; remove it, or say how much");
	p->budget = b;
	return 0;
}
