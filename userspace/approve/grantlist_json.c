/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The file of grants. Strict: what is not as it was written is refused as a whole, because a grant
 * that is read for another one lets something through.
 */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/escape.h"

#include "approve/grantlist.h"

#define TEXT_MAX ((size_t)8192) /* of one object, decoded */
#define HEX_KEY  (2 * SHA256_BYTES)

/* ---- writing */

static void key_hex(struct json *j, const char *key, const unsigned char *p, size_t n)
{
	char text[HEX_KEY + 1];

	for (size_t i = 0; i < n; i++)
		(void)snprintf(text + 2 * i, 3, "%02x", p[i]);
	json_key_cstr(j, key, text);
}

static void add_objects(const struct grant_rule *g, struct json *j)
{
	json_key(j, "objects");
	json_begin_array(j);
	for (size_t i = 0; i < g->n_objects; i++) {
		const struct grant_object *o = &g->objects[i];

		json_begin_object(j);
		json_key_cstr(j, "kind", kind_name(o->kind));
		json_key_cstr(j, "op", op_name(o->op));
		json_key_cstr(j, "protocol", policy_protocol_name(o->protocol));
		json_key_str(j, "text", o->text);
		json_end_object(j);
	}
	json_end_array(j);
}

static void add_ops(const struct grant_rule *g, struct json *j)
{
	json_key(j, "ops");
	json_begin_array(j);
	for (unsigned op = 0; op < _OP_MAX; op++)
		if (g->ops & OP_BIT(op))
			json_str(j, bytes_of(op_name((enum action_op)op)));
	json_end_array(j);
}

void grant_rule_to_json(const struct grant_rule *g, struct json *j)
{
	char word[ANSWER_TERM_SIZE], made[CLOCK_RFC3339_SIZE], terms[17];

	answer_term_write(&g->term, word);
	clock_format_rfc3339(g->made_ns, made);
	(void)snprintf(terms, sizeof(terms), "%016" PRIx64, g->terms);
	json_key_cstr(j, "id", g->id);
	json_key_cstr(j, "verdict", g->is_deny ? "deny" : "allow");
	json_key_cstr(j, "scope", answer_scope_name(g->scope));
	json_key_cstr(j, "for", word);
	json_key_u64(j, "expires", g->expires_ns);
	json_key_cstr(j, "boot", g->boot);
	json_key_cstr(j, "made", made);
	json_key_str(j, "agent", g->agent);
	json_key_str(j, "by", g->by);
	json_key_str(j, "rule", g->rule);
	json_key_str(j, "reason", g->reason);
	json_key_str(j, "shown", g->shown);
	json_key_cstr(j, "terms", terms);
	json_key_cstr(j, "kind", kind_name(g->kind));
	key_hex(j, "key", g->key, sizeof(g->key));
	add_ops(g, j);
	add_objects(g, j);
}

void grantlist_write(const struct grantlist *l, struct strbuf *out)
{
	struct json j = JSON_INIT(out);

	json_begin_object(&j);
	json_key_u64(&j, "v", GRANTLIST_VERSION);
	json_key(&j, "grants");
	json_begin_array(&j);
	for (size_t i = 0; i < l->n; i++) {
		json_begin_object(&j);
		grant_rule_to_json(l->rules[i], &j);
		json_end_object(&j);
	}
	json_end_array(&j);
	json_end_object(&j);
	strbuf_add_char(out, '\n');
}

/* ---- reading */

/* One grant while it is read: where its strings are. */
struct reading {
	struct grant_rule g;
	struct strbuf text[GRANT_OBJECTS_MAX + 6];
	size_t n_texts;
};

static struct bytes word_of(const json_t *v)
{
	return (struct bytes){json_string_value(v), json_string_length(v)};
}

/* null is .p NULL. */
static int read_text(struct reading *in, const json_t *v, struct bytes *ret)
{
	struct strbuf *b = &in->text[in->n_texts];

	*ret = BYTES_NULL;
	if (json_is_null(v))
		return 0;
	if (!json_is_string(v))
		return -EINVAL;
	in->n_texts++;
	escape_json_decode(b, word_of(v));
	if (strbuf_error(b))
		return strbuf_error(b) == -ENOMEM ? -ENOMEM : -EINVAL;
	*ret = strbuf_bytes(b);
	return 0;
}

static int read_hex(const json_t *v, unsigned char *ret, size_t n)
{
	const char *p = json_string_value(v);

	if (!p || json_string_length(v) != 2 * n || strspn(p, "0123456789abcdef") != 2 * n)
		return -EINVAL;
	for (size_t i = 0; i < n; i++) {
		unsigned value = 0;

		for (size_t k = 2 * i; k < 2 * i + 2; k++)
			value = value << 4 | (unsigned)(p[k] <= '9' ? p[k] - '0' : p[k] - 'a' + 10);
		ret[i] = (unsigned char)value;
	}
	return 0;
}

