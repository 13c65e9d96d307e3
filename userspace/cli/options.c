/* SPDX-License-Identifier: Apache-2.0 */
#include <assert.h>
#include <ctype.h>
#include <stdio.h>

#include "base/say.h"

#include "cli/options.h"

#define ROW_ID 256 /* past all letters */

int options_refuse(int id, char *const *argv, const char *command)
{
	const char *word = argv[optind - 1];
	bool is_long = word[0] == '-' && word[1] == '-';
	char letter[] = {'-', (char)optopt, '\0'};

	/* Letters may stand together, and the next word be the one after them. */
	if (optopt && optopt < ROW_ID && isprint(optopt) && !is_long)
		word = letter;
	if (id == ':')
		say("option '%s' needs a value; `holdfast %s --help` shows all", word, command);
	else if (is_long && optopt)
		say("option '%s' takes no value; `holdfast %s --help` shows all", word, command);
	else
		say("unknown option '%s'; `holdfast %s --help` shows all", word, command);
	return -EINVAL;
}

int options_read(const struct options *o, int argc, char **argv)
{
	struct option table[OPTIONS_MAX + 2] = {{"help", no_argument, NULL, 'h'}};
	int id;

	for (size_t i = 0; o->rows && o->rows[i].name; i++) {
		assert(i < OPTIONS_MAX);
		table[i + 1] = (struct option){
			.name = o->rows[i].name,
			.has_arg = o->rows[i].value ? required_argument : no_argument,
			.val = ROW_ID + (int)i,
		};
	}
	optind = 0; /* begin anew, whoever used getopt before */
	opterr = 0;
	while ((id = getopt_long(argc, argv, ":h", table, NULL)) != -1) {
		const struct option_row *row;

		if (id == 'h') {
			(void)fputs(o->usage, stdout);
			return OPTIONS_HELPED;
		}
		if (id < ROW_ID)
			return options_refuse(id, argv, o->command);
		row = &o->rows[id - ROW_ID];
		if (row->value)
			*row->value = optarg;
		else
			*row->flag = !row->clears;
	}
	return 0;
}

int options_read_operands(const struct options *o, int argc, char **argv, int max)
{
	int r = options_read(o, argc, argv);

	if (r || argc - optind <= max)
		return r;
	say("'%s' is not expected; `holdfast %s --help` shows all", argv[optind + max], o->command);
	return -EINVAL;
}
