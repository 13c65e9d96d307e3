/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <fcntl.h>
#include <linux/kcmp.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <time.h>

#include "base/clock.h"
#include "base/io.h"

#include "action/rights.h"

#include "behalf/domain.h"
#include "behalf/domains.h"
#include "behalf/proc.h"

#define BUCKETS    1024
#define DEPTH_MAX  4096 /* generations */
#define RETRIES    8
#define LOOK_NS    (1 * NS_PER_SEC) /* from one look at the whole session to the next */
#define MISSED_MAX 3
/* landlock_restrict_self(2): what is logged. The rest (TSYNC, of Linux 7) is unknown to us. */
#define RESTRICT_LOG_FLAGS          7u
#define RESTRICT_LOG_SUBDOMAINS_OFF 4u

/* What is remembered of a task. */
struct task {
	struct task *next;
	pid_t tid, tgid;
	uint64_t start; /* proc_pid_stat(5), field 22: tells it from a later one with its number */
	struct domain *domain;
	/* Of the leader: what a thread or child that nobody has seen yet may be in. */
	struct domain *group;
	/* Orphans become its children (PR_SET_CHILD_SUBREAPER, or it is the init of a PID
	 * namespace). */
	bool is_reaper;
};

struct domains {
	pid_t supervisor, command;
	int proc;
	struct behalf_config config; /* of the threads that make calls */
	atomic_uint n;               /* domains */
	pthread_mutex_t lock;
	struct domain *list;
	struct task *tasks[BUCKETS];
	uint64_t looked_ns;
	bool is_looking; /* tasks outside of the session are met */
};

int domains_new(pid_t command, struct domains **ret)
{
	struct domains *t = calloc(1, sizeof(*t));

	if (!t)
		return -ENOMEM;
	t->supervisor = getpid();
	t->command = command;
	(void)pthread_mutex_init(&t->lock, NULL);
	t->proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (t->proc < 0) {
		int r = -errno;

		domains_free(t);
		return r;
	}
	*ret = t;
	return 0;
}

/* Children before parents: a domain is put before the ones that it was made from. */
static void free_domains(struct domain *list)
{
	while (list) {
		struct domain *d = list;

		list = d->next;
		domain_free(d);
	}
}

struct domains *domains_free(struct domains *t)
{
	if (!t)
		return NULL;
	for (size_t i = 0; i < BUCKETS; i++)
		while (t->tasks[i]) {
			struct task *k = t->tasks[i];

			t->tasks[i] = k->next;
			free(k);
		}
	free_domains(t->list);
	t->proc = fd_close(t->proc);
	(void)pthread_mutex_destroy(&t->lock);
	free(t);
	return NULL;
}

/* ---- domains */

static bool is_within(const struct domain *d, const struct domain *outer)
{
	while (d && d != outer)
		d = d->parent;
	return d == outer;
}

static bool is_same_ruleset(const struct domains *t, int a, int b)
{
	return syscall(SYS_kcmp, t->supervisor, t->supervisor, KCMP_FILE, a, b) == 0;
}

/*
 * The domain of @ruleset on top of @parent: one that is there already, as when each thread of a
 * process enters the same, or a new one.
 */
static int get_domain(struct domains *t, struct domain *parent, int ruleset, uint32_t flags,
		      struct domain **ret)
{
	struct domain *d;
	int r;

	for (d = t->list; d; d = d->next)
		if (d->parent == parent && is_same_ruleset(t, d->ruleset, ruleset)) {
			*ret = d;
			return 0;
		}
	if (atomic_load(&t->n) >= DOMAINS_MAX)
		return -ENOMEM;
	r = domain_new(&t->config, parent, ruleset, flags, &d);
	if (r < 0)
		return r;
	d->next = t->list;
	t->list = d;
	atomic_fetch_add(&t->n, 1);
	*ret = d;
	return 0;
}

