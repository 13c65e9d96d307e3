/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/lines.h"
#include "audit/stream.h"

#define LINES_CHUNK_BYTES ((size_t)256 * 1024)

struct walk {
	struct chain *chain;
	struct strbuf head; /* of the current line, as far as it is not in the chunk */
	uint64_t length;    /* of the current line, before the chunk */
	struct lines_line line;
	int (*each)(const struct lines_line *line, void *arg);
	void *arg;
};

/* A part of the current line that its end does not follow. */
static int keep(struct walk *w, struct bytes piece)
{
	int r = 0;

	if (w->length == 0)
		r = chain_begin(w->chain);
	if (r == 0)
		r = chain_add(w->chain, piece);
	if (w->head.len < LINES_LINE_MAX)
		strbuf_add(&w->head, piece.p, MIN(piece.len, LINES_LINE_MAX - w->head.len));
	w->length += piece.len;
	return r < 0 ? r : strbuf_error(&w->head);
}

/* The end of the current line, of which @piece is the rest. */
static int end(struct walk *w, struct bytes piece)
{
	uint64_t length = w->length + piece.len;
	int r;

	if (w->length == 0) {
		w->line.text = piece;
		r = chain_hash(w->chain, piece, &w->line.hash);
	} else {
		r = keep(w, piece);
		if (r == 0)
			r = chain_end(w->chain, &w->line.hash);
		w->line.text = strbuf_bytes(&w->head);
	}
	if (r < 0)
		return r;
	w->line.number++;
	w->line.is_too_long = length > LINES_LINE_MAX;
	w->line.text.len = MIN(w->line.text.len, LINES_LINE_MAX);
	r = w->each(&w->line, w->arg);
	w->line.offset += length + 1;
	w->length = 0;
	strbuf_reset(&w->head);
	return r;
}

static int add_chunk(struct walk *w, struct bytes chunk)
{
	const char *newline;
	int r;

	while (chunk.len && (newline = memchr(chunk.p, '\n', chunk.len))) {
		size_t len = (size_t)(newline - chunk.p);

		r = end(w, (struct bytes){.p = chunk.p, .len = len});
		if (r)
			return r;
		chunk = (struct bytes){.p = newline + 1, .len = chunk.len - len - 1};
	}
	return chunk.len ? keep(w, chunk) : 0;
}

static int walk(struct walk *w, struct stream *s)
{
	_cleanup_(freep) char *chunk = malloc(LINES_CHUNK_BYTES);
	ssize_t n;
	int r;

	if (!chunk)
		return -ENOMEM;
	while ((n = stream_read(s, chunk, LINES_CHUNK_BYTES)) > 0) {
		r = add_chunk(w, (struct bytes){.p = chunk, .len = (size_t)n});
		if (r)
			return r;
	}
	if (n < 0)
		return (int)n;
	w->line.is_half = true;
	return w->length ? end(w, (struct bytes){.p = chunk, .len = 0}) : 0;
}

int lines_walk(const char *path, int (*each)(const struct lines_line *line, void *arg), void *arg,
	       struct diag *reterr_diag)
{
	_cleanup_(stream_closep) struct stream *s = NULL;
	_cleanup_(chain_freep) struct chain *chain = NULL;
	struct walk w = {.head = STRBUF_INIT(LINES_LINE_MAX), .each = each, .arg = arg};
	int r;

	r = stream_open(path, &s, reterr_diag);
	if (r < 0)
		return r;
	r = chain_new(&chain);
	w.chain = chain;
	if (r == 0)
		r = walk(&w, s);
	strbuf_fini(&w.head);
	if (r < 0)
		(void)diag_set(reterr_diag, NULL, 0, 0, "cannot read the log '%s': %s", path,
			       stream_error(r));
	return r;
}
