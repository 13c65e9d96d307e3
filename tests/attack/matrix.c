/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/io.h"

#include "tests/attack/matrix.h"

#define LINE      "PAIR "
#define SHOWN_MAX 40 /* differences that are printed */
#define LOG_MAX   ((size_t)256 << 20)

void matrix_tell(size_t i, int result)
{
	(void)printf(LINE "%zu %d\n", i, result);
}

int matrix_read(const struct host *h, struct matrix_run *ret)
{
	_cleanup_(strbuf_fini) struct strbuf text = STRBUF_INIT(WORLD_OUTPUT_MAX);
	int r = world_output(h, &text);

	for (size_t i = 0; i < MATRIX_PAIRS_MAX; i++)
		ret->result[i] = -1;
	if (r < 0)
		return r;
	for (const char *p = strbuf_str(&text); (p = strstr(p, LINE));) {
		size_t i;
		int result;

		p += strlen(LINE);
		if (sscanf(p, "%zu %d", &i, &result) == 2 && i < MATRIX_PAIRS_MAX)
			ret->result[i] = result;
	}
	return 0;
}

static void judge_pair(size_t i, struct matrix_run *run, bool seen[static MATRIX_PAIRS_MAX])
{
	if (i >= MATRIX_PAIRS_MAX || seen[i])
		return;
	seen[i] = true;
	run->denies[i]++;
}

static void judge_text(const char *text, struct matrix_run *run, bool seen[static MATRIX_PAIRS_MAX])
{
	const char *port = text ? strrchr(text, ':') : NULL;
	unsigned int i;

	for (const char *p = text; p && (p = strstr(p, MATRIX_TAG));) {
		p += strlen(MATRIX_TAG);
		if (sscanf(p, "%4u", &i) == 1)
			judge_pair(i, run, seen);
	}
	if (port && sscanf(port, ":%u", &i) == 1 && i >= MATRIX_PORT)
		judge_pair(i - MATRIX_PORT, run, seen);
}

/* A record counts once for a pair, however often its steps name it. */
void matrix_judge(const json_t *record, struct matrix_run *run)
{
	static const char *const keys[] = {"object", "object2", "asked"};
	bool seen[MATRIX_PAIRS_MAX] = {false};
	const json_t *step;
	size_t n;

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		judge_text(json_string_value(json_object_get(record, keys[i])), run, seen);
	json_array_foreach(json_object_get(record, "steps"), n, step)
		judge_text(json_string_value(json_object_get(step, "object")), run, seen);
}

size_t matrix_count(const struct matrix *m, const struct matrix_run *native)
{
	size_t n = 0;

	for (size_t i = 0; i < m->n; i++)
		n += native->result[i] == 0;
	return n;
}

static bool is_refused(int result)
{
	return result == EACCES || result == EPERM || result == ENOSYS;
}

bool matrix_compare(const struct matrix *m, const struct matrix_run *native,
		    const struct matrix_run *supervised, struct strbuf *why)
{
	size_t n = 0;

	for (size_t i = 0; i < m->n; i++) {
		int result = supervised->result[i];
		char name[MATRIX_NAME_SIZE];

		if (native->result[i] != 0
			    ? result != 0
			    : result == MATRIX_NO_NAME ||
				      (is_refused(result) &&
				       (supervised->denies[i] == 1 || m->is_untold(i))))
			continue;
		m->name(i, name);
		if (n++ < SHOWN_MAX)
			strbuf_add_fmt(why, "# %zu %s: %s, %u records of a denial\n", i, name,
				       result == 0  ? "it got through"
				       : result < 0 ? "it was not tried"
						    : strerror(result),
				       supervised->denies[i]);
	}
	if (n > SHOWN_MAX)
		strbuf_add_fmt(why, "# and %zu more\n", n - SHOWN_MAX);
	return n == 0;
}
