/* SPDX-License-Identifier: Apache-2.0 */
/* What a grant covers, in words for people: the same for the question, the list and the log. */
#include "base/escape.h"

#include "engine/grants_private.h"

#define DESCRIBE_MAX ((size_t)400) /* of one path */

static void add_path(struct strbuf *out, struct bytes path)
{
	escape_terminal_max(out, path, DESCRIBE_MAX);
}

static void add_ops(struct strbuf *out, uint32_t ops)
{
	bool is_first = true;

	for (unsigned op = 0; op < _OP_MAX; op++) {
		if (!(ops & OP_BIT(op)))
			continue;
		strbuf_add_fmt(out, "%s%s", is_first ? "" : ", ", op_name((enum action_op)op));
		is_first = false;
	}
}

static void describe_dir(const struct grant_rule *g, struct strbuf *out)
{
	if (g->kind == KIND_TOOL) {
		if (g->n_objects > 1)
			add_path(out, g->objects[1].text);
		strbuf_add_str(out, " with any arguments, run in ");
	} else {
		add_ops(out, g->ops);
		strbuf_add_str(out, " in ");
	}
	add_path(out, g->objects[0].text);
	strbuf_add_str(out, " and everything below");
}

static void describe_domain(const struct grant_rule *g, struct strbuf *out)
{
	add_ops(out, g->ops);
	strbuf_add_str(out, " to ");
	add_path(out, g->objects[0].text);
	if (g->n_objects > 1) {
		strbuf_add_str(out, ", port ");
		add_path(out, grant_port_of(g->objects[1].text));
		if (g->objects[1].protocol < POLICY_PROTO_OTHER)
			strbuf_add_fmt(out, " (%s)", policy_protocol_name(g->objects[1].protocol));
		strbuf_add_str(out, ", whatever its address");
	}
	strbuf_add_str(out, ", by any program");
}

void grant_rule_describe(const struct grant_rule *g, struct strbuf *out)
{
	switch (g->scope) {
	case ANSWER_EXACT:
		strbuf_add_str(out, "this exact action");
		if (g->shown.len) {
			strbuf_add_str(out, ": ");
			add_path(out, g->shown);
		}
		return;
	case ANSWER_TOOL:
		if (g->n_objects)
			add_path(out, g->objects[0].text);
		strbuf_add_str(out, " with any arguments, anywhere");
		return;
	case ANSWER_DIR:
		describe_dir(g, out);
		return;
	case ANSWER_ADDRESS:
		add_ops(out, g->ops);
		strbuf_add_str(out, " to ");
		add_path(out, g->objects[0].text);
		if (g->objects[0].protocol < POLICY_PROTO_OTHER)
			strbuf_add_fmt(out, " (%s)", policy_protocol_name(g->objects[0].protocol));
		strbuf_add_str(out, " by any program");
		return;
	case ANSWER_DOMAIN:
		describe_domain(g, out);
		return;
	case ANSWER_AGENT:
		strbuf_add_str(out, "everything the agent does that a rule asks about");
		return;
	case _ANSWER_SCOPE_MAX:
		return;
	}
}
