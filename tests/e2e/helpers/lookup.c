/* SPDX-License-Identifier: Apache-2.0 */
/* lookup NAME: its first address, as the C library finds it. */
#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>

int main(int argc, char **argv)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found;
	char text[NI_MAXHOST];
	int r = argc == 2 ? getaddrinfo(argv[1], "80", &hints, &found) : EAI_NONAME;

	if (r == 0)
		r = getnameinfo(found->ai_addr, found->ai_addrlen, text, sizeof(text), NULL, 0,
				NI_NUMERICHOST);
	puts(r ? gai_strerror(r) : text);
	return r != 0;
}
