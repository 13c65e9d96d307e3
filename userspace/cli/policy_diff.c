/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `holdfast policy diff A B`: the actions on which two policies differ. Actions are made from what
 * both policies speak of, with some that every agent does; or they are given.
 */
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>

#include "base/escape.h"
#include "base/io.h"
#include "base/json.h"
#include "base/say.h"
#include "policy/sample.h"

#include "cli/policy_commands.h"
#include "cli/policy_use.h"

#define DIFF_MEM_MAX    ((size_t)512 << 20)
#define DIFF_OUTPUT_MAX ((size_t)64 << 20)
#define DIFF_INPUT_MAX  ((size_t)64 << 20)

static const char usage[] =
	"usage: holdfast policy diff [OPTIONS] A B\n"
	"\n"
	"Says for which actions the policies A and B (names or files) decide otherwise. The actions are\n"
	"made from what the rules of both speak of, with some that every agent does.\n"
	"\n"
	"      --actions FILE  these instead: JSON, one a line, as for `holdfast policy eval`\n"
	"      --json          {\"actions\": N, \"differences\": [{action, a, b}...]}\n"
	"      --language L, --default V, --home D, --project D\n"
	"                      as for `holdfast policy eval`\n"
	"\n"
	"Exit status: 0 no difference, 1 some, 2 wrong usage, or a policy that cannot be read.\n";

enum {
	OPTION_JSON = 256,
	OPTION_ACTIONS,
};

struct diff {
	struct policy_use sides[2];
	const char *actions; /* file; NULL: made here */
	bool is_json;
	size_t n_actions, n_differences;
	struct arena mem; /* one action */
	struct arena seen_mem;
	struct bytes *seen; /* texts of the actions so far, an open hash table */
	size_t n_seen, seen_size;
	struct strbuf out; /* --json: elements */
};

/* ---- each action once */

static uint64_t hash_of(struct bytes text)
{
	uint64_t hash = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < text.len; i++)
		hash = (hash ^ (unsigned char)text.p[i]) * UINT64_C(0x100000001b3);
	return hash;
}

static size_t seen_slot(const struct diff *d, struct bytes text)
{
	size_t i = hash_of(text) & (d->seen_size - 1);

	while (d->seen[i].p && !bytes_eq(d->seen[i], text))
		i = (i + 1) & (d->seen_size - 1);
	return i;
}

static int grow_seen(struct diff *d)
{
	struct bytes *old = d->seen;
	size_t old_size = d->seen_size;

	d->seen_size = old_size ? old_size * 2 : 256;
	d->seen = calloc(d->seen_size, sizeof(*d->seen));
	if (!d->seen) {
		d->seen = old;
		d->seen_size = old_size;
		return -ENOMEM;
	}
	for (size_t i = 0; i < old_size; i++)
		if (old[i].p)
			d->seen[seen_slot(d, old[i])] = old[i];
	free(old);
	return 0;
}

/* Return: 1 it is new, 0 it is not, -ENOMEM. */
static int note_seen(struct diff *d, struct bytes text)
{
	size_t i;

	if (d->n_seen * 2 >= d->seen_size && grow_seen(d) < 0)
		return -ENOMEM;
	i = seen_slot(d, text);
	if (d->seen[i].p)
		return 0;
	d->seen[i] = arena_copy(&d->seen_mem, text.p, text.len);
	d->n_seen++;
	return d->seen[i].p ? 1 : -ENOMEM;
}

/* ---- one action */

static void add_side(struct json *j, const char *key, const struct policy_use_answer *a)
{
	const struct policy_source *s = &a->result.source;

	json_key(j, key);
	json_begin_object(j);
	json_key_cstr(j, "verdict", a->error ? NULL : verdict_name(a->result.verdict));
	json_key_cstr(j, "policy", s->policy);
	json_key_cstr(j, "rule", s->rule);
	json_key_cstr(j, "reason", s->reason);
	json_key_cstr(j, "error", a->error);
	json_end_object(j);
}

