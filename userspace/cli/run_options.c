/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>

#include "audit/sink.h"
#include "base/io.h"
#include "base/say.h"

#include "cli/policy_use.h"
#include "cli/run_options.h"

#define ASK_TIMEOUT_DEFAULT_S 300
#define ASK_TIMEOUT_MAX_S     86400
#define LOG_KEEP_MAX          100000
#define ASK_COMMAND_WORD      "command:"

static const char usage[] =
	"usage: holdfast run [OPTIONS] [--] COMMAND [ARGUMENTS]\n"
	"\n"
	"Runs COMMAND as its own process tree under supervision: what it executes, opens, changes and\n"
	"connects to is allowed, flagged, held for your answer or denied, as the policies say, and logged.\n"
	"\n"
	"  -p, --policy NAME|FILE   add a policy; several stack, the strictest verdict wins\n"
	"                           (default: coding-agent; `holdfast policy list` shows what ships)\n"
	"      --mode MODE          enforce, or audit: log what would have happened, refuse nothing\n"
	"      --ask HOW            where held actions are answered: queue (default; holdfast approve ID),\n"
	"                           terminal; tmux, in a popup; command:PROGRAM, which gets the action as JSON on its standard\n"
	"                           input and answers on its standard output; or at once: deny, allow\n"
	"      --ask-timeout S      seconds until an unanswered action is denied (default 300)\n"
	"      --log FILE|DIR       where the log goes (default: $XDG_STATE_HOME/holdfast, root /var/log/holdfast)\n"
	"      --log-sync WHEN      bring the log to the disk each second (default), always, or none\n"
	"      --log-rotate SIZE    begin a new file when the log is larger, such as 64M; FILE becomes FILE.1, ...\n"
	"      --log-keep N         keep only the newest N of these\n"
	"      --log-compress       compress them: FILE.1.zst (Zstandard)\n"
	"      --log-sink SINK      send each line on, best effort, too: journald, syslog (both: or with :SOCKET) or\n"
	"                           command:PROGRAM, which gets them on its standard input; may be repeated\n"
	"      --name AGENT         the agent's name in the log (default: the command's name)\n"
	"      --project DIR        what ${project} means in policies (default: the current directory)\n"
	"      --tag TAG            a word that `applies_to: {tags: ...}` of policies may ask for; may be repeated\n"
	"      --tier TIER          likewise for `tiers`\n"
	"      --language L         read all policies as L: native, agent-action-policy, agentpolicy or\n"
	"                           meshguard (default: auto, told by each policy's keys)\n"
	"      --default ANSWER     what an agent-action-policy document answers where no rule matches:\n"
	"                           approve (default), escalate or deny\n"
	"      --names              learn the names of hosts also where no policy names any, for the log\n"
	"      --layers LAYER,...   with these, or nothing runs: landlock; bpf-net, the kernel decides on connections;\n"
	"                           bpf-lsm, and on files; sight, the log has its account of processes (eBPF, root).\n"
	"                           -LAYER: without; -bpf: without all three; auto: those that can be had\n"
	"      --keep-fd N          pass descriptor N on to COMMAND; others than 0, 1, 2 are closed\n"
	"  -q, --quiet              do not print a line when an action is held\n"
	"  -h, --help               this text\n"
	"\n"
	"Exit status: COMMAND's own; 128+n if signal n killed it; 124 if a budget or a failed log ended it; 125 if\n"
	"Holdfast failed and COMMAND was not run; 126 if COMMAND cannot be executed (or a policy denies it); 127 if\n"
	"it is not found.\n";

enum option_id {
	OPT_MODE = 256,
	OPT_ASK,
	OPT_ASK_TIMEOUT,
	OPT_LOG,
	OPT_LOG_SYNC,
	OPT_LOG_ROTATE,
	OPT_LOG_KEEP,
	OPT_LOG_COMPRESS,
	OPT_LOG_SINK,
	OPT_NAME,
	OPT_PROJECT,
	OPT_KEEP_FD,
	OPT_TAG,
	OPT_TIER,
	OPT_LANGUAGE,
	OPT_DEFAULT,
	OPT_LAYERS,
	OPT_NAMES,
};

static const struct option options[] = {
	{"policy", required_argument, NULL, 'p'},
	{"mode", required_argument, NULL, OPT_MODE},
	{"ask", required_argument, NULL, OPT_ASK},
	{"ask-timeout", required_argument, NULL, OPT_ASK_TIMEOUT},
	{"log", required_argument, NULL, OPT_LOG},
	{"log-sync", required_argument, NULL, OPT_LOG_SYNC},
	{"log-rotate", required_argument, NULL, OPT_LOG_ROTATE},
	{"log-keep", required_argument, NULL, OPT_LOG_KEEP},
	{"log-compress", no_argument, NULL, OPT_LOG_COMPRESS},
	{"log-sink", required_argument, NULL, OPT_LOG_SINK},
	{"name", required_argument, NULL, OPT_NAME},
	{"project", required_argument, NULL, OPT_PROJECT},
	{"keep-fd", required_argument, NULL, OPT_KEEP_FD},
	{"tag", required_argument, NULL, OPT_TAG},
	{"tier", required_argument, NULL, OPT_TIER},
	{"language", required_argument, NULL, OPT_LANGUAGE},
	{"default", required_argument, NULL, OPT_DEFAULT},
	{"layers", required_argument, NULL, OPT_LAYERS},
	{"names", no_argument, NULL, OPT_NAMES},
	{"quiet", no_argument, NULL, 'q'},
	{"help", no_argument, NULL, 'h'},
	{},
};

