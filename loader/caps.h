/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Capabilities of a session (capabilities(7)), as sets of bits: bit n is capability n.
 */
#pragma once

#include "base/util.h"

#define CAP_BIT(cap) (UINT64_C(1) << (cap))

/* What the calling thread may use: its permitted set. 0 also when the kernel does not tell. */
uint64_t caps_permitted(void);
