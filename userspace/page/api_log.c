/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What comes from logs: `holdfast log`, `tree` and `report` in processes of their own.
 */
#include <dirent.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <sys/stat.h>

#include "audit/place.h"
#include "base/clock.h"
#include "base/dirs.h"
#include "base/io.h"
#include "base/sha256.h"
#include "control/client.h"
#include "page/command.h"

#include "page/page_private.h"

#define LOGS_MAX   ((size_t)500)
#define LIMIT_MAX  1000
#define WORD_MAX   256 /* bytes of an argument of a filter */
#define OUTPUT_MAX ((size_t)8 << 20)
#define ARGS_MAX   40
#define ERR_MAX    2048

struct args {
	const char *v[ARGS_MAX];
	size_t n;
};

static void add(struct args *a, const char *s)
{
	if (a->n + 1 < ARGS_MAX)
		a->v[a->n++] = s;
}

/*
 * The log of the session that the URL names, a living one wherever its log is, else one of the
 * default place. Return: a heap string; NULL: the reply says why.
 */
static char *find_log(struct request *q)
{
	const char *name = request_argument(q, "session");
	_cleanup_(freep) char *state = NULL;
	char *path;

	if (!guard_is_session_name(name)) {
		request_fail(q, MHD_HTTP_BAD_REQUEST, "expected the name of a session");
		return NULL;
	}
	path = feed_log_of(q->page->feed, name);
	if (path)
		return path;
	state = dirs_state();
	path = state ? str_format("%s/%s" PLACE_SUFFIX, state, name) : NULL;
	if (!path || access(path, R_OK) < 0) {
		free(path);
		request_fail(q, MHD_HTTP_NOT_FOUND, "there is no log of this session");
		return NULL;
	}
	return path;
}

/* Return: true; false: the reply says why not. A damaged log (status 1) still says something. */
static bool run(struct request *q, struct args *a, struct strbuf *out, bool *ret_is_cut)
{
	_cleanup_(strbuf_fini) struct strbuf err = STRBUF_INIT(ERR_MAX);
	int r = command_run(q->page->config.program, a->v, out, &err);

	*ret_is_cut = r == -EMSGSIZE;
	if (r == -EMSGSIZE || ((r == 0 || r == 1) && out->len)) {
		out->error = 0;
		return true;
	}
	if (r == 0)
		return true;
	if (r == -ETIMEDOUT)
		request_fail(q, MHD_HTTP_GATEWAY_TIMEOUT,
			     "this takes too long here; the command line has the time");
	else
		request_fail(q, r > 0 ? MHD_HTTP_BAD_REQUEST : MHD_HTTP_BAD_GATEWAY,
			     err.len ? strbuf_str(&err) : "the log cannot be read");
	return false;
}

/* ---- log */

/* Arguments of the URL and options of `holdfast log`. */
static const char *const filters[][2] = {
	{"kind", "--kind"}, {"op", "--op"},     {"verdict", "--verdict"},
	{"rule", "--rule"}, {"tool", "--tool"}, {"path", "--path"},
	{"pid", "--pid"},   {"text", "--text"}, {"since", "--since"}};

static bool add_filters(struct request *q, struct args *a)
{
	for (size_t i = 0; i < ARRAY_SIZE(filters); i++) {
		const char *value = request_argument(q, filters[i][0]);

		if (!*value)
			continue;
		if (strlen(value) > WORD_MAX) {
			request_fail(q, MHD_HTTP_BAD_REQUEST, "this filter is too long");
			return false;
		}
		add(a, filters[i][1]);
		add(a, value);
	}
	return true;
}

/* Whole lines only, with a comma between: each is an object. */
static void join_lines(const struct strbuf *lines, struct strbuf *out)
{
	const char *p = strbuf_str(lines), *end;
	bool is_first = true;

	for (; (end = strchr(p, '\n')); p = end + 1) {
		if (!is_first)
			strbuf_add_char(out, ',');
		strbuf_add(out, p, (size_t)(end - p));
		is_first = false;
	}
}

void api_log(struct request *q)
{
	_cleanup_(strbuf_fini) struct strbuf lines = STRBUF_INIT(OUTPUT_MAX);
	const char *wanted = request_argument(q, "limit");
	_cleanup_(freep) char *path = find_log(q);
	struct args a = {};
	uint64_t limit = 200;
	bool is_cut;
	struct json j;

	if (!path)
		return;
	if (*wanted && (parse_u64(bytes_of(wanted), LIMIT_MAX, &limit) < 0 || !limit)) {
		request_fail(q, MHD_HTTP_BAD_REQUEST, "limit: expected 1 to 1000");
		return;
	}
	add(&a, "holdfast");
	add(&a, "log");
	add(&a, "--json");
	/* The newest first: what is cut off is the oldest. */
	add(&a, "--reverse");
	add(&a, "--limit");
	add(&a, *wanted ? wanted : "200");
	if (!add_filters(q, &a))
		return;
	add(&a, "--");
	add(&a, path);
	if (!run(q, &a, &lines, &is_cut))
		return;
	j = request_json(q);
	json_key_bool(&j, "cut", is_cut);
	strbuf_add_str(&q->out, ",\"records\":[");
	join_lines(&lines, &q->out);
	strbuf_add_str(&q->out, "]");
	json_end_object(&j);
}

/* ---- grants, those of the user's file and of each session */

void api_grants(struct request *q)
{
	_cleanup_(strbuf_fini) struct strbuf lines = STRBUF_INIT(OUTPUT_MAX);
	struct args a = {};
	bool is_cut;
	struct json j;

	add(&a, "holdfast");
	add(&a, "grants");
	add(&a, "--json");
	if (!run(q, &a, &lines, &is_cut))
		return;
	j = request_json(q);
	json_key_bool(&j, "cut", is_cut);
	strbuf_add_str(&q->out, ",\"grants\":[");
	join_lines(&lines, &q->out);
	strbuf_add_str(&q->out, "]");
	json_end_object(&j);
}

