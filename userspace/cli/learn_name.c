/* SPDX-License-Identifier: Apache-2.0 */
/* Which parts of a name will be others the next time: numbers of processes, mkstemp(3)'s letters,
 * hashes, dates. */
#include <ctype.h>

#include "base/escape.h"
#include "base/io.h"

#include "cli/learn_private.h"

#define MAP_SLOTS  ((size_t)1 << 16)
#define PID_SLOTS  ((size_t)1 << 18) /* more than twice LEARN_MAX_PIDS: a search ends */
#define DIGITS_MIN 5                 /* so many in a row are no version */
#define HEX_MIN    12

/* ---- the map */

static uint64_t hash_key(const void *scope, struct bytes key)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325) ^ (uint64_t)(uintptr_t)scope;

	for (size_t i = 0; i < key.len; i++)
		hash = (hash ^ (unsigned char)key.p[i]) * UINT64_C(0x100000001b3);
	return hash ^ hash >> 29;
}

void *learn_map_find(const struct learn_map *m, const void *scope, struct bytes key)
{
	uint64_t hash = hash_key(scope, key);

	if (!m->slots)
		return NULL;
	for (const struct learn_entry *e = m->slots[hash % MAP_SLOTS]; e; e = e->next)
		if (e->hash == hash && e->scope == scope && bytes_eq(e->key, key))
			return e->value;
	return NULL;
}

int learn_map_add(struct learn_map *m, struct arena *mem, const void *scope, struct bytes key,
		  void *value)
{
	struct learn_entry *e = arena_alloc(mem, sizeof(*e)), **slot;

	if (!m->slots)
		m->slots = calloc(MAP_SLOTS, sizeof(struct learn_entry *));
	if (!e || !m->slots)
		return -ENOMEM;
	*e = (struct learn_entry){.hash = hash_key(scope, key), .scope = scope, .value = value};
	e->key = arena_copy(mem, key.p, key.len);
	if (!e->key.p)
		return -ENOMEM;
	slot = &m->slots[e->hash % MAP_SLOTS];
	e->next = *slot;
	*slot = e;
	m->n++;
	return 0;
}

void learn_map_fini(struct learn_map *m)
{
	free(m->slots);
}

/* ---- processes */

static size_t pid_slot(const struct learn_pids *pids, uint32_t pid)
{
	size_t i = (size_t)pid * UINT32_C(2654435761) % PID_SLOTS;

	while (pids->slots[i] && pids->slots[i] != pid)
		i = (i + 1) % PID_SLOTS;
	return i;
}

void learn_pids_add(struct learn_pids *pids, uint64_t pid)
{
	size_t i;

	if (pid == 0 || pid > INT32_MAX || pids->n == LEARN_MAX_PIDS)
		return;
	if (!pids->slots)
		pids->slots = calloc(PID_SLOTS, sizeof(*pids->slots));
	if (!pids->slots)
		return; /* names are generalised a little less */
	i = pid_slot(pids, (uint32_t)pid);
	if (!pids->slots[i])
		pids->n++;
	pids->slots[i] = (uint32_t)pid;
}

static bool is_pid(const struct learn_pids *pids, struct bytes digits)
{
	uint64_t pid;

	return pids->slots && digits.len >= 2 && parse_u64(digits, INT32_MAX, &pid) == 0 && pid &&
	       pids->slots[pid_slot(pids, (uint32_t)pid)];
}

/* ---- names */

/* What programs put before mkstemp(3)'s letters. @n of them follow. */
static const struct {
	const char *prefix;
	size_t n;
} temporaries[] = {
	{"tmp", 8},      {"tmp.", 10},    {"cc", 6},          {"tmp_obj_", 6}, {"tmp_pack_", 6},
	{"tmp_idx_", 6}, {"tmp_rev_", 6}, {"tmp_mtimes_", 6}, {"sh-thd.", 6},  {"sed", 6},
	{"pymp-", 8},    {"sem.mp-", 8},  {"bats-run-", 6},   {"file", 6},     {"sort", 6},
};

static bool is_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

struct shape {
	size_t n_upper, n_lower, n_digits, n_hex; /* of lower-case hex */
	size_t n_changes;                         /* between those three */
};

static int class_of(char c)
{
	return is_digit(c) ? 0 : c >= 'a' ? 1 : 2;
}

static struct shape shape_of(struct bytes run)
{
	struct shape s = {};

	for (size_t i = 0; i < run.len; i++) {
		int class = class_of(run.p[i]);

		s.n_digits += class == 0;
		s.n_lower += class == 1;
		s.n_upper += class == 2;
		s.n_hex += class == 0 || (run.p[i] >= 'a' && run.p[i] <= 'f');
		s.n_changes += i && class != class_of(run.p[i - 1]);
	}
	return s;
}

/* @is_apart: it stands behind a separator. */
static bool is_random(struct bytes run, const struct learn_pids *pids, bool is_scratch,
		      bool is_apart)
{
	struct shape s = shape_of(run);
	size_t n_classes = (s.n_upper > 0) + (s.n_lower > 0) + (s.n_digits > 0);

	if (s.n_digits == run.len)
		return run.len >= DIGITS_MIN || is_pid(pids, run);
	if (s.n_hex == run.len && run.len >= HEX_MIN && s.n_digits)
		return true;
	if (!is_scratch)
		return run.len >= 8 && n_classes == 3 && s.n_changes >= 4;
	if (is_apart && (run.len == 6 || run.len == 8 || run.len == 10) && n_classes > 1)
		return s.n_changes > 1 || s.n_digits;
	/* Names in CamelCase change, too. */
	return run.len >= 6 && n_classes > 1 && s.n_changes >= (s.n_digits ? 3 : 4);
}

