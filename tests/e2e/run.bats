#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# `holdfast run` is invisible to the command: status, streams, environment, limits, signals.

setup() {
	load helpers/common
	hf_setup
}

teardown() {
	hf_teardown
}

# same_state [with-options] -- ARGS: what `state` sees natively and supervised must be the same.
# Descriptors from 3 on are closed first: bats leaves its own open.
same_state() {
	local options=()

	while [[ $1 != -- ]]; do
		options+=("$1")
		shift
	done
	shift
	"$HF_HELPERS/with" -c 3 "${options[@]}" "$HF_HELPERS/state" "$T/state.out" "$@" || return
	mv "$T/state.out" "$T/native.out"
	"$HF_HELPERS/with" -c 3 "${options[@]}" "$HOLDFAST" run --policy audit-only --log "$LOG" -- \
		"$HF_HELPERS/state" "$T/state.out" "$@" || return
	diff -u "$T/native.out" "$T/state.out"
}

@test "exit status is the command's own" {
	local status_wanted

	for status_wanted in 0 1 3 124 125 126 127 255; do
		run hf -- sh -c "exit $status_wanted"
		assert_equal "$status" "$status_wanted"
		assert_output ""
	done
}

@test "a command that dies by a signal gives 128+n" {
	local name number

	for name in TERM KILL SEGV INT HUP USR1 PIPE ABRT; do
		number=$(kill -l "$name")
		run hf -- sh -c "ulimit -c 0; kill -$name \$\$"
		assert_equal "$name $status" "$name $((128 + number))"
	done
}

@test "a command that is not there gives 127" {
	run hf -- no-such-command-here
	assert_equal "$status" 127
	assert_output --partial "no-such-command-here"
	assert_equal "${#lines[@]}" 1

	run hf -- "$T/no/such/file"
	assert_equal "$status" 127
	assert_output --partial "$T/no/such/file"
}

@test "a command that is not executable gives 126" {
	echo "echo never" >"$T/plain"
	run hf -- "$T/plain"
	assert_equal "$status" 126
	assert_output --partial "$T/plain"
	refute_output --partial never

	run hf -- "$T"
	assert_equal "$status" 126
}

@test "a command that the policy denies gives 126 and does not run" {
	policy_open deny-touch <<-'END'
		  - {name: no-touch, match: {tool: touch}, action: deny, reason: Touch nothing.}
	END
	run hf --policy "$POLICY" -- touch "$T/made"
	assert_equal "$status" 126
	assert_file_not_exist "$T/made"
	assert_logged '.kind == "tool" and .verdict == "deny" and .rule == "no-touch"'
}

@test "a failure of Holdfast's own gives 125 and the command does not run" {
	run hf --no-such-option -- touch "$T/made"
	assert_equal "$status" 125
	assert_output --partial "no-such-option"
	run hf --policy "$T/none.yaml" -- touch "$T/made"
	assert_equal "$status" 125
	run hf --policy audit-only
	assert_equal "$status" 125
	assert_file_not_exist "$T/made"
}

@test "a file without #! is run by the shell, as env and execvp do" {
	printf 'echo from-sh "$@"; exit 3\n' >"$T/noshebang"
	chmod +x "$T/noshebang"
	run env "$T/noshebang" a "b c"
	local native="$status $output"
	run hf --policy audit-only -- "$T/noshebang" a "b c"
	assert_equal "$status $output" "$native"
}

@test "a command is searched in PATH, with relative and empty entries" {
	printf '#!/bin/sh\necho here\n' >"$PROJECT/mine"
	chmod +x "$PROJECT/mine"
	PATH=:$PATH run hf --policy audit-only -- mine
	assert_success
	assert_output here
	PATH=.:$PATH run hf --policy audit-only -- mine
	assert_output here
	run hf --policy audit-only -- ./mine
	assert_output here
	run hf --policy audit-only -- mine
	assert_equal "$status" 127
}

@test "PATH search goes past an entry that is not executable, as execvp does" {
	mkdir "$T/a" "$T/b"
	echo no >"$T/a/tool"
	printf '#!/bin/sh\necho second\n' >"$T/b/tool"
	chmod +x "$T/b/tool"
	PATH=$T/a:$T/b:$PATH run hf --policy audit-only -- tool
	assert_success
	assert_output second
	rm "$T/b/tool"
	PATH=$T/a:$T/b:$PATH run hf --policy audit-only -- tool
	assert_equal "$status" 126
}

