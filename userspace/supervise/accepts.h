/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How many connections the session has accepted, for each address on which it listens. The kernel
 * counts them nowhere for somebody without rights, so the calls are counted (TRAP_ACCEPT), and go
 * on by themselves.
 *
 * A call that finds somebody waiting accepts a connection; one that finds nobody, and does not
 * block, none. One that waits has accepted one when its thread accepts again. Of one that waits to
 * the end of its process nobody knows; that is said. (Two threads that find the same connection
 * count as two, and a wait that a signal interrupted as one.)
 *
 * Rejected: NETLINK_SOCK_DIAG's notice of each TCP socket that is destroyed, which needs no trap:
 * it comes late, is lost when there are many, is of all processes of the network, and of no unix
 * socket. Accepting for the agent: a receiver would wait for each server that waits.
 *
 * Locks itself.
 */
#pragma once

#include "action/action.h"
#include "base/json.h"

#define ACCEPTS_LISTENERS_MAX 64 /* those that come later count together */

struct accepts;

int accepts_new(struct accepts **ret) _must_check_;
struct accepts *accepts_free(struct accepts *c);
/* @a, an ACT_ACCEPT, is about to go on. */
void accepts_note(struct accepts *c, const struct action *a);
/* Adds the key "accepted", a list of listeners, where there is one. */
void accepts_write(struct accepts *c, struct json *j);
