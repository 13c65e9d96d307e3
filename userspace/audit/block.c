/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/block.h"

/* A power of two, more than twice the strings that a block can have. */
#define SLOTS       ((size_t)65536)
#define STRINGS_MAX ((size_t)BLOCK_LINES * _SCAN_TEXT_MAX)
/* All strings of a block: they are parts of its lines. The last line may be a long one. */
#define BYTES_MAX ((size_t)BLOCK_BYTES * 2 + ((size_t)4 << 20))
#define SEEN      ((size_t)1024)
/* Of actions on files. */
#define WIDE_TEXTS (1U << SCAN_OBJECT | 1U << SCAN_OBJECT2 | 1U << SCAN_ASKED)

_Static_assert(STRINGS_MAX < BLOCK_ID_WIDE - 1, "entries fit in 15 bits");
_Static_assert(STRINGS_MAX * 2 <= SLOTS, "the table stays sparse");

struct process {
	uint32_t session, pid, ppid;
};

struct dictionary {
	uint32_t n;
	uint32_t ends[STRINGS_MAX], hashes[STRINGS_MAX];
	uint16_t slots[SLOTS]; /* number, 0: free */
	struct strbuf strings;
};

struct block_builder {
	struct block_head head;
	uint32_t offsets[BLOCK_LINES];
	uint8_t words[4][BLOCK_LINES]; /* kind, op, verdict, flags */
	uint64_t times[BLOCK_LINES];
	uint32_t pids[BLOCK_LINES];
	struct process processes[BLOCK_LINES];
	size_t n_processes;
	struct process seen[SEEN]; /* by pid, to keep most of them once */
	uint16_t texts[_SCAN_TEXT_MAX][BLOCK_LINES];
	bool is_varied[_SCAN_TEXT_MAX];
	struct dictionary dictionaries[2]; /* BLOCK_DICTIONARY, BLOCK_WIDE */
	uint8_t grams[BLOCK_GRAMS_BYTES];
	struct strbuf decoded;
	struct strbuf part, sealed; /* being put together */
};

int block_builder_new(struct block_builder **ret)
{
	struct block_builder *b = calloc(1, sizeof(*b));

	if (!b)
		return -ENOMEM;
	b->dictionaries[0].strings = b->dictionaries[1].strings = STRBUF_INIT(BYTES_MAX);
	b->decoded = STRBUF_INIT(BYTES_MAX);
	b->part = STRBUF_INIT(BYTES_MAX * 2);
	b->sealed = STRBUF_INIT(BYTES_MAX * 2);
	*ret = b;
	return 0;
}

struct block_builder *block_builder_free(struct block_builder *b)
{
	if (!b)
		return NULL;
	strbuf_fini(&b->dictionaries[0].strings);
	strbuf_fini(&b->dictionaries[1].strings);
	strbuf_fini(&b->decoded);
	strbuf_fini(&b->part);
	strbuf_fini(&b->sealed);
	free(b);
	return NULL;
}

void block_builder_freep(struct block_builder **b)
{
	*b = block_builder_free(*b);
}

bool block_is_full(const struct block_builder *b)
{
	return b->head.n_lines == BLOCK_LINES || b->head.end - b->head.start >= BLOCK_BYTES;
}

uint32_t block_n_lines(const struct block_builder *b)
{
	return b->head.n_lines;
}

/* ---- the dictionary */

static uint64_t mix(uint64_t h, uint64_t v)
{
	h = (h ^ v) * UINT64_C(0x9e3779b97f4a7c15);
	return h ^ h >> 29;
}

/* Tells apart and finds damage; guards against nobody. */
static uint64_t hash_bytes(struct bytes s)
{
	uint64_t h = mix(0, s.len), v;

	for (; s.len >= 8; s.p += 8, s.len -= 8) {
		memcpy(&v, s.p, 8);
		h = mix(h, v);
	}
	v = 0;
	if (s.len)
		memcpy(&v, s.p, s.len);
	h = mix(h, v);
	return mix(h, h >> 32);
}

