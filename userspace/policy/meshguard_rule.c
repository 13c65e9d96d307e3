/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One rule of a MeshGuard policy: the gateway's shape, with the errors of MeshGuard's validator.
 */
#include <strings.h>

#include "policy/meshguard.h"

const char *const mesh_words[_VERDICT_MAX] = {
	[VERDICT_ALLOW] = "allow",
	[VERDICT_FLAG] = "allow",
	[VERDICT_ASK] = "require_approval",
	[VERDICT_DENY] = "deny",
};

static const char *const said[_VERDICT_MAX] = {
	[VERDICT_ALLOW] = "Allowed by rule",
	[VERDICT_FLAG] = "Allowed by rule",
	[VERDICT_ASK] = "Approval required by rule",
	[VERDICT_DENY] = "Denied by rule",
};

int mesh_refuse_foreign(const struct dialect_reader *r, const struct value *map,
			const char *const *keys, size_t n_keys)
{
	for (const struct value *key = map->first; key; key = key->next->next)
		for (size_t i = 0; key->type == VALUE_STRING && i < n_keys; i++)
			if (bytes_eq_str(key->text, keys[i]))
				return dialect_fail(r, key,
						    "'%s' belongs to the language of MeshGuard's "
						    "learn site, or of its Guardian, which is not "
						    "read; write rules with 'effect', 'actions: "
						    "[...]' and a map of 'conditions'",
						    keys[i]);
	return 0;
}

static int parse_pattern(const struct dialect_reader *r, const struct value *v, const char *key,
			 const char *word, const char *saying, struct mesh_pattern *ret)
{
	const char *text;
	int e;

	if (v->type != VALUE_STRING || v->text.len == 0)
		return dialect_fail(r, v, "'%s' lists texts such as \"read:*\", found %s", key,
				    v->type == VALUE_STRING ? "an empty one" : dialect_describe(v));
	e = dialect_keep_text(r, v, key, &text);
	if (e < 0)
		return e;
	ret->text = (struct bytes){.p = text, .len = v->text.len};
	return dialect_keep_fmt(r, &ret->reason, "%s: %s %s", saying, word, text);
}

int mesh_parse_patterns(const struct dialect_reader *r, const struct value *v, const char *key,
			const char *word, struct mesh_pattern **ret, size_t *ret_n)
{
	const char *saying = said[VERDICT_ASK];
	struct mesh_pattern *patterns;
	size_t n = 0;

	if (v->type != VALUE_LIST || v->n == 0)
		return dialect_fail(r, v,
				    "'%s' must be a list that is not empty, such as [\"read:*\"], "
				    "found %s",
				    key,
				    v->type == VALUE_LIST ? "an empty one" : dialect_describe(v));
	for (size_t i = 0; i < _VERDICT_MAX; i++)
		if (streq(word, mesh_words[i]))
			saying = said[i];
	patterns = arena_alloc(r->mem, v->n * sizeof(*patterns));
	if (!patterns)
		return -ENOMEM;
	for (const struct value *item = v->first; item; item = item->next) {
		int e = parse_pattern(r, item, key, word, saying, &patterns[n++]);

		if (e < 0)
			return e;
	}
	*ret = patterns;
	*ret_n = n;
	return 0;
}

static bool is_word(struct bytes text, const char *word)
{
	return text.len == strlen(word) && strncasecmp(text.p, word, text.len) == 0;
}

static int parse_effect(const struct dialect_reader *r, const struct value *rule, enum verdict *ret)
{
	static const enum verdict verdicts[] = {VERDICT_ALLOW, VERDICT_DENY, VERDICT_ASK};
	const struct value *v = value_get(rule, "effect");

	for (size_t i = 0; v && v->type == VALUE_STRING && i < ARRAY_SIZE(verdicts); i++)
		if (is_word(v->text, mesh_words[verdicts[i]])) {
			*ret = verdicts[i];
			return 0;
		}
	if (!v)
		return dialect_fail(r, rule,
				    "the rule has no 'effect'; it is allow, deny or "
				    "require_approval");
	return dialect_fail(r, v, "'effect' must be allow, deny or require_approval, found '%.60s'",
			    v->type == VALUE_STRING ? v->text.p : dialect_describe(v));
}

static int parse_name(const struct dialect_reader *r, const struct value *rule, size_t number,
		      const char **ret)
{
	static const char *const keys[] = {"name", "id"};

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		const struct value *v = value_get(rule, keys[i]);

		if (v && v->type != VALUE_NULL && (v->type != VALUE_STRING || v->text.len))
			return dialect_keep_text(r, v, keys[i], ret);
	}
	return dialect_keep_fmt(r, ret, "Rule %zu", number);
}

static void check_alert(const struct dialect_reader *r, const struct value *rule)
{
	const struct value *v = value_get(rule, "alert");

	if (v && (v->type != VALUE_STRING ||
		  (!bytes_eq_str(v->text, "info") && !bytes_eq_str(v->text, "warning") &&
		   !bytes_eq_str(v->text, "critical"))))
		dialect_warn(r, v, "'alert' must be info, warning or critical, ignoring");
}

int mesh_parse_rule(const struct dialect_reader *r, const struct value *v, size_t number,
		    struct mesh_rule *rule)
{
	static const char *const keys[] = {"effect",      "actions", "conditions", "reason",
					   "description", "alert",   "name",       "id"};
	static const char *const foreign[] = {
		"action", "approval", "enforcement", "rollout",
		"agents", "decision", "agent_match", "required_trust_tier"};
	const struct value *actions, *conditions, *reason;
	int e;

	if (v->type != VALUE_MAP)
		return dialect_fail(r, v,
				    "a rule must be a map such as {effect: deny, actions: [...]}, "
				    "found %s",
				    dialect_describe(v));
	rule->line = v->line;
	rule->column = v->column;
	e = mesh_refuse_foreign(r, v, foreign, ARRAY_SIZE(foreign));
	if (e == 0)
		e = parse_effect(r, v, &rule->verdict);
	if (e < 0)
		return e;
	dialect_warn_unknown(r, v, "the rule", keys, ARRAY_SIZE(keys));
	check_alert(r, v);
	actions = value_get(v, "actions");
	if (!actions)
		return dialect_fail(r, v,
				    "the rule has no 'actions'; list some, such as "
				    "[\"read:*\"]");
	e = mesh_parse_patterns(r, actions, "actions", mesh_words[rule->verdict], &rule->actions,
				&rule->n_actions);
	if (e == 0)
		e = parse_name(r, v, number, &rule->name);
	reason = value_get(v, "reason");
	if (e == 0 && reason && reason->type != VALUE_NULL)
		e = dialect_keep_text(r, reason, "reason", &rule->reason);
	conditions = value_get(v, "conditions");
	if (e == 0 && conditions)
		e = mesh_parse_conditions(r, conditions, &rule->conditions);
	return e;
}
