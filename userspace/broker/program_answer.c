/* SPDX-License-Identifier: Apache-2.0 */
#include <jansson.h>

#include "base/escape.h"

#include "broker/program.h"

static const char *read_answer(struct control_request *q, struct bytes word)
{
	if (bytes_eq_str(word, "allow"))
		q->op = CONTROL_APPROVE;
	else if (bytes_eq_str(word, "deny"))
		q->op = CONTROL_DENY;
	else
		return "an 'answer' that is neither \"allow\" nor \"deny\"";
	return NULL;
}

/* A program is not held to our limit, but the record is. */
static const char *read_reason(struct control_request *q, struct bytes word)
{
	size_t len = MIN(word.len, sizeof(q->reason));

	while (len < word.len && len > 0 && ((unsigned char)word.p[len] & 0xc0) == 0x80)
		len--; /* not in the middle of a character */
	memcpy(q->reason, word.p, len);
	q->reason_len = len;
	return NULL;
}

static const char *read_for(struct control_request *q, struct bytes word)
{
	return answer_term_parse(word, &q->term) == 0
		       ? NULL
		       : "a 'for' that is not once, session, restart, always or 30s to 12h";
}

static const char *read_scope(struct control_request *q, struct bytes word)
{
	return answer_scope_parse(word, &q->scope) == 0
		       ? NULL
		       : "a 'scope' that is not exact, tool, dir, address, domain or agent";
}

static const struct {
	const char *name;
	const char *(*read)(struct control_request *q, struct bytes word);
} keys[] = {
	{"answer", read_answer},
	{"reason", read_reason},
	{"for", read_for},
	{"scope", read_scope},
};

/* Strict: what it meant by a key that we do not know could have been a condition. */
static const char *read_object(const json_t *root, struct control_request *q)
{
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		const json_t *v = json_object_get(root, keys[i].name);
		const char *problem;

		if (!v)
			continue;
		n++;
		if (json_is_null(v) && i > 0)
			continue;
		if (!json_is_string(v))
			return "a value that is no string";
		problem = keys[i].read(q,
				       (struct bytes){json_string_value(v), json_string_length(v)});
		if (problem)
			return problem;
	}
	if (q->term.life == ANSWER_ONCE && q->scope != ANSWER_EXACT)
		return "a wider 'scope' without a 'for'";
	return n == json_object_size(root) ? NULL : "a key that is not known";
}

const char *program_read_answer(struct bytes text, struct control_request *q)
{
	json_t *root = json_loadb(text.p, text.len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, NULL);
	const char *problem = "no 'answer'";

	if (text.len == 0)
		problem = "nothing";
	else if (!json_is_object(root))
		problem = "no JSON object";
	else if (json_object_get(root, "answer"))
		problem = read_object(root, q);
	json_decref(root);
	return problem;
}
