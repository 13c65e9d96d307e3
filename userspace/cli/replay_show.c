/* SPDX-License-Identifier: Apache-2.0 */
#include "base/clock.h"
#include "base/escape.h"

#include "cli/replay_result.h"

#define SHOWN_MAX 160

struct note {
	uint64_t n;
	const char *key;  /* --json */
	const char *text; /* after the number */
};

#define MAX_NOTES 8

/* What makes the answers less than certain. Return: how many. */
static size_t notes_of(const struct replay_result *r, struct note ret[static MAX_NOTES])
{
	const struct note notes[] = {
		{r->n_cut, "arguments_cut",
		 "actions whose arguments the log holds only in part: rules on them may say otherwise"},
		{r->n_redacted, "redacted",
		 "actions of which the log hides a part: rules on it may say otherwise"},
		{r->n_lost_steps, "steps_lost",
		 "actions of which the log does not hold all that was asked about"},
		{r->n_lacking_cwd, "directory_unknown",
		 "actions whose directory was not recorded, though a rule looks at it"},
		{r->n_without_reads, "sessions_without_reads",
		 "sessions that did not record reads, on which these policies decide"},
		{r->n_stops, "would_end_session",
		 "actions at which a budget would have ended the session; what followed is counted all the same"},
		{r->n_not_known, "not_known", "actions that this version does not know, left out"},
		{r->n_damaged, "damaged_lines", "damaged lines"},
	};

	memcpy(ret, notes, sizeof(notes));
	return ARRAY_SIZE(notes);
}

static void show_pairs(const struct replay_result *r, bool is_stricter, struct strbuf *out)
{
	const char *between = "   ";

	for (enum verdict old = 0; old < _VERDICT_MAX; old++)
		for (enum verdict new = 0; new < _VERDICT_MAX; new ++) {
			if (!r->pairs[old][new] || old == new || (new > old) != is_stricter)
				continue;
			strbuf_add_fmt(out, "%s%s -> %s: %llu", between, verdict_name(old),
				       verdict_name(new), (unsigned long long)r->pairs[old][new]);
			between = ", ";
		}
	strbuf_add_char(out, '\n');
}

static void show_source(struct strbuf *out, const char *before, struct bytes policy,
			struct bytes rule)
{
	strbuf_add_str(out, before);
	escape_terminal_max(out, policy, SHOWN_MAX);
	strbuf_add_str(out, rule.p ? ", rule " : ", default");
	if (rule.p)
		escape_terminal_max(out, rule, SHOWN_MAX);
}

static void show_group(const struct replay_group *g, struct strbuf *out)
{
	char time[CLOCK_RFC3339_SIZE];

	clock_format_rfc3339(g->first_ns, time);
	strbuf_add_fmt(out, "%8llu  %-5s -> %-5s  %-8s ", (unsigned long long)g->count,
		       verdict_name(g->old), verdict_name(g->new), op_name(g->op));
	escape_terminal_max(out, g->object, SHOWN_MAX);
	if (g->kind == KIND_TOOL) {
		strbuf_add_str(out, "\n                            such as: ");
		escape_terminal_max(out, g->text, SHOWN_MAX);
	}
	show_source(out, "\n                            now ", g->policy, g->rule);
	show_source(out, "; then ", g->old_policy, g->old_rule);
	if (g->reason.p) {
		strbuf_add_str(out, "\n                            reason: ");
		escape_terminal_max(out, g->reason, SHOWN_MAX);
	}
	strbuf_add_fmt(out, "\n                            first: %s, seq %llu of ", time,
		       (unsigned long long)g->first_seq);
	escape_terminal_max(out, g->session, SHOWN_MAX);
	strbuf_add_char(out, '\n');
}

static void show_expect(const struct replay_expect *e, struct strbuf *out)
{
	bool holds = replay_expect_holds(e);

	strbuf_add_fmt(out, "%s  --expect ", holds ? "holds " : "FAILED");
	escape_terminal_max(out, bytes_of(e->word), SHOWN_MAX);
	if (e->n_failed)
		strbuf_add_fmt(out, ": not so for %llu of %llu actions, the first: %s",
			       (unsigned long long)e->n_failed, (unsigned long long)e->n_matched,
			       strbuf_str(&e->example));
	else if (!holds)
		strbuf_add_str(out, ": no action matches");
	strbuf_add_char(out, '\n');
}

