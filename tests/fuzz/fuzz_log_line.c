/* SPDX-License-Identifier: Apache-2.0 */
/* A line of a log that anybody may have written: `log` and `report` never crash, and what reaches
 * the terminal is printable ASCII. */
#include <assert.h>

#include "audit/proctree.h"
#include "audit/report.h"
#include "audit/show.h"
#include "audit/story.h"
#include "base/clock.h"

#define TEXT_MAX ((size_t)64 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_text(struct strbuf *text)
{
	assert(strbuf_error(text) == 0);
	for (size_t i = 0; i < text->len; i++)
		assert(text->p[i] == '\n' || (text->p[i] >= 0x20 && text->p[i] < 0x7f));
	strbuf_fini(text);
}

/* Nothing of a line becomes a tag. */
static void check_page(const json_t *report)
{
	struct strbuf page = STRBUF_INIT(REPORT_HTML_MAX);

	report_html(report, &page);
	assert(strbuf_error(&page) == 0);
	assert(!strcasestr(strbuf_str(&page), "<script") && !strstr(strbuf_str(&page), "<!--"));
	assert(strlen(strbuf_str(&page)) == page.len);
	strbuf_fini(&page);
}

static void check_tree(const json_t *tree)
{
	const struct proctree_style style = {};
	struct strbuf text = STRBUF_INIT(TEXT_MAX);

	proctree_show(tree, &style, &text);
	check_text(&text);
}

static void check_report(const struct reader_line *line)
{
	struct strbuf text = STRBUF_INIT(TEXT_MAX);
	struct report *report = NULL;
	json_t *o;

	assert(report_new(NULL, &report) == 0);
	assert(report_add(report, line) == 0);
	assert(report_add(report, line) == 0);
	o = report_finish(report, "log", false);
	assert(o);
	report_show(o, &text);
	check_text(&text);
	check_page(o);
	check_tree(json_object_get(o, "processes"));
	json_decref(o);
	report_free(report);
}

/* `why`: the line is what is asked for, and what was before. */
static void check_story(const struct reader_line *line)
{
	const struct story_target target = {.is_last = true};
	struct strbuf text = STRBUF_INIT(TEXT_MAX);
	struct story *story = story_new(&target);
	json_t *o;

	assert(story && story_search(story, line) == 0);
	if (story_is_found(story)) {
		assert(story_add(story, line) == 0 && story_add(story, line) == 0);
		o = story_json(story, "log");
		assert(o);
		story_show(o, &text);
		check_text(&text);
		json_decref(o);
	}
	story_free(story);
}

/*
 * Several lines of one log, as an array: who started whom is told by some of them and guessed from
 * others, in any order. Each process is in the tree once, behind its parent.
 */
static void check_lines(const json_t *lines)
{
	_cleanup_(proctree_freep) struct proctree *t = proctree_new();
	json_t *tree;

	assert(t);
	for (size_t i = 0; i < json_array_size(lines); i++)
		assert(proctree_add(t, json_array_get(lines, i), true, NULL) == 0);
	tree = proctree_json(t, PROCTREE_MAX);
	assert(tree);
	for (size_t i = 0; i < json_array_size(json_object_get(tree, "list")); i++) {
		const json_t *p = json_array_get(json_object_get(tree, "list"), i);
		const json_t *before =
			i ? json_array_get(json_object_get(tree, "list"), i - 1) : NULL;

		assert(reader_u64(p, "depth") <= (before ? reader_u64(before, "depth") + 1 : 0));
		assert(json_is_null(json_object_get(p, "parent")) == (reader_u64(p, "depth") == 0));
		assert(reader_u64(p, "total") == 0 || json_is_integer(json_object_get(p, "ppid")));
	}
	check_tree(tree);
	json_decref(tree);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct show_style style = {};
	struct strbuf text = STRBUF_INIT(TEXT_MAX);
	struct reader_line line = {
		.root = json_loadb((const char *)data, size, JSON_ALLOW_NUL, NULL)};

	if (!line.root)
		return 0;
	if (json_is_array(line.root)) {
		check_lines(line.root);
		json_decref(line.root);
		return 0;
	}
	(void)clock_parse_rfc3339(reader_word(line.root, "time"), &line.time_ns);
	show_line(&line, &style, &text);
	check_text(&text);
	check_report(&line);
	check_story(&line);
	json_decref(line.root);
	return 0;
}
