/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <ctype.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <sodium.h>
#include <stdio.h>

#include "base/io.h"

#include "page/guard.h"

/* ---- tokens */

void guard_token_new(char out[static GUARD_TOKEN_SIZE])
{
	unsigned char random[GUARD_TOKEN_BYTES];

	randombytes_buf(random, sizeof(random));
	(void)sodium_bin2hex(out, GUARD_TOKEN_SIZE, random, sizeof(random));
	sodium_memzero(random, sizeof(random));
}

bool guard_token_is(const char expected[static GUARD_TOKEN_SIZE], struct bytes given)
{
	return given.p && given.len == GUARD_TOKEN_LEN &&
	       sodium_memcmp(expected, given.p, GUARD_TOKEN_LEN) == 0;
}

/* ---- addresses */

static const struct in_addr *v4_of(const struct sockaddr *a)
{
	return &((const struct sockaddr_in *)(const void *)a)->sin_addr;
}

static const struct in6_addr *v6_of(const struct sockaddr *a)
{
	return &((const struct sockaddr_in6 *)(const void *)a)->sin6_addr;
}

static uint16_t port_of(const struct sockaddr *a)
{
	/* Both kinds have it at the same place. */
	return ntohs(((const struct sockaddr_in *)(const void *)a)->sin_port);
}

static bool is_same_address(const struct sockaddr *a, const struct sockaddr *b)
{
	if (a->sa_family != b->sa_family)
		return false;
	return a->sa_family == AF_INET ? v4_of(a)->s_addr == v4_of(b)->s_addr
				       : memcmp(v6_of(a), v6_of(b), sizeof(struct in6_addr)) == 0;
}

static int parse_address(const char *text, struct sockaddr_storage *ret)
{
	struct sockaddr_in v4 = {.sin_family = AF_INET};
	struct sockaddr_in6 v6 = {.sin6_family = AF_INET6};

	*ret = (struct sockaddr_storage){};
	if (inet_pton(AF_INET, text, &v4.sin_addr) == 1) {
		memcpy(ret, &v4, sizeof(v4));
		return 0;
	}
	if (inet_pton(AF_INET6, text, &v6.sin6_addr) == 1) {
		memcpy(ret, &v6, sizeof(v6));
		return 0;
	}
	return -EINVAL;
}

int guard_place_parse(const char *address, uint16_t port, struct guard_place *ret)
{
	const struct sockaddr *a = (const struct sockaddr *)&ret->address;

	*ret = (struct guard_place){.port = port};
	if (parse_address(address, &ret->address) < 0)
		return -EINVAL;
	if (a->sa_family == AF_INET) {
		ret->is_loopback = ntohl(v4_of(a)->s_addr) >> 24 == 127;
		ret->is_any = v4_of(a)->s_addr == htonl(INADDR_ANY);
		((struct sockaddr_in *)&ret->address)->sin_port = htons(port);
	} else {
		ret->is_loopback = IN6_IS_ADDR_LOOPBACK(v6_of(a));
		ret->is_any = IN6_IS_ADDR_UNSPECIFIED(v6_of(a));
		((struct sockaddr_in6 *)&ret->address)->sin6_port = htons(port);
	}
	return 0;
}

/* ---- headers */

/* "host:port" and "[v6]:port" into its halves. A host without a port is port 80. */
static bool split_host(const char *host, char *name, size_t size, uint16_t *ret_port)
{
	const char *begin = host, *end, *colon;
	uint64_t port = 80;

	if (*host == '[') {
		begin = host + 1;
		end = strchr(begin, ']');
		colon = end && end[1] ? end + 1 : NULL;
	} else {
		colon = strchr(host, ':');
		end = colon ? colon : host + strlen(host);
	}
	if (!end || end == begin || (size_t)(end - begin) >= size)
		return false;
	if (colon && (*colon != ':' || parse_u64(bytes_of(colon + 1), UINT16_MAX, &port) < 0))
		return false;
	memcpy(name, begin, (size_t)(end - begin));
	name[end - begin] = '\0';
	*ret_port = (uint16_t)port;
	return true;
}

bool guard_host_is_ours(const struct guard_place *p, const char *host)
{
	char name[INET6_ADDRSTRLEN + 1];
	struct sockaddr_storage a;
	uint16_t port;

	if (!host || !split_host(host, name, sizeof(name), &port) || port != p->port)
		return false;
	if (strcasecmp(name, "localhost") == 0)
		return p->is_loopback || p->is_any;
	if (parse_address(name, &a) < 0 || (a.ss_family == AF_INET6) != (*host == '['))
		return false;
	return p->is_any ||
	       is_same_address((const struct sockaddr *)&a, (const struct sockaddr *)&p->address);
}

bool guard_origin_is_ours(const char *origin, const char *host)
{
	static const char scheme[] = "http://";

	return origin && host && strncmp(origin, scheme, sizeof(scheme) - 1) == 0 &&
	       strcasecmp(origin + sizeof(scheme) - 1, host) == 0;
}

bool guard_fetch_is_ours(const char *sec_fetch_site, bool is_navigation)
{
	return !sec_fetch_site || streq(sec_fetch_site, "same-origin") ||
	       (is_navigation && streq(sec_fetch_site, "none"));
}

struct bytes guard_cookie(const char *cookies, const char *name)
{
	size_t len = strlen(name);

	for (const char *p = cookies; p && *p;) {
		size_t n;

		p += strspn(p, "; \t");
		n = strcspn(p, ";");
		if (n == len + 1 + GUARD_TOKEN_LEN && memcmp(p, name, len) == 0 && p[len] == '=')
			return (struct bytes){.p = p + len + 1, .len = GUARD_TOKEN_LEN};
		p += n;
	}
	return BYTES_NULL;
}

bool guard_is_session_name(const char *name)
{
	size_t n = 0;

	if (!isalnum((unsigned char)name[0]))
		return false;
	while (name[n] && n <= GUARD_NAME_MAX) {
		unsigned char c = (unsigned char)name[n++];

		if (!isascii(c) || !(isalnum(c) || c == '-' || c == '_' || c == '.'))
			return false;
	}
	return n <= GUARD_NAME_MAX;
}

/* ---- /proc/net/tcp */

/* The kernel prints an address as words in the machine's order: "0100007F:1F90". */
static void print_address(const struct sockaddr *a, char *out, size_t size)
{
	uint32_t words[4];
	int n = 0;

	if (a->sa_family == AF_INET) {
		(void)snprintf(out, size, "%08X:%04X", (unsigned)v4_of(a)->s_addr, port_of(a));
		return;
	}
	memcpy(words, v6_of(a), sizeof(words));
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		n += snprintf(out + n, size - (size_t)n, "%08X", words[i]);
	(void)snprintf(out + n, size - (size_t)n, ":%04X", port_of(a));
}

bool guard_tcp_line(const char *line, const struct sockaddr *peer, const struct sockaddr *ours,
		    struct guard_connection *ret)
{
	char local[48], remote[48], want_local[48], want_remote[48];
	struct guard_connection c;

	/* sl local remote st tx:rx tr:when retrnsmt uid timeout inode: proc(5) */
	if (sscanf(line, " %*d: %47s %47s %*x %*x:%*x %*x:%*x %*x %" SCNu32 " %*d %" SCNu64, local,
		   remote, &c.uid, &c.inode) != 4)
		return false;
	print_address(peer, want_local, sizeof(want_local));
	print_address(ours, want_remote, sizeof(want_remote));
	if (!streq(local, want_local) || !streq(remote, want_remote))
		return false;
	*ret = c;
	return true;
}
