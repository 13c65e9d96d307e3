#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# `holdfast policy test`, `show` and `list`; and the tests of the policies that ship.

bats_require_minimum_version 1.5.0

setup() {
	load helpers/common
	hf_setup
	cat >p.yaml <<-'EOF'
		version: 1
		name: p
		default: {tool: allow, path: deny, network: deny}
		rules:
		  - name: no-force
		    match: {tool: git, args_pattern: 'push .*-f\b'}
		    action: deny
		    reason: Push to a new branch.
		    examples: {match: ["git push -f"], not_match: ["git push"]}
		  - {name: project, match: {path: ["${project}/**"]}, action: allow}
		  - {name: home, match: {path: ["~/**"]}, action: ask}
	EOF
}

teardown() {
	hf_teardown
}

# tests NAME: a file of tests from the list on standard input.
tests() {
	{
		echo "tests:"
		cat
	} >"$1"
}

ptest() {
	timeout 60 "$HOLDFAST" policy test "$@"
}

@test "the policies that ship pass their tests" {
	run ptest "$REPO/policies" "$REPO/policies/templates"
	assert_success
	refute_line --regexp '^not ok'
	for name in coding-agent read-only no-network audit-only; do
		assert_line --partial "$name.test.yaml: "
	done
}

@test "TAP: the policy with its examples, then the tests beside it" {
	tests p.test.yaml <<-'EOF'
		  - {name: "a force #push", command: git push -f, expect: deny, rule: no-force, reason: new branch}
		  - {command: "git commit -m 'a b'", expect: allow, rule: null}
		  - {action: {kind: path, op: write, path: /home/user/project/x}, expect: allow, rule: project}
		  - {action: {kind: path, op: read, path: /home/user/.profile}, expect: ask}
		  - {action: {tool: bash, args: {command: cd x; git push -f}}, expect: deny}
	EOF
	run ptest p.yaml
	assert_success
	assert_output - <<-'EOF'
		TAP version 13
		ok 1 - p.yaml: loads, and the examples of its rules hold
		ok 2 - p.test.yaml: a force \#push
		ok 3 - p.test.yaml: git commit -m 'a b'
		ok 4 - p.test.yaml: write /home/user/project/x
		ok 5 - p.test.yaml: read /home/user/.profile
		ok 6 - p.test.yaml: exec cd x; git push -f
		1..6
		# 6 passed, 0 failed
	EOF
	run ptest p.test.yaml
	assert_success
	run ptest
	assert_success
	assert_line "# 6 passed, 0 failed"
}

@test "a failure says what was expected, what came, and which rule decided; the status is 1" {
	tests p.test.yaml <<-'EOF'
		  - {name: verdict, command: git push -f, expect: allow}
		  - {name: rule, command: git push -f, expect: deny, rule: other}
		  - {name: default, command: git push -f, expect: deny, rule: null}
		  - {name: reason, command: git push -f, expect: deny, reason: because}
		  - {name: error, command: git push -f, expect: error}
		  - {name: right, command: git push -f, expect: deny}
	EOF
	run ptest p.yaml
	assert_failure 1
	assert_equal "$(grep -c '^not ok' <<<"$output")" 5
	assert_line "ok 7 - p.test.yaml: right"
	assert_line "  expected: 'allow'"
	assert_line "  got: 'deny'"
	assert_line "  rule: 'no-force'"
	assert_line "  decided_at: '$T/project/p.yaml:5'"
	assert_line "# 2 passed, 5 failed"
}

@test "an example that does not hold is a failure" {
	sed -i 's/not_match: \["git push"\]/not_match: ["git push -f"]/' p.yaml
	run ptest p.yaml
	assert_failure 1
	assert_line --index 1 "not ok 1 - p.yaml: loads, and the examples of its rules hold"
	assert_line --partial "p.yaml:9:"
}

@test "--json (golden)" {
	tests p.test.yaml <<-'EOF'
		  - {name: good, command: git push -f, expect: deny, rule: no-force}
		  - {name: bad, command: git push, expect: deny}
	EOF
	run --separate-stderr ptest --json p.yaml
	assert_failure 1
	diff -u "$BATS_TEST_DIRNAME/data/test.json" <(jq . <<<"$output")
}

@test "MeshGuard's batch test files are taken as they are" {
	cat >mesh.yaml <<-'EOF'
		name: mesh
		version: "1"
		rules:
		  - {effect: allow, actions: ["read:*"]}
		  - {effect: deny, actions: ["write:*"], reason: No writing.}
		defaultEffect: deny
	EOF
	tests mesh.test.yaml <<-'EOF'
		  - {name: may read, agent: a, action: "read:x", expect: allow}
		  - {name: may not write, agent: a, action: "write:x", context: {k: 1}, expect: deny, reason: No writing}
		  - {name: the default, agent: a, action: "admin:x", expect: deny}
	EOF
	run ptest mesh.test.yaml
	assert_success
	assert_line "# 4 passed, 0 failed"
}

