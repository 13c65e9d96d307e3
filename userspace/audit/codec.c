/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "base/clock.h"

#include "audit/codec.h"

#define WIRE_NULL UINT32_MAX
/* What the strings leave to the arguments, whatever they are. */
#define CODEC_ARGV_SHARE (AUDIT_RECORD_MAX / 3)

struct wire_record {
	struct wire_head head;
	uint64_t latency_ns;
	uint64_t argc_total;
	double cost, spent;
	int32_t pid, tid, ppid, error;
	uint8_t event, kind, op, verdict, would_have, result;
	uint8_t is_audit, argv_truncated;
	uint32_t n_argv; /* WIRE_NULL: there are none to speak of */
	uint32_t redacted;
	uint32_t n_aliases;
	uint32_t lens[_WIRE_STRING_MAX];
};

_Static_assert(sizeof(struct wire_record) % WIRE_ALIGN == 0, "no bytes that nobody sets");

struct wire_event {
	struct wire_head head;
	uint32_t event_len, text_len;
};

static size_t wire_round(size_t n)
{
	return (n + WIRE_ALIGN - 1) & ~(WIRE_ALIGN - 1);
}

/* Cuts the strings to @max each. Return: their sum. */
static size_t plan_cut(struct codec_plan *plan, size_t max)
{
	size_t sum = 0;

	for (size_t i = 0; i < _WIRE_STRING_MAX; i++) {
		plan->strings[i].len = MIN(plan->strings[i].len, max);
		sum += plan->strings[i].len;
	}
	return sum;
}

/* Keeps the arguments that fit into @room bytes, from the first on. Return: bytes that they take.
 */
static size_t plan_argv(const struct audit_record *r, struct codec_plan *plan, size_t room)
{
	size_t used = 0;

	plan->has_argv = r->argv;
	plan->argv_truncated = r->argv_truncated;
	for (size_t i = 0; r->argv && i < r->argc; i++) {
		size_t len = MIN(r->argv[i].len, AUDIT_STRING_MAX);

		if (i == CODEC_ARGV_MAX || used + sizeof(uint32_t) + len > room) {
			plan->argv_truncated = true;
			break;
		}
		if (len < r->argv[i].len)
			plan->argv_truncated = true;
		used += sizeof(uint32_t) + len;
		plan->n_argv++;
	}
	return used;
}

void codec_plan_record(const struct audit_record *r, struct codec_plan *ret)
{
	size_t max = AUDIT_STRING_MAX, sum;

	*ret = (struct codec_plan){
		.strings = {[WIRE_SYSCALL] = bytes_of(r->syscall),
			    [WIRE_LAYER] = bytes_of(r->layer),
			    [WIRE_EXE] = r->exe,
			    [WIRE_OBJECT] = r->object,
			    [WIRE_ASKED] = r->asked,
			    [WIRE_OBJECT2] = r->object2,
			    [WIRE_INTERPRETER] = r->interpreter,
			    [WIRE_CWD] = r->cwd,
			    [WIRE_POLICY] = r->policy,
			    [WIRE_RULE] = r->rule,
			    [WIRE_REASON] = r->reason,
			    [WIRE_HELD] = r->held,
			    [WIRE_APPROVER] = r->approver,
			    [WIRE_NOTE] = r->note,
			    [WIRE_SUGGEST] = r->suggest,
			    [WIRE_STEPS] = r->steps,
			    [WIRE_DOMAINS] = r->domains,
			    [WIRE_LISTENER] = r->listener},
	};
	sum = plan_cut(ret, max);
	while (sum > AUDIT_RECORD_MAX - CODEC_ARGV_SHARE - sizeof(struct wire_record)) {
		max /= 2;
		sum = plan_cut(ret, max);
	}
	/* Half of a JSON text is none. */
	if (ret->strings[WIRE_STEPS].len < r->steps.len)
		ret->strings[WIRE_STEPS] = BYTES_LIT("null");
	if (ret->strings[WIRE_DOMAINS].len < r->domains.len)
		ret->strings[WIRE_DOMAINS] = BYTES_LIT("null");
	sum += sizeof(struct wire_record);
	/* Rounding up stays within AUDIT_RECORD_MAX, which is a multiple of WIRE_ALIGN. */
	sum += plan_argv(r, ret, AUDIT_RECORD_MAX - sum);
	ret->size = wire_round(sum);
}

static char *pack_bytes(char *out, const void *p, size_t len)
{
	if (len)
		memcpy(out, p, len);
	return out + len;
}

