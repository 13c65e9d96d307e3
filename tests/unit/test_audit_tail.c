/* SPDX-License-Identifier: Apache-2.0 */
/* What a writer learns from the end of a file that it takes up. */
#include <stdio.h>
#include <sys/mman.h>

#include "audit/tail.h"
#include "base/io.h"

#include "tests/unit/unit.h"

static int file_of(const char *text)
{
	int fd = memfd_create("tail", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(io_write_all(fd, text, strlen(text)), 0);
	return fd;
}

static uint64_t lines_of(const char *text)
{
	_cleanup_(fd_closep) int fd = file_of(text);
	struct chain *chain = NULL;
	struct tail tail = {};

	assert_int_equal(chain_new(&chain), 0);
	assert_int_equal(tail_take(fd, chain, &tail), 0);
	chain_free(chain);
	assert_int_equal(tail.file_bytes, strlen(text));
	return tail.lines;
}

#define TWO_LINES "{\"event\":\"action\"}\n{\"event\":\"action\"}\n" /* 38 bytes */

static const struct {
	const char *text;
	uint64_t lines;
} cases[] = {
	{"", 0},
	{TWO_LINES, 2},
	/* 37 is believed, so that the file need not be read. */
	{TWO_LINES "{\"event\":\"checkpoint\",\"lines\":37,\"bytes\":38}\n", 38},
	{"{\"event\":\"checkpoint\",\"lines\":0,\"bytes\":0}\n", 1},
	/* Not where it says that it is, more lines than bytes, not a checkpoint, not the last, and
	 * no JSON at all. */
	{TWO_LINES "{\"event\":\"checkpoint\",\"lines\":37,\"bytes\":37}\n", 3},
	{TWO_LINES "{\"event\":\"checkpoint\",\"lines\":3700,\"bytes\":38}\n", 3},
	{TWO_LINES "{\"event\":\"action\",\"lines\":37,\"bytes\":38}\n", 3},
	{TWO_LINES "{\"event\":\"checkpoint\",\"lines\":37,\"bytes\":38}\n{}\n", 4},
	{TWO_LINES "{\"event\":\"checkpoint\",\"lines\":37,\"bytes\":38\n", 3},
	{TWO_LINES "{\"lines\":37,\"bytes\":38}\n", 3},
	{TWO_LINES "[\"checkpoint\"]\n", 3},
	{TWO_LINES "\n", 3},
};

static void test_lines_are_counted_or_taken_from_the_last_checkpoint(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		uint64_t lines = lines_of(cases[i].text);

		if (lines != cases[i].lines)
			fail_msg("%zu lines in: %s", (size_t)lines, cases[i].text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines_are_counted_or_taken_from_the_last_checkpoint),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
