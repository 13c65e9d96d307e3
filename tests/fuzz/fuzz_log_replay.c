/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Lines that anybody may have written, replayed and compared: nothing crashes, and what
 * line_split() takes for a record and the library as well holds the same strings.
 */
#include <assert.h>

#include "audit/reader.h"
#include "audit/replay.h"
#include "cli/facts.h"

#define MEM_MAX ((size_t)64 << 20)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char policy_text[] =
	"version: 1\nname: p\ndefault: {tool: allow, read: ask, write: flag, network: deny}\n"
	"grant: [ptrace]\nbudget: {max_execs: 3, max_spend: 1}\nrules:\n"
	"  - {name: a, match: {tool: sh, args_pattern: 'a+b'}, action: deny, cost: 0.5}\n"
	"  - {name: b, match: {path: ['/a/**'], cwd: [/b]}, action: allow}\n"
	"  - {name: c, match: {cidr: 10.0.0.0/8, time: '09:00-17:00'}, action: allow}\n";

static struct policy_stack *make_stack(void)
{
	const struct policy_vars vars = {.home = "/h", .project = "/h/p", .tmp = "/tmp"};
	struct policy_stack *stack = NULL;
	struct policy *p = NULL;
	struct diag d = {};

	if (policy_parse("p", bytes_of(policy_text), &vars, &p, &d) < 0 ||
	    policy_stack_new(&p, 1, false, &stack, &d) < 0)
		abort();
	return stack;
}

/* Twice the same key is the library's last, and ours. */
static void check_strings(struct bytes text)
{
	struct arena mem = ARENA_INIT(MEM_MAX);
	struct strbuf expected = STRBUF_INIT(MEM_MAX);
	struct reader_line parsed = {};
	struct bytes object;
	struct line l;

	if (line_split(text, &l) && reader_parse(text, &parsed) == READER_LINE &&
	    reader_string(parsed.root, "object", &expected)) {
		assert(line_string(&l, LINE_OBJECT, &mem, &object) == 0);
		assert(bytes_eq(object, strbuf_bytes(&expected)));
	}
	json_decref(parsed.root);
	strbuf_fini(&expected);
	arena_fini(&mem);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct policy_stack *stack;
	struct bytes rest = {.p = (const char *)data, .len = size};
	struct replay *replay = NULL;
	struct facts facts;

	stack = stack ? stack : make_stack();
	facts_init(&facts, size % 2);
	if (replay_new(stack, &replay) < 0)
		abort();
	while (rest.len) {
		const char *end = memchr(rest.p, '\n', rest.len);
		struct bytes line = {.p = rest.p, .len = end ? (size_t)(end - rest.p) : rest.len};
		struct replay_answer answer;
		char why[LINE_WHY_SIZE];

		if (replay_line(replay, line, &answer) == REPLAY_ACTION)
			assert(answer.decision.verdict < _VERDICT_MAX && answer.action);
		(void)facts_add_line(&facts, line, why);
		check_strings(line);
		rest.p += line.len + (end ? 1 : 0);
		rest.len -= line.len + (end ? 1 : 0);
	}
	facts_fini(&facts);
	replay_free(replay);
	return 0;
}
