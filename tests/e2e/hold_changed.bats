#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# An approval is a yes to one action: not to another attempt, process, file or argument.

setup() {
	load helpers/common
	load helpers/held
	hf_setup
	mkdir "$T/ask"
	echo asked-for >"$T/ask/file"
	policy_open asking <<-END
		  - {name: ask-first, match: {path: ["$T/ask/**"]}, action: ask}
		  - {name: ask-echo, match: {tool: echo}, action: ask}
		  - {name: ask-connect, match: {address: [127.0.0.1], op: [connect]}, action: ask}
	END
}

teardown() {
	end_held
	hf_teardown
}

approve_held() {
	"$HOLDFAST" approve "$(held_ids)"
}

assert_changed() {
	assert_logged '.event == "action" and .verdict == "deny" and .reason == "changed-while-held" and .result == "refused" and (.approver | length > 0)'
	refute_logged '.event == "action" and .verdict == "allow" and .rule == "'"$1"'"'
}

hold_cat() {
	run_held --ask queue -- cat "$T/ask/file"
	wait_held 1
}

@test "another file renamed over the one that was asked about is not read" {
	hold_cat
	echo secret >"$T/other"
	mv "$T/other" "$T/ask/file"
	approve_held
	finished 1
	assert_equal "$(cat "$T/out")" ""
	assert_file_contains "$T/err" "Permission denied"
	assert_changed ask-first
}

@test "a file rewritten meanwhile is not read, though its times were set back" {
	hold_cat
	cp -p "$T/ask/file" "$T/times"
	echo somethng >"$T/ask/file"
	touch -r "$T/times" "$T/ask/file"
	approve_held
	finished 1
	assert_equal "$(cat "$T/out")" ""
	assert_changed ask-first
}

@test "a link that leads elsewhere meanwhile is not followed" {
	mv "$T/ask/file" "$T/ask/one"
	echo secret >"$T/ask/two"
	ln -s one "$T/ask/file"
	hold_cat
	ln -s two "$T/link"
	mv "$T/link" "$T/ask/file"
	approve_held
	finished 1
	assert_equal "$(cat "$T/out")" ""
	assert_changed ask-first
}

@test "a directory above it that was exchanged leads nowhere" {
	mkdir "$T/ask/dir" "$T/evil"
	echo secret >"$T/evil/file"
	echo asked-for >"$T/ask/dir/file"
	run_held --ask queue -- cat "$T/ask/dir/file"
	wait_held 1
	mv "$T/ask/dir" "$T/away"
	mv "$T/evil" "$T/ask/dir"
	approve_held
	finished 1
	assert_equal "$(cat "$T/out")" ""
	assert_changed ask-first
}

@test "a file that appeared meanwhile is not opened by a creation, nor one that vanished made" {
	run_held --ask queue -- sh -c 'echo text >"$1"' - "$T/ask/new"
	wait_held 1
	echo theirs >"$T/ask/new"
	approve_held
	finished 2
	assert_equal "$(cat "$T/ask/new")" theirs
	assert_changed ask-first
	rm "$T/status" "$LOG"
	run_held --ask queue -- sh -c 'echo text >"$1"' - "$T/ask/file"
	wait_held 1
	rm "$T/ask/file"
	approve_held
	finished 2
	assert_file_not_exist "$T/ask/file"
	assert_changed ask-first
}

@test "what is unchanged is carried out: reading, writing, creating, a directory that got entries" {
	hold_cat
	approve_held
	finished 0
	assert_equal "$(cat "$T/out")" asked-for
	rm "$T/status"
	run_held --ask queue -- sh -c 'echo more >>"$1"' - "$T/ask/file"
	wait_held 1
	approve_held
	finished 0
	assert_equal "$(cat "$T/ask/file")" $'asked-for\nmore'
	rm "$T/status"
	run_held --ask queue -- sh -c 'umask 027; echo text >"$1"' - "$T/ask/new"
	wait_held 1
	approve_held
	finished 0
	assert_equal "$(stat -c %a "$T/ask/new") $(cat "$T/ask/new")" "640 text"
	rm "$T/status"
	policy_open listing <<-END
		  - {name: ask-first, match: {path: ["$T/ask"]}, action: ask}
	END
	run_held --ask queue -- ls "$T/ask"
	wait_held 1
	touch "$T/ask/also"
	approve_held
	finished 0
	assert_equal "$(cat "$T/out")" $'also\nfile\nnew'
	session_ended
	assert_equal "$(log_count '.reason == "changed-while-held"')" 0
}

# swap WHAT A B: asks for A, makes it B while that is held, approves.
swap() {
	run_held --ask queue -- "$HF_HELPERS/hold" swap "$1" "$T/go" "$2" "$3"
	wait_held 1
	touch "$T/go"
	wait_for test ! -e "$T/go"
	approve_held
	finished 0
}

