/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The first bytes of a TLS connection (RFC 8446, 6066): which name a ClientHello asks for, and
 * whether the server answers it with a wish for another one. Both sides are hostile. Pure: bytes
 * in, facts out; no descriptor, no clock, nothing is allocated.
 *
 * A ClientHello may lie in several records, and a record may end in the middle of anything. What a
 * server could read in two ways is malformed here: two names, a record of another kind in between,
 * something behind the message in its last record.
 */
#pragma once

#include "names/message.h"

/* Of the handshake message; post-quantum key shares make some of 2 KB, nothing known more. */
#define TLS_HELLO_MAX ((size_t)16 * 1024)
/* Of what has to be read to have it: no record of it may be shorter than this, but the last. */
#define TLS_FRAGMENT_MIN 16
#define TLS_RECORD_HEAD  5
#define TLS_HELLO_WIRE_MAX                                                                         \
	(TLS_HELLO_MAX + TLS_RECORD_HEAD * (TLS_HELLO_MAX / TLS_FRAGMENT_MIN + 2))

/* What more bytes could make whole. */
#define TLS_E_MORE 1

struct tls_hello {
	size_t wire_len;          /* of the records that it lies in */
	char name[DNS_NAME_SIZE]; /* lower case; "": it asks for none */
	/* Encrypted ClientHello (draft-ietf-tls-esni): the name may be that of a front, behind
	 * which is another. A client that only pretends (GREASE) looks the same. */
	bool has_ech;
};

/* Whether @data, of at least one byte, begins as a TLS record with a handshake does. */
bool tls_is_likely(struct bytes data);
/* Return: 0; TLS_E_MORE; -EBADMSG: no ClientHello, or one that could be read in two ways. */
int tls_hello_read(struct bytes data, struct tls_hello *ret) _must_check_;

enum tls_record_type {
	TLS_CHANGE_CIPHER_SPEC = 20,
	TLS_ALERT = 21,
	TLS_HANDSHAKE = 22,
	TLS_APPLICATION_DATA = 23,
};

struct tls_record {
	enum tls_record_type type;
	size_t wire_len; /* its head included */
};

/* The head of the next record. Return: 0, TLS_E_MORE, -EBADMSG. */
int tls_record_read(struct bytes data, struct tls_record *ret) _must_check_;

/* So much of what a server sends first tells whether it is content with the ClientHello. */
#define TLS_SERVER_HELLO_HEAD (TLS_RECORD_HEAD + 4 + 2 + 32)
/*
 * A HelloRetryRequest makes the client send a second ClientHello, in the clear, whose name counts
 * for some servers. Return: 1 it is one, 0 it is none; -EAGAIN: more bytes are needed; -EBADMSG: a
 * ServerHello that is cut so that this cannot be told.
 */
int tls_asks_again(struct bytes data) _must_check_;
