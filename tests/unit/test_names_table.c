/* SPDX-License-Identifier: Apache-2.0 */
#include "tests/unit/unit.h"

#include <arpa/inet.h>
#include <malloc.h>
#include <stdio.h>
#include <unistd.h>

#include "names/servers.h"
#include "names/table.h"

#define MINUTE (60 * NS_PER_SEC)

static struct policy_address address_of(const char *text)
{
	struct policy_address a = {.has_ip = true, .is_v4 = !strchr(text, ':'), .port = 443};

	assert_int_equal(inet_pton(a.is_v4 ? AF_INET : AF_INET6, text, a.ip), 1);
	return a;
}

static int learn(struct names_table *t, const char *name, const char *alias, const char *ip,
		 uint32_t ttl, uint64_t now)
{
	struct policy_address a = address_of(ip);
	struct dns_facts f = {.n_names = alias ? 2 : 1, .n_addresses = 1, .ttl = ttl};

	(void)snprintf(f.names[0], DNS_NAME_SIZE, "%s", name);
	(void)snprintf(f.names[1], DNS_NAME_SIZE, "%s", alias ? alias : "");
	f.addresses[0].is_v4 = a.is_v4;
	memcpy(f.addresses[0].ip, a.ip, sizeof(a.ip));
	return names_table_learn(t, &f, now);
}

static size_t find(struct names_table *t, const char *ip, uint64_t now, struct names_found *ret)
{
	struct policy_address a = address_of(ip);

	names_table_find(t, &a, now, ret);
	return ret->n;
}

static void test_names_of_an_address(void **state)
{
	struct names_table *t;
	struct names_found f;

	(void)state;
	assert_int_equal(names_table_new(&t), 0);
	assert_int_equal(find(t, "192.0.2.1", 0, &f), 0);
	assert_int_equal(learn(t, "a.example", "cdn.net", "192.0.2.1", 60, 0), 0);
	assert_int_equal(learn(t, "b.example", "cdn.net", "192.0.2.1", 60, 0), 0);
	assert_int_equal(learn(t, "a.example", NULL, "192.0.2.2", 60, 0), 0);
	assert_int_equal(find(t, "192.0.2.1", 0, &f), 3);
	assert_int_equal(f.n_asked, 2);
	assert_true(bytes_eq_str(f.names[2], "cdn.net"));
	/* Asked for by itself, it is a name like the others. */
	assert_int_equal(learn(t, "cdn.net", NULL, "192.0.2.1", 60, 0), 0);
	assert_int_equal(find(t, "192.0.2.1", 0, &f), 3);
	assert_int_equal(f.n_asked, 3);
	assert_int_equal(find(t, "192.0.2.3", 0, &f), 0);
	names_table_free(t);
}

static void test_names_are_forgotten(void **state)
{
	struct names_table *t;
	struct names_found f;

	(void)state;
	assert_int_equal(names_table_new(&t), 0);
	assert_int_equal(learn(t, "a.example", NULL, "192.0.2.1", 120, 0), 0);
	assert_int_equal(find(t, "192.0.2.1", 11 * MINUTE, &f), 1);
	assert_int_equal(find(t, "192.0.2.1", 12 * MINUTE, &f), 0);
	/* No server makes one last for longer than a day. */
	assert_int_equal(learn(t, "a.example", NULL, "192.0.2.1", INT32_MAX, 0), 0);
	assert_int_equal(find(t, "192.0.2.1", 25 * 60 * MINUTE, &f), 0);
	names_table_free(t);
}

static void test_an_address_within_an_address(void **state)
{
	struct names_table *t;
	struct names_found f;

	(void)state;
	assert_int_equal(names_table_new(&t), 0);
	assert_int_equal(learn(t, "a.example", NULL, "64:ff9b::192.0.2.1", 60, 0), 0);
	assert_int_equal(find(t, "192.0.2.1", 0, &f), 1);
	assert_int_equal(learn(t, "b.example", NULL, "::ffff:192.0.2.2", 60, 0), 0);
	assert_int_equal(find(t, "192.0.2.2", 0, &f), 1);
	assert_int_equal(learn(t, "c.example", NULL, "0.0.0.0", 60, 0), 0);
	assert_int_equal(find(t, "127.0.0.1", 0, &f), 1);
	names_table_free(t);
}

