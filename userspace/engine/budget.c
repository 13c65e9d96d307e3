/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Each policy with a budget is a set of limits over the session's counts. A set names the first of
 * its limits that an action would pass; the strictest set counts.
 */
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>

#include "engine/budget.h"
#include "engine/window.h"

#define QUESTIONS_NS (60 * NS_PER_SEC)

/* One policy's budget. */
struct limits {
	const struct policy *policy;
	const struct policy_budget *budget; /* never NULL */
	uint64_t max_questions;             /* a minute; 0: no limit */
	bool is_audit;
	bool is_flagged; /* its soft limit was told of */
	double others;   /* what other sessions spent on the account */
	struct window *windows[POLICY_MAX_RATES];
	struct window *questions; /* NULL: no limit */
	struct loop_guard *loop;
};

/* Of a policy that limits nothing but its questions. */
static const struct policy_budget no_budget = {.on_limit = POLICY_LIMIT_DENY};

struct budget {
	pthread_mutex_t lock;
	uint64_t started_ns;
	uint64_t latest_ns; /* receivers read the clock before they have the lock: it never steps
			       back here */
	_Atomic double spent;
	double reported;
	uint64_t n_reports;
	uint64_t execs, connects, bytes_written;
	size_t n;
	struct limits limits[POLICY_MAX_STACK];
};

/* ---- the limits, in the order in which they are told; each writes its reason when it is reached
 */

struct question {
	const struct budget *budget;
	struct limits *limits;
	const struct budget_action *action;
	uint64_t now_ns;
	char *reason; /* BUDGET_REASON_MAX */
};

static bool tell(const struct question *q, const char *fmt, ...) _printf_(2, 3);

static bool tell(const struct question *q, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	(void)vsnprintf(q->reason, BUDGET_REASON_MAX, fmt, ap);
	va_end(ap);
	return true;
}

/* "5.00", and all digits of what is finer. */
static const char *money(double v, char out[static 32])
{
	(void)snprintf(out, 32, "%.2f", v);
	if (strtod(out, NULL) != v)
		(void)snprintf(out, 32, "%.10g", v);
	return out;
}

static double spent_of(const struct budget *b, const struct limits *l)
{
	return l->others + atomic_load_explicit(&b->spent, memory_order_relaxed);
}

static bool reaches_seconds(const struct question *q)
{
	uint64_t max = q->limits->budget->max_seconds;

	if (!max || (q->now_ns - q->budget->started_ns) / NS_PER_SEC < max)
		return false;
	return tell(q, "budget: max_seconds %llu reached", (unsigned long long)max);
}

static bool reaches_spend(const struct question *q)
{
	const struct policy_budget *b = q->limits->budget;
	double spent = spent_of(q->budget, q->limits);
	char max[32], now[32], cost[32];

	/* A sum that is no number, too, is over. */
	if (!b->has_spend || !(q->action->is_exec || q->action->is_connect) ||
	    spent + q->action->cost <= b->max_spend)
		return false;
	return tell(q, "budget: max_spend %s reached: %s is spent, and this costs %s",
		    money(b->max_spend, max), money(spent, now), money(q->action->cost, cost));
}

static bool reaches_execs(const struct question *q)
{
	uint64_t max = q->limits->budget->max_execs;

	if (!max || !q->action->is_exec || q->budget->execs < max)
		return false;
	return tell(q, "budget: max_execs %llu reached", (unsigned long long)max);
}

static bool reaches_connects(const struct question *q)
{
	uint64_t max = q->limits->budget->max_connects;

	if (!max || !q->action->is_connect || q->budget->connects < max)
		return false;
	return tell(q, "budget: max_connects %llu reached", (unsigned long long)max);
}

static bool reaches_bytes(const struct question *q)
{
	uint64_t max = q->limits->budget->max_bytes_written;

	if (!max || !(q->action->ops & OPS_CHANGE) || q->action->is_device ||
	    q->budget->bytes_written < max)
		return false;
	return tell(q, "budget: max_bytes_written %llu reached: %llu are written",
		    (unsigned long long)max, (unsigned long long)q->budget->bytes_written);
}

static const char *per_word(uint64_t per_ns, char out[static 32])
{
	static const struct {
		uint64_t seconds;
		const char *word;
	} words[] = {{1, "second"}, {60, "minute"}, {3600, "hour"}, {86400, "day"}};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (per_ns == words[i].seconds * NS_PER_SEC)
			return words[i].word;
	(void)snprintf(out, 32, "%.6g s", (double)per_ns / (double)NS_PER_SEC);
	return out;
}

