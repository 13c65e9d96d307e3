/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `holdfast grants` and `revoke`. The user's file is read here; sessions are asked for what only
 * they have, and how often each was used.
 */
#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/say.h"
#include "control/client.h"
#include "control/grantstore.h"
#include "control/shown.h"

#include "cli/commands.h"
#include "cli/options.h"
#include "cli/grants_policy.h"

#define SHOW_BYTES 400
#define TEXT_MAX   ((size_t)64 * 1024)

static const char grants_usage[] =
	"usage: holdfast grants [--json]\n"
	"       holdfast grants --write-policy FILE [--yes]\n"
	"\n"
	"Lists the answers that hold beyond the action that they were given to: yours that are kept,\n"
	"and those of your running sessions.\n"
	"\n"
	"  --json               one JSON object a line for each\n"
	"  --write-policy FILE  turns those that hold always into rules of the policy FILE, before the\n"
	"                       rule that asked: shows what would change, and asks\n"
	"  --yes                does not ask\n"
	"\n"
	"Exit status: 0; 1 it did not work, or was not wanted; 2 wrong usage.\n";

static const char revoke_usage[] =
	"usage: holdfast revoke ID... | --all\n"
	"\n"
	"Ends grants, at once and in all sessions. `holdfast grants` lists them.\n"
	"\n"
	"Exit status: 0 all ended, 1 not all, 2 wrong usage.\n";

/* ---- what sessions have */

struct gathering {
	json_t *found; /* an array of what sessions said, each with "session" */
	bool has_failed;
};

static int gather(struct control_client *c, void *arg)
{
	struct control_request q = {.op = CONTROL_GRANTS};
	struct gathering *g = arg;
	uint64_t next = 0;

	do {
		_cleanup_(json_decrefp) json_t *reply = NULL;
		const json_t *list;

		q.after = next;
		if (control_call(c, &q, &reply) != 0) {
			g->has_failed = true;
			return 0;
		}
		list = json_object_get(reply, "grants");
		for (size_t i = 0; i < json_array_size(list); i++) {
			json_t *o = json_array_get(list, i);

			(void)json_object_set_new(o, "session", json_string(c->session));
			(void)json_array_append(g->found, o);
		}
		next = (uint64_t)MAX(json_integer_value(json_object_get(reply, "next")), 0);
	} while (next > q.after);
	return 0;
}

static void refused(const char *session, int error, const char *message, void *arg)
{
	struct gathering *g = arg;

	(void)error;
	g->has_failed = true;
	say("session %s: %.*s", session, SHOW_BYTES, message);
}

static bool is_id(const json_t *o, const char *id)
{
	const char *own = json_string_value(json_object_get(o, "id"));

	return own && streq(own, id);
}

/* ---- one grant */

static void add_end(struct strbuf *out, const json_t *o)
{
	uint64_t now_ns = clock_boottime_ns(), end_ns;

	strbuf_add_str(out, "  for      ");
	end_ns = (uint64_t)MAX(json_integer_value(json_object_get(o, "expires")), 0);
	if (end_ns)
		strbuf_add_fmt(out, "%" PRIu64 " s more",
			       end_ns > now_ns ? (end_ns - now_ns) / NS_PER_SEC : 0);
	else
		shown_add(out, o, "for", SHOW_BYTES);
	strbuf_add_char(out, '\n');
}

static void print_text(const json_t *o, uint64_t used)
{
	_cleanup_(strbuf_fini) struct strbuf out = STRBUF_INIT(TEXT_MAX);
	static const char *const rows[] = {"agent", "by", "rule", "reason", "made", "session"};

	shown_add(&out, o, "id", SHOW_BYTES);
	strbuf_add_str(&out, "  ");
	shown_add(&out, o, "verdict", SHOW_BYTES);
	strbuf_add_char(&out, ' ');
	shown_add(&out, o, "covers", SHOW_BYTES);
	strbuf_add_char(&out, '\n');
	add_end(&out, o);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		if (!json_string_length(json_object_get(o, rows[i])))
			continue;
		strbuf_add_fmt(&out, "  %-8s ", rows[i]);
		shown_add(&out, o, rows[i], SHOW_BYTES);
		strbuf_add_char(&out, '\n');
	}
	strbuf_add_fmt(&out, "  used     %" PRIu64 " times by running sessions\n", used);
	(void)fputs(strbuf_str(&out), stdout);
}

