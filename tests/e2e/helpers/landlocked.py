#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
landlocked.py DIR: what tasks that put themselves under Landlock may do, one outcome a line. Each scene is a family of
processes; natively and in a session it must come to the same. DIR is made and filled by the scenes.
"""

import ctypes
import errno
import os
import signal
import socket
import struct
import subprocess
import sys
import threading

LIBC = ctypes.CDLL(None, use_errno=True)
CREATE, ADD, RESTRICT = 444, 445, 446
EXECUTE, WRITE, READ_FILE, READ_DIR = 1, 2, 4, 8
CHANGES = 0x1ff << 4
REFER, TRUNCATE = 1 << 13, 1 << 14
BIND, CONNECT = 1, 2
PATH_BENEATH, NET_PORT = 1, 2
TOP = os.path.realpath(sys.argv[1])


def call(*arguments):
    value = LIBC.syscall(*(ctypes.c_long(a) if isinstance(a, int) else a for a in arguments))
    if value < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return value


def ruleset(fs=0, net=0, paths=(), ports=(), scoped=0):
    attr = struct.pack("QQQ", fs, net, scoped) if scoped else struct.pack("QQ", fs, net)
    fd = call(CREATE, attr, len(attr), 0)
    for path, access in paths:
        where = os.open(path, os.O_PATH)
        call(ADD, fd, PATH_BENEATH, struct.pack("=Qi", access, where), 0)
        os.close(where)
    for port, access in ports:
        call(ADD, fd, NET_PORT, struct.pack("QQ", access, port), 0)
    return fd


def restrict(fd, flags=0):
    LIBC.prctl(38, 1, 0, 0, 0)
    call(RESTRICT, fd, flags)


ALL = EXECUTE | WRITE | READ_FILE | READ_DIR | CHANGES | REFER | TRUNCATE


def workspace(name="rw"):
    """As sandboxes of agents do: everything may be read, one directory written."""
    return ruleset(ALL, paths=[("/", EXECUTE | READ_FILE | READ_DIR), (f"{TOP}/{name}", ALL)])


def outcome(function, *arguments):
    try:
        value = function(*arguments)
        if isinstance(value, int) and function is os.open:
            os.close(value)
        return "ok"
    except OSError as e:
        return errno.errorcode[e.errno]


def say(*words):
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


def in_child(function, *arguments):
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            function(*arguments)
            status = 0
        except BaseException as e:  # noqa: the outcome is printed, whatever it is
            say("raised", repr(e))
        os._exit(status)
    _, status = os.waitpid(pid, 0)
    if status:
        say("status", status)


def tree():
    for d in ("rw", "rw2", "ro"):
        os.makedirs(f"{TOP}/{d}/sub", exist_ok=True)
        for f in ("a", "b", "c"):
            with open(f"{TOP}/{d}/{f}", "w") as out:
                out.write("text")


def deeds(label, d):
    """What changes come to below @d."""
    at = f"{TOP}/{d}"
    w = os.O_WRONLY
    for name, result in (
        ("read", outcome(os.open, f"{at}/a", os.O_RDONLY)),
        ("list", outcome(os.open, at, os.O_RDONLY | os.O_DIRECTORY)),
        ("write", outcome(os.open, f"{at}/a", w)),
        ("append", outcome(os.open, f"{at}/a", w | os.O_APPEND)),
        ("rdwr", outcome(os.open, f"{at}/a", os.O_RDWR)),
        ("trunc", outcome(os.open, f"{at}/a", w | os.O_TRUNC)),
        ("read+trunc", outcome(os.open, f"{at}/b", os.O_RDONLY | os.O_TRUNC)),
        ("truncate", outcome(os.truncate, f"{at}/b", 1)),
        ("create", outcome(os.open, f"{at}/new", w | os.O_CREAT | os.O_EXCL)),
        ("creat-existing", outcome(os.open, f"{at}/c", w | os.O_CREAT)),
        ("tmpfile", outcome(os.open, at, os.O_TMPFILE | os.O_RDWR)),
        ("mkdir", outcome(os.mkdir, f"{at}/dir")),
        ("mkfifo", outcome(os.mkfifo, f"{at}/fifo")),
        ("symlink", outcome(os.symlink, "x", f"{at}/link")),
        ("link", outcome(os.link, f"{at}/c", f"{at}/c2")),
        ("rename", outcome(os.rename, f"{at}/c", f"{at}/c3")),
        ("refer-out", outcome(os.rename, f"{at}/b", f"{TOP}/rw2/b-of-{label}-{d}")),
        ("refer-in", outcome(os.rename, f"{TOP}/rw2/c", f"{at}/c-of-rw2-{label}")),
        ("link-out", outcome(os.link, f"{at}/a", f"{TOP}/rw2/l-{label}-{d}")),
        ("unlink", outcome(os.unlink, f"{at}/a")),
        ("rmdir", outcome(os.rmdir, f"{at}/sub")),
        ("chmod", outcome(os.chmod, at, 0o755)),
        ("self-fd", outcome(os.open, f"/proc/self/fd/{os.open(at, os.O_PATH)}/new2", w | os.O_CREAT)),
    ):
        say(label, d, name, result)


def alone(function):
    """Each scene has a tree of its own state."""
    subprocess.run(["rm", "-rf", TOP], check=True)
    tree()
    function()


def scene_reaper():
    """Orphans go to a subreaper that is not bound itself. First: who could be of an earlier domain is bound by it."""
    def child():
        LIBC.prctl(36, 1, 0, 0, 0)
        r, w = os.pipe()

        def bound():
            restrict(workspace())
            middle = os.fork()
            if middle == 0:
                me = os.getpid()
                if os.fork() == 0:
                    while os.getppid() == me:
                        pass
                    say("reaped", outcome(os.open, f"{TOP}/ro/r", os.O_WRONLY | os.O_CREAT),
                        outcome(os.open, f"{TOP}/rw/r", os.O_WRONLY | os.O_CREAT))
                    os.write(w, b"x")
                os._exit(0)
            os.waitpid(middle, 0)
        in_child(bound)
        os.read(r, 1)
        os.wait()
        say("reaper", outcome(os.open, f"{TOP}/ro/r", os.O_WRONLY | os.O_CREAT))
    in_child(child)


def scene_workspace():
    def child():
        restrict(workspace())
        for d in ("rw", "ro"):
            deeds("workspace", d)
    in_child(child)
    deeds("outside", "ro")


def scene_nothing():
    def child():
        restrict(ruleset(ALL))
        say("nothing exec", outcome(os.execv, "/bin/true", ["true"]))
        deeds("nothing", "rw")
        say("nothing /dev/null", outcome(os.open, "/dev/null", os.O_WRONLY))
        say("nothing tty", outcome(os.open, "/dev/tty", os.O_RDWR))
    in_child(child)


def scene_read():
    def child():
        restrict(ruleset(READ_FILE | READ_DIR, paths=[(f"{TOP}/rw", READ_FILE)]))
        deeds("read", "rw")
        deeds("read", "ro")
        say("read passwd", outcome(os.open, "/etc/passwd", os.O_RDONLY))
        say("read proc", outcome(os.open, "/proc/self/status", os.O_RDONLY))
    in_child(child)


def scene_execute():
    def child():
        restrict(ruleset(EXECUTE, paths=[("/usr", EXECUTE), ("/lib", EXECUTE), ("/lib64", EXECUTE)]))
        with open(f"{TOP}/rw/script", "w") as f:
            f.write("#!/bin/sh\necho ran\n")
        os.chmod(f"{TOP}/rw/script", 0o755)
        say("execute script", outcome(lambda: subprocess.run([f"{TOP}/rw/script"], check=True)))
        say("execute true", outcome(lambda: subprocess.run(["/usr/bin/true"], check=True)))
    in_child(child)


def scene_layers():
    def child():
        restrict(workspace())
        deeds("layer1", "rw")
        tree()
        restrict(ruleset(WRITE, paths=[(f"{TOP}/rw2", WRITE)]))
        deeds("layer2", "rw")
        deeds("layer2", "rw2")
    in_child(child)


def scene_family():
    """Who inherits: those forked before do not, those forked later do, over exec, sessions and orphans."""
    script = f"echo x 2>/dev/null >{TOP}/ro/from-$0 && echo $0 wrote || echo $0 refused"
    go, done = os.pipe(), os.pipe()
    before = os.fork()
    if before == 0:
        os.read(go[0], 1)
        deeds("before", "ro")
        os.write(done[1], b"x")
        os._exit(0)

    def child():
        elder_go, elder_done = os.pipe(), os.pipe()
        elder = os.fork()
        if elder == 0:
            os.read(elder_go[0], 1)
            say("elder", outcome(os.open, f"{TOP}/ro/elder", os.O_WRONLY | os.O_CREAT))
            subprocess.run(["sh", "-c", script, "elder-child"], check=False)
            os.write(elder_done[1], b"x")
            os._exit(0)
        restrict(workspace())
        os.write(elder_go[1], b"x")
        os.read(elder_done[0], 1)
        os.waitpid(elder, 0)
        subprocess.run(["sh", "-c", script, "exec"], check=False)
        subprocess.run(["setsid", "-w", "sh", "-c", script, "session"], check=False)
        subprocess.run(["sh", "-c", 'sh -c "$1" "$2"; true', "x", script, "grandchild"], check=False)
        in_child(deeds, "fork", "ro")
        r, w = os.pipe()
        if os.fork() == 0:
            middle = os.getpid()
            os.setsid()
            if os.fork() == 0:
                while os.getppid() == middle:
                    pass
                say("orphan", outcome(os.open, f"{TOP}/ro/orphan", os.O_WRONLY | os.O_CREAT))
                say("orphan rw", outcome(os.open, f"{TOP}/rw/orphan", os.O_WRONLY | os.O_CREAT))
                os.write(w, b"x")
            os._exit(0)
        os.wait()
        os.read(r, 1)
    in_child(child)
    os.write(go[1], b"x")
    os.read(done[0], 1)
    os.waitpid(before, 0)
    subprocess.run(["sh", "-c", script, "sibling"], check=False)


def scene_threads():
    def child():
        def work(label):
            say(label, outcome(os.open, f"{TOP}/ro/{label}", os.O_WRONLY | os.O_CREAT))

        def restricted():
            restrict(fd)
            work("restricted")
            inner = threading.Thread(target=work, args=("of-restricted",))
            inner.start()
            inner.join()
            pid = os.fork()
            if pid == 0:
                work("forked-of-restricted")
                os._exit(0)
            os.waitpid(pid, 0)
        fd = workspace()
        thread = threading.Thread(target=restricted)
        thread.start()
        thread.join()
        work("main")
    in_child(child)

    def each():
        """As Go's runtime: every thread enters the same ruleset."""
        fd = workspace()
        barrier = threading.Barrier(4)

        def one():
            restrict(fd)
            barrier.wait()
            say("each", outcome(os.open, f"{TOP}/ro/each", os.O_WRONLY | os.O_CREAT),
                outcome(os.open, f"{TOP}/rw/each", os.O_WRONLY | os.O_CREAT))
        threads = [threading.Thread(target=one) for _ in range(3)]
        for t in threads:
            t.start()
        one()
        for t in threads:
            t.join()
        in_child(deeds, "each-child", "rw")
    in_child(each)


