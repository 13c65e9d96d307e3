#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# `holdfast doctor`: what this machine offers. What it says of the kernels of Debian is in tests/guest.

setup() {
	load helpers/common
	hf_setup
}

teardown() {
	hf_teardown
}

state() { # NAME: its state in $output
	jq -r --arg name "$1" '.layers[] | select(.name == $name) | .state' <<<"$output"
}

@test "a machine that runs these tests can run sessions, and says so" {
	run "$HOLDFAST" doctor --json
	[[ $status -eq 0 ]]
	[[ $(jq -r .ok <<<"$output") == true ]]
	[[ $(jq -r .kernel <<<"$output") == "$(uname -r)" ]]
	[[ $(state notification) == yes ]]
	[[ $(state inject) == yes ]]
	[[ $(state ptrace) == yes ]]
}

@test "text and JSON name the same layers, each with a known state" {
	run "$HOLDFAST" doctor --json
	json=$(jq -r '.layers[] | "\(.name) \(.state)"' <<<"$output")
	assert_equal "$(jq -c '[.layers[] | select(.state | IN("yes", "no", "broken", "unknown") | not)]' <<<"$output")" "[]"
	text=$("$HOLDFAST" doctor | awk '/^The policy/ {exit} /^[a-z]/ {print $1, $2}')
	[[ $json == "$text" ]]
}

@test "what is missing has a reason, and an ordinary user is told what needs root" {
	run "$HOLDFAST" doctor --json
	assert_equal "$(jq -c '[.layers[] | select(.state != "yes" and .reason == null)]' <<<"$output")" "[]"
	if ((EUID != 0)); then
		[[ $(state ebpf-cgroup) == unknown ]]
		[[ $(state ebpf-net) == unknown && $(state ebpf-files) == unknown && $(state ebpf-sight) == unknown ]]
		[[ $(jq -r '.layers[] | select(.name == "ebpf-net") | .enable' <<<"$output") == *"systemctl enable --now holdfast-loader.socket"* ]]
		[[ $(jq -r '.layers[] | select(.name == "ebpf-cgroup") | .enable' <<<"$output") == "sudo holdfast doctor" ]]
	fi
}

@test "a required layer taken away: not ok, status 1; another: ok" {
	HOLDFAST_WITHOUT=notification run "$HOLDFAST" doctor --json
	[[ $status -eq 1 ]]
	[[ $(jq -r .ok <<<"$output") == false ]]
	[[ $(state notification) == no ]]
	HOLDFAST_WITHOUT=landlock,btf run "$HOLDFAST" doctor --json
	[[ $status -eq 0 ]]
	[[ $(state landlock) == no ]]
	[[ $(state btf) == no ]]
}

@test "it says what the default policy would stand on here, as policy explain does" {
	run "$HOLDFAST" doctor --json
	[[ $(jq -r .plan.policy <<<"$output") == coding-agent ]]
	plan=$(jq -c .plan.layers <<<"$output")
	assert_equal "$plan" "$("$HOLDFAST" policy explain --plan --json --layers auto --policy coding-agent | jq -c .layers)"
	assert_equal "$(jq -c '[.[] | select(.layer == "seccomp-notify" and .not_cheaper == null)] | length' <<<"$plan")" 0
	text=$("$HOLDFAST" doctor | sed -n '/^The policy coding-agent/,$p')
	[[ $text == *$'\nnetwork      seccomp-notify '*'not cheaper: '* ]]
}

@test "a layer that it claims is one that a session has" {
	printf 'version: 1\nname: open\ndefault: {tool: allow, path: allow, network: allow, unix: allow}\n' >"$T/open.yaml"
	run "$HOLDFAST" doctor --json
	for layer in net:bpf-net files:bpf-lsm sight:sight; do
		claims=$(state "ebpf-${layer%:*}")
		runs=no
		"$HOLDFAST" run -q --layers "${layer#*:}" --policy "$T/open.yaml" --log "$T/${layer#*:}.jsonl" -- true 2>"$T/err" && runs=yes
		[[ $claims == yes ]] || claims=no
		[[ $claims == "$runs" ]] || {
			echo "$layer: doctor says $claims, run says $runs: $(cat "$T/err")"
			return 1
		}
	done
	HOLDFAST_WITHOUT=ebpf-sight,ebpf-files,ebpf-net run "$HOLDFAST" doctor --json
	assert_equal "$(jq -r '.plan.layers[] | select(.class == "sight") | "\(.layer): \(.why)"' <<<"$output")" "none: taken away by HOLDFAST_WITHOUT"
}

@test "inside a session it claims nothing that it cannot test" {
	run "$HOLDFAST" run -q --policy audit-only --log "$T/log.jsonl" -- "$HOLDFAST" doctor --json
	[[ $status -eq 1 ]]
	[[ $(state notification) == no ]]
	[[ $(state landlock) == unknown ]]
}

@test "it leaves no cgroup and no file behind" {
	"$HOLDFAST" doctor >"$T/out"
	own=$("$HOLDFAST" doctor --json | jq -r '.layers[] | select(.name == "cgroup-v2") | .reason')
	[[ ! -d $own ]] || [[ -z $(find "$own" -maxdepth 1 -name 'holdfast-doctor-*') ]]
}

@test "wrong usage is told" {
	run "$HOLDFAST" doctor --nonsense
	[[ $status -eq 2 ]]
	run "$HOLDFAST" doctor extra
	[[ $status -eq 2 ]]
}

@test "holdfast-loader ends at a message that is not of its protocol" {
	local loader=${HOLDFAST%/*}/holdfast-loader

	[[ -x $loader ]] || skip "this build has no holdfast-loader"
	run /usr/bin/python3 - "$loader" <<'END'
import socket, struct, subprocess, sys
def status(message):
    ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    loader = subprocess.Popen([sys.argv[1], "--stdin"], stdin=its.fileno())
    its.close()
    assert len(ours.recv(4096)) > 16  # HELLO
    if message:
        ours.send(message)
    else:
        ours.close()
    return loader.wait(10)
good = (4, 1, 16, 0)
assert status(b"") == 0
for place, value in [(0, 2), (1, 0), (1, 99), (2, 15), (2, 17), (3, 1)]:
    header = list(good)
    header[place] = value
    assert status(struct.pack("IIII", *header)) == 1, header
assert status(b"x") == 1
assert status(struct.pack("IIII", 4, 10, 16, 0)) == 1  # JOIN before NET
assert status(struct.pack("IIII", 4, 5, 16, 0)) == 1  # SEAL before START
assert status(struct.pack("IIII", 4, 7, 32, 0) + bytes(16)) == 1  # NET without a descriptor
assert status(struct.pack("IIII", 4, 7, 16, 0)) == 1  # NET without its numbers
assert status(struct.pack("IIII", 4, 1, 4096, 0) + bytes(4080)) == 1
assert status(struct.pack("IIII", 4, 1, 20, 0) + bytes(4)) == 1
END
	assert_success
}
