/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>

#include "page/pool.h"

struct job {
	void (*fn)(void *arg);
	void *arg;
};

struct pool {
	pthread_mutex_t lock;
	pthread_cond_t work;
	struct job queue[POOL_QUEUE_MAX];
	size_t first, n;
	bool is_stopping;
	size_t n_threads;
	pthread_t threads[POOL_THREADS];
};

static void *work(void *arg)
{
	struct pool *p = arg;

	(void)pthread_mutex_lock(&p->lock);
	for (;;) {
		struct job job;

		while (!p->n && !p->is_stopping)
			(void)pthread_cond_wait(&p->work, &p->lock);
		if (!p->n)
			break;
		job = p->queue[p->first];
		p->first = (p->first + 1) % POOL_QUEUE_MAX;
		p->n--;
		(void)pthread_mutex_unlock(&p->lock);
		job.fn(job.arg);
		(void)pthread_mutex_lock(&p->lock);
	}
	(void)pthread_mutex_unlock(&p->lock);
	return NULL;
}

int pool_new(struct pool **ret)
{
	struct pool *p = calloc(1, sizeof(*p));

	if (!p)
		return -ENOMEM;
	(void)pthread_mutex_init(&p->lock, NULL);
	(void)pthread_cond_init(&p->work, NULL);
	for (; p->n_threads < POOL_THREADS; p->n_threads++) {
		int r = pthread_create(&p->threads[p->n_threads], NULL, work, p);

		if (r) {
			pool_free(p);
			return -r;
		}
	}
	*ret = p;
	return 0;
}

void pool_stop(struct pool *p)
{
	(void)pthread_mutex_lock(&p->lock);
	p->is_stopping = true;
	(void)pthread_cond_broadcast(&p->work);
	(void)pthread_mutex_unlock(&p->lock);
	for (size_t i = 0; i < p->n_threads; i++)
		(void)pthread_join(p->threads[i], NULL);
	p->n_threads = 0;
}

struct pool *pool_free(struct pool *p)
{
	if (!p)
		return NULL;
	pool_stop(p);
	(void)pthread_cond_destroy(&p->work);
	(void)pthread_mutex_destroy(&p->lock);
	free(p);
	return NULL;
}

int pool_add(struct pool *p, void (*fn)(void *arg), void *arg)
{
	int r = -EBUSY;

	(void)pthread_mutex_lock(&p->lock);
	if (p->n < POOL_QUEUE_MAX && !p->is_stopping) {
		p->queue[(p->first + p->n++) % POOL_QUEUE_MAX] = (struct job){fn, arg};
		(void)pthread_cond_signal(&p->work);
		r = 0;
	}
	(void)pthread_mutex_unlock(&p->lock);
	return r;
}
