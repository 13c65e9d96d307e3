/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `holdfast held`, `approve` and `deny`. What comes over a session's socket is printed escaped: the
 * strings are the agent's, and for root the socket may be another user's.
 */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>

#include "base/escape.h"
#include "base/say.h"
#include "control/client.h"

#include "cli/commands.h"

#define SHOW_COMMAND_BYTES 1500
#define SHOW_STRING_BYTES  400
#define LINE_MAX_BYTES     ((size_t)64 * 1024)

static const char held_usage[] =
	"usage: holdfast held [--json] [SESSION]\n"
	"\n"
	"Lists the actions that wait for an answer, of all your sessions or of SESSION.\n"
	"Answer with `holdfast approve ID` or `holdfast deny ID`.\n"
	"\n"
	"  --json  one JSON object a line for each held action\n"
	"\n"
	"Exit status: 0 listed (also when nothing is held), 1 a session did not answer, 2 wrong usage.\n";

static const char approve_usage[] = "usage: holdfast approve ID...\n"
				    "\n"
				    "Lets held actions go on. `holdfast held` lists them.\n"
				    "\n"
				    "Exit status: 0 all approved, 1 not all, 2 wrong usage.\n";

static const char deny_usage[] = "usage: holdfast deny ID... [--reason TEXT]\n"
				 "\n"
				 "Refuses held actions. `holdfast held` lists them.\n"
				 "\n"
				 "  --reason TEXT  why, for the log (at most 1024 bytes)\n"
				 "\n"
				 "Exit status: 0 all denied, 1 not all, 2 wrong usage.\n";

/* ---- reading replies */

/* The string at @key as the bytes that the session wrote; the caller frees *@b. NULL bytes when
 * there is none. */
static struct bytes get_bytes(const json_t *o, const char *key, struct strbuf *b)
{
	const json_t *v = json_object_get(o, key);

	strbuf_reset(b);
	if (!json_is_string(v))
		return BYTES_NULL;
	escape_json_decode(b, (struct bytes){json_string_value(v), json_string_length(v)});
	return strbuf_bytes(b);
}

static void add_escaped(struct strbuf *out, const json_t *o, const char *key, size_t max)
{
	_cleanup_(strbuf_fini) struct strbuf b = STRBUF_INIT(LINE_MAX_BYTES);

	escape_terminal_max(out, get_bytes(o, key, &b), max);
}

static uint64_t get_u64(const json_t *o, const char *key)
{
	json_int_t v = json_integer_value(json_object_get(o, key));

	return v > 0 ? (uint64_t)v : 0;
}

/* say() escapes. */
static void say_failure(const char *session, int r, const json_t *reply)
{
	const char *message = json_string_value(json_object_get(reply, "message"));

	say("session %s: %.*s", session, SHOW_STRING_BYTES,
	    message ? message : strerror(r < 0 ? -r : EPROTO));
}

/* ---- held */

struct listing {
	bool is_json;
	bool has_session;
	bool has_failed;
	size_t count;
};

static void add_row(struct strbuf *out, const char *label, const json_t *o, const char *key)
{
	const json_t *v = json_object_get(o, key);

	if (!json_is_string(v) || json_string_length(v) == 0)
		return;
	strbuf_add_fmt(out, "  %-8s ", label);
	add_escaped(out, o, key, SHOW_STRING_BYTES);
	strbuf_add_char(out, '\n');
}

static void add_command(struct strbuf *out, const json_t *o)
{
	const json_t *argv = json_object_get(o, "argv");
	_cleanup_(strbuf_fini) struct strbuf line = STRBUF_INIT(LINE_MAX_BYTES);
	_cleanup_(strbuf_fini) struct strbuf arg = STRBUF_INIT(LINE_MAX_BYTES);

	if (json_array_size(argv) == 0)
		return;
	for (size_t i = 0; i < json_array_size(argv); i++) {
		const json_t *v = json_array_get(argv, i);

		if (i)
			strbuf_add_char(&line, ' ');
		strbuf_reset(&arg);
		escape_json_decode(&arg,
				   (struct bytes){json_string_value(v), json_string_length(v)});
		strbuf_add_bytes(&line, strbuf_bytes(&arg));
	}
	strbuf_add_fmt(out, "  %-8s ", "command");
	escape_terminal_max(out, strbuf_bytes(&line), SHOW_COMMAND_BYTES);
	strbuf_add_char(out, '\n');
	if (json_is_true(json_object_get(o, "truncated")))
		strbuf_add_fmt(
			out, "  %-8s NOT ALL OF IT IS SHOWN: it has %" PRIu64 " arguments in all\n",
			"", get_u64(o, "argc"));
}

