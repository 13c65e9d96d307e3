/* SPDX-License-Identifier: Apache-2.0 */
/*
 * seccomp notification (seccomp_unotify(2)), tried on a child that loads a filter for one call,
 * getppid, and makes it. The parent answers, as a supervisor does; the child sees the answer.
 */
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "loader/features.h"
#include "loader/probe.h"

/* Linux 5.19, 5.14; the headers may be older. */
#ifndef SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV
#define SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV (1UL << 5)
#endif
#ifndef SECCOMP_ADDFD_FLAG_SEND
#define SECCOMP_ADDFD_FLAG_SEND (1UL << 1)
#endif

#define ANSWER      4242 /* no pid that getppid would give by chance */
#define PATIENCE_MS 5000

struct trial {
	unsigned long filter_flags;
	/* Answers @notif on @listener. Return: 0, -errno. */
	int (*answer)(int listener, const struct seccomp_notif *notif);
	/* Exit status of the child, from what getppid gave it. */
	int (*check)(long result);
	int socket[2];
};

static int load(unsigned long flags)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_getppid, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_USER_NOTIF),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	const struct sock_fprog program = {.len = ARRAY_SIZE(code), .filter = code};

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	return (int)syscall(__NR_seccomp, SECCOMP_SET_MODE_FILTER,
			    SECCOMP_FILTER_FLAG_NEW_LISTENER | flags, &program);
}

static int send_listener(int socket, int listener)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = {};
	int error = listener < 0 ? errno : 0;
	struct iovec iov = {.iov_base = &error, .iov_len = sizeof(error)};
	struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};
	struct cmsghdr *head;

	if (listener >= 0) {
		message.msg_control = &control;
		message.msg_controllen = sizeof(control);
		head = CMSG_FIRSTHDR(&message);
		*head = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof(int)),
					 .cmsg_level = SOL_SOCKET,
					 .cmsg_type = SCM_RIGHTS};
		memcpy(CMSG_DATA(head), &listener, sizeof(listener));
	}
	return sendmsg(socket, &message, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

/* Return: a descriptor, -errno: why the child has none. */
static int receive_listener(int socket)
{
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = {};
	int error = 0;
	int fd;
	struct iovec iov = {.iov_base = &error, .iov_len = sizeof(error)};
	struct msghdr message = {.msg_iov = &iov,
				 .msg_iovlen = 1,
				 .msg_control = &control,
				 .msg_controllen = sizeof(control)};

	if (recvmsg(socket, &message, MSG_CMSG_CLOEXEC) != (ssize_t)sizeof(error))
		return -EPROTO;
	if (error)
		return -error;
	if (!CMSG_FIRSTHDR(&message))
		return -EPROTO;
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof(fd));
	return fd;
}

static void child(const struct trial *trial)
{
	int listener;

	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	listener = load(trial->filter_flags);
	if (send_listener(trial->socket[1], listener) < 0 || listener < 0)
		_exit(1);
	(void)close(listener);
	_exit(trial->check(syscall(__NR_getppid)));
}

static int serve(const struct trial *trial, int listener)
{
	struct pollfd pollfd = {.fd = listener, .events = POLLIN};
	struct seccomp_notif notif = {};

	if (poll(&pollfd, 1, PATIENCE_MS) != 1)
		return -ETIMEDOUT;
	if (ioctl(listener, SECCOMP_IOCTL_NOTIF_RECV, &notif) < 0)
		return -errno;
	return trial->answer(listener, &notif);
}

/* Return: 0: the child got what it was answered; -errno. */
static int try(struct trial *trial)
{
	_cleanup_(fd_closep) int listener = -1;
	int status;
	pid_t pid;
	int r;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, trial->socket) < 0)
		return -errno;
	pid = fork();
	if (pid == 0)
		child(trial);
	r = pid < 0 ? -errno : 0;
	(void)fd_close(trial->socket[1]);
	if (r == 0) {
		listener = receive_listener(trial->socket[0]);
		r = listener < 0 ? listener : serve(trial, listener);
		if (r < 0)
			(void)kill(pid, SIGKILL);
		while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
			;
		if (r == 0 && status != 0)
			r = -EBADMSG;
	}
	(void)fd_close(trial->socket[0]);
	return r;
}

static int answer_value(int listener, const struct seccomp_notif *notif)
{
	struct seccomp_notif_resp answer = {.id = notif->id, .val = ANSWER};

	return ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &answer) < 0 ? -errno : 0;
}

static int answer_descriptor(int listener, const struct seccomp_notif *notif)
{
	struct seccomp_notif_addfd add = {
		.id = notif->id, .flags = SECCOMP_ADDFD_FLAG_SEND, .srcfd = (__u32)listener};

	return ioctl(listener, SECCOMP_IOCTL_NOTIF_ADDFD, &add) < 0 ? -errno : 0;
}

static int answer_sync(int listener, const struct seccomp_notif *notif)
{
	int r = features_set_sync_wake_up(listener, true) ? 0 : -errno;

	return r < 0 ? r : answer_value(listener, notif);
}

static int is_value(long result)
{
	return result != ANSWER;
}

static int is_descriptor(long result)
{
	return result < 0 || fcntl((int)result, F_GETFD) < 0;
}

/* What the trial came to; @since: the version that brought it. */
static void tell(struct trial trial, const char *since, struct probe_result *ret)
{
	char text[PROBE_TEXT_MAX];
	int r = try(&trial);

	if (r == 0)
		return probe_set(ret, PROBE_YES, "", "");
	if (r == -EBUSY)
		return probe_set(ret, PROBE_NO, "another supervisor watches this process already",
				 "run it outside of that supervisor");
	if (r == -EBADMSG)
		return probe_set(ret, PROBE_BROKEN, "the call was answered with something else",
				 "");
	(void)snprintf(text, sizeof(text), "a kernel of Linux %s or later", since);
	probe_set(ret, PROBE_NO, strerror(-r), text);
}

void probe_notification(struct probe_context *context _unused_, struct probe_result *ret)
{
	tell((struct trial){.answer = answer_value, .check = is_value},
	     "5.5 with CONFIG_SECCOMP_FILTER=y", ret);
}

void probe_wait_killable(struct probe_context *context _unused_, struct probe_result *ret)
{
	tell((struct trial){.filter_flags = SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV,
			    .answer = answer_value,
			    .check = is_value},
	     "5.19", ret);
}

void probe_inject(struct probe_context *context _unused_, struct probe_result *ret)
{
	tell((struct trial){.answer = answer_descriptor, .check = is_descriptor}, "5.14", ret);
}

void probe_sync_wake_up(struct probe_context *context _unused_, struct probe_result *ret)
{
	tell((struct trial){.answer = answer_sync, .check = is_value}, "6.6", ret);
}
