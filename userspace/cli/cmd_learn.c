/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `holdfast learn`: runs a command under audit, or takes logs, and writes the policy that would
 * have allowed what happened.
 */
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <time.h>

#include "audit/audit.h"
#include "audit/stream.h"
#include "base/dirs.h"
#include "base/io.h"
#include "base/say.h"
#include "control/launch.h"

#include "cli/commands.h"
#include "cli/learn.h"
#include "cli/log_file.h"
#include "cli/lookup.h"
#include "cli/policy_use.h"

#define LEARN_MAX_LOGS  64
#define LEARN_FROM_MAX  ((size_t)64 * 1024)
#define STEP_MEM_MAX    ((size_t)16 << 20)
#define MAX_RULES_LIMIT 10000

static const char usage[] =
	"usage: holdfast learn [OPTIONS] [--] COMMAND [ARGUMENTS]\n"
	"       holdfast learn [OPTIONS] --from FILE|SESSION...\n"
	"\n"
	"Writes the policy that would have allowed what COMMAND did, or what logs tell of: paths as trees\n"
	"and globs, commands as the beginnings of their arguments, addresses. COMMAND runs with everything\n"
	"recorded and nothing refused. Secrets are never allowed; those that were used are named.\n"
	"\n"
	"      --from FILE|SESSION  learn from this log, too; may be repeated. What was refused counts not\n"
	"  -o, --output FILE        write there instead of to standard output; a new file\n"
	"      --name NAME          the policy's name (default: learned)\n"
	"      --project DIR        what ${project} stands for (default: the current directory; of a log\n"
	"                           without COMMAND: where its session began)\n"
	"      --merge POLICY       only what POLICY does not allow, as a policy that extends it\n"
	"      --default VERDICT    what is done with everything else: deny (default) or ask\n"
	"      --strict             shells and interpreters only with the very arguments that they had\n"
	"      --max-rules N        generalise more until there are at most so many (default 300)\n"
	"  -h, --help               this text\n"
	"\n"
	"Exit status: 0 written; 1 not; 2 wrong usage; 125 to 127 as `holdfast run`. COMMAND's own status is\n"
	"told, and the policy written all the same.\n";

enum option_id {
	OPT_FROM = 256,
	OPT_NAME,
	OPT_PROJECT,
	OPT_MERGE,
	OPT_DEFAULT,
	OPT_STRICT,
	OPT_MAX_RULES,
};

struct learn_options {
	const char *logs[LEARN_MAX_LOGS + 1]; /* one more for the command's own */
	size_t n_logs;
	const char *output, *name, *project, *merge;
	enum verdict fallback;
	bool is_strict;
	uint64_t max_rules;
	char **command; /* NULL: none */
};

enum {
	LEARN_OPTIONS_HELP = 1,
};

/* ---- options */

static bool is_name(const char *s)
{
	return s[0] && strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
				 "._-") == strlen(s);
}

static int set_option(struct learn_options *o, int id, const char *arg)
{
	switch (id) {
	case 'o':
		o->output = arg;
		return 0;
	case 'h':
		(void)fputs(usage, stdout);
		return LEARN_OPTIONS_HELP;
	case OPT_FROM:
		if (o->n_logs == LEARN_MAX_LOGS) {
			say("--from '%s': at most %d logs", arg, LEARN_MAX_LOGS);
			return -EINVAL;
		}
		o->logs[o->n_logs++] = arg;
		return 0;
	case OPT_NAME:
		o->name = arg;
		if (is_name(arg))
			return 0;
		say("--name '%s': a name is made of letters, digits, '.', '_' and '-'", arg);
		return -EINVAL;
	case OPT_PROJECT:
		o->project = arg;
		return 0;
	case OPT_MERGE:
		o->merge = arg;
		return 0;
	case OPT_DEFAULT:
		if (verdict_parse(bytes_of(arg), &o->fallback) == 0 && o->fallback >= VERDICT_ASK)
			return 0;
		say("--default '%s': expected deny or ask", arg);
		return -EINVAL;
	case OPT_STRICT:
		o->is_strict = true;
		return 0;
	case OPT_MAX_RULES:
		if (parse_u64(bytes_of(arg), MAX_RULES_LIMIT, &o->max_rules) == 0 && o->max_rules)
			return 0;
		say("--max-rules '%s': expected a number from 1 to %d", arg, MAX_RULES_LIMIT);
		return -EINVAL;
	default:
		return -EINVAL; /* getopt_long() has said what is wrong */
	}
}

