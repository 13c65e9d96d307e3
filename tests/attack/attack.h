/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Attacks on a session. A group is a program with a table of rows; a row is one attack and the fact
 * that it must not change. Each row runs
 *
 *	natively	where that is harmless, to show that the attack works: a row whose attack
 *			has no effect without Holdfast proves nothing, and is reported as skipped
 *	supervised	once for each policy of the row, by `holdfast run --ask deny`
 *
 * and each run has a world of its own: a directory with a workspace, a home, a secret and files
 * outside of the workspace, a process, and sockets that listen. The world is looked at after the
 * run: what counts is that nothing has changed, arrived, run or leaked, and only then the errno.
 * Then the log: it is valid, it tells of the attack as often as the row says, and it ends as a log
 * does whose supervisor lived.
 *
 * The side that attacks is the same program, started with --agent. It stands for an agent, so it
 * knows of the world only what is in struct world.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/util.h"

/* Policies, as bits of attack_row.policies. */
enum attack_policy {
	POLICY_SHIP,       /* coding-agent, the default of `holdfast run` */
	POLICY_READ_ONLY,  /* read-only */
	POLICY_NO_NETWORK, /* no-network */
	POLICY_PW,         /* the workspace and a short list of programs; all else is denied */
	POLICY_PN, /* as PW, and 127.0.0.1:ATTACK_PORT_ALLOWED and a socket in the workspace */
	POLICY_PM, /* as PW, with namespaces and mounts granted */
	POLICY_PV, /* as PW, and the network but for some IPv4 addresses */
	POLICY_PA, /* all but one file: what stays shut is shut by no policy */
	_POLICY_MAX,
};
#define SHIP       (1u << POLICY_SHIP)
#define READ_ONLY  (1u << POLICY_READ_ONLY)
#define NO_NETWORK (1u << POLICY_NO_NETWORK)
#define PW         (1u << POLICY_PW)
#define PN         (1u << POLICY_PN)
#define PM         (1u << POLICY_PM)
#define PV         (1u << POLICY_PV)
#define PA         (1u << POLICY_PA)

/* What an attack that gets through does to the world; found out from outside of the session. */
enum attack_effect {
	EFFECT_TOLD,    /* nothing to see: the attack itself says that it worked */
	EFFECT_CHANGED, /* something in secret/, out/, home/ or .git/hooks is not as it was */
	EFFECT_LEAKED,  /* the secret is in the attack's output */
	EFFECT_RAN,     /* the forbidden program ran: its mark is in the output */
	EFFECT_REACHED, /* a listening socket got a connection or a datagram */
	EFFECT_DECOY,   /* the process outside died, stopped, is traced or limited, or its memory
			   changed */
	EFFECT_HOST,    /* the row's own look at the world (attack_row.look) says so */
	_EFFECT_MAX,
};

struct world {
	const char *top; /* absolute, without symbolic links */
	pid_t victim;    /* supervised: the supervisor; natively: a process that stands for it */
	pid_t launcher;  /* supervised: `holdfast run`; natively: likewise */
	pid_t decoy;     /* a process of the same user outside of the session */
	uint64_t *page;  /* where the decoy has WORLD_PAGE_VALUE, and behind it the secret */
	bool is_native;
};

#define WORLD_PAGE_VALUE UINT64_C(0x6465636f79)
/* Return value of an attack: it cannot be tried here; it has said why with attack_cannot(). */
#define ATTACK_CANNOT (-200)

/* attack_row.denies: how many records must tell of it. 0: exactly one. */
#define DENIES_ANY  (-1) /* none or more: nothing is trapped, the kernel itself refuses */
#define DENIES_SOME (-2) /* one or more: only where chance says how many (a race) */

/* attack_row.flags */
#define ROW_ROOT        (1u << 0) /* only root can try */
#define ROW_USER        (1u << 1) /* only an ordinary user: for root another rule holds */
#define ROW_ALLOWED     (1u << 2) /* the counter-check: this one must get through */
#define ROW_MAY_DIE     (1u << 3) /* being killed is as good as being refused */
#define ROW_RUN_NO_MORE (1u << 4) /* the attack has no result: it ends with the session */

struct matrix;

struct attack_row {
	const char *name;   /* the fact */
	const char *covers; /* ids of tests/attack/catalogue, with blanks between */
	/* In the agent. Return: 0 it worked; -errno; ATTACK_CANNOT. */
	int (*attack)(const struct world *w);
	unsigned int policies;
	unsigned int flags;
	enum attack_effect effect;
	const char *object;     /* in a record's object, object2, asked or syscall; NULL: any */
	const char *op;         /* of the records that count; NULL: any */
	int denies;             /* or DENIES_* */
	int error;              /* one more errno, besides EACCES, EPERM and ENOSYS, that refuses */
	int only;               /* not 0: the one errno that it must be */
	const char *not_native; /* why the attack is not tried without Holdfast; NULL: it is */
	const struct matrix *matrix; /* many attacks in one session (matrix.h); NULL: one */
	/* In the host, before and after: what only this row needs. */
	int (*prepare)(const struct world *w);
	bool (*look)(const struct world *w); /* EFFECT_HOST is there */
};

struct attack_group {
	const char *name;
	const struct attack_row *rows;
	size_t n_rows;
	/* In a network namespace of its own, with the addresses of attack_net.h on its loopback. */
	bool has_network;
	/* For root: in a mount namespace of its own, to which nothing comes from outside. */
	bool has_mounts;
};

/* What a group's program has to define. */
extern const struct attack_group attack_group;

/* ---- for attacks */

/* @fmt below the world's top. Borrowed, until the 16th call after this one. */
const char *in(const struct world *w, const char *fmt, ...)_printf_(2, 3);
/* Says why the attack cannot be tried. Return: ATTACK_CANNOT. */
int attack_cannot(const char *fmt, ...) _printf_(1, 2);
/* Return: 0 if @r is not negative, else -errno. */
int outcome(long r);
/* Prints what @fd holds to the attack's output, and closes it. Return: 0, -errno (also that of a
 * negative @fd, from errno). */
int print_fd(int fd);
/* Writes a line to @fd and closes it. Return: as print_fd(). */
int scribble_fd(int fd);
/* Runs @f in a child. Return: what it returned. */
int in_child(int (*f)(const struct world *w), const struct world *w);
/* Executes @argv in a child. Return: 0 it ran and ended with 0; -errno of the exec; -ECANCELED. */
int run_program(const char *const argv[]);
/* A second thread that calls @flip(@arg) without a pause until @is_over is set. */
struct flipper {
	void (*flip)(void *arg);
	void *arg;
	bool is_over;
	unsigned long thread;
	pid_t process;
};
int flipper_start_thread(struct flipper *f);
int flipper_start_process(struct flipper *f); /* @arg must be in shared memory */
void flipper_stop(struct flipper *f);
/* ATTACK_ROUNDS from the environment, else a number that takes well below a second. */
unsigned int race_rounds(void);