@test "other languages: their words, their default, their errors, and what was spent before" {
	echo 'budget: {max_spend: 1.00}' >budget.yaml
	tests budget.test.yaml <<-'EOF'
		  - {action: {kind: tool, name: x, cost: 0.2}, spent: 0.8, expect: allow}
		  - {action: {kind: tool, name: x, cost: 0.3}, spent: 0.8, expect: deny, reason: Budget exceeded}
		  - {action: {kind: http, url: "http://[::1"}, expect: error}
	EOF
	{
		echo "policy: safe_coding"
		echo "default: deny"
		cat <<-'EOF'
			tests:
			  - {action: {tool: bash, args: rm -rf x}, expect: escalate}
			  - {action: {tool: bash, args: ls}, expect: deny, rule: default}
			  - {action: {kind: exec, argv: [git, push, --force]}, expect: deny, rule: no-destructive-git}
		EOF
	} >coding.test.yaml
	run ptest budget.yaml coding.test.yaml
	assert_success
	assert_line "# 8 passed, 0 failed"
}

@test "a file of tests that is none is an error with its place; the status is 2" {
	local line rest

	while IFS='|' read -r line rest; do
		printf '%b\n' "$line" >bad.test.yaml
		run ptest bad.test.yaml
		assert_equal "$line: $status" "$line: 2"
		assert_output --partial "bad.test.yaml"
		assert_output --partial "$rest"
	done <<-'EOF'
		[]|a map with the key
		tests: []|must be a list of tests
		tets: []|unknown key
		policy: p.yaml\ntests: [{expect: deny}]|either
		policy: p.yaml\ntests: [{command: x, expects: deny}]|unknown key
		policy: p.yaml\ntests: [{command: x, expect: maybe}]|must be allow, flag
		policy: p.yaml\ntests: [{command: x}]|a test needs
		policy: p.yaml\ntests: [{command: "a 'b", expect: deny}]|not closed
		policy: p.yaml\ntests: [{action: {kind: path}, expect: deny}]|needs the key
		policy: p.yaml\nhome: x\ntests: [{command: x, expect: deny}]|absolute
		policy: [1]\ntests: [{command: x, expect: deny}]|must be a file, a name
		tests: [|bad.test.yaml
	EOF
	run ptest nonesuch.test.yaml
	assert_failure 2
	mkdir empty
	run ptest empty
	assert_failure 2
	run ptest --nonsense
	assert_failure 2
}

@test "show: the policy as it was understood loads again, and decides the same" {
	run "$HOLDFAST" policy show --project /home/u/proj coding-agent
	assert_success
	assert_output --partial "/home/u/proj"
	"$HOLDFAST" policy show --project /home/user/project --home /home/user p.yaml >q.yaml
	tests q.test.yaml <<-'EOF'
		  - {command: git push -f, expect: deny, rule: no-force}
		  - {action: {kind: path, op: write, path: /home/user/project/x}, expect: allow, rule: project}
	EOF
	run ptest q.test.yaml
	assert_success
	run "$HOLDFAST" policy show nonesuch
	assert_failure 1
	run "$HOLDFAST" policy show --nonsense
	assert_failure 2
}

@test "list: names, templates too, each once; --json has language, description and rules" {
	mkdir -p "$XDG_CONFIG_HOME/holdfast/policies"
	((EUID == 0)) || cp p.yaml "$XDG_CONFIG_HOME/holdfast/policies/coding-agent.yaml"
	run "$HOLDFAST" policy list
	assert_success
	for name in audit-only coding-agent no-network read-only safe_browsing safe_coding safe_database strict; do
		assert_equal "$name $(grep -c "^$name " <<<"$output")" "$name 1"
	done
	refute_output --partial .test
	((EUID == 0)) || assert_line --regexp "^coding-agent +$XDG_CONFIG_HOME"
	run --separate-stderr "$HOLDFAST" policy list --json
	assert_success
	run jq -e '(map(select(.name == "safe_coding"))[0] | .language == "agent-action-policy" and .rules == 6)
		and (map(select(.name == "no-network"))[0] | .language == "native" and .rules == 4
			and (.description | length > 0) and (.file | endswith("/no-network.yaml")))' <<<"$output"
	assert_success
	run "$HOLDFAST" policy list word
	assert_failure 2
}
