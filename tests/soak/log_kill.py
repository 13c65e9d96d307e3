#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""log_kill.py HOLDFAST ROUNDS [--seed N]: SIGKILL of those who guard a session (VICTIMS), at
random moments, while its workload counts in shared memory the directories that it made.

After recovery no decision that took effect may be missing from the log, no line may be torn, and
`holdfast verify` must find nothing. Nothing runs on unsupervised: the
command, and a daemon that it left behind, are dead within a second (TREE_DEADLINE=SECONDS for a busy machine).
Only where nobody but the keeper was killed the session goes on, supervised; then its supervisor is killed, too.
Prints figures; exit status 1 with the round's seed and the kept directory when something is missing.
"""
import collections
import json
import mmap
import os
import pathlib
import random
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import time

POLICY = "version: 1\nname: soak\ndefault: allow\nrules:\n  - {name: n, match: {path: [/nonexistent/never]}, action: deny}\n"
# Counts what took effect, in memory that outlives it: mkdir NAME, then the count is stored.
WORKLOAD = """
import mmap, os, struct, sys
shared = mmap.mmap(os.open(sys.argv[1], os.O_RDWR), 4096)
os.chdir(sys.argv[2])
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        while True:
            sum(range(1000))
    os._exit(0)
n = 0
while True:
    os.mkdir("d%d" % n)
    n += 1
    struct.pack_into("Q", shared, 0, n)
