#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The broker: one of each user, started by sessions, without which everything goes on.

setup() {
	load helpers/common
	load helpers/held
	load helpers/broker
	hf_setup
	broker_files
}

teardown() {
	broker_end
	end_held
	hf_teardown
}

@test "one list of what all sessions hold, and one broker of a user" {
	broker_config <<<'notify: false'
	broker_run
	run_held -- cat "$T/ask/file1"
	wait_held 1
	wait_for broker_says '.held | length == 1'
	run "$HOLDFAST" broker
	assert_failure 1
	assert_output --partial "you have a broker already"
	run "$HOLDFAST" broker --status
	assert_success
	assert_output --regexp "held +$(held_ids) +session [0-9T]+-[a-z0-9]+, denied in [0-9]+ s"
	"$HOLDFAST" deny "$(held_ids)"
	finished 1
	wait_for broker_says '.held == []'
}

@test "a session starts it when it is configured, in no session's tree, and it ends after them" {
	broker_config <<-END
		linger: 1s
		webhook: {url: "http://127.0.0.1:9/", secret: whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5}
	END
	run_held -- cat "$T/ask/file1"
	wait_held 1
	wait_for broker_says '.held | length == 1'
	local pid

	pid=$(broker_status | jq .pid)
	# Its parent is nobody who started it.
	refute grep -q "^PPid:[[:space:]]$(cat "$T/launcher")$" "/proc/$pid/status"
	# 4000 is ENGINE_SOCKET_MARK.
	assert_equal "$(stat -c %a "$XDG_RUNTIME_DIR/holdfast/broker.ctl")" 4600
	# Longer than it lingers: a session is there.
	read -rt 1.3 _ <><(:) || true
	broker_answers
	"$HOLDFAST" deny "$(held_ids)"
	finished 1
	wait_for is_gone "$pid"
	assert_not_exist "$XDG_RUNTIME_DIR/holdfast/broker.ctl"
}

# A listener as a systemd user unit hands it over.
broker_activated() {
	/usr/bin/python3 - "$HOLDFAST" "$XDG_RUNTIME_DIR/holdfast" >/dev/null 2>"$T/broker.err" 3>&- <<-'END' &
		import os, socket, sys
		os.mkdir(sys.argv[2], 0o700)
		s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
		s.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
		s.bind(sys.argv[2] + "/broker.ctl")
		s.listen()
		if s.fileno() != 3:
		    os.dup2(s.fileno(), 3)
		os.set_inheritable(3, True)
		os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1")
		os.execv(sys.argv[1], ["holdfast", "broker"])
	END
	BROKER=$!
	started "$BROKER"
	wait_for broker_answers
}

@test "a unit can hold its socket: sessions find that one, and it stays" {
	broker_config <<-END
		linger: 1s
		webhook: {url: "http://127.0.0.1:9/", secret: whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5}
	END
	broker_activated
	run hf --policy "$POLICY" -- true
	assert_success
	assert_equal "$(broker_status | jq .pid)" "$BROKER"
	run "$HOLDFAST" broker
	assert_failure 1
	assert_output --partial "you have a broker already"
}

@test "without a configuration there is none" {
	run hf --policy "$POLICY" -- true
	assert_success
	run "$HOLDFAST" broker --status
	assert_failure 1
	assert_output "holdfast: no broker is running"
}

@test "a broker that is killed takes nothing with it, and the next one takes its place" {
	broker_config <<<'notify: false'
	broker_run
	run_held -- cat "$T/ask/file1"
	wait_held 1
	wait_for broker_says '.held | length == 1'
	kill -KILL "$BROKER"
	wait_held 1
	broker_run
	wait_for broker_says '.held | length == 1'
	"$HOLDFAST" approve "$(held_ids)"
	finished 0
}

