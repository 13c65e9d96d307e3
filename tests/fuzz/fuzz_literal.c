/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A regular expression, a newline, a subject. Where the literal filter says no, the search says no.
 */
#include "policy/regex.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const uint8_t *newline = size ? memchr(data, '\n', size) : NULL;
	struct literal_set set = {};
	struct regex_scratch *scratch;
	struct regex *regex = NULL;
	char why[REGEX_WHY_SIZE];
	struct bytes subject;
	size_t offset;

	if (!newline || size > 4000)
		return 0;
	subject = (struct bytes){.p = (const char *)newline + 1,
				 .len = size - (size_t)(newline + 1 - data)};
	if (regex_new((struct bytes){.p = (const char *)data, .len = (size_t)(newline - data)},
		      &regex, why, &offset) < 0)
		return 0;
	scratch = regex_scratch_new();
	if (scratch && regex_search_filtered(regex, scratch, &set, subject) == 0 &&
	    regex_search_once(regex, scratch, subject) == 1)
		abort();
	regex_scratch_free(scratch);
	regex_free(regex);
	return 0;
}
