/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Execs that were allowed. Nobody can execute for another process, so the kernel goes on with the
 * call and reads path and arguments again; what then really runs is compared with what was judged
 * before the new image's first instruction, and if it differs the process is killed.
 *
 * The receiver that answers does it itself: it seizes the waiting thread (ptrace(2), per thread in
 * the kernel), answers, sleeps until the thread stops, compares, detaches. A thread of its own for
 * that would be two more wake-ups for each exec, which cost more than the receiver that is missing
 * meanwhile: others take its place (receivers.h).
 *
 * An interrupt is pending from before the answer. So the thread stops in any case, and soon: at the
 * exec, or where a call that failed returns, before it has run an instruction or taken a signal.
 * No system call of the program's own is ever interrupted. The stop is invisible to it, as are
 * signals, job control and timers: the thread is let go at its first stop, whatever that is.
 *
 * A thread that another one traces already (a debugger inside the session) cannot be seized. What
 * it came to is looked at when its process makes its next call (execs_check()): the debugger could
 * change the image after its first instruction as well as before.
 */
#pragma once

#include "action/action.h"

struct execs;

struct execs_config {
	int listener;  /* borrowed */
	pid_t command; /* the agent's first process, whose stops the main thread waits for */
	bool is_audit; /* nothing is refused or killed */
};

/* What ran instead. The text is in buffers of its own. */
#define EXEC_RAN_ARGV  64
#define EXEC_RAN_BYTES ((size_t)4096)

struct exec_ran {
	struct bytes exe; /* as /proc has it; .p NULL: cannot be read */
	struct bytes argv[EXEC_RAN_ARGV];
	size_t argc, argc_total; /* the total as far as it was read */
	bool is_cut;
	char exe_text[EXEC_RAN_BYTES];
	char cmdline[EXEC_RAN_BYTES];
};

enum execs_end {
	EXECS_FINE,      /* what was judged runs; or nothing does: the call failed by itself, or the
			    process died */
	EXECS_CHANGED,   /* something else would have run. It was killed, unless only audited */
	EXECS_UNCHECKED, /* it cannot be watched; the call is not answered yet, and must fail */
};

int execs_new(const struct execs_config *config, struct execs **ret) _must_check_;
/* No receiver may be in execs_continue(). NULL-safe. */
struct execs *execs_free(struct execs *e);

/*
 * Answers the notification @id of @a, an ACT_EXEC, with *continue*, and returns when it is known
 * what ran; as long as an exec takes. @ret is set when something else ran.
 */
enum execs_end execs_continue(struct execs *e, const struct action *a, uint64_t id,
			      struct exec_ran *ret);

/*
 * To be asked at each call, before it is answered: whether the caller @a runs an image that was
 * neither judged nor seen. Then it was killed, unless only audited, and @ret is set.
 */
bool execs_check(struct execs *e, const struct action *a, struct exec_ran *ret);

/*
 * Waits without blocking for a stop of the command (job control), which wait(2) would mix up with
 * the stops above. For the main thread. Return: the signal; 0: none; -EAGAIN: ask again soon.
 */
int execs_command_stop(struct execs *e);
