/* SPDX-License-Identifier: Apache-2.0 */
/* Between grants.c (what a grant covers) and grants_words.c (what it says that it covers). */
#pragma once

#include "engine/grants.h"

/* What follows the last colon: of "192.0.2.1:443" and "[2001:db8::1]:443". .p NULL: there is none.
 */
struct bytes grant_port_of(struct bytes address);
