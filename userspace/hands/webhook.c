/* SPDX-License-Identifier: Apache-2.0 */
/*
 * holdfast-webhook: HTTP requests of the broker, by libcurl. It knows neither the secret nor what a
 * message means: a request comes signed, and what the server says goes back. A process of its own,
 * so that nothing a server does (hang, talk for ever, break TLS) is felt elsewhere;
 * broker/webhook.c has what the two say to each other.
 *
 * Certificates are verified, redirections are not followed (a signed request is for the user's
 * server alone), and only http and https are spoken.
 */
#include <curl/curl.h>
#include <inttypes.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>

#include "base/strbuf.h"
#include "broker/hand.h"

#define AT_ONCE_MAX  16
#define TIMEOUT_MS   20000L
#define CONNECT_MS   5000L
#define REPLY_MAX    ((size_t)64 * 1024)
#define HEADERS_MAX  8
#define POLL_MS      1000
#define USER_AGENT   "holdfast"
#define CONTENT_TYPE "Content-Type: application/json"

struct transfer {
	uint64_t number; /* 0: free */
	CURL *easy;
	struct curl_slist *headers;
	struct strbuf body, reply;
	char error[CURL_ERROR_SIZE];
};

struct webhook {
	CURLM *multi;
	struct transfer transfers[AT_ONCE_MAX];
};

static void tell(struct bytes packet)
{
	(void)!send(HAND_FD, packet.p, packet.len, MSG_NOSIGNAL);
}

static void tell_failure(uint64_t number, const char *why)
{
	char packet[CURL_ERROR_SIZE + 64];

	(void)snprintf(packet, sizeof(packet), "fail %" PRIu64 " %s", number, why);
	tell(bytes_of(packet));
}

static void drop(struct webhook *w, struct transfer *t)
{
	if (t->easy) {
		(void)curl_multi_remove_handle(w->multi, t->easy);
		curl_easy_cleanup(t->easy);
	}
	curl_slist_free_all(t->headers);
	strbuf_fini(&t->body);
	strbuf_fini(&t->reply);
	*t = (struct transfer){};
}

/* libcurl's; less than @n ends the transfer. */
static size_t on_data(char *p, size_t size, size_t n, void *arg)
{
	struct transfer *t = arg;

	strbuf_add(&t->reply, p, size * n);
	return strbuf_error(&t->reply) ? 0 : size * n;
}

/* ---- a request */

/* The next line of @rest, which moves on; *ret_line is NUL-terminated in place. */
static bool next_line(char **rest, char **ret_line)
{
	char *newline = strchr(*rest, '\n');

	if (!newline)
		return false;
	*newline = '\0';
	*ret_line = *rest;
	*rest = newline + 1;
	return true;
}

static bool read_headers(struct transfer *t, char **rest)
{
	char *line;

	for (size_t i = 0; i < HEADERS_MAX && next_line(rest, &line); i++) {
		struct curl_slist *more;

		if (!*line)
			return true;
		more = curl_slist_append(t->headers, line);
		if (!more)
			return false;
		t->headers = more;
	}
	return false;
}

static bool set_up(struct transfer *t, const char *url, const char *ca_file, bool is_post)
{
	CURL *c = t->easy;
	bool is_ok = curl_easy_setopt(c, CURLOPT_URL, url) == CURLE_OK &&
		     curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
		     curl_easy_setopt(c, CURLOPT_SSLVERSION, CURL_SSLVERSION_TLSv1_2) == CURLE_OK &&
		     curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, TIMEOUT_MS) == CURLE_OK &&
		     curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, CONNECT_MS) == CURLE_OK &&
		     curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
		     curl_easy_setopt(c, CURLOPT_USERAGENT, USER_AGENT) == CURLE_OK &&
		     curl_easy_setopt(c, CURLOPT_HTTPHEADER, t->headers) == CURLE_OK &&
		     curl_easy_setopt(c, CURLOPT_ERRORBUFFER, t->error) == CURLE_OK &&
		     curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, on_data) == CURLE_OK &&
		     curl_easy_setopt(c, CURLOPT_WRITEDATA, t) == CURLE_OK &&
		     curl_easy_setopt(c, CURLOPT_PRIVATE, t) == CURLE_OK;

	if (is_ok && *ca_file)
		is_ok = curl_easy_setopt(c, CURLOPT_CAINFO, ca_file) == CURLE_OK;
	if (is_ok && is_post)
		is_ok = curl_easy_setopt(c, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)t->body.len) ==
				CURLE_OK &&
			curl_easy_setopt(c, CURLOPT_POSTFIELDS, strbuf_str(&t->body)) == CURLE_OK;
	return is_ok;
}

