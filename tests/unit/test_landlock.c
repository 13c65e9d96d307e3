/* SPDX-License-Identifier: Apache-2.0 */
/* The floor as the kernel holds it: each fact is tried by a child that is put under it. */
#include <fcntl.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "control/plan.h"

#include "tests/unit/policy_harness.h"

struct place {
	char root[32];
	char in[64], out[64], deep[96];
};

static struct place place;

static int setup(void **state)
{
	(void)state;
	(void)snprintf(place.root, sizeof(place.root), "/tmp/hf-floor-XXXXXX");
	if (!mkdtemp(place.root))
		return -1;
	(void)snprintf(place.in, sizeof(place.in), "%s/in", place.root);
	(void)snprintf(place.out, sizeof(place.out), "%s/out", place.root);
	(void)snprintf(place.deep, sizeof(place.deep), "%s/in/deep", place.root);
	return mkdir(place.in, 0700) || mkdir(place.out, 0700) || mkdir(place.deep, 0700);
}

static int teardown(void **state)
{
	(void)state;
	return rmdir(place.deep) || rmdir(place.in) || rmdir(place.out) || rmdir(place.root);
}

static struct plan plan_alone(const struct policy_stack *stack)
{
	static const struct plan_part parts[_LAYER_MAX];

	return plan_of(stack, &(struct plan_config){.agent = "agent"}, parts);
}

/* Runs @fn under the floor of the policy. Return: its result. */
static int under(const char *policy, int (*fn)(void))
{
	struct harness h = harness_one(policy);
	struct plan plan = plan_alone(h.stack);
	int ruleset = plan_ruleset(h.stack, &plan), status;
	pid_t pid = fork();

	if (pid == 0) {
		if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || landlock_enter(ruleset) < 0)
			_exit(125);
		_exit(fn());
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	(void)fd_close(ruleset);
	harness_fini(&h);
	return WEXITSTATUS(status);
}

/* What this kernel's Landlock cannot do must not be in the plan. */
static bool is_said_to_be_bound(const char *policy)
{
	struct harness h = harness_one(policy);
	struct plan plan = plan_alone(h.stack);

	harness_fini(&h);
	return plan.floor.bounds_connect || plan.floor.bounds_bind || plan.floor.scoped;
}

static int result(int r)
{
	return r < 0 ? errno : 0;
}

static int make_below(const char *dir)
{
	char path[128];
	int r;

	(void)snprintf(path, sizeof(path), "%s/made", dir);
	r = result(mkdir(path, 0700));
	return r ? r : result(rmdir(path));
}

static int make_inside(void)
{
	return make_below(place.in);
}

static int make_outside(void)
{
	return make_below(place.out);
}

static int write_outside(void)
{
	return result(open(place.out, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600));
}

static int read_outside(void)
{
	return result(open("/etc/passwd", O_RDONLY | O_CLOEXEC));
}

/* Across directories: LANDLOCK_ACCESS_FS_REFER. */
static int rename_inside(void)
{
	char from[128], to[128];
	int r;

	(void)snprintf(from, sizeof(from), "%s/a", place.in);
	(void)snprintf(to, sizeof(to), "%s/a", place.deep);
	r = result(mkdir(from, 0700));
	if (r == 0)
		r = result(rename(from, to));
	return r ? r : result(rmdir(to));
}

static const char *path_policy(void)
{
	static char text[512];

	(void)snprintf(
		text, sizeof(text),
		"version: 1\nname: t\ndefault: {tool: allow, read: allow, write: deny}\nrules:\n"
		"  - {name: in, match: {path: [\"%s/**\"]}, action: allow}\n"
		"  - {name: new, match: {path: [\"%s/not/yet/there/*.txt\"]}, action: ask}\n"
		"  - {name: outside, match: {path: [\"%s/**\"]}, action: deny}\n",
		place.in, place.deep, place.out);
	return text;
}

static void test_changes_are_held_to_the_trees_that_rules_name(void **state)
{
	(void)state;
	assert_int_equal(under(path_policy(), make_inside), 0);
	assert_int_equal(under(path_policy(), rename_inside), 0);
	assert_int_equal(under(path_policy(), make_outside), EACCES);
	assert_int_equal(under(path_policy(), write_outside), EACCES);
	assert_int_equal(under(path_policy(), read_outside), 0);
}

