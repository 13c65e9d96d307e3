/* SPDX-License-Identifier: Apache-2.0 */
/* Actions as JSON: which query each form becomes, and what is refused. */
#include <stdio.h>

#include "policy/apiaction.h"
#include "policy/naming.h"

#include "tests/unit/unit.h"

struct fixture {
	struct arena mem;
	struct apiaction a;
	struct diag d;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	f->mem = ARENA_INIT((size_t)64 << 20);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	arena_fini(&f->mem);
	free(f);
	return 0;
}

static int parse(struct fixture *f, const char *json)
{
	struct value *v;

	arena_reset(&f->mem);
	f->d = (struct diag){};
	assert_int_equal(value_parse_json(bytes_of(json), &f->mem, &v, &f->d), 0);
	return apiaction_from_value(v, &f->mem, &f->a, &f->d);
}

static const struct policy_query *good(struct fixture *f, const char *json)
{
	if (parse(f, json) < 0)
		fail_msg("%s: %s", json, f->d.message);
	assert_true(f->a.n > 0);
	return &f->a.queries[0];
}

static void assert_bytes(struct bytes got, const char *expected)
{
	if (!got.p || !bytes_eq_str(got, expected))
		fail_msg("got '%.*s', expected '%s'", (int)got.len, got.p ? got.p : "", expected);
}

/* "bash shell exec git"; an untrusted name has a '!'. */
static void assert_names(const struct policy_query *q, const char *expected)
{
	char got[256] = "";
	size_t n = 0;

	for (size_t i = 0; i < q->n_names; i++)
		n += (size_t)snprintf(got + n, sizeof(got) - n, "%s%s%.*s", i ? " " : "",
				      q->names[i].is_untrusted ? "!" : "",
				      (int)q->names[i].name.len, q->names[i].name.p);
	assert_string_equal(got, expected);
}

static void refused(struct fixture *f, const char *json, const char *word)
{
	assert_int_equal(parse(f, json), -EINVAL);
	if (!strstr(f->d.message, word))
		fail_msg("%s: '%s' does not name '%s'", json, f->d.message, word);
}

static void test_a_tool_call_is_asked_about_by_its_name(void **state)
{
	struct fixture *f = *state;
	const struct policy_query *q =
		good(f, "{\"tool\":\"sql\",\"args\":{\"q\":\"DROP\",\"b\":[1,null],\"a\":true}}");

	assert_int_equal(q->kind, KIND_TOOL);
	assert_names(q, "sql");
	assert_bytes(q->args, "a=True b=[1, None] q=DROP");
	assert_ptr_equal(q->api, &f->a.api);
	assert_int_equal(q->api->type, POLICY_API_TOOL);
	assert_null(q->path.p);
	assert_int_equal(q->minute_of_week, POLICY_TIME_UNKNOWN);
}

static void test_file_tools_are_what_they_do_to_a_path(void **state)
{
	static const struct {
		const char *json;
		enum action_op op;
		const char *path, *names;
	} rows[] = {
		{"{\"tool\":\"file_read\",\"args\":{\"path\":\"/a\"}}", OP_READ, "/a",
		 "file_read read_file read"},
		{"{\"tool\":\"read\",\"args\":\"/b\"}", OP_READ, "/b", "file_read read_file read"},
		{"{\"tool\":\"edit\",\"args\":{\"filepath\":\"/c\",\"text\":\"x\"}}", OP_WRITE,
		 "/c", "file_write write_file edit"},
		{"{\"tool\":\"write_file\",\"args\":{\"file\":\"/f\",\"file_path\":\"/d\"}}",
		 OP_WRITE, "/d", "file_write write_file edit"},
		{"{\"tool\":\"delete_file\",\"args\":{\"filename\":7}}", OP_DELETE, "7",
		 "file_write write_file edit file_delete delete_file"},
		{"{\"action\":\"read:file\",\"resource\":\"/e\"}", OP_READ, "/e",
		 "file_read read_file read"},
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct policy_query *q = good(f, rows[i].json);

		assert_int_equal(q->kind, KIND_PATH);
		assert_int_equal(q->op, rows[i].op);
		assert_bytes(q->path, rows[i].path);
		assert_bytes(q->args, rows[i].path);
		assert_names(q, rows[i].names);
	}
	assert_null(good(f, "{\"tool\":\"file_read\",\"args\":{\"other\":1}}")->path.p);
	assert_bytes(f->a.queries[0].args, "other=1");
}

