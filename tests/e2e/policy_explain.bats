#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# `holdfast policy explain`: which rule decides, where it stands, and that a session decides the same.

bats_require_minimum_version 1.5.0

setup() {
	load helpers/common
	hf_setup
	policy one <<-EOF
		default: {tool: allow, read: allow, write: ask, network: deny, unix: allow}
		rules:
		  - name: no-force
		    match: {tool: git, args_pattern: 'push .*(-f|--force)\b'}
		    action: deny
		    reason: Push to a new branch.
		    suggest: git push origin HEAD:refs/heads/topic
		  - {name: all-git, match: {tool: git}, action: flag}
		  - {name: keys, match: {path: ["$T/keys/**"]}, action: deny, reason: Keys.}
		  - name: api
		    match: {address: [192.0.2.0/24], port: 443}
		    action: ask
		    ask: {timeout: 60, approvers: [carol, "@ops"]}
	EOF
	ONE=$POLICY
	policy two <<-'EOF'
		default: {tool: flag, read: allow, write: allow, network: allow, unix: allow}
		mode: audit
	EOF
	TWO=$POLICY
	mkdir "$T/keys"
}

teardown() {
	hf_teardown
}

explain() {
	timeout 30 "$HOLDFAST" policy explain "$@"
}

# golden TEXT FILTER: standard input after the jq FILTER, with $T as T, is TEXT.
golden() {
	diff -u - <(jq "$2" | sed "s|$T|T|g") <<<"$1"
}

@test "a command: the rule, its file and line, why, what else matches, and what to do instead" {
	skip_without git
	run explain -p "$ONE" -- git push --force origin main
	assert_success
	assert_line --index 0 "deny: exec $(realpath "$(command -v git)") (git push --force origin main)"
	assert_line --index 1 "  policy 'one': deny by rule 'no-force', $ONE:5"
	assert_line --index 2 "    because: Push to a new branch."
	assert_line --index 3 "    instead: git push origin HEAD:refs/heads/topic"
	assert_line --index 4 "    would also match: flag by rule 'all-git' (line 10), allow by default"
	assert_line --index 5 "verdict: deny"
}

@test "several policies: each one's answer, and what the stack makes of them" {
	run explain -p "$ONE" -p "$TWO" -- true
	assert_success
	assert_line "  policy 'one': allow by default, $ONE"
	assert_line "  policy 'two' (audit, only advises): flag by default, $TWO"
	assert_line "verdict: allow, the strictest of 2 policies; if all policies enforced: flag"
}

@test "a script brings its interpreter" {
	printf '#!/usr/bin/env -S sh -e\n' >script
	chmod +x script
	run explain -p "$ONE" -- ./script a 'b c'
	assert_success
	assert_line "allow: exec $T/project/script (./script a b c)"
	assert_line "allow: exec $(realpath /usr/bin/env) (/usr/bin/env -S sh -e ./script a b c)"
	assert_line "verdict: allow, the strictest of 2 steps"
}

@test "a program that is not there is judged by its name, and that is said" {
	run --separate-stderr explain -p "$ONE" -- nonesuch-program x
	assert_success
	assert_line --index 0 "allow: exec nonesuch-program x"
	[[ $stderr == *"there is no program 'nonesuch-program'"* ]]
}

@test "a path is resolved as the kernel would: relative, through links, and where it does not exist yet" {
	ln -s "$T/keys" link
	touch "$T/keys/old"
	for path in link/old ../keys/old ./link/new; do
		run explain -p "$ONE" --path "$path" --op write
		assert_success
		assert_line --index 0 --partial "deny: write $T/keys/"
		assert_line --index 1 "  policy 'one': deny by rule 'keys', $ONE:11"
	done
	run explain -p "$ONE" --path "$PROJECT"
	assert_line --index 0 "allow: read $PROJECT"
	run explain -p "$ONE" --path nowhere/at/all
	assert_failure 1
	run explain -p "$ONE" --path x --op create --op write
	assert_line "verdict: ask, the strictest of 2 steps"
}