void codec_pack_record(const struct audit_record *r, const struct codec_plan *plan, uint64_t seq,
		       char *out)
{
	struct wire_record w = {
		.head = {.size = (uint32_t)plan->size,
			 .type = WIRE_RECORD,
			 .seq = seq,
			 .time_ns = r->time_ns},
		.latency_ns = MIN(r->latency_ns, (uint64_t)INT64_MAX),
		.argc_total = MIN((uint64_t)MAX(r->argc_total, r->argc), (uint64_t)INT64_MAX),
		.pid = r->pid,
		.tid = r->tid,
		.ppid = r->ppid,
		.error = r->error,
		.event = (uint8_t)r->event,
		.kind = (uint8_t)r->kind,
		.op = (uint8_t)r->op,
		.verdict = (uint8_t)r->verdict,
		.would_have = (uint8_t)r->would_have,
		.result = (uint8_t)r->result,
		.is_audit = r->is_audit,
		.argv_truncated = plan->argv_truncated,
		.redacted = r->redacted,
		.n_aliases = r->n_aliases,
		.cost = r->cost,
		.spent = r->spent,
		.n_argv = plan->has_argv ? (uint32_t)plan->n_argv : WIRE_NULL,
	};

	for (size_t i = 0; i < _WIRE_STRING_MAX; i++)
		w.lens[i] = plan->strings[i].p ? (uint32_t)plan->strings[i].len : WIRE_NULL;
	out = pack_bytes(out, &w, sizeof(w));
	for (size_t i = 0; i < _WIRE_STRING_MAX; i++)
		if (plan->strings[i].p)
			out = pack_bytes(out, plan->strings[i].p, plan->strings[i].len);
	for (size_t i = 0; i < plan->n_argv; i++) {
		uint32_t len = (uint32_t)MIN(r->argv[i].len, AUDIT_STRING_MAX);

		out = pack_bytes(out, &len, sizeof(len));
		out = pack_bytes(out, r->argv[i].p, len);
	}
}

size_t codec_event_size(struct bytes event, struct bytes text)
{
	return wire_round(sizeof(struct wire_event) + event.len + text.len);
}

void codec_pack_event(struct bytes event, struct bytes text, uint64_t seq, uint64_t time_ns,
		      char *out)
{
	struct wire_event w = {
		.head = {.size = (uint32_t)codec_event_size(event, text),
			 .type = WIRE_EVENT,
			 .seq = seq,
			 .time_ns = time_ns},
		.event_len = (uint32_t)event.len,
		.text_len = (uint32_t)text.len,
	};

	out = pack_bytes(out, &w, sizeof(w));
	out = pack_bytes(out, event.p, event.len);
	(void)pack_bytes(out, text.p, text.len);
}

void codec_pack_pad(size_t size, char *out)
{
	uint32_t w[2] = {(uint32_t)size, WIRE_PAD};

	memcpy(out, w, sizeof(w));
}

/* Takes @len bytes (WIRE_NULL: none, null) off the front of @in. */
static bool take_bytes(struct bytes *in, uint32_t len, struct bytes *ret)
{
	if (len == WIRE_NULL) {
		*ret = BYTES_NULL;
		return true;
	}
	if (len > in->len)
		return false;
	*ret = (struct bytes){.p = in->p, .len = len};
	in->p += len;
	in->len -= len;
	return true;
}

static bool view_argv(struct bytes *in, uint32_t n, struct codec_view *v)
{
	if (n == WIRE_NULL)
		return true;
	if (n > CODEC_ARGV_MAX)
		return false;
	for (uint32_t i = 0; i < n; i++) {
		struct bytes raw = BYTES_NULL;
		uint32_t len;

		if (!take_bytes(in, sizeof(len), &raw))
			return false;
		memcpy(&len, raw.p, sizeof(len));
		if (len == WIRE_NULL || !take_bytes(in, len, &v->argv[i]))
			return false;
	}
	v->record.argv = v->argv;
	v->record.argc = n;
	return true;
}

