/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AgentPolicy's decision: block-list, allow-list, budget, approval rules, allow. An action given as
 * text is decided exactly as the original would. A kernel action is a tool action under any of its
 * names, or an http action to any name and address of its destination; docs/policy.md says what
 * that means for files.
 */
#include "policy/aliases.h"
#include "policy/apiaction.h"
#include "policy/naming.h"
#include "policy/pytext.h"

#include "policy/agentpolicy.h"

#define REASON_INTERNAL "internal-error"
/* Two amounts of at most 309 digits before the point, and words. */
#define BUDGET_TEXT_MAX ((size_t)800)
/* repr() of text is at most four times as long; words and quotes come on top. */
#define REPR_GROWTH    4
#define LIST_TEXT_MORE ((size_t)128)

static const struct value null_value = {.type = VALUE_NULL};
static const struct value call_words[] = {
	[POLICY_CALL_TOOL] = {.type = VALUE_STRING, .text = BYTES_LIT("tool")},
	[POLICY_CALL_HTTP] = {.type = VALUE_STRING, .text = BYTES_LIT("http")},
	[POLICY_CALL_COST] = {.type = VALUE_STRING, .text = BYTES_LIT("cost")},
};

static const struct {
	const char *noun, *block, *allow;
} section_words[_AGENTPOLICY_SECTION_MAX] = {
	[AGENTPOLICY_TOOLS] = {"Tool", "tools.block", "tools.allow"},
	[AGENTPOLICY_NETWORK] = {"Domain", "network.block", "network.allow"},
};

static const char *const verdict_words[_VERDICT_MAX] = {
	[VERDICT_ALLOW] = "allow",
	[VERDICT_ASK] = "require_approval",
	[VERDICT_DENY] = "deny",
};

/* One decision under way: either the first answer counts, or @fn is told of all. */
struct decision {
	const struct agentpolicy *doc;
	const struct policy_query *q;
	struct arena *mem;
	struct dialect_answer *first;
	dialect_each_fn fn;
	void *ctx;
};

/* Return: true when nothing more is to be asked. */
static bool answer(struct decision *d, const struct dialect_answer *a)
{
	if (d->first) {
		*d->first = *a;
		return true;
	}
	d->fn(d->ctx, a);
	return a->error;
}

/* @reason NULL: it could not be made. */
static bool decide(struct decision *d, enum verdict verdict, const char *rule, unsigned line,
		   const char *reason)
{
	const struct dialect_answer a = {
		.verdict = reason ? verdict : VERDICT_DENY,
		.word = verdict_words[reason ? verdict : VERDICT_DENY],
		.rule = rule,
		.reason = reason ? reason : REASON_INTERNAL,
		.line = line,
	};

	return answer(d, &a);
}

static bool raise(struct decision *d, const char *rule, unsigned line, const char *error)
{
	const struct dialect_answer a = {
		.verdict = VERDICT_DENY,
		.word = verdict_words[VERDICT_DENY],
		.rule = rule,
		.line = line,
		.error = error,
	};

	return answer(d, &a);
}

/* A buffer that never grows: evaluating allocates in the arena only. .p is NULL when that is full.
 */
static struct strbuf fixed_buffer(struct arena *mem, size_t max)
{
	struct strbuf b = STRBUF_INIT(max);

	b.p = arena_alloc(mem, max + 1);
	b.cap = max + 1;
	if (!b.p)
		b.error = -ENOMEM;
	return b;
}

static const char *buffer_text(const struct strbuf *b)
{
	return strbuf_error(b) ? NULL : strbuf_str(b);
}

/* ---- what calls and kernel actions have in common */

static const char *list_reason(struct decision *d, enum agentpolicy_section section,
			       const struct value *name, bool is_blocked)
{
	struct strbuf text = fixed_buffer(d->mem, name->text.len * REPR_GROWTH + LIST_TEXT_MORE);

	if (!text.p)
		return NULL;
	strbuf_add_str(&text, section_words[section].noun);
	strbuf_add_char(&text, ' ');
	py_add_repr(&text, name);
	if (is_blocked)
		strbuf_add_fmt(&text, " denied by %s policy", section_words[section].block);
	else
		strbuf_add_fmt(&text, " denied because it is not in %s",
			       section_words[section].allow);
	return buffer_text(&text);
}

