/* SPDX-License-Identifier: Apache-2.0 */
#include "loader/caps.h"

#include "control/plan.h"

#define NOTIFY   "seccomp-notify"
#define LANDLOCK "landlock"

/* A group that nobody refuses. */
static bool is_granted(const struct policy_stack *stack, enum grant g)
{
	struct policy_source source;

	return policy_stack_grants(stack, g, &source);
}

/*
 * Landlock records nothing, so it is asked only for what no policy lets through: signals to others
 * where the group is granted, or under audit, are looked at one by one instead.
 */
static uint64_t scopes_of(const struct policy_stack *stack, int abi)
{
	if (abi < LANDLOCK_SCOPES_ABI || is_granted(stack, GRANT_PROCESSES))
		return 0;
	return LANDLOCK_SCOPE_SIGNALS;
}

struct plan plan_of(const struct policy_stack *stack)
{
	const uint64_t permitted = caps_permitted();
	struct plan plan = {
		.filter = {.trap_reads = (policy_stack_decided_ops(stack) & OP_BIT(OP_READ)) ||
					 policy_stack_logs_reads(stack),
			   .trap_changes = true,
			   .trap_network = true,
			   .trap_creds = permitted != 0},
		.landlock_abi = landlock_abi(),
		.kept_caps = caps_usual() | policy_stack_capabilities(stack),
	};

	plan.drops_caps = (permitted & ~plan.kept_caps) != 0;
	plan.floor.scoped = scopes_of(stack, plan.landlock_abi);
	plan.filter.trap_signals = !(plan.floor.scoped & LANDLOCK_SCOPE_SIGNALS);
	return plan;
}

static const char *layer_of(bool is_trapped)
{
	return is_trapped ? NOTIFY : "none";
}

static struct plan_layer layer_of_signals(const struct plan *plan)
{
	if (plan->floor.scoped & LANDLOCK_SCOPE_SIGNALS)
		return (struct plan_layer){"signals", LANDLOCK,
					   "processes outside the session cannot be signalled"};
	return (struct plan_layer){
		"signals", NOTIFY,
		plan->landlock_abi < LANDLOCK_SCOPES_ABI
			? "this kernel's Landlock has no scope for signals (Linux 6.12 has)"
			: "no policy refuses signals to processes outside the session; Holdfast's own are out of reach"};
}

static struct plan_layer layer_of_capabilities(const struct plan *plan)
{
	if (plan->drops_caps)
		return (struct plan_layer){
			"capabilities", "dropped",
			"all but a container's usual set and what the policies keep or grant"};
	return (struct plan_layer){"capabilities", "none",
				   plan->filter.trap_creds
					   ? "the policies let the session keep what it has"
					   : "the session begins without any"};
}

void plan_layers(const struct plan *plan, struct plan_layer ret[static PLAN_CLASSES])
{
	const struct filter_plan *f = &plan->filter;
	const struct plan_layer layers[PLAN_CLASSES] = {
		{"tool", NOTIFY, "every exec is decided and recorded"},
		{"path-read", layer_of(f->trap_reads),
		 f->trap_reads
			 ? "a rule or default decides on reads, or log_reads is set"
			 : "no rule or default decides on reads: they are neither asked about nor recorded"},
		{"path-write", layer_of(f->trap_changes), "every change is decided and recorded"},
		{"network", layer_of(f->trap_network),
		 "every connect, send, bind and listen is decided and recorded"},
		{"system", NOTIFY, "refused unless granted"},
		layer_of_signals(plan),
		{"processes", NOTIFY,
		 "limits, priorities and memory of processes outside the session are refused unless granted"},
		layer_of_capabilities(plan),
	};

	memcpy(ret, layers, sizeof(layers));
}
