/* SPDX-License-Identifier: Apache-2.0 */
#include "base/escape.h"

#include "policy/yaml_text.h"

static bool is_plain_byte(char c, bool is_first)
{
	if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '/')
		return true;
	return !is_first && ((c >= '0' && c <= '9') || c == '.' || c == '-');
}

static bool is_plain_text(struct bytes text)
{
	const struct node n = {.type = NODE_SCALAR, .is_plain = true, .text = text};

	for (size_t i = 0; i < text.len; i++)
		if (!is_plain_byte(text.p[i], i == 0))
			return false;
	return text.len && !node_guessed_type(&n);
}

static bool is_printable(struct bytes text)
{
	for (size_t i = 0; i < text.len; i++)
		if (text.p[i] < 0x20 || text.p[i] > 0x7e)
			return false;
	return true;
}

static void add_escaped(struct strbuf *out, struct bytes text)
{
	strbuf_add_char(out, '"');
	for (size_t i = 0; i < text.len;) {
		uint32_t c = 0;
		size_t n = utf8_decode(text.p + i, text.len - i, &c);

		/* Documents are UTF-8; a path that the environment gave may not be. */
		if (n == 0) {
			c = (unsigned char)text.p[i];
			n = 1;
		}
		if (c == '"' || c == '\\')
			strbuf_add_fmt(out, "\\%c", (char)c);
		else if (c == '\n')
			strbuf_add_str(out, "\\n");
		else if (c >= 0x20 && c < 0x7f)
			strbuf_add_char(out, (char)c);
		else if (c < 0x100)
			strbuf_add_fmt(out, "\\x%02X", c);
		else if (c < 0x10000)
			strbuf_add_fmt(out, "\\u%04X", c);
		else
			strbuf_add_fmt(out, "\\U%08X", c);
		i += n;
	}
	strbuf_add_char(out, '"');
}

void yaml_add_text(struct strbuf *out, struct bytes text)
{
	if (is_plain_text(text)) {
		strbuf_add_bytes(out, text);
		return;
	}
	if (!is_printable(text)) {
		add_escaped(out, text);
		return;
	}
	strbuf_add_char(out, '\'');
	while (text.len) {
		const char *quote = memchr(text.p, '\'', text.len);
		size_t n = quote ? (size_t)(quote - text.p) + 1 : text.len;

		strbuf_add(out, text.p, n);
		if (quote)
			strbuf_add_char(out, '\'');
		text.p += n;
		text.len -= n;
	}
	strbuf_add_char(out, '\'');
}

void yaml_add_words(struct strbuf *out, const char *const *words, size_t n)
{
	if (n == 1) {
		yaml_add_text(out, bytes_of(words[0]));
		return;
	}
	strbuf_add_char(out, '[');
	for (size_t i = 0; i < n; i++) {
		if (i)
			strbuf_add_str(out, ", ");
		yaml_add_text(out, bytes_of(words[i]));
	}
	strbuf_add_char(out, ']');
}

static void add_children(struct strbuf *out, const struct node *n)
{
	const bool is_map = n->type == NODE_MAP;

	strbuf_add_char(out, is_map ? '{' : '[');
	for (const struct node *item = n->first; item; item = item->next) {
		if (item != n->first)
			strbuf_add_str(out, ", ");
		yaml_add_node(out, item);
		if (is_map) {
			strbuf_add_str(out, ": ");
			item = item->next;
			yaml_add_node(out, item);
		}
	}
	strbuf_add_char(out, is_map ? '}' : ']');
}

void yaml_add_node(struct strbuf *out, const struct node *n)
{
	/* A number stays one, and with it true and null. */
	if (n->type != NODE_SCALAR)
		add_children(out, n);
	else if (node_guessed_type(n))
		strbuf_add_bytes(out, n->text);
	else
		yaml_add_text(out, n->text);
}
