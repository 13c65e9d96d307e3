/* SPDX-License-Identifier: Apache-2.0 */
#include <stdatomic.h>
#include <stdio.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "base/escape.h"

#include "policy/policy.h"
#include "policy/regex.h"

#define JIT_STACK_START ((size_t)32 * 1024)
#define JIT_STACK_MAX   ((size_t)512 * 1024)
#define HEAP_LIMIT_KIB  4096u
#define DEPTH_LIMIT     5000u
/* Groups in groups: PCRE2's own default, and the same with room for a translator's. */
#define NEST_MAX            250u
#define NEST_MAX_TRANSLATED 500u
/* U+E000 for one byte. */
#define REPLACED_MAX (3 * REGEX_SUBJECT_MAX)

/*
 * JIT compiling takes six times as long as compiling, and ten times the memory; of the patterns of
 * a large policy most are never searched for. So it is left until the first search, or until
 * regex_prepare(). Several threads may come to the first search at once, and JIT compiling changes
 * the code: each makes a copy of its own, and one of them is published.
 */
struct regex_jit {
	/* NULL: not tried yet; the code itself: there is no JIT, and the interpreter does the same,
	 * slower. */
	_Atomic(pcre2_code *) code;
};

struct regex {
	pcre2_code *code; /* not JIT-compiled */
	struct regex_jit *jit;
	struct literal_grams needs;
};

struct owner {
	struct regex regex;
	struct regex_jit jit;
	struct bytes text;
	char text_bytes[];
};

struct regex_scratch {
	pcre2_match_data *data;
	pcre2_match_context *context;
	pcre2_jit_stack *jit_stack;
	char *replaced; /* REPLACED_MAX; a page is used only once a subject needs it */
};

static void context_freep(pcre2_compile_context **context)
{
	pcre2_compile_context_free(*context);
}

static pcre2_code *compile_text(struct bytes text, uint32_t options, uint32_t nest_max,
				int *reterr_error, PCRE2_SIZE *reterr_offset)
{
	_cleanup_(context_freep) pcre2_compile_context *context =
		pcre2_compile_context_create(NULL);

	if (!context) {
		*reterr_error = PCRE2_ERROR_NOMEMORY;
		return NULL;
	}
	/* Whatever PCRE2 was built with. */
	(void)pcre2_set_newline(context, PCRE2_NEWLINE_LF);
	(void)pcre2_set_parens_nest_limit(context, nest_max);
	return pcre2_compile((PCRE2_SPTR)(text.p ? text.p : ""), text.len,
			     PCRE2_UTF | PCRE2_UCP | PCRE2_NEVER_BACKSLASH_C | options,
			     reterr_error, reterr_offset, context);
}

/*
 * The JIT compiler of PCRE2 10.42 remembers where a leading repeat failed, and gets it wrong:
 * '(?:b|)c*b' does not find "b", 'a(?>.+? b|a) ' finds "aa b". It does not try that past an
 * assertion, so a pattern that has compiled is compiled again behind an empty one. Where that
 * cannot be written (the pattern ends in a comment or in \Q, or begins with a verb), all
 * optimizations at the start of a search go, which is slower.
 */
static pcre2_code *compile_guarded(struct bytes text, uint32_t nest_max)
{
	static const char open[] = "(?=)(?:";
	_cleanup_(freep) char *guarded = malloc(text.len + sizeof(open));
	size_t len = sizeof(open) - 1;
	PCRE2_SIZE offset;
	pcre2_code *code;
	int error;

	if (!guarded)
		return NULL;
	memcpy(guarded, open, len);
	if (text.len)
		memcpy(guarded + len, text.p, text.len);
	len += text.len;
	guarded[len++] = ')';
	code = compile_text((struct bytes){.p = guarded, .len = len}, 0, nest_max + 1, &error,
			    &offset);
	if (code || error == PCRE2_ERROR_NOMEMORY || error == PCRE2_ERROR_HEAP_FAILED)
		return code;
	return compile_text(text, PCRE2_NO_START_OPTIMIZE, nest_max, &error, &offset);
}

static int compile(struct bytes pattern, uint32_t nest_max, struct regex **ret,
		   char why[static REGEX_WHY_SIZE], size_t *ret_offset)
{
	PCRE2_SIZE offset = 0;
	struct owner *owner;
	pcre2_code *code;
	int error = 0;

	code = compile_text(pattern, 0, nest_max, &error, &offset);
	if (!code) {
		if (error == PCRE2_ERROR_NOMEMORY || error == PCRE2_ERROR_HEAP_FAILED)
			return -ENOMEM;
		if (pcre2_get_error_message(error, (PCRE2_UCHAR *)why, REGEX_WHY_SIZE) < 0)
			(void)snprintf(why, REGEX_WHY_SIZE, "PCRE2 error %d", error);
		*ret_offset = offset;
		return -EINVAL;
	}
	pcre2_code_free(code);
	owner = calloc(1, sizeof(*owner) + pattern.len + 1);
	if (!owner)
		return -ENOMEM;
	if (pattern.len)
		memcpy(owner->text_bytes, pattern.p, pattern.len);
	owner->text = (struct bytes){.p = owner->text_bytes, .len = pattern.len};
	owner->regex.jit = &owner->jit;
	owner->regex.code = compile_guarded(pattern, nest_max);
	if (!owner->regex.code) {
		free(owner);
		return -ENOMEM;
	}
	*ret = &owner->regex;
	return 0;
}

