/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a question to the places of lines: block by block, first what the head tells, then the
 * columns that the question is about, cheapest first, until no line is left. Each string of a
 * dictionary is looked at once at most, however many lines have it.
 */
#include "audit/reader.h"

#include "audit/index_private.h"

struct search {
	struct index *ix;
	struct query *query;
	struct hits *hits;
	struct rawlog *lines; /* of the file at hand; opened when a line has to be read */
	const char *path;
	const struct known_file *file;
	uint32_t number; /* of the file */
	struct block_head head;
	uint64_t block;
	struct strbuf part, parts[2], scratch, line;
	struct block_dictionary dictionaries[2]; /* BLOCK_DICTIONARY, BLOCK_WIDE */
	bool has_dictionary[2], has_grams;
	uint8_t grams[BLOCK_GRAMS_BYTES];
	uint8_t words[4][BLOCK_LINES]; /* kind, op, verdict, flags */
	uint8_t chosen[BLOCK_LINES];
	uint8_t found[BLOCK_LINES]; /* by the clause at hand */
	/* by the number of an entry, of which there are up to so many in each dictionary */
	uint8_t known[_QUERY_CLAUSE_MAX][2][(size_t)BLOCK_LINES * _SCAN_TEXT_MAX + 1];
};

enum {
	UNKNOWN,
	NO,
	YES
};

static int get_part(struct search *s, unsigned int part, size_t size, struct strbuf *out,
		    struct bytes *ret)
{
	int r = store_get(s->ix, s->file->id, s->block, part, out, ret);

	if (r == 0 && size && ret->len != size)
		r = INDEX_E_DAMAGED;
	return r;
}

static int get_dictionary(struct search *s, bool is_wide)
{
	struct block_dictionary *d = &s->dictionaries[is_wide];
	struct bytes data;
	int r;

	if (s->has_dictionary[is_wide])
		return 0;
	r = get_part(s, is_wide ? BLOCK_WIDE : BLOCK_DICTIONARY, 0, &s->parts[is_wide], &data);
	if (r)
		return r;
	if (block_read_dictionary(data, d) < 0)
		return INDEX_E_DAMAGED;
	for (int c = 0; c < _QUERY_CLAUSE_MAX; c++)
		if (query_has(s->query, (enum query_clause)c))
			memset(s->known[c][is_wide], UNKNOWN, d->n + (size_t)1);
	s->has_dictionary[is_wide] = true;
	return 0;
}

static bool grams_have(void *ctx, struct bytes needle)
{
	struct search *s = ctx;

	return block_grams_have(s->grams, needle);
}

/* May a name of a file in this block be what the clause looks for? */
static int may_name(struct search *s, enum query_clause clause, bool *ret)
{
	struct bytes data;
	int r;

	if (!s->has_grams) {
		r = get_part(s, BLOCK_GRAMS, BLOCK_GRAMS_BYTES, &s->scratch, &data);
		if (r)
			return r;
		memcpy(s->grams, data.p, BLOCK_GRAMS_BYTES);
		s->has_grams = true;
	}
	*ret = query_may_name(s->query, clause, grams_have, s);
	return 0;
}

static int get_words(struct search *s)
{
	size_t n = s->head.n_lines;
	struct bytes data;
	int r;

	r = get_part(s, BLOCK_WORDS, n * ARRAY_SIZE(s->words), &s->part, &data);
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(s->words); i++)
		memcpy(s->words[i], data.p + i * n, n);
	return r;
}

/* Sets *@ret to whether entry @id is what the clause looks for. */
static int is_value(struct search *s, enum query_clause clause, enum scan_text text, uint16_t id,
		    bool *ret)
{
	uint16_t number = id & (uint16_t)~BLOCK_ID_WIDE;
	bool is_wide = id & BLOCK_ID_WIDE;
	uint8_t *known;
	int r;

	r = get_dictionary(s, is_wide);
	if (r)
		return r;
	if (number > s->dictionaries[is_wide].n)
		return INDEX_E_DAMAGED;
	/* One answer serves all columns: what is a list of arguments begins with a quote, which no
	 * other text does. */
	known = &s->known[clause][is_wide][number];
	if (*known == UNKNOWN)
		*known = query_value(s->query, clause, text,
				     block_string(&s->dictionaries[is_wide], number))
				 ? YES
				 : NO;
	*ret = *known == YES;
	return 0;
}

