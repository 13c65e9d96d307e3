/* SPDX-License-Identifier: Apache-2.0 */
/* The layers that are loaded: whether, and into what. */
#include "control/plan.h"
#include "loader/lsm.h"
#include "loader/net.h"
#include "loader/sight.h"

_Static_assert(NETMAP_PORTS == NET_PORTS && NETMAP_MAX_CELLS == NET_CELLS &&
		       NETMAP_MAX_PREFIXES == NET_PREFIXES_MAX,
	       "the programs' tables hold the policy's");
_Static_assert(NETMAP_CONNECT == (int)NET_CONNECT && NETMAP_SEND == (int)NET_SEND &&
		       NETMAP_BIND == (int)NET_BIND,
	       "the same operations");
_Static_assert(VERDICT_ALLOW == NET_ALLOW && VERDICT_FLAG == NET_FLAG && VERDICT_ASK == NET_ASK &&
		       VERDICT_DENY == NET_DENY,
	       "the same verdicts");

static const char *load_net(const struct policy_stack *stack, const struct netmap *map,
			    struct net **ret, char reason[static LAYERS_REASON_MAX])
{
	_cleanup_(freep) struct layers_prefix *prefixes =
		calloc(map->n_prefixes, sizeof(*prefixes));
	const struct net_tables tables = {
		.prefixes = prefixes,
		.n_prefixes = map->n_prefixes,
		.port_classes = map->ports,
		.n_port_classes = map->n_port_classes,
		.verdicts = map->verdicts,
		.n_verdicts = map->n_verdicts,
	};

	if (!prefixes)
		return strerror(ENOMEM);
	for (size_t i = 0; i < map->n_prefixes; i++) {
		prefixes[i] = (struct layers_prefix){.bits = map->prefixes[i].bits,
						     .is_v4 = map->prefixes[i].is_v4};
		memcpy(prefixes[i].ip, map->prefixes[i].ip, sizeof(prefixes[i].ip));
	}
	return net_start(&tables, policy_stack_is_audit(stack), true, ret, reason) < 0 ? reason
										       : NULL;
}

const char *plan_start_net(const struct policy_stack *stack, const struct plan_config *config,
			   struct net **ret, char reason[static LAYERS_REASON_MAX])
{
	_cleanup_(netmap_freep) struct netmap *map = NULL;
	const char *why = NULL;
	int r = plan_net_map(stack, config, &map, &why);

	if (r < 0)
		return why ? why : strerror(-r);
	return load_net(stack, map, ret, reason);
}

static const char *try_net(const struct policy_stack *stack, const struct plan_config *config,
			   char reason[static LAYERS_REASON_MAX])
{
	struct net *net = NULL;
	const char *why = plan_start_net(stack, config, &net, reason);

	net_free(net);
	return why;
}

static const char *try_lsm(const struct policy_stack *stack, const struct plan_config *config,
			   const char **ret_leaves_reads, char reason[static LAYERS_REASON_MAX])
{
	struct lsm *lsm = NULL;
	const char *why = plan_start_lsm(stack, config, &lsm, ret_leaves_reads, reason);

	lsm_free(lsm);
	return why;
}

static const char *try_sight(char reason[static LAYERS_REASON_MAX])
{
	struct sight *sight = NULL;
	int r = sight_start(&sight, reason);

	sight_free(sight);
	return r < 0 ? reason : NULL;
}

void plan_try(const struct policy_stack *stack, const struct plan_config *config,
	      struct plan_part ret_parts[static _LAYER_MAX],
	      char reasons[static _LAYER_MAX][LAYERS_REASON_MAX])
{
	for (unsigned i = 0; i < _LAYER_MAX; i++) {
		const char *why = NULL, *leaves_reads = NULL;

		if (layer_is_wished(&config->wishes, (enum kernel_layer)i, &why) &&
		    i == LAYER_BPF_NET)
			why = try_net(stack, config, reasons[i]);
		else if (!why && i == LAYER_BPF_LSM)
			why = try_lsm(stack, config, &leaves_reads, reasons[i]);
		else if (!why && i == LAYER_SIGHT)
			why = try_sight(reasons[i]);
		ret_parts[i] = (struct plan_part){
			.is_there = !why, .why = why ? why : "", .leaves_reads = leaves_reads};
	}
}
