/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AgentPolicy's enforce() after the decision: write it down, charge it, let agentbudget's guard
 * look at it.
 */
#include "policy/agentpolicy.h"
#include "policy/naming.h"
#include "policy/pytext.h"

#include "policy/account_private.h"

#define REPORT_MAX_BYTES ((size_t)1 << 30)
#define ERROR_MAX        ((size_t)1024)
#define NS               1e9

static const struct value free_of_charge = {.type = VALUE_FLOAT};

static const char *const call_words[] = {
	[POLICY_CALL_TOOL] = "tool",
	[POLICY_CALL_HTTP] = "http",
	[POLICY_CALL_COST] = "cost",
};

const char *account_call_word(enum policy_call_type type)
{
	return call_words[type];
}

struct account_config account_config_of(const struct policy *p)
{
	const struct policy_budget *b = policy_get_budget(p);
	struct account_config config = {};

	if (policy_get_language(p) == POLICY_LANGUAGE_AGENTPOLICY) {
		config.loop_repeats = ACCOUNT_LOOP_REPEATS;
		config.loop_window = ACCOUNT_LOOP_WINDOW;
	} else if (b) {
		config.loop_repeats = b->loop_repeats;
		config.loop_window = (double)b->loop_window_ns / NS;
		config.soft_limit = b->soft_limit;
	}
	if (b)
		config.budget = b->max_spend;
	return config;
}

int account_new(const struct account_config *config, struct account **ret)
{
	struct account *a = calloc(1, sizeof(*a));

	if (!a)
		return -ENOMEM;
	a->config = *config;
	a->config.session_id = NULL;
	a->error = STRBUF_INIT(ERROR_MAX);
	a->mem = ARENA_INIT(REPORT_MAX_BYTES);
	a->end = &a->first;
	if (config->session_id) {
		a->config.session_id = strdup(config->session_id);
		if (!a->config.session_id) {
			account_free(a);
			return -ENOMEM;
		}
	}
	*ret = a;
	return 0;
}

struct account *account_free(struct account *a)
{
	if (!a)
		return NULL;
	for (size_t i = 0; i < a->n_calls; i++)
		free(a->calls[i].times);
	strbuf_fini(&a->error);
	arena_fini(&a->mem);
	free((char *)(uintptr_t)a->config.session_id);
	free(a);
	return NULL;
}

double account_spent(const struct account *a)
{
	return a->spent;
}

double account_remaining(const struct account *a)
{
	double rest = a->config.budget - a->spent;

	/* max(rest, 0.0), which keeps a NaN and -0.0 as Python does. */
	return a->config.budget > 0 || !(0.0 > rest) ? rest : 0.0;
}

/* ---- the guard */

static struct account_calls *find_calls(struct account *a, const char *key)
{
	struct account_calls *oldest = a->calls;
	size_t len = MIN(strlen(key), (size_t)ACCOUNT_KEY_SIZE - 1);

	for (size_t i = 0; i < a->n_calls; i++) {
		struct account_calls *c = &a->calls[i];

		if (strncmp(c->key, key, len) == 0 && c->key[len] == '\0')
			return c;
		if (c->last < oldest->last)
			oldest = c;
	}
	if (a->n_calls < ACCOUNT_MAX_KEYS) {
		oldest = &a->calls[a->n_calls];
		oldest->times = calloc(a->config.loop_repeats, sizeof(*oldest->times));
		if (!oldest->times)
			return NULL;
		a->n_calls++;
	}
	memcpy(oldest->key, key, len);
	oldest->key[len] = '\0';
	oldest->n = 0;
	return oldest;
}

/* Return: true when this call trips it. */
static bool guard(struct account *a, const char *key, double now)
{
	struct account_calls *c;
	size_t kept = 0;

	if (a->config.loop_repeats == 0)
		return false;
	c = find_calls(a, key);
	if (!c)
		return true; /* out of memory: what cannot be guarded does not go on */
	for (size_t i = 0; i < c->n; i++)
		if (c->times[i] > now - a->config.loop_window)
			c->times[kept++] = c->times[i];
	if (kept == a->config.loop_repeats) {
		kept--;
		memmove(c->times, c->times + 1, kept * sizeof(*c->times));
	}
	c->times[kept++] = now;
	c->n = kept;
	c->last = now;
	return kept >= a->config.loop_repeats;
}

static enum account_event charge(struct account *a, const char *key, double cost, double now,
				 const char **error)
{
	enum account_event event = ACCOUNT_OK;

	a->spent += cost;
	if (!(a->config.budget > 0))
		return ACCOUNT_OK;
	if (a->config.soft_limit > 0 && !a->is_soft_told &&
	    a->spent / a->config.budget >= a->config.soft_limit) {
		a->is_soft_told = true;
		event = ACCOUNT_SOFT_LIMIT;
	}
	if (key && guard(a, key, now)) {
		const struct value name = {.type = VALUE_STRING, .text = bytes_of(key)};

		strbuf_reset(&a->error);
		strbuf_add_str(&a->error, "Loop detected: repeated calls to ");
		py_add_repr(&a->error, &name);
		if (error)
			*error = strbuf_str(&a->error);
		return ACCOUNT_LOOP;
	}
	return event;
}

