/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The broker: one process of a user that lists what all of the user's sessions hold, and carries it
 * to people by its hands (desktop, webhook). It decides nothing: an answer goes to the session that
 * holds the action, over its control socket, and the session checks who may and whether it is in
 * time. Nothing of it is remembered, so one that is killed loses nothing; sessions go on without
 * it, and their own deadline denies.
 *
 * It is outside of every session, and its own socket refuses whoever is inside of one.
 */
#pragma once

#include "base/diag.h"
#include "broker/config.h"

#define BROKER_SOCKET    "broker.ctl" /* in the directory of control sockets, agents' to no use */
#define BROKER_LOCK      "broker.lock"
#define BROKER_REPLY_MAX ((size_t)64 * 1024)

struct broker_options {
	const struct broker_config *config; /* borrowed */
	bool is_lingering; /* ends when there was no session for config->linger_ns */
	/* What a person should know, a sentence without its end; may be NULL. */
	void (*say)(void *arg, const char *line);
	void *arg;
};

/*
 * Runs until a signal, or for as long as it may. Return: 0; -EALREADY: the user has one, which was
 * told that it is wanted; -errno with @reterr_diag.
 */
int broker_run(const struct broker_options *options, struct diag *reterr_diag);

/*
 * Asks the user's broker: "status", "stop", "hello" (somebody needs it). Waits for a few seconds at
 * most. Return: 0 and its reply, a JSON object, in @out; -ECONNREFUSED: there is none; -EACCES: it
 * will not have us; -errno.
 */
int broker_call(const char *request, struct strbuf *out) _must_check_;
