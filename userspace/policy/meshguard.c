/* SPDX-License-Identifier: Apache-2.0 */
/*
 * MeshGuard's policy YAML as a dialect: both documented shapes (the plain one, and Kubernetes-like
 * with apiVersion, metadata and spec), with the errors and warnings of MeshGuard's own validator.
 * docs/policy.md says what was decided where its documents are silent or contradict each other.
 */
#include <strings.h>

#include "policy/dialect_lint.h"
#include "policy/meshguard.h"

#define DOCUMENT_MAX_BYTES (8 * POLICY_MAX_BYTES)
#define API_VERSION        "governance.toolkit/v1"

static const char *const plain_keys[] = {
	"name",          "version",    "description", "appliesTo",      "rules",
	"defaultEffect", "delegation", "rateLimits",  "humanInTheLoop", "audit"};
static const char *const spec_keys[] = {"appliesTo",     "bindings",       "rules",
					"defaultEffect", "description",    "delegation",
					"rateLimits",    "humanInTheLoop", "audit"};
static const char *const resource_keys[] = {"apiVersion", "kind", "metadata", "spec"};
static const char *const metadata_keys[] = {"name", "version", "description", "labels",
					    "annotations"};
static const char *const foreign_keys[] = {"default_effect",      "agent_match", "extends",
					   "required_trust_tier", "enforcement", "rollout",
					   "default_decision"};

/* The parts of a document, whatever its shape. */
struct document {
	const struct value *head; /* holds name and version */
	const struct value *body; /* holds the rest */
};

/* ---- shapes */

static bool is_text(const struct value *v, const char *text)
{
	return v && v->type == VALUE_STRING && bytes_eq_str(v->text, text);
}

static int open_map(const struct dialect_reader *r, const struct value *root, const char *key,
		    const char *const *keys, size_t n_keys, const struct value **ret)
{
	const struct value *v = value_get(root, key);

	if (!v || v->type != VALUE_MAP)
		return dialect_fail(r, v ? v : root, "'%s' must be a map, found %s", key,
				    v ? dialect_describe(v) : "nothing");
	dialect_warn_unknown(r, v, key, keys, n_keys);
	*ret = v;
	return 0;
}

static int open_document(const struct dialect_reader *r, const struct value *root,
			 struct document *ret)
{
	const struct value *version = value_get(root, "apiVersion"), *kind;
	int e;

	if (root->type != VALUE_MAP)
		return dialect_fail(r, root,
				    "the policy is %s; it is a map with 'name' and 'rules'",
				    root->type == VALUE_NULL ? "empty" : dialect_describe(root));
	e = mesh_refuse_foreign(r, root, foreign_keys, ARRAY_SIZE(foreign_keys));
	if (e < 0)
		return e;
	*ret = (struct document){.head = root, .body = root};
	if (!version && !value_get(root, "spec")) {
		dialect_warn_unknown(r, root, "the policy", plain_keys, ARRAY_SIZE(plain_keys));
		return 0;
	}
	dialect_warn_unknown(r, root, "the policy", resource_keys, ARRAY_SIZE(resource_keys));
	if (!is_text(version, API_VERSION))
		dialect_warn(r, version ? version : root, "'apiVersion' is not " API_VERSION);
	kind = value_get(root, "kind");
	if (!is_text(kind, "Policy"))
		return dialect_fail(r, kind ? kind : root, "'kind' must be Policy");
	e = open_map(r, root, "metadata", metadata_keys, ARRAY_SIZE(metadata_keys), &ret->head);
	if (e == 0)
		e = open_map(r, root, "spec", spec_keys, ARRAY_SIZE(spec_keys), &ret->body);
	return e ?: mesh_refuse_foreign(r, ret->body, foreign_keys, ARRAY_SIZE(foreign_keys));
}

/* ---- the keys */

static int parse_head(const struct dialect_reader *r, const struct value *head,
		      struct mesh_policy *doc)
{
	const struct value *name = value_get(head, "name");

