# SPDX-License-Identifier: Apache-2.0
"""What rules on names cost: a question to the DNS through the helper, and a connect to an address that has a name."""

import os
import subprocess
import sys

from lab import DEADLINE, spread

# In a network of its own: a server that gives the same answer to everything, and COMMAND.
DNS_WORLD = """
import os, socket, subprocess, sys
subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
for address in "203.0.113.53", "198.51.100.1":
    subprocess.run(["ip", "address", "add", address + "/32", "dev", "lo"], check=True)
with open("resolv.conf", "w") as out:
    out.write("nameserver 203.0.113.53\\n")
subprocess.run(["mount", "--bind", "resolv.conf", "/etc/resolv.conf"], check=True)
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("203.0.113.53", 53))
pid = os.fork()
if pid == 0:
    os.dup2(os.open("/dev/null", os.O_RDWR), 1)
    os.dup2(1, 2)
    while True:
        q, source = server.recvfrom(512)
        server.sendto(q[:2] + b"\\x81\\x80\\0\\1\\0\\1\\0\\0\\0\\0" + q[12:] + b"\\xc0\\x0c\\0\\1\\0\\1\\0\\0\\0\\x3c\\0\\4\\xc6\\x33\\x64\\1", source)
server.close()
status = subprocess.run(sys.argv[1:], check=False).returncode
os.kill(pid, 9)
sys.exit(status)
"""

# The median time in microseconds of a connect to an address that was learned, if anything learns: by UDP, which sends nothing.
CONNECTS = """
import socket, statistics, sys, time
good = socket.getaddrinfo("good.example", 80, socket.AF_INET, socket.SOCK_DGRAM)[0][4]
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
times = []
for _ in range(int(sys.argv[1])):
    begin = time.perf_counter()
    s.connect(good)
    times.append(1e6 * (time.perf_counter() - begin))
print(statistics.median(times))
"""
# The same rule by address and by name; the kernel alone could decide on the former.
BY = {"address": ["198.51.100.1"], "domain": ["good.example"]}

# The median time of a question in microseconds: on one socket, and with a socket for each as getaddrinfo() has it.
QUESTIONS = """
import socket, statistics, sys, time
QUESTION = b"\\0\\7\\1\\0\\0\\1\\0\\0\\0\\0\\0\\0\\4good\\7example\\0\\0\\1\\0\\1"
def connected():
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.connect(("203.0.113.53", 53))
    return s
def ask(s):
    s.send(QUESTION)
    assert s.recv(512)[3] & 15 == 0
def timed(fn):
    times = []
    for _ in range(int(sys.argv[1])):
        begin = time.perf_counter()
        fn()
        times.append(1e6 * (time.perf_counter() - begin))
    return statistics.median(times)
one = connected()
ask(one)
print(timed(lambda: ask(one)), timed(lambda: ask(connected())))
"""


def run_in_world(lab, prefix, client, count):
    """Numbers that @client printed; None where no network namespace can be had."""
    spaces = ["unshare", "-n", "-m"] if os.geteuid() == 0 else ["unshare", "-U", "-r", "-n", "-m"]
    command = [*spaces, sys.executable, "-c", DNS_WORLD, *prefix, sys.executable, "-c", client, str(count)]
    done = subprocess.run(command, cwd=lab.dir, env=lab.environment, text=True, capture_output=True, timeout=DEADLINE, check=False)
    return [float(n) for n in done.stdout.split()] if done.returncode == 0 else None


def measure(lab, rounds, count):
    """Microseconds on one socket, as the socket and the connect of another have a row of their own; None where no network
    namespace can be had."""
    policy = lab.dir / "names.yaml"
    policy.write_text("version: 1\nname: names\ndefault: allow\nrules:\n"
                      "  - {name: evil, match: {domain: '*.evil.example'}, action: deny}\n")
    extra = []
    for _ in range(rounds):
        lab.clean()
        took = [run_in_world(lab, prefix, QUESTIONS, count) for prefix in ([], lab.holdfast(policy), [])]
        if None in took:
            return None
        extra.append(took[1][0] - (took[0][0] + took[2][0]) / 2)
    return spread(extra)


def measure_connect(lab, rounds, count):
    """Microseconds that a connect takes under a rule on an address, and more under one on its name; None as above."""
    for key, value in BY.items():
        (lab.dir / f"{key}.yaml").write_text(
            f"version: 1\nname: {key}\ndefault: {{tool: allow, path: allow, network: deny, unix: allow}}\nrules:\n"
            "  - {name: dns, match: {port: [53]}, action: allow}\n"
            f"  - {{name: good, match: {{{key}: {value}}}, action: allow}}\n")
    bare, extra = [], []
    for _ in range(rounds):
        took = []
        for key in ("address", "domain", "address"):
            lab.clean()
            took.append(run_in_world(lab, lab.holdfast(lab.dir / f"{key}.yaml", "--layers", "-bpf"), CONNECTS, count))
        if None in took:
            return None
        bare.append((took[0][0] + took[2][0]) / 2)
        extra.append(took[1][0] - bare[-1])
    return {"address": spread(bare), "more": spread(extra)}
