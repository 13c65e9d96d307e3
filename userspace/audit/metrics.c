/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <stdio.h>

#include "audit/ring.h"
#include "audit/show.h"
#include "base/json.h"

#include "audit/metrics.h"

#define LABEL_MAX   ((size_t)100) /* bytes of a label's value, about */
#define OTHERS      "(others)"
#define BUCKETS_MAX 13

struct series {
	uint64_t hash;
	size_t kind, verdict; /* _KIND_MAX, _VERDICT_MAX: another word */
	char *policy, *rule;  /* as they are shown; "": none */
	uint64_t n;
};

struct histogram {
	uint64_t buckets[BUCKETS_MAX]; /* not cumulated */
	uint64_t n, sum_ns;
};

enum hold_end {
	HOLD_END_APPROVED,
	HOLD_END_DENIED,
	HOLD_END_TIMEOUT,
	HOLD_END_GONE,
	_HOLD_END_MAX,
};

enum session_state {
	SESSION_RUNNING,
	SESSION_ENDED,
	SESSION_KILLED,
	_SESSION_STATE_MAX,
};

struct metrics {
	struct series series[METRICS_MAX_SERIES + (_KIND_MAX + 1) * (_VERDICT_MAX + 1)];
	size_t n_series;
	struct histogram latency, holds;
	uint64_t let_through[_VERDICT_MAX];
	uint64_t hold_ends[_HOLD_END_MAX];
	uint64_t sessions[_SESSION_STATE_MAX];
	uint64_t notices, lost, damaged, lag_bytes;
	int64_t held;
	double spent, reported;

	/* Of the log that is being read: */
	char session[128];
	bool is_open; /* a session began, or went on, and did not end */
	int64_t open_holds;
	uint64_t last_seq;
};

static const uint64_t latency_bounds_ns[] = {5000,    10000,    25000,    50000,
					     100000,  250000,   500000,   1000000,
					     5000000, 10000000, 50000000, 1000000000};
static const uint64_t hold_bounds_ns[] = {1 * NS_PER_SEC,   5 * NS_PER_SEC,   15 * NS_PER_SEC,
					  60 * NS_PER_SEC,  300 * NS_PER_SEC, 900 * NS_PER_SEC,
					  3600 * NS_PER_SEC};
_Static_assert(ARRAY_SIZE(latency_bounds_ns) < BUCKETS_MAX, "and one for what is longer");
_Static_assert(ARRAY_SIZE(hold_bounds_ns) < BUCKETS_MAX, "and one for what is longer");

static const char *const hold_end_names[_HOLD_END_MAX] = {
	[HOLD_END_APPROVED] = "approved",
	[HOLD_END_DENIED] = "denied",
	[HOLD_END_TIMEOUT] = "timeout",
	[HOLD_END_GONE] = "gone",
};

static const char *const state_names[_SESSION_STATE_MAX] = {
	[SESSION_RUNNING] = "running",
	[SESSION_ENDED] = "ended",
	[SESSION_KILLED] = "killed",
};

int metrics_new(struct metrics **ret)
{
	*ret = calloc(1, sizeof(**ret));
	return *ret ? 0 : -ENOMEM;
}

struct metrics *metrics_free(struct metrics *m)
{
	for (size_t i = 0; m && i < m->n_series; i++) {
		free(m->series[i].policy);
		free(m->series[i].rule);
	}
	free(m);
	return NULL;
}

void metrics_freep(struct metrics **m)
{
	*m = metrics_free(*m);
}

uint64_t metrics_lag(const char *path)
{
	struct strbuf name = STRBUF_INIT(8192);
	uint64_t lag;

	strbuf_add_fmt(&name, "%s.ring", path);
	lag = strbuf_error(&name) ? 0 : ring_lag(AT_FDCWD, strbuf_str(&name));
	strbuf_fini(&name);
	return lag;
}

/* ---- counting */

static uint64_t hash_add(uint64_t hash, const char *s)
{
	/* FNV-1a, the NUL included: "a" "bc" is not "ab" "c". */
	do
		hash = (hash ^ (unsigned char)*s) * UINT64_C(0x100000001b3);
	while (*s++);
	return hash;
}

/* Return: the series, made when it is new and there is room; NULL. */
static struct series *find_series(struct metrics *m, const struct series *key, size_t max)
{
	struct series *s;

