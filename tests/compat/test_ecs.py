#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Logs as ECS events and as CSV: names and types of fields (data/ecs-9.0.json). Speaks TAP."""

import csv
import datetime
import io
import ipaddress
import json

from compat import ROOT, Tap
from log_lines import convert, lines

SCHEMA = json.loads((ROOT / "tests/compat/data/ecs-9.0.json").read_text())
DENIED_OR_ALLOWED = {"allowed", "denied"}  # said of every action, not only of those on the network


def leaves(event, prefix=""):
    """Its fields but holdfast.*, by their dotted names."""
    for key, value in event.items():
        if prefix == "" and key == "holdfast":
            continue
        if isinstance(value, dict):
            yield from leaves(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value


def has_type(kind, value):
    if kind == "long":
        return isinstance(value, int) and not isinstance(value, bool)
    if kind == "ip":
        return bool(ipaddress.ip_address(value))
    if kind == "date":
        return bool(datetime.datetime.fromisoformat(value[:26] + "+00:00"))
    return isinstance(value, str)


def check_field(name, value):
    kind = SCHEMA["fields"].get(name)
    if kind is None:
        return [f"{name} is no field of ECS (or not in our table)"]
    if kind.endswith("[]") != isinstance(value, list):
        return [f"{name}: an array where none is, or the other way round"]
    values = value if isinstance(value, list) else [value]
    allowed = SCHEMA["allowed"].get(name)
    return ([f"{name}: {v!r} is no {kind}" for v in values if not has_type(kind.removesuffix("[]"), v)] +
            [f"{name}: {v} is not allowed" for v in values if allowed and v not in allowed])


def check_event(event):
    problems = [p for name, value in leaves(event) for p in check_field(name, value)]
    for name in ("@timestamp", "ecs", "event"):
        if name not in event:
            problems.append(f"{name} is missing")
    for category in event["event"].get("category", []):
        wrong = set(event["event"]["type"]) - DENIED_OR_ALLOWED - set(
            SCHEMA["types_of_category"][category])
        problems += [f"{category} has no type {t}" for t in wrong]
    return problems


def is_formula(cell):
    return cell[:1] in ("=", "+", "-", "@", "\t", "\r")


def check_cells(record, cells):
    problems = [f"{key}: {cell!r} is a formula" for key, cell in cells.items()
                if is_formula(cell) and not isinstance(record.get(key), (int, float))]
    for key, cell in cells.items():
        if not all(c.isprintable() or c in "\u202e" or ord(c) > 0xa0 for c in cell):
            problems.append(f"{key}: {cell!r} holds control characters")
        value = record.get(key)
        if isinstance(value, str):
            told = cell.removeprefix("'")
            if not any(ord(c) < 0x20 or 0x7f <= ord(c) < 0xa0 for c in value) and told != value \
                    and cell != value:
                problems.append(f"{key}: {cell!r} for {value!r}")
        elif isinstance(value, (list, dict)) and key != "other" and json.loads(cell) != value:
            problems.append(f"{key}: {cell!r} for {value!r}")
    return problems


def main():
    tap = Tap()
    log = lines()
    records = [json.loads(line) for line in log.splitlines()]
    events = [json.loads(line) for line in convert(log, "ecs").splitlines()]
    tap.fact("each line gives one event", [] if len(events) == len(records) else [len(events)],
             len(events))
    tap.fact("fields, types and enumerations are ECS's", [
        f"{p} in {json.dumps(e)[:300]}" for e in events for p in check_event(e)], len(events))
    bad = json.loads(json.dumps(events[1]))
    bad["event"]["outcome"] = "denied"
    bad["process"] = {"pid": "7", "exe": "x"}
    tap.fact("found: a wrong word, a wrong type, a wrong name",
             [] if len(check_event(bad)) == 3 else check_event(bad))
    text = convert(log, "csv").decode()
    rows = list(csv.DictReader(io.StringIO(text, newline=""), strict=True))
    tap.fact("each line gives one record of CSV, on one line that ends in CRLF",
             [] if len(rows) == len(records) and text.count("\n") == text.count("\r\n") ==
             len(records) + 1 else [len(rows)], len(rows))
    tap.fact("no record has more or fewer cells than the header",
             [row for row in rows if None in row or None in row.values()])
    tap.fact("cells hold what the log holds, and none is a formula", [
        p for record, cells in zip(records, rows) for p in check_cells(record, cells)], len(rows))
    tap.end()


main()
