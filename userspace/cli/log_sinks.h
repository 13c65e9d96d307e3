/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Starting the processes of `run --log-sink`: each is a companion, `holdfast sink`.
 */
#pragma once

#include "base/util.h"

/* Starts one process for each of the @n sinks, on the log of @session; @ret_sockets takes the
 * supervisor's ends. Return: 0; -errno after saying what is wrong. */
int log_sinks_start(const char *const *names, size_t n, const char *log_path, const char *session,
		    int *ret_sockets);
