/* SPDX-License-Identifier: Apache-2.0 */
#include <jansson.h>
#include <math.h>

#include "base/escape.h"

#include "control/protocol.h"

static const char *const op_names[_CONTROL_OP_MAX] = {
	[CONTROL_STATUS] = "status", [CONTROL_HELD] = "held",   [CONTROL_APPROVE] = "approve",
	[CONTROL_DENY] = "deny",     [CONTROL_SPEND] = "spend", [CONTROL_GRANTS] = "grants",
	[CONTROL_REVOKE] = "revoke", [CONTROL_WHY] = "why",     [CONTROL_ATTEMPT] = "attempt",
};

static const char *const error_names[_CONTROL_E_MAX] = {
	[CONTROL_E_MALFORMED] = "malformed",
	[CONTROL_E_VERSION] = "version",
	[CONTROL_E_UNKNOWN_OP] = "unknown-op",
	[CONTROL_E_AGENT] = "agent",
	[CONTROL_E_USER] = "user",
	[CONTROL_E_UNKNOWN_ID] = "unknown-id",
	[CONTROL_E_ANSWERED] = "answered",
	[CONTROL_E_BUSY] = "busy",
	[CONTROL_E_APPROVER] = "approver",
	[CONTROL_E_LIMIT] = "limit",
	[CONTROL_E_REPEATED] = "repeated",
	[CONTROL_E_STORE] = "store",
	[CONTROL_E_INTERNAL] = "internal",
};

const char *control_op_name(enum control_op op)
{
	return op < _CONTROL_OP_MAX ? op_names[op] : "unknown";
}

const char *control_error_name(enum control_error e)
{
	return e > 0 && e < _CONTROL_E_MAX ? error_names[e] : "internal";
}

enum control_error control_error_parse(const char *word)
{
	for (unsigned e = 1; e < _CONTROL_E_MAX; e++) {
		if (streq(error_names[e], word))
			return (enum control_error)e;
	}
	return CONTROL_E_INTERNAL;
}

bool control_is_id(const char *s)
{
	return strnlen(s, HELD_ID_SIZE) == HELD_ID_SIZE - 1 &&
	       strspn(s, "abcdefghijklmnopqrstuvwxyz23456789") == HELD_ID_SIZE - 1;
}

static int read_op(struct control_request *q, const json_t *v)
{
	const struct bytes word = {json_string_value(v), json_string_length(v)};

	for (unsigned op = 0; word.p && op < _CONTROL_OP_MAX; op++) {
		if (bytes_eq_str(word, op_names[op])) {
			q->op = (enum control_op)op;
			return 0;
		}
	}
	return CONTROL_E_UNKNOWN_OP;
}

static int read_id(struct control_request *q, const json_t *v)
{
	if (json_string_length(v) != HELD_ID_SIZE - 1 || !control_is_id(json_string_value(v)))
		return CONTROL_E_MALFORMED;
	memcpy(q->id, json_string_value(v), HELD_ID_SIZE);
	return 0;
}

static int read_reason(struct control_request *q, const json_t *v)
{
	_cleanup_(strbuf_fini) struct strbuf b = STRBUF_INIT(CONTROL_REASON_MAX);

	if (!json_is_string(v))
		return CONTROL_E_MALFORMED;
	escape_json_decode(&b, (struct bytes){json_string_value(v), json_string_length(v)});
	if (strbuf_error(&b) || b.len > sizeof(q->reason))
		return CONTROL_E_MALFORMED;
	if (b.len)
		memcpy(q->reason, b.p, b.len);
	q->reason_len = b.len;
	return 0;
}

static int read_source(struct control_request *q, const json_t *v)
{
	_cleanup_(strbuf_fini) struct strbuf b = STRBUF_INIT(CONTROL_SOURCE_MAX);

	if (!json_is_string(v))
		return CONTROL_E_MALFORMED;
	escape_json_decode(&b, (struct bytes){json_string_value(v), json_string_length(v)});
	if (strbuf_error(&b) || b.len > sizeof(q->source))
		return CONTROL_E_MALFORMED;
	if (b.len)
		memcpy(q->source, b.p, b.len);
	q->source_len = b.len;
	return 0;
}

static int read_amount(struct control_request *q, const json_t *v)
{
	if (!json_is_number(v))
		return CONTROL_E_MALFORMED;
	q->amount = json_number_value(v);
	return isfinite(q->amount) && q->amount >= 0 ? 0 : CONTROL_E_MALFORMED;
}

static int read_after(struct control_request *q, const json_t *v)
{
	if (!json_is_integer(v) || json_integer_value(v) < 0)
		return CONTROL_E_MALFORMED;
	q->after = (uint64_t)json_integer_value(v);
	return 0;
}

static int read_for(struct control_request *q, const json_t *v)
{
	const struct bytes word = {json_string_value(v), json_string_length(v)};

	return word.p && answer_term_parse(word, &q->term) == 0 ? 0 : CONTROL_E_MALFORMED;
}

