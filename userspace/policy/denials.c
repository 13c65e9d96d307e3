/* SPDX-License-Identifier: Apache-2.0 */
/* The value of `denials`: what follows when an agent repeats what it was denied. */
#include "policy/document.h"

#define REPEATS_MAX 1000

static int parse_repeats(const struct loader *l, const struct node *n, void *target)
{
	struct policy_denials *d = target;
	uint64_t repeats = 0;
	int r = schema_count(l, n, "repeats", REPEATS_MAX, &repeats);

	d->repeats = (unsigned)repeats;
	return r;
}

static int parse_on_limit(const struct loader *l, const struct node *n, void *target)
{
	struct policy_denials *d = target;

	if (n->type == NODE_SCALAR && bytes_eq_str(n->text, "slow"))
		return 0;
	if (n->type == NODE_SCALAR && bytes_eq_str(n->text, "stop"))
		d->stops = true;
	else if (n->type == NODE_SCALAR && bytes_eq_str(n->text, "none"))
		d->is_off = true;
	else
		return loader_fail(l, n,
				   "'on_limit' of 'denials' must be slow, stop or none: what "
				   "happens to an agent that repeats what it was denied");
	return 0;
}

static const struct field denials_fields[] = {
	{"repeats", false, parse_repeats},
	{"on_limit", false, parse_on_limit},
};

int denials_parse(const struct loader *l, const struct node *n, void *target)
{
	struct policy *p = target;

	p->denials = (struct policy_denials){.is_said = true};
	if (n->type == NODE_MAP && n->n == 0)
		return loader_fail(l, n, "'denials' is empty; give it 'repeats' or 'on_limit'");
	return schema_map(l, n, "'denials'", denials_fields, ARRAY_SIZE(denials_fields),
			  &p->denials);
}

void policy_stack_denials(const struct policy_stack *s, unsigned *ret_repeats, bool *ret_stops)
{
	bool is_off = false, is_on = false;
	unsigned repeats = 0;

	*ret_stops = false;
	for (size_t i = 0; i < policy_stack_size(s); i++) {
		const struct policy *p = policy_stack_enforcing(s, i);

		if (!p || !p->denials.is_said)
			continue;
		is_off |= p->denials.is_off;
		is_on |= !p->denials.is_off;
		*ret_stops |= p->denials.stops;
		if (p->denials.repeats && (!repeats || p->denials.repeats < repeats))
			repeats = p->denials.repeats;
	}
	*ret_repeats = repeats ? repeats : POLICY_DENIAL_REPEATS;
	if (is_off && !is_on)
		*ret_repeats = 0;
}
