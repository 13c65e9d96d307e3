# SPDX-License-Identifier: Apache-2.0
"""Makes patterns for test_regex.py by Python's grammar, spoilt ones, and subjects for them.

Patterns and subjects are kept small: Python has no limits on a search.
"""

LETTERS = "aaabbbcAB1_ -"
STRANGE = ("éÉſsSkK\u212aİiIıßẞ\u0345ιΙ\u1fbeΣσςµμǅǆ½Ⅷ\u0663\U00010400\U00010428\x1c\x85\xa0\u2028"
           "\n\r\x00\U0001f600ﬅﬆΑά-^]&|~")
CATEGORIES = [r"\w", r"\W", r"\d", r"\D", r"\s", r"\S"]
ESCAPES = [r"\n", r"\t", r"\x61", r"\x00", r"\u0062", r"\U00000041", r"\0", r"\141", r"\x41", r"\a",
           r"\.", r"\-", r"\ ", r"\]", r"\\", r"\u212a", r"\xe9", r"\é", r"\ud800"]
QUANTIFIERS = ["*", "+", "?", "{2}", "{1,2}", "{,2}", "{1,}", "{,}", "{0}", "{0,1}", "{3}"]
FLAGS = ["i", "m", "s", "x", "a", "u", "im", "is", "ai", "iu", "x"]
TOKENS = ["a", "b", "A", "\\", "(", ")", "(", ")", "(?:", "(?P<n>", "(?P=n)", "(?P<m>", "(?P", "(?", "(?=",
          "(?!", "(?<=", "(?<!", "(?>", "(?#", "(?(1)", "(?(n)", "(?(", "(?i)", "(?x)", "(?s:",
          "(?-i:", "(?i-s:", "(?a:", "(?L)", "(?u)", "(?a)", "(?t)", "[", "]", "^", "$", "-", "|", "|",
          "*", "+", "?", "{", "}", "{2}", "{,3}", "{1,0}", ",", "1", "2", "0", "8", "#", " ", "\n",
          r"\1", r"\2", r"\b", r"\B", r"\A", r"\Z", r"\z", r"\h", r"\R", r"\K", r"\Q", r"\E", r"\G",
          r"\X", r"\p", r"\c", r"\C", r"\g", r"\x4", r"\u00", r"\8", r"\07", r"\400", r"\377", r"\d",
          r"\W", r"\s", r"\n", "é", "İ", "[:alpha:]", ":", "=", "!", "<", ">", "P", "&&", "--", "."]