static int parse_options(int argc, char **argv, struct learn_options *ret)
{
	static const struct option options[] = {
		{"from", required_argument, NULL, OPT_FROM},
		{"output", required_argument, NULL, 'o'},
		{"name", required_argument, NULL, OPT_NAME},
		{"project", required_argument, NULL, OPT_PROJECT},
		{"merge", required_argument, NULL, OPT_MERGE},
		{"default", required_argument, NULL, OPT_DEFAULT},
		{"strict", no_argument, NULL, OPT_STRICT},
		{"max-rules", required_argument, NULL, OPT_MAX_RULES},
		{"help", no_argument, NULL, 'h'},
		{},
	};
	struct learn_options o = {
		.name = "learned", .fallback = VERDICT_DENY, .max_rules = LEARN_MAX_RULES};
	int id, r;

	optind = 0;
	while ((id = getopt_long(argc, argv, "+o:h", options, NULL)) != -1) {
		r = set_option(&o, id, optarg);
		if (r != 0)
			return r;
	}
	if (optind < argc)
		o.command = argv + optind;
	if (!o.command && o.n_logs == 0) {
		say("learn: give a COMMAND to run, or a log with --from; `holdfast learn --help` says more");
		return -EINVAL;
	}
	*ret = o;
	return 0;
}

/* ---- running the command */

/* A log of its own, which stays: beside those of other sessions. */
static char *new_log(void)
{
	_cleanup_(freep) char *dir = dirs_state();
	time_t now = time(NULL);
	char stamp[32];
	struct tm tm;

	(void)gmtime_r(&now, &tm);
	(void)strftime(stamp, sizeof(stamp), "%Y%m%dT%H%M%S", &tm);
	return dir ? str_format("%s/learn-%s-%d.jsonl", dir, stamp, (int)getpid()) : NULL;
}

/* `holdfast run` with the policy that refuses nothing. Return: its exit status. */
static int run_command(const struct learn_options *o, const char *project, char *log)
{
	char *const head[] = {(char[]){"run"},
			      (char[]){"--quiet"},
			      (char[]){"--names"},
			      (char[]){"--policy"},
			      (char[]){"audit-only"},
			      (char[]){"--project"},
			      (char *)(uintptr_t)project,
			      (char[]){"--log"},
			      log,
			      (char[]){"--"}};
	_cleanup_(freep) char **argv = NULL;
	size_t n = 0;
	int status;
	pid_t pid;

	while (o->command[n])
		n++;
	argv = calloc(ARRAY_SIZE(head) + n + 1, sizeof(*argv));
	if (!argv)
		return RUN_EXIT_FAILED;
	memcpy(argv, head, sizeof(head));
	memcpy(argv + ARRAY_SIZE(head), o->command, n * sizeof(*argv));
	/* Interrupting the command is no reason not to learn from what it did. */
	(void)fflush(stdout);
	pid = fork();
	if (pid == 0)
		exit(cmd_run((int)(ARRAY_SIZE(head) + n), argv));
	if (pid < 0)
		return RUN_EXIT_FAILED;
	(void)signal(SIGINT, SIG_IGN);
	(void)signal(SIGQUIT, SIG_IGN);
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			return RUN_EXIT_FAILED;
	(void)signal(SIGINT, SIG_DFL);
	(void)signal(SIGQUIT, SIG_DFL);
	return WIFEXITED(status) ? WEXITSTATUS(status) : RUN_EXIT_SIGNAL + WTERMSIG(status);
}

/* ---- reading logs */

/* Where the session of a log began, and what it ran. */
struct origin {
	char *cwd;
	struct strbuf command;
};

static void take_start(const json_t *record, struct origin *origin)
{
	const json_t *command = json_object_get(record, "command");
	struct strbuf cwd = STRBUF_INIT(LEARN_FROM_MAX);

	if (origin->command.len)
		strbuf_add_str(&origin->command, "; ");
	for (size_t i = 0; i < json_array_size(command); i++) {
		if (i)
			strbuf_add_char(&origin->command, ' ');
		if (json_is_string(json_array_get(command, i)))
			reader_decode(json_array_get(command, i), &origin->command);
	}
	if (!origin->cwd && reader_string(record, "cwd", &cwd) && strbuf_str(&cwd)[0] == '/')
		origin->cwd = strdup(strbuf_str(&cwd));
	strbuf_fini(&cwd);
}

