/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `holdfast held`. What comes over a session's socket is printed escaped: the
 * strings are the agent's, and for root the socket may be another user's.
 */
#include <stdio.h>

#include "base/say.h"
#include "control/client.h"

#include "cli/commands.h"
#include "cli/options.h"
#include "broker/held_text.h"

#define SHOW_STRING_BYTES 400

static const char held_usage[] =
	"usage: holdfast held [--json] [SESSION|ID]\n"
	"\n"
	"Lists the actions that wait for an answer, of all your sessions or of SESSION; or the one\n"
	"with that ID, with what each scope of an answer would cover. Equal actions are one question.\n"
	"Answer with `holdfast approve ID` or `holdfast deny ID`.\n"
	"\n"
	"  --json  one JSON object a line for each held action\n"
	"\n"
	"Exit status: 0 listed (also when nothing is held), 1 a session did not answer, or ID is not\n"
	"held, 2 wrong usage.\n";

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
	const char *id; /* only this one; NULL: all */
};

static void print_entry(const json_t *o, const json_t *status, bool is_detailed)
{
	_cleanup_(strbuf_fini) struct strbuf out = STRBUF_INIT(HELD_TEXT_MAX);

	held_text_entry(o, status, is_detailed, &out);
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

		const char *id = json_string_value(json_object_get(o, "id"));

		if (!json_is_object(o) || (l->id && (!id || !streq(id, l->id))))
			continue;
		if (l->is_json)
			print_json(o, status);
		else
			print_entry(o, status, l->id != NULL);
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
	struct listing l = {};
	const struct option_row rows[] = {{"json", .flag = &l.is_json}, {}};
	const struct options options = {.command = "held", .usage = held_usage, .rows = rows};
	int r = options_read_operands(&options, argc, argv, 1);

	if (r)
		return r == OPTIONS_HELPED ? 0 : 2;
	if (argv[optind] && control_is_id(argv[optind]))
		l.id = argv[optind];
	r = control_each_session_to_answer(l.id ? NULL : argv[optind], list_session, list_refused,
					   &l);
	if (l.id && l.count == 0 && r == 0) {
		say("no held action '%s'; `holdfast held` lists them", l.id);
		return 1;
	}
	if (argv[optind] && !l.id && !l.has_session && r == 0) {
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
