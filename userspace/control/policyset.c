/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <fcntl.h>
#include <sodium.h>

#include "base/dirs.h"
#include "base/io.h"

#include "control/policyset.h"

#define POLICY_SUFFIX ".yaml"

_Static_assert(POLICYSET_HASH_SIZE == crypto_hash_sha256_BYTES * 2 + 1, "SHA-256 in hex");

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
		if (!has_suffix(de->d_name, POLICY_SUFFIX))
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

/* Return: 0 and the file of @name, -EINVAL with @diag, -ENOMEM. */
static int find_file(const struct policyset_config *config, const char *name, char **ret,
		     struct diag *diag)
{
	char *file;

	if (is_file_name(name)) {
		file = realpath(name, NULL);
		if (!file)
			return diag_set(diag, name, 0, 0, "cannot read this policy: %s",
					strerror(errno));
		*ret = file;
		return 0;
	}
	for (size_t i = 0; i < config->n_dirs; i++) {
		_cleanup_(freep) char *path =
			str_format("%s/%s" POLICY_SUFFIX, config->dirs[i], name);

		if (!path)
			return -ENOMEM;
		file = realpath(path, NULL);
		if (file) {
			*ret = file;
			return 0;
		}
	}
	return not_found(config, name, diag);
}

static void hash_text(struct bytes text, char out[static POLICYSET_HASH_SIZE])
{
	unsigned char digest[crypto_hash_sha256_BYTES];

	(void)crypto_hash_sha256(digest, (const unsigned char *)text.p, text.len);
	(void)sodium_bin2hex(out, POLICYSET_HASH_SIZE, digest, sizeof(digest));
}

static int load_one(const struct policyset_config *config, const char *name,
		    struct policyset_entry *entry, struct policy **ret, struct diag *diag)
{
	struct strbuf text = STRBUF_INIT(POLICY_MAX_BYTES);
	struct policy_load load = {
		.language = config->language,
		.dialect_default = config->dialect_default,
		.vars = &config->vars,
		.warn = config->warn,
		.warn_ctx = config->warn_ctx,
	};
	int r;

	r = find_file(config, name, &entry->file, diag);
	if (r < 0)
		return r;
	r = io_read_file_at(AT_FDCWD, entry->file, &text);
	if (r < 0) {
		strbuf_fini(&text);
		return diag_set(diag, entry->file, 0, 0, "cannot read this policy: %s",
				r == -EINVAL ? "not a regular file" : strerror(-r));
	}
	hash_text(strbuf_bytes(&text), entry->hash);
	load.text = strbuf_bytes(&text);
	load.file = entry->file;
	r = policy_load(&load, ret, diag);
	strbuf_fini(&text);
	if (r < 0)
		return r;
	entry->name = strdup(policy_name(*ret));
	return entry->name ? 0 : -ENOMEM;
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
	for (size_t i = 0; i < config->n_names && r == 0; i++) {
		ret->n = i + 1;
		r = load_one(config, config->names[i], &ret->entries[i], &policies[i], reterr_diag);
	}
	if (r == 0)
		return policy_stack_new(policies, config->n_names, config->force_audit, &ret->stack,
					reterr_diag);
	for (size_t i = 0; i < config->n_names; i++)
		policy_free(policies[i]);
	return r;
}

void policyset_fini(struct policyset *s)
{
	policy_stack_free(s->stack);
	for (size_t i = 0; i < s->n; i++) {
		free(s->entries[i].name);
		free(s->entries[i].file);
	}
	*s = (struct policyset){};
}
