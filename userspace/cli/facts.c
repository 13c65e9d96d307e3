/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "base/escape.h"

#include "cli/facts.h"
#include "cli/normal.h"

#define TEXTS_MAX     ((size_t)256 << 20)
#define LINE_MEM_MAX  ((size_t)64 << 20)
#define TEXT_FULL_MAX ((size_t)8 << 20)
#define SLOTS_MIN     ((size_t)1024)

void facts_init(struct facts *f, bool is_exact)
{
	*f = (struct facts){
		.texts = ARENA_INIT(TEXTS_MAX),
		.mem = ARENA_INIT(LINE_MEM_MAX),
		.text = STRBUF_INIT(TEXT_FULL_MAX),
		.is_exact = is_exact,
		.is_cwd_replaced = !is_exact,
	};
}

void facts_fini(struct facts *f)
{
	free(f->v);
	free(f->slots);
	free(f->cwd);
	arena_fini(&f->texts);
	arena_fini(&f->mem);
	strbuf_fini(&f->text);
}

/* Another session in the same file: what is there was of an earlier one. */
static void forget(struct facts *f)
{
	if (f->slots)
		memset(f->slots, 0, f->n_slots * sizeof(*f->slots));
	arena_fini(&f->texts);
	f->texts = ARENA_INIT(TEXTS_MAX);
	free(f->cwd);
	f->cwd = NULL;
	f->n = 0;
	f->n_actions = f->n_unlisted = 0;
}

/* ---- the table */

static bool is_same(const struct fact *a, const struct fact *b)
{
	return a->hash == b->hash && a->kind == b->kind && a->op == b->op &&
	       bytes_eq(a->text, b->text);
}

/* The slot of @like, or the free one where it belongs. */
static size_t find_slot(const struct facts *f, const struct fact *like)
{
	size_t at = (size_t)(like->hash ^ like->hash >> 32) & (f->n_slots - 1);

	while (f->slots[at] && !is_same(&f->v[f->slots[at] - 1], like))
		at = (at + 1) & (f->n_slots - 1);
	return at;
}

const struct fact *facts_find(const struct facts *f, const struct fact *like)
{
	size_t at;

	if (!f->n_slots)
		return NULL;
	at = find_slot(f, like);
	return f->slots[at] ? &f->v[f->slots[at] - 1] : NULL;
}

/* Twice as many facts as before, and slots enough that half of them stay free. */
static int grow(struct facts *f)
{
	size_t cap = MAX(2 * f->cap, SLOTS_MIN / 2);
	struct fact *v = reallocarray(f->v, cap, sizeof(*v));
	uint32_t *slots;

	if (!v)
		return -ENOMEM;
	f->v = v;
	slots = calloc(2 * cap, sizeof(*slots));
	if (!slots)
		return -ENOMEM;
	free(f->slots);
	f->slots = slots;
	f->n_slots = 2 * cap;
	f->cap = cap;
	for (size_t i = 0; i < f->n; i++)
		f->slots[find_slot(f, &f->v[i])] = (uint32_t)(i + 1);
	return 0;
}

static uint64_t hash_of(struct bytes s)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < s.len; i++)
		hash = (hash ^ (unsigned char)s.p[i]) * UINT64_C(0x100000001b3);
	return hash;
}

static int add_fact(struct facts *f, enum action_kind kind, enum action_op op, enum verdict verdict)
{
	struct fact like = {.kind = kind, .op = op, .text = strbuf_bytes(&f->text)};
	size_t at;
	int r;

	f->n_actions++;
	like.hash = hash_of(like.text) ^ ((uint64_t)op << 56);
	like.text.len = MIN(like.text.len, FACTS_TEXT_MAX);
	if (f->n == f->cap && f->n < FACTS_MAX) {
		r = grow(f);
		if (r < 0)
			return r;
	}
	at = find_slot(f, &like);
	if (!f->slots[at]) {
		struct bytes copy = BYTES_NULL;

		if (f->n < FACTS_MAX)
			copy = arena_copy(&f->texts, like.text.p, like.text.len);
		if (!copy.p) {
			f->n_unlisted++;
			return 0;
		}
		like.text = copy;
		f->v[f->n] = like;
		f->slots[at] = (uint32_t)++f->n;
	}
	f->v[f->slots[at] - 1].count++;
	f->v[f->slots[at] - 1].verdicts[verdict]++;
	return 0;
}

/* ---- a record */

static void copy_word(char *to, size_t size, struct bytes word)
{
	size_t n = MIN(word.len, size - 1);

	memcpy(to, word.p ? word.p : "", n);
	to[n] = '\0';
}

