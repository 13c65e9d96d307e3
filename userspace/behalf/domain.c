/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "behalf/domain.h"

#define NR_LANDLOCK_RESTRICT_SELF 446
#define STACK_BYTES               ((size_t)128 * 1024)
#define IDLE_MAX                  2 /* further ones end when their call is over */

enum hand_state {
	HAND_IDLE,
	HAND_CALLED,
	HAND_DONE,
	HAND_DISMISSED,
};

/* A thread that makes calls. */
struct hand {
	struct hand *next; /* idle */
	struct domain_threads *all;
	pthread_t thread;
	atomic_uint state; /* a futex */
	struct behalf *behalf;
	const struct behalf *lender;
	const struct action *action;
	behalf_fn *fn;
	void *arg;
	int result;
};

/* Something that the holder is to start in a thread; waits for its answer. */
struct order {
	struct order *next;
	void *(*main)(void *arg);
	void *arg;
	pthread_t thread;
	int result; /* 1: not yet */
};

struct domain_threads {
	struct behalf_config config;
	struct domain *domain;
	uint32_t flags;
	pthread_t holder;
	pthread_mutex_t lock;
	pthread_cond_t wanted; /* the holder waits for orders */
	pthread_cond_t served; /* others for what came of them */
	struct order *orders;
	struct hand *idle;
	unsigned n_idle, n_hands;
	bool is_ending;
	int entered; /* 1: not yet; 0, -errno */
};

static void futex_wake(atomic_uint *word)
{
	(void)syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

/* ---- a hand */

static int hand_call(struct hand *h)
{
	struct behalf *b = h->behalf;
	int r = rights_take(&b->rights, &h->action->act.creds);

	if (r == 0 && h->lender->has_own_fs) {
		r = behalf_own_fs(b);
		if (r == 0 && b->umask != h->lender->umask) {
			(void)umask(h->lender->umask);
			b->umask = h->lender->umask;
		}
	}
	if (r == 0)
		r = h->fn(b, h->action, h->arg);
	rights_give_back(&b->rights);
	return r;
}

static void *hand_main(void *arg)
{
	struct hand *h = arg;
	struct domain_threads *all = h->all;
	unsigned state;

	while ((state = atomic_load(&h->state)) != HAND_DISMISSED) {
		if (state != HAND_CALLED) {
			(void)syscall(SYS_futex, &h->state, FUTEX_WAIT_PRIVATE, state, NULL, NULL,
				      0);
			continue;
		}
		h->result = hand_call(h);
		atomic_store(&h->state, HAND_DONE);
		futex_wake(&h->state);
	}
	(void)pthread_detach(pthread_self());
	behalf_free(h->behalf);
	free(h);
	pthread_mutex_lock(&all->lock);
	all->n_hands--;
	(void)pthread_cond_broadcast(&all->served);
	pthread_mutex_unlock(&all->lock);
	return NULL;
}

static void hand_dismiss(struct hand *h)
{
	atomic_store(&h->state, HAND_DISMISSED);
	futex_wake(&h->state);
}

/* ---- the holder */

static int start_thread(void *(*entry)(void *), void *arg, pthread_t *ret)
{
	pthread_attr_t attr;
	int r;

	r = pthread_attr_init(&attr);
	if (r)
		return -r;
	(void)pthread_attr_setstacksize(&attr, STACK_BYTES);
	r = pthread_create(ret, &attr, entry, arg);
	(void)pthread_attr_destroy(&attr);
	return r ? -ENOMEM : 0; /* as the kernel has it for a call that cannot have a domain */
}

static int enter(const struct domain_threads *t)
{
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return -errno;
	return syscall(NR_LANDLOCK_RESTRICT_SELF, t->domain->ruleset, t->flags) < 0 ? -errno : 0;
}

static void *holder_main(void *arg)
{
	struct domain_threads *t = arg;
	int r = enter(t);

	pthread_mutex_lock(&t->lock);
	t->entered = r;
	(void)pthread_cond_broadcast(&t->served);
	while (r == 0 && !t->is_ending) {
		struct order *o = t->orders;

		if (!o) {
			(void)pthread_cond_wait(&t->wanted, &t->lock);
			continue;
		}
		t->orders = o->next;
		o->result = start_thread(o->main, o->arg, &o->thread);
		(void)pthread_cond_broadcast(&t->served);
	}
	pthread_mutex_unlock(&t->lock);
	return NULL;
}

/* A thread of the domain's that runs @entry. */
static int holder_start(struct domain_threads *t, void *(*entry)(void *), void *arg, pthread_t *ret)
{
	struct order o = {.main = entry, .arg = arg, .result = 1};

	pthread_mutex_lock(&t->lock);
	o.next = t->orders;
	t->orders = &o;
	(void)pthread_cond_signal(&t->wanted);
	while (o.result > 0)
		(void)pthread_cond_wait(&t->served, &t->lock);
	pthread_mutex_unlock(&t->lock);
	*ret = o.thread;
	return o.result;
}

static int duplicate(int fd)
{
	int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);

	return copy < 0 ? -errno : copy;
}

