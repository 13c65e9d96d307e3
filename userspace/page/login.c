/* SPDX-License-Identifier: Apache-2.0 */
#include <sodium.h>

#include "base/clock.h"

#include "page/login.h"

void logins_init(struct logins *l)
{
	*l = (struct logins){};
	(void)pthread_mutex_init(&l->lock, NULL);
	guard_token_new(l->token);
}

void logins_fini(struct logins *l)
{
	(void)pthread_mutex_destroy(&l->lock);
	sodium_memzero(l, sizeof(*l));
}

void logins_token(struct logins *l, char out[static GUARD_TOKEN_SIZE])
{
	(void)pthread_mutex_lock(&l->lock);
	memcpy(out, l->token, GUARD_TOKEN_SIZE);
	(void)pthread_mutex_unlock(&l->lock);
}

bool logins_enter(struct logins *l, struct bytes token, struct login *ret)
{
	struct login *free_slot = &l->list[0];
	bool is_it;

	(void)pthread_mutex_lock(&l->lock);
	is_it = guard_token_is(l->token, token);
	if (is_it) {
		guard_token_new(l->token);
		for (size_t i = 1; i < LOGIN_MAX; i++)
			if (l->list[i].used_ns < free_slot->used_ns)
				free_slot = &l->list[i];
		guard_token_new(free_slot->cookie);
		guard_token_new(free_slot->csrf);
		free_slot->used_ns = clock_monotonic_ns();
		*ret = *free_slot;
	}
	(void)pthread_mutex_unlock(&l->lock);
	return is_it;
}

bool logins_find(struct logins *l, struct bytes cookie, struct login *ret)
{
	uint64_t now_ns = clock_monotonic_ns();
	bool is_there = false;

	(void)pthread_mutex_lock(&l->lock);
	/* All of them, so that the time says nothing of who it is. */
	for (size_t i = 0; i < LOGIN_MAX; i++) {
		struct login *who = &l->list[i];

		if (!who->used_ns || now_ns - who->used_ns > LOGIN_IDLE_NS ||
		    !guard_token_is(who->cookie, cookie))
			continue;
		who->used_ns = now_ns;
		*ret = *who;
		is_there = true;
	}
	(void)pthread_mutex_unlock(&l->lock);
	return is_there;
}

void logins_leave(struct logins *l, const struct login *who)
{
	(void)pthread_mutex_lock(&l->lock);
	for (size_t i = 0; i < LOGIN_MAX; i++)
		if (guard_token_is(l->list[i].cookie, bytes_of(who->cookie)))
			l->list[i] = (struct login){};
	(void)pthread_mutex_unlock(&l->lock);
}
