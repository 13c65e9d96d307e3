#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# `holdfast syscalls` prints the table that the filter is made from.

setup() {
	load helpers/common
	hf_setup
}

teardown() {
	hf_teardown
}

@test "the three forms have the same rows" {
	local count

	"$HOLDFAST" syscalls --json >"$T/json"
	count=$(jq length "$T/json")
	((count > 50))
	assert_equal "$("$HOLDFAST" syscalls --markdown | grep -cE '^\| [a-z0-9_]+ \| [0-9]+ \|')" "$count"
	assert_equal "$("$HOLDFAST" syscalls | sed '/^$/,$d' | tail -n +2 | wc -l)" "$count"
}

@test "each row of the JSON form has the documented keys" {
	"$HOLDFAST" syscalls --json >"$T/json"
	assert_equal "$(jq -r '[.[] | keys_unsorted | join(" ")] | unique[]' "$T/json")" \
		"name number class shape op group trapped_when"
	assert_equal "$(jq -c '.[] | select(.name == "execve")' "$T/json")" \
		'{"name":"execve","number":59,"class":"tool","shape":"exec","op":"exec","group":null,"trapped_when":"always"}'
}

@test "wrong usage is one line and status 2" {
	run "$HOLDFAST" syscalls --nonsense
	assert_equal "$status" 2
	assert_equal "${#lines[@]}" 1
	assert_output --partial "--nonsense"
	run "$HOLDFAST" syscalls more
	assert_equal "$status" 2
	assert_output --partial "more"
}

@test "a full disk behind stdout is an error" {
	run bash -c '"$1" syscalls >/dev/full' bash "$HOLDFAST"
	assert_equal "$status" 1
	assert_output --partial "No space left"
}
