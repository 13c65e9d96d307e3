/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The web page of `holdfast page`: a server of its own process, on loopback unless it is told
 * otherwise, that shows sessions and takes answers to held actions. To the sessions it is one more
 * client of their control sockets, with no more rights than its user's.
 *
 * Threads: the server's (microhttpd, epoll), the feed's, the pool's. The first two never wait for a
 * session, a log or a browser.
 */
#pragma once

#include "base/diag.h"

struct page_config {
	const char *address; /* an IP address */
	uint16_t port;       /* 0: any that is free */
	const char *program; /* the holdfast program's path; outlives the page */
	/* Somebody was let in, and the link is another one now; the line is for the user. Any
	 * thread. */
	void (*on_link)(void *arg, const char *url);
	/* Somebody was refused who is in a session: one line of clean ASCII. */
	void (*on_attempt)(void *arg, const char *line);
	void *arg;
};

struct page;

/* Return: 0, -errno with @reterr_diag. */
int page_new(const struct page_config *config, struct page **ret,
	     struct diag *reterr_diag) _must_check_;
struct page *page_free(struct page *p); /* NULL-safe; wipes the tokens. Return: NULL */
/* The link that lets a browser in, once; a heap string, NULL: out of memory. */
char *page_link(struct page *p);
bool page_is_loopback(const struct page *p);
