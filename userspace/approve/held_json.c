/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A held action as JSON. Bounded: what one agent asks for must fit into a packet of the control
 * socket. A string that is cut keeps its head and its tail, because either may hold the danger.
 */
#include "base/clock.h"
#include "base/user.h"

#include "approve/held.h"

#define HELD_WORDS_MAX ((size_t)2048)

struct cutter {
	struct json *json;
	size_t max;
	bool has_cut;
};

static void cut_str(struct cutter *c, struct bytes s, size_t max)
{
	size_t head = max * 2 / 3, tail = max - head;
	_cleanup_(strbuf_fini) struct strbuf b = STRBUF_INIT(max + 64);

	if (s.len <= max) {
		json_str(c->json, s);
		return;
	}
	strbuf_add(&b, s.p, head);
	strbuf_add_fmt(&b, "...[%zu bytes]...", s.len - max);
	strbuf_add(&b, s.p + s.len - tail, tail);
	json_str(c->json, strbuf_bytes(&b));
	c->has_cut = true;
}

static void key_cut_str(struct cutter *c, const char *key, struct bytes s)
{
	json_key(c->json, key);
	if (s.p)
		cut_str(c, s, c->max);
	else
		json_none(c->json);
}

/* All arguments together get @c->max bytes: an equal share each, at least what the short ones need.
 */
static void add_argv(struct cutter *c, const struct audit_record *r)
{
	size_t total = 0, share, shown = MIN(r->argc, MAX(c->max / 8, (size_t)1));

	for (size_t i = 0; i < r->argc; i++)
		total += r->argv[i].len;
	share = total <= c->max || shown == 0 ? c->max : MAX(c->max / shown, (size_t)8);
	json_key(c->json, "argv");
	if (!r->argv || r->argc == 0) {
		json_none(c->json);
		return;
	}
	json_begin_array(c->json);
	for (size_t i = 0; i < shown; i++)
		cut_str(c, r->argv[i], share);
	json_end_array(c->json);
	c->has_cut = c->has_cut || shown < r->argc;
}

static void add_times(const struct held *h, uint64_t now_ns, struct json *j)
{
	char time[CLOCK_RFC3339_SIZE];

	clock_format_rfc3339(h->record.time_ns, time);
	json_key_cstr(j, "time", time);
	json_key_u64(j, "age_ms", now_ns > h->since_ns ? (now_ns - h->since_ns) / NS_PER_MSEC : 0);
	json_key_u64(j, "left_ms",
		     h->deadline_ns > now_ns ? (h->deadline_ns - now_ns) / NS_PER_MSEC : 0);
}

/* Only what the rule says: a hold without approvers has no such key. */
static void add_terms(struct cutter *c, const struct held *h)
{
	if (h->record.suggest.p)
		key_cut_str(c, "suggest", h->record.suggest);
	if (!h->ask || h->ask->n_approvers == 0)
		return;
	json_key(c->json, "approvers");
	json_begin_array(c->json);
	for (size_t i = 0; i < h->ask->n_approvers; i++)
		cut_str(c, bytes_of(h->ask->approvers[i]), c->max);
	json_end_array(c->json);
}

bool held_can_grant(const struct held *h, enum answer_scope scope, const struct answer_term *term)
{
	static const struct answer_term briefest[] = {
		{.life = ANSWER_SESSION},
		{.life = ANSWER_DURATION, .duration_ns = ANSWER_DURATION_MIN_NS},
	};

	/* What nobody has seen whole is let through once, and asked about again. So is what several
	 * have to approve. */
	if (h->record.argv_truncated || h->subject.n_objects == 0 || (h->ask && h->ask->count > 1))
		return false;
	if (term)
		return policy_ask_permits(h->ask, scope, term);
	return policy_ask_permits(h->ask, scope, &briefest[0]) ||
	       policy_ask_permits(h->ask, scope, &briefest[1]);
}

/* How much of this may be granted, and what each scope would cover, in words. A scope that does not
 * fit the action, or that the rule does not let anybody give, is not there. */
static void add_answers(struct cutter *c, const struct held *h)
{
	char word[ANSWER_TERM_SIZE];

	if (h->ask && h->ask->has_max_term) {
		answer_term_write(&h->ask->max_term, word);
		json_key_cstr(c->json, "max_duration", word);
	}
	json_key(c->json, "answers");
	json_begin_array(c->json);
	for (unsigned scope = 0; scope < _ANSWER_SCOPE_MAX; scope++) {
		_cleanup_(strbuf_fini) struct strbuf words = STRBUF_INIT(HELD_WORDS_MAX);
		struct grant_rule g;

		if (!held_can_grant(h, (enum answer_scope)scope, NULL) ||
		    grant_rule_from(&h->subject, (enum answer_scope)scope, &g) < 0)
			continue;
		grant_rule_describe(&g, &words);
		json_begin_object(c->json);
		json_key_cstr(c->json, "scope", answer_scope_name((enum answer_scope)scope));
		json_key_cstr(c->json, "covers", strbuf_str(&words));
		json_end_object(c->json);
	}
	json_end_array(c->json);
}

/* Of the address: what the session asked for. */
static void add_names(const struct held *h, struct json *j)
{
	if (h->subject.n_names == 0 || h->subject.op == OP_RESOLVE)
		return;
	json_key(j, "names");
	json_begin_array(j);
	for (size_t i = 0; i < h->subject.n_names; i++)
		json_str(j, h->subject.names[i]);
	json_end_array(j);
}

static void add_question(struct cutter *c, const struct held *h)
{
	char name[USER_NAME_SIZE];

	json_key_u64(c->json, "waiting", MAX(h->n_same, 1U));
	json_key_u64(c->json, "asked_before", h->n_before);
	if (h->ask && h->ask->count > 1) {
		json_key_u64(c->json, "count", h->ask->count);
		json_key(c->json, "approved_by");
		json_begin_array(c->json);
		for (unsigned i = 0; i < h->n_approved; i++) {
			user_name(h->approved_by[i], name);
			json_str(c->json, bytes_of(name));
		}
		json_end_array(c->json);
	}
	add_answers(c, h);
}

void held_to_json(const struct held *h, uint64_t now_ns, size_t max_bytes, struct json *j)
{
	const struct audit_record *r = &h->record;
	struct cutter c = {.json = j, .max = max_bytes};

	json_begin_object(j);
	json_key_cstr(j, "id", h->id);
	add_times(h, now_ns, j);
	json_key_u64(j, "pid", (uint64_t)r->pid);
	json_key_u64(j, "ppid", (uint64_t)r->ppid);
	json_key_cstr(j, "kind", kind_name(r->kind));
	json_key_cstr(j, "op", op_name(r->op));
	json_key_cstr(j, "syscall", r->syscall ? r->syscall : "unknown");
	key_cut_str(&c, "exe", r->exe);
	key_cut_str(&c, "cwd", r->cwd);
	key_cut_str(&c, "object", r->object);
	key_cut_str(&c, "asked", r->asked);
	key_cut_str(&c, "object2", r->object2);
	add_names(h, j);
	key_cut_str(&c, "listener", r->listener);
	key_cut_str(&c, "interpreter", r->interpreter);
	add_argv(&c, r);
	json_key_u64(j, "argc", r->argc_total);
	key_cut_str(&c, "policy", r->policy);
	key_cut_str(&c, "rule", r->rule);
	key_cut_str(&c, "reason", r->reason);
	add_terms(&c, h);
	add_question(&c, h);
	json_key_bool(j, "truncated", c.has_cut || r->argv_truncated);
	json_end_object(j);
}
