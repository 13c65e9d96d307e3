/* SPDX-License-Identifier: Apache-2.0 */
#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "base/io.h"

#include "tests/attack/attack_net.h"

#define DECOY_PAGE_BYTES 4096
#define FNV_START        UINT64_C(0xcbf29ce484222325)
#define FNV_PRIME        UINT64_C(0x100000001b3)

/* ---- files */

static const char *const world_directories[] = {
	"w",
	"w/dir",
	"w/tmp",
	"w/.git",
	"w/.git/hooks",
	"w/.vscode",
	"secret",
	"secret/dir",
	"out",
	"out/dir",
	"evil",
	"bin",
	"home",
	"home/.ssh",
	"home/.ssh/agent",
	"home/.docker",
	"home/.docker/run",
	"home/.config",
	"home/.gnupg",
	"home/.aws",
	"home/.local",
	"home/bin",
	"policy",
	"state",
	"run",
};

/* @SECRET@ and @MARK@ stand for the world's own; @TOP@ for its directory. */
static const struct world_file {
	const char *path;
	mode_t mode;
	const char *content;
} world_files[] = {
	{"w/file", 0644, "mine\n"},
	{"w/.git/config", 0644, "[core]\n"},
	{"w/.env", 0600, "TOKEN=@SECRET@\n"},
	{"secret/id_rsa", 0600, "@SECRET@\n"},
	{"out/file", 0644, "untouched\n"},
	{"out/program", 0755, "#!/bin/sh\necho never\n"},
	{"home/.ssh/id_rsa", 0600, "@SECRET@\n"},
	{"home/.ssh/authorized_keys", 0600, "none\n"},
	{"home/.aws/credentials", 0600, "@SECRET@\n"},
	{"home/.bashrc", 0644, "# mine\n"},
	{"home/.profile", 0644, "# mine\n"},
	/* Called `at`: the policies that ship refuse it by name, PW because it is not listed. */
	{"evil/at", 0755, "#!/bin/sh\necho @MARK@\n"},
	/* For evil/crontab, a copy of echo: what it is to print. */
	{"w/mark", 0644, "@MARK@"},
	{"policy/pw.yaml", 0644,
	 "version: 1\nname: pw\ndefault: deny\nrules:\n"
	 "  - {name: work, match: {path: ['${project}/**']}, action: allow}\n"
	 "  - {name: system, match: {path: ['/usr/**', '/lib/**', '/lib64/**', '/bin/**', /etc/passwd, "
	 "/etc/ld.so.cache, '/proc/*/status', '@TOP@/bin/**'], op: read}, action: allow}\n"
	 "  - {name: devices, match: {path: ['/dev/{null,zero,urandom,tty}']}, action: allow}\n"
	 "  - {name: tools, match: {tool: ['@TOP@/bin/agent', '/usr/bin/{dash,bash,cat,ls,cp,mv,rm,ln,"
	 "true,touch,mkdir,env,git}', '/usr/bin/python3*']}, action: allow}\n"},
	{"policy/pn.yaml", 0644,
	 "version: 1\nname: pn\nextends: @TOP@/policy/pw.yaml\nrules:\n"
	 "  - {name: service, match: {address: 127.0.0.1, port: 8080}, action: allow}\n"},
	{"policy/pm.yaml", 0644,
	 "version: 1\nname: pm\nextends: @TOP@/policy/pw.yaml\ngrant: [namespaces, mount]\n"},
	{"policy/pv.yaml", 0644,
	 "version: 1\nname: pv\nextends: @TOP@/policy/pw.yaml\ndefault: {network: allow}\nrules:\n"
	 "  - {name: v4, match: {cidr: [169.254.0.0/16, 198.51.100.0/24]}, action: deny}\n"},
	{"policy/pa.yaml", 0644,
	 "version: 1\nname: pa\ndefault: allow\nrules:\n"
	 "  - {name: one, match: {path: '@TOP@/secret/none', op: read}, action: deny}\n"},
};

static void world_fill(const struct host *h, const char *text, struct strbuf *out)
{
	const struct {
		const char *word, *value;
	} words[] = {{"@SECRET@", h->secret}, {"@MARK@", h->mark}, {"@TOP@", h->top}};

	while (*text) {
		size_t i;

		for (i = 0; i < ARRAY_SIZE(words); i++)
			if (strncmp(text, words[i].word, strlen(words[i].word)) == 0)
				break;
		if (i < ARRAY_SIZE(words)) {
			strbuf_add_str(out, words[i].value);
			text += strlen(words[i].word);
		} else {
			strbuf_add_char(out, *text++);
		}
	}
}

