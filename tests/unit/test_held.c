/* SPDX-License-Identifier: Apache-2.0 */
#include <jansson.h>
#include <malloc.h>
#include <poll.h>
#include <pthread.h>

#include "approve/held.h"
#include "base/clock.h"

#include "unit.h"

#define HOUR_NS (3600 * NS_PER_SEC)

static const struct bytes argv_small[] = {BYTES_LIT("git"), BYTES_LIT("push"),
					  BYTES_LIT("--force")};

static struct audit_record typical(void)
{
	return (struct audit_record){
		.event = AUDIT_HELD,
		.time_ns = clock_realtime_ns(),
		.pid = 1234,
		.tid = 1235,
		.ppid = 1,
		.kind = KIND_TOOL,
		.op = OP_EXEC,
		.verdict = VERDICT_ASK,
		.syscall = "execve",
		.layer = "seccomp-notify",
		.exe = BYTES_LIT("/usr/bin/bash"),
		.object = BYTES_LIT("/usr/bin/git"),
		.asked = BYTES_LIT("git"),
		.cwd = BYTES_LIT("/home/somebody/project"),
		.argv = argv_small,
		.argc = ARRAY_SIZE(argv_small),
		.argc_total = ARRAY_SIZE(argv_small),
		.policy = BYTES_LIT("coding-agent"),
		.rule = BYTES_LIT("no-force-push"),
		.reason = BYTES_LIT("Force push rewrites shared history."),
	};
}

static struct held_table *table(uint64_t timeout_ns)
{
	struct held_table *t = NULL;

	assert_int_equal(held_table_new(timeout_ns, &t), 0);
	return t;
}

struct before {
	int result;
	char id[HELD_ID_SIZE];
};

static int note_before(void *arg, const char *id)
{
	struct before *b = arg;

	(void)snprintf(b->id, sizeof(b->id), "%s", id);
	return b->result;
}

static void test_an_entry_is_announced_before_it_can_be_seen(void **state)
{
	struct before ok = {.result = 0}, full = {.result = -ENOSPC};
	struct audit_record r = typical();
	struct held_table *t = table(HOUR_NS);
	char id[HELD_ID_SIZE];

	(void)state;
	assert_int_equal(held_table_add(t,
					&(struct held_request){.notif = {.id = 1},
							       .record = &r,
							       .before = note_before,
							       .arg = &ok},
					id),
			 0);
	assert_string_equal(ok.id, id);
	assert_int_equal(held_table_add(t,
					&(struct held_request){.notif = {.id = 2},
							       .record = &r,
							       .before = note_before,
							       .arg = &full},
					id),
			 -ENOSPC);
	assert_null(held_table_take(t, full.id)); /* it could not be recorded: it is not held */
	assert_int_equal(held_table_count(t), 1);
	held_free(held_table_take(t, ok.id));
	held_table_free(t);
}

static void test_entry_is_a_deep_copy(void **state)
{
	char object[] = "/etc/passwd", arg[] = "one\0two";
	struct bytes argv[] = {{arg, sizeof(arg) - 1}};
	struct audit_record r = typical();
	struct held_table *t = table(HOUR_NS);
	char id[HELD_ID_SIZE];
	struct held *h;

	(void)state;
	r.object = (struct bytes){object, strlen(object)};
	r.argv = argv;
	r.argc = r.argc_total = 1;
	assert_int_equal(
		held_table_add(t, &(struct held_request){.notif = {.id = 77}, .record = &r}, id),
		0);
	memset(object, 'x', sizeof(object));
	memset(arg, 'x', sizeof(arg));
	argv[0] = BYTES_NULL;
	h = held_table_take(t, id);
	assert_non_null(h);
	assert_int_equal(h->notif.id, 77);
	assert_int_equal(h->tid, 1235);
	assert_string_equal(h->id, id);
	assert_true(bytes_eq_str(h->record.held, id));
	assert_true(bytes_eq_str(h->record.object, "/etc/passwd"));
	assert_int_equal(h->record.argc, 1);
	assert_true(bytes_eq(h->record.argv[0], BYTES_LIT("one\0two")));
	assert_null(h->record.object2.p);
	assert_false(h->record.argv_truncated);
	held_free(h);
	held_table_free(t);
}

static void test_only_the_first_take_gets_it(void **state)
{
	const struct audit_record r = typical();
	struct held_table *t = table(HOUR_NS);
	char id[HELD_ID_SIZE];

	(void)state;
	assert_int_equal(
		held_table_add(t, &(struct held_request){.notif = {.id = 1}, .record = &r}, id), 0);
	assert_null(held_table_take(t, ""));
	assert_null(held_table_take(t, "aaaaaaaaaaaa"));
	held_free(held_table_take(t, id));
	assert_null(held_table_take(t, id));
	assert_int_equal(held_table_count(t), 0);
	assert_true(held_table_next_deadline(t) == UINT64_MAX);
	held_table_free(t);
}

