/* SPDX-License-Identifier: Apache-2.0 */
#include "policy/questions.h"

#include "tests/unit/policy_harness.h"

#define HEAD  "version: 1\nname: t\ndefault: allow\n"
#define LIMIT HEAD "questions: {records: [A, AAAA, SRV, HTTPS, TYPE65280], max_name: 60, "

static struct policy_result ask(struct harness *h, const char *name, const char *record)
{
	const struct policy_name as = {.name = BYTES_LIT("http_request")};
	const struct bytes domain = bytes_of(name);
	struct policy_query q = {.kind = KIND_NETWORK,
				 .op = OP_RESOLVE,
				 .names = &as,
				 .n_names = 1,
				 .args = domain,
				 .domains = &domain,
				 .n_domains = 1};
	struct policy_result r;

	assert_true(policy_record_parse(bytes_of(record), &q.record));
	policy_stack_eval(h->stack, h->scratch, &q, &r);
	return r;
}

static bool is_refused(struct harness *h, const char *name, const char *record, const char *why)
{
	struct policy_result r = ask(h, name, record);

	if (r.verdict != VERDICT_DENY)
		return false;
	assert_string_equal(r.source.rule, "questions");
	assert_string_equal(r.source.policy, "t");
	if (!strstr(r.source.reason, why))
		fail_msg("'%s' is refused because: %s", name, r.source.reason);
	return true;
}

static void test_records_that_are_not_listed_are_refused(void **state)
{
	struct harness h = harness_one(LIMIT "max_label: 63}\n");

	(void)state;
	assert_int_equal(ask(&h, "example.org", "A").verdict, VERDICT_ALLOW);
	assert_int_equal(ask(&h, "_http._tcp.deb.debian.org", "SRV").verdict, VERDICT_ALLOW);
	assert_int_equal(ask(&h, "example.org", "TYPE65").verdict, VERDICT_ALLOW);
	assert_int_equal(ask(&h, "example.org", "TYPE65280").verdict, VERDICT_ALLOW);
	assert_true(is_refused(&h, "example.org", "TXT", "'records'"));
	assert_true(is_refused(&h, "example.org", "NULL", "'records'"));
	assert_true(is_refused(&h, "example.org", "ANY", "'records'"));
	assert_true(is_refused(&h, "example.org", "TYPE65281", "'records'"));
	harness_fini(&h);
}

static void test_lengths_at_the_limit_and_past_it(void **state)
{
	struct harness h = harness_one(HEAD "questions: {max_name: 20, max_label: 8}\n");

	(void)state;
	assert_int_equal(ask(&h, "aaaaaaaa.aaaaaa.aaaa", "TXT").verdict, VERDICT_ALLOW);
	assert_int_equal(ask(&h, "aaaaaaaa.aaaaaa.aaaa.", "TXT").verdict, VERDICT_ALLOW);
	assert_true(is_refused(&h, "aaaaaaaa.aaaaaa.aaaaa", "A", "'max_name'"));
	assert_true(is_refused(&h, "x.aaaaaaaaa.org", "A", "'max_label'"));
	assert_true(is_refused(&h, "x.org.aaaaaaaaa", "A", "'max_label'"));
	assert_int_equal(ask(&h, ".", "NS").verdict, VERDICT_ALLOW);
	harness_fini(&h);
}

static void test_random_labels_are_told_from_words(void **state)
{
	static const char *const random[] = {
		"k3vq7z2xm5rj4wn6btyh3dpcsfgl2euoai7qx5vzmk4wrj6ntby3.t.example.org",
		"x.qk7v2mz9xw4b8rj3nh6tp5ycd0flgs1aeu.example.org",
		"QK7V2MZ9XW4B8RJ3NH6TP5YCD0FLGS1AEU.example.org",
	};
	static const char *const plain[] = {
		"registry.npmjs.org",
		"d2lh5xsn7w6fwh.cloudfront.net",
		"docker-images-prod.6aa30f8b08e16409b46e0173d6de2f56.r2.cloudflarestorage.com",
		"my-very-long-application-name-in-production-europe.vercel.app",
		"internal-a1b2c3d4e5f6a7b8c9d0e1f2a3b4c5d6-1234567890.us-east-1.elb.amazonaws.com",
		"1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa",
	};
	struct harness h = harness_one(HEAD "questions: {max_entropy: 4.5}\n");

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(random); i++)
		if (!is_refused(&h, random[i], "A", "'max_entropy'"))
			fail_msg("'%s' is let out", random[i]);
	for (size_t i = 0; i < ARRAY_SIZE(plain); i++)
		if (ask(&h, plain[i], "A").verdict != VERDICT_ALLOW)
			fail_msg("'%s' is refused", plain[i]);
	harness_fini(&h);
	assert_true(questions_entropy(BYTES_LIT("")) == 0);
	assert_true(questions_entropy(BYTES_LIT("aAaA")) < 1e-5);
	assert_true(questions_entropy(BYTES_LIT("abcdefgh")) > 2.9999);
	assert_true(questions_entropy(BYTES_LIT("abcdefgh")) < 3.0001);
}

