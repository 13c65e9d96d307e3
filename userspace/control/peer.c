/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "action/action.h"
#include "approve/tty.h"
#include "base/io.h"

#include "control/peer.h"

#ifndef SO_PEERPIDFD /* Linux 6.5; glibc 2.39 */
#define SO_PEERPIDFD 77
#endif

#define STATUS_MAX_BYTES ((size_t)16384)
#define STAT_BYTES       1024 /* of /proc/PID/stat: far more than the fields up to tty_nr take */

void control_users_init(struct control_users *u, uid_t owner)
{
	u->owner = owner;
	user_name(owner, u->owner_name);
	user_name(0, u->root_name);
}

void control_peer_init(struct control_peer *p, int fd)
{
	struct ucred cred = {.uid = (uid_t)-1};
	socklen_t len = sizeof(cred);
	int pidfd = -1;

	*p = (struct control_peer){.pidfd = -1, .uid = (uid_t)-1};
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0 || cred.pid <= 0)
		return; /* pid 0: a process of a PID namespace that is not below ours */
	p->pid = cred.pid;
	p->uid = cred.uid;
	p->gid = cred.gid;
	len = sizeof(pidfd);
	/* Delete the fallback when Linux 6.5 is the floor. Both give O_CLOEXEC descriptors. */
	if (getsockopt(fd, SOL_SOCKET, SO_PEERPIDFD, &pidfd, &len) == 0)
		p->pidfd = pidfd;
	else if (errno == ENOPROTOOPT)
		p->pidfd = (int)syscall(SYS_pidfd_open, cred.pid, 0);
}

void control_peer_fini(struct control_peer *p)
{
	p->pidfd = fd_close(p->pidfd);
}

/* The pid that the kernel put on the packet; 0 when there is none. */
static pid_t sender_of(struct msghdr *msg)
{
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(msg);
	struct ucred cred;

	if (!cmsg || cmsg->cmsg_level != SOL_SOCKET || cmsg->cmsg_type != SCM_CREDENTIALS ||
	    cmsg->cmsg_len != CMSG_LEN(sizeof(cred)))
		return 0;
	memcpy(&cred, CMSG_DATA(cmsg), sizeof(cred));
	return cred.pid;
}

ssize_t control_peer_receive(int fd, void *buffer, size_t size, pid_t *ret_sender,
			     bool *ret_is_whole)
{
	/* No room for descriptors: the kernel drops what it cannot deliver (MSG_CTRUNC). */
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(sizeof(struct ucred))];
	} control;
	struct iovec iov = {.iov_base = buffer, .iov_len = size};
	struct msghdr msg = {.msg_iov = &iov,
			     .msg_iovlen = 1,
			     .msg_control = &control,
			     .msg_controllen = sizeof(control)};
	ssize_t len = recvmsg(fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);

	*ret_sender = len > 0 ? sender_of(&msg) : 0;
	*ret_is_whole = len > 0 && !(msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC));
	return len;
}

void control_peer_become(struct control_peer *p, pid_t pid)
{
	(void)fd_close(p->pidfd);
	p->pid = pid;
	p->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
}

static bool is_alive(int pidfd)
{
	struct pollfd poll_fd = {.fd = pidfd, .events = POLLIN};

	/* A pidfd is readable once its process has ended. */
	return pidfd >= 0 && poll(&poll_fd, 1, 0) == 0;
}

/* Return: 0 and how many seccomp filters @pid has, and whether it has no_new_privs; -errno. */
static int read_confinement(pid_t pid, uint64_t *ret_filters, uint64_t *ret_no_new_privs)
{
	_cleanup_(strbuf_fini) struct strbuf text = STRBUF_INIT(STATUS_MAX_BYTES);
	_cleanup_(fd_closep) int fd = -1;
	char path[64];
	int r;

	(void)snprintf(path, sizeof(path), "/proc/%d/status", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	r = io_read_all(fd, &text);
	if (r == 0)
		r = parse_status_field(strbuf_str(&text), "Seccomp_filters", ret_filters);
	if (r == 0)
		r = parse_status_field(strbuf_str(&text), "NoNewPrivs", ret_no_new_privs);
	return r;
}

static bool is_confined(pid_t pid)
{
	uint64_t own_filters, filters, no_new_privs;

	/* Relative to our own: in a container everybody, a person's shell too, has the container's
	 * filter. */
	if (read_confinement(getpid(), &own_filters, &no_new_privs) < 0 ||
	    read_confinement(pid, &filters, &no_new_privs) < 0)
		return true;
	return filters > own_filters && no_new_privs;
}

enum control_peer_verdict control_peer_check(const struct control_peer *p,
					     const struct control_users *u, pid_t supervisor)
{
	if (p->pid <= 0)
		return CONTROL_PEER_SESSION;
	/* The tree before the user: an agent that became another user is an agent still. */
	if (action_pid_descends_from(p->pid, supervisor) != 0)
		return CONTROL_PEER_SESSION;
	if (is_confined(p->pid))
		return CONTROL_PEER_CONFINED;
	if (!is_alive(p->pidfd))
		return CONTROL_PEER_SESSION;
	return p->uid == 0 || p->uid == u->owner ? CONTROL_PEER_OK : CONTROL_PEER_USER;
}

bool control_peer_is_inside(const struct control_peer *p, pid_t supervisor)
{
	/* In this order: see control_peer_check(). */
	return p->pid > 0 && p->pid != supervisor &&
	       action_pid_descends_from(p->pid, supervisor) == 1 && is_alive(p->pidfd);
}

bool control_peer_is_among(const struct control_peer *p, int fd, const char *const *approvers,
			   size_t n)
{
	_cleanup_(freep) gid_t *groups = calloc(NGROUPS_MAX, sizeof(*groups));
	socklen_t len = NGROUPS_MAX * sizeof(*groups);
	struct user_ids who = {.uid = p->uid, .gid = p->gid, .groups = groups};

	if (groups && getsockopt(fd, SOL_SOCKET, SO_PEERGROUPS, groups, &len) == 0)
		who.n_groups = len / sizeof(*groups);
	return user_is_among(&who, approvers, n);
}

/* Field 7 of /proc/PID/stat; 0 when it is unknown. Fields are counted from the last ')': the name
 * before it may hold anything. */
static unsigned controlling_tty(pid_t pid)
{
	char path[64], text[STAT_BYTES];
	_cleanup_(fd_closep) int fd = -1;
	const char *p;
	ssize_t len;
	int tty_nr;

	(void)snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	len = read(fd, text, sizeof(text) - 1);
	if (len <= 0)
		return 0;
	text[len] = '\0';
	p = strrchr(text, ')');
	if (!p || sscanf(p + 1, " %*c %*d %*d %*d %d", &tty_nr) != 1)
		return 0;
	return (unsigned)tty_nr;
}

void control_peer_describe(const struct control_peer *p, const struct control_users *u, char *out,
			   size_t size)
{
	char tty[TTY_NAME_MAX], name[USER_NAME_SIZE];

	if (p->uid != u->owner && p->uid != 0)
		user_name(p->uid, name);
	tty_name(controlling_tty(p->pid), tty);
	(void)snprintf(out, size, "%s (pid %d%s%s)",
		       p->uid == u->owner ? u->owner_name
		       : p->uid == 0      ? u->root_name
					  : name,
		       p->pid, tty[0] ? " on " : "", tty);
}
