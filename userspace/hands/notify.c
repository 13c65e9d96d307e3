/* SPDX-License-Identifier: Apache-2.0 */
/*
 * holdfast-notify: held actions as notifications of the desktop, with "Allow once" and "Deny"
 * (Desktop Notifications Specification 1.2). The broker starts it; broker/desktop.c has what they
 * say to each other.
 *
 * By sd-bus and not by `notify-send --action`: only the bus can say who it is that shows and
 * answers. Whoever owns the name of the notification service could press the button itself, and an
 * agent that reaches the session bus could take that name while it is free. So its owner is looked
 * up, must be a process of the user's outside of every session, and signals of anybody else do not
 * count. So must whoever listens at the bus's address: an agent that put its own bus there could
 * say anything of anybody. One that has ended cannot be told, and is not used (`dbus-launch` makes
 * such a bus; systemd's user manager and `dbus-run-session` do not). The calls wait, for seconds at
 * most: nobody but the broker waits for us, and it does not.
 */
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <systemd/sd-bus.h>

#include "base/clock.h"
#include "base/escape.h"
#include "base/io.h"
#include "broker/hand.h"
#include "control/peer.h"
#include "page/holder.h"

#define SERVICE       "org.freedesktop.Notifications"
#define OBJECT        "/org/freedesktop/Notifications"
#define SERVICE_WORDS "notification service"
#define BUS           "org.freedesktop.DBus"
#define ITEMS_MAX     16
#define ID_SIZE       9
#define CALL_USEC     (3 * UINT64_C(1000000))
#define RETRY_NS      (5 * NS_PER_SEC)
/* A click sooner was on its way to something else. */
#define SETTLE_NS   (NS_PER_SEC / 2)
#define GUARDS_MAX  256
#define SUMMARY_MAX ((size_t)512)
#define BODY_MAX    ((size_t)48 * 1024)

struct item {
	char id[ID_SIZE]; /* "": free */
	uint32_t number;  /* the service's; 0: not shown */
	bool is_dismissed;
	uint64_t shown_ns;
	struct strbuf summary, body;
};

struct notifier {
	sd_bus *bus;
	sd_bus_slot *invoked, *closed, *changed;
	char *owner; /* the unique name of who is trusted to show; NULL: nobody yet */
	bool has_actions, has_markup;
	uint64_t next_ns;
	struct control_users users;
	pid_t guards[GUARDS_MAX];
	size_t n_guards;
	struct item items[ITEMS_MAX];
	char complaint[160]; /* the last: nothing is said twice in a row */
};

static void tell(const char *packet)
{
	(void)!send(HAND_FD, packet, strlen(packet), MSG_NOSIGNAL);
}

static void complain(struct notifier *n, const char *what, const char *why)
{
	char said[sizeof(n->complaint)], packet[sizeof(n->complaint) + 8];

	(void)snprintf(said, sizeof(said), "%s: %s", what, why);
	if (streq(said, n->complaint))
		return;
	memcpy(n->complaint, said, sizeof(said));
	(void)snprintf(packet, sizeof(packet), "say %s", said);
	tell(packet);
}

static struct item *find_id(struct notifier *n, const char *id)
{
	for (size_t i = 0; i < ITEMS_MAX; i++)
		if (streq(n->items[i].id, id))
			return &n->items[i];
	return NULL;
}

static struct item *find_number(struct notifier *n, uint32_t number)
{
	for (size_t i = 0; i < ITEMS_MAX; i++)
		if (n->items[i].id[0] && n->items[i].number == number && number)
			return &n->items[i];
	return NULL;
}

/* ---- the bus */

static void forget_owner(struct notifier *n)
{
	n->invoked = sd_bus_slot_unref(n->invoked);
	n->closed = sd_bus_slot_unref(n->closed);
	free(n->owner);
	n->owner = NULL;
	for (size_t i = 0; i < ITEMS_MAX; i++)
		n->items[i].number = 0; /* the next one shows it anew */
}

static void disconnect(struct notifier *n)
{
	forget_owner(n);
	n->changed = sd_bus_slot_unref(n->changed);
	n->bus = sd_bus_flush_close_unref(n->bus);
}

static int call_bus(struct notifier *n, const char *member, sd_bus_message **ret, const char *types,
		    ...)
{
	sd_bus_message *m = NULL;
	va_list ap;
	int r = sd_bus_message_new_method_call(n->bus, &m, BUS, "/org/freedesktop/DBus", BUS,
					       member);

	va_start(ap, types);
	if (r >= 0)
		r = sd_bus_message_appendv(m, types, ap);
	va_end(ap);
	if (r >= 0)
		r = sd_bus_call(n->bus, m, CALL_USEC, NULL, ret);
	(void)sd_bus_message_unref(m);
	return r;
}