@test "another thread makes the path another: denied" {
	echo secret >"$T/ask/two"
	swap open "$T/ask/file" "$T/ask/two"
	assert_equal "$(cat "$T/out")" EACCES
	assert_changed ask-first
}

@test "another thread makes the path one that needs no question: denied all the same" {
	echo free >"$T/free"
	swap open "$T/ask/file" "$T/free"
	assert_equal "$(cat "$T/out")" EACCES
	assert_changed ask-first
}

@test "another thread changes the arguments of a command: denied" {
	swap exec good evil
	assert_equal "$(cat "$T/out")" EACCES
	assert_changed ask-echo
}

@test "another thread changes the last of many arguments' bytes: denied" {
	local padding
	printf -v padding '%2000s' ''
	swap exec "good$padding x" "good$padding y"
	assert_equal "$(cat "$T/out")" EACCES
	assert_changed ask-echo
}

@test "another thread changes the address: denied" {
	swap connect 9 10
	assert_equal "$(cat "$T/out")" EACCES
	assert_changed ask-connect
}

@test "a script that was rewritten while its exec was held does not run" {
	policy_open script <<-END
		  - {name: ask-script, match: {tool: tool.sh}, action: ask}
	END
	printf '#!/bin/sh\necho good\n' >"$T/tool.sh"
	chmod 755 "$T/tool.sh"
	run_held --ask queue -- sh -c '"$1" || echo "status $?"' - "$T/tool.sh"
	wait_held 1
	printf '#!/bin/sh\necho evil\n' >"$T/tool.sh"
	approve_held
	finished 0
	assert_equal "$(cat "$T/out")" "status 126"
	assert_changed ask-script
}

@test "one approval is for one attempt of one process" {
	run_held --ask queue -- sh -c 'cat "$1"; cat "$1"; cat "$1" & wait $!' - "$T/ask/file"
	wait_held 1
	approve_held
	wait_for test -s "$T/out"
	wait_held 1
	"$HOLDFAST" deny "$(held_ids)"
	wait_for grep -q denied "$T/err"
	wait_held 1
	"$HOLDFAST" deny "$(held_ids)"
	finished 1
	assert_equal "$(cat "$T/out")" asked-for
}

@test "one approval is not for the same file by another name, nor for another by this name" {
	run_held --ask queue -- sh -c 'cat "$1"; ln "$1" "$1.2"; cat "$1.2"' - "$T/ask/file"
	wait_held 1
	approve_held
	wait_for test -s "$T/out"
	wait_held 1 # the link
	approve_held
	wait_for test -e "$T/ask/file.2"
	wait_held 1
	run held_json
	assert_equal "$(jq -r .object <<<"$output")" "$T/ask/file.2"
	"$HOLDFAST" deny "$(held_ids)"
	finished 1
	assert_equal "$(cat "$T/out")" asked-for
}

@test "two questions answered in reverse order: each answer to its own" {
	echo second >"$T/ask/second"
	run_held --ask queue -- sh -c 'cat "$1" & cat "$2" & wait' - "$T/ask/file" "$T/ask/second"
	wait_held 2
	id_of() {
		held_json | jq -r "select(.object == \"$1\") | .id"
	}
	local first second
	first=$(id_of "$T/ask/file")
	second=$(id_of "$T/ask/second")
	"$HOLDFAST" approve "$second"
	wait_for grep -q second "$T/out"
	"$HOLDFAST" deny "$first"
	finished 0
	assert_equal "$(cat "$T/out")" second
}

@test "an answer after the process has died does nothing" {
	run_held --ask queue -- sh -c 'cat "$1" & echo $! >"$2.tmp"; mv "$2.tmp" "$2"; wait $!; sleep 60' - "$T/ask/file" "$T/pid"
	wait_held 1
	local id
	id=$(held_ids)
	kill -KILL "$(cat "$T/pid")"
	wait_held 0
	run "$HOLDFAST" approve "$id"
	assert_failure 1
	assert_logged '.event == "action" and .rule == "ask-first" and .verdict == "deny" and .result == "gone"'
}

@test "an approved call that blocks keeps nothing waiting, and a signal ends it" {
	mkfifo "$T/ask/fifo"
	run_held --ask queue -- sh -c 'cat "$1" & cat "$2"; wait $!; echo "status $?"' - "$T/ask/fifo" "$T/ask/file"
	wait_held 2
	held_ids | xargs -n 1 "$HOLDFAST" approve
	wait_for grep -q asked-for "$T/out"
	run "$HOLDFAST" held
	assert_success
	local pid
	pid=$(log_select '.object == "'"$T/ask/fifo"'"' | head -n 1 | jq .pid)
	kill -TERM "$pid"
	finished 0
	assert_equal "$(cat "$T/out")" $'asked-for\nstatus 143'
}