static bool decide_blocked(struct decision *d, enum agentpolicy_section section,
			   const struct value *name)
{
	return decide(d, VERDICT_DENY, section_words[section].block,
		      d->doc->lists[section].block.line, list_reason(d, section, name, true));
}

static bool decide_unlisted(struct decision *d, enum agentpolicy_section section,
			    const struct value *name)
{
	return decide(d, VERDICT_DENY, section_words[section].allow,
		      d->doc->lists[section].allow.line, list_reason(d, section, name, false));
}

static bool check_budget(struct decision *d, const struct value *cost)
{
	const struct agentpolicy *doc = d->doc;
	const char *error;
	struct strbuf text;
	double sum;

	if (doc->budget == 0)
		return false;
	error = agentpolicy_add_error(cost);
	if (error)
		return raise(d, "budget.max_spend", doc->budget_line, error);
	sum = d->q->spent + agentpolicy_number(cost);
	if (!(sum > doc->budget))
		return false;
	text = fixed_buffer(d->mem, BUDGET_TEXT_MAX);
	if (text.p) {
		strbuf_add_str(&text, "Budget exceeded: $");
		py_add_fixed(&text, sum, 4);
		strbuf_add_str(&text, " would exceed $");
		py_add_fixed(&text, doc->budget, 2);
	}
	return decide(d, VERDICT_DENY, "budget.max_spend", doc->budget_line, buffer_text(&text));
}

/* The rule's other keys match. */
static bool check_cost_gt(struct decision *d, const struct agentpolicy_rule *rule,
			  const struct value *cost)
{
	if (rule->keys[AGENTPOLICY_COST_GT]) {
		const char *error =
			rule->cost_error ? rule->cost_error : agentpolicy_compare_error(cost);

		if (error)
			return raise(d, rule->name, rule->line, error);
		if (!agentpolicy_is_above(cost, rule->cost_gt))
			return false;
	}
	return decide(d, VERDICT_ASK, rule->name, rule->line, rule->reason);
}

static void decide_allow(struct decision *d)
{
	(void)decide(d, VERDICT_ALLOW, NULL, 0, "Action allowed");
}

/* ---- calls: actions given as text */

struct call {
	enum policy_call_type type;
	const struct value *fields[AGENTPOLICY_N_EQUAL];
	const struct value *cost;
};

static bool call_lists(struct decision *d, enum agentpolicy_section section,
		       const struct value *name)
{
	const struct agentpolicy_lists *lists = &d->doc->lists[section];
	bool is_text = name->type == VALUE_STRING;

	if ((name->type == VALUE_LIST || name->type == VALUE_MAP) &&
	    (lists->block.n || lists->allow.is_present))
		return raise(d, section_words[section].block, lists->block.line,
			     name->type == VALUE_LIST ? "unhashable type: 'list'"
						      : "unhashable type: 'dict'");
	if (is_text && agentpolicy_has_name(&lists->block, name->text) &&
	    decide_blocked(d, section, name))
		return true;
	return lists->allow.is_present &&
	       !(is_text && agentpolicy_has_name(&lists->allow, name->text)) &&
	       decide_unlisted(d, section, name);
}

static bool call_approval(struct decision *d, const struct call *call)
{
	for (size_t i = 0; i < d->doc->n_rules; i++) {
		const struct agentpolicy_rule *rule = &d->doc->rules[i];
		bool is_match = true;

		for (unsigned int k = 0; k < AGENTPOLICY_N_EQUAL && is_match; k++)
			is_match = !rule->keys[k] || value_eq(rule->keys[k], call->fields[k]);
		if (is_match && check_cost_gt(d, rule, call->cost))
			return true;
	}
	return false;
}

