/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>

#include "loader/bpf/loader.h"

#define INIT_PID_NAMESPACE 0xeffffffcU /* PROC_PID_INIT_INO, include/linux/proc_ns.h */
#define SEALS              (F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)

bool loader_sees_all_processes(void)
{
	struct stat st;

	return stat("/proc/self/ns/pid", &st) == 0 && st.st_ino == INIT_PID_NAMESPACE;
}

int loader_read_tables(int fd, size_t size, void *ret)
{
	const int seals = fcntl(fd, F_GET_SEALS);
	struct stat st;
	size_t done = 0;

	if (seals < 0 || (seals & SEALS) != SEALS || fstat(fd, &st) < 0 ||
	    (size_t)st.st_size != size)
		return -EPROTO;
	while (done < size) {
		ssize_t n = pread(fd, (char *)ret + done, size - done, (off_t)done);

		if (n <= 0)
			return n < 0 ? -errno : -EPROTO;
		done += (size_t)n;
	}
	return 0;
}

int loader_explain(char ret[static LAYERS_REASON_MAX], const char *words, int r)
{
	(void)snprintf(ret, LAYERS_REASON_MAX, "%s", words);
	return r;
}

int loader_explain_error(char ret[static LAYERS_REASON_MAX], const char *words, int r)
{
	(void)snprintf(ret, LAYERS_REASON_MAX, "%s: %s", words, strerror(-r));
	return r;
}
