#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""What would harm the machine, as root: refused under each policy that ships, with a record where Holdfast looks at
the call at all; and the same without Holdfast, to show that it works here. Only for the guest.

    machine.py                 the test, in TAP
    machine.py --try [native]  every attack, each in a child; a line with its name and OK or an errno
"""
import ctypes
import errno
import json
import mmap
import os
import socket
import struct
import subprocess
import sys

POLICIES = "coding-agent", "read-only", "no-network"
# It says nothing of files but of those by which the kernel is made to run programs outside of the session.
NO_MATTER = {"no-network": {"kcore", "disk_for_reading", "disk_for_writing", "disk_by_its_number", "memory_of_the_machine",
                            "ports_of_the_machine", "kernel_log", "kernel_log_for_reading", "tracing", "memory_of_init", "group_of_its_own",
                            "limit_of_a_group", "hotplug_of_groups"}}
REFUSALS = "EPERM", "EACCES", "ENOSYS"
TMP = "/tmp/machine"
GROUP = "/sys/fs/cgroup/decoy"
NEWNS = 0x20000
libc = ctypes.CDLL(None, use_errno=True)
ATTACKS = {}


def attack(told, native=True):
    """Names an attack. @told: what its record has; None: nobody looks at it, the kernel refuses it for want of a
    capability. @native: whether the guest lives on when it works."""
    def add(function):
        ATTACKS[function.__name__] = (function, told, native)
        return function
    return add


def call(number, *args):
    result = libc.syscall(number, *[ctypes.c_long(a) if isinstance(a, int) else a for a in args])
    if result < 0:
        raise OSError(ctypes.get_errno(), "")
    return result


def simple(name, told, number, *args, native=True):
    def function():
        call(number, *args)
    function.__name__ = name
    attack(told, native)(function)


def opens(name, path, flags, text=None, native=True):
    def function():
        fd = os.open(path, flags)
        if text is not None:
            os.write(fd, text)
    function.__name__ = name
    attack(path, native)(function)


def foreign(number, *args):
    """By int 0x80, which has numbers of its own. The arguments are 32 bits."""
    code = b"\x53\xb8" + struct.pack("<I", number)
    for load, value in zip((b"\xbb", b"\xb9", b"\xba", b"\xbe"), args):
        code += load + struct.pack("<I", value & 0xffffffff)
    code += b"\xcd\x80\x5b\xc3"
    memory = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    memory.write(code)
    result = ctypes.CFUNCTYPE(ctypes.c_int)(ctypes.addressof(ctypes.c_char.from_buffer(memory)))()
    if result < 0:
        raise OSError(-result, "")


# ---- the kernel itself

simple("reboot", "reboot", 169, 0xfee1dead, 672274793, 0x01234567, b"", native=False)
simple("power_off", "reboot", 169, 0xfee1dead, 672274793, 0x4321fedc, b"", native=False)
simple("reboot_by_keys", "reboot", 169, 0xfee1dead, 672274793, 0, b"")
simple("kexec_load", "kexec_load", 246, 0, 0, b"", 0)
simple("kexec_file_load", "kexec_file_load", 320, -1, -1, 0, b"", 1)
simple("iopl", "iopl", 172, 3)
simple("ioperm", "ioperm", 173, 0x70, 1, 1)
simple("modify_ldt", "modify_ldt", 154, 0, ctypes.create_string_buffer(64), 64)
simple("acct", "acct", 163, f"{TMP}/acct".encode())
simple("sethostname", "sethostname", 170, b"taken", 5)
simple("setdomainname", "setdomainname", 171, b"taken", 5)
simple("quotactl", "quotactl", 179, 0x800001 << 8, None, 0, None)
simple("vhangup", "vhangup", 153)
simple("fanotify", "fanotify_init", 300, 0, 0)
simple("syslog", "syslog", 103, 10, None, 0)
simple("bpf", "bpf", 321, 0, struct.pack("5I", 2, 4, 4, 1, 0) + bytes(100), 48)
simple("perf", "perf_event_open", 298, struct.pack("IIQ", 1, 112, 0) + bytes(96), 0, -1, -1, 0)
simple("userfaultfd", "userfaultfd", 323, 0)
simple("io_uring", "io_uring_setup", 425, 4, ctypes.create_string_buffer(120))
simple("add_key", "add_key", 248, b"user", b"name", b"x", 1, -3)
simple("keyctl", "keyctl", 250, 0, -3, 1)
simple("adjtimex", None, 159, struct.pack("I", 1) + bytes(300))
simple("clock_adjtime", None, 305, 0, struct.pack("I", 1) + bytes(300))


def set_time(number, *first):
    now = (ctypes.c_long * 2)()
    call(228, 0, now)
    call(number, *first, (ctypes.c_long * 2)(now[0], 0), *([None] if number == 164 else []))


@attack("settimeofday")
def settimeofday():
    set_time(164)


@attack("clock_settime")
def clock_settime():
    set_time(227, 0)


def module():
    with open("/modules/spare/dummy.ko", "rb") as f:
        return f.read()


@attack("init_module")
def init_module():
    image = module()
    call(175, image, len(image), b"")
    call(176, b"dummy", 0)


@attack("finit_module")
def finit_module():
    fd = os.open("/modules/spare/dummy.ko", os.O_RDONLY)
    call(313, fd, b"", 0)
    call(176, b"dummy", 0)


simple("delete_module", "delete_module", 176, b"overlay", 0)


@attack("swapon")
def swapon():
    call(167, b"/dev/ram1", 0)
    call(168, b"/dev/ram1")


simple("swapoff", "swapoff", 168, b"/dev/ram1", native=False)


@attack("i386 syscall")
def reboot_of_i386():
    foreign(88, 0xfee1dead, 672274793, 0)


@attack("i386 syscall")
def iopl_of_i386():
    foreign(110, 3)


simple("reboot_of_x32", "x32 syscall", 0x40000000 | 169, 0xfee1dead, 672274793, 0, b"", native=False)

# ---- mounts and namespaces. Natively each child has a mount namespace of its own.

simple("mount_over_root", "mount", 165, b"none", b"/", b"tmpfs", 0, None)
simple("remount", "mount", 165, b"none", b"/proc", None, 32, None)
simple("bind", "mount", 165, b"/etc", b"/mnt", None, 4096, None)
simple("umount", "umount2", 166, b"/sys/kernel/tracing", 2)
simple("chroot", "chroot", 161, b"/tmp")
simple("open_tree", "open_tree", 428, -100, b"/etc", 1)
simple("fsopen", "fsopen", 430, b"tmpfs", 0)
simple("fspick", "fspick", 433, -100, b"/tmp", 0)
simple("mount_setattr", "mount_setattr", 442, -100, b"/tmp", 0, struct.pack("4Q", 1, 0, 0, 0), 32)
simple("unshare_mounts", "unshare", 272, NEWNS)
simple("unshare_user", "unshare", 272, 0x10000000)
simple("unshare_network", "unshare", 272, 0x40000000)
simple("pivot_root", "pivot_root", 155, b"/tmp", b"/tmp", native=False)


@attack("move_mount", native=False)
def move_mount():
    call(429, os.open("/tmp", os.O_PATH), b"", -100, b"/mnt", 4)


def enters(name, flag):
    def function():
        call(308, call(434, 1, 0), flag)
    function.__name__ = name
    attack("setns")(function)


enters("namespace_of_mounts_of_init", NEWNS)
enters("namespace_of_network_of_init", 0x40000000)
enters("namespace_of_groups_of_init", 0x02000000)


@attack("setns", native=False)
def own_namespace():
    call(308, os.open("/proc/self/ns/net", os.O_RDONLY), 0)


# ---- other processes

simple("attach_to_init", "ptrace", 101, 16, 1, 0, 0, native=False)  # it would stay stopped
simple("seize_init", "ptrace", 101, 0x4206, 1, 0, 0)
simple("limit_init", "prlimit64", 302, 1, 7, struct.pack("QQ", 64, 4096), None)
simple("pin_init", "sched_setaffinity", 203, 1, 8, struct.pack("Q", 1))
simple("nice_init", "setpriority", 141, 0, 1, 1)


@attack("process_vm_readv")
def read_init():
    try:
        with open("/proc/1/maps", encoding="ascii") as f:
            start = int(f.readline().split("-")[0], 16)
    except PermissionError:
        start = 0x400000
    buf = ctypes.create_string_buffer(8)
    here, there = (ctypes.c_ulong * 2)(ctypes.addressof(buf), 8), (ctypes.c_ulong * 2)(start, 8)
    call(310, 1, here, 1, there, 1, 0)


@attack("process_vm_writev", native=False)
def write_init():
    call(311, 1, (ctypes.c_ulong * 2)(), 1, (ctypes.c_ulong * 2)(), 1, 0)


@attack("pidfd_getfd")
def take_descriptor_of_init():
    call(438, call(434, 1, 0), 0, 0)


@attack("open_by_handle_at")
def open_by_handle():
    handle = ctypes.create_string_buffer(struct.pack("Ii", 128, 0) + bytes(128))
    mount = ctypes.c_int()
    call(303, -100, b"/dev/shm", handle, ctypes.byref(mount), 0)
    call(304, os.open("/dev/shm", os.O_RDONLY), handle, 0)


@attack("/mem")
def memory_of_init():
    os.open("/proc/1/mem", os.O_RDWR)


# ---- files of the machine

opens("core_pattern", "/proc/sys/kernel/core_pattern", os.O_WRONLY, b"|/tmp/evil")
opens("modprobe", "/proc/sys/kernel/modprobe", os.O_WRONLY, b"/tmp/evil")
opens("hotplug_of_groups", f"{GROUP}/cgroup.max.depth", os.O_WRONLY, b"5")
opens("forwarding", "/proc/sys/net/ipv4/ip_forward", os.O_WRONLY, b"1")
opens("panic", "/proc/sys/kernel/panic", os.O_WRONLY, b"0")
opens("randomisation", "/proc/sys/kernel/randomize_va_space", os.O_WRONLY, b"2")
opens("yama", "/proc/sys/kernel/yama/ptrace_scope", os.O_WRONLY, b"0")
opens("sysctl_by_another_name", "/proc/self/root/proc/sys/kernel/panic", os.O_WRONLY, b"0")
opens("sysrq_help", "/proc/sysrq-trigger", os.O_WRONLY, b"h")
opens("sysrq_boot", "/proc/sysrq-trigger", os.O_WRONLY, b"b", native=False)
opens("kcore", "/proc/kcore", os.O_RDONLY)
opens("huge_pages", "/sys/kernel/mm/transparent_hugepage/enabled", os.O_WRONLY, b"never")
opens("tracing", "/sys/kernel/tracing/trace_marker", os.O_WRONLY, b"x")
opens("parameters_of_the_kernel", "/sys/module/kernel/parameters/panic_print", os.O_WRONLY, b"0")
opens("queue_of_a_disk", "/sys/block/ram0/queue/read_ahead_kb", os.O_WRONLY, b"128")
opens("disk_for_reading", "/dev/ram0", os.O_RDONLY)
opens("disk_by_its_number", "/dev/block/1:0", os.O_RDONLY)
opens("disk_for_writing", "/dev/ram0", os.O_WRONLY, b"x")
opens("memory_of_the_machine", "/dev/mem", os.O_RDONLY)
opens("ports_of_the_machine", "/dev/port", os.O_RDONLY)
opens("kernel_log", "/dev/kmsg", os.O_WRONLY, b"<7>x")
opens("kernel_log_for_reading", "/dev/kmsg", os.O_RDONLY)
opens("freeze_of_a_group", f"{GROUP}/cgroup.freeze", os.O_WRONLY, b"0")
opens("join_a_group", "/sys/fs/cgroup/cgroup.procs", os.O_WRONLY, b"0")
opens("limit_of_a_group", f"{GROUP}/cgroup.subtree_control", os.O_WRONLY, b"")
opens("kill_of_a_group", f"{GROUP}/cgroup.kill", os.O_WRONLY, b"1")


@attack(None)
def device_of_its_own():
    os.mknod(f"{TMP}/disk", 0o60600, os.makedev(1, 0))
    os.open(f"{TMP}/disk", os.O_RDONLY)


@attack("mkdir")
def group_of_its_own():
    os.mkdir(f"{GROUP}/inner")


# ---- the network

@attack(None)
def loopback_down():
    with socket.socket() as s:
        request = struct.pack("16sh22x", b"lo", 0x49)
        libc.ioctl.argtypes = ctypes.c_int, ctypes.c_ulong, ctypes.c_char_p
        if libc.ioctl(s.fileno(), 0x8914, request) < 0:
            raise OSError(ctypes.get_errno(), "")


@attack("socket")
def packets():
    socket.socket(17, socket.SOCK_RAW, 0)


# ---- the test

def try_all(is_native):
    for name, (function, _, is_harmless) in ATTACKS.items():
        if is_native and not is_harmless:
            continue
        sys.stdout.flush()
        pid = os.fork()
        if pid:
            os.waitpid(pid, 0)
            continue
        try:
            if is_native and (libc.unshare(NEWNS) or libc.mount(b"none", b"/", None, 0x44000, None)):
                raise OSError(ctypes.get_errno(), "no namespace")
            function()
            print(name, "OK")
        except OSError as e:
            print(name, errno.errorcode[e.errno])
        sys.stdout.flush()
        os._exit(0)


def results(command):
    done = subprocess.run([*command, sys.executable, __file__, "--try", *([] if command else ["native"])], cwd=TMP,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, check=False)
    return dict(line.split() for line in done.stdout.decode().splitlines()), done.stderr.decode()


def say(is_ok, what, why=""):
    print("ok" if is_ok else "not ok", "-", what)
    if not is_ok:
        print(*(f"# {line}" for line in why.splitlines()), sep="\n")


def prepare():
    os.makedirs("/dev/block", exist_ok=True)
    os.mknod("/dev/block/1:0", 0o60600, os.makedev(1, 0))
    os.makedirs(TMP, exist_ok=True)
    os.makedirs("/mnt", exist_ok=True)
    os.makedirs(GROUP, exist_ok=True)
    with open(f"{TMP}/acct", "wb"):
        pass
    # A swap area's header: include/linux/swap.h.
    with open("/dev/ram1", "r+b") as f:
        f.write(bytes(1024) + struct.pack("III", 1, 255, 0) + bytes(4096 - 1036 - 10) + b"SWAPSPACE2")
    decoy = subprocess.Popen(["sleep", "1000"])
    with open(f"{GROUP}/cgroup.procs", "w", encoding="ascii") as f:
        f.write(str(decoy.pid))
    return decoy


def denials(log):
    with open(log, encoding="ascii") as f:
        records = [json.loads(line) for line in f]
    keys = "object", "object2", "asked", "syscall", "op"
    return [" ".join(str(r.get(k)) for k in keys) for r in records if r["event"] == "action" and r["verdict"] == "deny"]


def test_policy(policy, decoy):
    log = f"/var/tmp/{policy}.jsonl"
    found, errors = results(["holdfast", "run", "-q", "--ask", "deny", "--policy", policy, "--log", log, "--"])
    told = denials(log)
    matter = {name: what for name, (_, what, _) in ATTACKS.items() if name not in NO_MATTER.get(policy, ())}
    through = [f"{name}: {found.get(name, 'no result')}" for name in matter if found.get(name) not in REFUSALS]
    silent = [name for name, what in matter.items() if what and not any(what in line for line in told)]
    say(not through and decoy.poll() is None, f"{policy}: {len(matter)} attacks on the machine are refused",
        "\n".join(through) + errors)
    say(not silent, f"{policy}: each that is looked at has its record", "\n".join(silent))


def main():
    if sys.argv[1:2] == ["--try"]:
        try_all(sys.argv[2:] == ["native"])
        return
    decoy = prepare()
    for policy in POLICIES:
        test_policy(policy, decoy)
    found, errors = results([])
    tried = [name for name, (_, _, is_harmless) in ATTACKS.items() if is_harmless]
    failed = [f"{name}: {found.get(name, 'no result')}" for name in tried if found.get(name) != "OK"]
    # What this kernel was built without proves nothing; most of it is there.
    print(f"# without Holdfast {len(tried) - len(failed)} of {len(tried)} work; not: {', '.join(failed) or 'none'}")
    say(len(failed) <= len(tried) // 10 and decoy.wait(5) == -9, "without Holdfast they work", errors)


main()
