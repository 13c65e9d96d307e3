/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "approve/tty.h"

/* Documentation/admin-guide/devices.txt. Numbers of the kernel's interface: they do not change. */
enum {
	MAJOR_TTY = 4,
	TTY_SERIAL_FIRST = 64,
	MAJOR_PTS_FIRST = 136,
	MAJOR_PTS_LAST = 143,
	PTS_MINORS = 256, /* of one major, before Linux took to one large range */
};

void tty_name(unsigned dev, char out[static TTY_NAME_MAX])
{
	unsigned major = dev >> 8 & 0xfff, minor = (dev & 0xff) | (dev >> 12 & 0xfff00);

	out[0] = '\0';
	if (major >= MAJOR_PTS_FIRST && major <= MAJOR_PTS_LAST)
		(void)snprintf(out, TTY_NAME_MAX, "/dev/pts/%u",
			       minor + (major - MAJOR_PTS_FIRST) * PTS_MINORS);
	else if (major == MAJOR_TTY && minor < TTY_SERIAL_FIRST)
		(void)snprintf(out, TTY_NAME_MAX, "/dev/tty%u", minor);
	else if (major == MAJOR_TTY)
		(void)snprintf(out, TTY_NAME_MAX, "/dev/ttyS%u", minor - TTY_SERIAL_FIRST);
}
