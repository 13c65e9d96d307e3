/* SPDX-License-Identifier: Apache-2.0 */
/* Groups, assertions, conditions, references and flags of Python patterns. */
#include "policy/pyregex_int.h"

static const struct pywidth no_width;

/* sre: a reference names a closed group, in a look-behind one from before it. */
static int check_reference(struct pyparse *p, size_t group, bool must_be_closed, size_t at)
{
	bool is_closed = group < p->groups_n && p->groups[group].is_closed;

	if (!is_closed && (must_be_closed || p->lookbehind_groups))
		return pyparse_refuse(p, at, "cannot refer to an open group");
	if (p->lookbehind_groups && group >= p->lookbehind_groups)
		return pyparse_refuse(
			p, at, "cannot refer to group defined in the same lookbehind subpattern");
	return 0;
}

int pyparse_add_reference(struct pyparse *p, struct pysequence *s, size_t group, size_t at)
{
	size_t start;
	int r;

	r = check_reference(p, group, true, at);
	if (r < 0)
		return r;
	start = pyparse_set_caseless(p, s->flags & PY_IGNORECASE);
	strbuf_add_fmt(p->out, "\\g{%zu}", group);
	pysequence_add(s, PYITEM_OTHER, start, p->groups[group].width);
	return 0;
}

/* Return: the group's number, 0: there is none of that name. */
static size_t find_group(const struct pyparse *p, struct pyslice name)
{
	for (size_t i = 1; i < p->groups_n; i++) {
		struct pyslice other = p->groups[i].name;

		if (other.len == name.len &&
		    memcmp(p->pattern + other.start, p->pattern + name.start,
			   name.len * sizeof(*p->pattern)) == 0)
			return i;
	}
	return 0;
}

static int read_name(struct pyparse *p, char terminator, struct pyslice *ret)
{
	int r = pyparse_until(p, terminator, "group name", ret);

	if (r < 0)
		return r;
	if (!pyparse_is_identifier(p, *ret))
		return pyparse_refuse(p, ret->start, "bad character in group name");
	return 0;
}

static int expect_close(struct pyparse *p, size_t start)
{
	if (!pyparse_accept(p, ')'))
		return pyparse_refuse(p, start, "missing ), unterminated subpattern");
	return 0;
}

/* The inside of a group whose opening is written, to its ')'. */
static int read_inside(struct pyparse *p, unsigned flags, size_t start, struct pywidth *ret)
{
	bool was_caseless = p->is_caseless;
	int r = pyparse_alternatives(p, flags, ret);

	if (r < 0)
		return r;
	r = expect_close(p, start);
	if (r < 0)
		return r;
	strbuf_add_char(p->out, ')');
	/* PCRE2 forgets at the end of a group what was set inside. */
	p->is_caseless = was_caseless;
	return 0;
}

/* @start: of the '(' in the pattern. */
static int read_plain(struct pyparse *p, struct pysequence *s, const char *open, unsigned flags,
		      size_t start)
{
	size_t item = p->out->len;
	struct pywidth width;
	int r;

	strbuf_add_str(p->out, open);
	r = read_inside(p, flags, start, &width);
	if (r < 0)
		return r;
	pysequence_add(s, PYITEM_OTHER, item, width);
	return 0;
}

static int read_capture(struct pyparse *p, struct pysequence *s, struct pyslice name, size_t start)
{
	size_t group = p->groups_n;
	int r;

	if (name.len && find_group(p, name))
		return pyparse_refuse(p, name.start, "redefinition of group name");
	p->groups_n++;
	p->groups[group].name = name;
	r = read_plain(p, s, "(", s->flags, start);
	if (r < 0)
		return r;
	p->groups[group].width = s->last_width;
	p->groups[group].is_closed = true;
	return 0;
}

static int read_python(struct pyparse *p, struct pysequence *s, size_t start)
{
	struct pyslice name;
	size_t group;
	int r;

	if (pyparse_accept(p, '<')) {
		r = read_name(p, '>', &name);
		return r < 0 ? r : read_capture(p, s, name, start);
	}
	if (!pyparse_accept(p, '='))
		return pyparse_refuse(p, start, "unknown extension: (?P takes < or =");
	r = read_name(p, ')', &name);
	if (r < 0)
		return r;
	group = find_group(p, name);
	if (!group)
		return pyparse_refuse(p, name.start, "unknown group name");
	return pyparse_add_reference(p, s, group, name.start);
}

static int read_noncapturing(struct pyparse *p, struct pysequence *s, size_t start)
{
	return read_plain(p, s, "(?:", s->flags, start);
}

