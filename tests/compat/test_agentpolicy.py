#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""AgentPolicy files through `holdfast policy eval --batch` against oracle_agentpolicy.py. Speaks TAP.

SEED=N repeats a run, CASES=N sets how many random policies there are.
"""

import datetime
import json
import os
import pathlib
import random
import re
import subprocess
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor

import yaml

import oracle_agentpolicy as oracle
from compat import BUILD, Tap, seed

HOLDFAST = BUILD / "holdfast"
VERDICTS = {"allow": "allow", "deny": "deny", "require_approval": "ask"}
CASES = int(os.environ.get("CASES", "1200"))
# What a random document must have, or Holdfast refuses it as one that allows everything by mistake.
ANY_SECTION = {"budget": {}}


class Run:
    """One `policy eval`: its answers as texts of JSON, with what differs from run to run left out."""

    def __init__(self, text, actions, language="agentpolicy"):
        with tempfile.TemporaryDirectory() as directory:
            file = pathlib.Path(directory, "policy.yaml")
            file.write_text(text)
            self.began = time.time()
            done = subprocess.run(
                [HOLDFAST, "policy", "eval", "-p", file, "--language", language, "--batch",
                 "--session-report"],
                input="".join(json.dumps(a) + "\n" for a in actions).encode(),
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
            self.ended = time.time()
        self.status, self.error = done.returncode, done.stderr.decode()
        lines = [json.loads(line) for line in done.stdout.decode().splitlines()]
        self.report = lines.pop() if self.status == 0 and lines else None
        self.answers = lines

    def reasons(self):
        return [a.get("reason", a.get("error")) for a in self.answers]

    def words(self):
        return [a.get("word", "error") for a in self.answers]


def plain(value):
    """For comparing: 1 and 1.0 and True are told apart, NaN equals itself, order counts."""
    return json.dumps(value, default=repr)


def until_nul(text):
    """Reasons and errors are strings in C. Names in them are quoted by repr(), which leaves no NUL; a
    rule's keys and the host of an error are not."""
    return text.split("\0")[0]


def escaped(text):
    """As Holdfast shows to people what it does not trust."""
    return "".join(c if " " <= c <= "~" and c != "\\" else "\\\\" if c == "\\" else f"\\u{{{ord(c):x}}}"
                   for c in text)


def without_times(report):
    if "decisions" in report:
        report["duration_seconds"] = 0.0
        for decision in report["decisions"]:
            decision["timestamp"] = decision["action"]["timestamp"] = 0.0
        report["session_id"] = "pol_test"
    return report


def expected(policy, actions):
    session, answers = oracle.Session(policy), []
    for line in actions:
        try:
            action, approved = oracle.from_json(line)
            word, reason = session.enforce(action, approved)
            answers.append({"verdict": VERDICTS[word], "word": word, "reason": until_nul(reason),
                            "spent": session.spent, "remaining": session.remaining})
        except Exception as error:  # whatever the original would raise, too
            answers.append({"error": until_nul(str(error))})
    try:
        report = session.report()
    except (TypeError, OverflowError) as error:
        report = {"error": str(error)}
    return answers, report


def compare(text, actions):
    """What differs, as texts."""
    actions = [json.loads(json.dumps(action)) for action in actions]  # joins halves of surrogates
    run = Run(text, actions)
    try:
        policy = oracle.Policy.from_text(text)
    except (oracle.InvalidPolicy, OverflowError) as error:
        if run.status == 1 and re.search(r"policy\.yaml:\d+:\d+: " + re.escape(escaped(str(error))),
                                         run.error):
            return []
        return [f"{text}\nrefused: {error}\nholdfast: {run.status} {run.error}"]
    if run.status != 0:
        return [f"{text}\ntaken\nholdfast: {run.status} {run.error}"]
    answers, report = expected(policy, actions)
    differences = []
    for line, want, got in zip(actions, answers, run.answers):
        got = {key: got.get(key) for key in want}
        if plain(want) != plain(got):
            differences.append(f"{text}\n{json.dumps(line)}\nwanted {plain(want)}\ngot    {plain(got)}")
    if len(answers) != len(run.answers):
        differences.append(f"{text}\n{len(actions)} actions, {len(run.answers)} answers {run.error}")
    got = plain(without_times(run.report))
    for decision in report.get("decisions", []):
        decision["reason"] = until_nul(decision["reason"])
    if plain(report) != got:
        differences.append(f"{text}\nwanted {plain(report)}\ngot    {got}")
    return differences


