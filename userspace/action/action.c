/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <fcntl.h>
#include <linux/audit.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/un.h>

#include "action/decode.h"
#include "loader/caps.h"

#if defined(__x86_64__)
#define NATIVE_ARCH AUDIT_ARCH_X86_64
#define X32_BIT     0x40000000
#elif defined(__aarch64__)
#define NATIVE_ARCH AUDIT_ARCH_AARCH64
#define X32_BIT     0
#else
#error "this architecture is not known to the decoder"
#endif

const char *action_error_name(enum action_error e)
{
	static const char *const names[_ACTION_ERROR_MAX] = {
		[ACTION_OK] = "ok",
		[ACTION_GONE] = "gone",
		[ACTION_UNREADABLE] = "unreadable-argument",
		[ACTION_UNKNOWN] = "unknown-syscall",
		[ACTION_TOO_LONG] = "argument-too-long",
		[ACTION_NO_MEMORY] = "out-of-memory",
		[ACTION_OVERLOAD] = "too-many-blocked-calls",
	};

	return (unsigned)e < _ACTION_ERROR_MAX ? names[e] : "unknown-error";
}

int action_decoder_new_source(const struct action_decoder_config *config,
			      const struct action_source *source, struct action_decoder **ret)
{
	struct action_decoder *d = calloc(1, sizeof(*d));
	int r;

	if (!d)
		return -ENOMEM;
	d->config = *config;
	d->source = *source;
	d->arena = ARENA_INIT(DECODE_ARENA_MAX);
	d->self = getpid();
	d->has_capabilities = caps_permitted() != 0;
	d->self_name_len =
		(size_t)snprintf(d->self_name, sizeof(d->self_name), "/%d", (int)d->self);
	d->self_fds = open("/proc/self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC);
	r = d->self_fds < 0 ? -errno : rights_init(&d->rights);
	d->rights.may_stay = config->has_thread;
	d->has_own_cwd = config->has_thread && unshare(CLONE_FS) == 0;
	if (r < 0) {
		action_decoder_free(d);
		return r;
	}
	*ret = d;
	return 0;
}

int action_decoder_new(const struct action_decoder_config *config, struct action_decoder **ret)
{
	return action_decoder_new_source(config, &action_source_kernel, ret);
}

struct action_decoder *action_decoder_free(struct action_decoder *d)
{
	if (!d)
		return NULL;
	action_decoder_release(d);
	target_drop_all(d);
	d->self_fds = fd_close(d->self_fds);
	rights_fini(&d->rights);
	arena_fini(&d->arena);
	free(d);
	return NULL;
}

void action_decoder_release(struct action_decoder *d)
{
	while (d->n_pinned)
		(void)fd_close(d->pinned[--d->n_pinned]);
	if (!d->is_elsewhere)
		return;
	if (fchdir(d->self_fds) < 0)
		abort(); /* our own, and always there */
	d->is_elsewhere = false;
}

int act_own(struct decode *c, int fd)
{
	if (fd < 0)
		return fd;
	assert(c->d->n_pinned < ACT_FDS_MAX);
	c->d->pinned[c->d->n_pinned++] = fd;
	return fd;
}

void action_decoder_set_foreign_roots(struct action_decoder *d)
{
	d->has_foreign_roots = true;
}

int decode_copy(struct decode *c, const void *p, size_t len, struct bytes *ret)
{
	*ret = arena_copy(&c->d->arena, p, len);
	return ret->p ? 0 : decode_fail(ACTION_NO_MEMORY);
}

int decode_format(struct decode *c, struct bytes *ret, const char *fmt, ...)
{
	char text[256]; /* only our own words, numbers and addresses go through here */
	va_list ap;
	int n;

	va_start(ap, fmt);
	n = vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (n < 0 || (size_t)n >= sizeof(text))
		return decode_fail(ACTION_TOO_LONG);
	return decode_copy(c, text, (size_t)n, ret);
}

int step_add(struct decode *c, enum action_kind kind, enum action_op op, struct bytes object,
	     struct bytes args, struct action_step **ret)
{
	struct action_step *s;

	if (c->a->n_steps == ACTION_MAX_STEPS)
		return decode_fail(ACTION_TOO_LONG);
	s = &c->a->steps[c->a->n_steps++];
	s->kind = kind;
	s->op = op;
	s->object = object;
	s->args = args;
	s->address = NULL;
	s->n_names = policy_names_init(s->names, op);
	*ret = s;
	return 0;
}

/*
 * The engine knows the guards by their numbers in /proc and lets some files of theirs be read. By
 * another number of theirs, a thread's, or in a procfs elsewhere, there is nothing to be had: the
 * kernel would not keep us from our own memory.
 */
static bool is_guard_place(const struct decode *c, struct bytes path)
{
	static const struct bytes proc = BYTES_LIT("/proc");
	struct bytes rest = {.p = path.p + proc.len, .len = path.len - proc.len};
	const pid_t guards[] = {c->d->self, c->d->config.guards[0], c->d->config.guards[1]};

	if (!bytes_has_prefix(path, BYTES_LIT("/proc/")))
		return c->d->has_foreign_roots && path.len && path.p[0] == '/' &&
		       resolve_names_guard(c, path, false);
	for (size_t i = 0; i < ARRAY_SIZE(guards); i++) {
		char name[24];
		size_t n = (size_t)snprintf(name, sizeof(name), "/%d", (int)guards[i]);

		if (guards[i] > 0 && bytes_has_prefix(rest, (struct bytes){.p = name, .len = n}) &&
		    (rest.len == n || rest.p[n] == '/'))
			return false; /* the engine's */
	}
	return resolve_names_guard(c, rest, true);
}

int step_add_path(struct decode *c, enum action_op op, struct bytes path)
{
	struct action_step *s;

	if (is_guard_place(c, path))
		c->a->hits_guard = true;
	if (hidden_has(c, path))
		return EACCES;
	return step_add(c, KIND_PATH, op, path, path, &s);
}

static int decode_by_shape(struct decode *c)
{
	static int (*const decoders[_SHAPE_MAX])(struct decode *) = {
		[SHAPE_EXEC] = decode_exec,       [SHAPE_OPEN] = decode_open,
		[SHAPE_OPENAT2] = decode_openat2, [SHAPE_PATH] = decode_path,
		[SHAPE_FD] = decode_fd,           [SHAPE_TWO_PATH] = decode_two_path,
		[SHAPE_SYMLINK] = decode_symlink, [SHAPE_SOCKADDR] = decode_sockaddr,
		[SHAPE_MSGHDR] = decode_msghdr,   [SHAPE_MMSGHDR] = decode_mmsghdr,
		[SHAPE_LISTEN] = decode_listen,   [SHAPE_SOCKET] = decode_socket,
		[SHAPE_PID] = decode_pid,         [SHAPE_NONE] = decode_none,
		[SHAPE_CREDS] = decode_creds,     [SHAPE_KILL] = decode_kill,
		[SHAPE_FCNTL] = decode_fcntl,     [SHAPE_PRIORITY] = decode_priority,
		[SHAPE_IOCTL] = decode_ioctl,     [SHAPE_RESTRICT] = decode_restrict,
		[SHAPE_PRCTL] = decode_prctl,     [SHAPE_CLONE] = decode_clone,
		[SHAPE_SOCKOPT] = decode_sockopt, [SHAPE_ACCEPT] = decode_accept,
	};

	return decoders[c->row->shape](c);
}

static enum action_kind kind_of(enum action_op op)
{
	if (op == OP_EXEC)
		return KIND_TOOL;
	if (OP_BIT(op) & OPS_PATH)
		return KIND_PATH;
	return OP_BIT(op) & OPS_NETWORK ? KIND_NETWORK : KIND_SYSTEM;
}

/* The call's own properties, known without a look at the target. Return: false when foreign. */
static bool describe(struct decode *c)
{
	struct action *a = c->a;
	const struct seccomp_data *data = &c->n->data;

	a->syscall_nr = data->nr;
	a->grant = _GRANT_MAX;
	a->tid = (pid_t)c->n->pid;
	if (data->arch != NATIVE_ARCH || (data->nr & X32_BIT)) {
		a->kind = KIND_SYSTEM;
		a->op = OP_SYSCALL;
		a->syscall = "unknown";
		a->grant = GRANT_FOREIGN_ABI;
		a->is_foreign_abi = true;
		return false;
	}
	c->row = trap_find(data->nr);
	a->act.row = c->row;
	a->syscall = c->row ? c->row->name : "unknown";
	a->kind = c->row ? kind_of(c->row->op) : KIND_SYSTEM;
	a->op = c->row ? c->row->op : OP_SYSCALL;
	if (c->row)
		a->grant = c->row->grant;
	return true;
}

static int decode_who(struct decode *c)
{
	int r;

	if (c->n->pid == 0)
		return decode_fail(ACTION_UNREADABLE); /* a task that our /proc does not show */
	r = target_get(c);
	if (r)
		return r;
	c->a->pid = c->t->tgid;
	c->a->exe = c->t->exe;
	if (c->a->kind == KIND_TOOL)
		target_refresh_parent(c);
	c->a->ppid = c->t->ppid;
	return 0;
}

static int decode_target(struct decode *c, bool is_native)
{
	int r;

	/* The others do not know what may be on: see decode.leaves_rights. */
	if (!is_native || !c->row ||
	    (c->row->shape != SHAPE_OPEN && c->row->shape != SHAPE_OPENAT2))
		(void)rights_settle();
	r = decode_who(c);
	if (r)
		return r;
	/* Not to be had: rules that look at it know what to make of that. */
	if (c->d->config.need_cwd && (c->a->kind == KIND_PATH || c->a->kind == KIND_NETWORK))
		(void)deep_read_cwd(c, &c->a->cwd);
	if (!is_native)
		return decode_foreign(c);
	if (!c->row)
		return decode_fail(ACTION_UNKNOWN);
	/* With whose rights paths are walked, and then the call is performed. */
	if (c->a->kind == KIND_PATH || c->a->kind == KIND_NETWORK) {
		r = target_creds(c);
		if (r)
			return r;
	}
	return decode_by_shape(c);
}

/* All that was read is the caller's only if the caller still waits: after a death its tid, and with
 * it /proc/TID, may be another's. */
static int check_still_valid(const struct decode *c)
{
	uint64_t id = c->n->id;

	if (c->d->config.listener < 0)
		return 0;
	if (ioctl(c->d->config.listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &id) == 0)
		return 0;
	return decode_fail(errno == ENOENT ? ACTION_GONE : ACTION_UNREADABLE);
}

static void clear(struct action *a)
{
	/* The steps (most of the bytes) are set one by one as they are added. */
	a->kind = KIND_SYSTEM;
	a->op = OP_SYSCALL;
	a->syscall = "unknown";
	a->syscall_nr = -1;
	a->grant = _GRANT_MAX;
	a->is_foreign_abi = a->hits_guard = a->looks_outside = false;
	a->tid = a->pid = a->ppid = 0;
	a->exe = a->cwd = BYTES_NULL;
	a->object = a->asked = a->object2 = a->interpreter = BYTES_NULL;
	a->exists = false;
	a->moves_directory = false;
	a->argv = NULL;
	a->argc = a->argc_total = a->argv_bytes_total = 0;
	a->argv_truncated = false;
	a->domains = NULL;
	a->n_domains = a->n_aliases = 0;
	a->look = NULL;
	a->listener = NULL;
	a->has_met = false;
	a->n_steps = 0;
	a->act.kind = ACT_CONTINUE;
	a->act.notif_id = 0;
	a->act.row = NULL;
	a->act.pin = a->act.pin2 = ACT_PIN_INIT;
	a->act.creds = (struct act_creds){};
	a->error = ACTION_OK;
	a->kernel_errno = 0;
}

static void begin(struct decode *c)
{
	action_decoder_release(c->d);
	arena_reset(&c->d->arena);
	clear(c->a);
	c->a->act.notif_id = c->n->id;
}

/* @r: what decoding came to. */
static void finish(struct decode *c, int r)
{
	int valid = check_still_valid(c);

	if (valid)
		r = valid;
	if (r > 0)
		c->a->kernel_errno = r;
	else if (r < 0)
		c->a->error = (enum action_error) - r;
	if (r) {
		/* What was half filled in is not performed. Under audit, which refuses nothing, the
		 * kernel goes on with what was not understood. */
		c->a->n_steps = 0;
		c->a->act.kind = ACT_CONTINUE;
	}
}

void action_decode(struct action_decoder *d, const struct seccomp_notif *n, struct action *ret)
{
	struct decode c = {.d = d, .n = n, .a = ret};

	begin(&c);
	finish(&c, decode_target(&c, describe(&c)));
}

void action_decode_overload(struct action_decoder *d, const struct seccomp_notif *n,
			    struct action *ret)
{
	struct decode c = {.d = d, .n = n, .a = ret};
	int r;

	begin(&c);
	(void)describe(&c);
	r = decode_who(&c);
	finish(&c, r ? r : decode_fail(ACTION_OVERLOAD));
}

/* Nobody is there to tell where a relative name began. */
static int add_dead_unix(struct decode *c, const struct action_connection *k)
{
	const size_t start = offsetof(struct sockaddr_un, sun_path);
	struct policy_address *address = arena_alloc(&c->d->arena, sizeof(*address));
	struct bytes name = {.p = k->sockaddr.p + start, .len = k->sockaddr.len - start};
	struct action_step *s;
	int r;

	if (!address)
		return decode_fail(ACTION_NO_MEMORY);
	*address = (struct policy_address){.protocol = POLICY_PROTO_UNIX};
	r = decode_copy(c, name.p, strnlen(name.p, name.len), &c->a->asked);
	if (r == 0)
		r = decode_format(c, &c->a->object, "unix:%s", c->a->asked.p);
	if (r == 0)
		r = step_add(c, KIND_NETWORK, k->op, c->a->object, c->a->asked, &s);
	if (r == 0)
		s->address = address;
	return r;
}

static int decode_connection(struct decode *c, const struct action_connection *k)
{
	struct endpoint e = {.op = k->op,
			     .sockaddr = k->sockaddr,
			     .has_protocol = true,
			     .protocol = k->protocol};
	const bool is_there = decode_who(c) == 0 && c->a->pid == k->pid;
	const bool is_path = k->protocol == POLICY_PROTO_UNIX &&
			     k->sockaddr.len > offsetof(struct sockaddr_un, sun_path) &&
			     k->sockaddr.p[offsetof(struct sockaddr_un, sun_path)] != '\0';

	c->a->pid = k->pid;
	c->a->ppid = k->ppid;
	if (!is_there)
		c->a->exe = BYTES_NULL;
	/* A name that leads nowhere is no action, for a call that waits; this one was let go. */
	if (is_path && (!is_there || endpoint_add(c, &e) != 0))
		return add_dead_unix(c, k);
	return is_path ? 0 : endpoint_add(c, &e);
}

void action_from_connection(struct action_decoder *d, const struct action_connection *k,
			    struct action *ret)
{
	/* The hook does not tell which of the calls that send it was. */
	static const char *const calls[] = {
		[OP_CONNECT] = "connect", [OP_SEND] = "send", [OP_BIND] = "bind"};
	const struct seccomp_notif n = {.pid = (uint32_t)k->tid};
	struct decode c = {.d = d, .n = &n, .a = ret};
	int r;

	begin(&c);
	ret->kind = KIND_NETWORK;
	ret->op = k->op;
	ret->syscall = calls[k->op];
	ret->tid = k->tid;
	ret->act.network = (struct act_network){.socket = -1, .root = -1};
	r = decode_connection(&c, k);
	if (r)
		ret->error = r < 0 ? (enum action_error) - r : ACTION_UNKNOWN;
}

static int decode_of_kernel(struct decode *c, const struct action_of_kernel *k)
{
	struct bytes object = k->object.p ? k->object : bytes_of(k->syscall);
	struct action_step *s;
	int r;

	if (decode_who(c) != 0 || c->a->pid != k->pid)
		c->a->exe = BYTES_NULL;
	c->a->pid = k->pid;
	c->a->ppid = k->ppid;
	r = decode_copy(c, object.p, object.len, &c->a->object);
	c->a->asked = c->a->object;
	if (r == 0 && k->op != OP_SYSCALL)
		return step_add_path(c, k->op, c->a->object);
	if (r == 0)
		r = step_add(c, KIND_SYSTEM, OP_SYSCALL, c->a->object, c->a->object, &s);
	if (r == 0)
		policy_names_add(s->names, &s->n_names, bytes_of(k->syscall), false);
	return r;
}

void action_from_kernel(struct action_decoder *d, const struct action_of_kernel *k,
			struct action *ret)
{
	const struct seccomp_notif n = {.pid = (uint32_t)k->tid};
	struct decode c = {.d = d, .n = &n, .a = ret};
	int r;

	begin(&c);
	ret->kind = k->op == OP_SYSCALL ? KIND_SYSTEM : KIND_PATH;
	ret->op = k->op;
	ret->grant = k->grant;
	ret->syscall = k->syscall;
	ret->tid = k->tid;
	ret->exists = true;
	r = decode_of_kernel(&c, k);
	if (r)
		ret->error = r < 0 ? (enum action_error) - r : ACTION_UNKNOWN;
}