static void decide_call(struct decision *d, const struct call *call)
{
	const struct value *tool = call->fields[AGENTPOLICY_TOOL];
	const struct value *domain = call->fields[AGENTPOLICY_DOMAIN];

	if (call->type == POLICY_CALL_TOOL && tool->type != VALUE_NULL &&
	    call_lists(d, AGENTPOLICY_TOOLS, tool))
		return;
	if (call->type == POLICY_CALL_HTTP && domain->type != VALUE_NULL &&
	    call_lists(d, AGENTPOLICY_NETWORK, domain))
		return;
	if (check_budget(d, call->cost))
		return;
	if (!d->q->is_approved && call_approval(d, call))
		return;
	decide_allow(d);
}

static const struct value *or_null(const struct value *v)
{
	return v ? v : &null_value;
}

static void decide_api(struct decision *d)
{
	const struct policy_api *api = d->q->api;
	const struct value cost = {.type = VALUE_FLOAT, .number = d->q->cost};
	const struct value name = {.type = VALUE_STRING,
				   .text = api->type == POLICY_API_MESH ? api->action : api->tool};
	struct call call = {.type = POLICY_CALL_TOOL, .cost = &cost};

	for (unsigned int k = 0; k < AGENTPOLICY_N_EQUAL; k++)
		call.fields[k] = &null_value;
	if (api->type == POLICY_API_CALL) {
		call.type = api->call;
		call.fields[AGENTPOLICY_TOOL] = or_null(api->tool_name);
		call.fields[AGENTPOLICY_DOMAIN] = or_null(api->domain);
		call.fields[AGENTPOLICY_SOURCE] = or_null(api->source);
		if (api->cost)
			call.cost = api->cost;
	} else {
		call.fields[AGENTPOLICY_TOOL] = &name;
	}
	call.fields[AGENTPOLICY_ACTION_TYPE] = &call_words[call.type];
	decide_call(d, &call);
}

/* ---- kernel actions */

enum kernel_type {
	KERNEL_EXEC,
	KERNEL_FILE,
	KERNEL_HTTP,
	KERNEL_NONE, /* nothing that AgentPolicy knows of: a unix socket, bind, listen */
};

struct kernel {
	enum kernel_type type;
	const struct policy_name *names;
	size_t n_names;
	struct value shown;             /* the name for reasons */
	const struct bytes *candidates; /* names of the destination */
	size_t n_candidates;
};

static enum kernel_type kernel_type(const struct policy_query *q)
{
	if (q->kind == KIND_TOOL)
		return KERNEL_EXEC;
	if (q->kind == KIND_PATH)
		return KERNEL_FILE;
	if (q->kind != KIND_NETWORK ||
	    (q->op != OP_CONNECT && q->op != OP_SEND && q->op != OP_RESOLVE))
		return KERNEL_NONE;
	if (q->address && (q->address->protocol == POLICY_PROTO_UNIX ||
			   (!q->address->has_ip && q->n_domains == 0)))
		return KERNEL_NONE;
	return KERNEL_HTTP;
}

/* As netloc.lower() does with a host that DNS knows. */
static struct bytes lower_domain(struct arena *mem, struct bytes domain)
{
	char *p = arena_alloc(mem, domain.len + 1);

	if (!p)
		return BYTES_NULL;
	for (size_t i = 0; i < domain.len; i++)
		p[i] = (char)(domain.p[i] >= 'A' && domain.p[i] <= 'Z' ? domain.p[i] | 0x20
								       : domain.p[i]);
	p[domain.len] = '\0';
	return (struct bytes){.p = p, .len = domain.len};
}

/* "example.org" and "example.org:443"; "192.0.2.1" and with port; "[2001:db8::1]", with port, and
 * without brackets. */
