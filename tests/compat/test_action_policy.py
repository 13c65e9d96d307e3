#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""agent-action-policy's documents, decided by Holdfast and by oracle_action_policy.py.

Speaks TAP. The random policies and actions are the same on every run; HOLDFAST_COMPAT_SEED and
HOLDFAST_COMPAT_POLICIES take others and more.
"""

import json
import math
import os
import random
import warnings

import yaml

from compat import ROOT, Tap
from dialect import Dialect, Refused
from oracle_action_policy import Engine, Raised

TEMPLATES = ROOT / "policies" / "templates"
SEED = int(os.environ.get("HOLDFAST_COMPAT_SEED", "1"))
POLICIES = int(os.environ.get("HOLDFAST_COMPAT_POLICIES", "500"))
ACTIONS = 40
LANGUAGE = "agent-action-policy"
VERDICTS = {"approve": "allow", "escalate": "ask", "deny": "deny"}
ABSENT = object()

warnings.simplefilter("ignore")  # of re, on patterns that it may read otherwise one day
tap = Tap()
holdfast = Dialect(LANGUAGE)


def action(tool, args=ABSENT):
    return {"tool": tool} if args is ABSENT else {"tool": tool, "args": args}


def shown(value):
    """A name or reason is any value for the original; answers carry text or null."""
    return value if value is None or isinstance(value, str) else str(value)


def wanted(engine, asked):
    """What the oracle says, in the words of `policy eval`."""
    try:
        word, name, reason = engine.evaluate(asked["tool"], asked.get("args"))
    except Raised as e:
        return ("error", str(e))
    return (VERDICTS[word], word, shown(name), shown(reason))


def got(answer):
    if "error" in answer:
        return ("error", answer["error"])
    return (answer["verdict"], answer["word"], answer["rule"], answer["reason"])


def is_same(want, have):
    """Messages of errors are Python's, word by word, only where there is no expression in them."""
    return want == have if want[0] != "error" else have[0] == "error"


def differences_of(text, actions, default="approve", policy=None):
    try:
        engine = Engine.load(text, default)
    except Raised as e:
        message = holdfast.refusal(text)
        if message is None:
            return [f"not refused, but the original raises {e}:\n{text}"]
        return [] if holdfast.has_position(message) else [f"no position: {message}\n{text}"]
    try:
        answers = holdfast.ask(text, actions, default, policy)
    except Refused as e:
        return [f"refused: {e}\n{text}"]
    result = []
    for asked, answer in zip(actions, answers):
        want, have = wanted(engine, asked), got(answer)
        if not is_same(want, have):
            result.append(f"{json.dumps(asked)}: wanted {want}, got {have}\n{text}")
    return result


def template(name):
    return (TEMPLATES / f"{name}.yaml").read_text()


# ---- the templates

