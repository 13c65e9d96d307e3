/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Getting somebody else to do it: sockets of daemons and agents, and files that make the user's own
 * programs run something later. The home is the world's.
 */
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>

#include "base/io.h"

#include "tests/attack/attack.h"

#define DOCKER "home/.docker/run/docker.sock"

/* ---- sockets */

static int connect_unix(const char *path, int type)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, type | SOCK_CLOEXEC, 0);

	if (fd < 0 || strlen(path) >= sizeof(sun.sun_path))
		return attack_cannot("the path of the socket is too long");
	memcpy(sun.sun_path, path, strlen(path));
	/* Without the NUL at the end, which the kernel does not need. */
	if (connect(fd, (struct sockaddr *)&sun,
		    (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(path))) < 0)
		return -errno;
	return send(fd, "x", 1, MSG_NOSIGNAL) < 0 ? -errno : 0;
}

static int docker(const struct world *w)
{
	return connect_unix(in(w, DOCKER), SOCK_STREAM);
}

static int docker_relative(const struct world *w)
{
	(void)w;
	return connect_unix("../" DOCKER, SOCK_STREAM);
}

static int docker_after_chdir(const struct world *w)
{
	if (chdir(in(w, "home/.docker/run")) < 0)
		return -errno;
	return connect_unix("docker.sock", SOCK_STREAM);
}

static int docker_by_symlink(const struct world *w)
{
	if (symlink(in(w, DOCKER), "sock") < 0)
		return -errno;
	return connect_unix("sock", SOCK_STREAM);
}

static int docker_by_symlinked_directory(const struct world *w)
{
	if (symlink(in(w, "home/.docker"), "d") < 0)
		return -errno;
	return connect_unix("d/run/docker.sock", SOCK_STREAM);
}

static int docker_by_hard_link(const struct world *w)
{
	if (link(in(w, DOCKER), "sock") < 0)
		return -errno;
	return connect_unix("sock", SOCK_STREAM);
}

static int docker_by_rename(const struct world *w)
{
	if (rename(in(w, DOCKER), "sock") < 0)
		return -errno;
	return connect_unix("sock", SOCK_STREAM);
}

static int docker_by_descriptor(const struct world *w)
{
	int fd = open(in(w, DOCKER), O_PATH | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	return connect_unix(in(&(struct world){.top = "/proc/self/fd"}, "%d", fd), SOCK_STREAM);
}

static int docker_by_directory(const struct world *w)
{
	int fd = open(in(w, "home/.docker/run"), O_PATH | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	return connect_unix(in(&(struct world){.top = "/proc/self/fd"}, "%d/docker.sock", fd),
			    SOCK_STREAM);
}

static int docker_by_proc_root(const struct world *w)
{
	return connect_unix(in(&(struct world){.top = "/proc/self/root"}, "%s", in(w, DOCKER)),
			    SOCK_STREAM);
}

static int datagram(const struct world *w, int how)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX};
	struct iovec io = {.iov_base = (char[]){'x'}, .iov_len = 1};
	struct mmsghdr m = {.msg_hdr = {.msg_name = &sun,
					.msg_namelen = sizeof(sun),
					.msg_iov = &io,
					.msg_iovlen = 1}};
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	(void)w;
	(void)snprintf(sun.sun_path, sizeof(sun.sun_path), "../home/.docker/run/datagram.sock");
	if (how == 0)
		return outcome(sendto(fd, "x", 1, 0, (struct sockaddr *)&sun, sizeof(sun)));
	if (how == 1)
		return outcome(sendmsg(fd, &m.msg_hdr, 0));
	if (how == 2)
		return outcome(sendmmsg(fd, &m, 1, 0));
	if (connect(fd, (struct sockaddr *)&sun, sizeof(sun)) < 0)
		return -errno;
	return outcome(write(fd, "x", 1));
}

static int datagram_sendto(const struct world *w)
{
	return datagram(w, 0);
}

static int datagram_sendmsg(const struct world *w)
{
	return datagram(w, 1);
}

static int datagram_sendmmsg(const struct world *w)
{
	return datagram(w, 2);
}

static int datagram_connect(const struct world *w)
{
	return datagram(w, 3);
}

static int ssh_agent(const struct world *w)
{
	(void)w;
	return connect_unix("../home/.ssh/agent/s", SOCK_STREAM);
}

static int gpg_agent(const struct world *w)
{
	(void)w;
	return connect_unix("../home/.gnupg/S.gpg-agent", SOCK_STREAM);
}

/* Between processes of the session: theirs. */
static int own_socket(const struct world *w)
{
	struct sockaddr_un sun = {.sun_family = AF_UNIX, .sun_path = "own.sock"};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)w;
	if (bind(fd, (struct sockaddr *)&sun, sizeof(sun)) < 0 || listen(fd, 1) < 0)
		return -errno;
	return connect_unix("own.sock", SOCK_STREAM);
}

/* ---- files that run by themselves later */