	for (size_t i = 0; i < m->n_series; i++) {
		s = &m->series[i];
		if (s->hash == key->hash && s->kind == key->kind && s->verdict == key->verdict &&
		    streq(s->policy, key->policy) && streq(s->rule, key->rule))
			return s;
	}
	if (m->n_series >= max)
		return NULL;
	s = &m->series[m->n_series];
	*s = (struct series){.hash = key->hash,
			     .kind = key->kind,
			     .verdict = key->verdict,
			     .policy = strdup(key->policy),
			     .rule = strdup(key->rule)};
	m->n_series++; /* freed with the others, even when it is half made */
	return s;
}

static void hash_series(struct series *s)
{
	s->hash = hash_add(hash_add(UINT64_C(0xcbf29ce484222325), s->policy), s->rule);
}

static int count_decision(struct metrics *m, const json_t *root)
{
	struct strbuf policy = STRBUF_INIT(READER_LINE_MAX), rule = STRBUF_INIT(READER_LINE_MAX);
	char none[] = "", others[] = OTHERS;
	enum action_kind kind = _KIND_MAX;
	enum verdict verdict = _VERDICT_MAX;
	struct series key, *s;

	if (kind_parse(bytes_of(reader_word(root, "kind")), &kind) < 0)
		kind = _KIND_MAX;
	if (verdict_parse(bytes_of(reader_word(root, "verdict")), &verdict) < 0)
		verdict = _VERDICT_MAX;
	(void)show_string(root, "policy", LABEL_MAX, &policy);
	(void)show_string(root, "rule", LABEL_MAX, &rule);
	key = (struct series){.kind = kind,
			      .verdict = verdict,
			      .policy = policy.p ? policy.p : none,
			      .rule = rule.p ? rule.p : none};
	hash_series(&key);
	s = find_series(m, &key, METRICS_MAX_SERIES);
	if (!s) {
		key.policy = key.rule = others;
		hash_series(&key);
		s = find_series(m, &key, ARRAY_SIZE(m->series));
	}
	strbuf_fini(&policy);
	strbuf_fini(&rule);
	if (!s || !s->policy || !s->rule)
		return -ENOMEM;
	s->n++;
	return 0;
}

static void observe(struct histogram *h, const uint64_t *bounds_ns, size_t n, uint64_t ns)
{
	size_t i = 0;

	while (i < n && ns > bounds_ns[i])
		i++;
	h->buckets[i]++;
	h->n++;
	h->sum_ns += ns;
}

static enum hold_end hold_end_of(const json_t *root)
{
	static const char *const gone[] = {"signal", "exit", "shutdown"};
	const char *approver = reader_word(root, "approver");

	if (!streq(reader_word(root, "verdict"), "deny"))
		return HOLD_END_APPROVED;
	if (streq(approver, "timeout"))
		return HOLD_END_TIMEOUT;
	for (size_t i = 0; i < ARRAY_SIZE(gone); i++)
		if (streq(approver, gone[i]))
			return HOLD_END_GONE;
	return HOLD_END_DENIED;
}

static double cost_of(const json_t *root)
{
	double cost = json_number_value(json_object_get(root, "cost"));

	return cost > 0 && cost < 1e300 ? cost : 0;
}

static int count_action(struct metrics *m, const json_t *root)
{
	uint64_t ns = reader_u64(root, "latency_ns");
	enum verdict would_have, verdict;

	m->spent += cost_of(root);
	if (streq(reader_word(root, "kind"), "spend"))
		m->reported += cost_of(root);
	if (json_is_string(json_object_get(root, "held"))) {
		m->open_holds--;
		m->hold_ends[hold_end_of(root)]++;
		observe(&m->holds, hold_bounds_ns, ARRAY_SIZE(hold_bounds_ns), ns);
	} else if (json_is_integer(json_object_get(root, "latency_ns"))) {
		observe(&m->latency, latency_bounds_ns, ARRAY_SIZE(latency_bounds_ns), ns);
	}
	if (!json_is_string(json_object_get(root, "approver")) &&
	    verdict_parse(bytes_of(reader_word(root, "verdict")), &verdict) == 0 &&
	    verdict_parse(bytes_of(reader_word(root, "would_have")), &would_have) == 0 &&
	    would_have > verdict)
		m->let_through[would_have]++;
	return count_decision(m, root);
}

