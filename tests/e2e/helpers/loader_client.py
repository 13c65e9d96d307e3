# SPDX-License-Identifier: Apache-2.0
"""A client of holdfast-loader's service that need not be a good one: loader.bats. Each part prints what came of it."""
import array
import ctypes
import fcntl
import os
import random
import signal
import socket
import struct
import sys

VERSION = 4
PROBE, START, SEAL, NET, HELLO, JOIN, LSM, LSM_JOIN = 1, 3, 5, 7, 9, 10, 12, 14
F_ADD_SEALS, ALL_SEALS = 1033, 1 | 2 | 4 | 8
PORTS, OPS, PROTOCOLS, DENY = 65536, 3, 3, 3
PATH = os.environ["HOLDFAST_LOADER_SOCKET"]
DEADLINE = 20
LIBC = ctypes.CDLL(None, use_errno=True)


def header(kind, size=16, version=VERSION):
    return struct.pack("<IIII", version, kind, size, 0)


class Client:
    def __init__(self):
        self.s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.s.settimeout(DEADLINE)
        self.s.connect(PATH)
        self.hello = self.receive()[0]

    def send(self, message, fd=None):
        rights = [] if fd is None else [(socket.SOL_SOCKET, socket.SCM_RIGHTS, struct.pack("i", fd))]
        try:
            self.s.sendmsg([message], rights, socket.MSG_NOSIGNAL)
        except OSError:
            pass  # it has ended the connection already

    def receive(self):
        """Its error (0: none), or that it has ended the connection, and descriptors."""
        try:
            data, extra, _, _ = self.s.recvmsg(4096, 4096)
        except ConnectionResetError:
            return "ended", []
        fds = array.array("i")
        for _, _, rights in extra:
            fds.frombytes(rights)
        return (struct.unpack_from("<i", data, 16)[0] if data else "ended"), list(fds)

    def ask(self, message, fd=None):
        self.send(message, fd)
        return self.receive()

    def net(self, allowed=False):
        """Everything is allowed, or nothing."""
        return self.ask(*net_request(0 if allowed else DENY))

    def lsm(self):
        """Reading is refused of all that is called secret."""
        return self.ask(*lsm_request())

    def join(self, pid, kind=JOIN):
        fd = os.pidfd_open(pid)
        try:
            return self.ask(header(kind), fd)[0]
        finally:
            os.close(fd)


def tables(verdict):
    prefix = bytes(16)
    return prefix + b"\0\1" + prefix + b"\0\0" + bytes(PORTS) + bytes([verdict]) * (OPS * PROTOCOLS * 2)


def sealed(content, seals=ALL_SEALS):
    fd = os.memfd_create("tables", os.MFD_ALLOW_SEALING)
    os.write(fd, content)
    fcntl.fcntl(fd, F_ADD_SEALS, seals)
    return fd


def net_request(verdict):
    return header(NET, 32) + struct.pack("<IIII", 2, 1, 0, 1), sealed(tables(verdict))


def connect():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        s.connect(("127.0.0.1", 9))


def automaton(word=b"/secret"):
    """Of paths that end in @word: the class of each byte, the cells, and verdicts of which the second denies reading."""
    letters = sorted(set(word))
    classes = bytearray(256)
    for number, letter in enumerate(letters, 1):
        classes[letter] = number
    cells = []
    for state in range(len(word) + 1):
        for letter in [0, *letters]:
            text = word[:state] + bytes([letter])
            cells.append(max(n for n in range(len(word) + 1) if text.endswith(word[:n])))
        cells.append(int(state == len(word)))
    return len(letters) + 1, len(word) + 1, bytes(classes) + struct.pack(f"<{len(cells)}H", *cells) + struct.pack("<II", 0, DENY)


def lsm_request(change=None, **numbers):
    """@change: of the file's bytes, by place."""
    n_classes, n_states, content = automaton()
    wish = {"floor": 1, "decides": 0, "records": 0, "n_classes": n_classes, "n_states": n_states, "n_verdicts": 2, "is_audit": 0,
            "reserved": 0, **numbers}
    content = bytearray(content)
    for place, value in (change or {}).items():
        content[place] = value
    parts = (0, 2, 0, 1, 0, 1, 0, 1)
    return header(LSM, 80) + struct.pack("<8I", *wish.values()) + struct.pack("<8I", *parts), sealed(bytes(content))


