/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every line of a log, in order, for commands that go through all of it. Says which lines are
 * damaged, and goes on after them.
 */
#pragma once

#include "audit/line.h"

struct log_each {
	const char *command; /* for messages */
	/* Return: 0; 1: the line is damaged, @why says how; -errno: stop. */
	int (*line)(void *arg, struct bytes text, char why[static LINE_WHY_SIZE]);
	void *arg;
	uint64_t n_damaged; /* grows */
};

/* The log that @what names (NULL: the newest). What is wrong was said. Return: 0, -errno. */
int log_each_line(struct log_each *e, const char *what);
