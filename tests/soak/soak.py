#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""soak.py HOLDFAST [--quick] [PART...]: sessions under load and faults. Prints a line with figures for each
part; exit status 1, with what is wrong, when an action went by without a record, something waits for good,
or the supervisor died. --quick: the same with small numbers.
"""
import collections
import errno
import os
import pathlib
import resource
import signal
import subprocess
import sys
import tempfile
import threading
import time

import million
from session import DEADLINE, HERE, NEVER, Failure, Session, check, descendants, is_dead, missing, wait_until

ASK = '  - {name: ask, match: {path: ["{dir}/work/**"], op: [read]}, action: ask}\n'
DENY_ADDRESS = "  - {name: far, match: {address: 192.0.2.0/24}, action: deny}\n"
PYTHON = "/usr/bin/python3"
OPENS = """
import os, sys
for i in range(int(sys.argv[1])):
    os.close(os.open(sys.argv[2], os.O_RDONLY))
"""
# Makes one file after the other, and says how it went at the end.
MAKES = """
import collections, os, sys, errno
results = collections.Counter()
for i in range(int(sys.argv[2])):
    try:
        os.close(os.open(f"{sys.argv[1]}/{os.getpid()}-{i}", os.O_CREAT | os.O_WRONLY))
        results["ok"] += 1
    except OSError as e:
        results[errno.errorcode[e.errno]] += 1
print(*(f"{k}={v}" for k, v in sorted(results.items())), flush=True)
"""
PROCESSES = """
import os, sys
work, total, at_once = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
alive = failed = 0
for i in range(total):
    pid = os.fork()
    if pid == 0:
        os.close(os.open(f"{work}/{i}", os.O_CREAT | os.O_WRONLY))
        if i % 10 == 0:
            os.execv("/bin/true", ["true"])
        os._exit(0)
    alive += 1
    while alive >= at_once or (i == total - 1 and alive):
        failed += os.wait()[1] != 0
        alive -= 1
print("failed", failed)
"""
# Blocks in a FIFO that nobody writes to, N times, in children; then opens files, as it is told to.
FIFOS = """
import os, sys
fifo, n = sys.argv[1], int(sys.argv[2])
for i in range(n):
    if os.fork() == 0:
        os.open(fifo, os.O_RDONLY)
        os._exit(0)
for i in range(int(sys.argv[3])):
    try:
        os.close(os.open(f"{sys.argv[4]}/{i}", os.O_CREAT | os.O_WRONLY))
        print("ok", flush=True)
    except OSError as e:
        print("failed", e.errno, flush=True)
while True:
    try:
        os.wait()
    except ChildProcessError:
        break
