/* SPDX-License-Identifier: Apache-2.0 */
/* What may stand in the ring file of a dead session: never a crash, and every record that is taken
 * for whole becomes one line of ASCII that the reader's JSON library accepts. */
#include <assert.h>
#include <jansson.h>

#include "audit/codec.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_line(const struct codec_view *v)
{
	struct strbuf line = STRBUF_INIT(CODEC_LINE_MAX + CODEC_EVENT_MAX);
	json_t *root;

	codec_add_line(v, BYTES_LIT("session"), BYTES_LIT("agent\xff"), &chain_first, &line);
	assert(strbuf_error(&line) == 0);
	assert(line.p[line.len - 1] == '\n');
	/* The text of an event is taken as it is: its writer is trusted to have made JSON. */
	if (v->type == WIRE_RECORD) {
		assert(memchr(line.p, '\n', line.len) == line.p + line.len - 1);
		for (size_t i = 0; i + 1 < line.len; i++)
			assert(line.p[i] >= 0x20 && line.p[i] < 0x7f);
		/* So is that of the steps, as long as it stays on its line. */
		root = json_loadb(line.p, line.len, JSON_ALLOW_NUL, NULL);
		assert(root || v->record.steps.p);
		json_decref(root);
	}
	strbuf_fini(&line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct codec_view v;
	struct bytes in = {.p = (const char *)data, .len = MIN(size, AUDIT_RECORD_MAX)};

	while (in.len) {
		ssize_t n = codec_view(in, &v);

		if (n < 0)
			return 0;
		assert(n > 0 && (size_t)n <= in.len && (size_t)n % WIRE_ALIGN == 0);
		if (v.type != WIRE_PAD)
			check_line(&v);
		in.p += n;
		in.len -= (size_t)n;
	}
	return 0;
}
