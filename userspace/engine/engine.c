/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The order in which a verdict is found:
 *
 *   1. what could not be decoded is denied (fail closed);
 *   2. the built-in protection of Holdfast itself, which no policy can loosen;
 *   3. refused syscalls: granted by every policy, or denied;
 *   4. the policy stack, once for each step of the action; the strictest step counts;
 *   5. the budgets, which can only tighten that;
 *   6. where that comes to ask: the grants, and then --ask.
 *
 * Audit mode turns 1, 3, 4 and 5 into advice. It does not turn off 2: an agent under audit must not
 * be able to stop its auditor or to edit what the auditor wrote.
 */
#include <sys/socket.h>
#include <time.h>

#include "action/steps.h"
#include "base/clock.h"

#include "engine/devices.h"
#include "engine/engine.h"
#include "engine/names.h"
#include "engine/protect.h"

#define BUILTIN_POLICY "builtin"
#define FNV_PRIME      UINT64_C(1099511628211)
#define FNV_BASIS      UINT64_C(14695981039346656037)

struct engine {
	struct engine_config config;
	struct policy_scratch *scratch;
	struct protect protect;
	struct bytes agent;
	uint64_t minute; /* since 1970, of minute_of_week */
	int minute_of_week;
	struct budget_answer budget;  /* holds the reason of the last decision */
	struct grant_subject subject; /* of the last one that came to ask */
	uint32_t
		asked; /* bits of the steps that some policy asks about; 0: it is not one of them */
	struct grant_answer grant; /* likewise, if one covered it */
	struct engine_limit limits[POLICY_MAX_STACK];
	size_t n_limits;
	struct bytes sent_to;        /* the name that a limit on it is about */
	struct names_found names[2]; /* of the first step's address, and of another's */
};

int engine_new(const struct engine_config *config, struct engine **ret)
{
	struct engine *e = calloc(1, sizeof(*e));
	int r;

	if (!e)
		return -ENOMEM;
	e->config = *config;
	e->agent = bytes_of(config->agent);
	e->minute_of_week = POLICY_TIME_UNKNOWN;
	tzset(); /* the local time zone is read here, once */
	r = protect_init(&e->protect, &e->config);
	if (r < 0) {
		engine_free(e);
		return r;
	}
	e->scratch = policy_scratch_new(config->stack);
	if (!e->scratch) {
		engine_free(e);
		return -ENOMEM;
	}
	*ret = e;
	return 0;
}

struct engine *engine_free(struct engine *e)
{
	if (e) {
		policy_scratch_free(e->scratch);
		free(e);
	}
	return NULL;
}

static bool local_time(const struct engine *e, time_t seconds, struct tm *ret)
{
	if (!e->config.has_utc_offset)
		return localtime_r(&seconds, ret);
	seconds += e->config.utc_offset_s;
	return gmtime_r(&seconds, ret);
}

/* Anew each minute, because of it and of summer time. */
static int minute_of_week(struct engine *e, uint64_t realtime_ns)
{
	uint64_t minute = realtime_ns / (60 * NS_PER_SEC);
	struct tm tm;

	if (minute == e->minute)
		return e->minute_of_week;
	e->minute = minute;
	e->minute_of_week = POLICY_TIME_UNKNOWN;
	if (local_time(e, (time_t)(minute * 60), &tm))
		/* tm's week begins on Sunday. */
		e->minute_of_week = ((tm.tm_wday + 6) % 7 * 24 + tm.tm_hour) * 60 + tm.tm_min;
	return e->minute_of_week;
}

static void decide_builtin(struct decision *d, const char *rule, const char *reason, int deny_errno)
{
	d->verdict = VERDICT_DENY;
	d->would_have = VERDICT_DENY;
	d->is_audit = false;
	d->deny_errno = deny_errno;
	d->source =
		(struct policy_source){.policy = BUILTIN_POLICY, .rule = rule, .reason = reason};
}

/* What cannot be understood is denied; under audit, which refuses nothing, it is advised against.
 */
static void decide_undecodable(const struct engine *e, const struct action *a, struct decision *d)
{
	decide_builtin(d, "fail-closed",
		       a->error != ACTION_OK ? action_error_name(a->error) : "nothing-to-decide",
		       EACCES);
	if (policy_stack_is_audit(e->config.stack)) {
		d->verdict = VERDICT_ALLOW;
		d->is_audit = true;
	}
}