TABLE = {
    "safe_coding": [
        ("no-destructive-git", "bash", r"git\s+(push\s+--force|reset\s+--hard|clean\s+-[fd]|branch\s+-D)",
         [], "deny", 10, "Destructive git operations require human approval"),
        ("no-force-push-main", "bash", r"git\s+push\s+--force.*\b(main|master)\b", [], "deny", 5,
         "Force push to main/master is not allowed"),
        ("no-rm-rf", "bash", r"rm\s+-[rf]{2,}", [], "escalate", 10,
         "Recursive file deletion needs confirmation"),
        ("no-system-file-write", "~(file_write|write_file|edit)", None,
         ["/etc/*", "/usr/*", "/boot/*", "/sys/*"], "deny", 10,
         "System file modification is not allowed"),
        ("no-credential-access", "~(file_read|read_file|read|cat)", None,
         [r"~\.env$", "~credentials", r"~\.ssh/", r"~\.aws/", r"~\.gnupg/"], "escalate", 20,
         "Credential file access needs confirmation"),
        ("no-skip-hooks", "bash", "--no-verify|--no-gpg-sign", [], "deny", 10,
         "Skipping git hooks or GPG signing is not allowed"),
    ],
    "safe_browsing": [
        ("block-internal-urls", "~(http_request|web_fetch|fetch|browse)",
         r"(127\.0\.0\.1|localhost|0\.0\.0\.0|\[::1\]|169\.254)", [], "deny", 10,
         "Access to internal/metadata URLs is not allowed"),
        ("block-file-protocol", "~(http_request|web_fetch|fetch|browse)", "file://", [], "deny", 10,
         "file:// protocol access is not allowed"),
        ("escalate-download", "~(download|wget|curl)", None, [], "escalate", 50,
         "File downloads need confirmation"),
    ],
    "safe_database": [
        ("block-ddl", "~(sql|query|database|db)",
         r"(?i)(DROP|TRUNCATE|ALTER|CREATE)\s+(TABLE|DATABASE|INDEX|SCHEMA)", [], "deny", 10,
         "DDL operations (DROP, TRUNCATE, ALTER, CREATE) are not allowed"),
        ("escalate-delete", "~(sql|query|database|db)", r"(?i)DELETE\s+FROM", [], "escalate", 20,
         "DELETE operations need confirmation"),
        ("escalate-update-no-where", "~(sql|query|database|db)",
         r"(?i)UPDATE\s+\w+\s+SET(?!.*WHERE)", [], "escalate", 20,
         "UPDATE without WHERE clause needs confirmation"),
    ],
    "strict": [
        ("allow-read-only", "~(read|search|grep|glob|list|ls|cat|head|tail|find)", None, [],
         "approve", 10, "Read-only operations are allowed"),
    ],
}


def as_row(rule):
    match = rule["match"]
    return (rule["name"], match["tool"], match.get("args_pattern"), match.get("path_patterns", []),
            rule["action"], rule["priority"], rule["reason"])


def test_templates_have_the_rules_of_the_original():
    result = []
    for name, rows in TABLE.items():
        found = [as_row(rule) for rule in yaml.safe_load(template(name))["policies"]]
        if found != rows:
            result.append(f"{name}: {found}")
    if sorted(p.stem for p in TEMPLATES.glob("*.yaml") if "." not in p.stem) != sorted(TABLE):
        result.append("other templates than the original's four")
    return result


