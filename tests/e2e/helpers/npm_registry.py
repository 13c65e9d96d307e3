#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""An npm registry on loopback: npm_registry.py PACKAGES READY

PACKAGES is a directory that holds one directory for each package (package.json and its files). The
port stands in READY once it listens. It serves what `npm install` asks for: the document of a
package and its archive, with the digest that npm compares.
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


def serve(packages, ready):
    archives = {d.name: archive(d) for d in pathlib.Path(packages).iterdir()}

    class Registry(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            name = self.path.strip("/").removesuffix(".tgz")
            if name not in archives:
                self.send_error(404)
                return
            if self.path.endswith(".tgz"):
                body, kind = archives[name], "application/octet-stream"
            else:
                body, kind = json.dumps(self.document(name)).encode(), "application/json"
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        @staticmethod
        def document(name):
            manifest = json.loads((pathlib.Path(packages) / name / "package.json").read_text())
            digest = base64.b64encode(hashlib.sha512(archives[name]).digest()).decode()
            manifest["dist"] = {"tarball": f"http://127.0.0.1:{server.server_port}/{name}.tgz",
                                "integrity": f"sha512-{digest}"}
            return {"name": name, "dist-tags": {"latest": manifest["version"]},
                    "versions": {manifest["version"]: manifest}}

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Registry)
    with open(ready + ".new", "w") as out:
        out.write(str(server.server_port))
    os.rename(ready + ".new", ready)
    server.serve_forever()


serve(sys.argv[1], sys.argv[2])
