/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/dirs.h"
#include "base/escape.h"
#include "base/io.h"
#include "base/say.h"
#include "policy/yaml_text.h"

#include "cli/grants_policy.h"

#define RULE_MAX ((size_t)64 * 1024)

struct insertion {
	unsigned line; /* it goes before this one, from 1 */
	struct strbuf text;
};

struct edit {
	const char *path;
	struct strbuf text; /* of the file */
	struct policy *policy;
	struct insertion at[GRANTS_MAX];
	size_t n;
};

static void edit_fini(struct edit *e)
{
	for (size_t i = 0; i < e->n; i++)
		strbuf_fini(&e->at[i].text);
	strbuf_fini(&e->text);
	policy_free(e->policy);
}

/* What stands for itself in a glob, quoted for YAML; @tail is a pattern. */
static void add_literal(struct strbuf *out, struct bytes s, const char *tail)
{
	_cleanup_(strbuf_fini) struct strbuf glob = STRBUF_INIT(RULE_MAX);

	for (size_t i = 0; i < s.len; i++) {
		if (strchr("*?[]{}\\,$~", s.p[i]) && s.p[i])
			strbuf_add_char(&glob, '\\');
		strbuf_add_char(&glob, s.p[i]);
	}
	strbuf_add_str(&glob, tail);
	yaml_add_text(out, strbuf_bytes(&glob));
}

static void add_ops(struct strbuf *out, uint32_t ops)
{
	bool is_first = true;

	strbuf_add_str(out, ", op: [");
	for (unsigned op = 0; op < _OP_MAX; op++) {
		if (!(ops & OP_BIT(op)))
			continue;
		strbuf_add_fmt(out, "%s%s", is_first ? "" : ", ", op_name((enum action_op)op));
		is_first = false;
	}
	strbuf_add_char(out, ']');
}

static bool add_address(struct strbuf *out, const struct grant_rule *g)
{
	struct bytes text = g->objects[0].text, host = text;
	const char *colon = memrchr(text.p, ':', text.len);

	if (bytes_has_prefix(text, BYTES_LIT("unix:/"))) {
		strbuf_add_str(out, "path: [");
		add_literal(out, (struct bytes){text.p + 5, text.len - 5}, "");
		strbuf_add_char(out, ']');
		return true;
	}
	if (!colon || bytes_has_prefix(text, BYTES_LIT("unix:")))
		return false;
	host.len = (size_t)(colon - text.p);
	if (host.len > 1 && host.p[0] == '[')
		host = (struct bytes){host.p + 1, host.len - 2};
	strbuf_add_str(out, "address: [");
	yaml_add_text(out, host);
	strbuf_add_fmt(out, "], port: [%.*s], protocol: %s", (int)(text.p + text.len - colon - 1),
		       colon + 1, policy_protocol_name(g->objects[0].protocol));
	return true;
}

/* Such a rule speaks of the question for the name as well. */
static bool add_domain(struct strbuf *out, const struct grant_rule *g)
{
	struct bytes address = g->n_objects > 1 ? g->objects[1].text : BYTES_NULL;
	const char *colon = address.p ? memrchr(address.p, ':', address.len) : NULL;

	if (!colon)
		return false;
	strbuf_add_str(out, "domain: [");
	yaml_add_text(out, g->objects[0].text);
	strbuf_add_fmt(out, "], port: [%.*s], protocol: %s",
		       (int)(address.p + address.len - colon - 1), colon + 1,
		       policy_protocol_name(g->objects[1].protocol));
	return true;
}

/* Return: false: there is no such rule. */
static bool add_match(struct strbuf *out, const struct grant_rule *g)
{
	switch (g->scope) {
	case ANSWER_TOOL:
		strbuf_add_str(out, "tool: [");
		add_literal(out, g->objects[0].text, "");
		strbuf_add_char(out, ']');
		return true;
	case ANSWER_DIR:
		if (g->kind == KIND_TOOL) {
			strbuf_add_str(out, "tool: [");
			add_literal(out, g->objects[1].text, "");
			strbuf_add_str(out, "], cwd: [");
		} else {
			strbuf_add_str(out, "path: [");
		}
		add_literal(out, g->objects[0].text, "/**");
		strbuf_add_char(out, ']');
		if (g->kind == KIND_PATH)
			add_ops(out, g->ops);
		return true;
	case ANSWER_ADDRESS:
		if (!add_address(out, g))
			return false;
		add_ops(out, g->ops);
		return true;
	case ANSWER_DOMAIN:
		return add_domain(out, g);
	case ANSWER_EXACT:
	case ANSWER_AGENT:
	case _ANSWER_SCOPE_MAX:
		break;
	}
	return false;
}

/* Of the line @number of the file: how far it is indented; -1: no item of a list begins there. */
static int indent_of(const struct edit *e, unsigned number)
{
	const char *p = strbuf_str(&e->text);
	size_t n;

	for (; number > 1 && p; number--) {
		p = strchr(p, '\n');
		p = p ? p + 1 : NULL;
	}
	if (!p)
		return -1;
	n = strspn(p, " ");
	return p[n] == '-' ? (int)n : -1;
}

