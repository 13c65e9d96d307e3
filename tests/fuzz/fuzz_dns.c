/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A message of an agent, or of a server. What is read as a question must be the same question when
 * we have written it ourselves, and an answer to it must be read as one.
 */
#include "names/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool is_true)
{
	if (!is_true)
		abort();
}

static void check_facts(const struct dns_facts *f)
{
	check(f->n_names >= 1 && f->n_names <= DNS_CHAIN_MAX);
	check(f->n_addresses <= DNS_ADDRESS_MAX);
	for (size_t i = 0; i < f->n_names; i++) {
		size_t len = strnlen(f->names[i], DNS_NAME_SIZE);

		check(len >= 1 && len <= 253);
		for (size_t k = 0; k < i; k++)
			check(!streq(f->names[i], f->names[k]));
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes message = {.p = (const char *)data, .len = size};
	struct dns_question q, again;
	struct dns_facts facts;
	char out[DNS_QUESTION_MAX];
	size_t n;

	/* An answer carries the question that it is for. */
	if (size >= 12 && data[2] & 0x80) {
		char *copy = malloc(size);

		check(copy);
		memcpy(copy, data, size);
		copy[2] &= 0x07;
		memset(copy + 6, 0, 6);
		(void)!dns_read_question((struct bytes){.p = copy, .len = size}, &q);
		free(copy);
		if (dns_read_answer(message, &q, q.id, &facts) == 0)
			check_facts(&facts);
		return 0;
	}
	if (dns_read_question(message, &q) < 0)
		return 0;
	n = dns_write_question(&q, message, 7, out);
	check(n <= sizeof(out));
	check(dns_read_question((struct bytes){.p = out, .len = n}, &again) == 0);
	check(streq(q.name, again.name) && q.type == again.type && again.id == 7);
	n = dns_write_error(&q, message, DNS_NXDOMAIN, out);
	check(dns_read_answer((struct bytes){.p = out, .len = n}, &q, q.id, &facts) == 0);
	n = dns_write_cut(&q, message, out);
	check(dns_read_answer((struct bytes){.p = out, .len = n}, &q, q.id, &facts) == 0);
	check(facts.is_cut && facts.n_addresses == 0);
	return 0;
}
