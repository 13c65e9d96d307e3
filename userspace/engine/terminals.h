/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The terminals of others. Whoever opens one reads what a person types there, and draws over what
 * the person reads, such as a question of `holdfast watch`. A policy cannot tell them from those
 * that the session makes for itself: all are /dev/pts/N. Inside of engine/.
 */
#pragma once

#include "engine/engine.h"

/* The terminal that the session was started from; 0: none. */
dev_t terminals_own(const struct engine_config *config);
/* Whether @a opens or changes a terminal, other than @own, that controls a process outside of the
 * session, and no policy grants `terminal`. */
bool terminals_are_touched(const struct engine_config *config, dev_t own, const struct action *a);
