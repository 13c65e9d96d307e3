/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The YAML that policies are written in, read without libyaml, which takes half of the time that
 * the start of a session with a thousand rules takes. It knows block maps and lists, flow maps and
 * lists, and plain and quoted scalars of one line in ASCII. Anything else, whether an error or a
 * thing that it merely does not know (block scalars, escapes, values that are missing, keys in
 * quotes, ...), is left to libyaml, so there is one reader that says what is wrong, and one that
 * decides where the form is doubtful. That both read the same is what
 * tests/unit/test_policy_node.c and tests/fuzz/fuzz_policy_node.c hold against each other.
 *
 * Rejected: a cache of compiled policies, which would be one more file to trust.
 */
#include "policy/node_build.h"

#define KEY_MAX 512 /* libyaml gives up at 1024 */

struct quick {
	struct node_builder *b;
	const char *p, *end;
	const char *line_start;
	unsigned line;
	size_t indent;  /* of the line with content that @p is at the beginning of */
	bool is_at_end; /* there is no more content */
};

static char peek(const struct quick *q, size_t ahead)
{
	return (size_t)(q->end - q->p) > ahead ? q->p[ahead] : '\n';
}

static unsigned column_at(const struct quick *q, const char *p)
{
	return (unsigned)(p - q->line_start) + 1;
}

static bool is_printable(char c)
{
	return c >= ' ' && c <= '~';
}

static bool is_blank_or_end(char c)
{
	return c == ' ' || c == '\n';
}

static bool is_word(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_' || c == '-';
}

/* What the builder cannot take is for libyaml to refuse, with a place. */
static int built(int r)
{
	return r < 0 && r != -ENOMEM ? NODE_QUICK_OTHER : r;
}

static void skip_blanks(struct quick *q)
{
	while (q->p < q->end && *q->p == ' ')
		q->p++;
}

static void skip_to_line_end(struct quick *q)
{
	const char *newline = memchr(q->p, '\n', (size_t)(q->end - q->p));

	q->p = newline ? newline : q->end;
}

static void begin_line(struct quick *q)
{
	q->line_start = q->p;
	skip_blanks(q);
}

/* From the beginning of a line to the content of this or a later one. */
static void find_content(struct quick *q)
{
	for (;;) {
		begin_line(q);
		if (q->p < q->end && *q->p == '#')
			skip_to_line_end(q);
		if (q->p == q->end) {
			q->is_at_end = true;
			q->indent = 0;
			return;
		}
		if (*q->p != '\n')
			break;
		q->p++;
		q->line++;
	}
	q->indent = (size_t)(q->p - q->line_start);
}

/* Nothing but a comment may stand behind a value. */
static int end_line(struct quick *q)
{
	const char *behind = q->p;

	skip_blanks(q);
	if (q->p < q->end && *q->p == '#' && q->p > behind)
		skip_to_line_end(q);
	if (q->p < q->end) {
		if (*q->p != '\n')
			return NODE_QUICK_OTHER;
		q->p++;
		q->line++;
	}
	find_content(q);
	return 0;
}

/* ---- scalars */

static int add_scalar(struct quick *q, const char *from, const char *to, bool is_plain,
		      const char *start)
{
	const struct bytes text = {.p = from, .len = (size_t)(to - from)};

	return built(node_build_scalar(q->b, text, is_plain, q->line, column_at(q, start)));
}

static int read_double_quoted(struct quick *q)
{
	const char *start = q->p++, *from = q->p;

	while (q->p < q->end && *q->p != '"') {
		if (!is_printable(*q->p) || *q->p == '\\')
			return NODE_QUICK_OTHER;
		q->p++;
	}
	if (q->p == q->end)
		return NODE_QUICK_OTHER;
	q->p++;
	return add_scalar(q, from, q->p - 1, false, start);
}

/* @from: text in single quotes, where each quote stands twice. */
static int add_unquoted(struct quick *q, const char *from, const char *to, const char *start)
{
	char *text = arena_alloc(q->b->mem, (size_t)(to - from));
	size_t n = 0;

	if (!text)
		return -ENOMEM;
	for (const char *p = from; p < to; p++) {
		text[n++] = *p;
		p += *p == '\'';
	}
	return add_scalar(q, text, text + n, false, start);
}

