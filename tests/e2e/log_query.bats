#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Questions over all sessions, through the index and without it.

bats_require_minimum_version 1.5.0

setup() {
	load helpers/common
	hf_setup
	policy_open open <<-END
		  - {name: no-file, match: {path: ["$T/denied"]}, action: deny, reason: Not for agents.}
	END
	echo secret >"$T/denied"
	export XDG_CACHE_HOME=$T/cache
	PLACE=$XDG_STATE_HOME/holdfast
	INDEX=$XDG_CACHE_HOME/holdfast/index.sqlite
}

teardown() {
	hf_teardown
}

# session NAME COMMAND...: a session of the default place.
session() {
	local name=$1
	shift
	timeout 60 "$HOLDFAST" run --quiet --policy "$POLICY" --name "$name" -- "$@" || true
}

three_sessions() {
	session one cat "$T/denied"
	session two sh -c 'ls / >f; git --version'
	session three sh -c 'sh -c "cat /etc/hostname; true"; true'
	wait_for eval '[[ $(cat "$PLACE"/*.jsonl | grep -c session_end) == 3 ]]'
}

# same JQ OPTIONS...: what `log --all` finds is what jq selects from the files.
same() {
	local filter=$1
	shift
	run "$HOLDFAST" log --all --json "$@"
	assert_success
	assert_equal "$output" "$(jq -c "select($filter)" "$PLACE"/*.jsonl)"
	[[ -n $output ]]
}

@test "log --all filters over all sessions, as jq does" {
	three_sessions
	same '.verdict == "deny"' --verdict deny
	same '.agent == "two"' --agent two
	same '.agent == "one" or .agent == "two"' --agent one --agent two
	same '.kind == "tool"' --kind tool
	same '.op == "read" and .kind == "path"' --op read
	same '.rule == "no-file"' --rule no-file
	same '.policy == "open"' --policy open
	same '.policy == "open" and .kind == "tool"' --policy 'o*' --kind tool
	same '.kind == "tool" and (.object | endswith("/cat"))' --tool cat
	same "(.kind == \"path\" or .kind == \"tool\") and .object == \"$T/denied\"" --path "$T/denied"
	same '.kind == "path" and .object == "/etc/hostname"' --path '/etc/host*' --kind path
	same '(.reason // "") | contains("Not for agents")' --text 'Not for agents'
	same '.agent == "two" and ((.argv // []) | join(" ") | contains("git --version"))' --text 'git --version' --kind tool
	same 'true' --since 2000-01-01T00:00:00Z
	run "$HOLDFAST" log --all --json --until 2000-01-01T00:00:00Z
	assert_success
	assert_output ""
	assert_file_exist "$INDEX"
	assert_equal "$(stat -c %a "$INDEX")" 600
	assert_equal "$(stat -c %a "$XDG_CACHE_HOME/holdfast")" 700
}

