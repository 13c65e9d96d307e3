#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Rules speak of names; what has another name for a protected thing made is refused, and nothing of
# it happens.

setup() {
	load helpers/common
	hf_setup
	mkdir -p "$HOME/.ssh" "$T/box" "$PROJECT/a"
	echo key >"$HOME/.ssh/id"
	echo secret >"$PROJECT/.env"
	echo x >"$PROJECT/a/x"
	policy guard <<-YAML
		log_reads: true
		default: allow
		rules:
		  - {name: ssh, match: {path: ["~/.ssh/**"]}, action: deny}
		  - {name: env, match: {path: ["**/.env"], op: [read]}, action: deny}
		  - {name: hooks, match: {path: ["$PROJECT/.git/hooks/**"]}, action: deny}
	YAML
}

teardown() {
	hf_teardown
}

# python NAME: the command of refused() and made() below.
call() {
	local code=$1

	hf --policy "$POLICY" -- python3 -c "
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
def exchange(a, b):
    if libc.renameat2(-100, a.encode(), -100, b.encode(), 2):
        raise OSError(ctypes.get_errno(), '')
T, HOME, PROJECT = sys.argv[1:]
try:
    $code
except OSError as e:
    sys.exit(e.errno)
" "$T" "$HOME" "$PROJECT"
}

# refused RULE CODE: with EACCES by that rule; the tree is as before.
refused() {
	tree >"$T/before"
	run call "$2"
	assert_equal "$status" 13
	tree >"$T/after"
	diff "$T/before" "$T/after"
	assert_logged ".verdict == \"deny\" and .rule == \"$1\""
}

tree() {
	find "$HOME" "$PROJECT" "$T/box" -printf '%p %y %n %m %l\n' | sort
}

@test "a directory above of what is protected cannot be moved" {
	refused ssh 'os.rename(HOME, T + "/box/h")'
}

@test "nor exchanged, whichever of the two it is" {
	refused ssh 'exchange(HOME, T + "/box")'
}

@test "nor exchanged the other way" {
	refused ssh 'exchange(T + "/box", HOME)'
}

@test "what is protected cannot be moved itself" {
	refused ssh 'os.rename(HOME + "/.ssh", PROJECT + "/keys")'
}

@test "nothing can be put where a protected place would then be" {
	mkdir -p "$T/box/hooks"
	touch "$T/box/hooks/pre-commit"
	refused hooks 'os.rename(T + "/box", PROJECT + "/.git")'
}

@test "what cannot be read cannot be renamed to where it could" {
	refused env 'os.rename(PROJECT + "/.env", PROJECT + "/plain")'
}

@test "nor exchanged with what can" {
	refused env 'exchange(PROJECT + "/a/x", PROJECT + "/.env")'
}

@test "nor be linked" {
	refused env 'os.link(PROJECT + "/.env", PROJECT + "/plain")'
}

@test "a symbolic link to what is protected opens nothing" {
	run call 'os.symlink(HOME + "/.ssh/id", PROJECT + "/l"); open(PROJECT + "/l")'
	assert_equal "$status" 13
}

@test "an O_PATH descriptor of what is protected cannot be linked" {
	refused ssh 'fd = os.open(HOME, os.O_PATH); os.link(".ssh/id", PROJECT + "/k", src_dir_fd=fd)'
}

@test "directories that hold nothing protected move as ever" {
	run call 'os.rename(PROJECT + "/a", PROJECT + "/b"); exchange(PROJECT + "/b", T + "/box")'
	assert_success
	assert_file_exists "$T/box/x"
}

@test "a tree with files that are protected wherever they are moves as ever" {
	run call 'os.rename(PROJECT, T + "/elsewhere")'
	# The project's own hooks are a name that this would change.
	assert_equal "$status" 13
	cp "$PROJECT/.env" "$PROJECT/a"
	run call 'os.rename(PROJECT + "/a", PROJECT + "/b")'
	assert_success
	run call 'open(PROJECT + "/b/.env")'
	assert_equal "$status" 13
}