static struct bytes entry(const char *strings, const uint32_t *ends, uint32_t id)
{
	uint32_t start = id > 1 ? ends[id - 2] : 0;

	return (struct bytes){.p = strings + start, .len = ends[id - 1] - start};
}

static size_t gram_bit(const char *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return (v * UINT32_C(2654435769)) >> 17;
}

_Static_assert(BLOCK_GRAMS_BYTES * 8 == UINT64_C(1) << 15, "gram_bit() gives 15 bits");
_Static_assert(BLOCK_GRAM == sizeof(uint32_t), "gram_bit() takes four bytes");

/* Of the bytes that the string stands for: what is looked for is bytes, too. */
static void add_grams(struct block_builder *b, struct bytes s)
{
	if (s.len && memchr(s.p, '\\', s.len)) {
		strbuf_reset(&b->decoded);
		scan_decode(s, &b->decoded);
		s = strbuf_bytes(&b->decoded);
	}
	for (size_t i = 0; i + BLOCK_GRAM <= s.len; i++) {
		size_t bit = gram_bit(s.p + i);

		b->grams[bit / 8] |= (uint8_t)(1U << bit % 8);
	}
}

bool block_grams_have(const uint8_t grams[static BLOCK_GRAMS_BYTES], struct bytes needle)
{
	for (size_t i = 0; i + BLOCK_GRAM <= needle.len; i++) {
		size_t bit = gram_bit(needle.p + i);

		if (!(grams[bit / 8] & 1U << bit % 8))
			return false;
	}
	return true;
}

/* The entry of @s, made when it is new. Return: false: out of memory. */
static bool intern(struct block_builder *b, bool is_wide, struct bytes s, uint16_t before,
		   uint16_t *ret)
{
	struct dictionary *d = &b->dictionaries[is_wide];
	const char *strings = strbuf_bytes(&d->strings).p;
	uint16_t wide = is_wide ? BLOCK_ID_WIDE : 0;
	uint64_t h;
	size_t i;

	*ret = 0;
	if (!s.p)
		return true;
	/* Most often it is the same as in the line before. */
	if (before && (before & BLOCK_ID_WIDE) == wide &&
	    bytes_eq(entry(strings, d->ends, before & ~BLOCK_ID_WIDE), s)) {
		*ret = before;
		return true;
	}
	h = hash_bytes(s);
	for (i = h & (SLOTS - 1); d->slots[i]; i = (i + 1) & (SLOTS - 1)) {
		*ret = d->slots[i] | wide;
		if (d->hashes[d->slots[i] - 1] == (uint32_t)(h >> 32) &&
		    bytes_eq(entry(strings, d->ends, d->slots[i]), s))
			return true;
	}
	strbuf_add_bytes(&d->strings, s);
	if (strbuf_error(&d->strings))
		return false;
	if (is_wide)
		add_grams(b, s);
	d->ends[d->n] = (uint32_t)d->strings.len;
	d->hashes[d->n] = (uint32_t)(h >> 32);
	d->slots[i] = (uint16_t)++d->n;
	*ret = d->slots[i] | wide;
	return !strbuf_error(&b->decoded);
}

/* ---- lines */

static uint32_t word_bit(uint8_t word)
{
	return word == SCAN_NONE ? UINT32_C(1) << 31 : UINT32_C(1) << word;
}

/* Pids that follow each other fall far apart. */
static unsigned pid_bit(uint32_t pid)
{
	return (pid * UINT32_C(0x9e3779b1)) >> 22;
}

_Static_assert(BLOCK_PID_WORDS * 64 == 1 << (32 - 22), "as many bits as pid_bit() has values");

bool block_may_have_pid(const struct block_head *h, uint32_t pid)
{
	unsigned bit = pid_bit(pid);

	return h->pids[bit / 64] >> bit % 64 & 1;
}

static void add_process(struct block_builder *b, const struct scan *scan, uint16_t session)
{
	struct process p = {.session = session, .pid = scan->pid, .ppid = scan->ppid};
	struct process *seen = &b->seen[p.pid % SEEN];

	if (!p.pid || memcmp(seen, &p, sizeof(p)) == 0)
		return;
	*seen = p;
	b->processes[b->n_processes++] = p;
}