static const struct {
	const char *word;
	enum ask_mode mode;
} ask_words[] = {
	{"terminal", ASK_TERMINAL}, {"queue", ASK_QUEUE}, {"tmux", ASK_TMUX},
	{"deny", ASK_DENY},         {"allow", ASK_ALLOW},
};

static int set_mode(struct run_options *o, const char *arg)
{
	if (!streq(arg, "audit") && !streq(arg, "enforce")) {
		say("--mode '%s': expected enforce or audit", arg);
		return -EINVAL;
	}
	o->is_audit = streq(arg, "audit");
	return 0;
}

static int set_ask(struct run_options *o, const char *arg)
{
	for (size_t i = 0; i < ARRAY_SIZE(ask_words); i++)
		if (streq(arg, ask_words[i].word)) {
			o->ask = ask_words[i].mode;
			o->ask_command = NULL;
			return 0;
		}
	if (strncmp(arg, ASK_COMMAND_WORD, strlen(ASK_COMMAND_WORD)) == 0) {
		o->ask_command = arg + strlen(ASK_COMMAND_WORD);
		o->ask_command += strspn(o->ask_command, " ");
		o->ask = ASK_COMMAND;
		if (o->ask_command[0])
			return 0;
	}
	say("--ask '%s': expected terminal, tmux, queue, command:PROGRAM, deny or allow", arg);
	return -EINVAL;
}

static int set_ask_timeout(struct run_options *o, const char *arg)
{
	uint64_t seconds;

	if (parse_u64(bytes_of(arg), ASK_TIMEOUT_MAX_S, &seconds) < 0 || seconds == 0) {
		say("--ask-timeout '%s': expected whole seconds from 1 to %d", arg,
		    ASK_TIMEOUT_MAX_S);
		return -EINVAL;
	}
	o->ask_timeout_ns = seconds * NS_PER_SEC;
	return 0;
}

static int add_policy(struct run_options *o, const char *arg)
{
	if (o->n_policies == POLICY_MAX_STACK) {
		say("--policy '%s': at most %d policies stack", arg, POLICY_MAX_STACK);
		return -EINVAL;
	}
	o->policies[o->n_policies++] = arg;
	return 0;
}

int layer_wishes_read(const char *arg, struct layer_wishes *ret)
{
	struct bytes word;

	if (layer_wishes_parse(arg, ret, &word) == 0)
		return 0;
	say("--layers '%.*s': expected landlock, bpf-net, bpf-lsm, sight, one of them with '-' before it, -bpf, auto or none",
	    (int)MIN(word.len, (size_t)60), word.p);
	return -EINVAL;
}

static int add_keep_fd(struct run_options *o, const char *arg)
{
	uint64_t fd;

	if (parse_u64(bytes_of(arg), INT32_MAX, &fd) < 0 || fcntl((int)fd, F_GETFD) < 0) {
		say("--keep-fd '%s': not an open descriptor", arg);
		return -EINVAL;
	}
	if (o->n_keep_fds == RUN_MAX_KEEP_FDS) {
		say("--keep-fd: at most %d", RUN_MAX_KEEP_FDS);
		return -EINVAL;
	}
	if (fd > 2)
		o->keep_fds[o->n_keep_fds++] = (int)fd;
	return 0;
}

static int add_sink(struct run_options *o, const char *arg)
{
	struct sink_spec spec;

	if (sink_parse(arg, &spec) < 0) {
		say("--log-sink '%s': expected journald, syslog, journald:SOCKET, syslog:SOCKET or command:PROGRAM",
		    arg);
		return -EINVAL;
	}
	if (o->n_sinks == RUN_MAX_SINKS) {
		say("--log-sink '%s': at most %d", arg, RUN_MAX_SINKS);
		return -EINVAL;
	}
	o->sinks[o->n_sinks++] = arg;
	return 0;
}

/* As in `applies_to`. */
static bool is_word(const char *arg)
{
	return arg[0] &&
	       strspn(arg, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
			   "._-") == strlen(arg);
}

static int add_tag(struct run_options *o, const char *arg)
{
	if (!is_word(arg)) {
		say("--tag '%s': a tag is made of letters, digits, '.', '_' and '-'", arg);
		return -EINVAL;
	}
	if (o->n_tags == RUN_MAX_TAGS) {
		say("--tag '%s': at most %d", arg, RUN_MAX_TAGS);
		return -EINVAL;
	}
	o->tags[o->n_tags++] = arg;
	return 0;
}

static int set_tier(struct run_options *o, const char *arg)
{
	if (!is_word(arg)) {
		say("--tier '%s': a tier is made of letters, digits, '.', '_' and '-'", arg);
		return -EINVAL;
	}
	o->tier = arg;
	return 0;
}