@test "standard streams are pipes" {
	run bash -c 'printf "a\nb\n" | "$HOLDFAST" run --policy audit-only --log "$1" -- tr a-z A-Z | cat' - "$LOG"
	assert_success
	assert_output $'A\nB'
	run bash -c '"$HOLDFAST" run --policy audit-only --log "$1" -- sh -c "echo out; echo err >&2" 2>&1 >/dev/null | cat' - "$LOG"
	assert_output err
}

@test "standard streams are files and /dev/null" {
	echo text >"$T/in"
	hf --policy audit-only -- cat <"$T/in" >"$T/out" 2>"$T/err"
	assert_equal "$(cat "$T/out")" text
	assert_file_empty "$T/err"
	hf --policy audit-only -- cat </dev/null >/dev/null 2>&1
	# Append mode is the command's own, too.
	hf --policy audit-only -- echo more >>"$T/out"
	assert_equal "$(cat "$T/out")" $'text\nmore'
}

@test "large binary streams pass unchanged" {
	head -c 8000000 /dev/urandom >"$T/in"
	hf --policy audit-only -- cat <"$T/in" | cat >"$T/out"
	cmp "$T/in" "$T/out"
}

@test "a reader that goes away gives the command SIGPIPE" {
	run bash -c 'set -o pipefail; "$HOLDFAST" run --policy audit-only --log "$1" -- yes | head -n 1' - "$LOG"
	assert_equal "$status" 141
	assert_output y
}

@test "the command inherits what it would inherit natively" {
	local input=$T/in

	echo text >"$input"
	same_state -- <"$input" >"$T/o" 2>"$T/e"
	assert_file_empty "$T/e"
}

@test "closed streams stay closed" {
	same_state -x 0 -- >/dev/null 2>&1
	same_state -x 1 -- </dev/null 2>/dev/null
	same_state -x 2 -- </dev/null >/dev/null
	same_state -x 0 -x 1 -x 2 --
}

@test "environment is the same, odd entries included" {
	export EMPTY= SPACED='a  b' NEWLINE=$'a\nb' BYTES=$'\xff\xfe'
	same_state -- </dev/null
	run env -i "HOME=$HOME" "XDG_RUNTIME_DIR=$XDG_RUNTIME_DIR" "$HOLDFAST" run --policy audit-only --log "$LOG" -- /usr/bin/env
	assert_success
	# The one that Holdfast adds says where spend is reported.
	assert_line --index 2 --regexp "^HOLDFAST_SPEND=$XDG_RUNTIME_DIR/holdfast/.*\\.spend$"
	assert_equal "$(grep -v ^HOLDFAST_SPEND= <<<"$output")" "HOME=$HOME"$'\n'"XDG_RUNTIME_DIR=$XDG_RUNTIME_DIR"
}

@test "a large environment and a large command line" {
	local i big

	big=$(head -c 100000 /dev/zero | tr '\0' x)
	for i in {1..10}; do
		export "BIG_$i=$big"
	done
	run hf --policy audit-only -- sh -c 'echo ${#BIG_1} ${#BIG_10}'
	assert_success
	assert_output "100000 100000"
	unset "${!BIG_@}"
	run hf --policy audit-only -- sh -c 'echo $#' - "$big" "$big" "$big" "$big" "$big" "$big" "$big" "$big" "$big" "$big"
	assert_success
	assert_output 10
}

@test "argv with empty strings, spaces, newlines and invalid UTF-8" {
	same_state -- '' ' a  b ' $'new\nline' $'\xff\xfe\x80' '*' '$HOME' '--' '-x' '' </dev/null
	assert_equal "$(grep -c '^argv' "$T/state.out")" 11
}

@test "umask and working directory" {
	umask 0027
	mkdir "$T/some dir"
	cd "$T/some dir"
	same_state -- </dev/null
	grep -qx "cwd $T/some dir" "$T/state.out"
	run hf --policy audit-only -- sh -c 'umask; : >made'
	assert_line 0027
	assert_equal "$(stat -c %a made)" 640
	umask 022
}

@test "a working directory that was deleted" {
	mkdir "$T/gone"
	cd "$T/gone"
	rmdir "$T/gone"
	run hf --policy audit-only -- /bin/echo still
	assert_success
	assert_output still
	run hf -- /bin/echo still
	assert_success
	cd "$T"
}

@test "resource limits are the same" {
	(
		ulimit -S -n 64
		ulimit -S -c 0
		ulimit -S -s 4096
		ulimit -H -n 900
		ulimit -S -u "$(($(ulimit -u) - 1))"
		ulimit -S -v 8000000
		same_state -- </dev/null
	)
}

