/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "base/io.h"

#include "loader/features.h"
#include "loader/probe.h"

const struct probe probes[] = {
	{"notification", "holds system calls until they are decided on", true, probe_notification},
	{"inject", "hands over what was opened for a call, in one step", true, probe_inject},
	{"wait-killable", "signals do not interrupt a call that is decided on", false,
	 probe_wait_killable},
	{"sync-wake-up", "answers come faster", false, probe_sync_wake_up},
	{"ptrace", "compares what was executed with what was allowed", false, probe_ptrace},
	{"landlock", "a floor under files and TCP ports", false, probe_landlock},
	{"landlock-scopes", "signals and abstract sockets stay in the session", false,
	 probe_landlock_scopes},
	{"cgroup-v2", "the session as a group of processes", false, probe_cgroup_v2},
	{"cgroup-delegation", "a session may make its own cgroup", false, probe_cgroup_delegation},
	{"pid-namespace", "eBPF knows processes by the numbers that we know", false,
	 probe_pid_namespace},
	{"lockdown", "not a layer: keeps eBPF from the kernel's memory", false, probe_lockdown},
	{"btf", "eBPF programs fit this kernel", false, probe_btf},
	{"ebpf-ring-buffer", "events from the kernel", false, probe_ebpf_ring_buffer},
	{"ebpf-task-storage", "marks the session's tasks, inherited at fork", false,
	 probe_ebpf_task_storage},
	{"ebpf-trace", "sees what really ran", false, probe_ebpf_trace},
	{"ebpf-sight", "--layers sight: all that tells of processes", false, probe_ebpf_sight},
	{"ebpf-cgroup", "decides on connections in the kernel", false, probe_ebpf_cgroup},
	{"ebpf-net", "--layers bpf-net: all that decides on connections", false, probe_ebpf_net},
	{"lsm-list", "the kernel asks BPF LSM programs at all", false, probe_lsm_list},
	{"ebpf-lsm", "decides on files and programs in the kernel", false, probe_ebpf_lsm},
	{"ebpf-files", "--layers bpf-lsm: all that decides on files", false, probe_ebpf_files},
	{"loader-service", "loads eBPF for ordinary users", false, probe_loader_service},
	{"fanotify", "pauses opens of chosen files", false, probe_fanotify},
	{"user-namespace", "programs may make sandboxes of their own", false, probe_user_namespace},
	{"io-uring", "not a layer: a way round system calls, closed in sessions", false,
	 probe_io_uring},
};

const size_t n_probes = ARRAY_SIZE(probes);

const char *probe_state_name(enum probe_state state)
{
	switch (state) {
	case PROBE_NO:
		return "no";
	case PROBE_YES:
		return "yes";
	case PROBE_BROKEN:
		return "broken";
	case PROBE_UNKNOWN:
		return "unknown";
	}
	return "unknown";
}

void probe_set(struct probe_result *ret, enum probe_state state, const char *detail,
	       const char *enable)
{
	ret->state = state;
	(void)snprintf(ret->detail, sizeof(ret->detail), "%s", detail);
	(void)snprintf(ret->enable, sizeof(ret->enable), "%s", enable);
}

int probe_in_child(int (*act)(void *), void *argument)
{
	int status;
	pid_t pid = fork();

	if (pid < 0)
		return -errno;
	if (pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		_exit(act(argument));
	}
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return -errno;
	return WIFEXITED(status) ? WEXITSTATUS(status) : -ECHILD;
}

int probe_read_number(const char *path, uint64_t *ret)
{
	_cleanup_(strbuf_fini) struct strbuf text = STRBUF_INIT(64);
	int r = io_read_file_at(AT_FDCWD, path, &text);

	if (r < 0)
		return r;
	return parse_u64(
		(struct bytes){.p = strbuf_str(&text), .len = strcspn(strbuf_str(&text), "\n")},
		UINT64_MAX, ret);
}

bool probe_is_taken_away(const char *name)
{
	const char *list = secure_getenv(PROBE_WITHOUT);
	size_t length = strlen(name);

	for (; list && *list; list = strchrnul(list, ','), list += *list == ',')
		if (strncmp(list, name, length) == 0 &&
		    (list[length] == ',' || list[length] == '\0'))
			return true;
	return false;
}

void probe_context_init(struct probe_context *ret)
{
	struct features features;

	*ret = (struct probe_context){};
	ret->is_supervised = features_probe(&features) == 0 && features.listener_taken;
}

void probe_run(const struct probe *probe, struct probe_context *context, struct probe_result *ret)
{
	*ret = (struct probe_result){};
	if (probe_is_taken_away(probe->name))
		probe_set(ret, PROBE_NO, "taken away by " PROBE_WITHOUT, "unset " PROBE_WITHOUT);
	else if (context->is_supervised && !probe->is_required)
		probe_set(ret, PROBE_UNKNOWN, "another supervisor watches this process", "");
	else
		probe->run(context, ret);
}