void replay_result_show(const struct replay_result *r, size_t limit, struct strbuf *out)
{
	size_t shown = limit && limit < r->n_groups ? limit : r->n_groups;
	struct note notes[MAX_NOTES];
	size_t n_notes = notes_of(r, notes);
	uint64_t hidden = r->n_unlisted;

	strbuf_add_fmt(out, "%llu actions of %llu sessions\n", (unsigned long long)r->n_actions,
		       (unsigned long long)r->n_sessions);
	strbuf_add_fmt(out, "%8llu  same", (unsigned long long)r->n_same);
	if (r->n_other_rule)
		strbuf_add_fmt(out, "   (by another rule: %llu)",
			       (unsigned long long)r->n_other_rule);
	strbuf_add_fmt(out, "\n%8llu  stricter", (unsigned long long)r->n_stricter);
	show_pairs(r, true, out);
	strbuf_add_fmt(out, "%8llu  looser", (unsigned long long)r->n_looser);
	show_pairs(r, false, out);
	for (size_t i = 0; i < n_notes; i++)
		if (notes[i].n)
			strbuf_add_fmt(out, "note: %llu %s\n", (unsigned long long)notes[i].n,
				       notes[i].text);
	for (size_t i = 0; i < shown; i++) {
		strbuf_add_str(out, i == 0 ? "\n" : "");
		show_group(&r->groups[i], out);
	}
	for (size_t i = shown; i < r->n_groups; i++)
		hidden += r->groups[i].count;
	if (hidden)
		strbuf_add_fmt(out, "%8llu  more, not shown; --limit 0 shows all\n",
			       (unsigned long long)hidden);
	for (size_t i = 0; i < r->n_expects; i++) {
		strbuf_add_str(out, i == 0 ? "\n" : "");
		show_expect(&r->expects[i], out);
	}
}

/* ---- --json */

static void add_pairs(const struct replay_result *r, struct json *j)
{
	json_key(j, "pairs");
	json_begin_array(j);
	for (enum verdict old = 0; old < _VERDICT_MAX; old++)
		for (enum verdict new = 0; new < _VERDICT_MAX; new ++) {
			if (!r->pairs[old][new])
				continue;
			json_begin_object(j);
			json_key_cstr(j, "old", verdict_name(old));
			json_key_cstr(j, "new", verdict_name(new));
			json_key_u64(j, "count", r->pairs[old][new]);
			json_end_object(j);
		}
	json_end_array(j);
}

static void add_group(const struct replay_group *g, struct json *j)
{
	char time[CLOCK_RFC3339_SIZE];

	clock_format_rfc3339(g->first_ns, time);
	json_begin_object(j);
	json_key_cstr(j, "kind", kind_name(g->kind));
	json_key_cstr(j, "op", op_name(g->op));
	json_key_str(j, "object", g->object);
	json_key_str(j, "text", g->text);
	json_key_cstr(j, "old", verdict_name(g->old));
	json_key_str(j, "old_policy", g->old_policy);
	json_key_str(j, "old_rule", g->old_rule);
	json_key_cstr(j, "new", verdict_name(g->new));
	json_key_str(j, "policy", g->policy);
	json_key_str(j, "rule", g->rule);
	json_key_str(j, "reason", g->reason);
	json_key_u64(j, "count", g->count);
	json_key_cstr(j, "first", time);
	json_key_str(j, "first_session", g->session);
	json_key_u64(j, "first_seq", g->first_seq);
	json_end_object(j);
}

static void add_expects(const struct replay_result *r, struct json *j)
{
	json_key(j, "expect");
	json_begin_array(j);
	for (size_t i = 0; i < r->n_expects; i++) {
		const struct replay_expect *e = &r->expects[i];

		json_begin_object(j);
		json_key_str(j, "expect", bytes_of(e->word));
		json_key_bool(j, "holds", replay_expect_holds(e));
		json_key_u64(j, "matched", e->n_matched);
		json_key_u64(j, "failed", e->n_failed);
		json_end_object(j);
	}
	json_end_array(j);
}

void replay_result_json(const struct replay_result *r, size_t limit, struct json *j)
{
	size_t shown = limit && limit < r->n_groups ? limit : r->n_groups;
	struct note notes[MAX_NOTES];
	size_t n_notes = notes_of(r, notes);
	uint64_t hidden = r->n_unlisted;

	for (size_t i = shown; i < r->n_groups; i++)
		hidden += r->groups[i].count;
	json_begin_object(j);
	json_key_u64(j, "v", 1);
	json_key_u64(j, "sessions", r->n_sessions);
	json_key_u64(j, "actions", r->n_actions);
	json_key_u64(j, "same", r->n_same);
	json_key_u64(j, "stricter", r->n_stricter);
	json_key_u64(j, "looser", r->n_looser);
	json_key_u64(j, "other_rule", r->n_other_rule);
	json_key_u64(j, "builtin", r->n_builtin);
	add_pairs(r, j);
	json_key(j, "notes");
	json_begin_object(j);
	for (size_t i = 0; i < n_notes; i++)
		json_key_u64(j, notes[i].key, notes[i].n);
	json_end_object(j);
	json_key(j, "differences");
	json_begin_object(j);
	json_key(j, "list");
	json_begin_array(j);
	for (size_t i = 0; i < shown; i++)
		add_group(&r->groups[i], j);
	json_end_array(j);
	json_key_u64(j, "unlisted", hidden);
	json_end_object(j);
	add_expects(r, j);
	json_end_object(j);
}
