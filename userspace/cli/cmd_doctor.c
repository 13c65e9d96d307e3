/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `holdfast doctor`: what this machine offers, each mechanism tried, and what would enable the
 * rest; then what the default policy's session would stand on. --json is a contract.
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
#include "cli/policy_use.h"
#include "cli/shown_plan.h"

#define DOCTOR_OUTPUT_MAX ((size_t)1 << 16)
#define DOCTOR_EXIT_USAGE 2
#define DOCTOR_POLICY     "coding-agent" /* of `run` and `policy explain` without --policy */

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

/* @plan: NULL where nothing can be said of it. */
static void add_text(struct strbuf *out, const struct probe_result *results,
		     const struct shown_plan *plan)
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
	if (plan) {
		strbuf_add_str(out, "\nThe policy " DOCTOR_POLICY " with --layers auto:\n\n");
		shown_plan_print(plan, out);
	}
	strbuf_add_str(out, is_healthy(results)
				    ? "\nSessions can run here.\n"
				    : "\nSomething that is needed is missing or broken.\n");
}

static void add_json(struct strbuf *out, const struct probe_result *results,
		     const struct shown_plan *plan)
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
	if (plan) {
		json_key(&j, "plan");
		json_begin_object(&j);
		json_key_cstr(&j, "policy", DOCTOR_POLICY);
		json_key(&j, "layers");
		plan_add_layers(&j, &plan->plan);
		json_end_object(&j);
	}
	json_end_object(&j);
	strbuf_add_char(out, '\n');
}

/* Return: whether there is one: not where the policies are not, nor inside of a session. */
static bool make_plan(const struct probe_context *context, struct shown_plan *ret)
{
	const struct layer_wishes wishes = {.is_auto = true};
	_cleanup_(policy_use_fini) struct policy_use use = {.is_quiet = true};

	use.policies[use.n_policies++] = DOCTOR_POLICY;
	if (context->is_supervised || policy_use_load(&use) < 0)
		return false;
	shown_plan_make(&use.set, wishes, ret);
	return true;
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
	struct shown_plan plan;
	bool has_plan;
	int r = options_read_operands(&options, argc, argv, 0);

	if (r)
		return r == OPTIONS_HELPED ? EXIT_SUCCESS : DOCTOR_EXIT_USAGE;
	if (!results)
		return EXIT_FAILURE;
	probe_context_init(&context);
	for (size_t i = 0; i < n_probes; i++)
		probe_run(&probes[i], &context, &results[i]);
	has_plan = make_plan(&context, &plan);
	if (is_json)
		add_json(&out, results, has_plan ? &plan : NULL);
	else
		add_text(&out, results, has_plan ? &plan : NULL);
	r = strbuf_error(&out);
	if (r == 0)
		r = io_write_all(STDOUT_FILENO, out.p, out.len);
	if (r < 0)
		say("cannot write the report: %s", strerror(-r));
	return r == 0 && is_healthy(results) ? EXIT_SUCCESS : EXIT_FAILURE;
}