def child(keeps_privileges=False, act=None):
    """A child that waits, and then acts, or connects; with @keeps_privileges it could become somebody else's."""
    ready, is_ready = os.pipe()
    wait, go = os.pipe()
    pid = os.fork()
    if pid == 0:
        LIBC.prctl(1, signal.SIGKILL, 0, 0, 0)
        if not keeps_privileges:
            LIBC.prctl(38, 1, 0, 0, 0)  # PR_SET_NO_NEW_PRIVS
        os.write(is_ready, b"x")
        os.close(go)
        if os.read(wait, 1):
            try:
                (act or connect)()
                os._exit(0)
            except OSError as e:
                os._exit(e.errno)
        os._exit(99)
    os.read(ready, 1)
    for fd in (ready, is_ready, wait):
        os.close(fd)
    return pid, go


def comes_of(pid, go):
    """What came of what it did: 0 or an errno."""
    os.write(go, b"x")
    os.close(go)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def many(count):
    """So many sessions at once, every second of which is refused everything."""
    sessions = []
    for i in range(count):
        client, process = Client(), child()
        assert client.hello == 0, client.hello
        error, fds = client.net(i % 2 == 0)
        assert error == 0 and len(fds) == 4, error
        assert client.join(process[0]) == 0
        sessions.append((client, process, fds))
    print("sessions", len(sessions), flush=True)
    assert sys.stdin.readline() == "go\n"
    results = [comes_of(*process) for _, process, _ in sessions]
    print("allowed", results[::2].count(0), "refused", results[1::2].count(13), flush=True)
    sys.stdin.readline()  # their ends are ours


def messages():
    """What a client may not say: the loader ends the connection, or says why not."""
    net, good = net_request(DENY)
    pipe = os.pipe()[0]
    cases = {
        "nothing": [(b"", None)],
        "half": [(header(START)[:7], None)],
        "long": [(header(START) + b"x", None)],
        "version": [(header(START, version=VERSION + 1), None)],
        "unknown": [(header(77), None)],
        "probe": [(header(PROBE), None)],
        "an answer": [(header(HELLO), None)],
        "seal first": [(header(SEAL), None)],
        "join first": [(header(JOIN), pipe)],
        "no descriptor": [(net, None)],
        "a descriptor too many": [(header(START), pipe)],
        "twice": [(net, good), (net, good)],
    }
    for name, packets in cases.items():
        client = Client()
        answers = [client.ask(*packet)[0] for packet in packets]
        print(name, answers[-1])
    big = header(NET, 32) + struct.pack("<IIII", 1024, 255, 0, 1)
    out = bytearray(tables(DENY))
    out[40] = 1  # a class of ports that there is none of
    files = {
        "a pipe": (net, pipe),
        "a file": (net, os.open(sys.argv[0], os.O_RDONLY)),
        "not sealed": (net, sealed(tables(DENY), 2)),
        "short": (net, sealed(tables(DENY)[:-1])),
        "long tables": (net, sealed(tables(DENY) + b"x")),
        "out of bounds": (net, sealed(bytes(out))),
        "too big": (big, sealed(bytes(4096))),
    }
    for name, packet in files.items():
        print(name, Client().ask(*packet)[0])
    lsm, good = lsm_request()
    for name, packet in {
        "files without a descriptor": (lsm, None),
        "files joined first": (header(LSM_JOIN), good),
    }.items():
        print(name, Client().ask(*packet)[0])
    n_cells = len(automaton()[2]) - 256 - 8
    files = {
        "files of a pipe": (lsm, pipe),
        "files not sealed": (lsm, sealed(automaton()[2], 2)),
        "files too short": (lsm, sealed(automaton()[2][:-1])),
        "a class too large": lsm_request({47: 255}),
        "a state too large": lsm_request({256: 255}),
        "a kind too large": lsm_request({256 + n_cells - 2: 2}),
        "no states": lsm_request(n_states=0),
        "more verdicts": lsm_request(n_verdicts=3),
        "too many cells": lsm_request(n_states=65535),
    }
    for name, packet in files.items():
        print(name, Client().ask(*packet)[0])


def read(name):
    with open(name, encoding="ascii") as file:
        file.read()


