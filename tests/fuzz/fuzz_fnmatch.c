/* SPDX-License-Identifier: Apache-2.0 */
/* A pattern and a text with a NUL between them: facts that hold for each pattern. */
#include <assert.h>

#include "policy/fnmatch.h"

#define TEXT_MAX 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(struct bytes pattern, struct bytes text)
{
	char starred[TEXT_MAX + 2];
	bool found = pyfnmatch(pattern, text);

	if (!pyfnmatch_has_magic(pattern) && found)
		assert(bytes_eq(pattern, text));
	memcpy(starred, "*", 1);
	memcpy(starred + 1, pattern.p, pattern.len);
	if (found)
		assert(pyfnmatch((struct bytes){starred, pattern.len + 1}, text));
	/* A '*' at the end closes no set: what is open stays open. */
	memcpy(starred + pattern.len + 1, "*", 1);
	if (found)
		assert(pyfnmatch((struct bytes){starred + 1, pattern.len + 1}, text));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const char *text = (const char *)data;
	const char *end = size ? memchr(text, '\0', size) : NULL;
	size_t len = end ? (size_t)(end - text) : size;

	if (size > TEXT_MAX)
		return 0;
	check((struct bytes){.p = text, .len = len},
	      (struct bytes){.p = end ? end + 1 : text, .len = end ? size - len - 1 : 0});
	return 0;
}
