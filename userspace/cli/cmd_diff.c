/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `holdfast diff`: what one session did that the other did not.
 */
#include <stdio.h>

#include "base/escape.h"
#include "base/io.h"
#include "base/json.h"
#include "base/say.h"

#include "cli/commands.h"
#include "cli/facts.h"
#include "cli/log_each.h"
#include "cli/options.h"

#define DIFF_OUTPUT_MAX ((size_t)256 << 20)
#define DIFF_SHOWN_MAX  ((size_t)300)

static const char usage[] =
	"usage: holdfast diff [OPTIONS] FILE|SESSION FILE|SESSION\n"
	"\n"
	"Says what one session did that the other did not: programs with their arguments, files, places\n"
	"connected to, system calls; and what both did with different verdicts. Order and numbers do not\n"
	"count. Of several sessions in one file the last counts.\n"
	"\n"
	"      --exact      compare every byte. Otherwise what changes from run to run is a word in\n"
	"                   brackets: process numbers, temporary names, times, ports that the kernel picks,\n"
	"                   and each session's own directory\n"
	"      --normalize  the opposite of --exact, and the default\n"
	"      --json       one JSON object; docs/audit.md describes it\n"
	"  -h, --help       this text\n"
	"\n"
	"Exit status: 0 both did the same, 1 they did not, 2 wrong usage, or a log cannot be read.\n";

struct diff {
	bool is_json, is_exact;
	struct facts sides[2];
	struct strbuf out;
};

static int parse_options(int argc, char **argv, struct diff *d)
{
	const struct option_row rows[] = {{"json", .flag = &d->is_json},
					  {"exact", .flag = &d->is_exact},
					  {"normalize", .flag = &d->is_exact, .clears = true},
					  {}};
	const struct options options = {.command = "diff", .usage = usage, .rows = rows};
	int r = options_read(&options, argc, argv);

	if (r)
		return r;
	if (argc - optind == 2)
		return 0;
	say("diff: expected two sessions, got %d; `holdfast diff --help` says more", argc - optind);
	return -EINVAL;
}

static int add_line(void *arg, struct bytes text, char why[static LINE_WHY_SIZE])
{
	return facts_add_line(arg, text, why);
}

static int read_side(struct diff *d, size_t i, const char *what)
{
	struct log_each each = {.command = "diff", .line = add_line, .arg = &d->sides[i]};
	int r;

	facts_init(&d->sides[i], d->is_exact);
	r = log_each_line(&each, what);
	if (r == 0 && each.n_damaged) {
		say("diff: a log with damaged lines cannot be compared");
		r = -EBADMSG;
	}
	return r;
}

/* ---- comparing */

enum part {
	ONLY_FIRST,
	ONLY_SECOND,
	OTHER_VERDICT, /* of the first's facts */
	_PART_MAX,
};

static bool same_verdicts(const struct fact *a, const struct fact *b)
{
	for (enum verdict v = 0; v < _VERDICT_MAX; v++)
		if (!a->verdicts[v] != !b->verdicts[v])
			return false;
	return true;
}

/* Does @f, of the first session or, for ONLY_SECOND, of the second, belong in @part? */
static bool is_in(const struct diff *d, enum part part, const struct fact *f)
{
	const struct fact *other = facts_find(&d->sides[part == ONLY_SECOND ? 0 : 1], f);

	if (part == OTHER_VERDICT)
		return other && !same_verdicts(f, other);
	return !other;
}

static const struct facts *side_of(const struct diff *d, enum part part)
{
	return &d->sides[part == ONLY_SECOND ? 1 : 0];
}

static size_t count_part(const struct diff *d, enum part part)
{
	const struct facts *side = side_of(d, part);
	size_t n = 0;

	for (size_t i = 0; i < side->n; i++)
		n += is_in(d, part, &side->v[i]);
	return n;
}

/* ---- text */

static void add_verdicts(struct strbuf *out, const struct fact *f)
{
	const char *between = "";

	for (enum verdict v = 0; v < _VERDICT_MAX; v++) {
		if (!f->verdicts[v])
			continue;
		strbuf_add_fmt(out, "%s%s", between, verdict_name(v));
		between = ", ";
	}
}

static void show_fact(struct diff *d, enum part part, const struct fact *f)
{
	strbuf_add_fmt(&d->out, "  %-8s ", op_name(f->op));
	escape_terminal_max(&d->out, f->text, DIFF_SHOWN_MAX);
	if (part == OTHER_VERDICT) {
		strbuf_add_str(&d->out, ": ");
		add_verdicts(&d->out, f);
		strbuf_add_str(&d->out, " -> ");
		add_verdicts(&d->out, facts_find(&d->sides[1], f));
	} else {
		strbuf_add_str(&d->out, "  (");
		add_verdicts(&d->out, f);
		strbuf_add_fmt(&d->out, f->count == 1 ? ")" : "; %llu times)",
			       (unsigned long long)f->count);
	}
	strbuf_add_char(&d->out, '\n');
}

