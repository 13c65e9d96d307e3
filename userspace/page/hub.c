/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>

#include "page/hub.h"

#define BLOCK_BYTES  ((size_t)16 * 1024)
#define NOTICE_BYTES 128 /* kept free for telling how many events were lost */

struct listener {
	struct hub *hub;
	struct MHD_Connection *connection;
	struct strbuf buffer;
	uint64_t n_lost;
	bool is_suspended;
	bool is_used;
};

struct hub {
	pthread_mutex_t lock;
	bool is_closed;
	struct listener listeners[HUB_LISTENERS_MAX];
};

int hub_new(struct hub **ret)
{
	struct hub *h = calloc(1, sizeof(*h));

	if (!h)
		return -ENOMEM;
	(void)pthread_mutex_init(&h->lock, NULL);
	*ret = h;
	return 0;
}

struct hub *hub_free(struct hub *h)
{
	if (h)
		(void)pthread_mutex_destroy(&h->lock);
	free(h);
	return NULL;
}

/* In the server's thread. It must return something, or suspend: zero alone would make it spin. */
static ssize_t read_listener(void *arg, uint64_t position, char *out, size_t max)
{
	struct listener *l = arg;
	ssize_t n;

	(void)position;
	(void)pthread_mutex_lock(&l->hub->lock);
	n = (ssize_t)MIN(l->buffer.len, max);
	if (n) {
		memcpy(out, l->buffer.p, (size_t)n);
		memmove(l->buffer.p, l->buffer.p + n, l->buffer.len - (size_t)n);
		strbuf_truncate(&l->buffer, l->buffer.len - (size_t)n);
	} else if (l->hub->is_closed) {
		n = MHD_CONTENT_READER_END_OF_STREAM;
	} else {
		l->is_suspended = true;
		MHD_suspend_connection(l->connection);
	}
	(void)pthread_mutex_unlock(&l->hub->lock);
	return n;
}

static void free_listener(void *arg)
{
	struct listener *l = arg;
	struct hub *h = l->hub;

	(void)pthread_mutex_lock(&h->lock);
	strbuf_fini(&l->buffer);
	*l = (struct listener){};
	(void)pthread_mutex_unlock(&h->lock);
}

struct MHD_Response *hub_listen(struct hub *h, struct MHD_Connection *connection)
{
	struct MHD_Response *response;
	struct listener *l = NULL;

	(void)pthread_mutex_lock(&h->lock);
	for (size_t i = 0; i < HUB_LISTENERS_MAX && !l && !h->is_closed; i++)
		if (!h->listeners[i].is_used)
			l = &h->listeners[i];
	if (l) {
		*l = (struct listener){.hub = h, .connection = connection, .is_used = true};
		l->buffer = STRBUF_INIT(HUB_BUFFER_MAX);
		strbuf_add_str(&l->buffer, "retry: 1000\n\n");
	}
	(void)pthread_mutex_unlock(&h->lock);
	if (!l)
		return NULL;
	response = MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, BLOCK_BYTES, read_listener,
						     l, free_listener);
	if (!response)
		free_listener(l);
	return response;
}

/* ---- to all of them; with the lock */

static bool has_room(const struct listener *l, size_t len)
{
	return l->buffer.len + len + NOTICE_BYTES <= HUB_BUFFER_MAX;
}

static void tell_lost(struct listener *l)
{
	if (!l->n_lost)
		return;
	strbuf_add_fmt(&l->buffer, "event: lost\ndata: {\"n\":%llu}\n\n",
		       (unsigned long long)l->n_lost);
	l->n_lost = 0;
}

static void wake(struct listener *l)
{
	if (!l->is_suspended)
		return;
	l->is_suspended = false;
	MHD_resume_connection(l->connection);
}

void hub_publish(struct hub *h, const char *event, struct bytes data)
{
	(void)pthread_mutex_lock(&h->lock);
	for (size_t i = 0; i < HUB_LISTENERS_MAX; i++) {
		struct listener *l = &h->listeners[i];

		if (!l->is_used)
			continue;
		if (!has_room(l, data.len + NOTICE_BYTES)) {
			l->n_lost++;
			continue;
		}
		tell_lost(l);
		strbuf_add_fmt(&l->buffer, "event: %s\ndata: ", event);
		strbuf_add_bytes(&l->buffer, data);
		strbuf_add_str(&l->buffer, "\n\n");
		wake(l);
	}
	(void)pthread_mutex_unlock(&h->lock);
}

void hub_beat(struct hub *h)
{
	(void)pthread_mutex_lock(&h->lock);
	for (size_t i = 0; i < HUB_LISTENERS_MAX; i++) {
		struct listener *l = &h->listeners[i];

		if (!l->is_used || !has_room(l, 3))
			continue;
		strbuf_add_str(&l->buffer, ":\n\n");
		wake(l);
	}
	(void)pthread_mutex_unlock(&h->lock);
}

void hub_close(struct hub *h)
{
	(void)pthread_mutex_lock(&h->lock);
	h->is_closed = true;
	for (size_t i = 0; i < HUB_LISTENERS_MAX; i++)
		if (h->listeners[i].is_used)
			wake(&h->listeners[i]);
	(void)pthread_mutex_unlock(&h->lock);
}

bool hub_has_listeners(struct hub *h)
{
	bool ret = false;

	(void)pthread_mutex_lock(&h->lock);
	for (size_t i = 0; i < HUB_LISTENERS_MAX; i++)
		ret = ret || h->listeners[i].is_used;
	(void)pthread_mutex_unlock(&h->lock);
	return ret;
}
