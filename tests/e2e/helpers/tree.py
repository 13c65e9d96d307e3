#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""tree.py [--times] DIR [EXCLUDE...]: one line for each file below DIR: type, mode, links, name,
content. EXCLUDE are regular expressions of names (relative) that are left out."""
import hashlib
import os
import re
import stat
import sys


def content(path, st):
    if stat.S_ISREG(st.st_mode):
        with open(path, "rb") as f:
            return hashlib.sha256(f.read()).hexdigest()[:24]
    if stat.S_ISLNK(st.st_mode):
        return "-> " + os.readlink(path)
    return ""


def main():
    args = sys.argv[1:]
    times = args[0] == "--times"
    if times:
        args.pop(0)
    root, exclude = args[0], [re.compile(e) for e in args[1:]]
    lines, inodes = [], {}
    for where, dirs, files in os.walk(root):
        dirs.sort()
        for name in sorted(dirs + files):
            path = os.path.join(where, name)
            relative = os.path.relpath(path, root)
            if any(e.search(relative) for e in exclude):
                if name in dirs:
                    dirs.remove(name)
                continue
            st = os.lstat(path)
            first = inodes.setdefault(st.st_ino, relative)
            lines.append(" ".join(filter(None, [
                stat.filemode(st.st_mode),
                f"{st.st_uid}:{st.st_gid}",
                str(st.st_mtime_ns) if times else "",
                relative,
                "= " + first if first != relative else "",
                content(path, st),
            ])))
    print("\n".join(sorted(lines, key=lambda l: l.encode("utf-8", "surrogateescape").hex())))


sys.stdout.reconfigure(errors="surrogateescape")
main()
