/* SPDX-License-Identifier: Apache-2.0 */
/* `holdfast broker`, and how `run` starts it. */
#include <jansson.h>
#include <stdio.h>

#include "base/dirs.h"
#include "base/escape.h"
#include "base/say.h"
#include "broker/broker.h"

#include "cli/broker_start.h"
#include "cli/commands.h"
#include "cli/companion.h"
#include "cli/options.h"

static const char usage[] =
	"usage: holdfast broker [OPTIONS]\n"
	"\n"
	"Carries what your sessions hold to your desktop or phone, and answers back, as\n"
	"~/.config/holdfast/broker.yaml says (holdfast(1), BROKER). Sessions start it when that file\n"
	"is there; one of each user is enough. Without options it runs until it is interrupted.\n"
	"\n"
	"  --background  end when there was no session for a while (how sessions start it)\n"
	"  --check       only read the configuration, and say what is wrong with it\n"
	"  --status      what the running broker does and holds; --json: as it says it\n"
	"  --stop        end the running broker; sessions go on\n"
	"\n"
	"Exit status: 0, 1 it did not work or none is running, 2 wrong usage.\n";

struct broker_command {
	bool is_background, is_check, is_status, is_stop, is_json;
};

static void say_line(void *arg, const char *line)
{
	(void)arg;
	say("%s", line);
}

/* Return: 0; OPTIONS_HELPED; -EINVAL after saying what is wrong. */
static int parse_options(int argc, char **argv, struct broker_command *ret)
{
	const struct option_row rows[] = {{"background", .flag = &ret->is_background},
					  {"check", .flag = &ret->is_check},
					  {"status", .flag = &ret->is_status},
					  {"stop", .flag = &ret->is_stop},
					  {"json", .flag = &ret->is_json},
					  {}};
	const struct options options = {.command = "broker", .usage = usage, .rows = rows};

	return options_read_operands(&options, argc, argv, 0);
}

/* ---- asking one that runs */

static const char *string_at(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

static long long number_at(const json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key));
}

static void print_clean(const char *before, const char *text, const char *after)
{
	_cleanup_(strbuf_fini) struct strbuf clean = STRBUF_INIT(BROKER_REPLY_MAX);

	escape_terminal(&clean, bytes_of(text));
	(void)printf("%s%s%s", before, strbuf_str(&clean), after);
}

static void print_status(const json_t *o)
{
	const json_t *held = json_object_get(o, "held"), *problems = json_object_get(o, "problems");

	(void)printf("broker, process %lld: %zu sessions, %zu held\n", number_at(o, "pid"),
		     json_array_size(json_object_get(o, "sessions")), json_array_size(held));
	print_clean("  desktop   ", string_at(o, "desktop"), "\n");
	print_clean("  webhook   ", string_at(o, "webhook"), "");
	(void)printf(", %lld delivered, %lld lost\n", number_at(o, "delivered"),
		     number_at(o, "lost"));
	print_clean("  links     ", string_at(o, "links"), "\n");
	(void)printf("  answers   %lld carried, %lld attempts refused\n", number_at(o, "answers"),
		     number_at(o, "attempts"));
	for (size_t i = 0; i < json_array_size(held); i++) {
		const json_t *q = json_array_get(held, i);

		print_clean("  held      ", string_at(q, "id"), "");
		print_clean("  session ", string_at(q, "session"), "");
		(void)printf(", denied in %lld s\n", number_at(q, "left_ms") / 1000);
	}
	for (size_t i = 0; i < json_array_size(problems); i++)
		print_clean("  problem   ", json_string_value(json_array_get(problems, i)), "\n");
}

static int call(const char *request, const struct broker_command *o)
{
	_cleanup_(strbuf_fini) struct strbuf reply = STRBUF_INIT(BROKER_REPLY_MAX + 1);
	_cleanup_(json_decrefp) json_t *root = NULL;
	int r = broker_call(request, &reply);

	if (r == -ECONNREFUSED) {
		say("no broker is running");
		return 1;
	}
	if (r < 0) {
		say("the broker does not answer: %s", strerror(-r));
		return 1;
	}
	if (o->is_stop)
		return 0;
	if (o->is_json) {
		(void)printf("%s\n", strbuf_str(&reply));
		return 0;
	}
	root = json_loadb(reply.p, reply.len, 0, NULL);
	if (!root) {
		say("the broker's answer makes no sense");
		return 1;
	}
	print_status(root);
	return 0;
}

/* ---- being one */

static int serve(const struct broker_config *config, const struct broker_command *o)
{
	const struct broker_options options = {
		.config = config, .is_lingering = o->is_background, .say = say_line};
	struct diag d = {};
	int r;

	if (o->is_background && chdir("/") < 0)
		return 1;
	r = broker_run(&options, &d);
	if (r == -EALREADY && !o->is_background)
		say("you have a broker already; `holdfast broker --status` shows it");
	if (r == 0 || r == -EALREADY)
		return r && !o->is_background;
	if (d.message[0])
		say_diag("", &d);
	else
		say("the broker failed: %s", strerror(-r));
	return 1;
}

int cmd_broker(int argc, char **argv)
{
	_cleanup_(broker_config_fini) struct broker_config config = {};
	_cleanup_(freep) char *path = broker_config_path();
	struct broker_command o = {};
	struct diag d = {};
	int r = parse_options(argc, argv, &o);

	if (r)
		return r == OPTIONS_HELPED ? 0 : 2;
	if (o.is_status || o.is_stop)
		return call(o.is_stop ? "stop" : "status", &o);
	if (!path) {
		say("no place for the configuration: set HOME or XDG_CONFIG_HOME");
		return 1;
	}
	r = broker_config_load(path, &config, &d);
	if (r < 0 && r != -ENOENT) {
		say_diag("", &d);
		return 1;
	}
	if (o.is_check) {
		(void)printf("%s: %s\n", path, r == 0 ? "ok" : "there is none");
		return 0;
	}
	return serve(&config, &o);
}

/* ---- for `run` */

void broker_start(const struct broker_config *config)
{
	const char *const argv[] = {"holdfast", "broker", "--background", NULL};
	int r;

	if (!config->notifies && !config->webhook.url)
		return;
	r = companion_start(argv, NULL);
	if (r < 0)
		say("warning: cannot start the broker: %s; `holdfast held` shows what is held",
		    strerror(-r));
}
