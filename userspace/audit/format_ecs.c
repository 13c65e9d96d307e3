/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Elastic Common Schema. What it has a field for goes there, under ECS's own types; everything else
 * under holdfast.*, with the log's names. Whether something was allowed or denied is an event.type:
 * event.outcome has only success, failure and unknown.
 */
#include "audit/format_private.h"

#define ECS_VERSION "9.0.0"

static const char *const mapped[] = {"v",   "prev", "time", "seq",       "pid",
				     "tid", "ppid", "exe",  "latency_ns"};

static const struct {
	const char *word; /* an op, or an event that is no action */
	const char *category, *type;
} kinds[] = {
	{"exec", "process", "start"},      {"read", "file", "access"},
	{"write", "file", "change"},       {"create", "file", "creation"},
	{"truncate", "file", "change"},    {"delete", "file", "deletion"},
	{"rename", "file", "change"},      {"link", "file", "creation"},
	{"symlink", "file", "creation"},   {"mkdir", "file", "creation"},
	{"mknod", "file", "creation"},     {"chmod", "file", "change"},
	{"chown", "file", "change"},       {"xattr", "file", "change"},
	{"times", "file", "change"},       {"connect", "network", "connection"},
	{"send", "network", "connection"}, {"bind", "network", "info"},
	{"listen", "network", "info"},     {"resolve", "network", "protocol"},
	{"syscall", "process", "info"},    {"session_start", "session", "start"},
	{"session_end", "session", "end"},
};

static const struct {
	const char *word;
	const char *type;      /* NULL: none */
	unsigned int severity; /* of syslog, as event.severity of many sources */
} verdicts[] = {
	{"allow", "allowed", 6},
	{"flag", "allowed", 4},
	{"ask", NULL, 5},
	{"deny", "denied", 4},
};

static const struct {
	const char *result, *outcome;
} outcomes[] = {{"continued", "success"},
		{"performed", "success"},
		{"refused", "failure"},
		{"killed", "failure"}};

struct ecs {
	const json_t *root, *start;
	const char *event, *op, *verdict;
	bool is_action; /* or held */
	struct json j;
};

static void put_one(struct json *j, const char *key, const char *value)
{
	json_key(j, key);
	json_begin_array(j);
	json_str(j, bytes_of(value));
	json_end_array(j);
}

static void put_types(struct ecs *e)
{
	const char *word = e->is_action ? e->op : e->event, *type = "info";

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (streq(word, kinds[i].word)) {
			put_one(&e->j, "category", kinds[i].category);
			type = kinds[i].type;
		}
	json_key(&e->j, "type");
	json_begin_array(&e->j);
	json_str(&e->j, bytes_of(type));
	for (size_t i = 0; e->is_action && i < ARRAY_SIZE(verdicts); i++)
		if (streq(e->verdict, verdicts[i].word) && verdicts[i].type)
			json_str(&e->j, bytes_of(verdicts[i].type));
	json_end_array(&e->j);
}

static const char *outcome_of(const struct ecs *e)
{
	const char *result = reader_word(e->root, "result");

	for (size_t i = 0; i < ARRAY_SIZE(outcomes); i++)
		if (streq(result, outcomes[i].result))
			return outcomes[i].outcome;
	return "unknown";
}

static void put_event(struct ecs *e)
{
	unsigned int severity = 6;
	struct strbuf id = STRBUF_INIT(READER_LINE_MAX);

	for (size_t i = 0; i < ARRAY_SIZE(verdicts); i++)
		if (streq(e->verdict, verdicts[i].word))
			severity = verdicts[i].severity;
	json_key(&e->j, "event");
	json_begin_object(&e->j);
	json_key_cstr(&e->j, "kind", streq(e->verdict, "flag") ? "alert" : "event");
	put_types(e);
	if (!e->is_action || !format_put_string(&e->j, "action", e->root, "op"))
		(void)format_put_string(&e->j, "action", e->root, "event");
	json_key_cstr(&e->j, "outcome", outcome_of(e));
	json_key_cstr(&e->j, "module", "holdfast");
	json_key_cstr(&e->j, "dataset", "holdfast.log");
	(void)reader_string(e->root, "session", &id);
	strbuf_add_char(&id, ':');
	strbuf_add_u64(&id, reader_u64(e->root, "seq"));
	json_key_str(&e->j, "id", strbuf_bytes(&id));
	strbuf_fini(&id);
	json_key_u64(&e->j, "sequence", reader_u64(e->root, "seq"));
	json_key_u64(&e->j, "severity", severity);
	if (json_is_integer(json_object_get(e->root, "latency_ns")))
		json_key_u64(&e->j, "duration", reader_u64(e->root, "latency_ns"));
	(void)format_put_string(&e->j, "reason", e->root, "reason");
	json_end_object(&e->j);
}

