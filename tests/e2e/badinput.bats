#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Mistakes and broken surroundings: one clear line, the documented status, nothing run unsupervised.

setup() {
	load helpers/common
	hf_setup
}

teardown() {
	hf_teardown
}

# fails STATUS WORD... -- ARGS: `holdfast run ARGS` with a command that would leave a trace: the
# status, one line on stderr that has every WORD, and no trace.
fails() {
	local wanted=$1 words=()

	shift
	while [[ $1 != -- ]]; do
		words+=("$1")
		shift
	done
	shift
	rm -f "$T/ran"
	local rc=0
	timeout 60 "$HOLDFAST" run "$@" touch "$T/ran" >"$T/out" 2>"$T/err" || rc=$?
	echo "stderr: $(cat "$T/err")"
	assert_equal "$rc" "$wanted"
	assert_file_not_exist "$T/ran"
	assert_file_empty "$T/out"
	assert_equal "$(wc -l <"$T/err")" 1
	local word
	for word in "${words[@]}"; do
		grep -qF -- "$word" "$T/err" || {
			echo "the line does not name '$word'"
			return 1
		}
	done
}

@test "an option that there is not" {
	fails 125 --nonsense -- --nonsense
	fails 125 -z -- -z
}

@test "an option without its value" {
	run timeout 20 "$HOLDFAST" run --policy
	assert_equal "$status" 125
	assert_output --partial policy
}

@test "no command" {
	run timeout 20 "$HOLDFAST" run
	assert_equal "$status" 125
	assert_equal "${#lines[@]}" 1
	run timeout 20 "$HOLDFAST" run --policy audit-only --
	assert_equal "$status" 125
	assert_output --partial command
}

@test "an empty command" {
	run timeout 20 "$HOLDFAST" run --policy audit-only -- ''
	assert_equal "$status" 125
	assert_output --partial empty
}

@test "a policy name that there is not: the shipped ones are listed" {
	fails 125 codding-agent coding-agent read-only no-network audit-only -- --policy codding-agent --
}

@test "a policy file that there is not" {
	fails 125 "$T/none.yaml" "No such file" -- --policy "$T/none.yaml" --
}

@test "a policy file that cannot be read" {
	mkdir "$T/dir.yaml"
	fails 125 "$T/dir.yaml" -- --policy "$T/dir.yaml" --
	if ((EUID != 0)); then
		echo "version: 1" >"$T/closed.yaml"
		chmod 0 "$T/closed.yaml"
		fails 125 "$T/closed.yaml" "ermission denied" -- --policy "$T/closed.yaml" --
	fi
}

@test "a policy that is not YAML: file, line and column" {
	printf 'version: 1\nname: x\nrules: [\n' >"$T/bad.yaml"
	fails 125 "$T/bad.yaml:" -- --policy "$T/bad.yaml" --
	grep -Eq 'bad\.yaml:[0-9]+(:[0-9]+)?:' "$T/err"
}

@test "a policy with a mistake in a rule: where, and what was expected" {
	printf 'version: 1\nname: x\ndefault: {tool: allow, read: allow, write: allow, network: allow}\nrules:\n  - {name: a, match: {tool: git}, action: denny}\n' >"$T/bad.yaml"
	fails 125 "$T/bad.yaml:5:" denny deny -- --policy "$T/bad.yaml" --
	printf 'version: 1\nname: x\nrulez: []\n' >"$T/bad.yaml"
	fails 125 "$T/bad.yaml:3:" rulez -- --policy "$T/bad.yaml" --
	printf 'version: 1\nname: x\nrules:\n  - {name: a, match: {tool: git, args_pattern: "(("}, action: deny}\n' >"$T/bad.yaml"
	fails 125 "$T/bad.yaml:4:" -- --policy "$T/bad.yaml" --
	printf 'version: 1\nname: x\nrules:\n  - {name: a, match: {pathh: [/x]}, action: deny}\n' >"$T/bad.yaml"
	fails 125 "$T/bad.yaml:4:" pathh -- --policy "$T/bad.yaml" --
	printf 'version: 7\nname: x\n' >"$T/bad.yaml"
	fails 125 "$T/bad.yaml:1:" -- --policy "$T/bad.yaml" --
}

