/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Questions without an index: every line is scanned. What the index answers is tested against this.
 */
#include <stdio.h>

#include "audit/reader.h"
#include "audit/stream.h"

#include "audit/index_private.h"

struct reading {
	struct query *query;
	struct hits *hits;
	struct scanner scanner;
	struct strbuf mem;
};

/* More than this beyond the limit: the oldest go. */
#define SPARE ((size_t)4096)

/* Keeps the newest h->max records, and all damaged lines. */
static void drop_oldest(struct hits *h)
{
	size_t n = 0;

	for (size_t i = 0; i < h->n; i++) {
		if (!h->list[i].is_damaged && h->n_meant > h->max)
			h->n_meant--;
		else
			h->list[n++] = h->list[i];
	}
	h->n = n;
}

static int keep(struct hits *h, struct hit hit)
{
	if (h->max && !h->is_newest && !hit.is_damaged && h->n_meant == h->max)
		return INDEX_E_MANY;
	if (h->max && h->is_newest && h->n_meant >= h->max + MAX(h->max, SPARE))
		drop_oldest(h);
	h->n_meant += !hit.is_damaged;
	return hits_add(h, hit);
}

static int learn_line(struct reading *x, const struct scan *scan)
{
	return query_learn(x->query, scan->texts[SCAN_SESSION], scan->pid, scan->ppid);
}

static int read_line(struct reading *x, const struct raw_line *raw, uint32_t file, bool is_learning)
{
	struct reader_line line = {};
	struct scan scan;
	bool is_record = false, is_meant = false;
	int r = 0;

	if (!raw->is_too_long) {
		is_record = scan_line(&x->scanner, raw->text, &scan);
		if (!is_record && reader_parse(raw->text, &line) == READER_LINE) {
			r = scan_root(line.root, line.time_ns, &x->mem, &scan);
			is_record = true;
		}
	}
	if (r == 0 && is_record && is_learning)
		r = learn_line(x, &scan);
	else if (r == 0 && is_record)
		is_meant = query_matches(x->query, &scan, line.root);
	json_decref(line.root);
	if (r < 0 || is_learning || (is_record && !is_meant))
		return r;
	return keep(x->hits, (struct hit){.offset = raw->offset,
					  .number = raw->number,
					  .length = (uint32_t)MIN(raw->end - raw->offset - 1,
								  (uint64_t)READER_LINE_MAX + 1),
					  .file = file & INT32_MAX,
					  .is_damaged = !is_record});
}

static int read_file(struct reading *x, struct index_file *file, uint32_t number, bool is_learning,
		     struct diag *reterr_diag)
{
	_cleanup_(rawlog_closep) struct rawlog *lines = NULL;
	struct raw_line raw;
	int r;

	r = rawlog_open(file->path, &lines, reterr_diag);
	while (r == 0) {
		r = rawlog_next(lines, &raw);
		if (r <= 0)
			break;
		r = read_line(x, &raw, number, is_learning);
		file->end = raw.end;
		file->n_lines = raw.number;
	}
	if (r == 0)
		file->has_half_line = rawlog_has_half_line(lines);
	if (r < 0 && lines)
		(void)diag_set(reterr_diag, NULL, 0, 0, "cannot read the log '%s': %s", file->path,
			       stream_error(r));
	return r;
}

int logindex_scan(struct index_file *files, size_t n_files, struct query *q, struct hits *hits,
		  struct diag *reterr_diag)
{
	struct reading x = {.query = q, .hits = hits, .mem = STRBUF_INIT(READER_LINE_MAX * 8)};
	int r = 0;

	hits->n = hits->n_meant = 0;
	for (size_t i = 0; r == 0 && query_needs_processes(q) && i < n_files; i++)
		r = read_file(&x, &files[i], (uint32_t)i, true, reterr_diag);
	if (r == 0 && query_needs_processes(q))
		query_learn_done(q);
	for (size_t i = 0; r == 0 && i < n_files; i++)
		r = read_file(&x, &files[i], (uint32_t)i, false, reterr_diag);
	if (hits->max && hits->is_newest)
		drop_oldest(hits);
	if (hits->is_backwards)
		hits_reverse(hits);
	strbuf_fini(&x.mem);
	return r;
}
