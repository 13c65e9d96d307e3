# SPDX-License-Identifier: Apache-2.0
"""The sections of the page that are no curve: each measures one thing and returns what the JSON keeps of it."""

import json
import os
import pathlib
import random
import subprocess
import sys
import time

import growth
import workloads
from contenders import FEW, FLOOR, MAKERS, NULLS, READS
from lab import (BUILD, DEADLINE, HOLDFAST, LOAD, NULL, ROOT, Alive, Broker, Failure, children, find_supervisor, memory_of,
                 relative, runs, spread, tree)

sys.path.insert(0, str(ROOT / "tests/soak"))
import million  # noqa: E402

# Of one contender at one workload, all rounds together; what is slower gets fewer rounds, at least ROUNDS_MIN.
SECONDS_MAX, SECONDS_MAX_QUICK = 8, 5
ROUNDS_MIN, ROUNDS_MIN_QUICK = 3, 1
# A turn of an agent takes seconds, and most of that is its own.
AGENT_CONTENDERS = (FLOOR, "bubblewrap", "sandbox-runtime", *(n for n in MAKERS if n.startswith("Holdfast")))
AGENT_CONTENDERS_QUICK = (FLOOR, FEW, READS)


def compare(lab, workload, contenders, rounds, progress):
    """Each contender between two bare runs; its ratios are to their mean. Returns those of clock and CPU time for each
    contender, the bare runs, and why some did not work."""
    limit, least = (SECONDS_MAX_QUICK, ROUNDS_MIN_QUICK) if lab.quick else (SECONDS_MAX, ROUNDS_MIN)
    clock, cpu, spent, failed = {}, {}, {}, {}
    lab.run(workload.command, workload.prepare)  # fills the page cache; not used as a neighbour
    bare = [lab.run(workload.command, workload.prepare)]
    for number in range(rounds):
        todo = [n for n in contenders if n not in failed and (number < least or spent[n] < limit)]
        for name in random.sample(todo, len(todo)):
            progress(f"round {number + 1} of {rounds}: {name}")
            try:
                seconds, used, _ = lab.run([*contenders[name], *workload.command], workload.prepare)
            except Failure as e:
                failed[name] = str(e)
                continue
            bare.append(lab.run(workload.command, workload.prepare))
            clock.setdefault(name, []).append(2 * seconds / (bare[-2][0] + bare[-1][0]))
            cpu.setdefault(name, []).append(2 * used / (bare[-2][1] + bare[-1][1]))
            spent[name] = spent.get(name, 0) + seconds + bare[-1][0]
    return clock, cpu, bare, failed


def measure_workload(lab, name, contenders, rounds, progress):
    workload = workloads.make(lab, name)
    if name == "agent":
        wanted = AGENT_CONTENDERS_QUICK if lab.quick else AGENT_CONTENDERS
        contenders = {n: p for n, p in contenders.items() if n in wanted}
    clock, cpu, bare, failed = compare(lab, workload, contenders, rounds, progress)
    order = [n for n in contenders if n in clock]
    floors = [n for n in order if n in NULLS or n == FLOOR]
    result = {"title": workload.title, "native_seconds": spread(b[0] for b in bare),
              "native_cpu_seconds": spread(b[1] for b in bare), "failed": failed,
              "over_native": {n: spread(clock[n]) for n in order}, "cpu_over_native": {n: spread(cpu[n]) for n in order},
              "over_floor": {}, "cpu_over_floor": {}}
    if FLOOR in clock:
        for n in order:
            if n not in floors:
                result["over_floor"][n] = relative(clock[n], clock[FLOOR])
                result["cpu_over_floor"][n] = relative(cpu[n], cpu[FLOOR])
    return result


def measure_startup(lab, contenders, progress):
    """Milliseconds that `true` takes longer, each beside two bare runs. Two more policies stand for larger ones."""
    commands = dict(contenders)
    commands["Holdfast, policy coding-agent"] = lab.holdfast(ROOT / "policies/coding-agent.yaml")
    found = {}
    for name, prefix in commands.items():
        progress(f"start-up: {name}")
        clock, cpu = [], []
        for _ in range(5 if lab.quick else 30):
            before = lab.run(["/bin/true"])
            seconds, used, _ = lab.run([*prefix, "/bin/true"])
            after = lab.run(["/bin/true"])
            clock.append(1000 * (seconds - (before[0] + after[0]) / 2))
            cpu.append(1000 * (used - (before[1] + after[1]) / 2))
        found[name] = {"ms": spread(clock), "cpu_ms": spread(cpu)}
    return found


