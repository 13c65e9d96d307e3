/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the built-in patterns must find and what they must leave alone; policies' own patterns; and
 * what happens at the limits. The secrets are made up.
 */
#include "audit/redact.h"
#include "policy/policy.h"

#include "tests/unit/audit_harness.h"

#define HEX20 "0123456789abcdef0123"
#define B36   "AbCdEfGhIjKlMnOpQrStUvWxYz0123456789"

struct rig {
	struct policy_stack *stack;
	struct redact *redact;
	struct redact_scratch *scratch;
};

static void rig_open(struct rig *rig, const char *policy)
{
	const struct policy_vars vars = {.home = "/home/u", .project = "/home/u/p", .tmp = "/tmp"};
	struct policy *p = NULL;
	struct diag d = {};

	*rig = (struct rig){};
	if (policy) {
		if (policy_parse("t.yaml", bytes_of(policy), &vars, &p, &d) < 0)
			fail_msg("%u:%u: %s", d.line, d.column, d.message);
		assert_int_equal(policy_stack_new(&p, 1, false, &rig->stack, &d), 0);
	}
	assert_int_equal(redact_new(rig->stack, &rig->redact), 0);
	rig->scratch = redact_scratch_new();
	assert_non_null(rig->scratch);
}

static void rig_close(struct rig *rig)
{
	redact_scratch_free(rig->scratch);
	redact_free(rig->redact);
	policy_stack_free(rig->stack);
}

static bool contains(struct bytes s, const char *what)
{
	return s.len && memmem(s.p, s.len, what, strlen(what));
}

/* ---- texts */

