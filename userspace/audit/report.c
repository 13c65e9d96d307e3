/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>

#include "base/escape.h"

#include "audit/report.h"

/* A list of distinct things with how often each was met. */
struct tally {
	json_t *items;     /* object: key of the thing -> {kind, op, object, ..., count} */
	uint64_t unlisted; /* records about things that were not kept */
};

struct report {
	json_t *start, *end; /* session_start and session_end, NULL when not there */
	json_t *first;       /* the first record, for the session's name */
	uint64_t first_ns, last_ns;
	uint64_t last_seq, missing;
	uint64_t damaged_lines, earlier_sessions;
	uint64_t total, by_verdict[_VERDICT_MAX], would_have[_VERDICT_MAX], by_kind[_KIND_MAX];
	struct tally denied, flagged, would_deny;
	json_t *holds; /* object: id -> entry */
	uint64_t n_holds, n_approved, n_denied, n_timed_out, n_gone;
	uint64_t holds_unlisted;
	json_t *notices;
	uint64_t notices_unlisted;
};

static void report_clear(struct report *r)
{
	json_t *const all[] = {r->start,        r->end,           r->first,
			       r->denied.items, r->flagged.items, r->would_deny.items,
			       r->holds,        r->notices};

	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		json_decref(all[i]);
	*r = (struct report){.damaged_lines = r->damaged_lines,
			     .earlier_sessions = r->earlier_sessions};
}

static int report_init(struct report *r)
{
	r->denied.items = json_object();
	r->flagged.items = json_object();
	r->would_deny.items = json_object();
	r->holds = json_object();
	r->notices = json_array();
	return r->denied.items && r->flagged.items && r->would_deny.items && r->holds && r->notices
		       ? 0
		       : -ENOMEM;
}

int report_new(struct report **ret)
{
	struct report *r;

	r = calloc(1, sizeof(*r));
	if (!r || report_init(r) < 0) {
		report_free(r);
		return -ENOMEM;
	}
	*ret = r;
	return 0;
}

struct report *report_free(struct report *r)
{
	if (r)
		report_clear(r);
	free(r);
	return NULL;
}

void report_freep(struct report **r)
{
	*r = report_free(*r);
}

void report_add_damaged(struct report *r)
{
	r->damaged_lines++;
}

static uint64_t increment(json_t *item, const char *key)
{
	uint64_t n = reader_u64(item, key) + 1;

	(void)json_integer_set(json_object_get(item, key), (json_int_t)n);
	return n;
}

/* Sets @key to the record's own value, or null. Jansson's *_new functions take NULL for out of
 * memory. */
static int copy_key(json_t *to, const json_t *root, const char *key)
{
	json_t *v = json_object_get(root, key);

	return json_object_set_new(to, key, v ? json_incref(v) : json_null());
}

static json_t *item_new(const json_t *root, const char *const *keys, size_t n)
{
	json_t *item = json_object();

	for (size_t i = 0; item && i < n; i++)
		if (copy_key(item, root, keys[i]) < 0) {
			json_decref(item);
			item = NULL;
		}
	return item;
}

/* One string from several: what agents can write into one cannot be mistaken for the border. */
static void item_key(const json_t *root, const char *const *keys, size_t n, struct strbuf *out)
{
	for (size_t i = 0; i < n; i++) {
		const json_t *v = json_object_get(root, keys[i]);

		escape_terminal(out, (struct bytes){.p = json_string_value(v),
						    .len = json_string_length(v)});
		strbuf_add_char(out, '\n');
	}
}

