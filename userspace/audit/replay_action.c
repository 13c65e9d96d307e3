/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <stdio.h>

#include "action/steps.h"
#include "audit/reader.h"
#include "base/io.h"
#include "loader/trap.h"

#include "audit/replay_action.h"

#define PORT_DNS 53

/* "1.2.3.4:80", "[::1]:80". */
static bool parse_host(struct bytes object, struct policy_address *ret)
{
	const char *colon = object.len ? memrchr(object.p, ':', object.len) : NULL;
	char text[POLICY_HOST_SIZE];
	struct bytes host;
	uint64_t port;

	if (!colon)
		return false;
	host = (struct bytes){.p = object.p, .len = (size_t)(colon - object.p)};
	if (parse_u64((struct bytes){colon + 1, object.len - host.len - 1}, UINT16_MAX, &port) < 0)
		return false;
	ret->is_v4 = host.len < 2 || host.p[0] != '[';
	if (!ret->is_v4) {
		host.p++;
		host.len -= 2;
	}
	if (host.len >= sizeof(text))
		return false;
	memcpy(text, host.p, host.len);
	text[host.len] = '\0';
	ret->port = (uint16_t)port;
	ret->has_ip = true;
	return inet_pton(ret->is_v4 ? AF_INET : AF_INET6, text, ret->ip) == 1;
}

static int set_address(struct action_step *s, enum policy_protocol protocol, struct arena *mem)
{
	struct policy_address address = {.protocol = protocol}, *copy;
	bool is_host = s->op != OP_RESOLVE && !action_unix_name(s->object).p &&
		       !bytes_has_prefix(s->object, BYTES_LIT("family:"));

	/* Something else stands there when it was redacted: then nothing is known of the place. */
	if (is_host && !parse_host(s->object, &address))
		address = (struct policy_address){.protocol = protocol};
	if (s->op == OP_RESOLVE) /* whose server it was put to is not in the record */
		address.port = PORT_DNS;
	copy = arena_alloc(mem, sizeof(*copy));
	if (!copy)
		return -ENOMEM;
	*copy = address;
	s->address = copy;
	return 0;
}

static enum action_kind kind_of(enum action_op op)
{
	if (op == OP_EXEC)
		return KIND_TOOL;
	if (OP_BIT(op) & OPS_PATH)
		return KIND_PATH;
	return OP_BIT(op) & OPS_NETWORK ? KIND_NETWORK : KIND_SYSTEM;
}

static int add_step(struct action *a, const struct action_plain_step *plain, struct arena *mem,
		    struct action_step **ret)
{
	struct action_step *s = &a->steps[a->n_steps];
	struct bytes name;

	if (a->n_steps == ACTION_MAX_STEPS)
		return -EBADMSG;
	a->n_steps++;
	s->kind = kind_of(plain->op);
	s->op = plain->op;
	s->object = s->args = plain->object;
	s->address = NULL;
	s->n_names = policy_names_init(s->names, s->op);
	*ret = s;
	if (s->kind != KIND_NETWORK)
		return 0;
	name = action_unix_name(s->object);
	if (name.p)
		s->args = name;
	return set_address(s, plain->protocol, mem);
}

static int add_plain_steps(struct action *a, struct arena *mem)
{
	struct action_plain_step plain[ACTION_PLAIN_STEPS];
	size_t n = action_plain_steps(a, plain);
	struct action_step *s = NULL;
	int r;

	for (size_t i = 0; i < n; i++) {
		r = add_step(a, &plain[i], mem, &s);
		if (r < 0)
			return r;
	}
	if (a->kind != KIND_TOOL)
		return 0;
	s->args = policy_join_words(mem, a->argc ? BYTES_NULL : a->asked, a->argv, a->argc, 0);
	policy_names_add_exec(s->names, &s->n_names, s->object, a->asked,
			      policy_is_trusted_alias(a->asked, a->cwd));
	return s->args.p ? 0 : -ENOMEM;
}

/* ---- `steps` */

/* What a key of a step holds, undone. Missing: @fallback. */
static int step_string(const json_t *o, const char *key, struct bytes fallback, struct arena *mem,
		       struct bytes *ret)
{
	struct strbuf text = STRBUF_INIT(READER_LINE_MAX);

