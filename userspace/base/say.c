/* SPDX-License-Identifier: Apache-2.0 */
#include <stdarg.h>

#include "base/escape.h"
#include "base/say.h"

#define SAY_MAX_BYTES     16384
#define SAY_DIAG_SIZE     4608 /* a diag, every byte of it escaped */
#define SAY_MAX_EXPANSION 4    /* one byte becomes at most \\xNN */

static void _printf_(2, 0) say_v(int fd, const char *fmt, va_list ap)
{
	struct strbuf raw = STRBUF_INIT(SAY_MAX_BYTES),
		      line = STRBUF_INIT(SAY_MAX_BYTES * SAY_MAX_EXPANSION + 16);
	ssize_t n;

	strbuf_add_vfmt(&raw, fmt, ap);
	strbuf_add_str(&line, "holdfast: ");
	escape_terminal(&line, strbuf_bytes(&raw));
	strbuf_add_char(&line, '\n');
	n = write(fd, line.p, line.len);
	(void)n; /* nobody is left to tell */
	strbuf_fini(&raw);
	strbuf_fini(&line);
}

void say(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say_v(STDERR_FILENO, fmt, ap);
	va_end(ap);
}

void say_fd(int fd, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say_v(fd, fmt, ap);
	va_end(ap);
}

void say_diag(const char *prefix, const struct diag *d)
{
	struct strbuf line = STRBUF_INIT(SAY_MAX_BYTES);
	char text[SAY_DIAG_SIZE];
	ssize_t n;

	diag_format(d, text, sizeof(text));
	strbuf_add_fmt(&line, "holdfast: %s%s\n", prefix, text);
	n = write(STDERR_FILENO, line.p, line.len);
	(void)n;
	strbuf_fini(&line);
}
