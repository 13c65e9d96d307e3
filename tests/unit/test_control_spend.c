/* SPDX-License-Identifier: Apache-2.0 */
/* Reports of spend, through both sockets, and who may answer what a rule's ask says. */
#include "base/user.h"

#include "control_harness.h"

/* The spend socket of the session whose supervisor is the test, or (not @is_agent) a bystander. */
static void setup_spend(struct fixture *f, bool is_agent)
{
	struct control_server_config config = {.session = "s1", .owner = getuid(), .ops = &ops};
	struct diag d = {};

	setup(f, is_agent);
	control_server_free(f->server);
	config.runtime_dir = f->dir;
	config.supervisor = is_agent ? getpid() : f->bystander;
	config.arg = f;
	config.is_inside = true;
	if (control_server_new(&config, &f->server, &d) < 0)
		fail_msg("%s", d.message);
}

struct calls {
	struct control_request request;
	int n, result;
};

/* Makes ->n calls, until one fails. */
static int call_many(struct control_client *c, void *arg)
{
	struct calls *calls = arg;

	for (int i = 0; i < calls->n; i++) {
		_cleanup_(json_decrefp) json_t *reply = NULL;

		calls->result = control_call(c, &calls->request, &reply);
		if (calls->result)
			break;
	}
	return 1;
}

static void take_error(const char *session, int error, const char *message, void *arg)
{
	(void)session;
	(void)message;
	((struct calls *)arg)->result = error;
}

static int exit_status(const struct calls *calls)
{
	return calls->result > 0 ? 100 + calls->result : calls->result < 0 ? 2 : 0;
}

static int call_inside(const struct fixture *f, const void *arg)
{
	struct calls calls = *(const struct calls *)arg;
	char path[600];

	(void)snprintf(path, sizeof(path), "%s/s1" CONTROL_SPEND_SUFFIX, f->dir);
	if (control_at(path, call_many, take_error, &calls) < 0)
		return 3;
	return exit_status(&calls);
}

static int call_outside(const struct fixture *f, const void *arg)
{
	struct calls calls = *(const struct calls *)arg;

	(void)f;
	if (control_each_session("s1", call_many, take_error, &calls) < 0)
		return 3;
	return exit_status(&calls);
}

static struct calls spend_calls(int n)
{
	return (struct calls){
		.request = {.op = CONTROL_SPEND, .amount = 0.25, .source = "llm", .source_len = 3},
		.n = n};
}

static void test_a_process_of_the_session_may_report(void **state)
{
	struct calls calls = spend_calls(2);
	struct fixture f;

	(void)state;
	setup_spend(&f, true);
	assert_int_equal(client(&f, call_inside, &calls), 0);
	assert_int_equal(f.reports, 2);
	assert_true(f.is_inside && f.amount == 0.25);
	assert_string_equal(f.source, "llm");
	assert_int_equal(f.attempts, 0);
	teardown(&f);
}

static void test_another_process_may_not_use_the_spend_socket(void **state)
{
	struct calls calls = spend_calls(1);
	struct fixture f;

	(void)state;
	setup_spend(&f, false);
	assert_int_equal(client(&f, call_inside, &calls), 100 + CONTROL_E_USER);
	assert_int_equal(f.reports, 0);
	assert_int_equal(f.attempts, 1);
	assert_non_null(strstr(f.note, "spend socket"));
	teardown(&f);
}

static void test_the_spend_socket_takes_nothing_else(void **state)
{
	struct fixture f;

	(void)state;
	setup_spend(&f, true);
	for (enum control_op op = CONTROL_STATUS; op < CONTROL_SPEND; op++) {
		struct calls calls = {.request = {.op = op, .id = "abcdefgh"}, .n = 1};

		assert_int_equal(client(&f, call_inside, &calls), 100 + CONTROL_E_UNKNOWN_OP);
	}
	assert_int_equal(f.answers, 0);
	teardown(&f);
}

static void test_reports_are_rationed(void **state)
{
	struct calls calls = spend_calls(CONTROL_REPORTS_BURST + 40);
	struct fixture f;

	(void)state;
	setup_spend(&f, true);
	assert_int_equal(client(&f, call_inside, &calls), 100 + CONTROL_E_BUSY);
	assert_in_range(f.reports, CONTROL_REPORTS_BURST, CONTROL_REPORTS_BURST + 39);
	teardown(&f);
}

