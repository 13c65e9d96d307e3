/* SPDX-License-Identifier: Apache-2.0 */
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>

#include "base/clock.h"

#include "control/session_private.h"

#define STATUS_COMMAND_MAX ((size_t)4096)

static const char *const ask_names[] = {
	[ASK_TERMINAL] = "terminal", [ASK_QUEUE] = "queue", [ASK_COMMAND] = "command",
	[ASK_TMUX] = "tmux",         [ASK_DENY] = "deny",   [ASK_ALLOW] = "allow",
};

/* @p: NULL when it does not apply. */
static void add_policy(struct json *j, const struct policyset_entry *e, const struct policy *p)
{
	const struct policy_budget *budget = p ? policy_get_budget(p) : NULL;

	json_begin_object(j);
	json_key_cstr(j, "name", e->name);
	json_key_cstr(j, "file", e->file);
	json_key_cstr(j, "sha256", e->hash);
	json_key_cstr(j, "mode", e->mode == POLICY_MODE_AUDIT ? "audit" : "enforce");
	json_key_u64(j, "rules", e->n_rules);
	if (budget && budget->has_spend)
		json_key_double(j, "max_spend", budget->max_spend);
	if (!p)
		json_key_bool(j, "applies", false);
	json_end_object(j);
}

static void add_policies(struct json *j, const struct policyset *set)
{
	json_key(j, "policies");
	json_begin_array(j);
	for (size_t i = 0; i < set->n; i++)
		add_policy(j, &set->entries[i], policy_stack_get(set->stack, i));
	for (size_t i = 0; i < set->n_left_out; i++)
		add_policy(j, &set->left_out[i], NULL);
	json_end_array(j);
}

static void add_kernel(struct json *j, const struct features *f, const struct plan *plan)
{
	json_key(j, "kernel");
	json_begin_object(j);
	json_key_cstr(j, "release", f->kernel);
	json_key_bool(j, "user_notif", f->user_notif);
	json_key_bool(j, "wait_killable_recv", f->wait_killable);
	json_key_bool(j, "sync_wake_up", f->sync_wake_up);
	json_key_u64(j, "landlock_abi", (uint64_t)plan->landlock_abi);
	json_end_object(j);
}

/* The first @max bytes of it. */
static void add_argv(struct json *j, const struct audit_record *r, size_t max)
{
	bool is_cut = r->argv_truncated;

	json_key(j, "command");
	json_begin_array(j);
	for (size_t i = 0; i < r->argc && max; i++) {
		struct bytes arg = {.p = r->argv[i].p, .len = MIN(r->argv[i].len, max)};

		is_cut = is_cut || arg.len < r->argv[i].len ||
			 (max <= arg.len + 1 && i + 1 < r->argc);
		max -= MIN(arg.len + 1, max); /* the blank counts: there may be many empty ones */
		json_str(j, arg);
	}
	json_end_array(j);
	if (is_cut)
		json_key_bool(j, "argv_truncated", true);
}

/*
 * The command as it is recorded, in @ret, whose strings hold until the next use of the scratch.
 * *ret_argv is its argument vector, to be freed.
 */
static void redacted_command(const struct session *s, const char *cwd, struct bytes **ret_argv,
			     struct audit_record *ret)
{
	char *const *argv = s->config->argv;
	struct bytes *copy;
	size_t n = 0;

	while (argv[n])
		n++;
	copy = calloc(n + 1, sizeof(*copy));
	for (size_t i = 0; copy && i < n; i++)
		copy[i] = bytes_of(argv[i]);
	*ret = (struct audit_record){.kind = KIND_TOOL,
				     .object = bytes_of(s->config->command),
				     .cwd = cwd ? bytes_of(cwd) : BYTES_NULL,
				     .argv = copy,
				     .argc = copy ? n : 0,
				     .argv_truncated = !copy};
	redact_record(s->redact, s->scratch, ret);
	*ret_argv = copy;
}

/* What rules on the time of day looked at. */
static void add_utc_offset(struct json *j)
{
	time_t now = (time_t)(clock_realtime_ns() / NS_PER_SEC);
	struct tm tm;

	json_key(j, "utc_offset_s");
	if (localtime_r(&now, &tm))
		json_i64(j, tm.tm_gmtoff);
	else
		json_none(j);
}

