#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# `verify: sni` where no network namespace can be had, as in most containers: connections are led to loopback.

setup() {
	load helpers/common
	load helpers/look
	look_setup
	policy names <<EOF
default: {tool: allow, path: allow, network: deny, bind: allow, unix: allow}
rules:
  - {name: local, match: {address: [127.0.0.1], protocol: udp}, action: allow}
  - {name: good, match: {domain: [good.example, "*.good.example"], verify: sni}, action: allow}
  - {name: reach, match: {address: [127.0.0.1], protocol: tcp}, action: allow}
EOF
}

teardown() {
	hf_teardown
}

client_contained() {
	hf_contained /usr/bin/python3 "$HELPERS/look_client.py" "$T" "$@"
}

@test "on loopback: who says the name is let through, another is not, and the records say whom" {
	run hf_contained bash -c "curl -sS -m 60 --cacert $T/cert.pem https://good.example/x && curl -sS -m 60 http://api.good.example/y && curl -sS -m 60 --cacert $T/cert.pem --connect-to evil.example:443:good.example:443 https://evil.example/x"
	assert_failure 35
	assert_line --index 0 "GET good.example/x 0"
	assert_line --index 1 "GET api.good.example/y 0"
	session_ended
	log_has '.op == "connect" and .object == "198.51.100.1:443" and .layer == "seccomp-notify" and .rule == "good" and .domains == ["good.example"]'
	log_has '.op == "connect" and .object == "198.51.100.1:443" and .layer == "sni" and .asked == "good.example" and .verdict == "allow" and (.exe | endswith("/curl"))'
	log_has '.op == "connect" and .object == "198.51.100.1:443" and .layer == "sni" and .asked == "evil.example" and .verdict == "deny"'
	run grep evil "$T/seen"
	assert_failure
}

@test "on loopback: what is read is judged the same" {
	run client_contained tls_good tls_pieces tls_fast_open_good tls_other tls_no_name tls_fast_open tls_again tls_second_hello \
		http_good http_other_host http_large_bodies bound six no_blocking many
	assert_success
	assert_output "tls_good hello
tls_pieces hello
tls_fast_open_good hello
tls_other reset
tls_no_name reset
tls_fast_open reset
tls_again HTTP/1.1 200 OK
tls_second_hello reset
http_good 2
http_other_host 0 reset
http_large_bodies 4
bound 1
six hello
no_blocking True True HTTP/1.1 200
many 300 300"
	run grep -E "evil|new" "$T/seen"
	assert_failure
}

# docs/limits.md says so. Not so with a namespace: verify.bats.
@test "on loopback: a program that asks is told the leader's address" {
	run client_contained ends
	assert_output --regexp "^ends \('127\.0\.0\.1', [0-9]+\) 127\.0\.0\.1$"
}

@test "on loopback: strangers, and ports that are used again, get nowhere" {
	run client_contained stranger port_again
	assert_success
	assert_output "stranger reset
port_again safe"
}

@test "on loopback: who looks is killed, and another takes over" {
	cat >"$T/kill" <<-'EOF'
		"$HOLDFAST" run --log "$LOG" --policy "$POLICY" -- /usr/bin/python3 "$HELPERS/look_client.py" "$T" killed >"$T/out" &
		until [[ -s $T/out ]]; do sleep 0.05; done
		minder=$(pgrep -P $! -x holdfast-names)
		kill -KILL "$(pgrep -P "$minder" -x holdfast-lead)"
		touch "$T/killed"
		wait $!
		cat "$T/out"
	EOF
	export T LOG POLICY HELPERS
	run world "$HF_HELPERS/with" -u timeout 60 bash "$T/kill"
	assert_output "begun
killed reset, HTTP/1.1 200"
}
