/* SPDX-License-Identifier: Apache-2.0 */
/*
 * OCSF 1.8 events (Open Cybersecurity Schema Framework), with the profile security_control and,
 * where the class itself has no actor and device, the profile host. `unmapped` holds what has no
 * attribute. tests/compat/test_ocsf.py checks the result against the schema's facts.
 */
#include "audit/format_private.h"

#define OCSF_VERSION "1.8.0"
#define PORT_DNS     53

enum ocsf_class {
	OCSF_BASE = 0,
	OCSF_FILE = 1001,
	OCSF_KERNEL = 1003,
	OCSF_PROCESS = 1007,
	OCSF_NETWORK = 4001,
	OCSF_DNS = 4003,
	OCSF_LIFECYCLE = 6002,
};

/* What is told elsewhere in the event. */
static const char *const mapped[] = {"v",   "prev", "time", "seq", "event", "session", "agent",
				     "pid", "tid",  "ppid", "exe", "errno", "reason"};

static const struct {
	enum ocsf_class uid;
	const char *name;
	unsigned int category;
	const char *category_name;
	bool is_system; /* has an actor and a device without the profile host */
} classes[] = {
	{OCSF_BASE, "Base Event", 0, "Uncategorized", false},
	{OCSF_FILE, "File System Activity", 1, "System Activity", true},
	{OCSF_KERNEL, "Kernel Activity", 1, "System Activity", true},
	{OCSF_PROCESS, "Process Activity", 1, "System Activity", true},
	{OCSF_NETWORK, "Network Activity", 4, "Network Activity", false},
	{OCSF_DNS, "DNS Activity", 4, "Network Activity", false},
	{OCSF_LIFECYCLE, "Application Lifecycle", 6, "Application Activity", false},
};

struct activity {
	const char *word; /* an op, or an event that is no action */
	enum ocsf_class uid;
	unsigned int id;
	const char *name;
};

static const struct activity activities[] = {
	{"exec", OCSF_PROCESS, 1, "Launch"},
	{"read", OCSF_FILE, 2, "Read"},
	{"write", OCSF_FILE, 3, "Update"},
	{"create", OCSF_FILE, 1, "Create"},
	{"truncate", OCSF_FILE, 3, "Update"},
	{"delete", OCSF_FILE, 4, "Delete"},
	{"rename", OCSF_FILE, 5, "Rename"},
	{"link", OCSF_FILE, 1, "Create"},
	{"symlink", OCSF_FILE, 1, "Create"},
	{"mkdir", OCSF_FILE, 1, "Create"},
	{"mknod", OCSF_FILE, 1, "Create"},
	{"chmod", OCSF_FILE, 7, "Set Security"},
	{"chown", OCSF_FILE, 7, "Set Security"},
	{"xattr", OCSF_FILE, 6, "Set Attributes"},
	{"times", OCSF_FILE, 6, "Set Attributes"},
	{"connect", OCSF_NETWORK, 1, "Open"},
	{"send", OCSF_NETWORK, 6, "Traffic"},
	{"bind", OCSF_NETWORK, 99, "Bind"},
	{"listen", OCSF_NETWORK, 7, "Listen"},
	{"resolve", OCSF_DNS, 1, "Query"},
	{"syscall", OCSF_KERNEL, 4, "Invoke"},
	{"spend", OCSF_BASE, 99, "Spend"},
	{"session_start", OCSF_LIFECYCLE, 3, "Start"},
	{"session_end", OCSF_LIFECYCLE, 4, "Stop"},
};

/* To a name server's port. What is asked there is a record of its own (resolve), or not known. */
static const struct activity dns_activities[] = {
	{"connect", OCSF_DNS, 6, "Traffic"},
	{"send", OCSF_DNS, 6, "Traffic"},
};

static const struct activity other_activity = {"", OCSF_BASE, 99, NULL};

enum outcome {
	OUTCOME_ALLOWED,
	OUTCOME_FLAGGED,
	OUTCOME_APPROVED, /* by a person, or --ask allow */
	OUTCOME_OBSERVED, /* audit mode let it through */
	OUTCOME_HELD,
	OUTCOME_BLOCKED,
	OUTCOME_REJECTED, /* after a hold */
	OUTCOME_NONE,     /* no decision */
};

