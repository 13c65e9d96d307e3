# SPDX-License-Identifier: Apache-2.0
"""What a session tries on a process: guard.py PID prints "NAME ERRNO" or "NAME OK" for each way.

PID "child" stands for one of its own. Nothing here harms the process if it gets through: signal 0, limits
and priorities that a sleeping process does not notice.
"""
import ctypes
import errno
import fcntl
import os
import resource
import signal
import socket
import sys

libc = ctypes.CDLL(None, use_errno=True)
SYS = {"tkill": 200, "tgkill": 234, "rt_sigqueueinfo": 129, "rt_tgsigqueueinfo": 297, "ioprio_set": 251,
       "migrate_pages": 256, "move_pages": 279, "sched_setattr": 314, "process_vm_readv": 310, "kcmp": 312}
HIGH = 1 << 32


def call(name, *args):
    if libc.syscall(SYS[name], *[ctypes.c_ulong(a & (1 << 64) - 1) if isinstance(a, int) else a for a in args]) < 0:
        raise OSError(ctypes.get_errno(), name)


def info(sig):
    """siginfo_t with si_code SI_QUEUE."""
    return ctypes.create_string_buffer(sig.to_bytes(4, "little") + bytes(4) + (-1 & 0xffffffff).to_bytes(4, "little"), 128)


def owner_ex(pid):
    fcntl.fcntl(os.pipe()[0], 15, (1).to_bytes(4, "little") + pid.to_bytes(4, "little"))


def attempts(pid):
    yield "kill", lambda: os.kill(pid, 0)
    yield "kill-high", lambda: call_kill(pid)
    yield "tkill", lambda: call("tkill", pid, 0)
    yield "tgkill", lambda: call("tgkill", pid, pid, 0)
    yield "sigqueue", lambda: call("rt_sigqueueinfo", pid, 0, info(0))
    yield "tgsigqueue", lambda: call("rt_tgsigqueueinfo", pid, pid, 0, info(0))
    yield "pidfd", lambda: signal.pidfd_send_signal(os.pidfd_open(pid), 0)
    yield "prlimit", lambda: resource.prlimit(pid, resource.RLIMIT_CORE, resource.prlimit(pid, resource.RLIMIT_CORE))
    yield "affinity", lambda: os.sched_setaffinity(pid, os.sched_getaffinity(pid))
    yield "scheduler", lambda: os.sched_setscheduler(pid, os.SCHED_OTHER, os.sched_param(0))
    yield "setparam", lambda: os.sched_setparam(pid, os.sched_param(0))
    yield "setattr", lambda: call("sched_setattr", pid, ctypes.create_string_buffer((48).to_bytes(4, "little"), 48), 0)
    yield "priority", lambda: os.setpriority(os.PRIO_PROCESS, pid, 1)
    yield "ioprio", lambda: call("ioprio_set", 1, pid, 2 << 13 | 4)
    yield "migrate", lambda: call("migrate_pages", pid, 0, 0, 0)
    yield "move", lambda: call("move_pages", pid, 0, 0, 0, 0, 0)
    yield "memory", lambda: call("process_vm_readv", pid, 0, 0, 0, 0, 0)


def call_kill(pid):
    if libc.syscall(62, ctypes.c_ulong(HIGH | pid), ctypes.c_ulong(0)) < 0:
        raise OSError(ctypes.get_errno(), "kill")


def main():
    child = 0
    if sys.argv[1] == "child":
        child = pid = os.fork()
        if pid == 0:
            signal.pause()
    elif sys.argv[1] == "supervisor":
        pid = os.getppid()
    else:
        pid = int(sys.argv[1])
    for name, attempt in attempts(pid):
        try:
            attempt()
            print(name, "OK")
        except OSError as e:
            print(name, errno.errorcode[e.errno])
    if child:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


main()
