/* SPDX-License-Identifier: Apache-2.0 */
/*
 * When processes began and how they ended, as the kernel told of it (records `processes`, of
 * sessions with the layer sight). A batch of them stands behind the records of what those processes
 * did meanwhile. Memory is bounded: what comes after PROCLIVES_MAX is not kept.
 */
#pragma once

#include "audit/reader.h"

#define PROCLIVES_MAX  ((size_t)1 << 16)
#define PROCLIVES_NONE SIZE_MAX
#define PROCLIVES_COMM 64 /* 15 bytes, each of which may be written as \xNN */

enum proclife_end {
	PROCLIFE_UNKNOWN, /* it lives, or what was told of its end was lost */
	PROCLIFE_EXIT,
	PROCLIFE_SIGNAL,
};

struct proclife {
	uint64_t session; /* proclives_session() */
	uint64_t pid, ppid;
	uint64_t began_ns, ended_ns; /* realtime; ended_ns: UINT64_MAX as long as it is not known */
	enum proclife_end end;
	uint64_t status;           /* with which it exited, or the signal's number */
	char comm[PROCLIVES_COMM]; /* what it was called last; "": not known */
	size_t node;               /* the reader's; PROCLIVES_NONE at first */
	size_t next;               /* of the same bucket, an older one */
};

struct proclives;

struct proclives *proclives_new(void); /* NULL: out of memory */
struct proclives *proclives_free(struct proclives *l);
/* What stands for the session of @root. */
uint64_t proclives_session(const json_t *root);
/* Takes a record `processes`. Return: 0, -ENOMEM. */
int proclives_learn(struct proclives *l, const json_t *root);
size_t proclives_count(const struct proclives *l);
/* Forgets all but the first @n. */
void proclives_truncate(struct proclives *l, size_t n);
/* Borrowed until the next one is learned. */
struct proclife *proclives_get(const struct proclives *l, size_t i);
/* Who had @pid at that time. Return: its number; PROCLIVES_NONE: nobody that is known. */
size_t proclives_find(const struct proclives *l, uint64_t session, uint64_t pid, uint64_t time_ns);
/* Who started it: one that began before. Return: as proclives_find(). */
size_t proclives_parent(const struct proclives *l, size_t i);
