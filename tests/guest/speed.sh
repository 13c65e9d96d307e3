#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
# What an open costs that the kernel decides on and records, beside the bare one: rounds of both, one after the other, by the
# time of the process that opens, on one CPU: two that are emulated by one thread take their time from each other, and the
# supervisor writes the records in its own. Only the ratio means something.
if ! grep -qw bpf /sys/kernel/security/lsm || grep -qs '\[confidentiality\]' /sys/kernel/security/lockdown ||
	[[ ! -x /usr/local/libexec/holdfast/holdfast-loader ]]; then
	exit 0
fi
cat >/tmp/speed.yaml <<-END
	version: 1
	name: speed
	default: {tool: allow, path: allow, network: allow}
	rules: [{name: secret, match: {path: ["**/.ssh/**", "/etc/shadow*"]}, action: deny}]
END
cat >/tmp/speed.py <<-'END'
	import os, subprocess, sys, time
	OPENS, ROUNDS, PATH = 1000, 8, "/usr/local/share/holdfast/policies/coding-agent.yaml"
	def opens():
	    start = time.process_time()
	    for _ in range(OPENS):
	        os.close(os.open(PATH, os.O_RDONLY))
	    return time.process_time() - start
	def worker(*command):
	    return subprocess.Popen([*command, sys.executable, __file__, "work"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
	def ask(process):
	    process.stdin.write(b"x")
	    process.stdin.flush()
	    return float(process.stdout.readline())
	if sys.argv[1:] == ["work"]:
	    while sys.stdin.buffer.read(1):
	        print(opens(), flush=True)
	    sys.exit()
	session = "holdfast", "run", "-q", "--layers", "bpf-lsm", "--policy", "/tmp/speed.yaml", "--log", "/var/tmp/speed.jsonl", "--"
	bare, decided = worker(), worker(*session)
	for process in bare, decided:
	    ask(process)
	pairs = [(ask(bare), ask(decided)) for _ in range(ROUNDS)]
	for process in bare, decided:
	    process.stdin.close()
	    process.wait()
	native, ours = (min(p[i] for p in pairs) / OPENS * 1e6 for i in (0, 1))
	print(f"# speed: open and close {native:.1f} us bare, {ours:.1f} us decided on and recorded in the kernel: {ours / native:.2f} times")
	with open("/var/tmp/speed.jsonl", encoding="ascii") as f:
	    told = sum(PATH in line and '"op":"read"' in line and '"layer":"bpf-lsm"' in line for line in f)
	print("ok" if told == OPENS * (ROUNDS + 1) else "not ok", f"- speed: each of {OPENS * (ROUNDS + 1)} opens was decided on in the kernel, and recorded")
	if told != OPENS * (ROUNDS + 1):
	    print(f"# {told} records")
END
echo 0 >/sys/devices/system/cpu/cpu1/online
python3 /tmp/speed.py
echo 1 >/sys/devices/system/cpu/cpu1/online
