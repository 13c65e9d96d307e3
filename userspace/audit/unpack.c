/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/mman.h>
#include <zstd.h>

#include "base/io.h"

#include "audit/unpack.h"

struct unpack {
	ZSTD_DCtx *ctx;
	char *in, *out;
};

static void unpack_fini(struct unpack *u)
{
	(void)ZSTD_freeDCtx(u->ctx); /* takes NULL, too */
	free(u->in);
	free(u->out);
}

static int unpack_init(struct unpack *u)
{
	u->ctx = ZSTD_createDCtx();
	u->in = malloc(ZSTD_DStreamInSize());
	u->out = malloc(ZSTD_DStreamOutSize());
	return u->ctx && u->in && u->out ? 0 : -ENOMEM;
}

/* Return: 0 a frame is complete, 1 it is not, -errno. */
static int unpack_some(struct unpack *u, ZSTD_inBuffer *input, int to, uint64_t *total)
{
	size_t left = 1;

	while (input->pos < input->size) {
		ZSTD_outBuffer output = {.dst = u->out, .size = ZSTD_DStreamOutSize()};
		int r;

		left = ZSTD_decompressStream(u->ctx, &output, input);
		if (ZSTD_isError(left))
			return -EBADMSG;
		*total += output.pos;
		if (*total > UNPACK_MAX)
			return -EMSGSIZE;
		r = io_write_all(to, u->out, output.pos);
		if (r < 0)
			return r;
	}
	return left > 0;
}

static int unpack_fd(struct unpack *u, int from, int to)
{
	uint64_t total = 0;
	int r = 0;

	for (;;) {
		ssize_t n = read(from, u->in, ZSTD_DStreamInSize());
		ZSTD_inBuffer input = {.src = u->in, .size = n > 0 ? (size_t)n : 0};

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return r > 0 ? -EBADMSG : r;
		r = unpack_some(u, &input, to, &total);
		if (r < 0)
			return r;
	}
}

int unpack_open(const char *path, struct reader **ret, struct diag *reterr_diag)
{
	_cleanup_(unpack_fini) struct unpack u = {};
	_cleanup_(fd_closep) int from = -1, to = -1;
	char name[32];
	int r;

	r = unpack_init(&u);
	if (r == 0) {
		from = open(path, O_RDONLY | O_NOFOLLOW | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
		to = memfd_create("holdfast-log", MFD_CLOEXEC);
		r = from < 0 || to < 0 ? -errno : unpack_fd(&u, from, to);
	}
	if (r < 0) {
		(void)diag_set(reterr_diag, NULL, 0, 0, "cannot read the log '%s': %s", path,
			       r == -EBADMSG ? "it is not what Zstandard writes, or cut off"
					     : strerror(-r));
		return r;
	}
	(void)snprintf(name, sizeof(name), "/proc/self/fd/%d", to);
	return reader_open(name, ret, reterr_diag);
}
