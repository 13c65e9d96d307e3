/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <stdio.h>

#include "audit/reader.h"
#include "base/io.h"
#include "policy/address.h"
#include "policy/glob.h"

#include "audit/processes.h"
#include "audit/query.h"

#define QUERY_MEMORY ((size_t)16 << 20)

/* One value of one option, compiled. */
struct wanted {
	struct bytes text;
	struct bytes ending; /* of a path's names, as far as it is literal */
	struct glob *glob;   /* NULL: the text is all there is */
	struct address_range range;
	uint16_t port; /* 0: any */
};

struct query {
	struct arena mem;
	struct wanted wanted[_QUERY_CLAUSE_MAX][QUERY_VALUES_MAX];
	size_t n_wanted[_QUERY_CLAUSE_MAX];
	uint32_t kinds, ops, verdicts; /* 1 << word; 0: all */
	uint32_t pids[QUERY_VALUES_MAX];
	size_t n_pids;
	bool is_tree;
	uint64_t since_ns, until_ns;
	struct processes *processes; /* is_tree */
};

int query_new(struct query **ret)
{
	struct query *q = calloc(1, sizeof(*q));

	if (!q)
		return -ENOMEM;
	q->mem = ARENA_INIT(QUERY_MEMORY);
	q->until_ns = UINT64_MAX;
	*ret = q;
	return 0;
}

struct query *query_free(struct query *q)
{
	if (!q)
		return NULL;
	processes_free(q->processes);
	arena_fini(&q->mem);
	free(q);
	return NULL;
}

void query_freep(struct query **q)
{
	*q = query_free(*q);
}

/* ---- what is asked */

/* The literal end of a path without alternatives, such as ".pem". */
static int keep_ending(struct query *q, struct wanted *w)
{
	const struct glob *g = w->glob;
	char *ending;

	if (g->next || !g->n_suffix)
		return 0;
	ending = arena_alloc(&q->mem, g->n_suffix);
	if (!ending)
		return -ENOMEM;
	for (size_t i = 0; i < g->n_suffix; i++)
		ending[i] = (char)g->tokens[g->n_tokens - g->n_suffix + i].literal;
	w->ending = (struct bytes){.p = ending, .len = g->n_suffix};
	return 0;
}

static int compile_path(struct query *q, struct wanted *w, const char *home,
			struct diag *reterr_diag)
{
	const struct policy_vars vars = {.home = home};
	char why[GLOB_WHY_SIZE];
	int r;

	r = glob_compile(&q->mem, w->text, GLOB_PATH, &vars, &w->glob, why);
	if (r == -EINVAL)
		return diag_set(reterr_diag, NULL, 0, 0, "--path '%s': %s", w->text.p, why);
	return r ? r : keep_ending(q, w);
}

/* A name that is no valid pattern is looked for as it is: rules may be called anything. */
static int compile_name(struct query *q, struct wanted *w)
{
	char why[GLOB_WHY_SIZE];
	int r;

	r = glob_compile(&q->mem, w->text, GLOB_NAME, NULL, &w->glob, why);
	return r == -EINVAL ? 0 : r;
}

/* "192.0.2.7", "10.0.0.0/8", "::1", and with a port "192.0.2.7:443", "[::1]:443". */
static bool split_port(struct bytes text, struct bytes *ret_host, uint16_t *ret_port)
{
	const char *colon = text.len ? memrchr(text.p, ':', text.len) : NULL;
	uint64_t port;

	*ret_host = text;
	*ret_port = 0;
	if (text.len && text.p[0] == '[') {
		const char *close = memchr(text.p, ']', text.len);

		if (!close)
			return false;
		*ret_host = (struct bytes){.p = text.p + 1, .len = (size_t)(close - text.p - 1)};
		if (close + 1 == text.p + text.len)
			return true;
		if (colon != close + 1)
			return false;
	} else if (!colon || memchr(text.p, ':', (size_t)(colon - text.p))) {
		return true; /* no port, or an IPv6 address without one */
	} else {
		ret_host->len = (size_t)(colon - text.p);
	}
	colon++;
	if (parse_u64((struct bytes){.p = colon, .len = (size_t)(text.p + text.len - colon)},
		      UINT16_MAX, &port) < 0)
		return false;
	*ret_port = (uint16_t)port;
	return true;
}