"""
DEADLINE = 30
# In this order, one after the other. All three at once are more than Holdfast promises to survive.
VICTIMS = [("supervisor",), ("launcher", "supervisor"), ("keeper",), ("keeper", "supervisor"), ("supervisor", "keeper"),
           ("launcher",), ("launcher", "keeper")]
# Seconds; on a machine that does something else meanwhile, more.
TREE_DEADLINE = float(os.environ.get("TREE_DEADLINE", "1"))


def wait_until(condition):
    end = time.monotonic() + DEADLINE
    while not condition():
        if time.monotonic() > end:
            raise SystemExit("nothing happened within %d s" % DEADLINE)
        time.sleep(0.001)


def children(pid):
    try:
        return [int(p) for p in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def descendants(pid):
    found = children(pid)
    for child in list(found):
        found += descendants(child)
    return found


def is_dead(pid):
    try:
        # Its first thread is a zombie at once; the writer may still be in fdatasync(2), with the ring.
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] in "ZX" and \
            len(os.listdir(f"/proc/{pid}/task")) <= 1
    except OSError:
        return True


def working_in(directory):
    def cwd(pid):
        try:
            return os.readlink(f"/proc/{pid}/cwd")
        except OSError:
            return ""
    return [int(pid) for pid in os.listdir("/proc") if pid.isdigit() and cwd(pid) == str(directory)]


class Round:
    def __init__(self, holdfast, base, number, rng):
        self.holdfast, self.rng = holdfast, rng
        self.dir = base / f"round{number}"
        self.work = self.dir / "work"
        self.work.mkdir(parents=True)
        self.log = self.dir / "log.jsonl"
        (self.dir / "soak.yaml").write_text(POLICY)
        self.count = self.dir / "count"
        self.count.write_bytes(bytes(4096))
        self.shared = mmap.mmap(os.open(self.count, os.O_RDWR | os.O_CLOEXEC), 4096)
        self.victims = VICTIMS[number % len(VICTIMS)]
        # With rotation, which is where a dead writer is hardest to take over from.
        self.options = ["--log-rotate", "64K"] if number % 3 else []
        if number % 3 == 2:
            self.options += ["--log-compress"]

    def counted(self):
        return struct.unpack_from("Q", self.shared)[0]

    def kill(self):
        launcher = subprocess.Popen(
            [self.holdfast, "run", "-q", "--log", str(self.log), "--policy", str(self.dir / "soak.yaml"),
             *self.options, "--", "/usr/bin/python3", "-c", WORKLOAD, str(self.count), str(self.work)],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        target = self.rng.choice([0, 1, 1, 10, 100, 300, 1000]) + self.rng.randrange(200)
        wait_until(lambda: self.counted() >= target or launcher.poll() is not None)
        time.sleep(self.rng.random() * 0.006)
        # The launcher's child is the keeper, and its child the supervisor.
        wait_until(lambda: any(map(children, children(launcher.pid))) or launcher.poll() is not None)
        keeper = children(launcher.pid)[0]
        supervisor = children(keeper)[0]
        pids = {"launcher": launcher.pid, "keeper": keeper, "supervisor": supervisor}
        agent = descendants(supervisor)
        for name in self.victims:
            os.kill(pids[name], signal.SIGKILL)
        if self.victims == ("keeper",):
            self.goes_on(supervisor)
            agent = descendants(supervisor)
            os.kill(supervisor, signal.SIGKILL)
        start = time.monotonic()
        # By descent, and by the directory that they work in: one may have been started meanwhile.
        wait_until(lambda: all(is_dead(pid) for pid in agent) and not working_in(self.work))
        self.died_after = time.monotonic() - start
        launcher.wait()
        # Who was killed may take a moment to die; until then the ring is a live session's.
        wait_until(lambda: all(is_dead(pid) for pid in (keeper, supervisor)))
        last = [-1]
        # The workload dies with its supervisor, or its calls fail; until its count stands still.
        def is_still():
            now = self.counted()
            is_same, last[0] = now == last[0], now
            if not is_same:
                time.sleep(0.02)
            return is_same
        wait_until(is_still)

    def goes_on(self, supervisor):
        """Nobody but the keeper was killed: the supervisor still serves."""
        before = self.counted()
        wait_until(lambda: self.counted() > before + 10)
        if is_dead(supervisor):
            raise AssertionError("the supervisor died with its keeper")

    def check(self):
        """Returns (actions in effect, records, recovered)."""
        done = max(self.counted(), len(list(self.work.iterdir())))
        if not self.log.exists():
            # Killed before there was a log, and so before anything was let go.
            if done:
                raise AssertionError(f"{done} actions took effect, and there is no log")
            return 0, 0, False
        recovery = subprocess.run([self.holdfast, "log", "--json", str(self.log)], capture_output=True, check=False)
        if recovery.returncode:
            raise AssertionError("log: " + recovery.stderr.decode())
        records = [json.loads(line) for line in recovery.stdout.splitlines()]
        made = {r["object"] for r in records if r["event"] == "action" and r["op"] == "mkdir" and r["verdict"] == "allow"}
        missing = [n for n in range(done) if f"{self.work}/d{n}" not in made]
        if missing:
            raise AssertionError(f"{len(missing)} of {done} decisions are not in the log, the first is {missing[0]}")
        if [r["seq"] for r in records] != list(range(1, len(records) + 1)):
            raise AssertionError("seq has gaps")
        verify = subprocess.run([self.holdfast, "verify", str(self.log)], capture_output=True, check=False)
        if verify.returncode:
            raise AssertionError("verify: " + (verify.stdout + verify.stderr).decode())
        if pathlib.Path(str(self.log) + ".ring").exists():
            raise AssertionError("the ring is still there")
        return done, len(records), b"recovered" in recovery.stderr


def main():
    holdfast, rounds = os.path.abspath(sys.argv[1]), int(sys.argv[2])
    seed = int(sys.argv[4]) if len(sys.argv) > 4 else random.SystemRandom().randrange(1 << 32)
    base = pathlib.Path(tempfile.mkdtemp(prefix="holdfast-soak."))
    os.environ.update(XDG_STATE_HOME=str(base / "state"), XDG_RUNTIME_DIR=str(base / "run"), HOME=str(base))
    (base / "run").mkdir(mode=0o700)
    rng = random.Random(seed)
    effects = records = recovered = 0
    killed, slowest = collections.Counter(), collections.Counter()
    for number in range(rounds):
        r = Round(holdfast, base, number, rng)
        try:
            r.kill()
            killed.update(r.victims)
            slowest[r.victims] = max(slowest[r.victims], r.died_after)
            if r.died_after > TREE_DEADLINE:
                raise AssertionError(f"{' and '.join(r.victims)} killed: processes ran unsupervised for {r.died_after:.2f} s")
            done, n, was_recovered = r.check()
        except AssertionError as e:
            print(f"round {number} of seed {seed}, kept in {r.dir}: {e}", file=sys.stderr)
            return 1
        effects, records, recovered = effects + done, records + n, recovered + was_recovered
        shutil.rmtree(r.dir)
    shutil.rmtree(base)
    who = ", ".join(f"{n} of the {name}" for name, n in killed.most_common())
    print(f"{rounds} rounds of SIGKILL ({who}), {effects} actions in effect, {records} records, "
          f"{recovered} rings recovered: none missing, no line torn, every log verified (seed {seed}); the slowest tree was gone after "
          + ", ".join(f"{1000 * seconds:.0f} ms ({' and '.join(victims)})" for victims, seconds in slowest.most_common()))
    return 0


sys.exit(main())