/* The one thing of ours that an agent may reach: it takes reports of spent money, no more. */
static bool is_spend_report(const struct engine *e, const struct action *a)
{
	return e->config.spend_socket && a->kind == KIND_NETWORK && a->op == OP_CONNECT &&
	       a->n_steps == 1 &&
	       bytes_eq_str(action_unix_name(a->steps[0].object), e->config.spend_socket);
}

/* Return: whether the built-in protection refused @a. */
static bool decide_self_protection(const struct engine *e, const struct action *a,
				   struct decision *d)
{
	struct protect_refusal refusal;

	if (!protect_refuses(&e->protect, a, &refusal))
		return false;
	decide_builtin(d, refusal.rule, refusal.reason, refusal.error);
	return true;
}

/* Audit refuses nothing: what is asked for there is not seen. */
static bool decide_other_resolver(const struct engine *e, const struct action *a,
				  struct decision *d)
{
	if (!e->config.names || policy_stack_is_audit(e->config.stack))
		return false;
	for (size_t i = 0; i < a->n_steps; i++)
		if (engine_is_other_resolver(&a->steps[i])) {
			decide_builtin(
				d, "other-resolver",
				"A policy names hosts, so names are asked for by DNS, where Holdfast sees them.",
				EACCES);
			return true;
		}
	return false;
}

/*
 * What the kernel asks of a debugger it asks of whoever opens these, and Landlock keeps a session's
 * processes from it; not us, who open for them. Files that a process has as its root, directory or
 * image are judged by their names.
 */
static bool decide_outside(const struct engine *e, const struct action *a, struct decision *d)
{
	struct policy_source source;

	if (!a->looks_outside || policy_stack_is_audit(e->config.stack) ||
	    policy_stack_grants(e->config.stack, GRANT_PTRACE, &source))
		return false;
	decide_builtin(d, "process-outside",
		       "What a process outside of the session has open or in memory is its own.",
		       EACCES);
	return true;
}

/* What the call fails with when it is refused. io_uring and foreign ABIs look absent, so that
 * programs fall back. */
static int refusal_errno(const struct action *a)
{
	if (a->kind != KIND_SYSTEM)
		return EACCES;
	if (a->grant == GRANT_IO_URING || a->grant == GRANT_FOREIGN_ABI)
		return ENOSYS;
	return EPERM;
}

static void decide_system(const struct engine *e, const struct action *a, struct decision *d)
{
	const struct policy_stack *stack = e->config.stack;
	struct policy_source advised;
	bool granted = policy_stack_grants(stack, a->grant, &d->source);
	bool advises = policy_stack_advises_grant(stack, a->grant, &advised);

	d->verdict = granted ? VERDICT_ALLOW : VERDICT_DENY;
	d->would_have = advises ? VERDICT_ALLOW : VERDICT_DENY;
	if (granted && !advises)
		d->source = advised;
	d->deny_errno = refusal_errno(a);
}

static struct policy_query query_of(const struct engine *e, const struct action *a)
{
	return (struct policy_query){
		.argv = a->argv,
		.argc = a->argc,
		.is_argv_cut = a->argv_truncated,
		.cwd = a->cwd,
		.parent = a->exe,
		.agent = e->agent,
		.minute_of_week = e->minute_of_week,
		.spent = budget_spent(e->config.budget),
	};
}

/* What the original of a dialect raises on is no decision, so it is a deny that says so. */
static struct policy_source with_error(struct policy_source s)
{
	if (s.error)
		s.reason = s.error;
	return s;
}

/* A rename is also judged by what it does to the names of everything below. */
static void decide_move(struct engine *e, const struct action *a, struct decision *d,
			struct policy_source *advised_source)
{
	struct policy_result r;

	if (a->op != OP_RENAME || !a->object2.p ||
	    !policy_stack_eval_move(e->config.stack, a->object, a->object2, a->moves_directory, &r))
		return;
	if (r.verdict > d->verdict) {
		d->verdict = r.verdict;
		d->source = r.source;
		e->asked = 0; /* it is about the whole of it */
	}
	if (r.advised > d->would_have) {
		d->would_have = r.advised;
		*advised_source = r.advised_source;
	}
}