	if (!name || name->type == VALUE_NULL || (name->type == VALUE_STRING && !name->text.len))
		return dialect_fail(r, name ? name : head, "the policy has no 'name'; give it one");
	if (!value_get(head, "version"))
		dialect_warn(r, head, "the policy has no 'version'");
	return dialect_keep_text(r, name, "name", &doc->name);
}

static int parse_selector(const struct dialect_reader *r, const struct value *v, const char *key,
			  struct mesh_selector *ret)
{
	if (v->type != VALUE_LIST || v->n == 0)
		return dialect_fail(r, v, "'%s' must be a list that is not empty, found %s", key,
				    v->type == VALUE_LIST ? "an empty one" : dialect_describe(v));
	ret->values = arena_alloc(r->mem, v->n * sizeof(*ret->values));
	if (!ret->values)
		return -ENOMEM;
	for (const struct value *item = v->first; item; item = item->next) {
		int e;

		if (item->type != VALUE_STRING)
			return dialect_fail(r, item, "'%s' lists texts, found %s; quote it", key,
					    dialect_describe(item));
		e = dialect_keep(r, item->text, &ret->values[ret->n]);
		if (e < 0)
			return e;
		ret->n++;
	}
	return 0;
}

static int parse_applies_to(const struct dialect_reader *r, const struct document *d,
			    struct mesh_policy *doc)
{
	static const char *const keys[_MESH_SELECTOR_MAX] = {
		[MESH_TIERS] = "trustTiers",
		[MESH_AGENT_TAGS] = "tags",
		[MESH_AGENT_IDS] = "agentIds",
		[MESH_ORG_IDS] = "orgIds",
	};
	const struct value *v = value_get(d->body, "appliesTo");
	bool is_any = false;

	if (!v && d->body != d->head)
		v = value_get(d->body, "bindings");
	if (!v || v->type == VALUE_NULL) {
		dialect_warn(r, v ? v : d->body,
			     "the policy has no 'appliesTo': it applies to every agent");
		return 0;
	}
	if (v->type != VALUE_MAP)
		return dialect_fail(r, v,
				    "'appliesTo' must be a map such as {tags: [...]}, found %s",
				    dialect_describe(v));
	dialect_warn_unknown(r, v, "appliesTo", keys, ARRAY_SIZE(keys));
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		const struct value *kind = value_get(v, keys[i]);
		int e = kind ? parse_selector(r, kind, keys[i], &doc->applies_to[i]) : 0;

		if (e < 0)
			return e;
		is_any |= kind != NULL;
	}
	if (!is_any)
		dialect_warn(r, v,
			     "'appliesTo' has none of trustTiers, agentIds, tags and orgIds: the "
			     "policy applies to every agent");
	return 0;
}

/* What is no effect is denied, as MeshGuard's validator only warns of it. */
static void parse_default(const struct dialect_reader *r, const struct value *v,
			  struct mesh_policy *doc)
{
	static const enum verdict verdicts[] = {VERDICT_ALLOW, VERDICT_DENY, VERDICT_ASK};
	bool is_effect = false;

	doc->default_verdict = VERDICT_DENY;
	if (!v)
		return;
	for (size_t i = 0; v->type == VALUE_STRING && i < ARRAY_SIZE(verdicts); i++) {
		const char *word = mesh_words[verdicts[i]];

		if (v->text.len != strlen(word) || strncasecmp(v->text.p, word, v->text.len))
			continue;
		doc->default_verdict = verdicts[i];
		is_effect = verdicts[i] != VERDICT_ASK;
	}
	if (!is_effect)
		dialect_warn(r, v, "'defaultEffect' must be allow or deny; %s what no rule matches",
			     doc->default_verdict == VERDICT_ASK ? "asking about" : "denying");
}

static int parse_approvals(const struct dialect_reader *r, const struct value *v,
			   struct mesh_policy *doc)
{
	static const char *const keys[] = {"requireApproval"};
	const struct value *patterns;

