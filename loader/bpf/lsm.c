/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whose session a task is in is a mark at the task, made here for the first and inherited by the
 * others. Its number, which no other session has in this slot, is what makes a slot free for others
 * as soon as its session is over: whoever still lives then is refused everything.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <time.h>

#include "bpf/abi.h"
#include "bpf/lsm.skel.h"

#include "loader/request.h"

#include "loader/bpf/canary.h"
#include "loader/bpf/loader.h"
#include "loader/bpf/lsm.h"
#include "loader/bpf/slots.h"

#define END_ROUNDS   500
#define END_ROUND_NS 10000000L

_Static_assert(sizeof(((struct lsm_bpf *)NULL)->bss->tasks) == sizeof(uint32_t) * LSM_SLOTS_MAX,
	       "of each slot");

/* ---- the programs */

static int load(struct lsm_programs *p)
{
	struct lsm_bpf *b;
	int r;

	if (!loader_sees_all_processes())
		return loader_explain(p->reason, LOADER_HIDDEN_PROCESSES, -EOPNOTSUPP);
	words_reset();
	b = lsm_bpf__open_and_load();
	r = b ? lsm_bpf__attach(b) : -errno;
	if (r == 0) {
		p->bpf = b;
		return 0;
	}
	words_explain(p->reason, sizeof(p->reason), -r);
	lsm_bpf__destroy(b);
	return r;
}

int lsm_programs_load(struct lsm_programs *p)
{
	if (!p->is_tried)
		p->error = load(p);
	p->is_tried = true;
	return p->error;
}

/* ---- slots */

/* As the programs have them. */
static const struct slot_part parts[_LSM_MAP_MAX] = {
	[LSM_MAP_CELLS] = {BPF_MAP_TYPE_ARRAY, sizeof(uint32_t), sizeof(uint16_t) * LSM_CELLS_MAX,
			   1, 0},
	[LSM_MAP_VERDICTS] = {BPF_MAP_TYPE_ARRAY, sizeof(uint32_t),
			      sizeof(uint32_t) * LSM_VERDICTS_MAX, 1, 0},
	[LSM_MAP_COUNTERS] = {BPF_MAP_TYPE_ARRAY, sizeof(uint32_t), sizeof(struct lsm_lost), 1,
			      BPF_F_MMAPABLE},
	[LSM_MAP_EVENTS] = {BPF_MAP_TYPE_RINGBUF, 0, 0, LSM_RING_BYTES, 0},
	[LSM_MAP_REFUSED] = {BPF_MAP_TYPE_RINGBUF, 0, 0, LSM_REFUSED_BYTES, 0},
};

static int change_slot(const struct lsm_programs *p, uint32_t slot, const int *maps)
{
	const int outers[_LSM_MAP_MAX] = {
		[LSM_MAP_CELLS] = bpf_map__fd(p->bpf->maps.all_cells),
		[LSM_MAP_VERDICTS] = bpf_map__fd(p->bpf->maps.all_verdicts),
		[LSM_MAP_COUNTERS] = bpf_map__fd(p->bpf->maps.all_counters),
		[LSM_MAP_EVENTS] = bpf_map__fd(p->bpf->maps.all_events),
		[LSM_MAP_REFUSED] = bpf_map__fd(p->bpf->maps.all_refused),
	};

	return slots_change(outers, _LSM_MAP_MAX, slot, maps);
}

int lsm_prepare(struct lsm_layers *l)
{
	int r = lsm_programs_load(l->programs);

	if (r == 0)
		r = slots_make(parts, _LSM_MAP_MAX, l->maps);
	if (r < 0)
		return r;
	l->place->has_maps = true;
	r = change_slot(l->programs, l->slot, l->maps);
	if (r < 0)
		slots_close(l->maps, _LSM_MAP_MAX);
	return r;
}

static int set_config(const struct lsm_programs *p, uint32_t slot, const struct lsm_config *config)
{
	return bpf_map_update_elem(bpf_map__fd(p->bpf->maps.configs), &slot, config, BPF_ANY);
}