static void add_limit(void *ctx, const struct policy_match *match)
{
	struct engine *e = ctx;

	if (!match->is_deciding || !match->source.sent.max ||
	    !policy_stack_enforcing(e->config.stack, match->policy))
		return;
	e->limits[e->n_limits++] = (struct engine_limit){
		.policy = match->source.policy,
		.rule = match->source.rule,
		.domain = match->source.sent.is_per_domain ? e->sent_to : BYTES_NULL,
		.max_bytes_sent = match->source.sent.max,
	};
}

static void find_limits(struct engine *e, const struct policy_query *q, struct decision *d)
{
	e->n_limits = 0;
	/* The name that was seen is the first, and the only one where it is verified. */
	e->sent_to = q->n_domains ? q->domains[0] : BYTES_LIT("");
	if (policy_stack_limits_sent(e->config.stack))
		policy_stack_each(e->config.stack, e->scratch, q, add_limit, e);
	d->limits = e->limits;
	d->n_limits = e->n_limits;
}

static void add_step(const struct action *a, const struct action_step *s, struct policy_query *q)
{
	q->kind = s->kind;
	q->op = s->op;
	q->names = s->names;
	q->n_names = s->n_names;
	q->args = s->args;
	if (s->op == OP_RESOLVE)
		q->path = BYTES_NULL;
	else
		q->path = s->kind == KIND_NETWORK ? action_unix_name(s->object) : s->object;
	q->address = s->address;
	q->listener = a->listener;
}

/*
 * Somebody is met only where it matters who it is: to meet is to connect, which a service may be
 * started by, and its server sees. A datagram socket meets nobody.
 */
static bool wants_listener(const struct engine *e, const struct action *a)
{
	static const struct policy_listener ahead = {.is_ahead = true};
	const struct action_step *s = &a->steps[0];
	struct policy_query q = query_of(e, a);
	struct policy_result r;

	if (a->has_met || a->act.kind != ACT_NETWORK || a->op != OP_CONNECT || a->n_steps != 1 ||
	    a->act.network.family != AF_UNIX || a->act.network.type == SOCK_DGRAM)
		return false;
	add_step(a, s, &q);
	q.listener = &ahead;
	if (!policy_stack_wants_listener(e->config.stack, &q))
		return false;
	policy_stack_eval(e->config.stack, e->scratch, &q, &r);
	return r.verdict != VERDICT_DENY;
}

/* Keeps the strictest of the steps; the first of equals, so that the record names the action's main
 * object. */
static void decide_steps(struct engine *e, const struct action *a, const struct engine_time *now,
			 struct decision *d)
{
	struct policy_source advised_source = {};
	struct policy_query q = query_of(e, a);

	for (size_t i = 0; i < a->n_steps; i++) {
		const struct action_step *s = &a->steps[i];
		struct policy_result r;

		add_step(a, s, &q);
		engine_add_domains(e->config.names, a, i, now->monotonic_ns, &e->names[i > 0], &q);
		if (i == 0 && e->names[0].n)
			d->names = &e->names[0];
		if (engine_eval_led(e->config.stack, e->scratch, &q, &r))
			d->is_led = true;
		else
			policy_stack_eval(e->config.stack, e->scratch, &q, &r);
		if (a->look)
			find_limits(e, &q, d);
		if (r.verdict == VERDICT_ASK)
			e->asked |= UINT32_C(1) << i;
		/* Of two that ask, the one that says who may answer, and how much, speaks. */
		if (i == 0 || r.verdict > d->verdict ||
		    (r.verdict == VERDICT_ASK && d->verdict == VERDICT_ASK && !d->source.ask &&
		     r.source.ask)) {
			d->verdict = r.verdict;
			d->source = with_error(r.source);
		}
		if (i == 0 || r.advised > d->would_have) {
			d->would_have = r.advised;
			advised_source = with_error(r.advised_source);
		}
		d->charge.cost = MAX(d->charge.cost, r.cost);
	}
	decide_move(e, a, d, &advised_source);
	/* The record names the rule that speaks, also when it only advises. */
	if (d->would_have > d->verdict)
		d->source = advised_source;
	d->deny_errno = refusal_errno(a);
}

