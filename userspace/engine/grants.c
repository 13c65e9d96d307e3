/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>
#include <stdio.h>

#include "base/sha256.h"

#include "engine/budget.h"
#include "engine/grants_private.h"

#define FNV_PRIME UINT64_C(1099511628211)
#define FNV_BASIS UINT64_C(14695981039346656037)

/* ---- what an action is to a grant */

/* As action_identify(): no piece can pass for another's end. */
static void add(unsigned char key[static SHA256_BYTES], struct bytes piece)
{
	unsigned char both[2 * SHA256_BYTES];

	memcpy(both, key, SHA256_BYTES);
	sha256(piece, both + SHA256_BYTES);
	sha256((struct bytes){(const char *)both, sizeof(both)}, key);
}

static void add_string(unsigned char key[static SHA256_BYTES], struct bytes s)
{
	add(key, s.p ? BYTES_LIT("+") : BYTES_LIT("-"));
	add(key, s);
}

static void add_numbers(unsigned char key[static SHA256_BYTES], const uint64_t *numbers, size_t n)
{
	add(key, (struct bytes){(const char *)numbers, n * sizeof(*numbers)});
}

/* What a call does to its object beyond what the steps say: a mode, an owner, an attribute. */
static void add_act(unsigned char key[static SHA256_BYTES], const struct act *act)
{
	const struct act_change *c = &act->change;
	uint64_t numbers[4] = {act->kind};

	if (act->kind == ACT_OPEN) {
		numbers[1] = act->open.flags;
		numbers[2] = act->open.mode;
	} else if (act->kind == ACT_CHANGE) {
		memcpy(numbers + 1, c->number, sizeof(c->number));
		add_string(key, c->attr);
		add_string(key, (struct bytes){c->data, c->data_len});
		add_numbers(key, (const uint64_t[]){(uint64_t)c->flags}, 1);
	}
	add_numbers(key, numbers, ARRAY_SIZE(numbers));
}

static void make_key(const struct action *a, unsigned char key[static SHA256_BYTES])
{
	const uint64_t numbers[] = {a->kind, a->op, a->n_steps, a->argc, a->argc_total};

	memset(key, 0, SHA256_BYTES);
	add_numbers(key, numbers, ARRAY_SIZE(numbers));
	add_string(key, a->exe);
	add_string(key, a->object);
	add_string(key, a->object2);
	add_string(key, a->interpreter);
	if (a->kind == KIND_TOOL)
		add_string(key, a->cwd);
	for (size_t i = 0; i < a->argc; i++)
		add_string(key, a->argv[i]);
	for (size_t i = 0; i < a->n_steps; i++) {
		const struct action_step *s = &a->steps[i];
		const uint64_t step[] = {s->kind, s->op, s->address ? s->address->protocol : 0};

		add_numbers(key, step, ARRAY_SIZE(step));
		add_string(key, s->object);
	}
	add_act(key, &a->act);
}

static uint64_t hash_text(uint64_t hash, const char *s)
{
	for (; s && *s; s++)
		hash = (hash ^ (unsigned char)*s) * FNV_PRIME;
	return (hash ^ 0xff) * FNV_PRIME;
}

static uint64_t hash_terms(const struct policy_source *source)
{
	const struct policy_ask *ask = source->ask;
	uint64_t hash = hash_text(hash_text(FNV_BASIS, source->policy), source->rule);

	for (size_t i = 0; ask && i < ask->n_approvers; i++)
		hash = hash_text(hash, ask->approvers[i]);
	return (hash ^ (ask ? ask->count : 0)) * FNV_PRIME;
}

void grant_subject_of(const struct action *a, const struct policy_source *source, uint32_t asked,
		      struct grant_subject *ret)
{
	ret->kind = a->kind;
	ret->op = a->op;
	ret->n_objects = MIN(a->n_steps, (size_t)GRANT_OBJECTS_MAX);
	for (size_t i = 0; i < ret->n_objects; i++) {
		const struct action_step *s = &a->steps[i];

		ret->objects[i] = (struct grant_object){
			.kind = s->kind,
			.op = s->op,
			.protocol = s->address ? s->address->protocol : POLICY_PROTO_OTHER,
			.text = s->object,
			.is_asked = !asked || (asked >> i & 1),
		};
	}
	ret->n_names = 0;
	ret->cwd = a->kind == KIND_TOOL ? a->cwd : BYTES_NULL;
	ret->is_cut = a->argv_truncated || a->argc < a->argc_total;
	ret->ask = source->ask;
	ret->terms = hash_terms(source);
	ret->is_bound = (source->ask && source->ask->n_approvers) ||
			(source->rule && streq(source->rule, BUDGET_RULE));
	make_key(a, ret->key);
}

/* ---- what an answer covers */

