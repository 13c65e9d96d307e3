/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/audit.h"
#include "audit/stream.h"
#include "base/say.h"

#include "cli/log_each.h"
#include "cli/log_file.h"

static void complain(struct log_each *e, const char *path, uint64_t number, const char *why)
{
	log_file_say_damaged(&e->n_damaged, path, number, why);
}

static int take_line(struct log_each *e, const char *path, const struct reader_line *line)
{
	char why[LINE_WHY_SIZE];
	int r = e->line(e->arg, line->text, why);

	if (r > 0)
		complain(e, path, line->number, why);
	return MIN(r, 0);
}

int log_each_line(struct log_each *e, const char *what)
{
	_cleanup_(reader_closep) struct reader *reader = NULL;
	_cleanup_(freep) char *path = NULL;
	struct reader_line line;
	int r;

	if (log_file_open(what, &path, &reader) < 0)
		return -ENOENT;
	reader_set_raw(reader);
	while ((r = reader_next(reader, &line)) > 0) {
		if (r == READER_DAMAGED)
			complain(e, path, line.number, line.why);
		else
			r = take_line(e, path, &line);
		if (r < 0)
			break;
	}
	/* A session that writes may be in the middle of a line. */
	if (r == 0 && reader_has_half_line(reader, &line) && !audit_is_live(path))
		complain(e, path, line.number, line.why);
	if (r < 0)
		say("%s: cannot read the log '%s': %s", e->command, path, stream_error(r));
	return r;
}