def tool(name, cost=0.0, **more):
    return {"kind": "tool", "name": name, "cost": cost, **more}


def http(url, cost=0.0, **more):
    return {"kind": "http", "url": url, "cost": cost, **more}


def spend(cost, **more):
    return {"kind": "cost", "cost": cost, **more}


def raw(**fields):
    return {"kind": "raw", "fields": fields}


# ---- by hand: what is known of the original, without the oracle's help

REFUSALS = [
    ("budget: {max_spend: -1}", "Budget must be non-negative, got -1"),
    ("budget: {max_spend: '-$1'}", "Invalid money value: '-$1'"),
    ("budget: {max_spend: '$-1.50'}", "Budget must be non-negative, got '$-1.50'"),
    ("budget: {max_spend: '5,000'}", "Invalid money value: '5,000'"),
    ("budget: {max_spend: 5 USD}", "Invalid money value: '5 USD'"),
    ("budget: {max_spend: ''}", "Invalid money value: ''"),
    ("budget: {max_spend: null}", "Invalid money value: None"),
    ("budget: {max_spend: [5]}", "Invalid money value: [5]"),
    ("budget: {max_spend: 2020-01-02}", "Invalid money value: datetime.date(2020, 1, 2)"),
    ("tools: {allow: [a], block: [b, ' a ']}", "Tool cannot be both allowed and blocked"),
    ("network: {allow: [a.b], block: [a.b]}", "Domain cannot be both allowed and blocked"),
    ("tools: {allow: search}", "Policy field 'tools.allow' must be a list of strings"),
    ("tools: {block: 5}", "Policy field 'tools.block' must be a list of strings"),
    ("network: {allow: 2020-01-02}", "Policy field 'network.allow' must be a list of strings"),
    ("network: {block: x.org}", "Policy field 'network.block' must be a list of strings"),
    ("tools: {allow: [a, 5]}", "Policy field 'tools.allow' must contain only strings"),
    ("tools: {block: [yes]}", "Policy field 'tools.block' must contain only strings"),
    ("network: {allow: [~]}", "Policy field 'network.allow' must contain only strings"),
    ("network: {block: [2020-01-02]}", "Policy field 'network.block' must contain only strings"),
    ("network: {block: {1: 2}}", "Policy field 'network.block' must contain only strings"),
    ("- a", "Policy file must contain a top-level mapping"),
    ("just text", "Policy file must contain a top-level mapping"),
    ("budget: false", "Policy section 'budget' must be a mapping"),
    ("tools: [a]", "Policy section 'tools' must be a mapping"),
    ("network: text", "Policy section 'network' must be a mapping"),
    ("approval: 5", "Policy section 'approval' must be a mapping"),
    ("approval: {require_for: {tool: a}}", "Policy section 'approval.require_for' must be a list"),
    ("approval: {require_for: ''}", "Policy section 'approval.require_for' must be a list"),
    ("approval: {require_for: [{}, a]}",
     "Policy section 'approval.require_for' item #2 must be a mapping"),
]

MONEY = {"$5.00": 5.0, "5": 5.0, 5: 5.0, 5.0: 5.0, "$$5": 5.0, "1e3": 1000.0, "1_000": 1000.0,
         " $ 2.5 ": 2.5, "inf": float("inf"), "nan": float("nan"), "-0": -0.0, True: 1.0, 0: 0.0,
         "٣": 3.0}

GUARD_URL = "https://Docs.Python.org/3/"

