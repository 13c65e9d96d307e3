#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""value_parse_yaml() against PyYAML's safe_load(), the loader of the dialects' originals.

What PyYAML refuses must be refused, always: a policy that the original would not load must not load
here as something else. What PyYAML accepts must be read the same, or be refused for one of a few
reasons that are counted (libyaml is stricter in places).

Speaks TAP. The random texts are the same on every run.
"""

import datetime
import os
import random
import sys

import yaml

import compat
from compat import ROOT, Driver, Tap, to_bytes

ERROR = b"!"

driver = Driver()
tap = Tap()


def dump_other(value):
    """What JSON has not."""
    if isinstance(value, set) and len(value) > 1:
        return b"set of many"
    assert isinstance(value, (datetime.date, bytes, set, tuple)), value
    text = to_bytes(str(value))
    return b"o%d%d:%s%s" % (bool(value), len(text), text, to_bytes(repr(value)))


def dump(value):
    return compat.dump(value, dump_other)


def load(text):
    """What Python reads; None: it refuses."""
    try:
        return dump(yaml.safe_load(text))
    except (yaml.YAMLError, ValueError, KeyError, IndexError, TypeError, AttributeError,
            OverflowError, RecursionError):
        return None


def ours(text):
    """What ours reads; None: it refuses."""
    got = driver.ask("yaml", text)
    return None if got.startswith(ERROR) else got.split(b" ", 1)[1]


class Comparison:
    def __init__(self):
        self.wrong = []     # read otherwise, or read though Python refuses
        self.stricter = []  # refused though Python reads it
        self.count = 0

    def add(self, text):
        wanted, got = load(text), ours(text)
        self.count += 1
        if wanted == got or wanted and b"set of many" in wanted and got:
            return
        if got is None and "\ufeff" in text:
            return  # a byte order mark inside is always refused
        line = f"{text!r:.300}: wanted {wanted!r:.300}, got {got!r:.300}"
        if got is None:
            self.stricter.append(line + f" {driver.ask('yaml', text)!r:.200}")
        else:
            self.wrong.append(line)

    def end(self, name, max_stricter=0):
        tap.fact(f"{name}: read as PyYAML reads it", self.wrong, self.count)
        tap.fact(f"{name}: refused only where PyYAML refuses it",
                 self.stricter if "SHOW" in os.environ or len(self.stricter) > max_stricter else [],
                 f"all but {len(self.stricter)} of {self.count}")


SCALARS = """~ null Null NULL nUll yes Yes YES yEs no No NO true True TRUE tRUE false on On ON off OFF y n Y N
    0 -0 +0 1 -1 +1 00 01 07 08 010 -010 +010 0_7 0o7 0b0 0b1_0 -0b11 0b 0b_ 0b2 0x 0x_ 0xF_f -0xff 0xg 0X10 0B1
    1_000 1__0 _1 1_ 1: 1:2 1:02 1:59 1:60 190:20:30 -1:30 01:30 1:2:3:4:5:6:7:8:9:10:11:12:13:14 1:99
    1. .5 1.5 -1.5 +1.5 -.5 +.5 1e5 1.e5 1.0e5 1.0e+5 1.0E-5 1.5e+400 1_0.5_0 ._5 .5_ 1._ 1.5e+ 5e-3 .5e-3 .e+1
    1:30.5 1:2:3.25 -1:30.5 1:30. 1:60.5 0:0.1 .inf -.inf +.inf .Inf .INF .iNF .nan .NaN .NAN -.nan .nAN inf nan
    << = - -- --- ... ? ?a : :a a: a:b ::a , . ! & * % @ ` | > ' " # a#b #a a,b [ ] { } -a -1a 1a 0x1p3 1e400
    2001-01-01 2001-1-1 0000-01-01 2001-13-01 2001-02-29 2000-02-29 1900-02-29 2001-01-32 2001-01-00 9999-12-31
    2001-12-14t21:59:43.10-05:00 2001-12-14T21:59:43 2001-12-14t21:59:60 2001-12-14t24:00:00 2001-12-14t1:2:3
    2001-12-14t01:02:03 2001-12-15T02:59:43.1Z 2001-12-15T02:59:43.Z 2001-12-15T02:59:43.1234567Z 2001-1-1T1:01:01
    2001-12-14t21:59:43+5 2001-12-14t21:59:43+05:30 2001-12-14t21:59:43-05:3 2001-12-14t21:59:43+24:00
    2001-12-14t21:59:43-23:59 2001-12-14t21:59:43+23:60 2001-12-14t21:59:43+22:99 2001-12-14t21:59:43-00:00
    2001-12-14t21:59:43+00:01 2001-12-14t21:59:00 2001-12-14t21:00:00.5 2001-12-14t00:00:00 12001-01-01 201-01-01
    git* *.py @x %x ~/.ssh $5.00 5,000 a\\b \\.env$ ~\\.env$ C:\\x http://x/y a::b a:: key:value 12e03 0.1 0.10
    """.split() + ["2001-12-14 21:59:43.10 -5", "2001-12-14   1:59:43", "2001-12-14 21:59:43 Z", "2001-12-14 ",
                   "a b", "a  b", "a #b", "a: b", "a :b", "- a", "? a", "9" * 4300, "9" * 4301, "0x" + "f" * 3571,
                   "1:" + "0:" * 30 + "1", "1:" + "0:" * 172 + "1.0", "1:" + "0:" * 30 + "1.5",
                   "0." + "1" * 400, "-" + "9" * 30, "0x" + "9aF" * 40, "0b" + "10" * 100, "0" + "76543210" * 9]
TAGS = ["str", "int", "float", "bool", "null", "seq", "map", "set", "omap", "pairs", "binary", "timestamp", "merge",
        "value", "python/none", "foo"]

HAND_PICKED = [
    "", " ", "\n", "# c", "---", "--- \n...", "...", "---\n---", "a\n---\nb", "--- a\n--- b", "a\n...\n", "a\n...\nb",
    "a\n... # c\n", "%YAML 1.1\n---\na", "%YAML 1.2\n---\na", "%YAML 2.0\n---\na", "%FOO x\n---\na", "%TAG !e! !x\n---\na",
    "%TAG !e! tag:yaml.org,2002:\n---\n!e!int '5'", "%TAG ! tag:yaml.org,2002:\n---\n!int '5'", "!<tag:yaml.org,2002:int> '5'",
    "! 12", "! '12'", '! "12"', "!  'no'", "[! '1', ! 1, ! yes]", "&a ! '12'", "! &a '12'", "! [a]", "! {a: 1}", "!", "a: !",
    "a: ! \nb: 1", "! |\n  12\n", "! '12\n\n  '", '! "12\\n"', '! "yes\\n"', '! "2001-01-01\\n"', '! "=\\n"', '! "\\n"', '! "~\\n"',
    "'12'", '"12"', "|\n 12", ">\n 12\n", "|-\n 12", ">-\n true", "|+\n a\n\n", "|2\n   a", "|\n\n\n  a\n b", ">\n a\n b\n\n c\n  d\n e",
    "a: 1\nb: 2\na: 3", "1: a\ntrue: b\n1.0: c", "0: a\nfalse: b\n-0: c", "a: 1\n'a': 2", "~: 1\nnull: 2", "{.nan: 1, .nan: 2}",
    "2001-01-01: a\n2001-01-01: b", "{9007199254740993: 1, 9007199254740992.0: 2}", "{1e22: 1, 10000000000000000000000.0: 2}",
    "[a]: 1", "? [a]\n: 1", "{a: 1}: 2", "? {a: 1}\n: 1", "!!set {a}: 1", "!!binary YQ==: 1", "? a", "? a\n? b", "? a\n: b\n? c",
    "{a, b}", "{a: , b: }", "{a}", "{? a : b}", "{?a: b}", "[? a : b, c: d]", "[a: b]", "[a, ]", "[, a]", "[a,, b]", "{a: 1, }", "{, a}",
    "{a:1}", "{'a':1}", '{"a":1}', "{a: b:c}", "[a:b]", "[a:, b]", "[a:]", "{a:}", "[::]", "[a::b]", "[http://x/y]", "{a: http://x}",
    "a: b: c", "a: 'b': c", "a:\n- b", "a:\n - b\n - c\nd: e", "a:\n  b\n  c", "a: b\n c", "a\nb: c", "- a\n b", "- - a\n  - b\n- c",
    "a: &x 1\nb: *x", "a: *x", "&x a: *x", "&x [*x]", "&x {a: *x}", "a: &x 1\nb: &x 2", "- &x a\n- &y b\n- [*x, *y, *x]", "*x : 1",
    "- &x a\n- *x : 1", "- &x a\n- {*x : 1}", "- &x a\n- {*x: 1}", "- &x [1]\n- ? *x\n  : 1", "&x", "a: &x\nb: *x", "a: &x !!str\nb: *x",
    "a: !!str &x\nb: *x", "- &x\n- *x", "- & a", "- * a", "- &x&y a", "- *x*", "- &a.b c", "- &a-b_1 c\n- *a-b_1", "- &é c", "- &a: c\n- *a:",
    "a: {<<: {b: 1}}", "<<: {b: 1, c: 2}\nb: 3", "b: 3\n<<: {b: 1, c: 2}", "<<: [{a: 1, b: 1}, {a: 2, c: 2}]\nd: 4", "<<: 1", "<<: [1]",
    "<<: []", "<<: {}", "<<: ~", "<<: {a: 1}\n<<: {b: 2, a: 3}", "'<<': {a: 1}", "- <<", "a: <<", "a: =", "=: 1", "= : 1\nb: 2", "- =",
    "!!str {=: a, b: c}", "!!int {=: 5}", "!!int {=: {=: 5}}", "!!int {=: [5]}", "!!int {a: 5}", "!!float {=: '1'}", "!!bool {=: yes}",
    "!!null {=: x}", "!!null {}", "!!timestamp {=: 2001-01-01}", "!!binary {=: YQ==}", "!!merge {a: 1}", "!!merge <<: {a: 1}", "? !!merge x\n: {a: 1}",
    "!!value x: 1", "!!str <<: {a: 1}", "<<: !foo {a: 1}", "<<: !!set {a: 1}", "<<: {<<: {a: 1}, b: 2}\na: 5", "<<: {[a]: 1}", "<<: [{<<: {x: 1}}]",
    "base: &b {x: 1, y: 2}\nd: {<<: *b, y: 3}\ne: {<<: [*b, {z: 1}]}", "x: &a {<<: {p: 1}}\ny: {<<: *a}\nz: *a", "!!set {<<: {a: }}", "!!omap [<<: {a: 1}]",
    "!!omap [a: 1, b: 2]", "!!pairs [a: 1, a: 2]", "!!omap {a: 1}", "!!omap [a]", "!!omap [{a: 1, b: 2}]", "!!omap []", "!!pairs [[a]: 1]",
    "!!pairs [a: [1, {b: c}], d: 2001-01-01]", "!!pairs [a: !!pairs [b: 'it''s']]", "!!set {a}", "!!set {}", "!!set {1: 2}", "!!set [a]", "!!set {[a]}",
    "!!set {2001-01-01}", "!!set {yes, true}", "[!!set {}, !!set {a}]", "!!seq [a]", "!!seq a", "!!seq {a: 1}", "!!map {a: 1}", "!!map [a]", "!!map a",
    "!!str [a]", "!!int [a]", "!!python/object:os.system a", "!foo a", "!!foo a", "!<foo> a", "!a!b c", "!!str", "!!int", "!!float", "!!bool", "!!null",
    "!!int ' 12 '", "!!int '1 2'", "!!int '+-5'", "!!int '--5'", "!!int '0b101'", "!!int '0b0b101'", "!!int '0x0x1f'", "!!int '0o17'", "!!int '00o17'", "!!int '08'",
    "!!int ' 0x1f'", "!!int '٣'", "!!int '\u00a05'", "!!int '\u00b2'", "!!int '1:2'", "!!int '1:٣'", "!!int '1:-5'", "!!int '1:'", "!!int ':'", "!!int '-'", "!!int '_'",
    "!!int '1.0'", "!!int 'a'", "!!int '0:10'", "!!int '1: 5'", '!!int "5\\n"', '!!int "5\\0"', "!!int 0x-5", "!!int '0x'", "!!int '-0'", "!!int '-00'",
    "!!float 1", "!!float '1'", "!!float inf", "!!float -inf", "!!float nan", "!!float .INF", "!!float .nAn", "!!float -.nan", "!!float ''", "!!float '-'", "!!float '--5'",
    "!!float '-+5'", "!!float 1:30", "!!float 1:٣.5", "!!float '1:'", "!!float '1:inf'", "!!float 1e5", "!!float 1e400", "!!float 0x10", "!!float '1_0'", "!!float ' 1 '",
    "!!float '1:1e300:1'", "!!bool YeS", "!!bool 1", "!!bool ''", "!!bool 'yes '", "!!bool \u212a", "!!null foo", "!!null ''", "!!str ~", "!!str 12", "!!str 2001-01-01",
    "!!timestamp 2001-1-1", "!!timestamp '2001-01-01'", '!!timestamp "2001-01-01\\n"', "!!timestamp foo", "!!timestamp ''", "!!timestamp '2001-01-01 '",
    "!!binary YQ==", "!!binary YQ=", "!!binary YQ", "!!binary Y", "!!binary ''", "!!binary '='", "!!binary 'Y Q = ='", "!!binary YWI=", "!!binary YWJj", "!!binary YWJjZA",
    "!!binary 'YQ==YQ=='", "!!binary 'YQ=x=YQ=='", "!!binary é", "!!binary |\n  R0lG\n  ODlh\n", "!!binary JyInIg==", "!!binary Jw==", "!!binary AAECCQoNf4D/XA==", "!!binary 'YQ==='",
    "!!binary '====='", "!!binary 'Y==='", "!!binary 'YWI=='", "!!binary '-_-_'", "[!!binary YQ==, 2001-01-01, 2001-01-01t01:01:01Z]",
    "a:\tb", "a: b\t", "a: b\tc", "a: b # \tc", "a: b\t# c", "\ta: b", "a:\n\t- b", "- \ta", "-\ta", "[a,\tb]", "a: 'b\tc'", 'a: "b\tc"', "a: |\n  b\tc", "a: |\t\n  b", "a: | # \tx\n  b",
    "a: b\n\t\nc: d", "a: b\n \t\nc: d", "a:\n  b\n\tc", "# \tc\na: b", "'a'\t: b", "'a' : b", "'a':b", "a : b", "a: 'b\n\tc'", "a: \"b\\\n\tc\"", "{a: b\t}", "{a\t: b}", "&x\ta", "!!str\ta", "!!str 'a\tb'",
    "a: |\n\tb", "a: |\n  b\n\tc", "a: |\n  b\n\t", "? \ta", "--- \ta", "---\ta", "%YAML\t1.1\n---\na", "... \t", "|\n a\n#\tb", "|\n a\n\n# c\nb: d",
    "\ufeffa: b", "a: \ufeffb", "\ufeff", "\ufeff# c\na: b", "a\x00b", "a\x01b", "a\x7fb", "a\x80b", "a\x85b", "a\u2028b", "a\u2029 b", "a: b\x85c: d", "a: b\u2028c: d", "'a\x85b'", '"a\u2028 b"', "a\ufffeb", "a\uffffb",
    "a\U0001f600b", "a\U0010ffffb", "\u00a0a", "a\u00a0b", "a: b\rc: d", "a: b\r\nc: d\r\n", "|\r\n a\r\n b\r\n", '"\\x41\\u00e9\\U0001F600\\e\\0\\a\\N\\_\\L\\P\\/\\ \\\t"', '"\\z"', '"\\x4"', '"\\ud800"', '"\\U00110000"', '"\\ud83d\\ude00"',
    '"a\\\n  b"', '"a\n\n b"', "'a\n\n\n b'", "'it''s'", "'a", '"a', "'a\n---\nb'", "[a", "{a", "[a}", "]", "}", "a]", "a}", "a,b", "- ,", ",", "-", "- -", "- - -", "?", ":", ": a", "- : a", "a: -", "a: - b", "a: ?", "a: ? b", "[-]", "[- a]", "[-a]", "[?]", "[:]", "[a: b: c]", "{a: b, c}",
    "@a", "`a", "%a", "a: @b", "a: %b", "a: `b", "!", "&", "*", "|", ">", "a: |", "a: >\nb: c", "|x", "|0\n a", "|10\n a", "|+-\n a", "|1-\n  a", "|-1\n  a", "|#c\n a", "| #c\n a", "'a'#c", "[a]#c", "a#c", "[a,#c\nb]", "[a #c\n]", "{a: b}}", "[a]]", "[a] b", "'a' b", "\"a\" 'b'", "a: [b] c", "a: 'b' c",
    "key with spaces: v", "a" * 1020 + ": 1", "a" * 1030 + ": 1", "? " + "a" * 1030 + "\n: 1", "'" + "a" * 1030 + "': 1", "[" * 200 + "]" * 200, "- " * 150 + "a", "a: " + "[" * 199 + "]" * 199, "{" * 50 + "}" * 50,
    "a: b\n  c: d", "a: b\n c: d", " a: b\nc: d", "  a: b\n c: d", "- a\n - b", "- a\nb: c", "a: b\n- c", "a:\n- b\nc: d", "a:\n - b\n- c", "[a\nb]", "[\na,\nb\n]", "{\na: b\n}", "a: [\nb\n]", "a: [b,\nc]", "a: {b: c,\nd: e}", "a: [\n]", "a:\n  [b,\n  c]", "a: 'b\nc'", "a: \"b\nc\"", "a: 'b\n  c'",
    "- a: 1\n  b: 2\n-\n  c: 3\n- d", "a:\n\n  b: c", "a: # c\n  b", "a: # c\n- b", "# c\n# d\na: b # e\n# f", "a: b #", "a: b#", "a: #", "--- # c\na", "--- a # c", "---a", "--- |\n a", "--- [a]", "---\n- a\n...\n# c\n", "---\n...\n---\n...", "a: ---", "a: ...", "'---'", "- ---", "a\n--- ", "|\n a\n---\n", "|\n a\n...\n", "'a\n...'", "a: b\n---", "...\n...", "a\n...\n...",
]


def check_scalars():
    c = Comparison()
    for text in SCALARS:
        c.add(text)
        c.add(f"[{text}]")
        c.add(f"a: {text}\n")
        c.add(f"- {text}\n")
        c.add(f"{text}: a\n")
        c.add(f"'{text}'" if "'" not in text else text)
        for tag in TAGS:
            c.add(f"!!{tag} {text}")
            c.add(f"- !!{tag} '{text}'" if "'" not in text else text)
    c.end("scalars", 10)


def check_hand_picked():
    c = Comparison()
    for text in HAND_PICKED:
        c.add(text)
        c.add(text + "\n")
    c.end("hand-picked documents", 20)


NUMBER_PARTS = ["0", "1", "9", "60", "07", "_", ".", ":", "+", "-", "e", "E", "0x", "0b", "0o", "f", "inf", "nan", " ",
                "2001-01-01", "t", "T", "12:30:00", "Z"]


def check_numbers():
    rng = random.Random(1)
    c = Comparison()
    for _ in range(15000):
        text = "".join(rng.choice(NUMBER_PARTS) for _ in range(rng.randrange(1, 6)))
        c.add("- " + text)
        if rng.random() < 0.3:
            c.add(f"!!{rng.choice(['int', 'float', 'timestamp', 'bool'])} '{text}'")
    c.end("what may be a number")


def random_document(rng, depth=0, indent=""):
    """YAML that mostly is valid."""
    scalar = rng.choice(["a", "b c", "yes", "1", "'x'", '"y\\n"', "~", "1.5", "", "it's", "*a", "&a 1", "!!str 5", "2001-01-01",
                         "<<", "=", "|\n" + indent + "  t\n" + indent + "  u", ">-\n" + indent + "  t\n", "[a, {b: c}]",
                         "{x: 1, <<: {y: 2}}", "http://a/b", "~\\.ssh/", "git *"])
    kind = rng.randrange(3) if depth < 3 else 0
    if kind == 0:
        return " " + scalar
    lines = []
    for _ in range(rng.randrange(1, 4)):
        inner = random_document(rng, depth + 1, indent + "  ")
        if kind == 1:
            key = rng.choice(["a", "b", "c", "1", "yes", "'q'", "<<", "&k k", "? x\n" + indent, "*a "])
            lines.append(f"{indent}{key}:{inner}")
        else:
            lines.append(f"{indent}-{inner}")
        if rng.random() < 0.1:
            lines.append(f"{indent}# comment")
    return "\n" + "\n".join(lines)


PIECES = list(":-?,[]{}#&*!|>'\"%@` \n\t\\ab1~<=.") + [": ", "- ", "\n  ", "\n- ", " #", "---\n", "...\n", "<<: ", "!!str ", "\x85",
                                                       "\u2028", "\r", "\ufeff", "''"]