@test "an empty policy would allow everything by mistake: refused" {
	: >"$T/bad.yaml"
	fails 125 "$T/bad.yaml" -- --policy "$T/bad.yaml" --
	echo '# nothing but a comment' >"$T/bad.yaml"
	fails 125 "$T/bad.yaml" -- --policy "$T/bad.yaml" --
	head -c 4096 /dev/urandom >"$T/bad.yaml"
	fails 125 "$T/bad.yaml" -- --policy "$T/bad.yaml" --
}

@test "an AgentPolicy file whose lists are gone is warned of, one that says so is not" {
	local text

	for text in 'tools:' 'network: {block: []}' 'tools: {alow: [git]}' 'approval: {require_for: []}'; do
		echo "$text" >"$T/p.yaml"
		run "$HOLDFAST" policy check "$T/p.yaml"
		assert_line --partial 'every action is allowed'
		run "$HOLDFAST" run -p "$T/p.yaml" -- true
		assert_line --partial 'every action is allowed'
	done
	for text in 'budget: {max_spend: 0}' 'tools: {allow: []}' 'network: {block: [x.org]}'; do
		echo "$text" >"$T/p.yaml"
		run "$HOLDFAST" policy check "$T/p.yaml"
		refute_line --partial 'every action is allowed'
	done
}

@test "bad values of --mode, --ask, --ask-timeout, --project" {
	fails 125 --mode strictly -- --mode strictly --
	fails 125 --ask maybe -- --ask maybe --
	fails 125 --ask-timeout soon -- --ask-timeout soon --
	fails 125 --ask-timeout -1 -- --ask-timeout=-1 --
	fails 125 --ask-timeout 99999999999999999999 -- --ask-timeout 99999999999999999999 --
	fails 125 --project "$T/none" -- --project "$T/none" --
	: >"$T/file"
	fails 125 --project "$T/file" -- --project "$T/file" --
}

@test "a log that is a symlink is refused, and its target untouched" {
	echo precious >"$T/target"
	ln -s "$T/target" "$T/link.jsonl"
	fails 125 "$T/link.jsonl" -- --policy audit-only --log "$T/link.jsonl" --
	assert_equal "$(cat "$T/target")" precious
	ln -s "$T/nothing" "$T/dangling.jsonl"
	fails 125 "$T/dangling.jsonl" -- --policy audit-only --log "$T/dangling.jsonl" --
	assert_file_not_exist "$T/nothing"
}

@test "a log that is a fifo, a device or has other names is refused" {
	mkfifo "$T/fifo.jsonl"
	fails 125 "$T/fifo.jsonl" -- --policy audit-only --log "$T/fifo.jsonl" --
	fails 125 /dev/null -- --policy audit-only --log /dev/null --
	echo '{}' >"$T/one.jsonl"
	ln "$T/one.jsonl" "$T/two.jsonl"
	fails 125 "$T/two.jsonl" -- --policy audit-only --log "$T/two.jsonl" --
}

@test "a log of somebody else's is refused" {
	skip_unless_root "to make a file of somebody else's"
	echo '{}' >"$T/theirs.jsonl"
	chown 65534:65534 "$T/theirs.jsonl"
	fails 125 "$T/theirs.jsonl" -- --policy audit-only --log "$T/theirs.jsonl" --
}

@test "a log directory that cannot be written" {
	((EUID != 0)) || skip "root writes everywhere"
	mkdir "$T/closed"
	chmod 0500 "$T/closed"
	fails 125 "$T/closed" "ermission denied" -- --policy audit-only --log "$T/closed/log.jsonl" --
	fails 125 "$T/closed" -- --policy audit-only --log "$T/closed" --
	XDG_STATE_HOME=$T/closed fails 125 "$T/closed" -- --policy audit-only --
}

