/* SPDX-License-Identifier: Apache-2.0 */
#include <pwd.h>
#include <stdio.h>

#include "base/user.h"

#define PASSWD_BYTES 4096 /* longer lines than this are skipped */

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
