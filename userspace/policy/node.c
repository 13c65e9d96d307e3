/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libyaml's events are used and not its document API, so that depth, number of nodes and the
 * refused features are checked while reading and not after a tree has been built from them.
 */
#include "base/escape.h"
#include "policy/node_build.h"
#include "policy/yaml_events.h"

#define NODE_MAX_COUNT 4000000
#define MAX_DIRECTIVES 64

/* What an event is built with. */
struct builder {
	const char *file;
	struct diag *diag;
	struct node_builder nodes;
	bool has_document;
};

/* ---- the tree */

int node_build_add(struct node_builder *b, enum node_type type, unsigned line, unsigned column,
		   struct node **ret)
{
	struct node *n;

	if (++b->count > NODE_MAX_COUNT)
		return -E2BIG;
	n = arena_alloc(b->mem, sizeof(*n));
	if (!n)
		return -ENOMEM;
	*n = (struct node){.type = type, .line = line, .column = column};
	if (b->depth == 0) {
		b->root = n;
	} else {
		struct node *parent = b->open[b->depth - 1];

		*b->tail[b->depth - 1] = n;
		b->tail[b->depth - 1] = &n->next;
		parent->n++;
	}
	*ret = n;
	return 0;
}

int node_build_scalar(struct node_builder *b, struct bytes text, bool is_plain, unsigned line,
		      unsigned column)
{
	struct node *n = NULL;
	int r = node_build_add(b, NODE_SCALAR, line, column, &n);

	if (r < 0)
		return r;
	n->is_plain = is_plain;
	n->text = arena_copy(b->mem, text.p, text.len);
	return n->text.p ? 0 : -ENOMEM;
}

int node_build_open(struct node_builder *b, enum node_type type, unsigned line, unsigned column)
{
	struct node *n = NULL;
	int r;

	if (b->depth >= MIN(b->max_depth, (size_t)NODE_MAX_DEPTH))
		return -ELOOP;
	r = node_build_add(b, type, line, column, &n);
	if (r < 0)
		return r;
	b->open[b->depth] = n;
	b->tail[b->depth] = &n->first;
	b->depth++;
	return 0;
}

int node_build_close(struct node_builder *b)
{
	struct node *n;

	if (b->depth == 0)
		return -EINVAL;
	n = b->open[--b->depth];
	if (n->type == NODE_MAP)
		n->n /= 2;
	return 0;
}

/* ---- the characters */

static int fail(const struct builder *b, yaml_mark_t at, const char *message)
{
	return diag_set(b->diag, b->file, (unsigned int)at.line + 1, (unsigned int)at.column + 1,
			"%s", message);
}

/*
 * What a reviewer sees must be what the parser reads. Line breaks that only YAML knows could end a
 * comment and begin a key; bidirectional controls reorder a line on the screen.
 */
static const char *refused_character(uint32_t c, bool is_before_newline)
{
	if (c == '\r' && !is_before_newline)
		return "a lone carriage return: end lines with a newline";
	if (c == 0)
		return "a NUL byte: a policy is a text file";
	if ((c < 0x20 && c != '\t' && c != '\n' && c != '\r') || (c >= 0x7f && c < 0xa0))
		return "a control character: remove it, or write it as an escape in double quotes";
	if (c == 0x2028 || c == 0x2029)
		return "a Unicode line separator: end lines with a newline";
	if ((c >= 0x202a && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069) || c == 0x200e ||
	    c == 0x200f)
		return "a bidirectional control character: it makes the text look other than it is";
	if (c == 0xfeff || c == 0xfffe || c == 0xffff)
		return "an invisible character: remove it";
	return NULL;
}

static int fail_character(const char *file, struct bytes text, size_t at, const char *what,
			  struct diag *d)
{
	unsigned int line = 1, column = 1;

	for (size_t i = 0; i < at;) {
		uint32_t c = 0;

		i += utf8_decode(text.p + i, text.len - i, &c);
		column++;
		if (c == '\n') {
			line++;
			column = 1;
		}
	}
	if (what)
		return diag_set(d, file, line, column, "%s", what);
	return diag_set(d, file, line, column,
			"the byte 0x%02x is not valid UTF-8: save the file as UTF-8",
			(unsigned char)text.p[at]);
}

