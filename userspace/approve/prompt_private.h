/* SPDX-License-Identifier: Apache-2.0 */
/* Between prompt.c (the terminal) and prompt_text.c (what it says, and whose it is). */
#pragma once

#include "approve/prompt.h"

#define PROMPT_TEXT_MAX ((size_t)16384)

/* The whole question about @h, each line clean ASCII, bounded. */
void prompt_write_text(const struct held *h, uint64_t now_ns, struct strbuf *out);
/* True when some process of group @group is in the tree under @supervisor. */
bool prompt_group_is_in_session(pid_t group, pid_t supervisor);
