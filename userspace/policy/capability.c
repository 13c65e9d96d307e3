/* SPDX-License-Identifier: Apache-2.0 */
#include <linux/capability.h>
#include <strings.h>

#include "policy/capability.h"

#define BIT(word) (UINT64_C(1) << CAP_##word)

static const char *const names[CAPABILITY_MAX] = {
	[CAP_CHOWN] = "chown",
	[CAP_DAC_OVERRIDE] = "dac_override",
	[CAP_DAC_READ_SEARCH] = "dac_read_search",
	[CAP_FOWNER] = "fowner",
	[CAP_FSETID] = "fsetid",
	[CAP_KILL] = "kill",
	[CAP_SETGID] = "setgid",
	[CAP_SETUID] = "setuid",
	[CAP_SETPCAP] = "setpcap",
	[CAP_LINUX_IMMUTABLE] = "linux_immutable",
	[CAP_NET_BIND_SERVICE] = "net_bind_service",
	[CAP_NET_BROADCAST] = "net_broadcast",
	[CAP_NET_ADMIN] = "net_admin",
	[CAP_NET_RAW] = "net_raw",
	[CAP_IPC_LOCK] = "ipc_lock",
	[CAP_IPC_OWNER] = "ipc_owner",
	[CAP_SYS_MODULE] = "sys_module",
	[CAP_SYS_RAWIO] = "sys_rawio",
	[CAP_SYS_CHROOT] = "sys_chroot",
	[CAP_SYS_PTRACE] = "sys_ptrace",
	[CAP_SYS_PACCT] = "sys_pacct",
	[CAP_SYS_ADMIN] = "sys_admin",
	[CAP_SYS_BOOT] = "sys_boot",
	[CAP_SYS_NICE] = "sys_nice",
	[CAP_SYS_RESOURCE] = "sys_resource",
	[CAP_SYS_TIME] = "sys_time",
	[CAP_SYS_TTY_CONFIG] = "sys_tty_config",
	[CAP_MKNOD] = "mknod",
	[CAP_LEASE] = "lease",
	[CAP_AUDIT_WRITE] = "audit_write",
	[CAP_AUDIT_CONTROL] = "audit_control",
	[CAP_SETFCAP] = "setfcap",
	[CAP_MAC_OVERRIDE] = "mac_override",
	[CAP_MAC_ADMIN] = "mac_admin",
	[CAP_SYSLOG] = "syslog",
	[CAP_WAKE_ALARM] = "wake_alarm",
	[CAP_BLOCK_SUSPEND] = "block_suspend",
	[CAP_AUDIT_READ] = "audit_read",
	[CAP_PERFMON] = "perfmon",
	[CAP_BPF] = "bpf",
	[CAP_CHECKPOINT_RESTORE] = "checkpoint_restore",
};

static const uint64_t of_grant[_GRANT_MAX] = {
	[GRANT_PTRACE] = BIT(SYS_PTRACE),
	[GRANT_BPF] = BIT(BPF) | BIT(PERFMON) | BIT(NET_ADMIN),
	[GRANT_PERF] = BIT(PERFMON),
	[GRANT_MOUNT] = BIT(SYS_ADMIN) | BIT(SYS_CHROOT),
	[GRANT_MODULE] = BIT(SYS_MODULE) | BIT(SYS_BOOT),
	[GRANT_HANDLE] = BIT(DAC_READ_SEARCH),
	[GRANT_RAW_SOCKET] = BIT(NET_RAW),
	[GRANT_ADMIN] = BIT(SYS_ADMIN) | BIT(SYS_BOOT) | BIT(SYS_TIME) | BIT(SYS_PACCT) |
			BIT(SYS_RAWIO) | BIT(SYS_TTY_CONFIG) | BIT(LINUX_IMMUTABLE) | BIT(SYSLOG) |
			BIT(NET_ADMIN) | BIT(MKNOD),
	[GRANT_TERMINAL] = BIT(SYS_TTY_CONFIG),
	[GRANT_NAMESPACES] = BIT(SYS_ADMIN) | BIT(SYS_CHROOT),
	[GRANT_PROCESSES] = BIT(SYS_NICE) | BIT(SYS_RESOURCE) | BIT(KILL),
};

const char *capability_name(unsigned capability)
{
	return capability < CAPABILITY_MAX ? names[capability] : "unknown";
}

int capability_parse(struct bytes word, unsigned *ret)
{
	if (word.len > 4 && strncasecmp(word.p, "cap_", 4) == 0) {
		word.p += 4;
		word.len -= 4;
	}
	for (unsigned i = 0; i < CAPABILITY_MAX; i++)
		if (word.len == strlen(names[i]) && strncasecmp(word.p, names[i], word.len) == 0) {
			*ret = i;
			return 0;
		}
	return -ENOENT;
}

uint64_t capability_of_grants(uint32_t grants)
{
	uint64_t set = 0;

	if (grants == (UINT32_C(1) << _GRANT_MAX) - 1)
		return CAPABILITY_ALL;
	for (unsigned g = 0; g < _GRANT_MAX; g++)
		if (grants >> g & 1)
			set |= of_grant[g];
	return set;
}
