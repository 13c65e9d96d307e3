/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <sys/ioctl.h>

#include "behalf/domain.h"
#include "behalf/domains.h"

int behalf_new(const struct behalf_config *config, struct behalf **ret)
{
	struct behalf *b = calloc(1, sizeof(*b));
	int r;

	if (!b)
		return -ENOMEM;
	b->config = *config;
	b->self_fds = openat(config->proc, "self/fd", O_PATH | O_DIRECTORY | O_CLOEXEC);
	r = b->self_fds < 0 ? -errno : rights_init(&b->rights);
	b->rights.may_stay = config->has_thread;
	if (r < 0) {
		behalf_free(b);
		return r;
	}
	*ret = b;
	return 0;
}

struct behalf *behalf_free(struct behalf *b)
{
	if (!b)
		return NULL;
	rights_fini(&b->rights);
	b->self_fds = fd_close(b->self_fds);
	free(b);
	return NULL;
}

int behalf_still_waits(const struct behalf *b, const struct action *a)
{
	uint64_t id = a->act.notif_id;

	return ioctl(b->config.listener, SECCOMP_IOCTL_NOTIF_ID_VALID, &id) < 0 ? -ENOENT : 0;
}

const char *behalf_fd_name(int fd, char out[static BEHALF_FD_NAME_SIZE])
{
	(void)snprintf(out, BEHALF_FD_NAME_SIZE, "%d", fd);
	return out;
}

int behalf_call(struct behalf *b, const struct action *a, behalf_fn *fn, void *arg)
{
	int r;

	if (b->domain)
		return domain_run(b->domain, b, a, fn, arg);
	r = rights_take(&b->rights, &a->act.creds);
	if (r == 0)
		r = fn(b, a, arg);
	if (a->act.kind == ACT_OPEN)
		rights_leave_on(&b->rights);
	else
		rights_give_back(&b->rights);
	return r;
}

int behalf_meet(struct behalf *b, const struct action *a, struct behalf_met *ret)
{
	int r;

	ret->fd = -1;
	ret->error = 0;
	ret->is_known = false;
	ret->who = (struct policy_listener){};
	r = b->config.domains ? domains_get(b->config.domains, a, &b->domain) : 0;
	if (r < 0)
		return r;
	r = network_meet(b, a, ret);
	domains_put(b->config.domains, b->domain);
	b->domain = NULL;
	return r;
}

int behalf_perform(struct behalf *b, const struct action *a, struct behalf_result *ret)
{
	static int (*const performers[_ACT_KIND_MAX])(struct behalf *, const struct action *,
						      struct behalf_result *) = {
		[ACT_OPEN] = behalf_open,
		[ACT_NETWORK] = behalf_network,
		[ACT_CHANGE] = behalf_change,
	};
	int r;

	if (!performers[a->act.kind])
		return -EINVAL;
	r = b->config.domains ? domains_get(b->config.domains, a, &b->domain) : 0;
	if (r < 0)
		return r;
	r = performers[a->act.kind](b, a, ret);
	domains_put(b->config.domains, b->domain);
	b->domain = NULL;
	return r;
}

int behalf_note(struct behalf *b, const struct action *a)
{
	if (a->act.kind == ACT_EXEC)
		return domains_note_exec(b->config.domains, a);
	return domains_note(b->config.domains, &b->config, a);
}
