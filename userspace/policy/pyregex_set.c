/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Characters, sets and categories, spelt out for PCRE2: it knows other characters for blank, folds
 * case otherwise, and changes what \w means from release to release.
 */
#include "policy/pyregex_int.h"

/* \s of str; \w is [\p{Xan}_] and \d is \p{Nd}. */
static const struct pyregex_range unicode_spaces[] = {
	{'\t', '\r'},     {0x1c, ' '},      {0x85, 0x85},     {0xa0, 0xa0},     {0x1680, 0x1680},
	{0x2000, 0x200a}, {0x2028, 0x2029}, {0x202f, 0x202f}, {0x205f, 0x205f}, {0x3000, 0x3000},
};
static const struct pyregex_range ascii_spaces[] = {{'\t', '\r'}, {' ', ' '}};
static const struct pyregex_range ascii_digits[] = {{'0', '9'}};
static const struct pyregex_range ascii_words[] = {{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}};
static const struct pyregex_range underscore[] = {{'_', '_'}};

struct category {
	char letter;          /* the lower-case one; the upper-case one is everything else */
	bool is_ascii;        /* under (?a) */
	const char *property; /* PCRE2's, beside the ranges; NULL: none */
	const char *not_property;
	const struct pyregex_range *ranges;
	size_t n;
};

static const struct category categories[] = {
	{'d', false, "\\p{Nd}", "\\P{Nd}", NULL, 0},
	{'d', true, NULL, NULL, ascii_digits, ARRAY_SIZE(ascii_digits)},
	{'s', false, NULL, NULL, unicode_spaces, ARRAY_SIZE(unicode_spaces)},
	{'s', true, NULL, NULL, ascii_spaces, ARRAY_SIZE(ascii_spaces)},
	{'w', false, "\\p{Xan}", "\\P{Xan}", underscore, ARRAY_SIZE(underscore)},
	{'w', true, NULL, NULL, ascii_words, ARRAY_SIZE(ascii_words)},
};

struct pyset {
	struct pyregex_range *ranges;
	size_t n, cap;
	int error; /* sticky: -ENOMEM */
	bool is_negated;
	const char *properties[ARRAY_SIZE(categories)];
	size_t properties_n;
	/* \W is \P{Xan} less '_', which no set of PCRE2 can say. */
	bool lacks_underscore;
};

static void pyset_fini(struct pyset *set)
{
	free(set->ranges);
}

static void pyset_add(struct pyset *set, uint32_t first, uint32_t last)
{
	if (set->n == set->cap) {
		size_t cap = set->cap ? set->cap * 2 : 16;
		struct pyregex_range *p = reallocarray(set->ranges, cap, sizeof(*p));

		if (!p) {
			set->error = -ENOMEM;
			return;
		}
		set->ranges = p;
		set->cap = cap;
	}
	set->ranges[set->n++] = (struct pyregex_range){.first = first, .last = last};
}

static void add_complement(struct pyset *set, const struct pyregex_range *ranges, size_t n)
{
	uint32_t next = 0;

	for (size_t i = 0; i < n; i++) {
		if (ranges[i].first > next)
			pyset_add(set, next, ranges[i].first - 1);
		next = ranges[i].last + 1;
	}
	pyset_add(set, next, PY_CODE_POINTS - 1);
}

static void add_property(struct pyset *set, const char *property)
{
	for (size_t i = 0; i < set->properties_n; i++)
		if (set->properties[i] == property)
			return;
	set->properties[set->properties_n++] = property;
}

/* @letter is one of dDsSwW. */
static const struct category *find_category(unsigned flags, uint32_t letter)
{
	const struct category *c = categories;

	while ((uint32_t)c->letter != (letter | 0x20) || c->is_ascii != !!(flags & PY_ASCII))
		c++;
	return c;
}