static int read_single_quoted(struct quick *q)
{
	const char *start = q->p++, *from = q->p;
	bool has_quotes = false;

	for (;; q->p++) {
		if (q->p == q->end || !is_printable(*q->p))
			return NODE_QUICK_OTHER;
		if (*q->p != '\'')
			continue;
		if (peek(q, 1) != '\'')
			break;
		has_quotes = true;
		q->p++;
	}
	q->p++;
	return has_quotes ? add_unquoted(q, from, q->p - 1, start)
			  : add_scalar(q, from, q->p - 1, false, start);
}

static bool begins_plain(const struct quick *q)
{
	char c = *q->p;

	if (c == '-')
		return is_word(peek(q, 1));
	return is_printable(c) && c != ' ' && !strchr("?:,[]{}#&*!|>'\"%@`", c);
}

/* What a plain scalar stops before, or what is doubtful in it. */
enum plain {
	PLAIN_GOES_ON,
	PLAIN_STOPS,
	PLAIN_IS_DOUBTFUL,
};

static enum plain look_at_plain(const struct quick *q, bool is_in_flow)
{
	char c = *q->p, next = peek(q, 1);

	if (!is_printable(c))
		return c == '\n' ? PLAIN_STOPS : PLAIN_IS_DOUBTFUL;
	switch (c) {
	case ' ':
		if (next == ':')
			return PLAIN_IS_DOUBTFUL;
		return next == '#' ? PLAIN_STOPS : PLAIN_GOES_ON;
	case ':':
		if (is_blank_or_end(next))
			return is_in_flow ? PLAIN_STOPS : PLAIN_IS_DOUBTFUL;
		return is_in_flow && strchr(",[]{}?", next) ? PLAIN_IS_DOUBTFUL : PLAIN_GOES_ON;
	case ',':
	case ']':
	case '}':
		return is_in_flow ? PLAIN_STOPS : PLAIN_GOES_ON;
	case '[':
	case '{':
	case '?':
		return is_in_flow ? PLAIN_IS_DOUBTFUL : PLAIN_GOES_ON;
	default:
		return PLAIN_GOES_ON;
	}
}

static int read_plain(struct quick *q, bool is_in_flow)
{
	const char *start = q->p, *to = q->p;

	if (!begins_plain(q))
		return NODE_QUICK_OTHER;
	for (; q->p < q->end; q->p++) {
		enum plain what = look_at_plain(q, is_in_flow);

		if (what == PLAIN_IS_DOUBTFUL)
			return NODE_QUICK_OTHER;
		if (what == PLAIN_STOPS)
			break;
		if (*q->p != ' ')
			to = q->p + 1;
	}
	q->p = to;
	return add_scalar(q, start, to, true, start);
}

/* ---- flow: [a, b] and {a: b}, over any number of lines */

static int read_flow(struct quick *q);

static int read_value(struct quick *q, bool is_in_flow)
{
	if (q->p == q->end)
		return NODE_QUICK_OTHER;
	switch (*q->p) {
	case '[':
	case '{':
		return read_flow(q);
	case '"':
		return read_double_quoted(q);
	case '\'':
		return read_single_quoted(q);
	default:
		return read_plain(q, is_in_flow);
	}
}

/* To the next thing, which must be there. */
static int skip_in_flow(struct quick *q)
{
	const char *behind = q->p;

	for (;;) {
		skip_blanks(q);
		if (q->p < q->end && *q->p == '#' && (q->p > behind || q->p == q->line_start))
			skip_to_line_end(q);
		if (q->p == q->end)
			return NODE_QUICK_OTHER;
		if (*q->p != '\n')
			break;
		q->p++;
		q->line++;
		q->line_start = q->p;
		behind = q->p;
	}
	/* There "---" and "..." would end the document. */
	if (q->p == q->line_start && (*q->p == '-' || *q->p == '.'))
		return NODE_QUICK_OTHER;
	return 0;
}

static int read_flow_key(struct quick *q)
{
	const char *start = q->p;
	int r;

	if (*q->p == '[' || *q->p == '{')
		return NODE_QUICK_OTHER;
	r = read_value(q, true);
	if (r != 0)
		return r;
	if (q->p - start > KEY_MAX || peek(q, 0) != ':' || peek(q, 1) != ' ')
		return NODE_QUICK_OTHER;
	q->p++;
	return skip_in_flow(q);
}

