/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The built-in protection of Holdfast itself, which no policy can loosen. Inside of engine/.
 */
#pragma once

#include "engine/engine.h"

struct protect_object {
	dev_t dev;
	ino_t ino;
};

struct protect {
	const struct engine_config *config; /* borrowed */
	char procs[3][32];                  /* "/proc/PID" of supervisor, launcher, keeper */
	dev_t proc_dev;
	dev_t terminal; /* the session's own */
	/* Files and directories of ours that were there at the beginning. */
	struct protect_object objects[ENGINE_MAX_PROTECTED + ENGINE_MAX_SECRETS + 1];
	size_t n_objects;
};

struct protect_refusal {
	const char *rule, *reason;
	int error;
};

/* Return: 0, -errno. */
int protect_init(struct protect *p, const struct engine_config *config) _must_check_;
/* Return: whether @a is refused; *ret says by what. */
bool protect_refuses(const struct protect *p, const struct action *a, struct protect_refusal *ret);
