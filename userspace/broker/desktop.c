/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The hand on the desktop (hands/notify.c): which of the questions it shows. Packets:
 *
 *   to it     "guards PID PID ...": the supervisors of all sessions
 *             "show ID\nSUMMARY\nBODY"    "close ID"
 *   from it   "answer ID allow|deny"
 *             "say TEXT"    "attempt ID TEXT": what a process of a session tried
 *
 * One that the person dismissed is not shown again.
 */
#include <stdio.h>

#include "base/clock.h"
#include "base/escape.h"
#include "broker/held_text.h"

#include "broker/broker_private.h"

#define SUMMARY_BYTES ((size_t)200)

/* Of one session; NULL: of all. */
static size_t count_shown(const struct broker *b, const char *session)
{
	size_t n = 0;

	for (size_t i = 0; i < b->n_questions; i++)
		n += b->questions[i]->is_shown &&
		     (!session || streq(b->questions[i]->session, session));
	return n;
}

static const char *text_of(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

/* Return: whether the packet could be made. */
static bool write_show(struct broker *b, const struct question *q, const struct roster_session *s,
		       const json_t *entry)
{
	strbuf_reset(&b->packet);
	strbuf_add_fmt(&b->packet, "show %s\n", q->id);
	escape_terminal_max(&b->packet, bytes_of(text_of(s->status, "agent")), SUMMARY_BYTES);
	strbuf_add_str(&b->packet, " asks: ");
	escape_terminal_max(&b->packet, bytes_of(text_of(entry, "op")), SUMMARY_BYTES);
	strbuf_add_char(&b->packet, '\n');
	held_text_entry(entry, s->status, false, &b->packet);
	return !strbuf_error(&b->packet);
}

/* Who is in one of their sessions may not pass for the desktop. */
static bool tell_guards(struct broker *b)
{
	struct roster_session s;

	strbuf_reset(&b->packet);
	strbuf_add_str(&b->packet, "guards");
	for (size_t i = 0; i < roster_count(b->roster); i++) {
		roster_get(b->roster, i, &s);
		strbuf_add_fmt(&b->packet, " %lld",
			       json_integer_value(json_object_get(s.status, "pid")));
	}
	return !strbuf_error(&b->packet) && hand_send(&b->desktop, strbuf_bytes(&b->packet)) == 0;
}

static void show(struct broker *b, struct question *q)
{
	struct roster_session s;
	const json_t *entry;
	size_t i;

	entry = roster_find(b->roster, q->id, &i);
	if (!entry)
		return;
	roster_get(b->roster, i, &s);
	if (!s.status || !tell_guards(b) || !write_show(b, q, &s, entry))
		return;
	q->is_shown = hand_send(&b->desktop, strbuf_bytes(&b->packet)) == 0;
}

void desktop_tick(struct broker *b, uint64_t now_ns)
{
	size_t n;
	int r = hand_tend(&b->desktop, now_ns);

	if (r < 0)
		broker_say(b, "no notifications: cannot start holdfast-notify: %s", strerror(-r));
	if (b->desktop.fd < 0)
		return;
	n = count_shown(b, NULL);
	for (size_t i = 0; i < b->n_questions && n < DESKTOP_MAX; i++)
		if (!b->questions[i]->is_shown && !b->questions[i]->is_used &&
		    count_shown(b, b->questions[i]->session) < DESKTOP_PER_SESSION) {
			show(b, b->questions[i]);
			n += b->questions[i]->is_shown;
		}
}

void desktop_forget(struct broker *b, struct question *q)
{
	char packet[32];

	if (!q->is_shown)
		return;
	(void)snprintf(packet, sizeof(packet), "close %s", q->id);
	/* When it cannot be told it is dying, and takes all back. */
	(void)!hand_send(&b->desktop, bytes_of(packet));
}

static struct question *find_id(struct broker *b, const char *id)
{
	for (size_t i = 0; i < b->n_questions; i++)
		if (streq(b->questions[i]->id, id))
			return b->questions[i];
	return NULL;
}

static void on_packet(struct broker *b, char *packet)
{
	char id[HELD_ID_SIZE] = "", word[8] = "";
	struct question *q;
	int at = 0;

	if (strncmp(packet, "say ", 4) == 0) {
		broker_say(b, "%s", packet + 4);
		return;
	}
	if (sscanf(packet, "answer %8s %7s", id, word) == 2) {
		q = find_id(b, id);
		if (q && !q->is_used && answers_send(b, q, streq(word, "allow"), "desktop", 0) == 0)
			q->is_used = true;
		return;
	}
	if (sscanf(packet, "attempt %8s %n", id, &at) == 1 && at) {
		q = find_id(b, id);
		answers_report(b, q ? q->session : "", packet + at);
	}
}

void desktop_read(struct broker *b)
{
	char packet[1024];
	ssize_t n;

	while ((n = hand_receive(&b->desktop, packet, sizeof(packet) - 1)) > 0) {
		packet[n] = '\0';
		on_packet(b, packet);
	}
	if (n != -ENOTCONN)
		return;
	for (size_t i = 0; i < b->n_questions; i++)
		b->questions[i]->is_shown = false; /* the next one shows them again */
}
