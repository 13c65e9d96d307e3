/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A record's two forms: packed bytes in the ring, and one JSON line. Private to audit/.
 *
 * The packed form is a fixed struct, then the bytes of each string, then the arguments. It is read
 * back by the process that wrote it and, after a crash, by a later one from a file: so reading
 * checks every length, and the struct changes only together with RING_VERSION.
 */
#pragma once

#include "audit/chain.h"
#include "audit/record.h"
#include "base/json.h"

/* More arguments than this are counted, not kept. */
#define CODEC_ARGV_MAX ((size_t)1024)
/* The longest text of audit_append_event(). */
#define CODEC_EVENT_MAX ((size_t)256 * 1024)
/* The longest line: a control character takes six characters ("\u0001"). */
#define CODEC_LINE_MAX (AUDIT_RECORD_MAX * 6 + (size_t)8192)

enum wire_type {
	WIRE_PAD, /* fills the rest of the ring before it wraps; only `size` and `type` exist */
	WIRE_RECORD,
	WIRE_EVENT,
	_WIRE_TYPE_MAX,
};

/* Every size in the ring is a multiple of this, so a pad always fits. */
#define WIRE_ALIGN ((size_t)8)

struct wire_head {
	uint32_t size; /* all of it, a multiple of WIRE_ALIGN */
	uint32_t type; /* enum wire_type */
	uint64_t seq;
	uint64_t time_ns;
};

/* The strings of a record in packed order. */
enum wire_string {
	WIRE_SYSCALL,
	WIRE_LAYER,
	WIRE_EXE,
	WIRE_OBJECT,
	WIRE_ASKED,
	WIRE_OBJECT2,
	WIRE_INTERPRETER,
	WIRE_CWD,
	WIRE_POLICY,
	WIRE_RULE,
	WIRE_REASON,
	WIRE_HELD,
	WIRE_APPROVER,
	WIRE_NOTE,
	WIRE_SUGGEST,
	WIRE_STEPS,   /* JSON */
	WIRE_DOMAINS, /* likewise */
	WIRE_LISTENER,
	_WIRE_STRING_MAX,
};

/* What will be kept of a record, and how many bytes that takes; made before the ring is locked. */
struct codec_plan {
	size_t size;
	size_t n_argv;
	bool has_argv, argv_truncated;
	struct bytes strings[_WIRE_STRING_MAX]; /* already cut */
};

/* One packed record, looked at in place: everything borrows from the packed bytes. */
struct codec_view {
	enum wire_type type;
	uint64_t seq;
	struct audit_record record; /* WIRE_RECORD */
	struct bytes syscall, layer;
	struct bytes argv[CODEC_ARGV_MAX];
	struct bytes event, text; /* WIRE_EVENT: its name, and its keys as JSON text */
};

/* Decides what to keep of @r; never fails. plan->size <= AUDIT_RECORD_MAX. */
void codec_plan_record(const struct audit_record *r, struct codec_plan *ret);
/* Packs @r into the plan->size bytes at @out. */
void codec_pack_record(const struct audit_record *r, const struct codec_plan *plan, uint64_t seq,
		       char *out);
size_t codec_event_size(struct bytes event, struct bytes text);
void codec_pack_event(struct bytes event, struct bytes text, uint64_t seq, uint64_t time_ns,
		      char *out);
/* Packs filler of @size bytes, a multiple of WIRE_ALIGN. */
void codec_pack_pad(size_t size, char *out);
/* Looks at the packed record at @in. Return: its size in bytes; -EBADMSG when it is damaged. */
ssize_t codec_view(struct bytes in, struct codec_view *ret);
/* Appends the record's line, newline included, to @out; @prev links it to the line before. Not for
 * WIRE_PAD. */
void codec_add_line(const struct codec_view *v, struct bytes session, struct bytes agent,
		    const struct chain_link *prev, struct strbuf *out);