enum account_event account_charge(struct account *a, const char *key, double cost, double now)
{
	return charge(a, key, cost, now, NULL);
}

/* ---- decisions */

static bool copy(struct account *a, const struct value **v)
{
	if (*v)
		*v = value_copy(*v, &a->mem);
	return *v;
}

static void keep(struct account *a, const struct account_action *action,
		 const struct policy_result *result, double now)
{
	struct account_decision *d;
	struct bytes reason = bytes_of(result->source.reason ? result->source.reason : "");

	if (!a->config.keeps_decisions || a->is_incomplete)
		return;
	d = arena_alloc(&a->mem, sizeof(*d));
	a->is_incomplete = true;
	if (!d)
		return;
	*d = (struct account_decision){
		.action = *action,
		.verdict = result->verdict,
		.reason = arena_copy(&a->mem, reason.p, reason.len).p,
		.timestamp = now,
	};
	if (!d->reason || !copy(a, &d->action.cost) ||
	    (action->tool_name && !copy(a, &d->action.tool_name)) ||
	    (action->url && !copy(a, &d->action.url)) ||
	    (action->domain && !copy(a, &d->action.domain)) ||
	    (action->source && !copy(a, &d->action.source)) ||
	    (action->metadata && !copy(a, &d->action.metadata)))
		return;
	a->is_incomplete = false;
	*a->end = d;
	a->end = &d->next;
}

static enum account_event record(struct account *a, const struct account_action *action,
				 const struct policy_result *result, double now, const char **error)
{
	_cleanup_(strbuf_fini) struct strbuf key = STRBUF_INIT(ACCOUNT_KEY_SIZE);
	const char *raised = result->source.error;
	enum account_event event = ACCOUNT_OK;

	if (!raised) {
		keep(a, action, result, now);
		/* Only now does the original look at what the cost is, when there is no budget. */
		if (result->verdict <= VERDICT_FLAG)
			raised = agentpolicy_above_error(action->cost);
	}
	if (!raised && result->verdict <= VERDICT_FLAG && agentpolicy_is_above(action->cost, 0)) {
		raised = agentpolicy_add_error(action->cost);
		strbuf_add_fmt(&key, "policy:%s", account_call_word(action->type));
		if (!raised)
			event = charge(a, strbuf_str(&key), agentpolicy_number(action->cost), now,
				       &raised);
	}
	if (error)
		*error = raised;
	return event;
}

/* None, whether it was left out or written as null. */
static const struct value *or_none(const struct value *v)
{
	return v && v->type != VALUE_NULL ? v : NULL;
}

static struct value text_value(struct bytes text)
{
	return (struct value){.type = VALUE_STRING,
			      .text = text.p ? text : (struct bytes){.p = "", .len = 0}};
}

enum account_event account_record(struct account *a, const struct policy_api *api,
				  const struct policy_result *result, double now,
				  const char **error)
{
	struct account_action action = {.type = POLICY_CALL_TOOL, .cost = &free_of_charge};
	const struct value said = {.type = VALUE_FLOAT, .number = result->cost};
	struct value name;

	if (api->type == POLICY_API_CALL) {
		action = (struct account_action){
			.type = api->call,
			.tool_name = or_none(api->tool_name),
			.url = or_none(api->url),
			.domain = or_none(api->domain),
			.source = or_none(api->source),
			.cost = api->cost ? api->cost : &free_of_charge,
			.metadata = or_none(api->metadata),
		};
	} else {
		name = text_value(api->type == POLICY_API_MESH ? api->action : api->tool);
		action.tool_name = &name;
	}
	/* A rule's cost counts only where there is one: the action's own may be negative. */
	if (!agentpolicy_add_error(action.cost) && result->cost > 0 &&
	    result->cost > agentpolicy_number(action.cost))
		action.cost = &said;
	return record(a, &action, result, now, error);
}

/* The names of an operation that every action of its kind has come first. */
static struct bytes own_name(const struct policy_query *q)
{
	return q->n_names ? q->names[q->n_names - 1].name : BYTES_NULL;
}

enum account_event account_record_query(struct account *a, const struct policy_query *q,
					const struct policy_result *result, double now,
					const char **error)
{
	const struct value cost = {.type = VALUE_FLOAT, .number = MAX(q->cost, result->cost)};
	struct account_action action = {.type = POLICY_CALL_TOOL, .cost = &cost};
	char address[POLICY_HOST_SIZE];
	struct value name;

	if (q->api && q->api->type != POLICY_API_NONE)
		return account_record(a, q->api, result, now, error);
	if (q->kind == KIND_NETWORK) {
		action.type = POLICY_CALL_HTTP;
		if (q->n_domains) {
			name = text_value(q->domains[0]);
		} else if (q->address && q->address->has_ip) {
			policy_address_format(address, q->address);
			name = text_value(bytes_of(address));
		} else {
			name = text_value(q->path);
		}
		action.domain = &name;
	} else {
		name = text_value(own_name(q));
		action.tool_name = &name;
	}
	return record(a, &action, result, now, error);
}
