/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `holdfast run`: everything that can go wrong before a process exists is found and said here.
 */
#include <limits.h>
#include <link.h>
#include <malloc.h>
#include <stdio.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>

#include "audit/keylist.h"
#include "audit/place.h"
#include "base/dirs.h"
#include "base/io.h"
#include "base/say.h"
#include "control/session.h"
#include "loader/features.h"
#include "loader/layers.h"

#include "cli/ask_program.h"
#include "cli/broker_start.h"
#include "cli/commands.h"
#include "cli/log_sinks.h"
#include "cli/lookup.h"
#include "cli/policy_dirs.h"
#include "cli/run_options.h"

#define SESSION_ID_SIZE 32
#define N_OWN_PATHS                                                                                \
	13 /* log, ring, its keys, runtime directory, cache (the log's index), binary, loader, the \
	      tmux server's socket and its directory, configuration, what the broker's names */
#define N_LIBRARIES ENGINE_MAX_LIBRARIES
#define N_ASKED     8 /* words of --ask command:... that name files */
#define N_PROTECTED (POLICY_MAX_STACK * POLICY_MAX_FILES + N_OWN_PATHS + N_LIBRARIES + N_ASKED)

extern char **environ;

_Static_assert(RUN_MAX_SINKS <= SESSION_MAX_SINKS, "the session takes all");

/* "20261121T051234-k3f9qz": sorts by time, unique among sessions of one second. */
static int make_session_id(char out[static SESSION_ID_SIZE])
{
	static const char letters[] = "abcdefghijkmnpqrstuvwxyz23456789";
	unsigned char random[6];
	time_t now = time(NULL);
	struct tm tm;
	size_t n;

	if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random))
		return -EIO;
	(void)gmtime_r(&now, &tm);
	n = strftime(out, SESSION_ID_SIZE, "%Y%m%dT%H%M%S-", &tm);
	for (size_t i = 0; i < sizeof(random); i++)
		out[n++] = letters[random[i] % 32];
	out[n] = '\0';
	return 0;
}

struct run {
	struct run_options options;
	struct policy_dirs dirs;
	struct policyset policies;
	char session[SESSION_ID_SIZE];
	char *command;
	char *home;
	char *project;
	char *tmp;
	char *log_path;
	char *ring_path;
	char *runtime_dir;
	char *cache_dir; /* NULL: there is none */
	char *keys_path, *old_keys[2];
	struct broker_config broker;
	char *config_dir, *config_path;
	const char *secrets[2];
	size_t n_secrets;
	char *binary;
	char *loader; /* NULL: this build has none */
	char *libraries[N_LIBRARIES];
	size_t n_libraries;
	char *tmux, *tmux_dir; /* NULL: not --ask tmux */
	char *asked[N_ASKED];
	size_t n_asked;
	const char *protected_paths[N_PROTECTED];
	size_t n_protected;
	int sinks[RUN_MAX_SINKS];
	char asker_name[ASKER_APPROVER_MAX];
	struct names_helper names;
	int names_error; /* of their start; -errno */
};

static void run_fini(struct run *r)
{
	policy_dirs_fini(&r->dirs);
	policyset_fini(&r->policies);
	free(r->command);
	free(r->home);
	free(r->project);
	free(r->tmp);
	free(r->log_path);
	free(r->ring_path);
	free(r->runtime_dir);
	free(r->cache_dir);
	free(r->keys_path);
	for (size_t i = 0; i < ARRAY_SIZE(r->old_keys); i++)
		free(r->old_keys[i]);
	free(r->config_dir);
	free(r->config_path);
	broker_config_fini(&r->broker);
	free(r->binary);
	free(r->loader);
	free(r->tmux);
	free(r->tmux_dir);
	for (size_t i = 0; i < r->n_libraries; i++)
		free(r->libraries[i]);
	for (size_t i = 0; i < r->n_asked; i++)
		free(r->asked[i]);
}

static const char *agent_name(const struct run *r)
{
	const char *slash = strrchr(r->options.command[0], '/');

	if (r->options.name)
		return r->options.name;
	return slash ? slash + 1 : r->options.command[0];
}

static void say_warning(_unused_ void *ctx, const struct diag *d)
{
	say_diag("warning: ", d);
}