static int check_characters(const char *file, struct bytes text, struct diag *d)
{
	for (size_t i = 0; i < text.len;) {
		const char *what;
		uint32_t c = 0;
		size_t n;

		/* Nearly all of them. */
		if ((text.p[i] >= ' ' && text.p[i] <= '~') || text.p[i] == '\n') {
			i++;
			continue;
		}
		n = utf8_decode(text.p + i, text.len - i, &c);
		if (n == 0)
			return fail_character(file, text, i, NULL, d);
		what = refused_character(c, i + 1 < text.len && text.p[i + 1] == '\n');
		if (what)
			return fail_character(file, text, i, what, d);
		i += n;
	}
	return 0;
}

/* ---- libyaml's events */

static int fail_built(const struct builder *b, yaml_mark_t at, int r)
{
	if (r == -E2BIG)
		return fail(b, at, "the document has too many values: split it into several");
	if (r == -ELOOP)
		return fail(b, at, "lists and maps are nested too deeply");
	return r;
}

static int on_scalar(struct builder *b, const yaml_event_t *e)
{
	struct bytes text = {.p = (const char *)e->data.scalar.value, .len = e->data.scalar.length};
	int r;

	if (e->data.scalar.anchor)
		return fail(b, e->start_mark,
			    "anchors are not allowed; quote text that begins with '&'");
	if (e->data.scalar.tag)
		return fail(b, e->start_mark,
			    "tags are not allowed; quote text that begins with '!'");
	if (memchr(text.p, '\0', text.len))
		return fail(b, e->start_mark, "a string with a NUL in it can never match");
	r = node_build_scalar(&b->nodes, text, e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE,
			      (unsigned)e->start_mark.line + 1, (unsigned)e->start_mark.column + 1);
	return fail_built(b, e->start_mark, r);
}

static int on_open(struct builder *b, const yaml_event_t *e, enum node_type type,
		   const yaml_char_t *anchor, const yaml_char_t *tag)
{
	int r;

	if (anchor)
		return fail(b, e->start_mark, "anchors are not allowed; write the value out");
	if (tag)
		return fail(b, e->start_mark, "tags are not allowed; write the plain value");
	r = node_build_open(&b->nodes, type, (unsigned)e->start_mark.line + 1,
			    (unsigned)e->start_mark.column + 1);
	return fail_built(b, e->start_mark, r);
}

static int on_document(struct builder *b, const yaml_event_t *e)
{
	const char *refusal = yaml_refuse_document(&b->has_document);

	return refusal ? fail(b, e->start_mark, refusal) : 0;
}

static int on_event(void *ctx, const yaml_event_t *e)
{
	struct builder *b = ctx;

	switch (e->type) {
	case YAML_DOCUMENT_START_EVENT:
		return on_document(b, e);
	case YAML_ALIAS_EVENT:
		return fail(b, e->start_mark,
			    "aliases are not allowed; quote text that begins with '*'");
	case YAML_SCALAR_EVENT:
		return on_scalar(b, e);
	case YAML_SEQUENCE_START_EVENT:
		return on_open(b, e, NODE_LIST, e->data.sequence_start.anchor,
			       e->data.sequence_start.tag);
	case YAML_MAPPING_START_EVENT:
		return on_open(b, e, NODE_MAP, e->data.mapping_start.anchor,
			       e->data.mapping_start.tag);
	case YAML_MAPPING_END_EVENT:
	case YAML_SEQUENCE_END_EVENT:
		return node_build_close(&b->nodes);
	case YAML_NO_EVENT:
	case YAML_STREAM_START_EVENT:
	case YAML_STREAM_END_EVENT:
	case YAML_DOCUMENT_END_EVENT:
		return 0;
	}
	return -EINVAL;
}

/* libyaml's words are for people who write parsers. */
static const char *syntax_hint(const char *problem, const char *context)
{
	if (context && (strstr(context, "alias") || strstr(context, "anchor")))
		return "; quote text that begins with '*' or '&'";
	if (context && strstr(context, "tag"))
		return "; quote text that begins with '!'";
	if (strstr(problem, "cannot start any token"))
		return "; indent with blanks, and quote text that begins with '@', '%' or '`'";
	if (context && strstr(context, "double-quoted"))
		return "; in double quotes a backslash is an escape: use single quotes for patterns";
	if (strstr(problem, "mapping values are not allowed"))
		return "; quote text that holds ': '";
	return "";
}

static int syntax_error(void *ctx, const yaml_parser_t *p)
{
	const struct builder *b = ctx;
	const char *problem = p->problem ? p->problem : "cannot be read";
	yaml_mark_t at = p->problem_mark;

	if (p->error == YAML_READER_ERROR)
		return diag_set(b->diag, b->file, 0, 0, "not valid YAML: %s", problem);
	return diag_set(b->diag, b->file, (unsigned int)at.line + 1, (unsigned int)at.column + 1,
			"not valid YAML: %s%s%s%s", p->context ? p->context : "",
			p->context ? ", " : "", problem, syntax_hint(problem, p->context));
}

