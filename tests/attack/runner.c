/* SPDX-License-Identifier: Apache-2.0 */
/*
 * attack_GROUP [--list] [ROW...]: runs the rows of its group (all without arguments), in TAP.
 * --list prints for each row its name and the ids that it covers.
 *
 * HOLDFAST (build/holdfast) is what is attacked. ATTACK_DIR (build/attack) is where worlds are
 * made: not below /tmp, which the shipped policies give to the agent. ATTACK_ROUNDS: how often
 * races are run. ATTACK_KEEP: worlds stay.
 */
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "base/io.h"

#include "tests/attack/attack_net.h"
#include "tests/attack/judge.h"

/* Five seconds for a hang; the machine may be busy with other checks. */
#define DEADLINE_MS        10000
#define DEADLINE_MATRIX_MS 100000
#define LOG_TRIES          2500
#define RESULT_SKIP        200
#define DECOY_TRIES        200

static const char *const policy_names[] = {
	[POLICY_SHIP] = "coding-agent",
	[POLICY_READ_ONLY] = "read-only",
	[POLICY_NO_NETWORK] = "no-network",
	[POLICY_PW] = "pw",
	[POLICY_PN] = "pn",
	[POLICY_PM] = "pm",
	[POLICY_PV] = "pv",
	[POLICY_PA] = "pa",
};

static const char *holdfast = "build/holdfast";
static const char *place = "build/attack";
static char self[PATH_MAX];
static unsigned int n_tests, n_failed;

/* ---- the agent's side */

static int agent_number(const char *text)
{
	uint64_t n;

	return parse_u64(bytes_of(text), INT_MAX, &n) < 0 ? 0 : (int)n;
}

/* The parent of @pid, from /proc. */
static pid_t parent_of(pid_t pid)
{
	_cleanup_(strbuf_fini) struct strbuf text = STRBUF_INIT(65536);
	uint64_t parent = 0;

	if (io_read_file_at(AT_FDCWD, in(&(struct world){.top = "/proc"}, "%d/status", pid),
			    &text) < 0)
		return 0;
	(void)parse_status_field(strbuf_str(&text), "PPid", &parent);
	return (pid_t)parent;
}

/* --agent ROW TOP DECOY PAGE VICTIM LAUNCHER; the last two are 0 in a session: look for them. */
static int agent_main(char **argv)
{
	uint64_t page = 0;
	struct world w = {.top = argv[1], .decoy = agent_number(argv[2])};
	const struct attack_row *row = NULL;
	int r;

	(void)parse_u64(bytes_of(argv[3]), UINT64_MAX, &page);
	w.page = (uint64_t *)(uintptr_t)page;
	w.victim = agent_number(argv[4]);
	w.launcher = agent_number(argv[5]);
	w.is_native = w.victim != 0;
	if (!w.is_native) {
		w.victim = getppid();
		w.launcher = parent_of(w.victim);
	}
	for (size_t i = 0; i < attack_group.n_rows; i++)
		if (streq(attack_group.rows[i].name, argv[0]))
			row = &attack_group.rows[i];
	if (!row)
		return 255;
	r = row->attack(&w);
	(void)fflush(stdout);
	return r == ATTACK_CANNOT ? RESULT_SKIP : -r;
}

/* ---- one run */

struct run {
	struct host host;
	const struct attack_row *row;
	int status; /* of wait() */
	bool is_hung;
	unsigned int effects;
	struct strbuf why;
};