/* @d and then all rulesets of @other. */
static int enter_all(struct domains *t, struct domain *d, struct domain *other, struct domain **ret)
{
	int r;

	if (other->parent && !is_within(d, other->parent)) {
		r = enter_all(t, d, other->parent, &d);
		if (r < 0)
			return r;
	}
	r = get_domain(t, d, other->ruleset, 0, ret);
	if (r == 0 && !(*ret)->born_ticks) {
		(*ret)->n_filters = MAX(d->n_filters, other->n_filters);
		(*ret)->born_ticks = MAX(d->born_ticks, other->born_ticks);
	}
	return r;
}

/* What binds as both do; NULL binds nobody. */
static int join(struct domains *t, struct domain *a, struct domain *b, struct domain **ret)
{
	*ret = is_within(a, b) ? a : b;
	return is_within(a, b) || is_within(b, a) ? 0 : enter_all(t, a, b, ret);
}

/* ---- tasks */

static struct task **bucket(struct domains *t, pid_t tid)
{
	return &t->tasks[(unsigned)tid % BUCKETS];
}

static struct task *find(struct domains *t, pid_t tid)
{
	struct task *k = *bucket(t, tid);

	while (k && k->tid != tid)
		k = k->next;
	return k;
}

static int remember(struct domains *t, pid_t tid, pid_t tgid, uint64_t start, struct domain *d,
		    struct task **ret)
{
	struct task *k = find(t, tid);

	if (!k) {
		k = calloc(1, sizeof(*k));
		if (!k)
			return -ENOMEM;
		k->next = *bucket(t, tid);
		*bucket(t, tid) = k;
	}
	*k = (struct task){.next = k->next,
			   .tid = tid,
			   .tgid = tgid,
			   .start = start,
			   .domain = d,
			   .group = d,
			   .is_reaper = tid == tgid && proc_is_namespace_init(t->proc, tid)};
	*ret = k;
	return 0;
}

/* A task whose parent cannot be told: in every domain that its own parent could have been in. */
static int join_possible(struct domains *t, pid_t tid, const struct proc_stat *s, struct domain **d)
{
	unsigned n_filters = proc_count_filters(t->proc, tid);
	int r = 0;

	for (struct domain *other = t->list; r == 0 && other; other = other->next)
		if (s->start >= other->born_ticks && n_filters >= other->n_filters)
			r = join(t, *d, other, d);
	return r;
}

static int resolve(struct domains *t, pid_t tid, pid_t tgid, unsigned depth, struct task **ret);

/* Of a process that was not seen before, by its parent. Return: as resolve(). */
static int inherit(struct domains *t, pid_t tid, struct proc_stat *s, unsigned depth,
		   struct domain **ret)
{
	struct proc_stat again;
	struct task *parent;
	int r;

	for (int i = 0; i < RETRIES; i++) {
		*ret = NULL;
		if (s->ppid == t->supervisor)
			return tid == t->command ? 0 : join_possible(t, tid, s, ret);
		if (s->ppid <= 1)
			return t->is_looking ? -ENOENT : join_possible(t, tid, s, ret);
		r = resolve(t, s->ppid, s->ppid, depth + 1, &parent);
		if (r < 0 && r != -ESRCH)
			return r;
		if (proc_read_stat(t->proc, tid, &again) < 0)
			return -ESRCH;
		/* It has lost its parent meanwhile, whose number may be another's by now. */
		if (r < 0 || again.ppid != s->ppid) {
			*s = again;
			continue;
		}
		*ret = parent->group;
		return parent->is_reaper ? join_possible(t, tid, s, ret) : 0;
	}
	return -EAGAIN;
}

/* Return: 0; -ESRCH: there is none; -ENOENT: it is not of the session; -errno. */
static int resolve(struct domains *t, pid_t tid, pid_t tgid, unsigned depth, struct task **ret)
{
	struct task *k = find(t, tid), *leader;
	struct proc_stat s;
	struct domain *d;
	int r;

	r = proc_read_stat(t->proc, tid, &s);
	if (r < 0)
		return r;
	if (k && k->start == s.start) {
		*ret = k;
		return 0;
	}
	if (depth > DEPTH_MAX || tid == t->supervisor)
		return depth > DEPTH_MAX ? -ELOOP : -ENOENT;
	if (tid == tgid) {
		r = inherit(t, tid, &s, depth, &d);
	} else {
		r = resolve(t, tgid, tgid, depth + 1, &leader);
		d = r < 0 ? NULL : leader->group;
	}
	return r < 0 ? r : remember(t, tid, tgid, s.start, d, ret);
}