static int add_scan(struct block_builder *b, uint32_t i, const struct scan *scan)
{
	bool is_path = scan->kind == KIND_PATH;
	struct block_head *h = &b->head;

	for (size_t t = 0; t < _SCAN_TEXT_MAX; t++) {
		uint16_t before = i ? b->texts[t][i - 1] : 0;

		if (!intern(b, is_path && (WIDE_TEXTS & 1U << t), scan->texts[t], before,
			    &b->texts[t][i]))
			return -ENOMEM;
		if (i && b->texts[t][i] != before)
			b->is_varied[t] = true;
	}
	b->words[0][i] = scan->kind;
	b->words[1][i] = scan->op;
	b->words[2][i] = scan->verdict;
	b->words[3][i] = scan->is_plain ? 0 : BLOCK_NO_PLAIN;
	h->kinds |= word_bit(scan->kind);
	h->ops |= word_bit(scan->op);
	h->verdicts |= word_bit(scan->verdict);
	h->n_no_plain += !scan->is_plain;
	h->first_ns = MIN(h->first_ns, scan->time_ns);
	h->last_ns = MAX(h->last_ns, scan->time_ns);
	b->times[i] = scan->time_ns;
	b->pids[i] = scan->pid;
	h->pids[pid_bit(scan->pid) / 64] |= UINT64_C(1) << pid_bit(scan->pid) % 64;
	add_process(b, scan, b->texts[SCAN_SESSION][i]);
	return 0;
}

static void add_damaged(struct block_builder *b, uint32_t i)
{
	for (size_t t = 0; t < _SCAN_TEXT_MAX; t++) {
		b->texts[t][i] = 0;
		if (i && b->texts[t][i - 1])
			b->is_varied[t] = true;
	}
	b->words[0][i] = b->words[1][i] = b->words[2][i] = SCAN_NONE;
	b->words[3][i] = BLOCK_DAMAGED;
	b->times[i] = 0;
	b->pids[i] = 0;
	b->head.n_damaged++;
}

int block_add(struct block_builder *b, const struct raw_line *line, const struct scan *scan)
{
	uint32_t i = b->head.n_lines;
	int r = 0;

	if (i == 0)
		b->head = (struct block_head){
			.start = line->offset, .first_line = line->number, .first_ns = UINT64_MAX};
	b->offsets[i] = (uint32_t)(line->offset - b->head.start);
	if (scan)
		r = add_scan(b, i, scan);
	else
		add_damaged(b, i);
	b->head.end = line->end;
	b->head.n_lines = i + 1;
	return r;
}

/* ---- parts */

void block_seal(struct bytes data, struct strbuf *out)
{
	uint64_t sum = hash_bytes(data);

	strbuf_reset(out);
	strbuf_add(out, &sum, sizeof(sum));
	strbuf_add_bytes(out, data);
}

int block_open_part(struct bytes data, struct bytes *ret)
{
	uint64_t sum;

	if (data.len < sizeof(sum))
		return -EBADMSG;
	memcpy(&sum, data.p, sizeof(sum));
	*ret = (struct bytes){.p = data.p + sizeof(sum), .len = data.len - sizeof(sum)};
	return hash_bytes(*ret) == sum ? 0 : -EBADMSG;
}

static void fill_dictionary(const struct dictionary *d, struct strbuf *out)
{
	strbuf_add(out, &d->n, sizeof(d->n));
	strbuf_add(out, d->ends, d->n * sizeof(d->ends[0]));
	strbuf_add_bytes(out, strbuf_bytes(&d->strings));
}

