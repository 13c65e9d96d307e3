#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Opens that Holdfast performs give the agent what its own would have given.

setup() {
	load helpers/common
	hf_setup
}

teardown() {
	hf_teardown
}

@test "some thousand opens give supervised what they give natively" {
	local way

	for way in native supervised; do
		local command=("$HF_HELPERS/open_cases" "$T/tree")

		# bats leaves descriptors of its own open, which would shift the numbers.
		[[ $way == native ]] ||
			command=("$HOLDFAST" run --policy audit-only --log "$LOG" -- "${command[@]}")
		mkdir "$T/tree"
		"$HF_HELPERS/with" -c 3 "${command[@]}" >"$T/$way" </dev/null
		chmod -R u+rwx "$T/tree"
		rm -rf "$T/tree"
	done
	((4000 < $(wc -l <"$T/native")))
	diff -a "$T/native" "$T/supervised"
}

# race WAY: an attacker changes what an open means between check and use. RACE_ROUNDS=200000 for a soak.
race() {
	mkdir "$T/allowed" "$T/forbidden"
	echo allowed >"$T/allowed/f"
	echo Forbidden >"$T/forbidden/f"
	cat >"$T/race.yaml" <<-YAML
		version: 1
		name: race
		default: allow
		rules:
		  - {name: forbidden, match: {path: ["$T/forbidden/**"]}, action: deny}
	YAML
	run hf --policy "$T/race.yaml" -- \
		"$HF_HELPERS/open_race" "$1" "${RACE_ROUNDS:-${2:-4000}}" "$T/allowed" "$T/forbidden"
	assert_success
	assert_output --regexp "^wins=0 opened=[1-9][0-9]* "
}

@test "a thread that flips the path never gets the forbidden file" {
	race buffer 10000
	assert_output --regexp " refused=[1-9]"
}

@test "a thread that flips struct open_how never gets the forbidden file" {
	race how
}

@test "a process that flips a symbolic link never gets the forbidden file" {
	race symlink
	assert_output --regexp " refused=[1-9]"
}

@test "a process that flips a file and a link never gets the forbidden file" {
	race file-and-link
}

@test "a process that flips a file and a link while it is created never gets the forbidden file" {
	race create-and-link
}

@test "a process that renames directories never gets the forbidden file" {
	race directory
}

@test "a process that exchanges directories never gets the forbidden file" {
	race exchange
	assert_output --regexp " refused=[1-9]"
}

@test "a process that puts hard links never gets the forbidden file" {
	race hard-link
}
