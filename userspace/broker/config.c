/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <ctype.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sodium.h>

#include "base/dirs.h"
#include "base/io.h"
#include "policy/schema.h"

#include "broker/config.h"

#define CONFIG_MEM_BYTES ((size_t)4 * 1024 * 1024)
#define CONFIG_DEPTH     8
#define SECRET_PREFIX    "whsec_"

char *broker_config_path(void)
{
	_cleanup_(freep) char *dir = dirs_config();

	return dir ? str_format("%s/" BROKER_CONFIG_NAME, dir) : NULL;
}

/* ---- values */

static bool is_loopback_host(struct bytes host)
{
	struct in_addr v4;
	char text[INET_ADDRSTRLEN] = "";

	if (bytes_eq_str(host, "localhost") || bytes_eq_str(host, "[::1]"))
		return true;
	if (host.len >= sizeof(text))
		return false;
	memcpy(text, host.p, host.len);
	return inet_pton(AF_INET, text, &v4) == 1 && ntohl(v4.s_addr) >> 24 == 127;
}

/* What comes between "//" and the path, without a port. */
static struct bytes host_of(struct bytes rest)
{
	struct bytes host = {.p = rest.p, .len = 0};

	if (rest.len && rest.p[0] == '[')
		while (host.len < rest.len && rest.p[host.len] != ']')
			host.len++;
	while (host.len < rest.len && !strchr("/?#:", rest.p[host.len]))
		host.len++;
	return host;
}

/* Return: 0, with the text kept; -EINVAL with the diag set. */
static int parse_url(const struct loader *l, const struct node *n, const char *key,
		     const char **ret)
{
	static const struct bytes https = BYTES_LIT("https://"), http = BYTES_LIT("http://");
	struct bytes s = {}, rest, host;
	int r = schema_string(l, n, key, &s);
	bool is_https;

	if (r < 0)
		return r;
	is_https = bytes_has_prefix(s, https);
	if (!is_https && !bytes_has_prefix(s, http))
		return loader_fail(l, n, "'%s' must begin with https://, found '%.60s'", key, s.p);
	if (s.len > BROKER_URL_MAX)
		return loader_fail(l, n, "'%s' has at most %d bytes", key, BROKER_URL_MAX);
	for (size_t i = 0; i < s.len; i++)
		if (s.p[i] <= ' ' || s.p[i] & 0x80 || s.p[i] == 0x7f)
			return loader_fail(l, n,
					   "'%s' has a byte that no URL has; write it as %%%02X",
					   key, (unsigned char)s.p[i]);
	rest = (struct bytes){.p = s.p + (is_https ? https.len : http.len),
			      .len = s.len - (is_https ? https.len : http.len)};
	if (memchr(rest.p, '@', strcspn(rest.p, "/?#")))
		return loader_fail(l, n, "'%s' may not hold a user or a password", key);
	host = host_of(rest);
	if (host.len == 0)
		return loader_fail(l, n, "'%s' names no host", key);
	/* Who can read it on the way could answer with it. */
	if (!is_https && !is_loopback_host(host))
		return loader_fail(l, n,
				   "'%s' must begin with https:// unless it is on loopback: "
				   "what is sent lets its reader answer",
				   key);
	return schema_keep(l, s, ret);
}

/* "whsec_" and base64, as Standard Webhooks has it. Return: 0, -EINVAL. */
static int read_secret(struct bytes s, struct broker_webhook *w)
{
	static const struct bytes prefix = BYTES_LIT(SECRET_PREFIX);

	if (!bytes_has_prefix(s, prefix) ||
	    sodium_base642bin(w->secret, sizeof(w->secret), s.p + prefix.len, s.len - prefix.len,
			      NULL, &w->secret_len, NULL, sodium_base64_VARIANT_ORIGINAL) < 0)
		return -EINVAL;
	return w->secret_len >= BROKER_SECRET_MIN ? 0 : -EINVAL;
}

#define SECRET_FORM                                                                                \
	"\"" SECRET_PREFIX "\" and the base64 of 24 to 64 random bytes (echo " SECRET_PREFIX       \
	"$(head -c 32 /dev/urandom | base64))"

