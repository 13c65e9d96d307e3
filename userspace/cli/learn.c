/* SPDX-License-Identifier: Apache-2.0 */
/* From a record of the log to the things that a policy would have been asked about. */
#include <arpa/inet.h>

#include "base/io.h"
#include "loader/trap.h"
#include "policy/address.h"
#include "policy/secrets.h"

#include "cli/learn_private.h"

#define LEARN_MEM_BYTES ((size_t)512 << 20)
#define TEXT_MAX        ((size_t)64 * 1024)
#define ARGS_MAX        64
#define EPHEMERAL_PORT  32768 /* from here on the kernel chooses */

/* ---- making and freeing */

static int compile_secrets(struct learn *l)
{
	char why[GLOB_WHY_SIZE];

	l->secret_globs = calloc(policy_secrets_count, sizeof(*l->secret_globs));
	l->public_uses = calloc(policy_secrets_count, sizeof(*l->public_uses));
	if (!l->secret_globs || !l->public_uses)
		return -ENOMEM;
	for (size_t i = 0; i < policy_secrets_count; i++) {
		struct glob *g = NULL;
		int r = glob_compile(&l->mem, bytes_of(policy_secrets[i].glob), GLOB_PATH,
				     &l->config.vars, &g, why);

		if (r < 0)
			return r;
		l->secret_globs[i] = g;
	}
	return 0;
}

int learn_new(const struct learn_config *config, struct learn **ret)
{
	_cleanup_(learn_freep) struct learn *l = calloc(1, sizeof(*l));
	int r;

	if (!l)
		return -ENOMEM;
	l->config = *config;
	l->mem = ARENA_INIT(LEARN_MEM_BYTES);
	l->words = ARENA_INIT(LEARN_MEM_BYTES);
	r = learn_init_paths(l);
	if (r == 0)
		r = compile_secrets(l);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(l);
	return 0;
}

struct learn *learn_free(struct learn *l)
{
	if (!l)
		return NULL;
	learn_map_fini(&l->nodes);
	learn_map_fini(&l->known_paths);
	learn_map_fini(&l->calls);
	learn_map_fini(&l->hosts);
	learn_map_fini(&l->secrets);
	free(l->pids.slots);
	free(l->secret_globs);
	free(l->public_uses);
	arena_fini(&l->mem);
	arena_fini(&l->words);
	free(l);
	return NULL;
}

void learn_freep(struct learn **l)
{
	*l = learn_free(*l);
}

void learn_note_processes(struct learn *l, const json_t *record)
{
	learn_pids_add(&l->pids, reader_u64(record, "pid"));
	learn_pids_add(&l->pids, reader_u64(record, "tid"));
	learn_pids_add(&l->pids, reader_u64(record, "ppid"));
}

/* ---- addresses */

static bool is_loopback(struct bytes host)
{
	return bytes_has_prefix(host, BYTES_LIT("127.")) || bytes_eq_str(host, "::1");
}

static bool split_host(struct bytes object, struct bytes *ret_host, uint64_t *ret_port)
{
	const char *colon = object.len ? memrchr(object.p, ':', object.len) : NULL;
	char why[ADDRESS_WHY_SIZE];
	struct address_range range;

	if (!colon || parse_u64((struct bytes){.p = colon + 1,
					       .len = (size_t)(object.p + object.len - colon - 1)},
				UINT16_MAX, ret_port) < 0)
		return false;
	*ret_host = (struct bytes){.p = object.p, .len = (size_t)(colon - object.p)};
	if (ret_host->len > 2 && ret_host->p[0] == '[' && colon[-1] == ']') {
		ret_host->p++;
		ret_host->len -= 2;
	}
	return memchr(ret_host->p, '/', ret_host->len) == NULL &&
	       address_range_parse(*ret_host, &range, why) == 0;
}

