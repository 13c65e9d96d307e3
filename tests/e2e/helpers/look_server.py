#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""look_server.py DIR: answers on ports 80 (HTTP), 443 (TLS), 444 (TLS that asks for another group
first) and 7 (echo) of every address. DIR/seen gets a line for each connection and for each request;
DIR/cert.pem is what the TLS is to be trusted by."""

import http.server
import os
import pathlib
import socket
import socketserver
import ssl
import subprocess
import sys
import threading

DIR = pathlib.Path(sys.argv[1])
LOCK = threading.Lock()


def seen(line):
    with LOCK, open(DIR / "seen", "a") as f:
        f.write(line + "\n")


class Handler(http.server.SimpleHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def setup(self):
        super().setup()
        name = getattr(self.connection, "sni", None)
        self.scheme = "http" if name is None else "https"
        seen(f"{self.scheme} connection {name or ''}".rstrip())

    def body_size(self):
        """Of what came. Return: None: it was cut."""
        if self.headers.get("Transfer-Encoding") != "chunked":
            size = int(self.headers.get("Content-Length", 0))
            return size if len(self.rfile.read(size)) == size else None
        sizes = []
        while not sizes or sizes[-1]:
            sizes.append(int(self.rfile.readline() or b"-1", 16))
            if sizes[-1] < 0 or len(self.rfile.read(sizes[-1] + 2)) < sizes[-1] + 2:
                return None
        return sum(sizes)

    def answer(self):
        size = self.body_size()
        if size is None:
            self.close_connection = True
            return
        text = f"{self.command} {self.headers['Host']}{self.path} {size}"
        seen(f"{self.scheme} {text}")
        # Below a directory that is there, what is not there is not found.
        file = DIR / "www" / self.path[1:].split("?")[0]
        if self.command == "GET" and (file.is_file() or (file.parent.is_dir() and file.parent != DIR / "www")):
            super().do_GET()
            return
        body = (text + "\n").encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("X-Address", self.connection.getsockname()[0].removeprefix("::ffff:"))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_POST = do_PUT = do_DELETE = do_HEAD = answer

    def log_message(self, *args):
        pass


class Server(socketserver.ThreadingMixIn, http.server.HTTPServer):
    daemon_threads = True
    request_queue_size = 1024
    address_family = socket.AF_INET6
    context = None

    def server_bind(self):
        self.socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        super().server_bind()

    def finish_request(self, request, address):
        if self.context:
            request = self.context.wrap_socket(request, server_side=True)
        super().finish_request(request, address)

    def handle_error(self, request, address):
        pass


class Echo(socketserver.BaseRequestHandler):
    def handle(self):
        seen("echo connection")
        while data := self.request.recv(65536):
            self.request.sendall(data)


def context_of(cert, key):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(cert, key)
    context.sni_callback = lambda sock, name, _: setattr(sock, "sni", name or "")
    return context


def main():
    cert, key = DIR / "cert.pem", DIR / "key.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=test",
                    "-addext", "subjectAltName=DNS:good.example,DNS:*.good.example,DNS:*.example,"
                    "DNS:*.other.example", "-keyout", key, "-out", cert],
                   check=True, capture_output=True)
    os.makedirs(DIR / "www", exist_ok=True)
    os.chdir(DIR / "www")
    for port in (80, 443, 444):
        server = Server(("", port), Handler)
        if port != 80:
            server.context = context_of(cert, key)
        if port == 444:
            server.context.set_ecdh_curve("secp384r1")
        threading.Thread(target=server.serve_forever, daemon=True).start()
    socketserver.ThreadingTCPServer.allow_reuse_address = True
    echo = socketserver.ThreadingTCPServer(("", 7), Echo)
    (DIR / "up").touch()
    echo.serve_forever()


main()
