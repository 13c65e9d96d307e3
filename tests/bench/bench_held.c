/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What thousands of held actions cost: memory of all, and the time that one answer takes among them
 * (finding the question, taking its calls, and asking the new grant about all that waits).
 */
#include <malloc.h>
#include <stdio.h>

#include "approve/held.h"
#include "base/clock.h"

#define N       5000
#define ANSWERS 500

static int compare(const void *a, const void *b)
{
	const uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static int hold(struct held_table *t, unsigned i, char id[static HELD_ID_SIZE])
{
	char object[64];
	struct audit_record r = {.kind = KIND_TOOL, .op = OP_EXEC, .rule = BYTES_LIT("ask-first")};
	struct action a = {.kind = KIND_TOOL, .op = OP_EXEC, .cwd = BYTES_LIT("/home/user/work")};
	const struct policy_source source = {.policy = "p", .rule = "ask-first"};
	struct grant_subject s;
	struct held_request q = {.record = &r, .subject = &s};
	const struct bytes argv[] = {BYTES_LIT("cc"),
				     BYTES_LIT("-c"),
				     {object, (size_t)snprintf(object, sizeof(object),
							       "/home/user/work/src/file%u.c", i)}};

	a.object = r.object = BYTES_LIT("/usr/bin/x86_64-linux-gnu-gcc-12");
	a.exe = r.exe = BYTES_LIT("/usr/bin/make");
	a.argv = r.argv = argv;
	a.argc = a.argc_total = r.argc = r.argc_total = 3;
	a.steps[0] = (struct action_step){.kind = KIND_TOOL, .op = OP_EXEC, .object = a.object};
	a.n_steps = 1;
	grant_subject_of(&a, &source, 0, &s);
	return held_table_add(t, &q, id);
}

static bool is_covered(const struct held *h, void *arg)
{
	return grant_rule_covers(arg, &h->subject);
}

static int fill(struct held_table *t, char (*ids)[HELD_ID_SIZE])
{
	for (unsigned i = 0; i < N; i++)
		if (hold(t, i, ids[i]) < 0)
			return -1;
	return 0;
}

int main(void)
{
	static char ids[N][HELD_ID_SIZE];
	static uint64_t took[ANSWERS];
	size_t before = mallinfo2().uordblks;
	struct grant_rule g = {.scope = ANSWER_EXACT, .kind = KIND_TOOL};
	struct held_table *t;
	size_t bytes;

	if (held_table_new(NS_PER_SEC, &t) < 0 || fill(t, ids) < 0)
		return 1;
	bytes = mallinfo2().uordblks + mallinfo2().hblkhd - before;
	for (unsigned i = 0; i < ANSWERS; i++) {
		uint64_t start_ns = clock_monotonic_ns();
		struct held *h = held_table_copy(t, ids[i * (N / ANSWERS)]);

		held_free(h);
		h = held_table_take_same(t, ids[i * (N / ANSWERS)]);
		if (!h || held_table_take_if(t, is_covered, &g))
			return 1;
		took[i] = clock_monotonic_ns() - start_ns;
		held_free(h);
	}
	qsort(took, ANSWERS, sizeof(took[0]), compare);
	(void)printf("%u held: %.1f MB in all; one answer among them %.3f ms (median), %.3f ms "
		     "(99th percentile), with a grant asked about all\n",
		     N, (double)bytes / 1e6, (double)took[ANSWERS / 2] / 1e6,
		     (double)took[ANSWERS * 99 / 100] / 1e6);
	held_table_free(t);
	return 0;
}