def scene_exec_of_thread():
    def child():
        def run():
            restrict(workspace())
            os.execv("/bin/sh", ["sh", "-c", f"echo x 2>/dev/null >{TOP}/ro/t && echo wrote || echo refused; echo x >{TOP}/rw/t && echo wrote"])
        thread = threading.Thread(target=run)
        thread.start()
        thread.join()
    in_child(child)


def scene_ruleset_extended_later():
    def child():
        fd = ruleset(ALL, paths=[("/", EXECUTE | READ_FILE | READ_DIR)])
        restrict(fd)
        where = os.open(f"{TOP}/rw", os.O_PATH)
        call(ADD, fd, PATH_BENEATH, struct.pack("=Qi", ALL, where), 0)
        deeds("extended", "rw")
    in_child(child)


def scene_errors():
    def child():
        fd = workspace()
        say("flags", outcome(restrict, fd, 1 << 20))
        say("not a ruleset", outcome(restrict, os.open("/dev/null", os.O_RDONLY)))
        say("closed", outcome(restrict, 900))
        say("negative", outcome(restrict, -1))
        say("then", outcome(os.open, f"{TOP}/ro/e", os.O_WRONLY | os.O_CREAT))
    in_child(child)


def scene_fifo():
    """A call that blocks in one task of a domain keeps no other from going on."""
    def child():
        os.mkfifo(f"{TOP}/rw/p")
        restrict(workspace())
        reader = os.fork()
        if reader == 0:
            with open(f"{TOP}/rw/p") as p:
                say("fifo", p.read())
            os._exit(0)
        for i in range(20):
            os.close(os.open(f"{TOP}/rw/n{i}", os.O_WRONLY | os.O_CREAT))
        with open(f"{TOP}/rw/p", "w") as p:
            p.write("through")
        os.waitpid(reader, 0)
        signal.signal(signal.SIGALRM, lambda *_: (_ for _ in ()).throw(TimeoutError()))
        signal.setitimer(signal.ITIMER_REAL, 0.2)
        try:
            os.open(f"{TOP}/rw/p", os.O_RDONLY)
            say("opened")
        except TimeoutError:
            say("interrupted")
    in_child(child)


