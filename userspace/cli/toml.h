/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TOML 1.0 (toml.io/en/v1.0.0), read into values: what other agents' policies are written in.
 * Debian has no C library for it, which is the only reason for a reader of our own.
 */
#pragma once

#include "policy/value.h"

/*
 * Dates and times come out as VALUE_OTHER with their text. Return: 0; -EINVAL with @d set; -ENOMEM.
 * The values live in @mem, texts included. Tables are lists that are searched: meant for files of
 * at most TOML_MAX_BYTES, which the caller sees to.
 */
#define TOML_MAX_BYTES ((size_t)256 * 1024)

int toml_parse(const char *file, struct bytes text, struct arena *mem, struct value **ret,
	       struct diag *d) _must_check_;
