/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <fcntl.h>
#include <pthread.h>

#include "base/io.h"
#include "base/strbuf.h"

#include "names/table.h"

#define FILE_MAX_BYTES ((size_t)1024 * 1024)
#define PAIRS_MAX      1000 /* of an address and a name: the rest of the table is for what is asked */
#define BLANKS         " \t\r"

/* Only what a rule on names can be about: not what this machine calls itself, and not the lists
 * that lead names nowhere. */
static bool parse_address(const char *text, struct dns_address *ret)
{
	struct in6_addr in6;

	*ret = (struct dns_address){};
	ret->is_v4 = inet_pton(AF_INET, text, ret->ip) == 1;
	if (ret->is_v4)
		return ret->ip[0] != 0 && ret->ip[0] != 127;
	if (inet_pton(AF_INET6, text, &in6) != 1)
		return false;
	memcpy(ret->ip, &in6, sizeof(in6));
	return !IN6_IS_ADDR_LOOPBACK(&in6) && !IN6_IS_ADDR_UNSPECIFIED(&in6);
}

static void copy_lower(const char *from, size_t len, char *to)
{
	for (size_t i = 0; i < len; i++)
		to[i] = from[i] >= 'A' && from[i] <= 'Z' ? (char)(from[i] | 0x20) : from[i];
	to[len] = '\0';
}

/* "192.0.2.1 name other.name # comment". Return: how many pairs were learned. */
static size_t learn_line(struct names_table *t, char *line, size_t room)
{
	struct dns_facts facts = {.n_names = 1, .n_addresses = 1};
	size_t n = 0;
	char *word;

	line[strcspn(line, "#")] = '\0';
	line += strspn(line, BLANKS);
	word = strsep(&line, BLANKS);
	if (!word || !parse_address(word, &facts.addresses[0]))
		return 0;
	while (n < room && (word = strsep(&line, BLANKS))) {
		size_t len = strlen(word);

		if (len == 0 || len >= DNS_NAME_SIZE)
			continue;
		copy_lower(word, len - (word[len - 1] == '.'), facts.names[0]);
		n += names_table_learn_fixed(t, &facts) == 0;
	}
	return n;
}

int names_learn_hosts(struct names_table *t, const char *path)
{
	struct strbuf text = STRBUF_INIT(FILE_MAX_BYTES);
	int r = io_read_file_at(AT_FDCWD, path, &text);
	char *line, *rest = r == 0 ? text.p : NULL;
	size_t n = 0;

	while (n < PAIRS_MAX && (line = strsep(&rest, "\n")))
		n += learn_line(t, line, PAIRS_MAX - n);
	strbuf_fini(&text);
	return r;
}