static int read_atomic(struct pyparse *p, struct pysequence *s, size_t start)
{
	return read_plain(p, s, "(?>", s->flags, start);
}

static int read_comment(struct pyparse *p, struct pysequence *s, size_t start)
{
	struct pytoken t;

	(void)s;
	do
		t = pyparse_next(p);
	while (!t.is_end && !pytoken_is(t, ')'));
	if (t.is_end)
		return pyparse_refuse(p, start, "missing ), unterminated comment");
	return 0;
}

static int read_assertion(struct pyparse *p, struct pysequence *s, const char *open, size_t start)
{
	size_t item = p->out->len;
	struct pywidth width;
	int r;

	strbuf_add_str(p->out, open);
	r = read_inside(p, s->flags, start, &width);
	if (r < 0)
		return r;
	if (open[2] == '<' && width.low != width.high)
		return pyparse_refuse(p, start, "look-behind requires fixed-width pattern");
	pysequence_add(s, PYITEM_ASSERT, item, no_width);
	return 0;
}

static int read_ahead(struct pyparse *p, struct pysequence *s, size_t start)
{
	return read_assertion(p, s, "(?=", start);
}

static int read_not_ahead(struct pyparse *p, struct pysequence *s, size_t start)
{
	return read_assertion(p, s, "(?!", start);
}

static int read_behind(struct pyparse *p, struct pysequence *s, size_t start)
{
	size_t outer = p->lookbehind_groups;
	struct pytoken t = pyparse_next(p);
	int r;

	if (t.is_end)
		return pyparse_refuse(p, start, "unexpected end of pattern");
	if (!pytoken_is(t, '=') && !pytoken_is(t, '!'))
		return pyparse_refuse(p, start, "unknown extension: (?< takes = or !");
	if (!outer)
		p->lookbehind_groups = p->groups_n;
	r = read_assertion(p, s, t.c == '=' ? "(?<=" : "(?<!", start);
	p->lookbehind_groups = outer;
	return r;
}

static int read_condition_group(struct pyparse *p, size_t *ret)
{
	struct pyslice name;
	uint64_t number;
	int r;

	r = pyparse_until(p, ')', "group name", &name);
	if (r < 0)
		return r;
	if (pyparse_is_identifier(p, name)) {
		*ret = find_group(p, name);
		if (!*ret)
			return pyparse_refuse(p, name.start, "unknown group name");
		return check_reference(p, *ret, false, name.start);
	}
	if (!pyparse_number(p, name, &number))
		return pyparse_refuse(p, name.start, "bad character in group name");
	if (number == 0)
		return pyparse_refuse(p, name.start, "bad group number");
	if (number > p->condition_max) {
		p->condition_max = number;
		p->condition_pos = name.start;
	}
	*ret = number;
	return check_reference(p, number, false, name.start);
}

static int read_branches(struct pyparse *p, struct pysequence *s, size_t start, struct pywidth *ret)
{
	struct pywidth no = {};
	int r;

	if (p->depth > PY_NEST_MAX)
		return pyparse_unsupported(p, start,
					   "more than %u groups in groups are not "
					   "supported",
					   PY_NEST_MAX);
	p->depth++;
	r = pyparse_sequence(p, s->flags, false, ret);
	if (r < 0)
		return r;
	if (pyparse_accept(p, '|')) {
		strbuf_add_char(p->out, '|');
		r = pyparse_sequence(p, s->flags, false, &no);
		if (r < 0)
			return r;
		if (pytoken_is(pyparse_peek(p), '|'))
			return pyparse_refuse(p, p->pos,
					      "conditional backref with more than two branches");
	}
	p->depth--;
	ret->low = MIN(ret->low, no.low);
	ret->high = MAX(ret->high, no.high);
	return expect_close(p, start);
}

static int read_conditional(struct pyparse *p, struct pysequence *s, size_t start)
{
	bool was_caseless = p->is_caseless;
	size_t item = p->out->len, group = 0;
	struct pywidth width;
	int r;

	r = read_condition_group(p, &group);
	if (r < 0)
		return r;
	strbuf_add_fmt(p->out, "(?(%zu)", group);
	r = read_branches(p, s, start, &width);
	if (r < 0)
		return r;
	strbuf_add_char(p->out, ')');
	p->is_caseless = was_caseless;
	pysequence_add(s, PYITEM_OTHER, item, width);
	return 0;
}

/* ---- flags */

