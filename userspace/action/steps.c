/* SPDX-License-Identifier: Apache-2.0 */
#include "base/json.h"

#include "action/steps.h"

struct bytes action_unix_name(struct bytes object)
{
	const struct bytes prefix = BYTES_LIT("unix:");

	if (!bytes_has_prefix(object, prefix))
		return BYTES_NULL;
	return (struct bytes){.p = object.p + prefix.len, .len = object.len - prefix.len};
}

static size_t plain_path(const struct action *a,
			 struct action_plain_step ret[static ACTION_PLAIN_STEPS])
{
	ret[0] = (struct action_plain_step){.op = a->op, .object = a->object};
	if (a->op == OP_CREATE) { /* as open() makes files, most of the time */
		ret[1] = (struct action_plain_step){.op = OP_WRITE, .object = a->object};
		return 2;
	}
	if (a->op == OP_RENAME) {
		ret[1] = (struct action_plain_step){.op = OP_RENAME, .object = a->object2};
		ret[2] = (struct action_plain_step){.op = OP_CREATE, .object = a->object2};
		return 3;
	}
	if (a->op == OP_LINK) {
		ret[1] = (struct action_plain_step){.op = OP_READ, .object = a->object};
		ret[2] = (struct action_plain_step){.op = OP_LINK, .object = a->object2};
		return 3;
	}
	return 1;
}

static enum policy_protocol plain_protocol(const struct action *a)
{
	if (action_unix_name(a->object).p)
		return POLICY_PROTO_UNIX;
	if (bytes_has_prefix(a->object, BYTES_LIT("family:")))
		return POLICY_PROTO_OTHER;
	return a->op == OP_SEND || a->op == OP_RESOLVE ? POLICY_PROTO_UDP : POLICY_PROTO_TCP;
}

size_t action_plain_steps(const struct action *a,
			  struct action_plain_step ret[static ACTION_PLAIN_STEPS])
{
	struct bytes name;

	if (a->kind == KIND_PATH)
		return plain_path(a, ret);
	ret[0] = (struct action_plain_step){.op = a->op, .object = a->object};
	if (a->kind != KIND_NETWORK)
		return 1;
	ret[0].protocol = plain_protocol(a);
	name = action_unix_name(a->object);
	/* bind makes a file; an abstract name is none. */
	if (a->op != OP_BIND || name.len == 0 || name.p[0] != '/')
		return 1;
	ret[1] = (struct action_plain_step){.op = OP_CREATE, .object = name};
	return 2;
}

/* ---- what is not plain */

static bool is_same(struct bytes a, struct bytes b)
{
	return (a.p == b.p && a.len == b.len) || bytes_eq(a, b);
}

/* The name that a program was called by, where its image does not already answer to it. */
static const struct policy_name *alias_of(const struct action_step *s)
{
	struct policy_name names[POLICY_MAX_NAMES];
	size_t n = policy_names_init(names, s->op);

	policy_names_add(names, &n, policy_image_name(s->object), false);
	return s->n_names > n ? &s->names[n] : NULL;
}

static bool is_plain_tool(const struct action *a)
{
	const struct policy_name *alias;

	if (a->n_steps != 1)
		return false;
	alias = alias_of(&a->steps[0]);
	return !alias || alias->is_untrusted != policy_is_trusted_alias(a->asked, a->cwd);
}

static bool is_plain(const struct action *a)
{
	struct action_plain_step plain[ACTION_PLAIN_STEPS];
	size_t n;

	if (a->kind == KIND_TOOL)
		return is_plain_tool(a);
	n = action_plain_steps(a, plain);
	if (n != a->n_steps)
		return false;
	for (size_t i = 0; i < n; i++) {
		const struct action_step *s = &a->steps[i];

		if (s->op != plain[i].op || !is_same(s->object, plain[i].object) ||
		    (s->address && s->address->protocol != plain[i].protocol))
			return false;
	}
	return true;
}

/* How many bytes at the beginning of @args stand before the arguments of @a that it ends with, and
 * which is the first of those. */
static size_t split_args(const struct action *a, struct bytes args, size_t *ret_from)
{
	size_t words = args.len, from = a->argc;

	while (from > 0) {
		struct bytes last = a->argv[from - 1];

		if (last.len > words || !bytes_has_suffix((struct bytes){args.p, words}, last))
			break;
		if (words == last.len) {
			words = 0;
			from--;
			break;
		}
		if (args.p[words - last.len - 1] != ' ' || words - last.len == 1)
			break;
		words -= last.len + 1;
		from--;
	}
	*ret_from = from;
	return words;
}

static void add_tool_step(struct json *j, const struct action *a, const struct action_step *s)
{
	const struct policy_name *alias = alias_of(s);
	size_t from, words = split_args(a, s->args, &from);

	if (words)
		json_key_str(j, "words", (struct bytes){.p = s->args.p, .len = words});
	json_key_u64(j, "from", from);
	if (!alias)
		return;
	json_key_str(j, "alias", alias->name);
	json_key_bool(j, "trusted", !alias->is_untrusted);
}

static void add_step(struct json *j, const struct action *a, const struct action_step *s)
{
	json_begin_object(j);
	json_key_cstr(j, "op", op_name(s->op));
	if (!is_same(s->object, a->object))
		json_key_str(j, "object", s->object);
	if (s->kind == KIND_TOOL)
		add_tool_step(j, a, s);
	if (s->address)
		json_key_cstr(j, "protocol", policy_protocol_name(s->address->protocol));
	json_end_object(j);
}

void action_steps_add(const struct action *a, struct strbuf *out)
{
	struct json j = JSON_INIT(out);
	size_t start = out->len;

	if (a->error != ACTION_OK || is_plain(a))
		return;
	json_begin_array(&j);
	for (size_t i = 0; i < a->n_steps; i++)
		add_step(&j, a, &a->steps[i]);
	json_end_array(&j);
	if (strbuf_error(out) == 0 && out->len - start <= ACTION_STEPS_BYTES)
		return;
	strbuf_reset(out);
	strbuf_add_str(out, ACTION_STEPS_LOST);
}
