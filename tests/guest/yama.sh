#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Under Yama's ptrace_scope 1 only ancestors may look into a process. An orphan is nobody's descendant any more, unless the
# supervisor adopts it: what it opens must be decided on all the same, and what is allowed must work.
scope=/proc/sys/kernel/yama/ptrace_scope
old=$(cat "$scope")
echo 1 >"$scope"
mkdir -p /tmp/yama/project/sub /tmp/yama/home/.ssh
echo mine >/tmp/yama/project/file
echo secret >/tmp/yama/home/.ssh/id_rsa
chown -R 1000:1000 /tmp/yama
cat >/tmp/yama/orphan.py <<-'END'
	import os, sys, time
	def attempt(path):
	    try:
	        with open(path) as f:
	            return f.read().strip()
	    except OSError as e:
	        return type(e).__name__
	if os.fork() == 0:
	    middle = os.getpid()
	    if os.fork() == 0:
	        os.setsid()
	        while os.getppid() == middle:
	            time.sleep(0.01)
	        with open("/tmp/yama/project/out.tmp", "w") as out:
	            print(attempt("file"), attempt("/tmp/yama/home/.ssh/id_rsa"), file=out)
	        os.rename("/tmp/yama/project/out.tmp", "/tmp/yama/project/out")
	        os._exit(0)
	    os._exit(0)
	os.wait()
	while not os.path.exists("/tmp/yama/project/out"):
	    time.sleep(0.01)
END
cd /tmp/yama/project || exit 1
setpriv --reuid=1000 --regid=1000 --clear-groups env HOME=/tmp/yama/home XDG_STATE_HOME=/tmp/yama/state \
	timeout 30 holdfast run --ask deny -- python3 /tmp/yama/orphan.py >/tmp/out 2>&1
status=$?
if ((status == 0)) && [[ $(cat out) == "mine PermissionError" ]]; then
	echo "ok - with ptrace_scope 1 an orphan is supervised as it was before"
else
	echo "not ok - with ptrace_scope 1 an orphan is supervised as it was before"
	echo "# status $status, $(cat out 2>&1)"
	sed 's/^/# /' /tmp/out
fi
# Of 2 nobody without a capability may trace: such a session does not begin.
echo 2 >"$scope"
if setpriv --reuid=1000 --regid=1000 --clear-groups env HOME=/tmp/yama/home XDG_STATE_HOME=/tmp/yama/state \
	holdfast run -- touch /tmp/yama/project/ran >/tmp/out 2>&1 || [[ -e /tmp/yama/project/ran ]]; then
	echo "not ok - with ptrace_scope 2 an ordinary user's session does not start"
	sed 's/^/# /' /tmp/out
else
	echo "ok - with ptrace_scope 2 an ordinary user's session does not start"
fi
echo "$old" >"$scope" 2>/dev/null
