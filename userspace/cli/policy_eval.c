/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `holdfast policy eval`: actions as JSON in, decisions as JSON out, for frameworks that ask before
 * they act and for whoever compares Holdfast with the original libraries. One line is one action,
 * and its answer leaves before the next line is waited for.
 */
#include <getopt.h>
#include <stdio.h>
#include <sys/random.h>
#include <time.h>

#include "base/io.h"
#include "base/say.h"
#include "policy/account.h"
#include "policy/pyjson.h"

#include "cli/eval_budget.h"
#include "cli/policy_commands.h"
#include "cli/policy_use.h"

#define LINE_MAX_BYTES ((size_t)64 << 20) /* of one action */
#define ARENA_BYTES    ((size_t)1 << 30)  /* what one action may come to */
#define READ_BYTES     ((size_t)64 << 10)
#define OUTPUT_MAX     ((size_t)1 << 30)

static const char usage[] =
	"usage: holdfast policy eval -p POLICY... [OPTIONS] < ACTION\n"
	"\n"
	"Decides on an action that is given as JSON on standard input and answers with JSON.\n"
	"\n" POLICY_USE_HELP
	"      --batch             one action a line, one answer a line, in order\n"
	"      --session-report    at the end AgentPolicy's report on the session\n"
	"  -h, --help              this text\n"
	"\n"
	"Actions: {\"tool\":T,\"args\":A} {\"kind\":\"tool\",\"name\":N,\"cost\":C,\"approved\":B}\n"
	"{\"kind\":\"http\",\"url\":U} {\"kind\":\"cost\",\"cost\":C,\"source\":S} {\"kind\":\"raw\",\"fields\":{..}}\n"
	"{\"kind\":\"exec\",\"argv\":[..],\"path\":P,\"cwd\":D} {\"kind\":\"path\",\"op\":O,\"path\":P}\n"
	"{\"kind\":\"connect\",\"address\":A,\"port\":N,\"domain\":D} {\"action\":\"read:x\",\"resource\":R}\n"
	"Answers: {\"verdict\":..,\"word\":..,\"policy\":..,\"rule\":..,\"reason\":..,\"spent\":..,\"remaining\":..},\n"
	"or {\"error\":..} where the policy's original library raises an error.\n"
	"\n"
	"Exit status: 0 answered, whatever the verdict; 1 a policy is refused, or a line was no action;\n"
	"2 wrong usage. Without --batch also 1 when the answer is an error.\n";

enum {
	EVAL_BATCH = 1024,
	EVAL_SESSION_REPORT,
};

struct eval {
	struct policy_use use;
	struct account *account;
	struct budget *budget; /* of native policies; NULL: none has one */
	struct arena mem;
	struct strbuf in, out;
	double entered;
	bool is_batch;
	bool has_report;
	bool has_bad_line;
	bool has_error;
	bool is_skipping; /* the rest of a line that is too long */
};

static double now(void)
{
	struct timespec ts = {};

	(void)clock_gettime(CLOCK_REALTIME, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static int parse_options(int argc, char **argv, struct eval *e)
{
	static const struct option options[] = {
		POLICY_USE_OPTIONS,
		{"batch", no_argument, NULL, EVAL_BATCH},
		{"session-report", no_argument, NULL, EVAL_SESSION_REPORT},
		{},
	};
	const struct policy_use_own own[] = {{EVAL_BATCH, .flag = &e->is_batch},
					     {EVAL_SESSION_REPORT, .flag = &e->has_report},
					     {}};
	const struct policy_use_command command = {.name = "policy eval",
						   .usage = usage,
						   .letters = ":p:h",
						   .options = options,
						   .own = own};
	int r = policy_use_parse(&command, argc, argv, &e->use);

	if (r)
		return r;
	if (optind < argc) {
		say("policy eval: '%s' is not expected; the action comes on standard input",
		    argv[optind]);
		return -EINVAL;
	}
	if (e->use.n_policies == 0) {
		say("policy eval: which policy? -p NAME|FILE");
		return -EINVAL;
	}
	return 0;
}

static bool has_agentpolicy(const struct policy_stack *stack)
{
	for (size_t i = 0; i < policy_stack_size(stack); i++)
		if (policy_get_language(policy_stack_get(stack, i)) == POLICY_LANGUAGE_AGENTPOLICY)
			return true;
	return false;
}

/* The smallest budget of the stack counts: spend is the session's, not a policy's. */
static int open_account(struct eval *e)
{
	const struct policy_stack *stack = e->use.set.stack;
	struct account_config config = account_config_of(policy_stack_get(stack, 0));
	unsigned char random[6] = {};
	char id[20];
	int r;

	for (size_t i = 1; i < policy_stack_size(stack); i++) {
		struct account_config other = account_config_of(policy_stack_get(stack, i));

		if (other.budget > 0 && (config.budget <= 0 || other.budget < config.budget))
			config = other;
	}
	/* A native loop guard is among the budgets: it decides, it raises nothing. */
	if (!has_agentpolicy(stack))
		config.loop_repeats = 0;
	if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random))
		return -EIO;
	(void)snprintf(id, sizeof(id), "pol_%02x%02x%02x%02x%02x%02x", random[0], random[1],
		       random[2], random[3], random[4], random[5]);
	config.session_id = id;
	config.keeps_decisions = e->has_report;
	e->entered = now();
	r = account_new(&config, &e->account);
	return r < 0 ? r : eval_budget_new(stack, &e->budget);
}