static void test_a_person_reports_through_the_control_socket(void **state)
{
	struct calls calls = spend_calls(1);
	struct fixture f;

	(void)state;
	setup(&f, false);
	assert_int_equal(client(&f, call_outside, &calls), 0);
	assert_int_equal(f.reports, 1);
	assert_false(f.is_inside);
	teardown(&f);
}

static void test_only_the_rules_approvers_may_answer(void **state)
{
	char own[USER_NAME_SIZE];
	const char *const others[] = {"no-such-user", "@no-such-group"}, *const mine[] = {"x", own};
	const struct policy_ask theirs_ask = {.approvers = others, .n_approvers = 2};
	const struct policy_ask mine_ask = {.approvers = mine, .n_approvers = 2};
	const struct audit_record r = {.kind = KIND_PATH, .op = OP_WRITE};
	struct held_request q = {.record = &r, .ask = &theirs_ask};
	struct calls calls = {.request = {.op = CONTROL_APPROVE}, .n = 1};
	struct fixture f;

	(void)state;
	user_name(getuid(), own);
	setup(&f, false);
	assert_int_equal(held_table_add(f.held, &q, calls.request.id), 0);
	assert_int_equal(client(&f, call_outside, &calls), 100 + CONTROL_E_APPROVER);
	assert_int_equal(f.answers, 0);
	assert_int_equal(f.attempts, 1);
	assert_non_null(strstr(f.note, "which only no-such-user, @no-such-group may"));
	assert_int_equal(held_table_count(f.held), 1);
	q.ask = &mine_ask;
	assert_int_equal(held_table_add(f.held, &q, calls.request.id), 0);
	assert_int_equal(client(&f, call_outside, &calls), 0);
	assert_int_equal(f.answers, 1);
	teardown(&f);
}

static void test_membership_is_by_name_and_by_group(void **state)
{
	const gid_t groups[] = {12345, 0};
	const struct user_ids in_root = {
		.uid = 65533, .gid = 65533, .groups = groups, .n_groups = 2};
	const struct user_ids out = {.uid = 65533, .gid = 65533};
	const char *const group[] = {"@root"}, *const user[] = {"root"};

	(void)state;
	assert_true(user_is_among(&in_root, group, 1));
	assert_false(user_is_among(&out, group, 1));
	assert_false(user_is_among(&in_root, user, 1));
	assert_true(user_is_among(&(struct user_ids){.uid = 0, .gid = 5}, user, 1));
	assert_true(user_is_among(&(struct user_ids){.uid = 5, .gid = 0}, group, 1));
	assert_false(user_is_among(&in_root, NULL, 0));
}

static void test_requests_are_read_as_they_are_written(void **state)
{
	struct control_request q = {
		.op = CONTROL_SPEND, .amount = 0.1, .source = "\xff\n", .source_len = 2};
	struct control_request got = {};
	struct strbuf b = STRBUF_INIT(4096);
	struct json j = JSON_INIT(&b);

	(void)state;
	control_request_write(&q, &j);
	assert_int_equal(control_request_parse(b.p, b.len, &got), 0);
	assert_true(got.op == CONTROL_SPEND && got.amount == 0.1);
	assert_int_equal(got.source_len, 2);
	assert_memory_equal(got.source, "\xff\n", 2);
	strbuf_fini(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_process_of_the_session_may_report),
		cmocka_unit_test(test_another_process_may_not_use_the_spend_socket),
		cmocka_unit_test(test_the_spend_socket_takes_nothing_else),
		cmocka_unit_test(test_reports_are_rationed),
		cmocka_unit_test(test_a_person_reports_through_the_control_socket),
		cmocka_unit_test(test_only_the_rules_approvers_may_answer),
		cmocka_unit_test(test_membership_is_by_name_and_by_group),
		cmocka_unit_test(test_requests_are_read_as_they_are_written),
	};

	return cmocka_run_group_tests_name("control/spend", tests, NULL, NULL);
}
