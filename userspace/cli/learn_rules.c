/* SPDX-License-Identifier: Apache-2.0 */
/* From what was learned to rules, in the order in which they are to be asked. */
#include <stdio.h>

#include "policy/secrets.h"

#include "cli/learn_rules.h"

#define COMMENT_TEXT_MAX 160 /* of an example in a comment */
#define EXAMPLES_MAX     2   /* of one rule */
#define TEXT_MAX         ((size_t)4 << 20)

static struct learn_rule *new_rule(struct learn_rules *rules)
{
	if (rules->n == rules->size) {
		size_t size = rules->size ? rules->size * 2 : 64;
		struct learn_rule *grown = reallocarray(rules->list, size, sizeof(*grown));

		if (!grown)
			return NULL;
		rules->list = grown;
		rules->size = size;
	}
	rules->list[rules->n] = (struct learn_rule){.has_examples = true};
	return &rules->list[rules->n++];
}

static const char *comment_of(struct import *im, uint64_t count, struct bytes example)
{
	int len = (int)MIN(example.len, (size_t)COMMENT_TEXT_MAX);

	return import_format(im, "used %llu time%s, as in: %.*s%s", (unsigned long long)count,
			     count == 1 ? "" : "s", len, example.len ? example.p : "",
			     example.len > COMMENT_TEXT_MAX ? "..." : "");
}

/* Letters, digits and '-' of @name, for the name of a rule. */
static const char *stem_of(struct import *im, struct bytes name)
{
	char stem[25];
	size_t n = 0;

	for (size_t i = 0; i < name.len && n < sizeof(stem) - 1; i++) {
		char c = name.p[i];
		bool is_good =
			(c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');

		if (is_good || (c == '-' && n && stem[n - 1] != '-'))
			stem[n++] = c;
	}
	stem[n] = '\0';
	return import_format(im, "%s", n ? stem : "command");
}

/* An example must read back as what it was, also in another project and home. */
static bool can_be_example(struct bytes text)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.p[i] < 0x20 || text.p[i] > 0x7e || text.p[i] == '\\' ||
		    (text.p[i] == '$' && i + 1 < text.len && text.p[i + 1] == '{'))
			return false;
	return text.len && text.len <= 1024;
}

/* @path with the directories that a policy has names for. .p NULL: it cannot be one. */
static struct bytes place_of(const struct learn *l, struct import *im, struct bytes path)
{
	static const char *const names[] = {"${project}", "${tmp}", "${home}"};
	struct bytes dir = BYTES_NULL;
	const char *name = "";

	if (!can_be_example(path))
		return BYTES_NULL;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		struct bytes root = l->root_paths[i];

		if (root.p && root.len > dir.len && bytes_has_prefix(path, root) &&
		    (path.len == root.len || path.p[root.len] == '/')) {
			dir = root;
			name = names[i];
		}
	}
	return bytes_of(
		import_format(im, "%s%.*s", name, (int)(path.len - dir.len), path.p + dir.len));
}

static int add_example(const struct learn *l, struct import *im, struct learn_rule *rule,
		       struct bytes path)
{
	struct value *list = (struct value *)(uintptr_t)rule->rule.match;
	struct bytes place = place_of(l, im, path);

	if (!list)
		rule->rule.match = list = import_new_list(im);
	if (!list)
		return -ENOMEM;
	if (!place.p || list->n == EXAMPLES_MAX)
		return 0;
	return import_add_text(im, list, place);
}

/* ---- secrets */

static const char *ops_text(struct import *im, uint32_t ops)
{
	struct strbuf text = STRBUF_INIT(TEXT_MAX);
	const char *comma = "", *kept;
	bool is_change = (ops & OPS_CHANGE) == OPS_CHANGE;

	strbuf_add_char(&text, '[');
	for (unsigned int op = 0; op < _OP_MAX; op++) {
		if (!(ops & OP_BIT(op)) || (is_change && (OPS_CHANGE & OP_BIT(op))))
			continue;
		strbuf_add_fmt(&text, "%s%s", comma, op_name((enum action_op)op));
		comma = ", ";
	}
	if (is_change)
		strbuf_add_fmt(&text, "%schange", comma);
	strbuf_add_char(&text, ']');
	kept = import_format(im, "%s", strbuf_str(&text));
	strbuf_fini(&text);
	return kept;
}

