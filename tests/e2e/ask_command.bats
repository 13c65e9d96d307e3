#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# --ask command:PROGRAM: a program answers, and whatever else it does is a deny.

setup() {
	load helpers/common
	load helpers/held
	hf_setup
	mkdir "$T/ask"
	for i in 1 2 3; do echo "asked-for $i" >"$T/ask/file$i"; done
	policy_open asking <<-END
		  - {name: ask-first, match: {path: ["$T/ask/**"]}, action: ask, reason: Somebody should look.}
	END
}

teardown() {
	end_held
	hf_teardown
}

# bot <<EOF: the program, $T/bot.
bot() {
	{
		echo '#!/bin/bash'
		cat
	} >"$T/bot"
	chmod 755 "$T/bot"
}

ask() {
	hf --policy "$POLICY" --ask "command:$T/bot" "$@"
}

# denied REASON: the one deny of this test, by the program, for that reason.
denied() {
	assert_logged '.event == "action" and .verdict == "deny" and .approver == "command:bot"'
	run jq -r 'select(.event == "action" and .verdict == "deny" and .approver == "command:bot") | .reason' "$LOG"
	assert_output "$1"
}

@test "it gets the held action as JSON, and its allow lets it go on" {
	bot <<-END
		cat >"$T/question"
		echo '{"answer":"allow","reason":"It is only a file."}'
	END
	run ask -- cat "$T/ask/file1"
	assert_success
	assert_output "asked-for 1"
	assert_logged '.op == "read" and .verdict == "allow" and .approver == "command:bot" and .reason == "It is only a file." and .event == "action"'
	run jq -r '.op + " " + .object + " " + .rule + " " + .reason + " " + .agent + " " + (.argv | tostring)' "$T/question"
	assert_output "read $T/ask/file1 ask-first Somebody should look. cat null"
	run jq -e '(.id | length == 8) and (.session | length > 8) and .left_ms > 200000' "$T/question"
	assert_success
}

@test "its deny refuses, with its reason in the record" {
	bot <<-'END'
		echo '{"answer":"deny","reason":"Not this one."}'
	END
	run ask -- cat "$T/ask/file1"
	assert_failure 1
	assert_output --partial "Permission denied"
	denied "Not this one."
}

@test "whatever is no answer is a deny that says what it was" {
	local said reason n=0

	while IFS='|' read -r said reason; do
		rm -f "$LOG"
		n=$((n + 1))
		printf '%s' "$said" >"$T/said"
		bot <<<"cat '$T/said'"
		run ask -- cat "$T/ask/file1"
		assert_failure 1
		denied "The program answered with $reason"
	done <<-'END'
		|nothing
		yes|no JSON object
		["allow"]|no JSON object
		{"answer":"allow"} {"answer":"allow"}|no JSON object
		{"answer":"allow","answer":"deny"}|no JSON object
		{"answer":true}|a value that is no string
		{"answer":"Allow"}|an 'answer' that is neither "allow" nor "deny"
		{"reason":"allow"}|no 'answer'
		{"answer":"allow","if":"root agrees"}|a key that is not known
		{"answer":"allow","reason":7}|a value that is no string
		{"answer":"allow","for":"ever"}|a 'for' that is not once, session, restart, always or 30s to 12h
		{"answer":"allow","for":"10m","scope":"all"}|a 'scope' that is not exact, tool, dir, address, domain or agent
		{"answer":"allow","scope":"dir"}|a wider 'scope' without a 'for'
	END
	assert_equal "$n" 13
}

@test "an allow from a program that fails, or is killed, is a deny" {
	bot <<-'END'
		echo '{"answer":"allow"}'
		echo "first line" >&2
		echo "no connection" >&2
		exit 3
	END
	run ask -- cat "$T/ask/file1"
	assert_failure 1
	denied "The program failed with status 3: no connection"
	rm "$LOG"
	bot <<-'END'
		echo '{"answer":"allow"}'
		kill -SEGV $$
	END
	run ask -- cat "$T/ask/file1"
	assert_failure 1
	# sh says 128 + the signal for what it waited for; where it executes, there is the signal.
	assert_logged '.verdict == "deny" and .approver == "command:bot" and (.reason | test("killed by signal 11|status 139"))'
}