# (template, default, tool, args, word): the cases of the original's own tests, and its surprises.
CASES = [
    ("safe_coding", None, "bash", {"command": "git push --force origin main"}, "deny"),
    ("safe_coding", None, "bash", {"command": "git push --force origin topic"}, "deny"),
    ("safe_coding", None, "bash", {"command": "git reset --hard HEAD~1"}, "deny"),
    ("safe_coding", None, "bash", {"command": "git branch -D topic"}, "deny"),
    ("safe_coding", None, "bash", {"command": "git clean -fd"}, "deny"),
    ("safe_coding", None, "bash", {"command": "git commit --no-verify -m x"}, "deny"),
    ("safe_coding", None, "bash", {"command": "git commit --no-gpg-sign"}, "deny"),
    ("safe_coding", None, "bash", {"command": "rm -rf /tmp/x"}, "escalate"),
    ("safe_coding", None, "bash", {"command": "rm -rf /"}, "escalate"),
    ("safe_coding", None, "file_write", {"path": "/etc/hosts"}, "deny"),
    ("safe_coding", None, "file_read", {"path": "/app/.env"}, "escalate"),
    ("safe_coding", None, "file_read", {"path": "/home/u/.ssh/id_rsa"}, "escalate"),
    ("safe_coding", None, "read", {"file_path": "/home/u/.aws/credentials"}, "escalate"),
    ("safe_coding", None, "bash", {"command": "git status"}, "approve"),
    ("safe_coding", None, "bash", {"command": "pytest tests/"}, "approve"),
    ("safe_coding", None, "file_write", {"path": "/home/u/src/a.py"}, "approve"),
    ("safe_browsing", None, "http_request", {"url": "http://localhost:8080/"}, "deny"),
    ("safe_browsing", None, "fetch", {"url": "http://127.0.0.1/"}, "deny"),
    ("safe_browsing", None, "web_fetch", {"url": "http://169.254.169.254/latest"}, "deny"),
    ("safe_browsing", None, "browse", {"url": "http://[::1]/"}, "deny"),
    ("safe_browsing", None, "fetch", {"url": "file:///etc/passwd"}, "deny"),
    ("safe_browsing", None, "fetch", {"url": "https://example.com"}, "approve"),
    ("safe_browsing", None, "curl", {"url": "https://example.com/x.tar"}, "escalate"),
    ("safe_database", None, "sql", {"query": "DROP TABLE users"}, "deny"),
    ("safe_database", None, "sql_query", {"query": "truncate table users"}, "deny"),
    ("safe_database", None, "database", {"query": "ALTER  TABLE users ADD x"}, "deny"),
    ("safe_database", None, "db", {"query": "DELETE FROM users"}, "escalate"),
    ("safe_database", None, "sql", {"query": "SELECT * FROM users"}, "approve"),
    ("safe_database", None, "sql", {"query": "INSERT INTO users VALUES (1)"}, "approve"),
    ("strict", "deny", "file_read", {"path": "a"}, "approve"),
    ("strict", "deny", "search", {"q": "a"}, "approve"),
    ("strict", "deny", "grep", None, "approve"),
    ("strict", "deny", "file_write", {"path": "a"}, "deny"),
    ("strict", "deny", "bash", {"command": "ls"}, "deny"),
    ("strict", "deny", "http_request", {"url": "https://example.com"}, "deny"),
    # names that contain one of the words
    ("strict", "deny", "authenticate", None, "approve"),
    ("strict", "deny", "delete_all_tools", None, "approve"),
    ("strict", "deny", "thread_kill", None, "approve"),
    ("strict", "deny", "send_details", None, "approve"),
    ("safe_coding", None, "credit_card", {"path": "/etc/hosts"}, "deny"),
    ("safe_database", None, "feedback", "drop table x", "deny"),
    # what the template does not catch
    ("safe_coding", None, "bash", {"command": "git push -f"}, "approve"),
    ("safe_coding", None, "bash", {"command": "git push origin +main"}, "approve"),
    ("safe_coding", None, "bash", {"command": "git push origin main --force"}, "approve"),
    ("safe_coding", None, "bash", {"command": "rm -r -f /"}, "approve"),
    ("safe_coding", None, "bash", {"command": "rm --recursive /"}, "approve"),
    ("safe_coding", None, "sh", {"command": "rm -rf /"}, "approve"),
    ("safe_coding", None, "bash", {"command": ["rm", "-rf", "/"]}, "approve"),
    ("safe_coding", None, "file_write", {"path": "/home/../etc/hosts"}, "approve"),
    ("safe_coding", None, "file_write", {"path": "//etc/hosts"}, "approve"),
    ("safe_coding", None, "file_write", {"filePath": "/etc/hosts"}, "approve"),
    # the dot stops at a newline; a WHERE in a later argument counts
    ("safe_database", None, "sql", {"query": "UPDATE t SET a=1\nWHERE b"}, "escalate"),
    ("safe_database", None, "sql", {"query": "UPDATE t SET a=1 WHERE b"}, "approve"),
    ("safe_database", None, "sql", {"query": "UPDATE t SET a=1", "z": "WHERE"}, "approve"),
    ("safe_database", None, "sql", {"query": "UPDATE t SET a=1", "a": "WHERE"}, "escalate"),
]


def test_templates_decide_as_the_original():
    result = []
    for name, default, tool, args, word in CASES:
        asked = action(tool, args)
        answer = holdfast.ask(None, [asked], default, str(TEMPLATES / f"{name}.yaml"))[0]
        engine = Engine.load(template(name), default or "approve")
        if answer["word"] != word or got(answer) != wanted(engine, asked):
            result.append(f"{name} {asked}: {answer}, not {word}")
    return result


# ---- hand-made documents: (policies as YAML, actions)

def rules(*texts):
    return "policies:\n" + "".join(f"  - {text}\n" for text in texts)


