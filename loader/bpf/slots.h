/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What each session has in the maps of maps of programs that are loaded once for many: maps of its
 * own, in its slot. Nothing here knows what is in them.
 */
#pragma once

#include <bpf/bpf.h>

#include "base/util.h"

#define SLOTS_PARTS_MAX 8

/* A session's map, as the programs declare it. */
struct slot_part {
	enum bpf_map_type type;
	uint32_t key, value, entries, flags;
};

/* Return: 0, with @n descriptors in @ret_maps, which are all -1 before; -errno, and there are none.
 */
int slots_make(const struct slot_part *parts, size_t n, int *ret_maps) _must_check_;
void slots_close(int *maps, size_t n);
/*
 * Puts @maps into the slot of each of @outers, or with NULL takes out what is there. The kernel
 * waits until no program can still see what was there: some 15 ms in which nothing is computed.
 * Return: 0, -errno.
 */
int slots_change(const int *outers, size_t n, uint32_t slot, const int *maps);
