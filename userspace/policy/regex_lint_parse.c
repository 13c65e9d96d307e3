/* SPDX-License-Identifier: Apache-2.0 */
/* Reads PCRE2 patterns that have compiled; what it does not know it gives up on. */
#include "policy/regex_lint_int.h"

#define NEST_MAX 600u

struct parser {
	struct arena *mem;
	const char *s, *end;
	unsigned depth;
	bool failed;
	bool folds;       /* (?i) */
	bool is_extended; /* (?x) */
};

static const struct lint_set no_set;

static struct lint_node *node_new(struct parser *p, enum lint_type type)
{
	struct lint_node *n = arena_alloc(p->mem, sizeof(*n));

	if (!n) {
		p->failed = true;
		return NULL;
	}
	*n = (struct lint_node){.type = type, .min = 1, .max = 1};
	return n;
}

static bool at(const struct parser *p, const char *text)
{
	return bytes_has_prefix((struct bytes){.p = p->s, .len = (size_t)(p->end - p->s)},
				bytes_of(text));
}

static bool accept(struct parser *p, const char *text)
{
	if (!at(p, text))
		return false;
	p->s += strlen(text);
	return true;
}

/* Steps past the next @c. */
static void skip_past(struct parser *p, char c)
{
	const char *found = memchr(p->s, c, (size_t)(p->end - p->s));

	if (!found)
		p->failed = true;
	p->s = found ? found + 1 : p->end;
}

static void add_ascii(struct lint_set *set, unsigned c)
{
	set->ascii[c / 64] |= UINT64_C(1) << c % 64;
}

/* Blank characters, which pyregex spells out one by one for \s. */
static bool is_space_beyond(uint32_t c)
{
	return c == 0x85 || c == 0xa0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200a) ||
	       c == 0x2028 || c == 0x2029 || c == 0x202f || c == 0x205f || c == 0x3000;
}

static void add_range(struct parser *p, struct lint_set *set, uint32_t first, uint32_t last)
{
	for (uint32_t c = first; c <= last && c < 128; c++) {
		uint32_t lower = c | 0x20;

		add_ascii(set, c);
		if (p->folds && lower >= 'a' && lower <= 'z')
			add_ascii(set, c ^ 0x20);
	}
	if (last < 128)
		return;
	/* Which ones does not matter: a set of some letters is compared as if it had all. */
	set->beyond |= is_space_beyond(first) && is_space_beyond(last) ? LINT_SPACE : LINT_BEYOND;
}

static void invert(struct lint_set *set, bool has_some_beyond)
{
	set->ascii[0] = ~set->ascii[0];
	set->ascii[1] = ~set->ascii[1];
	set->beyond = has_some_beyond ? LINT_BEYOND : LINT_BEYOND & ~set->beyond;
}

static void join(struct lint_set *set, const struct lint_set *other)
{
	set->ascii[0] |= other->ascii[0];
	set->ascii[1] |= other->ascii[1];
	set->beyond |= other->beyond;
}

/* d, s, w and the like; upper case: all but these. */
static bool category(struct parser *p, char letter, struct lint_set *ret)
{
	static const struct {
		char letter;
		const char *ascii; /* pairs: first, last */
		unsigned beyond;
	} categories[] = {
		{'d', "09", LINT_DIGIT},     {'w', "09AZaz__", LINT_DIGIT | LINT_WORD},
		{'s', "\t\r  ", LINT_SPACE}, {'h', "\t\t  ", LINT_SPACE},
		{'v', "\n\r", LINT_SPACE},
	};

	for (size_t i = 0; i < ARRAY_SIZE(categories); i++) {
		struct lint_set set = {.beyond = categories[i].beyond};

		if (categories[i].letter != (letter | 0x20))
			continue;
		for (const char *c = categories[i].ascii; *c; c += 2)
			add_range(p, &set, (uint32_t)c[0], (uint32_t)c[1]);
		set.beyond = categories[i].beyond;
		if (letter < 'a')
			invert(&set, false);
		join(ret, &set);
		return true;
	}
	return false;
}