/* Return: whether one covers the action. */
static bool decide_grant(struct engine *e, struct decision *d)
{
	grants_refresh(e->config.grants);
	if (!grants_find(e->config.grants, &e->subject, clock_boottime_ns(), true, &e->grant))
		return false;
	d->verdict = e->grant.is_deny ? VERDICT_DENY : VERDICT_ALLOW;
	d->approver = e->grant.approver;
	if (e->grant.reason[0])
		d->source.reason = e->grant.reason;
	return true;
}

/* By which names a grant may cover it: what it asked for, not what that is an alias of. An address
 * of this machine or its networks is no name's that the DNS alone gives to it. */
static void add_subject_names(struct engine *e, const struct action *a)
{
	const struct names_found *found = &e->names[0];
	struct grant_subject *s = &e->subject;

	if (a->kind != KIND_NETWORK || a->n_steps != 1)
		return;
	if (a->op == OP_RESOLVE) {
		s->names[s->n_names++] = a->steps[0].object;
		return;
	}
	if (!a->steps[0].address || names_is_inner(a->steps[0].address))
		return;
	for (size_t i = 0; i < found->n_asked && s->n_names < GRANT_NAMES_MAX; i++)
		s->names[s->n_names++] = found->names[i];
}

static void decide_ask(struct engine *e, const struct action *a, struct decision *d)
{
	if (d->verdict != VERDICT_ASK)
		return;
	grant_subject_of(a, &d->source, e->asked, &e->subject);
	add_subject_names(e, a);
	d->subject = &e->subject;
	/* An answer that was given ahead is one also where nobody can be asked. */
	if (decide_grant(e, d))
		return;
	switch (e->config.ask) {
	case ASK_TERMINAL:
	case ASK_QUEUE:
	case ASK_COMMAND:
	case ASK_TMUX:
		return;
	case ASK_DENY:
		d->verdict = VERDICT_DENY;
		d->approver = "--ask deny";
		return;
	case ASK_ALLOW:
		d->verdict = VERDICT_ALLOW;
		d->approver = "--ask allow";
		return;
	}
}

/* ---- the budgets */

static uint64_t hash_bytes(uint64_t hash, struct bytes s)
{
	/* FNV-1a. Whoever makes two actions look equal only trips the guard sooner. */
	for (size_t i = 0; i < s.len; i++)
		hash = (hash ^ (unsigned char)s.p[i]) * FNV_PRIME;
	return (hash ^ s.len) * FNV_PRIME;
}

/* What an agent does on purpose can go round in circles: programs that it starts and connections.
 * What programs open is the same all day. */
static uint64_t hash_action(const struct engine *e, const struct action *a,
			    const struct budget_action *c)
{
	uint64_t hash = FNV_BASIS;

	if (!(c->is_exec || c->is_connect) || !budget_needs_hash(e->config.budget))
		return 0;
	hash = (hash ^ (unsigned)a->kind) * FNV_PRIME;
	hash = (hash ^ (unsigned)a->op) * FNV_PRIME;
	hash = hash_bytes(hash, a->object);
	for (size_t i = 0; i < a->argc; i++)
		hash = hash_bytes(hash, a->argv[i]);
	hash = (hash ^ a->argc_total) * FNV_PRIME;
	return hash ? hash : 1;
}

static void fill_charge(const struct engine *e, const struct action *a, struct budget_action *c)
{
	const uint32_t reaching = OP_BIT(OP_CONNECT) | OP_BIT(OP_SEND);

	for (size_t i = 0; i < a->n_steps; i++) {
		const struct action_step *s = &a->steps[i];

		if (!(OP_BIT(s->op) & reaching))
			c->ops |= OP_BIT(s->op);
		else if (s->address && s->address->has_ip)
			c->is_connect = true;
	}
	/* A datagram that names where it goes is a connection as well; a unix socket is none. */
	if (c->is_connect)
		c->ops |= OP_BIT(OP_CONNECT);
	c->is_exec = a->kind == KIND_TOOL;
	c->is_device = engine_changes_devices_only(a);
	c->hash = hash_action(e, a, c);
}

