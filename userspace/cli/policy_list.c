/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `holdfast policy list`: the policies that can be given by name. A name that stands in several
 * places is listed once, where it is found.
 */
#include <dirent.h>
#include <stdio.h>

#include "base/dirs.h"
#include "base/io.h"
#include "base/json.h"
#include "base/say.h"

#include "cli/options.h"
#include "cli/policy_commands.h"
#include "cli/policy_use.h"

#define SUFFIX     ".yaml"
#define OUTPUT_MAX ((size_t)4 << 20)

static const char usage[] =
	"usage: holdfast policy list [--json]\n"
	"\n"
	"Names the policies that can be given to -p by name: your own, and those that ship.\n"
	"\n"
	"  --json  an array with name, file, language, description and the number of rules\n";

struct listed {
	char *name;
	char *file;
};

struct list {
	struct listed *items;
	size_t n;
};

static void list_fini(struct list *l)
{
	for (size_t i = 0; i < l->n; i++) {
		free(l->items[i].name);
		free(l->items[i].file);
	}
	free(l->items);
}

static bool has_name(const struct list *l, struct bytes name)
{
	for (size_t i = 0; i < l->n; i++)
		if (bytes_eq_str(name, l->items[i].name))
			return true;
	return false;
}

static int add_file(struct list *l, const char *dir, const char *file)
{
	struct bytes name = bytes_of(file);
	struct listed *more;

	if (name.len <= strlen(SUFFIX) || !bytes_has_suffix(name, BYTES_LIT(SUFFIX)) ||
	    bytes_has_suffix(name, BYTES_LIT(POLICYSET_TEST_SUFFIX)))
		return 0;
	name.len -= strlen(SUFFIX);
	if (has_name(l, name))
		return 0;
	more = reallocarray(l->items, l->n + 1, sizeof(*more));
	if (!more)
		return -ENOMEM;
	l->items = more;
	more[l->n] = (struct listed){.name = strndup(name.p, name.len),
				     .file = str_format("%s/%s", dir, file)};
	l->n++;
	return more[l->n - 1].name && more[l->n - 1].file ? 0 : -ENOMEM;
}

static int compare(const void *a, const void *b)
{
	return strcmp(((const struct listed *)a)->name, ((const struct listed *)b)->name);
}

/* By name within each directory; directories in the order in which they are searched. */
static int find_all(const struct policy_dirs *dirs, struct list *ret)
{
	int r = 0;

	for (size_t i = 0; i < dirs->n && r == 0; i++) {
		_cleanup_(io_closedirp) DIR *d = opendir(dirs->dirs[i]);
		size_t first = ret->n;
		struct dirent *de;

		while (r == 0 && d && (de = readdir(d)))
			r = add_file(ret, dirs->dirs[i], de->d_name);
		if (r == 0 && ret->n > first)
			qsort(ret->items + first, ret->n - first, sizeof(*ret->items), compare);
	}
	return r;
}

static void add_json(struct json *j, const struct listed *item)
{
	_cleanup_(policy_use_fini) struct policy_use use = {
		.policies = {item->file}, .n_policies = 1, .is_quiet = true};
	const struct policy *p;
	struct diag d = {};

	json_begin_object(j);
	json_key_cstr(j, "name", item->name);
	json_key_cstr(j, "file", item->file);
	if (policy_use_read(&use, &d) == 0) {
		p = policy_stack_get(use.set.stack, 0);
		json_key_cstr(j, "language", policy_language_name(policy_get_language(p)));
		json_key_cstr(j, "description", policy_description(p));
		json_key_u64(j, "rules", policy_rule_count(p));
	} else {
		char text[1280];

		diag_format(&d, text, sizeof(text));
		json_key_cstr(j, "error", text);
	}
	json_end_object(j);
}

static int print_json(const struct list *list)
{
	struct strbuf out = STRBUF_INIT(OUTPUT_MAX);
	struct json j = JSON_INIT(&out);
	int r;

	json_begin_array(&j);
	for (size_t i = 0; i < list->n; i++)
		add_json(&j, &list->items[i]);
	json_end_array(&j);
	r = strbuf_error(&out);
	if (r == 0)
		(void)printf("%s\n", strbuf_str(&out));
	strbuf_fini(&out);
	return r;
}

int policy_list(int argc, char **argv)
{
	_cleanup_(policy_dirs_fini) struct policy_dirs dirs = {};
	_cleanup_(list_fini) struct list list = {};
	bool is_json = false;
	const struct option_row rows[] = {{"json", .flag = &is_json}, {}};
	const struct options options = {.command = "policy list", .usage = usage, .rows = rows};
	int r = options_read_operands(&options, argc, argv, 0);

	if (r)
		return r == OPTIONS_HELPED ? 0 : 2;
	r = policy_dirs_init(&dirs);
	if (r == 0)
		r = find_all(&dirs, &list);
	if (r == 0 && is_json)
		r = print_json(&list);
	if (r < 0) {
		say("policy list: %s", strerror(-r));
		return 1;
	}
	for (size_t i = 0; !is_json && i < list.n; i++)
		(void)printf("%-16s %s\n", list.items[i].name, list.items[i].file);
	return 0;
}
