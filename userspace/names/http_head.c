/* SPDX-License-Identifier: Apache-2.0 */
#include <sys/types.h>

#include "names/http_head.h"

#define PREFACE     "PRI * HTTP/2.0\r\n"
#define SIZE_DIGITS 15 /* of a chunk: so much fits, with room */

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* RFC 9110 5.6.2 */
static bool is_token_char(char c)
{
	return is_digit(c) || (lower(c) >= 'a' && lower(c) <= 'z') ||
	       (c && strchr("!#$%&'*+-.^_`|~", c));
}

static bool is_token(struct bytes s)
{
	for (size_t i = 0; i < s.len; i++)
		if (!is_token_char(s.p[i]))
			return false;
	return s.len > 0;
}

static bool is_word(struct bytes s, const char *word)
{
	if (s.len != strlen(word))
		return false;
	for (size_t i = 0; i < s.len; i++)
		if (lower(s.p[i]) != word[i])
			return false;
	return true;
}

static int hex(char c)
{
	if (is_digit(c))
		return c - '0';
	c = lower(c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static struct bytes trim(struct bytes s)
{
	while (s.len && (s.p[0] == ' ' || s.p[0] == '\t'))
		s = (struct bytes){.p = s.p + 1, .len = s.len - 1};
	while (s.len && (s.p[s.len - 1] == ' ' || s.p[s.len - 1] == '\t'))
		s.len--;
	return s;
}

/*
 * The next line, without its end. Return: 0, HTTP_E_MORE, -EBADMSG: it holds a control character,
 * or ends in a bare LF.
 */
static int take_line(struct bytes *data, struct bytes *ret)
{
	size_t i;

	for (i = 0; i < data->len && data->p[i] != '\r'; i++)
		if (((unsigned char)data->p[i] < 0x20 && data->p[i] != '\t') || data->p[i] == 0x7f)
			return -EBADMSG;
	if (i + 1 < data->len && data->p[i + 1] != '\n')
		return -EBADMSG;
	if (i + 1 >= data->len)
		return HTTP_E_MORE;
	*ret = (struct bytes){.p = data->p, .len = i};
	*data = (struct bytes){.p = data->p + i + 2, .len = data->len - i - 2};
	return 0;
}

/* ---- who and what */

/* "name", "name:80". An address in brackets is no name. */
static bool read_host(struct bytes s, char ret[static DNS_NAME_SIZE])
{
	size_t n = 0;

	if (s.len && s.p[0] == '[')
		while (n < s.len && s.p[n] != ']')
			n++;
	while (n < s.len && s.p[n] != ':')
		n++;
	if (n == 0 || n >= DNS_NAME_SIZE)
		return false;
	for (size_t i = n + 1; i < s.len; i++)
		if (!is_digit(s.p[i]))
			return false;
	for (size_t i = 0; i < n; i++) {
		char c = lower(s.p[i]);

		if (!is_digit(c) && !(c >= 'a' && c <= 'z') && !strchr("-._[]:", c))
			return false;
		ret[i] = c;
	}
	ret[n] = '\0';
	return true;
}

/* A server that takes "/a/../b" for "/b", or "//b" for "/b", and one that does not, are both right.
 */
static bool is_plain_path(const char *path)
{
	if (path[0] != '/')
		return false;
	for (const char *p = path; (p = strchr(p, '/')); p++) {
		size_t len = strcspn(p + 1, "/");
		const char *name = p + 1;

		/* Parameters do not hide what is before them: "/..;x/". */
		if (strcspn(name, ";/") < len)
			len = strcspn(name, ";/");
		if ((len == 0 && name[0]) || (len == 1 && name[0] == '.') ||
		    (len == 2 && name[0] == '.' && name[1] == '.'))
			return false;
	}
	return true;
}

/* Return: whether it is clear what it means. */
static bool decode_path(struct bytes s, char ret[static HTTP_PATH_SIZE])
{
	size_t n = 0;

	for (size_t i = 0; i < s.len && s.p[i] != '?'; i++) {
		int c = (unsigned char)s.p[i];

		if (c == '%') {
			int high = i + 2 < s.len ? hex(s.p[i + 1]) : -1;
			int low = high < 0 ? -1 : hex(s.p[i + 2]);

			if (low < 0)
				return false;
			c = high << 4 | low;
			i += 2;
			/* Another turn of decoding would make something else of it. */
			if (c == '/' || c == '%')
				return false;
		}
		if (c < 0x20 || c == 0x7f || c == '\\' || c == '#' || n == HTTP_PATH_SIZE - 1)
			return false;
		ret[n++] = (char)c;
	}
	ret[n] = '\0';
	return is_plain_path(ret);
}

/* "http://host/path", or "/path", or "*". */
static bool read_target(struct bytes target, struct http_head *ret)
{
	static const char scheme[] = "http://";
	size_t len = sizeof(scheme) - 1;
	struct bytes path = target, host;

	for (size_t i = 0; i < target.len; i++)
		if ((unsigned char)target.p[i] <= ' ' || (unsigned char)target.p[i] >= 0x7f)
			return false;
	if (target.len > len && is_word((struct bytes){.p = target.p, .len = len}, scheme)) {
		host = (struct bytes){.p = target.p + len};
		while (host.len < target.len - len && !strchr("/?", host.p[host.len]))
			host.len++;
		if (!read_host(host, ret->host))
			return false;
		path = (struct bytes){.p = host.p + host.len, .len = target.len - len - host.len};
	} else if (is_word(target, "*")) {
		return streq(ret->method, "OPTIONS");
	} else if (target.len == 0 || target.p[0] != '/') {
		return false;
	}
	if (!decode_path(path, ret->path))
		ret->path[0] = '\0';
	return true;
}

/* ---- the head */

struct reading {
	struct http_head *head;
	bool is_old; /* HTTP/1.0 */
	bool has_host, has_length, has_coding, has_upgrade;
};

static int read_request_line(struct bytes line, struct reading *r)
{
	const char *blank = memchr(line.p, ' ', line.len);
	const char *last = memrchr(line.p, ' ', line.len);
	struct bytes method, target, version;

	if (!blank || blank == last)
		return -EBADMSG;
	method = (struct bytes){.p = line.p, .len = (size_t)(blank - line.p)};
	target = (struct bytes){.p = blank + 1, .len = (size_t)(last - blank - 1)};
	version = (struct bytes){.p = last + 1, .len = (size_t)(line.p + line.len - last - 1)};
	if (!is_token(method) || method.len >= HTTP_METHOD_SIZE)
		return -EBADMSG;
	memcpy(r->head->method, method.p, method.len);
	if (streq(r->head->method, "CONNECT") || bytes_eq_str(version, "HTTP/2.0"))
		return HTTP_E_OTHER;
	r->is_old = bytes_eq_str(version, "HTTP/1.0");
	if (!r->is_old && !bytes_eq_str(version, "HTTP/1.1"))
		return -EBADMSG;
	return read_target(target, r->head) ? 0 : -EBADMSG;
}

static int read_host_header(struct reading *r, struct bytes value)
{
	char host[DNS_NAME_SIZE];

	/* An absolute target says it as well, and has to say the same. */
	if (r->has_host || !read_host(value, host) ||
	    (r->head->host[0] && !streq(r->head->host, host)))
		return -EBADMSG;
	r->has_host = true;
	memcpy(r->head->host, host, sizeof(host));
	return 0;
}

static int read_length(struct reading *r, struct bytes value)
{
	uint64_t n = 0;

	if (r->has_length || value.len == 0 || value.len > 18)
		return -EBADMSG;
	for (size_t i = 0; i < value.len; i++) {
		if (!is_digit(value.p[i]))
			return -EBADMSG;
		n = n * 10 + (uint64_t)(value.p[i] - '0');
	}
	r->has_length = true;
	r->head->body =
		(struct http_body){.state = n ? HTTP_BODY_LENGTH : HTTP_BODY_NONE, .left = n};
	return 0;
}

static int read_coding(struct reading *r, struct bytes value)
{
	if (r->has_coding || !is_word(value, "chunked"))
		return -EBADMSG;
	r->has_coding = true;
	return 0;
}

static int read_upgrade(struct reading *r, _unused_ struct bytes value)
{
	r->has_upgrade = true;
	return 0;
}

static int read_header(struct bytes line, struct reading *r)
{
	static const struct {
		const char *name;
		int (*read)(struct reading *r, struct bytes value);
	} known[] = {
		{"host", read_host_header},
		{"content-length", read_length},
		{"transfer-encoding", read_coding},
		{"upgrade", read_upgrade},
	};
	const char *colon = memchr(line.p, ':', line.len);
	struct bytes name, value;

	if (!colon)
		return -EBADMSG;
	name = (struct bytes){.p = line.p, .len = (size_t)(colon - line.p)};
	value = trim((struct bytes){.p = colon + 1, .len = line.len - name.len - 1});
	/* This refuses a line that goes on from the one before, and a blank before the colon. */
	if (!is_token(name))
		return -EBADMSG;
	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (is_word(name, known[i].name))
			return known[i].read(r, value);
	return 0;
}

/* What the headers come to. */
static int settle(struct reading *r)
{
	if (!r->has_host || (r->has_length && r->has_coding) || (r->is_old && r->has_coding))
		return -EBADMSG;
	if (r->has_coding)
		r->head->body = (struct http_body){.state = HTTP_BODY_SIZE};
	return r->has_upgrade ? HTTP_E_OTHER : 0;
}

bool http_is_likely(struct bytes data)
{
	for (size_t i = 0; i < MIN(data.len, (size_t)HTTP_METHOD_SIZE); i++) {
		if (data.p[i] == ' ')
			return i > 0;
		if (!is_token_char(data.p[i]))
			return false;
	}
	return data.len < HTTP_METHOD_SIZE;
}

int http_head_read(struct bytes data, struct http_head *ret)
{
	struct reading reading = {.head = ret};
	struct bytes left = {.p = data.p, .len = MIN(data.len, HTTP_HEAD_MAX)}, line = {};
	int r;

	*ret = (struct http_head){};
	r = take_line(&left, &line);
	if (r == 0)
		r = read_request_line(line, &reading);
	for (size_t n = 0; r == 0; n++) {
		r = take_line(&left, &line);
		if (r == 0 && line.len == 0) {
			ret->wire_len = (size_t)(left.p - data.p);
			return settle(&reading);
		}
		if (r == 0)
			r = n < HTTP_HEADERS_MAX ? read_header(line, &reading) : -EBADMSG;
	}
	return r == HTTP_E_MORE && data.len >= HTTP_HEAD_MAX ? -EBADMSG : r;
}

/* ---- the body */

/* One character of what is around the bytes of a chunk. */
static int step(struct http_body *b, char c)
{
	switch (b->state) {
	case HTTP_BODY_SIZE:
		if (c == '\r' && b->digits) {
			b->state = HTTP_BODY_SIZE_LF;
			return 0;
		}
		if (hex(c) < 0 || ++b->digits > SIZE_DIGITS)
			return -EBADMSG;
		b->left = b->left << 4 | (unsigned)hex(c);
		return 0;
	case HTTP_BODY_SIZE_LF:
		b->state = b->left ? HTTP_BODY_CHUNK : HTTP_BODY_END_CR;
		return c == '\n' ? 0 : -EBADMSG;
	case HTTP_BODY_CHUNK_CR:
		b->state = HTTP_BODY_CHUNK_LF;
		return c == '\r' ? 0 : -EBADMSG;
	case HTTP_BODY_CHUNK_LF:
		b->state = HTTP_BODY_SIZE;
		b->digits = 0;
		return c == '\n' ? 0 : -EBADMSG;
	case HTTP_BODY_END_CR:
		b->state = HTTP_BODY_END_LF;
		return c == '\r' ? 0 : -EBADMSG;
	case HTTP_BODY_END_LF:
		b->state = HTTP_BODY_NONE;
		return c == '\n' ? 0 : -EBADMSG;
	case HTTP_BODY_NONE:
	case HTTP_BODY_LENGTH:
	case HTTP_BODY_CHUNK:
		break;
	}
	return -EBADMSG;
}

uint64_t http_body_run(const struct http_body *b)
{
	return b->state == HTTP_BODY_LENGTH || b->state == HTTP_BODY_CHUNK ? b->left : 0;
}

void http_body_pass(struct http_body *b, uint64_t n)
{
	b->left -= n;
	if (b->left == 0)
		b->state = b->state == HTTP_BODY_CHUNK ? HTTP_BODY_CHUNK_CR : HTTP_BODY_NONE;
}

ssize_t http_body_skip(struct http_body *b, struct bytes data)
{
	size_t at = 0;

	while (at < data.len && b->state != HTTP_BODY_NONE) {
		uint64_t n = MIN(http_body_run(b), (uint64_t)(data.len - at));

		if (n) {
			http_body_pass(b, n);
			at += (size_t)n;
		} else if (step(b, data.p[at++]) < 0) {
			return -EBADMSG;
		}
	}
	return (ssize_t)at;
}
