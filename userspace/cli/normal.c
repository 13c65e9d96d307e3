/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>

#include "base/io.h"

#include "cli/normal.h"

#define PORT_DYNAMIC  32768 /* Linux picks from here on, unless told otherwise */
#define NUMBER_DIGITS 9     /* times in seconds and finer, inodes: nobody writes so long a number */
#define RANDOM_MIN    6     /* mkstemp's six, mktemp's ten, Python's eight */

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool is_word(char c)
{
	return isalnum((unsigned char)c) || c == '_';
}

static size_t count_digits(struct bytes s)
{
	size_t n = 0;

	while (n < s.len && is_digit(s.p[n]))
		n++;
	return n;
}

/* The length of a time like 2026-11-21, 2026-11-21T05:12:34.5Z or 20261121T051234 at @s; 0: none.
 */
static size_t time_len(struct bytes s)
{
	static const char *const forms[] = {"dddd-dd-dd", "ddddddddTdddddd", "dd:dd:dd"};
	size_t len = 0;

	for (size_t i = 0; i < ARRAY_SIZE(forms) && !len; i++) {
		size_t k = 0;

		while (forms[i][k] && k < s.len &&
		       (forms[i][k] == 'd' ? is_digit(s.p[k]) : s.p[k] == forms[i][k]))
			k++;
		if (!forms[i][k])
			len = k;
	}
	/* What may follow: the time of the day, a fraction, a zone. */
	while (len && len < s.len &&
	       (is_digit(s.p[len]) || (len + 1 < s.len && strchr("T:._+ ", s.p[len]) &&
				       is_digit(s.p[len + 1]) && s.p[len])))
		len++;
	if (len && len < s.len && s.p[len] == 'Z')
		len++;
	return len;
}

/* ---- names of temporary files */

/* A run of letters and digits that no person would write: mixed in a way that words are not. */
static bool looks_random(struct bytes run)
{
	size_t upper = 0, lower = 0, digits = 0, changes = 0;

	if (run.len < RANDOM_MIN)
		return false;
	for (size_t i = 0; i < run.len; i++) {
		upper += isupper((unsigned char)run.p[i]) != 0;
		lower += islower((unsigned char)run.p[i]) != 0;
		digits += is_digit(run.p[i]);
		changes += i && is_digit(run.p[i]) != is_digit(run.p[i - 1]);
	}
	/* A capital within, or digits between letters. */
	return (upper && lower && !(upper == 1 && isupper((unsigned char)run.p[0]))) ||
	       (digits && digits < run.len && (changes > 1 || is_digit(run.p[0]) || upper)) ||
	       (upper && digits);
}

static bool is_temporary_tree(struct bytes dir)
{
	static const char *const trees[] = {"/tmp/", "/var/tmp/", "/dev/shm/"};

	for (size_t i = 0; i < ARRAY_SIZE(trees); i++)
		if (bytes_has_prefix(dir, bytes_of(trees[i])))
			return true;
	return false;
}

static size_t run_len(struct bytes s)
{
	size_t n = 0;

	while (n < s.len && is_word(s.p[n]))
		n++;
	return n;
}

/* How much of the component @s is what a maker of temporary names puts before its random letters,
 * if those follow; 0: it is no such name. */
static size_t maker_len(struct bytes s, bool is_temporary)
{
	static const struct {
		const char *head;
		bool is_anywhere; /* else only in a temporary tree */
	} makers[] = {
		{"tmp_obj_", true}, {"tmp_pack_", true}, {"tmp_idx_", true}, {".tmp", true},
		{"tmp.", false},    {"tmp", false},      {"cc", false},
	};

	for (size_t i = 0; i < ARRAY_SIZE(makers); i++) {
		size_t head = strlen(makers[i].head);

		if ((is_temporary || makers[i].is_anywhere) &&
		    bytes_has_prefix(s, bytes_of(makers[i].head)) &&
		    run_len((struct bytes){s.p + head, s.len - head}) >= RANDOM_MIN)
			return head;
	}
	return 0;
}

/* ---- one text */

static bool is_pid(const struct normal *n, struct bytes digits)
{
	uint64_t v;

	if (digits.len < 2 || parse_u64(digits, INT32_MAX, &v) < 0)
		return false;
	for (size_t i = 0; i < NORMAL_PIDS; i++)
		if (v == n->pids[i])
			return true;
	return false;
}

/* A number at @rest, which follows @before. Return: how long it is; 0: it stays. */
static size_t add_number(const struct normal *n, struct bytes before, struct bytes rest,
			 struct strbuf *out)
{
	size_t digits = count_digits(rest), len;
	bool follows_word =
		before.len && is_word(before.p[before.len - 1]) && before.p[before.len - 1] != '_';

