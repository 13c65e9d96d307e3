/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <linux/close_range.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "audit/keylist.h"
#include "audit/signkey.h"
#include "base/clock.h"
#include "base/dirs.h"
#include "base/io.h"

#include "control/session_private.h"
#include "control/spending.h"
#include "control/tree.h"

#define KILL_TIMEOUT_NS (5 * NS_PER_SEC)

/* Tells the launcher why the command will not run. Return: -ECANCELED. */
static int fail(struct session *s, const char *what)
{
	(void)launch_send(s->sock, LAUNCH_FAILED, RUN_EXIT_FAILED, "%s", what);
	s->has_told = true;
	return -ECANCELED;
}

static int fail_errno(struct session *s, const char *what, int r)
{
	char text[256];

	(void)snprintf(text, sizeof(text), "%s: %s; the command was not run", what, strerror(-r));
	return fail(s, text);
}

static int fail_diag(struct session *s, const struct diag *d)
{
	char text[1280];

	diag_format(d, text, sizeof(text));
	return fail(s, text);
}

/* Is @fd the supervisor's own, or the command's? */
static bool is_wanted(const struct session *s, int fd)
{
	const struct session_config *c = s->config;
	bool wanted = fd == s->sock;

	for (size_t i = 0; i < c->n_keep_fds; i++)
		wanted = wanted || fd == c->keep_fds[i];
	for (size_t i = 0; i < c->n_sinks; i++)
		wanted = wanted || fd == c->sinks[i];
	wanted = wanted || (c->names && (fd == c->names->questions || fd == c->names->looks ||
					 fd == c->names->sockets));
	return wanted || fd == c->asker;
}

/* What the launcher's shell left open would live on in a process that outlasts the job. */
static void close_inherited(const struct session *s)
{
	const struct session_config *c = s->config;
	int last = s->sock;

	for (size_t i = 0; i < c->n_keep_fds; i++)
		last = MAX(last, c->keep_fds[i]);
	for (size_t i = 0; i < c->n_sinks; i++)
		last = MAX(last, c->sinks[i]);
	last = MAX(last, c->asker);
	if (c->names) {
		last = MAX(last, c->names->questions);
		last = MAX(last, c->names->looks);
		last = MAX(last, c->names->sockets);
	}
	for (int fd = 3; fd <= last; fd++)
		if (!is_wanted(s, fd))
			(void)close(fd);
	(void)syscall(__NR_close_range, (unsigned int)last + 1, ~0U, 0);
}

static int explain_spawn(struct session *s, int r)
{
	if (r == -EBUSY)
		return fail(
			s,
			"another supervisor is active: a seccomp listener already watches this process tree, and "
			"the kernel allows one. Start the command outside of it (e.g. not inside another "
			"`holdfast run`)");
	if (r == -ENOLINK)
		return fail(
			s,
			"holdfast-loader has not taken the command into the session's cgroup; the command was not run");
	if (r == -EPROTONOSUPPORT)
		return fail(s, SESSION_NO_NOTIFICATION);
	return fail_errno(s, "cannot load the seccomp filter", r);
}

static int check_features(struct session *s)
{
	int r = features_probe(&s->features);

	if (r < 0)
		return fail_errno(s, "cannot ask the kernel about its features", r);
	if (s->features.listener_taken)
		return explain_spawn(s, -EBUSY);
	if (!s->features.has_proc)
		return fail(s, SESSION_NO_PROC);
	if (!s->features.user_notif || !s->features.notif_sizes_match)
		return fail(s, SESSION_NO_NOTIFICATION);
	return 0;
}

/* A policy that speaks of it goes before the options, but never loosens `always`. */
static enum audit_sync sync_of(const struct session *s)
{
	static const enum audit_sync modes[_POLICY_SYNC_MAX] = {
		[POLICY_SYNC_NONE] = AUDIT_SYNC_NONE,
		[POLICY_SYNC_SECOND] = AUDIT_SYNC_SECOND,
		[POLICY_SYNC_ALWAYS] = AUDIT_SYNC_ALWAYS,
	};
	enum audit_sync asked = s->config->log_storage.sync;

	return s->log.sync == POLICY_SYNC_UNSAID || asked == AUDIT_SYNC_ALWAYS ? asked
									       : modes[s->log.sync];
}