static bool view_record(struct bytes in, struct codec_view *v)
{
	struct bytes s[_WIRE_STRING_MAX] = {};
	struct wire_record w;

	if (in.len < sizeof(w))
		return false;
	memcpy(&w, in.p, sizeof(w));
	if (w.event >= _AUDIT_EVENT_MAX || w.kind >= _KIND_MAX || w.op >= _OP_MAX ||
	    w.verdict >= _VERDICT_MAX || w.would_have >= _VERDICT_MAX ||
	    w.result >= _AUDIT_RESULT_MAX)
		return false;
	/* Numbers that JSON libraries cannot hold are not ours. */
	if (w.head.seq > INT64_MAX || w.latency_ns > INT64_MAX || w.argc_total > INT64_MAX)
		return false;
	in.p += sizeof(w);
	in.len -= sizeof(w);
	for (size_t i = 0; i < _WIRE_STRING_MAX; i++)
		if (!take_bytes(&in, w.lens[i], &s[i]))
			return false;
	v->record = (struct audit_record){
		.event = (enum audit_event)w.event,
		.time_ns = w.head.time_ns,
		.latency_ns = w.latency_ns,
		.pid = w.pid,
		.tid = w.tid,
		.ppid = w.ppid,
		.kind = (enum action_kind)w.kind,
		.op = (enum action_op)w.op,
		.verdict = (enum verdict)w.verdict,
		.would_have = (enum verdict)w.would_have,
		.is_audit = w.is_audit,
		.result = (enum audit_result)w.result,
		.error = w.error,
		.exe = s[WIRE_EXE],
		.object = s[WIRE_OBJECT],
		.asked = s[WIRE_ASKED],
		.object2 = s[WIRE_OBJECT2],
		.interpreter = s[WIRE_INTERPRETER],
		.cwd = s[WIRE_CWD],
		.argc_total = w.argc_total,
		.argv_truncated = w.argv_truncated,
		.policy = s[WIRE_POLICY],
		.rule = s[WIRE_RULE],
		.reason = s[WIRE_REASON],
		.held = s[WIRE_HELD],
		.approver = s[WIRE_APPROVER],
		.note = s[WIRE_NOTE],
		.suggest = s[WIRE_SUGGEST],
		.steps = s[WIRE_STEPS],
		.domains = s[WIRE_DOMAINS],
		.listener = s[WIRE_LISTENER],
		.redacted = w.redacted,
		.n_aliases = w.n_aliases,
		.cost = w.cost,
		.spent = w.spent,
	};
	v->syscall = s[WIRE_SYSCALL];
	v->layer = s[WIRE_LAYER];
	return view_argv(&in, w.n_argv, v);
}

static bool view_event(struct bytes in, struct codec_view *v)
{
	struct wire_event w;

	if (in.len < sizeof(w))
		return false;
	memcpy(&w, in.p, sizeof(w));
	in.p += sizeof(w);
	in.len -= sizeof(w);
	v->record = (struct audit_record){.time_ns = w.head.time_ns};
	return take_bytes(&in, w.event_len, &v->event) && take_bytes(&in, w.text_len, &v->text) &&
	       v->event.p && v->text.p;
}

ssize_t codec_view(struct bytes in, struct codec_view *ret)
{
	uint32_t w[2];
	bool is_whole = false;

	if (in.len < sizeof(w))
		return -EBADMSG;
	memcpy(w, in.p, sizeof(w));
	if (w[0] < sizeof(w) || w[0] % WIRE_ALIGN || w[0] > in.len || w[1] >= _WIRE_TYPE_MAX)
		return -EBADMSG;
	in.len = w[0];
	ret->type = (enum wire_type)w[1];
	switch (ret->type) {
	case WIRE_PAD:
	case _WIRE_TYPE_MAX:
		return (ssize_t)in.len;
	case WIRE_RECORD:
		is_whole = view_record(in, ret);
		break;
	case WIRE_EVENT:
		is_whole = view_event(in, ret);
		break;
	}
	if (!is_whole)
		return -EBADMSG;
	memcpy(&ret->seq, in.p + offsetof(struct wire_head, seq), sizeof(ret->seq));
	return (ssize_t)in.len;
}

static const char *const event_names[_AUDIT_EVENT_MAX] = {
	[AUDIT_ACTION] = "action",
	[AUDIT_HELD] = "held",
	[AUDIT_NOTICE] = "notice",
};

static const char *const result_names[_AUDIT_RESULT_MAX] = {
	[AUDIT_RESULT_NONE] = NULL,
	[AUDIT_RESULT_CONTINUED] = "continued",
	[AUDIT_RESULT_PERFORMED] = "performed",
	[AUDIT_RESULT_REFUSED] = "refused",
	[AUDIT_RESULT_GONE] = "gone",
	[AUDIT_RESULT_KILLED] = "killed",
};

static void add_common(struct json *j, const struct codec_view *v, struct bytes session,
		       struct bytes agent)
{
	char time[CLOCK_RFC3339_SIZE];

	clock_format_rfc3339(v->record.time_ns, time);
	json_key_u64(j, "v", AUDIT_VERSION);
	json_key_u64(j, "seq", v->seq);
	json_key_cstr(j, "time", time);
	json_key_str(j, "event",
		     v->type == WIRE_EVENT ? v->event : bytes_of(event_names[v->record.event]));
	json_key_str(j, "session", session);
	json_key_str(j, "agent", agent);
}

/* What has no meaning in a record is left out: null is only said where it has one of its own. */