def files(count):
    """So many sessions at once, in a directory with a file that is called secret; and whom a client may not have bound."""
    sessions = []
    for _ in range(count):
        client, process = Client(), child(act=lambda: read("secret"))
        error, fds = client.lsm()
        assert error == 0 and len(fds) == 3, (error, fds)
        assert client.join(process[0], LSM_JOIN) == 0
        sessions.append((client, process))
    print("sessions", len(sessions))
    read("secret")
    print("free", comes_of(*child(act=lambda: read("secret"))))
    # Each within its own session only.
    pid, go = child(act=lambda: os.kill(sessions[0][1][0], 0))
    client = Client()
    assert client.ask(*lsm_request(floor=1 << 18))[0] == 0  # signals
    assert client.join(pid, LSM_JOIN) == 0
    print("signal to another session", comes_of(pid, go))
    print("refused", [comes_of(*process) for _, process in sessions].count(13))
    print("itself", client.join(os.getpid(), LSM_JOIN))
    print("its parent", client.join(os.getppid(), LSM_JOIN))
    print("one that could become root's", client.join(child(keeps_privileges=True)[0], LSM_JOIN))


def strangers(others):
    """Whom a client may not have moved. @others: processes of other users."""
    client = Client()
    assert client.net()[0] == 0
    print("another user's", client.join(others[0]))
    for name, pid in (("root's", others[1]), ("its own", os.getpid()), ("its parent", os.getppid())):
        client = Client()
        assert client.net()[0] == 0
        print(name, client.join(pid))
    client = Client()
    assert client.net()[0] == 0
    pid, go = child(keeps_privileges=True)
    print("one that could become root's", client.join(pid))
    client = Client()
    assert client.net()[0] == 0
    print("no process", client.ask(header(JOIN), os.open("/dev/null", os.O_RDONLY))[0])
    # The connection is another's now, the client is not.
    client = Client()
    assert client.net()[0] == 0
    reader, writer = os.pipe()
    helper = os.fork()
    if helper == 0:
        grandchild, _ = child()
        os.write(writer, str(client.join(grandchild)).encode())
        os._exit(0)
    os.waitpid(helper, 0)
    print("a child's child", os.read(reader, 16).decode())
    client = Client()
    assert client.net()[0] == 0
    pid, go = child()
    assert client.join(pid) == 0
    print("its child", comes_of(pid, go))


def crowd(count):
    """More connections than there may be, then many more."""
    held, refused = [], 0
    while not refused:
        client = Client()
        if client.hello == 0:
            held.append(client)
        else:
            refused = client.hello
    print("held", len(held), "then", refused, flush=True)
    for _ in range(count):
        assert Client().hello == refused
    print("refused", count, flush=True)
    sys.stdin.readline()
    held.clear()


def noise(count):
    """Packets of chance, of which some begin as requests do."""
    chance = random.Random(1)
    for _ in range(count):
        client = Client()
        if client.hello:
            continue
        for _ in range(chance.randrange(1, 4)):
            size = chance.choice((0, 1, 15, 16, 17, 32, 255, 256, 257, 4000))
            data = bytearray(chance.randbytes(size))
            if chance.random() < 0.7 and size >= 16:
                data[:16] = header(chance.choice((PROBE, SEAL, NET, JOIN)), size)
            fd = chance.choice((None, 0, 1))
            client.send(bytes(data), fd)
        client.s.close()
    print("sent", count)


def fake():
    """Somebody who says that he is the service."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as s:
        s.bind(PATH)
        os.chmod(PATH, 0o666)
        s.listen()
        print("listens", flush=True)
        sys.stdin.readline()


def dies():
    """A service that ends when the session's command has been started."""
    hello = header(HELLO, 220) + bytes(204)
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as s:
        s.bind(PATH)
        s.listen()
        print("listens", flush=True)
        for _ in range(2):
            client, _ = s.accept()
            client.send(hello)
            if client.recv(4096)[4:8] != struct.pack("<I", START):
                sys.exit("it wants something else")
            fds = []
            for size in (4 << 20, 1 << 16):  # more than the ring and its counters need
                fds.append(os.memfd_create("fake"))
                os.truncate(fds[-1], size)
            client.sendmsg([header(START + 1, 220) + bytes(204)],
                           [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))])
            print("asked to seal" if client.recv(4096)[4:8] == struct.pack("<I", SEAL) else "?", flush=True)
            client.close()


if __name__ == "__main__":
    what, *rest = sys.argv[1:]
    if what == "strangers":
        strangers([int(pid) for pid in rest])
    else:
        {"many": many, "messages": messages, "crowd": crowd, "noise": noise, "fake": fake, "dies": dies, "files": files}[what](*map(int, rest))
