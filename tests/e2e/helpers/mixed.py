# SPDX-License-Identifier: Apache-2.0
"""
Messages for a socket that may be reached and for one that may not, in one call: layers.bats. Prints of each way what the call
came to, and what arrived at both; then what arrived where nothing may while another thread exchanged the names.

    mixed.py RACE-ROUNDS
"""
import ctypes
import errno
import socket
import struct
import sys
import threading

LIBC = ctypes.CDLL(None, use_errno=True)
UDP = socket.SOCK_DGRAM
ALLOWED, DENIED = range(20000, 21000), range(21000, 22000)  # as the policy has them


class Iovec(ctypes.Structure):
    _fields_ = [("base", ctypes.c_void_p), ("len", ctypes.c_size_t)]


class Message(ctypes.Structure):  # struct mmsghdr
    _fields_ = [("name", ctypes.c_void_p), ("namelen", ctypes.c_uint32), ("iov", ctypes.POINTER(Iovec)), ("iovlen", ctypes.c_size_t),
                ("control", ctypes.c_void_p), ("controllen", ctypes.c_size_t), ("flags", ctypes.c_uint64), ("sent", ctypes.c_uint64)]


def listen(ports):
    for port in ports:
        s = socket.socket(socket.AF_INET, UDP)
        try:
            s.bind(("127.0.0.1", port))
        except OSError as e:
            if e.errno != errno.EADDRINUSE:
                raise
            s.close()
            continue
        s.setblocking(False)
        return s, port
    sys.exit("no port is free")


def arrived(s):
    n = 0
    try:
        while True:
            s.recv(16)
            n += 1
    except BlockingIOError:
        return n


def name(port, is_v6):
    four = bytes([127, 0, 0, 1])
    if is_v6:
        return struct.pack("=H", socket.AF_INET6) + struct.pack("!HI", port, 0) + bytes(10) + b"\xff\xff" + four + bytes(4)
    return struct.pack("=H", socket.AF_INET) + struct.pack("!H", port) + four + bytes(8)


def vector(ports, is_v6=False):
    """@ports: None is no name. What it points to is kept in it."""
    messages = (Message * len(ports))()
    messages.kept = []
    for message, port in zip(messages, ports):
        data = ctypes.create_string_buffer(b"x", 1)
        iov = Iovec(ctypes.addressof(data), 1)
        message.iov, message.iovlen = ctypes.pointer(iov), 1
        messages.kept += [data, iov]
        if port:
            text = name(port, is_v6)
            where = ctypes.create_string_buffer(text, len(text))
            message.name, message.namelen = ctypes.addressof(where), len(text)
            messages.kept.append(where)
    return messages


def send(s, messages):
    n = LIBC.sendmmsg(s.fileno(), messages, len(messages), 0)
    return n if n >= 0 else errno.errorcode[ctypes.get_errno()]


def ways(allowed, denied, good, bad):
    """In each, a message that may not be sent stands first, between, or last."""
    for family, is_v6 in ((socket.AF_INET, False), (socket.AF_INET6, True)):
        for ports in ([good, bad, good], [bad, good], [good, good, bad], [None, bad], [bad, None], [good] * 3, [None, good, bad, None]):
            with socket.socket(family, UDP) as s:
                if None in ports:
                    s.connect(("::ffff:127.0.0.1" if is_v6 else "127.0.0.1", good))
                what = "sent", send(s, vector(ports, is_v6))
            print("v6" if is_v6 else "v4", ["-" if p is None else "good" if p == good else "bad" for p in ports], *what,
                  "arrived", arrived(allowed), arrived(denied))


def race(allowed, denied, good, bad, rounds):
    messages = vector([good, good, good])
    texts = [name(port, False)[2:4] for port in (good, bad)]
    done = threading.Event()

    def exchange():
        while not done.is_set():
            for text in texts:
                for message in messages:
                    ctypes.memmove(message.name + 2, text, 2)

    thread = threading.Thread(target=exchange)
    thread.start()
    came = set()
    with socket.socket(socket.AF_INET, UDP) as s:
        for _ in range(rounds):
            came.add(isinstance(send(s, messages), int))
            arrived(allowed)
    done.set()
    thread.join()
    print("race", "both" if len(came) == 2 else came, "arrived", arrived(denied))


def main():
    allowed, good = listen(ALLOWED)
    denied, bad = listen(DENIED)
    ways(allowed, denied, good, bad)
    race(allowed, denied, good, bad, int(sys.argv[1]))


main()