/* How many bytes of @s are a date or a UUID. */
static size_t fixed_form(struct bytes s)
{
	static const char *const forms[] = {"hhhhhhhh-hhhh-hhhh-hhhh-hhhhhhhhhhhh", "dddd-dd-dd"};

	for (size_t f = 0; f < ARRAY_SIZE(forms); f++) {
		size_t i = 0;

		for (; forms[f][i] && i < s.len; i++)
			if (forms[f][i] == '-'   ? s.p[i] != '-'
			    : forms[f][i] == 'd' ? !is_digit(s.p[i])
						 : !isxdigit((unsigned char)s.p[i]))
				break;
		if (!forms[f][i])
			return i;
	}
	return 0;
}

/* How many bytes at the start of @name are a prefix and mkstemp's letters; *ret_prefix of them the
 * prefix. */
static size_t temporary(struct bytes name, bool is_scratch, size_t *ret_prefix)
{
	for (size_t i = 0; i < ARRAY_SIZE(temporaries); i++) {
		struct bytes prefix = bytes_of(temporaries[i].prefix), tail;
		size_t n = 0;

		if (!bytes_has_prefix(name, prefix))
			continue;
		tail = (struct bytes){.p = name.p + prefix.len, .len = name.len - prefix.len};
		while (n < tail.len && (is_alnum(tail.p[n]) || tail.p[n] == '_'))
			n++;
		if (n != temporaries[i].n || (n < tail.len && tail.p[n] != '.'))
			continue;
		tail.len = n;
		if (!is_scratch && shape_of(tail).n_lower == n)
			continue; /* a word, as in "tmpdirectory" */
		*ret_prefix = prefix.len;
		return prefix.len + n;
	}
	return 0;
}

/* Two in a row would be "**", which does not stop at '/'. */
static void add_star(struct strbuf *out, size_t *star_end)
{
	if (out->len != *star_end)
		strbuf_add_char(out, '*');
	*star_end = out->len;
}

void learn_add_literal(struct strbuf *out, struct bytes text)
{
	for (size_t i = 0; i < text.len;) {
		uint32_t c = 0;
		size_t n = utf8_decode(text.p + i, text.len - i, &c);

		/* What a document cannot hold, or a reader cannot see, is some byte. */
		if (n == 0 || c < 0x20 || c == 0x7f || (c >= 0x80 && c < 0xa0) ||
		    (c >= 0x200b && c <= 0x206f) || c == 0x61c || c >= 0xe000) {
			n = n ? n : 1;
			for (size_t k = 0; k < n; k++)
				strbuf_add_char(out, '?');
		} else {
			if (n == 1 && strchr("*?[]{}\\$", (char)c))
				strbuf_add_char(out, '\\');
			strbuf_add(out, text.p + i, n);
		}
		i += n;
	}
}

/* A run of letters and digits: as it is, but for long numbers in it. */
static bool add_run(struct strbuf *out, struct bytes run, const struct learn_pids *pids,
		    size_t *star_end)
{
	bool is_wild = false;
	size_t i = 0;

	while (i < run.len) {
		struct bytes part = {.p = run.p + i};
		bool is_number = is_digit(run.p[i]);

		while (i < run.len && is_digit(run.p[i]) == is_number) {
			part.len++;
			i++;
		}
		if (is_number && (part.len >= DIGITS_MIN || is_pid(pids, part))) {
			add_star(out, star_end);
			is_wild = true;
		} else {
			learn_add_literal(out, part);
		}
	}
	return is_wild;
}

bool learn_add_name(struct strbuf *out, struct bytes name, const struct learn_pids *pids,
		    bool is_scratch)
{
	size_t prefix, i = temporary(name, is_scratch, &prefix);
	size_t star_end = SIZE_MAX;
	bool is_wild = i > 0;

	if (i) {
		learn_add_literal(out, (struct bytes){.p = name.p, .len = prefix});
		add_star(out, &star_end);
	}
	while (i < name.len) {
		struct bytes rest = {.p = name.p + i, .len = name.len - i}, run = {.p = rest.p};
		bool is_apart = i == 0 || !is_alnum(name.p[i - 1]);
		size_t n = is_apart ? fixed_form(rest) : 0;

		while (run.len < rest.len && is_alnum(rest.p[run.len]))
			run.len++;
		if (n || (run.len && is_random(run, pids, is_scratch, i > 0 && is_apart))) {
			add_star(out, &star_end);
			is_wild = true;
			i += n ? n : run.len;
		} else if (run.len) {
			is_wild |= add_run(out, run, pids, &star_end);
			i += run.len;
		} else {
			/* Up to the next letter or digit, so that characters stay whole. */
			while (run.len < rest.len && !is_alnum(rest.p[run.len]))
				run.len++;
			learn_add_literal(out, run);
			i += run.len;
		}
	}
	return is_wild;
}
