/* SPDX-License-Identifier: Apache-2.0 */
/* What the formats share. Private to audit/format*.c. */
#pragma once

#include "audit/format.h"
#include "base/json.h"

/* A text of one line is cut to about so much, as for people. */
#define FORMAT_TEXT_MAX ((size_t)400)

void format_csv_header(struct strbuf *out);
void format_csv_line(const struct format_context *c, const struct reader_line *line,
		     struct strbuf *out);
void format_ocsf_line(const struct format_context *c, const struct reader_line *line,
		      struct strbuf *out);
void format_ecs_line(const struct format_context *c, const struct reader_line *line,
		     struct strbuf *out);

/* Appends @value as JSON text, pure ASCII, on one line. */
void format_add_json(const json_t *value, struct strbuf *out);
/* The keys of @object that are not in @known, without nulls; {} when there are none. A new
 * reference; NULL: out of memory. */
json_t *format_rest(const json_t *object, const char *const *known, size_t n_known);
/* Writes the rest as the object at @key; nothing when there is none. */
void format_put_rest(struct json *j, const char *key, const json_t *object,
		     const char *const *known, size_t n_known);
/* Writes @to with the string at @from of @object. Return: false, nothing: there is none. */
bool format_put_string(struct json *j, const char *to, const json_t *object, const char *from);
/* The argv's words with a blank between. Return: false, nothing: there is no argv. */
bool format_put_command(struct json *j, const char *to, const json_t *object);
/* The key "message". */
void format_put_message(struct json *j, const struct reader_line *line);
/* The time of @line, RFC 3339. */
void format_put_time(struct json *j, const char *key, const struct reader_line *line);
/* The path's last name; all of it when there is none, as in "/". */
struct bytes format_file_name(struct bytes path);
/* The session_start of @line's session; NULL: not known. Borrowed. */
const json_t *format_start(const struct format_context *c, const struct reader_line *line);

struct format_address {
	char ip[64];          /* "": it is no address of the internet */
	bool is_v6, is_local; /* is_local: loopback, or a unix socket */
	bool has_port;
	uint16_t port;
};

/* Reads "1.2.3.4:443", "[::1]:80", "unix:...". */
void format_read_address(struct bytes object, struct format_address *ret);
/* "tcp" or "udp" of an action on an internet address; NULL: it is another, or not told. */
const char *format_protocol(const json_t *root);
