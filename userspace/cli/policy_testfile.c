/* SPDX-License-Identifier: Apache-2.0 */
#include <fcntl.h>
#include <stdio.h>

#include "base/dirs.h"
#include "base/io.h"

#include "cli/policy_testfile.h"

#define FILE_MAX_BYTES  POLICY_MAX_BYTES
#define ARENA_MAX_BYTES ((size_t)1 << 30)
/* Where a test's paths are, unless it says otherwise: the same on every machine. */
#define DEFAULT_HOME    "/home/user"
#define DEFAULT_PROJECT "/home/user/project"
#define TMP             "/tmp"

static const char *const file_keys[] = {"policy", "language", "default", "home",  "project",
					"agent",  "tags",     "tier",    "tests", NULL};
static const char *const test_keys[] = {"name",   "action", "command",  "expect",  "rule",
					"reason", "spent",  "resource", "context", "agent",
					"tags",   "tier",   "org",      NULL};
/* Of a MeshGuard test, whose action is a text: these make up the action. */
static const char *const mesh_keys[] = {"action", "resource", "context", "agent",
					"tags",   "tier",     "org",     NULL};

static const struct {
	const char *word;
	enum verdict verdict;
} verdict_words[] = {
	{"allow", VERDICT_ALLOW},   {"flag", VERDICT_FLAG},
	{"ask", VERDICT_ASK},       {"deny", VERDICT_DENY},
	{"approve", VERDICT_ALLOW}, {"escalate", VERDICT_ASK},
	{"block", VERDICT_DENY},    {"require_approval", VERDICT_ASK},
};

static bool has_word(const char *const *words, struct bytes word)
{
	for (; *words; words++)
		if (bytes_eq_str(word, *words))
			return true;
	return false;
}

static bool is_text(const struct value *v)
{
	return v && v->type == VALUE_STRING;
}

static int fail(const struct policy_testfile *t, const struct value *at, struct diag *d,
		const char *why)
{
	return diag_set(d, t->file, at->line, at->column, "%s", why);
}

static int check_keys(const struct policy_testfile *t, const struct value *map,
		      const char *const *keys, struct diag *d)
{
	char known[256] = "";
	size_t n = 0;

	for (const char *const *k = keys; *k && n < sizeof(known); k++)
		n += (size_t)snprintf(known + n, sizeof(known) - n, "%s%s", n ? ", " : "", *k);
	for (const struct value *k = map->first; k; k = k->next->next)
		if (!is_text(k) || !has_word(keys, k->text))
			return diag_set(d, t->file, k->line, k->column,
					"unknown key '%.60s'; there are %s",
					is_text(k) ? k->text.p : "(no text)", known);
	return 0;
}

/* The text of @key, or NULL when it is not there. */
static int get_text(const struct policy_testfile *t, const struct value *map, const char *key,
		    const char **ret, struct diag *d)
{
	const struct value *v = value_get(map, key);

	*ret = NULL;
	if (!v)
		return 0;
	if (!is_text(v))
		return diag_set(d, t->file, v->line, v->column, "'%s' must be a text", key);
	*ret = v->text.p;
	return 0;
}

/* ---- which policy */

/* A file is meant as seen from the test file; a bare word is a policy's name. */
static char *policy_of_word(const char *test_file, const char *word)
{
	const char *slash = strrchr(test_file, '/');
	struct bytes w = bytes_of(word);

	if (!strchr(word, '/') && !bytes_has_suffix(w, BYTES_LIT(".yaml")) &&
	    !bytes_has_suffix(w, BYTES_LIT(".yml")))
		return strdup(word);
	if (word[0] == '/' || !slash)
		return str_format("%s%s", strchr(word, '/') ? "" : "./", word);
	return str_format("%.*s/%s", (int)(slash - test_file), test_file, word);
}

/* "x.test.yaml" is for "x.yaml". */
static char *policy_of_file(const char *test_file)
{
	const char *suffix = strstr(test_file, POLICYSET_TEST_SUFFIX);

	while (suffix && strstr(suffix + 1, POLICYSET_TEST_SUFFIX))
		suffix = strstr(suffix + 1, POLICYSET_TEST_SUFFIX);
	if (!suffix)
		return NULL;
	return str_format("%s%.*s.yaml", strchr(test_file, '/') ? "" : "./",
			  (int)(suffix - test_file), test_file);
}

static int add_policy(struct policy_testfile *t, const struct value *at, char *policy,
		      struct diag *d)
{
	if (!policy)
		return -ENOMEM;
	if (t->n_policies == POLICY_MAX_STACK) {
		free(policy);
		return fail(t, at, d, "too many policies for one stack");
	}
	t->use.policies[t->n_policies] = policy;
	t->policies[t->n_policies++] = policy;
	t->use.n_policies = t->n_policies;
	return 0;
}

