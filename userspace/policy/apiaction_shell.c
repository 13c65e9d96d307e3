/* SPDX-License-Identifier: Apache-2.0 */
/* Command lines as a shell reads them, as far as that goes without being one. */
#include "policy/apiaction_private.h"

/* Words that only steer what the next word runs. */
static const char *const steering[] = {"!",    "{",  "}",    "if",      "then",   "elif", "else",
				       "fi",   "do", "done", "while",   "until",  "time", "exec",
				       "case", "in", "esac", "builtin", "command"};

struct reader {
	struct bytes line;
	size_t i;
	char *out;           /* as long as the line: words only get shorter */
	bool has_operators;  /* ; & | and the like end a word */
	bool is_open;        /* a quote was not closed */
	bool is_redirection; /* the next word is a file */
};

static bool is_blank(char c)
{
	return c == ' ' || c == '\t';
}

static bool is_operator(const struct reader *r, char c)
{
	return r->has_operators && c && strchr(";&|()`\n<>", c);
}

static void skip_blanks(struct reader *r)
{
	while (r->i < r->line.len &&
	       (is_blank(r->line.p[r->i]) || (!r->has_operators && r->line.p[r->i] == '\n')))
		r->i++;
}

static void read_single(struct reader *r)
{
	while (r->i < r->line.len && r->line.p[r->i] != '\'')
		*r->out++ = r->line.p[r->i++];
	if (r->i < r->line.len)
		r->i++;
	else
		r->is_open = true;
}

static void read_double(struct reader *r)
{
	while (r->i < r->line.len && r->line.p[r->i] != '"') {
		if (r->line.p[r->i] == '\\' && r->i + 1 < r->line.len &&
		    strchr("$`\"\\\n", r->line.p[r->i + 1]) && r->line.p[r->i + 1]) {
			r->i++;
			if (r->line.p[r->i] == '\n') {
				r->i++;
				continue;
			}
		}
		*r->out++ = r->line.p[r->i++];
	}
	if (r->i < r->line.len)
		r->i++;
	else
		r->is_open = true;
}

/* Return: whether there was a word; "" in quotes is one. */
static bool read_word(struct reader *r, struct bytes *ret)
{
	char *begin = r->out;
	bool is_word = false;

	for (; r->i < r->line.len; is_word = true) {
		char c = r->line.p[r->i];

		if (is_blank(c) || (c == '\n' && !r->has_operators) || is_operator(r, c))
			break;
		r->i++;
		if (c == '\'') {
			read_single(r);
		} else if (c == '"') {
			read_double(r);
		} else if (c == '\\' && r->i < r->line.len) {
			if (r->line.p[r->i] != '\n')
				*r->out++ = r->line.p[r->i];
			r->i++;
		} else {
			*r->out++ = c;
		}
	}
	*ret = (struct bytes){.p = begin, .len = (size_t)(r->out - begin)};
	if (is_word)
		*r->out++ = '\0';
	return is_word;
}

static int reader_init(struct reader *r, struct bytes line, bool has_operators, struct arena *mem)
{
	size_t size;

	/* A word takes one byte more than its text, and follows a byte that is in none. */
	if (__builtin_add_overflow(line.len, 2, &size))
		return -ENOMEM;
	*r = (struct reader){.line = line, .has_operators = has_operators};
	r->out = arena_alloc(mem, size);
	return r->out ? 0 : -ENOMEM;
}

int apiaction_split(struct bytes line, struct arena *mem, struct bytes **ret_argv, size_t *ret_argc,
		    struct diag *d)
{
	struct reader r;
	struct bytes *argv;
	size_t n = 0;

	if (reader_init(&r, line, false, mem) < 0)
		return -ENOMEM;
	/* A word and the blank behind it are two bytes at least; one more is written to when there
	 * is none left. */
	argv = arena_alloc(mem, (line.len / 2 + 2) * sizeof(*argv));
	if (!argv)
		return -ENOMEM;
	for (skip_blanks(&r); read_word(&r, &argv[n]); skip_blanks(&r))
		n++;
	if (r.is_open)
		return diag_set(d, NULL, 0, 0, "a quote in this command line is not closed: %.*s",
				(int)MIN(line.len, (size_t)200), line.p);
	arena_trim(mem, argv, (n + 1) * sizeof(*argv));
	*ret_argv = argv;
	*ret_argc = n;
	return 0;
}

static bool is_steering(struct bytes word)
{
	for (size_t i = 0; i < ARRAY_SIZE(steering); i++)
		if (bytes_eq_str(word, steering[i]))
			return true;
	return false;
}

static bool is_assignment(struct bytes word)
{
	size_t i = 0;

	while (i < word.len &&
	       (word.p[i] == '_' || ((word.p[i] | 0x20) >= 'a' && (word.p[i] | 0x20) <= 'z') ||
		(i && word.p[i] >= '0' && word.p[i] <= '9')))
		i++;
	return i && i < word.len && word.p[i] == '=';
}

/* "2" of "2>x". */
static bool is_descriptor(const struct reader *r, struct bytes word)
{
	if (r->i >= r->line.len || (r->line.p[r->i] != '<' && r->line.p[r->i] != '>'))
		return false;
	for (size_t i = 0; i < word.len; i++)
		if (word.p[i] < '0' || word.p[i] > '9')
			return false;
	return true;
}

/* Passes over operators. Return: whether a command ended there. */
static bool read_operators(struct reader *r)
{
	bool ends = false;

	for (;;) {
		char c;

		skip_blanks(r);
		if (r->i >= r->line.len || !is_operator(r, c = r->line.p[r->i]))
			return ends;
		r->i++;
		if (c != '<' && c != '>') {
			ends = true;
			r->is_redirection = false;
			continue;
		}
		/* >> >& >| << <& <> name a file or a descriptor; <( and >( run a command. */
		while (r->i < r->line.len && strchr("<>&|", r->line.p[r->i]) && r->line.p[r->i])
			r->i++;
		r->is_redirection = true;
	}
}

/* Return: whether the line goes on after this command. */
static bool read_command(struct reader *r, struct bytes *argv, size_t *ret_argc)
{
	struct bytes word;
	size_t n = 0;

	for (;;) {
		bool is_file;

		if (read_operators(r) && n)
			break;
		is_file = r->is_redirection;
		if (!read_word(r, &word))
			break;
		r->is_redirection = false;
		if (is_file || is_descriptor(r, word))
			continue;
		if (n == 0 && (is_steering(word) || is_assignment(word)))
			continue;
		argv[n++] = word;
	}
	*ret_argc = n;
	return r->i < r->line.len;
}

int shell_commands(struct bytes line, struct arena *mem, struct shell_command **ret, size_t *ret_n,
		   bool *ret_is_cut)
{
	struct shell_command *commands;
	struct bytes *argv;
	struct reader r;
	bool goes_on = true;
	size_t n = 0;

	commands = arena_alloc(mem, APIACTION_MAX_COMMANDS * sizeof(*commands));
	argv = arena_alloc(mem, (line.len / 2 + 1) * sizeof(*argv));
	if (!commands || !argv || reader_init(&r, line, true, mem) < 0)
		return -ENOMEM;
	while (goes_on && n < APIACTION_MAX_COMMANDS) {
		size_t argc;

		goes_on = read_command(&r, argv, &argc);
		if (argc == 0)
			continue;
		commands[n++] = (struct shell_command){.argv = argv, .argc = argc};
		argv += argc;
	}
	*ret_is_cut = goes_on;
	*ret = commands;
	*ret_n = n;
	return 0;
}
