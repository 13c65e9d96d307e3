/* SPDX-License-Identifier: Apache-2.0 */
/* A held action as text for people: many lines of clean ASCII, everything of the agent's escaped.
 */
#pragma once

#include <jansson.h>

#include "base/strbuf.h"

#define HELD_TEXT_MAX ((size_t)64 * 1024)

/* Appends the text of @o, an entry of a session's list, and of whose it is: @status is what the
 * session says of itself. @is_detailed: also what each scope of an answer would cover. */
void held_text_entry(const json_t *o, const json_t *status, bool is_detailed, struct strbuf *out);
