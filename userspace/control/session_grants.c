/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers of people to held actions, and the grants that some of them are. Those for this session
 * only are in memory; the others are in the user's file, which is looked at before each action that
 * one of them could answer, and while something waits. Whatever cannot be kept is not granted, and
 * then nothing is answered.
 */
#include <stdio.h>

#include "base/clock.h"
#include "base/user.h"

#include "control/session_private.h"

#define NOTE_MAX ((size_t)2048)

static void note(struct session *s, struct strbuf *text)
{
	if (!strbuf_error(text))
		session_notice(s, strbuf_bytes(text));
}

static bool is_ours(const struct session *s, const struct grant_rule *g)
{
	return bytes_eq_str(g->agent, s->config->agent);
}

/* What a set is made of. Return: 0, -errno: the old set holds on. */
static int compile(struct session *s)
{
	const struct grant_rule *rules[GRANTS_MAX];
	struct grant_set *set;
	size_t n = 0;
	int r;

	for (size_t i = 0; i < s->own_grants.n; i++)
		rules[n++] = s->own_grants.rules[i];
	for (size_t i = 0; i < s->kept_grants.n && n < GRANTS_MAX; i++)
		if (is_ours(s, s->kept_grants.rules[i]))
			rules[n++] = s->kept_grants.rules[i];
	r = grant_set_new(rules, n, &set);
	if (r == 0)
		grants_swap(s->grants, set);
	return r;
}

/* ---- what waits, and is covered by now */

struct covering {
	struct grants *grants;
	const struct grant_rule *only; /* the one that is new: no other covers what waits */
	uint64_t now_ns;
};

static bool is_covered(const struct held *h, void *arg)
{
	const struct covering *c = arg;
	struct grant_answer answer;

	if (c->only && !grant_rule_covers(c->only, &h->subject))
		return false;
	return h->subject.n_objects &&
	       grants_find(c->grants, &h->subject, c->now_ns, false, &answer);
}

/* By @only, or (NULL) by any. Return: how many calls were answered. */
static unsigned answer_covered(struct session *s, const struct grant_rule *only)
{
	struct covering c = {.grants = s->grants, .only = only, .now_ns = clock_boottime_ns()};
	struct held *next;
	unsigned n = 0;

	for (struct held *h = held_table_take_if(s->held, is_covered, &c); h; h = next) {
		struct grant_answer a = {};
		bool found;

		next = h->next;
		/* The same time, and only this thread changes the set: it is found again. */
		found = grants_find(s->grants, &h->subject, c.now_ns, true, &a);
		supervise_end_hold(
			s->supervise, h, found && !a.is_deny ? HOLD_APPROVED : HOLD_DENIED,
			a.reason[0] ? bytes_of(a.reason) : BYTES_NULL, bytes_of(a.approver));
		n++;
	}
	return n;
}

/* ---- the lists */

static void tell(struct session *s, const struct grant_rule *g, const char *what)
{
	_cleanup_(strbuf_fini) struct strbuf text = STRBUF_INIT(NOTE_MAX);
	char term[ANSWER_TERM_SIZE];

	answer_term_write(&g->term, term);
	strbuf_add_fmt(&text, "Grant %s %s: %s (%s) ", g->id, what, g->is_deny ? "deny" : "allow",
		       term);
	grant_rule_describe(g, &text);
	strbuf_add_fmt(&text, "; by %.*s", (int)g->by.len, g->by.p ? g->by.p : "");
	note(s, &text);
}

static void tell_differences(struct session *s, const struct grantlist *old,
			     const struct grantlist *new)
{
	for (size_t i = 0; i < old->n; i++)
		if (is_ours(s, old->rules[i]) && !grantlist_find(new, old->rules[i]->id))
			tell(s, old->rules[i], "holds no longer");
	for (size_t i = 0; i < new->n; i++)
		if (is_ours(s, new->rules[i]) && !grantlist_find(old, new->rules[i]->id))
			tell(s, new->rules[i], "holds from now on");
}

static void tell_trouble(struct session *s, const struct diag *d)
{
	_cleanup_(strbuf_fini) struct strbuf text = STRBUF_INIT(NOTE_MAX);
	char words[1280];

	diag_format(d, words, sizeof(words));
	strbuf_add_fmt(&text, "Kept grants do not hold in this session: %s", words);
	note(s, &text);
	if (s->sock >= 0)
		(void)launch_send(s->sock, LAUNCH_NOTICE, 0, "%s", strbuf_str(&text));
}

