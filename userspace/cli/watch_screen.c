/* SPDX-License-Identifier: Apache-2.0 */
#include <curses.h>

#include "cli/watch.h"

void screen_line(int y, const char *text, size_t len, unsigned attributes)
{
	size_t width = COLS > 0 ? (size_t)COLS : 0;

	if (y < 0 || y >= LINES)
		return;
	(void)attrset(attributes);
	(void)move(y, 0);
	for (size_t i = 0; i < width; i++)
		(void)addch(i < len && text[i] >= ' ' && text[i] <= '~' ? (chtype)text[i] : ' ');
	(void)attrset(A_NORMAL);
}

void screen_text(int y, const char *text, unsigned attributes)
{
	screen_line(y, text, strlen(text), attributes);
}

size_t screen_wrap(const char *text, size_t width,
		   bool (*fn)(size_t number, const char *line, size_t len, void *arg), void *arg)
{
	size_t n = 0;

	while (*text) {
		size_t len = strcspn(text, "\n"), part;

		/* Anywhere rather than at blanks: what is shown must be what is there. */
		do {
			part = MIN(len, width);
			if (!fn(n++, text, part, arg))
				return n;
			text += part;
			len -= part;
		} while (len);
		if (*text)
			text++;
	}
	return n;
}
