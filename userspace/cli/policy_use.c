/* SPDX-License-Identifier: Apache-2.0 */
#include <getopt.h>
#include <stdio.h>
#include <time.h>

#include "base/say.h"

#include "cli/lookup.h"
#include "cli/options.h"
#include "cli/policy_use.h"

static const struct {
	const char *word;
	enum verdict verdict;
} default_words[] = {
	{"approve", VERDICT_ALLOW}, {"allow", VERDICT_ALLOW}, {"deny", VERDICT_DENY},
	{"escalate", VERDICT_ASK},  {"ask", VERDICT_ASK},
};

static int add_word(const char **list, size_t *n, size_t max, const char *option, const char *arg)
{
	if (*n == max) {
		say("%s '%s': at most %zu", option, arg, max);
		return -EINVAL;
	}
	list[(*n)++] = arg;
	return 0;
}

static int set_language(struct policy_use *u, const char *arg)
{
	if (policy_language_parse(bytes_of(arg), &u->language) == 0)
		return 0;
	say("--language '%s': expected auto, native, agent-action-policy, agentpolicy or meshguard",
	    arg);
	return -EINVAL;
}

int policy_use_default(const char *word, enum verdict *ret)
{
	for (size_t i = 0; i < ARRAY_SIZE(default_words); i++)
		if (strcasecmp(word, default_words[i].word) == 0) {
			*ret = default_words[i].verdict;
			return 0;
		}
	say("--default '%s': expected approve, deny or escalate", word);
	return -EINVAL;
}

int policy_use_option(struct policy_use *u, int id, const char *arg)
{
	switch (id) {
	case 'p':
		return add_word(u->policies, &u->n_policies, POLICY_MAX_STACK, "--policy", arg);
	case POLICY_USE_LANGUAGE:
		return set_language(u, arg);
	case POLICY_USE_DEFAULT:
		return policy_use_default(arg, &u->dialect_default);
	case POLICY_USE_HOME:
		u->home = arg;
		return 0;
	case POLICY_USE_PROJECT:
		u->project = arg;
		return 0;
	case POLICY_USE_AGENT:
		u->agent = arg;
		return 0;
	case POLICY_USE_TAG:
		return add_word(u->tags, &u->n_tags, POLICY_USE_MAX_TAGS, "--tag", arg);
	case POLICY_USE_TIER:
		u->tier = arg;
		return 0;
	default:
		return -ENOENT;
	}
}

static void warn(_unused_ void *ctx, const struct diag *d)
{
	say_diag("warning: ", d);
}

/* A directory that is named need not be there: a policy for another machine can be tried here. */
static char *given_dir(const char *dir)
{
	char *real = realpath(dir, NULL);

	return real ? real : strdup(dir);
}

static int find_places(struct policy_use *u, struct diag *d)
{
	if (u->home && u->home[0] != '/')
		return diag_set(d, NULL, 0, 0, "--home '%s': give an absolute path", u->home);
	u->real_home = u->home ? given_dir(u->home) : lookup_home();
	if (u->project && u->project[0] == '/')
		u->real_project = given_dir(u->project);
	else
		u->real_project = lookup_project(u->project);
	if (!u->real_project)
		return diag_set(d, NULL, 0, 0, "there is no project directory");
	u->tmp = u->tmp_dir ? strdup(u->tmp_dir) : lookup_tmp();
	return u->tmp ? policy_dirs_init(&u->dirs) : -ENOMEM;
}

static bool take_own(const struct policy_use_own *own, int id)
{
	for (; own && own->id; own++) {
		if (own->id != id)
			continue;
		if (own->flag)
			*own->flag = true;
		else
			*own->value = optarg;
		return true;
	}
	return false;
}

int policy_use_parse(const struct policy_use_command *c, int argc, char **argv,
		     struct policy_use *u)
{
	int id, r;

