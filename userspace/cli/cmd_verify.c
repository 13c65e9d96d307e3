/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `holdfast verify`: whether logs were changed since they were written, and where.
 */
#include <inttypes.h>
#include <stdio.h>

#include "audit/place.h"
#include "audit/verify.h"
#include "base/escape.h"
#include "base/json.h"
#include "base/say.h"

#include "cli/commands.h"
#include "cli/options.h"

#define VERIFY_TEXT_MAX ((size_t)4 << 20)

static const char usage[] =
	"usage: holdfast verify [--keys LIST | --key PUB] [--json] [FILE|SESSION]...\n"
	"\n"
	"Tells whether logs (default: the newest session's) were changed since they were written: lines\n"
	"edited, removed, inserted, reordered or cut off, and which. Checks the chain of hashes through a log\n"
	"and the closed files FILE.1, FILE.2.zst, ... before it, the numbers of the records, and the\n"
	"signatures of the checkpoints.\n"
	"\n"
	"  --keys LIST   the list of keys of the host that wrote the log (default: this host's)\n"
	"  --key PUB     one public key (PEM) that has to have signed all of it\n"
	"  --json        one JSON object instead of text\n"
	"\n"
	"Exit status: 0 nothing was changed; 1 something was, or a log cannot be read; 2 wrong usage.\n";

struct view {
	bool is_json;
	struct strbuf text;
	struct json json;
	struct keylist *keys; /* NULL: there is none, or --key was given */
	struct pubkey key;
	bool has_key; /* --key */
	const char *keys_path, *key_path;
	bool is_bad;
};

static void tell(const struct verify_finding *f, void *arg)
{
	struct view *v = arg;

	v->is_bad |= verify_is_bad(f->what);
	if (!v->is_json) {
		const char *note = verify_is_bad(f->what) ? "" : "note: ";

		(void)fflush(stdout);
		if (f->line)
			say("%s:%" PRIu64 ": %s%s", f->file, f->line, note, f->text);
		else
			say("%s: %s%s", f->file, note, f->text);
		return;
	}
	json_begin_object(&v->json);
	json_key_cstr(&v->json, "file", f->file);
	json_key(&v->json, "line");
	if (f->line)
		json_u64(&v->json, f->line);
	else
		json_none(&v->json);
	json_key_cstr(&v->json, "what", verify_word(f->what));
	json_key_bool(&v->json, "bad", verify_is_bad(f->what));
	json_key_cstr(&v->json, "text", f->text);
	json_end_object(&v->json);
}

static void sum_up_text(const struct view *v, const char *path, const struct verify_result *r)
{
	_cleanup_(strbuf_fini) struct strbuf out = STRBUF_INIT(VERIFY_TEXT_MAX);

	escape_terminal(&out, bytes_of(path));
	strbuf_add_fmt(&out, ": %" PRIu64 " lines", r->lines);
	if (r->files > 1)
		strbuf_add_fmt(&out, " in %" PRIu64 " files", r->files);
	strbuf_add_fmt(&out, ", %" PRIu64 " session%s; ", r->sessions, r->sessions == 1 ? "" : "s");
	if (v->has_key || v->keys)
		strbuf_add_fmt(&out, "%" PRIu64 " of them signed, by %" PRIu64 " checkpoint%s; ",
			       r->signed_lines, r->checkpoints, r->checkpoints == 1 ? "" : "s");
	else
		strbuf_add_str(&out, "signatures not checked: there is no list of keys; ");
	if (r->n_bad)
		strbuf_add_fmt(&out, "CHANGED: %" PRIu64 " finding%s", r->n_bad,
			       r->n_bad == 1 ? "" : "s");
	else
		strbuf_add_str(&out, "nothing was changed");
	(void)puts(strbuf_str(&out));
}

static void sum_up_json(struct view *v, const struct verify_result *r)
{
	struct json *j = &v->json;

	json_end_array(j);
	json_key_u64(j, "unlisted", r->n_untold);
	json_key_u64(j, "files", r->files);
	json_key_u64(j, "lines", r->lines);
	json_key_u64(j, "sessions", r->sessions);
	json_key_u64(j, "checkpoints", r->checkpoints);
	json_key_u64(j, "signed_lines", r->signed_lines);
	json_key_u64(j, "bad", r->n_bad);
	json_end_object(j);
}

