#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Rules by name: what a session asks the DNS is decided on, and what it was told decides on its
# connections. In a network of its own, with a DNS server and web servers.

setup() {
	load helpers/common
	load helpers/names
	names_setup
	policy_names <<EOF
  - {name: inside, match: {domain: ["meta.good.example"], address: [169.254.169.254]}, action: allow}
EOF
}

teardown() {
	hf_teardown
}

@test "a name that is allowed is reached, and the records say so" {
	run hf_world curl -sS -m 10 http://good.example/x
	assert_success
	assert_output hello
	session_ended
	log_has '.op == "resolve" and .object == "good.example" and .asked == "A" and .verdict == "allow" and .rule == "good" and (.exe | endswith("/curl")) and .pid and .layer == "dns"'
	log_has '.op == "connect" and .object == "198.51.100.1:80" and .domains == ["good.example"] and .rule == "good"'
}

@test "what no name leads to has none: an address, and another session's name" {
	run hf_world curl -sS -m 10 http://198.51.100.1/x
	assert_failure 7
	run hf_world curl -sS -m 10 http://good.example/x
	assert_success
	run hf_world curl -sS -m 10 http://198.51.100.1/x
	assert_failure 7
	# Within one, the address is the name's.
	run hf_world bash -c "curl -sS -m 10 http://good.example/x && curl -sS -m 10 http://198.51.100.1/x"
	assert_success
	# But not its other ports, nor by another protocol.
	run hf_world bash -c "curl -sS -m 10 http://good.example/x && curl -sS -m 10 http://good.example:81/x"
	assert_failure 7
}

@test "a name that is denied never leaves the machine" {
	run hf_world curl -sS -m 10 http://secret.evil.example/x
	assert_failure 6
	session_ended
	log_has '.op == "resolve" and .object == "secret.evil.example" and .verdict == "deny" and .rule == "never" and .result == "refused"'
	run hf_world curl -sS -m 10 http://bad.example/x
	assert_failure 6
	session_ended
	log_has '.op == "resolve" and .object == "bad.example" and .verdict == "deny" and .rule == null'
	run grep -E "evil|bad" "$T/dnsmasq.log"
	assert_failure
}

@test "an alias of a forbidden name is as forbidden" {
	run hf_world curl -sS -m 10 http://fronted.good.example/x
	assert_failure 7
	session_ended
	log_has '.op == "connect" and .object == "198.51.100.2:80" and .verdict == "deny" and .rule == "never" and .domains == ["fronted.good.example", "never.evil.example"]'
	run hf_world curl -sS -m 10 http://alias.good.example/x
	assert_success
}

@test "of two names with one address the strictest decides" {
	policy two <<EOF
default: {tool: allow, path: allow, network: deny, unix: allow, resolve: allow}
rules:
  - {name: first, match: {domain: [first.good.example]}, action: allow}
EOF
	run hf_world bash -c "curl -sS -m 10 http://first.good.example/x"
	assert_success
	run hf_world bash -c "curl -sS -m 10 http://first.good.example/x; curl -sS -m 10 http://second.other.example/x; curl -sS -m 10 http://first.good.example/x"
	assert_failure 7
	assert_output --partial hello
}

@test "connections by name are flagged and charged as others are" {
	policy paid <<EOF
default: {tool: allow, path: allow, network: deny, unix: allow, resolve: allow}
budget: {max_spend: 0.5}
rules:
  - {name: paid, match: {domain: [good.example], op: connect}, action: flag, cost: 0.3}
EOF
	run hf_world bash -c "for i in 1 2; do curl -sS -m 10 http://good.example/x; done"
	assert_failure 7
	assert_line hello
	session_ended
	log_has '.op == "connect" and .domains == ["good.example"] and .verdict == "flag" and .rule == "paid" and .cost == 0.3'
	log_has '.op == "connect" and .domains == ["good.example"] and .verdict == "deny" and .rule == "budget"'
}

@test "a name does not lead to an inner address" {
	run hf_world curl -sS -m 10 http://home.good.example/x
	assert_failure 7
	session_ended
	log_has '.op == "connect" and .object == "127.0.0.1:80" and .verdict == "deny" and .domains == ["home.good.example"]'
	# One that a rule names together with the name.
	run hf_world curl -sS -m 10 http://meta.good.example/x
	assert_success
}

@test "answers come from where they were asked for" {
	run hf_world /usr/bin/python3 "$HELPERS/questions.py" sources again stream
	assert_success
	assert_output "unconnected True 0 True
connected True True
mapped True
six True
another address is refused
elsewhere b'x'
and back True
stream 0 True"
}

