/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From nodes to a policy: the top keys and the defaults. rule.c reads the rules.
 */
#include "policy/capability.h"
#include "policy/dialect.h"
#include "policy/document.h"
#include "policy/example.h"
#include "policy/source.h"

/* The node tree of a policy of POLICY_MAX_BYTES must fit, and no more. */
#define NODES_MAX_BYTES  ((size_t)1 << 30)
#define POLICY_MEM_BYTES ((size_t)1 << 30)

/* ---- default */

enum default_key {
	DEFAULT_TOOL,
	DEFAULT_PATH,
	DEFAULT_READ,
	DEFAULT_WRITE,
	DEFAULT_NETWORK,
	DEFAULT_CONNECT,
	DEFAULT_SEND,
	DEFAULT_BIND,
	DEFAULT_LISTEN,
	DEFAULT_RESOLVE,
	DEFAULT_UNIX,
	_DEFAULT_MAX,
};

struct defaults {
	bool is_given[_DEFAULT_MAX];
	enum verdict verdicts[_DEFAULT_MAX];
};

static int parse_default_key(const struct loader *l, const struct node *n, struct defaults *d,
			     enum default_key key)
{
	d->is_given[key] = true;
	return schema_verdict(l, n, &d->verdicts[key]);
}

#define DEFAULT_FIELD(function, key)                                                               \
	static int function(const struct loader *l, const struct node *n, void *target)            \
	{                                                                                          \
		return parse_default_key(l, n, target, key);                                       \
	}

DEFAULT_FIELD(parse_default_tool, DEFAULT_TOOL)
DEFAULT_FIELD(parse_default_path, DEFAULT_PATH)
DEFAULT_FIELD(parse_default_read, DEFAULT_READ)
DEFAULT_FIELD(parse_default_write, DEFAULT_WRITE)
DEFAULT_FIELD(parse_default_network, DEFAULT_NETWORK)
DEFAULT_FIELD(parse_default_connect, DEFAULT_CONNECT)
DEFAULT_FIELD(parse_default_send, DEFAULT_SEND)
DEFAULT_FIELD(parse_default_bind, DEFAULT_BIND)
DEFAULT_FIELD(parse_default_listen, DEFAULT_LISTEN)
DEFAULT_FIELD(parse_default_resolve, DEFAULT_RESOLVE)
DEFAULT_FIELD(parse_default_unix, DEFAULT_UNIX)

static const struct field default_fields[] = {
	{"tool", false, parse_default_tool},       {"path", false, parse_default_path},
	{"read", false, parse_default_read},       {"write", false, parse_default_write},
	{"network", false, parse_default_network}, {"connect", false, parse_default_connect},
	{"send", false, parse_default_send},       {"bind", false, parse_default_bind},
	{"listen", false, parse_default_listen},   {"unix", false, parse_default_unix},
	{"resolve", false, parse_default_resolve},
};

/* The first of two keys that is given, else deny: what nobody spoke of is not open. */
static enum verdict pick(const struct defaults *d, enum default_key specific,
			 enum default_key general)
{
	if (d->is_given[specific])
		return d->verdicts[specific];
	return d->is_given[general] ? d->verdicts[general] : VERDICT_DENY;
}

static void apply_defaults(struct policy *p, const struct defaults *d)
{
	enum verdict change = pick(d, DEFAULT_WRITE, DEFAULT_PATH);

	for (unsigned int op = 0; op < _OP_MAX; op++)
		p->defaults[op] = OP_BIT(op) & OPS_CHANGE ? change : VERDICT_DENY;
	p->defaults[OP_EXEC] = pick(d, DEFAULT_TOOL, DEFAULT_TOOL);
	p->defaults[OP_READ] = pick(d, DEFAULT_READ, DEFAULT_PATH);
	p->defaults[OP_CONNECT] = pick(d, DEFAULT_CONNECT, DEFAULT_NETWORK);
	p->defaults[OP_SEND] = pick(d, DEFAULT_SEND, DEFAULT_NETWORK);
	p->defaults[OP_BIND] = pick(d, DEFAULT_BIND, DEFAULT_NETWORK);
	p->defaults[OP_LISTEN] = pick(d, DEFAULT_LISTEN, DEFAULT_NETWORK);
	p->defaults[OP_RESOLVE] = d->is_given[DEFAULT_RESOLVE] ? d->verdicts[DEFAULT_RESOLVE]
							       : p->defaults[OP_CONNECT];
	p->has_resolve_default = d->is_given[DEFAULT_RESOLVE];
	p->unix_default = pick(d, DEFAULT_UNIX, DEFAULT_NETWORK);
}

