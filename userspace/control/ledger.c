/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <jansson.h>
#include <math.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/dirs.h"
#include "base/io.h"
#include "base/json.h"

#include "control/ledger.h"

#define LEDGER_MAX_BYTES ((size_t)4096)
#define LEDGER_VERSION   1

struct ledger {
	char name[LEDGER_NAME_MAX + 1];
	char *file, *lock, *fresh; /* names in the directory */
	char *path;                /* for people */
	int dir;
	struct stat seen; /* the file as last read or written; all zero: there was none */
};

bool ledger_is_name(const char *name)
{
	size_t len = strlen(name);

	return len > 0 && len <= LEDGER_NAME_MAX && name[0] != '.' &&
	       strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") ==
		       len;
}

char *ledger_dir(void)
{
	_cleanup_(freep) char *state = dirs_state();

	return state ? str_format("%s/accounts", state) : NULL;
}

static int fail(const struct ledger *l, int error, const char *what, struct diag *d)
{
	(void)diag_set(d, l->path, 0, 0, "%s: %s", what, strerror(-error));
	return error;
}

static int open_dir(struct ledger *l, const char *dir, struct diag *d)
{
	struct stat st;
	int r = io_mkdir_p(dir, 0700);

	if (r < 0)
		return fail(l, r, "cannot make the directory of accounts", d);
	l->dir = open(dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (l->dir < 0 || fstat(l->dir, &st) < 0)
		return fail(l, -errno, "cannot open the directory of accounts", d);
	if (st.st_uid != geteuid() || (st.st_mode & 022))
		return diag_set(
			d, dir, 0, 0,
			"the directory of accounts must belong to you (uid %u) and be writable "
			"by nobody else: chmod 700 it, or set XDG_STATE_HOME to another place",
			geteuid());
	return 0;
}

static void ledger_freep(struct ledger **l)
{
	ledger_free(*l);
}

int ledger_open(const char *dir, const char *name, struct ledger **ret, struct diag *reterr_diag)
{
	_cleanup_(ledger_freep) struct ledger *l = NULL;
	int r;

	if (!ledger_is_name(name))
		return diag_set(
			reterr_diag, NULL, 0, 0,
			"'%.80s' cannot be an account's name: at most %d letters, digits, '-', "
			"'_' and '.', not beginning with '.'",
			name, LEDGER_NAME_MAX);
	l = calloc(1, sizeof(*l));
	if (!l)
		return -ENOMEM;
	l->dir = -1;
	memcpy(l->name, name, strlen(name));
	l->file = str_format("%s.json", name);
	l->lock = str_format("%s.lock", name);
	l->fresh = str_format("%s.json.new", name);
	l->path = str_format("%s/%s.json", dir, name);
	if (!l->file || !l->lock || !l->fresh || !l->path)
		return -ENOMEM;
	r = open_dir(l, dir, reterr_diag);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(l);
	return 0;
}

struct ledger *ledger_free(struct ledger *l)
{
	if (!l)
		return NULL;
	free(l->file);
	free(l->lock);
	free(l->fresh);
	free(l->path);
	fd_close(l->dir);
	free(l);
	return NULL;
}

const char *ledger_name(const struct ledger *l)
{
	return l->name;
}

/* What the file says is spent; 0 when there is none yet. */
static int ledger_read(struct ledger *l, double *ret, struct diag *d)
{
	_cleanup_(strbuf_fini) struct strbuf text = STRBUF_INIT(LEDGER_MAX_BYTES);
	json_t *root;
	const json_t *spent;
	int r;

	l->seen = (struct stat){};
	*ret = 0;
	r = io_read_file_at(l->dir, l->file, &text);
	if (r == -ENOENT)
		return 0;
	if (r < 0)
		return fail(l, r, "cannot read the account", d);
	root = json_loadb(text.p ? text.p : "", text.len, JSON_REJECT_DUPLICATES, NULL);
	spent = json_object_get(root, "spent");
	r = json_integer_value(json_object_get(root, "v")) == LEDGER_VERSION &&
			    json_is_number(spent) && json_number_value(spent) >= 0
		    ? 0
		    : -EINVAL;
	*ret = json_number_value(spent);
	json_decref(root);
	if (r < 0)
		return diag_set(
			d, l->path, 0, 0,
			"this is not an account that holdfast wrote: repair its \"spent\", or "
			"remove the file to begin anew");
	return 0;
}

static int ledger_write(struct ledger *l, double spent, struct diag *d)
{
	_cleanup_(strbuf_fini) struct strbuf text = STRBUF_INIT(LEDGER_MAX_BYTES);
	struct json j = JSON_INIT(&text);
	char time[CLOCK_RFC3339_SIZE];
	int r;

	clock_format_rfc3339(clock_realtime_ns(), time);
	json_begin_object(&j);
	json_key_u64(&j, "v", LEDGER_VERSION);
	json_key_cstr(&j, "account", l->name);
	json_key_double(&j, "spent", spent);
	json_key_cstr(&j, "updated", time);
	json_end_object(&j);
	strbuf_add_char(&text, '\n');
	r = strbuf_error(&text);
	if (r == 0)
		r = io_replace_file_at(l->dir, l->file, l->fresh, strbuf_bytes(&text), false);
	return r < 0 ? fail(l, r, "cannot write the account", d) : 0;
}

int ledger_add(struct ledger *l, double amount, uint64_t wait_ns, double *ret_spent,
	       struct diag *reterr_diag)
{
	_cleanup_(fd_closep) int lock = io_lock_at(l->dir, l->lock, wait_ns);
	double spent;
	int r;

	if (lock < 0)
		return fail(l, lock, "cannot lock the account", reterr_diag);
	r = ledger_read(l, &spent, reterr_diag);
	if (r == 0 && amount > 0) {
		spent += amount;
		r = isfinite(spent) ? ledger_write(l, spent, reterr_diag) : -ERANGE;
		if (r == -ERANGE)
			return fail(l, r, "so much cannot be spent", reterr_diag);
	}
	if (r < 0)
		return r;
	(void)fstatat(l->dir, l->file, &l->seen, AT_SYMLINK_NOFOLLOW);
	*ret_spent = spent;
	return 0;
}

bool ledger_has_changed(const struct ledger *l)
{
	struct stat st = {};

	(void)fstatat(l->dir, l->file, &st, AT_SYMLINK_NOFOLLOW);
	return st.st_ino != l->seen.st_ino || st.st_mtim.tv_sec != l->seen.st_mtim.tv_sec ||
	       st.st_mtim.tv_nsec != l->seen.st_mtim.tv_nsec;
}
