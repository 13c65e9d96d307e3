/* SPDX-License-Identifier: Apache-2.0 */
/*
 * libyaml's events are read until a key decides: at the latest at the first rule, so that a large
 * native document is not read twice.
 */
#include "policy/document.h"
#include "policy/language.h"
#include "policy/yaml_events.h"

/* Deeper documents are refused anyway, and libyaml's time grows with the square of the depth. */
#define MAX_DEPTH (VALUE_MAX_DEPTH + 1)

enum meaning {
	MEANS_NOTHING,
	MEANS_ACTION_POLICY,
	MEANS_AGENTPOLICY,
	MEANS_MESHGUARD,
	MEANS_NATIVE,
	MEANS_RULES,   /* native or MeshGuard: the first rule tells */
	MEANS_BUDGET,  /* AgentPolicy, unless a native key stands beside it */
	MEANS_VERSION, /* 1: native */
	MEANS_EITHER,  /* native or MeshGuard: another key tells */
};

static const struct top_key {
	const char *key;
	enum meaning meaning;
} top_keys[] = {
	{"version", MEANS_VERSION},
	{"name", MEANS_EITHER},
	{"rules", MEANS_RULES},
	{"default", MEANS_NATIVE},
	{"description", MEANS_EITHER},
	{"extends", MEANS_EITHER},
	{"include", MEANS_NATIVE},
	{"vars", MEANS_NATIVE},
	{"applies_to", MEANS_NATIVE},
	{"mode", MEANS_NATIVE},
	{"grant", MEANS_NATIVE},
	{"keep_capabilities", MEANS_NATIVE},
	{"require", MEANS_NATIVE},
	{"log_reads", MEANS_NATIVE},
	{"log", MEANS_NATIVE},
	{"budget", MEANS_BUDGET},
	{"policies", MEANS_ACTION_POLICY},
	{"tools", MEANS_AGENTPOLICY},
	{"network", MEANS_AGENTPOLICY},
	{"approval", MEANS_AGENTPOLICY},
	{"defaultEffect", MEANS_MESHGUARD},
	{"default_effect", MEANS_MESHGUARD},
	{"appliesTo", MEANS_MESHGUARD},
	{"apiVersion", MEANS_MESHGUARD},
	{"spec", MEANS_MESHGUARD},
};

struct detector {
	const char *file;
	struct diag *diag;
	size_t depth;
	bool is_key;       /* the next node of the top map is a key */
	bool is_rule_key;  /* the next node of the first rule is a key */
	bool is_in_rules;  /* the value of 'rules' is being read */
	enum meaning last; /* of the top key whose value comes */
	bool has_known;    /* a key that some language has; but for 'budget' */
	bool has_budget, has_version_1;
	bool is_decided;
	enum policy_language language;
	struct diag unknown; /* the first key that no language has */
};

static int decide(struct detector *t, enum policy_language language)
{
	t->language = language;
	t->is_decided = true;
	return 0;
}

static enum meaning meaning_of(struct bytes key)
{
	for (size_t i = 0; i < ARRAY_SIZE(top_keys); i++)
		if (bytes_eq_str(key, top_keys[i].key))
			return top_keys[i].meaning;
	return MEANS_NOTHING;
}

static void note_unknown(struct detector *t, const yaml_event_t *e, struct bytes key)
{
	const char *words[ARRAY_SIZE(top_keys)];
	const char *nearest;
	unsigned line = (unsigned)e->start_mark.line + 1;
	unsigned column = (unsigned)e->start_mark.column + 1;
	int len = (int)MIN(key.len, (size_t)60);

	if (t->unknown.message[0])
		return;
	for (size_t i = 0; i < ARRAY_SIZE(top_keys); i++)
		words[i] = top_keys[i].key;
	nearest = schema_nearest(key, words, ARRAY_SIZE(words));
	if (nearest)
		(void)diag_set(&t->unknown, t->file, line, column,
			       "unknown key '%.*s'; did you mean '%s'?", len, key.p, nearest);
	else
		(void)diag_set(&t->unknown, t->file, line, column,
			       "the key '%.*s' belongs to no policy language; a policy begins with "
			       "'version: 1', 'policies:', 'tools:' or 'appliesTo:'",
			       len, key.p);
}

/* Native keys and another language's in one document: whichever reader took it would leave a part
 * of it out. */
