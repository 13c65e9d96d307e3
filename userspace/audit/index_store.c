/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The index in SQLite: parts of blocks under a number made of file, block and part, so that what
 * is asked together is stored together. What SQLite's own checks do not see (a changed byte within
 * a part, a missing row), checksums and the continuity of blocks do, so nothing is synced: after a
 * power failure the worst is a new index.
 */
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/dirs.h"
#include "base/io.h"

#include "audit/index_private.h"

#define STORE_APPLICATION 0x484f4c44 /* "HOLD" */
#define STORE_VERSION     4
#define STORE_NAME        "index.sqlite"
#define STORE_POLL_MS     20

static int refuse(const struct index *ix, const char *what, int error, struct diag *reterr_diag)
{
	(void)diag_set(reterr_diag, NULL, 0, 0, "cannot %s the index in '%s': %s", what, ix->dir,
		       strerror(error));
	return -error;
}

/* What SQLite says, in our words. */
static int store_error(int code)
{
	switch (code & 0xff) {
	case SQLITE_OK:
	case SQLITE_DONE:
	case SQLITE_ROW:
		return 0;
	case SQLITE_NOMEM:
		return -ENOMEM;
	case SQLITE_FULL:
		return -ENOSPC;
	case SQLITE_IOERR:
		return code == SQLITE_IOERR_SHORT_READ ? INDEX_E_DAMAGED : -EIO;
	case SQLITE_READONLY:
	case SQLITE_PERM:
		return -EACCES;
	case SQLITE_CANTOPEN:
		return -EIO;
	default: /* corrupt, not a database, no such table, ... */
		return INDEX_E_DAMAGED;
	}
}

static int execute(struct index *ix, const char *sql)
{
	return store_error(sqlite3_exec(ix->db, sql, NULL, NULL, NULL));
}

static void close_database(struct index *ix)
{
	sqlite3_stmt **statements[] = {&ix->get, &ix->put, &ix->cut, &ix->put_file, &ix->cut_file};

	for (size_t i = 0; i < ARRAY_SIZE(statements); i++) {
		(void)sqlite3_finalize(*statements[i]);
		*statements[i] = NULL;
	}
	(void)sqlite3_close(ix->db);
	ix->db = NULL;
	for (size_t i = 0; i < ix->n_files; i++)
		free(ix->files[i].path);
	free(ix->files);
	ix->files = NULL;
	ix->n_files = 0;
}

void store_close(struct index *ix)
{
	close_database(ix);
	ix->lock = fd_close(ix->lock);
	ix->dirfd = fd_close(ix->dirfd);
	free(ix->dir);
	ix->dir = NULL;
}

static int prepare(struct index *ix)
{
	const struct {
		sqlite3_stmt **statement;
		const char *sql;
	} all[] = {
		{&ix->get, "SELECT data FROM part WHERE id = ?1"},
		{&ix->put, "INSERT INTO part (id, data) VALUES (?1, ?2)"},
		{&ix->cut, "DELETE FROM part WHERE id >= ?1 AND id < ?2"},
		{&ix->put_file, "INSERT OR REPLACE INTO file (id, path, data) VALUES (?1, ?2, ?3)"},
		{&ix->cut_file, "DELETE FROM file WHERE id = ?1"},
	};
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(all); i++)
		r = store_error(sqlite3_prepare_v3(
			ix->db, all[i].sql, -1, SQLITE_PREPARE_PERSISTENT, all[i].statement, NULL));
	return r;
}

static int read_number(struct index *ix, const char *sql, int *ret)
{
	sqlite3_stmt *s = NULL;
	int code;

	code = sqlite3_prepare_v2(ix->db, sql, -1, &s, NULL);
	if (code == SQLITE_OK)
		code = sqlite3_step(s);
	*ret = code == SQLITE_ROW ? sqlite3_column_int(s, 0) : 0;
	(void)sqlite3_finalize(s);
	return store_error(code);
}

static int add_known(struct index *ix, const struct known_file *f)
{
	struct known_file *files = reallocarray(ix->files, ix->n_files + 1, sizeof(*files));

	if (!files)
		return -ENOMEM;
	ix->files = files;
	ix->files[ix->n_files++] = *f;
	return 0;
}

static int read_file_row(struct index *ix, sqlite3_stmt *s)
{
	struct bytes sealed = {.p = sqlite3_column_blob(s, 2),
			       .len = (size_t)sqlite3_column_bytes(s, 2)};
	const char *path = (const char *)sqlite3_column_text(s, 1);
	struct known_file f = {.id = sqlite3_column_int64(s, 0)};
	struct bytes data;
	int r;

	if (!path || !sealed.p || block_open_part(sealed, &data) < 0 ||
	    data.len != sizeof(f.stored) || f.id < 1 || f.id > INT32_MAX)
		return INDEX_E_DAMAGED;
	memcpy(&f.stored, data.p, sizeof(f.stored));
	f.path = strdup(path);
	r = f.path ? add_known(ix, &f) : -ENOMEM;
	if (r < 0)
		free(f.path);
	return r;
}