int learn_address(struct learn *l, enum action_op op, struct bytes object, struct bytes domain)
{
	struct strbuf key = STRBUF_INIT(TEXT_MAX);
	struct bytes host;
	struct learn_host *h;
	uint64_t port;
	int r;

	if (!split_host(object, &host, &port)) {
		l->result.n_dropped++;
		return 0;
	}
	if (is_loopback(host))
		host = host.p[0] == '1' ? BYTES_LIT("127.0.0.0/8") : host;
	/* Where the kernel chose the port it will choose another. */
	if (port >= EPHEMERAL_PORT &&
	    (host.p[0] == ':' || is_loopback(host) || op == OP_BIND || op == OP_LISTEN))
		port = EPHEMERAL_PORT;
	strbuf_add_fmt(&key, "%.*s %u %.*s", (int)host.len, host.p, (unsigned int)port,
		       (int)domain.len, domain.len ? domain.p : "");
	r = strbuf_error(&key);
	h = r < 0 ? NULL : learn_map_find(&l->hosts, NULL, strbuf_bytes(&key));
	if (r == 0 && !h && l->n_hosts == LEARN_MAX_HOSTS) {
		l->result.n_dropped++;
	} else if (r == 0 && !h) {
		h = arena_alloc(&l->mem, sizeof(*h));
		r = h ? learn_map_add(&l->hosts, &l->mem, NULL, strbuf_bytes(&key), h) : -ENOMEM;
		if (r == 0) {
			*h = (struct learn_host){
				.address = arena_copy(&l->mem, host.p, host.len),
				.domain = domain.len ? arena_copy(&l->mem, domain.p, domain.len)
						     : BYTES_NULL,
				.low = (uint16_t)port,
				.high = port == EPHEMERAL_PORT ? UINT16_MAX : (uint16_t)port,
				.example = arena_copy(&l->mem, object.p, object.len)};
			l->host_list[l->n_hosts++] = h;
			r = h->address.p && h->example.p ? 0 : -ENOMEM;
		}
	}
	if (r == 0 && h) {
		h->ops |= OP_BIT(op);
		h->count++;
	}
	strbuf_fini(&key);
	return r;
}

/* ---- steps */

static bool is_known(const struct learn *l, const struct learn_step *step)
{
	return l->config.is_known && l->config.is_known(l->config.ctx, step);
}

/* Those of @ops on @path that are to be learned. */
static int learn_ops(struct learn *l, struct bytes path, uint32_t ops)
{
	for (unsigned int op = 0; op < _OP_MAX; op++) {
		const struct learn_step step = {.op = (enum action_op)op, .path = path};

		if ((ops & OP_BIT(op)) && is_known(l, &step))
			ops &= ~OP_BIT(op);
	}
	return ops ? learn_path(l, path, ops) : 0;
}

/*
 * What an open may have asked for beside the operation that the record names. A file that is made
 * the first time is there the second, and then written and emptied.
 */
static uint32_t ops_of_open(enum action_op op, const char *syscall)
{
	bool is_open = strncmp(syscall, "open", 4) == 0 || streq(syscall, "creat");
	uint32_t write = OP_BIT(OP_READ) | OP_BIT(OP_WRITE) | OP_BIT(OP_TRUNCATE);

	if (!is_open || op == OP_READ)
		return OP_BIT(op);
	return op == OP_CREATE ? write | OP_BIT(OP_CREATE) : write;
}

static int take_path(struct learn *l, enum action_op op, const char *syscall, struct bytes path,
		     struct bytes path2)
{
	uint32_t ops = ops_of_open(op, syscall);
	int r;

	if (op == OP_LINK)
		ops |= OP_BIT(OP_READ);
	r = learn_ops(l, path, ops);
	if (r < 0 || path2.len == 0)
		return r;
	if (op == OP_RENAME)
		return learn_ops(l, path2, OP_BIT(OP_RENAME) | OP_BIT(OP_CREATE));
	return op == OP_LINK ? learn_ops(l, path2, OP_BIT(OP_LINK)) : 0;
}

static int take_exec(struct learn *l, const json_t *record, struct bytes image,
		     struct bytes interpreter)
{
	struct strbuf texts[ARGS_MAX];
	struct bytes argv[ARGS_MAX];
	const json_t *list = json_object_get(record, "argv");
	size_t argc = MIN(json_array_size(list), (size_t)ARGS_MAX);
	struct learn_step step = {.op = OP_EXEC, .path = image, .argv = argv, .argc = argc};
	int r = 0;

