/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `holdfast grant`: a plan that is approved ahead, before the session or while it runs. Goes into
 * the user's file; sessions of the agent of that name see it at once. Only what rules ask about is
 * answered by it: what they deny stays denied, and a rule that names who may answer is not answered
 * ahead by anybody.
 */
#include <getopt.h>
#include <netdb.h>
#include <stdio.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/dirs.h"
#include "base/io.h"
#include "base/say.h"
#include "base/user.h"
#include "control/grantstore.h"

#include "cli/commands.h"
#include "cli/plan_tool.h"

#define PLAN_MAX 64

static const char usage[] =
	"usage: holdfast grant --agent NAME --for WHEN [OPTIONS]\n"
	"\n"
	"Answers ahead what rules will ask about. NAME is the agent's: `holdfast run --name`, or the\n"
	"command's. WHEN is a time from 30s to 12h, restart or always.\n"
	"\n"
	"  --connect HOST:PORT  TCP to each address that HOST has now; UDP with --udp before it\n"
	"  --read DIR           reading in DIR and everything below\n"
	"  --write DIR          writing, making files and directories there\n"
	"  --exec TOOL          the program TOOL with any arguments\n"
	"  --udp                the --connect that follow are UDP\n"
	"  --deny               answers no instead\n"
	"  --json               print the grants, one JSON object a line\n"
	"\n"
	"Each option may be given several times. `holdfast grants` lists, `holdfast revoke` ends them.\n"
	"\n"
	"Exit status: 0; 1 it did not work, and nothing was granted; 2 wrong usage.\n";

struct plan {
	struct grant_rule rules[PLAN_MAX];
	char *texts[PLAN_MAX][GRANT_OBJECTS_MAX]; /* what the rules point to */
	size_t n;
	struct answer_term term;
	const char *agent;
	bool is_deny, is_json, is_udp;
	char by[USER_NAME_SIZE + 32];
	char boot[37];
};

static void plan_fini(struct plan *p)
{
	for (size_t i = 0; i < PLAN_MAX; i++)
		for (size_t k = 0; k < GRANT_OBJECTS_MAX; k++)
			free(p->texts[i][k]);
}

/* NULL: too many, and said so. */
static struct grant_rule *next_rule(struct plan *p, enum answer_scope scope, enum action_kind kind)
{
	struct grant_rule *g = &p->rules[p->n];

	if (p->n == PLAN_MAX) {
		say("a plan has at most %d parts", PLAN_MAX);
		return NULL;
	}
	*g = (struct grant_rule){.scope = scope, .kind = kind, .rule = BYTES_LIT("(ahead)")};
	return g;
}

/* Consumes @text. */
static bool add_object(struct plan *p, struct grant_rule *g, struct grant_object o, char *text)
{
	if (!text)
		return false;
	p->texts[p->n][g->n_objects] = text;
	o.text = bytes_of(text);
	g->objects[g->n_objects++] = o;
	return true;
}

static bool add_one_address(struct plan *p, const struct addrinfo *a, const char *port)
{
	const enum policy_protocol protocol = p->is_udp ? POLICY_PROTO_UDP : POLICY_PROTO_TCP;
	struct grant_rule *g = next_rule(p, ANSWER_ADDRESS, KIND_NETWORK);
	char host[NI_MAXHOST];

	if (!g || getnameinfo(a->ai_addr, a->ai_addrlen, host, sizeof(host), NULL, 0,
			      NI_NUMERICHOST) != 0)
		return false;
	g->ops = OP_BIT(OP_CONNECT) | OP_BIT(OP_SEND);
	if (!add_object(p, g,
			(struct grant_object){
				.kind = KIND_NETWORK, .op = OP_CONNECT, .protocol = protocol},
			str_format(a->ai_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host, port)))
		return false;
	p->n++;
	return true;
}

static bool add_connect(struct plan *p, const char *arg)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
	_cleanup_(freep) char *host = strdup(arg);
	char *colon = host ? strrchr(host, ':') : NULL, *name = host;
	struct addrinfo *found = NULL;
	uint64_t port;
	bool ok = true;

	if (!colon || parse_u64(bytes_of(colon + 1), 65535, &port) < 0 || port == 0) {
		say("--connect takes HOST:PORT, such as 192.0.2.7:443, not '%.200s'", arg);
		return false;
	}
	*colon = '\0';
	if (name[0] == '[' && colon > name + 1 && colon[-1] == ']') {
		colon[-1] = '\0';
		name++;
	}
	if (getaddrinfo(name, NULL, &hints, &found) != 0) {
		say("'%.200s' has no address", name);
		return false;
	}
	for (const struct addrinfo *a = found; ok && a; a = a->ai_next)
		ok = add_one_address(p, a, colon + 1);
	freeaddrinfo(found);
	return ok;
}

static bool add_dir(struct plan *p, const char *arg, uint32_t ops)
{
	struct grant_rule *g = next_rule(p, ANSWER_DIR, KIND_PATH);
	char *path = realpath(arg, NULL);
	struct stat st;

	if (!g || !path || stat(path, &st) < 0 || !S_ISDIR(st.st_mode) || !path[1]) {
		say("'%.200s' is no directory that can be granted", arg);
		free(path);
		return false;
	}
	g->ops = ops;
	if (!add_object(p, g, (struct grant_object){.kind = KIND_PATH}, path))
		return false;
	p->n++;
	return true;
}

