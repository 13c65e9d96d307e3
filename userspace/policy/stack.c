/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Several policies as one: the strictest verdict counts; those that only advise are asked too, and
 * their answer is kept apart.
 */
#include "policy/capability.h"
#include "policy/dialect.h"
#include "policy/eval.h"
#include "policy/keys.h"
#include "policy/moves.h"
#include "policy/naive.h"
#include "policy/questions.h"

#define REASON_LIMIT    "regex-limit"
#define REASON_INTERNAL "internal-error"

/* Names the word that a policy would have to say. */
static const char *const grant_reasons[_GRANT_MAX] = {
	[GRANT_IO_URING] = "refused unless this policy says grant: [io_uring]",
	[GRANT_PTRACE] = "refused unless this policy says grant: [ptrace]",
	[GRANT_BPF] = "refused unless this policy says grant: [bpf]",
	[GRANT_PERF] = "refused unless this policy says grant: [perf]",
	[GRANT_MOUNT] = "refused unless this policy says grant: [mount]",
	[GRANT_MODULE] = "refused unless this policy says grant: [module]",
	[GRANT_HANDLE] = "refused unless this policy says grant: [handle]",
	[GRANT_PIDFD] = "refused unless this policy says grant: [pidfd]",
	[GRANT_KEYRING] = "refused unless this policy says grant: [keyring]",
	[GRANT_USERFAULTFD] = "refused unless this policy says grant: [userfaultfd]",
	[GRANT_RAW_SOCKET] = "refused unless this policy says grant: [raw_socket]",
	[GRANT_FOREIGN_ABI] = "refused unless this policy says grant: [foreign_abi]",
	[GRANT_ADMIN] = "refused unless this policy says grant: [admin]",
	[GRANT_TERMINAL] = "refused unless this policy says grant: [terminal]",
	[GRANT_NAMESPACES] = "refused unless this policy says grant: [namespaces]",
	[GRANT_PROCESSES] = "refused unless this policy says grant: [processes]",
};

struct layer {
	struct policy *policy;
	struct index index;
	bool is_audit;
};

struct policy_stack {
	size_t n;
	struct layer layers[POLICY_MAX_STACK];
};

struct policy_scratch {
	struct regex_scratch *regex;
	struct arena mem; /* texts made for answers */
};

/* Reasons name what the agent wrote, so their length is the agent's; past this the answer is a
 * deny that says so. */
#define SCRATCH_MAX_BYTES ((size_t)64 << 20)

static void free_policies(struct policy **policies, size_t n)
{
	for (size_t i = 0; i < n; i++)
		policies[i] = policy_free(policies[i]);
}

/*
 * Patterns up to this number are made ready now, so that evaluating allocates nothing. A policy
 * with more would take too long to start and too much memory: its patterns are made ready when they
 * are first searched for, once each.
 */
#define PREPARED_MAX 128

static void prepare_regexes(const struct policy *p)
{
	size_t n = 0;

	for (const struct owned_regex *r = p->regexes; r; r = r->next)
		n++;
	for (const struct owned_regex *r = p->regexes; r && n <= PREPARED_MAX; r = r->next)
		regex_prepare(r->regex);
}

int policy_stack_new(struct policy **policies, size_t n, bool force_audit,
		     struct policy_stack **ret, struct diag *reterr_diag)
{
	struct policy_stack *s;

	if (n == 0 || n > POLICY_MAX_STACK) {
		free_policies(policies, n);
		return diag_set(reterr_diag, NULL, 0, 0,
				"a session has from 1 to %d policies, not %zu", POLICY_MAX_STACK,
				n);
	}
	s = calloc(1, sizeof(*s));
	if (!s) {
		free_policies(policies, n);
		return -ENOMEM;
	}
	s->n = n;
	for (size_t i = 0; i < n; i++)
		s->layers[i].policy = TAKE_PTR(policies[i]);
	for (size_t i = 0; i < n; i++) {
		struct layer *l = &s->layers[i];
		int r = index_build(l->policy, &l->index);

		prepare_regexes(l->policy);
		l->is_audit = force_audit || l->policy->mode == POLICY_MODE_AUDIT;
		if (r < 0) {
			policy_stack_free(s);
			return r;
		}
	}
	*ret = s;
	return 0;
}

