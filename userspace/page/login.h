/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Who has been let in: the token of the next link, which works once, and the browsers that had one.
 */
#pragma once

#include <pthread.h>

#include "page/guard.h"

#define LOGIN_MAX     8 /* browsers at the same time; one more ends the one that is idle longest */
#define LOGIN_IDLE_NS (12 * 3600 * NS_PER_SEC)

struct login {
	char cookie[GUARD_TOKEN_SIZE];
	char csrf[GUARD_TOKEN_SIZE];
	uint64_t used_ns; /* 0: nobody */
};

struct logins {
	pthread_mutex_t lock;
	char token[GUARD_TOKEN_SIZE];
	struct login list[LOGIN_MAX];
};

void logins_init(struct logins *l);
void logins_fini(struct logins *l); /* wipes it */
/* The token of the next link. */
void logins_token(struct logins *l, char out[static GUARD_TOKEN_SIZE]);
/* Whether @token was that; then it is spent, there is another, and @ret is who is let in. */
bool logins_enter(struct logins *l, struct bytes token, struct login *ret);
/* Whether somebody has this cookie. */
bool logins_find(struct logins *l, struct bytes cookie, struct login *ret);
void logins_leave(struct logins *l, const struct login *who);