static int world_write(const char *path, mode_t mode, struct bytes content)
{
	_cleanup_(fd_closep) int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode);

	if (fd < 0)
		return -errno;
	if (fchmod(fd, mode) < 0)
		return -errno;
	return io_write_all(fd, content.p, content.len);
}

static int world_copy(struct host *h, const char *from, const char *to)
{
	_cleanup_(strbuf_fini) struct strbuf text = STRBUF_INIT((size_t)64 << 20);
	int r = io_read_file_at(AT_FDCWD, from, &text);

	return r < 0 ? r : world_write(in(&h->world, "%s", to), 0755, strbuf_bytes(&text));
}

static int world_make_files(struct host *h)
{
	_cleanup_(strbuf_fini) struct strbuf text = STRBUF_INIT(65536);
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(world_directories); i++) {
		const char *name = world_directories[i];
		bool is_private = strncmp(name, "home/.", 6) == 0 || streq(name, "run");

		if (mkdir(in(&h->world, "%s", name), is_private ? 0700 : 0755) < 0)
			return -errno;
	}
	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(world_files); i++) {
		strbuf_reset(&text);
		world_fill(h, world_files[i].content, &text);
		r = world_write(in(&h->world, "%s", world_files[i].path), world_files[i].mode,
				strbuf_bytes(&text));
	}
	return r;
}

const char *world_policy(struct host *h, enum attack_policy p)
{
	switch (p) {
	case POLICY_SHIP:
		return "coding-agent";
	case POLICY_READ_ONLY:
		return "read-only";
	case POLICY_NO_NETWORK:
		return "no-network";
	case POLICY_PW:
		return in(&h->world, "policy/pw.yaml");
	case POLICY_PN:
		return in(&h->world, "policy/pn.yaml");
	case POLICY_PM:
		return in(&h->world, "policy/pm.yaml");
	case POLICY_PV:
		return in(&h->world, "policy/pv.yaml");
	case POLICY_PA:
		return in(&h->world, "policy/pa.yaml");
	case _POLICY_MAX:
		break;
	}
	return NULL;
}

/* ---- what must not change */

static uint64_t look_digest;

static void look_at(const void *p, size_t len)
{
	const unsigned char *byte = p;

	for (size_t i = 0; i < len; i++)
		look_digest = (look_digest ^ byte[i]) * FNV_PRIME;
}

/*
 * Times of change tell of attributes, links and entries, contents of what was written within one
 * tick of the clock. The log and what belongs to Holdfast are not looked at here.
 */
static int look_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	_cleanup_(strbuf_fini) struct strbuf text = STRBUF_INIT(1 << 20);
	const uint64_t values[] = {st->st_ino,
				   st->st_mode,
				   st->st_uid,
				   st->st_gid,
				   st->st_nlink,
				   (uint64_t)st->st_size,
				   (uint64_t)st->st_mtim.tv_sec,
				   (uint64_t)st->st_mtim.tv_nsec,
				   (uint64_t)st->st_ctim.tv_sec,
				   (uint64_t)st->st_ctim.tv_nsec};

	(void)ftw;
	look_at(path, strlen(path));
	look_at(values, sizeof(values));
	if (type == FTW_F && S_ISREG(st->st_mode) && io_read_file_at(AT_FDCWD, path, &text) == 0)
		look_at(text.p ? text.p : "", text.len);
	return 0;
}

static void world_look(const struct host *h, char ret[static 65])
{
	static const char *const trees[] = {"secret", "out",    "home",         "evil",
					    "bin",    "policy", "w/.git/hooks", "w/.env"};

	look_digest = FNV_START;
	for (size_t i = 0; i < ARRAY_SIZE(trees); i++)
		if (nftw(in(&h->world, "%s", trees[i]), look_entry, 16, FTW_PHYS) < 0)
			look_at("gone", 4);
	(void)snprintf(ret, 65, "%016llx", (unsigned long long)look_digest);
}

/* ---- the process outside */

static void decoy_run(const struct world *w, const char *secret)
{
	(void)prctl(PR_SET_PDEATHSIG, SIGKILL);
	(void)prctl(PR_SET_NAME, "decoy");
	/* What is done to its group natively is done to it alone. */
	(void)setpgid(0, 0);
	memcpy(w->page + 1, secret, strlen(secret) + 1);
	w->page[0] = WORLD_PAGE_VALUE;
	for (;;)
		(void)pause();
}

