#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""An npm registry: what `npm install` asks for, which is the document of a package and its archive, with the
digest that npm compares.

    npm_registry.py PACKAGES READY          serves it on loopback; READY has the port once it listens
    npm_registry.py PACKAGES DIRECTORY URL  writes it where something else will serve it, as URL

PACKAGES is a directory that holds one directory for each package (package.json and its files).
"""

import base64
import hashlib
import http.server
import io
import json
import os
import pathlib
import sys
import tarfile


def archive(directory):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz") as tar:
        for path in sorted(directory.iterdir()):
            tar.add(path, f"package/{path.name}")
    return out.getvalue()


def make(packages, url):
    """Its files: bytes by name."""
    files = {}
    for directory in pathlib.Path(packages).iterdir():
        name, body = directory.name, archive(directory)
        manifest = json.loads((directory / "package.json").read_text())
        digest = base64.b64encode(hashlib.sha512(body).digest()).decode()
        manifest["dist"] = {"tarball": f"{url}/{name}.tgz", "integrity": f"sha512-{digest}"}
        files[f"{name}.tgz"] = body
        files[name] = json.dumps({"name": name, "dist-tags": {"latest": manifest["version"]},
                                  "versions": {manifest["version"]: manifest}}).encode()
    return files


def write(packages, directory, url):
    for name, body in make(packages, url).items():
        (pathlib.Path(directory) / name).write_bytes(body)


def serve(packages, ready):
    class Registry(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            body = files.get(self.path.strip("/"))
            if body is None:
                self.send_error(404)
                return
            self.send_response(200)
            self.send_header("Content-Type", "application/octet-stream" if self.path.endswith(".tgz") else "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Registry)
    files = make(packages, f"http://127.0.0.1:{server.server_port}")
    with open(ready + ".new", "w") as out:
        out.write(str(server.server_port))
    os.rename(ready + ".new", ready)
    server.serve_forever()


(write if len(sys.argv) > 3 else serve)(*sys.argv[1:])
