/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `holdfast why`: the whole story of one decision.
 */
#include <stdio.h>

#include "audit/audit.h"
#include "audit/story.h"
#include "audit/stream.h"
#include "base/io.h"
#include "base/say.h"

#include "cli/commands.h"
#include "cli/log_file.h"
#include "cli/log_list.h"
#include "cli/options.h"
#include "cli/why_inside.h"
#include "cli/why_source.h"

#define WHY_TEXT_MAX ((size_t)4 << 20)

static const char usage[] =
	"usage: holdfast why ID|SEQ [--json] [FILE|SESSION]\n"
	"       holdfast why --last [--json] [FILE|SESSION]\n"
	"\n"
	"Tells why something was decided: the record, the processes that led to it, the rule with its\n"
	"file, line and text, the question and its answer, what the same process did just before and\n"
	"after, and how often the same was decided. ID is a hold's (as in 'holdfast held'), SEQ the\n"
	"number of a record (\"seq\"; 'holdfast tree' shows it as #SEQ). Without FILE or SESSION: the\n"
	"newest session of the default place; a hold is looked for in all of them. In a session, to its\n"
	"own processes: the reason of a denial, and what to do instead, in short.\n"
	"\n"
	"  --last  the last denial\n"
	"  --json  one JSON object; docs/audit.md describes it\n"
	"\n"
	"Exit status: 0; 1 when there is no such decision, or a part of the log is damaged; 2 for wrong\n"
	"usage.\n";

struct why {
	struct story_target target;
	const char *name; /* of what is looked for */
	const char *what; /* the log */
	bool is_json;
	uint64_t n_damaged;
	struct story *story;
	char *path; /* where it was found; owned */
};

static int take_operands(struct why *w, int argc, char **argv)
{
	int n = argc - optind;

	if (!w->target.is_last && n > 0) {
		w->name = argv[optind++];
		n--;
		if (parse_u64(bytes_of(w->name), INT64_MAX, &w->target.seq) < 0)
			w->target.hold = w->name;
	} else if (!w->target.is_last) {
		say("why: expected the id of a hold, the number of a record, or --last; "
		    "`holdfast why --help` says more");
		return -EINVAL;
	}
	if (n > 1) {
		say("why: expected one FILE or SESSION, got %d", n);
		return -EINVAL;
	}
	if (w->name && !w->target.hold && !w->target.seq) {
		say("why: records are numbered from 1");
		return -EINVAL;
	}
	w->what = n ? argv[optind] : NULL;
	return 0;
}

static int parse_options(struct why *w, int argc, char **argv)
{
	const struct option_row rows[] = {
		{"last", .flag = &w->target.is_last}, {"json", .flag = &w->is_json}, {}};
	const struct options options = {.command = "why", .usage = usage, .rows = rows};
	int r = options_read(&options, argc, argv);

	if (r)
		return r;
	return take_operands(w, argc, argv);
}

/* Gives every line to @pass. A damaged one is told in the first pass. */
static int read_lines(struct why *w, const char *path, struct reader *reader,
		      int (*pass)(struct story *s, const struct reader_line *line), bool is_first)
{
	struct reader_line line;
	int r;

	while ((r = reader_next(reader, &line)) > 0) {
		if (r == READER_DAMAGED && is_first) {
			log_file_say_damaged(&w->n_damaged, line.file ? line.file : path,
					     line.number, line.why);
		}
		if (r == READER_DAMAGED)
			continue;
		r = pass(w->story, &line);
		if (r < 0)
			break;
	}
	if (r == 0 && is_first && reader_has_half_line(reader, &line) && !audit_is_live(path))
		log_file_say_damaged(&w->n_damaged, path, line.number, line.why);
	if (r < 0)
		say("cannot read the log '%s': %s", path, stream_error(r));
	return r;
}

static int search(void *ctx, const char *path, struct reader *reader)
{
	struct why *w = ctx;
	int r;

	if (w->path)
		return 0; /* found in an earlier one */
	story_free(w->story);
	w->story = story_new(&w->target);
	r = w->story ? read_lines(w, path, reader, story_search, true) : -ENOMEM;
	if (r == 0 && story_is_found(w->story)) {
		w->path = strdup(path);
		r = w->path ? 0 : -ENOMEM;
	}
	return r;
}

/* Return: 0; -ENOENT and other -errno after saying what is wrong. */
static int find(struct why *w)
{
	_cleanup_(reader_closep) struct reader *reader = NULL;
	_cleanup_(freep) char *path = NULL;
	int r;

	r = log_file_open(w->what, &path, &reader);
	if (r == 0)
		r = search(w, path, reader);
	if (r == 0 && !w->path && w->target.hold && !w->what)
		r = log_list_each(0, search, w);
	if (r < 0 || w->path)
		return r;
	if (w->target.is_last)
		say("nothing was denied in '%s'", path);
	else if (w->target.hold)
		say("there is no hold '%s' in '%s'%s", w->target.hold, path,
		    w->what ? "" : " or another log of the default place");
	else
		say("there is no decision with the number %s in '%s'; `holdfast log --json` shows "
		    "them as \"seq\"",
		    w->name, path);
	return -ENOENT;
}

static int print_story(const struct why *w, const json_t *story)
{
	struct strbuf text = STRBUF_INIT(WHY_TEXT_MAX);
	int r;

	if (w->is_json) {
		r = json_dumpf(story, stdout, JSON_ENSURE_ASCII | JSON_INDENT(2)) < 0 ||
		    putchar('\n') == EOF;
	} else {
		story_show(story, &text);
		r = strbuf_error(&text) ||
		    fwrite(strbuf_str(&text), 1, text.len, stdout) != text.len;
	}
	strbuf_fini(&text);
	return r || fflush(stdout) != 0 ? -EIO : 0;
}

static int tell(struct why *w)
{
	_cleanup_(reader_closep) struct reader *reader = NULL;
	struct diag d = {};
	json_t *story;
	int r;

	r = reader_open(w->path, &reader, &d);
	if (r < 0) {
		say("%s", d.message);
		return r;
	}
	r = read_lines(w, w->path, reader, story_add, false);
	if (r < 0)
		return r;
	story = story_json(w->story, w->path);
	if (!story || json_object_set_new(story, "source", why_source(story)) < 0)
		r = -ENOMEM;
	if (r == 0)
		r = print_story(w, story);
	json_decref(story);
	if (r < 0)
		say("cannot tell the story: %s", strerror(-r));
	return r;
}

int cmd_why(int argc, char **argv)
{
	struct why w = {};
	int r;

	r = parse_options(&w, argc, argv);
	if (r)
		return r == OPTIONS_HELPED ? 0 : 2;
	if (!w.what && (w.target.is_last || w.target.hold) &&
	    why_inside(w.target.is_last ? NULL : w.target.hold, w.is_json, &r))
		return r;
	r = find(&w);
	if (r == 0)
		r = tell(&w);
	story_free(w.story);
	free(w.path);
	return r < 0 || w.n_damaged;
}