static void pyset_add_category(struct pyset *set, unsigned flags, uint32_t letter)
{
	const struct category *c = find_category(flags, letter);
	bool is_complement = letter < 'a';

	if (c->property && is_complement) {
		add_property(set, c->not_property);
		set->lacks_underscore |= c->n > 0;
		return;
	}
	if (c->property)
		add_property(set, c->property);
	if (is_complement)
		add_complement(set, c->ranges, c->n);
	else
		for (size_t i = 0; i < c->n; i++)
			pyset_add(set, c->ranges[i].first, c->ranges[i].last);
}

/* The next character that (?i) takes for @c; @c itself: none. */
static uint32_t orbit_next(uint32_t c)
{
	for (size_t i = 0; i < pyregex_orbits_n; i++) {
		const struct pyregex_orbit *o = &pyregex_orbits[i];

		if (c >= o->first && c <= o->last && (c - o->first) % o->stride == 0)
			return (uint32_t)((int32_t)c + o->delta);
	}
	return c;
}

static void add_orbit(struct pyset *set, uint32_t c)
{
	for (uint32_t next = orbit_next(c); next != c; next = orbit_next(next))
		pyset_add(set, next, next);
}

static uint32_t ascii_other_case(uint32_t c)
{
	return py_is_letter(c) ? c ^ 0x20 : c;
}

static void pyset_add_literal(struct pyset *set, unsigned flags, uint32_t c, bool is_alone)
{
	bool folds = (flags & PY_IGNORECASE) && !(flags & PY_ASCII);

	/* sre lowers a subject's character and compares it with a set's members beyond U+FFFF as
	 * they stand: a capital among them matches nothing. Of two, the capital comes first. */
	if (folds && !is_alone && c > 0xffff && orbit_next(c) > c)
		return;
	pyset_add(set, c, c);
	if (folds)
		add_orbit(set, c);
	else if (flags & PY_IGNORECASE)
		pyset_add(set, ascii_other_case(c), ascii_other_case(c));
}

static void add_ascii_cases(struct pyset *set, uint32_t first, uint32_t last)
{
	for (uint32_t c = MAX(first, (uint32_t)'A'); c <= MIN(last, (uint32_t)'z'); c++)
		pyset_add(set, ascii_other_case(c), ascii_other_case(c));
}

static void pyset_add_range(struct pyset *set, unsigned flags, uint32_t first, uint32_t last)
{
	pyset_add(set, first, last);
	if (!(flags & PY_IGNORECASE))
		return;
	if (flags & PY_ASCII) {
		add_ascii_cases(set, first, last);
		return;
	}
	for (size_t i = 0; i < pyregex_orbits_n; i++) {
		const struct pyregex_orbit *o = &pyregex_orbits[i];
		uint32_t c = o->first;

		if (first > c)
			c += (first - c + o->stride - 1) / o->stride * o->stride;
		for (; c <= MIN(last, o->last); c += o->stride)
			add_orbit(set, c);
	}
}

static int compare_ranges(const void *a, const void *b)
{
	const struct pyregex_range *x = a, *y = b;

	return (x->first > y->first) - (x->first < y->first);
}

/* Sorts and joins the ranges. Surrogates become what they are in subjects, see regex_search(). */
static void pyset_normalize(struct pyset *set)
{
	size_t n = 0;

	if (set->n)
		qsort(set->ranges, set->n, sizeof(*set->ranges), compare_ranges);
	for (size_t i = 0; i < set->n; i++) {
		struct pyregex_range r = set->ranges[i];

		if (py_is_surrogate(r.first))
			r.first = 0xe000;
		if (py_is_surrogate(r.last))
			r.last = 0xe000;
		if (n && r.first <= set->ranges[n - 1].last + 1)
			set->ranges[n - 1].last = MAX(set->ranges[n - 1].last, r.last);
		else
			set->ranges[n++] = r;
	}
	set->n = n;
}

