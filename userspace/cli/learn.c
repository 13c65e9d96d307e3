/* SPDX-License-Identifier: Apache-2.0 */
/* From a record of the log to the things that a policy would have been asked about. */
#include <arpa/inet.h>

#include "base/io.h"
#include "loader/trap.h"
#include "names/table.h"
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

/* The entry of @key, made as @h when there is none; NULL: there is no room. */
static int add_host(struct learn *l, struct bytes key, const struct learn_host *like,
		    struct learn_host **ret)
{
	struct learn_host *h = learn_map_find(&l->hosts, NULL, key);
	int r;

	*ret = h;
	if (h)
		return 0;
	if (l->n_hosts == LEARN_MAX_HOSTS) {
		l->result.n_dropped++;
		return 0;
	}
	h = arena_alloc(&l->mem, sizeof(*h));
	if (!h)
		return -ENOMEM;
	*h = *like;
	h->address = arena_copy(&l->mem, like->address.p, like->address.len);
	h->example = arena_copy(&l->mem, like->example.p, like->example.len);
	if (like->domain.p)
		h->domain = arena_copy(&l->mem, like->domain.p, like->domain.len);
	if (!h->address.p || !h->example.p || (like->domain.p && !h->domain.p))
		return -ENOMEM;
	r = learn_map_add(&l->hosts, &l->mem, NULL, key, h);
	if (r < 0)
		return r;
	l->host_list[l->n_hosts++] = h;
	*ret = h;
	return 0;
}

/* Notes what is done to a host; of a question for its name, ports and address say nothing. */
static int note_host(struct learn *l, enum action_op op, const struct learn_host *like)
{
	struct strbuf key = STRBUF_INIT(TEXT_MAX);
	struct learn_host *h = NULL;
	int r;

	strbuf_add_fmt(&key, "%.*s %u %.*s", (int)like->address.len, like->address.p,
		       (unsigned int)like->low, (int)like->domain.len,
		       like->domain.len ? like->domain.p : "");
	r = strbuf_error(&key);
	if (r == 0)
		r = add_host(l, strbuf_bytes(&key), like, &h);
	if (h) {
		h->ops |= OP_BIT(op);
		h->count++;
	}
	strbuf_fini(&key);
	return r;
}

static int learn_address(struct learn *l, enum action_op op, struct bytes object,
			 struct bytes domain)
{
	struct bytes host;
	uint64_t port;

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
	return note_host(
		l, op,
		&(struct learn_host){.address = domain.len ? BYTES_LIT("") : host,
				     .domain = domain.len ? domain : BYTES_NULL,
				     .low = (uint16_t)port,
				     .high = port == EPHEMERAL_PORT ? UINT16_MAX : (uint16_t)port,
				     .example = object});
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

/* Would a rule on the name alone not open it? Such an address has to be named, too. */
static bool is_inner(struct bytes host)
{
	struct policy_address a = {.is_v4 = !memchr(host.p, ':', host.len), .has_ip = true};
	char text[INET6_ADDRSTRLEN];

	if (host.len >= sizeof(text))
		return true;
	memcpy(text, host.p, host.len);
	text[host.len] = '\0';
	return inet_pton(a.is_v4 ? AF_INET : AF_INET6, text, a.ip) != 1 || names_is_inner(&a);
}

/*
 * The names that were asked for and stand for the address, one or more with ", " between. Nobody
 * knows which of several was meant, and a rule opens an address only if it has them all.
 */
static void read_domains(const json_t *record, struct strbuf *out)
{
	const json_t *names = json_object_get(record, "domains");
	size_t n = json_array_size(names), n_aliases = (size_t)reader_u64(record, "aliases");

	n -= MIN(n_aliases, n);
	for (size_t i = 0; n <= LEARN_NAMES_MAX && i < n; i++) {
		strbuf_add_str(out, i ? ", " : "");
		reader_decode(json_array_get(names, i), out);
	}
	if (strbuf_error(out))
		strbuf_reset(out);
}

static int take_question(struct learn *l, struct bytes name)
{
	const struct learn_step step = {.op = OP_RESOLVE, .name = name};

	if (is_known(l, &step))
		return 0;
	return note_host(
		l, OP_RESOLVE,
		&(struct learn_host){.address = BYTES_LIT(""), .domain = name, .example = name});
}

static int take_host(struct learn *l, const json_t *record, enum action_op op, struct bytes object,
		     struct learn_step *step)
{
	struct strbuf domains = STRBUF_INIT(TEXT_MAX);
	struct bytes names = BYTES_NULL;
	int r;

	if (is_known(l, step))
		return 0;
	if (!is_inner(step->host))
		read_domains(record, &domains);
	if (domains.len)
		names = strbuf_bytes(&domains);
	if (names.p && !memchr(names.p, ',', names.len)) {
		step->host = names;
		r = is_known(l, step) ? 0 : learn_address(l, op, object, names);
	} else {
		r = learn_address(l, op, object, names);
	}
	strbuf_fini(&domains);
	return r;
}

static int take_unix(struct learn *l, enum action_op op, struct bytes path)
{
	int r = learn_ops(l, path, OP_BIT(op));

	/* bind makes a file; an abstract name is none. */
	if (r == 0 && op == OP_BIND && path.len && path.p[0] == '/')
		r = learn_ops(l, path, OP_BIT(OP_CREATE));
	return r;
}

static int take_network(struct learn *l, const json_t *record, enum action_op op,
			struct bytes object)
{
	struct bytes prefix = BYTES_LIT("unix:"), host = BYTES_NULL;
	struct learn_step step = {.op = op};
	uint64_t port = 0;

	if (op == OP_RESOLVE)
		return take_question(l, object);
	if (bytes_has_prefix(object, prefix))
		return take_unix(
			l, op,
			(struct bytes){.p = object.p + prefix.len, .len = object.len - prefix.len});
	if (!split_host(object, &host, &port))
		return learn_address(l, op, object, BYTES_NULL); /* which counts it */
	step.host = host;
	step.port = (uint16_t)port;
	return take_host(l, record, op, object, &step);
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
