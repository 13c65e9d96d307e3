/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Was a log changed since it was written? Checks the chain of `prev`s through a log and the files
 * that it was before, the numbers of each session's records, and the signatures of its checkpoints.
 * What it finds is told in the order of the lines; what is wrong with the chain is told last, since
 * the whole log says what was done to it.
 */
#pragma once

#include "audit/keylist.h"
#include "base/diag.h"

#define VERIFY_FINDINGS_MAX ((uint64_t)1000) /* are told; the rest is counted */

enum verify_what {
	VERIFY_EDITED,     /* the line is not the one that the next line was chained to */
	VERIFY_REMOVED,    /* lines are missing before the line */
	VERIFY_INSERTED,   /* the line was put there later */
	VERIFY_REORDERED,  /* the line stood elsewhere */
	VERIFY_TRUNCATED,  /* the end is missing */
	VERIFY_SEQUENCE,   /* `seq` does not count on */
	VERIFY_SIGNATURE,  /* a checkpoint's signature does not fit what is before it */
	VERIFY_OTHER_KEY,  /* a checkpoint is signed with a key that is not its session's */
	VERIFY_NOT_RECORD, /* not a line of Holdfast's, or of another version */
	VERIFY_MISSING,    /* a closed file is missing */
	/* from here on: nothing wrong, but to be known */
	VERIFY_UNCHAINED, /* lines from before there was a chain */
	VERIFY_UNSIGNED,  /* no checkpoint covers these lines */
	VERIFY_RECOVERED, /* a checkpoint was signed only after the death of the writer */
	VERIFY_FORMER,    /* a checkpoint is signed with a host's key, of before there was a list */
	VERIFY_NO_END,    /* a session has no session_end */
	VERIFY_HALF_LINE, /* a writer was interrupted in this line */
	VERIFY_BEGINNING, /* older files were removed to keep only so many */
	VERIFY_LIVE,      /* a session is writing, or its ring waits for a recovery */
	_VERIFY_WHAT_MAX,
};

struct verify_finding {
	enum verify_what what;
	const char *file; /* borrowed */
	uint64_t line;    /* 0: not about a line */
	char text[512];   /* one sentence without the file's name; printable ASCII */
};

struct verify_result {
	uint64_t files, lines, sessions;
	uint64_t checkpoints;  /* whose signature is right */
	uint64_t signed_lines; /* that they cover, themselves included */
	uint64_t n_bad;        /* findings, told or not */
	uint64_t n_untold;
};

struct verify_config {
	/* Whose signatures count; with neither, signatures are not looked at. */
	const struct keylist *keys;
	const struct pubkey *key; /* whatever the list says, this one does for every session */
	void (*tell)(const struct verify_finding *f, void *arg);
	void *arg;
};

bool verify_is_bad(enum verify_what what);
/* "edited", "removed", ... */
const char *verify_word(enum verify_what what);
/* Return: 0, whatever was found; -errno with @reterr_diag: it cannot be read. */
int verify_log(const char *path, const struct verify_config *config, struct verify_result *ret,
	       struct diag *reterr_diag);
