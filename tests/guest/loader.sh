#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# holdfast-loader as a service, as tests/e2e/loader.bats has it of connections, here of files: it takes BPF LSM.
loader=/usr/local/libexec/holdfast/holdfast-loader
[[ -x $loader ]] || exit 0
export HOLDFAST_LOADER_SOCKET=/tmp/loader.sock
check()
{
	local name=$1
	shift
	if "$@" >/tmp/out 2>&1; then echo "ok - loader: $name"; else echo "not ok - loader: $name"; sed 's/^/# /' /tmp/out; fi
}
as_user()
{
	setpriv --reuid=1000 --regid=1000 --clear-groups --inh-caps=-all env HOME=/home/agent XDG_STATE_HOME=/home/agent "$@"
}
# NAME COMMAND...: a user's session that needs bpf-lsm, with its log in /home/agent/NAME.jsonl
session()
{
	local name=$1
	shift
	as_user holdfast run -q --ask deny --layers auto --policy /tmp/required.yaml --log "/home/agent/$name.jsonl" -- "$@"
}
plan()
{
	jq -r --arg class "$2" 'select(.event == "session_start") | .layers[] | select(.class == $class) | .layer' "/home/agent/$1.jsonl"
}
says()
{
	local words=$1
	shift
	if "$@" >/tmp/said 2>&1 || ! grep -q "$words" /tmp/said; then
		cat /tmp/said
		return 1
	fi
}
# SERVICE: its processes but the first
loaders()
{
	cat "/proc/$1/task/$1/children"
}
nothing_is_left()
{
	local end=$((SECONDS + 60))

	until [[ $(loaders "$service" | wc -w) == 1 ]]; do
		((SECONDS < end)) || return 1
	done
}
# What is attached: one for each program.
links()
{
	# shellcheck disable=SC2010 # what they are links to
	ls -l "/proc/$service/fd" | grep -c 'anon_inode:bpf.link'
}
mkdir -p /home/agent/files && chown 1000:1000 /home/agent/files && cd /home/agent/files || exit 1
echo x >secret && echo x >plain && chown 1000:1000 secret plain
cat >/tmp/required.yaml <<-END
	version: 1
	name: required
	require: [bpf-lsm]
	default: {tool: allow, path: allow, network: allow}
	rules: [{name: secret, match: {path: "**/secret"}, action: deny}]
END
check "without the service a policy that requires the layer runs nothing" says "a policy requires the layer bpf-lsm: needs root, or the service .*; the command was not run" session a touch ran
setpriv --no-new-privs --bounding-set=-all,+bpf,+perfmon,+net_admin,+dac_override --inh-caps=-all \
	"$loader" --listen "$HOLDFAST_LOADER_SOCKET" </dev/null >/tmp/service 2>&1 &
service=$!
until [[ -S $HOLDFAST_LOADER_SOCKET ]]; do :; done
if ! grep -qw bpf /sys/kernel/security/lsm || grep -qs '\[confidentiality\]' /sys/kernel/security/lockdown; then
	check "where nobody asks the programs, or they cannot be loaded, a policy that requires them runs nothing" \
		says "a policy requires the layer bpf-lsm: .*; the command was not run" session b touch ran
	check "nothing was run" test ! -e ran
	kill "$service"
	exit 0
fi
check "with it the policy's session runs, and reads are decided on as ever" session c bash -c '! cat secret && cat plain'
check "the plan has the floor of the kernel's" test "$(plan c objects) $(plan c path-read)" = "bpf-lsm seccomp-notify"
check "the kernel and the policies agree" as_user bash -c "! grep layers-disagree /home/agent/c.jsonl && holdfast verify /home/agent/c.jsonl"
links=$(links)
as_user python3 -I /guest/bin/loader_client.py files 20 >/tmp/files 2>&1
cat >/tmp/expected <<-END
	sessions 20
	free 0
	signal to another session 1
	refused 20
	itself -1
	its parent -1
	one that could become root's -1
END
check "sessions of the service are separate, and bind their own children only" diff /tmp/files /tmp/expected
check "nothing of them is left" nothing_is_left
# A second set would be asked at each open, and the kernel has room for few.
check "the programs are loaded once for all" test "$(links)" -gt 0 -a "$(links)" = "$links"
mkfifo -m 666 /tmp/fifo2
session d bash -c 'echo >/tmp/ready3; read -r _ <>/tmp/fifo2; ! cat secret' 2>/dev/null &
session=$!
until [[ -e /tmp/ready3 ]]; do :; done
kill "$service"
wait "$service"
echo >/tmp/fifo2
check "a service that is stopped takes nothing from a session" wait "$session"
