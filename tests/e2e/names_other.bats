#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Other ways to a name than a question by DNS: daemons that ask for others, multicast, /etc/hosts, search domains.

setup() {
	load helpers/common
	load helpers/names
	names_setup
	policy names <<EOF
default: {tool: allow, path: allow, network: deny, unix: allow}
rules:
  - {name: local, match: {address: [127.0.0.1], protocol: udp}, action: allow}
  - {name: never, match: {domain: ["*.evil.example", never.hosts]}, action: deny}
  - {name: good, match: {domain: [good.example, "*.good.example", hosts.good], port: [80]}, action: allow}
EOF
}

teardown() {
	hf_teardown
}

@test "sockets of nscd, Avahi and systemd-resolved are closed, and programs then ask the DNS" {
	# Whatever the policy says of sockets: here it allows them all.
	cat >"$T/sockets" <<-'EOF'
		mount -t tmpfs none /run
		mkdir -p /run/nscd /run/avahi-daemon /run/systemd/resolve
		cd /
		/usr/bin/python3 -c '
		import os, socket, sys
		kept = []
		for path in sys.argv[1:]:
		    s = socket.socket(socket.AF_UNIX)
		    s.bind(path)
		    s.listen()
		    kept.append(s)
		os.chdir("/")
		open(os.environ["T"] + "/bound", "w").close()
		while True:
		    kept[0].accept()[0].close()
		' /run/nscd/socket /run/avahi-daemon/socket /run/systemd/resolve/io.systemd.Resolve /run/other >/dev/null 2>&1 3>&- &
		server=$!
		until [[ -e $T/bound ]]; do sleep 0.05; done
		"$HOLDFAST" run --log "$LOG" --policy "$POLICY" -- bash -c '
			for path in /run/nscd/socket /run/avahi-daemon/socket /run/systemd/resolve/io.systemd.Resolve /run/other; do
				/usr/bin/python3 -c "import socket, sys; socket.socket(socket.AF_UNIX).connect(sys.argv[1])" "$path" 2>/dev/null &&
					echo "$path reached"
			done
			curl -sS -m 10 http://good.example/x'
		status=$?
		kill "$server"
		exit "$status"
	EOF
	sed -i 's/^\t\t//' "$T/sockets"
	export T LOG POLICY HOLDFAST
	run world bash "$T/sockets"
	assert_success
	assert_output "/run/other reached
hello"
	session_ended
	for path in /run/nscd/socket /run/avahi-daemon/socket /run/systemd/resolve/io.systemd.Resolve; do
		log_has ".object == \"unix:$path\" and .verdict == \"deny\" and .rule == \"other-resolver\""
	done
}

@test "multicast names are not asked for where nothing opens them" {
	run hf_world /usr/bin/python3 "$HELPERS/questions.py" multicast
	assert_output "224.0.0.251 5353 refused
224.0.0.252 5355 refused
ff02::fb 5353 refused
ff02::1:3 5355 refused"
	POLICY=$BATS_TEST_DIRNAME/../../policies/coding-agent.yaml
	run world "$HOLDFAST" run --log "$LOG" --policy "$POLICY" -- /usr/bin/python3 "$HELPERS/questions.py" multicast
	assert_output "224.0.0.251 5353 refused
224.0.0.252 5355 refused
ff02::fb 5353 refused
ff02::1:3 5355 refused"
	session_ended
	log_has '.object == "224.0.0.251:5353" and .rule == "local-names"'
}

@test "names of /etc/hosts are known without a question, as they were when the session began" {
	cat >"$T/hosts" <<-'EOF'
		127.0.0.1 localhost
		198.51.100.1 hosts.good
		198.51.100.2 never.hosts
		10.9.9.9 inner.good.example
	EOF
	run hf_world curl -sS -m 10 http://hosts.good/x
	assert_success
	assert_output hello
	session_ended
	log_has '.op == "connect" and .object == "198.51.100.1:80" and .domains == ["hosts.good"] and .rule == "good"'
	refute log_has '.op == "resolve" and .object == "hosts.good"'
	run hf_world curl -sS -m 10 http://never.hosts/x
	assert_failure 7
	session_ended
	log_has '.op == "connect" and .object == "198.51.100.2:80" and .rule == "never"'
	# A name alone does not open an inner address, whoever says it.
	run hf_world curl -sS -m 2 http://inner.good.example/x
	assert_failure 7
	# What the session itself writes there is not believed.
	run hf_world bash -c 'echo "198.51.100.3 hosts.good" >"$1" && curl -sS -m 10 http://hosts.good/x' - "$T/hosts"
	assert_failure 7
	session_ended
	log_has '.op == "connect" and .object == "198.51.100.3:80" and .verdict == "deny" and (.domains == null)'
}

@test "search domains: each name that is tried is a question of its own" {
	echo "search evil.example good.example" >"$T/search"
	run hf_world "$HF_HELPERS/lookup" alias
	assert_output 198.51.100.1
	session_ended
	log_has '.op == "resolve" and .object == "alias.evil.example" and .verdict == "deny" and .rule == "never"'
	log_has '.op == "resolve" and .object == "alias.good.example" and .verdict == "allow"'
	run grep evil "$T/dnsmasq.log"
	assert_failure
}