static void test_names_that_are_excepted(void **state)
{
	struct harness h = harness_one(
		HEAD "questions: {records: A, max_label: 8, except: ['*.corp.example', x.org]}\n");

	(void)state;
	assert_int_equal(ask(&h, "aaaaaaaaaaaa.corp.example", "TXT").verdict, VERDICT_ALLOW);
	assert_int_equal(ask(&h, "X.org", "TXT").verdict, VERDICT_ALLOW);
	assert_true(is_refused(&h, "y.x.org", "TXT", "'records'"));
	assert_true(is_refused(&h, "aaaaaaaaaaaa.xcorp.example", "A", "'max_label'"));
	harness_fini(&h);
}

static void test_limits_come_before_rules_and_only_of_questions(void **state)
{
	struct harness h = harness_one(
		HEAD "questions: {max_label: 8}\n"
		     "rules: [{name: r, match: {domain: '*'}, action: allow, priority: -1}]\n");
	const struct bytes domain = BYTES_LIT("aaaaaaaaaaaa.org");
	const struct policy_address a = harness_address("192.0.2.1", 443, POLICY_PROTO_TCP);
	const struct policy_query q = {.kind = KIND_NETWORK,
				       .op = OP_CONNECT,
				       .address = &a,
				       .domains = &domain,
				       .n_domains = 1};
	struct policy_result r;

	(void)state;
	assert_true(is_refused(&h, "aaaaaaaaaaaa.org", "A", "'max_label'"));
	policy_stack_eval(h.stack, h.scratch, &q, &r);
	assert_int_equal(r.verdict, VERDICT_ALLOW);
	harness_fini(&h);
}

static void test_an_audit_policy_only_advises(void **state)
{
	static const char *const texts[] = {HEAD "mode: audit\nquestions: {records: A}\n", HEAD};
	struct harness h = harness_stack(texts, 2, false);
	struct policy_result r = ask(&h, "x.org", "TXT");

	(void)state;
	assert_int_equal(r.verdict, VERDICT_ALLOW);
	assert_int_equal(r.advised, VERDICT_DENY);
	harness_fini(&h);
}

static void test_a_derived_policy_takes_them_or_says_its_own(void **state)
{
	struct policy *p = harness_parse(LIMIT "max_label: 40, max_entropy: 4.5, per_minute: 600, "
					       "except: ['*', '*.a.b', c.d]}\n");
	struct strbuf out = STRBUF_INIT(4096);

	(void)state;
	assert_int_equal(policy_get_questions(p)->per_minute, 600);
	assert_true(policy_names_domains(p));
	policy_show(p, &out);
	assert_non_null(strstr(
		out.p, "questions: {records: [\"A\", \"AAAA\", \"SRV\", \"HTTPS\", \"TYPE65280\"], "
		       "max_name: 60, max_label: 40, per_minute: 600, max_entropy: 4.5, "
		       "except: [\"*\", \"*.a.b\", \"c.d\"]}\n"));
	policy_free(p);
	/* What is shown loads again, and is the same. */
	p = harness_parse(out.p);
	assert_int_equal(policy_get_questions(p)->n_except, 3);
	policy_free(p);
	strbuf_fini(&out);
}

static void test_what_is_refused_in_a_document(void **state)
{
	static const struct {
		const char *text, *why;
	} cases[] = {
		{"{}", "limits nothing"},
		{"{except: x.org}", "limits nothing"},
		{"{records: [AAA]}", "no type of record 'AAA'"},
		{"{records: [TYPE]}", "no type of record"},
		{"{records: [TYPE0]}", "no type of record"},
		{"{records: [TYPE65536]}", "no type of record"},
		{"{records: []}", "records"},
		{"{max_name: 254}", "253"},
		{"{max_label: 64}", "63"},
		{"{max_entropy: 0.5}", "from 1 to 6"},
		{"{max_entropy: 6.5}", "from 1 to 6"},
		{"{max_entropy: '4'}", "from 1 to 6"},
		{"{per_minute: 0}", "per_minute"},
		{"{max_label: 10, except: 'a b'}", "a b"},
		{"{max_labels: 10}", "max_label"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char text[256], message[1024];
		struct diag d;

		(void)snprintf(text, sizeof(text), HEAD "questions: %s\n", cases[i].text);
		harness_parse_error(text, strlen(text), &d);
		diag_format(&d, message, sizeof(message));
		if (!strstr(message, cases[i].why))
			fail_msg("%s: %s", cases[i].text, message);
	}
}

static void test_words_for_records(void **state)
{
	char word[POLICY_RECORD_SIZE];
	uint16_t type;

	(void)state;
	assert_string_equal(policy_record_format(28, word), "AAAA");
	assert_string_equal(policy_record_format(65399, word), "TYPE65399");
	for (unsigned i = 1; i <= UINT16_MAX; i++) {
		assert_true(policy_record_parse(bytes_of(policy_record_format((uint16_t)i, word)),
						&type));
		assert_int_equal(type, i);
	}
	assert_false(policy_record_parse(BYTES_LIT("aaaa"), &type));
	assert_false(policy_record_parse(BYTES_NULL, &type));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_records_that_are_not_listed_are_refused),
		cmocka_unit_test(test_lengths_at_the_limit_and_past_it),
		cmocka_unit_test(test_random_labels_are_told_from_words),
		cmocka_unit_test(test_names_that_are_excepted),
		cmocka_unit_test(test_limits_come_before_rules_and_only_of_questions),
		cmocka_unit_test(test_an_audit_policy_only_advises),
		cmocka_unit_test(test_a_derived_policy_takes_them_or_says_its_own),
		cmocka_unit_test(test_what_is_refused_in_a_document),
		cmocka_unit_test(test_words_for_records),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