/* Return: NULL; why it could not be begun. */
static const char *begin(struct webhook *w, struct transfer *t, char *rest, bool is_post)
{
	char *ca_file, *url;

	t->reply = STRBUF_INIT(REPLY_MAX);
	t->body = STRBUF_INIT(HAND_PACKET_MAX);
	t->easy = curl_easy_init();
	t->headers = is_post ? curl_slist_append(NULL, CONTENT_TYPE) : NULL;
	if (!next_line(&rest, &ca_file) || !next_line(&rest, &url) || !read_headers(t, &rest))
		return "the request makes no sense";
	strbuf_add_str(&t->body, rest);
	if (!t->easy || strbuf_error(&t->body) || !set_up(t, url, ca_file, is_post) ||
	    curl_multi_add_handle(w->multi, t->easy) != CURLM_OK)
		return "out of memory";
	return NULL;
}

static void on_packet(struct webhook *w, char *packet)
{
	struct transfer *t = NULL;
	uint64_t number = 0;
	const char *why;
	char verb[5], *rest;

	if (sscanf(packet, "%4s %" SCNu64, verb, &number) != 2 || !number)
		return;
	for (size_t i = 0; i < AT_ONCE_MAX && !t; i++)
		if (!w->transfers[i].number)
			t = &w->transfers[i];
	rest = strchr(packet, '\n');
	if (!t || !rest) {
		tell_failure(number, "too many at once");
		return;
	}
	t->number = number;
	why = begin(w, t, rest + 1, streq(verb, "post"));
	if (!why)
		return;
	tell_failure(number, why);
	drop(w, t);
}

/* Return: whether the broker is still there. */
static bool read_broker(struct webhook *w, char *buffer)
{
	ssize_t len;

	while ((len = recv(HAND_FD, buffer, HAND_PACKET_MAX, MSG_DONTWAIT)) != 0) {
		if (len < 0)
			return errno == EAGAIN || errno == EINTR;
		buffer[len] = '\0';
		on_packet(w, buffer);
	}
	return false;
}

/* ---- its end */

static void finish(struct webhook *w, struct transfer *t, CURLcode result)
{
	_cleanup_(strbuf_fini) struct strbuf out = STRBUF_INIT(HAND_PACKET_MAX);
	long status = 0;

	if (result != CURLE_OK) {
		tell_failure(t->number, strbuf_error(&t->reply) ? "it says too much"
					: t->error[0]           ? t->error
								: curl_easy_strerror(result));
		return;
	}
	(void)curl_easy_getinfo(t->easy, CURLINFO_RESPONSE_CODE, &status);
	strbuf_add_fmt(&out, "done %" PRIu64 " %ld\n", t->number, status);
	strbuf_add_bytes(&out, strbuf_bytes(&t->reply));
	tell(strbuf_bytes(&out));
	(void)w;
}

static void reap(struct webhook *w)
{
	CURLMsg *m;
	int left;

	while ((m = curl_multi_info_read(w->multi, &left))) {
		CURLcode result = m->data.result;
		struct transfer *t = NULL;

		if (m->msg != CURLMSG_DONE ||
		    curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &t) != CURLE_OK || !t)
			continue;
		finish(w, t, result);
		drop(w, t);
	}
}

int main(void)
{
	_cleanup_(freep) char *buffer = malloc(HAND_PACKET_MAX + 1);
	struct webhook w = {};
	bool is_there = true;

	/* What it carries lets its reader answer. */
	if (!buffer || prctl(PR_SET_DUMPABLE, 0) < 0 ||
	    curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
		return 1;
	w.multi = curl_multi_init();
	while (w.multi && is_there) {
		struct curl_waitfd broker = {.fd = HAND_FD, .events = CURL_WAIT_POLLIN};
		int running;

		(void)curl_multi_poll(w.multi, &broker, 1, POLL_MS, NULL);
		is_there = read_broker(&w, buffer);
		(void)curl_multi_perform(w.multi, &running);
		reap(&w);
	}
	for (size_t i = 0; i < AT_ONCE_MAX; i++)
		drop(&w, &w.transfers[i]);
	if (w.multi)
		(void)curl_multi_cleanup(w.multi);
	curl_global_cleanup();
	return 0;
}
