/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "base/io.h"

#include "action/rights.h"
#include "action/steps.h"

#include "engine/protect.h"
#include "engine/terminals.h"

static const struct protect_refusal own_files = {
	"own-files",
	"Holdfast's log, sockets and policies cannot be changed or reached from inside.", EACCES};

/* Files below /proc/PID of the supervisor or launcher that anybody may read, as ps(1) does. */
static const char *const harmless_proc_files[] = {
	"stat",   "status",    "statm",    "cmdline",   "comm",
	"cgroup", "oom_score", "loginuid", "sessionid", "wchan",
};

static void format_proc(char out[static 32], pid_t pid)
{
	size_t i = sizeof("/proc/") - 1, n = 0;
	char digits[16];

	memcpy(out, "/proc/", i);
	do {
		digits[n++] = (char)('0' + pid % 10);
		pid /= 10;
	} while (pid);
	while (n)
		out[i++] = digits[--n];
	out[i] = '\0';
}

/* @path is @tree or lies below it; whole components only. */
static bool path_is_within(struct bytes path, struct bytes tree)
{
	return bytes_has_prefix(path, tree) && (path.len == tree.len || path.p[tree.len] == '/');
}

static bool is_harmless_proc_read(const struct action_step *s, struct bytes tree)
{
	struct bytes rest;

	if (s->op != OP_READ)
		return false;
	if (s->object.len == tree.len)
		return true; /* listing the directory */
	rest = (struct bytes){.p = s->object.p + tree.len + 1, .len = s->object.len - tree.len - 1};
	for (size_t i = 0; i < ARRAY_SIZE(harmless_proc_files); i++)
		if (bytes_eq_str(rest, harmless_proc_files[i]))
			return true;
	return false;
}

/* Memory, descriptors and settings of the processes that guard the agent. */
static bool touches_guard_process(const struct protect *p, const struct action_step *s)
{
	const char *const procs[] = {p->procs[0], p->procs[1], p->procs[2]};

	for (size_t i = 0; i < ARRAY_SIZE(procs); i++) {
		struct bytes tree = bytes_of(procs[i]);

		if (path_is_within(s->object, tree) && !is_harmless_proc_read(s, tree))
			return true;
	}
	return false;
}

/* In a procfs of the session's own the numbers are others, and nobody outside has one. */
static bool is_in_our_proc(const struct protect *p, const struct action *a)
{
	const struct act_pin *pin = &a->act.pin;
	struct stat st;

	return fstat(pin->parent >= 0 ? pin->parent : pin->object, &st) < 0 ||
	       st.st_dev == p->proc_dev;
}

/*
 * Settings of processes outside of the session. A policy cannot tell them from the session's own:
 * their directories have the same names.
 */
static bool touches_process_outside(const struct protect *p, const struct action *a,
				    const struct action_step *s)
{
	static const struct bytes proc = BYTES_LIT("/proc/");
	struct policy_source source;
	struct bytes pid = BYTES_NULL;
	uint64_t number;
	int r;

	if (!(OP_BIT(s->op) & OPS_CHANGE) || !bytes_has_prefix(s->object, proc))
		return false;
	pid.p = s->object.p + proc.len;
	while (pid.len < s->object.len - proc.len && pid.p[pid.len] != '/')
		pid.len++;
	if (parse_u64(pid, INT32_MAX, &number) < 0 || !is_in_our_proc(p, a))
		return false;
	r = action_pid_descends_from((pid_t)number, p->config->supervisor);
	return r != 1 && r != -ESRCH &&
	       !policy_stack_grants(p->config->stack, GRANT_PROCESSES, &source);
}

/* FILE.1, FILE.2.zst, ...: what the log's file was before. */
static bool is_closed_log(const struct protect *p, struct bytes path)
{
	const struct bytes log = bytes_of(p->config->log_path);

	return log.p && bytes_has_prefix(path, log) && path.len > log.len && path.p[log.len] == '.';
}

static bool touches_secret(const struct protect *p, const struct action_step *s)
{
	for (size_t i = 0; s->kind == KIND_PATH && i < p->config->n_secrets; i++)
		if (path_is_within(s->object, bytes_of(p->config->secret_paths[i])))
			return true;
	return false;
}

/* The log, the control sockets, the policies in use, the binary: nothing of it may be changed or
 * talked to. */
