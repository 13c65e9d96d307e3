# SPDX-License-Identifier: Apache-2.0
"""
Runs a command for which bpf(2) goes wrong, by a seccomp filter.

    bpf_trouble.py refuse COMMAND...        all of bpf(2) is EPERM, as in a container
    bpf_trouble.py full COMMAND...          so is no update of a map: E2BIG
    bpf_trouble.py spoil NAME COMMAND...    the program NAME begins with an instruction that the verifier refuses (root)
"""
import array
import ctypes
import errno
import fcntl
import os
import select
import socket
import struct
import sys

LIBC = ctypes.CDLL(None, use_errno=True)
NR_BPF, NR_SECCOMP = 321, 317  # x86-64, the one machine that the loader is built for
MAP_UPDATE_ELEM, PROG_LOAD = 2, 5
RET_ALLOW, RET_ERRNO, RET_USER_NOTIF = 0x7FFF0000, 0x00050000, 0x7FC00000
NEW_LISTENER = 8
NOTIF_RECV, NOTIF_SEND = 0xC0502100, 0xC0182101
NOTIF_SIZE, RESPONSE_CONTINUE = 80, 1
# r0 = *(u64 *)(r1 + 8192)
WRONG = struct.pack("<BBhi", 0x79, 0x10, 8192, 0)


def load(command, action, flags=0):
    """What bpf(2) with @command (None: any) comes to."""
    def statement(code, k, yes=0, no=0):
        return struct.pack("<HBBI", code, yes, no, k)
    rest = 3 if command is not None else 1
    program = [statement(0x20, 0), statement(0x15, NR_BPF, 0, rest)]
    if command is not None:
        program += [statement(0x20, 16), statement(0x15, command, 0, 1)]
    program += [statement(0x06, action), statement(0x06, RET_ALLOW)]
    code = ctypes.create_string_buffer(b"".join(program))
    fprog = ctypes.create_string_buffer(struct.pack("<HxxxxxxQ", len(program), ctypes.addressof(code)))
    if os.geteuid():
        LIBC.prctl(38, 1, 0, 0, 0)
    fd = LIBC.syscall(NR_SECCOMP, 1, flags, fprog)
    if fd < 0:
        sys.exit(f"seccomp: {os.strerror(ctypes.get_errno())}")
    return fd


def spoil(listener, name):
    """Answers until nobody is left who could ask."""
    poll = select.poll()
    poll.register(listener, select.POLLIN)
    while not poll.poll()[0][1] & select.POLLHUP:
        notification = bytearray(NOTIF_SIZE)
        try:
            fcntl.ioctl(listener, NOTIF_RECV, notification)
        except OSError as e:
            if e.errno == errno.ENOENT:  # it has died meanwhile
                continue
            raise
        number, pid = struct.unpack_from("<QI", notification)
        attributes = struct.unpack_from("<Q", notification, 16 + 16 + 8)[0]
        with open(f"/proc/{pid}/mem", "r+b", buffering=0) as memory:
            memory.seek(attributes)
            attr = memory.read(64)
            if attr[48:64].rstrip(b"\0") == name[:15]:
                memory.seek(struct.unpack_from("<Q", attr, 8)[0])
                memory.write(WRONG)
        fcntl.ioctl(listener, NOTIF_SEND, bytearray(struct.pack("<QqiI", number, 0, 0, RESPONSE_CONTINUE)))


def run_spoiled(name, command):
    """The one who answers has no filter itself, and none of the command's descriptors."""
    ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    if os.fork() == 0:
        null = os.open("/dev/null", os.O_RDWR)
        for fd in range(3):
            os.dup2(null, fd)
        ours.close()
        _, extra, _, _ = its.recvmsg(1, 64)
        spoil(array.array("i", extra[0][2])[0], name)
        os._exit(0)
    its.close()
    listener = load(PROG_LOAD, RET_USER_NOTIF, NEW_LISTENER)
    ours.sendmsg([b"x"], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, struct.pack("i", listener))])
    ours.close()
    os.close(listener)
    os.execv(command[0], command)


if __name__ == "__main__":
    what, *rest = sys.argv[1:]
    if what == "spoil":
        run_spoiled(rest[0].encode(), rest[1:])
    load(MAP_UPDATE_ELEM if what == "full" else None, RET_ERRNO | (errno.E2BIG if what == "full" else errno.EPERM))
    os.execv(rest[0], rest)