static const struct {
	unsigned int action_id;
	const char *action;
	unsigned int disposition_id;
	const char *disposition;
	unsigned int severity_id;
	const char *severity;
	bool is_alert;
} outcomes[] = {
	[OUTCOME_ALLOWED] = {1, "Allowed", 1, "Allowed", 1, "Informational", false},
	[OUTCOME_FLAGGED] = {1, "Allowed", 19, "Alert", 2, "Low", true},
	[OUTCOME_APPROVED] = {1, "Allowed", 8, "Approved", 1, "Informational", false},
	[OUTCOME_OBSERVED] = {3, "Observed", 15, "Detected", 2, "Low", true},
	[OUTCOME_HELD] = {99, "Held", 14, "Delayed", 2, "Low", true},
	[OUTCOME_BLOCKED] = {2, "Denied", 2, "Blocked", 3, "Medium", true},
	[OUTCOME_REJECTED] = {2, "Denied", 25, "Rejected", 3, "Medium", true},
	[OUTCOME_NONE] = {0, "Unknown", 17, "Logged", 1, "Informational", false},
};

/* Types of observables. */
enum {
	OBSERVABLE_HOSTNAME = 1,
	OBSERVABLE_IP = 2,
	OBSERVABLE_PROCESS_NAME = 9,
	OBSERVABLE_CMD_LINE = 13,
	OBSERVABLE_FILE_PATH = 45,
};

struct ocsf {
	const struct format_context *context;
	const struct reader_line *line;
	const json_t *root, *start;
	const char *event, *op;
	bool is_action; /* or held */
	enum outcome outcome;
	struct activity activity;
	size_t class;         /* index of classes[] */
	struct strbuf object; /* decoded, "unknown" when it is not told */
	struct format_address address;
	struct json j;
};

static enum outcome outcome_of(const struct ocsf *o)
{
	const char *verdict = reader_word(o->root, "verdict");
	const char *would_have = reader_word(o->root, "would_have");
	bool was_asked = json_is_string(json_object_get(o->root, "approver"));

	if (!o->is_action)
		return OUTCOME_NONE;
	if (streq(o->event, "held"))
		return OUTCOME_HELD;
	if (streq(verdict, "deny"))
		return was_asked ? OUTCOME_REJECTED : OUTCOME_BLOCKED;
	if (was_asked)
		return OUTCOME_APPROVED;
	if (streq(would_have, "deny") || streq(would_have, "ask"))
		return OUTCOME_OBSERVED;
	if (streq(verdict, "flag"))
		return OUTCOME_FLAGGED;
	return streq(verdict, "allow") ? OUTCOME_ALLOWED : OUTCOME_NONE;
}

static const struct activity *find(const struct activity *list, size_t n, const char *word)
{
	for (size_t i = 0; i < n; i++)
		if (streq(list[i].word, word))
			return &list[i];
	return NULL;
}

static void classify(struct ocsf *o)
{
	const char *word = o->is_action ? o->op : o->event;
	const struct activity *a = find(activities, ARRAY_SIZE(activities), word);

	if (a && a->uid == OCSF_NETWORK) {
		const struct activity *dns = find(dns_activities, ARRAY_SIZE(dns_activities), word);

		format_read_address(strbuf_bytes(&o->object), &o->address);
		if (dns && o->address.has_port && o->address.port == PORT_DNS)
			a = dns;
	}
	o->activity = a ? *a : other_activity;
	for (size_t i = 0; i < ARRAY_SIZE(classes); i++)
		if (classes[i].uid == o->activity.uid)
			o->class = i;
}

