#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# An action whose verdict is `ask` waits, and nothing else does.

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

@test "held lists the action; approve lets it finish" {
	run_held --ask queue -- cat "$T/ask/file"
	wait_held 1
	run "$HOLDFAST" held
	assert_success
	assert_output --partial "$T/ask/file"
	assert_output --partial "$(held_ids)"
	run held_json
	assert_equal "$(jq -r '.op + " " + .object + " " + .rule + " " + .reason' <<<"$output")" "read $T/ask/file ask-first Somebody should look."
	run "$HOLDFAST" approve "$(held_ids)"
	assert_success
	finished 0
	assert_equal "$(cat "$T/out")" asked-for
	assert_logged '.op == "read" and .verdict == "allow" and .rule == "ask-first" and (.approver | length > 0) and .latency_ns > 0 and .event == "action"'
	run held_count
	assert_output 0
}

@test "deny refuses with EACCES, and the reason is in the log" {
	run_held --ask queue -- cat "$T/ask/file"
	wait_held 1
	run "$HOLDFAST" deny "$(held_ids)" --reason "Not this one."
	assert_success
	finished 1
	assert_equal "$(cat "$T/out")" ""
	assert_file_contains "$T/err" "Permission denied"
	assert_logged '.verdict == "deny" and .reason == "Not this one." and (.approver | length > 0)'
}

@test "nothing else waits: another thread and other processes go on" {
	run_held --ask queue -- sh -c '"$1" two "$2" & cat /etc/hostname >/dev/null; echo "shell went on" >&2; wait' - "$HF_HELPERS/hold" "$T/ask/file"
	wait_held 1
	wait_for grep -q "working on" "$T/out"
	wait_for grep -q "shell went on" "$T/err"
	refute [ -e "$T/status" ]
	"$HOLDFAST" approve "$(held_ids)"
	finished 0
	assert_equal "$(cat "$T/out")" $'working on\nheld open: OK'
}

@test "nobody answers in time: denied" {
	run_held --ask queue --ask-timeout 1 -- cat "$T/ask/file"
	finished 1
	assert_file_contains "$T/err" "Permission denied"
	assert_logged '.verdict == "deny" and .approver == "timeout" and .latency_ns >= 900000000 and .latency_ns < 8000000000'
	run held_count
	assert_output 0
}

@test "--ask deny and --ask allow answer at once" {
	run hf --policy "$POLICY" --ask deny -- cat "$T/ask/file"
	assert_equal "$status" 1
	assert_output --partial "Permission denied"
	assert_logged '.verdict == "deny" and .rule == "ask-first" and (.approver | contains("--ask deny"))'
	run hf --policy "$POLICY" --ask allow -- cat "$T/ask/file"
	assert_success
	assert_output asked-for
	assert_logged '.verdict == "allow" and .rule == "ask-first" and (.approver | contains("--ask allow"))'
}

@test "an exec can be held" {
	policy_open ask-exec <<-'END'
		  - {name: ask-date, match: {tool: date}, action: ask}
	END
	run_held --ask queue -- sh -c '/usr/bin/date +%%; echo $?'
	wait_held 1
	"$HOLDFAST" approve "$(held_ids)"
	finished 0
	assert_equal "$(cat "$T/out")" $'%\n0'
	rm "$T/status"
	run_held --ask queue -- sh -c '/usr/bin/date +%%; echo $?'
	wait_held 1
	"$HOLDFAST" deny "$(held_ids)"
	finished 0
	assert_equal "$(cat "$T/out")" 126
	assert_file_contains "$T/err" "Permission denied"
}

@test "the command itself can be held, and denied: 126" {
	policy_open ask-exec <<-'END'
		  - {name: ask-date, match: {tool: date}, action: ask}
	END
	run_held --ask queue -- date +%%
	wait_held 1
	"$HOLDFAST" approve "$(held_ids)"
	finished 0
	rm "$T/status"
	run_held --ask queue -- date +%%
	wait_held 1
	"$HOLDFAST" deny "$(held_ids)"
	finished 126
}

@test "a held process can be killed" {
	run_held --ask queue -- sh -c 'cat "$1" & echo $! >"$2.tmp"; mv "$2.tmp" "$2"; wait $!; echo "status $?"' - "$T/ask/file" "$T/pid"
	wait_held 1
	kill -KILL "$(cat "$T/pid")"
	finished 0
	assert_equal "$(grep -o 'status 137' "$T/out")" "status 137"
	wait_held 0
}

