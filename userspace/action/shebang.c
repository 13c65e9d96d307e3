/* SPDX-License-Identifier: Apache-2.0 */
#include "action/shebang.h"

static bool is_blank(char ch)
{
	return ch == ' ' || ch == '\t';
}

static const char *skip_blanks(const char *p, const char *end)
{
	while (p < end && is_blank(*p))
		p++;
	return p;
}

static const char *find_terminator(const char *p, const char *end)
{
	while (p < end && !is_blank(*p) && *p != '\0')
		p++;
	return p;
}

bool shebang_parse(const char head[static SHEBANG_SIZE], struct shebang *ret)
{
	const char *buf_end = head + SHEBANG_SIZE - 1;
	const char *p = head + 2, *end, *name_end;

	if (head[0] != '#' || head[1] != '!')
		return false;
	end = memchr(head, '\n', SHEBANG_SIZE);
	if (!end) {
		const char *name = skip_blanks(p, buf_end);

		if (name == buf_end || find_terminator(name, buf_end + 1) > buf_end)
			return false;
		end = buf_end;
	}
	while (end > p && is_blank(end[-1]))
		end--;
	p = skip_blanks(p, end);
	name_end = find_terminator(p, end);
	if (p == end || name_end == p)
		return false;
	ret->interpreter = (struct bytes){.p = p, .len = (size_t)(name_end - p)};
	ret->argument = BYTES_NULL;
	if (name_end < end && *name_end != '\0') {
		p = skip_blanks(name_end, end);
		if (p < end && *p != '\0')
			ret->argument =
				(struct bytes){.p = p, .len = strnlen(p, (size_t)(end - p))};
	}
	return true;
}