static void test_huge_arguments_are_capped_and_said_to_be(void **state)
{
	_cleanup_(freep) char *big = malloc(1 << 20);
	struct held_table *t = table(HOUR_NS);
	struct audit_record r = typical();
	struct bytes argv[3];
	char id[HELD_ID_SIZE];
	struct held *h;

	(void)state;
	assert_non_null(big);
	memset(big, 'a', 1 << 20);
	argv[0] = BYTES_LIT("sh");
	argv[1] = (struct bytes){big, 1 << 20};
	argv[2] = BYTES_LIT("tail");
	r.argv = argv;
	r.argc = r.argc_total = 3;
	assert_int_equal(
		held_table_add(t, &(struct held_request){.notif = {.id = 1}, .record = &r}, id), 0);
	h = held_table_take(t, id);
	assert_true(h->record.argv_truncated);
	assert_int_equal(h->record.argc, 2);
	assert_int_equal(h->record.argv[1].len, AUDIT_STRING_MAX - sizeof("sh") - 1);
	assert_int_equal(h->record.argc_total, 3);
	held_free(h);
	held_table_free(t);
}

static void test_arguments_at_the_limit_are_whole(void **state)
{
	_cleanup_(freep) char *big = malloc(AUDIT_STRING_MAX);
	struct held_table *t = table(HOUR_NS);
	struct audit_record r = typical();
	char id[HELD_ID_SIZE];

	(void)state;
	assert_non_null(big);
	memset(big, 'a', AUDIT_STRING_MAX);
	for (size_t over = 0; over < 2; over++) {
		struct bytes argv[] = {{big, AUDIT_STRING_MAX - 1 + over}};
		struct held *h;

		r.argv = argv;
		r.argc = r.argc_total = 1;
		assert_int_equal(
			held_table_add(t, &(struct held_request){.notif = {.id = 1}, .record = &r},
				       id),
			0);
		h = held_table_take(t, id);
		assert_int_equal(h->record.argv[0].len, AUDIT_STRING_MAX - 1);
		assert_int_equal(h->record.argv_truncated, over);
		held_free(h);
	}
	held_table_free(t);
}

static void test_many_empty_arguments_stay_bounded(void **state)
{
	enum {
		N = 100000
	};
	_cleanup_(freep) struct bytes *argv = calloc(N, sizeof(*argv));
	struct held_table *t = table(HOUR_NS);
	struct audit_record r = typical();
	char id[HELD_ID_SIZE];
	struct held *h;

	(void)state;
	assert_non_null(argv);
	for (size_t i = 0; i < N; i++)
		argv[i] = BYTES_LIT("");
	r.argv = argv;
	r.argc = r.argc_total = N;
	assert_int_equal(
		held_table_add(t, &(struct held_request){.notif = {.id = 1}, .record = &r}, id), 0);
	h = held_table_take(t, id);
	assert_true(h->record.argv_truncated);
	assert_in_range(h->record.argc, 1, 1024);
	held_free(h);
	held_table_free(t);
}

static int by_value(const void *a, const void *b)
{
	return memcmp(a, b, HELD_ID_SIZE);
}

static void test_ten_thousand_at_once(void **state)
{
	static char ids[HELD_MAX][HELD_ID_SIZE], sorted[HELD_MAX][HELD_ID_SIZE];
	const struct audit_record r = typical();
	struct held_table *t = table(HOUR_NS);
	uint64_t random = UNIT_SEED, last = 0;
	char id[HELD_ID_SIZE];
	size_t before = mallinfo2().uordblks, each, taken = 0;
	struct held *h;

	(void)state;
	for (size_t i = 0; i < HELD_MAX; i++)
		assert_int_equal(
			held_table_add(t, &(struct held_request){.notif = {.id = i}, .record = &r},
				       ids[i]),
			0);
	each = (mallinfo2().uordblks - before) / HELD_MAX;
	assert_in_range(each, 0, 4096);
	assert_int_equal(
		held_table_add(t, &(struct held_request){.notif = {.id = 1}, .record = &r}, id),
		-ENOSPC);

	memcpy(sorted, ids, sizeof(ids));
	qsort(sorted, HELD_MAX, HELD_ID_SIZE, by_value);
	for (size_t i = 0; i < HELD_MAX; i++) {
		assert_int_equal(strspn(ids[i], "abcdefghijklmnopqrstuvwxyz23456789"), 8);
		assert_true(i == 0 || !streq(sorted[i], sorted[i - 1]));
	}
	/* Out of the middle, in no order; then the rest by deadline. */
	for (size_t i = 0; i < HELD_MAX / 2; i++) {
		h = held_table_take(t, ids[unit_random(&random) % HELD_MAX]);
		taken += h != NULL;
		held_free(h);
	}
	assert_int_equal(held_table_count(t), HELD_MAX - taken);
	assert_null(held_table_take_expired(t, clock_monotonic_ns()));
	while ((h = held_table_take_expired(t, UINT64_MAX))) {
		assert_true(h->deadline_ns >= last);
		assert_true(held_table_next_deadline(t) >= h->deadline_ns);
		last = h->deadline_ns;
		taken++;
		held_free(h);
	}
	assert_int_equal(taken, HELD_MAX);
	assert_int_equal(held_table_count(t), 0);
	held_table_free(t);
}