static bool pyset_has(const struct pyset *set, uint32_t c)
{
	for (size_t i = 0; i < set->n; i++)
		if (c >= set->ranges[i].first && c <= set->ranges[i].last)
			return true;
	return false;
}

static void add_char(struct strbuf *out, uint32_t c)
{
	if (py_is_letter(c) || py_is_digit(c) || c == '_' || c == ' ')
		strbuf_add_char(out, (char)c);
	else if (c > ' ' && c < 0x7f)
		strbuf_add_fmt(out, "\\%c", (char)c);
	else
		strbuf_add_fmt(out, "\\x{%x}", c);
}

static void add_members(struct strbuf *out, const struct pyset *set)
{
	for (size_t i = 0; i < set->n; i++) {
		const struct pyregex_range *r = &set->ranges[i];

		add_char(out, r->first);
		if (r->last > r->first + 1)
			strbuf_add_char(out, '-');
		if (r->last > r->first)
			add_char(out, r->last);
	}
	for (size_t i = 0; i < set->properties_n; i++)
		strbuf_add_str(out, set->properties[i]);
}

static size_t pyparse_add_set(struct pyparse *p, struct pyset *set)
{
	size_t start = pyparse_set_caseless(p, false);
	bool splits_underscore;

	if (set->error < 0) {
		p->out->error = set->error;
		return start;
	}
	pyset_normalize(set);
	splits_underscore = set->lacks_underscore && !pyset_has(set, '_');
	for (size_t i = 0; i < set->properties_n; i++)
		splits_underscore &= !streq(set->properties[i], "\\P{Nd}");
	if (set->n == 0 && set->properties_n == 0) {
		/* Nothing, as one character, so that it has the width that Python gives it. */
		strbuf_add_str(p->out, set->is_negated ? "." : "[^\\x{0}-\\x{10ffff}]");
		return start;
	}
	if (splits_underscore)
		strbuf_add_str(p->out, set->is_negated ? "(?:_|" : "(?:(?!_)");
	strbuf_add_str(p->out, set->is_negated ? "[^" : "[");
	add_members(p->out, set);
	strbuf_add_str(p->out, splits_underscore ? "])" : "]");
	return start;
}

size_t pyparse_set_caseless(struct pyparse *p, bool caseless)
{
	if (p->is_caseless != caseless)
		strbuf_add_str(p->out, caseless ? "(?i)" : "(?-i)");
	p->is_caseless = caseless;
	return p->out->len;
}

size_t pyparse_add_literal(struct pyparse *p, unsigned flags, uint32_t c)
{
	/* Of ASCII, PCRE2's folding differs in i for str, in k and s for ASCII. */
	const char *differ = flags & PY_ASCII ? "KSks" : "Ii";
	_cleanup_(pyset_fini) struct pyset set = {};
	size_t start;

	if (c < 0x80 && (!(flags & PY_IGNORECASE) || !py_is_letter(c) || !strchr(differ, (int)c))) {
		bool folds = flags & PY_IGNORECASE;

		/* Where case does not matter the setting may stay as it is. */
		start = pyparse_set_caseless(p, py_is_letter(c) ? folds : p->is_caseless);
		add_char(p->out, c);
		return start;
	}
	pyset_add_literal(&set, flags, c, true);
	pyset_normalize(&set);
	if (set.error < 0 || set.n != 1 || set.ranges[0].first != set.ranges[0].last)
		return pyparse_add_set(p, &set);
	start = pyparse_set_caseless(p, false);
	add_char(p->out, set.ranges[0].first);
	return start;
}

size_t pyparse_add_category(struct pyparse *p, unsigned flags, uint32_t letter)
{
	_cleanup_(pyset_fini) struct pyset set = {.is_negated = letter < 'a'};

	pyset_add_category(&set, flags, letter | 0x20);
	return pyparse_add_set(p, &set);
}

