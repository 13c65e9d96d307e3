/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The conditions of a MeshGuard rule. An unknown one is refused: to leave it out would make an
 * allow wider than it was meant.
 */
#include <math.h>

#include "policy/document.h"
#include "policy/meshguard.h"

#define MINUTES_PER_DAY 1440u

static const char *const test_names[_MESH_TEST_MAX] = {
	[MESH_IN] = "in",
	[MESH_MATCHES] = "matches",
	[MESH_NOT_MATCHES] = "not_matches",
	[MESH_STARTS_WITH] = "startsWith",
	[MESH_CONTAINS] = "contains",
	[MESH_EXISTS] = "exists",
	[MESH_AT_MOST] = "lte",
	[MESH_AT_LEAST] = "gte",
	[MESH_BETWEEN] = "between",
};

const char *mesh_test_name(enum mesh_test test)
{
	return test_names[test];
}

/* Where a condition goes. */
struct place {
	const struct dialect_reader *r;
	struct mesh_condition **tail;
	enum mesh_subject subject;
	const char *key;
};

static struct mesh_condition *add(struct place *p, enum mesh_test test)
{
	struct mesh_condition *c = arena_alloc(p->r->mem, sizeof(*c));

	if (!c)
		return NULL;
	*c = (struct mesh_condition){.subject = p->subject, .test = test, .key = p->key};
	*p->tail = c;
	p->tail = &c->next;
	return c;
}

/* A value, or each of a list that is not empty. */
static int add_values(struct place *p, const struct value *v, enum mesh_test test)
{
	bool is_list = v->type == VALUE_LIST;
	bool is_text = test != MESH_IN || p->subject != MESH_CONTEXT;
	struct mesh_condition *c = add(p, test);
	struct value *first = NULL, **tail = &first;

	if (!c)
		return -ENOMEM;
	if (is_list && v->n == 0)
		return dialect_fail(p->r, v,
				    "an empty list never holds; list something or remove the key");
	for (const struct value *item = is_list ? v->first : v; item;
	     item = is_list ? item->next : NULL) {
		int e;

		if (is_text && item->type != VALUE_STRING)
			return dialect_fail(p->r, item, "expected text, found %s; quote it",
					    dialect_describe(item));
		e = dialect_keep_value(p->r, item, tail);
		if (e < 0)
			return e;
		tail = &(*tail)->next;
	}
	c->values = first;
	return 0;
}

static int add_number(struct place *p, const struct value *v, enum mesh_test test)
{
	struct mesh_condition *c = add(p, test);

	if (!c)
		return -ENOMEM;
	if ((v->type != VALUE_INT && v->type != VALUE_FLOAT) || isnan(v->number))
		return dialect_fail(p->r, v, "expected a number, found %s", dialect_describe(v));
	if (p->subject != MESH_CONTEXT)
		return dialect_fail(p->r, v, "'%s' compares numbers, which only the context holds",
				    test_names[test]);
	c->number = v->number;
	return 0;
}

static int add_bool(struct place *p, const struct value *v, enum mesh_test test)
{
	struct mesh_condition *c = add(p, test);

	if (!c)
		return -ENOMEM;
	if (v->type != VALUE_BOOL)
		return dialect_fail(p->r, v, "expected true or false, found %s",
				    dialect_describe(v));
	c->is_wanted = v->is_true;
	return 0;
}

struct test_key {
	const char *key;
	enum mesh_test test;
	int (*add)(struct place *p, const struct value *v, enum mesh_test test);
};

static const struct test_key test_keys[] = {
	{"equals", MESH_IN, add_values},
	{"in", MESH_IN, add_values},
	{"matches", MESH_MATCHES, add_values},
	{"not_matches", MESH_NOT_MATCHES, add_values},
	{"startsWith", MESH_STARTS_WITH, add_values},
	{"contains", MESH_CONTAINS, add_values},
	{"exists", MESH_EXISTS, add_bool},
	{"lte", MESH_AT_MOST, add_number},
	{"gte", MESH_AT_LEAST, add_number},
};

