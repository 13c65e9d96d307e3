#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""MeshGuard's policies, decided by Holdfast, by a table and by oracle_meshguard.py.

Speaks TAP. The random policies and actions are the same on every run; HOLDFAST_COMPAT_SEED and
HOLDFAST_COMPAT_POLICIES take others and more.
"""

import json
import os
import random

import yaml

from compat import Tap
from dialect import Dialect, Refused
from oracle_meshguard import Policy, Refused as OracleRefused

SEED = int(os.environ.get("HOLDFAST_COMPAT_SEED", "1"))
POLICIES = int(os.environ.get("HOLDFAST_COMPAT_POLICIES", "400"))
ACTIONS = 40
VERDICTS = {"allow": "allow", "require_approval": "ask", "deny": "deny"}

tap = Tap()
holdfast = Dialect("meshguard")

GUIDE = """
name: coding
version: "1.0"
appliesTo: {tags: [coding], trustTiers: [verified, trusted]}
rules:
  - effect: deny
    actions: ["read:file", "write:file"]
    conditions:
      resource: {matches: ["**/.env*", "**/.ssh/**", "/etc/*"]}
    reason: Credential file access is blocked
  - effect: allow
    actions: ["read:file"]
    conditions:
      resource: {matches: "./**"}
  - name: sources
    effect: Allow
    actions: ["write:file"]
    conditions:
      resource: {matches: ["./src/**", "./*.md"]}
  - effect: require_approval
    actions: ["execute:shell"]
    conditions:
      resource: {contains: ["rm -rf", "sudo "]}
  - effect: deny
    actions: ["admin:*", "*:secrets"]
  - effect: allow
    actions: ["execute:shell"]
    conditions:
      resource: {startsWith: ["git ", "npm "]}
  - effect: allow
    actions: ["read:web_*", "handoff:Billing Specialist", "invoke:SearchPlugin.*"]
