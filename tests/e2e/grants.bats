#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Answers that hold beyond one action: what they cover, how long, and who may give them.

setup() {
	load helpers/common
	load helpers/held
	hf_setup
	mkdir -p "$T/ask/below" "$T/other"
	echo one >"$T/ask/one"
	echo two >"$T/ask/two"
	echo three >"$T/ask/below/three"
	echo far >"$T/other/far"
	AGENT=the-agent
	policy_open asking <<-END
		  - {name: never-below, match: {path: ["$T/ask/never"]}, action: deny}
		  - {name: ask-first, match: {path: ["$T/ask/**", "$T/other/**"]}, action: ask, reason: Somebody should look.}
	END
}

teardown() {
	end_held
	hf_teardown
}

kept_ids() {
	"$HOLDFAST" grants --json 2>/dev/null | jq -r "select(.agent == \"$AGENT\") | .id"
}

# one_is_held TEXT: a single question, about TEXT.
one_is_held() {
	[[ $(held_json | jq -r .object) == *"$1" ]]
}

run_agent() {
	run_held --ask queue --name "$AGENT" "$@"
}

@test "an answer holds once, unless a word says more" {
	run_agent -- sh -c 'cat "$1/one"; cat "$1/one"' - "$T/ask"
	wait_held 1
	first=$(held_ids)
	run "$HOLDFAST" approve "$first"
	assert_success
	wait_held 1
	refute [ "$(held_ids)" = "$first" ]
	"$HOLDFAST" deny "$(held_ids)"
	finished 1
	run kept_ids
	assert_output ""
}

@test "exact: the same action again, and no other" {
	run_agent -- sh -c 'cat "$1/one"; cat "$1/one"; cat "$1/two"' - "$T/ask"
	wait_held 1
	run "$HOLDFAST" approve "$(held_ids)" --for session
	assert_success
	assert_output --partial "this exact action"
	wait_for one_is_held two
	assert_equal "$(cat "$T/out")" $'one\none'
	assert_logged '.verdict == "allow" and (.approver // "" | startswith("grant:"))'
	"$HOLDFAST" deny "$(held_ids)"
	finished 1
}

@test "dir: the directory and below, not beside it, and not what is denied" {
	echo no >"$T/ask/never"
	run_agent -- sh -c 'cat "$1/ask/one"; cat "$1/ask/below/three"; cat "$1/ask/never"; cat "$1/other/far"' - "$T"
	wait_held 1
	run "$HOLDFAST" held "$(held_ids)"
	assert_output --partial "--scope dir: read in $T/ask and everything below"
	run "$HOLDFAST" approve "$(held_ids)" --for session --scope dir --json
	assert_success
	assert_equal "$(jq -r .covers <<<"$output")" "read in $T/ask and everything below"
	wait_for one_is_held far
	assert_equal "$(cat "$T/out")" $'one\nthree'
	assert_file_contains "$T/err" "never: Permission denied"
	"$HOLDFAST" deny "$(held_ids)"
	finished 1
}

@test "tool: any arguments; a grant is listed with its uses, and revoked at once" {
	policy_open asking <<-'END'
		  - {name: ask-date, match: {tool: date}, action: ask}
	END
	run_agent -- sh -c '/usr/bin/date +one; /usr/bin/date +two; touch "$1/go"; while ! [ -e "$1/on" ]; do :; done; /usr/bin/date +three' - "$T"
	wait_held 1
	"$HOLDFAST" approve "$(held_ids)" --for session --scope tool
	wait_for test -e "$T/go"
	assert_equal "$(cat "$T/out")" $'one\ntwo'
	run "$HOLDFAST" grants --json
	assert_equal "$(jq -r "select(.agent == \"$AGENT\") | .verdict + \" \" + .scope + \" \" + (.used | tostring)" <<<"$output")" "allow tool 1"
	run "$HOLDFAST" revoke "$(kept_ids)"
	assert_success
	touch "$T/on"
	wait_held 1
	"$HOLDFAST" deny "$(held_ids)"
	finished 126
	assert_logged '.event == "notice" and (.note | contains("revoked grant"))'
}

@test "a deny can hold too, with its reason" {
	run_agent -- sh -c 'cat "$1/one"; cat "$1/two"' - "$T/ask"
	wait_held 1
	"$HOLDFAST" deny "$(held_ids)" --for session --scope dir --reason "Not in there."
	finished 1
	assert_logged '.verdict == "deny" and (.object | endswith("two")) and .reason == "Not in there." and (.approver | startswith("grant:"))'
}