static int tally_add(struct tally *t, const json_t *root)
{
	static const char *const keys[] = {"kind",   "op",     "object", "rule",
					   "policy", "reason", "argv"};
	const size_t n_identity = 5; /* reason and arguments are those of the first one met */
	struct strbuf key = STRBUF_INIT(READER_LINE_MAX);
	json_t *item;
	int r = 0;

	item_key(root, keys, n_identity, &key);
	item = json_object_get(t->items, strbuf_str(&key));
	if (item) {
		(void)increment(item, "count");
	} else if (json_object_size(t->items) >= REPORT_MAX_ITEMS || strbuf_error(&key)) {
		t->unlisted++;
	} else {
		item = item_new(root, keys, ARRAY_SIZE(keys));
		if (!item || json_object_set_new(item, "count", json_integer(1)) < 0 ||
		    json_object_set(t->items, strbuf_str(&key), item) < 0)
			r = -ENOMEM;
		json_decref(item);
	}
	strbuf_fini(&key);
	return r;
}

/* The entry of the hold that @root names, made when it is new and there is room: the answer's
 * record may stand before the question's. */
static int hold_entry(struct report *r, const json_t *root, json_t **ret)
{
	static const char *const keys[] = {"time", "kind", "op", "object", "argv"};
	const char *id = reader_word(root, "held");
	json_t *item = json_object_get(r->holds, id);
	int rc;

	*ret = item;
	if (item)
		return 0;
	r->n_holds++;
	if (json_object_size(r->holds) >= REPORT_MAX_HOLDS) {
		r->holds_unlisted++;
		return 0;
	}
	item = item_new(root, keys, ARRAY_SIZE(keys));
	if (!item)
		return -ENOMEM;
	rc = json_object_set_new(item, "id", json_string(id));
	if (rc == 0)
		rc = json_object_set_new(item, "outcome", json_string("open"));
	if (rc == 0)
		rc = json_object_set_new(item, "approver", json_null());
	if (rc == 0)
		rc = json_object_set_new(item, "waited_ns", json_null());
	if (rc == 0)
		rc = json_object_set(r->holds, id, item);
	json_decref(item);
	*ret = item;
	return rc < 0 ? -ENOMEM : 0;
}

static const char *hold_outcome(struct report *r, const json_t *root)
{
	const char *approver = reader_word(root, "approver");

	if (!streq(reader_word(root, "verdict"), "deny")) {
		r->n_approved++;
		return "approved";
	}
	if (streq(approver, "timeout")) {
		r->n_timed_out++;
		return "timeout";
	}
	if (streq(approver, "signal") || streq(approver, "exit") || streq(approver, "shutdown")) {
		r->n_gone++;
		return "gone";
	}
	r->n_denied++;
	return "denied";
}

static int hold_end(struct report *r, const json_t *root)
{
	const char *outcome;
	json_t *item = NULL;
	int rc;

	rc = hold_entry(r, root, &item);
	outcome = hold_outcome(r, root);
	if (rc < 0 || !item)
		return rc;
	if (json_object_set_new(item, "outcome", json_string(outcome)) < 0 ||
	    copy_key(item, root, "approver") < 0 ||
	    json_object_set_new(item, "waited_ns",
				json_integer((json_int_t)reader_u64(root, "latency_ns"))) < 0)
		return -ENOMEM;
	return 0;
}

static int add_action(struct report *r, const json_t *root)
{
	enum verdict verdict, would_have;
	enum action_kind kind;
	int rc = 0;

	if (verdict_parse(bytes_of(reader_word(root, "verdict")), &verdict) < 0 ||
	    verdict_parse(bytes_of(reader_word(root, "would_have")), &would_have) < 0 ||
	    kind_parse(bytes_of(reader_word(root, "kind")), &kind) < 0) {
		r->damaged_lines++;
		return 0;
	}
	r->total++;
	r->by_verdict[verdict]++;
	r->would_have[would_have]++;
	r->by_kind[kind]++;
	if (json_is_string(json_object_get(root, "held")))
		rc = hold_end(r, root);
	else if (verdict < VERDICT_ASK && would_have >= VERDICT_ASK)
		rc = tally_add(&r->would_deny, root);
	if (rc == 0 && verdict == VERDICT_DENY)
		rc = tally_add(&r->denied, root);
	if (rc == 0 && verdict == VERDICT_FLAG)
		rc = tally_add(&r->flagged, root);
	return rc;
}