	if (!v)
		return 0;
	if (v->type != VALUE_MAP)
		return dialect_fail(r, v, "'humanInTheLoop' must be a map, found %s",
				    dialect_describe(v));
	dialect_warn_unknown(r, v, "humanInTheLoop", keys, ARRAY_SIZE(keys));
	patterns = value_get(v, "requireApproval");
	if (!patterns)
		return 0;
	return mesh_parse_patterns(r, patterns, "requireApproval", mesh_words[VERDICT_ASK],
				   &doc->approvals, &doc->n_approvals);
}

/* A session's requests are the programs that start and the connections that are made: what a
 * program does to files is no request of the agent's. */
static int parse_rates(const struct dialect_reader *r, const struct value *v,
		       struct mesh_policy *doc)
{
	static const char *const keys[] = {"requestsPerMinute", "requestsPerHour"};
	static const uint64_t per_ns[] = {60 * NS_PER_SEC, 3600 * NS_PER_SEC};

	if (!v)
		return 0;
	if (v->type != VALUE_MAP)
		return dialect_fail(r, v, "'rateLimits' must be a map, found %s",
				    dialect_describe(v));
	dialect_warn_unknown(r, v, "rateLimits", keys, ARRAY_SIZE(keys));
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		const struct value *n = value_get(v, keys[i]);

		if (!n)
			continue;
		if (n->type != VALUE_INT || n->number < 1 || n->number > UINT32_MAX)
			return dialect_fail(r, n, "'%s' must be a whole number from 1 to %u",
					    keys[i], UINT32_MAX);
		doc->budget.rates[doc->budget.n_rates++] = (struct policy_rate){
			.ops = OP_BIT(OP_EXEC) | OP_BIT(OP_CONNECT),
			.n = (uint64_t)n->number,
			.per_ns = per_ns[i],
			.word = "requests",
		};
		doc->has_budget = true;
	}
	return 0;
}

static int parse_rules(const struct dialect_reader *r, const struct document *d,
		       struct mesh_policy *doc)
{
	const struct value *v = value_get(d->body, "rules");

	if (!v || v->type != VALUE_LIST || v->n == 0)
		return dialect_fail(r, v ? v : d->body,
				    "'rules' must be a list that is not empty, found %s",
				    !v                      ? "nothing"
				    : v->type == VALUE_LIST ? "an empty one"
							    : dialect_describe(v));
	if (v->n > POLICY_MAX_RULES)
		return dialect_fail(r, v, "there are %zu rules, at most %d are possible", v->n,
				    POLICY_MAX_RULES);
	doc->rules = arena_alloc(&doc->mem, v->n * sizeof(*doc->rules));
	if (!doc->rules)
		return -ENOMEM;
	for (const struct value *item = v->first; item; item = item->next) {
		struct mesh_rule *rule = &doc->rules[doc->n_rules++];
		int e;

		*rule = (struct mesh_rule){};
		e = mesh_parse_rule(r, item, doc->n_rules, rule);
		if (e < 0)
			return e;
	}
	return 0;
}

/* ---- what the rules can decide on */

static bool decides_on(const struct mesh_policy *doc, struct bytes action)
{
	bool is_approved = mesh_match_patterns(doc->approvals, doc->n_approvals, action) != NULL;

	for (size_t i = 0; i < doc->n_rules; i++) {
		const struct mesh_rule *rule = &doc->rules[i];

		if (!mesh_match_patterns(rule->actions, rule->n_actions, action))
			continue;
		if (rule->verdict != VERDICT_ALLOW)
			return true;
		if (!rule->conditions)
			return is_approved;
	}
	return doc->default_verdict != VERDICT_ALLOW || is_approved;
}

static void find_decided_ops(struct mesh_policy *doc)
{
	for (unsigned int op = 0; op < OP_SYSCALL; op++)
		if (decides_on(doc, bytes_of(mesh_op_action((enum action_op)op))))
			doc->decided_ops |= OP_BIT(op);
}

/* ---- the dialect */

static void free_doc(void *d)
{
	struct mesh_policy *doc = d;

	if (doc)
		arena_fini(&doc->mem);
	free(doc);
}

static void free_docp(struct mesh_policy **doc)
{
	free_doc(*doc);
}

