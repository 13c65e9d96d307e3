/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a text to a policy in its language.
 */
#include "policy/dialect.h"
#include "policy/document.h"

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

int policy_load(const struct policy_load *load, struct policy **ret, struct diag *reterr_diag)
{
	if (load->text.len > POLICY_MAX_BYTES)
		return diag_set(reterr_diag, load->file, 0, 0, "the policy is larger than %zu MiB",
				POLICY_MAX_BYTES / 1024 / 1024);
	return document_parse(load, ret, reterr_diag);
}

int policy_parse(const char *file, struct bytes text, const struct policy_vars *vars,
		 struct policy **ret, struct diag *reterr_diag)
{
	const struct policy_load load = {.file = file, .text = text, .vars = vars};

	return policy_load(&load, ret, reterr_diag);
}
