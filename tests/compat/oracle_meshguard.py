# SPDX-License-Identifier: Apache-2.0
"""What Holdfast takes MeshGuard's policies to mean (docs/policy.md, "MeshGuard"), written a second
time. MeshGuard's gateway is closed, so this is an oracle of our reading and not of its code."""

import re

import yaml

EFFECTS = ("allow", "deny", "require_approval")
SAID = {"allow": "Allowed by rule", "deny": "Denied by rule",
        "require_approval": "Approval required by rule"}
FOREIGN_TOP = {"default_effect", "agent_match", "extends", "required_trust_tier", "enforcement",
               "rollout", "default_decision"}
FOREIGN_RULE = {"action", "approval", "enforcement", "rollout", "agents", "decision", "agent_match",
                "required_trust_tier"}
TESTS = {"equals", "in", "matches", "not_matches", "startsWith", "contains", "exists", "lte", "gte"}
UNKNOWN = object()


class Refused(Exception):
    pass


def demand(condition, what):
    if not condition:
        raise Refused(what)


def is_texts(v):
    return isinstance(v, list) and v and all(isinstance(i, str) and i for i in v)


def wildcard(pattern, text, any_character=False):
    parts = []
    for c in pattern:
        parts.append(".*" if c == "*" else "." if c == "?" and any_character else re.escape(c))
    return re.fullmatch("".join(parts), text, re.DOTALL) is not None


def glob(pattern, text):
    return wildcard(pattern, text, True) or (
        pattern.startswith("**/") and wildcard(pattern[3:], text, True))


def as_list(v):
    return v if isinstance(v, list) else [v]


def is_number(v):
    return isinstance(v, (int, float)) and not isinstance(v, bool)


class Policy:
    def __init__(self, text):
        try:
            document = yaml.safe_load(text)
        except yaml.YAMLError as e:
            raise Refused(str(e)) from e
        demand(isinstance(document, dict), "a map")
        demand(not FOREIGN_TOP & set(document), "another language")
        head = body = document
        if "apiVersion" in document or "spec" in document:
            demand(document.get("kind") == "Policy", "kind")
            head, body = document.get("metadata"), document.get("spec")
            demand(isinstance(head, dict) and isinstance(body, dict), "metadata and spec")
            demand(not FOREIGN_TOP & set(body), "another language")
        demand(head.get("name") not in (None, ""), "name")
        self.applies_to = body.get("appliesTo", body.get("bindings") if body is not head else None)
        if self.applies_to is None:
            self.applies_to = {}
        demand(isinstance(self.applies_to, dict), "appliesTo")
        for kind in ("trustTiers", "tags", "agentIds", "orgIds"):
            values = self.applies_to.get(kind, ["x"])
            demand(isinstance(values, list) and values and
                   all(isinstance(v, str) for v in values), kind)
        rules = body.get("rules")
        demand(isinstance(rules, list) and rules, "rules")
        self.rules = [self.read_rule(rule, i + 1) for i, rule in enumerate(rules)]
        human = body.get("humanInTheLoop", {})
        demand(isinstance(human, dict), "humanInTheLoop")
        self.approvals = human.get("requireApproval", [])
        demand("requireApproval" not in human or is_texts(self.approvals), "requireApproval")
        default = body.get("defaultEffect", "deny")
        self.default = default.lower() if isinstance(default, str) else "deny"
        if self.default not in EFFECTS:
            self.default = "deny"

    @staticmethod
    def read_rule(rule, number):
        demand(isinstance(rule, dict), "a rule is a map")
        demand(not FOREIGN_RULE & set(rule), "another language")
        effect = rule.get("effect")
        demand(isinstance(effect, str) and effect.lower() in EFFECTS, "effect")
        demand(is_texts(rule.get("actions")), "actions")
        conditions = rule.get("conditions", {})
        demand(isinstance(conditions, dict), "conditions")
        name = next((rule[k] for k in ("name", "id") if rule.get(k) not in (None, "")),
                    f"Rule {number}")
        return {"effect": effect.lower(), "actions": rule["actions"], "name": str(name),
                "reason": rule.get("reason"), "conditions": list(read_conditions(conditions))}

    def evaluate(self, request):
        """The word, the rule and the reason."""
        if not self.applies(request):
            return "deny", None, "this policy does not apply to the agent"
        action = request["action"]
        word, name, reason = self.default, None, "no policy rule matched"
        for rule in self.rules:
            pattern = next((p for p in rule["actions"] if wildcard(p, action)), None)
            if pattern is None:
                continue
            results = [holds(c, request) for c in rule["conditions"]]
            if False in results or (UNKNOWN in results and rule["effect"] == "allow"):
                continue
            word, name = rule["effect"], rule["name"]
            reason = rule["reason"]
            if reason is None:
                reason = f"{SAID[word]}: {word} {pattern}"
            break
        if word == "allow":
            for pattern in self.approvals:
                if wildcard(pattern, action):
                    return ("require_approval", "humanInTheLoop",
                            f"{SAID['require_approval']}: require_approval {pattern}")
        return word, name, reason

    def applies(self, request):
        for kind, key in (("trustTiers", "tier"), ("tags", "tags"), ("agentIds", "agent"),
                          ("orgIds", "org")):
            have = request.get(key)
            if kind not in self.applies_to or have is None:
                continue
            if not any(isinstance(h, str) and wildcard(want, h)
                       for want in self.applies_to[kind] for h in as_list(have)):
                return False
        return True


