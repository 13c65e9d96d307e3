/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>

#include "audit/checkpoint.h"
#include "audit/record.h"
#include "base/escape.h"
#include "base/io.h"

#include "audit/verify_private.h"

/* Takes @word off the front of @in. */
static bool skip(struct bytes *in, struct bytes word)
{
	if (!bytes_has_prefix(*in, word))
		return false;
	*in = (struct bytes){.p = in->p + word.len, .len = in->len - word.len};
	return true;
}

/* Takes a string without escapes, up to its closing quote, off the front of @in. */
static bool take_word(struct bytes *in, char *out, size_t size)
{
	const char *quote = memchr(in->p, '"', in->len);
	size_t len = quote ? (size_t)(quote - in->p) : size;

	if (len >= size || memchr(in->p, '\\', len))
		return false;
	memcpy(out, in->p, len);
	out[len] = '\0';
	*in = (struct bytes){.p = quote + 1, .len = in->len - len - 1};
	return true;
}

/* The first keys as Holdfast writes them; far quicker than a JSON parser. */
static bool read_quickly(struct bytes in, struct verify_record *ret)
{
	char time[64];
	size_t digits = 0;

	if (!skip(&in, BYTES_LIT("{\"v\":2,\"seq\":")) &&
	    !skip(&in, BYTES_LIT("{\"v\":1,\"seq\":")))
		return false;
	while (digits < in.len && in.p[digits] >= '0' && in.p[digits] <= '9')
		digits++;
	if (parse_u64((struct bytes){.p = in.p, .len = digits}, INT64_MAX, &ret->seq) < 0)
		return false;
	in = (struct bytes){.p = in.p + digits, .len = in.len - digits};
	return skip(&in, BYTES_LIT(",\"time\":\"")) && take_word(&in, time, sizeof(time)) &&
	       skip(&in, BYTES_LIT(",\"event\":\"")) &&
	       take_word(&in, ret->event, sizeof(ret->event)) &&
	       skip(&in, BYTES_LIT(",\"session\":\"")) &&
	       take_word(&in, ret->session, sizeof(ret->session));
}

static bool read_string(const json_t *root, const char *key, char *out, size_t size)
{
	const json_t *s = json_object_get(root, key);

	return json_is_string(s) && (size_t)snprintf(out, size, "%s", json_string_value(s)) < size;
}

/* Return: NULL, or what is wrong. */
static const char *read_json(struct bytes text, struct verify_record *ret)
{
	json_int_t v, seq;

	ret->root = json_loadb(text.p, text.len, JSON_ALLOW_NUL, NULL);
	if (!ret->root)
		return VERIFY_NOT_JSON;
	v = json_integer_value(json_object_get(ret->root, "v"));
	if (v > AUDIT_VERSION)
		return "is of another version of the log than this holdfast reads";
	seq = json_integer_value(json_object_get(ret->root, "seq"));
	ret->seq = seq > 0 ? (uint64_t)seq : 0;
	if (v < AUDIT_VERSION_OLDEST ||
	    !read_string(ret->root, "event", ret->event, sizeof(ret->event)) ||
	    !read_string(ret->root, "session", ret->session, sizeof(ret->session)))
		return "is not a record of Holdfast";
	return NULL;
}

const char *verify_read(const struct lines_line *line, struct verify_record *ret)
{
	const char *why = NULL;
	bool is_quick;

	*ret = (struct verify_record){};
	if (line->is_too_long)
		return "is too long for a record";
	is_quick = read_quickly(line->text, ret);
	if (!is_quick || streq(ret->event, CHECKPOINT_EVENT) || streq(ret->event, "rotated"))
		why = read_json(line->text, ret);
	if (why) {
		json_decref(ret->root);
		*ret = (struct verify_record){};
	}
	return why;
}

/* Return: false, after telling. */
static bool check_numbers(struct verify *v, const struct lines_line *line, const json_t *root)
{
	json_int_t lines = json_integer_value(json_object_get(root, "lines"));
	json_int_t bytes = json_integer_value(json_object_get(root, "bytes"));

	if ((uint64_t)lines == line->number - 1 && (uint64_t)bytes == line->offset)
		return true;
	verify_tell(v, (uint64_t)lines > line->number - 1 ? VERIFY_REMOVED : VERIFY_INSERTED,
		    line->number,
		    "this checkpoint was made after %" JSON_INTEGER_FORMAT
		    " lines of %" JSON_INTEGER_FORMAT " bytes; before it are %" PRIu64
		    " lines of %" PRIu64 " bytes",
		    lines, bytes, line->number - 1, line->offset);
	return false;
}

