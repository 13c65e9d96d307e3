/* SPDX-License-Identifier: Apache-2.0 */
/* Starting the asker of `run --ask command:PROGRAM` and `--ask tmux`. */
#pragma once

#include "control/asker.h"

/*
 * Starts it. @ret_name is what records call it, "command:NAME", where NAME is the last part of the
 * first word of @command: options of a command line may hold secrets. Return: 0 and the
 * supervisor's end in @ret_socket; -errno after saying what is wrong.
 */
int ask_program_start(const char *command, char ret_name[static ASKER_APPROVER_MAX],
		      int *ret_socket);

/*
 * The socket of the tmux server that we run in, resolved, in @ret: who can talk to it can type into
 * what shows a question. Return: 0; -ENOENT after saying that there is none.
 */
int ask_tmux_find(char **ret);
/* Likewise. @binary: ours, absolute. */
int ask_tmux_start(const char *session, const char *binary, int *ret_socket);
