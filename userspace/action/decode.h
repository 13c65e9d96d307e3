/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Inside of action/: what the decoders share. Nothing outside this module and its tests includes
 * it.
 *
 * Every decoder function returns
 *      0   done;
 *     >0   the errno with which the kernel would fail the call whatever is decided;
 *     <0   minus an enum action_error: the call cannot be decoded and is denied.
 *
 * The target is looked at through struct action_source only: its memory, and a directory laid out
 * like /proc/TID (status, exe, cwd, root, fd/). The fuzzer puts its own memory and directory there.
 */
#pragma once

#include <sys/stat.h>

#include "action/action.h"
#include "action/rights.h"
#include "base/arena.h"
#include "loader/trap.h"

#define TARGET_CACHE_SIZE 128
#define TARGET_EXE_KEPT   256
/* A process that is not looked at anew for so long could be another one with the same pid: far less
 * than it takes to go round the pids. */
#define TARGET_TRUST_NS (50 * NS_PER_MSEC)
#define TARGET_PAGE_SIZE                                                                           \
	((uint64_t)4096)    /* the smallest there is: larger ones only cost a read                 \
			     */
#define ACT_FDS_MAX      12 /* two pins of two, each perhaps looked for twice, a socket, and some */
#define DECODE_ARENA_MAX (ACTION_ARGV_MAX_BYTES * 8)

struct action_source {
	/* Reads at most @len bytes, which do not cross a page. Return: how many (more than 0),
	 * -errno. */
	ssize_t (*read_memory)(void *ctx, pid_t tid, uint64_t address, void *buf, size_t len);
	/* Return: an O_PATH descriptor of the task's /proc directory, -errno. */
	int (*open_proc)(void *ctx, pid_t tid);
	bool has_proc_paths; /* the directory is also /proc/TID, so it need not be opened */
	/* Thread group and parent of @tid, whose directory @dir is (or -1). Return: 0, -errno. */
	int (*read_identity)(void *ctx, int dir, pid_t tid, pid_t *ret_tgid, pid_t *ret_ppid);
	void *ctx; /* borrowed */
};

extern const struct action_source action_source_kernel;

/* As action_decoder_new(), but looks at targets through @source (copied). */
int action_decoder_new_source(const struct action_decoder_config *config,
			      const struct action_source *source,
			      struct action_decoder **ret) _must_check_;

/* Rights that were read, and when: see creds.c. */
#define TARGET_GROUPS_KEPT 32
struct kept_creds {
	bool is_known;
	unsigned execs, changes; /* the epoch's counts at that time */
	struct act_creds creds;
	gid_t groups[TARGET_GROUPS_KEPT];
};

/* What is kept of a task that made notifications. */
struct target {
	pid_t tid, tgid, ppid;
	/* Its /proc directory, -1 until it was looked at often enough: most processes of a build
	 * live too briefly to be worth a descriptor, whose closing costs more than some lookups by
	 * name. Nothing depends on which it is: while a notification stands, its tid is nobody
	 * else's. */
	int dir;
	unsigned n_looks;
	int pidfd;            /* -1 until it was needed; of a dead task it says so (ESRCH) */
	bool is_thread_pidfd; /* false: of its group, whose descriptors may be others */
	struct bytes exe;     /* in exe_text, or in the arena when it is longer */
	uint64_t checked_ns;  /* when exe was read; 0: it cannot be kept */
	unsigned execs;       /* the epoch's count at that time */
	struct kept_creds creds;
	char exe_text[TARGET_EXE_KEPT];
};

struct action_decoder {
	struct action_decoder_config config;
	struct action_source source;
	struct arena arena;
	/* The descriptors of the act that was given out last; see act_own(). */
	int pinned[ACT_FDS_MAX];
	size_t n_pinned;
	pid_t self;         /* /proc/self of this process must never be taken for the target's */
	int self_fds;       /* /proc/self/fd */
	char self_name[16]; /* "/PID" of this process */
	size_t self_name_len;
	bool has_own_cwd;  /* the working directory is this thread's alone */
	bool is_elsewhere; /* and is now one of the agent's */
	bool has_foreign_roots;
	bool has_capabilities;   /* this process: then its tasks' rights may differ */
	struct rights rights;    /* of this thread */
	struct kept_creds creds; /* of every task, until one changes its own */
	uint64_t clock;          /* of the cache */
	uint64_t used[TARGET_CACHE_SIZE];
	pid_t tids[TARGET_CACHE_SIZE]; /* 0: free */
	struct target targets[TARGET_CACHE_SIZE];
};

