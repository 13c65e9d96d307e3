/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/stat.h>

#include "audit/logfile.h"
#include "audit/ring.h"
#include "audit/segments.h"
#include "base/escape.h"
#include "base/io.h"

#include "audit/verify_private.h"

static const struct {
	const char *word;
	bool is_bad;
} whats[_VERIFY_WHAT_MAX] = {
	[VERIFY_EDITED] = {"edited", true},           [VERIFY_REMOVED] = {"removed", true},
	[VERIFY_INSERTED] = {"inserted", true},       [VERIFY_REORDERED] = {"reordered", true},
	[VERIFY_TRUNCATED] = {"truncated", true},     [VERIFY_SEQUENCE] = {"sequence", true},
	[VERIFY_SIGNATURE] = {"signature", true},     [VERIFY_OTHER_KEY] = {"other_key", true},
	[VERIFY_NOT_RECORD] = {"not_a_record", true}, [VERIFY_MISSING] = {"missing_file", true},
	[VERIFY_UNCHAINED] = {"unchained", false},    [VERIFY_UNSIGNED] = {"unsigned", false},
	[VERIFY_RECOVERED] = {"recovered", false},    [VERIFY_FORMER] = {"former_key", false},
	[VERIFY_NO_END] = {"no_end", false},          [VERIFY_HALF_LINE] = {"half_line", false},
	[VERIFY_BEGINNING] = {"beginning", false},    [VERIFY_LIVE] = {"live", false},
};

bool verify_is_bad(enum verify_what what)
{
	return whats[what].is_bad;
}

const char *verify_word(enum verify_what what)
{
	return whats[what].word;
}

void verify_tell(struct verify *v, enum verify_what what, uint64_t line, const char *fmt, ...)
{
	struct verify_finding f = {.what = what, .file = v->files[v->file], .line = line};
	uint64_t told = v->result.n_bad - v->result.n_untold;
	va_list ap;

	if (whats[what].is_bad) {
		v->result.n_bad++;
		if (told == VERIFY_FINDINGS_MAX) {
			v->result.n_untold++;
			return;
		}
	}
	va_start(ap, fmt);
	(void)vsnprintf(f.text, sizeof(f.text), fmt, ap);
	va_end(ap);
	for (char *p = f.text; *p; p++) /* a session's name may be anybody's */
		if (*p < 0x20 || *p > 0x7e)
			*p = '?';
	v->config->tell(&f, v->config->arg);
}

static int add_break(struct verify *v, const struct lines_line *line, const struct chain_link *prev,
		     const struct verify_record *record)
{
	struct verify_break *b;

	if (v->n_breaks == VERIFY_BREAKS_MAX) {
		v->result.n_bad++;
		v->result.n_untold++;
		return 0;
	}
	if ((v->n_breaks & (v->n_breaks - 1)) == 0) { /* full: it doubles */
		b = reallocarray(v->breaks, v->n_breaks ? 2 * v->n_breaks : 1, sizeof(*b));
		if (!b)
			return -ENOMEM;
		v->breaks = b;
	}
	b = &v->breaks[v->n_breaks++];
	*b = (struct verify_break){
		.file = v->file, .line = line->number, .index = v->result.lines, .prev = *prev};
	if (streq(record->session, v->session)) {
		b->seq = record->seq;
		b->seq_before = v->seq;
	}
	return 0;
}

/* The number at the end of a `rotated` record's `from`; 0: there is none. */
static uint64_t from_number(const struct verify_record *record)
{
	const char *from = json_string_value(json_object_get(record->root, "from"));
	const char *dot = from ? strrchr(from, '.') : NULL;
	uint64_t n = 0;

	if (dot)
		(void)parse_u64(bytes_of(dot + 1), INT64_MAX, &n);
	return n;
}

/* May the first line of all that are there have a `prev` that nothing shows? */
static bool begins_later(struct verify *v, const struct lines_line *line,
			 const struct verify_record *record)
{
	if (v->result.lines > 0 || !streq(record->event, "rotated"))
		return false;
	verify_tell(v, VERIFY_BEGINNING, line->number,
		    "what was before this, up to closed file %" PRIu64
		    ", is not here: this line's prev cannot be compared",
		    from_number(record));
	return true;
}

/* Is @line chained to the one before? */
static int check_link(struct verify *v, const struct lines_line *line,
		      const struct verify_record *record)
{
	struct chain_link prev;

	if (!chain_prev_of(line->text, &prev)) {
		if (!v->has_chain && !line->is_half)
			v->unchained++;
		else if (!line->is_half)
			verify_tell(v, VERIFY_INSERTED, line->number,
				    "has no prev: Holdfast did not write it so");
		return 0;
	}
	if (!v->has_chain && v->unchained)
		verify_tell(v, VERIFY_UNCHAINED, line->number,
			    "the %" PRIu64
			    " lines before this one are from before there was a chain: whether "
			    "they were changed cannot be told",
			    v->unchained);
	v->has_chain = true;
	if (chain_eq(&prev, &v->link) || begins_later(v, line, record))
		return 0;
	return add_break(v, line, &prev, record);
}

