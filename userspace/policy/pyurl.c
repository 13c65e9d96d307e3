/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The authority of a URL as CPython's urllib.parse finds it. Of urlsplit() only what the authority
 * depends on is here: what comes after it cannot change it, nor raise.
 */
#include <arpa/inet.h>

#include "base/escape.h"
#include "policy/pytext.h"

#include "policy/pyurl.h"

#define BLANK_MAX '\x20' /* C0 controls and the blank are stripped on the left */

struct raise {
	struct arena *mem;
	const char **ret;
};

static int raise_text(const struct raise *e, struct bytes head, struct bytes middle,
		      struct bytes tail)
{
	char *p = arena_alloc(e->mem, head.len + middle.len + tail.len + 1);

	if (!p)
		return -ENOMEM;
	memcpy(p, head.p, head.len);
	if (middle.len)
		memcpy(p + head.len, middle.p, middle.len);
	memcpy(p + head.len + middle.len, tail.p, tail.len + 1);
	*e->ret = p;
	return -EINVAL;
}

#define raise_plain(e, text) raise_text(e, BYTES_LIT(text), BYTES_NULL, BYTES_LIT(""))

static bool find(struct bytes text, char c, size_t *ret)
{
	const char *at = text.len ? memchr(text.p, c, text.len) : NULL;

	if (at)
		*ret = (size_t)(at - text.p);
	return at;
}

static struct bytes after(struct bytes text, size_t at)
{
	return (struct bytes){.p = text.p + at, .len = text.len - at};
}

/* The URL without blanks at its start, and without tabs and line ends anywhere. .p NULL: no
 * memory. */
static struct bytes clean(struct bytes url, struct arena *mem)
{
	char *out;
	size_t n = 0;

	while (url.len && (unsigned char)url.p[0] <= BLANK_MAX)
		url = after(url, 1);
	out = arena_alloc(mem, url.len + 1);
	if (!out)
		return BYTES_NULL;
	for (size_t i = 0; i < url.len; i++)
		if (url.p[i] != '\t' && url.p[i] != '\r' && url.p[i] != '\n')
			out[n++] = url.p[i];
	out[n] = '\0';
	return (struct bytes){.p = out, .len = n};
}