"""


def build(base, source, *flags):
    program = pathlib.Path(base) / pathlib.Path(source).stem
    subprocess.run([os.environ.get("CC", "cc"), "-std=gnu17", "-D_GNU_SOURCE", "-O1", *flags, "-o", program, source],
                   check=True)
    return program


def counts(text):
    """Of the last line that MAKES printed."""
    check("=" in text, "no result: " + text)
    line = [l for l in text.splitlines() if "=" in l][-1]
    return {k: int(v) for k, v in (word.split("=") for word in line.split())}


# ---- load


def part_storm(holdfast, quick):
    total, tasks = (8_000, 4) if quick else (100_000, 4)
    with Session(holdfast) as s:
        start = time.monotonic()
        s.start("/bin/sh", "-c", 'for i in 1 2 3 4; do "$@" & done; wait', "-", PYTHON, "-c", OPENS, total // tasks,
                s.policy)
        check(s.wait() == 0, s.output())
        seconds = time.monotonic() - start
        opens = [r for r in s.records() if r.get("object") == str(s.policy) and r["event"] == "action"]
        check(len(opens) == total, f"{len(opens)} records of {total} opens")
        s.verify()
        return f"{total} notifications by {tasks} tasks in {seconds:.1f} s, each with its record"


def part_processes(holdfast, quick):
    return processes(holdfast, *((300, 50) if quick else (10_000, 500)))


def part_zombies(holdfast, quick):
    """Nobody is waited for before all are dead."""
    total = 300 if quick else 10_000
    return processes(holdfast, total, total)


def processes(holdfast, total, at_once):
    with Session(holdfast) as s:
        s.start(PYTHON, "-c", PROCESSES, s.work, total, at_once)
        check(s.wait(10 * DEADLINE) == 0 and "failed 0" in s.output(), s.output())
        made = len(list(s.work.iterdir()))
        check(made == total and not missing(s.work, s.records()), f"{made} made of {total}")
        execs = sum(r["op"] == "exec" and r["object"].endswith("/true") for r in s.records() if r["event"] == "action")
        check(execs == total // 10, f"{execs} execs")
        return f"{total} processes, {at_once} at once, {execs} execs: each action with its record"


def answer_all(s, ids):
    """Through `holdfast approve`, four at a time. Returns the slowest."""
    times = []

    def answer(mine):
        for i in mine:
            start = time.monotonic()
            done = s.tool("approve", i)
            times.append(time.monotonic() - start)
            check(done.returncode == 0, done.stderr)

    threads = [threading.Thread(target=answer, args=(ids[n::4],)) for n in range(4)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    return max(times)


def part_held(holdfast, quick):
    n = 200 if quick else 5_000
    hold = build(tempfile.mkdtemp(prefix="hf-soak."), HERE.parent / "e2e/helpers/hold.c", "-pthread")
    with Session(holdfast, ASK, ["--ask", "queue", "--ask-timeout", "900"]) as s:
        for i in range(n):
            (s.work / str(i)).write_text("x")
        s.start(hold, "many", n, s.work)
        wait_until(lambda: len(s.held()) == n, f"{n} held", 600)
        fds, kilobytes = s.fds(), s.status("VmRSS")
        check(fds is None or fds < 64, f"{fds} descriptors")
        check(kilobytes < 4 * n + 16384, f"{kilobytes} kB")
        start = time.monotonic()
        slowest = answer_all(s, [h["id"] for h in s.held()])
        seconds = time.monotonic() - start
        check(s.wait() == 0 and f"ok {n} denied 0 other 0" in s.output(), s.output())
        return (f"{n} held at once: {fds} descriptors and {kilobytes} kB of the supervisor; all approved in "
                f"{seconds:.1f} s, the slowest took {1000 * slowest:.0f} ms")


# ---- faults


def part_fds(holdfast, quick):
    """The supervisor has no descriptor left: what needs one is denied."""
    n = 200 if quick else 5_000
    with Session(holdfast) as s:
        s.start(PYTHON, "-c", "import sys; sys.stdin = None\nwhile True:\n " + MAKES.replace("\n", "\n ").strip(),
                s.work, n)
        wait_until(lambda: s.output().count("=") >= 1, "a first round")
        resource.prlimit(s.supervisor, resource.RLIMIT_NOFILE, (4, 4))
        before = s.output().count("\n")
        wait_until(lambda: s.output().count("\n") > before + 2, "rounds without descriptors")
        denied = counts(s.output())
        check("ok" not in denied, f"went on without descriptors: {denied}")
        s.assert_alive()
        seconds = s.assert_ends_without_launcher()
        made = len(list(s.work.iterdir()))
        lost = missing(s.work, s.records())
        check(not lost, f"{len(lost)} of {made} without a record")
        return (f"without a free descriptor: {denied}, nobody crashed; {made} made before, all recorded; ended in "
                f"{seconds:.1f} s after its launcher was killed")


def with_faults(holdfast, env, what, n):
    with Session(holdfast, options=["--log-sync", "always"]) as s:
        s.extra = {k: v.format(log=s.log) for k, v in env.items()}
        s.start(PYTHON, "-c", MAKES, s.work, n)
        s.wait()
        result = counts(s.output())
        check(set(result) == {"ok", "EACCES"}, f"{what}: {result}")
        lost = missing(s.work, s.records())
        check(not lost, f"{what}: {len(lost)} made without a record: {lost[:3]}")
        return f"{what}: {result['ok']} made and recorded, {result['EACCES']} denied"


def part_log_error(holdfast, quick):
    """write(2) and fdatasync(2) of the log fail: nothing goes by without a record."""
    fault = build(tempfile.mkdtemp(prefix="hf-soak."), HERE / "fault.c", "-shared", "-fPIC")
    n = 8_000 if quick else 50_000
    results = []
    for name, error in (("WRITE", errno.EIO), ("WRITE", errno.ENOSPC), ("SYNC", errno.EIO)):
        env = {"LD_PRELOAD": str(fault), f"FAULT_{name}": "300000:%d@{log}" % error}
        what = f"{errno.errorcode[error]} of {name.lower()}"
        results.append(with_faults(holdfast, env, what, n))
    return "; ".join(results)


def part_stop(holdfast, quick):
    """SIGSTOP of the supervisor: the agent waits, and then goes on."""
    rounds, n = (1, 2_000) if quick else (10, 50_000)
    with Session(holdfast) as s:
        s.start(PYTHON, "-c", MAKES, s.work, n)
        for _ in range(rounds):
            wait_until(lambda: any(s.work.iterdir()), "work")
            os.kill(s.supervisor, signal.SIGSTOP)
            time.sleep(0.1)
            before = len(list(s.work.iterdir()))
            time.sleep(0.9)
            after = len(list(s.work.iterdir()))
            os.kill(s.supervisor, signal.SIGCONT)
            check(before == after, f"{after - before} made while the supervisor was stopped")
            wait_until(lambda: len(list(s.work.iterdir())) > after or s.launcher.poll() is not None, "it goes on")
        check(s.wait() == 0 and counts(s.output()) == {"ok": n}, s.output())
        check(not missing(s.work, s.records()), "records are missing")
        return f"stopped {rounds} times for a second: nothing moved meanwhile, {n} of {n} made and recorded"


def part_memory(holdfast, quick):
    """The supervisor gets no more memory: not for a thread, or for its stack and then for nothing that it needs."""
    return "; ".join(without_memory(holdfast, kilobytes, 500 if quick else 5_000) for kilobytes in (256, 512))


def without_memory(holdfast, kilobytes, n):
    with Session(holdfast) as s:
        fifo = s.dir / "fifo"
        os.mkfifo(fifo)
        s.start(PYTHON, "-c", "import os, sys, time\n"
                "while not os.path.exists(sys.argv[4] + '/../go'): time.sleep(0.01)\n" + FIFOS, fifo, 40, n, s.work)
        wait_until(lambda: any(r["op"] == "exec" for r in s.logged() if r["event"] == "action"), "the command")
        time.sleep(0.3)
        size = int(pathlib.Path(f"/proc/{s.supervisor}/statm").read_text().split()[0]) * 4096
        resource.prlimit(s.supervisor, resource.RLIMIT_AS, (size + (kilobytes << 10), size + (kilobytes << 10)))
        (s.dir / "go").touch()
        wait_until(lambda: sum(l.startswith(("ok", "failed")) for l in s.output().splitlines()) == n, "answers", 300)
        s.assert_alive()
        done = s.output().splitlines().count("ok")
        seconds = s.assert_ends_without_launcher()
        lost = missing(s.work, s.records())
        check(not lost, f"{len(lost)} of {done} without a record")
        return (f"{kilobytes} kB left, 40 calls blocked: {done} of {n} served, the others denied, all recorded; ended "
                f"in {seconds:.1f} s after its launcher was killed")


def part_million(holdfast, quick):
    """MINUTES=N: a shorter or longer one, with as many actions a second."""
    seen = million.run(holdfast, float(os.environ.get("MINUTES", 0.1 if quick else million.MINUTES)))
    check(seen["good"], f"it grew: {seen}")
    return (f"{seen['actions']:,} actions in {seen['minutes']:g} minutes: {seen['kb_early']} kB and {seen['fds_early']} "
            f"descriptors after a tenth, {seen['kb_end']} kB and {seen['fds_end']} at the end")


def part_clock(holdfast, _quick):
    """The time of day jumps by years with each look at it: deadlines do not care."""
    fault = build(tempfile.mkdtemp(prefix="hf-soak."), HERE / "fault.c", "-shared", "-fPIC")
    with Session(holdfast, ASK, ["--ask", "queue", "--ask-timeout", "2"],
                 {"LD_PRELOAD": str(fault), "FAULT_CLOCK": "300000000"}) as s:
        (s.work / "file").write_text("x")
        start = time.monotonic()
        s.start("/bin/cat", s.work / "file")
        check(s.wait() == 1, s.output())
        seconds = time.monotonic() - start
        check(1.9 < seconds < 10, f"denied after {seconds:.1f} s")
        ends = [r for r in s.records() if r.get("approver") == "timeout"]
        check(len(ends) == 1 and 1.9e9 < ends[0]["latency_ns"] < 10e9, "the record of the deadline")
        return f"CLOCK_REALTIME to and fro by nine years: a deadline of 2 s came after {seconds:.2f} s"


def part_ring(holdfast, quick):
    """Connections that the kernel decides on, faster than they can be written down."""
    calls, rate = (20_000, 200_000) if quick else (1_000_000, 200_000)
    # Notified, so many denials would be slowed down for hours.
    with Session(holdfast, DENY_ADDRESS, ["--layers", "auto,-sight"]) as s:
        s.start("/bin/true")
        check(s.wait() == 0, s.output())
        network = next(l for l in s.records()[0]["layers"] if l["class"] == "network")
        if network["layer"] != "bpf-net":
            return "skipped: " + network["not_cheaper"]
    flood = build(tempfile.mkdtemp(prefix="hf-soak."), HERE / "flood.c")
    with Session(holdfast, DENY_ADDRESS, ["--layers", "auto,-sight"]) as s:
        s.start(flood, calls, rate)
        check(s.wait(600) == 0, s.output())
        records = s.records()
        came = counts(s.output())
        sends = collections.Counter(r["verdict"] for r in records if r["event"] == "action" and r["op"] == "send")
        lost = collections.Counter()
        for r in records:
            if r["event"] == "lost":
                lost.update({k: v for k, v in r.items() if k.startswith("connections_")})
        check(came["other"] == 0 and came["refused"] == calls // 2, s.output())
        check(sends["deny"] + lost["connections_refused"] == calls // 2, f"denied: {sends}, {lost}")
        check(came["passed"] == sends["allow"], f"allowed: {came}, {sends}")
        check(came["no_room"] == lost["connections_unwritten"], f"without room: {came}, {lost}")
        # How soon the supervisor gets a CPU is the machine's business: with small numbers only the counts are judged.
        check(quick or not lost["connections_refused"], f"{lost['connections_refused']} denials without a record")
        s.verify()
        return (f"{calls} sends, {came['rate']} a second of {rate} offered: {sends['deny']} denied and recorded, "
                f"{lost['connections_refused']} counted; {sends['allow']} allowed and recorded, "
                f"{lost['connections_unwritten']} had no room and were not made")


def part_kill(holdfast, quick):
    """SIGKILL of the supervisor at random moments: log_kill.py."""
    done = subprocess.run([HERE / "log_kill.py", holdfast, "10" if quick else "1000"], capture_output=True, text=True,
                          check=False)
    check(done.returncode == 0, done.stdout + done.stderr)
    return done.stdout.strip()


def in_namespaces(holdfast, quick, part):
    """Runs the part anew with mounts of its own: as root in a mount namespace, else in a user's."""
    flags = ["-m"] if os.geteuid() == 0 else ["-Urm"]
    if subprocess.run(["unshare", *flags, "true"], check=False, capture_output=True).returncode:
        return "skipped: this machine lets this user make no namespaces"
    command = ["unshare", *flags, "--propagation", "private", PYTHON, __file__, holdfast, "--inside"]
    done = subprocess.run([*command, *(["--quick"] if quick else []), part], capture_output=True, text=True, check=False)
    check(done.returncode == 0, done.stdout + done.stderr)
    return done.stdout.strip().split(": ", 1)[1]


