/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a text to a policy in its language.
 */
#include <ctype.h>

#include "policy/dialect.h"
#include "policy/document.h"
#include "policy/language.h"

/* Of the value tree while a dialect's document is read: a value takes 64 bytes, a byte of YAML can
 * make one. */
#define VALUES_MAX_BYTES ((size_t)1 << 30)

static const char *const language_names[_POLICY_LANGUAGE_MAX] = {
	[POLICY_LANGUAGE_AUTO] = "auto",
	[POLICY_LANGUAGE_NATIVE] = "native",
	[POLICY_LANGUAGE_ACTION_POLICY] = "agent-action-policy",
	[POLICY_LANGUAGE_AGENTPOLICY] = "agentpolicy",
	[POLICY_LANGUAGE_MESHGUARD] = "meshguard",
};

const char *policy_language_name(enum policy_language language)
{
	return (unsigned int)language < _POLICY_LANGUAGE_MAX ? language_names[language] : "unknown";
}

int policy_language_parse(struct bytes word, enum policy_language *ret)
{
	for (unsigned int i = 0; i < _POLICY_LANGUAGE_MAX; i++)
		if (bytes_eq_str(word, language_names[i])) {
			*ret = (enum policy_language)i;
			return 0;
		}
	return -ENOENT;
}

static const struct dialect *const dialects[_POLICY_LANGUAGE_MAX] = {
	[POLICY_LANGUAGE_ACTION_POLICY] = &dialect_action_policy,
	[POLICY_LANGUAGE_AGENTPOLICY] = &dialect_agentpolicy,
	[POLICY_LANGUAGE_MESHGUARD] = &dialect_meshguard,
};

const struct dialect *dialect_of(enum policy_language language)
{
	return (unsigned int)language < _POLICY_LANGUAGE_MAX ? dialects[language] : NULL;
}

/* @name, or when it is NULL the base name of the file without its suffix. */
static int name_policy(struct policy *p, const char *file, const char *name)
{
	struct bytes base = bytes_base_name(bytes_of(file));
	const char *dot = base.len ? memrchr(base.p, '.', base.len) : NULL;
	struct bytes copy;

	if (name)
		base = bytes_of(name);
	else if (dot && dot > base.p)
		base.len = (size_t)(dot - base.p);
	if (base.len == 0)
		base = BYTES_LIT("policy");
	base.len = MIN(base.len, (size_t)SCHEMA_NAME_MAX_BYTES);
	copy = arena_copy(&p->mem, base.p, base.len);
	if (!copy.p)
		return -ENOMEM;
	for (char *c = (char *)(uintptr_t)copy.p; *c; c++)
		if (!isalnum((unsigned char)*c) && !strchr("._-", *c))
			*c = '-';
	p->name = copy.p;
	p->file = arena_copy(&p->mem, file, strlen(file)).p;
	return p->file ? 0 : -ENOMEM;
}

static int load_dialect(const struct policy_load *load, enum policy_language language,
			struct policy **ret, struct diag *d)
{
	_cleanup_(arena_fini) struct arena values = ARENA_INIT(VALUES_MAX_BYTES);
	_cleanup_(policy_freep) struct policy *p = policy_new();
	const struct dialect *dialect = dialect_of(language);
	struct value *root = NULL;
	int r;

	if (!p)
		return -ENOMEM;
	if (!dialect)
		return diag_set(d, load->file, 0, 0, "policies of %s are not in this build",
				policy_language_name(language));
	r = value_parse_yaml(load->file, load->text, &values, load->warn, load->warn_ctx, &root, d);
	if (r == 0 && load->language == POLICY_LANGUAGE_AUTO)
		r = language_check(load->file, root, language, d);
	if (r == 0)
		r = dialect->parse(load, root, &p->doc, d);
	if (r < 0)
		return r;
	p->language = language;
	p->dialect = dialect;
	r = name_policy(p, load->file, dialect->name ? dialect->name(p->doc) : NULL);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(p);
	return 0;
}

int policy_load(const struct policy_load *load, struct policy **ret, struct diag *reterr_diag)
{
	enum policy_language language = load->language;
	int r;

	if (load->text.len > POLICY_MAX_BYTES)
		return diag_set(reterr_diag, load->file, 0, 0, "the policy is larger than %zu MiB",
				POLICY_MAX_BYTES / 1024 / 1024);
	if (language == POLICY_LANGUAGE_AUTO) {
		r = language_detect(load->file, load->text, &language, reterr_diag);
		if (r < 0)
			return r;
	}
	if (language == POLICY_LANGUAGE_NATIVE)
		return document_parse(load, ret, reterr_diag);
	return load_dialect(load, language, ret, reterr_diag);
}

int policy_parse(const char *file, struct bytes text, const struct policy_vars *vars,
		 struct policy **ret, struct diag *reterr_diag)
{
	const struct policy_load load = {.file = file, .text = text, .vars = vars};

	return policy_load(&load, ret, reterr_diag);
}
