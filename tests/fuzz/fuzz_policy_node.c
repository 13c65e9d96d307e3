/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The two readers of a policy's YAML: what the quick one takes, libyaml must read the same, to the
 * last position.
 */
#include "policy/policy.h"
#include "tests/node_same.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct bytes text = {.p = (const char *)data, .len = size};

	if (size <= POLICY_MAX_BYTES && node_read_same(text) < 0)
		abort();
	return 0;
}
