#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""broker_kill.py HOLDFAST ROUNDS [--seed N]: SIGKILL of the broker, and another in its place, at random
moments, while a session holds actions that are answered at the terminal's command, by links and by what the
user's server has for the broker, often by two of them at once and against each other.

Afterwards each action that was held must have ended once, as it was answered: none lost (its deadline is not
reached), none answered twice, none allowed that nobody allowed. Prints figures; exit status 1 with the seed
and the kept directory when that is not so.
"""
import http.server
import json
import os
import pathlib
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

POLICY = """version: 1
name: soak
log_reads: true
denials: {on_limit: none}
default: {tool: allow, read: allow, write: allow, network: allow}
rules:
  - {name: ask, match: {path: ["%s/**"]}, action: ask}
"""
SECRET = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5"
WORKERS = 6
# Opens one file after the other, each only once, and says what came of it.
AGENT = """
import os, sys
asked, said, stop, workers = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
for worker in range(workers):
    if os.fork() == 0:
        out = os.open(f"{said}/{worker}", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        n = 0
        while not os.path.exists(stop):
            name = f"w{worker}n{n}"
            try:
                os.close(os.open(f"{asked}/{name}", os.O_RDONLY))
                result = "allow"
            except FileNotFoundError:
                result = "allow"
            except PermissionError:
                result = "deny"
            os.write(out, f"{name} {result}\\n".encode())
            n += 1
        os._exit(0)
while True:
    try:
        os.wait()
    except ChildProcessError:
        break
"""


class Server(http.server.ThreadingHTTPServer):
    """The user's: keeps the tokens of the newest broker, and hands out answers."""
    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.lock, self.tokens, self.answers = threading.Lock(), {}, []

    def handle_error(self, *_):
        """Brokers are killed while they speak to it."""


class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def reply(self, body=b""):
        self.send_response(200 if body else 204)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self):  # pylint: disable=invalid-name
        message = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if message["type"] == "holdfast.held":
            with self.server.lock:
                self.server.tokens[message["data"]["id"]] = {a["answer"]: a for a in message["data"]["answers"]}
        self.reply()

    def do_GET(self):  # pylint: disable=invalid-name
        with self.server.lock:
            answers, self.server.answers = self.server.answers, []
        self.reply(json.dumps({"answers": answers}).encode())


