/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an agent is about to do, in the user's terms. action_decode() makes it from a seccomp
 * notification and is, with the files of this module, the only code that reads another process's
 * memory and /proc entries.
 *
 * Memory: everything in struct action points into the decoder's arena or caches and is valid until
 * the next action_decode() with the same decoder. One decoder per receiver thread.
 */
#pragma once

#include <linux/seccomp.h>
#include <stdatomic.h>
#include <sys/types.h>

#include "action/act.h"
#include "policy/naming.h"

/* Limits on what one action may carry. */
#define ACTION_PATH_MAX 4096 /* PATH_MAX, the NUL included: what the kernel accepts */
/* Bytes of names below the last directory that the kernel can name: see deep.c. */
#define ACTION_DEEP_MAX ((size_t)256 * 1024)
#define ACTION_ARGV_MAX_BYTES                                                                      \
	((size_t)8 << 20) /* over this the action is not readable (MAX_ARG_STRLEN * ... < 6 MiB)   \
			   */
#define ACTION_ARGV_LOG_BYTES                                                                      \
	((size_t)8192) /* read when no rule needs more; the rest is counted, not read */
#define ACTION_MAX_NAMES        POLICY_MAX_NAMES
#define ACTION_MAX_INTERPRETERS 5 /* binfmt_script recursion limit, exec(2) */
#define ACTION_MAX_STEPS        8
#define ACTION_MAX_GUARDS       2 /* launcher and keeper */

/* One thing the policy must decide on; an action is the conjunction of its steps: the strictest
 * verdict counts. */
struct action_step {
	enum action_kind kind;
	enum action_op op;
	struct bytes object; /* resolved path, image, or "address:port" */
	struct bytes args;   /* argument text */
	struct policy_name names[ACTION_MAX_NAMES];
	size_t n_names;
	const struct policy_address *address; /* NULL unless network */
};

/* Why a notification could not be turned into an action. Each means deny (fail closed), with this
 * word as reason. */
enum action_error {
	ACTION_OK,
	ACTION_GONE, /* the target died or was interrupted: no answer is possible, nothing to record
		      */
	ACTION_UNREADABLE, /* its memory or /proc entries cannot be read */
	ACTION_UNKNOWN,    /* a syscall, flag or size this version does not know */
	ACTION_TOO_LONG,   /* more than the limits above */
	ACTION_NO_MEMORY,
	ACTION_OVERLOAD, /* too many calls block the supervisor's threads: not looked at */
	_ACTION_ERROR_MAX,
};

const char *
action_error_name(enum action_error e); /* "unreadable-argument", "unknown-syscall", ... */

/* What the first bytes of a connection said that was led to the helper (names/lead.h). */
struct action_look {
	enum policy_look kind;
	struct bytes name;         /* lower case; .p NULL: none was seen */
	struct bytes method, path; /* POLICY_LOOK_REQUEST; path: .p NULL, unclear */
	bool is_approved;          /* somebody approved the connection itself */
};

struct action {
	enum action_kind kind;
	enum action_op op;   /* the main operation, as recorded */
	const char *syscall; /* "openat"; "syscall_1234" is never made: unknown numbers read
				"unknown" */
	int syscall_nr;
	enum grant grant; /* KIND_SYSTEM: the group that would permit it */
	bool is_foreign_abi;
	bool hits_guard; /* system: a process that guards the session is meant, too */
	/* path: what a process outside of the session has open or in memory, by its /proc */
	bool looks_outside;

	pid_t tid, pid, ppid; /* as the supervisor sees them */
	struct bytes exe;     /* image of the process, .p NULL if unknown */
	struct bytes cwd;     /* of a tool; of the others if need_cwd; else, or unknown: .p NULL */

	struct bytes object;  /* resolved: absolute path, "1.2.3.4:443", "[::1]:80",
				 "unix:/run/x.sock", syscall name */
	struct bytes asked;   /* as the agent wrote it */
	struct bytes object2; /* rename, link: the other name; symlink: the link's text. .p NULL if
				 none */
	struct bytes interpreter; /* tool: resolved "#!" interpreter, .p NULL if none */
	bool exists; /* path: false when it was looked for and is missing; else true, also unlooked
		      */

	const struct bytes *argv; /* tool: the arguments that were read */
	size_t argc;              /* how many of them */
	size_t argc_total;        /* how many there are */
	size_t argv_bytes_total;  /* sum of lengths, NULs included, as far as counted */
	bool argv_truncated;      /* argv holds less than there is */

	/* Of a record that is replayed: the names that stood for the first step's address, of which
	 * the last are what the others are aliases of. Of a living action the engine knows them. */
	const struct bytes *domains;
	size_t n_domains, n_aliases;

	/* A unix socket is connected to, and somebody was met there: who. NULL: nobody knows. */
	const struct policy_listener *listener;
	bool has_met; /* whoever could be met was, or could not be */

	const struct action_look *look; /* a connection that was made before; NULL: none */

	bool moves_directory; /* rename: one of the two was a directory when it was looked at */

	struct action_step steps[ACTION_MAX_STEPS];
	size_t n_steps; /* 0: nothing for the policy to decide (e.g. AF_UNSPEC connect): continue
			   unrecorded */

	struct act act; /* how to perform it when it is allowed */

	enum action_error error;
	int kernel_errno; /* >0: the kernel would fail the call with this whatever is decided
			   * (ENOTDIR, ELOOP, EFAULT, EBADF, ...): the answer is this errno, no
			   * policy is asked */
};

