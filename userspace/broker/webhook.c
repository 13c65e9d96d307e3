/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages to the user's own server, signed as Standard Webhooks has it, and answers fetched from
 * there. Here are the queue, the signature and the patience; the transfers are hands/webhook.c's,
 * which a server that hangs may hang. Packets, where N is ours and names an attempt:
 *
 *   to it     "post N\nCA_FILE\nURL\nHEADER\n...\n\nBODY"    "get N\nCA_FILE\nURL\nHEADER\n...\n\n"
 *   from it   "done N STATUS\nBODY"    "fail N WHY"
 */
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>

#include "base/clock.h"
#include "base/json.h"
#include "broker/held_text.h"

#include "broker/broker_private.h"

#define BODY_MAX        ((size_t)72 * 1024)
#define RETRY_FIRST_NS  (NS_PER_SEC / 2)
#define RETRY_LONGEST   7U                 /* doublings: 64 s */
#define END_PATIENCE_NS (300 * NS_PER_SEC) /* how long it is tried to tell of an end */
#define B64             sodium_base64_VARIANT_ORIGINAL
#define SIGNATURE_SIZE  (sodium_base64_ENCODED_LEN(crypto_auth_hmacsha256_BYTES, B64) + 3)

/* ---- signing */

static void sign(const struct broker_webhook *w, const char *message, uint64_t now_s,
		 struct bytes body, char out[static SIGNATURE_SIZE])
{
	unsigned char mac[crypto_auth_hmacsha256_BYTES];
	crypto_auth_hmacsha256_state state;
	char head[64];
	int n = snprintf(head, sizeof(head), "%s.%" PRIu64 ".", message, now_s);

	(void)crypto_auth_hmacsha256_init(&state, w->secret, w->secret_len);
	(void)crypto_auth_hmacsha256_update(&state, (const unsigned char *)head, (size_t)n);
	(void)crypto_auth_hmacsha256_update(&state, (const unsigned char *)body.p, body.len);
	(void)crypto_auth_hmacsha256_final(&state, mac);
	memcpy(out, "v1,", 3);
	(void)sodium_bin2base64(out + 3, SIGNATURE_SIZE - 3, mac, sizeof(mac), B64);
	sodium_memzero(&state, sizeof(state));
}

/* The time is the attempt's, so that a receiver may refuse what is old. */
static void write_request(struct broker *b, const char *verb, uint64_t flight, const char *url,
			  const char *message, struct bytes body)
{
	const struct broker_webhook *w = &b->config->webhook;
	uint64_t now_s = clock_realtime_ns() / NS_PER_SEC;
	char signature[SIGNATURE_SIZE];

	sign(w, message, now_s, body, signature);
	strbuf_reset(&b->packet);
	strbuf_add_fmt(&b->packet,
		       "%s %" PRIu64 "\n%s\n%s\nwebhook-id: %s\nwebhook-timestamp: %" PRIu64
		       "\nwebhook-signature: %s\n\n",
		       verb, flight, w->ca_file ? w->ca_file : "", url, message, now_s, signature);
	strbuf_add_bytes(&b->packet, body);
}

static void name_message(char out[static 32])
{
	unsigned char random[12];
	char hex[2 * sizeof(random) + 1];

	randombytes_buf(random, sizeof(random));
	(void)sodium_bin2hex(hex, sizeof(hex), random, sizeof(random));
	(void)snprintf(out, 32, "msg_%s", hex);
}

/* ---- what messages say */

