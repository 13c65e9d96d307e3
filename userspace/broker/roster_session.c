/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "base/dirs.h"
#include "control/client.h"
#include "control/socket.h"

#include "broker/roster_private.h"

/* Whether its socket is still there: for one that does not speak to us. */
bool peer_has_socket(const struct peer *p)
{
	_cleanup_(freep) char *path = str_format("%s/%s" CONTROL_SUFFIX, p->dir, p->name);

	return path && access(path, F_OK) == 0;
}

static int connect_to(const char *dir, const char *file)
{
	/* Only a long path needs it. */
	_cleanup_(fd_closep) int dirfd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	_cleanup_(fd_closep) int fd = -1;
	struct sockaddr_un a;
	int r = control_socket_address(dirfd, dir, file, &a);

	if (r < 0)
		return r;
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || connect(fd, (const struct sockaddr *)&a, sizeof(a)) < 0)
		return -errno;
	return TAKE_FD(fd);
}

struct peer *peer_new(struct roster *r, const char *dir, const char *name)
{
	_cleanup_(freep) char *file = str_format("%s" CONTROL_SUFFIX, name);
	struct peer *p = calloc(1, sizeof(*p));

	if (!p || !file) {
		free(p);
		return NULL;
	}
	*p = (struct peer){.roster = r, .fd = -1, .dir = strdup(dir), .name = strdup(name)};
	if (p->dir && p->name)
		p->fd = connect_to(dir, file);
	if (p->fd < 0)
		return peer_free(p);
	p->asked_ns = clock_monotonic_ns();
	return p;
}

/* An answer that was not confirmed: whether it came to anything only the session's log knows. */
static void drop_answer(struct peer *p, int error, const json_t *reply)
{
	struct control_request *q = p->answers[0];

	p->n_answers--;
	memmove(p->answers, p->answers + 1, p->n_answers * sizeof(*p->answers));
	roster_note_answer(p->roster, p, q, error, reply);
	free(q);
}

struct peer *peer_free(struct peer *p)
{
	while (p->n_answers)
		drop_answer(p, -ECONNRESET, NULL);
	fd_close(p->fd);
	json_decref(p->status);
	json_decref(p->held);
	json_decref(p->next);
	free(p->problem);
	free(p->dir);
	free(p->name);
	free(p);
	return NULL;
}

/* ---- what it says */

/* Entries in a form that everybody else need not check again. */
static int add_entries(struct peer *p, const json_t *entries)
{
	for (size_t i = 0; i < json_array_size(entries); i++) {
		json_t *o = json_array_get(entries, i);
		const char *id = json_string_value(json_object_get(o, "id"));

		if (!id || !control_is_id(id))
			return -EPROTO;
		if (json_array_size(p->next) >= ROSTER_ENTRIES || json_array_append(p->next, o) < 0)
			return -ENOSPC;
	}
	return 0;
}

/* The rest of an entry is its age, and what does not change. */
static bool is_same(const json_t *a, const json_t *b)
{
	static const char *const keys[] = {"id", "waiting", "approved_by"};

	if (!a || json_array_size(a) != json_array_size(b))
		return false;
	for (size_t i = 0; i < json_array_size(a); i++)
		for (size_t k = 0; k < ARRAY_SIZE(keys); k++) {
			json_t *x = json_object_get(json_array_get(a, i), keys[k]);
			json_t *y = json_object_get(json_array_get(b, i), keys[k]);

			if (x != y && !json_equal(x, y))
				return false;
		}
	return true;
}

static void finish_list(struct peer *p, uint64_t now_ns)
{
	bool is_new = !is_same(p->held, p->next);

	json_decref(p->held);
	p->held = TAKE_PTR(p->next);
	p->seen_ns = now_ns;
	p->state = PEER_IDLE;
	/* A list that takes long to read is read less often. */
	p->next_ns = now_ns + MAX(ROSTER_POLL_NS, 10 * (now_ns - p->asked_ns));
	if (is_new)
		roster_note_change(p->roster);
}

static void on_list(struct peer *p, const json_t *reply, uint64_t now_ns)
{
	json_int_t next = json_integer_value(json_object_get(reply, "next"));

	if (add_entries(p, json_object_get(reply, "held")) == -EPROTO) {
		p->is_over = true;
		return;
	}
	if (next > (json_int_t)p->after && ++p->pages < ROSTER_PAGES) {
		p->after = (uint64_t)next;
		p->state = PEER_IDLE; /* and p->next is there: the next page is due */
		p->next_ns = now_ns;
		return;
	}
	finish_list(p, now_ns);
}