/* \p{Xan}, \p{Nd} and others, after the p or P. */
static void property(struct parser *p, bool is_inverted, struct lint_set *ret)
{
	struct lint_set set = {.ascii = {UINT64_MAX, UINT64_MAX}, .beyond = LINT_BEYOND};

	if (at(p, "{Xan}") || at(p, "{L}") || at(p, "{Nd}")) {
		set = no_set;
		(void)category(p, at(p, "{Nd}") ? 'd' : 'w', &set);
		set.ascii[1] &= ~(UINT64_C(1) << ('_' - 64));
		if (is_inverted)
			invert(&set, false);
	}
	if (at(p, "{"))
		skip_past(p, '}');
	else
		p->s += p->s < p->end;
	join(ret, &set);
}

static uint32_t number(struct parser *p, unsigned base, size_t digits)
{
	uint32_t n = 0;

	for (; digits && p->s < p->end; digits--, p->s++) {
		char c = *p->s;
		unsigned v = c >= '0' && c <= '9' ? (unsigned)(c - '0') : (c | 0x20) - 'a' + 10U;

		if (v >= base || n > UINT32_MAX / 32)
			break;
		n = n * base + v;
	}
	return n;
}

/* After a backslash, @c is read: a character's value. */
static uint32_t escaped_char(struct parser *p, char c)
{
	static const char controls[] = "a\ae\033f\fn\nr\rt\t";
	uint32_t value;

	for (const char *k = controls; *k; k += 2)
		if (*k == c)
			return (uint32_t)k[1];
	if ((c == 'x' || c == 'o') && accept(p, "{")) {
		value = number(p, c == 'x' ? 16 : 8, 12);
		skip_past(p, '}');
		return value;
	}
	if (c == 'x')
		return number(p, 16, 2);
	if (c == 'c' && p->s < p->end)
		return (uint32_t)(*p->s++ ^ 0x40) & 0x7f;
	if (c >= '0' && c <= '7') {
		p->s--;
		return number(p, 8, 3);
	}
	return (unsigned char)c;
}

/* A member of a set. Return: whether it is a character, then in *ret. */
static bool set_member(struct parser *p, struct lint_set *set, uint32_t *ret)
{
	char c = *p->s++;

	if (c == '[' && (at(p, ":") || at(p, "=") || at(p, "."))) {
		/* [:alpha:]: as any. */
		*set = (struct lint_set){.ascii = {UINT64_MAX, UINT64_MAX}, .beyond = LINT_BEYOND};
		skip_past(p, ']');
		return false;
	}
	if (c != '\\' || p->s == p->end) {
		*ret = (unsigned char)c;
		return true;
	}
	c = *p->s++;
	if (c == 'p' || c == 'P') {
		property(p, c == 'P', set);
		return false;
	}
	if (category(p, c, set))
		return false;
	if (c == 'Q' || c == 'E')
		p->failed = true;
	*ret = c == 'b' ? '\b' : escaped_char(p, c);
	return true;
}

static struct lint_node *read_set(struct parser *p)
{
	struct lint_node *n = node_new(p, LINT_SET);
	bool is_inverted = accept(p, "^"), is_first = true, has_chars_beyond = false;
	struct lint_set set = {};

	while (n && !p->failed && p->s < p->end && (is_first || *p->s != ']')) {
		uint32_t first, last;

		is_first = false;
		if (!set_member(p, &set, &first))
			continue;
		last = first;
		if (at(p, "-") && !at(p, "-]")) {
			p->s++;
			if (p->s == p->end || !set_member(p, &set, &last))
				last = MAX(first, (uint32_t)'-');
		}
		has_chars_beyond |= last >= 128 && last < 0x10ffff && !is_space_beyond(last);
		add_range(p, &set, first, last);
	}
	if (!n || !accept(p, "]"))
		return NULL;
	if (is_inverted)
		invert(&set, has_chars_beyond);
	n->set = set;
	return n;
}

static struct lint_node *read_char(struct parser *p, uint32_t c)
{
	struct lint_node *n = node_new(p, LINT_SET);

