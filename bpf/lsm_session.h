/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Of lsm.bpf.c: which session a task is in, and what each session has. The programs are loaded once
 * for many: a task's mark says whose tables are asked, and what a session has is in maps of maps,
 * by slot.
 */
#pragma once

#include <stdbool.h>

#include "bpf/vmlinux.h"

#include <bpf/bpf_helpers.h>

#include "bpf/abi.h"
#include "bpf/masked.h"

/* Of each session that live, by their beginnings and ends; alone in .bss, which the loader maps. */
__u32 tasks[LSM_SLOTS_MAX];

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct lsm_mark);
} marks SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, LSM_SLOTS_MAX);
	__type(key, __u32);
	__type(value, struct lsm_config);
} configs SEC(".maps");

/* One element each. */
struct cells {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(__u16) * LSM_CELLS_MAX);
};

struct verdicts {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(__u32) * LSM_VERDICTS_MAX);
};

struct counters {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(__u32));
	__uint(value_size, sizeof(struct lsm_lost));
};

struct event_ring {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, LSM_RING_BYTES);
};

struct refused_ring {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, LSM_REFUSED_BYTES);
};

/* By slot. */
#define OF_EACH_SESSION(what, name)                                                                \
	struct {                                                                                   \
		__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);                                          \
		__uint(max_entries, LSM_SLOTS_MAX);                                                \
		__uint(key_size, sizeof(__u32));                                                   \
		__array(values, struct what);                                                      \
	} name SEC(".maps")

OF_EACH_SESSION(cells, all_cells);
OF_EACH_SESSION(verdicts, all_verdicts);
OF_EACH_SESSION(counters, all_counters);
OF_EACH_SESSION(event_ring, all_events);
OF_EACH_SESSION(refused_ring, all_refused);

/* What the programs know of the current task's session. */
struct ours {
	const struct lsm_config *config;
	__u32 slot;
};

enum whose {
	WHOSE_NOBODY, /* of no session's */
	WHOSE_ENDED,  /* of one that is over */
	WHOSE_OURS,
};

static __always_inline enum whose find(struct task_struct *task, struct ours *ret)
{
	const struct lsm_mark *mark = bpf_task_storage_get(&marks, task, 0, 0);
	const struct lsm_config *c;

	if (!mark)
		return WHOSE_NOBODY;
	ret->slot = mark->slot;
	c = bpf_map_lookup_elem(&configs, &ret->slot);
	if (!c || c->session != mark->session)
		return WHOSE_ENDED;
	ret->config = c;
	return WHOSE_OURS;
}

/* Whether it is of the current task's own session. */
static __always_inline bool is_fellow(struct task_struct *task)
{
	const struct lsm_mark *own = bpf_task_storage_get(&marks, bpf_get_current_task_btf(), 0, 0);
	const struct lsm_mark *its = own ? bpf_task_storage_get(&marks, task, 0, 0) : 0;

	return its && its->slot == own->slot && its->session == own->session;
}

/* Of a session that is over nobody is counted: its slot may be another's. */
static __always_inline void count(struct task_struct *task, int n)
{
	struct ours o;

	if (find(task, &o) == WHOSE_OURS)
		__sync_fetch_and_add(&tasks[MASKED(o.slot, LSM_SLOTS_MAX - 1)], n);
}

/* The session's ring for what was refused, or for what was let through. */
static __always_inline void *ring_of(__u32 slot, __u32 verdict)
{
	return verdict >= NET_ASK ? bpf_map_lookup_elem(&all_refused, &slot)
				  : bpf_map_lookup_elem(&all_events, &slot);
}

static __always_inline void lose(__u32 slot, __u64 which)
{
	const __u32 zero = 0;
	void *counters = bpf_map_lookup_elem(&all_counters, &slot);
	void *lost = counters ? bpf_map_lookup_elem(counters, &zero) : 0;

	if (lost)
		__sync_fetch_and_add((__u64 *)(lost + which), 1);
}
