/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `holdfast policy show`: policies as they were understood, with variables expanded and included
 * rules in their place.
 */
#include <getopt.h>
#include <stdio.h>

#include "base/io.h"
#include "base/say.h"

#include "cli/policy_commands.h"
#include "cli/policy_use.h"

#define OUTPUT_MAX ((size_t)1 << 30)

static const char usage[] =
	"usage: holdfast policy show [OPTIONS] [NAME|FILE]...\n"
	"\n"
	"Prints policies as they were understood: variables expanded, and what they include and extend\n"
	"in its place. Several are the stack that `run` would make of them.\n"
	"\n" POLICY_USE_HELP "                          (default: coding-agent, as run)\n"
	"  -h, --help              this text\n";

enum {
	SHOW_HELP = 1, /* usage was asked for and printed */
};

static int parse_options(int argc, char **argv, struct policy_use *use)
{
	static const struct option options[] = {POLICY_USE_OPTIONS, {}};
	int id, r;

	optind = 0;
	opterr = 0;
	while ((id = getopt_long(argc, argv, ":p:h", options, NULL)) != -1) {
		if (id == 'h') {
			(void)fputs(usage, stdout);
			return SHOW_HELP;
		}
		r = policy_use_option(use, id, optarg);
		if (r == -ENOENT)
			return policy_use_refuse(id, argv, "show");
		if (r < 0)
			return r;
	}
	for (; optind < argc; optind++) {
		r = policy_use_option(use, 'p', argv[optind]);
		if (r < 0)
			return r;
	}
	return use->n_policies ? 0 : policy_use_option(use, 'p', "coding-agent");
}

int policy_show_command(int argc, char **argv)
{
	_cleanup_(policy_use_fini) struct policy_use use = {};
	_cleanup_(strbuf_fini) struct strbuf out = STRBUF_INIT(OUTPUT_MAX);
	int r = parse_options(argc, argv, &use);

	if (r != 0)
		return r == SHOW_HELP ? 0 : 2;
	if (policy_use_load(&use) < 0)
		return 1;
	for (size_t i = 0; i < policy_stack_size(use.set.stack); i++) {
		if (i)
			strbuf_add_str(&out, "---\n");
		policy_show(policy_stack_get(use.set.stack, i), &out);
	}
	r = strbuf_error(&out);
	if (r == 0)
		r = io_write_all(STDOUT_FILENO, out.p, out.len);
	if (r < 0)
		say("policy show: %s", strerror(-r));
	return r < 0;
}
