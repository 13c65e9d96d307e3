/* SPDX-License-Identifier: Apache-2.0 */
/*
 * An interpreter of the classic BPF that seccomp(2) takes.
 */
#pragma once

#include <linux/filter.h>
#include <linux/seccomp.h>

#include "tests/unit/unit.h"

static inline uint32_t bpf_load(const struct seccomp_data *d, uint32_t offset)
{
	uint32_t w;

	assert_true(offset % 4 == 0 && offset + 4 <= sizeof(*d));
	memcpy(&w, (const char *)d + offset, sizeof(w));
	return w;
}

static inline bool bpf_jumps(const struct sock_filter *i, uint32_t a)
{
	switch (BPF_OP(i->code)) {
	case BPF_JEQ:
		return a == i->k;
	case BPF_JGT:
		return a > i->k;
	case BPF_JGE:
		return a >= i->k;
	case BPF_JSET:
		return (a & i->k) != 0;
	default:
		fail_msg("unknown jump %#x", i->code);
		return false;
	}
}

/* Return: the action, as the kernel would be told. */
static inline uint32_t bpf_run(const struct sock_filter *insns, size_t len,
			       const struct seccomp_data *d)
{
	uint32_t a = 0;

	for (size_t pc = 0; pc < len; pc++) {
		const struct sock_filter *i = &insns[pc];

		switch (BPF_CLASS(i->code)) {
		case BPF_LD:
			a = bpf_load(d, i->k);
			break;
		case BPF_ALU:
			assert_int_equal(BPF_OP(i->code), BPF_AND);
			a &= i->k;
			break;
		case BPF_JMP:
			if (BPF_OP(i->code) == BPF_JA)
				pc += i->k;
			else
				pc += bpf_jumps(i, a) ? i->jt : i->jf;
			break;
		case BPF_RET:
			return i->k;
		default:
			fail_msg("unknown instruction %#x", i->code);
		}
	}
	fail_msg("the program runs off its end");
	return 0;
}
