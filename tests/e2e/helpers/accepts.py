# SPDX-License-Identifier: Apache-2.0
"""accepts.py UNIX: accepts connections in each way that there is, and prints the ports of the first two."""

import socket
import sys
import threading


def call(address, family=socket.AF_INET):
    client = socket.socket(family)
    client.connect(address)
    return client


def fails(listener):
    try:
        listener.accept()
    except OSError:
        return
    raise AssertionError


def serve(listener, times):
    for _ in range(times):
        listener.accept()[0].close()


def serve_and_look(listener, times):
    serve(listener, times)
    listener.setblocking(False)
    fails(listener)


# A thread that waits, and asks again after the last; and one that ends with it.
several, one = socket.create_server(("127.0.0.1", 0)), socket.create_server(("127.0.0.1", 0))
for listener, target, n in ((several, serve_and_look, 3), (one, serve, 1)):
    thread = threading.Thread(target=target, args=(listener, n))
    thread.start()
    for _ in range(n):
        call(listener.getsockname()).recv(1)
    thread.join()

# One that asks too early, and again when somebody is there.
asks = socket.socket(socket.AF_UNIX)
asks.bind(sys.argv[1])
asks.listen()
asks.setblocking(False)
for _ in range(2):
    fails(asks)
    with call(sys.argv[1], socket.AF_UNIX):
        asks.accept()[0].close()

# One that is never called, and what is no listener.
idle = socket.create_server(("127.0.0.1", 0))
idle.setblocking(False)
for broken in (idle, socket.socket(), socket.socketpair()[0]):
    fails(broken)
print(several.getsockname()[1], one.getsockname()[1])
