/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>

#include "loader/bpf/slots.h"

void slots_close(int *maps, size_t n)
{
	for (size_t i = 0; i < n; i++)
		maps[i] = fd_close(maps[i]);
}

int slots_make(const struct slot_part *parts, size_t n, int *ret_maps)
{
	int r = 0;

	for (size_t i = 0; i < n && r == 0; i++) {
		LIBBPF_OPTS(bpf_map_create_opts, options, .map_flags = parts[i].flags);

		ret_maps[i] = bpf_map_create(parts[i].type, "holdfast", parts[i].key,
					     parts[i].value, parts[i].entries, &options);
		r = MIN(ret_maps[i], 0);
	}
	if (r < 0)
		slots_close(ret_maps, n);
	return r;
}

struct change {
	int outer;
	uint32_t slot;
	int map; /* -1: what is there is taken out */
	int error;
};

static void *change(void *arg)
{
	struct change *c = arg;

	c->error = c->map < 0 ? bpf_map_delete_elem(c->outer, &c->slot)
			      : bpf_map_update_elem(c->outer, &c->slot, &c->map, 0);
	return NULL;
}

/* All at once, in threads, so that the kernel's waiting is done once and not for each. */
int slots_change(const int *outers, size_t n, uint32_t slot, const int *maps)
{
	struct change changes[SLOTS_PARTS_MAX];
	pthread_t threads[SLOTS_PARTS_MAX];
	bool is_thread[SLOTS_PARTS_MAX];
	int r = 0;

	if (n > SLOTS_PARTS_MAX)
		return -EINVAL;
	for (size_t i = 0; i < n; i++) {
		changes[i] = (struct change){
			.outer = outers[i], .slot = slot, .map = maps ? maps[i] : -1};
		is_thread[i] = pthread_create(&threads[i], NULL, change, &changes[i]) == 0;
		if (!is_thread[i])
			(void)change(&changes[i]);
	}
	for (size_t i = 0; i < n; i++) {
		if (is_thread[i])
			(void)pthread_join(threads[i], NULL);
		r = r ? r : changes[i].error;
	}
	return r;
}