DOCUMENTS = [
    # order: priority, then the file; an approve before a deny wins
    (rules("{name: a, action: deny, priority: 20}", "{name: b, action: approve, priority: 10}"),
     [action("x")]),
    (rules("{name: a, action: approve}", "{name: b, action: deny}"), [action("x")]),
    (rules("{name: a, action: deny, priority: 100}", "{name: b, action: approve}"), [action("x")]),
    (rules("{name: a, priority: 1.5}", "{name: b, priority: true}", "{name: c, priority: 0x1}"),
     [action("x")]),
    (rules("{name: a, priority: 9007199254740993}", "{name: b, priority: 9007199254740992.0}"),
     [action("x")]),
    (rules("{name: a, priority: 9007199254740992.0}", "{name: b, priority: 9007199254740993}"),
     [action("x")]),
    (rules("{name: a, priority: -9007199254740992.0}", "{name: b, priority: -9007199254740993}"),
     [action("x")]),
    (rules("{name: a, priority: .inf}", f"{{name: b, priority: {10 ** 400}}}"), [action("x")]),
    (rules("{name: a, priority: -.inf}", f"{{name: b, priority: -{10 ** 400}}}"), [action("x")]),
    (rules(f"{{name: a, priority: {10 ** 400}}}", f"{{name: b, priority: {10 ** 400 - 1}}}"),
     [action("x")]),
    (rules("{name: a, priority: -0.0}", "{name: b, priority: 0}"), [action("x")]),
    (rules("{name: a, priority: '9'}", "{name: b, priority: '10'}"), [action("x")]),
    (rules("{name: a, priority: 'z'}", "{name: b, priority: '\u00e9'}"), [action("x")]),
    # a lone rule may have any priority
    (rules("{name: a, priority: null}"), [action("x")]),
    (rules("{name: a, priority: [1]}"), [action("x")]),
    (rules("{name: a, priority: .nan}"), [action("x")]),
    # words
    (rules("{name: a, action: aPProVe}"), [action("x")]),
    (rules('{name: a, action: "e\u017fcalate"}'), [action("x")]),
    (rules("{name: a}"), [action("x")]),
    # names and reasons that are no text
    (rules("{name: 5, reason: 1.50}"), [action("x")]),
    (rules("{name: null, reason: null}"), [action("x")]),
    (rules("{name: yes, reason: [a, {b: 'c'}]}"), [action("x")]),
    (rules("{name: '', reason: ''}"), [action("x")]),
    (rules("{name: 2024-01-01}"), [action("x")]),
    (rules("{name: a, name: b}"), [action("x")]),
    # tools
    (rules("{name: a, match: {tool: 'file_*'}}"),
     [action("file_read"), action("File_read"), action("xfile_read"), action("file_\n/")]),
    (rules("{name: a, match: {tool: '[^a]b'}}"), [action("ab"), action("^b"), action("cb")]),
    (rules("{name: a, match: {tool: '[!a]b'}}"), [action("ab"), action("cb"), action("\u00e9b")]),
    (rules("{name: a, match: {tool: '[ab'}}"), [action("[ab"), action("a")]),
    (rules("{name: a, match: {tool: 'a\\*b'}}"), [action("a\\xb"), action("a*b"), action("a\\*b")]),
    (rules("{name: a, match: {tool: '{a,b}'}}"), [action("a"), action("{a,b}")]),
    (rules("{name: a, match: {tool: '~'}}"), [action(""), action("x")]),
    (rules("{name: a, match: {tool: ''}}"), [action(""), action("x")]),
    (rules("{name: a, match: {tool: '?'}}"), [action("\U0001f600"), action("xx"), action("")]),
    # arguments
    (rules("{name: a, match: {args_pattern: ''}}"), [action("x"), action("x", None)]),
    (rules("{name: a, match: {args_pattern: 0}}"), [action("x"), action("x", None)]),
    (rules("{name: a, match: {args_pattern: '^'}}"),
     [action("x"), action("x", None), action("x", ""), action("x", {}), action("x", [])]),
    (rules("{name: a, match: {args_pattern: '^command'}}"),
     [action("x", {"command": "y"}), action("x", {"a": 1, "command": 2}), action("x", "command")]),
    (rules("{name: a, match: {args_pattern: \"a=True b=None c=1.0 d=1e.16 e=.'x', \\\\{'y': 1\"}}"),
     [action("x", {"e": ["x", {"y": 1}], "d": 1e16, "c": 1.0, "b": None, "a": True})]),
    (rules("{name: a, match: {args_pattern: '^.1, 2]$'}}"), [action("x", [1, 2]), action("x", "[1, 2]")]),
    (rules("{name: a, match: {args_pattern: '^12$'}}"), [action("x", 12), action("x", 12.0)]),
    (rules("{name: a, match: {args_pattern: 'Z=1 a=2 \u00e9=3 \U0001f600=4'}}"),
     [action("x", {"\U0001f600": 4, "\u00e9": 3, "a": 2, "Z": 1})]),
    (rules("{name: a, match: {args_pattern: 'a=1 \uff21=2 \U0001f600=3'}}"),
     [action("x", {"\U0001f600": 3, "\uff21": 2, "a": 1})]),
    (rules("{name: a, match: {args_pattern: '^a=2 a b=1 ab=3$'}}"),
     [action("x", {"ab": 3, "a b": 1, "a": 2})]),
    # paths
    (rules("{name: a, match: {path_patterns: /etc/*}}"),
     [action("x", {"path": "/etc/a/b"}), action("x", "/etc/x"), action("x", ["/etc/x"]),
      action("x", {"path": "", "file": "/etc/x"}), action("x", {"path": None, "file": "/etc/x"}),
      action("x", {"file": "/etc/x", "file_path": "/usr"}), action("x", {"other": "/etc/x"}),
      action("x"), action("x", ""), action("x", {"filepath": "/etc/\n"})]),
    (rules("{name: a, match: {path_patterns: [None, '5', \"['a']\", 'True']}}"),
     [action("x", {"path": None}), action("x", {"path": 5}), action("x", {"path": ["a"]}),
      action("x", {"path": True}), action("x", {"path": 0})]),
    (rules("{name: a, match: {path_patterns: []}}"), [action("x"), action("x", {"path": "/"})]),
    (rules("{name: a, match: {path_patterns: {/etc/*: 1, /usr/*: 2}}}"),
     [action("x", "/usr/x"), action("x", "/opt")]),
    (rules("{name: a, match: {path_patterns: '~/.ssh/*'}}"),
     [action("x", "/home/u/.ssh/id"), action("x", "~/.ssh/id"), action("x", "/assh/")]),
    # what raises, and only when it is reached
    (rules("{name: a, match: {tool: '~('}}"), [action("x")]),
    (rules("{name: a, match: {tool: y}}", "{name: b, match: {tool: '~[z-a]'}}"),
     [action("x"), action("y")]),
    (rules("{name: a, match: {tool: null}}"), [action("x")]),
    (rules("{name: a, match: {tool: 5}}", "{name: b, priority: 1, match: {tool: y}}"),
     [action("x"), action("y")]),
    (rules("{name: a, match: {tool: [bash]}}"), [action("bash")]),
    (rules("{name: a, match: {args_pattern: '('}}"), [action("x", "("), action("x")]),
    (rules("{name: a, match: {args_pattern: 'x(?i)y'}}"), [action("x", "xy")]),
    (rules("{name: a, match: {args_pattern: 5}}"), [action("x", "5"), action("x"), action("x", None)]),
    (rules("{name: a, match: {args_pattern: [a]}}"), [action("x", "a"), action("x", None)]),
    (rules("{name: a, match: {tool: y, args_pattern: 5}}"), [action("x", "5"), action("y", "5")]),
    (rules("{name: a, match: {path_patterns: ['/a', '~(', '/b']}}"),
     [action("x", "/a"), action("x", "/b"), action("x", ""), action("x")]),
    (rules("{name: a, match: {args_pattern: q, path_patterns: '~('}}"),
     [action("x", "/a"), action("x", "q")]),
    (rules("{name: a, match: {path_patterns: [/a, 5]}}"), [action("x", "/a"), action("x", "/b")]),
    # null args: no pattern matches them, not even one that would raise
    (rules("{name: a, match: {args_pattern: '.*'}}"), [action("x", None), action("x")]),
    # keys that nobody knows
    ("policies: [{name: a, extra: 1, match: {tools: bash, 5: 6}}]\nversion: 1\n", [action("x")]),
    # YAML 1.1
    ("base: &b {tool: bash}\npolicies:\n- {name: a, match: {<<: *b}}\n", [action("bash"), action("x")]),
    (rules("{name: on, action: deny, priority: 010}", "{name: b, priority: 9}"), [action("x")]),
    ("policies: [{name: a, action: &d deny}, {name: b, action: *d}]\n", [action("x")]),
]