static int set_language(struct run_options *o, const char *arg)
{
	if (policy_language_parse(bytes_of(arg), &o->language) == 0)
		return 0;
	say("--language '%s': expected auto, native, agent-action-policy, agentpolicy or meshguard",
	    arg);
	return -EINVAL;
}

/* A number of bytes with one of K, M, G behind it, or none. */
static int set_rotate(struct run_options *o, const char *arg)
{
	static const char units[] = "KMG";
	struct bytes digits = bytes_of(arg);
	const char *unit = digits.len ? strchr(units, arg[digits.len - 1]) : NULL;
	unsigned int shift = unit ? 10 * (unsigned int)(unit - units + 1) : 0;
	uint64_t n;

	if (unit)
		digits.len--;
	if (parse_u64(digits, INT64_MAX >> shift, &n) < 0 || n << shift < AUDIT_ROTATE_MIN) {
		say("--log-rotate '%s': expected a size of at least 64K, such as 64M", arg);
		return -EINVAL;
	}
	o->log_storage.rotate_bytes = n << shift;
	return 0;
}

static int set_keep(struct run_options *o, const char *arg)
{
	uint64_t n;

	if (parse_u64(bytes_of(arg), LOG_KEEP_MAX, &n) < 0 || n == 0) {
		say("--log-keep '%s': expected a number from 1 to %d", arg, LOG_KEEP_MAX);
		return -EINVAL;
	}
	o->log_storage.keep = (unsigned int)n;
	return 0;
}

static int set_log_option(struct run_options *o, int id, const char *arg)
{
	switch (id) {
	case OPT_LOG:
		o->log = arg;
		return 0;
	case OPT_LOG_SYNC:
		if (audit_sync_parse(arg, &o->log_storage.sync) == 0)
			return 0;
		say("--log-sync '%s': expected second, always or none", arg);
		return -EINVAL;
	case OPT_LOG_ROTATE:
		return set_rotate(o, arg);
	case OPT_LOG_KEEP:
		return set_keep(o, arg);
	default: /* OPT_LOG_COMPRESS */
		o->log_storage.compresses_closed = true;
		return 0;
	}
}

static int set_option(struct run_options *o, int id, const char *arg)
{
	switch (id) {
	case 'p':
		return add_policy(o, arg);
	case 'q':
		o->is_quiet = true;
		return 0;
	case 'h':
		(void)fputs(usage, stdout);
		return RUN_OPTIONS_HELP;
	case OPT_MODE:
		return set_mode(o, arg);
	case OPT_ASK:
		return set_ask(o, arg);
	case OPT_ASK_TIMEOUT:
		return set_ask_timeout(o, arg);
	case OPT_LOG:
	case OPT_LOG_SYNC:
	case OPT_LOG_ROTATE:
	case OPT_LOG_KEEP:
	case OPT_LOG_COMPRESS:
		return set_log_option(o, id, arg);
	case OPT_LOG_SINK:
		return add_sink(o, arg);
	case OPT_NAME:
		o->name = arg;
		return 0;
	case OPT_PROJECT:
		o->project = arg;
		return 0;
	case OPT_NAMES:
		o->wants_names = true;
		return 0;
	case OPT_LAYERS:
		return layer_wishes_read(arg, &o->wishes);
	case OPT_KEEP_FD:
		return add_keep_fd(o, arg);
	case OPT_TAG:
		return add_tag(o, arg);
	case OPT_TIER:
		return set_tier(o, arg);
	case OPT_LANGUAGE:
		return set_language(o, arg);
	case OPT_DEFAULT:
		return policy_use_default(arg, &o->dialect_default);
	default:
		return -EINVAL;
	}
}

/* What getopt_long() refused, in our words. */
static int refuse(int id, char **argv)
{
	const char *word = argv[optind - 1];

	if (id == ':')
		say("option '%s' needs a value; `holdfast run --help` shows all", word);
	else
		say("unknown option '%s' before the command; `holdfast run --help` shows all, and `--` ends Holdfast's own",
		    word);
	return -EINVAL;
}

int run_options_parse(int argc, char **argv, struct run_options *ret)
{
	struct run_options o = {.ask = ASK_QUEUE,
				.ask_timeout_ns = ASK_TIMEOUT_DEFAULT_S * NS_PER_SEC};
	int id, r;

	optind = 0;
	opterr = 0;
	/* '+': the first word that is no option is the command, and all after it is the command's.
	 */
	while ((id = getopt_long(argc, argv, "+:p:qh", options, NULL)) != -1) {
		r = id == '?' || id == ':' ? refuse(id, argv) : set_option(&o, id, optarg);
		if (r != 0)
			return r;
	}
	if (optind >= argc) {
		say("no command to run: holdfast run [OPTIONS] -- COMMAND [ARGUMENTS]");
		return -EINVAL;
	}
	o.command = argv + optind;
	if (o.command[0][0] == '\0') {
		say("the command's name is empty");
		return -EINVAL;
	}
	if (o.n_policies == 0)
		o.policies[o.n_policies++] = "coding-agent";
	*ret = o;
	return 0;
}
