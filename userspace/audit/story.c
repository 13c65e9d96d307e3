/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/proctree.h"
#include "audit/report.h"
#include "audit/story.h"

#define STORY_MAX_ANCESTORS 64

struct story {
	struct story_target target;
	/* The first pass. */
	json_t *session; /* of the record that was read last */
	json_t *record;  /* the one that is asked for; NULL: not found */
	uint64_t line;   /* its number */
	size_t n_lives;  /* that the tree had learned of when that session began */
	/* The second one. */
	struct proctree *tree;
	bool is_own_session; /* the lines that come are of the record's session */
	bool is_met;         /* it has come by */
	size_t process;      /* whose it is; PROCTREE_NONE */
	json_t *start;
	json_t *hold, *answer;
	json_t *ancestry; /* array, the process itself first */
	json_t *near[STORY_NEAR];
	size_t near_process[STORY_NEAR];
	size_t n_near; /* ever put into the ring */
	json_t *before, *after;
	uint64_t n_same, n_same_before, n_rule;
};

struct story *story_new(const struct story_target *target)
{
	struct story *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->target = *target;
	s->process = PROCTREE_NONE;
	s->tree = proctree_new();
	s->ancestry = json_array();
	s->before = json_array();
	s->after = json_array();
	return s->tree && s->ancestry && s->before && s->after ? s : story_free(s);
}

struct story *story_free(struct story *s)
{
	if (!s)
		return NULL;
	json_t *const all[] = {s->session, s->record,   s->start,  s->hold,
			       s->answer,  s->ancestry, s->before, s->after};
	for (size_t i = 0; i < ARRAY_SIZE(all); i++)
		json_decref(all[i]);
	for (size_t i = 0; i < STORY_NEAR; i++)
		json_decref(s->near[i]);
	proctree_free(s->tree);
	free(s);
	return NULL;
}

void story_freep(struct story **s)
{
	*s = story_free(*s);
}

static void set(json_t **to, json_t *value)
{
	json_decref(*to);
	*to = json_incref(value);
}

/* ---- the first pass */

static bool is_decision(const json_t *root)
{
	return streq(reader_word(root, "event"), "action") ||
	       streq(reader_word(root, "event"), "held");
}

static bool is_target(const struct story *s, const json_t *root)
{
	if (!is_decision(root))
		return false;
	if (s->target.hold) /* the answer, or while there is none the question */
		return streq(reader_word(root, "held"), s->target.hold) &&
		       (!s->record || !streq(reader_word(s->record, "event"), "action"));
	if (s->target.seq)
		return reader_u64(root, "seq") == s->target.seq;
	return streq(reader_word(root, "event"), "action") &&
	       streq(reader_word(root, "verdict"), "deny");
}

/* Of processes, what the kernel told in the record's session only: it may be behind the record. */
static void forget_lives(struct story *s)
{
	if (s->record && s->session &&
	    json_equal(s->session, json_object_get(s->record, "session")))
		s->n_lives = proctree_n_learned(s->tree);
	else
		proctree_forget(s->tree, s->n_lives);
}

int story_search(struct story *s, const struct reader_line *line)
{
	json_t *session = json_object_get(line->root, "session");
	bool is_new = streq(reader_word(line->root, "event"), "session_start") || !s->session ||
		      !json_equal(s->session, session);

	if (is_new) {
		forget_lives(s);
		set(&s->session, session);
		if (s->target.seq && !s->target.hold) /* numbers begin anew */
			set(&s->record, NULL);
	}
	if (is_target(s, line->root)) {
		set(&s->record, line->root);
		s->line = line->number;
	}
	return streq(reader_word(line->root, "event"), "processes")
		       ? proctree_learn(s->tree, line->root)
		       : 0;
}

bool story_is_found(const struct story *s)
{
	return s->record;
}

/* ---- the second pass */

static void begin_session(struct story *s, const json_t *root)
{
	s->is_own_session = !s->is_met &&
			    streq(reader_word(root, "session"), reader_word(s->record, "session"));
	if (s->is_own_session)
		set(&s->start, NULL);
}

static int add_ancestry(struct story *s)
{
	size_t i = s->process;

	for (size_t n = 0; i != PROCTREE_NONE && n < STORY_MAX_ANCESTORS; n++) {
		if (json_array_append_new(s->ancestry, proctree_process(s->tree, i)) < 0)
			return -ENOMEM;
		i = proctree_parent(s->tree, i);
	}
	return 0;
}

/* The last records of its pid: which of them are the same process's is known when it comes by. */
static void keep_near(struct story *s, json_t *root, size_t process)
{
	size_t i = s->n_near++ % STORY_NEAR;

	set(&s->near[i], root);
	s->near_process[i] = process;
}

