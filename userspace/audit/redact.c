/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Nearly no string holds a secret, so the question is how to find that out for next to nothing. Of
 * every built-in pattern we know runs of three bytes, one of which each match has. A table says for
 * each byte in which of these runs it may stand first, second or third; one pass over a string says
 * which patterns are worth a search. (A set of trigrams as in
 * policy/literal.h costs more for one short string than it saves, and a vector of compares for
 * every run more than the loads.)
 */
#include <stdatomic.h>

#include "base/arena.h"
#include "policy/literal.h"
#include "policy/regex.h"

#include "audit/redact_private.h"

#define GRAM          3
#define ANCHORS_MAX   64
#define ANCHOR_POLICY (UINT64_C(1) << (ANCHORS_MAX - 1)) /* shared by the policies' patterns */
#define SCRATCH_BYTES ((size_t)8 << 20)
/* Replacing may uncover a match that was not one before; so often it is tried again. */
#define PASSES_MAX 4
#define MARK_MAX   160 /* bytes of one: its name has at most 128 */

/* Parts of a record, as patterns name them; and the texts that every pattern is for. */
#define PART_TEXT (UINT32_C(1) << _POLICY_LOG_PART_MAX)

struct rule {
	const char *name;          /* borrowed from the table or the policy */
	const struct regex *regex; /* a policy's */
	/*
	 * One of ours, made when a string first has an anchor of it: to compile all of them is half
	 * a millisecond of a session's start, and most sessions need few. Several threads may come
	 * to it at once.
	 */
	const char *pattern;
	_Atomic(struct regex *) *owned;
	uint64_t anchors; /* one of them is in every match; 0: not known */
	uint32_t in;      /* parts */
};

struct redact {
	struct rule *rules;
	size_t n_rules;
	_Atomic(struct regex *) *builtins; /* redact_n_builtins of them */
	/* For one byte, the anchors that may have it as their first, second, third. */
	uint64_t rows[256][GRAM + 1] __attribute__((aligned(64)));
	uint64_t letters;              /* redact_argv_letters() */
	uint64_t names;                /* anchors of names of secrets */
	uint32_t parts_without_anchor; /* that some pattern must be searched in always */
};

struct span {
	size_t start, end;
	size_t rule;
};

struct redact_scratch {
	struct regex_scratch *regex;
	struct arena mem; /* of one record */
	struct regex_span found[REDACT_SPANS_MAX];
	struct span spans[2 * REDACT_SPANS_MAX];
	size_t n_spans;
};

/* ---- anchors */

struct anchors {
	const char *texts[ANCHORS_MAX]; /* as in the table, which holds them */
	size_t lens[ANCHORS_MAX];
	size_t n;
};

static void set_byte(struct redact *r, size_t at, char c, uint64_t bit)
{
	r->rows[(unsigned char)c][at] |= bit;
	if (c >= 'a' && c <= 'z')
		r->rows[(unsigned char)(c ^ 0x20)][at] |= bit;
}

static void set_anchor(struct redact *r, const char *p, size_t len, uint64_t bit)
{
	size_t at = 0;

	for (size_t i = 0; i < len && at < GRAM; i++, at++) {
		if (p[i] != '[') {
			set_byte(r, at, p[i], bit);
			continue;
		}
		for (i++; i < len && p[i] != ']'; i++)
			set_byte(r, at, p[i], bit);
	}
}

/* The bits of a blank-separated list, each run with one of its own. */
static uint64_t anchor_bits(struct redact *r, struct anchors *a, const char *list)
{
	uint64_t bits = 0;

	while (*list) {
		size_t len = strcspn(list, " "), i = 0;

		while (i < a->n && (a->lens[i] != len || memcmp(a->texts[i], list, len) != 0))
			i++;
		/* The last one is the policies'; past it they share, which only costs searches. */
		if (i == a->n && a->n < ANCHORS_MAX - 1) {
			a->texts[i] = list;
			a->lens[i] = len;
			a->n++;
		}
		i = MIN(i, (size_t)ANCHORS_MAX - 1);
		set_anchor(r, list, len, UINT64_C(1) << i);
		bits |= UINT64_C(1) << i;
		list += len + strspn(list + len, " ");
	}
	return bits;
}