void api_revoke(struct request *q)
{
	_cleanup_(strbuf_fini) struct strbuf out = STRBUF_INIT(ERR_MAX);
	json_t *root = json_loadb(strbuf_str(&q->body), q->body.len, JSON_REJECT_DUPLICATES, NULL);
	const char *id = json_string_value(json_object_get(root, "id"));
	bool is_good = json_object_size(root) == 1 && id && control_is_id(id), is_cut;
	_cleanup_(freep) char *word = is_good ? strdup(id) : NULL;
	struct args a = {};
	struct json j;

	json_decref(root);
	if (!word) {
		request_fail(q, MHD_HTTP_BAD_REQUEST, "expected the id of a grant");
		return;
	}
	add(&a, "holdfast");
	add(&a, "revoke");
	add(&a, word);
	if (!run(q, &a, &out, &is_cut))
		return;
	j = request_json(q);
	json_key_cstr(&j, "revoked", word);
	json_end_object(&j);
}

/* ---- tree */

void api_tree(struct request *q)
{
	_cleanup_(freep) char *path = find_log(q);
	struct args a = {};
	bool is_cut;

	if (!path)
		return;
	add(&a, "holdfast");
	add(&a, "tree");
	add(&a, "--json");
	add(&a, "--");
	add(&a, path);
	if (!run(q, &a, &q->out, &is_cut))
		return;
	if (is_cut) {
		request_fail(q, MHD_HTTP_BAD_GATEWAY,
			     "this session has too many processes to show "
			     "here: see `holdfast tree`");
		return;
	}
	q->status = MHD_HTTP_OK;
	q->type = "application/json";
}

/* ---- report */

/* The style sheet stands before anything of the log, and it alone may apply: no markup that a log
 * could bring in has a style. */
static bool hash_style(const struct strbuf *html, char *out, size_t size)
{
	static const char open[] = "<style>", close[] = "</style>";
	const char *begin = strstr(strbuf_str(html), open), *end;
	unsigned char hash[SHA256_BYTES];

	if (!begin ||
	    size < sodium_base64_encoded_len(SHA256_BYTES, sodium_base64_VARIANT_ORIGINAL))
		return false;
	begin += sizeof(open) - 1;
	end = strstr(begin, close);
	if (!end)
		return false;
	sha256((struct bytes){.p = begin, .len = (size_t)(end - begin)}, hash);
	(void)sodium_bin2base64(out, size, hash, sizeof(hash), sodium_base64_VARIANT_ORIGINAL);
	return true;
}

void api_report(struct request *q)
{
	_cleanup_(freep) char *path = find_log(q);
	struct args a = {};
	bool is_cut;

	if (!path)
		return;
	add(&a, "holdfast");
	add(&a, "report");
	add(&a, "--html");
	add(&a, "--");
	add(&a, path);
	if (!run(q, &a, &q->out, &is_cut))
		return;
	if (is_cut || !hash_style(&q->out, q->style_hash, sizeof(q->style_hash))) {
		request_fail(q, MHD_HTTP_BAD_GATEWAY, "the report could not be made");
		return;
	}
	q->status = MHD_HTTP_OK;
	q->type = "text/html; charset=utf-8";
}

/* ---- which logs there are */

struct found {
	char name[GUARD_NAME_MAX + 1];
	struct stat st;
};

static int compare_found(const void *a, const void *b)
{
	const struct found *x = a, *y = b;

	return (x->st.st_mtime < y->st.st_mtime) - (x->st.st_mtime > y->st.st_mtime);
}

static size_t list_logs(const char *dir, struct found *out, size_t max)
{
	static const struct bytes suffix = {PLACE_SUFFIX, sizeof(PLACE_SUFFIX) - 1};
	_cleanup_(io_closedirp) DIR *d = opendir(dir);
	const struct dirent *e;
	size_t n = 0;

	while (d && n < max && (e = readdir(d))) {
		size_t len = strlen(e->d_name);

		if (len <= suffix.len || len - suffix.len > GUARD_NAME_MAX ||
		    !bytes_has_suffix((struct bytes){e->d_name, len}, suffix))
			continue;
		memcpy(out[n].name, e->d_name, len - suffix.len);
		out[n].name[len - suffix.len] = '\0';
		if (guard_is_session_name(out[n].name) &&
		    fstatat(dirfd(d), e->d_name, &out[n].st, AT_SYMLINK_NOFOLLOW) == 0 &&
		    S_ISREG(out[n].st.st_mode))
			n++;
	}
	return n;
}

void api_add_logs(struct json *j)
{
	const size_t max = 8 * LOGS_MAX;
	_cleanup_(freep) struct found *found = calloc(max, sizeof(*found));
	_cleanup_(freep) char *state = dirs_state();
	size_t n = found && state ? list_logs(state, found, max) : 0;

	if (n)
		qsort(found, n, sizeof(*found), compare_found);
	json_key(j, "logs");
	json_begin_array(j);
	for (size_t i = 0; i < MIN(n, LOGS_MAX); i++) {
		char time[CLOCK_RFC3339_SIZE];

		clock_format_rfc3339((uint64_t)found[i].st.st_mtime * NS_PER_SEC, time);
		json_begin_object(j);
		json_key_cstr(j, "session", found[i].name);
		json_key_cstr(j, "written", time);
		json_key_u64(j, "size", (uint64_t)found[i].st.st_size);
		json_end_object(j);
	}
	json_end_array(j);
}
