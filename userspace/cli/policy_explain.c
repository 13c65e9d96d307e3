/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `holdfast policy explain`: which rule decides on an action, in which file and line, why, what
 * else would have matched, and what the stack makes of it. The action is made as a session would
 * see it, but nothing is done.
 */
#include <getopt.h>
#include <stdio.h>

#include "base/io.h"
#include "base/say.h"

#include "cli/options.h"
#include "cli/policy_agentpolicy.h"
#include "cli/policy_commands.h"
#include "cli/policy_explain.h"
#include "cli/run_options.h"
#include "cli/shown_plan.h"

#define ARENA_BYTES ((size_t)256 << 20)
#define OUTPUT_MAX  ((size_t)256 << 20)

static const char usage[] =
	"usage: holdfast policy explain [OPTIONS] -- COMMAND [ARGUMENTS]\n"
	"       holdfast policy explain [OPTIONS] --path P [--op OP]...\n"
	"       holdfast policy explain [OPTIONS] --connect HOST:PORT\n"
	"       holdfast policy explain [OPTIONS] --action JSON\n"
	"       holdfast policy explain [OPTIONS] --plan [--layers LAYER,...]\n"
	"       holdfast policy explain FILE\n"
	"\n"
	"Says which rule decides on an action, and why, without doing it. FILE alone: what an\n"
	"AgentPolicy file checks.\n"
	"\n" POLICY_USE_HELP "                          (default: coding-agent, as run)\n"
	"      --path P            reading or changing a file; relative to the current directory\n"
	"      --op OP             read (default), write, create, truncate, delete, rename, link, symlink,\n"
	"                          mkdir, mknod, chmod, chown, xattr, times; with --connect: connect, send,\n"
	"                          bind, listen\n"
	"      --connect HOST:PORT an address or a name; unix:PATH\n"
	"      --protocol P        tcp (default), udp, unix, other\n"
	"      --action JSON       any action that `policy eval` takes\n"
	"      --plan              which layer carries out which class of action, what it costs, and why\n"
	"      --layers LAYER,...  as of `holdfast run`, for --plan\n"
	"      --json              for programs\n"
	"  -h, --help              this text\n"
	"\n"
	"Exit status: 0 explained, whatever the verdict; 1 it could not be; 2 wrong usage.\n";

enum {
	EXPLAIN_PATH = 1024,
	EXPLAIN_OP,
	EXPLAIN_CONNECT,
	EXPLAIN_PROTOCOL,
	EXPLAIN_ACTION,
	EXPLAIN_PLAN,
	EXPLAIN_LAYERS,
	EXPLAIN_JSON,
	EXPLAIN_HELP = 1, /* usage was asked for and printed */
};

struct explain {
	struct policy_use use;
	struct explain_options options;
	const char *file; /* the one word that is no command; NULL: none */
	char *host;       /* owned: --connect without its port */
	struct arena mem;
	struct strbuf out;
};

static int add_op(struct explain_options *o, const char *arg)
{
	enum action_op op;

	if (op_parse(bytes_of(arg), &op) < 0 || !(OP_BIT(op) & (OPS_PATH | OPS_NETWORK))) {
		say("--op '%s': no such operation; `holdfast policy explain --help` lists them",
		    arg);
		return -EINVAL;
	}
	if (o->n_ops == EXPLAIN_MAX_OPS) {
		say("--op '%s': at most %d", arg, EXPLAIN_MAX_OPS);
		return -EINVAL;
	}
	o->ops[o->n_ops++] = op;
	return 0;
}

static int set_protocol(struct explain_options *o, const char *arg)
{
	for (unsigned int p = 0; p < _POLICY_PROTO_MAX; p++)
		if (streq(arg, policy_protocol_name((enum policy_protocol)p))) {
			o->protocol = (enum policy_protocol)p;
			return 0;
		}
	say("--protocol '%s': expected tcp, udp, unix or other", arg);
	return -EINVAL;
}