REFUSED = [
    "", "# nothing\n", "null\n", "[]\n", "- name: a\n", "text\n", "5\n",
    "policies:\n", "policies: null\n", "policies: 5\n", "policies: true\n", "policies: text\n",
    "policies: {a: {name: b}}\n", "policies: [a]\n", "policies: [null]\n", "policies: [[]]\n",
    rules("{action: deny}"), rules("{name: a, action: allow}"), rules("{name: a, action: null}"),
    rules("{name: a, action: yes}"), rules("{name: a, action: 5}"), rules("{name: a, action: [deny]}"),
    rules("{name: a, action: ''}"), rules("{name: a, action: ' deny'}"),
    rules("{name: a, match: null}"), rules("{name: a, match: []}"), rules("{name: a, match: bash}"),
    rules("{name: a, match: {path_patterns: null}}"), rules("{name: a, match: {path_patterns: 5}}"),
    rules("{name: a, match: {path_patterns: true}}"),
    rules("{name: a, priority: '1'}", "{name: b, priority: 1}"),
    rules("{name: a, priority: '1'}", "{name: b}"), rules("{name: a}", "{name: b, priority: null}"),
    rules("{name: a, priority: {}}", "{name: b, priority: {}}"),
    rules("{name: a}", "{name: b}", "{name: c, priority: x}"),
    "policies: [{name: a}\n", "policies: &a [*a]\n", "policies: [!foo {name: a}]\n", "a: b: c\n",
    "policies: [{name: a}]\n---\npolicies: []\n", "policies: [{name: *x}]\n", "\tpolicies: []\n",
]

