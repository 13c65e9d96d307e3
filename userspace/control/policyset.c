/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <fcntl.h>
#include <sodium.h>

#include "base/dirs.h"
#include "base/io.h"
#include "base/sha256.h"

#include "control/policyset.h"

#define POLICY_SUFFIX ".yaml"

_Static_assert(POLICYSET_HASH_SIZE == SHA256_BYTES * 2 + 1, "SHA-256 in hex");

static bool has_suffix(const char *s, const char *suffix)
{
	size_t n = strlen(s), m = strlen(suffix);

	return n > m && streq(s + n - m, suffix);
}

static bool is_file_name(const char *name)
{
	return strchr(name, '/') || has_suffix(name, POLICY_SUFFIX) || has_suffix(name, ".yml");
}

/* Adds "a, b, c" of the policies that @dir holds, for the message that a name was not found. */
static void list_names(const char *dir, struct strbuf *out)
{
	_cleanup_(io_closedirp) DIR *d = opendir(dir);
	struct dirent *de;

	while (d && (de = readdir(d))) {
		if (!has_suffix(de->d_name, POLICY_SUFFIX) ||
		    has_suffix(de->d_name, POLICYSET_TEST_SUFFIX))
			continue;
		if (out->len)
			strbuf_add_str(out, ", ");
		strbuf_add(out, de->d_name, strlen(de->d_name) - strlen(POLICY_SUFFIX));
	}
}

static int not_found(const struct policyset_config *config, const char *name, struct diag *diag)
{
	struct strbuf names = STRBUF_INIT(512);
	int r;

	for (size_t i = 0; i < config->n_dirs; i++)
		list_names(config->dirs[i], &names);
	r = diag_set(
		diag, NULL, 0, 0,
		"no policy is called '%s'; there are: %s. For a file give its path, e.g. ./%s.yaml",
		name, names.len ? strbuf_str(&names) : "none", name);
	strbuf_fini(&names);
	return r;
}

/* @from: the file that extends @name, which is not what it means by it; NULL: none. */
static int find_name(const struct policyset_config *config, const char *name, const char *from,
		     char **ret, struct diag *diag)
{
	for (size_t i = 0; i < config->n_dirs; i++) {
		_cleanup_(freep) char *path =
			str_format("%s/%s" POLICY_SUFFIX, config->dirs[i], name);
		_cleanup_(freep) char *file = path ? realpath(path, NULL) : NULL;

		if (!path)
			return -ENOMEM;
		if (file && !(from && streq(file, from))) {
			*ret = TAKE_PTR(file);
			return 0;
		}
	}
	return not_found(config, name, diag);
}

static int fail_read(struct diag *diag, const char *file, int error)
{
	if (error == -ENOMEM)
		return error;
	if (error == -EMSGSIZE)
		return diag_set(diag, file, 0, 0,
				"cannot read this policy: it is larger than %zu MiB",
				POLICY_MAX_BYTES / 1024 / 1024);
	return diag_set(diag, file, 0, 0, "cannot read this policy: %s",
			error == -EINVAL ? "not a regular file" : strerror(-error));
}

/* Return: 0 and the file of @name, -EINVAL with @diag, -ENOMEM. */
static int find_file(const struct policyset_config *config, const char *name, char **ret,
		     struct diag *diag)
{
	if (!is_file_name(name))
		return find_name(config, name, NULL, ret, diag);
	*ret = realpath(name, NULL);
	return *ret ? 0 : fail_read(diag, name, -errno);
}

/* ---- the files of one policy */

/* What the loads of one policy share; texts live until it is compiled. */
struct reader {
	const struct policyset_config *config;
	struct policyset_entry *entry;
	struct strbuf texts[POLICY_MAX_FILES];
	unsigned char digests[POLICY_MAX_FILES][SHA256_BYTES];
};

static void reader_free(struct reader *r)
{
	for (size_t i = 0; r && i < POLICY_MAX_FILES; i++)
		strbuf_fini(&r->texts[i]);
	free(r);
}

static void reader_freep(struct reader **r)
{
	reader_free(*r);
}

static bool has_file(const struct policyset_entry *entry, const char *file, size_t *ret)
{
	for (size_t i = 0; i < entry->n_files; i++)
		if (streq(entry->files[i], file)) {
			*ret = i;
			return true;
		}
	return false;
}

/* Reads @file (consumed, also on failure), once. Return: 0, -EINVAL with @d, -ENOMEM. */
static int read_file(struct reader *r, char *file, struct policy_text *ret, struct diag *d)
{
	struct policyset_entry *entry = r->entry;
	_cleanup_(freep) char *owned = file;
	struct strbuf *text;
	size_t i;
	int e;

	if (!has_file(entry, file, &i)) {
		i = entry->n_files;
		if (i == POLICY_MAX_FILES)
			return diag_set(d, file, 0, 0, "a policy is made of at most %d files",
					POLICY_MAX_FILES);
		text = &r->texts[i];
		*text = STRBUF_INIT(POLICY_MAX_BYTES);
		e = io_read_file_at(AT_FDCWD, file, text);
		if (e < 0)
			return fail_read(d, file, e);
		sha256(strbuf_bytes(text), r->digests[i]);
		entry->files[entry->n_files++] = TAKE_PTR(owned);
	}
	ret->file = entry->files[i];
	ret->text = strbuf_bytes(&r->texts[i]);
	return 0;
}

static int read_named(void *ctx, const char *from, const char *name, struct policy_text *ret,
		      struct diag *d)
{
	_cleanup_(freep) char *path = NULL;
	struct bytes base = bytes_base_name(bytes_of(from));
	struct reader *r = ctx;
	char *file = NULL;
	struct diag own = {};
	int e;

