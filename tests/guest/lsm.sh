#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# Verdicts on files by BPF LSM: of the kernel alone, and in sessions.
check()
{
	local name=$1
	shift
	if "$@" >/tmp/out 2>&1; then echo "ok - lsm: $name"; else echo "not ok - lsm: $name"; sed 's/^/# /' /tmp/out; fi
}
# LAYERS NAME COMMAND...: a session with its log in /var/tmp/NAME.jsonl
session()
{
	local layers=$1 name=$2
	shift 2
	holdfast run -q --ask deny --layers "$layers" --policy /tmp/lsm.yaml --log "/var/tmp/$name.jsonl" -- "$@"
}
plan()
{
	jq -r --arg class "$2" 'select(.event == "session_start") | .layers[] | select(.class == $class) | .layer' "/var/tmp/$1.jsonl"
}
reads()
{
	jq -r 'select(.op == "read" and (.object | startswith("/tmp/lsm/"))) | [.object, .verdict, .rule, .layer, .exe] | join(" ")' "/var/tmp/$1.jsonl"
}
loaders()
{
	grep -lx holdfast-loader /proc/[0-9]*/comm 2>/dev/null | cut -d/ -f3
}
export -f loaders
mkdir -p /tmp/lsm && cd /tmp/lsm || exit 1
echo x >secret && echo x >plain && echo x >seen
cat >/tmp/lsm.yaml <<-END
	version: 1
	name: lsm
	default: {tool: allow, path: allow, network: allow}
	rules:
	  - {name: secret, match: {path: "**/secret*"}, action: deny}
	  - {name: seen, match: {path: "/tmp/lsm/se*n"}, action: flag}
END
without=
if ! grep -qw bpf /sys/kernel/security/lsm; then
	check "it is seen that nobody asks the programs" bash -c 'HOLDFAST_TEST_LSM=1 /guest/bin/test_lsm | grep "what it refuses went through"'
	without="went through"
elif grep -qs '\[confidentiality\]' /sys/kernel/security/lockdown; then
	without="program load failed" # they read the kernel's memory
fi
if [[ $without ]]; then
	# shellcheck disable=SC2016 # for the shell that is started
	check "what is forced is not pretended" bash -c '! holdfast run --layers bpf-lsm --policy /tmp/lsm.yaml -- true 2>/tmp/err; grep "$0.*was not run" /tmp/err' "$without"
	check "without it all is notified" session auto a bash -c '! cat secret && cat plain'
	check "and the plan says so" test "$(plan a path-read) $(plan a objects)" = "seccomp-notify none"
	exit 0
fi
check "the kernel alone says what the policies say" env HOLDFAST_TEST_LSM=1 /guest/bin/test_lsm
check "a session reads what it may, and nothing else" session bpf-lsm a bash -c '! cat secret && cat plain seen && ! read -r _ <secret && cat /proc/self/fd/0 <plain && rm -f new && echo x >new'
check "the plan says so" test "$(plan a path-read) $(plan a objects)" = "bpf-lsm bpf-lsm"
reads a | sort -u >/tmp/reads
cat >/tmp/expected <<-END
	/tmp/lsm/plain allow  bpf-lsm /bin/busybox
	/tmp/lsm/plain allow  bpf-lsm /usr/bin/bash
	/tmp/lsm/secret deny secret bpf-lsm /bin/busybox
	/tmp/lsm/secret deny secret bpf-lsm /usr/bin/bash
	/tmp/lsm/seen flag seen bpf-lsm /bin/busybox
END
check "each read has its record" diff /tmp/reads /tmp/expected
check "the kernel and the policies agree" bash -c '! grep layers-disagree /var/tmp/a.jsonl && holdfast verify /var/tmp/a.jsonl'
# What the kernel opens for itself in the session's calls, what no path leads to, and whoever ends before his record is read.
mkdir -p /tmp/over/{lower,upper,work,all}/in && mount -t overlay -o lowerdir=/tmp/over/lower,upperdir=/tmp/over/upper,workdir=/tmp/over/work overlay /tmp/over/all
cat >/tmp/odd.py <<-'END'
	import ctypes, os
	os.listdir("/tmp/over/all")
	os.listdir("/tmp/over/all/in")
	libc = ctypes.CDLL(None, use_errno=True)
	if min(libc.syscall(240, b"holdfast", os.O_CREAT | os.O_RDWR, 0o600, None), libc.syscall(240, b"holdfast", os.O_RDONLY, 0, None)) < 0:
	    raise OSError(ctypes.get_errno(), "mq_open")
	for name in "/proc/self/ns/net", "/proc/self/maps", f"/proc/self/fd/{os.memfd_create('x')}", os.ttyname(os.openpty()[1]):
	    os.close(os.open(name, os.O_RDONLY | os.O_NOCTTY))
	for i in range(50):
	    if os.fork() == 0:
	        open("/proc/self/stat").close()
	        os._exit(0)
END
for layers in -bpf bpf-lsm; do
	rm -f /var/tmp/odd.jsonl
	check "with $layers what is nobody's file is opened" session "$layers" odd python3 /tmp/odd.py
done
check "and a process that has ended has its record" test "$(jq -r 'select(.op == "read" and (.object | test("^/proc/[0-9]+/stat$"))) | .verdict' /var/tmp/odd.jsonl | sort | uniq -c | tr -s ' ')" = " 50 allow"
mkdir -p /etc/holdfast && : >/etc/holdfast/broker.yaml
check "nor is Holdfast's own configuration read, though no rule speaks of it" bash -c '! holdfast run -q --ask deny --layers bpf-lsm --policy /tmp/lsm.yaml --log /var/tmp/key.jsonl -- cat /etc/holdfast/broker.yaml'
check "and the record says why" test "$(jq -r 'select(.rule == "own-key") | [.layer, .verdict, .reason == "layers-disagree"] | join(" ")' /var/tmp/key.jsonl)" = "bpf-lsm deny false"
rm /etc/holdfast/broker.yaml
mkfifo /tmp/fifo
session bpf-lsm c bash -c 'echo >/tmp/ready; read -r _ <>/tmp/fifo; ! cat secret' 2>/dev/null &
until [[ -e /tmp/ready ]]; do :; done
check "somebody else is not bound meanwhile" cat secret
check "there is one loader" test "$(loaders | wc -l)" = 1
kill -9 "$(loaders)"
echo >/tmp/fifo
check "the verdicts outlive the loader" wait $!
session bpf-lsm d bash -c 'trap "" TERM; echo >/tmp/ready2; while :; do cat secret && echo >/tmp/leaked; done' 2>/dev/null &
until [[ -e /tmp/ready2 ]]; do :; done
kill -9 "$(jq -r 'select(.event == "session_start") | .supervisor' /var/tmp/d.jsonl)"
wait $!
check "and a supervisor that is killed" test ! -e /tmp/leaked
check "what asks is notified, with the floor below" holdfast run -q --ask deny --layers bpf-lsm --log /var/tmp/e.jsonl -- true
check "and the plan says why" test "$(plan e path-read) $(plan e objects)" = "seccomp-notify bpf-lsm"
# shellcheck disable=SC2016 # for the shell that is started
check "the loaders end with their sessions" timeout 20 bash -c 'while [[ $(loaders) ]]; do :; done'