def read_tests(subject, key, spec):
    """(subject, key, test, values) of each test."""
    if not isinstance(spec, dict):
        spec = {"in": spec}
    demand(spec, "no test")
    for test, want in spec.items():
        demand(test in TESTS, f"unknown test {test}")
        if test == "exists":
            demand(isinstance(want, bool), "exists")
        elif test in ("lte", "gte"):
            demand(is_number(want) and want == want and subject == "context", test)
        else:
            want = as_list(want)
            demand(want, "an empty list")
            if subject != "context" or test not in ("equals", "in"):
                demand(all(isinstance(w, str) for w in want), "texts")
        yield subject, key, test, want


def read_conditions(conditions):
    for key, spec in conditions.items():
        demand(isinstance(key, str), "a condition's name")
        if key == "resource":
            yield from read_tests("resource", None, spec)
        elif key in ("resourcePattern", "command_pattern", "path_pattern"):
            demand(not isinstance(spec, dict), key)
            subject = {"r": "resource", "c": "command", "p": "path"}[key[0]]
            yield from read_tests(subject, None, {"matches": spec})
        elif key == "command_contains":
            yield from read_tests("command", None, {"contains": spec})
        elif key in ("channel", "sandbox"):
            yield from read_tests("context", key, spec)
        elif key in ("amount_max", "amount_min"):
            yield from read_tests("context", "amount", {"lte" if key[-1] == "x" else "gte": spec})
        elif key == "tags":
            demand(all(isinstance(t, str) for t in as_list(spec)) and spec != [], "tags")
            yield "tags", None, "in", as_list(spec)
        elif key == "context":
            demand(isinstance(spec, dict) and spec, "context")
            for inner, value in spec.items():
                demand(isinstance(inner, str), "context")
                yield from read_tests("context", inner, value)
        elif key == "time_range":
            m = isinstance(spec, str) and re.fullmatch(
                "([0-2][0-9]):([0-5][0-9])-([0-2][0-9]):([0-5][0-9])", spec)
            demand(m, "time_range")
            h1, m1, h2, m2 = map(int, m.groups())
            begin, end = h1 * 60 + m1, h2 * 60 + m2
            demand(begin != end and begin < 1440 and end <= 1440, "time_range")
            yield "time", None, "between", (begin, end)
        elif key.startswith("context.") and key != "context.":
            yield from read_tests("context", key[len("context."):], spec)
        else:
            raise Refused(f"unknown condition {key}")


def from_context(request, keys):
    context = request.get("context")
    for source in (context, context.get("params") if isinstance(context, dict) else None):
        for key in keys if isinstance(source, dict) else ():
            if source.get(key) is not None:
                return source[key]
            if key in source:
                break
    return request.get("resource")


def look_up(context, key):
    if not isinstance(context, dict):
        return None
    if key in context:
        return context[key]
    for part in key.split("."):
        if not isinstance(context, dict) or part not in context:
            return None
        context = context[part]
    return context


def text_holds(test, want, text):
    """@text is None when there is none."""
    if test == "exists":
        return (text is not None) == want
    if text is None:
        return UNKNOWN if test == "not_matches" else False
    if not isinstance(text, str):
        return UNKNOWN
    if test in ("in", "equals"):
        return text in want
    if test == "startsWith":
        return any(text.startswith(w) for w in want)
    if test == "contains":
        return any(w in text for w in want)
    return any(glob(w, text) for w in want) == (test == "matches")


def holds(condition, request):
    subject, key, test, want = condition
    if subject == "time":
        minute = request.get("minute")
        if minute is None:
            return UNKNOWN
        begin, end = want
        return begin <= minute < end if begin < end else minute >= begin or minute < end
    if subject == "tags":
        return any(t in want for t in as_list(request.get("tags")))
    if subject == "resource":
        return text_holds(test, want, request.get("resource"))
    if subject == "command":
        return text_holds(test, want, from_context(request, ("command", "cmd")))
    if subject == "path":
        return text_holds(test, want, from_context(
            request, ("path", "file_path", "filename", "file", "filepath")))
    value = look_up(request.get("context"), key)
    if test in ("in", "equals"):
        return value in want
    if test in ("lte", "gte"):
        if value is None:
            return False
        if not is_number(value):
            return UNKNOWN
        return value <= want if test == "lte" else value >= want
    if test == "contains" and isinstance(value, list):
        return any(item in want for item in value)
    return text_holds(test, want, value)