static void show_part(struct diff *d, enum part part)
{
	const struct facts *side = side_of(d, part);
	size_t n = count_part(d, part);

	if (!n)
		return;
	if (part == OTHER_VERDICT)
		strbuf_add_fmt(&d->out, "both did, with different verdicts: %zu\n", n);
	else
		strbuf_add_fmt(&d->out, "only %s did: %zu\n", side->session, n);
	for (enum action_kind kind = 0; kind < _KIND_MAX; kind++)
		for (size_t i = 0; i < side->n; i++)
			if (side->v[i].kind == kind && is_in(d, part, &side->v[i]))
				show_fact(d, part, &side->v[i]);
}

static void show(struct diff *d)
{
	for (enum part part = 0; part < _PART_MAX; part++)
		show_part(d, part);
	for (size_t i = 0; i < 2; i++)
		if (d->sides[i].n_unlisted)
			strbuf_add_fmt(
				&d->out,
				"%s did more than can be compared: %llu actions were left out\n",
				d->sides[i].session, (unsigned long long)d->sides[i].n_unlisted);
	if (!d->out.len)
		strbuf_add_str(&d->out, "both did the same\n");
}

/* ---- --json */

static void json_verdicts(struct json *j, const char *key, const struct fact *f)
{
	json_key(j, key);
	json_begin_object(j);
	for (enum verdict v = 0; v < _VERDICT_MAX; v++)
		if (f->verdicts[v])
			json_key_u64(j, verdict_name(v), f->verdicts[v]);
	json_end_object(j);
}

static void json_part(struct diff *d, struct json *j, const char *key, enum part part)
{
	const struct facts *side = side_of(d, part);

	json_key(j, key);
	json_begin_array(j);
	for (size_t i = 0; i < side->n; i++) {
		const struct fact *f = &side->v[i];

		if (!is_in(d, part, f))
			continue;
		json_begin_object(j);
		json_key_cstr(j, "kind", kind_name(f->kind));
		json_key_cstr(j, "op", op_name(f->op));
		json_key_str(j, "text", f->text);
		json_verdicts(j, part == OTHER_VERDICT ? "first" : "verdicts", f);
		if (part == OTHER_VERDICT)
			json_verdicts(j, "second", facts_find(&d->sides[1], f));
		json_end_object(j);
	}
	json_end_array(j);
}

static void show_json(struct diff *d, bool is_same)
{
	struct json j = JSON_INIT(&d->out);

	json_begin_object(&j);
	json_key_u64(&j, "v", 1);
	json_key_bool(&j, "same", is_same);
	json_key_bool(&j, "normalized", !d->is_exact);
	json_key(&j, "sessions");
	json_begin_array(&j);
	for (size_t i = 0; i < 2; i++) {
		json_begin_object(&j);
		json_key_cstr(&j, "session", d->sides[i].session);
		json_key_cstr(&j, "agent", d->sides[i].agent);
		json_key_u64(&j, "actions", d->sides[i].n_actions);
		json_key_u64(&j, "different", d->sides[i].n);
		json_key_u64(&j, "unlisted", d->sides[i].n_unlisted);
		json_end_object(&j);
	}
	json_end_array(&j);
	json_part(d, &j, "only_first", ONLY_FIRST);
	json_part(d, &j, "only_second", ONLY_SECOND);
	json_part(d, &j, "verdicts", OTHER_VERDICT);
	json_end_object(&j);
	strbuf_add_char(&d->out, '\n');
}

static int print(struct diff *d)
{
	bool is_same = !d->sides[0].n_unlisted && !d->sides[1].n_unlisted;
	int r;

	for (enum part part = 0; part < _PART_MAX; part++)
		is_same = is_same && count_part(d, part) == 0;
	if (d->is_json)
		show_json(d, is_same);
	else
		show(d);
	r = strbuf_error(&d->out);
	if (r == 0)
		r = io_write_all(STDOUT_FILENO, d->out.p, d->out.len);
	if (r < 0)
		say("diff: cannot print: %s", strerror(-r));
	return r < 0 ? 2 : !is_same;
}

int cmd_diff(int argc, char **argv)
{
	struct diff d = {.out = STRBUF_INIT(DIFF_OUTPUT_MAX)};
	int r = parse_options(argc, argv, &d);

	if (r)
		return r == OPTIONS_HELPED ? 0 : 2;
	r = read_side(&d, 0, argv[optind]);
	if (r == 0)
		r = read_side(&d, 1, argv[optind + 1]);
	r = r < 0 ? 2 : print(&d);
	facts_fini(&d.sides[0]);
	facts_fini(&d.sides[1]);
	strbuf_fini(&d.out);
	return r;
}
