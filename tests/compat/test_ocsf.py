#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Logs as OCSF events, held against facts of OCSF's schema (data/ocsf-1.8.json). Speaks TAP."""

import ipaddress
import json

from compat import ROOT, Tap
from log_lines import convert, lines

SCHEMA = json.loads((ROOT / "tests/compat/data/ocsf-1.8.json").read_text())
# Which attribute says in words what a number says, where it is not the name without "_id".
SIBLINGS = {"class_uid": "class_name", "category_uid": "category_name", "activity_id": "activity_name"}
INTEGERS = {"integer_t", "long_t", "timestamp_t"}
EXPECTED = {1001, 1003, 1007, 4001, 4003, 6002}


def class_of(event):
    """The class's own facts over those that all classes share."""
    base, own = SCHEMA["classes"]["0"], SCHEMA["classes"][str(event["class_uid"])]
    return {**base, **own,
            "attributes": {**base["attributes"], **own.get("attributes", {})},
            "enums": {**base["enums"], **own.get("enums", {})}}


def check_scalar(name, kind, value):
    if kind in INTEGERS or kind == "port_t":
        ok = isinstance(value, int) and not isinstance(value, bool)
        ok = ok and (kind != "port_t" or 0 <= value <= 65535)
    elif kind == "boolean_t":
        ok = isinstance(value, bool)
    elif kind == "ip_t":
        ok = bool(ipaddress.ip_address(value))
    elif kind == "object":
        ok = isinstance(value, dict)
    else:
        ok = isinstance(value, str)
    return [] if ok else [f"{name}: {value!r} is no {kind}"]


def check_enum(name, key, value, entity, event):
    captions = entity.get("enums", {}).get(key)
    if captions is None:
        return []
    if str(value) not in captions:
        return [f"{name}: {value} is not in the enumeration"]
    sibling = SIBLINGS.get(key, key.removesuffix("_id"))
    if value != 99 and event.get(sibling, captions[str(value)]) != captions[str(value)]:
        return [f"{name}: {value} is '{captions[str(value)]}', not '{event[sibling]}'"]
    return []


def check_entity(name, entity, event):
    problems = [f"{name}.{key} is required" for key, what in entity["attributes"].items()
                if what.startswith("required ") and key not in event]
    one_of = entity.get("at_least_one")
    if one_of and not any(key in event for key in one_of):
        problems.append(f"{name} needs one of {', '.join(one_of)}")
    for key, value in event.items():
        what = entity["attributes"].get(key)
        if what is None:
            problems.append(f"{name}.{key} is no attribute of it")
            continue
        kind = what.split()[1]
        if kind.endswith("[]") != isinstance(value, list):
            problems.append(f"{name}.{key}: {'' if kind.endswith('[]') else 'no '}array is wanted")
            continue
        for one in value if isinstance(value, list) else [value]:
            problems += check_value(f"{name}.{key}", kind.removesuffix("[]"), one)
        problems += check_enum(f"{name}.{key}", key, value, entity, event)
    return problems


def check_value(name, kind, value):
    if kind not in SCHEMA["objects"] or kind == "object":
        return check_scalar(name, kind, value)
    if not isinstance(value, dict):
        return [f"{name} is no object"]
    return check_entity(name, SCHEMA["objects"][kind], value)


def attribute(event, path):
    for part in path.split("."):
        event = event[part]
    return event


def check_observables(event):
    problems = []
    for observable in event.get("observables", []):
        if attribute(event, observable["name"]) != observable["value"]:
            problems.append(f"observable {observable}: the event says otherwise")
    return problems


def check_event(event):
    facts = class_of(event)
    problems = check_entity("event", facts, event) + check_observables(event)
    if event["type_uid"] != event["class_uid"] * 100 + event["activity_id"]:
        problems.append(f"type_uid {event['type_uid']}")
    if (event["category_uid"], event["category_name"], event["class_name"]) != (
            facts["category_uid"], facts["category_name"], facts["name"]):
        problems.append(f"class or category: {event['class_name']}")
    if event["metadata"]["version"] != SCHEMA["version"]:
        problems.append(f"version {event['metadata']['version']}")
    if not {"action_id", "disposition_id"} <= event.keys():
        problems.append("the profile security_control asks for action_id and disposition_id")
    return problems


# A broken event must be found out: what to do to a good one, and a word of the complaint.
BREAKS = {
    "a required attribute is missing": (lambda e: e.pop("severity_id"), "required"),
    "an attribute that the class does not have": (lambda e: e.update(process_name="x"), "no attribute"),
    "a wrong type": (lambda e: e.update(time="now"), "is no timestamp_t"),
    "a number outside of the enumeration": (lambda e: e.update(disposition_id=77), "enumeration"),
    "a caption that is another number's": (lambda e: e.update(action="Modified"), "not 'Modified'"),
    "an object without what it needs": (lambda e: e["device"].pop("type_id"), "required"),
    "an observable that points elsewhere": (
        lambda e: e["observables"][0].update(value="x"), "otherwise"),
}


def main():
    tap = Tap()
    log = lines()
    events = [json.loads(line) for line in convert(log, "ocsf").splitlines()]
    records = [json.loads(line) for line in log.splitlines()]
    tap.fact("each line gives one event", [] if len(events) == len(records) else [len(events)],
             len(events))
    problems = [f"{p} in {json.dumps(e)[:300]}" for e in events for p in check_event(e)]
    tap.fact("the events are as the schema wants them", problems, len(events))
    classes = {e["class_uid"] for e in events}
    tap.fact("the sessions had actions of each class", sorted(EXPECTED - classes), len(classes))
    questions = [e["query"]["hostname"] for e in events if e["class_uid"] == 4003 and e["activity_id"] == 1]
    tap.fact("a question to the DNS is one, by its name", [] if "good.example" in questions else [questions])
    hosts = [e["dst_endpoint"].get("hostname") for e in events if e["class_uid"] == 4001 and "dst_endpoint" in e]
    tap.fact("a connection says the name that led to it", [] if "good.example" in hosts else [hosts])
    outcomes = {e["disposition"] for e in events}
    wanted = {"Allowed", "Alert", "Blocked", "Detected", "Delayed", "Rejected", "Logged"}
    tap.fact("and of each disposition but Approved", sorted(wanted - outcomes), len(outcomes))
    tap.fact("nothing of a record is lost", [
        f"{key} of {record}" for record, event in zip(records, events) for key in ("object", "rule",
        "verdict", "would_have", "argv", "command", "counts", "note", "extra", "signature")
        if record.get(key) is not None and event.get("unmapped", {}).get(key) != record[key]],
        len(events))
    good = next(e for e in events if e["class_uid"] == 1001)
    for name, (breaks, word) in BREAKS.items():
        event = json.loads(json.dumps(good))
        breaks(event)
        tap.fact("found: " + name, [] if any(word in p for p in check_event(event)) else [name])
    tap.end()


main()