/* Reads @what to its end. @l NULL: only where it comes from. Return: 0, 1 some of it is damaged,
 * -errno after saying why. */
static int read_log(const char *what, struct learn *l, bool only_processes, struct origin *origin)
{
	_cleanup_(reader_closep) struct reader *reader = NULL;
	_cleanup_(freep) char *path = NULL;
	struct reader_line line;
	uint64_t n_damaged = 0;
	int r = log_file_open(what, &path, &reader);

	if (r < 0)
		return r;
	while ((r = reader_next(reader, &line)) > 0) {
		if (r == READER_DAMAGED) {
			if (only_processes)
				log_file_say_damaged(&n_damaged, path, line.number, line.why);
		} else if (origin && streq(reader_word(line.root, "event"), "session_start")) {
			take_start(line.root, origin);
		}
		if (r == READER_DAMAGED || !l)
			continue;
		if (only_processes) {
			learn_note_processes(l, line.root);
			continue;
		}
		r = learn_take(l, line.root);
		if (r < 0)
			break;
	}
	if (r == 0 && only_processes && reader_has_half_line(reader, &line) && !audit_is_live(path))
		log_file_say_damaged(&n_damaged, path, line.number, line.why);
	if (r < 0)
		say("cannot learn from '%s': %s", path, stream_error(r));
	return r < 0 ? r : n_damaged > 0;
}

/* ---- what another policy allows */

/* The policy that the learned one extends. */
struct base {
	struct policy_use use;
	bool has_denied; /* a rule of it denies something that was done */
};

static int ask_step(struct policy_use *use, const struct learn_step *step, struct arena *mem,
		    struct policy_use_answer *ret)
{
	struct apiaction a = {};
	struct diag d = {};
	int r;

	if (step->op == OP_EXEC)
		r = apiaction_from_exec(step->argv, step->argc, step->path, BYTES_NULL, mem, &a);
	else if (step->host.p)
		r = apiaction_from_connect(step->op, POLICY_PROTO_TCP, step->host, step->port, mem,
					   &a, &d);
	else if (step->op == OP_RESOLVE)
		r = apiaction_from_connect(step->op, POLICY_PROTO_UDP, step->name, 53, mem, &a, &d);
	else if (OP_BIT(step->op) & OPS_NETWORK)
		r = apiaction_from_connect(step->op, POLICY_PROTO_UNIX, step->path, 0, mem, &a, &d);
	else
		r = apiaction_from_path(step->op, step->path, mem, &a);
	if (r == 0)
		policy_use_decide(use, &a, 0, ret);
	return r;
}

/*
 * Nothing has to be added for what the base allows; and nothing may be for what one of its rules
 * denies, because the rules of a policy that extends another come first.
 */
static bool is_settled(void *ctx, const struct learn_step *step)
{
	struct arena mem = ARENA_INIT(STEP_MEM_MAX);
	struct policy_use_answer answer = {};
	struct base *base = ctx;
	bool is_known = ask_step(&base->use, step, &mem, &answer) == 0 && !answer.error;
	bool is_denied =
		is_known && answer.result.verdict == VERDICT_DENY && answer.result.source.rule;

	base->has_denied |= is_denied;
	arena_fini(&mem);
	return is_denied || (is_known && answer.result.verdict <= VERDICT_FLAG);
}

static int load_base(const struct learn_options *o, struct policy_use *use)
{
	int r = policy_use_load(use);

	if (r == 0 &&
	    policy_get_language(policy_stack_get(use->set.stack, 0)) != POLICY_LANGUAGE_NATIVE) {
		say("--merge '%s': it is in another language, which no policy can extend; put the "
		    "learned one beside it",
		    o->merge);
		return -EINVAL;
	}
	return r;
}

/* ---- the whole */

/* A new file: an agent that could plant a link there must not choose what is overwritten. */
static int write_output(const char *path, const struct strbuf *text)
{
	_cleanup_(fd_closep) int fd = -1;
	int r;

	if (!path)
		return fwrite(strbuf_str(text), 1, text->len, stdout) == text->len &&
				       fflush(stdout) == 0
			       ? 0
			       : -EIO;
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
	r = fd < 0 ? -errno : io_write_all(fd, strbuf_str(text), text->len);
	if (r < 0)
		say("cannot write '%s': %s", path, strerror(-r));
	return r;
}