static int add_before(struct story *s)
{
	size_t n = MIN(s->n_near, (size_t)STORY_NEAR);

	for (size_t k = s->n_near - n; k < s->n_near; k++) {
		size_t i = k % STORY_NEAR;

		if (s->near_process[i] == s->process &&
		    json_array_append(s->before, s->near[i]) < 0)
			return -ENOMEM;
	}
	return 0;
}

static bool is_same_at(const json_t *a, const json_t *b, const char *key)
{
	const json_t *x = json_object_get(a, key), *y = json_object_get(b, key);

	/* What is left out is as good as null, which older logs say. */
	if (!x || !y)
		return (!x || json_is_null(x)) && (!y || json_is_null(y));
	return json_equal(x, y);
}

static void count_same(struct story *s, const json_t *root, bool is_before)
{
	static const char *const keys[] = {"kind",   "op",   "object", "argv",
					   "policy", "rule", "verdict"};

	if (json_is_string(json_object_get(root, "rule")) && is_same_at(root, s->record, "rule") &&
	    is_same_at(root, s->record, "policy"))
		s->n_rule++;
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (!is_same_at(root, s->record, keys[i]))
			return;
	s->n_same++;
	s->n_same_before += is_before;
}

static void keep_hold(struct story *s, json_t *root)
{
	json_t *held = json_object_get(root, "held");

	if (!json_is_string(held) || !is_same_at(root, s->record, "held"))
		return;
	if (streq(reader_word(root, "event"), "held"))
		set(&s->hold, root);
	else
		set(&s->answer, root);
}

static int add_decision(struct story *s, const struct reader_line *line, size_t process)
{
	json_t *root = line->root;
	/* Lines are numbered in each file anew. */
	bool is_it = line->number == s->line && is_same_at(root, s->record, "seq") &&
		     is_same_at(root, s->record, "event");
	bool is_same_pid = is_same_at(root, s->record, "pid");

	keep_hold(s, root);
	if (streq(reader_word(root, "event"), "action") || is_it)
		count_same(s, root, !s->is_met && !is_it);
	if (is_it) {
		s->is_met = true;
		s->process = process;
		return add_ancestry(s) < 0 || add_before(s) < 0 ? -ENOMEM : 0;
	}
	if (!s->is_met && is_same_pid)
		keep_near(s, root, process);
	else if (s->is_met && is_same_pid && process == s->process &&
		 json_array_size(s->after) < STORY_NEAR && json_array_append(s->after, root) < 0)
		return -ENOMEM;
	return 0;
}

int story_add(struct story *s, const struct reader_line *line)
{
	json_t *root = line->root;
	bool is_start = streq(reader_word(root, "event"), "session_start");
	size_t process = PROCTREE_NONE;
	int r;

	if (is_start || !s->is_own_session)
		begin_session(s, root);
	if (!streq(reader_word(root, "session"), reader_word(s->record, "session")) ||
	    !s->is_own_session)
		return 0;
	if (is_start)
		set(&s->start, root);
	r = proctree_add(s->tree, root, true, &process);
	return r == 0 && is_decision(root) ? add_decision(s, line, process) : r;
}

/* ---- as JSON */

static json_t *or_null(json_t *v)
{
	return v ? json_incref(v) : json_null();
}

/* What session_start says of the policy that decided. */
static json_t *policy_of(const struct story *s)
{
	const json_t *list = json_object_get(s->start, "policies");

	for (size_t i = 0; i < json_array_size(list); i++) {
		json_t *p = json_array_get(list, i);
		const json_t *name = json_object_get(p, "name");

		if (json_is_string(name) && json_equal(name, json_object_get(s->record, "policy")))
			return json_incref(p);
	}
	return json_null();
}

static json_t *number(uint64_t n)
{
	return json_integer((json_int_t)n);
}

json_t *story_json(const struct story *s, const char *log)
{
	json_t *o = json_object(), *same = json_object();

	(void)json_object_set_new(o, "v", number(1));
	(void)json_object_set(o, "session", json_object_get(s->record, "session"));
	(void)json_object_set_new(o, "log", report_string(log));
	(void)json_object_set_new(o, "line", number(s->line));
	(void)json_object_set(o, "record", s->record);
	(void)json_object_set_new(o, "hold", or_null(s->hold));
	(void)json_object_set_new(o, "answer", or_null(s->answer));
	(void)json_object_set_new(o, "command", or_null(json_object_get(s->start, "command")));
	(void)json_object_set_new(o, "cwd", or_null(json_object_get(s->start, "cwd")));
	(void)json_object_set(o, "ancestry", s->ancestry);
	(void)json_object_set_new(o, "policy", policy_of(s));
	(void)json_object_set(o, "before", s->before);
	(void)json_object_set(o, "after", s->after);
	(void)json_object_set_new(same, "total", number(s->n_same));
	(void)json_object_set_new(same, "before", number(s->n_same_before));
	(void)json_object_set_new(same, "by_rule", number(s->n_rule));
	if (json_object_set_new(o, "same", same) < 0) {
		json_decref(o);
		return NULL;
	}
	return o;
}
