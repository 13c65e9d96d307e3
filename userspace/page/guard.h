/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the page's server looks at before it believes a request: pure functions over the bytes that
 * came. They know nothing of sockets, and of HTTP no more than the headers they are handed.
 *
 * The browser is the user's, but the pages in it are not: any site may send requests to a loopback
 * port (so Origin and the CSRF token), may have its own name point there (so Host), and a program
 * of the agent may serve one on the next port, which is the same site to a browser (so the cookie
 * is tied to a path that nobody can guess, and SameSite is not relied on).
 */
#pragma once

#include <sys/socket.h>

#include "base/strbuf.h"

#define GUARD_TOKEN_BYTES 32
#define GUARD_TOKEN_LEN   (2 * GUARD_TOKEN_BYTES) /* as hexadecimal digits */
#define GUARD_TOKEN_SIZE  (GUARD_TOKEN_LEN + 1)
#define GUARD_NAME_MAX    128 /* of a session */

/* A random token as hexadecimal digits. */
void guard_token_new(char out[static GUARD_TOKEN_SIZE]);
/* In constant time for all @given of the right length. @given may be NULL. */
bool guard_token_is(const char expected[static GUARD_TOKEN_SIZE], struct bytes given);

/* Where we listen. */
struct guard_place {
	struct sockaddr_storage address;
	uint16_t port;
	bool is_loopback;
	bool is_any; /* all of the machine's addresses */
};

/* Reads what --listen was given: "127.0.0.1", "::1", "0.0.0.0". Return: 0, -EINVAL: no address. */
int guard_place_parse(const char *address, uint16_t port, struct guard_place *ret);
/*
 * Whether the Host header @host names us: by address and port, or, on loopback, as "localhost". A
 * name is never ours otherwise, whatever it resolves to (DNS rebinding). On all addresses any
 * address does: rebinding takes a name.
 */
bool guard_host_is_ours(const struct guard_place *p, const char *host);
/* Whether @origin is the page's own: "http://" and the @host of the same request, which is ours. */
bool guard_origin_is_ours(const char *origin, const char *host);
/* Whether Fetch Metadata (NULL: an old browser, or none) says that another page has sent the
 * request. @is_navigation: it may be the user's own doing, too. */
bool guard_fetch_is_ours(const char *sec_fetch_site, bool is_navigation);
/* The value of the cookie @name in the header @cookies; the first of that name whose length is a
 * token's. .p NULL: none. Borrows. */
struct bytes guard_cookie(const char *cookies, const char *name);
/* Whether @name can be a session's: letters, digits, '-', '_', '.', not first. */
bool guard_is_session_name(const char *name);

struct guard_connection {
	uint64_t inode; /* 0: no process holds the socket any more */
	uint32_t uid;   /* who made it */
};

/*
 * Finds the socket at the other end of our connection from @peer to @ours in one line of
 * /proc/net/tcp (of tcp6 for IPv6 addresses). Return: true when the line is about it.
 */
bool guard_tcp_line(const char *line, const struct sockaddr *peer, const struct sockaddr *ours,
		    struct guard_connection *ret);