# (name, document, [(action, word, reason)])
DECISIONS = [
    ("an empty section allows all", {"tools": {}},
     [(tool("x"), "allow", "Action allowed"), (http("http://a"), "allow", "Action allowed")]),
    ("tools.allow", {"tools": {"allow": ["search", " pad "]}},
     [(tool("search"), "allow", "Action allowed"), (tool("pad"), "allow", "Action allowed"),
      (tool("Search"), "deny", "Tool 'Search' denied because it is not in tools.allow"),
      (http("http://x.org"), "allow", "Action allowed"), (spend(1), "allow", "Action allowed")]),
    ("tools.block", {"tools": {"block": ["rm"]}},
     [(tool("rm"), "deny", "Tool 'rm' denied by tools.block policy"),
      (tool("rmdir"), "allow", "Action allowed")]),
    ("an allow-list that is there but empty denies all", {"tools": {"allow": ["", " "]}},
     [(tool("a"), "deny", "Tool 'a' denied because it is not in tools.allow"),
      (tool(""), "deny", "Tool '' denied because it is not in tools.allow")]),
    ("an allow-list that is null is none", {"tools": {"allow": None}, "network": {"block": []}},
     [(tool("a"), "allow", "Action allowed"), (http("//a"), "allow", "Action allowed")]),
    ("a mapping as a list uses its keys", {"tools": {"allow": {"a": 1, "b": None}}},
     [(tool("b"), "allow", "Action allowed"),
      (tool("c"), "deny", "Tool 'c' denied because it is not in tools.allow")]),
    ("network.allow", {"network": {"allow": ["docs.python.org"]}},
     [(http(GUARD_URL), "allow", "Action allowed"),
      (http("https://docs.python.org:443/"), "deny",
       "Domain 'docs.python.org:443' denied because it is not in network.allow"),
      (http("https://u@docs.python.org/"), "deny",
       "Domain 'u@docs.python.org' denied because it is not in network.allow"),
      (http("https://docs.python.org./"), "deny",
       "Domain 'docs.python.org.' denied because it is not in network.allow"),
      (http("docs.python.org"), "deny", "Domain '' denied because it is not in network.allow"),
      (http(" \x01ftp://docs.python\t.org/x"), "allow", "Action allowed"),
      (raw(action_type="http", url=GUARD_URL), "allow", "Action allowed"),
      (raw(action_type="http", domain="DOCS.python.org"), "deny",
       "Domain 'DOCS.python.org' denied because it is not in network.allow")]),
    ("network.block", {"network": {"block": ["bad.org", "Twitter.com"]}},
     [(http("http://bad.org/x"), "deny", "Domain 'bad.org' denied by network.block policy"),
      (http("http://a.bad.org/x"), "allow", "Action allowed"),
      (http("http://Twitter.com"), "allow", "Action allowed")]),
    ("budget 0.05", {"budget": {"max_spend": "$0.05"}},
     [(tool("a", 0.03), "allow", "Action allowed"),
      (tool("a", 0.03), "deny", "Budget exceeded: $0.0600 would exceed $0.05"),
      (spend(0.02), "allow", "Action allowed"), (spend(0), "allow", "Action allowed")]),
    ("sums are IEEE's", {"budget": {"max_spend": 0.3}},
     [(spend(0.1), "allow", "Action allowed"),
      (spend(0.2), "deny", "Budget exceeded: $0.3000 would exceed $0.30")]),
    ("equality is allowed", {"budget": {"max_spend": 1}},
     [(spend(1), "allow", "Action allowed"),
      (spend(5e-05), "deny", "Budget exceeded: $1.0001 would exceed $1.00")]),
    ("several charges", {"budget": {"max_spend": "1.00"}},
     [(tool("a", 0.2), "allow", "Action allowed"), (http("//b", 0.3), "allow", "Action allowed")]),
    ("approval by tool", {"approval": {"require_for": [{"tool": "send_email"}]}},
     [(tool("send_email"), "require_approval",
       "Action requires approval by rule #1: tool=send_email"),
      (tool("send_email", approved=True), "allow", "Action allowed"),
      (tool("other"), "allow", "Action allowed")]),
    ("approval by cost is strict", {"approval": {"require_for": [{"cost_gt": 1}]}},
     [(spend(1.0), "allow", "Action allowed"),
      (spend(1.01), "require_approval", "Action requires approval by rule #1: cost_gt=1")]),
    ("integers are compared exactly", {"approval": {"require_for": [{"cost_gt": 2**53}]}},
     [(spend(2**53), "allow", "Action allowed"),
      (spend(2**53 + 1), "require_approval",
       "Action requires approval by rule #1: cost_gt=9007199254740992"),
      (spend(-2**53 - 1), "allow", "Action allowed")]),
    ("keys of a rule, in their order",
     {"approval": {"require_for": [
         {"source": "gpt", "cost_gt": "0.5", "action_type": "cost", "domain": None, "tool": None}]}},
     [(spend(1, source="gpt"), "require_approval",
       "Action requires approval by rule #1: action_type=cost, tool=None, domain=None, source=gpt, "
       "cost_gt=0.5"), (spend(1), "allow", "Action allowed")]),
    ("rules are tried in order", {"approval": {"require_for": [{"tool": "a", "cost_gt": 5},
                                                               {"domain": "x.org"}, {"why": 1}]}},
     [(tool("a"), "require_approval", "Action requires approval by rule #3: custom rule"),
      (tool("a", 6), "require_approval",
       "Action requires approval by rule #1: tool=a, cost_gt=5"),
      (http("http://X.org"), "require_approval",
       "Action requires approval by rule #2: domain=x.org")]),
    ("tool: null matches whatever is no tool", {"approval": {"require_for": [{"tool": None}]}},
     [(tool("a"), "allow", "Action allowed"),
      (spend(1), "require_approval", "Action requires approval by rule #1: tool=None")]),
    ("approved lifts neither lists nor budget",
     {"budget": {"max_spend": 1}, "tools": {"block": ["a"]},
      "approval": {"require_for": [{}]}},
     [(tool("a", approved=True), "deny", "Tool 'a' denied by tools.block policy"),
      (tool("b", 2, approved=True), "deny", "Budget exceeded: $2.0000 would exceed $1.00"),
      (tool("b", 1, approved=True), "allow", "Action allowed"),
      (tool("b"), "require_approval", "Action requires approval by rule #1: custom rule")]),
    ("lists before budget before approval",
     {"budget": {"max_spend": 1}, "tools": {"allow": ["b"]},
      "approval": {"require_for": [{"action_type": "tool"}]}},
     [(tool("a", 2), "deny", "Tool 'a' denied because it is not in tools.allow"),
      (tool("b", 2), "deny", "Budget exceeded: $2.0000 would exceed $1.00"),
      (tool("b", 1), "require_approval",
       "Action requires approval by rule #1: action_type=tool")]),
    ("a cost that carries a tool is not asked of tool lists",
     {"tools": {"block": ["a"]}, "approval": {"require_for": [{"tool": "b"}]}},
     [(raw(action_type="cost", tool_name="a"), "allow", "Action allowed"),
      (raw(action_type="cost", tool_name="b"), "require_approval",
       "Action requires approval by rule #1: tool=b")]),
    ("negative and NaN pass, text raises",
     {"budget": {"max_spend": 1}},
     [(spend(-5), "allow", "Action allowed"), (spend(float("nan")), "allow", "Action allowed"),
      (spend("1"), "error", "unsupported operand type(s) for +: 'float' and 'str'"),
      (spend(1), "allow", "Action allowed")]),
    ("a bad cost_gt raises when it is reached",
     {"approval": {"require_for": [{"tool": "a", "cost_gt": "much"}]}},
     [(tool("b"), "allow", "Action allowed"),
      (tool("a"), "error", "could not convert string to float: 'much'")]),
    ("hosts that CPython refuses", {"tools": {}},
     [(http("http://[::1"), "error", "Invalid IPv6 URL"),
      (http("http://[x]/"), "error", "'x' does not appear to be an IPv4 or IPv6 address"),
      (http("http://a\uff0fb"), "error",
       "netloc 'a\uff0fb' contains invalid characters under NFKC normalization"),
      (http(5), "error", "'int' object has no attribute 'decode'"),
      (http("http://[::1]:80/"), "allow", "Action allowed")]),
    ("names with quotes", {"tools": {"block": ["it's", 'a"b\'', "tab\t!"]}},
     [(tool("it's"), "deny", "Tool \"it's\" denied by tools.block policy"),
      (tool('a"b\''), "deny", "Tool 'a\"b\\'' denied by tools.block policy"),
      (tool("tab\t!"), "deny", "Tool 'tab\\t!' denied by tools.block policy")]),
]

