/* SPDX-License-Identifier: Apache-2.0 */
/* execve and execveat: the image and its arguments. What the image makes the kernel run: script.c.
 */
#include <fcntl.h>

#include "action/decode.h"

#define ARGC_MAX         ((size_t)1 << 20) /* more than the kernel's limits let through */
#define POINTER_CHUNK    64
#define ARG_STRLEN_MAX   ((size_t)128 * 1024) /* MAX_ARG_STRLEN: E2BIG past it */
#define KNOWN_EXEC_FLAGS (AT_EMPTY_PATH | AT_SYMLINK_NOFOLLOW | EXECVE_CHECK)
#define EXECVE_CHECK     0x10000 /* AT_EXECVE_CHECK, Linux 6.14: asks whether an exec would be fine */

static int count_args(struct decode *c, uint64_t vector, size_t *ret)
{
	size_t n = 0;

	while (n < ARGC_MAX) {
		uint64_t pointers[POINTER_CHUNK];
		size_t got, i;
		int r;

		r = target_read_some(c, vector + n * sizeof(uint64_t), pointers, sizeof(pointers),
				     &got);
		if (r)
			return r;
		if (got < sizeof(uint64_t)) {
			/* An unaligned vector: this pointer lies across two pages. */
			got = sizeof(uint64_t);
			r = target_read(c, vector + n * sizeof(uint64_t), pointers, got);
			if (r)
				return r;
		}
		for (i = 0; i < got / sizeof(uint64_t); i++)
			if (pointers[i] == 0) {
				*ret = n + i;
				return 0;
			}
		n += i;
	}
	return E2BIG;
}

/* One argument, of which at most @room bytes are kept. */
static int read_arg(struct decode *c, uint64_t address, size_t room, struct bytes *ret,
		    bool *ret_is_cut)
{
	struct bytes text;
	char *buf;
	size_t done = 0;
	int r;

	*ret_is_cut = false;
	if (room > ARG_STRLEN_MAX)
		return target_read_string(c, address, ARG_STRLEN_MAX, E2BIG, ret);
	buf = arena_alloc(&c->d->arena, room + 1);
	if (!buf)
		return decode_fail(ACTION_NO_MEMORY);
	while (done < room) {
		const char *end;
		size_t n;

		r = target_read_some(c, address + done, buf + done, MIN(room - done, (size_t)512),
				     &n);
		if (r)
			return r;
		end = memchr(buf + done, '\0', n);
		if (end) {
			done = (size_t)(end - buf);
			break;
		}
		done += n;
	}
	*ret_is_cut = done == room;
	buf[done] = '\0';
	arena_trim(&c->d->arena, buf, done + 1);
	text = (struct bytes){.p = buf, .len = done};
	*ret = text;
	return 0;
}

static int read_args(struct decode *c, uint64_t vector)
{
	struct action *a = c->a;
	size_t room = c->d->config.need_full_argv ? ACTION_ARGV_MAX_BYTES : ACTION_ARGV_LOG_BYTES;
	struct bytes *argv;
	size_t keep;
	int r;

	if (vector == 0)
		return 0; /* the kernel takes it for an empty vector */
	r = count_args(c, vector, &a->argc_total);
	if (r)
		return r;
	/* Each argument takes one byte at least. */
	keep = MIN(a->argc_total, room);
	argv = arena_alloc(&c->d->arena, (keep + 1) * sizeof(*argv));
	if (!argv)
		return decode_fail(ACTION_NO_MEMORY);
	a->argv = argv;
	while (a->argc < keep && room) {
		uint64_t pointer;
		bool is_cut;

		r = target_read(c, vector + a->argc * sizeof(pointer), &pointer, sizeof(pointer));
		if (r)
			return r;
		if (pointer == 0)
			break; /* somebody shortened it meanwhile */
		r = read_arg(c, pointer, room, &argv[a->argc], &is_cut);
		if (r)
			return r;
		room -= MIN(room, argv[a->argc].len + 1);
		a->argv_bytes_total += argv[a->argc].len + 1;
		a->argc++;
		a->argv_truncated = is_cut;
		if (is_cut)
			break;
	}
	if (a->argc < a->argc_total)
		a->argv_truncated = true;
	/* The kernel's limit is below ours: at most three quarters of _STK_LIM (fs/exec.c). */
	if (a->argv_truncated && c->d->config.need_full_argv)
		return E2BIG;
	return 0;
}

int decode_exec(struct decode *c)
{
	struct action *a = c->a;
	_cleanup_(resolved_fini) struct resolved found = RESOLVED_INIT;
	struct look look = {.flags = LOOK_FOLLOW | LOOK_WANT_FD};
	int dirfd = c->row->dirfd == TRAP_NO_ARG ? AT_FDCWD : decode_arg_int(c, c->row->dirfd);
	int flags = c->row->flags == TRAP_NO_ARG ? 0 : decode_arg_int(c, c->row->flags);
	int r;

	target_note_exec(c);
	if (flags & ~KNOWN_EXEC_FLAGS)
		return decode_fail(ACTION_UNKNOWN);
	if (flags & AT_SYMLINK_NOFOLLOW)
		look.flags &= ~LOOK_FOLLOW;
	if (flags & AT_EMPTY_PATH)
		look.flags |= LOOK_EMPTY_PATH;
	r = target_read_string(c, decode_arg(c, c->row->path), ACTION_PATH_MAX, ENAMETOOLONG,
			       &a->asked);
	if (r)
		return r;
	r = deep_read_cwd(c, &a->cwd);
	if (r)
		return r < 0 ? r : decode_fail(ACTION_UNREADABLE);
	r = resolve_path(c, dirfd, a->asked, look, &found);
	if (r)
		return r;
	a->object = found.path;
	a->exists = found.exists;
	r = read_args(c, decode_arg(c, c->row->path + 1));
	if (r)
		return r;
	/* A search through PATH asks for many that are not there: nothing would run, so nothing is
	 * to be decided, and nobody is asked about it. We answer, so nothing can appear meanwhile.
	 */
	if (!found.exists)
		return found.pin.error ? found.pin.error : ENOENT;
	r = script_add_steps(c, &found, a->asked);
	/* WHY-CONTINUE-IS-SAFE: nothing runs. The caller asks whether the file may be executed, and
	 * the flag that says so is in a register. */
	if (flags & EXECVE_CHECK)
		a->act.kind = ACT_CONTINUE;
	return r;
}
