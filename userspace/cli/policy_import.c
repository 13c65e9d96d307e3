/* SPDX-License-Identifier: Apache-2.0 */
/* `holdfast policy import`: reads the file, prints what import_policy() makes of it. */
#include <fcntl.h>
#include <stdio.h>

#include "base/dirs.h"
#include "base/io.h"
#include "base/say.h"
#include "policy/policy.h"

#include "cli/import.h"
#include "cli/options.h"
#include "cli/toml.h"

static const char usage[] =
	"usage: holdfast policy import claude|codex|gemini FILE [--name NAME]\n"
	"\n"
	"Writes a native policy for what FILE says, on standard output, with a note for each thing\n"
	"that has no equivalent.\n"
	"\n"
	"claude   settings.json (permissions and sandbox)\n"
	"codex    a .rules file, or config.toml (sandbox_mode)\n"
	"gemini   a policy in TOML\n"
	"\n"
	"Exit status: 0 written, 1 FILE cannot be read or is not what it should be, 2 wrong usage.\n";

static int run(const char *agent, const char *file, const char *name)
{
	struct strbuf text = STRBUF_INIT(TOML_MAX_BYTES), out = STRBUF_INIT(POLICY_MAX_BYTES);
	_cleanup_(freep) char *home = dirs_home(), *project = getcwd(NULL, 0);
	const struct policy_vars vars = {.home = home ? home : "/nonexistent",
					 .project = project ? project : "/nonexistent",
					 .tmp = "/tmp"};
	struct import_result result;
	struct diag d = {};
	int r = io_read_file_at(AT_FDCWD, file, &text);

	if (r < 0)
		r = diag_set(&d, file, 0, 0, "cannot read it: %s",
			     r == -EINVAL     ? "not a regular file"
			     : r == -EMSGSIZE ? "larger than 256 KiB"
					      : strerror(-r));
	if (r == 0)
		r = import_policy(agent, file, strbuf_bytes(&text), name, &vars, &out, &result, &d);
	if (r == 0) {
		(void)fputs(strbuf_str(&out), stdout);
		say("%zu rules, %zu notes%s", result.n_rules, result.n_notes,
		    result.is_without_examples
			    ? "; examples left out: a stricter rule decides some of them first"
			    : "");
		if (fflush(stdout) != 0)
			r = -errno;
	} else if (r == -EINVAL) {
		say_diag("", &d);
	}
	if (r < 0 && r != -EINVAL)
		say("cannot import: %s", strerror(-r));
	strbuf_fini(&text);
	strbuf_fini(&out);
	return r < 0 ? 1 : 0;
}

int policy_import(int argc, char **argv)
{
	const char *name = NULL;
	const struct option_row rows[] = {{"name", .value = &name}, {}};
	const struct options options = {.command = "policy import", .usage = usage, .rows = rows};
	int r = options_read(&options, argc, argv);

	if (r)
		return r == OPTIONS_HELPED ? 0 : 2;
	if (argc - optind != 2) {
		(void)fputs(usage, stderr);
		return 2;
	}
	if (!import_knows(argv[optind])) {
		say("policy import: '%s' is no agent it knows; there are claude, codex and gemini",
		    argv[optind]);
		return 2;
	}
	return run(argv[optind], argv[optind + 1], name ? name : argv[optind]);
}