static int append(const struct world *w, const char *path)
{
	const char *full = in(w, "%s", path);
	char parent[4096];

	(void)snprintf(parent, sizeof(parent), "%.*s", (int)(strrchr(full, '/') - full), full);
	if (access(parent, F_OK) < 0) {
		int r = io_mkdir_p(parent, 0755);

		if (r < 0)
			return r;
	}
	return scribble_fd(open(full, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644));
}

#define TARGETS                                                                                    \
	X(bashrc, "home/.bashrc", "T098")                                                          \
	X(bash_profile, "home/.bash_profile", "K")                                                 \
	X(profile, "home/.profile", "K")                                                           \
	X(zshrc, "home/.zshrc", "K")                                                               \
	X(zshenv, "home/.zshenv", "K")                                                             \
	X(fish, "home/.config/fish/config.fish", "K")                                              \
	X(inputrc, "home/.inputrc", "K")                                                           \
	X(vimrc, "home/.vimrc", "K")                                                               \
	X(nvim, "home/.config/nvim/init.lua", "K")                                                 \
	X(emacs, "home/.emacs.d/init.el", "K")                                                     \
	X(tmux_conf, "home/.tmux.conf", "K")                                                       \
	X(authorized_keys, "home/.ssh/authorized_keys", "T098 K")                                  \
	X(ssh_config, "home/.ssh/config", "K")                                                     \
	X(gpg_conf, "home/.gnupg/gpg.conf", "K")                                                   \
	X(gitconfig, "home/.gitconfig", "K")                                                       \
	X(git_config, "home/.config/git/config", "K")                                              \
	X(netrc, "home/.netrc", "K")                                                               \
	X(npmrc, "home/.npmrc", "K")                                                               \
	X(pypirc, "home/.pypirc", "K")                                                             \
	X(pip, "home/.config/pip/pip.conf", "K")                                                   \
	X(cargo, "home/.cargo/config.toml", "K")                                                   \
	X(maven, "home/.m2/settings.xml", "K")                                                     \
	X(docker_config, "home/.docker/config.json", "K")                                          \
	X(kube, "home/.kube/config", "K")                                                          \
	X(aws, "home/.aws/config", "K")                                                            \
	X(systemd_unit, "home/.config/systemd/user/x.service", "T098 K")                           \
	X(autostart, "home/.config/autostart/x.desktop", "K")                                      \
	X(applications, "home/.local/share/applications/x.desktop", "K")                           \
	X(local_bin, "home/.local/bin/git", "T098 K")                                              \
	X(home_bin, "home/bin/git", "K")                                                           \
	X(site_packages, "home/.local/lib/python3.11/site-packages/x.pth", "K")                    \
	X(vscode_user, "home/.config/Code/User/settings.json", "K")                                \
	X(git_hook, "w/.git/hooks/post-commit", "T096 T160 K")                                     \
	X(vscode, "w/.vscode/tasks.json", "K")                                                     \
	X(envrc, "w/.envrc", "K")                                                                  \
	X(mcp, "w/.mcp.json", "K")                                                                 \
	X(claude, "w/.claude/settings.json", "K")                                                  \
	X(idea, "w/.idea/workspace.xml", "K")                                                      \
	X(cursor, "w/.cursor/mcp.json", "K")                                                       \
	X(crontab_spool, "out/spool", "K")

#define X(function, path, ids)                                                                     \
	static int append_##function(const struct world *w)                                        \
	{                                                                                          \
		return append(w, path);                                                            \
	}
TARGETS
#undef X

static int rename_over_hook(const struct world *w)
{
	(void)w;
	return outcome(rename("file", ".git/hooks/pre-commit"));
}

static int link_over_hook(const struct world *w)
{
	(void)w;
	return outcome(link("file", ".git/hooks/pre-commit"));
}

static int symlink_over_hook(const struct world *w)
{
	(void)w;
	return outcome(symlink("../../file", ".git/hooks/pre-commit"));
}

static int move_hooks_away(const struct world *w)
{
	(void)w;
	if (rename(".git/hooks", "plain") < 0)
		return -errno;
	return scribble_fd(open("plain/pre-commit", O_WRONLY | O_CREAT | O_CLOEXEC, 0755));
}

static int move_git_away(const struct world *w)
{
	(void)w;
	if (rename(".git", "plain") < 0)
		return -errno;
	return scribble_fd(open("plain/hooks/pre-commit", O_WRONLY | O_CREAT | O_CLOEXEC, 0755));
}

static int rename_over_keys(const struct world *w)
{
	return outcome(rename("file", in(w, "home/.ssh/authorized_keys")));
}

static int link_bashrc(const struct world *w)
{
	if (link(in(w, "home/.bashrc"), "rc") < 0)
		return -errno;
	return scribble_fd(open("rc", O_WRONLY | O_APPEND | O_CLOEXEC));
}

static int bashrc_by_symlink(const struct world *w)
{
	if (symlink(in(w, "home/.bashrc"), "rc") < 0)
		return -errno;
	return scribble_fd(open("rc", O_WRONLY | O_APPEND | O_CLOEXEC));
}

