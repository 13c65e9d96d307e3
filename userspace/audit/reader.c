/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "audit/logfile.h"
#include "audit/record.h"
#include "audit/segments.h"
#include "audit/stream.h"
#include "base/clock.h"
#include "base/escape.h"
#include "base/io.h"

#include "audit/reader.h"

#define OPEN_TRIES         3
#define READER_CHUNK_BYTES ((size_t)64 * 1024)

struct reader {
	char *path; /* the log */
	char *file; /* what of it is open */
	struct stream *stream;
	uint64_t last;     /* the highest number of a closed file that is taken care of */
	bool is_last_open; /* `file` is the log itself */
	bool has_changed;  /* another file was opened */
	uint64_t number;
	json_t *root;
	struct strbuf line; /* what of the current line is not in the chunk any more */
	bool is_skipping;   /* the current line is longer than READER_LINE_MAX */
	bool is_raw;
	bool is_line_done; /* `line` holds the line that was returned last */
	size_t start, end; /* of what is left of the chunk */
	char chunk[READER_CHUNK_BYTES];
};

/* The closed file after number `last`. Return: a heap string, NULL: none. Sets @ret_number. */
static char *next_closed(const struct reader *r, uint64_t *ret_number)
{
	struct segments s = SEGMENTS_NULL;
	struct logfile f = LOGFILE_NULL;
	char *file = NULL;

	/* A pipe, or a place that cannot be listed, has no closed files. */
	if (logfile_init(r->path, false, &f, NULL) == 0)
		(void)segments_list(f.dirfd, f.name, &s);
	logfile_fini(&f);
	for (size_t i = 0; i < s.n && !file; i++) {
		if (s.v[i].number <= r->last)
			continue;
		*ret_number = s.v[i].number;
		file = segment_path(r->path, &s.v[i]);
	}
	segments_fini(&s);
	return file;
}

static int open_file(struct reader *r, const char *file, struct diag *reterr_diag)
{
	free(r->file);
	r->file = strdup(file);
	r->stream = stream_close(r->stream);
	r->number = 0;
	r->has_changed = true;
	if (!r->file)
		return -ENOMEM;
	return stream_open(r->file, &r->stream, reterr_diag);
}

/* Opens the closed file after number `last`, or the log itself when there is none. */
static int open_next(struct reader *r, struct diag *reterr_diag)
{
	for (int tries = 0;;) {
		uint64_t before = r->last, number;
		_cleanup_(freep) char *closed = next_closed(r, &r->last), *later = NULL;
		int rc;

		r->is_last_open = !closed;
		rc = open_file(r, closed ? closed : r->path, reterr_diag);
		if (closed && rc != -ENOENT)
			return rc;
		if (closed) {
			/* It was just compressed, or removed: look again. A dangling symlink is
			 * passed over. */
			if (tries++ < OPEN_TRIES)
				r->last = before;
			continue;
		}
		/* The log may have been closed, and begun anew, before we opened it. */
		later = next_closed(r, &number);
		if (rc < 0 || !later)
			return rc;
	}
}

int reader_open(const char *path, struct reader **ret, struct diag *reterr_diag)
{
	_cleanup_(reader_closep) struct reader *r = calloc(1, sizeof(*r));
	int rc;

	if (!r)
		return -ENOMEM;
	r->line = STRBUF_INIT(READER_LINE_MAX);
	r->path = strdup(path);
	if (!r->path)
		return -ENOMEM;
	rc = open_next(r, reterr_diag);
	if (rc < 0)
		return rc;
	*ret = TAKE_PTR(r);
	return 0;
}

struct reader *reader_close(struct reader *r)
{
	if (!r)
		return NULL;
	stream_close(r->stream);
	free(r->path);
	free(r->file);
	json_decref(r->root);
	strbuf_fini(&r->line);
	free(r);
	return NULL;
}

void reader_closep(struct reader **r)
{
	*r = reader_close(*r);
}

