/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Secrets that stand in an argument of their own, so that only the arguments before them tell:
 * `--password VALUE`, `mysql -pVALUE`, `curl -u USER:VALUE`, `env TOKEN=VALUE`.
 */
#include "audit/redact_private.h"

enum place {
	PLACE_NEXT,     /* the argument behind the option */
	PLACE_ATTACHED, /* the rest of the option's argument */
	PLACE_BOTH,
};

/* Options of one program whose name says nothing. */
static const struct option {
	const char *program;
	const char *first; /* what its first argument must be; NULL: anything */
	const char *option;
	enum place place;
	char separator; /* the secret begins behind the first one; 0: at once */
} options[] = {
	{"mysql", NULL, "-p", PLACE_ATTACHED, 0},
	{"mysqldump", NULL, "-p", PLACE_ATTACHED, 0},
	{"mysqladmin", NULL, "-p", PLACE_ATTACHED, 0},
	{"mysqlimport", NULL, "-p", PLACE_ATTACHED, 0},
	{"mysqlshow", NULL, "-p", PLACE_ATTACHED, 0},
	{"mysqlcheck", NULL, "-p", PLACE_ATTACHED, 0},
	{"mariadb", NULL, "-p", PLACE_ATTACHED, 0},
	{"mariadb-dump", NULL, "-p", PLACE_ATTACHED, 0},
	{"mariadb-admin", NULL, "-p", PLACE_ATTACHED, 0},
	{"7z", NULL, "-p", PLACE_ATTACHED, 0},
	{"7za", NULL, "-p", PLACE_ATTACHED, 0},
	{"sshpass", NULL, "-p", PLACE_BOTH, 0},
	{"mongosh", NULL, "-p", PLACE_NEXT, 0},
	{"mongo", NULL, "-p", PLACE_NEXT, 0},
	{"mongodump", NULL, "-p", PLACE_NEXT, 0},
	{"twine", NULL, "-p", PLACE_NEXT, 0},
	{"docker", "login", "-p", PLACE_BOTH, 0},
	{"podman", "login", "-p", PLACE_BOTH, 0},
	{"az", "login", "-p", PLACE_NEXT, 0},
	{"redis-cli", NULL, "-a", PLACE_NEXT, 0},
	{"redis-cli", NULL, "--pass", PLACE_NEXT, 0},
	{"sqlcmd", NULL, "-P", PLACE_BOTH, 0},
	{"zip", NULL, "-P", PLACE_BOTH, 0},
	{"unzip", NULL, "-P", PLACE_BOTH, 0},
	{"ldapsearch", NULL, "-w", PLACE_BOTH, 0},
	{"ldapadd", NULL, "-w", PLACE_BOTH, 0},
	{"ldapmodify", NULL, "-w", PLACE_BOTH, 0},
	{"smbclient", NULL, "-U", PLACE_BOTH, '%'},
	{"lftp", NULL, "-u", PLACE_BOTH, ','},
	{"curl", NULL, "-u", PLACE_BOTH, ':'},
	{"curl", NULL, "-U", PLACE_BOTH, ':'},
	{"curl", NULL, "--user", PLACE_NEXT, ':'},
	{"curl", NULL, "--user=", PLACE_ATTACHED, ':'},
	{"curl", NULL, "--proxy-user", PLACE_NEXT, ':'},
	{"openssl", NULL, "-passin", PLACE_NEXT, ':'},
	{"openssl", NULL, "-passout", PLACE_NEXT, ':'},
	{"openssl", NULL, "-pass", PLACE_NEXT, ':'},
	{"aws", "configure", "aws_secret_access_key", PLACE_NEXT, 0},
	{"aws", "configure", "aws_session_token", PLACE_NEXT, 0},
};

static struct bytes base_name(struct bytes path)
{
	size_t at = path.len;

	while (at > 0 && path.p[at - 1] != '/')
		at--;
	return (struct bytes){.p = path.p + at, .len = path.len - at};
}

/* Where the secret of @s begins, whose options take the first @from bytes. */
static size_t behind_separator(struct bytes s, size_t from, char separator)
{
	const char *found;

	if (from >= s.len)
		return SIZE_MAX;
	if (!separator)
		return from;
	found = memchr(s.p + from, separator, s.len - from);
	return found && found + 1 < s.p + s.len ? (size_t)(found + 1 - s.p) : SIZE_MAX;
}

static uint64_t letter_of(char c)
{
	return UINT64_C(1) << (c & 63);
}