static bool touches_own_files(const struct protect *p, const struct action_step *s)
{
	struct bytes path = BYTES_NULL;

	if (s->kind == KIND_PATH && (OP_BIT(s->op) & OPS_CHANGE))
		path = s->object;
	else if (s->kind == KIND_NETWORK)
		path = action_unix_name(s->object);
	if (!path.p)
		return false;
	if (is_closed_log(p, path))
		return true;
	for (size_t i = 0; i < p->config->n_protected; i++) {
		struct bytes tree = bytes_of(p->config->protected_paths[i]);

		/* Renaming or removing a directory above moves what is below away as well. */
		if (path_is_within(path, tree) ||
		    (s->op == OP_RENAME && path_is_within(tree, path)))
			return true;
	}
	return false;
}

/* Wherever it is mounted. */
static bool is_in_cgroupfs(const struct action *a)
{
	const struct act_pin *pin = &a->act.pin;
	struct statfs fs;

	return fstatfs(pin->parent >= 0 ? pin->parent : pin->object, &fs) == 0 &&
	       (fs.f_type == CGROUP2_SUPER_MAGIC || fs.f_type == CGROUP_SUPER_MAGIC);
}

/* Of both versions: what is before the first dot, or all of it. */
static bool names_control_file(struct bytes name)
{
	static const char *const controllers[] = {
		"blkio",   "cgroup",        "cpu",     "cpuacct",           "cpuset",
		"devices", "dmem",          "freezer", "hugetlb",           "io",
		"memory",  "misc",          "net_cls", "net_prio",          "pids",
		"rdma",    "release_agent", "tasks",   "notify_on_release",
	};
	const char *dot = name.len ? memchr(name.p, '.', name.len) : NULL;
	struct bytes first = {.p = name.p, .len = dot ? (size_t)(dot - name.p) : name.len};

	for (size_t i = 0; i < ARRAY_SIZE(controllers); i++)
		if (bytes_eq_str(first, controllers[i]))
			return true;
	return false;
}

/*
 * Who writes to these moves processes between control groups, stops, kills or starves a whole
 * group: also the one that Holdfast is in, which a user may own. What is written is not known when
 * the file is opened, so this is refused whatever group it is, unless the policies grant
 * administration.
 */
static bool touches_control_groups(const struct protect *p, const struct action *a,
				   const struct action_step *s)
{
	static const struct bytes tree = BYTES_LIT("/sys/fs/cgroup");
	struct policy_source source;

	if (s->kind != KIND_PATH || !(OP_BIT(s->op) & OPS_CHANGE) ||
	    !names_control_file(bytes_base_name(s->object)))
		return false;
	return (path_is_within(s->object, tree) || is_in_cgroupfs(a)) &&
	       !policy_stack_grants(p->config->stack, GRANT_ADMIN, &source);
}

/* ---- the same objects under other names */

/*
 * A hard link or a mount from before the session gives a file of ours a second name. What is under
 * the name that is judged can only become such a file by a change that is judged, too. The control
 * sockets and the logs of all sessions are ours, too.
 */
static bool is_own_object(const struct protect *p, const struct stat *st)
{
	if (S_ISSOCK(st->st_mode) && (st->st_mode & ENGINE_SOCKET_MARK))
		return true;
	for (size_t i = 0; i < p->n_objects; i++)
		if (p->objects[i].ino == st->st_ino && p->objects[i].dev == st->st_dev)
			return true;
	return false;
}

static bool has_log_mode(const struct stat *st)
{
	return S_ISREG(st->st_mode) && (st->st_mode & ALLPERMS) == ENGINE_LOG_MODE;
}

/*
 * A log or ring of any session: by its mode, which a program may give to a file of its own as well,
 * and then by how it begins. An empty one is nobody's: a log is empty for the moment before its
 * first record only. @fd: of the file, O_PATH; consumed.
 */
static bool begins_as_log(int fd)
{
	static const struct bytes heads[] = {
		BYTES_LIT("{\"v\":"), BYTES_LIT("HFRING1"),
		BYTES_LIT("\x28\xb5\x2f\xfd") /* zstd */,
		BYTES_LIT("\0\0\0\0\0\0\0") /* a ring in the making */};
	_cleanup_(fd_closep) int object = fd;
	_cleanup_(fd_closep) int file = -1;
	char head[8], path[32];
	ssize_t n;

	(void)snprintf(path, sizeof(path), "/proc/self/fd/%d", object);
	file = object < 0 ? -1 : open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	n = file < 0 ? -1 : pread(file, head, sizeof(head), 0);
	if (n < 0)
		return true; /* it cannot be told */
	for (size_t i = 0; i < ARRAY_SIZE(heads); i++)
		if (bytes_has_prefix((struct bytes){head, (size_t)n}, heads[i]))
			return true;
	return false;
}

