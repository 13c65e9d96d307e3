#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# `holdfast policy eval`: actions as JSON in, decisions as JSON out.

bats_require_minimum_version 1.5.0

setup() {
	load helpers/common
	hf_setup
	policy native <<-EOF
		default: {tool: allow, read: allow, write: ask, network: deny, unix: allow}
		rules:
		  - name: no-force
		    match: {tool: git, args_pattern: 'push .*(-f|--force)\b'}
		    action: deny
		    reason: Push to a new branch.
		  - {name: keys, match: {path: ["$T/keys/**"]}, action: deny}
	EOF
	NATIVE=$POLICY
	cat >"$T/budget.yaml" <<-EOF
		budget: {max_spend: 1.00}
		tools: {block: [rm]}
		approval: {require_for: [{tool: deploy}]}
	EOF
}

teardown() {
	hf_teardown
}

# batch ARGS...: policy eval --batch with standard input.
batch() {
	timeout 60 "$HOLDFAST" policy eval --batch "$@"
}

@test "one action: its answer has exactly these keys, and the status is 0 whatever the verdict" {
	run --separate-stderr "$HOLDFAST" policy eval -p "$NATIVE" <<<'{"kind":"exec","argv":["git","push","-f"]}'
	assert_success
	assert_output '{"verdict":"deny","word":"deny","policy":"native","rule":"no-force","reason":"Push to a new branch.","spent":0.0,"remaining":0.0}'
	assert_equal "$stderr" ""
}

@test "one action may be written on several lines" {
	run "$HOLDFAST" policy eval -p "$NATIVE" <<-EOF
		{"kind": "path", "op": "read",
		 "path": "$T/keys/a"}
	EOF
	assert_success
	assert_equal "$(jq -r .rule <<<"$output")" keys
}

@test "a batch is answered line by line in order, empty lines aside; what is no action does not end it" {
	run --separate-stderr batch -p "$NATIVE" < <(
		printf '%s\n' '{"tool":"ls"}' '' '  ' nonsense '[1]' '{"kind":"path","op":"fly","path":"/"}' \
			'{"tool":"bash","args":{"command":"cd x; git push --force"}}'
		printf '{"tool":"read_file","args":{"path":"%s"}}' "$T/keys/k"
	)
	assert_failure 1
	assert_equal "${#lines[@]}" 6
	assert_equal "$(jq -r '.verdict // "error"' <<<"$output" | tr '\n' ' ')" "allow error error error deny deny "
	[[ ${lines[3]} == *"'op'"* ]]
	assert_equal "$stderr" ""
}

@test "an answer is there before the next action is sent" {
	local answer

	coproc EVAL { batch -p "$NATIVE"; }
	started "$EVAL_PID"
	for n in 1 2 3; do
		echo '{"tool":"ls","args":'$n'}' >&"${EVAL[1]}"
		read -rt "$HF_DEADLINE" answer <&"${EVAL[0]}"
		assert_equal "$(jq -r .verdict <<<"$answer")" allow
	done
}

@test "a hundred thousand lines take seconds, not minutes" {
	run timeout 30 bash -c '
		jq -nc "range(100000) | {tool: \"bash\", args: {command: \"git push \(.) -f\"}}" |
			"$1" policy eval --batch -p "$2" | sort | uniq -c' - "$HOLDFAST" "$NATIVE"
	assert_success
	assert_equal "${#lines[@]}" 1
	[[ ${lines[0]} =~ ^\ *100000\ .*no-force ]]
}

@test "an action that is larger than 64 MiB is an error, and the next one is answered" {
	run bash -c '{
		printf "{\"tool\":\"x\",\"args\":\""
		head -c 70000000 /dev/zero | tr "\\0" a
		printf "\"}\n{\"tool\":\"ls\"}\n"
	} | "$1" policy eval --batch -p "$2"' - "$HOLDFAST" "$NATIVE"
	assert_failure 1
	assert_equal "${#lines[@]}" 2
	[[ ${lines[0]} == *"64 MiB"* ]]
	assert_equal "$(jq -r .verdict <<<"${lines[1]}")" allow
}

@test "hostile bytes: what comes back is JSON, byte for byte" {
	policy odd <<-'EOF'
		default: allow
		rules:
		  - {name: "r", match: {tool: "*"}, action: deny, reason: "tab\there, \"quotes\", \\x41"}
	EOF
	run batch -p "$POLICY" < <(
		printf '%s\n' '{"tool":"\ud800\u0000\u202e"}' '{"tool":"x","args":"\u001b[2J"}'
		printf '{"tool":"\xff\xfe"}\n'
		printf '{"tool":"a\0b"}\n'
	)
	assert_failure 1
	assert_equal "$(jq -r '.reason // "error"' <<<"$output" | tr '\n' '|')" $'tab\there, "quotes", \\x41|tab\there, "quotes", \\x41|error|error|'
}

@test "spend is the session's; a denied action costs nothing" {
	run batch -p "$T/budget.yaml" < <(
		printf '%s\n' '{"kind":"tool","name":"ls","cost":0.1}' '{"kind":"tool","name":"rm","cost":0.1}' \
			'{"kind":"tool","name":"deploy","cost":0.5}' \
			'{"kind":"tool","name":"deploy","cost":0.2,"approved":true}' \
			'{"kind":"cost","cost":0.8}' '{"kind":"http","url":"https://x.org/","cost":0.7}'
	)
	assert_success
	assert_equal "$(jq -r '"\(.word) \(.spent)"' <<<"$output" | tr '\n' '|')" \
		"allow 0.1|deny 0.1|require_approval 0.1|allow 0.30000000000000004|deny 0.30000000000000004|allow 1|"
	[[ ${lines[0]} == *'"spent":0.1,"remaining":0.9}' ]]
	[[ ${lines[4]} == *'"reason":"Budget exceeded: $1.1000 would exceed $1.00"'* ]]
}

