/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Commands: the program, and as much of its arguments as says what it does. Which that is depends
 * on the program: a subcommand, a script, or nothing.
 */
#include "policy/naming.h"

#include "cli/learn_private.h"

#define OPTIONS_MAX 4 /* before a subcommand */

/* Lists have a blank between and around their words. */
struct program {
	const char *names;
	const char *values; /* options before the subcommand whose value is the next word */
	const char *deep;   /* subcommands that have subcommands; "*": all */
};

static const struct program programs[] = {
	{" git ", " -C -c --git-dir --work-tree --namespace --exec-path ",
	 " remote stash submodule worktree bisect notes reflog lfs "},
	{" npm npm-cli.js pnpm pnpm.cjs yarn yarn.js bun ", " --prefix -C -w --workspace ",
	 " run run-script config cache exec workspace "},
	{" pip uv poetry pipx pdm hatch flit conda ", " --python --project --directory ",
	 " pip tool python config cache env self "},
	{" cargo rustup gem bundle go dotnet mix composer ",
	 " --color --config -C --manifest-path ", " mod tool work toolchain component target "},
	{" docker podman nerdctl buildah ", " -H --host --context --config -l --log-level ",
	 " compose container image volume network system builder buildx "},
	{" apt apt-get apt-cache dnf yum apk brew snap zypper ", " -o -c -t ", " "},
	{" kubectl helm oc terraform ansible vault ", " -n --namespace --context --kubeconfig ",
	 " config rollout get create "},
	{" gh glab aws gcloud az doctl ", " --profile --region --project -R --repo ", "*"},
	{" systemctl journalctl hg svn fossil jj ", " -R -H --repository ", " "},
};

static const char interpreters[] =
	" sh dash bash zsh ksh fish busybox python pypy node nodejs deno perl ruby php lua luajit tclsh "
	"Rscript java ";
/* Whose first words are no subcommands, however often they come. */
static const char plain[] =
	" echo printf test [ expr sleep cat cp mv rm mkdir rmdir touch ls ln chmod chown head tail sort uniq "
	"wc cut tr sed awk gawk mawk grep egrep fgrep find xargs tee env dirname basename date kill make ninja "
	"diff cmp tar gzip gunzip xz zstd unzip zip file which readlink realpath stat ";

/* A program's name without its version: python3.11 is python. */
static bool is_among(const char *list, struct bytes name)
{
	char word[48];

	while (name.len > 1 && strchr("0123456789.-", name.p[name.len - 1]) && name.p[name.len - 1])
		name.len--;
	if (name.len == 0 || name.len > sizeof(word) - 3 || memchr(name.p, ' ', name.len) ||
	    memchr(name.p, '\0', name.len))
		return false;
	word[0] = ' ';
	memcpy(word + 1, name.p, name.len);
	memcpy(word + 1 + name.len, " ", 2);
	return strstr(list, word);
}

static const struct program *find_program(struct bytes name)
{
	for (size_t i = 0; i < ARRAY_SIZE(programs); i++)
		if (is_among(programs[i].names, name))
			return &programs[i];
	return NULL;
}

static bool is_word(struct bytes s)
{
	if (s.len == 0 || s.len > 32)
		return false;
	for (size_t i = 0; i < s.len; i++) {
		char c = s.p[i];
		bool is_letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');

		if (!is_letter && (i == 0 || !strchr("0123456789-_:.", c) || !c))
			return false;
	}
	return true;
}

/* ---- the words of a rule */

static int add_word(struct learn *l, struct learn_call *c, struct bytes real, const char *pattern)
{
	struct strbuf text = STRBUF_INIT(LEARN_PATTERN_MAX);

	if (pattern)
		strbuf_add_str(&text, pattern);
	else if (real.len && real.p[0] == '/')
		learn_add_path(l, &text, real);
	else {
		/* A '~' at the start would begin a regular expression. */
		if (real.len && real.p[0] == '~')
			strbuf_add_char(&text, '\\');
		learn_add_literal(&text, real);
	}
	c->words[c->n] = strbuf_error(&text) ? BYTES_NULL
					     : arena_copy(&l->words, strbuf_str(&text), text.len);
	c->real[c->n] = arena_copy(&l->words, real.p, real.len);
	strbuf_fini(&text);
	if (!c->words[c->n].p || !c->real[c->n].p)
		return -ENOMEM;
	c->n++;
	return 0;
}