/* ---- answers: compared with what the original libraries say, and so printed as Python prints */

static void add_key(struct strbuf *out, const char *head, const char *text)
{
	strbuf_add_str(out, head);
	if (text)
		pyjson_add_text(out, bytes_of(text));
	else
		strbuf_add_str(out, "null");
}

static void add_result(struct strbuf *out, const struct policy_result *result,
		       const struct account *account)
{
	const struct policy_source *s = &result->source;
	const char *verdict = verdict_name(result->verdict);

	add_key(out, "{\"verdict\":", verdict);
	add_key(out, ",\"word\":", s->word ? s->word : verdict);
	add_key(out, ",\"policy\":", s->policy);
	add_key(out, ",\"rule\":", s->rule);
	add_key(out, ",\"reason\":", s->reason);
	strbuf_add_str(out, ",\"spent\":");
	pyjson_add_float(out, account_spent(account));
	strbuf_add_str(out, ",\"remaining\":");
	pyjson_add_float(out, account_remaining(account));
	strbuf_add_char(out, '}');
}

static void add_error(struct strbuf *out, const char *error)
{
	add_key(out, "{\"error\":", error);
	strbuf_add_char(out, '}');
}

static void answer_action(struct eval *e, struct apiaction *a)
{
	struct policy_use_answer answer;
	struct budget_answer limit;
	const char *error = NULL;

	policy_use_decide(&e->use, a, account_spent(e->account), &answer);
	if (!answer.error && e->budget)
		eval_budget_apply(e->budget, answer.query, &answer.result, &limit);
	/* What the action itself cannot be made of never gets as far as the session. */
	if (!answer.error)
		(void)account_record_query(e->account, answer.query, &answer.result, now(), &error);
	if (!answer.error)
		answer.error = error;
	if (answer.error) {
		add_error(&e->out, answer.error);
		e->has_error = true;
		return;
	}
	add_result(&e->out, &answer.result, e->account);
}

static void answer_bad_line(struct eval *e, const struct diag *d, int r)
{
	char text[1024];

	if (r == -ENOMEM)
		(void)snprintf(text, sizeof(text), "out of memory");
	else if (d->column)
		(void)snprintf(text, sizeof(text), "column %u: %s", d->column, d->message);
	else
		(void)snprintf(text, sizeof(text), "%s", d->message);
	add_error(&e->out, text);
	e->has_bad_line = true;
}

static void answer_line(struct eval *e, struct bytes line)
{
	struct apiaction action;
	struct diag d = {};
	struct value *v;
	int r;

	arena_reset(&e->mem);
	r = value_parse_json(line, &e->mem, &v, &d);
	if (r == 0)
		r = apiaction_from_value(v, &e->mem, &action, &d);
	if (r < 0)
		answer_bad_line(e, &d, r);
	else
		answer_action(e, &action);
	strbuf_add_char(&e->out, '\n');
}

static bool is_empty(struct bytes line)
{
	for (size_t i = 0; i < line.len; i++)
		if (!strchr(" \t\r", line.p[i]) || !line.p[i])
			return false;
	return true;
}

