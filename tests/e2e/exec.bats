#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# What is executed is what was judged: races, and that nothing is disturbed by looking.

setup_file() {
	export ROUNDS=${RACE_ROUNDS:-150}
}

setup() {
	load helpers/common
	hf_setup
	R=$HF_HELPERS/exec_race
	D=$PROJECT/d
}

teardown() {
	hf_teardown
}

# What there is to flip: 0 and 1 lead to good and evil, s0 and s1 are scripts for them.
make_images() {
	mkdir "$D"
	local flags=(-static -nostdlib -ffreestanding -fno-stack-protector -fno-pie -no-pie -O1)
	"${CC:-cc}" "${flags[@]}" "-DIMAGE='G'" -o "$D/good" "$BATS_TEST_DIRNAME/helpers/exec_race.c"
	"${CC:-cc}" "${flags[@]}" "-DIMAGE='E'" -o "$D/evil" "$BATS_TEST_DIRNAME/helpers/exec_race.c"
	ln -s good "$D/0"
	ln -s evil "$D/1"
	printf '#!%s/good\n' "$D" >"$D/s0"
	printf '#!%s/evil\n' "$D" >"$D/s1"
	chmod +x "$D/s0" "$D/s1"
	ln -s good "$D/link"
	ln -s evil "$D/other"
	mkdir "$D/d0" "$D/d1"
	ln -s ../good "$D/d0/program"
	ln -s ../evil "$D/d1/program"
	policy_open race <<-EOF
		  - {name: no-evil, match: {tool: ["$D/evil"]}, action: deny}
		  - {name: no-word, match: {args_pattern: '\se'}, action: deny}
	EOF
}

