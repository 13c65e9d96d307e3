/* SPDX-License-Identifier: Apache-2.0 */
/* What a program of --ask command:PROGRAM may say: never a crash, and an answer only when it is one
 * that can be sent on as it is. */
#include <assert.h>

#include "broker/program.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(strbuf_fini) struct strbuf b = STRBUF_INIT(CONTROL_PACKET_MAX);
	struct json j = JSON_INIT(&b);
	struct control_request q = {.id = "abcd2345"}, again;
	const char *problem = program_read_answer((struct bytes){(const char *)data, size}, &q);

	if (problem) {
		assert(problem[0]);
		return 0;
	}
	assert(q.op == CONTROL_APPROVE || q.op == CONTROL_DENY);
	assert(q.reason_len <= sizeof(q.reason));
	control_request_write(&q, &j);
	assert(strbuf_error(&b) == 0);
	assert(control_request_parse(b.p, b.len, &again) == 0 && again.op == q.op);
	return 0;
}
