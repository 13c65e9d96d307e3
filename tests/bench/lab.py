# SPDX-License-Identifier: Apache-2.0
"""What tools/bench measures with: a throw-away directory, runs of a command with the seconds on the clock and of CPU
time, statistics, and the memory of processes."""

import os
import pathlib
import resource
import shutil
import statistics
import subprocess
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
BUILD = pathlib.Path(os.environ.get("BUILD", "build"))
BUILD = BUILD if BUILD.is_absolute() else ROOT / BUILD
HOLDFAST = os.environ.get("HOLDFAST", str(BUILD / "holdfast"))
NULL = str(BUILD / "tools/null-supervisor")
LOAD = str(BUILD / "tools/bench-load")
# Where tools/install-peers puts what is not in the distribution.
PEERS = pathlib.Path(os.environ.get("XDG_CACHE_HOME") or os.environ.get("HOME", "/nonexistent") + "/.cache") / "holdfast-bench"

DEADLINE = 600  # seconds for one run: far more than any takes
# A fixed PATH: version managers put shell scripts in front of programs. MAKE*: not this make's jobs.
ENVIRONMENT = {k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "MFLAGS", "XDG_", "HOLDFAST", "npm_"))}
ENVIRONMENT |= {"PATH": "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "LC_ALL": "C.UTF-8"}


class Failure(Exception):
    pass


class Cpu:
    """CPU seconds of all that this process starts. A cgroup of our own knows also of daemons that nobody waits for
    (gVisor's); without one it is what was waited for, which is all of a session of Holdfast."""

    def __init__(self):
        self.file, self.own = None, None
        for top, file in (("/sys/fs/cgroup/cpuacct", "cpuacct.usage"), ("/sys/fs/cgroup", "cpu.stat"),
                          ("/sys/fs/cgroup/unified", "cpu.stat")):
            group = pathlib.Path(top) / f"holdfast-bench.{os.getpid()}"
            try:
                if not (pathlib.Path(top) / "cgroup.procs").exists():
                    continue
                group.mkdir()
                (group / "cgroup.procs").write_text(str(os.getpid()))
                self.file, self.own = group / file, group
                break
            except OSError:
                continue

    def read(self):
        usage = resource.getrusage(resource.RUSAGE_CHILDREN)
        if not self.file:
            return usage.ru_utime + usage.ru_stime
        own = resource.getrusage(resource.RUSAGE_SELF)
        text = self.file.read_text().split()
        total = int(text[0]) / 1e9 if len(text) == 1 else int(text[text.index("usage_usec") + 1]) / 1e6
        return total - own.ru_utime - own.ru_stime

    def close(self):
        if self.own:
            (self.own.parent / "cgroup.procs").write_text(str(os.getpid()))
            try:
                self.own.rmdir()
            except OSError:  # something that a peer left behind still lives in it
                pass


class Lab:
    """The throw-away directory, and what runs in it."""

    def __init__(self, quick):
        self.quick = quick
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="holdfast-bench.")).resolve()
        self.log = self.dir / "log.jsonl"
        self.cpu = Cpu()
        for name in ("home", "run", "work"):
            (self.dir / name).mkdir(mode=0o700)
        self.work = self.dir / "work"
        self.environment = ENVIRONMENT | {
            "HOME": str(self.dir / "home"), "XDG_RUNTIME_DIR": str(self.dir / "run"),
            "XDG_STATE_HOME": str(self.dir / "home/state"), "CODEX_HOME": str(PEERS / "codex-home")}

    def close(self):
        self.cpu.close()
        shutil.rmtree(self.dir, ignore_errors=True)

    def holdfast(self, policy, *options):
        return [HOLDFAST, "run", "--quiet", "--policy", str(policy), *options, "--project", str(self.dir),
                "--log", str(self.log), "--"]

    def clean(self):
        for leftover in self.dir.glob("log.jsonl*"):
            leftover.unlink()

    def run(self, command, prepare=None):
        """One run. Returns the seconds on the clock and of CPU time, and what it printed."""
        self.clean()
        if prepare:
            prepare()
        used, start = self.cpu.read(), time.perf_counter()
        try:
            done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, env=self.environment,
                                  cwd=self.dir, timeout=DEADLINE, check=False)
        except subprocess.TimeoutExpired as e:
            raise Failure(f"not within {DEADLINE} s") from e
        seconds = time.perf_counter() - start
        if done.returncode != 0:
            said = done.stderr.decode(errors="replace").strip().splitlines() or ["(nothing said)"]
            raise Failure(f"exit status {done.returncode}: {said[-1][:200]}")
        return seconds, self.cpu.read() - used, done.stdout.decode(errors="replace")


