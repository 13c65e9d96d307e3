/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The policy core: documents in, a compiled stack, verdicts out. Pure: no descriptor, no clock, no
 * allocation while evaluating. It knows nothing of processes or syscalls; the engine translates an
 * action into a query.
 *
 * Within a policy the first matching rule decides: lower priority first (default 100), then file
 * order. Across the stack the strictest verdict wins. A policy whose mode is audit contributes to
 * the advice only (`advised`), not to the verdict that is carried out.
 *
 * Threads: a stack is immutable after policy_stack_new() and may be shared; each thread has its own
 * scratch.
 */
#pragma once

#include <limits.h>
#include <netinet/in.h>

#include "base/diag.h"
#include "base/strbuf.h"
#include "policy/answer.h"

/* Limits; past one the document is refused. */
#define POLICY_MAX_BYTES     ((size_t)16 * 1024 * 1024)
#define POLICY_MAX_DEPTH     32
#define POLICY_MAX_RULES     100000
#define POLICY_MAX_STACK     16
#define POLICY_MAX_APPROVALS 8  /* that a rule can ask for */
#define POLICY_MAX_FILES     64 /* that one policy is made of, with what it includes and extends */
#define POLICY_REGEX_MATCHES                                                                       \
	1000000u /* PCRE2 match limit: hitting it denies with reason regex-limit */

enum policy_mode {
	POLICY_MODE_ENFORCE,
	POLICY_MODE_AUDIT, /* log what would have happened, refuse nothing */
};

/* What ~, ${home}, ${project} and ${tmp} stand for: absolute paths without a trailing slash.
 * Borrowed by the load. */
struct policy_vars {
	const char *home;
	const char *project;
	const char *tmp;
};

struct policy;       /* one parsed document */
struct policy_stack; /* several, compiled */

enum policy_language {
	POLICY_LANGUAGE_AUTO, /* told by the document's top keys */
	POLICY_LANGUAGE_NATIVE,
	POLICY_LANGUAGE_ACTION_POLICY, /* agent-action-policy 0.1.1 */
	POLICY_LANGUAGE_AGENTPOLICY,   /* AgentPolicy 0.1.1 */
	POLICY_LANGUAGE_MESHGUARD,     /* MeshGuard's policy YAML */
	_POLICY_LANGUAGE_MAX,
};

/* "auto", "native", "agent-action-policy", "agentpolicy", "meshguard". */
const char *policy_language_name(enum policy_language language);
/* Return: 0, -ENOENT. */
int policy_language_parse(struct bytes word, enum policy_language *ret);

/* Another document that one names with `include` or `extends`. policy/ opens no file itself. */
struct policy_text {
	const char *file;  /* for diagnostics, and the @from of its own includes; lives as long as
			      the load */
	struct bytes text; /* likewise */
};

struct policy_load {
	const char *file;  /* names the document in diagnostics */
	struct bytes text; /* need not be NUL-terminated */
	enum policy_language language;
	/* agent-action-policy's default_action: what no rule matches. Its own default is allow. */
	enum verdict dialect_default;
	const struct policy_vars *vars;
	/*
	 * Reads what @from names: a file relative to it, or (extends) also a policy's name. NULL:
	 * such keys are refused. Return: 0; -EINVAL with @d; -ENOMEM.
	 */
	int (*read)(void *ctx, const char *from, const char *name, struct policy_text *ret,
		    struct diag *d);
	void *read_ctx;
	/* Told of what is odd but no error; may be NULL. */
	void (*warn)(void *ctx, const struct diag *d);
	void *warn_ctx;
};

/*
 * Reads one document. Return: 0; -EINVAL with @reterr_diag set (position, what was expected, what
 * to write); -ENOMEM.
 */
int policy_load(const struct policy_load *load, struct policy **ret,
		struct diag *reterr_diag) _must_check_;
/* policy_load() of a document that stands alone, in whatever language it is. */
int policy_parse(const char *file, struct bytes text, const struct policy_vars *vars,
		 struct policy **ret, struct diag *reterr_diag) _must_check_;
enum policy_language policy_get_language(const struct policy *p);
struct policy *policy_free(struct policy *p);
const char *policy_name(const struct policy *p);
const char *policy_file(const struct policy *p);
const char *policy_description(const struct policy *p); /* NULL: none given */
enum policy_mode policy_get_mode(const struct policy *p);
size_t policy_rule_count(const struct policy *p);
/* Where the rule of this name stands; the file is borrowed. Return: 0; -ENOENT: there is none, or
 * its language knows no lines. */
