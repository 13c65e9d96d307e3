/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What was denied lately: for `holdfast why` from inside of the session, and for the loop breaker.
 * An agent that makes the same denied call again and again is first slowed down (its call is
 * answered later; no thread of ours waits), then a person is told, then, where the policy says so,
 * the session ends.
 *
 * Shared by all threads; locks itself. What is kept are copies of redacted records, bounded.
 */
#pragma once

#include "audit/record.h"
#include "base/json.h"

#define DENIALS_KEPT      64
#define DENIALS_DELAYED   512 /* answers that wait; over this they are given at once */
#define DENIALS_DELAY_NS  (250 * NS_PER_MSEC) /* the first; then twice as long each time, ... */
#define DENIALS_DELAY_MAX (2 * NS_PER_SEC)    /* ... up to this */

struct denials;

/* What a denial that was noted leads to. */
struct denial {
	unsigned n;        /* how often the same was denied, with this time */
	uint64_t delay_ns; /* to answer after; 0: at once */
	bool tells;        /* a person is to be told now */
	bool stops;        /* the session is to be ended now */
};

/* @repeats: so many equal denials begin it; 0: never. Return: 0, -errno. */
int denials_new(unsigned repeats, bool stops, struct denials **ret) _must_check_;
struct denials *denials_free(struct denials *d);
/* Notes @r, a denied action, before it is answered. */
void denials_note(struct denials *d, const struct audit_record *r, struct denial *ret);
/* Has the notification @id answered with @error at @due_ns (CLOCK_MONOTONIC). Return: false: there
 * is no room, answer it now. */
bool denials_delay(struct denials *d, uint64_t id, int error, uint64_t due_ns);
/* An eventfd, readable when the next one may have become another. Borrowed. */
int denials_fd(const struct denials *d);
void denials_ack(struct denials *d);
/* When the next one is due; UINT64_MAX: none. */
uint64_t denials_next(struct denials *d);
/* Takes out one that is due. Return: whether there is one. */
bool denials_take(struct denials *d, uint64_t now_ns, uint64_t *ret_id, int *ret_error);
/* Adds "denials" to an open object: an array of the denial of the held action @id, or ("") of the
 * last one; empty when there is none. */
void denials_why(struct denials *d, const char *id, struct json *j);
