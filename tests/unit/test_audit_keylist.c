/* SPDX-License-Identifier: Apache-2.0 */
/* The list of keys that sign logs: whose signatures count, and what becomes of a list that was
 * tampered with, cut short or shared. */
#include <sys/wait.h>

#include "audit/keylist.h"
#include "audit/signkey.h"
#include "base/io.h"

#include "tests/unit/audit_harness.h"

#define SESSION BYTES_LIT("20261121T051234-k3f9qz")
#define OTHER   BYTES_LIT("20261121T051234-aaaaaa")

struct key {
	struct pubkey public;
	char id[PUBKEY_ID_HEX + 1];
};

static struct key make_key(unsigned char seed)
{
	struct key k = {};

	memset(k.public.key, seed, sizeof(k.public.key));
	pubkey_id(&k.public, k.id);
	return k;
}

static char *list_path(const struct audit_dir *d)
{
	char *path = str_format("%s/log.keys", d->path);

	assert_non_null(path);
	return path;
}

static int open_list(const char *path)
{
	struct diag diag = {};
	int fd = -1;

	if (keylist_open(path, &fd, &diag) < 0)
		fail_msg("keylist_open: %s", diag.message);
	return fd;
}

static void register_key(int fd, enum keylist_role role, struct bytes session, const struct key *k)
{
	assert_int_equal(keylist_register(fd, role, session, &k->public), 0);
}

static struct keylist *load(const char *path)
{
	struct keylist *l = NULL;
	struct diag diag = {};

	if (keylist_load(path, &l, &diag) < 0)
		fail_msg("keylist_load: %s", diag.message);
	return l;
}

static enum keylist_answer ask(const struct keylist *l, struct bytes session, bool is_recovery,
			       const struct key *k)
{
	const struct pubkey *found = NULL;
	enum keylist_answer answer = keylist_ask(l, session, is_recovery, k->id, &found);

	if (answer == KEYLIST_IS_REGISTERED || answer == KEYLIST_IS_FORMER)
		assert_memory_equal(found->key, k->public.key, PUBKEY_BYTES);
	else
		assert_null(found);
	return answer;
}

static void write_file(const char *path, const char *text, mode_t mode)
{
	_cleanup_(fd_closep) int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, mode);

	assert_true(fd >= 0);
	assert_int_equal(io_write_all(fd, text, strlen(text)), 0);
	assert_int_equal(fchmod(fd, mode), 0);
}

static void test_a_key_counts_for_its_session_and_role(void **state)
{
	const struct key own = make_key(1), recovery = make_key(2), foreign = make_key(3);
	_cleanup_(keylist_freep) struct keylist *l = NULL;
	_cleanup_(freep) char *path = list_path(*state);
	_cleanup_(fd_closep) int fd = open_list(path);

	register_key(fd, KEYLIST_SESSION, OTHER, &foreign);
	register_key(fd, KEYLIST_SESSION, SESSION, &own);
	register_key(fd, KEYLIST_RECOVERY, SESSION, &recovery);
	l = load(path);
	assert_int_equal(ask(l, SESSION, false, &own), KEYLIST_IS_REGISTERED);
	assert_int_equal(ask(l, SESSION, true, &recovery), KEYLIST_IS_REGISTERED);
	assert_int_equal(ask(l, SESSION, true, &own), KEYLIST_HAS_OTHER);
	assert_int_equal(ask(l, SESSION, false, &recovery), KEYLIST_HAS_OTHER);
	assert_int_equal(ask(l, SESSION, false, &foreign), KEYLIST_HAS_OTHER);
	assert_int_equal(ask(l, OTHER, true, &recovery), KEYLIST_HAS_OTHER);
	assert_int_equal(ask(l, BYTES_LIT("20261121T051234-k3f9q"), false, &own),
			 KEYLIST_KNOWS_NO_SESSION);
	(void)unlink(path);
}

