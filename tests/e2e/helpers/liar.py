# SPDX-License-Identifier: Apache-2.0
# liar.py ADDRESS LOG: a DNS server that answers wrongly, as the first label of the name says, and writes each
# question to LOG.
import socket
import struct
import sys
import threading

ADDRESS, LOG = sys.argv[1:]
A = bytes([198, 51, 100, 1])


def record(data, kind=1, owner=b"\xc0\x0c", ttl=60, size=None):
    return owner + struct.pack(">HHIH", kind, 1, ttl, len(data) if size is None else size) + data


def answer(message, records=(), number=None, flags=0x8180, question=None, count=None):
    body = message[12:] if question is None else question
    head = struct.pack(">6H", struct.unpack(">H", message[:2])[0] if number is None else number, flags, 1,
                       len(records) if count is None else count, 0, 0)
    return head + body + b"".join(records)


def wire(name):
    return b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0"


def replies(what, m):
    number = struct.unpack(">H", m[:2])[0]
    good = answer(m, [record(A)])
    return {
        "good": [good],
        "guess": [answer(m, [record(b"\6\6\6\6")], number=number ^ 1), good],
        "question": [answer(m, [record(b"\6\6\6\6")], question=wire("other.example") + b"\0\1\0\1"), good],
        "question2": [answer(m, [record(b"\6\6\6\6")], question=b"\xc0\x0c\0\1\0\1"), good],
        "short": [good[:-1]], "head": [m[:5]],
        "loop": [answer(m, [record(A, owner=b"\xc0" + bytes([len(m)]))])],
        "cnameloop": [answer(m, [record(b"\xc0\x0c", 5)])],
        "count": [answer(m, [record(A)], count=65535)],
        "size": [answer(m, [record(A, size=400)])],
        "five": [answer(m, [record(A + b"\0")])],
        "rest": [good + b"rest"],
        "many": [answer(m, [record(bytes([10, 1, i // 250, i % 250])) for i in range(70)])],
        "stranger": [answer(m, [record(b"\6\6\6\6", owner=wire("other.example")), record(A)])],
        "mapped": [answer(m, [record(socket.inet_pton(socket.AF_INET6, "::ffff:169.254.169.254"), 28)])],
        "nat": [answer(m, [record(socket.inet_pton(socket.AF_INET6, "64:ff9b::a9fe:a9fe"), 28)])],
        "private": [answer(m, [record(bytes([10, 0, 0, 1]))])],
        "silent": [],
    }.get(what, [answer(m, flags=0x8183)])


def serve():
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind((ADDRESS, 53))
    with open(LOG, "a") as log:
        while True:
            m, source = s.recvfrom(65535)
            label = m[13:13 + m[12]].decode("latin1").lower()
            print(label, ADDRESS, file=log, flush=True)
            for reply in replies(label, m):
                s.sendto(reply, source)


def serve_streams():
    s = socket.socket()
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind((ADDRESS, 53))
    s.listen()
    while True:
        c = s.accept()[0]
        c.recv(4096)
        c.sendall(b"\xff\xffgarbage")
        c.close()


threading.Thread(target=serve_streams, daemon=True).start()
serve()
