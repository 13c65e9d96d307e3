#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# holdfast replay: other policies, asked about what was really done.

setup() {
	load helpers/common
	hf_setup
}

teardown() {
	hf_teardown
}

# A policy that looks at everything that a record must be able to give back.
policy_strange() {
	policy strange <<-'END'
		log_reads: true
		grant: [ptrace, raw_socket]
		default: {tool: allow, read: allow, write: allow, network: allow}
		rules:
		  - {name: forced, match: {argv: [git, [push]]}, action: deny}
		  - {name: loaded, match: {tool: "true", args_pattern: "^/bin/true loaded$"}, action: deny}
		  - {name: held, match: {tool: "true", args_pattern: "^called at$"}, action: ask}
		  - {name: interpreted, match: {tool: sh, args_pattern: "^/bin/sh -e.* dangerous$"}, action: deny}
		  - {name: long, match: {tool: "true", argv: ["true", [y]]}, action: flag}
		  - {name: elsewhere, match: {tool: "true", cwd: [/usr]}, action: flag}
		  - {name: below, match: {path: ["**/sock-*"], cwd: ["/**/project"], op: [create]}, action: deny}
		  - {name: truncates, match: {path: ["**/new"], op: [truncate]}, action: flag}
		  - {name: reads, match: {path: ["**/secret.key", "**/other-66"], op: [read]}, action: deny}
		  - {name: made, match: {path: ["**/renamed"], op: [create]}, action: flag}
		  - {name: linked, match: {path: ["**/linked"], op: [link]}, action: flag}
		  - {name: bytes, match: {path: ["**/*café"]}, action: deny}
		  - {name: udp, match: {protocol: udp, port: 443}, action: deny}
		  - {name: tcp, match: {protocol: tcp, cidr: "::1/128"}, action: flag}
		  - {name: bound, match: {op: [bind], protocol: unix}, action: flag}
		  - {name: sends, match: {op: [send], port: 9}, action: flag}
		  - {name: clock, match: {op: [chmod], time: "00:00-24:00"}, action: flag}
		  - {name: agents, match: {agent: "deeds*", op: [mkdir]}, action: flag}
		  - {name: parents, match: {parent: ["/**/python3*"], tool: sh}, action: flag}
	END
}

# same_as_then NAME...: the session in $LOG, replayed with its own policies, decides as it did, by the
# same rules.
same_as_then() {
	run "$HOLDFAST" replay --project "$PROJECT" --expect same --json "${@/#/-p}" "$LOG"
	assert_success
	assert_equal "$(jq -c '[.stricter, .looser, .other_rule, .differences.list]' <<<"$output")" '[0,0,0,[]]'
	assert_equal "$(jq .actions <<<"$output")" "$(log_count '.event == "action" and .kind != "spend"')"
	run "$HOLDFAST" replay --advice --project "$PROJECT" --expect same "${@/#/-p}" "$LOG"
	assert_success
}

@test "a session's own policy decides as it did, on every kind of action" {
	policy_strange
	run hf --policy "$POLICY" --ask deny --name deeds -- /usr/bin/python3 "$HELPERS/deeds.py"
	assert_success
	# The rules have really spoken, or this test shows nothing.
	for rule in forced held long parents interpreted loaded elsewhere below truncates reads made linked bytes udp tcp bound sends clock agents; do
		run log_count ".rule == \"$rule\""
		refute_output 0
	done
	assert [ "$(log_count '.kind == "system"')" -ge 4 ]
	assert [ "$(log_count '.argv_truncated')" -ge 1 ]
	same_as_then "$POLICY"
}

@test "audit policies in the stack are replayed as such" {
	policy_strange
	strange=$POLICY
	policy watch <<-'END'
		mode: audit
		default: deny
	END
	run hf --policy "$strange" --policy "$POLICY" --ask allow --name deeds -- /usr/bin/python3 "$HELPERS/deeds.py"
	assert_success
	same_as_then "$strange" "$POLICY"
}