static int read_files(struct index *ix)
{
	sqlite3_stmt *s = NULL;
	int code, r = 0;

	code = sqlite3_prepare_v2(ix->db, "SELECT id, path, data FROM file", -1, &s, NULL);
	while (code == SQLITE_OK && r == 0) {
		int step = sqlite3_step(s);

		if (step != SQLITE_ROW) {
			code = step;
			break;
		}
		r = read_file_row(ix, s);
	}
	(void)sqlite3_finalize(s);
	return r ? r : store_error(code);
}

static int open_database(struct index *ix, bool is_new)
{
	_cleanup_(freep) char *path = str_format("/proc/self/fd/%d/" STORE_NAME, ix->dirfd);
	int code;

	if (!path)
		return -ENOMEM;
	code = sqlite3_open_v2(path, &ix->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX, NULL);
	if (code != SQLITE_OK)
		return store_error(code);
	(void)sqlite3_db_config(ix->db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
	(void)sqlite3_db_config(ix->db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
	code = execute(ix, "PRAGMA synchronous = OFF; PRAGMA cache_size = -32768;"
			   "PRAGMA locking_mode = EXCLUSIVE; PRAGMA temp_store = MEMORY");
	if (code == 0)
		code = execute(ix, is_new ? "PRAGMA page_size = 8192; PRAGMA journal_mode = OFF"
					  : "PRAGMA journal_mode = TRUNCATE");
	return code;
}

/* A name in our directory that is a plain file of ours, readable by nobody else. */
static bool is_ours(const struct index *ix, const char *name)
{
	struct stat st;

	return fstatat(ix->dirfd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode) &&
	       st.st_uid == geteuid() && st.st_nlink == 1 && !(st.st_mode & 077);
}

static int open_existing(struct index *ix)
{
	int application = 0, version = 0;
	int r;

	if (!is_ours(ix, STORE_NAME))
		return INDEX_E_DAMAGED;
	r = open_database(ix, false);
	if (r == 0)
		r = read_number(ix, "PRAGMA application_id", &application);
	if (r == 0)
		r = read_number(ix, "PRAGMA user_version", &version);
	if (r == 0 && (application != STORE_APPLICATION || version != STORE_VERSION))
		r = INDEX_E_DAMAGED;
	if (r == 0)
		r = prepare(ix);
	return r ? r : read_files(ix);
}

int store_renew(struct index *ix, const char *why, struct diag *reterr_diag)
{
	static const char *const names[] = {STORE_NAME, STORE_NAME "-journal", STORE_NAME "-wal",
					    STORE_NAME "-shm"};
	int fd, r;

	if (why && ix->config->tell)
		ix->config->tell(ix->config->ctx, why);
	close_database(ix);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (unlinkat(ix->dirfd, names[i], 0) < 0 && errno != ENOENT)
			return refuse(ix, "remove", errno, reterr_diag);
	fd = openat(ix->dirfd, STORE_NAME, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC,
		    0600);
	if (fd < 0)
		return refuse(ix, "create", errno, reterr_diag);
	(void)fd_close(fd);
	ix->is_new = true;
	r = open_database(ix, true);
	if (r == 0)
		r = execute(ix, "CREATE TABLE part (id INTEGER PRIMARY KEY, data BLOB NOT NULL);"
				"CREATE TABLE file (id INTEGER PRIMARY KEY, path TEXT NOT NULL, "
				"data BLOB NOT NULL)");
	if (r == 0)
		r = prepare(ix);
	if (r)
		return refuse(ix, "create", r < 0 ? -r : EIO, reterr_diag);
	return 0;
}

static int take_lock(struct index *ix, struct diag *reterr_diag)
{
	uint64_t deadline = clock_monotonic_ns() + ix->config->wait_s * NS_PER_SEC;

	ix->lock = openat(ix->dirfd, "index.lock",
			  O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600);
	if (ix->lock < 0)
		return refuse(ix, "lock", errno, reterr_diag);
	while (flock(ix->lock, LOCK_EX | LOCK_NB) < 0) {
		if (errno != EWOULDBLOCK && errno != EINTR)
			return refuse(ix, "lock", errno, reterr_diag);
		if (clock_monotonic_ns() > deadline)
			return INDEX_E_BUSY;
		(void)poll(NULL, 0, STORE_POLL_MS);
	}
	return 0;
}

static int open_dir(struct index *ix, struct diag *reterr_diag)
{
	struct stat st;
	int r;

	ix->dir = ix->config->dir ? strdup(ix->config->dir) : dirs_cache();
	if (!ix->dir) {
		(void)diag_set(reterr_diag, NULL, 0, 0,
			       "there is no place for an index: set HOME or XDG_CACHE_HOME");
		return -ENOENT;
	}
	r = io_mkdir_p(ix->dir, 0700);
	if (r < 0)
		return refuse(ix, "make the directory of", -r, reterr_diag);
	ix->dirfd = open(ix->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (ix->dirfd < 0 || fstat(ix->dirfd, &st) < 0)
		return refuse(ix, "open", errno, reterr_diag);
	if (st.st_uid != geteuid() || (st.st_mode & 022)) {
		(void)diag_set(reterr_diag, NULL, 0, 0,
			       "not using the index in '%s': others may write there", ix->dir);
		return -EPERM;
	}
	return 0;
}

int store_open(const struct index_config *config, struct index *ret, struct diag *reterr_diag)
{
	bool is_there;
	int r;

	*ret = (struct index){.config = config, .dirfd = -1, .lock = -1};
	r = open_dir(ret, reterr_diag);
	if (r == 0)
		r = take_lock(ret, reterr_diag);
	if (r)
		return r;
	is_there = faccessat(ret->dirfd, STORE_NAME, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
	if (!is_there || config->is_fresh)
		return store_renew(ret, NULL, reterr_diag);
	r = open_existing(ret);
	if (r == INDEX_E_DAMAGED)
		return store_renew(ret,
				   "the index was damaged, unfinished or of another version; "
				   "making a new one",
				   reterr_diag);
	return r < 0 ? refuse(ret, "open", -r, reterr_diag) : r;
}

/* ---- rows */

static int64_t part_id(int64_t file, uint64_t block, unsigned int part)
{
	return file << 32 | (int64_t)(block << 8) | part;
}

static int run(sqlite3_stmt *s)
{
	int code = sqlite3_step(s);

	(void)sqlite3_reset(s);
	(void)sqlite3_clear_bindings(s);
	return store_error(code);
}

int store_begin(struct index *ix)
{
	return execute(ix, "BEGIN");
}

int store_end(struct index *ix)
{
	char sql[96];
	int r = execute(ix, "COMMIT");

	if (r || !ix->is_new)
		return r;
	/* Only now is it an index: one that was left unfinished is not. */
	(void)snprintf(sql, sizeof(sql), "PRAGMA user_version = %d; PRAGMA application_id = %d",
		       STORE_VERSION, STORE_APPLICATION);
	ix->is_new = false;
	return execute(ix, sql);
}

int store_put(struct index *ix, int64_t file, uint64_t block, unsigned int part, struct bytes data)
{
	if (block >= UINT64_C(1) << 24)
		return -EFBIG;
	(void)sqlite3_bind_int64(ix->put, 1, part_id(file, block, part));
	(void)sqlite3_bind_blob64(ix->put, 2, data.p, data.len, SQLITE_STATIC);
	return run(ix->put);
}

int store_get(struct index *ix, int64_t file, uint64_t block, unsigned int part, struct strbuf *out,
	      struct bytes *ret)
{
	int code, r;

	strbuf_reset(out);
	(void)sqlite3_bind_int64(ix->get, 1, part_id(file, block, part));
	code = sqlite3_step(ix->get);
	if (code == SQLITE_ROW)
		strbuf_add(out, sqlite3_column_blob(ix->get, 0),
			   (size_t)sqlite3_column_bytes(ix->get, 0));
	(void)sqlite3_reset(ix->get);
	r = store_error(code);
	if (r)
		return r;
	if (code != SQLITE_ROW || block_open_part(strbuf_bytes(out), ret) < 0)
		return INDEX_E_DAMAGED;
	return strbuf_error(out);
}

int store_cut(struct index *ix, int64_t file, uint64_t block)
{
	(void)sqlite3_bind_int64(ix->cut, 1, part_id(file, block, 0));
	(void)sqlite3_bind_int64(ix->cut, 2, part_id(file + 1, 0, 0));
	return run(ix->cut);
}

int store_put_file(struct index *ix, const struct known_file *f)
{
	struct strbuf sealed = STRBUF_INIT(sizeof(f->stored) + 64);
	int r;

	block_seal((struct bytes){.p = (const char *)&f->stored, .len = sizeof(f->stored)},
		   &sealed);
	r = strbuf_error(&sealed);
	if (r == 0) {
		(void)sqlite3_bind_int64(ix->put_file, 1, f->id);
		(void)sqlite3_bind_text(ix->put_file, 2, f->path, -1, SQLITE_STATIC);
		(void)sqlite3_bind_blob64(ix->put_file, 3, sealed.p, sealed.len, SQLITE_STATIC);
		r = run(ix->put_file);
	}
	strbuf_fini(&sealed);
	return r;
}

int store_cut_file(struct index *ix, struct known_file *f)
{
	int r = store_cut(ix, f->id, 0);

	if (r)
		return r;
	(void)sqlite3_bind_int64(ix->cut_file, 1, f->id);
	r = run(ix->cut_file);
	free(f->path);
	*f = ix->files[--ix->n_files];
	return r;
}
