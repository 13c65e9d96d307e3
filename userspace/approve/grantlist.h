/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Grants in memory and as text: the list that one session's main thread has, and the file that all
 * of a user's sessions share. Pure but for allocation; the file is control/grantstore.h's.
 */
#pragma once

#include "base/diag.h"
#include "base/json.h"
#include "engine/grants.h"

#define GRANTLIST_VERSION   1
#define GRANTLIST_MAX_BYTES ((size_t)4 * 1024 * 1024)
#define GRANT_SHOWN_MAX     ((size_t)300) /* bytes of grant_rule.shown, .by, .rule */

struct grantlist {
	struct grant_rule *rules[GRANTS_MAX]; /* owned, with their strings */
	size_t n;
};

void grantlist_fini(struct grantlist *l);
/* Return: 0; -ENOSPC: GRANTS_MAX; -ENOMEM. @g and its strings are copied. */
int grantlist_add(struct grantlist *l, const struct grant_rule *g) _must_check_;
/* Return: whether it was there. */
bool grantlist_remove(struct grantlist *l, const char *id);
/* Borrowed. NULL: there is none. */
const struct grant_rule *grantlist_find(const struct grantlist *l, const char *id);
/* Drops what has ended: at @now_ns (CLOCK_BOOTTIME) of the boot @boot. */
void grantlist_expire(struct grantlist *l, uint64_t now_ns, const char *boot);
/* The next end of one, CLOCK_BOOTTIME; UINT64_MAX: none. */
uint64_t grantlist_next_end(const struct grantlist *l);

/* The keys of one grant, into an open object: what the file has, and what people are shown. */
void grant_rule_to_json(const struct grant_rule *g, struct json *j);
/* {"v":1,"grants":[...]} and a newline. */
void grantlist_write(const struct grantlist *l, struct strbuf *out);
/*
 * Reads what grantlist_write() wrote: all of it, or nothing. Replaces @ret, which the caller has
 * initialised. Return: 0; -EINVAL with @reterr_diag; -ENOMEM.
 */
int grantlist_parse(const char *file, struct bytes text, struct grantlist *ret,
		    struct diag *reterr_diag) _must_check_;
/* A new id. Return: 0, -errno. */
int grant_make_id(char id[static GRANT_ID_SIZE]);