struct policy_stack *policy_stack_free(struct policy_stack *s)
{
	if (!s)
		return NULL;
	for (size_t i = 0; i < s->n; i++) {
		index_fini(&s->layers[i].index);
		policy_free(s->layers[i].policy);
	}
	free(s);
	return NULL;
}

size_t policy_stack_size(const struct policy_stack *s)
{
	return s->n;
}

const struct policy *policy_stack_get(const struct policy_stack *s, size_t i)
{
	return i < s->n ? s->layers[i].policy : NULL;
}

struct policy_scratch *policy_scratch_new(_unused_ const struct policy_stack *s)
{
	struct policy_scratch *scratch = calloc(1, sizeof(*scratch));

	if (!scratch)
		return NULL;
	scratch->mem = ARENA_INIT(SCRATCH_MAX_BYTES);
	scratch->regex = regex_scratch_new();
	return scratch->regex ? scratch : policy_scratch_free(scratch);
}

struct policy_scratch *policy_scratch_free(struct policy_scratch *s)
{
	if (s) {
		regex_scratch_free(s->regex);
		arena_fini(&s->mem);
		free(s);
	}
	return NULL;
}

void policy_scratch_reset(struct policy_scratch *s)
{
	arena_reset(&s->mem);
}

struct regex_scratch *policy_scratch_regex(struct policy_scratch *scratch)
{
	return scratch->regex;
}

struct arena *policy_scratch_arena(struct policy_scratch *scratch)
{
	return &scratch->mem;
}

static struct policy_source source_of(const struct policy *p)
{
	return (struct policy_source){.policy = p->name, .file = p->file, .language = p->language};
}

/* @is_limit: the rule's regular expression hit its limit, which is a deny, whatever the rule says.
 */
static struct policy_source source_of_rule(const struct policy *p, const struct rule *rule,
					   bool is_limit)
{
	struct policy_source source = source_of(p);

	source.rule = rule->name;
	source.file = rule->file;
	source.line = rule->line;
	source.reason = is_limit ? REASON_LIMIT : rule->reason;
	source.word = verdict_name(is_limit ? VERDICT_DENY : rule->action);
	source.suggest = is_limit ? NULL : rule->suggest;
	source.ask = is_limit ? NULL : rule->ask;
	source.sent = rule->sent;
	source.is_on_question = rule->match.has_resolve;
	return source;
}

static struct policy_source source_of_answer(const struct policy *p, const struct dialect_answer *a)
{
	struct policy_source source = source_of(p);

	source.rule = a->rule;
	source.reason = a->reason;
	source.line = a->line;
	source.word = a->word;
	source.error = a->error;
	return source;
}

static struct policy_source source_internal(const struct policy *p)
{
	struct policy_source source = source_of(p);

	source.reason = REASON_INTERNAL;
	source.word = verdict_name(VERDICT_DENY);
	return source;
}

static bool refused_by_questions(const struct policy *p, const struct policy_query *q,
				 struct policy_source *ret)
{
	const char *reason = questions_refuse(p, q);

	if (!reason)
		return false;
	*ret = source_of(p);
	ret->rule = QUESTIONS_RULE;
	ret->reason = reason;
	ret->word = verdict_name(VERDICT_DENY);
	return true;
}

static enum verdict source_of_default(const struct policy *p, const struct policy_query *q,
				      struct policy_source *ret)
{
	enum verdict v = key_query_is_unix(q) ? p->unix_default : p->defaults[q->op];

	*ret = source_of(p);
	ret->is_on_question = p->has_resolve_default;
	ret->word = verdict_name(v);
	return v;
}

