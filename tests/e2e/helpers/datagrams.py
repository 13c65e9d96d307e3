#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""datagrams.py journald|syslog|stream SOCKET OUT: stands in for journald or syslogd ("stream": one that
listens for connections, in which each message ends with a NUL).

Writes what it gets to OUT, one JSON object for each message, until it is killed. Journald's protocol
is read as sd-journal's documentation says, a sealed memfd included. A message that is not well formed
gives an object with "error".
"""

import array
import fcntl
import json
import os
import re
import socket
import sys

SEALS = 0x1 | 0x2 | 0x4 | 0x8  # all of them
SYSLOG = re.compile(rb"<(\d{1,3})>1 (\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z) (\S{1,255}) (\S{1,48}) (\S{1,128}) "
                    rb"(\S{1,32}) \[(\S+)((?: \S+=\"(?:[^\"\\\]]|\\.)*\")*)\] ([ -~]*)\Z", re.S)
PARAM = re.compile(rb" ([!-<>-~]{1,32})=\"((?:[^\"\\\]]|\\.)*)\"", re.S)


def text(data):
    return data.decode("utf-8", "surrogateescape")


def journald(data):
    fields = {}
    while data:
        line, newline, rest = data.partition(b"\n")
        if b"=" in line:
            name, _, value = line.partition(b"=")
        else:
            name, size = line, int.from_bytes(rest[:8], "little")
            value, newline, rest = rest[8:8 + size], rest[8 + size:9 + size], rest[9 + size:]
            if len(value) != size:
                return {"error": "a value is cut off"}
        if newline != b"\n" or not re.fullmatch(rb"[A-Z][A-Z0-9_]{0,63}", name) or text(name) in fields:
            return {"error": repr(name)}
        fields[text(name)] = text(value)
        data = rest
    return fields


def unescape(value):
    return re.sub(r"\\([\"\\\]])", r"\1", value)


def syslog(data):
    found = SYSLOG.match(data)
    if not found:
        return {"error": repr(data)}
    pri, time, host, app, pid, msgid, sd_id, params, message = (text(g) for g in found.groups())
    return {"pri": int(pri), "time": time, "host": host, "app": app, "pid": pid, "msgid": msgid,
            "sd": sd_id, "message": message,
            "params": {text(k): unescape(text(v)) for k, v in PARAM.findall(found[8])}}


def of_memfd(fd):
    if fcntl.fcntl(fd, 1034) & SEALS != SEALS:  # F_GET_SEALS
        return None
    return os.pread(fd, os.fstat(fd).st_size, 0)


def stream(path, out):
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(path)
    listener.listen()
    with open(out, "w", encoding="utf-8") as file:
        while True:
            connection, data = listener.accept()[0], b""
            while part := connection.recv(1000):
                *messages, data = (data + part).split(b"\0")
                for message in messages:
                    file.write(json.dumps(syslog(message)) + "\n")
                file.flush()
            if data:
                file.write(json.dumps({"error": "cut off"}) + "\n")
                file.flush()


def main():
    kind, path, out = sys.argv[1:]
    if kind == "stream":
        stream(path, out)
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    sock.bind(path)
    with open(out, "w", encoding="utf-8") as file:
        while True:
            data, ancillary, _, _ = sock.recvmsg(1 << 20, 64)
            by_file = bool(ancillary)
            if by_file:
                fd = array.array("i", ancillary[0][2])[0]
                data = of_memfd(fd)
                os.close(fd)
            if data is None:
                message = {"error": "the file is not sealed"}
            else:
                message = {"journald": journald, "syslog": syslog}[kind](data)
            if by_file:
                message["by_file"] = True
            file.write(json.dumps(message) + "\n")
            file.flush()


main()
