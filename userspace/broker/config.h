/* SPDX-License-Identifier: Apache-2.0 */
/*
 * broker.yaml in the user's configuration directory: what the broker does with held actions besides
 * listing them. Without the file sessions start no broker. Agents may not change that directory,
 * and not read the file where reads are trapped: the webhook's secret is in it.
 */
#pragma once

#include "base/arena.h"
#include "base/diag.h"

#define BROKER_CONFIG_NAME   "broker.yaml"
#define BROKER_CONFIG_BYTES  ((size_t)64 * 1024)
#define BROKER_URL_MAX       1024
#define BROKER_SECRET_MIN    24 /* bytes, as Standard Webhooks has it */
#define BROKER_SECRET_MAX    64
#define BROKER_LINGER_NS     (60 * NS_PER_SEC)
#define BROKER_LINGER_MAX_S  86400
#define BROKER_POLL_NS       (5 * NS_PER_SEC)
#define BROKER_POLL_MAX_S    3600
#define BROKER_LINKS_ADDRESS "127.0.0.1"

struct broker_webhook {
	const char *url; /* NULL: there is none */
	unsigned char secret[BROKER_SECRET_MAX];
	size_t secret_len;
	const char *secret_file; /* where it came from; NULL: the file itself */
	const char *ca_file;     /* certificates to trust besides the system's; NULL */
	const char *poll;        /* where answers are fetched; NULL: nowhere */
	uint64_t poll_ns;
	bool hides_details; /* of an action: what and by whom, but no command line and no object */
};

/* Where links are answered; nothing listens unless the user says so. */
struct broker_links {
	const char *address; /* NULL: nowhere */
	uint16_t port;
	const char *url; /* what links begin with, without a slash at the end */
};

struct broker_config {
	struct arena mem; /* holds the strings */
	bool notifies;
	uint64_t linger_ns; /* how long it stays without a session */
	struct broker_webhook webhook;
	struct broker_links links;
};

/* The file's path, for the caller to free; NULL: there is no place for it. */
char *broker_config_path(void);
/*
 * Reads the file at @path. Return: 0; -ENOENT, and *ret is what holds without one; -EINVAL with
 * @reterr_diag; -ENOMEM. The caller calls broker_config_fini() in any case.
 */
int broker_config_load(const char *path, struct broker_config *ret,
		       struct diag *reterr_diag) _must_check_;
void broker_config_fini(struct broker_config *c);
