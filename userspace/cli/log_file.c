/* SPDX-License-Identifier: Apache-2.0 */
#include "audit/audit.h"
#include "audit/keyfile.h"
#include "audit/place.h"
#include "base/dirs.h"
#include "base/say.h"

#include "cli/log_file.h"

/* The key that signs what is recovered, if we may read it: not for an agent, nor for others. */
static void open_key(struct keyfile **ret)
{
	_cleanup_(freep) char *path = keyfile_path();
	int r = path ? keyfile_open(path, ret, NULL) : -ENOENT;

	if (r < 0)
		*ret = NULL;
}

void log_file_recover(const char *path)
{
	_cleanup_(keyfile_freep) struct keyfile *key = NULL;
	_cleanup_(freep) char *ring = str_format("%s.ring", path);
	struct diag d = {};
	int r;

	if (ring && access(ring, F_OK) == 0)
		open_key(&key);
	r = audit_recover(path, key, &d);
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
