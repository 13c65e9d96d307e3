#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The IPv4 addresses that a connection to an IPv6 one is judged by: against the ipaddress module, and the RFCs' tables.

Speaks TAP. The random addresses are the same on every run.
"""

import random
from ipaddress import IPv4Address, IPv6Address, IPv6Network

from compat import Driver, Tap

driver = Driver()
tap = Tap()
PREFIXES = ["::/96", "::ffff:0:0/96", "::ffff:0:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48", "2001::/32", "2002::/16",
            "2001:db8::5efe:0:0/96", "fe80::200:5efe:0:0/96", "2001:db8::/32", "fd00::/8", "::/0"]


def normal(v4):
    return IPv4Address("127.0.0.1") if v4 == IPv4Address(0) else v4


def nat64(address, length):
    """RFC 6052, 2.2: the bits after the prefix, but for bits 64 to 71, which are zero."""
    bits = f"{int(address):0128b}"
    if length < 96 and int(bits[64:72], 2) != 0:
        return None
    kept = bits if length == 96 else bits[:64] + bits[72:]
    return IPv4Address(int(kept[length:length + 32], 2))


def expected(address):
    if address.ipv4_mapped:
        return [normal(address.ipv4_mapped)]
    if int(address) <= 1:
        return [IPv6Address(1)]
    found = [address]
    if address in IPv6Network("64:ff9b::/96"):
        found.append(nat64(address, 96))
    if address in IPv6Network("64:ff9b:1::/48"):
        found.append(nat64(address, 96))
        for length in (48, 56, 64):
            v4 = nat64(address, length)
            if v4 and 1 <= v4.packed[0] < 224:
                found.append(v4)
    if address.sixtofour:
        found.append(address.sixtofour)
    if address.teredo:
        found += address.teredo
    # RFC 5214, 6.1: the interface identifier, with or without the bit that says "unique everywhere".
    if int(address) >> 32 & 0xfdffffff == 0x5efe:
        found.append(IPv4Address(int(address) & 0xffffffff))
    # RFC 2765, 2.1: ::ffff:0:a.b.c.d
    if int(address) >> 32 == 0xffff0000:
        found.append(IPv4Address(int(address) & 0xffffffff))
    if int(address) >> 32 == 0:
        found.append(IPv4Address(int(address) & 0xffffffff))
    return [found[0]] + [normal(v4) for v4 in found[1:]]


def compare(address):
    want = " ".join(f"{a}:0" if a.version == 4 else f"[{a}]:0" for a in expected(address))
    got = driver.ask("embedded", str(address)).decode()
    # inet_ntop() writes the last 32 bits of ::/96 as IPv4.
    first, *rest = got.split(" ")
    if first.startswith("["):
        first = f"[{IPv6Address(first[1:first.index(']')])}]:0"
    got = " ".join([first] + rest)
    return [] if got == want else [f"{address}: wanted {want}, got {got}"]


def addresses(rng, network, n):
    network = IPv6Network(network)
    for _ in range(n):
        bits = rng.getrandbits(128) & rng.getrandbits(128) if rng.random() < 0.5 else rng.getrandbits(32)
        yield IPv6Address(int(network.network_address) | bits & int(network.hostmask))


for prefix in PREFIXES:
    rng = random.Random(prefix)
    sample = list(addresses(rng, prefix, 2000))
    tap.fact(f"addresses in {prefix}", [d for a in sample for d in compare(a)], len(sample))
edges = [IPv6Address(n) for n in (0, 1, 2, 0xffffffff, 1 << 32, (1 << 128) - 1)]
tap.fact("addresses at an edge", [d for a in edges for d in compare(a)], len(edges))
tap.fact("the driver ends well", [] if driver.end() == 0 else ["it failed"])
tap.end()
