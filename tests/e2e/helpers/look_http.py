# SPDX-License-Identifier: Apache-2.0
"""The cases of look_client.py in plain HTTP: requests to good.example that try to be taken for others."""

import socket

ADDRESS = socket.gethostbyname("good.example")


def connect(port):
    return socket.create_connection((ADDRESS, port), 60)


def http(data, answers=1, end=False):
    """First lines of the answers, and how it went on."""
    sock = connect(80)
    sock.sendall(data)
    if end:
        sock.shutdown(socket.SHUT_WR)
    got = b""
    try:
        while got.count(b"HTTP/1.1 ") < answers or not got.endswith(b"\n"):
            part = sock.recv(65536)
            if not part:
                return f"{got.count(b'HTTP/1.1 200')} closed"
            got += part
    except ConnectionResetError:
        return f"{got.count(b'HTTP/1.1 200')} reset"
    return f"{got.count(b'HTTP/1.1 200')}"


GET = b"GET /public/a HTTP/1.1\r\nHost: good.example\r\n\r\n"


def http_good():
    return http(GET + GET, 2)


def http_other_host():
    return http(GET.replace(b"good", b"evil"))


def http_two_hosts():
    return http(GET.replace(b"\r\n\r\n", b"\r\nHost: evil.example\r\n\r\n"))


def http_absolute():
    return http(GET.replace(b"/public", b"http://evil.example/public"))


def http_second_host():
    """The first request is good, the second on the same connection is not. Whether the answer to
    the first comes before the reset is a matter of time."""
    return http(GET + GET.replace(b"good", b"evil"), 2).split()[-1]


def http_folded():
    return http(GET.replace(b"Host: ", b"X: a\r\n Host: good.example\r\nHost: "))


def http_bare_lf():
    return http(GET.replace(b"\r\n", b"\n"))


SMUGGLED = b"GET /secret HTTP/1.1\r\nHost: evil.example\r\n\r\n"


def http_both_lengths():
    body = b"0\r\n\r\n" + SMUGGLED
    return http(b"POST /public/a HTTP/1.1\r\nHost: good.example\r\nTransfer-Encoding: chunked\r\n"
                b"Content-Length: %d\r\n\r\n" % len(body) + body)


def http_two_lengths():
    return http(b"POST /public/a HTTP/1.1\r\nHost: good.example\r\nContent-Length: 0\r\n"
                b"Content-Length: %d\r\n\r\n" % len(SMUGGLED) + SMUGGLED)


def http_chunk_extension():
    return http(b"POST /public/a HTTP/1.1\r\nHost: good.example\r\nTransfer-Encoding: chunked\r\n\r\n"
                b"0;x=\n\r\n\r\n" + SMUGGLED)


def http_body_is_no_request():
    return http(b"POST /public/a HTTP/1.1\r\nHost: good.example\r\nContent-Length: %d\r\n\r\n"
                % len(SMUGGLED) + SMUGGLED + GET, 2)


LARGE = b"GET /secret HTTP/1.1\r\n" + b"x" * 100000


def post(headers, body):
    return b"POST /public/a HTTP/1.1\r\nHost: good.example\r\n" + headers + b"\r\n\r\n" + body


def sized(body):
    return post(b"Content-Length: %d" % len(body), body)


def chunked(*bodies):
    return post(b"Transfer-Encoding: chunked",
                b"".join(b"%x\r\n%s\r\n" % (len(body), body) for body in bodies + (b"",)))


def http_large_bodies():
    """Of those nothing is read, and the requests behind them are."""
    return http(sized(LARGE) + chunked(LARGE, b"small", LARGE) + sized(LARGE) + GET, 4)


def http_other_after_body():
    return http(sized(LARGE) + GET.replace(b"good", b"evil"), 2).split()[-1]


def http_other_after_chunks():
    return http(chunked(LARGE) + GET.replace(b"good", b"evil"), 2).split()[-1]


def http_cut_body():
    return http(sized(LARGE)[:-1], 1, True).split()[-1]


def http_nul():
    return http(GET.replace(b"good.example", b"good.example\0.evil.example"))


def http_lone_cr():
    return http(GET.replace(b"Host", b"X: a\rHost: evil.example\r\nHost"))


def http_blank_before_colon():
    return http(GET.replace(b"Host:", b"Host : evil.example\r\nHost:"))


def http_signed_length():
    return http(post(b"Content-Length: +5", b"12345"))


def http_listed_lengths():
    return http(post(b"Content-Length: 5, 5", b"12345"))


def http_odd_coding():
    return http(post(b"Transfer-Encoding: xchunked", b"0\r\n\r\n" + SMUGGLED))


def http_two_codings():
    return http(post(b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity", b"0\r\n\r\n" + SMUGGLED))


def http_0_9():
    return http(b"GET /public/a\r\n")


def http_websocket():
    return http(GET.replace(b"\r\n\r\n", b"\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                            b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"))


def http_huge_head():
    return http(GET.replace(b"Host", b"X: " + b"x" * 20000 + b"\r\nHost"))


def http_many_headers():
    return http(GET.replace(b"Host", b"X: x\r\n" * 200 + b"Host"))


def http_no_host():
    return http(b"GET /public/a HTTP/1.1\r\n\r\n")


def http_upgrade():
    return http(GET.replace(b"\r\n\r\n", b"\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"))


def http_h2():
    return http(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(9))


def http_connect():
    return http(b"CONNECT evil.example:443 HTTP/1.1\r\nHost: good.example\r\n\r\n")


def http_half_closed():
    return http(GET, 1, True)


def http_escape():
    return http(GET.replace(b"/public/a", b"/public/%2e%2e/secret"))


def http_secret():
    return http(GET.replace(b"/public/a", b"/secret"))


def http_post():
    return http(b"POST /public/a HTTP/1.1\r\nHost: good.example\r\nContent-Length: 0\r\n\r\n")
