#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""look_client.py DIR CASE...: connections to good.example that try to be taken for something else.
Says of each what came of it: the name by which the server knew it, the answers' first lines, or how
the connection ended."""

import os
import pathlib
import select
import signal
import socket
import ssl
import struct
import sys
import time

# Where sessions run, a cache of it would be a change to be decided on.
sys.dont_write_bytecode = True
import look_http
from look_http import ADDRESS, GET, connect, http, sized

DIR = pathlib.Path(sys.argv[1])


def hello(name, alpn=None):
    context = ssl.create_default_context(cafile=DIR / "cert.pem")
    if alpn:
        context.set_alpn_protocols(alpn)
    out = ssl.MemoryBIO()
    tls = context.wrap_bio(ssl.MemoryBIO(), out, server_hostname=name)
    try:
        tls.do_handshake()
    except ssl.SSLWantReadError:
        pass
    return out.read()


def without_name(data, name):
    """The extension becomes one that nobody knows."""
    at = data.index(name.encode()) - 9
    assert data[at:at + 2] == b"\0\0"
    return data[:at] + b"\xaa\xaa" + data[at + 2:]


def extensions_of(message):
    """Where their length stands in a handshake message."""
    at = 4 + 2 + 32
    at += 1 + message[at]
    at += 2 + struct.unpack(">H", message[at:at + 2])[0]
    return at + 1 + message[at]


def with_extension(data, extension):
    message = data[5:]
    at = extensions_of(message)
    extensions = message[at + 2:] + extension
    message = message[:at] + struct.pack(">H", len(extensions)) + extensions
    message = message[:1] + struct.pack(">I", len(message) - 4)[1:] + message[4:]
    return b"\x16\3\1" + struct.pack(">H", len(message)) + message


def records(data, sizes):
    message, out = data[5:], b""
    for size in sizes + [len(message)]:
        part, message = message[:size], message[size:]
        if part:
            out += b"\x16\3\1" + struct.pack(">H", len(part)) + part
    return out


def outcome(sock):
    """How the server's side of the handshake began, or how it ended."""
    try:
        data = sock.recv(5)
    except ConnectionResetError:
        return "reset"
    return {b"": "closed", b"\x16": "hello", b"\x15": "alert"}.get(data[:1], repr(data))


def send_hello(data, port=443, pause=0):
    sock = connect(port)
    for i in range(0, len(data), 40) if pause else [0]:
        sock.sendall(data[i:i + 40] if pause else data)
        time.sleep(pause)
    return outcome(sock)


def tls_good():
    return send_hello(hello("good.example"))


def tls_other():
    return send_hello(hello("evil.example"))


def tls_unresolved():
    return send_hello(hello("new.good.example"))


def tls_no_name():
    return send_hello(without_name(hello("good.example"), "good.example"))


def tls_address():
    return send_hello(hello("good.example").replace(b"good.example", b"198.51.100.1"))


def tls_pieces():
    return send_hello(records(hello("good.example"), [20, 60, 30, 16]))


def tls_other_in_second_record():
    data = hello("evil.example")
    return send_hello(records(data, [data.index(b"evil") - 5 + 2]))


def tls_two_names():
    name = b"evil.example"
    entry = struct.pack(">BH", 0, len(name)) + name
    entry = struct.pack(">H", len(entry)) + entry
    return send_hello(with_extension(hello("good.example"),
                                     struct.pack(">HH", 0, len(entry)) + entry))


def tls_ech():
    return send_hello(with_extension(hello("good.example"), struct.pack(">HH", 0xfe0d, 4) + b"\0abc"))


def post_quantum(name):
    """As from a client that offers X25519MLKEM768 first: a share of 1,216 bytes."""
    message, group = hello(name)[5:], 0x11ec
    at = extensions_of(message) + 2
    out = b""
    while at < len(message):
        kind, size = struct.unpack(">HH", message[at:at + 4])
        data = message[at + 4:at + 4 + size]
        at += 4 + size
        if kind == 10:  # supported_groups
            data = struct.pack(">HH", len(data), group) + data[2:]
        elif kind == 51:  # key_share
            data = struct.pack(">HHH", len(data) - 2 + 4 + 1216, group, 1216) + bytes(1216) + data[2:]
        out += struct.pack(">HH", kind, len(data)) + data
    head = message[:extensions_of(message)]
    message = head + struct.pack(">H", len(out)) + out
    message = message[:1] + struct.pack(">I", len(message) - 4)[1:] + message[4:]
    return b"\x16\3\1" + struct.pack(">H", len(message)) + message


def grease(name):
    """Extensions that nobody knows, as browsers send them (RFC 8701): empty, and of one byte."""
    return with_extension(hello(name), struct.pack(">HHHHB", 0x0a0a, 0, 0x1a1a, 1, 0))


def tls_alpn():
    return send_hello(hello("good.example", ["h2", "http/1.1"]))


def tls_alpn_other():
    return send_hello(hello("evil.example", ["h2", "http/1.1"]))


def tls_grease():
    return send_hello(grease("good.example"))