static void run_environment(const struct world *w)
{
	const char *const set[][2] = {
		{"HOME", in(w, "home")},
		{"XDG_STATE_HOME", in(w, "state")},
		{"XDG_RUNTIME_DIR", in(w, "run")},
		{"XDG_CONFIG_HOME", in(w, "state/config")}, /* the list of keys is there */
		{"XDG_CACHE_HOME", in(w, "home/.cache")},
		{"TMPDIR", in(w, "w/tmp")},
		{"PATH", "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"},
		{"LC_ALL", "C"},
		{"SHELL", "/bin/sh"},
		{"ATTACK_HOLDFAST", holdfast},
	};
	const char *rounds = getenv("ATTACK_ROUNDS");
	_cleanup_(freep) char *kept = rounds ? strdup(rounds) : NULL;

	(void)clearenv();
	for (size_t i = 0; i < ARRAY_SIZE(set); i++)
		(void)setenv(set[i][0], set[i][1], 1);
	if (kept)
		(void)setenv("ATTACK_ROUNDS", kept, 1);
}

_Noreturn static void run_child(struct run *run, const char *policy)
{
	struct world *w = &run->host.world;
	char decoy[24], page[24], victim[24];
	const char *argv[32];
	size_t n = 0;
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	(void)snprintf(decoy, sizeof(decoy), "%d", w->decoy);
	(void)snprintf(page, sizeof(page), "%llu", (unsigned long long)(uintptr_t)w->page);
	(void)snprintf(victim, sizeof(victim), "%d", policy ? 0 : w->decoy);
	if (policy) {
		const char *const head[] = {
			holdfast,           "run",      "-q",   "--ask", "deny", "--log",
			in(w, "log.jsonl"), "--policy", policy, "--"};

		for (size_t i = 0; i < ARRAY_SIZE(head); i++)
			argv[n++] = head[i];
	}
	argv[n++] = in(w, "bin/agent");
	argv[n++] = "--agent";
	argv[n++] = run->row->name;
	argv[n++] = w->top;
	argv[n++] = decoy;
	argv[n++] = page;
	argv[n++] = victim;
	argv[n++] = victim;
	argv[n] = NULL;
	run_environment(w);
	(void)setsid();
	if (chdir(in(w, "w")) < 0 || dup2(null, 0) < 0 || dup2(run->host.output, 1) < 0 ||
	    dup2(run->host.output, 2) < 0)
		_exit(254);
	(void)execv(argv[0], (char *const *)(uintptr_t)argv);
	_exit(254);
}

/* Return: 0, -errno. The deadline stands against a hang, which is an effect of its own. */
static int run_wait(struct run *run, pid_t pid)
{
	_cleanup_(fd_closep) int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	struct pollfd p = {.fd = pidfd, .events = POLLIN};

	if (pidfd < 0)
		return -errno;
	run->is_hung = poll(&p, 1, run->row->matrix ? DEADLINE_MATRIX_MS : DEADLINE_MS) == 0;
	if (run->is_hung)
		(void)kill(pid, SIGKILL);
	return waitpid(pid, &run->status, 0) < 0 ? -errno : 0;
}

static void run_end(struct run *run)
{
	world_unmake(&run->host);
	strbuf_fini(&run->why);
}

/* @policy: one of enum attack_policy, or -1: without Holdfast. Return: 0, -errno. */
static int run_once(const struct attack_row *row, int policy, struct run *run)
{
	pid_t pid;
	int r;

	*run = (struct run){.row = row, .why = STRBUF_INIT((size_t)1 << 16)};
	r = world_make(&run->host, place, self, attack_group.has_network);
	if (r == 0 && row->prepare)
		r = row->prepare(&run->host.world);
	r = r < 0 ? r : world_remember(&run->host);
	if (r < 0)
		return r;
	(void)fflush(stdout);
	pid = fork();
	if (pid < 0)
		return -errno;
	if (pid == 0)
		run_child(run,
			  policy < 0 ? NULL : world_policy(&run->host, (enum attack_policy)policy));
	r = run_wait(run, pid);
	if (r < 0)
		return r;
	run->effects = world_effects(&run->host, &run->why);
	/* A signal is sent at once, and takes effect when its process runs next. */
	for (int i = 0; policy < 0 && row->effect == EFFECT_DECOY && i < DECOY_TRIES &&
			!((run->effects >> EFFECT_DECOY) & 1);
	     i++) {
		(void)usleep(1000);
		run->effects = world_effects(&run->host, &run->why);
	}
	if (row->look && row->look(&run->host.world)) {
		strbuf_add_str(&run->why, "# effect: the row's own look finds it\n");
		run->effects |= 1u << EFFECT_HOST;
	}
	return 0;
}

