/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Untrusted bytes into HTML (and SVG inside it): what means something to HTML is escaped; what does
 * not show, or changes the order in which other text shows (controls, bidirectional and invisible
 * characters, bytes that are not UTF-8), is shown by its number. It goes between tags; untrusted
 * text is never put into an attribute.
 */
#pragma once

#include "audit/reader.h"

/* At most about @max bytes of @in, three times that of HTML; what is left out is told. */
void html_text(struct strbuf *out, struct bytes in, size_t max);
/* The string at @key, in <code>. Return: false, nothing: there is none. */
bool html_string(const json_t *object, const char *key, size_t max, struct strbuf *out);
/* The strings of the array at @key with a blank between, in <code>. */
void html_words(const json_t *object, const char *key, size_t first, size_t max,
		struct strbuf *out);
/* 1234567 as "1 234 567" (with spaces that do not break). */
void html_number(uint64_t n, struct strbuf *out);
