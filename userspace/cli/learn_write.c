/* SPDX-License-Identifier: Apache-2.0 */
/* The document: as few rules as asked for, proved by loading it. */
#include "base/escape.h"

#include "cli/learn_rules.h"

#define WRITE_MEM_MAX ((size_t)256 << 20)

/* Their absence makes programs do without; their presence goes around the supervisor. */
#define GRANTS_NOT_LEARNED (1u << GRANT_IO_URING | 1u << GRANT_FOREIGN_ABI)

struct document {
	struct learn *l;
	struct import im;
	struct learn_items items;
	struct learn_rules rules;
};

static unsigned count_lines(const struct strbuf *text)
{
	unsigned n = 0;

	for (size_t i = 0; i < text->len; i++)
		n += text->p[i] == '\n';
	return n;
}

/* ---- too many rules */

static int compare_counts(const void *left, const void *right)
{
	const struct learn_rule *a = *(struct learn_rule *const *)left;
	const struct learn_rule *b = *(struct learn_rule *const *)right;

	if (a->count != b->count)
		return a->count > b->count ? -1 : 1;
	return a < b ? -1 : a > b;
}

static int leave_out(struct document *doc)
{
	size_t max = doc->l->config.max_rules;
	struct learn_rule **order;

	if (doc->rules.n <= max)
		return 0;
	order = calloc(doc->rules.n, sizeof(*order));
	if (!order)
		return -ENOMEM;
	for (size_t i = 0; i < doc->rules.n; i++)
		order[i] = &doc->rules.list[i];
	qsort(order, doc->rules.n, sizeof(*order), compare_counts);
	for (size_t i = max; i < doc->rules.n; i++) {
		order[i]->is_left_out = true;
		doc->l->result.n_dropped += order[i]->count;
	}
	free(order);
	return 0;
}

/* Generalises until there are few enough. */
static int make_rules(struct document *doc)
{
	int r = 0;

	for (unsigned int level = 0; r == 0 && level < LEARN_LEVELS; level++) {
		learn_fold_calls(doc->l, level);
		r = learn_fold(doc->l, level);
		if (r == 0)
			r = learn_make_rules(doc->l, &doc->im, &doc->items, &doc->rules);
		doc->l->result.level = level;
		if (r == 0 && doc->rules.n <= doc->l->config.max_rules)
			break;
	}
	return r < 0 ? r : leave_out(doc);
}

/* ---- the text */

static void add_comment(struct strbuf *out, const char *text)
{
	strbuf_add_str(out, "# ");
	escape_terminal_max(out, bytes_of(text), 400);
	strbuf_add_char(out, '\n');
}

static void add_grants(const struct learn *l, struct strbuf *out)
{
	const char *comma = "";

	for (unsigned int g = 0; g < _GRANT_MAX; g++)
		if (l->grants[g] && (GRANTS_NOT_LEARNED >> g & 1))
			strbuf_add_fmt(out,
				       "# %s was used %llu times. It goes around Holdfast, and "
				       "programs do without it: not granted.\n",
				       grant_name((enum grant)g), (unsigned long long)l->grants[g]);
	for (unsigned int g = 0; g < _GRANT_MAX; g++) {
		if (!l->grants[g] || (GRANTS_NOT_LEARNED >> g & 1))
			continue;
		strbuf_add_fmt(out, "%s%s", *comma ? comma : "grant: [", grant_name((enum grant)g));
		comma = ", ";
	}
	if (*comma)
		strbuf_add_str(out, "] # system calls that are refused otherwise\n");
}

static void add_top(struct learn *l, struct strbuf *out)
{
	add_comment(
		out,
		"Learned by 'holdfast learn': it allows what happened then, meant or not. Read it");
	strbuf_add_fmt(out, "# before you rely on it. From %llu actions of:\n",
		       (unsigned long long)l->result.n_actions);
	add_comment(out, l->config.from);
	if (l->result.n_dropped)
		strbuf_add_fmt(out,
			       "# Not in it: %llu uses for which there was no room or no rule.\n",
			       (unsigned long long)l->result.n_dropped);
	strbuf_add_fmt(out, "version: 1\nname: %s\n", l->config.name);
}

