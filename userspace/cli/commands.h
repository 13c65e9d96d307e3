/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The commands of the holdfast program. Each takes argv with its own name as argv[0], prints its
 * data on standard output and what goes wrong on standard error, and returns the exit status: 0 ok,
 * 1 it did not work, 2 it was called wrongly; `run` as docs/holdfast.1 says.
 */
#pragma once

struct command {
	const char *name;
	int (*main)(int argc, char **argv);
	const char *args; /* for the list of commands */
	const char *help; /* NULL: not for people, and not listed */
};

int cmd_run(int argc, char **argv);
int cmd_log(int argc, char **argv);
int cmd_diff(int argc, char **argv);
int cmd_replay(int argc, char **argv);
int cmd_report(int argc, char **argv);
int cmd_tree(int argc, char **argv);
int cmd_learn(int argc, char **argv);
int cmd_why(int argc, char **argv);
int cmd_held(int argc, char **argv);
int cmd_watch(int argc, char **argv);
int cmd_approve(int argc, char **argv);
int cmd_deny(int argc, char **argv);
int cmd_broker(int argc, char **argv);
int cmd_page(int argc, char **argv);
int cmd_grants(int argc, char **argv);
int cmd_grant(int argc, char **argv);
int cmd_revoke(int argc, char **argv);
int cmd_spend(int argc, char **argv);
int cmd_verify(int argc, char **argv);
int cmd_policy(int argc, char **argv);
int cmd_metrics(int argc, char **argv);
int cmd_sink(int argc, char **argv);
int cmd_asker(int argc, char **argv);
int cmd_syscalls(int argc, char **argv);
int cmd_doctor(int argc, char **argv);
