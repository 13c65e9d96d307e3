/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `holdfast replay`: what other policies would have decided on what sessions really did.
 */
#include <getopt.h>
#include <stdio.h>

#include "base/io.h"
#include "base/say.h"

#include "cli/commands.h"
#include "cli/log_each.h"
#include "cli/policy_use.h"
#include "cli/replay_result.h"

#define REPLAY_OUTPUT_MAX ((size_t)64 << 20)
#define REPLAY_LIMIT      50

static const char usage[] =
	"usage: holdfast replay -p POLICY... [OPTIONS] [LOG|SESSION...]\n"
	"\n"
	"Asks the given policies about every action in the logs (without one: the newest session) and says\n"
	"where they decide otherwise than was decided. Nothing is run. Compared is what would be carried\n"
	"out with what was: an action that was held was decided with `ask`, whatever the answer.\n"
	"\n" POLICY_USE_HELP
	"      --advice            compare what the policies say, audit mode aside\n"
	"      --expect E          same (nothing differs), no-deny (nothing that was done would be denied),\n"
	"                          no-ask (nothing that was done unasked would be asked about), or\n"
	"                          VERDICT:PATTERN: all actions whose command line, path or address matches\n"
	"                          PATTERN (* ? [..]), and at least one does; may be repeated\n"
	"      --limit N           show the N most frequent differences (50; 0: all)\n"
	"      --json              one JSON object; docs/audit.md describes it\n"
	"  -h, --help              this text\n"
	"\n"
	"Exit status: 0; 1 an --expect fails, there is no such log or policy, or a line is damaged;\n"
	"2 wrong usage.\n";

enum {
	REPLAY_JSON = 1024,
	REPLAY_ADVICE,
	REPLAY_EXPECT,
	REPLAY_LIMIT_OPTION,
	REPLAY_HELP = 1, /* usage was asked for and printed */
};

struct replay_command {
	struct policy_use use;
	struct replay *replay;
	struct replay_result result;
	bool is_json;
	size_t limit;
};

static int set_option(struct replay_command *c, int id, char **argv)
{
	uint64_t limit;
	int r;

	switch (id) {
	case 'h':
		(void)fputs(usage, stdout);
		return REPLAY_HELP;
	case REPLAY_JSON:
		c->is_json = true;
		return 0;
	case REPLAY_ADVICE:
		c->result.is_advice = true;
		return 0;
	case REPLAY_EXPECT:
		return replay_result_expect(&c->result, optarg);
	case REPLAY_LIMIT_OPTION:
		if (parse_u64(bytes_of(optarg), REPLAY_MAX_GROUPS, &limit) < 0) {
			say("replay: --limit '%s': expected a number up to %d", optarg,
			    REPLAY_MAX_GROUPS);
			return -EINVAL;
		}
		c->limit = (size_t)limit;
		return 0;
	default:
		break;
	}
	r = policy_use_option(&c->use, id, optarg);
	if (r != -ENOENT)
		return r;
	say(id == ':' ? "replay: option '%s' needs a value; `holdfast replay --help` shows all"
		      : "replay: unknown option '%s'; `holdfast replay --help` shows all",
	    argv[optind - 1]);
	return -EINVAL;
}

static int parse_options(int argc, char **argv, struct replay_command *c)
{
	static const struct option options[] = {
		POLICY_USE_OPTIONS,
		{"json", no_argument, NULL, REPLAY_JSON},
		{"advice", no_argument, NULL, REPLAY_ADVICE},
		{"expect", required_argument, NULL, REPLAY_EXPECT},
		{"limit", required_argument, NULL, REPLAY_LIMIT_OPTION},
		{},
	};
	int id, r;

	optind = 0;
	opterr = 0;
	while ((id = getopt_long(argc, argv, ":p:h", options, NULL)) != -1) {
		r = set_option(c, id, argv);
		if (r)
			return r;
	}
	if (c->use.n_policies)
		return 0;
	say("replay: which policy? give -p NAME or -p FILE");
	return -EINVAL;
}

static int add_line(void *arg, struct bytes text, char why[static LINE_WHY_SIZE])
{
	struct replay_command *c = arg;
	struct replay_answer answer;
	int r = replay_line(c->replay, text, &answer);

	if (r == REPLAY_ACTION)
		return replay_result_add(&c->result, &answer);
	c->result.n_not_known += r == REPLAY_NOT_KNOWN;
	if (r == REPLAY_DAMAGED)
		memcpy(why, answer.why, LINE_WHY_SIZE);
	return r == REPLAY_DAMAGED ? 1 : MIN(r, 0);
}

static int print_result(struct replay_command *c)
{
	struct strbuf out = STRBUF_INIT(REPLAY_OUTPUT_MAX);
	struct json j = JSON_INIT(&out);
	int r;

	replay_result_sort(&c->result);
	if (c->is_json) {
		replay_result_json(&c->result, c->limit, &j);
		strbuf_add_char(&out, '\n');
	} else {
		replay_result_show(&c->result, c->limit, &out);
	}
	r = strbuf_error(&out);
	if (r == 0)
		r = io_write_all(STDOUT_FILENO, out.p, out.len);
	strbuf_fini(&out);
	if (r < 0)
		say("cannot print the replay: %s", strerror(-r));
	return r;
}

static int run(struct replay_command *c, char **logs, int n)
{
	struct log_each each = {.command = "replay", .line = add_line, .arg = c};
	bool is_ok = true;
	int r = 0;

	if (policy_use_load(&c->use) < 0 || replay_new(c->use.set.stack, &c->replay) < 0)
		return 1;
	if (policy_stack_is_audit(c->use.set.stack) && !c->result.is_advice)
		say("these policies are in audit mode and refuse nothing; --advice compares what they say");
	for (int i = 0; i < MAX(n, 1) && r == 0; i++)
		r = log_each_line(&each, n ? logs[i] : NULL);
	c->result.n_damaged = each.n_damaged;
	if (r < 0 || print_result(c) < 0)
		return 1;
	for (size_t i = 0; i < c->result.n_expects; i++)
		is_ok = is_ok && replay_expect_holds(&c->result.expects[i]);
	return !is_ok || c->result.n_damaged;
}

int cmd_replay(int argc, char **argv)
{
	struct replay_command *c = calloc(1, sizeof(*c));
	int r;

	if (!c) {
		say("out of memory");
		return 1;
	}
	c->limit = REPLAY_LIMIT;
	r = parse_options(argc, argv, c);
	if (r)
		r = r == REPLAY_HELP ? 0 : 2;
	else
		r = run(c, argv + optind, argc - optind);
	replay_free(c->replay);
	replay_result_fini(&c->result);
	policy_use_fini(&c->use);
	free(c);
	return r;
}
