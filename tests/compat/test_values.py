#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""JSON, str(), repr(), float(), round(), strip(), lower(): the policy core's against Python's own.

Speaks TAP. The random texts are the same on every run.
"""

import json
import math
import random
import struct
import sys

from compat import Driver, Tap, dump, to_bytes

MAX_DEPTH = 200  # VALUE_MAX_DEPTH: the one limit that Python does not have
ERROR = b"!"

driver = Driver()
tap = Tap()


def is_too_deep(value, depth=0):
    if not isinstance(value, (list, dict)):
        return False
    items = value.values() if isinstance(value, dict) else value
    return depth >= MAX_DEPTH or any(is_too_deep(i, depth + 1) for i in items)


def expect(operation, text, function):
    """What Python says, and whether ours is the same. @function raises ValueError to refuse."""
    try:
        wanted = to_bytes(function())
    except (ValueError, RecursionError):
        wanted = ERROR
    got = driver.ask(operation, text)
    if got == wanted or (wanted == ERROR and got.startswith(ERROR)):
        return []
    return [f"{operation} {text!r:.300}: wanted {wanted!r:.300}, got {got!r:.300}"]


def loads(text):
    value = json.loads(text)
    if is_too_deep(value):
        raise ValueError("too deep")
    return value


def as_text(data):
    return data.decode("utf-8", "surrogatepass")


def compare_json(text):
    return expect("json", text, lambda: as_text(dump(loads(text))))


def compare_bytes(data):
    """Bytes that may be no text: then they are refused."""
    try:
        return compare_json(data.decode("utf-8"))
    except UnicodeDecodeError:
        got = driver.ask("json", data)
        return [] if got.startswith(ERROR) else [f"{data!r}: wanted a refusal, got {got!r}"]


# ---- JSON

HAND_PICKED = [
    "", " ", "null", "true", "false", "nul", "nulll", "True", "None", "NaN", "-NaN", "Infinity",
    "-Infinity", "+Infinity", "inf", "nan", "0", "-0", "-0.0", "00", "01", "-01", "-", "--1", "+1",
    "1.", ".5", "-.5", "1.5", "1.e5", "1e", "1e+", "1e5", "1E5", "1e+5", "1e-5", "1e400", "-1e400",
    "1e-400", "5e-324", "2e-324", "1.7976931348623157e308", "1.7976931348623159e308", "0e0", "0x10",
    "1_000", "\u0661", "9" * 4300, "9" * 4301, "-" + "9" * 4300, "-" + "9" * 4301,
    "0." + "9" * 5000, "1" + "0" * 4299, "123456789012345678901234567890", "9007199254740993",
    "-9223372036854775809", "18446744073709551616", "[]", "[ ]", "[,]", "[1,]", "[1 2]", "[1,2]",
    "[1,,2]", "[", "]", "{", "}", "{}", "{ }", "{,}", '{"a"}', '{"a":}', '{"a":1,}', '{"a" :1}',
    '{"a": 1 "b": 2}', "{a: 1}", "{'a': 1}", '{1: 2}', '{"a":1}{', "[]]", "1 2", "[1]x", "\ufeff1",
    "1\ufeff", "\u00a01", "\x0c1", "\x0b1", "\t\n\r 1 \t\n\r", "1\x00", "\x00", '"', '"a', '"\\"',
    '"\\', '"\\u', '"\\u1', '"\\u12', '"\\u123', '"\\u1234', '"\\u12"34', '"\\u1234"', '"\\U1234"',
    '"\\u+123"', '"\\u 123"', '"\\u0x12"', '"\\uABCD\\uabcd"', '"\\u0000"', '"\\ud800"', '"\\udc00"',
    '"\\ud800\\udc00"', '"\\udbff\\udfff"', '"\\ud800\\ud800"', '"\\ud800\\ud800\\udc00"',
    '"\\udc00\\ud800"', '"\\ud800x"', '"\\ud800\\n"', '"\\ud800\\u"', '"\\ud800\\u12"',
    '"\\ud800\\u0041"', '"\\ud800\\', '"\\ud800\\"', '"\\ud83d\\ude00"', '"\\a"', '"\\x41"', '"\\0"',
    '"\\\'"', "'a'", '"\\b\\f\\n\\r\\t\\/\\\\\\""', '"\n"', '"\t"', '"\x00"', '"\x1f"', '"\x20"',
    '"\x7f"', '"\x80"', '"\u2028"', '"\U0010ffff"', '{"a":1,"a":2}', '{"a":1,"b":2,"a":3,"c":4,"b":5}',
    '{"":1,"":2}', '{"\\u0061":1,"a":2}', '{"a":{"a":1,"a":[]},"a":{"b":1,"b":2}}', "[" * 200 + "]" * 200,
    "[" * 201 + "]" * 201, "[" * 100000, '{"a":' * 200 + "1" + "}" * 200, '{"a":' * 201 + "1" + "}" * 201,
    "/* */1", "//\n1", "[1]#", "[NaN,Infinity,-Infinity]", "[-]", "[-Inf]", '{"NaN":NaN}', "tru", "nullnull",
    '["\\ud800","\\udc00"]', '{"\\ud800":1,"\\ud800":2}', "1e1000000000000", "0.1e-10000000000",
]

RAW = [b"\xff", b'"\xff"', b'"\xc0\x80"', b'"\xed\xa0\x80"', b'"\xf4\x90\x80\x80"', b'"\xe2\x82"',
       b'"\xf0\x9f\x98\x80"', b"\xef\xbb\xbf1", b"\xff\xfe1\0"]


def random_text(rng):
    alphabet = rng.choice(["abc", "'\"\\", "\n\r\t\x00\x1b\x7f", "\u00e9\u00a0\u00ad\u2028\u0378",
                           "\U0001f600\U000e0001\U0010ffff", "\ud800\udfff", "aA'\"\u03a3\u0130 "])
    return "".join(rng.choice(alphabet) for _ in range(rng.randrange(6)))


def random_double(rng):
    kind = rng.randrange(5)
    if kind == 0:
        return struct.unpack("<d", rng.randbytes(8))[0]
    if kind == 1:
        return rng.choice([-1, 1]) * math.ldexp(1.0, rng.randrange(-1074, 1024))
    if kind == 2:
        return round(rng.uniform(-1000, 1000), rng.randrange(8))
    if kind == 3:
        return float(rng.randrange(-10 ** 18, 10 ** 18))
    return float(f"{rng.randrange(10 ** rng.randrange(1, 18))}e{rng.randrange(-330, 312)}")


def random_value(rng, depth=0):
    kind = rng.randrange(8 if depth < 4 else 6)
    if kind == 0:
        return rng.choice([None, True, False])
    if kind == 1:
        return rng.randrange(-10 ** rng.randrange(1, 40), 10 ** rng.randrange(1, 40))
    if kind == 2:
        return random_double(rng)
    if kind <= 5:
        return random_text(rng)
    if kind == 6:
        return [random_value(rng, depth + 1) for _ in range(rng.randrange(5))]
    return {random_text(rng): random_value(rng, depth + 1) for _ in range(rng.randrange(5))}


def mutate(rng, text):
    pieces = ['"', "\\", "\\u", "d800", "{", "}", "[", "]", ",", ":", "1", "-", ".", "e", "NaN", " ",
              "\n", "\x01", "null", "0", "\u00e9"]
    for _ in range(rng.randrange(1, 4)):
        at = rng.randrange(len(text) + 1)
        text = text[:at] + rng.choice(pieces + [""]) + text[at + rng.randrange(3):]
    return text


def check_json():
    tap.fact("hand-picked JSON is read as Python reads it",
             sum(map(compare_json, HAND_PICKED), []), len(HAND_PICKED))
    tap.fact("bytes that are no text are refused", sum(map(compare_bytes, RAW), []), len(RAW))
    rng = random.Random(1)
    valid = [json.dumps(random_value(rng), ensure_ascii=rng.random() < 0.5) for _ in range(4000)]
    texts = [t for t in valid if not any("\ud800" <= c <= "\udfff" for c in t)]
    tap.fact("random JSON", sum(map(compare_json, texts), []), len(texts))
    damaged = [mutate(rng, t) for t in texts for _ in range(3)]
    tap.fact("damaged JSON", sum(map(compare_json, damaged), []), len(damaged))
    noise = [bytes(rng.choice(b'{}[]",:\\u019 \ntruefalsn\xc3\xa9-.eE') for _ in range(rng.randrange(12)))
             for _ in range(10000)]
    tap.fact("noise", sum(map(compare_bytes, noise), []), len(noise))


# ---- text

def values_for_text():
    rng = random.Random(2)
    yield from (None, True, False, 0, -0.0, 1.0, 1e16, 1e15, 9999999999999998.0, 1e-4, 1e-5, [], {},
                [None], {"a": 1}, ["rm", "-rf"], "it's", '"', "'\"", math.nan, math.inf, -math.inf,
                5e-324, 2.2250738585072014e-308, 2.0 ** -44, 9007199254740993, [[[]]], 10 ** 4299)
    yield from (chr(c) for c in range(0x3000))
    yield from ("".join(map(chr, range(c, c + 64))) for c in range(0x3000, 0x110000, 64))
    yield from (random_value(rng) for _ in range(5000))


def compare_text(value):
    text = json.dumps(value)
    value = json.loads(text)  # escapes of surrogates that became neighbours are a pair now
    return (expect("str", text, lambda: str(value)) + expect("repr", text, lambda: repr(value))
            + expect("bool", text, lambda: str(bool(value))))


def check_text():
    values = list(values_for_text())
    tap.fact("str(), repr() and bool() of values", sum(map(compare_text, values), []), len(values))
    rng = random.Random(3)
    doubles = [s * math.ldexp(1.0, e) for e in range(-1074, 1024) for s in (1.0, -1.0)]
    doubles += [math.nextafter(d, t) for d in doubles for t in (0, math.inf)]
    doubles += [float(f"1e{e}") for e in range(-323, 309)] + [random_double(rng) for _ in range(40000)]
    doubles = [d for d in doubles if math.isfinite(d)]
    tap.fact("repr() of doubles",
             sum((expect("repr", json.dumps(d), lambda: repr(d)) for d in doubles), []), len(doubles))


def random_numbers(rng):
    picked = [0, 1, -1, True, False, 0.0, -0.0, 1.0, 0.5, math.nan, math.inf, -math.inf, 2 ** 53,
              2 ** 53 + 1, float(2 ** 53), -2 ** 53 - 1, -float(2 ** 53), 10 ** 400, -10 ** 400,
              10 ** 22, 1e22, 10 ** 23, 1e23, int(1e23), 2 ** 1023, 2.0 ** 1023, 2 ** 1023 + 1]
    yield from ([a, b] for a in picked for b in picked)
    for _ in range(2000):
        base = random_value(rng)
        yield [base, rng.choice([base, random_value(rng), json.loads(json.dumps(base))])]
        items = list({random_text(rng): rng.choice(picked) for _ in range(5)}.items())
        yield [dict(items), dict(rng.sample(items, len(items)))]


def check_equality():
    # Read by json: Python takes NaN for equal to itself where it is one object.
    pairs = [json.loads(json.dumps(p)) for p in random_numbers(random.Random(4))]
    tap.fact("==", sum((expect("eq", json.dumps(p), lambda: str(p[0] == p[1])) for p in pairs), []),
             len(pairs))


# ---- float(), round(), format()

FLOATS = ["", " ", "1", " 1 ", "\t\n\v\f\r1\x1c", "\x1c1", "\x1f1", "\x851", "\xa01\u2003", "\u30001", "1 2",
          "1_000", "_1", "1_", "1__0", "1_.5", "1._5", "1_e5", "1e_5", "1e5_0", "-_1", "1_0.0_1e1_0",
          "inf", "INF", "+inf", "-Infinity", "infinit", "in_f", "nan", "-nan", "+NaN", "nan(1)",
          "0x10", "0x1p3", "1e", "1e+", "e5", ".", ".5", "5.", "-.5e-5", "+5", "+-5", "--5", "1,5",
          "5 USD", "$5", "\u0661\u0662.\u0665", "\uff11", "\u00b2", "\u2160", "1\u0661", "\u0661_\u0662",
          "\u0661e\u0662", "1\x00", "\x001", "1e400", "-1e400", "1e-400", "0" * 5000 + "1", "1" * 5000,
          "1\u00a0", "\u180e1", "\u200b1", "\ufeff1", "1\ud800", "\x7f1", "1\x7f", "infinity ", "i nf",
          "1d5", "1f", "1L", "1j", "\u2212" + "1", "\U0001d7ce", "\U0001d7ff", "\U0001fbf0.\U0001fbf5"]


def check_numbers():
    rng = random.Random(5)
    texts = FLOATS + ["".join(rng.choice("0123456789..__eE+-  \u0661\u00a0nif") for _ in range(rng.randrange(9)))
                      for _ in range(20000)]
    texts += [chr(c) + "1" + chr(c) for c in range(0x110000) if chr(c).isspace() or c < 0x100]
    texts += [chr(c) for c in range(0x110000) if chr(c).isdecimal() or chr(c).isnumeric()]
    tap.fact("float() of text",
             sum((expect("float", t, lambda: repr(float(t))) for t in texts), []), len(texts))
    pairs = [[random_double(rng), rng.randrange(0, 12)] for _ in range(10000)]
    pairs += [[x / 2 ** 10, d] for x in range(-600, 600) for d in (0, 1, 2, 4)]
    pairs += [[x, d] for x in (math.nan, math.inf, -math.inf, -0.0, 0.125, 2.675, 1e300) for d in range(7)]
    tap.fact("format(v, '.<digits>f')",
             sum((expect("fixed", json.dumps(p), lambda: format(p[0], f".{p[1]}f")) for p in pairs), []),
             len(pairs))
    pairs += [[v, rng.randrange(-320, 340)] for v, _ in pairs[:5000]]
    pairs += [[v, rng.randrange(-8, 3)] for _ in range(5000) for v in [rng.randrange(-10 ** 6, 10 ** 6) / 2]]
    pairs = [p for p in pairs if can_round(*p)]
    tap.fact("round()", sum((expect("round", json.dumps(p), lambda: repr(round(*p))) for p in pairs), []),
             len(pairs))


def can_round(value, digits):
    try:
        return isinstance(round(value, digits), float)
    except OverflowError:  # ours is infinite
        return False


# ---- strip(), lower()

def check_case():
    rng = random.Random(6)
    everything = ["".join(map(chr, range(c, c + 32))) for c in range(0, 0x110000, 32)]
    tap.fact("lower() of every character",
             sum((expect("lower", t, t.lower) for t in everything), []), 0x110000)
    alphabet = "A\u03a3\u03c3.'\u00ad\u0301 1\u0130\U00010400\u01c5\u2160\u02b0\u037a:"
    words = ["".join(rng.choice(alphabet) for _ in range(rng.randrange(7))) for _ in range(30000)]
    around = [x + chr(c) + "\u03a3" + chr(c) + y for c in range(0x30000) for x, y in (("A", ""), ("", "A"))]
    words += rng.sample(around, 40000)
    tap.fact("lower() with the final sigma", sum((expect("lower", t, t.lower) for t in words), []),
             len(words))
    blanks = " \t\n\x0b\x1c\x1f\x85\xa0\u1680\u2000\u200b\u2028\u202f\u3000\u180e\ufeffa\u00e9\ud800\u0300"
    texts = ["".join(rng.choice(blanks) for _ in range(rng.randrange(8))) for _ in range(10000)]
    texts += [chr(c) + "x" + chr(c) for c in range(0x3100)]
    tap.fact("strip()", sum((expect("strip", t, t.strip) for t in texts), []), len(texts))


def main():
    if sys.version_info[:2] != (3, 11):
        print("ok 1 - all # skip these facts are Python 3.11's\n1..1")
        return
    check_json()
    check_text()
    check_equality()
    check_numbers()
    check_case()
    tap.fact("the helper ends well", [f"exit status {s}" for s in [driver.end()] if s])
    tap.end()


main()
