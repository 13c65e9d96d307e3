/* SPDX-License-Identifier: Apache-2.0 */
/*
 * With whose rights a thread makes a call. IDs, groups and capabilities belong to a thread in the
 * kernel (credentials(7)); the C library's wrappers, which change them in all threads of a process,
 * are not used.
 *
 * What a task could do the thread can then do, and no more: nothing is ever taken on that the
 * thread's own permitted set lacks.
 */
#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "behalf/behalf_private.h"

static int get_caps(uint64_t *ret_effective, uint64_t *ret_permitted)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {};

	if (syscall(SYS_capget, &head, data) < 0)
		return -errno;
	*ret_effective = data[0].effective | (uint64_t)data[1].effective << 32;
	*ret_permitted = data[0].permitted | (uint64_t)data[1].permitted << 32;
	return 0;
}

/* The permitted set stays, so that what is laid down can be taken up again. */
static int set_caps(const struct behalf *b, uint64_t effective)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	const uint64_t permitted = b->base_permitted;
	const struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {
		{.effective = (uint32_t)effective, .permitted = (uint32_t)permitted},
		{.effective = (uint32_t)(effective >> 32),
		 .permitted = (uint32_t)(permitted >> 32)},
	};

	return syscall(SYS_capset, &head, data) < 0 ? -errno : 0;
}

/* setfsuid(2) and setfsgid(2) return the old ID, also when they refuse. */
static int set_fsuid(uid_t uid)
{
	(void)syscall(SYS_setfsuid, uid);
	return (uid_t)syscall(SYS_setfsuid, (uid_t)-1) == uid ? 0 : -EPERM;
}

static int set_fsgid(gid_t gid)
{
	(void)syscall(SYS_setfsgid, gid);
	return (gid_t)syscall(SYS_setfsgid, (gid_t)-1) == gid ? 0 : -EPERM;
}

static int set_groups(const gid_t *groups, size_t n)
{
	return syscall(SYS_setgroups, n, groups) < 0 ? -errno : 0;
}

static bool has_groups(const struct act_creds *a, const struct act_creds *b)
{
	return a->n_groups == b->n_groups &&
	       (a->n_groups == 0 ||
		memcmp(a->groups, b->groups, a->n_groups * sizeof(*a->groups)) == 0);
}

int behalf_creds_init(struct behalf *b)
{
	int n = getgroups(0, NULL);
	int r;

	if (n < 0)
		return -errno;
	b->base_groups = calloc((size_t)n + 1, sizeof(*b->base_groups));
	if (!b->base_groups)
		return -ENOMEM;
	n = getgroups(n, b->base_groups);
	r = n < 0 ? -errno : get_caps(&b->base.cap_effective, &b->base_permitted);
	if (r < 0)
		return r;
	b->base.groups = b->base_groups;
	b->base.n_groups = (size_t)n;
	b->base.fsuid = (uid_t)syscall(SYS_setfsuid, (uid_t)-1);
	b->base.fsgid = (gid_t)syscall(SYS_setfsgid, (gid_t)-1);
	return 0;
}

void behalf_creds_fini(struct behalf *b)
{
	free(b->base_groups);
	b->base_groups = NULL;
}

/* IDs first: changing them takes capabilities that may have to be laid down, and leaving user 0
 * lays some down by itself. */
static int take_on(struct behalf *b, const struct act_creds *from, const struct act_creds *to)
{
	int r = 0;

	if (!has_groups(from, to))
		r = set_groups(to->groups, to->n_groups);
	if (r == 0 && from->fsgid != to->fsgid)
		r = set_fsgid(to->fsgid);
	if (r == 0 && from->fsuid != to->fsuid)
		r = set_fsuid(to->fsuid);
	if (r < 0)
		return r;
	return set_caps(b, to->cap_effective & b->base_permitted);
}

int behalf_assume(struct behalf *b, const struct act_creds *creds)
{
	if (!creds->differs)
		return 0;
	b->is_assumed = true;
	return take_on(b, &b->base, creds);
}

/* The real and saved ones stay, so that this can be undone and nobody else may signal us. */
static int set_effective(uid_t uid, gid_t gid)
{
	return syscall(SYS_setresgid, -1, gid, -1) < 0 || syscall(SYS_setresuid, -1, uid, -1) < 0
		       ? -errno
		       : 0;
}

int behalf_identify(struct behalf *b, const struct act_creds *creds)
{
	int r;

	if (!b->is_assumed || (creds->fsuid == b->base.fsuid && creds->fsgid == b->base.fsgid))
		return 0;
	r = set_caps(b, b->base.cap_effective);
	if (r < 0)
		return r;
	b->is_identified = true;
	r = set_effective(creds->fsuid, creds->fsgid);
	return r < 0 ? r : set_caps(b, creds->cap_effective & b->base_permitted);
}

void behalf_resume(struct behalf *b)
{
	if (!b->is_assumed)
		return;
	b->is_assumed = false;
	if (b->is_identified && (set_caps(b, b->base.cap_effective) < 0 ||
				 set_effective(b->base.fsuid, b->base.fsgid) < 0))
		abort();
	b->is_identified = false;
	/* Capabilities first, for the same reason; what was half taken on is undone as well. */
	if (set_caps(b, b->base.cap_effective) < 0 || set_fsuid(b->base.fsuid) < 0 ||
	    set_fsgid(b->base.fsgid) < 0 || set_caps(b, b->base.cap_effective) < 0)
		abort();
	if ((b->base.cap_effective & (UINT64_C(1) << CAP_SETGID)) &&
	    set_groups(b->base.groups, b->base.n_groups) < 0)
		abort();
}

int behalf_own_fs(struct behalf *b)
{
	if (b->has_own_fs)
		return 0;
	if (unshare(CLONE_FS) < 0)
		return -errno;
	b->umask = umask(0);
	(void)umask(b->umask);
	b->has_own_fs = true;
	return 0;
}

/* The octal number of the "Umask:" line (Linux 4.7). */
static int parse_umask(const char *text, mode_t *ret)
{
	const char *line = strstr(text, "\nUmask:");
	mode_t mask = 0;

	if (!line)
		return -EIO;
	line += strlen("\nUmask:");
	line += strspn(line, " \t");
	if (*line < '0' || *line > '7')
		return -EIO;
	for (; *line >= '0' && *line <= '7'; line++)
		mask = (mask << 3 | (mode_t)(*line - '0')) & 0777;
	*ret = mask;
	return 0;
}

int behalf_take_umask(struct behalf *b, pid_t tid)
{
	_cleanup_(fd_closep) int fd = -1;
	char path[32], text[512];
	mode_t mask;
	ssize_t n;
	int r;

	r = behalf_own_fs(b);
	if (r < 0)
		return r;
	(void)snprintf(path, sizeof(path), "%d/status", (int)tid);
	fd = openat(b->config.proc, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = read(fd, text, sizeof(text) - 1);
	if (n < 0)
		return -errno;
	text[n] = '\0';
	r = parse_umask(text, &mask);
	if (r == 0 && mask != b->umask) {
		(void)umask(mask);
		b->umask = mask;
	}
	return r;
}