static void add_approvers(struct strbuf *out, const json_t *o)
{
	const json_t *approvers = json_object_get(o, "approvers");

	if (json_array_size(approvers) == 0)
		return;
	strbuf_add_fmt(out, "  %-8s only ", "answer");
	for (size_t i = 0; i < json_array_size(approvers); i++) {
		_cleanup_(strbuf_fini) struct strbuf b = STRBUF_INIT(LINE_MAX_BYTES);
		const json_t *v = json_array_get(approvers, i);

		if (i)
			strbuf_add_str(out, ", ");
		escape_json_decode(&b, (struct bytes){json_string_value(v), json_string_length(v)});
		escape_terminal_max(out, strbuf_bytes(&b), SHOW_STRING_BYTES);
	}
	strbuf_add_char(out, '\n');
}

static void print_entry(const json_t *o, const json_t *status)
{
	_cleanup_(strbuf_fini) struct strbuf out = STRBUF_INIT(LINE_MAX_BYTES);

	add_escaped(&out, o, "id", SHOW_STRING_BYTES);
	strbuf_add_str(&out, "  ");
	add_escaped(&out, o, "op", SHOW_STRING_BYTES);
	strbuf_add_str(&out, " (");
	add_escaped(&out, o, "kind", SHOW_STRING_BYTES);
	strbuf_add_fmt(&out, "), held for %" PRIu64 " s, denied in %" PRIu64 " s\n",
		       get_u64(o, "age_ms") / 1000, get_u64(o, "left_ms") / 1000);
	add_command(&out, o);
	add_row(&out, "object", o, "object");
	add_row(&out, "to", o, "object2");
	add_row(&out, "in", o, "cwd");
	strbuf_add_fmt(&out, "  %-8s %" PRIu64 " ", "process", get_u64(o, "pid"));
	add_escaped(&out, o, "exe", SHOW_STRING_BYTES);
	strbuf_add_fmt(&out, "\n  %-8s ", "agent");
	add_escaped(&out, status, "agent", SHOW_STRING_BYTES);
	strbuf_add_str(&out, ", session ");
	add_escaped(&out, status, "session", SHOW_STRING_BYTES);
	strbuf_add_char(&out, '\n');
	add_row(&out, "policy", o, "policy");
	add_row(&out, "rule", o, "rule");
	add_row(&out, "reason", o, "reason");
	add_row(&out, "instead", o, "suggest");
	add_approvers(&out, o);
	(void)fputs(strbuf_str(&out), stdout);
}

static void print_json(json_t *o, const json_t *status)
{
	char *text;

	(void)json_object_set(o, "session", json_object_get(status, "session"));
	(void)json_object_set(o, "agent", json_object_get(status, "agent"));
	text = json_dumps(o, JSON_COMPACT | JSON_ENSURE_ASCII);
	(void)puts(text ? text : "null");
	free(text);
}

static void print_page(struct listing *l, const json_t *reply, const json_t *status)
{
	json_t *entries = json_object_get(reply, "held");

	for (size_t i = 0; i < json_array_size(entries); i++) {
		json_t *o = json_array_get(entries, i);

		if (!json_is_object(o))
			continue;
		if (l->is_json)
			print_json(o, status);
		else
			print_entry(o, status);
		l->count++;
	}
}

static int list_session(struct control_client *c, void *arg)
{
	struct control_request q = {.op = CONTROL_STATUS};
	_cleanup_(json_decrefp) json_t *status = NULL;
	struct listing *l = arg;
	uint64_t next = 0;
	int r = control_call(c, &q, &status);

	l->has_session = true;
	q.op = CONTROL_HELD;
	while (r == 0) {
		_cleanup_(json_decrefp) json_t *reply = NULL;

		q.after = next;
		r = control_call(c, &q, &reply);
		if (r) {
			say_failure(c->session, r, reply);
			l->has_failed = true;
			return 0;
		}
		print_page(l, reply, status);
		next = get_u64(reply, "next");
		if (next <= q.after) /* the last page; or a session that would go round and round */
			return 0;
	}
	say_failure(c->session, r, status);
	l->has_failed = true;
	return 0; /* the other sessions still count */
}

static void list_refused(const char *session, int error, const char *message, void *arg)
{
	struct listing *l = arg;

	(void)error;
	l->has_session = true;
	say("session %s: %.*s", session, SHOW_STRING_BYTES, message);
	l->has_failed = true;
}

