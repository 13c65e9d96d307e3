/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `holdfast doctor`: what this machine offers, each mechanism tried, and what would enable the
 * rest. --json is a contract.
 */
#include <stdio.h>
#include <sys/utsname.h>

#include "base/escape.h"
#include "base/io.h"
#include "base/json.h"
#include "base/say.h"

#include "loader/probe.h"

#include "cli/commands.h"
#include "cli/options.h"

#define DOCTOR_OUTPUT_MAX ((size_t)1 << 16)
#define DOCTOR_EXIT_USAGE 2

/* Whether a session can start, and whether all that is there does its work. */
static bool is_healthy(const struct probe_result *results)
{
	for (size_t i = 0; i < n_probes; i++)
		if (results[i].state == PROBE_BROKEN ||
		    (probes[i].is_required && results[i].state != PROBE_YES))
			return false;
	return true;
}

static const char *kernel_release(struct utsname *name)
{
	return uname(name) < 0 ? "unknown" : name->release;
}

static void add_text(struct strbuf *out, const struct probe_result *results)
{
	struct utsname name;

	strbuf_add_fmt(out, "Linux %s\n\n", kernel_release(&name));
	for (size_t i = 0; i < n_probes; i++) {
		const struct probe_result *r = &results[i];

		strbuf_add_fmt(out, "%-18s %-8s %s\n", probes[i].name, probe_state_name(r->state),
			       probes[i].what);
		if (*r->detail) {
			strbuf_add_fmt(out, "%-27s ", "");
			escape_terminal(out, bytes_of(r->detail));
			strbuf_add_char(out, '\n');
		}
		if (*r->enable)
			strbuf_add_fmt(out, "%-27s to enable: %s\n", "", r->enable);
	}
	strbuf_add_str(out, is_healthy(results)
				    ? "\nSessions can run here.\n"
				    : "\nSomething that is needed is missing or broken.\n");
}

static void add_json(struct strbuf *out, const struct probe_result *results)
{
	struct json j = JSON_INIT(out);
	struct utsname name;

	json_begin_object(&j);
	json_key_cstr(&j, "kernel", kernel_release(&name));
	json_key_bool(&j, "ok", is_healthy(results));
	json_key(&j, "layers");
	json_begin_array(&j);
	for (size_t i = 0; i < n_probes; i++) {
		const struct probe_result *r = &results[i];

		json_begin_object(&j);
		json_key_cstr(&j, "name", probes[i].name);
		json_key_cstr(&j, "state", probe_state_name(r->state));
		json_key_bool(&j, "required", probes[i].is_required);
		json_key_cstr(&j, "reason", *r->detail ? r->detail : NULL);
		json_key_cstr(&j, "enable", *r->enable ? r->enable : NULL);
		json_end_object(&j);
	}
	json_end_array(&j);
	json_end_object(&j);
	strbuf_add_char(out, '\n');
}

static const char usage[] = "usage: holdfast doctor [--json]\n";

int cmd_doctor(int argc, char **argv)
{
	bool is_json = false;
	const struct option_row rows[] = {{"json", .flag = &is_json}, {}};
	const struct options options = {.command = "doctor", .usage = usage, .rows = rows};
	_cleanup_(strbuf_fini) struct strbuf out = STRBUF_INIT(DOCTOR_OUTPUT_MAX);
	_cleanup_(freep) struct probe_result *results = calloc(n_probes, sizeof(*results));
	struct probe_context context;
	int r = options_read_operands(&options, argc, argv, 0);

	if (r)
		return r == OPTIONS_HELPED ? EXIT_SUCCESS : DOCTOR_EXIT_USAGE;
	if (!results)
		return EXIT_FAILURE;
	probe_context_init(&context);
	for (size_t i = 0; i < n_probes; i++)
		probe_run(&probes[i], &context, &results[i]);
	if (is_json)
		add_json(&out, results);
	else
		add_text(&out, results);
	r = strbuf_error(&out);
	if (r == 0)
		r = io_write_all(STDOUT_FILENO, out.p, out.len);
	if (r < 0)
		say("cannot write the report: %s", strerror(-r));
	return r == 0 && is_healthy(results) ? EXIT_SUCCESS : EXIT_FAILURE;
}
