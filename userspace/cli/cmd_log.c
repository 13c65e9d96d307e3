/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `holdfast log`: the records of a session, as they are or while they come.
 *
 * Following looks at the file every 30 ms: a log grows in batches, and inotify would tell of
 * each one without telling of a supervisor's death, for which one has to look anyway.
 */
#include <getopt.h>
#include <poll.h>
#include <stdio.h>

#include "audit/audit.h"
#include "audit/show.h"
#include "base/clock.h"
#include "base/say.h"

#include "cli/commands.h"
#include "cli/log_file.h"

#define LOG_POLL_MS  30
#define LOG_TEXT_MAX ((size_t)4 << 20)

struct log_options {
	struct reader_filter filter;
	bool is_follow;
	bool is_json;
	const char *what;
};

enum {
	LOG_OPTIONS_HELP = 1,
};

static const char usage[] =
	"usage: holdfast log [OPTIONS] [FILE|SESSION]\n"
	"\n"
	"Shows what a session did and what was decided. Without FILE or SESSION: the newest session\n"
	"of the default place. SESSION may be the beginning of a session's name.\n"
	"\n"
	"  --verdict V   only records with this verdict: allow, flag, ask, deny; may be repeated\n"
	"  --kind K      only this kind of action: tool, path, network, system, spend; may be repeated\n"
	"  --since T     only from this time on: 10s, 5m, 2h, 1d ago, or 2026-11-21T05:00:00Z\n"
	"  -f, --follow  go on until the session ends\n"
	"  --json        the records themselves, one JSON object a line\n"
	"\n"
	"Exit status: 0; 1 when there is no such log, or a part of it is damaged; 2 for wrong "
	"usage.\n";

static int parse_verdict(const char *s, struct log_options *o)
{
	enum verdict v;

	if (verdict_parse(bytes_of(s), &v) < 0) {
		say("--verdict '%s': expected allow, flag, ask or deny", s);
		return -EINVAL;
	}
	o->filter.verdicts |= 1U << v;
	return 0;
}

static int parse_kind(const char *s, struct log_options *o)
{
	enum action_kind k;

	if (kind_parse(bytes_of(s), &k) < 0) {
		say("--kind '%s': expected tool, path, network, system or spend", s);
		return -EINVAL;
	}
	o->filter.kinds |= 1U << k;
	return 0;
}

static int parse_since(const char *s, struct log_options *o)
{
	if (reader_parse_since(s, clock_realtime_ns(), &o->filter.since_ns) == 0)
		return 0;
	say("--since '%s': expected 10s, 5m, 2h or 1d, or a time like 2026-11-21T05:00:00Z", s);
	return -EINVAL;
}

static int parse_option(int c, struct log_options *o)
{
	switch (c) {
	case 'V':
		return parse_verdict(optarg, o);
	case 'K':
		return parse_kind(optarg, o);
	case 'S':
		return parse_since(optarg, o);
	case 'f':
		o->is_follow = true;
		return 0;
	case 'j':
		o->is_json = true;
		return 0;
	case 'h':
		(void)fputs(usage, stdout);
		return LOG_OPTIONS_HELP;
	default: /* getopt_long() has said what is wrong */
		return -EINVAL;
	}
}

