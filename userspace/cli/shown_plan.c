/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/shown_plan.h"

void shown_plan_make(const struct policyset *set, struct layer_wishes wishes,
		     struct shown_plan *ret)
{
	const struct plan_config config = {
		.wishes = plan_wishes(set->stack, wishes),
		.agent = "agent",
		.has_names = policyset_names_domains(set),
	};
	struct plan_part parts[_LAYER_MAX];

	plan_try(set->stack, &config, parts, ret->reasons);
	ret->plan = plan_of(set->stack, &config, parts);
}

static void add_layer(struct strbuf *out, const struct plan_layer *l)
{
	strbuf_add_fmt(out, "%-12s %-15s %s\n", l->class, l->layer, l->why);
	if (!streq(l->layer, "none"))
		strbuf_add_fmt(out, "%-28s cost: %s\n", "", l->cost);
	if (l->not_cheaper)
		strbuf_add_fmt(out, "%-28s not cheaper: %s\n", "", l->not_cheaper);
}

void shown_plan_print(const struct shown_plan *p, struct strbuf *out)
{
	struct plan_layer layers[PLAN_CLASSES];

	plan_layers(&p->plan, layers);
	for (size_t i = 0; i < ARRAY_SIZE(layers); i++)
		add_layer(out, &layers[i]);
}
