/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `holdfast log`: the records of sessions, as they are or while they come. Two ways lead to them:
 * reading the files in order, which needs nothing and bears everything, and finding the places of
 * the lines first (through the index, when there is much to look through), then reading only these.
 *
 * Following looks at the file every 30 ms: a log grows in batches, and inotify would tell of
 * each one without telling of a supervisor's death, for which one has to look anyway.
 */
#include <poll.h>
#include <stdio.h>

#include "audit/audit.h"
#include "audit/index.h"
#include "audit/logs.h"
#include "audit/place.h"
#include "audit/rawlog.h"
#include "audit/reader.h"
#include "audit/segments.h"
#include "audit/stream.h"
#include "base/dirs.h"
#include "base/say.h"

#include "cli/commands.h"
#include "cli/log_file.h"
#include "cli/log_print.h"

#define LOG_POLL_MS 30
/* One log of fewer bytes is looked through as fast as an index is opened. */
#define LOG_INDEX_BYTES (UINT64_C(8) << 20)
/* More hits than this are a good part of the log: it is read in order. */
#define LOG_HITS_MAX ((size_t)1 << 20)
#define LOG_WAIT_S   60

struct log_view {
	const struct log_options *options;
	struct log_printer printer;
	struct logs logs;
	struct index_file *files; /* logs.n of them */
	struct rawlog *lines;     /* of the file that is shown */
	size_t shown;             /* which one; SIZE_MAX: none yet */
	struct strbuf line, scanned;
	bool has_ended;  /* the last session that was shown */
	uint64_t closed; /* following: the number of the file before the one that is shown, or 0 */
};

static const char *path_of(const struct log_view *v, size_t file)
{
	return v->logs.paths[file];
}

static int out_of_memory(void)
{
	say("out of memory");
	return -ENOMEM;
}

/* ---- one line */

static void note_end(struct log_view *v, const struct reader_line *line)
{
	const char *event = reader_word(line->root, "event");

	if (streq(event, "session_end"))
		v->has_ended = true;
	else if (streq(event, "session_start"))
		v->has_ended = false;
}

/* A child of a process that is asked about comes into the question with its first record. */
static int learn(struct query *q, const struct scan *scan)
{
	struct bytes session = scan->texts[SCAN_SESSION];
	int r;

	if (!query_needs_processes(q) || query_has_process(q, session, scan->pid) ||
	    !query_has_process(q, session, scan->ppid))
		return 0;
	r = query_learn(q, session, scan->pid, scan->ppid);
	if (r == 0)
		query_learn_done(q);
	return r;
}

/* Shows the line if it is meant. Return: 1, it was; 0; -errno. */
static int show(struct log_view *v, size_t file, struct bytes text, uint64_t number)
{
	struct reader_line line = {.number = number};
	struct scan scan;
	int r;

	if (text.len > READER_LINE_MAX) {
		log_complain(&v->printer, path_of(v, file), number, "is too long");
		return 1;
	}
	if (reader_parse(text, &line) != READER_LINE) {
		json_decref(line.root);
		log_complain(&v->printer, path_of(v, file), number, line.why);
		return 1;
	}
	note_end(v, &line);
	format_learn(&v->printer.context, &line);
	r = scan_root(line.root, line.time_ns, &v->scanned, &scan);
	if (r == 0)
		r = learn(v->options->query, &scan);
	if (r == 0 && query_matches(v->options->query, &scan, line.root)) {
		r = log_print(&v->printer, &line);
		r = r < 0 ? r : 1;
	}
	json_decref(line.root);
	return r;
}

/* ---- in order */

static int open_file(struct log_view *v, size_t file)
{
	struct diag d = {};
	int r;

	v->lines = rawlog_close(v->lines);
	v->shown = file;
	r = rawlog_open(path_of(v, file), &v->lines, &d);
	if (r < 0)
		say("%s", r == -ENOMEM ? "out of memory" : d.message);
	return r;
}

/* Shows all that there is from where v->lines stands. Return: 0, -errno. */
static int show_rest(struct log_view *v)
{
	struct raw_line raw;
	int r;

	while ((r = rawlog_next(v->lines, &raw)) > 0) {
		if (raw.is_too_long)
			log_complain(&v->printer, path_of(v, v->shown), raw.number, "is too long");
		else
			r = show(v, v->shown, raw.text, raw.number);
		if (r < 0)
			break;
	}
	if (log_print_flush(&v->printer) < 0)
		return -EPIPE;
	if (r < 0 && r != -EPIPE)
		say("cannot read the log '%s': %s", path_of(v, v->shown), stream_error(r));
	return r;
}

