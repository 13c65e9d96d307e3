#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Nothing of a session reaches the processes that guard it, or any other outside; and nothing runs on
# when they are gone.

setup() {
	load helpers/common
	hf_setup
	skip_without python3 jq
	cp "$HELPERS/guard.py" "$T/guard.py"
	policy_open open </dev/null
}

teardown() {
	hf_teardown
}

# The attempts of guard.py on WHO under the policy, in $output.
attempt() {
	rm -f "$LOG"
	run hf --policy "$POLICY" -- python3 "$T/guard.py" "$1"
	assert_success
	assert_equal "${#lines[@]}" 17
}

# A process outside of the session that nothing but a signal would end.
decoy() {
	sleep 600 3>&- &
	DECOY=$!
	started "$DECOY"
}

@test "a process outside cannot be signalled, limited, slowed down or looked into" {
	decoy
	attempt "$DECOY"
	refute_line --regexp ' OK$'
	for name in kill kill-high tkill tgkill sigqueue tgsigqueue prlimit affinity scheduler setattr priority ioprio migrate move memory; do
		assert_line "$name EPERM"
	done
	assert_logged '.asked | strings | startswith("prlimit64(pid ")'
	assert_logged '.object == "ioprio_set" and .verdict == "deny"'
}

@test "the supervisor cannot be, whatever is granted" {
	attempt supervisor
	refute_line --regexp ' OK$'
	assert_logged '.object == "prlimit64" and .rule == "guard-process"'
	policy_open granting < <(echo "grant: all")
	attempt supervisor
	refute_line --regexp ' OK$'
	assert_logged '.object == "kill" and .rule == "guard-process"'
	assert_logged '.object == "tgkill" and .rule == "guard-process"'
}

@test "nor by audit mode" {
	rm -f "$LOG"
	run hf --policy audit-only -- python3 "$T/guard.py" supervisor
	refute_line --regexp ' OK$'
	assert_logged '.object == "kill" and .rule == "guard-process" and .verdict == "deny"'
}

@test "granted, processes outside are the agent's to handle" {
	decoy
	policy_open granting < <(echo "grant: [processes]")
	attempt "$DECOY"
	for name in kill tkill tgkill sigqueue prlimit affinity priority ioprio; do
		assert_line "$name OK"
	done
	# It would act on whatever the descriptor is by then.
	assert_line "pidfd ENOSYS"
	assert_logged '.object == "kill" and .verdict == "allow"'
}

@test "a session's own processes are its own" {
	for extra in "" "grant: [processes]"; do
		policy_open own < <(echo "$extra")
		attempt child
		for name in kill kill-high tkill tgkill sigqueue tgsigqueue prlimit affinity scheduler setparam setattr priority ioprio move memory; do
			assert_line "$name OK"
		done
		refute_logged '.kind == "system"'
	done
}

@test "a descriptor's signals go to nobody outside" {
	decoy
	for extra in "" "grant: [processes]"; do
		policy_open own < <(echo "$extra")
		run hf --policy "$POLICY" -- python3 - "$DECOY" <<-'END'
			import fcntl, os, signal, sys
			got = []
			signal.signal(signal.SIGUSR1, lambda *_: got.append(1))
			for pid in (int(sys.argv[1]), os.getpid()):
			    r, w = os.pipe()
			    fcntl.fcntl(r, 10, signal.SIGUSR1)
			    try:
			        fcntl.fcntl(r, fcntl.F_SETOWN, pid)
			    except PermissionError:
			        continue
			    fcntl.fcntl(r, fcntl.F_SETFL, os.O_ASYNC)
			    os.write(w, b"x")
			print("own", got)
		END
		assert_success
		assert_output "own [1]"
		# The signal would have ended it.
		[[ -n $extra ]] || refute is_gone "$DECOY"
	done
}

@test "everybody at once cannot be signalled" {
	# With a signal, which would reach whoever it could: tests/guest/everybody.sh.
	policy_open granting < <(echo "grant: [processes]")
	run hf --policy "$POLICY" -- python3 -c 'import os; os.setpriority(os.PRIO_USER, 0, 1)'
	assert_failure
	assert_output --partial PermissionError
}

