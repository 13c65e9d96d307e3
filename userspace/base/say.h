/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What Holdfast says to people: one line on standard error, "holdfast: " in front, untrusted bytes
 * escaped, written with a single write(2) so that lines of several processes do not mix. Only cli/
 * and the session's own processes call this; library layers return errors.
 */
#pragma once

#include "base/diag.h"

void say(const char *fmt, ...) _printf_(1, 2);
/* As say(), to @fd. */
void say_fd(int fd, const char *fmt, ...) _printf_(2, 3);
/* "PREFIXfile:line:column: message". diag_format() has escaped it, and once is enough. */
void say_diag(const char *prefix, const struct diag *d);