/* The page is shared with the host, which so sees what is written to the decoy's memory. */
static int decoy_start(struct host *h)
{
	h->world.page = mmap(NULL, DECOY_PAGE_BYTES, PROT_READ | PROT_WRITE,
			     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (h->world.page == MAP_FAILED)
		return -errno;
	h->world.decoy = fork();
	if (h->world.decoy < 0)
		return -errno;
	if (h->world.decoy == 0)
		decoy_run(&h->world, h->secret);
	for (int i = 0; i < 5000 && __atomic_load_n(h->world.page, __ATOMIC_ACQUIRE) == 0; i++)
		(void)usleep(1000);
	return __atomic_load_n(h->world.page, __ATOMIC_ACQUIRE) ? 0 : -ETIMEDOUT;
}

static bool decoy_is_traced(pid_t pid)
{
	_cleanup_(strbuf_fini) struct strbuf text = STRBUF_INIT(65536);
	uint64_t tracer = 0;

	if (io_read_file_at(AT_FDCWD, in(&(struct world){.top = "/proc"}, "%d/status", pid),
			    &text) < 0)
		return false;
	return parse_status_field(strbuf_str(&text), "TracerPid", &tracer) == 0 && tracer != 0;
}

/* Return: what befell it, or NULL. */
static const char *decoy_harm(const struct host *h)
{
	pid_t pid = h->world.decoy;
	struct rlimit now, own;
	siginfo_t info = {0};

	if (waitid(P_PID, (id_t)pid, &info, WEXITED | WSTOPPED | WNOHANG | WNOWAIT) < 0 ||
	    info.si_pid != 0)
		return "the process outside died or was stopped";
	if (h->world.page[0] != WORLD_PAGE_VALUE)
		return "the memory of the process outside was written";
	if (decoy_is_traced(pid))
		return "the process outside is traced";
	if (getpriority(PRIO_PROCESS, (id_t)pid) != getpriority(PRIO_PROCESS, 0) ||
	    sched_getscheduler(pid) != sched_getscheduler(0))
		return "the process outside is scheduled otherwise";
	for (int i = 0; i < RLIM_NLIMITS; i++)
		if (prlimit(pid, (enum __rlimit_resource)i, NULL, &now) < 0 ||
		    prlimit(0, (enum __rlimit_resource)i, NULL, &own) < 0 ||
		    now.rlim_cur != own.rlim_cur)
			return "the process outside has another limit";
	return NULL;
}

static void decoy_stop(struct host *h)
{
	if (h->world.decoy > 0) {
		(void)kill(h->world.decoy, SIGKILL);
		(void)waitpid(h->world.decoy, NULL, 0);
	}
	if (h->world.page && h->world.page != MAP_FAILED)
		(void)munmap(h->world.page, DECOY_PAGE_BYTES);
}

/* ---- sockets */

static int listen_unix(struct host *h, const char *path, int type)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -errno;
	h->listeners[h->n_listeners++] = fd;
	(void)snprintf(sun.sun_path, sizeof(sun.sun_path), "%s", path);
	if (bind(fd, (struct sockaddr *)&sun, sizeof(sun)) < 0)
		return -errno;
	return type == SOCK_STREAM && listen(fd, 16) < 0 ? -errno : 0;
}

static int world_listen(struct host *h)
{
	static const struct {
		const char *path;
		int type;
	} sockets[] = {
		{"home/.docker/run/docker.sock", SOCK_STREAM},
		{"home/.docker/run/datagram.sock", SOCK_DGRAM},
		{"home/.ssh/agent/s", SOCK_STREAM},
		{"home/.gnupg/S.gpg-agent", SOCK_STREAM},
	};
	int r = 0;

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(sockets); i++)
		r = listen_unix(h, in(&h->world, "%s", sockets[i].path), sockets[i].type);
	return r;
}

static bool socket_was_reached(int fd)
{
	char byte;
	int client = accept4(fd, NULL, NULL, SOCK_CLOEXEC);

	if (client >= 0) {
		(void)close(client);
		return true;
	}
	/* A datagram may be empty. */
	return recv(fd, &byte, 1, MSG_DONTWAIT) >= 0;
}

/* ---- all of it */

