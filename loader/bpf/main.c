/* SPDX-License-Identifier: Apache-2.0 */
/*
 * holdfast-loader: loads eBPF programs for one session, as loader/layers.h says. Its standard input
 * is the connection; when that closes, the process ends and the kernel takes away all it loaded.
 */
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include "loader/bpf/loader.h"

/* The largest message that is taken; one more byte would be seen as too long. */
#define REQUEST_MAX 256

static int answer(struct layers_header *message, uint32_t type, size_t size)
{
	*message = (struct layers_header){
		.version = LAYERS_VERSION, .type = type, .size = (uint32_t)size};
	return send(STDIN_FILENO, message, size, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

static int serve_probe(const struct layers_header *request)
{
	struct layers_probed probed = {};

	if (request->size != sizeof(*request))
		return -EPROTO;
	probe_all(probed.findings);
	return answer(&probed.header, LAYERS_PROBED, sizeof(probed));
}

static const struct {
	uint32_t type;
	int (*serve)(const struct layers_header *request);
} requests[] = {
	{LAYERS_PROBE, serve_probe},
};

static int serve(const struct layers_header *request, size_t received)
{
	if (received < sizeof(*request) || request->version != LAYERS_VERSION ||
	    request->size != received || request->reserved != 0)
		return -EPROTO;
	for (size_t i = 0; i < ARRAY_SIZE(requests); i++)
		if (requests[i].type == request->type)
			return requests[i].serve(request);
	return -EPROTO;
}

int main(int argc, char **argv)
{
	union {
		struct layers_header header;
		char bytes[REQUEST_MAX];
	} request;
	ssize_t n;
	int r;

	if (argc != 2 || !streq(argv[1], "--stdin")) {
		(void)fprintf(stderr, "holdfast-loader is started by holdfast; see holdfast(1)\n");
		return 2;
	}
	/* Whoever may trace us could take the descriptors of what is loaded. */
	(void)prctl(PR_SET_DUMPABLE, 0);
	words_install();
	while ((n = recv(STDIN_FILENO, &request, sizeof(request), MSG_TRUNC)) > 0) {
		r = (size_t)n > sizeof(request) ? -EPROTO : serve(&request.header, (size_t)n);
		if (r < 0)
			return EXIT_FAILURE;
	}
	return n < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
