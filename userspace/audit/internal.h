/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of audit/ share about an open log: audit.c (producers, opening, closing), writer.c
 * (the thread that writes) and recover.c. Private to audit/.
 */
#pragma once

#include <pthread.h>

#include "audit/chain.h"
#include "audit/codec.h"
#include "audit/logfile.h"
#include "audit/ring.h"

struct audit {
	struct logfile file;
	struct ring ring;

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
	struct ring_commit done;
	struct chain *chain;
	struct chain_link prev; /* of the next line */
	int lines;              /* written by this process */
	struct strbuf text;
	struct codec_view view;
};

int audit_new(struct audit **ret);
/* Frees and closes, touches no file. NULL-safe. Return: NULL. */
struct audit *audit_free(struct audit *a);
void audit_freep(struct audit **a);

/* The body of the writer thread; @arg is the struct audit. */
void *audit_writer_main(void *arg);
/* Writes everything up to now in this thread: before the writer runs, after it, and in a recovery.
 * Return: 0, -errno of the failed log. */
int audit_drain(struct audit *a);
/* Takes up where the file ends; a line that somebody left unfinished is finished first. Return: 0,
 * -errno. */
int audit_begin_at_end(struct audit *a);
/* Everything is in the file: gives back what was allocated beyond its end, removes the ring. */
void audit_finish(struct audit *a);