int policy_find_rule(const struct policy *p, struct bytes name, const char **ret_file,
		     unsigned *ret_line);

static inline void policy_freep(struct policy **p)
{
	*p = policy_free(*p);
}

/* One name an action answers to. An untrusted alias (a symlink the agent could have made) never
 * serves an allow. */
struct policy_name {
	struct bytes name;
	bool is_untrusted;
};

enum policy_protocol {
	POLICY_PROTO_TCP,
	POLICY_PROTO_UDP,
	POLICY_PROTO_UNIX,
	POLICY_PROTO_OTHER,
	_POLICY_PROTO_MAX,
};

const char *policy_protocol_name(enum policy_protocol p);

struct policy_address {
	enum policy_protocol protocol;
	bool has_ip; /* false: unix socket, another family, or (TCP and UDP only) a name that has no
			address yet; rules with address or cidr do not match, those with port only
			in the last case */
	bool is_v4;  /* also for IPv4-mapped IPv6, already normalised by the caller */
	uint8_t ip[16]; /* network order; the first 4 bytes if is_v4 */
	uint16_t port;  /* host order */
};

/* What the first bytes of a TCP connection have said. */
enum policy_look {
	POLICY_LOOK_AHEAD,   /* nothing yet: they are looked at where a rule wants that */
	POLICY_LOOK_NONE,    /* nothing of a name that stands for the address */
	POLICY_LOOK_NAME,    /* TLS: the first of the names is the one that is asked for */
	POLICY_LOOK_OUTER,   /* likewise, and another may be encrypted (ECH) */
	POLICY_LOOK_REQUEST, /* HTTP: likewise, and what is asked of it */
};

/* Who listens on a unix socket: as which user, and which program listened there last. */
struct policy_listener {
	bool is_ahead; /* nobody was met yet, the rest is not set; see policy_stack_wants_listener()
			*/
	bool is_own;   /* the session's own user */
	uint32_t uid;
	struct bytes exe; /* its image; .p NULL: unknown */
};

#define POLICY_LISTENER_SIZE (PATH_MAX + 64)
/* "uid 0 /usr/bin/x", "uid 1000 (self)", as records have it. Return: @out. */
const char *policy_listener_format(const struct policy_listener *who,
				   char out[static POLICY_LISTENER_SIZE]);
/* Return: 0, -EINVAL; @ret points into @text. */
int policy_listener_parse(struct bytes text, struct policy_listener *ret);

struct policy_api; /* policy/apiaction.h */

/* Monday 00:00 is 0, local time. */
#define POLICY_MINUTES_PER_WEEK (7 * 24 * 60)
#define POLICY_TIME_UNKNOWN     (-1)

struct policy_query {
	enum action_kind kind;
	enum action_op op;
	const struct policy_name *names;
	size_t n_names;
	struct bytes
		args; /* argument text for args_pattern: the command line, the path, host:port */
	struct bytes path; /* tool: resolved image; path: resolved object; network: path of a unix
			      socket, else .p NULL */
	const struct policy_address *address; /* network only */
	/* Names that stand for the address: learned from DNS, or given with an API action. */
	const struct bytes *domains;
	size_t n_domains;
	size_t n_aliases; /* so many of them, the last, were not asked for: what the others are
			     aliases of (CNAME) */
	uint16_t record;  /* a question's type of record; 0: unknown */
	bool is_inner;    /* the address is private, of this machine, or of its link: a name alone
			     does not open it */
	enum policy_look look;
	struct bytes http_method, http_path; /* POLICY_LOOK_REQUEST; path: .p NULL, unclear */
	/* Of a unix socket that is connected to; NULL: unknown. */
	const struct policy_listener *listener;
	const struct bytes *argv; /* tool only */
	size_t argc;
	bool is_argv_cut;    /* there are more arguments than @argv holds */
	struct bytes cwd;    /* .p NULL: unknown */
	struct bytes parent; /* image of the process that acts; of a tool action, of the one that
				starts it. .p NULL: unknown */
	struct bytes agent;  /* the session's; .p NULL: unknown */
	int minute_of_week;  /* or POLICY_TIME_UNKNOWN; 0 is Monday 00:00, so set it */
	double cost;         /* what the action itself says that it costs */
	double spent;        /* by the session until now */
	bool is_approved;    /* a person has approved this very action */
	const struct policy_api *api; /* NULL: a kernel action */
};