static int read_scope(struct control_request *q, const json_t *v)
{
	const struct bytes word = {json_string_value(v), json_string_length(v)};

	return word.p && answer_scope_parse(word, &q->scope) == 0 ? 0 : CONTROL_E_MALFORMED;
}

static int read_rest(struct control_request *q, const json_t *v)
{
	q->rest = json_is_true(v);
	return json_is_boolean(v) ? 0 : CONTROL_E_MALFORMED;
}

static int read_via(struct control_request *q, const json_t *v)
{
	size_t len = json_string_length(v);

	if (!json_is_string(v) || len == 0 || len >= sizeof(q->via) ||
	    strspn(json_string_value(v), "abcdefghijklmnopqrstuvwxyz") != len)
		return CONTROL_E_MALFORMED;
	memcpy(q->via, json_string_value(v), len + 1);
	return 0;
}

#define ANSWERS (1U << CONTROL_APPROVE | 1U << CONTROL_DENY)
#define NAMED   (ANSWERS | 1U << CONTROL_REVOKE | 1U << CONTROL_WHY)
#define PAGED   (1U << CONTROL_HELD | 1U << CONTROL_GRANTS)

/* Which keys a request may and must have besides "v" and "op". */
static const struct request_key {
	const char *name;
	unsigned required, allowed; /* bits of control_op */
	int (*read)(struct control_request *q, const json_t *v);
} request_keys[] = {
	{"id", ANSWERS | 1U << CONTROL_REVOKE, ANSWERS | 1U << CONTROL_REVOKE | 1U << CONTROL_WHY,
	 read_id},
	{"reason", 1U << CONTROL_ATTEMPT, ANSWERS | 1U << CONTROL_ATTEMPT, read_reason},
	{"for", 0, ANSWERS, read_for},
	{"scope", 0, ANSWERS, read_scope},
	{"rest", 0, ANSWERS, read_rest},
	{"via", 0, ANSWERS, read_via},
	{"after", PAGED, PAGED, read_after},
	{"amount", 1U << CONTROL_SPEND, 1U << CONTROL_SPEND, read_amount},
	{"source", 0, 1U << CONTROL_SPEND, read_source},
};

static int read_object(const json_t *root, struct control_request *q)
{
	const json_t *version = json_object_get(root, "v");
	size_t n = 2;
	int r;

	if (!json_is_object(root) || !json_is_integer(version))
		return CONTROL_E_MALFORMED;
	if (json_integer_value(version) != CONTROL_VERSION)
		return CONTROL_E_VERSION;
	r = read_op(q, json_object_get(root, "op"));
	if (r)
		return r;
	for (size_t i = 0; i < ARRAY_SIZE(request_keys); i++) {
		const struct request_key *k = &request_keys[i];
		const json_t *v = json_object_get(root, k->name);

		if (!v && !(k->required & 1U << q->op))
			continue;
		if (!v || !(k->allowed & 1U << q->op))
			return CONTROL_E_MALFORMED;
		r = k->read(q, v);
		if (r)
			return r;
		n++;
	}
	/* Wider than the action itself, but only once, has no meaning. */
	if (q->term.life == ANSWER_ONCE && q->scope != ANSWER_EXACT)
		return CONTROL_E_MALFORMED;
	return json_object_size(root) == n ? 0 : CONTROL_E_MALFORMED;
}

int control_request_parse(const char *p, size_t len, struct control_request *ret)
{
	_cleanup_(json_decrefp) json_t *root = NULL;
	struct control_request q = {.op = CONTROL_STATUS};
	int r;

	if (len > CONTROL_PACKET_MAX)
		return CONTROL_E_MALFORMED;
	root = json_loadb(p, len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
	if (!root)
		return CONTROL_E_MALFORMED;
	r = read_object(root, &q);
	if (r == 0)
		*ret = q;
	return r;
}

static void write_answer(const struct control_request *q, struct json *j)
{
	char word[ANSWER_TERM_SIZE];

	if (q->term.life != ANSWER_ONCE) {
		answer_term_write(&q->term, word);
		json_key_cstr(j, "for", word);
		json_key_cstr(j, "scope", answer_scope_name(q->scope));
	}
	if (q->rest)
		json_key_bool(j, "rest", true);
	if (q->via[0])
		json_key_cstr(j, "via", q->via);
}

void control_request_write(const struct control_request *q, struct json *j)
{
	json_begin_object(j);
	json_key_u64(j, "v", CONTROL_VERSION);
	json_key_cstr(j, "op", control_op_name(q->op));
	if (1U << q->op & PAGED)
		json_key_u64(j, "after", q->after);
	if (1U << q->op & NAMED && q->id[0])
		json_key_cstr(j, "id", q->id);
	if (1U << q->op & ANSWERS)
		write_answer(q, j);
	if (q->op == CONTROL_SPEND) {
		json_key_double(j, "amount", q->amount);
		if (q->source_len)
			json_key_str(j, "source", (struct bytes){q->source, q->source_len});
	}
	if (q->reason_len || q->op == CONTROL_ATTEMPT)
		json_key_str(j, "reason", (struct bytes){q->reason, q->reason_len});
	json_end_object(j);
}