static struct policy_source budget_source(const struct policy *p, const char *reason)
{
	return (struct policy_source){.policy = policy_name(p),
				      .rule = BUDGET_RULE,
				      .reason = reason,
				      .file = policy_file(p),
				      .language = policy_get_language(p)};
}

static void apply_budget(const struct budget_answer *b, struct decision *d)
{
	if (b->verdict > d->verdict) {
		d->verdict = b->verdict;
		d->source = budget_source(b->policy, b->reason);
		d->approver = NULL;
	}
	if (b->advised > d->would_have) {
		d->would_have = b->advised;
		if (b->advised > d->verdict)
			d->source = budget_source(b->advised_policy, b->advised_reason);
	}
	d->is_stop = b->is_stop && d->verdict == VERDICT_DENY;
}

static void decide_budget(struct engine *e, const struct action *a, uint64_t now_ns,
			  struct decision *d)
{
	struct budget *b = e->config.budget;

	fill_charge(e, a, &d->charge);
	if (d->verdict == VERDICT_ASK)
		budget_check(b, &d->charge, now_ns, &e->budget);
	else
		budget_charge(b, &d->charge, false, now_ns, &e->budget);
	apply_budget(&e->budget, d);
	if (d->verdict != VERDICT_ASK)
		return;
	decide_ask(e, a, d);
	if (d->verdict == VERDICT_ALLOW) {
		budget_charge(b, &d->charge, true, now_ns, &e->budget);
		apply_budget(&e->budget, d);
	}
}

/*
 * A connection that was counted when it was made, and can wait no longer for anybody: an answer
 * that was given to it, or ahead, holds for what it turns out to be.
 */
static void decide_look(struct engine *e, const struct action *a, struct decision *d)
{
	if (d->verdict == VERDICT_ASK && a->look->is_approved)
		d->verdict = VERDICT_ALLOW;
	decide_ask(e, a, d);
	if (d->verdict == VERDICT_ASK) {
		d->verdict = VERDICT_DENY;
		d->source.reason = "This name has to be asked about before the connection is made.";
	} else if (d->verdict == VERDICT_DENY && !d->source.reason) {
		d->source.reason = a->look->name.p
					   ? "The connection asks for a name that is not allowed."
					   : "The connection does not say which name it asks for.";
	}
}

static void decide_policy(struct engine *e, const struct action *a, const struct engine_time *now,
			  struct decision *d)
{
	policy_scratch_reset(e->scratch);
	e->asked = 0;
	(void)minute_of_week(e, now->realtime_ns);
	if (wants_listener(e, a)) {
		d->wants_listener = true;
		return;
	}
	if (a->kind == KIND_SYSTEM)
		decide_system(e, a, d);
	else
		decide_steps(e, a, now, d);
	if (a->look)
		decide_look(e, a, d);
	else if (d->verdict < VERDICT_DENY)
		decide_budget(e, a, now->monotonic_ns, d);
	if (d->verdict < VERDICT_ASK && (d->charge.is_exec || d->charge.is_connect))
		d->cost = d->charge.cost;
}

void engine_decide(struct engine *e, const struct action *a, const struct engine_time *now,
		   struct decision *ret)
{
	*ret = (struct decision){.verdict = VERDICT_DENY,
				 .would_have = VERDICT_DENY,
				 .deny_errno = EACCES,
				 .layer = "seccomp-notify",
				 .is_audit = policy_stack_is_audit(e->config.stack)};
	if (a->error != ACTION_OK || a->n_steps == 0) {
		decide_undecodable(e, a, ret);
		return;
	}
	if (is_spend_report(e, a)) {
		decide_builtin(ret, "spend", NULL, EACCES);
		ret->verdict = ret->would_have = VERDICT_ALLOW;
		return;
	}
	if (!decide_self_protection(e, a, ret) && !decide_other_resolver(e, a, ret) &&
	    !decide_outside(e, a, ret))
		decide_policy(e, a, now, ret);
	/* Unless a policy speaks of questions itself, it is the connection that is asked about. */
	if (a->op == OP_RESOLVE && ret->verdict == VERDICT_ASK && !ret->source.is_on_question)
		ret->verdict = VERDICT_FLAG;
}