static enum verdict eval_layer(const struct layer *l, struct policy_scratch *scratch,
			       const struct policy_query *q, struct policy_source *ret,
			       double *ret_cost)
{
	const struct policy *p = l->policy;
	const struct rule *rule = NULL;
	enum eval_outcome outcome;

	if (p->dialect) {
		struct dialect_answer a = {.verdict = VERDICT_DENY};

		p->dialect->eval(p->doc, scratch, q, &a);
		*ret = source_of_answer(p, &a);
		return a.error ? VERDICT_DENY : a.verdict;
	}
	if (refused_by_questions(p, q, ret))
		return VERDICT_DENY;
	outcome = eval_first(&l->index, scratch->regex, q, &rule);
	if (outcome == EVAL_DEFAULT)
		return source_of_default(p, q, ret);
	*ret = source_of_rule(p, rule, outcome == EVAL_LIMIT);
	/* Only what starts or connects is charged, whatever else the rule matches. */
	*ret_cost = q->op == OP_EXEC || q->op == OP_CONNECT ? rule->cost : 0;
	return outcome == EVAL_LIMIT ? VERDICT_DENY : rule->action;
}

static void eval_invalid(const struct policy_stack *s, struct policy_result *ret)
{
	struct policy_source source = source_internal(s->layers[0].policy);

	*ret = (struct policy_result){
		.verdict = policy_stack_is_audit(s) ? VERDICT_ALLOW : VERDICT_DENY,
		.source = source,
		.advised = VERDICT_DENY,
		.advised_source = source,
	};
}

void policy_stack_eval(const struct policy_stack *s, struct policy_scratch *scratch,
		       const struct policy_query *q, struct policy_result *ret)
{
	bool is_enforced = false;

	if (!eval_query_is_valid(q)) {
		eval_invalid(s, ret);
		return;
	}
	*ret = (struct policy_result){.verdict = VERDICT_ALLOW,
				      .source = source_of(s->layers[0].policy),
				      .cost = q->cost};
	for (size_t i = 0; i < s->n; i++) {
		const struct layer *l = &s->layers[i];
		struct policy_source source;
		double cost = 0;
		enum verdict v = eval_layer(l, scratch, q, &source, &cost);

		/* A policy that only advises charges nothing, unless all of them only advise. */
		if (!l->is_audit || policy_stack_is_audit(s))
			ret->cost = MAX(ret->cost, cost);
		if (i == 0 || v > ret->advised) {
			ret->advised = v;
			ret->advised_source = source;
		}
		if (!l->is_audit && (!is_enforced || v > ret->verdict)) {
			ret->verdict = v;
			ret->source = source;
			is_enforced = true;
		}
	}
}

bool policy_stack_eval_move(const struct policy_stack *s, struct bytes from, struct bytes to,
			    bool is_directory, struct policy_result *ret)
{
	bool found = false;

	*ret = (struct policy_result){.verdict = VERDICT_ALLOW, .advised = VERDICT_ALLOW};
	for (size_t i = 0; i < s->n; i++) {
		const struct layer *l = &s->layers[i];
		const struct rule *rule =
			l->policy->dialect ? NULL
					   : moves_find_rule(l->policy, from, to, is_directory);

		if (!rule)
			continue;
		found = true;
		if (rule->action > ret->advised) {
			ret->advised = rule->action;
			ret->advised_source = source_of_rule(l->policy, rule, false);
		}
		if (!l->is_audit && rule->action > ret->verdict) {
			ret->verdict = rule->action;
			ret->source = source_of_rule(l->policy, rule, false);
		}
	}
	return found;
}

/* ---- every rule that matches */

struct each {
	void (*fn)(void *ctx, const struct policy_match *match);
	void *ctx;
	const struct policy *policy;
	size_t number;     /* of the policy in the stack */
	bool has_deciding; /* it has been told of */
};