static void tell(const struct learn_result *result)
{
	say("%zu rules from %llu actions%s", result->n_rules, (unsigned long long)result->n_actions,
	    result->level ? "; generalised more than usual, as there would have been too many"
			  : "");
	if (result->n_secrets)
		say("%zu paths are secrets by their names: not allowed, but in the policy as comments",
		    result->n_secrets);
	if (result->n_refused)
		say("%llu actions had been refused, and are not learned",
		    (unsigned long long)result->n_refused);
	if (result->n_dropped)
		say("%llu uses are not in it: there was no room, or there is no rule for such",
		    (unsigned long long)result->n_dropped);
}

static int learn_logs(const struct learn_options *o, const struct learn_config *config)
{
	_cleanup_(learn_freep) struct learn *l = NULL;
	_cleanup_(strbuf_fini) struct strbuf out = STRBUF_INIT(POLICY_MAX_BYTES);
	struct learn_result result = {};
	bool is_damaged = false;
	struct diag d = {};
	int r = learn_new(config, &l);

	for (int pass = 0; r == 0 && pass < 2; pass++)
		for (size_t i = 0; r >= 0 && i < o->n_logs; i++) {
			r = read_log(o->logs[i], l, pass == 0, NULL);
			is_damaged |= r > 0;
			r = MIN(r, 0);
		}
	if (r < 0)
		return 1;
	r = learn_write(l, &out, &result, &d);
	if (r == -EINVAL)
		say_diag("", &d);
	else if (r < 0)
		say("cannot write the policy: %s", strerror(-r));
	if (r == 0)
		r = write_output(o->output, &out);
	if (r == 0)
		tell(&result);
	return r < 0 || is_damaged;
}

static int learn_with(struct learn_options *o, char *project, struct origin *origin)
{
	_cleanup_(freep) char *home = lookup_home(), *tmp = lookup_tmp(), *base = NULL;
	struct base base_policy = {.use = {.policies = {o->merge},
					   .n_policies = 1,
					   .project = project,
					   .is_quiet = true}};
	struct learn_config config = {
		.vars = {.home = home ? home : "/nonexistent", .project = project, .tmp = tmp},
		.name = o->name,
		.from = strbuf_str(&origin->command),
		.fallback = o->fallback,
		.max_rules = (size_t)o->max_rules,
		.is_strict = o->is_strict};
	int r = tmp ? 0 : -ENOMEM;

	if (r == 0 && o->merge) {
		r = load_base(o, &base_policy.use);
		config.is_known = is_settled;
		config.ctx = &base_policy;
		/* A file is found from wherever the new policy will lie. */
		base = strchr(o->merge, '/') ? realpath(o->merge, NULL) : NULL;
		config.extends = base ? base : o->merge;
	}
	r = r < 0 ? 1 : learn_logs(o, &config);
	if (base_policy.has_denied)
		say("rules of '%s' deny some of what was done, and go on denying it", o->merge);
	policy_use_fini(&base_policy.use);
	return r;
}

int cmd_learn(int argc, char **argv)
{
	_cleanup_(freep) char *project = NULL, *log = NULL;
	struct origin origin = {.command = STRBUF_INIT(LEARN_FROM_MAX)};
	struct learn_options o;
	int r = parse_options(argc, argv, &o);

	if (r)
		return r == LEARN_OPTIONS_HELP ? 0 : 2;
	if (o.output && access(o.output, F_OK) == 0) {
		say("'%s' is there already; name a new file", o.output);
		return 2;
	}
	if (o.project || o.command) {
		project = lookup_project(o.project);
		if (!project)
			return 1;
	}
	if (o.command) {
		log = new_log();
		r = log ? run_command(&o, project, log) : RUN_EXIT_FAILED;
		/* A command may end with such a status itself; then there is a log. */
		if (r >= RUN_EXIT_FAILED && r <= RUN_EXIT_NOT_FOUND &&
		    (!log || access(log, F_OK) < 0))
			return r;
		if (r)
			say("the command ended with status %d", r);
		o.logs[o.n_logs++] = log;
	}
	r = 0;
	for (size_t i = 0; r >= 0 && i < o.n_logs; i++)
		r = read_log(o.logs[i], NULL, false, &origin);
	if (r >= 0 && !project)
		project = origin.cwd ? strdup(origin.cwd) : lookup_project(NULL);
	r = r < 0 || !project ? 1 : learn_with(&o, project, &origin);
	if (o.command)
		say("the log is '%s'", log);
	free(origin.cwd);
	strbuf_fini(&origin.command);
	return r;
}