static bool is_recovered(const struct verify_record *record)
{
	return json_is_true(json_object_get(record->root, "recovered"));
}

static bool is_right(const struct pubkey *key, const struct verify_record *record,
		     const struct lines_line *line, const char *base64)
{
	_cleanup_(strbuf_fini) struct strbuf text = STRBUF_INIT(CHECKPOINT_TEXT_MAX);
	struct checkpoint c = {.session = bytes_of(record->session),
			       .lines = line->number - 1,
			       .is_recovered = is_recovered(record)};
	unsigned char signature[PUBKEY_SIGNATURE_BYTES];
	size_t len;

	if (!chain_prev_of(line->text, &c.prev) ||
	    sodium_base642bin(signature, sizeof(signature), base64, strlen(base64), NULL, &len,
			      NULL, sodium_base64_VARIANT_ORIGINAL) != 0 ||
	    len != sizeof(signature))
		return false;
	checkpoint_add_text(&c, &text);
	return !strbuf_error(&text) && pubkey_verify(key, strbuf_bytes(&text), signature);
}

static void tell_former(struct verify *v, const struct lines_line *line)
{
	if (v->has_former)
		return;
	v->has_former = true;
	verify_tell(v, VERIFY_FORMER, line->number,
		    "this checkpoint, and perhaps others, is signed with a key of the host's, as "
		    "older versions of Holdfast made one: an agent that could read it could sign");
}

/* The key that is called @id, if it may sign this checkpoint; else NULL, after telling. */
static const struct pubkey *find_key(struct verify *v, const struct lines_line *line,
				     const struct verify_record *record, const char *id)
{
	const struct verify_config *config = v->config;
	enum keylist_answer answer = KEYLIST_KNOWS_NO_SESSION;
	const char *than = "the list of keys has for it, which does not know this session: is the "
			   "log of another host or user? --keys names their list";
	char its[PUBKEY_ID_HEX + 1];
	const struct pubkey *key = NULL;

	if (config->key) {
		pubkey_id(config->key, its);
		if (streq(its, id))
			return config->key;
	}
	if (config->keys)
		answer = keylist_ask(config->keys, bytes_of(record->session), is_recovered(record),
				     id, &key);
	if (answer == KEYLIST_IS_FORMER)
		tell_former(v, line);
	if (key)
		return key;
	if (!config->keys)
		than = "the one that was asked for: is the log another session's?";
	else if (answer == KEYLIST_HAS_OTHER)
		than = "its session registered: the session did not sign it";
	verify_tell(v, VERIFY_OTHER_KEY, line->number,
		    "this checkpoint is signed with another key (%.16s...) than %s",
		    strlen(id) == PUBKEY_ID_HEX && strspn(id, "0123456789abcdef") == PUBKEY_ID_HEX
			    ? id
			    : "?",
		    than);
	return NULL;
}

void verify_checkpoint(struct verify *v, const struct lines_line *line,
		       const struct verify_record *record)
{
	const char *id = json_string_value(json_object_get(record->root, "key"));
	const char *base64 = json_string_value(json_object_get(record->root, "signature"));
	const struct pubkey *key;

	v->last_checkpoint = line->number;
	if (!check_numbers(v, line, record->root) || (!v->config->keys && !v->config->key))
		return;
	if (!id || !base64) {
		verify_tell(v, VERIFY_SIGNATURE, line->number, "this checkpoint is not signed");
		return;
	}
	key = find_key(v, line, record, id);
	if (!key)
		return;
	if (!is_right(key, record, line, base64)) {
		verify_tell(v, VERIFY_SIGNATURE, line->number,
			    "the signature does not fit: lines before it were changed after they "
			    "were signed, and the chain made anew");
		return;
	}
	if (is_recovered(record))
		verify_tell(v, VERIFY_RECOVERED, line->number,
			    "the %" PRIu64 " lines before it were signed by a recovery: up to "
			    "then only the chain covered them",
			    line->number - v->signed_line - 1);
	v->result.checkpoints++;
	v->result.signed_lines += line->number - v->signed_line;
	v->signed_line = line->number;
}