	optind = 0; /* as if never called: with its leading state */
	opterr = 0;
	while ((id = getopt_long(argc, argv, c->letters, c->options, NULL)) != -1) {
		if (id == 'h') {
			(void)fputs(c->usage, stdout);
			return POLICY_USE_HELPED;
		}
		if (take_own(c->own, id))
			continue;
		r = policy_use_option(u, id, optarg);
		if (r == -ENOENT)
			return options_refuse(id, argv, c->name);
		if (r < 0)
			return r;
	}
	return 0;
}

int policy_use_read(struct policy_use *u, struct diag *d)
{
	const struct policy_subject subject = {
		.agent = u->agent, .tags = u->tags, .n_tags = u->n_tags, .tier = u->tier};
	struct policyset_config config = {
		.names = u->policies,
		.n_names = u->n_policies,
		.language = u->language,
		.dialect_default = u->dialect_default,
		.warn = u->is_quiet ? NULL
			: u->warn   ? u->warn
				    : warn,
		.warn_ctx = u->warn_ctx,
	};
	int r = find_places(u, d);

	if (r < 0)
		return r;
	config.vars = (struct policy_vars){
		.home = u->real_home ? u->real_home : "/nonexistent",
		.project = u->real_project,
		.tmp = u->tmp,
	};
	if (u->agent || u->n_tags || u->tier)
		config.subject = &subject;
	config.dirs = u->dirs.dirs;
	config.n_dirs = u->dirs.n;
	r = policyset_load(&config, &u->set, d);
	if (r < 0)
		return r;
	u->scratch = policy_scratch_new(u->set.stack);
	for (size_t i = 0; i < policy_stack_size(u->set.stack); i++)
		if (policy_get_language(policy_stack_get(u->set.stack, i)) ==
		    POLICY_LANGUAGE_NATIVE)
			u->has_native = true;
	return u->scratch ? 0 : -ENOMEM;
}

int policy_use_load(struct policy_use *u)
{
	struct diag d = {};
	int r = policy_use_read(u, &d);

	if (r == -ENOMEM)
		say("out of memory");
	else if (r < 0)
		say_diag("", &d);
	return r;
}

void policy_use_fini(struct policy_use *u)
{
	policy_scratch_free(u->scratch);
	policyset_fini(&u->set);
	policy_dirs_fini(&u->dirs);
	free(u->real_home);
	free(u->real_project);
	free(u->tmp);
}

static int minute_of_week(void)
{
	time_t now = time(NULL);
	struct tm tm;

	if (!localtime_r(&now, &tm))
		return POLICY_TIME_UNKNOWN;
	return (tm.tm_wday + 6) % 7 * 24 * 60 + tm.tm_hour * 60 + tm.tm_min;
}

static const char *error_of(const struct policy_use *u, const struct apiaction *a,
			    const struct policy_result *r)
{
	if (a->error)
		return a->error;
	if (r->source.error)
		return r->source.error;
	if (a->is_cut && u->has_native)
		return "this line has too many commands to ask about each";
	return NULL;
}

void policy_use_decide(struct policy_use *u, struct apiaction *a, double spent,
		       struct policy_use_answer *ret)
{
	/* To a dialect the first query is the whole action; the others are for native policies. */
	bool is_one = a->api.type != POLICY_API_NONE && !u->has_native;
	int now = minute_of_week();
	double cost = 0;

	policy_scratch_reset(u->scratch);
	for (size_t i = 0; i < (is_one ? 1 : a->n); i++) {
		struct policy_query *q = &a->queries[i];
		struct policy_result result;

		q->spent = spent;
		if (!q->agent.p && u->agent)
			q->agent = bytes_of(u->agent);
		if (q->minute_of_week == POLICY_TIME_UNKNOWN)
			q->minute_of_week = now;
		policy_stack_eval(u->set.stack, u->scratch, q, &result);
		if (i == 0 || result.cost > cost)
			cost = result.cost;
		if (i == 0 || result.verdict > ret->result.verdict)
			*ret = (struct policy_use_answer){.result = result, .query = q};
	}
	ret->result.cost = cost;
	ret->error = error_of(u, a, &ret->result);
}
