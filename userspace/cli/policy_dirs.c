/* SPDX-License-Identifier: Apache-2.0 */
#include "base/dirs.h"

#include "cli/policy_dirs.h"

#define TEMPLATES "templates"

/* The directory of the running binary's parent: build/holdfast stands beside policies/, as bin/
 * beside share/. */
static char *beside_binary(void)
{
	_cleanup_(freep) char *exe = realpath("/proc/self/exe", NULL);

	for (int i = 0; exe && i < 2; i++) {
		char *slash = strrchr(exe, '/');

		if (!slash)
			return NULL;
		*slash = '\0';
	}
	return exe ? str_format("%s/policies", exe) : NULL;
}

static int add(struct policy_dirs *d, char *dir)
{
	if (!dir)
		return -ENOMEM;
	d->dirs[d->n++] = dir;
	return 0;
}

int policy_dirs_init(struct policy_dirs *ret)
{
	_cleanup_(freep) char *near = beside_binary();
	char *own = dirs_user_policies();
	int r = 0;

	*ret = (struct policy_dirs){};
	/* No home, no /proc: then there are fewer places, which is no error. */
	if (own)
		ret->dirs[ret->n++] = own;
	if (near) {
		r = add(ret, str_format("%s", near));
		if (r == 0)
			r = add(ret, str_format("%s/" TEMPLATES, near));
	}
	if (r == 0)
		r = add(ret, strdup(HOLDFAST_POLICY_DIR));
	return r < 0 ? r : add(ret, strdup(HOLDFAST_POLICY_DIR "/" TEMPLATES));
}

void policy_dirs_fini(struct policy_dirs *d)
{
	for (size_t i = 0; i < d->n; i++)
		free((void *)(uintptr_t)d->dirs[i]);
	d->n = 0;
}
