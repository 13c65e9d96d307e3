/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as YAML as PyYAML reads it, and through it into the dialects' readers.
 */
#include "policy/policy.h"

#include "tests/fuzz/value_check.h"

#define MAX_VALUES 1000000

static const struct policy_vars vars = {
	.home = "/home/u", .project = "/home/u/proj", .tmp = "/tmp/session"};

static void on_warning(void *ctx, const struct diag *d)
{
	(void)ctx;
	check(d->message[0]);
}

static void load_as(struct bytes text, enum policy_language language)
{
	const struct policy_load load = {.file = "fuzz.yaml",
					 .text = text,
					 .language = language,
					 .vars = &vars,
					 .warn = on_warning};
	struct policy *p = NULL;
	struct diag d = {};
	int r = policy_load(&load, &p, &d);

	check(r == 0 || r == -ENOMEM || (r == -EINVAL && d.message[0]));
	policy_free(p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes text = {.p = (const char *)data, .len = size};
	struct arena mem = ARENA_INIT(CHECK_MEMORY);
	struct value *v = NULL;
	struct diag d = {};
	int r = value_parse_yaml("fuzz.yaml", text, &mem, on_warning, NULL, &v, &d);

	check(r == 0 || r == -ENOMEM || (r == -EINVAL && d.message[0]));
	if (r == 0) {
		check(check_value(v, 0) <= MAX_VALUES);
		check_texts(v);
	}
	arena_fini(&mem);
	load_as(text, (enum policy_language)(size % _POLICY_LANGUAGE_MAX));
	return 0;
}
