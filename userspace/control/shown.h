/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a session says as JSON, shown on a terminal: strings have the \xNN layer of escape_json(),
 * and hold what the agent wrote. Everything is escaped to what a terminal takes as text.
 */
#pragma once

#include <jansson.h>

#include "base/strbuf.h"

/* Adds at most @max bytes of @v, nothing when it is no string. */
void shown_add_value(struct strbuf *out, const json_t *v, size_t max);
/* The string at @key of @o. */
void shown_add(struct strbuf *out, const json_t *o, const char *key, size_t max);
