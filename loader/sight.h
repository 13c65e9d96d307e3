/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The session's processes as the kernel sees them (bpf/sight.bpf.c), from holdfast-loader: each
 * process that was made, what it executed, how it ended. It decides nothing. Main thread only.
 */
#pragma once

#include "bpf/abi.h"
#include "loader/layers.h"

struct sight;

/*
 * Has the programs loaded, and the calling process marked: what it starts from here on is the
 * session's, until sight_seal(). Before there are threads or other children. Return: 0;
 * -errno, with words for people in @reterr_reason.
 */
int sight_start(struct sight **ret, char reterr_reason[static LAYERS_REASON_MAX]);
/* The command has been started: nothing else of ours is the session's. Return: 0, -errno. */
int sight_seal(struct sight *s);
/* The programs go, then what they had written can be read no more. NULL-safe. Return: NULL. */
struct sight *sight_free(struct sight *s);

/* To be watched for EPOLLIN; borrowed. */
int sight_fd(const struct sight *s);
/* The connection to the loader, which ends when that does. Borrowed. */
int sight_loader_fd(const struct sight *s);
/* Whether something is there, or is being written. */
bool sight_is_readable(const struct sight *s);
/* More than half of the ring is full: it should be read now. */
bool sight_is_urgent(const struct sight *s);
/* Hands out what is there, oldest first, at most @max; @event is valid until @fn returns. Return:
 * how many. */
size_t sight_read(struct sight *s, size_t max,
		  void (*fn)(const struct sight_event *event, void *arg), void *arg);
/* What was lost since the last time. Return: whether anything was. */
bool sight_take_lost(struct sight *s, struct sight_lost *ret);
