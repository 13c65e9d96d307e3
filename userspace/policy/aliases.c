/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/aliases.h"

#define NAME(s)                                                                                    \
	{                                                                                          \
		.name = {.p = (s), .len = sizeof(s) - 1 }                                          \
	}

static const struct policy_name exec_names[] = {NAME("bash"), NAME("shell"), NAME("exec")};
static const struct policy_name read_names[] = {NAME("file_read"), NAME("read_file"), NAME("read")};
/* All but a delete use the first three. */
static const struct policy_name change_names[] = {
	NAME("file_write"),  NAME("write_file"),  NAME("edit"),
	NAME("file_delete"), NAME("delete_file"),
};
static const struct policy_name network_names[] = {NAME("http_request"), NAME("fetch"),
						   NAME("web_fetch")};

#define N_CHANGE_NAMES 3

_Static_assert(ARRAY_SIZE(change_names) == POLICY_MAX_ALIASES, "the longest list");

const struct policy_name *policy_op_aliases(enum action_op op, size_t *ret_n)
{
	uint32_t bit = (unsigned int)op < _OP_MAX ? OP_BIT(op) : 0;

	if (bit & OP_BIT(OP_READ)) {
		*ret_n = ARRAY_SIZE(read_names);
		return read_names;
	}
	if (bit & OPS_CHANGE) {
		*ret_n = op == OP_DELETE ? ARRAY_SIZE(change_names) : N_CHANGE_NAMES;
		return change_names;
	}
	if (bit & OP_BIT(OP_EXEC)) {
		*ret_n = ARRAY_SIZE(exec_names);
		return exec_names;
	}
	*ret_n = bit & OPS_NETWORK ? ARRAY_SIZE(network_names) : 0;
	return network_names;
}