static void test_the_first_key_of_a_session_counts(void **state)
{
	const struct key own = make_key(1), forged = make_key(2);
	_cleanup_(keylist_freep) struct keylist *l = NULL;
	_cleanup_(freep) char *path = list_path(*state);
	_cleanup_(fd_closep) int fd = open_list(path);

	register_key(fd, KEYLIST_SESSION, SESSION, &own);
	register_key(fd, KEYLIST_SESSION, SESSION, &forged);
	register_key(fd, KEYLIST_HOST, BYTES_LIT("-"), &forged);
	l = load(path);
	assert_int_equal(ask(l, SESSION, false, &own), KEYLIST_IS_REGISTERED);
	assert_int_equal(ask(l, SESSION, false, &forged), KEYLIST_HAS_OTHER);
	assert_int_equal(ask(l, SESSION, true, &forged), KEYLIST_HAS_OTHER);
	/* A host's key is for sessions of before there was a list. */
	assert_int_equal(ask(l, OTHER, false, &forged), KEYLIST_IS_FORMER);
	assert_int_equal(ask(l, OTHER, true, &forged), KEYLIST_IS_FORMER);
	assert_int_equal(ask(l, OTHER, false, &own), KEYLIST_KNOWS_NO_SESSION);
	(void)unlink(path);
}

static void test_a_line_that_was_cut_short_harms_no_other(void **state)
{
	const struct key own = make_key(1), next = make_key(2);
	_cleanup_(keylist_freep) struct keylist *l = NULL;
	_cleanup_(freep) char *path = list_path(*state);
	_cleanup_(fd_closep) int fd = open_list(path);
	struct stat st;

	register_key(fd, KEYLIST_SESSION, SESSION, &own);
	assert_int_equal(fstat(fd, &st), 0);
	assert_int_equal(ftruncate(fd, st.st_size - 10), 0);
	register_key(fd, KEYLIST_SESSION, OTHER, &next);
	l = load(path);
	assert_int_equal(ask(l, SESSION, false, &own), KEYLIST_KNOWS_NO_SESSION);
	assert_int_equal(ask(l, OTHER, false, &next), KEYLIST_IS_REGISTERED);
	(void)unlink(path);
}

static void test_what_is_no_list_is_refused(void **state)
{
	_cleanup_(freep) char *path = list_path(*state);
	struct keylist *l = NULL;
	struct diag diag = {};

	write_file(path, "-----BEGIN PUBLIC KEY-----\nMCow\n", 0644);
	assert_int_equal(keylist_load(path, &l, &diag), -EINVAL);
	assert_non_null(strstr(diag.message, "is no list of keys"));
	(void)unlink(path);
	assert_int_equal(keylist_load(path, &l, &diag), -ENOENT);
	assert_int_equal(keylist_load("/dev/null", &l, &diag), -EINVAL);
	assert_null(l);
}

static void assert_refused(const char *path, const char *why)
{
	struct diag diag = {};
	int fd = -1;

	assert_true(keylist_open(path, &fd, &diag) < 0);
	assert_int_equal(fd, -1);
	if (!strstr(diag.message, why))
		fail_msg("'%s' does not say '%s'", diag.message, why);
}

static void test_a_list_that_others_can_write_proves_nothing(void **state)
{
	_cleanup_(freep) char *path = list_path(*state);

	write_file(path, "", 0664);
	assert_refused(path, "can be changed by others");
	(void)unlink(path);
	assert_int_equal(symlink("/etc/passwd", path), 0);
	assert_refused(path, "symbolic links");
	(void)unlink(path);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_refused(path, "is not a regular file");
	(void)unlink(path);
}

