/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Does a cgroup's program decide on connections here? Attached to a cgroup of its own, it refuses
 * every connection; the canary in that cgroup must find its connection refused with EPERM.
 */
#include "bpf/vmlinux.h"

#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

SEC("cgroup/connect4")
int probe_connect(struct bpf_sock_addr *ctx)
{
	return 0;
}
