#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# A kernel that cannot hand over descriptors together with answers (before Linux 5.14): nothing is run, and that is said.
if [[ $(printf '%s\n' 5.14 "$(uname -r)" | sort -V | head -1) == 5.14 ]]; then
	exit 0
fi
cd /tmp || exit 1
status=0
holdfast run --policy audit-only -- touch ran >/tmp/said 2>&1 || status=$?
if ((status == 125)) && [[ ! -e ran ]] && grep -q 'no usable seccomp user notification.*nothing was run' /tmp/said; then
	echo "ok - old: a session does not start, and it is said why"
else
	echo "not ok - old: a session does not start, and it is said why"
	sed "s/^/# $status: /" /tmp/said
fi
if holdfast doctor >/tmp/said 2>&1; then
	echo "not ok - old: doctor fails"
elif grep -q 'Linux 5.14 or later' /tmp/said && grep -q 'Something that is needed is missing' /tmp/said; then
	echo "ok - old: doctor fails, with what it takes"
else
	echo "not ok - old: doctor fails, with what it takes"
	sed 's/^/# /' /tmp/said
fi
