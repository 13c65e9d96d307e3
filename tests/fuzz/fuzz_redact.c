/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A first byte that says which made-up secret comes in where, then arguments, NULs between.
 * Whatever stands around it: what comes out holds none of the secret, is bounded, and is redacted
 * already.
 */
#include "audit/redact.h"

#define ARGS_MAX 64
#define TEXT_MAX 20000

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Each with a byte before it and after it that belongs to no word, as its pattern wants. */
static const char *const secrets[] = {
	" ghp_0123456789abcdefghijABCDEFGHIJ012345 ",
	"\nAKIAIOSFODNN7EXAMPLE ",
	" glpat-ABCDEFGHIJKLMNOPQRST\n",
	" xoxb-123456789012-abcdefghijkl ",
	" AIzaSyA1234567890abcdefghijklmnopqrstuv ",
	" npm_0123456789abcdefghijABCDEFGHIJ012345 ",
	" sk-ant-api03-abcdefghijklmnopqrstuvwx ",
	" eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl ",
};

static bool has(struct bytes s, const char *secret)
{
	return s.len && memmem(s.p, s.len, secret + 1, strlen(secret) - 2);
}

static void check(const struct audit_record *r, const char *secret)
{
	const struct bytes strings[] = {r->object, r->asked, r->cwd, r->reason};

	for (size_t i = 0; i < ARRAY_SIZE(strings); i++)
		if (has(strings[i], secret) || strings[i].len > TEXT_MAX + 64)
			abort();
	for (size_t i = 0; i < r->argc; i++)
		if (has(r->argv[i], secret) || r->argv[i].len > TEXT_MAX + 64)
			abort();
}

static size_t split(struct bytes in, struct bytes *argv)
{
	size_t n = 0;

	while (n < ARGS_MAX) {
		const char *end = in.len ? memchr(in.p, '\0', in.len) : NULL;

		argv[n++] = (struct bytes){.p = in.p, .len = end ? (size_t)(end - in.p) : in.len};
		if (!end)
			break;
		in.len -= (size_t)(end + 1 - in.p);
		in.p = end + 1;
	}
	return n;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct redact *redact;
	static struct redact_scratch *first, *second;
	static char text[TEXT_MAX + 64];
	struct bytes argv[ARGS_MAX], whole;
	struct audit_record r, again;
	const char *secret;
	size_t at;

	if (!redact && redact_new(NULL, &redact) < 0)
		abort();
	if (!first) {
		first = redact_scratch_new();
		second = redact_scratch_new();
	}
	if (size < 3 || size > TEXT_MAX || !second)
		return 0;
	secret = secrets[data[0] % ARRAY_SIZE(secrets)];
	/* Glued to a word it is no secret to its pattern. */
	if (has((struct bytes){.p = (const char *)data + 3, .len = size - 3}, secret))
		return 0;
	at = (size_t)(data[1] | data[2] << 8) % (size - 2);
	memcpy(text, data + 3, at);
	memcpy(text + at, secret, strlen(secret));
	memcpy(text + at + strlen(secret), data + 3 + at, size - 3 - at);
	whole = (struct bytes){.p = text, .len = size - 3 + strlen(secret)};
	/* What stands past this is cut off, or not looked at because nothing was found. */
	if (at + strlen(secret) > AUDIT_STRING_MAX)
		return 0;
	r = (struct audit_record){.kind = KIND_TOOL,
				  .object = whole,
				  .asked = whole,
				  .cwd = whole,
				  .reason = whole,
				  .argv = argv,
				  .argc = split(whole, argv)};
	redact_record(redact, first, &r);
	check(&r, secret);
	/* Strings that redact_record() made are left alone by it. */
	again = (struct audit_record){
		.kind = KIND_PATH, .object = r.object, .cwd = r.cwd, .reason = r.reason};
	if (r.redacted && again.object.len <= REDACT_TEXT_MAX) {
		redact_record(redact, second, &again);
		if (again.redacted)
			abort();
	}
	return 0;
}