static void check_end(struct verify *v)
{
	/* A log from before there was a chain has no checkpoints. */
	if (v->has_ended && v->is_end_chained && !v->has_checkpoint)
		verify_tell(v, VERIFY_TRUNCATED, v->result.lines ? v->last_number : 0,
			    "the session %s has ended, but the checkpoint after its end is "
			    "missing: it was removed, or the log was never signed",
			    v->session);
	if (v->session[0] && !v->has_ended)
		verify_tell(v, VERIFY_NO_END, v->lines_of_file,
			    "the session %s has no end here: its supervisor was killed, or lines "
			    "were removed from the end",
			    v->session);
}

static void check_sequence(struct verify *v, const struct lines_line *line,
			   const struct verify_record *record)
{
	bool is_new = !streq(record->session, v->session);

	if (is_new) {
		check_end(v);
		v->result.sessions++;
		memcpy(v->session, record->session, sizeof(v->session));
		v->has_ended = v->has_checkpoint = false;
		if (record->seq != 1 && !(v->result.lines == 0 && streq(record->event, "rotated")))
			verify_tell(v, VERIFY_SEQUENCE, line->number,
				    "the first record of its session has seq %" PRIu64 ", not 1",
				    record->seq);
	} else if (record->seq != v->seq + 1) {
		verify_tell(v, VERIFY_SEQUENCE, line->number,
			    "seq goes from %" PRIu64 " to %" PRIu64 "%s", v->seq, record->seq,
			    record->seq > v->seq ? ": records are missing" : "");
	}
	v->seq = record->seq;
	if (streq(record->event, "session_end")) {
		v->has_ended = true;
		v->is_end_chained = v->has_chain;
	}
	v->has_checkpoint |= v->has_ended && streq(record->event, "checkpoint");
}

/* Remembers what a `rotated` record says about closed files. */
static void note_rotation(struct verify *v, const struct lines_line *line,
			  const struct verify_record *record)
{
	const json_t *removed = json_object_get(record->root, "removed");

	if (line->number == 1)
		v->from = from_number(record);

	for (size_t i = 0; i < json_array_size(removed); i++) {
		json_int_t number = json_integer_value(json_array_get(removed, i));

		if (number > 0 && (uint64_t)number > v->removed)
			v->removed = (uint64_t)number;
	}
}

static void tell_half_line(struct verify *v, uint64_t number)
{
	verify_tell(v, VERIFY_HALF_LINE, number,
		    "the writer was interrupted in this line; a later one closed it");
}

/* The last line before another session, or the end, is where a writer may have been interrupted
 * and its ring lost: only there is the whole line read. */
static void check_last_line(struct verify *v)
{
	json_t *root;

	if (!v->is_last_read)
		return;
	root = json_loadb(v->last.p, v->last.len, JSON_ALLOW_NUL, NULL);
	if (!root)
		tell_half_line(v, v->last_number);
	json_decref(root);
}

static void keep_last_line(struct verify *v, const struct lines_line *line, bool is_read)
{
	strbuf_reset(&v->last);
	strbuf_add_bytes(&v->last, line->text);
	v->is_last_read = is_read && !strbuf_error(&v->last);
	v->last_number = line->number;
}

static int verify_line(const struct lines_line *line, void *arg)
{
	struct verify *v = arg;
	struct verify_record record = {};
	struct chain_link prev;
	const char *why;
	int r;

	v->lines_of_file = line->number;
	v->has_half_line = line->is_half;
	if (line->is_half)
		return 0;
	why = verify_read(line, &record);
	if (why && streq(why, VERIFY_NOT_JSON) && chain_prev_of(line->text, &prev))
		tell_half_line(v, line->number);
	else if (why)
		verify_tell(v, VERIFY_NOT_RECORD, line->number, "%s", why);
	r = check_link(v, line, &record);
	if (!why) {
		if (!streq(record.session, v->session))
			check_last_line(v);
		check_sequence(v, line, &record);
		if (streq(record.event, "checkpoint"))
			verify_checkpoint(v, line, &record);
		if (streq(record.event, "rotated"))
			note_rotation(v, line, &record);
	}
	keep_last_line(v, line, !why);
	json_decref(record.root);
	v->link = line->hash;
	v->result.lines++;
	return r;
}

/* What of the last file no checkpoint covers. @live: its ring is there. */
static void check_tail(struct verify *v, bool is_live)
{
	uint64_t last = v->config->keys || v->config->key ? v->signed_line : v->last_checkpoint;

	if (last == v->lines_of_file)
		return;
	verify_tell(v, VERIFY_UNSIGNED, last + 1,
		    "%" PRIu64 " lines up to the end are after the last checkpoint: only the chain "
		    "covers them%s",
		    v->lines_of_file - last,
		    is_live ? ""
			    : ", so that whoever can write the file could have made them anew, and "
			      "lines that were removed from the end cannot be told");
}

