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

#include <netinet/in.h>

#include "base/diag.h"
#include "policy/vocab.h"

/* Limits; past one the document is refused. */
#define POLICY_MAX_BYTES ((size_t)16 * 1024 * 1024)
#define POLICY_MAX_DEPTH 32
#define POLICY_MAX_RULES 100000
#define POLICY_MAX_STACK 16
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

/*
 * Reads one document. @file names it in diagnostics. @text need not be NUL-terminated.
 * Return: 0; -EINVAL with @reterr_diag set (position, what was expected, what to write); -ENOMEM.
 */
int policy_parse(const char *file, struct bytes text, const struct policy_vars *vars,
		 struct policy **ret, struct diag *reterr_diag) _must_check_;
struct policy *policy_free(struct policy *p);
const char *policy_name(const struct policy *p);
const char *policy_file(const struct policy *p);
enum policy_mode policy_get_mode(const struct policy *p);
size_t policy_rule_count(const struct policy *p);

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
	bool has_ip;    /* false: unix socket or another family; rules with address, cidr or port do
			   not match */
	bool is_v4;     /* also for IPv4-mapped IPv6, already normalised by the caller */
	uint8_t ip[16]; /* network order; the first 4 bytes if is_v4 */
	uint16_t port;  /* host order */
};

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
};

/* Where a verdict came from. Pointers are borrowed from the stack. */
struct policy_source {
	const char *policy; /* its name */
	const char *rule;   /* NULL: the policy's default */
	const char *reason; /* NULL: none given */
	const char *file;
	unsigned line; /* of the rule; 0 for a default */
};

struct policy_result {
	enum verdict verdict;        /* to carry out: enforcing policies only */
	struct policy_source source; /* of the verdict */
	enum verdict advised;        /* all policies, as if each enforced */
	struct policy_source advised_source;
};

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

/*
 * Never fails: what cannot be decided (a regular expression that hits its limit, a subject over its
 * size) is deny with the reason "regex-limit" or "internal-error".
 */
void policy_stack_eval(const struct policy_stack *s, struct policy_scratch *scratch,
		       const struct policy_query *q, struct policy_result *ret);

/* True when every policy of the stack grants the group (the strictest wins here too). Audit
 * policies are not asked for the verdict, only for the advice. */
bool policy_stack_grants(const struct policy_stack *s, enum grant g,
			 struct policy_source *ret_source);
bool policy_stack_advises_grant(const struct policy_stack *s, enum grant g,
				struct policy_source *ret_source);

/* The plan's questions. */
/* OP_BIT()s of the operations on which some rule or default, advice included, says other than a
 * plain allow. */
uint32_t policy_stack_decided_ops(const struct policy_stack *s);
/* Some policy has `log_reads: true`: every read is to be recorded even if no rule speaks of reads.
 */
bool policy_stack_logs_reads(const struct policy_stack *s);
/* Some tool rule has an args_pattern: the whole command line is needed, however long. */
bool policy_stack_needs_args(const struct policy_stack *s);
/* Some rule can ask. */
bool policy_stack_can_ask(const struct policy_stack *s);
/* True when all policies (or force_audit) only advise: nothing is refused. */
bool policy_stack_is_audit(const struct policy_stack *s);
