/* SPDX-License-Identifier: Apache-2.0 */
/* Changes that a budget does not count. Not for other modules. */
#pragma once

#include "action/action.h"

/* Whether all that @a changes goes to devices that stand on every system. */
bool engine_changes_devices_only(const struct action *a);
