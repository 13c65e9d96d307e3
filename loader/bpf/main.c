/* SPDX-License-Identifier: Apache-2.0 */
/*
 * holdfast-loader: loads eBPF programs for one session, as loader/layers.h says. Its standard input
 * is the connection; when that closes, the process ends and the kernel takes away all it loaded.
 */
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include "loader/bpf/loader.h"
#include "loader/bpf/net.h"
#include "loader/bpf/session.h"

#define REQUEST_MAX 256

struct loader {
	struct session_layers session;
	struct net_layers net;
	int passed; /* the descriptor that came with the request; -1: none, or it was taken */
};

static int answer(struct layers_header *message, uint32_t type, size_t size, const int *fds,
		  size_t n_fds)
{
	*message = (struct layers_header){
		.version = LAYERS_VERSION, .type = type, .size = (uint32_t)size};
	return layers_send(STDIN_FILENO, message, fds, n_fds);
}

static int serve_probe(struct loader *loader, const struct layers_header *request _unused_)
{
	struct layers_probed probed = {};

	if (loader->session.sight || loader->net.programs)
		return -EPROTO;
	probe_all(probed.findings);
	return answer(&probed.header, LAYERS_PROBED, sizeof(probed), NULL, 0);
}

static int serve_start(struct loader *loader, const struct layers_header *request _unused_)
{
	struct layers_started started = {};
	int fds[_LAYERS_FD_MAX];

	if (loader->session.sight || loader->passed < 0)
		return -EPROTO;
	started.error =
		session_start(&loader->session, TAKE_FD(loader->passed), fds, started.reason);
	return answer(&started.header, LAYERS_STARTED, sizeof(started), fds,
		      started.error ? 0 : ARRAY_SIZE(fds));
}

static int serve_seal(struct loader *loader, const struct layers_header *request _unused_)
{
	struct layers_header sealed;
	int r;

	if (!loader->session.sight || loader->session.supervisor < 0)
		return -EPROTO;
	r = session_seal(&loader->session);
	return r < 0 ? r : answer(&sealed, LAYERS_SEALED, sizeof(sealed), NULL, 0);
}

static int serve_net(struct loader *loader, const struct layers_header *request)
{
	struct layers_started started = {};
	int fds[_LAYERS_NET_FD_MAX];

	if (loader->net.programs || loader->passed < 0)
		return -EPROTO;
	started.error = net_start(&loader->net, (const struct layers_net *)request, loader->passed,
				  fds, started.reason);
	return answer(&started.header, LAYERS_NETTED, sizeof(started), fds,
		      started.error ? 0 : ARRAY_SIZE(fds));
}

static const struct {
	uint32_t type;
	size_t size;
	int (*serve)(struct loader *loader, const struct layers_header *request);
} requests[] = {
	{LAYERS_PROBE, sizeof(struct layers_header), serve_probe},
	{LAYERS_START, sizeof(struct layers_header), serve_start},
	{LAYERS_SEAL, sizeof(struct layers_header), serve_seal},
	{LAYERS_NET, sizeof(struct layers_net), serve_net},
};

/* Each request has its size; some come with a descriptor. */
static int serve(struct loader *loader, const struct layers_header *request, size_t received)
{
	if (received < sizeof(*request) || request->version != LAYERS_VERSION ||
	    request->size != received || request->reserved != 0)
		return -EPROTO;
	for (size_t i = 0; i < ARRAY_SIZE(requests); i++)
		if (requests[i].type == request->type && requests[i].size == received)
			return requests[i].serve(loader, request);
	return -EPROTO;
}

/*
 * Out of the terminal's job, whose signals are not for us, and with nothing of it open: a pipe that
 * we kept would not end with the command. Whoever may trace us could take the descriptors of what
 * is loaded.
 */
static int leave(void)
{
	_cleanup_(fd_closep) int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	sigset_t all;

	(void)sigfillset(&all);
	(void)sigprocmask(SIG_BLOCK, &all, NULL);
	(void)setsid();
	(void)prctl(PR_SET_DUMPABLE, 0);
	if (null < 0 || dup3(null, STDOUT_FILENO, 0) < 0 || dup3(null, STDERR_FILENO, 0) < 0)
		return -errno;
	(void)syscall(__NR_close_range, STDERR_FILENO + 1U, ~0U, 0U);
	null = -1;
	return chdir("/") < 0 ? -errno : 0;
}

int main(int argc, char **argv)
{
	struct loader loader = {.session.supervisor = -1, .net.cgroup = -1, .passed = -1};
	char request[REQUEST_MAX] __attribute__((aligned(8)));
	ssize_t n;
	int r;

	if (argc != 2 || !streq(argv[1], "--stdin")) {
		(void)fprintf(stderr, "holdfast-loader is started by holdfast; see holdfast(1)\n");
		return 2;
	}
	if (leave() < 0)
		return EXIT_FAILURE;
	words_install();
	while ((n = layers_receive(STDIN_FILENO, request, sizeof(request), &loader.passed, 1)) >
	       0) {
		r = serve(&loader, (const struct layers_header *)request, (size_t)n);
		loader.passed = fd_close(loader.passed);
		if (r < 0)
			break;
	}
	net_end(&loader.net);
	return n != 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