# What the original takes for "allow everything" by a mistake is refused, whoever reads it.
MISTAKES = ["", "# nothing\n", "0", "''", "[]", "{}", "tool: {allow: [a]}", "Budget: {max_spend: 5}"]


def test_by_hand(tap):
    for text, message in REFUSALS:
        run = Run(text, [])
        told = run.status == 1 and f": {message}" in run.error and re.search(
            r"policy\.yaml:\d+:\d+: ", run.error)
        tap.fact(f"refused: {text}", [] if told else [run.error])
        assert str(outcome(text)) == message, (text, outcome(text))
    for text in MISTAKES:
        run = Run(text, [])
        tap.fact(f"refused: {text!r}", [] if run.status == 1 and run.error else [run.error])
    wrong = []
    for written, amount in MONEY.items():
        run = Run(yaml.safe_dump({"budget": {"max_spend": written}}), [])
        if run.status != 0 or plain(run.report["budget"]) != plain(amount):
            wrong.append((written, run.error, run.report))
    tap.fact("money", wrong, len(MONEY))
    for name, document, steps in DECISIONS:
        text = yaml.safe_dump(document)
        run = Run(text, [action for action, _, _ in steps])
        want = [(word, reason) for _, word, reason in steps]
        got = list(zip(run.words(), run.reasons()))
        wrong = [] if want == got else [f"wanted {want}\ngot    {got}\n{run.error}"]
        tap.fact(name, wrong + compare(text, [action for action, _, _ in steps]))


