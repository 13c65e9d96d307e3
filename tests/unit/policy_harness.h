/* SPDX-License-Identifier: Apache-2.0 */
/*
 * For tests of the policy core: documents from strings, queries in one line.
 */
#pragma once

#include <arpa/inet.h>
#include <stdio.h>

#include "policy/policy.h"

#include "tests/unit/unit.h"

static const struct policy_vars harness_vars = {
	.home = "/home/u", .project = "/home/u/proj", .tmp = "/tmp/session"};

static inline struct policy *harness_parse(const char *text)
{
	struct policy *p = NULL;
	struct diag d = {};
	char message[1024];
	int r = policy_parse("test.yaml", bytes_of(text), &harness_vars, &p, &d);

	if (r < 0) {
		diag_format(&d, message, sizeof(message));
		fail_msg("the policy does not load: %s", message);
	}
	return p;
}

/* What a document is refused with; fails the test when it is not. */
static inline void harness_parse_error(const char *text, size_t len, struct diag *d)
{
	struct policy *p = NULL;
	int r;

	*d = (struct diag){};
	r = policy_parse("test.yaml", (struct bytes){.p = text, .len = len}, &harness_vars, &p, d);
	if (r == 0)
		fail_msg("the policy loads: %s", text);
	assert_int_equal(r, -EINVAL);
	assert_null(p);
}

struct harness {
	struct policy_stack *stack;
	struct policy_scratch *scratch;
};

static inline struct harness harness_stack(const char *const *texts, size_t n, bool force_audit)
{
	struct policy *policies[POLICY_MAX_STACK];
	struct harness h = {};
	struct diag d = {};

	for (size_t i = 0; i < n; i++)
		policies[i] = harness_parse(texts[i]);
	assert_int_equal(policy_stack_new(policies, n, force_audit, &h.stack, &d), 0);
	h.scratch = policy_scratch_new(h.stack);
	assert_non_null(h.scratch);
	return h;
}

static inline struct harness harness_one(const char *text)
{
	return harness_stack(&text, 1, false);
}

static inline void harness_fini(struct harness *h)
{
	policy_scratch_free(h->scratch);
	policy_stack_free(h->stack);
}

static inline struct policy_result harness_path(struct harness *h, enum action_op op,
						const char *path)
{
	const struct policy_name names[] = {
		{.name = bytes_of(op == OP_READ ? "file_read" : "file_write")},
		{.name = bytes_of(op == OP_READ ? "read_file" : "write_file")},
		{.name = bytes_of(op == OP_READ ? "read" : "edit")},
	};
	const struct policy_query q = {.kind = KIND_PATH,
				       .op = op,
				       .names = names,
				       .n_names = ARRAY_SIZE(names),
				       .args = bytes_of(path),
				       .path = bytes_of(path)};
	struct policy_result r;

	policy_stack_eval(h->stack, h->scratch, &q, &r);
	return r;
}

/* The command's first word names the tool and, unless @image is given, its image in /usr/bin. */
static inline struct policy_result harness_tool(struct harness *h, const char *command,
						const char *image)
{
	char path[512];
	const struct bytes word = {.p = command, .len = strcspn(command, " ")};
	const struct policy_name names[] = {
		{.name = word},
		{.name = BYTES_LIT("bash")},
		{.name = BYTES_LIT("shell")},
		{.name = BYTES_LIT("exec")},
	};
	struct policy_query q = {.kind = KIND_TOOL,
				 .op = OP_EXEC,
				 .names = names,
				 .n_names = ARRAY_SIZE(names),
				 .args = bytes_of(command)};
	struct policy_result r;

	(void)snprintf(path, sizeof(path), "/usr/bin/%.*s", (int)word.len, word.p);
	q.path = bytes_of(image ? image : path);
	policy_stack_eval(h->stack, h->scratch, &q, &r);
	return r;
}

static inline struct policy_address harness_address(const char *ip, uint16_t port,
						    enum policy_protocol protocol)
{
	struct policy_address a = {.protocol = protocol, .has_ip = true, .port = port};

	a.is_v4 = !strchr(ip, ':');
	assert_int_equal(inet_pton(a.is_v4 ? AF_INET : AF_INET6, ip, a.ip), 1);
	return a;
}

static inline struct policy_result harness_ip(struct harness *h, enum action_op op, const char *ip,
					      uint16_t port, enum policy_protocol protocol)
{
	const struct policy_name name = {.name = BYTES_LIT("http_request")};
	const struct policy_address a = harness_address(ip, port, protocol);
	char text[80];
	const struct policy_query q = {
		.kind = KIND_NETWORK,
		.op = op,
		.names = &name,
		.n_names = 1,
		.args = {.p = text, .len = (size_t)snprintf(text, sizeof(text), "%s:%u", ip, port)},
		.address = &a};
	struct policy_result r;

	policy_stack_eval(h->stack, h->scratch, &q, &r);
	return r;
}

static inline struct policy_result harness_unix(struct harness *h, enum action_op op,
						const char *path)
{
	const struct policy_name name = {.name = BYTES_LIT("http_request")};
	const struct policy_address a = {.protocol = POLICY_PROTO_UNIX};
	const struct policy_query q = {.kind = KIND_NETWORK,
				       .op = op,
				       .names = &name,
				       .n_names = 1,
				       .args = bytes_of(path),
				       .path = bytes_of(path),
				       .address = &a};
	struct policy_result r;

	policy_stack_eval(h->stack, h->scratch, &q, &r);
	return r;
}

/* The plain definition, exponential and short, for random small patterns on paths. */
static inline bool harness_naive_glob(const char *p, const char *s)
{
	if (!*p)
		return !*s;
	if (p[0] == '/' && p[1] == '*' && p[2] == '*' && !p[3])
		return !*s || *s == '/';
	if (p[0] == '/' && p[1] == '*' && p[2] == '*' && p[3] == '/') {
		for (const char *at = s; *s == '/' && *at; at++)
			if (*at == '/' && harness_naive_glob(p + 4, at + 1))
				return true;
		return false;
	}
	if (p[0] == '*' && p[1] == '*') {
		while (*p == '*')
			p++;
		for (;; s++) {
			if (harness_naive_glob(p, s))
				return true;
			if (!*s)
				return false;
		}
	}
	if (p[0] == '*')
		for (;; s++) {
			if (harness_naive_glob(p + 1, s))
				return true;
			if (!*s || *s == '/')
				return false;
		}
	if (!*s)
		return false;
	return (p[0] == '?' ? *s != '/' : p[0] == *s) && harness_naive_glob(p + 1, s + 1);
}