static void fill_part(struct block_builder *b, unsigned int part)
{
	struct strbuf *out = &b->part;
	size_t n = b->head.n_lines;

	switch ((enum block_part)part) {
	case BLOCK_HEAD:
		strbuf_add(out, &b->head, sizeof(b->head));
		return;
	case BLOCK_DICTIONARY:
	case BLOCK_WIDE:
		fill_dictionary(&b->dictionaries[part - BLOCK_DICTIONARY], out);
		return;
	case BLOCK_GRAMS:
		strbuf_add(out, b->grams, sizeof(b->grams));
		return;
	case BLOCK_OFFSETS:
		strbuf_add(out, b->offsets, n * sizeof(b->offsets[0]));
		return;
	case BLOCK_WORDS:
		for (size_t i = 0; i < ARRAY_SIZE(b->words); i++)
			strbuf_add(out, b->words[i], n);
		return;
	case BLOCK_TIMES:
		strbuf_add(out, b->times, n * sizeof(b->times[0]));
		return;
	case BLOCK_PIDS:
		strbuf_add(out, b->pids, n * sizeof(b->pids[0]));
		return;
	case BLOCK_PROCESSES:
		strbuf_add(out, b->processes, b->n_processes * sizeof(b->processes[0]));
		return;
	case BLOCK_TEXTS:
	case _BLOCK_PART_MAX:
		break;
	}
	strbuf_add(out, b->texts[part - BLOCK_TEXTS], n * sizeof(b->texts[0][0]));
}

static void empty(struct block_builder *b)
{
	b->head = (struct block_head){};
	b->n_processes = 0;
	memset(b->seen, 0, sizeof(b->seen));
	memset(b->is_varied, 0, sizeof(b->is_varied));
	memset(b->grams, 0, sizeof(b->grams));
	for (size_t i = 0; i < ARRAY_SIZE(b->dictionaries); i++) {
		b->dictionaries[i].n = 0;
		memset(b->dictionaries[i].slots, 0, sizeof(b->dictionaries[i].slots));
		strbuf_reset(&b->dictionaries[i].strings);
	}
}

int block_finish(struct block_builder *b,
		 int (*put)(void *ctx, unsigned int part, struct bytes data), void *ctx)
{
	int r = 0;

	if (!b->head.n_lines)
		return 0;
	for (size_t t = 0; t < _SCAN_TEXT_MAX; t++)
		b->head.constants[t] = b->is_varied[t] ? BLOCK_NOT_CONSTANT : b->texts[t][0];
	for (unsigned int part = 0; r == 0 && part < _BLOCK_PART_MAX; part++) {
		if (part >= BLOCK_TEXTS && !b->is_varied[part - BLOCK_TEXTS])
			continue;
		strbuf_reset(&b->part);
		fill_part(b, part);
		block_seal(strbuf_bytes(&b->part), &b->sealed);
		if (strbuf_error(&b->part) || strbuf_error(&b->sealed))
			return -ENOMEM;
		r = put(ctx, part, strbuf_bytes(&b->sealed));
	}
	empty(b);
	return r;
}

int block_read_head(struct bytes data, struct block_head *ret)
{
	if (data.len != sizeof(*ret))
		return -EBADMSG;
	memcpy(ret, data.p, sizeof(*ret));
	if (!ret->n_lines || ret->n_lines > BLOCK_LINES || ret->end <= ret->start)
		return -EBADMSG;
	return 0;
}

int block_read_dictionary(struct bytes data, struct block_dictionary *ret)
{
	uint32_t n;

	if (data.len < sizeof(n))
		return -EBADMSG;
	memcpy(&n, data.p, sizeof(n));
	if (n > STRINGS_MAX || data.len - sizeof(n) < n * sizeof(uint32_t))
		return -EBADMSG;
	*ret = (struct block_dictionary){
		.ends = (const uint32_t *)(const void *)(data.p + sizeof(n)),
		.strings = data.p + sizeof(n) + n * sizeof(uint32_t),
		.n = n,
	};
	data.len -= sizeof(n) + n * sizeof(uint32_t);
	for (uint32_t i = 0; i < n; i++)
		if (ret->ends[i] > data.len || (i && ret->ends[i] < ret->ends[i - 1]))
			return -EBADMSG;
	return 0;
}

struct bytes block_string(const struct block_dictionary *d, uint16_t id)
{
	return id ? entry(d->strings, d->ends, id) : BYTES_NULL;
}
