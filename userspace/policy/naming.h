/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an action answers to, and its argument text. One place for action/, which has it from a
 * system call, and for apiaction.c, which has it from JSON: a policy must give both the same
 * answer.
 */
#pragma once

#include "base/arena.h"
#include "policy/aliases.h"

#define POLICY_MAX_NAMES 8  /* of one action */
#define POLICY_HOST_SIZE 64 /* "[address]:port" and a NUL */

/* The names of the operation alone: for an exec bash, shell, exec. Return: how many. */
size_t policy_names_init(struct policy_name names[static POLICY_MAX_NAMES], enum action_op op);
/* Empty names, names that are there and those past the limit are left out. */
void policy_names_add(struct policy_name names[static POLICY_MAX_NAMES], size_t *n,
		      struct bytes name, bool is_untrusted);
/* The name of a resolved image: its base name, or "memfd:NAME" of a file that exists in memory
 * only. */
struct bytes policy_image_name(struct bytes path);
/* An exec: base name of the resolved @image (a file that exists in memory only answers to
 * "memfd:NAME"), and the name that it was @asked for by. */
void policy_names_add_exec(struct policy_name names[static POLICY_MAX_NAMES], size_t *n,
			   struct bytes image, struct bytes asked, bool is_asked_trusted);
/* A directory whose names are the administrator's: a link in it is what it says. Compared as text,
 * slashes at the end aside. */
bool policy_is_trusted_dir(struct bytes dir);
/* Whether @asked, made absolute with @cwd, lies directly in a trusted directory. Compared byte by
 * byte: a ".." or a link on the way ("/tmp/link/../../usr/bin/git") could lead elsewhere than the
 * text says. */
bool policy_is_trusted_alias(struct bytes asked, struct bytes cwd);
/* @head (left out when empty) and words @from.. of @argv, joined by blanks. .p NULL: out of memory.
 */
struct bytes policy_join_words(struct arena *mem, struct bytes head, const struct bytes *argv,
			       size_t argc, size_t from) _must_check_;

/* The forms under which one place hides: an IPv4 address in IPv6 clothes; "any" as a destination is
 * this machine. */
void policy_address_normalise(struct policy_address *a, enum action_op op);
/*
 * The IPv4 addresses inside an IPv6 one to which a translator or a tunnel may carry what is sent
 * there: NAT64 (RFC 6052, 8215), 6to4 (RFC 3056), Teredo (RFC 4380: server and client), ISATAP (RFC
 * 5214), the IPv4-translated form (RFC 2765) and the IPv4-compatible one. A translator's prefix out
 * of a network's own addresses cannot be told from any other. @ret is normalised for @op; port
 * and protocol are @a's. A bind and a listen go nowhere: they have none. Return: how many; at most
 * 64:ff9b:1::/48 with an ISATAP look.
 */
#define POLICY_EMBEDDED_MAX 5
size_t policy_address_embedded(const struct policy_address *a, enum action_op op,
			       struct policy_address ret[static POLICY_EMBEDDED_MAX]);
/* "1.2.3.4:80", "[::1]:80". */
void policy_address_format(char out[static POLICY_HOST_SIZE], const struct policy_address *a);
/* The text of a network action: "name:port" for each of @domains, then "address:port" if the
 * address is known, separated by blanks. .p NULL: out of memory. */
struct bytes policy_network_text(struct arena *mem, const struct bytes *domains, size_t n,
				 const struct policy_address *a) _must_check_;
