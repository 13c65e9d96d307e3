# SPDX-License-Identifier: Apache-2.0
"""What layers.bats has done in a session, one line for each case: what came of it."""
import ctypes
import errno
import os
import random
import socket
import subprocess
import sys
import threading

I4, I6, UNIX = socket.AF_INET, socket.AF_INET6, socket.AF_UNIX
TCP, UDP = socket.SOCK_STREAM, socket.SOCK_DGRAM
MPTCP = 262


def connect(family, kind, address, protocol=0):
    with socket.socket(family, kind, protocol) as s:
        s.settimeout(0.2)
        s.connect(address)


def send(family, address, flags=0, kind=UDP):
    with socket.socket(family, kind) as s:
        s.sendto(b"x", flags, address)


def message(address):
    with socket.socket(I4, UDP) as s:
        s.sendmsg([b"x"], [], 0, address)


def bind(family, address):
    with socket.socket(family, TCP) as s:
        s.bind(address)


def say(name, function):
    try:
        function()
        came = "went through"
    except socket.timeout:
        came = "went through"
    except OSError as e:
        # Whether there is a way to them is the machine's business.
        came = "refused" if e.errno == errno.EACCES else "went through"
    print(name, came)


def cases(directory):
    for host in ["127.0.0.1", "127.0.0.2", "0.0.0.0", "192.0.2.1", "10.1.2.3", "10.1.2.4", "10.1.3.3"]:
        for port in [9, 80, 81]:
            say(f"tcp {host}:{port}", lambda: connect(I4, TCP, (host, port)))
            say(f"udp {host}:{port}", lambda: connect(I4, UDP, (host, port)))
            say(f"send {host}:{port}", lambda: send(I4, (host, port)))
        say(f"message {host}", lambda: message((host, 80)))
        say(f"fast open {host}", lambda: send(I4, (host, 9), socket.MSG_FASTOPEN, TCP))
        say(f"mptcp {host}", lambda: connect(I4, TCP, (host, 9), MPTCP))
    for host in ["::1", "::", "2001:db8::1", "2001:db8:1::1", "::ffff:127.0.0.1", "::ffff:192.0.2.1", "64:ff9b::a01:203",
                 "64:ff9b::c000:201", "2002:a01:203::1", "2002:c000:201::1", "2001:0:a01:203::1", "fe80::5efe:a01:203", "::7f00:1"]:
        say(f"tcp [{host}]", lambda: connect(I6, TCP, (host, 80)))
        say(f"udp [{host}]", lambda: connect(I6, UDP, (host, 80)))
        say(f"send [{host}]", lambda: send(I6, (host, 80)))
        say(f"mptcp [{host}]", lambda: connect(I6, TCP, (host, 80), MPTCP))
    say("bind", lambda: bind(I4, ("127.0.0.1", 0)))
    say("bind 80", lambda: bind(I4, ("127.0.0.1", 80)))
    # The second is as long as an IP address.
    for what, name in [("short", "s"), ("exact", f"/tmp/h{os.getpid():07}"), ("long", "one-that-is-rather-long.sock")]:
        with socket.socket(UNIX, TCP) as server:
            server.bind(name)
            server.listen()
            say(f"unix {what}", lambda: connect(UNIX, TCP, name))
            os.unlink(name)
    say("unix abstract", lambda: connect(UNIX, TCP, "\0nobody-listens"))
    say("read", lambda: open(f"{directory}/secret").close())
    say("write", lambda: open(f"{directory}/secret", "w").close())
    say("mkdir", lambda: os.mkdir(f"{directory}/secret.d"))
    say("unlink", lambda: os.unlink(f"{directory}/secret"))
    say("exec", lambda: subprocess.run(["/bin/true"], check=True))
    say("exec refused", lambda: subprocess.run(["/bin/false"], check=False))


def listener(low, high):
    while True:
        s = socket.socket(I4, TCP)
        try:
            s.bind(("127.0.0.1", random.randint(low, high)))
            s.listen(4096)
            return s
        except OSError:
            s.close()


def race(rounds):
    """A thread swaps the port between one that is allowed and one that is not."""
    allowed, refused = listener(20000, 29999), listener(30000, 32000)
    ports = [s.getsockname()[1].to_bytes(2, "big") for s in (allowed, refused)]
    address = ctypes.create_string_buffer(b"\x02\x00" + ports[0] + b"\x7f\x00\x00\x01" + bytes(8), 16)
    libc = ctypes.CDLL(None, use_errno=True)
    is_over = False

    def swap():
        while not is_over:
            for port in ports:
                ctypes.memmove(ctypes.byref(address, 2), port, 2)

    swapper = threading.Thread(target=swap)
    swapper.start()
    counts = {0: 0, errno.EACCES: 0}
    for _ in range(rounds):
        with socket.socket(I4, TCP) as s:
            r = libc.connect(s.fileno(), address, 16)
            counts[ctypes.get_errno() if r else 0] += 1
    is_over = True
    swapper.join()
    refused.setblocking(False)
    try:
        refused.accept()
        print("raced")
    except BlockingIOError:
        print("both" if all(counts.values()) else f"one only: {counts}")


def other():
    """A protocol that is neither TCP nor UDP and needs no privilege."""
    with socket.socket(I4, UDP, 136) as s:  # IPPROTO_UDPLITE
        s.sendto(b"x", ("127.0.0.1", 9))


if sys.argv[1] == "cases":
    cases(sys.argv[2])
elif sys.argv[1] == "other":
    say("udplite", other)
else:
    race(int(sys.argv[2]))