static void test_a_request_is_a_connection_to_its_host(void **state)
{
	static const struct {
		const char *url, *domain, *text;
		uint16_t port;
		bool has_ip;
	} rows[] = {
		{"https://Example.org/a?b#c", "Example.org", "Example.org:443", 443, false},
		{"http://u:p@example.org:8080/x", "example.org", "example.org:8080", 8080, false},
		{"http://example.org./", "example.org", "example.org:80", 80, false},
		{"example.org:22/x", "example.org", "example.org:22", 22, false},
		{"//example.org", "example.org", "example.org:0", 0, false},
		{"http://a@b@c/", "c", "c:80", 80, false},
		{"http://127.0.0.1:3000/", NULL, "127.0.0.1:3000", 3000, true},
		{"http://2130706433/", NULL, "127.0.0.1:80", 80, true},
		{"http://0x7f.1/", NULL, "127.0.0.1:80", 80, true},
		{"http://[::1]:81/", NULL, "[::1]:81", 81, true},
		{"http://[::ffff:10.0.0.1]/", NULL, "10.0.0.1:80", 80, true},
		{"http://0.0.0.0/", NULL, "127.0.0.1:80", 80, true},
		{"http://localhost/", "localhost", "localhost:80 127.0.0.1:80", 80, true},
		{"http://example.org\\\\@127.0.0.1/", "example.org", "example.org:80", 80, false},
		{"", NULL, "", 0, false},
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct policy_query *q;
		char json[256];

		(void)snprintf(json, sizeof(json),
			       "{\"tool\":\"http_request\",\"args\":{\"url\":\"%s\"}}",
			       rows[i].url);
		q = good(f, json);
		assert_int_equal(q->kind, KIND_NETWORK);
		assert_int_equal(q->op, OP_CONNECT);
		assert_names(q, "http_request fetch web_fetch");
		assert_int_equal(q->address->port, rows[i].port);
		assert_int_equal(q->address->has_ip, rows[i].has_ip);
		assert_bytes(q->args, rows[i].text);
		assert_int_equal(q->n_domains, rows[i].domain ? 1 : 0);
		if (rows[i].domain)
			assert_bytes(q->domains[0], rows[i].domain);
	}
	assert_int_equal(
		good(f, "{\"tool\":\"fetch\",\"args\":{\"host\":\"x\",\"port\":5}}")->address->port,
		5);
}

static void test_a_shell_call_is_asked_about_command_by_command(void **state)
{
	struct fixture *f = *state;
	const struct policy_query *q =
		good(f, "{\"tool\":\"bash\",\"args\":{\"command\":\"git push -f\",\"timeout\":9}}");

	assert_int_equal(f->a.n, 1);
	assert_names(q, "bash shell exec git");
	assert_bytes(q->args, "git push -f");
	assert_int_equal(q->argc, 3);
	assert_bytes(q->argv[2], "-f");

	q = good(f, "{\"tool\":\"shell\",\"args\":\"cd '/a b' && A=1 /usr/bin/git push \\\"x y\\\" "
		    ">log 2>&1; if true; then echo $(rm -rf /); fi\"}");
	assert_int_equal(f->a.n, 6);
	assert_names(&q[0], "bash shell exec");
	assert_bytes(q[1].args, "cd /a b");
	assert_bytes(q[2].args, "/usr/bin/git push x y");
	assert_names(&q[2], "bash shell exec git");
	assert_bytes(q[3].args, "true");
	assert_bytes(q[4].args, "echo $");
	assert_bytes(q[5].args, "rm -rf /");

	q = good(f, "{\"tool\":\"exec\",\"args\":{\"command\":[\"git\",\"a b\"]}}");
	assert_int_equal(f->a.n, 1);
	assert_bytes(q->args, "git a b");
	assert_int_equal(q->argc, 2);

	q = good(f, "{\"tool\":\"bash\",\"args\":{\"script\":\"x\"}}");
	assert_int_equal(f->a.n, 1);
	assert_names(q, "bash shell exec");
	assert_bytes(q->args, "script=x");
	(void)good(f, "{\"tool\":\"bash\"}");
}

