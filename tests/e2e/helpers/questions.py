# SPDX-License-Identifier: Apache-2.0
# What a program sees that talks to the DNS itself. Prints one line for each thing that is as it should be.
import socket
import struct
import sys

SERVER = ("203.0.113.53", 53)


def question(name, number=7, kind=1, tail=b""):
    wire = b"".join(bytes([len(label)]) + label.encode() for label in name.split(".")) + b"\0"
    return struct.pack(">6H", number, 0x100, 1, 0, 0, 0) + wire + struct.pack(">HH", kind, 1) + tail


def udp():
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.settimeout(5)
    return s


def rcode(answer):
    return answer[3] & 15


def sources():
    s = udp()
    s.sendto(question("good.example"), SERVER)
    answer, source = s.recvfrom(512)
    print("unconnected", source == SERVER, rcode(answer), answer[:2] == b"\0\7")
    s = udp()
    s.connect(("9.9.9.9", 53))
    s.send(question("GOOD.eXample"))
    answer, source = s.recvfrom(512)
    print("connected", source == s.getpeername() == ("9.9.9.9", 53), b"\4GOOD\7eXample" in answer)
    s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    s.settimeout(5)
    s.sendto(question("good.example"), ("::ffff:203.0.113.53", 53))
    print("mapped", s.recvfrom(512)[1][0] == "::ffff:203.0.113.53")
    s = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    s.settimeout(5)
    s.sendto(question("good.example"), ("2001:db8::53", 53))
    print("six", s.recvfrom(512)[1][:2] == ("2001:db8::53", 53))


def led():
    """Where questions are led to loopback: whoever does not look where the answer comes from."""
    asked = question("good.example")
    for name, family, address in (("connected", socket.AF_INET, SERVER), ("unconnected", socket.AF_INET, SERVER),
                                  ("mapped", socket.AF_INET6, ("::ffff:203.0.113.53", 53)),
                                  ("six", socket.AF_INET6, ("2001:db8::53", 53))):
        s = socket.socket(family, socket.SOCK_DGRAM)
        s.settimeout(5)
        if name == "unconnected":
            s.sendto(asked, address)
        else:
            s.connect(address)
            s.send(asked)
        print(name, s.recv(512)[:2] == b"\0\7")
    s = socket.create_connection(SERVER, 5)
    s.sendall(struct.pack(">H", len(asked)) + asked)
    print("stream", rcode(s.recv(512)[2:]))


def again():
    """A socket that asked, and is then used for something else."""
    s = udp()
    s.connect(SERVER)
    s.send(question("good.example"))
    s.recv(512)
    other = udp()
    other.bind(("127.0.0.1", 0))
    try:
        s.connect(("198.51.100.2", 5353))
        print("went to another address")
    except PermissionError:
        print("another address is refused")
    s.connect(other.getsockname())
    s.send(b"x")
    print("elsewhere", other.recv(10))
    s.sendto(question("good.example"), SERVER)
    print("and back", s.recvfrom(512)[1] == SERVER)


def stream():
    s = socket.create_connection(SERVER, 5)
    q = question("good.example")
    for piece in (struct.pack(">H", len(q))[:1], struct.pack(">H", len(q))[1:] + q[:5], q[5:]):
        s.sendall(piece)
    answer = s.recv(512)
    print("stream", rcode(answer[2:]), s.getpeername() == SERVER)


def ask(name, kind=1, port=53):
    s = udp()
    s.connect((SERVER[0], port))
    s.send(question(name, kind=kind))
    return s.recv(4096)


def result(answer):
    return f"{rcode(answer)} {struct.unpack('>H', answer[6:8])[0]}"


def tunnels():
    """What carries data, and what programs find their servers by: rcode and number of answers."""
    random = "qk7v2mz9xw4b8rj3nh6tp5ycd0flgs1aeu"
    print("A good", result(ask("good.example")))
    for name, kind in (("TXT", 16), ("NULL", 10), ("type 65280", 65280)):
        print(name, "good", result(ask("good.example", kind)))
    print("long label", result(ask("a" * 63 + ".good.example")))
    print("long name", result(ask("abc." * 30 + "good.example")))
    print("random label", result(ask(random + "xihob.good.example")))
    print("SRV", result(ask("_http._tcp.good.example", 33)))
    print("excepted", result(ask(random + ".odd.example", 16)))


def txt():
    print(result(ask("good.example", 16)))


def many():
    print(*(rcode(ask("good.example")) for _ in range(7)))


