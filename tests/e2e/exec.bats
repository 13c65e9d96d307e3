#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# What is executed is what was judged: races, and that nothing is disturbed by looking.

setup_file() {
	export ROUNDS=${HF_ROUNDS:-150}
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
	[[ $(log_select '.reason == "exec-changed"' | head -1 | jq -r .object) == "$D/evil" ]]
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