static void test_a_line_of_many_commands_is_cut(void **state)
{
	char json[4096] = "{\"tool\":\"bash\",\"args\":\"";
	struct fixture *f = *state;
	size_t n = strlen(json);

	for (int i = 0; i < APIACTION_MAX_COMMANDS; i++)
		n += (size_t)snprintf(json + n, sizeof(json) - n, "%sa%d", i ? ";" : "", i);
	(void)snprintf(json + n, sizeof(json) - n, "\"}");
	(void)good(f, json);
	assert_int_equal(f->a.n, 1 + APIACTION_MAX_COMMANDS);
	assert_false(f->a.is_cut);
	(void)snprintf(json + n, sizeof(json) - n, ";b\"}");
	(void)good(f, json);
	assert_int_equal(f->a.n, 1 + APIACTION_MAX_COMMANDS);
	assert_true(f->a.is_cut);
}

static void test_an_exec_has_the_names_of_a_process(void **state)
{
	struct fixture *f = *state;
	const struct policy_query *q =
		good(f, "{\"kind\":\"exec\",\"argv\":[\"/usr/bin/vi\",\"x\"],\"path\":"
			"\"/usr/bin/vim.basic\",\"cwd\":\"/w\",\"time\":\"tue 00:01\",\"agent\":"
			"\"a\",\"parent\":\"/bin/sh\"}");

	assert_names(q, "bash shell exec vim.basic vi");
	assert_bytes(q->args, "/usr/bin/vi x");
	assert_bytes(q->path, "/usr/bin/vim.basic");
	assert_bytes(q->cwd, "/w");
	assert_bytes(q->agent, "a");
	assert_bytes(q->parent, "/bin/sh");
	assert_int_equal(q->minute_of_week, 24 * 60 + 1);
	assert_null(q->api);

	/* A link that the agent could have made is no name to allow by. */
	q = good(f, "{\"kind\":\"exec\",\"argv\":[\"/home/u/ls\"],\"path\":\"/usr/bin/rm\"}");
	assert_names(q, "bash shell exec rm !ls");
	q = good(f, "{\"kind\":\"exec\",\"argv\":[\"ls\"]}");
	assert_names(q, "bash shell exec ls");
	assert_null(q->path.p);
	q = good(f, "{\"kind\":\"exec\",\"argv\":[\"x\"],\"path\":\"/memfd:a b (deleted)\"}");
	assert_names(q, "bash shell exec memfd:a b !x");
}

static void test_each_operation_of_a_path_is_a_step(void **state)
{
	struct fixture *f = *state;
	const struct policy_query *q = good(
		f, "{\"kind\":\"path\",\"op\":[\"create\",\"write\",\"create\"],\"path\":\"/x\"}");

	assert_int_equal(f->a.n, 2);
	assert_int_equal(q[0].op, OP_CREATE);
	assert_int_equal(q[1].op, OP_WRITE);
	assert_bytes(q[1].path, "/x");
}

static void test_a_connection_has_its_name_and_its_address(void **state)
{
	struct fixture *f = *state;
	const struct policy_query *q =
		good(f, "{\"kind\":\"connect\",\"address\":\"1.2.3.4\",\"port\":443,\"domain\":"
			"\"x.org\",\"protocol\":\"udp\",\"op\":\"send\"}");

	assert_int_equal(q->op, OP_SEND);
	assert_int_equal(q->address->protocol, POLICY_PROTO_UDP);
	assert_bytes(q->args, "x.org:443 1.2.3.4:443");
	assert_int_equal(q->n_domains, 1);
	q = good(f, "{\"kind\":\"connect\",\"address\":\"unix:/run/x\"}");
	assert_int_equal(q->address->protocol, POLICY_PROTO_UNIX);
	assert_bytes(q->path, "/run/x");
	/* "Any" is nobody to connect to, but something to listen on. */
	q = good(f, "{\"kind\":\"connect\",\"op\":\"listen\",\"address\":\"::\",\"port\":1}");
	assert_bytes(q->args, "[::]:1");
}

