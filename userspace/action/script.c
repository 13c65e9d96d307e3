/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an exec really runs: the image, the interpreters that its "#!" line names (as
 * fs/binfmt_script.c reads it), and the program that a dynamic loader was told to load. Each is one
 * step. Arguments of later steps are those that the kernel would hand over.
 */
#include <fcntl.h>
#include <stdio.h>

#include "action/decode.h"
#include "action/shebang.h"

/* Whether @asked is an administrator's name for it, as far as we can tell. */
static bool is_trusted_alias(const struct decode *c, struct bytes asked)
{
	bool is_relative = asked.len == 0 || asked.p[0] != '/';

	if (c->d->has_foreign_roots)
		return false;
	if (is_relative && c->row->dirfd != TRAP_NO_ARG &&
	    decode_arg_int(c, c->row->dirfd) != AT_FDCWD)
		return false;
	return policy_is_trusted_alias(asked, c->a->cwd);
}

int script_add_tool_step(struct decode *c, const struct resolved *r, struct bytes asked,
			 struct bytes args)
{
	struct action_step *s;
	int e;

	e = step_add(c, KIND_TOOL, OP_EXEC, r->path, args, &s);
	if (e)
		return e;
	policy_names_add_exec(s->names, &s->n_names, r->path, asked, is_trusted_alias(c, asked));
	return 0;
}

int script_join_args(struct decode *c, struct bytes head, size_t from, struct bytes *ret)
{
	*ret = policy_join_words(&c->d->arena, head, c->a->argv, c->a->argc, from);
	return ret->p ? 0 : decode_fail(ACTION_NO_MEMORY);
}

/*
 * The first bytes of the image. Return: 0; ENOEXEC when there is nothing for us to read: not a
 * file, or not readable and not the agent's own, so that the agent cannot have made a script of it.
 */
static int read_head(struct decode *c, const struct resolved *r, char head[static SHEBANG_SIZE])
{
	_cleanup_(fd_closep) int fd = -1;
	char name[24];
	struct stat st;
	ssize_t n;

	if (r->fd < 0 || fstat(r->fd, &st) < 0 || !S_ISREG(st.st_mode))
		return ENOEXEC;
	(void)snprintf(name, sizeof(name), "%d", r->fd);
	fd = target_open_at(c, c->d->self_fds, name, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0);
	if (fd == -EACCES && st.st_uid != geteuid())
		return ENOEXEC;
	if (fd < 0)
		return decode_fail(ACTION_UNREADABLE);
	memset(head, 0, SHEBANG_SIZE);
	n = pread(fd, head, SHEBANG_SIZE, 0);
	return n < 0 ? decode_fail(ACTION_UNREADABLE) : 0;
}

static bool is_loader(struct bytes path)
{
	struct bytes name = bytes_base_name(path);

	return bytes_has_prefix(name, BYTES_LIT("ld-linux")) ||
	       bytes_has_prefix(name, BYTES_LIT("ld-musl")) ||
	       (bytes_has_prefix(name, BYTES_LIT("ld-")) && name.len > 3 &&
		memmem(name.p, name.len, ".so", 3)) ||
	       bytes_eq_str(name, "ld.so");
}

/* The program in a loader's arguments; its options and their values are passed over. */
static size_t find_loaded_program(const struct action *a)
{
	static const char *const with_value[] = {
		"--library-path",         "--inhibit-rpath",     "--audit", "--preload", "--argv0",
		"--glibc-hwcaps-prepend", "--glibc-hwcaps-mask",
	};
	size_t i = 1;

	while (i < a->argc && bytes_has_prefix(a->argv[i], BYTES_LIT("--"))) {
		size_t skip = 1;

		if (a->argv[i].len == 2)
			return i + 1; /* "--" */
		for (size_t k = 0; k < ARRAY_SIZE(with_value); k++)
			if (bytes_eq_str(a->argv[i], with_value[k]))
				skip = 2;
		i += skip;
	}
	return i;
}

