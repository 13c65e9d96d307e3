/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What becomes of one notification, by its parts: supervise_handle() on notifications about this
 * very process, with everything a session has except the kernel's side of a notification, which is
 * answered here (the linker leads ioctl(2) and syscall(2) through this file).
 *
 *   bench_notified [DIRECTORY]       nanoseconds of each part of each case; "all" has in
 *                                    it the answer, and what two looks at the clock for each part
 * cost bench_notified count CASE        for tools/check-counts: counted_round() COUNT_ROUNDS times,
 * and nothing in it that differs from run to run
 *
 * Calls that valgrind does not know are made by others that do the same here.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <linux/seccomp.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "audit/redact.h"
#include "base/clock.h"
#include "base/dirs.h"
#include "supervise/supervise.h"

#include "tests/fuzz/target_harness.h"

#define WARM_ROUNDS  50
#define COUNT_ROUNDS 200
#define BURSTS       50
#define BURST        200 /* the ring of the log has room for more */
#define RULES        100
#define TICK_NS      5000

/* ---- the kernel's side */

static int injected; /* what was handed to the caller: closed here, as it would be there */

int __real_ioctl(int fd, unsigned long request, void *arg);
int __wrap_ioctl(int fd, unsigned long request, void *arg);

int __wrap_ioctl(int fd, unsigned long request, void *arg)
{
	switch (request) {
	case SECCOMP_IOCTL_NOTIF_ID_VALID:
	case SECCOMP_IOCTL_NOTIF_SEND:
		return 0;
	case SECCOMP_IOCTL_NOTIF_ADDFD:
		injected++;
		return 0;
	default:
		return __real_ioctl(fd, request, arg);
	}
}

long __real_syscall(long nr, long a, long b, long c, long d, long e, long f);
long __wrap_syscall(long nr, long a, long b, long c, long d, long e, long f);

static bool is_in_valgrind;

