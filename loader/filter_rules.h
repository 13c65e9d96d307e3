/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rules about system calls, and the compiler from them to the classic BPF of seccomp(2).
 *
 * libseccomp did this before, and took 1.4 ms of the 8 ms of CPU that a session starts in; it also
 * compares an argument only once in a rule, so that "neither of these four" took a dozen of rules.
 * What is here takes 30 us. It is held against a naive evaluation of the same rules, for those of a
 * session and for random ones (tests/unit/test_filter_rules.c).
 */
#pragma once

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/util.h"

#define FILTER_CMPS_MAX  6
#define FILTER_RULES_MAX 512

/* On all 64 bits of an argument. */
enum filter_op {
	FILTER_EQ,
	FILTER_NE,
	FILTER_GT,     /* unsigned */
	FILTER_MASKED, /* the bits of `mask` are those of `value` */
};

struct filter_cmp {
	unsigned int arg; /* 0 to 5 */
	enum filter_op op;
	uint64_t value;
	uint64_t mask; /* FILTER_MASKED only */
};

/* What happens to a call of @nr when all of @cmp hold. */
struct filter_rule {
	int nr;
	uint32_t action; /* SECCOMP_RET_* with its data */
	unsigned int n;
	struct filter_cmp cmp[FILTER_CMPS_MAX];
};

/* Of the rules on a number the first that matches counts; where none does the call is allowed. */
struct filter_rules {
	size_t n;
	struct filter_rule rules[FILTER_RULES_MAX];
};

struct filter_frame {
	uint32_t arch;    /* AUDIT_ARCH_*; all others: `foreign` */
	uint32_t foreign; /* action */
	/* Numbers from here on are another ABI's (x32), but for -1, which a tracer sets to skip a
	 * call; 0: there is none. */
	uint32_t foreign_from;
	uint32_t highest; /* numbers above it: `unknown` */
	uint32_t unknown; /* action */
};

/*
 * Numbers are found by a binary tree: most calls of a program are in no rule. @insns has room for
 * BPF_MAXINSNS. Return: the program's length; -E2BIG: it is longer than that.
 */
int filter_compile(const struct filter_rules *rules, const struct filter_frame *frame,
		   struct sock_filter insns[static BPF_MAXINSNS]) _must_check_;
