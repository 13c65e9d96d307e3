/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of the index share: index.c (whole questions), index_store.c (SQLite),
 * logindex_update.c (files to blocks), logindex_find.c (blocks to hits). Private to audit/.
 */
#pragma once

#include <sqlite3.h>

#include "audit/block.h"
#include "audit/index.h"

/* The index does not say what it should: throw it away. Never leaves the index. */
#define INDEX_E_DAMAGED 100

/* What is known of an indexed file, as it is stored. */
struct stored_file {
	uint64_t device, inode;
	uint64_t end;     /* what is indexed of its text */
	uint64_t n_lines; /* in it */
	uint64_t size;    /* of the file when it was looked at last */
	uint64_t is_cut;  /* it ended in half a line then */
	uint64_t n_blocks;
	uint64_t first_end;             /* of its first line */
	uint64_t last_offset;           /* of its last indexed line */
	uint64_t first_hash, last_hash; /* of these lines, with their newlines */
};

struct known_file {
	int64_t id;
	char *path;
	struct stored_file stored;
};

struct index {
	const struct index_config *config;
	char *dir;
	int dirfd, lock;
	sqlite3 *db;
	sqlite3_stmt *get, *put, *cut, *put_file, *cut_file;
	struct known_file *files;
	size_t n_files;
	bool is_new; /* made in this process */
};

/* ---- index_store.c. All return 0, INDEX_E_DAMAGED, -errno */

/* Takes the lock, opens, throws away what is not ours. Return also: INDEX_E_BUSY. */
int store_open(const struct index_config *config, struct index *ret, struct diag *reterr_diag);
void store_close(struct index *ix);
/* Throws the files of the index away and begins with none, saying @why unless it is NULL. */
int store_renew(struct index *ix, const char *why, struct diag *reterr_diag);
int store_begin(struct index *ix);
/* Ends what store_begin() began, and makes a new index valid. */
int store_end(struct index *ix);
int store_put(struct index *ix, int64_t file, uint64_t block, unsigned int part, struct bytes data);
/* Puts the checked content in @out, or -ENOENT. It is aligned. */
int store_get(struct index *ix, int64_t file, uint64_t block, unsigned int part, struct strbuf *out,
	      struct bytes *ret);
/* Removes the blocks from number @block on. */
int store_cut(struct index *ix, int64_t file, uint64_t block);
int store_put_file(struct index *ix, const struct known_file *f);
int store_cut_file(struct index *ix, struct known_file *f);

/* ---- the others */

int logindex_update(struct index *ix, struct index_file *files, size_t n_files,
		    struct diag *reterr_diag);
int logindex_find(struct index *ix, const struct index_file *files, size_t n_files, struct query *q,
		  struct hits *hits, struct diag *reterr_diag);
/* The other way round. */
void hits_reverse(struct hits *h);
struct known_file *logindex_known(const struct index *ix, const char *path);
