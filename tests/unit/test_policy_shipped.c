/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the policies that ship decide, as a table: home is /home/u, the project /home/u/proj.
 */
#include <fcntl.h>

#include "base/io.h"

#include "tests/unit/policy_harness.h"

enum row_kind {
	ROW_PATH,
	ROW_TOOL,
	ROW_TCP,
	ROW_UDP,
	ROW_UNIX,
};

struct row {
	enum row_kind kind;
	enum action_op op;
	const char *object; /* a path, a command, an address */
	uint16_t port;
	enum verdict expected;
};

#define PATH(op, path, verdict)                                                                    \
	{                                                                                          \
		ROW_PATH, OP_##op, path, 0, VERDICT_##verdict                                      \
	}
#define TOOL(command, verdict)                                                                     \
	{                                                                                          \
		ROW_TOOL, OP_EXEC, command, 0, VERDICT_##verdict                                   \
	}
#define TCP(op, ip, port, verdict)                                                                 \
	{                                                                                          \
		ROW_TCP, OP_##op, ip, port, VERDICT_##verdict                                      \
	}
#define UDP(op, ip, port, verdict)                                                                 \
	{                                                                                          \
		ROW_UDP, OP_##op, ip, port, VERDICT_##verdict                                      \
	}
#define UNIX(op, path, verdict)                                                                    \
	{                                                                                          \
		ROW_UNIX, OP_##op, path, 0, VERDICT_##verdict                                      \
	}

static struct harness load(const char *name)
{
	_cleanup_(strbuf_fini) struct strbuf text = STRBUF_INIT(POLICY_MAX_BYTES);
	const char *dir = getenv("HOLDFAST_TEST_POLICIES");
	char path[512];

	(void)snprintf(path, sizeof(path), "%s/%s.yaml", dir ? dir : "policies", name);
	if (io_read_file_at(AT_FDCWD, path, &text) < 0)
		fail_msg("cannot read %s; run in the root of the tree", path);
	return harness_one(strbuf_str(&text));
}

static struct policy_result ask(struct harness *h, const struct row *row)
{
	switch (row->kind) {
	case ROW_PATH:
		return harness_path(h, row->op, row->object);
	case ROW_TOOL:
		return harness_tool(h, row->object, NULL);
	case ROW_TCP:
		return harness_ip(h, row->op, row->object, row->port, POLICY_PROTO_TCP);
	case ROW_UDP:
		return harness_ip(h, row->op, row->object, row->port, POLICY_PROTO_UDP);
	case ROW_UNIX:
		break;
	}
	return harness_unix(h, row->op, row->object);
}

static void check(const char *policy, const struct row *rows, size_t n)
{
	struct harness h = load(policy);
	unsigned int wrong = 0;

	for (size_t i = 0; i < n; i++) {
		struct policy_result r = ask(&h, &rows[i]);

		if (r.verdict == rows[i].expected)
			continue;
		print_error("%s: %s %s:%u is %s (%s), expected %s\n", policy, op_name(rows[i].op),
			    rows[i].object, rows[i].port, verdict_name(r.verdict),
			    r.source.rule ? r.source.rule : "default",
			    verdict_name(rows[i].expected));
		wrong++;
	}
	harness_fini(&h);
	assert_int_equal(wrong, 0);
}

