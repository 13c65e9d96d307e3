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
# What there is since a version.
since()
{
	if [[ $(printf '%s\n' "$1" "$(uname -r)" | sort -V | head -1) == "$1" ]]; then echo yes; else echo no; fi
}
holdfast doctor --json >/tmp/doctor.json || [[ $(since 5.14) == no ]] || echo "not ok - doctor ends with status $?"
for layer in notification ptrace cgroup-v2 cgroup-delegation btf; do
	is "$layer" yes
done
is inject "$(since 5.14)"
is wait-killable "$(since 5.19)"
is landlock "$(since 5.13)"
if [[ -x /usr/local/libexec/holdfast/holdfast-loader ]]; then
	for layer in ebpf-ring-buffer ebpf-trace ebpf-cgroup; do
		is "$layer" yes
	done
	is ebpf-task-storage "$(since 5.11)"
	# The programs read the kernel's memory, which a kernel that is locked down for confidentiality refuses.
	if grep -qs '\[confidentiality\]' /sys/kernel/security/lockdown; then
		is ebpf-net no
		is ebpf-files no
		is lockdown yes
		if [[ $(jq -r '.layers[] | select(.name == "ebpf-net") | .reason' /tmp/doctor.json) == "the kernel is locked down"* ]]; then
			echo "ok - doctor: lockdown is the reason given"
		else
			echo "not ok - doctor: lockdown is the reason given"
		fi
	else
		is ebpf-net "$(since 6.7)"
	fi
	if grep -qw 'lsm=[^ ]*bpf' /proc/cmdline; then
		is lsm-list yes
		is ebpf-lsm yes
		grep -qs '\[confidentiality\]' /sys/kernel/security/lockdown || is ebpf-files yes
	else
		is lsm-list no
		is ebpf-lsm no
		is ebpf-files no
		if [[ $(jq -r '.layers[] | select(.name == "lsm-list") | .enable' /tmp/doctor.json) == "boot with lsm="*",bpf (in GRUB_CMDLINE_LINUX"* ]]; then
			echo "ok - doctor: it says which boot parameter would help"
		else
			echo "not ok - doctor: it says which boot parameter would help"
		fi
		if holdfast doctor | grep -A2 '^ebpf-lsm' | grep -q 'went through'; then
			echo "ok - doctor: attached is not enforced, and that is the reason given"
		else
			echo "not ok - doctor: attached is not enforced, and that is the reason given"
		fi
	fi
fi
