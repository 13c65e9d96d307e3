# SPDX-License-Identifier: Apache-2.0
"""What is run under each contender: each workload is a script in a file, so that no contender's way of passing
arguments on matters, and what has to be there before it."""

import hashlib
import http.server
import io
import json
import shutil
import subprocess
import tarfile
import threading

from lab import PEERS, ROOT, Failure

CONNECTS = """
import socket, sys
listener = socket.create_server(("127.0.0.1", 0))
for i in range(int(sys.argv[1])):
    client = socket.socket()
    client.connect(listener.getsockname())
    listener.accept()[0].close()
    client.close()
"""
UNITTEST = """
import json, os, tempfile, unittest
class Test{n}(unittest.TestCase):
    def setUp(self):
        self.file = tempfile.NamedTemporaryFile("w+", dir=os.path.dirname(__file__))
    def tearDown(self):
        self.file.close()
    def test_dump(self):
        json.dump(list(range({n})), self.file)
        self.file.seek(0)
        self.assertEqual(json.load(self.file), list(range({n})))
    def test_import(self):
        import {module}
        self.assertTrue({module}.__name__)
"""
MODULES = ("asyncio", "email.message", "http.client", "sqlite3", "xml.dom.minidom", "decimal", "difflib", "ctypes",
           "multiprocessing.pool", "urllib.request")
# One turn of opencode: the model wants a command run, then says that it is done.
MODEL = """
import http.server, json, subprocess, sys, threading
class Model(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def log_message(self, *_): pass
    def do_POST(self):
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        tools = asked.get("tools") and not any(m["role"] == "tool" for m in asked["messages"])
        delta = {"role": "assistant", "content": "Done."}
        if tools:
            call = {"command": "ls -l > listing && wc -l listing", "description": "counts"}
            delta = {"role": "assistant", "tool_calls": [{"index": 0, "id": "call_1", "type": "function",
                     "function": {"name": "bash", "arguments": json.dumps(call)}}]}
        text = ""
        for choice in ({"index": 0, "delta": delta, "finish_reason": None},
                       {"index": 0, "delta": {}, "finish_reason": "tool_calls" if tools else "stop"}):
            text += "data: " + json.dumps({"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "mock",
                                           "choices": [choice]}) + "\\n\\n"
        body = (text + "data: [DONE]\\n\\n").encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Model)
threading.Thread(target=server.serve_forever, daemon=True).start()
with open("config.json") as config, open("opencode.json", "w") as out:
    out.write(config.read().replace("PORT", str(server.server_port)))
subprocess.run([sys.argv[1], "run", "--format", "json", "count the files"], stdin=subprocess.DEVNULL,
               stdout=open("out", "w"), check=True)
"""
# No FIFO: one supervisor that opens for others would wait in it for ever.
AGENT = """
cd "$(dirname "$0")"
rm -f listing
OPENCODE_DISABLE_AUTOUPDATE=1 OPENCODE_DISABLE_MODELS_FETCH=1 /usr/bin/python3 model.py {program}
grep -q listing listing
"""


class Workload:
    def __init__(self, title, script, prepare=None):
        self.title, self.script, self.prepare = title, script, prepare