static void tell(struct each *e, enum verdict v, const struct policy_source *source)
{
	const struct policy_match m = {.policy = e->number,
				       .verdict = v,
				       .source = *source,
				       .is_deciding = !e->has_deciding};

	e->has_deciding = true;
	e->fn(e->ctx, &m);
}

static void tell_rule(void *ctx, const struct rule *rule, bool is_limit)
{
	struct each *e = ctx;
	const struct policy_source source = source_of_rule(e->policy, rule, is_limit);

	tell(e, is_limit ? VERDICT_DENY : rule->action, &source);
}

static void tell_answer(void *ctx, const struct dialect_answer *answer)
{
	struct each *e = ctx;
	const struct policy_source source = source_of_answer(e->policy, answer);

	tell(e, answer->error ? VERDICT_DENY : answer->verdict, &source);
}

void policy_stack_each(const struct policy_stack *s, struct policy_scratch *scratch,
		       const struct policy_query *q,
		       void (*fn)(void *ctx, const struct policy_match *match), void *ctx)
{
	for (size_t i = 0; i < s->n; i++) {
		const struct policy *p = s->layers[i].policy;
		struct each e = {.fn = fn, .ctx = ctx, .policy = p, .number = i};
		struct policy_source source;
		enum verdict v;

		if (!eval_query_is_valid(q)) {
			source = source_internal(p);
			tell(&e, VERDICT_DENY, &source);
		} else if (p->dialect) {
			p->dialect->each(p->doc, scratch, q, tell_answer, &e);
		} else {
			if (refused_by_questions(p, q, &source))
				tell(&e, VERDICT_DENY, &source);
			naive_each(p, scratch->regex, q, tell_rule, &e);
			v = source_of_default(p, q, &source);
			tell(&e, v, &source);
		}
	}
}

static bool grants(const struct policy_stack *s, enum grant g, bool asks_audit,
		   struct policy_source *ret_source)
{
	struct policy_source source = source_of(s->layers[0].policy);

	for (size_t i = 0; i < s->n; i++) {
		const struct layer *l = &s->layers[i];

		if (l->is_audit && !asks_audit)
			continue;
		if ((unsigned int)g >= _GRANT_MAX || !(l->policy->grants >> g & 1)) {
			source = source_of(l->policy);
			source.reason =
				(unsigned int)g < _GRANT_MAX ? grant_reasons[g] : REASON_INTERNAL;
			*ret_source = source;
			return false;
		}
	}
	*ret_source = source;
	return true;
}

bool policy_stack_grants(const struct policy_stack *s, enum grant g,
			 struct policy_source *ret_source)
{
	return grants(s, g, false, ret_source);
}

bool policy_stack_advises_grant(const struct policy_stack *s, enum grant g,
				struct policy_source *ret_source)
{
	return grants(s, g, true, ret_source);
}

const struct policy *policy_stack_enforcing(const struct policy_stack *s, size_t i)
{
	return s->layers[i].is_audit ? NULL : s->layers[i].policy;
}

uint64_t policy_stack_capabilities(const struct policy_stack *s)
{
	uint64_t kept = CAPABILITY_ALL;

	for (size_t i = 0; i < s->n; i++) {
		const struct policy *p = s->layers[i].policy;

		if (!s->layers[i].is_audit)
			kept &= p->kept_capabilities | capability_of_grants(p->grants);
	}
	return kept;
}

static uint32_t decided_by(const struct policy *p)
{
	uint32_t ops = 0;

	if (p->dialect)
		return p->dialect->decided_ops(p->doc);
	for (unsigned int op = 0; op < OP_SYSCALL; op++)
		if (p->defaults[op] != VERDICT_ALLOW)
			ops |= OP_BIT(op);
	if (p->unix_default != VERDICT_ALLOW)
		ops |= OPS_NETWORK_CALLS;
	if (p->questions)
		ops |= OP_BIT(OP_RESOLVE);
	for (size_t i = 0; i < p->n_rules; i++)
		if (p->rules[i].action != VERDICT_ALLOW)
			ops |= p->rules[i].match.ops;
	return ops;
}