static int flush(struct eval *e)
{
	int r = strbuf_error(&e->out);

	if (r == 0 && e->out.len)
		r = io_write_all(STDOUT_FILENO, e->out.p, e->out.len);
	strbuf_reset(&e->out);
	return r;
}

/* Answers the whole lines of e->in; the rest moves to its beginning. */
static int answer_lines(struct eval *e, bool is_end)
{
	struct bytes rest = strbuf_bytes(&e->in);
	int r = 0;

	while (rest.len && r == 0) {
		const char *end = memchr(rest.p, '\n', rest.len);
		struct bytes line = {.p = rest.p, .len = end ? (size_t)(end - rest.p) : rest.len};

		if (!end && !is_end)
			break;
		rest.p += line.len + (end ? 1 : 0);
		rest.len -= line.len + (end ? 1 : 0);
		if (!is_empty(line))
			answer_line(e, line);
		if (e->out.len >= READ_BYTES)
			r = flush(e);
	}
	if (rest.len)
		memmove(e->in.p, rest.p, rest.len);
	strbuf_truncate(&e->in, rest.len);
	return r < 0 ? r : flush(e);
}

/* Drops what came of a line that is too long to be an action; its end is still to come. */
static void drop_long_line(struct eval *e)
{
	const struct diag d = {.message = "the line is larger than 64 MiB"};

	answer_bad_line(e, &d, -EINVAL);
	strbuf_add_char(&e->out, '\n');
	strbuf_truncate(&e->in, 0);
	e->is_skipping = true;
}

/* Return: 1 there may be more, 0 the end, -errno. */
static int read_more(struct eval *e)
{
	const char *end;
	ssize_t n;
	int r;

	if (e->in.len > LINE_MAX_BYTES)
		drop_long_line(e);
	r = strbuf_reserve(&e->in, READ_BYTES);
	if (r < 0)
		return r;
	do
		n = read(STDIN_FILENO, e->in.p + e->in.len, READ_BYTES);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	end = memchr(e->in.p + e->in.len, '\n', (size_t)n);
	e->in.len += (size_t)n;
	if (e->is_skipping) {
		size_t skipped = end ? (size_t)(end + 1 - e->in.p) : e->in.len;

		memmove(e->in.p, e->in.p + skipped, e->in.len - skipped);
		strbuf_truncate(&e->in, e->in.len - skipped);
		e->is_skipping = !end;
	}
	/* Without a line end in what is new there is nothing to answer yet. */
	if (end || n == 0)
		r = answer_lines(e, n == 0);
	return r < 0 ? r : n != 0;
}

static int run_batch(struct eval *e)
{
	int r;

	do
		r = read_more(e);
	while (r > 0);
	return r;
}

static int run_one(struct eval *e)
{
	int r = io_read_all(STDIN_FILENO, &e->in);

	if (r < 0)
		return r;
	answer_line(e, strbuf_bytes(&e->in));
	return flush(e);
}

static int add_report(struct eval *e)
{
	account_add_report(e->account, e->entered, now(), &e->out);
	strbuf_add_char(&e->out, '\n');
	return flush(e);
}

static void eval_fini(struct eval *e)
{
	budget_free(e->budget);
	account_free(e->account);
	policy_use_fini(&e->use);
	arena_fini(&e->mem);
	strbuf_fini(&e->in);
	strbuf_fini(&e->out);
}

int policy_eval(int argc, char **argv)
{
	_cleanup_(eval_fini) struct eval e = {
		.mem = ARENA_INIT(ARENA_BYTES),
		.in = STRBUF_INIT(LINE_MAX_BYTES + 2 * READ_BYTES),
		.out = STRBUF_INIT(OUTPUT_MAX),
	};
	int r = parse_options(argc, argv, &e);

	if (r != 0)
		return r == POLICY_USE_HELPED ? 0 : 2;
	if (policy_use_load(&e.use) < 0)
		return 1;
	r = open_account(&e);
	if (r == 0)
		r = e.is_batch ? run_batch(&e) : run_one(&e);
	if (r == 0 && e.has_report)
		r = add_report(&e);
	if (r < 0) {
		say("policy eval: %s",
		    r == -EMSGSIZE ? "an action is larger than 64 MiB" : strerror(-r));
		return 1;
	}
	return e.has_bad_line || (e.has_error && !e.is_batch);
}
