/* SPDX-License-Identifier: Apache-2.0 */
/* Whose rights a thread has on: when the agent's need not be taken on to walk to a directory, and
 * when they stay on from call to call. */
#include "action_harness.h"

#include <linux/capability.h>

#include "action/rights.h"

#define CAP(name) (UINT64_C(1) << (name))

static const gid_t ours[] = {4, 24}, others[] = {4, 25};

static const struct {
	const char *what;
	struct act_creds own, agent;
	bool expected;
} cases[] = {
	{"the same", {.cap_effective = 0}, {.cap_effective = 0}, true},
	{"another user", {.fsuid = 0}, {.fsuid = 1000}, false},
	{"another group", {.fsgid = 0}, {.fsgid = 1000}, false},
	{"another user with capabilities",
	 {.cap_effective = CAP(CAP_DAC_OVERRIDE)},
	 {.fsuid = 1000, .cap_effective = CAP(CAP_DAC_OVERRIDE)},
	 false},
	{"the same groups", {.groups = ours, .n_groups = 2}, {.groups = ours, .n_groups = 2}, true},
	{"other groups", {.groups = ours, .n_groups = 2}, {.groups = others, .n_groups = 2}, false},
	{"fewer groups", {.groups = ours, .n_groups = 2}, {.groups = ours, .n_groups = 1}, false},
	{"both may walk anywhere",
	 {.cap_effective = CAP(CAP_DAC_OVERRIDE) | CAP(CAP_DAC_READ_SEARCH) | CAP(CAP_SYS_PTRACE)},
	 {.cap_effective = CAP(CAP_DAC_OVERRIDE)},
	 true},
	{"we may walk anywhere",
	 {.cap_effective = CAP(CAP_DAC_OVERRIDE)},
	 {.cap_effective = CAP(CAP_SYS_PTRACE)},
	 false},
	{"we may search anywhere", {.cap_effective = CAP(CAP_DAC_READ_SEARCH)}, {}, false},
	{"the agent may search anywhere", {}, {.cap_effective = CAP(CAP_DAC_READ_SEARCH)}, false},
	{"both may search",
	 {.cap_effective = CAP(CAP_DAC_READ_SEARCH) | CAP(CAP_CHOWN)},
	 {.cap_effective = CAP(CAP_DAC_READ_SEARCH)},
	 true},
};

static void test_walk_alike(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct rights rights = {.own = cases[i].own};

		if (rights_walk_alike(&rights, &cases[i].agent) != cases[i].expected)
			fail_msg("%s: not %d", cases[i].what, cases[i].expected);
	}
}

/* Of the calling thread. */
static uint64_t effective(void)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {};

	assert_int_equal(syscall(SYS_capget, &head, data), 0);
	return data[0].effective | (uint64_t)data[1].effective << 32;
}

static long drop_chown(const void *arg)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {};

	(void)arg;
	if (syscall(SYS_capget, &head, data) < 0)
		return -errno;
	data[0].effective &= ~(uint32_t)CAP(CAP_CHOWN);
	return syscall(SYS_capset, &head, data) < 0 ? -errno : 0;
}

/* An agent with our IDs that lacks @lacks of what we have. */
static struct act_creds agent_without(const struct rights *r, uint64_t lacks)
{
	struct act_creds creds = r->own;

	creds.cap_effective &= ~lacks;
	creds.differs = true;
	return creds;
}

static void begin(struct rights *r, bool may_stay)
{
	*r = (struct rights){};
	assert_int_equal(rights_init(r), 0);
	r->may_stay = may_stay;
	if (!(r->own.cap_effective & CAP(CAP_CHOWN)) || !(r->own.cap_effective & CAP(CAP_SETUID)))
		skip(); /* only root has anything to lay down */
}

static void test_what_is_left_on_stays_until_somebody_needs_our_own(void **state)
{
	struct act_creds few, fewer;
	struct rights a, b;

	(void)state;
	begin(&a, true);
	begin(&b, true);
	few = agent_without(&a, CAP(CAP_CHOWN));
	fewer = agent_without(&a, CAP(CAP_CHOWN) | CAP(CAP_FOWNER));
	assert_int_equal(rights_take(&a, &few), 0);
	rights_leave_on(&a);
	assert_int_equal(effective(), few.cap_effective);
	/* The same again, by another that the thread has; and others. */
	assert_int_equal(rights_take(&b, &few), 0);
	assert_int_equal(effective(), few.cap_effective);
	rights_leave_on(&b);
	assert_int_equal(rights_take(&a, &fewer), 0);
	assert_int_equal(effective(), fewer.cap_effective);
	rights_leave_on(&a);
	assert_true(rights_settle());
	assert_int_equal(effective(), a.own.cap_effective);
	assert_false(rights_settle());
	/* Nobody's: ours. */
	assert_int_equal(rights_take(&a, &few), 0);
	rights_leave_on(&a);
	assert_int_equal(rights_take(&b, &(struct act_creds){}), 0);
	assert_int_equal(effective(), a.own.cap_effective);
	/* Who ends leaves nothing behind. */
	assert_int_equal(rights_take(&a, &few), 0);
	rights_leave_on(&a);
	rights_fini(&a);
	assert_int_equal(effective(), b.own.cap_effective);
	rights_fini(&b);
}

