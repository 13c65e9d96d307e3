/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `holdfast report`: one session summed up, for people or, with --json, for programs.
 */
#include <getopt.h>
#include <stdio.h>

#include "audit/audit.h"
#include "audit/report.h"
#include "base/say.h"

#include "cli/commands.h"
#include "cli/log_file.h"

#define REPORT_TEXT_MAX ((size_t)4 << 20)

static const char usage[] =
	"usage: holdfast report [--json] [FILE|SESSION]\n"
	"\n"
	"Sums a session up: what it was, how many actions were allowed, flagged and denied, what was\n"
	"denied and why, what was held and how that ended. Without FILE or SESSION: the newest\n"
	"session of the default place. SESSION may be the beginning of a session's name. Of several\n"
	"sessions in one file the last counts.\n"
	"\n"
	"  --json  one JSON object; docs/audit.md describes it\n"
	"\n"
	"Exit status: 0; 1 when there is no such log, or a part of it is damaged; 2 for wrong "
	"usage.\n";

enum {
	REPORT_OPTIONS_HELP = 1,
};

static int parse_options(int argc, char **argv, bool *ret_is_json, const char **ret_what)
{
	static const struct option options[] = {
		{"json", no_argument, NULL, 'j'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	int c;

	*ret_is_json = false;
	optind = 0; /* begin anew, whoever used getopt before */
	while ((c = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		if (c == 'h') {
			(void)fputs(usage, stdout);
			return REPORT_OPTIONS_HELP;
		}
		if (c != 'j')
			return -EINVAL; /* getopt_long() has said what is wrong */
		*ret_is_json = true;
	}
	if (optind + 1 < argc) {
		say("report: expected one FILE or SESSION, got %d", argc - optind);
		return -EINVAL;
	}
	*ret_what = optind < argc ? argv[optind] : NULL;
	return 0;
}

static void complain(const char *path, const struct reader_line *line)
{
	say("%s:%llu: this line %s; going on after it", path, (unsigned long long)line->number,
	    line->why);
}

/* Return: 1 some of it is damaged, 0, -errno. */
static int read_log(const char *path, bool is_live, struct reader *reader, struct report *report)
{
	struct reader_line line;
	bool is_damaged = false;
	int r;

	while ((r = reader_next(reader, &line)) > 0) {
		if (r == READER_DAMAGED) {
			complain(path, &line);
			report_add_damaged(report);
			is_damaged = true;
			continue;
		}
		r = report_add(report, &line);
		if (r < 0)
			return r;
	}
	/* A session that writes may be in the middle of a line. */
	if (r == 0 && !is_live && reader_has_half_line(reader, &line)) {
		complain(path, &line);
		report_add_damaged(report);
		is_damaged = true;
	}
	return r < 0 ? r : is_damaged;
}

/* Return: 0, -errno. */
static int print_report(const json_t *report, bool is_json)
{
	struct strbuf text = STRBUF_INIT(REPORT_TEXT_MAX);
	int r;

	if (is_json) {
		r = json_dumpf(report, stdout, JSON_ENSURE_ASCII | JSON_INDENT(2)) < 0 ||
		    putchar('\n') == EOF;
	} else {
		report_show(report, &text);
		r = strbuf_error(&text) ||
		    fwrite(strbuf_str(&text), 1, text.len, stdout) != text.len;
	}
	strbuf_fini(&text);
	return r || fflush(stdout) != 0 ? -EIO : 0;
}

static int report_log(const char *path, struct reader *reader, bool is_json)
{
	_cleanup_(report_freep) struct report *report = NULL;
	bool is_live = audit_is_live(path);
	int damaged = 0, r;
	json_t *o = NULL;

	r = report_new(&report);
	if (r == 0)
		damaged = r = read_log(path, is_live, reader, report);
	if (r >= 0) {
		o = report_finish(report, path, is_live);
		r = o ? print_report(o, is_json) : -ENOMEM;
	}
	json_decref(o);
	if (r < 0)
		say("cannot report on the log '%s': %s", path, strerror(-r));
	return r < 0 || damaged;
}

int cmd_report(int argc, char **argv)
{
	_cleanup_(reader_closep) struct reader *reader = NULL;
	_cleanup_(freep) char *path = NULL;
	const char *what = NULL;
	bool is_json;
	int r;

	r = parse_options(argc, argv, &is_json, &what);
	if (r)
		return r == REPORT_OPTIONS_HELP ? 0 : 2;
	if (log_file_open(what, &path, &reader) < 0)
		return 1;
	return report_log(path, reader, is_json);
}
