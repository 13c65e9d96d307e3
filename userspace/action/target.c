/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Looking at the caller of a notification: a small cache of /proc directories, and its memory.
 *
 * Memory is read by process_vm_readv(2) with the tid and not through a cached /proc/TID/mem: such a
 * descriptor stays bound to the memory that the task had when it was opened, and lives on after an
 * exec or a death for as long as anyone shares that memory (vfork, threads). A read from it would
 * then give us what another process wrote there. The tid itself cannot be wrong: its task is
 * blocked in the notified call, which is checked after the last read.
 */
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <sys/uio.h>

#include "action/decode.h"
#include "base/clock.h"
#include "base/io.h"

#define OPENAT2_RETRIES 8
#define FIRST_LOOK      ((size_t)256)
#define PROC_PATH_SIZE  64
/* Looks at a task by name before its directory is opened. */
#define TARGET_LOOKS_BY_NAME 8

static ssize_t kernel_read_memory(void *ctx, pid_t tid, uint64_t address, void *buf, size_t len)
{
	struct iovec local = {.iov_base = buf, .iov_len = len};
	struct iovec remote = {.iov_base = (void *)(uintptr_t)address, .iov_len = len};
	ssize_t n;

	(void)ctx;
	n = process_vm_readv(tid, &local, 1, &remote, 1, 0);
	if (n < 0 && errno == EPERM && rights_settle())
		n = process_vm_readv(tid, &local, 1, &remote, 1, 0);
	return n < 0 ? -errno : n;
}

