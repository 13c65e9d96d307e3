/* SPDX-License-Identifier: Apache-2.0 */
/*
 * flood CALLS RATE: so many sends to this machine and to 192.0.2.1 in turn, at most RATE a second.
 * Prints what came of them, and how many a second there were.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

static double now(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

int main(int argc, char **argv)
{
	static const char *const hosts[] = {"127.0.0.1", "192.0.2.1"};
	struct sockaddr_in to[2] = {{.sin_family = AF_INET, .sin_port = htons(9)},
				    {.sin_family = AF_INET, .sin_port = htons(9)}};
	const long calls = argc > 1 ? (long)atof(argv[1]) : 0;
	const double rate = argc > 2 ? atof(argv[2]) : 0;
	const int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	long passed = 0, refused = 0, no_room = 0, other = 0;
	double begin;

	if (calls < 1 || rate < 1 || s < 0)
		return 2;
	for (int i = 0; i < 2; i++)
		(void)inet_pton(AF_INET, hosts[i], &to[i].sin_addr);
	begin = now();
	for (long i = 0; i < calls; i++) {
		const ssize_t r =
			sendto(s, "", 0, 0, (const struct sockaddr *)&to[i % 2], sizeof(to[0]));

		/* Nobody listens there, which an earlier send may be told. */
		if (r >= 0 || errno == ECONNREFUSED)
			passed++;
		else if (errno == EACCES)
			refused++;
		else if (errno == ENOBUFS)
			no_room++;
		else
			other++;
		while (now() < begin + (double)i / rate)
			;
	}
	printf("passed=%ld refused=%ld no_room=%ld other=%ld rate=%.0f\n", passed, refused, no_room,
	       other, (double)calls / (now() - begin));
	return 0;
}
