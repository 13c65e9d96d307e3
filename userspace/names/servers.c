/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <net/if.h>

#include "base/io.h"
#include "base/strbuf.h"

#include "names/servers.h"

#define FILE_MAX_BYTES 65536
#define DNS_PORT       53

void servers_init(struct servers *s, const char *path)
{
	*s = (struct servers){.path = path};
	(void)pthread_mutex_init(&s->lock, NULL);
}

/* "192.0.2.1", "2001:db8::1", "fe80::1%eth0" */
static bool parse_server(char *text, struct server *ret)
{
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(DNS_PORT)};
	struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(DNS_PORT)};
	char *scope;

	*ret = (struct server){};
	if (inet_pton(AF_INET, text, &in.sin_addr) == 1) {
		memcpy(&ret->address, &in, sizeof(in));
		ret->len = sizeof(in);
		return true;
	}
	scope = strchr(text, '%');
	if (scope)
		*scope++ = '\0';
	if (inet_pton(AF_INET6, text, &in6.sin6_addr) != 1)
		return false;
	in6.sin6_scope_id = scope ? if_nametoindex(scope) : 0;
	memcpy(&ret->address, &in6, sizeof(in6));
	ret->len = sizeof(in6);
	return true;
}

size_t servers_parse(char *text, struct server ret[static SERVERS_MAX])
{
	static char local[] = "127.0.0.1";
	size_t n = 0;
	char *line, *rest = text;

	while (n < SERVERS_MAX && (line = strsep(&rest, "\n"))) {
		char *word = strsep(&line, " \t");

		if (!streq(word, "nameserver") || !line)
			continue;
		line += strspn(line, " \t");
		line[strcspn(line, " \t\r")] = '\0';
		n += parse_server(line, &ret[n]);
	}
	return n ? n : (size_t)parse_server(local, &ret[0]);
}

static bool is_same(const struct stat *a, const struct stat *b)
{
	return a->st_dev == b->st_dev && a->st_ino == b->st_ino && a->st_size == b->st_size &&
	       a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec;
}

static void read_again(struct servers *s)
{
	struct strbuf text = STRBUF_INIT(FILE_MAX_BYTES);
	char none[] = "";
	bool ok = io_read_file_at(AT_FDCWD, s->path, &text) == 0;

	s->n = servers_parse(ok ? text.p : none, s->list);
	strbuf_fini(&text);
}

size_t servers_get(struct servers *s, struct server ret[static SERVERS_MAX])
{
	struct stat now = {};
	size_t n;

	(void)pthread_mutex_lock(&s->lock);
	(void)stat(s->path, &now); /* none: all zero, which is not any file's */
	if (s->n == 0 || !is_same(&now, &s->seen)) {
		read_again(s);
		s->seen = now;
	}
	n = s->n;
	memcpy(ret, s->list, sizeof(s->list));
	(void)pthread_mutex_unlock(&s->lock);
	return n;
}