static void test_coding_agent_commands(void **state)
{
	static const struct row rows[] = {
		TOOL("ls -la", ALLOW),
		TOOL("git push origin topic", ALLOW),
		TOOL("git push", ALLOW),
		TOOL("git push -u origin topic", ALLOW),
		TOOL("git push --follow-tags origin main", ALLOW),
		TOOL("git push --force", DENY),
		TOOL("git push --force origin main", DENY),
		TOOL("git push origin main --force", DENY),
		TOOL("git push -f", DENY),
		TOOL("git push -uf origin main", DENY),
		TOOL("git -C /home/u/proj push -f", DENY),
		TOOL("git -C /with blank/proj push -f", DENY),
		TOOL("git -c user.name=x --no-pager push origin +main", DENY),
		TOOL("git push origin +refs/heads/main:refs/heads/main", DENY),
		TOOL("git push --mirror backup", DENY),
		TOOL("git -c alias.x=push -f x", DENY),
		TOOL("git -c alias.x=!git push --force x", DENY),
		TOOL("git-push -f origin main", DENY),
		TOOL("git push --force-with-lease origin topic", ASK),
		TOOL("git push --force-with-lease=topic origin topic", ASK),
		TOOL("git push origin --delete topic", ASK),
		TOOL("git push origin :topic", ASK),
		TOOL("git commit -m never push -f again", ALLOW),
		TOOL("git log --grep push +x", ALLOW),
		TOOL("git clean -fd", ALLOW),
		TOOL("git fetch -f origin", ALLOW),
		TOOL("sudo ls", DENY),
		TOOL("su -", DENY),
		TOOL("doas ls", DENY),
		TOOL("pkexec ls", DENY),
		TOOL("mkfs.ext4 /dev/sda1", DENY),
		TOOL("wipefs -a /dev/sda", DENY),
		TOOL("dd if=/dev/zero of=/dev/sda bs=1M", DENY),
		TOOL("dd if=/dev/zero of=/dev/null", ALLOW),
		TOOL("dd if=/dev/zero of=disk.img count=1", ALLOW),
		TOOL("shutdown -h now", DENY),
		TOOL("reboot", DENY),
		TOOL("rm -rf /", DENY),
		TOOL("rm -rf /home/u", DENY),
		TOOL("rm -r -f /etc", DENY),
		TOOL("rm --recursive --force /usr/", DENY),
		TOOL("rm -rf node_modules", ALLOW),
		TOOL("rm -rf /home/u/proj/build", ALLOW),
		TOOL("rm -rf /tmp/x", ALLOW),
		TOOL("memfd:payload", DENY),
		TOOL("crontab -l", ALLOW),
		TOOL("crontab -r", DENY),
		TOOL("crontab new", DENY),
		TOOL("at now", DENY),
		TOOL("systemd-run --user x", DENY),
		TOOL("docker ps", ASK),
		TOOL("npm install", ALLOW),
		TOOL("npm run build", ALLOW),
		TOOL("npm publish", ASK),
		TOOL("cargo publish --dry-run", ASK),
		TOOL("cargo build", ALLOW),
		TOOL("cat notes", ALLOW),
	};

	(void)state;
	check("coding-agent", rows, ARRAY_SIZE(rows));
}