static bool meets(const struct glob *secret, const struct glob *pattern)
{
	/* "**" and a name: anywhere. */
	if (secret->prefix.len <= 1)
		return true;
	return bytes_has_prefix(secret->prefix, pattern->prefix) ||
	       bytes_has_prefix(pattern->prefix, secret->prefix);
}

/* Whether something that the wide patterns of @items take in could be this secret. */
static bool is_in_reach(const struct glob *secrets, const struct glob *wide)
{
	for (const struct glob *s = secrets; s; s = s->next)
		for (const struct glob *g = wide; g; g = g->next)
			if (meets(s, g))
				return true;
	return false;
}

/* The wide patterns of @items on files, compiled, in one list. */
static int wide_patterns(struct learn *l, const struct learn_items *items, struct glob **ret)
{
	struct glob *first = NULL, **tail = &first;
	char why[GLOB_WHY_SIZE];

	for (size_t i = 0; i < items->n; i++) {
		const struct learn_item *item = &items->list[i];
		int r;

		if (item->rank == 0 || !(item->ops & ~OP_BIT(OP_EXEC)))
			continue;
		r = glob_compile(&l->mem, item->pattern, GLOB_PATH, &l->config.vars, tail, why);
		if (r < 0)
			return r;
		while (*tail)
			tail = &(*tail)->next;
	}
	*ret = first;
	return 0;
}

/* What the wide rules below it must not open. */
static int add_denies(struct learn *l, struct import *im, const struct learn_items *items,
		      struct learn_rules *rules)
{
	struct value *paths = import_new_list(im), *readable = import_new_list(im);
	struct glob *wide = NULL;
	struct learn_rule *rule;
	int r = paths && readable ? wide_patterns(l, items, &wide) : -ENOMEM;

	for (size_t i = 0; r == 0 && i < policy_secrets_count; i++) {
		struct bytes glob = bytes_of(policy_secrets[i].glob);

		if (policy_secrets[i].is_public)
			r = l->public_uses[i] ? import_add_text(im, readable, glob) : 0;
		else if (is_in_reach(l->secret_globs[i], wide))
			r = import_add_text(im, paths, glob);
	}
	if (r < 0 || !paths->first)
		return r;
	rule = new_rule(rules);
	if (!rule)
		return -ENOMEM;
	rule->count = UINT64_MAX; /* never left out */
	rule->rule = (struct import_rule){
		.stem = "secrets",
		.from = "what the wider rules below would take in, too, and must not",
		.action = VERDICT_DENY,
		.reason = "Secrets are not learned. Allow by name what is needed.",
		.paths = paths,
		.readable = readable};
	return 0;
}

int learn_add_secrets(struct learn *l, struct import *im)
{
	for (size_t i = 0; i < l->n_secrets; i++) {
		const struct learn_secret *s = l->secret_list[i];
		struct strbuf pattern = STRBUF_INIT(LEARN_PATTERN_MAX);
		struct import_rule rule = {.stem = "used-secret",
					   .from = comment_of(im, s->count, s->path),
					   .action = VERDICT_ALLOW,
					   .op = ops_text(im, s->ops)};
		struct value *paths = import_new_list(im);
		int r;

		learn_add_path(l, &pattern, s->path);
		r = paths && !strbuf_error(&pattern)
			    ? import_add_text(im, paths, strbuf_bytes(&pattern))
			    : -ENOMEM;
		strbuf_fini(&pattern);
		if (r < 0)
			return r;
		rule.paths = paths;
		import_add_rule(im, &rule);
	}
	return 0;
}

/* ---- commands */

static bool same_but_last(const struct learn_call *a, const struct learn_call *b)
{
	if (a->image != b->image || a->n != b->n || a->n == 0)
		return false;
	for (size_t i = 0; i + 1 < a->n; i++)
		if (!bytes_eq(a->words[i], b->words[i]))
			return false;
	return true;
}

static int compare_bytes(struct bytes a, struct bytes b)
{
	int c = memcmp(a.p, b.p, MIN(a.len, b.len));

	return c ? c : (a.len > b.len) - (a.len < b.len);
}

