/* SPDX-License-Identifier: Apache-2.0 */
/* What eBPF stands on, and what holdfast-loader found of it. */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/io.h"

#include "loader/cgroup.h"
#include "loader/net.h"
#include "loader/probe.h"

#define BTF_PATH  "/sys/kernel/btf/vmlinux"
#define BTF_MAGIC 0xeb9f
#define LSM_PATH  "/sys/kernel/security/lsm"
/* Loading, and canaries that start and end. */
#define PATIENCE_MS 30000

#define NEEDS_ROOT   "needs CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN"
#define ENABLE_BUILD "make deps, and build anew with clang, bpftool and libbpf-dev"
#define ENABLE_LSM   "add bpf to the boot parameter lsm=, keeping the others"

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
	char text[PROBE_TEXT_MAX];
	int r = io_read_file_at(AT_FDCWD, LSM_PATH, &list);

	if (r < 0)
		return probe_set(ret, PROBE_UNKNOWN, LSM_PATH " cannot be read",
				 "mount -t securityfs none /sys/kernel/security");
	(void)snprintf(text, sizeof(text), "lsm=%.*s", (int)strcspn(strbuf_str(&list), "\n"),
		       strbuf_str(&list));
	for (const char *p = strbuf_str(&list); *p; p = strchrnul(p, ','), p += *p == ',')
		if (strncmp(p, "bpf", 3) == 0 && strchr(",\n", p[3]))
			return probe_set(ret, PROBE_YES, text, "");
	probe_set(ret, PROBE_NO, text, ENABLE_LSM);
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
				 ENABLE_BUILD);
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
	tell_ebpf(context, LAYERS_PROBE_LSM, ENABLE_LSM, ret);
	if (ret->state == PROBE_BROKEN)
		ret->state = PROBE_NO;
	else if (ret->state == PROBE_NO)
		(void)snprintf(ret->enable, sizeof(ret->enable),
			       "CONFIG_BPF_LSM=y and a kernel that permits BPF trampolines");
}

/* All of it, as a session has it loaded, with tables that let nothing through: the loader's canary
 * finds out whether it does. */
void probe_ebpf_net(struct probe_context *context, struct probe_result *ret)
{
	static const struct layers_prefix all[] = {{.is_v4 = 1}, {.is_v4 = 0}};
	static const uint8_t port_classes[NET_PORTS];
	static const uint8_t verdicts[_NET_OP_MAX * NET_PROTOCOLS * ARRAY_SIZE(all)];
	const struct net_tables tables = {.prefixes = all,
					  .n_prefixes = ARRAY_SIZE(all),
					  .port_classes = port_classes,
					  .n_port_classes = 1,
					  .verdicts = verdicts,
					  .n_verdicts = sizeof(verdicts)};
	char reason[LAYERS_REASON_MAX];
	struct net *net = NULL;
	int r;

	(void)context;
	if (geteuid() != 0)
		return probe_set(ret, PROBE_UNKNOWN, NEEDS_ROOT, "sudo holdfast doctor");
	r = net_start(&tables, false, false, &net, reason);
	net_free(net);
	if (r < 0)
		return probe_set(ret, r == -ENOTRECOVERABLE ? PROBE_BROKEN : PROBE_NO, reason,
				 r == -ENOENT ? ENABLE_BUILD
					      : "Linux 6.7 or later, with cgroup v2 and BTF");
	probe_set(ret, PROBE_YES, "", "");
}