static int parse_secret(const struct loader *l, const struct node *n, void *target)
{
	struct broker_webhook *w = target;
	struct bytes s = {};
	int r = schema_string(l, n, "secret", &s);

	if (r < 0)
		return r;
	/* Not repeated in the message. */
	return read_secret(s, w) < 0 ? loader_fail(l, n, "'secret' must be " SECRET_FORM) : 0;
}

static int parse_secret_file(const struct loader *l, const struct node *n, void *target)
{
	_cleanup_(strbuf_fini) struct strbuf text = STRBUF_INIT(4096);
	struct broker_webhook *w = target;
	struct bytes s = {};
	int r = schema_string(l, n, "secret_file", &s);

	if (r < 0)
		return r;
	if (s.p[0] != '/')
		return loader_fail(l, n, "'secret_file' must be an absolute path, found '%.60s'",
				   s.p);
	r = io_read_file_at(AT_FDCWD, s.p, &text);
	if (r < 0)
		return loader_fail(l, n, "cannot read '%.200s': %s", s.p, strerror(-r));
	while (text.len && isspace((unsigned char)text.p[text.len - 1]))
		strbuf_truncate(&text, text.len - 1);
	r = read_secret(strbuf_bytes(&text), w);
	sodium_memzero(text.p, text.len);
	if (r < 0)
		return loader_fail(l, n, "what '%.200s' holds must be " SECRET_FORM, s.p);
	return schema_keep(l, s, &w->secret_file);
}

static int parse_path(const struct loader *l, const struct node *n, const char *key,
		      const char **ret)
{
	struct bytes s = {};
	int r = schema_string(l, n, key, &s);

	if (r < 0)
		return r;
	if (s.p[0] != '/')
		return loader_fail(l, n, "'%s' must be an absolute path, found '%.60s'", key, s.p);
	return schema_keep(l, s, ret);
}

/* ---- webhook */

static int parse_webhook_url(const struct loader *l, const struct node *n, void *target)
{
	return parse_url(l, n, "url", &((struct broker_webhook *)target)->url);
}

static int parse_ca_file(const struct loader *l, const struct node *n, void *target)
{
	return parse_path(l, n, "ca_file", &((struct broker_webhook *)target)->ca_file);
}

static int parse_poll(const struct loader *l, const struct node *n, void *target)
{
	return parse_url(l, n, "poll", &((struct broker_webhook *)target)->poll);
}

static int parse_poll_every(const struct loader *l, const struct node *n, void *target)
{
	return schema_duration(l, n, "poll_every", BROKER_POLL_MAX_S,
			       &((struct broker_webhook *)target)->poll_ns);
}

static int parse_details(const struct loader *l, const struct node *n, void *target)
{
	bool has_details = true;
	int r = schema_bool(l, n, "details", &has_details);

	((struct broker_webhook *)target)->hides_details = !has_details;
	return r;
}

static const struct field webhook_fields[] = {
	{"url", true, parse_webhook_url},
	{"secret", false, parse_secret},
	{"secret_file", false, parse_secret_file},
	{"ca_file", false, parse_ca_file},
	{"poll", false, parse_poll},
	{"poll_every", false, parse_poll_every},
	{"details", false, parse_details},
};

static int parse_webhook(const struct loader *l, const struct node *n, void *target)
{
	struct broker_webhook *w = &((struct broker_config *)target)->webhook;
	int r = schema_map(l, n, "'webhook'", webhook_fields, ARRAY_SIZE(webhook_fields), w);

	if (r == 0 && w->secret_len == 0)
		return loader_fail(l, n, "'webhook' has no 'secret' and no 'secret_file'");
	return r;
}

/* ---- links */

static int parse_links_address(const struct loader *l, const struct node *n, void *target)
{
	struct broker_links *links = target;
	struct in6_addr address;
	struct bytes s = {};
	int r = schema_string(l, n, "address", &s);

	if (r < 0)
		return r;
	if (inet_pton(AF_INET, s.p, &address) != 1 && inet_pton(AF_INET6, s.p, &address) != 1)
		return loader_fail(
			l, n, "'address' must be an address such as 127.0.0.1, found '%.60s'", s.p);
	return schema_keep(l, s, &links->address);
}