def part_log_full(holdfast, quick, inside=False):
    """A file system without space."""
    if not inside:
        return in_namespaces(holdfast, quick, "log-full")
    where = tempfile.mkdtemp(prefix="hf-soak.")
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "soak", where], check=True)
    ballast = pathlib.Path(where) / "ballast"
    ballast.write_bytes(bytes(1400 << 10))
    n = 20_000
    with Session(holdfast, log_dir=where) as s:
        s.start(PYTHON, "-c", MAKES, s.work, n)
        s.wait()
        result = counts(s.output())
        check(set(result) == {"ok", "EACCES"}, str(result))
        ballast.unlink()  # room for what is in the ring
        lost = missing(s.work, s.records())
        check(not lost, f"{len(lost)} of {result['ok']} without a record")
        return f"a full tmpfs: {result['ok']} made and recorded, {result['EACCES']} denied"


def part_fuse(holdfast, quick, inside=False):
    """A file system that never answers: only who asks it waits."""
    if not inside:
        return in_namespaces(holdfast, quick, "fuse")
    n = 20 if quick else 300
    where, other = (tempfile.mkdtemp(prefix="hf-soak.") for _ in range(2))
    server = subprocess.Popen([PYTHON, HERE / "fuse.py", where, other + "/ready"])
    try:
        wait_until(lambda: os.path.exists(other + "/ready"), "the mount", 20)
        with Session(holdfast) as s:
            script = ("import os, sys, subprocess\n"
                      "for i in range(int(sys.argv[2])):\n"
                      "  if os.fork() == 0:\n"
                      "    try: os.open(f'{sys.argv[1]}/hung{i}', os.O_RDONLY)\n"
                      "    except OSError as e: print('hung', e.errno, flush=True)\n"
                      "    os._exit(0)\n"
                      "import time; time.sleep(float(sys.argv[3]))\n"
                      "worst = 0\n"
                      "for i in range(200):\n"
                      "  t = time.monotonic(); os.close(os.open('/dev/null', os.O_RDONLY))\n"
                      "  worst = max(worst, time.monotonic() - t)\n"
                      "print('worst', worst, flush=True)\n"
                      "time.sleep(1000)\n")
            s.start(PYTHON, "-c", script, where, min(n, 200), 2)
            wait_until(lambda: "worst" in s.output(), "others to be served", 60)
            worst = float(s.output().split("worst")[1].split()[0])
            check(worst < 1, f"another call waited for {worst} s")
            threads = s.status("Threads")
            stuck = descendants(s.supervisor)[1:]
            check(len(stuck) >= min(n, 200), f"{len(stuck)} wait")
            start = time.monotonic()
            for pid in stuck:
                os.kill(pid, signal.SIGKILL)
            wait_until(lambda: all(is_dead(pid) for pid in stuck), "those that were killed", 10)
            killed = time.monotonic() - start
            check(killed < 5, f"kill took {killed} s")
            s.assert_alive()
            return (f"{len(stuck)} calls hang in a file system ({threads} threads): of 200 others the slowest took "
                    f"{1000 * worst:.1f} ms; all that hung were killed within {1000 * killed:.0f} ms")
    finally:
        server.kill()
        server.wait()


PARTS = {"storm": part_storm, "processes": part_processes, "held": part_held, "fds": part_fds,
         "log-full": part_log_full, "log-error": part_log_error, "stop": part_stop, "kill": part_kill,
         "memory": part_memory, "fuse": part_fuse, "clock": part_clock, "zombies": part_zombies,
         "ring": part_ring, "million": part_million}


def main():
    args = sys.argv[1:]
    quick, inside = "--quick" in args, "--inside" in args
    holdfast, *parts = [a for a in args if a not in ("--quick", "--inside")]
    failed = 0
    for part in parts or PARTS:
        try:
            more = (True,) if inside else ()
            print(f"{part}: {PARTS[part](os.path.abspath(holdfast), quick, *more)}", flush=True)
        except Failure as e:
            print(f"{part}: FAILED: {e}", flush=True)
            failed = 1
    return failed


sys.exit(main())
