/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <jansson.h>

#include "base/io.h"

#include "tests/attack/judge.h"

#define LOG_MAX ((size_t)256 << 20)

static bool has_object(const json_t *record, const char *object);

/* A call with several steps is refused as a whole; which one was denied is among them. */
static bool has_step(const json_t *record, const char *object)
{
	const json_t *step;
	size_t i;

	json_array_foreach(json_object_get(record, "steps"), i, step)
	{
		if (has_object(step, object))
			return true;
	}
	return false;
}

static bool has_object(const json_t *record, const char *object)
{
	static const char *const keys[] = {"object", "object2", "asked", "syscall"};

	if (!object)
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		const char *value = json_string_value(json_object_get(record, keys[i]));

		if (value && strstr(value, object))
			return true;
	}
	return has_step(record, object);
}

static bool has_op(const json_t *record, const char *op)
{
	const char *its = json_string_value(json_object_get(record, "op"));

	return !op || (its && streq(its, op));
}

static void judge_line(const json_t *record, const struct attack_row *row, struct judgement *j)
{
	const char *event = json_string_value(json_object_get(record, "event"));
	const char *verdict = json_string_value(json_object_get(record, "verdict"));

	if (!event)
		j->is_invalid = true;
	else if (streq(event, "session_end"))
		j->is_ended = true;
	else if (streq(event, "action") && verdict && streq(verdict, "deny") &&
		 has_op(record, row->op) && has_object(record, row->object)) {
		j->denies++;
		if (j->pairs)
			matrix_judge(record, j->pairs);
	}
}

int judge_log(const struct world *w, const struct attack_row *row, struct judgement *ret,
	      struct strbuf *why)
{
	_cleanup_(strbuf_fini) struct strbuf text = STRBUF_INIT(LOG_MAX);
	struct judgement j = {.pairs = ret->pairs};
	json_int_t due = 1;
	int r = io_read_file_at(AT_FDCWD, in(w, "log.jsonl"), &text);

	if (r < 0)
		return r;
	if (j.pairs)
		memset(j.pairs->denies, 0, sizeof(j.pairs->denies));
	for (const char *p = strbuf_str(&text); *p; due++) {
		const char *end = strchrnul(p, '\n');
		json_t *record = json_loadb(p, (size_t)(end - p),
					    JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);

		if (!json_is_object(record) ||
		    json_integer_value(json_object_get(record, "seq")) != due) {
			j.is_invalid = true;
			strbuf_add_fmt(why, "# line %lld of the log is damaged\n", (long long)due);
		} else {
			judge_line(record, row, &j);
		}
		json_decref(record);
		p = *end ? end + 1 : end;
	}
	*ret = j;
	return 0;
}
