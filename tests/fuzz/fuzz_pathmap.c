/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rules and paths, one a line: the tables for the kernel must say of each path what the policies
 * say of it. A line that begins with '/' is a path. Others are globs behind two bytes: the first
 * has the rule's verdict and priority, or says that the glob is an `unless` of the rule before it;
 * the second has the operations.
 */
#include "base/strbuf.h"
#include "policy/naming.h"
#include "policy/pathmap.h"

#define MAX_PATHS 16
#define MAX_RULES 12
#define IS_UNLESS 0x40

static const struct policy_vars vars = {
	.home = "/home/u", .project = "/home/u/proj", .tmp = "/tmp/session"};

struct input {
	struct strbuf text;
	struct bytes paths[MAX_PATHS];
	size_t n_paths, n_rules;
	bool has_unless;
};

static void add_match(struct strbuf *text, unsigned char ops, struct bytes glob)
{
	static const char *const words[] = {"read",   "write", "create", "delete",
					    "rename", "chmod", "change", "[read, link, truncate]"};

	strbuf_add_str(text, "{path: '");
	for (size_t i = 0; i < glob.len; i++) {
		if (glob.p[i] == '\'')
			strbuf_add_char(text, glob.p[i]);
		strbuf_add_char(text, glob.p[i]);
	}
	strbuf_add_char(text, '\'');
	if (ops & 0x10)
		strbuf_add_fmt(text, ", op: %s", words[ops % ARRAY_SIZE(words)]);
	strbuf_add_char(text, '}');
}

static void end_rule(struct input *in)
{
	if (in->has_unless)
		strbuf_add_char(&in->text, ']');
	if (in->n_rules)
		strbuf_add_str(&in->text, "}\n");
	in->has_unless = false;
}

static void add_rule(struct input *in, struct bytes line)
{
	static const char *const verdicts[] = {"allow", "flag", "ask", "deny"};
	const unsigned char how = (unsigned char)line.p[0], ops = (unsigned char)line.p[1];
	const struct bytes glob = {.p = line.p + 2, .len = line.len - 2};

	if ((how & IS_UNLESS) && in->n_rules) {
		strbuf_add_str(&in->text, in->has_unless ? ", " : ", unless: [");
		in->has_unless = true;
	} else {
		if (in->n_rules == MAX_RULES)
			return;
		end_rule(in);
		strbuf_add_fmt(&in->text,
			       "  - {name: r%zu, action: %s, priority: %d, match: ", in->n_rules++,
			       verdicts[how & 3], how >> 2 & 3);
	}
	add_match(&in->text, ops, glob);
}

/* No path of the kernel's is otherwise. */
static bool is_path(struct bytes line)
{
	if (line.p[0] != '/' || memchr(line.p, '\0', line.len))
		return false;
	for (size_t i = 1; i < line.len; i++)
		if (line.p[i] == '/' && line.p[i - 1] == '/')
			return false;
	return line.len == 1 || line.p[line.len - 1] != '/';
}

static void read_lines(struct input *in, struct bytes data)
{
	strbuf_add_str(&in->text,
		       "version: 1\nname: fuzz\n"
		       "default: {tool: allow, read: allow, write: ask, network: allow}\n"
		       "rules:\n");
	while (data.len) {
		const char *end = memchr(data.p, '\n', data.len);
		struct bytes line = {.p = data.p, .len = end ? (size_t)(end - data.p) : data.len};

		data.p += line.len + (end != NULL);
		data.len -= line.len + (end != NULL);
		if (line.len && is_path(line) && in->n_paths < MAX_PATHS)
			in->paths[in->n_paths++] = line;
		else if (line.len > 2 && line.p[0] != '/')
			add_rule(in, line);
	}
	end_rule(in);
}

static enum verdict ask_stack(const struct policy_stack *stack, struct policy_scratch *scratch,
			      enum action_op op, struct bytes path)
{
	struct policy_name names[POLICY_MAX_NAMES];
	struct policy_query q = {
		.kind = KIND_PATH, .op = op, .names = names, .path = path, .args = path};
	struct policy_result r;

	q.n_names = policy_names_init(names, op);
	policy_stack_eval(stack, scratch, &q, &r);
	return r.verdict;
}

static void compare(const struct policy_stack *stack, const struct input *in)
{
	static const char *const kept[] = {"/k/kept"};
	const struct pathmap_kept keeps = {.paths = kept, .n = 1};
	_cleanup_(pathmap_freep) struct pathmap *m = NULL;
	struct policy_scratch *scratch = policy_scratch_new(stack);
	const char *why;

	if (!scratch || pathmap_new(stack, &keeps, &m, &why) < 0) {
		policy_scratch_free(scratch);
		return;
	}
	for (size_t i = 0; i < in->n_paths; i++) {
		const struct bytes path = in->paths[i], tree = BYTES_LIT("/k/kept");
		const bool is_kept = bytes_has_prefix(path, tree) &&
				     (path.len == tree.len || path.p[tree.len] == '/');

		for (unsigned op = OP_READ; op <= OP_TIMES; op++) {
			const enum verdict found = pathmap_verdict(m, (enum action_op)op, path);

			if (found !=
			    (is_kept ? VERDICT_DENY
				     : ask_stack(stack, scratch, (enum action_op)op, path)))
				abort();
		}
	}
	policy_scratch_free(scratch);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = {.text = STRBUF_INIT(POLICY_MAX_BYTES)};
	struct policy_stack *stack = NULL;
	struct policy *p = NULL;
	struct diag d = {};

	read_lines(&in, (struct bytes){.p = (const char *)data, .len = size});
	if (in.n_paths && in.n_rules &&
	    policy_parse("fuzz.yaml", strbuf_bytes(&in.text), &vars, &p, &d) == 0 &&
	    policy_stack_new(&p, 1, false, &stack, &d) == 0)
		compare(stack, &in);
	policy_stack_free(stack);
	strbuf_fini(&in.text);
	return 0;
}
