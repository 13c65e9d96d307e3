/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One record of the log, before it is text. Producers fill a struct audit_record with borrowed byte
 * strings; audit_append() copies it into the session's shared-memory segment (the write-ahead), and
 * the writer turns it into one JSON line. docs/audit.md lists the keys.
 */
#pragma once

#include <sys/types.h>

#include "policy/vocab.h"

/* Of the lines that are written, and the oldest that are read. 2 leaves out what has no meaning in
 * a record, where 1 says null. */
#define AUDIT_VERSION        2
#define AUDIT_VERSION_OLDEST 1
/* A record keeps at most this many bytes of one string; the rest is counted ("argv_truncated"). */
#define AUDIT_STRING_MAX ((size_t)8192)
#define AUDIT_RECORD_MAX ((size_t)48 * 1024)

enum audit_event {
	AUDIT_ACTION, /* a decision: exactly one for each action */
	AUDIT_HELD,   /* an action was put on hold; its AUDIT_ACTION follows with the answer */
	AUDIT_NOTICE, /* something about the session itself: a refused answer, a lost layer */
	_AUDIT_EVENT_MAX,
};

enum audit_result {
	AUDIT_RESULT_NONE,
	AUDIT_RESULT_CONTINUED, /* the kernel carried the call out itself; its result is not known
				   to this layer */
	AUDIT_RESULT_REFUSED,   /* the call failed with `error` */
	AUDIT_RESULT_GONE,      /* the process died or was interrupted before the answer */
	AUDIT_RESULT_PERFORMED, /* Holdfast carried it out; written before that, so what came of it
				   is not known */
	AUDIT_RESULT_KILLED,    /* the process was killed before it could do anything of it */
	_AUDIT_RESULT_MAX,
};

struct audit_record {
	enum audit_event event;
	uint64_t time_ns;    /* realtime, at arrival */
	uint64_t latency_ns; /* arrival to answer, a hold included */
	pid_t pid, tid, ppid;
	enum action_kind kind;
	enum action_op op;
	enum verdict verdict;
	enum verdict would_have;
	bool is_audit; /* the mode in force */
	enum audit_result result;
	int error; /* errno of a refusal, 0 if none */
	const char *syscall;
	const char *layer;
	/* Each .p may be NULL: it is left out. */
	struct bytes exe, object, asked, object2, interpreter, cwd;
	const struct bytes *argv; /* argc of them */
	size_t argc, argc_total;
	bool argv_truncated;
	struct bytes policy, rule, reason;
	struct bytes held;     /* the hold's id */
	struct bytes approver; /* "root (pid 12 on /dev/pts/3)", "timeout", "--ask deny" */
	struct bytes note;     /* one sentence: AUDIT_NOTICE, KIND_SPEND */
	struct bytes suggest;  /* what to do instead */
	struct bytes steps;    /* JSON, of action_steps_add(); .p NULL: they follow from the rest.
				  Whoever hides a part of a record hides this as well: "null" */
	struct bytes
		domains; /* JSON list of strings: the names that stand for the address; likewise
			  */
	struct bytes listener; /* who listens: policy_listener_format() */
	uint32_t n_aliases;    /* so many of them, the last, are what the others are aliases of */
	uint32_t redacted;     /* how many places redact_record() replaced */
	bool is_redacted;      /* it has looked at this record */
	double cost;           /* charged for it, or KIND_SPEND: the amount; 0: nothing */
	double spent;          /* by the session with it; only if @cost is not 0 */
};
