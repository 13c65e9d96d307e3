/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>

#include "base/io.h"
#include "policy/answer.h"

static const char *const scope_names[_ANSWER_SCOPE_MAX] = {
	[ANSWER_EXACT] = "exact",     [ANSWER_TOOL] = "tool",     [ANSWER_DIR] = "dir",
	[ANSWER_ADDRESS] = "address", [ANSWER_DOMAIN] = "domain", [ANSWER_AGENT] = "agent",
};

/* A duration is written as its number. */
static const char *const life_names[_ANSWER_LIFE_MAX] = {
	[ANSWER_ONCE] = "once",
	[ANSWER_SESSION] = "session",
	[ANSWER_RESTART] = "restart",
	[ANSWER_ALWAYS] = "always",
};

const char *answer_scope_name(enum answer_scope scope)
{
	return (unsigned)scope < _ANSWER_SCOPE_MAX ? scope_names[scope] : "unknown";
}

int answer_scope_parse(struct bytes word, enum answer_scope *ret)
{
	for (unsigned i = 0; i < _ANSWER_SCOPE_MAX; i++) {
		if (bytes_eq_str(word, scope_names[i])) {
			*ret = (enum answer_scope)i;
			return 0;
		}
	}
	return -ENOENT;
}

void answer_term_write(const struct answer_term *t, char out[static ANSWER_TERM_SIZE])
{
	if (t->life == ANSWER_DURATION)
		(void)snprintf(out, ANSWER_TERM_SIZE, "%" PRIu64 "s",
			       MIN(t->duration_ns, ANSWER_DURATION_MAX_NS) / NS_PER_SEC);
	else
		(void)snprintf(out, ANSWER_TERM_SIZE, "%s",
			       (unsigned)t->life < _ANSWER_LIFE_MAX ? life_names[t->life] : "once");
}

static int parse_duration(struct bytes word, struct answer_term *ret)
{
	static const struct {
		char letter;
		uint64_t seconds;
	} units[] = {{'s', 1}, {'m', 60}, {'h', 3600}};
	uint64_t n;

	if (word.len < 2 ||
	    parse_u64((struct bytes){word.p, word.len - 1}, 12 * UINT64_C(3600), &n) < 0)
		return -ENOENT;
	for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
		uint64_t ns = n * units[i].seconds * NS_PER_SEC;

		if (units[i].letter != word.p[word.len - 1])
			continue;
		if (ns < ANSWER_DURATION_MIN_NS || ns > ANSWER_DURATION_MAX_NS)
			return -ENOENT;
		*ret = (struct answer_term){.life = ANSWER_DURATION, .duration_ns = ns};
		return 0;
	}
	return -ENOENT;
}

int answer_term_parse(struct bytes word, struct answer_term *ret)
{
	for (unsigned i = 0; i < _ANSWER_LIFE_MAX; i++) {
		if (life_names[i] && bytes_eq_str(word, life_names[i])) {
			*ret = (struct answer_term){.life = (enum answer_life)i};
			return 0;
		}
	}
	return parse_duration(word, ret);
}

bool answer_scope_is_within(enum answer_scope scope, enum answer_scope max)
{
	return scope == ANSWER_EXACT || scope == max || max == ANSWER_AGENT;
}

bool answer_term_is_within(const struct answer_term *t, const struct answer_term *max)
{
	if (t->life == ANSWER_ONCE || max->life == ANSWER_ALWAYS)
		return true;
	switch (max->life) {
	case ANSWER_SESSION:
		return t->life == ANSWER_SESSION;
	case ANSWER_DURATION:
		return t->life == ANSWER_DURATION && t->duration_ns <= max->duration_ns;
	case ANSWER_RESTART:
		return t->life != ANSWER_ALWAYS;
	case ANSWER_ONCE:
	case ANSWER_ALWAYS:
	case _ANSWER_LIFE_MAX:
		break;
	}
	return false;
}