static void print_side(const struct policy_use_answer *a)
{
	const struct policy_source *s = &a->result.source;
	struct strbuf rule = STRBUF_INIT(4096);

	escape_terminal(&rule, bytes_of(s->rule && s->rule[0] ? s->rule : "default"));
	(void)printf("%s (%s)", a->error ? "error" : verdict_name(a->result.verdict),
		     strbuf_str(&rule));
	strbuf_fini(&rule);
}

static void tell(struct diff *d, struct bytes text, const struct policy_use_answer *a,
		 const struct policy_use_answer *b)
{
	struct json j = JSON_INIT(&d->out);
	struct strbuf safe = STRBUF_INIT(DIFF_INPUT_MAX);

	if (d->is_json) {
		if (d->out.len)
			strbuf_add_char(&d->out, ',');
		json_begin_object(&j);
		json_key_str(&j, "action", text);
		add_side(&j, "a", a);
		add_side(&j, "b", b);
		json_end_object(&j);
		return;
	}
	escape_terminal_max(&safe, text, 200);
	(void)printf("%s: ", strbuf_str(&safe));
	print_side(a);
	(void)printf(" -> ");
	print_side(b);
	(void)printf("\n");
	strbuf_fini(&safe);
}

static int compare(struct diff *d, struct apiaction *action, struct bytes text)
{
	struct policy_use_answer answers[2];
	int r = note_seen(d, text);

	if (r <= 0)
		return r;
	d->n_actions++;
	for (size_t i = 0; i < ARRAY_SIZE(answers); i++)
		policy_use_decide(&d->sides[i], action, 0, &answers[i]);
	if (answers[0].result.verdict == answers[1].result.verdict &&
	    !answers[0].error == !answers[1].error)
		return 0;
	d->n_differences++;
	tell(d, text, &answers[0], &answers[1]);
	return 0;
}

static struct bytes describe(struct diff *d, const struct policy_sample *s)
{
	struct strbuf text = STRBUF_INIT(DIFF_INPUT_MAX);
	struct bytes copy;

	strbuf_add_fmt(&text, "%s ", op_name(s->op));
	if (s->kind == KIND_TOOL)
		for (size_t i = 0; i < s->argc; i++) {
			strbuf_add_str(&text, i ? " " : "");
			strbuf_add_bytes(&text, s->argv[i]);
		}
	else if (s->kind == KIND_PATH)
		strbuf_add_bytes(&text, s->path);
	else
		strbuf_add_fmt(&text, "%.*s:%u/%s", (int)s->host.len, s->host.p, s->port,
			       policy_protocol_name(s->protocol));
	copy = strbuf_error(&text) ? BYTES_NULL : arena_copy(&d->mem, text.p, text.len);
	strbuf_fini(&text);
	return copy;
}

static int on_sample(void *ctx, const struct policy_sample *s)
{
	struct apiaction action = {};
	struct diff *d = ctx;
	struct bytes text;
	struct diag diag;
	int r;

	arena_reset(&d->mem);
	text = describe(d, s);
	if (!text.p)
		return -ENOMEM;
	if (s->kind == KIND_TOOL)
		r = apiaction_from_exec(s->argv, s->argc, BYTES_NULL, BYTES_NULL, &d->mem, &action);
	else if (s->kind == KIND_PATH)
		r = apiaction_from_path(s->op, s->path, &d->mem, &action);
	else
		r = apiaction_from_connect(s->op, s->protocol, s->host, s->port, &d->mem, &action,
					   &diag);
	/* A pattern's text need be no action: a host name of one label with a blank, say. */
	return r == -EINVAL ? 0 : r < 0 ? r : compare(d, &action, text);
}

static int compare_made(struct diff *d)
{
	const struct policy_vars vars = {.home = d->sides[0].real_home ? d->sides[0].real_home
								       : "/nonexistent",
					 .project = d->sides[0].real_project,
					 .tmp = d->sides[0].tmp};
	struct arena mem = ARENA_INIT(DIFF_MEM_MAX);
	int r = policy_common_samples(&vars, &mem, on_sample, d);

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(d->sides); i++)
		for (size_t j = 0; r == 0 && j < policy_stack_size(d->sides[i].set.stack); j++)
			r = policy_samples(policy_stack_get(d->sides[i].set.stack, j), &mem,
					   on_sample, d);
	arena_fini(&mem);
	return r;
}