static void test_coding_agent_reads(void **state)
{
	static const struct row rows[] = {
		PATH(READ, "/etc/passwd", ALLOW),
		PATH(READ, "/etc/ssl/certs/ca-certificates.crt", ALLOW),
		PATH(READ, "/etc/ssl/certs/ISRG_Root_X1.pem", ALLOW),
		PATH(READ, "/etc/ssl/cert.pem", ALLOW),
		PATH(READ, "/usr/lib/python3/dist-packages/certifi/cacert.pem", ALLOW),
		PATH(READ, "/home/u/proj/.venv/lib/python3.11/site-packages/certifi/cacert.pem",
		     ALLOW),
		PATH(READ, "/home/u/proj/node_modules/x/test/a.pem", ALLOW),
		PATH(READ, "/etc/ssl/private/server.key", DENY),
		PATH(READ, "/home/u/.ssh/id_rsa", DENY),
		PATH(READ, "/home/u/.ssh/work_key", DENY),
		PATH(READ, "/home/u/.ssh/id_rsa.pub", ALLOW),
		PATH(READ, "/home/u/.ssh/known_hosts", ALLOW),
		PATH(READ, "/home/u/.ssh/config", ALLOW),
		PATH(RENAME, "/home/u/.ssh", DENY),
		PATH(RENAME, "/home/u/.ssh/id_rsa", DENY),
		PATH(LINK, "/home/u/.ssh/id_rsa", DENY),
		PATH(CREATE, "/home/u/.ssh/authorized_keys", DENY),
		PATH(READ, "/root/.ssh/id_ed25519", DENY),
		PATH(READ, "/home/u/proj/deploy/id_rsa", DENY),
		PATH(READ, "/home/u/proj/server.pem", DENY),
		PATH(READ, "/home/u/proj/.env", DENY),
		PATH(RENAME, "/home/u/proj/.env", DENY),
		PATH(READ, "/home/u/proj/.env.production", DENY),
		PATH(READ, "/opt/app/.env", DENY),
		PATH(READ, "/.env", DENY),
		PATH(READ, "/home/u/proj/.env.example", ALLOW),
		PATH(READ, "/home/u/proj/a/.env.sample", ALLOW),
		PATH(READ, "/home/u/proj/.environment", ALLOW),
		PATH(CREATE, "/home/u/proj/.env", ALLOW),
		PATH(READ, "/home/u/.aws/credentials", DENY),
		PATH(READ, "/home/u/.gnupg/private-keys-v1.d/k.key", DENY),
		PATH(READ, "/home/u/.gnupg/pubring.kbx", ALLOW),
		PATH(READ, "/home/u/.config/gcloud/credentials.db", DENY),
		PATH(READ, "/home/u/.azure/token", DENY),
		PATH(READ, "/home/u/.kube/config", DENY),
		PATH(READ, "/home/u/.netrc", DENY),
		PATH(READ, "/home/u/.docker/config.json", DENY),
		PATH(READ, "/home/u/.git-credentials", ASK),
		PATH(READ, "/home/u/.npmrc", FLAG),
		PATH(READ, "/home/u/.mozilla/firefox/x/cookies.sqlite", DENY),
		PATH(READ, "/home/u/.config/google-chrome/Default/Cookies", DENY),
		PATH(READ, "/home/u/.bash_history", DENY),
		PATH(READ, "/home/u/.bashrc", ALLOW),
		PATH(READ, "/home/u/.gitconfig", ALLOW),
		PATH(READ, "/etc/shadow", DENY),
		PATH(READ, "/etc/shadow-", DENY),
		PATH(READ, "/proc/1234/mem", DENY),
		PATH(READ, "/proc/1234/environ", DENY),
		PATH(READ, "/proc/1234/task/1235/mem", DENY),
		PATH(READ, "/proc/meminfo", ALLOW),
		PATH(READ, "/proc/1234/maps", ALLOW),
		PATH(READ, "/dev/sda", DENY),
		PATH(READ, "/dev/urandom", ALLOW),
		PATH(READ, "/", ALLOW),
	};

	(void)state;
	check("coding-agent", rows, ARRAY_SIZE(rows));
}

static void test_coding_agent_writes_in_the_project(void **state)
{
	static const struct row rows[] = {
		PATH(WRITE, "/home/u/proj/src/main.c", ALLOW),
		PATH(DELETE, "/home/u/proj/src/main.c", ALLOW),
		PATH(MKDIR, "/home/u/proj/new", ALLOW),
		PATH(CHMOD, "/home/u/proj/run", ALLOW),
		PATH(WRITE, "/home/u/proj-secret/x", ASK),
		PATH(WRITE, "/home/u/other/x", ASK),
		PATH(WRITE, "/home/u/proj/.git/index", ALLOW),
		PATH(CREATE, "/home/u/proj/.git/config.lock", ALLOW),
		PATH(RENAME, "/home/u/proj/.git/config.lock", ALLOW),
		PATH(CREATE, "/home/u/proj/.git/config", FLAG),
		PATH(MKDIR, "/home/u/proj/.git", ALLOW),
		PATH(MKDIR, "/home/u/proj/.git/hooks", ALLOW),
		PATH(CREATE, "/home/u/proj/.git/hooks/pre-commit.sample", ALLOW),
		PATH(CHMOD, "/home/u/proj/.git/hooks/pre-commit.sample", ALLOW),
		PATH(CREATE, "/home/u/proj/.git/hooks/pre-commit", ASK),
		PATH(CHMOD, "/home/u/proj/.git/hooks/pre-commit", ASK),
		PATH(RENAME, "/home/u/proj/.git/hooks", ASK),
		PATH(RENAME, "/home/u/proj/.git", ASK),
		PATH(CREATE, "/home/u/proj/remote.git/hooks/update", ASK),
		PATH(CREATE, "/home/u/proj/.git/modules/a/hooks/update", ASK),
		PATH(CREATE, "/home/u/proj/.git/refs/heads/topic", ALLOW),
		PATH(CREATE, "/home/u/proj/.claude/settings.json", ASK),
		PATH(CREATE, "/home/u/proj/.claude/settings.local.json", ASK),
		PATH(CREATE, "/home/u/proj/.cursor/mcp.json", ASK),
		PATH(CREATE, "/home/u/proj/.vscode/tasks.json", ASK),
		PATH(CREATE, "/home/u/proj/.mcp.json", ASK),
		PATH(WRITE, "/home/u/proj/CLAUDE.md", ALLOW),
		PATH(WRITE, "/home/u/.claude/projects/x.jsonl", ALLOW),
		PATH(RENAME, "/home/u/.claude.json", ALLOW),
		PATH(CREATE, "/home/u/.claude.json.tmp.12", ALLOW),
		PATH(WRITE, "/home/u/.codex/sessions/x", ALLOW),
		PATH(WRITE, "/home/u/.gemini/x", ALLOW),
		PATH(WRITE, "/home/u/.config/opencode/x", ALLOW),
		PATH(WRITE, "/home/u/.local/share/opencode/x", ALLOW),
	};

	(void)state;
	check("coding-agent", rows, ARRAY_SIZE(rows));
}