static bool find_candidates(struct decision *d, struct kernel *k)
{
	const struct policy_address *a = d->q->address;
	size_t max = d->q->n_domains * 2 + 3, n = 0;
	struct bytes *out = arena_alloc(d->mem, max * sizeof(*out));
	char text[POLICY_HOST_SIZE];

	if (!out)
		return false;
	for (size_t i = 0; i < d->q->n_domains; i++) {
		struct bytes domain = lower_domain(d->mem, d->q->domains[i]);
		struct strbuf full = fixed_buffer(d->mem, domain.len + 8);

		if (!domain.p || !full.p)
			return false;
		out[n++] = domain;
		if (!a || a->port == 0)
			continue;
		strbuf_add_bytes(&full, domain);
		strbuf_add_fmt(&full, ":%u", a->port);
		out[n++] = strbuf_bytes(&full);
	}
	if (a && a->has_ip) {
		struct bytes full, host;

		policy_address_format(text, a);
		full = arena_copy(d->mem, text, strlen(text));
		if (!full.p)
			return false;
		host = full;
		while (host.len && host.p[host.len - 1] != ':')
			host.len--;
		host.len -= host.len != 0;
		out[n++] = host;
		out[n++] = full;
		if (!a->is_v4 && host.len > 2)
			out[n++] = (struct bytes){.p = host.p + 1, .len = host.len - 2};
	}
	k->candidates = out;
	k->n_candidates = n;
	return true;
}

static struct value text_value(struct bytes text)
{
	return (struct value){.type = VALUE_STRING,
			      .text = text.p ? text : (struct bytes){.p = "", .len = 0}};
}

static bool is_alias(enum action_op op, struct bytes name)
{
	size_t n;
	const struct policy_name *aliases = policy_op_aliases(op, &n);

	for (size_t i = 0; i < n; i++)
		if (bytes_eq(aliases[i].name, name))
			return true;
	return false;
}

static void find_names(const struct policy_query *q, struct kernel *k)
{
	k->names = q->names;
	k->n_names = q->n_names;
	/* Files: no other name, so that decided_ops is all there is. */
	if (k->type == KERNEL_FILE)
		k->names = policy_op_aliases(q->op, &k->n_names);
	k->shown = text_value(k->n_names ? k->names[0].name : BYTES_NULL);
	for (size_t i = k->n_names; i-- > 0;)
		if (!is_alias(q->op, k->names[i].name))
			k->shown.text = k->names[i].name;
}

static bool kernel_tools(struct decision *d, const struct kernel *k)
{
	const struct agentpolicy_lists *lists = &d->doc->lists[AGENTPOLICY_TOOLS];
	bool has_allow = lists->allow.is_present &&
			 (k->type == KERNEL_EXEC ||
			  (k->type == KERNEL_FILE && d->doc->allows_files && d->q->op != OP_READ));
	bool is_allowed = false;

	for (size_t i = 0; i < k->n_names; i++) {
		const struct policy_name *name = &k->names[i];
		const struct value shown = text_value(name->name);

		if (agentpolicy_has_name(&lists->block, name->name) &&
		    decide_blocked(d, AGENTPOLICY_TOOLS, &shown))
			return true;
		is_allowed = is_allowed || (!name->is_untrusted &&
					    agentpolicy_has_name(&lists->allow, name->name));
	}
	return has_allow && !is_allowed && decide_unlisted(d, AGENTPOLICY_TOOLS, &k->shown);
}

static bool kernel_network(struct decision *d, const struct kernel *k)
{
	const struct agentpolicy_lists *lists = &d->doc->lists[AGENTPOLICY_NETWORK];
	struct value shown = text_value(k->n_candidates ? k->candidates[0] : BYTES_NULL);
	bool is_allowed = false;

	for (size_t i = 0; i < k->n_candidates; i++) {
		const struct value candidate = text_value(k->candidates[i]);

		if (agentpolicy_has_name(&lists->block, candidate.text) &&
		    decide_blocked(d, AGENTPOLICY_NETWORK, &candidate))
			return true;
		is_allowed = is_allowed || agentpolicy_has_name(&lists->allow, candidate.text);
	}
	return lists->allow.is_present && !is_allowed &&
	       decide_unlisted(d, AGENTPOLICY_NETWORK, &shown);
}