/* "HOST:PORT", "[ADDRESS]:PORT", "unix:PATH". */
static int set_host(struct explain *e, const char *arg)
{
	const char *colon = strrchr(arg, ':');
	uint64_t port;

	free(e->host);
	if (strncmp(arg, "unix:", 5) == 0) {
		e->options.protocol = POLICY_PROTO_UNIX;
		e->options.host = e->host = strdup(arg + 5);
	} else if (!colon || colon == arg ||
		   parse_u64(bytes_of(colon + 1), UINT16_MAX, &port) < 0 ||
		   (arg[0] != '[' && memchr(arg, ':', (size_t)(colon - arg)))) {
		e->host = NULL;
		say("--connect '%s': expected HOST:PORT, as in example.org:443 or [::1]:80, or unix:PATH",
		    arg);
		return -EINVAL;
	} else {
		e->options.port = (uint16_t)port;
		e->options.host = e->host = strndup(arg, (size_t)(colon - arg));
	}
	return e->host ? 0 : -ENOMEM;
}

static int set_option(struct explain *e, int id, const char *arg, char *const *argv)
{
	int r;

	switch (id) {
	case 'h':
		(void)fputs(usage, stdout);
		return EXPLAIN_HELP;
	case EXPLAIN_PATH:
		e->options.path = arg;
		return 0;
	case EXPLAIN_OP:
		return add_op(&e->options, arg);
	case EXPLAIN_CONNECT:
		return set_host(e, arg);
	case EXPLAIN_PROTOCOL:
		return set_protocol(&e->options, arg);
	case EXPLAIN_ACTION:
		e->options.action = arg;
		return 0;
	case EXPLAIN_PLAN:
		e->options.has_plan = true;
		return 0;
	case EXPLAIN_LAYERS:
		return layer_wishes_read(arg, &e->options.wishes);
	case EXPLAIN_JSON:
		e->options.is_json = true;
		return 0;
	default:
		r = policy_use_option(&e->use, id, arg);
		return r == -ENOENT ? options_refuse(id, argv, "policy explain") : r;
	}
}

/* Operations go with what they are done to. */
static int check_ops(const struct explain_options *o)
{
	uint32_t among = o->path ? OPS_PATH : o->host ? OPS_NETWORK : 0;

	for (size_t i = 0; i < o->n_ops; i++)
		if (!(OP_BIT(o->ops[i]) & among)) {
			say("--op %s does not go with %s", op_name(o->ops[i]),
			    o->path   ? "--path"
			    : o->host ? "--connect"
				      : "this action; it needs --path or --connect");
			return -EINVAL;
		}
	return 0;
}

static int check(struct explain *e)
{
	const struct explain_options *o = &e->options;
	int n = !!o->command + !!o->path + !!o->host + !!o->action;

	if (n > 1) {
		say("policy explain: one action at a time: a command, --path, --connect or --action");
		return -EINVAL;
	}
	if (n == 0 && !o->has_plan && !e->file) {
		say("policy explain: what? -- COMMAND, --path P, --connect HOST:PORT, --action JSON or --plan");
		return -EINVAL;
	}
	if (e->file && e->use.n_policies) {
		say("policy explain: '%s': -p names the policy; a command stands behind --",
		    e->file);
		return -EINVAL;
	}
	return check_ops(o);
}

static int parse_options(int argc, char **argv, struct explain *e)
{
	static const struct option options[] = {
		POLICY_USE_OPTIONS,
		{"path", required_argument, NULL, EXPLAIN_PATH},
		{"op", required_argument, NULL, EXPLAIN_OP},
		{"connect", required_argument, NULL, EXPLAIN_CONNECT},
		{"protocol", required_argument, NULL, EXPLAIN_PROTOCOL},
		{"action", required_argument, NULL, EXPLAIN_ACTION},
		{"plan", no_argument, NULL, EXPLAIN_PLAN},
		{"layers", required_argument, NULL, EXPLAIN_LAYERS},
		{"json", no_argument, NULL, EXPLAIN_JSON},
		{},
	};
	int id, r;

	optind = 0;
	opterr = 0;
	while ((id = getopt_long(argc, argv, "+:p:h", options, NULL)) != -1) {
		r = set_option(e, id, optarg, argv);
		if (r != 0)
			return r;
	}
	if (optind < argc && (streq(argv[optind - 1], "--") || argc - optind > 1))
		e->options.command = argv + optind;
	else if (optind < argc)
		e->file = argv[optind];
	return check(e);
}