static void put_program(struct ecs *e, const char *key)
{
	struct strbuf path = STRBUF_INIT(READER_LINE_MAX);

	if (reader_string(e->root, key, &path)) {
		json_key_str(&e->j, "executable", strbuf_bytes(&path));
		json_key_str(&e->j, "name", format_file_name(strbuf_bytes(&path)));
	}
	strbuf_fini(&path);
}

static void put_args(struct ecs *e)
{
	const json_t *argv = json_object_get(e->root, "argv");
	struct strbuf raw = STRBUF_INIT(READER_LINE_MAX);

	if (!format_put_command(&e->j, "command_line", e->root))
		return;
	json_key(&e->j, "args");
	json_begin_array(&e->j);
	for (size_t i = 0; i < json_array_size(argv); i++) {
		strbuf_reset(&raw);
		reader_decode(json_array_get(argv, i), &raw);
		json_str(&e->j, strbuf_bytes(&raw));
	}
	json_end_array(&e->j);
	strbuf_fini(&raw);
	json_key_u64(&e->j, "args_count", MAX(reader_u64(e->root, "argc"), json_array_size(argv)));
}

/* A started program keeps its process: with an exec, `process` is what it becomes. */
static void put_process(struct ecs *e)
{
	if (!reader_u64(e->root, "pid"))
		return;
	json_key(&e->j, "process");
	json_begin_object(&e->j);
	json_key_u64(&e->j, "pid", reader_u64(e->root, "pid"));
	put_program(e, streq(e->op, "exec") ? "object" : "exe");
	put_args(e);
	(void)format_put_string(&e->j, "working_directory", e->root, "cwd");
	if (reader_u64(e->root, "ppid")) {
		json_key(&e->j, "parent");
		json_begin_object(&e->j);
		json_key_u64(&e->j, "pid", reader_u64(e->root, "ppid"));
		json_end_object(&e->j);
	}
	if (reader_u64(e->root, "tid")) {
		json_key(&e->j, "thread");
		json_begin_object(&e->j);
		json_key_u64(&e->j, "id", reader_u64(e->root, "tid"));
		json_end_object(&e->j);
	}
	json_end_object(&e->j);
}

static void put_file(struct ecs *e, struct bytes path)
{
	struct bytes name = format_file_name(path);

	json_key(&e->j, "file");
	json_begin_object(&e->j);
	json_key_str(&e->j, "path", path);
	json_key_str(&e->j, "name", name);
	if (path.len > name.len)
		json_key_str(&e->j, "directory",
			     (struct bytes){.p = path.p,
					    .len = MAX(path.len - name.len - 1, (size_t)1)});
	if (streq(e->op, "symlink"))
		(void)format_put_string(&e->j, "target_path", e->root, "object2");
	json_end_object(&e->j);
}

static void put_question(struct ecs *e, struct bytes name)
{
	json_key(&e->j, "dns");
	json_begin_object(&e->j);
	json_key_cstr(&e->j, "type", "query");
	json_key(&e->j, "question");
	json_begin_object(&e->j);
	json_key_str(&e->j, "name", name);
	(void)format_put_string(&e->j, "type", e->root, "asked");
	json_end_object(&e->j);
	json_end_object(&e->j);
}

/* The first name that stands for the address; all of them are in holdfast.domains. */
static void put_domain(struct ecs *e)
{
	const json_t *names = json_object_get(e->root, "domains");
	struct strbuf name = STRBUF_INIT(READER_LINE_MAX);

	if (json_is_string(json_array_get(names, 0))) {
		reader_decode(json_array_get(names, 0), &name);
		json_key_str(&e->j, "domain", strbuf_bytes(&name));
	}
	strbuf_fini(&name);
}