@test "a native budget decides as it would in a session" {
	policy limited <<-'EOF'
		default: allow
		budget: {max_spend: 1.00, soft_limit: 0.5, max_execs: 3}
		rules:
		  - {name: git, match: {tool: git}, action: allow, cost: 0.3}
	EOF
	run batch -p "$POLICY" < <(
		printf '%s\n' '{"kind":"cost","cost":0.4}' '{"kind":"exec","argv":["git"]}' '{"kind":"cost","cost":0.4}' \
			'{"kind":"exec","argv":["ls"]}' '{"kind":"exec","argv":["ls"]}' '{"kind":"exec","argv":["ls"]}'
	)
	assert_success
	assert_equal "$(jq -r '"\(.verdict) \(.spent)"' <<<"$output" | tr '\n' '|')" \
		"allow 0.4|flag 0.7|deny 0.7|allow 0.7|allow 0.7|deny 0.7|"
	[[ ${lines[2]} == *'"rule":"budget","reason":"budget: max_spend 1.00 reached'* ]]
	[[ ${lines[5]} == *'budget: max_execs 3 reached'* ]]
}

@test "the loop guard answers with an error, and the cost stays charged" {
	run batch -p "$T/budget.yaml" < <(
		for _ in {1..11}; do echo '{"kind":"tool","name":"ls","cost":0.01}'; done
		echo '{"kind":"tool","name":"ls"}'
	)
	assert_success
	assert_equal "$(jq -r '.verdict // .error' <<<"$output" | tail -n 4 | tr '\n' '|')" \
		"allow|Loop detected: repeated calls to 'policy:tool'|Loop detected: repeated calls to 'policy:tool'|allow|"
	[[ ${lines[11]} == *'"spent":0.1'[0-9]* ]]
}

@test "--session-report is AgentPolicy's, after the answers" {
	run batch --session-report -p "$T/budget.yaml" <<<'{"kind":"tool","name":"rm","cost":0.1}'
	assert_success
	assert_equal "${#lines[@]}" 2
	run jq -e '.decision_summary.deny == 1 and .policy_hits.denied_tools == ["rm"] and .budget == 1
		and (.session_id | test("^pol_[0-9a-f]{12}$"))' <<<"${lines[1]}"
	assert_success
}

@test "an action that the original raises on is an error; alone the status is 1" {
	run "$HOLDFAST" policy eval -p "$T/budget.yaml" <<<'{"kind":"http","url":"http://[::1"}'
	assert_failure 1
	assert_output '{"error":"Invalid IPv6 URL"}'
	run batch -p "$T/budget.yaml" <<<'{"kind":"http","url":"http://[::1"}'
	assert_success
}

@test "of several policies the strictest verdict wins" {
	run batch -p "$NATIVE" -p "$T/budget.yaml" < <(
		printf '%s\n' '{"kind":"tool","name":"rm"}' '{"kind":"exec","argv":["git","push","-f"]}' \
			'{"kind":"tool","name":"ls"}'
	)
	assert_success
	assert_equal "$(jq -r '"\(.verdict) \(.policy)"' <<<"$output" | tr '\n' '|')" "deny budget|deny native|allow native|"
}

@test "agent-action-policy: its own words, and its default" {
	local lines_in='{"tool":"bash","args":{"command":"rm -rf x"}}
{"tool":"bash","args":{"command":"ls"}}'

	run batch -p safe_coding <<<"$lines_in"
	assert_success
	assert_equal "${lines[0]}" '{"verdict":"ask","word":"escalate","policy":"safe_coding","rule":"no-rm-rf","reason":"Recursive file deletion needs confirmation","spent":0.0,"remaining":0.0}'
	assert_equal "${lines[1]}" '{"verdict":"allow","word":"approve","policy":"safe_coding","rule":"","reason":"No matching policy \u2014 default approve","spent":0.0,"remaining":0.0}'
	run batch -p safe_coding --default deny <<<"$lines_in"
	assert_equal "$(jq -r '"\(.word) \(.rule)"' <<<"${lines[1]}")" "deny default"
}

@test "a policy that the original refuses is refused: status 1, nothing on stdout" {
	echo 'tools: {allow: [a], block: [a]}' >"$T/bad.yaml"
	run --separate-stderr batch -p "$T/bad.yaml" <<<'{"tool":"ls"}'
	assert_failure 1
	assert_output ""
	[[ $stderr == *"Tool cannot be both allowed and blocked"* ]]
}

@test "wrong usage is status 2" {
	for args in "" "--batch" "-p" "-p x --default maybe" "-p x --language klingon" "-p x --nonsense" "-p x word"; do
		# shellcheck disable=SC2086
		run --separate-stderr "$HOLDFAST" policy eval $args </dev/null
		assert_equal "$args: $status" "$args: 2"
		assert_output ""
		[[ $stderr == holdfast:* ]]
	done
	run "$HOLDFAST" policy eval --help
	assert_success
	assert_output --partial '"tool":T'
}

@test "who asks: a policy that does not apply is left out" {
	policy mine <<-'EOF'
		applies_to: {agents: [claude]}
		default: deny
	EOF
	run "$HOLDFAST" policy eval -p "$NATIVE" -p "$POLICY" --agent codex <<<'{"tool":"ls"}'
	assert_equal "$(jq -r .verdict <<<"$output")" allow
	run "$HOLDFAST" policy eval -p "$NATIVE" -p "$POLICY" --agent claude <<<'{"tool":"ls"}'
	assert_equal "$(jq -r .verdict <<<"$output")" deny
}