def outcome(text):
    try:
        return oracle.Policy.from_text(text)
    except oracle.InvalidPolicy as error:
        return error


def test_report(tap):
    document = {"budget": {"max_spend": 1}, "tools": {"allow": ["a", "b"]},
                "network": {"block": ["bad.org"]},
                "approval": {"require_for": [{"tool": "b"}, {"source": "gpt"}]}}
    actions = [tool("a", 0.25, metadata={"why": [1, None, "é"]}), tool("no", 0.5), tool("b", 0.1),
               http("http://bad.org/", 0.2), http("http://good.org/", 0.125),
               spend(0.0625, source="gpt"), spend(3), tool("no"),
               raw(action_type="http", tool_name="t", domain="bad.org")]
    run = Run(yaml.safe_dump(document), actions)
    report = run.report
    tap.fact("the report's keys", [] if list(report) == [
        "session_id", "budget", "spent", "remaining", "decision_summary", "cost_summary",
        "policy_hits", "duration_seconds", "decisions"] else [list(report)])
    tap.fact("the session's id", [] if re.fullmatch("pol_[0-9a-f]{12}", report["session_id"])
             else [report["session_id"]])
    want = {"budget": 1.0, "spent": 0.375, "remaining": 0.625,
            "decision_summary": {"allow": 2, "deny": 5, "require_approval": 2,
                                 "by_action_type": {"tool": 4, "http": 3, "cost": 2}},
            "cost_summary": {"by_action_type": {"tool": 0.25, "http": 0.125},
                             "attempted_by_action_type": {"tool": 0.85, "http": 0.325,
                                                          "cost": 3.0625}},
            "policy_hits": {"denied_tools": ["no", "no", "t"],
                            "denied_domains": ["bad.org", "bad.org"],
                            "approval_required": ["b", "cost"]}}
    tap.fact("what the report says", [] if plain(want) == plain({k: report[k] for k in want})
             else [plain(report)])
    first = report["decisions"][0]
    times = [t for d in report["decisions"] for t in (d["action"]["timestamp"], d["timestamp"])]
    tap.fact("a decision of the report", [] if list(first) == [
        "decision_type", "reason", "timestamp", "action"] and list(first["action"]) == [
            "action_type", "cost", "timestamp", "tool_name", "metadata"] else [plain(first)])
    tap.fact("timestamps", [] if times == sorted(times) and run.began <= times[0] and
             times[-1] <= run.ended else [(run.began, times, run.ended)])
    tap.fact("the report is the oracle's", compare(yaml.safe_dump(document), actions))


