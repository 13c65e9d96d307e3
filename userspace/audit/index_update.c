/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bringing the index up to date: what a log has grown by is cut into blocks. A log whose first or
 * last indexed line is not what it was, or that has shrunk, is indexed anew.
 */
#include <stdio.h>

#include "audit/reader.h"

#include "audit/index_private.h"

/* More bytes than this to read: say so. */
#define UPDATE_TELL_BYTES (UINT64_C(512) << 20)
#define LINE_BYTES_MAX    (READER_LINE_MAX + 1)

struct update {
	struct index *ix;
	struct known_file *file;
	struct rawlog *lines;
	struct block_builder *builder;
	struct scanner scanner;
	struct strbuf mem; /* of scan_root(), and of a line */
	uint64_t pending;  /* where the unfinished block begins in file.n_blocks */
};

struct known_file *logindex_known(const struct index *ix, const char *path)
{
	for (size_t i = 0; i < ix->n_files; i++)
		if (streq(ix->files[i].path, path))
			return &ix->files[i];
	return NULL;
}

/* A hash of the line at @offset with its newline; too long ones are known by their length. */
static int hash_line(struct update *u, uint64_t offset, uint64_t end, uint64_t *ret)
{
	struct strbuf sealed = STRBUF_INIT(LINE_BYTES_MAX + 64);
	int r;

	*ret = end - offset;
	if (end - offset > LINE_BYTES_MAX)
		return 0;
	r = rawlog_read(u->lines, offset, (size_t)(end - offset), &u->mem);
	if (r < 0)
		return r;
	block_seal(strbuf_bytes(&u->mem), &sealed);
	r = strbuf_error(&sealed);
	if (r == 0)
		memcpy(ret, sealed.p, sizeof(*ret));
	strbuf_fini(&sealed);
	return r;
}

static bool is_same_line(struct update *u, uint64_t offset, uint64_t end, uint64_t hash)
{
	uint64_t now;

	return hash_line(u, offset, end, &now) == 0 && now == hash;
}

/* Is what was indexed still in the file? */
static bool is_same_log(struct update *u, const struct rawlog_identity *id)
{
	const struct stored_file *s = &u->file->stored;

	if (s->device != id->device || s->inode != id->inode)
		return false;
	/* A compressed log is never written again. */
	if (rawlog_is_packed(u->lines))
		return s->size == id->size;
	return s->end <= id->size &&
	       (!s->end || (is_same_line(u, 0, s->first_end, s->first_hash) &&
			    is_same_line(u, s->last_offset, s->end, s->last_hash)));
}

static int put_part(void *ctx, unsigned int part, struct bytes data)
{
	struct update *u = ctx;

	return store_put(u->ix, u->file->id, u->pending, part, data);
}

static int finish_block(struct update *u)
{
	int r;

	if (!block_n_lines(u->builder))
		return 0;
	r = block_finish(u->builder, put_part, u);
	if (r == 0)
		u->file->stored.n_blocks = ++u->pending;
	return r;
}

/* Asks the library about a line of which the scanner is not sure. */
static int add_unsure(struct update *u, const struct raw_line *raw)
{
	struct reader_line line = {};
	struct scan scan;
	bool is_record;
	int r = 0;

	is_record = !raw->is_too_long && reader_parse(raw->text, &line) == READER_LINE;
	if (is_record)
		r = scan_root(line.root, line.time_ns, &u->mem, &scan);
	if (r == 0)
		r = block_add(u->builder, raw, is_record ? &scan : NULL);
	json_decref(line.root);
	return r;
}

static int add_lines(struct update *u)
{
	struct stored_file *s = &u->file->stored;
	struct raw_line raw;
	struct scan scan;
	int r;

	while ((r = rawlog_next(u->lines, &raw)) > 0) {
		if (!raw.is_too_long && scan_line(&u->scanner, raw.text, &scan))
			r = block_add(u->builder, &raw, &scan);
		else
			r = add_unsure(u, &raw);
		if (r == 0 && block_is_full(u->builder))
			r = finish_block(u);
		if (r)
			return r;
		if (raw.number == 1)
			s->first_end = raw.end;
		s->last_offset = raw.offset;
		s->end = raw.end;
		s->n_lines = raw.number;
	}
	return r < 0 ? r : finish_block(u);
}

/* The last block is made again when there is room in it, lest each look leave a small one. */
static int reopen_last_block(struct update *u)
{
	struct stored_file *s = &u->file->stored;
	struct block_head head;
	struct bytes data;
	int r;

	u->pending = s->n_blocks;
	if (!s->n_blocks)
		return 0;
	r = store_get(u->ix, u->file->id, s->n_blocks - 1, BLOCK_HEAD, &u->mem, &data);
	if (r)
		return r;
	if (block_read_head(data, &head) < 0 || head.end != s->end)
		return INDEX_E_DAMAGED;
	if (head.n_lines == BLOCK_LINES || head.end - head.start >= BLOCK_BYTES)
		return 0;
	u->pending--;
	s->end = head.start;
	s->n_lines = head.first_line - 1;
	return store_cut(u->ix, u->file->id, u->pending);
}

