#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The log: one JSON object a line, every decision once, readable after a crash.

setup() {
	load helpers/common
	hf_setup
	policy_open open <<-END
		  - {name: no-file, match: {path: ["$T/denied"]}, action: deny, reason: Not for agents.}
		  - {name: no-date, match: {tool: date}, action: deny}
	END
	echo secret >"$T/denied"
}

teardown() {
	hf_teardown
}

mixed_session() {
	run hf --policy "$POLICY" --name tester -- sh -c 'echo x >f; cat f; cat "$1"; date; mkdir d; exit 5' - "$T/denied"
	assert_equal "$status" 5
	session_ended
}

@test "every record has the keys and types that the contract names" {
	mixed_session
	run python3 "$HELPERS/check_log.py" "$LOG"
	assert_success
	assert_output --regexp '^[0-9]+ records ok$'
}

@test "session_start says what was started under what" {
	mixed_session
	run head -n 1 "$LOG"
	assert_equal "$(jq -r .event <<<"$output")" session_start
	assert_equal "$(jq -r .seq <<<"$output")" "$(jq -s 'map(.seq) | min' "$LOG")"
	assert_equal "$(jq -r .agent <<<"$output")" tester
	jq -e '.command[0] == "sh" or (.command | tostring | contains("sh"))' <<<"$output"
	# Its hash is of the file as it is.
	local hash
	hash=$(sha256sum <"$POLICY" | cut -d' ' -f1)
	assert_output --partial "$hash"
	assert_output --partial '"open"'
	assert_output --partial "$(uname -r)"
	assert_output --partial seccomp
}

@test "session_end has the status and counts that agree with the records" {
	mixed_session
	run log_select '.event == "session_end"'
	assert_equal "$(jq -r .event <<<"$output")" session_end
	assert_equal "$(jq -r '.exit' <<<"$output")" 5
	local kind verdict
	for verdict in allow flag ask deny; do
		assert_equal "$verdict $(jq -r ".by_verdict.$verdict // .counts.verdict.$verdict // .counts.by_verdict.$verdict" <<<"$output")" \
			"$verdict $(log_count ".event == \"action\" and .verdict == \"$verdict\"")"
	done
	for kind in tool path network; do
		assert_equal "$kind $(jq -r ".by_kind.$kind // .counts.kind.$kind // .counts.by_kind.$kind" <<<"$output")" \
			"$kind $(log_count ".event == \"action\" and .kind == \"$kind\"")"
	done
}

@test "a session that ends by a signal says which" {
	run hf --policy "$POLICY" -- sh -c 'kill -TERM $$'
	assert_equal "$status" 143
	session_ended
	run log_select '.event == "session_end"'
	assert_output --regexp '"(exit|signal)":("?143|15|"TERM|"SIGTERM)'
}

@test "one record for each decision: the execs of a known workload" {
	run hf --policy "$POLICY" -- "$HF_HELPERS/load" spawn 137 /bin/true
	assert_output "137 of 137"
	session_ended
	assert_equal "$(log_count '.event == "action" and .kind == "tool" and (.argv[0] == "/bin/true")')" 137
	assert_equal "$(log_count '.event == "action" and .kind == "tool"')" 138
}

@test "a search through PATH is not a start of what is not there" {
	run hf --policy "$POLICY" -- env true
	assert_success
	session_ended
	assert_equal "$(log_count '.event == "action" and .kind == "tool"')" 2
	# Nor is a denied name denied, or asked about, where there is no such file.
	run hf --policy "$POLICY" -- python3 -c 'import os, sys
try:
    os.execv(sys.argv[1], ["date"])
except OSError as e:
    print(e.strerror)' "$T/date"
	assert_output "No such file or directory"
}

@test "one record for each open of a file, also from many threads" {
	local i
	for i in {1..20}; do
		echo "$i" >"$T/file.$i"
	done
	run hf --policy "$POLICY" -- "$HF_HELPERS/load" threads 16 "$T"/file.*
	assert_success
	session_ended
	assert_equal "$(log_count '.event == "action" and .op == "read" and (.object | test("/file\\.[0-9]+$"))')" 320
	# Sequence numbers are without a gap and without a double.
	assert_equal "$(jq .seq "$LOG" | sort -n | uniq -d | wc -l)" 0
	assert_equal "$(jq -s 'map(.seq) | (max - min + 1) == length' "$LOG")" true
}