/* Only where a policy or the user asks for it: then every question to the DNS is an action. */
static void start_names(struct run *r)
{
	if (policyset_names_domains(&r->policies) || r->options.wants_names)
		r->names_error = names_helper_start(&r->names);
}

/*
 * What a policy says of names is protection that must not be missing without a word, so without the
 * helper nothing is run; a policy that only advises protects from nothing.
 */
static int await_names(struct run *r)
{
	int e = r->names_error;

	if (e == 0 && r->names.questions >= 0)
		e = names_helper_await(&r->names);
	if (e == 0)
		return 0;
	if (!policyset_names_domains(&r->policies) || policy_stack_is_audit(r->policies.stack)) {
		say("warning: the names of connections cannot be learned here (neither a network "
		    "namespace nor loopback: %s), so the log has their addresses only",
		    strerror(-e));
		return 0;
	}
	say("the policies name hosts, or limit questions to the DNS, and names cannot be learned here "
	    "(neither a network namespace nor loopback can be had: %s); nothing was run",
	    strerror(-e));
	return RUN_EXIT_FAILED;
}

static int run_load_policies(struct run *r)
{
	const struct policy_subject subject = {.agent = agent_name(r),
					       .tags = r->options.tags,
					       .n_tags = r->options.n_tags,
					       .tier = r->options.tier};
	struct policyset_config config = {.names = r->options.policies,
					  .n_names = r->options.n_policies,
					  .force_audit = r->options.is_audit,
					  .subject = &subject,
					  .language = r->options.language,
					  .dialect_default = r->options.dialect_default,
					  .warn = say_warning};
	struct diag d = {};
	int rc;

	r->home = lookup_home();
	r->tmp = lookup_tmp();
	r->project = lookup_project(r->options.project);
	if (!r->project || !r->tmp)
		return RUN_EXIT_FAILED;
	config.vars = (struct policy_vars){
		.home = r->home ? r->home : "/nonexistent", .project = r->project, .tmp = r->tmp};
	if (policy_dirs_init(&r->dirs) < 0)
		return RUN_EXIT_FAILED;
	config.dirs = r->dirs.dirs;
	config.n_dirs = r->dirs.n;
	rc = policyset_load(&config, &r->policies, &d);
	if (rc == 0) {
		return 0;
	}
	if (rc == -ENOMEM)
		say("out of memory while loading the policies");
	else
		say_diag("", &d);
	return RUN_EXIT_FAILED;
}

/* The real path of something that may not exist yet: its directory's, which is made when missing,
 * plus its name. */
static char *resolve_place(const char *path)
{
	_cleanup_(freep) char *copy = strdup(path), *dir = NULL;
	char *slash = copy ? strrchr(copy, '/') : NULL;

	if (!copy)
		return NULL;
	if (!slash) {
		dir = realpath(".", NULL);
		return dir ? str_format("%s/%s", dir, path) : strdup(path);
	}
	*slash = '\0';
	dir = realpath(slash == copy ? "/" : copy, NULL);
	return dir ? str_format("%s/%s", streq(dir, "/") ? "" : dir, slash + 1) : strdup(path);
}

static void protect(struct run *r, const char *path)
{
	if (path && r->n_protected < ARRAY_SIZE(r->protected_paths))
		r->protected_paths[r->n_protected++] = path;
}

/* With what it includes and extends, or a change there would change it. */
static void protect_policy(struct run *r, const struct policyset_entry *entry)
{
	for (size_t i = 0; i < entry->n_files; i++)
		protect(r, entry->files[i]);
}

/*
 * Where the keys that sign the log are registered. Without a home it is not signed. What a host's
 * key was before is protected although it is gone: who makes it anew would be believed.
 */
static void find_keys(struct run *r)
{
	_cleanup_(freep) char *keys = keylist_path(), *dir = keys ? strdup(keys) : NULL;

	if (!dir) {
		say("the log will not be signed: there is no place for the list of keys; set HOME or XDG_STATE_HOME");
		return;
	}
	*strrchr(dir, '/') = '\0';
	(void)io_mkdir_p(dir, 0700); /* that it did not work is told when the list is made */
	r->keys_path = resolve_place(keys);
	if (!r->keys_path)
		return;
	r->old_keys[0] = keylist_old_private(r->keys_path);
	r->old_keys[1] = keylist_old_public(r->keys_path);
	protect(r, r->keys_path);
	protect(r, r->old_keys[0]);
	protect(r, r->old_keys[1]);
}

