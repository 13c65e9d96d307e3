/* SPDX-License-Identifier: Apache-2.0 */
/* A line of a log that anybody may have written: in each format it gives one valid record. */
#include <assert.h>

#include "audit/format.h"
#include "base/clock.h"

#define TEXT_MAX ((size_t)64 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_json(struct bytes text)
{
	json_t *o;

	for (size_t i = 0; i < text.len; i++)
		assert(text.p[i] >= 0x20 && text.p[i] < 0x7f);
	o = json_loadb(text.p, text.len, JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES, NULL);
	assert(json_is_object(o));
	json_decref(o);
}

/* Return: the number of cells of one record. */
static size_t check_csv(struct bytes text)
{
	size_t cells = 1, i = 0;

	while (i < text.len) {
		bool is_quoted = text.p[i] == '"';

		assert(!memchr("=+@'\t", text.p[i], 5));
		if (is_quoted) {
			assert(!memchr("=+-@", text.p[i + 1], 4));
			for (i++; text.p[i] != '"' || text.p[i + 1] == '"'; i++) {
				assert(i + 1 < text.len);
				assert((unsigned char)text.p[i] >= 0x20 && text.p[i] != 0x7f);
				i += text.p[i] == '"';
			}
			i++;
		}
		while (i < text.len && text.p[i] != ',') {
			assert(!is_quoted && text.p[i] > 0x20 && text.p[i] != '"');
			i++;
		}
		if (i < text.len) {
			cells++;
			i++;
		}
	}
	return cells;
}

static struct bytes cut(const struct strbuf *text, const char *end)
{
	assert(strbuf_error(text) == 0);
	assert(bytes_has_suffix(strbuf_bytes(text), bytes_of(end)));
	return (struct bytes){.p = text->p, .len = text->len - strlen(end)};
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct reader_line line = {
		.root = json_loadb((const char *)data, size, JSON_ALLOW_NUL, NULL)};
	struct strbuf text = STRBUF_INIT(TEXT_MAX);
	struct format_context context = {.version = "1"};
	size_t columns;

	if (!json_is_object(line.root)) {
		json_decref(line.root);
		return 0;
	}
	(void)clock_parse_rfc3339(reader_word(line.root, "time"), &line.time_ns);
	format_begin(FORMAT_CSV, &text);
	columns = check_csv(cut(&text, "\r\n"));
	for (enum format f = 0; f < _FORMAT_MAX; f++) {
		strbuf_reset(&text);
		format_line(f, &context, &line, &text);
		if (f == FORMAT_CSV)
			assert(check_csv(cut(&text, "\r\n")) == columns);
		else
			check_json(cut(&text, "\n"));
	}
	format_context_fini(&context);
	strbuf_fini(&text);
	json_decref(line.root);
	return 0;
}