@test "what an action record says" {
	mixed_session
	assert_logged ".event == \"action\" and .kind == \"path\" and .op == \"create\" and .object == \"$PROJECT/f\" and .asked == \"f\" and .verdict == \"allow\" and .agent == \"tester\""
	assert_logged ".op == \"read\" and .object == \"$T/denied\" and .verdict == \"deny\" and .policy == \"open\" and .rule == \"no-file\" and .reason == \"Not for agents.\" and .result == \"refused\""
	assert_logged '.op == "mkdir" and .verdict == "allow"'
	assert_logged '.op == "exec" and (.object | endswith("/cat")) and .argv == ["cat", "f"]'
	assert_equal "$(jq -r 'select(.rule == "no-file") | .errno' "$LOG" | grep -c -E '^(13|EACCES)$')" 1
}

@test "hostile names stay one line of valid JSON" {
	local name i=0
	for name in $'new\nline' $'esc\e[31m' $'bad\xff\xfeutf' 'quote"back\slash' $'tab\tcr\r' $'del\x7f' $'\xe2\x80\xae-rtl' $'\xed\xa0\x80surrogate' '{"v":1}'; do
		echo "$i" >"$T/$name"
		run hf --policy "$POLICY" -- cat "$T/$name"
		assert_output "$i"
		i=$((i + 1))
	done
	session_ended
	run python3 "$HELPERS/check_log.py" "$LOG"
	assert_success
	assert_equal "$(log_count '.op == "read" and (.object | contains("new\nline"))')" 1
	assert_equal "$(log_count '.op == "read" and (.object | endswith("{\"v\":1}"))')" 1
	# And people's terminals are safe.
	"$HOLDFAST" log "$LOG" >"$T/text"
	run grep -c $'\e\\|\r\\|\x7f' "$T/text"
	assert_output 0
}

@test "holdfast log shows records, and filters by verdict and kind" {
	mixed_session
	run "$HOLDFAST" log "$LOG"
	assert_success
	assert_output --partial "$T/denied"
	run "$HOLDFAST" log "$LOG" --verdict deny --json
	assert_success
	assert_equal "$(jq -r .verdict <<<"$output" | sort -u)" deny
	assert_equal "$(wc -l <<<"$output")" "$(log_count '.verdict == "deny"')"
	run "$HOLDFAST" log "$LOG" --kind tool --json
	assert_equal "$(jq -r .kind <<<"$output" | sort -u)" tool
	assert_equal "$(wc -l <<<"$output")" "$(log_count '.kind == "tool"')"
	# Twice: sh goes on through PATH after EACCES, and /bin is /usr/bin.
	run "$HOLDFAST" log "$LOG" --verdict deny --kind tool --json
	assert_equal "$(jq -r .object <<<"$output" | sort -u)" "$(readlink -f "$(command -v date)")"
	assert_equal "$(wc -l <<<"$output")" "$(log_count '.kind == "tool" and .verdict == "deny"')"
	run "$HOLDFAST" log "$LOG" --verdict nonsense
	assert_failure
	assert_output --partial nonsense
	run "$HOLDFAST" log "$LOG" --kind nonsense
	assert_failure
}

@test "holdfast log --since" {
	mixed_session
	run "$HOLDFAST" log "$LOG" --since 2000-01-01T00:00:00Z --json
	assert_success
	assert_equal "$(wc -l <<<"$output")" "$(wc -l <"$LOG")"
	run "$HOLDFAST" log "$LOG" --since 2100-01-01T00:00:00Z --json
	assert_success
	assert_output ""
	run "$HOLDFAST" log "$LOG" --since yesterdayish
	assert_failure
	assert_output --partial yesterdayish
}

@test "holdfast log --json gives the lines of the file" {
	mixed_session
	"$HOLDFAST" log "$LOG" --json >"$T/out"
	diff -u "$LOG" "$T/out"
}

