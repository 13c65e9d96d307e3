/* SPDX-License-Identifier: Apache-2.0 */
#include <getopt.h>
#include <stdio.h>

#include "audit/reader.h"
#include "base/clock.h"
#include "base/dirs.h"
#include "base/io.h"
#include "base/say.h"

#include "cli/log_options.h"

static const char usage[] =
	"usage: holdfast log [OPTIONS] [FILE|SESSION]\n"
	"\n"
	"Shows what a session did and what was decided. Without FILE or SESSION: the newest session\n"
	"of the default place. SESSION may be the beginning of a session's name.\n"
	"\n"
	"Where to look:\n"
	"  --all            in all sessions of the default place\n"
	"  --dir DIR        in all logs of DIR\n"
	"  --session S      in all sessions whose names begin so\n"
	"\n"
	"Only records that fit all of these; an option that is given twice means either:\n"
	"  --kind K         tool, path, network, system, spend\n"
	"  --op OP          exec, read, write, create, delete, connect and so on\n"
	"  --verdict V      allow, flag, ask, deny\n"
	"  --agent NAME     of this agent; NAME, like those below, may be a pattern (* ? [] {})\n"
	"  --policy NAME    decided by this policy\n"
	"  --rule NAME      decided by this rule\n"
	"  --tool NAME      starts of this program\n"
	"  --path GLOB      files, and started programs, with this path, as in policies\n"
	"  --address ADDR   network actions with this address or range, [ADDR]:PORT or ADDR:PORT\n"
	"  --pid PID        by this process; with --tree: or by one that descends from it\n"
	"  --since T        from this time on: 10s, 5m, 2h, 1d ago, or 2026-11-21T05:00:00Z\n"
	"  --until T        up to this time\n"
	"  --text WORD      in which WORD occurs: in an object, an argument, a reason and so on\n"
	"\n"
	"How to show them:\n"
	"  --limit N        only the newest N\n"
	"  --reverse        the newest first\n"
	"  -f, --follow     go on until the session ends\n"
	"  --format F       text; json: the records themselves, one object a line; csv; ocsf; ecs\n"
	"  --json           the same as --format json\n"
	"\n"
	"  --reindex        make the index anew, which otherwise keeps itself up to date\n"
	"\n"
	"Exit status: 0; 1 when there is no such log, or a part of it is damaged; 2 for wrong "
	"usage.\n";

/* Long options without a letter, and which part of a question they are. */
enum {
	OPTION_CLAUSE = 256, /* + enum query_clause */
	OPTION_KIND = OPTION_CLAUSE + _QUERY_CLAUSE_MAX,
	OPTION_OP,
	OPTION_VERDICT,
	OPTION_PID,
	OPTION_TREE,
	OPTION_SINCE,
	OPTION_UNTIL,
	OPTION_LIMIT,
	OPTION_REVERSE,
	OPTION_FORMAT,
	OPTION_JSON,
	OPTION_ALL,
	OPTION_DIR,
	OPTION_REINDEX,
};

static const struct option options[] = {
	{"session", required_argument, NULL, OPTION_CLAUSE + QUERY_SESSION},
	{"agent", required_argument, NULL, OPTION_CLAUSE + QUERY_AGENT},
	{"rule", required_argument, NULL, OPTION_CLAUSE + QUERY_RULE},
	{"policy", required_argument, NULL, OPTION_CLAUSE + QUERY_POLICY},
	{"tool", required_argument, NULL, OPTION_CLAUSE + QUERY_TOOL},
	{"path", required_argument, NULL, OPTION_CLAUSE + QUERY_PATH},
	{"address", required_argument, NULL, OPTION_CLAUSE + QUERY_ADDRESS},
	{"text", required_argument, NULL, OPTION_CLAUSE + QUERY_TEXT},
	{"kind", required_argument, NULL, OPTION_KIND},
	{"op", required_argument, NULL, OPTION_OP},
	{"verdict", required_argument, NULL, OPTION_VERDICT},
	{"pid", required_argument, NULL, OPTION_PID},
	{"tree", no_argument, NULL, OPTION_TREE},
	{"since", required_argument, NULL, OPTION_SINCE},
	{"until", required_argument, NULL, OPTION_UNTIL},
	{"limit", required_argument, NULL, OPTION_LIMIT},
	{"reverse", no_argument, NULL, OPTION_REVERSE},
	{"follow", no_argument, NULL, 'f'},
	{"format", required_argument, NULL, OPTION_FORMAT},
	{"json", no_argument, NULL, OPTION_JSON},
	{"all", no_argument, NULL, OPTION_ALL},
	{"dir", required_argument, NULL, OPTION_DIR},
	{"reindex", no_argument, NULL, OPTION_REINDEX},
	{"help", no_argument, NULL, 'h'},
	{NULL, 0, NULL, 0},
};

struct parsing {
	struct log_options *out;
	char *home; /* NULL: there is none */
	bool has_pid, has_tree, has_session;
};

static int refuse(const char *option, const char *value, const char *expected)
{
	say("%s '%s': expected %s", option, value, expected);
	return -EINVAL;
}

static int parse_clause(struct parsing *p, enum query_clause clause)
{
	struct diag d = {};
	int r = query_add(p->out->query, clause, optarg, p->home, &d);

	if (r == -EINVAL)
		say("%s", d.message);
	p->has_session = p->has_session || clause == QUERY_SESSION;
	return r;
}

