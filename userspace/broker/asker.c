/* SPDX-License-Identifier: Apache-2.0 */
#include <poll.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/io.h"

#include "broker/asker.h"
#include "broker/program.h"

/* The program has to be told that it was too late before the session's own deadline says so:
 * a quarter of the time, but not more than this: a busy machine lets one wait that long. */
#define MARGIN_MAX_MS 1000

struct asker {
	const struct asker_config *config;
	bool is_over;
	struct program programs[ASKER_AT_ONCE];
};

/* One answer is a few hundred bytes, and there are at most as many as there were questions. */
static void send_answer(struct asker *a, const struct control_request *q)
{
	_cleanup_(strbuf_fini) struct strbuf b = STRBUF_INIT(ASKER_QUESTION_MAX);
	struct json j = JSON_INIT(&b);

	control_request_write(q, &j);
	if (strbuf_error(&b) || send(a->config->control, b.p, b.len, MSG_NOSIGNAL) < 0)
		a->is_over = true; /* then the session denies */
}

static struct program *find(struct asker *a, const char *id)
{
	for (size_t i = 0; i < ARRAY_SIZE(a->programs); i++)
		if (streq(a->programs[i].id, id))
			return &a->programs[i];
	return NULL;
}

static void refuse(struct asker *a, const char *id, int error)
{
	struct control_request q = {.op = CONTROL_DENY};
	int n = snprintf(q.reason, sizeof(q.reason), "The program could not be started: %s",
			 strerror(error));

	q.reason_len = (size_t)n;
	memcpy(q.id, id, HELD_ID_SIZE);
	send_answer(a, &q);
}

/* Return: false: not one that a session sends. */
static bool on_question(struct asker *a, const char *id, struct bytes rest)
{
	const char *newline = memchr(rest.p, '\n', rest.len);
	struct program *p = find(a, "");
	struct bytes question;
	uint64_t left_ms;
	int r;

	if (!newline || !p ||
	    parse_u64((struct bytes){rest.p, (size_t)(newline - rest.p)}, INT64_MAX / NS_PER_MSEC,
		      &left_ms) < 0)
		return false;
	question = (struct bytes){newline + 1, rest.len - (size_t)(newline + 1 - rest.p)};
	left_ms -= MIN(left_ms / 4, (uint64_t)MARGIN_MAX_MS);
	r = program_start(p, a->config->command, id, question,
			  clock_monotonic_ns() + left_ms * NS_PER_MSEC);
	if (r < 0)
		refuse(a, id, -r);
	return true;
}

/* "ask ID LEFT_MS\n{...}" or "end ID" */
static bool on_packet(struct asker *a, struct bytes packet)
{
	const size_t head = strlen("ask ") + HELD_ID_SIZE - 1;
	char id[HELD_ID_SIZE] = "";

	if (packet.len < head)
		return false;
	memcpy(id, packet.p + strlen("ask "), HELD_ID_SIZE - 1);
	if (!control_is_id(id))
		return false;
	if (bytes_has_prefix(packet, BYTES_LIT("end "))) {
		struct program *p = find(a, id);

		if (p)
			program_end(p);
		return true;
	}
	return bytes_has_prefix(packet, BYTES_LIT("ask ")) && packet.len > head + 1 &&
	       on_question(a, id, (struct bytes){packet.p + head + 1, packet.len - head - 1});
}

static void on_control(struct asker *a)
{
	char packet[ASKER_QUESTION_MAX];
	ssize_t n;

	while ((n = recv(a->config->control, packet, sizeof(packet), MSG_DONTWAIT)) > 0)
		if (!on_packet(a, (struct bytes){packet, (size_t)n}))
			a->is_over = true;
	if (n == 0 || (errno != EAGAIN && errno != EINTR))
		a->is_over = true;
}

static int wait_ms(const struct asker *a)
{
	uint64_t now_ns = clock_monotonic_ns(), next = UINT64_MAX;

	for (size_t i = 0; i < ARRAY_SIZE(a->programs); i++)
		if (a->programs[i].id[0])
			next = MIN(next, a->programs[i].deadline_ns);
	if (next == UINT64_MAX)
		return -1;
	return next <= now_ns ? 0 : (int)MIN((next - now_ns) / NS_PER_MSEC + 1, UINT64_C(86400000));
}

static int step(struct asker *a)
{
	struct pollfd fds[1 + ASKER_AT_ONCE * PROGRAM_FDS] = {
		{.fd = a->config->control, .events = POLLIN}};
	size_t n = 1;

	for (size_t i = 0; i < ARRAY_SIZE(a->programs); i++)
		n += program_poll(&a->programs[i], fds + n);
	if (poll(fds, n, wait_ms(a)) < 0)
		return errno == EINTR ? 0 : -errno;
	for (size_t i = 0; i < ARRAY_SIZE(a->programs); i++) {
		struct control_request q;

		if (program_step(&a->programs[i], clock_monotonic_ns(), &q))
			send_answer(a, &q);
	}
	if (fds[0].revents)
		on_control(a);
	return 0;
}

int asker_run(const struct asker_config *config)
{
	struct asker a = {.config = config};
	int r = 0;

	/* Who could trace it could answer with it. */
	if (prctl(PR_SET_DUMPABLE, 0) < 0)
		return -errno;
	while (r == 0 && !a.is_over)
		r = step(&a);
	for (size_t i = 0; i < ARRAY_SIZE(a.programs); i++)
		program_end(&a.programs[i]);
	return r;
}
