/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <stdio.h>

#include "base/io.h"

#include "policy/address.h"

static const uint8_t mapped_prefix[12] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

#define fail(why, ...) ((void)snprintf((why), ADDRESS_WHY_SIZE, __VA_ARGS__), -EINVAL)

void address_mask(uint8_t *ip, size_t size, unsigned int bits)
{
	for (size_t i = 0; i < size; i++) {
		if (bits >= 8) {
			bits -= 8;
			continue;
		}
		ip[i] &= (uint8_t)(0xff00u >> bits);
		bits = 0;
	}
}

bool address_range_has(const struct address_range *range, const struct policy_address *a)
{
	size_t size = range->is_v4 ? 4 : 16;
	uint8_t ip[16];

	if (!a->has_ip || a->is_v4 != range->is_v4)
		return false;
	memcpy(ip, a->ip, size);
	address_mask(ip, size, range->bits);
	return memcmp(ip, range->ip, size) == 0;
}

static bool has_leading_zero(const char *s)
{
	for (const char *p = s; *p; p++)
		if (*p == '0' && (p == s || p[-1] == '.') && p[1] >= '0' && p[1] <= '9')
			return true;
	return false;
}

static int parse_ip(const char *host, struct address_range *range, char *why)
{
	range->is_v4 = !strchr(host, ':');
	if (inet_pton(range->is_v4 ? AF_INET : AF_INET6, host, range->ip) == 1)
		return 0;
	if (range->is_v4 && has_leading_zero(host))
		return fail(why,
			    "'%.60s' has leading zeros, which some programs read as octal; "
			    "write decimal numbers without them",
			    host);
	if (strchr(host, '%'))
		return fail(why, "'%.60s' names a zone; write the address without '%%'", host);
	return fail(why,
		    "'%.60s' is not an IP address; expected one such as 192.0.2.7, "
		    "10.0.0.0/8 or 2001:db8::/32 (names are not matched here)",
		    host);
}

static void unmap(struct address_range *range)
{
	if (range->is_v4 || range->bits < 96 ||
	    memcmp(range->ip, mapped_prefix, sizeof(mapped_prefix)) != 0)
		return;
	memmove(range->ip, range->ip + 12, 4);
	memset(range->ip + 4, 0, 12);
	range->bits = (uint8_t)(range->bits - 96);
	range->is_v4 = true;
}

int address_range_parse(struct bytes text, struct address_range *ret,
			char why[static ADDRESS_WHY_SIZE])
{
	const char *slash = text.len ? memchr(text.p, '/', text.len) : NULL;
	size_t host_len = slash ? (size_t)(slash - text.p) : text.len;
	struct address_range range = {};
	uint8_t masked[16];
	char host[64];
	uint64_t bits;
	unsigned int max;
	int r;

	if (host_len >= sizeof(host))
		return fail(why, "this is too long for an IP address");
	memcpy(host, text.p, host_len);
	host[host_len] = '\0';
	r = parse_ip(host, &range, why);
	if (r < 0)
		return r;
	max = range.is_v4 ? 32 : 128;
	bits = max;
	if (slash) {
		struct bytes n = {.p = slash + 1, .len = text.len - host_len - 1};

		r = parse_u64(n, max, &bits);
		if (r < 0 || (n.len > 1 && n.p[0] == '0'))
			return fail(why, "the part after '/' must be a number from 0 to %u", max);
	}
	range.bits = (uint8_t)bits;
	memcpy(masked, range.ip, sizeof(masked));
	address_mask(masked, range.is_v4 ? 4 : 16, range.bits);
	if (memcmp(masked, range.ip, sizeof(masked)) != 0) {
		char good[INET6_ADDRSTRLEN] = "";

		(void)inet_ntop(range.is_v4 ? AF_INET : AF_INET6, masked, good, sizeof(good));
		return fail(why, "'%s/%u' has bits set after the first %u; write %s/%u", host,
			    range.bits, range.bits, good, range.bits);
	}
	unmap(&range);
	*ret = range;
	return 0;
}

static int parse_port(struct bytes text, uint16_t *ret)
{
	uint64_t n;
	int r = parse_u64(text, UINT16_MAX, &n);

	if (r < 0 || (text.len > 1 && text.p[0] == '0'))
		return -EINVAL;
	*ret = (uint16_t)n;
	return 0;
}

int port_range_parse(struct bytes text, struct port_range *ret, char why[static ADDRESS_WHY_SIZE])
{
	const char *dash = text.len ? memchr(text.p, '-', text.len) : NULL;
	struct bytes low = {.p = text.p, .len = dash ? (size_t)(dash - text.p) : text.len};
	struct bytes high = low;
	struct port_range range;

	if (dash)
		high = (struct bytes){.p = dash + 1, .len = text.len - low.len - 1};
	if (parse_port(low, &range.low) < 0 || parse_port(high, &range.high) < 0)
		return fail(why,
			    "'%.60s' is not a port; expected a number from 0 to 65535 or a "
			    "range such as 8000-8999",
			    text.p);
	if (range.high < range.low)
		return fail(why, "the range %u-%u is the wrong way round", range.low, range.high);
	*ret = range;
	return 0;
}