static int compare_calls(const void *left, const void *right)
{
	const struct learn_call *a = *(struct learn_call *const *)left;
	const struct learn_call *b = *(struct learn_call *const *)right;
	int c = compare_bytes(a->real_image, b->real_image);

	if (c == 0 && a->n != b->n)
		return a->n < b->n ? -1 : 1;
	for (size_t i = 0; c == 0 && i < a->n; i++)
		c = compare_bytes(a->words[i], b->words[i]);
	return c;
}

static int add_call_example(const struct learn *l, struct import *im, struct learn_rule *rule,
			    const struct learn_call *c)
{
	struct value *list = (struct value *)(uintptr_t)rule->rule.match;
	struct value *argv = import_new_list(im), **tail;
	struct bytes image = place_of(l, im, c->real_image);
	int r = 0;

	if (!list)
		rule->rule.match = list = import_new_list(im);
	if (!list || !argv)
		return -ENOMEM;
	if (!image.p || list->n == EXAMPLES_MAX)
		return 0;
	r = import_add_text(im, argv, image);
	for (size_t i = 0; r == 0 && i < c->n; i++) {
		if (!can_be_example(c->real[i]))
			return 0;
		r = import_add_text(im, argv,
				    c->real[i].p[0] == '/' ? place_of(l, im, c->real[i])
							   : c->real[i]);
	}
	for (tail = &list->first; *tail; tail = &(*tail)->next)
		continue;
	*tail = argv;
	list->n++;
	return r;
}

/* The words of @calls, which differ in the last one at most. */
static int add_words(struct learn *l, struct import *im, struct learn_call *const *calls, size_t n,
		     struct value *argv)
{
	struct strbuf image = STRBUF_INIT(LEARN_PATTERN_MAX);
	struct value *last = import_new_list(im), **tail;
	int r;

	learn_add_pattern(&image, calls[0]->image);
	r = last && !strbuf_error(&image) ? import_add_text(im, argv, learn_keep(l, &image))
					  : -ENOMEM;
	strbuf_fini(&image);
	for (size_t i = 0; r == 0 && i + 1 < calls[0]->n; i++)
		r = import_add_text(im, argv, calls[0]->words[i]);
	if (r < 0 || calls[0]->n == 0)
		return r;
	if (n == 1)
		return import_add_text(im, argv, calls[0]->words[calls[0]->n - 1]);
	for (size_t i = 0; r == 0 && i < n; i++)
		r = import_add_text(im, last, calls[i]->words[calls[i]->n - 1]);
	for (tail = &argv->first; *tail; tail = &(*tail)->next)
		continue;
	*tail = last;
	argv->n++;
	return r;
}

static int add_calls(struct learn *l, struct import *im, struct learn_rules *rules)
{
	qsort(l->call_list, l->n_calls, sizeof(struct learn_call *), compare_calls);
	for (size_t i = 0, n; i < l->n_calls; i += n) {
		struct learn_call **calls = &l->call_list[i];
		struct value *argv = import_new_list(im);
		struct learn_rule *rule = new_rule(rules);
		int r;

		for (n = 1; i + n < l->n_calls && n < LEARN_PER_RULE; n++)
			if (!same_but_last(calls[0], calls[n]))
				break;
		if (!rule || !argv)
			return -ENOMEM;
		r = add_words(l, im, calls, n, argv);
		for (size_t k = 0; r == 0 && k < n; k++) {
			rule->count += calls[k]->count;
			r = add_call_example(l, im, rule, calls[k]);
		}
		if (r < 0)
			return r;
		rule->rule.stem = stem_of(im, bytes_base_name(calls[0]->real_image));
		rule->rule.from = comment_of(im, rule->count, calls[0]->real_image);
		rule->rule.argv = argv;
		rule->rule.args_pattern = calls[0]->is_bare ? "^\\S*$" : NULL;
	}
	return 0;
}

/* ---- programs and paths */

static const struct learn_item *item_at(const struct learn_items *items, size_t i)
{
	return &items->list[i];
}

static int compare_items(const void *left, const void *right)
{
	const struct learn_item *a = left, *b = right;

	if (a->rank != b->rank)
		return a->rank < b->rank ? -1 : 1;
	if (a->root != b->root)
		return a->root < b->root ? -1 : 1;
	if (a->ops != b->ops)
		return a->ops < b->ops ? -1 : 1;
	return compare_bytes(a->pattern, b->pattern);
}