static int fail_mixed(const struct detector *t, const yaml_event_t *e, struct bytes key,
		      enum policy_language language)
{
	return diag_set(t->diag, t->file, (unsigned)e->start_mark.line + 1,
			(unsigned)e->start_mark.column + 1,
			"'%.*s' belongs to %s, but 'version: 1' above says that this is a native "
			"policy, which has 'rules' and 'default'; take one of the two out, or say "
			"--language %s",
			(int)key.len, key.p, policy_language_name(language),
			policy_language_name(language));
}

static int decide_dialect(struct detector *t, const yaml_event_t *e, struct bytes key,
			  enum policy_language language)
{
	/* MeshGuard has a 'version', too, of any value. */
	if (t->has_version_1 && language != POLICY_LANGUAGE_MESHGUARD)
		return fail_mixed(t, e, key, language);
	return decide(t, language);
}

static int on_top_key(struct detector *t, const yaml_event_t *e, struct bytes key)
{
	t->last = meaning_of(key);
	if (t->last != MEANS_NOTHING && t->last != MEANS_BUDGET)
		t->has_known = true;
	switch (t->last) {
	case MEANS_ACTION_POLICY:
		return decide_dialect(t, e, key, POLICY_LANGUAGE_ACTION_POLICY);
	case MEANS_AGENTPOLICY:
		return decide_dialect(t, e, key, POLICY_LANGUAGE_AGENTPOLICY);
	case MEANS_MESHGUARD:
		return decide_dialect(t, e, key, POLICY_LANGUAGE_MESHGUARD);
	case MEANS_NATIVE:
		return decide(t, POLICY_LANGUAGE_NATIVE);
	case MEANS_BUDGET:
		t->has_budget = true;
		return 0;
	case MEANS_NOTHING:
		note_unknown(t, e, key);
		return 0;
	case MEANS_RULES:
	case MEANS_VERSION:
	case MEANS_EITHER:
		return 0;
	}
	return 0;
}

/* The values that matter: that of 'version', and that of 'rules'. */
static int on_top_value(struct detector *t, const yaml_event_t *e)
{
	if (t->last == MEANS_VERSION && e->type == YAML_SCALAR_EVENT)
		t->has_version_1 = e->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
				   streq((const char *)e->data.scalar.value, "1");
	if (t->last != MEANS_RULES)
		return 0;
	if (e->type != YAML_SEQUENCE_START_EVENT)
		return decide(t, POLICY_LANGUAGE_NATIVE);
	t->is_in_rules = true;
	t->is_rule_key = true;
	return 0;
}

/* A node in the list of rules: the first must be a map, and its keys tell. */
static int on_rule(struct detector *t, const yaml_event_t *e)
{
	struct bytes key = BYTES_NULL;

	if (t->depth == 2)
		return e->type == YAML_MAPPING_START_EVENT ? 0 : decide(t, POLICY_LANGUAGE_NATIVE);
	if (t->depth > 3)
		return 0;
	if (t->is_rule_key && e->type == YAML_SCALAR_EVENT)
		key = bytes_of((const char *)e->data.scalar.value);
	t->is_rule_key = !t->is_rule_key;
	if (bytes_eq_str(key, "effect") || bytes_eq_str(key, "actions"))
		return decide(t, POLICY_LANGUAGE_MESHGUARD);
	return 0;
}

static int on_node(struct detector *t, const yaml_event_t *e)
{
	bool is_key = t->is_key;

	if (t->depth == 0 && e->type != YAML_MAPPING_START_EVENT)
		return decide(t, POLICY_LANGUAGE_NATIVE);
	if (t->is_in_rules)
		return on_rule(t, e);
	if (t->depth != 1)
		return 0;
	t->is_key = !is_key;
	if (!is_key)
		return on_top_value(t, e);
	if (e->type != YAML_SCALAR_EVENT) {
		t->last = MEANS_NOTHING;
		return 0;
	}
	return on_top_key(t, e,
			  (struct bytes){.p = (const char *)e->data.scalar.value,
					 .len = e->data.scalar.length});
}

/* No top key decided. */
static int on_end(struct detector *t)
{
	if (t->has_budget && !t->has_known)
		return decide(t, POLICY_LANGUAGE_AGENTPOLICY);
	if (t->has_known || !t->unknown.message[0])
		return decide(t, POLICY_LANGUAGE_NATIVE);
	if (t->diag)
		*t->diag = t->unknown;
	return -EINVAL;
}

