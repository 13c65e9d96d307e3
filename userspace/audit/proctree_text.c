/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>

#include "audit/proctree.h"
#include "audit/show.h"

#define TREE_MAX_ROWS    1000
#define TREE_MAX_INDENT  32 /* deeper ones are shown at this depth */
#define TREE_COMMAND_MAX ((size_t)160)
#define TREE_OBJECT_MAX  ((size_t)120)
#define TREE_REASON_MAX  ((size_t)160)
#define TREE_COMMANDS    4 /* of a process that started several programs in turn */

#define COLOUR_RED "\033[31m"
#define COLOUR_DIM "\033[2m"
#define COLOUR_OFF "\033[0m"

/* ---- rows */

/* May @b stand for @a, too: both of one parent, without children, denials and difference? */
static bool is_alike(const struct proctree_row *a, const struct proctree_row *b)
{
	static const char *const keys[] = {"parent", "exe", "exit", "signal"};
	const json_t *x = json_object_get(a->process, "commands");
	const json_t *y = json_object_get(b->process, "commands");

	if (a->depth != b->depth || a->denied || b->denied ||
	    json_array_size(x) != json_array_size(y))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (!json_equal(json_object_get(a->process, keys[i]),
				json_object_get(b->process, keys[i])))
			return false;
	for (size_t i = 0; i < json_array_size(x); i++)
		if (!json_equal(json_object_get(json_array_get(x, i), "command"),
				json_object_get(json_array_get(y, i), "command")))
			return false;
	return true;
}

/* Joins neighbours that are alike. Return: how many rows are left. */
static size_t join(struct proctree_row *rows, size_t n)
{
	size_t kept = 0;

	for (size_t i = 0; i < n; i++) {
		bool has_children = i + 1 < n && rows[i + 1].depth > rows[i].depth;

		if (kept && !has_children && is_alike(&rows[kept - 1], &rows[i])) {
			rows[kept - 1].n++;
			rows[kept - 1].total += rows[i].total;
		} else {
			rows[kept++] = rows[i];
		}
	}
	return kept;
}

/* Tells which rows are the last ones of their siblings. */
static int find_last(struct proctree_row *rows, size_t n)
{
	_cleanup_(freep) bool *has_later = NULL; /* by depth: met on the way from the end */
	size_t depth = 0;

	has_later = calloc(n + 1, sizeof(bool));
	if (!has_later)
		return -ENOMEM;
	for (size_t i = n; i-- > 0;) {
		for (; depth > rows[i].depth; depth--)
			has_later[depth] = false;
		depth = MIN(rows[i].depth, n);
		rows[i].is_last = !has_later[depth];
		has_later[depth] = true;
	}
	return 0;
}

struct proctree_row *proctree_rows(const json_t *list, size_t *ret_n)
{
	size_t n = json_array_size(list), depth;
	struct proctree_row *rows;

	rows = calloc(n + 1, sizeof(*rows));
	if (!rows)
		return NULL;
	for (size_t i = 0; i < n; i++) {
		rows[i].process = json_array_get(list, i);
		depth = (size_t)reader_u64(rows[i].process, "depth");
		rows[i].depth = MIN(depth, i ? rows[i - 1].depth + 1 : 0);
		rows[i].n = 1;
		rows[i].total = reader_u64(rows[i].process, "total");
		rows[i].denied = reader_u64(rows[i].process, "denied");
	}
	n = join(rows, n);
	if (find_last(rows, n) < 0) {
		free(rows);
		return NULL;
	}
	*ret_n = n;
	return rows;
}

/* ---- text */

struct lines {
	const char *tee, *corner, *bar, *blank, *times;
};

static const struct lines lines_of[] = {
	{"|- ", "`- ", "|  ", "   ", "x"},
	{"\u251c\u2500 ", "\u2514\u2500 ", "\u2502  ", "   ", "\u00d7"},
};

/* What is shown at the moment. */
struct view {
	const struct proctree_style *style;
	const struct lines *lines;
	struct strbuf *out;
	bool has_later[TREE_MAX_INDENT + 1]; /* by depth: does the line go on below? */
};

static void add_colour(const struct view *v, const char *colour)
{
	if (v->style->has_colour)
		strbuf_add_str(v->out, colour);
}

static void add_indent(const struct view *v, size_t depth)
{
	for (size_t i = 1; i < MIN(depth, (size_t)TREE_MAX_INDENT); i++)
		strbuf_add_str(v->out, v->has_later[i] ? v->lines->bar : v->lines->blank);
}

static void add_counts(const json_t *process, struct strbuf *out)
{
	const json_t *counts = json_object_get(process, "counts"), *n;
	const char *kind, *verdict;
	json_t *verdicts;

	json_object_foreach((json_t *)(uintptr_t)counts, kind, verdicts)
	{
		uint64_t total = 0;

		json_object_foreach(verdicts, verdict, n) total += (uint64_t)json_integer_value(n);
		strbuf_add_fmt(out, ", %s %" PRIu64, kind, total);
		json_object_foreach(verdicts, verdict, n) if (!streq(verdict, "allow"))
			strbuf_add_fmt(out, " (%s %" JSON_INTEGER_FORMAT ")", verdict,
				       json_integer_value(n));
	}
}

