#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Where the log goes besides the file: whatever a sink does, the agent is not slowed and the file is
# whole.

setup() {
	load helpers/common
	hf_setup
	policy_open open <<-END
		  - {name: no-date, match: {tool: date}, action: deny, reason: Not today.}
	END
	OUT=$T/out
}

teardown() {
	hf_teardown
}

# fake journald|syslog: stands in for it at $T/KIND.sock, what it gets comes in $OUT.
fake() {
	python3 "$HELPERS/datagrams.py" "$1" "$T/$1.sock" "$OUT" 3>&- &
	FAKE=$!
	started "$FAKE"
	wait_for test -S "$T/$1.sock"
}

out_has() {
	[[ -n $(jq -c "select($1)" "$OUT") ]]
}

# The lines that are in the log and in OUT by their seq.
same_lines() {
	cmp <(jq -c .seq "$LOG") <(jq -c "$1" "$OUT")
}

same_file() {
	cmp -s "$LOG" "$OUT"
}

noted() {
	log_has ".event == \"notice\" and (.note | contains(\"$1\"))"
}

@test "a command gets the lines of the log as they are, the last included" {
	run hf --policy "$POLICY" --log-sink "command:cat >$OUT" -- sh -c 'date; cat /etc/passwd; exit 4'
	assert_equal "$status" 4
	session_ended
	wait_for same_file
	refute noted sink
}

@test "a command gets only its own session's lines of a file with several" {
	run hf --policy "$POLICY" -- true
	assert_success
	run hf --policy "$POLICY" --log-sink "command:cat >$OUT" -- true
	assert_success
	wait_for grep -q '"session_end"' "$OUT"
	assert_equal "$(jq -r .session "$OUT" | sort -u)" "$(tail -n 1 "$LOG" | jq -r .session)"
	assert_equal "$(head -n 1 "$OUT" | jq -r .event)" session_start
}

@test "journald gets each line with its own fields" {
	fake journald
	run hf --policy "$POLICY" --name tester --log-sink "journald:$T/journald.sock" -- sh -c 'date; true'
	assert_success
	session_ended
	wait_for same_lines '.HOLDFAST_SEQ | tonumber'
	refute out_has .error
	out_has '.MESSAGE == "session started: sh -c date; true" and .HOLDFAST_AGENT == "tester" and .PRIORITY == "5"'
	out_has '.HOLDFAST_RULE == "no-date" and .HOLDFAST_VERDICT == "deny" and .PRIORITY == "4" and
		.SYSLOG_IDENTIFIER == "holdfast" and (.MESSAGE | contains("date: deny, rule '"'no-date'"', Not today."))'
	out_has '.HOLDFAST_KIND == "tool" and .HOLDFAST_VERDICT == "allow" and .PRIORITY == "6"'
	out_has '.HOLDFAST_EVENT == "session_end"'
}

@test "journald gets what is too long for a datagram in a sealed file, and names with newlines" {
	local long name
	fake journald
	long=$(printf 'x%.0s' {1..8000})
	name=$'a\nHOLDFAST_VERDICT=forged'
	run hf --policy "$POLICY" --log-sink "journald:$T/journald.sock" -- \
		sh -c 'touch "$1"; /bin/echo "$2" "$2" "$2" "$2" "$2" >/dev/null' - "$name" "$long"
	assert_success
	session_ended
	wait_for same_lines '.HOLDFAST_SEQ | tonumber'
	refute out_has .error
	out_has '.HOLDFAST_OBJECT | strings | endswith("a\nHOLDFAST_VERDICT=forged")'
	refute out_has '.HOLDFAST_VERDICT == "forged"'
	if (($(cat /proc/sys/net/core/wmem_default) > 300000)); then
		skip "datagrams may be longer here than a record is"
	fi
}

@test "syslog gets RFC 5424" {
	fake syslog
	run hf --policy "$POLICY" --log-sink "syslog:$T/syslog.sock" -- \
		sh -c 'date; touch "$1"' - $'q"]\\ \n\xff\e[31m'
	assert_success
	session_ended
	wait_for same_lines '.params.seq | tonumber'
	refute out_has .error
	out_has '.app == "holdfast" and .msgid == "session_start" and .pri == 85 and .sd == "holdfast@32473"'
	out_has '.params.rule == "no-date" and .pri == 84 and .msgid == "action" and
		(.message | contains("date: deny"))'
	out_has '.params.object | strings | endswith("q\"]\\ \\x0a\\xff\\x1b[31m")'
	assert_equal "$(jq -r .host "$OUT" | sort -u)" "$(uname -n)"
}

@test "syslog gets the same where it listens for streams" {
	fake stream
	run hf --policy "$POLICY" --log-sink "syslog:$T/stream.sock" -- sh -c 'date; ls -l /usr/bin >/dev/null'
	assert_success
	session_ended
	wait_for same_lines '.params.seq | tonumber'
	refute out_has .error
	out_has '.params.rule == "no-date" and .pri == 84'
}