@test "mistakes in the configuration are said with file, line and what to write; the session goes on" {
	local said line n=0

	while IFS='|' read -r line said; do
		n=$((n + 1))
		printf '%b' "$line" >"$T/config.yaml"
		broker_config <"$T/config.yaml"
		run "$HOLDFAST" broker --check
		assert_failure 1
		assert_output --partial "$XDG_CONFIG_HOME/holdfast/broker.yaml:$said"
	done <<-'END'
		notify: maybe|1:9: 'notify' must be true or false
		notify: true\nwebhok: {}|2:1: unknown key 'webhok' in the configuration of the broker; did you mean 'webhook'?
		webhook: {url: "http://example.org/"}|1:16: 'url' must begin with https:// unless it is on loopback
		webhook: {url: "https://a:b@example.org/"}|1:16: 'url' may not hold a user or a password
		webhook: {url: "https://127.0.0.1/"}|1:10: 'webhook' has no 'secret' and no 'secret_file'
		webhook: {url: "https://x/", secret: whsec_c2hvcnQ=}|1:38: 'secret' must be "whsec_" and the base64 of 24 to 64 random bytes
		webhook: {url: "https://x/", secret_file: key}|1:43: 'secret_file' must be an absolute path
		links: {address: 127.0.0.1, port: 1}|1:1: 'links' without 'webhook'
		links: {address: localhost, port: 1}|1:18: 'address' must be an address such as 127.0.0.1
		linger: 0|1:9: 'linger' must be
	END
	assert_equal "$n" 10
	run hf --policy "$POLICY" -- echo on
	assert_success
	assert_output --partial "warning: there will be no broker: "
	assert_line "on"
}

@test "an agent cannot configure a broker, reach it, stand in for it, or read its secret" {
	broker_config <<-END
		webhook: {url: "http://127.0.0.1:9/", secret: whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5}
	END
	broker_run
	run hf --policy "$POLICY" -- bash -c "
		! cat '$XDG_CONFIG_HOME/holdfast/broker.yaml' || exit 10
		! echo 'notify: true' 2>/dev/null >>'$XDG_CONFIG_HOME/holdfast/broker.yaml' || exit 11
		! touch '$XDG_CONFIG_HOME/holdfast/more.yaml' || exit 12
		! mv '$XDG_CONFIG_HOME/holdfast' '$T/elsewhere' || exit 13
		! ln -s /tmp '$XDG_RUNTIME_DIR/holdfast/broker.ctl2' || exit 14
		! '$HOLDFAST' broker --status || exit 15
		! '$HOLDFAST' broker --stop || exit 16
		! '$HOLDFAST' broker --background || exit 17"
	assert_success
	broker_answers
	assert_logged '.rule == "own-key" and .op == "read"'
	assert_logged '.rule == "own-files" and .op == "connect" and (.object | endswith("broker.ctl"))'
}

@test "an agent that is handed a connection to the broker is refused, and its log says so" {
	broker_config <<<'notify: false'
	broker_run
	run /usr/bin/python3 - "$HOLDFAST" "$POLICY" "$LOG" "$XDG_RUNTIME_DIR/holdfast/broker.ctl" <<-'END'
		import os, socket, subprocess, sys
		holdfast, policy, log, path = sys.argv[1:]
		code = "import socket, time; s = socket.socket(fileno=%d); time.sleep(1); s.send(b'stop'); print(s.recv(100))"
		s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
		s.connect(path)
		os.set_inheritable(s.fileno(), True)
		r = subprocess.run([holdfast, "run", "--log", log, "--policy", policy, "--keep-fd", str(s.fileno()), "--",
		                    "/usr/bin/python3", "-c", code % s.fileno()], pass_fds=[s.fileno()])
		sys.exit(r.returncode)
	END
	assert_output --partial '"ok":false'
	broker_answers
	wait_for broker_says '.attempts > 0'
	assert_logged '.event == "notice" and (.note | test("tried to use the broker.s socket and was refused"))'
}

@test "a session that floods it has 64 questions there, and the others when there is room" {
	local i

	broker_config <<<'notify: false'
	for ((i = 0; i < 70; i++)); do echo x >"$T/ask/many$i"; done
	broker_run
	# shellcheck disable=SC2016 # the shell of the session expands it
	run_held -- bash -c 'for f in "$@"; do cat "$f" & done; wait' _ "$T"/ask/many*
	wait_held 70
	wait_for broker_says '(.held | length) == 64 and .sessions[0].held == 70'
	# shellcheck disable=SC2046 # several ids
	"$HOLDFAST" deny $(held_ids | head -n 10)
	wait_for broker_says '(.held | length) == 60'
}

@test "five brokers killed at random moments: nothing is lost, answered twice, or allowed without an answer" {
	skip_without python3
	export TMPDIR=$T
	run timeout 60 "$REPO/tests/soak/broker_kill.py" "$HOLDFAST" 5
	assert_success
	assert_output --partial "5 kills of the broker"
}