/* Marks in s->found what one column has of the clause; without @has_names no name of a file. */
static int find_in_column(struct search *s, enum query_clause clause, enum scan_text text,
			  bool has_names)
{
	uint16_t constant = s->head.constants[text];
	struct bytes data = BYTES_NULL;
	int r = 0;

	if (constant != BLOCK_NOT_CONSTANT &&
	    (!constant || (!has_names && (constant & BLOCK_ID_WIDE))))
		return 0;
	if (constant == BLOCK_NOT_CONSTANT)
		r = get_part(s, BLOCK_TEXTS + text, s->head.n_lines * sizeof(uint16_t), &s->part,
			     &data);
	if (constant != BLOCK_NOT_CONSTANT) {
		bool is = false;

		r = is_value(s, clause, text, constant, &is);
		if (is)
			memset(s->found, 1, s->head.n_lines);
		return r;
	}
	for (size_t i = 0; r == 0 && i < s->head.n_lines; i++) {
		bool is = false;
		uint16_t id;

		if (!s->chosen[i] || s->found[i])
			continue;
		memcpy(&id, data.p + i * sizeof(id), sizeof(id));
		if (id && (has_names || !(id & BLOCK_ID_WIDE)))
			r = is_value(s, clause, text, id, &is);
		s->found[i] = is;
	}
	return r;
}

/* Is the text in the block at all, but for names of files? Spares looking through all columns. */
static int has_text(struct search *s, bool *ret)
{
	bool is_found = false;
	int r;

	r = get_dictionary(s, false);
	for (uint16_t id = 1; r == 0 && !is_found && id <= s->dictionaries[0].n; id++) {
		struct bytes string = block_string(&s->dictionaries[0], id);
		bool is_argv = string.len && string.p[0] == '"';

		r = is_value(s, QUERY_TEXT, is_argv ? SCAN_ARGV : SCAN_OBJECT, id, &is_found);
	}
	*ret = is_found;
	return r;
}

/* Keeps the chosen lines that the clause means. Sets *@ret to whether there are any. */
static int choose_clause(struct search *s, enum query_clause clause, bool *ret)
{
	uint32_t texts = query_texts(clause);
	bool is_any = false, has_names = false, fits[SCAN_NONE + 1] = {};
	int r = 0;

	memset(s->found, 0, s->head.n_lines);
	fits[SCAN_NONE] = query_clause_has_kind(clause, SCAN_NONE);
	for (uint8_t kind = 0; kind < _KIND_MAX; kind++)
		fits[kind] = query_clause_has_kind(clause, kind);
	for (size_t i = 0; i < s->head.n_lines; i++) {
		s->chosen[i] = s->chosen[i] && fits[s->words[0][i]];
		is_any = is_any || s->chosen[i];
		has_names = has_names || (s->chosen[i] && s->words[0][i] == KIND_PATH);
	}
	has_names = has_names && (texts & UINT32_C(1) << SCAN_OBJECT);
	if (has_names)
		r = may_name(s, clause, &has_names);
	if (r == 0 && is_any && clause == QUERY_TEXT && !has_names)
		r = has_text(s, &is_any);
	for (int t = 0; r == 0 && is_any && t < _SCAN_TEXT_MAX; t++)
		if (texts & UINT32_C(1) << t)
			r = find_in_column(s, clause, (enum scan_text)t, has_names);
	is_any = false;
	for (size_t i = 0; i < s->head.n_lines; i++) {
		bool is_open = clause == QUERY_TEXT && (s->words[3][i] & BLOCK_NO_PLAIN);

		/* A line with other strings is read when everything else fits. */
		s->chosen[i] = s->chosen[i] && (s->found[i] || is_open);
		is_any = is_any || s->chosen[i];
	}
	*ret = is_any;
	return r;
}