static void add_str(struct json *j, const char *key, struct bytes value)
{
	if (value.p)
		json_key_str(j, key, value);
}

static void add_word(struct json *j, const char *key, const char *word)
{
	if (word)
		json_key_cstr(j, key, word);
}

static void add_id(struct json *j, const char *key, pid_t id)
{
	if (id > 0)
		json_key_u64(j, key, (uint64_t)id);
}

static void add_argv(struct json *j, const struct audit_record *r)
{
	if (!r->argv)
		return;
	json_key(j, "argv");
	json_begin_array(j);
	for (size_t i = 0; i < r->argc; i++)
		json_str(j, r->argv[i]);
	json_end_array(j);
	json_key_u64(j, "argc", r->argc_total);
	if (r->argv_truncated)
		json_key_bool(j, "argv_truncated", true);
}

static void add_errno(struct json *j, int error)
{
	const char *name = error > 0 ? strerrorname_np(error) : NULL;
	char number[16];

	if (error > 0 && !name) {
		(void)snprintf(number, sizeof(number), "E%d", error);
		name = number;
	}
	add_word(j, "errno", name);
}

/* The text is JSON that we made; one from the ring of a dead session may be damaged, and must not
 * tear the line. */
static bool is_one_list(struct bytes text)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.p[i] < 0x20 || text.p[i] > 0x7e)
			return false;
	return text.len >= 2 && text.p[0] == '[' && text.p[text.len - 1] == ']';
}

/* Never the first key of its object. */
static void add_list(struct json *j, const char *key, struct bytes text)
{
	if (!text.p)
		return;
	strbuf_add_str(j->out, ",\"");
	strbuf_add_str(j->out, key);
	strbuf_add_str(j->out, "\":");
	strbuf_add_bytes(j->out, is_one_list(text) ? text : BYTES_LIT("null"));
}

/* A notice is about the session: it has no action, so it has not the keys of one. */
static void add_action(struct json *j, const struct codec_view *v)
{
	const struct audit_record *r = &v->record;
	bool is_action = r->event != AUDIT_NOTICE;

	add_id(j, "pid", r->pid);
	add_id(j, "tid", r->tid);
	add_id(j, "ppid", r->ppid);
	add_str(j, "exe", r->exe);
	add_word(j, "kind", is_action ? kind_name(r->kind) : NULL);
	add_word(j, "op", is_action ? op_name(r->op) : NULL);
	add_str(j, "syscall", v->syscall);
	add_str(j, "object", r->object);
	add_str(j, "object2", r->object2);
	add_str(j, "asked", r->asked);
	add_list(j, "domains", r->domains);
	if (r->n_aliases)
		json_key_u64(j, "aliases", r->n_aliases);
	add_str(j, "listener", r->listener);
	add_argv(j, r);
	add_str(j, "interpreter", r->interpreter);
	add_str(j, "cwd", r->cwd);
	add_word(j, "verdict", is_action ? verdict_name(r->verdict) : NULL);
	add_word(j, "would_have", is_action ? verdict_name(r->would_have) : NULL);
	add_word(j, "mode", r->is_audit ? "audit" : "enforce");
}

static void add_outcome(struct json *j, const struct codec_view *v)
{
	const struct audit_record *r = &v->record;

	add_str(j, "policy", r->policy);
	add_str(j, "rule", r->rule);
	add_str(j, "reason", r->reason);
	add_str(j, "layer", v->layer);
	if (r->event == AUDIT_ACTION)
		json_key_u64(j, "latency_ns", r->latency_ns);
	add_word(j, "result", result_names[r->result]);
	add_errno(j, r->error);
	add_str(j, "held", r->held);
	add_str(j, "approver", r->approver);
	add_str(j, "suggest", r->suggest);
	if (r->cost != 0 || r->kind == KIND_SPEND) {
		json_key_double(j, "cost", r->cost);
		json_key_double(j, "spent", r->spent);
	}
	add_str(j, "note", r->note);
	if (r->redacted)
		json_key_u64(j, "redacted", r->redacted);
	add_list(j, "steps", r->steps);
}

void codec_add_line(const struct codec_view *v, struct bytes session, struct bytes agent,
		    const struct chain_link *prev, struct strbuf *out)
{
	struct json j = JSON_INIT(out);

	json_begin_object(&j);
	add_common(&j, v, session, agent);
	if (v->type == WIRE_RECORD) {
		add_action(&j, v);
		add_outcome(&j, v);
	} else if (v->text.len) {
		strbuf_add_char(out, ',');
		strbuf_add_bytes(out, v->text);
	}
	strbuf_add_str(out, ",\"prev\":\"");
	strbuf_add_bytes(out, chain_bytes(prev));
	strbuf_add_str(out, "\"}\n");
}