static int open_log(struct session *s)
{
	struct audit_config config = {.path = s->config->log_path,
				      .session = s->config->session,
				      .agent = s->config->agent,
				      .storage = s->config->log_storage};
	struct diag d = {};
	int r;

	policy_stack_log(s->config->policies->stack, &s->log);
	config.storage.sync = sync_of(s);
	r = redact_new(s->config->policies->stack, &s->redact);
	s->scratch = redact_scratch_new();
	if (r < 0 || !s->scratch)
		return fail_errno(s, "cannot prepare the patterns of redactions", -ENOMEM);
	config.redact = s->redact;
	/* It has to be there for the engine to know it again. */
	if (s->config->log_keys && keylist_open(s->config->log_keys, &s->log_keys, &d) < 0)
		return fail_diag(s, &d);
	config.keys_path = s->config->log_keys;
	if (audit_open(&config, &s->audit, &d) < 0)
		return fail_diag(s, &d);
	return 0;
}

/*
 * The key that signs this session's log. It is made after the command was forked and this process
 * hardened, so that it is in nobody's memory but ours; the command has executed nothing yet.
 */
static int make_key(struct session *s)
{
	int r;

	if (s->log_keys < 0)
		return 0;
	r = signkey_new(&s->log_key);
	if (r == 0)
		r = keylist_register(s->log_keys, KEYLIST_SESSION, bytes_of(s->config->session),
				     signkey_public(s->log_key));
	if (r == 0)
		audit_set_key(s->audit, s->log_key, s->log_keys);
	return r;
}

/*
 * Others than our user and root may answer. Where they cannot be let in the session goes on: what
 * they would be asked is denied at its deadline, and that is told.
 */
static void open_approvers(struct session *s, struct control_server_config config)
{
	const struct policy_stack *stack = s->config->policies->stack;
	bool is_wanted = false;

	for (size_t i = 0; i < policy_stack_size(stack); i++)
		is_wanted = is_wanted || policy_names_approvers(policy_stack_get(stack, i));
	if (!is_wanted)
		return;
	s->approvers_dir = dirs_approvers();
	if (!s->approvers_dir)
		return;
	config.runtime_dir = s->approvers_dir;
	config.is_for_approvers = true;
	config.agent = s->config->agent;
	if (control_server_new(&config, &s->approvers, &s->approvers_trouble) < 0)
		s->approvers = NULL;
}

static void tell_approvers_trouble(struct session *s)
{
	char text[1280], note[1400];
	int n;

	if (!s->approvers_trouble.message[0])
		return;
	diag_format(&s->approvers_trouble, text, sizeof(text));
	n = snprintf(
		note, sizeof(note),
		"Only the session's user and root can answer, though a policy names approvers: %s",
		text);
	session_notice(s, (struct bytes){.p = note, .len = (size_t)n});
	(void)launch_send(s->sock, LAUNCH_NOTICE, 0, "%s", note);
}

static int open_control(struct session *s)
{
	struct control_server_config config = {
		.runtime_dir = s->config->runtime_dir,
		.session = s->config->session,
		.supervisor = getpid(),
		.owner = getuid(),
		.ops = &session_control_ops,
		.arg = s,
	};
	const struct prompt_config prompt = {.job_pgrp = getpgid(s->config->launcher),
					     .supervisor = getpid()};
	struct diag d = {};
	int r;

	r = held_table_new(s->config->ask_timeout_ns, &s->held);
	if (r < 0)
		return fail_errno(s, "cannot make the table of held actions", r);
	config.held = s->held;
	if (control_server_new(&config, &s->server, &d) < 0)
		return fail_diag(s, &d);
	open_approvers(s, config);
	if (s->config->ask != ASK_TERMINAL)
		return 0;
	r = prompt_new(&prompt, &s->prompt);
	if (r == -ENXIO)
		return fail(
			s,
			"--ask terminal needs a terminal, and there is none: use --ask queue and answer with "
			"`holdfast approve ID`");
	return r < 0 ? fail_errno(s, "cannot open the terminal for --ask terminal", r) : 0;
}