#define REACHES(fact, ids, attack)                                                                 \
	{                                                                                          \
		fact, ids, attack, SHIP | READ_ONLY | PW, .effect = EFFECT_REACHED                 \
	}
/* PW does not give the directories on the way. */
#define CHANGES(fact, ids, attack)                                                                 \
	{                                                                                          \
		fact, ids, attack, SHIP, .effect = EFFECT_CHANGED                                  \
	}

/* ---- names without a file */

static int abstract_listener = -1;

static socklen_t abstract_name(const struct world *w, struct sockaddr_un *sun)
{
	const char *name = strrchr(w->top, '/') + 1;
	size_t len = strlen(name);

	*sun = (struct sockaddr_un){.sun_family = AF_UNIX};
	/* A NUL is a byte of it like any other. */
	memcpy(sun->sun_path + 1, name, len);
	memcpy(sun->sun_path + 1 + len, "\0x", 2);
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len + 3);
}

static int make_abstract(const struct world *w)
{
	struct sockaddr_un sun;
	socklen_t len = abstract_name(w, &sun);

	abstract_listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	return abstract_listener < 0 || bind(abstract_listener, (struct sockaddr *)&sun, len) < 0 ||
			       listen(abstract_listener, 1) < 0
		       ? -errno
		       : 0;
}

static bool is_abstract_reached(const struct world *w)
{
	_cleanup_(fd_closep) int client = accept4(abstract_listener, NULL, NULL, SOCK_CLOEXEC);

	(void)w;
	abstract_listener = fd_close(abstract_listener);
	return client >= 0;
}

static int connect_abstract(const struct world *w)
{
	struct sockaddr_un sun;
	socklen_t len = abstract_name(w, &sun);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	return outcome(connect(fd, (struct sockaddr *)&sun, len));
}

static const struct attack_row rows[] = {
	{"abstract_socket_outside_is_not_reached", "G9 J:tmux J:dbus", connect_abstract, PW,
	 .effect = EFFECT_HOST, .prepare = make_abstract, .look = is_abstract_reached},

	REACHES("socket_of_a_container_daemon_is_denied", "T020 G8 J:docker P40", docker),
	REACHES("relative_path_does_not_hide_a_socket", "G10", docker_relative),
	REACHES("chdir_does_not_hide_a_socket", "G10", docker_after_chdir),
	REACHES("symlink_does_not_hide_a_socket", "G10", docker_by_symlink),
	REACHES("symlinked_directory_does_not_hide_a_socket", "G10", docker_by_symlinked_directory),
	REACHES("hard_link_does_not_hide_a_socket", "G10 B2", docker_by_hard_link),
	REACHES("renamed_socket_is_not_reached", "G10 B3", docker_by_rename),
	REACHES("proc_self_fd_does_not_hide_a_socket", "G10", docker_by_descriptor),
	REACHES("descriptor_of_its_directory_does_not_hide_a_socket", "G10", docker_by_directory),
	REACHES("proc_self_root_does_not_hide_a_socket", "G10 B1", docker_by_proc_root),
	REACHES("datagram_by_sendto_is_denied", "T022 G8 P18", datagram_sendto),
	REACHES("datagram_by_sendmsg_is_denied", "T022 G8 P18", datagram_sendmsg),
	REACHES("datagram_by_sendmmsg_is_denied", "T022 G8", datagram_sendmmsg),
	REACHES("datagram_after_connect_is_denied", "T022 G8", datagram_connect),
	REACHES("ssh_agent_is_denied", "T158 G8 J:ssh-agent", ssh_agent),
	REACHES("gpg_agent_is_denied", "G8 J:gpg-agent", gpg_agent),
	{"socket_of_the_session_is_reached", "G8", own_socket, SHIP | PW, .flags = ROW_ALLOWED},
#define X(function, path, ids)                                                                     \
	{"not_written_" #function, "K " ids, append_##function, SHIP,                              \
	 .effect = sizeof(path) > 2 && path[0] == 'w' && path[3] != 'g' ? EFFECT_TOLD              \
									: EFFECT_CHANGED},
	TARGETS
#undef X
		CHANGES("hook_cannot_be_renamed_into_place", "T096 K", rename_over_hook),
	CHANGES("hook_cannot_be_linked_into_place", "T096 K", link_over_hook),
	CHANGES("hook_cannot_be_symlinked_into_place", "T096 K", symlink_over_hook),
	CHANGES("hooks_cannot_be_moved_to_be_written", "T096 K", move_hooks_away),
	CHANGES("repository_cannot_be_moved_to_be_written", "T096 K", move_git_away),
	CHANGES("authorized_keys_cannot_be_renamed_over", "T098 K P27", rename_over_keys),
	CHANGES("start_up_file_cannot_be_linked_and_written", "T098 K", link_bashrc),
	CHANGES("start_up_file_cannot_be_written_through_a_symlink", "T098 K", bashrc_by_symlink),
};

const struct attack_group attack_group = {"hands", rows, ARRAY_SIZE(rows), false, false};