static int damaged(struct reader_line *line, const char *why)
{
	(void)snprintf(line->why, sizeof(line->why), "%s", why);
	return READER_DAMAGED;
}

/* Is it a record that this version can read? */
static int check_root(struct reader_line *line)
{
	const json_t *v = json_object_get(line->root, "v");

	if (!json_is_integer(v) || !json_is_string(json_object_get(line->root, "event")))
		return damaged(line, "is not a record of Holdfast");
	if (json_integer_value(v) < AUDIT_VERSION_OLDEST || json_integer_value(v) > AUDIT_VERSION) {
		(void)snprintf(line->why, sizeof(line->why),
			       "is of version %lld; this holdfast reads versions %d to %d",
			       (long long)json_integer_value(v), AUDIT_VERSION_OLDEST,
			       AUDIT_VERSION);
		return READER_DAMAGED;
	}
	if (clock_parse_rfc3339(reader_word(line->root, "time"), &line->time_ns) < 0)
		return damaged(line, "has no valid time");
	return READER_LINE;
}

int reader_parse(struct bytes text, struct reader_line *ret)
{
	json_error_t error;

	/* NULs: a path cannot hold one, an abstract socket's name can. */
	ret->root = json_loadb(text.p, text.len, JSON_ALLOW_NUL, &error);
	ret->text = text;
	if (!ret->root) {
		(void)snprintf(ret->why, sizeof(ret->why), "is not JSON (column %d): %s",
			       error.column, error.text);
		return READER_DAMAGED;
	}
	return check_root(ret);
}

static int parse_line(struct reader *r, struct bytes text, struct reader_line *ret)
{
	int status;

	json_decref(r->root);
	status = reader_parse(text, ret);
	r->root = ret->root;
	return status;
}

/* Return: 1, 0 at the end of what is open, -errno. */
static int fill_chunk(struct reader *r)
{
	ssize_t n;

	/* The next file could not be opened; that was told, and asking again changes nothing. */
	if (!r->stream)
		return -EIO;
	n = stream_read(r->stream, r->chunk, sizeof(r->chunk));
	if (n < 0)
		return (int)n;
	r->start = 0;
	r->end = (size_t)n;
	return n > 0;
}

/* At the end of what is open: goes on to the next file. The log itself has become a closed file
 * when its name is another file's. Return: 1, 0 there is no next one, -errno. */
static int next_file(struct reader *r)
{
	int rc;

	if (!r->is_last_open) {
		rc = open_next(r, NULL);
		return rc < 0 ? rc : 1;
	}
	if (!stream_is_replaced(r->stream, r->path))
		return 0;
	/* What was written between our last look and the renaming. */
	rc = fill_chunk(r);
	if (rc)
		return rc;
	r->last++; /* the number that our file got */
	rc = open_next(r, NULL);
	return rc < 0 ? rc : 1;
}

/* Moves what is left of the chunk to the line that it begins. */
static int keep_rest(struct reader *r, size_t len)
{
	if (!r->is_skipping)
		strbuf_add(&r->line, r->chunk + r->start, len);
	r->start += len;
	if (strbuf_error(&r->line) == -ENOMEM)
		return -ENOMEM;
	if (strbuf_error(&r->line))
		r->is_skipping = true;
	return 0;
}

/* The line ends at @len bytes from the start of the chunk's rest. */
static int end_line(struct reader *r, size_t len, struct reader_line *ret)
{
	struct bytes text = {.p = r->chunk + r->start, .len = len};
	int rc;

	*ret = (struct reader_line){.number = ++r->number, .file = r->file};
	if (r->line.len || r->is_skipping) {
		rc = keep_rest(r, len);
		if (rc < 0)
			return rc;
		text = strbuf_bytes(&r->line);
		r->is_line_done = true;
	} else {
		r->start += len;
	}
	r->start++;
	if (r->is_skipping) {
		r->is_skipping = false;
		return damaged(ret, "is too long");
	}
	ret->text = text;
	return r->is_raw ? READER_LINE : parse_line(r, text, ret);
}

