/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log of one session. Producers (receivers) append records to a ring in a file mapped
 * MAP_SHARED beside the log, FILE.ring: what is in it survives the supervisor's death and is
 * recovered by audit_recover(). One writer thread turns records into JSON Lines, off the decision
 * path, and batches its write(2)s.
 *
 * Back-pressure, not loss: when the ring is full, audit_append() waits for the writer. When the
 * writer cannot write (ENOSPC, EIO, EDQUOT, EFBIG), the log is failed: every audit_append() from
 * then on returns the error, and the caller denies.
 */
#pragma once

#include "audit/record.h"
#include "base/diag.h"
#include "base/json.h"

struct audit;

struct signkey;
struct redact;

/* When what is in the file is brought to the disk. */
enum audit_sync {
	AUDIT_SYNC_SECOND, /* at most once a second, and at checkpoints */
	AUDIT_SYNC_ALWAYS, /* each batch of lines; before a flush returns */
	AUDIT_SYNC_NONE,   /* when the kernel likes to */
	_AUDIT_SYNC_MAX,
};

#define AUDIT_ROTATE_MIN ((uint64_t)64 * 1024)

/* How a log is kept. */
struct audit_storage {
	enum audit_sync sync;
	uint64_t rotate_bytes;  /* FILE that is larger becomes FILE.1, .2, ...; 0: never */
	unsigned int keep;      /* closed files that are kept, the newest; 0: all */
	bool compresses_closed; /* FILE.N becomes FILE.N.zst */
};

struct audit_config {
	const char *path; /* the log file */
	const char *session;
	const char *agent;
	size_t ring_bytes; /* 0: 1 MiB; else a power of two from 128 KiB to 64 MiB, for tests */
	/* The list of keys (audit/keylist.h) that a recovery's is registered in; NULL: what is
	 * recovered is not signed. */
	const char *keys_path;
	struct audit_storage storage;
	/* Borrowed; NULL: records are kept as they are. What a producer has not redacted itself
	 * (is_redacted) is by audit_append(). */
	const struct redact *redact;
};

/* "second", "always", "none". Return: 0, -EINVAL. */
int audit_sync_parse(const char *s, enum audit_sync *ret);

/*
 * Creates FILE (0600, O_EXCL|O_NOFOLLOW when it is new; an existing FILE must be a regular file of
 * ours, not a symlink, with one link, and is appended to) and FILE.ring. Missing directories are
 * made with 0700. Does not start the writer. Return: 0; -EINVAL with @reterr_diag (what is wrong
 * with the place, what to do); -errno with @reterr_diag.
 */
int audit_open(const struct audit_config *config, struct audit **ret,
	       struct diag *reterr_diag) _must_check_;
/*
 * Before audit_start(): checkpoints are signed with @key, which is registered in the list of keys
 * open at @keys_fd; that is on the disk before the first checkpoint is. Both are borrowed. Without
 * this they are not signed.
 */
void audit_set_key(struct audit *a, const struct signkey *key, int keys_fd);
/* Starts the writer thread (all signals blocked in it). After fork, in the supervisor. Return: 0,
 * -errno. */
int audit_start(struct audit *a);
/*
 * Copies @r and gives it the next sequence number. Any thread; a short critical section, no system
 * call unless the ring is full or the writer sleeps. Return: 0; -errno of the failed log.
 */
int audit_append(struct audit *a, const struct audit_record *r);
/*
 * Writes a line that the caller built: session_start and session_end. @add fills in further keys
 * after the common ones (v, seq, time, event, session, agent). Waits until it is written. Keys of
 * more than 256 KiB give way to "truncated": true. Return: 0, -errno.
 */
int audit_append_event(struct audit *a, const char *event, void (*add)(struct json *j, void *arg),
		       void *arg);
/* Waits until all that was appended is in the file. Return: 0, -errno of the failed log. */
int audit_flush(struct audit *a);
/* Counts so far, for session_end and the launcher: records by verdict and kind. */
struct audit_counts {
	uint64_t total;                    /* AUDIT_ACTION records */
	uint64_t by_verdict[_VERDICT_MAX]; /* AUDIT_ACTION records by `verdict` (an answered hold
					      counts as its answer) */
	uint64_t would_have[_VERDICT_MAX];
	uint64_t by_kind[_KIND_MAX];
	uint64_t held, approved, timed_out;
};
/* Any thread. Also in the launcher, after the supervisor is gone: the counts are shared. */
void audit_get_counts(const struct audit *a, struct audit_counts *ret);
/*
 * With `sync: second`: what is in the file but perhaps not on the disk, for a caller who lets
 * somebody go before that; audit_close() then leaves it alone. Return: a descriptor to give to
 * fdatasync(2) and close; -1: there is nothing.
 */
int audit_take_unsynced(struct audit *a);
/*
 * Flushes, syncs unless `sync: none`, stops the writer, removes the ring file (which stays when
 * something could not be written, for audit_recover()). In a process other than the one that called
 * audit_start(), such as the launcher, only lets go of its copy. NULL-safe. Return: NULL.
 */
struct audit *audit_close(struct audit *a);
/* Lets go of a copy that another process writes with: in the launcher, right after the fork.
 * Touches no file. NULL-safe. Return: NULL. */
struct audit *audit_release(struct audit *a);
/* The log file, absolute, its directory resolved. Borrowed. */
const char *audit_path(const struct audit *a);

/* True while a session writes to @path. */
bool audit_is_live(const char *path);
/*
 * Appends what a dead supervisor left in @path.ring to @path, then removes the ring. Return: lines
 * recovered (0: there was no ring); -EBUSY: a live session has it, it was left alone; -EPERM: it is
 * another user's; -errno; all with @reterr_diag. What was recovered is signed with a key made for
 * that, if it can be registered in the list at @keys_path (NULL: it is not signed).
 */
int audit_recover(const char *path, const char *keys_path, struct diag *reterr_diag);