/* A session that writes may be in the middle of a line. */
static void complain_of_half_line(struct log_view *v, size_t file, uint64_t number)
{
	if (!audit_is_live(path_of(v, file)))
		log_complain(&v->printer, path_of(v, file), number, "is cut off before its end");
}

static int show_files(struct log_view *v)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < v->logs.n; i++) {
		r = open_file(v, i);
		if (r == 0)
			r = show_rest(v);
		if (r == 0 && rawlog_has_half_line(v->lines) && !v->options->is_follow)
			complain_of_half_line(v, i, rawlog_number(v->lines));
	}
	return r;
}

/* ---- hits */

/* So that lines of the other formats can say what only session_start tells. */
static void learn_first_line(struct log_view *v)
{
	struct reader_line line = {};
	struct raw_line raw;

	if (v->options->format == LOG_OTHER && rawlog_next(v->lines, &raw) > 0 &&
	    !raw.is_too_long) {
		if (reader_parse(raw.text, &line) == READER_LINE)
			format_learn(&v->printer.context, &line);
		json_decref(line.root);
	}
}

static int show_hit(struct log_view *v, const struct hit *hit)
{
	int r = 0;

	if (hit->file != v->shown) {
		r = open_file(v, hit->file);
		if (r < 0)
			return r;
		learn_first_line(v);
	}
	if (hit->length > READER_LINE_MAX) {
		log_complain(&v->printer, path_of(v, hit->file), hit->number, "is too long");
		return 0;
	}
	r = rawlog_read(v->lines, hit->offset, hit->length, &v->line);
	if (r == 0)
		r = show(v, hit->file, strbuf_bytes(&v->line), hit->number);
	if (r == 0 || r == -EIO)
		log_complain(&v->printer, path_of(v, hit->file), hit->number,
			     "is not what it was when the index was made (`holdfast log --reindex` "
			     "makes it anew)");
	return r < 0 && r != -EIO ? r : 0;
}

static int show_hits(struct log_view *v, const struct hits *hits)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < hits->n; i++)
		r = show_hit(v, &hits->list[i]);
	for (size_t i = 0; r == 0 && i < v->logs.n; i++)
		if (v->files[i].has_half_line && !v->options->is_follow)
			complain_of_half_line(v, i, v->files[i].n_lines + 1);
	if (log_print_flush(&v->printer) < 0)
		return -EPIPE;
	if (r < 0 && r != -EPIPE)
		say("cannot read the log '%s': %s", path_of(v, v->shown), stream_error(r));
	return r;
}

static void tell(void *ctx, const char *sentence)
{
	(void)ctx;
	say("%s", sentence);
}

static int ask_index(struct log_view *v, struct query *q, struct hits *hits)
{
	const struct index_config config = {
		.is_fresh = v->options->is_reindex, .wait_s = LOG_WAIT_S, .tell = tell};
	struct diag d = {};
	int r;

	r = logindex_ask(&config, v->files, v->logs.n, q, hits, &d);
	if (r == INDEX_E_BUSY)
		say("the index is in use by another holdfast; reading the logs themselves");
	else if (r < 0)
		say("%s; reading the logs themselves", r == -ENOMEM ? "out of memory" : d.message);
	return r;
}

static uint64_t bytes_of_files(const struct log_view *v)
{
	struct rawlog_identity id;
	uint64_t sum = 0;

	for (size_t i = 0; i < v->logs.n; i++)
		if (rawlog_identify_path(path_of(v, i), &id) == 0)
			sum += id.size;
	return sum;
}

/* Return: 0, and the lines were shown; INDEX_E_MANY: they should be shown in order; -errno. */
static int find_and_show(struct log_view *v)
{
	const struct log_options *o = v->options;
	struct hits hits = {.max = o->limit        ? o->limit
				   : o->is_reverse ? 0
						   : LOG_HITS_MAX,
			    .is_newest = o->limit || o->is_reverse,
			    .is_backwards = o->is_reverse};
	bool must_find = o->limit || o->is_reverse || query_needs_processes(o->query);
	bool has_index = !o->is_follow && (query_is_narrow(o->query) || o->limit) &&
			 (o->is_all || bytes_of_files(v) >= LOG_INDEX_BYTES);
	struct diag d = {};
	int r = INDEX_E_MANY;

	if (has_index || o->is_reindex)
		r = ask_index(v, o->query, &hits);
	if (r != 0 && must_find) {
		/* Processes have to be known before the first line is shown. */
		if (!o->limit && !o->is_reverse)
			hits.max = 0;
		r = logindex_scan(v->files, v->logs.n, o->query, &hits, &d);
		if (r < 0)
			say("%s", r == -ENOMEM ? "out of memory" : d.message);
	} else if (r < 0) {
		r = INDEX_E_MANY;
	}
	if (r == 0)
		r = show_hits(v, &hits);
	hits_fini(&hits);
	return r;
}