static int world_words(struct host *h)
{
	unsigned char random[32];

	if (getrandom(random, sizeof(random), 0) != (ssize_t)sizeof(random))
		return -EIO;
	for (size_t i = 0; i < 16; i++) {
		(void)snprintf(h->secret + 2 * i, 3, "%02x", random[i]);
		(void)snprintf(h->mark + 2 * i, 3, "%02x", random[16 + i]);
	}
	return 0;
}

int world_make(struct host *h, const char *parent, const char *self, bool has_network)
{
	int r;

	*h = (struct host){.output = -1};
	if (snprintf(h->top, sizeof(h->top), "%s/wXXXXXX", parent) >= (int)sizeof(h->top))
		return -ENAMETOOLONG;
	if (!mkdtemp(h->top) || chmod(h->top, 0755) < 0)
		return -errno;
	h->world.top = h->top;
	r = world_words(h);
	r = r < 0 ? r : world_make_files(h);
	r = r < 0 ? r : world_copy(h, self, "bin/agent");
	r = r < 0 ? r : world_copy(h, "/usr/bin/echo", "evil/crontab");
	r = r < 0 ? r : decoy_start(h);
	r = r < 0 ? r : world_listen(h);
	if (r == 0 && has_network)
		r = attack_net_listen(h);
	if (r < 0)
		return r;
	h->output = open(in(&h->world, "output"), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	return h->output < 0 ? -errno : 0;
}

int world_remember(struct host *h)
{
	world_look(h, h->look);
	return 0;
}

int world_output(const struct host *h, struct strbuf *out)
{
	if (lseek(h->output, 0, SEEK_SET) < 0)
		return -errno;
	return io_read_all(h->output, out);
}

static unsigned int effect(struct strbuf *out, enum attack_effect e, const char *what)
{
	strbuf_add_fmt(out, "# effect: %s\n", what);
	return 1u << e;
}

unsigned int world_effects(struct host *h, struct strbuf *out)
{
	_cleanup_(strbuf_fini) struct strbuf text = STRBUF_INIT(WORLD_OUTPUT_MAX);
	const char *harm = decoy_harm(h);
	unsigned int found = 0;
	char now[65];

	world_look(h, now);
	if (!streq(now, h->look))
		found |= effect(out, EFFECT_CHANGED, "a protected file or directory changed");
	if (world_output(h, &text) < 0)
		found |= effect(out, EFFECT_LEAKED, "the output is more than can be read");
	if (text.p && memmem(text.p, text.len, h->secret, strlen(h->secret)))
		found |= effect(out, EFFECT_LEAKED, "the secret leaked");
	if (text.p && memmem(text.p, text.len, h->mark, strlen(h->mark)))
		found |= effect(out, EFFECT_RAN, "the forbidden program ran");
	for (size_t i = 0; i < h->n_listeners; i++)
		if (socket_was_reached(h->listeners[i]))
			found |= effect(out, EFFECT_REACHED, "a forbidden socket was reached");
	if (harm)
		found |= effect(out, EFFECT_DECOY, harm);
	return found;
}

/* Entry by entry: an attack may have made paths longer than the kernel takes. */
static void unmake_entries(int fd)
{
	DIR *d = fdopendir(fd);
	struct dirent *e;

	while (d && (e = readdir(d))) {
		int sub = -1;

		if (streq(e->d_name, ".") || streq(e->d_name, "..") ||
		    unlinkat(dirfd(d), e->d_name, 0) == 0)
			continue;
		if (fchmodat(dirfd(d), e->d_name, 0700, 0) < 0)
			continue;
		sub = openat(dirfd(d), e->d_name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
		if (sub >= 0)
			unmake_entries(sub);
		if (unlinkat(dirfd(d), e->d_name, AT_REMOVEDIR) < 0)
			fprintf(stderr, "# attack: '%.40s' stays: %s\n", e->d_name,
				strerror(errno));
	}
	if (d)
		(void)closedir(d);
}

static void world_remove(const struct host *h)
{
	int fd = open(h->top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd >= 0)
		unmake_entries(fd);
	if (rmdir(h->top) < 0)
		fprintf(stderr, "# attack: '%s' stays: %s\n", h->top, strerror(errno));
}

void world_unmake(struct host *h)
{
	decoy_stop(h);
	for (size_t i = 0; i < h->n_listeners; i++)
		h->listeners[i] = fd_close(h->listeners[i]);
	h->output = fd_close(h->output);
	if (h->world.top && !getenv("ATTACK_KEEP"))
		world_remove(h);
}