int cmd_held(int argc, char **argv)
{
	static const struct option options[] = {
		{"json", no_argument, NULL, 'j'}, {"help", no_argument, NULL, 'h'}, {}};
	struct listing l = {};
	int c, r;

	optind = 0;
	while ((c = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		if (c == 'j') {
			l.is_json = true;
		} else {
			(void)fputs(held_usage, c == 'h' ? stdout : stderr);
			return c == 'h' ? 0 : 2;
		}
	}
	if (argc - optind > 1) {
		(void)fputs(held_usage, stderr);
		return 2;
	}
	r = control_each_session(argv[optind], list_session, list_refused, &l);
	if (argv[optind] && !l.has_session && r == 0) {
		say("no session '%.*s' is running", SHOW_STRING_BYTES, argv[optind]);
		return 1;
	}
	if (l.count == 0 && !l.has_failed && !l.is_json && r == 0)
		(void)puts("nothing is held");
	if (r < 0)
		say("cannot look for sessions: %s", strerror(-r));
	if (fflush(stdout) != 0 && r == 0) {
		say("cannot write: %s", strerror(errno));
		r = -EIO;
	}
	return r < 0 || l.has_failed ? 1 : 0;
}

/* ---- approve, deny */

struct answering {
	struct control_request request;
	enum {
		NOT_FOUND,
		DONE,
		FAILED, /* and said so */
	} outcome;
	bool is_agent; /* some session refused us as its own */
	int refusals;
};

static int answer_session(struct control_client *c, void *arg)
{
	_cleanup_(json_decrefp) json_t *reply = NULL;
	struct answering *a = arg;
	int r = control_call(c, &a->request, &reply);

	if (r == CONTROL_E_UNKNOWN_ID)
		return 0;
	if (r == 0) {
		a->outcome = DONE;
		return 1;
	}
	if (r == CONTROL_E_APPROVER) {
		say_failure(c->session, r, reply);
		a->outcome = FAILED;
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

/* Return: true when the action was answered. */
static bool answer_one(const char *id, const struct control_request *template)
{
	struct answering a = {.request = *template};
	int r = 0;

	if (control_is_id(id)) {
		memcpy(a.request.id, id, HELD_ID_SIZE);
		r = control_each_session(NULL, answer_session, answer_refused, &a);
	}
	if (r < 0) {
		say("cannot look for sessions: %s", strerror(-r));
		return false;
	}
	if (a.outcome == NOT_FOUND)
		say_not_found(id, &a);
	if (a.outcome == DONE)
		(void)printf("%s %s\n", template->op == CONTROL_APPROVE ? "approved" : "denied",
			     id);
	return a.outcome == DONE;
}

static int answer_all(char **ids, const struct control_request *template, const char *usage)
{
	int status = 0;

	if (!*ids) {
		(void)fputs(usage, stderr);
		return 2;
	}
	for (; *ids; ids++) {
		if (!answer_one(*ids, template))
			status = 1;
	}
	return fflush(stdout) == 0 ? status : 1;
}

int cmd_approve(int argc, char **argv)
{
	static const struct option options[] = {{"help", no_argument, NULL, 'h'}, {}};
	const struct control_request q = {.op = CONTROL_APPROVE};
	int c;

	optind = 0;
	c = getopt_long(argc, argv, "h", options, NULL);
	if (c != -1) {
		(void)fputs(approve_usage, c == 'h' ? stdout : stderr);
		return c == 'h' ? 0 : 2;
	}
	return answer_all(argv + optind, &q, approve_usage);
}

int cmd_deny(int argc, char **argv)
{
	static const struct option options[] = {
		{"reason", required_argument, NULL, 'r'}, {"help", no_argument, NULL, 'h'}, {}};
	struct control_request q = {.op = CONTROL_DENY};
	int c;

	optind = 0;
	while ((c = getopt_long(argc, argv, "hr:", options, NULL)) != -1) {
		if (c != 'r') {
			(void)fputs(deny_usage, c == 'h' ? stdout : stderr);
			return c == 'h' ? 0 : 2;
		}
		q.reason_len = strlen(optarg);
		if (q.reason_len > sizeof(q.reason)) {
			say("the reason is longer than %zu bytes", sizeof(q.reason));
			return 2;
		}
		memcpy(q.reason, optarg, q.reason_len);
	}
	return answer_all(argv + optind, &q, deny_usage);
}