@test "what is no question is answered with an error, and harms nobody" {
	run hf_world /usr/bin/python3 "$HELPERS/questions.py" bad
	assert_success
	assert_output "good 0
tunnel 0"
	run grep evil "$T/dnsmasq.log"
	assert_failure
}

@test "the resolvers of others: glibc, musl, c-ares, libuv, asyncio, dig, git" {
	skip_without musl-gcc node dig git
	run hf_world "$HF_HELPERS/lookup" good.example
	assert_output 198.51.100.1
	musl-gcc -static -D_GNU_SOURCE -o "$T/lookup" "$HELPERS/lookup.c"
	run hf_world "$T/lookup" good.example
	assert_output 198.51.100.1
	run hf_world "$T/lookup" bad.example
	assert_output "Name does not resolve"
	run hf_world node -e 'const d = require("dns"); d.resolve4("good.example", (e, a) => { console.log(a[0]); d.lookup("good.example", (e, a) => console.log(a)); })'
	assert_output "198.51.100.1
198.51.100.1"
	run hf_world node -e 'require("dns").resolve4("bad.example", (e) => console.log(e.code))'
	assert_output ENOTFOUND
	run hf_world /usr/bin/python3 -c 'import asyncio; print(asyncio.run(asyncio.open_connection("good.example", 80))[1].get_extra_info("peername"))'
	assert_output "('198.51.100.1', 80)"
	run hf_world dig +time=5 +tries=1 +short good.example
	assert_output 198.51.100.1
	run hf_world dig +tcp +time=5 +tries=1 +short good.example
	assert_output 198.51.100.1
	git init -q --bare "$T/www/r.git"
	git -C "$T/www/r.git" update-server-info
	run hf_world git ls-remote http://good.example/r.git
	assert_success
}

@test "IPv6 by name" {
	[[ -e /proc/sys/net/ipv6 ]] || skip "no IPv6"
	run hf_world /usr/bin/python3 -c 'import socket; print(socket.getaddrinfo("six.good.example", 80)[0][4][0])'
	assert_output 2001:db8::1
}

@test "without a server that answers, a resolver's ordinary error" {
	touch "$T/no-server"
	run hf_world "$HF_HELPERS/lookup" good.example
	assert_failure
	assert_output --partial "Temporary failure in name resolution"
}

@test "the helper ends with the session, and is not there without need" {
	cat >"$T/count" <<-'EOF'
		count() { pgrep -c --ns $$ --nslist net holdfast-dns; }
		"$HOLDFAST" run --log "$LOG" --policy "$1" -- bash -c 'touch "$T/on"; until [[ -e $T/off ]]; do sleep 0.05; done' &
		until [[ -e $T/on ]]; do sleep 0.05; done
		# It may get its name a moment after the command has begun.
		for ((i = 0; i < 100; i++)); do
			[[ $(count) == 1 ]] && break
			[[ $1 == *none.yaml ]] && break
			sleep 0.05
		done
		echo "in it: $(count)"
		touch "$T/off"
		wait $!
		for ((i = 0; i < 100; i++)); do
			[[ $(count) == 0 ]] && break
			sleep 0.05
		done
		echo "after it: $(count)"
	EOF
	export T LOG
	run world timeout 60 bash "$T/count" "$POLICY"
	assert_output "in it: 1
after it: 0"
	policy none <<EOF
default: {tool: allow, path: allow, network: allow}
EOF
	rm -f "$T/on" "$T/off"
	run world timeout 60 bash "$T/count" "$POLICY"
	assert_output "in it: 0
after it: 0"
}

@test "an ordinary user in the network of root" {
	local place

	skip_unless_root
	skip_without setpriv
	place=$(mktemp -d /tmp/hf-names-XXXXXX) # what is above $T is root's alone
	mkdir "$place/log"
	cp "$HOLDFAST" "$place/hf"
	cp "$POLICY" "$place/policy.yaml"
	chmod -R a+rX "$place"
	chown -R 65534:65534 "$place"
	cd "$place"
	run world setpriv --reuid=65534 --regid=65534 --clear-groups env HOME="$place" XDG_RUNTIME_DIR="$place" \
		XDG_STATE_HOME="$place" XDG_CONFIG_HOME="$place" "$place/hf" run --log "$place/log/l" --policy "$place/policy.yaml" -- \
		curl -sS -m 10 http://good.example/x
	cd /
	rm -rf "$place"
	assert_success
	assert_output hello
}

