/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a record back to the action that it is about: the inverse of what supervise/ writes. Private
 * to the replay.
 */
#pragma once

#include "action/action.h"
#include "audit/line.h"

/*
 * Fills in @ret; its strings borrow from @l and @mem. Return: 0; -ENOENT: a word that this version
 * does not know; -EBADMSG: not as Holdfast writes it; -ENOMEM.
 */
int replay_action(const struct line *l, struct arena *mem, struct action *ret,
		  bool *ret_has_lost_steps) _must_check_;
