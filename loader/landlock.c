/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "loader/landlock.h"

/* The same numbers on every architecture. */
#define NR_LANDLOCK_CREATE_RULESET 444
#define NR_LANDLOCK_ADD_RULE       445
#define NR_LANDLOCK_RESTRICT_SELF  446

#define CREATE_RULESET_VERSION 1U
#define RULE_PATH_BENEATH      1
#define RULE_NET_PORT          2

/*
 * LANDLOCK_ACCESS_FS_*: WRITE_FILE, then from REMOVE_DIR to MAKE_SYM; ABI 2 has REFER (renaming and
 * linking across directories), ABI 3 TRUNCATE. What ABI 1 cannot tell apart it refuses.
 */
#define FS_WRITE_FILE   (UINT64_C(1) << 1)
#define FS_READ_DIR     (UINT64_C(1) << 3)
#define FS_CHANGE_TREE  (UINT64_C(0x1ff) << 4)
#define FS_REFER        (UINT64_C(1) << 13)
#define FS_TRUNCATE     (UINT64_C(1) << 14)
#define NET_BIND_TCP    (UINT64_C(1) << 0)
#define NET_CONNECT_TCP (UINT64_C(1) << 1)

/* As of ABI 6. A kernel that knows less takes it if what it does not know is zero. */
struct ruleset_attr {
	uint64_t handled_access_fs;
	uint64_t handled_access_net;
	uint64_t scoped;
};

struct path_beneath_attr {
	uint64_t allowed_access;
	int32_t parent_fd;
} __attribute__((packed));

struct net_port_attr {
	uint64_t allowed_access;
	uint64_t port;
};

static uint64_t changes_of(int abi)
{
	return FS_WRITE_FILE | FS_CHANGE_TREE | (abi >= 2 ? FS_REFER : 0) |
	       (abi >= 3 ? FS_TRUNCATE : 0);
}

int landlock_abi(void)
{
	long abi = syscall(NR_LANDLOCK_CREATE_RULESET, NULL, 0, CREATE_RULESET_VERSION);

	return abi < 0 ? 0 : (int)abi;
}

int landlock_prepare(const struct landlock_floor *floor, int abi)
{
	struct ruleset_attr attr = {};
	long fd;

	if (abi >= 1 && floor->bounds_changes)
		attr.handled_access_fs = changes_of(abi);
	if (abi >= 1 && floor->bounds_lists)
		attr.handled_access_fs |= FS_READ_DIR;
	if (abi >= LANDLOCK_PORTS_ABI)
		attr.handled_access_net = (floor->bounds_connect ? NET_CONNECT_TCP : 0) |
					  (floor->bounds_bind ? NET_BIND_TCP : 0);
	if (abi >= LANDLOCK_SCOPES_ABI)
		attr.scoped = floor->scoped;
	if (!attr.handled_access_fs && !attr.handled_access_net && !attr.scoped)
		return -ENOENT;
	fd = syscall(NR_LANDLOCK_CREATE_RULESET, &attr, sizeof(attr), 0U);
	return fd < 0 ? -errno : (int)fd;
}

static int add_rule(int ruleset, int type, const void *attr)
{
	return syscall(NR_LANDLOCK_ADD_RULE, ruleset, type, attr, 0U) < 0 ? -errno : 0;
}

int landlock_add_directory(int ruleset, const char *path, enum landlock_access access, int abi)
{
	struct path_beneath_attr attr = {
		.allowed_access = access == LANDLOCK_LISTS ? FS_READ_DIR : changes_of(abi)};
	_cleanup_(fd_closep) int fd = -1;
	char dir[PATH_MAX];
	char *slash;

	if (snprintf(dir, sizeof(dir), "%s", path) >= (int)sizeof(dir))
		return -ENAMETOOLONG;
	while ((fd = open(*dir ? dir : "/", O_PATH | O_DIRECTORY | O_CLOEXEC)) < 0) {
		slash = strrchr(dir, '/');
		if (!slash)
			return -errno;
		*slash = '\0';
	}
	attr.parent_fd = fd;
	return add_rule(ruleset, RULE_PATH_BENEATH, &attr);
}

int landlock_add_port(int ruleset, uint16_t port, bool is_connect)
{
	const struct net_port_attr attr = {
		.allowed_access = is_connect ? NET_CONNECT_TCP : NET_BIND_TCP,
		.port = port,
	};

	return add_rule(ruleset, RULE_NET_PORT, &attr);
}

int landlock_enter(int ruleset)
{
	return syscall(NR_LANDLOCK_RESTRICT_SELF, ruleset, 0U) < 0 ? -errno : 0;
}