static const char *path_stem(struct import *im, const struct learn_item *item)
{
	static const char *const places[] = {"project", "scratch", "home", "system", "socket"};

	return import_format(im, "%s-%s",
			     item->ops == OP_BIT(OP_READ) ? "read"
			     : item->ops & OPS_CHANGE     ? "change"
							  : "use",
			     places[item->root]);
}

/* "[a, b]" in YAML. */
static const char *flow_list(struct import *im, const struct value *list)
{
	struct strbuf text = STRBUF_INIT(TEXT_MAX);
	const char *kept;

	import_add_texts(&text, list);
	kept = strbuf_error(&text) ? NULL : import_format(im, "%s", strbuf_str(&text));
	strbuf_fini(&text);
	return kept;
}

/* One rule for items from @at on that have the same operations in the same place. Return: how many;
 * -errno. */
static ssize_t add_group(struct learn *l, struct import *im, const struct learn_items *items,
			 size_t at, struct learn_rules *rules)
{
	const struct learn_item *first = item_at(items, at);
	bool is_exec = first->ops == OP_BIT(OP_EXEC);
	struct learn_rule *rule = new_rule(rules);
	struct value *patterns = import_new_list(im);
	size_t n = 0;
	int r = rule && patterns ? 0 : -ENOMEM;

	for (; r == 0 && at + n < items->n && n < LEARN_PER_RULE; n++) {
		const struct learn_item *item = item_at(items, at + n);

		if (item->rank != first->rank || item->root != first->root ||
		    item->ops != first->ops)
			break;
		rule->count += item->count;
		r = import_add_text(im, patterns, item->pattern);
		if (r == 0 && !is_exec)
			r = add_example(l, im, rule, item->example);
		if (r == 0 && is_exec)
			r = add_call_example(l, im, rule,
					     &(struct learn_call){.real_image = item->example});
	}
	if (r < 0)
		return r;
	rule->rule.from = comment_of(im, rule->count, first->example);
	if (is_exec) {
		rule->rule.stem = "programs";
		rule->rule.tool = flow_list(im, patterns);
	} else {
		rule->rule.stem = path_stem(im, first);
		rule->rule.paths = patterns;
		rule->rule.op = ops_text(im, first->ops);
	}
	return (is_exec && !rule->rule.tool) ? -ENOMEM : (ssize_t)n;
}

static int add_items(struct learn *l, struct import *im, struct learn_items *items, bool is_exec,
		     struct learn_rules *rules)
{
	struct learn_items some = {.list = calloc(items->n + 1, sizeof(*items->list))};
	ssize_t r = some.list ? 0 : -ENOMEM;

	/* Starting a program and what is done with its file are different rules. */
	for (size_t i = 0; r == 0 && i < items->n; i++) {
		struct learn_item item = items->list[i];

		item.ops &= is_exec ? OP_BIT(OP_EXEC) : ~OP_BIT(OP_EXEC);
		if (item.ops)
			some.list[some.n++] = item;
	}
	if (some.n)
		qsort(some.list, some.n, sizeof(*some.list), compare_items);
	for (size_t at = 0; r >= 0 && at < some.n;) {
		r = add_group(l, im, &some, at, rules);
		at += r > 0 ? (size_t)r : 0;
	}
	free(some.list);
	return r < 0 ? (int)r : 0;
}

/* ---- the network */

static bool is_same_group(const struct learn_host *a, const struct learn_host *b)
{
	return a->ops == b->ops && a->low == b->low && bytes_eq(a->domain, b->domain) &&
	       !a->domain.p == !b->domain.p;
}

static int compare_hosts(const void *left, const void *right)
{
	const struct learn_host *a = *(struct learn_host *const *)left;
	const struct learn_host *b = *(struct learn_host *const *)right;
	int c;

	if (a->ops != b->ops)
		return a->ops < b->ops ? -1 : 1;
	if (a->low != b->low)
		return a->low < b->low ? -1 : 1;
	if (!a->domain.p != !b->domain.p)
		return a->domain.p ? -1 : 1;
	c = a->domain.p ? compare_bytes(a->domain, b->domain) : 0;
	return c ? c : compare_bytes(a->address, b->address);
}

