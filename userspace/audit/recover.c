/* SPDX-License-Identifier: Apache-2.0 */
#include <sys/prctl.h>
#include <sys/stat.h>

#include "audit/internal.h"
#include "audit/keylist.h"
#include "audit/signkey.h"

/* Brings the file to where the ring says it was: what is behind that is a batch that was written,
 * wholly or in part, but not yet accounted for, and is still in the ring. */
static int rewind_file(struct audit *a)
{
	struct stat st;

	a->at.commit = ring_get_commit(&a->ring);
	if (a->at.commit.rotating)
		return audit_end_rotation(a);
	if (fstat(a->file.fd, &st) < 0)
		return -errno;
	if ((uint64_t)st.st_size > a->at.commit.file_bytes &&
	    ftruncate(a->file.fd, (off_t)a->at.commit.file_bytes) < 0)
		return -errno;
	return audit_begin_at_end(a);
}

static const char *recovery_error(int r)
{
	switch (r) {
	case -EBADMSG:
	case -EPROTO:
		return "it is damaged or of another version; move it away";
	case -EMSGSIZE:
		return "the log ends in a line of more than 2 MiB, which is no record; move it away";
	case -EBUSY:
		return "a session is still writing to it";
	case -EPERM:
		return "it belongs to another user, who recovers it with 'holdfast log'";
	default:
		return strerror(-r);
	}
}

static int refuse_recovery(const struct audit *a, int r, struct diag *reterr_diag)
{
	(void)diag_set(reterr_diag, NULL, 0, 0,
		       "cannot recover the last records of the log '%s' from '%s': %s",
		       a->file.path, a->file.ring_name, recovery_error(r));
	return r;
}

/* Takes over the ring of a dead session. Return: 1: done; 0: there is nothing to recover; -errno.
 */
static int adopt_ring(struct audit *a)
{
	int r;

	r = ring_open_stale(a->file.dirfd, a->file.ring_name, &a->ring);
	if (r == 0)
		return 1;
	if (r == RING_E_EMPTY)
		return unlinkat(a->file.dirfd, a->file.ring_name, 0) < 0 ? -errno : 0;
	if (r == RING_E_BUSY)
		return -EBUSY;
	if (r == RING_E_FOREIGN)
		return -EPROTO;
	return r == -ENOENT ? 0 : r;
}

/* Return: 0, -errno: it cannot be registered, as an agent cannot. */
static int make_key(const struct audit *a, const char *keys_path, struct signkey **ret_key,
		    int *ret_fd)
{
	_cleanup_(signkey_freep) struct signkey *key = NULL;
	_cleanup_(fd_closep) int fd = -1;
	int r;

	r = signkey_new(&key);
	if (r == 0)
		r = keylist_open(keys_path, &fd, NULL);
	if (r == 0)
		r = keylist_register(fd, KEYLIST_RECOVERY, ring_session(&a->ring),
				     signkey_public(key));
	if (r < 0)
		return r;
	*ret_key = TAKE_PTR(key);
	*ret_fd = TAKE_FD(fd);
	return 0;
}

static int add_checkpoint(struct audit *a, const char *keys_path)
{
	_cleanup_(signkey_freep) struct signkey *key = NULL;
	_cleanup_(fd_closep) int fd = -1;
	struct audit_position pos = a->at;
	int r;

	if (make_key(a, keys_path, &key, &fd) < 0)
		return 0;
	audit_set_key(a, key, fd);
	strbuf_reset(&a->text);
	r = audit_add_checkpoint(a, &pos);
	if (r == 0)
		r = audit_write_to(a, &pos);
	if (r == 0)
		r = audit_sync(a, true);
	audit_set_key(a, NULL, -1);
	return r;
}

/*
 * Signs what was recovered. Nobody can tell whether the lines since the last checkpoint were
 * changed between the death of their writer and now, so this signature says less than a session's,
 * and its text and its key are others. Meanwhile no process of the same user may look at our
 * memory.
 */
static int sign(struct audit *a, const char *keys_path)
{
	int dumpable = prctl(PR_GET_DUMPABLE), r;

	(void)prctl(PR_SET_DUMPABLE, 0);
	r = add_checkpoint(a, keys_path);
	(void)prctl(PR_SET_DUMPABLE, dumpable);
	return r;
}

int audit_recover(const char *path, const char *keys_path, struct diag *reterr_diag)
{
	_cleanup_(audit_freep) struct audit *a = NULL;
	int r;

	r = audit_new(&a);
	if (r < 0)
		return logfile_refuse(path, -r, reterr_diag);
	a->is_recovery = true;
	r = logfile_init(path, false, &a->file, reterr_diag);
	if (r < 0)
		return r;
	r = adopt_ring(a);
	if (r <= 0)
		return r < 0 ? refuse_recovery(a, r, reterr_diag) : 0;
	r = logfile_open(&a->file, true, reterr_diag);
	if (r < 0)
		return r;
	r = rewind_file(a);
	if (r < 0)
		return refuse_recovery(a, r, reterr_diag);
	a->tail = a->at.commit.tail;
	r = audit_drain(a);
	if (r == 0 && keys_path)
		r = sign(a, keys_path);
	if (r < 0)
		return refuse_recovery(a, r, reterr_diag);
	audit_finish(a);
	return a->lines;
}
