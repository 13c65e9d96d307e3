/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "engine/engine.h"

#include "audit/ring.h"

#define RING_VERSION 8
#define RING_RETRIES 16

static const char ring_magic[8] = "HFRING1";

/* Is the open @fd still what @name says? A lock on a file that was removed meanwhile is worthless.
 */
static bool ring_is_named(int dirfd, const char *name, int fd)
{
	struct stat a, b;

	return fstat(fd, &a) == 0 && fstatat(dirfd, name, &b, AT_SYMLINK_NOFOLLOW) == 0 &&
	       a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

static int ring_map(int fd, size_t capacity, struct ring *ret)
{
	void *p;

	p = mmap(NULL, RING_HEADER_BYTES + capacity, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		return -errno;
	*ret = (struct ring){
		.header = p, .data = (char *)p + RING_HEADER_BYTES, .capacity = capacity, .fd = fd};
	return 0;
}

static void ring_init(struct ring *r, const struct audit_config *config)
{
	struct ring_header *h = r->header;
	struct bytes session = bytes_of(config->session), agent = bytes_of(config->agent);

	h->version = RING_VERSION;
	h->capacity = r->capacity;
	h->session_len = (uint32_t)MIN(session.len, RING_SESSION_MAX);
	h->agent_len = (uint32_t)MIN(agent.len, RING_AGENT_MAX);
	if (h->session_len)
		memcpy(h->session, session.p, h->session_len);
	if (h->agent_len)
		memcpy(h->agent, agent.p, h->agent_len);
	h->next_seq = 1;
	atomic_thread_fence(memory_order_release);
	memcpy(h->magic, ring_magic, sizeof(h->magic));
}

int ring_create(int dirfd, const char *name, size_t capacity, const struct audit_config *config,
		struct ring *ret)
{
	int r;

	for (int i = 0; i < RING_RETRIES; i++) {
		_cleanup_(fd_closep) int fd = -1;

		fd = openat(dirfd, name, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
			    ENGINE_LOG_MODE);
		if (fd < 0)
			return -errno;
		/* A recovery that came between the two calls finds nothing and removes it. */
		if (flock(fd, LOCK_EX) < 0)
			return -errno;
		if (!ring_is_named(dirfd, name, fd))
			continue;
		r = -posix_fallocate(fd, 0, (off_t)(RING_HEADER_BYTES + capacity));
		if (r == 0)
			r = ring_map(fd, capacity, ret);
		if (r < 0) {
			(void)unlinkat(dirfd, name, 0); /* the error that is told is the first */
			return r;
		}
		(void)TAKE_FD(fd);
		ring_init(ret, config);
		return 0;
	}
	return -EBUSY;
}

/* All blocks, one name, ours, and protected from every agent since it was made (engine/protect.c).
 */
static bool is_spare(int fd, size_t capacity)
{
	struct stat st;

	return fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == geteuid() &&
	       st.st_nlink == 1 && (st.st_mode & ALLPERMS) == ENGINE_LOG_MODE &&
	       (size_t)st.st_size == RING_HEADER_BYTES + capacity &&
	       st.st_blocks * 512 >= st.st_size;
}

/* An agent could have made the file, and hold it: fcntl(2) gives a lease to write to the one who
 * alone has the file open or mapped. All signals are blocked in a supervisor, so nothing comes of
 * somebody who opens it in between. */
static bool is_ours_alone(int fd)
{
	return fcntl(fd, F_SETLEASE, F_WRLCK) == 0 && fcntl(fd, F_SETLEASE, F_UNLCK) == 0;
}

/* Return: 0; -errno: there is none that can be had. */
static int take_spare(int dirfd, const char *name, size_t capacity, struct ring *ret)
{
	_cleanup_(fd_closep) int fd = -1;
	int r;

	fd = openat(dirfd, RING_SPARE_NAME,
		    O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (flock(fd, LOCK_EX | LOCK_NB) < 0 || !is_spare(fd, capacity) || !is_ours_alone(fd) ||
	    !ring_is_named(dirfd, RING_SPARE_NAME, fd))
		return -EBUSY;
	if (renameat2(dirfd, RING_SPARE_NAME, dirfd, name, RENAME_NOREPLACE) < 0)
		return -errno;
	if (!ring_is_named(dirfd, name, fd))
		return -EBUSY;
	r = ring_map(fd, capacity, ret);
	if (r < 0)
		return r;
	(void)TAKE_FD(fd);
	memset(ret->header, 0, RING_HEADER_BYTES);
	return 0;
}

int ring_reuse(int dirfd, const char *name, size_t capacity, const struct audit_config *config,
	       struct ring *ret)
{
	if (take_spare(dirfd, name, capacity, ret) < 0)
		return ring_create(dirfd, name, capacity, config, ret);
	ring_init(ret, config);
	return 0;
}

void ring_retire(int dirfd, const char *name, struct ring *r)
{
	memset(r->data, 0, (size_t)MIN(ring_head(r), (uint64_t)r->capacity));
	memset(r->header, 0, RING_HEADER_BYTES);
	if (renameat2(dirfd, name, dirfd, RING_SPARE_NAME, RENAME_NOREPLACE) < 0)
		(void)unlinkat(dirfd, name, 0);
}

/* Return: 0, RING_E_EMPTY, RING_E_FOREIGN. */
static int ring_check(const struct ring *r)
{
	static const char zero[sizeof(ring_magic)];
	const struct ring_header *h = r->header;
	struct ring_commit c = ring_get_commit(r);
	uint64_t head = ring_head(r);

	if (memcmp(h->magic, zero, sizeof(zero)) == 0)
		return RING_E_EMPTY;
	if (memcmp(h->magic, ring_magic, sizeof(ring_magic)) != 0 || h->version != RING_VERSION ||
	    h->capacity != r->capacity || h->session_len > RING_SESSION_MAX ||
	    h->agent_len > RING_AGENT_MAX)
		return RING_E_FOREIGN;
	if (c.tail > head || head - c.tail > r->capacity || c.tail % 8 || head % 8)
		return RING_E_FOREIGN;
	return 0;
}

int ring_open_stale(int dirfd, const char *name, struct ring *ret)
{
	_cleanup_(fd_closep) int fd = -1;
	struct ring ring = RING_NULL;
	struct stat st;
	size_t capacity;
	int r;

	fd = openat(dirfd, name, O_RDWR | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return RING_E_FOREIGN;
	if (st.st_uid != geteuid())
		return -EPERM;
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return errno == EWOULDBLOCK ? RING_E_BUSY : -errno;
	/* Once more, now that it holds still. */
	if (!ring_is_named(dirfd, name, fd) || fstat(fd, &st) < 0)
		return -ENOENT;
	if ((size_t)st.st_size < RING_HEADER_BYTES + RING_MIN_BYTES)
		return RING_E_EMPTY;
	capacity = (size_t)st.st_size - RING_HEADER_BYTES;
	if (capacity > RING_MAX_BYTES || (capacity & (capacity - 1)))
		return RING_E_FOREIGN;
	r = ring_map(fd, capacity, &ring);
	if (r < 0)
		return r;
	(void)TAKE_FD(fd);
	r = ring_check(&ring);
	if (r) {
		ring_close(&ring);
		return r;
	}
	*ret = ring;
	return 0;
}

int ring_is_live(int dirfd, const char *name)
{
	_cleanup_(fd_closep) int fd = -1;

	fd = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? 0 : -errno;
	if (flock(fd, LOCK_SH | LOCK_NB) == 0)
		return 0;
	return errno == EWOULDBLOCK ? 1 : -errno;
}

int ring_peek(int dirfd, const char *name, struct ring_commit *ret)
{
	_cleanup_(fd_closep) int fd = -1;
	const struct ring_header *h;
	struct ring ring = RING_NULL;
	struct stat st;
	void *p;
	int r = 0;

	fd = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || (size_t)st.st_size < RING_HEADER_BYTES + RING_MIN_BYTES)
		return RING_E_EMPTY;
	p = mmap(NULL, RING_HEADER_BYTES, PROT_READ, MAP_SHARED, fd, 0);
	if (p == MAP_FAILED)
		return -errno;
	h = ring.header = p;
	if (memcmp(h->magic, ring_magic, sizeof(ring_magic)) != 0 || h->version != RING_VERSION)
		r = RING_E_FOREIGN;
	else
		*ret = ring_get_commit(&ring);
	(void)munmap(p, RING_HEADER_BYTES);
	return r;
}

uint64_t ring_lag(int dirfd, const char *name)
{
	_cleanup_(fd_closep) int fd = -1;
	_Alignas(struct ring_header) char page[RING_HEADER_BYTES];
	const struct ring_header *h = (const struct ring_header *)page;
	uint64_t head, tail;

	fd = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd < 0 || pread(fd, page, sizeof(page), 0) != (ssize_t)sizeof(page) ||
	    memcmp(h->magic, ring_magic, sizeof(h->magic)) != 0 || h->version != RING_VERSION)
		return 0;
	head = atomic_load_explicit(&h->head, memory_order_relaxed);
	tail = h->commit[atomic_load_explicit(&h->commits, memory_order_relaxed) & 1].tail;
	return head > tail ? head - tail : 0;
}

void ring_close(struct ring *r)
{
	if (r->header)
		(void)munmap(r->header, RING_HEADER_BYTES + r->capacity);
	(void)fd_close(r->fd);
	*r = RING_NULL;
}

struct ring_commit ring_get_commit(const struct ring *r)
{
	uint32_t n = atomic_load_explicit(&r->header->commits, memory_order_acquire);

	return r->header->commit[n & 1];
}

void ring_set_commit(struct ring *r, struct ring_commit c)
{
	uint32_t n = atomic_load_explicit(&r->header->commits, memory_order_relaxed);

	r->header->commit[(n + 1) & 1] = c;
	atomic_store_explicit(&r->header->commits, n + 1, memory_order_release);
}