/* Reads the file anew. What cannot be read grants nothing. With the lock held. */
static void reload(struct session *s)
{
	struct grantlist fresh = {};
	struct diag d = {};

	if (grantstore_read(s->grantstore, &fresh, &d) < 0)
		tell_trouble(s, &d);
	tell_differences(s, &s->kept_grants, &fresh);
	grantlist_fini(&s->kept_grants);
	s->kept_grants = fresh;
	if (compile(s) < 0) { /* rather none than old ones */
		grants_swap(s->grants, NULL);
		grantlist_fini(&s->kept_grants);
	}
	atomic_fetch_add(&s->grants_changes, 1);
}

static void lists_lock(struct session *s)
{
	(void)pthread_mutex_lock(&s->grants_lock);
}

static void lists_unlock(struct session *s)
{
	(void)pthread_mutex_unlock(&s->grants_lock);
}

/* Any thread. */
static void refresh(void *arg)
{
	struct session *s = arg;

	lists_lock(s);
	if (s->grantstore && grantstore_has_changed(s->grantstore))
		reload(s);
	lists_unlock(s);
}

int session_grants_init(struct session *s)
{
	int r = grants_new(&s->grants);

	if (r < 0)
		return r;
	grants_on_refresh(s->grants, refresh, s);
	s->grants_dir = grantstore_place();
	if (!s->grants_dir)
		return -ENOMEM;
	if (grantstore_open(s->grants_dir, &s->grantstore, &s->grants_trouble) < 0) {
		s->grantstore = NULL;
		return 0;
	}
	if (grantstore_read(s->grantstore, &s->kept_grants, &s->grants_trouble) == 0)
		return compile(s);
	return 0;
}

/* The log can be written. */
void session_grants_start(struct session *s)
{
	if (s->grants_trouble.message[0])
		tell_trouble(s, &s->grants_trouble);
	for (size_t i = 0; i < s->kept_grants.n; i++)
		if (is_ours(s, s->kept_grants.rules[i]))
			tell(s, s->kept_grants.rules[i], "holds");
}

void session_grants_fini(struct session *s)
{
	lists_lock(s); /* a receiver that hung may still come back */
	grantlist_fini(&s->own_grants);
	grantlist_fini(&s->kept_grants);
	s->grantstore = grantstore_free(s->grantstore);
	lists_unlock(s);
	free(s->grants_dir);
}

const char *session_grants_dir(const struct session *s)
{
	return s->grants_dir;
}

/* The receivers look at the clock themselves; this is for the list, and the log. */
uint64_t session_grants_next(struct session *s)
{
	uint64_t end_ns, now_ns;

	lists_lock(s);
	end_ns = grantlist_next_end(&s->kept_grants);
	lists_unlock(s);
	if (end_ns == UINT64_MAX)
		return UINT64_MAX;
	now_ns = clock_boottime_ns();
	return clock_monotonic_ns() + (end_ns > now_ns ? end_ns - now_ns : 0);
}

void session_grants_tick(struct session *s)
{
	unsigned int changes;

	refresh(s);
	lists_lock(s);
	if (s->grantstore && grantlist_next_end(&s->kept_grants) <= clock_boottime_ns())
		reload(s);
	lists_unlock(s);
	changes = atomic_load(&s->grants_changes);
	if (changes == s->grants_seen)
		return;
	s->grants_seen = changes;
	(void)answer_covered(s, NULL);
}

/* ---- answers */

static int refuse(struct control_outcome *ret, enum control_error e, const char *text)
{
	(void)snprintf(ret->text, sizeof(ret->text), "%s", text);
	return (int)e;
}

static unsigned end_list(struct session *s, struct held *list, const struct control_answer *a)
{
	struct held *next;
	unsigned n = 0;

	for (struct held *h = list; h; h = next, n++) {
		next = h->next;
		supervise_end_hold(s->supervise, h, a->approve ? HOLD_APPROVED : HOLD_DENIED,
				   a->reason, a->approver);
	}
	return n;
}

/* Of the rule that asked: the same one of the same policy. */
static bool is_alike(const struct held *h, void *arg)
{
	const struct held *answered = arg;

	return bytes_eq(h->record.rule, answered->record.rule) &&
	       bytes_eq(h->record.policy, answered->record.policy) && h->ask == answered->ask;
}