@test "job control works: kill %1, timeout, groups, renice" {
	for extra in "" "grant: [processes]"; do
		policy_open own < <(echo "$extra")
		run hf --policy "$POLICY" -- setsid -w bash -c 'set -m
			sleep 100 & kill %1; wait %1; echo "job $?"
			timeout 0.2 sleep 100; echo "timeout $?"
			sh -c "sleep 100 & kill -TERM 0" & wait $!; echo "group $?"
			(sleep 100; :) & kill -STOP -$!; kill -CONT -$!; kill -KILL -$!; wait $!; echo "other group $?"
			sleep 100 & renice -n 5 -p $! >/dev/null; echo "renice $?"; kill $!
			renice -n 0 -g 0 >/dev/null; echo "own group $?"
			prlimit --pid $$ --core=0; echo "prlimit $?"' 2>/dev/null
		assert_success
		assert_line "job 143"
		assert_line "timeout 124"
		assert_line "group 143"
		assert_line "other group 137"
		assert_line "renice 0"
		assert_line "own group 0"
		assert_line "prlimit 0"
	done
}

@test "threads, subprocesses and pools do without clone3" {
	run hf --policy "$POLICY" -- python3 -c '
import ctypes, errno, multiprocessing, os, subprocess, threading
libc = ctypes.CDLL(None, use_errno=True)
assert libc.syscall(435, None, 0) < 0 and ctypes.get_errno() == errno.ENOSYS
t = threading.Thread(target=print, args=("thread",)); t.start(); t.join()
subprocess.run(["echo", "child"])
with multiprocessing.get_context("fork").Pool(2) as p:
    print(p.map(abs, [-1, -2]))'
	assert_success
	assert_line thread
	assert_line child
	assert_line "[1, 2]"
}

@test "namespaces are refused unless granted, and all of clone's flags are known" {
	local script='
import ctypes, errno, os, sys
libc = ctypes.CDLL(None, use_errno=True)
def name(r):
    if r == 0: os._exit(0)
    return "OK" if r > 0 else errno.errorcode[ctypes.get_errno()]
for flag in (0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000, 0x80):
    pid = os.fork()
    if pid == 0:
        r = libc.unshare(flag)
        print(hex(flag), "OK" if r == 0 else errno.errorcode[ctypes.get_errno()])
        sys.stdout.flush(); os._exit(0)
    os.waitpid(pid, 0)
print("clone", name(libc.syscall(56, ctypes.c_ulong(0x10000011), 0, 0, 0, 0)))'
	run hf --policy "$POLICY" -- python3 -c "$script"
	assert_success
	refute_output --partial OK
	assert_line "clone EPERM"
	assert_logged '.object == "unshare" and .verdict == "deny"'
	assert_logged '.object == "clone" and .verdict == "deny"'
	python3 -c 'import ctypes, sys; sys.exit(-ctypes.CDLL(None).unshare(0x10000000))' || skip "no user namespaces here"
	policy_open granting < <(echo "grant: [namespaces]")
	run hf --policy "$POLICY" -- python3 -c "$script"
	assert_line "0x10000000 OK"
	assert_line "clone OK"
}

@test "attributes of a file cannot be changed through a descriptor that was opened for reading" {
	echo x >file
	run hf --policy "$POLICY" -- python3 -c '
import fcntl
fcntl.ioctl(open("file"), 0x40086602, b"\x00" * 8)'
	assert_failure
	assert_output --partial "PermissionError"
	assert_logged '.asked == "ioctl(FS_IOC_SETFLAGS)" and .verdict == "deny"'
}

@test "root keeps a container's capabilities, and what a policy keeps or grants" {
	skip_unless_root
	run hf --policy "$POLICY" -- sh -c 'grep ^Cap /proc/self/status; unshare -m true'
	assert_line --regexp 'CapPrm:.00000000a00405fb'
	assert_line --regexp 'CapBnd:.00000000a00405fb'
	assert_line --regexp 'CapInh:.0000000000000000'
	policy_open keeping < <(echo "keep_capabilities: [net_admin, CAP_SYS_NICE]")
	run hf --policy "$POLICY" -- grep ^CapEff /proc/self/status
	assert_line --regexp 'CapEff:.00000000a08415fb'
	policy_open granting < <(echo "grant: [mount]")
	run hf --policy "$POLICY" -- grep ^CapEff /proc/self/status
	assert_line --regexp 'CapEff:.00000000a02405fb'
}