/* Operations that go together: who may write a file may make it. */
static uint32_t ops_like(enum action_op op)
{
	static const uint32_t groups[] = {
		OP_BIT(OP_WRITE) | OP_BIT(OP_CREATE) | OP_BIT(OP_TRUNCATE) | OP_BIT(OP_MKDIR),
		OP_BIT(OP_CONNECT) | OP_BIT(OP_SEND),
	};

	for (size_t i = 0; i < ARRAY_SIZE(groups); i++)
		if (groups[i] & OP_BIT(op))
			return groups[i];
	return OP_BIT(op);
}

/* Whole components; @tree is not "/". */
static bool is_within(struct bytes path, struct bytes tree)
{
	return bytes_has_prefix(path, tree) && (path.len == tree.len || path.p[tree.len] == '/');
}

/* .p NULL where there is none, or where it is the root: everything is below that. */
static struct bytes directory_of(struct bytes path)
{
	const char *slash = path.len && path.p[0] == '/' ? memrchr(path.p, '/', path.len) : NULL;

	if (!slash || slash == path.p)
		return BYTES_NULL;
	return (struct bytes){.p = path.p, .len = (size_t)(slash - path.p)};
}

static int from_tool(const struct grant_subject *s, struct grant_rule *g)
{
	if (s->kind != KIND_TOOL)
		return -ENOTSUP;
	for (size_t i = 0; i < s->n_objects; i++)
		g->objects[g->n_objects++] = s->objects[i];
	return 0;
}

static struct bytes first_asked(const struct grant_subject *s)
{
	for (size_t i = 0; i < s->n_objects; i++)
		if (s->objects[i].is_asked)
			return s->objects[i].text;
	return BYTES_NULL;
}

static int from_dir(const struct grant_subject *s, struct grant_rule *g)
{
	struct bytes dir = s->kind == KIND_TOOL ? s->cwd : directory_of(first_asked(s));

	if (s->kind == KIND_NETWORK || s->kind == KIND_SYSTEM || dir.len <= 1)
		return -ENOTSUP;
	g->objects[g->n_objects++] = (struct grant_object){.kind = KIND_PATH, .text = dir};
	if (s->kind == KIND_TOOL)
		return from_tool(s, g);
	for (size_t i = 0; i < s->n_objects; i++) {
		if (!s->objects[i].is_asked)
			continue;
		if (s->objects[i].kind != KIND_PATH || !is_within(s->objects[i].text, dir))
			return -ENOTSUP;
		g->ops |= ops_like(s->objects[i].op);
	}
	return 0;
}

static int from_address(const struct grant_subject *s, struct grant_rule *g)
{
	if (s->kind != KIND_NETWORK || s->n_objects != 1 || !s->objects[0].text.len)
		return -ENOTSUP;
	g->objects[g->n_objects++] = s->objects[0];
	g->ops = ops_like(s->objects[0].op);
	return 0;
}

struct bytes grant_port_of(struct bytes address)
{
	const char *colon = address.p ? memrchr(address.p, ':', address.len) : NULL;

	if (!colon)
		return BYTES_NULL;
	return (struct bytes){.p = colon + 1, .len = address.len - (size_t)(colon + 1 - address.p)};
}

static int from_domain(const struct grant_subject *s, struct grant_rule *g)
{
	if (s->kind != KIND_NETWORK || s->n_objects != 1 || s->n_names == 0)
		return -ENOTSUP;
	g->objects[0] = s->objects[0];
	g->objects[0].text = s->names[0];
	g->n_objects = 1;
	g->ops = OP_BIT(OP_RESOLVE);
	if (s->op == OP_RESOLVE)
		return 0;
	if (!grant_port_of(s->objects[0].text).len)
		return -ENOTSUP;
	/* Who may reach it may ask where it is. */
	g->ops |= ops_like(s->objects[0].op);
	g->objects[g->n_objects++] = s->objects[0];
	return 0;
}

int grant_rule_from(const struct grant_subject *s, enum answer_scope scope, struct grant_rule *ret)
{
	struct grant_rule g = {.scope = scope, .kind = s->kind, .terms = s->terms};
	int r = 0;

	if (s->n_objects == 0 || (s->is_cut && scope == ANSWER_EXACT))
		return -ENOTSUP;
	switch (scope) {
	case ANSWER_EXACT:
		memcpy(g.key, s->key, sizeof(g.key));
		break;
	case ANSWER_TOOL:
		r = from_tool(s, &g);
		break;
	case ANSWER_DIR:
		r = from_dir(s, &g);
		break;
	case ANSWER_ADDRESS:
		r = from_address(s, &g);
		break;
	case ANSWER_DOMAIN:
		r = from_domain(s, &g);
		break;
	case ANSWER_AGENT:
		break;
	case _ANSWER_SCOPE_MAX:
		return -ENOTSUP;
	}
	if (r == 0)
		*ret = g;
	return r;
}

