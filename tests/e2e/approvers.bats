#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Approvers: people whom a rule names, other than the session's user and root, see what they may
# answer, and answer that. Whoever else tries is refused, and recorded by name.

setup() {
	load helpers/common
	load helpers/held
	hf_setup
	skip_unless_root "to be several users"
	skip_without setpriv
	mkdir "$T/ask"
	echo asked-for >"$T/ask/file"
	echo mine >"$T/ask/own"
	# Others run it from here.
	mkdir -m 0755 "$T/bin"
	cp "$HOLDFAST" "$T/bin/holdfast"
	policy_open asking <<-END
		  - {name: theirs, match: {path: ["$T/ask/file"]}, action: ask, ask: {approvers: [daemon, bin, "@games"], count: 2}}
		  - {name: own, match: {path: ["$T/ask/own"]}, action: ask}
	END
	# The directories above are the test's own, and closed to others.
	exec 9<"$T/bin/holdfast"
}

teardown() {
	end_held
	hf_teardown
}

# as USER [GROUP]...: holdfast ARGS by another user, with these supplementary groups: as USER,GROUP ARGS
as() {
	local user=${1%%,*} groups=--clear-groups

	[[ $1 != *,* ]] || groups=--groups=${1#*,}
	shift
	setpriv --reuid="$user" --regid=nogroup "$groups" --inh-caps=-all \
		env -i PATH="$PATH" HOME=/nonexistent XDG_RUNTIME_DIR=/nonexistent /proc/self/fd/9 "$@"
}

session() {
	jq -r 'select(.event == "session_start") | .session' "$LOG"
}

ours() {
	as "$1" held --json "$(session)"
}

@test "two of three: each sees it, each counts once, both are in the log by name" {
	local id

	run_held --ask queue -- cat "$T/ask/file"
	wait_held 1
	id=$(held_ids)
	run ours daemon
	assert_success
	assert_equal "$(jq -r '.id + " " + .rule + " " + .agent' <<<"$output")" "$id theirs cat"
	run as daemon approve "$id"
	assert_success
	assert_output "approved $id: waits for 1 more to approve"
	run as daemon approve "$id"
	assert_equal "$status" 3
	assert_output --partial "you have approved it already"
	holds 1
	assert_equal "$(ours bin | jq -c .approved_by)" '["daemon"]'
	run as lp,games approve "$id"
	assert_success
	finished 0
	assert_equal "$(cat "$T/out")" asked-for
	assert_logged '.event == "notice" and (.note | test("^daemon \\(pid [0-9]+.*\\) approved held action .*; 1 more must"))'
	assert_logged '.verdict == "allow" and .rule == "theirs" and (.approver | startswith("lp (pid "))'
}

@test "one deny is enough, with a reason" {
	run_held --ask queue -- cat "$T/ask/file"
	wait_held 1
	run as bin deny --reason "Not today." "$(held_ids)"
	assert_success
	finished 1
	assert_logged '.verdict == "deny" and .reason == "Not today." and (.approver | startswith("bin (pid "))'
}

@test "whoever is none of them sees nothing, is refused, and recorded by name; root and the user, too" {
	local id

	run_held --ask queue -- cat "$T/ask/file"
	wait_held 1
	id=$(held_ids)
	assert_equal "$(ours sys)" ""
	run as sys approve "$id"
	assert_equal "$status" 3
	assert_output --partial "the rule lets only daemon, bin, @games answer"
	assert_logged '.event == "notice" and (.note | test("^sys \\(pid [0-9]+, uid 3\\) tried to answer held action .*, which only daemon, bin, @games may, and was refused"))'
	run "$HOLDFAST" approve "$id"
	assert_equal "$status" 3
	holds 1
	"$HOLDFAST" held "$id" >/dev/null
}

@test "an approver is told only of what it is asked about, and may do no more than answer" {
	run_held --ask queue -- sh -c 'cat "$0/own" & cat "$0/file"' "$T/ask"
	wait_held 2
	assert_equal "$(ours daemon | jq -r .rule)" theirs
	cat >"$T/bin/ask.py" <<-'END'
		import json, socket, sys
		for request in ({"op": "status"}, {"op": "grants", "after": 0}, {"op": "revoke", "id": "aaaaaaaa"},
		                {"op": "why", "id": ""}, {"op": "spend", "amount": 1}, {"op": "attempt", "reason": "x"}):
		    s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
		    s.connect(sys.argv[1])
		    s.recv(65536)
		    s.send(json.dumps({"v": 1, **request}).encode())
		    reply = json.loads(s.recv(65536))
		    print(request["op"], reply["ok"], *sorted(reply))
	END
	run setpriv --reuid=daemon --regid=nogroup --clear-groups python3 - "/run/holdfast-approvers/$(session).sock" <"$T/bin/ask.py"
	assert_output "$(printf '%s\n' 'status True agent ok pid session user v' 'grants False error message ok v' \
		'revoke False error message ok v' 'why False error message ok v' 'spend False error message ok v' \
		'attempt False error message ok v')"
	assert_logged '.event == "notice" and (.note | test("An approver .* asked for what only the session.s user may do"))'
	run as daemon approve "$(held_json | jq -r 'select(.rule == "own").id')"
	assert_equal "$status" 3
	assert_output --partial "lets only root answer"
	holds 2
	# Notes are one a second; what was not told by then is told as a count.
	assert_logged '.event == "notice" and (.note | test("attempts? to use .* refused since the last note"))'
}

@test "an agent that becomes an approver is an agent still" {
	run_held --ask queue -- sh -c '
		cat "$1" 2>/dev/null &
		until [ -s "$2/id" ]; do sleep 0.02; done
		setpriv --reuid=daemon --regid=nogroup --clear-groups env -i PATH="$PATH" HOME=/nonexistent XDG_RUNTIME_DIR=/nonexistent "$3" approve "$(cat "$2/id")" >"$2/inner" 2>&1
		echo $? >"$2/inner.status"
		mv "/run/holdfast-approvers" "$2/moved" 2>>"$2/inner" && echo through >>"$2/inner"
		rm "/run/holdfast-approvers/$(cat "$2/session").sock" 2>>"$2/inner" && echo through >>"$2/inner"
		: >"$2/tried"
		wait' - "$T/ask/file" "$T" /proc/self/fd/9 9<&9
	wait_held 1
	session >"$T/session"
	held_ids >"$T/id.tmp"
	mv "$T/id.tmp" "$T/id"
	wait_for test -e "$T/tried"
	refute [ "$(cat "$T/inner.status")" = 0 ]
	refute grep -q through "$T/inner"
	holds 1
	assert_logged '.verdict == "deny" and .rule == "own-files" and (.object | contains("holdfast-approvers"))'
	run as daemon deny "$(held_ids)"
	assert_success
	finished 0
}

# A user who is nobody else's: of a session and of its directory.
USER_ID=64907

as_user() {
	setpriv --reuid=$USER_ID --regid=nogroup --clear-groups --inh-caps=-all env -i PATH="$PATH" \
		HOME="$T/u" XDG_RUNTIME_DIR="$T/u/run" LANG=C.UTF-8 "$@"
}

user_session() {
	mkdir -p "$T/u/run"
	chmod 755 "$T"
	chown -R $USER_ID "$T/u"
	chmod 644 "$POLICY"
	cp -L --remove-destination /proc/self/fd/9 "$T/u/holdfast" # that of an earlier session may still run
	as_user timeout 60 "$T/u/holdfast" run --policy "$POLICY" --log "$T/u/log" --ask queue -- cat "$T/ask/file" >"$T/out" 2>"$T/err" 9<&- 3>&- 4>&- &
	started $!
	LOG=$T/u/log
	assert_logged '.event == "held"'
}

@test "of a user's session, too; and a directory that somebody else made is not used" {
	let_others_in
	rm -rf "/tmp/holdfast-approvers-$USER_ID"
	user_session
	assert_equal "$(stat -c '%u %a' "/tmp/holdfast-approvers-$USER_ID")" "$USER_ID 755"
	assert_equal "$(ours bin | jq -r .rule)" theirs
	as bin approve "$(ours bin | jq -r .id)"
	as daemon approve "$(ours daemon | jq -r .id)"
	wait_for grep -q asked-for "$T/out"
	session_ended
	rm -rf "/tmp/holdfast-approvers-$USER_ID"
	mkdir -m 0777 "/tmp/holdfast-approvers-$USER_ID"
	rm "$LOG"
	user_session
	grep -q "Only the session's user and root can answer, though a policy names approvers" "$T/err"
	assert_equal "$(ours bin)" ""
	rmdir "/tmp/holdfast-approvers-$USER_ID"
}
