#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# --ask tmux: the question comes in a popup over the user's tmux client, or in a pane; and the agent,
# which is in that tmux as well, cannot answer there.

setup() {
	load helpers/common
	load helpers/held
	hf_setup
	skip_without tmux
	export TERM=screen
	mkdir "$T/ask" "$T/tmux-0"
	SOCKET=$T/tmux-0/inner
	for i in 1 2 3; do echo "asked-for $i" >"$T/ask/file$i"; done
	policy_open asking <<-END
		  - {name: ask-first, match: {path: ["$T/ask/**"]}, action: ask, reason: Somebody should look.}
	END
}

teardown() {
	inner kill-server 2>/dev/null || true
	hf_teardown
}

inner() {
	env -u TMUX tmux -S "$SOCKET" -f /dev/null "$@"
}

# agent COMMAND: a script that runs it under Holdfast.
agent() {
	printf '%s\n' '#!/bin/bash' "'$HOLDFAST' run --policy '$POLICY' --log '$LOG' --ask tmux -- $1" \
		'echo "STATUS=$?"' 'exec cat' >"$T/agent"
	chmod 755 "$T/agent"
}

# attached COMMAND: in a tmux with a client, which is the terminal of tm_type, tm_wait and the like.
attached() {
	agent "$1"
	tm new-session -d -x 100 -y 30 "exec env -u TMUX tmux -S '$SOCKET' -f /dev/null new-session '$T/agent'"
}

# detached COMMAND: in a tmux that nobody looks at.
detached() {
	agent "$1"
	inner new-session -d -x 100 -y 40 "$T/agent"
}

# Keys count when the question has been there for a moment.
settle() {
	read -rt 0.6 _ <><(:) || true
}

pane_shows() {
	inner capture-pane -p -t "$1" | grep -Eq -- "$2"
}

pane_wait() {
	wait_for pane_shows "$@" || {
		inner capture-pane -p -t "$1"
		return 1
	}
}

@test "a popup asks, and a key there answers; it closes, and the program goes on" {
	attached "cat '$T/ask/file1'"
	tm_wait 'a question'
	tm_wait 'ask/file1'
	tm_wait 'Somebody should look'
	settle
	tm_type a
	tm_wait '^asked-for 1'
	tm_wait '^STATUS=0'
	assert_logged '.verdict == "allow" and .held and (.approver | test("\\(pid [0-9]+ on /dev/pts/"))'
}

@test "a key that was typed before the question was drawn does not count" {
	attached "sh -c 'until [ -e \"\$0\" ]; do :; done; cat \"\$1\"' '$T/go' '$T/ask/file1'"
	wait_for log_has '.event == "session_start"'
	tm_type aaaa
	touch "$T/go"
	tm_type aaaa
	wait_held 1
	tm_wait 'a question'
	holds 1
	settle
	tm_type d
	tm_wait '^STATUS=1'
	assert_logged '.verdict == "deny" and .held'
}

@test "several one after the other in one popup; what is answered elsewhere closes it" {
	attached "sh -c 'cat \"\$0/file1\" & cat \"\$0/file2\" & wait; cat \"\$0/file3\"' '$T/ask'"
	wait_held 2
	tm_wait 'a question'
	settle
	tm_type a
	holds_one() { [[ $(held_count) == 1 ]]; }
	wait_for holds_one
	settle
	tm_type a
	wait_for grep -q file3 "$LOG"
	wait_held 1
	tm_wait 'a question'
	"$HOLDFAST" deny "$(held_ids)"
	tm_wait '^STATUS=1'
	tm_wait '^asked-for 1'
	tm_wait '^asked-for 2'
	assert_equal "$(log_count '.verdict == "allow" and .held and .event == "action"')" 2
}

@test "without a client it is a pane" {
	detached "cat '$T/ask/file1'"
	wait_held 1
	pane_wait 1 'a question'
	settle
	inner send-keys -t 1 a
	pane_wait 0 '^STATUS=0'
	pane_wait 0 '^asked-for 1'
}