@test "holdfast log -f follows until the session ends" {
	mkfifo "$T/go"
	"$HOLDFAST" run --policy "$POLICY" --log "$LOG" -- sh -c 'read -r line <"$1"; cat "$2"' - "$T/go" "$T/denied" >/dev/null 2>&1 3>&- &
	started $!
	wait_for log_has '.event == "session_start"'
	"$HOLDFAST" log "$LOG" -f --json >"$T/followed" 3>&- &
	local follower=$!
	started "$follower"
	wait_for grep -q session_start "$T/followed"
	refute grep -q no-file "$T/followed"
	timeout 20 sh -c 'echo go >"$1"' - "$T/go"
	wait_for grep -q no-file "$T/followed"
	wait_for grep -q session_end "$T/followed"
	kill "$follower" 2>/dev/null || true
}

@test "holdfast log -f goes on in the new file after a rotation" {
	mkfifo "$T/go"
	"$HOLDFAST" run --policy "$POLICY" --log "$LOG" --log-rotate 64K -- sh -c '
		for i in 1 2 3 4; do read -r line <"$1"; for j in 1 2 3 4 5 6 7 8; do ls -l /usr >/dev/null; done; : >"$3$i"; done; cat "$2"' \
		- "$T/go" "$T/denied" "$T/round" >/dev/null 2>&1 3>&- &
	started $!
	wait_for log_has '.event == "session_start"'
	"$HOLDFAST" log "$LOG" -f --json >"$T/followed" 3>&- &
	local follower=$!
	started "$follower"
	wait_for grep -q session_start "$T/followed"
	# One after the other: what is written before the reader has closed the pipe is lost with it.
	for i in 1 2 3 4; do
		timeout 20 sh -c 'echo go >"$1"' - "$T/go"
		wait_for test -e "$T/round$i"
	done
	wait_for grep -q session_end "$T/followed"
	[[ -e $LOG.1 && -e $LOG.2 ]]
	kill "$follower" 2>/dev/null || true
	# Each record once, in order, across the files.
	run diff <(jq .seq "$T/followed") <(seq "$(wc -l <"$T/followed")")
	assert_output ""
}

# syncs MODE: how many fdatasync(2) a session of some hundred records makes.
syncs() {
	rm -f "$LOG" "$T/trace"
	strace -f -qq -e trace=fdatasync -o "$T/trace" "$HOLDFAST" run --policy "$POLICY" --log "$LOG" --log-sync "$1" -- \
		sh -c 'i=0; while [ $i -lt 30 ]; do i=$((i + 1)); cat /dev/null; sleep 0.02; done' >/dev/null
	session_ended
	grep -c 'fdatasync([0-9]*) *= 0' "$T/trace" || true
}

@test "--log-sync: how often the log is brought to the disk" {
	# Under strace a seccomp listener works as ever; where ptrace is refused there is nothing to see.
	strace -qq -e trace=none true 2>/dev/null || skip "strace cannot trace here"
	local none second always began seconds
	none=$(syncs none)
	began=$SECONDS
	second=$(syncs second)
	seconds=$((SECONDS - began))
	always=$(syncs always)
	echo "none $none, second $second in $seconds s, always $always"
	# Beside one a second: the end's, and the list of keys twice.
	((none == 0 && second >= 2 && second <= seconds + 4 && always > 3 * second))
}

@test "holdfast report counts, and names what was denied" {
	mixed_session
	run "$HOLDFAST" report "$LOG"
	assert_success
	assert_output --partial "$T/denied"
	assert_output --partial date
	run "$HOLDFAST" report "$LOG" --json
	assert_success
	jq -e . <<<"$output"
	assert_output --partial "$T/denied"
}