static int compile_address(struct wanted *w, struct diag *reterr_diag)
{
	char why[ADDRESS_WHY_SIZE];
	struct bytes host;

	if (!split_port(w->text, &host, &w->port))
		return diag_set(reterr_diag, NULL, 0, 0,
				"--address '%s': expected an address or a range, with or without a "
				"port: 192.0.2.7, 10.0.0.0/8, 192.0.2.7:443, [2001:db8::1]:443",
				w->text.p);
	if (address_range_parse(host, &w->range, why) < 0)
		return diag_set(reterr_diag, NULL, 0, 0, "--address '%s': %s", w->text.p, why);
	return 0;
}

static const char *const clause_options[_QUERY_CLAUSE_MAX] = {
	[QUERY_SESSION] = "--session", [QUERY_AGENT] = "--agent", [QUERY_RULE] = "--rule",
	[QUERY_POLICY] = "--policy",   [QUERY_TOOL] = "--tool",   [QUERY_PATH] = "--path",
	[QUERY_ADDRESS] = "--address", [QUERY_TEXT] = "--text",
};

int query_add(struct query *q, enum query_clause clause, const char *value, const char *home,
	      struct diag *reterr_diag)
{
	struct wanted *w = &q->wanted[clause][q->n_wanted[clause]];
	int r = 0;

	if (q->n_wanted[clause] == QUERY_VALUES_MAX)
		return diag_set(reterr_diag, NULL, 0, 0, "%s is there more than %d times",
				clause_options[clause], QUERY_VALUES_MAX);
	if (value[0] == '\0')
		return diag_set(reterr_diag, NULL, 0, 0, "%s needs a value",
				clause_options[clause]);
	*w = (struct wanted){.text = arena_copy(&q->mem, value, strlen(value))};
	if (!w->text.p)
		return -ENOMEM;
	if (clause == QUERY_PATH)
		r = compile_path(q, w, home, reterr_diag);
	else if (clause == QUERY_ADDRESS)
		r = compile_address(w, reterr_diag);
	else if (clause != QUERY_SESSION && clause != QUERY_TEXT)
		r = compile_name(q, w);
	if (r < 0)
		return r;
	q->n_wanted[clause]++;
	return 0;
}

void query_add_kind(struct query *q, enum action_kind kind)
{
	q->kinds |= UINT32_C(1) << kind;
}

void query_add_op(struct query *q, enum action_op op)
{
	q->ops |= UINT32_C(1) << op;
}

void query_add_verdict(struct query *q, enum verdict verdict)
{
	q->verdicts |= UINT32_C(1) << verdict;
}

int query_add_pid(struct query *q, uint32_t pid)
{
	if (q->n_pids == QUERY_VALUES_MAX)
		return -ENOSPC;
	q->pids[q->n_pids++] = pid;
	return 0;
}

void query_set_tree(struct query *q)
{
	q->is_tree = true;
}

void query_set_since(struct query *q, uint64_t realtime_ns)
{
	q->since_ns = realtime_ns;
}

void query_set_until(struct query *q, uint64_t realtime_ns)
{
	q->until_ns = realtime_ns;
}

bool query_is_narrow(const struct query *q)
{
	for (int c = 0; c < _QUERY_CLAUSE_MAX; c++)
		if (q->n_wanted[c])
			return true;
	return q->kinds || q->ops || q->verdicts || q->n_pids || q->since_ns ||
	       q->until_ns != UINT64_MAX;
}

/* ---- what a string is */

static bool is_name(const struct wanted *w, struct bytes value)
{
	return bytes_eq(w->text, value) || (w->glob && glob_match(w->glob, value));
}

static bool is_base_name(const struct wanted *w, struct bytes value)
{
	return is_name(w, bytes_base_name(value));
}

static bool is_path(const struct wanted *w, struct bytes value)
{
	return glob_match(w->glob, value);
}

static bool is_beginning(const struct wanted *w, struct bytes value)
{
	return bytes_has_prefix(value, w->text);
}

static bool has_text(const struct wanted *w, struct bytes value)
{
	return value.len >= w->text.len &&
	       memmem(value.p, value.len, w->text.p, w->text.len) != NULL;
}

