/* SPDX-License-Identifier: Apache-2.0 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <stdio.h>

#include "bpf/abi.h"
#include "bpf/sight.skel.h"

#include "loader/bpf/loader.h"
#include "loader/bpf/session.h"

/* libbpf 1.1 rounds .bss up to a page when it maps it; the first bytes are all there is. */
_Static_assert(sizeof(((struct sight_bpf *)NULL)->bss->lost) == sizeof(struct sight_lost),
	       "as user space maps it");

static int load(struct session_layers *s)
{
	const uint32_t mark = 1;
	int r;

	s->sight = sight_bpf__open_and_load();
	if (!s->sight)
		return -errno;
	/* Marked first: what it forks from here on is seen. */
	r = bpf_map_update_elem(bpf_map__fd(s->sight->maps.marks), &s->supervisor, &mark, BPF_ANY);
	if (r == 0)
		r = sight_bpf__attach(s->sight);
	return r;
}

int session_start(struct session_layers *s, int supervisor, int ret_fds[static _LAYERS_FD_MAX],
		  char reterr_reason[static LAYERS_REASON_MAX])
{
	int r;

	s->supervisor = supervisor;
	words_reset();
	r = load(s);
	if (r < 0) {
		words_explain(reterr_reason, LAYERS_REASON_MAX, -r);
		sight_bpf__destroy(s->sight);
		s->sight = NULL;
		s->supervisor = fd_close(s->supervisor);
		return r;
	}
	ret_fds[LAYERS_FD_RING] = bpf_map__fd(s->sight->maps.events);
	ret_fds[LAYERS_FD_COUNTERS] = bpf_map__fd(s->sight->maps.bss);
	return 0;
}

int session_seal(struct session_layers *s)
{
	int r = bpf_map_delete_elem(bpf_map__fd(s->sight->maps.marks), &s->supervisor);

	s->supervisor = fd_close(s->supervisor);
	return r < 0 ? -errno : 0;
}

void session_end(struct session_layers *s)
{
	sight_bpf__destroy(s->sight);
	s->sight = NULL;
	s->supervisor = fd_close(s->supervisor);
}
