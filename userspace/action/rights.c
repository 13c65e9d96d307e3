/* SPDX-License-Identifier: Apache-2.0 */
#include <linux/capability.h>
#include <sys/syscall.h>

#include "action/rights.h"

/* Like what it tells of, the kernel's credentials, it is of the thread and not of a struct rights:
 * a thread may have several of those. NULL: nothing stayed on. */
static _Thread_local const struct rights *left;

static int get_caps(uint64_t *ret_effective, uint64_t *ret_permitted)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {};

	if (syscall(SYS_capget, &head, data) < 0)
		return -errno;
	*ret_effective = data[0].effective | (uint64_t)data[1].effective << 32;
	*ret_permitted = data[0].permitted | (uint64_t)data[1].permitted << 32;
	return 0;
}

/* The permitted set stays, so that what is laid down can be taken up again. */
static int set_caps(const struct rights *o, uint64_t effective)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	const uint64_t permitted = o->permitted;
	const struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {
		{.effective = (uint32_t)effective, .permitted = (uint32_t)permitted},
		{.effective = (uint32_t)(effective >> 32),
		 .permitted = (uint32_t)(permitted >> 32)},
	};

	return syscall(SYS_capset, &head, data) < 0 ? -errno : 0;
}

/* setfsuid(2) and setfsgid(2) return the old ID, also when they refuse. */
static int set_fsuid(uid_t uid)
{
	(void)syscall(SYS_setfsuid, uid);
	return (uid_t)syscall(SYS_setfsuid, (uid_t)-1) == uid ? 0 : -EPERM;
}

static int set_fsgid(gid_t gid)
{
	(void)syscall(SYS_setfsgid, gid);
	return (gid_t)syscall(SYS_setfsgid, (gid_t)-1) == gid ? 0 : -EPERM;
}

static int set_groups(const gid_t *groups, size_t n)
{
	return syscall(SYS_setgroups, n, groups) < 0 ? -errno : 0;
}

static bool has_groups(const struct act_creds *a, const struct act_creds *b)
{
	return a->n_groups == b->n_groups &&
	       (a->n_groups == 0 ||
		memcmp(a->groups, b->groups, a->n_groups * sizeof(*a->groups)) == 0);
}

int rights_init(struct rights *o)
{
	int n = getgroups(0, NULL);
	int r;

	if (n < 0)
		return -errno;
	o->groups = calloc((size_t)n + 1, sizeof(*o->groups));
	if (!o->groups)
		return -ENOMEM;
	n = getgroups(n, o->groups);
	r = n < 0 ? -errno : get_caps(&o->own.cap_effective, &o->permitted);
	if (r < 0)
		return r;
	o->own.groups = o->groups;
	o->own.n_groups = (size_t)n;
	o->own.fsuid = (uid_t)syscall(SYS_setfsuid, (uid_t)-1);
	o->own.fsgid = (gid_t)syscall(SYS_setfsgid, (gid_t)-1);
	return 0;
}

void rights_fini(struct rights *o)
{
	if (left == o)
		(void)rights_settle();
	free(o->groups);
	o->groups = NULL;
}

/* IDs first: changing them takes capabilities that may have to be laid down, and leaving user 0
 * lays some down by itself. */
static int take_on(struct rights *o, const struct act_creds *from, const struct act_creds *to)
{
	int r = 0;

	if (!has_groups(from, to)) {
		r = set_groups(to->groups, to->n_groups);
		o->has_groups = r == 0;
	}
	o->has_ids = from->fsgid != to->fsgid || from->fsuid != to->fsuid;
	if (r == 0 && from->fsgid != to->fsgid)
		r = set_fsgid(to->fsgid);
	if (r == 0 && from->fsuid != to->fsuid)
		r = set_fsuid(to->fsuid);
	if (r < 0)
		return r;
	return set_caps(o, to->cap_effective & o->permitted);
}

static bool has_own_ids(const struct rights *o, const struct act_creds *creds)
{
	return o->own.fsuid == creds->fsuid && o->own.fsgid == creds->fsgid &&
	       has_groups(&o->own, creds);
}

int rights_take(struct rights *o, const struct act_creds *creds)
{
	const uint64_t wanted = creds->cap_effective & o->permitted;
	int r;

	if (!creds->differs) {
		(void)rights_settle();
		return 0;
	}
	if (left && left->taken == wanted && has_own_ids(o, creds)) {
		left = NULL;
		o->taken = wanted;
		o->is_taken = o->is_whole = true;
		return 0;
	}
	(void)rights_settle();
	o->is_taken = true;
	o->taken = wanted;
	r = take_on(o, &o->own, creds);
	o->is_whole = r == 0;
	return r;
}

/* Of the capabilities, walking asks for these (generic_permission() in fs/namei.c), and the first
 * is all that the second is there. */
bool rights_walk_alike(const struct rights *o, const struct act_creds *creds)
{
	const uint64_t override = UINT64_C(1) << CAP_DAC_OVERRIDE;
	const uint64_t search = UINT64_C(1) << CAP_DAC_READ_SEARCH;
	uint64_t ours = o->own.cap_effective, theirs = creds->cap_effective;

	return has_own_ids(o, creds) &&
	       (ours & theirs & override || ((ours ^ theirs) & (override | search)) == 0);
}

/* The real and saved ones stay, so that this can be undone and nobody else may signal us. */
static int set_effective(uid_t uid, gid_t gid)
{
	return syscall(SYS_setresgid, -1, gid, -1) < 0 || syscall(SYS_setresuid, -1, uid, -1) < 0
		       ? -errno
		       : 0;
}

int rights_identify(struct rights *o, const struct act_creds *creds)
{
	int r;

	if (!o->is_taken || (creds->fsuid == o->own.fsuid && creds->fsgid == o->own.fsgid))
		return 0;
	r = set_caps(o, o->own.cap_effective);
	if (r < 0)
		return r;
	o->is_identified = true;
	r = set_effective(creds->fsuid, creds->fsgid);
	return r < 0 ? r : set_caps(o, creds->cap_effective & o->permitted);
}

void rights_give_back(struct rights *o)
{
	(void)rights_settle();
	if (!o->is_taken)
		return;
	o->is_taken = false;
	if (o->is_identified && (set_caps(o, o->own.cap_effective) < 0 ||
				 set_effective(o->own.fsuid, o->own.fsgid) < 0))
		abort();
	o->is_identified = false;
	/* Capabilities first, for the same reason; what was half taken on is undone as well. Most
	 * agents have our IDs: each of these calls makes credentials anew, and a call that is
	 * performed has several scopes. */
	if (set_caps(o, o->own.cap_effective) < 0)
		abort();
	if (o->has_ids && (set_fsuid(o->own.fsuid) < 0 || set_fsgid(o->own.fsgid) < 0 ||
			   set_caps(o, o->own.cap_effective) < 0))
		abort();
	o->has_ids = false;
	/* Only then: a user namespace may forbid it (/proc/PID/setgroups). */
	if (o->has_groups && set_groups(o->own.groups, o->own.n_groups) < 0)
		abort();
	o->has_groups = false;
}

void rights_leave_on(struct rights *o)
{
	if (!o->is_taken || !o->is_whole || !o->may_stay || o->has_ids || o->has_groups ||
	    o->is_identified) {
		rights_give_back(o);
		return;
	}
	o->is_taken = false;
	left = o;
}

bool rights_settle(void)
{
	if (!left)
		return false;
	if (set_caps(left, left->own.cap_effective) < 0)
		abort();
	left = NULL;
	return true;
}