static bool choose_words(struct search *s)
{
	bool is_any = false;

	for (size_t i = 0; i < s->head.n_lines; i++) {
		s->chosen[i] =
			!(s->words[3][i] & BLOCK_DAMAGED) &&
			query_has_words(s->query, s->words[0][i], s->words[1][i], s->words[2][i]);
		is_any = is_any || s->chosen[i];
	}
	return is_any;
}

static int choose_times(struct search *s)
{
	struct bytes data;
	int r;

	if (query_has_time(s->query, s->head.first_ns, s->head.first_ns) &&
	    query_has_time(s->query, s->head.last_ns, s->head.last_ns))
		return 0;
	r = get_part(s, BLOCK_TIMES, s->head.n_lines * sizeof(uint64_t), &s->part, &data);
	for (size_t i = 0; r == 0 && i < s->head.n_lines; i++) {
		uint64_t ns;

		memcpy(&ns, data.p + i * sizeof(ns), sizeof(ns));
		s->chosen[i] = s->chosen[i] && query_has_time(s->query, ns, ns);
	}
	return r;
}

/* The sessions of the lines: the column itself is borrowed from s->scratch. */
static int choose_pids(struct search *s)
{
	uint16_t constant = s->head.constants[SCAN_SESSION];
	struct bytes pids, sessions = BYTES_NULL;
	int r;

	if (!query_has_pids(s->query))
		return 0;
	r = get_dictionary(s, false);
	if (r == 0)
		r = get_part(s, BLOCK_PIDS, s->head.n_lines * sizeof(uint32_t), &s->part, &pids);
	if (r == 0 && constant == BLOCK_NOT_CONSTANT)
		r = get_part(s, BLOCK_TEXTS + SCAN_SESSION, s->head.n_lines * sizeof(uint16_t),
			     &s->scratch, &sessions);
	for (size_t i = 0; r == 0 && i < s->head.n_lines; i++) {
		uint16_t session = constant;
		uint32_t pid;

		memcpy(&pid, pids.p + i * sizeof(pid), sizeof(pid));
		if (sessions.p)
			memcpy(&session, sessions.p + i * sizeof(session), sizeof(session));
		if (session > s->dictionaries[0].n)
			return INDEX_E_DAMAGED;
		s->chosen[i] = s->chosen[i] &&
			       query_has_process(s->query,
						 block_string(&s->dictionaries[0], session), pid);
	}
	return r;
}

/* Leaves in s->chosen what is meant, and the damaged lines. */
static int choose(struct search *s)
{
	bool is_any;
	int r;

	r = get_words(s);
	if (r)
		return r;
	is_any = choose_words(s);
	if (is_any)
		r = choose_times(s);
	if (r == 0 && is_any)
		r = choose_pids(s);
	for (int c = 0; r == 0 && is_any && c < _QUERY_CLAUSE_MAX; c++)
		if (query_has(s->query, (enum query_clause)c))
			r = choose_clause(s, (enum query_clause)c, &is_any);
	return r;
}

/* A line with strings that the index does not have: read. Return: 1, 0, -errno, INDEX_E_DAMAGED. */
static int is_meant(struct search *s, const struct hit *hit)
{
	struct reader_line line = {};
	struct scan scan;
	int r = 0;

	if (!s->lines)
		r = rawlog_open(s->path, &s->lines, NULL);
	if (r == 0)
		r = rawlog_read(s->lines, hit->offset, hit->length, &s->line);
	if (r < 0)
		return r;
	if (reader_parse(strbuf_bytes(&s->line), &line) == READER_LINE) {
		r = scan_root(line.root, line.time_ns, &s->scratch, &scan);
		if (r == 0)
			r = query_matches(s->query, &scan, line.root);
	} else {
		r = 1; /* it is not what it was: to be told */
	}
	json_decref(line.root);
	return r;
}