/* A value, a list of which one fits, or a map of tests that all hold. */
static int add_tests(struct place *p, const struct value *v)
{
	if (v->type != VALUE_MAP)
		return add_values(p, v, MESH_IN);
	if (v->n == 0)
		return dialect_fail(p->r, v, "there is no test; write {equals: ...} or the like");
	for (const struct value *key = v->first; key; key = key->next->next) {
		const struct test_key *t = NULL;
		int e;

		for (size_t i = 0; key->type == VALUE_STRING && i < ARRAY_SIZE(test_keys); i++)
			if (bytes_eq_str(key->text, test_keys[i].key))
				t = &test_keys[i];
		if (!t)
			return dialect_fail(p->r, key,
					    "unknown test '%.60s'; there are equals, in, matches, "
					    "not_matches, startsWith, contains, exists, lte and "
					    "gte (a value inside of another is 'context.a.b')",
					    key->type == VALUE_STRING ? key->text.p : "?");
		e = t->add(p, key->next, t->test);
		if (e < 0)
			return e;
	}
	return 0;
}

static int add_context(struct place *p, const struct value *v)
{
	if (v->type != VALUE_MAP || v->n == 0)
		return dialect_fail(p->r, v,
				    "'context' must be a map such as {channel: email}, found %s",
				    v->type == VALUE_MAP ? "an empty one" : dialect_describe(v));
	for (const struct value *key = v->first; key; key = key->next->next) {
		int e;

		if (key->type != VALUE_STRING)
			return dialect_fail(p->r, key, "expected a key, found %s; quote it",
					    dialect_describe(key));
		e = dialect_keep_text(p->r, key, "context", &p->key);
		if (e == 0)
			e = add_tests(p, key->next);
		if (e < 0)
			return e;
	}
	return 0;
}

/* "HH:MM" at *at, which moves behind it. */
static bool read_clock(struct bytes text, size_t *at, unsigned int *ret)
{
	const char *s = text.p + *at;

	if (text.len - *at < 5 || s[2] != ':')
		return false;
	for (int i = 0; i < 5; i++)
		if (i != 2 && (s[i] < '0' || s[i] > '9'))
			return false;
	*ret = (unsigned int)((s[0] - '0') * 10 + (s[1] - '0')) * 60 +
	       (unsigned int)((s[3] - '0') * 10 + (s[4] - '0'));
	*at += 5;
	return s[3] < '6' && *ret <= MINUTES_PER_DAY;
}

static int add_time(struct place *p, const struct value *v)
{
	struct mesh_condition *c = add(p, MESH_BETWEEN);
	size_t at = 0;

	if (!c)
		return -ENOMEM;
	if (v->type == VALUE_STRING && read_clock(v->text, &at, &c->from) && at < v->text.len &&
	    v->text.p[at++] == '-' && read_clock(v->text, &at, &c->to) && at == v->text.len &&
	    c->from != c->to && c->from < MINUTES_PER_DAY)
		return 0;
	return dialect_fail(p->r, v,
			    "'time_range' must be two different times of the day such as "
			    "\"09:00-18:00\"");
}

static int add_matches(struct place *p, const struct value *v)
{
	return add_values(p, v, MESH_MATCHES);
}

static int add_contains(struct place *p, const struct value *v)
{
	return add_values(p, v, MESH_CONTAINS);
}

static int add_in(struct place *p, const struct value *v)
{
	return add_values(p, v, MESH_IN);
}

static int add_at_most(struct place *p, const struct value *v)
{
	return add_number(p, v, MESH_AT_MOST);
}

static int add_at_least(struct place *p, const struct value *v)
{
	return add_number(p, v, MESH_AT_LEAST);
}

