/* SPDX-License-Identifier: Apache-2.0 */
/*
 * holdfast-page: what `holdfast page` runs. A program of its own, because it speaks to browsers.
 */
#include <fcntl.h>
#include <getopt.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <sys/prctl.h>

#include "base/dirs.h"
#include "base/io.h"
#include "base/say.h"

#include "page/page.h"

#define END_S 3 /* how long the end may take */

static const char usage[] =
	"usage: holdfast page [OPTIONS]\n"
	"\n"
	"Serves a web page with what is held, with answers, what is decided, sessions and their\n"
	"processes, the log and reports. Prints a link that lets one browser in, once, and the next\n"
	"one when it was used. Runs until it is interrupted.\n"
	"\n"
	"  --port N       the port (default: any that is free)\n"
	"  --listen ADDR  the address (default: 127.0.0.1). On any but loopback everything,\n"
	"                 answers too, crosses the network readable: better is `ssh -L`\n"
	"  --open         open the link in the browser\n"
	"\n"
	"Exit status: 0 interrupted, 1 it cannot be served, 2 wrong usage.\n";

struct options {
	struct page_config config;
	bool is_open;
};

static void print_link(void *arg, const char *url)
{
	(void)arg;
	/* The page goes on without anybody who reads this. */
	(void)printf("%s\n", url);
	(void)fflush(stdout);
}

static void print_attempt(void *arg, const char *line)
{
	(void)arg;
	say("%s", line);
}

/* Return: 0; 1 after --help; 2 after saying what is wrong. */
static int parse_options(int argc, char **argv, struct options *ret)
{
	static const struct option options[] = {
		{"port", required_argument, NULL, 'p'},    {"listen", required_argument, NULL, 'l'},
		{"open", no_argument, NULL, 'o'},          {"help", no_argument, NULL, 'h'},
		{"program", required_argument, NULL, 'P'}, {NULL, 0, NULL, 0},
	};
	uint64_t port;
	int c;

	while ((c = getopt_long(argc, argv, "h", options, NULL)) != -1) {
		switch (c) {
		case 'p':
			if (parse_u64(bytes_of(optarg), UINT16_MAX, &port) < 0) {
				say("--port '%s': expected a number up to 65535", optarg);
				return 2;
			}
			ret->config.port = (uint16_t)port;
			break;
		case 'l':
			ret->config.address = optarg;
			break;
		case 'o':
			ret->is_open = true;
			break;
		case 'P':
			ret->config.program = optarg;
			break;
		case 'h':
			(void)fputs(usage, stdout);
			return 1;
		default: /* getopt_long() has said what is wrong */
			return 2;
		}
	}
	if (optind < argc) {
		say("page: expected no argument, got '%s'", argv[optind]);
		return 2;
	}
	if (!ret->config.program) {
		say("start this with `holdfast page`");
		return 2;
	}
	return 0;
}

/* ---- --open */

/* The link would be in the browser's arguments, which every process of the user can read, agents
 * too; so it is handed over in a file in the directory that no agent can reach. */
static char *write_opener(const char *url)
{
	_cleanup_(freep) char *dir = dirs_runtime(), *path = NULL;
	_cleanup_(strbuf_fini) struct strbuf html = STRBUF_INIT(4096);
	_cleanup_(fd_closep) int fd = -1;

	path = dir ? str_format("%s/page-%d.html", dir, getpid()) : NULL;
	if (!path || io_mkdir_p(dir, 0700) < 0)
		return NULL;
	(void)unlink(path);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	strbuf_add_fmt(&html,
		       "<!DOCTYPE html><meta charset=\"utf-8\"><meta name=\"referrer\" "
		       "content=\"no-referrer\"><meta http-equiv=\"refresh\" "
		       "content=\"0;url=%s\"><title>Holdfast</title>",
		       url);
	if (fd < 0 || io_write_all(fd, strbuf_str(&html), html.len) < 0)
		return NULL;
	return TAKE_PTR(path);
}

/* Return: the file to remove at the end; NULL. */
static char *open_browser(const char *url)
{
	char program[] = "xdg-open", *argv[] = {program, NULL, NULL};
	char *path = write_opener(url);
	posix_spawnattr_t attr;
	sigset_t none;
	pid_t pid;
	int r;

	if (!path) {
		say("cannot write a file for the browser: %s; open the link yourself",
		    strerror(errno));
		return NULL;
	}
	argv[1] = path;
	(void)posix_spawnattr_init(&attr);
	(void)sigemptyset(&none);
	(void)posix_spawnattr_setsigmask(&attr, &none);
	(void)posix_spawnattr_setflags(&attr, POSIX_SPAWN_SETSIGMASK);
	r = posix_spawnp(&pid, program, NULL, &attr, argv, environ);
	(void)posix_spawnattr_destroy(&attr);
	if (r)
		say("cannot run xdg-open: %s; open the link yourself", strerror(r));
	return path;
}

static void give_up(_unused_ int signal_number)
{
	_exit(0);
}

static int serve(const struct options *o)
{
	_cleanup_(freep) char *link = NULL, *opener = NULL;
	struct page *page = NULL;
	struct diag d = {};
	sigset_t signals;
	int signal_number, r;

	(void)sigemptyset(&signals);
	(void)sigaddset(&signals, SIGINT);
	(void)sigaddset(&signals, SIGTERM);
	(void)sigaddset(&signals, SIGHUP);
	(void)sigprocmask(SIG_BLOCK, &signals, NULL);
	(void)signal(SIGPIPE, SIG_IGN);
	r = page_new(&o->config, &page, &d);
	if (r < 0) {
		say("%s", d.message[0] ? d.message : strerror(-r));
		return 1;
	}
	link = page_link(page);
	if (!page_is_loopback(page))
		say("this page is not on loopback: whoever can read the network can answer");
	if (link) {
		print_link(NULL, link);
		if (o->is_open)
			opener = open_browser(link);
	}
	while (sigwait(&signals, &signal_number) != 0)
		;
	if (opener)
		(void)unlink(opener);
	/* What is at work may be waiting for a session that hangs. Nothing is lost with it. */
	(void)signal(SIGALRM, give_up);
	(void)alarm(END_S);
	page_free(page);
	return 0;
}

int main(int argc, char **argv)
{
	struct options o = {.config = {.address = "127.0.0.1",
				       .on_link = print_link,
				       .on_attempt = print_attempt}};
	int r = parse_options(argc, argv, &o);

	if (r)
		return r == 1 ? 0 : r;
	/* It has the tokens in its memory. */
	if (prctl(PR_SET_DUMPABLE, 0) < 0) {
		say("cannot protect this process: %s", strerror(errno));
		return 1;
	}
	return serve(&o);
}
