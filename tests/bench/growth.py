# SPDX-License-Identifier: Apache-2.0
"""How cost and memory grow with the number of rules, processes, sessions, held actions, threads, components of a path and
records of a log; and whether that is still well: nowhere worse than n log n, and no cliff."""

import json
import math
import pathlib
import re
import signal
import socket
import subprocess
import time

from contenders import FLOOR, MAKERS, write_policy
from lab import BUILD, DEADLINE, HOLDFAST, LOAD, Alive, Failure, memory_of

OPENS = 5000
# A step may cost so much more than n log n of the step before: what the machine does by itself. A cliff is more.
TOLERANCE = 1.6
READS = "version: 1\nname: growth\nlog_reads: true\ndefault: allow\n"
# Commands that wait until somebody has looked at their supervisor.
THEN_WAIT = ["/bin/sh", "-c", '"$@"; read -r x || :', "sh"]


def judge(points, key, is_total):
    """@key of @points grows by no step, and on the whole, by more than n log n allows, or log n for what is of one
    action among n. Returns the verdict in words, and whether it is good."""
    worst, at = 0, None
    pairs = list(zip(points, points[1:])) + [(points[0], points[-1])]
    for a, b in pairs:
        x, y = max(a["x"], 2), max(b["x"], 2)
        allowed = math.log(y) / math.log(x) * (y / x if is_total else 1)
        ratio = b[key] / a[key] / allowed
        if ratio > worst:
            worst, at = ratio, b["x"]
    is_good = worst <= TOLERANCE
    law = "n log n" if is_total else "log n"
    words = f"at most {worst:.2f} of {law}" if is_good else f"at {at:,} it is {worst:.2f} of {law}"
    return {"key": key, "good": is_good, "words": words}


def policy(lab, rules=""):
    path = lab.dir / "growth.yaml"
    path.write_text(READS + (f"rules:\n{rules}" if rules else ""))
    return path


def small_file(lab):
    path = lab.work / "one-file"
    path.write_text("x\n")
    return str(path)


def watched(lab, prefix, load):
    """What @load printed, and what its supervisor holds after that."""
    with Alive(lab, prefix, [*THEN_WAIT, LOAD, *load]) as alive:
        found = json.loads(alive.line())
        pid = alive.supervisor()
        found["memory"] = memory_of(pid) if pid else {}
        alive.end()
    return found


def best(fn, times):
    return min(fn() for _ in range(times))


def rules(lab):
    file = small_file(lab)
    for n in (10, 100, 1000, 10_000) if lab.quick else (10, 100, 1000, 10_000, 100_000):
        path = lab.dir / "rules.yaml"
        write_policy(path, n)
        prefix = lab.holdfast(path)
        # CPU time: the same on a busy machine.
        start = best(lambda p=prefix: lab.run([*p, "/bin/true"])[1], 3 if n >= 10_000 else 7)
        found = min((watched(lab, prefix, ["open", str(OPENS), file]) for _ in range(3)), key=lambda f: f["p50_ns"])
        yield {"x": n, "start_ms": 1000 * start, "open_us": found["p50_ns"] / 1000, **size(found["memory"])}


def size(memory):
    return {"mb": memory.get("pss", memory.get("rss", 0)) / 1024}


def processes(lab):
    file = small_file(lab)
    prefix = lab.holdfast(policy(lab))
    for n in (10, 100, 500) if lab.quick else (10, 100, 500, 1000, 2000, 5000):
        used = lab.cpu.read()
        with Alive(lab, prefix, [LOAD, "processes", str(n), "4", file]) as alive:
            alive.line()
            used = lab.cpu.read() - used
            memory = memory_of(alive.supervisor())
            alive.end()
        yield {"x": n, "cpu_s": used, **size(memory)}