/* A policy's pattern has what literal_of() knows of it; 0: nothing. */
static uint64_t policy_anchor(struct redact *r, struct bytes pattern)
{
	char text[LITERAL_MAX_BYTES];

	if (literal_of(pattern, text) < GRAM)
		return 0;
	for (size_t i = 0; i < GRAM; i++)
		r->rows[(unsigned char)text[i]][i] |= ANCHOR_POLICY;
	return ANCHOR_POLICY;
}

/* One row for a byte, so that each is read once and all of a row lies in one line of the cache. */
static uint64_t scan(const struct redact *r, struct bytes s)
{
	uint64_t seen = 0, one = 0, two = 0;

	for (size_t i = 0; i < s.len; i++) {
		const uint64_t *row = r->rows[(unsigned char)s.p[i]];

		seen |= two & row[2];
		two = one & row[1];
		one = row[0];
	}
	return seen;
}

/* ---- setting up */

static int add_builtins(struct redact *r)
{
	struct anchors anchors = {};

	r->builtins = calloc(redact_n_builtins, sizeof(*r->builtins));
	if (!r->builtins)
		return -ENOMEM;
	for (size_t i = 0; i < redact_n_builtins; i++) {
		const struct redact_builtin *b = &redact_builtins[i];
		struct rule *rule = &r->rules[r->n_rules];

		rule->name = b->name;
		rule->pattern = b->pattern;
		rule->owned = &r->builtins[i];
		rule->anchors = anchor_bits(r, &anchors, b->anchors);
		rule->in = POLICY_LOG_PARTS_ALL | PART_TEXT;
		r->n_rules++;
	}
	r->letters = redact_argv_letters();
	r->names = anchor_bits(r, &anchors, REDACT_NAME_ANCHORS);
	return 0;
}

static void add_policy(struct redact *r, const struct policy_log *log)
{
	for (size_t i = 0; i < log->n_redactions; i++) {
		const struct policy_redaction *p = &log->redactions[i];
		struct rule *rule = &r->rules[r->n_rules++];

		rule->name = p->name;
		rule->regex = p->regex;
		rule->anchors = policy_anchor(r, regex_text(p->regex));
		rule->in = p->in | PART_TEXT;
		if (!rule->anchors)
			r->parts_without_anchor |= rule->in;
		regex_prepare(p->regex);
	}
}

int redact_new(const struct policy_stack *stack, struct redact **ret)
{
	_cleanup_(redact_freep) struct redact *r = aligned_alloc(64, sizeof(*r));
	size_t n = redact_n_builtins, n_policies = stack ? policy_stack_size(stack) : 0;
	struct policy_log all = {};
	int rc = 0;

	if (!r)
		return -ENOMEM;
	*r = (struct redact){};
	for (size_t i = 0; i < n_policies; i++) {
		const struct policy_log *log = policy_get_log(policy_stack_get(stack, i));

		n += log ? log->n_redactions : 0;
	}
	r->rules = calloc(n, sizeof(*r->rules));
	if (!r->rules)
		return -ENOMEM;
	if (stack)
		policy_stack_log(stack, &all);
	if (!all.no_builtin)
		rc = add_builtins(r);
	if (rc < 0)
		return rc;
	for (size_t i = 0; i < n_policies; i++) {
		const struct policy_log *log = policy_get_log(policy_stack_get(stack, i));

		if (log)
			add_policy(r, log);
	}
	*ret = TAKE_PTR(r);
	return 0;
}

struct redact *redact_free(struct redact *r)
{
	if (!r)
		return NULL;
	for (size_t i = 0; r->builtins && i < redact_n_builtins; i++)
		regex_free(atomic_load(&r->builtins[i]));
	free(r->builtins);
	free(r->rules);
	free(r);
	return NULL;
}

struct redact_scratch *redact_scratch_new(void)
{
	struct redact_scratch *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->mem = ARENA_INIT(SCRATCH_BYTES);
	s->regex = regex_scratch_new();
	return s->regex ? s : redact_scratch_free(s);
}

struct redact_scratch *redact_scratch_free(struct redact_scratch *s)
{
	if (s) {
		regex_scratch_free(s->regex);
		arena_fini(&s->mem);
		free(s);
	}
	return NULL;
}