@test "equal actions are one question, and one answer is for all" {
	run_agent -- sh -c 'for i in 1 2 3 4 5; do cat "$1/one" & done; wait' - "$T/ask"
	wait_for eval '[[ $(held_json | jq -r .waiting) == 5 ]]'
	wait_held 1
	run "$HOLDFAST" approve "$(held_ids)"
	assert_output --partial "(5 calls)"
	finished 0
	assert_equal "$(grep -c one "$T/out")" 5
	session_ended
	run "$HOLDFAST" report --json "$LOG"
	assert_equal "$(jq -c '.holds | [.total, .questions, .questions_per_hour]' <<<"$output")" '[5,1,1]'
	run "$HOLDFAST" report "$LOG"
	assert_output --partial "1 question, 1.0 an hour"
}

@test "a grant answers whatever waits and is covered; --rest what the rule asks" {
	run_agent -- sh -c 'cat "$1/ask/one" & cat "$1/ask/two" & cat "$1/other/far" & wait' - "$T"
	wait_held 3
	id=$(held_json | jq -r 'select(.object | endswith("/one")) | .id')
	run "$HOLDFAST" approve "$id" --for session --scope dir
	assert_output --partial "(2 calls)"
	wait_held 1
	"$HOLDFAST" deny "$(held_ids)"
	finished 0
	rm "$T/status"
	run_agent -- sh -c 'cat "$1/ask/one" & cat "$1/ask/two" & cat "$1/other/far" & wait' - "$T"
	wait_held 3
	run "$HOLDFAST" approve "$(held_ids | head -n 1)" --rest
	assert_output --partial "(3 calls)"
	finished 0
}

@test "a duration and always hold in other sessions of the agent, and of no other" {
	run_agent -- cat "$T/ask/one"
	wait_held 1
	"$HOLDFAST" approve "$(held_ids)" --for 10m --scope dir
	finished 0
	run hf --policy "$POLICY" --ask deny --name "$AGENT" -- cat "$T/ask/two"
	assert_success
	run hf --policy "$POLICY" --ask deny --name "$AGENT-other" -- cat "$T/ask/two"
	assert_failure
	run "$HOLDFAST" grants
	assert_output --partial "read in $T/ask and everything below"
}

@test "a running session sees a plan that is approved, and its end" {
	run_agent -- sh -c 'cat "$1/one"; cat "$1/two"; touch "$2/go"; while ! [ -e "$2/on" ]; do :; done; cat "$1/one"' - "$T/ask" "$T"
	wait_held 1
	run "$HOLDFAST" grant --agent "$AGENT" --for 1m --read "$T/ask"
	assert_success
	wait_for test -e "$T/go"
	assert_equal "$(cat "$T/out")" $'one\ntwo'
	"$HOLDFAST" revoke "$(kept_ids)"
	touch "$T/on"
	wait_held 1
	"$HOLDFAST" deny "$(held_ids)"
	finished 1
	assert_logged '.event == "notice" and (.note | contains("holds from now on"))'
}

@test "a plan of tools and addresses is for what it names" {
	policy_open asking <<-'END'
		  - {name: ask-tools, match: {tool: [date, id]}, action: ask}
		  - {name: ask-net, match: {port: [9, 10], op: [connect]}, action: ask}
	END
	run "$HOLDFAST" grant --agent "$AGENT" --for restart --exec date --connect 127.0.0.1:9
	assert_success
	run hf --policy "$POLICY" --ask deny --name "$AGENT" -- sh -c 'date +planned; id -u'
	assert_failure
	assert_line planned
	run hf --policy "$POLICY" --ask deny --name "$AGENT" -- bash -c '(: </dev/tcp/127.0.0.1/9) 2>&1; (: </dev/tcp/127.0.0.1/10) 2>&1'
	assert_line --partial "Connection refused"
	assert_line --partial "Permission denied"
}

