/* SPDX-License-Identifier: Apache-2.0 */
/* Names of terminals, for the record of who answered. */
#pragma once

#include "base/util.h"

#define TTY_NAME_MAX 32

/*
 * The path of the terminal with device number @dev in the form of TIOCGDEV and of the tty_nr field
 * of /proc/PID/stat:
 * "/dev/pts/3", "/dev/tty1", "/dev/ttyS0"; "" when it is none, or of another kind.
 */
void tty_name(unsigned dev, char out[static TTY_NAME_MAX]);