static bool reaches_rate(const struct question *q)
{
	const struct policy_budget *b = q->limits->budget;
	char per[32];

	for (size_t i = 0; i < b->n_rates; i++) {
		const struct policy_rate *rate = &b->rates[i];

		if ((q->action->ops & rate->ops) &&
		    window_count(q->limits->windows[i], rate->per_ns, q->now_ns) >= rate->n)
			return tell(q, "budget: rate of %llu %s per %s reached",
				    (unsigned long long)rate->n, rate->word,
				    per_word(rate->per_ns, per));
	}
	return false;
}

static bool reaches_questions(const struct question *q)
{
	uint64_t max = q->limits->max_questions;

	if (!max || !(q->action->ops & OP_BIT(OP_RESOLVE)) ||
	    window_count(q->limits->questions, QUESTIONS_NS, q->now_ns) < max)
		return false;
	return tell(q, "questions: per_minute %llu reached", (unsigned long long)max);
}

static bool reaches_loop(const struct question *q)
{
	const struct policy_budget *b = q->limits->budget;

	if (!q->limits->loop || !q->action->hash ||
	    loop_count(q->limits->loop, q->action->hash, b->loop_window_ns, q->now_ns) + 1 <
		    b->loop_repeats)
		return false;
	return tell(q, "budget: loop guard: the same action %u times within %.6g s",
		    b->loop_repeats, (double)b->loop_window_ns / (double)NS_PER_SEC);
}

static bool (*const limit_checks[])(const struct question *) = {
	reaches_seconds, reaches_spend, reaches_execs, reaches_connects,
	reaches_bytes,   reaches_rate,  reaches_loop,
};

static bool reaches_any(const struct question *q)
{
	for (size_t i = 0; i < ARRAY_SIZE(limit_checks); i++)
		if (limit_checks[i](q))
			return true;
	return false;
}

/* ---- answers */

/* Raises the answer to what @l says, if that is stricter. */
static void stricter(struct budget_answer *a, const struct limits *l, enum verdict v, bool is_stop,
		     const char *reason)
{
	if (v > a->advised) {
		a->advised = v;
		a->advised_policy = l->policy;
		(void)snprintf(a->advised_reason, sizeof(a->advised_reason), "%s", reason);
	}
	if (!l->is_audit && (v > a->verdict || (v == a->verdict && is_stop && !a->is_stop))) {
		a->verdict = v;
		a->policy = l->policy;
		a->is_stop = is_stop;
		(void)snprintf(a->reason, sizeof(a->reason), "%s", reason);
	}
}

static void clear(struct budget_answer *a)
{
	/* The texts are set when they are needed. */
	a->verdict = a->advised = VERDICT_ALLOW;
	a->is_stop = false;
	a->policy = a->advised_policy = NULL;
	a->reason[0] = a->advised_reason[0] = '\0';
}

/* Asks every set of limits. */
static void ask_all(struct budget *b, const struct budget_action *a, uint64_t now_ns,
		    struct budget_answer *ret)
{
	char reason[BUDGET_REASON_MAX];

	b->latest_ns = MAX(b->latest_ns, now_ns);
	for (size_t i = 0; i < b->n; i++) {
		struct limits *l = &b->limits[i];
		const struct question q = {.budget = b,
					   .limits = l,
					   .action = a,
					   .now_ns = b->latest_ns,
					   .reason = reason};
		enum policy_limit_action on_limit = l->budget->on_limit;

		if (reaches_any(&q))
			stricter(ret, l, on_limit == POLICY_LIMIT_ASK ? VERDICT_ASK : VERDICT_DENY,
				 on_limit == POLICY_LIMIT_STOP, reason);
		if (reaches_questions(&q)) /* whatever becomes of what the budget limits */
			stricter(ret, l, VERDICT_DENY, false, reason);
	}
}

/* Soft limits that have been crossed, each told once. */
static void flag_soft_limits(struct budget *b, struct budget_answer *ret)
{
	char reason[BUDGET_REASON_MAX], now[32], max[32];

	for (size_t i = 0; i < b->n; i++) {
		struct limits *l = &b->limits[i];
		double spent = spent_of(b, l);

		if (!l->budget->has_spend || l->budget->soft_limit <= 0 || l->is_flagged ||
		    spent < l->budget->soft_limit * l->budget->max_spend)
			continue;
		l->is_flagged = true;
		(void)snprintf(reason, sizeof(reason),
			       "budget: soft limit reached: %s of max_spend %s is spent",
			       money(spent, now), money(l->budget->max_spend, max));
		stricter(ret, l, VERDICT_FLAG, false, reason);
	}
}

