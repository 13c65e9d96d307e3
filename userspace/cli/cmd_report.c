/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `holdfast report`: one session summed up, or several, for people or, with --json, for programs.
 */
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>

#include "audit/audit.h"
#include "audit/report.h"
#include "audit/stream.h"
#include "base/clock.h"
#include "base/io.h"
#include "base/say.h"

#include "cli/commands.h"
#include "cli/log_file.h"
#include "cli/log_list.h"

#define REPORT_TEXT_MAX ((size_t)4 << 20)
#define REPORT_SUFFIX   ".html"

static const char usage[] =
	"usage: holdfast report [OPTIONS] [FILE|SESSION]\n"
	"\n"
	"Sums a session up: what it was, how many actions were allowed, flagged and denied, what was\n"
	"denied and why, what was held and how that ended. Without FILE or SESSION: the newest\n"
	"session of the default place. SESSION may be the beginning of a session's name. Of several\n"
	"sessions in one file the last counts.\n"
	"\n"
	"  --all             all sessions of the default place together, or all of FILE\n"
	"  --since T         only what happened from this time on: 10s, 5m, 2h, 1d ago, or\n"
	"                    2026-11-21T05:00:00Z; without FILE or SESSION: in all sessions\n"
	"  --json            one JSON object; docs/audit.md describes it\n"
	"  --html[=FILE]     one HTML page, with plots, that needs nothing else; to standard output\n"
	"                    or to FILE (--html FILE.html will do, too)\n"
	"\n"
	"Exit status: 0; 1 when there is no such log, or a part of it is damaged; 2 for wrong "
	"usage.\n";

enum {
	REPORT_OPTIONS_HELP = 1,
};

enum report_form {
	REPORT_TEXT,
	REPORT_JSON,
	REPORT_HTML,
};

struct report_options {
	struct report_config config;
	enum report_form form;
	const char *file; /* to write to; NULL: standard output */
	const char *what;
};

static int parse_since(struct report_options *o)
{
	if (reader_parse_since(optarg, clock_realtime_ns(), &o->config.since_ns) == 0)
		return 0;
	say("--since '%s': expected 10s, 5m, 2h or 1d, or a time like 2026-11-21T05:00:00Z",
	    optarg);
	return -EINVAL;
}

/* The file may be a word of its own when its name says that it is one. */
static void take_html(int argc, char **argv, struct report_options *o)
{
	const char *next = optind < argc ? argv[optind] : "";

	o->form = REPORT_HTML;
	o->file = optarg;
	if (!optarg && next[0] != '-' &&
	    bytes_has_suffix(bytes_of(next), BYTES_LIT(REPORT_SUFFIX))) {
		o->file = next;
		optind++;
	}
}

static int parse_option(int c, int argc, char **argv, struct report_options *o)
{
	switch (c) {
	case 'a':
		o->config.is_all = true;
		return 0;
	case 'S':
		return parse_since(o);
	case 'j':
		o->form = REPORT_JSON;
		return 0;
	case 'H':
		take_html(argc, argv, o);
		return 0;
	case 'h':
		(void)fputs(usage, stdout);
		return REPORT_OPTIONS_HELP;
	default: /* getopt_long() has said what is wrong */
		return -EINVAL;
	}
}

