/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Asks policy/value.h and policy/pytext.h what tests/compat/test_values.py asks Python, and
 * policy/naming.h what test_addresses.py does. A request
 * is a line "OPERATION BYTES" and so many bytes of text; the answer is a line with a number of
 * bytes, and these. An error is "!" and its message.
 */
#include <arpa/inet.h>
#include <stdio.h>

#include "policy/naming.h"
#include "policy/pytext.h"

#define MEMORY ((size_t)256 * 1024 * 1024)

struct answer {
	struct arena mem;
	struct strbuf out;
};

static void add_error(struct answer *a, const struct diag *d)
{
	strbuf_reset(&a->out);
	strbuf_add_fmt(&a->out, "!%s", d->message);
}

/* The value with the types that JSON's text hides, strings in quotes with their length. */
static void dump(struct strbuf *out, const struct value *v)
{
	static const char letters[] = "nbifslmo";

	strbuf_add_char(out, letters[v->type]);
	if (v->type == VALUE_BOOL || v->type == VALUE_OTHER)
		strbuf_add_char(out, v->is_true ? '1' : '0');
	if (v->type == VALUE_FLOAT)
		py_add_float(out, v->number);
	if (v->type == VALUE_INT || v->type == VALUE_STRING || v->type == VALUE_OTHER)
		strbuf_add_fmt(out, "%zu:", v->text.len);
	strbuf_add_bytes(out, v->text);
	if (v->type == VALUE_OTHER)
		py_add_repr(out, v);
	if (v->type == VALUE_LIST || v->type == VALUE_MAP) {
		strbuf_add_fmt(out, "%zu[", v->n);
		for (const struct value *c = v->first; c; c = c->next)
			dump(out, c);
		strbuf_add_char(out, ']');
	}
}

static const struct value *parse_json(struct answer *a, struct bytes text)
{
	struct value *v = NULL;
	struct diag d = {};
	int r = value_parse_json(text, &a->mem, &v, &d);

	if (r == -EINVAL)
		add_error(a, &d);
	else if (r < 0)
		strbuf_add_str(&a->out, "!no memory");
	return r < 0 ? NULL : v;
}

static void do_json(struct answer *a, struct bytes text)
{
	const struct value *v = parse_json(a, text);

	if (v)
		dump(&a->out, v);
}

static void count_warning(void *ctx, const struct diag *d)
{
	if (!d->message[0] || !d->line)
		abort();
	(*(size_t *)ctx)++;
}

static void do_yaml(struct answer *a, struct bytes text)
{
	struct value *v = NULL;
	struct diag d = {};
	size_t warnings = 0;
	int r = value_parse_yaml("test.yaml", text, &a->mem, count_warning, &warnings, &v, &d);

	if (r == -EINVAL) {
		add_error(a, &d);
		return;
	}
	if (r < 0) {
		strbuf_add_str(&a->out, "!no memory");
		return;
	}
	strbuf_add_fmt(&a->out, "%zu ", warnings);
	dump(&a->out, v);
}

static void do_str(struct answer *a, struct bytes text)
{
	const struct value *v = parse_json(a, text);

	if (v)
		py_add_str(&a->out, v);
}

static void do_repr(struct answer *a, struct bytes text)
{
	const struct value *v = parse_json(a, text);

	if (v)
		py_add_repr(&a->out, v);
}

static void do_bool(struct answer *a, struct bytes text)
{
	const struct value *v = parse_json(a, text);

	if (v)
		strbuf_add_str(&a->out, value_is_truthy(v) ? "True" : "False");
}

/* A list of two. */
static void do_eq(struct answer *a, struct bytes text)
{
	const struct value *v = parse_json(a, text);

	if (v)
		strbuf_add_str(&a->out, value_eq(v->first, v->first->next) ? "True" : "False");
}

static void do_float(struct answer *a, struct bytes text)
{
	double v;

	if (py_float(text, &v) < 0)
		strbuf_add_str(&a->out, "!no number");
	else
		py_add_float(&a->out, v);
}

/* A list: a number and the digits. */
static void do_fixed(struct answer *a, struct bytes text)
{
	const struct value *v = parse_json(a, text);

	if (v)
		py_add_fixed(&a->out, v->first->number, (int)v->first->next->number);
}

static void do_round(struct answer *a, struct bytes text)
{
	const struct value *v = parse_json(a, text);

	if (v)
		py_add_float(&a->out, py_round(v->first->number, (int)v->first->next->number));
}

static void do_strip(struct answer *a, struct bytes text)
{
	strbuf_add_bytes(&a->out, py_strip(text));
}

static void do_lower(struct answer *a, struct bytes text)
{
	py_add_lower(&a->out, text);
}

/* The addresses that a connect is judged by, in words. */
static void do_embedded(struct answer *a, struct bytes text)
{
	struct policy_address found[POLICY_EMBEDDED_MAX], whole = {.has_ip = true};
	char host[INET6_ADDRSTRLEN] = "", out[POLICY_HOST_SIZE];
	size_t n;

	memcpy(host, text.p, MIN(text.len, sizeof(host) - 1));
	if (inet_pton(AF_INET6, host, whole.ip) != 1) {
		strbuf_add_str(&a->out, "!no address");
		return;
	}
	policy_address_normalise(&whole, OP_CONNECT);
	n = policy_address_embedded(&whole, OP_CONNECT, found);
	policy_address_format(out, &whole);
	strbuf_add_str(&a->out, out);
	for (size_t i = 0; i < n; i++) {
		policy_address_format(out, &found[i]);
		strbuf_add_fmt(&a->out, " %s", out);
	}
}

static const struct operation {
	const char *name;
	void (*answer)(struct answer *a, struct bytes text);
} operations[] = {
	{"json", do_json},   {"yaml", do_yaml},   {"str", do_str},     {"repr", do_repr},
	{"bool", do_bool},   {"eq", do_eq},       {"float", do_float}, {"fixed", do_fixed},
	{"round", do_round}, {"strip", do_strip}, {"lower", do_lower}, {"embedded", do_embedded},
};

static bool answer_one(struct answer *a)
{
	_cleanup_(freep) char *text = NULL;
	char name[16];
	size_t len;

	if (scanf("%15s %zu", name, &len) != 2 || getchar() != '\n')
		return false;
	/* Exactly so large that a sanitizer sees a read past the end. */
	text = malloc(len ? len : 1);
	if (!text || fread(text, 1, len, stdin) != len)
		return false;
	strbuf_reset(&a->out);
	arena_reset(&a->mem);
	for (size_t i = 0; i < ARRAY_SIZE(operations); i++)
		if (streq(operations[i].name, name))
			operations[i].answer(a, (struct bytes){.p = text, .len = len});
	printf("%zu\n", a->out.len);
	(void)fwrite(strbuf_str(&a->out), 1, a->out.len, stdout);
	return fflush(stdout) == 0;
}

int main(void)
{
	struct answer a = {.mem = ARENA_INIT(MEMORY), .out = STRBUF_INIT(MEMORY)};

	while (answer_one(&a))
		;
	strbuf_fini(&a.out);
	arena_fini(&a.mem);
	return ferror(stdin) || !feof(stdin);
}