static void put_class(struct ocsf *o)
{
	const char *name = o->activity.name;
	struct strbuf event = STRBUF_INIT(READER_LINE_MAX), type = STRBUF_INIT(READER_LINE_MAX);

	(void)reader_string(o->root, "event", &event);
	if (!name)
		name = strbuf_str(&event);
	json_key_u64(&o->j, "category_uid", classes[o->class].category);
	json_key_cstr(&o->j, "category_name", classes[o->class].category_name);
	json_key_u64(&o->j, "class_uid", classes[o->class].uid);
	json_key_cstr(&o->j, "class_name", classes[o->class].name);
	json_key_u64(&o->j, "activity_id", o->activity.id);
	json_key_cstr(&o->j, "activity_name", name);
	json_key_u64(&o->j, "type_uid", classes[o->class].uid * 100U + o->activity.id);
	strbuf_add_fmt(&type, "%s: %s", classes[o->class].name,
		       o->activity.id == 99 ? "Other" : name);
	json_key_str(&o->j, "type_name", strbuf_bytes(&type));
	strbuf_fini(&type);
	strbuf_fini(&event);
}

static void put_metadata(struct ocsf *o)
{
	struct strbuf uid = STRBUF_INIT(READER_LINE_MAX);

	json_key(&o->j, "metadata");
	json_begin_object(&o->j);
	json_key_cstr(&o->j, "version", OCSF_VERSION);
	json_key(&o->j, "product");
	json_begin_object(&o->j);
	json_key_cstr(&o->j, "name", "Holdfast");
	json_key_cstr(&o->j, "vendor_name", "Holdfast");
	if (o->context->version)
		json_key_cstr(&o->j, "version", o->context->version);
	json_end_object(&o->j);
	json_key(&o->j, "profiles");
	json_begin_array(&o->j);
	json_str(&o->j, BYTES_LIT("security_control"));
	if (!classes[o->class].is_system)
		json_str(&o->j, BYTES_LIT("host"));
	json_end_array(&o->j);
	json_key_cstr(&o->j, "log_name", "holdfast");
	json_key_cstr(&o->j, "log_version", "1");
	(void)format_put_string(&o->j, "event_code", o->root, "event");
	format_put_time(&o->j, "original_time", o->line);
	json_key_u64(&o->j, "sequence", reader_u64(o->root, "seq"));
	if (reader_string(o->root, "session", &uid)) {
		json_key_str(&o->j, "correlation_uid", strbuf_bytes(&uid));
		strbuf_add_char(&uid, ':');
		strbuf_add_u64(&uid, reader_u64(o->root, "seq"));
		json_key_str(&o->j, "uid", strbuf_bytes(&uid));
	}
	strbuf_fini(&uid);
	json_end_object(&o->j);
}

static void put_status(struct ocsf *o)
{
	const char *result = reader_word(o->root, "result");
	bool is_done = streq(result, "continued") || streq(result, "performed");
	bool is_refused = streq(result, "refused") || streq(result, "killed");

	if (!o->is_action)
		return;
	json_key_u64(&o->j, "status_id", is_done ? 1 : is_refused ? 2 : 0);
	json_key_cstr(&o->j, "status", is_done ? "Success" : is_refused ? "Failure" : "Unknown");
	(void)format_put_string(&o->j, "status_code", o->root, "errno");
	(void)format_put_string(&o->j, "status_detail", o->root, "reason");
	if (json_is_integer(json_object_get(o->root, "latency_ns")))
		json_key_u64(&o->j, "duration", reader_u64(o->root, "latency_ns") / NS_PER_MSEC);
}

static void put_control(struct ocsf *o)
{
	json_key_u64(&o->j, "action_id", outcomes[o->outcome].action_id);
	json_key_cstr(&o->j, "action", outcomes[o->outcome].action);
	json_key_u64(&o->j, "disposition_id", outcomes[o->outcome].disposition_id);
	json_key_cstr(&o->j, "disposition", outcomes[o->outcome].disposition);
	json_key_bool(&o->j, "is_alert", outcomes[o->outcome].is_alert);
	if (json_is_string(json_object_get(o->root, "policy"))) {
		json_key(&o->j, "policy");
		json_begin_object(&o->j);
		(void)format_put_string(&o->j, "name", o->root, "policy");
		json_key_bool(&o->j, "is_applied", streq(reader_word(o->root, "mode"), "enforce"));
		json_end_object(&o->j);
	}
	if (classes[o->class].category == 4 && json_is_string(json_object_get(o->root, "rule"))) {
		json_key(&o->j, "firewall_rule");
		json_begin_object(&o->j);
		(void)format_put_string(&o->j, "name", o->root, "rule");
		(void)format_put_string(&o->j, "desc", o->root, "reason");
		json_end_object(&o->j);
	}
}

