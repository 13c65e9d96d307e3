/* SPDX-License-Identifier: Apache-2.0 */
/* The globs of a stack's rules, what they come to in combination, and why not. */
#include <stdlib.h>

#include "policy/dialect.h"
#include "policy/index.h"
#include "policy/pathmap_private.h"

#define MEM_MAX   ((size_t)256 << 20)
#define KINDS_MAX 1024
#define KEPT      UINT32_MAX /* no policy has this number */

_Static_assert(OP_TIMES - OP_READ + 1 == PATHMAP_OPS, "it has them all");

/* ---- obstacles */

static const char *find_obstacle(const struct matcher *m)
{
	const struct {
		bool is_there;
		const char *why;
	} obstacles[] = {
		{m->n_args, "a rule searches the text of paths (args_pattern)"},
		{m->cwds, "a rule on files has `cwd`"},
		{m->n_parents, "a rule on files has `parent`"},
		{m->n_times, "a rule on files has `time`"},
		{m->n_tools, "a rule on files has `tool`"},
		{m->agents, "a rule on files has `agent`"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(obstacles); i++)
		if (obstacles[i].is_there)
			return obstacles[i].why;
	return NULL;
}

static void forbid(struct pathmap *m, uint32_t ops, const char *why)
{
	for (unsigned i = 0; why && i < PATHMAP_OPS; i++)
		if (ops & m->ops & OP_BIT(PATHMAP_FIRST_OP + i)) {
			m->ops &= ~OP_BIT(PATHMAP_FIRST_OP + i);
			m->why_not[i] = why;
		}
}

/* @p: NULL where it only advises. */
static void find_obstacles(struct pathmap *m, const struct policy *p)
{
	if (!p)
		return;
	if (p->dialect) {
		forbid(m, p->dialect->decided_ops(p->doc),
		       "a policy of another language decides on files");
		return;
	}
	for (size_t i = 0; i < p->n_rules; i++) {
		const struct rule *rule = &p->rules[i];

		forbid(m, rule->match.ops, find_obstacle(&rule->match));
		for (size_t k = 0; k < rule->n_unless; k++)
			forbid(m, rule->match.ops & rule->unless[k].ops,
			       find_obstacle(&rule->unless[k]));
	}
}

/* ---- the globs */

/* Whether something may be between what it names. */
static bool has_gap(const struct glob *g, size_t from)
{
	for (size_t i = from; i < g->n_tokens; i++)
		if (g->tokens[i].type == GLOB_DIRS || g->tokens[i].type == GLOB_DOUBLE_STAR)
			return true;
	return false;
}

static enum pathmap_part part_of(const struct glob *g)
{
	const bool floats = g->prefix.len == 1 && g->n_tokens && g->tokens[0].type == GLOB_DIRS;
	const bool ends_in_tree = g->n_tokens && g->tokens[g->n_tokens - 1].type == GLOB_TREE;

	if (floats)
		return has_gap(g, 1) || ends_in_tree ? PATHMAP_FLOATING_GAPS : PATHMAP_FLOATING;
	return has_gap(g, 0) ? PATHMAP_ANCHORED_GAPS : PATHMAP_ANCHORED;
}

/* To the list that comes next. */
static void add_glob(struct pathmap_building *b, const struct glob *g)
{
	b->alternatives[b->n_alternatives++] = (struct alternative){.glob = g,
								    .list = (uint32_t)b->n_lists,
								    .first = (uint32_t)b->n_places,
								    .part = part_of(g)};
	b->n_places += pathmap_places(g);
}

static void add_list(struct pathmap_building *b, const struct matcher *m, struct list list)
{
	for (const struct glob *g = m->paths; g; g = g->next)
		add_glob(b, g);
	b->lists[b->n_lists++] = list;
}

static size_t count_globs(const struct matcher *m)
{
	size_t n = 0;

	for (const struct glob *g = m->paths; g; g = g->next)
		n++;
	return n;
}

static void collect_rule(struct pathmap_building *b, const struct rule *rule, uint32_t policy,
			 uint32_t rank)
{
	struct list list = {.policy = policy, .rank = rank, .ops = rule->match.ops};

	list.decides = rule->n_unless == 0;
	add_list(b, &rule->match, list);
	list.decides = false;
	for (size_t i = 0; i < rule->n_unless; i++)
		add_list(b, &rule->unless[i], list);
}

/* What only advises is asked when a record is made. */
static int collect_policy(struct pathmap_building *b, const struct policy *p, uint32_t number)
{
	_cleanup_(freep) const struct rule **rules = calloc(p->n_rules + 1, sizeof(struct rule *));
	struct ranked *ranked = calloc(p->n_rules + 1, sizeof(*ranked));
	size_t n = 0;

	b->judges[b->n_judges].rules = ranked;
	b->judges[b->n_judges].otherwise = p->defaults;
	if (!rules || !ranked)
		return -ENOMEM;
	for (size_t i = 0; i < p->n_rules; i++)
		rules[i] = &p->rules[i];
	qsort(rules, p->n_rules, sizeof(*rules), index_compare_rules);
	for (size_t i = 0; i < p->n_rules; i++) {
		if (!(rules[i]->match.ops & OPS_PATH))
			continue;
		ranked[n++] = (struct ranked){rules[i], (uint32_t)b->n_lists};
		collect_rule(b, rules[i], number, (uint32_t)i);
	}
	b->judges[b->n_judges++].n = n;
	return 0;
}

/* A tree of which the path says nothing but its letters. */
static int collect_kept(struct pathmap_building *b, const struct pathmap_kept *kept)
{
	static const struct glob_token tree = {.type = GLOB_TREE};
	const struct list list = {.policy = KEPT, .ops = OPS_PATH, .decides = true};

	for (size_t i = 0; i < kept->n; i++) {
		struct glob *g = arena_alloc(&b->mem, sizeof(*g));

		if (!g)
			return -ENOMEM;
		*g = (struct glob){
			.prefix = bytes_of(kept->paths[i]), .tokens = &tree, .n_tokens = 1};
		add_glob(b, g);
	}
	b->lists[b->n_lists++] = list;
	return 0;
}

static int reserve(struct pathmap_building *b, const struct policy_stack *s, size_t n_kept)
{
	size_t n_globs = n_kept, n_lists = 1;

	for (size_t i = 0; i < policy_stack_size(s); i++) {
		const struct policy *p = policy_stack_get(s, i);

		for (size_t k = 0; k < p->n_rules; k++) {
			n_globs += count_globs(&p->rules[k].match);
			n_lists += 1 + p->rules[k].n_unless;
			for (size_t n = 0; n < p->rules[k].n_unless; n++)
				n_globs += count_globs(&p->rules[k].unless[n]);
		}
	}
	b->alternatives = calloc(n_globs + 1, sizeof(*b->alternatives));
	b->lists = calloc(n_lists + 1, sizeof(*b->lists));
	return b->alternatives && b->lists ? 0 : -ENOMEM;
}

static int collect(struct pathmap_building *b, const struct policy_stack *s,
		   const struct pathmap_kept *kept)
{
	int r = reserve(b, s, kept->n);

	for (size_t i = 0; r == 0 && i < policy_stack_size(s); i++) {
		const struct policy *p = policy_stack_enforcing(s, i);

		if (p && !p->dialect)
			r = collect_policy(b, p, (uint32_t)i);
	}
	if (r == 0)
		r = collect_kept(b, kept);
	b->owner = r == 0 ? calloc(b->n_places + 1, sizeof(*b->owner)) : NULL;
	if (!b->owner)
		return -ENOMEM;
	for (size_t i = 0; i < b->n_alternatives; i++)
		for (size_t k = 0; k < pathmap_places(b->alternatives[i].glob); k++)
			b->owner[b->alternatives[i].first + k] = (uint32_t)i;
	return 0;
}

/* ---- kinds */

struct kind {
	const uint32_t *lists; /* that match; sorted */
	uint32_t n;
};

struct kinds {
	struct kind of[_PATHMAP_PART_MAX][KINDS_MAX];
};

static bool is_accepted(const struct pathmap_building *b, uint32_t place)
{
	const struct alternative *a = &b->alternatives[b->owner[place]];
	const struct glob *g = a->glob;
	const size_t i = place - a->first, end = g->prefix.len + g->n_tokens;

	/* A tree's own directory belongs to it. */
	return i >= end || (i >= g->prefix.len && g->tokens[i - g->prefix.len].type == GLOB_TREE);
}

/* Leaves the lists of which a path that ends in state @i is, in b->set: sorted, for the places of
 * one list stand together. */
static void list_accepted(struct pathmap_building *b, size_t i)
{
	const struct state *s = &b->states[i];

	b->n_set = 0;
	for (size_t k = 0; k < s->n; k++) {
		uint32_t list = b->alternatives[b->owner[s->places[k]]].list;

		if (is_accepted(b, s->places[k]) && (!b->n_set || b->set[b->n_set - 1] != list))
			b->set[b->n_set++] = list;
	}
}

/* Return: the kind of paths that end in state @i; -EOPNOTSUPP, -ENOMEM. */
static int find_kind(struct pathmap_building *b, struct kind *kinds, uint16_t *n, size_t i)
{
	uint32_t *lists;

	list_accepted(b, i);
	for (uint16_t k = 0; k < *n; k++)
		if (kinds[k].n == b->n_set &&
		    memcmp(kinds[k].lists, b->set, b->n_set * sizeof(*b->set)) == 0)
			return k;
	if (*n == KINDS_MAX)
		return -EOPNOTSUPP;
	lists = arena_alloc(&b->mem, b->n_set * sizeof(*lists) + 1);
	if (!lists)
		return -ENOMEM;
	memcpy(lists, b->set, b->n_set * sizeof(*lists));
	kinds[*n] = (struct kind){.lists = lists, .n = (uint32_t)b->n_set};
	return (*n)++;
}

static int find_kinds(struct pathmap_building *b, struct pathmap *m, struct kinds *kinds)
{
	int r = 0;

	for (unsigned part = 0; part < _PATHMAP_PART_MAX; part++) {
		const size_t end =
			part + 1 < _PATHMAP_PART_MAX ? m->parts[part + 1].first : m->n_states;

		for (size_t i = m->parts[part].first; r >= 0 && i < end; i++) {
			r = find_kind(b, kinds->of[part], &m->parts[part].n_kinds, i);
			m->cells[i * pathmap_width(m) + m->n_classes] = (uint16_t)MAX(r, 0);
		}
	}
	return r < 0 ? r : 0;
}

/* ---- verdicts: the first rule that matches decides, and the strictest of the policies */

static bool does_match(const struct matcher *m, enum action_op op, bool is_listed)
{
	return (m->ops & OP_BIT(op)) && (!m->paths || is_listed);
}

/* @list: the rule's first. */
static bool does_rule_match(const struct rule *rule, enum action_op op, const bool *list)
{
	if (!does_match(&rule->match, op, *list))
		return false;
	for (size_t i = 0; i < rule->n_unless; i++)
		if (does_match(&rule->unless[i], op, list[1 + i]))
			return false;
	return true;
}

static enum verdict judge(const struct pathmap_building *b, enum action_op op, const bool *is_in)
{
	enum verdict strictest = is_in[b->n_lists - 1] ? VERDICT_DENY : VERDICT_ALLOW;

	for (size_t i = 0; i < b->n_judges; i++) {
		enum verdict v = b->judges[i].otherwise[op];

		for (size_t k = 0; k < b->judges[i].n; k++) {
			const struct rule *rule = b->judges[i].rules[k].rule;

			if (does_rule_match(rule, op, is_in + b->judges[i].rules[k].list)) {
				v = rule->action;
				break;
			}
		}
		strictest = MAX(strictest, v);
	}
	return strictest;
}

/* Of the combination @at. @is_in: room for a bool a list. */
static uint32_t judge_kinds(const struct pathmap_building *b, const struct pathmap *m,
			    const struct kinds *kinds, size_t at, bool *is_in)
{
	uint32_t cell = 0;

	memset(is_in, 0, b->n_lists * sizeof(*is_in));
	for (unsigned part = _PATHMAP_PART_MAX; part-- > 0;) {
		const struct kind *kind = &kinds->of[part][at % m->parts[part].n_kinds];

		at /= m->parts[part].n_kinds;
		for (size_t i = 0; i < kind->n; i++)
			is_in[kind->lists[i]] = true;
	}
	for (unsigned i = 0; i < PATHMAP_OPS; i++)
		cell |= (uint32_t)judge(b, (enum action_op)(PATHMAP_FIRST_OP + i), is_in)
			<< (2 * i);
	return cell;
}

static int build_verdicts(struct pathmap_building *b, struct pathmap *m)
{
	_cleanup_(freep) struct kinds *kinds = calloc(1, sizeof(*kinds));
	_cleanup_(freep) bool *is_in = calloc(b->n_lists + 1, sizeof(*is_in));
	int r = kinds && is_in ? find_kinds(b, m, kinds) : -ENOMEM;

	m->n_verdicts = 1;
	for (unsigned part = 0; r == 0 && part < _PATHMAP_PART_MAX; part++) {
		m->n_verdicts *= m->parts[part].n_kinds;
		if (m->n_verdicts > PATHMAP_MAX_KINDS)
			r = -EOPNOTSUPP;
	}
	if (r < 0)
		return r;
	m->verdicts = calloc(m->n_verdicts, sizeof(*m->verdicts));
	if (!m->verdicts)
		return -ENOMEM;
	for (size_t i = 0; i < m->n_verdicts; i++)
		m->verdicts[i] = judge_kinds(b, m, kinds, i, is_in);
	return 0;
}

/* ---- */

static struct pathmap_building *building_free(struct pathmap_building *b)
{
	if (b) {
		arena_fini(&b->mem);
		free(b->alternatives);
		free(b->lists);
		free(b->owner);
		free(b->states);
		free(b->heads);
		for (size_t i = 0; i < b->n_judges; i++)
			free(b->judges[i].rules);
		free(b);
	}
	return NULL;
}

int pathmap_new(const struct policy_stack *s, const struct pathmap_kept *kept, struct pathmap **ret,
		const char **ret_why)
{
	struct pathmap_building *b = calloc(1, sizeof(*b));
	struct pathmap *m = calloc(1, sizeof(*m));
	int r = b && m ? 0 : -ENOMEM;

	*ret_why = NULL;
	if (r == 0) {
		b->mem = ARENA_INIT(MEM_MAX);
		m->ops = OPS_PATH;
		for (size_t i = 0; i < policy_stack_size(s); i++)
			find_obstacles(m, policy_stack_enforcing(s, i));
		r = collect(b, s, kept);
	}
	if (r == 0)
		r = pathmap_build_states(b, m);
	if (r == 0)
		r = build_verdicts(b, m);
	building_free(b);
	if (r == -EOPNOTSUPP)
		*ret_why = "the rules have more globs than the kernel's tables hold";
	if (r < 0)
		pathmap_free(m);
	else
		*ret = m;
	return r;
}

struct pathmap *pathmap_free(struct pathmap *m)
{
	if (m) {
		free(m->cells);
		free(m->verdicts);
		free(m);
	}
	return NULL;
}

enum verdict pathmap_verdict(const struct pathmap *m, enum action_op op, struct bytes path)
{
	const size_t width = pathmap_width(m);
	size_t at = 0;

	for (unsigned part = 0; part < _PATHMAP_PART_MAX; part++) {
		size_t state = m->parts[part].first;

		for (size_t i = 0; i < path.len; i++)
			state = m->cells[state * width + m->bytes[(unsigned char)path.p[i]]];
		at = at * m->parts[part].n_kinds + m->cells[state * width + m->n_classes];
	}
	return (enum verdict)(m->verdicts[at] >> (2 * (op - PATHMAP_FIRST_OP)) & 3);
}
