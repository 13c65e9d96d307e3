# SPDX-License-Identifier: Apache-2.0
"""Does one of everything that Holdfast decides on; what is refused is passed over. The current directory
is empty and ours."""
import ctypes
import os
import socket
import subprocess
import sys

libc = ctypes.CDLL(None, use_errno=True)
AT_FDCWD, RENAME_EXCHANGE = -100, 2


def attempt(f, *args, **kwargs):
    try:
        return f(*args, **kwargs)
    except OSError:
        return None


def write(name, text="x"):
    with open(name, "w", encoding="utf-8") as f:
        f.write(text)


def files():
    attempt(write, "new")                                             # create
    attempt(write, "new")                                             # write, truncate
    for flags in os.O_RDWR, os.O_RDWR | os.O_CREAT, os.O_WRONLY | os.O_APPEND, os.O_RDWR | os.O_TRUNC:
        for name in "new", "other-%d" % flags, "secret.key":
            fd = attempt(os.open, name, flags)
            if fd is not None:
                os.close(fd)
    attempt(os.open, "made-read-only", os.O_CREAT | os.O_RDONLY)
    attempt(os.open, ".", os.O_TMPFILE | os.O_RDWR)
    attempt(os.rename, "new", "renamed")
    attempt(os.link, "renamed", "linked")
    attempt(os.symlink, "to \x01 \"nowhere\"\\x41", "symlinked")
    libc.renameat2(AT_FDCWD, b"renamed", AT_FDCWD, b"linked", RENAME_EXCHANGE)
    attempt(os.mkdir, "dir")
    attempt(os.mkfifo, "fifo")
    attempt(os.chmod, "linked", 0o600)
    attempt(os.chown, "linked", os.getuid(), os.getgid())
    attempt(os.utime, "linked")
    attempt(os.setxattr, "linked", "user.x", b"1")
    attempt(os.truncate, "linked", 1)
    attempt(os.unlink, "linked")
    attempt(os.open, b"\xff\xfe caf\xc3\xa9", os.O_CREAT | os.O_WRONLY)


def programs():
    write("script", "#!/bin/sh -e\necho \"$@\" >/dev/null\n")
    write("nested", "#!%s/script\n" % os.getcwd())
    for name in "script", "nested":
        attempt(os.chmod, name, 0o755)
        attempt(subprocess.run, ["./" + name, "a b", "", "dangerous"], check=False)
    attempt(os.symlink, "/bin/true", "git")
    attempt(subprocess.run, ["./git", "push", "--force"], check=False)
    attempt(subprocess.run, ["sh", "-c", "true 'with \"quotes\" and \n lines'"], check=False)
    attempt(subprocess.run, ["true", "x" * 20000], check=False)
    attempt(subprocess.run, ["true"] + ["y"] * 1500, check=False)
    attempt(subprocess.run, ["true"], cwd="/usr", check=False)
    for loader in "/lib64/ld-linux-x86-64.so.2", "/lib/ld-linux-aarch64.so.1":
        attempt(subprocess.run, [loader, "--inhibit-cache", "/bin/true", "loaded"], check=False,
                stderr=subprocess.DEVNULL)
    fd = os.open("/bin", os.O_PATH)
    pid = os.fork()
    if pid == 0:
        vector = (ctypes.c_char_p * 3)(b"called", b"at", None)
        libc.execveat(fd, b"true", vector, (ctypes.c_char_p * 1)(None), 0)
        os._exit(0)
    os.waitpid(pid, 0)


def network():
    for kind in socket.SOCK_STREAM, socket.SOCK_DGRAM:
        for family, host in (socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1"), \
                (socket.AF_INET6, "::ffff:127.0.0.1"):
            for port in 1, 443:
                with socket.socket(family, kind) as s:
                    attempt(s.connect, (host, port))
            with socket.socket(family, kind) as s:
                attempt(s.sendto, b"x", (host, 9))
                attempt(s.sendto, b"x", socket.MSG_FASTOPEN, (host, 9))
            with socket.socket(family, kind) as s:
                attempt(s.bind, (host, 0))
                attempt(s.listen)
        with socket.socket(socket.AF_UNIX, kind) as s:
            attempt(s.bind, "sock-%d" % kind)
            attempt(s.listen)
        with socket.socket(socket.AF_UNIX, kind) as s:
            attempt(s.connect, "sock-%d" % kind)
        with socket.socket(socket.AF_UNIX, kind) as s:
            attempt(s.bind, b"\0abstract\0name-%d" % kind)
            attempt(s.connect, b"\0absent")
    several_datagrams()


def several_datagrams():
    class Iovec(ctypes.Structure):
        _fields_ = [("base", ctypes.c_void_p), ("len", ctypes.c_size_t)]

    class Message(ctypes.Structure):
        _fields_ = [("name", ctypes.c_void_p), ("namelen", ctypes.c_uint), ("iov", ctypes.c_void_p),
                    ("iovlen", ctypes.c_size_t), ("control", ctypes.c_void_p),
                    ("controllen", ctypes.c_size_t), ("flags", ctypes.c_size_t), ("sent", ctypes.c_size_t)]

    places = [ctypes.create_string_buffer(
        socket.AF_INET.to_bytes(2, sys.byteorder) + port.to_bytes(2, "big") +
        socket.inet_aton("127.0.0.1") + bytes(8), 16) for port in (9, 443)]
    messages = (Message * 2)(*[Message(ctypes.addressof(p), 16, None, 0, None, 0, 0, 0) for p in places])
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
        libc.sendmmsg(s.fileno(), messages, 2, 0)


def system():
    libc.ptrace(16, 1, None, None)                                    # PTRACE_ATTACH
    libc.process_vm_readv(1, None, 0, None, 0, 0)
    libc.mount(b"none", b"/proc/nonexistent", b"tmpfs", 0, None)
    libc.syscall(425, 1, None)                                        # io_uring_setup
    attempt(socket.socket, socket.AF_INET, socket.SOCK_RAW, 1)
    attempt(socket.socket, 40, socket.SOCK_STREAM)                    # vsock


files()
programs()
network()
system()