/* Return: 0; LOG_OPTIONS_HELP; -EINVAL after saying what is wrong. */
static int parse_options(int argc, char **argv, struct log_options *ret)
{
	static const struct option options[] = {
		{"verdict", required_argument, NULL, 'V'},
		{"kind", required_argument, NULL, 'K'},
		{"since", required_argument, NULL, 'S'},
		{"follow", no_argument, NULL, 'f'},
		{"json", no_argument, NULL, 'j'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	int c, r;

	*ret = (struct log_options){};
	optind = 0; /* begin anew, whoever used getopt before */
	while ((c = getopt_long(argc, argv, "fh", options, NULL)) != -1) {
		r = parse_option(c, ret);
		if (r)
			return r;
	}
	if (optind + 1 < argc) {
		say("log: expected one FILE or SESSION, got %d", argc - optind);
		return -EINVAL;
	}
	ret->what = optind < argc ? argv[optind] : NULL;
	return 0;
}

static bool wants_colour(void)
{
	const char *no_colour = getenv("NO_COLOR"), *term = getenv("TERM");

	return isatty(STDOUT_FILENO) && !(no_colour && no_colour[0]) && term &&
	       !streq(term, "dumb");
}

struct log_view {
	const struct log_options *options;
	const char *path;
	struct reader *reader;
	struct show_style style;
	struct strbuf text;
	bool is_damaged;
	bool has_ended; /* the last session in the file */
};

static void complain(struct log_view *v, const struct reader_line *line)
{
	(void)fflush(stdout); /* keeps the two streams in order on a terminal */
	say("%s:%llu: this line %s; going on after it", v->path, (unsigned long long)line->number,
	    line->why);
	v->is_damaged = true;
}

/* Return: false: nobody reads our output any more. */
static bool print_line(struct log_view *v, const struct reader_line *line)
{
	const char *event = reader_word(line->root, "event");

	if (streq(event, "session_end"))
		v->has_ended = true;
	else if (streq(event, "session_start"))
		v->has_ended = false;
	if (!reader_matches(&v->options->filter, line))
		return true;
	strbuf_reset(&v->text);
	if (v->options->is_json) {
		strbuf_add_bytes(&v->text, line->text);
		strbuf_add_char(&v->text, '\n');
	} else {
		show_line(line, &v->style, &v->text);
	}
	return fwrite(strbuf_str(&v->text), 1, v->text.len, stdout) == v->text.len;
}

/* Prints all that is there. Return: 0, -errno. */
static int print_rest(struct log_view *v)
{
	struct reader_line line;
	int r;

	while ((r = reader_next(v->reader, &line)) > 0) {
		if (r == READER_DAMAGED)
			complain(v, &line);
		else if (!print_line(v, &line))
			return -EPIPE;
	}
	if (fflush(stdout) != 0)
		return -EPIPE;
	return r;
}

/* Until the session ends, or turns out to be dead. */
static int follow(struct log_view *v)
{
	bool was_live = true;
	int r;

	for (;;) {
		r = print_rest(v);
		if (r < 0 || v->has_ended || !was_live)
			return r;
		was_live = audit_is_live(v->path);
		if (was_live)
			(void)poll(NULL, 0, LOG_POLL_MS);
		else
			log_file_recover(v->path);
	}
}

static int show_log(struct log_view *v)
{
	struct reader_line line;
	bool is_live;
	int r;

	is_live = audit_is_live(v->path);
	r = v->options->is_follow ? follow(v) : print_rest(v);
	if (r == 0 && v->options->is_follow && !v->has_ended)
		say("the session has ended without its last record: its supervisor was killed");
	/* A session that writes may be in the middle of a line. */
	if (r == 0 && !is_live && reader_has_half_line(v->reader, &line))
		complain(v, &line);
	if (r < 0 && r != -EPIPE)
		say("cannot read the log '%s': %s", v->path, strerror(-r));
	return r < 0 || v->is_damaged;
}

int cmd_log(int argc, char **argv)
{
	_cleanup_(reader_closep) struct reader *reader = NULL;
	_cleanup_(freep) char *path = NULL;
	struct log_options options;
	int r;

	r = parse_options(argc, argv, &options);
	if (r)
		return r == LOG_OPTIONS_HELP ? 0 : 2;
	if (log_file_open(options.what, &path, &reader) < 0)
		return 1;
	struct log_view v = {.options = &options,
			     .path = path,
			     .reader = reader,
			     .style = {.has_colour = wants_colour()},
			     .text = STRBUF_INIT(LOG_TEXT_MAX)};
	r = show_log(&v);
	strbuf_fini(&v.text);
	return r;
}
