#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Signed messages to the user's own server, and answers from there: by polling, by links, by an API call.

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

# webhook [KEYS]: a broker whose messages go to the test's server.
webhook() {
	broker_config <<-END
		webhook: {url: "http://127.0.0.1:$PORT/hook", secret: $SECRET${1:+, $1}}
		${2:-}
	END
	broker_run
}

links() {
	LINKS=$(free_port)
	webhook "" "links: {port: $LINKS}"
}

# link METHOD TOKEN [ARGS]: as the phone would, with the status at the end.
link() {
	local method=$1 token=$2

	shift 2
	curl -sS --noproxy '*' -w '\n%{http_code}' -X "$method" "$@" "http://127.0.0.1:$LINKS/a/$token"
}

listens() {
	curl -sS --noproxy '*' -o /dev/null "http://127.0.0.1:$LINKS/"
}

holds_file() {
	[[ $(held_json | jq -r .object) == */$1 ]]
}

told() {
	[[ $(requests '.body.type == "holdfast.held"') == "$1" ]]
}

attempted() {
	log_has ".event == \"notice\" and (.note | test(\"$1\"))"
}

@test "a held action is sent, signed, with what it is, and so is its end" {
	server_start
	webhook
	run_held -- cat "$T/ask/file1"
	wait_for requested '.body.type == "holdfast.held"'
	run jq -r '[.valid, .path, .headers."content-type", .body.data.agent, .body.data.op, .body.data.action.object,
		(.body.data.text | test("object +'"$T/ask/file1"'")), (.body.data.answers | length)] | map(tostring) | join(" ")' "$T/requests"
	assert_output "true /hook application/json cat read $T/ask/file1 true 2"
	assert_equal "$(jq -r .body.data.id "$T/requests")" "$(held_ids)"
	run jq -e '(.headers."webhook-id" | startswith("msg_")) and (.headers."webhook-timestamp" | tonumber) - now < 5' "$T/requests"
	assert_success
	"$HOLDFAST" approve "$(held_ids)"
	finished 0
	wait_for requested '.body.type == "holdfast.ended" and .valid'
	assert_equal "$(jq -rs '[.[].body.data.id] | unique | length' "$T/requests")" 1
	assert_equal "$(jq -rs '[.[].headers."webhook-id"] | unique | length' "$T/requests")" 2
}

@test "without details nothing of the command leaves the machine" {
	server_start
	webhook "details: false"
	run_held -- cat "$T/ask/file1"
	wait_for requested '.body.type == "holdfast.held"'
	run grep -c "file1\|ask-first" "$T/requests"
	assert_output 0
}

@test "a server that fails is tried again, later and later, with the same id; one that refuses is not" {
	server_start
	printf '503\n500\n429\n' >"$T/replies"
	webhook
	run_held -- cat "$T/ask/file1"
	wait_for broker_says '.delivered == 1'
	assert_equal "$(jq -rs '[.[].headers."webhook-id"] | unique | length' "$T/requests")" 1
	assert_equal "$(requests .valid)" 4
	run jq -es '[.[].time] | .[3] - .[2] > 0.9 and .[1] - .[0] > 0.2' "$T/requests"
	assert_success
	echo 400 >"$T/replies"
	"$HOLDFAST" deny "$(held_ids)"
	finished 1
	wait_for broker_says '.lost == 1'
	assert_equal "$(requests '.body.type == "holdfast.ended"')" 1
}

@test "redirections are not followed" {
	server_start
	echo 302 >"$T/replies"
	webhook
	run_held -- cat "$T/ask/file1"
	wait_for broker_says '.lost == 1'
	assert_equal "$(requests '.path == "/elsewhere"')" 0
}

@test "a server that hangs, or is not there, holds nobody up" {
	server_start
	yes hang | head -n 50 >"$T/replies"
	webhook
	run_held -- cat "$T/ask/file1"
	wait_for requested .valid
	broker_answers
	"$HOLDFAST" approve "$(held_ids)"
	finished 0
	wait_for broker_says '.held == []'
}

@test "TLS is verified" {
	skip_without openssl
	openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost \
		-keyout "$T/key.pem" -out "$T/ca.pem" 2>/dev/null
	cat "$T/key.pem" "$T/ca.pem" >"$T/both.pem"
	server_start "$T/both.pem"
	broker_config <<<"webhook: {url: \"https://localhost:$PORT/\", secret: $SECRET}"
	broker_run
	run_held -- cat "$T/ask/file1"
	wait_for broker_says '.problems | any(test("certificate"))'
	assert_not_exist "$T/requests"
	broker_end
	broker_config <<<"webhook: {url: \"https://localhost:$PORT/\", secret: $SECRET, ca_file: $T/ca.pem}"
	broker_run
	wait_for requested .valid
}

