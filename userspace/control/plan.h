/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The plan of a session: which layer carries out each class of action, and why. What
 * `session_start` records and what `policy explain --plan` prints comes from here.
 */
#pragma once

#include "base/json.h"
#include "loader/filter.h"
#include "loader/landlock.h"
#include "loader/layers.h"
#include "policy/netmap.h"
#include "policy/pathmap.h"
#include "policy/policy.h"

#define PLAN_CLASSES 13

/* What --layers and the policies' `require` come to: LAYER_BIT()s. */
struct layer_wishes {
	uint32_t forced;    /* with it, or no session */
	uint32_t forbidden; /* not with it */
	bool is_auto; /* of the others, what the machine has; else only what costs nothing to begin
		       */
};

/*
 * Reads the value of --layers: names with ',' between them; -NAME forbids; `bpf` stands for all
 * that are eBPF, with '-' only; `auto`; `none`. Return: 0; -EINVAL, and *ret_word is what is not
 * understood.
 */
int layer_wishes_parse(const char *text, struct layer_wishes *ret, struct bytes *ret_word);

/* Whether it is to be tried. False with a phrase in *ret_why. */
bool layer_is_wished(const struct layer_wishes *wishes, enum kernel_layer layer,
		     const char **ret_why);

/* Of one layer that need not be there. */
struct plan_part {
	bool is_there;
	const char *why; /* not; "" where it is */
	/* LAYER_BPF_LSM: why reads are notified all the same; NULL: the kernel decides on them. */
	const char *leaves_reads;
};

struct net;
struct lsm;

struct plan {
	struct filter_plan filter;
	struct landlock_floor floor;
	int landlock_abi; /* 0: the kernel has none */
	/* The session begins with capabilities, and keeps only these. */
	bool drops_caps;
	uint64_t kept_caps;
	bool refuses_dumps; /* the kernel would write core files that no policy was asked about */
	struct plan_part parts[_LAYER_MAX];
};

/* What a session begins with that bears on its plan, and is not in its policies. */
struct plan_config {
	struct layer_wishes wishes;
	const char *agent;
	bool has_names;           /* questions to the DNS are led to the helper */
	bool guards_socket;       /* some unix socket must be out of reach that does not see to that
				     itself */
	struct pathmap_kept kept; /* Holdfast's own, that the session must not even read */
};

struct plan_layer {
	const char
		*class; /* "tool", "path-read", "path-write", "network", "system", "signals", ... */
	const char *layer; /* "seccomp-notify", "landlock", "bpf-net"; "none": it is not trapped */
	const char *cost;  /* of a call that it looks at, beside the bare call */
	const char *why;
	const char *not_cheaper; /* why no cheaper one carries it out; NULL: there is none */
};

/* --layers, and what the policies require. */
struct layer_wishes plan_wishes(const struct policy_stack *stack, struct layer_wishes asked);
/*
 * The tables with which the kernel could decide on connections, if it can be done at all. Return:
 * 0; -EOPNOTSUPP with a phrase in *ret_why; -ENOMEM.
 */
int plan_net_map(const struct policy_stack *stack, const struct plan_config *config,
		 struct netmap **ret, const char **ret_why) _must_check_;
/*
 * Has the kernel decide on connections (net_start()), if that can be done. Return: NULL, and *ret
 * is set; else why not: a phrase, perhaps in @reason.
 */
const char *plan_start_net(const struct policy_stack *stack, const struct plan_config *config,
			   struct net **ret, char reason[static LAYERS_REASON_MAX]);
/*
 * Has the kernel refuse what is refused anyway, and decide on reads if that can be done
 * (lsm_start()) and is wished by name: the programs know the policies, and not what Holdfast keeps
 * from the session by itself. Return: as plan_start_net(); *ret_leaves_reads as struct plan_part
 * has it.
 */
const char *plan_start_lsm(const struct policy_stack *stack, const struct plan_config *config,
			   struct lsm **ret, const char **ret_leaves_reads,
			   char reason[static LAYERS_REASON_MAX]);
/*
 * What a session under @stack would be bound by, started by this process on this kernel. @parts: of
 * the layers that are loaded before the session starts, what came of it.
 */
struct plan plan_of(const struct policy_stack *stack, const struct plan_config *config,
		    const struct plan_part parts[static _LAYER_MAX]);
/* For whom nothing is to be started: loads what is wished for, and lets it go again. @reasons is
 * what ret_parts points to. */
void plan_try(const struct policy_stack *stack, const struct plan_config *config,
	      struct plan_part ret_parts[static _LAYER_MAX],
	      char reasons[static _LAYER_MAX][LAYERS_REASON_MAX]);
/* A layer that was forced and is not there. Return: false: there is one, in *ret. */
bool plan_is_possible(const struct plan *plan, const struct layer_wishes *wishes,
		      enum kernel_layer *ret);
void plan_layers(const struct plan *plan, struct plan_layer ret[static PLAN_CLASSES]);
/* The same as an array. */
void plan_add_layers(struct json *j, const struct plan *plan);
/* The Landlock ruleset for @plan, which plan_of() made of @stack. Return: a descriptor (O_CLOEXEC);
 * -ENOENT: there is nothing to hold; -errno. */
int plan_ruleset(const struct policy_stack *stack, const struct plan *plan);