/* One notification being decoded. */
struct decode {
	struct action_decoder *d;
	const struct seccomp_notif *n;
	const struct trap_row *row;
	struct target *t;
	struct action *a;
	bool is_new_target; /* looked at in full for this notification */
	/* An open that only reads: what of our own rights it needs it says so (rights_settle()), so
	 * the agent's may stay on. */
	bool leaves_rights;
};

static inline int decode_fail(enum action_error e)
{
	return -(int)e;
}

static inline uint64_t decode_arg(const struct decode *c, int i)
{
	return c->n->data.args[i];
}

/* The kernel takes 32 bits of an int argument, whatever the upper half of the register holds. */
static inline int decode_arg_int(const struct decode *c, int i)
{
	return (int)(uint32_t)c->n->data.args[i];
}

/* target.c */
int target_get(struct decode *c);
/* Thread group and parent from the "status" file in @dir. Return: 0, -errno. */
int target_read_status(int dir, pid_t *ret_tgid, pid_t *ret_ppid);
/* creds.c: sets act.creds. */
int target_creds(struct decode *c);
/* A task is about to change its IDs, groups or capabilities. */
void target_note_creds(struct decode *c);
/* The target is about to execute: what is known of its image is good no longer. */
void target_note_exec(struct decode *c);
void target_drop(struct action_decoder *d, pid_t tid);
void target_drop_all(struct action_decoder *d);
/* A duplicate of the target's descriptor @fd. Return: a descriptor, -errno. */
int target_take_fd(struct decode *c, int fd);
/*
 * The same where relative paths start from: a third of the cost of opening /proc/TID/fd/N, which
 * makes an inode each time. Return: a descriptor; -EBADF: it has none of that number; another
 * -errno: it is to be had in /proc.
 */
int target_take_directory(struct decode *c, int fd);
/* Reads "PPid:" again: orphans get a new parent. Keeps the old one when it cannot be read. */
void target_refresh_parent(struct decode *c);
/* openat(2) below the target's /proc directory; makes room once when descriptors run out. Return:
 * a descriptor, -errno. */
int target_open(struct decode *c, const char *name, int flags);
/* A path of the target's, with RESOLVE_* of openat2(2) and with the target's rights. */
int target_open_at(struct decode *c, int dirfd, const char *path, int flags, uint64_t resolve);
/* The same for a directory by O_PATH, where the target's rights are taken on only if they matter.
 */
int target_walk_at(struct decode *c, int dirfd, const char *path, uint64_t resolve);
/* Text of a link in the target's /proc directory. 0, or as a decoder; ENOENT and EACCES come back
 * as errno. */
int target_readlink(struct decode *c, const char *name, struct bytes *ret);
/* Exactly @len bytes. 0, EFAULT, -ACTION_UNREADABLE. */
int target_read(struct decode *c, uint64_t address, void *buf, size_t len);
/* At least one byte and at most @len; for arrays whose end is not known. */
int target_read_some(struct decode *c, uint64_t address, void *buf, size_t len, size_t *ret_len);
/* A string of at most @max bytes, NUL included; @over is returned when there is no NUL in them. */
int target_read_string(struct decode *c, uint64_t address, size_t max, int over, struct bytes *ret);

/* resolve.c */
#define LOOK_FOLLOW     0x1u /* the last component too */
#define LOOK_EMPTY_PATH 0x2u /* "" means the dirfd itself */
#define LOOK_WANT_FD    0x4u /* keep an O_PATH descriptor of what was found */
#define LOOK_NAME_ONLY  0x8u /* whether it exists does not matter to the caller */
/*
 * For a call that will be performed: resolved.pin says where the thing is, by descriptors that live
 * as long as the action. The parent and the name in it always, where there are any; the object with
 * LOOK_WANT_FD (instead of resolved.fd), and wherever there is no name: "/", "..", a magic link, a
 * descriptor.
 */
