/* SPDX-License-Identifier: Apache-2.0 */
#include "names/tls_hello.h"

#define CLIENT_HELLO   1
#define SERVER_HELLO   2
#define HANDSHAKE_HEAD 4
#define RANDOM_BYTES   32
#define SESSION_ID_MAX 32
#define RECORD_MAX     ((size_t)1 << 14)   /* of plain text, RFC 8446 5.1 */
#define CIPHERTEXT_MAX (RECORD_MAX + 2048) /* RFC 5246 6.2.3 */
#define NAME_HOST      0                   /* server_name: a DNS host name */
#define EXT_NAME       0
#define EXT_ECH        0xfe0d
/* Earlier drafts and their predecessor (ESNI), which some servers spoke. */
#define EXT_ECH_FIRST 0xfe08
#define EXT_ESNI      0xffce

/* What is left to be read. */
struct cursor {
	const uint8_t *p;
	size_t len;
};

static bool take(struct cursor *c, size_t len, struct cursor *ret)
{
	if (c->len < len)
		return false;
	*ret = (struct cursor){.p = c->p, .len = len};
	c->p += len;
	c->len -= len;
	return true;
}

/* A number of @n bytes, big endian. */
static bool take_number(struct cursor *c, size_t n, size_t *ret)
{
	struct cursor bytes;

	if (!take(c, n, &bytes))
		return false;
	*ret = 0;
	for (size_t i = 0; i < n; i++)
		*ret = *ret << 8 | bytes.p[i];
	return true;
}

/* What stands behind its own length of @n bytes. */
static bool take_vector(struct cursor *c, size_t n, struct cursor *ret)
{
	size_t len;

	return take_number(c, n, &len) && take(c, len, ret);
}

bool tls_is_likely(struct bytes data)
{
	return data.len && (uint8_t)data.p[0] == TLS_HANDSHAKE && (data.len < 2 || data.p[1] == 3);
}

int tls_record_read(struct bytes data, struct tls_record *ret)
{
	const uint8_t *p = (const uint8_t *)data.p;
	size_t len;

	if (data.len && (p[0] < TLS_CHANGE_CIPHER_SPEC || p[0] > TLS_APPLICATION_DATA))
		return -EBADMSG;
	if (data.len >= 2 && p[1] != 3)
		return -EBADMSG;
	if (data.len < TLS_RECORD_HEAD)
		return TLS_E_MORE;
	len = (size_t)p[3] << 8 | p[4];
	if (len == 0 || len > CIPHERTEXT_MAX)
		return -EBADMSG;
	*ret = (struct tls_record){.type = (enum tls_record_type)p[0],
				   .wire_len = TLS_RECORD_HEAD + len};
	return 0;
}

/* ---- the message */

/* As a host's name in the DNS, RFC 952 and 1123, and the underscore that is in use. */
static bool read_name(struct cursor text, char ret[static DNS_NAME_SIZE])
{
	size_t label = 0;

	if (text.len == 0 || text.len >= DNS_NAME_SIZE - 2)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		char c = (char)text.p[i];

		if (c == '.' && label == 0)
			return false;
		label = c == '.' ? 0 : label + 1;
		if (c >= 'A' && c <= 'Z')
			c |= 0x20;
		if (label > 63 || !((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
				    c == '_' || c == '.'))
			return false;
		ret[i] = c;
	}
	ret[text.len] = '\0';
	return label > 0;
}

/* Exactly one name, as RFC 6066 has it: of two, some servers take the first and others the last. */
static bool read_server_name(struct cursor data, struct tls_hello *ret)
{
	struct cursor list, name;
	size_t type;

	return take_vector(&data, 2, &list) && data.len == 0 && take_number(&list, 1, &type) &&
	       type == NAME_HOST && take_vector(&list, 2, &name) && list.len == 0 &&
	       read_name(name, ret->name);
}

static bool read_extensions(struct cursor all, struct tls_hello *ret)
{
	bool has_name = false;

	while (all.len) {
		struct cursor data;
		size_t type;

		if (!take_number(&all, 2, &type) || !take_vector(&all, 2, &data))
			return false;
		if (type == EXT_NAME && (has_name || !read_server_name(data, ret)))
			return false;
		has_name |= type == EXT_NAME;
		ret->has_ech |= type == EXT_ESNI || (type >= EXT_ECH_FIRST && type <= EXT_ECH);
	}
	return true;
}