/* ---- following */

/* Did the log become FILE.N, and begin anew? */
static bool is_rotated(struct log_view *v)
{
	struct rawlog_identity open, now;

	return rawlog_identify(v->lines, &open) == 0 &&
	       rawlog_identify_path(path_of(v, v->logs.n - 1), &now) == 0 &&
	       (open.inode != now.inode || open.device != now.device);
}

/* The number of the file that the log was last; 0: it has always been this one. */
static int last_closed(struct log_view *v, uint64_t *ret)
{
	struct segments closed = SEGMENTS_NULL;
	int r = segments_of(path_of(v, v->logs.n - 1), &closed);

	if (r == 0)
		*ret = closed.n ? closed.v[closed.n - 1].number : 0;
	segments_fini(&closed);
	return r;
}

/* The same for the file that is open, which may have been closed since. */
static int find_number(struct log_view *v)
{
	struct segments closed = SEGMENTS_NULL;
	struct rawlog_identity open, other;
	int r = segments_of(path_of(v, v->logs.n - 1), &closed);

	if (r == 0)
		r = rawlog_identify(v->lines, &open);
	v->closed = closed.n ? closed.v[closed.n - 1].number : 0;
	for (size_t i = 0; r == 0 && i < closed.n; i++) {
		_cleanup_(freep) char *path = segment_path(path_of(v, v->logs.n - 1), &closed.v[i]);

		if (!path)
			r = out_of_memory();
		else if (rawlog_identify_path(path, &other) == 0 && other.inode == open.inode &&
			 other.device == open.device)
			v->closed = closed.v[i].number - 1;
	}
	segments_fini(&closed);
	return r;
}

/* Opens the log as it is now, at the end of what was shown of it, and finds out its number. */
static int open_current(struct log_view *v, uint64_t offset, uint64_t number)
{
	uint64_t before = 0;
	int r;

	do {
		r = last_closed(v, &before);
		if (r == 0)
			r = open_file(v, v->logs.n - 1);
		if (r == 0)
			r = last_closed(v, &v->closed);
	} while (r == 0 && before != v->closed);
	return r == 0 && offset ? rawlog_seek(v->lines, offset, number) : r;
}

/* Shows one file that the log was since it was looked at last. */
static int show_closed(struct log_view *v, const struct segment *s)
{
	_cleanup_(freep) char *path = segment_path(path_of(v, v->logs.n - 1), s);
	struct diag d = {};
	int r;

	if (!path)
		return out_of_memory();
	v->lines = rawlog_close(v->lines);
	r = rawlog_open(path, &v->lines, &d);
	/* --log-keep removes what nobody has read. */
	if (r < 0) {
		say("%s, going on without it", r == -ENOMEM ? "out of memory" : d.message);
		return 0;
	}
	return show_rest(v);
}

/*
 * The file that is open has another name by now, FILE.N. When the session is quicker than we are,
 * there are more closed files between it and the one that is FILE now.
 */
static int follow_rotation(struct log_view *v)
{
	uint64_t shown = v->closed + 1;
	int r = 0;

	do {
		struct segments closed = SEGMENTS_NULL;

		r = segments_of(path_of(v, v->logs.n - 1), &closed);
		for (size_t i = 0; r == 0 && i < closed.n; i++) {
			if (closed.v[i].number <= shown)
				continue;
			r = show_closed(v, &closed.v[i]);
			shown = closed.v[i].number;
		}
		segments_fini(&closed);
		if (r == 0)
			r = open_current(v, 0, 0);
	} while (r == 0 && v->closed > shown);
	return r;
}

/* Until the session ends, or turns out to be dead. */
static int follow(struct log_view *v)
{
	const struct index_file *last = &v->files[v->logs.n - 1];
	bool was_live = true;
	int r = 0;

	if (v->shown != v->logs.n - 1 || last->end)
		r = open_current(v, last->end, last->n_lines + 1);
	else
		r = find_number(v);
	while (r == 0) {
		bool is_old = is_rotated(v);

		r = show_rest(v);
		if (r < 0 || (v->has_ended && !is_old))
			return r;
		if (is_old) {
			r = follow_rotation(v);
			continue;
		}
		if (!was_live)
			break;
		was_live = audit_is_live(path_of(v, v->shown));
		if (was_live)
			(void)poll(NULL, 0, LOG_POLL_MS);
		else
			log_file_recover(path_of(v, v->shown));
	}
	if (r < 0)
		return r;
	say("the session has ended without its last record: its supervisor was killed");
	if (rawlog_has_half_line(v->lines))
		complain_of_half_line(v, v->shown, rawlog_number(v->lines));
	return 0;
}

