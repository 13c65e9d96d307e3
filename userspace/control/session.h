/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The supervisor process of one session: arms the kernel, starts the command, runs the receivers,
 * and carries the main loop (answers, deadlines, children, the launcher) until the last process of
 * the tree has gone.
 */
#pragma once

#include "audit/audit.h"
#include "control/launch.h"
#include "control/plan.h"
#include "control/policyset.h"
#include "engine/engine.h"
#include "names/helper.h"

#define SESSION_MAX_SINKS 8

struct session_config {
	const char *session; /* id */
	const char *agent;   /* --name, else the command's base name */
	const struct policyset *policies;
	enum ask_mode ask;
	uint64_t ask_timeout_ns;
	bool is_quiet;        /* no notice when an action is held */
	const char *log_path; /* absolute */
	const char
		*log_keys; /* absolute: the list of keys that sign; NULL: the log is not signed */
	struct audit_storage log_storage;
	const char *runtime_dir; /* absolute */
	char *command;           /* resolved */
	char **argv;
	char **envp;
	const int *keep_fds;
	size_t n_keep_fds;
	const int *sinks; /* sockets to the processes of the log's sinks (audit/sink.h) */
	const char *const *sink_names;    /* as the user wrote them */
	size_t n_sinks;                   /* at most SESSION_MAX_SINKS */
	int asker;                        /* the socket to the asker (control/asker.h); -1: none */
	const char *asker_name;           /* for records: "command:NAME"; NULL: there is none */
	const struct names_helper *names; /* NULL: names are not learned */
	pid_t launcher;
	struct layer_wishes wishes;         /* of --layers */
	const char *const *protected_paths; /* absolute, resolved; files or trees */
	size_t n_protected;
	const char *const *secret_paths; /* likewise: files that must not be read */
	size_t n_secrets;
};

#define SESSION_NO_PROC                                                                            \
	"/proc is not mounted, and without it no path can be resolved: mount it (mount -t proc "   \
	"proc /proc) and try again"
#define SESSION_NO_NOTIFICATION                                                                    \
	"this kernel has no usable seccomp user notification (Linux 5.19 or newer has; some "      \
	"containers and emulators refuse it); nothing was run"

/* The body of the supervisor process (see launch_run()). Return: its exit status. */
int session_run(void *config, int sock, const sigset_t *original_mask);
