#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The Landlock floor with the rights that this kernel's ABI has (6.1: 2, 6.12: 6), and what takes its place where it has
# none: signals are looked at one by one.
abi=$(python3 -c 'import ctypes; print(ctypes.CDLL(None).syscall(444, None, 0, 1))')
echo "# Landlock ABI $abi"
check()
{
	local name=$1
	shift
	if "$@" >/tmp/out 2>&1; then echo "ok - floor: $name"; else echo "not ok - floor: $name"; sed 's/^/# /' /tmp/out; fi
}
mkdir -p /var/lib/floor/in /var/lib/attack && cd /var/lib/floor || exit 1
cat >/tmp/floor.yaml <<-END
	version: 1
	name: floor
	default: {tool: allow, read: allow, write: deny, network: deny}
	rules:
	  - {name: in, match: {path: [/var/lib/floor/in/**]}, action: allow}
	  - {name: port, match: {port: 1, op: connect}, action: allow}
END
check "the kernel holds it" /guest/bin/test_landlock
check "a session has it, and what is allowed works" holdfast run -q --policy /tmp/floor.yaml --log /var/tmp/floor.jsonl -- sh -c 'echo x >in/a && mkdir in/b && mv in/a in/b/a'
check "what is not allowed does not" bash -c '! holdfast run -q --policy /tmp/floor.yaml --log /var/tmp/floor2.jsonl -- sh -c "echo x >outside"'
layer()
{
	jq -r --arg class "$1" 'select(.event == "session_start") | .layers[] | select(.class == $class) | .layer' /var/tmp/floor.jsonl
}
check "the plan says so" test "$(layer floor)" = landlock
signals=seccomp-notify
((abi < 6)) || signals=landlock
check "signals are kept inside by the layer that can" test "$(layer signals)" = "$signals"
# Of the attacks on guards and others one of each kind; all of them take too long under emulation.
export HOLDFAST=/usr/local/bin/holdfast ATTACK_DIR=/var/lib/attack
/guest/bin/attack_guards guards_and_others_are_not_{killed,killed_by_tgkill,killed_by_a_descriptor,owners_of_a_pipe,owners_by_f_setown_ex,owners_by_fiosetown,limited_in_files} | grep -v '^1\.\.'
/guest/bin/attack_supervisor it_does_not_become_the_tracer_of_the_command filter_of_the_agents_own_does_not_switch_ours_off | grep -v '^1\.\.'