def mutate(rng, text):
    for _ in range(rng.randrange(1, 4)):
        at = rng.randrange(len(text) + 1)
        text = text[:at] + rng.choice(PIECES + ["", ""]) + text[at + rng.randrange(3):]
    return text


def check_random():
    rng = random.Random(2)
    c, damaged, noise = Comparison(), Comparison(), Comparison()
    shipped = [p.read_text() for p in sorted((ROOT / "policies").glob("*.yaml"))]
    documents = [random_document(rng) for _ in range(4000)]
    for text in documents + shipped:
        c.add(text)
    c.end("random documents", 20)
    for text in documents + shipped * 20:
        damaged.add(mutate(rng, text))
    damaged.end("damaged documents", 10)
    for _ in range(20000):
        noise.add("".join(rng.choice(PIECES) for _ in range(rng.randrange(1, 9))))
    noise.end("noise", 10)


def check_bounds():
    laughs = "a0: &a0 [x]\n" + "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 30))
    merges = "a0: &a0 {x: 1}\n" + "".join(f"a{i}: &a{i} {{<<: [{', '.join([f'*a{i - 1}'] * 9)}]}}\n" for i in range(1, 30))
    chain = "- &a0 {x: 1}\n" + "".join(f"- &a{i} {{<<: *a{i - 1}}}\n" for i in range(1, 3000))
    late = f"k:\n{chain}<<: *a2999\n"
    nested = "- &a0 [x]\n" + "".join(f"- &a{i} [*a{i - 1}]\n" for i in range(1, 1000))
    pairs = "- &a0 [x]\n" + "".join(f"- &a{i} !!pairs [{', '.join([f'k: *a{i - 1}'] * 9)}]\n" for i in range(1, 12))
    refused = {"laughs": laughs, "merges": merges, "late merges": late, "nested aliases": nested, "pairs": pairs,
               "201 lists": "[" * 201 + "]" * 201, "many lists": "[" * 100000, "deep blocks": "- " * 100000,
               "many directives": "".join(f"%TAG !a{i}! b\n" for i in range(65)) + "---\na",
               "many anchors": "".join(f"- &a{i} 1\n" for i in range(20000)),
               "17 MiB": "#" * (17 << 20), "a set of a MiB": "!!set {" + "a" * (1 << 20) + "}",
               "hexadecimal": "0x" + "f" * (1 << 20), "sexagesimal": "1" + ":00" * (1 << 18)}
    for name, text in refused.items():
        got = driver.ask("yaml", text)
        tap.fact(f"{name}: refused with a reason", [] if got.startswith(ERROR) and len(got) > 10 else [got[:200]])
    percents = "---\n- '" + "\n%" * 64 + "'\n"
    for name, text in {"percent signs": percents, "chain of merges": chain, "a million": "[" + "x," * 999998 + "]"}.items():
        got = driver.ask("yaml", text)
        tap.fact(f"{name}: read", [got[:200]] if got.startswith(ERROR) else [])
    warned = {"a: 1\na: 2": 1, "a: 1\n<<: {a: 2}": 0, "{a: 1, a: 2, a: 3}": 2, "1: a\n1.0: b\ntrue: c": 2, "a: {b: 1, b: 2}": 1}
    tap.fact("of keys given twice there is a warning",
             [f"{t!r}: {driver.ask('yaml', t)!r}" for t, n in warned.items() if driver.ask("yaml", t).split()[0] != b"%d" % n])


def main():
    if yaml.__version__ != "6.0" or sys.version_info[:2] != (3, 11):
        print("ok 1 - all # skip these facts are those of PyYAML 6.0 on Python 3.11\n1..1")
        return
    check_scalars()
    check_hand_picked()
    check_numbers()
    check_random()
    check_bounds()
    tap.fact("the helper ends well", [f"exit status {s}" for s in [driver.end()] if s])
    tap.end()


main()
