#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# A sandbox that the agent puts its own processes into binds what Holdfast performs for them.

setup() {
	load helpers/common
	hf_setup
	[[ $(cat /sys/kernel/security/lsm 2>/dev/null) == *landlock* ]] ||
		python3 -c 'import ctypes; exit(ctypes.CDLL(None).syscall(444, None, 0, 1) < 1)' ||
		skip "the kernel has no Landlock"
}

teardown() {
	hf_teardown
}

@test "tasks under Landlock may do supervised what they may natively" {
	timeout 100 python3 "$BATS_TEST_DIRNAME/helpers/landlocked.py" "$T/tree" >"$T/native" </dev/null
	timeout 100 "$HOLDFAST" run --policy audit-only --log "$LOG" -- \
		python3 "$BATS_TEST_DIRNAME/helpers/landlocked.py" "$T/tree" >"$T/supervised" </dev/null
	((250 < $(wc -l <"$T/native")))
	grep -q " EACCES" "$T/native"
	diff "$T/native" "$T/supervised"
}

@test "a task under Landlock cannot pass its children off as somebody else's" {
	run hf --policy audit-only -- python3 "$BATS_TEST_DIRNAME/helpers/landlocked.py" "$T/tree" sibling
	assert_success
	assert_line "clone EPERM"
	assert_line "unbound clone ok"
	refute_line "sibling ok"
}

@test "200 sandboxes one after the other leave no threads behind" {
	cat >"$T/many.py" <<-'PY'
		import ctypes, os, struct, sys, time
		libc = ctypes.CDLL(None)
		def threads():
		    return int([l for l in open(f"/proc/{os.getppid()}/status") if l.startswith("Threads")][0].split()[1])
		before = threads()
		for i in range(200):
		    pid = os.fork()
		    if pid == 0:
		        fd = libc.syscall(444, struct.pack("QQ", 2, 0), 16, 0)
		        libc.prctl(38, 1, 0, 0, 0)
		        assert libc.syscall(446, fd, 0) == 0
		        try:
		            open("/dev/null", "w")
		            os._exit(1)
		        except PermissionError:
		            os._exit(0)
		    assert os.waitpid(pid, 0)[1] == 0
		deadline = time.monotonic() + 20
		while threads() > before + 4 and time.monotonic() < deadline:
		    time.sleep(0.2)
		    open("/dev/null", "w").close()
		print(threads() - before <= 4)
	PY
	run hf --policy audit-only -- python3 "$T/many.py"
	assert_success
	assert_output True
}

@test "where the policy bounds reads, so does the floor, and what is allowed works" {
	mkdir "$T/work"
	touch "$T/work/file"
	policy bounded <<-END
		default: {tool: allow, path: deny, network: deny}
		rules:
		  - {name: system, match: {path: ["/usr/**", "/lib/**", "/lib64/**", "/etc/**", "/proc/**", "/dev/**"], op: read}, action: allow}
		  - {name: work, match: {path: ["$T/work/**"]}, action: allow}
	END
	run hf --policy "$POLICY" -- sh -c 'ls "$1/work"; ls "$1"; echo x >"$1/work/new"; cat "$1/work/new"' - "$T"
	assert_line file
	assert_line x
	assert_line --partial "Permission denied"
	assert_logged '.event == "session_start" and any(.layers[]; .class == "floor" and .layer == "landlock"
		and (.why | startswith("changes, listing directories")))'
}