/* As comments, so that a person allows it, not we. */
static int add_used_secrets(struct document *doc, struct strbuf *out)
{
	struct import im = {.mem = doc->im.mem, .diag = doc->im.diag, .file = doc->im.file};
	bool at_start = true;
	int r;

	if (doc->l->n_secrets == 0)
		return 0;
	im.rules = STRBUF_INIT(POLICY_MAX_BYTES);
	r = learn_add_secrets(doc->l, &im);
	strbuf_add_str(out,
		       "  # Secrets that were used. They are not allowed: take the first '#' of "
		       "each line away where one is meant.\n");
	for (size_t i = 0; r == 0 && i < im.rules.len; i++) {
		if (at_start)
			strbuf_add_char(out, '#');
		strbuf_add_char(out, im.rules.p[i]);
		at_start = im.rules.p[i] == '\n';
	}
	strbuf_fini(&im.rules);
	return r;
}

/* @is_for_proof: what it extends is not there to be read. */
static int add_document(struct document *doc, bool is_for_proof, struct strbuf *out)
{
	const struct learn_config *config = &doc->l->config;
	struct strbuf *rules = &doc->im.rules;
	size_t done = 0;
	int r;

	strbuf_reset(out);
	strbuf_reset(rules);
	doc->im.n_rules = 0;
	add_top(doc->l, out);
	if (config->extends && !is_for_proof) {
		strbuf_add_str(out, "extends: \"");
		escape_json(out, bytes_of(config->extends));
		strbuf_add_str(out, "\"\n");
	} else {
		strbuf_add_fmt(out, "default: %s\n", verdict_name(config->fallback));
	}
	add_grants(doc->l, out);
	strbuf_add_str(out, doc->rules.n ? "rules:\n" : "");
	r = add_used_secrets(doc, out);
	for (size_t i = 0; r == 0 && i < doc->rules.n; i++) {
		struct learn_rule *rule = &doc->rules.list[i];

		if (rule->is_left_out)
			continue;
		doc->im.has_examples = rule->has_examples;
		import_add_rule(&doc->im, &rule->rule);
		strbuf_add(out, strbuf_str(rules) + done, rules->len - done);
		done = rules->len;
		rule->last_line = count_lines(out);
	}
	if (r == 0)
		r = strbuf_error(rules);
	return r < 0 ? r : strbuf_error(out);
}

/* ---- the proof */

/* Takes the examples from the rule that @line belongs to; when it has none, the rule. Return:
 * whether there was something to take. */
static bool give_way(struct document *doc, unsigned line)
{
	for (size_t i = 0; i < doc->rules.n; i++) {
		struct learn_rule *rule = &doc->rules.list[i];

		if (rule->is_left_out || line > rule->last_line)
			continue;
		if (!rule->has_examples && rule->rule.action == VERDICT_DENY)
			return false;
		if (!rule->has_examples) {
			rule->is_left_out = true;
			doc->l->result.n_dropped += rule->count;
		}
		rule->has_examples = false;
		return true;
	}
	return false;
}

/* An example that another rule decides first, or whose text means something else as an example, is
 * none; a rule that cannot be written is not learned. */
static int prove(struct document *doc, struct strbuf *out, struct diag *d)
{
	for (;;) {
		struct policy *p = NULL;
		int r = add_document(doc, true, out);

		if (r == 0)
			r = policy_parse("the learned policy", strbuf_bytes(out),
					 &doc->l->config.vars, &p, d);
		policy_free(p);
		if (r != -EINVAL || !give_way(doc, d->line))
			return r;
	}
}

int learn_write(struct learn *l, struct strbuf *out, struct learn_result *ret, struct diag *d)
{
	struct arena mem = ARENA_INIT(WRITE_MEM_MAX);
	struct document doc = {
		.l = l, .im = {.mem = &mem, .diag = d, .rules = STRBUF_INIT(POLICY_MAX_BYTES)}};
	int r = make_rules(&doc);

	if (r == 0)
		r = prove(&doc, out, d);
	if (r == 0)
		r = add_document(&doc, false, out);
	l->result.n_rules = doc.im.n_rules;
	l->result.n_secrets = l->n_secrets;
	*ret = l->result;
	free(doc.items.list);
	free(doc.rules.list);
	strbuf_fini(&doc.im.rules);
	arena_fini(&mem);
	return r;
}