/* Several have to approve. Return: 0 and whether they all have in *ret_all; CONTROL_E_*. */
static int count_approval(struct session *s, const struct control_answer *a, const struct held *h,
			  struct control_outcome *ret, bool *ret_all)
{
	unsigned wanted = h->ask && a->approve ? MAX(h->ask->count, 1U) : 1;
	_cleanup_(strbuf_fini) struct strbuf text = STRBUF_INIT(NOTE_MAX);
	int n;

	*ret_all = true;
	if (wanted == 1)
		return 0;
	if (a->rest)
		return refuse(ret, CONTROL_E_LIMIT,
			      "several have to approve this one: it is answered by itself");
	n = held_table_approve(s->held, a->id, a->uid);
	if (n == -EALREADY)
		return refuse(ret, CONTROL_E_REPEATED,
			      "you have approved it already; somebody else has to as well");
	if (n < 0)
		return n;
	*ret_all = (unsigned)n >= wanted;
	if (*ret_all)
		return 0;
	ret->missing = wanted - (unsigned)n;
	strbuf_add_fmt(&text, "%.*s approved held action '%s'; %u more must", (int)a->approver.len,
		       a->approver.p, a->id, ret->missing);
	note(s, &text);
	return 0;
}

static int answer_once(struct session *s, const struct control_answer *a, struct held *h,
		       struct control_outcome *ret)
{
	bool has_all;
	int r = count_approval(s, a, h, ret, &has_all);

	if (r != 0 || !has_all)
		return r;
	ret->answered = end_list(s, held_table_take_same(s->held, a->id), a);
	if (!ret->answered)
		return -ENOENT;
	if (a->rest)
		ret->answered += end_list(s, held_table_take_if(s->held, is_alike, h), a);
	return 0;
}

static int add_kept(struct grantlist *l, void *arg)
{
	return grantlist_add(l, arg);
}

/* Keeps @g where its term wants it. With the lock held. Return: 0, CONTROL_E_STORE with @ret->text.
 */
static int keep(struct session *s, const struct grant_rule *g, struct control_outcome *ret)
{
	struct diag d = {};
	int r;

	if (g->term.life == ANSWER_SESSION) {
		if (s->own_grants.n + s->kept_grants.n >= GRANTS_MAX)
			return refuse(ret, CONTROL_E_STORE,
				      "there are too many grants: revoke some");
		r = grantlist_add(&s->own_grants, g);
		if (r == 0)
			r = compile(s);
		if (r == 0)
			return 0;
		(void)grantlist_remove(&s->own_grants, g->id);
		return refuse(ret, CONTROL_E_STORE, strerror(-r));
	}
	if (!s->grantstore)
		return refuse(ret, CONTROL_E_STORE,
			      "this session has no place where grants are kept; answer for this "
			      "session instead: --for session");
	if (g->term.life != ANSWER_ALWAYS && !g->boot[0])
		return refuse(ret, CONTROL_E_STORE, "the kernel does not say which boot this is");
	if (grantstore_change(s->grantstore, add_kept, (void *)(uintptr_t)g, &d) == 0) {
		reload(s);
		return 0;
	}
	diag_format(&d, ret->text, sizeof(ret->text));
	return (int)CONTROL_E_STORE;
}

/* Return: 0; CONTROL_E_LIMIT with @ret->text; -errno. Borrows from @h, @a and @shown. */
static int make_rule(struct session *s, const struct held *h, const struct control_answer *a,
		     struct strbuf *shown, struct grant_rule *g, struct control_outcome *ret)
{
	int r;

	if (a->approve && !held_can_grant(h, a->scope, &a->term))
		return refuse(
			ret, CONTROL_E_LIMIT,
			h->record.argv_truncated
				? "not all of it could be shown, so it can be approved once "
				  "and no more"
				: "the rule does not let one answer cover so much, or hold so "
				  "long; `holdfast held ID` shows what it does");
	r = grant_rule_from(&h->subject, a->scope, g);
	if (r == -ENOTSUP)
		return refuse(ret, CONTROL_E_LIMIT,
			      "that scope does not fit this action; `holdfast held ID` shows which "
			      "do");
	if (r == 0)
		r = grant_make_id(g->id);
	if (r < 0)
		return r;
	session_describe_held(h, shown);
	g->is_deny = !a->approve;
	g->term = a->term;
	g->expires_ns =
		a->term.life == ANSWER_DURATION ? clock_boottime_ns() + a->term.duration_ns : 0;
	if (s->grantstore && g->term.life != ANSWER_SESSION && g->term.life != ANSWER_ALWAYS)
		memcpy(g->boot, grantstore_boot(s->grantstore), sizeof(g->boot));
	g->agent = bytes_of(s->config->agent);
	g->by = a->approver;
	g->reason = (struct bytes){a->reason.p, MIN(a->reason.len, GRANT_REASON_MAX - 1)};
	g->rule = h->record.rule;
	g->shown = strbuf_bytes(shown);
	g->shown.len = MIN(g->shown.len, GRANT_SHOWN_MAX);
	g->made_ns = clock_realtime_ns();
	return 0;
}