static bool has_room(const struct hits *h)
{
	return !h->max || !h->is_newest || h->n_meant < h->max;
}

static int add_hit(struct search *s, const uint32_t *offsets, size_t i)
{
	bool is_last = i + 1 == s->head.n_lines;
	uint64_t end = is_last ? s->head.end : s->head.start + offsets[i + 1];
	struct hit hit = {.offset = s->head.start + offsets[i],
			  .number = s->head.first_line + i,
			  .file = s->number & INT32_MAX};
	bool is_damaged = s->words[3][i] & BLOCK_DAMAGED;
	int r = 1;

	if (hit.offset >= end)
		return INDEX_E_DAMAGED;
	hit.length = (uint32_t)MIN(end - hit.offset - 1, (uint64_t)READER_LINE_MAX + 1);
	if (!is_damaged && (s->words[3][i] & BLOCK_NO_PLAIN) && query_has(s->query, QUERY_TEXT))
		r = is_meant(s, &hit);
	if (r <= 0)
		return r;
	if (!is_damaged && !has_room(s->hits))
		return 0;
	if (s->hits->max && !s->hits->is_newest && s->hits->n_meant >= s->hits->max)
		return INDEX_E_MANY;
	hit.is_damaged = is_damaged;
	s->hits->n_meant += !is_damaged;
	return hits_add(s->hits, hit);
}

static int add_hits(struct search *s, bool is_backwards)
{
	size_t n = s->head.n_lines;
	const uint32_t *offsets;
	struct bytes data;
	bool is_any = false;
	int r = 0;

	for (size_t i = 0; i < n; i++) {
		s->chosen[i] = s->chosen[i] || (s->words[3][i] & BLOCK_DAMAGED);
		is_any = is_any || s->chosen[i];
	}
	if (!is_any)
		return 0;
	/* s->part: what is_meant() needs is elsewhere. */
	r = get_part(s, BLOCK_OFFSETS, n * sizeof(uint32_t), &s->part, &data);
	offsets = (const uint32_t *)(const void *)data.p;
	for (size_t k = 0; r == 0 && k < n; k++) {
		size_t i = is_backwards ? n - 1 - k : k;

		if (s->chosen[i])
			r = add_hit(s, offsets, i);
	}
	return r;
}

static bool may_have_pids(const struct search *s)
{
	const uint32_t *pids;
	size_t n = query_pids(s->query, &pids);

	for (size_t i = 0; i < n; i++)
		if (block_may_have_pid(&s->head, pids[i]))
			return true;
	return n == 0;
}

static bool may_have(const struct search *s)
{
	const struct block_head *h = &s->head;

	return may_have_pids(s) && query_has_time(s->query, h->first_ns, h->last_ns) &&
	       query_has_some_words(s->query, h->kinds, h->ops, h->verdicts);
}

/* Is a column that is the same in all lines not what is asked? Most often one that is null. */
static int is_ruled_out(struct search *s, bool *ret)
{
	static const enum query_clause names[] = {QUERY_SESSION, QUERY_AGENT, QUERY_RULE,
						  QUERY_POLICY};
	bool is = true;
	int r = 0;

	for (size_t i = 0; r == 0 && is && i < ARRAY_SIZE(names); i++) {
		int text = __builtin_ctz(query_texts(names[i]));
		uint16_t id = s->head.constants[text];

		if (!query_has(s->query, names[i]) || id == BLOCK_NOT_CONSTANT)
			continue;
		is = false;
		if (id)
			r = is_value(s, names[i], (enum scan_text)text, id, &is);
	}
	*ret = !is;
	return r;
}

static int search_block(struct search *s)
{
	bool is_wanted = may_have(s) && has_room(s->hits), is_out = false;
	int r;

	s->has_dictionary[0] = s->has_dictionary[1] = s->has_grams = false;
	if (is_wanted) {
		r = is_ruled_out(s, &is_out);
		if (r)
			return r;
		is_wanted = !is_out;
	}
	if (!is_wanted && !s->head.n_damaged)
		return 0;
	if (is_wanted) {
		r = choose(s);
	} else {
		r = get_words(s);
		memset(s->chosen, 0, s->head.n_lines);
	}
	return r ? r : add_hits(s, s->hits->is_newest);
}

