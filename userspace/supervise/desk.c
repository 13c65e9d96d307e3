/* SPDX-License-Identifier: Apache-2.0 */
#include <sys/socket.h>

#include "supervise/desk.h"

static void desk_fini(struct desk *d)
{
	engine_free(d->engine);
	redact_scratch_free(d->scratch);
	*d = (struct desk){};
}

int desk_start(struct desk *d, struct supervise *s, int socket, void *(*entry)(void *arg),
	       void *arg)
{
	int r;

	*d = (struct desk){.supervise = s, .socket = socket};
	r = engine_new(&s->config.engine, &d->engine);
	if (r == 0 && s->config.redact) {
		d->scratch = redact_scratch_new();
		r = d->scratch ? 0 : -ENOMEM;
	}
	if (r == 0)
		r = -pthread_create(&d->thread, NULL, entry, arg);
	if (r < 0)
		desk_fini(d);
	return r;
}

void desk_stop(struct desk *d)
{
	(void)shutdown(d->socket, SHUT_RDWR);
	(void)pthread_join(d->thread, NULL);
	desk_fini(d);
}
