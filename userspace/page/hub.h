/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Server-sent events: what happens, to every browser that listens. Each has a bounded buffer; one
 * that is too slow loses events and is told how many. Nothing that matters is in an event alone: a
 * browser that hears that something changed asks for it.
 */
#pragma once

#include <microhttpd.h>

#include "base/strbuf.h"

#define HUB_LISTENERS_MAX 16
#define HUB_BUFFER_MAX    ((size_t)512 * 1024) /* bytes that wait for one listener */

struct hub;

int hub_new(struct hub **ret) _must_check_; /* 0, -ENOMEM */
/* All listeners must have gone. NULL-safe. Return: NULL. */
struct hub *hub_free(struct hub *h);
/* A response that goes on for as long as the browser listens; NULL: too many listen, or no memory.
 */
struct MHD_Response *hub_listen(struct hub *h, struct MHD_Connection *connection);
/* @event: a plain word. @data: one line. Any thread. */
void hub_publish(struct hub *h, const char *event, struct bytes data);
/* A comment, so that the server notices who has gone. */
void hub_beat(struct hub *h);
/* Ends all responses. */
void hub_close(struct hub *h);
bool hub_has_listeners(struct hub *h);
