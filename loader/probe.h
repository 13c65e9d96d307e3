/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What `holdfast doctor` reports: each mechanism that a session can stand on, found by using it.
 * "Yes" means that a child was seen being refused, held or traced; what merely seems to be there
 * and does not do its work is PROBE_BROKEN. Slow (processes, files, eBPF), so not for starting a
 * session; that asks loader/features.h.
 */
#pragma once

#include "loader/layers.h"

#define PROBE_TEXT_MAX 256
/* Names of probes with ',' between them, to be taken as absent: plays an older machine. It takes
 * away and never adds. */
#define PROBE_WITHOUT "HOLDFAST_WITHOUT"

enum probe_state {
	PROBE_NO,
	PROBE_YES,
	PROBE_BROKEN,  /* it is there, and its self-test failed */
	PROBE_UNKNOWN, /* the caller may not find out */
};

struct probe_result {
	enum probe_state state;
	char detail[PROBE_TEXT_MAX]; /* what was found, or why not; may be "" */
	char enable[PROBE_TEXT_MAX]; /* a command or parameter that would help; may be "" */
};

/* What probes have in common; eBPF is asked about once for all. */
struct probe_context {
	bool is_supervised; /* by somebody who may carry calls out for us: no test says anything */
	bool has_ebpf;      /* @ebpf holds the loader's answer */
	int ebpf_error;     /* 0, or why it does not */
	struct layers_probed ebpf;
};

struct probe {
	const char *name;
	const char *what; /* what it is for, some words */
	bool is_required; /* no session without it */
	void (*run)(struct probe_context *context, struct probe_result *ret);
};

extern const struct probe probes[];
extern const size_t n_probes;

/* Whether PROBE_WITHOUT has @name in it. */
bool probe_is_taken_away(const char *name);
void probe_context_init(struct probe_context *ret);
/* Runs @probe, or says that PROBE_WITHOUT has taken it away. */
void probe_run(const struct probe *probe, struct probe_context *context, struct probe_result *ret);
/* "yes", "no", "broken", "unknown". */
const char *probe_state_name(enum probe_state state);

/* What is missing in more than one of them. */
#define PROBE_ENABLE_BUILD "make deps, and build anew with clang, bpftool and libbpf-dev"
#define PROBE_ENABLE_LSM   "add bpf to the boot parameter lsm=, keeping the others"

/* For the files that have the probes: sets all of @ret. */
void probe_set(struct probe_result *ret, enum probe_state state, const char *detail,
	       const char *enable);
/* A child that runs @act, with SIGKILL when we end. Return: its exit status (0 to 255), -errno. */
int probe_in_child(int (*act)(void *), void *argument);
/* The number in a file of one line. Return: 0, -errno. */
int probe_read_number(const char *path, uint64_t *ret);

void probe_notification(struct probe_context *context, struct probe_result *ret);
void probe_wait_killable(struct probe_context *context, struct probe_result *ret);
void probe_inject(struct probe_context *context, struct probe_result *ret);
void probe_sync_wake_up(struct probe_context *context, struct probe_result *ret);
void probe_landlock(struct probe_context *context, struct probe_result *ret);
void probe_landlock_scopes(struct probe_context *context, struct probe_result *ret);
void probe_ptrace(struct probe_context *context, struct probe_result *ret);
void probe_user_namespace(struct probe_context *context, struct probe_result *ret);
void probe_fanotify(struct probe_context *context, struct probe_result *ret);
void probe_io_uring(struct probe_context *context, struct probe_result *ret);
void probe_cgroup_v2(struct probe_context *context, struct probe_result *ret);
void probe_cgroup_delegation(struct probe_context *context, struct probe_result *ret);
void probe_btf(struct probe_context *context, struct probe_result *ret);
void probe_lsm_list(struct probe_context *context, struct probe_result *ret);
void probe_ebpf_ring_buffer(struct probe_context *context, struct probe_result *ret);
void probe_ebpf_task_storage(struct probe_context *context, struct probe_result *ret);
void probe_ebpf_cgroup(struct probe_context *context, struct probe_result *ret);
void probe_ebpf_net(struct probe_context *context, struct probe_result *ret);
void probe_ebpf_files(struct probe_context *context, struct probe_result *ret);
void probe_ebpf_sight(struct probe_context *context, struct probe_result *ret);
void probe_loader_service(struct probe_context *context, struct probe_result *ret);
void probe_lockdown(struct probe_context *context, struct probe_result *ret);
void probe_pid_namespace(struct probe_context *context, struct probe_result *ret);
void probe_ebpf_trace(struct probe_context *context, struct probe_result *ret);
void probe_ebpf_lsm(struct probe_context *context, struct probe_result *ret);
