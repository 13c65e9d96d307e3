/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The notification decoder over hostile registers and memory.
 *
 * The decoder sees its target through struct action_source (action/decode.h) only; here that is the
 * input for the memory and this process's own /proc directory for the rest. An input is
 *
 *	1 byte   which row of the table of trapped syscalls
 *	1 byte   bit 0: a full argv is wanted; bit 1: a foreign ABI; bit 2: foreign roots
 *	6 x 3    an argument: its form, and 16 bits
 *	         form 0: the number; 1: an address in the memory; 2: AT_FDCWD; 3: all 64 bits of it
 *	         set but those; 4: one of the sockets that are open; else: the number shifted left
 *	rest     the target's memory, from MEMORY_BASE on; nothing else is mapped
 *
 * Pointers in the memory (argv, msghdr) reach it too: MEMORY_BASE is small.
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "tests/fuzz/target_harness.h"

#define ARG_BYTES  3
#define PIECES_MAX 1024 /* UIO_MAXIOV, and of messages */
#define SOCKETS    6
#define HEAD_BYTES (2 + 6 * ARG_BYTES)

static ssize_t read_memory(void *ctx, pid_t tid, uint64_t address, void *buf, size_t len)
{
	const struct bytes *m = ctx;

	(void)tid;
	/* What the header promises to a source. */
	if (len == 0 || address / TARGET_PAGE_SIZE != (address + len - 1) / TARGET_PAGE_SIZE)
		abort();
	return read_bytes(*m, address - MEMORY_BASE, buf,
			  len); /* below: it wraps, and is too much */
}

/* One of each kind that the decoder tells apart. */
static int sockets[SOCKETS];

static void open_sockets(void)
{
	static const int kinds[SOCKETS][2] = {
		{AF_INET, SOCK_STREAM}, {AF_INET, SOCK_DGRAM},     {AF_INET6, SOCK_STREAM},
		{AF_INET6, SOCK_DGRAM}, {AF_UNIX, SOCK_SEQPACKET}, {AF_NETLINK, SOCK_RAW},
	};

	for (size_t i = 0; i < SOCKETS; i++) {
		sockets[i] = socket(kinds[i][0], kinds[i][1] | SOCK_CLOEXEC, 0);
		if (sockets[i] < 0)
			abort();
	}
}

static uint64_t argument(const uint8_t *p)
{
	uint64_t v = (uint64_t)p[1] | (uint64_t)p[2] << 8;

	switch (p[0]) {
	case 0:
		return v;
	case 1:
		return MEMORY_BASE + v;
	case 2:
		return (uint64_t)AT_FDCWD;
	case 3:
		return ~v;
	case 4:
		return (uint64_t)sockets[v % SOCKETS];
	default:
		return v << (p[0] % 64);
	}
}

static void require(bool condition, const char *what)
{
	if (condition)
		return;
	(void)fprintf(stderr, "broken: %s\n", what);
	abort();
}

/* Looks at every byte, so that the sanitizer sees one that is not ours. */
static unsigned touch(struct bytes b)
{
	unsigned sum = 0;

	require(b.p || b.len == 0, "length without bytes");
	for (size_t i = 0; i < b.len; i++)
		sum += (uint8_t)b.p[i];
	return sum;
}

static void check_step(const struct action_step *s)
{
	require((unsigned)s->kind < _KIND_MAX && (unsigned)s->op < _OP_MAX, "kind and operation");
	require(s->object.p != NULL, "a step has an object");
	require(s->n_names <= ACTION_MAX_NAMES, "number of names");
	require((s->address != NULL) == (s->kind == KIND_NETWORK), "address of a network step");
	(void)touch(s->object);
	(void)touch(s->args);
	for (size_t i = 0; i < s->n_names; i++)
		(void)touch(s->names[i].name);
}

static void check_pin(const struct act_pin *pin)
{
	struct stat st;

	/* Perhaps no directory: what is performed below it fails then as it should. */
	require(pin->parent < 0 || fstat(pin->parent, &st) == 0, "a parent is open");
	require(pin->object < 0 || fstat(pin->object, &st) == 0, "an object is open");
	require(pin->error >= 0 && pin->error < 4096, "errno of a pin");
	if (pin->parent < 0)
		return;
	require(pin->name.p && pin->name.len && pin->name.p[pin->name.len] == '\0',
		"a parent has a name in it");
	require(!memchr(pin->name.p, '/', pin->name.len), "a name is one component");
}