/* Deciding means reading the agent's memory; better to find out now than to deny everything. */
static int check_can_read(struct session *s)
{
	char path[32];
	int fd;

	(void)snprintf(path, sizeof(path), "/proc/%d/mem", s->command);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		(void)kill(s->command, SIGKILL);
		return fail_errno(
			s,
			"cannot read the memory of the command (kernel.yama.ptrace_scope of 2 or more, or a "
			"container without ptrace)",
			-errno);
	}
	fd_close(fd);
	return 0;
}

static int spawn(struct session *s)
{
	const struct session_config *c = s->config;
	_cleanup_(fd_closep) int ruleset = -1;
	struct filter filter = {};
	struct spawn_config config = {
		.path = c->command,
		.argv = c->argv,
		.envp = session_environment(s),
		.process_group = getpgid(c->launcher),
		.keep_fds = c->keep_fds,
		.n_keep_fds = c->n_keep_fds,
		.signal_mask = s->original_mask,
		.limits = s->command_limits,
		.filter = &filter,
	};
	struct spawn_result result;
	int r;

	if (!config.envp)
		return fail_errno(s, "cannot make the command's environment", -ENOMEM);
	config.net = s->net;
	config.lsm = s->lsm;
	config.drops_caps = s->plan.drops_caps;
	config.kept_caps = s->plan.kept_caps;
	config.n_limits = session_command_limits(s);
	r = filter_build(&s->plan.filter, &filter);
	if (r < 0)
		return fail_errno(s, "cannot build the seccomp filter", r);
	ruleset = plan_ruleset(c->policies->stack, &s->plan);
	if (ruleset < 0 && ruleset != -ENOENT) {
		filter_fini(&filter);
		return fail_errno(s, "cannot make the Landlock ruleset", ruleset);
	}
	config.ruleset = ruleset;
	r = spawn_agent(&config, &result);
	filter_fini(&filter);
	if (r < 0)
		return explain_spawn(s, r);
	s->command = result.pid;
	s->listener = result.listener;
	s->exec_status = result.exec_status;
	s->features.wait_killable = result.wait_killable;
	s->features.sync_wake_up = features_set_sync_wake_up(s->listener, true);
	r = session_sight_seal(s);
	if (r < 0)
		return fail_errno(s, "the layer sight was lost while the session began", r);
	(void)launch_send(s->sock, LAUNCH_STARTED, s->command, "%s", "");
	return check_can_read(s);
}

/* The last to go when memory runs out, where we may say so (root); the command has its own value by
 * now. */
static void spare_from_oom(void)
{
	_cleanup_(fd_closep) int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);

	if (fd >= 0)
		(void)io_write_all(fd, "-1000", 5);
}

/*
 * From here on the agent may run and shares our user: nothing of this process may be read, traced
 * or taken by it, and nothing of the terminal's job may stop or end it. The command has its own
 * copy of the standard streams by now; ours would keep pipes open after it ended.
 */
static int harden(struct session *s)
{
	static const int ignored[] = {SIGPIPE, SIGXFSZ, SIGXCPU, SIGTTIN, SIGTTOU,
				      SIGTSTP, SIGHUP,  SIGINT,  SIGQUIT};
	_cleanup_(fd_closep) int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	if (null < 0)
		return fail_errno(s, "cannot open /dev/null", -errno);
	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++)
		(void)dup3(null, fd, 0);
	for (size_t i = 0; i < s->config->n_keep_fds; i++)
		(void)close(s->config->keep_fds[i]);
	for (size_t i = 0; i < ARRAY_SIZE(ignored); i++)
		(void)signal(ignored[i], SIG_IGN);
	(void)signal(SIGCHLD, SIG_DFL);
	(void)prctl(PR_SET_DUMPABLE, 0);
	spare_from_oom();
	return 0;
}

static void post_job(void *arg, struct receivers_job *job)
{
	struct session *s = arg;

	receivers_post(s->receivers, job);
}

#define HOSTS "/etc/hosts"

/* The helper's sockets are ours from here on. */
static int init_names(struct session *s, struct supervise_config *config)
{
	int r;

	if (!s->config->names)
		return 0;
	s->names.helper = *s->config->names;
	(void)pthread_mutex_init(&s->names.lock, NULL);
	r = names_table_new(&s->names.table);
	config->engine.names = s->names.table;
	config->names = &s->names;
	/* Without it, or past what is read of it, its addresses have no names. */
	if (r == 0)
		(void)names_learn_hosts(s->names.table, HOSTS);
	return r < 0 ? r : lead_tickets_new(&s->names.tickets);
}