static int parse_links_port(const struct loader *l, const struct node *n, void *target)
{
	struct broker_links *links = target;
	uint64_t port = 0;
	int r = schema_count(l, n, "port", UINT16_MAX, &port);

	links->port = (uint16_t)port;
	return r;
}

static int parse_links_url(const struct loader *l, const struct node *n, void *target)
{
	struct broker_links *links = target;
	int r = parse_url(l, n, "url", &links->url);

	if (r == 0 && bytes_has_suffix(bytes_of(links->url), BYTES_LIT("/")))
		return loader_fail(l, n, "'url' may not end with '/'");
	return r;
}

static const struct field links_fields[] = {
	{"address", false, parse_links_address},
	{"port", true, parse_links_port},
	{"url", false, parse_links_url},
};

static int parse_links(const struct loader *l, const struct node *n, void *target)
{
	struct broker_links *links = &((struct broker_config *)target)->links;
	struct bytes url;
	char text[128];
	int r = schema_map(l, n, "'links'", links_fields, ARRAY_SIZE(links_fields), links);

	if (r < 0)
		return r;
	if (!links->address)
		links->address = BROKER_LINKS_ADDRESS;
	if (links->url)
		return 0;
	url = (struct bytes){.p = text,
			     .len = (size_t)snprintf(text, sizeof(text),
						     strchr(links->address, ':') ? "http://[%s]:%u"
										 : "http://%s:%u",
						     links->address, links->port)};
	return schema_keep(l, url, &links->url);
}

/* ---- the file */

static int parse_notify(const struct loader *l, const struct node *n, void *target)
{
	return schema_bool(l, n, "notify", &((struct broker_config *)target)->notifies);
}

static int parse_linger(const struct loader *l, const struct node *n, void *target)
{
	return schema_duration(l, n, "linger", BROKER_LINGER_MAX_S,
			       &((struct broker_config *)target)->linger_ns);
}

static const struct field broker_fields[] = {
	{"notify", false, parse_notify},
	{"linger", false, parse_linger},
	{"webhook", false, parse_webhook},
	{"links", false, parse_links},
};

static int parse_text(const char *path, struct bytes text, struct broker_config *ret,
		      struct diag *d)
{
	_cleanup_(arena_fini) struct arena nodes = ARENA_INIT(CONFIG_MEM_BYTES);
	const struct loader l = {.file = path, .mem = &ret->mem, .diag = d};
	struct node *root = NULL;
	int r = node_parse(path, text, CONFIG_DEPTH, &nodes, &root, d);

	if (r == 0)
		r = schema_map(&l, root, "the configuration of the broker", broker_fields,
			       ARRAY_SIZE(broker_fields), ret);
	if (r == 0 && ret->links.address && !ret->webhook.url)
		return loader_fail(&l, root, "'links' without 'webhook': nobody would get a link");
	return r;
}

int broker_config_load(const char *path, struct broker_config *ret, struct diag *reterr_diag)
{
	_cleanup_(strbuf_fini) struct strbuf text = STRBUF_INIT(BROKER_CONFIG_BYTES);
	int r = io_read_file_at(AT_FDCWD, path, &text);

	*ret = (struct broker_config){
		.mem = ARENA_INIT(CONFIG_MEM_BYTES),
		.linger_ns = BROKER_LINGER_NS,
		.webhook = {.poll_ns = BROKER_POLL_NS},
	};
	if (r == -ENOENT)
		return r;
	if (r == -EMSGSIZE)
		return diag_set(reterr_diag, path, 0, 0, "the file has more than %zu KiB",
				BROKER_CONFIG_BYTES / 1024);
	if (r < 0)
		return diag_set(reterr_diag, path, 0, 0, "cannot be read: %s", strerror(-r));
	r = parse_text(path, strbuf_bytes(&text), ret, reterr_diag);
	sodium_memzero(text.p, text.len);
	return r;
}

void broker_config_fini(struct broker_config *c)
{
	sodium_memzero(c->webhook.secret, sizeof(c->webhook.secret));
	arena_fini(&c->mem);
}
