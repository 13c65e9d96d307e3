/* SPDX-License-Identifier: Apache-2.0 */
/* `holdfast approve` and `deny`. Only words make an answer wider than what waits now. */
#include <stdio.h>

#include "base/escape.h"
#include "base/say.h"
#include "control/client.h"

#include "cli/commands.h"
#include "cli/options.h"

#define SHOW_STRING_BYTES 400
#define EXIT_REFUSED      3

#define ANSWER_OPTIONS                                                                               \
	"  --for WHEN     not only what waits now, but also what comes: session, restart, always,\n" \
	"                 or a time from 30s to 12h. That makes a grant: see `holdfast grants`\n"    \
	"  --scope SCOPE  with --for: exact (the same action again; the default), tool (the same\n"  \
	"                 program with any arguments), dir (the same directory and all below),\n"    \
	"                 address (the same address and port), agent (all that is asked about).\n"   \
	"                 `holdfast held ID` says in words what each would cover\n"                  \
	"  --rest         and answer alike whatever else waits under the same rule, once\n"          \
	"  --reason TEXT  why, for the log (at most 1024 bytes)\n"                                   \
	"  --json         print what came of it, one JSON object a line for each ID\n"

static const char approve_usage[] =
	"usage: holdfast approve ID... [--for WHEN [--scope SCOPE]] [--rest] [--reason TEXT] [--json]\n"
	"\n"
	"Lets held actions go on. `holdfast held` lists them.\n"
	"\n" ANSWER_OPTIONS "\n"
	"Exit status: 0 all approved, 1 not all, 2 wrong usage, 3 not all, because you may not give so\n"
	"much.\n";

static const char deny_usage[] =
	"usage: holdfast deny ID... [--for WHEN [--scope SCOPE]] [--rest] [--reason TEXT] [--json]\n"
	"\n"
	"Refuses held actions. `holdfast held` lists them.\n"
	"\n" ANSWER_OPTIONS "\n"
	"Exit status: 0 all denied, 1 not all, 2 wrong usage, 3 not all, because you may not.\n";

struct answering {
	struct control_request request;
	enum {
		NOT_FOUND,
		DONE,
		FAILED, /* and said so */
	} outcome;
	bool is_agent; /* some session refused us as its own */
	bool is_json;
	int refusals;
	int status; /* of what was refused: what the command exits with */
};

static void say_failure(const char *session, int r, const json_t *reply)
{
	const char *message = json_string_value(json_object_get(reply, "message"));

	say("session %s: %.*s", session, SHOW_STRING_BYTES,
	    message ? message : strerror(r < 0 ? -r : EPROTO));
}

/* What is refused to this person, and no fault of the session. */
static bool is_refusal(int r)
{
	return r == CONTROL_E_APPROVER || r == CONTROL_E_LIMIT || r == CONTROL_E_REPEATED;
}

static void print_done(struct control_client *c, const struct answering *a, json_t *reply)
{
	const bool is_approval = a->request.op == CONTROL_APPROVE;
	const json_t *grant = json_object_get(reply, "grant"),
		     *covers = json_object_get(reply, "covers");
	_cleanup_(strbuf_fini) struct strbuf out = STRBUF_INIT((size_t)8192);
	json_int_t answered = json_integer_value(json_object_get(reply, "answered"));
	json_int_t missing = json_integer_value(json_object_get(reply, "missing"));
	char *text;

	if (a->is_json) {
		(void)json_object_set_new(reply, "id", json_string(a->request.id));
		(void)json_object_set_new(reply, "session", json_string(c->session));
		text = json_dumps(reply, JSON_COMPACT | JSON_ENSURE_ASCII);
		(void)puts(text ? text : "null");
		free(text);
		return;
	}
	strbuf_add_fmt(&out, "%s %s", is_approval ? "approved" : "denied", a->request.id);
	if (missing > 0)
		strbuf_add_fmt(&out, ": waits for %lld more to approve", (long long)missing);
	if (answered > 1)
		strbuf_add_fmt(&out, " (%lld calls)", (long long)answered);
	if (json_is_string(grant)) {
		strbuf_add_str(&out, "; grant ");
		escape_terminal_max(&out, bytes_of(json_string_value(grant)), SHOW_STRING_BYTES);
		strbuf_add_fmt(&out, " %s ", is_approval ? "allows" : "denies");
		escape_terminal_max(
			&out, bytes_of(json_is_string(covers) ? json_string_value(covers) : ""),
			SHOW_STRING_BYTES);
	}
	(void)puts(strbuf_str(&out));
}