static int parse_options(int argc, char **argv, struct report_options *ret)
{
	static const struct option options[] = {
		{"all", no_argument, NULL, 'a'},  {"since", required_argument, NULL, 'S'},
		{"json", no_argument, NULL, 'j'}, {"html", optional_argument, NULL, 'H'},
		{"help", no_argument, NULL, 'h'}, {NULL, 0, NULL, 0},
	};
	int c, r;

	*ret = (struct report_options){};
	optind = 0; /* begin anew, whoever used getopt before */
	while ((c = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		r = parse_option(c, argc, argv, ret);
		if (r)
			return r;
	}
	if (optind + 1 < argc) {
		say("report: expected one FILE or SESSION, got %d", argc - optind);
		return -EINVAL;
	}
	ret->what = optind < argc ? argv[optind] : NULL;
	if (!ret->what && ret->config.since_ns)
		ret->config.is_all = true;
	return 0;
}

static void complain(const char *path, const struct reader_line *line, struct report *report,
		     uint64_t *n_damaged)
{
	log_file_say_damaged(n_damaged, line->file ? line->file : path, line->number, line->why);
	report_add_damaged(report);
}

/* Return: 1 some of it is damaged, 0, -errno. */
static int read_log(const char *path, bool is_live, struct reader *reader, struct report *report)
{
	struct reader_line line;
	uint64_t n_damaged = 0;
	int r;

	while ((r = reader_next(reader, &line)) > 0) {
		if (r == READER_DAMAGED) {
			complain(path, &line, report, &n_damaged);
			continue;
		}
		r = report_add(report, &line);
		if (r < 0)
			return r;
	}
	/* A session that writes may be in the middle of a line. */
	if (r == 0 && !is_live && reader_has_half_line(reader, &line))
		complain(path, &line, report, &n_damaged);
	return r < 0 ? r : n_damaged > 0;
}

/* ---- output */

static int write_all(const struct strbuf *text, const char *file)
{
	_cleanup_(fd_closep) int fd = -1;

	if (strbuf_error(text))
		return strbuf_error(text);
	if (!file)
		return fwrite(strbuf_str(text), 1, text->len, stdout) != text->len ||
				       fflush(stdout) != 0
			       ? -EIO
			       : 0;
	fd = open(file, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	return io_write_all(fd, strbuf_str(text), text->len);
}

static int print_json(const json_t *report)
{
	return json_dumpf(report, stdout, JSON_ENSURE_ASCII | JSON_INDENT(2)) < 0 ||
			       putchar('\n') == EOF || fflush(stdout) != 0
		       ? -EIO
		       : 0;
}

/* Return: 0, or 1 after saying what is wrong. */
static int print_report(const json_t *report, const struct report_options *o)
{
	struct strbuf text =
		STRBUF_INIT(o->form == REPORT_HTML ? REPORT_HTML_MAX : REPORT_TEXT_MAX);
	int r;

	if (o->form == REPORT_JSON) {
		r = print_json(report);
	} else {
		if (o->form == REPORT_HTML)
			report_html(report, &text);
		else
			report_show(report, &text);
		r = write_all(&text, o->file);
	}
	strbuf_fini(&text);
	if (r < 0 && o->file)
		say("cannot write the report to '%s': %s", o->file, strerror(-r));
	else if (r < 0)
		say("cannot write the report: %s", strerror(-r));
	return r < 0;
}

/* ---- the logs */

struct report_run {
	const struct report_options *options;
	struct report *report;
	bool is_damaged;
};

static int add_log(void *ctx, const char *path, struct reader *reader)
{
	struct report_run *run = ctx;
	bool is_live = audit_is_live(path);
	int r;

	report_begin_log(run->report, path, is_live);
	r = read_log(path, is_live, reader, run->report);
	if (r > 0)
		run->is_damaged = true;
	if (r < 0)
		say("cannot report on the log '%s': %s", path, stream_error(r));
	return MIN(r, 0);
}

/* Return: 0; 1 or -errno after saying what is wrong. */
static int read_logs(struct report_run *run, char **ret_path)
{
	_cleanup_(reader_closep) struct reader *reader = NULL;
	const struct report_options *o = run->options;
	int r;

	if (o->config.is_all && !o->what)
		return log_list_each(o->config.since_ns, add_log, run);
	r = log_file_open(o->what, ret_path, &reader);
	return r < 0 ? r : add_log(run, *ret_path, reader);
}

int cmd_report(int argc, char **argv)
{
	_cleanup_(report_freep) struct report *report = NULL;
	_cleanup_(freep) char *path = NULL;
	struct report_options options;
	struct report_run run = {.options = &options};
	json_t *o;
	int r;

	r = parse_options(argc, argv, &options);
	if (r)
		return r == REPORT_OPTIONS_HELP ? 0 : 2;
	if (report_new(&options.config, &report) < 0) {
		say("out of memory");
		return 1;
	}
	run.report = report;
	if (read_logs(&run, &path) < 0)
		return 1;
	o = report_finish(report, path ? path : "", path && audit_is_live(path));
	if (!o)
		say("cannot report: out of memory");
	r = !o || print_report(o, &options);
	json_decref(o);
	return r || run.is_damaged;
}