static bool same_images(const struct grant_object *a, const struct grant_subject *s, size_t n)
{
	if (s->kind != KIND_TOOL || n != s->n_objects)
		return false;
	for (size_t i = 0; i < n; i++)
		if (a[i].kind != s->objects[i].kind || a[i].op != s->objects[i].op ||
		    !bytes_eq(a[i].text, s->objects[i].text))
			return false;
	return true;
}

static bool covers_dir(const struct grant_rule *g, const struct grant_subject *s)
{
	struct bytes dir = g->objects[0].text;

	if (g->kind == KIND_TOOL)
		return s->cwd.p && is_within(s->cwd, dir) &&
		       same_images(g->objects + 1, s, g->n_objects - 1);
	/* What the policies allow anyway need not be granted: an open to read and write may be
	 * asked about for the writing only. */
	for (size_t i = 0; i < s->n_objects; i++)
		if (s->objects[i].is_asked &&
		    (s->objects[i].kind != KIND_PATH || !(g->ops & OP_BIT(s->objects[i].op)) ||
		     !is_within(s->objects[i].text, dir)))
			return false;
	return first_asked(s).p != NULL;
}

static bool covers_address(const struct grant_rule *g, const struct grant_subject *s)
{
	for (size_t i = 0; i < s->n_objects; i++)
		if (s->objects[i].kind != KIND_NETWORK || !(g->ops & OP_BIT(s->objects[i].op)) ||
		    s->objects[i].protocol != g->objects[0].protocol ||
		    !bytes_eq(s->objects[i].text, g->objects[0].text))
			return false;
	return s->n_objects > 0;
}

static bool has_name(const struct grant_subject *s, struct bytes name)
{
	for (size_t i = 0; i < s->n_names; i++)
		if (bytes_eq(s->names[i], name))
			return true;
	return false;
}

static bool covers_domain(const struct grant_rule *g, const struct grant_subject *s)
{
	const struct grant_object *o = &s->objects[0];

	if (s->n_objects != 1 || !(g->ops & OP_BIT(o->op)) || !has_name(s, g->objects[0].text))
		return false;
	if (o->op == OP_RESOLVE)
		return true;
	return g->n_objects == 2 && o->protocol == g->objects[1].protocol &&
	       bytes_eq(grant_port_of(o->text), grant_port_of(g->objects[1].text));
}

static bool covers_action(const struct grant_rule *g, const struct grant_subject *s)
{
	if (g->scope == ANSWER_AGENT)
		return true;
	if (g->kind != s->kind)
		return false;
	switch (g->scope) {
	case ANSWER_EXACT:
		return !s->is_cut && memcmp(g->key, s->key, sizeof(g->key)) == 0;
	case ANSWER_TOOL:
		return same_images(g->objects, s, g->n_objects);
	case ANSWER_DIR:
		return covers_dir(g, s);
	case ANSWER_ADDRESS:
		return covers_address(g, s);
	case ANSWER_DOMAIN:
		return covers_domain(g, s);
	case ANSWER_AGENT:
	case _ANSWER_SCOPE_MAX:
		break;
	}
	return false;
}

bool grant_rule_covers(const struct grant_rule *g, const struct grant_subject *s)
{
	if (s->is_bound && g->terms != s->terms)
		return false;
	/* A rule may let less be granted than the one where this grant was made. It need not be
	 * asked about a deny. */
	if (!g->is_deny && !policy_ask_permits(s->ask, g->scope, &g->term))
		return false;
	return covers_action(g, s);
}

/* ---- sets */

struct grant_set {
	atomic_uint refs;
	size_t n;
	unsigned slots[GRANTS_MAX];
	struct grant_rule rules[]; /* their strings follow */
};

struct grants {
	void (*refresh)(void *arg); /* NULL: the set is what was put there */
	void *refresh_arg;
	pthread_mutex_t lock; /* of set's value; held for a few instructions */
	struct grant_set *set;
	atomic_ullong used[GRANTS_MAX];
};

static size_t strings_of(const struct grant_rule *g)
{
	size_t len = g->reason.len;

	for (size_t i = 0; i < g->n_objects; i++)
		len += g->objects[i].text.len;
	return len;
}

static struct bytes keep(struct bytes s, char **storage)
{
	struct bytes copy = {.p = s.p ? *storage : NULL, .len = s.len};

	if (s.len)
		memcpy(*storage, s.p, s.len);
	*storage += s.len;
	return copy;
}