	*ret = fallback;
	if (reader_string(o, key, &text))
		*ret = arena_copy(mem, strbuf_str(&text), text.len);
	strbuf_fini(&text);
	return ret->p || !fallback.p ? 0 : -ENOMEM;
}

static int set_tool_step(const struct action *a, const json_t *o, struct arena *mem,
			 struct action_step *s)
{
	size_t from = MIN((size_t)reader_u64(o, "from"), a->argc);
	struct bytes words, alias;
	int r;

	r = step_string(o, "words", BYTES_LIT(""), mem, &words);
	if (r == 0)
		r = step_string(o, "alias", BYTES_LIT(""), mem, &alias);
	if (r < 0)
		return r;
	s->args = policy_join_words(mem, words, a->argv, a->argc, from);
	policy_names_add(s->names, &s->n_names, policy_image_name(s->object), false);
	policy_names_add(s->names, &s->n_names, alias,
			 !json_is_true(json_object_get(o, "trusted")));
	return s->args.p ? 0 : -ENOMEM;
}

static enum policy_protocol parse_protocol(const char *word)
{
	for (enum policy_protocol p = 0; p < _POLICY_PROTO_MAX; p++)
		if (streq(word, policy_protocol_name(p)))
			return p;
	return POLICY_PROTO_OTHER;
}

static int add_kept_step(struct action *a, const json_t *o, struct arena *mem)
{
	struct action_plain_step plain = {.protocol = parse_protocol(reader_word(o, "protocol"))};
	struct action_step *s;
	int r;

	if (op_parse(bytes_of(reader_word(o, "op")), &plain.op) < 0)
		return -ENOENT;
	r = step_string(o, "object", a->object, mem, &plain.object);
	if (r == 0)
		r = add_step(a, &plain, mem, &s);
	if (r == 0 && s->kind == KIND_TOOL)
		r = set_tool_step(a, o, mem, s);
	return r;
}

static int add_kept_steps(struct action *a, struct bytes raw, struct arena *mem)
{
	json_t *steps = json_loadb(raw.p, raw.len, JSON_ALLOW_NUL, NULL), *o;
	int r = json_array_size(steps) ? 0 : -EBADMSG;
	size_t i;

	json_array_foreach(steps, i, o) if (r == 0) r = add_kept_step(a, o, mem);
	json_decref(steps);
	return r;
}

/* ---- the record's own keys */

/* Of a call with several groups the record says the request: "ioctl(NAME)", "fcntl(NAME 3)". */
static bool asks_for(const struct action *a, const char *syscall, const char *request)
{
	size_t n = strlen(syscall), m = strlen(request);

	return a->asked.len > n + 1 + m && memcmp(a->asked.p, syscall, n) == 0 &&
	       memcmp(a->asked.p + n + 1, request, m) == 0 &&
	       (a->asked.p[n + 1 + m] == ')' || a->asked.p[n + 1 + m] == ' ');
}

static enum grant grant_of(const struct action *a, struct bytes syscall)
{
	for (size_t i = 0; bytes_eq_str(syscall, "ioctl") && i < trap_ioctls_size; i++)
		if (asks_for(a, "ioctl", trap_ioctls[i].name))
			return trap_ioctls[i].grant;
	if (bytes_eq_str(syscall, "fcntl") &&
	    (asks_for(a, "fcntl", "F_SETLEASE") || asks_for(a, "fcntl", "F_SETDELEG")))
		return GRANT_ADMIN;
	for (size_t i = 0; i < trap_table_size; i++)
		if (bytes_eq_str(syscall, trap_table[i].name))
			return trap_table[i].grant;
	/* What has no row here came in through a foreign door: others were never asked about. */
	return a->kind == KIND_SYSTEM ? GRANT_FOREIGN_ABI : _GRANT_MAX;
}

static int read_strings(const struct line *l, struct arena *mem, struct action *a)
{
	const struct {
		enum line_key key;
		struct bytes *to;
	} strings[] = {
		{LINE_EXE, &a->exe},     {LINE_OBJECT, &a->object}, {LINE_OBJECT2, &a->object2},
		{LINE_ASKED, &a->asked}, {LINE_CWD, &a->cwd},
	};

	for (size_t i = 0; i < ARRAY_SIZE(strings); i++) {
		int r = line_string(l, strings[i].key, mem, strings[i].to);

		if (r < 0)
			return r;
	}
	return line_strings(l, LINE_ARGV, mem, &a->argv, &a->argc);
}

