/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A streaming JSON writer: no tree, no allocation beyond its buffer. Output is one line of pure
 * ASCII; strings go through escape_json(). The caller is trusted to nest correctly (programming
 * errors are asserted); an overflowing buffer shows in strbuf_error().
 */
#pragma once

#include "base/strbuf.h"

#define JSON_DEPTH_MAX 16

struct json {
	struct strbuf *out; /* borrowed */
	unsigned depth;
	bool needs_comma[JSON_DEPTH_MAX];
	bool after_key;
};

#define JSON_INIT(buffer) ((struct json){.out = (buffer)})

void json_begin_object(struct json *j);
void json_end_object(struct json *j);
void json_begin_array(struct json *j);
void json_end_array(struct json *j);
/* @key must be plain ASCII that needs no escape: keys are ours, never the agent's. */
void json_key(struct json *j, const char *key);
void json_str(struct json *j, struct bytes s);
void json_u64(struct json *j, uint64_t v);
void json_i64(struct json *j, int64_t v);
/* The shortest digits that read back the same; null when JSON has no such number. */
void json_double(struct json *j, double v);
void json_bool(struct json *j, bool v);
void json_none(
	struct json *j); /* null; "json_null" is a symbol of jansson, which would call ours */
/* Keys and values in one call; json_key_str() with .p == NULL writes null. */
void json_key_str(struct json *j, const char *key, struct bytes s);
void json_key_cstr(struct json *j, const char *key, const char *s);
void json_key_u64(struct json *j, const char *key, uint64_t v);
void json_key_double(struct json *j, const char *key, double v);
void json_key_bool(struct json *j, const char *key, bool v);
