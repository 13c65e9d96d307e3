# SPDX-License-Identifier: Apache-2.0
"""Memory at the tops of the curves: of the supervisors, of the processes that hosts in a policy take (the helper), and of the
broker, beside which the sessions run."""

import time

import growth
import sections
from contenders import write_policy
from lab import HOLDFAST, LOAD, Alive, Broker, Failure, memory_of, runs, tree

HOSTS = "  - {name: evil, match: {domain: '*.evil.example'}, action: deny}\n"
HELPERS = ("holdfast-names", "holdfast-net", "holdfast-dns", "holdfast-lead")


def policy(lab, rules=""):
    path = lab.dir / "tops.yaml"
    path.write_text(f"{growth.READS}rules:\n{HOSTS}{rules}")
    return path


def add(into, who, memory):
    for kind, kb in memory.items():
        into.setdefault(who, {})
        into[who][kind] = into[who].get(kind, 0) + kb


def look(broker, sessions):
    """kB by kind, of all @sessions together."""
    found = {}
    for alive in sessions:
        add(found, "supervisor", memory_of(alive.supervisor()))
        for pid, name in sections.names_of(p for p in tree(alive.process.pid) if runs(p)):
            if name in HELPERS:
                add(found, "helper", memory_of(pid))
    add(found, "broker", broker.memory())
    return found


def rules(lab, broker, n):
    path = lab.dir / "tops.yaml"
    write_policy(path, n - 1)  # more than 100,000 are refused
    with path.open("a") as out:
        out.write(HOSTS)
    with Alive(lab, lab.holdfast(path), [*growth.THEN_WAIT, LOAD, "open", "1000", growth.small_file(lab)]) as alive:
        alive.line()
        found = look(broker, [alive])
        alive.end()
    return found


def processes(lab, broker, n):
    with Alive(lab, lab.holdfast(policy(lab)), [LOAD, "processes", str(n), "4", growth.small_file(lab)]) as alive:
        alive.line()
        found = look(broker, [alive])
        alive.end()
    return found


def sessions(lab, broker, n):
    running = []
    path = policy(lab)
    lab.clean()
    try:
        for i in range(n):
            prefix = [HOLDFAST, "run", "-q", "--policy", str(path), "--log", f"{lab.log}.{i}", "--"]
            running.append(Alive(lab, prefix, [*growth.THEN_WAIT, LOAD, "open", "500", growth.small_file(lab)], prepare=False))
        for alive in running:
            alive.line()
        return look(broker, running)
    finally:
        for alive in running:
            alive.end()


def held(lab, broker, n):
    asked = lab.work / "asked"
    asked.mkdir()
    for i in range(n):
        (asked / str(i)).write_text("x")
    rule = f"  - {{name: asked, match: {{path: ['{asked}/**'], op: [read]}}, action: ask}}\n"
    prefix = lab.holdfast(policy(lab, rule))
    prefix[2:2] = ["--ask-timeout", "900"]
    with Alive(lab, prefix, [LOAD, "held", str(n), "100", growth.small_file(lab), str(asked)]) as alive:
        growth.wait_until(lambda: alive.supervisor() and list((lab.dir / "run/holdfast").glob("*.sock")))
        control = growth.Control(lab)
        growth.wait_until(lambda: control.call(op="status")["held"] == n)
        time.sleep(1)  # the broker asks for what is held by itself
        found = look(broker, [alive])
        for i in control.held():
            control.call(op="approve", id=i)
        alive.process.stdin.write("x")
        alive.end()
    return found


# What: (the curve's words, at --quick, else)
TOPS = {"rules": (rules, 10_000, 100_000), "processes": (processes, 500, 5000), "sessions": (sessions, 20, 200),
        "held actions": (held, 100, 5000)}


def measure(lab, name, progress):
    fn, quick, full = TOPS[name]
    n = quick if lab.quick else full
    progress(f"memory at {n:,} {name}")
    with Broker(lab) as broker:
        try:
            return {f"{n:,} {name}": fn(lab, broker, n)}
        except Failure as e:
            return {f"{n:,} {name}: {e}": {}}