def canary():
    for name in ("use-application-dns.net", "mozilla.cloudflare-dns.com", "dns.google"):
        print(name, rcode(ask(name)))
    for address in (("8.8.8.8", 443), ("198.51.100.1", 853)):
        s = socket.socket()
        try:
            s.connect(address)
            print("%s:%s reached" % address)
        except PermissionError:
            print("%s:%s refused" % address)


def multicast():
    for host, port in (("224.0.0.251", 5353), ("224.0.0.252", 5355), ("ff02::fb", 5353), ("ff02::1:3", 5355)):
        s = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_DGRAM)
        try:
            s.sendto(question("printer.local"), (host, port))
            print(host, port, "sent")
        except PermissionError:
            print(host, port, "refused")


def stream_of(*chunks):
    s = socket.create_connection(SERVER, 10)
    s.settimeout(10)
    for chunk in chunks:
        s.sendall(chunk)
    return s.makefile("rb")


def read_framed(stream):
    return stream.read(int.from_bytes(stream.read(2), "big"))


def framed(message):
    return struct.pack(">H", len(message)) + message


def spelled():
    """Other ways to write a name that is denied."""
    for name in ("sEcReT.EvIl.eXaMpLe", "secret.EVIL.example"):
        print(name, rcode(ask(name)))
    for what, byte in (("dot", b"."), ("NUL", b"\0"), ("blank", b" ")):
        s = udp()
        s.sendto(question("secretXevil.example").replace(b"X", byte), SERVER)
        print(what, "in a label", rcode(s.recv(512)))
    denied = question("secret.evil.example")
    s = udp()
    s.sendto(denied[:4] + b"\0\2" + denied[6:] + denied[12:], SERVER)
    print("two questions", rcode(s.recv(512)))
    stream = stream_of(framed(denied) * 2)
    print("two in one segment", rcode(read_framed(stream)), rcode(read_framed(stream)))
    print("byte by byte", rcode(read_framed(stream_of(*(bytes([b]) for b in framed(denied))))))


def address_of(answer):
    return " " + ".".join(map(str, answer[-4:])) if rcode(answer) == 0 and answer[-6:-4] == b"\0\4" else ""


def lies():
    """What liar.py says: rcode, and the address if there is one."""
    for what in ("good", "guess", "question", "question2", "short", "head", "loop", "cnameloop", "count", "size",
                 "five", "rest", "many", "stranger"):
        s = udp()
        s.settimeout(20)
        s.sendto(question(what + ".good.example"), SERVER)
        a = s.recv(4096)
        print(what, str(rcode(a)) + ("" if what in ("cnameloop", "stranger") else address_of(a)))
    print("by TCP", rcode(read_framed(stream_of(framed(question("good.good.example"))))))
    a = ask("good.good.example")
    print("good", str(rcode(a)) + address_of(a))


def silent():
    waiting = [udp() for _ in range(40)]
    for s in waiting[:20]:
        s.sendto(question("silent.good.example"), SERVER)
    streams = [stream_of(framed(question("silent.good.example"))) for _ in range(20)]
    print("good while 40 wait:", rcode(ask("good.good.example")))
    waiting[0].settimeout(20)
    print("silent:", rcode(waiting[0].recv(512)))
    for stream in streams:
        stream.close()


def over_tcp(name):
    s = socket.create_connection(SERVER, 30)
    asked = question(name)
    s.sendall(struct.pack(">H", len(asked)) + asked)
    return s.recv(4096)[2:]


def held():
    answer = ask("good.example")
    print("UDP:", "truncated," if answer[2] & 2 else "whole,", struct.unpack(">H", answer[6:8])[0], "answers")
    print("TCP:", rcode(over_tcp("good.example")))
    print("UDP again:", rcode(ask("good.example")))


def bad():
    """What is no question gets an error or nothing, and the next one its answer."""
    messages = [b"", b"x", b"\0" * 12, question("good.example")[:-1], question("good.example", tail=b"x"),
                struct.pack(">6H", 1, 0x100, 1, 0, 0, 0) + b"\xc0\x0c\0\1\0\1",
                struct.pack(">6H", 1, 0x100, 65535, 65535, 65535, 65535) + b"\xff" * 400]
    for m in messages:
        s = udp()
        s.settimeout(0.2)
        s.sendto(m, SERVER)
        try:
            assert rcode(s.recv(512)) in (1, 4)
        except TimeoutError:
            pass
    s = udp()
    s.sendto(question("good.example"), SERVER)
    print("good", rcode(s.recv(512)))
    s.sendto(question("secret-data-0123456789.evil.example", kind=16), SERVER)
    print("tunnel", rcode(s.recv(512)))


def stranger():
    ask("stranger.good.example")


def good():
    print("good", rcode(ask("good.good.example")))


for what in sys.argv[1:]:
    globals()[what]()