	if (!digits || (before.len && is_digit(before.p[before.len - 1])))
		return 0;
	len = follows_word ? 0 : time_len(rest);
	if (len) {
		strbuf_add_str(out, "[time]");
		return len;
	}
	if (bytes_has_suffix(before, BYTES_LIT("/proc/")) ||
	    bytes_has_suffix(before, BYTES_LIT("/task/")) ||
	    (is_pid(n, (struct bytes){rest.p, digits}) && !follows_word)) {
		strbuf_add_str(out, "[pid]");
		return digits;
	}
	if (digits < NUMBER_DIGITS)
		return 0;
	strbuf_add_str(out, "[number]");
	return digits;
}

static struct bytes component_at(struct bytes text, size_t at)
{
	size_t start = at, end = at;

	while (start && !strchr("/ '\"=", text.p[start - 1]))
		start--;
	while (end < text.len && !strchr("/ '\"", text.p[end]))
		end++;
	return (struct bytes){.p = text.p + start, .len = end - start};
}

/* Is what stands before @component a path in a temporary tree? */
static bool is_temporary(struct bytes text, struct bytes component)
{
	const char *p = component.p;

	while (p > text.p && !strchr(" '\"=", p[-1]))
		p--;
	return is_temporary_tree((struct bytes){.p = p, .len = (size_t)(component.p - p)});
}

static size_t add_random(struct bytes text, size_t at, struct strbuf *out)
{
	struct bytes component, rest;
	bool in_tree;
	size_t head;

	if (at && is_word(text.p[at - 1]))
		return 0;
	component = component_at(text, at);
	in_tree = is_temporary(text, component);
	head = component.p == text.p + at ? maker_len(component, in_tree) : 0;
	rest = (struct bytes){.p = text.p + at + head, .len = component.len - head};
	if (component.p != text.p + at)
		rest.len = (size_t)(component.p + component.len - rest.p);
	rest.len = run_len(rest);
	if (!head && !(in_tree && looks_random(rest)))
		return 0;
	strbuf_add(out, text.p + at, head);
	strbuf_add_str(out, "[temp]");
	return head + rest.len;
}

static size_t add_cwd(const struct normal *n, struct bytes text, size_t at, struct strbuf *out)
{
	struct bytes rest = {.p = text.p + at, .len = text.len - at};

	if (!n->cwd.p || n->cwd.len < 2 || !bytes_has_prefix(rest, n->cwd))
		return 0;
	if (rest.len > n->cwd.len &&
	    (is_word(rest.p[n->cwd.len]) || rest.p[n->cwd.len] == '.' || rest.p[n->cwd.len] == '-'))
		return 0;
	strbuf_add_str(out, "[cwd]");
	return n->cwd.len;
}

void normal_add(const struct normal *n, struct bytes text, struct strbuf *out)
{
	size_t at = 0;

	while (at < text.len) {
		struct bytes before = {.p = text.p, .len = at};
		struct bytes rest = {.p = text.p + at, .len = text.len - at};
		size_t len = text.p[at] == '/' ? add_cwd(n, text, at, out) : 0;

		if (!len)
			len = add_random(text, at, out);
		if (!len)
			len = add_number(n, before, rest, out);
		if (!len) {
			strbuf_add_char(out, text.p[at]);
			len = 1;
		}
		at += len;
	}
}

void normal_add_address(const struct normal *n, enum action_op op, struct bytes text,
			struct strbuf *out)
{
	const struct bytes local[] = {BYTES_LIT("127."), BYTES_LIT("[::1]")};
	const char *colon = text.len ? memrchr(text.p, ':', text.len) : NULL;
	bool is_own = op == OP_BIND || op == OP_LISTEN;
	uint64_t port;

	for (size_t i = 0; i < ARRAY_SIZE(local); i++)
		is_own = is_own || bytes_has_prefix(text, local[i]);
	if (bytes_has_prefix(text, BYTES_LIT("unix:")) || !colon) {
		normal_add(n, text, out);
		return;
	}
	if (is_own &&
	    parse_u64((struct bytes){colon + 1, text.len - (size_t)(colon + 1 - text.p)},
		      UINT16_MAX, &port) == 0 &&
	    port >= PORT_DYNAMIC) {
		strbuf_add(out, text.p, (size_t)(colon + 1 - text.p));
		strbuf_add_str(out, "[port]");
		return;
	}
	strbuf_add_bytes(out, text);
}
