#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""fuse.py DIR READY: serves at DIR, on raw /dev/fuse, an empty file system in which a look at a name that
begins with "hung" never gets an answer. Makes the file READY when it is mounted. Needs root, or a user and
mount namespace of its own.

linux/fuse.h, protocol 7.31: fuse_in_header is 40 bytes, fuse_out_header 16.
"""
import ctypes
import errno
import os
import struct
import sys

IN_HEADER = struct.Struct("=IIQQIIIHH")
OUT_HEADER = struct.Struct("=IiQ")
LOOKUP, FORGET, GETATTR, INIT, OPENDIR, READDIR, RELEASEDIR, INTERRUPT, BATCH_FORGET = 1, 2, 3, 26, 27, 28, 29, 36, 42
STATFS, ACCESS, GETXATTR = 17, 34, 22
DIRECTORY, FILE = 0o040755, 0o100644


def attributes(node):
    mode = DIRECTORY if node == 1 else FILE
    # ino, size, blocks, three times, their nanoseconds, mode, nlink, uid, gid, rdev, blksize, flags
    return struct.pack("=QQQQQQIIIIIIIIII", node, 0, 0, 1, 1, 1, 0, 0, 0, mode, 1, os.getuid(), os.getgid(), 0,
                       4096, 0)


def answer(opcode, node, body):
    """Returns (errno, bytes), or None: no answer."""
    if opcode == INIT:
        major, minor, readahead, flags = struct.unpack_from("=IIII", body)
        return 0, struct.pack("=IIIIHHIIHHIIHH", 7, min(minor, 31), readahead, 0, 12, 9, 4096, 1, 1, 0, 0, 0, 0,
                              0).ljust(64, b"\0")
    if opcode == LOOKUP:
        name = body.rstrip(b"\0").decode()
        if name.startswith("hung"):
            return None
        if name != "file":
            return errno.ENOENT, b""
        return 0, struct.pack("=QQQQII", 2, 0, 0, 0, 0, 0) + attributes(2)
    if opcode == GETATTR:
        return 0, struct.pack("=QII", 0, 0, 0) + attributes(node)
    if opcode == OPENDIR:
        return 0, struct.pack("=QII", 0, 0, 0)
    if opcode == STATFS:
        return 0, struct.pack("=QQQQQIIII24x", 0, 0, 0, 0, 0, 4096, 255, 4096, 0)
    if opcode in (READDIR, RELEASEDIR, ACCESS):
        return 0, b""
    if opcode in (FORGET, INTERRUPT, BATCH_FORGET):
        return None  # the first and the last want no answer; the hung ones stay so
    return errno.ENOSYS, b""


def main():
    where, ready = sys.argv[1:]
    device = os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC)
    libc = ctypes.CDLL(None, use_errno=True)
    options = f"fd={device},rootmode=40000,user_id={os.getuid()},group_id={os.getgid()},allow_other"
    if libc.mount(b"soak", where.encode(), b"fuse", 0, options.encode()) < 0:
        raise OSError(ctypes.get_errno(), "mount")
    with open(ready, "w", encoding="ascii"):
        pass
    while True:
        request = os.read(device, 1 << 17)
        _, opcode, unique, node, *_ = IN_HEADER.unpack_from(request)
        done = answer(opcode, node, request[IN_HEADER.size:])
        if done:
            error, body = done
            try:
                os.write(device, OUT_HEADER.pack(OUT_HEADER.size + len(body), -error, unique) + body)
            except FileNotFoundError:
                pass  # who asked has gone


main()