/* ---- which files */

static void recover(const char *path)
{
	_cleanup_(freep) char *ring = str_format("%s.ring", path);

	if (ring && access(ring, F_OK) == 0)
		log_file_recover(path);
}

static int list_place(struct log_view *v)
{
	_cleanup_(freep) char *place = v->options->dir ? strdup(v->options->dir) : dirs_state();
	struct diag d = {};
	int r;

	if (!place && !v->options->dir) {
		say("there is no default place for logs: set HOME or XDG_STATE_HOME");
		return -ENOENT;
	}
	r = place ? logs_add_dir(&v->logs, place, &d) : -ENOMEM;
	if (r < 0) {
		say("%s", r == -ENOMEM ? "out of memory" : d.message);
		return r;
	}
	if (!v->logs.n) {
		say("there is no session in '%s' yet; name a log file, or start one with "
		    "'holdfast run'",
		    place);
		return -ENOENT;
	}
	return 0;
}

static int list_one(struct log_view *v)
{
	_cleanup_(freep) char *path = NULL;
	struct diag d = {};
	int r;

	r = audit_find(v->options->what, &path, &d);
	if (r == 0)
		r = logs_add(&v->logs, path, &d);
	if (r < 0)
		say("%s", r == -ENOMEM ? "out of memory" : d.message);
	return r;
}

/* Brings home what killed sessions left, and leaves out what cannot be read. */
static int check_files(struct log_view *v)
{
	size_t n = 0;

	for (size_t i = 0; i < v->logs.n; i++) {
		char *path = v->logs.paths[i];

		if (access(path, R_OK) == 0) {
			recover(path);
			v->logs.paths[n++] = path;
			continue;
		}
		say("cannot read the log '%s': %s", path, strerror(errno));
		v->printer.n_damaged++;
		free(path);
	}
	v->logs.n = n;
	v->files = calloc(n + 1, sizeof(*v->files));
	if (!v->files)
		return out_of_memory();
	/* The index is for all directories from which it may be asked. */
	for (size_t i = 0; i < n; i++) {
		v->files[i].path = realpath(v->logs.paths[i], NULL);
		if (!v->files[i].path)
			return out_of_memory();
	}
	return 0;
}

static bool is_only_reindex(const struct log_options *o)
{
	return o->is_reindex && !o->what && !o->is_follow && !o->limit && !o->is_reverse &&
	       !query_is_narrow(o->query);
}

static int run(struct log_view *v)
{
	const struct log_options *o = v->options;
	int r;

	r = o->is_all || is_only_reindex(o) ? list_place(v) : list_one(v);
	if (r == 0)
		r = check_files(v);
	if (r < 0 || !v->logs.n)
		return r;
	if (is_only_reindex(o))
		return ask_index(v, NULL, NULL);
	r = find_and_show(v);
	if (r == INDEX_E_MANY)
		r = o->is_follow && v->logs.n == 1 ? 0 : show_files(v);
	return r == 0 && o->is_follow && !v->has_ended ? follow(v) : r;
}

int cmd_log(int argc, char **argv)
{
	struct log_options options;
	struct log_view v = {.options = &options,
			     .shown = SIZE_MAX,
			     .line = STRBUF_INIT(READER_LINE_MAX),
			     .scanned = STRBUF_INIT(READER_LINE_MAX * 8)};
	int r;

	r = log_options_parse(argc, argv, &options);
	if (r) {
		log_options_fini(&options);
		return r == LOG_OPTIONS_HELP ? 0 : r == -ENOMEM ? 1 : 2;
	}
	log_printer_init(&v.printer, &options, options.is_all);
	r = run(&v);
	r = r || v.printer.n_damaged;
	log_printer_fini(&v.printer);
	rawlog_close(v.lines);
	for (size_t i = 0; v.files && i < v.logs.n; i++)
		free(v.files[i].path);
	free(v.files);
	logs_fini(&v.logs);
	strbuf_fini(&v.line);
	strbuf_fini(&v.scanned);
	log_options_fini(&options);
	return r;
}
