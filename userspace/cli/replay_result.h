/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What `holdfast replay` counts, groups and expects. Bounded: so many different differences are
 * kept, what comes after them is counted.
 */
#pragma once

#include "audit/replay.h"
#include "base/json.h"

#define REPLAY_MAX_GROUPS  4096
#define REPLAY_MAX_EXPECTS 64

enum replay_expect_type {
	REPLAY_EXPECT_SAME,
	REPLAY_EXPECT_NO_DENY,
	REPLAY_EXPECT_NO_ASK,
	REPLAY_EXPECT_VERDICT,
};

struct replay_expect {
	enum replay_expect_type type;
	const char *word; /* as given */
	enum verdict verdict;
	struct bytes pattern;
	uint64_t n_matched; /* actions that it speaks of */
	uint64_t n_failed;
	struct strbuf example; /* the first that failed */
};

/* One kind of difference. */
struct replay_group {
	enum action_kind kind;
	enum action_op op;
	enum verdict old, new;
	struct bytes object, text; /* the first one's command line */
	struct bytes old_policy, old_rule, policy, rule, reason, session;
	uint64_t count, first_ns, first_seq;
	size_t next; /* of the same hash, plus 1 */
};

struct replay_result {
	bool is_advice;
	uint64_t n_sessions, n_actions, n_same, n_stricter, n_looser, n_other_rule, n_builtin;
	uint64_t pairs[_VERDICT_MAX][_VERDICT_MAX]; /* [old][new] */
	uint64_t n_cut, n_redacted, n_lost_steps, n_lacking_cwd, n_not_known, n_damaged;
	uint64_t n_without_reads; /* sessions */
	uint64_t n_stops;         /* actions at which a budget would have ended the session */
	struct replay_group *groups;
	size_t n_groups;
	uint64_t n_unlisted;             /* differences */
	size_t heads[REPLAY_MAX_GROUPS]; /* index into groups, plus 1 */
	struct arena mem;
	struct replay_expect expects[REPLAY_MAX_EXPECTS];
	size_t n_expects;
};

void replay_result_fini(struct replay_result *r);
/* Return: 0; -EINVAL after saying what is wrong. */
int replay_result_expect(struct replay_result *r, const char *word);
/* Return: 0, -ENOMEM. */
int replay_result_add(struct replay_result *r, const struct replay_answer *a);
bool replay_expect_holds(const struct replay_expect *e);
/* The most frequent first. */
void replay_result_sort(struct replay_result *r);
/* @limit: groups to show; 0: all. */
void replay_result_show(const struct replay_result *r, size_t limit, struct strbuf *out);
void replay_result_json(const struct replay_result *r, size_t limit, struct json *j);
