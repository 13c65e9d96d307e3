/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Domain names of rules: text to patterns, and membership by labels. Names are compared as the DNS
 * does: ASCII letters regardless of case, one dot at the end ignored. Names beyond ASCII are in
 * their xn-- form on the wire and so in a rule, too.
 */
#pragma once

#include "base/arena.h"

#define DOMAIN_MAX_BYTES 253 /* of a name without its last dot */
#define DOMAIN_WHY_SIZE  256

struct domain_pattern {
	bool is_below;     /* '*.x.org': what has labels before @name, at any depth */
	struct bytes name; /* lower case, no dot at the end; empty for '*', which is any name */
};

/* Return: 0, with ret->name in @mem; -EINVAL with a sentence in @why; -ENOMEM. */
int domain_pattern_parse(struct arena *mem, struct bytes text, struct domain_pattern *ret,
			 char why[static DOMAIN_WHY_SIZE]) _must_check_;
/* An empty name matches nothing, not even '*'. */
bool domain_match(const struct domain_pattern *p, struct bytes name);

/* @name without one dot at its end. */
static inline struct bytes domain_trim(struct bytes name)
{
	if (name.len && name.p[name.len - 1] == '.')
		name.len--;
	return name;
}

static inline char domain_lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c | 0x20) : c;
}