static int answer_with_grant(struct session *s, const struct control_answer *a, struct held *h,
			     struct control_outcome *ret)
{
	_cleanup_(strbuf_fini) struct strbuf shown = STRBUF_INIT(NOTE_MAX);
	_cleanup_(strbuf_fini) struct strbuf words = STRBUF_INIT(CONTROL_TEXT_MAX - 1);
	struct grant_rule g;
	int r = make_rule(s, h, a, &shown, &g, ret);

	if (r == 0) {
		lists_lock(s);
		r = keep(s, &g, ret);
		lists_unlock(s);
	}
	if (r != 0)
		return r;
	if (g.term.life == ANSWER_SESSION)
		tell(s, &g, "holds from now on");
	grant_rule_describe(&g, &words);
	memcpy(ret->grant, g.id, sizeof(ret->grant));
	(void)snprintf(ret->text, sizeof(ret->text), "%s", strbuf_str(&words));
	ret->answered =
		end_list(s, held_table_take_same(s->held, a->id), a) + answer_covered(s, &g);
	if (a->rest)
		ret->answered += end_list(s, held_table_take_if(s->held, is_alike, h), a);
	return 0;
}

int session_answer(void *arg, const struct control_answer *a, struct control_outcome *ret)
{
	struct session *s = arg;
	struct held *h = held_table_copy(s->held, a->id);
	int r;

	if (!h)
		return -ENOENT;
	r = a->term.life == ANSWER_ONCE ? answer_once(s, a, h, ret)
					: answer_with_grant(s, a, h, ret);
	held_free(h);
	return r;
}

/* ---- the list, for people */

bool session_grant_json(void *arg, size_t i, struct json *j)
{
	_cleanup_(strbuf_fini) struct strbuf words = STRBUF_INIT(NOTE_MAX);
	struct session *s = arg;
	const struct grant_rule *g = NULL;
	size_t n;

	if (i == 0)
		refresh(s);
	lists_lock(s);
	n = s->own_grants.n;
	if (i < s->own_grants.n)
		g = s->own_grants.rules[i];
	for (size_t k = 0; !g && k < s->kept_grants.n; k++)
		if (is_ours(s, s->kept_grants.rules[k]) && n++ == i)
			g = s->kept_grants.rules[k];
	if (g) {
		grant_rule_describe(g, &words);
		json_begin_object(j);
		grant_rule_to_json(g, j);
		json_key_cstr(j, "covers", strbuf_str(&words));
		json_key_u64(j, "used", grants_used(s->grants, g->id));
		json_end_object(j);
	}
	lists_unlock(s);
	return g != NULL;
}

static int remove_kept(struct grantlist *l, void *arg)
{
	return grantlist_remove(l, arg) ? 0 : 1;
}

static int revoke_id(struct session *s, const char *id, struct strbuf *words,
		     struct control_outcome *ret)
{
	struct diag d = {};
	int r;

	if (grantlist_remove(&s->own_grants, id)) {
		if (compile(s) < 0)
			grants_swap(s->grants, NULL); /* rather none than one that was revoked */
		note(s, words);
		return 0;
	}
	if (!s->grantstore || !grantlist_find(&s->kept_grants, id))
		return -ENOENT;
	r = grantstore_change(s->grantstore, remove_kept, (void *)(uintptr_t)id, &d);
	if (r < 0) {
		diag_format(&d, ret->text, sizeof(ret->text));
		return (int)CONTROL_E_STORE;
	}
	note(s, words);
	reload(s);
	return 0;
}

int session_revoke(void *arg, const char *id, struct bytes approver, struct control_outcome *ret)
{
	_cleanup_(strbuf_fini) struct strbuf text = STRBUF_INIT(NOTE_MAX);
	struct session *s = arg;
	int r;

	strbuf_add_fmt(&text, "%.*s revoked grant %s", (int)approver.len, approver.p, id);
	refresh(s);
	lists_lock(s);
	r = revoke_id(s, id, &text, ret);
	lists_unlock(s);
	return r;
}
