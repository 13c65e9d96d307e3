/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/format_private.h"

static const struct {
	const char *name;
	void (*begin)(struct strbuf *out);
	void (*line)(const struct format_context *c, const struct reader_line *line,
		     struct strbuf *out);
} formats[_FORMAT_MAX] = {
	[FORMAT_CSV] = {"csv", format_csv_header, format_csv_line},
	[FORMAT_OCSF] = {"ocsf", NULL, format_ocsf_line},
	[FORMAT_ECS] = {"ecs", NULL, format_ecs_line},
};

int format_parse(struct bytes word, enum format *ret)
{
	for (size_t i = 0; i < ARRAY_SIZE(formats); i++)
		if (bytes_eq_str(word, formats[i].name)) {
			*ret = (enum format)i;
			return 0;
		}
	return -EINVAL;
}

const char *format_name(enum format f)
{
	return formats[f].name;
}

void format_context_fini(struct format_context *c)
{
	json_decref(c->start);
	c->start = NULL;
}

void format_learn(struct format_context *c, const struct reader_line *line)
{
	if (!streq(reader_word(line->root, "event"), "session_start"))
		return;
	json_decref(c->start);
	c->start = json_incref(line->root);
}

void format_begin(enum format f, struct strbuf *out)
{
	if (formats[f].begin)
		formats[f].begin(out);
}

void format_line(enum format f, struct format_context *c, const struct reader_line *line,
		 struct strbuf *out)
{
	format_learn(c, line);
	formats[f].line(c, line, out);
	strbuf_add_str(out, f == FORMAT_CSV ? "\r\n" : "\n");
}
