/* SPDX-License-Identifier: Apache-2.0 */
#include <grp.h>
#include <pwd.h>
#include <stdio.h>

#include "base/user.h"

#define PASSWD_BYTES 4096 /* longer lines than this end the search */
#define GROUP_BYTES  65536

static void fclosep(FILE **f)
{
	if (*f)
		(void)fclose(*f);
}

void user_name(uid_t uid, char out[static USER_NAME_SIZE])
{
	_cleanup_(fclosep) FILE *f = uid == 0 ? NULL : fopen("/etc/passwd", "re");
	struct passwd pw, *found = NULL;
	char buf[PASSWD_BYTES];

	while (f && fgetpwent_r(f, &pw, buf, sizeof(buf), &found) == 0)
		if (pw.pw_uid == uid) {
			(void)snprintf(out, USER_NAME_SIZE, "%s", pw.pw_name);
			return;
		}
	if (uid == 0)
		(void)snprintf(out, USER_NAME_SIZE, "root");
	else
		(void)snprintf(out, USER_NAME_SIZE, "uid %u", uid);
}

struct user_ids user_self(gid_t *groups, size_t max)
{
	int n = getgroups((int)max, groups);

	return (struct user_ids){.uid = geteuid(),
				 .gid = getegid(),
				 .groups = groups,
				 .n_groups = n > 0 ? (size_t)n : 0};
}

static bool is_in_group(const struct user_ids *who, gid_t gid)
{
	for (size_t i = 0; i < who->n_groups; i++)
		if (who->groups[i] == gid)
			return true;
	return who->gid == gid;
}

static bool is_in_named_group(const struct user_ids *who, const char *name)
{
	_cleanup_(fclosep) FILE *f = fopen("/etc/group", "re");
	_cleanup_(freep) char *buf = malloc(GROUP_BYTES);
	struct group gr, *found = NULL;

	while (f && buf && fgetgrent_r(f, &gr, buf, GROUP_BYTES, &found) == 0)
		if (streq(gr.gr_name, name))
			return is_in_group(who, gr.gr_gid);
	return false;
}

bool user_is_among(const struct user_ids *who, const char *const *names, size_t n)
{
	char name[USER_NAME_SIZE];

	user_name(who->uid, name);
	for (size_t i = 0; i < n; i++) {
		if (names[i][0] == '@' ? is_in_named_group(who, names[i] + 1)
				       : streq(names[i], name))
			return true;
	}
	return false;
}
