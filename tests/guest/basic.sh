#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# The main job on this kernel: a session runs, refuses and records.
check()
{
	local name=$1
	shift
	if "$@" >/tmp/out 2>&1; then echo "ok - $name"; else echo "not ok - $name"; sed 's/^/# /' /tmp/out; fi
}
refuses()
{
	local status=0
	"$@" || status=$?
	((status != 0))
}
mkdir -p /tmp/project && cd /tmp/project || exit 1
check "run ends with the command's status" bash -c 'holdfast run -- sh -c "exit 7"; (($? == 7))'
check "the project can be written" holdfast run -- sh -c 'echo x > file && grep -q x file'
check "a secret cannot be read" refuses holdfast run -- cat /etc/shadow-
check "an ordinary user has a session too" setpriv --reuid=1000 --regid=1000 --clear-groups env HOME=/home/agent \
	XDG_STATE_HOME=/tmp/state holdfast run -- true
check "denials are in the log" bash -c 'holdfast run -- touch /etc/x; holdfast log --verdict deny --json | grep -q /etc/x'