static bool is_outside(const struct notifier *n, const struct control_peer *peer,
		       const char **ret_why)
{
	struct holder_who who;

	*ret_why = "it is a process of a session";
	if (holder_of_process(peer->pid, n->guards, n->n_guards, &who) != HOLDER_OUTSIDE)
		return false;
	*ret_why = "it is another user's, a supervised process, or has ended";
	return control_peer_check(peer, &n->users, getpid()) == CONTROL_PEER_OK;
}

/* Return: whether @owner is the user's, and outside of every session. */
static bool is_trusted(struct notifier *n, const char *owner, const char **ret_why)
{
	struct control_peer peer = {.pidfd = -1};
	sd_bus_message *reply = NULL;
	uint32_t pid = 0, uid = UINT32_MAX;
	bool ret;

	*ret_why = "it cannot be told who it is";
	if (call_bus(n, "GetConnectionUnixProcessID", &reply, "s", owner) < 0 ||
	    sd_bus_message_read(reply, "u", &pid) < 0)
		goto unknown;
	reply = sd_bus_message_unref(reply);
	if (call_bus(n, "GetConnectionUnixUser", &reply, "s", owner) < 0 ||
	    sd_bus_message_read(reply, "u", &uid) < 0)
		goto unknown;
	reply = sd_bus_message_unref(reply);
	peer.uid = uid;
	control_peer_become(&peer, (pid_t)pid);
	ret = is_outside(n, &peer, ret_why);
	control_peer_fini(&peer);
	return ret;
unknown:
	(void)sd_bus_message_unref(reply);
	return false;
}

static void refuse(struct notifier *n, const char *whom, const char *why)
{
	char packet[256], what[64];

	for (size_t i = 0; i < ITEMS_MAX; i++)
		if (n->items[i].id[0]) {
			(void)snprintf(packet, sizeof(packet),
				       "attempt %s tried to pass for the %s", n->items[i].id, whom);
			tell(packet);
			break;
		}
	(void)snprintf(what, sizeof(what), "no notifications: the %s is not trusted", whom);
	complain(n, what, why);
}

/* ---- what the service tells */

static void take_back(struct notifier *n, struct item *item)
{
	if (item->number && n->owner)
		(void)sd_bus_call_method(n->bus, n->owner, OBJECT, SERVICE, "CloseNotification",
					 NULL, NULL, "u", item->number);
	item->number = 0;
}

static void drop(struct item *item)
{
	strbuf_fini(&item->summary);
	strbuf_fini(&item->body);
	*item = (struct item){};
}

static int on_invoked(sd_bus_message *m, void *arg, sd_bus_error *error)
{
	struct notifier *n = arg;
	const char *key, *why, *sender = sd_bus_message_get_sender(m);
	struct item *item;
	char packet[64];
	uint32_t number;

	(void)error;
	if (sd_bus_message_read(m, "us", &number, &key) < 0 || !n->owner || !sender ||
	    !streq(sender, n->owner))
		return 0;
	item = find_number(n, number);
	if (!item || (!streq(key, "allow") && !streq(key, "deny")))
		return 0;
	if (clock_monotonic_ns() - item->shown_ns < SETTLE_NS) {
		item->number = 0; /* most services took it away: it is shown again */
		return 0;
	}
	/* Again: the name of a process on the bus may outlive what was looked at. */
	if (!is_trusted(n, n->owner, &why)) {
		refuse(n, SERVICE_WORDS, why);
		forget_owner(n);
		return 0;
	}
	(void)snprintf(packet, sizeof(packet), "answer %s %s", item->id, key);
	tell(packet);
	take_back(n, item);
	drop(item);
	return 0;
}

static int on_closed(sd_bus_message *m, void *arg, sd_bus_error *error)
{
	struct notifier *n = arg;
	uint32_t number, reason;
	struct item *item;

	(void)error;
	if (sd_bus_message_read(m, "uu", &number, &reason) < 0)
		return 0;
	item = find_number(n, number);
	/* The two signals of one click come in either order, so the number is kept for a moment. */
	if (item)
		item->is_dismissed = true;
	return 0;
}

static int on_owner_changed(sd_bus_message *m, void *arg, sd_bus_error *error)
{
	struct notifier *n = arg;

	(void)m;
	(void)error;
	forget_owner(n);
	n->next_ns = 0;
	return 0;
}

/* ---- finding it */

/* Before anything that it says is believed. */
static bool is_bus_trusted(struct notifier *n)
{
	struct control_peer peer;
	const char *why;
	bool ret;

	control_peer_init(&peer, sd_bus_get_fd(n->bus));
	ret = is_outside(n, &peer, &why);
	control_peer_fini(&peer);
	if (!ret)
		refuse(n, "session bus", why);
	return ret;
}

