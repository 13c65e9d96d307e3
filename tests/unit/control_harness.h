/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the tests of the control socket share. The test is the supervisor's main thread; clients are
 * its children. Whether a child is inside or outside of the session depends on which process the
 * server believes to be the supervisor: the test itself (then children are agents), or a bystander
 * (then they are not).
 */
#pragma once

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "control/client.h"
#include "control/server.h"
#include "control/socket.h"

#include "unit.h"

#define WAIT_NS (20 * NS_PER_SEC)

struct fixture {
	char dir[512]; /* the sockets' */
	char top[64];  /* what is removed at the end */
	pid_t bystander;
	struct held_table *held;
	struct control_server *server;
	/* What the operations were called with. */
	unsigned answers, attempts, reports;
	double amount;
	bool is_inside;
	char source[64];
	bool approve;
	enum answer_scope scope;
	struct answer_term term;
	char reason[64], approver[256], note[512];
};

/* ---- operations */

static _unused_ void keep(char *to, size_t size, struct bytes s)
{
	(void)snprintf(to, size, "%.*s", (int)s.len, s.p ? s.p : "");
}

static _unused_ int on_answer(void *arg, const struct control_answer *a,
			      struct control_outcome *ret)
{
	struct fixture *f = arg;
	struct held *h = held_table_take(f->held, a->id);

	if (!h)
		return -ENOENT;
	held_free(h);
	f->answers++;
	f->approve = a->approve;
	f->scope = a->scope;
	f->term = a->term;
	ret->answered = 1;
	keep(f->reason, sizeof(f->reason), a->reason);
	keep(f->approver, sizeof(f->approver), a->approver);
	control_server_note_end(f->server, a->id,
				a->approve ? CONTROL_END_APPROVED : CONTROL_END_DENIED,
				a->approver);
	return 0;
}

static _unused_ void on_status(void *arg, struct json *j)
{
	(void)arg;
	json_key_cstr(j, "agent", "tester");
}

static _unused_ void on_attempt(void *arg, struct bytes note)
{
	struct fixture *f = arg;

	f->attempts++;
	keep(f->note, sizeof(f->note), note);
}

static _unused_ void on_spend(void *arg, const struct control_report *report, struct json *j)
{
	struct fixture *f = arg;

	f->reports++;
	f->amount = report->amount;
	f->is_inside = report->is_inside;
	keep(f->source, sizeof(f->source), report->source);
	json_key_double(j, "spent", report->amount);
}

static _unused_ bool on_grant(void *arg, size_t i, struct json *j)
{
	(void)arg;
	if (i >= 3)
		return false;
	json_begin_object(j);
	json_key_u64(j, "place", i);
	json_end_object(j);
	return true;
}

static _unused_ int on_revoke(void *arg, const char *id, struct bytes approver,
			      struct control_outcome *ret)
{
	struct fixture *f = arg;

	(void)ret;
	keep(f->approver, sizeof(f->approver), approver);
	return streq(id, "aaaaaaaa") ? 0 : -ENOENT;
}

static _unused_ void on_why(void *arg, const char *id, struct json *j)
{
	(void)arg;
	json_key_cstr(j, "asked", id);
}

static const struct control_ops ops = {
	.answer = on_answer,
	.grant = on_grant,
	.revoke = on_revoke,
	.why = on_why,
	.status = on_status,
	.attempt = on_attempt,
	.spend = on_spend,
};

/* ---- fixture */

static _unused_ int try_server(struct fixture *f, pid_t supervisor, struct diag *d)
{
	const struct control_server_config config = {
		.runtime_dir = f->dir,
		.session = "s1",
		.supervisor = supervisor,
		.owner = getuid(),
		.held = f->held,
		.ops = &ops,
		.arg = f,
	};

	return control_server_new(&config, &f->server, d);
}

static _unused_ void setup_in(struct fixture *f, const char *below, bool is_agent)
{
	struct diag d = {};

	*f = (struct fixture){.top = "/tmp/holdfast-control-XXXXXX"};
	assert_non_null(mkdtemp(f->top));
	(void)snprintf(f->dir, sizeof(f->dir), "%s%s/holdfast", f->top, below);
	f->bystander = fork();
	if (f->bystander == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;)
			(void)pause();
	}
	assert_int_equal(held_table_new(3600 * NS_PER_SEC, &f->held), 0);
	if (try_server(f, is_agent ? getpid() : f->bystander, &d) < 0)
		fail_msg("%s: %s", d.file, d.message);
}

static _unused_ void setup(struct fixture *f, bool is_agent)
{
	setup_in(f, "", is_agent);
}