static int read_flow_items(struct quick *q, bool is_map, char close)
{
	int r = skip_in_flow(q);

	if (r == 0 && *q->p == close)
		return 0;
	while (r == 0) {
		if (is_map)
			r = read_flow_key(q);
		if (r == 0)
			r = read_value(q, true);
		if (r == 0)
			r = skip_in_flow(q);
		if (r != 0 || *q->p == close)
			return r;
		if (*q->p != ',')
			return NODE_QUICK_OTHER;
		q->p++;
		r = skip_in_flow(q);
	}
	return r;
}

static int read_flow(struct quick *q)
{
	const bool is_map = *q->p == '{';
	int r = built(
		node_build_open(q->b, is_map ? NODE_MAP : NODE_LIST, q->line, column_at(q, q->p)));

	if (r != 0)
		return r;
	q->p++;
	r = read_flow_items(q, is_map, is_map ? '}' : ']');
	if (r != 0)
		return r;
	q->p++;
	return built(node_build_close(q->b));
}

/* ---- blocks: what indentation holds together */

static bool is_at_dash(const struct quick *q)
{
	return !q->is_at_end && *q->p == '-' && peek(q, 1) == ' ';
}

/* The length of a key with its colon; 0: there is none. */
static size_t key_length(const struct quick *q)
{
	size_t n = 0;

	while (n < KEY_MAX && is_word(peek(q, n)))
		n++;
	if (n == 0 || n == KEY_MAX || *q->p == '-' || peek(q, n) != ':' ||
	    !is_blank_or_end(peek(q, n + 1)))
		return 0;
	return n + 1;
}

static int read_block(struct quick *q, size_t column);

/* The value of a key of a map at @column: behind it, or on the lines below it. */
static int read_block_value(struct quick *q, size_t column)
{
	const char *behind = q->p;
	int r;

	skip_blanks(q);
	if (q->p < q->end && *q->p != '\n' && *q->p != '#') {
		r = read_value(q, false);
		return r == 0 ? end_line(q) : r;
	}
	q->p = behind;
	r = end_line(q);
	if (r != 0)
		return r;
	if (!q->is_at_end && (q->indent > column || (q->indent == column && is_at_dash(q))))
		return read_block(q, q->indent);
	return NODE_QUICK_OTHER;
}

static int read_block_map(struct quick *q, size_t column)
{
	int r = built(node_build_open(q->b, NODE_MAP, q->line, (unsigned)column + 1));

	while (r == 0) {
		size_t n = key_length(q);

		if (n == 0)
			return NODE_QUICK_OTHER;
		r = add_scalar(q, q->p, q->p + n - 1, true, q->p);
		q->p += n;
		if (r == 0)
			r = read_block_value(q, column);
		if (r == 0 && (q->is_at_end || q->indent < column))
			return built(node_build_close(q->b));
		/* Also a plain scalar that goes on. */
		if (r == 0 && q->indent > column)
			return NODE_QUICK_OTHER;
		/* The end of a list at this column's key was its last item: see read_block_list().
		 */
		if (r == 0 && is_at_dash(q))
			return NODE_QUICK_OTHER;
	}
	return r;
}

static int read_block_item(struct quick *q)
{
	int r;

	q->p++;
	skip_blanks(q);
	if (q->p == q->end || *q->p == '\n' || *q->p == '#')
		return NODE_QUICK_OTHER;
	if (key_length(q))
		return read_block_map(q, (size_t)(q->p - q->line_start));
	r = read_value(q, false);
	return r == 0 ? end_line(q) : r;
}

/* Ends before the first line at @column that is no item: then the list is the value of a key at
 * the same column, or that line is wrong, which the caller sees. */
static int read_block_list(struct quick *q, size_t column)
{
	int r = built(node_build_open(q->b, NODE_LIST, q->line, (unsigned)column + 1));

	while (r == 0 && is_at_dash(q) && q->indent == column)
		r = read_block_item(q);
	if (r != 0)
		return r;
	if (!q->is_at_end && q->indent > column)
		return NODE_QUICK_OTHER;
	return built(node_build_close(q->b));
}

static int read_block(struct quick *q, size_t column)
{
	return is_at_dash(q) ? read_block_list(q, column) : read_block_map(q, column);
}

int node_quick_parse(struct node_builder *b, struct bytes text)
{
	struct quick q = {.b = b, .p = text.p, .end = text.p + text.len, .line = 1};
	int r;

	find_content(&q);
	if (q.is_at_end || q.indent > 0 || is_at_dash(&q))
		return NODE_QUICK_OTHER;
	r = read_block_map(&q, 0);
	return r == 0 && !q.is_at_end ? NODE_QUICK_OTHER : r;
}
