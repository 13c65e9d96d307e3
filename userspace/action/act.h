/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A call as it can be performed for the agent after the verdict: what it acts on is pinned by
 * descriptors and copies, so that nothing the agent does meanwhile leads it elsewhere (the race
 * rule of docs/architecture.md). The decoder fills it in, behalf/ performs it.
 *
 * Memory: names and buffers lie in the decoder's arena. The descriptors belong to the decoder too;
 * they are closed by action_decoder_release(), and by the next action_decode(). Whoever needs one
 * longer duplicates it.
 */
#pragma once

#include <sys/types.h>
#include <sys/uio.h>

#include "loader/trap.h"

enum act_kind {
	/*
	 * The kernel goes on with the call itself. Only where nothing that the agent can change
	 * meanwhile bears on what was decided; the decoder that leaves it so says why in a comment.
	 */
	ACT_CONTINUE,
	ACT_OPEN,    /* behalf/open.c: opens and injects the descriptor */
	ACT_CHANGE,  /* behalf/change.c: changes the tree or an object's attributes */
	ACT_NETWORK, /* behalf/network.c: on a duplicate of the agent's socket */
	ACT_EXEC,    /* goes on, and what really ran is compared with this (supervise/execs.h) */
	ACT_LINEAGE, /* behalf/domains.h: goes on, and is remembered */
	ACT_ACCEPT,  /* supervise/accepts.h: goes on, and is counted */
	ACT_HIDE,    /* is answered with 0, and remembered: action/hidden.h */
	_ACT_KIND_MAX,
};

/*
 * One place in the tree. @parent and @name are where it is, both after all links that the call
 * follows; @object is what was there when it was looked at.
 */
struct act_pin {
	int parent;        /* O_PATH|O_DIRECTORY; -1: none (an object without a name: a pipe, "/", a
			      descriptor) */
	struct bytes name; /* one component, NUL-terminated; .p NULL where there is no parent */
	int object;        /* O_PATH of the object itself; -1: missing, or not needed by the call */
	bool wants_directory; /* the path as asked ended in a slash */
	/* Neither parent nor object: why the way there ends, as the kernel would say (ENOENT,
	 * EACCES); else 0. */
	int error;
};

#define ACT_PIN_INIT ((struct act_pin){.parent = -1, .object = -1})

/* With whose rights the call is made. */
struct act_creds {
	/*
	 * False: as the session began, which the performer has anyway, and the rest is not set. A
	 * task differs after it changed its IDs, groups or capabilities (trapped, so that it is
	 * known).
	 */
	bool differs;
	/* It lives in another user namespace: what it may do there by capability, we may not. */
	bool is_foreign_userns;
	uid_t fsuid;
	gid_t fsgid;
	const gid_t *groups; /* in the arena */
	size_t n_groups;
	uint64_t cap_effective;
};

struct act_open {
	uint64_t flags; /* as asked, O_CLOEXEC included */
	mode_t mode;
	uint64_t resolve; /* RESOLVE_* that still bear on the last component */
	bool stays;       /* nothing may be mounted on the name, as was when it was judged */
	bool creates;     /* judged as a creation: nothing may be there when it is made */
};

/* Which of the calls on extended and file attributes. */
enum change_xattr {
	CHANGE_XATTR_SET,
	CHANGE_XATTR_REMOVE,
	CHANGE_FILE_ATTR, /* data is a struct file_attr of linux/fs.h */
};

struct act_change {
	const void *data; /* xattr value, times, symlink text: a copy, see decode_path.c */
	size_t data_len;
	struct bytes attr;  /* xattr name, NUL-terminated */
	uint64_t number[3]; /* mode, uid and gid, device, length: as the row's call has them */
	int flags;          /* AT_*, RENAME_*, XATTR_* that are still to be honoured */
};

/* Of one message; more is ENOBUFS, as in the kernel. */
#define ACT_CONTROL_MAX ((size_t)128 * 1024)
/* Of a sendmmsg; what comes after is left for the next call. */
#define ACT_BATCH_PIECES_MAX 4096

/*
 * One message of a send. What is sent is not judged, so the bytes stay with the agent until they
 * are sent; where to, and what goes along, are copies.
 */
struct act_message {
	struct bytes name; /* our copy of msg_name; .p NULL: none, it goes to the socket's peer */
	bool is_question;  /* to port 53, and thus to the helper: see behalf/network_names.c */
	bool is_pinned;    /* the name is a path: struct act's pin is the socket there */
	const struct iovec *iov; /* a copy; the addresses are of the agent's memory */
	size_t n_iov;
	size_t len;           /* sum of @iov */
	struct bytes control; /* a copy; descriptors in it are the agent's numbers */
	uint64_t result;      /* where the agent wants msg_len of sendmmsg(2); 0: nowhere */
};

struct act_network {
	int socket;       /* duplicate of the agent's, by which the call was judged */
	int number;       /* the agent's */
	bool is_question; /* connect: as of a message */
	/* A TCP connection: its first bytes decide, so it goes to the helper. Not the decoder's. */
	bool is_led;
	bool is_approved; /* with it: somebody approved of it */
	/* connect: the connection by which was seen who listens. Not the decoder's. */
	bool has_met;
	int met;              /* borrowed: it becomes the agent's; -1: it failed, with met_error */
	int met_error;        /* errno */
	int family, type;     /* of it: SO_DOMAIN, SO_TYPE */
	struct bytes address; /* connect, bind, listen: our copy of the sockaddr */
	bool is_pinned; /* connect: the address is a path, struct act's pin the socket there; bind:
			   the pin is where the file is made, pin2.parent the working directory */
	int root; /* bind: where absolute paths start for the agent, if elsewhere than for us; or -1
		   */
	const struct act_message *messages;
	size_t n_messages;
	int flags; /* MSG_*; listen: the backlog */
};

struct act_exec {
	/* What will run, as judged; the interpreter where there is one. 0: unknown. */
	dev_t image_dev;
	ino_t image_ino;
	struct bytes cmdline; /* argv joined by NULs, as /proc/PID/cmdline will have it; perhaps
				 only its beginning */
	bool is_cmdline_whole;
};

/* What changes who is bound by which Landlock ruleset of the agent's own. */
enum lineage {
	LINEAGE_RESTRICT, /* landlock_restrict_self(2) */
	LINEAGE_REAPER,   /* PR_SET_CHILD_SUBREAPER: orphans become its children */
	LINEAGE_SIBLING,  /* CLONE_PARENT: the child's parent is not who made it */
};

struct act_lineage {
	enum lineage what;
	int ruleset; /* duplicate of the agent's; -1: none */
	uint32_t flags;
};

struct act {
	enum act_kind kind;
	uint64_t notif_id; /* of the call that waits */
	const struct trap_row *row;
	struct act_pin pin, pin2;
	struct act_creds creds;
	union {
		struct act_open open;
		struct act_change change;
		struct act_network network;
		struct act_exec exec;
		struct act_lineage lineage;
	};
};