@test "the agent cannot answer through tmux: not by keys, nor by a command of the server's" {
	cat >"$T/attack" <<-'END'
		cat "$1" 2>/dev/null &
		until [ -s "$2/id" ]; do sleep 0.02; done
		for try in "send-keys -t 1 a" "send-keys -K a" "send-keys -t 1 Enter" "list-panes" \
			"run-shell true" "new-window true" "pipe-pane -t 1 cat"; do
			tmux $try && echo "got through: $try"
		done
		tmux run-shell "$3 approve $(cat "$2/id")" && echo "got through: approve"
		mv "$SOCKET" "$SOCKET.away" && echo "got through: mv"
		ln "$SOCKET" "$2/other" && echo "got through: ln"
		tmux -S "$2/other" list-panes && echo "got through: link"
		(cd "${SOCKET%/*}" && tmux -S inner list-panes) && echo "got through: cd"
		echo tried
		wait
	END
	detached "env SOCKET='$SOCKET' sh '$T/attack' '$T/ask/file1' '$T' '$HOLDFAST'"
	wait_held 1
	pane_wait 1 'a question'
	settle
	held_ids >"$T/id.tmp"
	mv "$T/id.tmp" "$T/id"
	pane_wait 0 '^tried'
	run inner capture-pane -p -S - -t 0
	refute_output --partial "got through"
	holds 1
	assert_logged ".op == \"connect\" and .verdict == \"deny\" and .rule == \"own-files\" and .object == \"unix:$SOCKET\""
	"$HOLDFAST" deny "$(held_ids)"
}

@test "the agent cannot draw on the popup, nor read from it" {
	cat >"$T/attack" <<-'END'
		import glob, os, sys, time
		own = os.ttyname(0)
		while not os.path.exists(sys.argv[2]):
		    time.sleep(0.02)
		tty = open(sys.argv[2]).read().strip()
		assert tty != own
		for flags in (os.O_RDONLY, os.O_WRONLY, os.O_RDWR):
		    try:
		        os.open(tty, flags | os.O_NOCTTY)
		        print("got through", flush=True)
		    except OSError as e:
		        print("refused", e.errno, flush=True)
		print("tried", flush=True)
	END
	detached "sh -c 'cat \"\$0\" 2>/dev/null & exec python3 \"\$1\" \"\$0\" \"\$2\"' '$T/ask/file1' '$T/attack' '$T/tty'"
	wait_held 1
	pane_wait 1 'a question'
	inner display-message -p -t 1 '#{pane_tty}' >"$T/tty.tmp"
	mv "$T/tty.tmp" "$T/tty"
	pane_wait 0 '^tried'
	run inner capture-pane -p -S - -t 0
	refute_output --partial "got through"
	assert_output --partial refused
	"$HOLDFAST" deny "$(held_ids)"
}

@test "a tmux that is gone: the session goes on, and says how to answer elsewhere" {
	agent "cat '$T/ask/file1'"
	inner new-session -d -x 100 -y 40 'exec cat'
	run_held_in() { TMUX="$SOCKET,1,0" run_held "$@"; }
	run_held_in --ask tmux -- sh -c 'until [ -e "$0" ]; do :; done; exec cat "$1"' "$T/go" "$T/ask/file1"
	wait_for log_has '.event == "session_start"'
	inner kill-server
	touch "$T/go"
	wait_held 1
	wait_for grep -q 'in another terminal: holdfast approve' "$T/err"
	assert_logged '.event == "notice" and (.note | test("The process that asks tmux has ended"))'
	"$HOLDFAST" approve "$(held_ids)"
	finished 0
}

@test "outside of tmux: a clear line, 125, nothing run" {
	run env -u TMUX "$HOLDFAST" run --policy "$POLICY" --log "$LOG" --ask tmux -- touch "$T/made"
	assert_equal "$status" 125
	assert_output --partial "this does not run in tmux (TMUX is not set)"
	run env TMUX=/nonexistent/x,1,0 "$HOLDFAST" run --policy "$POLICY" --log "$LOG" --ask tmux -- touch "$T/made"
	assert_equal "$status" 125
	assert_output --partial "has gone"
	assert_not_exists "$T/made"
}
