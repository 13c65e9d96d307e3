/* SPDX-License-Identifier: Apache-2.0 */
#include "base/escape.h"
#include "base/say.h"
#include "policy/fnmatch.h"

#include "cli/replay_result.h"

#define GROUP_MEM_MAX    ((size_t)64 << 20)
#define GROUP_STRING_MAX ((size_t)1024)
#define EXAMPLE_MAX      ((size_t)4096)

void replay_result_fini(struct replay_result *r)
{
	for (size_t i = 0; i < r->n_expects; i++)
		strbuf_fini(&r->expects[i].example);
	arena_fini(&r->mem);
	free(r->groups);
}

/* ---- expectations */

static const struct {
	const char *word;
	enum replay_expect_type type;
} expect_words[] = {
	{"same", REPLAY_EXPECT_SAME},
	{"no-deny", REPLAY_EXPECT_NO_DENY},
	{"no-ask", REPLAY_EXPECT_NO_ASK},
};

static bool parse_expect(const char *word, struct replay_expect *ret)
{
	const char *colon = strchr(word, ':');

	for (size_t i = 0; i < ARRAY_SIZE(expect_words); i++)
		if (streq(word, expect_words[i].word)) {
			ret->type = expect_words[i].type;
			return true;
		}
	if (!colon || !colon[1])
		return false;
	ret->type = REPLAY_EXPECT_VERDICT;
	ret->pattern = bytes_of(colon + 1);
	return verdict_parse((struct bytes){word, (size_t)(colon - word)}, &ret->verdict) == 0;
}

int replay_result_expect(struct replay_result *r, const char *word)
{
	struct replay_expect *e = &r->expects[r->n_expects];

	if (r->n_expects == REPLAY_MAX_EXPECTS) {
		say("replay: --expect '%s': at most %d", word, REPLAY_MAX_EXPECTS);
		return -EINVAL;
	}
	*e = (struct replay_expect){.word = word, .example = STRBUF_INIT(EXAMPLE_MAX)};
	if (!parse_expect(word, e)) {
		say("replay: --expect '%s': expected same, no-deny, no-ask, or a verdict and a pattern as in "
		    "\"deny:git push --force*\"",
		    word);
		return -EINVAL;
	}
	r->n_expects++;
	return 0;
}

bool replay_expect_holds(const struct replay_expect *e)
{
	return e->n_failed == 0 && (e->type != REPLAY_EXPECT_VERDICT || e->n_matched > 0);
}

static struct bytes text_of(const struct action *a)
{
	return a->n_steps ? a->steps[0].args : a->object;
}

/* Does @e speak of this action, and if so, is it as expected? */
static bool speaks(const struct replay_expect *e, const struct replay_answer *a)
{
	switch (e->type) {
	case REPLAY_EXPECT_SAME:
		return true;
	case REPLAY_EXPECT_NO_DENY:
		return a->done < VERDICT_ASK;
	case REPLAY_EXPECT_NO_ASK:
		return a->done < VERDICT_ASK && a->old != VERDICT_ASK;
	case REPLAY_EXPECT_VERDICT:
		break;
	}
	return pyfnmatch(e->pattern, text_of(a->action));
}

static bool is_met(const struct replay_expect *e, enum verdict old, enum verdict new)
{
	switch (e->type) {
	case REPLAY_EXPECT_SAME:
		return new == old;
	case REPLAY_EXPECT_NO_DENY:
		return new != VERDICT_DENY;
	case REPLAY_EXPECT_NO_ASK:
		return new != VERDICT_ASK;
	case REPLAY_EXPECT_VERDICT:
		break;
	}
	return new == e->verdict;
}

static void check_expects(struct replay_result *r, const struct replay_answer *a, enum verdict old,
			  enum verdict new)
{
	for (size_t i = 0; i < r->n_expects; i++) {
		struct replay_expect *e = &r->expects[i];

		if (!speaks(e, a))
			continue;
		e->n_matched++;
		if (is_met(e, old, new))
			continue;
		if (e->n_failed++ == 0) {
			strbuf_add_fmt(&e->example, "%s (%s) ", verdict_name(new),
				       op_name(a->action->op));
			escape_terminal_max(&e->example, text_of(a->action), 200);
		}
	}
}

/* ---- groups */

static uint64_t hash_add(uint64_t hash, struct bytes s)
{
	for (size_t i = 0; i < s.len; i++)
		hash = (hash ^ (unsigned char)s.p[i]) * UINT64_C(0x100000001b3);
	return (hash ^ s.len) * UINT64_C(0x100000001b3);
}

static struct bytes cut(struct bytes s)
{
	return (struct bytes){.p = s.p, .len = MIN(s.len, GROUP_STRING_MAX)};
}