def sessions(lab):
    """Many at once, each with some opens; CPU time of all."""
    file = small_file(lab)
    path = policy(lab)
    for n in (1, 5, 20) if lab.quick else (1, 5, 20, 50, 100, 200):
        used = lab.cpu.read()
        running = []
        lab.clean()
        try:
            for i in range(n):
                prefix = [HOLDFAST, "run", "-q", "--policy", str(path), "--log", f"{lab.log}.{i}", "--"]
                running.append(Alive(lab, prefix, [*THEN_WAIT, LOAD, "open", "500", file], prepare=False))
            for alive in running:
                alive.line()
            used = lab.cpu.read() - used
            memory = [memory_of(a.supervisor()) for a in running]
        finally:
            for alive in running:
                alive.process.stdin.close()
                alive.process.wait(DEADLINE)
        yield {"x": n, "cpu_s": used, "mb": sum(size(m)["mb"] for m in memory)}


class Control:
    """A client of the only session that runs."""

    def __init__(self, lab):
        directory = pathlib.Path(lab.environment["XDG_RUNTIME_DIR"]) / "holdfast"
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        path = next(p for p in directory.glob("*.sock") if self.connects(p))
        del path

    def connects(self, path):
        try:
            self.socket.connect(str(path))
            self.socket.recv(1 << 20)
            return True
        except ConnectionRefusedError:
            return False

    def call(self, **request):
        self.socket.send(json.dumps({"v": 1, **request}).encode())
        return json.loads(self.socket.recv(1 << 20))

    def held(self):
        ids, after = [], 0
        while True:
            answer = self.call(op="held", after=after)
            ids += [h["id"] for h in answer["held"]]
            if not answer.get("next"):
                return ids
            after = answer["next"]


def held(lab):
    file, asked = small_file(lab), lab.work / "asked"
    asked.mkdir()
    rule = f"  - {{name: asked, match: {{path: ['{asked}/**'], op: [read]}}, action: ask}}\n"
    prefix = lab.holdfast(policy(lab, rule))
    prefix[2:2] = ["--ask-timeout", "900"]
    for n in (10, 100) if lab.quick else (10, 100, 1000, 2000, 5000):
        for i in range(n):
            (asked / str(i)).write_text("x")
        with Alive(lab, prefix, [LOAD, "held", str(n), "2000", file, str(asked)]) as alive:
            wait_until(lambda a=alive: a.supervisor() and list((lab.dir / "run/holdfast").glob("*.sock")))
            control = Control(lab)
            wait_until(lambda c=control, k=n: c.call(op="status")["held"] == k)
            alive.process.stdin.write("x")
            alive.process.stdin.flush()
            found = json.loads(alive.line())
            memory = memory_of(alive.supervisor())
            ids = control.held()
            start = time.perf_counter()
            for i in ids:
                control.call(op="approve", id=i)
            seconds = time.perf_counter() - start
            if len(ids) != n:
                raise Failure(f"{len(ids)} of {n} are listed")
            alive.end()
        yield {"x": n, "answers_s": seconds, "open_us": found["p50_ns"] / 1000, **size(memory),
               "floor_us": floor_beside(lab, n, file, asked)}


def floor_beside(lab, n, file, asked):
    """An open beside @n that the null supervisor keeps waiting, in us."""
    floor = MAKERS[FLOOR](lab)
    prefix = [*floor, "-k", f"{n}:{asked}/", "--"]
    with Alive(lab, prefix, [LOAD, "held", str(n), "2000", file, str(asked)]) as alive:
        if alive.process.stderr.readline() != "kept\n":
            raise Failure("the null supervisor keeps none")
        alive.process.stdin.write("x")
        alive.process.stdin.flush()
        found = json.loads(alive.line())
        alive.process.send_signal(signal.SIGUSR1)
        alive.end()
    return found["p50_ns"] / 1000


def wait_until(condition):
    end = time.monotonic() + DEADLINE
    while not condition():
        if time.monotonic() > end:
            raise Failure("what was waited for does not happen")
        time.sleep(0.01)


def threads(lab):
    """The same opens by more and more threads; opens a second."""
    file = small_file(lab)
    who = {"native": [], "floor": MAKERS[FLOOR](lab), "holdfast": lab.holdfast(policy(lab))}
    total = 20_000 if lab.quick else 100_000
    for n in (1, 2, 4, 16) if lab.quick else (1, 2, 4, 8, 16, 32, 64):
        point = {"x": n}
        for name, prefix in who.items():
            runs = [json.loads(lab.run([*prefix, LOAD, "threads", str(n), str(total), file])[2]) for _ in range(3)]
            point[name] = max(r["n"] / r["seconds"] for r in runs)
        yield point


