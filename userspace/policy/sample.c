/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <stdio.h>

#include "policy/document.h"
#include "policy/sample.h"

#define SAMPLE_MAX_ARGS 32
#define SAMPLE_PORT     443

struct sampler {
	struct arena *mem;
	policy_sample_fn fn;
	void *ctx;
};

static struct bytes keep(const struct sampler *s, const char *text)
{
	return arena_copy(s->mem, text, strlen(text));
}

/* ---- patterns to texts that they match */

static char class_member(const struct glob_class *c)
{
	for (unsigned int i = 'a'; i <= 'z'; i++)
		if (c->bits[i / 64] >> (i % 64) & 1)
			return (char)i;
	for (unsigned int i = 1; i < 256; i++)
		if (c->bits[i / 64] >> (i % 64) & 1)
			return (char)i;
	return 'x';
}

/* Something that @g matches; .p NULL: out of memory or too long. */
static struct bytes glob_text(const struct sampler *s, const struct glob *g)
{
	struct strbuf out = STRBUF_INIT(GLOB_MAX_BYTES * 2);
	struct bytes text = BYTES_NULL;

	strbuf_add_bytes(&out, g->prefix);
	for (size_t i = 0; i < g->n_tokens; i++) {
		const struct glob_token *t = &g->tokens[i];

		switch ((enum glob_token_type)t->type) {
		case GLOB_LITERAL:
			strbuf_add_char(&out, (char)t->literal);
			break;
		case GLOB_ANY_BYTE:
		case GLOB_ANY_IN_NAME:
		case GLOB_STAR:
		case GLOB_DOUBLE_STAR:
			strbuf_add_char(&out, 'x');
			break;
		case GLOB_CLASS:
			strbuf_add_char(&out, class_member(&g->classes[t->class]));
			break;
		case GLOB_DIRS:
			strbuf_add_str(&out, "x/");
			break;
		case GLOB_TREE:
			strbuf_add_str(&out, "/x");
			break;
		}
	}
	if (strbuf_error(&out) == 0)
		text = arena_copy(s->mem, strbuf_str(&out), out.len);
	strbuf_fini(&out);
	return text;
}

/* A name for @t; .p NULL when none can be made, as of a regular expression. */
static struct bytes tool_text(const struct sampler *s, const struct tool_pattern *t)
{
	switch (t->type) {
	case TOOL_EXACT:
		return t->name;
	case TOOL_GLOB:
	case TOOL_IMAGE:
		return glob_text(s, t->globs);
	case TOOL_REGEX:
		break;
	}
	return BYTES_NULL;
}

/* ---- a rule */

static int tell_exec(const struct sampler *s, const struct bytes *words, size_t n)
{
	struct bytes *argv = arena_alloc(s->mem, MAX(n, (size_t)1) * sizeof(*argv));
	const struct policy_sample sample = {
		.kind = KIND_TOOL, .op = OP_EXEC, .argv = argv, .argc = n};

	if (!argv)
		return -ENOMEM;
	memcpy(argv, words, n * sizeof(*argv));
	return s->fn(s->ctx, &sample);
}

static int tell_argv(const struct sampler *s, const struct matcher *m)
{
	struct bytes words[SAMPLE_MAX_ARGS];
	size_t n = 0;

	while (n < m->n_argv && n < SAMPLE_MAX_ARGS) {
		words[n] = tool_text(s, &m->argv[n].any[0]);
		if (!words[n].p)
			return 0;
		n++;
	}
	return tell_exec(s, words, n);
}

static int tell_tools(const struct sampler *s, const struct matcher *m)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < m->n_tools; i++) {
		struct bytes word = tool_text(s, &m->tools[i]);

		if (word.p && word.len)
			r = tell_exec(s, &word, 1);
	}
	return r;
}

static int tell_paths(const struct sampler *s, const struct matcher *m)
{
	for (const struct glob *g = m->paths; g; g = g->next) {
		struct policy_sample sample = {.kind = KIND_PATH, .path = glob_text(s, g)};

		/* One of reads and one of changes is enough to show a difference. */
		for (unsigned int op = 0, seen = 0; sample.path.p && op < OP_SYSCALL; op++) {
			unsigned int class = op == OP_READ ? 1 : 2;
			int r;

			if (!(m->ops & OPS_PATH & OP_BIT(op)) || (seen & class))
				continue;
			seen |= class;
			sample.op = (enum action_op)op;
			r = s->fn(s->ctx, &sample);
			if (r)
				return r;
		}
	}
	return 0;
}

static int tell_host(const struct sampler *s, const struct matcher *m, struct bytes host)
{
	const struct policy_sample sample = {
		.kind = KIND_NETWORK,
		.op = m->ops & OP_BIT(OP_CONNECT) ? OP_CONNECT
		      : m->ops & OP_BIT(OP_SEND)  ? OP_SEND
		      : m->ops & OP_BIT(OP_BIND)  ? OP_BIND
						  : OP_LISTEN,
		.host = host,
		.port = m->n_ports ? m->ports[0].low : SAMPLE_PORT,
		.protocol = m->protocols & (UINT32_C(1) << POLICY_PROTO_TCP) ? POLICY_PROTO_TCP
									     : POLICY_PROTO_UDP,
	};

	return host.p ? s->fn(s->ctx, &sample) : -ENOMEM;
}

