/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The layers that are loaded, as a session has them: by our own loader or by the service, with
 * tables that let nothing through, and a child that must be refused or seen.
 */
#include <fcntl.h>
#include <linux/capability.h>
#include <stdio.h>
#include <sys/prctl.h>

#include "loader/caps.h"
#include "loader/lsm.h"
#include "loader/net.h"
#include "loader/probe.h"
#include "loader/sight.h"

#define ENABLE_SERVICE                                                                             \
	"sudo systemctl enable --now holdfast-loader.socket; sudo holdfast doctor says what the "  \
	"kernel offers"

enum {
	REFUSED,
	WENT_ON,
	NOT_TRIED,
};

/* What came of @r, the loader's answer; -ENOTRECOVERABLE: it is there and does not do its work. */
static void tell(struct probe_result *ret, int r, const char *reason, const char *enable)
{
	const bool is_stranger = !(caps_permitted() & CAP_BIT(CAP_BPF));

	if (r == 0)
		return probe_set(ret, PROBE_YES, "", "");
	if (r == -ENOENT || r == -ECONNREFUSED || r == -EACCES)
		return probe_set(ret, is_stranger ? PROBE_UNKNOWN : PROBE_NO, reason,
				 is_stranger ? ENABLE_SERVICE : PROBE_ENABLE_BUILD);
	probe_set(ret, r == -ENOTRECOVERABLE ? PROBE_BROKEN : PROBE_NO, reason, enable);
}

void probe_ebpf_net(struct probe_context *context _unused_, struct probe_result *ret)
{
	static const struct layers_prefix all[] = {{.is_v4 = 1}, {.is_v4 = 0}};
	static const uint8_t port_classes[NET_PORTS];
	static const uint8_t verdicts[_NET_OP_MAX * NET_PROTOCOLS * ARRAY_SIZE(all)];
	const struct net_tables tables = {.prefixes = all,
					  .n_prefixes = ARRAY_SIZE(all),
					  .port_classes = port_classes,
					  .n_port_classes = 1,
					  .verdicts = verdicts,
					  .n_verdicts = sizeof(verdicts)};
	char reason[LAYERS_REASON_MAX];
	struct net *net = NULL;
	int r = net_start(&tables, false, false, &net, reason);

	net_free(net);
	tell(ret, r, reason, "Linux 6.7 or later, with cgroup v2 and BTF");
}

static int open_refused(void *argument)
{
	char reason[LAYERS_REASON_MAX];

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || lsm_join(argument, reason) < 0)
		return NOT_TRIED;
	if (open("/dev/null", O_RDONLY | O_CLOEXEC) >= 0)
		return WENT_ON;
	return errno == EACCES ? REFUSED : NOT_TRIED;
}

/* One state, and one kind of path, all of which is denied. Attached where nobody asks it is no
 * fault but a choice, the list of lsm=. */
void probe_ebpf_files(struct probe_context *context _unused_, struct probe_result *ret)
{
	static const uint8_t classes[256];
	static const uint16_t cells[2];
	static const uint32_t verdict = UINT32_MAX;
	const struct lsm_tables tables = {
		.classes = classes,
		.n_classes = 1,
		.cells = cells,
		.n_states = 1,
		.verdicts = &verdict,
		.n_verdicts = 1,
		.parts = {{0, 1}, {0, 1}, {0, 1}, {0, 1}},
	};
	const struct lsm_wishes wishes = {.floor = LSM_BIT(_LSM_FILE_OP_MAX) - 1};
	char reason[LAYERS_REASON_MAX];
	struct lsm *lsm = NULL;
	int r = lsm_start(&tables, &wishes, &lsm, reason);

	if (r == 0 && probe_in_child(open_refused, lsm) != REFUSED)
		probe_set(ret, PROBE_BROKEN, "it let a file be opened that it must refuse", "");
	else
		tell(ret, r == -ENOTRECOVERABLE ? -EOPNOTSUPP : r, reason, PROBE_ENABLE_LSM);
	lsm_free(lsm);
}

static int just_end(void *argument _unused_)
{
	return 0;
}

static void count_end(const struct sight_event *event, void *arg)
{
	unsigned *ends = arg;

	*ends += event->kind == SIGHT_EXIT;
}

void probe_ebpf_sight(struct probe_context *context _unused_, struct probe_result *ret)
{
	char reason[LAYERS_REASON_MAX];
	struct sight *sight = NULL;
	unsigned ends = 0;
	int r = sight_start(&sight, reason);

	if (r == 0) {
		(void)probe_in_child(just_end, NULL);
		(void)sight_read(sight, SIZE_MAX, count_end, &ends);
	}
	if (r == 0 && ends == 0)
		probe_set(ret, PROBE_BROKEN, "attached, but it did not see a process end", "");
	else
		tell(ret, r, reason, "Linux 5.11 or later, with BTF and CONFIG_BPF_LSM=y");
	sight_free(sight);
}

void probe_loader_service(struct probe_context *context _unused_, struct probe_result *ret)
{
	char reason[LAYERS_REASON_MAX];

	if (layers_try_service(reason) == 0)
		return probe_set(ret, PROBE_YES, "", "");
	probe_set(ret, PROBE_NO, reason, "sudo systemctl enable --now holdfast-loader.socket");
}