@test "a low soft limit on descriptors or file size hits the command only" {
	same_state -n 5 -- </dev/null
	run bash -c 'ulimit -S -f 1; trap "" XFSZ; "$HOLDFAST" run --policy audit-only --log "$1" -- sh -c "head -c 100000 /dev/zero >\"$2\"/limited; echo \$?; for i in 1 2 3 4 5 6 7 8 9 10 11 12; do cat /etc/hostname >/dev/null; done; ls -d /"' - "$LOG" "$T"
	assert_success
	refute_line --index 0 0
	assert_output --partial "/"
	session_ended
}

@test "signal mask and dispositions are the same" {
	same_state -i 2 -i 13 -i 17 -b 10 -b 12 -b 15 -- </dev/null
	grep -q '^signal 2 ignored' "$T/state.out"
	grep -q '^signal 13 ignored' "$T/state.out"
	grep -q '^signal 10 default blocked' "$T/state.out"
}

@test "process group and session are the caller's" {
	same_state -- </dev/null
	"$HF_HELPERS/with" -c 3 -s "$HOLDFAST" run --policy audit-only --log "$LOG" -- sh -c 'ps -o pgid=,sid= -p $$ | tr -s " " >"$1"; ps -o pid=,args= -s "$(ps -o sid= -p $$ | tr -d " ")" >"$2"' - "$T/ids" "$T/members"
	read -r pgid sid <"$T/ids"
	assert_equal "$pgid" "$sid"
}

@test "niceness is the same" {
	nice -n 3 "$HOLDFAST" run --policy audit-only --log "$LOG" -- nice >"$T/nice"
	assert_equal "$(cat "$T/nice")" "$(nice -n 3 nice)"
}

@test "descriptors beyond the standard ones are not passed on, unless asked" {
	echo kept >"$T/seven"
	run bash -c 'exec 7<"$2"; "$HOLDFAST" run --policy audit-only --log "$1" -- cat /dev/fd/7' - "$LOG" "$T/seven"
	assert_failure
	run bash -c 'exec 7<"$2"; "$HOLDFAST" run --policy audit-only --keep-fd 7 --log "$1" -- cat /dev/fd/7' - "$LOG" "$T/seven"
	assert_success
	assert_output kept
	run bash -c 'exec 7<"$2" 8<"$2"; "$HOLDFAST" run --policy audit-only --keep-fd 7 --keep-fd 8 --log "$1" -- ls /proc/self/fd' - "$LOG" "$T/seven"
	assert_success
	assert_output $'0\n1\n2\n3\n7\n8'
	run hf --keep-fd 99 -- true
	assert_equal "$status" 125
	run hf --keep-fd nine -- true
	assert_equal "$status" 125
}

@test "without --, the first word that is no option starts the command" {
	run "$HOLDFAST" run --policy audit-only --log "$LOG" echo -n --mode --version
	assert_success
	assert_output -- "--mode --version"
}

@test "after --, a command that looks like an option is a command" {
	run hf --policy audit-only -- --not-there
	assert_equal "$status" 127
	printf '#!/bin/sh\necho odd "$@"\n' >"$PROJECT/--odd"
	chmod +x "$PROJECT/--odd"
	PATH=$PROJECT:$PATH run hf --policy audit-only -- --odd -- x
	assert_success
	assert_output "odd -- x"
}

@test "options take their value after = or as the next word" {
	run "$HOLDFAST" run --policy=audit-only --mode=audit "--log=$LOG" --name=agent-7 -- true
	assert_success
	assert_logged '.event == "session_start" and .agent == "agent-7"'
}