int grant_set_new(const struct grant_rule *const *rules, size_t n, struct grant_set **ret)
{
	size_t size = sizeof(struct grant_set) + n * sizeof(struct grant_rule);
	struct grant_set *s;
	char *storage;

	if (n > GRANTS_MAX)
		return -ENOSPC;
	for (size_t i = 0; i < n; i++)
		size += strings_of(rules[i]);
	s = calloc(1, size);
	if (!s)
		return -ENOMEM;
	atomic_init(&s->refs, 1);
	s->n = n;
	storage = (char *)(s->rules + n);
	for (size_t i = 0; i < n; i++) {
		struct grant_rule *g = &s->rules[i];

		*g = *rules[i];
		g->reason = keep(g->reason, &storage);
		for (size_t k = 0; k < g->n_objects; k++)
			g->objects[k].text = keep(g->objects[k].text, &storage);
		g->agent = g->by = g->rule = g->shown = BYTES_NULL; /* not for deciding */
	}
	*ret = s;
	return 0;
}

void grant_set_unref(struct grant_set *s)
{
	if (s && atomic_fetch_sub(&s->refs, 1) == 1)
		free(s);
}

int grants_new(struct grants **ret)
{
	struct grants *g = calloc(1, sizeof(*g));

	if (!g)
		return -ENOMEM;
	pthread_mutex_init(&g->lock, NULL);
	*ret = g;
	return 0;
}

struct grants *grants_free(struct grants *g)
{
	if (!g)
		return NULL;
	grant_set_unref(g->set);
	pthread_mutex_destroy(&g->lock);
	free(g);
	return NULL;
}

static struct grant_set *current(struct grants *g)
{
	struct grant_set *s;

	pthread_mutex_lock(&g->lock);
	s = g->set;
	if (s)
		atomic_fetch_add(&s->refs, 1);
	pthread_mutex_unlock(&g->lock);
	return s;
}

/* @id's place among the counters in @s; GRANTS_MAX: it has none. */
static unsigned slot_of(const struct grant_set *s, const char *id)
{
	for (size_t i = 0; s && i < s->n; i++)
		if (streq(s->rules[i].id, id))
			return s->slots[i];
	return GRANTS_MAX;
}

void grants_swap(struct grants *g, struct grant_set *set)
{
	struct grant_set *old = g->set; /* nobody else writes it meanwhile */
	bool is_taken[GRANTS_MAX] = {};
	unsigned next = 0;

	for (size_t i = 0; set && i < set->n; i++) {
		set->slots[i] = slot_of(old, set->rules[i].id);
		if (set->slots[i] < GRANTS_MAX)
			is_taken[set->slots[i]] = true;
	}
	for (size_t i = 0; set && i < set->n; i++) {
		if (set->slots[i] < GRANTS_MAX)
			continue;
		while (is_taken[next])
			next++;
		set->slots[i] = next;
		atomic_store(&g->used[next++], 0);
	}
	pthread_mutex_lock(&g->lock);
	g->set = set;
	pthread_mutex_unlock(&g->lock);
	grant_set_unref(old);
}

void grants_on_refresh(struct grants *g, void (*fn)(void *arg), void *arg)
{
	g->refresh = fn;
	g->refresh_arg = arg;
}

void grants_refresh(struct grants *g)
{
	if (g && g->refresh)
		g->refresh(g->refresh_arg);
}

static const struct grant_rule *find(const struct grant_set *set, const struct grant_subject *s,
				     uint64_t now_ns)
{
	const struct grant_rule *found = NULL;

	for (size_t i = 0; i < set->n; i++) {
		const struct grant_rule *g = &set->rules[i];

		if ((found && !g->is_deny) ||
		    (g->term.life == ANSWER_DURATION && now_ns >= g->expires_ns) ||
		    !grant_rule_covers(g, s))
			continue;
		if (g->is_deny)
			return g;
		found = g;
	}
	return found;
}

bool grants_find(struct grants *g, const struct grant_subject *s, uint64_t now_ns, bool count,
		 struct grant_answer *ret)
{
	struct grant_set *set = g ? current(g) : NULL;
	const struct grant_rule *found = set ? find(set, s, now_ns) : NULL;

	if (found) {
		ret->is_deny = found->is_deny;
		(void)snprintf(ret->approver, sizeof(ret->approver), "grant:%s", found->id);
		(void)snprintf(ret->reason, sizeof(ret->reason), "%.*s", (int)found->reason.len,
			       found->reason.p ? found->reason.p : "");
		if (count)
			atomic_fetch_add(&g->used[set->slots[found - set->rules]], 1);
	}
	grant_set_unref(set);
	return found != NULL;
}

uint64_t grants_used(struct grants *g, const char *id)
{
	struct grant_set *set = current(g);
	unsigned slot = slot_of(set, id);

	grant_set_unref(set);
	return slot < GRANTS_MAX ? atomic_load(&g->used[slot]) : 0;
}
