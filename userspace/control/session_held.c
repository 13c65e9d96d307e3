/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Held actions and the person at the session's own terminal: the question on it, or a line that
 * says how to answer elsewhere; and what is told to whom when a hold has ended.
 */
#include <stdio.h>

#include "base/clock.h"
#include "base/escape.h"
#include "base/user.h"

#include "control/session_private.h"

#define PROMPT_RETRY_NS     NS_PER_SEC
#define NOTICE_SHOW_BYTES   200
#define TERMINAL_GROUPS_MAX 1024

static const struct {
	enum control_end control;
	const char *words;
} hold_end_names[] = {
	[HOLD_APPROVED] = {CONTROL_END_APPROVED, "approved"},
	[HOLD_DENIED] = {CONTROL_END_DENIED, "denied"},
	[HOLD_TIMED_OUT] = {CONTROL_END_TIMED_OUT, "nobody answered in time: denied"},
	[HOLD_INTERRUPTED] = {CONTROL_END_GONE, "interrupted by a signal"},
	[HOLD_GONE] = {CONTROL_END_GONE, "the process has ended"},
	[HOLD_SHUTDOWN] = {CONTROL_END_GONE, "the session has ended"},
};

void session_hold_ended(void *arg, const struct held *h, enum hold_end end)
{
	struct session *s = arg;

	session_ask_ended(s, h->id);
	control_server_note_end(s->server, h->id, hold_end_names[end].control, h->record.approver);
	if (s->prompt && prompt_is_active(s->prompt) && streq(prompt_id(s->prompt), h->id))
		prompt_hide(s->prompt, clock_monotonic_ns(), hold_end_names[end].words);
}

void session_describe_held(const struct held *h, struct strbuf *out)
{
	const struct audit_record *r = &h->record;

	if (r->kind == KIND_TOOL && r->argc) {
		struct strbuf line = STRBUF_INIT(AUDIT_RECORD_MAX);

		for (size_t i = 0; i < r->argc; i++) {
			if (i)
				strbuf_add_char(&line, ' ');
			strbuf_add_bytes(&line, r->argv[i]);
		}
		escape_terminal_max(out, strbuf_bytes(&line), NOTICE_SHOW_BYTES);
		strbuf_fini(&line);
		return;
	}
	strbuf_add_fmt(out, "%s ", op_name(r->op));
	escape_terminal_max(out, r->object, NOTICE_SHOW_BYTES);
}

/* Who answers at the terminal is the session's user; a rule may want somebody else. */
bool session_user_may_answer(const struct held *h)
{
	gid_t groups[TERMINAL_GROUPS_MAX];
	const struct user_ids self = user_self(groups, ARRAY_SIZE(groups));

	return !h->ask || h->ask->n_approvers == 0 ||
	       user_is_among(&self, h->ask->approvers, h->ask->n_approvers);
}

/* Tells the launcher how to answer. */
static void announce(struct session *s, const struct held *h)
{
	struct strbuf what = STRBUF_INIT(LAUNCH_TEXT_MAX / 2);
	uint64_t seconds = (h->deadline_ns - h->since_ns) / NS_PER_SEC;

	if (s->config->is_quiet || s->sock < 0)
		return;
	session_describe_held(h, &what);
	(void)launch_send(
		s->sock, LAUNCH_NOTICE, 0,
		"held %s: %s (rule %s); in another terminal: holdfast approve %s | holdfast deny %s; denied in %llu s",
		h->id, strbuf_str(&what), h->record.rule.p ? h->record.rule.p : "default", h->id,
		h->id, (unsigned long long)seconds);
	strbuf_fini(&what);
}

static bool announce_new(const struct held *h, void *arg)
{
	struct session *s = arg;

	s->last_held_seq = h->seq;
	if (h->is_first && /* not the same question as one that was announced */
	    !(s->prompt && session_user_may_answer(h)) && !session_ask_takes(s, h))
		announce(s, h);
	return true;
}

/* What the terminal would have asked, and cannot now. */
static bool announce_elsewhere(const struct held *h, void *arg)
{
	char note[256];
	struct session *s = arg;
	int n;

	s->elsewhere_seq = h->seq;
	if (!h->is_first || !session_user_may_answer(h))
		return true;
	n = snprintf(note, sizeof(note),
		     "Held action '%s' is not asked about on the terminal, which a program of the "
		     "session has to itself; it waits for `holdfast approve %s` or `deny`",
		     h->id, h->id);
	session_notice(s, (struct bytes){.p = note, .len = (size_t)n});
	announce(s, h);
	return true;
}

static bool show_first(const struct held *h, void *arg)
{
	struct session *s = arg;
	uint64_t now_ns = clock_monotonic_ns();
	int r;

	if (!session_user_may_answer(h))
		return true;
	r = prompt_show(s->prompt, h, now_ns);
	s->is_elsewhere = r == PROMPT_E_RAW;
	if (r == -EAGAIN || r == PROMPT_E_RAW)
		s->prompt_retry_ns = now_ns + PROMPT_RETRY_NS;
	else if (r < 0 && r != -EBUSY)
		s->prompt_is_gone = true;
	return false;
}

void session_prompt_next(struct session *s)
{
	if (!s->prompt || s->prompt_is_gone || prompt_is_active(s->prompt))
		return;
	if (clock_monotonic_ns() < s->prompt_retry_ns)
		return;
	s->is_elsewhere = false;
	held_table_each(s->held, show_first, s);
	if (s->is_elsewhere)
		held_table_each_after(s->held, s->elsewhere_seq, announce_elsewhere, s);
}

void session_announce_all(struct session *s)
{
	held_table_each(s->held, announce_new, s);
}

void session_announce(struct session *s)
{
	held_table_ack(s->held);
	held_table_each_after(s->held, s->last_held_seq, announce_new, s);
}

void session_prompt_dispatch(struct session *s)
{
	uint64_t now_ns = clock_monotonic_ns();
	struct control_answer a = {.uid = getuid()};
	struct control_outcome outcome = {};
	struct prompt_answer answer;
	enum prompt_result result = prompt_dispatch(s->prompt, now_ns, &answer);

	switch (result) {
	case PROMPT_PENDING:
		return;
	case PROMPT_SUSPENDED:
		s->prompt_retry_ns = now_ns + PROMPT_RETRY_NS;
		return;
	case PROMPT_APPROVE:
	case PROMPT_DENY:
		a.approve = result == PROMPT_APPROVE;
		a.id = answer.id;
		a.reason = answer.reason;
		a.approver = answer.approver;
		(void)session_answer(s, &a, &outcome);
		return;
	case _PROMPT_RESULT_MAX:
		return;
	}
}