static int read_id(struct reading *in, const json_t *v)
{
	const char *id = json_string_value(v);

	if (!id || json_string_length(v) != GRANT_ID_SIZE - 1 ||
	    strspn(id, "abcdefghijklmnopqrstuvwxyz23456789") != GRANT_ID_SIZE - 1)
		return -EINVAL;
	memcpy(in->g.id, id, GRANT_ID_SIZE);
	return 0;
}

static int read_verdict(struct reading *in, const json_t *v)
{
	enum verdict verdict;

	if (!json_is_string(v) || verdict_parse(word_of(v), &verdict) < 0 ||
	    (verdict != VERDICT_ALLOW && verdict != VERDICT_DENY))
		return -EINVAL;
	in->g.is_deny = verdict == VERDICT_DENY;
	return 0;
}

static int read_scope(struct reading *in, const json_t *v)
{
	return json_is_string(v) && answer_scope_parse(word_of(v), &in->g.scope) == 0 ? 0 : -EINVAL;
}

static int read_for(struct reading *in, const json_t *v)
{
	if (!json_is_string(v) || answer_term_parse(word_of(v), &in->g.term) < 0)
		return -EINVAL;
	return in->g.term.life == ANSWER_ONCE ? -EINVAL : 0;
}

static int read_expires(struct reading *in, const json_t *v)
{
	if (!json_is_integer(v) || json_integer_value(v) < 0)
		return -EINVAL;
	in->g.expires_ns = (uint64_t)json_integer_value(v);
	return 0;
}

static int read_boot(struct reading *in, const json_t *v)
{
	if (!json_is_string(v) || json_string_length(v) >= sizeof(in->g.boot) ||
	    strspn(json_string_value(v), "0123456789abcdef-") != json_string_length(v))
		return -EINVAL;
	memcpy(in->g.boot, json_string_value(v), json_string_length(v));
	return 0;
}

static int read_made(struct reading *in, const json_t *v)
{
	return json_is_string(v) && strlen(json_string_value(v)) == json_string_length(v) &&
			       clock_parse_rfc3339(json_string_value(v), &in->g.made_ns) == 0
		       ? 0
		       : -EINVAL;
}

static int read_agent(struct reading *in, const json_t *v)
{
	int r = read_text(in, v, &in->g.agent);

	return r == 0 && !in->g.agent.len ? -EINVAL : r; /* one that would fit any agent */
}

static int read_by(struct reading *in, const json_t *v)
{
	return read_text(in, v, &in->g.by);
}

static int read_rule(struct reading *in, const json_t *v)
{
	return read_text(in, v, &in->g.rule);
}

static int read_reason(struct reading *in, const json_t *v)
{
	int r = read_text(in, v, &in->g.reason);

	return r == 0 && in->g.reason.len >= GRANT_REASON_MAX ? -EINVAL : r;
}

static int read_shown(struct reading *in, const json_t *v)
{
	return read_text(in, v, &in->g.shown);
}

static int read_terms(struct reading *in, const json_t *v)
{
	unsigned char bytes[8];

	if (read_hex(v, bytes, sizeof(bytes)) < 0)
		return -EINVAL;
	in->g.terms = 0;
	for (size_t i = 0; i < sizeof(bytes); i++)
		in->g.terms = in->g.terms << 8 | bytes[i];
	return 0;
}

static int read_kind(struct reading *in, const json_t *v)
{
	return json_is_string(v) && kind_parse(word_of(v), &in->g.kind) == 0 ? 0 : -EINVAL;
}

static int read_key(struct reading *in, const json_t *v)
{
	return read_hex(v, in->g.key, sizeof(in->g.key));
}

static int read_ops(struct reading *in, const json_t *v)
{
	if (!json_is_array(v))
		return -EINVAL;
	for (size_t i = 0; i < json_array_size(v); i++) {
		const json_t *word = json_array_get(v, i);
		enum action_op op;

		if (!json_is_string(word) || op_parse(word_of(word), &op) < 0)
			return -EINVAL;
		in->g.ops |= OP_BIT(op);
	}
	return 0;
}

static int read_protocol(struct bytes word, enum policy_protocol *ret)
{
	for (unsigned p = 0; p < _POLICY_PROTO_MAX; p++) {
		if (bytes_eq_str(word, policy_protocol_name((enum policy_protocol)p))) {
			*ret = (enum policy_protocol)p;
			return 0;
		}
	}
	return -EINVAL;
}

static int read_object(struct reading *in, const json_t *v)
{
	struct grant_object *o = &in->g.objects[in->g.n_objects++];
	const json_t *kind = json_object_get(v, "kind"), *op = json_object_get(v, "op");
	const json_t *protocol = json_object_get(v, "protocol"), *text = json_object_get(v, "text");
	int r;

	if (json_object_size(v) != 4 || !json_is_string(kind) || !json_is_string(op) ||
	    !json_is_string(protocol) || !json_is_string(text) ||
	    kind_parse(word_of(kind), &o->kind) < 0 || op_parse(word_of(op), &o->op) < 0 ||
	    read_protocol(word_of(protocol), &o->protocol) < 0)
		return -EINVAL;
	r = read_text(in, text, &o->text);
	return r == 0 && !o->text.len ? -EINVAL : r;
}

