/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#include "base/escape.h"

#include "policy/document.h"
#include "policy/pyregex.h"
#include "policy/pytext.h"

#include "policy/dialect_read.h"

/* A name or reason made of a list or map can be as long as the document. */
#define KEPT_TEXT_MAX ((size_t)64 * 1024)

struct type_words {
	const char *described;
	const char *python;
};

static const struct type_words type_words[] = {
	[VALUE_NULL] = {"nothing", "NoneType"},
	[VALUE_BOOL] = {"true or false", "bool"},
	[VALUE_INT] = {"a number", "int"},
	[VALUE_FLOAT] = {"a number", "float"},
	[VALUE_STRING] = {"text", "str"},
	[VALUE_LIST] = {"a list", "list"},
	[VALUE_MAP] = {"a map", "dict"},
	[VALUE_OTHER] = {"a date, binary data or a set", "object"},
};

const char *dialect_describe(const struct value *v)
{
	return type_words[v->type].described;
}

const char *dialect_python_type(const struct value *v)
{
	return type_words[v->type].python;
}

void dialect_warn(const struct dialect_reader *r, const struct value *v, const char *fmt, ...)
{
	struct diag d = {};
	char message[sizeof(d.message)];
	va_list ap;

	if (!r->load->warn)
		return;
	va_start(ap, fmt);
	(void)vsnprintf(message, sizeof(message), fmt, ap);
	va_end(ap);
	(void)diag_set(&d, r->load->file, v->line, v->column, "%s", message);
	r->load->warn(r->load->warn_ctx, &d);
}

static bool is_known(const struct value *key, const char *const *known, size_t n_known)
{
	for (size_t i = 0; key->type == VALUE_STRING && i < n_known; i++)
		if (bytes_eq_str(key->text, known[i]))
			return true;
	return false;
}

void dialect_warn_unknown(const struct dialect_reader *r, const struct value *map, const char *what,
			  const char *const *known, size_t n_known)
{
	for (const struct value *key = map->first; key; key = key->next->next) {
		const char *nearest;

		if (is_known(key, known, n_known))
			continue;
		if (key->type != VALUE_STRING) {
			dialect_warn(r, key, "a key of %s that is %s, ignoring", what,
				     dialect_describe(key));
			continue;
		}
		nearest = schema_nearest(key->text, known, n_known);
		if (nearest)
			dialect_warn(r, key,
				     "unknown key '%.60s' in %s, ignoring; did you mean '%s'?",
				     key->text.p, what, nearest);
		else
			dialect_warn(r, key, "unknown key '%.60s' in %s, ignoring", key->text.p,
				     what);
	}
}

int dialect_keep(const struct dialect_reader *r, struct bytes text, struct bytes *ret)
{
	*ret = arena_copy(r->mem, text.p, text.len);
	return ret->p ? 0 : -ENOMEM;
}

int dialect_keep_fmt(const struct dialect_reader *r, const char **ret, const char *fmt, ...)
{
	_cleanup_(strbuf_fini) struct strbuf text = STRBUF_INIT(KEPT_TEXT_MAX);
	va_list ap;

	va_start(ap, fmt);
	strbuf_add_vfmt(&text, fmt, ap);
	va_end(ap);
	if (strbuf_error(&text))
		return -ENOMEM;
	*ret = arena_copy(r->mem, strbuf_str(&text), text.len).p;
	return *ret ? 0 : -ENOMEM;
}

int dialect_keep_value(const struct dialect_reader *r, const struct value *v, struct value **ret)
{
	struct value *copy = arena_alloc(r->mem, sizeof(*copy)), **tail;
	int e;

	if (!copy)
		return -ENOMEM;
	*copy = *v;
	copy->first = copy->next = NULL;
	if (v->text.p) {
		e = dialect_keep(r, v->text, &copy->text);
		if (e < 0)
			return e;
	}
	tail = &copy->first;
	for (const struct value *child = v->first; child; child = child->next) {
		e = dialect_keep_value(r, child, tail);
		if (e < 0)
			return e;
		tail = &(*tail)->next;
	}
	*ret = copy;
	return 0;
}

int dialect_keep_text(const struct dialect_reader *r, const struct value *v, const char *key,
		      const char **ret)
{
	_cleanup_(strbuf_fini) struct strbuf made = STRBUF_INIT(KEPT_TEXT_MAX);
	struct bytes text = v->text;

	if (v->type != VALUE_STRING) {
		dialect_warn(r, v, "'%s' is %s, not text; quote it", key, dialect_describe(v));
		py_add_str(&made, v);
		text = strbuf_bytes(&made);
	}
	if (v->type == VALUE_NULL) {
		*ret = NULL;
		return 0;
	}
	if (strbuf_error(&made) == -ENOMEM)
		return -ENOMEM;
	if (strbuf_error(&made) || text.len > KEPT_TEXT_MAX)
		return dialect_fail(r, v, "'%s' is longer than %zu KiB; shorten it", key,
				    KEPT_TEXT_MAX / 1024);
	if (text.len && memchr(text.p, '\0', text.len))
		return dialect_fail(r, v, "'%s' holds a NUL character; remove it", key);
	*ret = arena_copy(r->mem, text.p, text.len).p;
	return *ret ? 0 : -ENOMEM;
}

int dialect_regex(const struct dialect_reader *r, const struct value *v, struct bytes pattern,
		  struct regex **ret, const char **ret_error)
{
	char why[REGEX_WHY_SIZE] = "";
	size_t offset = 0;
	int error;

	*ret = NULL;
	*ret_error = NULL;
	/* Whoever refuses it for its length cannot say whether Python would take it. */
	if (pattern.len > REGEX_MAX_BYTES)
		return dialect_fail(r, v,
				    "the regular expression is longer than %zu bytes; shorten it",
				    REGEX_MAX_BYTES);
	error = pyregex_new(pattern, ret, why, &offset);
	if (error == -EINVAL)
		return dialect_keep_fmt(r, ret_error, "re.error: %s at byte %zu", why, offset);
	if (error == -EOPNOTSUPP)
		return dialect_fail(
			r, v, "the regular expression cannot be compiled: %s; write it simpler",
			why);
	return error;
}

void dialect_add_quoted(struct strbuf *out, struct bytes text)
{
	strbuf_add_char(out, '"');
	escape_json(out, text);
	strbuf_add_char(out, '"');
}

void dialect_show_text(struct strbuf *out, unsigned int indent, const char *key, const char *text)
{
	if (!text)
		return;
	strbuf_add_fmt(out, "%*s%s: ", (int)indent, "", key);
	dialect_add_quoted(out, bytes_of(text));
	strbuf_add_char(out, '\n');
}
