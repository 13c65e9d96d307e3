/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "audit/replay_action.h"
#include "audit/record.h"
#include "base/clock.h"
#include "base/io.h"

#include "audit/replay.h"

#define LINE_ARENA_MAX ((size_t)64 << 20) /* a line is at most READER_LINE_MAX */
#define MINUTE_LEN     16                 /* of "2026-11-21T05:12:34.000000000Z" */
#define TIME_LEN       30
#define SESSION_MAX    256

struct replay {
	struct policy_stack *stack;
	struct engine *engine;
	struct budget *budget;
	struct arena mem; /* of one line */
	struct action action;
	char session[SESSION_MAX]; /* whose engine it is */
	char agent[SESSION_MAX];
	bool is_fresh; /* no action of it yet */
	/* session_start */
	bool has_utc_offset, has_no_reads;
	int utc_offset_s;
	uint64_t now_ns; /* never steps back: budgets count on it */
	char minute[MINUTE_LEN + 1];
	uint64_t minute_ns;
};

int replay_new(struct policy_stack *stack, struct replay **ret)
{
	struct replay *r = calloc(1, sizeof(*r));

	if (!r)
		return -ENOMEM;
	r->stack = stack;
	r->mem = ARENA_INIT(LINE_ARENA_MAX);
	*ret = r;
	return 0;
}

struct replay *replay_free(struct replay *r)
{
	if (!r)
		return NULL;
	engine_free(r->engine);
	budget_free(r->budget);
	arena_fini(&r->mem);
	free(r);
	return NULL;
}

/* ---- time */

static bool parse_time(struct replay *r, struct bytes text, uint64_t *ret)
{
	char whole[CLOCK_RFC3339_SIZE + 16];
	uint64_t rest = 0;

	if (text.len == TIME_LEN && text.p[MINUTE_LEN] == ':' && text.p[19] == '.' &&
	    text.p[TIME_LEN - 1] == 'Z' && memcmp(text.p, r->minute, MINUTE_LEN) == 0) {
		for (size_t i = MINUTE_LEN + 1; i < TIME_LEN - 1; i++) {
			if (i == 19)
				continue;
			if (text.p[i] < '0' || text.p[i] > '9')
				return false;
			rest = rest * 10 + (uint64_t)(text.p[i] - '0');
		}
		*ret = r->minute_ns + rest;
		return true;
	}
	if (text.len >= sizeof(whole) || !text.len)
		return false;
	memcpy(whole, text.p, text.len);
	whole[text.len] = '\0';
	if (clock_parse_rfc3339(whole, ret) < 0)
		return false;
	if (text.len == TIME_LEN && text.p[TIME_LEN - 1] == 'Z') {
		memcpy(r->minute, text.p, MINUTE_LEN);
		r->minute_ns = *ret - *ret % (60 * NS_PER_SEC);
	}
	return true;
}

/* ---- sessions */

static void copy_word(char *to, size_t size, struct bytes word)
{
	size_t n = MIN(word.len, size - 1);

	memcpy(to, word.p ? word.p : "", n);
	to[n] = '\0';
}

/* Each session has its own agent, clock and budgets. */
static int begin_session(struct replay *r, const struct line *l)
{
	struct engine_config config = {.stack = r->stack, .ask = ASK_QUEUE, .agent = r->agent};
	struct bytes agent;
	int rc;

	r->engine = engine_free(r->engine);
	r->budget = budget_free(r->budget);
	rc = line_string(l, LINE_AGENT, &r->mem, &agent);
	if (rc < 0)
		return rc;
	copy_word(r->session, sizeof(r->session), line_word(l, LINE_SESSION));
	copy_word(r->agent, sizeof(r->agent), agent);
	if (!agent.p)
		config.agent = NULL;
	config.has_utc_offset = r->has_utc_offset;
	config.utc_offset_s = r->utc_offset_s;
	r->is_fresh = true;
	rc = budget_new(r->stack, r->now_ns, &r->budget);
	config.budget = r->budget;
	return rc < 0 ? rc : engine_new(&config, &r->engine);
}

static void note_start(struct replay *r, const struct line *l)
{
	const char reads[] = "\"class\":\"path-read\",\"layer\":\"none\"";
	struct bytes offset = l->values[LINE_UTC_OFFSET], layers = l->values[LINE_LAYERS];
	uint64_t seconds;
	bool is_behind = offset.len && offset.p[0] == '-';

	if (is_behind) {
		offset.p++;
		offset.len--;
	}
	r->has_utc_offset = offset.p && parse_u64(offset, 86400, &seconds) == 0;
	if (r->has_utc_offset)
		r->utc_offset_s = is_behind ? -(int)seconds : (int)seconds;
	r->has_no_reads = layers.p && memmem(layers.p, layers.len, reads, sizeof(reads) - 1);
	r->engine = engine_free(r->engine); /* its actions are another session's */
}

static int enter_session(struct replay *r, const struct line *l)
{
	struct bytes session = line_word(l, LINE_SESSION);

	if (r->engine && session.len < SESSION_MAX && bytes_eq_str(session, r->session))
		return 0;
	if (!r->engine || session.len < SESSION_MAX)
		return begin_session(r, l);
	return 0; /* no name that Holdfast gives: not worth an engine for each line */
}

/* ---- one action */

static bool is_builtin(const struct replay_answer *a)
{
	static const char *const rules[] = {"fail-closed",     "guard-process", "process-outside",
					    "control-groups",  "own-files",     "own-key",
					    "other-resolver",  "spend",         "exec-changed",
					    "terminal-outside"};

	if (!bytes_eq_str(a->old_policy, "builtin"))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(rules); i++)
		if (bytes_eq_str(a->old_rule, rules[i]))
			return true;
	return false;
}

