#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""look_ends.py DIR: servers that end connections before, and after, it is usual: on port 8081 with a reset
once a request has come; on 8082 by an end of the answer before the body has come, whose length is then in
DIR/also.seen; on 8083 the answer comes once the agent has ended its own side."""

import os
import pathlib
import socket
import socketserver
import struct
import sys
import threading

DIR = pathlib.Path(sys.argv[1])


def head_of(sock):
    data = b""
    while b"\r\n\r\n" not in data:
        data += sock.recv(65536)
    return data.split(b"\r\n\r\n", 1)


class Reset(socketserver.BaseRequestHandler):
    def handle(self):
        head_of(self.request)
        self.request.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.request.close()


class Early(socketserver.BaseRequestHandler):
    def handle(self):
        size = len(head_of(self.request)[1])
        self.request.sendall(b"HTTP/1.1 200 OK\r\n\r\nanswer")
        self.request.shutdown(socket.SHUT_WR)
        while data := self.request.recv(65536):
            size += len(data)
        (DIR / "also.seen.new").write_text(f"{size}")
        os.rename(DIR / "also.seen.new", DIR / "also.seen")


class Late(socketserver.BaseRequestHandler):
    def handle(self):
        while self.request.recv(65536):
            pass
        self.request.sendall(bytes(300000))


class Server(socketserver.ThreadingTCPServer):
    def shutdown_request(self, request):
        """Neither closed twice nor shut down before its reset."""
        request.close()


for port, handler in (8081, Reset), (8082, Early), (8083, Late):
    server = Server(("", port), handler)
    threading.Thread(target=server.serve_forever).start()
(DIR / "also.up").touch()
