/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Whether whatever one matcher matches another matches too, told from their patterns alone. "No"
 * may mean "cannot tell". For lint; inside policy/ only.
 */
#pragma once

#include "policy/document.h"

/*
 * A rule taken apart: one operation and one alternative of each list. What the rule matches is what
 * its atoms match together. NULL members: the key is absent.
 */
struct atom {
	enum action_op op;
	const struct matcher *of; /* the keys that are not taken apart */
	const struct tool_pattern *tool;
	const struct glob *path;
	const struct address_range *address;
	const struct domain_pattern *domain;
};

/* True when @a certainly matches all that @atom does. */
bool covers_atom(const struct matcher *a, const struct atom *atom, struct regex_scratch *scratch);
