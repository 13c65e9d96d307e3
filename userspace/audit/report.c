/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>

#include "base/escape.h"
#include "base/sha256.h"

#include "audit/report_private.h"

static void report_clear(struct report *r)
{
	json_t *const all[] = {r->start,        r->end,           r->first,
			       r->denied.items, r->flagged.items, r->would_deny.items,
			       r->holds,        r->notices,       r->sessions,
			       r->waiting,      r->asking};

	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		json_decref(all[i]);
	activity_free(r->activity);
	proctree_free(r->tree);
	agentpolicy_report_free(r->agentpolicy);
	*r = (struct report){.damaged_lines = r->damaged_lines,
			     .earlier_sessions = r->earlier_sessions,
			     .config = r->config,
			     .log = r->log,
			     .now = r->now};
}

static int report_init(struct report *r)
{
	r->denied.items = json_object();
	r->flagged.items = json_object();
	r->would_deny.items = json_object();
	r->holds = json_object();
	r->waiting = json_object();
	r->asking = json_object();
	r->notices = json_array();
	r->sessions = json_array();
	r->activity = activity_new();
	r->tree = proctree_new();
	r->agentpolicy = agentpolicy_report_new();
	return r->denied.items && r->flagged.items && r->would_deny.items && r->holds &&
			       r->waiting && r->asking && r->notices && r->sessions &&
			       r->activity && r->tree && r->agentpolicy
		       ? 0
		       : -ENOMEM;
}

int report_new(const struct report_config *config, struct report **ret)
{
	struct report *r;

	r = calloc(1, sizeof(*r));
	if (!r || report_init(r) < 0) {
		report_free(r);
		return -ENOMEM;
	}
	if (config)
		r->config = *config;
	*ret = r;
	return 0;
}

struct report *report_free(struct report *r)
{
	if (r) {
		report_clear(r);
		report_session_fini(&r->now);
		json_decref(r->log.name);
	}
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
					   "policy", "reason", "argv",   "suggest"};
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
	static const char *const keys[] = {"time", "kind", "op",    "object",
					   "argv", "rule", "reason"};
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

/* The same digest: an answer to one is an answer to all that wait. */
static int question_key(const json_t *root, char out[static 2 * SHA256_BYTES + 1])
{
	static const char *const keys[] = {"kind", "op", "object", "argv", "rule"};
	json_t *item = item_new(root, keys, ARRAY_SIZE(keys));
	_cleanup_(freep) char *text = item ? json_dumps(item, JSON_COMPACT) : NULL;
	unsigned char digest[SHA256_BYTES];

	json_decref(item);
	if (!text)
		return -ENOMEM;
	sha256(bytes_of(text), digest);
	for (size_t i = 0; i < sizeof(digest); i++)
		(void)snprintf(out + 2 * i, 3, "%02x", digest[i]);
	return 0;
}

static int question_add(struct report *r, const json_t *root)
{
	char key[2 * SHA256_BYTES + 1];
	json_int_t n;

	if (question_key(root, key) < 0)
		return -ENOMEM;
	n = json_integer_value(json_object_get(r->asking, key));
	r->n_questions += n == 0;
	if (json_object_set_new(r->asking, key, json_integer(n + 1)) < 0 ||
	    json_object_set_new(r->waiting, reader_word(root, "held"), json_string(key)) < 0)
		return -ENOMEM;
	return 0;
}

static int question_end(struct report *r, const char *id)
{
	const char *key = json_string_value(json_object_get(r->waiting, id));
	json_int_t n;
	int rc;

	if (!key)
		return 0;
	n = json_integer_value(json_object_get(r->asking, key));
	rc = n > 1 ? json_object_set_new(r->asking, key, json_integer(n - 1))
		   : json_object_del(r->asking, key);
	return rc < 0 || json_object_del(r->waiting, id) < 0 ? -ENOMEM : 0;
}