static void print_one(json_t *o, uint64_t used, bool is_json)
{
	char *text;

	if (!is_json) {
		print_text(o, used);
		return;
	}
	(void)json_object_set_new(o, "used", json_integer((json_int_t)used));
	text = json_dumps(o, JSON_COMPACT | JSON_ENSURE_ASCII);
	(void)puts(text ? text : "null");
	free(text);
}

static json_t *kept_to_json(const struct grant_rule *g)
{
	_cleanup_(strbuf_fini) struct strbuf text = STRBUF_INIT(TEXT_MAX);
	_cleanup_(strbuf_fini) struct strbuf words = STRBUF_INIT(TEXT_MAX);
	struct json j = JSON_INIT(&text);

	grant_rule_describe(g, &words);
	json_begin_object(&j);
	grant_rule_to_json(g, &j);
	json_key_cstr(&j, "covers", strbuf_str(&words));
	json_end_object(&j);
	return strbuf_error(&text) ? NULL : json_loadb(text.p, text.len, 0, NULL);
}

/* Kept ones once, whichever sessions use them; then those of single sessions. */
static size_t print_all(const struct grantlist *kept, const json_t *found, bool is_json)
{
	size_t n = 0;

	for (size_t i = 0; i < kept->n; i++, n++) {
		_cleanup_(json_decrefp) json_t *o = kept_to_json(kept->rules[i]);
		uint64_t used = 0;

		for (size_t k = 0; k < json_array_size(found); k++) {
			const json_t *other = json_array_get(found, k);

			if (is_id(other, kept->rules[i]->id))
				used += (uint64_t)json_integer_value(
					json_object_get(other, "used"));
		}
		if (o)
			print_one(o, used, is_json);
	}
	for (size_t k = 0; k < json_array_size(found); k++) {
		json_t *o = json_array_get(found, k);
		const char *id = json_string_value(json_object_get(o, "id"));

		if (!id || grantlist_find(kept, id))
			continue;
		print_one(o, (uint64_t)json_integer_value(json_object_get(o, "used")), is_json);
		n++;
	}
	return n;
}

static void store_freep(struct grantstore **s)
{
	grantstore_free(*s);
}

static int open_store(struct grantstore **ret)
{
	struct diag d = {};
	char text[1280];
	int r = grantstore_open(NULL, ret, &d);

	if (r < 0) {
		diag_format(&d, text, sizeof(text));
		say("%s", text);
	}
	return r;
}

static int read_kept(struct grantlist *l)
{
	_cleanup_(store_freep) struct grantstore *store = NULL;
	struct diag d = {};
	char text[1280];
	int r = open_store(&store);

	if (r == 0 && (r = grantstore_read(store, l, &d)) < 0) {
		diag_format(&d, text, sizeof(text));
		say("%s", text);
	}
	return r;
}

static int list(bool is_json)
{
	_cleanup_(grantlist_fini) struct grantlist kept = {};
	_cleanup_(json_decrefp) json_t *found = json_array();
	struct gathering g = {.found = found};
	int r = read_kept(&kept);
	size_t n;

	if (control_each_session(NULL, gather, refused, &g) < 0)
		g.has_failed = true;
	n = print_all(&kept, found, is_json);
	if (n == 0 && !is_json && r == 0)
		(void)puts("there are no grants");
	return fflush(stdout) != 0 || r < 0 || g.has_failed;
}