def scene_network():
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    other = socket.socket()
    other.bind(("127.0.0.1", 0))
    other.listen()
    port, closed = listener.getsockname()[1], other.getsockname()[1]
    free = socket.socket()
    free.bind(("127.0.0.1", 0))
    mine = free.getsockname()[1]
    free.close()

    def connect(p):
        with socket.socket() as s:
            s.connect(("127.0.0.1", p))

    def bind(p):
        with socket.socket() as s:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            s.bind(("127.0.0.1", p))
            s.listen()

    def udp():
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as s:
            s.sendto(b"x", ("127.0.0.1", closed))

    def unix():
        with socket.socket(socket.AF_UNIX) as s:
            s.bind(f"{TOP}/rw/sock")

    def unix_ro():
        with socket.socket(socket.AF_UNIX) as s:
            s.bind(f"{TOP}/ro/sock")

    def child():
        restrict(ruleset(ALL, BIND | CONNECT, paths=[("/", EXECUTE | READ_FILE | READ_DIR), (f"{TOP}/rw", ALL)],
                         ports=[(port, CONNECT), (mine, BIND)]))
        for name, function in (("connect", lambda: connect(port)), ("connect-other", lambda: connect(closed)),
                               ("bind", lambda: bind(mine)), ("bind-0", lambda: bind(0)), ("udp", udp),
                               ("unix", unix), ("unix-ro", unix_ro)):
            say("network", name, outcome(function))
    in_child(child)
    say("network outside", outcome(lambda: connect(closed)))