void pyparse_add_boundary(struct pyparse *p, unsigned flags, bool inside)
{
	const char *word = flags & PY_ASCII ? "[0-9A-Z_a-z]" : "[\\p{Xan}_]";

	(void)pyparse_set_caseless(p, false);
	/* \B of sre does not hold in an empty subject. */
	if (inside)
		strbuf_add_fmt(p->out, "(?:(?<=%s)(?=%s)|(?<!%s)(?!%s)(?!\\A\\z))", word, word,
			       word, word);
	else
		strbuf_add_fmt(p->out, "(?:(?<=%s)(?!%s)|(?<!%s)(?=%s))", word, word, word, word);
}

/* A member of a set: a character, or a category's letter. */
struct member {
	uint32_t c;
	bool is_category;
};

static int read_member(struct pyparse *p, struct pytoken t, struct member *ret)
{
	*ret = (struct member){.c = t.c};
	if (!t.is_escape)
		return 0;
	if (t.c < 0x80 && t.c && strchr("dDsSwW", (int)t.c)) {
		ret->is_category = true;
		return 0;
	}
	return pyparse_escape_char(p, t.c, true, &ret->c);
}

struct set_reader {
	struct pyset set;
	unsigned flags;
	size_t start;  /* of the '[' */
	bool is_empty; /* so far */
	/* [x] is not a set but the character x. */
	bool is_single;
	uint32_t single;
};

static void reader_fini(struct set_reader *s)
{
	pyset_fini(&s->set);
}

static void add_member(struct set_reader *s, struct member m)
{
	s->is_single = !m.is_category && (s->is_empty || (s->is_single && s->single == m.c));
	s->is_empty = false;
	s->single = m.c;
	if (m.is_category)
		pyset_add_category(&s->set, s->flags, m.c);
	else
		pyset_add_literal(&s->set, s->flags, m.c, false);
}

/* @low is read, and the '-' after it. Return: 1 when the set ends here. */
static int read_range(struct pyparse *p, struct set_reader *s, struct member low)
{
	struct pytoken t = pyparse_next(p);
	struct member high;
	int r;

	if (t.is_end)
		return pyparse_refuse(p, s->start, "unterminated character set");
	if (pytoken_is(t, ']')) {
		add_member(s, low);
		add_member(s, (struct member){.c = '-'});
		return 1;
	}
	r = read_member(p, t, &high);
	if (r < 0)
		return r;
	if (low.is_category || high.is_category || high.c < low.c)
		return pyparse_refuse(p, p->pos - 1, "bad character range");
	s->is_empty = s->is_single = false;
	pyset_add_range(&s->set, s->flags, low.c, high.c);
	return 0;
}

static int read_members(struct pyparse *p, struct set_reader *s)
{
	for (;;) {
		struct pytoken t = pyparse_next(p);
		struct member m;
		int r;

		if (t.is_end)
			return pyparse_refuse(p, s->start, "unterminated character set");
		if (pytoken_is(t, ']') && !s->is_empty)
			return 0;
		r = read_member(p, t, &m);
		if (r < 0)
			return r;
		if (!pyparse_accept(p, '-')) {
			add_member(s, m);
			continue;
		}
		r = read_range(p, s, m);
		if (r)
			return r < 0 ? r : 0;
	}
}

int pyparse_read_set(struct pyparse *p, unsigned flags, size_t *ret_start)
{
	_cleanup_(reader_fini) struct set_reader s = {
		.flags = flags, .start = p->pos - 1, .is_empty = true};
	int r;

	s.set.is_negated = pyparse_accept(p, '^');
	r = read_members(p, &s);
	if (r < 0)
		return r;
	if (s.is_single && !s.set.is_negated) {
		*ret_start = pyparse_add_literal(p, flags, s.single);
		return 0;
	}
	if (s.is_single) {
		s.set.n = 0;
		pyset_add_literal(&s.set, flags, s.single, true);
	}
	*ret_start = pyparse_add_set(p, &s.set);
	return 0;
}
