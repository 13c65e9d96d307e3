/* SPDX-License-Identifier: Apache-2.0 */
/* A line of a log that anybody may have written: in each format it gives one valid record. */
#include <assert.h>

#include "audit/format.h"
#include "audit/sink_private.h"
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

/* Fields, each with its length or on one line, and nothing after them. */
static void check_journald(struct bytes text)
{
	while (text.len) {
		size_t line = (size_t)((const char *)memchr(text.p, '\n', text.len) - text.p);
		const char *equals = memchr(text.p, '=', line);
		size_t name = equals ? (size_t)(equals - text.p) : line, all = line + 1;
		uint64_t len;

		assert(name > 0 && name <= 64);
		for (size_t i = 0; i < name; i++)
			assert((text.p[i] >= 'A' && text.p[i] <= 'Z') || text.p[i] == '_' ||
			       (i && text.p[i] >= '0' && text.p[i] <= '9'));
		if (!equals) {
			memcpy(&len, text.p + all, sizeof(len));
			all += sizeof(len) + len + 1;
		}
		assert(all <= text.len && text.p[all - 1] == '\n');
		text = (struct bytes){.p = text.p + all, .len = text.len - all};
	}
}

static void check_sinks(const struct format_context *c, const struct reader_line *line)
{
	struct strbuf text = STRBUF_INIT(TEXT_MAX);

	sink_encode(SINK_JOURNALD, c, line, &text);
	assert(strbuf_error(&text) == 0);
	check_journald(strbuf_bytes(&text));
	strbuf_reset(&text);
	sink_encode(SINK_SYSLOG, c, line, &text);
	assert(strbuf_error(&text) == 0);
	for (size_t i = 0; i < text.len; i++)
		assert((unsigned char)text.p[i] >= 0x20 && text.p[i] != 0x7f);
	strbuf_fini(&text);
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
	check_sinks(&context, &line);
	format_context_fini(&context);
	strbuf_fini(&text);
	json_decref(line.root);
	return 0;
}
