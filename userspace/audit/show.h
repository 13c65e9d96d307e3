/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Records as text for people: one line each, everything that came from an agent escaped.
 */
#pragma once

#include "audit/reader.h"

struct show_style {
	bool has_colour;
};

/* Appends the line for @line, newline included. */
void show_line(const struct reader_line *line, const struct show_style *style, struct strbuf *out);
/* "380ms", "3.2s", "1m 05s", "2h 10m" */
void show_duration(uint64_t ns, struct strbuf *out);
/* Local time: "2026-11-21 05:12:34". */
void show_date(uint64_t realtime_ns, struct strbuf *out);
/* The string at @key, escaped for a terminal, at most about @max bytes of it. Return: false,
 * nothing: there is none. */
bool show_string(const json_t *object, const char *key, size_t max, struct strbuf *out);
/* The same for a word of ours, such as an operation, padded to @width. */
void show_word(const json_t *object, const char *key, size_t width, struct strbuf *out);
/* The strings of the array at @key, with a blank between, from number @first on. */
void show_words(const json_t *object, const char *key, size_t first, size_t max,
		struct strbuf *out);
/* What an action is about: its object, and the arguments of a tool; "?" when it is not known. */
void show_object(const json_t *object, size_t max, struct strbuf *out);
/* How the hold of this action ended: "approved by root (pid 12 on pts/3)", "nobody answered in
 * time". */
void show_hold_end(const json_t *object, struct strbuf *out);