static void verify_path(struct view *v, const char *path)
{
	const struct verify_config config = {
		.keys = v->keys, .key = v->has_key ? &v->key : NULL, .tell = tell, .arg = v};
	struct verify_result result = {};
	struct diag d = {};
	int r;

	if (v->is_json) {
		json_begin_object(&v->json);
		json_key_cstr(&v->json, "log", path);
		json_key(&v->json, "findings");
		json_begin_array(&v->json);
	}
	r = verify_log(path, &config, &result, &d);
	if (r < 0) {
		say("%s", d.message);
		v->is_bad = true;
	}
	v->is_bad |= result.n_bad > 0;
	if (v->is_json)
		sum_up_json(v, &result);
	else if (r == 0)
		sum_up_text(v, path, &result);
}

static void verify_what(struct view *v, const char *what)
{
	_cleanup_(freep) char *path = NULL;
	struct diag d = {};

	if (audit_find(what, &path, &d) < 0) {
		say("%s", d.message);
		v->is_bad = true;
		return;
	}
	verify_path(v, path);
}

/* A host that has no list yet may have what there was before. Return: 0; -ENOENT; -errno with
 * @reterr_diag. */
static int load_old_key(struct view *v, const char *list, struct diag *reterr_diag)
{
	_cleanup_(freep) char *path = keylist_old_public(list);
	struct pubkey k;
	int r = path ? pubkey_load(path, &k, reterr_diag) : -ENOMEM;

	if (r == 0)
		r = keylist_parse(list, BYTES_NULL, &v->keys, reterr_diag);
	return r < 0 ? r : keylist_add_host(v->keys, &k);
}

/* --key, --keys, or this host's list if it has one. Return: 0; -errno after saying what is wrong.
 */
static int load_keys(struct view *v)
{
	_cleanup_(freep) char *own = NULL;
	const char *path = v->keys_path;
	struct diag d = {};
	int r;

	if (v->key_path) {
		r = pubkey_load(v->key_path, &v->key, &d);
		v->has_key = r == 0;
	} else {
		if (!path)
			path = own = keylist_path();
		if (!path)
			return 0;
		r = keylist_load(path, &v->keys, &d);
		if (r == -ENOENT && own)
			r = load_old_key(v, own, &d);
	}
	if (r == -ENOENT && own) {
		say("this host has no list of keys yet ('%s'), so signatures are not checked; "
		    "--keys names another host's",
		    own);
		return 0;
	}
	if (r < 0)
		say("%s", d.message);
	return r;
}

/* Return: 0; OPTIONS_HELPED; -EINVAL after saying what is wrong. */
static int parse_options(int argc, char **argv, struct view *v)
{
	const struct option_row rows[] = {{"keys", .value = &v->keys_path},
					  {"key", .value = &v->key_path},
					  {"json", .flag = &v->is_json},
					  {}};
	const struct options options = {.command = "verify", .usage = usage, .rows = rows};
	int r = options_read(&options, argc, argv);

	if (r == 0 && v->keys_path && v->key_path) {
		say("--keys and --key do not go together");
		return -EINVAL;
	}
	return r;
}

static void begin_json(struct view *v)
{
	char id[PUBKEY_ID_HEX + 1];

	v->json = JSON_INIT(&v->text);
	if (!v->is_json)
		return;
	if (v->has_key)
		pubkey_id(&v->key, id);
	json_begin_object(&v->json);
	json_key_u64(&v->json, "v", 1);
	json_key_cstr(&v->json, "key", v->has_key ? id : NULL);
	json_key(&v->json, "logs");
	json_begin_array(&v->json);
}

int cmd_verify(int argc, char **argv)
{
	struct view v = {.text = STRBUF_INIT(VERIFY_TEXT_MAX)};
	int r = parse_options(argc, argv, &v);

	if (r)
		return r < 0 ? 2 : 0;
	if (load_keys(&v) < 0)
		return 1;
	begin_json(&v);
	if (optind == argc)
		verify_what(&v, NULL);
	for (int i = optind; i < argc; i++)
		verify_what(&v, argv[i]);
	if (v.is_json) {
		json_end_array(&v.json);
		json_key_bool(&v.json, "ok", !v.is_bad);
		json_end_object(&v.json);
		(void)puts(strbuf_error(&v.text) ? "{}" : strbuf_str(&v.text));
	}
	strbuf_fini(&v.text);
	keylist_free(v.keys);
	return fflush(stdout) != 0 || v.is_bad;
}
