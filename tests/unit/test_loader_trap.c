/* SPDX-License-Identifier: Apache-2.0 */
#include <seccomp.h>

#include "loader/trap.h"

#include "tests/unit/unit.h"

static void test_every_row_has_its_own_name_and_number(void **state)
{
	(void)state;
	for (size_t i = 0; i < trap_table_size; i++)
		for (size_t k = i + 1; k < trap_table_size; k++) {
			assert_string_not_equal(trap_table[i].name, trap_table[k].name);
			assert_int_not_equal(trap_table[i].nr, trap_table[k].nr);
		}
}

/* libseccomp may be too old for the newest calls; then the number is checked by nothing but us. */
static void test_libseccomp_agrees_where_it_knows_the_name(void **state)
{
	size_t known = 0;

	(void)state;
	for (size_t i = 0; i < trap_table_size; i++) {
		int nr = seccomp_syscall_resolve_name(trap_table[i].name);

		if (nr == __NR_SCMP_ERROR)
			continue;
		known++;
		assert_int_equal(trap_table[i].nr, nr);
	}
	assert_true(known > trap_table_size * 9 / 10);
}

static void test_every_row_is_found_by_its_number(void **state)
{
	(void)state;
	for (size_t i = 0; i < trap_table_size; i++)
		assert_ptr_equal(trap_find(trap_table[i].nr), &trap_table[i]);
}

static void test_numbers_outside_the_table_find_nothing(void **state)
{
	(void)state;
	assert_null(trap_find(-1));
	assert_null(trap_find(SYS_read));
	assert_null(trap_find(trap_highest_known() + 1));
	assert_null(trap_find(INT32_MAX));
	assert_null(trap_find(INT32_MIN));
}

static bool is_argument(signed char index)
{
	return index == TRAP_NO_ARG || (index >= 0 && index < 6);
}

static void test_every_row_is_well_formed(void **state)
{
	(void)state;
	for (size_t i = 0; i < trap_table_size; i++) {
		const struct trap_row *r = &trap_table[i];

		assert_true(r->nr >= 0 && r->nr <= trap_highest_known());
		assert_in_range(r->class, 0, _TRAP_CLASS_MAX - 1);
		assert_in_range(r->shape, 0, _SHAPE_MAX - 1);
		assert_in_range(r->op, 0, _OP_MAX - 1);
		assert_true(is_argument(r->dirfd) && is_argument(r->path));
		assert_true(is_argument(r->dirfd2) && is_argument(r->path2));
		assert_true(is_argument(r->flags));
		/* Only a call that a policy grants or withholds as a whole names a group. */
		assert_int_equal(r->op == OP_SYSCALL && r->class != TRAP_CREDS &&
					 r->class != TRAP_RESTRICT,
				 r->grant != _GRANT_MAX);
		assert_int_equal(r->class == TRAP_CREDS, r->shape == SHAPE_CREDS);
	}
}

/* A family with a member missing is a way round. */
static const char *const family_members[] = {
	"execve",
	"execveat",
	"openat",
	"openat2",
	"truncate",
	"unlinkat",
	"mkdirat",
	"mknodat",
	"renameat2",
	"linkat",
	"symlinkat",
	"fchmod",
	"fchmodat",
	"fchmodat2",
	"fchown",
	"fchownat",
	"utimensat",
	"setxattr",
	"lsetxattr",
	"fsetxattr",
	"setxattrat",
	"removexattr",
	"lremovexattr",
	"fremovexattr",
	"removexattrat",
	"file_setattr",
	"connect",
	"bind",
	"listen",
	"sendto",
	"sendmsg",
	"sendmmsg",
	"socket",
	"io_uring_setup",
	"io_uring_enter",
	"ptrace",
	"bpf",
	"open_by_handle_at",
	"pidfd_getfd",
	"mount",
	"setuid",
	"setgid",
	"setreuid",
	"setregid",
	"setresuid",
	"setresgid",
	"setfsuid",
	"setfsgid",
	"setgroups",
	"capset",
	"kill",
	"tkill",
	"tgkill",
	"rt_sigqueueinfo",
	"rt_tgsigqueueinfo",
	"pidfd_send_signal",
	"fcntl",
	"prlimit64",
	"sched_setscheduler",
	"sched_setparam",
	"sched_setattr",
	"sched_setaffinity",
	"migrate_pages",
	"move_pages",
	"setpriority",
	"ioprio_set",
	"process_madvise",
	"process_mrelease",
	"unshare",
	"clone",
	"clone3",
	"setns",
	"syslog",
	"prctl",
	"ioctl",
#ifdef __x86_64__
	"open",
	"creat",
	"unlink",
	"rmdir",
	"mkdir",
	"mknod",
	"rename",
	"renameat",
	"link",
	"symlink",
	"chmod",
	"chown",
	"lchown",
	"utime",
	"utimes",
	"futimesat",
#endif
};

static void test_families_are_complete(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(family_members); i++) {
		bool found = false;

		for (size_t k = 0; k < trap_table_size; k++)
			found |= streq(trap_table[k].name, family_members[i]);
		if (!found)
			fail_msg("%s is not in loader/syscalls.def", family_members[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_row_has_its_own_name_and_number),
		cmocka_unit_test(test_libseccomp_agrees_where_it_knows_the_name),
		cmocka_unit_test(test_every_row_is_found_by_its_number),
		cmocka_unit_test(test_numbers_outside_the_table_find_nothing),
		cmocka_unit_test(test_every_row_is_well_formed),
		cmocka_unit_test(test_families_are_complete),
	};

	return cmocka_run_group_tests_name("loader/trap", tests, NULL, NULL);
}
