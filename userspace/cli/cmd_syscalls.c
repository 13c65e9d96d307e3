/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `holdfast syscalls`: the table of loader/syscalls.def as text, JSON or Markdown. docs/syscalls.md
 * is its --markdown output, and the test command compares the two, so that the documentation cannot
 * say something else than the filter does.
 */
#include <stdio.h>

#include "base/io.h"
#include "base/json.h"
#include "base/say.h"

#include "loader/trap.h"

#include "cli/commands.h"
#include "cli/options.h"

#define SYSCALLS_OUTPUT_MAX ((size_t)1 << 20)
#define SYSCALLS_EXIT_USAGE 2

static const struct {
	const char *name;
	const char *when;
} classes[_TRAP_CLASS_MAX] = {
	[TRAP_TOOL] = {"tool", "always"},
	[TRAP_OPEN] = {"open", "the flags ask for a change, and a policy speaks of changes; every "
			       "call when one speaks of reads or logs them"},
	[TRAP_OPEN_MEMORY] = {"open-memory", "a policy speaks of changes or of reads: the flags "
					     "are in memory, where the filter cannot look"},
	[TRAP_CHANGE] = {"change", "a policy speaks of changes"},
	[TRAP_NETWORK] = {"network", "a policy speaks of the network"},
	[TRAP_ACCEPT] = {"accept",
			 "a policy says so (log: {accepts: true}): never refused, only counted"},
	[TRAP_SENDTO] = {"sendto",
			 "a policy speaks of the network, and the call names a destination"},
	[TRAP_SOCKET] = {"socket",
			 "the family is not unix, inet, inet6 or netlink, or the type is raw"},
	[TRAP_PTRACE] = {"ptrace", "the request makes somebody a tracer (PTRACE_TRACEME, "
				   "PTRACE_ATTACH, PTRACE_SEIZE)"},
	[TRAP_IOCTL] =
		{"ioctl",
		 "the request is one of loader/ioctls.def: it types into a terminal, changes a "
		 "file's attributes through any descriptor, or configures the system"},
	[TRAP_RESTRICT] = {"restrict", "always: never refused, only noted"},
	[TRAP_SOCKOPT] = {"sockopt",
			  "a source route is set (IP_OPTIONS, IPV6_RTHDR, IPV6_2292PKTOPTIONS)"},
	[TRAP_PRCTL] = {"prctl", "PR_SET_MM: a process would say that it runs another image; and "
				 "PR_SET_CHILD_SUBREAPER, which is only noted"},
	[TRAP_NAMESPACE] = {"namespace", "the flags ask for a namespace; and CLONE_PARENT, which "
					 "is only noted"},
	[TRAP_ABSENT] =
		{"absent",
		 "never: it fails with ENOSYS, and programs fall back to what keeps its flags in "
		 "registers"},
	[TRAP_PID] = {"pid", "another process than the caller (0) is named"},
	[TRAP_LIMIT] = {"limit", "another process is named and a limit is set"},
	[TRAP_PRIORITY] = {"priority",
			   "another process than the caller is named, or a group or user"},
	[TRAP_SIGNAL] =
		{"signal",
		 "Landlock does not keep the session's signals inside, and another process than "
		 "the caller's group (0) is named"},
	[TRAP_SIGNAL_ABSENT] = {"signal-absent",
				"never: it fails with ENOSYS where Landlock does not keep the "
				"session's signals inside"},
	[TRAP_FCNTL] = {"fcntl", "F_SETLEASE and F_SETDELEG, which `admin` grants; F_SETOWN, where "
				 "Landlock does not keep the session's signals inside; F_SETOWN_EX "
				 "then fails with EINVAL"},
	[TRAP_REFUSED] = {"refused", "always"},
	[TRAP_CREDS] = {"creds", "the session has capabilities, as one of root has: never refused, "
				 "only noted"},
};

static const char *const shapes[_SHAPE_MAX] = {
	[SHAPE_EXEC] = "exec",       [SHAPE_OPEN] = "open",
	[SHAPE_OPENAT2] = "openat2", [SHAPE_PATH] = "path",
	[SHAPE_FD] = "fd",           [SHAPE_TWO_PATH] = "two-path",
	[SHAPE_SYMLINK] = "symlink", [SHAPE_SOCKADDR] = "sockaddr",
	[SHAPE_MSGHDR] = "msghdr",   [SHAPE_MMSGHDR] = "mmsghdr",
	[SHAPE_LISTEN] = "listen",   [SHAPE_ACCEPT] = "accept",
	[SHAPE_SOCKET] = "socket",   [SHAPE_PID] = "pid",
	[SHAPE_NONE] = "none",       [SHAPE_RESTRICT] = "restrict",
	[SHAPE_PRCTL] = "prctl",     [SHAPE_CLONE] = "clone",
	[SHAPE_CREDS] = "creds",     [SHAPE_KILL] = "kill",
	[SHAPE_FCNTL] = "fcntl",     [SHAPE_PRIORITY] = "priority",
	[SHAPE_IOCTL] = "ioctl",     [SHAPE_SOCKOPT] = "sockopt",
};

