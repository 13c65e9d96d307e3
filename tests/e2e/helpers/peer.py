# SPDX-License-Identifier: Apache-2.0
"""peer.py serve|call SOCKET: whom a unix socket's server takes its client for."""

import errno
import os
import socket
import struct
import sys


def ids(data):
    return "%d %d" % struct.unpack("3i", data)[1:]


def serve(path):
    listener = socket.socket(socket.AF_UNIX)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
    listener.bind(path)
    os.chmod(path, 0o777)
    listener.listen()
    client, _ = listener.accept()
    print("SO_PEERCRED", ids(client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)))
    client.settimeout(20)
    while True:
        data, control, _, _ = client.recvmsg(1, 100)
        if not data:
            break
        print(data, *("SCM_CREDENTIALS " + ids(c[2]) for c in control))
        client.send(b".")
    print("end", flush=True)


def call(path):
    client = socket.socket(socket.AF_UNIX)
    client.connect(path)
    root = struct.pack("3i", os.getpid(), 0, 0)
    own = struct.pack("3i", os.getpid(), os.geteuid(), os.getegid())
    try:
        client.sendmsg([b"r"], [(socket.SOL_SOCKET, socket.SCM_CREDENTIALS, root)])
    except OSError as e:
        print(errno.errorcode[e.errno])
    client.sendmsg([b"x"])
    client.recv(1)
    client.sendmsg([b"y"], [(socket.SOL_SOCKET, socket.SCM_CREDENTIALS, own)])
    client.recv(1)


{"serve": serve, "call": call}[sys.argv[1]](sys.argv[2])
