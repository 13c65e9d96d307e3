/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests of HTTP/1.x (RFC 9112): what is asked for, of whom, and where the request ends. The
 * agent writes them and is hostile: what two readers could take for two different requests is
 * malformed here, though the standard lets a server be kind to it. Pure: bytes in, facts out; no
 * descriptor, no clock, nothing is allocated.
 *
 * Refused for that reason: a line that ends otherwise than in CR LF, a header that goes on in the
 * next line, a blank before a colon, two lengths, a length beside Transfer-Encoding, any coding but
 * chunked, extensions of chunks, trailers. Refused because what follows could not be read any more:
 * CONNECT, Upgrade, and the preface of HTTP/2.
 */
#pragma once

#include "names/message.h"

#define HTTP_HEAD_MAX    ((size_t)16 * 1024)
#define HTTP_HEADERS_MAX 128
#define HTTP_METHOD_SIZE 24
#define HTTP_PATH_SIZE   2048

/* What more bytes could make whole. */
#define HTTP_E_MORE 1
/* A request after which this would be no HTTP/1.x any more. */
#define HTTP_E_OTHER 2

struct http_body {
	enum http_body_state {
		HTTP_BODY_NONE, /* none, or it has ended */
		HTTP_BODY_LENGTH,
		HTTP_BODY_SIZE, /* of a chunk: its digits */
		HTTP_BODY_SIZE_LF,
		HTTP_BODY_CHUNK,
		HTTP_BODY_CHUNK_CR,
		HTTP_BODY_CHUNK_LF,
		HTTP_BODY_END_CR,
		HTTP_BODY_END_LF,
	} state;
	uint64_t left; /* of the body or the chunk */
	unsigned digits;
};

struct http_head {
	size_t wire_len;
	char method[HTTP_METHOD_SIZE]; /* as sent: methods know upper from lower case */
	char host[DNS_NAME_SIZE];      /* lower case, without its port */
	/*
	 * What is behind the host, without the query, each %XX of it replaced once. "": it cannot
	 * be told which file of the server it means (a dot segment, an escaped slash, a control
	 * character, too long), or it means none ("OPTIONS *").
	 */
	char path[HTTP_PATH_SIZE];
	struct http_body body;
};

/* Whether @data, of at least one byte, could begin a request. */
bool http_is_likely(struct bytes data);
/* Return: 0; HTTP_E_MORE; HTTP_E_OTHER, with method and perhaps host set; -EBADMSG. */
int http_head_read(struct bytes data, struct http_head *ret) _must_check_;
/*
 * So much of @data, of at least one byte, belongs to the body. Less than all of it: the body has
 * ended there (state HTTP_BODY_NONE). Return: bytes; -EBADMSG.
 */
ssize_t http_body_skip(struct http_body *b, struct bytes data) _must_check_;
/* So many of the bytes that come next belong to the body whatever they are. */
uint64_t http_body_run(const struct http_body *b);
/* @n of them have come, at least one. */
void http_body_pass(struct http_body *b, uint64_t n);
