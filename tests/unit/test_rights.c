/* SPDX-License-Identifier: Apache-2.0 */
/* When the agent's rights need not be taken on to walk to a directory. */
#include <linux/capability.h>

#include "action/rights.h"
#include "tests/unit/unit.h"

#define CAP(name) (UINT64_C(1) << (name))

static const gid_t ours[] = {4, 24}, others[] = {4, 25};

static const struct {
	const char *what;
	struct act_creds own, agent;
	bool expected;
} cases[] = {
	{"the same", {.cap_effective = 0}, {.cap_effective = 0}, true},
	{"another user", {.fsuid = 0}, {.fsuid = 1000}, false},
	{"another group", {.fsgid = 0}, {.fsgid = 1000}, false},
	{"another user with capabilities",
	 {.cap_effective = CAP(CAP_DAC_OVERRIDE)},
	 {.fsuid = 1000, .cap_effective = CAP(CAP_DAC_OVERRIDE)},
	 false},
	{"the same groups", {.groups = ours, .n_groups = 2}, {.groups = ours, .n_groups = 2}, true},
	{"other groups", {.groups = ours, .n_groups = 2}, {.groups = others, .n_groups = 2}, false},
	{"fewer groups", {.groups = ours, .n_groups = 2}, {.groups = ours, .n_groups = 1}, false},
	{"both may walk anywhere",
	 {.cap_effective = CAP(CAP_DAC_OVERRIDE) | CAP(CAP_DAC_READ_SEARCH) | CAP(CAP_SYS_PTRACE)},
	 {.cap_effective = CAP(CAP_DAC_OVERRIDE)},
	 true},
	{"we may walk anywhere",
	 {.cap_effective = CAP(CAP_DAC_OVERRIDE)},
	 {.cap_effective = CAP(CAP_SYS_PTRACE)},
	 false},
	{"we may search anywhere", {.cap_effective = CAP(CAP_DAC_READ_SEARCH)}, {}, false},
	{"the agent may search anywhere", {}, {.cap_effective = CAP(CAP_DAC_READ_SEARCH)}, false},
	{"both may search",
	 {.cap_effective = CAP(CAP_DAC_READ_SEARCH) | CAP(CAP_CHOWN)},
	 {.cap_effective = CAP(CAP_DAC_READ_SEARCH)},
	 true},
};

static void test_walk_alike(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct rights rights = {.own = cases[i].own};

		if (rights_walk_alike(&rights, &cases[i].agent) != cases[i].expected)
			fail_msg("%s: not %d", cases[i].what, cases[i].expected);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_walk_alike),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
