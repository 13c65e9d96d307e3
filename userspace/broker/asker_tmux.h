/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The asker of --ask tmux: while something is held, `holdfast watch` with the session's questions
 * is in a popup over the user's tmux client, or in a pane where no popup can be. It answers
 * nothing: whoever reads the question there answers by the session's control socket, as from any
 * other terminal. The agent cannot reach the tmux server meanwhile: its socket is protected.
 */
#pragma once

#include "control/asker.h"

struct asker_tmux_config {
	int control;         /* borrowed */
	const char *session; /* id */
	const char *binary;  /* of holdfast; absolute */
};

/* Return: 0 when the session has ended, or tmux shows nothing any more; -errno. */
int asker_tmux_run(const struct asker_tmux_config *config);