static void test_it_has_an_end(void **state)
{
	struct names_table *t;
	struct names_found f;
	char name[DNS_NAME_SIZE], ip[32];
	size_t before = mallinfo2().uordblks;

	(void)state;
	assert_int_equal(names_table_new(&t), 0);
	memset(name, 'a', sizeof(name));
	name[253] = '\0';
	for (int i = 0; i < NAMES_MAX; i++) {
		(void)snprintf(ip, sizeof(ip), "10.1.%d.%d", i >> 8, i & 255);
		assert_int_equal(learn(t, name, NULL, ip, 60, 0), 0);
	}
	assert_true(mallinfo2().uordblks - before < (size_t)4 << 20);
	assert_int_equal(learn(t, "a", NULL, "192.0.2.1", 60, 0), -ENOSPC);
	assert_int_equal(names_table_count(t), NAMES_MAX);
	/* Old ones make room. */
	assert_int_equal(learn(t, "a", NULL, "192.0.2.1", 60, 30 * MINUTE), 0);
	assert_int_equal(find(t, "192.0.2.1", 30 * MINUTE, &f), 1);
	assert_true(names_table_count(t) <= NAMES_MAX);
	/* As many names at one address as can be judged, and no more. */
	for (int i = 1; i < NAMES_AT_ADDRESS; i++) {
		(void)snprintf(name, sizeof(name), "n%d", i);
		assert_int_equal(learn(t, name, NULL, "192.0.2.1", 60, 30 * MINUTE), 0);
	}
	assert_int_equal(learn(t, "z", NULL, "192.0.2.1", 60, 30 * MINUTE), -ENOSPC);
	assert_int_equal(find(t, "192.0.2.1", 30 * MINUTE, &f), NAMES_AT_ADDRESS);
	names_table_free(t);
}

static void test_inner_addresses(void **state)
{
	static const char *const inner[] = {"10.1.2.3",   "127.9.9.9",      "169.254.169.254",
					    "0.0.0.1",    "172.31.255.255", "192.168.0.1",
					    "100.64.0.1", "224.0.0.251",    "255.255.255.255",
					    "::1",        "fd00:ec2::254",  "fe80::1",
					    "ff02::fb"};
	static const char *const outer[] = {"11.1.2.3",     "172.32.0.1",  "172.15.0.1",
					    "192.167.0.1",  "100.128.0.1", "169.253.0.1",
					    "198.51.100.1", "2001:db8::1", "2606:4700::1111"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(inner); i++) {
		struct policy_address a = address_of(inner[i]);

		if (!names_is_inner(&a))
			fail_msg("%s is inner", inner[i]);
	}
	for (size_t i = 0; i < ARRAY_SIZE(outer); i++) {
		struct policy_address a = address_of(outer[i]);

		if (names_is_inner(&a))
			fail_msg("%s is not", outer[i]);
	}
}

static void test_servers(void **state)
{
	struct server s[SERVERS_MAX];
	char text[] =
		"# nameserver 1.1.1.1\nnameserver\t192.0.2.1 \r\nnameserver 999.1.1.1\n"
		"search x\nnameserver  2001:db8::1\nnameserver 192.0.2.3\nnameserver 192.0.2.4";
	char none[] = "search x\n";

	(void)state;
	assert_int_equal(servers_parse(text, s), 3);
	assert_int_equal(s[0].address.ss_family, AF_INET);
	assert_int_equal(s[1].address.ss_family, AF_INET6);
	assert_int_equal(((struct sockaddr_in *)&s[2].address)->sin_addr.s_addr,
			 inet_addr("192.0.2.3"));
	assert_int_equal(servers_parse(none, s), 1);
	assert_int_equal(((struct sockaddr_in *)&s[0].address)->sin_addr.s_addr,
			 inet_addr("127.0.0.1"));
}

