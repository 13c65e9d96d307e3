/* SPDX-License-Identifier: Apache-2.0 */
/* What eBPF stands on, and what holdfast-loader found of it. */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/io.h"

#include "loader/cgroup.h"
#include "loader/probe.h"

#define BTF_PATH            "/sys/kernel/btf/vmlinux"
#define BTF_MAGIC           0xeb9f
#define LSM_PATH            "/sys/kernel/security/lsm"
#define LOCKDOWN            "/sys/kernel/security/lockdown"
#define PID_PATH            "/proc/self/ns/pid"
#define FIRST_PID_NAMESPACE 0xeffffffcU /* PROC_PID_INIT_INO, include/linux/proc_ns.h */
/* Loading, and canaries that start and end. */
#define PATIENCE_MS 30000

#define NEEDS_ROOT "needs CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN"

void probe_cgroup_v2(struct probe_context *context _unused_, struct probe_result *ret)
{
	char path[PATH_MAX];
	char text[PROBE_TEXT_MAX];
	int r = cgroup_of(0, path, sizeof(path));

	if (r < 0)
		return probe_set(ret, PROBE_NO,
				 r == -ENOENT ? "the hierarchy is not mounted" : strerror(-r),
				 "mount -t cgroup2 none /sys/fs/cgroup/unified, or the boot "
				 "parameter systemd.unified_cgroup_hierarchy=1");
	(void)snprintf(text, sizeof(text), "%.200s", path);
	probe_set(ret, PROBE_YES, text, "");
}

void probe_cgroup_delegation(struct probe_context *context _unused_, struct probe_result *ret)
{
	char path[PATH_MAX];
	int fd = cgroup_make(0, "doctor", path, sizeof(path));

	if (fd < 0)
		return probe_set(ret, PROBE_NO,
				 fd == -ENOENT ? "there is no cgroup v2" : strerror(-fd),
				 "systemd-run --user --scope -p Delegate=yes -- holdfast doctor, "
				 "or root");
	(void)fd_close(fd);
	(void)rmdir(path);
	probe_set(ret, PROBE_YES, "", "");
}

void probe_btf(struct probe_context *context _unused_, struct probe_result *ret)
{
	_cleanup_(fd_closep) int fd = open(BTF_PATH, O_RDONLY | O_CLOEXEC);
	uint16_t magic = 0;

	if (fd < 0)
		return probe_set(
			ret, PROBE_NO, BTF_PATH " cannot be read",
			"a kernel with CONFIG_DEBUG_INFO_BTF=y; in a container, mount /sys");
	if (read(fd, &magic, sizeof(magic)) != (ssize_t)sizeof(magic) || magic != BTF_MAGIC)
		return probe_set(ret, PROBE_BROKEN, BTF_PATH " is not BTF", "");
	probe_set(ret, PROBE_YES, "", "");
}

void probe_lsm_list(struct probe_context *context _unused_, struct probe_result *ret)
{
	_cleanup_(strbuf_fini) struct strbuf list = STRBUF_INIT(1024);
	char text[PROBE_TEXT_MAX], enable[PROBE_TEXT_MAX];
	int r = io_read_file_at(AT_FDCWD, LSM_PATH, &list);

	if (r < 0)
		return probe_set(ret, PROBE_UNKNOWN, LSM_PATH " cannot be read",
				 "mount -t securityfs none /sys/kernel/security");
	(void)snprintf(text, sizeof(text), "lsm=%.*s", (int)strcspn(strbuf_str(&list), "\n"),
		       strbuf_str(&list));
	for (const char *p = strbuf_str(&list); *p; p = strchrnul(p, ','), p += *p == ',')
		if (strncmp(p, "bpf", 3) == 0 && strchr(",\n", p[3]))
			return probe_set(ret, PROBE_YES, text, "");
	/* As Ubuntu and Debian 11 are set up. */
	(void)snprintf(enable, sizeof(enable),
		       "boot with %.150s,bpf (in GRUB_CMDLINE_LINUX of /etc/default/grub, then "
		       "update-grub)",
		       text);
	probe_set(ret, PROBE_NO, text, enable);
}