int cmd_grants(int argc, char **argv)
{
	_cleanup_(grantlist_fini) struct grantlist kept = {};
	const char *policy = NULL;
	bool is_json = false, is_sure = false;
	const struct option_row rows[] = {{"json", .flag = &is_json},
					  {"write-policy", .value = &policy},
					  {"yes", .flag = &is_sure},
					  {}};
	const struct options options = {.command = "grants", .usage = grants_usage, .rows = rows};
	int r = options_read_operands(&options, argc, argv, 0);

	if (r)
		return r == OPTIONS_HELPED ? 0 : 2;
	if (is_sure && !policy) {
		say("--yes is for --write-policy FILE");
		return 2;
	}
	if (!policy)
		return list(is_json);
	return read_kept(&kept) < 0 ? 1 : grants_write_policy(&kept, policy, is_sure);
}

/* ---- revoke */

static int remove_one(struct grantlist *l, void *arg)
{
	return grantlist_remove(l, arg) ? 0 : 1;
}

static int revoke_in(struct control_client *c, void *arg)
{
	_cleanup_(json_decrefp) json_t *reply = NULL;

	return control_call(c, arg, &reply) == 0 ? 1 : 0;
}

static void not_there(const char *session, int error, const char *message, void *arg)
{
	(void)session;
	(void)error;
	(void)message; /* one that would not have us has none of ours */
	(void)arg;
}

/*
 * A session first: it writes in its log who did it. The file where none has it. Return: whether it
 * is gone.
 */
static bool end_grant(const char *id)
{
	_cleanup_(store_freep) struct grantstore *store = NULL;
	struct control_request q = {.op = CONTROL_REVOKE};
	struct diag d = {};
	char text[1280];
	int r;

	if (!control_is_id(id)) {
		say("'%.*s' is no grant's id; `holdfast grants` lists them", SHOW_BYTES, id);
		return false;
	}
	memcpy(q.id, id, sizeof(q.id));
	if (control_each_session(NULL, revoke_in, not_there, &q) == 1)
		return true;
	if (open_store(&store) < 0)
		return false;
	r = grantstore_change(store, remove_one, (void *)(uintptr_t)id, &d);
	if (r == 1)
		say("no grant '%s'; `holdfast grants` lists them", id);
	if (r < 0) {
		diag_format(&d, text, sizeof(text));
		say("%s", text);
	}
	return r == 0;
}

static int revoke_all(void)
{
	_cleanup_(grantlist_fini) struct grantlist kept = {};
	_cleanup_(json_decrefp) json_t *found = json_array();
	struct gathering g = {.found = found};
	int status = read_kept(&kept) < 0;

	(void)control_each_session(NULL, gather, refused, &g);
	for (size_t i = 0; i < kept.n; i++)
		if (!end_grant(kept.rules[i]->id))
			status = 1;
	for (size_t k = 0; k < json_array_size(found); k++) {
		const char *id = json_string_value(json_object_get(json_array_get(found, k), "id"));

		if (id && !grantlist_find(&kept, id) && !end_grant(id))
			status = 1;
	}
	return status || g.has_failed;
}

int cmd_revoke(int argc, char **argv)
{
	bool is_all = false;
	const struct option_row rows[] = {{"all", .flag = &is_all}, {}};
	const struct options options = {.command = "revoke", .usage = revoke_usage, .rows = rows};
	int status = 0, r = options_read(&options, argc, argv);

	if (r)
		return r == OPTIONS_HELPED ? 0 : 2;
	if (is_all == (optind < argc)) {
		(void)fputs(revoke_usage, stderr);
		return 2;
	}
	if (is_all)
		return revoke_all();
	for (char **id = argv + optind; *id; id++) {
		if (end_grant(*id))
			(void)printf("revoked %s\n", *id);
		else
			status = 1;
	}
	return fflush(stdout) == 0 ? status : 1;
}
