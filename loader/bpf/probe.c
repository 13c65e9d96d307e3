/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Each mechanism is loaded, attached and tried by a child, the canary, and taken away again. Every
 * probe has a skeleton of its own, so that one that the kernel refuses says nothing of the others.
 */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>

#include "bpf/probe_cgroup.skel.h"
#include "bpf/probe_lsm.skel.h"
#include "bpf/probe_trace.skel.h"

#include "loader/cgroup.h"

#include "loader/bpf/canary.h"
#include "loader/bpf/loader.h"

static void judge(struct layers_finding *ret, enum canary canary)
{
	ret->loads = true;
	ret->works = canary == CANARY_REFUSED;
	if (!ret->works)
		(void)snprintf(ret->reason, sizeof(ret->reason), "%s",
			       canary == CANARY_WENT_ON
				       ? "attached, but what it refuses went through"
				       : "attached, but the test could not be made");
}

static void refused(struct layers_finding *ret, int error)
{
	words_explain(ret->reason, sizeof(ret->reason), error);
}

static void probe_map(enum bpf_map_type type, struct layers_finding *ret)
{
	int r = libbpf_probe_bpf_map_type(type, NULL);

	ret->loads = ret->works = r == 1;
	if (r != 1)
		refused(ret, r < 0 ? -r : EINVAL);
}

static void probe_ring_buffer(struct layers_finding *ret)
{
	probe_map(BPF_MAP_TYPE_RINGBUF, ret);
}

static void probe_task_storage(struct layers_finding *ret)
{
	probe_map(BPF_MAP_TYPE_TASK_STORAGE, ret);
}

/* UDP: connect(2) sends nothing, and the hook is the same. */
static int connect_from(const void *argument _unused_)
{
	const struct sockaddr_in address = {
		.sin_family = AF_INET, .sin_port = htons(9), .sin_addr = {htonl(INADDR_LOOPBACK)}};
	int fd;

	fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return CANARY_FAILED;
	if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0)
		return CANARY_WENT_ON;
	return errno == EPERM ? CANARY_REFUSED : CANARY_FAILED;
}

static void try_cgroup(struct probe_cgroup_bpf *skeleton, int cgroup, struct layers_finding *ret)
{
	struct bpf_link *link = bpf_program__attach_cgroup(skeleton->progs.probe_connect, cgroup);
	pid_t pid;
	int go;

	if (!link)
		return refused(ret, errno);
	pid = canary_start(connect_from, NULL, cgroup, &go);
	judge(ret, pid < 0 ? CANARY_FAILED : canary_finish(pid, go));
	(void)bpf_link__destroy(link);
}

static void probe_cgroup(struct layers_finding *ret)
{
	struct probe_cgroup_bpf *skeleton = probe_cgroup_bpf__open_and_load();
	_cleanup_(fd_closep) int cgroup = -1;
	char path[PATH_MAX];

	if (!skeleton)
		return refused(ret, errno);
	cgroup = cgroup_make(0, "probe", path, sizeof(path));
	if (cgroup < 0) {
		(void)snprintf(ret->reason, sizeof(ret->reason), "no cgroup can be made: %s",
			       cgroup == -ENOENT ? "cgroup v2 is not mounted" : strerror(-cgroup));
	} else {
		try_cgroup(skeleton, cgroup, ret);
		(void)rmdir(path);
	}
	probe_cgroup_bpf__destroy(skeleton);
}

static int just_end(const void *argument _unused_)
{
	return CANARY_REFUSED;
}

static void probe_trace(struct layers_finding *ret)
{
	struct probe_trace_bpf *skeleton = probe_trace_bpf__open_and_load();
	enum canary canary = CANARY_FAILED;
	pid_t pid;
	int go;

	if (!skeleton)
		return refused(ret, errno);
	if (probe_trace_bpf__attach(skeleton) < 0) {
		refused(ret, errno);
	} else {
		pid = canary_start(just_end, NULL, -1, &go);
		if (pid > 0) {
			skeleton->bss->canary = pid;
			canary = canary_finish(pid, go);
			if (canary == CANARY_REFUSED && skeleton->bss->seen == 0)
				canary = CANARY_WENT_ON;
		}
		judge(ret, canary);
		if (canary == CANARY_WENT_ON)
			(void)snprintf(ret->reason, sizeof(ret->reason),
				       "attached, but it did not see a process end");
	}
	probe_trace_bpf__destroy(skeleton);
}

static int open_something(const void *argument _unused_)
{
	if (open("/dev/null", O_RDONLY | O_CLOEXEC) >= 0)
		return CANARY_WENT_ON;
	return errno == EACCES ? CANARY_REFUSED : CANARY_FAILED;
}

static void probe_lsm(struct layers_finding *ret)
{
	struct probe_lsm_bpf *skeleton = probe_lsm_bpf__open_and_load();
	enum canary canary = CANARY_FAILED;
	pid_t pid;
	int go;

	if (!skeleton)
		return refused(ret, errno);
	if (probe_lsm_bpf__attach(skeleton) < 0) {
		refused(ret, errno);
	} else {
		pid = canary_start(open_something, NULL, -1, &go);
		if (pid > 0) {
			skeleton->bss->canary = pid;
			canary = canary_finish(pid, go);
		}
		judge(ret, canary);
	}
	probe_lsm_bpf__destroy(skeleton);
}

void probe_all(struct layers_finding findings[static _LAYERS_PROBE_MAX])
{
	static void (*const probes[_LAYERS_PROBE_MAX])(struct layers_finding *) = {
		[LAYERS_PROBE_RING_BUFFER] = probe_ring_buffer,
		[LAYERS_PROBE_TASK_STORAGE] = probe_task_storage,
		[LAYERS_PROBE_CGROUP] = probe_cgroup,
		[LAYERS_PROBE_TRACE] = probe_trace,
		[LAYERS_PROBE_LSM] = probe_lsm,
	};

	for (size_t i = 0; i < ARRAY_SIZE(probes); i++) {
		words_reset();
		probes[i](&findings[i]);
	}
}
