/* SPDX-License-Identifier: Apache-2.0 */
/* Devices and settings of the machine, and its control groups. */
#include <fcntl.h>

#include "tests/attack/attack.h"

/* Opened only: what is written there would do something to the machine. */
#define MACHINE                                                                                    \
	X(core_pattern, "/proc/sys/kernel/core_pattern", O_WRONLY)                                 \
	X(modprobe, "/proc/sys/kernel/modprobe", O_WRONLY)                                         \
	X(ip_forward, "/proc/sys/net/ipv4/ip_forward", O_WRONLY)                                   \
	X(binfmt, "/proc/sys/fs/binfmt_misc/register", O_WRONLY)                                   \
	X(uevent_helper, "/sys/kernel/uevent_helper", O_WRONLY)                                    \
	X(sysrq, "/proc/sysrq-trigger", O_WRONLY)                                                  \
	X(group, "/sys/fs/cgroup/cgroup.procs", O_WRONLY)                                          \
	X(group_control, "/sys/fs/cgroup/cgroup.subtree_control", O_WRONLY)                        \
	X(disk, "/dev/vda", O_RDONLY)                                                              \
	X(loop, "/dev/loop0", O_RDONLY)                                                            \
	X(mem, "/dev/mem", O_RDONLY)                                                               \
	X(kvm, "/dev/kvm", O_RDWR)                                                                 \
	X(tun, "/dev/net/tun", O_RDWR)

#define X(name, path, flags)                                                                       \
	static int open_##name(const struct world *w)                                              \
	{                                                                                          \
		(void)w;                                                                           \
		return outcome(open(path, (flags) | O_CLOEXEC));                                   \
	}
MACHINE
#undef X

#define OPENS(fact, ids, attack, what)                                                             \
	{                                                                                          \
		fact, ids, attack, SHIP | PW, .object = what                                       \
	}

static const struct attack_row rows[] = {
	OPENS("pattern_of_core_files_is_denied", "E13 T144", open_core_pattern, "core_pattern"),
	OPENS("loader_of_modules_is_denied", "E13 T144", open_modprobe, "modprobe"),
	OPENS("forwarding_of_packets_is_denied", "E13", open_ip_forward, "ip_forward"),
	OPENS("registering_a_binary_format_is_denied", "C8 E13", open_binfmt, "binfmt_misc"),
	OPENS("helper_of_events_is_denied", "E13 T144", open_uevent_helper, "uevent_helper"),
	OPENS("magic_key_is_denied", "E13", open_sysrq, "sysrq-trigger"),
	OPENS("control_group_cannot_be_joined", "E12", open_group, "cgroup.procs"),
	OPENS("control_group_cannot_be_configured", "E12 T144", open_group_control,
	      "cgroup.subtree_control"),
	OPENS("disk_cannot_be_read", "E13", open_disk, "/dev/vda"),
	OPENS("loop_device_cannot_be_read", "E13", open_loop, "/dev/loop0"),
	OPENS("memory_of_the_machine_cannot_be_read", "E13", open_mem, "/dev/mem"),
	OPENS("virtual_machines_cannot_be_made", "E13", open_kvm, "/dev/kvm"),
	OPENS("tunnels_cannot_be_made", "E13", open_tun, "/dev/net/tun"),

};

const struct attack_group attack_group = {"machine", rows, ARRAY_SIZE(rows), false, false};