@test "command substitution returns though a daemon lives on" {
	mkfifo "$T/go"
	policy_open secret <<-END
		  - {name: no-secret, match: {path: ["$T/secret"]}, action: deny}
	END
	echo secret >"$T/secret"
	out=$(timeout 30 "$HOLDFAST" run --policy "$POLICY" --log "$LOG" -- sh -c '
		setsid sh -c "exec >/dev/null 2>&1; read -r line <\"$1\"; cat \"$2\"; echo \$? >\"$3\"" - "$1" "$2" "$3" </dev/null >/dev/null 2>&1 &
		echo $!' - "$T/go" "$T/secret" "$T/status")
	[[ $out =~ ^[0-9]+$ ]]
	run log_has '.event == "session_end"'
	assert_failure
	# The daemon is still supervised.
	timeout 20 sh -c 'echo go >"$1"' - "$T/go"
	assert_logged '.verdict == "deny" and .rule == "no-secret"'
	session_ended
	wait_for test -s "$T/status"
	assert_equal "$(cat "$T/status")" 1
	last=$(tail -n 2 "$LOG" | head -n 1 | jq -r .event)
	assert_equal "$last" session_end
}

@test "signals sent to the launcher reach the command once" {
	cat >"$T/agent" <<-'END'
		#!/usr/bin/python3
		import os, signal, sys
		names = []
		def on(number, frame):
		    with open(sys.argv[1], "a") as f:
		        f.write(signal.Signals(number).name + "\n")
		    if number == signal.SIGTERM:
		        sys.exit(9)
		for s in (signal.SIGUSR1, signal.SIGUSR2, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGWINCH, signal.SIGCONT):
		    signal.signal(s, on)
		open(sys.argv[1], "w").close()
		while True:
		    signal.pause()
	END
	chmod +x "$T/agent"
	"$HF_HELPERS/with" -g "$HOLDFAST" run --policy audit-only --log "$LOG" -- "$T/agent" "$T/got" 3>&- &
	local launcher=$! name n=0
	started "$launcher"
	wait_for test -e "$T/got"
	for name in USR1 USR2 HUP INT QUIT; do
		kill "-$name" "$launcher"
		n=$((n + 1))
		wait_for test "$(wc -l <"$T/got")" -ge 0
		wait_for grep -qx "SIG$name" "$T/got"
	done
	kill -TERM "$launcher"
	local rc=0
	wait "$launcher" || rc=$?
	assert_equal "$rc" 9
	assert_equal "$(sort "$T/got" | uniq -d)" ""
	assert_equal "$(cat "$T/got" | wc -l)" 6
}

@test "a signal that a process sends to the whole group ends the command" {
	"$HF_HELPERS/with" -g "$HOLDFAST" run --policy audit-only --log "$LOG" -- sh -c 'trap "exit 7" TERM; : >"$1"; while :; do sleep 0.05; done' - "$T/got" 3>&- &
	local launcher=$! rc=0
	started "$launcher"
	wait_for test -e "$T/got"
	kill -TERM -- "-$launcher"
	wait "$launcher" || rc=$?
	assert_equal "$rc" 7
}

@test "the launcher stopped by SIGTSTP stops the command; SIGCONT resumes both" {
	"$HF_HELPERS/with" -g "$HOLDFAST" run --policy audit-only --log "$LOG" -- sh -c 'echo $$ >"$1.tmp"; mv "$1.tmp" "$1"; exec sleep 100' - "$T/pid" 3>&- &
	local launcher=$! agent rc=0
	started "$launcher"
	wait_for test -e "$T/pid"
	agent=$(cat "$T/pid")
	started "$agent"
	kill -TSTP -- "-$launcher"
	wait_for has_state "$launcher" T
	wait_for has_state "$agent" T
	kill -CONT -- "-$launcher"
	wait_for has_state "$agent" '[SR]'
	wait_for has_state "$launcher" '[SR]'
	kill -TERM "$launcher"
	wait "$launcher" || rc=$?
	assert_equal "$rc" 143
}

@test "SIGKILL of the launcher does not leave an unsupervised agent" {
	"$HF_HELPERS/with" -g "$HOLDFAST" run --policy audit-only --log "$LOG" -- sh -c 'sleep 300 & echo $$ $! >"$1.tmp"; mv "$1.tmp" "$1"; wait' - "$T/pids" 3>&- &
	local launcher=$! agent child
	started "$launcher"
	wait_for test -e "$T/pids"
	read -r agent child <"$T/pids"
	kill -KILL "$launcher"
	wait "$launcher" 2>/dev/null || true
	# Either the tree is ended, or it lives on under its supervisor; never alone.
	wait_for is_gone "$agent" || {
		kill -KILL "$agent" "$child"
		return 1
	}
	wait_for is_gone "$child"
	session_ended
}

@test "holdfast started by exec keeps the pid that was asked" {
	bash -c 'echo $$ >"$2"; exec "$HOLDFAST" run --policy audit-only --log "$1" -- sh -c "exit 4"' - "$LOG" "$T/pid" || rc=$?
	assert_equal "${rc:-0}" 4
}

@test "no privileges can be gained by the command" {
	run hf --policy audit-only -- grep NoNewPrivs /proc/self/status
	assert_output --regexp 'NoNewPrivs:[[:space:]]1'
}

@test "help and version" {
	run "$HOLDFAST" --version
	assert_success
	assert_output --partial holdfast
	run "$HOLDFAST" --help
	assert_success
	assert_output --partial run
	run "$HOLDFAST" run --help
	assert_success
	assert_output --partial --policy
	run "$HOLDFAST"
	assert_failure
	run "$HOLDFAST" nonsense
	assert_failure
	assert_output --partial nonsense
}
