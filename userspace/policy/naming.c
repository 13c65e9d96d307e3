/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <stdio.h>

#include "policy/naming.h"

_Static_assert(POLICY_MAX_ALIASES < POLICY_MAX_NAMES, "room for the names of a program");

static const char *const trusted_dirs[] = {
	"/bin",           "/sbin",           "/usr/bin",          "/usr/sbin",
	"/usr/local/bin", "/usr/local/sbin", "/usr/lib/git-core",
};

size_t policy_names_init(struct policy_name names[static POLICY_MAX_NAMES], enum action_op op)
{
	size_t n;
	const struct policy_name *aliases = policy_op_aliases(op, &n);

	memcpy(names, aliases, n * sizeof(*aliases));
	return n;
}

void policy_names_add(struct policy_name names[static POLICY_MAX_NAMES], size_t *n,
		      struct bytes name, bool is_untrusted)
{
	if (name.len == 0)
		return;
	for (size_t i = 0; i < *n; i++)
		if (bytes_eq(names[i].name, name))
			return;
	if (*n < POLICY_MAX_NAMES)
		names[(*n)++] = (struct policy_name){.name = name, .is_untrusted = is_untrusted};
}

/* "/memfd:NAME (deleted)" answers to "memfd:NAME". */
struct bytes policy_image_name(struct bytes path)
{
	struct bytes tail = BYTES_LIT(" (deleted)");
	struct bytes name = bytes_base_name(path);

	if (bytes_has_prefix(path, BYTES_LIT("/memfd:")))
		name = (struct bytes){.p = path.p + 1, .len = path.len - 1};
	if (name.len > tail.len && bytes_has_suffix(name, tail))
		name.len -= tail.len;
	return name;
}

void policy_names_add_exec(struct policy_name names[static POLICY_MAX_NAMES], size_t *n,
			   struct bytes image, struct bytes asked, bool is_asked_trusted)
{
	struct bytes name = policy_image_name(image);
	struct bytes alias = bytes_base_name(asked);

	policy_names_add(names, n, name, false);
	policy_names_add(names, n, alias, !bytes_eq(alias, name) && !is_asked_trusted);
}

bool policy_is_trusted_dir(struct bytes dir)
{
	while (dir.len > 1 && dir.p[dir.len - 1] == '/')
		dir.len--;
	for (size_t i = 0; i < ARRAY_SIZE(trusted_dirs); i++)
		if (bytes_eq_str(dir, trusted_dirs[i]))
			return true;
	return false;
}

bool policy_is_trusted_alias(struct bytes asked, struct bytes cwd)
{
	struct bytes base = bytes_base_name(asked);
	struct bytes dir = {.p = asked.p, .len = asked.len - base.len};

	if (dir.len == 0 || dir.p[0] != '/') {
		if (dir.len && !bytes_eq_str(dir, "./"))
			return false;
		dir = cwd;
	}
	return policy_is_trusted_dir(dir);
}

struct bytes policy_join_words(struct arena *mem, struct bytes head, const struct bytes *argv,
			       size_t argc, size_t from)
{
	size_t size = head.len + 1;
	char *buf, *p;

	for (size_t i = from; i < argc; i++)
		size += argv[i].len + 1;
	buf = p = arena_alloc(mem, size);
	if (!buf)
		return BYTES_NULL;
	if (head.len)
		p = mempcpy(p, head.p, head.len);
	for (size_t i = from; i < argc; i++) {
		if (p != buf)
			*p++ = ' ';
		if (argv[i].len)
			p = mempcpy(p, argv[i].p, argv[i].len);
	}
	*p = '\0';
	return (struct bytes){.p = buf, .len = (size_t)(p - buf)};
}

void policy_address_normalise(struct policy_address *a, enum action_op op)
{
	static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
	static const uint8_t zero[16];

	if (!a->is_v4 && memcmp(a->ip, mapped, sizeof(mapped)) == 0) {
		memmove(a->ip, a->ip + sizeof(mapped), 4);
		memset(a->ip + 4, 0, 12);
		a->is_v4 = true;
	}
	if (op == OP_BIND || op == OP_LISTEN || memcmp(a->ip, zero, a->is_v4 ? 4 : 16) != 0)
		return;
	if (a->is_v4)
		a->ip[0] = 127;
	a->ip[a->is_v4 ? 3 : 15] = 1;
}

