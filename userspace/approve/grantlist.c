/* SPDX-License-Identifier: Apache-2.0 */
#include "approve/held_private.h"

#include "approve/grantlist.h"

_Static_assert(GRANT_ID_SIZE == HELD_ID_SIZE, "one way to make them");

int grant_make_id(char id[static GRANT_ID_SIZE])
{
	return held_entry_make_id(id);
}

void grantlist_fini(struct grantlist *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->rules[i]);
	l->n = 0;
}

static struct bytes keep(struct bytes s, char **storage)
{
	struct bytes copy = {.p = s.p ? *storage : NULL, .len = s.len};

	if (s.len)
		memcpy(*storage, s.p, s.len);
	*storage += s.len;
	return copy;
}

int grantlist_add(struct grantlist *l, const struct grant_rule *g)
{
	size_t len = g->agent.len + g->by.len + g->reason.len + g->rule.len + g->shown.len;
	struct grant_rule *copy;
	char *storage;

	if (l->n == GRANTS_MAX)
		return -ENOSPC;
	for (size_t i = 0; i < g->n_objects; i++)
		len += g->objects[i].text.len;
	copy = malloc(sizeof(*copy) + len);
	if (!copy)
		return -ENOMEM;
	*copy = *g;
	storage = (char *)(copy + 1);
	copy->agent = keep(g->agent, &storage);
	copy->by = keep(g->by, &storage);
	copy->reason = keep(g->reason, &storage);
	copy->rule = keep(g->rule, &storage);
	copy->shown = keep(g->shown, &storage);
	for (size_t i = 0; i < g->n_objects; i++)
		copy->objects[i].text = keep(g->objects[i].text, &storage);
	l->rules[l->n++] = copy;
	return 0;
}

static void remove_at(struct grantlist *l, size_t i)
{
	free(l->rules[i]);
	l->n--;
	memmove(l->rules + i, l->rules + i + 1, (l->n - i) * sizeof(*l->rules));
}

bool grantlist_remove(struct grantlist *l, const char *id)
{
	for (size_t i = 0; i < l->n; i++) {
		if (streq(l->rules[i]->id, id)) {
			remove_at(l, i);
			return true;
		}
	}
	return false;
}

const struct grant_rule *grantlist_find(const struct grantlist *l, const char *id)
{
	for (size_t i = 0; i < l->n; i++)
		if (streq(l->rules[i]->id, id))
			return l->rules[i];
	return NULL;
}

static bool has_ended(const struct grant_rule *g, uint64_t now_ns, const char *boot)
{
	switch (g->term.life) {
	case ANSWER_DURATION:
		return now_ns >= g->expires_ns || !streq(g->boot, boot);
	case ANSWER_RESTART:
		return !streq(g->boot, boot);
	case ANSWER_ONCE:
	case ANSWER_SESSION:
	case ANSWER_ALWAYS:
	case _ANSWER_LIFE_MAX:
		break;
	}
	return false;
}

void grantlist_expire(struct grantlist *l, uint64_t now_ns, const char *boot)
{
	for (size_t i = l->n; i > 0; i--)
		if (has_ended(l->rules[i - 1], now_ns, boot))
			remove_at(l, i - 1);
}

uint64_t grantlist_next_end(const struct grantlist *l)
{
	uint64_t next = UINT64_MAX;

	for (size_t i = 0; i < l->n; i++)
		if (l->rules[i]->term.life == ANSWER_DURATION)
			next = MIN(next, l->rules[i]->expires_ns);
	return next;
}