/* Behind any line break that YAML 1.1 has. */
static bool is_line_start(struct bytes text, size_t i)
{
	struct bytes before = {.p = text.p, .len = i};

	return i == 0 || text.p[i - 1] == '\n' || text.p[i - 1] == '\r' ||
	       bytes_has_suffix(before, BYTES_LIT("\xc2\x85")) ||
	       bytes_has_suffix(before, BYTES_LIT("\xe2\x80\xa8")) ||
	       bytes_has_suffix(before, BYTES_LIT("\xe2\x80\xa9"));
}

int node_check_directives(const char *file, struct bytes text, struct diag *d)
{
	const char *end = text.p + text.len, *p = text.p;
	unsigned int n = 0, line = 1;

	/* Text in quotes may begin so, too; but not so many times. */
	while (p < end && (p = memchr(p, '%', (size_t)(end - p)))) {
		if (is_line_start(text, (size_t)(p - text.p)) && ++n > MAX_DIRECTIVES)
			break;
		p++;
	}
	if (n <= MAX_DIRECTIVES)
		return 0;
	for (const char *at = text.p; at < p; at++)
		line += *at == '\n';
	return diag_set(d, file, line, 1,
			"too many lines begin with '%%': a policy needs no directives; indent such "
			"text");
}

static struct bytes without_mark(struct bytes text)
{
	if (bytes_has_prefix(text, BYTES_LIT("\xef\xbb\xbf"))) {
		text.p += 3;
		text.len -= 3;
	}
	return text;
}

int node_parse_with_libyaml(const char *file, struct bytes text, size_t max_depth,
			    struct arena *mem, struct node **ret, struct diag *d)
{
	struct builder b = {.file = file, .diag = d, .nodes = {.mem = mem, .max_depth = max_depth}};
	int r;

	text = without_mark(text);
	r = check_characters(file, text, d);
	if (r == 0)
		r = node_check_directives(file, text, d);
	if (r < 0)
		return r;
	r = yaml_read(&(struct yaml_reader){on_event, syntax_error, &b}, text);
	if (r < 0)
		return r;
	if (!b.nodes.root)
		return diag_set(d, file, 1, 1,
				"the document is empty; a policy begins with 'version: 1'");
	*ret = b.nodes.root;
	return 0;
}

int node_parse(const char *file, struct bytes text, size_t max_depth, struct arena *mem,
	       struct node **ret, struct diag *d)
{
	struct node_builder b = {.mem = mem, .max_depth = max_depth};
	int r = check_characters(file, without_mark(text), d);

	if (r < 0)
		return r;
	r = node_quick_parse(&b, without_mark(text));
	if (r == NODE_QUICK_OTHER)
		return node_parse_with_libyaml(file, text, max_depth, mem, ret, d);
	if (r == 0)
		*ret = b.root;
	return r;
}

static bool is_one_of(struct bytes s, const char *const *words)
{
	for (; *words; words++)
		if (s.len == strlen(*words) && strncasecmp(s.p, *words, s.len) == 0)
			return true;
	return false;
}

const char *node_guessed_type(const struct node *n)
{
	static const char first[] = "~nNyYoOtTfFeExX_:+-.0123456789";
	static const char *const nulls[] = {"", "~", "null", NULL};
	static const char *const booleans[] = {"yes", "no", "on", "off", "true", "false", NULL};
	size_t digits;

	/* Most words cannot be any of these: what their first letter is tells. */
	if (n->type != NODE_SCALAR || !n->is_plain || !strchr(first, n->text.p[0]))
		return NULL;
	if (is_one_of(n->text, nulls))
		return "null";
	if (is_one_of(n->text, booleans))
		return "a boolean";
	digits = strspn(n->text.p, "+-.0123456789eExX_:");
	if (digits == n->text.len && strpbrk(n->text.p, "0123456789"))
		return "a number";
	return NULL;
}

const char *node_describe(const struct node *n)
{
	const char *guessed = node_guessed_type(n);

	switch (n->type) {
	case NODE_SCALAR:
		return guessed ? guessed : "a string";
	case NODE_LIST:
		return "a list";
	case NODE_MAP:
		return "a map";
	}
	return "something else";
}