	for (size_t i = 0; i < argc; i++) {
		texts[i] = STRBUF_INIT(TEXT_MAX);
		if (json_is_string(json_array_get(list, i)))
			reader_decode(json_array_get(list, i), &texts[i]);
		argv[i] = strbuf_bytes(&texts[i]);
	}
	if (!is_known(l, &step))
		r = learn_exec(l, image, argv, argc);
	step.path = interpreter;
	/* Its arguments are the script's, so none of them say what it does. */
	if (r == 0 && interpreter.len && !is_known(l, &step))
		r = learn_exec(l, interpreter, NULL, 0);
	for (size_t i = 0; i < argc; i++)
		strbuf_fini(&texts[i]);
	return r;
}

static int take_network(struct learn *l, const json_t *record, enum action_op op,
			struct bytes object)
{
	struct bytes prefix = BYTES_LIT("unix:"), host = BYTES_NULL, domain = BYTES_NULL;
	const json_t *names = json_object_get(record, "domains");
	struct learn_step step = {.op = op};
	struct strbuf name = STRBUF_INIT(TEXT_MAX);
	uint64_t port = 0;
	int r;

	if (bytes_has_prefix(object, prefix)) {
		struct bytes path = {.p = object.p + prefix.len, .len = object.len - prefix.len};

		r = learn_ops(l, path, OP_BIT(op));
		/* bind makes a file; an abstract name is none. */
		if (r == 0 && op == OP_BIND && path.len && path.p[0] == '/')
			r = learn_ops(l, path, OP_BIT(OP_CREATE));
		return r;
	}
	if (split_host(object, &host, &port)) {
		step.host = host;
		step.port = (uint16_t)port;
		if (is_known(l, &step))
			return 0;
	}
	/* One name is what was meant; several that share an address are not told apart. */
	if (json_array_size(names) == 1 && json_is_string(json_array_get(names, 0))) {
		reader_decode(json_array_get(names, 0), &name);
		domain = strbuf_bytes(&name);
	}
	r = learn_address(l, op, object, domain);
	strbuf_fini(&name);
	return r;
}

/* The group that lets a refused call through; _GRANT_MAX: not known. */
static enum grant grant_of(const char *syscall)
{
	if (streq(syscall, "socket") || streq(syscall, "socketpair"))
		return GRANT_RAW_SOCKET;
	for (size_t i = 0; i < trap_table_size; i++)
		if (streq(trap_table[i].name, syscall))
			return trap_table[i].grant;
	return _GRANT_MAX;
}

static int take_action(struct learn *l, const json_t *record, enum action_op op, bool is_system)
{
	struct strbuf object = STRBUF_INIT(TEXT_MAX), other = STRBUF_INIT(TEXT_MAX);
	const char *syscall = reader_word(record, "syscall");
	int r = 0;

	(void)reader_string(record, "object", &object);
	if (is_system) {
		enum grant g = grant_of(syscall);

		if (g < _GRANT_MAX)
			l->grants[g]++;
		else
			l->result.n_dropped++;
	} else if (op == OP_EXEC) {
		(void)reader_string(record, "interpreter", &other);
		r = take_exec(l, record, strbuf_bytes(&object), strbuf_bytes(&other));
	} else if (OP_BIT(op) & OPS_NETWORK) {
		r = take_network(l, record, op, strbuf_bytes(&object));
	} else {
		if (op == OP_RENAME || op == OP_LINK)
			(void)reader_string(record, "object2", &other);
		r = take_path(l, op, syscall, strbuf_bytes(&object), strbuf_bytes(&other));
	}
	strbuf_fini(&object);
	strbuf_fini(&other);
	return r;
}

int learn_take(struct learn *l, const json_t *record)
{
	const char *kind = reader_word(record, "kind"), *verdict = reader_word(record, "verdict");
	enum action_op op;

	/* What Holdfast itself lets through or refuses is no policy's matter. */
	if (!streq(reader_word(record, "event"), "action") || streq(kind, "spend") ||
	    streq(reader_word(record, "policy"), "builtin") ||
	    op_parse(bytes_of(reader_word(record, "op")), &op) < 0)
		return 0;
	if (!streq(verdict, "allow") && !streq(verdict, "flag")) {
		l->result.n_refused++;
		return 0;
	}
	l->result.n_actions++;
	return take_action(l, record, op, streq(kind, "system"));
}
