/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `holdfast why` in a session: what the session says of a denial to its own processes, for a model
 * to read. The log may not be readable there, and tells more than it needs.
 */
#pragma once

#include "base/util.h"

/* @id: of a held action; NULL: the last denial. Return: whether this runs in a session that
 * answered; then *ret_status is what to exit with. */
bool why_inside(const char *id, bool is_json, int *ret_status);
