/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>

#include "base/io.h"

#include "loader/dumps.h"

#define PATTERN_FILE "/proc/sys/kernel/core_pattern"
#define PATTERN_MAX  4096

bool dumps_are_files(void)
{
	_cleanup_(strbuf_fini) struct strbuf pattern = STRBUF_INIT(PATTERN_MAX);

	if (io_read_file_at(AT_FDCWD, PATTERN_FILE, &pattern) < 0 || pattern.len == 0)
		return true;
	/* "|program", and "@socket" from Linux 6.16 on (fs/coredump.c). */
	return pattern.p[0] != '|' && pattern.p[0] != '@';
}