#define LOOK_PIN 0x10u
#define LOOK_ENTRY                                                                                 \
	0x20u /* a name is meant (unlink, mkdir, rename): a slash after it follows no link */

struct look {
	unsigned flags;
	uint64_t resolve; /* RESOLVE_* of openat2(2) */
};

struct resolved {
	struct bytes path; /* absolute, or "pipe:[1]" and the like */
	bool exists;
	bool is_own_pathless; /* a pipe or socket that the target itself holds, by /proc/self/fd */
	int fd;               /* LOOK_WANT_FD, else -1; the caller closes */
	struct act_pin pin;   /* LOOK_PIN */
};

#define RESOLVED_INIT ((struct resolved){.fd = -1, .pin = ACT_PIN_INIT})

static inline void resolved_fini(struct resolved *r)
{
	r->fd = fd_close(r->fd);
}

/* @path is NUL-terminated. */
int resolve_path(struct decode *c, int dirfd, struct bytes path, struct look look,
		 struct resolved *ret);
/* walk.c: the same object on the same mount, of which a mount namespace has its own. */
bool resolve_is_same_place(int a, int b);
/* The object behind a descriptor of the target. */
int resolve_fd(struct decode *c, int fd, struct look look, struct resolved *ret);
/* The name of a descriptor of ours. -ACTION_TOO_LONG: it has more than ACTION_PATH_MAX bytes and
 * could not be found otherwise. */
int resolve_text(struct decode *c, int fd, struct bytes *ret);
/* The same of what probably is a directory, for less. */
int resolve_directory_text(struct decode *c, int fd, struct bytes *ret);
/* The same as the kernel says it, or not: -ACTION_TOO_LONG. */
int resolve_link(struct decode *c, int fd, struct bytes *ret);
/* deep.c: the name of a directory for which the kernel has none because it is too long. */
int deep_name(struct decode *c, int fd, struct bytes *ret);
/* The target's working directory, however deep. As target_readlink(). */
int deep_read_cwd(struct decode *c, struct bytes *ret);
/* home.c: where foreign roots are about, *@text becomes the name that the object behind @fd had
 * when the session began. 0, or as a decoder: one that had a name must not be judged by another. */
int home_name(struct decode *c, int fd, struct bytes *text);
/* "/a/./b//../c" below "/base": "/base/a/c". Nothing on disk is looked at. */
int resolve_lexical(struct decode *c, struct bytes base, struct bytes path, struct bytes *ret);
/* True for text that the kernel gives to what has no name in the tree: "pipe:[1]". */
static inline bool resolve_is_pathless(struct bytes text)
{
	return text.len == 0 || text.p[0] != '/';
}

/* pin.c: resolve_path() with LOOK_PIN where the kernel's own walk serves. @base (perhaps taken, -1
 * for none) is where relative paths start. Return: RESOLVE_UNDECIDED when walk.c must look. */
int pin_path(struct decode *c, int *base, struct bytes path, struct look look,
	     struct resolved *ret);
/* What was found, or found missing, as @name in @parent. Both descriptors are taken; @object may be
 * -1. Sets path and pin. */
int pin_entry(struct decode *c, int *parent, struct bytes name, int *object, bool wants_directory,
	      struct resolved *ret);
/* The same for what has no name. */
int pin_object(struct decode *c, int *object, struct resolved *ret);
/* Takes the slashes off the end of @path, which must have another character. Return: whether there
 * were any. */
bool pin_trim(struct bytes *path);

#define RESOLVE_UNDECIDED (-1000) /* neither 0, an errno nor an action_error */
/* Whether /proc/self of ours shows in @text, wherever procfs is mounted. */
bool resolve_names_us(const struct decode *c, struct bytes text);
/*
 * Whether a name in @text (absolute; only the first one, if so wanted) is the number of a task of
 * the processes that guard the session. To be asked of places in a procfs.
 */
bool resolve_names_guard(const struct decode *c, struct bytes text, bool only_first);

/* procfs.c: the text of "self", or "thread-self", as the target has it in the procfs of which @root
 * is the root directory. ENOENT where the target is not to be seen. */
int procfs_self(struct decode *c, int root, bool is_thread, struct bytes *ret);
/* Whether @dir, in a procfs and called @text, has descriptors or mapped files of a process outside
 * of the session. */
