#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Secrets do not get into the log, its memory or anybody's list; decisions see them. They are made up.

setup() {
	load helpers/common
	hf_setup
	GITHUB=ghp_AbCdEfGhIjKlMnOpQrStUvWxYz0123456789
	AWS=AKIAIOSFODNN7EXAMPLE
	WORDS=("$GITHUB" "$AWS" hunter2 hunter3 hunter4)
}

teardown() {
	if [[ -s $T/launcher && ! -e $T/status ]]; then
		kill -KILL "$(cat "$T/launcher")" 2>/dev/null || true
	fi
	hf_teardown
}

# has_no_secret FILE...
has_no_secret() {
	local word

	for word in "${WORDS[@]}"; do
		if grep -aF -e "$word" "$@"; then
			echo "'$word' is there"
			return 1
		fi
	done
}

session_held() {
	"$HOLDFAST" held --json "$(grep -o '"session":"[^"]*"' "$LOG" | tail -n 1 | cut -d'"' -f4)"
}

something_is_held() {
	[[ -s $LOG && -n $(session_held 2>/dev/null | jq -r '.id? // empty') ]]
}

@test "the log holds no secret of a command line, a path or an address; rules see them" {
	policy_open p <<-'END'
		  - {name: sees-it, match: {args_pattern: "hunter3"}, action: deny, reason: Seen.}
	END
	mkdir "$PROJECT/$GITHUB"
	echo x >"$PROJECT/$GITHUB/file"
	cat >"$T/agent.sh" <<-END
		cat $GITHUB/file
		(cd $GITHUB && /bin/true)
		env AWS_ACCESS_KEY_ID=$AWS DB_PASSWORD=hunter2 /bin/true --password hunter2
		/bin/true --token=hunter3
		/bin/true https://me:hunter4@localhost/x
	END
	# In the command line, too.
	run hf --policy "$POLICY" -- bash "$T/agent.sh" "--password=hunter2"
	assert_output --partial "ermission denied"
	wait_for log_has '.event == "session_end"'
	has_no_secret "$LOG"
	assert_logged '.verdict == "deny" and .rule == "sees-it" and .argv[1] == "--token=[redacted:secret]" and .redacted == 1'
	assert_logged '.op == "exec" and .argv == ["/bin/true", "https://me:[redacted:url-password]@localhost/x"]'
	assert_logged '.op == "exec" and (.argv | index("DB_PASSWORD=[redacted:secret]")) and (.argv | index("[redacted:option]"))'
	assert_logged ".op == \"read\" and .object == \"$PROJECT/[redacted:github-token]/file\" and .asked == \"[redacted:github-token]/file\""
	assert_logged ".cwd == \"$PROJECT/[redacted:github-token]\""
	assert_logged '.event == "session_start" and .redacted > 0'
	run "$HOLDFAST" log "$LOG"
	refute_output --partial hunter
	assert_output --partial "[redacted:"
}

@test "while a session runs, neither the log's memory nor what is held has a secret" {
	policy_open p <<-END
		  - {name: ask-first, match: {args_pattern: "hunter2"}, action: ask}
	END
	(
		timeout -k 5 60 "$HOLDFAST" run --log "$LOG" --policy "$POLICY" -- \
			/bin/true --password hunter2 "$GITHUB" "$AWS" >"$T/out" 2>&1 &
		echo $! >"$T/launcher"
		ended=0
		wait $! || ended=$?
		echo "$ended" >"$T/status"
	) 3>&- &
	started $!
	wait_for something_is_held
	session_held >"$T/held"
	"$HOLDFAST" held >"$T/held.text"
	has_no_secret "$T/held" "$T/held.text" "$LOG" "$LOG.ring" "$T/out"
	assert_equal "$(jq -c '.argv // .action.argv | .[1:]' "$T/held")" \
		'["--password","[redacted:option]","[redacted:github-token]","[redacted:aws-key]"]'
	"$HOLDFAST" deny "$(jq -r .id "$T/held")" --reason "not with $GITHUB"
	wait_for test -e "$T/status"
	has_no_secret "$LOG"
	assert_logged '.event == "action" and .reason == "not with [redacted:github-token]" and .held != null'
}

@test "a policy's own patterns, where it wants them, and without the built-in ones" {
	policy own <<-'END'
		log_reads: true
		default: allow
		log:
		  builtin_redactions: false
		  redact:
		  - 'geheim-\w+'
		  - {pattern: '\d{3}', name: pin, in: argv}
	END
	echo x >"$PROJECT/geheim-1"
	run hf --policy "$POLICY" -- sh -c "cat geheim-1 && /bin/true 123 $GITHUB"
	assert_success
	assert_logged ".object == \"$PROJECT/[redacted:policy]\" and .redacted >= 2"
	assert_logged ".op == \"exec\" and .argv == [\"/bin/true\", \"[redacted:pin]\", \"${GITHUB/012345678/[redacted:pin]}\"]"
}

@test "the environment is never recorded" {
	policy_open p </dev/null
	HF_MARK=quite-unmistakable run hf --policy "$POLICY" -- bash -c 'export HF_OTHER=just-as-clear; env >/dev/null; true'
	assert_success
	wait_for log_has '.event == "session_end"'
	refute grep -aE 'HF_MARK|quite-unmistakable' "$LOG"
	# Of the one that the command line itself sets, only the command line.
	refute log_has '.event == "action" and .argv[0] != "bash" and (tostring | test("HF_OTHER|just-as-clear"))'
}

@test "a log that fails: on_failure: stop ends the session with 124 and says why" {
	skip_unless_root "to mount a small file system of the test's own"
	export T
	policy stopping <<-'END'
		default: allow
		log: {reads: true, on_failure: stop}
	END
	export POLICY
	cat >"$T/fill.sh" <<-'END'
		mkdir "$T/small"
		mount -t tmpfs -o size=24m none "$T/small"
		"$HOLDFAST" run --policy "$POLICY" --log "$T/small/log.jsonl" -- sh -c '
			head -c 30000000 /dev/zero >"$1/small/filler" 2>/dev/null
			i=0
			while [ $i -lt 100000 ]; do
				i=$((i + 1))
				true 2>/dev/null <"/etc/hostname"
			done
			echo survived' - "$T"
		echo "status $?"
	END
	run timeout 60 unshare -m bash "$T/fill.sh"
	assert_line "status 124"
	assert_output --partial "the session was ended: the log cannot be written: No space left on device"
	refute_output --partial survived
}

@test "log: what is wrong with it is said where it stands" {
	bad() {
		{
			printf 'version: 1\nname: t\ndefault: allow\n'
			cat
		} >"$T/t.yaml"
		run "$HOLDFAST" policy check "$T/t.yaml"
		assert_failure
		assert_output --partial "t.yaml:$1: "
		assert_output --partial "$2"
	}
	bad 4:19 "is not a regular expression" <<<'log: {redact: [a, "("]}'
	bad 4:15 "matches the empty text" <<<"log: {redact: 'a*'}"
	bad 4:13 "'sync' must be none, second or always, found a string often" <<<'log: {sync: often}'
	bad 4:19 "'on_failure' must be deny or stop" <<<'log: {on_failure: ask}'
	bad 4:7 "did you mean 'redact'" <<<'log: {redcat: a}'
	bad 4:32 "'in' must be argv, object, asked, cwd or address" <<<'log: {redact: {pattern: a, in: env}}'
	bad 4:6 "'log' is empty" <<<'log: {}'
}
