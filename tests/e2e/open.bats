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

@test "rights that a task of root gave up are not lent to it" {
	((EUID == 0)) || skip "only root has rights to give up"
	D=$(mktemp -d)
	chmod 0755 "$D"
	mkdir -m 0700 "$D/closed"
	echo inside >"$D/closed/file"
	echo root >"$D/root"
	echo other >"$D/other"
	chown 1234 "$D/other"
	chmod 0600 "$D/root" "$D/other"
	echo group >"$D/group"
	chown 0:42 "$D/group"
	chmod 0040 "$D/group"
	cat >"$D/steps" <<-'SH'
		cd "$1" || exit
		cat root closed/file
		setpriv --reuid=65534 --regid=65534 --clear-groups cat root group closed/file
		setpriv --reuid=65534 --regid=65534 --groups=42 cat root group
		setpriv --bounding-set=-all --inh-caps=-all cat root other
		cat other
	SH
	run sh "$D/steps" "$D"
	local native=$output

	run hf --policy audit-only -- sh "$D/steps" "$D"
	rm -r "$D"
	assert_equal "$output" "$native"
	assert_equal "$(grep -c denied <<<"$output")" 5
}

@test "a FIFO waits for its other end, and only for that" {
	mkfifo "$T/fifo"
	run hf --policy audit-only -- sh -c 'cat "$1" & echo through >"$1"; wait' sh "$T/fifo"
	assert_success
	assert_output "through"

	# Without a reader a writer that does not wait fails; a reader that does not wait succeeds.
	run hf --policy audit-only -- python3 -c '
import os, sys
try:
    os.open(sys.argv[1], os.O_WRONLY | os.O_NONBLOCK)
except OSError as e:
    print(e.strerror)
print(os.read(os.open(sys.argv[1], os.O_RDONLY | os.O_NONBLOCK), 1))' "$T/fifo"
	assert_line --index 0 "No such device or address"
	assert_line --index 1 "b''"
}

@test "a FIFO that waits can be killed" {
	mkfifo "$T/fifo"
	run hf --policy audit-only -- timeout -s KILL 1 cat "$T/fifo"
	assert_equal "$status" 137
}

@test "/dev/tty is the terminal of the process that opens it, or none" {
	cat >"$T/steps" <<-'SH'
		setsid sh -c 'echo lost >/dev/tty' 2>&1
		script -qec 'tty; echo into the new terminal >/dev/tty' /dev/null </dev/null | tr -d '\r'
	SH
	run hf --policy audit-only -- sh "$T/steps"
	assert_line --index 0 --partial "No such device or address"
	assert_line --index 1 --regexp '^/dev/pts/[0-9]+$'
	assert_line --index 2 "into the new terminal"
}

@test "a process with a user namespace of its own opens as that namespace lets it" {
	unshare -Ur true 2>/dev/null || skip "no user namespaces here"
	cat >"$T/namespaces.yaml" <<-YAML
		version: 1
		name: namespaces
		default: allow
		grant: [mount, namespaces]
	YAML
	cat >"$T/steps" <<-'SH'
		unshare -Ur sh -c 'cat /proc/self/uid_map; grep Uid: /proc/self/status; cat "$1"' sh "$1"
		unshare -Urpf --mount-proc sh -c 'cut -d" " -f2 /proc/self/stat; exec 5<"$2"; cat /dev/fd/5' sh "$1" "$2"
		unshare -Ur unshare -Ur id -u
	SH
	echo hidden >"$T/hidden"
	echo open >"$T/open"
	chmod 0000 "$T/hidden"
	run sh "$T/steps" "$T/hidden" "$T/open"
	local native=$output

	assert_line "hidden"
	run hf --policy "$T/namespaces.yaml" -- sh "$T/steps" "$T/hidden" "$T/open"
	assert_equal "$output" "$native"
}

@test "nothing of the guards can be opened, by a link, a thread's number or a descriptor" {
	run hf --policy audit-only -- python3 "$BATS_TEST_DIRNAME/helpers/guard_files.py"
	assert_success
	assert_line "looked at thread yes"
	assert_line "looked at launcher yes"
	refute_output --partial opened
}

@test "/proc/self is the caller in the procfs of a PID namespace, too" {
	unshare -Urpf --mount-proc true 2>/dev/null || skip "user namespaces are not to be had"
	printf 'version: 1\nname: all\nlog_reads: true\ndefault: allow\ngrant: all\n' >"$T/all.yaml"
	run hf --policy "$T/all.yaml" -- unshare -Urpf --mount-proc \
		bash -c 'cat <(echo substituted); cat /proc/self/fd/0 <<<here; cat /proc/thread-self/comm'
	assert_success
	assert_output $'substituted\nhere\ncat'
}

@test "a task of root in a user namespace of its own opens without the session's rights" {
	[[ $(id -u) == 0 ]] || skip "only root has rights to lose"
	printf 'version: 1\nname: all\nlog_reads: true\ndefault: allow\ngrant: all\n' >"$T/all.yaml"
	echo text >"$T/owned"
	chown 1234:1234 "$T/owned"
	chmod 600 "$T/owned"
	run hf --policy "$T/all.yaml" -- cat "$T/owned"
	assert_output text
	run hf --policy "$T/all.yaml" -- unshare -U cat "$T/owned"
	assert_failure
	assert_output --partial "Permission denied"
}
