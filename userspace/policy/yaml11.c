/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Reads YAML into nodes as PyYAML's pure-Python loader does, on libyaml's events. Where libyaml is
 * laxer than PyYAML (blanks that are tabs, the tag "!"), the text between the events is looked at;
 * where it is stricter the document is refused.
 */
#include <stdio.h>
#include "base/escape.h"
#include "policy/node.h"
#include "policy/policy.h"
#include "policy/value_build.h"
#include "policy/yaml11.h"
#include "policy/yaml_events.h"

#define NODES_MAX_BYTES ((size_t)512 * 1024 * 1024)

struct anchor {
	struct bytes name;
	struct yaml_node *node;
};

struct composer {
	struct yaml_build *b;
	struct bytes text;
	/* Up to where the text between events was looked at: libyaml counts characters. */
	size_t at_byte, at_character;
	size_t count;
	size_t depth;
	size_t flow_depth; /* of [] and {} */
	struct yaml_node *open[VALUE_MAX_DEPTH];
	struct yaml_item **tail[VALUE_MAX_DEPTH];
	struct yaml_node *root;
	bool has_document;
	struct anchor *anchors; /* sorted by name */
	size_t n_anchors, max_anchors;
};

static int fail(const struct composer *c, yaml_mark_t at, const char *message)
{
	return diag_set(c->b->diag, c->b->file, (unsigned)at.line + 1, (unsigned)at.column + 1,
			"%s", message);
}

/* ---- characters */

/* PyYAML's Reader.NON_PRINTABLE */
static bool is_allowed(uint32_t c)
{
	if (c < 0x20)
		return c == '\t' || c == '\n' || c == '\r';
	if (c < 0xa0)
		return c <= 0x7e || c == 0x85;
	return c <= 0xd7ff || (c >= 0xe000 && c <= 0xfffd) || c >= 0x10000;
}

static int check_characters(const char *file, struct bytes text, struct diag *d)
{
	unsigned line = 1, column = 1;

	for (size_t i = 0; i < text.len;) {
		uint32_t c = 0;
		size_t n = utf8_decode(text.p + i, text.len - i, &c);

		if (n == 0)
			return diag_set(d, file, line, column,
					"the byte 0x%02x is not valid UTF-8: save the file as "
					"UTF-8",
					(unsigned char)text.p[i]);
		/* PyYAML takes a byte order mark inside for a letter, libyaml for a blank. */
		if (!is_allowed(c) || c == 0xfeff)
			return diag_set(d, file, line, column,
					"the character U+%04X is not allowed: remove it, or write "
					"it as an escape in double quotes",
					c);
		i += n;
		column++;
		if (c == '\n') {
			line++;
			column = 1;
		}
	}
	return 0;
}

/* ---- what libyaml lets through */

/* Moves on to the character @index. Return: the byte where it begins. */
static size_t seek(struct composer *c, size_t index)
{
	while (c->at_character < index && c->at_byte < c->text.len) {
		c->at_byte++;
		while (c->at_byte < c->text.len && (c->text.p[c->at_byte] & 0xc0) == 0x80)
			c->at_byte++;
		c->at_character++;
	}
	return c->at_byte;
}

/* PyYAML takes blanks only between tokens and inside plain scalars; in comments tabs may be. */
static bool has_tab(struct bytes gap, bool has_comments)
{
	bool is_comment = false;

	for (size_t i = 0; i < gap.len; i++) {
		if (gap.p[i] == '\n' || gap.p[i] == '\r')
			is_comment = false;
		else if (gap.p[i] == '#' && has_comments)
			is_comment = true;
		else if (gap.p[i] == '\t' && !is_comment)
			return true;
	}
	return false;
}

static struct bytes slice(const struct composer *c, size_t from, size_t to)
{
	return (struct bytes){.p = c->text.p + from, .len = to > from ? to - from : 0};
}

