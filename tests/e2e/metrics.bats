#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# `holdfast metrics`: what the log says, as numbers that a monitoring system reads.

setup() {
	load helpers/common
	hf_setup
	policy_open open <<-'END'
		  - {name: 'no "date"\', match: {tool: date}, action: deny, reason: Not today.}
		  - {name: watch, match: {tool: "true"}, action: flag}
		  - {name: may-i, match: {tool: uname}, action: ask}
		  - {name: dear, match: {tool: id}, action: allow, cost: 0.25}
	END
}

teardown() {
	hf_teardown
}

# metrics ARGUMENTS: their samples, as JSON, in $M.
metrics() {
	M=$T/metrics.json
	"$HOLDFAST" metrics "$@" >"$T/metrics.txt" || return
	python3 "$HELPERS/openmetrics.py" <"$T/metrics.txt" >"$M"
}

# value NAME: of a sample; nothing when there is none.
value() {
	jq -r --arg k "$1" '.[$k] // empty' "$M"
}

sum() {
	jq -r --arg k "$1" '[to_entries[] | select(.key | startswith($k)) | .value] | add' "$M"
}

two_held() {
	(($(log_count '.event == "held"') == 2))
}

no_rings() {
	! compgen -G "$XDG_STATE_HOME/holdfast/*.ring"
}

@test "the numbers are those of the records" {
	run hf --policy "$POLICY" --ask deny -- sh -c 'date; date; true; /bin/true; uname; id; id; cat /etc/passwd'
	assert_success
	session_ended
	metrics "$LOG"
	assert_equal "$(value 'holdfast_decisions_total{kind="tool",verdict="flag",policy="open",rule="watch"}')" \
		"$(log_count '.event == "action" and .rule == "watch"')"
	assert_equal "$(value 'holdfast_decisions_total{kind="tool",verdict="deny",policy="open",rule="no \"date\"\\\\"}')" \
		"$(log_count '.event == "action" and .rule == "no \"date\"\\"')"
	assert_equal "$(sum 'holdfast_decisions_total{kind="path"')" \
		"$(log_count '.event == "action" and .kind == "path"')"
	assert_equal "$(sum holdfast_decisions_total)" "$(log_count '.event == "action"')"
	assert_equal "$(value holdfast_decision_seconds_count)" "$(log_count '.event == "action" and .held == null')"
	assert_equal "$(value holdfast_spend_total)" 0.5
	assert_equal "$(value 'holdfast_sessions{state="ended"}')" 1
	assert_equal "$(value holdfast_lost_records_total)" 0
	assert_equal "$(value holdfast_log_lag_bytes)" 0
}

@test "a running session: what is held, how that ended, and no number that goes back" {
	hf --policy "$POLICY" --ask-timeout 60 -q -- sh -c '/bin/uname; date; /bin/uname' 3>&- &
	started $!
	assert_logged '.event == "held"'
	metrics "$LOG"
	assert_equal "$(value holdfast_held)" 1
	assert_equal "$(value 'holdfast_sessions{state="running"}')" 1
	"$HOLDFAST" approve "$(log_select '.event == "held"' | head -n 1 | jq -r .held)"
	wait_for two_held
	"$HOLDFAST" deny "$(log_select '.event == "held"' | tail -n 1 | jq -r .held)"
	session_ended
	metrics "$LOG"
	assert_equal "$(value holdfast_held)" 0
	assert_equal "$(value 'holdfast_holds_total{outcome="approved"}')" 1
	assert_equal "$(value 'holdfast_holds_total{outcome="denied"}')" 1
	assert_equal "$(value holdfast_hold_seconds_count)" 2
	assert_equal "$(value 'holdfast_sessions{state="running"}')" 0
}

@test "audit mode: what was let through" {
	run hf --policy "$POLICY" --mode audit -- sh -c 'date; uname; true'
	assert_success
	session_ended
	metrics "$LOG"
	assert_equal "$(value 'holdfast_let_through_total{would_have="deny"}')" "$(log_count '.would_have == "deny"')"
	assert_equal "$(value 'holdfast_let_through_total{would_have="ask"}')" "$(log_count '.would_have == "ask"')"
}