@test "an answer is fetched from the user's server, once and for all" {
	server_start
	webhook "poll: \"http://127.0.0.1:$PORT/answers\", poll_every: 1s"
	run_held -- cat "$T/ask/file1"
	printf '{"answers":["%s"]}' "$(token allow)" >"$T/answers"
	finished 0
	assert_logged '.event == "action" and .verdict == "allow" and (.approver | endswith(" via webhook"))'
	run jq -es 'any(.[]; .method == "GET" and .valid)' "$T/requests"
	assert_success
	# The server says it again; that is no attempt.
	wait_for broker_says '.held == []'
	assert_equal "$(broker_status | jq .attempts)" 0
}

@test "a link shows first and answers then, once; who has no token gets nothing" {
	server_start
	links
	run_held -- cat "$T/ask/file1"
	token=$(token allow)
	assert_equal "$(jq -r 'select(.body.type == "holdfast.held") | .body.data.answers[0].url' "$T/requests")" "http://127.0.0.1:$LINKS/a/$token"
	wait_for listens
	run link GET "$token"
	assert_output --partial "object   $T/ask/file1"
	assert_output --partial "<button>Allow once</button>"
	assert_output --regexp $'\n200$'
	wait_held 1 # it is only shown
	run link POST "$token"
	assert_output --partial "Allowed."
	finished 0
	assert_equal "$(cat "$T/out")" "asked-for 1"
	run link POST "$token"
	assert_output --regexp $'\n410$'
	run link GET ""
	assert_output --regexp $'\n404$'
}

@test "a link is for one answer: the other of the pair is used up with it; JSON for programs" {
	server_start
	links
	run_held -- bash -c "cat '$T/ask/file1'; cat '$T/ask/file2'"
	deny=$(token deny) allow=$(token allow)
	wait_for listens
	run link POST "$deny" -H 'Accept: application/json'
	assert_output $'{"ok":true,"message":"Denied."}\n200'
	wait_for holds_file file2
	run link POST "$allow" -H 'Accept: application/json'
	assert_output --partial '"ok":false'
	assert_output --regexp $'\n410$'
	wait_for attempted 'with a link or token that .* and was refused'
	assert_equal "$(held_json | jq -r .object)" "$T/ask/file2"
}

@test "tampered links are refused and recorded; so is a link of a broker that has gone" {
	server_start
	links
	run_held -- cat "$T/ask/file1"
	deny=$(token deny) allow=$(token allow)
	wait_for listens
	id=$(held_ids)
	# Its answer, its time, its id, its signature.
	for forged in "${deny/.deny./.allow.}" "${allow/.17/.27}" "${allow/$id/abcd2345}" "${allow%??????}AAAAAA" v1.a.b.c.d.e.f x "${allow}A"; do
		[[ $forged != "$allow" ]]
		run link POST "$forged"
		assert_output --regexp $'\n403$'
	done
	wait_for attempted 'tried to answer by the webhook with a link or token that the broker did not make and was refused'
	wait_held 1
	kill -KILL "$BROKER"
	broker_run
	wait_for listens
	run link POST "$allow"
	assert_output --regexp $'\n403$'
	wait_held 1
	# The new one has told of it anew.
	wait_for told 2
	new=$(jq -rs '[.[] | select(.body.type == "holdfast.held")][1].body.data.answers[0].token' "$T/requests")
	run link POST "$new"
	assert_output --partial "Allowed."
	finished 0
}

@test "the session alone decides who may answer: a rule's approvers hold for links, too" {
	server_start
	links
	policy_open approvers <<-END
		  - {name: others, match: {path: ["$T/ask/**"]}, action: ask, ask: {approvers: [daemon]}}
	END
	run_held -- cat "$T/ask/file1"
	allow=$(token allow)
	wait_for listens
	run link POST "$allow"
	assert_output --partial "Refused: the rule lets only daemon answer"
	assert_output --regexp $'\n409$'
	wait_held 1
	wait_for attempted 'which only daemon may, and was refused'
}

@test "a link expires with its question" {
	server_start
	links
	run_held --ask-timeout 2 -- cat "$T/ask/file1"
	allow=$(token allow)
	wait_for listens
	finished 1
	run link POST "$allow"
	assert_output --regexp $'\n410$'
}

@test "no port is open unless the user says so" {
	server_start
	webhook
	run_held -- cat "$T/ask/file1"
	wait_for requested .valid
	for pid in "$BROKER" $(pgrep -P "$BROKER"); do
		for fd in "/proc/$pid/fd/"*; do
			socket=$(readlink "$fd" || true)
			[[ $socket != socket:* ]] || refute grep -q " 0A .* ${socket//[!0-9]/} " /proc/net/tcp /proc/net/tcp6
		done
	done
}

@test "an agent that comes to the links' port is refused without a look at its token, and recorded" {
	server_start
	links
	run_held -- cat "$T/ask/file1"
	allow=$(token allow)
	wait_for listens
	LOG=$T/agent.jsonl
	run hf --policy "$POLICY" -- curl -sS --noproxy '*' -w '\n%{http_code}' -X POST "http://127.0.0.1:$LINKS/a/$allow"
	assert_output $'Refused.\n\n403'
	# shellcheck disable=SC2034 # held_json reads it
	LOG=$T/log.jsonl
	wait_held 1
	wait_for broker_says '.attempts > 0'
	"$HOLDFAST" deny "$(held_ids)"
	finished 1
}