static bool connect_bus(struct notifier *n)
{
	int r;

	if (n->bus)
		return true;
	r = sd_bus_open_user(&n->bus);
	if (r >= 0 && !is_bus_trusted(n)) {
		disconnect(n);
		return false;
	}
	if (r >= 0)
		r = sd_bus_add_match(n->bus, &n->changed,
				     "type='signal',sender='" BUS "',member='NameOwnerChanged',"
				     "arg0='" SERVICE "'",
				     on_owner_changed, n);
	if (r >= 0)
		return true;
	complain(n, "no notifications: there is no session bus", strerror(-r));
	disconnect(n);
	return false;
}

static void read_capabilities(struct notifier *n)
{
	sd_bus_message *reply = NULL;
	char **words = NULL;

	n->has_actions = n->has_markup = false;
	if (sd_bus_call_method(n->bus, n->owner, OBJECT, SERVICE, "GetCapabilities", NULL, &reply,
			       NULL) >= 0 &&
	    sd_bus_message_read_strv(reply, &words) >= 0)
		for (char **w = words; w && *w; w++) {
			n->has_actions |= streq(*w, "actions");
			n->has_markup |= streq(*w, "body-markup");
			free(*w);
		}
	free(words);
	(void)sd_bus_message_unref(reply);
}

static bool find_owner(struct notifier *n)
{
	sd_bus_message *reply = NULL;
	const char *owner, *why = "";
	int r;

	if (n->owner)
		return true;
	/* Starts it where the desktop has it on demand. */
	(void)call_bus(n, "StartServiceByName", NULL, "su", SERVICE, 0U);
	r = call_bus(n, "GetNameOwner", &reply, "s", SERVICE);
	if (r >= 0)
		r = sd_bus_message_read(reply, "s", &owner);
	if (r < 0) {
		complain(n, "no notifications", "no notification service is running");
	} else if (!is_trusted(n, owner, &why)) {
		refuse(n, SERVICE_WORDS, why);
	} else {
		n->owner = strdup(owner);
		n->complaint[0] = '\0';
	}
	(void)sd_bus_message_unref(reply);
	if (!n->owner)
		return false;
	if (sd_bus_match_signal(n->bus, &n->invoked, n->owner, OBJECT, SERVICE, "ActionInvoked",
				on_invoked, n) < 0 ||
	    sd_bus_match_signal(n->bus, &n->closed, n->owner, OBJECT, SERVICE, "NotificationClosed",
				on_closed, n) < 0) {
		forget_owner(n);
		return false;
	}
	read_capabilities(n);
	return true;
}

/* ---- showing */

static void write_body(const struct notifier *n, const struct item *item, struct strbuf *out)
{
	if (n->has_markup)
		escape_markup(out, strbuf_bytes(&item->body));
	else
		strbuf_add_bytes(out, strbuf_bytes(&item->body));
	if (!n->has_actions)
		strbuf_add_fmt(out, "To answer: holdfast approve %s, or deny", item->id);
}

static int append_notification(const struct notifier *n, const struct item *item, const char *body,
			       sd_bus_message *m)
{
	int r = sd_bus_message_append(m, "susss", "Holdfast", 0U, "dialog-password",
				      strbuf_str(&item->summary), body);

	if (r >= 0)
		r = n->has_actions ? sd_bus_message_append(m, "as", 4, "allow", "Allow once",
							   "deny", "Deny")
				   : sd_bus_message_append(m, "as", 0);
	/* Urgent, and until it is answered: it waits for a person. */
	if (r >= 0)
		r = sd_bus_message_append(m, "a{sv}i", 1, "urgency", "y", 2, 0);
	return r;
}

static void show(struct notifier *n, struct item *item)
{
	_cleanup_(strbuf_fini) struct strbuf body = STRBUF_INIT(8 * BODY_MAX);
	sd_bus_message *m = NULL, *reply = NULL;
	int r;

	write_body(n, item, &body);
	r = sd_bus_message_new_method_call(n->bus, &m, n->owner, OBJECT, SERVICE, "Notify");
	if (r >= 0)
		r = append_notification(n, item, strbuf_str(&body), m);
	if (r >= 0)
		r = sd_bus_call(n->bus, m, CALL_USEC, NULL, &reply);
	if (r >= 0)
		r = sd_bus_message_read(reply, "u", &item->number);
	if (r < 0)
		complain(n, "a notification could not be shown", strerror(-r));
	item->shown_ns = clock_monotonic_ns();
	item->is_dismissed = false;
	(void)sd_bus_message_unref(m);
	(void)sd_bus_message_unref(reply);
}