# What the original lets through, so that it approves everything or cannot be carried over.
REFUSED_ON_PURPOSE = [
    "polices: [{name: a}]\n", "{}\n", "policies: {}\n", "policies: ''\n",
    rules('{name: "a\\0b"}'), rules('{name: a, reason: "a\\0b"}'),
    rules("{name: a, priority: .nan}", "{name: b}"),
    rules("{name: a, priority: [1]}", "{name: b, priority: [2]}"),
    rules("{name: a, priority: 2024-01-01}", "{name: b, priority: 2024-01-02}"),
    rules("{name: a, match: {path_patterns: !!set {/etc/*}}}"),
    rules(f"{{name: a, match: {{args_pattern: {'x' * 9000}}}}}"),
]

WARNED = [
    ("policies: []\n", "no rules"),
    (rules("{name: a, match: {tols: x}}"), "unknown key 'tols'"),
    (rules("{name: a, acton: deny}"), "did you mean 'action'"),
    (rules("{name: a, match: {args_pattern: '('}}"), "never matches"),
    (rules("{name: a, match: {tool: '~('}}"), "denied"),
    (rules("{name: a, match: {tool: 5}}"), "not text"),
    (rules("{name: a, match: {path_patterns: ~/.ssh/*}}"), "regular expression"),
    (rules("{name: a, action: approve}"), "every action is approved"),
    (rules("{name: a, name: b}"), "name"),
]


def test_documents():
    result = []
    for text, actions in DOCUMENTS:
        for default in ("approve", "deny", "escalate"):
            result += differences_of(text, actions, default)
    return result


def test_refused():
    result = []
    for text in REFUSED:
        try:
            Engine.load(text)
            result.append(f"the oracle takes {text!r}")
        except Raised:
            result += differences_of(text, [])
    return result


