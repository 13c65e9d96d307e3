#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""webhook.py DIR SECRET [CERTIFICATE]: the user's server, on a port of loopback that DIR/port then has. Each
request is a JSON object on a line of DIR/requests, with whether its signature is right. DIR/replies has a
status for each POST to come ("hang": no reply at all), 204 when there is none. GET /answers: DIR/answers."""
import base64
import hashlib
import hmac
import http.server
import json
import os
import ssl
import sys
import threading
import time

DIRECTORY, SECRET = sys.argv[1], base64.b64decode(sys.argv[2].removeprefix("whsec_"))
LOCK = threading.Lock()


def next_reply():
    with LOCK:
        path = f"{DIRECTORY}/replies"
        lines = open(path, encoding="utf-8").read().split() if os.path.exists(path) else []
        if lines:
            with open(path, "w", encoding="utf-8") as out:
                out.write("\n".join(lines[1:]))
        return lines[0] if lines else "204"


class Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_):
        pass

    def note(self, body):
        headers = {k.lower(): v for k, v in self.headers.items()}
        signed = f"{headers.get('webhook-id')}.{headers.get('webhook-timestamp')}.".encode() + body
        mac = base64.b64encode(hmac.new(SECRET, signed, hashlib.sha256).digest()).decode()
        said = {"method": self.command, "path": self.path, "headers": headers, "time": time.time(),
                "valid": headers.get("webhook-signature") == "v1," + mac,
                "body": json.loads(body) if body else None}
        with LOCK, open(f"{DIRECTORY}/requests", "a", encoding="utf-8") as out:
            out.write(json.dumps(said) + "\n")

    def do_POST(self):  # pylint: disable=invalid-name
        body = self.rfile.read(int(self.headers["Content-Length"]))
        reply = next_reply()
        self.note(body)
        if reply == "hang":
            time.sleep(3600)
        self.send_response(int(reply))
        if reply == "302":
            self.send_header("Location", "/elsewhere")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_GET(self):  # pylint: disable=invalid-name
        self.note(b"")
        path = f"{DIRECTORY}/answers"
        text = open(path, "rb").read() if os.path.exists(path) else b""
        self.send_response(200 if text else 204)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True


def main():
    server = Server(("127.0.0.1", 0), Handler)
    if len(sys.argv) > 3:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(sys.argv[3])
        server.socket = context.wrap_socket(server.socket, server_side=True)
    with open(f"{DIRECTORY}/port.tmp", "w", encoding="utf-8") as out:
        out.write(str(server.server_address[1]))
    os.rename(f"{DIRECTORY}/port.tmp", f"{DIRECTORY}/port")
    server.serve_forever()


main()