static int tell_hosts(const struct sampler *s, const struct matcher *m)
{
	char text[DOMAIN_MAX_BYTES + 16];
	int r = 0;

	for (size_t i = 0; r == 0 && i < m->n_domains; i++) {
		const struct domain_pattern *d = &m->domains[i];

		(void)snprintf(text, sizeof(text), "%s%.*s", d->is_below ? "x." : "",
			       (int)d->name.len, d->name.len ? d->name.p : "");
		if (d->name.len == 0)
			(void)snprintf(text, sizeof(text), "x.example");
		r = tell_host(s, m, keep(s, text));
	}
	for (size_t i = 0; r == 0 && i < m->n_addresses; i++) {
		if (inet_ntop(m->addresses[i].is_v4 ? AF_INET : AF_INET6, m->addresses[i].ip, text,
			      sizeof(text)))
			r = tell_host(s, m, keep(s, text));
	}
	if (r == 0 && m->n_ports && !m->n_domains && !m->n_addresses)
		r = tell_host(s, m, keep(s, "192.0.2.1"));
	return r;
}

int policy_samples(const struct policy *p, struct arena *mem, policy_sample_fn fn, void *ctx)
{
	const struct sampler s = {.mem = mem, .fn = fn, .ctx = ctx};
	int r = 0;

	for (size_t i = 0; r == 0 && i < p->n_rules; i++) {
		const struct matcher *m = &p->rules[i].match;

		if (m->n_argv)
			r = tell_argv(&s, m);
		if (r == 0 && !m->n_argv && (m->ops & OP_BIT(OP_EXEC)))
			r = tell_tools(&s, m);
		if (r == 0)
			r = tell_paths(&s, m);
		if (r == 0)
			r = tell_hosts(&s, m);
	}
	return r;
}

/* ---- what every agent does */

static const char *const common_commands[] = {
	"ls -l",
	"git status",
	"git push origin topic",
	"git push --force origin main",
	"git reset --hard",
	"git commit --no-verify -m x",
	"rm -rf build",
	"rm -rf /",
	"curl https://example.org",
	"sudo id",
	"npm install",
	"python3 -c 1",
	"make",
	"bash -c ls",
	"ssh host",
	"docker ps",
};

/* "~": below the home directory, "+": below the project. */
static const char *const common_paths[] = {
	"+/src/main.c",
	"+/.env",
	"+/.git/hooks/pre-commit",
	"~/.ssh/id_rsa",
	"~/.aws/credentials",
	"~/.bashrc",
	"~/notes.txt",
	"/etc/passwd",
	"/etc/shadow",
	"/usr/bin/x",
	"/tmp/x",
	"/var/log/x",
};

static const char *const common_hosts[] = {"127.0.0.1", "192.0.2.1", "169.254.169.254",
					   "api.github.com", "example.org"};

static int tell_command(const struct sampler *s, const char *command)
{
	struct bytes rest = keep(s, command), words[SAMPLE_MAX_ARGS];
	size_t n = 0;

	while (rest.p && rest.len && n < SAMPLE_MAX_ARGS) {
		const char *blank = memchr(rest.p, ' ', rest.len);

		words[n] = rest;
		words[n].len = blank ? (size_t)(blank - rest.p) : rest.len;
		rest.p += MIN(words[n].len + 1, rest.len);
		rest.len -= MIN(words[n].len + 1, rest.len);
		n++;
	}
	return tell_exec(s, words, n);
}

static int tell_common_path(const struct sampler *s, const struct policy_vars *vars,
			    const char *path)
{
	static const enum action_op ops[] = {OP_READ, OP_WRITE, OP_DELETE};
	const char *root = path[0] == '~' ? vars->home : path[0] == '+' ? vars->project : "";
	struct strbuf text = STRBUF_INIT(GLOB_MAX_BYTES * 2);
	struct policy_sample sample = {.kind = KIND_PATH};
	int r = 0;

	strbuf_add_fmt(&text, "%s%s", root, path + (path[0] != '/'));
	sample.path = keep(s, strbuf_str(&text));
	strbuf_fini(&text);
	if (!sample.path.p)
		return -ENOMEM;
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(ops); i++) {
		sample.op = ops[i];
		r = s->fn(s->ctx, &sample);
	}
	return r;
}

int policy_common_samples(const struct policy_vars *vars, struct arena *mem, policy_sample_fn fn,
			  void *ctx)
{
	const struct matcher any = {.ops = OPS_NETWORK, .protocols = UINT32_MAX};
	const struct sampler s = {.mem = mem, .fn = fn, .ctx = ctx};
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(common_commands); i++)
		r = tell_command(&s, common_commands[i]);
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(common_paths); i++)
		r = tell_common_path(&s, vars, common_paths[i]);
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(common_hosts); i++)
		r = tell_host(&s, &any, keep(&s, common_hosts[i]));
	return r;
}