static int hold_end(struct report *r, const json_t *root)
{
	const char *outcome;
	json_t *item = NULL;
	int rc;

	if (question_end(r, reader_word(root, "held")) < 0)
		return -ENOMEM;
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

/* The parts of the report that other files count. */
static int add_elsewhere(struct report *r, const struct reader_line *line, enum action_kind kind,
			 enum verdict verdict)
{
	int rc;

	rc = activity_add(r->activity, line, kind, verdict);
	return rc < 0 ? rc : agentpolicy_report_add(r->agentpolicy, line, kind, verdict);
}

static int add_action(struct report *r, const struct reader_line *line)
{
	const json_t *root = line->root;
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
	r->now.total++;
	r->now.denied += verdict == VERDICT_DENY;
	return rc < 0 ? rc : add_elsewhere(r, line, kind, verdict);
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

static int add_held(struct report *r, const struct reader_line *line)
{
	enum action_kind kind;
	json_t *item;
	int rc;

	rc = hold_entry(r, line->root, &item);
	if (rc == 0)
		rc = question_add(r, line->root);
	if (rc == 0 && kind_parse(bytes_of(reader_word(line->root, "kind")), &kind) == 0)
		rc = agentpolicy_report_add(r->agentpolicy, line, kind, VERDICT_ASK);
	return rc;
}

static int begin_session(struct report *r, const struct reader_line *line)
{
	int rc = 0;

	if (r->config.is_all) {
		rc = report_end_session(r);
		agentpolicy_report_next_session(r->agentpolicy);
		/* What a killed session left open is asked about no longer. */
		(void)json_object_clear(r->waiting);
		(void)json_object_clear(r->asking);
		r->last_seq = 0;
	} else {
		if (r->now.first)
			r->earlier_sessions++;
		report_clear(r);
		rc = report_init(r);
	}
	report_session_fini(&r->now);
	r->now = (struct report_session){.first = json_incref(line->root),
					 .log = json_incref(r->log.name),
					 .is_live = r->log.is_live};
	return rc;
}

/* Records of one session are numbered without gaps. */
static void follow_seq(struct report *r, const json_t *root)
{
	uint64_t seq = reader_u64(root, "seq");

	if (seq > r->last_seq + 1)
		r->missing += seq - r->last_seq - 1;
	r->last_seq = MAX(r->last_seq, seq);
}

static bool is_new_session(const struct report *r, const json_t *root)
{
	return !r->now.first || streq(reader_word(root, "event"), "session_start") ||
	       !streq(reader_word(root, "session"), reader_word(r->now.first, "session"));
}

static void keep_edges(struct report *r, const struct reader_line *line)
{
	const char *event = reader_word(line->root, "event");

	if (!r->first) {
		r->first = json_incref(line->root);
		r->first_ns = line->time_ns;
	}
	r->first_ns = MIN(r->first_ns, line->time_ns);
	r->last_ns = MAX(r->last_ns, line->time_ns);
	r->now.n_records++;
	if (streq(event, "session_end") && !r->now.end)
		r->now.end = json_incref(line->root);
	if (streq(event, "session_end") && !r->end)
		r->end = json_incref(line->root);
}

void report_begin_log(struct report *r, const char *log, bool is_live)
{
	json_decref(r->log.name);
	r->log = (struct report_log){.name = report_string(log), .is_live = is_live};
}

int report_add(struct report *r, const struct reader_line *line)
{
	const char *event = reader_word(line->root, "event");
	bool is_start = streq(event, "session_start");
	int rc = 0;

	if (is_new_session(r, line->root))
		rc = begin_session(r, line);
	if (rc < 0)
		return rc;
	follow_seq(r, line->root);
	if (is_start && !r->start)
		r->start = json_incref(line->root);
	rc = proctree_add(r->tree, line->root, line->time_ns >= r->config.since_ns, NULL);
	if (rc < 0 || line->time_ns < r->config.since_ns)
		return rc;
	keep_edges(r, line);
	if (streq(event, "action"))
		return add_action(r, line);
	if (streq(event, "held"))
		return add_held(r, line);
	return streq(event, "notice") ? add_notice(r, line->root) : 0;
}