/* The first name of @rest, which is taken off it. */
static struct bytes take_name(struct bytes *rest)
{
	const char *comma = memchr(rest->p, ',', rest->len);
	struct bytes name = {.p = rest->p, .len = comma ? (size_t)(comma - rest->p) : rest->len};
	size_t taken = MIN(name.len + strlen(", "), rest->len);

	*rest = (struct bytes){.p = rest->p + taken, .len = rest->len - taken};
	return name;
}

/* Who may connect to a host may ask for its address. */
static bool is_connected_to(const struct learn *l, struct bytes wanted)
{
	for (size_t i = 0; i < l->n_hosts; i++) {
		struct bytes rest = l->host_list[i]->domain;

		if (!(l->host_list[i]->ops & (OP_BIT(OP_CONNECT) | OP_BIT(OP_SEND))))
			continue;
		while (rest.len)
			if (bytes_eq(take_name(&rest), wanted))
				return true;
	}
	return false;
}

static const char *host_stem(uint32_t ops)
{
	if (ops & (OP_BIT(OP_CONNECT) | OP_BIT(OP_SEND)))
		return "connect";
	return ops & OP_BIT(OP_RESOLVE) ? "resolve" : "listen";
}

/* What follows from the group's first host, and is the same for all of them. */
static int add_first_host(struct import *im, const struct learn_host *first,
			  struct import_rule *rule, struct value *match)
{
	struct value *domains = import_new_list(im);
	struct bytes rest = first->domain, name = BYTES_NULL;
	int r = domains ? 0 : -ENOMEM;
	const char *text;

	while (r == 0 && rest.len) {
		name = take_name(&rest);
		r = import_add_text(im, domains, name);
	}
	text = import_format(im, "%.*s:%u", (int)name.len, name.len ? name.p : "",
			     (unsigned int)first->low);
	if (r == 0 && name.len && (first->ops & OP_BIT(OP_CONNECT)))
		r = text ? import_add_text(im, match, bytes_of(text)) : -ENOMEM;
	rule->stem = host_stem(first->ops);
	rule->op = ops_text(im, first->ops);
	if (first->ops != OP_BIT(OP_RESOLVE))
		rule->port = first->low == first->high
				     ? import_format(im, "%u", (unsigned int)first->low)
				     : import_format(im, "%u-%u", (unsigned int)first->low,
						     (unsigned int)first->high);
	rule->domains = domains;
	rule->match = match;
	return r;
}

static int add_hosts(struct learn *l, struct import *im, struct learn_rules *rules)
{
	qsort(l->host_list, l->n_hosts, sizeof(struct learn_host *), compare_hosts);
	for (size_t i = 0, n; i < l->n_hosts; i += n) {
		const struct learn_host *first = l->host_list[i];
		struct value *addresses, *match;
		struct learn_rule *rule;
		int r;

		n = 1;
		if (first->ops == OP_BIT(OP_RESOLVE) && is_connected_to(l, first->domain))
			continue;
		rule = new_rule(rules);
		addresses = import_new_list(im);
		match = import_new_list(im);
		r = rule && addresses && match ? add_first_host(im, first, &rule->rule, match)
					       : -ENOMEM;
		for (n = 0; r == 0 && i + n < l->n_hosts && n < LEARN_PER_RULE; n++) {
			const struct learn_host *h = l->host_list[i + n];

			if (!is_same_group(first, h))
				break;
			rule->count += h->count;
			if (!first->domain.p)
				r = import_add_text(im, addresses, h->address);
			if (r == 0 && !first->domain.p && match->n < EXAMPLES_MAX)
				r = import_add_text(im, match, h->example);
		}
		if (r < 0)
			return r;
		rule->rule.from = comment_of(im, rule->count, first->example);
		rule->rule.addresses = addresses;
	}
	return 0;
}

int learn_make_rules(struct learn *l, struct import *im, struct learn_items *items,
		     struct learn_rules *ret)
{
	int r = learn_collect(l, items);

	ret->n = 0;
	if (r == 0)
		r = add_denies(l, im, items, ret);
	if (r == 0)
		r = add_calls(l, im, ret);
	if (r == 0)
		r = add_items(l, im, items, true, ret);
	if (r == 0)
		r = add_items(l, im, items, false, ret);
	return r < 0 ? r : add_hosts(l, im, ret);
}