/* ---- one string */

static const char *span_name(const struct redact *r, const struct span *span)
{
	return span->rule < r->n_rules ? r->rules[span->rule].name : REDACT_OPTION;
}

static bool is_name(const struct redact *r, struct bytes s)
{
	for (size_t i = 0; i < r->n_rules; i++)
		if (bytes_eq_str(s, r->rules[i].name))
			return true;
	return bytes_eq_str(s, REDACT_OPTION) || bytes_eq_str(s, REDACT_LIMIT);
}

static const struct bytes mark = BYTES_LIT("[redacted:");

/* Our own mark at @at, so that it is not taken for a secret in turn. Return: its length, 0: none.
 */
static size_t mark_at(const struct redact *r, struct bytes text, size_t at)
{
	struct bytes rest = {.p = text.p + at, .len = text.len - at};
	const char *end;
	struct bytes name;

	if (!bytes_has_prefix(rest, mark))
		return 0;
	end = memchr(rest.p, ']', rest.len);
	if (!end)
		return 0;
	name = (struct bytes){.p = rest.p + mark.len, .len = (size_t)(end - rest.p) - mark.len};
	return is_name(r, name) ? (size_t)(end + 1 - rest.p) : 0;
}

static bool add_span(struct redact_scratch *s, size_t start, size_t end, size_t rule)
{
	if (start >= end)
		return true;
	if (s->n_spans == ARRAY_SIZE(s->spans))
		return false;
	s->spans[s->n_spans++] = (struct span){.start = start, .end = end, .rule = rule};
	return true;
}

/* Adds what of a match is outside of our own marks. Return: false: there are too many. */
static bool add_match(const struct redact *r, struct redact_scratch *s, struct bytes text,
		      struct regex_span m, size_t rule)
{
	size_t from = m.start;
	const char *p;

	/* A mark that the match begins within. */
	for (size_t i = m.start; i > 0 && m.start - i < MARK_MAX && text.p[i - 1] != ']'; i--) {
		size_t n = mark_at(r, text, i - 1);

		if (n > 0) {
			from = MAX(from, i - 1 + n);
			break;
		}
	}
	while (from < m.end &&
	       (p = memmem(text.p + from, MIN(text.len, m.end + mark.len - 1) - from, mark.p,
			   mark.len))) {
		size_t at = (size_t)(p - text.p), n = mark_at(r, text, at);

		if (n == 0) {
			n = 1;
		} else if (!add_span(s, from, at, rule)) {
			return false;
		} else {
			from = at + n;
			continue;
		}
		/* Something that only looks like one: it belongs to the match. */
		if (!add_span(s, from, at + n, rule))
			return false;
		from = at + n;
	}
	return add_span(s, from, m.end, rule);
}

/* NULL: out of memory. */
static const struct regex *regex_of(const struct rule *rule)
{
	struct regex *mine = NULL, *theirs = NULL;
	char why[REGEX_WHY_SIZE];
	size_t offset;

	if (rule->regex)
		return rule->regex;
	mine = atomic_load(rule->owned);
	if (mine)
		return mine;
	if (regex_new(bytes_of(rule->pattern), &mine, why, &offset) < 0)
		return NULL;
	if (atomic_compare_exchange_strong(rule->owned, &theirs, mine))
		return mine;
	regex_free(mine);
	return theirs;
}

/* Return: 0; -E2BIG, nothing is known. */
static int find(const struct redact *r, struct redact_scratch *s, struct bytes text, uint32_t part,
		uint64_t seen)
{
	for (size_t i = 0; i < r->n_rules; i++) {
		const struct rule *rule = &r->rules[i];
		const struct regex *regex;
		ssize_t n;

		if (!(rule->in & part) || (rule->anchors && !(rule->anchors & seen)))
			continue;
		regex = regex_of(rule);
		if (!regex)
			return -E2BIG;
		n = regex_find_all(regex, s->regex, text, s->found, ARRAY_SIZE(s->found));
		if (n < 0)
			return -E2BIG;
		for (ssize_t j = 0; j < n; j++)
			if (!add_match(r, s, text, s->found[j], i))
				return -E2BIG;
	}
	return 0;
}