@test "dialects are replayed" {
	cat >"$T/aap.yaml" <<-'END'
		policies:
		  - name: no-force
		    action: deny
		    match: {tool: "*", args_pattern: "push --force|dangerous|:443"}
		  - name: reads
		    action: escalate
		    match: {tool: file_read, args_pattern: "secret"}
		  - name: rest
		    action: approve
		    match: {tool: "*"}
	END
	run hf --policy "$T/aap.yaml" --ask deny --name deeds -- /usr/bin/python3 "$HELPERS/deeds.py"
	assert_success
	assert [ "$(log_count '.verdict == "deny"')" -ge 2 ]
	same_as_then "$T/aap.yaml"
}

@test "budgets are replayed: counts, windows, loops, charged and reported money" {
	policy budgeted <<-'END'
		log_reads: true
		default: {tool: allow, read: allow, write: allow, network: allow}
		budget: {max_spend: 1.0, max_execs: 12, loop: {repeats: 3, window: 1m}}
		rules:
		  - {name: dear, match: {tool: echo}, action: allow, cost: 0.25}
	END
	# shellcheck disable=SC2016 # the command's own variables
	run hf --policy "$POLICY" --name a -- bash -c "env echo 1; env echo 2; '$HOLDFAST' spend 0.4; env echo 3; env echo 4; for i in 1 2 3 4; do env true; done; for i in 1 2 3 4 5 6; do env false \$i; done"
	assert [ "$(log_count '.rule == "budget"')" -ge 2 ]
	same_as_then "$POLICY"
}

@test "differences are counted, grouped and told with their rules" {
	policy_open open </dev/null
	run hf --policy "$POLICY" -- bash -c 'for i in 1 2 3; do echo $i >>kept; done; rm -f kept; env true'
	assert_success
	policy strict <<-'END'
		log_reads: true
		default: {tool: allow, read: allow, write: allow, network: deny}
		rules:
		  - {name: keep, match: {path: ["**/kept"], op: [delete]}, action: deny, reason: "Kept."}
		  - {name: held, match: {path: ["**/kept"], op: [write]}, action: ask}
	END
	run "$HOLDFAST" replay -p "$POLICY" "$LOG"
	assert_success
	assert_output --partial "stricter   allow -> ask: 3, allow -> deny: 1"
	assert_output --regexp "3  allow -> ask +create|3  allow -> ask +write|2  allow -> ask +write"
	assert_output --partial "now strict, rule keep; then open, default"
	assert_output --partial "reason: Kept."
	run "$HOLDFAST" replay --json -p "$POLICY" "$LOG"
	assert_equal "$(jq -c '.differences.list[] | select(.new == "deny") | [.op, .old, .policy, .rule, .old_rule, .count]' <<<"$output")" \
		'["delete","allow","strict","keep",null,1]'
	run "$HOLDFAST" replay --json --limit 1 -p "$POLICY" "$LOG"
	assert_equal "$(jq '.differences.list | length' <<<"$output")" 1
	refute [ "$(jq '.differences.unlisted' <<<"$output")" = 0 ]
}

@test "what is expected decides on the exit status" {
	policy_open open </dev/null
	run hf --policy "$POLICY" -- bash -c 'env true; env false || :'
	open=$POLICY
	policy strict <<-'END'
		default: {tool: allow, read: allow, write: allow, network: deny}
		rules:
		  - {name: never, match: {argv: ["false"]}, action: deny}
	END
	"$HOLDFAST" replay -p "$open" --expect same --expect no-deny --expect no-ask "$LOG"
	run "$HOLDFAST" replay -p "$POLICY" --expect same "$LOG"
	assert_failure 1
	assert_output --partial "FAILED  --expect same: not so for 1 of"
	run "$HOLDFAST" replay -p "$POLICY" --expect no-deny "$LOG"
	assert_failure 1
	"$HOLDFAST" replay -p "$POLICY" --expect no-ask --expect "deny:false" --expect "allow:tru*" "$LOG"
	run "$HOLDFAST" replay -p "$POLICY" --expect "deny:nothing like it" "$LOG"
	assert_failure 1
	assert_output --partial "no action matches"
	for bad in never deny deny: maybe:x; do
		run "$HOLDFAST" replay -p "$POLICY" --expect "$bad" "$LOG"
		assert_failure 2
		assert_output --partial "--expect '$bad': expected same, no-deny, no-ask, or a verdict and a pattern"
	done
}

