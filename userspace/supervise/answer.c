/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The answers that a notification can get. Which of them an allowed action gets is said by its act:
 * what Holdfast can perform for the agent is performed, and the agent is handed the result.
 */
#include <fcntl.h>
#include <linux/seccomp.h>
#include <sys/ioctl.h>

#include "supervise/receivers_private.h"
#include "supervise/supervise_private.h"

int supervise_answer_errno(int listener, uint64_t id, int error)
{
	struct seccomp_notif_resp resp = {.id = id, .error = -error};

	return ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &resp) < 0 ? -errno : 0;
}

static int answer_value(int listener, uint64_t id, int64_t value)
{
	struct seccomp_notif_resp resp = {.id = id, .val = value};

	return ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &resp) < 0 ? -errno : 0;
}

/*
 * WHY-CONTINUE-IS-SAFE: only for acts that their decoder left at ACT_CONTINUE, which says there why
 * nothing that the agent can change meanwhile bears on what was decided; and for an exec, whose
 * image and arguments are compared with what was approved before they run.
 */
int supervise_answer_continue(int listener, uint64_t id)
{
	struct seccomp_notif_resp resp = {.id = id, .flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE};

	return ioctl(listener, SECCOMP_IOCTL_NOTIF_SEND, &resp) < 0 ? -errno : 0;
}

/*
 * The descriptor becomes the agent's and the call's value in one step (Linux 5.14), so that no
 * other thread of it sees a number that the call has not returned. What the agent's own table has
 * to say (EMFILE) comes back from here.
 *
 * WAKE_SIGNAL must not interrupt that step: the kernel then takes the descriptor back, but not the
 * answer, and the call returns 0, which is another descriptor (seccomp_notify_addfd() in
 * kernel/seccomp.c). The warden sends it to whoever is slow, as this is where the agent's task has
 * to be given a CPU first; but to nobody who has sealed the call. receivers_stop() sends it to all,
 * when no task is left that could see what the call returned.
 */
static void answer_fd(int listener, uint64_t id, const struct behalf_result *result)
{
	struct seccomp_notif_addfd add = {
		.id = id,
		.flags = SECCOMP_ADDFD_FLAG_SEND,
		.srcfd = (uint32_t)result->fd,
		.newfd_flags = result->is_cloexec ? O_CLOEXEC : 0,
	};
	int error;

	receivers_seal();
	error = ioctl(listener, SECCOMP_IOCTL_NOTIF_ADDFD, &add) < 0 ? errno : 0;
	/* ENOENT: the caller died or was interrupted. */
	if (error && error != ENOENT)
		(void)supervise_answer_errno(listener, id, error);
}

enum audit_result supervise_result_of(const struct action *a)
{
	return a->act.kind == ACT_OPEN || a->act.kind == ACT_CHANGE || a->act.kind == ACT_NETWORK
		       ? AUDIT_RESULT_PERFORMED
		       : AUDIT_RESULT_CONTINUED;
}

int supervise_carry_out(struct context *c, const struct seccomp_notif *n, const struct action *a)
{
	int listener = c->supervise->config.listener;
	struct behalf_result result = {.fd = -1};
	int r = 0;

	if (a->kind == KIND_SYSTEM && (a->grant == GRANT_MOUNT || a->grant == GRANT_NAMESPACES))
		atomic_store(&c->supervise->foreign_roots, true);
	if (a->act.kind == ACT_EXEC || a->act.kind == ACT_LINEAGE)
		r = behalf_note(c->behalf, a);
	if (r < 0) {
		(void)supervise_answer_errno(listener, n->id, -r);
		return 0;
	}
	if (a->act.kind == ACT_EXEC) {
		receivers_seal();
		supervise_carry_out_exec(c, n, a);
		return 0;
	}
	if (a->act.kind == ACT_ACCEPT)
		accepts_note(c->supervise->accepts, a);
	if (a->act.kind == ACT_HIDE) {
		(void)answer_value(listener, n->id, 0);
		return 0;
	}
	if (supervise_result_of(a) == AUDIT_RESULT_CONTINUED) {
		(void)supervise_answer_continue(listener, n->id);
		return 0;
	}
	r = behalf_perform(c->behalf, a, &result);
	if (r == -ESTALE)
		return r;
	if (r == BEHALF_INTERRUPTED)
		(void)supervise_answer_errno(listener, n->id, supervise_interrupt_errno(a->tid));
	else if (r < 0 && r != -ENOENT)
		(void)supervise_answer_errno(listener, n->id, EACCES); /* cannot be done: denied */
	else if (r == 0 && result.fd >= 0)
		answer_fd(listener, n->id, &result);
	else if (r == 0 && result.error)
		(void)supervise_answer_errno(listener, n->id, result.error);
	else if (r == 0)
		(void)answer_value(listener, n->id, result.value);
	result.fd = fd_close(result.fd);
	return 0;
}