static void test_a_hosts_key_of_old_is_registered_and_removed(void **state)
{
	_cleanup_(keylist_freep) struct keylist *l = NULL;
	_cleanup_(strbuf_fini) struct strbuf pem = STRBUF_INIT(1024);
	_cleanup_(freep) char *path = list_path(*state);
	_cleanup_(freep) char *private = keylist_old_private(path);
	_cleanup_(freep) char *public = keylist_old_public(path);
	const struct key old = make_key(7);

	write_file(private, "a private key", 0600);
	assert_refused(path, "log.pub");
	write_file(public, "nonsense", 0644);
	assert_refused(path, "it is damaged");
	assert_true(audit_test_exists(private));
	(void)unlink(public);
	strbuf_add_str(&pem, "-----BEGIN PUBLIC KEY-----\n");
	pubkey_add_base64(&old.public, &pem);
	strbuf_add_str(&pem, "\n-----END PUBLIC KEY-----\n");
	write_file(public, strbuf_str(&pem), 0644);
	(void)close(open_list(path));
	assert_false(audit_test_exists(private));
	l = load(path);
	assert_int_equal(ask(l, SESSION, false, &old), KEYLIST_IS_FORMER);
	(void)unlink(public);
	(void)unlink(path);
}

#define N_THREADS 8
#define N_KEYS    200

struct registrar {
	const char *path;
	int index;
};

static struct bytes nth_session(char name[static 32], int thread, int n)
{
	(void)snprintf(name, 32, "session-%d-%d", thread, n);
	return bytes_of(name);
}

static void *register_many(void *arg)
{
	const struct registrar *r = arg;
	_cleanup_(fd_closep) int fd = open(r->path, O_RDWR | O_APPEND | O_CLOEXEC);
	char name[32];

	for (int n = 0; n < N_KEYS; n++) {
		const struct key k = make_key((unsigned char)(r->index + n));

		if (keylist_register(fd, KEYLIST_SESSION, nth_session(name, r->index, n),
				     &k.public) < 0)
			abort();
	}
	return NULL;
}

static void test_sessions_that_begin_at_once_are_all_there(void **state)
{
	_cleanup_(keylist_freep) struct keylist *l = NULL;
	_cleanup_(freep) char *path = list_path(*state);
	struct registrar registrars[N_THREADS];
	pthread_t threads[N_THREADS];
	char name[32];

	(void)close(open_list(path));
	for (int i = 0; i < N_THREADS; i++) {
		registrars[i] = (struct registrar){.path = path, .index = i};
		assert_int_equal(pthread_create(&threads[i], NULL, register_many, &registrars[i]),
				 0);
	}
	for (int i = 0; i < N_THREADS; i++)
		(void)pthread_join(threads[i], NULL);
	l = load(path);
	for (int i = 0; i < N_THREADS; i++) {
		for (int n = 0; n < N_KEYS; n++) {
			const struct key k = make_key((unsigned char)(i + n));

			assert_int_equal(ask(l, nth_session(name, i, n), false, &k),
					 KEYLIST_IS_REGISTERED);
		}
	}
	(void)unlink(path);
}

static void test_a_signing_key_is_nothing_in_a_child(void **state)
{
	_cleanup_(signkey_freep) struct signkey *k = NULL;
	const struct bytes text = BYTES_LIT("a text");
	unsigned char signature[PUBKEY_SIGNATURE_BYTES];
	struct pubkey public;
	int status;
	pid_t pid;

	(void)state;
	assert_int_equal(signkey_new(&k), 0);
	public = *signkey_public(k);
	signkey_sign(k, text, signature);
	assert_true(pubkey_verify(&public, text, signature));
	assert_false(pubkey_verify(&public, BYTES_LIT("another"), signature));
	pid = fork();
	assert_true(pid >= 0);
	if (pid == 0) {
		signkey_sign(k, text, signature);
		_exit(pubkey_verify(&public, text, signature) ? 1 : 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		audit_test(test_a_key_counts_for_its_session_and_role),
		audit_test(test_the_first_key_of_a_session_counts),
		audit_test(test_a_line_that_was_cut_short_harms_no_other),
		audit_test(test_what_is_no_list_is_refused),
		audit_test(test_a_list_that_others_can_write_proves_nothing),
		audit_test(test_a_hosts_key_of_old_is_registered_and_removed),
		audit_test(test_sessions_that_begin_at_once_are_all_there),
		audit_test(test_a_signing_key_is_nothing_in_a_child),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
