/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Between a session and its asker (`holdfast asker`), the process that puts held actions to a
 * program or to a terminal of the user's own (--ask command:PROGRAM, --ask tmux). It is started
 * before the session, outside of its process tree and of its filter, and is connected to the
 * supervisor by a pair of SOCK_SEQPACKET sockets that nobody else has: what comes over it is
 * recorded as the asker's. One packet each:
 *
 *   to the asker     "ask ID LEFT_MS\n{...}"  the object of `holdfast held --json`
 *                    "end ID"                 it was answered otherwise, or has ended
 *   to the session   a request of protocol.h that approves or denies
 *
 * The session asks at most ASKER_AT_ONCE at a time, so packets cannot pile up. When the asker has
 * gone, what it would have been asked is denied.
 */
#pragma once

#include "control/protocol.h"

#define ASKER_AT_ONCE      8
#define ASKER_QUESTION_MAX ((size_t)32 * 1024)
#define ASKER_HEAD_MAX     64 /* of the line before the object */
#define ASKER_APPROVER_MAX 80
