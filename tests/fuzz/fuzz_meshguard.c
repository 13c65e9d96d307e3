/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/fuzz/dialect_harness.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz_dialect(&dialect_meshguard, data, size);
	return 0;
}
