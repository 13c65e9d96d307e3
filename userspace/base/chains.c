/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>

#include "base/chains.h"

void chains_insert(struct chains *c, struct chain **at, struct chain *entry)
{
	entry->next = *at;
	*at = entry;
	c->n++;
}

struct chain *chains_take(struct chains *c, struct chain **at)
{
	struct chain *entry = *at;

	*at = entry->next;
	c->n--;
	return entry;
}

void chains_drop(struct chains *c, struct chain **at, chains_is_over *is_over, const void *arg)
{
	while (*at) {
		if (!is_over || is_over(*at, arg))
			free(chains_take(c, at));
		else
			at = &(*at)->next;
	}
}

void chains_drop_all(struct chains *c, chains_is_over *is_over, const void *arg)
{
	for (size_t i = 0; i < CHAINS && c->n; i++)
		chains_drop(c, &c->first[i], is_over, arg);
}
