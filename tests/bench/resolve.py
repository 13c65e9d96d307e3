# SPDX-License-Identifier: Apache-2.0
"""What a question to the DNS takes longer through the helper that answers for names."""

import os
import subprocess
import sys

from lab import DEADLINE, spread

# In a network of its own: a server that gives the same answer to everything, and COMMAND.
DNS_WORLD = """
import os, socket, subprocess, sys
subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
subprocess.run(["ip", "address", "add", "203.0.113.53/32", "dev", "lo"], check=True)
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


def measure(lab, rounds, count):
    """Microseconds on one socket, as the socket and the connect of another have a row of their own; None where no network
    namespace can be had."""
    spaces = ["unshare", "-n", "-m"] if os.geteuid() == 0 else ["unshare", "-U", "-r", "-n", "-m"]
    policy = lab.dir / "names.yaml"
    policy.write_text("version: 1\nname: names\ndefault: allow\nrules:\n"
                      "  - {name: evil, match: {domain: '*.evil.example'}, action: deny}\n")
    world = spaces + [sys.executable, "-c", DNS_WORLD]
    client = [sys.executable, "-c", QUESTIONS, str(count)]
    extra = []
    for _ in range(rounds):
        lab.clean()
        took = []
        for prefix in ([], lab.holdfast(policy), []):
            done = subprocess.run(world + prefix + client, cwd=lab.dir, env=lab.environment, text=True, capture_output=True,
                                  timeout=DEADLINE, check=False)
            if done.returncode != 0:
                return None
            took.append(float(done.stdout.split()[0]))
        extra.append(took[1] - (took[0] + took[2]) / 2)
    return spread(extra)