@test "a log path through a file" {
	: >"$T/file"
	fails 125 "$T/file" -- --policy audit-only --log "$T/file/log.jsonl" --
}

@test "a log on a full file system: not started, or every action denied; nothing runs unrecorded" {
	skip_unless_root "to mount a small file system of the test's own"
	export T
	cat >"$T/full.sh" <<-'END'
		mkdir "$T/small"
		mount -t tmpfs -o size=64k none "$T/small"
		head -c 65536 /dev/zero >"$T/small/filler" 2>/dev/null
		"$HOLDFAST" run --policy audit-only --log "$T/small/log.jsonl" -- touch "$T/ran"
		echo "status $?"
	END
	run timeout 60 unshare -m bash "$T/full.sh"
	assert_line "status 125"
	assert_output --partial "$T/small/log.jsonl"
	assert_file_not_exist "$T/ran"
}

@test "a log that fills up: what cannot be recorded is denied" {
	skip_unless_root "to mount a small file system of the test's own"
	export T
	policy_open open </dev/null
	export POLICY
	cat >"$T/fill.sh" <<-'END'
		mkdir "$T/small"
		mount -t tmpfs -o size=24m none "$T/small"
		"$HOLDFAST" run --policy "$POLICY" --log "$T/small/log.jsonl" -- sh -c '
			head -c 30000000 /dev/zero >"$1/small/filler" 2>/dev/null
			i=0
			while [ $i -lt 3000 ]; do
				i=$((i + 1))
				# Not ":": a special builtin whose redirection fails ends the shell.
				true 2>/dev/null <"/etc/hostname" || { echo "denied"; break; }
			done' - "$T"
		echo "status $?"
	END
	run timeout 60 unshare -m bash "$T/fill.sh"
	assert_output --partial denied
}

@test "a session inside a session: another supervisor is active" {
	policy_open open </dev/null
	run hf --policy "$POLICY" -- "$HOLDFAST" run --policy audit-only --log "$T/inner.jsonl" -- touch "$T/ran"
	assert_equal "$status" 125
	assert_output --partial "another supervisor is active"
	assert_file_not_exist "$T/ran"
}

@test "no /proc: not started" {
	skip_unless_root "to unmount /proc in a mount namespace of the test's own"
	export T LOG
	cat >"$T/noproc.sh" <<-'END'
		mount --make-rprivate /
		umount -l /proc || exit 99
		"$HOLDFAST" run --policy audit-only --log "$LOG" -- /usr/bin/touch "$T/ran"
		echo "status $?"
	END
	run timeout 60 unshare -m bash "$T/noproc.sh"
	assert_line "status 125"
	assert_output --partial /proc
	assert_file_not_exist "$T/ran"
}

@test "a runtime directory that cannot be made" {
	: >"$T/file"
	XDG_RUNTIME_DIR=$T/file fails 125 "$T/file" -- --policy audit-only --log "$LOG" --
}

@test "a runtime directory whose path is too long for a socket" {
	local long
	long=$T/$(printf 'x%.0s' {1..120})
	mkdir -m 0700 "$long"
	local rc=0
	XDG_RUNTIME_DIR=$long timeout 60 "$HOLDFAST" run --policy audit-only --log "$LOG" -- touch "$T/ran" 2>"$T/err" || rc=$?
	# It works all the same, or says so and runs nothing.
	if ((rc != 0)); then
		assert_equal "$rc" 125
		assert_equal "$(wc -l <"$T/err")" 1
		assert_file_not_exist "$T/ran"
	fi
}

@test "no HOME and no XDG directories" {
	run env -u HOME -u XDG_STATE_HOME -u XDG_RUNTIME_DIR -u XDG_CONFIG_HOME "$HOLDFAST" run --policy audit-only --log "$LOG" -- echo ran
	if ((status != 0)); then
		assert_equal "$status" 125
		refute_output ran
	fi
}