def test_loop(tap):
    loop = "Loop detected: repeated calls to 'policy:tool'"
    budget = yaml.safe_dump({"budget": {"max_spend": 100}})
    run = Run(budget, [tool(f"t{i}", 1) for i in range(12)] + [http("http://a", 1), tool("free")])
    tap.fact("the tenth paid call of a type raises, and each after it",
             [] if run.reasons() == ["Action allowed"] * 9 + [loop] * 3 + ["Action allowed"] * 2
             else [run.reasons()])
    tap.fact("it is charged all the same, and allowed in the report", []
             if run.report["spent"] == 13.0 and run.report["decision_summary"]["allow"] == 14
             else [plain(run.report)])
    run = Run(budget, [tool("t", 0)] * 30 + [tool("t", -1)] * 30)
    tap.fact("free calls never trip it", [] if set(run.words()) == {"allow"} else [run.words()])
    run = Run("budget: {max_spend: 0}", [tool("t", 1)] * 30)
    tap.fact("nor does a session without a budget", [] if set(run.words()) == {"allow"}
             and run.report["spent"] == 30.0 and run.report["remaining"] == 0.0 else [run.words()])


# ---- at random

TOOLS = ["a", "b", "search_docs", "A", " pad ", "pad", "Ünï", "日本", "it's", "q\"'", "tab\t", "\u00a0x",
         "x" * 70, "é\u0301", "\x7f", "\u200b", "\U0001f600", "nul\x00", "", " ", "\x85"]
DOMAINS = ["x.org", "x.org:443", "u@x.org", "[::1]", "[::1]:80", "Twitter.com", "", "é.com", "x.org.",
           "127.0.0.1", " pad.org ", "ß.de", "οδος"]
URLS = ["http://x.org/", "https://X.ORG:443/p?q#f", "http://u@x.org", "http://[::1]/", "//[::1]:80",
        "http://Twitter.com", "nothing", "", "http:///p", "http://É.com", "http://x.org.",
        "http://127.0.0.1?x", "ws://pad.org", "http://ΟΔΟΣ/", "http://ẞ.DE", "http://[::1", "1a://x.org",
        "http:// pad.org /", "\x00\x1f http://x.org", None, 0, 5, [], "mailto:a@x.org", "a:b://x.org"]
COSTS = [0, 0.0, 0.1, 0.2, 0.3, 1, 5, 0.05, 1e-7, 1.005, 2.675, 1e22]
ODD_COSTS = [True, False, -1, -0.0, float("nan"), float("inf"), float("-inf"), 1e308, 10**400, 2**53 + 1,
             10**20, "5", "", None, [], {}, "nan"]
MONEYS = [0, 0.3, 1, 5, "$5.00", "2", "$$1", "1e3", "1_0", 0.05, 10**16, "100000"]
ODD_MONEYS = ["inf", "nan", "-0", "-0.0", "", "5,000", "5 USD", None, True, False, -1, -1.5, "-1", "$-2",
              [], {}, {"a": 1}, [1, "b"], 10**400, -10**400, float("nan"), float("inf"), -float("inf"),
              datetime.date(2020, 1, 2), "１２", " $ 7 ", "\u00a05\u2003", "0x10", "1__0", "_1", "1e400",
              "infinity", "-nan", "+5", "+-5", "$", "٣٫٥", "1e", ".5", "5."]
LIMITS = [0, 0.1, 0.2, 1, "1", "0.5", 5, 2**53, True, 1e22]
ODD_LIMITS = ["much", None, [], {}, "nan", "inf", " 1 ", "1_0", "", "$1", -1, 10**400, 10**20, "it's"]


def maybe(rng, chance):
    return rng.random() < chance


def random_names(rng, pool):
    if maybe(rng, 0.04):
        return rng.choice([None, "text", 5, True, {}, [5], [None], ["a", False], [[]], 1.5,
                           datetime.date(2020, 1, 2), {"a": 1, "x.org": 2}, {5: 1}])
    return [rng.choice(pool) for _ in range(rng.randrange(5))]