static const struct {
	const char *text, *want;
} found[] = {
	{"AKIAIOSFODNN7EXAMPLE", "[redacted:aws-key]"},
	{"x ASIAIOSFODNN7EXAMPLE y", "x [redacted:aws-key] y"},
	{"AWS_SECRET_ACCESS_KEY=wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
	 "AWS_SECRET_ACCESS_KEY=[redacted:secret]"},
	{"aws_session_token = FwoGZXIvYXdzEJr", "aws_session_token = [redacted:secret]"},
	{"ghp_" B36, "[redacted:github-token]"},
	{"/tmp/gho_" B36 "/x", "/tmp/[redacted:github-token]/x"},
	{"ghs_" B36, "[redacted:github-token]"},
	{"github_pat_11ABCDEFG0" B36, "[redacted:github-token]"},
	{"glpat-ABCDEFGHIJKLMNOPQRST", "[redacted:gitlab-token]"},
	{"sk-" B36, "[redacted:api-key]"},
	{"sk-ant-api03-abcdefghijklmnop-qrstuvwx", "[redacted:api-key]"},
	{"sk-proj-abcdefghijklmnop_qrstuvwx", "[redacted:api-key]"},
	{"sk_live_" HEX20, "[redacted:stripe-key]"},
	{"xoxb-123456789012-abcdefghijkl", "[redacted:slack-token]"},
	{"curl https://hooks.slack.com/services/T00000000/B00000000/XXXXXXXXXXXXXXXXXXXXXXXX",
	 "curl https://hooks.slack.com/services/[redacted:slack-webhook]"},
	{"AIzaSyA1234567890abcdefghijklmnopqrstuv", "[redacted:google-key]"},
	{"npm_" B36, "[redacted:npm-token]"},
	{"pypi-AgEIcHlwaS5vcmcCJDU2Nz", "[redacted:pypi-token]"},
	{"hf_" B36, "[redacted:huggingface-token]"},
	{"dckr_pat_" HEX20, "[redacted:docker-token]"},
	{"dop_v1_" HEX20 HEX20, "[redacted:digitalocean-token]"},
	{"hvs." B36, "[redacted:vault-token]"},
	{"SG." HEX20 "." HEX20, "[redacted:sendgrid-key]"},
	{"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl", "[redacted:jwt]"},
	{"-----BEGIN OPENSSH PRIVATE KEY-----\nb3Blbn\n-----END OPENSSH PRIVATE KEY-----\n",
	 "[redacted:private-key]\n"},
	{"-----BEGIN RSA PRIVATE KEY-----\ncut off", "[redacted:private-key]"},
	{"https://user:hunter2@example.com/x",
	 "https://user:[redacted:url-password]@example.com/x"},
	{"postgres://app:p@ss@db:5432/x", "postgres://app:[redacted:url-password]@db:5432/x"},
	{"redis://:hunter2@cache", "redis://:[redacted:url-password]@cache"},
	{"Authorization: Bearer abc.def", "Authorization: Bearer [redacted:authorization]"},
	{"authorization: Basic dXNlcjpwYXNz", "authorization: Basic [redacted:authorization]"},
	{"bearer abcdefghijklmnop1234", "bearer [redacted:bearer-token]"},
	{"Cookie: session=abc; x=y", "Cookie: [redacted:cookie]"},
	{"TOKEN=abc", "TOKEN=[redacted:secret]"},
	{"export DB_PASSWORD='a b'; x", "export DB_PASSWORD='[redacted:secret]'; x"},
	{"PGPASSWORD=x psql -h db", "PGPASSWORD=[redacted:secret] psql -h db"},
	{"MYSQL_PWD=x mysql", "MYSQL_PWD=[redacted:secret] mysql"},
	{"Server=db;Pwd=hunter2;", "Server=db;Pwd=[redacted:secret];"},
	{"AccountKey=abc+/=;x", "AccountKey=[redacted:secret];x"},
	{"/x?access_token=abc&y=1", "/x?access_token=[redacted:secret]&y=1"},
	{"api-key=abc", "api-key=[redacted:secret]"},
	{"{\"password\": \"hunter2\", \"user\": \"x\"}",
	 "{\"password\": \"[redacted:secret]\", \"user\": \"x\"}"},
	{"{\\\"client_secret\\\":\\\"abc\\\"}",
	 "{\\\"client_secret\\\":\\\"[redacted:secret]\\\"}"},
	{"X-Api-Key: abc", "X-Api-Key: [redacted:secret]"},
	{"PRIVATE-TOKEN: abc", "PRIVATE-TOKEN: [redacted:secret]"},
	{"deploy --password hunter2 now", "deploy --password [redacted:option] now"},
	{"mysql -u root -phunter2 db", "mysql -u root -p[redacted:option] db"},
	{"sshpass -p hunter2 ssh x", "sshpass -p [redacted:option] ssh x"},
	{"curl -s -u me:hunter2 http://x", "curl -s -u me:[redacted:option] http://x"},
	{"\xff TOKEN=abc\xfe; \xff", "\xff TOKEN=[redacted:secret]; \xff"},
};

static const char *const left_alone[] = {
	"/home/user/project/.git/objects/pack/pack-1234.idx",
	"/usr/lib/python3/dist-packages/keyring/credentials.py",
	"/etc/passwd",
	"/usr/share/doc/token-ring/secret.txt",
	"git clone https://github.com/a/b.git",
	"git@github.com:a/b.git",
	"http://localhost:8080/x@y",
	"ssh://git@example.com:22/x",
	"9fceb02d0ae598e95dc970b74767f19372d61af8",
	"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
	"PWD=/home/user",
	"OLDPWD=/home/user/x",
	"sk-learn-contrib-examples-repository",
	"task-0123456789012345678901234567890",
	"ghp_short",
	"xoxo",
	"--max-tokens=100",
	"--token-file=/run/x",
	"--no-password",
	"password=$PASSWORD",
	"TOKEN=${TOKEN}",
	"TOKEN=$(cat /run/t)",
	"password=<your password>",
	"skip_secret=true",
	"token = get_token()",
	"SSH_AUTH_SOCK=/tmp/agent.1",
	"KEY=value",
	"-----BEGIN CERTIFICATE-----",
	"-----BEGIN PUBLIC KEY-----",
	"the bearer of this letter",
	"docker run -p 80:80 nginx",
	"tar -pxf a.tar",
	"mkdir -p a/b",
	"curl -u https://x",
	"Authorization: Bearer $TOKEN",
	"eyJ.json",
	"AKIA",
	"node_modules/jsonwebtoken/index.js",
	"npm_config_cache",
	"basic auth",
	"ab",
	"",
};