static void add_answers(struct broker *b, struct json *j, const struct question *q,
			uint64_t expires_s)
{
	json_key(j, "answers");
	json_begin_array(j);
	for (unsigned i = 0; i < 2; i++) {
		struct token t = {.approve = i == 0, .expires_s = expires_s};
		char text[TOKEN_MAX];

		memcpy(t.session, q->session, sizeof(t.session));
		memcpy(t.id, q->id, sizeof(t.id));
		memcpy(t.nonce, q->nonce, sizeof(t.nonce));
		if (token_write(&t, b->key, text) < 0)
			continue;
		json_begin_object(j);
		json_key_cstr(j, "answer", t.approve ? "allow" : "deny");
		json_key_cstr(j, "token", text);
		if (b->config->links.address) {
			_cleanup_(strbuf_fini) struct strbuf url =
				STRBUF_INIT(BROKER_URL_MAX + TOKEN_MAX + 8);

			strbuf_add_fmt(&url, "%s/a/%s", b->config->links.url, text);
			json_key_cstr(j, "url", strbuf_str(&url));
		}
		json_end_object(j);
	}
	json_end_array(j);
}

static void begin_message(struct json *j, const char *type, const char *id, const char *session)
{
	char now[CLOCK_RFC3339_SIZE], host[128] = "";

	clock_format_rfc3339(clock_realtime_ns(), now);
	(void)gethostname(host, sizeof(host) - 1);
	json_begin_object(j);
	json_key_cstr(j, "type", type);
	json_key_cstr(j, "timestamp", now);
	json_key(j, "data");
	json_begin_object(j);
	json_key_cstr(j, "id", id);
	json_key_cstr(j, "session", session);
	json_key_cstr(j, "host", host);
}

/* The text that every other surface shows, in clean ASCII; and the entry as the session gave it. */
static void add_details(struct json *j, const json_t *entry, const json_t *status)
{
	_cleanup_(strbuf_fini) struct strbuf text = STRBUF_INIT(HELD_TEXT_MAX);
	char *dump = json_dumps(entry, JSON_COMPACT | JSON_ENSURE_ASCII);

	held_text_entry(entry, status, false, &text);
	json_key_cstr(j, "text", strbuf_str(&text));
	/* When both do not fit, what a person reads is there. */
	if (dump && j->out->len + strlen(dump) < BODY_MAX - 4 * TOKEN_MAX - 2 * BROKER_URL_MAX) {
		json_key(j, "action");
		strbuf_add_str(j->out, dump);
		j->after_key = false;
	}
	free(dump);
}

static void write_held(struct broker *b, const struct question *q, const json_t *entry,
		       const struct roster_session *s, struct strbuf *out)
{
	uint64_t now_ns = clock_monotonic_ns(), left_ns;
	struct json j = JSON_INIT(out);
	char deadline[CLOCK_RFC3339_SIZE];
	uint64_t until_ns;

	left_ns = q->deadline_ns > now_ns ? q->deadline_ns - now_ns : 0;
	until_ns = clock_realtime_ns() + left_ns;
	clock_format_rfc3339(until_ns, deadline);
	begin_message(&j, "holdfast.held", q->id, q->session);
	json_key_cstr(&j, "deadline", deadline);
	json_key_str(&j, "agent", bytes_of(json_string_value(json_object_get(s->status, "agent"))));
	json_key_str(&j, "op", bytes_of(json_string_value(json_object_get(entry, "op"))));
	if (!b->config->webhook.hides_details)
		add_details(&j, entry, s->status);
	add_answers(b, &j, q, until_ns / NS_PER_SEC + 1);
	json_end_object(&j);
	json_end_object(&j);
}

/* ---- the queue */

static struct event *new_event(struct broker *b)
{
	for (size_t i = 0; i < EVENTS_MAX; i++)
		if (!b->events[i].message[0]) {
			b->events[i] = (struct event){.body = STRBUF_INIT(BODY_MAX),
						      .next_ns = clock_monotonic_ns()};
			name_message(b->events[i].message);
			return &b->events[i];
		}
	return NULL;
}

static void drop_event(struct event *e)
{
	strbuf_fini(&e->body);
	*e = (struct event){};
}