static void add_start(struct json *j, void *arg)
{
	const struct session *s = arg;
	const struct session_config *c = s->config;
	_cleanup_(freep) char *cwd = getcwd(NULL, 0);
	struct audit_record command;
	_cleanup_(freep) struct bytes *argv = NULL;
	struct utsname host;

	redacted_command(s, cwd, &argv, &command);
	add_argv(j, &command, SIZE_MAX);
	json_key_str(j, "exe", command.object);
	json_key_str(j, "cwd", command.cwd);
	if (command.redacted)
		json_key_u64(j, "redacted", command.redacted);
	json_key_u64(j, "pid", (uint64_t)s->command);
	json_key_u64(j, "supervisor", (uint64_t)getpid());
	json_key_u64(j, "uid", getuid());
	json_key_cstr(j, "host", uname(&host) == 0 ? host.nodename : "");
	json_key_cstr(j, "mode", policy_stack_is_audit(c->policies->stack) ? "audit" : "enforce");
	json_key_cstr(j, "ask", ask_names[c->ask]);
	json_key_u64(j, "ask_timeout_s", c->ask_timeout_ns / NS_PER_SEC);
	add_utc_offset(j);
	add_policies(j, c->policies);
	add_kernel(j, &s->features, &s->plan);
	json_key(j, "layers");
	plan_add_layers(j, &s->plan);
}

int session_record_start(struct session *s)
{
	return audit_append_event(s->audit, "session_start", add_start, s);
}

static void add_spend(struct json *j, struct budget *b)
{
	struct budget_totals t;

	budget_get_totals(b, &t);
	json_key(j, "spend");
	json_begin_object(j);
	json_key_double(j, "spent", t.spent);
	json_key_double(j, "reported", t.reported);
	json_key_u64(j, "reports", t.n_reports);
	json_key(j, "remaining");
	if (t.has_remaining)
		json_double(j, t.remaining);
	else
		json_none(j);
	json_end_object(j);
}

static void add_counts(struct json *j, const struct audit_counts *n, struct budget *b)
{
	json_key(j, "counts");
	json_begin_object(j);
	json_key_u64(j, "total", n->total);
	json_key(j, "by_verdict");
	json_begin_object(j);
	for (enum verdict v = VERDICT_ALLOW; v < _VERDICT_MAX; v++)
		json_key_u64(j, verdict_name(v), n->by_verdict[v]);
	json_end_object(j);
	json_key(j, "would_have");
	json_begin_object(j);
	for (enum verdict v = VERDICT_ALLOW; v < _VERDICT_MAX; v++)
		json_key_u64(j, verdict_name(v), n->would_have[v]);
	json_end_object(j);
	json_key(j, "by_kind");
	json_begin_object(j);
	for (enum action_kind k = KIND_TOOL; k < _KIND_MAX; k++)
		json_key_u64(j, kind_name(k), n->by_kind[k]);
	json_end_object(j);
	json_key_u64(j, "held", n->held);
	json_key_u64(j, "approved", n->approved);
	json_key_u64(j, "timed_out", n->timed_out);
	add_spend(j, b);
	json_end_object(j);
}

static void add_end(struct json *j, void *arg)
{
	const struct session *s = arg;
	struct audit_counts counts;

	audit_get_counts(s->audit, &counts);
	json_key(j, "exit");
	if (s->has_exited && WIFEXITED(s->wait_status))
		json_u64(j, (uint64_t)WEXITSTATUS(s->wait_status));
	else
		json_none(j);
	json_key(j, "signal");
	if (s->has_exited && WIFSIGNALED(s->wait_status))
		json_u64(j, (uint64_t)WTERMSIG(s->wait_status));
	else
		json_none(j);
	if (s->is_cut)
		json_key_cstr(j, "ended", s->stop_reason);
	json_key_u64(j, "duration_ns", clock_monotonic_ns() - s->started_ns);
	add_counts(j, &counts, s->budget);
	supervise_write_accepted(s->supervise, j);
}

int session_record_end(struct session *s)
{
	return audit_append_event(s->audit, "session_end", add_end, s);
}

void session_status_json(void *arg, struct json *j)
{
	const struct session *s = arg;
	struct audit_record command;
	_cleanup_(freep) struct bytes *argv = NULL;
	struct audit_counts counts;

	redacted_command(s, NULL, &argv, &command);
	audit_get_counts(s->audit, &counts);
	json_key_cstr(j, "agent", s->config->agent);
	/* A command line may be 2 MB, but a reply is one packet. */
	add_argv(j, &command, STATUS_COMMAND_MAX);
	json_key_cstr(j, "log", s->config->log_path);
	add_counts(j, &counts, s->budget);
}
