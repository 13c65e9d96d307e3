/* SPDX-License-Identifier: Apache-2.0 */
#include "base/escape.h"

#include "audit/activity.h"

#define BUCKET_NS NS_PER_MSEC /* to begin with */

/* Distinct names, and how often each was met and denied. */
struct names {
	json_t *items; /* object: name -> {object, count, denied} */
	uint64_t unlisted;
};

struct bucket {
	uint64_t by_verdict[_VERDICT_MAX], by_kind[_KIND_MAX];
	double cost;
};

enum {
	NAMES_READ,
	NAMES_CHANGED,
	NAMES_DIRS_READ,
	NAMES_DIRS_CHANGED,
	NAMES_PLACES,
	_NAMES_MAX,
};

struct activity {
	uint64_t start_ns, bucket_ns;
	struct bucket buckets[ACTIVITY_BUCKETS];
	uint64_t counts[_KIND_MAX][_VERDICT_MAX];
	struct names names[_NAMES_MAX];
};

struct activity *activity_new(void)
{
	struct activity *a = calloc(1, sizeof(*a));

	for (size_t i = 0; a && i < _NAMES_MAX; i++) {
		a->names[i].items = json_object();
		if (!a->names[i].items)
			return activity_free(a);
	}
	return a;
}

struct activity *activity_free(struct activity *a)
{
	for (size_t i = 0; a && i < _NAMES_MAX; i++)
		json_decref(a->names[i].items);
	free(a);
	return NULL;
}

/* ---- time */

static void bucket_join(struct bucket *to, const struct bucket *from)
{
	for (size_t i = 0; i < _VERDICT_MAX; i++)
		to->by_verdict[i] += from->by_verdict[i];
	for (size_t i = 0; i < _KIND_MAX; i++)
		to->by_kind[i] += from->by_kind[i];
	to->cost += from->cost;
}

/* Makes each bucket twice as long. */
static void double_buckets(struct activity *a)
{
	for (size_t i = 0; i < ACTIVITY_BUCKETS; i++) {
		struct bucket b = a->buckets[i];

		a->buckets[i] = (struct bucket){};
		bucket_join(&a->buckets[i / 2], &b);
	}
	a->bucket_ns *= 2;
}

static struct bucket *bucket_at(struct activity *a, uint64_t time_ns)
{
	uint64_t passed;

	if (!a->bucket_ns) {
		a->start_ns = time_ns;
		a->bucket_ns = BUCKET_NS;
	}
	passed = time_ns > a->start_ns ? time_ns - a->start_ns : 0;
	while (passed / a->bucket_ns >= ACTIVITY_BUCKETS)
		double_buckets(a);
	return &a->buckets[passed / a->bucket_ns];
}

/* ---- names */

static json_t *name_item(json_t *object)
{
	json_t *item = json_object();

	if (json_object_set(item, "object", object) < 0 ||
	    json_object_set_new(item, "count", json_integer(0)) < 0 ||
	    json_object_set_new(item, "denied", json_integer(0)) < 0) {
		json_decref(item);
		return NULL;
	}
	return item;
}

static void increment(json_t *item, const char *key)
{
	(void)json_integer_set(json_object_get(item, key),
			       json_integer_value(json_object_get(item, key)) + 1);
}

static int names_add(struct names *n, json_t *object, bool is_denied)
{
	struct strbuf key = STRBUF_INIT(READER_LINE_MAX);
	json_t *item;
	int r = 0;

	/* A key of jansson ends at a NUL, so it is not taken as it is. */
	escape_terminal(&key, (struct bytes){.p = json_string_value(object),
					     .len = json_string_length(object)});
	item = json_object_get(n->items, strbuf_str(&key));
	if (!item && (json_object_size(n->items) >= ACTIVITY_MAX_NAMES || strbuf_error(&key))) {
		n->unlisted++;
	} else if (!item) {
		item = name_item(object);
		if (json_object_set_new(n->items, strbuf_str(&key), item) < 0)
			r = -ENOMEM;
	}
	if (r == 0 && item) {
		increment(item, "count");
		if (is_denied)
			increment(item, "denied");
	}
	strbuf_fini(&key);
	return r;
}

/* The directory of a file, "/" for one in the root. */
static int dirs_add(struct names *n, const json_t *object, bool is_denied)
{
	struct bytes path = {.p = json_string_value(object), .len = json_string_length(object)};
	const char *slash = path.len ? memrchr(path.p, '/', path.len) : NULL;
	json_t *dir;
	int r;

	if (!slash)
		return 0;
	dir = json_stringn(path.p, MAX((size_t)(slash - path.p), (size_t)1));
	r = dir ? names_add(n, dir, is_denied) : -ENOMEM;
	json_decref(dir);
	return r;
}