@test "a program that is not there is a deny" {
	run hf --policy "$POLICY" --ask "command:$T/missing" -- cat "$T/ask/file1"
	assert_failure 1
	assert_logged '.verdict == "deny" and .approver == "command:missing" and (.reason | test("failed with status 127: .*not found"))'
}

@test "one that does not answer in time is ended with all that it started" {
	bot <<-END
		sleep 300 &
		echo \$! >"$T/pid"
		wait
	END
	run ask --ask-timeout 4 -- cat "$T/ask/file1"
	assert_failure 1
	assert_logged '.event == "action" and .approver == "command:bot" and (.reason | test("^The program did not answer within [23] s$"))'
	wait_for is_gone "$(cat "$T/pid")"
}

@test "one that talks without end is a deny" {
	bot <<-'END'
		exec yes '{"answer":"allow"}'
	END
	run ask -- cat "$T/ask/file1"
	assert_failure 1
	denied "The program answered with more than 64 KiB"
}

@test "several are asked at once, and no more than eight" {
	# Each waits until there are as many as this test wants to see.
	bot <<-END
		read -r question
		echo \$\$ >>"$T/running"
		until [ -e "$T/go" ]; do sleep 0.05; done
		echo '{"answer":"allow"}'
	END
	for i in {1..12}; do echo "$i" >"$T/ask/many$i"; done
	# The second cat writes: the first would by copy_file_range(2), which does not lock the place in a
	# file that several write to.
	run_held --ask "command:$T/bot" -- sh -c 'for i in 1 2 3 4 5 6 7 8 9 10 11 12; do cat "$0/many$i" | cat & done; wait' "$T/ask"
	wait_held 12
	eight() { [[ $(wc -l <"$T/running") == 8 ]]; }
	wait_for eight
	# A later one is not asked while these run; a moment is as good as any.
	read -rt 0.5 _ <><(:) || true
	assert eight
	touch "$T/go"
	finished 0
	assert_equal "$(sort -n "$T/out" | tr '\n' ' ')" "1 2 3 4 5 6 7 8 9 10 11 12 "
	assert_equal "$(wc -l <"$T/running")" 12
}

@test "it runs outside of the session: without its filter, and it may use holdfast" {
	grep Seccomp_filters /proc/self/status >"$T/expected"
	bot <<-END
		grep Seccomp_filters /proc/self/status >"$T/filters"
		"$HOLDFAST" approve "\$(jq -r .id)"
		sleep 300
	END
	run ask -- cat "$T/ask/file1"
	assert_success
	assert_output "asked-for 1"
	assert_equal "$(cat "$T/filters")" "$(cat "$T/expected")"
	assert_logged '.verdict == "allow" and .held and (.approver | contains("(pid "))'
}

@test "what is answered elsewhere ends the program" {
	bot <<-END
		echo \$\$ >"$T/pid.tmp"
		mv "$T/pid.tmp" "$T/pid"
		exec sleep 300
	END
	run_held --ask "command:$T/bot" -- sh -c 'cat "$0"; exec sleep 300' "$T/ask/file1"
	wait_for test -s "$T/pid"
	"$HOLDFAST" approve "$(held_ids)"
	wait_for is_gone "$(cat "$T/pid")"
	refute [ -e "$T/status" ]
}

@test "the end of the session ends its programs" {
	bot <<-END
		echo \$\$ >"$T/pid.tmp"
		mv "$T/pid.tmp" "$T/pid"
		exec sleep 300
	END
	run_held --ask "command:$T/bot" -- cat "$T/ask/file1"
	wait_for test -s "$T/pid"
	kill -TERM "$(cat "$T/launcher")"
	wait_for is_gone "$(cat "$T/pid")"
	wait_for test -e "$T/status"
}