@test "held ids that are not held" {
	local id
	for id in nosuchid '' '../../etc/passwd' "$(printf 'x%.0s' {1..5000})" $'a\nb'; do
		run "$HOLDFAST" approve "$id"
		assert_equal "$status" 1
		assert_equal "${#lines[@]}" 1
		run "$HOLDFAST" deny "$id"
		assert_equal "$status" 1
		assert_equal "${#lines[@]}" 1
	done
}

@test "bad arguments of the other commands" {
	local args
	for args in "held nonsense" "approve" "deny" "log --nonsense" "report --nonsense" "log $T/none.jsonl" "approve a --nonsense" "policy nonsense"; do
		# shellcheck disable=SC2086
		run "$HOLDFAST" $args
		assert_failure
		assert_not_equal "$args: ${#lines[@]}" "$args: 0"
	done
}

@test "a log that is not ours is said to be so, line by line" {
	printf 'not json\n{"v":1}\n' >"$T/odd.jsonl"
	run "$HOLDFAST" log "$T/odd.jsonl"
	refute_output --partial "Segmentation"
	((status < 128))
	head -c 100000 /dev/urandom >"$T/odd.jsonl"
	run "$HOLDFAST" log "$T/odd.jsonl"
	((status < 128))
	run "$HOLDFAST" report "$T/odd.jsonl"
	((status < 128))
	: >"$T/odd.jsonl"
	run "$HOLDFAST" report "$T/odd.jsonl"
	((status < 128))
}

# A log of a session, and what its reading commands are.
a_log() {
	policy_open open </dev/null
	hf --policy "$POLICY" -- true
	session_ended
}

@test "a compressed log that is cut off is said to be, by every command that reads it" {
	local command
	skip_without zstd
	a_log
	zstd -q "$LOG" -o "$T/whole.zst"
	head -c 200 "$T/whole.zst" >"$T/cut.zst"
	for command in log "log --verdict allow" report tree "why --last" "replay -p $POLICY" verify metrics "learn --from"; do
		# shellcheck disable=SC2086 # words
		run "$HOLDFAST" $command "$T/cut.zst"
		assert_failure 1
		assert_output --partial "what is compressed in it is damaged or cut off"
	done
}

@test "a line that is cut off is told by every command that shows lines" {
	local command
	a_log
	head -c -30 "$LOG" >"$T/half.jsonl"
	for command in log report tree "why 2" "replay -p $POLICY" "learn --from"; do
		# shellcheck disable=SC2086 # words
		run "$HOLDFAST" $command "$T/half.jsonl"
		assert_failure 1
		assert_output --partial "half.jsonl:$(wc -l <"$LOG"): this line is cut off before its end"
	done
}

@test "a file of another kind is told in a few lines, not in one for each of its own" {
	local command
	seq 1000 >"$T/foreign"
	for command in log report tree "replay -p $T/p.yaml" "learn --from"; do
		echo "{version: 1, name: p, default: allow}" >"$T/p.yaml"
		# shellcheck disable=SC2086 # words
		run bash -c '"$@" 2>&1 >/dev/null' - "$HOLDFAST" $command "$T/foreign"
		assert_failure 1
		assert_output --partial "more lines are damaged, and are not told one by one"
		((${#lines[@]} < 25))
	done
}

@test "a report about several sessions says which" {
	a_log
	LOG=$T/second.jsonl a_log
	mkdir "$T/logs"
	cat "$T/log.jsonl" "$T/second.jsonl" >"$T/logs/both.jsonl"
	run "$HOLDFAST" report --all "$T/logs/both.jsonl"
	assert_success
	assert_line --regexp '^sessions  2$'
	assert_line --regexp '^  [0-9T]+-[a-z0-9]+  true  [0-9]+ actions, 0 denied; exit 0$'
	refute_line --regexp '^exit +unknown'
}