static void add_spent(struct budget *b, double amount)
{
	double spent = atomic_load_explicit(&b->spent, memory_order_relaxed);

	atomic_store_explicit(&b->spent, spent + amount, memory_order_relaxed);
}

static void count(struct budget *b, const struct budget_action *a)
{
	b->execs += a->is_exec;
	b->connects += a->is_connect;
	if ((a->is_exec || a->is_connect) && a->cost > 0)
		add_spent(b, a->cost);
	for (size_t i = 0; i < b->n; i++) {
		const struct policy_budget *p = b->limits[i].budget;

		for (size_t j = 0; j < p->n_rates; j++)
			if (a->ops & p->rates[j].ops) {
				window_add(b->limits[i].windows[j], p->rates[j].per_ns,
					   b->latest_ns);
			}
		if (b->limits[i].questions && a->ops & OP_BIT(OP_RESOLVE))
			window_add(b->limits[i].questions, QUESTIONS_NS, b->latest_ns);
		if (b->limits[i].loop && a->hash)
			loop_add(b->limits[i].loop, a->hash, b->latest_ns);
	}
}

void budget_check(struct budget *b, const struct budget_action *a, uint64_t now_ns,
		  struct budget_answer *ret)
{
	clear(ret);
	if (b->n == 0)
		return;
	pthread_mutex_lock(&b->lock);
	ask_all(b, a, now_ns, ret);
	pthread_mutex_unlock(&b->lock);
}

void budget_charge(struct budget *b, const struct budget_action *a, bool is_approved,
		   uint64_t now_ns, struct budget_answer *ret)
{
	clear(ret);
	if (b->n == 0 && !a->is_exec && !a->is_connect)
		return;
	pthread_mutex_lock(&b->lock);
	ask_all(b, a, now_ns, ret);
	if (ret->verdict < VERDICT_ASK || (is_approved && ret->verdict == VERDICT_ASK)) {
		count(b, a);
		if (ret->verdict == VERDICT_ASK)
			ret->verdict = VERDICT_ALLOW;
		flag_soft_limits(b, ret);
	}
	pthread_mutex_unlock(&b->lock);
}

void budget_spend(struct budget *b, double amount, struct budget_answer *ret)
{
	char reason[BUDGET_REASON_MAX], now[32], max[32];

	clear(ret);
	pthread_mutex_lock(&b->lock);
	add_spent(b, amount);
	b->reported += amount;
	b->n_reports++;
	flag_soft_limits(b, ret);
	for (size_t i = 0; i < b->n; i++) {
		struct limits *l = &b->limits[i];

		if (!l->budget->has_spend || spent_of(b, l) <= l->budget->max_spend)
			continue;
		(void)snprintf(reason, sizeof(reason), "budget: max_spend %s exceeded: %s is spent",
			       money(l->budget->max_spend, max), money(spent_of(b, l), now));
		stricter(ret, l, VERDICT_DENY, l->budget->on_limit == POLICY_LIMIT_STOP, reason);
	}
	pthread_mutex_unlock(&b->lock);
}

/* ---- the state */

double budget_spent(const struct budget *b)
{
	return atomic_load_explicit(&b->spent, memory_order_relaxed);
}

bool budget_needs_hash(const struct budget *b)
{
	for (size_t i = 0; i < b->n; i++)
		if (b->limits[i].loop)
			return true;
	return false;
}

void budget_get_totals(struct budget *b, struct budget_totals *ret)
{
	pthread_mutex_lock(&b->lock);
	*ret = (struct budget_totals){
		.spent = budget_spent(b),
		.reported = b->reported,
		.n_reports = b->n_reports,
		.execs = b->execs,
		.connects = b->connects,
		.bytes_written = b->bytes_written,
	};
	for (size_t i = 0; i < b->n; i++) {
		const struct limits *l = &b->limits[i];
		double left;

		if (!l->budget->has_spend || l->is_audit)
			continue;
		left = MAX(l->budget->max_spend - spent_of(b, l), 0.0);
		ret->remaining = ret->has_remaining ? MIN(ret->remaining, left) : left;
		ret->has_remaining = true;
	}
	pthread_mutex_unlock(&b->lock);
}

bool budget_limits_bytes(const struct budget *b)
{
	for (size_t i = 0; i < b->n; i++)
		if (b->limits[i].budget->max_bytes_written)
			return true;
	return false;
}

void budget_set_bytes_written(struct budget *b, uint64_t bytes)
{
	pthread_mutex_lock(&b->lock);
	b->bytes_written = MAX(b->bytes_written, bytes);
	pthread_mutex_unlock(&b->lock);
}