/* The head of each block follows from the one before: a missing one shows. */
static int get_head(struct search *s, uint64_t block, uint64_t *border, bool is_backwards)
{
	struct bytes data;
	int r;

	s->block = block;
	r = get_part(s, BLOCK_HEAD, 0, &s->part, &data);
	if (r)
		return r;
	if (block_read_head(data, &s->head) < 0 ||
	    (is_backwards ? s->head.end : s->head.start) != *border)
		return INDEX_E_DAMAGED;
	*border = is_backwards ? s->head.start : s->head.end;
	return 0;
}

static int search_file(struct search *s, int (*each)(struct search *s), bool is_backwards)
{
	uint64_t n = s->file->stored.n_blocks;
	uint64_t border = is_backwards ? s->file->stored.end : 0;
	int r = 0;

	for (uint64_t k = 0; r == 0 && k < n; k++) {
		r = get_head(s, is_backwards ? n - 1 - k : k, &border, is_backwards);
		if (r == 0)
			r = each(s);
	}
	if (r == 0 && border != (is_backwards ? 0 : s->file->stored.end))
		r = INDEX_E_DAMAGED;
	return r;
}

static int learn_block(struct search *s)
{
	struct bytes data;
	int r;

	s->has_dictionary[0] = s->has_dictionary[1] = s->has_grams = false;
	r = get_dictionary(s, false);
	if (r == 0)
		r = get_part(s, BLOCK_PROCESSES, 0, &s->part, &data);
	if (r == 0 && data.len % (3 * sizeof(uint32_t)))
		r = INDEX_E_DAMAGED;
	for (size_t i = 0; r == 0 && i < data.len; i += 3 * sizeof(uint32_t)) {
		uint32_t p[3];

		memcpy(p, data.p + i, sizeof(p));
		if (p[0] > s->dictionaries[0].n)
			return INDEX_E_DAMAGED;
		r = query_learn(s->query, block_string(&s->dictionaries[0], (uint16_t)p[0]), p[1],
				p[2]);
	}
	return r;
}

static int search_files(struct search *s, const struct index_file *files, size_t n_files,
			int (*each)(struct search *s), bool is_backwards)
{
	int r = 0;

	for (size_t k = 0; r == 0 && k < n_files; k++) {
		size_t i = is_backwards ? n_files - 1 - k : k;

		s->path = files[i].path;
		s->number = (uint32_t)i;
		s->file = logindex_known(s->ix, s->path);
		if (!s->file)
			return INDEX_E_DAMAGED;
		r = search_file(s, each, is_backwards);
		s->lines = rawlog_close(s->lines);
	}
	return r;
}

int logindex_find(struct index *ix, const struct index_file *files, size_t n_files, struct query *q,
		  struct hits *hits, struct diag *reterr_diag)
{
	struct search *s = calloc(1, sizeof(*s));
	int r = 0;

	(void)reterr_diag;
	if (!s)
		return -ENOMEM;
	s->ix = ix;
	s->query = q;
	s->hits = hits;
	s->part = s->parts[0] = s->parts[1] = STRBUF_INIT((size_t)256 << 20);
	s->scratch = s->line = STRBUF_INIT(READER_LINE_MAX * 8);
	hits->n = hits->n_meant = 0;
	if (query_needs_processes(q)) {
		r = search_files(s, files, n_files, learn_block, false);
		if (r == 0)
			query_learn_done(q);
	}
	if (r == 0)
		r = search_files(s, files, n_files, search_block, hits->is_newest);
	if (r == 0 && hits->is_newest != hits->is_backwards)
		hits_reverse(hits);
	strbuf_fini(&s->part);
	strbuf_fini(&s->parts[0]);
	strbuf_fini(&s->parts[1]);
	strbuf_fini(&s->scratch);
	strbuf_fini(&s->line);
	free(s);
	return r;
}
