/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "base/clock.h"
#include "base/io.h"
#include "base/say.h"
#include "control/policyset.h"
#include "policy/account.h"
#include "policy/pyjson.h"

#include "cli/lookup.h"
#include "cli/policy_agentpolicy.h"
#include "cli/policy_dirs.h"

#define OUTPUT_MAX ((size_t)1 << 20)
#define DEMO_BYTES ((size_t)1 << 20)

struct loaded {
	struct policy_dirs dirs;
	struct policyset set;
};

static void loaded_fini(struct loaded *l)
{
	policyset_fini(&l->set);
	policy_dirs_fini(&l->dirs);
}

static void warn(_unused_ void *ctx, const struct diag *d)
{
	say_diag("warning: ", d);
}

/* The original takes a path only, so a word that is a file is no name. */
static char *path_of(const char *word)
{
	char *path;

	if (strchr(word, '/') || access(word, F_OK) < 0)
		return strdup(word);
	return asprintf(&path, "./%s", word) < 0 ? NULL : path;
}

/* Return: 0; -EINVAL, -ENOMEM after saying why. */
static int load(const char *word, enum policy_language language, struct loaded *ret)
{
	_cleanup_(freep) char *path = path_of(word), *home = lookup_home(),
			      *project = lookup_project(NULL), *tmp = lookup_tmp();
	const char *const names[] = {path};
	struct policyset_config config = {
		.names = names,
		.n_names = 1,
		.vars = {.home = home ? home : "/nonexistent", .project = project, .tmp = tmp},
		.language = language,
		.warn = warn,
	};
	struct diag d = {};
	int r = -ENOMEM;

	if (!project)
		return -EINVAL;
	if (path && tmp)
		r = policy_dirs_init(&ret->dirs);
	if (r == 0) {
		config.dirs = ret->dirs.dirs;
		config.n_dirs = ret->dirs.n;
		r = policyset_load(&config, &ret->set, &d);
	}
	if (r == -ENOMEM)
		say("out of memory");
	else if (r < 0)
		say_diag("", &d);
	return r;
}

/* Return: the one argument; NULL after printing how it is used. *ret_status is then set. */
static const char *one_file(int argc, char **argv, const char *help, int *ret_status)
{
	if (argc == 2 && (streq(argv[1], "--help") || streq(argv[1], "-h"))) {
		(void)fputs(help, stdout);
		*ret_status = 0;
		return NULL;
	}
	if (argc == 2 && argv[1][0] != '-')
		return argv[1];
	if (argc == 3 && streq(argv[1], "--"))
		return argv[2];
	(void)fputs(help, stderr);
	*ret_status = 2;
	return NULL;
}

int policy_validate(int argc, char **argv)
{
	static const char help[] =
		"usage: holdfast policy validate FILE\n"
		"\n"
		"Says whether the policy would be taken, whatever its language.\n"
		"Exit status: 0 valid, 1 not, 2 wrong usage.\n";
	_cleanup_(loaded_fini) struct loaded l = {};
	int status;
	const char *file = one_file(argc, argv, help, &status);

	if (!file)
		return status;
	if (load(file, POLICY_LANGUAGE_AUTO, &l) < 0)
		return 1;
	(void)printf("Policy valid: %s\n", file);
	return 0;
}

static int print(struct strbuf *out)
{
	int r;

	strbuf_add_char(out, '\n');
	r = strbuf_error(out);
	if (r == 0)
		r = io_write_all(STDOUT_FILENO, out->p, out->len);
	if (r < 0)
		say("cannot write: %s", strerror(-r));
	return r < 0 ? 1 : 0;
}

int policy_explain_agentpolicy(const struct policy *p, const char *path)
{
	_cleanup_(strbuf_fini) struct strbuf out = STRBUF_INIT(OUTPUT_MAX);

	strbuf_add_str(&out, "{\"budget\": ");
	pyjson_add_float(&out, policy_get_budget(p)->max_spend);
	strbuf_add_str(&out, ", \"supported_checks\": [\"tool\", \"http\", \"cost\"], "
			     "\"load_path\": ");
	pyjson_add_text(&out, bytes_of(path));
	strbuf_add_char(&out, '}');
	return print(&out);
}

/* ---- demo */

/* Return: 0; -EINVAL after saying what the original would raise. */
static int demo_check(struct account *a, const struct policy_stack *stack,
		      struct policy_scratch *scratch, struct arena *mem, const char *json)
{
	struct apiaction action;
	struct policy_result result;
	const char *error = NULL;
	struct diag d = {};
	struct value *v;
	int r = value_parse_json(bytes_of(json), mem, &v, &d);

	if (r == 0)
		r = apiaction_from_value(v, mem, &action, &d);
	if (r < 0) {
		say("policy demo: %s", r == -ENOMEM ? "out of memory" : d.message);
		return r;
	}
	action.queries[0].spent = account_spent(a);
	policy_scratch_reset(scratch);
	policy_stack_eval(stack, scratch, &action.queries[0], &result);
	(void)account_record_query(a, &action.queries[0], &result,
				   (double)clock_realtime_ns() / (double)NS_PER_SEC, &error);
	if (!error)
		return 0;
	say("policy demo: %s", error);
	return -EINVAL;
}

static int demo(const struct policy_stack *stack, struct strbuf *out)
{
	static const char *const actions[] = {
		"{\"kind\":\"tool\",\"name\":\"search_docs\",\"cost\":0.02}",
		"{\"kind\":\"http\",\"url\":\"https://docs.python.org/3/\",\"cost\":0.01}",
		"{\"kind\":\"tool\",\"name\":\"send_email\"}",
	};
	struct account_config config = account_config_of(policy_stack_get(stack, 0));
	struct policy_scratch *scratch = policy_scratch_new(stack);
	double entered = (double)clock_realtime_ns() / (double)NS_PER_SEC;
	struct arena mem = ARENA_INIT(DEMO_BYTES);
	struct account *account = NULL;
	int r;

	config.session_id = "pol_demo";
	config.keeps_decisions = true;
	r = scratch ? account_new(&config, &account) : -ENOMEM;
	if (r < 0)
		say("policy demo: out of memory");
	for (size_t i = 0; i < ARRAY_SIZE(actions) && r == 0; i++)
		r = demo_check(account, stack, scratch, &mem, actions[i]);
	if (r == 0)
		account_add_report(account, entered,
				   (double)clock_realtime_ns() / (double)NS_PER_SEC, out);
	account_free(account);
	policy_scratch_free(scratch);
	arena_fini(&mem);
	return r;
}

int policy_demo(int argc, char **argv)
{
	static const char help[] =
		"usage: holdfast policy demo FILE\n"
		"\n"
		"Asks an AgentPolicy file about a tool, a web page and a tool, and prints the\n"
		"session's report.\n"
		"Exit status: 0 printed, 1 the file is refused, 2 wrong usage.\n";
	_cleanup_(strbuf_fini) struct strbuf out = STRBUF_INIT(OUTPUT_MAX);
	_cleanup_(loaded_fini) struct loaded l = {};
	int status;
	const char *file = one_file(argc, argv, help, &status);

	if (!file)
		return status;
	if (load(file, POLICY_LANGUAGE_AGENTPOLICY, &l) < 0)
		return 1;
	return demo(l.set.stack, &out) < 0 ? 1 : print(&out);
}