/* ---- the explanation */

struct collection {
	struct explain_step *step;
	bool is_out_of_memory;
};

static void collect(void *ctx, const struct policy_match *match)
{
	struct collection *c = ctx;
	struct policy_match *more;

	more = reallocarray(c->step->matches, c->step->n_matches + 1, sizeof(*more));
	if (!more) {
		c->is_out_of_memory = true;
		return;
	}
	c->step->matches = more;
	more[c->step->n_matches++] = *match;
}

static void explanation_fini(struct explanation *x)
{
	for (size_t i = 0; i < x->n_steps; i++)
		free(x->steps[i].matches);
	free(x->steps);
}

static int explain_action(struct explain *e)
{
	_cleanup_(explanation_fini) struct explanation x = {.use = &e->use};
	struct apiaction a;
	int r = explain_make(&e->options, &e->mem, &a);

	if (r < 0)
		return r;
	policy_use_decide(&e->use, &a, 0, &x.answer);
	x.steps = calloc(a.n, sizeof(*x.steps));
	if (!x.steps)
		return -ENOMEM;
	for (; x.n_steps < a.n; x.n_steps++) {
		struct explain_step *s = &x.steps[x.n_steps];
		struct collection c = {.step = s};

		s->query = &a.queries[x.n_steps];
		policy_stack_eval(e->use.set.stack, e->use.scratch, s->query, &s->result);
		policy_stack_each(e->use.set.stack, e->use.scratch, s->query, collect, &c);
		if (c.is_out_of_memory)
			return -ENOMEM;
	}
	if (e->options.is_json)
		explain_print_json(&x, &e->out);
	else
		explain_print(&x, &e->out);
	return strbuf_error(&e->out);
}

/* `policy explain FILE`: AgentPolicy's own command. */
static int explain_file(struct explain *e)
{
	const struct policy *p;

	e->use.policies[e->use.n_policies++] = e->file;
	if (policy_use_load(&e->use) < 0)
		return 1;
	p = policy_stack_get(e->use.set.stack, 0);
	if (policy_get_language(p) == POLICY_LANGUAGE_AGENTPOLICY)
		return policy_explain_agentpolicy(p, e->file);
	say("policy explain '%s': this is no AgentPolicy file. For an action: holdfast policy explain -p %s -- COMMAND",
	    e->file, e->file);
	return 2;
}

static void explain_fini(struct explain *e)
{
	policy_use_fini(&e->use);
	free(e->host);
	arena_fini(&e->mem);
	strbuf_fini(&e->out);
}

static int fail(int r)
{
	if (r != -EINVAL) /* that was said */
		say("policy explain: %s", strerror(-r));
	return 1;
}

static void explain_plan(struct explain *e)
{
	struct json j = JSON_INIT(&e->out);
	struct shown_plan shown;

	shown_plan_make(&e->use.set, e->options.wishes, &shown);
	if (!e->options.is_json)
		return shown_plan_print(&shown, &e->out);
	json_begin_object(&j);
	json_key(&j, "layers");
	plan_add_layers(&j, &shown.plan);
	json_end_object(&j);
	strbuf_add_char(&e->out, '\n');
}

int policy_explain(int argc, char **argv)
{
	_cleanup_(explain_fini) struct explain e = {.mem = ARENA_INIT(ARENA_BYTES),
						    .out = STRBUF_INIT(OUTPUT_MAX)};
	int r = parse_options(argc, argv, &e);

	if (r == -ENOMEM)
		return fail(r);
	if (r != 0)
		return r == EXPLAIN_HELP ? 0 : 2;
	if (e.file)
		return explain_file(&e);
	if (e.use.n_policies == 0)
		e.use.policies[e.use.n_policies++] = "coding-agent";
	if (policy_use_load(&e.use) < 0)
		return 1;
	if (e.options.command || e.options.path || e.options.host || e.options.action)
		r = explain_action(&e);
	if (r == 0 && e.options.has_plan)
		explain_plan(&e);
	if (r == 0)
		r = io_write_all(STDOUT_FILENO, strbuf_str(&e.out), e.out.len);
	return r < 0 ? fail(r) : 0;
}