def test_refused_on_purpose():
    result = []
    for text in REFUSED_ON_PURPOSE:
        Engine.load(text)
        message = holdfast.refusal(text)
        if message is None or not holdfast.has_position(message):
            result.append(f"{text[:200]!r}: {message}")
    return result


def test_warned():
    result = []
    for text, words in WARNED:
        holdfast.ask(text, [])
        if words not in holdfast.warnings:
            result.append(f"{text!r}: {holdfast.warnings!r}")
    return result


def test_action_words():
    """Every character beside those of the words: which are upper-cased into one of them?"""
    odd = [chr(c) for c in range(128, 0x110000)
           if chr(c).upper() != chr(c) and set(chr(c).upper()) & set("APROVEDNYSCLT")]
    result = []
    for word in ("approve", "deny", "escalate"):
        for i in range(len(word)):
            for c in odd:
                text = rules(json.dumps({"name": "a", "action": word[:i] + c + word[i + 1:]},
                                        ensure_ascii=False))
                if (word[i].upper() in c.upper()) or c == odd[0]:
                    result += differences_of(text, [action("x")])
    return result


# ---- random documents and actions

TOOLS = ["bash", "file_read", "file_write", "read", "edit", "http_request", "sql", "", "Bash",
         "a/b", "tool\n", "\u00e9t\u00e9", "\U0001f600", "x[1]", "db", "concat", "b?sh", "~x"]
TOOL_PATTERNS = ["*", "bash", "file_*", "*_read", "?ash", "[ab]*", "[!f]*", "[^f]*", "~bash", "~^b",
                 "~(read|edit)", "~", "", "~(?i)BASH", "~\\d", "x[1]", "x[[]1]", "~sql|db", "*\n",
                 "[", "a/*", "**", "~t\u00e9$", "~(", "~a{2,1}", "edit", "read", "\u00e9*", "b\\?sh"]
ARGS_PATTERNS = ["rm", "^cmd=", "cmd=\\w+$", "(?i)DROP\\s+TABLE", "a=1 b=", "\\bmain\\b", "True|None",
                 "\\['rm', '-rf'\\]", "x(?!.*WHERE)", "(?P<q>['\"]).*(?P=q)", "\\d+\\.\\d+", "^$",
                 "\\Aa", "b\\Z", "b$", "[^ -~]", "\\s{2}", "(", "*", "(?<=a=)1", "\\u00e9", "e\\+16",
                 "\\{'k': ", "nan|inf", "", "\\\\n", "[[]", "(a|b)*c", "x{,2}y", "\\w\\W", "\\h"]
PATH_PATTERNS = ["/etc/*", "*.env", "~\\.env$", "~\\.ssh/", "/home/*/x", "[/]*", "*", "", "~", "a?c",
                 "~(", "/etc/passwd", "~^/etc", "None", "5", "~\\n", "*\n*", "[!/]*", "~(?i)ETC"]
PATHS = ["/etc/passwd", "/home/u/.env", "/home/u/.ssh/id", ".env", "", "a/c", "abc", "/etc/x\n",
         "5", "/ETC/x", "\u00e9.env", "/home/u/x/x"]
TEXTS = ["rm -rf /", "drop  table x", "x WHERE", "push main", "it's", 'say "hi"', "a'b\"c", "",
         "line\nbreak", "tab\t", "\x00\x1f\x7f", "\u00e9", "\u00a0\u00a0", "\U0001f600", "\u2028",
         "\ud800", "cmd=x", "1.0", "aac", "xxy", "\\n", "b\n", "\u0665"]
KEYS = ["cmd", "command", "a", "b", "path", "file_path", "filename", "file", "filepath", "Path", "z",
        "\u00e9", "\uff21", "\U0001f600", "", "a b", "a=1 b"]