/* ---- looking at the whole session */

/* Return: 0: no name of a task. */
static pid_t task_of_name(const char *name)
{
	uint64_t n = 0;

	return parse_u64(bytes_of(name), INT32_MAX, &n) < 0 ? 0 : (pid_t)n;
}

/* Remembers the threads of @tgid. Return: how many there are. */
static unsigned look_at_threads(struct domains *t, pid_t tgid)
{
	_cleanup_(fd_closep) int fd = -1;
	struct dirent *entry;
	struct task *k;
	char path[48];
	unsigned n = 0;
	DIR *dir;

	(void)snprintf(path, sizeof(path), "%d/task", (int)tgid);
	fd = openat(t->proc, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	dir = fd < 0 ? NULL : fdopendir(fd);
	if (!dir)
		return 0;
	(void)TAKE_FD(fd);
	while ((entry = readdir(dir))) {
		pid_t tid = task_of_name(entry->d_name);

		if (tid && resolve(t, tid, tgid, 0, &k) == 0)
			n++;
	}
	(void)closedir(dir);
	return n;
}

/* Forgets the dead, and marks the domains of the living. */
static void look_at_remembered(struct domains *t)
{
	for (size_t i = 0; i < BUCKETS; i++)
		for (struct task **at = &t->tasks[i], *k; (k = *at);) {
			struct proc_stat s;

			if (proc_read_stat(t->proc, k->tid, &s) < 0 || s.start != k->start) {
				*at = k->next;
				free(k);
				continue;
			}
			for (struct domain *d = k->domain; d; d = d->parent)
				d->is_used = true;
			for (struct domain *d = k->group; d; d = d->parent)
				d->is_used = true;
			at = &k->next;
		}
}

static void look_at_session(struct domains *t)
{
	int fd = openat(t->proc, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *entry;
	struct task *k;

	if (!dir) {
		(void)fd_close(fd);
		return;
	}
	t->is_looking = true;
	while ((entry = readdir(dir))) {
		pid_t pid = task_of_name(entry->d_name);

		if (pid && resolve(t, pid, pid, 0, &k) == 0)
			(void)look_at_threads(t, pid);
	}
	(void)closedir(dir);
	t->is_looking = false;
	t->looked_ns = clock_monotonic_ns();
}

/* Return: whether there is a domain that nobody was found in. */
static bool look_for_unused(struct domains *t)
{
	bool found = false;

	for (struct domain *d = t->list; d; d = d->next)
		d->is_used = false;
	look_at_session(t);
	look_at_remembered(t);
	for (struct domain **at = &t->list, *d; (d = *at);) {
		d->n_missed = d->is_used || d->n_users ? 0 : d->n_missed + 1;
		if (d->n_missed < MISSED_MAX) {
			found |= d->n_missed > 0;
			at = &d->next;
			continue;
		}
		*at = d->next;
		domain_free(d);
		atomic_fetch_sub(&t->n, 1);
	}
	return found;
}

/*
 * A domain is over when several looks find nobody in it: one could miss a task that forks and ends
 * just then. Who is not found now and comes up later as an orphan was born later, so it is in none
 * of those that are over.
 */
static void end_unused(struct domains *t)
{
	while (look_for_unused(t))
		;
}

/* ---- what others ask */

int domains_get(struct domains *t, const struct action *a, struct domain **ret)
{
	struct task *k;
	int r;

	*ret = NULL;
	if (atomic_load(&t->n) == 0)
		return 0;
	(void)rights_settle();
	pthread_mutex_lock(&t->lock);
	if (clock_monotonic_ns() - t->looked_ns > LOOK_NS)
		end_unused(t);
	r = resolve(t, a->tid, a->pid, 0, &k);
	if (r == 0 && k->domain) {
		k->domain->n_users++;
		*ret = k->domain;
	}
	pthread_mutex_unlock(&t->lock);
	return r;
}

void domains_put(struct domains *t, struct domain *d)
{
	if (!d)
		return;
	pthread_mutex_lock(&t->lock);
	d->n_users--;
	pthread_mutex_unlock(&t->lock);
}

static uint64_t ticks_now(void)
{
	struct timespec now;
	uint64_t hz = (uint64_t)sysconf(_SC_CLK_TCK);

	if (clock_gettime(CLOCK_BOOTTIME, &now) < 0)
		return 0;
	return (uint64_t)now.tv_sec * hz + (uint64_t)now.tv_nsec * hz / NS_PER_SEC;
}

/* Under the lock. */
static int restrict_task(struct domains *t, const struct action *a)
{
	struct task *k, *leader;
	struct domain *d;
	unsigned n_threads;
	int r;

	end_unused(t); /* from here on, whoever is not remembered is younger */
	r = resolve(t, a->tid, a->pid, 0, &k);
	if (r == 0)
		r = resolve(t, a->pid, a->pid, 0, &leader);
	if (r < 0)
		return r;
	n_threads = look_at_threads(t, a->pid);
	r = get_domain(t, k->domain, a->act.lineage.ruleset, a->act.lineage.flags, &d);
	if (r < 0)
		return r;
	if (!d->born_ticks) {
		d->born_ticks = ticks_now();
		d->n_filters = proc_count_filters(t->proc, a->tid);
	}
	k->domain = d;
	if (n_threads == 1)
		leader->group = d;
	else
		r = join(t, leader->group, d, &leader->group);
	return r;
}

static int note_restrict(struct domains *t, const struct behalf_config *config,
			 const struct action *a)
{
	uint32_t flags = a->act.lineage.flags;
	int r;

	if (flags & ~RESTRICT_LOG_FLAGS)
		return -EINVAL;         /* as on a kernel without it: programs do without */
	if (a->act.lineage.ruleset < 0) /* nothing is entered */
		return flags == RESTRICT_LOG_SUBDOMAINS_OFF ? 0 : -EBADF;
	pthread_mutex_lock(&t->lock);
	t->config = *config;
	r = restrict_task(t, a);
	pthread_mutex_unlock(&t->lock);
	return r;
}

static int note_reaper(struct domains *t, const struct action *a)
{
	struct task *k;
	int r;

	pthread_mutex_lock(&t->lock);
	look_at_remembered(t); /* so that there are never more of them than lived a while ago */
	r = resolve(t, a->pid, a->pid, 0, &k);
	if (r == 0)
		k->is_reaper = true;
	pthread_mutex_unlock(&t->lock);
	return r;
}

/* A child of its parent's would be taken to be as that is. */
static int note_sibling(struct domains *t, const struct action *a)
{
	struct domain *d;
	int r = domains_get(t, a, &d);

	domains_put(t, d);
	return r == 0 && d ? -EPERM : r;
}

int domains_note(struct domains *t, const struct behalf_config *config, const struct action *a)
{
	switch (a->act.lineage.what) {
	case LINEAGE_RESTRICT:
		return note_restrict(t, config, a);
	case LINEAGE_REAPER:
		return note_reaper(t, a);
	case LINEAGE_SIBLING:
		return note_sibling(t, a);
	}
	return -EINVAL;
}

int domains_note_exec(struct domains *t, const struct action *a)
{
	struct task *k, *leader;
	int r;

	/* The leader's number will be this thread's, if the exec works out. */
	if (a->tid == a->pid || atomic_load(&t->n) == 0)
		return 0;
	pthread_mutex_lock(&t->lock);
	r = resolve(t, a->tid, a->pid, 0, &k);
	if (r == 0)
		r = resolve(t, a->pid, a->pid, 0, &leader);
	if (r == 0)
		r = join(t, leader->domain, k->domain, &leader->domain);
	if (r == 0)
		r = join(t, leader->group, leader->domain, &leader->group);
	pthread_mutex_unlock(&t->lock);
	return r;
}