/* As a session judges it (tests/unit/test_action_net.c), also by the name that is given. */
static void test_an_ipv4_address_in_ipv6_is_a_query_of_its_own(void **state)
{
	struct fixture *f = *state;

	(void)good(f, "{\"kind\":\"connect\",\"address\":\"64:ff9b::a9fe:a9fe\",\"port\":80,"
		      "\"domain\":\"x.org\"}");
	assert_int_equal(f->a.n, 2);
	assert_bytes(f->a.queries[0].args, "x.org:80 [64:ff9b::a9fe:a9fe]:80");
	assert_bytes(f->a.queries[1].args, "x.org:80 169.254.169.254:80");
	assert_true(f->a.queries[1].address->is_v4);
	assert_int_equal(f->a.queries[1].n_domains, 1);

	(void)good(f, "{\"kind\":\"http\",\"url\":\"http://[2002:a9fe:a9fe::]/\"}");
	assert_int_equal(f->a.n, 2);
	assert_bytes(f->a.queries[1].args, "169.254.169.254:80");

	(void)good(f, "{\"kind\":\"connect\",\"op\":\"bind\",\"address\":\"2002:a9fe:a9fe::\"}");
	assert_int_equal(f->a.n, 1);
}

static void test_agentpolicy_fields_come_through_as_they_are(void **state)
{
	struct fixture *f = *state;

	(void)good(
		f,
		"{\"kind\":\"tool\",\"name\":\"x\",\"cost\":\"5\",\"approved\":1,\"metadata\":[]}");
	assert_int_equal(f->a.api.type, POLICY_API_CALL);
	assert_int_equal(f->a.api.call, POLICY_CALL_TOOL);
	assert_int_equal(f->a.api.cost->type, VALUE_STRING);
	assert_bytes(f->a.api.action_type->text, "tool");
	assert_true(f->a.is_approved && f->a.queries[0].is_approved);
	assert_null(f->a.api.url);

	(void)good(f, "{\"kind\":\"http\",\"url\":\"HTTPS://U@X.Org:1/a\",\"cost\":0.5}");
	assert_bytes(f->a.api.domain->text, "u@x.org:1");
	assert_true(f->a.queries[0].cost == 0.5);
	(void)good(f, "{\"kind\":\"http\",\"url\":\"http://[::1\"}");
	assert_string_equal(f->a.error, "Invalid IPv6 URL");
	(void)good(f, "{\"kind\":\"cost\",\"cost\":-1}");
	assert_bytes(f->a.api.source->text, "llm");
	assert_names(f->a.queries, "cost");
	(void)good(
		f,
		"{\"kind\":\"raw\",\"fields\":{\"action_type\":\"cost\",\"tool_name\":\"t\",\"cost\":2}}");
	assert_int_equal(f->a.api.call, POLICY_CALL_COST);
	assert_bytes(f->a.api.tool_name->text, "t");
	assert_null(f->a.api.source);
	assert_true(f->a.queries[0].cost == 2);
}

static void test_meshguard_actions(void **state)
{
	struct fixture *f = *state;
	const struct policy_query *q =
		good(f, "{\"action\":\"invoke:x\",\"resource\":\"r\",\"agent\":\"a\",\"tags\":[],"
			"\"tier\":\"t\",\"org\":\"o\",\"context\":{}}");

	assert_int_equal(q->api->type, POLICY_API_MESH);
	assert_names(q, "invoke:x");
	assert_bytes(q->args, "r");
	assert_bytes(q->agent, "a");
	(void)good(f, "{\"action\":\"a\",\"resource\":null}");
	assert_null(f->a.api.resource.p);
	assert_int_equal(good(f, "{\"action\":\"execute:shell\",\"resource\":\"git push\"}")->argc,
			 2);
}

