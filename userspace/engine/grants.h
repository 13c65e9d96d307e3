/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Grants: answers of people that hold beyond the action they were given to. A layer of their own
 * below the policies: they are asked only where the policies say `ask`, and turn that into an allow
 * or a deny; what a policy denies stays denied. (Not the `grant` of a policy, which lets groups of
 * refused system calls through: enum grant in policy/vocab.h.)
 *
 * A set is immutable. Receivers look at the session's current one; who keeps the lists puts another
 * in its place (grants_swap()). Nothing is allocated while looking.
 */
#pragma once

#include <stdatomic.h>

#include "action/action.h"
#include "base/sha256.h"
#include "base/strbuf.h"
#include "policy/policy.h"

#define GRANT_ID_SIZE      9   /* as HELD_ID_SIZE; the two are not mixed up, "grant:" says which */
#define GRANTS_MAX         512 /* in one set; over this none is made: -ENOSPC */
#define GRANT_OBJECTS_MAX  ACTION_MAX_STEPS
#define GRANT_NAMES_MAX    4            /* of an address; by others than these no grant covers it */
#define GRANT_APPROVER_MAX ((size_t)40) /* "grant:abcd2345, denied" and the like */
#define GRANT_REASON_MAX   ((size_t)512)

struct grant_object {
	enum action_kind kind;
	enum action_op op;
	enum policy_protocol protocol; /* network only */
	struct bytes text;             /* resolved path, image, "address:port" */
	bool is_asked; /* of a subject: the policies ask about it; the others they allow */
};

/*
 * What an action is to a grant: all that one may look at. Not redacted: it stays in the
 * supervisor's memory, and what is kept of it is a digest, a program, a directory or an address.
 */
struct grant_subject {
	enum action_kind kind;
	enum action_op op;
	struct grant_object objects[GRANT_OBJECTS_MAX];
	size_t n_objects;
	/* Network: what the session asked for and was led to this address by; a question's own. */
	struct bytes names[GRANT_NAMES_MAX];
	size_t n_names;
	struct bytes cwd;                /* tool only; .p NULL: unknown */
	unsigned char key[SHA256_BYTES]; /* of the action to its last byte, but without who acts
					    when: two that are equal are the same action */
	uint64_t terms; /* a digest of the rule that asks and of who may answer it */
	/* Only a grant that was made at a question of this very rule covers it: the rule names who
	 * may answer, or it is a budget. */
	bool is_bound;
	bool is_cut; /* there are more arguments than could be looked at: once is all there is */
	const struct policy_ask *ask; /* of the stack; NULL: the rule says nothing */
};

struct grant_rule {
	char id[GRANT_ID_SIZE];
	bool is_deny;
	enum answer_scope scope;
	struct answer_term term;
	uint64_t expires_ns; /* CLOCK_BOOTTIME; ANSWER_DURATION only */
	enum action_kind kind;
	uint32_t ops;                    /* OP_BIT()s: dir, address, domain */
	unsigned char key[SHA256_BYTES]; /* exact */
	uint64_t terms;
	/* tool: the images; dir: the directory, then the images of a tool; address: one; domain:
	 * the name, then the address that it was granted for, which says the port. */
	struct grant_object objects[GRANT_OBJECTS_MAX + 1];
	size_t n_objects;
	/* For people and the file; .p may be NULL. */
	struct bytes agent;  /* whose agent: a set has only those of its own */
	struct bytes by;     /* who answered: "alice (pid 12 on /dev/pts/3)" */
	struct bytes reason; /* of a deny */
	struct bytes rule;   /* that asked */
	struct bytes shown;  /* exact: the action in a line, redacted, at most some hundred bytes */
	uint64_t made_ns;    /* CLOCK_REALTIME */
	char boot[37];       /* of the machine when it was made: kernel.random.boot_id */
};

/* Of @a, about whose steps @asked (bits; 0: all of them) @source asks. Borrows @a's strings. */
void grant_subject_of(const struct action *a, const struct policy_source *source, uint32_t asked,
		      struct grant_subject *ret);

/*
 * What an answer of this scope to @s would cover: everything but id, term and what is for people.
 * Borrows @s's strings. Return: 0; -ENOTSUP: such a scope does not fit the action.
 */
int grant_rule_from(const struct grant_subject *s, enum answer_scope scope, struct grant_rule *ret);
/* In words, clean ASCII: "/usr/bin/git with any arguments". One function for the question, the list
 * and the log, so that what is shown is what is granted. */
void grant_rule_describe(const struct grant_rule *g, struct strbuf *out);
/* Does @g, which has not expired, cover @s, whose rule may bound what it could be granted? */
bool grant_rule_covers(const struct grant_rule *g, const struct grant_subject *s);

struct grant_set;

/* Copies @rules. Return: 0, -ENOMEM, -ENOSPC. */
int grant_set_new(const struct grant_rule *const *rules, size_t n,
		  struct grant_set **ret) _must_check_;
void grant_set_unref(struct grant_set *s); /* NULL-safe */

/* What a session's threads share. */
struct grants;

int grants_new(struct grants **ret) _must_check_;
struct grants *grants_free(struct grants *g); /* NULL-safe; no thread uses it any more */
/* Puts @set (consumed) in the place of what there was. Uses of rules of the same id go on being
 * counted. One thread at a time. */
void grants_swap(struct grants *g, struct grant_set *set);
/* Before any thread looks: @fn sees to it that the set is what holds now. Called in any thread. */
void grants_on_refresh(struct grants *g, void (*fn)(void *arg), void *arg);
/* Before a decision on an action is looked for. @g may be NULL. */
void grants_refresh(struct grants *g);

struct grant_answer {
	bool is_deny;
	char approver[GRANT_APPROVER_MAX]; /* "grant:abcd2345" */
	char reason[GRANT_REASON_MAX];     /* of a deny; "" none */
};

/*
 * Whether some grant covers @s at @now_ns (CLOCK_BOOTTIME: it goes on while the machine sleeps, and
 * nobody can set it); a deny goes before an allow. @count: it is used. @g may be NULL: none.
 */
bool grants_find(struct grants *g, const struct grant_subject *s, uint64_t now_ns, bool count,
		 struct grant_answer *ret);
/* How often the rule was used in this session. */
uint64_t grants_used(struct grants *g, const char *id);