@test "journald that starts late, or anew, gets everything" {
	mkfifo go
	hf --policy "$POLICY" --log-sink "journald:$T/journald.sock" -- sh -c 'date; read -r _ <go; true' 3>&- &
	started $!
	wait_for noted "takes nothing: No such file or directory"
	fake journald
	wait_for out_has '.HOLDFAST_RULE == "no-date"'
	kill "$FAKE"
	wait "$FAKE" || true
	mv "$OUT" "$OUT.1"
	rm "$T/journald.sock"
	echo >go
	fake journald
	session_ended
	wait_for out_has '.HOLDFAST_EVENT == "session_end"'
	cat "$OUT.1" "$OUT" >"$T/both"
	mv "$T/both" "$OUT"
	wait_for same_lines '.HOLDFAST_SEQ | tonumber'
}

@test "nobody at the socket: the session is as ever, and the log says what was not taken" {
	run hf --policy "$POLICY" --log-sink "syslog:$T/none" -- sh -c 'true; exit 3'
	assert_equal "$status" 3
	session_ended
	assert noted "The log sink 'syslog:$T/none' had not taken the last"
}

@test "a command that dies, or never was, is noted, and what it misses is counted" {
	run hf --policy "$POLICY" --log-sink "command:head -n 1 >$OUT" --log-sink "command:/nonexistent" -- \
		sh -c 'for i in 1 2 3 4 5 6 7 8 9; do sleep 0.1; done; date; exit 7'
	assert_equal "$status" 7
	session_ended
	assert noted "The command of the log sink 'command:head -n 1 >$OUT' has ended"
	assert noted "The command of the log sink 'command:/nonexistent' has ended"
	assert_equal "$(log_count '.event == "notice" and (.note | test("^The log sink .* dropped [0-9]+ lines"))')" 2
	assert_equal "$(jq -r .event "$OUT")" session_start
}

@test "a command that hangs slows nothing, is noted, and is ended" {
	hf --policy "$POLICY" --log-sink "command:echo \$\$ >$OUT; exec sleep 1000" -- \
		"$HF_HELPERS/load" spawn 200 true 3>&- >"$T/sum" &
	local hf=$! pid
	started "$hf"
	wait "$hf"
	assert_equal "$(<"$T/sum")" "200 of 200"
	session_ended
	assert noted "had not taken the last"
	pid=$(<"$OUT")
	wait_for is_gone "$pid"
}

@test "a command that reads slowly gets all in the end" {
	run hf --policy "$POLICY" --log-sink "command:while read -r line; do sleep 0.02; echo \"\$line\"; done >$OUT" -- \
		sh -c 'date; date; date'
	session_ended
	wait_for grep -q '"event":"session_end"' "$OUT"
	wait_for same_file
}

@test "more than 8 MiB that nobody takes is dropped, counted and noted while the session runs" {
	local files=()
	local -i i

	mkfifo go
	echo x >file
	for ((i = 0; i < 300; i++)); do
		files+=("$PROJECT/file")
	done
	hf --policy "$POLICY" --log-sink "command:sleep 1000" -- \
		sh -c '"$@"; read -r _ <go' - "$HF_HELPERS/load" threads 60 "${files[@]}" 3>&- >"$T/sum" &
	started $!
	wait_for log_has '.event == "notice" and (.note | test("dropped [0-9]+ lines; they are in the log only"))'
	echo >go
	session_ended
	assert_regex "$(<"$T/sum")" '^60 threads'
	assert_equal "$(log_count '.event == "action" and .op == "read" and (.object | endswith("/project/file"))')" 18000
}

@test "rotated files are followed" {
	run hf --policy "$POLICY" --log-rotate 64K --log-sink "command:cat >$OUT" -- "$HF_HELPERS/load" spawn 60 true
	assert_success
	session_ended
	assert_file_exist "$LOG.1"
	wait_for grep -q '"event":"session_end"' "$OUT"
	assert_equal "$(jq -r 'select(.event == "action") | .seq' "$OUT" | wc -l)" \
		"$(cat "$LOG".* "$LOG" | jq -r 'select(.event == "action") | .seq' | wc -l)"
}

@test "wrong sinks are refused before anything runs" {
	local sink
	for sink in '' journal journald: syslogd command command: "syslog:$(printf 'x%.0s' {1..108})"; do
		run hf --policy "$POLICY" --log-sink "$sink" -- touch ran
		assert_equal "$status" 125
		assert_output --partial "--log-sink '$sink': expected journald, syslog"
	done
	run hf --policy "$POLICY" --log-sink={journald,syslog}{,:/a,:/b,:/c,:/d} -- touch ran
	assert_equal "$status" 125
	assert_file_not_exist ran
}

@test "a sink's process is not for people" {
	run "$HOLDFAST" sink a b journald 3>&-
	assert_equal "$status" 2
	assert_output --partial "run --log-sink"
	run "$HOLDFAST" --help
	refute_output --partial "(null)"
}
