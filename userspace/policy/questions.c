/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The value of `questions`: limits on what a session asks the DNS, whatever the rules say of the
 * name. A question leaves the machine, so a name can carry data out, and a record data in. The rate
 * is the engine's to count (engine/budget.c).
 */
#include <inttypes.h>

#include "policy/dialect.h"
#include "policy/document.h"
#include "policy/pytext.h"
#include "policy/questions.h"

#define LABEL_MAX 63
#define RATE_MAX  1000000
/* Of a label: 63 bytes have no more than 6 bits each to tell. */
#define ENTROPY_MIN 1
#define ENTROPY_MAX 6

static int parse_records(const struct loader *l, const struct node *n, void *target)
{
	struct policy_questions *q = target;
	const struct node *item = NULL;
	uint16_t *records;
	int r = schema_list(l, n, "records", &q->n_records, &item);

	if (r < 0)
		return r;
	q->records = records = arena_alloc(l->mem, q->n_records * sizeof(*records));
	if (!records)
		return -ENOMEM;
	for (size_t i = 0; r == 0 && i < q->n_records; i++, item = item->next) {
		struct bytes s = {};

		r = schema_string(l, item, "records", &s);
		if (r == 0 && !policy_record_parse(s, &records[i]))
			r = loader_fail(l, item,
					"there is no type of record '%.40s'; write A, AAAA, TXT, "
					"and so on, or TYPE65280",
					s.p);
	}
	return r;
}

static int parse_max_name(const struct loader *l, const struct node *n, void *target)
{
	return schema_count(l, n, "max_name", DOMAIN_MAX_BYTES,
			    &((struct policy_questions *)target)->max_name);
}

static int parse_max_label(const struct loader *l, const struct node *n, void *target)
{
	return schema_count(l, n, "max_label", LABEL_MAX,
			    &((struct policy_questions *)target)->max_label);
}

static int parse_max_entropy(const struct loader *l, const struct node *n, void *target)
{
	return schema_number(l, n, "max_entropy", ENTROPY_MIN, ENTROPY_MAX,
			     &((struct policy_questions *)target)->max_entropy);
}

static int parse_per_minute(const struct loader *l, const struct node *n, void *target)
{
	return schema_count(l, n, "per_minute", RATE_MAX,
			    &((struct policy_questions *)target)->per_minute);
}

static int parse_except(const struct loader *l, const struct node *n, void *target)
{
	struct policy_questions *q = target;
	struct matcher m = {};
	int r = match_parse_domains(l, n, &m);

	q->except = m.domains;
	q->n_except = m.n_domains;
	return r;
}

static const struct field questions_fields[] = {
	{"records", false, parse_records},       {"max_name", false, parse_max_name},
	{"max_label", false, parse_max_label},   {"max_entropy", false, parse_max_entropy},
	{"per_minute", false, parse_per_minute}, {"except", false, parse_except},
};

int questions_parse(const struct loader *l, const struct node *n, void *policy)
{
	struct policy *p = policy;
	struct policy_questions *q = arena_alloc(&l->policy->mem, sizeof(*q));
	int r;

	if (!q)
		return -ENOMEM;
	*q = (struct policy_questions){};
	r = schema_map(l, n, "'questions'", questions_fields, ARRAY_SIZE(questions_fields), q);
	if (r < 0)
		return r;
	if (!q->n_records && !q->max_name && !q->max_label && q->max_entropy <= 0 && !q->per_minute)
		return loader_fail(l, n,
				   "'questions' limits nothing; give it 'records', "
				   "'max_name', 'max_label', 'max_entropy' or 'per_minute'");
	p->questions = q;
	return 0;
}

