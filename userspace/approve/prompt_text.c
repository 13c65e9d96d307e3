/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>

#include "approve/prompt_private.h"
#include "base/escape.h"
#include "base/io.h"

#define SHOW_COMMAND_BYTES                                                                         \
	1500 /* of a command line: head and tail, since either may hold the danger */
#define SHOW_STRING_BYTES 400

static void add_row(struct strbuf *out, const char *label, struct bytes s, size_t max)
{
	if (!s.p)
		return;
	strbuf_add_fmt(out, "  %-9s ", label);
	escape_terminal_max(out, s, max);
	strbuf_add_char(out, '\n');
}

static void add_command(struct strbuf *out, const struct audit_record *r)
{
	_cleanup_(strbuf_fini) struct strbuf line = STRBUF_INIT(2 * AUDIT_STRING_MAX);

	for (size_t i = 0; i < r->argc; i++) {
		if (i)
			strbuf_add_char(&line, ' ');
		strbuf_add_bytes(&line, r->argv[i]);
	}
	add_row(out, "command", strbuf_bytes(&line), SHOW_COMMAND_BYTES);
	if (r->argv_truncated)
		strbuf_add_fmt(out, "  %-9s NOT ALL OF IT IS SHOWN: it has %zu arguments in all\n",
			       "", r->argc_total);
}

static void add_process(struct strbuf *out, const struct audit_record *r)
{
	strbuf_add_fmt(out, "  %-9s %d", "process", r->pid);
	if (r->exe.p) {
		strbuf_add_str(out, " ");
		escape_terminal_max(out, r->exe, SHOW_STRING_BYTES);
	}
	strbuf_add_char(out, '\n');
}

void prompt_write_text(const struct held *h, uint64_t now_ns, struct strbuf *out)
{
	const struct audit_record *r = &h->record;
	uint64_t left_s = h->deadline_ns > now_ns ? (h->deadline_ns - now_ns) / NS_PER_SEC : 0;

	strbuf_add_fmt(out, "\nholdfast: held, waiting for you: %s (%s)\n", op_name(r->op),
		       kind_name(r->kind));
	if (r->argc)
		add_command(out, r);
	add_row(out, r->kind == KIND_TOOL ? "program" : "object", r->object, SHOW_STRING_BYTES);
	if (r->object.p && r->asked.p && !bytes_eq(r->object, r->asked))
		add_row(out, "asked as", r->asked, SHOW_STRING_BYTES);
	for (size_t i = 0; r->op != OP_RESOLVE && i < h->subject.n_names; i++)
		add_row(out, "known as", h->subject.names[i], SHOW_STRING_BYTES);
	add_row(out, "listens", r->listener, SHOW_STRING_BYTES);
	add_row(out, "other", r->object2, SHOW_STRING_BYTES);
	add_row(out, "runs by", r->interpreter, SHOW_STRING_BYTES);
	add_row(out, "in", r->cwd, SHOW_STRING_BYTES);
	add_process(out, r);
	add_row(out, "policy", r->policy, SHOW_STRING_BYTES);
	add_row(out, "rule", r->rule, SHOW_STRING_BYTES);
	add_row(out, "reason", r->reason, SHOW_STRING_BYTES);
	add_row(out, "instead", r->suggest, SHOW_STRING_BYTES);
	strbuf_add_fmt(
		out, "  %-9s denied in %llu s; elsewhere: holdfast approve %s | holdfast deny %s\n",
		"deadline", (unsigned long long)left_s, h->id, h->id);
	strbuf_add_str(out, "Allow this once? [y/N] ");
}

/* The process group of @pid, from field 5 of its stat; 0 when it is gone. */
static pid_t group_of(int proc, const char *pid)
{
	char path[64], text[1024];
	_cleanup_(fd_closep) int fd = -1;
	const char *p;
	ssize_t len;
	int group;

	(void)snprintf(path, sizeof(path), "%s/stat", pid);
	fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	len = read(fd, text, sizeof(text) - 1);
	if (len <= 0)
		return 0;
	text[len] = '\0';
	p = strrchr(text, ')'); /* the name before it may hold anything */
	return p && sscanf(p + 1, " %*c %*d %d", &group) == 1 ? group : 0;
}

bool prompt_group_is_in_session(pid_t group, pid_t supervisor)
{
	_cleanup_(io_closedirp) DIR *proc = NULL;
	const struct dirent *entry;

	/* Usually the leader lives; of "a | b" it may have ended, then any member tells. */
	if (action_pid_descends_from(group, supervisor) == 1)
		return true;
	if (kill(group, 0) == 0) /* it lives, and is not in the session */
		return false;
	proc = opendir("/proc");
	while (proc && (entry = readdir(proc))) {
		uint64_t pid;

		if (parse_u64(bytes_of(entry->d_name), INT32_MAX, &pid) < 0)
			continue;
		if (group_of(dirfd(proc), entry->d_name) == group)
			return action_pid_descends_from((pid_t)pid, supervisor) == 1;
	}
	return false;
}
