/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A key pair that signs checkpoints. Its private half is only ever in this process's memory: on no
 * disk and in no swap, in no core dump and in no child; so who owns it must not be dumpable by the
 * time that it is made, and nobody can read it afterwards but a tracer. One is made for a session,
 * and another for each recovery; what says whose it is, is the list of keys (audit/keylist.h).
 *
 * memfd_secret(2) would keep it from root, too, but the machine cannot hibernate while such memory
 * is in use.
 */
#pragma once

#include "audit/pubkey.h"

struct signkey;

/* Return: 0; -ENOMEM; -EIO: the kernel gives no random bytes. */
int signkey_new(struct signkey **ret);
/* Wipes it. NULL-safe. Return: NULL. */
struct signkey *signkey_free(struct signkey *k);
void signkey_freep(struct signkey **k);
/* Borrowed. */
const struct pubkey *signkey_public(const struct signkey *k);
void signkey_sign(const struct signkey *k, struct bytes text,
		  unsigned char ret[static PUBKEY_SIGNATURE_BYTES]);
