#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""policy/pyregex.c against re.search() of Python 3.11: which patterns are refused, what is found.

Speaks TAP. SEED=N repeats a run, CASES=N makes it longer or shorter.
"""

import os
import random
import re
import sys
import unicodedata
import warnings

from compat import Batch, Tap, seed
from regex_cases import ACCEPTED, CASES, DIFFERENT, REFUSED, UNSUPPORTED
from regex_generator import Generator

COUNT = int(os.environ.get("CASES", "12000"))
SUBJECTS = 6
FOUND = {True: "found", False: "not found"}


def compiled(pattern):
    """None: Python refuses it."""
    try:
        return re.compile(pattern)
    except (re.error, OverflowError, ValueError, RecursionError):
        return None
    finally:
        re.purge()


def searched(regex, subject):
    try:
        return FOUND[regex.search(subject) is not None]
    except SystemError:
        return None  # "please report a bug for the re module"


# Possessive repeats of groups, which CPython 3.11.2 gets wrong (gh-106052).
POSSESSIVE = re.compile(r"\)[^)]*?[*+?}]\+")


def compare(cases, is_spoilt=False):
    """@cases: (pattern, subjects); spoilt ones may grow past a limit. Return: the differences, how
    many subjects were compared, and how many patterns were accepted."""
    batch = Batch("regex")
    for pattern, subjects in cases:
        batch.ask("pattern", pattern)
        for subject in subjects:
            batch.ask("search", subject)
    answers = iter(batch.answers())
    differences, compared, accepted = [], 0, 0
    for pattern, subjects in cases:
        regex = compiled(pattern)
        got = next(answers)
        mine = [next(answers) for _ in subjects]
        if is_spoilt and got.startswith("unsupported"):
            continue
        if (regex is not None) != (got == "ok"):
            differences.append(f"{pattern!r}: Python {'takes' if regex else 'refuses'} it: {got}")
            continue
        if not regex:
            continue
        accepted += 1
        if is_spoilt and (POSSESSIVE.search(pattern) or "limit" in mine):
            continue
        for subject, found in zip(subjects, mine):
            wanted = searched(regex, subject)
            compared += wanted is not None
            if wanted not in (found, None):
                differences.append(f"{pattern!r} {subject!r}: wanted {wanted}, got {found}")
    return differences, compared, accepted


def by_hand(tap):
    differences, compared, _ = compare(list(CASES.items()))
    tap.fact("by hand", differences, compared)
    differences, _, accepted = compare([(p, []) for p in ACCEPTED])
    tap.fact("accepted", differences + [accepted] * (accepted != len(ACCEPTED)), len(ACCEPTED))
    differences, _, accepted = compare([(p, []) for p in REFUSED])
    tap.fact("refused", differences + [accepted] * (accepted != 0), len(REFUSED))


def known_differences(tap):
    """What pyregex.h says remains, so that the list stays true."""
    batch = Batch("regex")
    for pattern in UNSUPPORTED:
        batch.ask("pattern", pattern)
    tap.fact("not supported", [a for a in batch.answers() if not a.startswith("unsupported")],
             len(UNSUPPORTED))
    wrong = []
    for pattern, subject in DIFFERENT:
        wrong += [] if compare([(pattern, [subject])])[0] else [(pattern, subject)]
    tap.fact("different", wrong, len(DIFFERENT))


def every_character(tap):
    """Categories and case folding on all of Unicode, some thousand characters at a time."""
    characters = [chr(c) for c in range(sys.maxunicode + 1)]
    patterns = [r"\w", r"\d", r"\s", r"\W", r"\D", r"\S", r"[^\W]", r"[\W_]", r"[\W\d]", r"[\Wa]",
                r"[^\Wa]", r"(?a)\w", r"(?a)\W", r"(?a)\s", r"(?a)\S", r"(?a)\d", r"(?a)\D", ".",
                r"(?i)[a-z]", r"(?i)[^a-z]", "(?ai)[a-z]", "(?i)[\x80-\uffff]", "(?i)[\u0250-\u2fff]",
                "(?i)[^\U00010000-\U00010410]", r"\b.", r"a\b.", r"(?a)a\b.", r"a\B."]
    differences = []
    batch = Batch("regex")
    for pattern in patterns:
        batch.ask("pattern", pattern)
        for c in characters:
            if not unicodedata.category(c) == "Co" and (ord(c) < 0x20000 or ord(c) % 97 == 0):
                batch.ask("search", "a" + c if pattern.endswith("b.") else c)
    answers = iter(batch.answers())
    compared = 0
    for pattern in patterns:
        next(answers)
        search = re.compile(pattern).search
        for c in characters:
            if not unicodedata.category(c) == "Co" and (ord(c) < 0x20000 or ord(c) % 97 == 0):
                compared += 1
                wanted = FOUND[search("a" + c if pattern.endswith("b.") else c) is not None]
                if next(answers) != wanted:
                    differences.append(f"{pattern!r} {c!r}: wanted {wanted}")
    tap.fact("every character", differences, compared)


def every_case(tap):
    """(?i)c against all that may equal c, and its neighbours."""
    cased = [c for c in map(chr, range(sys.maxunicode + 1))
             if c.lower() != c or c.upper() != c or c.casefold() != c]
    cases = []
    for c in cased:
        others = {x for f in (str.lower, str.upper, str.title, str.casefold) for x in f(c)}
        others |= {x for o in list(others) for f in (str.lower, str.upper) for x in f(o)}
        others |= {chr(max(0, ord(c) - 1)), chr(ord(c) + 1), "i", "I", "k", "s", "\u017f"}
        others = sorted(others)
        cases += [(f"(?i){c}", others), (f"(?i)[{c}]", others), (f"(?i)[{c}0]", others),
                  (f"(?i)[^{c}]", others), (f"(?i)[^{c}0]", others), (f"(?ai){c}", others),
                  (f"(?i)[{c}-{chr(ord(c) + 1)}]", others)]
    differences, compared, _ = compare(cases)
    tap.fact("every letter with a case", differences, compared)


def at_random(tap, generator):
    cases = [(p, [generator.subject() for _ in range(SUBJECTS)])
             for p in (generator.pattern() for _ in range(COUNT))]
    differences, compared, accepted = compare(cases)
    tap.fact(f"at random, {accepted} of {COUNT} patterns accepted", differences, compared)
    tap.fact("the generator makes good patterns", [] if accepted > COUNT // 2 else [accepted])


def mutated(tap, generator):
    cases = [(p, [generator.subject()]) for p in (generator.mutated() for _ in range(2 * COUNT))]
    differences, _, accepted = compare(cases, is_spoilt=True)
    tap.fact(f"mutated, {accepted} of {len(cases)} accepted", differences, len(cases))
    cases = [(p, [generator.subject()]) for p in (generator.tokens() for _ in range(2 * COUNT))]
    differences, _, accepted = compare(cases, is_spoilt=True)
    tap.fact(f"tokens, {accepted} of {len(cases)} accepted", differences, len(cases))


def main():
    warnings.simplefilter("ignore")
    tap = Tap()
    generator = Generator(random.Random(seed()))
    by_hand(tap)
    known_differences(tap)
    every_character(tap)
    every_case(tap)
    at_random(tap, generator)
    mutated(tap, generator)
    tap.end()


main()