	if (n)
		add_range(p, &n->set, c, c);
	/* The rest of a UTF-8 sequence. */
	while (c >= 128 && p->s < p->end && ((unsigned char)*p->s & 0xc0) == 0x80)
		p->s++;
	return n;
}

static struct lint_node *read_any(struct parser *p)
{
	struct lint_node *n = node_new(p, LINT_SET);

	if (n)
		n->set = (struct lint_set){
			.ascii = {UINT64_MAX & ~(UINT64_C(1) << '\n'), UINT64_MAX},
			.beyond = LINT_BEYOND};
	return n;
}

static struct lint_node *read_escape(struct parser *p)
{
	struct lint_set set = {};
	struct lint_node *n;
	char c;

	if (p->s == p->end)
		return NULL;
	c = *p->s++;
	if (strchr("bBAZzGK", c))
		return node_new(p, LINT_ASSERT);
	if (c == 'Q' || c == 'E') {
		p->failed = true;
		return NULL;
	}
	if (strchr("gk123456789RXC", c)) {
		if (at(p, "{"))
			skip_past(p, '}');
		else if (at(p, "<"))
			skip_past(p, '>');
		else if (at(p, "'"))
			p->failed = true;
		else
			(void)number(p, 10, 5);
		return node_new(p, LINT_OPAQUE);
	}
	if (c == 'N')
		return read_any(p);
	if (c == 'p' || c == 'P')
		property(p, c == 'P', &set);
	else if (!category(p, c, &set))
		return read_char(p, escaped_char(p, c));
	n = node_new(p, LINT_SET);
	if (n)
		n->set = set;
	return n;
}

static struct lint_node *read_alternatives(struct parser *p);

/* Return: whether a group follows whose settings these are; false: there was nothing but them. */
static bool read_flags(struct parser *p)
{
	bool on = true;

	for (; p->s < p->end && *p->s != ')' && *p->s != ':'; p->s++) {
		if (*p->s == '-')
			on = false;
		else if (*p->s == '^')
			p->folds = p->is_extended = false;
		else if (*p->s == 'i')
			p->folds = on;
		else if (*p->s == 'x')
			p->is_extended = on;
		else if (!strchr("smnJU", *p->s))
			p->failed = true;
	}
	if (p->s == p->end)
		return false;
	return *p->s++ == ':';
}

static struct lint_node *close_group(struct parser *p, struct lint_node *n)
{
	return n && accept(p, ")") ? n : NULL;
}

/* After '(?'. */
static struct lint_node *read_extension(struct parser *p, bool *was_setting)
{
	struct lint_node *n;

	if (accept(p, "#")) {
		skip_past(p, ')');
		return node_new(p, LINT_CAT);
	}
	if (accept(p, "=") || accept(p, "!") || accept(p, "<=") || accept(p, "<!")) {
		n = close_group(p, read_alternatives(p));
		return n ? node_new(p, LINT_ASSERT) : NULL;
	}
	if (accept(p, "P<") || accept(p, "<")) {
		skip_past(p, '>');
		return close_group(p, read_alternatives(p));
	}
	if (accept(p, "'")) {
		skip_past(p, '\'');
		return close_group(p, read_alternatives(p));
	}
	if (accept(p, ">")) {
		n = close_group(p, read_alternatives(p));
		if (n)
			n->keeps = true;
		return n;
	}
	if (accept(p, "|"))
		return close_group(p, read_alternatives(p));
	if (accept(p, "(")) {
		skip_past(p, ')');
		n = close_group(p, read_alternatives(p));
		return n ? node_new(p, LINT_OPAQUE) : NULL;
	}
	if (at(p, "P") || at(p, "R") || at(p, "&") || at(p, "C") || at(p, "+") ||
	    (p->s < p->end && *p->s >= '0' && *p->s <= '9')) {
		skip_past(p, ')');
		return node_new(p, LINT_OPAQUE);
	}
	if (read_flags(p))
		return close_group(p, read_alternatives(p));
	*was_setting = true;
	return node_new(p, LINT_CAT);
}

