/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bind(2) to a path. The kernel makes a file and keeps the text of the path, which getsockname(2)
 * and every peer are shown: so it has to be the agent's own text, and it is walked once more. That
 * the file is made where it was judged, although links and directories on the way may change, is
 * seen to in one of these ways:
 *
 * - A text of one component is bound from the pinned directory: there is nothing to walk.
 * - Any other is bound by a thread that Landlock lets make sockets in and below the pinned
 *   directory only, and looked at afterwards. One that went astray below it is shut down.
 * - Where the agent's root is another, a child that has that root does the same.
 * - Without Landlock, or where that root cannot be had, the path leads through the pinned
 *   directory's descriptor. Then the text is not the agent's.
 */
#include <fcntl.h>
#include <linux/landlock.h>
#include <pthread.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>

#include "behalf/network_private.h"

struct bind_order {
	const struct action *a;
	bool is_confined; /* returned: Landlock did its part */
	int result;
};

static int bind_verbatim(const struct action *a)
{
	const struct act_network *net = &a->act.network;

	return bind(net->socket, (const struct sockaddr *)net->address.p,
		    (socklen_t)net->address.len) < 0
		       ? -errno
		       : 0;
}

/* From now on this thread makes sockets in @parent and below only. */
static int confine(int parent)
{
	const struct landlock_ruleset_attr attr = {.handled_access_fs =
							   LANDLOCK_ACCESS_FS_MAKE_SOCK};
	const struct landlock_path_beneath_attr beneath = {
		.allowed_access = LANDLOCK_ACCESS_FS_MAKE_SOCK, .parent_fd = parent};
	_cleanup_(fd_closep) int ruleset = -1;

	ruleset = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof(attr), 0);
	if (ruleset < 0 ||
	    syscall(SYS_landlock_add_rule, ruleset, LANDLOCK_RULE_PATH_BENEATH, &beneath, 0) < 0 ||
	    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 ||
	    syscall(SYS_landlock_restrict_self, ruleset, 0) < 0)
		return -errno;
	return 0;
}

static void *bind_confined(void *arg)
{
	struct bind_order *o = arg;

	o->is_confined = confine(o->a->act.pin.parent) == 0;
	if (o->is_confined)
		o->result = bind_verbatim(o->a);
	return NULL;
}

/* Is the socket that was bound at the place that was judged? One elsewhere is of no use to anybody:
 * nothing can be received by it, and nobody can connect to it. */
static int check_place(const struct action *a)
{
	const struct act_pin *pin = &a->act.pin;
	struct stat st;

	if (fstatat(pin->parent, pin->name.p, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
	    S_ISSOCK(st.st_mode))
		return 0;
	(void)shutdown(a->act.network.socket, SHUT_RDWR);
	return -EACCES;
}

static int bind_by_descriptor(const struct action *a)
{
	const struct act_pin *pin = &a->act.pin;
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	int n = snprintf(un.sun_path, sizeof(un.sun_path), "/proc/self/fd/%d/%s%s", pin->parent,
			 pin->name.p, pin->wants_directory ? "/" : "");

	if (n < 0 || (size_t)n >= sizeof(un.sun_path))
		return -ENAMETOOLONG;
	return bind(a->act.network.socket, (const struct sockaddr *)&un, sizeof(un)) < 0 ? -errno
											 : 0;
}

static int bind_from_thread(const struct action *a)
{
	struct bind_order o = {.a = a};
	pthread_t thread;

	if (pthread_create(&thread, NULL, bind_confined, &o) != 0)
		return -ENOMEM;
	(void)pthread_join(thread, NULL); /* fails for no thread of ours */
	if (!o.is_confined)
		return bind_by_descriptor(a);
	return o.result < 0 ? o.result : check_place(a);
}

static int bind_in(struct behalf *b, const struct action *a)
{
	const struct act_network *net = &a->act.network;
	const char *path = net->address.p + offsetof(struct sockaddr_un, sun_path);
	size_t len = net->address.len - offsetof(struct sockaddr_un, sun_path);
	bool is_name = !memchr(path, '/', strnlen(path, len));
	int dir = is_name ? a->act.pin.parent : a->act.pin2.parent;
	int r;

	/* The thread that binds shares these two with us. */
	r = behalf_take_umask(b, a->tid);
	if (r < 0)
		return r;
	if (dir >= 0 && fchdir(dir) < 0)
		return -errno;
	if (is_name)
		return bind_verbatim(a);
	return net->root >= 0 ? bind_by_descriptor(a) : bind_from_thread(a);
}

/* In a child of its own. */
static int bind_in_root(struct behalf *b, const struct action *a, void *arg)
{
	struct bind_order *o = arg;

	(void)b;
	o->is_confined = confine(a->act.pin.parent) == 0;
	if (o->is_confined)
		o->result = bind_verbatim(a);
	return 0;
}

int network_bind_elsewhere(struct behalf *b, const struct action *a)
{
	const struct act_network *net = &a->act.network;
	struct bind_order o = {.a = a};

	if (net->root < 0 || a->act.pin.parent < 0 ||
	    behalf_call_in_root(b, a, net->root, bind_in_root, &o) < 0 || !o.is_confined)
		return NETWORK_BIND_HERE;
	return o.result < 0 ? o.result : check_place(a);
}

int network_bind_path(struct behalf *b, const struct action *a)
{
	const struct act_pin *pin = &a->act.pin;
	int r;

	if (pin->parent < 0) /* "." and the like are there already */
		return pin->error ? -pin->error : -EADDRINUSE;
	r = bind_in(b, a);
	/* Not to keep a file system busy. */
	if (chdir("/") < 0 && r == 0)
		return -errno;
	return r;
}
