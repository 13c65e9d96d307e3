/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"

#include "cli/eval_budget.h"

#define FNV_BASIS UINT64_C(0xcbf29ce484222325)
#define FNV_PRIME UINT64_C(0x100000001b3)

int eval_budget_new(const struct policy_stack *stack, struct budget **ret)
{
	*ret = NULL;
	for (size_t i = 0; i < policy_stack_size(stack); i++) {
		const struct policy *p = policy_stack_get(stack, i);

		if (policy_get_language(p) == POLICY_LANGUAGE_NATIVE && policy_get_budget(p))
			return budget_new(stack, clock_monotonic_ns(), ret);
	}
	return 0;
}

static uint64_t hash_bytes(uint64_t hash, struct bytes s)
{
	for (size_t i = 0; i < s.len; i++)
		hash = (hash ^ (unsigned char)s.p[i]) * FNV_PRIME;
	return (hash ^ s.len) * FNV_PRIME;
}

/* As the engine: programs and connections can go round in circles. */
static uint64_t hash_action(const struct budget *b, const struct policy_query *q)
{
	uint64_t hash = FNV_BASIS;

	if (!budget_needs_hash(b))
		return 0;
	hash = (hash ^ (unsigned int)q->kind) * FNV_PRIME;
	hash = (hash ^ (unsigned int)q->op) * FNV_PRIME;
	for (size_t i = 0; i < q->n_names; i++)
		hash = hash_bytes(hash, q->names[i].name);
	hash = hash_bytes(hash, q->path);
	hash = hash_bytes(hash, q->args);
	return hash ? hash : 1;
}

static bool is_spending(const struct policy_query *q)
{
	return q->api && q->api->type == POLICY_API_CALL && q->api->call == POLICY_CALL_COST;
}

void eval_budget_apply(struct budget *b, const struct policy_query *q, struct policy_result *r,
		       struct budget_answer *answer)
{
	struct budget_action action = {
		.ops = OP_BIT(q->op),
		.is_exec = q->kind == KIND_TOOL,
		.is_connect = (q->op == OP_CONNECT || q->op == OP_SEND) && q->address &&
			      q->address->protocol != POLICY_PROTO_UNIX,
		.cost = r->cost < 0 ? 0 : r->cost,
	};
	uint64_t now = clock_monotonic_ns();

	if (r->verdict == VERDICT_DENY)
		return;
	if (is_spending(q)) {
		/* Money alone is no program: it is looked at like one and counted as spent. */
		struct budget_answer counted;

		action.ops = 0;
		budget_check(b, &action, now, answer);
		if (answer->verdict <= VERDICT_FLAG && r->verdict <= VERDICT_FLAG)
			budget_spend(b, action.cost, &counted);
	} else {
		if (action.is_exec || action.is_connect)
			action.hash = hash_action(b, q);
		if (r->verdict == VERDICT_ASK && !q->is_approved)
			budget_check(b, &action, now, answer);
		else
			budget_charge(b, &action, q->is_approved, now, answer);
	}
	if (answer->verdict <= r->verdict)
		return;
	r->verdict = answer->verdict;
	r->source = (struct policy_source){
		.policy = policy_name(answer->policy),
		.rule = BUDGET_RULE,
		.reason = answer->reason,
		.file = policy_file(answer->policy),
		.language = policy_get_language(answer->policy),
	};
}