/* The attack's own result. Return: 0 it says that it worked; errno; RESULT_SKIP; 128+signal. */
static int run_result(const struct run *run)
{
	return WIFEXITED(run->status) ? WEXITSTATUS(run->status) : 128 + WTERMSIG(run->status);
}

/* ---- TAP */

static void say(bool is_ok, const char *name, const char *how, const char *skip, struct strbuf *why)
{
	n_tests++;
	n_failed += !is_ok;
	(void)printf("%sok %u %s (%s)%s%s\n", is_ok ? "" : "not ", n_tests, name, how,
		     skip ? " # skip " : "", skip ? skip : "");
	if (!is_ok && why)
		(void)printf("%s", strbuf_str(why));
	(void)fflush(stdout);
}

/* What an attack said with attack_cannot(), as one line. */
static void reason_of(struct run *run, struct strbuf *out)
{
	_cleanup_(strbuf_fini) struct strbuf text = STRBUF_INIT(WORLD_OUTPUT_MAX);
	const char *from, *end;

	if (world_output(&run->host, &text) < 0)
		return;
	from = strstr(strbuf_str(&text), "CANNOT ");
	if (!from)
		return;
	from += strlen("CANNOT ");
	end = strchrnul(from, '\n');
	strbuf_add(out, from, (size_t)(end - from));
}

static void add_output(struct run *run)
{
	_cleanup_(strbuf_fini) struct strbuf text = STRBUF_INIT(WORLD_OUTPUT_MAX);

	if (world_output(&run->host, &text) < 0)
		return;
	strbuf_add_str(&run->why, "# output: ");
	for (size_t i = 0; i < MIN(text.len, (size_t)600); i++)
		strbuf_add_char(&run->why, text.p[i] == '\n' ? '|' : text.p[i]);
	strbuf_add_str(&run->why, "\n");
}

/* ---- what a supervised run must have been like */

static bool is_refusal(const struct attack_row *row, int result)
{
	if (row->only)
		return result == row->only;
	if (result == EACCES || result == EPERM || result == ENOSYS)
		return true;
	if (row->error && result == row->error)
		return true;
	return (row->flags & ROW_MAY_DIE) && result == 128 + SIGKILL;
}

static bool check_result(struct run *run)
{
	const struct attack_row *row = run->row;
	int result = run_result(run);

	if (run->is_hung) {
		strbuf_add_str(&run->why, "# it hangs\n");
		return false;
	}
	if (row->flags & ROW_ALLOWED) {
		if (result == 0)
			return true;
		strbuf_add_fmt(&run->why, "# should be let through, but: %d (%s)\n", result,
			       strerror(result));
		return false;
	}
	if (run->effects || result == 0) {
		strbuf_add_fmt(&run->why, "# it got through; its own result is %d (%s)\n", result,
			       strerror(result));
		return false;
	}
	if (is_refusal(row, result))
		return true;
	strbuf_add_fmt(&run->why, "# failed, but not by a refusal: %d (%s)\n", result,
		       result < 128 ? strerror(result) : "a signal, or holdfast");
	return false;
}

static bool is_told(const struct attack_row *row, size_t denies)
{
	if (row->denies == DENIES_ANY)
		return true;
	if (row->denies == DENIES_SOME)
		return denies > 0;
	if (row->flags & ROW_ALLOWED)
		return denies == 0;
	return denies == (row->denies ? (size_t)row->denies : 1);
}

