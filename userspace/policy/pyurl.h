/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The domain of a URL as AgentPolicy sees it: urlparse(url).netloc.lower() of CPython 3.11 with the
 * security fixes that its distributions carry (leading blanks stripped, brackets checked). User
 * info and port are part of it.
 *
 * apiaction.c calls this for {"kind":"http"}; a raw action gives its domain itself.
 */
#pragma once

#include "policy/value.h"

/*
 * @url may be of any type, as Python does not mind. *ret is a VALUE_STRING, or a VALUE_OTHER "b''"
 * for what is false but no text. Return: 0; -EINVAL: Python raises *reterr_raises; -ENOMEM.
 */
int pyurl_domain(const struct value *url, struct arena *mem, const struct value **ret,
		 const char **reterr_raises) _must_check_;