@test "without its process nothing is allowed" {
	bot <<-END
		echo \$PPID >"$T/ppid.tmp"
		mv "$T/ppid.tmp" "$T/ppid"
		exec sleep 300
	END
	run_held --ask "command:exec $T/bot" -- sh -c 'cat "$0"; cat "$0"' "$T/ask/file1"
	wait_for test -s "$T/ppid"
	kill -KILL "$(cat "$T/ppid")"
	finished 1
	assert_equal "$(cat "$T/out")" ""
	assert_logged '.event == "notice" and (.note | contains("has ended"))'
	assert_equal "$(log_count '.event == "action" and .verdict == "deny" and (.reason | test("cannot be asked"))')" 2
}

@test "a rule that names approvers means people: the program is not asked" {
	policy_open asking <<-END
		  - {name: ask-first, match: {path: ["$T/ask/**"]}, action: ask, ask: {approvers: ["$(id -un)"]}}
	END
	bot <<-END
		touch "$T/asked"
		echo '{"answer":"allow"}'
	END
	run_held --ask "command:$T/bot" -- cat "$T/ask/file1"
	wait_held 1
	"$HOLDFAST" approve "$(held_ids)"
	finished 0
	assert_file_not_exist "$T/asked"
}

@test "the agent cannot change the program that answers" {
	bot <<-'END'
		echo '{"answer":"deny"}'
	END
	run ask -- sh -c 'echo "echo '"'"'{\"answer\":\"allow\"}'"'"'" >"$1"; mv "$1" "$1.old"; cat "$2"' - "$T/bot" "$T/ask/file1"
	assert_failure 1
	refute_output --partial "asked-for"
	assert_file_contains "$T/bot" '"deny"'
	assert_logged '.verdict == "deny" and (.object | endswith("/bot"))'
}

@test "what the agent puts into a path reaches the program as JSON, and the record as text" {
	local name=$'x\e[2J\n"\u202etxt.\xff'

	echo odd >"$T/ask/$name"
	bot <<-END
		cat >"$T/question"
		printf '{"answer":"deny","reason":"\\\\u001b[31mno"}'
	END
	run ask -- cat "$T/ask/$name"
	assert_failure 1
	run jq -r '.object' "$T/question"
	assert_output --partial '\xff'
	assert_equal "$(wc -l <"$T/question")" 1
	denied $'\e[31mno'
	run grep -c $'\e' "$LOG"
	assert_output 0
}

@test "an answer that holds: the second of its kind is not asked" {
	bot <<-END
		echo asked >>"$T/asked"
		echo '{"answer":"allow","for":"session","scope":"dir"}'
	END
	run ask -- sh -c 'cat "$0/file1" && cat "$0/file2"' "$T/ask"
	assert_success
	assert_output "asked-for 1
asked-for 2"
	assert_equal "$(wc -l <"$T/asked")" 1
}

@test "an answer that gives more than the rule lets anybody give is a deny" {
	policy_open asking <<-END
		  - {name: ask-first, match: {path: ["$T/ask/**"]}, action: ask, ask: {max_duration: session}}
	END
	bot <<-'END'
		echo '{"answer":"allow","for":"always","scope":"dir"}'
	END
	run ask -- cat "$T/ask/file1"
	assert_failure 1
	assert_logged '.verdict == "deny" and .approver == "command:bot" and (.reason | length > 10)'
}

@test "equal actions are one question" {
	bot <<-END
		echo asked >>"$T/asked"
		until [ -e "$T/go" ]; do sleep 0.05; done
		echo '{"answer":"allow"}'
	END
	run_held --ask "command:$T/bot" -- sh -c 'cat "$0" & cat "$0" & cat "$0" & wait' "$T/ask/file1"
	waiting() { [[ $(held_json | jq .waiting) == 3 ]]; }
	wait_for waiting
	touch "$T/go"
	finished 0
	assert_equal "$(wc -l <"$T/asked")" 1
	assert_equal "$(wc -l <"$T/out")" 3
}

@test "--ask command: without a program is wrong usage" {
	run "$HOLDFAST" run --ask command: -- true
	assert_failure 125
	assert_output --partial "command:PROGRAM"
}