static int list_inside(void)
{
	return result(open(place.deep, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

static int list_outside(void)
{
	return result(open(place.out, O_RDONLY | O_DIRECTORY | O_CLOEXEC));
}

static void test_listing_is_held_to_the_trees_that_rules_name(void **state)
{
	char text[512];

	(void)state;
	(void)snprintf(
		text, sizeof(text),
		"version: 1\nname: t\ndefault: {tool: allow, read: deny, write: allow}\nrules:\n"
		"  - {name: in, match: {path: [\"%s/**\"], op: read}, action: allow}\n",
		place.in);
	assert_int_equal(under(text, list_inside), 0);
	assert_int_equal(under(text, list_outside), EACCES);
	/* Files are the supervisor's: what is executed needs a loader, which no rule names. */
	assert_int_equal(under(text, read_outside), 0);
	assert_int_equal(under(path_policy(), list_outside), 0);
	/* The same directory for both. */
	(void)snprintf(text, sizeof(text),
		       "version: 1\nname: t\ndefault: {tool: allow, path: deny}\nrules:\n"
		       "  - {name: in, match: {path: [\"%s/**\"]}, action: allow}\n",
		       place.in);
	assert_int_equal(under(text, list_inside), 0);
	assert_int_equal(under(text, make_inside), 0);
	assert_int_equal(under(text, list_outside), EACCES);
	assert_int_equal(under(text, make_outside), EACCES);
}

/* What is not bounded: each of these lets something through anywhere, or may. */
static void test_no_bound_where_something_could_be_allowed_anywhere(void **state)
{
	static const char *const texts[] = {
		"version: 1\nname: t\ndefault: ask\n",
		"version: 1\nname: t\ndefault: {read: allow, write: allow}\n",
		"version: 1\nname: t\ndefault: deny\nrules:\n"
		"  - {name: a, match: {path: [\"**/x\"]}, action: allow}\n",
		"version: 1\nname: t\ndefault: deny\nrules:\n"
		"  - {name: a, match: {path: [\"/*\"], op: [change, read]}, action: flag}\n",
		"version: 1\nname: t\ndefault: deny\nrules:\n"
		"  - {name: a, match: {cwd: [\"/home/u/**\"]}, action: ask}\n",
		"version: 1\nname: t\ndefault: deny\nmode: audit\n",
		"version: 1\nname: t\ndefault: deny\ngrant: [mount]\n",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct harness h = harness_one(texts[i]);

		const struct plan plan = plan_alone(h.stack);

		if (plan.floor.bounds_changes || plan.floor.bounds_lists)
			fail_msg("bounded: %s", texts[i]);
		harness_fini(&h);
	}
}

static int connect_to(uint16_t port)
{
	const struct sockaddr_in to = {.sin_family = AF_INET,
				       .sin_port = htons(port),
				       .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	_cleanup_(fd_closep) int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	return result(connect(fd, (const struct sockaddr *)&to, sizeof(to)));
}

static int connect_allowed(void)
{
	return connect_to(1); /* nobody listens */
}

static int connect_other(void)
{
	return connect_to(2);
}

static void test_tcp_is_held_to_the_ports_that_rules_name(void **state)
{
	static const char named[] = "version: 1\nname: t\ndefault: {network: deny}\nrules:\n"
				    "  - {name: a, match: {port: 1, op: connect}, action: allow}\n";
	static const char any[] = "version: 1\nname: t\ndefault: {network: deny}\nrules:\n"
				  "  - {name: a, match: {address: 127.0.0.1}, action: allow}\n";

	(void)state;
	if (landlock_abi() < LANDLOCK_PORTS_ABI) {
		/* Not bounded, and not said to be. */
		assert_false(is_said_to_be_bound(named));
		assert_int_equal(under(named, connect_other), ECONNREFUSED);
		return;
	}
	assert_int_equal(under(named, connect_allowed), ECONNREFUSED);
	assert_int_equal(under(named, connect_other), EACCES);
	assert_int_equal(under(any, connect_other), ECONNREFUSED);
}

static int signal_parent(void)
{
	return result(kill(getppid(), 0));
}

static void test_signals_stay_inside_unless_granted(void **state)
{
	(void)state;
	if (landlock_abi() < LANDLOCK_SCOPES_ABI) {
		assert_false(is_said_to_be_bound("version: 1\nname: t\ndefault: allow\n"));
		return;
	}
	assert_int_equal(under("version: 1\nname: t\ndefault: allow\n", signal_parent), EPERM);
	assert_int_equal(
		under("version: 1\nname: t\ndefault: deny\ngrant: [processes]\n", signal_parent),
		0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_changes_are_held_to_the_trees_that_rules_name),
		cmocka_unit_test(test_listing_is_held_to_the_trees_that_rules_name),
		cmocka_unit_test(test_no_bound_where_something_could_be_allowed_anywhere),
		cmocka_unit_test(test_tcp_is_held_to_the_ports_that_rules_name),
		cmocka_unit_test(test_signals_stay_inside_unless_granted),
	};

	if (landlock_abi() == 0) {
		puts("1..0 # skip this kernel has no Landlock");
		return 0;
	}
	return cmocka_run_group_tests_name("loader/landlock", tests, setup, teardown);
}
