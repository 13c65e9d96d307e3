/* SPDX-License-Identifier: Apache-2.0 */
/*
 * holdfast-loader: loads eBPF programs for sessions, as loader/layers.h says. Started by
 * `holdfast`, its standard input is the connection; when that closes, the process ends and the
 * kernel takes away what it loaded. Started by systemd or by hand, it is the service:
 * docs/loader.md.
 */
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>

#include "base/io.h"

#include "loader/bpf/connection.h"
#include "loader/bpf/loader.h"
#include "loader/bpf/service.h"

#define ACTIVATED_FD     3 /* sd_listen_fds(3) */
#define DEFAULT_SESSIONS 512
#define DEFAULT_PER_USER 128
#define BACKLOG          128

static const char usage[] =
	"usage: holdfast-loader --service | --listen SOCKET [--sessions N] [--sessions-per-user N]\n"
	"       holdfast-loader --stdin    (started by holdfast; see holdfast(1))\n";

struct options {
	bool is_stdin, is_activated;
	const char *listen;
	uint64_t sessions, per_user;
};

static int fail(const char *what, int r)
{
	(void)fprintf(stderr, "holdfast-loader: %s: %s\n", what, strerror(-r));
	return EXIT_FAILURE;
}

/*
 * Out of the terminal's job, whose signals are not for us, and with nothing of it open: a pipe that
 * we kept would not end with the command.
 */
static int leave(void)
{
	_cleanup_(fd_closep) int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	sigset_t all;

	(void)sigfillset(&all);
	(void)sigprocmask(SIG_BLOCK, &all, NULL);
	(void)setsid();
	if (null < 0 || dup3(null, STDOUT_FILENO, 0) < 0 || dup3(null, STDERR_FILENO, 0) < 0)
		return -errno;
	(void)syscall(__NR_close_range, STDERR_FILENO + 1U, ~0U, 0U);
	null = -1;
	return chdir("/") < 0 ? -errno : 0;
}

static int serve_stdin(void)
{
	static struct net_place net_place;
	static struct lsm_place lsm_place;
	struct net_programs net_programs = {};
	struct lsm_programs lsm_programs = {};
	struct net_layers net = NET_LAYERS_NONE;
	struct lsm_layers lsm = LSM_LAYERS_NONE;
	const struct connection_config config = {.socket = STDIN_FILENO, .net = &net, .lsm = &lsm};

	net.programs = &net_programs;
	net.place = &net_place;
	lsm.programs = &lsm_programs;
	lsm.place = &lsm_place;
	return leave() < 0 || connection_serve(&config) < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}

/* Of a directory that is not there, as /run is empty at boot. */
static void make_directory_of(const char *path)
{
	_cleanup_(freep) char *directory = strndup(path, (size_t)(strrchr(path, '/') - path));

	/* What is wrong with it the socket will tell. */
	if (directory && *directory)
		(void)mkdir(directory, 0755);
}

/* Listens before the name is there: who finds it is not refused. Return: the socket, -errno. */
static int listen_at(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	_cleanup_(fd_closep) int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	int n = snprintf(address.sun_path, sizeof(address.sun_path), "%s.%d", path, getpid());

	if (fd < 0)
		return -errno;
	if (n < 0 || n >= (int)sizeof(address.sun_path))
		return -ENAMETOOLONG;
	if (strchr(path, '/'))
		make_directory_of(path);
	if (bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0)
		return -errno;
	/* For everybody: what is given to whom does not depend on who may connect. */
	if (chmod(address.sun_path, 0666) < 0 || listen(fd, BACKLOG) < 0 ||
	    rename(address.sun_path, path) < 0) {
		int r = -errno;

		(void)unlink(address.sun_path);
		return r;
	}
	return TAKE_FD(fd);
}

/* The one socket that systemd has given us: sd_listen_fds(3). Return: it, -errno. */
static int find_activated(void)
{
	const char *pid = getenv("LISTEN_PID"), *fds = getenv("LISTEN_FDS");
	uint64_t n;

	if (!pid || !fds || parse_u64(bytes_of(pid), INT_MAX, &n) < 0 || (pid_t)n != getpid() ||
	    !streq(fds, "1"))
		return -ENOTCONN;
	return fcntl(ACTIVATED_FD, F_SETFD, FD_CLOEXEC) < 0 ? -errno : ACTIVATED_FD;
}

static int serve_all(const struct options *o)
{
	struct service_config config = {
		.max_sessions = (uint32_t)o->sessions,
		.max_per_user = (uint32_t)o->per_user,
		.ends_idle = o->is_activated,
	};
	int r;

	config.socket = o->is_activated ? find_activated() : listen_at(o->listen);
	if (config.socket < 0)
		return fail(o->is_activated ? "no socket from systemd" : o->listen, config.socket);
	r = service_run(&config);
	return r < 0 ? fail("cannot go on", r) : EXIT_SUCCESS;
}

static bool parse_options(int argc, char **argv, struct options *ret)
{
	static const struct option options[] = {
		{"stdin", no_argument, NULL, 'i'},
		{"service", no_argument, NULL, 'a'},
		{"listen", required_argument, NULL, 'l'},
		{"sessions", required_argument, NULL, 's'},
		{"sessions-per-user", required_argument, NULL, 'u'},
		{},
	};
	bool is_right = true;

	for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
		uint64_t *n = c == 's' ? &ret->sessions : &ret->per_user;

		if (c == 'i')
			ret->is_stdin = true;
		else if (c == 'a')
			ret->is_activated = true;
		else if (c == 'l')
			ret->listen = optarg;
		else if (c == '?' || parse_u64(bytes_of(optarg), SERVICE_SESSIONS_MAX, n) < 0)
			is_right = false;
	}
	return is_right && optind == argc && ret->is_stdin + ret->is_activated + !!ret->listen == 1;
}

int main(int argc, char **argv)
{
	struct options options = {.sessions = DEFAULT_SESSIONS, .per_user = DEFAULT_PER_USER};

	if (!parse_options(argc, argv, &options)) {
		(void)fputs(usage, stderr);
		return 2;
	}
	/* Whoever may trace us could take the descriptors of what is loaded. */
	(void)prctl(PR_SET_DUMPABLE, 0);
	words_install();
	return options.is_stdin ? serve_stdin() : serve_all(&options);
}