@test "what was decided by name is replayed by name" {
	run hf_world bash -c "curl -sS -m 10 http://good.example/x && ! curl -sS -m 10 http://bad.example/x && ! curl -sS -m 10 http://fronted.good.example/x"
	assert_success
	session_ended
	# What every look-up tries first is no loop of the agent's.
	refute log_has '.event == "notice" and (.note | test("repeats"))'
	# An alias that was not asked for closes, and never opens: it has to be told apart in the record.
	log_has '.op == "connect" and .domains == ["fronted.good.example", "never.evil.example"] and .aliases == 1'
	run "$HOLDFAST" replay --policy "$POLICY" --expect same "$LOG"
	assert_success
	sed 's/good.example, /nothing.example, /' "$POLICY" >"$T/other.yaml"
	run "$HOLDFAST" replay --policy "$T/other.yaml" --expect same "$LOG"
	assert_failure 1
	assert_output --partial "good.example"
	sed 's/action: allow}$/action: ask}/' "$POLICY" >"$T/asks.yaml"
	run "$HOLDFAST" replay --policy "$T/asks.yaml" --json "$LOG"
	# It is the connection that is asked about.
	assert_equal "$(jq -c '[.differences.list[] | select(.op == "resolve") | .new] | unique' <<<"$output")" '["flag"]'
}

@test "what is learned is learned by name, and the same command runs under it" {
	run world "$HOLDFAST" learn --output "$T/learned.yaml" -- curl -sS -m 10 -o "$T/got" http://alias.good.example/x
	assert_success
	run cat "$T/learned.yaml"
	assert_output --partial 'domain: ["alias.good.example"]'
	refute_output --partial "address:"
	run "$HOLDFAST" policy check "$T/learned.yaml"
	assert_success
	rm "$T/got"
	POLICY=$T/learned.yaml
	run hf_world curl -sS -m 10 -o "$T/got" http://alias.good.example/x
	assert_success
	assert_equal "$(cat "$T/got")" hello
	session_ended
	refute log_has '.verdict == "deny" and .kind == "network" and .rule != "other-resolver"'
	run hf_world curl -sS -m 10 -o "$T/got" http://bad.example/x
	assert_failure
}

holding() {
	world "$HOLDFAST" run --log "$LOG" --policy "$POLICY" --ask queue -- "$@" >"$T/out" 2>"$T/err" 3>&- 4>&- &
	started $!
}

held() {
	"$HOLDFAST" held --json "$(jq -r 'select(.event == "session_start") | .session' "$LOG")"
}

is_held() {
	[[ $(held | jq -r "$1") == "$2" ]]
}

@test "an answer for a name covers its port at whatever address, and no more" {
	policy asking <<-EOF
		default: {tool: allow, path: allow, network: ask, unix: allow}
		rules:
		  - {name: local, match: {address: [127.0.0.1]}, action: allow}
		  - {name: ask-names, match: {domain: ["*.good.example", good.example], op: [resolve]}, action: allow}
		  - {name: ask-web, match: {protocol: tcp}, action: ask}
	EOF
	holding bash -c 'for i in 1 2; do curl -sS -m 30 http://good.example/x; done; curl -sS -m 30 http://good.example:81/x; curl -sS -m 30 http://198.51.100.1/x; true'
	wait_for is_held .object 198.51.100.1:80
	assert_equal "$(held | jq -c .names)" '["good.example"]'
	assert_equal "$(held | jq -r '.answers[] | select(.scope == "domain").covers')" \
		"connect, send, resolve to good.example, port 80 (tcp), whatever its address, by any program"
	run "$HOLDFAST" held "$(held | jq -r .id)"
	assert_output --partial "known as good.example"
	"$HOLDFAST" approve "$(held | jq -r .id)" --for always --scope domain
	wait_for is_held .object 198.51.100.1:81
	assert_equal "$(cat "$T/out")" $'hello\nhello'
	assert_logged '.object == "198.51.100.1:80" and .verdict == "allow" and (.approver // "" | startswith("grant:"))'
	"$HOLDFAST" deny "$(held | jq -r .id)"
	session_ended
	# As a rule of the policy it does the same, without the grant.
	"$HOLDFAST" grants --write-policy "$POLICY" --yes
	"$HOLDFAST" policy check "$POLICY"
	"$HOLDFAST" revoke "$("$HOLDFAST" grants --json | jq -r .id)"
	rm "$LOG"
	run world "$HOLDFAST" run --log "$LOG" --policy "$POLICY" --ask deny -- \
		bash -c 'curl -sS -m 30 http://good.example/x && ! curl -sS -m 30 http://good.example:81/x'
	assert_success
	assert_line hello
}
