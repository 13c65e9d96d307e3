#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""coverage.py PROGRAM...: what of the catalogue of escapes is tested where, as a table.

tests/attack/catalogue names each vector (A1, ...), case (T002, ...) and bug that others paid for (P1, ...). The rows of
the PROGRAMs say which they cover; tests/attack/elsewhere says it for the rest: another test, or why there is none. Fails
when one has neither, when a name is in no catalogue, or when what `elsewhere` points at is no test.
"""

import pathlib
import re
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[1]


def lines(name):
    text = (HERE / name).read_text()
    return [line for line in text.splitlines() if line and not line.startswith("#")]


def is_there(file, test):
    """Whether FILE has a test of that name which is run, or (no test) says so."""
    path = ROOT / file
    if not path.is_file():
        return False
    text = path.read_text()
    if file.endswith(".bats"):
        title = re.compile(r'^@test "(.*)" \{$', re.M)
        return test in title.findall(text)
    if re.match(r"tests/unit/test_\w+\.c$", file):
        # Its definition, and where it is put into the table.
        return f"static void {test}(void **state)" in text and len(re.findall(rf"\b{test}\b", text)) > 1
    if file.startswith("docs/"):
        return test in text
    if file.endswith(".py") and re.match(r"(class|def) ", test):
        # Defined, and named somewhere else or found by what it derives from.
        return re.search(rf"^{re.escape(test)}\b", text, re.M) is not None
    if file.startswith("tests/guest/"):
        # A result that it prints, or the whole line that asks for it.
        return re.search(rf"^\s*(?:echo \"ok - |print\(.*\"- ){re.escape(test)}\"", text, re.M) is not None \
            or test in (line.strip() for line in text.splitlines())
    # A row of a table, or a stage: the line begins with it.
    return any(line.strip().startswith(test) for line in text.splitlines())


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
    lost = []
    for line in lines("elsewhere"):
        words, file, test = line.split("\t")
        if file != "none" and not is_there(file, test):
            lost.append(f"{file}: {test}")
        for word in words.split():
            elsewhere.setdefault(word, []).append(test if file == "none" else f"{file}: {test}")
    unknown = sorted((set(rows) | set(elsewhere)) - set(known))
    missing = [word for word in known if word not in rows and word not in elsewhere]
    print("| id | test |\n|---|---|")
    for word in known:
        print(f"| {word} | {'<br>'.join(dict.fromkeys(rows.get(word, []) + elsewhere.get(word, [])))} |")
    if unknown or missing or lost:
        sys.exit(f"coverage: in no catalogue: {', '.join(unknown) or 'none'}; without a test or a reason: "
                 f"{', '.join(missing) or 'none'}; pointers to nothing: {'; '.join(lost) or 'none'}")


main()
