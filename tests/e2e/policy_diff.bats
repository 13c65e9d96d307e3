#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# `policy diff`: what two policies decide otherwise.

setup() {
	load helpers/common
	hf_setup
	cat >a.yaml <<-'END'
		version: 1
		name: a
		default: {tool: allow, read: allow, write: ask, network: ask, unix: allow}
		rules:
		- {name: keys, match: {path: "~/.ssh/**"}, action: deny}
		- {name: pypi, match: {domain: "*.pypi.org", port: 443}, action: allow}
		- {name: push, match: {argv: [git, push, [--force, -f]]}, action: deny}
	END
	sed -e 's/name: a/name: b/' -e '/keys/d' -e 's/--force, -f/--force/' a.yaml >b.yaml
}

teardown() {
	hf_teardown
}

@test "the same policy: no difference, status 0" {
	run "$HOLDFAST" policy diff a.yaml a.yaml
	assert_success
	assert_output --regexp '^0 of [0-9]+ actions differ$'
	run "$HOLDFAST" policy diff coding-agent coding-agent
	assert_success
}

@test "a rule that is gone shows, with both verdicts and rules" {
	run "$HOLDFAST" policy diff a.yaml b.yaml
	assert_failure 1
	assert_line "read $HOME/.ssh/id_rsa: deny (keys) -> allow (default)"
	assert_line "read $HOME/.ssh/x: deny (keys) -> allow (default)"
	refute_line --partial "pypi.org"
	assert_line --regexp '^[0-9]+ of [0-9]+ actions differ$'
}

@test "each rule of either side is tried on something that it matches" {
	sed -i '/pypi/d' b.yaml
	run "$HOLDFAST" policy diff a.yaml b.yaml
	assert_line "connect x.pypi.org:443/tcp: allow (pypi) -> ask (default)"
	run "$HOLDFAST" policy diff b.yaml a.yaml
	assert_line "connect x.pypi.org:443/tcp: ask (default) -> allow (pypi)"
}

@test "actions of one's own, and --json" {
	printf '%s\n' '{"kind":"exec","argv":["git","push","-f"]}' '{"tool":"bash","args":"git push --force"}' \
		'{"kind":"exec","argv":["git","push","-f"]}' >actions
	run "$HOLDFAST" policy diff --json --actions actions a.yaml b.yaml
	assert_failure 1
	python3 - "$output" <<-'END'
		import json, sys
		o = json.loads(sys.argv[1])
		assert o["actions"] == 2, o
		d, = o["differences"]
		assert d["action"] == '{"kind":"exec","argv":["git","push","-f"]}', d
		assert (d["a"]["verdict"], d["a"]["rule"]) == ("deny", "push"), d
		assert (d["b"]["verdict"], d["b"]["rule"]) == ("allow", None), d
	END
}

@test "other languages are compared too" {
	run "$HOLDFAST" policy diff safe_coding a.yaml
	assert_failure 1
	assert_line --regexp '^exec git reset --hard: deny \(no-destructive-git\) -> allow \(default\)$'
}

@test "what cannot be read is status 2" {
	run "$HOLDFAST" policy diff a.yaml none.yaml
	assert_failure 2
	run "$HOLDFAST" policy diff a.yaml
	assert_failure 2
	echo 'not json' >actions
	run "$HOLDFAST" policy diff --actions actions a.yaml b.yaml
	assert_failure 2
	assert_output --partial "actions:1: not valid JSON"
}
