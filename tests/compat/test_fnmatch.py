#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""policy/fnmatch.c against fnmatch.fnmatchcase() of Python. Speaks TAP.

SEED=N repeats a run.
"""

import fnmatch
import itertools
import random
import time

from compat import Batch, Tap, seed

FOUND = {True: "found", False: "not found"}

BY_HAND = {
    "": ["", "a"],
    "*": ["", "a", "a/b\nc", "\n"],
    "?": ["", "a", "/", "\n", "ab", "\U0001f600", "\ud800", "é"],
    "??": ["é", "\U0001f600", "ab"],
    "**a": ["a", "ba", "b"],
    "a.b": ["a.b", "axb"],
    "[": ["[", ""],
    "[]": ["[]", "]"],
    "[!]": ["[!]", "!", "a"],
    "[]]": ["]", "[]]"],
    "[!]]": ["]", "a"],
    "[]abc]": ["]", "a", "d"],
    "[a-c]": ["a", "b", "c", "d", "-"],
    "[a-]": ["a", "-", "b"],
    "[-a]": ["a", "-", "b"],
    "[!-a]": ["a", "-", "b", "!"],
    "[!--a]": ["-", ".", "a", "b"],
    "[a--c]": ["a", "-", "b", "c"],
    "[--a]": ["-", "A", "a", "b"],
    "[z-a]": ["z", "a", "-", "b", ""],
    "[!z-a]": ["z", "a", "-", "\n"],
    "[z-ab]": ["z", "a", "b"],
    "[z-a!b]": ["a", "b", "!", "z"],
    "[z-a!-c]": ["a", "b", "c", "!", "-"],
    "[z-a!]": ["a", "!", "z"],
    "[z-a^b]": ["a", "b", "^", "z"],
    "[z-y-x]": ["z", "y", "x", "-"],
    "[a-c-e]": ["a", "b", "c", "d", "e", "-"],
    "[^a]": ["a", "^", "b"],
    "[^-b]": ["^", "_", "a", "b", "-"],
    "[[]": ["[", "]"],
    "[[a]]": ["[", "a", "a]", "[]"],
    "[\\]": ["\\", "a"],
    "[a\\-c]": ["a", "\\", "b", "-", "]"],
    "\\*": ["\\", "\\a", "*"],
    "[&&]": ["&"], "[a&&b]": ["a", "&"], "[~~]": ["~"], "[||]": ["|"], "[a--b]": ["a", "-", "b"],
    "[a||b]": ["|", "a"],
    "[à-ü]": ["é", "z"],
    "[\ud800]": ["\ud800", "\udfff"],
    "[!a]": ["\ud800", "a", "\n"],
    "*.py": ["a.py", ".py", "a.pyc"],
    "/etc/*": ["/etc/hosts", "/etc/a/b", "/etc"],
    "{a,b}": ["a", "{a,b}"],
    "*a*b*": ["ab", "ba", "xaxbx"],
}


def by_hand(tap):
    tap.fact("by hand", compare(BY_HAND.items()))


def compare(cases):
    """@cases: (pattern, subjects). Return: the differences."""
    batch = Batch("regex")
    for pattern, subjects in cases:
        batch.ask("glob", pattern)
        for subject in subjects:
            batch.ask("match", subject)
    answers = iter(batch.answers())
    differences = []
    for pattern, subjects in cases:
        magic = "magic" if any(c in pattern for c in "*?[") else "plain"
        if next(answers) != magic:
            differences.append(f"has magic: {pattern!r}")
        for subject in subjects:
            wanted = FOUND[fnmatch.fnmatchcase(subject, pattern)]
            got = next(answers)
            if got != wanted:
                differences.append(f"{pattern!r} {subject!r}: wanted {wanted}, got {got}")
    return differences


def every_small_set(tap):
    members = "!-]ac^"
    cases = [("[" + "".join(s) + "]", [*"!-]abc^[", ""])
             for n in range(7) for s in itertools.product(members[:6 if n < 6 else 4], repeat=n)]
    tap.fact("every small set", compare(cases), len(cases) * 9)


def at_random(tap, random):
    def text(alphabet, most):
        return "".join(random.choice(alphabet) for _ in range(random.randint(0, most)))

    cases = [(text("aab*?[]!-^\\&~|/.é\ud800\U0001f600", 12),
              [text("aab[]!-^\\/.é\ud800\U0001f600\n", 8) for _ in range(6)])
             for _ in range(15000)]
    tap.fact("at random", compare(cases), len(cases) * 6)


def long_ones(tap):
    hard = [("*a" * 200 + "b", ["a" * 3000]), ("[" * 2000, ["[" * 2000, "[" * 1999]),
            ("*[" * 500, ["[" * 3000])]
    batch = Batch("regex")
    for pattern, subjects in hard:
        batch.ask("glob", pattern)
        for subject in subjects:
            batch.ask("match", subject)
    started = time.monotonic()
    got = [a for a in batch.answers() if a != "magic"]
    seconds = time.monotonic() - started
    wanted = ["not found", "found", "not found", "found"]
    tap.fact("time is bounded", [] if got == wanted and seconds < 10 else [(got, seconds)])


def main():
    tap = Tap()
    generator = random.Random(seed())
    by_hand(tap)
    every_small_set(tap)
    at_random(tap, generator)
    long_ones(tap)
    tap.end()


main()