static int parse_default(const struct loader *l, const struct node *n, void *target)
{
	struct policy *p = target;
	struct defaults d = {};
	enum verdict all;
	int r;

	if (n->type == NODE_SCALAR) {
		r = schema_verdict(l, n, &all);
		if (r < 0)
			return r;
		for (unsigned int op = 0; op < _OP_MAX; op++)
			p->defaults[op] = all;
		p->unix_default = all;
		return 0;
	}
	if (n->type == NODE_MAP && n->n == 0)
		return loader_fail(l, n,
				   "'default' is empty; write 'default: deny' to refuse what "
				   "no rule allows");
	r = schema_map(l, n, "'default'", default_fields, ARRAY_SIZE(default_fields), &d);
	if (r == 0)
		apply_defaults(p, &d);
	return r;
}

/* ---- top keys */

static int parse_version(const struct loader *l, const struct node *n, _unused_ void *target)
{
	if (n->type == NODE_SCALAR && n->is_plain && bytes_eq_str(n->text, "1"))
		return 0;
	return loader_fail(l, n, "'version' must be the number 1, found %s%s%.20s",
			   node_describe(n), n->type == NODE_SCALAR ? " " : "",
			   n->type == NODE_SCALAR ? n->text.p : "");
}

static int parse_name(const struct loader *l, const struct node *n, void *target)
{
	return schema_word(l, n, "name", &((struct policy *)target)->name);
}

static int parse_description(const struct loader *l, const struct node *n, void *target)
{
	return schema_text(l, n, "description", &((struct policy *)target)->description);
}

static int parse_mode(const struct loader *l, const struct node *n, void *target)
{
	struct policy *p = target;

	if (n->type == NODE_SCALAR && bytes_eq_str(n->text, "enforce"))
		p->mode = POLICY_MODE_ENFORCE;
	else if (n->type == NODE_SCALAR && bytes_eq_str(n->text, "audit"))
		p->mode = POLICY_MODE_AUDIT;
	else
		return loader_fail(l, n, "'mode' must be enforce or audit");
	return 0;
}

static int parse_log_reads(const struct loader *l, const struct node *n, void *target)
{
	return schema_bool(l, n, "log_reads", &((struct policy *)target)->logs_reads);
}

static int parse_one_grant(const struct loader *l, const struct node *n, struct policy *p)
{
	const char *words[_GRANT_MAX + 1];
	const char *nearest;
	struct bytes s = {};
	enum grant g;
	int r = schema_string(l, n, "grant", &s);

	if (r < 0)
		return r;
	if (bytes_eq_str(s, "all")) {
		p->grants = (UINT32_C(1) << _GRANT_MAX) - 1;
		return 0;
	}
	if (grant_parse(s, &g) == 0) {
		p->grants |= UINT32_C(1) << g;
		return 0;
	}
	for (unsigned int i = 0; i < _GRANT_MAX; i++)
		words[i] = grant_name((enum grant)i);
	words[_GRANT_MAX] = "all";
	nearest = schema_nearest(s, words, ARRAY_SIZE(words));
	return loader_fail(l, n, "there is no group '%.60s' to grant%s%s%s", s.p,
			   nearest ? "; did you mean '" : "", nearest ? nearest : "",
			   nearest ? "'?" : "; 'grant' in docs/policy.md lists them");
}

