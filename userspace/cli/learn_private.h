/* SPDX-License-Identifier: Apache-2.0 */
/* What the parts of learn_*.c share. */
#pragma once

#include "base/arena.h"
#include "policy/glob.h"

#include "cli/import.h"
#include "cli/learn.h"

#define LEARN_MAX_NODES   200000 /* directories and files that are told apart */
#define LEARN_MAX_CALLS   4096
#define LEARN_MAX_HOSTS   4096
#define LEARN_NAMES_MAX   8 /* at one address; where there are more, the address is learned */
#define LEARN_MAX_SECRETS 64
#define LEARN_MAX_WORDS   16 /* of the beginning of a command */
#define LEARN_MAX_PIDS    100000
#define LEARN_LEVELS      4
#define LEARN_PATTERN_MAX ((size_t)64 * 1024) /* every byte of a path may need an escape */
#define LEARN_PER_RULE    40                  /* patterns in one rule */

/* ---- a map from bytes to what they stand for */

struct learn_entry {
	struct learn_entry *next;
	uint64_t hash;
	const void *scope; /* keys of different scopes differ */
	struct bytes key;
	void *value;
};

struct learn_map {
	struct learn_entry **slots; /* made at the first use */
	size_t n;
};

void *learn_map_find(const struct learn_map *m, const void *scope, struct bytes key);
/* @key is copied into @mem. Return: 0, -ENOMEM. */
int learn_map_add(struct learn_map *m, struct arena *mem, const void *scope, struct bytes key,
		  void *value) _must_check_;
void learn_map_fini(struct learn_map *m);

/* ---- names */

struct learn_pids {
	uint32_t *slots;
	size_t n;
};

void learn_pids_add(struct learn_pids *pids, uint64_t pid);
/*
 * Appends a glob for one component of a path: literal, with '*' for what will be another the next
 * time. @is_scratch: it lies directly in a directory of temporary files. Return: whether it has a
 * wildcard.
 */
bool learn_add_name(struct strbuf *out, struct bytes name, const struct learn_pids *pids,
		    bool is_scratch);
/* Appends text as a glob that matches just that. */
void learn_add_literal(struct strbuf *out, struct bytes text);

/* ---- paths */

enum learn_root {
	LEARN_PROJECT,
	LEARN_TMP,
	LEARN_HOME,
	LEARN_SYSTEM,   /* "/" */
	LEARN_ABSTRACT, /* unix sockets without a file */
	_LEARN_ROOT_MAX,
};

struct learn_node {
	struct learn_node *parent, *first, *next;
	struct bytes name;    /* a glob; of a root what stands for it */
	struct bytes example; /* a path that was seen; .p NULL: none */
	uint32_t ops;         /* on it */
	uint32_t tree_ops;    /* on it and all below it */
	uint64_t count;
	uint64_t tree_count;
	unsigned int depth; /* of a root 0 */
	enum learn_root root;
	bool is_wild;
	size_t n_calls; /* distinct beginnings of commands with this image */
};

struct learn_secret {
	struct bytes path;
	uint32_t ops;
	uint64_t count;
};

/* Something that a rule will list. */
struct learn_item {
	struct bytes pattern;
	struct bytes example;
	uint32_t ops;
	uint64_t count;
	enum learn_root root;
	unsigned int
		rank; /* 0 one path, 1 with a wildcard, 2 a tree: narrow ones are asked first */
};

struct learn_items {
	struct learn_item *list;
	size_t n, size;
};

/* ---- commands and hosts */

struct learn_call {
	const struct learn_node *image;
	struct bytes words[LEARN_MAX_WORDS]; /* patterns, after the program */
	size_t n;
	bool is_bare;  /* the program without any argument */
	bool is_guess; /* a first word that may be a subcommand */
	struct bytes real_image;
	struct bytes real[LEARN_MAX_WORDS];
	uint64_t count;
};

struct learn_host {
	struct bytes address; /* as a rule has it */
	struct bytes domain;  /* names with ", " between, then `address` is empty; .p NULL: none */
	uint16_t low, high;   /* ports */
	uint32_t ops;
	uint64_t count;
	struct bytes example;
};

struct learn {
	struct learn_config config;
	struct arena mem;
	struct arena words; /* of one call, while it is looked at */
	struct learn_pids pids;
	struct learn_map nodes, known_paths, calls, hosts, secrets;
	struct learn_node *roots[_LEARN_ROOT_MAX];
	struct bytes root_paths[_LEARN_ROOT_MAX];
	struct learn_call *call_list[LEARN_MAX_CALLS];
	struct learn_host *host_list[LEARN_MAX_HOSTS];
	struct learn_secret *secret_list[LEARN_MAX_SECRETS];
	size_t n_nodes, n_calls, n_hosts, n_secrets;
	const struct glob **secret_globs; /* one list for each row of policy_secrets */
	uint64_t *public_uses;            /* likewise: how often it made an exception */
	uint64_t grants[_GRANT_MAX];
	struct learn_result result;
};

int learn_init_paths(struct learn *l) _must_check_;
/* Return: 0, -ENOMEM. */
int learn_path(struct learn *l, struct bytes path, uint32_t ops) _must_check_;
/* The node of @path, without anything noted; NULL with 0: there is no room. */
int learn_find_node(struct learn *l, struct bytes path, struct learn_node **ret) _must_check_;
/* Appends the pattern of a node. */
void learn_add_pattern(struct strbuf *out, const struct learn_node *n);
/* A path as a pattern, generalised. */
void learn_add_path(const struct learn *l, struct strbuf *out, struct bytes path);
int learn_child(struct learn *l, struct learn_node *dir, struct bytes name, bool is_wild,
		struct learn_node **ret) _must_check_;
/* May everything below it be one pattern? Only where that gives nothing away that was not meant. */
bool learn_is_widenable(const struct learn_node *n, uint32_t class);
/* Makes trees and extensions of many; the higher @level, the fewer. */
int learn_fold(struct learn *l, unsigned int level) _must_check_;
int learn_collect(struct learn *l, struct learn_items *ret) _must_check_;

int learn_exec(struct learn *l, struct bytes image, const struct bytes *argv,
	       size_t argc) _must_check_;
/* Commands of which there are too many are allowed by the program alone. */
void learn_fold_calls(struct learn *l, unsigned int level);

/* Return: @text in l->mem; .p NULL: out of memory. */
struct bytes learn_keep(struct learn *l, const struct strbuf *text);
