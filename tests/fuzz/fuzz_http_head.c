/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Requests of an agent, one behind the other as on a connection that is kept. What is read must be
 * the same wherever the bytes are cut.
 */
#include <sys/types.h>

#include "names/http_head.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool is_true)
{
	if (!is_true)
		abort();
}

static void check_head(const struct http_head *h, size_t len)
{
	check(h->wire_len <= len && h->wire_len <= HTTP_HEAD_MAX);
	check(h->host[0] && strnlen(h->host, DNS_NAME_SIZE) < DNS_NAME_SIZE);
	check(strnlen(h->path, HTTP_PATH_SIZE) < HTTP_PATH_SIZE);
	check(!h->path[0] || h->path[0] == '/');
	check(!strstr(h->path, "/../") && !strstr(h->path, "//"));
}

/* The body in one piece and byte by byte. */
static ssize_t check_body(struct http_body body, struct bytes left)
{
	struct http_body slow = body;
	ssize_t n = left.len ? http_body_skip(&body, left) : 0;
	ssize_t m = 0;

	for (size_t i = 0; i < left.len && m >= 0 && slow.state != HTTP_BODY_NONE; i++) {
		char byte = left.p[i];

		m = http_body_skip(&slow, (struct bytes){.p = &byte, .len = 1}) < 0 ? -EBADMSG
										    : m + 1;
	}
	/* A length is skipped at once, by byte as well. */
	check((n < 0) == (m < 0));
	if (n < 0)
		return n;
	check(n == m && slow.state == body.state && slow.left == body.left);
	check((size_t)n <= left.len);
	return body.state == HTTP_BODY_NONE ? n : -EAGAIN;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes left = {.p = (const char *)data, .len = size};
	struct http_head head, again;
	ssize_t n;
	int r;

	for (size_t len = 0; len < size && len < 4096; len += 1 + size / 32) {
		char *copy = malloc(len + 1);

		check(copy);
		memcpy(copy, data, len);
		r = http_head_read((struct bytes){.p = copy, .len = len}, &again);
		check(r == HTTP_E_MORE || r == http_head_read(left, &head));
		free(copy);
	}
	while (left.len) {
		r = http_head_read(left, &head);
		if (r)
			break;
		check(http_is_likely(left));
		check_head(&head, left.len);
		left = (struct bytes){.p = left.p + head.wire_len, .len = left.len - head.wire_len};
		n = check_body(head.body, left);
		if (n < 0)
			break;
		left = (struct bytes){.p = left.p + n, .len = left.len - (size_t)n};
	}
	return 0;
}