@test "all sessions, and what a log was before it was rotated, compressed or not" {
	local total
	run "$HOLDFAST" run --policy "$POLICY" --log-rotate 64K --log-compress -- "$HF_HELPERS/load" spawn 150 cat /dev/null
	run "$HOLDFAST" run --policy "$POLICY" --log-rotate 64K -- "$HF_HELPERS/load" spawn 150 cat /dev/null
	run "$HOLDFAST" run --policy "$POLICY" -- date
	wait_for no_rings
	metrics --all
	assert_equal "$(value 'holdfast_sessions{state="ended"}')" 3
	assert_equal "$(value holdfast_lost_records_total)" 0
	assert_equal "$(value holdfast_damaged_lines_total)" 0
	total=$(cat "$XDG_STATE_HOME"/holdfast/*.jsonl | jq -s 'map(select(.event == "session_end") | .counts.total) | add')
	assert_equal "$(sum holdfast_decisions_total)" "$total"
}

@test "a log full of rules, of wrong types and of damaged lines gives valid text all the same" {
	python3 - >"$LOG" <<-'END'
		import json
		for i in range(2000):
		    record = {"v": 1, "seq": i + 1 + (i > 1000), "time": "2026-11-21T05:00:00Z", "event": "action",
		              "session": "s" * 300, "agent": "a", "kind": "path", "op": "read", "verdict": "allow",
		              "rule": f"r{i}\n\"\\{{}}\u202e\x00", "policy": "p" * 9000, "latency_ns": i * 1000,
		              "cost": -5 if i else 1e308}
		    if i % 100 == 0:
		        record |= {"kind": ["x"], "verdict": "perhaps", "latency_ns": "soon", "cost": "much"}
		    print(json.dumps(record) if i % 500 else "{")
	END
	metrics "$LOG"
	assert_equal "$(sum holdfast_decisions_total)" 1996
	assert_equal "$(value holdfast_damaged_lines_total)" 4
	assert_equal "$(value holdfast_lost_records_total)" 4
	assert_equal "$(jq '[keys[] | select(startswith("holdfast_decisions_total"))] | length' "$M")" 514
	assert [ "$(value 'holdfast_decisions_total{kind="path",verdict="allow",policy="(others)",rule="(others)"}')" -gt 1000 ]
	assert_equal "$(value holdfast_spend_total)" 0
}

@test "a textfile is replaced whole, and kept when it cannot be written" {
	run hf --policy "$POLICY" -- date
	session_ended
	mkdir "$T/collect"
	echo old >"$T/collect/holdfast.prom"
	run "$HOLDFAST" metrics --textfile "$T/collect/holdfast.prom" "$LOG"
	assert_success
	assert_output ''
	python3 "$HELPERS/openmetrics.py" <"$T/collect/holdfast.prom" >/dev/null
	assert_equal "$(stat -c %a "$T/collect/holdfast.prom")" 644
	assert_equal "$(ls -A "$T/collect")" holdfast.prom
	cd "$T/collect"
	run "$HOLDFAST" metrics --textfile plain.prom "$LOG"
	assert_success
	assert_file_exist "$T/collect/plain.prom"
	run "$HOLDFAST" metrics --textfile "$T/none/holdfast.prom" "$LOG"
	assert_equal "$status" 1
	assert_output --partial "cannot write '$T/none/holdfast.prom': No such file or directory"
	mkdir "$T/collect/dir.prom"
	run "$HOLDFAST" metrics --textfile "$T/collect/dir.prom" "$LOG"
	assert_equal "$status" 1
	assert_equal "$(find "$T/collect" -name '.*' -type f | wc -l)" 0
}

@test "wrong usage, and logs that are not there" {
	run "$HOLDFAST" metrics --all "$T/x"
	assert_equal "$status" 2
	run "$HOLDFAST" metrics a b
	assert_equal "$status" 2
	run "$HOLDFAST" metrics "$T/none.jsonl"
	assert_equal "$status" 1
	run "$HOLDFAST" metrics --help
	assert_success
	assert_output --partial OpenMetrics
	metrics --all
	assert_equal "$(value 'holdfast_sessions{state="ended"}')" 0
}
