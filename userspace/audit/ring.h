/* SPDX-License-Identifier: Apache-2.0 */
/*
 * FILE.ring: the write-ahead memory of one log. A header page and a power of two of bytes, mapped
 * MAP_SHARED, so that a record outlives the process once its bytes and then `head` are stored.
 * Private to audit/.
 *
 * The file is locked with flock(2) while a session lives; whoever can take the lock has found the
 * ring of a dead one. The lock belongs to the open file, so a launcher that shares it with its
 * supervisor keeps it too. Positions only grow; a position modulo `capacity` is an offset.
 */
#pragma once

#include <stdatomic.h>
#include <sys/types.h>

#include "audit/audit.h"

#define RING_HEADER_BYTES  ((size_t)4096)
#define RING_DEFAULT_BYTES ((size_t)1 << 20)
#define RING_MIN_BYTES     ((size_t)128 << 10) /* holds two of the largest records */
#define RING_MAX_BYTES     ((size_t)64 << 20)
#define RING_SESSION_MAX   ((size_t)127)
#define RING_AGENT_MAX     ((size_t)511)
/* In a directory of sessions' logs: the ring of one that ended, empty, for the next. */
#define RING_SPARE_NAME "ring.spare"

/* How far the log file is: the records before `tail` are the first `file_bytes` of it. */
struct ring_commit {
	uint64_t tail;
	uint64_t file_bytes;
	uint64_t made;     /* lines that the writer made itself: added to the packed `seq`s */
	uint64_t last_seq; /* of the last line of the session; 0: there is none yet */
	uint64_t rotating; /* N: the file is about to become FILE.N, or just has; else 0 */
};

struct ring_counts {
	_Atomic uint64_t total;
	_Atomic uint64_t by_verdict[_VERDICT_MAX], would_have[_VERDICT_MAX], by_kind[_KIND_MAX];
	_Atomic uint64_t held, approved, timed_out;
};

struct ring_header {
	char magic[8]; /* stored last: all zero means that its maker died before it was whole */
	uint32_t version;
	uint32_t session_len, agent_len;
	_Atomic pid_t writer; /* 0 until audit_start() */
	uint64_t capacity;
	char session[RING_SESSION_MAX + 1];
	char agent[RING_AGENT_MAX + 1];
	_Alignas(64) _Atomic uint64_t head;
	uint64_t next_seq;
	struct ring_counts counts;
	/* Two slots, so that the pair changes in one step: commits & 1 names the valid one. */
	_Alignas(64) _Atomic uint32_t commits;
	struct ring_commit commit[2];
};

_Static_assert(sizeof(struct ring_header) <= RING_HEADER_BYTES, "the header has outgrown its page");

struct ring {
	struct ring_header *header; /* the mapping; NULL: none */
	char *data;
	size_t capacity;
	int fd;
};

#define RING_NULL ((struct ring){.fd = -1})

enum {
	RING_E_BUSY = 1, /* a live session holds it */
	RING_E_EMPTY,    /* its maker died before it was whole: nothing is in it */
	RING_E_FOREIGN,  /* not a ring, or one of another version */
};

/*
 * Makes @name in @dirfd, with all its blocks, and locks it. Return: 0; -EEXIST: somebody's ring is
 * there; -errno (-ENOSPC: a full disk shows here, never as SIGBUS later).
 */
int ring_create(int dirfd, const char *name, size_t capacity, const struct audit_config *config,
		struct ring *ret);
/*
 * As ring_create(), but from RING_SPARE_NAME where there is one that nobody else has open: to make
 * and to remove a megabyte of file costs some file systems (ext4 that discards) more than 5 ms by
 * the clock.
 */
int ring_reuse(int dirfd, const char *name, size_t capacity, const struct audit_config *config,
	       struct ring *ret);
/* Removes @name, whose ring is @r: what was in it is overwritten, and it becomes the spare one if
 * there is none. */
void ring_retire(int dirfd, const char *name, struct ring *r);
/* Opens and locks the ring of a dead session. Return: 0; RING_E_*; -ENOENT; -errno (-EPERM: it is
 * another user's). */
int ring_open_stale(int dirfd, const char *name, struct ring *ret);
/* Return: 1 a live session holds it, 0 not (or there is none), -errno. */
int ring_is_live(int dirfd, const char *name);
/* What the ring, live or not, says; it may change at any time. Return: 0; RING_E_FOREIGN;
 * RING_E_EMPTY; -errno. */
int ring_peek(int dirfd, const char *name, struct ring_commit *ret);
/* A look from outside: the bytes that wait for the writer; 0 when there is no ring. */
uint64_t ring_lag(int dirfd, const char *name);
/* Unmaps and closes, which also unlocks; the file stays. */
void ring_close(struct ring *r);

struct ring_commit ring_get_commit(const struct ring *r);
void ring_set_commit(struct ring *r, struct ring_commit c);

static inline uint64_t ring_head(const struct ring *r)
{
	return atomic_load_explicit(&r->header->head, memory_order_acquire);
}

/* Makes everything before @head visible, to the writer and to a recovery. */
static inline void ring_publish(struct ring *r, uint64_t head)
{
	atomic_store_explicit(&r->header->head, head, memory_order_release);
}

static inline struct bytes ring_session(const struct ring *r)
{
	return (struct bytes){.p = r->header->session, .len = r->header->session_len};
}

static inline struct bytes ring_agent(const struct ring *r)
{
	return (struct bytes){.p = r->header->agent, .len = r->header->agent_len};
}
