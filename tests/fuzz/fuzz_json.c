/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as JSON, and as the texts that Python's methods take.
 */
#include <math.h>

#include "tests/fuzz/value_check.h"

/* What float() reads, repr() prints so that float() reads it again. */
static void check_float(struct bytes text)
{
	struct strbuf out = STRBUF_INIT(64);
	double v, again;

	if (py_float(text, &v) < 0)
		return;
	py_add_float(&out, v);
	check(py_float(strbuf_bytes(&out), &again) == 0 && (isnan(v) ? isnan(again) : v == again));
	strbuf_fini(&out);
	check(isnan(v) || py_round(py_round(v, 6), 6) == py_round(v, 6));
}

static void check_text(struct bytes text)
{
	struct strbuf once = STRBUF_INIT(text.len * 3 + 16), twice = STRBUF_INIT(text.len * 3 + 16);
	struct bytes stripped = py_strip(text);

	check(bytes_eq(py_strip(stripped), stripped));
	py_add_lower(&once, text);
	py_add_lower(&twice, strbuf_bytes(&once));
	check(!strbuf_error(&once) && bytes_eq(strbuf_bytes(&once), strbuf_bytes(&twice)));
	strbuf_fini(&once);
	strbuf_fini(&twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes text = {.p = (const char *)data, .len = size};
	struct arena mem = ARENA_INIT(CHECK_MEMORY);
	struct value *v = NULL;
	struct diag d = {};
	int r = value_parse_json(text, &mem, &v, &d);

	check(r == 0 || r == -ENOMEM || (r == -EINVAL && d.message[0]));
	if (r == 0) {
		check(check_value(v, 0) <= size);
		check_texts(v);
	}
	check_float(text);
	check_text(text);
	arena_fini(&mem);
	return 0;
}
