#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The processes that answer a session's questions to the DNS: where they can listen, and what becomes of the
# session when they cannot, or end.

setup() {
	load helpers/common
	load helpers/names
	names_setup
	policy names <<EOF
default: {tool: allow, path: allow, network: deny, unix: allow}
rules:
  - {name: local, match: {address: [127.0.0.1], protocol: udp}, action: allow}
  - {name: never, match: {domain: ["*.evil.example"]}, action: deny}
  - {name: good, match: {domain: [good.example, "*.good.example"], port: [80]}, action: allow}
EOF
}

teardown() {
	hf_teardown
}

# Where no namespace can be made, as in most containers.
hf_contained() {
	world "$HF_HELPERS/with" -u "$HOLDFAST" run --log "$LOG" --policy "$POLICY" -- "$@"
}

@test "where no namespace can be had, questions are led to loopback" {
	run hf_contained curl -sS -m 10 http://good.example/x
	assert_success
	assert_output hello
	session_ended
	log_has '.op == "resolve" and .object == "good.example" and .rule == "good" and (.exe | endswith("/curl")) and .layer == "dns"'
	log_has '.op == "connect" and .object == "198.51.100.1:80" and .domains == ["good.example"] and .rule == "good"'
	run hf_contained curl -sS -m 10 http://secret.evil.example/x
	assert_failure 6
	run grep evil "$T/dnsmasq.log"
	assert_failure
	run hf_contained /usr/bin/python3 "$HELPERS/questions.py" led
	assert_success
	assert_output "connected True
unconnected True
mapped True
six True
stream 0"
}

@test "with neither a namespace nor a place to listen nothing is run, unless policies only advise" {
	run world "$HF_HELPERS/with" -u -l "$HOLDFAST" run --log "$LOG" --policy "$POLICY" -- echo ran
	assert_failure 125
	assert_output --partial "names cannot be learned here (neither a network namespace nor loopback can be had"
	assert_output --partial "nothing was run"
	refute_line ran
	# It goes on, to fail at something else that needs listen(2).
	run world "$HF_HELPERS/with" -u -l "$HOLDFAST" run --log "$LOG" --mode audit --policy "$POLICY" -- echo ran
	assert_output --partial "warning: the names of connections cannot be learned here"
	refute_output --partial "nothing was run"
}

@test "without any network a resolver's ordinary error, wherever the questions are led" {
	local place

	for place in "" -u; do
		# shellcheck disable=SC2086
		run unshare "${SPACES[@]}" "$HF_HELPERS/with" $place "$HOLDFAST" run --log "$LOG" --policy "$POLICY" -- "$HF_HELPERS/lookup" good.example
		assert_failure
		assert_output --partial "Temporary failure in name resolution"
	done
}