/* A comment right behind the '|' of a block scalar. */
static bool has_tight_comment(struct bytes header)
{
	const char *hash = header.len ? memchr(header.p, '#', header.len) : NULL;

	return hash && hash > header.p && hash[-1] != ' ';
}

/* A scalar's own text without its content: where there may be no tabs. */
static struct bytes before_content(struct bytes text, yaml_scalar_style_t style)
{
	const char *end = NULL;

	if (style == YAML_SINGLE_QUOTED_SCALAR_STYLE)
		end = memchr(text.p, '\'', text.len);
	else if (style == YAML_DOUBLE_QUOTED_SCALAR_STYLE)
		end = memchr(text.p, '"', text.len);
	else if (style == YAML_LITERAL_SCALAR_STYLE || style == YAML_FOLDED_SCALAR_STYLE)
		end = memchr(text.p, '\n', text.len);
	if (end)
		text.len = (size_t)(end - text.p);
	return text;
}

/* Looks at the text from the last event to the end of @e. */
static int check_text(struct composer *c, const yaml_event_t *e)
{
	size_t from = c->at_byte, start = seek(c, e->start_mark.index);
	size_t end = seek(c, e->end_mark.index);
	struct bytes own = slice(c, start, end);
	bool is_block = false;

	if (e->type == YAML_SCALAR_EVENT) {
		yaml_scalar_style_t style = e->data.scalar.style;

		is_block = style == YAML_LITERAL_SCALAR_STYLE || style == YAML_FOLDED_SCALAR_STYLE;
		own = before_content(own, style);
		if (is_block && has_tight_comment(own))
			return fail(c, e->start_mark, "a blank is missing before the '#'");
		if (style == YAML_PLAIN_SCALAR_STYLE && c->flow_depth && own.len &&
		    memchr(own.p, '?', own.len))
			return fail(c, e->start_mark,
				    "a '?' in unquoted text inside [] or {}: quote the text");
	}
	if (has_tab(slice(c, from, start), true) || has_tab(own, is_block))
		return fail(c, e->start_mark,
			    "a tab near here: separate with blanks, or quote the text");
	return 0;
}

/* ---- anchors */