# loses HOW [A B]: natively it wins (else it proves nothing); supervised never, though it gets past the
# check. A and B are exchanged by a process outside.
loses() {
	local flipper=

	make_images
	if (($# > 1)); then
		"$R" flip "$D/$2" "$D/$3" 3>&- &
		flipper=$!
		started "$flipper"
	fi
	for _ in {1..20}; do # now and then both share one CPU, and take turns
		run "$R" "$1" "$ROUNDS" "$D"
		assert_success
		[[ $output =~ evil=([0-9]+) ]]
		((BASH_REMATCH[1] == 0)) || break
	done
	echo "natively: $output" | head -3
	((BASH_REMATCH[1] > 0))
	for _ in {1..20}; do
		rm -f "$LOG"
		run hf --policy "$POLICY" -- "$R" "$1" "$ROUNDS" "$D"
		echo "supervised: $output"
		assert_success
		[[ $output =~ good=([0-9]+)\ evil=([0-9]+)\ killed=([0-9]+) ]]
		((BASH_REMATCH[2] == 0))
		session_ended
		# Each that was killed is told of, with what would have run.
		assert_equal "$(log_count '.reason == "exec-changed" and .verdict == "deny" and .result == "killed"')" "${BASH_REMATCH[3]}"
		((BASH_REMATCH[3] == 0)) || break
	done
	((BASH_REMATCH[3] > 0))
	[[ -z $flipper ]] || kill "$flipper"
}

@test "a thread flips the path" {
	loses path-thread
	# Or it is the same image, but its argv[0], which is the same text, was flipped.
	log_has ".reason == \"exec-changed\" and .object == \"$D/evil\""
}

@test "another process flips the path in shared memory" {
	loses path-process
}

@test "a process that shares all memory flips the path" {
	loses path-clone-vm
}

@test "a thread that does not lead executes, while another flips the path" {
	loses path-beside
}

@test "a thread flips the path between scripts: the interpreter is another" {
	loses script
}

@test "a thread flips a pointer of argv" {
	loses argv-pointer
	[[ $(log_select '.reason == "exec-changed"' | head -1 | jq -r '.argv[-1]') == evil ]]
}

@test "a thread flips the text of an argument" {
	loses argv-string
}

@test "a thread flips the text of a script's argument" {
	loses script-argv
}

@test "a thread flips the descriptor that is executed" {
	loses fd
}

@test "a process outside exchanges symbolic links" {
	loses link link other
}

@test "a process outside exchanges directories" {
	loses directory d0 d1
}

@test "audit mode kills nobody, and tells of what ran" {
	make_images
	sed -i '2a mode: audit' "$POLICY"
	run hf --policy "$POLICY" -- "$R" path-thread "$ROUNDS" "$D"
	assert_success
	assert_output --partial "killed=0"
	assert_logged '.reason == "exec-changed" and .verdict == "allow" and .would_have == "deny" and .result == "continued"'
}

# same CASE: what exec_cases prints is the same with and without supervision.
same() {
	mkdir "$D"
	"${CC:-cc}" -static -nostdlib -ffreestanding -fno-stack-protector -fno-pie -no-pie -O1 "-DIMAGE='G'" \
		-o "$D/true" "$BATS_TEST_DIRNAME/helpers/exec_race.c"
	policy_open same <<-EOF
		  - {name: looks-at-arguments, match: {argv: [never, said]}, action: deny}
	EOF
	timeout 60 "$HF_HELPERS/exec_cases" "$1" "$D" >"$T/native" 200>/dev/null
	rm -f "$D/link"
	hf --policy "$POLICY" --keep-fd 200 -- "$HF_HELPERS/exec_cases" "$1" "$D" >"$T/supervised" 200>/dev/null
	cat "$T/native"
	[[ -s $T/native ]]
	diff "$T/native" "$T/supervised"
	refute_logged '.reason == "exec-changed"'
}

@test "an exec that fails in the kernel fails in the same way" {
	same failures
}

@test "arguments: 100,000, two megabytes, none, empty ones" {
	same arguments
}

@test "1,000 spawns in a process with a signal every half a millisecond" {
	same spawn
}

@test "a pending signal stays pending" {
	same pending
}

@test "a process that is stopped and continued while it executes" {
	same stops
}

@test "a stop while it executes is one for its parent" {
	same stopped
}

@test "threads that all execute at once" {
	same threads
}

@test "a process that is killed while it executes" {
	same killed
}

@test "orphans, which the supervisor adopts, execute" {
	same orphans
}

# --- images without a name, and of other kinds -----------------------------------------------------

# A program in memory, executed in the way that is named; prints what came of it.
from_memory() {
	cat >"$T/memory.py" <<-'EOF'
		import os, sys
		content = open("/bin/echo", "rb").read() if sys.argv[2] == "elf" else b"#!/bin/echo\n"
		fd = os.memfd_create("payload", 0)
		os.write(fd, content)
		way = {"fexecve": fd, "self": f"/proc/self/fd/{fd}", "dev": f"/dev/fd/{fd}",
		       "pid": f"/proc/{os.getpid()}/fd/{fd}"}[sys.argv[1]]
		try:
		    os.execve(way, ["echo", "RAN"], {})
		except OSError as e:
		    print(e.strerror)
	EOF
	hf --policy "$1" -- /usr/bin/python3 "$T/memory.py" "$2" "$3"
}

@test "programs in memory: each shipped policy that enforces denies them, by any name" {
	local policy way kind

	for policy in coding-agent read-only no-network; do
		for way in fexecve self dev pid; do
			for kind in elf script; do
				rm -f "$LOG"
				run from_memory "$policy" "$way" "$kind"
				assert_equal "$policy $way $kind: $output" "$policy $way $kind: Permission denied"
				assert_logged '.verdict == "deny" and .rule == "no-exec-from-memory" and .object == "/memfd:payload (deleted)"'
			done
		done
	done
}

@test "programs in memory run where the policy allows it" {
	policy_open memory </dev/null
	for way in fexecve self dev pid; do
		run from_memory "$POLICY" "$way" elf
		assert_output RAN
		run from_memory "$POLICY" "$way" script
		assert_output --regexp "/fd/[0-9]+ RAN$"
	done
	refute_logged '.reason == "exec-changed"'
}

@test "files that were deleted, and that are named as if they were" {
	policy_open deleted </dev/null
	cp /bin/echo "x (deleted)"
	run hf --policy "$POLICY" -- "./x (deleted)" RAN
	assert_output RAN
	run hf --policy "$POLICY" -- /usr/bin/python3 -c '
import os, shutil
shutil.copy("/bin/echo", "gone")
fd = os.open("gone", os.O_RDONLY)
os.unlink("gone")
os.execve(fd, ["echo", "RAN"], {})'
	assert_output RAN
	refute_logged '.reason == "exec-changed"'
}

# An i386 program that makes a file (int 0x80, creat), as 32-bit ELF by hand.
@test "a program for i386 is not out of reach" {
	[[ $(uname -m) == x86_64 ]] || skip "x86_64 only"
	/usr/bin/python3 - "$PROJECT/i386" <<-'EOF'
		import os, struct, sys
		name = b"made\0"
		code = bytes.fromhex("b808000000" "bb00000000" "b9a4010000" "cd80" "b801000000" "31db" "cd80")
		base = 0x8048000
		code = code.replace(bytes.fromhex("bb00000000"), b"\xbb" + struct.pack("<I", base + 84 + len(code)))
		size = 84 + len(code) + len(name)
		elf = b"\x7fELF\1\1\1" + bytes(9) + struct.pack("<HHIIIIIHHHHHH", 2, 3, 1, base + 84, 52, 0, 0, 52, 32, 1, 40, 0, 0)
		elf += struct.pack("<IIIIIIII", 1, 0, base, base, size, size, 5, 4096)
		open(sys.argv[1], "wb").write(elf + code + name)
		os.chmod(sys.argv[1], 0o755)
	EOF
	run ./i386
	[[ $status == 0 && -e made ]] || skip "this kernel runs no programs for i386"
	rm made
	policy_open i386 </dev/null
	run hf --policy "$POLICY" -- ./i386
	assert_not_exist made
}

@test "a program that may be executed but not read is killed: what runs cannot be seen" {
	skip_unless_root "makes a program that another user may not read"
	local place

	place=$(mktemp -d /tmp/hf-exec-XXXXXX)
	chown 65534:65534 "$place" # mktemp made it 0700
	cp /bin/true "$place/hidden"
	cp "$HOLDFAST" "$place/hf"
	chmod 0711 "$place/hidden"
	policy_open hidden </dev/null
	cp "$POLICY" "$place/p.yaml"
	chmod 0644 "$place/p.yaml"
	cd "$place"
	for i in {1..20}; do
		run timeout -k 5 60 setpriv --reuid 65534 --regid 65534 --clear-groups env HOME="$place" \
			XDG_STATE_HOME="$place" XDG_RUNTIME_DIR="$place" \
			./hf run --quiet --log "$place/log$i" --policy p.yaml -- ./hidden
		assert_equal "$status" 137
		run grep -c '"reason":"exec-changed".*"result":"killed"' "$place/log$i"
		assert_output 1
	done
	cd /
	rm -rf "$place"
}

# --- debuggers -------------------------------------------------------------------------------------

@test "gdb runs a program inside the session" {
	skip_without gdb
	policy_open gdb < <(echo "  - {name: x, match: {path: [/nonexistent/x]}, action: deny}"; echo "grant: [ptrace]")
	run hf --policy "$POLICY" -- gdb -q -nx -batch -ex "run" -ex "printf \"done %d\\n\", \$_exitcode" --args /bin/echo RAN
	assert_output --partial RAN
	assert_output --partial "done 0"
	refute_logged '.reason == "exec-changed" or .reason == "exec-unchecked"'
}

@test "strace -f follows processes inside the session" {
	skip_without strace
	run strace -o /dev/null true
	[[ $status == 0 ]] || skip "strace does not work here without Holdfast either"
	policy_open strace < <(echo "  - {name: x, match: {path: [/nonexistent/x]}, action: deny}"; echo "grant: [ptrace]")
	run hf --policy "$POLICY" -- strace -f -o "$T/trace" -e trace=execve sh -c '/bin/echo one; (/bin/echo two)'
	assert_output $'one\ntwo'
	run grep -c 'execve.*= 0' "$T/trace"
	assert_output 3
	refute_logged '.reason == "exec-changed" or .reason == "exec-unchecked"'
}

@test "a program in a directory that may not be searched is refused as the kernel has it" {
	[[ $(id -u) != 0 ]] || skip "root may search every directory"
	mkdir "$T/closed"
	chmod 0 "$T/closed"
	run hf --policy audit-only -- python3 -c $'import os\ntry: os.execv("'"$T"$'/closed/x", ["x"])\nexcept OSError as e: print(e.strerror)'
	chmod 700 "$T/closed"
	assert_output "Permission denied"
}