@test "root makes no device" {
	skip_unless_root
	run hf --policy "$POLICY" -- sh -c 'mknod zero c 1 5; mkfifo pipe; test -p pipe && echo made'
	assert_line --partial "Operation not permitted"
	assert_line made
	refute [ -e zero ]
}

@test "the plan says how signals and capabilities are bound" {
	run "$HOLDFAST" policy explain --plan --policy "$POLICY"
	assert_success
	assert_line --regexp '^signals +(landlock|seccomp-notify) '
	assert_line --regexp '^capabilities +(dropped|none) '
	run hf --policy "$POLICY" -- true
	assert_logged '.event == "session_start" and (.layers | any(.class == "signals"))'
}

# --- the end of the guards

# All of a session's processes write their pids to $T/pids, then sleep.
survivors() {
	cat >"$T/tree.py" <<-'END'
		import os, sys, time
		pids = sys.argv[1]
		def note(what):
		    with open(pids, "a") as f:
		        f.write(f"{os.getpid()} {what}\n")
		def away():
		    if os.fork():
		        os.wait()
		        return
		    os.setsid()
		    if os.fork():
		        os._exit(0)
		    note("daemon")
		    time.sleep(600)
		away()
		if os.fork() == 0:
		    os.setsid()
		    note("session")
		    time.sleep(600)
		if os.fork() == 0:
		    import ctypes
		    ctypes.CDLL(None).prctl(1, 0)
		    note("child")
		    time.sleep(600)
		if len(sys.argv) > 2:
		    while not os.path.exists(pids) or sum(1 for _ in open(pids)) < 3:
		        time.sleep(0.01)
		    sys.exit(0)
		note("command")
		time.sleep(600)
	END
}

all_gone() {
	local pid what

	while read -r pid what; do
		is_gone "$pid" || return 1
	done <"$T/pids"
}

@test "a killed supervisor takes the whole tree with it within a second" {
	local supervisor end

	survivors
	"$HOLDFAST" run --log "$LOG" --policy "$POLICY" -- python3 "$T/tree.py" "$T/pids" &
	started $!
	wait_for eval '(( $(wc -l <"$T/pids") == 4 ))'
	supervisor=$(log_select '.event == "session_start"' | jq .supervisor)
	while read -r pid what; do started "$pid"; done <"$T/pids"
	kill -KILL "$supervisor"
	end=$(($(date +%s%N) + 1000000000))
	wait_for all_gone
	(($(date +%s%N) < end))
}

@test "also when the launcher has left with the command, and daemons live on" {
	local supervisor end

	survivors
	"$HOLDFAST" run --log "$LOG" --policy "$POLICY" -- python3 "$T/tree.py" "$T/pids" leave
	while read -r pid what; do
		started "$pid"
		refute is_gone "$pid"
	done <"$T/pids"
	supervisor=$(log_select '.event == "session_start"' | jq .supervisor)
	kill -KILL "$supervisor"
	end=$(($(date +%s%N) + 1000000000))
	wait_for all_gone
	(($(date +%s%N) < end))
}

@test "also when the keeper is killed first" {
	local supervisor keeper

	survivors
	"$HOLDFAST" run --log "$LOG" --policy "$POLICY" -- python3 "$T/tree.py" "$T/pids" &
	started $!
	wait_for eval '(( $(wc -l <"$T/pids") == 4 ))'
	while read -r pid what; do started "$pid"; done <"$T/pids"
	supervisor=$(log_select '.event == "session_start"' | jq .supervisor)
	keeper=$(awk '/^PPid/ {print $2}' "/proc/$supervisor/status")
	kill -KILL "$keeper"
	kill -KILL "$supervisor"
	wait_for all_gone
}

