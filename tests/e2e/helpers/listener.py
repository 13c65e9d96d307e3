# SPDX-License-Identifier: Apache-2.0
"""listener.py serve|call|race SOCKET...: who listens on unix sockets; @NAME is an abstract one.

serve   answers each client with what it said; prints that, and "nothing" for one that says nothing
call    says "hello" to each, and prints what comes back, or the name of the error
race    calls while another thread writes to the same socket all the time
"""

import errno
import os
import socket
import sys
import threading


def address(name):
    return "\0" + name[1:] if name[0] == "@" else name


def serve(name):
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(address(name))
    if name[0] != "@":
        os.chmod(name, 0o777)
    listener.listen()
    print("ready", flush=True)
    while True:
        client, _ = listener.accept()
        try:
            data = client.recv(100)
            client.sendall(data)
        except OSError:
            data = b""
        print(data.decode() or "nothing", flush=True)
        client.close()


def call(*names):
    for name in names:
        client = socket.socket(socket.AF_UNIX)
        client.settimeout(20)
        try:
            client.connect(address(name))
            client.sendall(b"hello")
            print(client.recv(100).decode())
        except OSError as e:
            print(errno.errorcode[e.errno])


def race(name, rounds):
    client = socket.socket(socket.AF_UNIX)
    is_over = threading.Event()

    def write():
        while not is_over.is_set():
            try:
                client.send(b"leak", socket.MSG_NOSIGNAL)
            except OSError:
                pass

    threading.Thread(target=write, daemon=True).start()
    for _ in range(int(rounds)):
        try:
            client.connect(address(name))
            print("connected")
        except OSError as e:
            if e.errno != errno.EACCES:
                print(errno.errorcode[e.errno])
    is_over.set()


{"serve": serve, "call": call, "race": race}[sys.argv[1]](*sys.argv[2:])
