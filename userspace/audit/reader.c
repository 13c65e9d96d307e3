/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "audit/record.h"
#include "base/clock.h"
#include "base/escape.h"
#include "base/io.h"

#include "audit/reader.h"

#define READER_CHUNK_BYTES ((size_t)64 * 1024)

struct reader {
	int fd;
	uint64_t number;
	json_t *root;
	struct strbuf line; /* what of the current line is not in the chunk any more */
	bool is_skipping;   /* the current line is longer than READER_LINE_MAX */
	bool is_raw;
	bool is_line_done; /* `line` holds the line that was returned last */
	size_t start, end; /* of what is left of the chunk */
	char chunk[READER_CHUNK_BYTES];
};

int reader_open(const char *path, struct reader **ret, struct diag *reterr_diag)
{
	_cleanup_(fd_closep) int fd = -1;
	struct reader *r;
	struct stat st;

	fd = open(path, O_RDONLY | O_NOCTTY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st) < 0) {
		int saved = errno;

		(void)diag_set(reterr_diag, NULL, 0, 0, "cannot read the log '%s': %s", path,
			       strerror(saved));
		return -saved;
	}
	if (S_ISDIR(st.st_mode)) {
		(void)diag_set(reterr_diag, NULL, 0, 0,
			       "'%s' is a directory; name a log file in it", path);
		return -EISDIR;
	}
	r = calloc(1, sizeof(*r));
	if (!r)
		return -ENOMEM;
	r->fd = TAKE_FD(fd);
	r->line = STRBUF_INIT(READER_LINE_MAX);
	*ret = r;
	return 0;
}

struct reader *reader_close(struct reader *r)
{
	if (!r)
		return NULL;
	(void)fd_close(r->fd);
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
	if (json_integer_value(v) != AUDIT_VERSION) {
		(void)snprintf(line->why, sizeof(line->why),
			       "is of version %lld; this holdfast reads version %d",
			       (long long)json_integer_value(v), AUDIT_VERSION);
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

static int fill_chunk(struct reader *r)
{
	ssize_t n;

	do
		n = read(r->fd, r->chunk, sizeof(r->chunk));
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	r->start = 0;
	r->end = (size_t)n;
	return n > 0;
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

	*ret = (struct reader_line){.number = ++r->number};
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
		if (rc <= 0)
			return rc; /* READER_END is 0 */
	}
}

bool reader_has_half_line(const struct reader *r, struct reader_line *ret)
{
	if (!r->line.len && !r->is_skipping)
		return false;
	*ret = (struct reader_line){.number = r->number + 1};
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
