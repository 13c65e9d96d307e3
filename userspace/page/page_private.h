/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The server's parts: page.c starts and stops it, server.c is the way of a request, api*.c what is
 * answered.
 */
#pragma once

#include <microhttpd.h>
#include <stdatomic.h>

#include "base/json.h"
#include "page/connections.h"
#include "page/feed.h"
#include "page/hub.h"
#include "page/login.h"
#include "page/page.h"
#include "page/pool.h"

#define PAGE_BODY_MAX   ((size_t)8 * 1024)  /* bytes of a request's body */
#define PAGE_REPLY_MAX  ((size_t)9 << 20)   /* bytes of a response: a report and some more */
#define PAGE_MEMORY_MAX ((size_t)32 * 1024) /* bytes that a connection's headers may take */
#define PAGE_BASE_LEN   32

struct page {
	struct page_config config;
	struct guard_place place;
	char base[PAGE_BASE_LEN + 1]; /* the path below which everything is: see guard.h */
	char cookie_name[32];
	int listen_fd;
	struct logins logins;
	struct connections connections;
	struct pool *pool;
	struct hub *hub;
	struct feed *feed;
	struct MHD_Daemon *daemon;
	pthread_mutex_t attempt_lock;
	unsigned n_ticks;      /* the feed's thread */
	_Atomic pid_t suspect; /* the process of a session that was refused last */
	uint64_t attempt_ns;   /* when the user was told of one last */
	uint64_t looked_ns;    /* when somebody without a cookie was looked at last */
};

struct request;

enum {
	ROUTE_ANYBODY = 1 << 0, /* without a cookie */
	ROUTE_STREAM = 1 << 1,
	ROUTE_LOOK_ANEW = 1 << 2, /* at who the peer is, though it was looked at before */
};

struct route {
	const char *method;
	const char *path; /* below the base; absolute for ROUTE_ANYBODY */
	/* In the pool: fills the reply. */
	void (*handle)(struct request *q);
	unsigned flags;
};

enum request_state {
	REQUEST_COMING,
	REQUEST_WORKING,
	REQUEST_DONE,
};

struct request {
	struct page *page;
	struct MHD_Connection *connection;
	struct connection *slot;
	const struct route *route; /* NULL: it is for an asset, or refused */
	const struct asset *asset;
	struct login login;
	enum request_state state;
	struct strbuf body;
	/* The reply. */
	unsigned status;
	const char *type;
	struct strbuf out;
	char *cookie;        /* Set-Cookie; NULL: none */
	char style_hash[64]; /* of the inline style of a report; "" none */
};

extern const struct route api_routes[];
extern const size_t n_api_routes;

/* The argument @name of the URL; "" when there is none. */
const char *request_argument(const struct request *q, const char *name);
/* Makes the reply an error: {"error": @message} (our own words). */
void request_fail(struct request *q, unsigned status, const char *message);
/* Starts a JSON reply. */
struct json request_json(struct request *q);

/* api_log.c */
void api_log(struct request *q);
void api_tree(struct request *q);
void api_report(struct request *q);
void api_grants(struct request *q);
void api_revoke(struct request *q);
/* Adds the logs of the default place to the open object of @j. */
void api_add_logs(struct json *j);

/* The server's callbacks. */
enum MHD_Result server_request(void *cls, struct MHD_Connection *connection, const char *url,
			       const char *method, const char *version, const char *upload_data,
			       size_t *upload_data_size, void **con_cls);
void server_completed(void *cls, struct MHD_Connection *connection, void **con_cls,
		      enum MHD_RequestTerminationCode code);
void server_connection(void *cls, struct MHD_Connection *connection, void **socket_context,
		       enum MHD_ConnectionNotificationCode code);
enum MHD_Result server_accept(void *cls, const struct sockaddr *peer, socklen_t len);