/* The attributes name and path of @path, and a file of its own with it. */
static void put_file(struct json *j, const char *key, struct bytes path, unsigned int type_id,
		     const char *type)
{
	json_key(j, key);
	json_begin_object(j);
	json_key_str(j, "name", format_file_name(path));
	json_key_str(j, "path", path);
	json_key_u64(j, "type_id", type_id);
	json_key_cstr(j, "type", type);
	json_end_object(j);
}

static void put_program(struct json *j, const json_t *object, const char *key)
{
	struct strbuf path = STRBUF_INIT(READER_LINE_MAX);

	if (reader_string(object, key, &path)) {
		json_key_str(j, "name", format_file_name(strbuf_bytes(&path)));
		json_key_str(j, "path", strbuf_bytes(&path));
		put_file(j, "file", strbuf_bytes(&path), 8, "Executable File");
	}
	strbuf_fini(&path);
}

static void put_user(struct ocsf *o)
{
	struct strbuf uid = STRBUF_INIT(32);

	if (!o->start || !json_is_integer(json_object_get(o->start, "uid")))
		return;
	json_key(&o->j, "user");
	json_begin_object(&o->j);
	strbuf_add_u64(&uid, reader_u64(o->start, "uid"));
	json_key_str(&o->j, "uid", strbuf_bytes(&uid));
	strbuf_fini(&uid);
	json_end_object(&o->j);
}

static void put_actor(struct ocsf *o)
{
	json_key(&o->j, "actor");
	json_begin_object(&o->j);
	if (!format_put_string(&o->j, "app_name", o->root, "agent"))
		json_key_cstr(&o->j, "app_name", "unknown");
	put_user(o);
	if (o->is_action) {
		json_key(&o->j, "process");
		json_begin_object(&o->j);
		json_key_u64(&o->j, "pid", reader_u64(o->root, "pid"));
		if (reader_u64(o->root, "tid"))
			json_key_u64(&o->j, "ptid", reader_u64(o->root, "tid"));
		put_program(&o->j, o->root, "exe");
		if (reader_u64(o->root, "ppid")) {
			json_key(&o->j, "parent_process");
			json_begin_object(&o->j);
			json_key_u64(&o->j, "pid", reader_u64(o->root, "ppid"));
			json_end_object(&o->j);
		}
		json_end_object(&o->j);
	}
	json_end_object(&o->j);
}

static void put_device(struct ocsf *o)
{
	const json_t *kernel = json_object_get(o->start, "kernel");

	json_key(&o->j, "device");
	json_begin_object(&o->j);
	if (!o->start || !format_put_string(&o->j, "hostname", o->start, "host"))
		json_key_cstr(&o->j, "name", "unknown");
	json_key_u64(&o->j, "type_id", 0);
	json_key_cstr(&o->j, "type", "Unknown");
	json_key(&o->j, "os");
	json_begin_object(&o->j);
	json_key_cstr(&o->j, "name", "Linux");
	json_key_u64(&o->j, "type_id", 200);
	json_key_cstr(&o->j, "type", "Linux");
	(void)format_put_string(&o->j, "kernel_release", kernel, "release");
	json_end_object(&o->j);
	json_end_object(&o->j);
}

/* The first name that stands for the address; the others are in `unmapped`. */
static void put_hostname(struct ocsf *o)
{
	const json_t *names = json_object_get(o->root, "domains");
	struct strbuf name = STRBUF_INIT(READER_LINE_MAX);

	if (json_is_string(json_array_get(names, 0))) {
		reader_decode(json_array_get(names, 0), &name);
		json_key_str(&o->j, "hostname", strbuf_bytes(&name));
	}
	strbuf_fini(&name);
}