static int on_event(struct detector *t, const yaml_event_t *e)
{
	int r;

	switch (e->type) {
	case YAML_ALIAS_EVENT:
	case YAML_SCALAR_EVENT:
		return on_node(t, e);
	case YAML_SEQUENCE_START_EVENT:
	case YAML_MAPPING_START_EVENT:
		r = on_node(t, e);
		t->is_key = t->is_key || t->depth == 0;
		if (++t->depth == MAX_DEPTH)
			return decide(t, POLICY_LANGUAGE_NATIVE);
		return r;
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		t->depth--;
		/* The first rule has no key of MeshGuard's, or there is no rule. */
		if (t->is_in_rules && t->depth <= 2)
			return decide(t, POLICY_LANGUAGE_NATIVE);
		return 0;
	case YAML_DOCUMENT_END_EVENT:
	case YAML_STREAM_END_EVENT:
		return on_end(t);
	case YAML_NO_EVENT:
	case YAML_STREAM_START_EVENT:
	case YAML_DOCUMENT_START_EVENT:
		return 0;
	}
	return 0;
}

/* What follows is somebody else's to complain about. */
static int on_error(_unused_ void *ctx, _unused_ const yaml_parser_t *p)
{
	return 0;
}

/* Stops once the language is known: a large document pays nothing. */
static int on_event_until_decided(void *ctx, const yaml_event_t *e)
{
	struct detector *t = ctx;
	int r = on_event(t, e);

	return r == 0 && t->is_decided ? 1 : r;
}

int language_detect(const char *file, struct bytes text, enum policy_language *ret, struct diag *d)
{
	struct detector t = {.file = file, .diag = d};
	int r;

	if (bytes_has_prefix(text, BYTES_LIT("\xef\xbb\xbf"))) {
		text.p += 3;
		text.len -= 3;
	}
	r = node_check_directives(file, text, d);
	if (r < 0)
		return r;
	r = yaml_read(&(struct yaml_reader){on_event_until_decided, on_error, &t}, text);
	if (r < 0)
		return r;
	*ret = t.is_decided ? t.language : POLICY_LANGUAGE_NATIVE;
	return 0;
}

static enum policy_language language_of(enum meaning meaning)
{
	if (meaning == MEANS_ACTION_POLICY)
		return POLICY_LANGUAGE_ACTION_POLICY;
	if (meaning == MEANS_AGENTPOLICY)
		return POLICY_LANGUAGE_AGENTPOLICY;
	if (meaning == MEANS_MESHGUARD)
		return POLICY_LANGUAGE_MESHGUARD;
	return POLICY_LANGUAGE_AUTO;
}

/* A native policy without its 'version' would lose its other limits, and so would allow all. */
static int check_budget(const char *file, const struct value *root, struct diag *d)
{
	const struct value *budget = value_get(root, "budget");

	if (!budget || value_get(budget, "max_spend"))
		return 0;
	return diag_set(d, file, budget->line, budget->column,
			"a 'budget' without 'max_spend' limits nothing in an AgentPolicy policy; a "
			"native policy begins with 'version: 1'");
}

int language_check(const char *file, const struct value *root, enum policy_language language,
		   struct diag *d)
{
	const char *own = policy_language_name(language);
	bool is_all_budget = language == POLICY_LANGUAGE_AGENTPOLICY;

	if (root->type != VALUE_MAP)
		return 0;
	for (const struct value *k = root->first; k; k = k->next->next) {
		enum meaning meaning =
			k->type == VALUE_STRING ? meaning_of(k->text) : MEANS_NOTHING;
		enum policy_language other = language_of(meaning);

		if (meaning == MEANS_AGENTPOLICY)
			is_all_budget = false;
		if (other != POLICY_LANGUAGE_AUTO && other != language)
			return diag_set(
				d, file, k->line, k->column,
				"'%s' belongs to %s, but other keys say that this policy is "
				"%s's: make two files, or say --language %s",
				k->text.p, policy_language_name(other), own, own);
		if (language != POLICY_LANGUAGE_MESHGUARD &&
		    (meaning == MEANS_NATIVE || meaning == MEANS_RULES))
			return diag_set(d, file, k->line, k->column,
					"'%s' belongs to native policies, but other keys say that "
					"this policy is %s's: make two files, or say --language %s",
					k->text.p, own, own);
		if (language != POLICY_LANGUAGE_MESHGUARD && meaning == MEANS_VERSION &&
		    k->next->type == VALUE_INT && k->next->number == 1)
			return diag_set(d, file, k->line, k->column,
					"'version: 1' says that this is a native policy, but other "
					"keys belong to %s: take one of the two out, or say "
					"--language %s",
					own, own);
	}
	return is_all_budget ? check_budget(file, root, d) : 0;
}