static void test_texts(_unused_ void **state)
{
	struct rig rig;

	rig_open(&rig, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(found); i++) {
		struct audit_record r = {.kind = KIND_PATH, .object = bytes_of(found[i].text)};

		redact_record(rig.redact, rig.scratch, &r);
		if (!bytes_eq_str(r.object, found[i].want) || r.redacted == 0 || !r.is_redacted)
			fail_msg("'%s' became '%.*s', not '%s'", found[i].text, (int)r.object.len,
				 r.object.p, found[i].want);
		/* Our own marks are no secrets. */
		r.redacted = 0;
		redact_record(rig.redact, rig.scratch, &r);
		if (r.redacted != 0)
			fail_msg("'%s': redacted twice: '%.*s'", found[i].text, (int)r.object.len,
				 r.object.p);
	}
	for (size_t i = 0; i < ARRAY_SIZE(left_alone); i++) {
		struct audit_record r = {.kind = KIND_PATH, .object = bytes_of(left_alone[i])};

		redact_record(rig.redact, rig.scratch, &r);
		if (r.redacted != 0 || r.object.p != left_alone[i])
			fail_msg("'%s' became '%.*s'", left_alone[i], (int)r.object.len,
				 r.object.p);
	}
	rig_close(&rig);
}

/* ---- argument vectors */

#define ARGS_MAX 8

static const struct {
	const char *argv[ARGS_MAX];
	size_t at;
	const char *want; /* NULL: nothing changes */
} vectors[] = {
	{{"/usr/bin/mysql", "-phunter2", "db"}, 1, "-p[redacted:option]"},
	{{"mysql", "-p", "db"}, 2, NULL},
	{{"x", "--password", "hunter2"}, 2, "[redacted:option]"},
	{{"x", "--password=hunter2 with blanks"}, 1, "--password=[redacted:secret]"},
	{{"x", "-Dspring.password=hunter2"}, 1, "-Dspring.password=[redacted:secret]"},
	{{"x", "--api-key", "abc"}, 2, "[redacted:option]"},
	{{"x", "--token", "ghp_" B36}, 2, "[redacted:github-token]"},
	{{"x", "--password", "--verbose"}, 2, NULL},
	{{"x", "--no-password", "file"}, 2, NULL},
	{{"x", "--token-file", "file"}, 2, NULL},
	{{"x", "--password-stdin", "file"}, 2, NULL},
	{{"x", "--token", "$TOKEN"}, 2, NULL},
	{{"env", "TOKEN=a b c", "x"}, 1, "TOKEN=[redacted:secret]"},
	{{"sh", "-c", "TOKEN=a make b"}, 2, "TOKEN=[redacted:secret] make b"},
	{{"curl", "-u", "me:hunter2"}, 2, "me:[redacted:option]"},
	{{"curl", "-ume:hunter2"}, 1, "-ume:[redacted:option]"},
	{{"curl", "-u", "me"}, 2, NULL},
	{{"curl", "-H", "Authorization: Bearer abc"},
	 2,
	 "Authorization: Bearer [redacted:authorization]"},
	{{"sshpass", "-p", "hunter2", "ssh"}, 2, "[redacted:option]"},
	{{"redis-cli", "-a", "hunter2"}, 2, "[redacted:option]"},
	{{"docker", "login", "-u", "me", "-p", "hunter2"}, 5, "[redacted:option]"},
	{{"docker", "run", "-p", "80:80"}, 3, NULL},
	{{"openssl", "rsa", "-passin", "pass:hunter2"}, 3, "pass:[redacted:option]"},
	{{"aws", "configure", "set", "aws_secret_access_key", "abc"}, 4, "[redacted:option]"},
	{{"git", "-c", "http.extraHeader=Authorization: Basic abc", "push"},
	 2,
	 "http.extraHeader=Authorization: Basic [redacted:authorization]"},
	{{"mkdir", "-p", "a"}, 2, NULL},
};

