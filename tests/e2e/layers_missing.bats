#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# shellcheck disable=SC2030,SC2031 # each test has its own
# What a layer that is loaded can lack, each played for real: a sentence, and the session runs on the layers that are left, or,
# where the policy requires it, not at all. A kernel that is locked down is in tests/guest.

setup() {
	load helpers/common
	hf_setup
	[[ -x ${HOLDFAST%/*}/holdfast-loader ]] || skip "this build has no holdfast-loader"
	P=$T/open.yaml
	printf 'version: 1\nname: open\ndefault: {tool: allow, path: allow, network: allow, unix: allow}\n' >"$P"
	(cat "$P" && echo 'require: [bpf-net]') >"$T/required.yaml"
	TROUBLE=(/usr/bin/python3 -I "$HELPERS/bpf_trouble.py")
}

teardown() {
	hf_teardown
}

needs_net() {
	skip_unless_root
	"$HOLDFAST" run -q --layers bpf-net --policy "$P" --log "$T/needs.jsonl" -- true 2>/dev/null ||
		skip "no programs of a cgroup for unix sockets here (Linux 6.7)"
}

# REASON: why the kernel does not decide on connections, in a session that ran, and on standard error where it is required.
# Each with PLAYED before it.
lacks() {
	"${PLAYED[@]}" "$HOLDFAST" run -q --layers auto --policy "$P" --log "$LOG" -- true
	run jq -r 'select(.event == "session_start") | .layers[] | select(.class == "network") | "\(.layer): \(.not_cheaper)"' "$LOG"
	assert_output --regexp "^seccomp-notify: .*$1"
	run "${PLAYED[@]}" "$HOLDFAST" run -q --policy "$T/required.yaml" --log "$T/required.jsonl" -- touch "$T/ran"
	assert_equal "$status" 125
	assert_output --regexp "a policy requires the layer bpf-net: .*$1.*; the command was not run"
	[[ ! -e $T/ran ]]
}

# In a mount namespace in which COMMAND was run.
hidden() {
	local command=$1

	PLAYED=(unshare -m bash -c "$command && exec \"\$@\"" hidden)
}

@test "bpf(2) is refused, as in a container" {
	needs_net
	PLAYED=("${TROUBLE[@]}" refuse)
	lacks "bpf\(2\) is refused to the loader"
	run "${PLAYED[@]}" "$HOLDFAST" doctor --json
	assert_success
	assert_equal "$(jq -c '[.layers[] | select(.name | startswith("ebpf-")) | .state] | unique' <<<"$output")" '["no"]'
	assert_equal "$(jq -r '.layers[] | select(.name == "ebpf-net") | .reason' <<<"$output")" \
		"bpf(2) is refused to the loader, as seccomp filters of containers do"
}

@test "a map is full" {
	needs_net
	PLAYED=("${TROUBLE[@]}" full)
	lacks "map.*Argument list too long"
}

@test "the kernel does not describe its types" {
	needs_net
	hidden 'mount -t tmpfs none /sys/kernel/btf'
	"${PLAYED[@]}" "$HOLDFAST" run -q --layers bpf-net --policy "$P" --log "$T/b.jsonl" -- true 2>/dev/null && skip "there are types in /boot"
	lacks "there is no /sys/kernel/btf/vmlinux"
}

@test "cgroup v2 is not mounted" {
	needs_net
	# shellcheck disable=SC2016 # the other shell expands it
	hidden 'for m in $(awk "\$3 == \"cgroup2\" {print \$2}" /proc/mounts); do umount -l "$m"; done'
	lacks "no cgroup can be made: cgroup v2 is not mounted"
}

@test "a file system for BPF is not needed" {
	needs_net
	hidden 'if [[ -d /sys/fs/bpf ]]; then mount -t tmpfs none /sys/fs/bpf; fi'
	run "${PLAYED[@]}" "$HOLDFAST" run -q --layers bpf-net,sight --policy "$P" --log "$LOG" -- true
	assert_success
}

@test "a PID namespace of its own" {
	needs_net
	PLAYED=(unshare --pid --fork --mount-proc)
	lacks "in a PID namespace of its own, as in a container"
}

@test "one type of program is refused: the others are there" {
	needs_net
	[[ $("$HOLDFAST" doctor --json | jq -r '.layers[] | select(.name == "ebpf-lsm") | .state') == no ]] || skip "this kernel takes BPF LSM programs"
	"$HOLDFAST" run -q --layers auto --policy "$P" --log "$LOG" -- true
	assert_equal "$(jq -r 'select(.event == "session_start") | .layers[] | select(.class | IN("network", "objects", "sight")) | .layer' "$LOG" | xargs)" \
		"bpf-net none ebpf"
	run "$HOLDFAST" run -q --layers bpf-lsm --policy "$P" --log "$T/b.jsonl" -- touch "$T/ran"
	assert_equal "$status" 125
	assert_output --regexp "--layers bpf-lsm: .+; the command was not run"
	[[ ! -e $T/ran ]]
}

@test "the verifier refuses a program: what it said is kept, and pointed to" {
	needs_net
	mkdir "$T/bin" "$T/bin/policies"
	cp "$HOLDFAST" "$T/bin/holdfast"
	cp "${HOLDFAST%/*}/holdfast-loader" "$T/bin/real"
	cat >"$T/bin/holdfast-loader" <<-END
		#!/bin/sh
		exec ${TROUBLE[*]} spoil net_connect4 $T/bin/real "\$@"
	END
	chmod +x "$T/bin/holdfast-loader"
	HOLDFAST=$T/bin/holdfast
	hidden 'mount -t tmpfs none /run'
	lacks "net_connect4.*; what the verifier said is in /run/holdfast-loader/verifier.log"
	hidden "mount -t tmpfs none /run && $HOLDFAST run -q --layers auto --policy $P --log $T/c.jsonl -- true"
	run "${PLAYED[@]}" cat /run/holdfast-loader/verifier.log
	assert_output --partial "prog 'net_connect4': -- BEGIN PROG LOAD LOG --"
	assert_output --partial "invalid bpf_context access off=8192"
}

@test "rules that the kernel's tables have no room for are decided on by notification" {
	{
		echo 'rules: [{name: many, action: deny, match: {address: ['
		for ((i = 0; i < 1100; i++)); do
			echo "10.$((i / 250)).$((i % 250)).0/24,"
		done
		echo ']}}]'
	} >"$T/rules"
	cat "$T/rules" >>"$P"
	cat "$T/rules" >>"$T/required.yaml"
	PLAYED=()
	lacks "the rules name more addresses and ports than the kernel's tables hold"
}
