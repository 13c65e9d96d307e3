#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Load and faults, with small numbers; `make soak` has the large ones.

setup() {
	load helpers/common
	hf_setup
}

teardown() {
	hf_teardown
}

# soak PART: shows its figures.
soak() {
	skip_without python3 cc unshare
	export TMPDIR=$T
	run timeout 250 "$REPO/tests/soak/soak.py" "$HOLDFAST" --quick "$1"
	assert_success
	assert_output --regexp "^$1: "
	[[ $output != *skipped:* ]] || skip "${output#*skipped: }"
}

@test "a storm of notifications: each gets its record" {
	soak storm
}

@test "many processes: each action gets its record" {
	soak processes
}

@test "zombies: each process that they were has its record" {
	soak zombies
}

@test "connections that the kernel decides on, too fast to be written: each has a record or is counted" {
	soak ring
}

@test "hundreds of held actions: no descriptors, all answered quickly" {
	soak held
}

@test "a supervisor without descriptors denies and lives" {
	soak fds
}

@test "a supervisor without memory and threads denies and lives" {
	soak memory
}

@test "a log on a full file system: nothing happens without a record" {
	soak log-full
}

@test "EIO and ENOSPC of the log: nothing happens without a record" {
	soak log-error
}

@test "a stopped supervisor: the agent waits and goes on" {
	soak stop
}

@test "a file system that hangs: only who asks it waits, and can be killed" {
	soak fuse
}

@test "the time of day jumps: deadlines do not care" {
	soak clock
}

@test "what a supervisor holds does not grow with what it decided on" {
	soak million
}