static int parse_grant(const struct loader *l, const struct node *n, void *target)
{
	const struct node *item = NULL;
	size_t count = 0;
	int r = schema_list(l, n, "grant", &count, &item);

	for (; r == 0 && count; count--, item = item->next)
		r = parse_one_grant(l, item, target);
	return r;
}

static int parse_one_capability(const struct loader *l, const struct node *n, struct policy *p)
{
	const char *words[CAPABILITY_MAX];
	const char *nearest;
	struct bytes s = {};
	unsigned capability;
	int r = schema_string(l, n, "keep_capabilities", &s);

	if (r < 0)
		return r;
	if (capability_parse(s, &capability) == 0) {
		p->kept_capabilities |= UINT64_C(1) << capability;
		return 0;
	}
	for (unsigned i = 0; i < CAPABILITY_MAX; i++)
		words[i] = capability_name(i);
	nearest = schema_nearest(s, words, ARRAY_SIZE(words));
	return loader_fail(l, n, "there is no capability '%.60s'%s%s%s", s.p,
			   nearest ? "; did you mean '" : "", nearest ? nearest : "",
			   nearest ? "'?" : "; capabilities(7) lists them");
}

static int parse_keep_capabilities(const struct loader *l, const struct node *n, void *target)
{
	const struct node *item = NULL;
	size_t count = 0;
	int r = schema_list(l, n, "keep_capabilities", &count, &item);

	for (; r == 0 && count; count--, item = item->next)
		r = parse_one_capability(l, item, target);
	return r;
}

static int parse_require(const struct loader *l, const struct node *n, void *target)
{
	const struct node *item = NULL;
	struct policy *p = target;
	size_t count = 0;
	int r = schema_list(l, n, "require", &count, &item);

	for (; r == 0 && count; count--, item = item->next) {
		struct bytes s = {};
		enum kernel_layer layer;

		r = schema_string(l, item, "require", &s);
		if (r < 0)
			return r;
		if (layer_parse(s, &layer) < 0)
			return loader_fail(l, item,
					   "there is no layer '%.60s'; there are landlock, "
					   "bpf-net, bpf-lsm and sight",
					   s.p);
		p->required_layers |= LAYER_BIT(layer);
	}
	return r;
}

/* Understood by source_gather() already. */
static int parse_gathered(_unused_ const struct loader *l, _unused_ const struct node *n,
			  _unused_ void *target)
{
	return 0;
}

static const struct field top_fields[] = {
	{"version", true, parse_version},
	{"name", true, parse_name},
	{"description", false, parse_description},
	{"extends", false, parse_gathered},
	{"include", false, parse_gathered},
	{"vars", false, parse_gathered},
	{"applies_to", false, applies_parse},
	{"mode", false, parse_mode},
	{"default", false, parse_default},
	{"rules", false, rules_check},
	{"grant", false, parse_grant},
	{"keep_capabilities", false, parse_keep_capabilities},
	{"require", false, parse_require},
	{"log_reads", false, parse_log_reads},
	{"budget", false, budget_parse},
	{"denials", false, denials_parse},
	{"questions", false, questions_parse},
	{"log", false, log_parse},
};

static const struct field fragment_fields[] = {
	{"rules", false, rules_check},
	{"vars", false, parse_gathered},
	{"include", false, parse_gathered},
};

/* ---- what a document takes from the one that it extends */

static void take_mode(struct policy *to, const struct policy *from)
{
	to->mode = from->mode;
}

static void take_default(struct policy *to, const struct policy *from)
{
	memcpy(to->defaults, from->defaults, sizeof(to->defaults));
	to->unix_default = from->unix_default;
	to->has_resolve_default = from->has_resolve_default;
}

static void take_grant(struct policy *to, const struct policy *from)
{
	to->grants = from->grants;
}