static int add_program(struct decode *c, struct bytes asked, struct bytes args)
{
	_cleanup_(resolved_fini) struct resolved found = RESOLVED_INIT;
	int r;

	r = resolve_path(c, AT_FDCWD, asked, (struct look){.flags = LOOK_FOLLOW}, &found);
	if (r > 0)
		return 0; /* the loader will not find it either */
	if (r < 0)
		return r;
	return script_add_tool_step(c, &found, asked, args);
}

static int add_loaded_program(struct decode *c)
{
	size_t i = find_loaded_program(c->a);
	struct bytes args;
	int r;

	if (i >= c->a->argc || c->a->argv[i].len == 0)
		return 0;
	r = script_join_args(c, BYTES_NULL, i, &args);
	if (r)
		return r;
	return add_program(c, c->a->argv[i], args);
}

/* "#!/lib64/ld-linux-x86-64.so.2 /usr/bin/x": the loader as an interpreter loads its argument. */
static int add_loaded_by_line(struct decode *c, const struct shebang *line, struct bytes args)
{
	struct bytes asked;
	int r;

	if (!line->argument.p || line->argument.p[0] == '-')
		return 0;
	r = decode_copy(c, line->argument.p, line->argument.len, &asked);
	return r ? r : add_program(c, asked, args);
}

/* The kernel's own name for the image, which a script's interpreter gets, with its NUL (fs/exec.c,
 * alloc_bprm()). */
static int kernel_name(struct decode *c, struct bytes asked, struct bytes *ret)
{
	int dirfd = c->row->dirfd == TRAP_NO_ARG ? AT_FDCWD : decode_arg_int(c, c->row->dirfd);
	size_t size = sizeof("/dev/fd/-2147483648/") + asked.len;
	char *p;
	int n;

	*ret = (struct bytes){.p = asked.p, .len = asked.len + 1};
	if (dirfd == AT_FDCWD || (asked.len && asked.p[0] == '/'))
		return 0;
	p = arena_alloc(&c->d->arena, size);
	if (!p)
		return decode_fail(ACTION_NO_MEMORY);
	n = snprintf(p, size, "/dev/fd/%d%s%s", dirfd, asked.len ? "/" : "", asked.p);
	*ret = (struct bytes){.p = p, .len = (size_t)n + 1};
	return 0;
}

/* @line's interpreter and argument, each with its NUL, before @rest: as fs/binfmt_script.c pushes
 * them. */
static int prepend_words(struct decode *c, const struct shebang *line, struct bytes *rest)
{
	size_t size = line->interpreter.len + 1 + line->argument.len + 1 + rest->len;
	char *start = arena_alloc(&c->d->arena, size);
	char *p = start;

	if (!start)
		return decode_fail(ACTION_NO_MEMORY);
	p = mempcpy(p, line->interpreter.p, line->interpreter.len);
	*p++ = '\0';
	if (line->argument.p) {
		p = mempcpy(p, line->argument.p, line->argument.len);
		*p++ = '\0';
	}
	p = mempcpy(p, rest->p, rest->len);
	*rest = (struct bytes){.p = start, .len = (size_t)(p - start)};
	return 0;
}

/* What /proc/PID/exe and /proc/PID/cmdline will show. @head is what stands before argv[@from]. */
static int set_expected(struct decode *c, const struct resolved *image, struct bytes head,
			size_t from)
{
	const struct action *a = c->a;
	struct act_exec *e = &c->a->act.exec;
	size_t size = head.len + 1;
	struct stat st = {};
	char *start, *p;

	if (image->fd >= 0 && fstat(image->fd, &st) < 0)
		return decode_fail(ACTION_UNREADABLE);
	for (size_t i = from; i < a->argc; i++)
		size += a->argv[i].len + 1;
	start = p = arena_alloc(&c->d->arena, size);
	if (!start)
		return decode_fail(ACTION_NO_MEMORY);
	if (head.len)
		p = mempcpy(p, head.p, head.len);
	for (size_t i = from; i < a->argc; i++)
		p = mempcpy(p, a->argv[i].p, a->argv[i].len + 1);
	if (a->argv_truncated && p > start && from < a->argc)
		p--; /* the last one goes on, or others follow: either way this much is known */
	else if (p == start)
		*p++ = '\0'; /* the kernel makes an empty vector one empty string */
	*e = (struct act_exec){
		.image_dev = st.st_dev,
		.image_ino = st.st_ino,
		.cmdline = {.p = start, .len = (size_t)(p - start)},
		.is_cmdline_whole = !a->argv_truncated,
	};
	c->a->act.kind = ACT_EXEC;
	return 0;
}