static size_t group_hash(const struct replay_group *g)
{
	uint64_t hash = hash_add(UINT64_C(0xcbf29ce484222325), g->object);

	hash = hash_add(hash, g->rule);
	hash = hash_add(hash, g->old_rule);
	hash ^= (uint64_t)g->op << 8 ^ (uint64_t)g->old << 4 ^ (uint64_t)g->new;
	return (size_t)((hash ^ hash >> 32) % REPLAY_MAX_GROUPS);
}

static bool is_same_group(const struct replay_group *a, const struct replay_group *b)
{
	return a->kind == b->kind && a->op == b->op && a->old == b->old &&
	       a->new == b->new &&bytes_eq(a->object, b->object) && bytes_eq(a->rule, b->rule) &&
	       bytes_eq(a->policy, b->policy) && bytes_eq(a->old_rule, b->old_rule) &&
	       bytes_eq(a->old_policy, b->old_policy);
}

/* The strings of @g become the result's own. */
static int keep(struct replay_result *r, struct replay_group *g)
{
	struct bytes *strings[] = {&g->object, &g->text, &g->old_policy, &g->old_rule,
				   &g->policy, &g->rule, &g->reason,     &g->session};

	for (size_t i = 0; i < ARRAY_SIZE(strings); i++) {
		if (!strings[i]->p)
			continue;
		*strings[i] = arena_copy(&r->mem, strings[i]->p, strings[i]->len);
		if (!strings[i]->p)
			return -ENOMEM;
	}
	return 0;
}

static int add_group(struct replay_result *r, const struct replay_answer *a, enum verdict old,
		     enum verdict new)
{
	const struct policy_source *s = &a->decision.source;
	struct replay_group g = {
		.kind = a->action->kind,
		.op = a->action->op,
		.old = old,
		.new = new,
		.object = cut(a->action->object),
		.text = cut(text_of(a->action)),
		.old_policy = cut(a->old_policy),
		.old_rule = cut(a->old_rule),
		.policy = cut(bytes_of(s->policy)),
		.rule = cut(bytes_of(s->rule)),
		.reason = cut(bytes_of(s->reason)),
		.session = a->session,
		.count = 1,
		.first_ns = a->time_ns,
		.first_seq = a->seq,
	};
	size_t slot = group_hash(&g);
	int rc;

	for (size_t i = r->heads[slot]; i; i = r->groups[i - 1].next)
		if (is_same_group(&r->groups[i - 1], &g)) {
			r->groups[i - 1].count++;
			return 0;
		}
	if (r->n_groups == REPLAY_MAX_GROUPS) {
		r->n_unlisted++;
		return 0;
	}
	if (!r->groups) {
		r->mem = ARENA_INIT(GROUP_MEM_MAX);
		r->groups = calloc(REPLAY_MAX_GROUPS, sizeof(*r->groups));
	}
	if (!r->groups)
		return -ENOMEM;
	rc = keep(r, &g);
	if (rc < 0)
		return rc;
	g.next = r->heads[slot];
	r->groups[r->n_groups] = g;
	r->heads[slot] = ++r->n_groups;
	return 0;
}

static bool is_other_rule(const struct replay_answer *a)
{
	return !a->is_builtin && (!bytes_eq(a->old_policy, bytes_of(a->decision.source.policy)) ||
				  !bytes_eq(a->old_rule, bytes_of(a->decision.source.rule)));
}

int replay_result_add(struct replay_result *r, const struct replay_answer *a)
{
	enum verdict old = r->is_advice ? a->old_advice : a->old;
	enum verdict new = r->is_advice ? a->decision.would_have : a->decision.verdict;

	r->n_actions++;
	r->n_sessions += a->is_new_session;
	r->n_without_reads += a->is_new_session && a->has_no_reads;
	r->n_builtin += a->is_builtin;
	r->n_cut += a->is_cut;
	r->n_redacted += a->is_redacted;
	r->n_lost_steps += a->has_lost_steps;
	r->n_lacking_cwd += a->lacks_cwd;
	r->n_stops += a->decision.is_stop;
	r->pairs[old][new]++;
	check_expects(r, a, old, new);
	if (old == new) {
		r->n_same++;
		r->n_other_rule += is_other_rule(a);
		return 0;
	}
	if (new > old)
		r->n_stricter++;
	else
		r->n_looser++;
	return add_group(r, a, old, new);
}

static int compare_groups(const void *x, const void *y)
{
	const struct replay_group *a = x, *b = y;

	if (a->count != b->count)
		return a->count < b->count ? 1 : -1;
	if (a->first_ns != b->first_ns)
		return a->first_ns > b->first_ns ? 1 : -1;
	return a->first_seq > b->first_seq ? 1 : -1;
}

void replay_result_sort(struct replay_result *r)
{
	if (r->n_groups)
		qsort(r->groups, r->n_groups, sizeof(*r->groups), compare_groups);
	/* The chains are of no use any more. */
	memset(r->heads, 0, sizeof(r->heads));
}