static int read_policies(struct policy_testfile *t, const struct value *root, struct diag *d)
{
	const struct value *v = value_get(root, "policy");
	const struct value *i;

	if (!v) {
		char *policy = policy_of_file(t->file);

		if (!policy)
			return fail(
				t, root, d,
				"which policy? Name it with 'policy: FILE', or call this file NAME" POLICYSET_TEST_SUFFIX);
		return add_policy(t, root, policy, d);
	}
	for (i = v->type == VALUE_LIST ? v->first : v; i;
	     i = v->type == VALUE_LIST ? i->next : NULL) {
		int r;

		if (!is_text(i))
			return fail(t, i, d, "'policy' must be a file, a name, or a list of them");
		r = add_policy(t, i, policy_of_word(t->file, i->text.p), d);
		if (r < 0)
			return r;
	}
	return t->n_policies ? 0 : fail(t, v, d, "'policy' names no policy");
}

static int read_tags(struct policy_testfile *t, const struct value *root, struct diag *d)
{
	const struct value *v = value_get(root, "tags");

	if (!v)
		return 0;
	if (v->type != VALUE_LIST)
		return fail(t, v, d, "'tags' must be a list of texts");
	for (const struct value *i = v->first; i; i = i->next) {
		if (!is_text(i))
			return fail(t, i, d, "'tags' must be a list of texts");
		if (t->use.n_tags == POLICY_USE_MAX_TAGS)
			return fail(t, i, d, "too many tags");
		t->use.tags[t->use.n_tags++] = i->text.p;
	}
	return 0;
}

static int read_head(struct policy_testfile *t, const struct value *root, struct diag *d)
{
	const char *language, *word;
	int r = check_keys(t, root, file_keys, d);

	if (r == 0)
		r = get_text(t, root, "language", &language, d);
	if (r == 0 && language && policy_language_parse(bytes_of(language), &t->use.language) < 0)
		return fail(
			t, value_get(root, "language"), d,
			"'language' must be auto, native, agent-action-policy, agentpolicy or meshguard");
	if (r == 0)
		r = get_text(t, root, "default", &word, d);
	if (r == 0 && word && policy_use_option(&t->use, POLICY_USE_DEFAULT, word) < 0)
		return fail(t, value_get(root, "default"), d,
			    "'default' must be approve, deny or escalate");
	if (r == 0)
		r = get_text(t, root, "home", &t->use.home, d);
	if (r == 0)
		r = get_text(t, root, "project", &t->use.project, d);
	if (r == 0)
		r = get_text(t, root, "agent", &t->use.agent, d);
	if (r == 0)
		r = get_text(t, root, "tier", &t->use.tier, d);
	t->use.tmp_dir = TMP;
	if (!t->use.home)
		t->use.home = DEFAULT_HOME;
	if (!t->use.project)
		t->use.project = DEFAULT_PROJECT;
	if (r == 0 && (t->use.home[0] != '/' || t->use.project[0] != '/'))
		return fail(t, root, d, "'home' and 'project' must be absolute paths");
	if (r == 0)
		r = read_tags(t, root, d);
	return r < 0 ? r : read_policies(t, root, d);
}

/* ---- the tests */

static int read_expect(const struct policy_testfile *t, struct policy_test *test, struct diag *d)
{
	const struct value *v = value_get(test->map, "expect");

	if (!is_text(v))
		return fail(t, v ? v : test->map, d,
			    "a test needs 'expect': allow, flag, ask, deny or error");
	test->expect_word = v->text.p;
	test->expects_error = bytes_eq_str(v->text, "error");
	if (test->expects_error)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(verdict_words); i++)
		if (strcasecmp(v->text.p, verdict_words[i].word) == 0) {
			test->expect = verdict_words[i].verdict;
			return 0;
		}
	return fail(t, v, d, "'expect' must be allow, flag, ask, deny or error");
}

static int read_test(struct policy_testfile *t, const struct value *map, struct policy_test *ret,
		     struct diag *d)
{
	const struct value *spent = NULL;
	int r;

