/* SPDX-License-Identifier: Apache-2.0 */
/* Types of records of the DNS, and the words for them. */
#include <stdio.h>

#include "base/io.h"

#include "policy/policy.h"

#define TYPE_WORD "TYPE" /* RFC 3597, 5: what has no word of its own */

static const struct {
	uint16_t type;
	const char *word;
} words[] = {
	{1, "A"},       {2, "NS"},     {5, "CNAME"}, {6, "SOA"},    {10, "NULL"},  {12, "PTR"},
	{13, "HINFO"},  {15, "MX"},    {16, "TXT"},  {28, "AAAA"},  {29, "LOC"},   {33, "SRV"},
	{35, "NAPTR"},  {39, "DNAME"}, {43, "DS"},   {44, "SSHFP"}, {46, "RRSIG"}, {47, "NSEC"},
	{48, "DNSKEY"}, {50, "NSEC3"}, {52, "TLSA"}, {64, "SVCB"},  {65, "HTTPS"}, {99, "SPF"},
	{255, "ANY"},   {256, "URI"},  {257, "CAA"},
};

bool policy_record_parse(struct bytes word, uint16_t *ret)
{
	uint64_t number = 0;

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (bytes_eq_str(word, words[i].word)) {
			*ret = words[i].type;
			return true;
		}
	if (!bytes_has_prefix(word, BYTES_LIT(TYPE_WORD)))
		return false;
	word.p += strlen(TYPE_WORD);
	word.len -= strlen(TYPE_WORD);
	if (parse_u64(word, UINT16_MAX, &number) < 0 || number == 0)
		return false;
	*ret = (uint16_t)number;
	return true;
}

const char *policy_record_format(uint16_t type, char out[static POLICY_RECORD_SIZE])
{
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (words[i].type == type) {
			(void)snprintf(out, POLICY_RECORD_SIZE, "%s", words[i].word);
			return out;
		}
	(void)snprintf(out, POLICY_RECORD_SIZE, TYPE_WORD "%u", type);
	return out;
}
