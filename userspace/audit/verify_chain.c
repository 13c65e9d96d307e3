/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the chain is broken, the line that a `prev` names is looked for in the whole log: whether
 * it is there, and where, says what was done. Only a log that is broken pays for this second walk.
 */
#include <inttypes.h>

#include "audit/verify_private.h"

#define CHAIN_LINES_MAX ((size_t)20000000)

/* One line, by the first half of its hash. */
struct known {
	char hash[16];
	uint64_t index;
};

struct index {
	struct known *v;
	size_t n, cap;
};

static int collect(const struct lines_line *line, void *arg)
{
	struct index *x = arg;

	if (x->n == CHAIN_LINES_MAX)
		return 1;
	if (x->n == x->cap) {
		size_t cap = x->cap ? 2 * x->cap : 1024;
		struct known *v = reallocarray(x->v, cap, sizeof(*v));

		if (!v)
			return -ENOMEM;
		x->v = v;
		x->cap = cap;
	}
	x->v[x->n].index = x->n;
	memcpy(x->v[x->n++].hash, line->hash.hex, sizeof(x->v->hash));
	return 0;
}

static int compare(const void *a, const void *b)
{
	const struct known *x = a, *y = b;
	int r = memcmp(x->hash, y->hash, sizeof(x->hash));

	if (r)
		return r;
	return x->index < y->index ? -1 : x->index > y->index;
}

static const struct known *find(const struct index *x, const struct chain_link *link)
{
	size_t low = 0, high = x->n;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int r = memcmp(x->v[middle].hash, link->hex, sizeof(x->v->hash));

		if (r == 0)
			return &x->v[middle];
		if (r < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return NULL;
}

static void explain_unknown(struct verify *v, const struct verify_break *b)
{
	if (b->seq_before && b->seq > b->seq_before + 1)
		verify_tell(v, VERIFY_REMOVED, b->line,
			    "lines before this one were removed: seq goes from %" PRIu64
			    " to %" PRIu64,
			    b->seq_before, b->seq);
	else if (b->line == 1)
		verify_tell(v, VERIFY_REMOVED, 1,
			    "lines before this one were removed: it is not the first of its file, "
			    "or the end of the file before was changed");
	else if (b->seq_before && b->seq == b->seq_before + 1)
		verify_tell(v, VERIFY_EDITED, b->line - 1,
			    "was changed: its hash is not the prev of line %" PRIu64, b->line);
	else
		verify_tell(v, VERIFY_EDITED, b->line - 1,
			    "was changed, or lines between it and line %" PRIu64
			    " were removed: its hash is not that line's prev",
			    b->line);
}

static void explain(struct verify *v, const struct index *x, const struct verify_break *b)
{
	const struct known *k = find(x, &b->prev);

	v->file = b->file;
	if (chain_eq(&b->prev, &chain_first) && b->line > 1) {
		verify_tell(v, VERIFY_INSERTED, b->line,
			    "was the first line of a file; the lines before it were put there, or "
			    "it was moved");
	} else if (!k) {
		explain_unknown(v, b);
	} else if (k->index >= b->index) {
		verify_tell(v, VERIFY_REORDERED, b->line,
			    "stands before the line that it followed: lines were moved");
	} else if (b->line > b->index - k->index) {
		uint64_t first = b->line - (b->index - k->index) + 1;

		verify_tell(v, VERIFY_INSERTED, first,
			    "%s%" PRIu64 " %s put here, or moved: line %" PRIu64
			    " followed line %" PRIu64,
			    first == b->line - 1 ? "line " : "this and the lines to ", b->line - 1,
			    first == b->line - 1 ? "was" : "were", b->line, first - 1);
	} else {
		verify_tell(v, VERIFY_REORDERED, b->line,
			    "followed a line of another file: lines were put between, or moved");
	}
}

int verify_explain_breaks(struct verify *v, struct diag *reterr_diag)
{
	struct index x = {};
	int r = 0;

	for (size_t i = 0; r == 0 && i < v->n_files; i++)
		r = lines_walk(v->files[i], collect, &x, reterr_diag);
	if (r >= 0) {
		if (x.n)
			qsort(x.v, x.n, sizeof(*x.v), compare);
		for (size_t i = 0; i < v->n_breaks; i++)
			explain(v, &x, &v->breaks[i]);
		r = 0;
	}
	free(x.v);
	return r;
}