static void test_vectors(_unused_ void **state)
{
	struct rig rig;

	rig_open(&rig, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
		struct bytes argv[ARGS_MAX];
		struct audit_record r = {.kind = KIND_TOOL, .argv = argv};
		const char *want = vectors[i].want;

		for (; r.argc < ARGS_MAX && vectors[i].argv[r.argc]; r.argc++)
			argv[r.argc] = bytes_of(vectors[i].argv[r.argc]);
		redact_record(rig.redact, rig.scratch, &r);
		if (!want)
			want = vectors[i].argv[vectors[i].at];
		if (!bytes_eq_str(r.argv[vectors[i].at], want) ||
		    (r.redacted != 0) != (vectors[i].want != NULL))
			fail_msg("%s ...: '%.*s', not '%s'", vectors[i].argv[0],
				 (int)r.argv[vectors[i].at].len, r.argv[vectors[i].at].p, want);
		/* The action itself, which the decision is about, stays. */
		assert_ptr_equal(argv[vectors[i].at].p, vectors[i].argv[vectors[i].at]);
	}
	rig_close(&rig);
}

/* ---- whole records */

static void test_every_string(_unused_ void **state)
{
	const struct bytes s = BYTES_LIT("/x/ghp_" B36), argv[] = {BYTES_LIT("a"), s};
	struct audit_record r = {.kind = KIND_TOOL,
				 .object = s,
				 .asked = s,
				 .object2 = s,
				 .exe = s,
				 .interpreter = s,
				 .cwd = s,
				 .reason = s,
				 .note = s,
				 .argv = argv,
				 .argc = 2,
				 .steps = BYTES_LIT("[1]")};
	struct rig rig;

	rig_open(&rig, NULL);
	redact_record(rig.redact, rig.scratch, &r);
	assert_int_equal(r.redacted, 9);
	assert_true(bytes_eq_str(r.object, "/x/[redacted:github-token]"));
	assert_true(bytes_eq_str(r.asked, "/x/[redacted:github-token]"));
	assert_true(bytes_eq_str(r.object2, "/x/[redacted:github-token]"));
	assert_true(bytes_eq_str(r.exe, "/x/[redacted:github-token]"));
	assert_true(bytes_eq_str(r.interpreter, "/x/[redacted:github-token]"));
	assert_true(bytes_eq_str(r.cwd, "/x/[redacted:github-token]"));
	assert_true(bytes_eq_str(r.reason, "/x/[redacted:github-token]"));
	assert_true(bytes_eq_str(r.note, "/x/[redacted:github-token]"));
	assert_true(bytes_eq_str(r.argv[1], "/x/[redacted:github-token]"));
	assert_true(bytes_eq_str(r.steps, "null"));
	rig_close(&rig);
}