	*ret = (struct policy_test){.map = map};
	if (map->type != VALUE_MAP)
		return fail(t, map, d, "a test is a map with 'action' or 'command', and 'expect'");
	r = check_keys(t, map, test_keys, d);
	if (r == 0)
		r = get_text(t, map, "name", &ret->name, d);
	if (r == 0)
		r = read_expect(t, ret, d);
	if (r < 0)
		return r;
	ret->action = value_get(map, "action");
	ret->command = value_get(map, "command");
	ret->rule = value_get(map, "rule");
	ret->reason = value_get(map, "reason");
	spent = value_get(map, "spent");
	if (!ret->action == !ret->command)
		return fail(t, map, d, "a test has either 'action' or 'command'");
	if (ret->command && !is_text(ret->command))
		return fail(t, ret->command, d, "'command' must be a text: the command line");
	if (ret->rule && !is_text(ret->rule) && ret->rule->type != VALUE_NULL)
		return fail(t, ret->rule, d,
			    "'rule' must be a rule's name, or null for the default");
	if (ret->reason && !is_text(ret->reason))
		return fail(t, ret->reason, d, "'reason' must be a text that the reason holds");
	if (spent && spent->type != VALUE_INT && spent->type != VALUE_FLOAT)
		return fail(t, spent, d, "'spent' must be a number");
	ret->spent = spent ? spent->number : 0;
	if (!ret->name && ret->command)
		ret->name = ret->command->text.p;
	if (!ret->name && is_text(ret->action))
		ret->name = ret->action->text.p;
	return 0;
}

static int read_tests(struct policy_testfile *t, const struct value *root, struct diag *d)
{
	const struct value *list = value_get(root, "tests");

	if (!list || list->type != VALUE_LIST || list->n == 0)
		return fail(t, list ? list : root, d,
			    "'tests' must be a list of tests that is not empty");
	t->tests = arena_alloc(&t->mem, list->n * sizeof(*t->tests));
	if (!t->tests)
		return -ENOMEM;
	for (const struct value *i = list->first; i; i = i->next) {
		int r = read_test(t, i, &t->tests[t->n_tests], d);

		if (r < 0)
			return r;
		t->n_tests++;
	}
	return 0;
}

int policy_testfile_read(const char *file, struct policy_testfile *ret, struct diag *d)
{
	struct strbuf text = STRBUF_INIT(FILE_MAX_BYTES);
	struct value *root;
	int r;

	*ret = (struct policy_testfile){.file = file, .mem = ARENA_INIT(ARENA_MAX_BYTES)};
	r = io_read_file_at(AT_FDCWD, file, &text);
	if (r < 0)
		r = diag_set(d, file, 0, 0, "cannot read these tests: %s",
			     r == -EINVAL ? "not a regular file" : strerror(-r));
	else
		r = value_parse_yaml(file, strbuf_bytes(&text), &ret->mem, NULL, NULL, &root, d);
	strbuf_fini(&text);
	if (r < 0)
		return r;
	if (root->type != VALUE_MAP)
		return fail(ret, root, d, "a file of tests is a map with the key 'tests'");
	r = read_head(ret, root, d);
	return r < 0 ? r : read_tests(ret, root, d);
}

void policy_testfile_fini(struct policy_testfile *t)
{
	policy_use_fini(&t->use);
	for (size_t i = 0; i < t->n_policies; i++)
		free(t->policies[i]);
	arena_fini(&t->mem);
}

/* ---- the action of a test */

static struct value *copy_pair(struct value *last, const struct value *key, struct arena *mem)
{
	struct value *pair = arena_alloc(mem, 2 * sizeof(*pair));

	if (!pair)
		return NULL;
	pair[0] = *key;
	pair[1] = *key->next;
	pair[0].next = &pair[1];
	pair[1].next = NULL;
	if (last)
		last->next = pair;
	return &pair[1];
}

/* {name, agent, action: "read:x", context?, expect}, as MeshGuard's own command takes it. */
static int mesh_action(const struct policy_test *test, struct arena *mem, struct value *ret)
{
	struct value *last = NULL;

	*ret = (struct value){
		.type = VALUE_MAP, .line = test->map->line, .column = test->map->column};
	for (const struct value *k = test->map->first; k; k = k->next->next) {
		struct value *next;

		if (!has_word(mesh_keys, k->text))
			continue;
		next = copy_pair(last, k, mem);
		if (!next)
			return -ENOMEM;
		if (!last)
			ret->first = next - 1;
		last = next;
		ret->n++;
	}
	return 0;
}

int policy_test_action(const struct policy_testfile *t, const struct policy_test *test,
		       struct arena *mem, struct apiaction *ret, struct diag *d)
{
	const struct value *action = test->action;
	struct value mesh;
	int r;

	if (test->command) {
		struct bytes *argv;
		size_t argc;

		r = apiaction_split(test->command->text, mem, &argv, &argc, d);
		if (r == 0 && argc == 0)
			r = fail(t, test->command, d, "'command' is empty");
		else if (r == 0)
			r = apiaction_from_exec(argv, argc, BYTES_NULL, BYTES_NULL, mem, ret);
		action = test->command;
	} else {
		r = 0;
		if (is_text(action)) {
			r = mesh_action(test, mem, &mesh);
			action = &mesh;
		}
		if (r == 0)
			r = apiaction_from_value(action, mem, ret, d);
	}
	if (r == -EINVAL) {
		(void)snprintf(d->file, sizeof(d->file), "%s", t->file);
		if (d->line == 0)
			d->line = action->line;
	}
	return r;
}