static void test_coding_agent_writes_outside_the_project(void **state)
{
	static const struct row rows[] = {
		PATH(WRITE, "/home/u/.bashrc", DENY),
		PATH(RENAME, "/home/u/.bashrc", DENY),
		PATH(WRITE, "/home/u/.profile", DENY),
		PATH(CREATE, "/home/u/.config/systemd/user/x.service", DENY),
		PATH(CREATE, "/home/u/.config/autostart/x.desktop", DENY),
		PATH(WRITE, "/home/u/.gitconfig", ASK),
		PATH(CREATE, "/home/u/.local/bin/git", ASK),
		PATH(WRITE, "/etc/hosts", DENY),
		PATH(CREATE, "/etc/cron.d/x", DENY),
		PATH(CREATE, "/usr/local/bin/x", DENY),
		PATH(DELETE, "/usr/bin/ls", DENY),
		PATH(WRITE, "/boot/grub/grub.cfg", DENY),
		PATH(WRITE, "/sys/fs/cgroup/x", DENY),
		PATH(WRITE, "/proc/sys/kernel/core_pattern", DENY),
		PATH(CREATE, "/var/spool/cron/crontabs/u", DENY),
		PATH(WRITE, "/usr/src/app/x", ASK),
		PATH(WRITE, "/var/www/x", ASK),
		PATH(CREATE, "/tmp/x", ALLOW),
		PATH(CREATE, "/tmp/session/x", ALLOW),
		PATH(CREATE, "/var/tmp/x", ALLOW),
		PATH(CREATE, "/dev/shm/x", ALLOW),
		PATH(WRITE, "/dev/null", ALLOW),
		PATH(TRUNCATE, "/dev/null", ALLOW),
		PATH(DELETE, "/dev/null", DENY),
		PATH(CHMOD, "/dev/null", DENY),
		PATH(WRITE, "/dev/tty", ALLOW),
		PATH(WRITE, "/dev/pts/7", ALLOW),
		PATH(WRITE, "/dev/sda", DENY),
		PATH(WRITE, "/dev/nvme0n1", DENY),
		PATH(WRITE, "/dev/watchdog", DENY),
		PATH(WRITE, "/proc/77/oom_score_adj", ALLOW),
		PATH(WRITE, "/proc/77/task/78/comm", ALLOW),
		PATH(WRITE, "/proc/77/mem", DENY),
		PATH(CREATE, "/home/u/.cache/pip/x", ALLOW),
		PATH(MKDIR, "/home/u/.cache", ALLOW),
		PATH(MKDIR, "/home/u/.config", ALLOW),
		PATH(CREATE, "/home/u/.npm/_cacache/x", ALLOW),
		PATH(CREATE, "/home/u/.cargo/registry/x", ALLOW),
		PATH(CREATE, "/home/u/.cargo/.package-cache", ALLOW),
		PATH(CREATE, "/home/u/.cargo/config.toml", ASK),
		PATH(CREATE, "/home/u/.local/state/x", ALLOW),
	};

	(void)state;
	check("coding-agent", rows, ARRAY_SIZE(rows));
}