def judge_threads(points):
    """The part of the floor's throughput must stay what it is with one thread."""
    parts = [p["holdfast"] / p["floor"] for p in points]
    worst = min(parts) / parts[0]
    return {"key": "holdfast", "good": worst >= 1 / TOLERANCE,
            "words": f"at least {worst:.2f} of the part of the floor that it has with one thread"}


def depth(lab):
    who = {"native": [], "floor": MAKERS[FLOOR](lab), "holdfast": lab.holdfast(policy(lab))}
    top = lab.work / "deep"
    for n in (3, 10, 60) if lab.quick else (3, 5, 10, 20, 40, 60):
        directory = top
        # All that counts of the path is how many components it has.
        while len(directory.parts) < n:
            directory /= "d"
        directory.mkdir(parents=True, exist_ok=True)
        file = directory / "f" if len(directory.parts) == n else pathlib.Path("/etc/hosts")
        if file.parent == directory:
            file.write_text("x")
        point = {"x": n}
        for name, prefix in who.items():
            runs = [json.loads(lab.run([*prefix, LOAD, "open", str(OPENS), str(file)])[2]) for _ in range(3)]
            point[f"{name}_us"] = min(r["p50_ns"] for r in runs) / 1000
        yield point


def log(lab):
    """Questions about a log: the first, which makes the index, and one after that."""
    for n in (10_000, 100_000) if lab.quick else (10_000, 100_000, 1_000_000, 10_000_000):
        done = subprocess.run([str(BUILD / "tests/bench/bench_log"), str(lab.dir), str(n)], capture_output=True, text=True,
                              cwd=lab.dir, env=lab.environment, timeout=6 * DEADLINE, check=False)
        if done.returncode != 0:
            raise Failure(done.stderr.strip()[-200:])
        speed = float(re.search(r"indexed_per_second (\d+)", done.stdout)[1])
        question = float(re.search(r"query_path_ms ([\d.]+)", done.stdout)[1])
        yield {"x": n, "index_s": n / speed, "question_ms": max(question, 0.1)}


# name: (title, what x is, how it is measured, what is judged: key and whether it is a total, series: key, label, unit)
CURVES = {
    "rules": ("Rules of a policy", "rules", rules, (("start_ms", True), ("open_us", False), ("mb", True)),
              (("start_ms", "start of a session, CPU ms"), ("open_us", "one open, us (median)"), ("mb", "supervisor, MB"))),
    "processes": ("Processes that live at the same time", "processes", processes, (("cpu_s", True), ("mb", True)),
                  (("cpu_s", "start, and four opens of each, CPU s"), ("mb", "supervisor, MB"))),
    "sessions": ("Sessions at the same time", "sessions", sessions, (("cpu_s", True), ("mb", True)),
                 (("cpu_s", "start, and 500 opens of each, CPU s"), ("mb", "all supervisors, MB"))),
    # The kernel walks all notifications that wait: see docs/performance.md.
    "held": ("Held actions", "held", held, (("answers_s", True), ("open_us", True), ("mb", True)),
             (("answers_s", "answers to all, s"), ("open_us", "an open beside them, us (median)"),
              ("floor_us", "the same, null that performs"), ("mb", "supervisor, MB"))),
    "threads": ("Threads of one process that open files", "threads", threads, (),
                (("native", "native, opens/s"), ("floor", "null that performs, opens/s"), ("holdfast", "Holdfast, opens/s"))),
    "depth": ("Components of a path", "components", depth, (("holdfast_us", True),),
              (("native_us", "native, us"), ("floor_us", "null that performs, us"), ("holdfast_us", "Holdfast, us"))),
    "log": ("Records of a log", "records", log, (("index_s", True), ("question_ms", True)),
            (("index_s", "making the index, s"), ("question_ms", "a question about a path, ms"))),
}


def measure(lab, name, progress):
    points = []
    for point in CURVES[name][2](lab):
        points.append(point)
        progress(f"growth, {name}: {point['x']:,}")
    verdicts = [judge(points, key, is_total) for key, is_total in CURVES[name][3]]
    if name == "threads":
        verdicts.append(judge_threads(points))
    return {"points": points, "verdicts": verdicts}