static void test_names_of_the_file_of_hosts(void **state)
{
	static const char text[] = "127.0.0.1 localhost\n::1 localhost6\n0.0.0.0 ads.example\n"
				   "# 192.0.2.9 commented.example\n"
				   "  192.0.2.1\tDB.Internal db. # 192.0.2.2 x\r\n"
				   "2001:db8::1 six\n192.0.2 short\n192.0.2.3\n192.0.2.4 last";
	char path[] = "/tmp/hf-hosts-XXXXXX";
	struct names_table *t;
	struct names_found f;
	int fd = mkstemp(path);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, sizeof(text) - 1), sizeof(text) - 1);
	assert_int_equal(names_table_new(&t), 0);
	assert_int_equal(names_learn_hosts(t, path), 0);
	assert_int_equal(names_table_count(t), 4);
	assert_int_equal(find(t, "192.0.2.1", UINT64_MAX - 1, &f), 2);
	assert_int_equal(f.n_asked, 2);
	assert_true(bytes_eq_str(f.names[0], "db"));
	assert_true(bytes_eq_str(f.names[1], "db.internal"));
	assert_int_equal(find(t, "2001:db8::1", 0, &f), 1);
	assert_int_equal(find(t, "192.0.2.4", 0, &f), 1);
	assert_int_equal(find(t, "127.0.0.1", 0, &f), 0);
	assert_int_equal(find(t, "192.0.2.9", 0, &f), 0);
	/* Beside a name that was asked for they close, and do not open. */
	assert_int_equal(learn(t, "asked.example", NULL, "192.0.2.1", 60, 0), 0);
	assert_int_equal(find(t, "192.0.2.1", 0, &f), 3);
	assert_int_equal(f.n_asked, 1);
	assert_true(bytes_eq_str(f.names[0], "asked.example"));
	/* Asked for by itself it is a name like any other, and stays known. */
	assert_int_equal(learn(t, "db.internal", NULL, "192.0.2.1", 60, 0), 0);
	assert_int_equal(find(t, "192.0.2.1", 60 * MINUTE, &f), 2);
	assert_int_equal(f.n_asked, 1);
	assert_true(bytes_eq_str(f.names[0], "db.internal"));
	names_table_free(t);
	(void)unlink(path);
	(void)close(fd);
}

static void test_a_long_file_of_hosts_leaves_room(void **state)
{
	char path[] = "/tmp/hf-hosts-XXXXXX";
	struct names_table *t;
	struct names_found f;
	int fd = mkstemp(path);
	FILE *out = fdopen(fd, "w");

	(void)state;
	assert_non_null(out);
	for (int i = 0; i < 100; i++)
		assert_true(fprintf(out, "192.0.2.1 name%d.example\n", i) > 0);
	for (int i = 0; i < 2000; i++)
		assert_true(fprintf(out, "198.51.%d.%d h%d\n", i / 250, i % 250, i) > 0);
	assert_int_equal(fflush(out), 0);
	assert_int_equal(names_table_new(&t), 0);
	assert_int_equal(names_learn_hosts(t, path), 0);
	assert_int_equal(names_table_count(t), 1000);
	assert_int_equal(find(t, "192.0.2.1", 0, &f), NAMES_AT_ADDRESS / 2);
	assert_int_equal(learn(t, "asked.example", NULL, "192.0.2.1", 60, 0), 0);
	assert_int_equal(find(t, "192.0.2.1", 0, &f), NAMES_AT_ADDRESS / 2 + 1);
	assert_int_equal(f.n_asked, 1);
	assert_int_equal(names_learn_hosts(t, "/nonexistent/hosts"), -ENOENT);
	names_table_free(t);
	(void)unlink(path);
	(void)fclose(out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names_of_an_address),
		cmocka_unit_test(test_names_are_forgotten),
		cmocka_unit_test(test_an_address_within_an_address),
		cmocka_unit_test(test_it_has_an_end),
		cmocka_unit_test(test_inner_addresses),
		cmocka_unit_test(test_servers),
		cmocka_unit_test(test_names_of_the_file_of_hosts),
		cmocka_unit_test(test_a_long_file_of_hosts_leaves_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