static void put_endpoint(struct ocsf *o)
{
	bool is_own = streq(o->op, "bind") || streq(o->op, "listen");
	const struct format_address *a = &o->address;
	unsigned int direction_id = a->is_local ? 4 : is_own ? 1 : 2;

	json_key(&o->j, is_own ? "src_endpoint" : "dst_endpoint");
	json_begin_object(&o->j);
	if (a->ip[0])
		json_key_cstr(&o->j, "ip", a->ip);
	else
		json_key_str(&o->j, "name", strbuf_bytes(&o->object));
	if (a->ip[0])
		put_hostname(o);
	if (a->has_port)
		json_key_u64(&o->j, "port", a->port);
	json_end_object(&o->j);
	json_key(&o->j, "connection_info");
	json_begin_object(&o->j);
	json_key_u64(&o->j, "direction_id", direction_id);
	json_key_cstr(&o->j, "direction",
		      direction_id == 4 ? "Local"
		      : is_own          ? "Inbound"
					: "Outbound");
	if (a->is_local) {
		json_key_u64(&o->j, "boundary_id", 1);
		json_key_cstr(&o->j, "boundary", "Localhost");
	}
	if (a->ip[0])
		json_key_u64(&o->j, "protocol_ver_id", a->is_v6 ? 6 : 4);
	if (a->ip[0] && format_protocol(o->root))
		json_key_cstr(&o->j, "protocol_name", format_protocol(o->root));
	json_end_object(&o->j);
}

static void put_question(struct ocsf *o)
{
	json_key(&o->j, "query");
	json_begin_object(&o->j);
	json_key_str(&o->j, "hostname", strbuf_bytes(&o->object));
	if (!format_put_string(&o->j, "type", o->root, "asked"))
		json_key_cstr(&o->j, "type", "unknown");
	json_key_cstr(&o->j, "class", "IN");
	json_end_object(&o->j);
	json_key(&o->j, "dst_endpoint");
	json_begin_object(&o->j);
	json_key_cstr(&o->j, "svc_name", "dns");
	json_key_u64(&o->j, "port", PORT_DNS);
	json_end_object(&o->j);
}

static void put_dns(struct ocsf *o)
{
	if (streq(o->op, "resolve"))
		put_question(o);
	else
		put_endpoint(o);
}

static void put_launch(struct ocsf *o)
{
	json_key(&o->j, "process");
	json_begin_object(&o->j);
	/* An exec keeps the process and changes its program. */
	json_key_u64(&o->j, "pid", reader_u64(o->root, "pid"));
	put_program(&o->j, o->root, "object");
	(void)format_put_command(&o->j, "cmd_line", o->root);
	(void)format_put_string(&o->j, "working_directory", o->root, "cwd");
	json_end_object(&o->j);
	json_key_u64(&o->j, "launch_type_id", 3);
	json_key_cstr(&o->j, "launch_type", "Exec");
}

static void put_path(struct ocsf *o)
{
	bool is_folder = streq(o->op, "mkdir"), is_link = streq(o->op, "symlink");
	struct strbuf other = STRBUF_INIT(READER_LINE_MAX);

	put_file(&o->j, "file", strbuf_bytes(&o->object),
		 is_folder ? 2
		 : is_link ? 7
			   : 0,
		 is_folder ? "Folder"
		 : is_link ? "Symbolic Link"
			   : "Unknown");
	if (!is_link && reader_string(o->root, "object2", &other))
		put_file(&o->j, "file_result", strbuf_bytes(&other), 0, "Unknown");
	strbuf_fini(&other);
}

static void put_kernel(struct ocsf *o)
{
	json_key(&o->j, "kernel");
	json_begin_object(&o->j);
	json_key_str(&o->j, "name", strbuf_bytes(&o->object));
	json_key_u64(&o->j, "type_id", 2);
	json_key_cstr(&o->j, "type", "System Call");
	(void)format_put_string(&o->j, "system_call", o->root, "syscall");
	json_end_object(&o->j);
}

static void put_app(struct ocsf *o)
{
	json_key(&o->j, "app");
	json_begin_object(&o->j);
	if (!format_put_string(&o->j, "name", o->root, "agent"))
		json_key_cstr(&o->j, "name", "unknown");
	json_end_object(&o->j);
}

