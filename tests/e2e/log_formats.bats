#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The log in other people's formats. What each record looks like is tests/compat/test_ocsf.py's and
# test_ecs.py's to check; here it is what a person gets.

setup() {
	load helpers/common
	hf_setup
	policy_open open <<-'END'
		  - {name: '=cmd', match: {tool: date}, action: deny, reason: Not today.}
		  - {name: watch, match: {tool: "true"}, action: flag}
	END
	hf --policy "$POLICY" --name tester -- sh -c 'date; true; /bin/true; touch "$1"' - $'a,"b"\n=c\xff'
	session_ended
	N=$(wc -l <"$LOG")
}

teardown() {
	hf_teardown
}

@test "csv: a header, a record for each line, and what a spreadsheet would run is text" {
	"$HOLDFAST" log --format csv "$LOG" >out.csv
	run head -n 1 out.csv
	assert_output --regexp '^v,seq,time,event,session,agent,.*,note,other'$'\r$'
	run python3 - out.csv <<-'END'
		import csv, sys
		rows = list(csv.DictReader(open(sys.argv[1], newline="", encoding="utf-8"), strict=True))
		print(len(rows))
		print(next(r["rule"] for r in rows if r["verdict"] == "deny"))
		print(next(r["object"] for r in rows if "=c" in r["object"]).rpartition("/")[2])
	END
	assert_line --index 0 "$N"
	assert_line --index 1 "'=cmd"
	assert_line --index 2 'a,"b"\x0a=c\xff'
}

@test "csv: filters choose the records, and the header is there without any" {
	run "$HOLDFAST" log --format csv --verdict flag "$LOG"
	assert_success
	assert_equal "${#lines[@]}" "$(($(log_count '.verdict == "flag"') + 1))"
	run "$HOLDFAST" log --format csv --verdict ask "$LOG"
	assert_success
	assert_equal "${#lines[@]}" 1
}

@test "ocsf: events that say where they happened, whatever is filtered" {
	"$HOLDFAST" log --format ocsf "$LOG" >out
	assert_equal "$(wc -l <out)" "$N"
	assert_equal "$(jq -r '.device.hostname' out | sort -u)" "$(uname -n)"
	"$HOLDFAST" log --format ocsf --verdict deny "$LOG" >out
	assert_equal "$(jq -r '[.class_uid, .activity_id, .action_id, .disposition, .unmapped.rule, .device.hostname] | join(" ")' out |
		sort -u)" "1007 1 2 Blocked =cmd $(uname -n)"
	assert_equal "$(jq -r '.metadata.product.version' out | sort -u)" "$("$HOLDFAST" --version | cut -d' ' -f2)"
}

@test "ecs: the same" {
	"$HOLDFAST" log --format ecs "$LOG" >out
	assert_equal "$(wc -l <out)" "$N"
	"$HOLDFAST" log --format ecs --verdict deny "$LOG" >out
	assert_equal "$(jq -r '[.event.category[0], .event.type[1], .event.outcome, .rule.name, .rule.ruleset, .process.name, .error.code, .host.name] | join(" ")' out |
		sort -u)" "process denied failure =cmd open date EACCES $(uname -n)"
}

@test "nothing but ASCII and nothing but lines in ocsf and ecs" {
	local format
	for format in ocsf ecs; do
		"$HOLDFAST" log --format "$format" "$LOG" >out
		run grep -c -P '[^\x20-\x7e]' out
		assert_output 0
	done
}

@test "an unknown format is refused, and says which there are" {
	run "$HOLDFAST" log --format xml "$LOG"
	assert_equal "$status" 2
	assert_output --partial "csv"
	assert_output --partial "ocsf"
	assert_output --partial "ecs"
}