@test "a connection: by address, by name, and the settings of the question" {
	run explain -p "$ONE" --connect 192.0.2.7:443
	assert_success
	assert_line "    asks carol, @ops, for 60 s"
	run explain -p "$ONE" --connect 192.0.2.7:80
	assert_line "  policy 'one': deny by default, $ONE"
	run explain -p "$ONE" --connect '[::ffff:192.0.2.7]:443'
	assert_line --index 0 "ask: connect 192.0.2.7:443"
	run explain -p "$ONE" --connect example.org:443
	assert_line --index 0 "deny: connect example.org:443"
	run explain -p "$ONE" --connect unix:/run/x.sock
	assert_line --index 0 "allow: connect /run/x.sock"
	for bad in example.org example.org:x :80 ::1:80 example.org:70000; do
		run explain -p "$ONE" --connect "$bad"
		assert_equal "$bad $status" "$bad 2"
	done
}

@test "--action takes what policy eval takes" {
	run explain -p "$ONE" --action '{"tool":"bash","args":{"command":"cd x && git push -f"}}'
	assert_success
	assert_line "deny: exec git push -f"
	assert_line "verdict: deny, the strictest of 3 steps"
	run explain -p "$ONE" --action '{"tol":"bash"}'
	assert_failure 1
	run explain -p audit-only --action '{"tool":"send_mail","args":{"to":"x"}}'
	assert_line --index 0 'allow: tool send_mail (to=x)'
	run explain -p audit-only --action '{"action":"read:x","resource":"r"}'
	assert_line --index 0 'allow: tool read:x (r)'
	run explain -p safe_coding --action '{"tool":"bash","args":"rm -rf /"}'
	assert_line --partial "ask by rule 'no-rm-rf'"
}

@test "--json: one object (golden)" {
	explain --json -p "$ONE" -p "$TWO" --path "$T/keys/a" --op delete | golden "$(cat "$BATS_TEST_DIRNAME/data/explain.json")" .
}

@test "--plan: the layers are those of the session's first record" {
	run explain --plan --json -p "$ONE"
	assert_success
	local plan=$output
	hf --policy "$ONE" -- true
	assert_equal "$(jq -c .layers <<<"$plan")" "$(log_select '.event == "session_start"' | jq -c .layers)"
	run explain --plan -p no-network
	assert_line --regexp '^path-read +none +no rule or default decides on reads'
}

@test "a session decides as explain says it would" {
	skip_without git
	local explained logged args

	for args in "git push --force x" "git status" "true"; do
		rm -f "$LOG"
		# shellcheck disable=SC2086
		explained=$(explain --json -p "$ONE" -- $args | jq -c '[.steps[0] | .verdict, .object]')
		# shellcheck disable=SC2086
		run hf --policy "$ONE" --ask deny -- $args
		session_ended
		logged=$(log_select '.event == "action" and .kind == "tool"' | head -n 1 | jq -c '[.verdict, .object]')
		assert_equal "$args $logged" "$args $explained"
	done
	rm -f "$LOG"
	run hf --policy "$ONE" --ask deny -- cat "$T/keys/a"
	touch "$T/keys/a"
	run hf --policy "$ONE" --ask deny -- cat "$T/keys/a"
	assert_failure
	assert_equal "$(explain --json -p "$ONE" --path "$T/keys/a" | jq -r .rule)" keys
	assert_logged '.rule == "keys" and .verdict == "deny"'
}

@test "FILE alone is AgentPolicy's own explain" {
	echo 'budget: {max_spend: 5}' >a.yaml
	run explain a.yaml
	assert_success
	assert_equal "$(jq -r .budget <<<"$output")" 5
	run explain "$ONE"
	assert_failure 2
}

@test "the default policy is run's, and wrong usage is status 2" {
	run explain -- true
	assert_success
	assert_line --partial "policy 'coding-agent'"
	local args
	for args in "" "--path /x -- true" "--path /x --connect a:1" "--path" "--op fly --path /x" "--op read -- true" \
		"--op connect --path /x" "--protocol x --connect a:1" "--nonsense" "-p x y.yaml"; do
		# shellcheck disable=SC2086
		run --separate-stderr explain $args
		assert_equal "$args: $status" "$args: 2"
		[[ $stderr == holdfast:* ]]
	done
	run explain --help
	assert_success
}

@test "what an agent wrote is escaped" {
	run explain -p "$ONE" --action '{"kind":"exec","argv":["\u001b[2Jx\n"]}'
	assert_success
	assert_line --index 0 'allow: exec \x1b[2Jx\n'
}
