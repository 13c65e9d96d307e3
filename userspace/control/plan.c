/* SPDX-License-Identifier: Apache-2.0 */
#include <linux/capability.h>

#include "loader/caps.h"
#include "loader/dumps.h"
#include "loader/probe.h"

#include "control/plan.h"

#define NOTIFY   "seccomp-notify"
#define LANDLOCK "landlock"

/* docs/performance.md has the measurements. */
#define COST_NOTHING "nothing"
#define COST_NOTIFY  "some 10 to 40 us a call, which waits for the supervisor"
#define COST_FLOOR   "under 1 us for what it bounds"
#define COST_KERNEL  "a few us a call, its record included"

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

int layer_wishes_parse(const char *text, struct layer_wishes *ret, struct bytes *ret_word)
{
	*ret = (struct layer_wishes){};
	for (const char *p = text; *p || p == text; p += *p == ',') {
		struct bytes word = {.p = p, .len = strcspn(p, ",")};
		const bool is_not = word.len && *p == '-';
		struct bytes name = {.p = p + is_not, .len = word.len - is_not};
		enum kernel_layer layer;

		p += word.len;
		if (bytes_eq_str(word, "auto")) {
			ret->is_auto = true;
		} else if (bytes_eq_str(word, "none") || bytes_eq_str(word, "-bpf")) {
			ret->forbidden |= LAYERS_EBPF;
		} else if (layer_parse(name, &layer) == 0) {
			*(is_not ? &ret->forbidden : &ret->forced) |= LAYER_BIT(layer);
		} else {
			*ret_word = word;
			return -EINVAL;
		}
	}
	return 0;
}

bool layer_is_wished(const struct layer_wishes *wishes, enum kernel_layer layer,
		     const char **ret_why)
{
	if (wishes->forbidden & LAYER_BIT(layer)) {
		*ret_why = "forbidden by --layers";
		return false;
	}
	if (!wishes->is_auto && !(wishes->forced & LAYER_BIT(layer))) {
		*ret_why = "not asked for with --layers";
		return false;
	}
	return true;
}

struct layer_wishes plan_wishes(const struct policy_stack *stack, struct layer_wishes asked)
{
	asked.forced |= policy_stack_required_layers(stack);
	return asked;
}

bool plan_is_possible(const struct plan *plan, const struct layer_wishes *wishes,
		      enum kernel_layer *ret)
{
	for (unsigned i = 0; i < _LAYER_MAX; i++)
		if ((wishes->forced & LAYER_BIT(i)) && !plan->parts[i].is_there) {
			*ret = (enum kernel_layer)i;
			return false;
		}
	return true;
}

/* ---- connections */

/* Whoever is granted these reaches sockets, or the programs themselves, by ways that the programs
 * do not see. */
static const char *find_grant_obstacle(const struct policy_stack *stack)
{
	static const struct {
		enum grant grant;
		const char *why;
	} obstacles[] = {
		{GRANT_RAW_SOCKET,
		 "the policies grant raw_socket, and such sockets have other ways"},
		{GRANT_IO_URING, "the policies grant io_uring, which connects past the filter"},
		{GRANT_FOREIGN_ABI, "the policies grant foreign_abi"},
		{GRANT_BPF, "the policies grant bpf, with which programs can be taken away"},
		{GRANT_ADMIN, "the policies grant admin, with which a process leaves its cgroup"},
		{GRANT_MOUNT, "the policies grant mount, with which a process leaves its cgroup"},
	};

	/*
	 * Under audit nothing is refused, and what matters is that it is recorded. Without
	 * capabilities nobody makes raw sockets but in a network namespace of his own, takes our
	 * programs away or leaves the cgroup; and the programs see what io_uring and foreign calls
	 * connect, where the filter does not.
	 */
	if (policy_stack_is_audit(stack) && caps_permitted() == 0)
		return NULL;
	for (size_t i = 0; i < ARRAY_SIZE(obstacles); i++)
		if (is_granted(stack, obstacles[i].grant))
			return obstacles[i].why;
	return NULL;
}

static const char *find_net_obstacle(const struct policy_stack *stack,
				     const struct plan_config *config)
{
	const char *why = find_grant_obstacle(stack);
	unsigned repeats;
	bool stops;

	if (why)
		return why;
	if (config->has_names)
		return "names of hosts are learned, for which questions to the DNS are led to a helper";
	if (config->guards_socket)
		return "the tmux server's socket has to be kept out of reach";
	policy_stack_denials(stack, &repeats, &stops);
	if (stops)
		return "a policy ends the session for repeated denials, which the kernel does not count";
	return netmap_unix_is_open(stack, &why) ? NULL : why;
}

int plan_net_map(const struct policy_stack *stack, const struct plan_config *config,
		 struct netmap **ret, const char **ret_why)
{
	struct netmap *map = NULL;
	int r;

