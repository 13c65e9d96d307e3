/* SPDX-License-Identifier: Apache-2.0 */
/* Actions given as text, as queries. */
#include <arpa/inet.h>

#include "policy/apiaction_private.h"
#include "policy/naming.h"
#include "policy/pytext.h"

#define TEXT_MAX ((size_t)64 << 20) /* argument texts; past it the action is refused */
#define HOST_MAX 64                 /* an address has less */

struct policy_query *apiaction_add_query(struct apiaction *a, struct arena *mem,
					 enum action_kind kind, enum action_op op)
{
	struct policy_name *names = arena_alloc(mem, POLICY_MAX_NAMES * sizeof(*names));
	struct policy_query *q;

	if (!names)
		return NULL;
	if (a->n == a->capacity) {
		size_t capacity = a->capacity ? a->capacity * 4 : 1;
		struct policy_query *more = arena_alloc(mem, capacity * sizeof(*more));

		if (!more)
			return NULL;
		if (a->n)
			memcpy(more, a->queries, a->n * sizeof(*more));
		a->queries = more;
		a->capacity = capacity;
	}
	q = &a->queries[a->n++];
	*q = (struct policy_query){
		.kind = kind, .op = op, .names = names, .minute_of_week = POLICY_TIME_UNKNOWN};
	q->n_names = policy_names_init(names, op);
	return q;
}

/* The names of @q, which are this file's own. */
static struct policy_name *names_of(struct policy_query *q)
{
	return (struct policy_name *)(uintptr_t)q->names;
}

void apiaction_add_name(struct policy_query *q, struct bytes name, bool is_untrusted)
{
	policy_names_add(names_of(q), &q->n_names, name, is_untrusted);
}

struct bytes apiaction_text_of(struct arena *mem, const struct value *v)
{
	struct strbuf text = STRBUF_INIT(TEXT_MAX);
	struct bytes copy = BYTES_NULL;

	if (v->type == VALUE_STRING)
		return v->text;
	py_add_str(&text, v);
	if (!strbuf_error(&text))
		copy = arena_copy(mem, strbuf_str(&text), text.len);
	strbuf_fini(&text);
	return copy;
}

/* ---- programs */

/* Whether a name that @asked ends in is the administrator's, as in action/script.c. */
static bool is_trusted_alias(struct bytes asked, struct bytes cwd)
{
	struct bytes base = bytes_base_name(asked);
	struct bytes dir = {.p = asked.p, .len = asked.len - base.len};

	if (dir.len == 0 || bytes_eq_str(dir, "./"))
		dir = cwd;
	return dir.len && policy_is_trusted_dir(dir);
}

int apiaction_add_exec(struct apiaction *a, struct arena *mem, const struct apiaction_exec *exec)
{
	struct policy_query *q = apiaction_add_query(a, mem, KIND_TOOL, OP_EXEC);
	struct bytes first = exec->argc ? exec->argv[0] : exec->path;
	struct bytes asked = exec->asked.p ? exec->asked : first;

	if (!q)
		return -ENOMEM;
	q->args = exec->text.p ? exec->text
			       : policy_join_words(mem, exec->argc ? BYTES_NULL : asked, exec->argv,
						   exec->argc, 0);
	if (!q->args.p)
		return -ENOMEM;
	q->path = exec->path;
	q->argv = exec->argv;
	q->argc = exec->argc;
	q->cwd = exec->cwd;
	policy_names_add_exec(names_of(q), &q->n_names, exec->path.p ? exec->path : asked, asked,
			      is_trusted_alias(asked, exec->cwd));
	return 0;
}

int apiaction_from_exec(const struct bytes *argv, size_t argc, struct bytes path, struct bytes cwd,
			struct arena *mem, struct apiaction *ret)
{
	const struct apiaction_exec exec = {.argv = argv, .argc = argc, .path = path, .cwd = cwd};

	*ret = (struct apiaction){};
	return apiaction_add_exec(ret, mem, &exec);
}

/* ---- files */

int apiaction_add_path(struct apiaction *a, struct arena *mem, enum action_op op, struct bytes path)
{
	struct policy_query *q = apiaction_add_query(a, mem, KIND_PATH, op);

	if (!q)
		return -ENOMEM;
	q->path = q->args = path;
	return 0;
}