def tree(top, files, a_directory=100):
    for i in range(files):
        directory = top / str(i // a_directory)
        if i % a_directory == 0:
            directory.mkdir(parents=True)
        (directory / f"{i}.txt").write_text(f"small file {i}\n" * 20)


def command(lab, *words, cwd=None):
    done = subprocess.run(words, cwd=cwd or lab.dir, env=lab.environment, stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, check=False)
    if done.returncode != 0:
        raise Failure(f"{' '.join(words)[:100]}: {done.stderr.strip()[-300:]}")


def grep(lab):
    times = 1 if lab.quick else 4
    tree(lab.work / "files", 5000)
    return Workload(f"grep -r over 5,000 small files, {times} times",
                    f"for i in $(seq {times}); do grep -rq absent {lab.work}/files || [ $? = 1 ]; done")


def execs(lab):
    count = 500 if lab.quick else 2000
    return Workload(f"{count:,} times /bin/true from a shell",
                    f"i=0; while [ $i -lt {count} ]; do /bin/true; i=$((i+1)); done")


def build(lab):
    parts = ("base",) if lab.quick else ("base", "policy")
    sources = [p.relative_to(ROOT) for part in parts for p in sorted(ROOT.glob(f"userspace/{part}/*.c"))]
    place = lab.work / "objects"
    (lab.work / "source").mkdir()
    # Copied: a checkout may lie where a contender does not let it be read.
    for source in ("Makefile", "userspace", "loader", "bpf"):
        (shutil.copytree if (ROOT / source).is_dir() else shutil.copy)(ROOT / source, lab.work / "source" / source)
    objects = " ".join(f"{place}/{s.with_suffix('.o')}" for s in sources)
    return Workload(f"make -j2 of {len(sources)} C files",
                    f"make -s -j2 -C {lab.work}/source BUILD={place} {objects}",
                    lambda: shutil.rmtree(place, ignore_errors=True))


def git(lab):
    top, clone = lab.work / "repository", lab.work / "clone"
    tree(top, 500 if lab.quick else 2000)
    identity = ("-c", "user.name=bench", "-c", "user.email=bench@localhost", "-c", "commit.gpgsign=false")
    command(lab, "git", "init", "-q", "-b", "main", str(top))
    command(lab, "git", "add", "-A", cwd=top)
    command(lab, "git", *identity, "commit", "-q", "-m", "first", cwd=top)
    command(lab, "git", "checkout", "-q", "-b", "other", cwd=top)
    for f in sorted(top.glob("*/*7.txt")):
        f.write_text("changed\n")
    command(lab, "git", *identity, "commit", "-q", "-a", "-m", "second", cwd=top)
    command(lab, "git", "checkout", "-q", "main", cwd=top)
    files = sum(1 for _ in top.glob("*/*.txt"))
    # gVisor's root is nobody's owner of what lies outside of it.
    return Workload(f"git clone, checkout, status of {files:,} files",
                    "export GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0=safe.directory GIT_CONFIG_VALUE_0='*'\n"
                    f"git clone -q --no-hardlinks {top} {clone}\ncd {clone}\ngit checkout -q other\ngit status --short",
                    lambda: shutil.rmtree(clone, ignore_errors=True))


def python(lab):
    times = 3 if lab.quick else 10
    return Workload(f"python3 -c 'import json, asyncio', {times} times",
                    f"for i in $(seq {times}); do /usr/bin/python3 -c 'import json, asyncio'; done")


def unittest(lab):
    count = 50 if lab.quick else 300
    top = lab.work / "tests"
    top.mkdir()
    for n in range(count):
        (top / f"test_{n}.py").write_text(UNITTEST.format(n=n, module=MODULES[n % len(MODULES)]))
    return Workload(f"python3 -m unittest, {2 * count} tests in {count} files",
                    f"cd {top}\nPYTHONDONTWRITEBYTECODE=1 /usr/bin/python3 -m unittest -q 2>&1")


class Registry(http.server.BaseHTTPRequestHandler):
    """As much of npm's registry as fills a cache: packages p0, p1, ..., each of which wants the next two."""

    count = 0

    def log_message(self, *_):
        pass

    def do_GET(self):
        name = self.path.strip("/").split("/")[0]
        n = int(name[1:])
        body = self.tarball(n)
        if not self.path.endswith(".tgz"):
            host = f"http://{self.headers['Host']}"
            version = self.manifest(n) | {"dist": {
                "tarball": f"{host}/{name}/-/{name}-1.0.0.tgz", "shasum": hashlib.sha1(body).hexdigest()}}
            body = json.dumps({"name": name, "dist-tags": {"latest": "1.0.0"}, "versions": {"1.0.0": version}}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def manifest(self, n):
        return {"name": f"p{n}", "version": "1.0.0", "dependencies": {
            f"p{i}": "^1.0.0" for i in (2 * n + 1, 2 * n + 2) if i < self.count}}

    def tarball(self, n):
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w:gz") as tar:
            for i in range(20):
                name = "package.json" if i == 0 else f"lib/{i}.js"
                data = (json.dumps(self.manifest(n)) if i == 0 else f"exports.n = {i};\n" * 20).encode()
                entry = tarfile.TarInfo(f"package/{name}")
                entry.size, entry.mode = len(data), 0o644
                tar.addfile(entry, io.BytesIO(data))
        # The same bytes each time, or the sum would not fit: gzip has the time in its head.
        return out.getvalue()[:4] + bytes(4) + out.getvalue()[8:]


def npm(lab):
    if not shutil.which("npm", path=lab.environment["PATH"]):
        raise Failure("npm is not installed")
    Registry.count = 30 if lab.quick else 120
    top = lab.work / "package"
    top.mkdir()
    (top / "package.json").write_text(json.dumps({"name": "bench", "version": "1.0.0", "dependencies": {"p0": "^1.0.0"}}))
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Registry)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    words = ["npm", "install", "--no-audit", "--no-fund", "--no-update-notifier", "--logs-max=0",
             f"--cache={lab.work}/npm-cache", f"--registry=http://127.0.0.1:{server.server_port}"]
    try:
        command(lab, *words, cwd=top)
    finally:
        server.shutdown()
        server.server_close()

    def prepare():
        shutil.rmtree(top / "node_modules", ignore_errors=True)
        (top / "package-lock.json").unlink(missing_ok=True)

    return Workload(f"npm install of {Registry.count} packages from a warm cache",
                    f"cd {top}\n{' '.join(words)} --offline >npm-output\n[ -e node_modules/p{Registry.count - 1} ]", prepare)


def connects(lab):
    count = 1000 if lab.quick else 5000
    script = lab.work / "connects.py"
    script.write_text(CONNECTS)
    return Workload(f"{count:,} TCP connections on loopback", f"/usr/bin/python3 {script} {count}")


def tar(lab):
    count = 5000 if lab.quick else 20000
    tree(lab.work / "many", count)
    return Workload(f"tar of {count:,} files", f"tar -C {lab.work} -cf - many | wc -c >{lab.work}/tar-size")


def agent(lab):
    program = PEERS / "node_modules/opencode-linux-x64/bin/opencode"
    if not program.exists():
        raise Failure("opencode is not installed (tools/install-peers)")
    top = lab.work / "agent"
    top.mkdir()
    (top / "model.py").write_text(MODEL)
    (top / "config.json").write_text(json.dumps({
        "model": "mock/mock", "permission": {"bash": "allow"}, "provider": {"mock": {
            "npm": "@ai-sdk/openai-compatible", "name": "mock", "options": {"baseURL": "http://127.0.0.1:PORT/v1",
                                                                        "apiKey": "x"}, "models": {"mock": {}}}}}))
    return Workload("a turn of opencode with a model that is played", AGENT.format(program=program))


MAKERS = {"grep": grep, "execs": execs, "build": build, "git": git, "python": python, "unittest": unittest, "npm": npm,
          "connects": connects, "tar": tar, "agent": agent}


def make(lab, name):
    """The workload; its script fails when a part of it does. May raise Failure: it cannot be had here."""
    workload = MAKERS[name](lab)
    file = lab.work / f"{name}.sh" if name != "agent" else lab.work / "agent/agent.sh"
    file.write_text("set -e\n" + workload.script + "\n")
    workload.command = ["/bin/sh", str(file)]
    return workload
