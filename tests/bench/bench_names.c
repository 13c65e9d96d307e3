/* SPDX-License-Identifier: Apache-2.0 */
/* What a session's names cost: memory, and time for what a connect has to know. */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/clock.h"

#include "names/table.h"

#define ROUNDS 200000u

static struct dns_facts facts_of(unsigned i, bool is_long)
{
	struct dns_facts f = {.n_names = 1, .n_addresses = 1, .ttl = 300};

	(void)snprintf(f.names[0], DNS_NAME_SIZE,
		       is_long ? "%0200u.a.fairly.long.name.example" : "host%u.example", i);
	f.addresses[0] = (struct dns_address){
		.is_v4 = true, .ip = {192, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i}};
	return f;
}

static struct policy_address address_of(unsigned i)
{
	return (struct policy_address){
		.has_ip = true,
		.is_v4 = true,
		.ip = {192, (uint8_t)(i >> 16), (uint8_t)(i >> 8), (uint8_t)i}};
}

static size_t bytes_in_use(void)
{
	struct mallinfo2 m = mallinfo2();

	return m.uordblks + m.hblkhd;
}

static int measure(const char *what, bool is_long)
{
	static struct names_found found;
	size_t before = bytes_in_use(), n = 0;
	struct names_table *t;
	uint64_t begin_ns, learned_ns, looked_ns;

	if (names_table_new(&t) < 0)
		return 1;
	begin_ns = clock_monotonic_ns();
	for (unsigned i = 0; i < NAMES_MAX; i++) {
		const struct dns_facts f = facts_of(i, is_long);

		if (names_table_learn(t, &f, 0) < 0)
			return 1;
	}
	learned_ns = clock_monotonic_ns();
	for (unsigned i = 0; i < ROUNDS; i++) {
		const struct policy_address a = address_of(i * 7919u % (2 * NAMES_MAX));

		names_table_find(t, &a, 0, &found);
		n += found.n;
	}
	looked_ns = clock_monotonic_ns();
	(void)printf("%d %s  memory %.2f MB  learn %.0f ns  find %.0f ns (%zu found)\n", NAMES_MAX,
		     what, (double)(bytes_in_use() - before) / 1e6,
		     (double)(learned_ns - begin_ns) / NAMES_MAX,
		     (double)(looked_ns - learned_ns) / ROUNDS, n);
	names_table_free(t);
	return 0;
}

int main(void)
{
	return measure("short names", false) || measure("long names", true);
}