static int compare_line(struct diff *d, struct bytes line, unsigned number)
{
	struct apiaction action = {};
	struct value *v = NULL;
	struct diag diag = {};
	int r;

	arena_reset(&d->mem);
	r = value_parse_json(line, &d->mem, &v, &diag);
	if (r == 0)
		r = apiaction_from_value(v, &d->mem, &action, &diag);
	if (r == -EINVAL)
		say("%s:%u: %s", d->actions, number, diag.message);
	return r < 0 ? r : compare(d, &action, line);
}

static int compare_given(struct diff *d)
{
	struct strbuf text = STRBUF_INIT(DIFF_INPUT_MAX);
	int r = io_read_file_at(AT_FDCWD, d->actions, &text);
	struct bytes rest = strbuf_bytes(&text);

	if (r < 0)
		say("%s: cannot read it: %s", d->actions, strerror(-r));
	for (unsigned number = 1; r == 0 && rest.len; number++) {
		const char *end = memchr(rest.p, '\n', rest.len);
		struct bytes line = {.p = rest.p, .len = end ? (size_t)(end - rest.p) : rest.len};

		if (line.len)
			r = compare_line(d, line, number);
		rest.p += MIN(line.len + 1, rest.len);
		rest.len -= MIN(line.len + 1, rest.len);
	}
	strbuf_fini(&text);
	return r;
}

/* ---- the command */

static int parse_options(struct diff *d, int argc, char **argv)
{
	static const struct option options[] = {
		POLICY_USE_OPTIONS,
		{"json", no_argument, NULL, OPTION_JSON},
		{"actions", required_argument, NULL, OPTION_ACTIONS},
		{}};
	const struct policy_use_own own[] = {
		{OPTION_JSON, .flag = &d->is_json}, {OPTION_ACTIONS, .value = &d->actions}, {}};
	const struct policy_use_command command = {.name = "policy diff",
						   .usage = usage,
						   .letters = ":h",
						   .options = options,
						   .own = own};
	int r = policy_use_parse(&command, argc, argv, &d->sides[0]);

	if (r)
		return r;
	if (argc - optind != 2) {
		say("policy diff: which two? holdfast policy diff A B");
		return -EINVAL;
	}
	d->sides[1] = d->sides[0];
	for (int i = 0; i < 2; i++) {
		d->sides[i].policies[0] = argv[optind + i];
		d->sides[i].n_policies = 1;
	}
	return 0;
}

static int diff_all(struct diff *d)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(d->sides); i++)
		r = policy_use_load(&d->sides[i]);
	if (r == 0)
		r = d->actions ? compare_given(d) : compare_made(d);
	if (r == 0 && d->is_json)
		r = strbuf_error(&d->out);
	if (r == -ENOMEM)
		say("out of memory");
	if (r < 0)
		return 2;
	if (d->is_json)
		(void)printf("{\"actions\":%zu,\"differences\":[%s]}\n", d->n_actions,
			     strbuf_str(&d->out));
	else
		(void)printf("%zu of %zu actions differ\n", d->n_differences, d->n_actions);
	return d->n_differences ? 1 : 0;
}

int policy_diff(int argc, char **argv)
{
	struct diff d = {.mem = ARENA_INIT(DIFF_MEM_MAX),
			 .seen_mem = ARENA_INIT(DIFF_MEM_MAX),
			 .out = STRBUF_INIT(DIFF_OUTPUT_MAX)};
	int status = parse_options(&d, argc, argv);

	if (status == 0)
		status = diff_all(&d);
	else
		status = status < 0 ? 2 : 0;
	for (size_t i = 0; i < ARRAY_SIZE(d.sides); i++)
		policy_use_fini(&d.sides[i]);
	arena_fini(&d.mem);
	arena_fini(&d.seen_mem);
	strbuf_fini(&d.out);
	free(d.seen);
	return status;
}
