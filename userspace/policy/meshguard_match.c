/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether a rule of a MeshGuard policy matches an action. Where a condition asks for what the
 * action cannot say (a process has no context), an allow rule does not match and every other rule
 * does.
 */
#include "policy/meshguard.h"

/* ---- patterns */

static size_t next_character(struct bytes text, size_t at)
{
	at++;
	while (at < text.len && ((unsigned char)text.p[at] & 0xc0) == 0x80)
		at++;
	return at;
}

bool mesh_match(struct bytes pattern, struct bytes text, bool has_any)
{
	size_t p = 0, t = 0, star = SIZE_MAX, resume = 0;

	/* After a mismatch only the latest '*' needs to take more: earlier ones took the least. */
	while (t < text.len) {
		if (p < pattern.len && pattern.p[p] == '*') {
			star = ++p;
			resume = t;
		} else if (p < pattern.len && has_any && pattern.p[p] == '?') {
			p++;
			t = next_character(text, t);
		} else if (p < pattern.len && pattern.p[p] == text.p[t]) {
			p++;
			t++;
		} else if (star != SIZE_MAX) {
			p = star;
			t = ++resume;
		} else {
			return false;
		}
	}
	while (p < pattern.len && pattern.p[p] == '*')
		p++;
	return p == pattern.len;
}

static struct bytes skip(struct bytes text, size_t n)
{
	return (struct bytes){.p = text.p + n, .len = text.len - n};
}

static bool passes_one(enum mesh_test test, struct bytes want, struct bytes text)
{
	switch (test) {
	case MESH_IN:
		return bytes_eq(want, text);
	case MESH_MATCHES:
	case MESH_NOT_MATCHES:
		/* A leading directory of any depth may be none. */
		return mesh_match(want, text, true) || (bytes_has_prefix(want, BYTES_LIT("**/")) &&
							mesh_match(skip(want, 3), text, true));
	case MESH_STARTS_WITH:
		return bytes_has_prefix(text, want);
	case MESH_CONTAINS:
		return want.len == 0 ||
		       (text.len && memmem(text.p, text.len, want.p, want.len) != NULL);
	case MESH_EXISTS:
	case MESH_AT_MOST:
	case MESH_AT_LEAST:
	case MESH_BETWEEN:
	case _MESH_TEST_MAX:
		break;
	}
	return false;
}

/* The part of a process's path that begins with the '/' after the project. */
static bool below_project(const struct mesh_policy *doc, struct bytes path, struct bytes *ret)
{
	if (!doc->project.len || !bytes_has_prefix(path, doc->project))
		return false;
	*ret = skip(path, doc->project.len);
	return ret->len && ret->p[0] == '/';
}

static bool passes_any(const struct mesh_action *a, const struct mesh_condition *c,
		       const struct texts *t, struct bytes text)
{
	struct bytes below;
	bool is_below = t->is_process && below_project(a->doc, text, &below);

	for (const struct value *want = c->values; want; want = want->next) {
		if (passes_one(c->test, want->text, text))
			return true;
		if (is_below && c->test != MESH_CONTAINS &&
		    bytes_has_prefix(want->text, BYTES_LIT("./")) &&
		    passes_one(c->test, skip(want->text, 1), below))
			return true;
	}
	return false;
}

static enum holds text_holds(const struct mesh_action *a, const struct mesh_condition *c,
			     const struct texts *t)
{
	bool is_not = c->test == MESH_NOT_MATCHES, passes = false;
	struct bytes rest = t->all;

	if (c->test == MESH_EXISTS && t->is_given != UNKNOWN)
		return (t->is_given == YES) == c->is_wanted ? YES : NO;
	if (t->is_given == UNKNOWN || t->all.len > MESH_SUBJECT_MAX)
		return UNKNOWN;
	if (t->is_given == NO)
		return is_not ? UNKNOWN : NO;
	if (!t->is_list)
		passes = passes_any(a, c, t, rest);
	while (t->is_list && rest.len && !passes) {
		const char *blank = memchr(rest.p, ' ', rest.len);
		size_t n = blank ? (size_t)(blank - rest.p) : rest.len;

		passes = passes_any(a, c, t, (struct bytes){.p = rest.p, .len = n});
		rest = skip(rest, blank ? n + 1 : n);
	}
	return passes != is_not ? YES : NO;
}

/* ---- the context */

static const struct value *find(const struct value *map, struct bytes key)
{
	for (const struct value *k = map && map->type == VALUE_MAP ? map->first : NULL; k;
	     k = k->next->next)
		if (k->type == VALUE_STRING && bytes_eq(k->text, key))
			return k->next;
	return NULL;
}