def random_rule(rng):
    if maybe(rng, 0.01):
        return rng.choice([5, None, "text", []])
    rule = {}
    for key, pool in (("action_type", ["tool", "http", "cost", "Tool", None]),
                      ("tool", TOOLS + [None, 5]), ("domain", DOMAINS + [None]),
                      ("source", ["llm", "gpt", None, "", 1.0]), ("cost_gt", LIMITS)):
        if maybe(rng, 0.35):
            rule[key] = rng.choice(pool)
    if "cost_gt" in rule and maybe(rng, 0.15):
        rule["cost_gt"] = rng.choice(ODD_LIMITS)
    if maybe(rng, 0.05):
        rule["note"] = "unknown"
    items = list(rule.items())
    rng.shuffle(items)
    return dict(items)


def random_policy(rng):
    document = {}
    if maybe(rng, 0.6):
        document["budget"] = {"max_spend": rng.choice(ODD_MONEYS if maybe(rng, 0.12) else MONEYS)}
    for section, pool in (("tools", TOOLS), ("network", DOMAINS)):
        if maybe(rng, 0.6):
            document[section] = {key: random_names(rng, pool) for key in ("allow", "block")
                                 if maybe(rng, 0.5)}
    if maybe(rng, 0.6):
        rules = [random_rule(rng) for _ in range(rng.randrange(5))]
        document["approval"] = {"require_for": rng.choice([None, "", {}, 0]) if maybe(rng, 0.03) else rules}
    if maybe(rng, 0.03):
        document[rng.choice(oracle.SECTIONS)] = rng.choice([None, False, [], "x", 5, {}])
    if maybe(rng, 0.1):
        document["unknown"] = {"max_spend": 1}
    return document if set(document) & set(oracle.SECTIONS) else {**document, **ANY_SECTION}


def random_cost(rng):
    return rng.choice(ODD_COSTS if maybe(rng, 0.1) else COSTS)


def random_action(rng):
    more = {}
    if maybe(rng, 0.8):
        more["cost"] = random_cost(rng)
    kind = rng.choice(["tool", "tool", "http", "http", "cost", "raw"])
    if kind == "raw":
        for key, pool in (("tool_name", TOOLS + [5, None, [], True]), ("url", URLS[:4]),
                          ("domain", DOMAINS + [None, {}]), ("source", ["llm", "gpt", 1, None]),
                          ("metadata", [{}, {"a": [1, "é", {"b": None}]}, None, "m"])):
            if maybe(rng, 0.4):
                more[key] = rng.choice(pool)
        return {"kind": "raw", "fields": {"action_type": rng.choice(["tool", "http", "cost"]), **more},
                **({"approved": True} if maybe(rng, 0.1) else {})}
    if maybe(rng, 0.15):
        more["approved"] = rng.choice([True, False])
    if maybe(rng, 0.1):
        more["metadata"] = rng.choice([{"k": 1.50, "s": "\u2028\"\\"}, None, [], {"\ud800": True}])
    if kind == "tool":
        return {"kind": kind, "name": rng.choice(TOOLS + [5, None]), **more}
    if kind == "http":
        return {"kind": kind, "url": rng.choice(URLS), **more}
    if maybe(rng, 0.5):
        more["source"] = rng.choice(["llm", "gpt", "", "ünï", None])
    return {"kind": kind, "cost": random_cost(rng), **more}


def dump(rng, document):
    return yaml.safe_dump(document, allow_unicode=maybe(rng, 0.5), sort_keys=False,
                          default_flow_style=rng.choice([None, True, False]))


def test_random(tap, rng):
    cases = []
    for _ in range(CASES):
        document = random_policy(rng)
        cases.append((dump(rng, document), [random_action(rng) for _ in range(rng.randrange(1, 40))]))
    with ThreadPoolExecutor(2) as pool:
        differences = [d for found in pool.map(lambda case: compare(*case), cases) for d in found]
    tap.fact("random policies and sessions", differences, sum(len(actions) for _, actions in cases))
    refused = sum(isinstance(outcome_or_overflow(text), Exception) for text, _ in cases)
    tap.fact("of which some are refused, and most are not", []
             if CASES < 100 or CASES * 0.02 < refused < CASES * 0.6 else [refused], refused)


def outcome_or_overflow(text):
    try:
        return outcome(text)
    except OverflowError as error:
        return error