static int compile_limited(struct bytes pattern, size_t max, uint32_t nest_max, struct regex **ret,
			   char why[static REGEX_WHY_SIZE], size_t *ret_offset)
{
	*ret_offset = 0;
	if (pattern.len > max) {
		(void)snprintf(why, REGEX_WHY_SIZE, "longer than %zu bytes", max);
		return -EINVAL;
	}
	return compile(pattern, nest_max, ret, why, ret_offset);
}

int regex_new(struct bytes pattern, struct regex **ret, char why[static REGEX_WHY_SIZE],
	      size_t *ret_offset)
{
	int r = compile_limited(pattern, REGEX_MAX_BYTES, NEST_MAX, ret, why, ret_offset);

	if (r == 0)
		(*ret)->needs = literal_grams_of(pattern);
	return r;
}

int regex_new_translated(struct bytes pattern, struct regex **ret, char why[static REGEX_WHY_SIZE],
			 size_t *ret_offset)
{
	return compile_limited(pattern, REGEX_TRANSLATED_MAX_BYTES, NEST_MAX_TRANSLATED, ret, why,
			       ret_offset);
}

struct bytes regex_text(const struct regex *r)
{
	return ((const struct owner *)r)->text; /* the first member of its owner */
}

struct regex *regex_free(struct regex *r)
{
	if (r) {
		pcre2_code *jitted = atomic_load(&r->jit->code);

		if (jitted != r->code)
			pcre2_code_free(jitted);
		pcre2_code_free(r->code);
		free(r); /* the first member of its owner */
	}
	return NULL;
}

static pcre2_code *make_jit(const struct regex *r)
{
	pcre2_code *mine = pcre2_code_copy(r->code), *theirs = NULL;

	if (mine && pcre2_jit_compile(mine, PCRE2_JIT_COMPLETE) != 0) {
		pcre2_code_free(mine);
		mine = NULL;
	}
	if (!mine)
		mine = r->code;
	if (atomic_compare_exchange_strong(&r->jit->code, &theirs, mine))
		return mine;
	if (mine != r->code)
		pcre2_code_free(mine);
	return theirs;
}

void regex_prepare(const struct regex *r)
{
	if (!atomic_load(&r->jit->code))
		(void)make_jit(r);
}

struct regex_scratch *regex_scratch_new(void)
{
	struct regex_scratch *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	/* One pair is enough: what was found does not matter, only whether. */
	s->data = pcre2_match_data_create(1, NULL);
	s->context = pcre2_match_context_create(NULL);
	s->jit_stack = pcre2_jit_stack_create(JIT_STACK_START, JIT_STACK_MAX, NULL);
	s->replaced = malloc(REPLACED_MAX);
	if (!s->data || !s->context || !s->replaced)
		return regex_scratch_free(s);
	(void)pcre2_set_match_limit(s->context, POLICY_REGEX_MATCHES);
	(void)pcre2_set_depth_limit(s->context, DEPTH_LIMIT);
	(void)pcre2_set_heap_limit(s->context, HEAP_LIMIT_KIB);
	/* Without JIT there is no stack to assign; PCRE2 then uses 32 KiB of the machine stack. */
	if (s->jit_stack)
		pcre2_jit_stack_assign(s->context, NULL, s->jit_stack);
	return s;
}

struct regex_scratch *regex_scratch_free(struct regex_scratch *s)
{
	if (s) {
		pcre2_match_data_free(s->data);
		pcre2_match_context_free(s->context);
		pcre2_jit_stack_free(s->jit_stack);
		free(s->replaced);
		free(s);
	}
	return NULL;
}

/* Return: how many bytes at @p are UTF-8. */
static size_t valid_length(const char *p, size_t len)
{
	size_t i = 0;

	while (i < len) {
		size_t n = 1;

		if ((unsigned char)p[i] >= 0x80)
			n = utf8_decode(p + i, len - i, NULL);
		if (n == 0)
			break;
		i += n;
	}
	return i;
}

static bool is_surrogate(const char *p, size_t len)
{
	return len >= 3 && (unsigned char)p[0] == 0xed && ((unsigned char)p[1] & 0xe0) == 0xa0 &&
	       ((unsigned char)p[2] & 0xc0) == 0x80;
}

