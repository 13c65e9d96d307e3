/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The processes of a session, told from the records of what they did: pid, ppid and program in each
 * record. A pid is taken for a new process when its program is neither what it last ran nor what it
 * was allowed to start, or when its parent is another one (an orphan, which gets one of its
 * ancestors for a parent, is still the same). Where the kernel told of forks and ends (records
 * `processes`), who started whom is as it said.
 *
 * Memory is bounded: what processes beyond PROCTREE_MAX did is counted only.
 */
#pragma once

#include "audit/reader.h"

#define PROCTREE_MAX         16384 /* processes that are kept */
#define PROCTREE_COMMANDS    8     /* command lines kept of each */
#define PROCTREE_DENIALS     8     /* denials kept of each */
#define PROCTREE_COMMAND_MAX ((size_t)512)

#define PROCTREE_NONE SIZE_MAX

struct proctree;

struct proctree *proctree_new(void); /* NULL: out of memory */
struct proctree *proctree_free(struct proctree *t);
void proctree_freep(struct proctree **t);
/* Takes the next record of the log; what it did counts only if @is_counted. Return: 0, and in @ret
 * (may be NULL) the number of the process that it is about, which stays the same, PROCTREE_NONE
 * when it is about none or is not kept; -ENOMEM. */
int proctree_add(struct proctree *t, const json_t *root, bool is_counted, size_t *ret);
/* Takes a record `processes` ahead of its place, so that what is added later is told by it. Return:
 * 0, -ENOMEM. */
int proctree_learn(struct proctree *t, const json_t *root);
/* How many processes were learned of; forgets all but the first @n, before anything is added. */
size_t proctree_n_learned(const struct proctree *t);
void proctree_forget(struct proctree *t, size_t n);
/* The number of the process that started process @i; PROCTREE_NONE: not known. */
size_t proctree_parent(const struct proctree *t, size_t i);
/* One process, as docs/audit.md describes it. Return: a new reference, NULL: out of memory. */
json_t *proctree_process(const struct proctree *t, size_t i);
/*
 * {"total": how many there are, "list": about the first @max that did something, each followed by
 * those that it started, "unlisted": actions of the others}. Return: a new reference, NULL: out of
 * memory.
 */
json_t *proctree_json(struct proctree *t, size_t max);

/* One line of a tree that is shown: a process, or several siblings that did alike. */
struct proctree_row {
	const json_t *process; /* borrowed from the list */
	size_t depth;
	bool is_last;           /* of its siblings */
	size_t n;               /* so many processes with this command line */
	uint64_t total, denied; /* actions of all of them */
};

/* The rows for the "list" of proctree_json(). Return: a heap array of @ret_n rows; NULL: out of
 * memory. */
struct proctree_row *proctree_rows(const json_t *list, size_t *ret_n);

struct proctree_style {
	bool is_unicode; /* lines from box drawing characters */
	bool has_colour;
};

/* The tree as text. */
void proctree_show(const json_t *tree, const struct proctree_style *style, struct strbuf *out);