PIECES = ["http", "https", ":", "//", "/", "?", "#", "@", "[", "]", "::1", "fe80::1", "%", "%25eth0", "v1.x",
          "vF.", "1.2.3.4", "::ffff:1.2.3.4", "::1.2.3.04", "1:2:3:4:5:6:7:8", "1::", "x.org", "X.Org", ":80",
          "u:p@", " ", "\t", "\n", "\r", "\x00", "\x1f", "\x0b", "é", "É", "İ", "Σ", "ΑΣ", "ß", "\u2100",
          "\uff0f", "\uff1a", "\u2047", "\ufe13", "\u00a0", "\u3000", "\u2028", "日", "\U0001f600", "\ud800",
          "\udcff", ".", "..", "-", "+", "_", "a", "1", "g::", "::12345", ":::", "1:2:3:4:5:6:7::", "\\", "'"]


def random_url(rng):
    url = "".join(rng.choice(PIECES) for _ in range(rng.randrange(1, 7)))
    if maybe(rng, 0.5):
        url = rng.choice(["http://", "//", "a+b.c-1://", " ws://"]) + url
    if maybe(rng, 0.2):
        url = "http://[" + "".join(rng.choice(PIECES) for _ in range(rng.randrange(3))) + "]" + rng.choice(
            ["", ":80", "/", "x", "@b", "?[", "]"])
    return url


def test_urls(tap, rng):
    actions = [http(url) for url in URLS]
    actions += [http(random_url(rng)) for _ in range(CASES * 10)]
    # Every character that NFKC could turn into a delimiter, and every one that has a lower case.
    actions += [http("http://a" + chr(c)) for c in range(0x80, 0x20000)
                if chr(c).lower() != chr(c) or not chr(c).isidentifier()]
    differences = []
    for begin in range(0, len(actions), 20000):
        differences += compare("network: {allow: []}", actions[begin:begin + 20000])
    tap.fact("domains of URLs", differences, len(actions))


# ---- commands


def command(*words):
    return subprocess.run([HOLDFAST, "policy", *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, check=False)


def test_commands(tap):
    with tempfile.TemporaryDirectory() as directory:
        good, bad = pathlib.Path(directory, "good.yaml"), pathlib.Path(directory, "bad.yaml")
        good.write_text("budget: {max_spend: $5}\ntools: {block: [send_email]}\n"
                        "network: {allow: [docs.python.org]}\n")
        bad.write_text("budget: {max_spend: lots}\ntools: {}\n")
        done = command("validate", good)
        tap.fact("validate", [] if (done.returncode, done.stdout, done.stderr) == (
            0, f"Policy valid: {good}\n", "") else [done])
        for name in ("validate", "demo"):
            done = command(name, bad)
            tap.fact(f"{name} of an invalid file", [] if done.returncode == 1 and not done.stdout and
                     done.stderr.count("\n") == 1 and
                     "bad.yaml:1:21: Invalid money value: 'lots'" in done.stderr else [done])
            done = command(name, pathlib.Path(directory, "none.yaml"))
            tap.fact(f"{name} of a missing file", [] if done.returncode == 1 and not done.stdout and
                     done.stderr.count("\n") == 1 else [done])
            tap.fact(f"{name} without a file", [] if command(name).returncode == 2 else [name])
        done = command("demo", good)
        report = json.loads(done.stdout)
        words = [d["decision_type"] for d in report["decisions"]]
        tap.fact("demo", [] if done.returncode == 0 and words == ["allow", "allow", "deny"] and
                 report["session_id"] == "pol_demo" and report["spent"] == 0.03 and
                 report["policy_hits"]["denied_tools"] == ["send_email"] else [done])
        done = command("explain", good)
        said = json.loads(done.stdout) if done.returncode == 0 else None
        tap.fact("explain", [] if said and list(said) == ["budget", "supported_checks", "load_path"] and
                 said["budget"] == 5.0 and said["load_path"] == str(good) else [done])


def main():
    tap, rng = Tap(), random.Random(seed())
    test_by_hand(tap)
    test_report(tap)
    test_loop(tap)
    test_urls(tap, rng)
    test_random(tap, rng)
    test_commands(tap)
    tap.end()


main()