int domain_new(const struct behalf_config *config, struct domain *parent, int ruleset,
	       uint32_t flags, struct domain **ret)
{
	struct domain *d = calloc(1, sizeof(*d));
	struct domain_threads *t = calloc(1, sizeof(*t));
	int r = -ENOMEM;

	if (!d || !t)
		goto fail;
	*t = (struct domain_threads){.config = *config, .domain = d, .flags = flags, .entered = 1};
	d->threads = t;
	d->ruleset = duplicate(ruleset);
	r = d->ruleset;
	if (r < 0)
		goto fail;
	(void)pthread_mutex_init(&t->lock, NULL);
	(void)pthread_cond_init(&t->wanted, NULL);
	(void)pthread_cond_init(&t->served, NULL);
	r = parent ? holder_start(parent->threads, holder_main, t, &t->holder)
		   : start_thread(holder_main, t, &t->holder);
	if (r < 0)
		goto fail;
	pthread_mutex_lock(&t->lock);
	while (t->entered > 0)
		(void)pthread_cond_wait(&t->served, &t->lock);
	r = t->entered;
	pthread_mutex_unlock(&t->lock);
	if (r < 0) {
		(void)pthread_join(t->holder, NULL);
		goto fail;
	}
	d->parent = parent;
	if (parent)
		parent->n_users++;
	*ret = d;
	return 0;
fail:
	if (d)
		d->ruleset = d->threads ? fd_close(d->ruleset) : -1;
	free(t);
	free(d);
	return r;
}

struct domain *domain_free(struct domain *d)
{
	struct domain_threads *t;

	if (!d)
		return NULL;
	t = d->threads;
	pthread_mutex_lock(&t->lock);
	t->is_ending = true;
	(void)pthread_cond_signal(&t->wanted);
	while (t->idle) {
		struct hand *h = t->idle;

		t->idle = h->next;
		hand_dismiss(h);
	}
	while (t->n_hands)
		(void)pthread_cond_wait(&t->served, &t->lock);
	pthread_mutex_unlock(&t->lock);
	(void)pthread_join(t->holder, NULL);
	(void)pthread_mutex_destroy(&t->lock);
	(void)pthread_cond_destroy(&t->wanted);
	(void)pthread_cond_destroy(&t->served);
	free(t);
	if (d->parent)
		d->parent->n_users--;
	d->ruleset = fd_close(d->ruleset);
	free(d);
	return NULL;
}

/* ---- a call */

static int hire(struct domain_threads *t, struct hand **ret)
{
	struct hand *h = calloc(1, sizeof(*h));
	int r;

	if (!h)
		return -ENOMEM;
	h->all = t;
	/* Made here: the domain may not let its threads look at /proc. */
	r = behalf_new(&t->config, &h->behalf);
	if (r < 0) {
		free(h);
		return r;
	}
	h->behalf->is_hand = true;
	pthread_mutex_lock(&t->lock);
	t->n_hands++;
	pthread_mutex_unlock(&t->lock);
	r = holder_start(t, hand_main, h, &h->thread);
	if (r < 0) {
		pthread_mutex_lock(&t->lock);
		t->n_hands--;
		pthread_mutex_unlock(&t->lock);
		behalf_free(h->behalf);
		free(h);
		return r;
	}
	*ret = h;
	return 0;
}

static int take_hand(struct domain_threads *t, struct hand **ret)
{
	struct hand *h;

	pthread_mutex_lock(&t->lock);
	h = t->idle;
	if (h) {
		t->idle = h->next;
		t->n_idle--;
	}
	pthread_mutex_unlock(&t->lock);
	*ret = h;
	return h ? 0 : hire(t, ret);
}

static void give_back(struct domain_threads *t, struct hand *h)
{
	bool is_kept;

	atomic_store(&h->state, HAND_IDLE);
	pthread_mutex_lock(&t->lock);
	is_kept = t->n_idle < IDLE_MAX;
	if (is_kept) {
		h->next = t->idle;
		t->idle = h;
		t->n_idle++;
	}
	pthread_mutex_unlock(&t->lock);
	if (!is_kept)
		hand_dismiss(h);
}

int domain_run(struct domain *d, const struct behalf *b, const struct action *a, behalf_fn *fn,
	       void *arg)
{
	struct hand *h;
	int r = take_hand(d->threads, &h);

	if (r < 0)
		return r;
	h->lender = b;
	h->action = a;
	h->fn = fn;
	h->arg = arg;
	atomic_store(&h->state, HAND_CALLED);
	futex_wake(&h->state);
	while (atomic_load(&h->state) == HAND_CALLED)
		if (syscall(SYS_futex, &h->state, FUTEX_WAIT_PRIVATE, HAND_CALLED, NULL, NULL, 0) <
			    0 &&
		    errno == EINTR)
			(void)pthread_kill(h->thread, BEHALF_WAKE_SIGNAL);
	r = h->result;
	give_back(d->threads, h);
	return r;
}