static bool read_message(struct cursor c, struct tls_hello *ret)
{
	struct cursor version, random, session, suites, compression, extensions;

	if (!take(&c, 2, &version) || version.p[0] != 3 || !take(&c, RANDOM_BYTES, &random) ||
	    !take_vector(&c, 1, &session) || session.len > SESSION_ID_MAX ||
	    !take_vector(&c, 2, &suites) || suites.len < 2 || suites.len % 2 ||
	    !take_vector(&c, 1, &compression) || compression.len == 0)
		return false;
	if (c.len == 0)
		return true; /* as before there were extensions */
	return take_vector(&c, 2, &extensions) && c.len == 0 && read_extensions(extensions, ret);
}

/* ---- the records that it lies in */

/* Of a message of which @have bytes are in @out: its length with its head; 0: not known yet. */
static size_t message_len(const uint8_t *out, size_t have)
{
	if (have < HANDSHAKE_HEAD)
		return 0;
	return HANDSHAKE_HEAD + ((size_t)out[1] << 16 | (size_t)out[2] << 8 | out[3]);
}

/* The next record, put behind the @have bytes in @out. Return: 0, TLS_E_MORE, -EBADMSG. */
static int add_record(struct bytes *data, uint8_t *out, size_t *have)
{
	struct tls_record record = {};
	size_t len, want;
	int r = tls_record_read(*data, &record);

	if (r)
		return r;
	len = record.wire_len - TLS_RECORD_HEAD;
	if (record.type != TLS_HANDSHAKE || len > TLS_HELLO_MAX - *have)
		return -EBADMSG;
	/* What is there of it already may be enough to say no. */
	memcpy(out + *have, data->p + TLS_RECORD_HEAD, MIN(len, data->len - TLS_RECORD_HEAD));
	if (data->len > TLS_RECORD_HEAD && out[0] != CLIENT_HELLO)
		return -EBADMSG;
	if (data->len < record.wire_len)
		return TLS_E_MORE;
	*have += len;
	want = message_len(out, *have);
	if (want > TLS_HELLO_MAX || (want && *have > want) ||
	    (len < TLS_FRAGMENT_MIN && (!want || *have < want)))
		return -EBADMSG;
	data->p += record.wire_len;
	data->len -= record.wire_len;
	return 0;
}

int tls_hello_read(struct bytes data, struct tls_hello *ret)
{
	uint8_t message[TLS_HELLO_MAX];
	struct bytes left = data;
	size_t have = 0;
	int r;

	do {
		r = add_record(&left, message, &have);
		if (r)
			return r;
	} while (!message_len(message, have) || have < message_len(message, have));
	*ret = (struct tls_hello){.wire_len = data.len - left.len};
	return read_message(
		       (struct cursor){.p = message + HANDSHAKE_HEAD, .len = have - HANDSHAKE_HEAD},
		       ret)
		       ? 0
		       : -EBADMSG;
}

int tls_asks_again(struct bytes data)
{
	/* SHA-256 of "HelloRetryRequest", RFC 8446 4.1.3. */
	static const uint8_t retry[RANDOM_BYTES] = {
		0xcf, 0x21, 0xad, 0x74, 0xe5, 0x9a, 0x61, 0x11, 0xbe, 0x1d, 0x8c,
		0x02, 0x1e, 0x65, 0xb8, 0x91, 0xc2, 0xa2, 0x11, 0x16, 0x7a, 0xbb,
		0x8c, 0x5e, 0x07, 0x9e, 0x09, 0xe2, 0xc8, 0xa8, 0x33, 0x9c,
	};
	const uint8_t *p = (const uint8_t *)data.p;

	/* Whatever else it is (an alert), no second ClientHello follows from it. */
	if (data.len && p[0] != TLS_HANDSHAKE)
		return 0;
	if (data.len < TLS_SERVER_HELLO_HEAD)
		return data.len >= TLS_RECORD_HEAD && (size_t)(p[3] << 8 | p[4]) + TLS_RECORD_HEAD <
							      TLS_SERVER_HELLO_HEAD
			       ? -EBADMSG
			       : -EAGAIN;
	if ((size_t)(p[3] << 8 | p[4]) + TLS_RECORD_HEAD < TLS_SERVER_HELLO_HEAD)
		return -EBADMSG;
	if (p[TLS_RECORD_HEAD] != SERVER_HELLO)
		return -EBADMSG;
	return memcmp(p + TLS_RECORD_HEAD + HANDSHAKE_HEAD + 2, retry, sizeof(retry)) == 0;
}
