/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Asks policy/pyregex.h and policy/fnmatch.h what tests/compat/test_regex.py and test_fnmatch.py
 * ask Python. A request is a line "OPERATION BYTES" and so many bytes of text; the answer is a
 * line. "pattern" and "glob" set what "search" and "match" then use.
 */
#include <stdio.h>

#include "policy/fnmatch.h"
#include "policy/pyregex.h"

#define TEXT_MAX ((size_t)1 << 20)

struct state {
	struct regex *regex;
	struct regex_scratch *scratch;
	char glob[TEXT_MAX];
	size_t glob_len;
};

static void do_pattern(struct state *s, struct bytes text)
{
	char why[REGEX_WHY_SIZE] = "";
	size_t offset = 0;
	int r;

	s->regex = regex_free(s->regex);
	r = pyregex_new(text, &s->regex, why, &offset);
	if (r == 0)
		puts("ok");
	else
		printf("%s %zu %s\n", r == -EINVAL ? "refused" : "unsupported", offset, why);
}

static void do_search(struct state *s, struct bytes text)
{
	int r;

	if (!s->regex) {
		puts("none");
		return;
	}
	r = regex_search(s->regex, s->scratch, text);
	puts(r < 0 ? "limit" : r ? "found" : "not found");
}

/* For people: not part of any comparison. */
static void do_translate(struct state *s, struct bytes text)
{
	_cleanup_(strbuf_fini) struct strbuf out = STRBUF_INIT(REGEX_TRANSLATED_MAX_BYTES);
	char why[REGEX_WHY_SIZE] = "";
	size_t offset;

	(void)s;
	puts(pyregex_translate(text, &out, why, &offset) < 0 ? why : strbuf_str(&out));
}

static void do_glob(struct state *s, struct bytes text)
{
	memcpy(s->glob, text.p, text.len);
	s->glob_len = text.len;
	puts(pyfnmatch_has_magic(text) ? "magic" : "plain");
}

static void do_match(struct state *s, struct bytes text)
{
	puts(pyfnmatch((struct bytes){.p = s->glob, .len = s->glob_len}, text) ? "found"
									       : "not found");
}

static const struct operation {
	const char *name;
	void (*answer)(struct state *s, struct bytes text);
} operations[] = {{"pattern", do_pattern},
		  {"search", do_search},
		  {"translate", do_translate},
		  {"glob", do_glob},
		  {"match", do_match}};

static bool answer(struct state *s, const char *name, struct bytes text)
{
	for (size_t i = 0; i < ARRAY_SIZE(operations); i++) {
		if (streq(name, operations[i].name)) {
			operations[i].answer(s, text);
			return true;
		}
	}
	return false;
}

int main(void)
{
	static struct state state;
	static char text[TEXT_MAX];
	char line[64], name[16];
	size_t len;

	state.scratch = regex_scratch_new();
	if (!state.scratch)
		return 1;
	while (fgets(line, sizeof(line), stdin)) {
		if (sscanf(line, "%15s %zu", name, &len) != 2 || len > sizeof(text) ||
		    fread(text, 1, len, stdin) != len ||
		    !answer(&state, name, (struct bytes){.p = text, .len = len}))
			return 1;
	}
	regex_free(state.regex);
	regex_scratch_free(state.scratch);
	return 0;
}