static bool add_tool(struct plan *p, const char *arg)
{
	struct grant_rule *g = next_rule(p, ANSWER_TOOL, KIND_TOOL);
	char *images[GRANT_OBJECTS_MAX] = {};
	size_t n = g ? plan_tool_images(arg, images, GRANT_OBJECTS_MAX) : 0;
	bool ok = n > 0;

	if (g && n == 0)
		say("there is no program '%.200s'", arg);
	for (size_t i = 0; i < n; i++)
		ok = add_object(p, g, (struct grant_object){.kind = KIND_TOOL, .op = OP_EXEC},
				images[i]) &&
		     ok;
	p->n += ok;
	return ok;
}

static bool add_part(struct plan *p, int c)
{
	switch (c) {
	case 'c':
		return add_connect(p, optarg);
	case 'r':
		return add_dir(p, optarg, OP_BIT(OP_READ));
	case 'w':
		return add_dir(p, optarg,
			       OP_BIT(OP_WRITE) | OP_BIT(OP_CREATE) | OP_BIT(OP_TRUNCATE) |
				       OP_BIT(OP_MKDIR));
	default:
		return add_tool(p, optarg);
	}
}

static bool set_term(struct plan *p)
{
	if (answer_term_parse(bytes_of(optarg), &p->term) == 0 && p->term.life >= ANSWER_DURATION)
		return true;
	say("--for takes a time from 30s to 12h, restart or always here, not '%.40s'", optarg);
	return false;
}

/* Return: 0; 1: failed, and said so; 2: usage; -1: help was printed. */
static int parse_options(struct plan *p, int argc, char **argv)
{
	static const struct option options[] = {{"agent", required_argument, NULL, 'a'},
						{"for", required_argument, NULL, 'f'},
						{"connect", required_argument, NULL, 'c'},
						{"read", required_argument, NULL, 'r'},
						{"write", required_argument, NULL, 'w'},
						{"exec", required_argument, NULL, 'x'},
						{"udp", no_argument, NULL, 'u'},
						{"deny", no_argument, NULL, 'd'},
						{"json", no_argument, NULL, 'j'},
						{"help", no_argument, NULL, 'h'},
						{}};
	bool ok = true;
	int c;

	optind = 0;
	while (ok && (c = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		if (c == 'h' || c == '?') {
			(void)fputs(usage, c == 'h' ? stdout : stderr);
			return c == 'h' ? -1 : 2;
		}
		if (c == 'a')
			p->agent = optarg;
		else if (c == 'f')
			ok = set_term(p);
		else if (c == 'u' || c == 'd' || c == 'j')
			*(c == 'u' ? &p->is_udp : c == 'd' ? &p->is_deny : &p->is_json) = true;
		else
			ok = add_part(p, c);
	}
	if (!ok)
		return 1;
	if (optind < argc || !p->agent || !p->agent[0] || p->term.life == ANSWER_ONCE || !p->n) {
		(void)fputs(usage, stderr);
		return 2;
	}
	return 0;
}

static int add_all(struct grantlist *l, void *arg)
{
	struct plan *p = arg;
	int r = 0;

	for (size_t i = 0; r == 0 && i < p->n; i++) {
		struct grant_rule *g = &p->rules[i];

		g->is_deny = p->is_deny;
		g->term = p->term;
		g->agent = bytes_of(p->agent);
		g->by = bytes_of(p->by);
		g->made_ns = clock_realtime_ns();
		memcpy(g->boot, p->boot, sizeof(g->boot));
		if (g->term.life == ANSWER_DURATION)
			g->expires_ns = clock_boottime_ns() + g->term.duration_ns;
		r = grant_make_id(g->id);
		if (r == 0)
			r = grantlist_add(l, g);
	}
	return r;
}

static void print_plan(const struct plan *p)
{
	for (size_t i = 0; i < p->n; i++) {
		_cleanup_(strbuf_fini) struct strbuf out = STRBUF_INIT((size_t)64 * 1024);
		struct json j = JSON_INIT(&out);

		if (p->is_json) {
			json_begin_object(&j);
			grant_rule_to_json(&p->rules[i], &j);
			json_end_object(&j);
		} else {
			strbuf_add_fmt(&out, "grant %s %s ", p->rules[i].id,
				       p->is_deny ? "denies" : "allows");
			grant_rule_describe(&p->rules[i], &out);
		}
		(void)puts(strbuf_str(&out));
	}
}

static void store_freep(struct grantstore **s)
{
	grantstore_free(*s);
}

int cmd_grant(int argc, char **argv)
{
	_cleanup_(store_freep) struct grantstore *store = NULL;
	_cleanup_(plan_fini) struct plan p = {};
	char name[USER_NAME_SIZE], text[1280];
	struct diag d = {};
	int r = parse_options(&p, argc, argv);

	if (r)
		return MAX(r, 0);
	user_name(getuid(), name);
	(void)snprintf(p.by, sizeof(p.by), "%s (pid %d)", name, getpid());
	r = grantstore_open(NULL, &store, &d);
	if (r == 0 && p.term.life != ANSWER_ALWAYS)
		memcpy(p.boot, grantstore_boot(store), sizeof(p.boot));
	if (r == 0)
		r = grantstore_change(store, add_all, &p, &d);
	if (r < 0) {
		diag_format(&d, text, sizeof(text));
		say("%s", text);
		return 1;
	}
	print_plan(&p);
	return fflush(stdout) != 0;
}