/* An object of a network action: "1.2.3.4:443", "[::1]:80". */
static bool is_address(const struct wanted *w, struct bytes value)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	struct policy_address a = {.has_ip = true};
	char text[INET6_ADDRSTRLEN];
	struct bytes host;

	if (!split_port(value, &host, &a.port) || host.len >= sizeof(text))
		return false;
	memcpy(text, host.p, host.len);
	text[host.len] = '\0';
	a.is_v4 = inet_pton(AF_INET, text, a.ip) == 1;
	if (!a.is_v4 && inet_pton(AF_INET6, text, a.ip) != 1)
		return false;
	if (!a.is_v4 && memcmp(a.ip, mapped, sizeof(mapped)) == 0) {
		memmove(a.ip, a.ip + 12, 4);
		a.is_v4 = true;
	}
	return (!w->port || w->port == a.port) && address_range_has(&w->range, &a);
}

#define TEXT(t)     (UINT32_C(1) << SCAN_##t)
#define EVERY_KIND  UINT32_MAX
#define ONE_KIND(k) (UINT32_C(1) << KIND_##k)

static const struct {
	bool (*is)(const struct wanted *w, struct bytes value);
	uint32_t texts; /* what it looks at */
	uint32_t kinds; /* of which actions */
} clauses[_QUERY_CLAUSE_MAX] = {
	[QUERY_SESSION] = {is_beginning, TEXT(SESSION), EVERY_KIND},
	[QUERY_AGENT] = {is_name, TEXT(AGENT), EVERY_KIND},
	[QUERY_RULE] = {is_name, TEXT(RULE), EVERY_KIND},
	[QUERY_POLICY] = {is_name, TEXT(POLICY), EVERY_KIND},
	[QUERY_TOOL] = {is_base_name, TEXT(OBJECT) | TEXT(ARGV), ONE_KIND(TOOL)},
	[QUERY_PATH] = {is_path, TEXT(OBJECT) | TEXT(OBJECT2), ONE_KIND(PATH) | ONE_KIND(TOOL)},
	[QUERY_ADDRESS] = {is_address, TEXT(OBJECT), ONE_KIND(NETWORK)},
	[QUERY_TEXT] = {has_text, (UINT32_C(1) << _SCAN_TEXT_MAX) - 1, EVERY_KIND},
};

bool query_has(const struct query *q, enum query_clause clause)
{
	return q->n_wanted[clause] > 0;
}

uint32_t query_texts(enum query_clause clause)
{
	return clauses[clause].texts;
}

static bool is_wanted(const struct query *q, enum query_clause clause, struct bytes value)
{
	for (size_t i = 0; i < q->n_wanted[clause]; i++)
		if (clauses[clause].is(&q->wanted[clause][i], value))
			return true;
	return false;
}

/* The words of the command line with a blank between; for a tool, the first of them alone. */
static void decode_argv(struct bytes argv, bool is_first_only, struct strbuf *out)
{
	struct bytes raw;

	for (bool is_first = true; scan_next_argument(&argv, &raw); is_first = false) {
		if (!is_first)
			strbuf_add_char(out, ' ');
		scan_decode(raw, out);
		if (is_first_only)
			return;
	}
}

bool query_value(const struct query *q, enum query_clause clause, enum scan_text text,
		 struct bytes raw)
{
	struct strbuf value = STRBUF_INIT(READER_LINE_MAX);
	bool is;

	if (!raw.p)
		return false;
	if (text != SCAN_ARGV && !(raw.len && memchr(raw.p, '\\', raw.len)))
		return is_wanted(q, clause, raw);
	if (text == SCAN_ARGV)
		decode_argv(raw, clause == QUERY_TOOL, &value);
	else
		scan_decode(raw, &value);
	is = is_wanted(q, clause, strbuf_bytes(&value));
	strbuf_fini(&value);
	return is;
}

static bool may_be_path(const struct wanted *w, bool (*has)(void *ctx, struct bytes needle),
			void *ctx)
{
	for (const struct glob *g = w->glob; g; g = g->next)
		if (has(ctx, g->prefix) && has(ctx, w->ending))
			return true;
	return false;
}

bool query_may_name(const struct query *q, enum query_clause clause,
		    bool (*has)(void *ctx, struct bytes needle), void *ctx)
{
	for (size_t i = 0; i < q->n_wanted[clause]; i++) {
		const struct wanted *w = &q->wanted[clause][i];

		if (clause == QUERY_TEXT   ? has(ctx, w->text)
		    : clause == QUERY_PATH ? may_be_path(w, has, ctx)
					   : true)
			return true;
	}
	return false;
}

bool query_clause_has_kind(enum query_clause clause, uint8_t kind)
{
	return clauses[clause].kinds == EVERY_KIND ||
	       (kind != SCAN_NONE && (clauses[clause].kinds & UINT32_C(1) << kind));
}