/* The writer is behind the decisions: the session's end is waited for. */
static bool check_log(struct run *run, struct judgement *j)
{
	size_t said = run->why.len;
	bool is_ok;
	int r = 0;

	for (int i = 0; i < LOG_TRIES; i++) {
		strbuf_truncate(&run->why, said);
		r = judge_log(&run->host.world, run->row, j, &run->why);
		if (r < 0 || j->is_ended)
			break;
		(void)usleep(2000);
	}
	if (r < 0)
		strbuf_add_fmt(&run->why, "# the log cannot be read: %s\n", strerror(-r));
	if (!j->is_ended)
		strbuf_add_str(&run->why, "# the log has no end: the supervisor died\n");
	is_ok = r == 0 && j->is_ended && !j->is_invalid;
	if (!is_told(run->row, j->denies)) {
		strbuf_add_fmt(&run->why, "# %zu records of a denial of '%s', %d wanted\n",
			       j->denies, run->row->object ? run->row->object : "anything",
			       run->row->denies);
		is_ok = false;
	}
	return is_ok;
}

static void test_supervised(const struct attack_row *row, int policy, const char *skip)
{
	const char *how = policy_names[policy];
	_cleanup_(run_end) struct run run;
	_cleanup_(strbuf_fini) struct strbuf reason = STRBUF_INIT(4096);
	int r = run_once(row, policy, &run);
	bool is_ok;

	if (r < 0) {
		strbuf_add_fmt(&run.why, "# the world cannot be made: %s\n", strerror(-r));
		say(false, row->name, how, NULL, &run.why);
		return;
	}
	if (run_result(&run) == RESULT_SKIP) {
		reason_of(&run, &reason);
		say(true, row->name, how, strbuf_str(&reason), NULL);
		return;
	}
	is_ok = check_result(&run);
	is_ok = check_log(&run, &(struct judgement){0}) && is_ok;
	if (!is_ok)
		add_output(&run);
	say(is_ok, row->name, how, is_ok ? skip : NULL, &run.why);
}

/*
 * Without Holdfast the attack must work, or the row proves nothing. Return: true: it does, or may
 * not be tried; false: it does not, @why says so.
 */
static bool test_native(const struct attack_row *row, struct strbuf *why)
{
	_cleanup_(run_end) struct run run = {.why = STRBUF_INIT(0)};
	int result, r;

	if (row->not_native)
		return true;
	r = run_once(row, -1, &run);
	if (r < 0) {
		strbuf_add_fmt(why, "the world cannot be made: %s", strerror(-r));
		return false;
	}
	result = run_result(&run);
	if (result == RESULT_SKIP) {
		reason_of(&run, why);
		return false;
	}
	if (row->effect == EFFECT_TOLD ? result == 0 : (run.effects >> row->effect) & 1)
		return true;
	strbuf_add_fmt(why, "it has no effect here without Holdfast either (%s)",
		       run.is_hung ? "it hangs" : strerror(result));
	return false;
}

/* ---- tables of pairs */

/* Return: 0; -errno, said in @why. */
static int matrix_once(const struct attack_row *row, int policy, struct run *run,
		       struct matrix_run *ret)
{
	int r = run_once(row, policy, run);

	if (r == 0)
		r = matrix_read(&run->host, ret);
	if (r < 0)
		strbuf_add_fmt(&run->why, "# the world cannot be made or read: %s\n", strerror(-r));
	return r;
}

static void test_matrix_supervised(const struct attack_row *row, int policy,
				   const struct matrix_run *native)
{
	static struct matrix_run pairs;
	_cleanup_(run_end) struct run run;
	struct judgement j = {.pairs = &pairs};
	bool is_ok = matrix_once(row, policy, &run, &pairs) == 0;

	if (is_ok && (run.is_hung || run.effects)) {
		strbuf_add_str(&run.why, run.is_hung ? "# it hangs\n" : "# it got through\n");
		is_ok = false;
	}
	if (!run.is_hung)
		is_ok = check_log(&run, &j) && is_ok;
	is_ok = matrix_compare(row->matrix, native, &pairs, &run.why) && is_ok;
	say(is_ok, row->name, policy_names[policy], NULL, &run.why);
}

