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

VERSION = 3
PROBE, START, SEAL, NET, HELLO, JOIN = 1, 3, 5, 7, 9, 10
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

    def join(self, pid):
        fd = os.pidfd_open(pid)
        try:
            return self.ask(header(JOIN), fd)[0]
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


def child(keeps_privileges=False):
    """A child that waits; with @keeps_privileges it could become somebody else's."""
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
                with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
                    s.connect(("127.0.0.1", 9))
                os._exit(0)
            except OSError as e:
                os._exit(e.errno)
        os._exit(99)
    os.read(ready, 1)
    for fd in (ready, is_ready, wait):
        os.close(fd)
    return pid, go


def connects(pid, go):
    """What came of its connection: 0 or an errno."""
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
    results = [connects(*process) for _, process, _ in sessions]
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
    print("its child", connects(pid, go))


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


if __name__ == "__main__":
    what, *rest = sys.argv[1:]
    if what == "strangers":
        strangers([int(pid) for pid in rest])
    else:
        {"many": many, "messages": messages, "crowd": crowd, "noise": noise, "fake": fake}[what](*map(int, rest))
