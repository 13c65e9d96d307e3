/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log_format csv|ocsf|ecs < LOG: each line of a log in another format, for the tests in Python that
 * hold the result against the schemas. Lines that are damaged are passed over.
 */
#include <stdio.h>

#include "audit/format.h"
#include "base/say.h"

int main(int argc, char **argv)
{
	_cleanup_(reader_closep) struct reader *reader = NULL;
	struct format_context context = {.version = "test"};
	struct strbuf out = STRBUF_INIT((size_t)64 << 20);
	struct reader_line line;
	struct diag d = {};
	enum format f;
	int r;

	if (argc != 2 || format_parse(bytes_of(argv[1]), &f) < 0) {
		say("usage: log_format csv|ocsf|ecs < LOG");
		return 2;
	}
	if (reader_open("/dev/stdin", &reader, &d) < 0) {
		say_diag("", &d);
		return 1;
	}
	format_begin(f, &out);
	while ((r = reader_next(reader, &line)) > 0) {
		if (r == READER_LINE)
			format_line(f, &context, &line, &out);
		if (strbuf_error(&out) || fwrite(strbuf_str(&out), 1, out.len, stdout) != out.len)
			return 1;
		strbuf_reset(&out);
	}
	strbuf_fini(&out);
	format_context_fini(&context);
	return r < 0;
}
