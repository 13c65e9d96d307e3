/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What this kernel offers, found by trying, never by version (style rule 35).
 */
#pragma once

#include "base/util.h"

struct features {
	bool user_notif;        /* SECCOMP_RET_USER_NOTIF is available */
	bool notif_sizes_match; /* the kernel's structures are no larger than ours */
	bool wait_killable;     /* set after the filter is loaded */
	bool sync_wake_up;      /* set after the listener's flags are set */
	bool listener_taken;    /* another supervisor watches us: the kernel allows one */
	bool has_proc;          /* /proc is mounted and is procfs */
	char kernel[65];        /* uname -r */
};

/* Whether /proc is mounted and is procfs. */
bool features_has_proc(void);
/* Return: 0, -errno. Individual features are false rather than an error. */
int features_probe(struct features *ret);
/* Whether @listener takes a descriptor together with the answer (Linux 5.14), as every open that is
 * allowed is answered. */
bool features_can_inject(int listener);
/* Asks for SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP (Linux 6.6). Return: whether the kernel took it. */
bool features_set_sync_wake_up(int listener, bool on);