static int grow_file(struct update *u, const struct rawlog_identity *id)
{
	struct stored_file *s = &u->file->stored;
	int r;

	r = reopen_last_block(u);
	if (r == 0)
		r = rawlog_seek(u->lines, s->end, s->n_lines + 1);
	if (r == 0)
		r = add_lines(u);
	s->is_cut = rawlog_has_half_line(u->lines);
	if (r == 0 && s->end && !rawlog_is_packed(u->lines)) {
		r = hash_line(u, 0, s->first_end, &s->first_hash);
		if (r == 0)
			r = hash_line(u, s->last_offset, s->end, &s->last_hash);
	}
	if (r)
		return r;
	s->device = id->device;
	s->inode = id->inode;
	/* As it was when it was opened: what came since is looked for the next time. */
	s->size = id->size;
	return store_put_file(u->ix, u->file);
}

static int forget(struct index *ix, struct known_file *f)
{
	return f ? store_cut_file(ix, f) : 0;
}

/* The entry of the file, which may have been renamed; a new one when there is none. */
static int find_entry(struct update *u, const char *path, const struct rawlog_identity *id)
{
	struct index *ix = u->ix;
	struct known_file *files;
	int64_t last = 0;
	int r;

	u->file = logindex_known(ix, path);
	if (u->file && u->file->stored.device == id->device && u->file->stored.inode == id->inode)
		return 0;
	r = forget(ix, u->file);
	if (r)
		return r;
	for (size_t i = 0; i < ix->n_files; i++) {
		struct known_file *f = &ix->files[i];
		char *copy;

		last = MAX(last, f->id);
		if (f->stored.device != id->device || f->stored.inode != id->inode)
			continue;
		copy = strdup(path);
		if (!copy)
			return -ENOMEM;
		free(f->path);
		f->path = copy;
		u->file = f;
		return store_put_file(ix, f);
	}
	if (last == INT32_MAX)
		return INDEX_E_DAMAGED; /* begin anew, with small numbers */
	files = reallocarray(ix->files, ix->n_files + 1, sizeof(*files));
	if (!files)
		return -ENOMEM;
	ix->files = files;
	u->file = &files[ix->n_files];
	*u->file = (struct known_file){.id = last + 1, .path = strdup(path)};
	if (!u->file->path)
		return -ENOMEM;
	ix->n_files++;
	return 0;
}

static int update_file(struct update *u, struct index_file *file, struct diag *reterr_diag)
{
	struct rawlog_identity id;
	struct stored_file *s;
	int r;

	r = rawlog_open(file->path, &u->lines, reterr_diag);
	if (r < 0)
		return r;
	r = rawlog_identify(u->lines, &id);
	if (r == 0)
		r = find_entry(u, file->path, &id);
	if (r)
		return r;
	s = &u->file->stored;
	if (!is_same_log(u, &id)) {
		*s = (struct stored_file){};
		r = store_cut(u->ix, u->file->id, 0);
	}
	if (r)
		return r;
	if (s->size == id.size && s->device)
		r = 0; /* nothing is new */
	else
		r = grow_file(u, &id);
	file->has_half_line = s->is_cut;
	file->end = s->end;
	file->n_lines = s->n_lines;
	return r;
}

/* Logs that are gone leave the index, too. */
static int forget_missing(struct index *ix)
{
	int r = 0;

	for (size_t i = ix->n_files; r == 0 && i-- > 0;)
		if (access(ix->files[i].path, F_OK) < 0 && errno == ENOENT)
			r = forget(ix, &ix->files[i]);
	return r;
}

static void tell_size(const struct index *ix, const struct index_file *files, size_t n_files)
{
	uint64_t bytes = 0;
	char text[128];

	for (size_t i = 0; i < n_files; i++) {
		const struct known_file *known = logindex_known(ix, files[i].path);
		struct rawlog_identity id = {};

		if (rawlog_identify_path(files[i].path, &id) == 0 &&
		    (!known || known->stored.end < id.size))
			bytes += id.size - (known ? known->stored.end : 0);
	}
	if (bytes < UPDATE_TELL_BYTES || !ix->config->tell)
		return;
	(void)snprintf(text, sizeof(text), "indexing %.1f GB of logs; the next question is quick",
		       (double)bytes / 1e9);
	ix->config->tell(ix->config->ctx, text);
}

int logindex_update(struct index *ix, struct index_file *files, size_t n_files,
		    struct diag *reterr_diag)
{
	struct update u = {.ix = ix, .mem = STRBUF_INIT(READER_LINE_MAX * 8)};
	int r;

	r = block_builder_new(&u.builder);
	if (r == 0)
		r = store_begin(ix);
	if (r == 0)
		r = forget_missing(ix);
	tell_size(ix, files, n_files);
	for (size_t i = 0; r == 0 && i < n_files; i++) {
		r = update_file(&u, &files[i], reterr_diag);
		u.lines = rawlog_close(u.lines);
	}
	if (r == 0)
		r = store_end(ix);
	block_builder_free(u.builder);
	strbuf_fini(&u.mem);
	return r;
}