static bool is_alpha(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_scheme(struct bytes text)
{
	if (text.len == 0 || !is_alpha(text.p[0]))
		return false;
	for (size_t i = 0; i < text.len; i++)
		if (!is_alpha(text.p[i]) && !(text.p[i] >= '0' && text.p[i] <= '9') &&
		    text.p[i] != '+' && text.p[i] != '-' && text.p[i] != '.')
			return false;
	return true;
}

/* ---- brackets */

/* \Av[a-fA-F0-9]+\..+\Z; a newline cannot be here any more. */
static bool is_future_address(struct bytes host)
{
	size_t i = 1;

	while (i < host.len && strchr("0123456789abcdefABCDEF", host.p[i]) && host.p[i])
		i++;
	return i > 1 && i + 1 < host.len && host.p[i] == '.';
}

static bool is_address(int family, struct bytes host)
{
	unsigned char unused[sizeof(struct in6_addr)];
	char text[INET6_ADDRSTRLEN];

	if (host.len >= sizeof(text) || memchr(host.p, 0, host.len))
		return false;
	memcpy(text, host.p, host.len);
	text[host.len] = '\0';
	return inet_pton(family, text, unused) == 1;
}

static bool is_address_6(struct bytes host)
{
	size_t percent;

	if (find(host, '/', &percent))
		return false;
	if (find(host, '%', &percent)) {
		struct bytes zone = after(host, percent + 1);
		size_t unused;

		if (zone.len == 0 || find(zone, '%', &unused))
			return false;
		host.len = percent;
	}
	return host.len && is_address(AF_INET6, host);
}

static int raise_no_address(const struct raise *e, struct bytes host)
{
	_cleanup_(strbuf_fini) struct strbuf shown = STRBUF_INIT(host.len * 4 + 2);
	const struct value text = {.type = VALUE_STRING, .text = host};

	py_add_repr(&shown, &text);
	return raise_text(e, strbuf_bytes(&shown),
			  BYTES_LIT(" does not appear to be an IPv4 or IPv6 address"),
			  BYTES_LIT(""));
}

static int check_host(const struct raise *e, struct bytes host)
{
	if (host.len && host.p[0] == 'v')
		return is_future_address(host) ? 0 : raise_plain(e, "IPvFuture address is invalid");
	if (host.len && is_address(AF_INET, host))
		return raise_plain(e, "An IPv4 address cannot be in brackets");
	return host.len && is_address_6(host) ? 0 : raise_no_address(e, host);
}

static int check_brackets(const struct raise *e, struct bytes netloc)
{
	size_t open, close, at;
	bool has_open = find(netloc, '[', &open), has_close = find(netloc, ']', &close);
	const char *user_end = netloc.len ? memrchr(netloc.p, '@', netloc.len) : NULL;
	struct bytes host = user_end ? after(netloc, (size_t)(user_end + 1 - netloc.p)) : netloc;

	if (has_open != has_close)
		return raise_plain(e, "Invalid IPv6 URL");
	if (!has_open)
		return 0;
	if (find(host, '[', &open)) {
		if (open)
			return raise_plain(e, "Invalid IPv6 URL");
		host = after(host, 1);
		if (find(host, ']', &close)) {
			if (close + 1 < host.len && host.p[close + 1] != ':')
				return raise_plain(e, "Invalid IPv6 URL");
			host.len = close;
		}
	} else if (find(host, ':', &at)) {
		host.len = at;
	}
	return check_host(e, host);
}

/* ---- NFKC */

/*
 * The code points whose compatibility decomposition holds one of / ? # @ : (Unicode 14 to 16).
 * None of the five composes with what may follow, so this is all that normalising the whole text
 * could find.
 */
static const uint32_t unsafe[] = {
	0x2047, 0x2048, 0x2049, 0x2100, 0x2101, 0x2105, 0x2106, 0x2A74, 0xFE13, 0xFE16,
	0xFE55, 0xFE56, 0xFE5F, 0xFE6B, 0xFF03, 0xFF0F, 0xFF1A, 0xFF1F, 0xFF20,
};

static int check_normal_form(const struct raise *e, struct bytes netloc)
{
	for (size_t i = 0; i < netloc.len;) {
		uint32_t cp = 0;
		size_t n = utf8_decode(netloc.p + i, netloc.len - i, &cp);

		for (size_t j = 0; n && j < ARRAY_SIZE(unsafe); j++)
			if (cp == unsafe[j])
				return raise_text(
					e, BYTES_LIT("netloc '"), netloc,
					BYTES_LIT("' contains invalid characters under NFKC "
						  "normalization"));
		i += n ? n : 1;
	}
	return 0;
}

/* ---- the whole */

static int find_netloc(const struct raise *e, struct bytes url, struct bytes *ret)
{
	static const char ends[] = {'/', '?', '#'};
	size_t colon, end;
	int r;

	if (find(url, ':', &colon) && is_scheme((struct bytes){.p = url.p, .len = colon}))
		url = after(url, colon + 1);
	*ret = (struct bytes){.p = url.p, .len = 0};
	if (!bytes_has_prefix(url, BYTES_LIT("//")))
		return 0;
	url = after(url, 2);
	for (size_t i = 0; i < sizeof(ends); i++)
		if (find(url, ends[i], &end))
			url.len = end;
	r = check_brackets(e, url);
	if (r == 0)
		r = check_normal_form(e, url);
	*ret = url;
	return r;
}

/* urlparse() of what is no text: false values pass as empty bytes, others have no decode(). */
static int domain_of_other(const struct raise *e, const struct value *url, struct value *ret)
{
	static const char *const types[] = {
		[VALUE_NULL] = "NoneType", [VALUE_BOOL] = "bool", [VALUE_INT] = "int",
		[VALUE_FLOAT] = "float",   [VALUE_LIST] = "list", [VALUE_MAP] = "dict",
		[VALUE_OTHER] = "object"};

	if (value_is_truthy(url))
		return raise_text(e, BYTES_LIT("'"), bytes_of(types[url->type]),
				  BYTES_LIT("' object has no attribute 'decode'"));
	*ret = (struct value){.type = VALUE_OTHER, .text = BYTES_LIT("b''")};
	return 0;
}

int pyurl_domain(const struct value *url, struct arena *mem, const struct value **ret,
		 const char **reterr_raises)
{
	const struct raise e = {.mem = mem, .ret = reterr_raises};
	struct value *v = arena_alloc(mem, sizeof(*v));
	_cleanup_(strbuf_fini) struct strbuf lower = {};
	struct bytes text, netloc;
	int r;

	if (!v)
		return -ENOMEM;
	if (url->type != VALUE_STRING) {
		r = domain_of_other(&e, url, v);
		if (r == 0)
			*ret = v;
		return r;
	}
	text = clean(url->text, mem);
	if (!text.p)
		return -ENOMEM;
	r = find_netloc(&e, text, &netloc);
	if (r < 0)
		return r;
	/* No lower case is longer than three times its upper case. */
	lower = STRBUF_INIT(netloc.len * 3);
	py_add_lower(&lower, netloc);
	if (strbuf_error(&lower))
		return -ENOMEM;
	*v = (struct value){.type = VALUE_STRING,
			    .text = arena_copy(mem, strbuf_str(&lower), strbuf_bytes(&lower).len)};
	if (!v->text.p)
		return -ENOMEM;
	*ret = v;
	return 0;
}