def random_value(r, depth=0):
    kind = r.randrange(9 if depth < 3 else 6)
    if kind == 0:
        return r.choice([None, True, False])
    if kind == 1:
        return r.choice([0, 1, -5, 12, 2 ** 53 + 1, 10 ** 30, r.randrange(-1000, 1000)])
    if kind == 2:
        return r.choice([1.0, -0.0, 0.1, 1e16, 1e-5, 1.5e300, math.inf, math.nan, r.random() * 100])
    if kind < 6:
        return r.choice(TEXTS + PATHS)
    if kind == 6:
        return [random_value(r, depth + 1) for _ in range(r.randrange(4))]
    return {r.choice(KEYS): random_value(r, depth + 1) for _ in range(r.randrange(4))}


def random_args(r):
    if r.random() < 0.15:
        return r.choice([ABSENT, None])
    if r.random() < 0.2:
        return r.choice(TEXTS + PATHS)
    if r.random() < 0.1:
        return random_value(r)
    return {r.choice(KEYS): random_value(r) if r.random() < 0.5 else r.choice(TEXTS + PATHS)
            for _ in range(r.randrange(5))}


def random_rule(r, priorities):
    rule = {"name": r.choice(["a", "b", "rule \u00e9", "", 5, None]) if r.random() < 0.2
            else f"r{r.randrange(100)}"}
    if r.random() < 0.9:
        rule["action"] = r.choice(["approve", "deny", "escalate", "Approve", "DENY", "escalatE"])
    if r.random() < 0.005:
        rule["action"] = r.choice(["allow", None, True, "", 5])
    if r.random() < 0.5:
        rule["priority"] = r.choice(priorities)
    if r.random() < 0.7:
        rule["reason"] = r.choice(["because", "", "\u2014", None, 1.5]) if r.random() < 0.3 else "why"
    if r.random() < 0.95:
        rule["match"] = match = {}
        if r.random() < 0.8:
            match["tool"] = r.choice(TOOL_PATTERNS)
        if r.random() < 0.5:
            match["args_pattern"] = r.choice(ARGS_PATTERNS)
        if r.random() < 0.3:
            match["path_patterns"] = (r.choice(PATH_PATTERNS) if r.random() < 0.3 else
                                      [r.choice(PATH_PATTERNS) for _ in range(r.randrange(4))])
        if r.random() < 0.01:
            match[r.choice(["tool", "args_pattern", "path_patterns"])] = random_value(r)
        if r.random() < 0.02:
            match["unknown"] = 1
    if r.random() < 0.003:
        del rule["name"]
    return rule


def random_document(r):
    priorities = [1, 10, 10, 20, 50, 100, 200]
    if r.random() < 0.2:
        priorities = [1, 1.0, True, False, 0, -1, 2.5, 2 ** 53 + 1, float(2 ** 53), 10 ** 30, -0.0]
    if r.random() < 0.02:
        priorities = [1, "1", None]
    document = {"policies": [random_rule(r, priorities) for _ in range(r.randrange(1, 12))]}
    if r.random() < 0.05:
        document["version"] = 1
    text = yaml.safe_dump(document, allow_unicode=r.random() < 0.5, sort_keys=r.random() < 0.5,
                          default_flow_style=r.choice([None, False, True]))
    return text.replace("\\uD800", "x")  # libyaml refuses the escape of half a character


def test_random():
    r = random.Random(SEED)
    result, compared = [], 0
    for _ in range(POLICIES):
        actions = [action(r.choice(TOOLS), random_args(r)) for _ in range(ACTIONS)]
        text = random_document(r)
        result += differences_of(text, actions, r.choice(["approve", "deny", "escalate"]))
        compared += ACTIONS
    return result, compared


tap.fact("the templates have the original's rules", test_templates_have_the_rules_of_the_original())
tap.fact("the templates decide as the original's", test_templates_decide_as_the_original(), len(CASES))
tap.fact("hand-made documents decide as the original", test_documents(), len(DOCUMENTS))
tap.fact("what the original raises on is refused, with a position", test_refused(), len(REFUSED))
tap.fact("what approves everything by a mistake is refused", test_refused_on_purpose(),
         len(REFUSED_ON_PURPOSE))
tap.fact("what is odd is told", test_warned(), len(WARNED))
tap.fact("action words are upper-cased as Python does", test_action_words())
tap.fact("random policies decide as the original", *test_random())
tap.end()