@test "an approver cannot give more than the rule lets them; tried, it is noted" {
	policy_open asking <<-END
		  - {name: little, match: {path: ["$T/ask/**"]}, action: ask, ask: {max_scope: exact, max_duration: 10m}}
	END
	run_agent -- cat "$T/ask/one"
	wait_held 1
	run "$HOLDFAST" held "$(held_ids)"
	refute_output --partial "--scope dir"
	run "$HOLDFAST" approve "$(held_ids)" --for 5m --scope dir
	assert_failure 3
	run "$HOLDFAST" approve "$(held_ids)" --for always
	assert_failure 3
	run "$HOLDFAST" approve "$(held_ids)" --for session
	assert_failure 3
	wait_held 1
	run "$HOLDFAST" approve "$(held_ids)" --for 5m
	assert_success
	finished 0
	assert_logged '.event == "notice" and (.note | contains("more than may be given"))'
}

@test "a grant of another rule does not get round what a rule lets be given" {
	policy_open asking <<-END
		  - {name: little, match: {path: ["$T/ask/**"]}, action: ask, ask: {max_scope: exact}}
		  - {name: much, match: {path: ["$T/other/**"]}, action: ask}
	END
	run_agent -- sh -c 'cat "$1/other/far"; cat "$1/ask/one"' - "$T"
	wait_held 1
	"$HOLDFAST" approve "$(held_ids)" --for session --scope agent
	wait_for one_is_held one
	"$HOLDFAST" deny "$(held_ids)"
	finished 1
}

@test "two of several: one is not enough, and not twice the same" {
	me=$(id -un)
	policy_open asking <<-END
		  - {name: both, match: {path: ["$T/ask/**"]}, action: ask, ask: {approvers: ["$me", nobody, root], count: 2}}
	END
	run_agent -- cat "$T/ask/one"
	wait_held 1
	run "$HOLDFAST" approve "$(held_ids)"
	assert_success
	assert_output --partial "waits for 1 more"
	run "$HOLDFAST" approve "$(held_ids)"
	assert_failure 3
	assert_output --partial "approved it already"
	run "$HOLDFAST" approve "$(held_ids)" --for session
	assert_failure 3
	run "$HOLDFAST" held
	assert_output --partial "2 have to approve, 1 have"
	wait_held 1
	"$HOLDFAST" deny "$(held_ids)"
	finished 1
}

@test "late, unknown and repeated answers change nothing" {
	run_agent -- cat "$T/ask/one"
	wait_held 1
	id=$(held_ids)
	run "$HOLDFAST" approve zzzzzzzz --for session
	assert_failure 1
	"$HOLDFAST" approve "$id"
	finished 0
	run "$HOLDFAST" deny "$id" --for always --scope agent
	assert_failure 1
	run kept_ids
	assert_output ""
	run "$HOLDFAST" approve "$id" --scope dir
	assert_failure 2
	run "$HOLDFAST" approve "$id" --for 13h
	assert_failure 2
}

@test "of answers that race one counts" {
	run_agent -- cat "$T/ask/one"
	wait_held 1
	id=$(held_ids)
	for i in 1 2 3 4 5 6; do
		"$HOLDFAST" approve "$id" >>"$T/race" 2>/dev/null 3>&- &
		"$HOLDFAST" deny "$id" >>"$T/race" 2>/dev/null 3>&- &
	done
	wait_for test -e "$T/status"
	wait_for eval '[[ $(wc -l <"$T/race") == 1 ]]'
}

@test "the agent can neither answer, nor grant, nor revoke, nor read itself a grant into the file" {
	skip_without /usr/bin/python3
	cat >"$T/inside.py" <<-'END'
		import os, socket
		for request in (b'{"v":1,"op":"approve","id":"aaaaaaaa","for":"always","scope":"agent"}',
		                b'{"v":1,"op":"revoke","id":"aaaaaaaa"}', b'{"v":1,"op":"grants","after":0}'):
		    s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
		    s.connect(os.environ["HOLDFAST_SPEND"])
		    s.recv(65536)
		    s.send(request)
		    if b'"ok":true' in s.recv(65536):
		        print("answered")
	END
	run_agent -- sh -c '
		"$1" grant --agent "$2" --for 1m --read "$3" && echo granted
		"$1" approve aaaaaaaa --for always && echo approved
		"$1" revoke --all
		d=$XDG_STATE_HOME/holdfast/grants
		echo "{}" >"$d/grants.json" && echo written
		mv "$d" "$d.away" && echo moved
		ln "$d/lock" "$d/grants.json.new" && echo linked
		/usr/bin/python3 "$4/inside.py"' - "$HOLDFAST" "$AGENT" "$T/ask" "$T"
	finished 0
	assert_equal "$(cat "$T/out")" ""
	assert_logged '.verdict == "deny" and .rule == "own-files" and (.object | contains("/grants"))'
	assert_logged '.verdict == "deny" and .rule == "own-files" and .op == "connect"'
	assert_logged '.event == "notice" and (.note | contains("tried to answer, list or revoke"))'
}

