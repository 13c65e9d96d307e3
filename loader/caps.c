/* SPDX-License-Identifier: Apache-2.0 */
#include <linux/capability.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "loader/caps.h"

uint64_t caps_permitted(void)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {};

	if (syscall(SYS_capget, &head, data) < 0)
		return 0;
	return data[0].permitted | (uint64_t)data[1].permitted << 32;
}

uint64_t caps_usual(void)
{
	static const unsigned char usual[] = {
		CAP_CHOWN,      CAP_DAC_OVERRIDE, CAP_FOWNER,
		CAP_FSETID,     CAP_KILL,         CAP_SETGID,
		CAP_SETUID,     CAP_SETPCAP,      CAP_NET_BIND_SERVICE,
		CAP_SYS_CHROOT, CAP_AUDIT_WRITE,  CAP_SETFCAP,
	};
	uint64_t set = 0;

	for (size_t i = 0; i < ARRAY_SIZE(usual); i++)
		set |= CAP_BIT(usual[i]);
	return set;
}

int caps_keep(uint64_t kept)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {};

	if (syscall(SYS_capget, &head, data) < 0)
		return -errno;
	/* EINVAL is past the last that the kernel knows, and EPERM: no CAP_SETPCAP, so none to lose
	 * that an exec under no_new_privs would give. */
	for (unsigned i = 0; i < 64; i++)
		if (!(kept >> i & 1) && prctl(PR_CAPBSET_DROP, i, 0, 0, 0) < 0 && errno == EINVAL)
			break;
	(void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
	for (size_t i = 0; i < ARRAY_SIZE(data); i++) {
		uint32_t mask = (uint32_t)(kept >> (32 * i));

		data[i].permitted &= mask;
		data[i].effective &= mask;
		data[i].inheritable &= mask;
	}
	return syscall(SYS_capset, &head, data) < 0 ? -errno : 0;
}