def measure_latency(lab, contenders, progress):
    file = growth.small_file(lab)
    commands = {"native": [], "null": [NULL], **{n: p for n, p in contenders.items() if n == FLOOR or n.startswith("Holdf")}}
    found = {n: [] for n in commands}
    for number in range(3 if lab.quick else 11):
        progress(f"latency: round {number + 1}")
        for name, prefix in commands.items():
            found[name].append(json.loads(lab.run([*prefix, LOAD, "open", "20000", file])[2]))
    return {n: {f"{k}_us": spread(s[f"{k}_ns"] / 1000 for s in samples) for k in ("mean", "p50", "p99")}
            for n, samples in found.items()}


def names_of(pids):
    for pid in pids:
        try:
            yield pid, pathlib.Path(f"/proc/{pid}/comm").read_text().strip()
        except OSError:
            pass


def measure_memory(lab):
    """Of an idle session under the policy that is the default, and of one whose policy names hosts; and the broker."""
    found = {}
    hosts = lab.dir / "hosts.yaml"
    hosts.write_text("version: 1\nname: hosts\ndefault: allow\nrules:\n"
                     "  - {name: evil, match: {domain: '*.evil.example', verify: sni}, action: deny}\n")
    for words, policy in (("policy coding-agent", ROOT / "policies/coding-agent.yaml"), ("a policy that names hosts", hosts)):
        try:
            with Alive(lab, lab.holdfast(policy), ["/bin/sh", "-c", "echo ready; read -r x || :"]) as alive:
                alive.line()
                time.sleep(1)  # what starts beside the command has started
                supervisor = find_supervisor(alive.process.pid)
                found[f"supervisor, {words}"] = memory_of(supervisor)
                if policy == hosts:
                    for pid, name in names_of(p for p in tree(alive.process.pid) if runs(p) and p != supervisor):
                        if name not in ("holdfast", "sh"):
                            found[name] = memory_of(pid)
                else:
                    found["launcher"] = memory_of(alive.process.pid)
                    found["keeper"] = memory_of(next(p for p in tree(alive.process.pid) if supervisor in children(p)))
                alive.end()
        except Failure as e:
            if policy != hosts:
                raise
            found[f"supervisor, {words}: {e}"] = {}
    found.update(measure_broker(lab))
    return found


def measure_broker(lab):
    with Broker(lab) as broker:
        time.sleep(1)
        return {"broker": broker.memory()}


def measure_parts():
    """Nanoseconds of each part of what a receiver does, and the instructions that tools/check-counts keeps."""
    done = subprocess.run([str(BUILD / "tests/bench/bench_notified"), "/tmp"], capture_output=True, text=True,
                          timeout=DEADLINE, check=True)
    ns = {}
    for line in done.stdout.splitlines():
        name, value = line.split()
        case, part, _ = name.rsplit("_", 2)
        ns.setdefault(case, {})[part] = int(value)
    return {"ns": ns, "instructions": json.loads((ROOT / "tests/bench/counts.json").read_text())["counts"]}


def measure_raw(lab, progress):
    """Programs that measure single parts and print lines."""
    commands = [[str(p), str(lab.dir)] for p in sorted((BUILD / "tests/bench").glob("bench_*"))
                if not p.suffix and os.access(p, os.X_OK) and p.name not in ("bench_notified", "bench_log")]
    commands += [[str(ROOT / "tools/bench-answer"), HOLDFAST, "50" if lab.quick else "200"]]
    commands += [[str(ROOT / "tools/bench-outside"), HOLDFAST, LOAD, "3" if lab.quick else "15"]]
    if not lab.quick:
        commands += [[str(ROOT / "tools/bench-through"), HOLDFAST, "5"]]
    found = {}
    for command in commands:
        name = pathlib.Path(command[0]).name
        progress(name)
        done = subprocess.run(command, capture_output=True, text=True, cwd=lab.dir, env=lab.environment, timeout=2 * DEADLINE,
                              check=False, stdin=subprocess.DEVNULL)
        found[name] = [line for line in done.stdout.splitlines() if line.strip()]
        if done.returncode != 0:
            found[name].append(f"(exit status {done.returncode}: {done.stderr.strip()[-200:]})")
    return found


def measure_soak(lab):
    return million.run(HOLDFAST, 0.2 if lab.quick else million.MINUTES)
