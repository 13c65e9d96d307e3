/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The subcommands of `holdfast policy`. Each takes argv with its own name as argv[0] and returns
 * the exit status, as commands.h says.
 */
#pragma once

int policy_diff(int argc, char **argv);
int policy_check(int argc, char **argv);
int policy_list(int argc, char **argv);
int policy_eval(int argc, char **argv);
int policy_explain(int argc, char **argv);
int policy_show_command(int argc, char **argv);
int policy_test(int argc, char **argv);