/* What the connections that a rule lets through may send. */
struct policy_sent {
	uint64_t max;       /* bytes; 0: no limit */
	bool is_per_domain; /* those to one name together; else all of them */
};

/* Where a verdict came from. Pointers are borrowed from the stack. */
struct policy_source {
	const char *policy; /* its name */
	const char *rule;   /* NULL: the policy's default */
	const char *reason; /* NULL: none given */
	const char *file;
	unsigned line;       /* of the rule; 0 for a default */
	const char *suggest; /* what to do instead; NULL: none given */
	const char *word;    /* the policy's own word for the verdict: "escalate", "deny" */
	const char *error;   /* not NULL: the dialect's original raises this instead of deciding */
	const struct policy_ask *ask; /* NULL: the session's settings hold */
	struct policy_sent sent;
	/* Of a question to the DNS: the rule, or the default, says `resolve` itself, so that its
	 * `ask` is about the question and not about the connection that it leads to. */
	bool is_on_question;
	enum policy_language language;
};

/* How a held action of one rule is asked about. */
struct policy_ask {
	uint64_t timeout_ns;          /* 0: the session's --ask-timeout */
	const char *const *approvers; /* user names, or "@group"; none: whoever may anyway */
	size_t n_approvers;
	unsigned count;     /* so many of them must approve; 0: one */
	bool has_max_scope; /* else any */
	bool has_max_term;  /* likewise */
	enum answer_scope max_scope;
	struct answer_term max_term;
};

/* Whether who answers a rule's question may give so much. @ask may be NULL. */
bool policy_ask_permits(const struct policy_ask *ask, enum answer_scope scope,
			const struct answer_term *term);

struct policy_result {
	enum verdict verdict;        /* to carry out: enforcing policies only */
	struct policy_source source; /* of the verdict */
	enum verdict advised;        /* all policies, as if each enforced */
	struct policy_source advised_source;
	double cost; /* to charge if it goes ahead: the action's own, or the largest that a deciding
			rule says */
};

/* ---- budgets */

/* Reaching a budget is decided by the engine, which counts; the policy only says how much. */
enum policy_limit_action {
	POLICY_LIMIT_DENY,
	POLICY_LIMIT_ASK,
	POLICY_LIMIT_STOP, /* deny, and end the session with status 124 */
};

struct policy_rate {
	uint32_t ops;     /* OP_BIT()s of what counts */
	uint64_t n;       /* so many ... */
	uint64_t per_ns;  /* ... in any window of this length */
	const char *word; /* "execs", "connects", "writes" */
};

#define POLICY_MAX_RATES         8
#define POLICY_ACCOUNT_MAX_BYTES 64 /* of an account's name, which becomes that of a file */

struct policy_budget {
	bool has_spend;
	double max_spend;
	double soft_limit; /* fraction of max_spend at which to flag, once; 0: none */
	/* 0: no limit */
	uint64_t max_execs;
	uint64_t max_connects;
	uint64_t max_bytes_written;
	uint64_t max_seconds;
	struct policy_rate rates[POLICY_MAX_RATES];
	size_t n_rates;
	unsigned loop_repeats; /* equal actions in the window that trip the loop guard; 0: none */
	uint64_t loop_window_ns;
	enum policy_limit_action on_limit;
	const char *account; /* spend is shared by sessions that name the same; NULL: this one's own
			      */
};

/* ---- questions to the DNS (`questions`) */

struct domain_pattern;

struct policy_questions {
	const uint16_t *records; /* types that may be asked for; none: any */
	size_t n_records;
	/* 0: no limit */
	uint64_t max_name, max_label; /* bytes */
	double max_entropy;           /* bits that each character of a label tells */
	uint64_t per_minute;
	const struct domain_pattern *except; /* names for which nothing but the rate counts */
	size_t n_except;
};

/* NULL: it limits none. */
const struct policy_questions *policy_get_questions(const struct policy *p);

/* Types of records (RFC 1035, 3597): "AAAA", "TYPE65280". */
#define POLICY_RECORD_SIZE 16
bool policy_record_parse(struct bytes word, uint16_t *ret);
/* Return: @out. */
const char *policy_record_format(uint16_t type, char out[static POLICY_RECORD_SIZE]);

/* ---- the loop breaker (`denials`) */

#define POLICY_DENIAL_REPEATS 5 /* where no policy says anything */

struct policy_denials {
	bool is_said;
	bool is_off;
	unsigned repeats; /* equal denials of one agent that begin to slow it down; 0: not said */
	bool stops;       /* at last the session ends */
};