static int add_notice(struct report *r, const json_t *root)
{
	static const char *const keys[] = {"time", "note"};

	if (json_array_size(r->notices) >= REPORT_MAX_NOTICES) {
		r->notices_unlisted++;
		return 0;
	}
	return json_array_append_new(r->notices, item_new(root, keys, ARRAY_SIZE(keys))) < 0
		       ? -ENOMEM
		       : 0;
}

static int begin_session(struct report *r)
{
	if (r->first)
		r->earlier_sessions++;
	report_clear(r);
	return report_init(r);
}

/* Records of one session are numbered without gaps. */
static void follow_seq(struct report *r, const json_t *root)
{
	uint64_t seq = reader_u64(root, "seq");

	if (seq > r->last_seq + 1)
		r->missing += seq - r->last_seq - 1;
	r->last_seq = MAX(r->last_seq, seq);
}

int report_add(struct report *r, const struct reader_line *line)
{
	const char *event = reader_word(line->root, "event");
	int rc = 0;

	if (streq(event, "session_start") || (r->first && !streq(reader_word(line->root, "session"),
								 reader_word(r->first, "session"))))
		rc = begin_session(r);
	if (rc < 0)
		return rc;
	if (!r->first) {
		r->first = json_incref(line->root);
		r->first_ns = line->time_ns;
	}
	r->last_ns = MAX(r->last_ns, line->time_ns);
	follow_seq(r, line->root);
	if (streq(event, "action"))
		return add_action(r, line->root);
	if (streq(event, "held")) {
		json_t *item;

		return hold_entry(r, line->root, &item);
	}
	if (streq(event, "notice"))
		return add_notice(r, line->root);
	if (streq(event, "session_start") && !r->start)
		r->start = json_incref(line->root);
	if (streq(event, "session_end") && !r->end)
		r->end = json_incref(line->root);
	return 0;
}

static int by_count(const void *a, const void *b)
{
	const json_t *x = *(json_t *const *)a, *y = *(json_t *const *)b;
	uint64_t n = reader_u64(x, "count"), m = reader_u64(y, "count");
	int order;

	if (n != m)
		return n > m ? -1 : 1;
	order = strcmp(reader_word(x, "object"), reader_word(y, "object"));
	return order ? order : strcmp(reader_word(x, "op"), reader_word(y, "op"));
}

/* The values of @items as an array, in the order of @compare, or of arrival. */
static json_t *values(json_t *items, int (*compare)(const void *, const void *))
{
	_cleanup_(freep) json_t **list = NULL;
	json_t *array = json_array(), *item;
	const char *key;
	size_t n = 0;

	list = calloc(json_object_size(items) + 1, sizeof(json_t *));
	if (!array || !list) {
		json_decref(array);
		return NULL;
	}
	json_object_foreach(items, key, item) list[n++] = item;
	if (compare)
		qsort(list, n, sizeof(json_t *), compare);
	for (size_t i = 0; i < n; i++)
		if (json_array_append(array, list[i]) < 0) {
			json_decref(array);
			return NULL;
		}
	return array;
}

static json_t *number(uint64_t n)
{
	return json_integer((json_int_t)n);
}

static json_t *verdict_counts(const uint64_t n[static _VERDICT_MAX])
{
	json_t *o = json_object();

	for (int v = 0; v < _VERDICT_MAX; v++)
		(void)json_object_set_new(o, verdict_name((enum verdict)v), number(n[v]));
	return o;
}

static json_t *action_counts(const struct report *r)
{
	json_t *o = json_object(), *kinds = json_object();

	for (int k = 0; k < _KIND_MAX; k++)
		(void)json_object_set_new(kinds, kind_name((enum action_kind)k),
					  number(r->by_kind[k]));
	(void)json_object_set_new(o, "total", number(r->total));
	(void)json_object_set_new(o, "by_verdict", verdict_counts(r->by_verdict));
	(void)json_object_set_new(o, "would_have", verdict_counts(r->would_have));
	(void)json_object_set_new(o, "by_kind", kinds);
	return o;
}

