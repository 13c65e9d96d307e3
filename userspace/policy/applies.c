/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `applies_to`: which sessions a policy is for. The kinds that are given must all fit; of each, any
 * value does.
 */
#include "policy/dialect.h"
#include "policy/document.h"

static int parse_agents(const struct loader *l, const struct node *n, void *target)
{
	struct applies_to *a = target;
	struct glob *first = NULL, **tail = &first;
	const struct node *item = NULL;
	const char **texts;
	int r = schema_list(l, n, "agents", &a->n_agents, &item);

	if (r < 0)
		return r;
	texts = arena_alloc(&l->policy->mem, a->n_agents * sizeof(*texts));
	if (!texts)
		return -ENOMEM;
	for (size_t i = 0; r == 0 && i < a->n_agents; i++, item = item->next) {
		char why[GLOB_WHY_SIZE];

		r = schema_text(l, item, "agents", &texts[i]);
		if (r < 0)
			return r;
		r = glob_compile(&l->policy->mem, bytes_of(texts[i]), GLOB_NAME, l->vars, tail,
				 why);
		if (r == -EINVAL)
			return loader_fail(l, item, "'%.100s' cannot be a pattern: %s", texts[i],
					   why);
		while (*tail)
			tail = &(*tail)->next;
	}
	a->agents = first;
	a->agent_texts = texts;
	return r;
}

static int parse_tags(const struct loader *l, const struct node *n, void *target)
{
	struct applies_to *a = target;

	return schema_words(l, n, "tags", &a->tags, &a->n_tags);
}

static int parse_tiers(const struct loader *l, const struct node *n, void *target)
{
	struct applies_to *a = target;

	return schema_words(l, n, "tiers", &a->tiers, &a->n_tiers);
}

static const struct field applies_fields[] = {
	{"agents", false, parse_agents},
	{"tags", false, parse_tags},
	{"tiers", false, parse_tiers},
};

int applies_parse(const struct loader *l, const struct node *n, void *policy)
{
	struct policy *p = policy;
	struct applies_to *a = arena_alloc(&l->policy->mem, sizeof(*a));
	int r;

	if (!a)
		return -ENOMEM;
	*a = (struct applies_to){};
	r = schema_map(l, n, "'applies_to'", applies_fields, ARRAY_SIZE(applies_fields), a);
	if (r == 0 && n->n == 0)
		r = loader_fail(l, n,
				"'applies_to' is empty; remove it: a policy applies to everybody");
	if (r == 0)
		p->applies_to = a;
	return r;
}

static bool fits_agent(const struct applies_to *a, const char *agent)
{
	for (const struct glob *g = a->agents; agent && g; g = g->next)
		if (glob_match(g, bytes_of(agent)))
			return true;
	return a->n_agents == 0;
}

static bool has_word(const char *const *words, size_t n, const char *word)
{
	for (size_t i = 0; word && i < n; i++)
		if (streq(words[i], word))
			return true;
	return false;
}

static bool fits_tags(const struct applies_to *a, const struct policy_subject *who)
{
	for (size_t i = 0; i < who->n_tags; i++)
		if (has_word(a->tags, a->n_tags, who->tags[i]))
			return true;
	return a->n_tags == 0;
}

bool policy_applies_to(const struct policy *p, const struct policy_subject *who)
{
	const struct applies_to *a = p->applies_to;

	if (p->dialect && p->dialect->applies_to)
		return p->dialect->applies_to(p->doc, who);
	if (!a)
		return true;
	return fits_agent(a, who->agent) && fits_tags(a, who) &&
	       (a->n_tiers == 0 || has_word(a->tiers, a->n_tiers, who->tier));
}