/* Where @name is, or would be. */
static size_t find_anchor(const struct composer *c, struct bytes name, bool *ret_found)
{
	size_t low = 0, high = c->n_anchors;

	*ret_found = false;
	while (low < high) {
		size_t middle = low + (high - low) / 2;
		struct bytes other = c->anchors[middle].name;
		size_t n = MIN(name.len, other.len);
		int r = memcmp(name.p, other.p, n);

		if (r == 0)
			r = (name.len > other.len) - (name.len < other.len);
		if (r == 0)
			*ret_found = true;
		if (r > 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

#define MAX_ANCHORS 10000

static int add_anchor(struct composer *c, const yaml_event_t *e, const yaml_char_t *anchor,
		      struct yaml_node *node)
{
	struct bytes name = bytes_of((const char *)anchor);
	struct anchor *anchors;
	bool is_known;
	size_t at = find_anchor(c, name, &is_known);

	if (is_known)
		return fail(c, e->start_mark, "this anchor is defined a second time");
	if (c->n_anchors == MAX_ANCHORS)
		return fail(c, e->start_mark, "the document has too many anchors");
	if (c->n_anchors == c->max_anchors) {
		anchors = reallocarray(c->anchors, c->max_anchors * 2 + 16, sizeof(*anchors));
		if (!anchors)
			return -ENOMEM;
		c->anchors = anchors;
		c->max_anchors = c->max_anchors * 2 + 16;
	}
	name = arena_copy(c->b->nodes, name.p, name.len);
	if (!name.p)
		return -ENOMEM;
	memmove(c->anchors + at + 1, c->anchors + at, (c->n_anchors - at) * sizeof(*c->anchors));
	c->anchors[at] = (struct anchor){.name = name, .node = node};
	c->n_anchors++;
	return 0;
}

/* ---- nodes */

static int add_node(struct composer *c, const yaml_event_t *e, struct yaml_node *node)
{
	struct yaml_item *item;
	struct yaml_node *parent;

	if (c->depth == 0) {
		c->root = node;
		return 0;
	}
	item = arena_alloc(c->b->nodes, sizeof(*item));
	if (!item)
		return -ENOMEM;
	*item = (struct yaml_item){.node = node};
	if (++c->count > YAML_MAX_VALUES)
		return fail(c, e->start_mark, "the document has too many values");
	parent = c->open[c->depth - 1];
	parent->n++;
	*c->tail[c->depth - 1] = item;
	c->tail[c->depth - 1] = &item->next;
	return 0;
}

static int new_node(struct composer *c, const yaml_event_t *e, enum yaml_kind kind,
		    const yaml_char_t *anchor, struct yaml_node **ret)
{
	struct yaml_node *n = arena_alloc(c->b->nodes, sizeof(*n));
	int r;

	if (!n)
		return -ENOMEM;
	*n = (struct yaml_node){.kind = kind,
				.line = (unsigned)e->start_mark.line + 1,
				.column = (unsigned)e->start_mark.column + 1};
	r = anchor ? add_anchor(c, e, anchor, n) : 0;
	if (r < 0)
		return r;
	*ret = n;
	return add_node(c, e, n);
}

/* The tag "!" is none. */
static bool is_tag(const yaml_char_t *tag)
{
	return tag && !streq((const char *)tag, "!");
}

static int set_tag(struct composer *c, struct yaml_node *n, const yaml_char_t *tag)
{
	n->tag = yaml_tag_of((const char *)tag);
	if (n->tag == YAML_TAG_UNKNOWN)
		n->tag_text = arena_copy(c->b->nodes, tag, strlen((const char *)tag)).p;
	return n->tag == YAML_TAG_UNKNOWN && !n->tag_text ? -ENOMEM : 0;
}

static int on_scalar(struct composer *c, const yaml_event_t *e)
{
	struct yaml_node *n = NULL;
	int r = new_node(c, e, YAML_SCALAR, e->data.scalar.anchor, &n);

	if (r < 0)
		return r;
	n->text = arena_copy(c->b->mem, e->data.scalar.value, e->data.scalar.length);
	if (!n->text.p)
		return -ENOMEM;
	if (is_tag(e->data.scalar.tag))
		return set_tag(c, n, e->data.scalar.tag);
	n->tag = YAML_TAG_STR;
	/* PyYAML guesses the type of what has the tag "!", even in quotes. */
	if (e->data.scalar.plain_implicit || e->data.scalar.tag)
		n->tag = yaml_resolve(n->text);
	return 0;
}

static bool is_flow(const yaml_event_t *e)
{
	if (e->type == YAML_SEQUENCE_START_EVENT)
		return e->data.sequence_start.style == YAML_FLOW_SEQUENCE_STYLE;
	return e->data.mapping_start.style == YAML_FLOW_MAPPING_STYLE;
}

static int on_open(struct composer *c, const yaml_event_t *e, enum yaml_kind kind,
		   const yaml_char_t *anchor, const yaml_char_t *tag)
{
	struct yaml_node *n = NULL;
	int r;

	if (c->depth == VALUE_MAX_DEPTH)
		return fail(c, e->start_mark, "lists and maps are nested too deeply");
	r = new_node(c, e, kind, anchor, &n);
	if (r < 0)
		return r;
	n->is_open = true;
	n->tag = kind == YAML_LIST ? YAML_TAG_SEQ : YAML_TAG_MAP;
	c->open[c->depth] = n;
	c->tail[c->depth] = &n->first;
	c->depth++;
	/* Inside brackets everything is, even what has no brackets of its own. */
	if (c->flow_depth || is_flow(e))
		c->flow_depth++;
	return is_tag(tag) ? set_tag(c, n, tag) : 0;
}

static int on_alias(struct composer *c, const yaml_event_t *e)
{
	bool is_known;
	size_t at = find_anchor(c, bytes_of((const char *)e->data.alias.anchor), &is_known);

	if (!is_known)
		return fail(c, e->start_mark,
			    "an alias of an anchor that there is not; quote text that begins with "
			    "'*'");
	if (c->anchors[at].node->is_open)
		return fail(c, e->start_mark, "an alias of the very map or list that it is in");
	return add_node(c, e, c->anchors[at].node);
}

static int on_document(struct composer *c, const yaml_event_t *e)
{
	const char *refusal = yaml_refuse_document(&c->has_document);

	return refusal ? fail(c, e->start_mark, refusal) : 0;
}

static int on_event(void *ctx, const yaml_event_t *e)
{
	struct composer *c = ctx;
	int r = check_text(c, e);

	if (r < 0)
		return r;
	switch (e->type) {
	case YAML_DOCUMENT_START_EVENT:
		return on_document(c, e);
	case YAML_ALIAS_EVENT:
		return on_alias(c, e);
	case YAML_SCALAR_EVENT:
		return on_scalar(c, e);
	case YAML_SEQUENCE_START_EVENT:
		return on_open(c, e, YAML_LIST, e->data.sequence_start.anchor,
			       e->data.sequence_start.tag);
	case YAML_MAPPING_START_EVENT:
		return on_open(c, e, YAML_MAP, e->data.mapping_start.anchor,
			       e->data.mapping_start.tag);
	case YAML_MAPPING_END_EVENT:
	case YAML_SEQUENCE_END_EVENT:
		c->open[--c->depth]->is_open = false;
		c->flow_depth -= c->flow_depth > 0;
		return 0;
	case YAML_NO_EVENT:
	case YAML_STREAM_START_EVENT:
	case YAML_STREAM_END_EVENT:
	case YAML_DOCUMENT_END_EVENT:
		return 0;
	}
	return -EINVAL;
}

static int syntax_error(void *ctx, const yaml_parser_t *p)
{
	const struct composer *c = ctx;
	const char *problem = p->problem ? p->problem : "cannot be read";

	return diag_set(c->b->diag, c->b->file, (unsigned)p->problem_mark.line + 1,
			(unsigned)p->problem_mark.column + 1, "not valid YAML: %s%s%s",
			p->context ? p->context : "", p->context ? ", " : "", problem);
}

int value_parse_yaml(const char *file, struct bytes text, struct arena *mem,
		     void (*warn)(void *ctx, const struct diag *d), void *ctx, struct value **ret,
		     struct diag *d)
{
	_cleanup_(arena_fini) struct arena nodes = ARENA_INIT(NODES_MAX_BYTES);
	_cleanup_(freep) struct anchor *anchors = NULL;
	struct yaml_build b = {
		.file = file, .mem = mem, .nodes = &nodes, .warn = warn, .ctx = ctx, .diag = d};
	struct composer c = {.b = &b};
	int r;

	if (text.len > POLICY_MAX_BYTES)
		return diag_set(d, file, 0, 0, "the document is larger than %zu MiB",
				POLICY_MAX_BYTES / 1024 / 1024);
	if (bytes_has_prefix(text, BYTES_LIT("\xef\xbb\xbf"))) {
		text.p += 3;
		text.len -= 3;
	}
	r = check_characters(file, text, d);
	if (r == 0)
		r = node_check_directives(file, text, d);
	if (r < 0)
		return r;
	c.text = text;
	r = yaml_read(&(struct yaml_reader){on_event, syntax_error, &c}, c.text);
	anchors = c.anchors;
	if (r < 0)
		return r;
	if (!c.root) {
		*ret = value_new(mem, VALUE_NULL, 1, 1);
		return *ret ? 0 : -ENOMEM;
	}
	return yaml_build_value(&b, c.root, ret);
}