@test "a file of grants that is damaged or open to others grants nothing, and the session goes on" {
	d=$XDG_STATE_HOME/holdfast/grants
	"$HOLDFAST" grant --agent "$AGENT" --for always --read "$T/ask"
	run hf --policy "$POLICY" --ask deny --name "$AGENT" -- cat "$T/ask/one"
	assert_success
	chmod 644 "$d/grants.json"
	run hf --policy "$POLICY" --ask deny --name "$AGENT" -- cat "$T/ask/one"
	assert_failure
	assert_output --partial "must be yours alone"
	chmod 600 "$d/grants.json"
	sed -i 's/"scope":"dir"/"scope":"agent"/' "$d/grants.json"
	run hf --policy "$POLICY" --ask deny --name "$AGENT" -- sh -c 'echo on; cat "$1"' - "$T/ask/one"
	assert_failure
	assert_line on
	assert_output --partial "not a list of grants that holdfast wrote"
	run "$HOLDFAST" grants
	assert_failure 1
	rm "$d/grants.json"
	run "$HOLDFAST" grants
	assert_output --partial "there are no grants"
}

@test "why says from inside what was denied and what to do instead" {
	policy_open denying <<-END
		  - {name: no-secret, match: {path: ["$T/ask/one"]}, action: deny, reason: It is secret., suggest: Read two.}
	END
	run hf --policy "$POLICY" -- sh -c 'cat "$2"; "$1" why --last; "$1" why --last --json' - "$HOLDFAST" "$T/ask/one"
	assert_line "Denied: read $T/ask/one (EACCES)"
	assert_line "Reason: It is secret."
	assert_line "Instead: Read two."
	assert_line "Rule: no-secret of policy denying"
	assert_line --partial '"rule": "no-secret"'
	run hf --policy "$POLICY" -- "$HOLDFAST" why --last
	assert_failure 1
	assert_output --partial "nothing was denied in this session"
}

@test "who repeats what is denied is slowed down, told so, and stopped" {
	policy looping <<-'END'
		default: {tool: allow, read: allow, write: allow, network: allow}
		denials: {repeats: 2, on_limit: stop}
		rules:
		  - {name: no-date, match: {tool: date}, action: deny, reason: No dates.}
	END
	start=$(date +%s%N)
	run hf --policy "$POLICY" -- sh -c 'for i in 1 2 3; do /usr/bin/date; done; "$1" why --last; for i in 4 5 6 7 8; do /usr/bin/date; done; echo reached' - "$HOLDFAST"
	assert_failure 124
	assert_output --partial "This was denied 3 times. Repeating it will not help"
	assert_output --partial "the agent repeats what is denied: exec"
	assert_output --partial "denied 6 times, and tried again"
	refute_line reached
	(($(date +%s%N) - start > 700000000))
}

@test "always becomes a rule of a policy, shown first" {
	cat >"$T/mine.yaml" <<-END
		version: 1
		name: asking
		default: {tool: allow, read: allow, write: allow, network: allow}
		rules:
		  - {name: ask-first, match: {path: ["$T/ask/**"]}, action: ask}
	END
	POLICY=$T/mine.yaml
	run_agent -- cat "$T/ask/one"
	wait_held 1
	"$HOLDFAST" approve "$(held_ids)" --for always --scope dir
	finished 0
	cp "$T/mine.yaml" "$T/before"
	run "$HOLDFAST" grants --write-policy "$T/mine.yaml" <<<n
	assert_failure 1
	assert_output --partial "+  - {name: granted-$(kept_ids)"
	cmp "$T/mine.yaml" "$T/before"
	run "$HOLDFAST" grants --write-policy "$T/mine.yaml" --yes
	assert_success
	"$HOLDFAST" revoke "$(kept_ids)"
	run hf --policy "$T/mine.yaml" --ask deny --name "$AGENT" -- cat "$T/ask/two"
	assert_success
}
