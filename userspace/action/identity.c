/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "action/decode.h"
#include "action/identity.h"

/* The digest so far and the digest of the next piece: no piece can pass for another's end, and
 * nothing has to be put together in memory, however long the arguments are. */
static void add(struct action_identity *id, struct bytes piece)
{
	unsigned char both[2 * SHA256_BYTES];

	memcpy(both, id->digest, SHA256_BYTES);
	sha256(piece, both + SHA256_BYTES);
	sha256((struct bytes){(const char *)both, sizeof(both)}, id->digest);
}

/* A missing string is not an empty one. */
static void add_string(struct action_identity *id, struct bytes s)
{
	add(id, s.p ? BYTES_LIT("+") : BYTES_LIT("-"));
	add(id, s);
}

static void add_numbers(struct action_identity *id, const uint64_t *numbers, size_t n)
{
	add(id, (struct bytes){(const char *)numbers, n * sizeof(*numbers)});
}

static void add_stat(struct action_identity *id, const struct stat *st)
{
	bool is_file = S_ISREG(st->st_mode);
	const uint64_t numbers[] = {
		st->st_dev,
		st->st_ino,
		st->st_mode & S_IFMT,
		is_file ? (uint64_t)st->st_size : 0,
		is_file ? (uint64_t)st->st_mtim.tv_sec : 0,
		is_file ? (uint64_t)st->st_mtim.tv_nsec : 0,
		is_file ? (uint64_t)st->st_ctim.tv_sec : 0,
		is_file ? (uint64_t)st->st_ctim.tv_nsec : 0,
	};

	add_numbers(id, numbers, ARRAY_SIZE(numbers));
}

/* @fd is -1 for what is not there. */
static void add_file(struct action_identity *id, int fd)
{
	struct stat st;

	if (fd >= 0 && fstat(fd, &st) == 0)
		add_stat(id, &st);
	else
		add(id, BYTES_LIT("missing"));
}

/* By its name where it was not opened. */
static void add_pin(struct action_identity *id, const struct act_pin *pin)
{
	struct stat st;

	add_file(id, pin->parent);
	add_string(id, pin->name);
	if (pin->object < 0 && pin->parent >= 0 && pin->name.p &&
	    fstatat(pin->parent, pin->name.p, &st, AT_SYMLINK_NOFOLLOW) == 0)
		add_stat(id, &st);
	else
		add_file(id, pin->object);
}

/* What the open of an object of this type would say that is found in the place of another. */
static int error_of(const struct act_open *o, const struct act_pin *pin, mode_t type)
{
	if (S_ISLNK(type) && !(o->flags & O_PATH))
		return ELOOP;
	return pin->wants_directory && !S_ISDIR(type) ? ENOTDIR : 0;
}

static void bind_open(struct decode *c)
{
	const struct act_open *o = &c->a->act.open;
	struct act_pin *pin = &c->a->act.pin;
	struct stat st;

	if (pin->parent < 0 || !pin->name.p || o->creates)
		return;
	if (pin->object < 0)
		pin->object = act_own(
			c, openat(pin->parent, pin->name.p, O_PATH | O_NOFOLLOW | O_CLOEXEC));
	if (pin->object < 0 || fstat(pin->object, &st) < 0) {
		pin->error = errno;
	} else {
		pin->error = error_of(o, pin, st.st_mode);
		/* A link that is not followed can be opened by its name only; what is got by that
		 * can be neither read nor written. */
		if (S_ISLNK(st.st_mode) && !pin->error)
			return;
	}
	if (pin->error)
		pin->object = -1;
	pin->parent = -1;
}

/* An image is not pinned: it is looked up by its resolved path, below the task's own root. */
static void add_image(struct action_identity *id, int root, struct bytes path)
{
	const struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT};
	_cleanup_(fd_closep) int fd = -1;
	char text[ACTION_PATH_MAX];

	if (path.p && path.len < sizeof(text)) {
		memcpy(text, path.p, path.len);
		text[path.len] = '\0';
		fd = (int)syscall(__NR_openat2, root, text, &how, sizeof(how));
	}
	add_file(id, fd);
}

static void add_images(struct action_identity *id, const struct action *a)
{
	_cleanup_(fd_closep) int root = -1;
	char path[32];

	(void)snprintf(path, sizeof(path), "/proc/%d/root", a->tid);
	root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	add_image(id, root, a->object);
	add_image(id, root, a->interpreter);
}

static void add_act(struct action_identity *id, const struct act *act)
{
	add_pin(id, &act->pin);
	add_pin(id, &act->pin2);
	switch (act->kind) {
	case ACT_OPEN:
		add_numbers(id,
			    (const uint64_t[]){act->open.flags, act->open.mode, act->open.resolve,
					       act->open.creates},
			    4);
		return;
	case ACT_CHANGE:
		add_numbers(id, act->change.number, ARRAY_SIZE(act->change.number));
		add_numbers(id, (const uint64_t[]){(uint64_t)act->change.flags}, 1);
		add_string(id, act->change.attr);
		add_string(id, (struct bytes){act->change.data, act->change.data_len});
		return;
	case ACT_NETWORK:
		add_file(id, act->network.socket);
		add_string(id, act->network.address);
		add_numbers(id, (const uint64_t[]){(uint64_t)act->network.flags}, 1);
		return;
	case ACT_EXEC:
		add_numbers(id, (const uint64_t[]){act->exec.image_dev, act->exec.image_ino}, 2);
		add_string(id, act->exec.cmdline);
		return;
	case ACT_LINEAGE:
	case ACT_ACCEPT:
	case ACT_HIDE:
	case ACT_CONTINUE:
	case _ACT_KIND_MAX:
		return;
	}
}

void action_identify(struct action_decoder *d, struct action *a, struct action_identity *ret)
{
	struct decode c = {.d = d, .a = a};
	const uint64_t numbers[] = {
		a->kind,
		a->op,
		(uint64_t)a->syscall_nr,
		a->grant,
		(uint64_t)a->tid,
		(uint64_t)a->pid,
		a->exists,
		a->act.kind,
		a->n_steps,
		a->argc,
		a->argc_total,
		a->argv_bytes_total,
	};

	(void)rights_settle();
	*ret = (struct action_identity){};
	add_numbers(ret, numbers, ARRAY_SIZE(numbers));
	add_string(ret, a->exe);
	add_string(ret, a->cwd);
	add_string(ret, a->object);
	add_string(ret, a->asked);
	add_string(ret, a->object2);
	add_string(ret, a->interpreter);
	for (size_t i = 0; i < a->argc; i++)
		add_string(ret, a->argv[i]);
	for (size_t i = 0; i < a->n_steps; i++) {
		add_numbers(ret, (const uint64_t[]){a->steps[i].kind, a->steps[i].op}, 2);
		add_string(ret, a->steps[i].object);
		add_string(ret, a->steps[i].args);
	}
	if (a->listener) {
		add_numbers(ret, (const uint64_t[]){a->listener->is_ahead, a->listener->uid}, 2);
		add_string(ret, a->listener->exe);
	}
	if (a->kind == KIND_TOOL)
		add_images(ret, a);
	add_file(ret, a->act.pin.parent);
	if (a->act.kind == ACT_OPEN)
		bind_open(&c);
	add_act(ret, &a->act);
}
