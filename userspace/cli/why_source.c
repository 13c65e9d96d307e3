/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>

#include "base/io.h"

#include "audit/report.h"
#include "cli/policy_use.h"
#include "cli/why_source.h"

#define SOURCE_MAX_LINES 60
#define SOURCE_NAME_MAX  ((size_t)4096)

static const struct {
	const char *state, *note;
} notes[] = {
	{"unchanged", NULL},
	{"changed", "the file has changed since the session began; its rule may have been another"},
	{"unreadable", "the file cannot be read as a policy any more"},
	{"unknown", "the log does not say which file it was"},
};

enum source_state {
	SOURCE_UNCHANGED,
	SOURCE_CHANGED,
	SOURCE_UNREADABLE,
	SOURCE_UNKNOWN,
};

static json_t *source_new(enum source_state state, const char *file, unsigned int line)
{
	json_t *o = json_object();
	const char *note = notes[state].note;

	(void)json_object_set_new(o, "state", json_string(notes[state].state));
	(void)json_object_set_new(o, "file", file ? report_string(file) : json_null());
	(void)json_object_set_new(o, "line", line ? json_integer(line) : json_null());
	(void)json_object_set_new(o, "text", json_array());
	if (json_object_set_new(o, "note", note ? json_string(note) : json_null()) < 0) {
		json_decref(o);
		return NULL;
	}
	return o;
}

/* ---- the rule's text */

static size_t indent_of(struct bytes line)
{
	size_t n = 0;

	while (n < line.len && line.p[n] == ' ')
		n++;
	return n;
}

static bool is_blank(struct bytes line)
{
	return indent_of(line) == line.len;
}

static struct bytes next_line(struct bytes *text)
{
	const char *newline = text->len ? memchr(text->p, '\n', text->len) : NULL;
	size_t len = newline ? (size_t)(newline - text->p) : text->len;
	struct bytes line = {.p = text->p, .len = len};

	text->p += len + (newline ? 1 : 0);
	text->len -= len + (newline ? 1 : 0);
	return line;
}

static int add_text_line(json_t *lines, struct bytes line)
{
	_cleanup_(freep) char *s = strndup(line.p, line.len);

	return s && json_array_append_new(lines, report_string(s)) == 0 ? 0 : -ENOMEM;
}

/* A rule is an item of a list: its line, and those after it that are indented deeper. */
static int add_text(struct bytes text, unsigned int at, json_t *lines)
{
	struct bytes line = {};
	size_t indent, n_blank;
	int r;

	for (unsigned int i = 0; i < at; i++)
		line = next_line(&text);
	indent = indent_of(line);
	r = add_text_line(lines, line);
	while (r == 0 && text.len && json_array_size(lines) < SOURCE_MAX_LINES) {
		line = next_line(&text);
		if (!is_blank(line) && indent_of(line) <= indent)
			break;
		r = add_text_line(lines, line);
	}
	for (n_blank = json_array_size(lines);
	     n_blank > 1 && !json_string_length(json_array_get(lines, n_blank - 1)); n_blank--)
		(void)json_array_remove(lines, n_blank - 1);
	return r;
}

/* ---- the policy */

/* Finds the rule in the policy that has been loaded. Return: NULL: out of memory. */
static json_t *find_rule(const struct policy *p, struct bytes rule)
{
	_cleanup_(strbuf_fini) struct strbuf text = STRBUF_INIT(POLICY_MAX_BYTES);
	const char *file = policy_file(p);
	unsigned int line = 0;
	json_t *o;

	if (!rule.len || policy_find_rule(p, rule, &file, &line) < 0)
		return source_new(SOURCE_UNCHANGED, file, 0);
	o = source_new(SOURCE_UNCHANGED, file, line);
	if (o && line && io_read_file_at(AT_FDCWD, file, &text) == 0 &&
	    add_text(strbuf_bytes(&text), line, json_object_get(o, "text")) < 0) {
		json_decref(o);
		return NULL;
	}
	return o;
}

static json_t *load(const char *file, const json_t *story)
{
	const char *hash = reader_word(json_object_get(story, "policy"), "sha256");
	struct strbuf rule = STRBUF_INIT(SOURCE_NAME_MAX), cwd = STRBUF_INIT(SOURCE_NAME_MAX);
	_cleanup_(policy_use_fini) struct policy_use use = {
		.policies = {file}, .n_policies = 1, .is_quiet = true};
	struct diag d = {};
	json_t *o = NULL;

	/* Where the variables point to does not matter to the place of a rule. */
	(void)reader_string(story, "cwd", &cwd);
	use.project = strbuf_str(&cwd)[0] == '/' ? strbuf_str(&cwd) : "/";
	(void)reader_string(json_object_get(story, "record"), "rule", &rule);
	if (policy_use_read(&use, &d) < 0 || use.set.n != 1)
		o = source_new(SOURCE_UNREADABLE, file, 0);
	else if (!streq(use.set.entries[0].hash, hash))
		o = source_new(SOURCE_CHANGED, file, 0);
	else
		o = find_rule(policy_stack_get(use.set.stack, 0), strbuf_bytes(&rule));
	strbuf_fini(&rule);
	strbuf_fini(&cwd);
	return o;
}

json_t *why_source(const json_t *story)
{
	struct strbuf file = STRBUF_INIT(SOURCE_NAME_MAX);
	json_t *o;

	if (!json_is_string(json_object_get(json_object_get(story, "record"), "policy")))
		return json_null(); /* no policy decided */
	/* Absolute in a log of ours; in another's, nothing is to be searched for. */
	if (reader_string(json_object_get(story, "policy"), "file", &file) &&
	    strbuf_str(&file)[0] == '/' && strlen(strbuf_str(&file)) == file.len)
		o = load(strbuf_str(&file), story);
	else
		o = source_new(SOURCE_UNKNOWN, NULL, 0);
	strbuf_fini(&file);
	return o;
}
