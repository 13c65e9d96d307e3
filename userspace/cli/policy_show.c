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

static int parse_options(int argc, char **argv, struct policy_use *use)
{
	static const struct option options[] = {POLICY_USE_OPTIONS, {}};
	static const struct policy_use_command command = {
		.name = "policy show", .usage = usage, .letters = ":p:h", .options = options};
	int r = policy_use_parse(&command, argc, argv, use);

	for (; r == 0 && optind < argc; optind++)
		r = policy_use_option(use, 'p', argv[optind]);
	if (r)
		return r;
	return use->n_policies ? 0 : policy_use_option(use, 'p', "coding-agent");
}

int policy_show_command(int argc, char **argv)
{
	_cleanup_(policy_use_fini) struct policy_use use = {};
	_cleanup_(strbuf_fini) struct strbuf out = STRBUF_INIT(OUTPUT_MAX);
	int r = parse_options(argc, argv, &use);

	if (r != 0)
		return r == POLICY_USE_HELPED ? 0 : 2;
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
