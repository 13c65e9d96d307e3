/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What Holdfast says to people: one line on standard error, "holdfast: " in front, untrusted bytes
 * escaped, written with a single write(2) so that lines of several processes do not mix. Only cli/
 * and the session's own processes call this; library layers return errors.
 */
#pragma once

#include "base/util.h"

void say(const char *fmt, ...) _printf_(1, 2);
/* As say(), to @fd. */
void say_fd(int fd, const char *fmt, ...) _printf_(2, 3);
