/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Answers by links: hands/links.c speaks HTTP, knows no key, and asks here. Packets, where N is the
 * hand's and names a request:
 *
 *   to it     "listen ADDRESS PORT"    "reply N STATUS\nTEXT"    "page N allow|deny\nTEXT"
 *   from it   "look N TOKEN"    "use N TOKEN"    "inside PID"    "say TEXT"
 */
#include <inttypes.h>
#include <stdio.h>

#include "base/clock.h"
#include "broker/held_text.h"

#include "broker/broker_private.h"

void links_reply(struct broker *b, uint64_t link, unsigned status, const char *text)
{
	strbuf_reset(&b->packet);
	strbuf_add_fmt(&b->packet, "reply %" PRIu64 " %u\n%s", link, status, text);
	(void)!hand_send(&b->links, strbuf_bytes(&b->packet)); /* else its client hears nothing */
}

void links_tick(struct broker *b, uint64_t now_ns)
{
	int r = hand_tend(&b->links, now_ns);
	char packet[128];

	if (r < 0)
		broker_say(b, "no links: cannot start holdfast-links: %s", strerror(-r));
	if (r <= 0)
		return;
	(void)snprintf(packet, sizeof(packet), "listen %s %u", b->config->links.address,
		       b->config->links.port);
	(void)!hand_send(&b->links, bytes_of(packet));
}

/* What would be answered, for a person to read before the answer is given: a link that only shows
 * may be fetched ahead by whatever carries it. */
static void on_look(struct broker *b, uint64_t link, struct bytes text)
{
	struct roster_session s;
	const json_t *entry = NULL;
	struct question *q;
	struct token t;
	const char *why;
	size_t i;
	int status = answers_look(b, text, "webhook", &t, &q, &why);

	if (status) {
		links_reply(b, link, (unsigned)status, why);
		return;
	}
	entry = roster_find(b->roster, q->id, &i);
	if (!entry) {
		links_reply(b, link, 410, "This action is no longer waiting.");
		return;
	}
	roster_get(b->roster, i, &s);
	strbuf_reset(&b->packet);
	strbuf_add_fmt(&b->packet, "page %" PRIu64 " %s\n", link, t.approve ? "allow" : "deny");
	if (b->config->webhook.hides_details)
		strbuf_add_fmt(&b->packet, "%s of session %s\n", q->id, q->session);
	else
		held_text_entry(entry, s.status, false, &b->packet);
	if (strbuf_error(&b->packet) || hand_send(&b->links, strbuf_bytes(&b->packet)) < 0)
		links_reply(b, link, 500, "It cannot be shown.");
}

/* A process of a session came to the port: it has no token, and is told nothing. */
static void on_inside(struct broker *b, pid_t supervisor)
{
	for (size_t i = 0; i < roster_count(b->roster); i++) {
		struct roster_session s;

		roster_get(b->roster, i, &s);
		if (json_integer_value(json_object_get(s.status, "pid")) == supervisor) {
			answers_report(b, s.name, "tried to use the broker's links");
			return;
		}
	}
	answers_report(b, "", "tried to use the broker's links");
}

static void on_packet(struct broker *b, const char *packet)
{
	const char *why = "";
	uint64_t link;
	int at = 0, pid, status;

	if (strncmp(packet, "say ", 4) == 0) {
		broker_say(b, "%s", packet + 4);
	} else if (sscanf(packet, "inside %d", &pid) == 1) {
		on_inside(b, pid);
	} else if (sscanf(packet, "look %" SCNu64 " %n", &link, &at) == 1 && at) {
		on_look(b, link, bytes_of(packet + at));
	} else if (sscanf(packet, "use %" SCNu64 " %n", &link, &at) == 1 && at) {
		status = answers_use(b, bytes_of(packet + at), "webhook", link, &why);
		if (status)
			links_reply(b, link, (unsigned)status, why);
	}
}

void links_read(struct broker *b)
{
	char packet[2 * TOKEN_MAX];
	ssize_t n;

	while ((n = hand_receive(&b->links, packet, sizeof(packet) - 1)) > 0) {
		packet[n] = '\0';
		on_packet(b, packet);
	}
	if (n != -ENOTCONN)
		return;
	for (size_t i = 0; i < PENDING_MAX; i++)
		b->pending[i].link = 0; /* nobody waits any more */
}
