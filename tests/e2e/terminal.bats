#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The terminal is the command's own: job control, window size, Ctrl-C, Ctrl-Z.

setup() {
	load helpers/common
	hf_setup
	skip_without tmux
	printf 'PS1="agent> "\nbind "set enable-bracketed-paste off"\n' >"$T/inner.rc"
	printf 'PS1="outer> "\nbind "set enable-bracketed-paste off"\n' >"$T/outer.rc"
	export TERM=screen
	HF_RUN="'$HOLDFAST' run --policy audit-only --log '$LOG' --"
}

teardown() {
	hf_teardown
}

start_shell() {
	tm_start "$HF_RUN bash --noprofile --rcfile '$T/inner.rc' -i"
	tm_wait '^agent>'
}

@test "an interactive bash: prompt, command, exit status, no complaint about job control" {
	start_shell
	tm_enter "echo o''k"
	tm_wait '^ok$'
	run tm_screen
	refute_output --partial "job control"
	refute_output --partial "cannot set terminal"
	tm_enter "exit 7"
	tm_wait '^STATUS=7$'
}

@test "Ctrl-C ends the foreground job, not the shell" {
	start_shell
	tm_enter "sleep 100"
	wait_for pgrep -f -x "sleep 100" -t "$(tm display-message -p '#{pane_tty}' | cut -c6-)"
	tm_key C-c
	tm_enter "echo st=\$?"
	tm_wait '^st=130$'
	tm_enter "exit 0"
	tm_wait '^STATUS=0$'
}

@test "Ctrl-Z stops a job of the inner shell; jobs, fg and bg work" {
	start_shell
	tm_enter "sleep 101"
	wait_for pgrep -f -x "sleep 101" -t "$(tm display-message -p '#{pane_tty}' | cut -c6-)"
	tm_key C-z
	tm_wait 'Stopped'
	tm_enter "jobs -s | grep -c sleep"
	tm_wait '^1$'
	tm_enter "fg"
	tm_wait '^sleep 101$'
	tm_key C-c
	tm_enter "echo st=\$?"
	tm_wait '^st=130$'
	tm_enter "exit 0"
	tm_wait '^STATUS=0$'
}

@test "the window's size and its changes reach the command" {
	start_shell
	tm_enter "stty size"
	tm_wait '^30 100$'
	tm_enter "trap 'echo wi''nch' WINCH"
	tm resize-window -x 90 -y 25
	tm_enter "stty size"
	tm_wait '^25 90$'
	tm_enter "exit 0"
	tm_wait '^STATUS=0$'
}

@test "Ctrl-D ends the inner shell, and the terminal is handed back" {
	start_shell
	tm_key C-d
	tm_wait '^STATUS=0$'
	tm_enter "typed"
	tm_wait '^typed$'
}

@test "a program in raw mode gets single keys" {
	tm_start "$HF_RUN bash -c 'read -rsn1 -p \"key? \" k; echo \"got=\$k\"'"
	tm_wait '^key\?'
	tm_type "x"
	tm_wait 'got=x$'
	tm_wait '^STATUS=0$'
}

@test "the command is in the foreground of its terminal" {
	tm_start "$HF_RUN '$HF_HELPERS/state' '$T/st'"
	tm_wait '^STATUS=0$'
	grep -qx 'foreground 1' "$T/st"
}

@test "Ctrl-C is delivered to the command once" {
	cat >"$T/agent" <<-'END'
		import signal, sys
		count = 0
		def on(number, frame):
		    global count
		    count += 1
		    print("interrupt", count, flush=True)
		def quit(number, frame):
		    sys.exit(40 + count)
		signal.signal(signal.SIGINT, on)
		signal.signal(signal.SIGQUIT, quit)
		print("ready", flush=True)
		while True:
		    signal.pause()
	END
	tm_start "$HF_RUN python3 '$T/agent'"
	tm_wait '^ready$'
	tm_key C-c
	tm_wait 'interrupt 1$'
	tm_key C-c
	tm_wait 'interrupt 2$'
	tm_key 'C-\'
	tm_wait 'STATUS=42$'
}

@test "holdfast as a job of an interactive shell: Ctrl-Z stops it as a whole, fg resumes, Ctrl-C gives 130" {
	tm_start "bash --noprofile --rcfile '$T/outer.rc' -i"
	tm_wait '^outer>'
	tm_enter "$HF_RUN sh -c 'echo \$\$ >$T/pid; echo st''arted; exec sleep 102'"
	tm_wait '^started$'
	wait_for test -s "$T/pid"
	tm_key C-z
	tm_wait 'Stopped'
	has_state "$(cat "$T/pid")" T
	tm_enter "fg"
	wait_for has_state "$(cat "$T/pid")" S
	tm_key C-c
	tm_enter "echo st=\$?"
	tm_wait '^st=130$'
	wait_for is_gone "$(cat "$T/pid")"
	tm_enter "exit 0"
	tm_wait '^STATUS=0$'
}

@test "holdfast in the background of an interactive shell, brought to the foreground, can read the terminal" {
	tm_start "bash --noprofile --rcfile '$T/outer.rc' -i"
	tm_wait '^outer>'
	tm_enter "$HF_RUN sh -c 'read -r line; echo \"got=\$line\"' &"
	wait_for log_has '.event == "session_start"'
	# Reading from the background stops it (SIGTTIN), as it would stop any job.
	tm_enter "jobs"
	wait_for stopped_job
	tm_enter "fg"
	tm_enter "hello"
	tm_wait '^got=hello$'
	tm_enter "exit 0"
	tm_wait '^STATUS=0$'
}

stopped_job() {
	tm_shows 'Stopped' || {
		tm_enter jobs
		return 1
	}
}

@test "a command stopped in a pipeline of an interactive shell stops the pipeline's job" {
	tm_start "bash --noprofile --rcfile '$T/outer.rc' -i"
	tm_wait '^outer>'
	tm_enter "$HF_RUN sh -c 'echo \$\$ >$T/pid; exec sleep 103' | cat"
	wait_for test -s "$T/pid"
	wait_for log_has '.kind == "tool" and (.object | endswith("sleep"))' || true
	tm_key C-z
	tm_wait 'Stopped'
	tm_enter "fg"
	tm_key C-c
	tm_enter "echo st=\${PIPESTATUS[0]}"
	tm_wait '^st=130$'
	tm_enter "exit 0"
	tm_wait '^STATUS=0$'
}

@test "hanging up the terminal ends the command" {
	tm_start "$HF_RUN sh -c 'echo \$\$ >$T/pid; exec sleep 104'"
	wait_for test -s "$T/pid"
	tm kill-session
	wait_for is_gone "$(cat "$T/pid")"
	session_ended
}