static void plan_rule(struct edit *e, const struct grant_rule *g)
{
	struct insertion *at = &e->at[e->n];
	const char *file = NULL;
	unsigned line = 0;
	int indent;

	if (g->term.life != ANSWER_ALWAYS)
		return;
	if (policy_find_rule(e->policy, g->rule, &file, &line) < 0 || !streq(file, e->path) ||
	    (indent = indent_of(e, line)) < 0) {
		say("grant %s: the rule that asked, '%.*s', does not stand in '%s' on a line of its own, skipping",
		    g->id, (int)g->rule.len, g->rule.p ? g->rule.p : "", e->path);
		return;
	}
	*at = (struct insertion){.line = line, .text = STRBUF_INIT(RULE_MAX)};
	strbuf_add_fmt(&at->text, "%*s- {name: granted-%s, match: {", indent, "", g->id);
	if (!add_match(&at->text, g)) {
		strbuf_fini(&at->text);
		say("grant %s: an answer of scope %s cannot be written as a rule, skipping", g->id,
		    answer_scope_name(g->scope));
		return;
	}
	strbuf_add_fmt(&at->text, "}, action: %s}\n", g->is_deny ? "deny" : "allow");
	e->n++;
}

/* The file with what is inserted; @show: as a diff, on standard output. */
static void apply(const struct edit *e, bool show, struct strbuf *out)
{
	const char *p = strbuf_str(&e->text);
	unsigned number = 1;

	for (; *p; number++) {
		const char *end = strchr(p, '\n');
		size_t len = end ? (size_t)(end - p) + 1 : strlen(p);
		bool is_here = false;

		for (size_t i = 0; i < e->n; i++) {
			if (e->at[i].line != number)
				continue;
			if (show && !is_here)
				strbuf_add_fmt(out, "@@ before line %u @@\n", number);
			if (show)
				strbuf_add_char(out, '+');
			strbuf_add_bytes(out, strbuf_bytes(&e->at[i].text));
			is_here = true;
		}
		if (show && is_here) {
			strbuf_add_char(out, ' ');
			escape_terminal(out, (struct bytes){p, end ? len - 1 : len});
			strbuf_add_char(out, '\n');
		} else if (!show) {
			strbuf_add(out, p, len);
		}
		p += len;
	}
}

static int load(struct edit *e, const struct strbuf *text, struct policy **ret)
{
	_cleanup_(freep) char *home = dirs_home();
	const struct policy_vars vars = {.home = home ? home : "/", .project = "/", .tmp = "/tmp"};
	struct diag d = {};
	int r = policy_parse(e->path, strbuf_bytes(text), &vars, ret, &d);

	if (r < 0)
		say_diag("", &d);
	return r;
}

/* Replaced as a whole, with the mode that it had. */
static int replace(const struct edit *e, const struct strbuf *text)
{
	_cleanup_(freep) char *fresh = str_format("%s.new", e->path);
	_cleanup_(fd_closep) int fd = -1;
	struct stat st;
	int r;

	if (!fresh || stat(e->path, &st) < 0)
		return fresh ? -errno : -ENOMEM;
	fd = open(fresh, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return -errno;
	r = io_write_all(fd, text->p, text->len);
	if (r == 0 &&
	    (fchmod(fd, st.st_mode & 07777) < 0 || fsync(fd) < 0 || rename(fresh, e->path) < 0))
		r = -errno;
	if (r < 0)
		(void)unlink(fresh);
	return r;
}

static bool is_wanted(void)
{
	char line[16];

	(void)printf("Write this? [y/N] ");
	(void)fflush(stdout);
	return fgets(line, sizeof(line), stdin) && (streq(line, "y\n") || streq(line, "yes\n"));
}

int grants_write_policy(const struct grantlist *l, const char *path, bool is_sure)
{
	_cleanup_(edit_fini) struct edit e = {.path = path, .text = STRBUF_INIT(POLICY_MAX_BYTES)};
	_cleanup_(strbuf_fini) struct strbuf fresh = STRBUF_INIT(POLICY_MAX_BYTES);
	_cleanup_(strbuf_fini) struct strbuf diff = STRBUF_INIT(POLICY_MAX_BYTES);
	_cleanup_(policy_freep) struct policy *check = NULL;
	int r = io_read_file_at(AT_FDCWD, path, &e.text);

	if (r < 0) {
		say("cannot read '%s': %s", path, strerror(-r));
		return 1;
	}
	if (load(&e, &e.text, &e.policy) < 0)
		return 1;
	for (size_t i = 0; i < l->n; i++)
		plan_rule(&e, l->rules[i]);
	if (e.n == 0) {
		say("no grant that holds always becomes a rule of '%s'", path);
		return 1;
	}
	apply(&e, false, &fresh);
	apply(&e, true, &diff);
	if (strbuf_error(&fresh) || strbuf_error(&diff) || load(&e, &fresh, &check) < 0)
		return 1;
	(void)printf("--- %s\n%s", path, strbuf_str(&diff));
	if (!is_sure && !is_wanted())
		return 1;
	r = replace(&e, &fresh);
	if (r < 0)
		say("cannot write '%s': %s", path, strerror(-r));
	return r < 0 || fflush(stdout) != 0;
}
