/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where logs are: the default place is dirs_state(), one SESSION.jsonl for each session.
 */
#pragma once

#include "base/diag.h"

#define PLACE_SUFFIX ".jsonl"

/*
 * The log file for @option (--log FILE|DIR; NULL: the default place): in a directory, or under a
 * name that ends in '/', the file is SESSION.jsonl. Makes missing directories (0700), so that the
 * result is absolute and its directory resolved. Return: 0 and a heap string; -errno with
 * @reterr_diag.
 */
int audit_place(const char *option, const char *session, char **ret_path, struct diag *reterr_diag);

/*
 * The log that a person means by @what: a file's name, a session of the default place or a unique
 * beginning of one; NULL: the newest session there. Return: 0 and a heap string; -ENOENT and other
 * -errno with @reterr_diag, which names what there is.
 */
int audit_find(const char *what, char **ret_path, struct diag *reterr_diag);
