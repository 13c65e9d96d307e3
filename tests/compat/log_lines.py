# SPDX-License-Identifier: Apache-2.0
"""Lines of logs for the tests of formats: real sessions, and lines that only an enemy would write."""

import json
import os
import pathlib
import subprocess
import tempfile

from compat import BUILD

POLICY = """version: 1
name: formats
default: {tool: allow, path: allow, network: allow, unix: allow, bind: allow, listen: allow}
log_reads: true
rules:
- {name: no-date, match: {tool: date}, action: deny, reason: "=Not today"}
- {name: watch, match: {path: ["/etc/**"]}, action: flag, reason: of interest}
- {name: ask-uname, match: {tool: uname}, action: ask}
- {name: cost, match: {tool: id}, action: allow, cost: 0.25}
"""

# Each operation that has a word, and bytes that are hard to write down.
WORK = r"""
import os, socket, sys
os.chdir(sys.argv[1])
for i in range(120):
    name = f"f{i}".encode() + bytes([i % 32 or 33, 0x80 + i % 128]) if i % 2 else f"=f{i}\u00e9".encode()
    with open(name, "wb") as f:
        f.write(b"x")
    os.chmod(name, 0o600)
    os.chown(name, -1, -1)
    os.utime(name)
    os.truncate(name, 0)
    os.rename(name, name + b"~")
    os.link(name + b"~", name)
    os.symlink(name, name + b".ln")
    for end in (b"", b"~", b".ln"):
        os.unlink(name + end)
    os.mkdir(name); os.rmdir(name)
    open("/etc/hostname").close() if os.path.exists("/etc/hostname") else None
try: os.setxattr("/tmp", "user.x", b"y")
except OSError: pass
for family, host in ((socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")):
    for port in (53, 1):
        try:
            with socket.socket(family, socket.SOCK_DGRAM) as s: s.sendto(b"x", (host, port))
            with socket.socket(family, socket.SOCK_STREAM) as s: s.connect((host, port))
        except OSError: pass
    try:
        with socket.socket(family, socket.SOCK_STREAM) as s: s.bind((host, 0)); s.listen()
    except OSError: pass
for name in ("/nonexistent.sock", "\0abstract\n\xff"):
    try:
        with socket.socket(socket.AF_UNIX) as s: s.connect(name)
    except OSError: pass
import ctypes
ctypes.CDLL(None).mount(b"none", b"/proc/nonexistent", b"none", 0, None)
os.system("date; uname; id; true")
"""

HOSTILE = [
    {},
    {"session": 7, "agent": None, "kind": "path", "op": "read", "pid": "many", "object": None},
    {"kind": "network", "op": "connect", "object": "999.1.1.1:443"},
    {"kind": "network", "op": "send", "object": "[::1]:99999", "steps": {"protocol": 7}},
    {"kind": "network", "op": "listen", "object": "unix:"},
    {"kind": "network", "op": "connect", "object": "198.51.100.1:80", "domains": ["good.example", "cdn.example"], "aliases": 1},
    {"kind": "network", "op": "connect", "object": "198.51.100.1:80", "domains": [7, None, {}], "aliases": "x"},
    {"kind": "network", "op": "resolve", "object": "good.example", "asked": "AAAA", "verdict": "allow"},
    {"kind": "network", "op": "resolve", "object": None, "asked": 7},
    {"kind": "tool", "op": "exec", "object": "/", "argv": [None, 7, {"x": []}], "argc": -3},
    {"kind": "tool", "op": "exec", "object": "", "argv": []},
    {"kind": "path", "op": "symlink", "object": "a/", "object2": "\u0000\r\n\""},
    {"kind": "path", "op": "read", "object": "@SUM(1)", "rule": "+1", "policy": "-1", "reason": "'x"},
    {"kind": "what", "op": "ever", "verdict": "perhaps", "extra": {"deep": [[[1.5e300]]]}, "é": "é"},
    {"event": "no such", "note": "\u202e\u0085"},
    {"event": "session_start", "host": 7, "uid": "root", "command": "no array", "kernel": []},
    {"event": "session_end", "counts": None},
    {"event": "checkpoint", "key": "00", "signature": "==", "bytes": 1, "lines": 2},
]


def hostile():
    for extra in HOSTILE:
        record = {"v": 1, "seq": 1, "time": "2026-11-21T05:00:00Z", "event": "action",
                  "session": "s", "agent": "a", **extra, "prev": "0" * 64}
        yield json.dumps(record).encode() + b"\n"
        yield json.dumps({**record, "event": "held"}).encode() + b"\n"


def session(place, options, command):
    log = pathlib.Path(place) / "log.jsonl"
    policy = pathlib.Path(place) / "policy.yaml"
    policy.write_text(POLICY)
    env = {"PATH": "/usr/bin:/bin", "HOME": place, "XDG_RUNTIME_DIR": place, "XDG_STATE_HOME": place,
           "LC_ALL": "C.UTF-8"}
    subprocess.run([BUILD / "holdfast", "run", "--policy", policy, "--log", log, *options, "--",
                    *command], env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                   stdin=subprocess.DEVNULL, timeout=120, check=False)
    return log.read_bytes()


def lines():
    """All of them, as one log."""
    with tempfile.TemporaryDirectory() as place:
        os.chmod(place, 0o700)
        work = pathlib.Path(place) / "work"
        work.mkdir()
        command = ["/usr/bin/python3", "-c", WORK, str(work)]
        enforced = session(place, ["--ask", "deny"], command)
    with tempfile.TemporaryDirectory() as place:
        work = pathlib.Path(place) / "work"
        work.mkdir()
        audited = session(place, ["--mode", "audit"], ["/usr/bin/python3", "-c", WORK, str(work)])
    return enforced + audited + b"".join(hostile())


def convert(log, format_name):
    return subprocess.run([BUILD / "tests/compat/log_format", format_name], input=log,
                          stdout=subprocess.PIPE, check=True, timeout=120).stdout
