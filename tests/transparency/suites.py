# SPDX-License-Identifier: Apache-2.0
"""
Other people's test suites, each as three steps: packages to install, prepare() once, run() which returns
{test: outcome}. run() is called natively and inside sessions, in the same directory, so an outcome that differs is
Holdfast's doing or the test's own mood; run.py tells the two apart by asking again.

What a suite writes goes below its work directory or a directory of its own in /tmp; no suite needs a network.
"""

import concurrent.futures
import os
import pathlib
import queue
import re
import shutil
import subprocess
import sys
import xml.etree.ElementTree

HERE = pathlib.Path(__file__).resolve().parent
JOBS = os.cpu_count() or 1


def sh(command, cwd, timeout=3600, env=None, check=False):
    """Runs a shell command; returns what it wrote on both streams."""
    done = subprocess.run(["bash", "-c", command], cwd=cwd, timeout=timeout, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env={**os.environ, **(env or {})}, check=False)
    text = done.stdout.decode(errors="replace")
    if check and done.returncode:
        raise RuntimeError(f"{command}: status {done.returncode}\n{text[-2000:]}")
    return text


def in_parallel(function, items):
    with concurrent.futures.ThreadPoolExecutor(JOBS) as pool:
        return list(pool.map(function, items))


def automake_results(top):
    """Outcomes from the .trs files that automake's test driver leaves."""
    results = {}
    for file in sorted(pathlib.Path(top).rglob("*.trs")):
        found = re.search(r"^:global-test-result: (\S+)", file.read_text(errors="replace"), re.M)
        results[str(file.relative_to(top))] = found[1] if found else "none"
    return results


class Suite:
    name = ""
    source = None     # Debian source package
    packages = []     # Debian packages that building and running need
    minutes = 1       # about how long one run takes
    users = ["user", "root"]  # as whom it makes sense

    def __init__(self, work):
        self.work = pathlib.Path(work)

    def prepare(self):
        """Builds what is to be tested; natively, once."""

    def run(self, only=None):
        raise NotImplementedError


class Git(Suite):
    """A fixed set of git's own test scripts (git.list)."""
    name, source, minutes = "git", "git", 4
    packages = ["zlib1g-dev", "perl"]

    def prepare(self):
        flags = "NO_CURL=1 NO_GETTEXT=1 NO_EXPAT=1 NO_TCLTK=1 NO_PYTHON=1 NO_OPENSSL=1"
        sh(f"make -j{JOBS} {flags}", self.work, check=True)

    def run(self, only=None):
        scripts = only or (HERE / "git.list").read_text().split()
        scripts = sorted({test.split(":")[0] for test in scripts})
        roots = self.work / "trash"
        shutil.rmtree(roots, ignore_errors=True)
        roots.mkdir()

        def one(script):
            try:
                text = sh(f"./{script} --root={roots}", self.work / "t", timeout=1800)
            except subprocess.TimeoutExpired:
                return {f"{script}:": "timeout"}
            # A number may come twice when a script prints TAP of its own; the last one counts, as for prove.
            return {f"{script}:{m[2]}": m[1] + (" # " + m[3].strip() if m[3] else "") for m in re.finditer(
                r"^(ok|not ok) (\d+).*?(?:# (TODO|SKIP|skip)\b.*)?$", text, re.M)} or {f"{script}:": text.splitlines()[-1:]}

        results = {}
        for part in in_parallel(one, scripts):
            results.update(part)
        shutil.rmtree(roots, ignore_errors=True)
        return results