static json_t *hold_counts(const struct report *r)
{
	uint64_t answered = r->n_approved + r->n_denied + r->n_timed_out + r->n_gone;
	json_t *o = json_object();

	(void)json_object_set_new(o, "total", number(r->n_holds));
	(void)json_object_set_new(o, "approved", number(r->n_approved));
	(void)json_object_set_new(o, "denied", number(r->n_denied));
	(void)json_object_set_new(o, "timeout", number(r->n_timed_out));
	(void)json_object_set_new(o, "gone", number(r->n_gone));
	(void)json_object_set_new(o, "open",
				  number(r->n_holds > answered ? r->n_holds - answered : 0));
	(void)json_object_set_new(o, "list", values(r->holds, NULL));
	(void)json_object_set_new(o, "unlisted", number(r->holds_unlisted));
	return o;
}

static json_t *tally_json(const struct tally *t)
{
	json_t *o = json_object();

	(void)json_object_set_new(o, "list", values(t->items, by_count));
	(void)json_object_set_new(o, "unlisted", number(t->unlisted));
	return o;
}

static json_t *notices_json(const struct report *r)
{
	json_t *o = json_object();

	(void)json_object_set(o, "list", r->notices);
	(void)json_object_set_new(o, "unlisted", number(r->notices_unlisted));
	return o;
}

/* A string of our own bytes, by the log's rule for those that are not UTF-8. */
static json_t *string_of(const char *s)
{
	struct strbuf text = STRBUF_INIT(READER_LINE_MAX);
	json_t *v;

	strbuf_add_char(&text, '"');
	escape_json(&text, bytes_of(s));
	strbuf_add_char(&text, '"');
	v = json_loadb(strbuf_str(&text), text.len, JSON_DECODE_ANY, NULL);
	strbuf_fini(&text);
	return v;
}

static void add_session(json_t *o, const struct report *r, const char *log)
{
	static const char *const keys[] = {"command", "exe", "cwd", "mode", "policies"};

	(void)json_object_set_new(o, "v", number(1));
	(void)copy_key(o, r->first, "session");
	(void)copy_key(o, r->first, "agent");
	(void)json_object_set_new(o, "log", string_of(log));
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		(void)copy_key(o, r->start, keys[i]);
}

static void add_end(json_t *o, const struct report *r, bool is_live)
{
	const char *state = is_live ? "running" : "killed";
	uint64_t duration = r->last_ns - r->first_ns;

	if (r->end) {
		state = "ended";
		duration = reader_u64(r->end, "duration_ns");
	}
	(void)json_object_set_new(o, "state", json_string(state));
	(void)json_object_set_new(o, "started",
				  r->first ? json_incref(json_object_get(r->first, "time"))
					   : json_null());
	(void)json_object_set_new(
		o, "ended", r->end ? json_incref(json_object_get(r->end, "time")) : json_null());
	(void)json_object_set_new(o, "duration_ns", number(duration));
	(void)copy_key(o, r->end, "exit");
	(void)copy_key(o, r->end, "signal");
}

json_t *report_finish(struct report *r, const char *log, bool is_live)
{
	json_t *o = json_object();

	/* A key that could not be set for want of memory is missed below. */
	add_session(o, r, log);
	add_end(o, r, is_live);
	(void)json_object_set_new(o, "actions", action_counts(r));
	(void)json_object_set_new(o, "holds", hold_counts(r));
	(void)json_object_set_new(o, "denied", tally_json(&r->denied));
	(void)json_object_set_new(o, "flagged", tally_json(&r->flagged));
	(void)json_object_set_new(o, "would_deny", tally_json(&r->would_deny));
	(void)json_object_set_new(o, "notices", notices_json(r));
	(void)json_object_set_new(o, "missing_records", number(r->missing));
	(void)json_object_set_new(o, "damaged_lines", number(r->damaged_lines));
	if (json_object_set_new(o, "earlier_sessions", number(r->earlier_sessions)) < 0) {
		json_decref(o);
		return NULL;
	}
	return o;
}