static void take_keep_capabilities(struct policy *to, const struct policy *from)
{
	to->kept_capabilities = from->kept_capabilities;
}

static void take_require(struct policy *to, const struct policy *from)
{
	to->required_layers = from->required_layers;
}

static void take_log_reads(struct policy *to, const struct policy *from)
{
	to->logs_reads = from->logs_reads;
}

static void take_budget(struct policy *to, const struct policy *from)
{
	to->budget = from->budget;
}

static void take_denials(struct policy *to, const struct policy *from)
{
	to->denials = from->denials;
}

static void take_questions(struct policy *to, const struct policy *from)
{
	to->questions = from->questions;
}

static void take_log(struct policy *to, const struct policy *from)
{
	to->log = from->log;
}

static const struct {
	const char *key;
	void (*take)(struct policy *to, const struct policy *from);
} inherited[] = {
	{"mode", take_mode},           {"default", take_default},
	{"grant", take_grant},         {"keep_capabilities", take_keep_capabilities},
	{"require", take_require},     {"log_reads", take_log_reads},
	{"budget", take_budget},       {"denials", take_denials},
	{"questions", take_questions}, {"log", take_log},
};

static int check_decides(const struct loader *l, const struct node *root)
{
	static const char *const keys[] = {"default", "rules", "include", "extends"};

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (source_key(root, keys[i]))
			return 0;
	return loader_fail(l, root,
			   "the policy decides nothing: it has neither 'default' nor 'rules'");
}

/* Return: whether a map has keys of an included file, and no others. */
static bool is_fragment(const struct node *root)
{
	for (const struct node *key = root->first; key; key = key->next->next) {
		bool is_known = false;

		for (size_t i = 0; i < ARRAY_SIZE(fragment_fields); i++)
			is_known |= key->type == NODE_SCALAR &&
				    bytes_eq_str(key->text, fragment_fields[i].key);
		if (!is_known)
			return false;
	}
	return true;
}

/* What is missing tells what the file is. */
static int check_version(const struct loader *l, const struct source *s)
{
	if (s->root->type != NODE_MAP || source_key(s->root, "version"))
		return 0;
	if (s->root->n == 0)
		return loader_fail(l, s->root, "the policy is empty; it begins with 'version: 1'");
	if (is_fragment(s->root))
		return loader_fail(l, s->root,
				   "the policy has no 'version' and no 'name': it is a file for "
				   "'include', and no policy by itself");
	return s->layer ? loader_fail(l, s->root,
				      "the policy has no 'version: 1': only a native policy can be "
				      "extended")
			: 0;
}

/* Reads the keys of a document, all but its rules, into @ret. */
static int parse_head(const struct loader *l, const struct source *s, struct policy *ret)
{
	int r = check_version(l, s);

	if (r < 0)
		return r;
	r = schema_map(l, s->root, "the policy", top_fields, ARRAY_SIZE(top_fields), ret);
	return r < 0 ? r : check_decides(l, s->root);
}

/* @given: bits of inherited[] that an earlier document of the chain has said. */
static int parse_base_head(const struct loader *l, const struct source *s, uint32_t given)
{
	struct policy base = {};
	int r = parse_head(l, s, &base);

	if (r < 0)
		return r;
	for (size_t i = 0; i < ARRAY_SIZE(inherited); i++)
		if (!(given >> i & 1) && source_key(s->root, inherited[i].key))
			inherited[i].take(l->policy, &base);
	return 0;
}

static int parse_fragment(const struct loader *l, const struct source *s)
{
	if (s->root->type == NODE_MAP && s->root->n == 0)
		return loader_fail(l, s->root, "this file is empty; take it out of 'include'");
	return schema_map(l, s->root, "an included file", fragment_fields,
			  ARRAY_SIZE(fragment_fields), NULL);
}

