/* SPDX-License-Identifier: Apache-2.0 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>

#include "bpf/abi.h"
#include "bpf/lsm.skel.h"

#include "loader/bpf/canary.h"
#include "loader/bpf/loader.h"
#include "loader/bpf/lsm.h"

#define INIT_PID_NAMESPACE 0xeffffffcU /* PROC_PID_INIT_INO, include/linux/proc_ns.h */
#define N_CLASSES          256
#define END_ROUNDS         500
#define END_ROUND_NS       10000000L

_Static_assert(sizeof(((struct lsm_bpf *)NULL)->bss->state) == sizeof(struct lsm_state),
	       "as user space maps it");

static int explain(char *ret, const char *words, int r)
{
	(void)snprintf(ret, LAYERS_REASON_MAX, "%s", words);
	return r;
}

/* ---- the tables */

static size_t n_cells(const struct layers_lsm *q)
{
	return (size_t)q->n_states * (q->n_classes + 1);
}

static bool is_possible(const struct layers_lsm *q)
{
	size_t n_kinds = 1;

	if (q->reserved != 0 || q->is_audit > 1 || q->n_classes < 1 || q->n_classes > N_CLASSES ||
	    q->n_states < 1 || q->n_states > UINT16_MAX || n_cells(q) > LSM_CELLS_MAX ||
	    q->n_verdicts < 1 || q->n_verdicts > LSM_VERDICTS_MAX)
		return false;
	for (size_t i = 0; i < LSM_PARTS; i++) {
		if (q->parts[i].first >= q->n_states || q->parts[i].n_kinds < 1 ||
		    q->parts[i].n_kinds > LSM_VERDICTS_MAX)
			return false;
		n_kinds *= q->parts[i].n_kinds;
		if (n_kinds > q->n_verdicts)
			return false;
	}
	return n_kinds == q->n_verdicts;
}

static uint32_t power_of_two(size_t at_least)
{
	uint32_t n = 8;

	while (n < at_least)
		n *= 2;
	return n;
}

/* A state or class that is too large would be a place outside: the programs cut it, and so do we
 * refuse it. */
static bool are_cells_possible(const struct layers_lsm *q, const uint16_t *cells)
{
	for (size_t i = 0; i < n_cells(q); i++)
		if (i % (q->n_classes + 1) == q->n_classes ? cells[i] >= q->n_verdicts
							   : cells[i] >= q->n_states)
			return false;
	return true;
}

static int read_at(int fd, void *ret, size_t size, off_t at)
{
	ssize_t n = pread(fd, ret, size, at);

	if (n < 0)
		return -errno;
	return (size_t)n == size ? 0 : -EPROTO;
}

static int fill(const struct lsm_bpf *b, const struct layers_lsm *q, int tables)
{
	const off_t cells_at = N_CLASSES;
	const off_t verdicts_at = cells_at + (off_t)(n_cells(q) * sizeof(uint16_t));
	_cleanup_(freep) uint16_t *cells = calloc(power_of_two(n_cells(q)), sizeof(*cells));
	_cleanup_(freep) uint32_t *verdicts =
		calloc(power_of_two(q->n_verdicts), sizeof(*verdicts));
	const uint32_t zero = 0;
	int r = cells && verdicts ? 0 : -ENOMEM;

	if (r == 0)
		r = read_at(tables, cells, n_cells(q) * sizeof(*cells), cells_at);
	if (r == 0 && !are_cells_possible(q, cells))
		r = -EPROTO;
	if (r == 0)
		r = read_at(tables, verdicts, q->n_verdicts * sizeof(*verdicts), verdicts_at);
	if (r == 0)
		r = bpf_map_update_elem(bpf_map__fd(b->maps.cells), &zero, cells, 0);
	if (r == 0)
		r = bpf_map_update_elem(bpf_map__fd(b->maps.verdicts), &zero, verdicts, 0);
	return r;
}

/* The rest of the configuration is the request's. Return: 0, -errno. */
static int configure(struct lsm_bpf *b, const struct layers_lsm *q, int tables)
{
	struct lsm_config *c = (struct lsm_config *)&b->rodata->config;
	int r = read_at(tables, c->classes, sizeof(c->classes), 0);

	if (r < 0)
		return r;
	for (size_t i = 0; i < sizeof(c->classes); i++)
		if (c->classes[i] >= q->n_classes)
			return -EPROTO;
	c->floor = q->floor;
	c->decides = q->decides;
	c->records = q->records;
	c->is_audit = q->is_audit;
	c->n_classes = q->n_classes;
	c->cell_mask = power_of_two(n_cells(q)) - 1;
	c->verdict_mask = power_of_two(q->n_verdicts) - 1;
	for (size_t i = 0; i < LSM_PARTS; i++)
		c->parts[i] = (struct lsm_part){q->parts[i].first, q->parts[i].n_kinds};
	r = bpf_map__set_value_size(b->maps.cells, (c->cell_mask + 1) * sizeof(uint16_t));
	if (r == 0)
		r = bpf_map__set_value_size(b->maps.verdicts,
					    (c->verdict_mask + 1) * sizeof(uint32_t));
	return r;
}