class CPython(Suite):
    """regrtest of Debian's interpreter, the modules that speak to the kernel most."""
    name, minutes = "cpython", 4
    packages = ["python3.11", "libpython3.11-testsuite"]
    modules = """test_os test_subprocess test_socket test_posix test_tempfile test_asyncio test_shutil test_pathlib test_fcntl
        test_signal test_pty test_threading test_ssl test_glob test_fileio test_io test_mmap test_select test_selectors
        test_socketserver test_stat test_popen test_pipes test_fork1 test_wait3 test_wait4 test_poll test_epoll test_openpty
        test_resource test_zipfile test_tarfile test_file test_import test_httpservers test_ftplib test_smtplib test_poplib
        test_concurrent_futures test_multiprocessing_spawn test_multiprocessing_fork test_multiprocessing_forkserver
        test_venv test_cmd_line test_cmd_line_script test_runpy test_dbm_dumb test_posixpath test_fileinput test_largefile
        test_eintr test_faulthandler test_logging test_mailbox test_netrc test_pwd test_grp test_uuid test_shelve""".split()

    def run(self, only=None):
        modules = sorted({t.split(":")[0] for t in only}) if only else self.modules
        temp = self.work / "tmp"
        shutil.rmtree(temp, ignore_errors=True)
        temp.mkdir(parents=True)
        report = self.work / "junit.xml"
        report.unlink(missing_ok=True)
        # One CPU's worth less than there are: tests with timeouts must not starve each other.
        text = sh(f"/usr/bin/python3.11 -m test -j{JOBS} --timeout 300 --junit-xml {report} {' '.join(modules)}", temp,
                  env={"TMPDIR": str(temp), "HOME": str(temp)})
        results = {f"{m[1]}:": m[2] for m in re.finditer(r"^(test_\w+) (failed|skipped|crashed|timed out)", text, re.M)}
        if report.exists():
            for case in xml.etree.ElementTree.parse(report).iter("testcase"):
                outcome = next((tag for tag in ("error", "failure", "skipped") if case.find(tag) is not None), "ok")
                module = case.get("name").split(".")
                module = next((part for part in module if part.startswith("test_") and part in modules), module[0])
                results[f"{module}:{case.get('name')}"] = outcome
        shutil.rmtree(temp, ignore_errors=True)
        return results


class Coreutils(Suite):
    name, source, minutes = "coreutils", "coreutils", 2
    packages = ["gperf", "autotools-dev"]

    # The distribution's patches touch their sources; what was generated from them is good all the same.
    generators = " ".join(f"{tool}=:" for tool in ("ACLOCAL", "AUTOCONF", "AUTOHEADER", "AUTOMAKE", "MAKEINFO"))

    def prepare(self):
        sh("FORCE_UNSAFE_CONFIGURE=1 ./configure --disable-nls", self.work, check=True)
        sh(f"make -j{JOBS} {self.generators}", self.work, check=True)
        sh(f"make -j{JOBS} {self.generators} check TESTS=", self.work)

    def run(self, only=None):
        sh("find . -name '*.trs' -delete", self.work)
        for test in only or []:
            place = next(d for d in pathlib.Path(test).parents if (self.work / d / "Makefile").exists())
            log = os.path.relpath(test, place).replace(".trs", ".log")
            sh(f"rm -f {log}; make -k {self.generators} check-TESTS TEST_LOGS={log}", self.work / place, timeout=600)
        if not only:
            sh(f"make -k -j{JOBS} {self.generators} check", self.work, timeout=1800)
        return automake_results(self.work)


class Findutils(Coreutils):
    name, source, minutes = "findutils", "findutils", 2
    packages = ["dejagnu", "autotools-dev"]


class Busybox(Suite):
    name, source, minutes = "busybox", "busybox", 1
    packages = []

    def prepare(self):
        sh("make defconfig && sed -i 's/^CONFIG_TC=y/# CONFIG_TC is not set/' .config", self.work, check=True)
        sh(f"make -j{JOBS}", self.work, check=True)

    def run(self, only=None):
        text = sh("cd testsuite && rm -rf runtest-tempdir-links && ./runtest", self.work, timeout=900)
        return {m[2]: m[1] for m in re.finditer(r"^(PASS|FAIL|SKIPPED|UNTESTED): (.*)$", text, re.M)}


class StressNg(Suite):
    """A second of each stressor that keeps to files, sockets and processes of its own, with its own checks."""
    name, minutes = "stress-ng", 2
    packages = ["stress-ng"]
    stressors = """access aio chdir chmod chown copy-file dentry dir dirdeep dirmany dup epoll eventfd exec fallocate fcntl fiemap
        fifo filename flock fork fpunch fstat getdent hdd inode-flags inotify io iomix lease link locka lockf lockofd metamix
        mknod open pipe pipeherd poll rename seek sendfile sigfd sock sockfd sockmany sockpair splice statx symlink sync-file
        tee touch udp udp-flood utime vfork vmsplice wait xattr""".split()

    def run(self, only=None):
        temp = self.work / "tmp"
        shutil.rmtree(temp, ignore_errors=True)
        temp.mkdir(parents=True)
        results = {}
        for stressor in only or self.stressors:
            out = sh(f"stress-ng --{stressor} 1 -t 1 --verify --temp-path {temp}; echo status $?", temp, timeout=120)
            results[stressor] = "skipped" if "skipp" in out else out.rstrip().rsplit(" ", 1)[-1]
        shutil.rmtree(temp, ignore_errors=True)
        return results