def spread(values):
    """Median and quartiles."""
    values = list(values)
    if len(values) < 2:
        return {"median": values[0], "low": values[0], "high": values[0], "n": 1}
    low, median, high = statistics.quantiles(values, n=4, method="inclusive")
    return {"median": median, "low": low, "high": high, "n": len(values)}


def relative(values, base):
    """Round by round: a slow phase of the machine is in both. One may have had fewer rounds."""
    return spread(a / b for a, b in zip(values, base))


def memory_of(pid):
    """Resident and proportional set in kilobytes; {} when it has gone. The latter only root may know of a process that
    is not dumpable."""
    try:
        status = pathlib.Path(f"/proc/{pid}/status").read_text()
        sizes = {"rss": int(status.split("VmRSS:")[1].split()[0])}
    except (OSError, IndexError):
        return {}
    try:
        rollup = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
        sizes["pss"] = int(rollup.split("\nPss:")[1].split()[0])
    except (OSError, IndexError):
        pass
    return sizes


def children(pid):
    try:
        return [int(p) for p in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def tree(pid):
    found = [pid]
    for child in children(pid):
        found += tree(child)
    return found


def find_supervisor(launcher):
    """It is who started the command, which alone is another program; None before and after."""
    return next((p for p in tree(launcher) if runs(p) and any(not runs(c) for c in children(p))), None)


def runs(pid):
    """Whether it is one of Holdfast's processes."""
    try:
        return os.readlink(f"/proc/{pid}/exe") == os.path.realpath(HOLDFAST)
    except PermissionError:  # not dumpable, and we are not root
        return pathlib.Path(f"/proc/{pid}/comm").read_text().startswith("holdfast")
    except OSError:
        return False


class Broker:
    """A broker for the sessions of the lab, that tells nobody."""

    def __init__(self, lab):
        config = lab.dir / "home/.config/holdfast"
        config.mkdir(parents=True, exist_ok=True)
        (config / "broker.yaml").write_text("notify: false\n")
        environment = lab.environment | {"XDG_CONFIG_HOME": str(lab.dir / "home/.config")}
        self.process = subprocess.Popen([HOLDFAST, "broker"], env=environment, stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def memory(self):
        return memory_of(self.process.pid)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()


class Alive:
    """A command that has printed a line and waits for the end of its standard input, so that what supervises it can be
    looked at meanwhile."""

    def __init__(self, lab, prefix, command, prepare=True):
        if prepare:
            lab.clean()
        self.start = time.perf_counter()
        self.process = subprocess.Popen([*prefix, *command], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, env=lab.environment, cwd=lab.dir, text=True)

    def line(self):
        text = self.process.stdout.readline()
        if not text:
            raise Failure(self.process.stderr.read().strip()[-300:] or "it ended without a word")
        return text

    def supervisor(self):
        return find_supervisor(self.process.pid)

    def end(self):
        self.process.stdin.close()
        self.process.wait(DEADLINE)
        self.process.stdout.close()
        self.process.stderr.close()
        if self.process.returncode != 0:
            raise Failure(f"exit status {self.process.returncode}")

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        if kind and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