static void test_adding_makes_the_descriptor_readable(void **state)
{
	const struct audit_record r = typical();
	struct held_table *t = table(HOUR_NS);
	struct pollfd fd = {.fd = held_table_fd(t), .events = POLLIN};
	char id[HELD_ID_SIZE];

	(void)state;
	assert_int_equal(poll(&fd, 1, 0), 0);
	assert_int_equal(
		held_table_add(t, &(struct held_request){.notif = {.id = 1}, .record = &r}, id), 0);
	assert_int_equal(poll(&fd, 1, 0), 1);
	held_table_ack(t);
	assert_int_equal(poll(&fd, 1, 0), 0);
	held_table_ack(t); /* does not block */
	held_table_free(t);
}

static void test_deadline_passes(void **state)
{
	const struct audit_record r = typical();
	struct held_table *t = table(5 * NS_PER_SEC);
	uint64_t deadline_ns;
	char id[HELD_ID_SIZE];
	struct held *h;

	(void)state;
	assert_int_equal(
		held_table_add(t, &(struct held_request){.notif = {.id = 1}, .record = &r}, id), 0);
	deadline_ns = held_table_next_deadline(t);
	assert_in_range(deadline_ns - clock_monotonic_ns(), 1, 5 * NS_PER_SEC);
	assert_null(held_table_take_expired(t, deadline_ns - 1));
	h = held_table_take_expired(t, deadline_ns);
	assert_non_null(h);
	held_free(h);
	held_table_free(t);
}

static void test_endless_timeout_does_not_overflow(void **state)
{
	const struct audit_record r = typical();
	struct held_table *t = table(UINT64_MAX);
	char id[HELD_ID_SIZE];

	(void)state;
	assert_int_equal(
		held_table_add(t, &(struct held_request){.notif = {.id = 1}, .record = &r}, id), 0);
	assert_null(held_table_take_expired(t, clock_monotonic_ns()));
	held_table_free(t);
}

static bool collect(const struct held *h, void *arg)
{
	struct strbuf *out = arg;

	strbuf_add_u64(out, h->notif.id);
	return out->len < 3;
}

static void test_each_goes_by_arrival_from_where_it_is_told(void **state)
{
	const struct audit_record r = typical();
	struct held_table *t = table(HOUR_NS);
	struct strbuf out = STRBUF_INIT(100);
	char ids[5][HELD_ID_SIZE];
	struct held *copy;

	(void)state;
	for (size_t i = 0; i < 5; i++)
		assert_int_equal(
			held_table_add(t, &(struct held_request){.notif = {.id = i}, .record = &r},
				       ids[i]),
			0);
	held_free(held_table_take(t, ids[1]));
	held_table_each(t, collect, &out);
	assert_string_equal(strbuf_str(&out), "023");
	strbuf_reset(&out);
	held_table_each_after(t, 2, collect, &out); /* number 2 is the one that is gone */
	assert_string_equal(strbuf_str(&out), "234");
	held_free(held_table_take(t, ids[0]));
	copy = held_table_copy(t, ids[2]);
	assert_string_equal(copy->id, ids[2]);
	assert_true(bytes_eq_str(copy->record.held, ids[2]));
	held_free(copy);
	held_free(held_table_take_any(t));
	assert_null(held_table_take(t, ids[2]));
	assert_int_equal(held_table_count(t), 2);
	strbuf_fini(&out);
	held_table_free(t);
}

static void *add_many(void *arg)
{
	const struct audit_record r = typical();
	char id[HELD_ID_SIZE];

	for (int i = 0; i < 1000; i++)
		assert_int_equal(
			held_table_add(
				arg, &(struct held_request){.notif = {.id = 1}, .record = &r}, id),
			0);
	return NULL;
}

