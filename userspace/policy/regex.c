/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include "policy/policy.h"
#include "policy/regex.h"

#define JIT_STACK_START ((size_t)32 * 1024)
#define JIT_STACK_MAX   ((size_t)512 * 1024)
#define HEAP_LIMIT_KIB  4096u
#define DEPTH_LIMIT     5000u

struct regex {
	pcre2_code *code;
	size_t subject_max; /* bytes */
};

struct regex_scratch {
	pcre2_match_data *data;
	pcre2_match_context *context;
	pcre2_jit_stack *jit_stack;
};

int regex_new(struct bytes pattern, struct regex **ret, char why[static REGEX_WHY_SIZE],
	      size_t *ret_offset)
{
	const uint32_t options =
		PCRE2_UTF | PCRE2_UCP | PCRE2_MATCH_INVALID_UTF | PCRE2_NEVER_BACKSLASH_C;
	PCRE2_SIZE offset = 0;
	struct regex *r;
	int error = 0;

	*ret_offset = 0;
	if (pattern.len > REGEX_MAX_BYTES) {
		(void)snprintf(why, REGEX_WHY_SIZE, "longer than %zu bytes", REGEX_MAX_BYTES);
		return -EINVAL;
	}
	r = calloc(1, sizeof(*r));
	if (!r)
		return -ENOMEM;
	r->code = pcre2_compile((PCRE2_SPTR)pattern.p, pattern.len, options, &error, &offset, NULL);
	if (!r->code) {
		free(r);
		if (error == PCRE2_ERROR_NOMEMORY || error == PCRE2_ERROR_HEAP_FAILED)
			return -ENOMEM;
		if (pcre2_get_error_message(error, (PCRE2_UCHAR *)why, REGEX_WHY_SIZE) < 0)
			(void)snprintf(why, REGEX_WHY_SIZE, "PCRE2 error %d", error);
		*ret_offset = offset;
		return -EINVAL;
	}
	/* Where there is no JIT the interpreter does the same, slower. */
	r->subject_max = pcre2_jit_compile(r->code, PCRE2_JIT_COMPLETE) == 0
				 ? REGEX_SUBJECT_MAX
				 : REGEX_SUBJECT_MAX_UNJITTED;
	*ret = r;
	return 0;
}

struct regex *regex_free(struct regex *r)
{
	if (r) {
		pcre2_code_free(r->code);
		free(r);
	}
	return NULL;
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
	if (!s->data || !s->context)
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
		free(s);
	}
	return NULL;
}

int regex_search(const struct regex *r, struct regex_scratch *scratch, struct bytes subject)
{
	int found;

	if (subject.len > r->subject_max)
		return -E2BIG;
	found = pcre2_match(r->code, (PCRE2_SPTR)(subject.p ? subject.p : ""), subject.len, 0, 0,
			    scratch->data, scratch->context);
	if (found >= 0)
		return 1;
	return found == PCRE2_ERROR_NOMATCH ? 0 : -E2BIG;
}
