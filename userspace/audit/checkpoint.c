/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <sodium.h>

#include "audit/checkpoint.h"

void checkpoint_add_text(const struct checkpoint *c, struct strbuf *out)
{
	strbuf_add_str(out, c->is_recovered ? "holdfast-recovery-1\n" : "holdfast-checkpoint-1\n");
	strbuf_add_bytes(out, c->session);
	strbuf_add_fmt(out, "\n%" PRIu64 "\n", c->lines);
	strbuf_add_bytes(out, chain_bytes(&c->prev));
	strbuf_add_char(out, '\n');
}

int checkpoint_add_keys(const struct checkpoint *c, const struct signkey *key, struct strbuf *out)
{
	_cleanup_(strbuf_fini) struct strbuf text = STRBUF_INIT(CHECKPOINT_TEXT_MAX);
	unsigned char signature[PUBKEY_SIGNATURE_BYTES];
	char base64[2 * PUBKEY_SIGNATURE_BYTES], id[PUBKEY_ID_HEX + 1];

	strbuf_add_fmt(out, "\"lines\":%" PRIu64 ",\"bytes\":%" PRIu64, c->lines, c->bytes);
	if (!key) {
		strbuf_add_str(out, ",\"key\":null,\"signature\":null");
		return strbuf_error(out);
	}
	checkpoint_add_text(c, &text);
	if (strbuf_error(&text))
		return strbuf_error(&text);
	signkey_sign(key, strbuf_bytes(&text), signature);
	(void)sodium_bin2base64(base64, sizeof(base64), signature, sizeof(signature),
				sodium_base64_VARIANT_ORIGINAL);
	pubkey_id(signkey_public(key), id);
	strbuf_add_fmt(out, ",\"key\":\"%s\",\"signature\":\"%s\"", id, base64);
	if (c->is_recovered)
		strbuf_add_str(out, ",\"recovered\":true");
	return strbuf_error(out);
}