static void test_threads_add_while_another_takes(void **state)
{
	struct held_table *t = table(HOUR_NS);
	pthread_t threads[4];
	size_t taken = 0;

	(void)state;
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, add_many, t), 0);
	while (taken < 4000) {
		struct pollfd fd = {.fd = held_table_fd(t), .events = POLLIN};
		struct held *h;

		assert_int_equal(poll(&fd, 1, 10000), 1);
		held_table_ack(t);
		while ((h = held_table_take_any(t))) {
			taken++;
			held_free(h);
		}
	}
	for (size_t i = 0; i < 4; i++)
		(void)pthread_join(threads[i], NULL);
	assert_int_equal(held_table_count(t), 0);
	held_table_free(t);
}

static json_t *to_json(const struct audit_record *r, size_t max, size_t *ret_len)
{
	struct strbuf out = STRBUF_INIT((size_t)1 << 20);
	struct json j = JSON_INIT(&out);
	struct held_table *t = table(HOUR_NS);
	char id[HELD_ID_SIZE];
	struct held *h;
	json_t *root;

	assert_int_equal(
		held_table_add(t, &(struct held_request){.notif = {.id = 1}, .record = r}, id), 0);
	h = held_table_take(t, id);
	held_to_json(h, h->since_ns + 2 * NS_PER_SEC, max, &j);
	assert_int_equal(strbuf_error(&out), 0);
	root = json_loadb(out.p, out.len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
	assert_non_null(root);
	if (ret_len)
		*ret_len = out.len;
	held_free(h);
	held_table_free(t);
	strbuf_fini(&out);
	return root;
}

static const char *text_of(const json_t *root, const char *key)
{
	const char *s = json_string_value(json_object_get(root, key));

	assert_non_null(s);
	return s;
}

static void test_json_says_what_is_held(void **state)
{
	const struct audit_record r = typical();
	json_t *root = to_json(&r, 4096, NULL);

	(void)state;
	assert_string_equal(text_of(root, "op"), "exec");
	assert_string_equal(text_of(root, "kind"), "tool");
	assert_string_equal(text_of(root, "object"), "/usr/bin/git");
	assert_string_equal(text_of(root, "rule"), "no-force-push");
	assert_int_equal(json_integer_value(json_object_get(root, "age_ms")), 2000);
	assert_int_equal(json_integer_value(json_object_get(root, "left_ms")), 3598000);
	assert_int_equal(json_array_size(json_object_get(root, "argv")), 3);
	assert_true(json_is_false(json_object_get(root, "truncated")));
	assert_true(json_is_null(json_object_get(root, "object2")));
	json_decref(root);
}

static void test_json_of_hostile_bytes_is_bounded(void **state)
{
	static char evil[8000];
	struct audit_record r = typical();
	struct bytes argv[2000];
	const char *object;
	size_t len;
	json_t *root;

	(void)state;
	memset(evil, 1, sizeof(evil));
	memcpy(evil, "HEAD", 4);
	memcpy(evil + sizeof(evil) - 4, "TAIL", 4);
	r.exe = r.object = r.asked = r.object2 = r.interpreter = r.cwd = r.policy = r.rule =
		r.reason = (struct bytes){evil, sizeof(evil)};
	for (size_t i = 0; i < ARRAY_SIZE(argv); i++)
		argv[i] = (struct bytes){evil, i % 40};
	r.argv = argv;
	r.argc = r.argc_total = ARRAY_SIZE(argv);
	root = to_json(&r, 400, &len);
	assert_in_range(len, 1, 32 * 1024);
	assert_true(json_is_true(json_object_get(root, "truncated")));
	object = text_of(root, "object");
	assert_non_null(strstr(object, "HEAD"));
	assert_non_null(strstr(object, "[7600 bytes]"));
	assert_non_null(strstr(object, "TAIL"));
	json_decref(root);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_entry_is_a_deep_copy),
		cmocka_unit_test(test_an_entry_is_announced_before_it_can_be_seen),
		cmocka_unit_test(test_only_the_first_take_gets_it),
		cmocka_unit_test(test_huge_arguments_are_capped_and_said_to_be),
		cmocka_unit_test(test_arguments_at_the_limit_are_whole),
		cmocka_unit_test(test_many_empty_arguments_stay_bounded),
		cmocka_unit_test(test_ten_thousand_at_once),
		cmocka_unit_test(test_adding_makes_the_descriptor_readable),
		cmocka_unit_test(test_deadline_passes),
		cmocka_unit_test(test_endless_timeout_does_not_overflow),
		cmocka_unit_test(test_each_goes_by_arrival_from_where_it_is_told),
		cmocka_unit_test(test_threads_add_while_another_takes),
		cmocka_unit_test(test_json_says_what_is_held),
		cmocka_unit_test(test_json_of_hostile_bytes_is_bounded),
	};

	return cmocka_run_group_tests_name("held", tests, NULL, NULL);
}