/* What the enforcing policies of the stack come to: the strictest. @ret_repeats 0: no breaker. */
void policy_stack_denials(const struct policy_stack *s, unsigned *ret_repeats, bool *ret_stops);

/* NULL: it has none. */
const struct policy_budget *policy_get_budget(const struct policy *p);

/* ---- the log */

struct regex;

/* How often what was written is brought to the disk. */
enum policy_log_sync {
	POLICY_SYNC_UNSAID, /* the session's settings hold */
	POLICY_SYNC_NONE,   /* when the kernel likes to */
	POLICY_SYNC_SECOND, /* once a second */
	POLICY_SYNC_ALWAYS, /* each time that something was written */
	_POLICY_SYNC_MAX,
};

/* What a log that cannot be written does. */
enum policy_log_failure {
	POLICY_LOG_DENY, /* what cannot be recorded is denied */
	POLICY_LOG_STOP, /* and the session is ended with status 124 */
};

/* Parts of a record that a pattern is searched in; the reason and the note always are. */
enum policy_log_part {
	POLICY_LOG_ARGV,
	POLICY_LOG_OBJECT, /* object, object2, exe and interpreter, but of a network action */
	POLICY_LOG_ASKED,
	POLICY_LOG_CWD,
	POLICY_LOG_ADDRESS, /* object and asked of a network action */
	_POLICY_LOG_PART_MAX,
};

#define POLICY_LOG_PARTS_ALL  ((UINT32_C(1) << _POLICY_LOG_PART_MAX) - 1)
#define POLICY_MAX_REDACTIONS 64 /* of one policy */

struct policy_redaction {
	const char *name; /* replaces what matched, as [redacted:NAME] */
	const struct regex *regex;
	uint32_t in; /* bits of enum policy_log_part */
};

struct policy_log {
	const struct policy_redaction *redactions;
	size_t n_redactions;
	bool no_builtin; /* the built-in redactions are switched off */
	bool reads;
	bool accepts; /* connections that are accepted are counted */
	enum policy_log_sync sync;
	enum policy_log_failure on_failure;
};

/* NULL: it says nothing of it. */
const struct policy_log *policy_get_log(const struct policy *p);

/* ---- who a policy applies to (`applies_to`) */

struct policy_subject {
	const char *agent; /* the session's name */
	const char *const *tags;
	size_t n_tags;
	const char *tier; /* NULL: none */
};

/* Some rule or list is on the names of hosts, or on questions for them: the session's questions
 * have to be seen. */
bool policy_names_domains(const struct policy *p);
/*
 * Whether some enforcing rule decides on a connection of @q, one of whose names it has, by what its
 * first bytes say. Without regard to the order of rules: also one that comes too late wants it.
 */
bool policy_stack_wants_look(const struct policy_stack *s, const struct policy_query *q);
/*
 * Whether it may depend on who listens what becomes of a connection of @q to a unix socket, of
 * which nobody knows that yet (is_ahead): some enforcing rule has `listener` or `listener_user`,
 * and @q's path.
 */
bool policy_stack_wants_listener(const struct policy_stack *s, const struct policy_query *q);
/* Whether some enforcing rule has a max_bytes_sent. */
bool policy_stack_limits_sent(const struct policy_stack *s);
bool policy_applies_to(const struct policy *p, const struct policy_subject *who);

struct policy_scratch; /* match data of one thread */

/*
 * Compiles @policies (consumed, also on failure; at least one). @force_audit makes every policy
 * advise only. Return: 0, -EINVAL with @reterr_diag set, -ENOMEM.
 */
int policy_stack_new(struct policy **policies, size_t n, bool force_audit,
		     struct policy_stack **ret, struct diag *reterr_diag) _must_check_;
struct policy_stack *policy_stack_free(struct policy_stack *s);
size_t policy_stack_size(const struct policy_stack *s);
/* Borrowed; in the order given. */
const struct policy *policy_stack_get(const struct policy_stack *s, size_t i);

struct policy_scratch *policy_scratch_new(const struct policy_stack *s); /* NULL: out of memory */
struct policy_scratch *policy_scratch_free(struct policy_scratch *s);

/* Forgets what results borrowed: texts that were made for them. Once per action, before its first
 * evaluation; results of earlier ones are invalid from then on. */
void policy_scratch_reset(struct policy_scratch *s);

/*
 * Never fails: what cannot be decided (a regular expression that hits its limit, a subject over its
 * size) is deny with the reason "regex-limit" or "internal-error".
 */