uint32_t policy_stack_decided_ops(const struct policy_stack *s)
{
	uint32_t ops = 0;

	for (size_t i = 0; i < s->n; i++) {
		ops |= decided_by(s->layers[i].policy);
		if (s->layers[i].policy->grants != (UINT32_C(1) << _GRANT_MAX) - 1)
			ops |= OP_BIT(OP_SYSCALL);
	}
	return ops;
}

bool policy_stack_may_refuse(const struct policy_stack *s, uint32_t ops)
{
	for (size_t i = 0; i < s->n; i++) {
		const struct policy *p = s->layers[i].policy;

		if (!s->layers[i].is_audit && (policy_get_budget(p) || (decided_by(p) & ops)))
			return true;
	}
	return false;
}

bool policy_stack_logs_reads(const struct policy_stack *s)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->layers[i].policy->logs_reads ||
		    (s->layers[i].policy->log && s->layers[i].policy->log->reads))
			return true;
	return false;
}

void policy_stack_log(const struct policy_stack *s, struct policy_log *ret)
{
	bool has_builtin = false, has_say = false;

	*ret = (struct policy_log){};
	for (size_t i = 0; i < s->n; i++) {
		const struct policy_log *log = s->layers[i].policy->log;

		if (!log)
			continue;
		has_say = true;
		has_builtin |= !log->no_builtin;
		ret->sync = MAX(ret->sync, log->sync);
		ret->on_failure = MAX(ret->on_failure, log->on_failure);
	}
	ret->no_builtin = has_say && !has_builtin;
	ret->reads = policy_stack_logs_reads(s);
}

static bool needs_args(const struct matcher *m)
{
	return (m->n_args || m->n_argv) && m->ops & OP_BIT(OP_EXEC);
}

static bool rule_needs_args(const struct rule *rule)
{
	for (size_t i = 0; i < rule->n_unless; i++)
		if (needs_args(&rule->unless[i]))
			return true;
	return needs_args(&rule->match);
}

bool policy_stack_needs_args(const struct policy_stack *s)
{
	for (size_t i = 0; i < s->n; i++) {
		const struct policy *p = s->layers[i].policy;

		if (p->dialect && p->dialect->needs_args(p->doc))
			return true;
		for (size_t j = 0; j < p->n_rules; j++)
			if (rule_needs_args(&p->rules[j]))
				return true;
	}
	return false;
}

static bool rule_needs_cwd(const struct rule *rule)
{
	if (!(rule->match.ops & ~OP_BIT(OP_EXEC)))
		return false; /* of a tool it is known anyway */
	for (size_t i = 0; i < rule->n_unless; i++)
		if (rule->unless[i].cwds)
			return true;
	return rule->match.cwds;
}

bool policy_stack_needs_cwd(const struct policy_stack *s)
{
	for (size_t i = 0; i < s->n; i++) {
		const struct policy *p = s->layers[i].policy;

		for (size_t j = 0; j < p->n_rules; j++)
			if (rule_needs_cwd(&p->rules[j]))
				return true;
	}
	return false;
}

static bool can_ask(const struct policy *p)
{
	if (p->dialect)
		return p->dialect->can_ask(p->doc);
	for (unsigned int op = 0; op < OP_SYSCALL; op++)
		if (p->defaults[op] == VERDICT_ASK)
			return true;
	for (size_t i = 0; i < p->n_rules; i++)
		if (p->rules[i].action == VERDICT_ASK)
			return true;
	return p->unix_default == VERDICT_ASK;
}

bool policy_stack_can_ask(const struct policy_stack *s)
{
	for (size_t i = 0; i < s->n; i++)
		if (!s->layers[i].is_audit && can_ask(s->layers[i].policy))
			return true;
	return false;
}

bool policy_stack_is_audit(const struct policy_stack *s)
{
	for (size_t i = 0; i < s->n; i++)
		if (!s->layers[i].is_audit)
			return false;
	return true;
}
