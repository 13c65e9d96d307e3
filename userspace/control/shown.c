/* SPDX-License-Identifier: Apache-2.0 */
#include "base/escape.h"
#include "control/protocol.h"
#include "control/shown.h"

void shown_add_value(struct strbuf *out, const json_t *v, size_t max)
{
	_cleanup_(strbuf_fini) struct strbuf b = STRBUF_INIT(CONTROL_PACKET_MAX);

	if (!json_is_string(v))
		return;
	escape_json_decode(&b, (struct bytes){json_string_value(v), json_string_length(v)});
	escape_terminal_max(out, strbuf_bytes(&b), max);
}

void shown_add(struct strbuf *out, const json_t *o, const char *key, size_t max)
{
	shown_add_value(out, json_object_get(o, key), max);
}
