/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The host's side of a world: makes it, looks whether an attack had an effect, takes it down.
 */
#pragma once

#include "base/strbuf.h"

#include "tests/attack/attack.h"

#define WORLD_MAX_LISTENERS 64
#define WORLD_OUTPUT_MAX    ((size_t)1 << 20)

struct host {
	struct world world;
	char top[256];
	char secret[33]; /* what must not leak: new for each world */
	char mark[33];   /* what the forbidden program prints */
	char look[65];   /* digest of what must not change */
	int listeners[WORLD_MAX_LISTENERS];
	size_t n_listeners;
	int output; /* descriptor that the attack's output goes to */
};

/* Makes a world in a new directory below @parent. @self: the program, to be copied into it. With
 * @has_network also the sockets of attack_net.h. Return: 0, -errno. */
int world_make(struct host *h, const char *parent, const char *self, bool has_network) _must_check_;
/* Where the policy is that @p names: below the world, or the name of one that ships. Borrowed from
 * the same buffers as in(). */
const char *world_policy(struct host *h, enum attack_policy p);
/* Remembers how all is, just before the attack. Return: 0, -errno. */
int world_remember(struct host *h) _must_check_;
/* Says what happened since, in words, to @out. Return: the effects, as bits of enum attack_effect.
 */
unsigned int world_effects(struct host *h, struct strbuf *out);
/* What the attack printed. Return: 0, -errno. */
int world_output(const struct host *h, struct strbuf *out) _must_check_;
void world_unmake(struct host *h);