/*
 * The user's configuration decides who answers. What is not there yet could be made to be: the
 * directory is made here, so that no link of an agent's takes its place; root's /etc is there.
 */
static void find_config(struct run *r)
{
	_cleanup_(freep) char *dir = dirs_config(), *path = broker_config_path();
	struct diag d = {};
	int e;

	if (!dir || !path)
		return;
	if (geteuid() != 0)
		(void)io_mkdir_p(dir, 0700);
	r->config_dir = realpath(dir, NULL);
	if (!r->config_dir)
		r->config_dir = resolve_place(dir);
	protect(r, r->config_dir);
	r->config_path = resolve_place(path);
	if (r->config_path)
		r->secrets[r->n_secrets++] = r->config_path;
	e = broker_config_load(path, &r->broker, &d);
	if (e == -EINVAL)
		say_diag("warning: there will be no broker: ", &d);
	if (e < 0)
		return;
	protect(r, r->broker.webhook.ca_file);
	protect(r, r->broker.webhook.secret_file);
	if (r->broker.webhook.secret_file)
		r->secrets[r->n_secrets++] = r->broker.webhook.secret_file;
	broker_start(&r->broker);
}

/* What the binary loads is as good as the binary. */
static int protect_library(struct dl_phdr_info *info, _unused_ size_t size, void *run)
{
	struct run *r = run;
	char *path = *info->dlpi_name == '/' ? realpath(info->dlpi_name, NULL) : NULL;

	if (path && r->n_libraries < ARRAY_SIZE(r->libraries)) {
		r->libraries[r->n_libraries++] = path;
		protect(r, path);
	} else {
		free(path);
	}
	return 0;
}

/*
 * Who can change the program that answers can answer. Every word of the command that names a file
 * counts, since it may be a script and its interpreter; what that loads in turn is the user's care.
 */
static void protect_asked(struct run *r)
{
	_cleanup_(freep) char *words =
		r->options.ask_command ? strdup(r->options.ask_command) : NULL;
	char *state = NULL;

	for (char *word = words ? strtok_r(words, " \t\n\"'", &state) : NULL;
	     word && r->n_asked < ARRAY_SIZE(r->asked); word = strtok_r(NULL, " \t\n\"'", &state)) {
		_cleanup_(freep) char *found = NULL, *path = NULL;
		struct stat st;

		if (word == words && !strchr(word, '/'))
			(void)lookup_command(word, &found);
		path = realpath(found ? found : word, NULL);
		if (!path || stat(path, &st) < 0 || !S_ISREG(st.st_mode))
			continue;
		r->asked[r->n_asked] = TAKE_PTR(path);
		protect(r, r->asked[r->n_asked++]);
	}
}

/*
 * Who can talk to the tmux server could type the answer, or run `holdfast approve` in a window of
 * its own. In tmux's own directory are the sockets of the user's other servers, which could do that
 * for somebody.
 */
static int protect_tmux(struct run *r)
{
	char *slash;

	if (r->options.ask != ASK_TMUX)
		return 0;
	if (ask_tmux_find(&r->tmux) < 0)
		return RUN_EXIT_FAILED;
	protect(r, r->tmux);
	r->tmux_dir = strdup(r->tmux);
	slash = r->tmux_dir ? strrchr(r->tmux_dir, '/') : NULL;
	if (!slash)
		return RUN_EXIT_FAILED;
	*slash = '\0';
	if (bytes_has_prefix(bytes_base_name(bytes_of(r->tmux_dir)), BYTES_LIT("tmux-")))
		protect(r, r->tmux_dir);
	return 0;
}