"""


def action(what, resource=None, **more):
    return {"action": what, **({} if resource is None else {"resource": resource}), **more}


# (action, word, rule, reason or None for any)
GUIDE_CASES = [
    (action("read:file", "./a.txt"), "allow", "Rule 2", "Allowed by rule: allow read:file"),
    (action("read:file", "/home/u/.env"), "deny", "Rule 1", "Credential file access is blocked"),
    (action("read:file", ".env.local"), "deny", "Rule 1", None),
    (action("write:file", "/etc/a/b"), "deny", "Rule 1", None),
    (action("write:file", "./src/x/y.c"), "allow", "sources", None),
    (action("write:file", "./Makefile"), "deny", None, "no policy rule matched"),
    (action("execute:shell", "git status"), "allow", "Rule 6", None),
    (action("execute:shell", "git clean; rm -rf /"), "require_approval", "Rule 4",
     "Approval required by rule: require_approval execute:shell"),
    (action("execute:shell", "make"), "deny", None, None),
    (action("execute:shell"), "deny", None, None),
    (action("admin:users"), "deny", "Rule 5", "Denied by rule: deny admin:*"),
    (action("read:secrets"), "deny", "Rule 5", "Denied by rule: deny *:secrets"),
    (action("read:web_fetch", "https://x"), "allow", "Rule 7", None),
    (action("handoff:Billing Specialist"), "allow", "Rule 7", None),
    (action("handoff:Billing"), "deny", None, None),
    (action("invoke:SearchPlugin.run"), "allow", "Rule 7", None),
    (action("invoke:SearchPlugin"), "deny", None, None),
    (action("Read:web_fetch"), "deny", None, None),
    (action("admin:"), "deny", "Rule 5", None),
    # who acts, where the action says it: kinds are joined by AND, their values by OR
    (action("admin:x", tags=["coding", "x"], tier="trusted"), "deny", "Rule 5", None),
    (action("read:web_x", tags=["other"]), "deny", None, "this policy does not apply to the agent"),
    (action("read:web_x", tags=["coding"], tier="unverified"), "deny", None,
     "this policy does not apply to the agent"),
    (action("read:web_x", tags="coding", tier="verified", agent="a", org="o"), "allow", "Rule 7", None),
    # what a framework's tool is called, and what a process does
    ({"tool": "Read", "args": {"file_path": "./a"}}, "allow", "Rule 2", None),
    ({"tool": "read_file", "args": "/home/u/.ssh/id"}, "deny", "Rule 1", None),
    ({"tool": "Bash", "args": {"command": "git push"}}, "allow", "Rule 6", None),
    ({"tool": "bash", "args": {"command": ["git", "push"]}}, "require_approval", "Rule 4", None),
    ({"tool": "web_fetch", "args": {"url": "https://x"}}, "allow", "Rule 7", None),
    ({"tool": "SearchPlugin.q", "args": {}}, "allow", "Rule 7", None),
    ({"tool": "delete_file", "args": {"path": "./x"}}, "deny", None, None),
    ({"kind": "exec", "argv": ["git", "status"], "path": "/usr/bin/git"}, "allow", "Rule 6", None),
    ({"kind": "exec", "argv": ["sudo", "ls"]}, "require_approval", "Rule 4", None),
    ({"kind": "path", "op": "read", "path": "/home/u/.ssh/id_rsa"}, "deny", "Rule 1", None),
    ({"kind": "path", "op": "write", "path": "/etc/hosts"}, "deny", "Rule 1", None),
    ({"kind": "path", "op": "read", "path": os.getcwd() + "/x/y"}, "allow", "Rule 2", None),
    ({"kind": "path", "op": "create", "path": os.getcwd() + "/src/y"}, "allow", "sources", None),
    ({"kind": "path", "op": "read", "path": os.getcwd() + "x/y"}, "deny", None, None),
    ({"kind": "connect", "address": "10.0.0.1", "port": 443}, "allow", "Rule 7", None),
]


def policy(*rules, **keys):
    return yaml.safe_dump({"name": "p", "version": "1", "appliesTo": {"tags": ["t"]},
                           "rules": list(rules), **keys}, sort_keys=False)


def rule(effect="allow", actions=("*",), **keys):
    return {"effect": effect, "actions": list(actions), **keys}


def when(effect="allow", **conditions):
    return rule(effect, conditions=conditions)


SHELL = {"kind": "exec", "argv": ["ls", "-l"]}
# (document, action, word, rule)
CASES = [
    (policy(rule("DENY", name="n", id="i")), action("a"), "deny", "n"),
    (policy(rule("Require_Approval", id="i")), action("a"), "require_approval", "i"),
    (policy(rule(actions=["b"]), defaultEffect="allow"), action("a"), "allow", None),
    (policy(rule(actions=["b"]), defaultEffect="Allow"), action("a"), "allow", None),
    (policy(rule(actions=["b"]), defaultEffect="deny"), action("a"), "deny", None),
    (policy(rule(actions=["b"]), defaultEffect="require_approval"), action("a"), "require_approval", None),
    (policy(rule(actions=["b"]), defaultEffect="maybe"), action("a"), "deny", None),
    (policy(rule(), humanInTheLoop={"requireApproval": ["pay:*"]}), action("pay:x"),
     "require_approval", "humanInTheLoop"),
    (policy(rule(), humanInTheLoop={"requireApproval": ["pay:*"]}), action("get:x"), "allow", "Rule 1"),
    (policy(rule("deny"), humanInTheLoop={"requireApproval": ["pay:*"]}), action("pay:x"), "deny", "Rule 1"),
    # first match, in the order of the document
    (policy(rule(), rule("deny")), action("a"), "allow", "Rule 1"),
    (policy(rule("deny"), rule()), action("a"), "deny", "Rule 1"),
    # patterns: only '*' is special
    (policy(rule(actions=["a?c"])), action("abc"), "deny", None),
    (policy(rule(actions=["a?c"])), action("a?c"), "allow", "Rule 1"),
    (policy(rule(actions=["[ab]"])), action("a"), "deny", None),
    (policy(rule(actions=["*:*:x*y*"])), action("a:\nb:xay"), "allow", "Rule 1"),
    # several conditions must all hold; several values need one
    (policy(when(channel={"in": ["slack", "irc"]}, amount_max=100)),
     action("a", context={"channel": "irc", "amount": 100}), "allow", "Rule 1"),
    (policy(when(channel={"in": ["slack", "irc"]}, amount_max=100)),
     action("a", context={"channel": "irc", "amount": 100.01}), "deny", None),
    (policy(when(amount_min=5)), action("a", context={"amount": 4}), "deny", None),
    (policy(when(amount_max=5)), action("a", context={}), "deny", None),
    (policy(when(amount_max=5)), action("a", context={"amount": "4"}), "deny", None),
    (policy(when("deny", amount_min=5), rule()), action("a", context={"amount": "4"}), "deny", "Rule 1"),
    (policy(when(sandbox=True)), action("a", context={"sandbox": True}), "allow", "Rule 1"),
    (policy(when(sandbox=True)), action("a", context={"sandbox": False}), "deny", None),
    (policy(when(sandbox=True)), action("a"), "deny", None),
    (policy(when(tags=["x", "y"])), action("a", tags=["t", "y"]), "allow", "Rule 1"),
    (policy(when(tags=["x", "y"])), action("a", tags=["t"]), "deny", None),
    (policy(when(resourcePattern="workspace/*")), action("a", "workspace/a/b"), "allow", "Rule 1"),
    (policy(when(path_pattern="/w/*")), action("a", context={"path": "/w/x"}), "allow", "Rule 1"),
    (policy(when(path_pattern="/w/*")), action("a", context={"params": {"file_path": "/w/x"}}), "allow", "Rule 1"),
    (policy(when(command_pattern="rm *")), action("a", "rm x"), "allow", "Rule 1"),
    (policy(when(command_contains=["x", "y"])), action("a", "ay"), "allow", "Rule 1"),
    (policy(rule(conditions={"context.user.role": "admin"})),
     action("a", context={"user": {"role": "admin"}}), "allow", "Rule 1"),
    (policy(rule(conditions={"context.user.role": "admin"})),
     action("a", context={"user.role": "admin"}), "allow", "Rule 1"),
    (policy(when(context={"to": {"not_matches": "*@x.com"}})), action("a", context={"to": "a@y.com"}), "allow", "Rule 1"),
    (policy(when(context={"to": {"not_matches": "*@x.com"}})), action("a", context={"to": "a@x.com"}), "deny", None),
    (policy(when("deny", context={"to": {"not_matches": "*@x.com"}}), rule()), action("a"), "deny", "Rule 1"),
    (policy(when(context={"to": {"not_matches": "*@x.com"}})), action("a"), "deny", None),
    (policy(when(context={"n": {"gte": 1, "lte": 2}})), action("a", context={"n": 2}), "allow", "Rule 1"),
    (policy(when(context={"n": {"exists": True}})), action("a", context={"n": 0}), "allow", "Rule 1"),
    (policy(when(context={"n": {"exists": False}})), action("a", context={"n": 0}), "deny", None),
    (policy(when(context={"n": {"exists": False}})), action("a"), "allow", "Rule 1"),
    (policy(when(context={"n": {"equals": 1}})), action("a", context={"n": 1.0}), "allow", "Rule 1"),
    (policy(when(context={"n": [1, "x", None]})), action("a"), "allow", "Rule 1"),
    (policy(when(context={"l": {"contains": "x"}})), action("a", context={"l": ["y", "x"]}), "allow", "Rule 1"),
    (policy(when(resource="r")), action("a", "r"), "allow", "Rule 1"),
    # the time of a process's action; tests/unit/test_meshguard.c has what is unknown
    (policy(when(time_range="09:00-18:00")), {**SHELL, "time": "mon 09:00"}, "allow", "Rule 1"),
    (policy(when(time_range="09:00-18:00")), {**SHELL, "time": "mon 18:00"}, "deny", None),
    (policy(when(time_range="22:00-06:00")), {**SHELL, "time": "sun 05:59"}, "allow", "Rule 1"),
    (policy(when(time_range="22:00-06:00")), {**SHELL, "time": "sun 06:00"}, "deny", None),
    (policy(when(time_range="00:00-24:00")), {**SHELL, "time": "sun 23:59"}, "allow", "Rule 1"),
    # a process has no context and no tags
    (policy(when(channel="x")), SHELL, "deny", None),
    (policy(when("require_approval", channel="x"), rule()), SHELL, "require_approval", "Rule 1"),
    (policy(when("deny", tags=["x"]), rule()), SHELL, "deny", "Rule 1"),
    # what a process does
    (policy(rule(actions=["read:file"])), {"kind": "path", "op": "read", "path": "/x"}, "allow", "Rule 1"),
    (policy(rule(actions=["write:file"])), {"kind": "path", "op": "chmod", "path": "/x"}, "allow", "Rule 1"),
    (policy(rule(actions=["write:file"])), {"kind": "path", "op": "delete", "path": "/x"}, "deny", None),
    (policy(rule(actions=["delete:file"])), {"kind": "path", "op": "delete", "path": "/x"}, "allow", "Rule 1"),
    (policy(rule(actions=["execute:shell"])), SHELL, "allow", "Rule 1"),
    (policy(rule(actions=["write:network"])),
     {"kind": "connect", "address": "0.0.0.0", "port": 80, "op": "bind"}, "allow", "Rule 1"),
    (policy(rule(actions=["read:web_fetch"], conditions={"resource": {"matches": "*.x.org:443"}})),
     {"kind": "connect", "address": "10.1.1.1", "port": 443, "domain": "a.x.org"}, "allow", "Rule 1"),
    (policy(rule(actions=["read:web_fetch"], conditions={"resource": "10.1.1.1:443"})),
     {"kind": "connect", "address": "10.1.1.1", "port": 443, "domain": "a.x.org"}, "allow", "Rule 1"),
    (policy(rule("deny", ["read:web_fetch"], conditions={"resource": {"not_matches": "*.x.org:443"}}), rule()),
     {"kind": "connect", "address": "10.1.1.1", "port": 443}, "deny", "Rule 1"),
    # the Kubernetes-like shape
    (yaml.safe_dump({"apiVersion": "governance.toolkit/v1", "kind": "Policy",
                     "metadata": {"name": "n", "version": "1"},
                     "spec": {"bindings": {"tags": ["t"]}, "rules": [rule()]}}),
     action("a", tags=["t"]), "allow", "Rule 1"),
    (yaml.safe_dump({"apiVersion": "governance.toolkit/v1", "kind": "Policy",
                     "metadata": {"name": "n", "version": "1"},
                     "spec": {"bindings": {"tags": ["t"]}, "rules": [rule()]}}),
     action("a", tags=["u"]), "deny", None),
]

K8S = {"apiVersion": "governance.toolkit/v1", "kind": "Policy", "metadata": {"name": "n"},
       "spec": {"rules": [rule()]}}


def without(document, key):
    return {k: v for k, v in document.items() if k != key}


PLAIN = {"name": "p", "rules": [rule()]}
# (document, words of the message)
REFUSED = [
    ("", "empty"), ("[]", "a list"), ("text", "text"), (without(PLAIN, "name"), "'name'"),
    ({**PLAIN, "name": ""}, "'name'"), (without(PLAIN, "rules"), "'rules'"),
    ({**PLAIN, "rules": []}, "'rules'"), ({**PLAIN, "rules": {}}, "'rules'"),
    ({**PLAIN, "rules": ["x"]}, "a rule must be a map"),
    (policy({"actions": ["a"]}), "'effect'"), (policy(rule("permit")), "'effect'"),
    (policy({"effect": None, "actions": ["a"]}), "'effect'"),
    (policy({"effect": "deny"}), "'actions'"), (policy({"effect": "deny", "actions": []}), "'actions'"),
    (policy({"effect": "deny", "actions": "a"}), "'actions'"),
    (policy({"effect": "deny", "actions": [5]}), "'actions'"),
    (policy({"effect": "deny", "actions": [""]}), "'actions'"),
    # other languages
    (policy({"effect": "deny", "action": "a"}), "learn site"),
    (policy(rule(conditions=["request.amount <= 100"])), "learn site"),
    (policy(rule(), default_effect="deny"), "learn site"), (policy(rule(), extends="x"), "learn site"),
    (policy(rule(approval={"method": "webhook"})), "learn site"),
    (policy(rule(agents=["a"])), "Guardian"),
    # conditions
    (policy(rule(conditions={"action": "x", "path": "y"})), "unknown condition"),
    (policy(when(resourcePatern="x")), "did you mean 'resourcePattern'"),
    (policy(when(rateLimit={"requestsPerMinute": 5})), "rateLimits"),
    (policy(rule(conditions=None)), "'conditions' must be a map"),
    (policy(rule(conditions="x")), "'conditions' must be a map"),
    (policy(when(resource={"regex": "x"})), "unknown test"), (policy(when(resource={})), "no test"),
    (policy(when(resource=[])), "empty list"), (policy(when(resource=5)), "text"),
    (policy(when(resource={"lte": 5})), "numbers"), (policy(when(context={})), "context"),
    (policy(when(context={"a": {"b": "c"}})), "context.a.b"),
    (policy(when(context={"a": {"lte": "5"}})), "number"),
    (policy(when(context={"a": {"exists": 1}})), "true or false"),
    (policy(when(amount_max=True)), "number"), (policy(when(tags=[])), "empty list"),
    (policy(when(time_range="9-18")), "time_range"), (policy(when(time_range="09:00-09:00")), "time_range"),
    (policy(when(time_range="09:60-10:00")), "time_range"), (policy(when(time_range="24:00-10:00")), "time_range"),
    (policy(when(time_range="09:00-25:00")), "time_range"),
    # the rest
    (policy(rule(), appliesTo=[]), "appliesTo"), (policy(rule(), appliesTo={"tags": []}), "tags"),
    (policy(rule(), appliesTo={"tags": "t"}), "tags"), (policy(rule(), appliesTo={"tags": [5]}), "tags"),
    (policy(rule(), humanInTheLoop=[]), "humanInTheLoop"),
    (policy(rule(), humanInTheLoop={"requireApproval": "x"}), "requireApproval"),
    (policy(rule(), rateLimits={"requestsPerMinute": 0}), "requestsPerMinute"),
    (policy(rule(), rateLimits=5), "rateLimits"),
    ({**K8S, "kind": "Agent"}, "'kind'"), (without(K8S, "kind"), "'kind'"),
    (without(K8S, "metadata"), "'metadata'"), (without(K8S, "spec"), "'spec'"),
    ({**K8S, "metadata": {}}, "'name'"), ({**K8S, "spec": {"rules": []}}, "'rules'"),
]

WARNED = [
    ({"name": "p", "rules": [rule()], "appliesTo": {"tags": ["t"]}}, "no 'version'"),
    ({"name": "p", "version": "1", "rules": [rule()]}, "no 'appliesTo'"),
    (policy(rule(), appliesTo={}), "none of trustTiers"), (policy(rule(), appliesTo={"x": 1}), "unknown key"),
    (policy(rule(), defaultEffect="maybe"), "defaultEffect"),
    (policy(rule(), defaultEffect="require_approval"), "defaultEffect"),
    (policy(rule(), defautEffect="allow"), "did you mean 'defaultEffect'"),
    (policy(rule(), delegation={"maxDepth": 1}), "delegation"),
    (policy(rule(alert="loud")), "alert"), (policy(rule(efect="deny")), "did you mean 'effect'"),
    ({**K8S, "apiVersion": "v2"}, "apiVersion"),
]


def text_of(document):
    return document if isinstance(document, str) else yaml.safe_dump(document, sort_keys=False)


def got(answer):
    return answer["verdict"], answer["word"], answer["rule"], answer["reason"]


def test_table():
    result = []
    cases = [(GUIDE, *case) for case in GUIDE_CASES] + [(*case, None) for case in CASES]
    for text, asked, word, name, reason in cases:
        try:
            answer = holdfast.ask(text, [asked])[0]
        except Refused as e:
            result.append(f"{e}\n{text}")
            continue
        have = got(answer)
        if have[:3] != (VERDICTS[word], word, name) or reason not in (None, have[3]):
            result.append(f"{asked}: wanted {word} {name}, got {answer}\n{text}")
        if "action" in asked:
            want = Policy(text).evaluate(asked)
            if (want[0], want[1]) != (word, name):
                result.append(f"the oracle says {want} of {asked}\n{text}")
    return result, len(cases)


def test_refused():
    result = []
    for document, words in REFUSED:
        text = text_of(document)
        message = holdfast.refusal(text)
        if message is None or words not in message or not holdfast.has_position(message):
            result.append(f"{text!r}: {message}")
        try:
            Policy(text)
            if "rateLimits" not in text:
                result.append(f"the oracle takes {text!r}")
        except OracleRefused:
            pass
    return result


def test_warned():
    result = []
    for document, words in WARNED:
        text = text_of(document)
        holdfast.ask(text, [])
        if words not in holdfast.warnings:
            result.append(f"{text!r}: {holdfast.warnings!r}")
    return result


# ---- random

VERBS = ["read", "write", "execute", "invoke", "admin", "*", "r*d", ""]
NOUNS = ["file", "shell", "email", "web_fetch", "*", "web_*", "customer_1", "customer_*", "Billing X",
         "a:b", "\u00e9"]
TEXTS = ["/etc/passwd", "./src/a.c", "src/a.c", ".env", "/home/u/.env", "git push", "rm -rf /", "a@x.com",
         "b@y.org", "https://docs.x/y?z=1", "", "\u00e9t\u00e9", "line\nbreak", "workspace/a/b", "slack"]
GLOBS = ["*", "**/.env", "./src/**", "/etc/*", "*@x.com", "*docs.*", "?it *", "workspace/*", "git push",
         "\u00e9?\u00e9", "**/*", "*\n*", "[a-z]*"]
PIECES = ["rm ", "git", "/", ".env", "@", "", "\n", "s", "\u00e9"]
CONTEXT_KEYS = ["channel", "amount", "sandbox", "to", "user", "command", "path", "params", "a.b"]
VALUES = ["slack", "irc", 1, 1.0, 0, 100, 100.01, True, False, None, "x", ["x", "y"], ["slack"],
          {"role": "admin"}, {"role": "x", "command": "rm -rf /", "path": "/etc/x"}, "1", -5]


def some(r, values, most=3):
    return [r.choice(values) for _ in range(r.randrange(1, most + 1))]


def one_or_some(r, values):
    return r.choice(values) if r.random() < 0.5 else some(r, values)


def random_test(r, is_text):
    kind = r.randrange(9)
    if kind == 0:
        return {"matches": one_or_some(r, GLOBS)}
    if kind == 1:
        return {"not_matches": one_or_some(r, GLOBS)}
    if kind == 2:
        return {"startsWith": one_or_some(r, PIECES)}
    if kind == 3:
        return {"contains": one_or_some(r, PIECES)}
    if kind == 4:
        return {"exists": r.random() < 0.5}
    if is_text or kind < 7:
        values = TEXTS if is_text else [v for v in VALUES if not isinstance(v, list)]
        return r.choice([{"equals": r.choice(values)}, {"in": some(r, values)}, r.choice(TEXTS),
                         some(r, values)])
    return {r.choice(["lte", "gte"]): r.choice([1, 100, 0.5, -1])}


def random_conditions(r):
    conditions = {}
    for _ in range(r.randrange(3)):
        kind = r.randrange(11)
        if kind < 3:
            conditions["resource"] = random_test(r, True)
        elif kind < 5:
            conditions["context." + r.choice(["channel", "amount", "to", "user.role", "a.b", "user"])] = \
                random_test(r, False)
        elif kind == 5:
            conditions["context"] = {r.choice(CONTEXT_KEYS): random_test(r, False)}
        elif kind == 6:
            conditions[r.choice(["command_pattern", "path_pattern", "resourcePattern"])] = \
                one_or_some(r, GLOBS)
        elif kind == 7:
            conditions["command_contains"] = one_or_some(r, PIECES)
        elif kind == 8:
            conditions[r.choice(["amount_max", "amount_min"])] = r.choice([0, 1, 100, 100.5])
        elif kind == 9:
            conditions["tags"] = some(r, ["x", "y", "z"])
        else:
            conditions[r.choice(["channel", "sandbox"])] = r.choice(["slack", True, {"in": ["slack", "irc"]}])
    if r.random() < 0.005:
        conditions[r.choice(["unknown", "rateLimit", "resource", "context"])] = r.choice([{}, 5, None])
    return conditions


def random_rule(r):
    result = rule(r.choice(["allow", "deny", "require_approval", "ALLOW", "Deny"]),
                  [f"{r.choice(VERBS)}:{r.choice(NOUNS)}" if r.random() < 0.9 else "*"
                   for _ in range(r.randrange(1, 4))])
    if r.random() < 0.6:
        result["conditions"] = random_conditions(r)
    if r.random() < 0.3:
        result[r.choice(["name", "id"])] = r.choice(["n", "", "rule \u00e9"])
    if r.random() < 0.3:
        result["reason"] = r.choice(["because", "", "\u2014"])
    if r.random() < 0.004:
        result[r.choice(["effect", "actions", "action"])] = r.choice([None, "x", []])
    return result


def random_policy(r):
    document = {"name": "p", "version": "1", "rules": [random_rule(r) for _ in range(r.randrange(1, 8))]}
    if r.random() < 0.3:
        document["appliesTo"] = {kind: some(r, values) for kind, values in (
            ("trustTiers", ["verified", "trusted"]), ("tags", ["x", "y"]), ("agentIds", ["a*", "b"]))
            if r.random() < 0.5}
    if r.random() < 0.6:
        document["defaultEffect"] = r.choice(["allow", "deny", "ALLOW", "other"])
    if r.random() < 0.2:
        document["humanInTheLoop"] = {"requireApproval": [f"{r.choice(VERBS)}:{r.choice(NOUNS)}"]}
    if r.random() < 0.2:
        document = {"apiVersion": "governance.toolkit/v1", "kind": "Policy",
                    "metadata": {"name": "p"}, "spec": {k: v for k, v in document.items()
                                                        if k not in ("name", "version")}}
    return text_of(document)


def random_action(r):
    asked = action(f"{r.choice(VERBS)}:{r.choice(NOUNS)}")
    if r.random() < 0.8:
        asked["resource"] = r.choice(TEXTS)
    if r.random() < 0.7:
        asked["context"] = {r.choice(CONTEXT_KEYS): r.choice(VALUES + TEXTS)
                            for _ in range(r.randrange(4))}
    if r.random() < 0.4:
        asked["tags"] = r.choice([["x"], ["x", "z"], [], "y", None])
    if r.random() < 0.3:
        asked["tier"] = r.choice(["verified", "trusted", "other", None])
    if r.random() < 0.3:
        asked["agent"] = r.choice(["ab", "b", "c"])
    return asked


def test_random():
    r = random.Random(SEED)
    result, compared = [], 0
    for _ in range(POLICIES):
        text, actions = random_policy(r), [random_action(r) for _ in range(ACTIONS)]
        try:
            oracle = Policy(text)
        except OracleRefused as e:
            if holdfast.refusal(text) is None:
                result.append(f"not refused ({e}):\n{text}")
            continue
        try:
            answers = holdfast.ask(text, actions)
        except Refused as e:
            result.append(f"refused: {e}\n{text}")
            continue
        for asked, answer in zip(actions, answers):
            word, name, reason = oracle.evaluate(asked)
            if got(answer) != (VERDICTS[word], word, name, reason):
                result.append(f"{json.dumps(asked)}: wanted {word, name, reason}, got {answer}\n{text}")
        compared += ACTIONS
    return result, compared


tap.fact("the tables decide as they say, and so does the oracle", *test_table())
tap.fact("what cannot be carried over is refused, with a position", test_refused(), len(REFUSED))
tap.fact("what is odd is told", test_warned(), len(WARNED))
tap.fact("random policies decide as the oracle says", *test_random())
tap.end()