int apiaction_from_path(enum action_op op, struct bytes path, struct arena *mem,
			struct apiaction *ret)
{
	*ret = (struct apiaction){};
	return apiaction_add_path(ret, mem, op, path);
}

/* ---- the network */

/* Also the short and the octal forms that the C library takes ("127.1", "0x7f.1", "2130706433"). */
static bool parse_address(struct bytes host, struct policy_address *ret)
{
	char text[HOST_MAX];
	struct in_addr v4;

	if (host.len >= 2 && host.p[0] == '[' && host.p[host.len - 1] == ']')
		host = (struct bytes){.p = host.p + 1, .len = host.len - 2};
	if (host.len == 0 || host.len >= sizeof(text) || memchr(host.p, '\0', host.len) ||
	    memchr(host.p, ' ', host.len))
		return false;
	memcpy(text, host.p, host.len);
	text[host.len] = '\0';
	if (inet_aton(text, &v4)) {
		ret->is_v4 = true;
		memcpy(ret->ip, &v4, 4);
		return true;
	}
	text[strcspn(text, "%")] = '\0'; /* a scope */
	return inet_pton(AF_INET6, text, ret->ip) == 1;
}

static bool is_localhost(struct bytes host)
{
	const struct bytes name = BYTES_LIT("localhost");

	return host.len >= name.len &&
	       strncasecmp(host.p + host.len - name.len, name.p, name.len) == 0 &&
	       (host.len == name.len || host.p[host.len - name.len - 1] == '.');
}

int apiaction_add_domain(struct policy_query *q, struct arena *mem, struct bytes domain)
{
	struct bytes *domains;

	if (domain.len && domain.p[domain.len - 1] == '.')
		domain.len--; /* the root's dot */
	if (domain.len == 0)
		return 0;
	domains = arena_alloc(mem, (q->n_domains + 1) * sizeof(*domains));
	if (!domains)
		return -ENOMEM;
	if (q->n_domains)
		memcpy(domains, q->domains, q->n_domains * sizeof(*domains));
	domains[q->n_domains++] = domain;
	q->domains = domains;
	q->args = policy_network_text(mem, q->domains, q->n_domains, q->address);
	return q->args.p ? 0 : -ENOMEM;
}

int apiaction_set_listener(struct policy_query *q, struct arena *mem, const struct value *text,
			   struct diag *d)
{
	struct policy_listener *who = arena_alloc(mem, sizeof(*who));

	if (!who)
		return -ENOMEM;
	if (policy_listener_parse(text->text, who) < 0)
		return diag_set(d, NULL, text->line, text->column,
				"'listener' must be who listens, as in the log: 'uid 0 "
				"/usr/bin/dockerd', 'uid 1000 (self)'");
	q->listener = who;
	return 0;
}

/* A query of its own for each IPv4 address in an IPv6 one, as a session has steps of its own for
 * them. @a's last query is of the whole. */
static int add_embedded(struct apiaction *a, struct arena *mem, const struct policy_address *whole,
			enum action_op op)
{
	struct policy_address found[POLICY_EMBEDDED_MAX];
	size_t n = policy_address_embedded(whole, op, found);

	for (size_t i = 0; i < n; i++) {
		struct policy_query *q = apiaction_add_query(a, mem, KIND_NETWORK, op);
		struct policy_address *address = arena_alloc(mem, sizeof(*address));

		if (!q || !address)
			return -ENOMEM;
		*address = found[i];
		q->address = address;
		q->args = policy_network_text(mem, NULL, 0, address);
		if (!q->args.p)
			return -ENOMEM;
	}
	return 0;
}

int apiaction_add_host(struct apiaction *a, struct arena *mem, enum action_op op,
		       enum policy_protocol protocol, struct bytes host, uint16_t port)
{
	struct policy_query *q = apiaction_add_query(a, mem, KIND_NETWORK, op);
	struct policy_address *address = arena_alloc(mem, sizeof(*address));

