/* SPDX-License-Identifier: Apache-2.0 */
/* The file of grants: never a crash; what is read is written, and reads the same again. */
#include <assert.h>

#include "approve/grantlist.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(strbuf_fini) struct strbuf first = STRBUF_INIT(2 * GRANTLIST_MAX_BYTES);
	_cleanup_(strbuf_fini) struct strbuf second = STRBUF_INIT(2 * GRANTLIST_MAX_BYTES);
	_cleanup_(grantlist_fini) struct grantlist l = {}, again = {};
	struct grant_set *set = NULL;
	struct diag d = {};
	int r = grantlist_parse("f", (struct bytes){(const char *)data, size}, &l, &d);

	assert(r == 0 || r == -EINVAL);
	if (r < 0) {
		assert(l.n == 0 && d.message[0]);
		return 0;
	}
	grantlist_write(&l, &first);
	assert(strbuf_error(&first) == 0);
	assert(grantlist_parse("f", strbuf_bytes(&first), &again, &d) == 0);
	grantlist_write(&again, &second);
	assert(bytes_eq(strbuf_bytes(&first), strbuf_bytes(&second)));
	for (size_t i = 0; i < l.n; i++) {
		_cleanup_(strbuf_fini) struct strbuf words = STRBUF_INIT((size_t)64 * 1024);

		grant_rule_describe(l.rules[i], &words);
		for (size_t k = 0; k < words.len; k++)
			assert(words.p[k] >= ' ' && words.p[k] < 0x7f);
	}
	assert(grant_set_new((const struct grant_rule *const *)l.rules, l.n, &set) == 0);
	grant_set_unref(set);
	return 0;
}
