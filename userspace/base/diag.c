/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "base/diag.h"
#include "base/escape.h"

int diag_set(struct diag *d, const char *file, unsigned line, unsigned column, const char *fmt, ...)
{
	va_list ap;

	if (!d)
		return -EINVAL;
	(void)snprintf(d->file, sizeof(d->file), "%s", file ? file : "");
	d->line = line;
	d->column = column;
	va_start(ap, fmt);
	(void)vsnprintf(d->message, sizeof(d->message), fmt, ap);
	va_end(ap);
	return -EINVAL;
}

void diag_format(const struct diag *d, char *out, size_t size)
{
	struct strbuf b = STRBUF_INIT(8192);

	if (d->file[0]) {
		escape_terminal(&b, bytes_of(d->file));
		if (d->line)
			strbuf_add_fmt(&b, ":%u", d->line);
		if (d->line && d->column)
			strbuf_add_fmt(&b, ":%u", d->column);
		strbuf_add_str(&b, ": ");
	}
	escape_terminal(&b, bytes_of(d->message));
	(void)snprintf(out, size, "%s", strbuf_str(&b));
	strbuf_fini(&b);
}