static int keep_project(const struct dialect_reader *r, struct mesh_policy *doc)
{
	const struct policy_vars *vars = r->load->vars;

	if (!vars || !vars->project || streq(vars->project, "/"))
		return 0;
	return dialect_keep(r, bytes_of(vars->project), &doc->project);
}

static int parse(const struct policy_load *load, const struct value *root, void **ret,
		 struct diag *d)
{
	_cleanup_(free_docp) struct mesh_policy *doc = calloc(1, sizeof(*doc));
	struct dialect_reader r = {.load = load, .d = d};
	struct document document;
	int e;

	if (!doc)
		return -ENOMEM;
	doc->mem = ARENA_INIT(DOCUMENT_MAX_BYTES);
	doc->budget.on_limit = POLICY_LIMIT_DENY;
	r.mem = &doc->mem;
	e = open_document(&r, root, &document);
	if (e == 0)
		e = parse_head(&r, document.head, doc);
	if (e == 0)
		e = parse_applies_to(&r, &document, doc);
	if (e == 0)
		e = parse_rules(&r, &document, doc);
	if (e == 0)
		e = parse_approvals(&r, value_get(document.body, "humanInTheLoop"), doc);
	if (e == 0)
		e = parse_rates(&r, value_get(document.body, "rateLimits"), doc);
	if (e == 0)
		e = keep_project(&r, doc);
	if (e < 0)
		return e;
	if (value_get(document.body, "delegation"))
		dialect_warn(&r, value_get(document.body, "delegation"),
			     "'delegation' has no effect here: a session has one agent");
	parse_default(&r, value_get(document.body, "defaultEffect"), doc);
	find_decided_ops(doc);
	*ret = TAKE_PTR(doc);
	return 0;
}

static size_t rule_count(const void *doc)
{
	return ((const struct mesh_policy *)doc)->n_rules;
}

static uint32_t decided_ops(const void *doc)
{
	return ((const struct mesh_policy *)doc)->decided_ops;
}

static bool needs_args(const void *d)
{
	const struct mesh_policy *doc = d;

	for (size_t i = 0; i < doc->n_rules; i++)
		for (const struct mesh_condition *c = doc->rules[i].conditions; c; c = c->next)
			if (c->subject == MESH_RESOURCE || c->subject == MESH_COMMAND)
				return true;
	return false;
}

static bool can_ask(const void *d)
{
	const struct mesh_policy *doc = d;

	for (size_t i = 0; i < doc->n_rules; i++)
		if (doc->rules[i].verdict == VERDICT_ASK)
			return true;
	return doc->n_approvals || doc->default_verdict == VERDICT_ASK;
}

static const struct policy_budget *budget(const void *d)
{
	const struct mesh_policy *doc = d;

	return doc->has_budget ? &doc->budget : NULL;
}

static const char *name(const void *doc)
{
	return ((const struct mesh_policy *)doc)->name;
}

static bool fits(const struct mesh_selector *s, const char *const *have, size_t n)
{
	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < s->n; j++)
			if (mesh_match(s->values[j], bytes_of(have[i]), false))
				return true;
	return s->n == 0 || n == 0;
}

/* Of what is not known of a session (always its organisation), nothing is held against the policy:
 * to leave it out would open what it closes. */
static bool applies_to(const void *d, const struct policy_subject *who)
{
	const struct mesh_policy *doc = d;

	return fits(&doc->applies_to[MESH_TIERS], &who->tier, who->tier != NULL) &&
	       fits(&doc->applies_to[MESH_AGENT_TAGS], who->tags, who->n_tags) &&
	       fits(&doc->applies_to[MESH_AGENT_IDS], &who->agent, who->agent != NULL);
}

const struct dialect dialect_meshguard = {
	.language = POLICY_LANGUAGE_MESHGUARD,
	.parse = parse,
	.free = free_doc,
	.eval = mesh_eval,
	.each = mesh_each,
	.rule_count = rule_count,
	.decided_ops = decided_ops,
	.needs_args = needs_args,
	.can_ask = can_ask,
	.show = mesh_show,
	.budget = budget,
	.name = name,
	.applies_to = applies_to,
	.rule = meshguard_rule,
	.covers = meshguard_covers,
};
