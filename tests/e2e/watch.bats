#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# holdfast watch: what is held, on a screen, and answers by key.

setup() {
	load helpers/common
	load helpers/held
	hf_setup
	skip_without tmux
	export TERM=screen
	own_runtime_dir
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

# Root's sessions are all in /run/holdfast, those of whatever else runs on the machine too: here in
# a mount namespace that has another one.
own_runtime_dir() {
	PROGRAM=$HOLDFAST
	((EUID == 0)) || return 0
	mkdir -p /run/holdfast "$T/empty"
	chmod 700 "$T/empty"
	unshare -m --propagation private sh -c 'mount --bind "$1" /run/holdfast && echo $$ >"$1/../ns" && exec sleep 1000' - "$T/empty" 3>&- 4>&- &
	started $!
	wait_for test -s "$T/ns"
	printf '#!/bin/bash\nexec nsenter -t %s -m --wd=. %s "$@"\n' "$(cat "$T/ns")" "$HOLDFAST" >"$T/holdfast"
	chmod 755 "$T/holdfast"
	HOLDFAST=$T/holdfast
}

watch() {
	tm_start "'$HOLDFAST' watch $*"
}

# open_question: the selected one, drawn, and the time in which keys do not count over.
open_question() {
	tm_key Enter
	tm_wait 'a question'
	settle
}

settle() {
	read -rt 0.5 _ <><(:) || true
}

@test "it lists sessions and what is held, and notices both as they come and go" {
	watch
	tm_wait '^holdfast watch: 0 sessions, 0 held'
	run_held -- cat "$T/ask/file1"
	tm_wait '^holdfast watch: 1 session, 1 held'
	tm_wait "^> $(held_ids) .* cat read .*/ask/file1"
	tm_wait 'cat: 1 held'
	"$HOLDFAST" deny "$(held_ids)"
	finished 1
	tm_wait '^holdfast watch: 0 sessions, 0 held'
	tm_wait 'deny .*ask/file1'
	tm_key q
	tm_wait '^STATUS=0'
}

@test "a question: Enter opens it, a allows it" {
	run_held -- cat "$T/ask/file1"
	watch
	tm_wait '^> '
	open_question
	tm_wait 'object .*/ask/file1'
	tm_wait 'reason .*Somebody should look.'
	tm_wait 'An answer covers: what waits now, once'
	tm_key a
	finished 0
	tm_wait 'Allowed\.'
	assert_equal "$(cat "$T/out")" "asked-for 1"
	assert_logged '.verdict == "allow" and .held and (.approver | test("pid [0-9]+ on /dev/pts"))'
	settle
	tm_key x
	tm_wait '^holdfast watch:'
}

@test "d denies, with a reason that was typed" {
	run_held -- cat "$T/ask/file1"
	watch
	tm_wait '^> '
	open_question
	tm_key r
	tm_wait '^Reason:'
	tm_enter "Not on a Saturday: ask."
	settle
	tm_key d
	finished 1
	assert_logged '.verdict == "deny" and .held and .reason == "Not on a Saturday: ask."'
}

@test "keys typed before the question was drawn do not count" {
	run_held -- cat "$T/ask/file1"
	watch
	tm_wait '^> '
	# tmux waits, not this shell: the time between the two is the same on a slow machine.
	tm send-keys Enter ';' run-shell 'sleep 0.1' ';' send-keys a
	tm_wait 'a question'
	tm send-keys a ';' run-shell 'sleep 0.1' ';' send-keys a
	settle
	assert_equal "$(held_count)" 1
	refute [ -e "$T/status" ]
	settle
	tm_key a
	finished 0
}

@test "typing on does not become an answer, nor does a paste" {
	run_held -- cat "$T/ask/file1"
	watch
	tm_wait '^> '
	open_question
	tm set-buffer "a"
	tm_type "all of this"
	tm_wait 'Several keys at once'
	assert_equal "$(held_count)" 1
	tm_type "aaaaaaaa"
	settle
	assert_equal "$(held_count)" 1
	refute [ -e "$T/status" ]
}

@test "duration and scope by key, in words; a wide answer wants its word" {
	run_held -- sh -c 'cat "$0/file1"; cat "$0/file2"' "$T/ask"
	watch
	tm_wait '^> '
	open_question
	tm_key t
	tm_wait 'for 30 seconds'
	for _ in 1 2 3 4; do settle; tm_key t; done
	tm_wait 'to the end of this session \[exact\]'
	settle
	tm_key s
	tm_wait '\[dir\]'
	tm_wait "An answer covers: .*$T/ask"
	settle
	tm_key a
	tm_wait 'type session and Enter'
	settle
	tm_enter "yes"
	tm_wait 'Not that word'
	assert_equal "$(held_count)" 1
	settle
	tm_key a
	tm_wait 'type session and Enter'
	tm_enter "session"
	finished 0
	assert_equal "$(cat "$T/out")" $'asked-for 1\nasked-for 2'
}

@test "what was answered elsewhere is not answered again, and no other in its place" {
	run_held -- sh -c 'cat "$0/file1"; cat "$0/file2"' "$T/ask"
	watch
	tm_wait '^> '
	open_question
	"$HOLDFAST" approve "$(held_ids)"
	tm_wait 'answered elsewhere'
	wait_held 1
	settle
	tm_key a
	tm_wait '^holdfast watch: 1 session, 1 held'
	settle
	assert_equal "$(held_count)" 1
}

@test "hostile names are shown escaped: escapes, bidirectional text, newlines" {
	local name=$'x\e]0;owned\a\e[2J\n\u202egpj.\u2066\xff\x9b31m'

	echo odd >"$T/ask/$name"
	run_held --name $'agent\e[31m' -- cat "$T/ask/$name"
	watch
	tm_wait '^> '
	tm_wait 'agent.{0,4}\[31m'
	open_question
	tm_wait 'u\{202e\}'
	tm_wait '\\x9b|\\xff'
	assert_equal "$(tm display-message -p '#{pane_title}' | grep -c owned)" 0
	run tm_screen
	refute_output --partial $'\u202e'
	refute_output --partial $'\u2066'
	tm_key d
	finished 1
}

@test "a command line of 2 MB: shown in part, which it says, and answered after it was read" {
	policy_open ask-exec <<-'END'
		  - {name: ask-true, match: {tool: "true"}, action: ask}
	END
	run_held -- sh -c 'b=$(head -c 120000 /dev/zero | tr "\0" b); set --; i=0; while [ $i -lt 16 ]; do set -- "$@" "$b"; i=$((i + 1)); done; exec /usr/bin/true "$@" end-of-it'
	wait_held 1
	watch
	tm_wait '^> '
	open_question
	tm_wait 'NOT ALL OF IT IS SHOWN|read on'
	settle
	for _ in 1 2 3 4 5 6 7 8; do
		tm_key NPage
		settle
	done
	tm_wait 'NOT ALL OF IT IS SHOWN'
	tm_key a
	finished 0
}

@test "what does not fit on the screen has to be read before it can be allowed" {
	run_held -- cat "$T/ask/file1"
	watch
	tm_wait '^> '
	tm resize-window -x 60 -y 10
	open_question
	tm_wait 'read on: Down'
	tm_key a
	tm_wait 'Read to its end first'
	assert_equal "$(held_count)" 1
	for _ in 1 2 3 4 5 6 7 8 9 10 11 12; do tm_key NPage; settle; done
	tm_key a
	finished 0
}

@test "it follows the window's size, and shows nothing it could not answer when that is too small" {
	run_held -- cat "$T/ask/file1"
	watch
	tm_wait '^> '
	tm resize-window -x 80 -y 24
	tm_wait '^> [a-z0-9]* .*cat read'
	tm resize-window -x 40 -y 10
	tm_wait '^holdfast watch: 1 session, 1 held'
	open_question
	tm resize-window -x 20 -y 5
	tm_wait 'too small'
	settle
	tm_key a
	settle
	assert_equal "$(held_count)" 1
	tm resize-window -x 80 -y 24
	tm_wait '^> [a-z0-9]* .*cat read'
}

@test "it works without UTF-8 and without colour" {
	export LC_ALL=C LANG=C
	run_held -- cat "$T/ask/file1"
	watch
	tm_wait '^> [a-z0-9]* .*cat read'
	run tm capture-pane -p -e -t 0
	refute_output --regexp $'\e\\[[0-9;]*3[0-7]m'
	tm_key q
	tm_wait '^STATUS=0'
}

@test "a terminal that cannot show it, and none, are refused with the way out" {
	tm_start "TERM=dumb '$HOLDFAST' watch"
	tm_wait 'holdfast held'
	tm_wait '^STATUS=1'
	run "$HOLDFAST" watch </dev/null
	assert_failure 1
	assert_output --partial "holdfast held"
	run "$HOLDFAST" watch nothing-like-it
	assert_failure 1
	assert_output --partial "no session"
}

@test "an agent's own watch is refused, and cannot answer" {
	run_held --ask-timeout 20 -- sh -c 'cat "$0/file1" & sleep 0.5; script -qec "'"$PROGRAM"' watch" /dev/null </dev/null >"$1" 2>&1 & sleep 3; kill $!; wait' "$T/ask" "$T/seen"
	wait_held 1
	assert_logged '.op == "connect" and .verdict == "deny" and .rule == "own-files" and (.object | endswith(".sock"))'
	wait_for grep -q '0 sessions' "$T/seen"
	assert_equal "$(held_count)" 1
}

@test "--once opens the question by itself and ends when nothing is held" {
	run_held -- cat "$T/ask/file1"
	wait_held 1
	watch --once
	tm_wait 'a question'
	settle
	tm_key a
	finished 0
	tm_wait '^STATUS=0'
}

@test "decisions flow by; b leaves out what was simply allowed" {
	watch
	tm_wait '^holdfast watch: 0'
	run_held -- env LC_ALL=C sh -c 'cat "$0"; cat /etc/hostname >/dev/null; exec sleep 100' "$T/ask/file1"
	wait_held 1
	"$HOLDFAST" deny "$(held_ids)"
	tm_wait 'deny .*ask/file1'
	tm_wait 'allow .*/etc/hostname'
	tm_key b
	tm_wait 'but what was simply allowed'
}

@test "a supervisor that hangs does not hang the screen" {
	run_held -- sh -c 'cat "$0"' "$T/ask/file1"
	watch
	tm_wait '^> '
	local pid

	pid=$(log_select '.event == "session_start"' | jq -r '.supervisor // .pid // empty' | tail -n 1)
	[[ -n $pid ]] || skip "the log does not say which process the supervisor is"
	kill -STOP "$pid"
	tm_wait 'does not answer'
	tm_key b
	tm_wait 'but what was simply'
	kill -CONT "$pid"
	tm_wait 'cat: 1 held|sh: 1 held'
}