/* Nobody moves anything here while a name is looked up, so openat(2) does what openat2(2) would. */
long __wrap_syscall(long nr, long a, long b, long c, long d, long e, long f)
{
	const struct open_how *how = (const struct open_how *)(uintptr_t)c;

	if (!is_in_valgrind)
		return __real_syscall(nr, a, b, c, d, e, f);
	switch (nr) {
	case SYS_openat2:
		return openat((int)a, (const char *)(uintptr_t)b, (int)how->flags, how->mode);
	case SYS_pidfd_open:
		return open("/proc/self", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	case SYS_pidfd_getfd:
		return fcntl((int)b, F_DUPFD_CLOEXEC, 0);
	default:
		return __real_syscall(nr, a, b, c, d, e, f);
	}
}

/* A clock by which caches grow old as they would if each look at it came TICK_NS after the last. */
uint64_t __real_clock_monotonic_ns(void);
uint64_t __wrap_clock_monotonic_ns(void);

uint64_t __wrap_clock_monotonic_ns(void)
{
	static uint64_t now = 1000 * NS_PER_SEC;

	return is_in_valgrind ? (now += TICK_NS) : __real_clock_monotonic_ns();
}

/* ---- the parts */

enum part {
	PART_DECODE,
	PART_DECIDE,
	PART_REDACT,
	PART_RECORD,
	PART_PERFORM,
	_PART_MAX
};

static const char *const part_names[_PART_MAX] = {"decode", "decide", "redact", "record",
						  "perform"};
static uint64_t spent_ns[_PART_MAX];
static bool is_counting; /* no clocks */

static uint64_t begin(void)
{
	return is_counting ? 0 : clock_monotonic_ns();
}

static void end(enum part p, uint64_t start)
{
	if (!is_counting)
		spent_ns[p] += clock_monotonic_ns() - start;
}

void __real_action_decode(struct action_decoder *d, const struct seccomp_notif *n,
			  struct action *ret);
void __wrap_action_decode(struct action_decoder *d, const struct seccomp_notif *n,
			  struct action *ret);
void __real_engine_decide(struct engine *e, const struct action *a, const struct engine_time *now,
			  struct decision *ret);
void __wrap_engine_decide(struct engine *e, const struct action *a, const struct engine_time *now,
			  struct decision *ret);
void __real_redact_record(const struct redact *r, struct redact_scratch *s,
			  struct audit_record *record);
void __wrap_redact_record(const struct redact *r, struct redact_scratch *s,
			  struct audit_record *record);
int __real_audit_append(struct audit *a, const struct audit_record *r);
int __wrap_audit_append(struct audit *a, const struct audit_record *r);
int __real_behalf_perform(struct behalf *b, const struct action *a, struct behalf_result *ret);
int __wrap_behalf_perform(struct behalf *b, const struct action *a, struct behalf_result *ret);

void __wrap_action_decode(struct action_decoder *d, const struct seccomp_notif *n,
			  struct action *ret)
{
	uint64_t start = begin();

	__real_action_decode(d, n, ret);
	end(PART_DECODE, start);
}

void __wrap_engine_decide(struct engine *e, const struct action *a, const struct engine_time *now,
			  struct decision *ret)
{
	uint64_t start = begin();

	__real_engine_decide(e, a, now, ret);
	end(PART_DECIDE, start);
}

void __wrap_redact_record(const struct redact *r, struct redact_scratch *s,
			  struct audit_record *record)
{
	uint64_t start = begin();

	__real_redact_record(r, s, record);
	end(PART_REDACT, start);
}

int __wrap_audit_append(struct audit *a, const struct audit_record *r)
{
	uint64_t start = begin();
	int ret = __real_audit_append(a, r);

	end(PART_RECORD, start);
	return ret;
}

int __wrap_behalf_perform(struct behalf *b, const struct action *a, struct behalf_result *ret)
{
	uint64_t start = begin();
	int r = __real_behalf_perform(b, a, ret);

	end(PART_PERFORM, start);
	return r;
}

/* ---- a session, and what it is asked */

struct world {
	char *dir;
	char *secret;
	char *file;
	int dirfd;
	int sockets[2]; /* one that listens, and one that is connected to it */
	struct sockaddr_in address;
	struct audit *audit;
	struct redact *redact;
	struct policy_stack *stack;
	struct budget *budget;
	struct held_table *held;
	struct supervise *supervise;
	void *context;
};

static _Noreturn void die(const char *what)
{
	(void)fprintf(stderr, "bench_notified: %s: %s\n", what, strerror(errno));
	exit(1);
}

static struct policy_stack *make_stack(const struct world *w)
{
	const struct policy_vars vars = {.home = w->dir, .project = w->dir, .tmp = "/tmp"};
	struct strbuf text = STRBUF_INIT((size_t)1 << 20);
	struct policy_stack *stack = NULL;
	struct policy *policy = NULL;
	struct diag d = {};

	strbuf_add_str(&text, "version: 1\nname: bench\nlog_reads: true\ndefault: allow\nrules:\n");
	for (int i = 0; i < RULES; i++) {
		_cleanup_(freep) char *rule = str_format(
			"  - {name: r%d, match: {path: ['/srv/none-%d/**', '/srv/**/k-%d.pem']}, "
			"action: deny}\n"
			"  - {name: n%d, match: {address: ['10.%d.0.0/16'], port: [%d]}, "
			"action: deny}\n",
			i, i, i, i, i, 1024 + i);

		strbuf_add_str(&text, rule);
	}
	strbuf_add_str(&text, "  - {name: secret, match: {path: ['/**/secret']}, action: deny}\n");
	if (policy_parse("bench", strbuf_bytes(&text), &vars, &policy, &d) < 0 ||
	    policy_stack_new(&policy, 1, false, &stack, &d) < 0) {
		(void)fprintf(stderr, "bench_notified: %s\n", d.message);
		exit(1);
	}
	strbuf_fini(&text);
	return stack;
}

static const char *const directories[] = {"/directory", "/directory/of", "/directory/of/the",
					  "/directory/of/the/project"};

static void make_files(struct world *w)
{
	_cleanup_(freep) char *deepest = NULL;
	int fd;

	for (size_t i = 0; i < ARRAY_SIZE(directories); i++) {
		free(deepest);
		deepest = str_format("%s%s", w->dir, directories[i]);
		if (mkdir(deepest, 0700) < 0)
			die(deepest);
	}
	w->file = str_format("%s/file.c", deepest);
	w->secret = str_format("%s/secret", deepest);
	w->dirfd = open(deepest, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	fd = open(w->file, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	if (w->dirfd < 0 || fd < 0)
		die(w->file);
	(void)close(fd);
}

static void make_sockets(struct world *w)
{
	socklen_t len = sizeof(w->address);

	w->address =
		(struct sockaddr_in){.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
	for (int i = 0; i < 2; i++)
		w->sockets[i] = socket(AF_INET, (i ? SOCK_DGRAM : SOCK_STREAM) | SOCK_CLOEXEC, 0);
	if (bind(w->sockets[0], (struct sockaddr *)&w->address, len) < 0 ||
	    getsockname(w->sockets[0], (struct sockaddr *)&w->address, &len) < 0)
		die("bind");
}

static void world_init(struct world *w, const char *above)
{
	_cleanup_(freep) char *log = NULL;
	struct supervise_config config = {.listener = -1, .command = -1};
	struct audit_config audit = {.session = "bench", .agent = "bench"};
	struct diag d = {};

	/* Which bytes are in a name is part of what is counted, too. */
	w->dir = str_format("%s/bench_notified.%s", above, is_in_valgrind ? "count" : "XXXXXX");
	if (!w->dir || (is_in_valgrind ? mkdir(w->dir, 0700) < 0 : !mkdtemp(w->dir)))
		die(above);
	make_files(w);
	make_sockets(w);
	log = str_format("%s/log", w->dir);
	audit.path = log;
	w->stack = make_stack(w);
	if (redact_new(w->stack, &w->redact) < 0 || audit_open(&audit, &w->audit, &d) < 0 ||
	    budget_new(w->stack, clock_monotonic_ns(), &w->budget) < 0 ||
	    held_table_new(NS_PER_SEC, &w->held) < 0)
		die("a session");
	config.audit = w->audit;
	config.held = w->held;
	config.redact = w->redact;
	config.engine = (struct engine_config){
		.stack = w->stack,
		.ask = ASK_QUEUE,
		.budget = w->budget,
		.protected_paths = {"/var/log/holdfast/s.jsonl", "/run/holdfast"},
		.n_protected = 2,
		.log_path = "/var/log/holdfast/s.jsonl",
	};
	if (supervise_new(&config, &w->supervise) < 0)
		die("supervise_new");
	w->context = supervise_context_new(w->supervise);
	if (!w->context)
		die("supervise_context_new");
}

static void world_fini(struct world *w)
{
	_cleanup_(freep) char *log = str_format("%s/log", w->dir);

	supervise_context_free(w->context);
	supervise_free(w->supervise);
	held_table_free(w->held);
	budget_free(w->budget);
	audit_close(w->audit);
	redact_free(w->redact);
	policy_stack_free(w->stack);
	(void)unlink(log);
	(void)unlink(w->file);
	for (size_t i = ARRAY_SIZE(directories); i-- > 0;) {
		_cleanup_(freep) char *directory = str_format("%s%s", w->dir, directories[i]);

		(void)rmdir(directory);
	}
	(void)rmdir(w->dir);
	(void)close(w->dirfd);
	free(w->secret);
	free(w->file);
	free(w->dir);
}

/* What each case calls; the arguments are those of the call. */
static void open_absolute(const struct world *w, struct seccomp_data *d)
{
	d->nr = SYS_openat;
	d->args[0] = (uint64_t)AT_FDCWD;
	d->args[1] = (uintptr_t)w->file;
	d->args[2] = O_RDONLY | O_CLOEXEC;
}

static void open_below(const struct world *w, struct seccomp_data *d)
{
	d->nr = SYS_openat;
	d->args[0] = (uint64_t)w->dirfd;
	d->args[1] = (uintptr_t) "file.c";
	d->args[2] = O_RDONLY | O_CLOEXEC;
}

static void open_to_write(const struct world *w, struct seccomp_data *d)
{
	open_absolute(w, d);
	d->args[2] = O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC;
	d->args[3] = 0600;
}

static void open_denied(const struct world *w, struct seccomp_data *d)
{
	open_absolute(w, d);
	d->args[1] = (uintptr_t)w->secret;
	d->args[2] = O_WRONLY | O_CREAT;
}

static void make_connection(const struct world *w, struct seccomp_data *d)
{
	d->nr = SYS_connect;
	d->args[0] = (uint64_t)w->sockets[1];
	d->args[1] = (uintptr_t)&w->address;
	d->args[2] = sizeof(w->address);
}

static const struct {
	const char *name;
	void (*call)(const struct world *w, struct seccomp_data *d);
	bool injects;
} cases[] = {
	{"open", open_absolute, true},          {"open-below", open_below, true},
	{"open-to-write", open_to_write, true}, {"open-denied", open_denied, false},
	{"connect", make_connection, false},
};

void counted_round(void *context, struct seccomp_notif *n);

/* Not static: it keeps its name. */
__attribute__((noinline)) void counted_round(void *context, struct seccomp_notif *n)
{
	supervise_handle(context, n);
}

typedef void handler(void *context, struct seccomp_notif *n);

static void handle(const struct world *w, size_t i, int times, handler *run)
{
	static uint64_t id;
	int before = injected;

	for (int j = 0; j < times; j++) {
		struct seccomp_notif n = {
			.id = ++id, .pid = (uint32_t)getpid(), .data = {.arch = ARCH}};

		cases[i].call(w, &n.data);
		run(w->context, &n);
	}
	if ((injected - before) != (cases[i].injects ? times : 0)) {
		(void)fprintf(stderr, "bench_notified: %s: %d of %d were handed over\n",
			      cases[i].name, injected - before, times);
		exit(1);
	}
}

static int compare_u64(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

/* The lower quartile: what other programs' work adds is not the part's. */
static double quiet(uint64_t *bursts)
{
	qsort(bursts, BURSTS, sizeof(*bursts), compare_u64);
	return (double)bursts[BURSTS / 4] / BURST;
}

static void measure(const struct world *w, size_t i)
{
	static uint64_t parts[_PART_MAX][BURSTS], all[BURSTS];

	for (int b = 0; b < BURSTS; b++) {
		uint64_t start;

		memset(spent_ns, 0, sizeof(spent_ns));
		if (audit_flush(w->audit) < 0)
			die("audit_flush");
		start = clock_monotonic_ns();
		handle(w, i, BURST, supervise_handle);
		all[b] = clock_monotonic_ns() - start;
		for (enum part p = 0; p < _PART_MAX; p++)
			parts[p][b] = spent_ns[p];
	}
	for (enum part p = 0; p < _PART_MAX; p++)
		(void)printf("%s_%s_ns %.0f\n", cases[i].name, part_names[p], quiet(parts[p]));
	(void)printf("%s_all_ns %.0f\n", cases[i].name, quiet(all));
}

int main(int argc, char **argv)
{
	struct world w = {.dirfd = -1};
	const char *wanted = argc == 4 && strcmp(argv[1], "count") == 0 ? argv[2] : NULL;
	const char *above = wanted ? argv[3] : argc > 1 ? argv[1] : "/tmp";
	bool is_known = !wanted;

	is_counting = is_in_valgrind = wanted != NULL;
	world_init(&w, above);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		if (wanted && strcmp(cases[i].name, wanted) != 0)
			continue;
		is_known = true;
		is_counting = true;
		handle(&w, i, WARM_ROUNDS, supervise_handle);
		is_counting = wanted != NULL;
		if (wanted)
			handle(&w, i, COUNT_ROUNDS, counted_round);
		else
			measure(&w, i);
	}
	world_fini(&w);
	return is_known ? 0 : 2;
}