/* Options up to the subcommand, and that. Leaves c->n 0 when there is none to be found. */
static int add_subcommand(struct learn *l, const struct program *p, const struct bytes *argv,
			  size_t argc, struct learn_call *c)
{
	size_t i = 1;
	int r = 0;

	for (; r == 0 && i < argc && argv[i].len && argv[i].p[0] == '-'; i++) {
		const char *equals = memchr(argv[i].p, '=', argv[i].len);

		if (c->n + 2 > OPTIONS_MAX || argv[i].len > 64)
			goto plain;
		if (equals) {
			struct strbuf text = STRBUF_INIT(LEARN_PATTERN_MAX);

			learn_add_literal(&text,
					  (struct bytes){.p = argv[i].p,
							 .len = (size_t)(equals + 1 - argv[i].p)});
			strbuf_add_char(&text, '*');
			r = add_word(l, c, argv[i], strbuf_str(&text));
			strbuf_fini(&text);
			continue;
		}
		r = add_word(l, c, argv[i], NULL);
		if (r == 0 && is_among(p->values, argv[i]) && i + 1 < argc)
			r = add_word(l, c, argv[++i], "*");
	}
	if (r < 0 || i == argc)
		return r;
	if (!is_word(argv[i]))
		goto plain;
	r = add_word(l, c, argv[i], NULL);
	if (r == 0 && i + 1 < argc && is_word(argv[i + 1]) &&
	    (p->deep[0] == '*' || is_among(p->deep, argv[i])))
		r = add_word(l, c, argv[i + 1], NULL);
	return r;
plain:
	c->n = 0;
	return 0;
}

/* A module or a script; not text that is run. */
static int add_script(struct learn *l, const struct bytes *argv, size_t argc, struct learn_call *c)
{
	int r;

	if (argc < 2 || argv[1].len == 0 || argv[1].len > 256)
		return 0;
	if (argv[1].p[0] != '-')
		return add_word(l, c, argv[1], NULL);
	if (!bytes_eq_str(argv[1], "-m") || argc < 3 || !is_word(argv[2]))
		return 0;
	r = add_word(l, c, argv[1], NULL);
	return r < 0 ? r : add_word(l, c, argv[2], NULL);
}

static int add_all(struct learn *l, const struct bytes *argv, size_t argc, struct learn_call *c)
{
	int r = 0;

	for (size_t i = 1; r == 0 && i < argc && c->n < LEARN_MAX_WORDS; i++) {
		if (argv[i].len == 0 || argv[i].len > 2000)
			break;
		r = add_word(l, c, argv[i], NULL);
	}
	return r;
}

/* ---- taking in */

/* A copy that stays. Most calls are known already, so what they are made of is not kept. */
static int copy_call(struct learn *l, const struct learn_call *c, struct learn_call *ret)
{
	*ret = *c;
	ret->count = 1;
	ret->real_image = arena_copy(&l->mem, c->real_image.p, c->real_image.len);
	if (!ret->real_image.p)
		return -ENOMEM;
	for (size_t i = 0; i < c->n; i++) {
		ret->words[i] = arena_copy(&l->mem, c->words[i].p, c->words[i].len);
		ret->real[i] = arena_copy(&l->mem, c->real[i].p, c->real[i].len);
		if (!ret->words[i].p || !ret->real[i].p)
			return -ENOMEM;
	}
	return 0;
}