static bool is_waiting(const struct item *item)
{
	return item->id[0] && !item->number && !item->is_dismissed;
}

static void show_what_waits(struct notifier *n)
{
	uint64_t now_ns = clock_monotonic_ns();
	bool is_wanted = false;

	for (size_t i = 0; i < ITEMS_MAX; i++)
		is_wanted = is_wanted || is_waiting(&n->items[i]);
	if (!is_wanted || now_ns < n->next_ns)
		return;
	n->next_ns = now_ns + RETRY_NS;
	if (!connect_bus(n) || !find_owner(n))
		return;
	for (size_t i = 0; i < ITEMS_MAX; i++)
		if (is_waiting(&n->items[i]))
			show(n, &n->items[i]);
	n->next_ns = 0;
}

/* ---- the broker */

static void on_show(struct notifier *n, const char *packet)
{
	const char *newline = strchr(packet, '\n'),
		   *end = newline ? strchr(newline + 1, '\n') : NULL;
	struct item *item = find_id(n, "");

	if (!end || !item || newline - packet != ID_SIZE - 1)
		return;
	*item = (struct item){.summary = STRBUF_INIT(SUMMARY_MAX), .body = STRBUF_INIT(BODY_MAX)};
	memcpy(item->id, packet, ID_SIZE - 1);
	strbuf_add(&item->summary, newline + 1, (size_t)(end - newline - 1));
	strbuf_add_str(&item->body, end + 1);
	if (strbuf_error(&item->body)) /* what is not all shown is not to be answered here */
		drop(item);
}

static void on_guards(struct notifier *n, char *packet)
{
	char *state = NULL;
	uint64_t pid;

	n->n_guards = 0;
	for (char *word = strtok_r(packet, " ", &state); word && n->n_guards < GUARDS_MAX;
	     word = strtok_r(NULL, " ", &state))
		if (parse_u64(bytes_of(word), INT32_MAX, &pid) == 0 && pid)
			n->guards[n->n_guards++] = (pid_t)pid;
}

static void on_packet(struct notifier *n, char *packet)
{
	struct item *item;

	if (strncmp(packet, "guards ", 7) == 0) {
		on_guards(n, packet + 7);
	} else if (strncmp(packet, "show ", 5) == 0) {
		on_show(n, packet + 5);
	} else if (strncmp(packet, "close ", 6) == 0) {
		item = find_id(n, packet + 6);
		if (item && packet[6]) {
			take_back(n, item);
			drop(item);
		}
	}
}

/* Return: whether the broker is still there. */
static bool read_broker(struct notifier *n)
{
	_cleanup_(freep) char *packet = malloc(HAND_PACKET_MAX + 1);
	ssize_t len;

	while (packet && (len = recv(HAND_FD, packet, HAND_PACKET_MAX, MSG_DONTWAIT)) != 0) {
		if (len < 0)
			return errno == EAGAIN || errno == EINTR;
		packet[len] = '\0';
		on_packet(n, packet);
	}
	return false;
}

static void process_bus(struct notifier *n)
{
	int r = 1;

	while (n->bus && r > 0)
		r = sd_bus_process(n->bus, NULL);
	if (r < 0) {
		complain(n, "the session bus has gone", strerror(-r));
		disconnect(n);
	}
}

static int timeout_ms(const struct notifier *n)
{
	uint64_t now_ns = clock_monotonic_ns();

	for (size_t i = 0; i < ITEMS_MAX; i++)
		if (is_waiting(&n->items[i]))
			return n->next_ns > now_ns ? (int)((n->next_ns - now_ns) / NS_PER_MSEC) + 1
						   : 0;
	return -1;
}

static bool step(struct notifier *n)
{
	struct pollfd fds[] = {{.fd = HAND_FD, .events = POLLIN},
			       {.fd = n->bus ? sd_bus_get_fd(n->bus) : -1, .events = POLLIN}};

	if (n->bus && sd_bus_get_events(n->bus) > 0)
		fds[1].events = (short)sd_bus_get_events(n->bus);
	if (poll(fds, ARRAY_SIZE(fds), timeout_ms(n)) < 0)
		return true;
	if (fds[0].revents && !read_broker(n))
		return false;
	process_bus(n);
	show_what_waits(n);
	process_bus(n);
	return true;
}

int main(void)
{
	struct notifier n = {};

	/* Who could trace it could answer with it. */
	if (prctl(PR_SET_DUMPABLE, 0) < 0)
		return 1;
	control_users_init(&n.users, geteuid());
	while (step(&n))
		;
	/* The broker has gone; what it showed says nothing any more. */
	for (size_t i = 0; i < ITEMS_MAX; i++) {
		take_back(&n, &n.items[i]);
		drop(&n.items[i]);
	}
	disconnect(&n);
	return 0;
}