/* What is open of a session that did not end. */
static void close_session(struct metrics *m, enum session_state state)
{
	if (m->is_open)
		m->sessions[state]++;
	if (m->is_open && state == SESSION_RUNNING)
		m->held += MAX(m->open_holds, (int64_t)0);
	m->is_open = false;
	m->open_holds = 0;
	m->last_seq = 0;
}

static void follow_session(struct metrics *m, const json_t *root)
{
	const char *session = reader_word(root, "session");
	uint64_t seq = reader_u64(root, "seq");

	if (strncmp(session, m->session, sizeof(m->session) - 1) != 0) {
		close_session(m, SESSION_KILLED);
		(void)snprintf(m->session, sizeof(m->session), "%s", session);
		m->is_open = true;
	}
	if (m->last_seq && seq > m->last_seq + 1)
		m->lost += seq - m->last_seq - 1;
	m->last_seq = MAX(m->last_seq, seq);
}

int metrics_add(struct metrics *m, const struct reader_line *line)
{
	const char *event = reader_word(line->root, "event");

	follow_session(m, line->root);
	if (streq(event, "action"))
		return count_action(m, line->root);
	if (streq(event, "held"))
		m->open_holds++;
	else if (streq(event, "notice"))
		m->notices++;
	else if (streq(event, "session_end") && m->is_open) {
		m->sessions[SESSION_ENDED]++;
		m->is_open = false; /* its last checkpoint may follow */
	}
	return 0;
}

void metrics_add_damaged(struct metrics *m)
{
	m->damaged++;
}

void metrics_end_log(struct metrics *m, bool is_live, uint64_t lag_bytes)
{
	close_session(m, is_live ? SESSION_RUNNING : SESSION_KILLED);
	m->session[0] = '\0';
	if (is_live)
		m->lag_bytes += lag_bytes;
}

/* ---- showing */

static void add_family(struct strbuf *out, const char *name, const char *type, const char *unit,
		       const char *help)
{
	strbuf_add_fmt(out, "# TYPE %s %s\n", name, type);
	if (unit)
		strbuf_add_fmt(out, "# UNIT %s %s\n", name, unit);
	strbuf_add_fmt(out, "# HELP %s %s\n", name, help);
}

static void add_counter(struct strbuf *out, const char *name, const char *help, uint64_t n)
{
	add_family(out, name, "counter", NULL, help);
	strbuf_add_fmt(out, "%s_total ", name);
	strbuf_add_u64(out, n);
	strbuf_add_char(out, '\n');
}

/* The value is printable ASCII already (show_string()), so these two are left. */
static void add_label(struct strbuf *out, const char *name, const char *value)
{
	strbuf_add_fmt(out, "%s=\"", name);
	for (; *value; value++) {
		if (*value == '\\' || *value == '"')
			strbuf_add_char(out, '\\');
		strbuf_add_char(out, *value);
	}
	strbuf_add_char(out, '"');
}

static void add_number(struct strbuf *out, double v)
{
	struct json j = JSON_INIT(out);

	json_double(&j, v); /* the same grammar */
	strbuf_add_char(out, '\n');
}

static void show_decisions(const struct metrics *m, struct strbuf *out)
{
	add_family(out, "holdfast_decisions", "counter", NULL,
		   "Actions that were decided; rule is empty for a policy's default.");
	for (size_t i = 0; i < m->n_series; i++) {
		const struct series *s = &m->series[i];

		strbuf_add_str(out, "holdfast_decisions_total{");
		add_label(out, "kind",
			  s->kind < _KIND_MAX ? kind_name((enum action_kind)s->kind) : "other");
		strbuf_add_char(out, ',');
		add_label(out, "verdict",
			  s->verdict < _VERDICT_MAX ? verdict_name((enum verdict)s->verdict)
						    : "other");
		strbuf_add_char(out, ',');
		add_label(out, "policy", s->policy);
		strbuf_add_char(out, ',');
		add_label(out, "rule", s->rule);
		strbuf_add_str(out, "} ");
		strbuf_add_u64(out, s->n);
		strbuf_add_char(out, '\n');
	}
}