static void enqueue(struct broker *b, struct question *q)
{
	struct roster_session s;
	const json_t *entry;
	struct event *e;
	size_t i;

	entry = roster_find(b->roster, q->id, &i);
	if (!entry)
		return;
	roster_get(b->roster, i, &s);
	e = s.status ? new_event(b) : NULL;
	if (!e)
		return; /* the queue is full: it has its turn when there is room */
	memcpy(e->id, q->id, sizeof(e->id));
	e->until_ns = q->deadline_ns;
	write_held(b, q, entry, &s, &e->body);
	q->is_posted = true;
	if (!strbuf_error(&e->body))
		return;
	broker_say(b, "'%s' is too large for the webhook", q->id);
	drop_event(e);
}

/* Who was told that it waits is told that it waits no more; who was not, nothing. */
void webhook_forget(struct broker *b, struct question *q)
{
	bool was_tried = q->is_posted;
	struct event *e;
	struct json j;

	for (size_t i = 0; i < EVENTS_MAX; i++) {
		e = &b->events[i];
		if (!e->message[0] || e->is_end || !streq(e->id, q->id))
			continue;
		was_tried = e->attempts || e->flight;
		drop_event(e);
	}
	e = was_tried ? new_event(b) : NULL;
	if (was_tried && !e)
		b->n_lost++;
	if (!e)
		return;
	e->is_end = true;
	e->until_ns = clock_monotonic_ns() + END_PATIENCE_NS;
	memcpy(e->id, q->id, sizeof(e->id));
	j = JSON_INIT(&e->body);
	begin_message(&j, "holdfast.ended", q->id, q->session);
	json_end_object(&j);
	json_end_object(&j);
}

void webhook_free(struct broker *b)
{
	for (size_t i = 0; i < EVENTS_MAX; i++)
		drop_event(&b->events[i]);
}

/* ---- attempts */

static size_t count_flights(const struct broker *b)
{
	size_t n = 0;

	for (size_t i = 0; i < EVENTS_MAX; i++)
		n += b->events[i].flight != 0;
	return n;
}

static void attempt(struct broker *b, struct event *e)
{
	uint64_t flight = ++b->next_flight;

	write_request(b, "post", flight, b->config->webhook.url, e->message,
		      strbuf_bytes(&e->body));
	if (!strbuf_error(&b->packet) && hand_send(&b->webhook, strbuf_bytes(&b->packet)) == 0)
		e->flight = flight;
}

static void poll_answers(struct broker *b, uint64_t now_ns)
{
	char message[32];

	if (!b->config->webhook.poll || b->poll_flight || now_ns < b->poll_next_ns ||
	    !b->n_questions)
		return;
	name_message(message);
	b->poll_flight = ++b->next_flight;
	write_request(b, "get", b->poll_flight, b->config->webhook.poll, message, BYTES_LIT(""));
	if (strbuf_error(&b->packet) || hand_send(&b->webhook, strbuf_bytes(&b->packet)) < 0)
		b->poll_flight = 0;
	b->poll_next_ns = now_ns + b->config->webhook.poll_ns;
}

void webhook_tick(struct broker *b, uint64_t now_ns)
{
	size_t flights;
	int r = hand_tend(&b->webhook, now_ns);

	if (r < 0)
		broker_say(b, "no webhook: cannot start holdfast-webhook: %s", strerror(-r));
	for (size_t i = 0; i < b->n_questions; i++)
		if (!b->questions[i]->is_posted)
			enqueue(b, b->questions[i]);
	if (b->webhook.fd < 0)
		return;
	flights = count_flights(b);
	for (size_t i = 0; i < EVENTS_MAX && flights < WEBHOOK_AT_ONCE; i++) {
		struct event *e = &b->events[i];

		if (!e->message[0] || e->flight)
			continue;
		if (now_ns >= e->until_ns) {
			b->n_lost++;
			drop_event(e);
			continue;
		}
		if (now_ns < e->next_ns)
			continue;
		attempt(b, e);
		flights += e->flight != 0;
	}
	poll_answers(b, now_ns);
}

uint64_t webhook_next_ns(const struct broker *b)
{
	uint64_t next = hand_next_ns(&b->webhook);

	for (size_t i = 0; i < EVENTS_MAX; i++)
		if (b->events[i].message[0] && !b->events[i].flight)
			next = MIN(next, b->events[i].next_ns);
	if (b->config->webhook.poll && !b->poll_flight && b->n_questions)
		next = MIN(next, b->poll_next_ns);
	return next;
}

