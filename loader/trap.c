/* SPDX-License-Identifier: Apache-2.0 */
#include <netinet/in.h>

#include "loader/trap.h"

#define TRAP_HIGHEST_KNOWN 470 /* listns(2), Linux 6.18 */

const struct trap_row trap_table[] = {
#define ROW(sc, num, cls, shp, operation, grp, dfd, pth, dfd2, pth2, flg, nofollow)                \
	{.name = #sc,                                                                              \
	 .nr = (num),                                                                              \
	 .class = (cls),                                                                           \
	 .shape = (shp),                                                                           \
	 .op = (operation),                                                                        \
	 .grant = (grp),                                                                           \
	 .dirfd = (dfd),                                                                           \
	 .path = (pth),                                                                            \
	 .dirfd2 = (dfd2),                                                                         \
	 .path2 = (pth2),                                                                          \
	 .flags = (flg),                                                                           \
	 .no_follow = (nofollow)},
#include "loader/syscalls.def"
#undef ROW
};

const struct trap_ioctl trap_ioctls[] = {
#define IOCTL(word, number, group) {.name = #word, .request = (number), .grant = (group)},
#include "loader/ioctls.def"
#undef IOCTL
};

const size_t trap_ioctls_size = ARRAY_SIZE(trap_ioctls);

#define SOCKOPT(lvl, opt)                                                                          \
	{                                                                                          \
		.name = #opt, .level = (lvl), .option = (opt)                                      \
	}
const struct trap_sockopt trap_sockopts[] = {
	SOCKOPT(IPPROTO_IP, IP_OPTIONS), SOCKOPT(IPPROTO_IPV6, IPV6_RTHDR),
	SOCKOPT(IPPROTO_IPV6, IPV6_2292PKTOPTIONS), /* control messages, routes among them */
};

const size_t trap_sockopts_size = ARRAY_SIZE(trap_sockopts);

const size_t trap_table_size = ARRAY_SIZE(trap_table);

/* The row's index plus one, by number; 0 when there is none. Built by the compiler from the same
 * rows. */
enum {
#define ROW(sc, ...) trap_index_##sc,
#include "loader/syscalls.def"
#undef ROW
	_trap_index_max,
};

static const unsigned char trap_by_number[TRAP_HIGHEST_KNOWN + 1] = {
#define ROW(sc, num, ...) [num] = trap_index_##sc + 1,
#include "loader/syscalls.def"
#undef ROW
};

_Static_assert(_trap_index_max < 255, "trap_by_number holds bytes");

const struct trap_row *trap_find(int nr)
{
	if (nr < 0 || nr > TRAP_HIGHEST_KNOWN || trap_by_number[nr] == 0)
		return NULL;
	return &trap_table[trap_by_number[nr] - 1];
}

int trap_highest_known(void)
{
	return TRAP_HIGHEST_KNOWN;
}