void reader_set_raw(struct reader *r)
{
	r->is_raw = true;
}

/* At the end of a file in the middle of a line: nothing, unless another file follows. */
static int end_half_line(struct reader *r, struct reader_line *ret)
{
	uint64_t number = r->number + 1;
	int rc;

	r->has_changed = false;
	rc = next_file(r);
	if (rc < 0)
		return rc;
	if (!r->has_changed) {
		/* The rest of the line may have come meanwhile: the caller asks again. */
		return rc ? reader_next(r, ret) : READER_END;
	}
	strbuf_reset(&r->line);
	r->is_skipping = false;
	*ret = (struct reader_line){.number = number, .file = r->file};
	return damaged(ret, "is cut off before its end");
}

int reader_next(struct reader *r, struct reader_line *ret)
{
	int rc;

	if (r->is_line_done)
		strbuf_reset(&r->line);
	r->is_line_done = false;
	json_decref(r->root);
	r->root = NULL;
	for (;;) {
		size_t left = r->end - r->start;
		const char *newline = memchr(r->chunk + r->start, '\n', left);

		if (newline)
			return end_line(r, (size_t)(newline - (r->chunk + r->start)), ret);
		rc = keep_rest(r, left);
		if (rc == 0)
			rc = fill_chunk(r);
		if (rc == 0 && (r->line.len || r->is_skipping))
			return end_half_line(r, ret);
		if (rc == 0)
			rc = next_file(r);
		if (rc <= 0)
			return rc; /* READER_END is 0 */
	}
}

bool reader_has_half_line(const struct reader *r, struct reader_line *ret)
{
	if (!r->line.len && !r->is_skipping)
		return false;
	*ret = (struct reader_line){.number = r->number + 1, .file = r->file};
	(void)damaged(ret, "is cut off before its end");
	return true;
}

void reader_decode(const json_t *string, struct strbuf *out)
{
	escape_json_decode(out, (struct bytes){.p = json_string_value(string),
					       .len = json_string_length(string)});
}

bool reader_string(const json_t *object, const char *key, struct strbuf *out)
{
	const json_t *s = json_object_get(object, key);

	if (!json_is_string(s))
		return false;
	reader_decode(s, out);
	return true;
}

const char *reader_word(const json_t *object, const char *key)
{
	const char *s = json_string_value(json_object_get(object, key));

	return s ? s : "";
}

uint64_t reader_u64(const json_t *object, const char *key)
{
	json_int_t v = json_integer_value(json_object_get(object, key));

	return v > 0 ? (uint64_t)v : 0;
}

bool reader_matches(const struct reader_filter *f, const struct reader_line *line)
{
	enum action_kind kind;
	enum verdict verdict;

	if (line->time_ns < f->since_ns)
		return false;
	if (f->verdicts &&
	    (verdict_parse(bytes_of(reader_word(line->root, "verdict")), &verdict) < 0 ||
	     !(f->verdicts & 1U << verdict)))
		return false;
	return !f->kinds || (kind_parse(bytes_of(reader_word(line->root, "kind")), &kind) == 0 &&
			     (f->kinds & 1U << kind));
}

int reader_parse_since(const char *s, uint64_t now_ns, uint64_t *ret)
{
	static const struct {
		char unit;
		uint64_t seconds;
	} units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}};
	size_t digits = strspn(s, "0123456789");
	uint64_t n;

	for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
		uint64_t ago;

		if (s[digits] != units[i].unit || s[digits + 1] != '\0')
			continue;
		if (parse_u64((struct bytes){.p = s, .len = digits}, UINT64_MAX, &n) < 0 ||
		    __builtin_mul_overflow(n, units[i].seconds * NS_PER_SEC, &ago))
			return -EINVAL;
		*ret = ago < now_ns ? now_ns - ago : 0;
		return 0;
	}
	return clock_parse_rfc3339(s, ret);
}