static uint32_t *tasks_of(const struct lsm_programs *p, uint32_t slot)
{
	return &p->bpf->bss->tasks[slot];
}

/* ---- tables */

/* A map's one value is written as a whole. */
static int write_map(int map, size_t value_size, const uint8_t *data, size_t size)
{
	_cleanup_(freep) uint8_t *value = calloc(1, value_size);
	const uint32_t zero = 0;

	if (!value)
		return -ENOMEM;
	memcpy(value, data, size);
	return bpf_map_update_elem(map, &zero, value, BPF_ANY);
}

/* What was read and looked at. */
struct tables {
	uint8_t *file;
	const uint8_t *cells, *verdicts; /* in @file */
	size_t cells_size, verdicts_size;
	struct lsm_config config;
};

static void tables_fini(struct tables *t)
{
	free(t->file);
}

static int tables_read(const struct layers_lsm *q, int fd, struct tables *ret)
{
	const size_t size = request_lsm_size(q);
	int r;

	ret->file = calloc(1, MAX(size, (size_t)1));
	r = ret->file ? loader_read_tables(fd, size, ret->file) : -ENOMEM;
	if (r == 0)
		r = request_read_lsm(q, ret->file, size, &ret->config, &ret->cells, &ret->verdicts);
	if (r < 0)
		return r;
	ret->cells_size = (size_t)(ret->verdicts - ret->cells);
	ret->verdicts_size = q->n_verdicts * sizeof(uint32_t);
	return 0;
}

static int fill(const struct lsm_layers *l, const struct tables *t)
{
	int r = write_map(l->maps[LSM_MAP_CELLS], parts[LSM_MAP_CELLS].value, t->cells,
			  t->cells_size);

	return r < 0 ? r
		     : write_map(l->maps[LSM_MAP_VERDICTS], parts[LSM_MAP_VERDICTS].value,
				 t->verdicts, t->verdicts_size);
}

/* ---- who is bound */

static int mark(const struct lsm_layers *l, int pidfd)
{
	const struct lsm_mark value = {.slot = l->slot, .session = l->place->session};

	return bpf_map_update_elem(bpf_map__fd(l->programs->bpf->maps.marks), &pidfd, &value,
				   BPF_ANY);
}

static int open_something(const void *argument _unused_)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	if (fd >= 0)
		return CANARY_WENT_ON;
	return errno == EACCES ? CANARY_REFUSED : CANARY_FAILED;
}

static int see_canary(const struct lsm_layers *l, struct lsm_config config,
		      char reterr_reason[static LAYERS_REASON_MAX])
{
	int go, r;
	pid_t pid = canary_start(open_something, NULL, -1, &go);
	_cleanup_(fd_closep) int pidfd = pid > 0 ? (int)syscall(SYS_pidfd_open, pid, 0U) : -1;

	if (pid < 0)
		return pid;
	config.canary = (uint32_t)pid;
	r = pidfd < 0 ? -errno : set_config(l->programs, l->slot, &config);
	if (r == 0)
		r = mark(l, pidfd);
	if (canary_finish(pid, go) != CANARY_REFUSED && r == 0)
		return loader_explain(
			reterr_reason,
			"attached, but what it refuses went through: is `bpf` in lsm=?",
			-ENOTRECOVERABLE);
	/* It ended, and nobody had counted its beginning. */
	__atomic_store_n(tasks_of(l->programs, l->slot), 0, __ATOMIC_RELAXED);
	return r;
}

/* ---- */

