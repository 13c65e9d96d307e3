/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the index keeps of a run of lines: up to BLOCK_LINES of one file, column by column, every
 * column a part of its own, so that a question reads only what it asks about. Equal strings are
 * kept once, in the block's dictionary; a column that holds the same everywhere is a number in the
 * head. Each part carries a checksum: what a disk or another program has damaged is told, not
 * believed. Private to audit/.
 */
#pragma once

#include "audit/rawlog.h"
#include "audit/scan.h"

#define BLOCK_LINES 2000
/* A block ends when it holds so much of a file, too. */
#define BLOCK_BYTES ((uint64_t)16 << 20)

enum block_part {
	BLOCK_HEAD,
	BLOCK_DICTIONARY, /* u32 n, u32 end[n], the strings */
	BLOCK_WIDE,       /* the same for the names of files, of which there are most */
	BLOCK_GRAMS,      /* which runs of four bytes occur in them, by hash */
	BLOCK_OFFSETS,    /* u32[n]: from head.start */
	BLOCK_WORDS,      /* u8 kind[n], op[n], verdict[n], flags[n] */
	BLOCK_TIMES,      /* u64[n] */
	BLOCK_PIDS,       /* u32[n] */
	BLOCK_PROCESSES,  /* u32 {session, pid, ppid}, each once or a few times */
	BLOCK_TEXTS,      /* + enum scan_text: u16[n], entries of a dictionary, 0: null */
	_BLOCK_PART_MAX = BLOCK_TEXTS + _SCAN_TEXT_MAX,
};

/* Flags of a line. */
#define BLOCK_DAMAGED  1 /* no record: to be told, whatever is asked */
#define BLOCK_NO_PLAIN 2 /* !scan.is_plain */

#define BLOCK_NOT_CONSTANT UINT16_MAX
/* An entry of BLOCK_WIDE. */
#define BLOCK_ID_WIDE ((uint16_t)0x8000)

#define BLOCK_GRAMS_BYTES ((size_t)4096)
#define BLOCK_GRAM        ((size_t)4)

#define BLOCK_PID_WORDS ((size_t)16)

struct block_head {
	uint64_t start, end;        /* of the lines in the file */
	uint64_t first_line;        /* its number */
	uint64_t first_ns, last_ns; /* the least and the greatest time */
	uint32_t n_lines, n_damaged, n_no_plain;
	uint32_t kinds, ops, verdicts;      /* 1 << word, that occur; the highest bit: none */
	uint16_t constants[_SCAN_TEXT_MAX]; /* dictionary entry, or BLOCK_NOT_CONSTANT */
	uint64_t pids[BLOCK_PID_WORDS]; /* which processes occur, by hash: block_may_have_pid() */
};

struct block_builder;

int block_builder_new(struct block_builder **ret) _must_check_;
struct block_builder *block_builder_free(struct block_builder *b);
void block_builder_freep(struct block_builder **b);
/* Adds a line. @scan: NULL, it is damaged. Return: 0, -ENOMEM. */
int block_add(struct block_builder *b, const struct raw_line *line,
	      const struct scan *scan) _must_check_;
bool block_is_full(const struct block_builder *b);
uint32_t block_n_lines(const struct block_builder *b);
/* Puts each part that there is, then empties @b. Return: 0, -ENOMEM, what @put returned. */
int block_finish(struct block_builder *b,
		 int (*put)(void *ctx, unsigned int part, struct bytes data),
		 void *ctx) _must_check_;

/* Checks the checksum. Return: 0 and what is behind it, borrowed from @data; -EBADMSG. */
int block_open_part(struct bytes data, struct bytes *ret) _must_check_;
/* Puts a checksum in front of @data. */
void block_seal(struct bytes data, struct strbuf *out);
/* What block_open_part() gave, as a head. Return: 0, -EBADMSG. */
int block_read_head(struct bytes data, struct block_head *ret) _must_check_;

/* A dictionary that block_read_dictionary() has checked. */
struct block_dictionary {
	const uint32_t *ends;
	const char *strings;
	uint32_t n;
};

int block_read_dictionary(struct bytes data, struct block_dictionary *ret) _must_check_;
/* Entry @id, without BLOCK_ID_WIDE; 0 is null. @id must be at most d->n. */
struct bytes block_string(const struct block_dictionary *d, uint16_t id);
/* May a line be of process @pid? */
bool block_may_have_pid(const struct block_head *h, uint32_t pid);
/* May @needle occur in a string of BLOCK_WIDE? */
bool block_grams_have(const uint8_t grams[static BLOCK_GRAMS_BYTES], struct bytes needle);