static int compare_spans(const void *a, const void *b)
{
	const struct span *x = a, *y = b;

	if (x->start != y->start)
		return x->start < y->start ? -1 : 1;
	return (x->rule > y->rule) - (x->rule < y->rule);
}

/* Makes one of those that overlap, named by the first rule of the table. */
static void merge(struct redact_scratch *s)
{
	size_t n = 0;

	qsort(s->spans, s->n_spans, sizeof(*s->spans), compare_spans);
	for (size_t i = 0; i < s->n_spans; i++) {
		struct span *last = n ? &s->spans[n - 1] : NULL;
		const struct span *span = &s->spans[i];

		if (last && (span->start < last->end ||
			     (span->start == last->end && span->rule == last->rule))) {
			last->end = MAX(last->end, span->end);
			last->rule = MIN(last->rule, span->rule);
		} else {
			s->spans[n++] = *span;
		}
	}
	s->n_spans = n;
}

/* @text with the spans replaced. Return: .p NULL: out of memory. */
static struct bytes replace(const struct redact *r, struct redact_scratch *s, struct bytes text)
{
	size_t size = text.len, from = 0;
	char *out, *p;

	for (size_t i = 0; i < s->n_spans; i++)
		size += mark.len + strlen(span_name(r, &s->spans[i])) + 1;
	out = arena_alloc(&s->mem, size);
	if (!out)
		return BYTES_NULL;
	p = out;
	for (size_t i = 0; i < s->n_spans; i++) {
		const struct span *span = &s->spans[i];
		struct bytes name = bytes_of(span_name(r, span));

		p = mempcpy(p, text.p + from, span->start - from);
		p = mempcpy(p, mark.p, mark.len);
		p = mempcpy(p, name.p, name.len);
		*p++ = ']';
		from = span->end;
	}
	p = mempcpy(p, text.p + from, text.len - from);
	return (struct bytes){.p = out, .len = (size_t)(p - out)};
}

/* From byte @option of @text on a secret stands; SIZE_MAX: from none. */
static void redact_found(const struct redact *r, struct redact_scratch *s, struct bytes *text,
			 uint32_t part, uint64_t seen, size_t option, uint32_t *count)
{
	struct bytes now = *text;

	now.len = MIN(now.len, REDACT_TEXT_MAX);
	for (size_t pass = 0;; pass++) {
		s->n_spans = 0;
		if (option < now.len && !mark_at(r, now, option))
			(void)add_span(s, option, now.len, SIZE_MAX);
		if (find(r, s, now, part, seen) < 0)
			break;
		if (s->n_spans == 0) {
			if (pass)
				*text = now;
			return;
		}
		if (pass == PASSES_MAX)
			break;
		merge(s);
		now = replace(r, s, now);
		if (!now.p || now.len > REDACT_TEXT_MAX)
			break;
		*count += (uint32_t)s->n_spans;
		option = SIZE_MAX;
		seen = scan(r, now);
	}
	*text = BYTES_LIT("[redacted:" REDACT_LIMIT "]");
	*count += 1;
}

/* Return: the anchors that @text had. */
static uint64_t redact_string(const struct redact *r, struct redact_scratch *s, struct bytes *text,
			      uint32_t part, uint32_t *count)
{
	uint64_t seen;

	if (!text->len)
		return 0;
	seen = scan(r, (struct bytes){.p = text->p, .len = MIN(text->len, REDACT_TEXT_MAX)});
	if (seen || r->parts_without_anchor & part)
		redact_found(r, s, text, part, seen, SIZE_MAX, count);
	return seen;
}

/* ---- a record */

/* The argument vector is the caller's; what changes is in a copy. Return: that, NULL: out of
 * memory. */
static struct bytes *copy_argv(struct redact_scratch *s, const struct audit_record *record)
{
	struct bytes *copy = arena_alloc(&s->mem, record->argc * sizeof(*copy));

	if (copy)
		memcpy(copy, record->argv, record->argc * sizeof(*copy));
	return copy;
}