static int enter_session(struct facts *f, const struct line *l)
{
	struct bytes session = line_word(l, LINE_SESSION), agent, cwd;
	int r;

	session.len = MIN(session.len, sizeof(f->session) - 1);
	if (!bytes_eq_str(session, f->session)) {
		forget(f);
		copy_word(f->session, sizeof(f->session), session);
		r = line_string(l, LINE_AGENT, &f->mem, &agent);
		if (r < 0)
			return r;
		copy_word(f->agent, sizeof(f->agent), agent);
	}
	if (!bytes_eq_str(line_word(l, LINE_EVENT), "session_start"))
		return 0;
	r = line_string(l, LINE_CWD, &f->mem, &cwd);
	if (r < 0 || !cwd.p)
		return r;
	free(f->cwd);
	f->cwd = strndup(cwd.p, cwd.len);
	return f->cwd ? 0 : -ENOMEM;
}

static struct normal normal_of(const struct facts *f, const struct line *l)
{
	struct normal n = {.cwd = f->is_cwd_replaced ? bytes_of(f->cwd) : BYTES_NULL};
	const enum line_key keys[NORMAL_PIDS] = {LINE_PID, LINE_TID, LINE_PPID};

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (!line_u64(l, keys[i], &n.pids[i]))
			n.pids[i] = 0;
	return n;
}

/* A tool: the program, and its arguments each as a shell would have to be told. */
static int add_tool(struct facts *f, const struct normal *n, const struct line *l)
{
	const struct bytes *argv;
	struct bytes object;
	size_t argc;
	int r = line_string(l, LINE_OBJECT, &f->mem, &object);

	if (r == 0)
		r = line_strings(l, LINE_ARGV, &f->mem, &argv, &argc);
	if (r < 0)
		return r;
	if (f->is_exact)
		strbuf_add_bytes(&f->text, object);
	else
		normal_add(n, object, &f->text);
	for (size_t i = 1; i < argc; i++) {
		bool is_plain = argv[i].len && !memchr(argv[i].p, ' ', argv[i].len);

		strbuf_add_str(&f->text, is_plain ? " " : " '");
		if (f->is_exact)
			strbuf_add_bytes(&f->text, argv[i]);
		else
			normal_add(n, argv[i], &f->text);
		strbuf_add_str(&f->text, is_plain ? "" : "'");
	}
	if (line_has(l, LINE_ARGV_TRUNCATED))
		strbuf_add_str(&f->text, " ...");
	return 0;
}

static int add_object(struct facts *f, const struct normal *n, enum action_kind kind,
		      enum action_op op, const struct line *l)
{
	struct bytes object, object2;
	int r = line_string(l, LINE_OBJECT, &f->mem, &object);

	if (r == 0)
		r = line_string(l, LINE_OBJECT2, &f->mem, &object2);
	if (r < 0)
		return r;
	if (f->is_exact)
		strbuf_add_bytes(&f->text, object);
	else if (kind == KIND_NETWORK)
		normal_add_address(n, op, object, &f->text);
	else
		normal_add(n, object, &f->text);
	if (!object2.p)
		return 0;
	strbuf_add_str(&f->text, " -> ");
	if (f->is_exact)
		strbuf_add_bytes(&f->text, object2);
	else
		normal_add(n, object2, &f->text);
	return 0;
}

static int add_action(struct facts *f, const struct line *l)
{
	struct normal n = normal_of(f, l);
	enum action_kind kind;
	enum action_op op;
	enum verdict verdict;
	int r;

	/* What a later version calls by other words is passed over. */
	if (kind_parse(line_word(l, LINE_KIND), &kind) < 0 ||
	    op_parse(line_word(l, LINE_OP), &op) < 0 ||
	    verdict_parse(line_word(l, LINE_VERDICT), &verdict) < 0 || kind == KIND_SPEND)
		return 0;
	strbuf_reset(&f->text);
	r = kind == KIND_TOOL ? add_tool(f, &n, l) : add_object(f, &n, kind, op, l);
	if (r == 0 && strbuf_error(&f->text))
		r = -ENOMEM;
	return r < 0 ? r : add_fact(f, kind, op, verdict);
}

int facts_add_line(struct facts *f, struct bytes text, char why[static LINE_WHY_SIZE])
{
	struct line l;
	int r;

	arena_reset(&f->mem);
	r = line_take(text, &f->mem, &l, why);
	if (r)
		return r;
	r = enter_session(f, &l);
	if (r == 0 && bytes_eq_str(line_word(&l, LINE_EVENT), "action"))
		r = add_action(f, &l);
	if (r != -EBADMSG)
		return r;
	(void)snprintf(why, LINE_WHY_SIZE, "is not as Holdfast writes it");
	return 1;
}
