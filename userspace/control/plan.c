/* SPDX-License-Identifier: Apache-2.0 */
#include <linux/capability.h>

#include "loader/caps.h"
#include "loader/dumps.h"

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
	/* Abstract sockets: only where all that may be connected to is connected by us. */
	return LANDLOCK_SCOPE_SIGNALS |
	       (policy_stack_may_refuse(stack, OPS_NETWORK) ? LANDLOCK_SCOPE_ABSTRACT_UNIX : 0);
}

/*
 * What no policy would let through wherever it is, so that nothing which was overlooked gets
 * through either. Whoever handles rights on files refuses every mount as well, so not where mounts
 * are granted.
 */
static struct landlock_floor floor_of(const struct policy_stack *stack, int abi)
{
	return (struct landlock_floor){
		.scoped = scopes_of(stack, abi),
		.bounds_changes = abi > 0 && !is_granted(stack, GRANT_MOUNT) &&
				  policy_stack_bound_paths(stack, OPS_CHANGE, NULL, NULL),
		.bounds_lists = abi > 0 && !is_granted(stack, GRANT_MOUNT) &&
				policy_stack_bound_paths(stack, OP_BIT(OP_READ), NULL, NULL),
		.bounds_connect = abi >= LANDLOCK_PORTS_ABI &&
				  policy_stack_bound_ports(stack, OP_CONNECT, NULL, NULL),
		.bounds_bind = abi >= LANDLOCK_PORTS_ABI &&
			       policy_stack_bound_ports(stack, OP_BIND, NULL, NULL),
	};
}

struct plan plan_of(const struct policy_stack *stack)
{
	const uint64_t permitted = caps_permitted();
	struct plan plan = {
		.filter = {.trap_reads = (policy_stack_decided_ops(stack) & OP_BIT(OP_READ)) ||
					 policy_stack_logs_reads(stack),
			   .trap_changes = true,
			   .trap_network = true,
			   .trap_creds = permitted != 0,
			   .trap_hiding = !(permitted & CAP_BIT(CAP_SYS_PTRACE))},
		.landlock_abi = landlock_abi(),
		.kept_caps = caps_usual() | policy_stack_capabilities(stack),
	};

	plan.drops_caps = (permitted & ~plan.kept_caps) != 0;
	plan.refuses_dumps = policy_stack_may_refuse(stack, OPS_CHANGE) && dumps_are_files();
	plan.floor = floor_of(stack, plan.landlock_abi);
	plan.filter.trap_signals = !(plan.floor.scoped & LANDLOCK_SCOPE_SIGNALS);
	return plan;
}

struct adding {
	int ruleset;
	int abi;
	enum landlock_access access;
	bool is_connect;
	int error;
};

static void add_directory(void *ctx, struct bytes dir)
{
	struct adding *a = ctx;
	_cleanup_(freep) char *path = strndup(dir.p, dir.len);
	int r = path ? landlock_add_directory(a->ruleset, path, a->access, a->abi) : -ENOMEM;

	a->error = a->error ? a->error : r;
}

static void add_port(void *ctx, uint16_t port)
{
	struct adding *a = ctx;
	int r = landlock_add_port(a->ruleset, port, a->is_connect);

	a->error = a->error ? a->error : r;
}

int plan_ruleset(const struct policy_stack *stack, const struct plan *plan)
{
	const struct landlock_floor *f = &plan->floor;
	_cleanup_(fd_closep) int fd = landlock_prepare(f, plan->landlock_abi);
	struct adding adding = {.ruleset = fd, .abi = plan->landlock_abi};

	if (fd < 0)
		return fd;
	if (f->bounds_changes)
		(void)policy_stack_bound_paths(stack, OPS_CHANGE, add_directory, &adding);
	adding.access = LANDLOCK_LISTS;
	if (f->bounds_lists)
		(void)policy_stack_bound_paths(stack, OP_BIT(OP_READ), add_directory, &adding);
	if (f->bounds_bind)
		(void)policy_stack_bound_ports(stack, OP_BIND, add_port, &adding);
	adding.is_connect = true;
	if (f->bounds_connect)
		(void)policy_stack_bound_ports(stack, OP_CONNECT, add_port, &adding);
	return adding.error ? adding.error : TAKE_FD(fd);
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

/*
 * Reading files and executing are not in the floor, whatever the policies bound: of what is
 * executed the kernel itself opens the loader, too, which no rule has to name and nobody can know
 * beforehand, and for that it wants both rights.
 */
static struct plan_layer layer_of_floor(const struct plan *plan)
{
#define REST                                                                                       \
	"; denials inside an allowed tree are the supervisor's, and so are programs and the reading of files"
	static const char *const reasons[2][2][2] = {
		{{NULL, "TCP ports that no rule could allow"},
		 {"listing directories that no rule could allow" REST,
		  "listing directories, and TCP ports, that no rule could allow" REST}},
		{{"changes that no rule could allow" REST,
		  "changes and TCP ports that no rule could allow" REST},
		 {"changes, and listing directories, that no rule could allow" REST,
		  "changes, listing directories, and TCP ports, that no rule could allow" REST}},
	};
#undef REST
	const struct landlock_floor *f = &plan->floor;
	const char *reason =
		reasons[f->bounds_changes][f->bounds_lists][f->bounds_connect || f->bounds_bind];

	if (reason)
		return (struct plan_layer){"floor", LANDLOCK, reason};
	return (struct plan_layer){
		"floor", "none",
		"the policies allow or ask by default, grant mounts, or the kernel has no Landlock"};
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

static struct plan_layer layer_of_dumps(const struct plan *plan)
{
	if (plan->refuses_dumps)
		return (struct plan_layer){
			"core-files", "rlimit",
			"the kernel would write them wherever a process stands, and ask nobody"};
	return (struct plan_layer){"core-files", "none",
				   "no policy refuses a change, or core_pattern is a program"};
}

static struct plan_layer layer_of_memory(const struct plan *plan)
{
	if (plan->filter.trap_hiding)
		return (struct plan_layer){
			"memory", NOTIFY,
			"a program that asks not to be read stays readable to the supervisor; others of the session are refused"};
	return (struct plan_layer){"memory", "none", "the supervisor may read every process"};
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
		layer_of_floor(plan),
		layer_of_capabilities(plan),
		layer_of_dumps(plan),
		layer_of_memory(plan),
		{"sight", plan->sees_processes ? "ebpf" : "none",
		 plan->sees_processes
			 ? "the kernel tells of every process: how it began, what it executed, how it ended"
			 : "not asked for with --layers"},
	};

	memcpy(ret, layers, sizeof(layers));
}
