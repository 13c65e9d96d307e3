#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Policies in other languages, and what real processes may do under them.

setup() {
	load helpers/common
	hf_setup
	git init -q .
	mkdir "$HOME/.aws"
	echo secret >"$HOME/.aws/credentials"
}

teardown() {
	hf_teardown
}

# under POLICY COMMAND...: what is asked about is denied after a second.
under() {
	run "$HOLDFAST" run --policy "$1" --log "$LOG" --ask-timeout 1 -- "${@:2}"
}

# decided VERDICT RULE: some record of the log says so.
decided() {
	jq -se --arg v "$1" --arg r "$2" 'any(.[]; .verdict == $v and .rule == $r)' "$LOG" >/dev/null
}

@test "safe_coding stops a forced push, however it is started" {
	printf '#!/bin/sh\ngit push --force\n' >push.sh
	chmod +x push.sh
	for command in "git push --force" "sh -c 'true; git push --force'" ./push.sh \
		"python3 -c 'import subprocess; subprocess.run([\"git\", \"push\", \"--force\"])'"; do
		rm -f "$LOG"
		eval "under safe_coding $command"
		assert_failure
		decided deny no-destructive-git
	done
	under safe_coding git status
	assert_success
}

@test "safe_coding holds what reads credentials" {
	under safe_coding cat "$HOME/.aws/credentials"
	assert_failure
	refute_output --partial secret
	decided ask no-credential-access
	under safe_coding sh -c 'exec 3<~/.aws/credentials'
	assert_failure
}

@test "a policy on programs alone leaves reads untrapped" {
	printf 'policies:\n- {name: a, match: {tool: bash, args_pattern: nothing}}\n' >p.yaml
	under ./p.yaml true
	assert_success
	head -n 1 "$LOG" | jq -e '.layers[] | select(.class == "path-read") | .layer == "none"'
	printf 'policies:\n- {name: a, match: {tool: "*", args_pattern: nothing}}\n' >p.yaml
	rm "$LOG"
	under ./p.yaml true
	head -n 1 "$LOG" | jq -e '.layers[] | select(.class == "path-read") | .layer != "none"'
}

@test "MeshGuard's actions are what processes do" {
	cat >mesh.yaml <<-'END'
		name: mesh
		version: "1"
		appliesTo: {tags: [t]}
		rules:
		  - effect: deny
		    actions: ["write:file"]
		    conditions: {resource: {matches: ["./secret/**"]}}
		    reason: Not there.
		  - effect: deny
		    actions: ["execute:shell"]
		    conditions: {resource: {contains: "push --force"}}
		  - {effect: allow, actions: ["*"]}
	END
	mkdir secret
	under ./mesh.yaml touch ok
	assert_success
	under ./mesh.yaml touch secret/x
	assert_failure
	decided deny "Rule 1"
	under ./mesh.yaml sh -c 'git push --force'
	assert_failure
	decided deny "Rule 2"
	run "$HOLDFAST" policy eval -p ./mesh.yaml <<<'{"action": "write:file", "resource": "./secret/x"}'
	assert_success
	assert_output --partial '"policy":"mesh","rule":"Rule 1","reason":"Not there."'
}
