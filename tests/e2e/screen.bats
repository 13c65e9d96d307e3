#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# --ask terminal, and notices, while a program of the session has the terminal's screen to itself:
# nothing is drawn over it, and what is held is answered elsewhere.

setup() {
	load helpers/common
	load helpers/held
	hf_setup
	skip_without tmux
	export TERM=screen
	mkdir "$T/ask"
	echo asked-for >"$T/ask/file"
	printf 'line %d\n' {1..200} >"$T/text"
	policy_open asking <<-END
		  - {name: ask-first, match: {path: ["$T/ask/**"]}, action: ask, reason: Somebody should look.}
	END
}

teardown() {
	hf_teardown
}

# start HOW COMMAND: with --ask HOW.
start() {
	tm_start "'$HOLDFAST' run --policy '$POLICY' --log '$LOG' --ask $1 -- $2"
}

# undisturbed: what is held is in the log, and no word of it on the screen.
undisturbed() {
	assert_logged '.event == "notice" and (.note | test("is not asked about on the terminal"))'
	run tm_screen
	refute_output --partial holdfast
	refute_output --partial "y/N"
}

# A program that takes the screen, shows a clock of keys, and does what it is told by files.
curses_agent() {
	cat >"$T/agent" <<-'END'
		import curses, os, sys
		def main(screen):
		    screen.timeout(20)
		    keys, opened = "", ""
		    while True:
		        screen.erase()
		        screen.addstr(0, 0, "THE AGENT'S SCREEN")
		        screen.addstr(1, 0, "keys: " + keys)
		        screen.addstr(2, 0, "read: " + opened)
		        screen.refresh()
		        key = screen.getch()
		        if key == ord("q"):
		            return
		        if key > 0:
		            keys += chr(key)
		        if key == ord("o"):
		            screen.addstr(3, 0, "opening")
		            screen.refresh()
		            try:
		                opened = open(sys.argv[1]).read().strip()
		            except OSError as e:
		                opened = e.strerror
		curses.wrapper(main)
	END
}

@test "a program with a screen of its own is not drawn over; the answer comes from elsewhere" {
	curses_agent
	start terminal "python3 '$T/agent' '$T/ask/file'"
	tm_wait "AGENT'S SCREEN"
	tm_type o
	wait_held 1
	undisturbed
	# Nor is what is typed into it an answer.
	tm_type "yyy"
	tm_key Enter
	holds 1
	"$HOLDFAST" approve "$(held_ids)"
	tm_wait '^read: asked-for'
	tm_wait '^keys: oyyy'
	undisturbed
	tm_type q
	tm_wait '^STATUS=0$'
	assert_logged '.verdict == "allow" and .held and (.approver | contains("(pid "))'
	# At the end it is said what waited.
	tm_wait 'holdfast: held .*: read .*ask/file .*in another terminal'
}

@test "when the screen is given back while it waits, the question comes" {
	start terminal "sh -c 'stty raw -echo; cat \"$T/ask/file\"' "
	wait_held 1
	undisturbed
	stty -F "$(tm display-message -p '#{pane_tty}')" sane
	tm_wait '\[y/N\]'
	"$HOLDFAST" deny "$(held_ids)"
	tm_wait 'Permission denied'
}

@test "an editor and a pager are not drawn over" {
	local program

	skip_without vim less
	for program in "vim -u NONE -n \"$T/text\"" "less \"$T/text\""; do
		rm -f "$LOG"
		rm -f "$T/go"
		start terminal "sh -c '(until [ -e \"\$0\" ]; do sleep 0.05; done; exec cat \"\$1\" 2>/dev/null) & $program' '$T/go' '$T/ask/file'"
		tm_wait '^line 12$'
		touch "$T/go"
		wait_held 1
		undisturbed
		"$HOLDFAST" deny "$(held_ids)"
		tm_type ":q"
		tm_key Enter
		tm_type "q" # of the pager; the terminal shows it when an editor has ended
		tm_wait 'STATUS='
		tm kill-server
	done
}

@test "--ask queue: what is said of held actions waits for the screen, too" {
	curses_agent
	start queue "python3 '$T/agent' '$T/ask/file'"
	tm_wait "AGENT'S SCREEN"
	tm_type o
	wait_held 1
	"$HOLDFAST" deny "$(held_ids)"
	tm_wait '^read: Permission denied'
	run tm_screen
	refute_output --partial holdfast
	tm_type q
	tm_wait '^STATUS=0$'
	tm_wait 'holdfast: held .*: read .*ask/file'
}