static void test_policy_patterns(_unused_ void **state)
{
	static const char policy[] =
		"version: 1\nname: p\ndefault: allow\nlog:\n  builtin_redactions: false\n  redact:\n"
		"  - 'projekt-\\w+'\n"
		"  - {pattern: '[0-9]{4}', name: pin, in: argv}\n"
		"  - {pattern: '10\\.0\\.0\\.\\d+', name: host, in: [address]}\n";
	const struct bytes argv[] = {BYTES_LIT("1234"), BYTES_LIT("projekt-x")};
	struct audit_record r = {.kind = KIND_TOOL,
				 .object = BYTES_LIT("/1234/projekt-x/10.0.0.1"),
				 .cwd = BYTES_LIT("/ghp_" B36),
				 .argv = argv,
				 .argc = 2};
	struct rig rig;

	rig_open(&rig, policy);
	redact_record(rig.redact, rig.scratch, &r);
	assert_true(bytes_eq_str(r.object, "/1234/[redacted:policy]/10.0.0.1"));
	assert_true(bytes_eq_str(r.argv[0], "[redacted:pin]"));
	assert_true(bytes_eq_str(r.argv[1], "[redacted:policy]"));
	assert_true(bytes_eq_str(r.cwd, "/ghp_" B36));
	assert_int_equal(r.redacted, 3);
	r = (struct audit_record){.kind = KIND_NETWORK,
				  .object = BYTES_LIT("10.0.0.1:443"),
				  .asked = BYTES_LIT("10.0.0.1:443")};
	redact_record(rig.redact, rig.scratch, &r);
	assert_true(bytes_eq_str(r.object, "[redacted:host]:443"));
	assert_true(bytes_eq_str(r.asked, "[redacted:host]:443"));
	rig_close(&rig);
}

/* A pattern for `asked` alone must not lean on what was found in the object. */
static void test_asked_alone(_unused_ void **state)
{
	struct audit_record r = {.kind = KIND_PATH,
				 .object = BYTES_LIT("/x/hidden-y"),
				 .asked = BYTES_LIT("hidden-y")};
	struct rig rig;

	rig_open(&rig, "version: 1\nname: p\ndefault: allow\n"
		       "log: {redact: {pattern: 'hidden-.', name: h, in: asked}}\n");
	redact_record(rig.redact, rig.scratch, &r);
	assert_true(bytes_eq_str(r.object, "/x/hidden-y"));
	assert_true(bytes_eq_str(r.asked, "[redacted:h]"));
	rig_close(&rig);
}

/* What cannot be searched goes as a whole. */
static void test_limits(_unused_ void **state)
{
	static char text[REDACT_TEXT_MAX + 4096];
	struct bytes argv[2] = {BYTES_LIT("x"), {.p = text, .len = sizeof(text)}};
	struct audit_record r = {.kind = KIND_PATH};
	struct rig rig;

	rig_open(&rig, "version: 1\nname: p\ndefault: allow\nlog: {redact: '(a+a+)+[bc]'}\n");
	memset(text, 'a', sizeof(text));
	r.object = (struct bytes){.p = text, .len = 60};
	redact_record(rig.redact, rig.scratch, &r);
	assert_true(bytes_eq_str(r.object, "[redacted:limit]"));
	assert_int_equal(r.redacted, 1);
	rig_close(&rig);

	rig_open(&rig, "version: 1\nname: p\ndefault: allow\nlog: {redact: 'a '}\n");
	for (size_t i = 0; i < sizeof(text); i++)
		text[i] = i % 2 ? ' ' : 'a';
	/* As many matches as are kept apart, and one more; they touch, so each is a span. */
	r = (struct audit_record){.kind = KIND_PATH,
				  .object = {.p = text, .len = 2 * REDACT_SPANS_MAX}};
	redact_record(rig.redact, rig.scratch, &r);
	assert_false(bytes_eq_str(r.object, "[redacted:limit]"));
	r = (struct audit_record){.kind = KIND_PATH,
				  .object = {.p = text, .len = 2 * REDACT_SPANS_MAX + 2}};
	redact_record(rig.redact, rig.scratch, &r);
	assert_true(bytes_eq_str(r.object, "[redacted:limit]"));
	rig_close(&rig);

	/* A secret at the end of what is kept. */
	rig_open(&rig, NULL);
	memset(text, 'a', sizeof(text));
	memcpy(text + AUDIT_STRING_MAX - 10, " ghp_" B36, 5 + 36);
	r = (struct audit_record){.kind = KIND_TOOL, .argv = argv, .argc = 2};
	redact_record(rig.redact, rig.scratch, &r);
	assert_int_equal(r.redacted, 1);
	assert_true(r.argv_truncated);
	assert_false(contains(r.argv[1], "ghp_"));
	rig_close(&rig);
}