/* ---- what came of them */

/* Half to one and a half times the pause, so that many do not come back at once. */
static void retry_later(struct event *e)
{
	uint64_t pause_ns = RETRY_FIRST_NS << MIN(e->attempts, RETRY_LONGEST);

	e->attempts++;
	e->next_ns = clock_monotonic_ns() + pause_ns / 2 +
		     randombytes_uniform((uint32_t)(pause_ns / NS_PER_MSEC)) * NS_PER_MSEC;
}

/* These say that it will not be different next time. */
static bool is_final(unsigned status)
{
	return status >= 300 && status < 500 && status != 408 && status != 425 && status != 429;
}

static void on_status(struct broker *b, struct event *e, unsigned status)
{
	e->flight = 0;
	if (status >= 200 && status < 300) {
		b->n_delivered++;
		drop_event(e);
		return;
	}
	broker_say(b, "the webhook was answered with status %u", status);
	if (is_final(status)) {
		b->n_lost++;
		drop_event(e);
		return;
	}
	retry_later(e);
}

/* {"answers":["TOKEN",...]} */
static void on_answers(struct broker *b, unsigned status, struct bytes body)
{
	_cleanup_(json_decrefp) json_t *root = NULL;
	const json_t *answers;
	const char *why;

	if (status == 204 || status == 404)
		return;
	if (status == 200)
		root = json_loadb(body.p, body.len, JSON_REJECT_DUPLICATES, NULL);
	answers = json_object_get(root, "answers");
	if (!json_is_array(answers)) {
		broker_say(b, "what was fetched for answers has status %u and no list of answers",
			   status);
		return;
	}
	for (size_t i = 0; i < MIN(json_array_size(answers), (size_t)PENDING_MAX); i++) {
		const json_t *v = json_array_get(answers, i);

		if (json_is_string(v))
			(void)answers_use(
				b, (struct bytes){json_string_value(v), json_string_length(v)},
				"webhook", 0, &why);
	}
}

static void on_packet(struct broker *b, struct bytes packet)
{
	const char *newline = memchr(packet.p, '\n', packet.len);
	struct bytes body = {newline ? newline + 1 : "",
			     newline ? packet.len - (size_t)(newline + 1 - packet.p) : 0};
	uint64_t flight;
	unsigned status = 0;
	bool is_done;
	int at = 0;

	is_done = sscanf(packet.p, "done %" SCNu64 " %u", &flight, &status) == 2;
	if (!is_done && (sscanf(packet.p, "fail %" SCNu64 " %n", &flight, &at) != 1 || !at))
		return;
	if (!is_done)
		broker_say(b, "the webhook cannot be reached: %s", packet.p + at);
	if (flight == b->poll_flight) {
		b->poll_flight = 0;
		if (is_done)
			on_answers(b, status, body);
		return;
	}
	for (size_t i = 0; i < EVENTS_MAX; i++) {
		struct event *e = &b->events[i];

		if (!e->message[0] || e->flight != flight)
			continue;
		e->flight = 0;
		if (is_done)
			on_status(b, e, status);
		else
			retry_later(e);
		return;
	}
}

void webhook_read(struct broker *b)
{
	_cleanup_(freep) char *packet = malloc(HAND_PACKET_MAX + 1);
	ssize_t n = -EAGAIN;

	while (packet && (n = hand_receive(&b->webhook, packet, HAND_PACKET_MAX)) > 0) {
		packet[n] = '\0';
		on_packet(b, (struct bytes){packet, (size_t)n});
	}
	if (n != -ENOTCONN)
		return;
	b->poll_flight = 0;
	for (size_t i = 0; i < EVENTS_MAX; i++)
		if (b->events[i].flight) {
			b->events[i].flight = 0;
			retry_later(&b->events[i]);
		}
}
