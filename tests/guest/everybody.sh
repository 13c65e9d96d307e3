#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Signals to everybody at once, as root and with processes granted: here alone, since they would reach everybody.
sleep 300 &
decoy=$!
cat >/tmp/granting.yaml <<-END
	version: 1
	name: granting
	default: allow
	grant: [processes]
END
cd /tmp || exit 1
for how in "kill -TERM -1" "kill -KILL -1"; do
	holdfast run --log /tmp/everybody.jsonl --policy /tmp/granting.yaml -- bash -c "$how; exit 7" >/tmp/out 2>&1
	status=$?
	if ((status == 7)) && kill -0 "$decoy" && grep -q '"asked":"kill(pid -1)".*"rule":"guard-process"' /tmp/everybody.jsonl; then
		echo "ok - $how reaches nobody"
	else
		echo "not ok - $how reaches nobody"
		echo "# status $status"
		sed 's/^/# /' /tmp/out
	fi
	rm -f /tmp/everybody.jsonl*
done
kill "$decoy"
