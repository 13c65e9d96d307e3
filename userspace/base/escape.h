/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Making untrusted bytes safe to show and to log. Two forms:
 *
 * - terminal: printable ASCII stays; everything else (controls, DEL, C1, all non-ASCII code points,
 *   bad UTF-8, so also bidirectional and invisible characters) becomes a backslash escape as in C,
 *   or u{...} with the code point; a backslash is doubled.
 *
 * - json: the inside of a JSON string in pure ASCII. Code points as JSON's own escapes (pairs above
 *   the first 64 Ki); a byte that is not valid UTF-8 becomes backslash, x and two hex digits (the
 *   backslash doubled, as JSON wants it); a literal backslash that stands before x and two hex
 *   digits is written that way, too, so that the bytes can always be told back exactly.
 */
#pragma once

#include "base/strbuf.h"

void escape_terminal(struct strbuf *out, struct bytes in);
/* As above, but at most about @max bytes: the head, "...[N bytes]...", and the tail (a tail may
 * hold the danger). */
void escape_terminal_max(struct strbuf *out, struct bytes in, size_t max);
void escape_json(struct strbuf *out, struct bytes in);
/* Undoes the \xNN layer of escape_json() on the text that a JSON parser gives back. */
void escape_json_decode(struct strbuf *out, struct bytes in);
/* Text of clean ASCII for where HTML, or what desktop notifications take of it, is read: '<', '>'
 * and '&' become entities. Not for attributes. */
void escape_markup(struct strbuf *out, struct bytes in);
/* Length in bytes of the valid UTF-8 sequence at @p (at most @len bytes), 0 if invalid. Sets
 * *ret_cp if not NULL. */
size_t utf8_decode(const char *p, size_t len, uint32_t *ret_cp);
/* The bytes of @cp, at most 0x10ffff; a surrogate comes out as three bytes all the same. Return:
 * how many. */
size_t utf8_write(uint32_t cp, char out[static 4]);
