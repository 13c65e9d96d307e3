/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <zstd.h>

#include "base/dirs.h"
#include "base/io.h"

#include "engine/engine.h"

#include "audit/compress.h"
#include "audit/segments.h"

#define COMPRESS_LEVEL       3
#define COMPRESS_STACK_BYTES ((size_t)256 * 1024)

struct compressor {
	pthread_t thread;
	int dirfd;
	char *name;
};

/* Feeds @n bytes at @in; the last of them ends the frame. Return: 0, -errno. */
static int compress_some(ZSTD_CCtx *ctx, int out, char *chunk, size_t chunk_size, const char *in,
			 size_t n)
{
	ZSTD_inBuffer input = {.src = in, .size = n};
	ZSTD_EndDirective mode = n ? ZSTD_e_continue : ZSTD_e_end;
	bool is_done = false;

	while (!is_done) {
		ZSTD_outBuffer output = {.dst = chunk, .size = chunk_size};
		size_t left = ZSTD_compressStream2(ctx, &output, &input, mode);
		int r;

		if (ZSTD_isError(left))
			return -EIO;
		r = io_write_all(out, chunk, output.pos);
		if (r < 0)
			return r;
		is_done = n ? input.pos == input.size : left == 0;
	}
	return 0;
}

static int compress_fd(ZSTD_CCtx *ctx, int in, int out)
{
	const size_t in_size = ZSTD_CStreamInSize(), out_size = ZSTD_CStreamOutSize();
	_cleanup_(freep) char *from = malloc(in_size), *to = malloc(out_size);
	ssize_t n = 1;

	if (!from || !to)
		return -ENOMEM;
	while (n > 0) {
		int r;

		n = read(in, from, in_size);
		if (n < 0)
			return -errno;
		r = compress_some(ctx, out, to, out_size, from, (size_t)n);
		if (r < 0)
			return r;
	}
	return fsync(out) < 0 ? -errno : 0;
}

static int compress_named(const struct compressor *c, const char *temporary, const char *final)
{
	_cleanup_(fd_closep) int in = -1, out = -1;
	ZSTD_CCtx *ctx;
	int r;

	in = openat(c->dirfd, c->name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (in < 0)
		return -errno;
	(void)unlinkat(c->dirfd, temporary, 0); /* of somebody who was killed */
	out = openat(c->dirfd, temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
		     ENGINE_LOG_MODE);
	if (out < 0)
		return -errno;
	ctx = ZSTD_createCCtx();
	if (!ctx)
		return -ENOMEM;
	(void)ZSTD_CCtx_setParameter(ctx, ZSTD_c_compressionLevel, COMPRESS_LEVEL);
	(void)ZSTD_CCtx_setParameter(ctx, ZSTD_c_checksumFlag, 1);
	r = compress_fd(ctx, in, out);
	(void)ZSTD_freeCCtx(ctx);
	if (r == 0 && renameat(c->dirfd, temporary, c->dirfd, final) < 0)
		r = -errno;
	if (r == 0)
		(void)unlinkat(c->dirfd, c->name, 0);
	else
		(void)unlinkat(c->dirfd, temporary, 0);
	return r;
}

static void *compressor_main(void *arg)
{
	const struct compressor *c = arg;
	_cleanup_(freep) char *final = str_format("%s" SEGMENTS_SUFFIX, c->name);
	_cleanup_(freep) char *temporary = str_format("%s" SEGMENTS_SUFFIX ".tmp", c->name);

	/* When it does not work (a full disk), the file stays as it is: nothing is lost. */
	if (final && temporary)
		(void)compress_named(c, temporary, final);
	return NULL;
}

static struct compressor *compressor_free(struct compressor *c)
{
	if (c)
		free(c->name);
	free(c);
	return NULL;
}

int compressor_start(int dirfd, const char *name, struct compressor **ret)
{
	struct compressor *c = calloc(1, sizeof(*c));
	pthread_attr_t attr;
	sigset_t all, old;
	int r;

	if (!c)
		return -ENOMEM;
	c->dirfd = dirfd;
	c->name = strdup(name);
	if (!c->name) {
		compressor_free(c);
		return -ENOMEM;
	}
	(void)pthread_attr_init(&attr);
	(void)pthread_attr_setstacksize(&attr, COMPRESS_STACK_BYTES);
	(void)sigfillset(&all);
	(void)pthread_sigmask(SIG_SETMASK, &all, &old);
	r = -pthread_create(&c->thread, &attr, compressor_main, c);
	(void)pthread_sigmask(SIG_SETMASK, &old, NULL);
	(void)pthread_attr_destroy(&attr);
	if (r < 0) {
		compressor_free(c);
		return r;
	}
	(void)pthread_setname_np(c->thread, "holdfast-zstd"); /* only for people who look */
	*ret = c;
	return 0;
}

struct compressor *compressor_end(struct compressor *c)
{
	if (c)
		(void)pthread_join(c->thread, NULL);
	return compressor_free(c);
}
