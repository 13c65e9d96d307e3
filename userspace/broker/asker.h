/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The body of an asker (control/asker.h): a process outside of the session, with the user's own
 * rights, that runs a program for each held action, several at once. It ends with the session.
 */
#pragma once

#include "base/util.h"

struct asker_config {
	const char *command; /* for sh */
	int control;         /* to the supervisor */
};

/* Return: 0 when the session has ended, -errno. */
int asker_run(const struct asker_config *config);
