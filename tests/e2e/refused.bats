#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# The system calls that a session refuses: a clear errno, and a record that names the call.

setup() {
	load helpers/common
	hf_setup
	REFUSED=$HF_HELPERS/refused
	policy_open open </dev/null
}

teardown() {
	hf_teardown
}

# refuses CALL ERRNO RECORD [PID]: CALL fails with ERRNO, and a denial names RECORD (a call, or its
# start: "socket(inet,raw").
refuses() {
	rm -f "$LOG"
	run hf --policy "$POLICY" -- "$REFUSED" "$1" ${4:+"$4"}
	assert_equal "$1: $output" "$1: $2"
	assert_logged ".kind == \"system\" and .verdict == \"deny\" and (.object == \"$3\" or (.object | startswith(\"$3(\")))" || {
		cat "$LOG"
		return 1
	}
}

@test "io_uring: ENOSYS, so that programs fall back" {
	refuses io_uring_setup ENOSYS io_uring_setup
	refuses io_uring_enter ENOSYS io_uring_enter
}

@test "kernel programs and counters: bpf, perf_event_open, userfaultfd" {
	refuses bpf EPERM bpf
	refuses perf_event_open EPERM perf_event_open
	refuses userfaultfd EPERM userfaultfd
}

@test "the mount family and other roots" {
	refuses mount EPERM mount
	refuses umount2 EPERM umount2
	refuses chroot EPERM chroot
	refuses pivot_root EPERM pivot_root
	refuses setns EPERM setns
	refuses fsopen EPERM fsopen
	refuses open_tree EPERM open_tree
	refuses move_mount EPERM move_mount
}

@test "mount in a user namespace of the agent's own" {
	run "$REFUSED" unshare+mount
	[[ $output == OK ]] || skip "user namespaces are not permitted here"
	refuses unshare+mount EPERM unshare
	policy_open namespaces < <(
		echo "grant: [namespaces]"
	)
	refuses unshare+mount EPERM mount
}

@test "descriptors from nowhere: open_by_handle_at, pidfd_getfd" {
	refuses open_by_handle_at EPERM open_by_handle_at
	refuses pidfd_getfd EPERM pidfd_getfd
}

@test "keyrings" {
	refuses keyctl EPERM keyctl
	refuses add_key EPERM add_key
	refuses request_key EPERM request_key
}

@test "administration: reboot, swapoff, modules, kexec, host name, clock" {
	refuses reboot EPERM reboot
	refuses swapoff EPERM swapoff
	refuses init_module EPERM init_module
	refuses delete_module EPERM delete_module
	refuses kexec_load EPERM kexec_load
	refuses sethostname EPERM sethostname
	refuses clock_settime EPERM clock_settime
}

@test "raw and packet sockets, also with bits set that the kernel ignores" {
	refuses raw-socket EPERM socket
	refuses raw-socket-high EPERM socket
	refuses packet-socket EPERM socket
	refuses packet-socket-high EPERM socket
}

@test "families that the policy does not know" {
	refuses vsock EPERM socket
	refuses alg-socket EPERM socket
}

@test "ordinary sockets are not refused" {
	run hf --policy "$POLICY" -- python3 -c '
import socket
for f in (socket.AF_INET, socket.AF_INET6, socket.AF_UNIX):
    for t in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        socket.socket(f, t | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK)
socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
socket.socketpair()
print("ok")'
	assert_success
	assert_output ok
}

@test "processes outside the session cannot be traced or read" {
	sleep 300 3>&- &
	local outside=$!
	started "$outside"
	refuses ptrace-attach EPERM ptrace "$outside"
	refuses ptrace-seize EPERM ptrace "$outside"
	refuses process_vm_readv EPERM process_vm_readv "$outside"
	refuses process_vm_writev EPERM process_vm_writev "$outside"
	has_state "$outside" S
	run hf --policy coding-agent --ask deny -- python3 -c 'import sys; open("/proc/%s/mem" % sys.argv[1], "rb")' "$outside"
	assert_failure
	assert_output --partial PermissionError
}

@test "the supervisor cannot be traced, read or signalled to death by surprise" {
	run hf --policy "$POLICY" -- sh -c '"$1" ptrace-attach $PPID; "$1" ptrace-seize $PPID; "$1" process_vm_readv $PPID; cat /proc/$PPID/mem' - "$REFUSED"
	assert_line --index 0 EPERM
	assert_line --index 1 EPERM
	assert_line --index 2 EPERM
	assert_line --index 3 --partial "ermission denied"
}

@test "a debugger may trace its own children" {
	run hf --policy "$POLICY" -- "$REFUSED" ptrace-traceme
	assert_success
	assert_output OK
}

@test "strace of a child works" {
	skip_without strace
	run hf --policy "$POLICY" -- strace -f -o "$T/trace" sh -c 'echo traced; exit 3'
	assert_equal "$status" 3
	assert_output traced
	grep -q execve "$T/trace"
}

@test "foreign ABIs: int 0x80 and x32" {
	[[ $(uname -m) == x86_64 ]] || skip "only x86-64 has them"
	rm -f "$LOG"
	run hf --policy "$POLICY" -- "$REFUSED" int80-getpid
	assert_output --regexp '^(ENOSYS|EPERM)$'
	assert_logged '.verdict == "deny" and .kind == "system" and (.reason | contains("foreign_abi"))'
	rm -f "$LOG"
	run hf --policy "$POLICY" -- "$REFUSED" x32-getpid
	assert_output --regexp '^(ENOSYS|EPERM)$'
	assert_logged '.verdict == "deny" and .kind == "system" and (.reason | contains("foreign_abi"))'
}

@test "a system call of the future fails as on an older kernel" {
	run hf --policy "$POLICY" -- "$REFUSED" unknown-600
	assert_output ENOSYS
}

@test "typing into a terminal for somebody else" {
	refuses tiocsti EPERM ioctl
	refuses tiocsti-high EPERM ioctl
	refuses tioclinux EPERM ioctl
}

@test "audit mode lets them through to the kernel, and records" {
	run hf --policy "$POLICY" --mode audit -- "$REFUSED" mount
	refute_output ENOSYS
	assert_logged '.kind == "system" and .object == "mount" and .would_have == "deny" and .verdict == "allow"'
}

@test "a policy may grant a group" {
	policy granting < <(
		echo "default: {tool: allow, read: allow, write: allow, network: allow}"
		echo "grant: [mount]"
	)
	run hf --policy "$POLICY" -- "$REFUSED" mount
	# Not refused by us: the kernel finds no such directory, or no privilege.
	assert_output --regexp '^(ENOENT|EPERM)$'
	assert_logged '.kind == "system" and .object == "mount" and .verdict == "allow"'
	run hf --policy "$POLICY" -- "$REFUSED" bpf
	assert_output EPERM
}

@test "setuid programs gain nothing, and clone, unshare, prctl, seccomp work" {
	run hf --policy "$POLICY" -- python3 -c '
import ctypes, os
libc = ctypes.CDLL(None, use_errno=True)
assert libc.prctl(15, b"renamed") == 0
assert libc.prctl(38, 1, 0, 0, 0) == 0
print(open("/proc/self/comm").read().strip())'
	assert_success
	assert_output renamed
}