/*
 * Shared by the decoders of one session: lets them keep what they know of a process until it may
 * have changed its image. Zero-initialised by the owner, which outlives the decoders.
 */
struct action_epoch {
	atomic_uint execs;           /* exec calls seen so far */
	atomic_uint creds;           /* changes of IDs, groups and capabilities seen so far */
	atomic_bool has_thread_exec; /* one came from a thread that does not lead its group: nothing
					is kept any more */
};

/*
 * Programs that asked not to be looked into (prctl(2), PR_SET_DUMPABLE), where that would keep them
 * from the supervisor as well: see hidden.c. Shared by the decoders of a session. Zero-initialised
 * by the owner, which outlives the decoders.
 */
#define ACTION_HIDDEN_MAX 64
struct action_hidden {
	atomic_uint n_taken; /* may be more than there is room for */
	struct action_hidden_program {
		atomic_bool is_set;
		dev_t dev;
		ino_t ino;
	} programs[ACTION_HIDDEN_MAX];
};

/*
 * What was mounted when the session began: rules mean these names, see home.c. Shared by the
 * decoders of a session, and never changed. Return: 0, -errno.
 */
struct action_home;
int action_home_new(struct action_home **ret) _must_check_;
struct action_home *action_home_free(struct action_home *home);

struct action_decoder;

struct action_decoder_config {
	struct action_epoch *epoch;     /* borrowed; NULL: look anew at each notification */
	const struct action_home *home; /* borrowed; NULL: objects have the agent's names */
	struct action_hidden *hidden;   /* borrowed; NULL: nobody's wish is remembered */
	bool need_full_argv;            /* policy_stack_needs_args() */
	bool need_cwd;                  /* policy_stack_needs_cwd() */
	bool is_network_open; /* nothing of the network can be refused: see decode_net.c */
	/* Network namespaces (SO_NETNS_COOKIE) whose sockets' questions to the DNS are led to the
	 * helper: the session's, and the helper's. 0: none. */
	uint64_t net_cookies[2];
	pid_t supervisor; /* its /proc/self must never be taken for the agent's */
	/* Besides it, who guards the session: action.hits_guard. 0: none. */
	pid_t guards[ACTION_MAX_GUARDS];
	int listener; /* borrowed: for SECCOMP_IOCTL_NOTIF_ID_VALID after each read */
	/* The thread does nothing else: its working directory is the decoder's to change, and
	 * capabilities may stay laid down from one call to the next (rights_leave_on()). */
	bool has_thread;
};

int action_decoder_new(const struct action_decoder_config *config,
		       struct action_decoder **ret) _must_check_;
struct action_decoder *action_decoder_free(struct action_decoder *d);

/*
 * Never fails as a call: what goes wrong is in ret->error. After a return with ACTION_OK the
 * notification id has been checked valid once after the last read of the target.
 */
void action_decode(struct action_decoder *d, const struct seccomp_notif *n, struct action *ret);

/*
 * Only who makes which call, not what it is about: nothing that is looked at can block. ret->error
 * is ACTION_OVERLOAD, or says why not even that is known.
 */
void action_decode_overload(struct action_decoder *d, const struct seccomp_notif *n,
			    struct action *ret);

/* A connection or a send that the kernel decided on by itself, as it tells of it. */
struct action_connection {
	enum action_op op; /* OP_CONNECT, OP_SEND, OP_BIND */
	enum policy_protocol protocol;
	struct bytes sockaddr; /* as the call had it: AF_INET, AF_INET6, AF_UNIX */
	pid_t tid, pid, ppid;  /* perhaps nobody's by now */
};

/*
 * Likewise, of a call that is over: the process may have ended, then of its own only the numbers
 * are known, and a unix socket's path is as it was asked for. There is nothing to perform.
 */
void action_from_connection(struct action_decoder *d, const struct action_connection *k,
			    struct action *ret);

/* What the kernel decided on by itself besides: a file, or a call that is refused unless granted.
 */
struct action_of_kernel {
	enum action_op op;    /* of KIND_PATH; or OP_SYSCALL */
	enum grant grant;     /* OP_SYSCALL */
	struct bytes object;  /* a path; .p NULL: it has none that the session can see */
	const char *syscall;  /* as it is recorded, static */
	pid_t tid, pid, ppid; /* perhaps nobody's by now */
};

/* As action_from_connection(). */
void action_from_kernel(struct action_decoder *d, const struct action_of_kernel *k,
			struct action *ret);

/* Closes the descriptors of the last action's act, which must not be used any more. */
void action_decoder_release(struct action_decoder *d);

/* A chroot, mount or setns was let through: from now on paths are resolved through each target's
 * own root. */
void action_decoder_set_foreign_roots(struct action_decoder *d);

/* The parent of @pid, from /proc. Return: 0, -errno (-ENOENT: there is no such process). */
int action_pid_parent(pid_t pid, pid_t *ret);
/* The process group of @pid. Return: as action_pid_parent(). */
int action_pid_group(pid_t pid, pid_t *ret);
/* The terminal that controls @pid; 0: none. Return: as action_pid_parent(). */
int action_pid_terminal(pid_t pid, dev_t *ret);
/* True when @pid is @ancestor or descends from it, by parent links in /proc. Orphans of a session
 * hang on its supervisor, which is their subreaper. Return: 1 yes, 0 no, -errno when it cannot be
 * told (treat as worst case). */
int action_pid_descends_from(pid_t pid, pid_t ancestor);
