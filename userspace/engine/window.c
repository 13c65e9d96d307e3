/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/window.h"

uint64_t window_count(struct window *w, uint64_t per_ns, uint64_t now_ns)
{
	while (w->used && now_ns - w->slots[w->head].last >= per_ns) {
		w->sum -= w->slots[w->head].n;
		w->head = (w->head + 1) % WINDOW_SLOTS;
		w->used--;
	}
	return w->sum;
}

void window_add(struct window *w, uint64_t per_ns, uint64_t now_ns)
{
	struct window_slot *newest =
		&w->slots[(w->head + w->used + WINDOW_SLOTS - 1) % WINDOW_SLOTS];

	(void)window_count(w, per_ns, now_ns);
	w->sum++;
	if (w->used == WINDOW_SLOTS ||
	    (w->used && now_ns - newest->first < per_ns / WINDOW_PARTS)) {
		newest->last = now_ns;
		newest->n++;
		return;
	}
	w->slots[(w->head + w->used) % WINDOW_SLOTS] =
		(struct window_slot){.first = now_ns, .last = now_ns, .n = 1};
	w->used++;
}

unsigned loop_count(const struct loop_guard *g, uint64_t hash, uint64_t window_ns, uint64_t now_ns)
{
	unsigned n = 0;

	for (size_t i = 1; i <= g->used; i++) {
		const struct loop_event *e = &g->events[(g->next + LOOP_EVENTS - i) % LOOP_EVENTS];

		if (now_ns - e->at >= window_ns)
			break;
		if (e->hash == hash)
			n++;
	}
	return n;
}

void loop_add(struct loop_guard *g, uint64_t hash, uint64_t now_ns)
{
	g->events[g->next] = (struct loop_event){.hash = hash, .at = now_ns};
	g->next = (g->next + 1) % LOOP_EVENTS;
	g->used = MIN(g->used + 1, (size_t)LOOP_EVENTS);
}