/* Out of memory: none of the arguments is recorded. */
static void hide_argv(struct audit_record *record)
{
	record->argc_total = MAX(record->argc_total, record->argc);
	record->argc = 0;
	record->argv_truncated = true;
	record->redacted++;
}

static void redact_argv(const struct redact *r, struct redact_scratch *s,
			struct audit_record *record)
{
	bool is_known =
		r->names && record->argc && redact_argv_is_known(record->argv[0], r->letters);
	const struct bytes *argv = record->argv;
	uint32_t part = UINT32_C(1) << POLICY_LOG_ARGV;
	struct bytes *copy = NULL;
	uint64_t before = 0;
	size_t used = 0;

	for (size_t i = 0; i < record->argc; i++) {
		struct bytes text = {.p = argv[i].p, .len = MIN(argv[i].len, REDACT_TEXT_MAX)};
		uint64_t seen = scan(r, text);
		size_t option = SIZE_MAX;

		if (is_known || (seen | before) & r->names)
			option = redact_argv_secret(argv, record->argc, i, is_known,
						    (seen | before) & r->names);
		before = seen;
		if (seen || option != SIZE_MAX || r->parts_without_anchor & part)
			redact_found(r, s, &text, part, seen, option, &record->redacted);
		if (text.p != argv[i].p) {
			if (!copy)
				copy = copy_argv(s, record);
			if (!copy) {
				hide_argv(record);
				return;
			}
			copy[i] = text;
			record->argv_truncated |= argv[i].len > REDACT_TEXT_MAX;
		}
		used += MIN(text.len, AUDIT_STRING_MAX);
		/* A record holds no more, and what stands behind was not looked at. */
		if (used >= AUDIT_RECORD_MAX && i + 1 < record->argc) {
			record->argc = i + 1;
			record->argv_truncated = true;
		}
	}
	if (copy)
		record->argv = copy;
}

/* Does @text stand at the end of @in? Then it has no anchor that is not in @in. */
static bool is_end_of(struct bytes text, struct bytes in)
{
	if (text.len == 0)
		return true;
	return text.len <= in.len && in.len <= REDACT_TEXT_MAX &&
	       memcmp(in.p + (in.len - text.len), text.p, text.len) == 0;
}

void redact_record(const struct redact *r, struct redact_scratch *s, struct audit_record *record)
{
	bool is_network = record->kind == KIND_NETWORK;
	uint32_t object = UINT32_C(1) << (is_network ? POLICY_LOG_ADDRESS : POLICY_LOG_OBJECT);
	uint32_t asked = is_network ? object : UINT32_C(1) << POLICY_LOG_ASKED;
	const struct bytes was = record->object;
	uint32_t before = record->redacted;
	uint64_t seen;
	const struct {
		struct bytes *text;
		uint32_t part;
	} strings[] = {
		{&record->object2, object},
		{&record->exe, UINT32_C(1) << POLICY_LOG_OBJECT},
		{&record->listener, UINT32_C(1) << POLICY_LOG_OBJECT},
		{&record->interpreter, UINT32_C(1) << POLICY_LOG_OBJECT},
		{&record->cwd, UINT32_C(1) << POLICY_LOG_CWD},
		{&record->reason, PART_TEXT},
		{&record->note, PART_TEXT},
	};

	record->is_redacted = true;
	arena_reset(&s->mem);
	seen = redact_string(r, s, &record->object, object, &record->redacted);
	if (seen || r->parts_without_anchor || !is_end_of(record->asked, was))
		(void)redact_string(r, s, &record->asked, asked, &record->redacted);
	for (size_t i = 0; i < ARRAY_SIZE(strings); i++)
		(void)redact_string(r, s, strings[i].text, strings[i].part, &record->redacted);
	if (record->argv && record->argc)
		redact_argv(r, s, record);
	/* They tell what the arguments were, and may hold words of their own: those of a "#!" line.
	 */
	if (record->steps.p && record->redacted == before) {
		struct bytes steps = record->steps;

		(void)redact_string(r, s, &steps, object | UINT32_C(1) << POLICY_LOG_ARGV,
				    &record->redacted);
	}
	if (record->redacted != before)
		record->steps = BYTES_LIT("null");
	if (record->redacted != before && record->domains.p)
		record->domains = BYTES_LIT("null");
}