static void test_coding_agent_network(void **state)
{
	static const struct row rows[] = {
		TCP(CONNECT, "127.0.0.1", 3000, ALLOW),
		TCP(CONNECT, "::1", 5432, ALLOW),
		TCP(CONNECT, "127.0.0.1", 2375, ASK),
		TCP(CONNECT, "127.0.0.1", 9222, ASK),
		UDP(SEND, "127.0.0.53", 53, ALLOW),
		UDP(CONNECT, "192.0.2.53", 53, ALLOW),
		TCP(CONNECT, "192.0.2.53", 53, ALLOW),
		UDP(CONNECT, "192.0.2.7", 443, DENY),
		TCP(CONNECT, "192.0.2.7", 443, ASK),
		TCP(CONNECT, "2001:db8::7", 443, ASK),
		TCP(CONNECT, "10.0.0.1", 22, ASK),
		TCP(CONNECT, "169.254.169.254", 80, DENY),
		TCP(CONNECT, "169.254.169.254", 53, DENY),
		TCP(CONNECT, "fd00:ec2::254", 80, DENY),
		TCP(CONNECT, "100.100.100.200", 80, DENY),
		TCP(BIND, "127.0.0.1", 3000, ALLOW),
		TCP(LISTEN, "127.0.0.1", 3000, ALLOW),
		TCP(LISTEN, "::1", 3000, ALLOW),
		TCP(LISTEN, "0.0.0.0", 3000, ASK),
		TCP(LISTEN, "::", 3000, ASK),
		UDP(BIND, "0.0.0.0", 0, ALLOW),
		UDP(BIND, "0.0.0.0", 5353, ASK),
		UNIX(CONNECT, "/run/nscd/socket", ALLOW),
		UNIX(CONNECT, "/run/systemd/userdb/io.systemd.DynamicUser", ALLOW),
		UNIX(SEND, "/run/systemd/journal/dev-log", ALLOW),
		UNIX(CONNECT, "/home/u/proj/app.sock", ALLOW),
		UNIX(BIND, "/tmp/x.sock", ALLOW),
		UNIX(CONNECT, "@private", ALLOW),
		UNIX(CONNECT, "/run/docker.sock", ASK),
		UNIX(CONNECT, "/run/containerd/containerd.sock", ASK),
		UNIX(CONNECT, "/run/user/1000/podman/podman.sock", ASK),
		UNIX(CONNECT, "/tmp/ssh-XXabc/agent.12", ASK),
		UNIX(CONNECT, "/run/user/1000/gnupg/S.gpg-agent", ASK),
		UNIX(CONNECT, "/run/systemd/private", DENY),
		UNIX(CONNECT, "/run/dbus/system_bus_socket", DENY),
		UNIX(CONNECT, "/run/user/1000/bus", DENY),
		UNIX(CONNECT, "@/tmp/dbus-x1", DENY),
		UNIX(CONNECT, "/tmp/tmux-1000/default", ASK),
		UNIX(CONNECT, "@/tmp/.X11-unix/X0", ASK),
	};

	(void)state;
	check("coding-agent", rows, ARRAY_SIZE(rows));
}

static void test_read_only(void **state)
{
	static const struct row rows[] = {
		TOOL("ls", ALLOW),
		TOOL("sudo ls", DENY),
		TOOL("memfd:x", DENY),
		PATH(READ, "/etc/passwd", ALLOW),
		PATH(READ, "/home/u/proj/a.c", ALLOW),
		PATH(READ, "/home/u/.ssh/id_rsa", DENY),
		PATH(READ, "/home/u/proj/.env", DENY),
		PATH(READ, "/etc/ssl/certs/a.pem", ALLOW),
		PATH(WRITE, "/home/u/proj/a.c", DENY),
		PATH(DELETE, "/home/u/proj/a.c", DENY),
		PATH(WRITE, "/home/u/.bashrc", DENY),
		PATH(WRITE, "/etc/hosts", DENY),
		PATH(CREATE, "/tmp/x", ALLOW),
		PATH(CREATE, "/tmp/session/x", ALLOW),
		PATH(WRITE, "/dev/null", ALLOW),
		PATH(WRITE, "/dev/pts/0", ALLOW),
		TCP(CONNECT, "127.0.0.1", 80, ALLOW),
		TCP(CONNECT, "192.0.2.1", 80, DENY),
		UDP(CONNECT, "192.0.2.1", 53, DENY),
		UDP(SEND, "127.0.0.53", 53, DENY),
		UNIX(CONNECT, "/run/nscd/socket", DENY),
		UNIX(CONNECT, "/run/docker.sock", DENY),
		UNIX(CONNECT, "/tmp/ssh-x/agent.1", DENY),
		UNIX(CONNECT, "/tmp/mine.sock", ALLOW),
	};
	struct harness h = load("read-only");

	(void)state;
	assert_false(policy_stack_can_ask(h.stack));
	harness_fini(&h);
	check("read-only", rows, ARRAY_SIZE(rows));
}

