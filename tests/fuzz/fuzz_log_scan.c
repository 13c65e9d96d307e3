/* SPDX-License-Identifier: Apache-2.0 */
/* Where the fast scanner is sure of a line, it has read what jansson reads. */
#include <assert.h>

#include "audit/reader.h"
#include "audit/scan.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_text(struct bytes fast, struct bytes slow)
{
	struct strbuf a = STRBUF_INIT(READER_LINE_MAX), b = STRBUF_INIT(READER_LINE_MAX);

	assert(!fast.p == !slow.p);
	scan_decode(fast, &a);
	scan_decode(slow, &b);
	assert(bytes_eq(strbuf_bytes(&a), strbuf_bytes(&b)));
	strbuf_fini(&a);
	strbuf_fini(&b);
}

static void check_argv(struct bytes fast, struct bytes slow)
{
	struct bytes a, b;
	bool is_more;

	assert(!fast.p == !slow.p);
	do {
		is_more = scan_next_argument(&fast, &a);
		assert(scan_next_argument(&slow, &b) == is_more);
		if (is_more)
			check_text(a, b);
	} while (is_more);
}

static void check_line(const struct scan *fast, const struct reader_line *line)
{
	struct strbuf mem = STRBUF_INIT(READER_LINE_MAX * 8);
	struct scan slow;

	assert(scan_root(line->root, line->time_ns, &mem, &slow) == 0);
	assert(fast->time_ns == slow.time_ns);
	assert(fast->pid == slow.pid && fast->ppid == slow.ppid);
	assert(fast->kind == slow.kind && fast->op == slow.op && fast->verdict == slow.verdict);
	assert(fast->is_plain && slow.is_plain);
	for (size_t i = 0; i < _SCAN_TEXT_MAX; i++)
		if (i == SCAN_ARGV)
			check_argv(fast->texts[i], slow.texts[i]);
		else
			check_text(fast->texts[i], slow.texts[i]);
	strbuf_fini(&mem);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct bytes text = {.p = (const char *)data, .len = size};
	struct scanner scanner = {};
	struct reader_line line = {};
	struct scan fast;
	int status;

	/* A line holds no newline: the file's reader has taken them away. */
	if (size > READER_LINE_MAX || memchr(data, '\n', size))
		return 0;
	if (!scan_line(&scanner, text, &fast))
		return 0;
	status = reader_parse(text, &line);
	assert(status == READER_LINE);
	check_line(&fast, &line);
	json_decref(line.root);
	return 0;
}
