/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>

#include "base/clock.h"
#include "base/escape.h"

#include "audit/report_private.h"

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

/* @root's own value, or null. */
static json_t *copy_of(const json_t *root, const char *key)
{
	json_t *v = json_object_get(root, key);

	return v ? json_incref(v) : json_null();
}

static int copy_key(json_t *to, const json_t *root, const char *key)
{
	return json_object_set_new(to, key, copy_of(root, key));
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

#define HOUR_NS (3600 * NS_PER_SEC)

/* To a tenth. What took less than an hour counts as one: three questions in a minute are no 180. */
static json_t *questions_per_hour(const struct report *r)
{
	uint64_t span_ns = MAX(r->last_ns - r->first_ns, HOUR_NS);
	double n = (double)r->n_questions * (double)HOUR_NS / (double)span_ns;

	return json_real((double)(uint64_t)(n * 10 + 0.5) / 10);
}

static json_t *hold_counts(const struct report *r)
{
	uint64_t answered = r->n_approved + r->n_denied + r->n_timed_out + r->n_gone;
	json_t *o = json_object();

	(void)json_object_set_new(o, "total", number(r->n_holds));
	(void)json_object_set_new(o, "questions", number(r->n_questions));
	(void)json_object_set_new(o, "questions_per_hour", questions_per_hour(r));
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

json_t *report_string(const char *s)
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
	(void)json_object_set_new(o, "log", report_string(log));
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
	if (json_is_array(json_object_get(r->end, "accepted")))
		(void)json_object_set(o, "accepted", json_object_get(r->end, "accepted"));
}

static json_t *session_json(const struct report_session *now)
{
	static const char *const keys[] = {"session", "agent", "command"};
	const char *state = now->is_live ? "running" : "killed";
	json_t *o = json_object();

	if (now->end)
		state = "ended";
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		(void)copy_key(o, now->first, keys[i]);
	(void)json_object_set(o, "log", now->log);
	(void)json_object_set_new(o, "state", json_string(state));
	(void)json_object_set_new(o, "started", copy_of(now->first, "time"));
	(void)json_object_set_new(o, "ended", copy_of(now->end, "time"));
	(void)copy_key(o, now->end, "exit");
	(void)copy_key(o, now->end, "signal");
	(void)json_object_set_new(o, "total", number(now->total));
	if (json_object_set_new(o, "denied", number(now->denied)) < 0) {
		json_decref(o);
		return NULL;
	}
	return o;
}

void report_session_fini(struct report_session *s)
{
	json_decref(s->first);
	json_decref(s->end);
	json_decref(s->log);
	*s = (struct report_session){};
}

int report_end_session(struct report *r)
{
	int rc = 0;

	if (r->now.n_records && json_array_size(r->sessions) >= REPORT_MAX_SESSIONS)
		r->sessions_unlisted++;
	else if (r->now.n_records)
		rc = json_array_append_new(r->sessions, session_json(&r->now)) < 0 ? -ENOMEM : 0;
	report_session_fini(&r->now);
	return rc;
}

/* A report on several sessions tells of none what is only one's. */
static int make_common(struct report *r, json_t *o)
{
	static const char *const keys[] = {"session",  "agent", "log",  "command",
					   "exe",      "cwd",   "mode", "state",
					   "policies", "ended", "exit", "signal"};
	json_t *sessions;

	if (report_end_session(r) < 0)
		return -ENOMEM;
	sessions = json_object();
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		(void)json_object_set_new(o, keys[i], json_null());
	(void)json_object_set_new(o, "duration_ns", number(r->last_ns - r->first_ns));
	(void)json_object_set(sessions, "list", r->sessions);
	(void)json_object_set_new(sessions, "unlisted", number(r->sessions_unlisted));
	return json_object_set_new(o, "sessions", sessions) < 0 ? -ENOMEM : 0;
}

static json_t *since_json(uint64_t since_ns)
{
	char text[CLOCK_RFC3339_SIZE];

	if (!since_ns)
		return json_null();
	clock_format_rfc3339(since_ns, text);
	return json_string(text);
}

/* What other files have counted. */
static int add_elsewhere(struct report *r, json_t *o)
{
	bool is_all = r->config.is_all;

	(void)json_object_set_new(o, "since", since_json(r->config.since_ns));
	(void)json_object_set_new(o, "processes", proctree_json(r->tree, REPORT_MAX_PROCESSES));
	if (activity_finish(r->activity, o) < 0 || (is_all && make_common(r, o) < 0))
		return -ENOMEM;
	return agentpolicy_report_finish(r->agentpolicy, is_all ? NULL : r->start,
					 is_all ? NULL : r->end, o);
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
	(void)json_object_set_new(o, "earlier_sessions", number(r->earlier_sessions));
	if (add_elsewhere(r, o) < 0 || !json_object_get(o, "processes")) {
		json_decref(o);
		return NULL;
	}
	return o;
}
