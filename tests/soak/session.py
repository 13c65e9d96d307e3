# SPDX-License-Identifier: Apache-2.0
"""A session of Holdfast for the soak scripts: everything in a directory of its own, killed at the end.

Signals go only to processes that this session started.
"""
import json
import os
import pathlib
import resource
import shutil
import signal
import subprocess
import tempfile
import time

HERE = pathlib.Path(__file__).resolve().parent
POLICY = """version: 1
name: soak
log_reads: true
default: {tool: allow, read: allow, write: allow, network: allow}
rules:
"""
NEVER = "  - {name: never, match: {path: [/nonexistent/never]}, action: deny}\n"
DEADLINE = 120


class Failure(Exception):
    pass


def check(is_true, what):
    if not is_true:
        raise Failure(what)


def wait_until(condition, what, seconds=DEADLINE):
    """Returns how long it took."""
    start = time.monotonic()
    while not condition():
        if time.monotonic() - start > seconds:
            raise Failure(f"not within {seconds} s: {what}")
        time.sleep(0.002)
    return time.monotonic() - start


def children(pid):
    try:
        return [int(p) for p in pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def is_dead(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] in "ZX"
    except OSError:
        return True


def descendants(pid):
    found = children(pid)
    for child in list(found):
        found += descendants(child)
    return found


class Session:
    """with Session(holdfast, rules, command): the session runs, in the background."""

    def __init__(self, holdfast, rules=NEVER, options=(), env=None, log_dir=None):
        self.holdfast = holdfast
        self.dir = pathlib.Path(tempfile.mkdtemp(prefix="hf-soak."))
        self.work = self.dir / "work"
        self.work.mkdir()
        (self.dir / "run").mkdir(mode=0o700)
        self.log = pathlib.Path(log_dir or self.dir) / "log.jsonl"
        self.policy = self.dir / "soak.yaml"
        self.policy.write_text(POLICY + rules.replace("{dir}", str(self.dir)))
        self.options = list(options)
        self.env = {**os.environ, "HOME": str(self.dir), "XDG_STATE_HOME": str(self.dir / "state"),
                    "XDG_RUNTIME_DIR": str(self.dir / "run"), "LC_ALL": "C.UTF-8"}
        self.extra = env or {}
        self.out = self.dir / "out"
        self.launcher = None
        self.supervisor = None

    def start(self, *command, nofile=None):
        def prepare():
            if nofile:
                resource.setrlimit(resource.RLIMIT_NOFILE, (nofile, nofile))

        with open(self.out, "ab") as out:
            self.launcher = subprocess.Popen(
                [self.holdfast, "run", "-q", "--log", str(self.log), "--policy", str(self.policy),
                 *self.options, "--", *[str(c) for c in command]], stdin=subprocess.DEVNULL,
                stdout=out, stderr=out, env={**self.env, **self.extra}, preexec_fn=prepare)
        wait_until(lambda: self.find_supervisor() or self.launcher.poll() is not None, "a supervisor")
        self.supervisor = self.find_supervisor()
        return self

    def find_supervisor(self):
        """The launcher's child is the keeper, and its child the supervisor."""
        found = [p for keeper in children(self.launcher.pid) for p in children(keeper)]
        return found[0] if found else None

    def __enter__(self):
        return self

    def __exit__(self, kind, *_):
        pids = descendants(self.launcher.pid) if self.launcher else []
        if self.launcher and self.launcher.poll() is None:
            self.launcher.kill()
            self.launcher.wait()
        for pid in pids:
            try:
                os.kill(pid, signal.SIGKILL)
            except OSError:
                pass
        if kind is None:
            shutil.rmtree(self.dir, ignore_errors=True)

    def tool(self, *args):
        """holdfast ARGS. Returns what it printed."""
        return subprocess.run([self.holdfast, *args], env=self.env, capture_output=True, text=True,
                              check=False)

    def wait(self, seconds=DEADLINE):
        return self.launcher.wait(seconds)

    def output(self):
        return self.out.read_text(errors="replace")

    def records(self):
        """Of the log, recovered if its supervisor is dead."""
        done = self.tool("log", "--json", str(self.log))
        check(done.returncode == 0, "log: " + done.stderr)
        return [json.loads(line) for line in done.stdout.splitlines()]

    def logged(self):
        """What is in the file so far."""
        try:
            lines = self.log.read_text().splitlines(keepends=True)
        except FileNotFoundError:
            return []
        return [json.loads(line) for line in lines if line.endswith("\n")]

    def held(self):
        done = self.tool("held", "--json")
        return [json.loads(line) for line in done.stdout.splitlines()
                if json.loads(line).get("pid") and json.loads(line)["object"].startswith(str(self.dir))]

    def status(self, key):
        for line in pathlib.Path(f"/proc/{self.supervisor}/status").read_text().splitlines():
            if line.startswith(key + ":"):
                return int(line.split()[1])
        return 0

    def fds(self):
        """None: only root may look into a process that is not dumpable."""
        return len(os.listdir(f"/proc/{self.supervisor}/fd")) if os.geteuid() == 0 else None

    def assert_alive(self):
        check(not is_dead(self.supervisor), "the supervisor is dead")

    def assert_ends_without_launcher(self):
        """Kills the launcher. Returns after how long, in seconds, nothing of the session was left."""
        pids = [self.supervisor, *descendants(self.supervisor)]
        start = time.monotonic()
        self.launcher.kill()
        self.launcher.wait()
        wait_until(lambda: all(is_dead(pid) for pid in pids), "an end of all processes", 30)
        return time.monotonic() - start

    def verify(self):
        done = self.tool("verify", str(self.log))
        check(done.returncode == 0, "verify: " + done.stdout + done.stderr)


def missing(work, records, op="create"):
    """Effects in @work without a record that says allow."""
    allowed = {r["object"] for r in records if r["event"] == "action" and r["verdict"] == "allow"
               and r["op"] == op}
    return [str(p) for p in work.iterdir() if str(p) not in allowed]