static void fini_names(struct session *s)
{
	if (!s->config->names)
		return;
	names_table_free(s->names.table);
	lead_tickets_free(s->names.tickets);
	names_helper_close(&s->names.helper);
}

static int start_deciding(struct session *s)
{
	struct supervise_config config = {
		.listener = s->listener,
		.audit = s->audit,
		.held = s->held,
		.redact = s->redact,
		.stops_without_log = s->log.on_failure == POLICY_LOG_STOP,
		.engine = {.stack = s->config->policies->stack,
			   .ask = s->config->ask,
			   .supervisor = getpid(),
			   .launcher = s->config->launcher,
			   .keeper = getppid(),
			   .agent = s->config->agent,
			   .log_path = s->config->log_path,
			   .spend_socket = control_server_path(s->spend_server),
			   .budget = s->budget,
			   .grants = s->grants},
		.command = s->command,
		.records_kernel = s->net || s->lsm,
		.post = post_job,
		.hold_ended = session_hold_ended,
		.stop = session_stop,
		.looping = session_looping,
		.arg = s,
	};
	struct receivers_config receivers = {
		.listener = s->listener,
		.max_receivers = RECEIVERS_MAX,
		.thread_new = supervise_context_new,
		.thread_free = supervise_context_free,
		.handle = supervise_handle,
		.refuse = supervise_refuse,
		.is_interrupted = supervise_is_interrupted,
		.sync_wake_up = s->features.sync_wake_up,
	};
	struct engine_config *e = &config.engine;
	int r;

	for (size_t i = 0; i < s->config->n_protected && e->n_protected < ENGINE_MAX_PROTECTED; i++)
		e->protected_paths[e->n_protected++] = s->config->protected_paths[i];
	if (spending_dir(s->spending) && e->n_protected < ENGINE_MAX_PROTECTED)
		e->protected_paths[e->n_protected++] = spending_dir(s->spending);
	for (size_t i = 0; i < s->config->n_secrets && e->n_secrets < ENGINE_MAX_SECRETS; i++)
		e->secret_paths[e->n_secrets++] = s->config->secret_paths[i];
	policy_stack_denials(s->config->policies->stack, &config.denial_repeats,
			     &config.denials_stop);
	if (s->approvers_dir && e->n_protected < ENGINE_MAX_PROTECTED)
		e->protected_paths[e->n_protected++] = s->approvers_dir;
	if (session_grants_dir(s) && e->n_protected < ENGINE_MAX_PROTECTED)
		e->protected_paths[e->n_protected++] = session_grants_dir(s);
	r = init_names(s, &config);
	if (r < 0)
		return fail_errno(s, "cannot make the table of names", r);
	r = supervise_new(&config, &s->supervise);
	if (r < 0)
		return fail_errno(s, "cannot start deciding", r);
	r = make_key(s);
	if (r < 0)
		return fail_errno(s, "cannot register the key that signs the log", r);
	/* Before the writer has a thread of its own: then nobody has to be waited for. */
	r = session_record_start(s);
	if (r == 0)
		r = audit_start(s->audit);
	if (r < 0)
		return fail_errno(s, "cannot write the log", r);
	session_grants_start(s);
	tell_approvers_trouble(s);
	if (chdir("/") < 0) /* a session that outlasts its command must not keep a mount busy */
		return fail_errno(s, "cannot change to /", -errno);
	r = supervise_names_start(s->supervise);
	if (r == 0)
		r = supervise_looks_start(s->supervise);
	if (r < 0)
		return fail_errno(s, "cannot start deciding on names", r);
	receivers.arg = s->supervise;
	r = receivers_start(&receivers, &s->receivers);
	return r < 0 ? fail_errno(s, "cannot start the receivers", r) : 0;
}

