#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""docs/policy.md is what it says: its files are written, its commands run in a home of their own, and
what they print is compared with what the page shows.

A block of ```yaml whose first line is a comment with a file's name is that file; of ```console the
lines that begin with '$ ' are commands, and '...' stands for lines that are left out. With --update
the page is written anew with what the commands print."""

import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

import compat

PAGE = compat.ROOT / "docs/policy.md"
NOBODY = 65534
BLOCK = re.compile(r"^```(yaml|console)\n(.*?)^```$", re.M | re.S)
FILE = re.compile(r"# (\S+\.(?:yaml|json|jsonl|rules|toml))\n")
# What is another one each time.
CHANGING = ((re.compile(r"\b(held|approve|deny) [a-z0-9]{8}\b"), r"\1 k3f9qz2m"),
            (re.compile(r"\[([\w.-]+) \d+\]"), r"[\1 4711]"),
            (re.compile(r"^\d\d:\d\d:\d\d\.\d{3}", re.M), "14:03:27.518"),
            (re.compile(r"\b20\d{6}T\d{6}-[a-z0-9]{6}\b"), "20261121T140327-k3f9qz"),
            # As /proc/sys/kernel/core_pattern has it.
            (re.compile(r"^core-files .*(\n +cost: .*)?", re.M), "core-files   rlimit          the kernel would write them wherever a "
                                                  "process stands, and ask nobody"))


class Home:
    """A copy of what an installation has, and a home beside it; an ordinary user's, if we are root."""

    def __init__(self, directory):
        self.base = pathlib.Path(directory).resolve()
        self.base.chmod(0o755)
        self.local = self.base / "usr/local"
        self.project = self.base / "home/you/shop"
        (self.local / "bin").mkdir(parents=True)
        shutil.copy2(compat.BUILD / "holdfast", self.local / "bin/holdfast")
        shutil.copytree(compat.ROOT / "policies", self.local / "policies")
        for path in (self.project, self.base / "run", self.base / "tmp"):
            path.mkdir(parents=True, mode=0o700)
        self.is_root = os.geteuid() == 0
        if self.is_root:
            for path in (self.base, *self.base.rglob("*")):
                os.chown(path, NOBODY, NOBODY)
        home = str(self.base / "home/you")
        self.env = {"PATH": f"{self.local}/bin:/usr/bin:/bin", "HOME": home, "LC_ALL": "C.UTF-8",
                    "TMPDIR": str(self.base / "tmp"), "XDG_RUNTIME_DIR": str(self.base / "run"),
                    "TZ": "UTC", "GIT_CONFIG_NOSYSTEM": "1"}

    def shown(self, text):
        text = text.replace(f"{self.local}/policies", "/usr/local/share/holdfast/policies")
        text = text.replace(str(self.base), "")
        for pattern, instead in CHANGING:
            text = pattern.sub(instead, text)
        return text

    def write(self, name, text):
        path = self.project / name
        path.write_text(text)
        if self.is_root:
            os.chown(path, NOBODY, NOBODY)

    def run(self, command):
        user = {"user": NOBODY, "group": NOBODY, "extra_groups": []} if self.is_root else {}
        done = subprocess.run(["bash", "-c", command], cwd=self.project, env=self.env,
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, timeout=60, **user)
        return self.shown(done.stdout.decode(errors="backslashreplace"))


def commands(block):
    """Pairs of a command and what the page shows of its output."""
    for part in re.split(r"^\$ ", block, flags=re.M)[1:]:
        lines = part.split("\n")
        count = 1
        while lines[count - 1].endswith("\\"):
            count += 1
        yield "\n".join(lines[:count]), "\n".join(lines[count:])


def is_like(shown, printed):
    parts = re.split(r"^\.\.\.\n", shown, flags=re.M)
    pattern = r"(?:.*\n)*?".join(re.escape(p) for p in parts)
    return re.fullmatch(pattern, printed) is not None


def play(text, home):
    """Each command with what is shown and what was printed."""
    for found in BLOCK.finditer(text):
        language, block = found.groups()
        name = FILE.match(block)
        if language == "yaml" and name:
            home.write(name[1], block)
        for command, shown in commands(block) if language == "console" else ():
            yield command, shown, home.run(command)


def update(text, home):
    def again(found):
        language, block = found.groups()
        name = FILE.match(block)
        if language == "yaml" and name:
            home.write(name[1], block)
        if language == "yaml":
            return found[0]
        out = ""
        for command, shown in commands(block):
            printed = home.run(command)
            out += f"$ {command}\n" + (shown if is_like(shown, printed) else printed)
        return f"```console\n{out}```"

    return BLOCK.sub(again, text)


def main():
    text = PAGE.read_text()
    with tempfile.TemporaryDirectory(prefix="hf") as directory:
        home = Home(directory)
        if "--update" in sys.argv[1:]:
            PAGE.write_text(update(text, home))
            return
        tap = compat.Tap()
        for command, shown, printed in play(text, home):
            same = is_like(shown, printed)
            tap.fact(command.replace("#", "").split("\n")[0],
                     [] if same else [f"shown:\n{shown}", f"printed:\n{printed}"])
        tap.fact("the page has commands", [] if tap.count else ["none was found"])
        tap.end()


main()