/* One interpreter: resolved, and with what the kernel puts before the arguments. */
static int add_interpreter(struct decode *c, const struct shebang *line, struct bytes *head,
			   struct resolved *found)
{
	struct bytes asked, args;
	char *p;
	size_t size = line->interpreter.len + 1 + line->argument.len + 1 + head->len;
	int r;

	r = decode_copy(c, line->interpreter.p, line->interpreter.len, &asked);
	if (r)
		return r;
	r = resolve_path(c, AT_FDCWD, asked, (struct look){.flags = LOOK_FOLLOW | LOOK_WANT_FD},
			 found);
	if (r)
		return r;
	p = arena_alloc(&c->d->arena, size + 1);
	if (!p)
		return decode_fail(ACTION_NO_MEMORY);
	args.p = p;
	p = mempcpy(p, asked.p, asked.len);
	if (line->argument.p) {
		*p++ = ' ';
		p = mempcpy(p, line->argument.p, line->argument.len);
	}
	*p++ = ' ';
	p = mempcpy(p, head->p, head->len);
	*p = '\0';
	*head = (struct bytes){.p = args.p, .len = (size_t)(p - args.p)};
	c->a->interpreter = found->path;
	r = script_join_args(c, *head, 1, &args);
	if (r)
		return r;
	r = script_add_tool_step(c, found, asked, args);
	if (r || !is_loader(found->path))
		return r;
	return add_loaded_by_line(c, line, args);
}

static int follow_chain(struct decode *c, const struct resolved *image, struct bytes asked)
{
	struct resolved level = {.path = image->path, .exists = true, .fd = image->fd};
	struct bytes words = asked.len ? asked : image->path; /* what stands before argv[1] */
	struct bytes name, pushed = BYTES_NULL;
	_cleanup_(fd_closep) int owned = -1;
	int r;

	r = kernel_name(c, asked, &name);
	if (r)
		return r;
	for (int i = 0;; i++) {
		struct resolved next = RESOLVED_INIT;
		char head[SHEBANG_SIZE];
		struct shebang line;

		r = read_head(c, &level, head);
		if (r == ENOEXEC || (r == 0 && !shebang_parse(head, &line)))
			break;
		if (r)
			return r;
		if (i == ACTION_MAX_INTERPRETERS)
			return ELOOP;
		if (i == 0)
			pushed = name;
		r = prepend_words(c, &line, &pushed);
		if (r)
			return r;
		r = add_interpreter(c, &line, &words, &next);
		(void)fd_close(owned);
		owned = next.fd;
		if (r)
			return r;
		level = next;
	}
	return set_expected(c, &level, pushed, pushed.p ? 1 : 0);
}

int script_add_steps(struct decode *c, const struct resolved *image, struct bytes asked)
{
	struct bytes args;
	int r;

	r = script_join_args(c, c->a->argc ? BYTES_NULL : asked, 0, &args);
	if (r)
		return r;
	r = script_add_tool_step(c, image, asked, args);
	if (r || !image->exists)
		return r;
	if (is_loader(image->path)) {
		r = add_loaded_program(c);
		return r ? r : set_expected(c, image, BYTES_NULL, 0);
	}
	return follow_chain(c, image, asked);
}
