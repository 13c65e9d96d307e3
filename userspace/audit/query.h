/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A question about records: which ones are meant. The same option given twice means either, two
 * different options mean both. What decides is query_matches() on a line; query_value() is the same
 * for one string alone, so that an index may ask it once for many lines.
 */
#pragma once

#include <jansson.h>

#include "audit/scan.h"
#include "base/arena.h"
#include "base/diag.h"

/* Values of one option. */
#define QUERY_VALUES_MAX 64

enum query_clause {
	QUERY_SESSION, /* the beginning of its name */
	QUERY_AGENT,
	QUERY_RULE,
	QUERY_POLICY,
	QUERY_TOOL,    /* the base name of a started program, or the name that it was called by */
	QUERY_PATH,    /* our glob; the object of a path or tool action */
	QUERY_ADDRESS, /* an address or range, with or without a port */
	QUERY_TEXT,    /* bytes that occur in a string */
	_QUERY_CLAUSE_MAX,
};

struct query;
struct query_processes;

int query_new(struct query **ret) _must_check_;
struct query *query_free(struct query *q);
void query_freep(struct query **q);
/* Adds a value; @home is for the '~' of a path, may be NULL. Return: 0; -EINVAL with @reterr_diag;
 * -ENOMEM. */
int query_add(struct query *q, enum query_clause clause, const char *value, const char *home,
	      struct diag *reterr_diag) _must_check_;
void query_add_kind(struct query *q, enum action_kind kind);
void query_add_op(struct query *q, enum action_op op);
void query_add_verdict(struct query *q, enum verdict verdict);
/* Return: 0, -ENOSPC: too many. */
int query_add_pid(struct query *q, uint32_t pid) _must_check_;
/* The processes of query_add_pid() with all their descendants. */
void query_set_tree(struct query *q);
void query_set_since(struct query *q, uint64_t realtime_ns);
void query_set_until(struct query *q, uint64_t realtime_ns); /* this moment included */

/* Does it ask for less than everything? */
bool query_is_narrow(const struct query *q);
/* Must query_learn() see every line of all files before query_matches() is asked? */
bool query_needs_processes(const struct query *q);
/* Return: 0, -ENOMEM. */
int query_learn(struct query *q, struct bytes session_raw, uint32_t pid,
		uint32_t ppid) _must_check_;
/* All has been learned: who descends from whom? */
void query_learn_done(struct query *q);

/* @root: NULL when scan->is_plain. */
bool query_matches(const struct query *q, const struct scan *scan, json_t *root);

/* ---- the parts, for an index */

bool query_has(const struct query *q, enum query_clause clause);
/* The texts that a clause looks at: 1 << enum scan_text. */
uint32_t query_texts(enum query_clause clause);
/* Is @raw, which stands at @text, what the clause looks for? */
bool query_value(const struct query *q, enum query_clause clause, enum scan_text text,
		 struct bytes raw);
/* May a file's name be what the clause looks for, where names have only the bytes that @has knows?
 * @has: may the name hold these bytes? */
bool query_may_name(const struct query *q, enum query_clause clause,
		    bool (*has)(void *ctx, struct bytes needle), void *ctx);
/* May an action of this kind (SCAN_NONE: none) be what the clause looks for? */
bool query_clause_has_kind(enum query_clause clause, uint8_t kind);
bool query_has_words(const struct query *q, uint8_t kind, uint8_t op, uint8_t verdict);
/* The processes that are asked for, of which a record must be one. Return: how many; 0: any, or
 * those that they started as well. */
size_t query_pids(const struct query *q, const uint32_t **ret);
/* As query_has_words() for a run of lines: masks of the words that occur in it. */
bool query_has_some_words(const struct query *q, uint32_t kinds, uint32_t ops, uint32_t verdicts);
bool query_asks_words(const struct query *q);
bool query_has_time(const struct query *q, uint64_t first_ns, uint64_t last_ns);
bool query_has_pids(const struct query *q);
bool query_has_process(const struct query *q, struct bytes session_raw, uint32_t pid);