/* ---- the canary */

static int open_something(const void *argument _unused_)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	if (fd >= 0)
		return CANARY_WENT_ON;
	return errno == EACCES ? CANARY_REFUSED : CANARY_FAILED;
}

static int mark(const struct lsm_bpf *b, int pidfd)
{
	const uint32_t value = 1;

	return bpf_map_update_elem(bpf_map__fd(b->maps.marks), &pidfd, &value, BPF_ANY);
}

static int see_canary(const struct lsm_bpf *b, char reterr_reason[static LAYERS_REASON_MAX])
{
	int go, r;
	pid_t pid = canary_start(open_something, NULL, &go);
	_cleanup_(fd_closep) int pidfd = pid > 0 ? (int)syscall(SYS_pidfd_open, pid, 0U) : -1;

	if (pid < 0)
		return pid;
	r = pidfd < 0 ? -errno : mark(b, pidfd);
	b->bss->state.canary = (uint32_t)pid;
	if (canary_finish(pid, go) != CANARY_REFUSED && r == 0)
		return explain(reterr_reason,
			       "attached, but what it refuses went through: is `bpf` in lsm=?",
			       -ENOTRECOVERABLE);
	/* It ended, and nobody had counted its beginning. */
	b->bss->state.tasks = 0;
	return r;
}

/* ---- */

/* The numbers of processes that programs see are those of the first namespace. */
static bool has_own_pid_namespace(void)
{
	struct stat st;

	return stat("/proc/self/ns/pid", &st) < 0 || st.st_ino != INIT_PID_NAMESPACE;
}

static int load(struct lsm_layers *l, const struct peer *peer, const struct layers_lsm *q,
		int tables)
{
	struct lsm_bpf *b = l->programs = lsm_bpf__open();
	int r;

	if (!b)
		return -errno;
	((struct lsm_config *)&b->rodata->config)->supervisor = (uint32_t)peer->pid;
	r = configure(b, q, tables);
	if (r == 0)
		r = lsm_bpf__load(b);
	if (r == 0)
		r = fill(b, q, tables);
	return r == 0 ? lsm_bpf__attach(b) : r;
}

static size_t list_fds(const struct lsm_bpf *b, int ret[static _LAYERS_LSM_FD_MAX])
{
	const struct bpf_object_skeleton *skeleton = b->skeleton;
	size_t n = LAYERS_LSM_FD_LINKS;

	ret[LAYERS_LSM_FD_EVENTS] = bpf_map__fd(b->maps.events);
	ret[LAYERS_LSM_FD_REFUSED] = bpf_map__fd(b->maps.refused);
	ret[LAYERS_LSM_FD_COUNTERS] = bpf_map__fd(b->maps.bss);
	for (int i = 0; i < skeleton->prog_cnt && n < _LAYERS_LSM_FD_MAX; i++)
		ret[n++] = bpf_link__fd(*skeleton->progs[i].link);
	return n;
}

int lsm_start(struct lsm_layers *l, const struct peer *peer, const struct layers_lsm *q, int tables,
	      int ret_fds[static _LAYERS_LSM_FD_MAX], size_t *ret_n,
	      char reterr_reason[static LAYERS_REASON_MAX])
{
	int r;

	if (!is_possible(q))
		return explain(reterr_reason, "the tables are out of bounds", -EPROTO);
	if (has_own_pid_namespace())
		return explain(reterr_reason, "in a PID namespace of its own", -EOPNOTSUPP);
	l->supervisor = fcntl(peer->pidfd, F_DUPFD_CLOEXEC, 0);
	if (l->supervisor < 0)
		return -errno;
	words_reset();
	r = load(l, peer, q, tables);
	if (r == 0)
		r = see_canary(l->programs, reterr_reason);
	if (r == 0)
		r = mark(l->programs, l->supervisor);
	if (r < 0) {
		if (!*reterr_reason)
			words_explain(reterr_reason, LAYERS_REASON_MAX, -r);
		lsm_bpf__destroy(l->programs);
		l->programs = NULL;
		l->supervisor = fd_close(l->supervisor);
		return r;
	}
	*ret_n = list_fds(l->programs, ret_fds);
	return 0;
}

int lsm_seal(struct lsm_layers *l)
{
	int r = bpf_map_delete_elem(bpf_map__fd(l->programs->maps.marks), &l->supervisor);

	l->supervisor = fd_close(l->supervisor);
	return r < 0 ? -errno : 0;
}

void lsm_end(struct lsm_layers *l)
{
	const struct timespec round = {.tv_nsec = END_ROUND_NS};

	if (!l->programs)
		return;
	for (int i = 0; i < END_ROUNDS && (int32_t)l->programs->bss->state.tasks > 0; i++)
		(void)nanosleep(&round, NULL);
	lsm_bpf__destroy(l->programs);
	l->programs = NULL;
}