/* Return: 0: no flag. */
static unsigned flag_of(struct pytoken t)
{
	static const char letters[] = "imsxauLt";
	const char *found;

	if (t.is_end || t.is_escape || t.c == 0 || t.c >= 0x80)
		return 0;
	found = strchr(letters, (int)t.c);
	return found ? 1U << (found - letters) : 0;
}

static int refuse_flag(struct pyparse *p, struct pytoken t, const char *missing)
{
	size_t at = p->pos - (t.is_end ? 0 : 1);

	if (!t.is_end && !t.is_escape && (py_is_letter(t.c) || t.c >= 0x80))
		return pyparse_refuse(p, at, "unknown flag");
	return pyparse_refuse(p, at, "missing %s", missing);
}

/* @t is read. Afterwards it is the ')', ':' or '-' that ends the flags. */
static int read_flags_on(struct pyparse *p, struct pytoken *t, unsigned *on)
{
	for (;;) {
		unsigned flag = flag_of(*t);

		if (!flag)
			return refuse_flag(p, *t, "-, : or )");
		if (flag == PY_LOCALE)
			return pyparse_refuse(p, p->pos - 1,
					      "bad inline flags: cannot use 'L' flag with text");
		*on |= flag;
		if ((flag & PY_TYPE_FLAGS) && (*on & PY_TYPE_FLAGS) != flag)
			return pyparse_refuse(
				p, p->pos - 1,
				"bad inline flags: flags 'a', 'u' and 'L' are incompatible");
		*t = pyparse_next(p);
		if (pytoken_is(*t, ')') || pytoken_is(*t, ':') || pytoken_is(*t, '-'))
			return 0;
	}
}

static int read_flags_off(struct pyparse *p, unsigned *off)
{
	struct pytoken t = pyparse_next(p);

	if (!flag_of(t))
		return refuse_flag(p, t, "flag");
	for (;;) {
		unsigned flag = flag_of(t);

		if (!flag)
			return refuse_flag(p, t, ":");
		if (flag & PY_TYPE_FLAGS)
			return pyparse_refuse(
				p, p->pos - 1,
				"bad inline flags: cannot turn off flags 'a', 'u' and 'L'");
		*off |= flag;
		t = pyparse_next(p);
		if (pytoken_is(t, ':'))
			return 0;
	}
}

static int set_global(struct pyparse *p, struct pysequence *s, unsigned on, size_t start)
{
	if (!s->is_first || s->last != PYITEM_NONE)
		return pyparse_refuse(p, start, "global flags not at the start of the expression");
	p->flags |= on;
	s->flags = p->flags;
	return 0;
}

/* @t, a flag or '-', is read. */
static int read_flags(struct pyparse *p, struct pysequence *s, struct pytoken t, size_t start)
{
	unsigned on = 0, off = 0, flags = s->flags;
	int r;

	if (!pytoken_is(t, '-')) {
		r = read_flags_on(p, &t, &on);
		if (r < 0)
			return r;
	}
	if (pytoken_is(t, ')'))
		return set_global(p, s, on, start);
	if (pytoken_is(t, '-')) {
		r = read_flags_off(p, &off);
		if (r < 0)
			return r;
	}
	if ((on | off) & PY_TEMPLATE)
		return pyparse_refuse(p, start, "bad inline flags: cannot turn on global flag");
	if (on & off)
		return pyparse_refuse(p, start, "bad inline flags: flag turned on and off");
	if (on & PY_TYPE_FLAGS)
		flags &= ~PY_TYPE_FLAGS;
	return read_plain(p, s, "(?:", (flags | on) & ~off, start);
}

int pyparse_read_group(struct pyparse *p, struct pysequence *s)
{
	static const struct {
		char c;
		int (*read)(struct pyparse *p, struct pysequence *s, size_t start);
	} extensions[] = {
		{'P', read_python},      {':', read_noncapturing}, {'#', read_comment},
		{'=', read_ahead},       {'!', read_not_ahead},    {'<', read_behind},
		{'(', read_conditional}, {'>', read_atomic},
	};
	size_t start = p->pos - 1;
	struct pytoken t;

	if (!pyparse_accept(p, '?'))
		return read_capture(p, s, (struct pyslice){}, start);
	t = pyparse_next(p);
	if (t.is_end)
		return pyparse_refuse(p, start, "unexpected end of pattern");
	for (size_t i = 0; i < ARRAY_SIZE(extensions); i++)
		if (pytoken_is(t, extensions[i].c))
			return extensions[i].read(p, s, start);
	if (flag_of(t) || pytoken_is(t, '-'))
		return read_flags(p, s, t, start);
	return pyparse_refuse(p, start, "unknown extension: (? followed by an unknown character");
}
