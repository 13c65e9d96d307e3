# SPDX-License-Identifier: Apache-2.0
# Sessions that hold actions, in the background; for what comes after helpers/common.
# shellcheck disable=SC2034 # the tests use what is set here

# For teardown(): a session ends with its launcher.
end_held() {
	if [[ -s $T/launcher && ! -e $T/status ]]; then
		kill -KILL "$(cat "$T/launcher")" 2>/dev/null || true
	fi
}

# held_json: what this test's session holds. Never others': root sees the sessions of the whole machine.
held_json() {
	local session

	session=$(grep -o '"session":"[^"]*"' "$LOG" 2>/dev/null | tail -n 1 | cut -d'"' -f4)
	[[ -z $session ]] || "$HOLDFAST" held --json "$session" 2>/dev/null || true
}

held_ids() {
	held_json | jq -r '.id? // empty'
}

held_count() {
	held_ids | wc -l
}

holds() {
	[[ $(held_count) == "$1" ]]
}

# wait_held N: until exactly N actions are held.
wait_held() {
	wait_for holds "$1"
}

# run_held ARGS...: in the background, with its output in $T/out, status in $T/status.
run_held() {
	{
		local rc=0
		# A job in the background of a script has SIGINT ignored.
		"$HF_HELPERS/with" -d 2 -d 3 "$HOLDFAST" run --policy "$POLICY" --log "$LOG" "$@" >"$T/out" 2>"$T/err" </dev/null &
		echo $! >"$T/launcher"
		wait $! || rc=$?
		echo "$rc" >"$T/status.tmp"
		mv "$T/status.tmp" "$T/status"
	} 3>&- 4>&- &
	started $!
}

finished() {
	wait_for test -e "$T/status"
	assert_equal "$(cat "$T/status")" "$1"
}
