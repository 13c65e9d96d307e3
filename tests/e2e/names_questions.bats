#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# What may be asked of the DNS at all, and questions that a person is asked about.

setup() {
	load helpers/common
	load helpers/names
	names_setup
}

teardown() {
	hf_teardown
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

nothing_is_held() {
	[[ -z $(held) ]]
}

asking_policy() {
	policy asking <<-'EOF'
		default: {tool: allow, path: allow, network: deny, unix: allow}
		rules:
		  - {name: local, match: {address: [127.0.0.1], protocol: udp}, action: allow}
		  - {name: may-ask, match: {domain: ["alias.good.example"], op: resolve}, action: allow}
		  - {name: ask-names, match: {domain: [good.example, bad.example], op: resolve}, action: ask}
		  - {name: web, match: {domain: ["*.good.example", good.example], port: 80}, action: allow}
	EOF
}

@test "limits on questions: types, lengths and random labels do not leave, names of servers do" {
	policy limited <<-'EOF'
		default: {tool: allow, path: allow, network: allow, unix: allow}
		questions: {records: [A, AAAA, SRV, HTTPS], max_name: 100, max_label: 40, max_entropy: 4.2, except: ["*.odd.example"]}
	EOF
	run hf_world /usr/bin/python3 "$HELPERS/questions.py" tunnels
	assert_success
	assert_output "A good 0 1
TXT good 0 0
NULL good 0 0
type 65280 good 0 0
long label 3 0
long name 3 0
random label 3 0
SRV 3 0
excepted 3 0"
	run grep -oE 'query\[[^ ]* [^ ]*' "$T/dnsmasq.log"
	assert_output "query[A] good.example
query[SRV] _http._tcp.good.example
query[TXT] qk7v2mz9xw4b8rj3nh6tp5ycd0flgs1aeu.odd.example"
	session_ended
	log_has '.op == "resolve" and .asked == "TXT" and .object == "good.example" and .rule == "questions" and .verdict == "deny"'
	log_has '.op == "resolve" and .asked == "TYPE65280" and .rule == "questions"'
	log_has '.op == "resolve" and (.reason // "" | test("max_entropy"))'
	log_has '.op == "resolve" and (.reason // "" | test("max_label"))'
	log_has '.op == "resolve" and (.reason // "" | test("max_name"))'
	run "$HOLDFAST" replay --policy "$POLICY" --expect same "$LOG"
	assert_success
}

@test "so many questions a minute, and an ordinary error for the rest" {
	policy rated <<-'EOF'
		default: {tool: allow, path: allow, network: allow, unix: allow}
		questions: {per_minute: 5}
	EOF
	run hf_world /usr/bin/python3 "$HELPERS/questions.py" many
	assert_output "0 0 0 0 0 5 5"
	session_ended
	log_has '.op == "resolve" and .rule == "budget" and .reason == "questions: per_minute 5 reached"'
	assert_equal "$(grep -c query "$T/dnsmasq.log")" 5
}

@test "the shipped policy: what npm, apt and git ask is let out, tunnels and resolvers inside of TLS are not" {
	POLICY=$(cd "$BATS_TEST_DIRNAME/../../policies" && pwd)/coding-agent.yaml
	run world "$HOLDFAST" run --log "$LOG" --policy "$POLICY" --ask deny -- /usr/bin/python3 "$HELPERS/questions.py" tunnels canary
	assert_success
	assert_line "A good 0 1"
	assert_line "TXT good 0 0"
	assert_line "long label 3 0"
	assert_line "random label 3 0"
	assert_line "SRV 3 0"
	assert_line "use-application-dns.net 3"
	assert_line "mozilla.cloudflare-dns.com 3"
	assert_line "dns.google 3"
	assert_line "8.8.8.8:443 refused"
	assert_line "198.51.100.1:853 refused"
	run grep -oE 'query\[[^ ]* [^ ]*' "$T/dnsmasq.log"
	assert_output "query[A] good.example
query[SRV] _http._tcp.good.example"
}

@test "a held question: others go on, and yes lets it through" {
	asking_policy
	holding bash -c 'curl -sS -m 60 http://good.example/x & curl -sS -m 10 http://alias.good.example/x && touch "$1/other"; wait; curl -sS -m 10 http://good.example/x' - "$T"
	wait_for is_held '.object' good.example
	wait_for test -e "$T/other"
	assert_equal "$(held | jq -r '.op + " " + .rule')" "resolve ask-names"
	"$HOLDFAST" approve "$(held | jq -r .id)"
	session_ended
	assert_equal "$(cat "$T/out")" $'hello\nhello\nhello'
	log_has '.event == "held" and .op == "resolve" and .object == "good.example" and .rule == "ask-names" and .layer == "dns"'
	log_has '.event == "action" and .op == "resolve" and .object == "good.example" and .verdict == "allow" and .held and .approver and .result == "performed"'
	# A and AAAA of two programs, asked again in vain: one question for a person.
	assert_equal "$(jq -s '[.[] | select(.event == "held")] | length' "$LOG")" 1
}

@test "a held question: no is an ordinary error, and nothing left the machine" {
	asking_policy
	holding "$HF_HELPERS/lookup" bad.example
	wait_for is_held '.object' bad.example
	"$HOLDFAST" deny "$(held | jq -r .id)" --reason "not this one"
	session_ended
	run cat "$T/out" "$T/err"
	assert_output --regexp "Temporary failure in name resolution|Name or service not known"
	log_has '.event == "action" and .op == "resolve" and .object == "bad.example" and .verdict == "deny" and .reason == "not this one" and .result == "refused"'
	run grep bad "$T/dnsmasq.log"
	assert_failure
}

@test "a held question: who asks by UDP is told to come by TCP, and its deadline denies" {
	asking_policy
	run world "$HOLDFAST" run --log "$LOG" --policy "$POLICY" --ask queue --ask-timeout 1 -- \
		/usr/bin/python3 "$HELPERS/questions.py" held
	assert_success
	assert_line "UDP: truncated, 0 answers"
	assert_line "TCP: 5"
	assert_line "UDP again: 5"
	session_ended
	log_has '.event == "action" and .op == "resolve" and .approver == "timeout"'
	log_has '.event == "action" and .op == "resolve" and .approver == "answered before" and .verdict == "deny"'
}

@test "a grant for a name answers questions for it, and limits hold for granted names, too" {
	asking_policy
	sed -i 's/^rules:/questions: {records: [A, AAAA]}\nrules:/' "$POLICY"
	holding bash -c 'for i in 1 2; do curl -sS -m 60 http://good.example/x; done; /usr/bin/python3 "$1" txt' - "$HELPERS/questions.py"
	wait_for is_held '.object' good.example
	"$HOLDFAST" approve "$(held | jq -r .id)" --for session --scope domain
	session_ended
	assert_equal "$(cat "$T/out")" $'hello\nhello\n0 0'
	log_has '.op == "resolve" and .asked == "TXT" and .rule == "questions" and .verdict == "deny"'
}

@test "an ask that does not speak of questions asks about the connection" {
	policy connections <<-'EOF'
		default: {tool: allow, path: allow, network: deny, unix: allow}
		rules:
		  - {name: local, match: {address: [127.0.0.1], protocol: udp}, action: allow}
		  - {name: ask-web, match: {domain: good.example, port: 80}, action: ask}
	EOF
	holding curl -sS -m 60 http://good.example/x
	wait_for is_held '.object' 198.51.100.1:80
	log_has '.op == "resolve" and .object == "good.example" and .verdict == "flag"'
	"$HOLDFAST" approve "$(held | jq -r .id)"
	session_ended
	assert_equal "$(cat "$T/out")" hello
}