static bool stops(const struct limits *l)
{
	return !l->is_audit && l->budget->on_limit == POLICY_LIMIT_STOP;
}

uint64_t budget_stop_ns(const struct budget *b)
{
	uint64_t stop_ns = UINT64_MAX, length, at;

	for (size_t i = 0; i < b->n; i++) {
		const struct limits *l = &b->limits[i];

		if (!stops(l) || !l->budget->max_seconds ||
		    __builtin_mul_overflow(l->budget->max_seconds, NS_PER_SEC, &length) ||
		    __builtin_add_overflow(b->started_ns, length, &at))
			continue;
		stop_ns = MIN(stop_ns, at);
	}
	return stop_ns;
}

bool budget_must_stop(struct budget *b, uint64_t now_ns, struct budget_answer *ret)
{
	static bool (*const checks[])(const struct question *) = {reaches_seconds, reaches_bytes,
								  reaches_spend};
	/* An action that costs nothing is stopped only by what is used up already. */
	const struct budget_action nothing = {.ops = OPS_CHANGE, .is_exec = true};
	char reason[BUDGET_REASON_MAX];

	clear(ret);
	pthread_mutex_lock(&b->lock);
	for (size_t i = 0; i < b->n; i++) {
		const struct question q = {.budget = b,
					   .limits = &b->limits[i],
					   .action = &nothing,
					   .now_ns = now_ns,
					   .reason = reason};

		for (size_t j = 0; stops(q.limits) && j < ARRAY_SIZE(checks); j++)
			if (checks[j](&q))
				stricter(ret, q.limits, VERDICT_DENY, true, reason);
	}
	pthread_mutex_unlock(&b->lock);
	return ret->is_stop;
}

/* Return: the index of the @i-th set of limits that names an account; b->n: there is none. */
static size_t account_index(const struct budget *b, size_t i)
{
	size_t j;

	for (j = 0; j < b->n; j++)
		if (b->limits[j].budget->account && i-- == 0)
			break;
	return j;
}

const char *budget_account(const struct budget *b, size_t i)
{
	size_t j = account_index(b, i);

	return j < b->n ? b->limits[j].budget->account : NULL;
}

void budget_set_others(struct budget *b, size_t i, double spent)
{
	size_t j = account_index(b, i);

	if (j == b->n)
		return;
	pthread_mutex_lock(&b->lock);
	b->limits[j].others = spent;
	pthread_mutex_unlock(&b->lock);
}

/* ---- setting up */

static uint64_t max_questions(const struct policy *p)
{
	const struct policy_questions *q = policy_get_questions(p);

	return q ? q->per_minute : 0;
}

static int limits_init(struct limits *l, const struct policy *p, bool is_audit)
{
	l->policy = p;
	l->budget = policy_get_budget(p);
	if (!l->budget)
		l->budget = &no_budget;
	l->is_audit = is_audit || policy_get_mode(p) == POLICY_MODE_AUDIT;
	for (size_t i = 0; i < l->budget->n_rates; i++) {
		l->windows[i] = calloc(1, sizeof(*l->windows[i]));
		if (!l->windows[i])
			return -ENOMEM;
	}
	l->max_questions = max_questions(p);
	if (l->max_questions) {
		l->questions = calloc(1, sizeof(*l->questions));
		if (!l->questions)
			return -ENOMEM;
	}
	if (l->budget->loop_repeats) {
		l->loop = calloc(1, sizeof(*l->loop));
		if (!l->loop)
			return -ENOMEM;
	}
	return 0;
}

int budget_new(const struct policy_stack *stack, uint64_t now_ns, struct budget **ret)
{
	struct budget *b = calloc(1, sizeof(*b));
	int r = 0;

	if (!b)
		return -ENOMEM;
	pthread_mutex_init(&b->lock, NULL);
	b->started_ns = b->latest_ns = now_ns;
	for (size_t i = 0; i < policy_stack_size(stack) && r == 0; i++) {
		const struct policy *p = policy_stack_get(stack, i);

		if (policy_get_budget(p) || max_questions(p))
			r = limits_init(&b->limits[b->n++], p, policy_stack_is_audit(stack));
	}
	if (r < 0) {
		budget_free(b);
		return r;
	}
	*ret = b;
	return 0;
}

struct budget *budget_free(struct budget *b)
{
	if (!b)
		return NULL;
	for (size_t i = 0; i < b->n; i++) {
		for (size_t j = 0; j < POLICY_MAX_RATES; j++)
			free(b->limits[i].windows[j]);
		free(b->limits[i].questions);
		free(b->limits[i].loop);
	}
	pthread_mutex_destroy(&b->lock);
	free(b);
	return NULL;
}
