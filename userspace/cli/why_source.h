/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rule that decided, as its policy's file has it now: where it stands, and its text, if the
 * file is still the one that the session was started with.
 */
#pragma once

#include "audit/reader.h"

/*
 * @story: what story_json() gave. Return: a new reference to {state, file, line, text, note}; NULL:
 * out of memory.
 */
json_t *why_source(const json_t *story);