static int parse_word(struct parsing *p, int c)
{
	struct bytes word = bytes_of(optarg);
	enum action_kind kind;
	enum action_op op;
	enum verdict verdict;

	if (c == OPTION_KIND) {
		if (kind_parse(word, &kind) < 0)
			return refuse("--kind", optarg, "tool, path, network, system or spend");
		query_add_kind(p->out->query, kind);
	} else if (c == OPTION_OP) {
		if (op_parse(word, &op) < 0)
			return refuse("--op", optarg,
				      "an operation such as exec, read, write, create, delete, "
				      "rename, connect or send");
		query_add_op(p->out->query, op);
	} else {
		if (verdict_parse(word, &verdict) < 0)
			return refuse("--verdict", optarg, "allow, flag, ask or deny");
		query_add_verdict(p->out->query, verdict);
	}
	return 0;
}

static int parse_time(struct parsing *p, int c)
{
	bool is_since = c == OPTION_SINCE;
	uint64_t ns;

	if (reader_parse_since(optarg, clock_realtime_ns(), &ns) < 0)
		return refuse(is_since ? "--since" : "--until", optarg,
			      "10s, 5m, 2h or 1d, or a time like 2026-11-21T05:00:00Z");
	if (is_since)
		query_set_since(p->out->query, ns);
	else
		query_set_until(p->out->query, ns);
	return 0;
}

static int parse_number(struct parsing *p, int c)
{
	bool is_pid = c == OPTION_PID;
	uint64_t n;

	if (parse_u64(bytes_of(optarg), is_pid ? INT32_MAX : UINT32_MAX, &n) < 0 || n == 0)
		return refuse(is_pid ? "--pid" : "--limit", optarg, "a number from 1 on");
	if (!is_pid) {
		p->out->limit = (size_t)n;
		return 0;
	}
	p->has_pid = true;
	if (query_add_pid(p->out->query, (uint32_t)n) == 0)
		return 0;
	say("--pid is there more than %d times", QUERY_VALUES_MAX);
	return -EINVAL;
}

static int parse_format(struct parsing *p)
{
	if (streq(optarg, "text")) {
		p->out->format = LOG_TEXT;
	} else if (streq(optarg, "json")) {
		p->out->format = LOG_JSON;
	} else {
		if (format_parse(bytes_of(optarg), &p->out->other) < 0)
			return refuse("--format", optarg, "text, json, csv, ocsf or ecs");
		p->out->format = LOG_OTHER;
	}
	return 0;
}

static int parse_flag(struct parsing *p, int c)
{
	switch (c) {
	case OPTION_TREE:
		p->has_tree = true;
		query_set_tree(p->out->query);
		return 0;
	case OPTION_REVERSE:
		p->out->is_reverse = true;
		return 0;
	case OPTION_JSON:
		p->out->format = LOG_JSON;
		return 0;
	case OPTION_ALL:
		p->out->is_all = true;
		return 0;
	case OPTION_REINDEX:
		p->out->is_reindex = true;
		return 0;
	case 'f':
		p->out->is_follow = true;
		return 0;
	case 'h':
		(void)fputs(usage, stdout);
		return LOG_OPTIONS_HELP;
	default: /* getopt_long() has said what is wrong */
		return -EINVAL;
	}
}

static int parse_option(struct parsing *p, int c)
{
	if (c >= OPTION_CLAUSE && c < OPTION_CLAUSE + _QUERY_CLAUSE_MAX)
		return parse_clause(p, (enum query_clause)(c - OPTION_CLAUSE));
	switch (c) {
	case OPTION_KIND:
	case OPTION_OP:
	case OPTION_VERDICT:
		return parse_word(p, c);
	case OPTION_SINCE:
	case OPTION_UNTIL:
		return parse_time(p, c);
	case OPTION_PID:
	case OPTION_LIMIT:
		return parse_number(p, c);
	case OPTION_FORMAT:
		return parse_format(p);
	case OPTION_DIR:
		p->out->dir = optarg;
		p->out->is_all = true;
		return 0;
	default:
		return parse_flag(p, c);
	}
}

static int check(const struct parsing *p)
{
	struct log_options *o = p->out;
	const char *why = NULL;

	if (o->what && o->is_all)
		why = "name a FILE or SESSION, or use --all or --dir, not both";
	else if (p->has_tree && !p->has_pid)
		why = "--tree needs --pid";
	else if (o->is_follow && o->is_reverse)
		why = "--reverse cannot follow";
	else if (o->is_follow && o->is_all)
		why = "--follow needs one FILE or SESSION";
	if (!why)
		return 0;
	say("log: %s", why);
	return -EINVAL;
}

static int parse_all(struct parsing *p, int argc, char **argv)
{
	int c, r;

	optind = 0; /* begin anew, whoever used getopt before */
	while ((c = getopt_long(argc, argv, "fh", options, NULL)) != -1) {
		r = parse_option(p, c);
		if (r)
			return r;
	}
	if (optind + 1 < argc) {
		say("log: expected one FILE or SESSION, got %d", argc - optind);
		return -EINVAL;
	}
	p->out->what = optind < argc ? argv[optind] : NULL;
	/* --session asks for sessions by name, wherever they are. */
	if (p->has_session && !p->out->what && !p->out->is_follow)
		p->out->is_all = true;
	return check(p);
}

int log_options_parse(int argc, char **argv, struct log_options *ret)
{
	struct parsing p = {.out = ret, .home = dirs_home()};
	int r;

	*ret = (struct log_options){};
	r = query_new(&ret->query);
	if (r == 0)
		r = parse_all(&p, argc, argv);
	free(p.home);
	if (r == -ENOMEM)
		say("out of memory");
	return r;
}

void log_options_fini(struct log_options *o)
{
	o->query = query_free(o->query);
}