/* More than a record holds: what was not looked at must not come into it. */
static void test_many_arguments(_unused_ void **state)
{
	static char key[8000];
	static struct bytes argv[40];
	struct audit_record r = {.kind = KIND_TOOL, .argv = argv, .argc = ARRAY_SIZE(argv)};
	struct rig rig;

	memset(key, 'k', sizeof(key));
	memcpy(key, "-----BEGIN PRIVATE KEY-----", 27);
	for (size_t i = 0; i < ARRAY_SIZE(argv); i++)
		argv[i] = (struct bytes){.p = key, .len = sizeof(key)};
	argv[39] = BYTES_LIT("ghp_" B36);
	rig_open(&rig, NULL);
	redact_record(rig.redact, rig.scratch, &r);
	assert_int_equal(r.argc, ARRAY_SIZE(argv));
	for (size_t i = 0; i < r.argc; i++)
		assert_true(bytes_has_prefix(r.argv[i], BYTES_LIT("[redacted:")));
	rig_close(&rig);
}

/* An agent that writes a mark around its secret hides nothing, and gains nothing. */
static void test_forged_marks(_unused_ void **state)
{
	static const char *const texts[] = {
		"[redacted:ghp_" B36 "]",
		"TOKEN=[redacted:secret]ghp_" B36,
		"TOKEN=[redacted:nothing]abcdef",
		"ghp_" B36 "[redacted:secret]ghp_" B36,
		"[redacted:[redacted:secret]ghp_" B36,
	};
	struct rig rig;

	rig_open(&rig, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct audit_record r = {.kind = KIND_PATH, .object = bytes_of(texts[i])};

		redact_record(rig.redact, rig.scratch, &r);
		assert_false(contains(r.object, "ghp_"));
		assert_false(contains(r.object, "abcdef"));
		assert_true(r.redacted > 0);
	}
	rig_close(&rig);
}

/* ---- in a log */

static void test_log(void **state)
{
	struct audit_dir *d = *state;
	struct audit_config config = audit_test_config(d);
	struct audit_record r = audit_test_record();
	_cleanup_(strbuf_fini) struct strbuf file = STRBUF_INIT(1 << 21);
	struct audit *a = NULL;
	struct rig rig;

	rig_open(&rig, NULL);
	config.redact = rig.redact;
	assert_int_equal(audit_open(&config, &a, NULL), 0);
	r.object = BYTES_LIT("/x/ghp_" B36);
	assert_int_equal(audit_append(a, &r), 0);
	/* Before the writer ran: it is not in the memory either. */
	assert_int_equal(io_read_file_at(AT_FDCWD, d->ring, &file), 0);
	assert_false(contains(strbuf_bytes(&file), B36));
	assert_true(contains(strbuf_bytes(&file), "[redacted:github-token]"));
	assert_int_equal(audit_start(a), 0);
	audit_close(a);
	strbuf_reset(&file);
	assert_int_equal(io_read_file_at(AT_FDCWD, d->log, &file), 0);
	assert_false(contains(strbuf_bytes(&file), B36));
	assert_true(contains(strbuf_bytes(&file), "/x/[redacted:github-token]"));
	assert_true(contains(strbuf_bytes(&file), "\"redacted\":1"));
	rig_close(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_texts),
		cmocka_unit_test(test_vectors),
		cmocka_unit_test(test_every_string),
		cmocka_unit_test(test_policy_patterns),
		cmocka_unit_test(test_asked_alone),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_many_arguments),
		cmocka_unit_test(test_forged_marks),
		audit_test(test_log),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
