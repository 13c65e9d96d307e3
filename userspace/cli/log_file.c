/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "audit/audit.h"
#include "audit/keylist.h"
#include "audit/place.h"
#include "base/dirs.h"
#include "base/say.h"

#include "cli/log_file.h"

#define DAMAGED_TOLD 20

void log_file_say_damaged(uint64_t *count, const char *path, uint64_t number, const char *why)
{
	(void)fflush(stdout); /* keeps the two streams in order on a terminal */
	if (*count < DAMAGED_TOLD)
		say("%s:%llu: this line %s; going on after it", path, (unsigned long long)number,
		    why);
	else if (*count == DAMAGED_TOLD)
		say("%s: more lines are damaged, and are not told one by one", path);
	++*count;
}

void log_file_recover(const char *path)
{
	_cleanup_(freep) char *keys = keylist_path();
	struct diag d = {};
	int r;

	r = audit_recover(path, keys, &d);
	if (r > 0)
		say("recovered %d records of a session that was killed", r);
	else if (r < 0 && r != -EBUSY)
		say("%s, ignoring", d.message);
}

int log_file_open(const char *what, char **ret_path, struct reader **ret)
{
	_cleanup_(freep) char *path = NULL;
	struct diag d = {};
	int r;

	r = audit_find(what, &path, &d);
	if (r == 0 && access(path, R_OK) == 0)
		log_file_recover(path);
	if (r == 0)
		r = reader_open(path, ret, &d);
	if (r < 0) {
		say("%s", r == -ENOMEM ? "out of memory" : d.message);
		return r;
	}
	*ret_path = TAKE_PTR(path);
	return 0;
}
