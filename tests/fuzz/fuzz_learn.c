/* SPDX-License-Identifier: Apache-2.0 */
/* Lines of a log that anybody may have written: what is learned from them is a policy that loads,
 * has no more rules than asked for, and lets nobody read a key. */
#include <assert.h>

#include "cli/learn.h"

#define MAX_RULES 30

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_policy(struct policy *p)
{
	const char *const secrets[] = {"/home/u/.ssh/id_rsa", "/home/u/p/.env", "/home/u/.aws/x"};
	struct policy_stack *stack = NULL;
	struct policy_scratch *scratch;
	struct diag d = {};

	assert(policy_stack_new(&p, 1, false, &stack, &d) == 0);
	scratch = policy_scratch_new(stack);
	assert(scratch);
	for (size_t i = 0; i < ARRAY_SIZE(secrets); i++) {
		const struct policy_query q = {.kind = KIND_PATH,
					       .op = OP_READ,
					       .path = bytes_of(secrets[i]),
					       .args = bytes_of(secrets[i]),
					       .minute_of_week = POLICY_TIME_UNKNOWN};
		struct policy_result result;

		policy_stack_eval(stack, scratch, &q, &result);
		assert(result.verdict == VERDICT_DENY);
	}
	policy_scratch_free(scratch);
	policy_stack_free(stack);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct learn_config config = {
		.vars = {.home = "/home/u", .project = "/home/u/p", .tmp = "/tmp"},
		.name = "fuzz",
		.from = "a log",
		.fallback = VERDICT_DENY,
		.max_rules = MAX_RULES,
		.is_strict = size % 2};
	struct strbuf out = STRBUF_INIT(POLICY_MAX_BYTES);
	struct learn_result result;
	struct learn *l = NULL;
	struct policy *p = NULL;
	struct diag d = {};

	if (size > 20000)
		return 0;
	assert(learn_new(&config, &l) == 0);
	for (size_t at = 0; at < size;) {
		const char *line = (const char *)data + at;
		const char *end = memchr(line, '\n', size - at);
		size_t len = end ? (size_t)(end - line) : size - at;
		json_t *record = json_loadb(line, len, JSON_ALLOW_NUL, NULL);

		if (json_is_object(record)) {
			learn_note_processes(l, record);
			assert(learn_take(l, record) == 0);
		}
		json_decref(record);
		at += len + 1;
	}
	assert(learn_write(l, &out, &result, &d) == 0);
	assert(policy_parse("out", strbuf_bytes(&out), &config.vars, &p, &d) == 0);
	assert(policy_rule_count(p) == result.n_rules && result.n_rules <= MAX_RULES);
	check_policy(p);
	learn_free(l);
	strbuf_fini(&out);
	return 0;
}