@test "daemons that nobody would be left to end are ended with the keeper" {
	local supervisor keeper

	survivors
	"$HOLDFAST" run --log "$LOG" --policy "$POLICY" -- python3 "$T/tree.py" "$T/pids" leave
	while read -r pid what; do
		started "$pid"
		refute is_gone "$pid"
	done <"$T/pids"
	supervisor=$(log_select '.event == "session_start"' | jq .supervisor)
	keeper=$(awk '/^PPid/ {print $2}' "/proc/$supervisor/status")
	kill -KILL "$keeper"
	wait_for all_gone
	session_ended
	assert_logged '.event == "notice" and (.note | startswith("The keeper"))'
}

@test "a session whose keeper was killed goes on, and leaves no daemons" {
	local supervisor keeper launcher status=0

	survivors
	mkfifo "$T/go"
	"$HOLDFAST" run --log "$LOG" --policy "$POLICY" -- \
		sh -c 'python3 "$1" "$2" leave; cat "$3"; exit 3' - "$T/tree.py" "$T/pids" "$T/go" >"$T/out" &
	launcher=$!
	started "$launcher"
	wait_for eval '(( $(wc -l <"$T/pids") == 3 ))'
	while read -r pid what; do started "$pid"; done <"$T/pids"
	supervisor=$(log_select '.event == "session_start"' | jq .supervisor)
	keeper=$(awk '/^PPid/ {print $2}' "/proc/$supervisor/status")
	kill -KILL "$keeper"
	assert_logged '.event == "notice" and (.note | startswith("The keeper"))'
	echo on >"$T/go"
	wait "$launcher" || status=$?
	assert_equal "$status" 3
	assert_equal "$(cat "$T/out")" on
	wait_for all_gone
}

@test "asking whether there is anybody to signal reaches nobody, and is allowed" {
	printf 'version: 1\nname: all\ndefault: allow\ngrant: all\n' >"$T/all.yaml"
	run hf --policy "$T/all.yaml" -- python3 -c 'import os; print(os.kill(-1, 0))'
	assert_success
	assert_output None
}

# In the same project, so that no path tells: by the mode that logs have.
@test "the log of another session is left alone, also in a directory that both may write" {
	local other=$T/project/other.jsonl file
	mkdir -p "$T/project"
	mkfifo "$T/project/go"
	timeout 60 "$HOLDFAST" run -q --policy "$POLICY" --log "$other" -- sh -c 'read -r _ <"$0"' "$T/project/go" >"$T/out" 2>&1 3>&- &
	wait_for test -s "$other"
	for file in "$other" "$other.ring"; do
		assert_equal "$(stat -c %a "$file")" 1600
		run hf --policy "$POLICY" -- sh -c 'echo forged >>"$1"; true >"$1"; rm -f "$1"; mv "$1" "$1.x"; chmod 600 "$1"; ln "$1" "$1.y"; ls' - "$file"
		assert_success
		assert_file_exist "$file"
		assert_file_not_exist "$file.x"
		assert_file_not_exist "$file.y"
		assert_equal "$(stat -c %a "$file")" 1600
		assert_logged ".verdict == \"deny\" and .rule == \"own-files\" and .object == \"$file\""
	done
	refute grep -q forged "$other"
	echo go >"$T/project/go"
	wait_for test ! -e "$other.ring"
	"$HOLDFAST" verify "$other"
	# When it is over, too; who is outside of every session does as he likes.
	run hf --policy "$POLICY" -- rm -f "$other"
	assert_file_exist "$other"
	rm "$other"
}

@test "the ring that waits for the next session is left alone" {
	local spare=$T/project/logs/ring.spare
	mkdir "$T/project/logs"
	"$HOLDFAST" run -q --policy "$POLICY" --log "$T/project/logs" -- true
	assert_equal "$(stat -c '%a %s' "$spare")" "1600 1052672"
	run hf --policy "$POLICY" -- sh -c 'echo forged >"$1"; echo forged >>"$1"; rm -f "$1"; mv "$1" "$1.x"; chmod 600 "$1"; ln "$1" "$1.y"; ls' - "$spare"
	assert_success
	assert_equal "$(stat -c '%a %s %h' "$spare")" "1600 1052672 1"
	cmp -n 1052672 "$spare" /dev/zero
	assert_logged ".verdict == \"deny\" and .rule == \"own-files\" and .object == \"$spare\""
}