static int keep_call(struct learn *l, struct learn_call *c)
{
	struct strbuf key = STRBUF_INIT(LEARN_PATTERN_MAX);
	struct learn_call *known;
	int r;

	for (size_t i = 0; i < c->n; i++) {
		strbuf_add_bytes(&key, c->words[i]);
		strbuf_add_char(&key, '\0');
	}
	strbuf_add_char(&key, (char)('0' + c->is_guess));
	r = strbuf_error(&key);
	known = r < 0 ? NULL : learn_map_find(&l->calls, c->image, strbuf_bytes(&key));
	if (known) {
		known->count++;
	} else if (r == 0) {
		known = arena_alloc(&l->mem, sizeof(*known));
		r = known ? learn_map_add(&l->calls, &l->mem, c->image, strbuf_bytes(&key), known)
			  : -ENOMEM;
		if (r == 0)
			r = copy_call(l, c, known);
		if (r == 0) {
			l->call_list[l->n_calls++] = known;
			((struct learn_node *)(uintptr_t)c->image)->n_calls++;
		}
	}
	strbuf_fini(&key);
	return r;
}

static int fill_call(struct learn *l, struct bytes name, const struct bytes *argv, size_t argc,
		     struct learn_call *c)
{
	const struct program *p = find_program(name);

	if (p && argc <= 1) {
		c->is_bare = true;
		return 0;
	}
	if (p)
		return add_subcommand(l, p, argv, argc, c);
	if (is_among(interpreters, name))
		return l->config.is_strict ? add_all(l, argv, argc, c)
					   : add_script(l, argv, argc, c);
	if (argc > 1 && is_word(argv[1]) && !is_among(plain, name)) {
		c->is_guess = true;
		return add_word(l, c, argv[1], NULL);
	}
	return 0;
}

int learn_exec(struct learn *l, struct bytes image, const struct bytes *argv, size_t argc)
{
	struct learn_call c = {};
	struct learn_node *n = NULL;
	int r;

	/* A program in memory has no name that another could not have. */
	if (image.len == 0 || image.p[0] != '/' || bytes_has_prefix(image, BYTES_LIT("/memfd:"))) {
		l->result.n_dropped++;
		return 0;
	}
	r = learn_find_node(l, image, &n);
	if (r < 0)
		return r;
	if (n && argv && l->n_calls < LEARN_MAX_CALLS && image.len <= GLOB_MAX_BYTES / 2) {
		c.image = n;
		c.real_image = image;
		arena_reset(&l->words);
		r = fill_call(l, bytes_base_name(image), argv, argc, &c);
		if (r < 0)
			return r;
		if (c.n || c.is_bare)
			return keep_call(l, &c);
	}
	return learn_path(l, image, OP_BIT(OP_EXEC));
}

/* ---- too many, or guessed wrongly */

static const size_t most_calls[LEARN_LEVELS] = {24, 12, 6, 2};

static bool is_plain(const struct learn_node *image)
{
	return (image->ops | image->tree_ops) & OP_BIT(OP_EXEC);
}

static void make_plain(const struct learn_call *c)
{
	struct learn_node *n = (struct learn_node *)(uintptr_t)c->image;

	n->ops |= OP_BIT(OP_EXEC);
	if (!n->example.p)
		n->example = c->real_image;
}

void learn_fold_calls(struct learn *l, unsigned int level)
{
	size_t kept = 0;

	for (size_t i = 0; i < l->n_calls; i++) {
		const struct learn_call *c = l->call_list[i];

		/* A first word is a subcommand only if it comes again and again, and others do. */
		if (c->image->n_calls > most_calls[level] ||
		    (c->is_guess && (c->count < 3 || c->image->n_calls < 2)))
			make_plain(c);
	}
	for (size_t i = 0; i < l->n_calls; i++) {
		struct learn_call *c = l->call_list[i];

		if (is_plain(c->image))
			((struct learn_node *)(uintptr_t)c->image)->count += c->count;
		else
			l->call_list[kept++] = c;
	}
	l->n_calls = kept;
}