/* Returns the number of its pieces. */
static size_t check_message(const struct act_message *m)
{
	size_t len = 0;

	require(m->n_iov <= PIECES_MAX, "pieces of a message");
	for (size_t i = 0; i < m->n_iov; i++)
		len += m->iov[i].iov_len;
	require(len == m->len, "length of a message");
	require(m->control.len <= ACT_CONTROL_MAX, "length of control messages");
	(void)touch(m->name);
	(void)touch(m->control);
	return m->n_iov;
}

static void check_network(const struct act_network *net)
{
	size_t n = 0;

	require(fcntl(net->socket, F_GETFD) >= 0, "a socket is open");
	(void)touch(net->address);
	require(net->n_messages <= PIECES_MAX, "number of messages");
	for (size_t i = 0; i < net->n_messages; i++)
		n += check_message(&net->messages[i]);
	require(net->n_messages <= 1 || n <= ACT_BATCH_PIECES_MAX, "pieces of a batch");
}

static void check_change(const struct act_change *change)
{
	(void)touch((struct bytes){.p = change->data, .len = change->data ? change->data_len : 0});
	(void)touch(change->attr);
	require(!change->attr.p || change->attr.p[change->attr.len] == '\0', "end of a name");
}

/* What would be performed. */
static void check_act(const struct action *a)
{
	const struct act *act = &a->act;
	struct stat st;

	require((unsigned)act->kind < _ACT_KIND_MAX, "kind of act");
	if (a->error != ACTION_OK || a->kernel_errno) {
		require(act->kind == ACT_CONTINUE, "nothing half filled in is performed");
		return;
	}
	if (act->kind == ACT_CONTINUE)
		return;
	require(act->row != NULL, "row of an act");
	check_pin(&act->pin);
	/* Of a bind to a relative path it is the directory that this is relative to. */
	if (act->kind == ACT_NETWORK)
		require(act->pin2.parent < 0 || fstat(act->pin2.parent, &st) == 0,
			"a working directory is open");
	else
		check_pin(&act->pin2);
	if (act->kind == ACT_NETWORK)
		check_network(&act->network);
	else if (act->kind == ACT_CHANGE)
		check_change(&act->change);
	else if (act->kind == ACT_EXEC)
		(void)touch(act->exec.cmdline);
}

static void check(const struct action *a)
{
	const struct bytes all[] = {a->exe,   a->cwd,     a->object,
				    a->asked, a->object2, a->interpreter};

	require((unsigned)a->error < _ACTION_ERROR_MAX, "error");
	require(a->kernel_errno >= 0 && a->kernel_errno < 4096, "errno");
	require(a->error == ACTION_OK || a->kernel_errno == 0, "error and errno");
	require((a->error == ACTION_OK && a->kernel_errno == 0) || a->n_steps == 0,
		"steps of a failed call");
	require(a->n_steps <= ACTION_MAX_STEPS, "number of steps");
	require(a->argc <= a->argc_total || a->argv_truncated, "argc");
	require(a->syscall != NULL, "name of the syscall");
	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		(void)touch(all[i]);
	for (size_t i = 0; i < a->argc; i++)
		(void)touch(a->argv[i]);
	for (size_t i = 0; i < a->n_steps; i++)
		check_step(&a->steps[i]);
	check_act(a);
}

static struct bytes memory;

/* One decoder for each wish, kept: its caches are part of what is tested. */
static struct action_decoder *decoder(bool need_full_argv, bool has_foreign_roots)
{
	static struct action_decoder *all[4];
	struct action_decoder **d = &all[need_full_argv + 2 * has_foreign_roots];
	const struct action_source source = {
		.read_memory = read_memory,
		.open_proc = open_proc,
		.read_identity = read_identity,
		.ctx = &memory,
	};
	const struct action_decoder_config config = {
		.need_full_argv = need_full_argv,
		.supervisor = getpid(),
		.listener = -1,
	};

	if (!*d) {
		require(action_decoder_new_source(&config, &source, d) == 0, "decoder");
		if (has_foreign_roots)
			action_decoder_set_foreign_roots(*d);
	}
	return *d;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct seccomp_notif n = {.id = 1, .pid = (uint32_t)getpid()};
	struct action a;

	if (size < HEAD_BYTES)
		return -1;
	if (!sockets[0])
		open_sockets();
	n.data.nr = trap_table[data[0] % trap_table_size].nr;
	n.data.arch = data[1] & 2 ? AUDIT_ARCH_I386 : ARCH;
	for (size_t i = 0; i < 6; i++)
		n.data.args[i] = argument(data + 2 + i * ARG_BYTES);
	memory = (struct bytes){.p = (const char *)data + HEAD_BYTES, .len = size - HEAD_BYTES};
	memset(&a, 0xa5, sizeof(a));
	action_decode(decoder(data[1] & 1, data[1] & 4), &n, &a);
	check(&a);
	return 0;
}