	*ret_why = find_net_obstacle(stack, config);
	if (*ret_why)
		return -EOPNOTSUPP;
	r = netmap_new(stack, config->agent, &map, ret_why);
	if (r < 0)
		return r;
	if (map->can_ask) {
		*ret_why =
			"a rule asks about connections, and the kernel cannot wait for an answer";
		netmap_free(map);
		return -EOPNOTSUPP;
	}
	*ret = map;
	return 0;
}

/* ---- the plan */

static struct plan_part landlock_part(const struct layer_wishes *wishes)
{
	if (wishes->forbidden & LAYER_BIT(LAYER_LANDLOCK))
		return (struct plan_part){.why = "forbidden by --layers"};
	if (probe_is_taken_away("landlock"))
		return (struct plan_part){.why = "taken away by " PROBE_WITHOUT};
	if (landlock_abi() <= 0)
		return (struct plan_part){.why = "the kernel has no Landlock"};
	return (struct plan_part){.is_there = true, .why = ""};
}

static int usable_landlock_abi(const struct plan_part *part)
{
	int abi = part->is_there ? landlock_abi() : 0;

	return probe_is_taken_away("landlock-scopes") ? MIN(abi, LANDLOCK_SCOPES_ABI - 1) : abi;
}

struct plan plan_of(const struct policy_stack *stack, const struct plan_config *config,
		    const struct plan_part parts[static _LAYER_MAX])
{
	const uint64_t permitted = caps_permitted();
	struct plan plan = {
		.filter = {.trap_reads = (policy_stack_decided_ops(stack) & OP_BIT(OP_READ)) ||
					 policy_stack_logs_reads(stack),
			   .trap_changes = true,
			   .trap_network = true,
			   .trap_accepts = policy_stack_counts_accepts(stack),
			   .passes_ip = parts[LAYER_BPF_NET].is_there,
			   .trap_creds = permitted != 0,
			   .trap_hiding = !(permitted & CAP_BIT(CAP_SYS_PTRACE))},
		.kept_caps = caps_usual() | policy_stack_capabilities(stack),
	};

	memcpy(plan.parts, parts, sizeof(plan.parts));
	if (plan.filter.trap_reads && parts[LAYER_BPF_LSM].is_there &&
	    !parts[LAYER_BPF_LSM].leaves_reads) {
		plan.filter.trap_reads = false;
		plan.filter.trap_handles = true;
	}
	plan.parts[LAYER_LANDLOCK] = landlock_part(&config->wishes);
	plan.landlock_abi = usable_landlock_abi(&plan.parts[LAYER_LANDLOCK]);
	plan.drops_caps = (permitted & ~plan.kept_caps) != 0;
	plan.refuses_dumps = policy_stack_may_refuse(stack, OPS_CHANGE) && dumps_are_files();
	plan.floor = floor_of(stack, plan.landlock_abi);
	/* Landlock would refuse first, and records nothing; what is performed for the session it
	 * does not bind, but these calls are the session's own. */
	if (plan.filter.passes_ip) {
		plan.floor.scoped &= ~LANDLOCK_SCOPE_ABSTRACT_UNIX;
		plan.floor.bounds_connect = false;
	}
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

/* Which of the calls that change something it is, and what becomes of it, only its own hooks would
 * tell; and an exec's arguments none. */
#define NO_LSM                                                                                     \
	"the kernel decides on files that are opened for reading only; Landlock knows trees only, and records nothing"

static struct plan_layer layer_of_reads(const struct plan *plan)
{
	const struct plan_part *lsm = &plan->parts[LAYER_BPF_LSM];

	if (plan->filter.trap_handles)
		return (struct plan_layer){
			"path-read", layer_name(LAYER_BPF_LSM), COST_KERNEL,
			"a program at each open decides on the file that is opened; openat2 and O_PATH are notified",
			NULL};
	if (!plan->filter.trap_reads)
		return (struct plan_layer){
			"path-read", "none", COST_NOTHING,
			"no rule or default decides on reads: they are neither asked about nor recorded",
			NULL};
	return (struct plan_layer){"path-read", NOTIFY, COST_NOTIFY,
				   "a rule or default decides on reads, or log_reads is set",
				   lsm->is_there ? lsm->leaves_reads : lsm->why};
}

static struct plan_layer layer_of_network(const struct plan *plan)
{
	const struct plan_part *net = &plan->parts[LAYER_BPF_NET];

	if (net->is_there)
		return (struct plan_layer){
			"network", layer_name(LAYER_BPF_NET), COST_KERNEL,
			"programs of the session's cgroup decide on connections and sends to IP addresses; bind, listen, "
			"sendmsg and unix sockets are notified",
			NULL};
	return (struct plan_layer){"network", NOTIFY, COST_NOTIFY,
				   "every connect, send, bind and listen is decided and recorded",
				   net->why};
}

static struct plan_layer layer_of_signals(const struct plan *plan)
{
	if (plan->floor.scoped & LANDLOCK_SCOPE_SIGNALS)
		return (struct plan_layer){"signals", LANDLOCK, COST_FLOOR,
					   "processes outside the session cannot be signalled",
					   NULL};
	return (struct plan_layer){
		"signals", NOTIFY, COST_NOTIFY, "signals to others are looked at one by one",
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
		return (struct plan_layer){"floor", LANDLOCK, COST_FLOOR, reason, NULL};
	return (struct plan_layer){"floor", "none", COST_NOTHING,
				   plan->parts[LAYER_LANDLOCK].is_there
					   ? "the policies allow or ask by default, or grant mounts"
					   : plan->parts[LAYER_LANDLOCK].why,
				   NULL};
}

static struct plan_layer layer_of_objects(const struct plan *plan)
{
	const struct plan_part *lsm = &plan->parts[LAYER_BPF_LSM];

	if (lsm->is_there)
		return (struct plan_layer){
			"objects", layer_name(LAYER_BPF_LSM), COST_FLOOR,
			"what the policies deny the kernel refuses as well, at the object that is used",
			NULL};
	return (struct plan_layer){"objects", "none", COST_NOTHING, lsm->why, NULL};
}

static struct plan_layer layer_of_capabilities(const struct plan *plan)
{
	if (plan->drops_caps)
		return (struct plan_layer){
			"capabilities", "dropped", COST_NOTHING,
			"all but a container's usual set and what the policies keep or grant",
			NULL};
	return (struct plan_layer){"capabilities", "none", COST_NOTHING,
				   plan->filter.trap_creds
					   ? "the policies let the session keep what it has"
					   : "the session begins without any",
				   NULL};
}

static struct plan_layer layer_of_sight(const struct plan *plan)
{
	const struct plan_part *sight = &plan->parts[LAYER_SIGHT];

	if (sight->is_there)
		return (struct plan_layer){
			"sight", "ebpf", "some 2 us a fork, exec and exit",
			"the kernel tells of every process: how it began, what it executed, how it ended",
			NULL};
	return (struct plan_layer){"sight", "none", COST_NOTHING, sight->why, NULL};
}

static struct plan_layer layer_of_dumps(const struct plan *plan)
{
	if (plan->refuses_dumps)
		return (struct plan_layer){
			"core-files", "rlimit", COST_NOTHING,
			"the kernel would write them wherever a process stands, and ask nobody",
			NULL};
	return (struct plan_layer){"core-files", "none", COST_NOTHING,
				   "no policy refuses a change, or core_pattern is a program",
				   NULL};
}

static struct plan_layer layer_of_memory(const struct plan *plan)
{
	if (plan->filter.trap_hiding)
		return (struct plan_layer){
			"memory", NOTIFY, COST_NOTIFY,
			"a program that asks not to be read stays readable to the supervisor; others of the session are refused",
			"the filter alone would have to refuse what programs rely on"};
	return (struct plan_layer){"memory", "none", COST_NOTHING,
				   "the supervisor may read every process", NULL};
}

void plan_layers(const struct plan *plan, struct plan_layer ret[static PLAN_CLASSES])
{
	const struct plan_layer layers[PLAN_CLASSES] = {
		{"tool", NOTIFY, COST_NOTIFY, "every exec is decided and recorded", NO_LSM},
		layer_of_reads(plan),
		{"path-write", NOTIFY, COST_NOTIFY, "every change is decided and recorded", NO_LSM},
		layer_of_network(plan),
		{"system", NOTIFY, COST_NOTIFY, "refused unless granted",
		 "the filter alone could refuse them, and nobody would have a record of it"},
		layer_of_signals(plan),
		{"processes", NOTIFY, COST_NOTIFY,
		 "limits, priorities and memory of processes outside the session are refused unless granted",
		 "which process is meant is not in a register"},
		layer_of_floor(plan),
		layer_of_objects(plan),
		layer_of_capabilities(plan),
		layer_of_dumps(plan),
		layer_of_memory(plan),
		layer_of_sight(plan),
	};

	memcpy(ret, layers, sizeof(layers));
}

void plan_add_layers(struct json *j, const struct plan *plan)
{
	struct plan_layer layers[PLAN_CLASSES];

	plan_layers(plan, layers);
	json_begin_array(j);
	for (size_t i = 0; i < ARRAY_SIZE(layers); i++) {
		json_begin_object(j);
		json_key_cstr(j, "class", layers[i].class);
		json_key_cstr(j, "layer", layers[i].layer);
		json_key_cstr(j, "cost", layers[i].cost);
		json_key_cstr(j, "why", layers[i].why);
		if (layers[i].not_cheaper)
			json_key_cstr(j, "not_cheaper", layers[i].not_cheaper);
		json_end_object(j);
	}
	json_end_array(j);
}