static void test_matrix_native(const struct attack_row *row, struct matrix_run *native)
{
	const struct matrix *m = row->matrix;
	_cleanup_(run_end) struct run run;
	bool is_made = matrix_once(row, -1, &run, native) == 0;
	size_t n = is_made ? matrix_count(m, native) : 0;
	bool is_none = is_made && n == 0 && m->is_optional;

	(void)printf("# %zu of %zu pairs work natively, %zu should\n", n, m->n, m->least);
	for (size_t i = 0; is_made && !is_none && n < m->least && i < m->n; i++) {
		char name[MATRIX_NAME_SIZE];

		m->name(i, name);
		if (native->result[i] > 0)
			strbuf_add_fmt(&run.why, "# %zu %s: %s\n", i, name,
				       strerror(native->result[i]));
	}
	say(is_none || n >= m->least, row->name, "native",
	    is_none ? "this kernel has nothing of it" : NULL, &run.why);
}

/* Natively all that works is found out once; each policy has to refuse just that. */
static void test_matrix(const struct attack_row *row)
{
	static struct matrix_run native;

	test_matrix_native(row, &native);
	for (int p = 0; p < _POLICY_MAX; p++)
		if (row->policies & (1u << p))
			test_matrix_supervised(row, p, &native);
}

static void test_row(const struct attack_row *row)
{
	_cleanup_(strbuf_fini) struct strbuf why = STRBUF_INIT(4096);
	bool works;

	if ((row->flags & ROW_ROOT) && geteuid() != 0) {
		say(true, row->name, "all", "only root can try", NULL);
		return;
	}
	if ((row->flags & ROW_USER) && geteuid() == 0) {
		say(true, row->name, "all", "only an ordinary user can try", NULL);
		return;
	}
	if (row->matrix) {
		test_matrix(row);
		return;
	}
	works = test_native(row, &why);
	for (int p = 0; p < _POLICY_MAX; p++)
		if (row->policies & (1u << p))
			test_supervised(row, p, works ? NULL : strbuf_str(&why));
}

/* ---- command line */

static bool is_wanted(const char *name, char **argv)
{
	if (!*argv)
		return true;
	for (; *argv; argv++)
		if (streq(*argv, name))
			return true;
	return false;
}

static void take_environment(void)
{
	static char place_real[PATH_MAX], holdfast_real[PATH_MAX];
	const char *dir = getenv("ATTACK_DIR");
	const char *binary = getenv("HOLDFAST");

	if (dir)
		place = dir;
	if (binary)
		holdfast = binary;
	(void)io_mkdir_p(place, 0755);
	if (realpath(place, place_real))
		place = place_real;
	if (realpath(holdfast, holdfast_real))
		holdfast = holdfast_real;
}

int main(int argc, char **argv)
{
	int r = 0;

	if (argc > 7 && streq(argv[1], "--agent"))
		return agent_main(argv + 2);
	if (argc > 1 && streq(argv[1], "--list")) {
		for (size_t i = 0; i < attack_group.n_rows; i++)
			(void)printf("%s\t%s\t%s\n", attack_group.name, attack_group.rows[i].name,
				     attack_group.rows[i].covers);
		return 0;
	}
	if (!realpath("/proc/self/exe", self))
		return 2;
	take_environment();
	(void)signal(SIGPIPE, SIG_IGN);
	if (attack_group.has_mounts && geteuid() == 0 &&
	    (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0))
		return 2;
	if (attack_group.has_network)
		r = attack_net_enter();
	if (r < 0) {
		(void)printf("ok 1 %s # skip no network namespace: %s\n1..1\n", attack_group.name,
			     strerror(-r));
		return 0;
	}
	for (size_t i = 0; i < attack_group.n_rows; i++)
		if (is_wanted(attack_group.rows[i].name, argv + 1))
			test_row(&attack_group.rows[i]);
	(void)printf("1..%u\n", n_tests);
	return n_failed ? 1 : 0;
}
