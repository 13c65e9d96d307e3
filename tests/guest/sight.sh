#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# `run --layers sight` on this kernel: the processes of a session, from the kernel.
[[ -x /usr/local/libexec/holdfast/holdfast-loader ]] || exit 0
log=/tmp/sight.jsonl
is()
{
	if [[ $2 == "$3" ]]; then echo "ok - sight: $1"; else echo "not ok - sight: $1: '$2', not '$3'"; fi
}
status=0
holdfast run -q --layers sight --policy audit-only --log "$log" -- bash -c '/bin/busybox true; (exit 3); kill -9 $$' || status=$?
is "the command's status" "$status" 137
events=$(jq -cs '[.[] | select(.event == "processes") | .list[]]' "$log")
is "what was executed" "$(jq -c '[.[] | select(.what == "exec") | .comm]' <<<"$events")" '["bash","busybox"]'
is "each process begins and ends" "$(jq -c 'group_by(.pid) | map([.[] | .what] | [first, last]) | unique' <<<"$events")" '[["fork","exit"]]'
is "how the first ended" "$(jq -c 'last(.[] | select(.what == "exit" and .signal == 9)) | .comm' <<<"$events")" '"bash"'
