#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# holdfast diff: what one session did that the other did not.

setup() {
	load helpers/common
	hf_setup
	policy_open open </dev/null
	OPEN=$POLICY
}

teardown() {
	hf_teardown
}

# session NAME DIRECTORY COMMAND...: a session with its log $T/NAME.jsonl.
session() {
	local name=$1 directory=$2

	shift 2
	mkdir -p "$directory"
	(cd "$directory" && timeout 60 "$HOLDFAST" run --log "$T/$name.jsonl" --policy "$OPEN" -- "$@")
}

differ() {
	run "$HOLDFAST" diff "$@"
}

@test "two runs of the same are the same, whatever changes from run to run" {
	# shellcheck disable=SC2016 # the command's own variables
	job='t=$(mktemp); d=$(mktemp -d); date +%s >$t; cp $t result; rm -r $t $d; ls /proc/$$/fd >/dev/null
		: >log.$$; rm log.$$; env true $(date +%Y-%m-%dT%H:%M:%SZ)
		/usr/bin/python3 -c "
import os, socket, tempfile
# Said, so that python does not try the place with a name of eight letters, which may look like a word.
tempfile.tempdir = os.environ.get(\"TMPDIR\", \"/tmp\")
tempfile.TemporaryFile(); tempfile.TemporaryDirectory()
s = socket.socket(); s.bind((\"127.0.0.1\", 0)); s.listen()
socket.socket().connect(s.getsockname())"'
	session a "$T/one" bash -c "$job"
	session b "$T/two" bash -c "$job"
	differ "$T/a.jsonl" "$T/b.jsonl"
	assert_success
	assert_output "both did the same"
	differ --exact "$T/a.jsonl" "$T/b.jsonl"
	assert_failure 1
	assert_output --partial "$T/one/result"
	differ --exact --normalize "$T/a.jsonl" "$T/b.jsonl"
	assert_success
}

@test "programs, files, places and verdicts that differ are told" {
	session a "$PROJECT" bash -c 'env true one; echo >kept; cat kept; rm kept'
	policy strict <<-END
		log_reads: true
		default: {tool: allow, read: allow, write: allow, network: allow}
		rules:
		  - {name: keep, match: {path: ["**/kept"], op: [delete]}, action: deny}
	END
	OPEN=$POLICY
	session b "$PROJECT" bash -c 'env true two; echo >kept; echo >new; cat kept; rm kept; echo >/dev/tcp/127.0.0.1/9' || :
	differ "$T/a.jsonl" "$T/b.jsonl"
	assert_failure 1
	assert_line --regexp '^  exec +/usr/bin/true one  \(allow\)$'
	assert_line --regexp '^  exec +/usr/bin/true two  \(allow\)$'
	assert_line --regexp '^  create +\[cwd\]/new  \(allow\)$'
	assert_line --regexp '^  connect +127.0.0.1:9  \(allow\)$'
	assert_line "both did, with different verdicts: 1"
	assert_line --regexp '^  delete .*/kept: allow -> deny$'
	differ --json "$T/a.jsonl" "$T/b.jsonl"
	assert_failure 1
	assert_equal "$(jq -c '[.same, (.verdicts | length), .verdicts[0].first, .verdicts[0].second]' <<<"$output")" \
		'[false,1,{"allow":1},{"deny":1}]'
	assert_equal "$(jq -c '.only_first[] | select(.text == "/usr/bin/true one") | .op' <<<"$output")" '"exec"'
	assert_equal "$(jq -c '.only_second[] | select(.kind == "network") | .text' <<<"$output")" '"127.0.0.1:9"'
	differ --json "$T/a.jsonl" "$T/a.jsonl"
	assert_success
	assert_equal "$(jq .same <<<"$output")" true
}

@test "of several sessions in one file the last counts" {
	session a "$PROJECT" env true first
	session a "$PROJECT" env true second
	session b "$PROJECT" env true second
	differ "$T/a.jsonl" "$T/b.jsonl"
	assert_success
}

@test "what cannot be read is an error, not a difference" {
	session a "$PROJECT" true
	differ "$T/a.jsonl" "$T/absent.jsonl"
	assert_failure 2
	differ "$T/a.jsonl"
	assert_failure 2
	assert_output --partial "expected two sessions, got 1"
	differ --frob "$T/a.jsonl" "$T/a.jsonl"
	assert_failure 2
	{ cat "$T/a.jsonl"; echo "{ half"; } >"$T/bad.jsonl"
	differ "$T/a.jsonl" "$T/bad.jsonl"
	assert_failure 2
	assert_output --partial "a log with damaged lines cannot be compared"
}

@test "what an agent names is not printed as it is" {
	session a "$PROJECT" true
	session b "$PROJECT" touch $'evil\e[2Jname'
	differ "$T/a.jsonl" "$T/b.jsonl"
	assert_failure 1
	refute_output --partial $'\e'
	assert_output --partial 'evil\x1b[2Jname'
}