static struct lint_node *read_group(struct parser *p)
{
	bool folds = p->folds, is_extended = p->is_extended, was_setting = false;
	struct lint_node *n;

	if (accept(p, "*")) {
		skip_past(p, ')');
		return node_new(p, LINT_ASSERT);
	}
	if (accept(p, "?"))
		n = read_extension(p, &was_setting);
	else
		n = close_group(p, read_alternatives(p));
	if (!was_setting) {
		p->folds = folds;
		p->is_extended = is_extended;
	}
	return n;
}

/* {2}, {2,} or {2,3}: anything else is a literal brace. */
static bool read_braces(struct parser *p, uint32_t *min, uint32_t *max)
{
	const char *start = p->s;

	if (!accept(p, "{") || p->s == p->end || *p->s < '0' || *p->s > '9')
		goto literal;
	*min = *max = number(p, 10, 5);
	if (accept(p, ","))
		*max = at(p, "}") ? LINT_ENDLESS : number(p, 10, 5);
	if (accept(p, "}"))
		return true;
literal:
	p->s = start;
	return false;
}

/* Under (?x). */
static void skip_blanks(struct parser *p)
{
	while (p->is_extended && p->s < p->end) {
		const char *line = memchr(p->s, '\n', (size_t)(p->end - p->s));

		if (*p->s == '#')
			p->s = line ? line + 1 : p->end;
		else if (strchr(" \t\n\r\v\f", *p->s))
			p->s++;
		else
			return;
	}
}

static struct lint_node *read_repeats(struct parser *p, struct lint_node *n)
{
	uint32_t min = 0, max = LINT_ENDLESS;
	struct lint_node *repeat;

	while (n) {
		skip_blanks(p);
		if (accept(p, "+"))
			min = 1, max = LINT_ENDLESS;
		else if (accept(p, "*"))
			min = 0, max = LINT_ENDLESS;
		else if (accept(p, "?"))
			min = 0, max = 1;
		else if (!read_braces(p, &min, &max))
			return n;
		repeat = node_new(p, LINT_REPEAT);
		if (!repeat)
			return NULL;
		repeat->first = n;
		repeat->min = min;
		repeat->max = max;
		repeat->keeps = !accept(p, "?") && accept(p, "+");
		n = repeat;
	}
	return n;
}

static struct lint_node *read_atom(struct parser *p)
{
	char c = *p->s++;

	switch (c) {
	case '(':
		return read_group(p);
	case '[':
		return read_set(p);
	case '\\':
		return read_escape(p);
	case '.':
		return read_any(p);
	case '^':
	case '$':
		return node_new(p, LINT_ASSERT);
	default:
		return read_char(p, (unsigned char)c);
	}
}

static struct lint_node *read_sequence(struct parser *p)
{
	struct lint_node *cat = node_new(p, LINT_CAT), **tail = cat ? &cat->first : NULL, *n;

	for (;;) {
		skip_blanks(p);
		if (!cat || p->s == p->end || *p->s == '|' || *p->s == ')')
			return cat;
		n = read_repeats(p, read_atom(p));
		if (!n || p->failed)
			return NULL;
		/* A setting or a comment. */
		if (n->type == LINT_CAT)
			continue;
		*tail = n;
		tail = &n->next;
	}
}

static struct lint_node *read_alternatives(struct parser *p)
{
	struct lint_node *alt = node_new(p, LINT_ALT), **tail = alt ? &alt->first : NULL;

	if (!alt || ++p->depth > NEST_MAX)
		return NULL;
	do {
		*tail = read_sequence(p);
		if (!*tail)
			return NULL;
		tail = &(*tail)->next;
	} while (accept(p, "|"));
	p->depth--;
	return alt;
}

struct lint_node *lint_parse(struct arena *mem, struct bytes pattern)
{
	struct parser p = {.mem = mem, .s = pattern.p, .end = pattern.p + pattern.len};
	struct lint_node *n;

	if (pattern.len == 0 || memchr(pattern.p, '\0', pattern.len))
		return NULL;
	n = read_alternatives(&p);
	return n && !p.failed && p.s == p.end ? n : NULL;
}
