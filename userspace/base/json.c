/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <math.h>
#include <stdio.h>

#include "base/escape.h"
#include "base/json.h"

static void json_before_value(struct json *j)
{
	if (j->after_key) {
		j->after_key = false;
		return;
	}
	if (j->depth == 0)
		return;
	if (j->needs_comma[j->depth - 1])
		strbuf_add_char(j->out, ',');
	j->needs_comma[j->depth - 1] = true;
}

static void json_begin(struct json *j, char c)
{
	json_before_value(j);
	assert(j->depth < JSON_DEPTH_MAX);
	j->needs_comma[j->depth++] = false;
	strbuf_add_char(j->out, c);
}

static void json_end(struct json *j, char c)
{
	assert(j->depth > 0);
	j->depth--;
	strbuf_add_char(j->out, c);
}

void json_begin_object(struct json *j)
{
	json_begin(j, '{');
}

void json_end_object(struct json *j)
{
	json_end(j, '}');
}

void json_begin_array(struct json *j)
{
	json_begin(j, '[');
}

void json_end_array(struct json *j)
{
	json_end(j, ']');
}

void json_key(struct json *j, const char *key)
{
	json_before_value(j);
	strbuf_add_char(j->out, '"');
	strbuf_add_str(j->out, key);
	strbuf_add_str(j->out, "\":");
	j->after_key = true;
}

void json_str(struct json *j, struct bytes s)
{
	json_before_value(j);
	strbuf_add_char(j->out, '"');
	escape_json(j->out, s);
	strbuf_add_char(j->out, '"');
}

void json_u64(struct json *j, uint64_t v)
{
	json_before_value(j);
	strbuf_add_u64(j->out, v);
}

void json_i64(struct json *j, int64_t v)
{
	json_before_value(j);
	if (v < 0)
		strbuf_add_char(j->out, '-');
	strbuf_add_u64(j->out, v < 0 ? -(uint64_t)v : (uint64_t)v);
}

void json_double(struct json *j, double v)
{
	char text[32];

	if (!isfinite(v)) {
		json_none(j);
		return;
	}
	json_before_value(j);
	for (int digits = 15; digits <= 17; digits++) {
		(void)snprintf(text, sizeof(text), "%.*g", digits, v);
		if (strtod(text, NULL) == v)
			break;
	}
	strbuf_add_str(j->out, text);
}

void json_bool(struct json *j, bool v)
{
	json_before_value(j);
	strbuf_add_str(j->out, v ? "true" : "false");
}

void json_none(struct json *j)
{
	json_before_value(j);
	strbuf_add_str(j->out, "null");
}

void json_key_str(struct json *j, const char *key, struct bytes s)
{
	json_key(j, key);
	if (s.p)
		json_str(j, s);
	else
		json_none(j);
}

void json_key_cstr(struct json *j, const char *key, const char *s)
{
	json_key_str(j, key, bytes_of(s));
}

void json_key_u64(struct json *j, const char *key, uint64_t v)
{
	json_key(j, key);
	json_u64(j, v);
}

void json_key_double(struct json *j, const char *key, double v)
{
	json_key(j, key);
	json_double(j, v);
}

void json_key_bool(struct json *j, const char *key, bool v)
{
	json_key(j, key);
	json_bool(j, v);
}
