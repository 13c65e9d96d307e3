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
