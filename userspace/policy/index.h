/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A policy's rules, arranged so that a query meets only those that have a chance. Every alternative
 * of a rule (one glob, one tool, one address range) becomes an entry under one key that the query
 * must have: a whole path, a directory above it, one of its components, its extension, a name, a
 * domain above it, a masked address, a port. What has no such key is under its operation alone.
 * Entries under a key are sorted by rank, the place of a rule in the order of evaluation; the
 * lowest rank wins.
 */
#pragma once

#include "policy/document.h"

enum key_type {
	/* Of the resolved path; the order of these is that of the KEY_IMAGE ones. */
	KEY_PATH_WHOLE,
	KEY_PATH_DIRECTORY,
	KEY_PATH_COMPONENT,
	KEY_PATH_EXTENSION,
	KEY_PATH_ANY,
	/* Of a command's image. */
	KEY_IMAGE_WHOLE,
	KEY_IMAGE_DIRECTORY,
	KEY_IMAGE_COMPONENT,
	KEY_IMAGE_EXTENSION,
	KEY_IMAGE_ANY,
	KEY_TOOL,         /* an exact name */
	KEY_TOOL_ANY,     /* globs and regular expressions on names */
	KEY_ARGV,         /* an exact name of element 0 of argv */
	KEY_ARGV_ANY,     /* argv rules whose element 0 has other patterns */
	KEY_DOMAIN,       /* a whole name, its bytes last to first, in lower case */
	KEY_DOMAIN_BELOW, /* likewise a name that the domain must be below; empty: any */
	KEY_ADDRESS_V4,   /* masked address and its bits */
	KEY_ADDRESS_V6,
	KEY_PORT,
	KEY_OP, /* everything else: the operation's number */
	_KEY_MAX,
};

struct index_entry {
	uint32_t rank;
	uint32_t ops;
	const void *pattern; /* struct glob for paths and images, struct tool_pattern for tools */
};

struct index_slot {
	uint64_t hash;
	struct bytes key; /* .p NULL: the slot is empty */
	uint32_t first, n;
	enum key_type type;
};

struct index {
	const struct policy *policy; /* borrowed */
	const struct rule **rules;   /* by rank */
	struct index_entry *entries;
	struct index_slot *slots;
	size_t mask; /* slots - 1 */
	/*
	 * One bit for each possible key, by its hash: most look-ups of a path find nothing, and
	 * this says so from a few cache lines where the slots of a large policy would each be a
	 * miss.
	 */
	uint64_t *present;
	size_t present_mask; /* bits - 1 */
	uint32_t types;      /* bits of enum key_type that have entries */
	uint64_t v4_bits;    /* which prefix lengths there are */
	uint64_t v6_bits[3];
	struct arena mem; /* copied keys */
};

/* For qsort() over pointers to rules of one policy: the order in which they are asked. */
int index_compare_rules(const void *a, const void *b);
int index_build(const struct policy *p, struct index *ret) _must_check_;
void index_fini(struct index *x);

/* Hashes are fed byte by byte, so that every directory above a path costs one step more. */
#define INDEX_HASH_INIT UINT64_C(0xcbf29ce484222325)

static inline uint64_t index_hash_byte(uint64_t hash, char byte)
{
	return (hash ^ (unsigned char)byte) * UINT64_C(0x100000001b3);
}

static inline uint64_t index_hash(struct bytes key)
{
	uint64_t hash = INDEX_HASH_INIT;

	for (size_t i = 0; i < key.len; i++)
		hash = index_hash_byte(hash, key.p[i]);
	return hash;
}

/* Return: the slot of @key, of which @hash is index_hash(); NULL when there is none. */
const struct index_slot *index_find(const struct index *x, enum key_type type, struct bytes key,
				    uint64_t hash);

static inline bool index_has_type(const struct index *x, enum key_type type)
{
	return x->types >> type & 1;
}
