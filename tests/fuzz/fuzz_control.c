/* SPDX-License-Identifier: Apache-2.0 */
/* What anybody may send to a session's control socket: never a crash; what parses survives a round
 * trip. */
#include <assert.h>

#include "control/protocol.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(strbuf_fini) struct strbuf b = STRBUF_INIT(CONTROL_PACKET_MAX);
	struct json j = JSON_INIT(&b);
	struct control_request q, again;
	int r = control_request_parse((const char *)data, size, &q);

	assert(r == 0 || r == CONTROL_E_MALFORMED || r == CONTROL_E_VERSION ||
	       r == CONTROL_E_UNKNOWN_OP);
	if (r != 0)
		return 0;
	assert(q.op < _CONTROL_OP_MAX && q.reason_len <= sizeof(q.reason));
	control_request_write(&q, &j);
	assert(strbuf_error(&b) == 0);
	r = control_request_parse(b.p, b.len, &again);
	/* An id or reason that JSON carries may be one that we would not have written; it still
	 * means the same. */
	assert(r == 0 && again.op == q.op && again.after == q.after &&
	       again.term.life == q.term.life && again.term.duration_ns == q.term.duration_ns &&
	       (q.term.life == ANSWER_ONCE || again.scope == q.scope) && again.rest == q.rest &&
	       memcmp(again.id, q.id, sizeof(q.id)) == 0 && again.reason_len == q.reason_len &&
	       memcmp(again.reason, q.reason, q.reason_len) == 0);
	return 0;
}
