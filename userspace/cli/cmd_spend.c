/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `holdfast spend`: money that an action could not be charged for when it happened, such as what a
 * model's tokens cost. What the session answers is printed escaped: for root it may be another
 * user's.
 */
#include <math.h>
#include <stdio.h>

#include "base/json.h"
#include "base/say.h"
#include "control/client.h"
#include "control/ledger.h"
#include "policy/pytext.h"

#include "cli/commands.h"
#include "cli/options.h"

#define SHOW_STRING_BYTES 400
#define LINE_MAX_BYTES    ((size_t)4096)
#define LOCK_WAIT_NS      (5 * NS_PER_SEC)

static const char usage[] =
	"usage: holdfast spend AMOUNT [--source S] [--session ID | --account NAME] [--json]\n"
	"\n"
	"Reports money as spent, so that the budgets of a session count it: \"0.25\", \"$0.25\". Without\n"
	"--session or --account: of the session that this runs in (HOLDFAST_SPEND says which).\n"
	"AMOUNT 0 only shows what is spent.\n"
	"\n"
	"  --source S      what for, such as llm; for the log (at most 128 bytes)\n"
	"  --session ID    from outside: of this session\n"
	"  --account NAME  from outside: of a named account; sessions that use it see it within a second\n"
	"  --json          one JSON object instead of a line\n"
	"\n"
	"Exit status: 0 recorded; 1 recorded, but now more is spent than a budget allows, or not\n"
	"recorded; 2 wrong usage.\n";

struct spend {
	struct control_request request;
	const char *session, *account;
	bool is_json;
	bool has_session; /* somebody was asked */
	int status;
};

/* As agentpolicy reads money: blanks and dollar signs in front do not count. */
static int parse_amount(const char *s, double *ret)
{
	struct bytes text = py_strip(bytes_of(s));

	while (text.len && text.p[0] == '$')
		text = (struct bytes){.p = text.p + 1, .len = text.len - 1};
	if (py_float(py_strip(text), ret) < 0) {
		say("'%.*s' is not an amount of money; write 0.25 or '$0.25'", SHOW_STRING_BYTES,
		    s);
		return -EINVAL;
	}
	if (isfinite(*ret) && *ret >= 0) {
		*ret = fabs(*ret); /* "-0" */
		return 0;
	}
	say("'%.*s' cannot be spent: an amount is finite, and 0 or more", SHOW_STRING_BYTES, s);
	return -EINVAL;
}

static int set_source(struct spend *o, const char *arg)
{
	o->request.source_len = strlen(arg);
	if (o->request.source_len > sizeof(o->request.source)) {
		say("--source is longer than %zu bytes", sizeof(o->request.source));
		return -EINVAL;
	}
	memcpy(o->request.source, arg, o->request.source_len);
	return 0;
}

/* Return: 0; OPTIONS_HELPED; -EINVAL after saying what is wrong. */
static int parse_options(int argc, char **argv, struct spend *ret)
{
	const char *source = NULL;
	const struct option_row rows[] = {{"source", .value = &source},
					  {"session", .value = &ret->session},
					  {"account", .value = &ret->account},
					  {"json", .flag = &ret->is_json},
					  {}};
	const struct options options = {.command = "spend", .usage = usage, .rows = rows};
	int r;

	*ret = (struct spend){.request = {.op = CONTROL_SPEND}, .status = 1};
	r = options_read(&options, argc, argv);
	if (r == 0 && source)
		r = set_source(ret, source);
	if (r)
		return r;
	if (optind + 1 != argc) {
		(void)fputs(usage, stderr);
		return -EINVAL;
	}
	if (ret->session && ret->account) {
		say("--session and --account exclude each other: a session knows its accounts");
		return -EINVAL;
	}
	return parse_amount(argv[optind], &ret->request.amount);
}

struct outcome {
	const char *key, *name; /* "session" or "account", and which; hostile */
	double spent, remaining;
	bool has_remaining, is_exceeded;
};