/* The group that a policy may grant, or @none. */
static const char *row_group(const struct trap_row *row, const char *none)
{
	return row->grant == _GRANT_MAX ? none : grant_name(row->grant);
}

static void add_text(struct strbuf *out)
{
	strbuf_add_fmt(out, "%-18s %6s %-13s %-8s %-9s %s\n", "NAME", "NUMBER", "CLASS", "SHAPE",
		       "OPERATION", "GROUP");
	for (size_t i = 0; i < trap_table_size; i++) {
		const struct trap_row *row = &trap_table[i];

		strbuf_add_fmt(out, "%-18s %6d %-13s %-8s %-9s %s\n", row->name, row->nr,
			       classes[row->class].name, shapes[row->shape], op_name(row->op),
			       row_group(row, "-"));
	}
	strbuf_add_fmt(out, "\n%-13s %s\n", "CLASS", "TRAPPED WHEN");
	for (size_t i = 0; i < ARRAY_SIZE(classes); i++)
		strbuf_add_fmt(out, "%-13s %s\n", classes[i].name, classes[i].when);
}

static void add_json(struct strbuf *out)
{
	struct json j = JSON_INIT(out);

	json_begin_array(&j);
	for (size_t i = 0; i < trap_table_size; i++) {
		const struct trap_row *row = &trap_table[i];

		json_begin_object(&j);
		json_key_cstr(&j, "name", row->name);
		json_key_u64(&j, "number", (uint64_t)row->nr);
		json_key_cstr(&j, "class", classes[row->class].name);
		json_key_cstr(&j, "shape", shapes[row->shape]);
		json_key_cstr(&j, "op", op_name(row->op));
		json_key_cstr(&j, "group", row_group(row, NULL));
		json_key_cstr(&j, "trapped_when", classes[row->class].when);
		json_end_object(&j);
	}
	json_end_array(&j);
	strbuf_add_char(out, '\n');
}

static const char markdown_head[] =
	"<!-- Generated by `holdfast syscalls --markdown` from loader/syscalls.def: do not edit. "
	"-->\n"
	"# The syscalls that Holdfast looks at\n"
	"\n"
	"One table makes the seccomp filter, the decoder and this page. The numbers are those of "
	"x86-64.\n"
	"A call that is in no row goes straight to the kernel, except that a number above %d, the\n"
	"newest that this version knows, fails with ENOSYS. Calls through another ABI (x32, int "
	"0x80)\n"
	"are always trapped, and refused unless the policy grants `foreign_abi`.\n"
	"\n"
	"- **Class** says when the filter traps the call; the list below spells it out.\n"
	"- **Shape** says which arguments the decoder reads.\n"
	"- **Operation** is the word for it in a rule's `op`, and in the log.\n"
	"- **Group**: the call is refused unless a policy grants the group (`grant: [ptrace]`).\n"
	"\n";

static void add_markdown(struct strbuf *out)
{
	strbuf_add_fmt(out, markdown_head, trap_highest_known());
	strbuf_add_str(out, "| class | trapped when |\n|---|---|\n");
	for (size_t i = 0; i < ARRAY_SIZE(classes); i++)
		strbuf_add_fmt(out, "| %s | %s |\n", classes[i].name, classes[i].when);
	strbuf_add_str(out, "\n| name | number | class | shape | operation | group |\n"
			    "|---|---:|---|---|---|---|\n");
	for (size_t i = 0; i < trap_table_size; i++) {
		const struct trap_row *row = &trap_table[i];

		strbuf_add_fmt(out, "| %s | %d | %s | %s | %s | %s |\n", row->name, row->nr,
			       classes[row->class].name, shapes[row->shape], op_name(row->op),
			       row_group(row, ""));
	}
}

static int print(const struct strbuf *out)
{
	int r = strbuf_error(out);

	if (r == 0)
		r = io_write_all(STDOUT_FILENO, out->p, out->len);
	if (r == 0)
		return EXIT_SUCCESS;
	say("cannot write the table: %s", strerror(-r));
	return EXIT_FAILURE;
}

static const char usage[] = "usage: holdfast syscalls [--json|--markdown]\n";

int cmd_syscalls(int argc, char **argv)
{
	bool is_json = false, is_markdown = false;
	const struct option_row rows[] = {
		{"json", .flag = &is_json}, {"markdown", .flag = &is_markdown}, {}};
	const struct options options = {.command = "syscalls", .usage = usage, .rows = rows};
	_cleanup_(strbuf_fini) struct strbuf out = STRBUF_INIT(SYSCALLS_OUTPUT_MAX);
	int r = options_read_operands(&options, argc, argv, 0);

	if (r == 0 && is_json && is_markdown) {
		(void)fputs(usage, stderr);
		r = -EINVAL;
	}
	if (r)
		return r == OPTIONS_HELPED ? EXIT_SUCCESS : SYSCALLS_EXIT_USAGE;
	if (is_json)
		add_json(&out);
	else if (is_markdown)
		add_markdown(&out);
	else
		add_text(&out);
	return print(&out);
}