static int session_setup(struct session *s)
{
	struct diag d = {};
	int r;

	close_inherited(s);
	/* A group of its own in the launcher's session: Ctrl-C and Ctrl-Z of the job pass by. */
	(void)setpgid(0, 0);
	/* Before this process adopts orphans: who loads is to be the keeper's child, not ours. */
	r = session_plan(s);
	if (r < 0)
		return r;
	(void)prctl(PR_SET_CHILD_SUBREAPER, 1);
	r = session_limits_init(s);
	if (r < 0)
		return fail_errno(s, "cannot raise the limits of open files and file size", r);
	r = check_features(s);
	if (r == 0)
		r = open_log(s);
	if (r == 0)
		r = open_control(s);
	if (r == 0 && session_budget_init(s, &d) < 0)
		r = fail_diag(s, &d);
	if (r == 0)
		r = session_grants_init(s);
	if (r == 0)
		r = spawn(s);
	if (r == 0)
		r = harden(s);
	if (r == 0)
		r = session_loop_init(s);
	if (r == -ENOMEM)
		r = fail_errno(s, "cannot watch the session", r);
	if (r == 0)
		r = start_deciding(s);
	return r;
}

/* Every process of the session has gone, or was killed: nothing is left to answer. */
static void session_teardown(struct session *s)
{
	_cleanup_(fd_closep) int unsynced = -1;
	struct held *h;
	bool has_ended = receivers_stop(s->receivers);

	supervise_names_stop(s->supervise);
	supervise_looks_stop(s->supervise);
	if (s->supervise) {
		/* What came together with the end, such as the broker's report of an attempt. */
		control_server_dispatch(s->server);
		while ((h = held_table_take_any(s->held)))
			supervise_end_hold(s->supervise, h, HOLD_SHUTDOWN, BYTES_NULL, BYTES_NULL);
		session_sight_end(s);
		session_net_end(s);
		session_lsm_end(s);
		session_budget_end(s);
		session_sinks_finish(s);
		control_server_tell_untold(s->server);
		control_server_tell_untold(s->spend_server);
		control_server_tell_untold(s->approvers);
		(void)session_record_end(s);
	}
	session_net_end(s); /* of a session that did not start */
	session_lsm_end(s);
	/* The disk is not waited for before the shell has its prompt again. */
	unsynced = audit_take_unsynced(s->audit);
	audit_close(s->audit);
	signkey_free(s->log_key);
	prompt_free(s->prompt);
	control_server_free(s->server);
	control_server_free(s->approvers);
	free(s->approvers_dir);
	held_table_free(s->held);
	redact_scratch_free(s->scratch);
	redact_free(s->redact);
	session_budget_fini(s);
	session_grants_fini(s);
	/* A thread that hangs in a file system may still come back: it finds that its notification
	 * is gone, and needs these to find that out. */
	if (has_ended) {
		supervise_free(s->supervise);
		grants_free(s->grants);
		fini_names(s);
		s->listener = fd_close(s->listener);
	}
	if (!s->has_told && s->is_cut)
		(void)launch_send(s->sock, LAUNCH_CUT, RUN_EXIT_ENDED, "the session was ended: %s",
				  s->stop_reason);
	else if (!s->has_told && s->has_exited)
		(void)launch_send(s->sock, LAUNCH_ENDED, s->wait_status, "%s", "");
	s->exec_status = fd_close(s->exec_status);
	s->epoll = fd_close(s->epoll);
	s->signals = fd_close(s->signals);
	s->timer = fd_close(s->timer);
	s->stop = fd_close(s->stop);
	s->keeper = fd_close(s->keeper);
	s->sock = fd_close(s->sock);
	session_sinks_fini(s);
	session_ask_fini(s);
	if (unsynced >= 0) {
		(void)fdatasync(s->log_keys);
		(void)fdatasync(unsynced);
	}
	s->log_keys = fd_close(s->log_keys);
}

int session_run(void *config, int sock, const sigset_t *original_mask)
{
	struct session s = {
		.config = config,
		.original_mask = original_mask,
		.sock = sock,
		.listener = -1,
		.exec_status = -1,
		.log_keys = -1,
		.epoll = -1,
		.signals = -1,
		.timer = -1,
		.stop = -1,
		.keeper = -1,
		.asker = {.fd = -1},
		.grants_lock = PTHREAD_MUTEX_INITIALIZER,
		.started_ns = clock_monotonic_ns(),
	};
	int r;

	atomic_flag_clear(&s.has_stopper);
	session_sinks_init(&s);
	r = session_setup(&s);
	if (r == 0)
		session_loop(&s);
	else
		(void)tree_kill(KILL_TIMEOUT_NS);
	session_teardown(&s);
	return r == 0 ? 0 : RUN_EXIT_FAILED;
}