/* The value at a dotted key; a key that has the dots itself comes first. */
static const struct value *look_up(const struct value *map, struct bytes key)
{
	const struct value *v = find(map, key);

	while (!v && map && key.len) {
		const char *dot = memchr(key.p, '.', key.len);
		size_t n = dot ? (size_t)(dot - key.p) : key.len;

		map = find(map, (struct bytes){.p = key.p, .len = n});
		if (!dot)
			return map;
		key = skip(key, n + 1);
	}
	return v;
}

static enum holds number_holds(const struct mesh_condition *c, const struct value *v)
{
	if (!v || v->type == VALUE_NULL)
		return NO;
	if (v->type != VALUE_INT && v->type != VALUE_FLOAT)
		return UNKNOWN;
	if (c->test == MESH_AT_MOST)
		return v->number <= c->number ? YES : NO;
	return v->number >= c->number ? YES : NO;
}

static bool is_in(const struct value *values, const struct value *v)
{
	static const struct value null = {.type = VALUE_NULL};

	for (; values; values = values->next)
		if (value_eq(values, v ? v : &null))
			return true;
	return false;
}

static bool has_item(const struct value *list, const struct value *values)
{
	for (const struct value *item = list->first; item; item = item->next)
		if (is_in(values, item))
			return true;
	return false;
}

static enum holds value_holds(const struct mesh_action *a, const struct mesh_condition *c,
			      const struct value *v)
{
	struct texts t = {};

	if (c->test == MESH_IN)
		return is_in(c->values, v) ? YES : NO;
	if (c->test == MESH_AT_MOST || c->test == MESH_AT_LEAST)
		return number_holds(c, v);
	if (v && v->type != VALUE_NULL)
		t.is_given = v->type == VALUE_STRING || c->test == MESH_EXISTS ? YES : UNKNOWN;
	if (t.is_given == UNKNOWN && v->type == VALUE_LIST && c->test == MESH_CONTAINS)
		return has_item(v, c->values) ? YES : NO;
	if (t.is_given == YES)
		t.all = v->text;
	return text_holds(a, c, &t);
}

/* ---- conditions */

static enum holds tags_hold(const struct mesh_action *a, const struct mesh_condition *c)
{
	if (!a->has_tags)
		return UNKNOWN;
	if (a->tags && a->tags->type == VALUE_LIST)
		return has_item(a->tags, c->values) ? YES : NO;
	return a->tags && is_in(c->values, a->tags) ? YES : NO;
}

static enum holds time_holds(const struct mesh_action *a, const struct mesh_condition *c)
{
	unsigned int now = (unsigned int)a->minute;

	if (a->minute < 0)
		return UNKNOWN;
	if (c->from < c->to)
		return now >= c->from && now < c->to ? YES : NO;
	return now >= c->from || now < c->to ? YES : NO;
}

static enum holds condition_holds(const struct mesh_action *a, const struct mesh_condition *c)
{
	switch (c->subject) {
	case MESH_RESOURCE:
		return text_holds(a, c, &a->resource);
	case MESH_COMMAND:
		return text_holds(a, c, &a->command);
	case MESH_PATH:
		return text_holds(a, c, &a->path);
	case MESH_CONTEXT:
		return a->has_context ? value_holds(a, c, look_up(a->context, bytes_of(c->key)))
				      : UNKNOWN;
	case MESH_TAGS:
		return tags_hold(a, c);
	case MESH_TIME:
		return time_holds(a, c);
	}
	return UNKNOWN;
}

const struct mesh_pattern *mesh_match_patterns(const struct mesh_pattern *patterns, size_t n,
					       struct bytes action)
{
	for (size_t i = 0; i < n; i++)
		if (mesh_match(patterns[i].text, action, false))
			return &patterns[i];
	return NULL;
}

const struct mesh_pattern *mesh_match_rule(const struct mesh_action *a,
					   const struct mesh_rule *rule)
{
	const struct mesh_pattern *p =
		mesh_match_patterns(rule->actions, rule->n_actions, a->action);
	enum holds all = YES;

	for (const struct mesh_condition *c = rule->conditions; p && c; c = c->next) {
		enum holds holds = condition_holds(a, c);

		if (holds == NO)
			return NULL;
		if (holds == UNKNOWN)
			all = UNKNOWN;
	}
	return all == UNKNOWN && rule->verdict == VERDICT_ALLOW ? NULL : p;
}
