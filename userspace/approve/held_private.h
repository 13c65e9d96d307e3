/* SPDX-License-Identifier: Apache-2.0 */
/* What held.c (the table), held_entry.c (the copies) and held_group.c (equal questions) share. */
#pragma once

#include <pthread.h>

#include "approve/held.h"

#define HELD_SEEN    1024 /* questions whose number is remembered; a power of two */
#define HELD_BUCKETS 4096 /* a power of two */
#define HELD_ID_LEN  (HELD_ID_SIZE - 1)

/* Those that are the same question, oldest first. */
struct group {
	struct group *next; /* of the bucket */
	struct entry *first, *last;
	unsigned n;
	uid_t approved_by[POLICY_MAX_APPROVALS];
	unsigned n_approved;
};

struct seen {
	unsigned char key[SHA256_BYTES];
	unsigned n;
};

struct entry {
	struct held held;    /* first: what the callers see */
	struct group *group; /* NULL: it is like no other */
	struct entry *same_older, *same_newer;
	struct entry *hash_next;
	struct entry *older, *newer;
	size_t heap_index;
};

struct held_table {
	pthread_mutex_t lock;
	uint64_t timeout_ns;
	uint64_t last_seq;
	int event_fd;
	size_t count;
	size_t heap_cap;
	struct entry **heap;
	struct entry *oldest, *newest;
	struct entry *buckets[HELD_BUCKETS];
	struct group *groups[HELD_BUCKETS];
	struct seen seen[HELD_SEEN];
};

/* Copies what @r and @subject (may be NULL) point to. NULL: out of memory. */
struct entry *held_entry_new(const struct audit_record *r, const struct grant_subject *subject);
void held_entry_set_id(struct held *h, const char *id);
/* An id that nobody can guess. Return: 0, -errno. */
int held_entry_make_id(char id[static HELD_ID_SIZE]);

/* All with the table locked. Return: 0, -ENOMEM. */
int held_group_add(struct held_table *t, struct entry *e);
void held_group_remove(struct held_table *t, struct entry *e);
/* What a caller sees of @e and of the question that it is part of. */
const struct held *held_group_show(struct entry *e);