static int kernel_open_proc(void *ctx, pid_t tid)
{
	char path[32];
	int fd;

	(void)ctx;
	(void)snprintf(path, sizeof(path), "/proc/%d", (int)tid);
	fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

static void drop_slot(struct action_decoder *d, size_t i)
{
	if (d->tids[i] == 0)
		return;
	d->targets[i].dir = fd_close(d->targets[i].dir);
	d->targets[i].pidfd = fd_close(d->targets[i].pidfd);
	d->tids[i] = 0;
	d->used[i] = 0;
}

void target_drop(struct action_decoder *d, pid_t tid)
{
	for (size_t i = 0; i < TARGET_CACHE_SIZE; i++)
		if (d->tids[i] == tid)
			drop_slot(d, i);
}

void target_drop_all(struct action_decoder *d)
{
	for (size_t i = 0; i < TARGET_CACHE_SIZE; i++)
		drop_slot(d, i);
}

/* Out of descriptors: gives back all but the one in use. */
static void make_room(struct decode *c)
{
	for (size_t i = 0; i < TARGET_CACHE_SIZE; i++)
		if (&c->d->targets[i] != c->t)
			drop_slot(c->d, i);
}

/* openat2(2) where a RESOLVE_* is wanted, else openat(2). */
static int open_any(int dirfd, const char *path, int flags, uint64_t resolve)
{
	struct open_how how = {
		.flags = (uint64_t)(unsigned)flags | O_CLOEXEC,
		.resolve = resolve,
	};
	int fd;

	if (!resolve)
		return openat(dirfd, path, flags | O_CLOEXEC);
	for (int i = 0; i < OPENAT2_RETRIES; i++) {
		/* EAGAIN: somebody renamed on the way, and the kernel cannot tell whether we are
		 * still inside. */
		fd = (int)syscall(SYS_openat2, dirfd, path, &how, sizeof(how));
		if (fd >= 0 || (errno != EAGAIN && errno != EINTR))
			return fd;
	}
	return fd;
}

static int open_with_room(struct decode *c, int dirfd, const char *path, int flags,
			  uint64_t resolve)
{
	int fd = open_any(dirfd, path, flags, resolve);

	if (fd < 0 && (errno == EMFILE || errno == ENFILE)) {
		make_room(c);
		fd = open_any(dirfd, path, flags, resolve);
	}
	return fd < 0 ? -errno : fd;
}

/* With the agent's rights, with which @end then ends. */
static int open_as_agent(struct decode *c, int dirfd, const char *path, int flags, uint64_t resolve,
			 void (*end)(struct rights *))
{
	int fd = rights_take(&c->d->rights, &c->a->act.creds);

	if (fd == 0)
		fd = open_with_room(c, dirfd, path, flags, resolve);
	end(&c->d->rights);
	return fd;
}

int target_open_at(struct decode *c, int dirfd, const char *path, int flags, uint64_t resolve)
{
	return open_as_agent(c, dirfd, path, flags, resolve, rights_give_back);
}

int target_walk_at(struct decode *c, int dirfd, const char *path, uint64_t resolve)
{
	const int flags = O_PATH | O_DIRECTORY;
	struct statfs fs;
	int fd;

	if (!c->a->act.creds.differs || !rights_walk_alike(&c->d->rights, &c->a->act.creds))
		return target_open_at(c, dirfd, path, flags, resolve);
	if (c->leaves_rights)
		return open_as_agent(c, dirfd, path, flags, resolve, rights_leave_on);
	fd = open_with_room(c, dirfd, path, flags, resolve);
	/* Procfs asks for more than other file systems: see rights_walk_alike(). */
	if (fd < 0 || (fstatfs(fd, &fs) == 0 && fs.f_type != PROC_SUPER_MAGIC))
		return fd;
	(void)close(fd);
	return target_open_at(c, dirfd, path, flags, resolve);
}

/* Where to look for @name of the target: a descriptor of ours and a path for it, perhaps in @buf.
 */
static int target_place(struct decode *c, const char *name, char buf[static PROC_PATH_SIZE],
			const char **ret_path)
{
	struct target *t = c->t;

	(void)rights_settle();
	if (t->dir < 0 && t->n_looks++ >= TARGET_LOOKS_BY_NAME)
		t->dir = MAX(c->d->source.open_proc(c->d->source.ctx, t->tid),
			     -1); /* by name goes on to work */
	*ret_path = name;
	if (t->dir >= 0)
		return t->dir;
	(void)snprintf(buf, PROC_PATH_SIZE, "/proc/%d/%s", (int)t->tid, name);
	*ret_path = buf;
	return AT_FDCWD;
}

int target_open(struct decode *c, const char *name, int flags)
{
	char buf[PROC_PATH_SIZE];
	const char *path;
	int dirfd = target_place(c, name, buf, &path);

	return open_with_room(c, dirfd, path, flags, 0);
}

int target_readlink(struct decode *c, const char *name, struct bytes *ret)
{
	char *buf = arena_alloc(&c->d->arena, ACTION_PATH_MAX + 1);
	char place[PROC_PATH_SIZE];
	const char *path;
	ssize_t n;
	int dirfd;

	if (!buf)
		return decode_fail(ACTION_NO_MEMORY);
	dirfd = target_place(c, name, place, &path);
	n = readlinkat(dirfd, path, buf, ACTION_PATH_MAX);
	if (n < 0 && errno != ENAMETOOLONG) {
		int r = errno;

		arena_trim(&c->d->arena, buf, 0);
		return r;
	}
	if (n < 0 || n == ACTION_PATH_MAX)
		return decode_fail(ACTION_TOO_LONG);
	buf[n] = '\0';
	arena_trim(&c->d->arena, buf, (size_t)n + 1);
	*ret = (struct bytes){.p = buf, .len = (size_t)n};
	return 0;
}

/*
 * What target_read_status() reads, from a pidfd (Linux 6.13, kernel commit cdda1f26e74b), at a
 * tenth of the cost of having the kernel format a status file. The structure is the first published
 * version of struct pidfd_info (include/uapi/linux/pidfd.h).
 */
struct pidfd_info_v0 {
	uint64_t mask;
	uint64_t cgroup;
	uint32_t pid, tgid, ppid;
	uint32_t ids[8];
	int32_t exit_code;
};
_Static_assert(sizeof(struct pidfd_info_v0) == 64, "PIDFD_INFO_SIZE_VER0");

#define IOCTL_PIDFD_GET_INFO _IOWR(0xff, 11, struct pidfd_info_v0)
#define PIDFD_OPEN_THREAD    O_EXCL /* Linux 6.9 */

static int read_pidfd_info(pid_t tid, pid_t *ret_tgid, pid_t *ret_ppid)
{
	_cleanup_(fd_closep) int fd = (int)syscall(SYS_pidfd_open, tid, PIDFD_OPEN_THREAD);
	struct pidfd_info_v0 info = {};

	if (fd < 0)
		return -errno;
	if (ioctl(fd, IOCTL_PIDFD_GET_INFO, &info) < 0)
		return -errno;
	if ((pid_t)info.pid != tid)
		return -ESRCH;
	*ret_tgid = (pid_t)info.tgid;
	*ret_ppid = (pid_t)info.ppid;
	return 0;
}

static int kernel_read_identity(void *ctx, int dir, pid_t tid, pid_t *ret_tgid, pid_t *ret_ppid)
{
	_cleanup_(fd_closep) int own = -1;

	if (read_pidfd_info(tid, ret_tgid, ret_ppid) == 0)
		return 0;
	/* Older kernels. */
	if (dir < 0)
		dir = own = kernel_open_proc(ctx, tid);
	return dir < 0 ? dir : target_read_status(dir, ret_tgid, ret_ppid);
}

const struct action_source action_source_kernel = {
	.read_memory = kernel_read_memory,
	.open_proc = kernel_open_proc,
	.has_proc_paths = true,
	.read_identity = kernel_read_identity,
};

static int open_pidfd(struct decode *c)
{
	/* By thread where the kernel can: a thread may have a descriptor table of its own. */
	int fd = (int)syscall(SYS_pidfd_open, c->t->tid, PIDFD_OPEN_THREAD);

	if (fd < 0 && (errno == EMFILE || errno == ENFILE)) {
		make_room(c);
		fd = (int)syscall(SYS_pidfd_open, c->t->tid, PIDFD_OPEN_THREAD);
	}
	c->t->is_thread_pidfd = fd >= 0 || c->t->tid == c->t->tgid;
	if (fd < 0)
		fd = (int)syscall(SYS_pidfd_open, c->t->tgid, 0);
	return fd < 0 ? -errno : fd;
}

int target_take_fd(struct decode *c, int fd)
{
	int copy;

	for (int i = 0; i < 2; i++) {
		if (c->t->pidfd < 0)
			c->t->pidfd = open_pidfd(c);
		if (c->t->pidfd < 0)
			return c->t->pidfd;
		copy = (int)syscall(SYS_pidfd_getfd, c->t->pidfd, fd, 0);
		if (copy < 0 && errno == EPERM && rights_settle())
			copy = (int)syscall(SYS_pidfd_getfd, c->t->pidfd, fd, 0);
		if (copy >= 0 || errno != ESRCH)
			break;
		/* What was kept is of an earlier task with the same id. */
		c->t->pidfd = fd_close(c->t->pidfd);
	}
	return copy < 0 ? -errno : copy;
}

int target_take_directory(struct decode *c, int fd)
{
	int copy;

	/* As for the directory in /proc: not worth it for a task that makes a few calls. */
	if (!c->d->source.has_proc_paths || (c->t->pidfd < 0 && c->t->dir < 0))
		return -EAGAIN;
	copy = target_take_fd(c, fd);
	if (copy >= 0 && !c->t->is_thread_pidfd) {
		(void)fd_close(copy);
		return -EAGAIN;
	}
	return copy;
}

static size_t oldest_slot(const struct action_decoder *d)
{
	size_t oldest = 0;

	for (size_t i = 1; i < TARGET_CACHE_SIZE; i++)
		if (d->used[i] < d->used[oldest])
			oldest = i;
	return oldest;
}

static int load(struct decode *c, pid_t tid)
{
	struct action_decoder *d = c->d;
	size_t slot = oldest_slot(d);
	struct target *t = &d->targets[slot];
	int dir = -1;
	int r;

	(void)rights_settle();
	drop_slot(d, slot);
	if (!d->source.has_proc_paths) {
		dir = d->source.open_proc(d->source.ctx, tid);
		if (dir < 0)
			return decode_fail(ACTION_UNREADABLE);
	}
	*t = (struct target){.tid = tid, .dir = dir, .pidfd = -1};
	r = d->source.read_identity(d->source.ctx, dir, tid, &t->tgid, &t->ppid);
	if (r == -EMFILE || r == -ENFILE) {
		target_drop_all(d);
		r = d->source.read_identity(d->source.ctx, dir, tid, &t->tgid, &t->ppid);
	}
	if (r < 0) {
		(void)fd_close(dir);
		return decode_fail(ACTION_UNREADABLE);
	}
	d->tids[slot] = tid;
	d->used[slot] = ++d->clock;
	c->t = t;
	c->is_new_target = true;
	return 0;
}

static struct target *find(struct action_decoder *d, pid_t tid)
{
	for (size_t i = 0; i < TARGET_CACHE_SIZE; i++)
		if (d->tids[i] == tid) {
			d->used[i] = ++d->clock;
			return &d->targets[i];
		}
	return NULL;
}

/*
 * Whether what was read of the target's image still holds. It may be kept as long as nobody
 * executed: every exec is a notification, and the task that made it makes no other before the exec
 * is over. A thread that does not lead its group takes the leader's id by its exec; then a leader's
 * notification may come in between, so nothing is kept.
 */
static bool is_fresh(const struct decode *c, uint64_t now_ns)
{
	const struct action_epoch *epoch = c->d->config.epoch;

	return epoch && c->t->checked_ns && now_ns - c->t->checked_ns < TARGET_TRUST_NS &&
	       c->t->execs == atomic_load(&epoch->execs) && !atomic_load(&epoch->has_thread_exec);
}

void target_note_exec(struct decode *c)
{
	struct action_epoch *epoch = c->d->config.epoch;

	if (!epoch)
		return;
	if (c->t->tid != c->t->tgid)
		atomic_store(&epoch->has_thread_exec, true);
	atomic_fetch_add(&epoch->execs, 1);
}

/* Reading the image's name also says whether the cached directory is still that of a living task.
 */
static int read_exe(struct decode *c, uint64_t now_ns)
{
	struct action_epoch *epoch = c->d->config.epoch;
	struct target *t = c->t;
	unsigned execs = epoch ? atomic_load(&epoch->execs) : 0;
	int r = target_readlink(c, "exe", &t->exe);

	t->checked_ns = 0;
	if (r) {
		t->exe = BYTES_NULL;
		return r;
	}
	if (t->exe.len < sizeof(t->exe_text)) {
		memcpy(t->exe_text, t->exe.p, t->exe.len + 1);
		t->exe.p = t->exe_text;
		t->execs = execs;
		t->checked_ns = now_ns;
	}
	return 0;
}

int target_get(struct decode *c)
{
	pid_t tid = (pid_t)c->n->pid;
	uint64_t now_ns = clock_monotonic_ns();
	int r;

	c->t = find(c->d, tid);
	if (c->t && is_fresh(c, now_ns))
		return 0;
	/* Through the directory of a task that has gone nothing can be read; by its name, another
	 * task could be. */
	if (c->t && c->t->dir >= 0 && read_exe(c, now_ns) == 0)
		return 0;
	target_drop(c->d, tid);
	c->t = NULL;
	r = load(c, tid);
	if (r)
		return r;
	/* Not permitted to see it, or none: what the call needs of the target decides, not this. */
	(void)read_exe(c, now_ns);
	return 0;
}

void target_refresh_parent(struct decode *c)
{
	pid_t tgid, ppid;

	if (c->is_new_target)
		return;
	if (c->d->source.read_identity(c->d->source.ctx, c->t->dir, c->t->tid, &tgid, &ppid) == 0)
		c->t->ppid = ppid;
}

/* One read that does not cross a page. */
static int read_in_page(struct decode *c, uint64_t address, void *buf, size_t len, size_t *ret_len)
{
	ssize_t n;

	len = MIN(len, (size_t)(TARGET_PAGE_SIZE - address % TARGET_PAGE_SIZE));
	n = c->d->source.read_memory(c->d->source.ctx, (pid_t)c->n->pid, address, buf, len);
	if (n == -EFAULT)
		return EFAULT;
	if (n <= 0 || (size_t)n > len)
		return decode_fail(ACTION_UNREADABLE);
	*ret_len = (size_t)n;
	return 0;
}

int target_read_some(struct decode *c, uint64_t address, void *buf, size_t len, size_t *ret_len)
{
	return read_in_page(c, address, buf, len, ret_len);
}

int target_read(struct decode *c, uint64_t address, void *buf, size_t len)
{
	size_t done = 0;

	while (done < len) {
		size_t n;
		int r;

		r = read_in_page(c, address + done, (char *)buf + done, len - done, &n);
		if (r)
			return r;
		done += n;
	}
	return 0;
}

int target_read_string(struct decode *c, uint64_t address, size_t max, int over, struct bytes *ret)
{
	char *buf = arena_alloc(&c->d->arena, max);
	size_t done = 0;

	if (!buf)
		return decode_fail(ACTION_NO_MEMORY);
	while (done < max) {
		/* Most strings are short: the first look takes little. */
		size_t want = MIN(max - done, done ? (size_t)TARGET_PAGE_SIZE : FIRST_LOOK);
		const char *end;
		size_t n;
		int r;

		r = read_in_page(c, address + done, buf + done, want, &n);
		if (r)
			return r;
		end = memchr(buf + done, '\0', n);
		if (end) {
			ret->p = buf;
			ret->len = (size_t)(end - buf);
			arena_trim(&c->d->arena, buf, ret->len + 1);
			return 0;
		}
		done += n;
	}
	return over;
}