class Generator:
    def __init__(self, random):
        self.random = random
        self.groups = 0
        self.open = []
        self.behind = False
        self.captures = True

    def chance(self, percent):
        return self.random.randrange(100) < percent

    def letter(self):
        return self.random.choice(STRANGE if self.chance(15) else LETTERS)

    def subject(self):
        return "".join("\ud800" if self.chance(2) else self.letter() for _ in range(self.random.randint(0, 7)))

    def literal(self):
        c = self.letter()
        return "\\" + c if c in "^-]|~& \n\r\x00\x1c\x85\xa0" and self.chance(60) else c

    def member(self):
        kind = self.random.randrange(10)
        if kind < 5:
            return self.literal()
        if kind < 7:
            low, high = sorted([self.letter(), self.letter()])
            return "".join("\\" + c if c in "^-]\\" else c for c in low) + "-" + (
                "\\" + high if high in "^-]\\" else high)
        if kind < 9:
            return self.random.choice(CATEGORIES)
        return self.random.choice(ESCAPES + [r"\b", "[:alpha:]", "[", "(", ".", "$"])

    def set(self):
        body = "".join(self.member() for _ in range(self.random.randint(1, 3)))
        return "[" + ("^" if self.chance(25) else "") + body + "]"

    def reference(self):
        """To a closed group, as a rule."""
        closed = [g for g in range(1, self.groups + 1) if g not in self.open]
        if self.behind or not closed:
            return "a"
        group = self.random.choice(closed)
        return f"(?P=g{group})" if group in self.named and self.chance(50) else f"\\{group}" + (
            "(?:)" if self.chance(50) else "")

    def capture(self, depth):
        self.groups += 1
        group = self.groups
        is_named = self.chance(25)
        self.open.append(group)
        inside = self.alternatives(depth + 1)
        self.open.remove(group)
        if is_named:
            self.named.add(group)
        return f"(?P<g{group}>{inside})" if is_named else f"({inside})"

    def conditional(self, depth):
        closed = [g for g in range(1, self.groups + 1) if g not in self.open]
        if self.behind or not closed:
            return self.capture(depth) if self.captures else "b"
        group = self.random.choice(closed)
        no = "|" + self.sequence(depth + 1) if self.chance(60) else ""
        return f"(?({group}){self.sequence(depth + 1)}{no})"

    def fixed(self, depth):
        """For a look-behind."""
        width = self.random.randint(0, 2)
        return "|".join("".join(self.random.choice([self.literal(), self.set(), "."])
                                for _ in range(width)) for _ in range(self.random.randint(1, 2)))

    def assertion(self, depth):
        kind = self.random.choice(["(?=", "(?!", "(?<=", "(?<!"])
        if "<" in kind:
            return kind + self.fixed(depth) + ")"
        return kind + self.quiet(kind == "(?!", depth) + ")"

    def quiet(self, without_captures, depth):
        """Without captures where CPython 3.11 is known to get them wrong."""
        before = self.captures
        self.captures = before and not without_captures
        inside = self.alternatives(depth + 1)
        self.captures = before
        return inside

    def group(self, depth):
        kind = self.random.randrange(20)
        if kind < 7 and self.captures:
            return self.capture(depth)
        if kind < 11:
            return f"(?:{self.alternatives(depth + 1)})"
        if kind < 13:
            return f"(?>{self.quiet(True, depth)})"
        if kind < 16:
            return self.assertion(depth)
        if kind < 18:
            return self.conditional(depth)
        flags = self.random.choice(FLAGS + ["-i", "i-s", "-m", "-s", "s-i", "-x"])
        # CPython 3.11 takes the first set of a pattern with the flags of the whole.
        first = "(?=)" if set(flags) & set("au") else ""
        return f"{first}(?{flags}:{self.alternatives(depth + 1)})"

    def atom(self, depth):
        kind = self.random.randrange(100)
        if kind < 40:
            return self.literal()
        if kind < 48:
            return "."
        if kind < 58:
            return self.set()
        if kind < 64:
            return self.random.choice(CATEGORIES)
        if kind < 67:
            return self.random.choice(ESCAPES)
        if kind < 74:
            return self.reference()
        if kind < 75:
            return self.random.choice(["{", "}", "{}", "a{", "a{1", "a{1,", "a{x}", "]", "(?#c)"])
        return self.group(depth) if depth < 3 else self.literal()

    def item(self, depth):
        if self.chance(12):
            return self.random.choice(["^", "$", r"\b", r"\B", r"\A", r"\Z"])
        atom = self.atom(depth)
        if not self.chance(30):
            return atom
        # Of groups, CPython 3.11.2 gets possessive repeats wrong (gh-106052).
        suffixes = ["", "", "", "?"] + ["+"] * (not atom.endswith(")"))
        return atom + self.random.choice(QUANTIFIERS) + self.random.choice(suffixes)

    def sequence(self, depth):
        return "".join(self.item(depth) for _ in range(self.random.randint(0, 3 if depth else 4)))

    def alternatives(self, depth):
        return "|".join(self.sequence(depth) for _ in range(self.random.choice([1, 1, 1, 2, 3])))

    def pattern(self):
        self.groups = 0
        self.open = []
        self.named = set()
        self.behind = False
        self.captures = True
        flags = f"(?{self.random.choice(FLAGS)})" if self.chance(35) else ""
        return flags + self.alternatives(0)

    def mutated(self):
        """A good pattern with some characters lost, doubled, moved or replaced."""
        pattern = list(self.pattern())
        for _ in range(self.random.randint(1, 2)):
            if not pattern:
                break
            at = self.random.randrange(len(pattern))
            kind = self.random.randrange(4)
            if kind == 0:
                del pattern[at]
            elif kind == 1:
                pattern.insert(at, pattern[at])
            elif kind == 2:
                pattern.insert(at, self.random.choice(TOKENS))
            else:
                pattern[at] = self.random.choice(TOKENS)
        return "".join(pattern)

    def tokens(self):
        return "".join(self.random.choice(TOKENS) for _ in range(self.random.randint(1, 7)))