static bool is_name_of(const struct kernel *k, const struct value *v)
{
	for (size_t i = 0; v->type == VALUE_STRING && i < k->n_names; i++)
		if (bytes_eq(v->text, k->names[i].name))
			return true;
	return false;
}

static bool is_candidate_of(const struct kernel *k, const struct value *v)
{
	for (size_t i = 0; v->type == VALUE_STRING && i < k->n_candidates; i++)
		if (bytes_eq(v->text, k->candidates[i]))
			return true;
	return false;
}

/* An absent field is None to the original, and a rule may ask for that. */
static bool kernel_matches(const struct kernel *k, const struct agentpolicy_rule *rule)
{
	const struct value *const *keys = rule->keys;
	bool is_http = k->type == KERNEL_HTTP;

	/* A rule that names no file tool would hold every library that a program loads. */
	if (k->type == KERNEL_FILE && !keys[AGENTPOLICY_TOOL])
		return false;
	if (keys[AGENTPOLICY_ACTION_TYPE] &&
	    !value_eq(keys[AGENTPOLICY_ACTION_TYPE],
		      &call_words[is_http ? POLICY_CALL_HTTP : POLICY_CALL_TOOL]))
		return false;
	if (keys[AGENTPOLICY_TOOL] && !is_name_of(k, keys[AGENTPOLICY_TOOL]) &&
	    !(is_http && keys[AGENTPOLICY_TOOL]->type == VALUE_NULL))
		return false;
	if (keys[AGENTPOLICY_DOMAIN] && !is_candidate_of(k, keys[AGENTPOLICY_DOMAIN]) &&
	    !(!is_http && keys[AGENTPOLICY_DOMAIN]->type == VALUE_NULL))
		return false;
	return !keys[AGENTPOLICY_SOURCE] || keys[AGENTPOLICY_SOURCE]->type == VALUE_NULL;
}

static void decide_kernel(struct decision *d)
{
	const struct agentpolicy *doc = d->doc;
	const struct agentpolicy_lists *network = &doc->lists[AGENTPOLICY_NETWORK];
	const struct value cost = {.type = VALUE_FLOAT, .number = d->q->cost};
	struct kernel k = {.type = kernel_type(d->q)};

	if (k.type == KERNEL_NONE) {
		decide_allow(d);
		return;
	}
	find_names(d->q, &k);
	if (kernel_tools(d, &k))
		return;
	if (k.type == KERNEL_HTTP &&
	    (network->block.n || network->allow.is_present || doc->n_rules)) {
		if (!find_candidates(d, &k)) {
			(void)decide(d, VERDICT_DENY, NULL, 0, NULL);
			return;
		}
		if (kernel_network(d, &k))
			return;
	}
	if (k.type != KERNEL_FILE && check_budget(d, &cost))
		return;
	for (size_t i = 0; i < doc->n_rules && !d->q->is_approved; i++)
		if (kernel_matches(&k, &doc->rules[i]) && check_cost_gt(d, &doc->rules[i], &cost))
			return;
	decide_allow(d);
}

static void decide_query(struct decision *d)
{
	const struct policy_api *api = d->q->api;

	if (api && api->type != POLICY_API_NONE)
		decide_api(d);
	else
		decide_kernel(d);
}

void agentpolicy_eval(const void *doc, struct policy_scratch *scratch, const struct policy_query *q,
		      struct dialect_answer *ret)
{
	struct decision d = {
		.doc = doc, .q = q, .mem = policy_scratch_arena(scratch), .first = ret};

	decide_query(&d);
}

void agentpolicy_each(const void *doc, struct policy_scratch *scratch, const struct policy_query *q,
		      dialect_each_fn fn, void *ctx)
{
	struct decision d = {
		.doc = doc, .q = q, .mem = policy_scratch_arena(scratch), .fn = fn, .ctx = ctx};

	decide_query(&d);
}