void policy_stack_eval(const struct policy_stack *s, struct policy_scratch *scratch,
		       const struct policy_query *q, struct policy_result *ret);

/*
 * What @from becomes @to means for what is below: true and *ret when a native policy has a rule
 * that asks or denies there and that this would lead round, in either direction. @is_directory:
 * false where it was none when it was looked at; then only what a pattern names outright counts,
 * because a directory may have taken its place meanwhile.
 */
bool policy_stack_eval_move(const struct policy_stack *s, struct bytes from, struct bytes to,
			    bool is_directory, struct policy_result *ret);

/* One rule that matches a query, for `policy explain`. */
struct policy_match {
	size_t policy; /* its index in the stack */
	enum verdict verdict;
	struct policy_source source;
	bool is_deciding; /* the first that matches in its policy, or its default */
};

/* Tells of every rule that matches, policy by policy, in the order in which they are asked, each
 * policy's default last. Asks every rule in turn, without the index: slow, and what the index is
 * tested against. */
void policy_stack_each(const struct policy_stack *s, struct policy_scratch *scratch,
		       const struct policy_query *q,
		       void (*fn)(void *ctx, const struct policy_match *match), void *ctx);

/* The document as it was understood, as YAML-like lines. */
void policy_show(const struct policy *p, struct strbuf *out);

/* True when every policy of the stack grants the group (the strictest wins here too). Audit
 * policies are not asked for the verdict, only for the advice. */
bool policy_stack_grants(const struct policy_stack *s, enum grant g,
			 struct policy_source *ret_source);
bool policy_stack_advises_grant(const struct policy_stack *s, enum grant g,
				struct policy_source *ret_source);

/* The plan's questions. */
/* The capabilities (bits, as in policy/capability.h) that every enforcing policy of the stack lets
 * a session of root keep, by `keep_capabilities` or for the groups that it grants. */
uint64_t policy_stack_capabilities(const struct policy_stack *s);
/* The layers (LAYER_BIT()s) without which some enforcing policy lets no session start. */
uint32_t policy_stack_required_layers(const struct policy_stack *s);
/* The policy of place @i, NULL when it only advises. */
const struct policy *policy_stack_enforcing(const struct policy_stack *s, size_t i);
/*
 * Where the path operations @ops (OP_BIT()s) could be let through at all. Return: false,
 * everywhere; true, only below the directories that @fn is told: absolute, not NUL-terminated, some
 * of them perhaps more than once. @fn may be NULL.
 */
bool policy_stack_bound_paths(const struct policy_stack *s, uint32_t ops,
			      void (*fn)(void *ctx, struct bytes dir), void *ctx);
/* The same of the TCP ports for @op, OP_CONNECT or OP_BIND. */
bool policy_stack_bound_ports(const struct policy_stack *s, enum action_op op,
			      void (*fn)(void *ctx, uint16_t port), void *ctx);
/* OP_BIT()s of the operations on which some rule or default, advice included, says other than a
 * plain allow. */
uint32_t policy_stack_decided_ops(const struct policy_stack *s);
/*
 * False: whatever is done with one of @ops (OP_BIT()s), the verdict is allow or flag. True also
 * where a budget could be used up, and where a rule only flags. Of the built-in protection it knows
 * nothing.
 */
bool policy_stack_may_refuse(const struct policy_stack *s, uint32_t ops);
/* Some policy has `log_reads: true`: every read is to be recorded even if no rule speaks of reads.
 */
bool policy_stack_logs_reads(const struct policy_stack *s);
/* Some policy has `log: {accepts: true}`. */
bool policy_stack_counts_accepts(const struct policy_stack *s);
/*
 * The strictest of what the policies say of the log: built-in redactions unless all that speak of
 * the log switch them off. Without the redactions of each, which all hold.
 */
void policy_stack_log(const struct policy_stack *s, struct policy_log *ret);
/* Some rule on commands has an args_pattern or argv: the whole command line is needed, however
 * long. */
bool policy_stack_needs_args(const struct policy_stack *s);
/* Some rule that decides on more than tools has a cwd: it is needed for every action. */
bool policy_stack_needs_cwd(const struct policy_stack *s);
/* Some rule says who answers its questions. */
bool policy_names_approvers(const struct policy *p);
/* Some rule can ask. */
bool policy_stack_can_ask(const struct policy_stack *s);
/* True when all policies (or force_audit) only advise: nothing is refused. */
bool policy_stack_is_audit(const struct policy_stack *s);