static size_t list_fds(const struct lsm_layers *l, bool has_links,
		       int ret[static _LAYERS_LSM_FD_MAX])
{
	const struct bpf_object_skeleton *skeleton = l->programs->bpf->skeleton;
	size_t n = LAYERS_LSM_FD_LINKS;

	ret[LAYERS_LSM_FD_EVENTS] = l->maps[LSM_MAP_EVENTS];
	ret[LAYERS_LSM_FD_REFUSED] = l->maps[LSM_MAP_REFUSED];
	ret[LAYERS_LSM_FD_COUNTERS] = l->maps[LSM_MAP_COUNTERS];
	for (int i = 0; has_links && i < skeleton->prog_cnt && n < _LAYERS_LSM_FD_MAX; i++)
		ret[n++] = bpf_link__fd(*skeleton->progs[i].link);
	return n;
}

static int begin(const struct lsm_layers *l, struct tables *t,
		 char reterr_reason[static LAYERS_REASON_MAX])
{
	int r = fill(l, t);

	if (r < 0)
		return loader_explain_error(reterr_reason, "the tables do not fit into the maps",
					    r);
	t->config.session = ++l->place->session;
	r = see_canary(l, t->config, reterr_reason);
	return r < 0 ? r : set_config(l->programs, l->slot, &t->config);
}

int lsm_start(struct lsm_layers *l, const struct peer *peer, const struct layers_lsm *q, int tables,
	      int ret_fds[static _LAYERS_LSM_FD_MAX], size_t *ret_n,
	      char reterr_reason[static LAYERS_REASON_MAX])
{
	_cleanup_(tables_fini) struct tables t = {};
	int r = tables_read(q, tables, &t);

	if (r < 0)
		return loader_explain(reterr_reason, "the tables are out of bounds", r);
	if (lsm_programs_load(l->programs) < 0)
		return loader_explain(reterr_reason, l->programs->reason, l->programs->error);
	r = l->maps[0] < 0 ? lsm_prepare(l) : 0;
	if (r < 0)
		return loader_explain_error(reterr_reason, "the session's maps cannot be made", r);
	r = begin(l, &t, reterr_reason);
	if (r < 0) {
		if (!*reterr_reason)
			(void)loader_explain(reterr_reason, strerror(-r), r);
		return r;
	}
	l->is_started = true;
	/* A stranger could hold the links for ever, and with them the programs of loaders that have
	 * long ended. */
	*ret_n = list_fds(l, peer->uid == 0, ret_fds);
	return 0;
}

int lsm_join(const struct lsm_layers *l, const struct peer *peer, int pidfd,
	     char reterr_reason[static LAYERS_REASON_MAX])
{
	pid_t pid;
	int r = peer_check_child(peer, pidfd, NULL, &pid, reterr_reason);

	if (r < 0)
		return r;
	(void)__atomic_fetch_add(tasks_of(l->programs, l->slot), 1, __ATOMIC_RELAXED);
	r = mark(l, pidfd);
	if (r == 0)
		return 0;
	(void)__atomic_fetch_sub(tasks_of(l->programs, l->slot), 1, __ATOMIC_RELAXED);
	return loader_explain(reterr_reason, strerror(-r), r);
}

static void free_slot(struct lsm_programs *programs, uint32_t slot, struct lsm_place *place)
{
	const struct lsm_config nobody = {};

	if (!place->has_maps)
		return;
	(void)set_config(programs, slot, &nobody);
	(void)change_slot(programs, slot, NULL);
	__atomic_store_n(tasks_of(programs, slot), 0, __ATOMIC_RELAXED);
	place->has_maps = false;
}

bool lsm_clear_slot(struct lsm_programs *programs, uint32_t slot, struct lsm_place *place)
{
	if (place->has_maps &&
	    (int32_t)__atomic_load_n(tasks_of(programs, slot), __ATOMIC_RELAXED) > 0)
		return false;
	free_slot(programs, slot, place);
	return true;
}

void lsm_end(struct lsm_layers *l)
{
	const struct timespec round = {.tv_nsec = END_ROUND_NS};

	slots_close(l->maps, _LSM_MAP_MAX);
	for (int i = 0; i < END_ROUNDS && !lsm_clear_slot(l->programs, l->slot, l->place); i++)
		(void)nanosleep(&round, NULL);
	free_slot(l->programs, l->slot, l->place);
}