static int add_names(struct activity *a, const json_t *root, enum action_kind kind, bool is_denied)
{
	json_t *object = json_object_get(root, "object");
	bool is_read = streq(reader_word(root, "op"), "read");
	int r;

	if (!json_is_string(object))
		return 0;
	if (kind == KIND_NETWORK)
		return names_add(&a->names[NAMES_PLACES], object, is_denied);
	if (kind != KIND_PATH)
		return 0;
	r = names_add(&a->names[is_read ? NAMES_READ : NAMES_CHANGED], object, is_denied);
	if (r == 0)
		r = dirs_add(&a->names[is_read ? NAMES_DIRS_READ : NAMES_DIRS_CHANGED], object,
			     is_denied);
	return r;
}

int activity_add(struct activity *a, const struct reader_line *line, enum action_kind kind,
		 enum verdict verdict)
{
	struct bucket *b = bucket_at(a, line->time_ns);
	double cost = json_number_value(json_object_get(line->root, "cost"));

	b->by_verdict[verdict]++;
	b->by_kind[kind]++;
	a->counts[kind][verdict]++;
	if (cost > 0 && (verdict != VERDICT_DENY || kind == KIND_SPEND))
		b->cost += cost;
	return add_names(a, line->root, kind, verdict == VERDICT_DENY);
}

/* ---- as JSON */

static json_t *number(uint64_t n)
{
	return json_integer((json_int_t)n);
}

static json_t *verdicts_json(const uint64_t n[static _VERDICT_MAX])
{
	json_t *o = json_object();

	for (int v = 0; v < _VERDICT_MAX; v++)
		(void)json_object_set_new(o, verdict_name((enum verdict)v), number(n[v]));
	return o;
}

static json_t *kinds_json(const uint64_t n[static _KIND_MAX])
{
	json_t *o = json_object();

	for (int k = 0; k < _KIND_MAX; k++)
		(void)json_object_set_new(o, kind_name((enum action_kind)k), number(n[k]));
	return o;
}

static bool is_empty(const struct bucket *b)
{
	uint64_t n = 0;

	for (size_t v = 0; v < _VERDICT_MAX; v++)
		n += b->by_verdict[v];
	return n == 0;
}

static json_t *timeline_json(const struct activity *a)
{
	json_t *o = json_object(), *list = json_array();
	size_t n = ACTIVITY_BUCKETS;

	while (n && is_empty(&a->buckets[n - 1]))
		n--;
	for (size_t i = 0; i < n; i++) {
		const struct bucket *b = &a->buckets[i];
		json_t *item = json_object();

		(void)json_object_set_new(item, "by_verdict", verdicts_json(b->by_verdict));
		(void)json_object_set_new(item, "by_kind", kinds_json(b->by_kind));
		(void)json_object_set_new(item, "cost", json_real(b->cost));
		(void)json_array_append_new(list, item);
	}
	(void)json_object_set_new(o, "start_ns", number(a->start_ns));
	(void)json_object_set_new(o, "bucket_ns", number(a->bucket_ns));
	(void)json_object_set_new(o, "buckets", list);
	return o;
}

static int by_count(const void *a, const void *b)
{
	const json_t *x = *(json_t *const *)a, *y = *(json_t *const *)b;
	uint64_t n = reader_u64(x, "count"), m = reader_u64(y, "count");

	if (n != m)
		return n > m ? -1 : 1;
	return strcmp(reader_word(x, "object"), reader_word(y, "object"));
}

static json_t *names_json(const struct names *n)
{
	_cleanup_(freep) json_t **sorted = NULL;
	json_t *o = json_object(), *list = json_array(), *item;
	const char *key;
	size_t count = 0;

	sorted = calloc(json_object_size(n->items) + 1, sizeof(json_t *));
	if (sorted) {
		json_object_foreach(n->items, key, item) sorted[count++] = item;
		qsort(sorted, count, sizeof(json_t *), by_count);
	}
	for (size_t i = 0; i < count; i++)
		(void)json_array_append(list, sorted[i]);
	(void)json_object_set_new(o, "list", list);
	(void)json_object_set_new(o, "unlisted", number(n->unlisted));
	return o;
}

int activity_finish(const struct activity *a, json_t *report)
{
	static const char *const keys[] = {
		[NAMES_READ] = "read",
		[NAMES_CHANGED] = "changed",
		[NAMES_DIRS_READ] = "directories_read",
		[NAMES_DIRS_CHANGED] = "directories_changed",
	};
	json_t *files = json_object(), *kinds = json_object();

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		(void)json_object_set_new(files, keys[i], names_json(&a->names[i]));
	for (int k = 0; k < _KIND_MAX; k++)
		(void)json_object_set_new(kinds, kind_name((enum action_kind)k),
					  verdicts_json(a->counts[k]));
	if (json_object_set_new(report, "timeline", timeline_json(a)) < 0 ||
	    json_object_set_new(report, "kinds", kinds) < 0 ||
	    json_object_set_new(report, "files", files) < 0 ||
	    json_object_set_new(report, "places", names_json(&a->names[NAMES_PLACES])) < 0)
		return -ENOMEM;
	return 0;
}
