/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whose rights a task has. Only a session that itself has capabilities can have tasks that differ
 * from each other: the others can neither gain nor change any (no_new_privs), so nothing is read
 * there.
 *
 * The calls that change IDs, groups and capabilities are notified (TRAP_CREDS). Until there was
 * one, every task has what the first one had; from then on each is looked at, and again after every
 * such call and every exec of the session: a task that makes a call is blocked in it, so what was
 * read after its last change cannot be old.
 */
#include <fcntl.h>
#include <stdio.h>

#include "action/decode.h"
#include "loader/caps.h"

#define STATUS_MAX ((size_t)64 * 1024) /* "Groups:" may have some thousands */

static const char *find_field(const char *text, const char *name)
{
	const char *line = strstr(text, name);

	return line ? line + strlen(name) : NULL;
}

static bool next_number(const char **p, unsigned base, uint64_t *ret)
{
	uint64_t n = 0;
	const char *start;

	*p += strspn(*p, " \t");
	for (start = *p;; (*p)++) {
		unsigned digit;

		if (**p >= '0' && **p <= '9')
			digit = (unsigned)(**p - '0');
		else if (base == 16 && **p >= 'a' && **p <= 'f')
			digit = (unsigned)(**p - 'a') + 10;
		else
			break;
		n = n * base + digit;
	}
	*ret = n;
	return *p != start;
}

/* The last of the four numbers of an "Uid:" or "Gid:" line: the one for files. */
static bool read_fs_id(const char *text, const char *name, uint32_t *ret)
{
	const char *p = find_field(text, name);
	uint64_t n = 0;

	for (int i = 0; i < 4; i++)
		if (!p || !next_number(&p, 10, &n))
			return false;
	*ret = (uint32_t)n;
	return true;
}

static bool read_groups(struct decode *c, const char *text, struct act_creds *ret)
{
	const char *p = find_field(text, "\nGroups:");
	const char *end = p ? strchr(p, '\n') : NULL;
	gid_t *groups;
	uint64_t n;

	if (!end)
		return false;
	/* No more numbers than every second character. */
	groups = arena_alloc(&c->d->arena, ((size_t)(end - p) / 2 + 1) * sizeof(*groups));
	if (!groups)
		return false;
	for (ret->n_groups = 0; p < end && next_number(&p, 10, &n);)
		groups[ret->n_groups++] = (gid_t)n;
	arena_trim(&c->d->arena, groups, ret->n_groups * sizeof(*groups));
	ret->groups = groups;
	return true;
}

static ssize_t read_all(int fd, char *buf, size_t size)
{
	size_t len = 0;

	while (len < size - 1) {
		ssize_t n = read(fd, buf + len, size - 1 - len);

		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		len += (size_t)n;
	}
	buf[len] = '\0';
	return len < size - 1 ? (ssize_t)len : -E2BIG;
}

/* From a "status" file. Return: 0, or as a decoder. */
static int read_status(struct decode *c, int fd, struct act_creds *ret)
{
	char *text = arena_alloc(&c->d->arena, STATUS_MAX);
	const char *caps;

	if (!text)
		return decode_fail(ACTION_NO_MEMORY);
	if (read_all(fd, text, STATUS_MAX) < 0)
		return decode_fail(ACTION_UNREADABLE);
	caps = find_field(text, "\nCapEff:");
	if (!caps || !next_number(&caps, 16, &ret->cap_effective) ||
	    !read_fs_id(text, "\nUid:", &ret->fsuid) || !read_fs_id(text, "\nGid:", &ret->fsgid) ||
	    !read_groups(c, text, ret))
		return decode_fail(ACTION_UNREADABLE);
	return 0;
}

static bool is_same(const struct act_creds *a, const struct act_creds *b)
{
	return a->fsuid == b->fsuid && a->fsgid == b->fsgid &&
	       a->cap_effective == b->cap_effective && a->n_groups == b->n_groups &&
	       (a->n_groups == 0 ||
		memcmp(a->groups, b->groups, a->n_groups * sizeof(*a->groups)) == 0);
}

/* Capabilities in another user namespace are none in ours. */
static int look_at_userns(struct decode *c, struct act_creds *creds)
{
	struct bytes theirs;
	char ours[64];
	ssize_t n = readlink("/proc/self/ns/user", ours, sizeof(ours));
	int r = target_readlink(c, "ns/user", &theirs);

	if (n < 0 || r)
		return r < 0 ? r : decode_fail(ACTION_UNREADABLE);
	creds->is_foreign_userns = !bytes_eq(theirs, (struct bytes){.p = ours, .len = (size_t)n});
	if (creds->is_foreign_userns)
		creds->cap_effective = 0;
	return 0;
}

static int look(struct decode *c, struct act_creds *ret)
{
	/* Which settles: what is read of this thread is its own. */
	_cleanup_(fd_closep) int fd = target_open(c, "status", O_RDONLY);
	_cleanup_(fd_closep) int own = -1;
	struct act_creds mine = {};
	int r;

	if (fd < 0)
		return decode_fail(ACTION_UNREADABLE);
	r = read_status(c, fd, ret);
	if (r == 0)
		r = look_at_userns(c, ret);
	if (r)
		return r;
	own = open("/proc/thread-self/status", O_RDONLY | O_CLOEXEC);
	if (own < 0)
		return decode_fail(ACTION_UNREADABLE);
	r = read_status(c, own, &mine);
	if (r)
		return r;
	ret->differs = !is_same(ret, &mine);
	return 0;
}

/* Keeps @creds, groups included, in @k. False: there are too many groups to keep. */
static bool keep(struct kept_creds *k, const struct act_creds *creds, unsigned execs,
		 unsigned changes)
{
	k->is_known = creds->n_groups <= ARRAY_SIZE(k->groups);
	if (!k->is_known)
		return false;
	k->creds = *creds;
	if (creds->n_groups)
		memcpy(k->groups, creds->groups, creds->n_groups * sizeof(*creds->groups));
	k->creds.groups = k->groups;
	k->execs = execs;
	k->changes = changes;
	return true;
}

int target_creds(struct decode *c)
{
	struct action_epoch *epoch = c->d->config.epoch;
	struct act_creds *creds = &c->a->act.creds;
	struct kept_creds *k;
	unsigned execs, changes;
	int r;

	if (!c->d->has_capabilities)
		return 0;
	if (!epoch)
		return look(c, creds);
	changes = atomic_load(&epoch->creds);
	execs = changes ? atomic_load(&epoch->execs) : 0;
	k = changes ? &c->t->creds : &c->d->creds;
	if (k->is_known && k->changes == changes && k->execs == execs &&
	    !(changes && atomic_load(&epoch->has_thread_exec))) {
		*creds = k->creds;
		return 0;
	}
	r = look(c, creds);
	if (r == 0)
		(void)keep(k, creds, execs, changes);
	return r;
}

void target_note_creds(struct decode *c)
{
	if (c->d->config.epoch)
		atomic_fetch_add(&c->d->config.epoch->creds, 1);
}