class Soak:
    def __init__(self, holdfast, base, rng):
        self.holdfast, self.base, self.rng = holdfast, base, rng
        self.log, self.broker = base / "log.jsonl", None
        self.server = Server()
        self.given, self.ways, self.over = {}, {"command": 0, "link": 0, "server": 0}, False
        self.tried = {}
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            links = s.getsockname()[1]
        port = self.server.server_address[1]
        (base / "config/holdfast").mkdir(parents=True)
        (base / "config/holdfast/broker.yaml").write_text(
            f'webhook: {{url: "http://127.0.0.1:{port}/", secret: {SECRET}, '
            f'poll: "http://127.0.0.1:{port}/", poll_every: 1s}}\nlinks: {{port: {links}}}\n')
        for name in ("ask", "said"):
            (base / name).mkdir()
        (base / "soak.yaml").write_text(POLICY % (base / "ask"))

    def call(self, *words):
        return subprocess.run([self.holdfast, *words], capture_output=True, check=False, timeout=30)

    def start_broker(self):
        self.broker = subprocess.Popen([self.holdfast, "broker"], stdin=subprocess.DEVNULL,
                                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def others(self):
        """Brokers of this test besides ours."""
        found = []
        for entry in pathlib.Path("/proc").glob("[0-9]*"):
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")
                if words[:2] == [b"holdfast", b"broker"] and (entry / "environ").read_bytes().find(bytes(self.base)) >= 0:
                    found.append(entry.name)
            except OSError:
                pass
        return found

    def held(self):
        return [json.loads(line)["id"] for line in self.call("held", "--json").stdout.splitlines()]

    def answer(self, held, answer, way):
        """Whether it could be said; what came of it the log tells."""
        with self.server.lock:
            token = self.server.tokens.get(held, {}).get(answer)
        if way != "command" and not token:
            return
        self.given.setdefault(held, set()).add(answer)
        self.ways[way] += 1
        if way == "command":
            self.call("approve" if answer == "allow" else "deny", held)
        elif way == "server":
            with self.server.lock:
                self.server.answers.append(token["token"])
        else:
            try:
                urllib.request.urlopen(urllib.request.Request(token["url"], data=b"", method="POST"), timeout=5).close()
            except OSError:
                pass

    def answer_all(self):
        while not self.over:
            for held in self.held():
                tries = self.tried[held] = self.tried.get(held, 0) + 1
                # What came by the broker's ways may be lost with it: then it is said again.
                ways = self.rng.sample(["command", "link", "server"] if tries > 3 else ["link", "link", "server"],
                                       self.rng.choice([1, 1, 2]))
                threads = [threading.Thread(target=self.answer, args=(held, self.rng.choice(["allow", "deny"]), way))
                           for way in ways]
                for t in threads:
                    t.start()
                for t in threads:
                    t.join()
            time.sleep(0.02)

    def run(self, rounds):
        self.start_broker()
        while self.call("broker", "--status").returncode:
            time.sleep(0.01)
        session = subprocess.Popen(
            [self.holdfast, "run", "-q", "--log", str(self.log), "--policy", str(self.base / "soak.yaml"), "--ask", "queue",
             "--", "/usr/bin/python3", "-c", AGENT, str(self.base / "ask"), str(self.base / "said"),
             str(self.base / "stop"), str(WORKERS)], stdin=subprocess.DEVNULL)
        answering = threading.Thread(target=self.answer_all)
        answering.start()
        # The session has one started, too, which ends when it finds ours: not sooner than that.
        while not self.held() or self.others():
            time.sleep(0.01)
        for _ in range(rounds):
            time.sleep(self.rng.choice([0.01, 0.1, 0.4, 0.8, 1.2]) * self.rng.random())
            if self.broker.poll() is not None:
                raise AssertionError(f"the broker ended by itself with {self.broker.returncode}")
            self.broker.send_signal(signal.SIGKILL)
            self.broker.wait()
            self.start_broker()
        (self.base / "stop").touch()
        status = session.wait(timeout=120)
        self.over = True
        answering.join()
        self.broker.send_signal(signal.SIGTERM)
        self.broker.wait(timeout=30)
        return status

    def check(self):
        """Returns figures; raises when something is not as it must be."""
        records = [json.loads(line) for line in self.call("log", "--json", str(self.log)).stdout.splitlines()]
        held = {r["held"]: r for r in records if r["event"] == "held"}
        ends = {}
        for r in records:
            if r["event"] == "action" and r.get("held"):
                ends.setdefault(r["held"], []).append(r)
        said = {}
        for file in (self.base / "said").iterdir():
            for line in file.read_text().splitlines():
                name, result = line.split()
                if name in said:
                    raise AssertionError(f"{name} was opened twice")
                said[name] = result
        for key, record in held.items():
            end = ends.get(key, [])
            if len(end) != 1:
                raise AssertionError(f"{key} has {len(end)} ends")
            name, verdict = record["object"].rsplit("/", 1)[1], end[0]["verdict"]
            if verdict not in self.given.get(key, ()):
                raise AssertionError(f"{key} ended with {verdict}, and what was answered is {self.given.get(key)}")
            if said.get(name) != verdict:
                raise AssertionError(f"{name} ended with {verdict}, and the agent saw {said.get(name)}")
        if len(held) != len(said):
            raise AssertionError(f"{len(held)} were held, and the agent saw {len(said)} ends")
        via = sum(" via webhook" in (e[0].get("approver") or "") for e in ends.values())
        both = sum(len(g) > 1 for g in self.given.values())
        return len(held), via, both


def main():
    holdfast, rounds = os.path.abspath(sys.argv[1]), int(sys.argv[2])
    seed = int(sys.argv[4]) if len(sys.argv) > 4 else random.SystemRandom().randrange(1 << 32)
    base = pathlib.Path(tempfile.mkdtemp(prefix="holdfast-soak."))
    os.environ.update(HOME=str(base), XDG_STATE_HOME=str(base / "state"), XDG_RUNTIME_DIR=str(base / "run"),
                      XDG_CONFIG_HOME=str(base / "config"), XDG_CACHE_HOME=str(base / "cache"), no_proxy="*")
    (base / "run").mkdir(mode=0o700)
    soak = Soak(holdfast, base, random.Random(seed))
    try:
        soak.run(rounds)
        held, via, both = soak.check()
    except AssertionError as e:
        print(f"seed {seed}, kept in {base}: {e}", file=sys.stderr)
        return 1
    shutil.rmtree(base)
    print(f"{rounds} kills of the broker, {held} actions held, {via} of them answered through it, {both} answered both "
          f"ways: none lost, none answered twice, none allowed without an answer (seed {seed})")
    return 0


sys.exit(main())
