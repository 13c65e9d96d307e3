/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reading a log: line by line in bounded memory, each line checked, so that a damaged one is told
 * and the rest still shown. What a line says is as untrusted as the agent that it is about: take
 * strings with reader_string(), which undoes the log's escapes, and escape them for where they go.
 */
#pragma once

#include <jansson.h>

#include "base/diag.h"
#include "base/strbuf.h"
#include "policy/vocab.h"

#define READER_LINE_MAX ((size_t)2 << 20)

struct reader;

struct reader_line {
	struct bytes text; /* without the newline; valid until the next call */
	json_t *root;    /* an object with "v", "event" and "time"; borrowed, until the next call */
	uint64_t number; /* from 1, in its file */
	const char *file; /* which of the log's files it is in; borrowed, until the next call */
	uint64_t time_ns;
	char why[256]; /* READER_DAMAGED: what is wrong */
};

enum {
	READER_END,
	READER_LINE,
	READER_DAMAGED, /* only number and why are set */
};

/*
 * Opens the log @path together with the closed files that it was before, FILE.1, FILE.2.zst, ...:
 * they are read first, in their order; and a log that becomes a closed file while it is read is
 * read on in the new one. Return: 0, -errno with @reterr_diag.
 */
int reader_open(const char *path, struct reader **ret, struct diag *reterr_diag);
struct reader *reader_close(struct reader *r);
void reader_closep(struct reader **r);
/* Return: READER_*; after READER_END more may come if the file grows; -errno. */
int reader_next(struct reader *r, struct reader_line *ret);
/* Reads one line that the caller holds, as reader_next() would; @ret's root is the caller's, who
 * ends it with json_decref(). Return: READER_LINE, READER_DAMAGED (the root may be NULL). */
int reader_parse(struct bytes text, struct reader_line *ret);
/* From now on lines come unparsed: `root` is NULL, `time_ns` 0; READER_DAMAGED is only too long a
 * line. */
void reader_set_raw(struct reader *r);
/* At the end: is there the beginning of a line without its end? Sets @ret's number and why. */
bool reader_has_half_line(const struct reader *r, struct reader_line *ret);

/* Appends the bytes of the string at @key to @out. Return: false, nothing: there is no string. */
bool reader_string(const json_t *object, const char *key, struct strbuf *out);
/* The same for one string. */
void reader_decode(const json_t *string, struct strbuf *out);
/* A plain word of ours ("event", "verdict", ...), "" when it is not there. Borrowed. */
const char *reader_word(const json_t *object, const char *key);
/* A number >= 0; 0 when it is not there. */
uint64_t reader_u64(const json_t *object, const char *key);

struct reader_filter {
	unsigned int verdicts; /* 1 << enum verdict; 0: all */
	unsigned int kinds;    /* 1 << enum action_kind; 0: all */
	uint64_t since_ns;     /* realtime */
};

bool reader_matches(const struct reader_filter *f, const struct reader_line *line);
/* Reads RFC 3339, or 10s, 5m, 2h, 1d before @now_ns. Return: 0, -EINVAL. */
int reader_parse_since(const char *s, uint64_t now_ns, uint64_t *ret);
