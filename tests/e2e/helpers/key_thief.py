#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""key_thief.py LIST DIR: an agent that wants to sign a log of its own making. Looks for a private key in
files and in the memory of Holdfast's processes, and tries to write to the list of public keys in every way
that it knows; prints what it was able to do, "nothing else" at the end.
"""
import ctypes
import ctypes.util
import os
import pathlib
import sys

LIST, DIR = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
SIZE = LIST.stat().st_size
libc = ctypes.CDLL(None, use_errno=True)


def parent(pid):
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("PPid:"):
            return int(line.split()[1])
    return 0


def can(what, *call):
    """Tries it; whatever comes of it is told, unless it is refused."""
    try:
        result = call[0](*call[1:])
    except OSError:
        return None
    print("can", what, flush=True)
    return result


def read_memory(pid):
    with open(f"/proc/{pid}/maps", "rb") as maps:
        start = int(maps.readline().split(b"-")[0], 16)
    with open(f"/proc/{pid}/mem", "rb") as mem:
        mem.seek(start)
        mem.read(1)


def read_with_syscall(pid):
    class IoVec(ctypes.Structure):
        _fields_ = [("base", ctypes.c_void_p), ("len", ctypes.c_size_t)]
    buf = ctypes.create_string_buffer(8)
    local = IoVec(ctypes.addressof(buf), 8)
    # Where we ourselves are, a forked process is too.
    remote = IoVec(ctypes.addressof(buf), 8)
    if libc.process_vm_readv(pid, ctypes.byref(local), 1, ctypes.byref(remote), 1, 0) < 0 and ctypes.get_errno() != 14:
        raise OSError(ctypes.get_errno(), "process_vm_readv")


def attach(pid):
    PTRACE_SEIZE = 0x4206
    if libc.ptrace(PTRACE_SEIZE, pid, None, None) < 0:
        raise OSError(ctypes.get_errno(), "ptrace")


def write_through(fd):
    os.close(os.open(f"/proc/self/fd/{fd}", os.O_WRONLY | os.O_APPEND))


def steal():
    for path in LIST.parent.iterdir():
        if b"PRIVATE KEY" in path.read_bytes():
            print("can read", path)
    pid = os.getppid()
    for guard in (pid, parent(pid), parent(parent(pid))):
        can(f"read the memory of {guard}", read_memory, guard)
        can(f"read the memory of {guard} by a call", read_with_syscall, guard)
        can(f"trace {guard}", attach, guard)
        can(f"see where {guard} is", os.readlink, f"/proc/{guard}/cwd")
        can(f"read the environment of {guard}", lambda p: open(p, "rb").read(), f"/proc/{guard}/environ")
        for fd in range(20):
            can(f"open descriptor {fd} of {guard}", os.open, f"/proc/{guard}/fd/{fd}", os.O_RDONLY)


def forge():
    here, keys = str(LIST), LIST.parent
    for flags in (os.O_WRONLY, os.O_WRONLY | os.O_APPEND, os.O_RDWR, os.O_RDONLY | os.O_TRUNC, os.O_WRONLY | os.O_CREAT):
        can(f"open the list with {flags:#o}", os.open, here, flags)
    can("truncate it", os.truncate, here, 0)
    can("remove it", os.unlink, here)
    can("rename it", os.rename, here, DIR / "moved")
    can("rename its directory", os.rename, keys, DIR / "moved")
    can("rename the directory above", os.rename, keys.parent, DIR / "moved")
    can("change its mode", os.chmod, here, 0o666)
    can("change its times", os.utime, here, (0, 0))
    (DIR / "mine").write_text("mine")
    can("replace it", os.rename, DIR / "mine", here)
    if can("link it", os.link, here, DIR / "link") is not None:
        can("open the link", os.open, DIR / "link", os.O_WRONLY)
    os.symlink(here, DIR / "symlink")
    can("open it by a symlink", os.open, DIR / "symlink", os.O_WRONLY)
    can("open it by /proc/self/root", os.open, "/proc/self/root" + here, os.O_WRONLY)
    fd = os.open(here, os.O_RDONLY)
    print("the list can be read")
    can("open its descriptor anew", write_through, fd)
    can("truncate its descriptor", os.ftruncate, fd, 0)
    can("write to its descriptor", os.write, fd, b"x")
    can("change its descriptor's mode", os.fchmod, fd, 0o666)
    for name in ("log.key", "log.pub"):
        can(f"make {name}", os.open, keys / name, os.O_WRONLY | os.O_CREAT, 0o600)
    os.chdir(keys)
    can("open it in its directory", os.open, "log.keys", os.O_WRONLY)


steal()
forge()
if LIST.stat().st_size < SIZE:
    print("the list is shorter")
print("nothing else")