static void test_what_is_no_action_is_refused_by_name(void **state)
{
	static const struct {
		const char *json, *word;
	} rows[] = {
		{"[]", "object"},
		{"1", "object"},
		{"{}", "'tool', 'kind'"},
		{"{\"kind\":\"x\"}", "'kind'"},
		{"{\"kind\":1}", "'kind'"},
		{"{\"tool\":1}", "'tool'"},
		{"{\"tool\":\"x\",\"arg\":1}", "'arg'"},
		{"{\"kind\":\"tool\"}", "'name'"},
		{"{\"kind\":\"tool\",\"name\":\"x\",\"url\":1}", "'url'"},
		{"{\"kind\":\"http\"}", "'url'"},
		{"{\"kind\":\"cost\"}", "'cost'"},
		{"{\"kind\":\"raw\"}", "'fields'"},
		{"{\"kind\":\"raw\",\"fields\":{}}", "'action_type'"},
		{"{\"kind\":\"raw\",\"fields\":{\"action_type\":\"x\"}}", "'action_type'"},
		{"{\"kind\":\"raw\",\"fields\":{\"action_type\":\"tool\",\"x\":1}}", "'x'"},
		{"{\"kind\":\"exec\"}", "'argv'"},
		{"{\"kind\":\"exec\",\"argv\":[]}", "'argv'"},
		{"{\"kind\":\"exec\",\"argv\":[1]}", "'argv'"},
		{"{\"kind\":\"exec\",\"argv\":\"ls\"}", "'argv'"},
		{"{\"kind\":\"path\",\"path\":\"/x\"}", "'op'"},
		{"{\"kind\":\"path\",\"op\":\"read\"}", "'path'"},
		{"{\"kind\":\"path\",\"op\":\"connect\",\"path\":\"/x\"}", "'op'"},
		{"{\"kind\":\"connect\"}", "'address'"},
		{"{\"kind\":\"connect\",\"address\":\"x.org\"}", "'address'"},
		{"{\"kind\":\"connect\",\"address\":\"1.1.1.1\",\"port\":65536}", "'port'"},
		{"{\"kind\":\"connect\",\"address\":\"1.1.1.1\",\"port\":-1}", "'port'"},
		{"{\"kind\":\"connect\",\"address\":\"1.1.1.1\",\"port\":1.5}", "'port'"},
		{"{\"kind\":\"connect\",\"address\":\"1.1.1.1\",\"op\":\"read\"}", "'op'"},
		{"{\"kind\":\"connect\",\"address\":\"1.1.1.1\",\"protocol\":\"x\"}", "'protocol'"},
		{"{\"kind\":\"exec\",\"argv\":[\"x\"],\"time\":\"noon\"}", "'time'"},
		{"{\"kind\":\"exec\",\"argv\":[\"x\"],\"time\":10080}", "'time'"},
		{"{\"action\":1}", "'action'"},
		{"{\"action\":\"x\",\"resource\":1}", "'resource'"},
		{"{\"action\":\"x\",\"trust\":1}", "'trust'"},
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		refused(f, rows[i].json, rows[i].word);
}

static void test_words_are_split_as_a_shell_does(void **state)
{
	static const struct {
		const char *line, *words; /* each in <> */
	} rows[] = {
		{"", ""},
		{"  \t\n", ""},
		{"a", "<a>"},
		{" a  b\tc\nd ", "<a><b><c><d>"},
		{"a'b c'd", "<ab cd>"},
		{"'' \"\"", "<><>"},
		{"\"a\\\"b\\c\"", "<a\"b\\c>"},
		{"a\\ b \\'", "<a b><'>"},
		{"a;b|c>d", "<a;b|c>d>"},
		{"a\\\nb", "<ab>"},
	};
	struct fixture *f = *state;
	struct bytes *argv;
	size_t argc;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char got[128] = "";
		size_t n = 0;

		assert_int_equal(
			apiaction_split(bytes_of(rows[i].line), &f->mem, &argv, &argc, &f->d), 0);
		for (size_t k = 0; k < argc; k++)
			n += (size_t)snprintf(got + n, sizeof(got) - n, "<%.*s>", (int)argv[k].len,
					      argv[k].p);
		assert_string_equal(got, rows[i].words);
	}
	assert_int_equal(apiaction_split(BYTES_LIT("a 'b"), &f->mem, &argv, &argc, &f->d), -EINVAL);
	assert_int_equal(apiaction_split(BYTES_LIT("a \"b"), &f->mem, &argv, &argc, &f->d),
			 -EINVAL);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_a_tool_call_is_asked_about_by_its_name),
		T(test_file_tools_are_what_they_do_to_a_path),
		T(test_a_request_is_a_connection_to_its_host),
		T(test_a_shell_call_is_asked_about_command_by_command),
		T(test_a_line_of_many_commands_is_cut),
		T(test_an_exec_has_the_names_of_a_process),
		T(test_each_operation_of_a_path_is_a_step),
		T(test_a_connection_has_its_name_and_its_address),
		T(test_an_ipv4_address_in_ipv6_is_a_query_of_its_own),
		T(test_agentpolicy_fields_come_through_as_they_are),
		T(test_meshguard_actions),
		T(test_what_is_no_action_is_refused_by_name),
		T(test_words_are_split_as_a_shell_does),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