/* How often something was done before is not known where rules are decided. */
static int refuse_rate(struct place *p, const struct value *v)
{
	return dialect_fail(p->r, v,
			    "a rule cannot have a 'rateLimit' here; limit the whole policy with "
			    "'rateLimits: {requestsPerMinute: ...}'");
}

static const struct {
	const char *key;
	enum mesh_subject subject;
	const char *context_key;
	int (*add)(struct place *p, const struct value *v);
} condition_keys[] = {
	{"resource", MESH_RESOURCE, NULL, add_tests},
	{"resourcePattern", MESH_RESOURCE, NULL, add_matches},
	{"command_pattern", MESH_COMMAND, NULL, add_matches},
	{"command_contains", MESH_COMMAND, NULL, add_contains},
	{"path_pattern", MESH_PATH, NULL, add_matches},
	{"context", MESH_CONTEXT, NULL, add_context},
	{"channel", MESH_CONTEXT, "channel", add_tests},
	{"sandbox", MESH_CONTEXT, "sandbox", add_tests},
	{"amount_max", MESH_CONTEXT, "amount", add_at_most},
	{"amount_min", MESH_CONTEXT, "amount", add_at_least},
	{"tags", MESH_TAGS, NULL, add_in},
	{"time_range", MESH_TIME, NULL, add_time},
	{"rateLimit", MESH_CONTEXT, NULL, refuse_rate},
};

#define CONTEXT_PREFIX "context."

static int fail_unknown(const struct dialect_reader *r, const struct value *key)
{
	const char *words[ARRAY_SIZE(condition_keys)];
	const char *nearest, *text = key->type == VALUE_STRING ? key->text.p : "?";

	for (size_t i = 0; i < ARRAY_SIZE(condition_keys); i++)
		words[i] = condition_keys[i].key;
	nearest = schema_nearest(key->text, words, ARRAY_SIZE(words));
	if (nearest)
		return dialect_fail(r, key, "unknown condition '%.60s'; did you mean '%s'?", text,
				    nearest);
	return dialect_fail(r, key,
			    "unknown condition '%.60s'; there are resource, resourcePattern, "
			    "command_pattern, command_contains, path_pattern, context, channel, "
			    "sandbox, amount_max, amount_min, tags and time_range",
			    text);
}

static int parse_condition(struct place *p, const struct value *key)
{
	struct value name = *key;

	if (key->type != VALUE_STRING)
		return fail_unknown(p->r, key);
	for (size_t i = 0; i < ARRAY_SIZE(condition_keys); i++) {
		if (!bytes_eq_str(key->text, condition_keys[i].key))
			continue;
		p->subject = condition_keys[i].subject;
		p->key = condition_keys[i].context_key;
		return condition_keys[i].add(p, key->next);
	}
	if (!bytes_has_prefix(key->text, BYTES_LIT(CONTEXT_PREFIX)) ||
	    key->text.len == strlen(CONTEXT_PREFIX))
		return fail_unknown(p->r, key);
	name.text.p += strlen(CONTEXT_PREFIX);
	name.text.len -= strlen(CONTEXT_PREFIX);
	p->subject = MESH_CONTEXT;
	return dialect_keep_text(p->r, &name, "conditions", &p->key) ?: add_tests(p, key->next);
}

int mesh_parse_conditions(const struct dialect_reader *r, const struct value *v,
			  struct mesh_condition **ret)
{
	struct place p = {.r = r, .tail = ret};

	if (v->type == VALUE_LIST)
		return dialect_fail(r, v,
				    "conditions that are a list of expressions belong to the "
				    "language of MeshGuard's learn site, which is not read; write "
				    "a map such as {resource: {startsWith: ...}}");
	if (v->type != VALUE_MAP)
		return dialect_fail(r, v, "'conditions' must be a map, found %s",
				    dialect_describe(v));
	for (const struct value *key = v->first; key; key = key->next->next) {
		int e = parse_condition(&p, key);

		if (e < 0)
			return e;
	}
	return 0;
}
