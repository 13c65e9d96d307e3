#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""check_log.py [--crashed] LOG: every line is one JSON object with the contract's keys and types."""
import json
import re
import sys

NONE = type(None)
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}(Z|[+-]\d\d:\d\d)")
VERDICTS = {"allow", "flag", "ask", "deny"}
KINDS = {"tool", "path", "network", "system"}

COMMON = {"v": int, "seq": int, "time": str, "session": str, "agent": (str, NONE), "event": str}
# Keys of a decision: the list. NONE: it may be left out, but is never null.
ACTION = {
    "pid": int, "ppid": int, "exe": (str, NONE), "kind": str, "op": str, "object": (str, NONE),
    "asked": (str, NONE), "argv": (list, NONE), "verdict": str, "would_have": (str, NONE),
    "mode": str, "policy": (str, NONE), "rule": (str, NONE), "reason": (str, NONE), "layer": str,
    "latency_ns": (int, NONE), "result": (str, NONE), "errno": (int, str, NONE), "approver": (str, NONE),
}


def fail(number, why):
    sys.exit(f"line {number}: {why}")


def check_keys(number, record, keys):
    for key, types in keys.items():
        if key not in record:
            if not isinstance(types, tuple) or NONE not in types:
                fail(number, f"no key '{key}'")
            continue
        if record[key] is None:
            fail(number, f"'{key}' is null")
        if not isinstance(record[key], types) or isinstance(record[key], bool):
            fail(number, f"'{key}' is {record[key]!r}")


def check_action(number, record):
    check_keys(number, record, ACTION)
    if record["event"] == "action" and "latency_ns" not in record:
        fail(number, "no key 'latency_ns'")
    if record["verdict"] not in VERDICTS:
        fail(number, f"verdict {record['verdict']!r}")
    if record["would_have"] not in VERDICTS:
        fail(number, f"would_have {record['would_have']!r}")
    if record["kind"] not in KINDS:
        fail(number, f"kind {record['kind']!r}")
    if record["mode"] not in ("enforce", "audit"):
        fail(number, f"mode {record['mode']!r}")
    if record.get("latency_ns", 0) < 0:
        fail(number, "negative latency")
    if record["kind"] == "tool" and not record.get("argv") and record["verdict"] != "deny":
        fail(number, "an exec without argv")
    if not all(isinstance(a, str) for a in record.get("argv", [])):
        fail(number, "argv is not strings")
    if record["verdict"] == "deny" and record["event"] == "action" and not record.get("errno"):
        if record.get("result") not in ("gone",):
            fail(number, "a denial without errno")


def main():
    crashed = "--crashed" in sys.argv
    data = open(sys.argv[-1], "rb").read()
    if not data.endswith(b"\n"):
        sys.exit("the last line is cut off")
    lines = data[:-1].split(b"\n")
    events = []
    for number, line in enumerate(lines, 1):
        if re.search(rb"[\x00-\x1f\x7f]", line):
            fail(number, "a control character")
        record = json.loads(line.decode("utf-8"))
        check_keys(number, record, COMMON)
        if not TIME.fullmatch(record["time"]):
            fail(number, f"time {record['time']!r}")
        if record["event"] in ("action", "held"):
            check_action(number, record)
        events.append(record["event"])
    if events[0] != "session_start":
        sys.exit("the first record is no session_start")
    while events[-1] == "checkpoint":
        events.pop()
    if not crashed and events[-1] != "session_end":
        sys.exit("the last record is no session_end")
    print(len(lines), "records ok")


main()