@test "log --session asks for sessions by the beginning of their names" {
	three_sessions
	local id
	id=$(jq -r 'select(.agent == "two") | .session' "$PLACE"/*.jsonl | head -n 1)
	same ".session == \"$id\"" --session "$id"
	run "$HOLDFAST" log --json --session "$id"
	assert_equal "$output" "$(cat "$PLACE/$id.jsonl")"
}

@test "log --pid --tree: a process with its descendants" {
	three_sessions
	local pid
	pid=$(jq -r 'select(.event == "session_start" and .agent == "three") | .pid' "$PLACE"/*.jsonl)
	same ".agent == \"three\" and .pid == $pid" --pid "$pid" --agent three
	same '.agent == "three" and .event == "action"' --pid "$pid" --tree --agent three --kind tool --kind path
}

@test "log --limit and --reverse" {
	three_sessions
	cat "$PLACE"/*.jsonl >"$T/all"
	run "$HOLDFAST" log --all --json --limit 3
	assert_success
	assert_equal "$output" "$(tail -n 3 "$T/all")"
	run "$HOLDFAST" log --all --json --reverse
	assert_equal "$output" "$(tac "$T/all")"
	run "$HOLDFAST" log --all --json --reverse --limit 2 --kind tool
	assert_equal "$output" "$(jq -c 'select(.kind == "tool")' "$T/all" | tail -n 2 | tac)"
	# One small file needs no index.
	rm -rf "$XDG_CACHE_HOME"
	run "$HOLDFAST" log --json --limit 2 "$T/all"
	assert_equal "$output" "$(tail -n 2 "$T/all")"
	assert_file_not_exist "$INDEX"
}

@test "the index follows logs that grow, shrink, are replaced, renamed and removed" {
	three_sessions
	local files=("$PLACE"/*.jsonl)
	same '.kind == "tool"' --kind tool
	cat "${files[0]}" >>"${files[1]}"
	same '.kind == "tool"' --kind tool
	head -n 3 "${files[1]}" >"$T/short"
	cat "$T/short" >"${files[1]}"
	same '.kind == "tool"' --kind tool
	cp "${files[2]}" "$T/new"
	mv "$T/new" "${files[1]}"
	same '.kind == "tool"' --kind tool
	mv "${files[0]}" "${files[0]%.jsonl}x.jsonl"
	same '.kind == "tool"' --kind tool
	rm "${files[2]}"
	same '.kind == "tool"' --kind tool
}

@test "a damaged or foreign index is thrown away with a word, and answers are right" {
	three_sessions
	same '.kind == "tool"' --kind tool
	local size
	size=$(stat -c %s "$INDEX")
	dd if=/dev/urandom of="$INDEX" bs=1 seek=$((size / 2)) count=$((size / 3)) conv=notrunc status=none
	run --separate-stderr "$HOLDFAST" log --all --json --kind tool
	assert_success
	assert_equal "$output" "$(jq -c 'select(.kind == "tool")' "$PLACE"/*.jsonl)"
	[[ $stderr == *"making a new one"* ]]
	echo "not a database" >"$INDEX"
	run --separate-stderr "$HOLDFAST" log --all --json --kind tool
	assert_equal "$output" "$(jq -c 'select(.kind == "tool")' "$PLACE"/*.jsonl)"
	[[ $stderr == *"making a new one"* ]]
	run --separate-stderr "$HOLDFAST" log --all --json --kind tool
	assert_equal "$stderr" ""
	run "$HOLDFAST" log --reindex
	assert_success
	same '.kind == "tool"' --kind tool
	# Without a place for it the logs themselves are read.
	chmod 777 "$XDG_CACHE_HOME/holdfast"
	run --separate-stderr "$HOLDFAST" log --all --json --kind tool
	assert_success
	assert_equal "$output" "$(jq -c 'select(.kind == "tool")' "$PLACE"/*.jsonl)"
	[[ $stderr == *"reading the logs themselves"* ]]
}

@test "several processes at once use one index" {
	three_sessions
	local expected i pids=()
	expected=$(jq -c 'select(.kind == "tool")' "$PLACE"/*.jsonl)
	for i in {1..8}; do
		"$HOLDFAST" log --all --json --kind tool >"$T/out.$i" 2>"$T/err.$i" 3>&- &
		pids+=($!)
	done
	for i in {1..8}; do
		wait "${pids[i - 1]}"
		assert_equal "$(cat "$T/out.$i")" "$expected"
		assert_equal "$(cat "$T/err.$i")" ""
	done
}

@test "damaged, half and overlong lines are told, the rest is answered" {
	three_sessions
	local files=("$PLACE"/*.jsonl) expected
	expected=$(jq -c 'select(.kind == "tool")' "${files[@]}")
	echo "not a record" >>"${files[0]}"
	head -c 5000000 /dev/zero | tr '\0' x >>"${files[1]}"
	echo >>"${files[1]}"
	printf '{"v":1,' >>"${files[2]}"
	for _ in 1 2; do
		run --separate-stderr "$HOLDFAST" log --all --json --kind tool
		assert_equal "$status" 1
		assert_equal "$output" "$expected"
		[[ $stderr == *"${files[0]}:$(wc -l <"${files[0]}"): this line is not JSON"* ]]
		[[ $stderr == *"${files[1]}:$(wc -l <"${files[1]}"): this line is too long"* ]]
		[[ $stderr == *"is cut off before its end"* ]]
	done
	chmod 0 "${files[0]}"
	if ((EUID != 0)); then
		run --separate-stderr "$HOLDFAST" log --all --json --kind tool
		assert_equal "$status" 1
		[[ $stderr == *"cannot read the log '${files[0]}'"* ]]
	fi
}

@test "rotated and compressed files of a log are part of it" {
	three_sessions
	local files=("$PLACE"/*.jsonl) all
	all=$(cat "${files[1]}")
	head -n 4 "${files[1]}" >"$T/old"
	sed -n 5,7p "${files[1]}" >"${files[1]}.2"
	tail -n +8 "${files[1]}" >"$T/now"
	zstd -q "$T/old" -o "${files[1]}.1.zst"
	mv "$T/now" "${files[1]}"
	run "$HOLDFAST" log --json "${files[1]}"
	assert_success
	assert_equal "$output" "$all"
	for _ in 1 2; do
		run "$HOLDFAST" log --json --session "$(basename "${files[1]}" .jsonl)"
		assert_success
		assert_equal "$output" "$all"
	done
	run "$HOLDFAST" log --json --reverse "${files[1]}"
	assert_equal "$output" "$(tac <<<"$all")"
}

@test "csv, ocsf and ecs come from the same question" {
	three_sessions
	run "$HOLDFAST" log --all --format csv --verdict deny
	assert_success
	assert_equal "${#lines[@]}" 2
	assert_output --partial "$T/denied"
	run "$HOLDFAST" log --all --format ocsf --verdict deny
	assert_equal "$(jq -r .class_uid <<<"$output")" 1001
	run "$HOLDFAST" log --all --format ecs --verdict deny
	jq -e '."@timestamp"' <<<"$output"
}

@test "wrong questions are told, with what was expected" {
	local option
	three_sessions
	for option in '--kind x' '--op x' '--verdict x' '--pid x' '--limit 0' '--since x' '--until x' \
		'--address x' '--format x' '--path [' '--text=' '--tree' '--all x' '-f --all' '-f --reverse'; do
		# shellcheck disable=SC2086 # two words
		run "$HOLDFAST" log $option
		assert_equal "$option: $status" "$option: 2"
		[[ -n $output ]]
	done
}
