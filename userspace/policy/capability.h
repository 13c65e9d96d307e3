/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The words of capabilities(7), and which of them a granted group of system calls is worth nothing
 * without. Sets are bits: bit n is capability n of include/uapi/linux/capability.h.
 */
#pragma once

#include "policy/vocab.h"

#define CAPABILITY_MAX 41 /* CAP_CHECKPOINT_RESTORE, Linux 5.9, is 40 */
#define CAPABILITY_ALL ((UINT64_C(1) << CAPABILITY_MAX) - 1)

/* "net_admin". */
const char *capability_name(unsigned capability);
/* With or without "cap_", in either case. Return: 0, -ENOENT. */
int capability_parse(struct bytes word, unsigned *ret);
/* @grants: bit n is group n. All of them together are worth all capabilities. */
uint64_t capability_of_grants(uint32_t grants);
