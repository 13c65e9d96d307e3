/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "base/say.h"

#include "cli/log_file.h"
#include "cli/log_print.h"

#define LOG_TEXT_MAX ((size_t)16 << 20)

static bool wants_colour(void)
{
	const char *no_colour = getenv("NO_COLOR"), *term = getenv("TERM");

	return isatty(STDOUT_FILENO) && !(no_colour && no_colour[0]) && term &&
	       !streq(term, "dumb");
}

void log_printer_init(struct log_printer *p, const struct log_options *options, bool has_headings)
{
	*p = (struct log_printer){.options = options,
				  .style = {.has_colour = wants_colour()},
				  .text = STRBUF_INIT(LOG_TEXT_MAX),
				  .context = {.version = HOLDFAST_VERSION},
				  .has_headings = has_headings};
	if (options->format != LOG_OTHER)
		return;
	format_begin(options->other, &p->text);
	(void)fwrite(strbuf_str(&p->text), 1, p->text.len, stdout);
}

void log_printer_fini(struct log_printer *p)
{
	format_context_fini(&p->context);
	strbuf_fini(&p->text);
}

static void add_heading(struct log_printer *p, const struct reader_line *line)
{
	const char *session = reader_word(line->root, "session");

	if (!p->has_headings || strncmp(session, p->session, sizeof(p->session) - 1) == 0)
		return;
	(void)snprintf(p->session, sizeof(p->session), "%s", session);
	strbuf_add_str(&p->text, "session ");
	(void)show_string(line->root, "session", sizeof(p->session), &p->text);
	strbuf_add_str(&p->text, ", agent ");
	(void)show_string(line->root, "agent", sizeof(p->session), &p->text);
	strbuf_add_str(&p->text, ":\n");
}

int log_print(struct log_printer *p, const struct reader_line *line)
{
	strbuf_reset(&p->text);
	switch (p->options->format) {
	case LOG_TEXT:
		add_heading(p, line);
		show_line(line, &p->style, &p->text);
		break;
	case LOG_JSON:
		strbuf_add_bytes(&p->text, line->text);
		strbuf_add_char(&p->text, '\n');
		break;
	case LOG_OTHER:
		format_line(p->options->other, &p->context, line, &p->text);
		break;
	}
	return fwrite(strbuf_str(&p->text), 1, p->text.len, stdout) == p->text.len ? 0 : -EPIPE;
}

int log_print_flush(struct log_printer *p)
{
	(void)p;
	return fflush(stdout) == 0 ? 0 : -EPIPE;
}

void log_complain(struct log_printer *p, const char *path, uint64_t number, const char *why)
{
	log_file_say_damaged(&p->n_damaged, path, number, why);
}
