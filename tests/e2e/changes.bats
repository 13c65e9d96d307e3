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
	# No rule on a path: one below "/" would deny to rename that, which fails natively.
	policy allow <<-YAML
		log_reads: true
		default: allow
		rules:
		  - {name: never, match: {tool: never-there}, action: deny}
	YAML
	changes "$T/enforce" "$HOLDFAST" run --policy "$POLICY" --log "$T/enforce.jsonl" --
	diff <(cut -c-300 "$T/native") <(cut -c-300 "$T/enforce")
	cmp "$T/native" "$T/enforce"
}

@test "changes are recorded as performed" {
	hf --policy audit-only -- mkdir "$T/made"
	assert_logged '.op == "mkdir" and (.object | endswith("/made")) and .result == "performed"'
}

@test "in a directory deeper than the kernel can name, programs run and rules hold" {
	policy deep <<-YAML
		default: allow
		rules:
		  - {name: there, match: {path: ["$T/deep/**/secret"]}, action: deny}
	YAML
	mkdir "$T/deep"
	cd "$T/deep"
	run hf --policy "$POLICY" -- python3 -c 'if True:
		import os, subprocess
		for i in range(60):
		    os.mkdir("d" * 99)
		    os.chdir("d" * 99)
		print(subprocess.run(["/bin/echo", "ran"], capture_output=True).stdout)
		open("file", "w").close()
		os.rename("file", "other")
		for f in lambda: open("secret", "w"), lambda: os.rename("other", "secret"):
		    try:
		        f()
		    except OSError as e:
		        print(e.strerror)'
	assert_output "$(printf '%s\n' "b'ran\\n'" "Permission denied" "Permission denied")"
	hf --policy "$POLICY" -- rm -r "$T/deep/$(printf 'd%.0s' {1..99})"
}

# Its limits cannot be asked for with prlimit(2), nor its process be signalled with its own rights.
@test "a task that became another user makes its files longer, up to its limit" {
	skip_unless_root "to become another user"
	: >"$SHM/file"
	chown 65534 "$SHM" "$SHM/file"
	truncates() {
		"$@" setpriv --reuid=65534 --clear-groups python3 -c 'if True:
			import os, resource, signal, sys
			signal.signal(signal.SIGXFSZ, lambda *_: print("signal"))
			os.truncate(sys.argv[1], 123)
			resource.setrlimit(resource.RLIMIT_FSIZE, (200, 400))
			for n in 200, 201, 100:
			    try:
			        os.truncate(sys.argv[1], n)
			    except OSError as e:
			        print(e.strerror)
			    print(os.stat(sys.argv[1]).st_size)' "$SHM/file"
	}
	run truncates
	assert_output "$(printf '%s\n' 200 signal "File too large" 200 100)"
	run truncates hf --policy audit-only --
	assert_output "$(printf '%s\n' 200 signal "File too large" 200 100)"
}

# race WAY: an attacker changes what a path or descriptor means between check and use.
# RACE_ROUNDS=200000 for a soak.
race_setup() {
	mkdir "$T/allowed" "$T/forbidden" "$T/forbidden/vd"
	echo allowed >"$T/allowed/f"
	echo forbidden >"$T/forbidden/f"
	touch "$T/allowed/fresh" "$T/forbidden/victim"
}

race() {
	race_setup
	policy race <<-YAML
		log_reads: true
		default: allow
		rules:
		  - {name: look, match: {path: ["$T/forbidden", "$T/forbidden/**"], op: [read]}, action: allow}
		  - {name: touch, match: {path: ["$T/forbidden/**"]}, action: deny}
	YAML
	run hf --policy "$POLICY" -- "$HF_HELPERS/change_race" "$1" "${RACE_ROUNDS:-4000}" \
		"$T/allowed" "$T/forbidden"
	assert_success
	assert_output --regexp "^wins=0 denied=[1-9][0-9]* other=[1-9]"
}

# The attack is one: without Holdfast it works.
race_is_won_natively() {
	local _

	race_setup
	for _ in {1..20}; do
		run timeout --foreground 60 "$HF_HELPERS/change_race" "$1" 20000 "$T/allowed" "$T/forbidden"
		[[ $output == wins=0\ * ]] || break
	done
	assert_failure 1
	assert_output --regexp "^wins=[1-9]"
}

@test "a thread that flips the path changes nothing forbidden" {
	race buffer
}

@test "a process that flips a symbolic link changes nothing forbidden" {
	race symlink
}

@test "a process that exchanges a directory and a link changes nothing forbidden" {
	race exchange
}

@test "a thread that puts other descriptors under the number changes nothing forbidden" {
	race descriptors
}

@test "natively, each of these races is won" {
	for way in buffer symlink exchange descriptors; do
		race_is_won_natively "$way"
		rm -rf "$T/allowed" "$T/forbidden"
	done
}