class Node(Suite):
    """Node's own tests of what speaks to the kernel, with the machine's node."""
    name, source, minutes = "node", "nodejs", 5
    packages = []
    kinds = "fs|child-process|net|dgram|pipe|stdin|stdout|process|cluster|cwd|os|file|signal|tty|stream-pipeline|http-unix|dns-lookup"

    def scripts(self):
        for part in ("parallel", "sequential"):
            for file in sorted((self.work / "test" / part).iterdir()):
                if re.match(rf"test-({self.kinds})\b.*\.m?js$", file.name):
                    yield f"{part}/{file.name}"

    def run(self, only=None):
        temp = self.work / "tmp"
        shutil.rmtree(temp, ignore_errors=True)
        temp.mkdir()
        places = queue.SimpleQueue()
        for place in range(JOBS):
            places.put(place)

        def one(script):
            flags = re.search(r"^// Flags:(.*)", (self.work / "test" / script).read_text(), re.M)
            place = places.get()
            try:
                out = sh(f"node {flags[1] if flags else ''} test/{script} >/dev/null 2>&1; echo $?", self.work, timeout=120,
                         env={"TEST_THREAD_ID": str(place), "NODE_TEST_DIR": str(temp), "TMPDIR": str(temp)})
            except subprocess.TimeoutExpired:
                out = "timeout"
            places.put(place)
            return {script: out.split()[-1]}  # the shell may say something of a signal

        results = {}
        scripts = list(only or self.scripts())
        for part in in_parallel(one, [s for s in scripts if s.startswith("parallel/")]):
            results.update(part)
        for script in scripts:
            if not script.startswith("parallel/"):
                results.update(one(script))
        shutil.rmtree(temp, ignore_errors=True)
        return results


class Pjdfstest(Suite):
    """POSIX semantics of file system calls, as root. Not in Debian: used where PJDFSTEST names its built tree."""
    name, minutes, users = "pjdfstest", 8, ["root"]
    packages = []
    tree = os.environ.get("PJDFSTEST")

    def run(self, only=None):
        temp = self.work / "tmp"
        shutil.rmtree(temp, ignore_errors=True)
        temp.mkdir(parents=True)
        results = {}
        scripts = sorted(pathlib.Path(self.tree, "tests").rglob("*.t"))
        wanted = {test.split(":")[0] for test in only or []}
        scripts = [s for s in scripts if not wanted or f"{s.parent.name}/{s.name}" in wanted]

        def one(script):
            place = temp / (script.parent.name + script.stem)
            place.mkdir()
            text = sh(f"bash {script}", place, timeout=300)
            name = f"{script.parent.name}/{script.name}"
            return {f"{name}:{m[2]}": m[1] for m in re.finditer(r"^(ok|not ok) (\d+)", text, re.M)}

        for part in in_parallel(one, scripts):
            results.update(part)
        shutil.rmtree(temp, ignore_errors=True)
        return results


class Tools(Suite):
    """Debuggers and sandboxes as a user would start them."""
    name, minutes = "tools", 1
    packages = ["gdb", "strace", "bubblewrap", "gcc"]
    commands = {
        "strace -f": "strace -f -o trace sh -c 'true | cat' && grep -q 'exited with 0' trace && echo traced",
        "strace -c of a child": "strace -c -o counts ls / >/dev/null && grep -q total counts && echo counted",
        "gdb breakpoint": "printf 'int f(int a){return a+1;} int main(void){return f(1)-2;}' > t.c && gcc -g -O0 t.c -o t && "
                          "gdb -batch -ex 'break f' -ex run -ex 'print a' -ex continue ./t 2>&1 | grep -E '^\\$1|exited' | sed 's/process [0-9]*/process N/'",
        "gdb attach": "sleep 30 & gdb -batch -p $! -ex detach 2>&1 | grep -cE 'Inferior 1 .* detached'; kill $!",
        "unshare -Ur": "unshare -Ur id -u",
        "unshare -Urm bind": "mkdir -p a b && echo x > a/f && unshare -Urm sh -c 'mount --bind a b && cat b/f'",
        "unshare -Urp": "unshare -Urpf --mount-proc sh -c 'echo $$'",
        "unshare -Urn": "unshare -Urn sh -c 'ip link show lo 2>/dev/null | grep -c LOOPBACK'",
        "bwrap": "bwrap --ro-bind / / --dev /dev --proc /proc --tmpfs /tmp --unshare-all sh -c 'echo $$; ls /tmp | wc -l; id -u'",
        "bwrap read-only": "bwrap --ro-bind / / --bind $PWD $PWD --dev /dev --unshare-net sh -c 'touch here && echo w; touch /etc/x 2>/dev/null || echo ro'",
        "bwrap /proc/self": "bwrap --ro-bind / / --dev /dev --proc /proc --unshare-all bash -c "
                            "'cat <(echo sub); cat /proc/self/fd/0 <<< here; cat /proc/self/root/etc/hostname | wc -l; cat /proc/thread-self/comm'",
        "unshare /proc/self": "unshare -Urpf --mount-proc bash -c 'cat <(echo sub); cat /proc/self/fd/0 <<< here; head -c3 /proc/1/environ | wc -c'",
        "setsid script": "script -qec 'tty >/dev/null && echo tty' /dev/null",
        "nested filter": "python3 - <<'E'\nimport ctypes\nl=ctypes.CDLL(None)\nprint(l.prctl(38,1,0,0,0))\nE",
        "timeout": "timeout 0.2 sleep 5; echo $?",
        "flock": "flock lock sh -c 'echo locked'",
        "mkfifo": "mkfifo p && (echo through > p &) && cat p",
        "job control": "bash -mc 'sleep 0.1 & jobs %1 | grep -c Running; wait %1; echo $?' 2>/dev/null",
        "process substitution": "bash -c 'diff <(seq 3) <(seq 3) && echo same'",
        "here-document": "bash -c 'cat <<E\nhello\nE'",
        "coproc": "bash -c 'coproc cat; echo hi >&${COPROC[1]}; read x <&${COPROC[0]}; echo $x'",
    }

    def run(self, only=None):
        results = {}
        for name, command in self.commands.items():
            if only and name not in only:
                continue
            temp = self.work / "tmp"
            shutil.rmtree(temp, ignore_errors=True)
            temp.mkdir(parents=True)
            try:
                results[name] = sh(f"({command}\n) 2>&1; echo status $?", temp, timeout=60)
            except subprocess.TimeoutExpired:
                results[name] = "timeout"
        return results


