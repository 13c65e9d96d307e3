#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""coverage.py PROGRAM...: what of the catalogue of escapes is tested where, as a table.

tests/attack/catalogue names each vector (A1, ...), case (T002, ...) and bug that others paid for (P1, ...). The rows of
the PROGRAMs say which they cover; tests/attack/elsewhere says it for the rest: another test, or why there is none. Fails
when one has neither, or when a name is in no catalogue.
"""

import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent


def lines(name):
    text = (HERE / name).read_text()
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def main():
    known = dict.fromkeys(word for line in lines("catalogue") for word in line.split())
    rows = {}
    for program in sys.argv[1:]:
        out = subprocess.run([program, "--list"], check=True, capture_output=True, text=True).stdout
        for line in out.splitlines():
            group, fact, covers = line.split("\t")
            for word in covers.split():
                rows.setdefault(word, []).append(f"{group}: {fact}")
    elsewhere = {}
    for line in lines("elsewhere"):
        word, reason = line.split("\t")
        elsewhere.setdefault(word, []).append(reason)
    unknown = sorted((set(rows) | set(elsewhere)) - set(known))
    missing = [word for word in known if word not in rows and word not in elsewhere]
    print("| id | test |\n|---|---|")
    for word in known:
        print(f"| {word} | {'<br>'.join(dict.fromkeys(rows.get(word, []) + elsewhere.get(word, [])))} |")
    if unknown or missing:
        sys.exit(f"coverage: in no catalogue: {', '.join(unknown) or 'none'}; without a test or a reason: "
                 f"{', '.join(missing) or 'none'}")


main()