static int read_domains(const struct line *l, struct arena *mem, struct action *a)
{
	uint64_t n = 0;
	int r = line_strings(l, LINE_DOMAINS, mem, &a->domains, &a->n_domains);

	(void)line_u64(l, LINE_ALIASES, &n);
	a->n_aliases = MIN((size_t)n, a->n_domains);
	return r;
}

/* Who listened; a record without that was made where nobody was to be met, or nobody there. */
static int read_listener(const struct line *l, struct arena *mem, struct action *a)
{
	struct policy_listener *who;
	struct bytes text = BYTES_NULL;
	int r = line_string(l, LINE_LISTENER, mem, &text);

	a->has_met = true;
	a->listener = NULL;
	if (r < 0 || !text.p)
		return r;
	who = arena_alloc(mem, sizeof(*who));
	if (!who)
		return -ENOMEM;
	if (policy_listener_parse(text, who) == 0)
		a->listener = who;
	return 0;
}

/* "GET http://name/path", as supervise/looks.c writes it. */
static void read_request(struct bytes asked, struct bytes name, struct action_look *look)
{
	const char *blank = asked.len ? memchr(asked.p, ' ', asked.len) : NULL;
	size_t head = sizeof(" http://") - 1 + name.len;

	if (!blank)
		return;
	look->method = (struct bytes){.p = asked.p, .len = (size_t)(blank - asked.p)};
	if (asked.len > look->method.len + head)
		look->path = (struct bytes){.p = blank + head,
					    .len = asked.len - look->method.len - head};
}

/* What a connection said first. Where more names than the one that was seen stand for the address,
 * that one was not the address's. */
static int read_look(const struct line *l, struct arena *mem, struct action *a)
{
	static const struct {
		const char *layer;
		enum policy_look kind;
	} layers[] = {
		{"look", POLICY_LOOK_NONE},
		{"sni", POLICY_LOOK_NAME},
		{"ech", POLICY_LOOK_OUTER},
		{"http", POLICY_LOOK_REQUEST},
	};
	struct action_look *look;
	size_t i = 0;

	a->look = NULL;
	while (i < ARRAY_SIZE(layers) && !bytes_eq_str(line_word(l, LINE_LAYER), layers[i].layer))
		i++;
	if (i == ARRAY_SIZE(layers))
		return 0;
	look = arena_alloc(mem, sizeof(*look));
	if (!look)
		return -ENOMEM;
	*look = (struct action_look){
		.kind = a->n_domains == a->n_aliases + 1 ? layers[i].kind : POLICY_LOOK_NONE,
		/* What was asked about when the connection was made is in that one's record. */
		.is_approved = !bytes_eq_str(line_word(l, LINE_VERDICT), "deny"),
	};
	if (look->kind == POLICY_LOOK_REQUEST)
		read_request(a->asked, a->domains[0], look);
	a->look = look;
	return 0;
}

int replay_action(const struct line *l, struct arena *mem, struct action *ret,
		  bool *ret_has_lost_steps)
{
	uint64_t argc = 0;
	int r;

	if (kind_parse(line_word(l, LINE_KIND), &ret->kind) < 0 ||
	    op_parse(line_word(l, LINE_OP), &ret->op) < 0)
		return -ENOENT;
	r = read_strings(l, mem, ret);
	if (r == 0)
		r = read_domains(l, mem, ret);
	if (r == 0)
		r = read_look(l, mem, ret);
	if (r == 0)
		r = read_listener(l, mem, ret);
	if (r < 0)
		return r;
	ret->argv_truncated = line_has(l, LINE_ARGV_TRUNCATED);
	ret->argc_total = line_u64(l, LINE_ARGC, &argc) ? (size_t)argc : ret->argc;
	ret->grant =
		ret->kind == KIND_SYSTEM ? grant_of(ret, line_word(l, LINE_SYSCALL)) : _GRANT_MAX;
	ret->error = ACTION_OK;
	ret->n_steps = 0;
	*ret_has_lost_steps = l->values[LINE_STEPS].p && !line_has(l, LINE_STEPS);
	if (line_has(l, LINE_STEPS))
		return add_kept_steps(ret, l->values[LINE_STEPS], mem);
	return add_plain_steps(ret, mem);
}
