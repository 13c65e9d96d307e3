/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A Python pattern and a subject with a NUL between them: whatever is accepted is a PCRE2 pattern
 * or a plain refusal, a search ends, and the same one ends the same way.
 */
#include <assert.h>

#include "policy/pyregex.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void search(struct bytes pattern, struct bytes subject)
{
	struct regex_scratch *scratch = regex_scratch_new();
	char why[REGEX_WHY_SIZE] = "";
	struct regex *regex = NULL;
	size_t offset = 0;
	int r;

	assert(scratch);
	r = pyregex_new(pattern, &regex, why, &offset);
	assert(r == 0 || r == -EINVAL || r == -EOPNOTSUPP);
	assert(offset <= pattern.len);
	assert((r == 0) == (regex != NULL) && (r == 0 || why[0]));
	if (r == 0) {
		int found = regex_search(regex, scratch, subject);

		assert(found == 0 || found == 1 || found == -E2BIG);
		assert(regex_search(regex, scratch, subject) == found);
	}
	regex_free(regex);
	regex_scratch_free(scratch);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	const char *end = size ? memchr(text, '\0', size) : NULL;
	size_t len = end ? (size_t)(end - text) : size;
	struct bytes pattern = {.p = text, .len = len};
	struct bytes subject = {.p = end ? end + 1 : text, .len = end ? size - len - 1 : 0};

	search(pattern, subject);
	return 0;
}
