/* SPDX-License-Identifier: Apache-2.0 */
/* How a session gets a broker: before anything of it is started, so that nothing of it is above. */
#pragma once

#include "broker/config.h"

/* Starts one in the background if @config wants one. One that runs already ends it at once, and
 * goes on. What does not work is said; the session goes on without. */
void broker_start(const struct broker_config *config);
