#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# `run --layers sight`: the kernel's own account of the session's processes is in the log.

setup() {
	load helpers/common
	hf_setup
}

teardown() {
	hf_teardown
}

needs_ebpf() {
	((EUID == 0)) || skip "needs root"
	[[ -x ${HOLDFAST%/*}/holdfast-loader ]] || skip "this build has no holdfast-loader"
	"$HOLDFAST" doctor --json | jq -e '[.layers[] | select(.name == "ebpf-trace" or .name == "ebpf-task-storage") | .state] == ["yes", "yes"]' >/dev/null ||
		skip "no typed tracepoints or task storage here"
}

sight() { # COMMAND...
	"$HOLDFAST" run -q --layers sight --policy audit-only --log "$LOG" -- "$@"
}

wait_for_event() { # EVENT: in the log
	timeout 10 bash -c 'until grep -q "\"event\":\"$1\"" "$0" 2>/dev/null; do sleep 0.02; done' "$LOG" "$1"
}

events() { # all events of processes, in order, as one array
	jq -cs '[.[] | select(.event == "processes") | .list[]]' "$LOG"
}

@test "every process of the tree is there: how it began, what it ran, how it ended" {
	needs_ebpf
	run sight sh -c '/bin/true; (exit 3); (/bin/sleep 0.01 &); kill -9 $$'
	((status == 137))
	# Of each process one beginning and one end, in this order; each parent is of the session.
	assert_equal "$(events | jq -c 'group_by(.pid) | map([.[] | .what] | [first, last]) | unique')" '[["fork","exit"]]'
	assert_equal "$(events | jq '[.[] | select(.what == "fork")] as $f | [$f[1:][] | select(.ppid | IN($f[].pid) | not)] | length')" 0
	assert_equal "$(events | jq -c '[.[] | select(.what == "exec") | .comm]')" '["sh","true","sleep"]'
	assert_equal "$(events | jq -c '[.[] | select(.what == "exit" and .exit == 3)] | length')" 1
	assert_equal "$(events | jq -c 'last(.[] | select(.what == "exit" and .signal == 9)) | .comm')" '"sh"'
	assert_equal "$(jq -c 'select(.event == "session_start") | .layers[] | select(.class == "sight") | .layer' "$LOG")" '"ebpf"'
	run "$HOLDFAST" log "$LOG"
	assert_output --regexp 'kernel +processes: [0-9]+ began, [0-9]+ executed, [0-9]+ ended'
	run "$HOLDFAST" verify "$LOG"
	assert_success
}

@test "the tree has who started whom, also of those that did nothing and of orphans" {
	needs_ebpf
	run sight sh -c '( ( sh -c "sleep 0.1; cat /etc/hostname >/dev/null; exit 7" & ) ; : ); :'
	wait_for_event session_end
	run "$HOLDFAST" tree --json "$LOG"
	assert_success
	# One root; the orphan's shell hangs on it over those that only forked.
	run jq -r '.list as $l | ([$l[] | select(.parent == null)] | length),
		([$l[] | select(.exit == 7)] | length),
		($l[] | select(.exit == 7) | until(.parent == null; .parent as $p | $l[] | select(.id == $p)) | .commands[0].exe)' <<<"$output"
	assert_line --index 0 1
	assert_line --index 1 1
	assert_line --index 2 "$(readlink -f /bin/sh)"
}

@test "what ran is the image's own number" {
	needs_ebpf
	cp /bin/true "$T/mine"
	sight "$T/mine"
	assert_equal "$(events | jq '[.[] | select(.what == "exec") | .inode] | last')" "$(stat -c %i "$T/mine")"
}

@test "processes outside the session, and of another session, are not seen" {
	needs_ebpf
	for _ in 1 2 3 4 5; do /bin/true; done &
	timeout -k 5 60 "$HOLDFAST" run -q --layers sight --policy audit-only --log "$T/other.jsonl" -- \
		sh -c 'for i in 1 2 3 4 5; do /bin/true; done' </dev/null >/dev/null 2>&1 3>&- 4>&- &
	local other=$!
	sight sh -c '/bin/sleep 0.05; /bin/echo'
	wait "$other"
	assert_equal "$(events | jq -c '[.[] | select(.what == "exec") | .comm]')" '["sh","sleep","echo"]'
	assert_equal "$(jq -cs '[.[] | select(.event == "processes") | .list[] | select(.what == "exec") | .comm] | unique' "$T/other.jsonl")" '["sh","true"]'
}

@test "a storm of processes: what is not there is counted, by kind" {
	needs_ebpf
	sight /usr/bin/python3 -c '
import os
for _ in range(3000):
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)
'
	for what in fork exit; do
		seen=$(events | jq --arg what "$what" '[.[] | select(.what == $what)] | length')
		lost=$(jq -s --arg what "$what" '[.[] | select(.event == "lost") | .[$what]] | add // 0' "$LOG")
		assert_equal "$((seen + lost))" 3001
	done
}

@test "a daemon that outlives the command is seen to its end" {
	needs_ebpf
	sight sh -c '(setsid /bin/sleep 0.3 >/dev/null 2>&1 &)'
	wait_for_event session_end
	assert_equal "$(events | jq -c '[.[] | select(.what == "exit" and .comm == "sleep")] | length')" 1
}

@test "without the loader the session goes on, and the log says what it lacks" {
	needs_ebpf
	mkfifo "$T/fifo"
	sight sh -c 'read -r line <"$0"; exit 5' "$T/fifo" 3>&- &
	pid=$!
	wait_for_event session_start
	supervisor=$(jq -r 'select(.event == "session_start") | .supervisor' "$LOG")
	# The keeper's other child.
	keeper=$(awk '{print $4}' "/proc/$supervisor/stat")
	for child in $(cat "/proc/$keeper/task/$keeper/children"); do
		[[ $(cat "/proc/$child/comm") != holdfast-loader ]] || kill -9 "$child"
	done
	wait_for_event notice
	assert_equal "$(jq -r 'select(.event == "notice") | .note' "$LOG" | cut -d: -f1)" "holdfast-loader has ended"
	echo >"$T/fifo"
	status=0
	wait "$pid" || status=$?
	assert_equal "$status" 5
}

@test "nothing is left behind, also when the session was killed" {
	needs_ebpf
	bpftool=$(command -v bpftool || echo /usr/sbin/bpftool)
	sight sleep 100 3>&- &
	pid=$!
	wait_for_event session_start
	supervisor=$(jq -r 'select(.event == "session_start") | .supervisor' "$LOG")
	keeper=$(awk '{print $4}' "/proc/$supervisor/stat")
	loader=
	for child in $(cat "/proc/$keeper/task/$keeper/children"); do
		[[ $(cat "/proc/$child/comm") != holdfast-loader ]] || loader=$child
	done
	[[ -n $loader ]]
	kill -9 "$supervisor"
	wait "$pid" || true
	timeout 10 bash -c 'while [[ -d /proc/$0 ]]; do sleep 0.02; done' "$loader"
	if [[ -x $bpftool ]]; then
		run timeout 10 bash -c "while $bpftool -j prog | jq -e --argjson pid $loader '.[] | select(.pids[]?.pid == \$pid)' >/dev/null; do sleep 0.05; done"
		assert_success
	fi
}

@test "who may not load it is told so, and nothing runs" {
	if ((EUID == 0)); then
		run setpriv --bounding-set=-all --inh-caps=-all --ambient-caps=-all "$HOLDFAST" run -q --layers sight --policy audit-only --log "$LOG" -- touch "$T/ran"
	else
		run "$HOLDFAST" run -q --layers sight --policy audit-only --log "$LOG" -- touch "$T/ran"
	fi
	((status == 125))
	assert_output --partial "--layers sight: "
	assert_output --partial "the command was not run"
	[[ ! -e $T/ran ]]
	run "$HOLDFAST" run --layers nonsense -- true
	((status == 125))
}
