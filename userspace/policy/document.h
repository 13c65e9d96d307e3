/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A parsed document, as policy_parse() makes it and the compiler reads it. Inside policy/ only.
 */
#pragma once

#include "base/arena.h"

#include "policy/address.h"
#include "policy/domain.h"
#include "policy/glob.h"
#include "policy/node.h"
#include "policy/policy.h"
#include "policy/regex.h"
#include "policy/schema.h"
#include "policy/week.h"

#define RULE_DEFAULT_PRIORITY 100

enum tool_pattern_type {
	TOOL_EXACT, /* a name */
	TOOL_GLOB,  /* on names */
	TOOL_REGEX, /* on names */
	TOOL_IMAGE, /* a path glob on the resolved image; commands only */
};

struct tool_pattern {
	enum tool_pattern_type type;
	struct bytes name;        /* TOOL_EXACT */
	const struct glob *globs; /* TOOL_GLOB, TOOL_IMAGE: a list of alternatives */
	const struct regex *regex;
};

/* One place of `argv`: any of the patterns. After the first place TOOL_IMAGE is a path glob on the
 * argument's text. */
struct argv_element {
	const struct tool_pattern *any;
	size_t n;
};

/* How sure it has to be which host a connection means. */
enum match_verify {
	VERIFY_NONE,      /* the names that were resolved to its address */
	VERIFY_SNI,       /* what its first bytes ask for: TLS or HTTP */
	VERIFY_OUTER_SNI, /* likewise, also where another name may be encrypted */
};

/* What `match` or one map of `unless` says. Absent keys have no elements; ops and protocols are
 * then all set. */
struct matcher {
	bool has_ops;
	bool has_resolve; /* `op` says so itself */
	bool has_protocols;
	uint32_t ops;       /* OP_BIT()s that it can match, after all of its keys */
	uint32_t protocols; /* bits of enum policy_protocol */
	const struct tool_pattern *tools;
	size_t n_tools;
	const struct regex *const *args;
	size_t n_args;
	const struct glob *paths; /* a list */
	const struct address_range *addresses;
	size_t n_addresses;
	const struct port_range *ports;
	size_t n_ports;
	const struct argv_element *argv;
	size_t n_argv;
	const struct domain_pattern *domains;
	size_t n_domains;
	const struct glob *agents; /* a list */
	const struct glob *cwds;   /* a list */
	const struct tool_pattern *parents;
	size_t n_parents;
	const struct week_range *times;
	size_t n_times;
	enum match_verify verify;
	const struct bytes *methods; /* of HTTP */
	size_t n_methods;
	const struct glob *http_paths; /* a list */
	const struct tool_pattern *listeners;
	size_t n_listeners;
	const int64_t *listener_users; /* user IDs, or LISTENER_SELF */
	size_t n_listener_users;
};

#define LISTENER_SELF (-1) /* the session's own user */

/* Speaks of who listens on a unix socket. */
static inline bool matcher_is_on_listener(const struct matcher *m)
{
	return m->n_listeners || m->n_listener_users;
}

struct rule {
	const char *name;
	const char *reason;           /* NULL: none given */
	const char *suggest;          /* what to do instead; NULL: none given */
	const struct policy_ask *ask; /* NULL: the session's settings hold */
	struct policy_sent sent;
	double cost; /* to charge when it decides; 0: nothing */
	enum verdict action;
	int64_t priority;
	const char *file; /* in which it stands: the policy's, a fragment's or a base's */
	unsigned line, column;
	unsigned name_line, name_column;
	unsigned layer;          /* 0: the document's own and its fragments'; 1: those of what it
				    extends; and so on */
	bool looks;              /* decides by what a connection's first bytes say */
	bool meets;              /* decides by who listens */
	bool is_replaced;        /* by a rule of the same name in a lower layer: dropped */
	const char *match_text;  /* `match` as YAML, its variables replaced */
	const char *unless_text; /* likewise; NULL: none */
	const struct example *examples; /* only while the document is read */
	struct matcher match;
	/* The rule does not apply when one of these matches. */
	const struct matcher *unless;
	size_t n_unless;
};

/* Globs and words, one of which must fit; none: any. */
struct applies_to {
	const struct glob *agents;
	const char *const *agent_texts; /* as written, for policy_show() */
	size_t n_agents;
	const char *const *tags;
	size_t n_tags;
	const char *const *tiers;
	size_t n_tiers;
};

struct owned_regex {
	struct regex *regex;
	struct owned_regex *next;
};