static void test_what_is_given_back_is_not_left_on(void **state)
{
	struct act_creds creds;
	struct rights r;

	(void)state;
	begin(&r, true);
	creds = agent_without(&r, CAP(CAP_CHOWN));
	assert_int_equal(rights_take(&r, &creds), 0);
	rights_leave_on(&r);
	assert_int_equal(rights_take(&r, &creds), 0);
	rights_give_back(&r);
	assert_int_equal(effective(), r.own.cap_effective);
	assert_int_equal(rights_take(&r, &creds), 0);
	rights_leave_on(&r);
	rights_give_back(&r); /* also where nothing is taken */
	assert_int_equal(effective(), r.own.cap_effective);
	rights_fini(&r);
}

static void test_other_ids_never_stay_on(void **state)
{
	struct act_creds creds;
	struct rights r;

	(void)state;
	begin(&r, true);
	creds = agent_without(&r, CAP(CAP_CHOWN));
	creds.fsuid = 1000;
	assert_int_equal(rights_take(&r, &creds), 0);
	assert_int_equal(syscall(SYS_setfsuid, -1), 1000);
	rights_leave_on(&r);
	assert_int_equal(syscall(SYS_setfsuid, -1), r.own.fsuid);
	assert_int_equal(effective(), r.own.cap_effective);
	rights_fini(&r);
}

static void test_a_thread_that_is_not_ours_alone_keeps_nothing_on(void **state)
{
	struct act_creds creds;
	struct rights r;

	(void)state;
	begin(&r, false);
	creds = agent_without(&r, CAP(CAP_CHOWN));
	assert_int_equal(rights_take(&r, &creds), 0);
	rights_leave_on(&r);
	assert_int_equal(effective(), r.own.cap_effective);
	rights_fini(&r);
}

static void test_only_opens_that_read_leave_the_agents_on(void **state)
{
	static const struct {
		int nr, flags;
		bool stays;
	} calls[] = {
		{__NR_openat, O_RDONLY, true},
		{__NR_openat, O_RDONLY | O_NONBLOCK, true},
		{__NR_openat, O_WRONLY, false},
		{__NR_openat, O_RDONLY | O_CREAT, false},
		{__NR_openat, O_RDONLY | O_TRUNC, false},
		{__NR_mkdirat, 0755, false},
		{__NR_execveat, 0, false},
	};
	struct action_epoch epoch = {};
	const struct action_decoder_config config = {
		.epoch = &epoch, .supervisor = getpid(), .listener = -1, .has_thread = true};
	struct harness *h = *state;
	const uint64_t own = effective();

	if (!(own & CAP(CAP_CHOWN)))
		skip();
	/* One that remembers: looking at a task takes our own rights. */
	(void)action_decoder_free(h->d);
	assert_int_equal(action_decoder_new(&config, &h->d), 0);
	make_file(h, "x", "/file");
	assert_int_equal(harness_run(h, drop_chown, NULL), 0);
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		/* Whatever the call before it left. */
		(void)decode_call(h, __NR_openat, (uint64_t)(uint32_t)AT_FDCWD,
				  put_path(h, "/file"), O_RDONLY);
		assert_int_equal(effective(), own & ~CAP(CAP_CHOWN));
		(void)decode_call(h, calls[i].nr, (uint64_t)(uint32_t)AT_FDCWD,
				  put_path(h, "/file"), (uint64_t)calls[i].flags);
		assert_int_equal(effective(), calls[i].stays ? own & ~CAP(CAP_CHOWN) : own);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_walk_alike),
		cmocka_unit_test(test_what_is_left_on_stays_until_somebody_needs_our_own),
		cmocka_unit_test(test_what_is_given_back_is_not_left_on),
		cmocka_unit_test(test_other_ids_never_stay_on),
		cmocka_unit_test(test_a_thread_that_is_not_ours_alone_keeps_nothing_on),
		cmocka_unit_test_setup_teardown(test_only_opens_that_read_leave_the_agents_on,
						harness_setup, harness_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