static bool has_word(uint32_t words, uint8_t word)
{
	return !words || (word != SCAN_NONE && (words & UINT32_C(1) << word));
}

bool query_has_words(const struct query *q, uint8_t kind, uint8_t op, uint8_t verdict)
{
	return has_word(q->kinds, kind) && has_word(q->ops, op) && has_word(q->verdicts, verdict);
}

bool query_has_some_words(const struct query *q, uint32_t kinds, uint32_t ops, uint32_t verdicts)
{
	return (!q->kinds || (q->kinds & kinds)) && (!q->ops || (q->ops & ops)) &&
	       (!q->verdicts || (q->verdicts & verdicts));
}

bool query_asks_words(const struct query *q)
{
	return q->kinds || q->ops || q->verdicts;
}

bool query_has_time(const struct query *q, uint64_t first_ns, uint64_t last_ns)
{
	return last_ns >= q->since_ns && first_ns <= q->until_ns;
}

/* ---- processes */

bool query_has_pids(const struct query *q)
{
	return q->n_pids > 0;
}

size_t query_pids(const struct query *q, const uint32_t **ret)
{
	*ret = q->pids;
	return q->is_tree ? 0 : q->n_pids;
}

bool query_needs_processes(const struct query *q)
{
	return q->is_tree && q->n_pids;
}

int query_learn(struct query *q, struct bytes session_raw, uint32_t pid, uint32_t ppid)
{
	int r;

	if (!q->processes) {
		r = processes_new(&q->processes);
		if (r < 0)
			return r;
	}
	return processes_add(q->processes, session_raw, pid, ppid);
}

void query_learn_done(struct query *q)
{
	if (q->processes)
		processes_mark(q->processes, q->pids, q->n_pids);
}

bool query_has_process(const struct query *q, struct bytes session_raw, uint32_t pid)
{
	for (size_t i = 0; i < q->n_pids; i++)
		if (q->pids[i] == pid)
			return true;
	return q->processes && processes_is_marked(q->processes, session_raw, pid);
}

/* ---- lines */

/* What the library read beside the strings that struct scan keeps. */
static bool search_json(const struct query *q, json_t *v)
{
	struct strbuf joined = STRBUF_INIT(READER_LINE_MAX);
	bool is_found = false;
	json_t *member;
	const char *key;
	size_t i;

	if (json_is_string(v)) {
		reader_decode(v, &joined);
		is_found = is_wanted(q, QUERY_TEXT, strbuf_bytes(&joined));
	}
	json_array_foreach(v, i, member)
	{
		if (!json_is_string(member)) {
			is_found = is_found || search_json(q, member);
			continue;
		}
		if (joined.len)
			strbuf_add_char(&joined, ' ');
		reader_decode(member, &joined);
	}
	if (json_is_array(v) && joined.len)
		is_found = is_found || is_wanted(q, QUERY_TEXT, strbuf_bytes(&joined));
	json_object_foreach(v, key, member) is_found = is_found || search_json(q, member);
	strbuf_fini(&joined);
	return is_found;
}

static bool search_rest(const struct query *q, json_t *root)
{
	json_t *member;
	const char *key;

	json_object_foreach(root, key, member)
	{
		if (scan_is_searched(key) && search_json(q, member))
			return true;
	}
	return false;
}

static bool clause_matches(const struct query *q, enum query_clause clause, const struct scan *scan,
			   json_t *root)
{
	if (!query_clause_has_kind(clause, scan->kind))
		return false;
	for (int t = 0; t < _SCAN_TEXT_MAX; t++)
		if ((clauses[clause].texts & UINT32_C(1) << t) &&
		    query_value(q, clause, (enum scan_text)t, scan->texts[t]))
			return true;
	return clause == QUERY_TEXT && !scan->is_plain && root && search_rest(q, root);
}

bool query_matches(const struct query *q, const struct scan *scan, json_t *root)
{
	if (!query_has_words(q, scan->kind, scan->op, scan->verdict) ||
	    !query_has_time(q, scan->time_ns, scan->time_ns))
		return false;
	if (q->n_pids && !query_has_process(q, scan->texts[SCAN_SESSION], scan->pid))
		return false;
	for (int c = 0; c < _QUERY_CLAUSE_MAX; c++)
		if (q->n_wanted[c] && !clause_matches(q, (enum query_clause)c, scan, root))
			return false;
	return true;
}
