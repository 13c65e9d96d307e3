#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Process numbers that come round again within a second, and hundreds of zombies: each action is told of whoever did it."""
import json
import os
import subprocess
import sys

PIDS, ROUNDS, ZOMBIES = 600, 600, 100
POLICY = "version: 1\nname: pids\ndefault: allow\nrules:\n  - {name: x, match: {path: [/nonexistent]}, action: deny}\n"


def agent():
    zombies = 0
    for i in range(ROUNDS):
        pid = os.fork()
        if pid == 0:
            os.close(os.open(f"/tmp/pids/{os.getpid()}-{i}", os.O_CREAT | os.O_WRONLY))
            if i % 20 == 0:
                os.execv("/bin/busybox", ["true", str(os.getpid())])
            os._exit(0)
        zombies += 1
        while zombies >= ZOMBIES:
            os.wait()
            zombies -= 1


def main():
    with open("/proc/sys/kernel/pid_max", encoding="ascii") as f:
        before = f.read()
    with open("/proc/sys/kernel/pid_max", "w", encoding="ascii") as f:
        f.write(str(PIDS))
    os.makedirs("/tmp/pids", exist_ok=True)
    with open("/tmp/pids.yaml", "w", encoding="ascii") as f:
        f.write(POLICY)
    done = subprocess.run(["holdfast", "run", "-q", "--policy", "/tmp/pids.yaml", "--log", "/var/tmp/pids.jsonl", "--",
                           sys.executable, __file__, "agent"], check=False)
    with open("/proc/sys/kernel/pid_max", "w", encoding="ascii") as f:
        f.write(before)
    with open("/var/tmp/pids.jsonl", encoding="ascii") as f:
        records = [json.loads(line) for line in f]
    made = [r for r in records if r.get("op") == "create" and r["object"].startswith("/tmp/pids/")]
    wrong = [r["object"] for r in made if r["object"].split("/")[-1].split("-")[0] != str(r["pid"])]
    wrong += [f"exec {r['pid']}: {r['argv']}" for r in records
              if r.get("op") == "exec" and r["argv"][0] == "true" and r["argv"][1] != str(r["pid"])]
    numbers = {r["pid"] for r in made}
    is_ok = done.returncode == 0 and len(made) == ROUNDS and not wrong and len(numbers) < ROUNDS
    print("ok" if is_ok else "not ok", "- pids: of", ROUNDS, "processes with fewer numbers each has its own record")
    print(f"# status {done.returncode}, {len(made)} made by {len(numbers)} numbers, wrong: {wrong[:5]}")


if sys.argv[1:] == ["agent"]:
    agent()
else:
    main()