def scene_many():
    """One sandbox after the other, as an agent that runs each command in one."""
    def child():
        restrict(workspace())
        subprocess.run(["sh", "-c", f"echo x 2>/dev/null >{TOP}/ro/m || echo x >{TOP}/rw/m"], check=False)
    for _ in range(40):
        in_child(child)
    say("many", outcome(os.open, f"{TOP}/ro/m", os.O_WRONLY), outcome(os.open, f"{TOP}/rw/m", os.O_WRONLY))


def scene_filter():
    """A seccomp filter of the agent's own that refuses with an errno comes before ours."""
    code = [(0x20, 0, 0, 0), (0x15, 0, 1, 83 if os.uname().machine == "x86_64" else 34),
            (0x06, 0, 0, 0x00050000 | errno.EXDEV), (0x06, 0, 0, 0x7fff0000)]

    def child():
        program = b"".join(struct.pack("HBBI", *c) for c in code)
        buf = ctypes.create_string_buffer(program)
        prog = struct.pack("HxxxxxxQ", len(code), ctypes.addressof(buf))
        LIBC.prctl(38, 1, 0, 0, 0)
        LIBC.prctl(22, 2, prog)
        LIBC.mkdir.argtypes = [ctypes.c_char_p, ctypes.c_uint]
        say("filter", outcome(os.mkdir, f"{TOP}/rw/filtered"), outcome(os.open, f"{TOP}/rw/f", os.O_WRONLY | os.O_CREAT))
    in_child(child)


def attack_sibling():
    """CLONE_PARENT: a child whose parent, as /proc tells it, is not bound."""
    def child():
        restrict(workspace())
        # Raw, so that nothing of the C library's comes between: 0 in the child.
        pid = LIBC.syscall(ctypes.c_long(56 if os.uname().machine == "x86_64" else 220),
                           ctypes.c_ulong(0x8000 | signal.SIGCHLD), None, None, None, None)
        if pid == 0:
            say("sibling", outcome(os.open, f"{TOP}/ro/s", os.O_WRONLY | os.O_CREAT))
            os._exit(0)
        say("clone", "ok" if pid > 0 else errno.errorcode[ctypes.get_errno()])
    in_child(child)
    try:
        os.wait()
    except ChildProcessError:
        pass
    # Of use to others as before.
    pid = LIBC.syscall(ctypes.c_long(56 if os.uname().machine == "x86_64" else 220),
                       ctypes.c_ulong(0x8000 | signal.SIGCHLD), None, None, None, None)
    if pid == 0:
        os._exit(0)
    say("unbound clone", "ok" if pid > 0 else errno.errorcode[ctypes.get_errno()])


def main():
    os.umask(0o027)
    for name in sys.argv[2:]:
        if "attack_" + name in globals():
            alone(globals()["attack_" + name])
            return
    for name in sys.argv[2:] or [n[6:] for n in globals() if n.startswith("scene_")]:
        say("---", name)
        alone(globals()["scene_" + name])


main()