static void put_network(struct ecs *e, struct bytes object)
{
	bool is_own = streq(e->op, "bind") || streq(e->op, "listen");
	struct format_address a;

	format_read_address(object, &a);
	json_key(&e->j, is_own ? "server" : "destination");
	json_begin_object(&e->j);
	json_key_str(&e->j, "address", a.ip[0] ? bytes_of(a.ip) : object);
	if (a.ip[0])
		json_key_cstr(&e->j, "ip", a.ip);
	if (a.has_port)
		json_key_u64(&e->j, "port", a.port);
	put_domain(e);
	json_end_object(&e->j);
	if (!a.ip[0])
		return;
	json_key(&e->j, "network");
	json_begin_object(&e->j);
	json_key_cstr(&e->j, "type", a.is_v6 ? "ipv6" : "ipv4");
	if (format_protocol(e->root))
		json_key_cstr(&e->j, "transport", format_protocol(e->root));
	if (!is_own)
		json_key_cstr(&e->j, "direction", "egress");
	json_end_object(&e->j);
}

static void put_object(struct ecs *e)
{
	const char *kind = reader_word(e->root, "kind");
	struct strbuf object = STRBUF_INIT(READER_LINE_MAX);

	if (reader_string(e->root, "object", &object)) {
		if (streq(kind, "path"))
			put_file(e, strbuf_bytes(&object));
		else if (streq(e->op, "resolve"))
			put_question(e, strbuf_bytes(&object));
		else if (streq(kind, "network"))
			put_network(e, strbuf_bytes(&object));
	}
	strbuf_fini(&object);
}

static void put_rule(struct ecs *e)
{
	if (!json_is_string(json_object_get(e->root, "rule")) &&
	    !json_is_string(json_object_get(e->root, "policy")))
		return;
	json_key(&e->j, "rule");
	json_begin_object(&e->j);
	(void)format_put_string(&e->j, "name", e->root, "rule");
	(void)format_put_string(&e->j, "ruleset", e->root, "policy");
	json_end_object(&e->j);
}

static void put_place(struct ecs *e)
{
	struct strbuf uid = STRBUF_INIT(32);

	if (!e->start)
		return;
	if (json_is_string(json_object_get(e->start, "host"))) {
		json_key(&e->j, "host");
		json_begin_object(&e->j);
		(void)format_put_string(&e->j, "hostname", e->start, "host");
		(void)format_put_string(&e->j, "name", e->start, "host");
		json_end_object(&e->j);
	}
	if (json_is_integer(json_object_get(e->start, "uid"))) {
		json_key(&e->j, "user");
		json_begin_object(&e->j);
		strbuf_add_u64(&uid, reader_u64(e->start, "uid"));
		json_key_str(&e->j, "id", strbuf_bytes(&uid));
		json_end_object(&e->j);
	}
	strbuf_fini(&uid);
}

static void put_version(struct ecs *e, const char *version)
{
	json_key(&e->j, "ecs");
	json_begin_object(&e->j);
	json_key_cstr(&e->j, "version", ECS_VERSION);
	json_end_object(&e->j);
	json_key(&e->j, "observer");
	json_begin_object(&e->j);
	json_key_cstr(&e->j, "product", "Holdfast");
	json_key_cstr(&e->j, "type", "supervisor");
	if (version)
		json_key_cstr(&e->j, "version", version);
	json_end_object(&e->j);
}

void format_ecs_line(const struct format_context *c, const struct reader_line *line,
		     struct strbuf *out)
{
	struct ecs e = {.root = line->root,
			.start = format_start(c, line),
			.event = reader_word(line->root, "event"),
			.op = reader_word(line->root, "op"),
			.verdict = reader_word(line->root, "verdict"),
			.j = JSON_INIT(out)};

	e.is_action = streq(e.event, "action") || streq(e.event, "held");
	json_begin_object(&e.j);
	format_put_time(&e.j, "@timestamp", line);
	put_version(&e, c->version);
	format_put_message(&e.j, line);
	put_event(&e);
	put_process(&e);
	put_object(&e);
	put_rule(&e);
	put_place(&e);
	if (json_is_string(json_object_get(e.root, "errno"))) {
		json_key(&e.j, "error");
		json_begin_object(&e.j);
		(void)format_put_string(&e.j, "code", e.root, "errno");
		json_end_object(&e.j);
	}
	format_put_rest(&e.j, "holdfast", e.root, mapped, ARRAY_SIZE(mapped));
	json_end_object(&e.j);
}