void questions_show(const struct policy_questions *q, struct strbuf *out)
{
	const struct {
		const char *key;
		uint64_t n;
	} counts[] = {{"max_name", q->max_name},
		      {"max_label", q->max_label},
		      {"per_minute", q->per_minute}};
	const char *separator = "";
	char word[POLICY_RECORD_SIZE];

	strbuf_add_str(out, "questions: {");
	for (size_t i = 0; i < q->n_records; i++)
		strbuf_add_fmt(out, "%s\"%s\"", i ? ", " : "records: [",
			       policy_record_format(q->records[i], word));
	if (q->n_records) {
		strbuf_add_char(out, ']');
		separator = ", ";
	}
	for (size_t i = 0; i < ARRAY_SIZE(counts); i++)
		if (counts[i].n) {
			strbuf_add_fmt(out, "%s%s: %" PRIu64, separator, counts[i].key,
				       counts[i].n);
			separator = ", ";
		}
	if (q->max_entropy > 0) {
		strbuf_add_fmt(out, "%smax_entropy: ", separator);
		py_add_float(out, q->max_entropy);
	}
	for (size_t i = 0; i < q->n_except; i++) {
		const struct domain_pattern *e = &q->except[i];

		strbuf_add_fmt(out, "%s\"%s%.*s\"", i ? ", " : ", except: [",
			       !e->is_below  ? ""
			       : e->name.len ? "*."
					     : "*",
			       (int)e->name.len, e->name.p);
	}
	strbuf_add_str(out, q->n_except ? "]}\n" : "}\n");
}

/* Of a number from 1 on. Without libm, which nothing else here needs. */
static double log2_of(size_t n)
{
	double x = (double)n, result = 0;

	for (; x >= 2; x /= 2)
		result++;
	for (double bit = 0.5; bit > 1e-6; bit /= 2) {
		x *= x;
		if (x >= 2) {
			x /= 2;
			result += bit;
		}
	}
	return result;
}

double questions_entropy(struct bytes label)
{
	unsigned counts[256] = {};
	double sum = 0;

	if (label.len == 0)
		return 0;
	for (size_t i = 0; i < label.len; i++)
		counts[(unsigned char)domain_lower(label.p[i])]++;
	for (size_t i = 0; i < ARRAY_SIZE(counts); i++)
		if (counts[i])
			sum += counts[i] * log2_of(counts[i]);
	return log2_of(label.len) - sum / (double)label.len;
}

static bool is_record_allowed(const struct policy_questions *q, uint16_t record)
{
	for (size_t i = 0; i < q->n_records; i++)
		if (q->records[i] == record)
			return true;
	/* Of an action in JSON it need not be known. */
	return q->n_records == 0 || record == 0;
}

static bool is_excepted(const struct policy_questions *q, struct bytes name)
{
	for (size_t i = 0; i < q->n_except; i++)
		if (domain_match(&q->except[i], name))
			return true;
	return false;
}

static const char *check_labels(const struct policy_questions *q, struct bytes name)
{
	for (size_t at = 0; at < name.len;) {
		const char *dot = memchr(name.p + at, '.', name.len - at);
		struct bytes label = {.p = name.p + at,
				      .len = dot ? (size_t)(dot - name.p) - at : name.len - at};

		if (q->max_label && label.len > q->max_label)
			return "A part of this name is longer than 'questions' lets out "
			       "('max_label'): names can carry data.";
		if (q->max_entropy > 0 && questions_entropy(label) > q->max_entropy)
			return "A part of this name looks random ('max_entropy' of 'questions'): "
			       "names can carry data.";
		at += label.len + 1;
	}
	return NULL;
}

const char *questions_refuse(const struct policy *p, const struct policy_query *query)
{
	const struct policy_questions *q = p->questions;
	struct bytes name;

	if (!q || query->op != OP_RESOLVE || query->n_domains == 0)
		return NULL;
	name = domain_trim(query->domains[0]);
	if (is_excepted(q, name))
		return NULL;
	if (!is_record_allowed(q, query->record))
		return "Records of this type are not asked for ('records' of 'questions').";
	if (q->max_name && name.len > q->max_name)
		return "This name is longer than 'questions' lets out ('max_name'): names can "
		       "carry data.";
	return check_labels(q, name);
}

const struct policy_questions *policy_get_questions(const struct policy *p)
{
	return p->questions;
}

bool policy_names_domains(const struct policy *p)
{
	const uint32_t calls = OP_BIT(OP_CONNECT) | OP_BIT(OP_SEND);

	if (p->dialect)
		return p->dialect->names_domains && p->dialect->names_domains(p->doc);
	if (p->questions)
		return true;
	for (size_t i = 0; i < p->n_rules; i++) {
		const struct rule *rule = &p->rules[i];

		if (rule->match.n_domains ||
		    (rule->match.ops & OP_BIT(OP_RESOLVE) && !(rule->match.ops & calls)))
			return true;
		for (size_t j = 0; j < rule->n_unless; j++)
			if (rule->unless[j].n_domains)
				return true;
	}
	return false;
}
