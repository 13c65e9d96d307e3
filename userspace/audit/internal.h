/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of audit/ share about an open log: audit.c (producers, opening, closing), writer.c
 * (the thread that writes) and recover.c. Private to audit/.
 */
#pragma once

#include <pthread.h>
#include <stdatomic.h>

#include "audit/audit.h"
#include "audit/chain.h"
#include "audit/codec.h"
#include "audit/logfile.h"
#include "audit/redact.h"
#include "audit/ring.h"

/* The longest batch, with the longest line and what the writer adds at its end. */
#define AUDIT_BATCH_BYTES ((size_t)64 * 1024)
#define AUDIT_TEXT_MAX                                                                             \
	(AUDIT_BATCH_BYTES + MAX(CODEC_LINE_MAX, 2 * CODEC_EVENT_MAX) + (size_t)16 * 1024)

/* How far the writer is. */
struct audit_position {
	struct ring_commit commit;
	struct chain_link prev; /* of the next line */
	uint64_t lines;         /* of the file */
	uint64_t signed_lines;  /* up to the last checkpoint, which is one of them */
};

struct compressor;

struct audit {
	struct audit_config config; /* its strings are the caller's: they may be gone */
	struct logfile file;
	struct ring ring;
	bool is_recovery; /* of a ring that a dead session left */
	bool keeps_ring;  /* for the next session, when this one has ended */
	const struct signkey *key;
	int keys_fd; /* the list that has `key`, until that is on the disk; then -1 */

	pthread_mutex_t redact_lock; /* of the scratch; never taken within `lock` */
	struct redact_scratch *scratch;

	pthread_mutex_t lock;
	pthread_cond_t work;     /* the writer waits here */
	pthread_cond_t progress; /* producers wait here for room, flushers for the writer */
	pthread_t writer;
	bool is_started;  /* under lock, like all down to `error` */
	bool is_sleeping; /* the writer wants to be told of the next record */
	bool is_urgent;   /* the writer should not gather */
	bool is_stopping;
	unsigned int waiters; /* on `progress` */
	uint64_t tail;        /* what the writer has finished */
	int error;            /* 0, or the -errno that failed the log */

	/* The writer's own; before audit_start(), the caller's. */
	struct audit_position at;
	struct chain *chain;
	struct compressor *compressor; /* of the file that was closed last, or NULL */
	int lines;                     /* written by this process */
	uint64_t synced_ns;            /* monotonic */
	atomic_bool is_dirty; /* something was written since; its last sync may be another's */
	struct strbuf text;
	struct codec_view view;
};

int audit_new(struct audit **ret);
/* Frees and closes, touches no file. NULL-safe. Return: NULL. */
struct audit *audit_free(struct audit *a);
void audit_freep(struct audit **a);

/* Adds a line that the writer makes itself to a->text, and moves @pos behind it. @keys: JSON
 * without braces. Return: 0, -errno. */
int audit_add_made(struct audit *a, const char *event, struct bytes keys,
		   struct audit_position *pos);
/* The same for a checkpoint, unless the last line is one or there is no key. Return: 0, -errno. */
int audit_add_checkpoint(struct audit *a, struct audit_position *pos);
/* Writes a->text, which leads to @pos. Return: 0, -errno. */
int audit_write_to(struct audit *a, const struct audit_position *pos);
/* Brings what was written to the disk: now with @must, else when the mode says so. Return: 0,
 * -errno. */
int audit_sync(struct audit *a, bool must);
/* Writes one batch of what is before @head; when the place is full, as many whole lines as still
 * fit. Return: 0, -errno. */
int audit_drain_batch(struct audit *a, uint64_t head);

/* rotate.c: FILE becomes FILE.N when it is large enough. Return: 0, -errno. */
int audit_rotate(struct audit *a);
/* Ends a rotation in which a writer died. Return: 0, -errno. */
int audit_end_rotation(struct audit *a);
/* Waits for the compression of a closed file. */
void audit_end_compression(struct audit *a);

/* The body of the writer thread; @arg is the struct audit. */
void *audit_writer_main(void *arg);
/* Writes everything up to now in this thread: before the writer runs, after it, and in a recovery.
 * Return: 0, -errno of the failed log. */
int audit_drain(struct audit *a);
/* Takes up where the file ends; a line that somebody left unfinished is finished first. Return: 0,
 * -EMSGSIZE (see tail.h), -errno. */
int audit_begin_at_end(struct audit *a);
/* Everything is in the file: gives back what was allocated beyond its end, removes the ring. */
void audit_finish(struct audit *a);