/*
 * PCRE2_MATCH_INVALID_UTF would split the subject at each bad byte. An assertion then takes the
 * split for the end: 'ls(?!.*;)' would find nothing wrong with "ls \xff; rm". In Python such a byte
 * is a character like others.
 */
static struct bytes replace_invalid(struct regex_scratch *scratch, struct bytes subject)
{
	static const char replacement[] = {'\xee', '\x80', '\x80'};
	size_t valid = valid_length(subject.p, subject.len), len = 0, i = 0;

	if (valid == subject.len)
		return subject;
	for (;;) {
		memcpy(scratch->replaced + len, subject.p + i, valid);
		len += valid;
		i += valid;
		if (i == subject.len)
			break;
		memcpy(scratch->replaced + len, replacement, sizeof(replacement));
		len += sizeof(replacement);
		i += is_surrogate(subject.p + i, subject.len - i) ? 3 : 1;
		valid = valid_length(subject.p + i, subject.len - i);
	}
	return (struct bytes){.p = scratch->replaced, .len = len};
}

static int search(const pcre2_code *code, struct regex_scratch *scratch, struct bytes subject)
{
	int found;

	subject = replace_invalid(scratch, subject);
	found = pcre2_match(code, (PCRE2_SPTR)(subject.p ? subject.p : ""), subject.len, 0,
			    PCRE2_NO_UTF_CHECK, scratch->data, scratch->context);
	if (found >= 0)
		return 1;
	return found == PCRE2_ERROR_NOMATCH ? 0 : -E2BIG;
}

int regex_search(const struct regex *r, struct regex_scratch *scratch, struct bytes subject)
{
	pcre2_code *code = atomic_load_explicit(&r->jit->code, memory_order_acquire);

	if (!code)
		code = make_jit(r);
	if (subject.len > (code == r->code ? REGEX_SUBJECT_MAX_UNJITTED : REGEX_SUBJECT_MAX))
		return -E2BIG;
	return search(code, scratch, subject);
}

int regex_search_once(const struct regex *r, struct regex_scratch *scratch, struct bytes subject)
{
	if (subject.len > REGEX_SUBJECT_MAX_UNJITTED)
		return -E2BIG;
	return search(r->code, scratch, subject);
}

int regex_search_filtered(const struct regex *r, struct regex_scratch *scratch,
			  struct literal_set *set, struct bytes subject)
{
	if (r->needs.n) {
		if (!set->is_built)
			literal_set_build(set, subject);
		if (!literal_set_has(set, &r->needs))
			return 0;
	}
	return regex_search(r, scratch, subject);
}

/* One step through a subject and what replace_invalid() made of it. */
struct place {
	size_t original, replaced;
};

/* Goes on to where the replaced text is at @target, or just behind it. */
static size_t original_at(struct bytes subject, struct place *at, size_t target)
{
	while (at->replaced < target && at->original < subject.len) {
		const char *p = subject.p + at->original;
		size_t left = subject.len - at->original;
		size_t n = (unsigned char)*p < 0x80 ? 1 : utf8_decode(p, left, NULL);

		at->replaced += n ? n : 3;
		at->original += n ? n : is_surrogate(p, left) ? 3 : 1;
	}
	return at->original;
}

/* The next place at which a search may begin, behind an empty match. */
static size_t behind(struct bytes text, size_t at)
{
	do
		at++;
	while (at < text.len && ((unsigned char)text.p[at] & 0xc0) == 0x80);
	return at;
}

ssize_t regex_find_all(const struct regex *r, struct regex_scratch *scratch, struct bytes subject,
		       struct regex_span *ret, size_t max)
{
	pcre2_code *code = atomic_load_explicit(&r->jit->code, memory_order_acquire);
	struct place start = {}, end = {};
	size_t n = 0, from = 0;
	struct bytes text;

	if (!code)
		code = make_jit(r);
	if (subject.len > (code == r->code ? REGEX_SUBJECT_MAX_UNJITTED : REGEX_SUBJECT_MAX))
		return -E2BIG;
	text = replace_invalid(scratch, subject);
	while (from <= text.len) {
		const PCRE2_SIZE *found;
		int rc = pcre2_match(code, (PCRE2_SPTR)(text.p ? text.p : ""), text.len, from,
				     PCRE2_NO_UTF_CHECK, scratch->data, scratch->context);

		if (rc == PCRE2_ERROR_NOMATCH)
			break;
		if (rc < 0 || n == max)
			return -E2BIG;
		found = pcre2_get_ovector_pointer(scratch->data);
		if (found[1] > found[0]) {
			ret[n].start = original_at(subject, &start, found[0]);
			ret[n++].end = original_at(subject, &end, found[1]);
		}
		from = found[1] > from ? found[1] : behind(text, MAX(from, found[1]));
	}
	return (ssize_t)n;
}