	if (!q || !address)
		return -ENOMEM;
	*address = (struct policy_address){.protocol = protocol, .port = port};
	q->address = address;
	if (protocol == POLICY_PROTO_UNIX) {
		q->path = q->args = host;
		return 0;
	}
	address->has_ip = parse_address(host, address);
	if (address->has_ip)
		policy_address_normalise(address, op);
	q->args = policy_network_text(mem, NULL, 0, address);
	if (!q->args.p)
		return -ENOMEM;
	if (address->has_ip)
		return add_embedded(a, mem, address, op);
	if (is_localhost(host)) {
		address->has_ip = address->is_v4 = true;
		memcpy(address->ip, (const uint8_t[]){127, 0, 0, 1}, 4);
	}
	return apiaction_add_domain(q, mem, host);
}

int apiaction_from_connect(enum action_op op, enum policy_protocol protocol, struct bytes host,
			   uint16_t port, struct arena *mem, struct apiaction *ret, struct diag *d)
{
	*ret = (struct apiaction){};
	if (host.len == 0)
		return diag_set(d, NULL, 0, 0, "the host is empty; give an address or a name");
	return apiaction_add_host(ret, mem, op, protocol, host, port);
}

static uint16_t port_of_scheme(struct bytes scheme)
{
	static const struct {
		const char *scheme;
		uint16_t port;
	} ports[] = {
		{"https", 443}, {"http", 80}, {"wss", 443}, {"ws", 80}, {"ftp", 21}, {"ssh", 22},
	};

	for (size_t i = 0; i < ARRAY_SIZE(ports); i++)
		if (scheme.len == strlen(ports[i].scheme) &&
		    strncasecmp(scheme.p, ports[i].scheme, scheme.len) == 0)
			return ports[i].port;
	return 0;
}

/* Cuts ":123" off. Return: the number; 0 when there is none. */
static uint16_t take_port(struct bytes *host)
{
	const char *colon = host->len ? memrchr(host->p, ':', host->len) : NULL;
	unsigned long n = 0;

	/* "::1" is an address, "[::1]:80" and "x:80" are not. */
	if (!colon ||
	    (host->p[0] != '[' && memchr(host->p, ':', host->len) != (const void *)colon) ||
	    memchr(colon, ']', host->len - (size_t)(colon - host->p)))
		return 0;
	for (const char *p = colon + 1; p < host->p + host->len; p++) {
		if (*p < '0' || *p > '9' || n > UINT16_MAX)
			return 0;
		n = n * 10 + (unsigned long)(*p - '0');
	}
	host->len = (size_t)(colon - host->p);
	return n <= UINT16_MAX ? (uint16_t)n : 0;
}

/* "https://user@host:1/path?q": scheme and authority; "host:1/path" has no scheme. Blanks at the
 * start do not count, as with any client. */
static struct bytes take_authority(struct bytes url, struct bytes *ret_scheme)
{
	const char *mark;
	struct bytes rest = url;

	*ret_scheme = BYTES_NULL;
	while (rest.len && (unsigned char)rest.p[0] <= ' ')
		rest = (struct bytes){.p = rest.p + 1, .len = rest.len - 1};
	mark = rest.len ? memmem(rest.p, rest.len, "//", 2) : NULL;
	if (mark == rest.p || (mark && mark[-1] == ':')) {
		ret_scheme->p = rest.p;
		ret_scheme->len = mark == rest.p ? 0 : (size_t)(mark - 1 - rest.p);
		rest.len -= (size_t)(mark + 2 - rest.p);
		rest.p = mark + 2;
	}
	for (size_t i = 0; i < rest.len; i++)
		if (memchr("/?#\\", rest.p[i], 4)) {
			rest.len = i;
			break;
		}
	mark = rest.len ? memrchr(rest.p, '@', rest.len) : NULL;
	if (mark)
		rest = (struct bytes){.p = mark + 1, .len = rest.len - (size_t)(mark + 1 - rest.p)};
	return rest;
}

int apiaction_add_url(struct apiaction *a, struct arena *mem, struct bytes url, uint16_t port)
{
	struct bytes scheme, host = take_authority(url, &scheme);
	uint16_t named = take_port(&host);

	if (!port)
		port = named ? named : port_of_scheme(scheme);
	return apiaction_add_host(a, mem, OP_CONNECT, POLICY_PROTO_TCP, host, port);
}