def tls_grease_other():
    return send_hello(grease("evil.example"))


def tls_post_quantum():
    data = post_quantum("good.example")
    assert len(data) > 1400
    return send_hello(data)


def tls_post_quantum_other():
    return send_hello(post_quantum("evil.example"))


def tls_post_quantum_pieces():
    """In records of 100 bytes, and those in segments of 40."""
    data = post_quantum("good.example")
    return send_hello(records(data, [100] * (len(data) // 100)), pause=0.001)


def tls_post_quantum_other_pieces():
    data = post_quantum("evil.example")
    return send_hello(records(data, [100] * (len(data) // 100)), pause=0.001)


def tls_early_data():
    """What stands behind a ClientHello waits until the server has answered, and goes nowhere behind
    one that is denied."""
    return send_hello(hello("evil.example") + b"\x17\3\3\0\x20" + bytes(32))


def connect_six(name, port):
    return socket.create_connection((socket.getaddrinfo(name, port, socket.AF_INET6)[0][4][0], port), 10)


def six_tls():
    sock = connect_six("six.good.example", 443)
    sock.sendall(hello("six.good.example"))
    return outcome(sock)


def six_tls_other():
    sock = connect_six("six.good.example", 443)
    sock.sendall(hello("evil.example"))
    return outcome(sock)


def six_http():
    sock = connect_six("six.good.example", 80)
    sock.sendall(GET.replace(b"good.example", b"six.good.example"))
    return sock.recv(12).decode()


def six_http_other():
    sock = connect_six("six.good.example", 80)
    sock.sendall(GET.replace(b"good.example", b"evil.example"))
    return outcome(sock)


def six_ends():
    return f"{connect_six('six.good.example', 80).getpeername()[:2]}"


def six_mapped():
    """IPv4 from a socket of IPv6."""
    sock = socket.socket(socket.AF_INET6)
    sock.connect((f"::ffff:{ADDRESS}", 443))
    sock.sendall(hello("good.example"))
    return f"{sock.getpeername()[0]} {outcome(sock)}"


def six_mapped_other():
    sock = socket.socket(socket.AF_INET6)
    sock.connect((f"::ffff:{ADDRESS}", 443))
    sock.sendall(hello("evil.example"))
    return outcome(sock)


# The beginning of a QUIC Initial packet of version 1, padded as it has to be (RFC 9000 17.2.2).
QUIC = b"\xc3\0\0\0\1\x08" + bytes(8) + b"\0\0\x44\x96" + bytes(1180)


def quic(family=socket.AF_INET, address=None, port=443):
    sock = socket.socket(family, socket.SOCK_DGRAM)
    try:
        sock.sendto(QUIC, (address or ADDRESS, port))
    except OSError as e:
        return e.__class__.__name__
    return "sent"


def quic_other_port():
    return quic(port=4433)


def quic_six():
    return quic(socket.AF_INET6, socket.getaddrinfo("six.good.example", 443)[0][4][0])


def silent():
    """So many that say nothing hold nobody up."""
    socks = [connect(443) for _ in range(900)]
    end = tls_good()
    for sock in socks:
        sock.close()
    return end


def silent_past_limit():
    """More than the leader has descriptors for (the test sees to that): the others wait until some
    have gone."""
    ours, theirs = os.pipe()
    children = []
    for _ in range(2):
        if not (pid := os.fork()):
            socks = [connect(443) for _ in range(150)]
            os.write(theirs, b"x")
            signal.pause()
            os._exit(len(socks))
        children.append(pid)
    assert os.read(ours, 1) + os.read(ours, 1) == b"xx"
    last = connect(443)
    last.sendall(hello("good.example"))
    for pid in children:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    return outcome(last)


def server_resets():
    sock = connect(8081)
    sock.sendall(GET)
    return outcome(sock)


def server_half_closes():
    """The server has said all before it has heard all."""
    sock = connect(8082)
    sock.sendall(sized(bytes(300000))[:-200000])
    while sock.recv(65536):
        pass
    sock.sendall(bytes(200000))
    sock.shutdown(socket.SHUT_WR)
    while not (DIR / "also.seen").exists():
        time.sleep(0.05)
    return (DIR / "also.seen").read_text()


def agent_half_closes():
    """The answer comes when the agent has said all."""
    sock = connect(8083)
    sock.sendall(GET)
    sock.shutdown(socket.SHUT_WR)
    got = 0
    while data := sock.recv(65536):
        got += len(data)
    return f"{got}"


def tls_slow():
    return send_hello(hello("good.example"), pause=0.01)


def tls_garbage():
    return send_hello(b"\x16\3\1\0\x10" + b"\xff" * 16)


def noise():
    return send_hello(b"\x00\x01\x02garbage")


def ssh():
    return send_hello(b"SSH-2.0-x\r\n")


def tls_fast_open():
    """Data that goes with the connection itself."""
    sock = socket.socket()
    try:
        sock.sendto(hello("evil.example"), socket.MSG_FASTOPEN, (ADDRESS, 443))
    except OSError as e:
        return e.__class__.__name__
    return outcome(sock)


def tls_fast_open_good():
    sock = socket.socket()
    sock.sendto(hello("good.example"), socket.MSG_FASTOPEN, (ADDRESS, 443))
    return outcome(sock)


def tls_second_hello():
    """The server asks for another group, and the second ClientHello for another name."""
    sock = connect(444)
    sock.sendall(hello("good.example"))
    kind, size = struct.unpack(">BxxH", sock.recv(5, socket.MSG_WAITALL))
    answer = sock.recv(size, socket.MSG_WAITALL)
    assert kind == 22 and answer[6:10] == b"\xcf\x21\xad\x74", answer
    sock.sendall(b"\x14\3\3\0\1\1" + hello("evil.example"))
    while True:
        end = outcome(sock)
        if end != "b'\\x14\\x03\\x03\\x00\\x01'":
            return end
        sock.recv(1)


def tls_again():
    context = ssl.create_default_context(cafile=DIR / "cert.pem")
    with context.wrap_socket(connect(444), server_hostname="good.example") as tls:
        tls.sendall(b"GET /again HTTP/1.1\r\nHost: good.example\r\n\r\n")
        return tls.recv(100).split(b"\r\n")[0].decode()


def ends():
    """The agent sees its connection as if nobody stood in between."""
    sock = connect(80)
    return f"{sock.getpeername()} {sock.getsockname()[0]}"


def congestion():
    """Between it and the leader nothing is paced, whatever the machine has chosen for the world."""
    return connect(80).getsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, 16).rstrip(b"\0").decode()


def no_blocking():
    sock = socket.socket()
    sock.setblocking(False)
    error = sock.connect_ex((ADDRESS, 80))
    poll = select.poll()
    poll.register(sock, select.POLLOUT)
    ready = poll.poll(5000)
    sock.setblocking(True)
    sock.sendall(GET)
    return f"{error in (0, 115)} {bool(ready)} {sock.recv(12).decode()}"


def bound():
    """To a port alone, before."""
    sock = socket.socket()
    sock.bind(("", 0))
    sock.connect((ADDRESS, 80))
    sock.sendall(GET)
    return f"{sock.recv(65536).count(b'HTTP/1.1 200')}"


def six():
    """By IPv6."""
    sock = socket.create_connection((socket.getaddrinfo("six.good.example", 443)[0][4][0], 443), 10)
    sock.sendall(hello("six.good.example"))
    return outcome(sock)


def stranger():
    """Somebody else finds the port at which connections are read: who was not led there is reset."""
    sock = connect(80)
    try:
        return outcome(socket.create_connection(sock.getpeername(), 10))
    except ConnectionResetError:
        return "reset"


def port_again():
    """While one connection stands, another address is asked for from its port: what is allowed there
    is not to be had of the first."""
    first, second = socket.socket(), socket.socket()
    for sock in first, second:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    first.bind(("", 0))
    second.bind(("", first.getsockname()[1]))
    first.connect((socket.gethostbyname("first.good.example"), 443))
    time.sleep(0.2)  # in which the leader asks whose it is
    try:
        second.connect((ADDRESS, 443))
        return "connected"
    except OSError:
        pass
    context = ssl.create_default_context(cafile=DIR / "cert.pem")
    try:
        with context.wrap_socket(first, server_hostname="good.example") as tls:
            tls.sendall(GET)
            data = tls.recv(65536).decode()
    except ConnectionResetError:
        return "safe"
    return "safe" if f"X-Address: {ADDRESS}\r\n" in data else data


def killed():
    """Of a connection whose leader is killed, and of the next one."""
    sock = connect(80)
    sock.sendall(GET[:20])
    print("begun", flush=True)
    while not (DIR / "killed").exists():
        time.sleep(0.05)
    try:
        end = sock.recv(100) or "closed"
    except ConnectionResetError:
        end = "reset"
    sock = connect(80)
    sock.sendall(GET)
    return f"{end}, {sock.recv(12).decode()}"


def udp():
    sock = socket.socket(type=socket.SOCK_DGRAM)
    try:
        sock.connect((ADDRESS, 443))
    except OSError as e:
        return e.__class__.__name__
    return "connected"


def reset_by_agent():
    """A reset is no end: the server sees it as one as well."""
    sock = connect(80)
    sock.sendall(b"POST /public/a HTTP/1.1\r\nHost: good.example\r\nContent-Length: 5\r\n\r\n")
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()
    return "closed"


def many():
    """So many at once, each idle between two requests."""
    socks = [connect(80) for _ in range(300)]
    for sock in socks:
        sock.sendall(GET)
    ok = sum(sock.recv(65536).startswith(b"HTTP/1.1 200") for sock in socks)
    for sock in socks:
        sock.sendall(GET)
    return f"{ok} {sum(len(sock.recv(65536)) > 0 for sock in socks)}"


for case in sys.argv[2:]:
    print(case, (globals().get(case) or getattr(look_http, case))(), flush=True)