/* Compares the end of the log with what its ring says. Return: whether there is a ring. */
static bool check_ring(struct verify *v, const char *path)
{
	struct logfile f = LOGFILE_NULL;
	struct ring_commit before, after;
	struct stat st;
	bool has_ring = false, is_live;

	if (logfile_init(path, false, &f, NULL) < 0)
		return false;
	is_live = ring_is_live(f.dirfd, f.ring_name) > 0;
	if (ring_peek(f.dirfd, f.ring_name, &before) == 0 && stat(path, &st) == 0 &&
	    ring_peek(f.dirfd, f.ring_name, &after) == 0) {
		has_ring = true;
		if (before.tail == after.tail && before.rotating == 0 && after.rotating == 0 &&
		    (uint64_t)st.st_size < before.file_bytes)
			verify_tell(v, VERIFY_TRUNCATED, v->lines_of_file,
				    "%" PRIu64
				    " bytes are missing at the end: the session's ring says how "
				    "long the file was",
				    before.file_bytes - (uint64_t)st.st_size);
		verify_tell(v, VERIFY_LIVE, 0,
			    is_live ? "a session is writing this log"
				    : "the last records of a session that was killed are still in "
				      "the ring: run 'holdfast log' to have them added");
	}
	logfile_fini(&f);
	return has_ring;
}

static int verify_file(struct verify *v, bool is_last, const char *path, struct diag *reterr_diag)
{
	bool has_ring;
	int r;

	v->from = v->lines_of_file = v->signed_line = v->last_checkpoint = 0;
	v->has_half_line = false;
	r = lines_walk(v->files[v->file], verify_line, v, reterr_diag);
	if (r < 0)
		return r;
	v->result.files++;
	if (!is_last) {
		check_tail(v, false);
		if (v->has_half_line)
			verify_tell(v, VERIFY_TRUNCATED, v->lines_of_file,
				    "is cut off before its end");
		return 0;
	}
	has_ring = check_ring(v, path);
	check_last_line(v);
	if (v->has_half_line && !has_ring)
		verify_tell(v, VERIFY_TRUNCATED, v->lines_of_file, "is cut off before its end");
	if (v->unchained && !v->has_chain)
		verify_tell(v, VERIFY_UNCHAINED, 0,
			    "this log is from before there was a chain: whether it was changed "
			    "cannot be told");
	else
		check_tail(v, has_ring);
	if (!has_ring)
		check_end(v);
	return 0;
}

/* The log and what it was before, in order. Missing numbers are told. */
static int list_files(struct verify *v, const char *path, struct segments *s, char ***ret)
{
	size_t n = 0;

	*ret = calloc(s->n + 1, sizeof(char *));
	if (!*ret)
		return -ENOMEM;
	for (size_t i = 0; i < s->n; i++) {
		(*ret)[n] = segment_path(path, &s->v[i]);
		if (!(*ret)[n++])
			return -ENOMEM;
	}
	(*ret)[n] = strdup(path);
	v->n_files = n + 1;
	return (*ret)[n] ? 0 : -ENOMEM;
}

static void check_numbers(struct verify *v, const struct segments *s)
{
	for (size_t i = 0; i < s->n; i++) {
		uint64_t before = i ? s->v[i - 1].number : v->removed;

		v->file = i;
		if (s->v[i].number != before + 1)
			verify_tell(
				v, VERIFY_MISSING, 0,
				"closed files before this one are missing: number %" PRIu64
				" should be there%s",
				before + 1,
				i ? ""
				  : "; no record says that it was removed to keep only so many");
	}
	v->file = s->n;
	if (v->from > (s->n ? s->v[s->n - 1].number : v->removed))
		verify_tell(v, VERIFY_MISSING, 0,
			    "the closed file before this one is missing: number %" PRIu64
			    " should be there",
			    v->from);
}

int verify_log(const char *path, const struct verify_config *config, struct verify_result *ret,
	       struct diag *reterr_diag)
{
	struct verify v = {
		.config = config, .link = chain_first, .last = STRBUF_INIT(LINES_LINE_MAX)};
	struct segments s = SEGMENTS_NULL;
	struct logfile f = LOGFILE_NULL;
	int r;

	r = logfile_init(path, false, &f, reterr_diag);
	if (r < 0)
		return r;
	r = segments_list(f.dirfd, f.name, &s);
	logfile_fini(&f);
	if (r == 0)
		r = list_files(&v, path, &s, &v.files);
	if (r < 0)
		(void)diag_set(reterr_diag, NULL, 0, 0, "cannot look at the log '%s': %s", path,
			       strerror(-r));
	for (v.file = 0; r == 0 && v.file < v.n_files; v.file++)
		r = verify_file(&v, v.file + 1 == v.n_files, path, reterr_diag);
	if (r == 0) {
		check_numbers(&v, &s);
		r = v.n_breaks ? verify_explain_breaks(&v, reterr_diag) : 0;
	}
	*ret = v.result;
	for (size_t i = 0; v.files && i < s.n + 1; i++)
		free(v.files[i]);
	free(v.files);
	free(v.breaks);
	strbuf_fini(&v.last);
	segments_fini(&s);
	return r;
}