class Sandboxes(Tools):
    """The sandboxes that agents bring along, from npm: Codex's and Claude Code's."""
    name, minutes = "sandboxes", 1
    packages = ["bubblewrap", "socat", "ripgrep"]
    connect = ("python3 -c 'import socket\n"
               "try: socket.create_connection((\"127.0.0.1\", 1))\n"
               "except OSError as e: print(e.errno)'")
    codex = "CODEX_HOME=$PWD ../node_modules/.bin/codex sandbox"
    write = "-c 'sandbox_mode=\"workspace-write\"'"
    srt = "HOME=$PWD ../node_modules/.bin/srt -c"
    commands = {
        "codex": f"{codex} -- sh -c 'id -u; echo hi'",
        "codex read-only": f"{codex} -- sh -c 'touch in && echo wrote; touch ../out || echo ro'",
        "codex workspace-write": f"mkdir w && cd w && {codex.replace('..', '../..', 1)} {write} -- sh -c 'echo a > in && cat in && rm in; touch ../../out || echo ro'",
        "codex network": f"{codex} {write} -- {connect}",
        "codex processes": f"{codex} -- bash -c 'cat <(echo sub); cat /proc/self/fd/0 <<< here; echo a | tr a b'",
        "codex git": f"mkdir w && cd w && {codex.replace('..', '../..', 1)} {write} -- sh -c 'git init -q x && cd x && git -c user.name=a "
                     "-c user.email=a@b commit -qm a --allow-empty && git log --format=%s'",
        "srt": f"{srt} 'id -u; echo hi'",
        "srt read-only": f"{srt} 'touch in && echo wrote; touch ../out || echo ro'",
        "srt network": f"{srt} \"{connect.replace(chr(34), chr(92) + chr(34))}\"",
        "srt processes": f"{srt} 'cat <(echo sub); cat /proc/self/fd/0 <<< here; echo a | tr a b'",
    }

    def prepare(self):
        # Without their scripts: nothing of a registry's runs on this machine outside of the test.
        sh("npm install --no-audit --no-fund --ignore-scripts --prefix . @openai/codex @anthropic-ai/sandbox-runtime", self.work,
           check=True)


SUITES = {suite.name: suite for suite in (Busybox, StressNg, Tools, Sandboxes, Findutils, CPython, Coreutils, Git, Node, Pjdfstest)}

if __name__ == "__main__":
    # suites.py NAME WORK OUT [TEST...]: what run.py starts, natively or in a session.
    import json
    import signal

    # Who is started in the background has it ignored, and so would every test.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    suite = SUITES[sys.argv[1]](sys.argv[2])
    out = suite.run(sys.argv[4:] or None)
    pathlib.Path(sys.argv[3]).write_text(json.dumps(out, indent=1, sort_keys=True))
