/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `holdfast held`. What comes over a session's socket is printed escaped: the
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
	const char *id; /* only this one; NULL: all */
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

/* Where one answer serves many, or many have to answer. */
static void add_question(struct strbuf *out, const json_t *o)
{
	const json_t *by = json_object_get(o, "approved_by");
	uint64_t waiting = get_u64(o, "waiting"), before = get_u64(o, "asked_before");

	if (waiting > 1)
		strbuf_add_fmt(out,
			       "  %-8s %" PRIu64 " equal actions wait; one answer is for all\n", "",
			       waiting);
	if (before)
		strbuf_add_fmt(out, "  %-8s asked %" PRIu64 " times before in this session\n", "",
			       before);
	if (get_u64(o, "count") > 1)
		strbuf_add_fmt(out, "  %-8s %" PRIu64 " have to approve, %zu have\n", "",
			       get_u64(o, "count"), json_array_size(by));
}

/* The words of the session that would make the grant: what is shown is what would be granted. */
static void add_choices(struct strbuf *out, const json_t *o)
{
	const json_t *answers = json_object_get(o, "answers");

	strbuf_add_fmt(out, "  %-8s once (what waits now)\n", "choices");
	for (size_t i = 0; i < json_array_size(answers); i++) {
		const json_t *a = json_array_get(answers, i);

		strbuf_add_fmt(out, "  %-8s --scope ", "");
		add_escaped(out, a, "scope", SHOW_STRING_BYTES);
		strbuf_add_str(out, ": ");
		add_escaped(out, a, "covers", SHOW_STRING_BYTES);
		strbuf_add_char(out, '\n');
	}
	if (json_array_size(answers) == 0)
		return;
	strbuf_add_fmt(out, "  %-8s --for session, 30s to 12h, restart or always", "");
	if (json_is_string(json_object_get(o, "max_duration"))) {
		strbuf_add_str(out, "; the rule lets it be at most ");
		add_escaped(out, o, "max_duration", SHOW_STRING_BYTES);
	}
	strbuf_add_char(out, '\n');
}

static void print_entry(const json_t *o, const json_t *status, bool is_detailed)
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
	add_question(&out, o);
	if (is_detailed)
		add_choices(&out, o);
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
	if (argv[optind] && control_is_id(argv[optind]))
		l.id = argv[optind];
	r = control_each_session(l.id ? NULL : argv[optind], list_session, list_refused, &l);
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