static void put_observable(struct json *j, const char *name, unsigned int type_id, const char *type,
			   struct bytes value)
{
	json_begin_object(j);
	json_key_cstr(j, "name", name);
	json_key_u64(j, "type_id", type_id);
	json_key_cstr(j, "type", type);
	json_key_str(j, "value", value);
	json_end_object(j);
}

static void put_observables(struct ocsf *o)
{
	bool is_own = streq(o->op, "bind") || streq(o->op, "listen");
	bool has_object = json_is_string(json_object_get(o->root, "object"));
	struct strbuf exe = STRBUF_INIT(READER_LINE_MAX);

	json_key(&o->j, "observables");
	json_begin_array(&o->j);
	if (o->is_action && reader_string(o->root, "exe", &exe))
		put_observable(&o->j, "actor.process.name", OBSERVABLE_PROCESS_NAME, "Process Name",
			       format_file_name(strbuf_bytes(&exe)));
	if (o->activity.uid == OCSF_FILE)
		put_observable(&o->j, "file.path", OBSERVABLE_FILE_PATH, "File Path",
			       strbuf_bytes(&o->object));
	else if (o->activity.uid == OCSF_PROCESS && has_object)
		put_observable(&o->j, "process.name", OBSERVABLE_PROCESS_NAME, "Process Name",
			       format_file_name(strbuf_bytes(&o->object)));
	else if (streq(o->op, "resolve"))
		put_observable(&o->j, "query.hostname", OBSERVABLE_HOSTNAME, "Hostname",
			       strbuf_bytes(&o->object));
	else if (o->address.ip[0])
		put_observable(&o->j, is_own ? "src_endpoint.ip" : "dst_endpoint.ip", OBSERVABLE_IP,
			       "IP Address", bytes_of(o->address.ip));
	json_end_array(&o->j);
	strbuf_fini(&exe);
}

static void put_what(struct ocsf *o)
{
	static const struct {
		enum ocsf_class uid;
		void (*put)(struct ocsf *o);
	} puts[] = {
		{OCSF_FILE, put_path},        {OCSF_KERNEL, put_kernel}, {OCSF_PROCESS, put_launch},
		{OCSF_NETWORK, put_endpoint}, {OCSF_DNS, put_dns},       {OCSF_LIFECYCLE, put_app},
	};

	for (size_t i = 0; i < ARRAY_SIZE(puts); i++)
		if (puts[i].uid == o->activity.uid)
			puts[i].put(o);
}

static void put_event(struct ocsf *o)
{
	json_begin_object(&o->j);
	put_class(o);
	json_key_u64(&o->j, "time", o->line->time_ns / NS_PER_MSEC);
	json_key_u64(&o->j, "timezone_offset", 0);
	json_key_u64(&o->j, "severity_id", outcomes[o->outcome].severity_id);
	json_key_cstr(&o->j, "severity", outcomes[o->outcome].severity);
	format_put_message(&o->j, o->line);
	put_status(o);
	put_metadata(o);
	put_control(o);
	put_actor(o);
	put_device(o);
	put_what(o);
	put_observables(o);
	format_put_rest(&o->j, "unmapped", o->root, mapped, ARRAY_SIZE(mapped));
	json_end_object(&o->j);
}

void format_ocsf_line(const struct format_context *c, const struct reader_line *line,
		      struct strbuf *out)
{
	struct ocsf o = {.context = c,
			 .line = line,
			 .root = line->root,
			 .start = format_start(c, line),
			 .event = reader_word(line->root, "event"),
			 .op = reader_word(line->root, "op"),
			 .object = STRBUF_INIT(READER_LINE_MAX),
			 .j = JSON_INIT(out)};

	o.is_action = streq(o.event, "action") || streq(o.event, "held");
	if (!reader_string(o.root, "object", &o.object) &&
	    !reader_string(o.root, "asked", &o.object))
		strbuf_add_str(&o.object, "unknown");
	o.outcome = outcome_of(&o);
	classify(&o);
	put_event(&o);
	strbuf_fini(&o.object);
}
