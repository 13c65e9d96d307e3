/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A pattern and a subject: the first byte says of which kind, the pattern ends at the first
 * newline. What compiles must match as its tokens say, which a table of all positions finds out
 * slowly.
 */
#include "policy/glob.h"

#define MAX_TOKENS  128
#define MAX_SUBJECT 256

static const struct policy_vars vars = {
	.home = "/home/u", .project = "/home/u/proj", .tmp = "/tmp/session"};

/* Whether tokens from @t on match the rest of the subject, from what the later ones match: @rest
 * has the answers of the next token for each position. */
static bool matches_at(const struct glob *g, size_t t, const bool *rest, struct bytes s, size_t at)
{
	const struct glob_token *token = &g->tokens[t];
	bool has_byte = at < s.len;
	unsigned char byte = has_byte ? (unsigned char)s.p[at] : 0;

	switch ((enum glob_token_type)token->type) {
	case GLOB_LITERAL:
		return has_byte && byte == token->literal && rest[at + 1];
	case GLOB_ANY_BYTE:
		return has_byte && rest[at + 1];
	case GLOB_ANY_IN_NAME:
		return has_byte && byte != '/' && rest[at + 1];
	case GLOB_CLASS:
		return has_byte && g->classes[token->class].bits[byte / 64] >> (byte % 64) & 1 &&
		       rest[at + 1];
	case GLOB_STAR:
		for (size_t i = at; i <= s.len; i++) {
			if (rest[i])
				return true;
			if (i < s.len && s.p[i] == '/')
				return false;
		}
		return false;
	case GLOB_DOUBLE_STAR:
		for (size_t i = at; i <= s.len; i++)
			if (rest[i])
				return true;
		return false;
	case GLOB_DIRS:
		for (size_t i = at; i <= s.len; i++)
			if ((i == at || s.p[i - 1] == '/') && rest[i])
				return true;
		return false;
	case GLOB_TREE:
		return at == s.len || byte == '/';
	}
	return false;
}

static bool slow_match(const struct glob *g, struct bytes s)
{
	bool tables[2][MAX_SUBJECT + 1] = {}, *now = tables[0], *rest = tables[1];

	if (!bytes_has_prefix(s, g->prefix))
		return false;
	s.p += g->prefix.len;
	s.len -= g->prefix.len;
	rest[s.len] = true;
	for (size_t t = g->n_tokens; t-- > 0;) {
		bool *swap = now;

		for (size_t at = 0; at <= s.len; at++)
			now[at] = matches_at(g, t, rest, s, at);
		now = rest;
		rest = swap;
	}
	return rest[0];
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct arena mem = ARENA_INIT((size_t)16 << 20);
	const uint8_t *newline = size > 1 ? memchr(data + 1, '\n', size - 1) : NULL;
	struct bytes pattern, subject;
	struct glob *globs = NULL;
	char why[GLOB_WHY_SIZE] = "";
	int r;

	if (!newline || memchr(data + 1, '\0', (size_t)(newline - data - 1)))
		return 0;
	pattern = arena_copy(&mem, data + 1, (size_t)(newline - data - 1));
	subject = (struct bytes){.p = (const char *)newline + 1,
				 .len = size - (size_t)(newline + 1 - data)};
	r = glob_compile(&mem, pattern, data[0] & 1 ? GLOB_PATH : GLOB_NAME, &vars, &globs, why);
	if (r == -EINVAL && !why[0])
		abort(); /* a refusal says why */
	for (const struct glob *g = globs; r == 0 && g; g = g->next) {
		bool found = glob_match(g, subject);

		if (g->n_tokens <= MAX_TOKENS && subject.len <= MAX_SUBJECT &&
		    found != slow_match(g, subject))
			abort();
	}
	arena_fini(&mem);
	return 0;
}
