/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Addresses and ports of rules: text to numbers, and membership.
 */
#pragma once

#include "policy/policy.h"

#define ADDRESS_WHY_SIZE 256

/* An address or a CIDR range; host bits are zero. IPv4-mapped IPv6 is stored as IPv4. */
struct address_range {
	uint8_t ip[16]; /* network order; the first 4 bytes if is_v4 */
	uint8_t bits;
	bool is_v4;
};

struct port_range {
	uint16_t low, high;
};

/* Return: 0; -EINVAL with a sentence in @why. */
int address_range_parse(struct bytes text, struct address_range *ret,
			char why[static ADDRESS_WHY_SIZE]) _must_check_;
int port_range_parse(struct bytes text, struct port_range *ret,
		     char why[static ADDRESS_WHY_SIZE]) _must_check_;
/* Clears the bits of @ip after the first @bits. */
void address_mask(uint8_t *ip, size_t size, unsigned bits);
bool address_range_has(const struct address_range *range, const struct policy_address *a);
