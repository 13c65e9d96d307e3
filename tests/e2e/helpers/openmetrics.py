#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""openmetrics.py < TEXT: reads OpenMetrics text by its grammar (openmetrics.io, version 1.0).

Prints an object of samples, {"name{label=\\"value\\",...}": number}, or fails and says which line is
wrong. Checks what the grammar leaves to words, too: families in one piece, with their metadata in
front, suffixes by type, buckets that only grow, a _count that is the last bucket, units in names.
"""

import json
import math
import re
import sys

NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
LABEL = r'[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*"'
NUMBER = r"[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?|[+-]?Inf|NaN"
SAMPLE = re.compile(rf"({NAME})(?:\{{((?:{LABEL}(?:,{LABEL})*)?)\}})? ({NUMBER})\Z")
META = re.compile(rf"# (TYPE|UNIT|HELP) ({NAME}) (.*)\Z")
SUFFIXES = {"counter": {"_total", "_created"}, "gauge": {""},
            "histogram": {"_bucket", "_count", "_sum", "_created"}}


class Wrong(Exception):
    pass


def unescape(value):
    return re.sub(r"\\(.)", lambda m: {"n": "\n"}.get(m[1], m[1]), value)


def check_histogram(name, samples):
    buckets = [(float(labels["le"]), value) for suffix, labels, value in samples
               if suffix == "_bucket"]
    count = [value for suffix, _, value in samples if suffix == "_count"]
    if not buckets or buckets[-1][0] != math.inf:
        raise Wrong(f"{name} has no bucket +Inf")
    if buckets != sorted(buckets) or [v for _, v in buckets] != sorted(v for _, v in buckets):
        raise Wrong(f"the buckets of {name} do not grow")
    if count != [buckets[-1][1]]:
        raise Wrong(f"the count of {name} is not its last bucket")


class Parser:
    def __init__(self):
        self.seen, self.result = set(), {}
        self.family, self.meta, self.samples = None, {}, []

    def end_family(self):
        if self.meta.get("TYPE") == "histogram":
            check_histogram(self.family, self.samples)
        unit = self.meta.get("UNIT")
        if unit and not self.family.endswith("_" + unit):
            raise Wrong(f"{self.family} does not end in its unit")

    def metadata(self, kind, name, value):
        if name != self.family:
            if self.family:
                self.end_family()
            if name in self.seen:
                raise Wrong(f"{name} comes in two pieces")
            self.seen.add(name)
            self.family, self.meta, self.samples = name, {}, []
        if kind in self.meta or self.samples:
            raise Wrong(f"{kind} of {name} twice, or after samples")
        if kind == "TYPE" and value not in SUFFIXES:
            raise Wrong(f"type {value}")
        self.meta[kind] = value

    def sample(self, name, labels, number):
        suffix = name.removeprefix(self.family or "")
        if not self.family or not name.startswith(self.family) or \
                suffix not in SUFFIXES[self.meta["TYPE"]]:
            raise Wrong(f"{name} does not belong to {self.family}")
        pairs = [(k, unescape(v)) for k, v in re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', labels or "")]
        if len({k for k, _ in pairs}) != len(pairs):
            raise Wrong("a label twice")
        value = float(number)
        if self.meta["TYPE"] != "gauge" and (value < 0 or math.isnan(value)):
            raise Wrong(f"{name} is {value}")
        key = name + ("{" + ",".join(f"{k}={json.dumps(v)}" for k, v in pairs) + "}" if pairs else "")
        if key in self.result:
            raise Wrong(f"{key} twice")
        self.result[key] = int(value) if value == int(value) else value
        self.samples.append((suffix, dict(pairs), value))

    def line(self, text):
        meta, sample = META.match(text), SAMPLE.match(text)
        if meta:
            self.metadata(*meta.groups())
        elif sample:
            self.sample(*sample.groups())
        else:
            raise Wrong("is neither metadata nor a sample")


def main():
    text = sys.stdin.buffer.read().decode("utf-8")
    if not text.endswith("\n# EOF\n"):
        sys.exit("does not end in # EOF")
    parser = Parser()
    for number, line in enumerate(text.splitlines()[:-1], 1):
        try:
            parser.line(line)
        except Wrong as error:
            sys.exit(f"line {number}: {error}: {line}")
    parser.end_family()
    json.dump(parser.result, sys.stdout, indent=1)


main()
