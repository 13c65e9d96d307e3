/* SPDX-License-Identifier: Apache-2.0 */
/* Other names for what is denied, and other ways to say the same name. */
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "tests/attack/attack.h"

#define SECRET(w) in(w, "secret/id_rsa")

static int read_open(const struct world *w)
{
	return print_fd((int)syscall(SYS_open, SECRET(w), O_RDONLY));
}

static int read_openat(const struct world *w)
{
	return print_fd(openat(AT_FDCWD, SECRET(w), O_RDONLY | O_CLOEXEC));
}

static int read_openat2(const struct world *w)
{
	struct open_how how = {.flags = O_RDONLY};

	return print_fd((int)syscall(437, AT_FDCWD, SECRET(w), &how, sizeof(how)));
}

static const struct attack_row rows[] = {
	{"open_of_a_secret_is_denied", "T036 B1", read_open, SHIP | READ_ONLY | PW,
	 .effect = EFFECT_LEAKED, .object = "secret/id_rsa"},
	{"openat_of_a_secret_is_denied", "T036", read_openat, SHIP | PW, .effect = EFFECT_LEAKED,
	 .object = "secret/id_rsa"},
	{"openat2_of_a_secret_is_denied", "T036 A5 P15", read_openat2, SHIP | PW,
	 .effect = EFFECT_LEAKED, .object = "secret/id_rsa"},
};

const struct attack_group attack_group = {"naming", rows, ARRAY_SIZE(rows), false};
