# SPDX-License-Identifier: Apache-2.0
"""What layers.bats, and layers.sh in a guest, have done in a session, one line for each case: what came of it."""
import ctypes
import errno
import os
import random
import shutil
import socket
import stat
import subprocess
import sys
import threading

I4, I6, UNIX = socket.AF_INET, socket.AF_INET6, socket.AF_UNIX
TCP, UDP = socket.SOCK_STREAM, socket.SOCK_DGRAM
MPTCP = 262
EXPR = shutil.which("expr")


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


def bind_at(path):
    with socket.socket(UNIX, TCP) as s:
        s.bind(path)


def reopen(path):
    handle = os.open(path, os.O_PATH)
    try:
        with open(f"/proc/self/fd/{handle}", "rb"):
            pass
    finally:
        os.close(handle)


def append(path):
    with open(path, "a", encoding="ascii") as f:
        f.write("more")


def read(path):
    with open(path, "rb") as f:
        f.read()


# What is done to a file or beside it, and what has to be there before: a file, a directory, nothing, a file to begin from.
FILE, DIRECTORY, NOTHING, OTHER = range(4)
DEEDS = {
    "read": (FILE, read),
    "read-again": (FILE, reopen),
    "list": (DIRECTORY, os.listdir),
    "write": (FILE, lambda p: open(p, "w", encoding="ascii").close()),
    "append": (FILE, append),
    "create": (NOTHING, lambda p: open(p, "x", encoding="ascii").close()),
    "truncate": (FILE, lambda p: os.truncate(p, 1)),
    "unlink": (FILE, os.unlink),
    "rmdir": (DIRECTORY, os.rmdir),
    "mkdir": (NOTHING, os.mkdir),
    "mkfifo": (NOTHING, os.mkfifo),
    "bind": (NOTHING, bind_at),
    "symlink": (NOTHING, lambda p: os.symlink("/nowhere", p)),
    "link": (OTHER, lambda p: os.link(p + ".other", p)),
    "link-of": (FILE, lambda p: os.link(p, p + ".other")),
    "rename": (FILE, lambda p: os.rename(p, p + ".other")),
    "rename-to": (OTHER, lambda p: os.rename(p + ".other", p)),
    "chmod": (FILE, lambda p: os.chmod(p, 0o600)),
    "chown": (FILE, lambda p: os.chown(p, os.getuid(), os.getgid())),
    "times": (FILE, lambda p: os.utime(p, (1, 1))),
    "xattr": (FILE, lambda p: os.setxattr(p, "user.x", b"x")),
}
# As the rules in layers.yaml have them: allowed, denied, flagged, and asked about with either answer.
WORDS = ["plain", "secret", "seen", "maybe-yes", "maybe-no"]


def files(directory):
    for word in WORDS:
        for name in DEEDS:
            yield name, f"{directory}/{name}.{word}"


def prepare(directory):
    os.makedirs(directory)
    with open(f"{directory}/secret", "w", encoding="ascii") as f:
        f.write("x")
    for name, path in files(directory):
        before = DEEDS[name][0]
        if before == DIRECTORY:
            os.mkdir(path)
        elif before != NOTHING:
            with open(path + ".other" * (before == OTHER), "w", encoding="ascii") as f:
                f.write("some text")


def show_tree(directory):
    """What the session left behind."""
    for name in sorted(os.listdir(directory)):
        st = os.lstat(f"{directory}/{name}")
        print(name, stat.filemode(st.st_mode), st.st_nlink, st.st_size if stat.S_ISREG(st.st_mode) else "", int(st.st_mtime) == 1)


def file_cases(directory):
    for name, path in files(directory):
        say(f"{name} {path.rpartition('.')[2]}", lambda: DEEDS[name][1](path))


def cases(directory):
    file_cases(directory)
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
    say("exec asked about", lambda: subprocess.run([EXPR, "maybe-yes"], check=True, stdout=subprocess.DEVNULL))
    say("exec asked about in vain", lambda: subprocess.run([EXPR, "maybe-no"], check=True, stdout=subprocess.DEVNULL))


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
elif sys.argv[1] == "prepare":
    prepare(sys.argv[2])
elif sys.argv[1] == "tree":
    show_tree(sys.argv[2])
elif sys.argv[1] == "other":
    say("udplite", other)
else:
    race(int(sys.argv[2]))