bool procfs_is_outside(struct decode *c, int dir, struct bytes text);
/* Whether @found is memory or the environment of one. */
bool procfs_is_memory_outside(struct decode *c, const struct resolved *found);

/*
 * hidden.c: programs that asked, with PR_SET_DUMPABLE, not to be looked into by others.
 * hidden_add() notes the target's. Return: 0; -errno: it cannot be remembered.
 */
int hidden_add(struct decode *c);
/* Whether process or thread @pid runs such a program, and is none of the target's own. */
bool hidden_is(struct decode *c, pid_t pid);
/* Whether @path, in /proc, is a file of such a process that the kernel would keep to itself. */
bool hidden_has(struct decode *c, struct bytes path);
/* Whether @dir, in /proc, is a directory of such a process: its links that lead to objects. */
bool hidden_owns(struct decode *c, struct bytes dir);

/* walk.c: the same, component by component, as the target would see /proc/self. @base is a
 * descriptor, or -1 for the root. */
int walk_path(struct decode *c, int base, struct bytes path, struct look look,
	      struct resolved *ret);

/* decode_*.c: one function for each shape. */
int decode_exec(struct decode *c);
int decode_open(struct decode *c);
int decode_openat2(struct decode *c);
int decode_path(struct decode *c);
int decode_fd(struct decode *c);
int decode_two_path(struct decode *c);
int decode_symlink(struct decode *c);
int decode_sockaddr(struct decode *c);
int decode_msghdr(struct decode *c);
int decode_mmsghdr(struct decode *c);
int decode_listen(struct decode *c);
int decode_accept(struct decode *c);
int decode_socket(struct decode *c);
int decode_pid(struct decode *c);
int decode_none(struct decode *c);
int decode_restrict(struct decode *c);
int decode_prctl(struct decode *c);
int decode_clone(struct decode *c);
int decode_ioctl(struct decode *c);
int decode_sockopt(struct decode *c);
int decode_kill(struct decode *c);
int decode_fcntl(struct decode *c);
int decode_priority(struct decode *c);
int decode_creds(struct decode *c);
int decode_foreign(struct decode *c);

/* action.c: steps. A step past the limit is -ACTION_TOO_LONG. */
int step_add(struct decode *c, enum action_kind kind, enum action_op op, struct bytes object,
	     struct bytes args, struct action_step **ret);
int step_add_path(struct decode *c, enum action_op op, struct bytes path);
/* printf into the arena. */
int decode_format(struct decode *c, struct bytes *ret, const char *fmt, ...) _printf_(3, 4);
int decode_copy(struct decode *c, const void *p, size_t len, struct bytes *ret);

/* Makes @fd (which may be -1) one that lives as long as the action: for what struct act has.
 * Return: @fd. */
int act_own(struct decode *c, int fd);

/* script.c: what the image at @r will make the kernel run besides itself. Adds steps. */
int script_add_steps(struct decode *c, const struct resolved *r, struct bytes asked);
/* The arguments from @from on, joined by blanks, after @head. */
int script_join_args(struct decode *c, struct bytes head, size_t from, struct bytes *ret);
int script_add_tool_step(struct decode *c, const struct resolved *r, struct bytes asked,
			 struct bytes args);

/* sockaddr.c */
struct endpoint {
	enum action_op op;
	struct bytes sockaddr; /* our copy */
	bool is_fastopen;      /* MSG_FASTOPEN: this send is a connect as well */
	bool has_protocol;     /* the kernel has said it; else the act's socket is asked */
	enum policy_protocol protocol;
	bool is_pinned;   /* returned: it is a path, and the act's pin the object there */
	bool is_question; /* returned: nothing goes there, and it is not decided on: the helper
			     answers, and each name is decided on by itself */
};

/* Adds the steps of one destination of the act's socket; none when there is nothing to decide. */
int endpoint_add(struct decode *c, struct endpoint *e);
/* Whether what goes to @sockaddr from the act's socket is led to the helper. */
bool endpoint_is_question(const struct decode *c, enum action_op op, struct bytes sockaddr);
/* Takes a duplicate of the target's socket @fd for the act, by which the call is judged and then
 * made. 0, EBADF, ENOTSOCK, or as a decoder. */
int endpoint_take_socket(struct decode *c, int fd);