	if (!is_file_name(name)) {
		e = find_name(r->config, name, from, &file, d);
		if (e < 0)
			return e;
	} else {
		path = name[0] == '/' ? strdup(name)
				      : str_format("%.*s%s", (int)(base.p - from), from, name);
		if (!path)
			return -ENOMEM;
		file = realpath(path, NULL);
		if (!file)
			return diag_set(d, NULL, 0, 0, "cannot read '%s': %s", path,
					strerror(errno));
	}
	e = read_file(r, file, ret, &own);
	return e == -EINVAL ? diag_set(d, NULL, 0, 0, "'%s': %s", name, own.message) : e;
}

/* Of one file its hash, of several that of their hashes. */
static void finish_hash(struct reader *r)
{
	unsigned char digest[SHA256_BYTES];
	size_t n = r->entry->n_files;

	sha256((struct bytes){.p = (const char *)r->digests, .len = n * SHA256_BYTES}, digest);
	(void)sodium_bin2hex(r->entry->hash, POLICYSET_HASH_SIZE, n > 1 ? digest : r->digests[0],
			     SHA256_BYTES);
}

static int load_one(const struct policyset_config *config, const char *name,
		    struct policyset_entry *entry, struct policy **ret, struct diag *diag)
{
	_cleanup_(reader_freep) struct reader *reader = calloc(1, sizeof(*reader));
	struct policy_load load = {
		.language = config->language,
		.dialect_default = config->dialect_default,
		.vars = &config->vars,
		.read = read_named,
		.read_ctx = reader,
		.warn = config->warn,
		.warn_ctx = config->warn_ctx,
	};
	struct policy_text text = {};
	char *file = NULL;
	int r;

	if (!reader)
		return -ENOMEM;
	reader->config = config;
	reader->entry = entry;
	r = find_file(config, name, &file, diag);
	if (r == 0)
		r = read_file(reader, file, &text, diag);
	if (r < 0)
		return r;
	load.text = text.text;
	load.file = text.file;
	r = policy_load(&load, ret, diag);
	if (r < 0)
		return r;
	finish_hash(reader);
	entry->mode = policy_get_mode(*ret);
	entry->n_rules = policy_rule_count(*ret);
	entry->file = strdup(text.file);
	entry->name = strdup(policy_name(*ret));
	return entry->name && entry->file ? 0 : -ENOMEM;
}

/* ---- the set */

static int fail_none_applies(const struct policyset_config *config, const struct policyset *set,
			     struct diag *diag)
{
	struct strbuf who = STRBUF_INIT(512);
	int r;

	strbuf_add_fmt(&who, "agent '%s'", config->subject->agent ? config->subject->agent : "");
	for (size_t i = 0; i < config->subject->n_tags; i++)
		strbuf_add_fmt(&who, "%s%s", i ? ", " : ", tags ", config->subject->tags[i]);
	if (config->subject->tier)
		strbuf_add_fmt(&who, ", tier %s", config->subject->tier);
	r = diag_set(diag, set->left_out[0].file, 0, 0,
		     "no policy applies to this session (%s), and without one nothing would be "
		     "supervised: see 'applies_to'; add a policy that applies, or give --name, "
		     "--tag or --tier",
		     strbuf_str(&who));
	strbuf_fini(&who);
	return r;
}

static void entry_fini(struct policyset_entry *e)
{
	for (size_t i = 0; i < e->n_files; i++)
		free(e->files[i]);
	free(e->name);
	free(e->file);
	*e = (struct policyset_entry){};
}

/* Loads @name into the stack's list, or among those left out. */
static int add_policy(const struct policyset_config *config, const char *name,
		      struct policyset *set, struct policy **policies, struct diag *diag)
{
	struct policyset_entry *entry = &set->entries[set->n];
	struct policy *p = NULL;
	int r = load_one(config, name, entry, &p, diag);

	if (r < 0) {
		policy_free(p);
		entry_fini(entry);
		return r;
	}
	if (config->subject && !policy_applies_to(p, config->subject)) {
		set->left_out[set->n_left_out++] = *entry;
		*entry = (struct policyset_entry){};
		policy_free(p);
		return 0;
	}
	policies[set->n++] = p;
	return 0;
}

int policyset_load(const struct policyset_config *config, struct policyset *ret,
		   struct diag *reterr_diag)
{
	struct policy *policies[POLICY_MAX_STACK] = {};
	int r = 0;

	*ret = (struct policyset){};
	if (config->n_names > POLICY_MAX_STACK)
		return diag_set(reterr_diag, NULL, 0, 0, "too many policies: %zu; at most %d stack",
				config->n_names, POLICY_MAX_STACK);
	for (size_t i = 0; i < config->n_names && r == 0; i++)
		r = add_policy(config, config->names[i], ret, policies, reterr_diag);
	if (r == 0 && ret->n == 0 && ret->n_left_out)
		r = fail_none_applies(config, ret, reterr_diag);
	if (r == 0)
		return policy_stack_new(policies, ret->n, config->force_audit, &ret->stack,
					reterr_diag);
	for (size_t i = 0; i < ret->n; i++)
		policy_free(policies[i]);
	return r;
}

void policyset_fini(struct policyset *s)
{
	policy_stack_free(s->stack);
	for (size_t i = 0; i < s->n; i++)
		entry_fini(&s->entries[i]);
	for (size_t i = 0; i < s->n_left_out; i++)
		entry_fini(&s->left_out[i]);
	*s = (struct policyset){};
}

bool policyset_names_domains(const struct policyset *set)
{
	for (size_t i = 0; i < policy_stack_size(set->stack); i++)
		if (policy_names_domains(policy_stack_get(set->stack, i)))
			return true;
	return false;
}