/* Where the four bytes are in an address of each form. */
static const struct embedding {
	uint8_t mask[16], prefix[16];
	uint8_t at[4];
	bool is_inverted;
	bool is_one_of_several; /* how long the prefix is cannot be told from the address */
} embeddings[] = {
	/* 64:ff9b::/96 */
	{.mask = {[0 ... 11] = 0xff}, .prefix = {0, 0x64, 0xff, 0x9b}, .at = {12, 13, 14, 15}},
	/* 64:ff9b:1::/48: as a prefix of 96, 48, 56 and 64 bits; byte 8 is always zero */
	{.mask = {[0 ... 5] = 0xff}, .prefix = {0, 0x64, 0xff, 0x9b, 0, 1}, .at = {12, 13, 14, 15}},
	{.mask = {[0 ... 5] = 0xff, [8] = 0xff},
	 .prefix = {0, 0x64, 0xff, 0x9b, 0, 1},
	 .at = {6, 7, 9, 10},
	 .is_one_of_several = true},
	{.mask = {[0 ... 5] = 0xff, [8] = 0xff},
	 .prefix = {0, 0x64, 0xff, 0x9b, 0, 1},
	 .at = {7, 9, 10, 11},
	 .is_one_of_several = true},
	{.mask = {[0 ... 5] = 0xff, [8] = 0xff},
	 .prefix = {0, 0x64, 0xff, 0x9b, 0, 1},
	 .at = {9, 10, 11, 12},
	 .is_one_of_several = true},
	/* 2002::/16 */
	{.mask = {0xff, 0xff}, .prefix = {0x20, 0x02}, .at = {2, 3, 4, 5}},
	/* 2001::/32 */
	{.mask = {[0 ... 3] = 0xff}, .prefix = {0x20, 0x01}, .at = {4, 5, 6, 7}},
	{.mask = {[0 ... 3] = 0xff},
	 .prefix = {0x20, 0x01},
	 .at = {12, 13, 14, 15},
	 .is_inverted = true},
	/* ::5efe:0:0/96 and ::200:5efe:0:0/96 below any /64 */
	{.mask = {[8] = 0xfd, 0xff, 0xff, 0xff},
	 .prefix = {[10] = 0x5e, 0xfe},
	 .at = {12, 13, 14, 15}},
	/* ::ffff:0:0:0/96 */
	{.mask = {[0 ... 11] = 0xff}, .prefix = {[8] = 0xff, 0xff}, .at = {12, 13, 14, 15}},
	/* ::/96, but for :: and ::1 */
	{.mask = {[0 ... 11] = 0xff}, .prefix = {}, .at = {12, 13, 14, 15}},
};

static bool has_prefix(const struct policy_address *a, const struct embedding *e)
{
	for (size_t i = 0; i < sizeof(a->ip); i++)
		if ((a->ip[i] & e->mask[i]) != e->prefix[i])
			return false;
	return true;
}

/* A translator sends nothing to 0.0.0.0/8 and 224.0.0.0/3: what reads like that was meant for a
 * prefix of another length. */
static bool is_sent_to(const uint8_t ip[static 4])
{
	return ip[0] != 0 && ip[0] < 224;
}

size_t policy_address_embedded(const struct policy_address *a, enum action_op op,
			       struct policy_address ret[static POLICY_EMBEDDED_MAX])
{
	static const uint8_t zero[15];
	size_t n = 0;

	if (a->is_v4 || !a->has_ip || op == OP_BIND || op == OP_LISTEN ||
	    (memcmp(a->ip, zero, sizeof(zero)) == 0 && a->ip[15] <= 1))
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(embeddings) && n < POLICY_EMBEDDED_MAX; i++) {
		const struct embedding *e = &embeddings[i];

		if (!has_prefix(a, e))
			continue;
		ret[n] = (struct policy_address){
			.protocol = a->protocol, .has_ip = true, .is_v4 = true, .port = a->port};
		for (size_t b = 0; b < 4; b++)
			ret[n].ip[b] = (uint8_t)(a->ip[e->at[b]] ^ (e->is_inverted ? 0xff : 0));
		if (e->is_one_of_several && !is_sent_to(ret[n].ip))
			continue;
		policy_address_normalise(&ret[n++], op);
	}
	return n;
}

void policy_address_format(char out[static POLICY_HOST_SIZE], const struct policy_address *a)
{
	char ip[INET6_ADDRSTRLEN] = "";

	(void)inet_ntop(a->is_v4 ? AF_INET : AF_INET6, a->ip, ip, sizeof(ip));
	(void)snprintf(out, POLICY_HOST_SIZE, a->is_v4 ? "%s:%u" : "[%s]:%u", ip,
		       (unsigned int)a->port);
}

struct bytes policy_network_text(struct arena *mem, const struct bytes *domains, size_t n,
				 const struct policy_address *a)
{
	char port[8] = "", host[POLICY_HOST_SIZE] = "";
	size_t size = 1 + sizeof(host), port_len;
	char *buf, *p;

	port_len = (size_t)snprintf(port, sizeof(port), ":%u", (unsigned int)a->port);
	if (a->has_ip)
		policy_address_format(host, a);
	for (size_t i = 0; i < n; i++)
		size += domains[i].len + sizeof(port) + 1;
	buf = p = arena_alloc(mem, size);
	if (!buf)
		return BYTES_NULL;
	for (size_t i = 0; i < n; i++) {
		if (p != buf)
			*p++ = ' ';
		if (domains[i].len)
			p = mempcpy(p, domains[i].p, domains[i].len);
		p = mempcpy(p, port, port_len);
	}
	if (a->has_ip) {
		if (p != buf)
			*p++ = ' ';
		p = mempcpy(p, host, strlen(host));
	}
	*p = '\0';
	return (struct bytes){.p = buf, .len = (size_t)(p - buf)};
}