static void show_histogram(const struct histogram *h, const char *name, const char *help,
			   const uint64_t *bounds_ns, size_t n, struct strbuf *out)
{
	uint64_t sum = 0;

	add_family(out, name, "histogram", "seconds", help);
	for (size_t i = 0; i <= n; i++) {
		sum += h->buckets[i];
		strbuf_add_fmt(out, "%s_bucket{le=\"", name);
		if (i == n) {
			strbuf_add_str(out, "+Inf");
		} else {
			double seconds = (double)bounds_ns[i] / (double)NS_PER_SEC;

			/* Canonical numbers have a point. */
			strbuf_add_fmt(out, seconds < 1 ? "%g" : "%.1f", seconds);
		}
		strbuf_add_fmt(out, "\"} %llu\n", (unsigned long long)sum);
	}
	strbuf_add_fmt(out, "%s_count %llu\n%s_sum ", name, (unsigned long long)h->n, name);
	add_number(out, (double)h->sum_ns / (double)NS_PER_SEC);
}

static void show_by(const char *name, const char *label, const char *const *names,
		    const uint64_t *counts, size_t n, const char *suffix, struct strbuf *out)
{
	for (size_t i = 0; i < n; i++) {
		strbuf_add_fmt(out, "%s%s{", name, suffix);
		add_label(out, label, names[i]);
		strbuf_add_str(out, "} ");
		strbuf_add_u64(out, counts[i]);
		strbuf_add_char(out, '\n');
	}
}

static void show_holds(const struct metrics *m, struct strbuf *out)
{
	add_family(out, "holdfast_holds", "counter", NULL,
		   "Actions that were held and are answered, by how that ended.");
	show_by("holdfast_holds", "outcome", hold_end_names, m->hold_ends, _HOLD_END_MAX, "_total",
		out);
	show_histogram(&m->holds, "holdfast_hold_seconds", "How long held actions waited.",
		       hold_bounds_ns, ARRAY_SIZE(hold_bounds_ns), out);
	add_family(out, "holdfast_held", "gauge", NULL,
		   "Actions that wait for an answer now, in running sessions.");
	strbuf_add_fmt(out, "holdfast_held %lld\n", (long long)m->held);
}

static void show_let_through(const struct metrics *m, struct strbuf *out)
{
	const char *const names[] = {verdict_name(VERDICT_FLAG), verdict_name(VERDICT_ASK),
				     verdict_name(VERDICT_DENY)};

	add_family(out, "holdfast_let_through", "counter", NULL,
		   "Actions that audit mode let through, by what the policies said.");
	show_by("holdfast_let_through", "would_have", names, m->let_through + VERDICT_FLAG,
		ARRAY_SIZE(names), "_total", out);
}

void metrics_show(const struct metrics *m, struct strbuf *out)
{
	show_decisions(m, out);
	show_let_through(m, out);
	show_histogram(&m->latency, "holdfast_decision_seconds",
		       "From an action's arrival to its answer, without those that were held.",
		       latency_bounds_ns, ARRAY_SIZE(latency_bounds_ns), out);
	show_holds(m, out);
	add_family(out, "holdfast_sessions", "gauge", NULL,
		   "Sessions in the logs, by their state.");
	show_by("holdfast_sessions", "state", state_names, m->sessions, _SESSION_STATE_MAX, "",
		out);
	add_counter(out, "holdfast_notices", "Notices about sessions.", m->notices);
	add_counter(out, "holdfast_lost_records", "Gaps in the numbers of records.", m->lost);
	add_counter(out, "holdfast_damaged_lines", "Lines that could not be read.", m->damaged);
	add_family(out, "holdfast_log_lag_bytes", "gauge", "bytes",
		   "Records of running sessions that are in memory and not yet in the file.");
	strbuf_add_fmt(out, "holdfast_log_lag_bytes %llu\n", (unsigned long long)m->lag_bytes);
	add_family(out, "holdfast_spend", "counter", NULL, "What actions and reports have cost.");
	strbuf_add_str(out, "holdfast_spend_total ");
	add_number(out, m->spent);
	add_family(out, "holdfast_spend_reported", "counter", NULL,
		   "The part of it that was reported.");
	strbuf_add_str(out, "holdfast_spend_reported_total ");
	add_number(out, m->reported);
	strbuf_add_str(out, "# EOF\n");
}