static void test_no_network_leaves_files_to_others_but_the_kernels_switches(void **state)
{
	static const struct row rows[] = {
		TOOL("make", ALLOW),
		PATH(READ, "/home/u/.ssh/id_rsa", ALLOW),
		PATH(READ, "/proc/sys/kernel/core_pattern", ALLOW),
		PATH(WRITE, "/etc/hosts", ALLOW),
		PATH(WRITE, "/proc/sys/kernel/core_pattern", DENY),
		PATH(WRITE, "/sys/kernel/uevent_helper", DENY),
		TCP(CONNECT, "192.0.2.1", 443, DENY),
		TCP(CONNECT, "127.0.0.1", 443, DENY),
		TCP(LISTEN, "127.0.0.1", 443, DENY),
		UDP(SEND, "192.0.2.1", 53, DENY),
		UNIX(CONNECT, "/run/docker.sock", DENY),
		UNIX(CONNECT, "/run/nscd/socket", DENY),
		UNIX(CONNECT, "/home/u/proj/x.sock", ALLOW),
	};
	struct harness h = load("no-network");
	uint32_t ops = policy_stack_decided_ops(h.stack);

	(void)state;
	assert_int_equal(ops & OP_BIT(OP_READ), 0);
	assert_int_equal(ops & OPS_NETWORK, OPS_NETWORK);
	assert_false(policy_stack_logs_reads(h.stack));
	assert_false(policy_stack_needs_args(h.stack));
	harness_fini(&h);
	check("no-network", rows, ARRAY_SIZE(rows));
}

static void test_audit_only_refuses_nothing(void **state)
{
	static const struct row rows[] = {
		TOOL("sudo reboot", ALLOW),
		PATH(READ, "/etc/shadow", ALLOW),
		PATH(WRITE, "/etc/shadow", ALLOW),
		TCP(CONNECT, "169.254.169.254", 80, ALLOW),
		UNIX(CONNECT, "/run/docker.sock", ALLOW),
	};
	struct harness h = load("audit-only");
	struct policy_source source;

	(void)state;
	assert_true(policy_stack_is_audit(h.stack));
	assert_true(policy_stack_logs_reads(h.stack));
	for (unsigned int g = 0; g < _GRANT_MAX; g++)
		assert_true(policy_stack_advises_grant(h.stack, (enum grant)g, &source));
	harness_fini(&h);
	check("audit-only", rows, ARRAY_SIZE(rows));
}

/* Each deny and ask of a shipped policy is read by a person or a model: it says why. */
static void test_every_refusal_has_a_reason(void **state)
{
	static const struct row rows[] = {
		PATH(READ, "/home/u/.ssh/id_rsa", DENY),
		PATH(WRITE, "/etc/hosts", DENY),
		TOOL("git push -f", DENY),
		TCP(CONNECT, "169.254.169.254", 80, DENY),
	};
	struct harness h = load("coding-agent");

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct policy_result r = ask(&h, &rows[i]);

		assert_non_null(r.source.reason);
		assert_non_null(r.source.rule);
		assert_true(r.source.line > 0);
	}
	harness_fini(&h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_coding_agent_commands),
		cmocka_unit_test(test_coding_agent_reads),
		cmocka_unit_test(test_coding_agent_writes_in_the_project),
		cmocka_unit_test(test_coding_agent_writes_outside_the_project),
		cmocka_unit_test(test_coding_agent_network),
		cmocka_unit_test(test_read_only),
		cmocka_unit_test(test_no_network_leaves_files_to_others_but_the_kernels_switches),
		cmocka_unit_test(test_audit_only_refuses_nothing),
		cmocka_unit_test(test_every_refusal_has_a_reason),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