struct policy {
	enum policy_language language;
	const struct dialect
		*dialect; /* NULL: native; else only @doc, @file, @name and @mode count */
	void *doc;
	const struct policy_budget *budget; /* NULL: none */
	struct policy_denials denials;
	const struct policy_questions *questions; /* NULL: no limits */
	const struct applies_to *applies_to;      /* NULL: to everybody */
	struct arena mem;                         /* holds everything but the regexes' own memory */
	struct owned_regex *regexes;
	const char *file;
	const char *name;
	const char *description; /* NULL: none given */
	enum policy_mode mode;
	bool logs_reads;
	bool has_looks;               /* some rule decides by what a connection's first bytes say */
	bool has_meets;               /* some rule decides by who listens on a unix socket */
	bool limits_sent;             /* some rule has a max_bytes_sent */
	const struct policy_log *log; /* NULL: it says nothing of it */
	uint32_t grants;              /* bits of enum grant */
	uint32_t required_layers;     /* LAYER_BIT()s */
	uint64_t kept_capabilities;   /* bits, as in policy/capability.h */
	enum verdict defaults[_OP_MAX]; /* network operations: not on unix sockets */
	bool has_resolve_default;       /* `default` says it itself */
	enum verdict unix_default;      /* network operations on unix sockets */
	struct rule *rules;
	size_t n_rules;
};

/* An empty one, which opens nothing. NULL: out of memory. */
struct policy *policy_new(void);
/* Reads a native document. Return: 0; -EINVAL with @reterr_diag set; -ENOMEM. */
int document_parse(const struct policy_load *load, struct policy **ret,
		   struct diag *reterr_diag) _must_check_;

/* questions.c: the value of `questions`; @policy is a struct policy. */
int questions_parse(const struct loader *l, const struct node *n, void *policy) _must_check_;
void questions_show(const struct policy_questions *q, struct strbuf *out);
int denials_parse(const struct loader *l, const struct node *n, void *target) _must_check_;

struct source;

/* rule.c: the rules of all files, into l->policy. @mem holds what lives while they are read. */
int rules_parse(const struct loader *l, const struct source *first, struct arena *mem) _must_check_;
/* Only that `rules` is a list that is not empty. */
int rules_check(const struct loader *l, const struct node *n, void *unused) _must_check_;
/* budget.c, applies.c: the values of `budget` and `applies_to`; @policy is a struct policy. */
int budget_parse(const struct loader *l, const struct node *n, void *policy) _must_check_;
int applies_parse(const struct loader *l, const struct node *n, void *policy) _must_check_;
/* log_policy.c: the value of `log`; @policy is a struct policy. */
int log_parse(const struct loader *l, const struct node *n, void *policy) _must_check_;
void log_show(const struct policy_log *log, struct strbuf *out);
/* match.c: the values of `match` and `unless`. @rule is a struct rule. */
int match_parse(const struct loader *l, const struct node *n, void *rule) _must_check_;
int match_unless_parse(const struct loader *l, const struct node *n, void *rule) _must_check_;

/* match_what.c, match_where.c: single keys; @matcher is a struct matcher. */
int match_parse_tools(const struct loader *l, const struct node *n, void *matcher) _must_check_;
int match_parse_args(const struct loader *l, const struct node *n, void *matcher) _must_check_;
int match_parse_argv(const struct loader *l, const struct node *n, void *matcher) _must_check_;
int match_parse_parents(const struct loader *l, const struct node *n, void *matcher) _must_check_;
int match_parse_paths(const struct loader *l, const struct node *n, void *matcher) _must_check_;
int match_parse_cwds(const struct loader *l, const struct node *n, void *matcher) _must_check_;
int match_parse_agents(const struct loader *l, const struct node *n, void *matcher) _must_check_;
int match_parse_ops(const struct loader *l, const struct node *n, void *matcher) _must_check_;
int match_parse_address(const struct loader *l, const struct node *n, void *matcher) _must_check_;
int match_parse_cidr(const struct loader *l, const struct node *n, void *matcher) _must_check_;
int match_parse_ports(const struct loader *l, const struct node *n, void *matcher) _must_check_;
int match_parse_protocols(const struct loader *l, const struct node *n, void *matcher) _must_check_;
int match_parse_domains(const struct loader *l, const struct node *n, void *matcher) _must_check_;
int match_parse_verify(const struct loader *l, const struct node *n, void *matcher) _must_check_;
int match_parse_methods(const struct loader *l, const struct node *n, void *matcher) _must_check_;
int match_parse_http_paths(const struct loader *l, const struct node *n,
			   void *matcher) _must_check_;
/* listener.c */
int match_parse_listeners(const struct loader *l, const struct node *n, void *matcher) _must_check_;
int match_parse_listener_users(const struct loader *l, const struct node *n,
			       void *matcher) _must_check_;
int match_parse_times(const struct loader *l, const struct node *n, void *matcher) _must_check_;
/* A list of names and paths of programs. */
int match_parse_programs(const struct loader *l, const struct node *n, const char *key,
			 const struct tool_pattern **ret, size_t *ret_n) _must_check_;
/* Compiles @pattern and keeps it. */
int match_regex(const struct loader *l, const struct node *n, const char *key, struct bytes pattern,
		const struct regex **ret) _must_check_;
/* Room for @n values of @size bytes, cleared; NULL: out of memory. */
void *match_alloc(const struct loader *l, size_t n, size_t size);
