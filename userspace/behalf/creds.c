/* SPDX-License-Identifier: Apache-2.0 */
/* What a call inherits from the process that makes it, besides rights. */
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <sys/stat.h>

#include "behalf/behalf_private.h"
#include "behalf/proc.h"

int behalf_own_fs(struct behalf *b)
{
	if (b->has_own_fs)
		return 0;
	if (unshare(CLONE_FS) < 0)
		return -errno;
	b->umask = umask(0);
	(void)umask(b->umask);
	b->has_own_fs = true;
	return 0;
}

/* The octal number of the "Umask:" line (Linux 4.7). */
static int parse_umask(const char *text, mode_t *ret)
{
	const char *line = strstr(text, "\nUmask:");
	mode_t mask = 0;

	if (!line)
		return -EIO;
	line += strlen("\nUmask:");
	line += strspn(line, " \t");
	if (*line < '0' || *line > '7')
		return -EIO;
	for (; *line >= '0' && *line <= '7'; line++)
		mask = (mask << 3 | (mode_t)(*line - '0')) & 0777;
	*ret = mask;
	return 0;
}

int behalf_take_umask(struct behalf *b, pid_t tid)
{
	char text[512];
	mode_t mask;
	int r;

	r = behalf_own_fs(b);
	if (r < 0 || b->is_hand) /* who lends us has taken it, and handed it on */
		return r;
	r = proc_read_file(b->config.proc, tid, "status", text, sizeof(text));
	if (r == 0)
		r = parse_umask(text, &mask);
	if (r == 0 && mask != b->umask) {
		(void)umask(mask);
		b->umask = mask;
	}
	return r;
}
