/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#pragma once

/* The compiler leaves out what it knows to change nothing, which the verifier does not know. */
#define MASKED(value, mask)                                                                        \
	({                                                                                         \
		__u64 masked_ = (value);                                                           \
		asm volatile("%0 &= %1" : "+r"(masked_) : "i"(mask));                              \
		masked_;                                                                           \
	})
