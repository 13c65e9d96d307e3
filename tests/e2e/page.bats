#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# `holdfast page`: what it shows and answers, and to whom it does not.

setup() {
	load helpers/common
	load helpers/held
	hf_setup
	mkdir "$T/ask"
	echo asked-for >"$T/ask/file"
	policy_open asking <<-END
		  - {name: ask-first, match: {path: ["$T/ask/**"]}, action: ask, reason: Somebody should look.}
	END
}

teardown() {
	end_held
	hf_teardown
}

# ends_well PID: by itself, within the deadline, with status 0.
ends_well() {
	wait_for is_gone "$1" || return
	wait "$1"
}

# start_page [OPTIONS]: links come in $T/links, the last one in $(link).
start_page() {
	"$HOLDFAST" page "$@" >"$T/links" 2>"$T/page.err" </dev/null 3>&- 4>&- &
	PAGE=$!
	started $PAGE
	wait_for grep -q login "$T/links"
}

link() {
	tail -n 1 "$T/links"
}

deed() {
	local name=$1
	shift
	timeout -k 5 60 python3 "$HELPERS/page.py" "$name" "$(link)" "$@"
}

hold_one() {
	run_held --ask queue -- cat "$T/ask/file"
	wait_held 1
}

session_name() {
	held_json | jq -r .session
}

@test "an answer on the page lets the action go on; the same answer again does not count" {
	start_page
	hold_one
	deed approve
	finished 0
	assert_equal "$(cat "$T/out")" asked-for
	assert_logged '.op == "read" and .verdict == "allow" and .rule == "ask-first" and (.approver | length > 0) and .event == "action"'
}

@test "deny on the page, with a reason" {
	start_page
	hold_one
	deed deny "Not this one."
	finished 1
	assert_file_contains "$T/err" "Permission denied"
	assert_logged '.verdict == "deny" and .reason == "Not this one." and (.approver | length > 0)'
}

@test "an answer for the session is a grant" {
	start_page
	run_held --ask queue -- sh -c 'for i in 1 2 3; do cat "$1"; done' - "$T/ask/file"
	wait_held 1
	deed grant
	finished 0
	assert_equal "$(cat "$T/out")" $'asked-for\nasked-for\nasked-for'
}

@test "grants are listed, and revoked" {
	start_page
	run_held --ask queue -- sh -c 'for i in 1 2; do cat "$1"; until [ -e "$2" ]; do :; done; done' - "$T/ask/file" "$T/go"
	wait_held 1
	deed grants
	touch "$T/go"
	wait_held 1
	assert_logged '.event == "notice" and (.note | test("revoked grant"))'
	"$HOLDFAST" deny "$(held_ids)"
	finished 0
}

@test "a link lets one browser in, and the next link is printed" {
	start_page
	deed link_once
	wait_for test "$(wc -l <"$T/links")" = 2
	deed keep /dev/null
}

@test "every response forbids what the page does not need" {
	start_page
	deed headers
}

@test "nothing but the page itself gets an answer through" {
	start_page
	hold_one
	deed refusals
	assert_equal "$(held_count)" 1
}

@test "sessions, log with filters, processes, report" {
	start_page
	hold_one
	deed reads "$(session_name)"
}

@test "a held action is told at once" {
	start_page
	run_held --ask queue -- sh -c 'for i in 0 1 2 3 4 5 6 7 8 9; do while [ ! -e "$1.$i" ]; do sleep 0.02; done; cat "$2"; done' - "$T/go" "$T/ask/file"
	deed latency "$T/go" 10
	finished 0
}

@test "slow clients keep nobody waiting, and are ended" {
	start_page
	deed slow
}

@test "a process of a session is refused, with a link and with a cookie, and the user is told" {
	start_page
	deed keep "$T/kept"
	run hf --policy "$POLICY" -- python3 "$HELPERS/page.py" inside "$(link)" "$T/kept" "$LOG"
	assert_success
	assert_logged '.event == "notice" and (.note | test("process [0-9]+ of this session. tried to use the web page and was refused"))'
	wait_for grep -q "tried to use the page and was refused" "$T/page.err"
	deed works "$T/kept"
}

@test "a session that the page does not know is one all the same" {
	start_page
	deed keep "$T/kept"
	mkdir -m 0700 "$T/elsewhere"
	XDG_RUNTIME_DIR=$T/elsewhere run hf --policy "$POLICY" -- python3 "$HELPERS/page.py" inside "$(link)" "$T/kept"
	assert_success
}

@test "one that is gone before it can be looked at has answered nothing" {
	start_page
	deed keep "$T/kept"
	hold_one
	run timeout -k 5 60 "$HOLDFAST" run --log "$T/other.jsonl" --policy "$POLICY" -- python3 "$HELPERS/page.py" hit_and_run "$(link)" "$T/kept" "$(session_name)" "$(held_ids)"
	assert_success
	deed works "$T/kept"
	assert_equal "$(held_count)" 1
}

@test "an agent that takes every connection does not keep the user out" {
	start_page
	deed keep "$T/kept"
	hf --policy "$POLICY" -- python3 "$HELPERS/page.py" crowd "$(link)" "$T/kept" "$T/ready" "$T/done" >"$T/crowd.out" 2>&1 3>&- &
	started $!
	wait_for test -e "$T/ready"
	deed works "$T/kept"
	touch "$T/done"
	ends_well $!
}

@test "a session with a command line of 2 MB is listed" {
	local long

	printf -v long '%110000s' x
	start_page
	policy_open ask-exec <<-'END'
		  - {name: ask-true, match: {tool: "true"}, action: ask}
	END
	run_held --ask queue -- true "$long" "$long" "$long" "$long" "$long" "$long" "$long" "$long" "$long" "$long" "$long" "$long" "$long" "$long" "$long" "$long"
	wait_held 1
	assert_equal "$(held_json | jq -r '"\(.truncated) \(.argc)"')" "true 17"
	deed lists "$(session_name)"
}

@test "log out" {
	start_page
	deed logout
}

@test "IPv6, and a port that is taken" {
	start_page --listen ::1
	assert_regex "$(link)" '^http://\[::1\]:[0-9]+/login'
	deed keep /dev/null
	run timeout 20 "$HOLDFAST" page --listen ::1 --port "$(link | grep -o ']:[0-9]*' | cut -c3-)"
	assert_equal "$status" 1
	assert_output --partial "cannot listen on ::1"
}

@test "ends when it is told to, with a browser that listens" {
	start_page
	deed keep "$T/kept"
	deed listen "$T/kept" "$T/listens" >"$T/listen.out" 2>&1 3>&- &
	started $!
	wait_for test -e "$T/listens"
	kill -TERM "$PAGE"
	ends_well "$PAGE"
	ends_well $!
}

@test "a session that hangs: the page goes on, and ends" {
	local pid

	start_page
	deed keep "$T/kept"
	hold_one
	pid=$(jq -r 'select(.event == "session_start") | .. | .supervisor? // empty' "$LOG")
	kill -STOP "$pid"
	deed hangs "$T/kept" "$T/asking" >"$T/hangs.out" 2>&1 3>&- &
	started $!
	wait_for test -e "$T/asking"
	deed works "$T/kept"
	kill -TERM "$PAGE"
	ends_well "$PAGE"
	kill -CONT "$pid"
}

@test "wrong usage" {
	run "$HOLDFAST" page --port 70000
	assert_equal "$status" 2
	run "$HOLDFAST" page --listen localhost
	assert_equal "$status" 1
	assert_output --partial "expected an address"
	run "$HOLDFAST" page --help
	assert_success
	assert_output --partial "usage: holdfast page"
}
