/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `holdfast tree`: the processes of a session, and what each of them did.
 */
#include <langinfo.h>
#include <locale.h>
#include <stdio.h>

#include "audit/audit.h"
#include "audit/proctree.h"
#include "audit/stream.h"
#include "base/say.h"

#include "cli/commands.h"
#include "cli/log_file.h"
#include "cli/options.h"

#define TREE_TEXT_MAX ((size_t)16 << 20)

static const char usage[] =
	"usage: holdfast tree [--json] [FILE|SESSION]\n"
	"\n"
	"Shows the processes of a session, each below the one that started it: its command line, how\n"
	"much it did of which kind, and what was denied, with the number of the record (see\n"
	"'holdfast why'). Siblings that did alike are one line. Without FILE or SESSION: the newest\n"
	"session of the default place. Of several sessions in one file the last counts.\n"
	"\n"
	"  --json  one JSON object; docs/audit.md describes it\n"
	"\n"
	"Exit status: 0; 1 when there is no such log, or a part of it is damaged; 2 for wrong "
	"usage.\n";

static int parse_options(int argc, char **argv, bool *ret_is_json, const char **ret_what)
{
	const struct option_row rows[] = {{"json", .flag = ret_is_json}, {}};
	const struct options options = {.command = "tree", .usage = usage, .rows = rows};
	int r;

	*ret_is_json = false;
	r = options_read(&options, argc, argv);
	if (r)
		return r;
	if (optind + 1 < argc) {
		say("tree: expected one FILE or SESSION, got %d", argc - optind);
		return -EINVAL;
	}
	*ret_what = optind < argc ? argv[optind] : NULL;
	return 0;
}

/* What was read: the last session of the file. */
struct tree_run {
	struct proctree *tree;
	json_t *first; /* its first record */
	uint64_t n_damaged;
};

static int begin_session(struct tree_run *run, json_t *root)
{
	proctree_free(run->tree);
	run->tree = proctree_new();
	json_decref(run->first);
	run->first = json_incref(root);
	return run->tree ? 0 : -ENOMEM;
}

static int add_line(struct tree_run *run, const struct reader_line *line)
{
	bool is_start = streq(reader_word(line->root, "event"), "session_start");
	int r = 0;

	if (is_start || !run->first ||
	    !streq(reader_word(line->root, "session"), reader_word(run->first, "session")))
		r = begin_session(run, line->root);
	return r < 0 ? r : proctree_add(run->tree, line->root, true, NULL);
}

static int read_log(const char *path, struct reader *reader, struct tree_run *run)
{
	struct reader_line line;
	int r;

	while ((r = reader_next(reader, &line)) > 0) {
		if (r == READER_DAMAGED) {
			log_file_say_damaged(&run->n_damaged, line.file ? line.file : path,
					     line.number, line.why);
			continue;
		}
		r = add_line(run, &line);
		if (r < 0)
			break;
	}
	/* A session that writes may be in the middle of a line. */
	if (r == 0 && reader_has_half_line(reader, &line) && !audit_is_live(path))
		log_file_say_damaged(&run->n_damaged, path, line.number, line.why);
	if (r == 0 && !run->tree)
		run->tree = proctree_new();
	return r == 0 && !run->tree ? -ENOMEM : r;
}

static struct proctree_style style_of_terminal(void)
{
	const char *no_colour = getenv("NO_COLOR"), *term = getenv("TERM");

	/* Only to ask it for its character set: numbers are printed in no language. */
	(void)setlocale(LC_CTYPE, "");
	return (struct proctree_style){
		.is_unicode = streq(nl_langinfo(CODESET), "UTF-8"),
		.has_colour = isatty(STDOUT_FILENO) && !(no_colour && no_colour[0]) && term &&
			      !streq(term, "dumb"),
	};
}

static int print_text(const json_t *tree)
{
	struct strbuf text = STRBUF_INIT(TREE_TEXT_MAX);
	struct proctree_style style = style_of_terminal();
	int r;

	proctree_show(tree, &style, &text);
	r = strbuf_error(&text) || fwrite(strbuf_str(&text), 1, text.len, stdout) != text.len;
	strbuf_fini(&text);
	return r;
}

static int print_tree(const struct tree_run *run, bool is_json)
{
	json_t *tree = proctree_json(run->tree, PROCTREE_MAX);
	int r = -ENOMEM;

	if (tree && !is_json)
		r = print_text(tree);
	else if (tree && json_object_set_new(tree, "v", json_integer(1)) == 0)
		r = json_dumpf(tree, stdout, JSON_ENSURE_ASCII | JSON_INDENT(2)) < 0 ||
		    putchar('\n') == EOF;
	json_decref(tree);
	return r || fflush(stdout) != 0 ? -EIO : 0;
}

int cmd_tree(int argc, char **argv)
{
	_cleanup_(reader_closep) struct reader *reader = NULL;
	_cleanup_(freep) char *path = NULL;
	struct tree_run run = {};
	const char *what = NULL;
	bool is_json;
	int r;

	r = parse_options(argc, argv, &is_json, &what);
	if (r)
		return r == OPTIONS_HELPED ? 0 : 2;
	if (log_file_open(what, &path, &reader) < 0)
		return 1;
	r = read_log(path, reader, &run);
	if (r == 0)
		r = print_tree(&run, is_json);
	if (r < 0)
		say("cannot show the processes of '%s': %s", path, stream_error(r));
	proctree_free(run.tree);
	json_decref(run.first);
	return r < 0 || run.n_damaged > 0;
}
