/* SPDX-License-Identifier: Apache-2.0 */
/* When rings of the kernel's programs are read (control/ring_reader.h). */
#include <sys/epoll.h>
#include <sys/eventfd.h>

#include "base/clock.h"
#include "control/ring_reader.h"

#include "tests/unit/unit.h"

struct fake {
	int more;      /* rounds that say that there may be more */
	int n_drained; /* rounds */
	bool is_readable, is_urgent;
};

static bool drain(void *arg)
{
	struct fake *f = arg;

	f->n_drained++;
	return f->more-- > 0;
}

static bool is_readable(const void *arg)
{
	return ((const struct fake *)arg)->is_readable;
}

static bool is_urgent(const void *arg)
{
	return ((const struct fake *)arg)->is_urgent;
}

static const struct ring_reader_ops ops = {drain, is_readable, is_urgent};

static void test_reads_later_but_at_once_when_urgent(void **state _unused_)
{
	struct fake f = {};
	struct ring_reader r = {.ops = &ops, .arg = &f};

	assert_int_equal(ring_reader_next(&r), UINT64_MAX);
	ring_reader_tick(&r);
	assert_int_equal(f.n_drained, 0);
	ring_reader_wake(&r);
	r.next_ns = UINT64_MAX - 1; /* far off, however slow we are */
	ring_reader_wake(&r);
	assert_int_equal(ring_reader_next(&r), UINT64_MAX - 1);
	ring_reader_tick(&r);
	assert_int_equal(f.n_drained, 0);
	f.is_urgent = true;
	ring_reader_tick(&r);
	assert_int_equal(f.n_drained, 1);
	assert_int_equal(ring_reader_next(&r), UINT64_MAX);
}

static void test_comes_back_at_once_for_more(void **state _unused_)
{
	struct fake f = {.more = 1};
	struct ring_reader r = {.ops = &ops, .arg = &f, .next_ns = 1};

	ring_reader_tick(&r);
	assert_true(ring_reader_next(&r) <= clock_monotonic_ns());
	ring_reader_tick(&r);
	assert_int_equal(f.n_drained, 2);
	assert_int_equal(ring_reader_next(&r), UINT64_MAX);
}

/* A record that is being written while we read wakes nobody. */
static void test_comes_back_for_what_is_being_written(void **state _unused_)
{
	struct fake f = {.is_readable = true};
	struct ring_reader r = {.ops = &ops, .arg = &f, .next_ns = 1};

	ring_reader_tick(&r);
	assert_int_equal(f.n_drained, 1);
	assert_true(ring_reader_next(&r) != UINT64_MAX);
}

static void test_reads_everything_at_the_end(void **state _unused_)
{
	struct fake f = {.more = 3};
	struct ring_reader r = {.ops = &ops, .arg = &f, .next_ns = 1};

	ring_reader_end(&r);
	assert_int_equal(f.n_drained, 4);
	ring_reader_end(&r);
	ring_reader_wake(&r); /* an event that was on its way */
	ring_reader_tick(&r);
	assert_int_equal(f.n_drained, 4);
	assert_int_equal(ring_reader_next(&r), UINT64_MAX);
}

static void test_watches_all_rings_and_begins_with_what_is_there(void **state _unused_)
{
	const int fds[] = {eventfd(0, EFD_CLOEXEC), eventfd(0, EFD_CLOEXEC)};
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	const uint64_t one = 1;
	struct epoll_event event;
	struct fake f = {};
	struct ring_reader r = {.ops = &ops, .arg = &f};

	assert_int_equal(ring_reader_watch(&r, epoll, fds, ARRAY_SIZE(fds), 7), 0);
	assert_true(ring_reader_next(&r) != UINT64_MAX);
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++) {
		assert_int_equal(write(fds[i], &one, sizeof(one)), sizeof(one));
		assert_int_equal(epoll_wait(epoll, &event, 1, 0), 1);
		assert_int_equal(event.data.u32, 7);
		assert_int_equal(epoll_wait(epoll, &event, 1, 0), 0); /* an edge */
		(void)close(fds[i]);
	}
	(void)close(epoll);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reads_later_but_at_once_when_urgent),
		cmocka_unit_test(test_comes_back_at_once_for_more),
		cmocka_unit_test(test_comes_back_for_what_is_being_written),
		cmocka_unit_test(test_reads_everything_at_the_end),
		cmocka_unit_test(test_watches_all_rings_and_begins_with_what_is_there),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