static int read_objects(struct reading *in, const json_t *v)
{
	int r = 0;

	if (!json_is_array(v) || json_array_size(v) > ARRAY_SIZE(in->g.objects))
		return -EINVAL;
	for (size_t i = 0; r == 0 && i < json_array_size(v); i++)
		r = read_object(in, json_array_get(v, i));
	return r;
}

static const struct {
	const char *name;
	int (*read)(struct reading *in, const json_t *v);
} keys[] = {
	{"id", read_id},       {"verdict", read_verdict}, {"scope", read_scope},
	{"for", read_for},     {"expires", read_expires}, {"boot", read_boot},
	{"made", read_made},   {"agent", read_agent},     {"by", read_by},
	{"rule", read_rule},   {"reason", read_reason},   {"shown", read_shown},
	{"terms", read_terms}, {"kind", read_kind},       {"key", read_key},
	{"ops", read_ops},     {"objects", read_objects},
};

/* What each scope needs; more would be ignored by one version and mean something in another. */
static bool is_consistent(const struct grant_rule *g)
{
	struct bytes dir = g->n_objects ? g->objects[0].text : BYTES_NULL;

	if (g->kind == KIND_SYSTEM || g->kind == KIND_SPEND)
		return false;
	if (g->term.life == ANSWER_DURATION &&
	    (!g->expires_ns || strlen(g->boot) != sizeof(g->boot) - 1))
		return false;
	switch (g->scope) {
	case ANSWER_EXACT:
	case ANSWER_AGENT:
		return g->n_objects == 0;
	case ANSWER_TOOL:
		return g->kind == KIND_TOOL && g->n_objects > 0;
	case ANSWER_DIR:
		return dir.len > 1 && dir.p[0] == '/' &&
		       (g->kind == KIND_PATH ? g->n_objects == 1 && g->ops
					     : g->kind == KIND_TOOL && g->n_objects > 1);
	case ANSWER_ADDRESS:
		return g->kind == KIND_NETWORK && g->n_objects == 1 && g->ops;
	case ANSWER_DOMAIN:
		return g->kind == KIND_NETWORK && g->ops &&
		       (g->n_objects == 2 || (g->n_objects == 1 && g->ops == OP_BIT(OP_RESOLVE)));
	case _ANSWER_SCOPE_MAX:
		break;
	}
	return false;
}

static int read_rule_of(struct grantlist *l, const json_t *v)
{
	struct reading in = {};
	int r = json_object_size(v) == ARRAY_SIZE(keys) ? 0 : -EINVAL;

	for (size_t i = 0; i < ARRAY_SIZE(in.text); i++)
		in.text[i] = STRBUF_INIT(TEXT_MAX);
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(keys); i++) {
		const json_t *value = json_object_get(v, keys[i].name);

		r = value ? keys[i].read(&in, value) : -EINVAL;
	}
	if (r == 0 && (!is_consistent(&in.g) || grantlist_find(l, in.g.id)))
		r = -EINVAL;
	if (r == 0)
		r = grantlist_add(l, &in.g);
	for (size_t i = 0; i < ARRAY_SIZE(in.text); i++)
		strbuf_fini(&in.text[i]);
	return r;
}

static int read_root(struct grantlist *l, const json_t *root)
{
	const json_t *all = json_object_get(root, "grants");
	int r = 0;

	if (json_integer_value(json_object_get(root, "v")) != GRANTLIST_VERSION ||
	    json_object_size(root) != 2 || !json_is_array(all) || json_array_size(all) > GRANTS_MAX)
		return -EINVAL;
	for (size_t i = 0; r == 0 && i < json_array_size(all); i++)
		r = read_rule_of(l, json_array_get(all, i));
	return r;
}

int grantlist_parse(const char *file, struct bytes text, struct grantlist *ret,
		    struct diag *reterr_diag)
{
	struct grantlist l = {};
	json_t *root = text.len <= GRANTLIST_MAX_BYTES
			       ? json_loadb(text.p ? text.p : "", text.len,
					    JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL)
			       : NULL;
	int r = root ? read_root(&l, root) : -EINVAL;

	json_decref(root);
	if (r == 0) {
		grantlist_fini(ret);
		*ret = l;
		return 0;
	}
	grantlist_fini(&l);
	if (r != -ENOMEM)
		r = diag_set(reterr_diag, file, 0, 0,
			     "this is not a list of grants that holdfast wrote, so none of them "
			     "holds: remove the file, and answer anew");
	return r;
}