/* "none [integrity] confidentiality": the one that is in force is in brackets. */
void probe_lockdown(struct probe_context *context _unused_, struct probe_result *ret)
{
	_cleanup_(strbuf_fini) struct strbuf modes = STRBUF_INIT(256);
	char text[PROBE_TEXT_MAX];

	if (io_read_file_at(AT_FDCWD, LOCKDOWN, &modes) < 0)
		return probe_set(ret, PROBE_NO,
				 LOCKDOWN " cannot be read: the kernel has none, or "
					  "securityfs is not mounted",
				 "");
	(void)snprintf(text, sizeof(text), "%.*s",
		       (int)MIN(strcspn(strbuf_str(&modes), "\n"), 100UL), strbuf_str(&modes));
	if (strstr(text, "[confidentiality]"))
		return probe_set(ret, PROBE_YES, text,
				 "(the layers of eBPF) boot without lockdown=confidentiality");
	probe_set(ret, PROBE_NO, text, "");
}

void probe_pid_namespace(struct probe_context *context _unused_, struct probe_result *ret)
{
	struct stat st;

	if (stat(PID_PATH, &st) < 0)
		return probe_set(ret, PROBE_UNKNOWN, PID_PATH " cannot be read", "mount /proc");
	if (st.st_ino != FIRST_PID_NAMESPACE)
		return probe_set(ret, PROBE_NO, "this is one of its own, as containers have",
				 "outside of the container, or docker run --pid=host");
	probe_set(ret, PROBE_YES, "", "");
}

static int ask_loader(struct layers_probed *ret)
{
	const struct layers_header request = {
		.version = LAYERS_VERSION, .type = LAYERS_PROBE, .size = sizeof(request)};
	char reason[LAYERS_REASON_MAX];
	struct layers layers;
	int r = layers_start(false, &layers, reason);

	if (r < 0)
		return r;
	r = layers_ask(&layers, &request, -1, LAYERS_PROBED, ret, sizeof(*ret), PATIENCE_MS);
	layers_stop(&layers);
	return r;
}

static void tell_ebpf(struct probe_context *context, enum layers_probe which, const char *enable,
		      struct probe_result *ret)
{
	struct layers_finding *found = &context->ebpf.findings[which];

	if (geteuid() != 0)
		return probe_set(ret, PROBE_UNKNOWN, NEEDS_ROOT, "sudo holdfast doctor");
	if (!context->has_ebpf)
		context->ebpf_error = ask_loader(&context->ebpf);
	context->has_ebpf = true;
	if (context->ebpf_error == -ENOENT)
		return probe_set(ret, PROBE_NO, "this build of Holdfast has no holdfast-loader",
				 PROBE_ENABLE_BUILD);
	if (context->ebpf_error < 0)
		return probe_set(ret, PROBE_BROKEN, "holdfast-loader does not answer", "");
	found->reason[sizeof(found->reason) - 1] = '\0';
	probe_set(ret,
		  found->works   ? PROBE_YES
		  : found->loads ? PROBE_BROKEN
				 : PROBE_NO,
		  found->reason, found->works ? "" : enable);
}

void probe_ebpf_ring_buffer(struct probe_context *context, struct probe_result *ret)
{
	tell_ebpf(context, LAYERS_PROBE_RING_BUFFER, "a kernel of Linux 5.8 or later", ret);
}

void probe_ebpf_task_storage(struct probe_context *context, struct probe_result *ret)
{
	tell_ebpf(context, LAYERS_PROBE_TASK_STORAGE,
		  "a kernel of Linux 5.11 or later with CONFIG_BPF_LSM=y", ret);
}

void probe_ebpf_cgroup(struct probe_context *context, struct probe_result *ret)
{
	tell_ebpf(context, LAYERS_PROBE_CGROUP, "CONFIG_CGROUP_BPF=y and cgroup v2", ret);
}

void probe_ebpf_trace(struct probe_context *context, struct probe_result *ret)
{
	tell_ebpf(context, LAYERS_PROBE_TRACE, "a kernel with CONFIG_DEBUG_INFO_BTF=y", ret);
}

/* It loads and attaches where the kernel never asks it. That is no fault but a choice, the list. */
void probe_ebpf_lsm(struct probe_context *context, struct probe_result *ret)
{
	tell_ebpf(context, LAYERS_PROBE_LSM, PROBE_ENABLE_LSM, ret);
	if (ret->state == PROBE_BROKEN)
		ret->state = PROBE_NO;
	else if (ret->state == PROBE_NO)
		(void)snprintf(ret->enable, sizeof(ret->enable),
			       "CONFIG_BPF_LSM=y and a kernel that permits BPF trampolines");
}
