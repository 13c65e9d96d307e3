#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The report: one page for people, AgentPolicy's keys for programs, one session or all of them.

setup() {
	load helpers/common
	hf_setup
	policy_open open <<-END
		  - {name: no-file, match: {path: ["$T/denied*"]}, action: deny, reason: "Not for <agents>.", suggest: "Ask & wait."}
		  - {name: look, match: {path: ["$PROJECT/seen"]}, action: flag}
		budget: {max_spend: 2}
	END
}

teardown() {
	hf_teardown
}

@test "the page is well-formed, runs nothing, loads nothing and shows what was denied" {
	touch "$T/denied"
	run hf --policy "$POLICY" --name '<b>agent</b>' -- sh -c 'cat "$1"; echo x >seen; echo y >f' - "$T/denied"
	session_ended
	run "$HOLDFAST" report "$LOG" --html "$T/page.html"
	assert_success
	assert_output ""
	run python3 "$HELPERS/check_html.py" "$T/page.html" '<b>agent</b>' "$T/denied" 'Not for <agents>.' \
		'Ask & wait.' "$PROJECT/seen" 'cat ' "Budget"
	assert_success
	assert_equal "$(stat -c %a "$T/page.html")" 600
}

@test "what is hostile in a name is escaped, and visible" {
	local name=$'<script>alert(1)</script>"\'&lt;\xe2\x80\xae\xe2\x80\x8b\xff\e[31m\n--><svg onload=x>'
	hf --policy "$POLICY" -- sh -c 'cat "$1" "$2"' "$name" "$T/denied$name" "$name" || true
	session_ended
	"$HOLDFAST" report --html "$LOG" >"$T/page.html"
	run python3 "$HELPERS/check_html.py" "$T/page.html" '<script>alert(1)<' 'U+202EU+200B\xff\x1b[31m\x0a--><svg onload=x>'
	assert_success
	run grep -c '<script' "$T/page.html"
	assert_output 0
}

@test "a log with a hundred thousand names gives a page of bounded size" {
	python3 - >"$LOG" <<-'END'
		import json
		common = dict(v=1, session="s", agent="a", event="action", tid=1, kind="path", op="read", syscall="openat",
		              verdict="deny", would_have="deny", mode="enforce", policy="p", rule="r", latency_ns=1)
		for i in range(1, 100001):
		    n = 1 if i % 50 else 200  # half a gigabyte of long ones tests patience only
		    print(json.dumps(dict(common, seq=i, time=f"2026-11-21T05:{i // 60000:02}:{i // 1000 % 60:02}.{i % 1000:03}Z",
		                          pid=10 + i % 30000, ppid=10 + i % 30000 // 2, exe="/x",
		                          object=f"/{i}/" + "<\u202e&" * n, reason="'\u200b" * 2 * n)))
	END
	"$HOLDFAST" report --html "$LOG" >"$T/page.html"
	run python3 "$HELPERS/check_html.py" "$T/page.html"
	assert_success
	assert [ "$(stat -c %s "$T/page.html")" -lt 4000000 ]
	# The same log as JSON: lists are bounded, and what is left out is counted.
	run jq -e '(.decisions | length) + .decisions_unlisted == 100000
		and ([.files.read.list[].count] | add) + .files.read.unlisted == 100000
		and ([.processes.list[].total] | add) + .processes.unlisted == 100000' <<<"$("$HOLDFAST" report --json "$LOG")"
	assert_output true
}

@test "--json has AgentPolicy's keys with its shapes, beside ours" {
	touch "$T/denied"
	run hf --policy "$POLICY" -- sh -c 'cat "$1"; "$2" spend 0.5 --source model; true' - "$T/denied" "$HOLDFAST"
	session_ended
	"$HOLDFAST" report --json "$LOG" >"$T/report.json"
	run jq -e '.session_id == .session and (.session_id | type) == "string"
		and .budget == 2 and .spent == 0.5 and .remaining == 1.5
		and .decision_summary.allow + .decision_summary.deny == .actions.total
		and .decision_summary.deny == 1 and .decision_summary.require_approval == 0
		and .decision_summary.by_action_type.cost == 1
		and .cost_summary.by_action_type.cost == 0.5 and .cost_summary.attempted_by_action_type.cost == 0.5
		and .policy_hits.denied_tools == ["file_read"] and .policy_hits.denied_domains == []
		and .policy_hits.approval_required == [] and (.duration_seconds | type) == "number"
		and (.decisions | map(select(.decision_type == "deny")) | length) == 1
		and (.decisions | map(select(.decision_type == "deny"))[0] | .reason == "Not for <agents>." and (.timestamp | type) == "number"
			and .action.action_type == "tool" and .action.tool_name == "file_read" and .action.cost == 0)' "$T/report.json"
	assert_output true
}

@test "--all and --since join the sessions of the default place" {
	local i
	touch "$T/denied"
	for i in 1 2 3; do
		"$HOLDFAST" run --policy "$POLICY" --name "agent$i" -- cat "$T/denied" || true
	done
	run "$HOLDFAST" report --all --json
	assert_success
	run jq -e '(.sessions.list | length) == 3 and .session == null
		and ([.sessions.list[].agent] | sort) == ["agent1", "agent2", "agent3"]
		and ([.sessions.list[] | .state == "ended" and .denied == 1] | all)
		and ([.sessions.list[].total] | add) == .actions.total
		and .actions.by_verdict.deny == 3 and .missing_records == 0 and .denied.list[0].count == 3' <<<"$output"
	assert_output true
	run "$HOLDFAST" report --since 1h --json
	assert_equal "$(jq '.sessions.list | length' <<<"$output")" 3
	run "$HOLDFAST" report --since 2099-01-01T00:00:00Z --json
	assert_equal "$(jq -c '[.actions.total, .sessions.list]' <<<"$output")" '[0,[]]'
	"$HOLDFAST" report --all --html >"$T/page.html"
	run python3 "$HELPERS/check_html.py" "$T/page.html" "What the sessions did" "cat $T/denied"
	assert_success
}

@test "a page that cannot be written is told" {
	hf --policy "$POLICY" -- true
	run "$HOLDFAST" report "$LOG" --html=/proc/nonexistent/page.html
	assert_failure 1
	assert_output --partial "/proc/nonexistent/page.html"
	run "$HOLDFAST" report --since yesterday
	assert_failure 2
	assert_output --partial "yesterday"
}