/* Where the kernel told of it, and it was not the usual one. */
static void add_end(const json_t *process, struct strbuf *out)
{
	const uint64_t exit = reader_u64(process, "exit"), signal = reader_u64(process, "signal");

	if (signal)
		strbuf_add_fmt(out, "  ended by signal %" PRIu64, signal);
	else if (exit)
		strbuf_add_fmt(out, "  exit status %" PRIu64, exit);
}

/* Known as somebody's parent; and by its name, where the kernel told of it. */
static void add_silent(const json_t *process, struct strbuf *out)
{
	if (show_string(process, "comm", TREE_COMMAND_MAX, out))
		strbuf_add_char(out, ' ');
	strbuf_add_str(out, "(no record of its own)");
}

static void add_title(const struct view *v, const struct proctree_row *row)
{
	const json_t *commands = json_object_get(row->process, "commands");
	const json_t *last = json_array_get(commands, json_array_size(commands) - 1);

	strbuf_add_fmt(v->out, "%" PRIu64 " ", reader_u64(row->process, "pid"));
	if (!show_string(last, "command", TREE_COMMAND_MAX, v->out) &&
	    !show_string(row->process, "exe", TREE_COMMAND_MAX, v->out))
		add_silent(row->process, v->out);
	else if (!last)
		strbuf_add_str(v->out, " (started no program)");
	add_colour(v, COLOUR_DIM);
	if (row->n > 1)
		strbuf_add_fmt(v->out, "  %s%zu", v->lines->times, row->n);
	if (row->n > 1 && row->total)
		strbuf_add_fmt(v->out, "  %" PRIu64 " actions", row->total);
	else if (row->total) {
		strbuf_add_fmt(v->out, "  %" PRIu64 " action%s", row->total,
			       row->total == 1 ? "" : "s");
		add_counts(row->process, v->out);
	}
	add_end(row->process, v->out);
	add_colour(v, COLOUR_OFF);
	strbuf_add_char(v->out, '\n');
}

/* Below a process: what it ran before its last program, and what it was denied. */
static void begin_detail(const struct view *v, const struct proctree_row *row, bool has_children)
{
	size_t depth = MIN(row->depth, (size_t)TREE_MAX_INDENT);

	add_indent(v, depth + 1);
	strbuf_add_str(v->out, has_children ? v->lines->bar : v->lines->blank);
	strbuf_add_str(v->out, "  ");
}

static void add_details(const struct view *v, const struct proctree_row *row, bool has_children)
{
	const json_t *commands = json_object_get(row->process, "commands");
	const json_t *denials = json_object_get(row->process, "denials");
	size_t n = json_array_size(commands), more;

	for (size_t i = 0; i + 1 < MIN(n, (size_t)TREE_COMMANDS + 1); i++) {
		begin_detail(v, row, has_children);
		strbuf_add_str(v->out, "was ");
		(void)show_string(json_array_get(commands, i), "command", TREE_COMMAND_MAX, v->out);
		strbuf_add_char(v->out, '\n');
	}
	for (size_t i = 0; i < json_array_size(denials); i++) {
		const json_t *d = json_array_get(denials, i);

		begin_detail(v, row, has_children);
		add_colour(v, COLOUR_RED);
		strbuf_add_str(v->out, "denied ");
		show_word(d, "op", 0, v->out);
		strbuf_add_char(v->out, ' ');
		if (!show_string(d, "object", TREE_OBJECT_MAX, v->out))
			strbuf_add_char(v->out, '?');
		add_colour(v, COLOUR_OFF);
		if (json_is_string(json_object_get(d, "rule"))) {
			strbuf_add_str(v->out, "  rule '");
			(void)show_string(d, "rule", TREE_OBJECT_MAX, v->out);
			strbuf_add_char(v->out, '\'');
		}
		if (json_is_string(json_object_get(d, "reason"))) {
			strbuf_add_str(v->out, ": ");
			(void)show_string(d, "reason", TREE_REASON_MAX, v->out);
		}
		strbuf_add_fmt(v->out, "  #%" PRIu64 "\n", reader_u64(d, "seq"));
	}
	more = (size_t)reader_u64(row->process, "denials_unlisted");
	if (more) {
		begin_detail(v, row, has_children);
		strbuf_add_fmt(v->out, "and %zu more denied\n", more);
	}
}

void proctree_show(const json_t *tree, const struct proctree_style *style, struct strbuf *out)
{
	struct view v = {.style = style, .lines = &lines_of[style->is_unicode], .out = out};
	_cleanup_(freep) struct proctree_row *rows = NULL;
	uint64_t unlisted = reader_u64(tree, "unlisted");
	size_t n = 0, shown;

	rows = proctree_rows(json_object_get(tree, "list"), &n);
	shown = rows ? MIN(n, (size_t)TREE_MAX_ROWS) : 0;
	for (size_t i = 0; i < shown; i++) {
		size_t depth = MIN(rows[i].depth, (size_t)TREE_MAX_INDENT);

		add_indent(&v, depth);
		if (depth)
			strbuf_add_str(out, rows[i].is_last ? v.lines->corner : v.lines->tee);
		v.has_later[depth] = depth && !rows[i].is_last;
		add_title(&v, &rows[i]);
		add_details(&v, &rows[i], i + 1 < n && rows[i + 1].depth > rows[i].depth);
	}
	if (shown < n)
		strbuf_add_fmt(out, "and %zu more processes; --json lists them\n", n - shown);
	if (unlisted)
		strbuf_add_fmt(out, "and %" PRIu64 " actions of processes that are not listed\n",
			       unlisted);
}