uint64_t redact_argv_letters(void)
{
	uint64_t letters = 0;

	for (size_t i = 0; i < ARRAY_SIZE(options); i++)
		letters |= letter_of(options[i].program[0]);
	return letters;
}

bool redact_argv_is_known(struct bytes program, uint64_t letters)
{
	program = base_name(program);
	if (program.len == 0 || !(letters & letter_of(program.p[0])))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(options); i++)
		if (bytes_eq_str(program, options[i].program))
			return true;
	return false;
}

static size_t of_program(const struct bytes *argv, size_t argc, size_t i)
{
	struct bytes program = base_name(argv[0]);

	for (size_t j = 0; j < ARRAY_SIZE(options); j++) {
		const struct option *o = &options[j];
		struct bytes option = bytes_of(o->option);

		if (!bytes_eq_str(program, o->program))
			continue;
		if (o->first && (argc < 2 || !bytes_eq_str(argv[1], o->first)))
			continue;
		if (o->place != PLACE_NEXT && bytes_has_prefix(argv[i], option) &&
		    argv[i].len > option.len)
			return behind_separator(argv[i], option.len, o->separator);
		if (o->place != PLACE_ATTACHED && i > 1 && bytes_eq_str(argv[i - 1], o->option))
			return behind_separator(argv[i], 0, o->separator);
	}
	return SIZE_MAX;
}

/* Ends of names, folded, with '_' for '-' and '.'. */
static const char *const secret_names[] = {
	"password",   "passwd",      "passphrase",     "passcode",    "secret",
	"token",      "apikey",      "api_key",        "access_key",  "secret_key",
	"auth_key",   "account_key", "encryption_key", "signing_key", "master_key",
	"shared_key", "credential",  "credentials",    "_pwd",
};

static char folded(char c)
{
	if (c >= 'A' && c <= 'Z')
		return (char)(c | 0x20);
	return c == '-' || c == '.' ? '_' : c;
}

static bool ends_with(struct bytes s, const char *end)
{
	size_t n = strlen(end);

	if (s.len < n)
		return false;
	for (size_t i = 0; i < n; i++)
		if (folded(s.p[s.len - n + i]) != end[i])
			return false;
	return true;
}

static bool is_secret_name(struct bytes name)
{
	if (bytes_has_prefix(name, BYTES_LIT("--no-")))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(secret_names); i++)
		if (ends_with(name, secret_names[i]))
			return true;
	return false;
}

static bool is_name_byte(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '_' || c == '-' || c == '.';
}

/* What a program would hardly take for a secret. */
static bool is_harmless(struct bytes value)
{
	static const char *const words[] = {"true", "false", "none", "null", "yes",
					    "no",   "0",     "1",    "-",    ""};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (bytes_eq_str(value, words[i]))
			return true;
	return value.p[0] == '$';
}

/* -c, -lc, -ec: what follows is a text of commands, where a value ends at a blank. */
static bool is_command_option(struct bytes s)
{
	if (s.len < 2 || s.p[0] != '-' || s.p[s.len - 1] != 'c')
		return false;
	for (size_t i = 1; i < s.len; i++)
		if (s.p[i] < 'a' || s.p[i] > 'z')
			return false;
	return true;
}

/* NAME=VALUE, --name=VALUE */
static size_t of_assignment(const struct bytes *argv, size_t i)
{
	const struct bytes s = argv[i];
	struct bytes value;
	size_t n = 0;

	while (n < s.len && is_name_byte(s.p[n]))
		n++;
	if (n == 0 || n + 1 >= s.len || s.p[n] != '=' || is_command_option(argv[i - 1]))
		return SIZE_MAX;
	value = (struct bytes){.p = s.p + n + 1, .len = s.len - n - 1};
	if (!is_secret_name((struct bytes){.p = s.p, .len = n}) || is_harmless(value))
		return SIZE_MAX;
	return n + 1;
}

size_t redact_argv_secret(const struct bytes *argv, size_t argc, size_t i, bool is_known,
			  bool has_name)
{
	size_t at = SIZE_MAX;
	struct bytes before;

	if (i == 0 || argv[i].len == 0)
		return SIZE_MAX;
	if (is_known)
		at = of_program(argv, argc, i);
	if (at == SIZE_MAX && has_name)
		at = of_assignment(argv, i);
	if (at != SIZE_MAX || !has_name)
		return at;
	before = argv[i - 1];
	if (before.len > 2 && before.p[0] == '-' && !memchr(before.p, '=', before.len) &&
	    is_secret_name(before) && argv[i].p[0] != '-' && !is_harmless(argv[i]))
		return 0;
	return SIZE_MAX;
}
