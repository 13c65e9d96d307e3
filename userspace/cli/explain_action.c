/* SPDX-License-Identifier: Apache-2.0 */
/* From a command, a path, a host or JSON to the action that a session would see. */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>

#include "action/shebang.h"
#include "base/dirs.h"
#include "base/say.h"
#include "policy/naming.h"

#include "cli/lookup.h"
#include "cli/policy_explain.h"

#define MAX_INTERPRETERS 5 /* as the kernel has it */

static struct bytes copy(struct arena *mem, const char *s)
{
	return s ? arena_copy(mem, s, strlen(s)) : BYTES_NULL;
}

static int read_head(const char *path, char head[static SHEBANG_SIZE])
{
	_cleanup_(fd_closep) int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	ssize_t n;

	memset(head, 0, SHEBANG_SIZE);
	n = fd < 0 ? -1 : read(fd, head, SHEBANG_SIZE);
	return n < 0 ? -errno : 0;
}

/* The interpreters that the "#!" lines name, each with the words that it would be given. */
static int add_interpreters(const struct apiaction_exec *program, struct arena *mem,
			    struct apiaction *a)
{
	struct bytes words = program->asked, image = program->path;

	for (int i = 0; i < MAX_INTERPRETERS; i++) {
		_cleanup_(freep) char *real = NULL;
		struct apiaction_exec exec = *program;
		struct bytes line[3];
		char head[SHEBANG_SIZE];
		struct shebang found;
		size_t n = 0;
		int r;

		if (read_head(image.p, head) < 0 || !shebang_parse(head, &found))
			return 0;
		exec.asked = arena_copy(mem, found.interpreter.p, found.interpreter.len);
		if (!exec.asked.p)
			return -ENOMEM;
		line[n++] = exec.asked;
		if (found.argument.p)
			line[n++] = found.argument;
		line[n++] = words;
		words = policy_join_words(mem, BYTES_NULL, line, n, 0);
		real = realpath(exec.asked.p, NULL);
		if (!words.p)
			return -ENOMEM;
		if (!real) {
			say("'%s' names the interpreter '%s', which is not there: the command would fail",
			    image.p, exec.asked.p);
			return 0;
		}
		image = exec.path = copy(mem, real);
		exec.text = policy_join_words(mem, words, program->argv, program->argc, 1);
		if (!exec.path.p || !exec.text.p)
			return -ENOMEM;
		r = apiaction_add_exec(a, mem, &exec);
		if (r < 0)
			return r;
	}
	return 0;
}

static int make_command(char **command, struct arena *mem, struct apiaction *ret)
{
	_cleanup_(freep) char *file = NULL, *real = NULL, *cwd = getcwd(NULL, 0);
	struct apiaction_exec exec = {.cwd = copy(mem, cwd)};
	struct bytes *argv;
	int r;

	while (command[exec.argc])
		exec.argc++;
	exec.argv = argv = arena_alloc(mem, exec.argc * sizeof(*argv));
	if (!argv)
		return -ENOMEM;
	for (size_t i = 0; i < exec.argc; i++)
		argv[i] = bytes_of(command[i]);
	if (lookup_command(command[0], &file) != 0) {
		say("there is no program '%s' to execute here: its name alone is judged",
		    command[0]);
		return apiaction_add_exec(ret, mem, &exec);
	}
	real = realpath(file, NULL);
	exec.asked = copy(mem, file);
	exec.path = copy(mem, real ? real : file);
	if (!exec.asked.p || !exec.path.p)
		return -ENOMEM;
	r = apiaction_add_exec(ret, mem, &exec);
	return r < 0 ? r : add_interpreters(&exec, mem, ret);
}

/* The path that the kernel would act on. What is not there yet has its directory resolved. */
static char *resolve(const char *path)
{
	_cleanup_(freep) char *dir = NULL, *real_dir = NULL;
	char *real = realpath(path, NULL);
	const char *slash, *name;

	if (real)
		return real;
	slash = strrchr(path, '/');
	name = slash ? slash + 1 : path;
	if (!*name || streq(name, ".") || streq(name, ".."))
		return NULL;
	dir = slash ? strndup(path, slash == path ? 1 : (size_t)(slash - path)) : strdup(".");
	real_dir = dir ? realpath(dir, NULL) : NULL;
	if (real_dir)
		return str_format("%s/%s", streq(real_dir, "/") ? "" : real_dir, name);
	return path[0] == '/' ? strdup(path) : NULL;
}

static int make_path(const struct explain_options *o, struct arena *mem, struct apiaction *ret)
{
	static const enum action_op read_op[] = {OP_READ};
	const enum action_op *ops = o->n_ops ? o->ops : read_op;
	_cleanup_(freep) char *real = resolve(o->path);
	struct bytes path = copy(mem, real);

	if (!real) {
		say("--path '%s': no such directory; give an absolute path to ask about one that is not here",
		    o->path);
		return -EINVAL;
	}
	for (size_t i = 0; i < MAX(o->n_ops, (size_t)1); i++) {
		int r = path.p ? apiaction_add_path(ret, mem, ops[i], path) : -ENOMEM;

		if (r < 0)
			return r;
	}
	return 0;
}

static int make_json(const char *text, struct arena *mem, struct apiaction *ret)
{
	struct diag d = {};
	struct value *v;
	char message[1280];
	int r = value_parse_json(bytes_of(text), mem, &v, &d);

	if (r == 0)
		r = apiaction_from_value(v, mem, ret, &d);
	if (r == -EINVAL) {
		diag_format(&d, message, sizeof(message));
		say("--action: %s", message);
	}
	return r;
}

static int make_connect(const struct explain_options *o, struct arena *mem, struct apiaction *ret)
{
	enum action_op op = o->n_ops ? o->ops[0] : OP_CONNECT;
	struct diag d = {};
	int r = apiaction_from_connect(op, o->protocol, bytes_of(o->host), o->port, mem, ret, &d);

	if (r == -EINVAL)
		say("--connect: %s", d.message);
	return r;
}

int explain_make(const struct explain_options *o, struct arena *mem, struct apiaction *ret)
{
	*ret = (struct apiaction){};
	if (o->command)
		return make_command(o->command, mem, ret);
	if (o->path)
		return make_path(o, mem, ret);
	if (o->host)
		return make_connect(o, mem, ret);
	return make_json(o->action, mem, ret);
}