static _unused_ void remove_tree(const char *top, const char *dir)
{
	char path[512];

	(void)snprintf(path, sizeof(path), "%s", dir);
	while (strlen(path) >= strlen(top) && rmdir(path) == 0)
		*strrchr(path, '/') = '\0';
}

static _unused_ void teardown(struct fixture *f)
{
	int status;

	control_server_free(f->server);
	held_table_free(f->held);
	(void)kill(f->bystander, SIGKILL);
	(void)waitpid(f->bystander, &status, 0);
	remove_tree(f->top, f->dir);
	assert_int_equal(access(f->top, F_OK), -1); /* nothing was left behind */
}

static _unused_ void hold(struct fixture *f, struct bytes object, char id[static HELD_ID_SIZE])
{
	const struct audit_record r = {
		.pid = 99,
		.kind = KIND_PATH,
		.op = OP_WRITE,
		.object = object,
		.exe = object,
		.asked = object,
		.object2 = object,
		.cwd = object,
		.rule = BYTES_LIT("careful"),
	};

	assert_int_equal(held_table_add(f->held,
					&(struct held_request){.notif = {.id = 1}, .record = &r},
					id),
			 0);
}

/* Serves until @pid has exited. Return: its exit status. */
static _unused_ int serve(struct fixture *f, pid_t pid)
{
	uint64_t until = clock_monotonic_ns() + WAIT_NS;
	int pidfd = (int)syscall(SYS_pidfd_open, pid, 0), status;

	for (;;) {
		struct pollfd fds[] = {{.fd = control_server_fd(f->server), .events = POLLIN},
				       {.fd = pidfd, .events = POLLIN}};

		if (clock_monotonic_ns() > until) {
			(void)kill(pid, SIGKILL);
			fail_msg("the client does not end");
		}
		(void)poll(fds, 2, 1000);
		if (fds[0].revents)
			control_server_dispatch(f->server);
		else if (fds[1].revents)
			break;
	}
	fd_close(pidfd);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	return WEXITSTATUS(status);
}

typedef int (*client_fn)(const struct fixture *f, const void *arg);

/* Root finds the sessions of the whole machine below /run. Others find their own only, and may not
 * mount. */
static _unused_ void hide_sessions(void)
{
	if (unshare(CLONE_NEWNS) == 0 && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0)
		(void)mount("none", "/run", "tmpfs", 0, NULL);
}

/* @fn in a child, whose exit status its result is. */
static _unused_ int client(struct fixture *f, client_fn fn, const void *arg)
{
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
		(void)alarm(60);
		hide_sessions();
		(void)setenv("XDG_RUNTIME_DIR", f->top, 1);
		_exit(fn(f, arg));
	}
	return serve(f, pid);
}

/* ---- raw clients: 100 + CONTROL_E_*, 0 ok, 1 the end of the connection, 2 anything else */

static _unused_ int raw_connect(const struct fixture *f)
{
	int dirfd = open(f->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	struct sockaddr_un a;

	if (control_socket_address(dirfd, f->dir, "s1.sock", &a) < 0 ||
	    connect(fd, (const struct sockaddr *)&a, sizeof(a)) < 0)
		_exit(90);
	return fd;
}

static _unused_ int raw_reply(int fd)
{
	static char packet[CONTROL_PACKET_MAX + 1];
	ssize_t n = recv(fd, packet, sizeof(packet), 0);
	const char *error;
	json_t *root;

	if (n <= 0)
		return 1;
	root = json_loadb(packet, (size_t)n, 0, NULL);
	if (!root || (size_t)n > CONTROL_PACKET_MAX)
		return 2;
	if (json_is_true(json_object_get(root, "ok")))
		return 0;
	error = json_string_value(json_object_get(root, "error"));
	return error ? 100 + (int)control_error_parse(error) : 2;
}

static _unused_ int raw_call(int fd, struct bytes packet)
{
	if (send(fd, packet.p, packet.len, MSG_NOSIGNAL) < 0)
		return 1;
	return raw_reply(fd);
}

static const char status_request[] = "{\"v\":1,\"op\":\"status\"}";

static _unused_ int send_twice(const struct fixture *f, const void *arg)
{
	const struct bytes *packet = arg;
	int fd = raw_connect(f), r = raw_reply(fd);

	if (r)
		return r;
	r = raw_call(fd, *packet);
	/* After an error the connection is over. */
	if (r && raw_call(fd, bytes_of(status_request)) != 1)
		return 3;
	return r;
}

static _unused_ int greet(const struct fixture *f, const void *arg)
{
	(void)arg;
	return raw_reply(raw_connect(f));
}
