/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>

#include "base/say.h"
#include "control/client.h"
#include "control/shown.h"

#include "cli/why_inside.h"

#define TEXT_MAX   ((size_t)16 * 1024)
#define SHOW_BYTES 600

struct inside {
	struct control_request request;
	json_t *reply; /* NULL: no answer */
};

static int ask(struct control_client *c, void *arg)
{
	struct inside *in = arg;
	int r = control_call(c, &in->request, &in->reply);

	if (r != 0) {
		json_decref(in->reply);
		in->reply = NULL;
	}
	return 1;
}

static void refused(const char *session, int error, const char *message, void *arg)
{
	(void)session;
	(void)error;
	(void)message; /* not of this session: the log is what is left */
	(void)arg;
}

static bool has(const json_t *o, const char *key)
{
	return json_string_length(json_object_get(o, key)) > 0;
}

static void add_line(struct strbuf *out, const json_t *o, const char *words, const char *key)
{
	if (!has(o, key))
		return;
	strbuf_add_str(out, words);
	shown_add(out, o, key, SHOW_BYTES);
	strbuf_add_char(out, '\n');
}

/* Sentences: what happened, why, what to do, and what not to. */
static void tell(const json_t *o, struct strbuf *out)
{
	json_int_t times = json_integer_value(json_object_get(o, "times"));

	strbuf_add_str(out, "Denied: ");
	shown_add(out, o, "op", SHOW_BYTES);
	strbuf_add_char(out, ' ');
	shown_add(out, o, has(o, "command") ? "command" : "object", SHOW_BYTES);
	strbuf_add_str(out, " (");
	shown_add(out, o, "errno", SHOW_BYTES);
	strbuf_add_str(out, ")\n");
	add_line(out, o, "Reason: ", "reason");
	add_line(out, o, "Instead: ", "suggest");
	if (has(o, "rule")) {
		strbuf_add_str(out, "Rule: ");
		shown_add(out, o, "rule", SHOW_BYTES);
		strbuf_add_str(out, " of policy ");
		shown_add(out, o, "policy", SHOW_BYTES);
		strbuf_add_char(out, '\n');
	}
	add_line(out, o, "Answered by: ", "approver");
	if (json_is_false(json_object_get(o, "repeating_helps")))
		strbuf_add_fmt(out,
			       "This was denied %lld times. Repeating it will not help: it is "
			       "answered more and more slowly, and the session may be ended. Do "
			       "something else, or ask the user.\n",
			       (long long)times);
	else
		strbuf_add_str(out, "This is policy, not a fault: do not work around it; take "
				    "another way, or ask the user.\n");
}

static int print(const json_t *denial, bool is_json)
{
	_cleanup_(strbuf_fini) struct strbuf out = STRBUF_INIT(TEXT_MAX);
	int r;

	if (is_json) {
		r = json_dumpf(denial, stdout, JSON_ENSURE_ASCII | JSON_INDENT(2)) < 0 ||
		    putchar('\n') == EOF;
	} else {
		tell(denial, &out);
		r = fputs(strbuf_str(&out), stdout) == EOF;
	}
	return r || fflush(stdout) != 0;
}

bool why_inside(const char *id, bool is_json, int *ret_status)
{
	struct inside in = {.request.op = CONTROL_WHY};
	const char *path = getenv(CONTROL_SPEND_ENV);
	const json_t *denials;

	if (!path || !path[0] || (id && !control_is_id(id)))
		return false;
	if (id)
		memcpy(in.request.id, id, HELD_ID_SIZE);
	if (control_at(path, ask, refused, &in) < 0 || !in.reply)
		return false;
	denials = json_object_get(in.reply, "denials");
	if (json_array_size(denials) == 0) {
		say(id ? "nothing was denied with that id" : "nothing was denied in this session");
		*ret_status = 1;
	} else {
		*ret_status = print(json_array_get(denials, 0), is_json);
	}
	json_decref(in.reply);
	return true;
}
