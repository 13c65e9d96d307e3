/* SPDX-License-Identifier: Apache-2.0 */
#include "loader/caps.h"

#include "control/plan.h"

#define NOTIFY "seccomp-notify"

struct filter_plan plan_of(const struct policy_stack *stack)
{
	return (struct filter_plan){
		.trap_reads = (policy_stack_decided_ops(stack) & OP_BIT(OP_READ)) ||
			      policy_stack_logs_reads(stack),
		.trap_changes = true,
		.trap_network = true,
		.trap_creds = caps_permitted() != 0,
	};
}

static const char *layer_of(bool is_trapped)
{
	return is_trapped ? NOTIFY : "none";
}

void plan_layers(const struct filter_plan *plan, struct plan_layer ret[static PLAN_CLASSES])
{
	const struct plan_layer layers[PLAN_CLASSES] = {
		{"tool", NOTIFY, "every exec is decided and recorded"},
		{"path-read", layer_of(plan->trap_reads),
		 plan->trap_reads
			 ? "a rule or default decides on reads, or log_reads is set"
			 : "no rule or default decides on reads: they are neither asked about nor recorded"},
		{"path-write", layer_of(plan->trap_changes),
		 "every change is decided and recorded"},
		{"network", layer_of(plan->trap_network),
		 "every connect, send, bind and listen is decided and recorded"},
		{"system", NOTIFY, "refused unless granted"},
	};

	memcpy(ret, layers, sizeof(layers));
}
