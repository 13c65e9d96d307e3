/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `holdfast metrics`: logs as OpenMetrics text, on standard output or as a file for a collector
 * such as node_exporter's, which must never see half of one.
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "audit/audit.h"
#include "audit/metrics.h"
#include "audit/stream.h"
#include "base/dirs.h"
#include "base/io.h"
#include "base/say.h"

#include "cli/commands.h"
#include "cli/log_file.h"
#include "cli/log_list.h"
#include "cli/options.h"

#define METRICS_TEXT_MAX ((size_t)4 << 20)

static const char usage[] =
	"usage: holdfast metrics [--textfile PATH] [--all | FILE|SESSION]\n"
	"\n"
	"Counts what logs hold and prints it as OpenMetrics text: decisions by kind, verdict, policy and\n"
	"rule, how long they took, holds and their answers, lost and damaged lines, the log's lag, spend.\n"
	"Without FILE or SESSION: the newest session of the default place.\n"
	"\n"
	"  --all            all logs of the default place together\n"
	"  --textfile PATH  write to PATH instead, whole or not at all (for node_exporter: a name in its\n"
	"                   directory that ends in .prom)\n"
	"\n"
	"Exit status: 0; 1 when there is no such log, it cannot be read, or PATH cannot be written; 2 for\n"
	"wrong usage. Damaged lines are counted, not complained of.\n";

struct metrics_options {
	bool is_all;
	const char *textfile, *what;
};

static int parse_options(int argc, char **argv, struct metrics_options *ret)
{
	const struct option_row rows[] = {
		{"all", .flag = &ret->is_all}, {"textfile", .value = &ret->textfile}, {}};
	const struct options options = {.command = "metrics", .usage = usage, .rows = rows};
	int r;

	*ret = (struct metrics_options){};
	r = options_read(&options, argc, argv);
	if (r)
		return r;
	if (optind + 1 < argc || (ret->is_all && optind < argc)) {
		say("metrics: expected one FILE or SESSION, or --all");
		return -EINVAL;
	}
	ret->what = optind < argc ? argv[optind] : NULL;
	return 0;
}

/* Return: 0, -errno. */
static int add_lines(struct metrics *m, struct reader *reader)
{
	struct reader_line line;
	int r;

	while ((r = reader_next(reader, &line)) > 0) {
		if (r == READER_DAMAGED)
			metrics_add_damaged(m);
		else if ((r = metrics_add(m, &line)) < 0)
			return r;
	}
	return r;
}

static int add_log(void *ctx, const char *path, struct reader *reader)
{
	struct metrics *m = ctx;
	bool is_live = audit_is_live(path);
	int r;

	r = add_lines(m, reader);
	if (r < 0)
		say("cannot read the log '%s': %s", path, stream_error(r));
	metrics_end_log(m, is_live, metrics_lag(path));
	return r;
}

static int add_all(const struct metrics_options *o, struct metrics *m)
{
	_cleanup_(reader_closep) struct reader *reader = NULL;
	_cleanup_(freep) char *path = NULL;

	if (o->is_all)
		return log_list_each(0, add_log, m);
	if (log_file_open(o->what, &path, &reader) < 0)
		return -ENOENT;
	return add_log(m, path, reader);
}

/* Whole under another name in the same directory first; a collector passes over names that begin
 * with a point. */
static int write_file(const char *path, struct bytes text)
{
	struct bytes name = bytes_base_name(bytes_of(path));
	_cleanup_(freep) char *temporary =
		str_format("%.*s.%s.XXXXXX", (int)(strlen(path) - name.len), path, name.p);
	_cleanup_(fd_closep) int fd = -1;
	int r;

	if (!temporary)
		return -ENOMEM;
	fd = mkostemp(temporary, O_CLOEXEC);
	if (fd < 0)
		return -errno;
	r = io_write_all(fd, text.p, text.len);
	/* Others collect it, and it holds nothing but numbers and the names of rules. */
	if (r == 0 && (fchmod(fd, 0644) < 0 || fsync(fd) < 0 || rename(temporary, path) < 0))
		r = -errno;
	if (r < 0)
		(void)unlink(temporary);
	return r;
}

static int print(const struct metrics_options *o, const struct metrics *m)
{
	struct strbuf text = STRBUF_INIT(METRICS_TEXT_MAX);
	int r;

	metrics_show(m, &text);
	r = strbuf_error(&text);
	if (r == 0 && o->textfile)
		r = write_file(o->textfile, strbuf_bytes(&text));
	else if (r == 0 && (fwrite(strbuf_str(&text), 1, text.len, stdout) != text.len ||
			    fflush(stdout) != 0))
		r = -EIO;
	strbuf_fini(&text);
	if (r < 0)
		say("cannot write '%s': %s", o->textfile ? o->textfile : "standard output",
		    strerror(-r));
	return r;
}

int cmd_metrics(int argc, char **argv)
{
	_cleanup_(metrics_freep) struct metrics *m = NULL;
	struct metrics_options o;
	int r;

	r = parse_options(argc, argv, &o);
	if (r)
		return r == OPTIONS_HELPED ? 0 : 2;
	if (metrics_new(&m) < 0) {
		say("out of memory");
		return 1;
	}
	r = add_all(&o, m);
	return r < 0 || print(&o, m) < 0;
}
