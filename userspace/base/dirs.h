/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where files live, after the XDG Base Directory Specification 0.8; root uses the system's places.
 * The home directory comes from $HOME only if absolute, else from the user database. All strings
 * are heap copies for the caller to free; NULL when out of memory or when there is no home.
 */
#pragma once

#include "base/util.h"

char *dirs_home(void);
/* Logs: root /var/log/holdfast, others $XDG_STATE_HOME/holdfast. Not created. */
char *dirs_state(void);
/* What can be made anew: root /var/cache/holdfast, others $XDG_CACHE_HOME/holdfast. Not created. */
char *dirs_cache(void);
/* Control sockets: root /run/holdfast, others $XDG_RUNTIME_DIR/holdfast, else dirs_state()/run. Not
 * created. */
char *dirs_runtime(void);
/*
 * Sockets for people whom a policy names as approvers: root /run/holdfast-approvers, others
 * /tmp/holdfast-approvers-UID, since all that is a user's own is closed to others. Not created.
 */
#define DIRS_APPROVERS_ROOT "/run/holdfast-approvers"
#define DIRS_APPROVERS_TOP  "/tmp"
#define DIRS_APPROVERS_NAME "holdfast-approvers-"
char *dirs_approvers(void);
/* What the user set up: root /etc/holdfast, others $XDG_CONFIG_HOME/holdfast. Not created. */
char *dirs_config(void);
/*
 * A program that comes with ours, @name: beside it (a build tree), else where `make install` puts
 * it, below ../libexec/holdfast. No variable and no PATH may name it. NULL: there is none.
 */
char *dirs_program(const char *name);
/* The user's policies: root /etc/holdfast/policies, others $XDG_CONFIG_HOME/holdfast/policies. */
char *dirs_user_policies(void);
/* A formatted heap string; NULL when out of memory. */
char *str_format(const char *fmt, ...) _printf_(1, 2);
