# SPDX-License-Identifier: Apache-2.0
"""What the comparisons with Python share: TAP, and a helper program that answers requests."""

import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = ROOT / os.environ.get("BUILD", "build")
SHOWN = 20


def to_bytes(text):
    return text.encode("utf-8", "surrogatepass")


def dump(value, other=None):
    """A value as values.c dumps it; what is of none of JSON's types is left to @other."""
    if value is None:
        return b"n"
    if value is True or value is False:
        return b"b1" if value else b"b0"
    if isinstance(value, int):
        text = str(value).encode()
        return b"i%d:%s" % (len(text), text)
    if isinstance(value, float):
        return b"f" + repr(value).encode()
    if isinstance(value, str):
        text = to_bytes(value)
        return b"s%d:%s" % (len(text), text)
    if isinstance(value, list):
        return b"l%d[%s]" % (len(value), b"".join(dump(v, other) for v in value))
    if isinstance(value, dict):
        return b"m%d[%s]" % (len(value), b"".join(
            dump(k, other) + dump(v, other) for k, v in value.items()))
    return other(value)


class Tap:
    """One case for each fact(); the first differences are printed as comments."""

    def __init__(self):
        self.count = self.failed = 0

    def fact(self, name, differences, compared=None):
        self.count += 1
        self.failed += bool(differences)
        more = f" ({compared} compared)" if compared is not None else ""
        print(f"{'not ok' if differences else 'ok'} {self.count} - {name}{more}")
        for difference in differences[:SHOWN]:
            print("# " + str(difference).replace("\n", "\n# "))
        sys.stdout.flush()

    def end(self):
        print(f"1..{self.count}")
        sys.exit(1 if self.failed else 0)


class Driver:
    """build/tests/compat/values, asked in lock step."""

    def __init__(self, program="values"):
        path = BUILD / "tests/compat" / program
        self.process = subprocess.Popen([path], stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def ask(self, operation, text):
        data = text if isinstance(text, bytes) else to_bytes(text)
        self.process.stdin.write(f"{operation} {len(data)}\n".encode() + data)
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"the helper died of {operation} {data[:200]!r}")
        return self.process.stdout.read(int(line))

    def end(self):
        self.process.stdin.close()
        return self.process.wait()


class Batch:
    """A helper program that answers each request with one line, asked all at once."""

    def __init__(self, program):
        self.path = BUILD / "tests/compat" / program
        self.requests = []

    def ask(self, operation, text):
        data = text if isinstance(text, bytes) else to_bytes(text)
        self.requests.append(f"{operation} {len(data)}\n".encode() + data)

    def answers(self):
        out = subprocess.run([self.path], input=b"".join(self.requests), check=True,
                             stdout=subprocess.PIPE).stdout.decode(errors="replace")
        lines = out.split("\n")[:-1]
        if len(lines) != len(self.requests):
            raise RuntimeError(f"{len(self.requests)} requests, {len(lines)} answers")
        return lines


def seed():
    """Of this run: SEED, or a fixed one. Printed, so that a run can be repeated."""
    value = int(os.environ.get("SEED", "1"))
    print(f"# SEED={value}")
    return value
