/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the receivers' half (supervise.c) and the main thread's half (holds.c) share. Not for other
 * modules.
 */
#pragma once

#include "supervise/supervise.h"

struct supervise {
	struct supervise_config config;
	/* A chroot, mount or setns was let through: each receiver tells its decoder before it
	 * decodes on. */
	atomic_bool foreign_roots;
	struct action_epoch epoch;
	struct redact_scratch *scratch; /* main thread only; NULL: nothing is redacted */
	/* Written by the receiver that denies the command's own exec, before that exec can fail and
	 * be asked about. */
	char command_denial[512];
	unsigned int scan_cursor; /* main thread only: where the next scan of the holds goes on */
};

/* Appends to the log; a log that fails may end the session. Return: 0, -errno. */
int supervise_record(struct supervise *s, const struct audit_record *r);

/*
 * Answers. Both may fail with -ENOENT when the process died or was interrupted meanwhile; then
 * there is nobody left to answer, and nothing was let through.
 */
int supervise_answer_errno(int listener, uint64_t id, int error);
int supervise_answer_continue(int listener, uint64_t id);