static int parse_heads(const struct loader *l, const struct source *first)
{
	uint32_t given = 0;
	int r = 0;

	for (const struct source *s = first; r == 0 && s; s = s->next) {
		const struct loader own = source_loader(l, s);

		if (s->is_fragment)
			r = parse_fragment(&own, s);
		else if (s == first)
			r = parse_head(&own, s, l->policy);
		else
			r = parse_base_head(&own, s, given);
		for (size_t i = 0; !s->is_fragment && i < ARRAY_SIZE(inherited); i++)
			if (source_key(s->root, inherited[i].key))
				given |= UINT32_C(1) << i;
	}
	return r;
}

static void arena_finip(struct arena *a)
{
	arena_fini(a);
}

/* Nothing is open that no document speaks of. */
struct policy *policy_new(void)
{
	struct policy *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->language = POLICY_LANGUAGE_NATIVE;
	p->mem = ARENA_INIT(POLICY_MEM_BYTES);
	for (unsigned int op = 0; op < _OP_MAX; op++)
		p->defaults[op] = VERDICT_DENY;
	p->unix_default = VERDICT_DENY;
	return p;
}

int document_parse(const struct policy_load *load, struct policy **ret, struct diag *reterr_diag)
{
	_cleanup_(arena_finip) struct arena nodes = ARENA_INIT(NODES_MAX_BYTES);
	_cleanup_(regex_scratch_freep) struct regex_scratch *scratch = regex_scratch_new();
	_cleanup_(policy_freep) struct policy *p = policy_new();
	struct loader l = {.file = load->file,
			   .vars = load->vars,
			   .mem = p ? &p->mem : NULL,
			   .policy = p,
			   .scratch = scratch,
			   .diag = reterr_diag};
	struct source *first = NULL;
	int r;

	if (!p || !scratch)
		return -ENOMEM;
	r = source_gather(load, &l, &nodes, &first);
	if (r < 0)
		return r;
	p->file = first->file;
	r = parse_heads(&l, first);
	if (r == 0)
		r = rules_parse(&l, first, &nodes);
	if (r == 0)
		r = examples_run(&l);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(p);
	return 0;
}

struct policy *policy_free(struct policy *p)
{
	if (!p)
		return NULL;
	for (struct owned_regex *r = p->regexes; r; r = r->next)
		regex_free(r->regex);
	if (p->dialect)
		p->dialect->free(p->doc);
	arena_fini(&p->mem);
	free(p);
	return NULL;
}

const char *policy_name(const struct policy *p)
{
	return p->name;
}

const char *policy_description(const struct policy *p)
{
	return p->description;
}

const char *policy_file(const struct policy *p)
{
	return p->file;
}

const struct policy_budget *policy_get_budget(const struct policy *p)
{
	return p->dialect && p->dialect->budget ? p->dialect->budget(p->doc) : p->budget;
}

const struct policy_log *policy_get_log(const struct policy *p)
{
	return p->log;
}

enum policy_language policy_get_language(const struct policy *p)
{
	return p->language;
}

enum policy_mode policy_get_mode(const struct policy *p)
{
	return p->mode;
}

int policy_find_rule(const struct policy *p, struct bytes name, const char **ret_file,
		     unsigned *ret_line)
{
	for (size_t i = 0; p->dialect && p->dialect->rule && i < policy_rule_count(p); i++) {
		struct dialect_rule rule = {};

		p->dialect->rule(p->doc, i, &rule);
		if (rule.name && rule.line && bytes_eq_str(name, rule.name)) {
			*ret_file = p->file;
			*ret_line = rule.line;
			return 0;
		}
	}
	for (size_t i = 0; !p->dialect && i < p->n_rules; i++)
		if (bytes_eq_str(name, p->rules[i].name) && !p->rules[i].is_replaced) {
			*ret_file = p->rules[i].file;
			*ret_line = p->rules[i].line;
			return 0;
		}
	return -ENOENT;
}

size_t policy_rule_count(const struct policy *p)
{
	if (p->dialect)
		return p->dialect->rule_count(p->doc);
	return p->n_rules;
}
