# SPDX-License-Identifier: Apache-2.0
"""What agent-action-policy 0.1.1 says, written anew from its documented behaviour on top of the
same parts of Python that it is made of: yaml, re, fnmatch, str. It is what the C implementation is
compared with; it knows nothing of Holdfast."""

import fnmatch
import re

import yaml

WORDS = {"APPROVE": "approve", "DENY": "deny", "ESCALATE": "escalate"}
PATH_KEYS = ("path", "file_path", "filename", "file", "filepath")
NOTHING_MATCHED = "No matching policy \N{EM DASH} default "


class Raised(Exception):
    """The original raises here, whatever it is."""


def raising(function, *args):
    """What is no mistake of ours but how the original answers."""
    try:
        return function(*args)
    except (TypeError, AttributeError, KeyError, ValueError, OverflowError, re.error,
            yaml.YAMLError, RecursionError) as e:
        raise Raised(f"{type(e).__name__}: {e}") from e


class Rule:
    def __init__(self, raw):
        self.word = WORDS[raw.get("action", "deny").upper()]
        match = raw.get("match", {})
        paths = match.get("path_patterns", [])
        self.paths = [paths] if isinstance(paths, str) else list(paths)
        self.tool = match.get("tool", "*")
        self.args = match.get("args_pattern")
        self.name = raw["name"]
        self.reason = raw.get("reason", "")
        self.priority = raw.get("priority", 100)

    def applies(self, tool, args):
        if not one_of_the_names(self.tool, tool):
            return False
        if self.args and not self.args_match(args):
            return False
        if not self.paths:
            return True
        path = path_of(args)
        return bool(path) and any(path_matches(p, path) for p in self.paths)

    def args_match(self, args):
        if args is None:
            return False
        text = text_of(args)
        try:
            expression = re.compile(self.args)
        except re.error:
            return False
        return expression.search(text) is not None


def one_of_the_names(pattern, tool):
    if pattern.startswith("~"):
        return re.compile(pattern[1:]).search(tool) is not None
    if set("*?[") & set(pattern):
        return fnmatch.fnmatch(tool, pattern)
    return pattern == tool


def path_matches(pattern, path):
    if pattern.startswith("~"):
        return re.compile(pattern[1:]).search(path) is not None
    return fnmatch.fnmatch(path, pattern)


def text_of(args):
    if isinstance(args, dict):
        return " ".join(f"{key}={args[key]}" for key in sorted(args))
    return str(args)


def path_of(args):
    if isinstance(args, str):
        return args
    if isinstance(args, dict):
        for key in PATH_KEYS:
            if key in args:
                return str(args[key])
    return ""


class Engine:
    """load() raises Raised where the original does."""

    def __init__(self, rules, default="approve"):
        self.rules = rules
        self.default = default

    @classmethod
    def load(cls, text, default="approve"):
        def read():
            rules = [Rule(raw) for raw in yaml.safe_load(text).get("policies", [])]
            rules.sort(key=lambda rule: rule.priority)
            return rules
        return cls(raising(read), default)

    def evaluate(self, tool, args=None):
        """The word, the name of the policy and the reason."""
        def decide():
            for rule in self.rules:
                if rule.applies(tool, args):
                    return rule.word, rule.name, rule.reason
            if self.default == "approve":
                return "approve", "", NOTHING_MATCHED + "approve"
            return self.default, "default", NOTHING_MATCHED + "deny (fail-closed)"
        return raising(decide)