static void refuse(struct peer *p, int error, const json_t *reply)
{
	const char *message = json_string_value(json_object_get(reply, "message"));

	free(p->problem);
	p->problem = strdup(message     ? message
			    : error < 0 ? strerror(-error)
					: control_error_name((enum control_error)error));
	p->state = PEER_REFUSED;
	roster_note_change(p->roster);
}

static void on_reply(struct peer *p, int r, json_t *reply, uint64_t now_ns)
{
	switch (p->state) {
	case PEER_GREETING:
		p->state = PEER_IDLE;
		if (r == CONTROL_E_BUSY)
			p->is_over = true; /* until the next look at the directory */
		else if (r != 0)
			refuse(p, r, reply);
		return;
	case PEER_STATUS:
		p->state = PEER_IDLE;
		if (r != 0) {
			refuse(p, r, reply);
			return;
		}
		json_decref(p->status);
		p->status = json_incref(reply);
		roster_note_change(p->roster);
		return;
	case PEER_LISTING:
		if (r == 0)
			on_list(p, reply, now_ns);
		else
			p->is_over = true;
		return;
	case PEER_ANSWERING:
		p->state = PEER_IDLE;
		p->next_ns = 0; /* what it holds now is something else */
		drop_answer(p, r, reply);
		return;
	case PEER_IDLE:
	case PEER_REFUSED:
		p->is_over = true; /* it was not asked */
		return;
	}
}

void peer_read(struct peer *p)
{
	_cleanup_(json_decrefp) json_t *reply = NULL;
	int r = control_receive(p->fd, MSG_DONTWAIT, &reply);

	if (r == -ETIMEDOUT)
		return;
	if (r < 0 && p->state == PEER_REFUSED) {
		/* Not asked again: each time would be an attempt in its log. */
		p->fd = fd_close(p->fd);
		return;
	}
	if (r < 0) {
		p->is_over = true;
		return;
	}
	on_reply(p, r, reply, clock_monotonic_ns());
}

/* ---- what it is asked */

/* Return: whether it went out. */
static bool send_request(struct peer *p, const struct control_request *q, enum peer_state state,
			 uint64_t now_ns)
{
	_cleanup_(strbuf_fini) struct strbuf b = STRBUF_INIT(CONTROL_PACKET_MAX);
	struct json j = JSON_INIT(&b);

	control_request_write(q, &j);
	if (strbuf_error(&b))
		return false;
	if (send(p->fd, b.p, b.len, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
		if (errno != EAGAIN)
			p->is_over = true;
		return false;
	}
	p->state = state;
	p->asked_ns = now_ns;
	return true;
}

static void ask(struct peer *p, uint64_t now_ns)
{
	const struct control_request status = {.op = CONTROL_STATUS};
	struct control_request held = {.op = CONTROL_HELD};

	if (p->n_answers) {
		(void)send_request(p, p->answers[0], PEER_ANSWERING, now_ns);
		return;
	}
	if (!p->status) {
		(void)send_request(p, &status, PEER_STATUS, now_ns);
		return;
	}
	if (!p->next) {
		p->next = json_array();
		p->after = 0;
		p->pages = 0;
	}
	held.after = p->after;
	if (p->next)
		(void)send_request(p, &held, PEER_LISTING, now_ns);
}

bool peer_is_silent(const struct peer *p, uint64_t now_ns)
{
	return p->state != PEER_IDLE && p->state != PEER_REFUSED &&
	       now_ns - p->asked_ns >= ROSTER_SILENT_NS;
}

uint64_t peer_tick(struct peer *p, uint64_t now_ns)
{
	bool is_silent = peer_is_silent(p, now_ns);

	if (is_silent != p->was_silent) {
		p->was_silent = is_silent;
		roster_note_change(p->roster);
	}
	if (p->state == PEER_REFUSED || p->is_over)
		return UINT64_MAX;
	if (p->state == PEER_IDLE && (p->n_answers || !p->status || now_ns >= p->next_ns))
		ask(p, now_ns);
	if (p->state == PEER_IDLE)
		return MAX(p->next_ns, now_ns + ROSTER_POLL_NS / 4);
	return is_silent ? UINT64_MAX : p->asked_ns + ROSTER_SILENT_NS;
}
