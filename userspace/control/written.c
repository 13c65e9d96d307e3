/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/resource.h>

#include "base/io.h"

#include "control/tree.h"
#include "control/written.h"

#define IO_MAX_BYTES 1024
#define RUSAGE_BLOCK                                                                               \
	UINT64_C(512) /* the unit of ru_oublock: write_bytes, whatever the file system */

struct written {
	uint64_t base;  /* what was reaped before the session */
	uint64_t lost;  /* by processes that nobody reaped */
	uint64_t total; /* as last told */
};

struct sample {
	uint64_t sum;
	bool is_steady; /* every process could be read */
};

static uint64_t reaped(void)
{
	struct rusage usage;

	if (getrusage(RUSAGE_CHILDREN, &usage) < 0 || usage.ru_oublock < 0)
		return 0;
	return (uint64_t)usage.ru_oublock * RUSAGE_BLOCK;
}

int written_new(struct written **ret)
{
	struct written *w = calloc(1, sizeof(*w));

	if (!w)
		return -ENOMEM;
	w->base = reaped();
	*ret = w;
	return 0;
}

struct written *written_free(struct written *w)
{
	free(w);
	return NULL;
}

static void add_process(pid_t pid, void *arg)
{
	char path[32], text[IO_MAX_BYTES];
	struct sample *sample = arg;
	_cleanup_(fd_closep) int fd = -1;
	uint64_t bytes;
	ssize_t n;

	(void)snprintf(path, sizeof(path), "/proc/%d/io", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	if (n > 0) {
		text[n] = '\0';
		if (parse_status_field(text, "write_bytes", &bytes) == 0) {
			sample->sum += bytes;
			return;
		}
	}
	sample->is_steady = false;
}

uint64_t written_sample(struct written *w)
{
	/* Ourselves first: we are the parent of all. */
	struct sample sample = {.sum = reaped() - w->base, .is_steady = true};
	uint64_t seen;

	if (tree_each(0, add_process, &sample) < 0)
		sample.is_steady = false;
	seen = sample.sum + w->lost;
	if (seen > w->total)
		w->total = seen;
	else if (sample.is_steady)
		w->lost += w->total - seen;
	return w->total;
}