static void print(const struct spend *o, const struct outcome *out)
{
	_cleanup_(strbuf_fini) struct strbuf b = STRBUF_INIT(LINE_MAX_BYTES);
	struct json j = JSON_INIT(&b);

	if (!o->is_json) {
		strbuf_add_fmt(&b, "spent %.10g", out->spent);
		if (out->has_remaining)
			strbuf_add_fmt(&b, ", %.10g remaining", out->remaining);
	} else {
		json_begin_object(&j);
		json_key_cstr(&j, out->key, out->name);
		json_key_double(&j, "amount", o->request.amount);
		json_key_double(&j, "spent", out->spent);
		json_key(&j, "remaining");
		if (out->has_remaining)
			json_double(&j, out->remaining);
		else
			json_none(&j);
		json_key_bool(&j, "exceeded", out->is_exceeded);
		json_end_object(&j);
	}
	(void)puts(strbuf_str(&b));
}

static int report(struct control_client *c, void *arg)
{
	_cleanup_(json_decrefp) json_t *reply = NULL;
	struct spend *o = arg;
	int r = control_call(c, &o->request, &reply);
	const char *message = json_string_value(json_object_get(reply, "message"));
	const json_t *remaining = json_object_get(reply, "remaining");
	const struct outcome out = {
		.key = "session",
		.name = c->session,
		.spent = json_number_value(json_object_get(reply, "spent")),
		.remaining = json_number_value(remaining),
		.has_remaining = json_is_number(remaining),
		.is_exceeded = json_is_true(json_object_get(reply, "exceeded")),
	};

	o->has_session = true;
	if (r) {
		say("not recorded: %.*s", SHOW_STRING_BYTES,
		    message ? message : strerror(r < 0 ? -r : EPROTO));
		return 1;
	}
	print(o, &out);
	if (out.is_exceeded)
		say("%.*s", SHOW_STRING_BYTES, message ? message : "the budget is exceeded");
	o->status = out.is_exceeded;
	return 1;
}

static void refused(const char *session, int error, const char *message, void *arg)
{
	struct spend *o = arg;

	(void)session;
	(void)error;
	o->has_session = true;
	say("not recorded: %.*s", SHOW_STRING_BYTES, message);
}

static int spend_on_account(struct spend *o)
{
	_cleanup_(freep) char *dir = ledger_dir();
	struct outcome out = {.key = "account", .name = o->account};
	struct ledger *ledger;
	struct diag d = {};
	char text[1280];
	int r;

	if (!dir) {
		say("no place for accounts: set HOME or XDG_STATE_HOME");
		return 1;
	}
	r = ledger_open(dir, o->account, &ledger, &d);
	if (r == 0) {
		r = ledger_add(ledger, o->request.amount, LOCK_WAIT_NS, &out.spent, &d);
		ledger_free(ledger);
	}
	if (r < 0) {
		diag_format(&d, text, sizeof(text));
		say("not recorded: %s", d.message[0] ? text : strerror(-r));
		return 1;
	}
	print(o, &out);
	return 0;
}

static int spend_on_session(struct spend *o)
{
	const char *path = getenv(CONTROL_SPEND_ENV);
	int r;

	if (o->session) {
		r = control_each_session(o->session, report, refused, o);
		if (r >= 0 && !o->has_session)
			say("no session '%.*s' is running", SHOW_STRING_BYTES, o->session);
	} else if (path) {
		r = control_at(path, report, refused, o);
	} else {
		say("which session? This runs in none; give --session ID or --account NAME");
		return 2;
	}
	if (r < 0)
		say("not recorded: cannot reach the session: %s", strerror(-r));
	return o->status;
}

int cmd_spend(int argc, char **argv)
{
	struct spend o;
	int r = parse_options(argc, argv, &o);

	if (r)
		return r < 0 ? 2 : 0;
	r = o.account ? spend_on_account(&o) : spend_on_session(&o);
	return fflush(stdout) == 0 ? r : 1;
}
