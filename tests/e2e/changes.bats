#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Changes of the tree and of attributes are made by the supervisor, and nobody can tell: errno,
# modes, owners, times and attributes are as without Holdfast. By hand, all 40,000 rows:
# ONE=1 TWO=1 bats tests/e2e/changes.bats

setup() {
	load helpers/common
	hf_setup
	# A tmpfs takes extended attributes of every size, and is fast.
	SHM=$(mktemp -d /dev/shm/holdfast-changes.XXXXXX)
	mkdir "$T/other"
}

teardown() {
	chmod -R u+rwx "$SHM" && rm -rf "$SHM"
	hf_teardown
}

# changes OUTPUT [RUN...]
changes() {
	local out=$1

	shift
	mkdir "$SHM/dir"
	timeout --foreground -k 5 "${HF_CHANGES_DEADLINE:-110}" "$@" "$HF_HELPERS/changes" \
		"$SHM/dir" "$T/other" "${ONE:-5}" "${TWO:-211}" >"$out" 2>"$T/err" || {
		cat "$T/err"
		return 1
	}
	rmdir "$SHM/dir"
}

@test "errno and tree after each change are as natively, under audit and under enforcement" {
	changes "$T/native"
	assert [ "$(wc -l <"$T/native")" -ge 1000 ]
	changes "$T/again"
	cmp "$T/native" "$T/again"
	changes "$T/audit" "$HOLDFAST" run --policy audit-only --log "$LOG" --
	diff <(cut -c-300 "$T/native") <(cut -c-300 "$T/audit")
	cmp "$T/native" "$T/audit"
	policy_open allow </dev/null
	changes "$T/enforce" "$HOLDFAST" run --policy "$POLICY" --log "$T/enforce.jsonl" --
	diff <(cut -c-300 "$T/native") <(cut -c-300 "$T/enforce")
	cmp "$T/native" "$T/enforce"
}

@test "changes are recorded as performed" {
	hf --policy audit-only -- mkdir "$T/made"
	assert_logged '.op == "mkdir" and (.object | endswith("/made")) and .result == "performed"'
}
