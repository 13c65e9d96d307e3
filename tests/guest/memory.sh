#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# An agent that eats all memory, of its control group and then of the machine, is killed; its supervisor is not.
cat >/tmp/eater.py <<-'END'
	import os, sys, time
	group = sys.argv[1] if len(sys.argv) > 1 else None
	print(os.getpid(), flush=True)
	while group and group not in open("/proc/self/cgroup").read():
	    time.sleep(0.01)
	held = []
	while True:
	    held.append(bytearray(16 << 20))
END
cat >/tmp/eater.yaml <<-END
	version: 1
	name: eater
	default: allow
END
# eats NAME [GROUP]: the session's status is in $status.
eats()
{
	local log=/var/tmp/$1.jsonl pid=
	timeout 100 holdfast run -q --policy /tmp/eater.yaml --log "$log" -- python3 /tmp/eater.py ${2:+"$2"} >/tmp/pid 2>/tmp/said &
	local session=$!
	if [[ ${2-} ]]; then
		until read -r pid </tmp/pid && [[ $pid ]]; do sleep 0.05; done
		echo "$pid" >"/sys/fs/cgroup/$2/cgroup.procs"
	fi
	status=0
	wait "$session" || status=$?
	if ((status == 137)) && holdfast verify "$log" >/dev/null && tail -n 5 "$log" | grep -q '"event":"session_end"'; then
		echo "ok - memory: $1: the agent is killed, its supervisor ends the session and the log"
	else
		echo "not ok - memory: $1: the agent is killed, its supervisor ends the session and the log"
		echo "# status $status"
		sed 's/^/# /' /tmp/said
		tail -n 3 "$log" | cut -c1-200 | sed 's/^/# /'
	fi
}
echo +memory >/sys/fs/cgroup/cgroup.subtree_control
mkdir -p /sys/fs/cgroup/eater
echo 64M >/sys/fs/cgroup/eater/memory.max
eats "a group without memory" eater
eats "a machine without memory"