@test "the default place, and sessions found by id" {
	run timeout 60 "$HOLDFAST" run --policy "$POLICY" -- true
	assert_success
	local files
	wait_for eval 'compgen -G "$XDG_STATE_HOME/holdfast/*"'
	files=("$XDG_STATE_HOME"/holdfast/*.jsonl)
	assert_equal "${#files[@]}" 1
	assert_file_exist "${files[0]}"
	assert_equal "$(stat -c %a "${files[0]}")" 1600
	assert_equal "$(stat -c %a "$XDG_STATE_HOME/holdfast")" 700
	local session
	session=$(jq -r .session "${files[0]}" | head -n 1)
	run "$HOLDFAST" log "$session" --json
	assert_success
	assert_output --partial session_start
	run "$HOLDFAST" report "$session"
	assert_success
	# Without a name: the latest.
	run "$HOLDFAST" log --json
	assert_success
	assert_output --partial "$session"
	run "$HOLDFAST" report
	assert_success
	run "$HOLDFAST" log nosuchsession
	assert_failure
	assert_equal "${#lines[@]}" 1
	assert_output --partial nosuchsession
}

@test "--log names a file or a directory" {
	mkdir "$T/logs"
	run timeout 60 "$HOLDFAST" run --policy "$POLICY" --log "$T/logs" -- true
	assert_success
	wait_for eval 'compgen -G "$T/logs/*.jsonl"'
	run timeout 60 "$HOLDFAST" run --policy "$POLICY" --log "$T/logs/" -- true
	assert_success
	local files=("$T"/logs/*.jsonl)
	assert_equal "${#files[@]}" 2
	run timeout 60 "$HOLDFAST" run --policy "$POLICY" --log one.jsonl -- true
	assert_success
	wait_for test -s "$PROJECT/one.jsonl"
}

@test "a second session appends to the same file" {
	hf --policy "$POLICY" -- true
	hf --policy "$POLICY" -- true
	wait_for test "$(grep -c session_end "$LOG")" = 2
	assert_equal "$(jq -r .session "$LOG" | sort -u | wc -l)" 2
}

@test "the log is free when a session has ended, also one whose command was denied" {
	local i

	for i in {1..15}; do
		run hf --policy "$POLICY" -- date
		assert_equal "$status" 126
		run hf --policy "$POLICY" -- true
		assert_success
	done
}

@test "nothing is left beside the log after a session" {
	hf --policy "$POLICY" -- true
	session_ended
	wait_for eval '[[ $(ls -A "$T" | grep -c "^log.jsonl") == 1 ]]'
	wait_for eval '[[ -z $(find "$XDG_RUNTIME_DIR" -type s) ]]'
}

@test "the agent cannot change the log" {
	run hf --policy "$POLICY" -- sh -c 'echo forged >>"$1"; : >"$1"; rm -f "$1"; mv "$1" "$1.x"; chmod 777 "$1"; ls' - "$LOG"
	session_ended
	run python3 "$HELPERS/check_log.py" "$LOG"
	assert_success
	assert_equal "$(stat -c %a "$LOG")" 1600
	assert_logged ".verdict == \"deny\" and .object == \"$LOG\""
	refute grep -q '^forged' "$LOG"
}

@test "SIGKILL of the supervisor: the agent dies, and the log is whole" {
	"$HOLDFAST" run --policy "$POLICY" --log "$LOG" -- sh -c '
		for i in 1 2 3 4 5 6 7 8 9 10; do cat "$1"; done
		setsid sleep 300 & child=$!
		echo $PPID $$ $child >"$2.tmp"; mv "$2.tmp" "$2"
		while :; do cat /dev/null; done' - "$T/denied" "$T/pids" >/dev/null 2>&1 3>&- &
	local launcher=$! supervisor agent child rc=0
	started "$launcher"
	wait_for test -e "$T/pids"
	read -r supervisor agent child <"$T/pids"
	grep -q holdfast "/proc/$supervisor/comm"
	kill -KILL "$supervisor"
	HF_DEADLINE=4
	wait_for is_gone "$agent"
	wait_for is_gone "$child"
	wait "$launcher" || rc=$?
	((rc != 0))
	HF_DEADLINE=20
	"$HOLDFAST" log "$LOG" --json >"$T/recovered" 2>"$T/err"
	assert_equal "$(jq -c 'select(.rule == "no-file")' "$T/recovered" | wc -l)" 10
	run python3 "$HELPERS/check_log.py" --crashed "$LOG"
	assert_success
}