/* What the session's policies said. */
static int read_verdicts(struct replay *r, const struct line *l, struct replay_answer *ret)
{
	bool is_held = line_has(l, LINE_HELD) || line_has(l, LINE_APPROVER) ||
		       bytes_eq_str(line_word(l, LINE_REASON), "held-limit");
	int rc;

	if (verdict_parse(line_word(l, LINE_VERDICT), &ret->old) < 0 ||
	    verdict_parse(line_word(l, LINE_WOULD_HAVE), &ret->old_advice) < 0)
		return -ENOENT;
	ret->done = ret->old;
	if (is_held)
		ret->old = VERDICT_ASK;
	rc = line_string(l, LINE_POLICY, &r->mem, &ret->old_policy);
	return rc < 0 ? rc : line_string(l, LINE_RULE, &r->mem, &ret->old_rule);
}

/* Nobody asked a policy, nor would anybody now. */
static void keep_builtin(const struct replay *r, struct replay_answer *ret)
{
	bool is_audit = policy_stack_is_audit(r->stack);
	enum verdict deny = bytes_eq_str(ret->old_rule, "spend") ? VERDICT_ALLOW : VERDICT_DENY;

	ret->is_builtin = true;
	ret->decision = (struct decision){
		.verdict = deny, .would_have = deny, .is_audit = is_audit, .deny_errno = EACCES};
	/* Audit mode refuses nothing that it only does not understand, and kills nobody. */
	if (is_audit && (bytes_eq_str(ret->old_rule, "fail-closed") ||
			 bytes_eq_str(ret->old_rule, "exec-changed")))
		ret->decision.verdict = VERDICT_ALLOW;
}

static int decide(struct replay *r, struct replay_answer *ret)
{
	const struct engine_time now = {.monotonic_ns = r->now_ns, .realtime_ns = ret->time_ns};
	struct budget_answer answer;

	engine_decide(r->engine, &r->action, &now, &ret->decision);
	/* Asked about and then done: it is taken for approved, and counts. */
	if (ret->decision.verdict == VERDICT_ASK && ret->done < VERDICT_ASK)
		budget_charge(r->budget, &ret->decision.charge, true, r->now_ns, &answer);
	return REPLAY_ACTION;
}

static int replay_spend(struct replay *r, const struct line *l)
{
	struct bytes cost = l->values[LINE_COST];
	struct budget_answer answer;
	char text[64];

	if (cost.p && cost.len < sizeof(text)) {
		memcpy(text, cost.p, cost.len);
		text[cost.len] = '\0';
		budget_spend(r->budget, strtod(text, NULL), &answer);
	}
	return REPLAY_OTHER;
}

static int decide_record(struct replay *r, const struct line *l, struct replay_answer *ret)
{
	bool needs_cwd;
	int rc;

	rc = enter_session(r, l);
	if (rc < 0)
		return rc;
	if (bytes_eq_str(line_word(l, LINE_KIND), "spend"))
		return replay_spend(r, l);
	rc = read_verdicts(r, l, ret);
	if (rc < 0)
		return rc;
	rc = replay_action(l, &r->mem, &r->action, &ret->has_lost_steps);
	ret->action = &r->action;
	ret->session = bytes_of(r->session);
	ret->is_new_session = r->is_fresh;
	ret->has_no_reads =
		r->has_no_reads && ((policy_stack_decided_ops(r->stack) & OP_BIT(OP_READ)));
	r->is_fresh = false;
	if (is_builtin(ret) && (rc == 0 || rc == -EBADMSG)) {
		keep_builtin(r, ret);
		return REPLAY_ACTION;
	}
	if (rc < 0)
		return rc;
	needs_cwd = r->action.kind == KIND_PATH || r->action.kind == KIND_NETWORK;
	ret->is_cut = r->action.argv_truncated;
	ret->is_redacted = l->values[LINE_REDACTED].p;
	ret->has_lost_steps = ret->has_lost_steps && !ret->is_redacted;
	ret->lacks_cwd = needs_cwd && !r->action.cwd.p && policy_stack_needs_cwd(r->stack);
	return decide(r, ret);
}

static int damaged(struct replay_answer *ret, const char *why)
{
	(void)snprintf(ret->why, sizeof(ret->why), "%s", why);
	return REPLAY_DAMAGED;
}

static int replay_split(struct replay *r, const struct line *l, struct replay_answer *ret)
{
	struct bytes event = line_word(l, LINE_EVENT);
	int rc;

	if (!parse_time(r, line_word(l, LINE_TIME), &ret->time_ns))
		return damaged(ret, "has no valid time");
	(void)line_u64(l, LINE_SEQ, &ret->seq);
	r->now_ns = MAX(r->now_ns, ret->time_ns);
	if (bytes_eq_str(event, "session_start"))
		note_start(r, l);
	if (!bytes_eq_str(event, "action"))
		return REPLAY_OTHER;
	rc = decide_record(r, l, ret);
	if (rc == -ENOENT)
		return REPLAY_NOT_KNOWN;
	return rc == -EBADMSG ? damaged(ret, "is not as Holdfast writes it") : rc;
}

int replay_line(struct replay *r, struct bytes text, struct replay_answer *ret)
{
	struct line l;
	int rc;

	arena_reset(&r->mem);
	*ret = (struct replay_answer){};
	rc = line_take(text, &r->mem, &l, ret->why);
	if (rc)
		return rc > 0 ? REPLAY_DAMAGED : rc;
	return replay_split(r, &l, ret);
}