@test "a held process dies of SIGINT and SIGTERM" {
	local name number
	for name in INT TERM; do
		rm -f "$T/status" "$T/pid"
		run_held --ask queue -- python3 -c '
import os, signal, subprocess, sys
p = subprocess.Popen(["cat", sys.argv[1]], preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
open(sys.argv[2] + ".tmp", "w").write(str(p.pid))
os.rename(sys.argv[2] + ".tmp", sys.argv[2])
print(p.wait())' "$T/ask/file" "$T/pid"
		wait_held 1
		wait_for test -e "$T/pid"
		kill "-$name" "$(cat "$T/pid")"
		finished 0
		assert_equal "$name $(cat "$T/out")" "$name -$(kill -l "$name")"
		wait_held 0
	done
}

@test "a held call with a signal handler is interrupted" {
	run_held --ask queue -- "$HF_HELPERS/hold" handler "$T/ask/file"
	wait_held 1
	pid=$(held_json | jq .pid)
	local before=$SECONDS
	kill -INT "$pid"
	finished 0
	((SECONDS - before <= 3))
	assert_equal "$(cat "$T/out")" $'ready\nopen: EINTR\ninterrupts: 1'
	wait_held 0
}

@test "a held call with an SA_RESTART handler is asked for again" {
	run_held --ask queue -- "$HF_HELPERS/hold" restart "$T/ask/file"
	wait_held 1
	local first
	first=$(held_ids)
	kill -INT "$(held_json | jq .pid)"
	other_than_first() {
		[[ $(held_ids) =~ ^[a-zA-Z0-9]+$ && $(held_ids) != "$first" ]]
	}
	wait_for other_than_first
	"$HOLDFAST" approve "$(held_ids)"
	finished 0
	assert_equal "$(cat "$T/out")" $'ready\nopen: OK\ninterrupts: 1'
}

@test "the launcher's own Ctrl-C reaches a held command" {
	run_held --ask queue -- cat "$T/ask/file"
	wait_held 1
	kill -INT "$(held_json | jq .pid)"
	finished 130
	wait_held 0
}

@test "a thousand held at once stay cheap; all are answered" {
	local i supervisor before after ids
	for ((i = 0; i < 1000; i++)); do
		echo "$i" >"$T/ask/$i"
	done
	(
		ulimit -n 8192 2>/dev/null || true
		ulimit -u >/dev/null
	)
	run_held --ask queue --ask-timeout 300 -- sh -c 'echo $PPID >"$3"; exec "$1" many 1000 "$2"' - "$HF_HELPERS/hold" "$T/ask" "$T/supervisor"
	wait_held 1000
	supervisor=$(cat "$T/supervisor")
	before=$(awk '{print $14 + $15}' "/proc/$supervisor/stat")
	# A full second of holding.
	wait_for eval "((\$(date +%s%N) - $(date +%s%N) > 1000000000))"
	after=$(awk '{print $14 + $15}' "/proc/$supervisor/stat")
	echo "supervisor used $((after - before)) ticks in a second of 1000 held"
	((after - before <= 25))
	echo "resident: $(grep VmRSS "/proc/$supervisor/status")"
	(($(awk '/^VmRSS/ {print $2}' "/proc/$supervisor/status") < 24000))
	held_ids >"$T/ids"
	assert_equal "$(sort -u "$T/ids" | wc -l)" 1000
	head -n 600 "$T/ids" | xargs -n 1 -P 2 "$HOLDFAST" approve >/dev/null
	tail -n 400 "$T/ids" | xargs -n 1 -P 2 "$HOLDFAST" deny >/dev/null
	finished 0
	assert_equal "$(cat "$T/out")" "ok 600 denied 400 other 0"
	session_ended
	assert_equal "$(log_count '.event == "action" and .rule == "ask-first" and .verdict == "allow"')" 600
	assert_equal "$(log_count '.event == "action" and .rule == "ask-first" and .verdict == "deny"')" 400
	assert_equal "$(log_count '.event == "held"')" 1000
}

@test "the agent cannot answer, whatever it tries" {
	run_held --ask queue -- sh -c '
		cat "$1" &
		while [ ! -e "$2/id" ]; do :; done
		id=$(cat "$2/id")
		"$HOLDFAST" approve "$id" >"$2/inner.out" 2>&1
		echo $? >"$2/inner.status"
		(setsid "$HOLDFAST" approve "$id" >"$2/setsid.out" 2>&1; echo $? >"$2/setsid.status.tmp"; mv "$2/setsid.status.tmp" "$2/setsid.status") &
		wait' - "$T/ask/file" "$T"
	wait_held 1
	held_ids >"$T/id.tmp"
	mv "$T/id.tmp" "$T/id"
	wait_for test -e "$T/inner.status"
	wait_for test -e "$T/setsid.status"
	refute [ "$(cat "$T/inner.status")" = 0 ]
	refute [ "$(cat "$T/setsid.status")" = 0 ]
	# One line about each session that it tried: root's tries those of the whole machine.
	assert [ "$(wc -l <"$T/inner.out")" -ge 1 ]
	refute grep -q approved "$T/inner.out"
	run held_count
	assert_output 1
	# The attempt is in the log: the connect that the engine refused, or the server's notice.
	assert_logged '(.event == "notice") or (.kind == "network" and .verdict == "deny" and (.object | contains("holdfast")))'
	"$HOLDFAST" deny "$(held_ids)"
	finished 0
	assert_equal "$(cat "$T/out")" ""
}

@test "an agent under --mode audit cannot answer for another session" {
	run_held --ask queue -- cat "$T/ask/file"
	wait_held 1
	local id
	id=$(held_ids)
	LOG=$T/other.jsonl run hf --policy audit-only -- "$HOLDFAST" approve "$id"
	run held_count
	# A session of its own may answer only if it is outside every agent's tree; an agent never is.
	assert_output 1
	"$HOLDFAST" deny "$id"
	finished 1
}

# Its supervisor connects for it, and is outside of the session that is asked.
@test "nor can one of a session with another runtime directory" {
	run_held --ask queue -- cat "$T/ask/file"
	wait_held 1
	local id own=$XDG_RUNTIME_DIR socket
	id=$(held_ids)
	socket=$(echo "$own"/holdfast/*.sock)
	mkdir "$T/run2"
	for policy in audit-only coding-agent; do
		XDG_RUNTIME_DIR=$T/run2 LOG=$T/$policy.jsonl run hf --policy "$policy" -- \
			env XDG_RUNTIME_DIR="$own" "$HOLDFAST" approve "$id"
		refute [ "$status" = 0 ]
		XDG_RUNTIME_DIR=$T/run2 LOG=$T/chmod.jsonl run hf --policy "$policy" -- chmod 600 "$socket"
		assert_failure
		assert [ "$(jq -r 'select(.rule == "own-files") | .op' "$T/$policy.jsonl" | sort -u)" = connect ]
	done
	run held_count
	assert_output 1
	"$HOLDFAST" deny "$id"
	finished 1
}

@test "an id that is not held, and one that was answered" {
	run "$HOLDFAST" approve nosuchid
	assert_equal "$status" 1
	assert_equal "${#lines[@]}" 1
	assert_output --partial nosuchid
	run_held --ask queue -- cat "$T/ask/file"
	wait_held 1
	local id
	id=$(held_ids)
	run "$HOLDFAST" deny nosuchid
	assert_equal "$status" 1
	assert_equal "${#lines[@]}" 1
	"$HOLDFAST" approve "$id"
	finished 0
	run "$HOLDFAST" approve "$id"
	assert_equal "$status" 1
	assert_equal "${#lines[@]}" 1
	assert_output --partial "$id"
	run "$HOLDFAST" deny "$id"
	assert_equal "$status" 1
}

@test "held with nothing held" {
	run "$HOLDFAST" held
	assert_success
	run "$HOLDFAST" held --json
	assert_success
	# Root sees what the whole machine holds.
	((EUID == 0)) || assert_output ""
}

@test "holds end when the session is killed" {
	run_held --ask queue -- sh -c 'echo $$ >"$2.tmp"; mv "$2.tmp" "$2"; cat "$1"' - "$T/ask/file" "$T/pid"
	wait_held 1
	kill -KILL "$(cat "$T/pid")"
	finished 137
	# The orphan is still held, and still supervised.
	"$HOLDFAST" deny "$(held_ids)"
	session_ended
	wait_held 0
}

# --- on the terminal ------------------------------------------------------------------------------

start_terminal() {
	skip_without tmux
	export TERM=screen
	tm_start "'$HOLDFAST' run --policy '$POLICY' --log '$LOG' --ask terminal -- $1"
}

@test "--ask terminal: y approves" {
	start_terminal "cat '$T/ask/file'"
	tm_wait 'ask/file'
	wait_held 1
	wait_prompt
	tm_enter y
	tm_wait '^asked-for$'
	tm_wait '^STATUS=0$'
	assert_logged '.verdict == "allow" and .rule == "ask-first" and (.approver | length > 0)'
}

@test "--ask terminal: n denies" {
	start_terminal "cat '$T/ask/file'"
	wait_held 1
	wait_prompt
	tm_enter n
	tm_wait 'Permission denied'
	tm_wait '^STATUS=1$'
	assert_logged '.verdict == "deny" and .rule == "ask-first"'
}

# What is typed in the first moments after the question appears is dropped on purpose, so that an
# answer is never an accident: wait until that has passed.
wait_prompt() {
	tm_wait '\[y'
	local from
	from=$(date +%s%N)
	wait_for eval "((\$(date +%s%N) - $from > 600000000))"
}

@test "--ask terminal: what was typed before the question is no answer" {
	start_terminal "sh -c 'while [ ! -e \"$T/go\" ]; do :; done; cat \"$T/ask/file\"'"
	wait_for log_has '.event == "session_start"'
	tm_type $'y\ny\n'
	tm_wait '^y$'
	touch "$T/go"
	wait_held 1
	wait_prompt
	run held_count
	assert_output 1
	tm_enter n
	tm_wait '^STATUS=1$'
	assert_logged '.verdict == "deny" and .rule == "ask-first"'
}

@test "--ask terminal: two questions, one after the other, and the terminal is as it was" {
	start_terminal "sh -c 'cat \"$T/ask/file\"; cat \"$T/ask/file\"; stty -a >\"$T/stty\"; read -r line; echo \"line=\$line\"'"
	wait_held 1
	wait_prompt
	tm_enter y
	tm_wait '^asked-for$'
	wait_held 1
	tm clear-history
	wait_prompt
	tm_enter n
	tm_wait 'Permission denied'
	wait_for test -s "$T/stty"
	tm_enter "hello"
	tm_wait '^line=hello$'
	tm_wait '^STATUS=0$'
	grep -q ' icanon' "$T/stty"
	grep -q ' echo ' "$T/stty"
}

@test "--ask terminal without a terminal: clear line, 125, nothing run" {
	run "$HF_HELPERS/with" -s timeout 20 "$HOLDFAST" run --policy "$POLICY" --log "$LOG" --ask terminal -- touch "$T/made"
	if [[ $status != 125 ]]; then
		# Or it falls back to the queue with a line that says so.
		assert_output --partial "terminal"
	else
		assert_file_not_exist "$T/made"
		assert_output --partial "terminal"
	fi
}

@test "an answer from another terminal takes the question away" {
	start_terminal "cat '$T/ask/file'"
	wait_held 1
	wait_prompt
	"$HOLDFAST" approve "$(held_ids)"
	tm_wait '^asked-for$'
	tm_wait '^STATUS=0$'
}

# Neither root nor the ordinary user that the tests run as is daemon.
@test "a rule's ask says how long a hold lasts and who may answer it" {
	cat >"$POLICY" <<-END
		version: 1
		name: terms
		log_reads: true
		default: {tool: allow, read: allow, write: allow, network: allow}
		rules:
		  - {name: theirs, match: {path: ["$T/ask/file"]}, action: ask, reason: Somebody should look., suggest: Read the copy., ask: {timeout: 40s, approvers: [daemon, "@daemon"]}}
	END
	run_held -- cat "$T/ask/file"
	wait_held 1
	run held_json
	jq -e '.approvers == ["daemon", "@daemon"] and .suggest == "Read the copy." and .left_ms <= 40000 and .left_ms > 1000' <<<"$output"
	run "$HOLDFAST" held
	assert_output --partial "only daemon, @daemon"
	assert_output --partial "Read the copy."
	run "$HOLDFAST" approve "$(held_ids)"
	assert_failure 3
	assert_output --partial "the rule lets only daemon, @daemon answer"
	wait_held 1
	assert_logged '.event == "notice" and (.note | contains("which only daemon, @daemon may, and was refused"))'
	assert_logged '.event == "held" and .suggest == "Read the copy."'
	# Somebody of ours who is in the group may.
	if ((EUID == 0)); then
		run setpriv --regid daemon --clear-groups "$HOLDFAST" approve "$(held_ids)"
		assert_success
		wait_for test -s "$T/status"
		assert_equal "$(cat "$T/status" "$T/out")" $'0\nasked-for'
	fi
}

@test "a hold of a rule with a short timeout is denied when that is over" {
	cat >"$POLICY" <<-END
		version: 1
		name: terms
		log_reads: true
		default: {tool: allow, read: allow, write: allow, network: allow}
		rules:
		  - {name: soon, match: {path: ["$T/ask/file"]}, action: ask, ask: {timeout: 1s}}
	END
	run_held -- cat "$T/ask/file"
	wait_for test -s "$T/status"
	assert_equal "$(cat "$T/status")" 1
	assert_logged '.approver == "timeout" and .rule == "soon" and .latency_ns < 10e9'
}
