/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What one session did, each thing once: for `holdfast diff`. Bounded: at most FACTS_MAX different
 * things, their texts cut at FACTS_TEXT_MAX bytes (the rest is told apart by its hash); what comes
 * after that is counted.
 */
#pragma once

#include "audit/line.h"
#include "policy/vocab.h"

#define FACTS_MAX      ((size_t)1 << 19)
#define FACTS_TEXT_MAX ((size_t)1024)

struct fact {
	enum action_kind kind;
	enum action_op op;
	struct bytes text;
	uint64_t hash;
	uint64_t count;
	uint64_t verdicts[_VERDICT_MAX]; /* how often each */
};

struct facts {
	struct fact *v; /* in the order in which they were first seen */
	size_t n, cap;
	uint32_t *slots; /* index into @v, plus 1; open addressing */
	size_t n_slots;
	struct arena texts, mem; /* mem: of one line */
	struct strbuf text;
	/* What session it is; of several in one file the last. */
	char session[256], agent[256];
	char *cwd; /* NULL: unknown */
	uint64_t n_actions, n_unlisted;
	bool is_exact;        /* nothing is normalised */
	bool is_cwd_replaced; /* the session's directory becomes [cwd] */
};

void facts_init(struct facts *f, bool is_exact);
void facts_fini(struct facts *f);
/* Takes in one line. Return: 0; 1: it is damaged, @why says how; -ENOMEM. */
int facts_add_line(struct facts *f, struct bytes text, char why[static LINE_WHY_SIZE]);
/* The same thing in @f, or NULL. */
const struct fact *facts_find(const struct facts *f, const struct fact *like);
