/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>

#include "audit/show.h"
#include "base/clock.h"
#include "base/io.h"

#include "audit/format_private.h"

static int add_chunk(const char *p, size_t len, void *arg)
{
	struct strbuf *out = arg;

	/* All that jansson leaves of the control characters: DEL, which can only be in a string. */
	for (const char *del; (del = memchr(p, 0x7f, len)); p = del + 1) {
		strbuf_add(out, p, (size_t)(del - p));
		strbuf_add_str(out, "\\u007f");
		len -= (size_t)(del - p) + 1;
	}
	strbuf_add(out, p, len);
	return strbuf_error(out) ? -1 : 0;
}

void format_add_json(const json_t *value, struct strbuf *out)
{
	size_t start = out->len;

	/* It refuses what is nested thousands deep, which no record of ours is. */
	if (json_dump_callback(value, add_chunk, out,
			       JSON_ENSURE_ASCII | JSON_COMPACT | JSON_ENCODE_ANY) == 0 ||
	    strbuf_error(out))
		return;
	strbuf_truncate(out, start);
	strbuf_add_str(out, "null");
}

static bool is_known(const char *key, const char *const *known, size_t n_known)
{
	for (size_t i = 0; i < n_known; i++)
		if (streq(key, known[i]))
			return true;
	return false;
}

json_t *format_rest(const json_t *object, const char *const *known, size_t n_known)
{
	/* jansson's iterators take no const; nothing is changed here. */
	json_t *rest = json_object(), *source = (json_t *)(uintptr_t)object;

	if (!rest)
		return NULL;
	for (void *i = json_object_iter(source); i; i = json_object_iter_next(source, i)) {
		const char *key = json_object_iter_key(i);
		json_t *value = json_object_iter_value(i);

		if (json_is_null(value) || is_known(key, known, n_known))
			continue;
		if (json_object_set_nocheck(rest, key, value) < 0) {
			json_decref(rest);
			return NULL;
		}
	}
	return rest;
}

void format_put_rest(struct json *j, const char *key, const json_t *object,
		     const char *const *known, size_t n_known)
{
	json_t *rest = format_rest(object, known, n_known);

	if (!rest) {
		j->out->error = -ENOMEM;
	} else if (json_object_size(rest)) {
		json_key(j, key);
		j->after_key = false; /* the value is written past the writer */
		format_add_json(rest, j->out);
	}
	json_decref(rest);
}

bool format_put_string(struct json *j, const char *to, const json_t *object, const char *from)
{
	struct strbuf raw = STRBUF_INIT(READER_LINE_MAX);
	bool found = reader_string(object, from, &raw);

	if (found)
		json_key_str(j, to, strbuf_bytes(&raw));
	strbuf_fini(&raw);
	return found;
}

bool format_put_command(struct json *j, const char *to, const json_t *object)
{
	const json_t *argv = json_object_get(object, "argv");
	struct strbuf raw = STRBUF_INIT(READER_LINE_MAX);

	if (!json_array_size(argv))
		return false;
	for (size_t i = 0; i < json_array_size(argv); i++) {
		if (i)
			strbuf_add_char(&raw, ' ');
		reader_decode(json_array_get(argv, i), &raw);
	}
	json_key_str(j, to, strbuf_bytes(&raw));
	strbuf_fini(&raw);
	return true;
}

static void add_action_message(const json_t *root, struct strbuf *out)
{
	show_word(root, "op", 0, out);
	strbuf_add_char(out, ' ');
	show_object(root, FORMAT_TEXT_MAX, out);
	strbuf_add_str(out, ": ");
	if (streq(reader_word(root, "event"), "held"))
		strbuf_add_str(out, "held");
	else
		show_word(root, "verdict", 0, out);
	if (json_is_string(json_object_get(root, "rule"))) {
		strbuf_add_str(out, ", rule '");
		(void)show_string(root, "rule", FORMAT_TEXT_MAX, out);
		strbuf_add_char(out, '\'');
	}
	if (json_is_string(json_object_get(root, "reason"))) {
		strbuf_add_str(out, ", ");
		(void)show_string(root, "reason", FORMAT_TEXT_MAX, out);
	}
}

void format_message(const struct reader_line *line, struct strbuf *out)
{
	const char *event = reader_word(line->root, "event");

	if (streq(event, "action") || streq(event, "held")) {
		add_action_message(line->root, out);
	} else if (streq(event, "session_start")) {
		strbuf_add_str(out, "session started: ");
		show_words(line->root, "command", 0, FORMAT_TEXT_MAX, out);
	} else if (streq(event, "session_end")) {
		strbuf_add_str(out, "session ended");
	} else if (!show_string(line->root, "note", FORMAT_TEXT_MAX, out)) {
		(void)show_string(line->root, "event", FORMAT_TEXT_MAX, out);
	}
}

void format_put_message(struct json *j, const struct reader_line *line)
{
	struct strbuf text = STRBUF_INIT(READER_LINE_MAX);

	format_message(line, &text);
	json_key_str(j, "message", strbuf_bytes(&text));
	strbuf_fini(&text);
}

struct bytes format_file_name(struct bytes path)
{
	struct bytes name = bytes_base_name(path);

	return name.len ? name : path;
}

const json_t *format_start(const struct format_context *c, const struct reader_line *line)
{
	const char *session = reader_word(line->root, "session");

	return streq(reader_word(c->start, "session"), session) ? c->start : NULL;
}

void format_read_address(struct bytes object, struct format_address *ret)
{
	const char *colon = object.len ? memrchr(object.p, ':', object.len) : NULL;
	unsigned char binary[16];
	struct bytes host;
	uint64_t port;

	*ret = (struct format_address){.is_local = bytes_has_prefix(object, BYTES_LIT("unix:"))};
	if (!colon || ret->is_local)
		return;
	host = (struct bytes){.p = object.p, .len = (size_t)(colon - object.p)};
	ret->is_v6 = host.len > 2 && host.p[0] == '[' && host.p[host.len - 1] == ']';
	if (ret->is_v6)
		host = (struct bytes){.p = host.p + 1, .len = host.len - 2};
	if (host.len >= sizeof(ret->ip))
		return;
	memcpy(ret->ip, host.p, host.len);
	if (inet_pton(ret->is_v6 ? AF_INET6 : AF_INET, ret->ip, binary) != 1) {
		ret->ip[0] = '\0';
		return;
	}
	ret->is_local =
		ret->is_v6 ? IN6_IS_ADDR_LOOPBACK((struct in6_addr *)binary) : binary[0] == 127;
	ret->has_port =
		parse_u64((struct bytes){.p = colon + 1,
					 .len = object.len - host.len - (ret->is_v6 ? 2 : 0) - 1},
			  UINT16_MAX, &port) == 0;
	if (ret->has_port)
		ret->port = (uint16_t)port;
}

void format_put_time(struct json *j, const char *key, const struct reader_line *line)
{
	char text[CLOCK_RFC3339_SIZE];

	clock_format_rfc3339(line->time_ns, text);
	json_key_cstr(j, key, text);
}

const char *format_protocol(const json_t *root)
{
	const json_t *steps = json_object_get(root, "steps");
	const char *word = reader_word(json_array_get(steps, 0), "protocol");

	if (streq(word, "tcp") || streq(word, "udp"))
		return word;
	if (word[0] || steps)
		return NULL;
	return streq(reader_word(root, "op"), "send") ? "udp" : "tcp";
}
