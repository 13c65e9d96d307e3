/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What proctree.c gathers, proctree_lives.c corrects by what the kernel told, and proctree_json.c
 * says.
 */
#pragma once

#include "audit/proclives.h"
#include "audit/proctree.h"

#define PROCTREE_BUCKETS 4096 /* of pids */
#define PROCTREE_IMAGES  8    /* programs that a process is remembered to have run */

struct process {
	uint64_t pid, ppid;
	size_t parent;           /* PROCTREE_NONE: the session started it, or nobody knows */
	size_t next;             /* of the same bucket, an older one; PROCTREE_NONE */
	unsigned int generation; /* of the session that it belongs to */
	uint64_t session_key;    /* likewise, as proclives_session() has it */
	size_t life;             /* of proclives; PROCLIVES_NONE: nobody told of it */
	bool is_linked;          /* the parent is the one that it had in life */
	bool is_silent;          /* only known as somebody's parent */
	uint64_t first_seq, last_seq;
	json_t *time; /* of its first record */
	json_t *session;
	/* Programs: the one that it runs is image[n_images - 1]; older ones shift out. */
	json_t *image[PROCTREE_IMAGES];
	size_t n_images;
	/* What it was allowed to start and may run from its next record on. */
	json_t *pending[2];
	json_t *commands; /* {seq, verdict, command}; NULL: none yet */
	uint64_t commands_unlisted;
	json_t *denials; /* {seq, kind, op, object, rule, reason}; NULL: none yet */
	uint64_t denials_unlisted;
	uint32_t counts[_KIND_MAX][_VERDICT_MAX];
};

struct proctree {
	struct proclives *lives;
	struct process *list;
	size_t n, capacity;
	size_t buckets[PROCTREE_BUCKETS];
	unsigned int generation;
	uint64_t supervisor;
	json_t *session; /* its name */
	uint64_t command_pid;
	uint64_t unlisted;
};

/* A process that nobody has told of but as somebody's parent. Return: 0; @ret is PROCTREE_NONE when
 * there is no more room; -ENOMEM. */
int proctree_add_silent(struct proctree *t, uint64_t pid, size_t *ret);
/* Whether @who is above @of. */
bool proctree_is_ancestor(const struct proctree *t, size_t who, size_t of);

/* proctree_lives.c */
/* Who has the record @root, as far as the kernel has told by now. PROCLIVES_NONE: not known. */
size_t proctree_life_of(const struct proctree *t, const json_t *root);
/* @i is the process of @life: its parents are those that the kernel told of. Return: 0, -ENOMEM. */
int proctree_bind(struct proctree *t, size_t i, size_t life);
/* The same for all whose lives were told later than what they did. */
int proctree_bind_all(struct proctree *t);