static int run_find_places(struct run *r)
{
	_cleanup_(freep) char *log = NULL, *runtime = NULL, *cache = dirs_cache();
	struct diag d = {};
	char text[1280];
	char loader[PATH_MAX];

	if (make_session_id(r->session) < 0) {
		say("the kernel gives no random bytes; nothing was run");
		return RUN_EXIT_FAILED;
	}
	if (audit_place(r->options.log, r->session, &log, &d) < 0) {
		diag_format(&d, text, sizeof(text));
		say("%s", text);
		return RUN_EXIT_FAILED;
	}
	r->log_path = resolve_place(log);
	r->ring_path = r->log_path ? str_format("%s.ring", r->log_path) : NULL;
	runtime = dirs_runtime();
	r->runtime_dir = runtime ? resolve_place(runtime) : NULL;
	r->cache_dir = cache ? resolve_place(cache) : NULL;
	r->binary = realpath("/proc/self/exe", NULL);
	r->loader = layers_find(loader, sizeof(loader)) == 0 ? realpath(loader, NULL) : NULL;
	if (!r->ring_path || !r->runtime_dir) {
		say("no place for the log or the control socket: set HOME, or XDG_STATE_HOME and XDG_RUNTIME_DIR");
		return RUN_EXIT_FAILED;
	}
	find_keys(r);
	find_config(r);
	protect(r, r->log_path);
	protect(r, r->ring_path);
	protect(r, r->runtime_dir);
	/* Who writes to the index decides what questions find. */
	protect(r, r->cache_dir);
	protect(r, r->binary);
	protect(r, r->loader);
	(void)dl_iterate_phdr(protect_library, r);
	protect_asked(r);
	if (protect_tmux(r))
		return RUN_EXIT_FAILED;
	for (size_t i = 0; i < r->policies.n; i++)
		protect_policy(r, &r->policies.entries[i]);
	for (size_t i = 0; i < r->policies.n_left_out; i++)
		protect_policy(r, &r->policies.left_out[i]);
	return 0;
}

static int run_start(struct run *r)
{
	struct session_config config = {
		.session = r->session,
		.agent = agent_name(r),
		.policies = &r->policies,
		.ask = r->options.ask,
		.ask_timeout_ns = r->options.ask_timeout_ns,
		.is_quiet = r->options.is_quiet,
		.log_path = r->log_path,
		.log_keys = r->keys_path,
		.log_storage = r->options.log_storage,
		.runtime_dir = r->runtime_dir,
		.command = r->command,
		.argv = r->options.command,
		.envp = environ,
		.keep_fds = r->options.keep_fds,
		.n_keep_fds = r->options.n_keep_fds,
		.sinks = r->sinks,
		.sink_names = r->options.sinks,
		.n_sinks = r->options.n_sinks,
		.asker = -1,
		.launcher = getpid(),
		.wishes = r->options.wishes,
		.protected_paths = r->protected_paths,
		.n_protected = r->n_protected,
		.secret_paths = r->secrets,
		.n_secrets = r->n_secrets,
	};

	if (await_names(r))
		return RUN_EXIT_FAILED;
	if (r->names.questions >= 0)
		config.names = &r->names;
	if (log_sinks_start(r->options.sinks, r->options.n_sinks, r->log_path, r->session,
			    r->sinks) < 0)
		return RUN_EXIT_FAILED;
	if (r->options.ask == ASK_COMMAND) {
		if (ask_program_start(r->options.ask_command, r->asker_name, &config.asker) < 0)
			return RUN_EXIT_FAILED;
		config.asker_name = r->asker_name;
	}
	if (r->options.ask == ASK_TMUX) {
		if (!r->binary || ask_tmux_start(r->session, r->binary, &config.asker) < 0)
			return RUN_EXIT_FAILED;
		config.asker_name = "tmux";
	}
	return launch_run(session_run, &config);
}

/*
 * A session makes some large tables and then allocates hardly anything. By default glibc takes what
 * was freed (the policies' text) for them, and clearing it again touches pages that are never used;
 * and each receiver thread gets an arena of its own.
 */
static void tune_malloc(void)
{
	(void)mallopt(M_MMAP_THRESHOLD, 32 * 1024);
	(void)mallopt(M_ARENA_MAX, 1);
}

int cmd_run(int argc, char **argv)
{
	_cleanup_(run_fini) struct run r = {.names = NAMES_HELPER_INIT};
	int rc = run_options_parse(argc, argv, &r.options);

	tune_malloc();
	if (rc == RUN_OPTIONS_HELP)
		return 0;
	if (rc < 0)
		return RUN_EXIT_FAILED;
	if (!features_has_proc()) { /* before the policies: they are looked for beside our binary */
		say("%s", SESSION_NO_PROC);
		return RUN_EXIT_FAILED;
	}
	rc = run_load_policies(&r);
	if (rc == 0)
		rc = lookup_command_or_say(r.options.command[0], &r.command);
	if (rc == 0) {
		start_names(&r);
		rc = run_find_places(&r);
	}
	return rc ? rc : run_start(&r);
}
