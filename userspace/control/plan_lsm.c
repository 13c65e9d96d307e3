/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the kernel decides on files. As a floor it refuses what the policies deny, at the object
 * that is used: all of that was asked about before, so it bites only where something was
 * overlooked. Reads it decides on alone where that is the same.
 */
#include <linux/capability.h>

#include "loader/caps.h"
#include "loader/lsm.h"
#include "policy/pathmap.h"

#include "control/plan.h"

#define FLOOR_OPS (LSM_BIT(_LSM_FILE_OP_MAX) - 1)

_Static_assert((int)LSM_TIMES == OP_TIMES - OP_READ && PATHMAP_OPS == (int)_LSM_FILE_OP_MAX,
	       "the same operations");
_Static_assert(LSM_PARTS == (int)_PATHMAP_PART_MAX && LSM_CELLS_MAX == PATHMAP_MAX_CELLS &&
		       LSM_VERDICTS_MAX == PATHMAP_MAX_KINDS,
	       "the programs' tables hold the policy's");
_Static_assert(VERDICT_ALLOW == NET_ALLOW && VERDICT_FLAG == NET_FLAG && VERDICT_ASK == NET_ASK &&
		       VERDICT_DENY == NET_DENY,
	       "the same verdicts");

static bool is_granted(const struct policy_stack *stack, enum grant g)
{
	struct policy_source source;

	return policy_stack_grants(stack, g, &source);
}

/* What is refused as a whole. */
static uint32_t system_floor(const struct policy_stack *stack)
{
	static const struct {
		enum grant grant;
		enum lsm_op op;
	} rows[] = {
		{GRANT_BPF, LSM_BPF},           {GRANT_MOUNT, LSM_MOUNT},
		{GRANT_NAMESPACES, LSM_USERNS}, {GRANT_PTRACE, LSM_PTRACE},
		{GRANT_PROCESSES, LSM_KILL},
	};
	uint32_t floor = 0;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (!is_granted(stack, rows[i].grant))
			floor |= LSM_BIT(rows[i].op);
	return floor;
}

static bool asks_about_reads(const struct pathmap *m)
{
	for (size_t i = 0; i < m->n_verdicts; i++)
		if ((m->verdicts[i] & 3) == VERDICT_ASK)
			return true;
	return false;
}

static bool has_budget(const struct policy_stack *stack)
{
	for (size_t i = 0; i < policy_stack_size(stack); i++)
		if (policy_get_budget(policy_stack_get(stack, i)))
			return true;
	return false;
}

/* Whoever is granted these reads by ways that the programs do not see, or takes them away. */
static const char *find_grant_obstacle(const struct policy_stack *stack)
{
	static const struct {
		enum grant grant;
		const char *why;
	} obstacles[] = {
		{GRANT_IO_URING, "the policies grant io_uring, which opens past the filter"},
		{GRANT_FOREIGN_ABI, "the policies grant foreign_abi"},
		{GRANT_BPF, "the policies grant bpf, with which programs can be taken away"},
		{GRANT_MOUNT, "the policies grant mount, with which files get other names"},
		{GRANT_NAMESPACES,
		 "the policies grant namespaces, in which files have other names"},
		{GRANT_HANDLE,
		 "the policies grant handle, with which files are opened without a name"},
		{GRANT_PTRACE, "the policies grant ptrace"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(obstacles); i++)
		if (is_granted(stack, obstacles[i].grant))
			return obstacles[i].why;
	return NULL;
}

/* NULL: the kernel can decide on reads. */
static const char *find_read_obstacle(const struct policy_stack *stack,
				      const struct layer_wishes *wishes, const struct pathmap *m)
{
	if (!(wishes->forced & LAYER_BIT(LAYER_BPF_LSM)))
		return "only --layers bpf-lsm has the kernel decide on reads alone: see docs/limits.md";
	if (!(m->ops & OP_BIT(OP_READ)))
		return m->why_not[OP_READ - PATHMAP_FIRST_OP];
	if (asks_about_reads(m))
		return "a rule asks about reads, and the kernel cannot wait for an answer";
	if (has_budget(stack))
		return "a policy has a budget, which counts what is done";
	/* The kernel itself keeps the guards' memory and descriptors from whoever may not trace. */
	if (!(caps_permitted() & CAP_BIT(CAP_SYS_PTRACE)))
		return "a program that asks not to be read has to be read by name";
	if (policy_stack_capabilities(stack) & CAP_BIT(CAP_SYS_PTRACE))
		return "the policies let the session keep the capability to trace everybody";
	return find_grant_obstacle(stack);
}

static struct lsm_tables tables_of(const struct pathmap *m)
{
	struct lsm_tables t = {.classes = m->bytes,
			       .n_classes = m->n_classes,
			       .cells = m->cells,
			       .n_states = m->n_states,
			       .verdicts = m->verdicts,
			       .n_verdicts = m->n_verdicts};

	for (size_t i = 0; i < LSM_PARTS; i++)
		t.parts[i] = (struct lsm_part){m->parts[i].first, m->parts[i].n_kinds};
	return t;
}

const char *plan_start_lsm(const struct policy_stack *stack, const struct plan_config *config,
			   struct lsm **ret, const char **ret_leaves_reads,
			   char reason[static LAYERS_REASON_MAX])
{
	_cleanup_(pathmap_freep) struct pathmap *m = NULL;
	struct lsm_wishes wishes = {.is_audit = policy_stack_is_audit(stack)};
	struct lsm_tables tables;
	const char *why;
	int r = pathmap_new(stack, &config->kept, &m, &why);

	*ret_leaves_reads = "";
	if (r < 0)
		return why ? why : strerror(-r);
	tables = tables_of(m);
	*ret_leaves_reads = find_read_obstacle(stack, &config->wishes, m);
	wishes.floor = (m->ops >> PATHMAP_FIRST_OP & FLOOR_OPS) | system_floor(stack);
	if (!*ret_leaves_reads)
		wishes.decides = wishes.records = LSM_BIT(LSM_READ);
	return lsm_start(&tables, &wishes, ret, reason) < 0 ? reason : NULL;
}
