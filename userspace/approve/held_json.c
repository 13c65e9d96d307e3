/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A held action as JSON. Bounded: what one agent asks for must fit into a packet of the control
 * socket. A string that is cut keeps its head and its tail, because either may hold the danger.
 */
#include "base/clock.h"

#include "approve/held.h"

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
	key_cut_str(&c, "interpreter", r->interpreter);
	add_argv(&c, r);
	json_key_u64(j, "argc", r->argc_total);
	key_cut_str(&c, "policy", r->policy);
	key_cut_str(&c, "rule", r->rule);
	key_cut_str(&c, "reason", r->reason);
	add_terms(&c, h);
	json_key_bool(j, "truncated", c.has_cut || r->argv_truncated);
	json_end_object(j);
}