@test "cut arguments, reads that were not recorded and damaged lines are told" {
	policy_open open </dev/null
	run hf --policy "$POLICY" -- bash -c "env true $(printf 'x%.0s' {1..20000})"
	run "$HOLDFAST" replay -p "$POLICY" "$LOG"
	assert_success
	assert_output --partial "actions whose arguments the log holds only in part"
	policy blind <<<"default: {tool: allow, read: allow, write: allow, network: allow}"
	run timeout 60 "$HOLDFAST" run --log "$T/blind.jsonl" --policy "$POLICY" -- true
	policy reads <<<"default: {tool: allow, read: deny, write: allow, network: allow}"
	run "$HOLDFAST" replay -p "$POLICY" "$T/blind.jsonl"
	assert_output --partial "1 sessions that did not record reads"
	{ head -n 3 "$LOG"; echo "{ half"; echo '{"v":1,"event":"action","time":"x"}'; sed -n 4,5p "$LOG"; } >"$T/bad.jsonl"
	run "$HOLDFAST" replay -p "$POLICY" "$T/bad.jsonl"
	assert_failure 1
	assert_output --partial "bad.jsonl:4: this line is not JSON"
	assert_output --partial "bad.jsonl:5: this line has no valid time"
	assert_output --partial "2 damaged lines"
}

@test "a log that something else has written again is read all the same" {
	policy_strange
	run hf --policy "$POLICY" --ask deny --name deeds -- /usr/bin/python3 "$HELPERS/deeds.py"
	jq -S . "$LOG" | jq -c . | sed 's/":/": /' >"$T/other.jsonl"
	LOG=$T/other.jsonl
	same_as_then "$POLICY"
}

@test "wrong usage says what is wrong" {
	run "$HOLDFAST" replay
	assert_failure 2
	assert_output --partial "which policy?"
	run "$HOLDFAST" replay -p x --limit many
	assert_failure 2
	run "$HOLDFAST" replay -p x --frob
	assert_failure 2
	assert_output --partial "unknown option '--frob'; \`holdfast replay --help\`"
	policy_open open </dev/null
	run "$HOLDFAST" replay -p "$POLICY" "$T/absent.jsonl"
	assert_failure 1
}

@test "rotated and compressed files of a log are replayed with it" {
	policy_open open </dev/null
	# shellcheck disable=SC2016 # the command's own variables
	run hf --policy "$POLICY" --log-rotate 64K --log-compress -- bash -c 'for i in {1..40}; do env true $i; done'
	assert_success
	assert [ -n "$(find "$T" -name 'log.jsonl.[0-9]*.zst')" ]
	run "$HOLDFAST" replay -p "$POLICY" --expect same --json "$LOG"
	assert_success
	total=$(jq 'select(.event == "session_end") | .counts.total' "$LOG")
	assert_equal "$(jq -c '[.sessions, .actions]' <<<"$output")" "[1,$total]"
}

@test "what was redacted is told, and is not damage" {
	policy_open open </dev/null
	run hf --policy "$POLICY" -- env true ghp_abcdefghijklmnopqrstuvwxyz0123456789
	assert_success
	assert [ "$(log_count '.redacted')" -ge 1 ]
	run "$HOLDFAST" replay -p "$POLICY" --expect same "$LOG"
	assert_success
	assert_output --partial "actions of which the log hides a part"
}
