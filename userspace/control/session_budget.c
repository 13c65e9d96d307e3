/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the main thread does for the budgets: takes reports of spend, keeps the accounts, looks how
 * much was written, and ends the session when a budget says so. Receivers charge actions by
 * themselves (engine/).
 */
#include <stdio.h>

#include "base/clock.h"
#include "base/dirs.h"

#include "control/peer.h"
#include "control/protocol.h"
#include "control/session_private.h"
#include "control/spending.h"
#include "control/written.h"

#define SAMPLE_NS        (250 * NS_PER_MSEC)
#define SAMPLE_SHARE     20 /* looking takes at most one part in so many of the time */
#define LOCK_WAIT_NS     (20 * NS_PER_MSEC)
#define LOCK_WAIT_END_NS (5 * NS_PER_SEC)
#define REPORT_NOTE_MAX  (CONTROL_APPROVER_MAX + 64)

static int open_spend_socket(struct session *s, struct diag *d)
{
	const struct control_server_config config = {
		.runtime_dir = s->config->runtime_dir,
		.session = s->config->session,
		.supervisor = getpid(),
		.owner = getuid(),
		.ops = &session_control_ops,
		.arg = s,
		.is_inside = true,
	};

	return control_server_new(&config, &s->spend_server, d);
}

int session_budget_init(struct session *s, struct diag *reterr_diag)
{
	int r = budget_new(s->config->policies->stack, s->started_ns, &s->budget);

	if (r == 0 && budget_limits_bytes(s->budget))
		r = written_new(&s->written);
	if (r < 0)
		return diag_set(reterr_diag, NULL, 0, 0, "cannot set up the budgets: %s",
				strerror(-r));
	r = spending_new(s->budget, &s->spending, reterr_diag);
	return r < 0 ? r : open_spend_socket(s, reterr_diag);
}

/* The command's environment: ours, and where the spend socket is. */
char **session_environment(struct session *s)
{
	const size_t name_len = sizeof(CONTROL_SPEND_ENV) - 1;
	char *const *from = s->config->envp;
	size_t n = 0, kept = 0;

	while (from[n])
		n++;
	s->spend_variable =
		str_format(CONTROL_SPEND_ENV "=%s", control_server_path(s->spend_server));
	s->environment = calloc(n + 2, sizeof(*s->environment));
	if (!s->spend_variable || !s->environment)
		return NULL;
	for (size_t i = 0; i < n; i++)
		if (strncmp(from[i], CONTROL_SPEND_ENV, name_len) != 0 || from[i][name_len] != '=')
			s->environment[kept++] = from[i];
	s->environment[kept] = s->spend_variable;
	return s->environment;
}

static void note_account_trouble(struct session *s, const struct diag *d)
{
	char text[1280], note[1400];

	if (s->has_account_trouble)
		return;
	s->has_account_trouble = true;
	diag_format(d, text, sizeof(text));
	(void)snprintf(note, sizeof(note),
		       "An account could not be brought up to date, trying again: %s", text);
	session_notice(s, bytes_of(note));
}

static void sync_accounts(struct session *s, uint64_t wait_ns)
{
	struct diag d = {};

	if (spending_sync(s->spending, wait_ns, &d) < 0)
		note_account_trouble(s, &d);
	else
		s->has_account_trouble = false;
	s->next_sync_ns = clock_monotonic_ns() + SPENDING_SYNC_NS;
}

static void sample_written(struct session *s, uint64_t now_ns)
{
	uint64_t end_ns;

	budget_set_bytes_written(s->budget, written_sample(s->written));
	end_ns = clock_monotonic_ns();
	s->next_sample_ns = end_ns + MAX(SAMPLE_NS, (end_ns - now_ns) * SAMPLE_SHARE);
}

uint64_t session_budget_next(const struct session *s)
{
	uint64_t next = UINT64_MAX;

	if (atomic_load(&s->has_stop_reason))
		return next;
	if (s->written)
		next = MIN(next, s->next_sample_ns);
	if (spending_dir(s->spending))
		next = MIN(next, s->next_sync_ns);
	return MIN(next, budget_stop_ns(s->budget));
}

void session_budget_tick(struct session *s)
{
	uint64_t now_ns = clock_monotonic_ns();
	struct budget_answer answer;

	if (now_ns < session_budget_next(s))
		return;
	if (s->written && now_ns >= s->next_sample_ns)
		sample_written(s, now_ns);
	if (spending_dir(s->spending) && now_ns >= s->next_sync_ns)
		sync_accounts(s, LOCK_WAIT_NS);
	if (budget_must_stop(s->budget, now_ns, &answer))
		session_stop(s, answer.reason);
}

void session_budget_end(struct session *s)
{
	if (s->spending && s->audit)
		sync_accounts(s, LOCK_WAIT_END_NS);
}

void session_budget_fini(struct session *s)
{
	s->spend_server = control_server_free(s->spend_server);
	s->spending = spending_free(s->spending);
	s->written = written_free(s->written);
	s->budget = budget_free(s->budget);
	free(s->environment);
	free(s->spend_variable);
}

static void record_report(struct session *s, const struct control_report *report,
			  const struct budget_answer *answer)
{
	char note[REPORT_NOTE_MAX];
	struct audit_record r = {
		.event = AUDIT_ACTION,
		.time_ns = clock_realtime_ns(),
		.pid = report->pid,
		.kind = KIND_SPEND,
		.op = OP_SPEND,
		.verdict = answer->verdict,
		.would_have = answer->advised,
		.is_audit = policy_stack_is_audit(s->config->policies->stack),
		.object = report->source.len ? report->source : BYTES_NULL,
		.cost = report->amount,
		.spent = budget_spent(s->budget),
	};
	const struct policy *p = answer->policy ? answer->policy : answer->advised_policy;

	if (p) {
		r.policy = bytes_of(policy_name(p));
		r.rule = BYTES_LIT(BUDGET_RULE);
		r.reason = bytes_of(answer->policy ? answer->reason : answer->advised_reason);
	}
	if (report->reporter.p) {
		(void)snprintf(note, sizeof(note), "Reported from outside by %.*s.",
			       (int)report->reporter.len, report->reporter.p);
		r.note = bytes_of(note);
	}
	(void)audit_append(s->audit, &r); /* the money is gone, recorded or not */
}

void session_spend(void *arg, const struct control_report *report, struct json *j)
{
	struct session *s = arg;
	struct budget_answer answer;
	struct budget_totals totals;

	sync_accounts(s, LOCK_WAIT_NS);
	budget_spend(s->budget, report->amount, &answer);
	sync_accounts(s, LOCK_WAIT_NS);
	record_report(s, report, &answer);
	budget_get_totals(s->budget, &totals);
	json_key_double(j, "spent", totals.spent);
	json_key(j, "remaining");
	if (totals.has_remaining)
		json_double(j, totals.remaining);
	else
		json_none(j);
	json_key_bool(j, "exceeded", answer.verdict == VERDICT_DENY);
	if (answer.verdict == VERDICT_DENY)
		json_key_cstr(j, "message", answer.reason);
	if (answer.is_stop)
		session_stop(s, answer.reason);
}
