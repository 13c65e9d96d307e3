/* SPDX-License-Identifier: Apache-2.0 */
/* Grants that hold always, as rules of the user's policy. */
#pragma once

#include "approve/grantlist.h"

/*
 * Shows what FILE @path would become, asks unless @is_sure, and replaces it. Each rule goes before
 * the one that asked, so that nothing that comes before that is decided otherwise. Return: the exit
 * status of the command.
 */
int grants_write_policy(const struct grantlist *l, const char *path, bool is_sure);