static bool pins_own_object(const struct protect *p, const struct act_pin *pin)
{
	struct stat st;

	(void)rights_settle();
	if (pin->object >= 0 && fstat(pin->object, &st) == 0 &&
	    (is_own_object(p, &st) ||
	     (has_log_mode(&st) && begins_as_log(fcntl(pin->object, F_DUPFD_CLOEXEC, 0)))))
		return true;
	if (pin->parent < 0)
		return false;
	if (fstat(pin->parent, &st) == 0 && is_own_object(p, &st))
		return true;
	if (!pin->name.p || fstatat(pin->parent, pin->name.p, &st, AT_SYMLINK_NOFOLLOW) < 0)
		return false;
	return is_own_object(p, &st) ||
	       (has_log_mode(&st) &&
		begins_as_log(openat(pin->parent, pin->name.p, O_PATH | O_NOFOLLOW | O_CLOEXEC)));
}

static bool reaches_own_object(const struct protect *p, const struct action *a)
{
	unsigned int ops = 0;

	for (size_t i = 0; i < a->n_steps; i++)
		ops |= OP_BIT(a->steps[i].op);
	return (ops & (OPS_CHANGE | OP_BIT(OP_CONNECT) | OP_BIT(OP_SEND))) &&
	       (pins_own_object(p, &a->act.pin) || pins_own_object(p, &a->act.pin2));
}

/* ---- all of it */

static bool refuse_step(const struct protect *p, const struct action *a,
			const struct action_step *s, struct protect_refusal *ret)
{
	if (s->kind == KIND_PATH && touches_guard_process(p, s))
		*ret = (struct protect_refusal){
			"guard-process", "Holdfast's own processes cannot be opened.", EACCES};
	else if (s->kind == KIND_PATH && touches_process_outside(p, a, s))
		*ret = (struct protect_refusal){
			"process-outside",
			"Only processes of the session may be changed through /proc.", EACCES};
	else if (touches_control_groups(p, a, s))
		*ret = (struct protect_refusal){
			"control-groups",
			"Processes are not moved, limited, stopped or killed by control group from a session.",
			EACCES};
	else if (touches_secret(p, s))
		*ret = (struct protect_refusal){
			"own-key",
			"The keys that sign Holdfast's messages cannot be read or changed.",
			EACCES};
	else if (touches_own_files(p, s))
		*ret = own_files;
	else
		return false;
	return true;
}

bool protect_refuses(const struct protect *p, const struct action *a, struct protect_refusal *ret)
{
	if (a->hits_guard) {
		*ret = (struct protect_refusal){
			"guard-process",
			"Holdfast's own processes cannot be signalled, slowed down or limited.",
			EPERM};
		return true;
	}
	for (size_t i = 0; i < a->n_steps; i++)
		if (refuse_step(p, a, &a->steps[i], ret))
			return true;
	if (terminals_are_touched(p->config, p->terminal, a)) {
		*ret = (struct protect_refusal){
			"terminal-outside",
			"This terminal belongs to somebody outside of the session.", EACCES};
		return true;
	}
	if (!reaches_own_object(p, a))
		return false;
	*ret = own_files;
	return true;
}

static void protect_object(struct protect *p, const char *path)
{
	struct stat st;

	/* A device or a socket of the same name is told apart by its path alone. */
	if (!path || stat(path, &st) < 0 || (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode)))
		return;
	p->objects[p->n_objects++] = (struct protect_object){.dev = st.st_dev, .ino = st.st_ino};
}

int protect_init(struct protect *p, const struct engine_config *config)
{
	const pid_t guards[] = {config->supervisor, config->launcher, config->keeper};
	struct stat proc;

	if (stat("/proc", &proc) < 0)
		return -errno;
	*p = (struct protect){
		.config = config, .proc_dev = proc.st_dev, .terminal = terminals_own(config)};
	for (size_t i = 0; i < ARRAY_SIZE(guards); i++)
		format_proc(p->procs[i], guards[i]);
	protect_object(p, config->log_path);
	for (size_t i = 0; i < config->n_secrets; i++)
		protect_object(p, config->secret_paths[i]);
	for (size_t i = 0; i < config->n_protected; i++)
		protect_object(p, config->protected_paths[i]);
	return 0;
}
