#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# `holdfast doctor` claims of this kernel what it has, and a layer only if its canary was refused.
state()
{
	jq -r --arg name "$1" '.layers[] | select(.name == $name) | .state' /tmp/doctor.json
}
is()
{
	local found
	found=$(state "$1")
	if [[ $found == "$2" ]]; then echo "ok - doctor: $1 is '$2'"; else echo "not ok - doctor: $1 is '$found', not '$2'"; fi
}
holdfast doctor --json >/tmp/doctor.json || echo "not ok - doctor ends with status $?"
for layer in notification inject wait-killable ptrace landlock cgroup-v2 cgroup-delegation btf; do
	is "$layer" yes
done
if [[ -x /usr/local/libexec/holdfast/holdfast-loader ]]; then
	for layer in ebpf-ring-buffer ebpf-task-storage ebpf-trace ebpf-cgroup; do
		is "$layer" yes
	done
	if [[ $(printf '%s\n' 6.7 "$(uname -r)" | sort -V | head -1) == 6.7 ]]; then
		is ebpf-net yes
	else
		is ebpf-net no
	fi
	if grep -qw 'lsm=[^ ]*bpf' /proc/cmdline; then
		is lsm-list yes
		is ebpf-lsm yes
	else
		is lsm-list no
		is ebpf-lsm no
		if holdfast doctor | grep -A2 '^ebpf-lsm' | grep -q 'went through'; then
			echo "ok - doctor: attached is not enforced, and that is the reason given"
		else
			echo "not ok - doctor: attached is not enforced, and that is the reason given"
		fi
	fi
fi
