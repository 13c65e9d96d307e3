/* SPDX-License-Identifier: Apache-2.0 */
/* Other agents' policy files, which may come with a repository: an import ends with a policy that
 * loads, or with one sentence. The first byte says whose it is. */
#include <assert.h>

#include "cli/import.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct {
		const char *agent, *file;
	} kinds[] = {
		{"claude", "settings.json"},
		{"codex", "default.rules"},
		{"codex", "config.toml"},
		{"gemini", "rules.toml"},
	};
	const struct policy_vars vars = {.home = "/home/u", .project = "/p", .tmp = "/tmp"};
	struct strbuf out = STRBUF_INIT(POLICY_MAX_BYTES);
	_cleanup_(freep) char *text = NULL;
	struct import_result result;
	struct diag d = {};
	size_t kind;
	int r;

	if (size == 0 || size > 20000)
		return 0;
	kind = data[0] % ARRAY_SIZE(kinds);
	text = malloc(size); /* exactly: a read past the end shows */
	assert(text);
	memcpy(text, data + 1, size - 1);
	r = import_policy(kinds[kind].agent, kinds[kind].file,
			  (struct bytes){.p = text, .len = size - 1}, "fuzz", &vars, &out, &result,
			  &d);
	if (r == 0) {
		struct policy *p = NULL;

		assert(policy_parse("out", strbuf_bytes(&out), &vars, &p, &d) == 0);
		assert(policy_rule_count(p) == result.n_rules);
		policy_free(p);
	} else {
		assert(r != -EINVAL || d.message[0]);
	}
	strbuf_fini(&out);
	return 0;
}