static int answer_session(struct control_client *c, void *arg)
{
	_cleanup_(json_decrefp) json_t *reply = NULL;
	struct answering *a = arg;
	int r = control_call(c, &a->request, &reply);

	if (r == CONTROL_E_UNKNOWN_ID)
		return 0;
	if (r == 0) {
		print_done(c, a, reply);
		a->outcome = DONE;
		return 1;
	}
	if (is_refusal(r) || r == CONTROL_E_STORE) {
		say_failure(c->session, r, reply);
		a->outcome = FAILED;
		a->status = is_refusal(r) ? EXIT_REFUSED : 1;
		return 1;
	}
	if (r == CONTROL_E_ANSWERED) {
		const char *how = json_string_value(json_object_get(reply, "message"));

		say("held action '%s' %.*s", a->request.id, SHOW_STRING_BYTES, how ? how : "ended");
		a->outcome = FAILED;
		return 1;
	}
	say_failure(c->session, r, reply);
	a->refusals++;
	return 0;
}

static void answer_refused(const char *session, int error, const char *message, void *arg)
{
	struct answering *a = arg;

	(void)session;
	(void)message; /* a refusal counts only if no other session has the id */
	a->refusals++;
	if (error == CONTROL_E_AGENT)
		a->is_agent = true;
}

static void say_not_found(const char *id, const struct answering *a)
{
	if (a->is_agent) {
		say("an agent cannot answer its own held actions");
		return;
	}
	say("no held action '%.*s'; `holdfast held` lists them%s", SHOW_STRING_BYTES, id,
	    a->refusals ? " (not every session could be asked)" : "");
}

/* Return: the exit status. */
static int answer_one(const char *id, const struct answering *template)
{
	struct answering a = *template;
	int r = 0;

	a.status = 1;
	if (control_is_id(id)) {
		memcpy(a.request.id, id, HELD_ID_SIZE);
		r = control_each_session_to_answer(NULL, answer_session, answer_refused, &a);
	}
	if (r < 0) {
		say("cannot look for sessions: %s", strerror(-r));
		return 1;
	}
	if (a.outcome == NOT_FOUND)
		say_not_found(id, &a);
	return a.outcome == DONE ? 0 : a.status;
}

/* The values of options, NULL where they were not given. Return: false, and has said why. */
static bool take_values(struct control_request *q, const char *reason, const char *term,
			const char *scope)
{
	q->reason_len = reason ? strlen(reason) : 0;
	if (q->reason_len > sizeof(q->reason)) {
		say("the reason is longer than %zu bytes", sizeof(q->reason));
		return false;
	}
	if (reason)
		memcpy(q->reason, reason, q->reason_len);
	if (term && answer_term_parse(bytes_of(term), &q->term) < 0) {
		say("--for takes once, session, restart, always, or a time from 30s to 12h, not '%.40s'",
		    term);
		return false;
	}
	if (scope && answer_scope_parse(bytes_of(scope), &q->scope) < 0) {
		say("--scope takes exact, tool, dir, address, domain or agent, not '%.40s'", scope);
		return false;
	}
	return true;
}

static int answer(int argc, char **argv, enum control_op op, const char *usage)
{
	struct answering a = {.request.op = op};
	const char *reason = NULL, *term = NULL, *scope = NULL;
	const struct option_row rows[] = {
		{"reason", .value = &reason}, {"for", .value = &term},
		{"scope", .value = &scope},   {"rest", .flag = &a.request.rest},
		{"json", .flag = &a.is_json}, {}};
	const struct options options = {
		.command = op == CONTROL_APPROVE ? "approve" : "deny",
		.usage = usage,
		.rows = rows,
	};
	int status = 0, r = options_read(&options, argc, argv);

	if (r)
		return r == OPTIONS_HELPED ? 0 : 2;
	if (!take_values(&a.request, reason, term, scope))
		return 2;
	if (a.request.scope != ANSWER_EXACT && a.request.term.life == ANSWER_ONCE) {
		say("--scope %s needs --for: how long it is to hold",
		    answer_scope_name(a.request.scope));
		return 2;
	}
	if (!argv[optind]) {
		(void)fputs(usage, stderr);
		return 2;
	}
	for (char **id = argv + optind; *id; id++)
		status = MAX(status, answer_one(*id, &a));
	return fflush(stdout) == 0 ? status : 1;
}

int cmd_approve(int argc, char **argv)
{
	return answer(argc, argv, CONTROL_APPROVE, approve_usage);
}

int cmd_deny(int argc, char **argv)
{
	return answer(argc, argv, CONTROL_DENY, deny_usage);
}
