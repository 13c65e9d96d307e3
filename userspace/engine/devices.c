/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/devices.h"

/* By path, as the kernel resolved it: what stands there on every system. */
static bool is_device(struct bytes path)
{
	static const char *const devices[] = {"/dev/null", "/dev/zero", "/dev/full",
					      "/dev/tty",  "/dev/ptmx", "/dev/console"};
	static const struct bytes terminals = BYTES_LIT("/dev/pts/");

	for (size_t i = 0; i < ARRAY_SIZE(devices); i++)
		if (bytes_eq_str(path, devices[i]))
			return true;
	return bytes_has_prefix(path, terminals) && path.len > terminals.len;
}

bool engine_changes_devices_only(const struct action *a)
{
	const uint32_t writing = OP_BIT(OP_WRITE) | OP_BIT(OP_TRUNCATE) | OP_BIT(OP_CREATE);

	for (size_t i = 0; i < a->n_steps; i++) {
		const struct action_step *s = &a->steps[i];

		if (!(OP_BIT(s->op) & OPS_CHANGE))
			continue;
		if (!(OP_BIT(s->op) & writing) || !is_device(s->object))
			return false;
	}
	return true;
}
